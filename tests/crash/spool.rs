//! The client that spools: `watchbell send` is killed at random instants, and so is the daemon. What a call
//! said that it has sent or kept arrives, and people hear of each fault once, under one id.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use watchbell::store::{AlertQuery, Reader};

use crate::support::receiver::{Answer, Receiver};
use crate::support::{Api, Daemon, Random, Site, all_pages, binary, eventually};
use crate::{SETTLED_WITHIN, seed};

const CALLS: u64 = 60;
/// Until a call is killed that is to be killed, in milliseconds: about as long as one takes.
const CALL_MS: (u64, u64) = (1, 60);
/// Of a hundred calls those that are killed.
const KILLED_PERCENT: u64 = 60;
const CALL_ENDS_WITHIN: Duration = Duration::from_secs(60);
/// Calls between two deaths of the daemon, and those for which it stays away.
const CALLS_OF_A_LIFE: u64 = 6;
const CALLS_WITHOUT: u64 = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_client_has_kept_arrives_once() {
    let seed = seed();
    println!("WATCHBELL_CRASH_SEED={seed}");
    let mut random = Random::new(seed);
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&format!(
        "receivers: {{ ops: {{ sinks: [{{ kind: webhook, url: \"{}\", allow_private: true }}] }} }}\n\
         route: {{ receiver: ops, group_wait: 0s }}\n",
        receiver.url()
    ));
    let mut daemon: Option<Daemon> = None;
    let (mut kept, mut killed) = (BTreeSet::new(), 0);
    for number in 0..CALLS {
        match number % CALLS_OF_A_LIFE {
            0 => drop(daemon.take()),
            CALLS_WITHOUT => daemon = Some(site.start().await),
            _ => {}
        }
        let item = format!("item-{number}");
        let mut call = send(&site, &["-"], Some(&item));
        if random.between(0, 100) < KILLED_PERCENT {
            tokio::time::sleep(Duration::from_millis(random.between(CALL_MS.0, CALL_MS.1))).await;
            // It may have ended by itself; then it has made a promise.
            let _ = call.kill();
        }
        match ended(&mut call).await {
            status if status.success() => drop(kept.insert(item)),
            status if status.code().is_none() => killed += 1,
            status => panic!("a call ended with {status}"),
        }
    }
    if daemon.is_none() {
        daemon = Some(site.start().await);
    }
    let mut flush = send(&site, &["--flush"], None);
    assert!(ended(&mut flush).await.success(), "not everything was taken");
    Api::new(&site).settled(SETTLED_WITHIN).await;
    drop(daemon);

    println!("{CALLS} calls, {killed} of them killed, {} ended well", kept.len());
    assert!(killed > 0 && !kept.is_empty(), "this shows nothing");
    assert_eq!(waiting(&site.path().join("spool")), 0);
    let store = site.reader();
    let alerts = all_pages(|page| store.alerts(&AlertQuery { page: page.clone(), ..AlertQuery::default() }));
    let known: BTreeSet<String> =
        alerts.iter().filter_map(|alert| alert.configuration_item.as_deref().map(str::to_owned)).collect();
    assert_eq!(known.len(), alerts.len(), "one fault became two alerts");
    let lost: Vec<&String> = kept.difference(&known).collect();
    assert!(lost.is_empty(), "sent or kept, and now gone: {lost:?}");
    let mut keys: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for request in receiver.requests() {
        keys.entry(request.item().to_owned()).or_default().insert(request.webhook_id().to_owned());
    }
    let twice: Vec<_> = keys.iter().filter(|(_, keys)| keys.len() > 1).collect();
    assert!(twice.is_empty(), "told twice, under different ids: {twice:?}");
    assert_eq!(keys.into_keys().collect::<BTreeSet<_>>(), known, "people heard of something else");
}

/// Starts a call; an item is one event on its standard input.
fn send(site: &Site, arguments: &[&str], item: Option<&str>) -> Child {
    let input = site.path().join("event.json");
    let event = serde_json::json!({
        "status": "firing", "name": "Disk full", "configuration_item": item, "severity": "critical",
    });
    std::fs::write(&input, item.map(|_| format!("{event}\n")).unwrap_or_default()).expect("an event on disk");
    Command::new(binary())
        .args(["send", "generic", "--url", &site.url("/in/generic"), "--spool"])
        .arg(site.path().join("spool"))
        .args(arguments)
        .stdin(std::fs::File::open(&input).expect("the event on disk"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the client can be started")
}

async fn ended(call: &mut Child) -> ExitStatus {
    eventually("the call ends", CALL_ENDS_WITHIN, async || call.try_wait().expect("the state of a child")).await
}

/// Bodies that still wait in the spool.
fn waiting(spool: &Path) -> usize {
    let entries = std::fs::read_dir(spool).expect("the spool");
    entries.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().is_file())).count()
}
