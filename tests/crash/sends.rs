//! What the receiver got, held against the journal: nothing comes again once its result is durable, and what
//! comes again was in flight at a kill.

use std::collections::{BTreeMap, BTreeSet};

use watchbell::engine::input::{Input, SendResult};
use watchbell::model::Timestamp;
use watchbell::store::JournalEntry;

use crate::life::Life;
use crate::support::receiver::Received;

/// Sends of one sink that can be under way at a time.
const IN_FLIGHT_MAX: usize = 32;

/// One delivery, by the number of the life.
#[derive(Default)]
struct Sends {
    requests: BTreeMap<usize, usize>,
    /// Results in the journal: the retries, and in which life the last word on it was.
    retries: BTreeMap<usize, usize>,
    ended: Option<usize>,
}

impl Sends {
    /// A request of that life has no result in its journal.
    fn was_in_flight(&self, life: usize) -> bool {
        let results = self.retries.get(&life).copied().unwrap_or(0) + usize::from(self.ended == Some(life));
        self.requests.get(&life).is_some_and(|requests| *requests > results)
    }
}

/// Returns a summary.
pub fn check(requests: &[Received], journal: &[JournalEntry], lives: &[Life]) -> String {
    check_identity(requests);
    check_order(requests);
    let mut sends: BTreeMap<String, Sends> = BTreeMap::new();
    for request in requests {
        let life = request.path.rsplit('/').next().and_then(|text| text.parse().ok()).expect("the number of a life");
        *sends.entry(request.webhook_id().to_owned()).or_default().requests.entry(life).or_default() += 1;
    }
    for (_, at, _, payload) in journal {
        let Ok(Input::Sent { delivery, result }) = serde_json::from_slice(payload) else { continue };
        // A key separates its parts by colons where the id has full stops.
        let Some(sends) = sends.get_mut(&delivery.replace('.', ":")) else { continue };
        let life = life_at(lives, *at);
        match result {
            SendResult::Retry { .. } | SendResult::Advanced { .. } => *sends.retries.entry(life).or_default() += 1,
            _ => sends.ended = Some(life),
        }
    }
    sends.iter().for_each(|(key, sends)| check_one(key, sends));
    let in_flight = count_in_flight(&sends, lives.len());
    let repeated = requests.len() - sends.len();
    assert!(repeated <= in_flight, "{repeated} repetitions, but {in_flight} sends in flight at kills");
    assert!(in_flight > 0, "no kill met a send in flight: this shows nothing");
    format!("{} requests, {repeated} of them repeated, {in_flight} in flight at kills", requests.len())
}

/// The life that stepped at this time: each began after the last step of the one before.
fn life_at(lives: &[Life], at: Timestamp) -> usize {
    lives.partition_point(|life| life.began < at) - 1
}

fn check_one(key: &str, sends: &Sends) {
    let ended = sends.ended.unwrap_or_else(|| panic!("{key} was sent, and the journal does not say what came of it"));
    for (life, requests) in &sends.requests {
        assert!(*life <= ended, "{key} came in life {life}, but its result was durable in life {ended}");
        let allowed = 1 + sends.retries.get(life).copied().unwrap_or(0);
        assert!(*requests <= allowed, "{key} came {requests} times in life {life}, {allowed} is allowed");
    }
}

fn count_in_flight(sends: &BTreeMap<String, Sends>, lives: usize) -> usize {
    let mut counts: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    for (key, sends) in sends {
        for life in (0..lives).filter(|life| sends.was_in_flight(*life)) {
            *counts.entry((life, sink_of(key))).or_default() += 1;
        }
    }
    let most = counts.iter().max_by_key(|(_, count)| **count);
    assert!(most.is_none_or(|(_, count)| *count <= IN_FLIGHT_MAX), "more in flight than a sink may have: {most:?}");
    counts.values().sum()
}

/// `inc-…:7:ops/hook` → `ops/hook`
fn sink_of(key: &str) -> &str {
    key.splitn(3, ':').nth(2).unwrap_or(key)
}

/// A notification has one key for each sink, and a key one notification.
fn check_identity(requests: &[Received]) {
    let mut keys: BTreeMap<(&str, u64, &str), &str> = BTreeMap::new();
    let mut known: BTreeSet<&str> = BTreeSet::new();
    for request in requests {
        let key = request.webhook_id();
        assert!(!key.is_empty() && key == request.header("idempotency-key"), "{request:?}");
        let place = (request.incident(), request.number(), sink_of(key));
        let first = *keys.entry(place).or_insert_with(|| {
            assert!(known.insert(key), "the key {key} names two notifications");
            key
        });
        assert_eq!(first, key, "notification {} of {} came with two keys", request.number(), request.incident());
    }
}

/// Within an incident and sink nothing old comes after something new.
fn check_order(requests: &[Received]) {
    let mut last: BTreeMap<(&str, &str), (u64, &str)> = BTreeMap::new();
    for request in requests {
        let line = (request.incident(), sink_of(request.webhook_id()));
        let before = last.insert(line, (request.number(), request.kind()));
        let rises = before.is_none_or(|(earlier, _)| earlier <= request.number());
        assert!(rises, "{line:?}: {} ({}) came after {before:?}", request.kind(), request.number());
    }
}
