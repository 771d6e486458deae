//! What is wrong inside of sections.

use super::{load, said, said_of};
use crate::config::Auth;
use insta::assert_snapshot;

#[test]
fn an_unknown_sink_is_named_with_its_line_and_a_guess() {
    let yaml = "sources: { zabbix: { kind: zabbix, token: abcdef } }
receivers:
  ops:
    sinks:
      - channel: '#ops'
        kind: slak
";
    assert_snapshot!(said(yaml), @r#"
error: unknown sink `slak` in `receivers.ops.sinks[0].kind`
  --> watchbell.yaml:6
  hint: did you mean `slack`? `watchbell integrations` lists all sinks
"#);
}

#[test]
fn every_problem_is_reported_not_only_the_first() {
    let yaml = "\
listen: localhost:9494
sorces: {}
instance: two words
public_url: watchbell.example.org
limits:
  connections_max: many
  header_timeout: 5
  idle_timout: 5s
  request_timeout: 2h
sources:
  a: { kind: zabix, token: abcdef }
  b: { kind: zabbix, token: abcdef, body_bytes_max: 99999999, severities: { page: bad } }
  c/d: { kind: zabbix, tokn: abcdef, user: ada }
receivers:
  ops: { sinks: [{ kind: slack, chanel: '#ops', mentions: { a: 1, b: 2 }, timeout: 0s }], falback: mail }
  empty: { sinks: [] }
  nothing:
route: { receiver: opps }
";
    assert_snapshot!(said(yaml), @"
    error: `listen`: expected an address and a port such as `127.0.0.1:9494`, got `localhost:9494`
      --> watchbell.yaml:1
      hint: for this machine only: `127.0.0.1:9494`
    error: unknown key `sorces`
      --> watchbell.yaml:2
      hint: did you mean `sources`?
    error: `instance`: got the name `two words`, expected 1 to 64 letters, digits, dots, hyphens and underscores
      --> watchbell.yaml:3
    error: `public_url`: expected a URL such as `https://watchbell.example.org`, got `watchbell.example.org`
      --> watchbell.yaml:4
    error: unknown source `zabix` in `sources.a.kind`
      --> watchbell.yaml:11
      hint: did you mean `zabbix`? `watchbell integrations` lists all sources
    error: unknown value `bad` in `sources.b.severities.page`
      --> watchbell.yaml:12
      hint: known values: `critical`, `major`, `minor`, `warning`, `info`
    error: `sources.b.body_bytes_max`: expected 1 to 33554432 bytes, got 99999999
      --> watchbell.yaml:12
    error: `sources.c/d`: got the name `c/d`, expected 1 to 64 letters, digits, dots, hyphens and underscores
      --> watchbell.yaml:13
    error: unknown key `tokn` in `sources.c/d`
      --> watchbell.yaml:13
      hint: did you mean `token`? known keys: `body_bytes_max`, `client_certificate`, `events_per_second`, `hmac`, `kind`, `password`, `severities`, `token`, `token_header`, `token_parameter`, `token_sha256`, `tokens`, `user`
    error: missing key `password` in `sources.c/d`
      --> watchbell.yaml:13
    error: unknown key `falback` in `receivers.ops`
      --> watchbell.yaml:15
      hint: did you mean `fallback`? known keys: `fallback`, `loud_per_minute_max`, `sinks`
    error: unknown key `chanel` in `receivers.ops.sinks[0]`
      --> watchbell.yaml:15
      hint: did you mean `channel`? known keys: `allow_private`, `channel`, `give_up_after`, `kind`, `language`, `mentions`, `name`, `rate`, `send_resolved`, `time_zone`, `timeout`, `token`
    error: `receivers.ops.sinks[0].mentions.a`: expected text, got a number
      --> watchbell.yaml:15
    error: `receivers.ops.sinks[0].mentions.b`: expected text, got a number
      --> watchbell.yaml:15
    error: `receivers.ops.sinks[0].timeout`: expected 1s to 10m, got 0s
      --> watchbell.yaml:15
    error: `receivers.empty.sinks`: expected at least one sink
      --> watchbell.yaml:16
    error: `receivers.nothing.sinks`: expected at least one sink
      --> watchbell.yaml:17
    error: unknown receiver `opps` in `route.receiver`
      --> watchbell.yaml:18
      hint: did you mean `ops`?
    ");
}

#[test]
fn yaml_that_cannot_be_read_has_a_line_and_a_column() {
    assert_snapshot!(said("listen: [1, 2\nstore: }"), @r#"
error: cannot read the file as YAML: illegal placement of ':' indicator
  --> watchbell.yaml:2:6
"#);
    assert_snapshot!(said("- a\n- b"), @r#"
error: expected a map of settings such as `listen: 127.0.0.1:9494`
  --> watchbell.yaml
"#);
    assert_snapshot!(said("listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2"), @r#"
error: a second document begins here, expected only one
  --> watchbell.yaml:3
"#);
}

#[test]
fn a_key_that_comes_twice_is_reported_with_both_lines() {
    let yaml = "limits:\n  connections_max: 5\n  idle_timeout: 5s\n  connections_max: 6\nlimits: {}";
    assert_snapshot!(said_of(yaml), @r#"
error: key `limits.connections_max` comes twice: in line 4 and in line 6
  --> watchbell.yaml:6
error: key `limits` comes twice: in line 3 and in line 7
  --> watchbell.yaml:7
"#);
}

#[test]
fn anchors_and_merge_keys_work_and_cannot_explode() {
    let yaml = "\
sources:
  a: &base { kind: zabbix, token: abcdef }
  b: { <<: *base, body_bytes_max: 5 }
  c: *base
";
    let configuration = super::load(yaml);
    assert_eq!(configuration.sources["b"].auth, configuration.sources["a"].auth);
    assert_eq!(configuration.sources["b"].body_bytes_max, 5);
    assert_eq!(configuration.sources["c"].body_bytes_max, 1 << 20);

    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for n in 1..8 {
        let before = format!("*a{}", n - 1);
        bomb.push_str(&format!("a{n}: &a{n} [{}]\n", [before.as_str(); 10].join(", ")));
    }
    assert_snapshot!(said(&bomb), @r#"
error: aliases add more than 100000 values to this file
  --> watchbell.yaml:5
"#);
    assert_snapshot!(said(&"[".repeat(200)), @r#"
error: nested more than 64 deep
  --> watchbell.yaml:1
"#);
}

#[test]
fn references_must_exist() {
    let yaml = "\
services: { orders: { sla: gld, tier: 9 } }
default_sla: silver
slas: { gold: { P1: { respond: 0s }, P9: {} } }
schedules:
  primary: { starts_at: 2026-11-21T08:00:00Z, shift: 0s, rotation: [ops, mial] }
  empty:
    shift: 1d
    rotation: []
    overrides: [{ starts_at: 2026-11-22T08:00:00Z, ends_at: 2026-11-21T08:00:00Z, receiver: nobody }]
  idle: { starts_at: 2026-11-21T08:00:00Z, shift: 1d, rotation: [] }
escalation_policies:
  p: { levels: [{ after: 0s, schedules: [primry] }, { after: 0s, receivers: [ops, oops] }, { after: 5m }, {}] }
  none: { levels: [] }
route:
  receiver: ops
  routes:
    - { receiver: ops, escalation_policy: q, matchers: ['team=~\"(\"'] }
    - { reciever: mail, group_wait: 3h, routes: [{ receiver: sales }] }
    - { group_interval: 10m, repeat_interval: 5m }
";
    assert_snapshot!(said_of(yaml), @r#"
error: unknown SLA `gld` in `services.orders.sla`
  --> watchbell.yaml:3
  hint: did you mean `gold`?
error: `services.orders.tier`: expected 1 to 5, got 9
  --> watchbell.yaml:3
error: unknown SLA `silver` in `default_sla`
  --> watchbell.yaml:4
  hint: there are: `gold`
error: unknown key `P9` in `slas.gold`
  --> watchbell.yaml:5
  hint: did you mean `P1`? known keys: `P1`, `P2`, `P3`, `P4`, `P5`
error: `slas.gold.P1.respond`: expected 1s to 52w2d, got 0s
  --> watchbell.yaml:5
error: `schedules.primary.shift`: expected 1m to 52w2d, got 0s
  --> watchbell.yaml:7
error: unknown receiver `mial` in `schedules.primary.rotation[1]`
  --> watchbell.yaml:7
  hint: did you mean `mail`?
error: missing key `starts_at` in `schedules.empty`
  --> watchbell.yaml:8
error: unknown receiver `nobody` in `schedules.empty.overrides[0].receiver`
  --> watchbell.yaml:11
  hint: there are: `log`, `mail`, `ops`
error: `schedules.empty.overrides[0].ends_at`: expected a time after `starts_at` (2026-11-22T08:00:00.000Z), got 2026-11-21T08:00:00.000Z
  --> watchbell.yaml:11
error: `schedules.idle.rotation`: expected at least one name
  --> watchbell.yaml:12
error: unknown schedule `primry` in `escalation_policies.p.levels[0].schedules[0]`
  --> watchbell.yaml:14
  hint: did you mean `primary`?
error: `escalation_policies.p.levels[1].after`: expected 1s to 1w, got 0s
  --> watchbell.yaml:14
error: unknown receiver `oops` in `escalation_policies.p.levels[1].receivers[1]`
  --> watchbell.yaml:14
  hint: did you mean `ops`?
error: `escalation_policies.p.levels[2]`: expected at least one of `people`, `teams`, `schedules` and `receivers`
  --> watchbell.yaml:14
error: missing key `after` in `escalation_policies.p.levels[3]`
  --> watchbell.yaml:14
error: `escalation_policies.none.levels`: expected 1 to 100 levels, got 0
  --> watchbell.yaml:15
error: `route.routes[0].matchers[0]`: invalid regular expression `(`: unclosed group
  --> watchbell.yaml:19
error: unknown escalation policy `q` in `route.routes[0].escalation_policy`
  --> watchbell.yaml:19
  hint: did you mean `p`?
error: unknown key `reciever` in `route.routes[1]`
  --> watchbell.yaml:20
  hint: did you mean `receiver`? known keys: `active_time_intervals`, `continue`, `escalation_policy`, `group_by`, `group_interval`, `group_wait`, `matchers`, `mute_time_intervals`, `receiver`, `repeat_interval`, `routes`
error: `route.routes[1].group_wait`: expected 0s to 1h, got 3h
  --> watchbell.yaml:20
error: unknown receiver `sales` in `route.routes[1].routes[0].receiver`
  --> watchbell.yaml:20
  hint: there are: `log`, `mail`, `ops`
warning: `route.routes[2]`: `repeat_interval` (5m) is shorter than `group_interval` (10m), so the latter counts
  --> watchbell.yaml:21
warning: `route.routes[2]` is never reached: the route before it has no matchers and takes everything
  --> watchbell.yaml:21
"#);
}

#[test]
fn the_root_route_takes_everything() {
    assert_snapshot!(said_of("route: { receiver: ops, matchers: [a=b] }"), @r#"
error: `route.matchers`: the root takes everything, expected matchers only on the routes below it
  --> watchbell.yaml:3
"#);
    assert_snapshot!(said_of("route: { routes: [{ receiver: ops }] }"), @r#"
error: missing key `receiver` in `route`
  --> watchbell.yaml:3
  hint: there are 2 receivers; name the one that gets what no other route takes
"#);
    let one = "sources: {}\nreceivers: { team: { sinks: [{ kind: log }] } }";
    assert_eq!(super::load(one).policy.route.receiver.as_deref(), Some("team"));
    assert_eq!(super::load("sources: {}").policy.route.receiver.as_deref(), Some("log"));
}

#[test]
fn fallbacks_end_somewhere() {
    let yaml = "\
sources: {}
receivers:
  a: { sinks: [{ kind: log }], fallback: b }
  b: { sinks: [{ kind: log }], fallback: c }
  c: { sinks: [{ kind: log }], fallback: b }
  d: { sinks: [{ kind: log }], fallback: d }
  e: { sinks: [{ kind: log }], fallback: log }
route: { receiver: a }
";
    assert_snapshot!(said(yaml), @r#"
warning: `sources` is empty: nothing can come in
  --> watchbell.yaml:1
error: `receivers.b.fallback`: fallbacks go in a circle: b -> c -> b
  --> watchbell.yaml:4
error: `receivers.d.fallback`: fallbacks go in a circle: d -> d
  --> watchbell.yaml:6
"#);
}

#[test]
fn sinks_are_named_after_their_receiver() {
    let yaml = "\
sources: {}
receivers:
  ops: { sinks: [{ kind: log }, { kind: log }, { kind: log, name: third }] }
";
    let configuration = super::load(yaml);
    assert_eq!(configuration.policy.receivers["ops"].sinks, ["ops/log", "ops/log-2", "ops/third"]);
    assert_eq!(configuration.sinks.keys().collect::<Vec<_>>(), ["log/log", "ops/log", "ops/log-2", "ops/third"]);
    let yaml = yaml.replace("third", "log-2");
    assert_snapshot!(said(&yaml), @r#"
warning: `sources` is empty: nothing can come in
  --> watchbell.yaml:1
error: `receivers.ops.sinks[2]`: there is another sink with the name `ops/log-2`
  --> watchbell.yaml:3
  hint: give one of them another `name`
"#);
}

#[test]
fn rules_that_would_match_everything_are_refused() {
    let yaml = "\
inhibit_rules: [{ source_matchers: [a=b] }, { target_matchers: a=b }]
maintenance:
  - { configuration_item: db-1, starts_at: 2026-11-21T08:00:00Z }
  - { configuration_item: db-1, starts_at: 2026-11-21T08:00:00Z, ends_at: 2026-11-21T08:00:00Z }
naming: { rewrite: [{ pattern: '(', replacement: x }, { pattern: a }], lowercase: 1 }
priority: { matrix: [[P1, P2], [P3, P4]] }
correlation: { open_severity: worst, hops_max: 300 }
flap: { changes: 1 }
problems: { likeness_percent: 101 }
retention: { journal: 100d }
";
    assert_snapshot!(said_of(yaml), @r#"
error: `inhibit_rules[0].target_matchers`: expected at least one matcher, without any every alert would match
  --> watchbell.yaml:3
error: `inhibit_rules[1].target_matchers`: expected a list, got the text `a=b`
  --> watchbell.yaml:3
error: `inhibit_rules[1].source_matchers`: expected at least one matcher, without any every alert would match
  --> watchbell.yaml:3
error: missing key `ends_at` in `maintenance[0]`
  --> watchbell.yaml:5
error: `maintenance[1].ends_at`: expected a time after `starts_at` (2026-11-21T08:00:00.000Z), got 2026-11-21T08:00:00.000Z
  --> watchbell.yaml:6
error: `naming.lowercase`: expected `true` or `false`, got the number `1`
  --> watchbell.yaml:7
error: `naming.rewrite[0].pattern`: invalid regular expression `(`: unclosed group
  --> watchbell.yaml:7
error: missing key `replacement` in `naming.rewrite[1]`
  --> watchbell.yaml:7
error: `priority.matrix[0]`: expected a list of 3, got 2 entries
  --> watchbell.yaml:8
error: `priority.matrix[1]`: expected a list of 3, got 2 entries
  --> watchbell.yaml:8
error: `correlation.hops_max`: expected a whole number from 0 to 255, got the number `300`
  --> watchbell.yaml:9
error: unknown value `worst` in `correlation.open_severity`
  --> watchbell.yaml:9
  hint: known values: `critical`, `major`, `minor`, `warning`, `info`
error: `flap.changes`: expected 2 to 1000, got 1
  --> watchbell.yaml:10
error: `problems.likeness_percent`: expected 1 to 100, got 101
  --> watchbell.yaml:11
warning: `retention.journal` is longer than `retention.history`: a replay would lack what it led to
  --> watchbell.yaml:12
"#);
}

#[test]
fn a_token_may_be_in_a_header_of_the_senders_own() {
    let yaml = "\
receivers: { ops: { sinks: [{ kind: log }] } }
route: { receiver: ops }
sources:
  a: { kind: zabbix, token: t, token_header: X Y }
  b: { kind: zabbix, token_header: X-Gitlab-Token }
  c: { kind: zabbix, user: u, password: p, token_header: X-Gitlab-Token }
";
    assert_snapshot!(said(yaml), @r"
error: `sources.a.token_header`: expected the name of a header, got `X Y`
  --> watchbell.yaml:4
error: `sources.b.token_header`: got `X-Gitlab-Token`, but no token is configured to be in it
  --> watchbell.yaml:5
  hint: add `token_file`
error: `sources.c.token_header`: got `X-Gitlab-Token`, but no token is configured to be in it
  --> watchbell.yaml:6
  hint: add `token_file`
");
    let sound = load("sources: { a: { kind: zabbix, token: t, token_header: X-Gitlab-Token } }");
    let Auth::HeaderAnyOf { header, tokens } = &sound.sources["a"].auth else {
        panic!("{:?}", sound.sources["a"].auth)
    };
    assert_eq!((header.as_str(), tokens.len()), ("x-gitlab-token", 1));
}

#[test]
fn only_sqlite_is_there() {
    assert_snapshot!(said_of("store: { postgres: { url: x }, sqlight: {} }"), @r#"
error: `store.postgres`: this version keeps its data only in SQLite
  --> watchbell.yaml:3
  hint: use `store: { sqlite: { path: … } }`
error: unknown key `sqlight` in `store`
  --> watchbell.yaml:3
  hint: known keys: `sqlite`
"#);
}

#[test]
fn other_machines_must_prove_who_they_are() {
    let yaml = "listen: 0.0.0.0:9494\nsources: { prod: { kind: zabbix } }";
    assert_snapshot!(said(yaml), @r#"
error: `api.tokens` is empty, but `listen` is reachable from other machines
  --> watchbell.yaml:1
  hint: add `api: { tokens: [{ name: …, role: responder, token_file: … }] }`
error: `sources.prod` has no authentication, but `listen` is reachable from other machines
  --> watchbell.yaml:2
  hint: add `token_file`, `user` with `password_file`, `hmac`, or `client_certificate`
"#);
    assert_snapshot!(said("listen: 0.0.0.0:9494"), @r#"
error: `api.tokens` is empty, but `listen` is reachable from other machines
  --> watchbell.yaml:1
  hint: add `api: { tokens: [{ name: …, role: responder, token_file: … }] }`
warning: `sources` is missing: nothing can come in
  --> watchbell.yaml
  hint: the built-in sources have no authentication and so exist only on loopback
"#);
    assert_snapshot!(said("sources: { prod: { kind: zabbix } }"), @r#"
warning: `sources.prod` has no authentication: any program on this machine can send
  --> watchbell.yaml:1
  hint: add `token_file`, `user` with `password_file`, `hmac`, or `client_certificate`
"#);
    let sound = "listen: '[::]:9494'
sources: { prod: { kind: zabbix, user: z, password: abcdef } }
api: { tokens: [{ name: ada, role: responder, token: abcdef }] }";
    assert_snapshot!(said(sound), @"");
}

#[test]
fn api_tokens_are_kept_as_hashes() {
    let hash = "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721";
    let yaml = format!(
        "sources: {{}}\napi: {{ tokens: [{{ name: a, role: viewer, token: abcdef }}, {{ name: b, role: admin, token_sha256: {hash} }}] }}"
    );
    let configuration = super::load(&yaml);
    assert_eq!(configuration.api.tokens[0].token_sha256, configuration.api.tokens[1].token_sha256);
    let yaml = "\
api:
  tokens:
    - { name: a, role: boss, token: abcdef }
    - { name: a, role: viewer, token_sha256: abc }
    - { name: b, role: viewer }
    - { role: viewer, token: 123456 }
    - { name: b, role: viewer, token: 123456 }
";
    assert_snapshot!(said_of(yaml), @r#"
error: unknown value `boss` in `api.tokens[0].role`
  --> watchbell.yaml:5
  hint: known values: `viewer`, `responder`, `admin`
error: `api.tokens[1].token_sha256`: expected 64 hexadecimal digits
  --> watchbell.yaml:6
  hint: printf %s "$TOKEN" | sha256sum
error: `api.tokens[2]`: expected one of `token_file`, `token_sha256` and `token`
  --> watchbell.yaml:7
error: missing key `name` in `api.tokens[3]`
  --> watchbell.yaml:8
error: `api.tokens[4].token`: expected text (its value is not shown)
  --> watchbell.yaml:9
"#);
}

#[test]
fn the_daemon_keeps_its_own_name() {
    let yaml = "\
sources: { watchbell: { kind: generic, token: abcdef } }
receivers: { watchbell: { sinks: [{ kind: log }] } }
route: { receiver: watchbell }
";
    assert_snapshot!(said(yaml), @"
    error: `sources.watchbell`: the name `watchbell` is the daemon's own, expected another one
      --> watchbell.yaml:1
    error: `receivers.watchbell`: the name `watchbell` is the daemon's own, expected another one
      --> watchbell.yaml:2
    ");
}

#[test]
fn the_watch_over_the_daemon_makes_sense() {
    assert_snapshot!(said_of("self_check: { every: 1s, timeout: 2m }"), @"
    error: `self_check.every`: expected 10s to 1h, got 1s
      --> watchbell.yaml:3
    error: `self_check.timeout`: expected 1s to 1s, got 2m
      --> watchbell.yaml:3
    ");
    assert_snapshot!(said_of("self_check: { enabled: false }\nheartbeat: { url: 'ftp://s3cret.example.org', timeout: 2m }"), @"
    error: `heartbeat.timeout`: expected 1s to 1m, got 2m
      --> watchbell.yaml:4
    error: `heartbeat.url`: expected a URL such as `https://hc-ping.com/…` (its value is not shown)
      --> watchbell.yaml:4
    error: `heartbeat` goes out only while the self check passes, but `self_check.enabled` is `false`
      --> watchbell.yaml:4
    ");
    assert_snapshot!(said_of("heartbeat: { every: 1m }"), @"
    error: missing key `url` in `heartbeat`
      --> watchbell.yaml:3
    ");
    assert_snapshot!(said_of("heartbeat: { url: 5, evry: 1m }"), @"
    error: unknown key `evry` in `heartbeat`
      --> watchbell.yaml:3
      hint: did you mean `every`? known keys: `allow_private`, `every`, `timeout`, `url`
    error: `heartbeat.url`: expected text (its value is not shown)
      --> watchbell.yaml:3
    ");
}

#[test]
fn what_a_file_holds_does_not_steer_the_terminal() {
    let said = said_of(r#""\e[31m\0key\u202e": 1"#);
    assert!(said.contains(r"unknown key `\u{1b}[31m\u{0}key\u{202e}`"), "{said}");
    assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
}
