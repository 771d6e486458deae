//! More than the daemon can write at once: whoever sends too much is told to come later, in the way it
//! understands; everybody else goes on; and of what was taken each event can be accounted for. How long pages
//! take meanwhile is measured by `benches/storm.sh`.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use support::receiver::{Answer, Received, Receiver};
use support::{Api, Daemon, Site, all_pages, client};
use tokio::task::JoinSet;
use watchbell::engine::input::Input;
use watchbell::model::Alert;
use watchbell::store::{AlertQuery, Reader};

const PAGES: usize = 10;
/// Requests of one flood at a time: more than the queue and the writer's batches on their way hold.
const CONNECTIONS: usize = 32;
const EVENTS: usize = 50;
/// Conditions that the floods repeat.
const CONDITIONS: usize = 200;
const EVENTUALLY: Duration = Duration::from_secs(60);
/// What the daemon may hold at most: whatever is more waits at the senders, not in here.
const RESIDENT_MIB_MAX: u64 = 256;

/// What the senders of one flood were answered.
#[derive(Clone, Copy, Debug, Default)]
struct Answers {
    taken: usize,
    refused: usize,
    unreadable: usize,
}

fn events(source: &str, number: usize) -> Value {
    let event = |index: usize| {
        let item = format!("sw-{}", (number * EVENTS + index) % CONDITIONS);
        match source {
            "prometheus" => json!({ "labels": { "alertname": "LinkDown", "instance": item, "severity": "warning" } }),
            _ => json!({ "status": "firing", "name": "Link down", "configuration_item": item, "severity": "warning" }),
        }
    };
    (0..EVENTS).map(event).collect()
}

/// What the connections of one flood know of each other.
struct Flood {
    url: String,
    source: &'static str,
    /// The status with which it is told to come later.
    refusal: u16,
    refused: AtomicUsize,
}

/// Posts until it is told to stop and the flood has been refused; every tenth body cannot be read.
async fn post(flood: Arc<Flood>, first: usize, stop: Arc<AtomicBool>) -> Answers {
    let (client, mut answers) = (client(), Answers::default());
    let Flood { url, source, refusal, refused } = &*flood;
    for number in (first..).step_by(CONNECTIONS) {
        let is_garbage = number % 10 == 0;
        let body = if is_garbage { "{".to_owned() } else { events(source, number).to_string() };
        let request = client.post(url).header("content-type", "application/json").body(body);
        let answer = request.send().await.expect("an answer");
        match answer.status().as_u16() {
            200 => answers.taken += EVENTS,
            400 if is_garbage => answers.unreadable += 1,
            status => {
                assert_eq!(status, *refusal, "{source}");
                let wait = answer.headers()["retry-after"].to_str().expect("text");
                assert!(wait.parse::<u64>().expect("seconds") >= 1, "{wait}");
                answers.refused += 1;
                refused.fetch_add(1, Ordering::Relaxed);
            }
        }
        if stop.load(Ordering::Relaxed) && refused.load(Ordering::Relaxed) > 0 {
            break;
        }
    }
    answers
}

async fn stop(mut daemon: Daemon) {
    daemon.signal("TERM");
    assert_eq!(daemon.ended(EVENTUALLY).await.code(), Some(0));
}

#[tokio::test]
async fn a_flood_is_refused_alone_and_nothing_taken_is_lost() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&format!(
        "limits: {{ queue_events_max: 4 }}
sources:
  flood: {{ kind: generic }}
  prometheus: {{ kind: prometheus }}
  pages: {{ kind: generic }}
receivers:
  ops: {{ sinks: [{{ kind: webhook, url: \"{}\", allow_private: true }}] }}
  rest: {{ sinks: [{{ kind: log }}] }}
route:
  receiver: rest
  group_wait: 0s
  routes: [{{ matchers: ['source=\"pages\"'], receiver: ops }}]
",
        receiver.url()
    ));
    let daemon = site.start().await;
    let api = Api::new(&site);

    let enough = Arc::new(AtomicBool::new(false));
    let mut floods = JoinSet::new();
    for (source, path, refusal) in
        [("generic", "/in/generic/flood", 429), ("prometheus", "/in/prometheus/prometheus/api/v2/alerts", 503)]
    {
        let flood = Arc::new(Flood { url: site.url(path), source, refusal, refused: AtomicUsize::new(0) });
        for first in 0..CONNECTIONS {
            let work = post(Arc::clone(&flood), first, Arc::clone(&enough));
            floods.spawn(async move { (source, work.await) });
        }
    }
    for number in 0..PAGES {
        let page = json!({
            "status": "firing", "name": format!("page {number}"), "configuration_item": format!("db-{number}"),
            "severity": "critical",
        });
        let reply = api.post("/in/generic/pages", &page).await;
        assert_eq!(reply.status, 200, "page {number}: {reply:?}");
        let is_it = |one: &Received| one.item() == format!("db-{number}");
        receiver.waits_for("the page goes out in the midst of it", EVENTUALLY, is_it).await;
    }
    enough.store(true, Ordering::Relaxed);
    let mut answers: BTreeMap<&str, Answers> = BTreeMap::new();
    while let Some(joined) = floods.join_next().await {
        let (source, more) = joined.expect("a sender");
        let sum = answers.entry(source).or_default();
        sum.taken += more.taken;
        sum.refused += more.refused;
        sum.unreadable += more.unreadable;
    }
    let resident = daemon.resident_mib_max();
    println!("{answers:?}, resident at most {resident} MiB");
    assert!(resident <= RESIDENT_MIB_MAX, "{resident} MiB");
    stop(daemon).await;

    let reader = site.reader();
    for (source, name) in [("generic", "flood"), ("prometheus", "prometheus")] {
        let Answers { taken, refused, unreadable } = answers[source];
        assert!(taken > 0 && refused > 0, "{name}: {answers:?}");
        assert_eq!(in_journal(&reader, name), taken, "{name}: durable is what was taken, no more and no less");
        assert_eq!(folded(&reader, name), taken as u64, "{name}: each event is in an alert");
        let quarantined = all_pages(|page| reader.quarantine(page));
        let count = quarantined.iter().filter(|row| row.source == name).count();
        assert!(count <= unreadable, "{name}: {count} of {unreadable} are kept for those who ask why");
    }
    assert_eq!(in_journal(&reader, "pages"), PAGES);
    let alerts = all_pages(|page| reader.alerts(&AlertQuery { page: page.clone(), ..AlertQuery::default() }));
    assert!(alerts.iter().all(Alert::is_firing), "none is lost on the way");
}

fn in_journal(reader: &impl Reader, source: &str) -> usize {
    let (mut count, mut after) = (0, 0);
    loop {
        let rows = reader.journal(after, 1_000).expect("the journal");
        let Some((last, ..)) = rows.last() else { return count };
        after = *last;
        for (.., payload) in &rows {
            if let Ok(Input::Events { events }) = serde_json::from_slice(payload) {
                count += events.iter().filter(|event| event.source == source).count();
            }
        }
    }
}

fn folded(reader: &impl Reader, source: &str) -> u64 {
    let alerts = all_pages(|page| reader.alerts(&AlertQuery { page: page.clone(), ..AlertQuery::default() }));
    alerts.iter().filter(|alert| &*alert.source == source).map(|alert| alert.event_count).sum()
}
