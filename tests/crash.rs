//! Nothing acknowledged is lost, whenever the daemon dies. Real processes, real kills, a load of several
//! hundred events a second; then everything is compared with what the senders were promised.
//!
//! `WATCHBELL_CRASH_SEED` repeats a run's choices, `WATCHBELL_CRASHES` says how often to kill.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::load::{self, Condition, Promise};
use support::receiver::{Answer, Received, Receiver};
use support::{Api, Random, Site, all_pages};
use tokio::sync::watch;
use watchbell::model::timeline::TimelineKind;
use watchbell::model::{Alert, AlertStatus, Delivery, DeliveryState, Incident, IncidentState, NotificationKind};
use watchbell::store::{AlertQuery, DeliveryQuery, IncidentQuery, PageQuery, Reader, SqliteReader, Subject};

/// Sends of one sink that can be under way at a time.
const IN_FLIGHT_MAX: usize = 32;
/// How long a daemon lives before it is killed.
const LIFE_MS: (u64, u64) = (150, 1_500);
/// The senders try for 400 and more; a busy machine in a debug build should still reach this.
const ACKNOWLEDGED_PER_SECOND_MIN: f64 = 100.0;
const SETTLED_WITHIN: Duration = Duration::from_secs(30);

fn number_from(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("`{variable}`: expected a number, got `{text}`")),
        Err(_) => default,
    }
}

fn configuration(receiver: &Receiver) -> String {
    format!(
        "receivers:\n  ops:\n    sinks: [{{ kind: webhook, url: \"{}\", allow_private: true, \
         rate: {{ count: 5000, per: 1s }} }}]\nroute: {{ receiver: ops, group_wait: 0s, group_interval: 1s }}\n",
        receiver.url()
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_many_kills() {
    let crashes = number_from("WATCHBELL_CRASHES", 20);
    let clock_seed = watchbell::clock::Clock::System.now().as_millis().unsigned_abs();
    let seed = number_from("WATCHBELL_CRASH_SEED", clock_seed);
    println!("WATCHBELL_CRASH_SEED={seed} WATCHBELL_CRASHES={crashes}");

    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&configuration(&receiver));
    let mut daemon = site.start().await;
    let (stop, stopping) = watch::channel(false);
    let senders = load::start(&site, seed, &stopping);

    let mut random = Random::new(seed);
    let mut doubts: BTreeMap<String, u32> = BTreeMap::new();
    let mut up = Duration::ZERO;
    let mut slowest_start = Duration::ZERO;
    for _ in 0..crashes {
        let life = Duration::from_millis(random.between(LIFE_MS.0, LIFE_MS.1));
        tokio::time::sleep(life).await;
        daemon.kill();
        up += life;
        for delivery in deliveries(&site.reader(), Some("pending")) {
            *doubts.entry(delivery.id).or_default() += 1;
        }
        let started = Instant::now();
        daemon = site.start().await;
        slowest_start = slowest_start.max(started.elapsed());
    }
    stop.send_replace(true);
    let ledgers = senders.join_all().await;
    Api::new(&site).settled(SETTLED_WITHIN).await;

    let reader = site.reader();
    let conditions: Vec<&Condition> = ledgers.iter().flat_map(|ledger| &ledger.conditions).collect();
    let journal = journal(&reader);
    check_journal(&journal, &conditions);
    check_alerts(&alerts(&reader), &conditions);
    let unheard = check_deliveries(&reader);
    let duplicates = check_requests(&receiver.requests(), &doubts, crashes as usize);

    let sum = |count: fn(&load::Ledger) -> u64| ledgers.iter().map(count).sum::<u64>();
    println!(
        "{crashes} kills in {:.0} s of life: {} events sent, {} acknowledged ({:.0}/s), {} refused, {} in the journal; \
         {} conditions, {} requests of which {duplicates} repeated, {unheard} incidents over before anyone was told; \
         slowest start {} ms",
        up.as_secs_f64(),
        sum(|ledger| ledger.sent),
        sum(|ledger| ledger.acknowledged),
        sum(|ledger| ledger.acknowledged) as f64 / up.as_secs_f64(),
        sum(|ledger| ledger.refused),
        journal.len(),
        conditions.len(),
        receiver.count(),
        slowest_start.as_millis(),
    );
    let is_load = sum(|ledger| ledger.acknowledged) as f64 >= up.as_secs_f64() * ACKNOWLEDGED_PER_SECOND_MIN;
    assert!(is_load, "too little was going on for this to show anything");
    assert_eq!(sum(|ledger| ledger.refused), 0, "a daemon that is up takes what it is sent");
}

/// Source, item and status of every event in the journal.
fn journal(reader: &SqliteReader) -> BTreeSet<(String, String, String)> {
    let mut found = BTreeSet::new();
    let mut after = 0;
    loop {
        let rows = reader.journal(after, 1_000).expect("the journal can be read");
        let Some((last, ..)) = rows.last() else { return found };
        after = *last;
        for (position, _, kind, payload) in &rows {
            let input: Value = serde_json::from_slice(payload).expect("a journal row is JSON");
            assert_ne!(kind, "quarantined", "row {position}: {input}");
            for event in input["events"].as_array().into_iter().flatten() {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let item = event["configuration_item"].as_str().unwrap_or_default();
                let item = if item.is_empty() { text(&event["labels"]["instance"]) } else { item.to_owned() };
                found.insert((text(&event["source"]), item, text(&event["status"])));
            }
        }
    }
}

fn check_journal(journal: &BTreeSet<(String, String, String)>, conditions: &[&Condition]) {
    let mut lost = Vec::new();
    for condition in conditions {
        for (promise, status) in [(condition.fired, "firing"), (condition.resolved, "resolved")] {
            let event = (condition.kind.name().to_owned(), condition.item.clone(), status.to_owned());
            if promise == Promise::Acknowledged && !journal.contains(&event) {
                lost.push(event);
            }
        }
    }
    assert!(lost.is_empty(), "{} acknowledged events are not in the journal: {lost:?}", lost.len());
}

fn alerts(reader: &SqliteReader) -> BTreeMap<(String, String), Alert> {
    let all = all_pages(|page| reader.alerts(&AlertQuery { page: page.clone(), ..AlertQuery::default() }));
    let key = |alert: &Alert| (alert.source.clone(), alert.configuration_item.clone().unwrap_or_default());
    all.into_iter().map(|alert| (key(&alert), alert)).collect()
}

/// The store agrees with the senders, as far as they were promised something.
fn check_alerts(alerts: &BTreeMap<(String, String), Alert>, conditions: &[&Condition]) {
    let mut wrong = Vec::new();
    for condition in conditions {
        let alert = alerts.get(&(condition.kind.name().to_owned(), condition.item.clone()));
        let expected = match (condition.fired, condition.resolved) {
            (_, Promise::Acknowledged) => Some(AlertStatus::Resolved),
            (Promise::Acknowledged, Promise::None) => Some(AlertStatus::Firing),
            (Promise::Acknowledged, Promise::Unknown) => alert.map(|alert| alert.status),
            (Promise::Unknown | Promise::None, _) => continue,
        };
        if expected.is_none() || alert.map(|alert| alert.status) != expected {
            wrong.push(format!("{condition:?}: {:?}", alert.map(|alert| alert.status)));
        }
    }
    assert!(wrong.is_empty(), "{} conditions are not as they were acknowledged: {wrong:#?}", wrong.len());
    let known: BTreeSet<_> = conditions.iter().map(|one| (one.kind.name().to_owned(), one.item.clone())).collect();
    let strange: Vec<_> = alerts.keys().filter(|key| !known.contains(*key)).collect();
    assert!(strange.is_empty(), "nobody sent these: {strange:?}");
}

fn deliveries(reader: &SqliteReader, state: Option<&str>) -> Vec<Delivery> {
    all_pages(|page| {
        let state = state.map(str::to_owned);
        reader.deliveries(&DeliveryQuery { state, page: page.clone(), ..DeliveryQuery::default() })
    })
}

/// Every incident's last word was delivered, and every earlier one too or a later one in its place.
/// Returns how many were over before anyone was told, which the timeline has to say.
fn check_deliveries(reader: &SqliteReader) -> usize {
    let mut of_incident: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
    for delivery in deliveries(reader, None) {
        let is_done = matches!(delivery.state, DeliveryState::Delivered { .. } | DeliveryState::Superseded { .. });
        assert!(is_done, "neither delivered nor superseded: {delivery:?}");
        of_incident.entry(delivery.incident.to_string()).or_default().push(delivery);
    }
    let incidents = all_pages(|page| reader.incidents(&IncidentQuery { page: page.clone(), ..Default::default() }));
    let mut unheard = 0;
    for incident in &incidents {
        match of_incident.get_mut(&*incident.id.0) {
            Some(of_it) => check_told(incident, of_it),
            None => {
                check_unheard(reader, incident);
                unheard += 1;
            }
        }
    }
    unheard
}

fn check_told(incident: &Incident, deliveries: &mut [Delivery]) {
    deliveries.sort_by_key(|delivery| delivery.notification.number);
    let kinds: Vec<_> = deliveries.iter().map(|delivery| (delivery.notification.kind, &delivery.state)).collect();
    let is_open_told = kinds.first().is_some_and(|(kind, _)| *kind == NotificationKind::Opened);
    let (last, state) = kinds.last().expect("at least one");
    let is_over = incident.state == IncidentState::Resolved;
    let fits = is_open_told && last.is_final() == is_over && matches!(state, DeliveryState::Delivered { .. });
    assert!(fits, "{} is {}, but was told {kinds:?}", incident.id, incident.state.as_str());
}

fn check_unheard(reader: &SqliteReader, incident: &Incident) {
    let page = PageQuery { cursor: None, limit: 500 };
    let timeline = reader.timeline(&Subject::Incident(incident.id.to_string()), &page).expect("the timeline");
    let is_said = timeline.items.iter().any(|entry| entry.kind == TimelineKind::Muted);
    assert!(incident.state == IncidentState::Resolved && is_said, "nobody heard of {incident:?}: {timeline:?}");
}

/// What came twice was in doubt at a kill and carries the same key; nothing came in the wrong order.
/// Returns how many requests were repetitions.
fn check_requests(requests: &[Received], doubts: &BTreeMap<String, u32>, crashes: usize) -> usize {
    // A key separates its parts by colons where the id has full stops.
    let doubts: BTreeMap<String, u32> = doubts.iter().map(|(id, count)| (id.replace('.', ":"), *count)).collect();
    let mut seen: BTreeMap<&str, (u32, &str, u64)> = BTreeMap::new();
    let mut last: BTreeMap<&str, (u64, &str)> = BTreeMap::new();
    let mut keys: BTreeMap<(&str, u64), &str> = BTreeMap::new();
    let mut duplicates = 0;
    for request in requests {
        let (id, incident, number) = (request.webhook_id(), request.incident(), request.number());
        assert!(!id.is_empty() && id == request.header("idempotency-key"), "{request:?}");
        let key = *keys.entry((incident, number)).or_insert(id);
        assert_eq!(key, id, "notification {number} of {incident} came with two keys");
        let (count, first_incident, first_number) = seen.entry(id).or_insert((0, incident, number));
        assert_eq!((*first_incident, *first_number), (incident, number), "the key {id} names two notifications");
        *count += 1;
        duplicates += usize::from(*count > 1);
        let allowed = 1 + doubts.get(id).copied().unwrap_or(0);
        assert!(*count <= allowed, "{id} came {count} times, but was in doubt at {} kills only", allowed - 1);
        let before = last.insert(incident, (number, request.kind()));
        let rises = before.is_none_or(|(earlier, _)| earlier <= number);
        assert!(rises, "{incident}: {} ({number}) came after {before:?}", request.kind());
    }
    assert!(duplicates <= crashes * IN_FLIGHT_MAX, "{duplicates} repetitions in {crashes} kills");
    duplicates
}
