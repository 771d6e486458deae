//! `watchbell backup` while events come in, and the way back: what was acknowledged before the copy is in
//! it, and nobody hears again of what was delivered before it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use crate::seed;
use crate::support::receiver::{Answer, Received, Receiver};
use crate::support::{Api, Site, eventually, load};
use crate::workload::{configuration, stop};

const ITEMS: usize = 20;
const WITHIN: Duration = Duration::from_secs(60);

/// One of the commands with the site's configuration, beside the running test.
async fn command(site: &Site, name: &str, file: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchbell"));
    command.arg(name).arg(file).arg("--json").arg("--config").arg(site.file());
    tokio::task::spawn_blocking(move || command.output().expect("the program")).await.expect("it ran")
}

fn printed(output: &Output) -> Value {
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn refusal(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What was told about these items, by key.
fn told(requests: &[Received], item: &str) -> usize {
    requests.iter().filter(|request| request.item() == item).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_made_under_load_takes_over() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&configuration(&receiver));
    let items: Vec<String> = (0..ITEMS).map(|number| format!("db-{number}")).collect();
    let mut daemon = site.start().await;
    let api = Api::new(&site);
    for item in &items {
        api.event("firing", item).await;
    }
    eventually("everyone was told", WITHIN, async || {
        let requests = receiver.requests();
        items.iter().all(|item| told(&requests, item) > 0).then_some(())
    })
    .await;
    api.settled(WITHIN).await;
    let (stop_load, stopping) = watch::channel(false);
    let senders = load::start(&site, seed(), &stopping);
    let busy = receiver.count() + 20;
    eventually("the load has begun", WITHIN, async || (receiver.count() >= busy).then_some(())).await;

    let copy = site.path().join("copy.db");
    let made = printed(&command(&site, "backup", &copy).await);
    assert!(made["position"].as_u64() > Some(ITEMS as u64), "{made}");
    assert_eq!(made["bytes"].as_u64(), Some(fs::metadata(&copy).expect("the copy").len()));
    assert_eq!(fs::metadata(&copy).expect("the copy").permissions().mode() & 0o777, 0o600);
    assert!(refusal(&command(&site, "backup", &copy).await, 2).contains("copy.db` is there already"));
    assert!(refusal(&command(&site, "restore", &copy).await, 1).contains("a daemon runs on it"));

    let busy = receiver.count() + 20;
    eventually("the load goes on", WITHIN, async || (receiver.count() >= busy).then_some(())).await;
    daemon.kill();
    stop_load.send_replace(true);
    senders.join_all().await;

    let damaged = site.path().join("damaged.db");
    let mut bytes = fs::read(&copy).expect("the copy");
    // All of them: some may stand where a row was that has moved since, and there nothing is damaged.
    let found: Vec<usize> = (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(b"\"db-7\"")).collect();
    assert!(!found.is_empty(), "no row about it");
    found.iter().for_each(|at| bytes[at + 4] = b'8');
    fs::write(&damaged, bytes).expect("another copy");
    let before = fs::read(site.store_path()).expect("the store");
    let said = refusal(&command(&site, "restore", &damaged).await, 1);
    assert!(said.contains("does not fit its checksum") && said.contains("`watchbell restore FILE`"), "{said}");
    assert!(fs::read(site.store_path()).expect("the store") == before, "a refused restore changes nothing");

    let heard = receiver.requests();
    let restored = printed(&command(&site, "restore", &copy).await);
    assert_eq!(restored["position"], made["position"]);
    let aside = restored["put_aside"].as_str().expect("the store from before");
    assert!(fs::read(aside).expect("the store from before") == before, "what was replaced is kept");
    let mut daemon = site.start().await;
    api.settled(WITHIN).await;
    check_items(&api, &items).await;
    api.event("firing", "after-restore").await;
    receiver.waits_for("news of what comes after", WITHIN, |request| request.item() == "after-restore").await;
    stop(&mut daemon).await;

    let requests = receiver.requests();
    for item in &items {
        assert_eq!(told(&requests, item), told(&heard, item), "{item} was delivered before the copy and told again");
    }
    check_keys(&requests);
}

async fn check_items(api: &Api, items: &[String]) {
    let mut cursor = String::new();
    let mut alerts: Vec<Value> = Vec::new();
    loop {
        let page = api.get(&format!("/api/v1/alerts?limit=500{cursor}")).await;
        alerts.extend(page.body["items"].as_array().cloned().unwrap_or_default());
        match page.body["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    for item in items {
        assert!(alerts.iter().any(|alert| alert["configuration_item"] == **item), "{item} is not in the copy");
    }
}

/// A notification that was pending in the copy comes again with the key that it had.
fn check_keys(requests: &[Received]) {
    let mut keys: BTreeMap<(&str, u64, &str), &str> = BTreeMap::new();
    for request in requests {
        let what = (request.incident(), request.number(), request.kind());
        let key = *keys.entry(what).or_insert(request.webhook_id());
        assert_eq!(key, request.webhook_id(), "{what:?} came with two keys");
    }
}
