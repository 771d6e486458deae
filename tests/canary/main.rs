//! No secret ever shows. Every key that may hold one holds a word of its own that nothing else contains; the
//! daemon and the commands go through everything that handles secrets, receivers throw back all they are
//! sent, strangers guess, reloads fail right beside a secret, the daemon is aborted. Then none of the words,
//! plain or encoded, may stand in the log at its most talkative, in an answer, in the store's bytes, in a
//! spool or on a terminal.
//!
//! A leak reads: `CANARY07 (sinks: slack token) in the log: …reason="Slack refused: xoxb-CANARY07…`.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod echo;
mod secrets;
#[path = "../support/mod.rs"]
mod support;

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use support::{Api, Site, client, eventually};

use echo::{echo_http, echo_smtp};
use secrets::{Evidence, base64, secret, signing_secret};

/// For retries, debug builds and busy machines.
const PATIENTLY: Duration = Duration::from_secs(60);

/// The configuration, with each form in which a secret can be given.
fn configuration(http: &str, smtp: u16) -> String {
    let [generic, listed, hmac_old, hmac_new] = ["generic token", "listed token", "old hmac", "new hmac"].map(secret);
    let [viewer, hook_path, hook_query, hook_header] =
        ["viewer token", "webhook path", "webhook query", "webhook header"].map(secret);
    let [slack, slack_hook, servicenow, servicenow_token, mail] =
        ["slack token", "slack webhook url", "servicenow password", "servicenow token", "smtp password"].map(secret);
    let signing = signing_secret("webhook signing");
    let (zabbix, beat) = (secret("zabbix token in the body"), secret("heartbeat token"));
    let feed = secret("feed token");
    format!(
        "sources:
  generic: {{ kind: generic, token: {generic} }}
  listed: {{ kind: generic, tokens: [\"${{LISTED}}\", {listed}] }}
  basic: {{ kind: zabbix, user: zbx, password_file: basic.password }}
  signed: {{ kind: generic, hmac: {{ secrets: [{hmac_new}, {hmac_old}], header: X-Signature, timestamp_header: X-Time }} }}
  credential: {{ kind: alertmanager, token_file: \"${{CREDENTIALS_DIRECTORY}}/alertmanager.token\" }}
  overridden: {{ kind: prometheus, token: replaced }}
heartbeats: {{ nightly: {{ every: 1d, token: {beat} }} }}
schedules: {{ week: {{ starts_at: 2026-01-01T09:00, shift: 7d, rotation: [ops], feed: {{ token: {feed} }} }} }}
api:
  tokens:
    - {{ name: wall, role: viewer, token: {viewer} }}
    - {{ name: ada, role: responder, token: \"${{RESPONDER}}\" }}
    - {{ name: root, role: admin, token_file: admin.token }}
receivers:
  ops:
    sinks:
      - kind: webhook
        url: \"{http}/hook/{hook_path}?key={hook_query}\"
        secret: {signing}
        headers: {{ Authorization: \"Bearer {hook_header}\" }}
        allow_private: true
      - {{ kind: slack, channel: C024BE91L, token: {slack}, base_url: \"{http}/slack\", allow_private: true }}
      - {{ kind: slack, name: hook, webhook_url: \"{http}/services/T0/B0/{slack_hook}\", allow_private: true }}
      - {{ kind: servicenow, url: \"{http}\", user: snow, password: {servicenow}, allow_private: true }}
      - {{ kind: servicenow, name: bearer, url: \"{http}\", token: {servicenow_token}, allow_private: true }}
      - kind: email
        host: 127.0.0.1
        port: {smtp}
        security: none
        user: mailer
        password: {mail}
        from: watchbell@example.org
        to: [ops@example.org]
        allow_private: true
route: {{ receiver: ops, group_wait: 0s }}
topology:
  zabbix:
    old: {{ url: \"{http}/zabbix6\", token: {zabbix}, allow_private: true }}
    new: {{ url: \"{http}/zabbix7\", token_file: zabbix.token, allow_private: true }}
"
    )
}

const SINKS: [&str; 6] = ["ops/webhook", "ops/slack", "ops/hook", "ops/servicenow", "ops/bearer", "ops/email"];

struct World {
    site: Site,
    variables: Vec<(&'static str, String)>,
    evidence: Evidence,
}

impl World {
    fn new(configuration: &str) -> Self {
        let site = Site::new(configuration);
        let write = |name: &str, text: &str| {
            let path = site.path().join(name);
            std::fs::write(&path, format!("{text}\n")).expect("a secret can be written");
        };
        write("basic.password", &secret("basic password"));
        write("admin.token", &secret("admin token"));
        write("zabbix.token", &secret("zabbix token in a header"));
        std::fs::create_dir(site.path().join("credentials")).expect("a folder");
        write("credentials/alertmanager.token", &secret("credential"));
        write("cli.token", &secret("token of the command line"));
        let variables = vec![
            ("LISTED", secret("variable in a list")),
            ("RESPONDER", secret("responder token")),
            ("WATCHBELL__SOURCES__OVERRIDDEN__TOKEN", secret("overriding variable")),
            ("CREDENTIALS_DIRECTORY", site.path().join("credentials").display().to_string()),
            ("WATCHBELL_LOG", "trace".to_owned()),
            ("RUST_BACKTRACE", "full".to_owned()),
        ];
        Self { site, variables, evidence: Evidence::default() }
    }

    fn variables(&self) -> Vec<(&str, &str)> {
        self.variables.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    /// Runs a command and keeps what it printed.
    fn command(&mut self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchbell"));
        command.args(arguments).envs(self.variables()).env("WATCHBELL_SERVER", self.site.url(""));
        command.env("WATCHBELL_TOKEN", secret("admin token"));
        let output = command.stdin(Stdio::null()).output().expect("the command runs");
        let label = format!("the output of `watchbell {}`", arguments[0]);
        self.evidence.add(&label, &output.stdout);
        self.evidence.add(&label, &output.stderr);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// Asks as the holder of `authorization` and keeps the answer, headers included.
    async fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = client().request(method, self.site.url(path)).body(body.to_owned());
        request = request.header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let head = format!("{status} {:?}", answer.headers());
        let text = answer.text().await.expect("text");
        self.evidence.add(&format!("the answer of {path}"), format!("{head}\n{text}").as_bytes());
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    async fn metrics(&mut self) {
        let answer = client().get(self.site.url("/metrics")).send().await.expect("an answer");
        let text = answer.text().await.expect("text");
        self.evidence.add("the metrics", text.as_bytes());
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

const EVENT: &str = r#"{"status":"firing","name":"Disk full","configuration_item":"db-1","severity":"critical"}"#;

/// Right and wrong credentials in every way in which a source can be asked for them.
async fn knock(world: &mut World) {
    let basic = |password: &str| format!("Basic {}", base64(&format!("zbx:{password}")));
    let guess = secret("guess");
    for (path, authorization, expected) in [
        ("/in/generic/generic", bearer(&secret("generic token")), 200),
        ("/in/generic/listed", bearer(&secret("listed token")), 200),
        ("/in/generic/listed", bearer(&secret("variable in a list")), 200),
        ("/in/alertmanager", bearer(&secret("credential")), 400),
        ("/api/v2/alerts", bearer(&secret("overriding variable")), 400),
        ("/in/zabbix", basic(&secret("basic password")), 400),
        ("/in/generic/generic", bearer(&guess), 401),
        ("/in/zabbix", basic(&guess), 401),
        ("/in/zabbix", format!("Basic {guess}"), 401),
        ("/in/generic/generic", bearer(&secret("admin token")), 401),
    ] {
        let (status, answer) = world.ask("POST", path, &[("authorization", &authorization)], EVENT).await;
        assert_eq!(status, expected, "{path}: {answer}");
    }
    let beat = secret("heartbeat token");
    for (path, expected) in [
        (format!("/in/heartbeat/nightly?token={beat}"), 200),
        (format!("/in/heartbeat/nightly/fail?token={beat}"), 200),
        (format!("/in/heartbeat/nightly?token={guess}"), 401),
        (format!("/in/heartbeat/nightly?tokn={beat}"), 401),
        (format!("/in/heartbeat/nightly?token={beat}&token={guess}"), 401),
        (format!("/in/heartbeat/nightli?token={beat}"), 404),
    ] {
        for method in ["GET", "POST", "HEAD"] {
            assert_eq!(world.ask(method, &path, &[], "").await.0, expected, "{method} {expected}");
        }
    }
    let feed = secret("feed token");
    for (query, expected) in [
        (format!("token={feed}"), 200),
        (format!("token={guess}"), 401),
        (format!("tokn={feed}"), 401),
        (format!("token={feed}&token={guess}"), 401),
    ] {
        let path = format!("/api/v1/schedules/week/calendar.ics?{query}");
        assert_eq!(world.ask("GET", &path, &[], "").await.0, expected, "{expected}");
    }
    let signed = [("x-signature", guess.as_str()), ("x-time", "0")];
    assert_eq!(world.ask("POST", "/in/generic/signed", &signed, EVENT).await.0, 401);
    let time = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let signature = secrets::sign(&secret("old hmac"), time, EVENT);
    let signed = [("x-signature", signature.as_str()), ("x-time", &time.to_string())];
    assert_eq!(world.ask("POST", "/in/generic/signed", &signed, EVENT).await.0, 200);
    for token in [&guess, &secret("generic token")] {
        let authorization = bearer(token);
        for (method, path) in [("GET", "/api/v1/incidents"), ("POST", "/-/reload")] {
            assert_eq!(world.ask(method, path, &[("authorization", &authorization)], "").await.0, 401);
        }
    }
}

/// Until every sink has tried and been refused.
async fn let_the_sinks_fail(world: &mut World) {
    for sink in SINKS {
        let url = world.site.url("/metrics");
        eventually(&format!("{sink} has failed"), PATIENTLY, async || {
            let text = client().get(&url).send().await.ok()?.text().await.ok()?;
            let is_tried = |line: &str| line.contains(&format!("sink=\"{sink}\"")) && !line.ends_with(" 0");
            text.lines().any(|line| line.starts_with("watchbell_deliveries_total") && is_tried(line)).then_some(())
        })
        .await;
    }
}

/// Until every Zabbix has refused its token.
async fn let_the_pulls_fail(world: &mut World) {
    let url = world.site.url("/metrics");
    eventually("both pulls have failed", PATIENTLY, async || {
        let text = client().get(&url).send().await.ok()?.text().await.ok()?;
        let failed =
            |name: &str| text.contains(&format!(r#"pulls_total{{origin="zabbix/{name}",outcome="rejected"}}"#));
        (failed("old") && failed("new")).then_some(())
    })
    .await;
}

/// Everything that can be read, as everybody who may read something.
async fn read_everything(world: &mut World) {
    let (_, document) = world.ask("GET", "/api/v1/openapi.json", &[], "").await;
    let admin = bearer(&secret("admin token"));
    let tokens = [admin.clone(), bearer(&secret("viewer token")), bearer(&secret("responder token"))];
    let incidents = Api::new(&world.site).with_token(&secret("admin token")).items("/api/v1/incidents").await;
    let alerts = Api::new(&world.site).with_token(&secret("admin token")).items("/api/v1/alerts").await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    // What the daemon tells about itself was no event of a source.
    let alert = alerts.iter().find(|alert| alert["source"] != "watchbell").expect("an alert of a source");
    let (incident, fingerprint) = (text(&incidents[0]["id"]), text(&alert["fingerprint"]));
    let made = json!({ "incidents": [incident], "title": "it happens" }).to_string();
    let (status, made) = world.ask("POST", "/api/v1/problems", &[("authorization", &admin)], &made).await;
    assert_eq!(status, 200, "{made}");
    let problem = text(&made["id"]);
    let wish = json!({ "matchers": ["team=nobody"], "duration": "1h", "comment": "planned" }).to_string();
    let (status, made) = world.ask("POST", "/api/v1/silences", &[("authorization", &admin)], &wish).await;
    assert_eq!(status, 200, "{made}");
    let silence = text(&made["id"]);
    let topology = json!({ "nodes": [{ "id": "db-1" }] }).to_string();
    let (status, put) =
        world.ask("PUT", "/api/v1/topology/origins/cmdb", &[("authorization", &admin)], &topology).await;
    assert_eq!(status, 200, "{put}");
    let paths = document["paths"].as_object().expect("paths").clone();
    let mut read = 0;
    for (path, _) in paths.iter().filter(|(_, item)| item["get"].is_object()) {
        let id = match path {
            _ if path.contains("events") => text(&alert["opened_by"]),
            _ if path.contains("problems") => problem.clone(),
            _ if path.contains("/silence/") => silence.clone(),
            _ if path.contains("/alert-groups/") => "grp-zzzzzzzzzz".to_owned(),
            _ => incident.clone(),
        };
        let path = path.replace("{id}", &id).replace("{fingerprint}", &fingerprint);
        let path = path.replace("{item}", "db-1").replace("{origin}", "cmdb");
        let path = path.replace("{name}", "week");
        if path.starts_with("/in/") || path.ends_with(".ics") {
            continue; // Not read but beaten, and not by these tokens.
        }
        for token in &tokens {
            let (status, _) = world.ask("GET", &path, &[("authorization", token)], "").await;
            let is_known = [200, 403].contains(&status) || path.contains("/alert-groups/") && status == 404;
            assert!(is_known, "{path}: {status}");
            read += usize::from(status == 200);
        }
    }
    assert!(read > 40, "{read} answers");
    for path in ["acknowledge", "comment", "resolve"] {
        let path = format!("/api/v1/incidents/{incident}/{path}");
        let body = json!({ "text": "looking" }).to_string();
        world
            .ask("POST", &path, &[("authorization", &admin)], if path.ends_with("comment") { &body } else { "" })
            .await;
    }
}

/// A reload that fails at the keys that hold secrets, and right beside them.
async fn reload_with_mistakes(world: &mut World, good: &str) {
    let admin = bearer(&secret("admin token"));
    for (from, to) in [
        ("kind: generic, token: ", "kind: generic, tokn: "),
        ("password: ", "password: [1], passwort: "),
        ("secret: whsec_", "secret: whsec-"),
        ("url: \"http://127", "url: \"ftp://127"),
        ("url: \"http://127.0.0.1", "url: \"http://user:pass word@127.0.0.1"),
        ("channel: C024BE91L, token: ", "channel: C024BE91L, token: 'unclosed "),
        ("role: viewer, token: ", "role: watcher, token: "),
        ("headers: { Authorization: ", "headers: { 'not a header': "),
        ("${LISTED}", "${NOT_SET}"),
        ("hmac: { secrets: [", "hmac: { secret: ["),
        ("zabbix6\", token: ", "zabbix6\", tokn: "),
        ("every: 1d, token: ", "every: 1d, tokn: "),
        ("feed: { token: ", "feed: { tokn: "),
        ("/zabbix6\", token: ", "/zabbix6\", token: 'x y "),
    ] {
        assert!(good.contains(from), "`{from}` is not in the configuration any more");
        world.site.configure(&good.replace(from, to));
        let (status, answer) = world.ask("POST", "/-/reload", &[("authorization", &admin)], "").await;
        assert_eq!(status, 422, "{from} -> {to}: {answer}");
        world.ask("GET", "/-/ready", &[], "").await;
        let file = world.site.file().display().to_string();
        for arguments in [&["check", "-c", &file][..], &["check", "--json", "-c", &file], &["run", "-c", &file]] {
            world.command(arguments);
        }
    }
    world.site.configure(good);
    assert_eq!(world.ask("POST", "/-/reload", &[("authorization", &admin)], "").await.0, 200);
    world.ask("GET", "/api/v1/audit?limit=500", &[("authorization", &admin)], "").await;
}

fn use_the_command_line(world: &mut World) {
    let file = world.site.file().display().to_string();
    for arguments in [&["check", "-c", &file][..], &["test-sink", "-c", &file], &["test-sink", "--json", "-c", &file]] {
        world.command(arguments);
    }
    for sink in SINKS {
        let said = world.command(&["test-sink", "-c", &file, sink]);
        assert!(said.contains("error") || said.contains("not delivered") || said.contains("failed"), "{sink}: {said}");
        world.command(&["test-sink", "-c", &file, sink, "--json"]);
        world.command(&["test-sink", "-c", &file, sink, "--preview"]);
        world.command(&["test-sink", "-c", &file, sink, "--preview", "--json"]);
    }
    let incident = world.command(&["incidents", "--json", "--state", "all"]);
    let incident: Value = serde_json::from_str(&incident).unwrap_or_default();
    let id = incident["items"][0]["id"].as_str().unwrap_or("inc-").to_owned();
    for arguments in [
        &["explain", &id][..],
        &["explain", "--json", &id],
        &["incidents"],
        &["silences"],
        &["changes"],
        &["heartbeats"],
        &["heartbeats", "--json"],
        &["on-call"],
        &["schedule", "week"],
        &["audit", "list"],
    ] {
        world.command(arguments);
    }
    let store = world.site.store_path().display().to_string();
    assert!(world.command(&["audit", "verify", "--store", &store]).contains("every row is as it was written"));
    let (token, nowhere) = (world.site.path().join("cli.token").display().to_string(), "http://127.0.0.1:9/in/nagios");
    world.command(&["ack", &id, "--token-file", &token]);
    world.command(&[
        "incidents",
        "--server",
        &format!("http://user:{}@127.0.0.1:9/?key={}", secret("guess"), secret("guess")),
    ]);
    let spool = world.site.path().join("spool").display().to_string();
    let url = world.site.url("/in/generic/generic");
    for url in [nowhere, &url] {
        world.command(&[
            "send",
            "nagios",
            "--url",
            url,
            "--token-file",
            &token,
            "--spool",
            &spool,
            "HOSTNAME=db-1",
            "HOSTSTATE=DOWN",
            "NOTIFICATIONTYPE=PROBLEM",
        ]);
    }
    world.evidence.add_folder("the spool", &world.site.path().join("spool"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_ever_shows() {
    let (http, smtp) = (echo_http().await, echo_smtp().await);
    let configuration = configuration(&format!("http://{}", http.address), smtp.address.port());
    let mut world = World::new(&configuration);
    let mut daemon = world.site.start_with(&world.variables()).await;

    knock(&mut world).await;
    let_the_sinks_fail(&mut world).await;
    let_the_pulls_fail(&mut world).await;
    read_everything(&mut world).await;
    use_the_command_line(&mut world);
    reload_with_mistakes(&mut world, &configuration).await;
    world.metrics().await;

    // A second daemon finds the address taken; the first one is aborted in the middle of everything.
    let file = world.site.file().display().to_string();
    assert!(world.command(&["run", "-c", &file]).contains("cannot listen"));
    daemon.signal("ABRT");
    daemon.ended(PATIENTLY).await;
    let store = world.site.store_path();
    for name in ["watchbell.db", "watchbell.db-wal"] {
        let bytes = std::fs::read(store.with_file_name(name)).expect("the store's files are there");
        world.evidence.add(&format!("the bytes of {name}"), &bytes);
    }
    world.variables.push(("WATCHBELL_LOG_FORMAT", "json".to_owned()));
    let mut daemon = world.site.start_with(&world.variables()).await;
    Api::new(&world.site).with_token(&secret("generic token")).event("firing", "db-2").await;
    let_the_sinks_fail(&mut world).await;
    let_the_pulls_fail(&mut world).await;
    daemon.signal("TERM");
    daemon.ended(PATIENTLY).await;
    world.evidence.add("the bytes of watchbell.db", &std::fs::read(&store).expect("the store"));
    let log = world.site.log();
    assert!(log.contains("TRACE") && log.contains("\"level\":\"TRACE\""), "the log does not tell everything");
    world.evidence.add("the log", log.as_bytes());

    world.evidence.judge();
}
