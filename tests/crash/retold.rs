//! The strictest reading of "a restart never changes a decision": the whole journal is stepped once more,
//! in one go and without a single crash, and what comes of it is what the store holds after all of them,
//! row for row. A replay that leaves something out, or does something twice, cannot hide from this.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::path::Path;

use serde_json::Value;
use watchbell::engine::effect::Effect;
use watchbell::engine::state::{Changes, Snapshot, State};
use watchbell::engine::step;
use watchbell::model::audit::AuditEntry;
use watchbell::model::{Delivery, IncidentState, TimelineEntry};
use watchbell::store::{
    AlertQuery, DeliveryQuery, IncidentQuery, JournalEntry, Reader, SqliteReader, SqliteStore, Store,
};

use crate::support::all_pages;

const INCIDENT_STATES: [IncidentState; 6] = [
    IncidentState::Pending,
    IncidentState::Open,
    IncidentState::Acknowledged,
    IncidentState::Resolved,
    IncidentState::Closed,
    IncidentState::Merged,
];
/// Written to the audit log without an input: nothing that is decided follows from it.
const UNSTEPPED: &str = "configuration.reload";

/// What the journal leads to.
#[derive(Default)]
struct Story {
    rows: Changes,
    timeline: Vec<TimelineEntry>,
    audit: Vec<AuditEntry>,
}

pub fn check(store: &SqliteReader, file: &Path, journal: &[JournalEntry]) {
    let story = tell(journal);
    let alerts = all_pages(|page| store.alerts(&AlertQuery { page: page.clone(), ..AlertQuery::default() }));
    let told = story.rows.alerts.iter().map(|(alert, _)| (alert.number, json(&**alert))).collect();
    same("alerts", alerts.iter().map(|alert| (alert.number, json(alert))).collect(), told);

    let all = IncidentQuery { states: INCIDENT_STATES.to_vec(), ..IncidentQuery::default() };
    let incidents = all_pages(|page| store.incidents(&IncidentQuery { page: page.clone(), ..all.clone() }));
    let told = story.rows.incidents.iter().map(|(incident, _)| (incident.id, json(&**incident))).collect();
    same("incidents", incidents.iter().map(|incident| (incident.id, json(incident))).collect(), told);

    let deliveries = all_pages(|page| store.deliveries(&DeliveryQuery { page: page.clone(), ..Default::default() }));
    let rows = |deliveries: &[Delivery]| deliveries.iter().map(|one| (one.id.clone(), json(one))).collect();
    same("deliveries", rows(&deliveries), rows(&story.rows.deliveries));

    let facts = SqliteStore::open(file).expect("the store").0.load().expect("the state").facts;
    let told = story.rows.facts.into_iter();
    let told = told.filter_map(|fact| Some(((fact.kind.to_owned(), fact.key), fact.value?))).collect();
    same("facts", facts.into_iter().map(|(kind, key, value)| ((kind, key), value)).collect(), told);

    same("timeline", count(&timeline(file)), count(&story.timeline));
    let audit = all_pages(|page| store.audit(page));
    let audit: Vec<AuditEntry> =
        audit.into_iter().map(|row| row.entry).filter(|entry| entry.action != UNSTEPPED).collect();
    same("audit log", count(&audit), count(&story.audit));
}

fn tell(journal: &[JournalEntry]) -> Story {
    let mut state = State::restore(Snapshot::default()).expect("an empty state");
    let mut story = Story::default();
    for (position, at, kind, payload) in journal {
        let input = serde_json::from_slice(payload).unwrap_or_else(|error| panic!("{kind} at {position}: {error}"));
        for effect in step(&mut state, *at, input) {
            match effect {
                Effect::Timeline(entry) => story.timeline.push(entry),
                Effect::Audit(entry) => story.audit.push(entry),
                _ => {}
            }
        }
    }
    state.record_all();
    story.rows = state.take_changes();
    story
}

/// Every entry that the file holds, whatever it is about.
fn timeline(file: &Path) -> Vec<TimelineEntry> {
    let file = rusqlite::Connection::open(file).expect("the store's file");
    let mut statement = file.prepare("SELECT body FROM timeline ORDER BY seq").expect("the timeline");
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("the timeline");
    rows.flat_map(|body| entries(&body.expect("a row"))).collect()
}

/// What the entries of a row have in common stands in it once, before its checksum.
fn entries(body: &str) -> Vec<TimelineEntry> {
    let (row, _) = body.rsplit_once("//").expect("a checksum");
    let row: Value = serde_json::from_str(row).expect("a row of the timeline");
    let mut at = Value::Null;
    let whole = row["entries"].as_array().expect("entries").iter().map(|entry| {
        if !entry["at"].is_null() {
            at = entry["at"].clone();
        }
        let alert = if entry["is_general"] == true { &Value::Null } else { &row["alert"] };
        serde_json::json!({"at": at, "kind": entry["kind"], "incident": row["incident"], "alert": alert,
            "by": entry["by"], "text": entry["text"]})
    });
    whole.map(|entry| serde_json::from_value(entry).expect("an entry of the timeline")).collect()
}

fn json(row: &impl serde::Serialize) -> Value {
    serde_json::to_value(row).expect("a row is JSON")
}

/// How often each is there: their order between two subjects means nothing.
fn count(entries: &[impl serde::Serialize]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for entry in entries {
        *counts.entry(json(entry).to_string()).or_default() += 1;
    }
    counts
}

fn same<K: Ord + Debug, V: PartialEq + Debug>(what: &str, kept: BTreeMap<K, V>, told: BTreeMap<K, V>) {
    let only_kept = kept.iter().filter(|(key, value)| told.get(key) != Some(value));
    let only_told = told.iter().filter(|(key, value)| kept.get(key) != Some(value));
    let (only_kept, only_told) = (only_kept.collect::<Vec<_>>(), only_told.collect::<Vec<_>>());
    assert!(
        only_kept.is_empty() && only_told.is_empty(),
        "{what}: the store does not hold what its journal leads to\n{} only in the store, among them {:#?}\n\
         {} only by the journal, among them {:#?}",
        only_kept.len(),
        &only_kept[..only_kept.len().min(3)],
        only_told.len(),
        &only_told[..only_told.len().min(3)],
    );
}
