//! The OpenAPI document, held against a running daemon by Schemathesis, a program that makes requests up
//! from such a document: good ones, bad ones and sequences of them. Whatever the daemon answers must be
//! what the document says, whatever the document forbids must be refused, and nothing may be a 5xx.
//!
//! Installs the pinned program into a virtual environment below `target/` when it is not there yet, and is
//! skipped with a message where Python or its packages cannot be had.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use support::receiver::{Answer, Receiver};
use support::{Api, Site, eventually};

const TOKEN: &str = "one-token-for-all";
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schemathesis/requirements.txt");
const SETTINGS: &str = include_str!("schemathesis/schemathesis.toml");
/// Requests made up for each operation in each phase; with the fixed seed always the same ones.
const EXAMPLES: &str = "15";
const PROMPTLY: Duration = Duration::from_secs(30);

/// The program, installed; why not, where it cannot be.
fn schemathesis() -> Result<PathBuf, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("schemathesis");
    let (program, marker) = (folder.join("bin/schemathesis"), folder.join("installed.txt"));
    let wanted = std::fs::read_to_string(REQUIREMENTS).map_err(|error| error.to_string())?;
    if std::fs::read_to_string(&marker).is_ok_and(|installed| installed == wanted) {
        return Ok(program);
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(folder.join("bin/pip")).args(["install", "--quiet", "--requirement", REQUIREMENTS]))?;
    std::fs::write(marker, wanted).map_err(|error| error.to_string())?;
    Ok(program)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?}: {}: {said}", output.status)) }
}

/// Something of every kind, so that there is something to ask for.
async fn furnish(site: &Site) -> Api {
    let api = Api::new(site).with_token(TOKEN);
    for item in ["db-1", "db-2"] {
        api.event("firing", item).await;
        let silence = json!({ "matchers": [format!("host={item}")], "duration": "1h", "comment": "sample" });
        assert_eq!(api.post("/api/v1/silences", &silence).await.status, 200);
        let change = json!({ "configuration_item": item, "reference": "v1" });
        assert_eq!(api.post("/in/changes", &change).await.status, 200);
        assert_eq!(api.post("/in/generic", &json!(5)).await.status, 400);
    }
    eventually("two deliveries are given up", PROMPTLY, async || {
        (api.items("/api/v1/deliveries?state=exhausted").await.len() >= 2).then_some(())
    })
    .await;
    api
}

/// The settings with what this daemon has.
async fn settings(api: &Api) -> String {
    let first = async |path: &str, field: &str| {
        let items = api.items(path).await;
        items[0][field].as_str().unwrap_or_else(|| panic!("{path}: no `{field}` in {items:?}")).to_owned()
    };
    let second_page = async |path: &str| {
        let page = api.get(&format!("{path}?limit=1")).await;
        page.body["next_cursor"].as_str().unwrap_or_else(|| panic!("{path} has one page: {page:?}")).to_owned()
    };
    let incident = first("/api/v1/incidents", "id").await;
    let mut settings = SETTINGS
        .replace("@incident@", &incident)
        .replace("@fingerprint@", &first("/api/v1/alerts", "fingerprint").await)
        .replace("@event@", &first("/api/v1/alerts", "opened_by").await)
        .replace("@timeline@", &second_page(&format!("/api/v1/incidents/{incident}/timeline")).await);
    for list in [
        "incidents",
        "alerts",
        "changes",
        "deliveries",
        "silences",
        "audit",
        "quarantine",
        "heartbeats",
        "on-call",
        "schedules",
        "people",
    ] {
        settings = settings.replace(&format!("@{list}@"), &second_page(&format!("/api/v1/{list}")).await);
    }
    settings
}

#[tokio::test]
async fn the_daemon_is_as_its_document_says() {
    let program = match schemathesis() {
        Ok(program) => program,
        Err(reason) => return eprintln!("skipped: Schemathesis cannot be installed: {reason}"),
    };
    let receiver = Receiver::start(Answer::Status(410)).await;
    let site = Site::new(&format!(
        "sources:
  generic: {{ kind: generic, token: {TOKEN} }}
  prometheus: {{ kind: prometheus, token: {TOKEN} }}
  changes: {{ kind: changes, token: {TOKEN} }}
heartbeats: {{ nightly: {{ every: 1d, token: {TOKEN} }}, weekly: {{ every: 7d, token: {TOKEN} }} }}
api: {{ tokens: [{{ name: root, role: admin, token: {TOKEN} }}] }}
schedules:
  primary: {{ starts_at: 2026-01-01T09:00, shift: 7d, rotation: [anna, ben], feed: {{ token: {TOKEN} }} }}
  night: {{ starts_at: 2026-01-01T21:00, time_zone: Europe/Berlin, shift: 1d, rotation: [ben], only: [{{ from: '21:00', until: '06:00' }}], may_have_gaps: true }}
people: {{ anna: {{ sinks: [{{ kind: log }}] }}, ben: {{ name: Ben, sinks: [{{ kind: log }}] }} }}
receivers: {{ ops: {{ sinks: [{{ kind: webhook, url: \"{}\", allow_private: true }}] }} }}
route: {{ receiver: ops, group_wait: 0s }}
",
        receiver.url()
    ));
    let _daemon = site.start().await;
    let settings = settings(&furnish(&site).await).await;
    let file = site.path().join("schemathesis.toml");
    std::fs::write(&file, &settings).expect("the settings can be written");
    let mut command = Command::new(program);
    command.arg("--config-file").arg(&file).arg("run").arg(site.url("/api/v1/openapi.json"));
    command.args(["--header", &format!("Authorization: Bearer {TOKEN}"), "--checks", "all", "--seed", "1"]);
    command.args(["--max-examples", EXAMPLES, "--no-shrink", "--continue-on-failure", "--no-color"]);
    // A busy machine is no fault of the API's.
    command.args(["--suppress-health-check", "all", "--request-timeout", "60"]);
    command.current_dir(site.path());
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("the thread ends");
    let output = output.expect("Schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{settings}\n{}", String::from_utf8_lossy(&output.stderr));
}
