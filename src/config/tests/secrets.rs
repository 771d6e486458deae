//! Secrets come from files and variables, and no message repeats one.

use super::{Scene, load, said, said_of};
use crate::config::Auth;
use insta::assert_snapshot;
use sha2::{Digest, Sha256};

fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[test]
fn a_file_key_becomes_its_content() {
    let scene = Scene::new()
        .file("zabbix.token", "s3cret\n")
        .file("many", "one\n\ntwo\n")
        .file("slack.token", "xoxb-1\r\n")
        .file(
            "watchbell.yaml",
            "\
sources:
  a: { kind: zabbix, token_file: zabbix.token }
  b: { kind: zabbix, tokens_file: many }
  c: { kind: zabbix, hmac: { secret_file: ./zabbix.token, header: X-Signature, prefix: 'v1=', encoding: base64 } }
receivers: { ops: { sinks: [{ kind: slack, channel: '#ops', token_file: slack.token }] } }
",
        );
    let configuration =
        scene.load(&["watchbell.yaml"]).unwrap_or_else(|_| panic!("{}", scene.said(&["watchbell.yaml"])));
    assert_eq!(configuration.sources["a"].auth, Auth::AnyOf(vec![hash("s3cret")]));
    assert_eq!(configuration.sources["b"].auth, Auth::AnyOf(vec![hash("one"), hash("two")]));
    let Auth::Hmac(hmac) = &configuration.sources["c"].auth else { panic!() };
    assert_eq!(
        (hmac.secrets[0].expose().as_str(), hmac.header.as_str(), hmac.prefix.as_str()),
        ("s3cret", "x-signature", "v1=")
    );
    assert_eq!(configuration.sinks["ops/slack"].table["token"], "xoxb-1");
    assert!(!configuration.sinks["ops/slack"].table.contains_key("token_file"));
    let printed = format!("{configuration:?}");
    assert!(printed.contains("slack") && !printed.contains("xoxb-1") && !printed.contains("s3cret"), "{printed}");
}

#[test]
fn a_file_that_does_not_give_a_secret_is_reported() {
    let scene = Scene::new().file("open", "abcdef").mode("open", 0o644).file("empty", "\n").file(
        "watchbell.yaml",
        "\
sources:
  a: { kind: zabbix, token_file: missing }
  b: { kind: zabbix, token_file: open }
  c: { kind: zabbix, token_file: empty }
  d: { kind: zabbix, token_file: open, token: abcdef }
receivers: { ops: { sinks: [{ kind: slack, channel: '#ops', token_file: [1] }] } }
",
    );
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @r#"
error: `sources.a.token_file`: cannot read `missing`: No such file or directory (os error 2)
  --> watchbell.yaml:2
warning: `sources.b.token_file`: anyone on this machine can read `open`
  --> watchbell.yaml:3
  hint: chmod 0640 open
error: `sources.c.token_file`: `empty` is empty
  --> watchbell.yaml:4
error: `sources.d` has both `token` and `token_file`, expected one of them
  --> watchbell.yaml:5
warning: `sources.d.token_file`: anyone on this machine can read `open`
  --> watchbell.yaml:5
  hint: chmod 0640 open
error: `receivers.ops.sinks[0].token_file`: expected the path of a file
  --> watchbell.yaml:6
"#);
}

#[test]
fn variables_are_put_into_texts() {
    let scene = Scene::new().variable("TOKEN", "abc$def").variable("HOST", "hooks.example.org").file(
        "watchbell.yaml",
        "\
sources: { a: { kind: zabbix, token: '${TOKEN}' } }
receivers: { ops: { sinks: [{ kind: webhook, url: 'https://${HOST}/$$x/$', secret: pa$$word }] } }
",
    );
    let configuration = scene.load(&["watchbell.yaml"]).unwrap();
    assert_eq!(configuration.sources["a"].auth, Auth::AnyOf(vec![hash("abc$def")]));
    assert_eq!(configuration.sinks["ops/webhook"].table["url"], "https://hooks.example.org/$x/$");
    assert_eq!(configuration.sinks["ops/webhook"].table["secret"], "pa$word");
    assert_snapshot!(said_of("public_url: 'https://${NOWHERE}'\ninstance: '${OPEN'"), @r#"
error: `public_url`: environment variable `NOWHERE` is not set
  --> watchbell.yaml:3
  hint: a plain `$` is written `$$`; systemd reads variables with `Environment=` and `EnvironmentFile=`
error: `instance`: `${` without `}`
  --> watchbell.yaml:4
  hint: a plain `$` is written `$$`; systemd reads variables with `Environment=` and `EnvironmentFile=`
"#);
}

#[test]
fn no_message_repeats_a_secret() {
    let scene = Scene::new().variable("HOOK", "hush-hush-1").file("s", "hush-hush-2\n").file(
        "watchbell.yaml",
        "\
sources:
  a: { kind: zabbix, hmac: hush-hush-3 }
  b: { kind: zabbix, token: { hush-hush-4: 1 }, user: [hush-hush-5] }
  c: { kind: zabbix, password: 123456789, user: u }
  d: { kind: zabbix, tokens: { a: hush-hush-6 } }
receivers:
  ops:
    sinks:
      - { kind: webhook, url: '${HOOK}', secret: [hush-hush-7] }
      - { kind: webhook, url_file: s }
      - { kind: slack, channel: [hush-hush-8], token: { x: hush-hush-9 } }
api: { tokens: [{ name: [hush-hush-a], role: admin, token: hush-hush-b, token_sha256: hush-hush-c }] }
",
    );
    let said = scene.said(&["watchbell.yaml"]);
    assert!(!said.contains("hush-hush") && !said.contains("123456789"), "{said}");
    assert_snapshot!(said, @"
    error: `sources.a.hmac`: expected a map, got text
      --> watchbell.yaml:2
    error: `sources.b.token`: expected text (its value is not shown)
      --> watchbell.yaml:3
    error: `sources.b.user`: expected text, got a list
      --> watchbell.yaml:3
    error: `sources.c.password`: expected text (its value is not shown)
      --> watchbell.yaml:4
    error: `sources.d.tokens`: expected a list of texts, or text with one in each line
      --> watchbell.yaml:5
    error: `receivers.ops.sinks[0].secret`: expected text (its value is not shown)
      --> watchbell.yaml:9
    error: `receivers.ops.sinks[0].url`: expected a URL, got `<secret>`
      --> watchbell.yaml:9
    error: `receivers.ops.sinks[1].url`: expected a URL, got `<secret>`
      --> watchbell.yaml:10
    error: `receivers.ops.sinks[2].channel`: expected text, got a list
      --> watchbell.yaml:11
    error: `receivers.ops.sinks[2].token`: expected text (its value is not shown)
      --> watchbell.yaml:11
    error: `api.tokens[0].name`: expected text, got a list
      --> watchbell.yaml:12
    ");
}

#[test]
fn a_token_may_be_given_as_its_hash_and_secrets_several_at_once() {
    let hex: String = hash("s3cret").iter().map(|byte| format!("{byte:02X}")).collect();
    let yaml = format!(
        "\
sources:
  a: {{ kind: zabbix, token_sha256: {hex} }}
  b: {{ kind: zabbix, token: other, token_sha256: [{hex}, {hex}] }}
  c: {{ kind: zabbix, hmac: {{ secrets: [new, old], header: X-Signature }} }}
  d: {{ kind: zabbix, hmac: {{ secrets_file: both, header: X-Signature }} }}
  e: {{ kind: zabbix, user: u, password: s3cret }}
"
    );
    let scene = Scene::new().file("both", "new\nold\n").file("watchbell.yaml", &yaml);
    let sources =
        scene.load(&["watchbell.yaml"]).unwrap_or_else(|_| panic!("{}", scene.said(&["watchbell.yaml"]))).sources;
    assert_eq!(sources["a"].auth, Auth::AnyOf(vec![hash("s3cret")]));
    assert_eq!(sources["b"].auth, Auth::AnyOf(vec![hash("other"), hash("s3cret"), hash("s3cret")]));
    for name in ["c", "d"] {
        let Auth::Hmac(hmac) = &sources[name].auth else { panic!("{name}") };
        assert_eq!(hmac.secrets.iter().map(|secret| secret.expose().as_str()).collect::<Vec<_>>(), ["new", "old"]);
    }
    assert_eq!(sources["e"].auth, Auth::Basic { user: "u".into(), password_sha256: hash("s3cret") });
    assert_snapshot!(said("\
sources:
  a: { kind: zabbix, token_sha256: hush-hush }
  b: { kind: zabbix, token_sha256: [] }
  c: { kind: zabbix, token_sha256: +1 }
  d: { kind: zabbix, hmac: { secrets: [], header: X-Signature } }
  e: { kind: zabbix, hmac: { secrets: [''], header: X-Signature } }
  f: { kind: zabbix, hmac: { secret: hush-hush, secrets: [hush-hush], header: X-Signature } }
  g: { kind: zabbix, hmac: { header: X-Signature } }
"), @r#"
    error: `sources.a.token_sha256`: expected 64 hexadecimal digits
      --> watchbell.yaml:2
      hint: printf %s "$TOKEN" | sha256sum
    error: `sources.b.token_sha256`: expected at least one token
      --> watchbell.yaml:3
    error: `sources.c.token_sha256`: expected a list of texts, or text with one in each line
      --> watchbell.yaml:4
    error: `sources.d.hmac.secrets`: expected at least one secret
      --> watchbell.yaml:5
    error: `sources.e.hmac.secrets` is empty
      --> watchbell.yaml:6
    error: `sources.f.hmac`: expected one of `secret_file`, `secret` and `secrets`
      --> watchbell.yaml:7
    error: `sources.g.hmac`: expected one of `secret_file`, `secret` and `secrets`
      --> watchbell.yaml:8
    "#);
}

#[test]
fn one_way_to_authenticate_is_enough() {
    let yaml = "\
sources:
  a: { kind: zabbix, token: abcdef, user: u, password: abcdef }
  b: { kind: zabbix, user: u }
  c: { kind: zabbix, tokens: [] }
  d: { kind: zabbix, token: '' }
  e: { kind: zabbix, hmac: { secret: abcdef, header: 'x y', encoding: hx } }
  f: { kind: zabbix, token: abcdef, events_per_second: 0, body_bytes_max: 0 }
";
    assert_snapshot!(said(yaml), @r#"
error: `sources.a`: expected one of tokens, `user` with `password`, and `hmac`, got several
  --> watchbell.yaml:2
error: missing key `password` in `sources.b`
  --> watchbell.yaml:3
error: `sources.c.tokens`: expected at least one token
  --> watchbell.yaml:4
error: `sources.d.token` is empty
  --> watchbell.yaml:5
error: unknown value `hx` in `sources.e.hmac.encoding`
  --> watchbell.yaml:6
  hint: did you mean `hex`? known values: `hex`, `base64`
error: `sources.e.hmac.header`: expected the name of a header, got `x y`
  --> watchbell.yaml:6
error: `sources.f.body_bytes_max`: expected 1 to 33554432 bytes, got 0
  --> watchbell.yaml:7
error: `sources.f.events_per_second`: expected 1 or more, got 0
  --> watchbell.yaml:7
"#);
}

#[test]
fn the_address_of_a_heartbeat_is_a_secret() {
    let scene = Scene::new()
        .file("url", "https://hc.example.org/s3cret\n")
        .file("watchbell.yaml", "sources: { a: { kind: zabbix, token: abcdef } }\nheartbeat: { url_file: url }\n");
    let configuration = scene.load(&["watchbell.yaml"]).unwrap();
    assert_eq!(configuration.heartbeat.as_ref().unwrap().url.expose(), "https://hc.example.org/s3cret");
    assert!(!format!("{configuration:?}").contains("s3cret"));
    for value in ["'hc.example.org/s3cret'", "{ s3cret: 1 }", "[s3cret]"] {
        let problems = said_of(&format!("heartbeat: {{ url: {value} }}"));
        assert!(problems.contains("heartbeat.url") && !problems.contains("s3cret"), "{problems}");
    }
    let elsewhere =
        said_of("heartbeat: { url: 'https://hc.example.org/s3cret' }\ninstance: 'https://hc.example.org/s3cret'");
    assert!(elsewhere.contains("`instance`") && !elsewhere.contains("s3cret"), "{elsewhere}");
}

#[test]
fn a_token_may_be_in_the_url() {
    let yaml = "\
receivers: { ops: { sinks: [{ kind: log }] } }
route: { receiver: ops }
sources:
  a: { kind: zabbix, token: t, token_parameter: \"a b\" }
  b: { kind: zabbix, token_parameter: token }
  c: { kind: zabbix, token: t, token_parameter: token, token_header: X-Token }
";
    assert_snapshot!(said(yaml), @r"
error: `sources.a.token_parameter`: expected letters, digits, `_`, `-` and `.`, got `a b`
  --> watchbell.yaml:4
error: `sources.b.token_parameter`: got `token`, but no token is configured to be in it
  --> watchbell.yaml:5
  hint: add `token_file`
error: `sources.c`: expected one of `token_header` and `token_parameter`, got both
  --> watchbell.yaml:6
");
    let sound = load("sources: { a: { kind: zabbix, token: t, token_parameter: auth_token } }");
    let Auth::ParameterAnyOf { parameter, tokens } = &sound.sources["a"].auth else {
        panic!("{:?}", sound.sources["a"].auth)
    };
    assert_eq!((parameter.as_str(), tokens.len()), ("auth_token", 1));
}
