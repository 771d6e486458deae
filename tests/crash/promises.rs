//! What senders, people and receivers were promised, held against the store after the last life.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use watchbell::engine::input::Input;
use watchbell::model::event::EventStatus;
use watchbell::model::timeline::TimelineKind;
use watchbell::model::{Alert, AlertStatus, Delivery, DeliveryState, Incident, IncidentState, NotificationKind};
use watchbell::store::{
    AlertQuery, DeliveryQuery, IncidentQuery, JournalEntry, PageQuery, Reader, SqliteReader, SqliteStore, Store,
    Subject,
};

use crate::person::Commands;
use crate::support::all_pages;
use crate::support::fakes::servicenow::ServiceNow;
use crate::support::load::{Condition, Promise};

/// A ticket's state once it is resolved.
const TICKET_RESOLVED: &str = "6";

/// Every acknowledged event is in the journal, and nothing had to be put into quarantine.
pub fn check_events(journal: &[JournalEntry], conditions: &[&Condition]) {
    let mut found = BTreeSet::new();
    for (position, _, kind, payload) in journal {
        assert_ne!(kind, "quarantined", "row {position}: {}", String::from_utf8_lossy(payload));
        let input = serde_json::from_slice(payload).expect("an input");
        let Input::Events { events } = input else { continue };
        for event in events {
            let instance = event.labels.get("instance").map(str::to_owned);
            let item = event.configuration_item.or(instance).unwrap_or_default();
            found.insert((event.source, item, event.status == EventStatus::Firing));
        }
    }
    let mut lost = Vec::new();
    for condition in conditions {
        for (promise, is_firing) in [(condition.fired, true), (condition.resolved, false)] {
            let event = (condition.kind.name().to_owned(), condition.item.clone(), is_firing);
            if promise == Promise::Acknowledged && !found.contains(&event) {
                lost.push(event);
            }
        }
    }
    assert!(lost.is_empty(), "{} acknowledged events are not in the journal: {lost:?}", lost.len());
}

/// Every alert is as its sender was promised.
pub fn check_alerts(store: &SqliteReader, conditions: &[&Condition]) {
    let all = all_pages(|page| store.alerts(&AlertQuery { page: page.clone(), ..AlertQuery::default() }));
    let key =
        |alert: &Alert| (alert.source.to_string(), alert.configuration_item.as_deref().unwrap_or_default().to_owned());
    let alerts: BTreeMap<(String, String), Alert> = all.into_iter().map(|alert| (key(&alert), alert)).collect();
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

/// What a person did is done and in force, and is in the audit log once.
pub fn check_commands(store: &SqliteReader, file: &Path, commands: &Commands) {
    assert!(!commands.taken.is_empty() && !commands.silences.is_empty(), "nobody did anything");
    let audit: Vec<_> = all_pages(|page| store.audit(page)).into_iter().map(|row| row.entry).collect();
    let done = |action: &str, subject: &str| {
        let fits = audit.iter().filter(|entry| entry.action == action && entry.subject == subject);
        fits.filter(|entry| entry.outcome == "done").count()
    };
    for id in &commands.taken {
        let incident = store.find_incidents(id).expect("the incidents").pop().expect("it was taken");
        assert!(incident.acknowledged_at.is_some(), "nobody has it any more: {incident:?}");
        assert_ne!(incident.state, IncidentState::Open, "nobody has it any more: {incident:?}");
        assert_eq!(done("incident.acknowledge", id), 1, "{id} in the audit log");
    }
    let state = SqliteStore::open(file).expect("the store").0.load().expect("the state");
    for (id, item) in &commands.silences {
        let is_in_force = state.facts.iter().any(|(kind, key, _)| kind == "silence" && key == id);
        assert!(is_in_force, "the silence {id} of {item} is gone");
        assert_eq!(done("silence.create", &format!("configuration_item=\"{item}\"")), 1, "{id} in the audit log");
    }
}

/// Every incident's last word was delivered, and every earlier one too or a later one in its place; nobody
/// was asked twice, or after somebody had it. Returns a summary.
pub fn check_deliveries(store: &SqliteReader, commands: &Commands) -> String {
    let mut of_incident: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
    for delivery in all_pages(|page| store.deliveries(&DeliveryQuery { page: page.clone(), ..Default::default() })) {
        let is_done = matches!(delivery.state, DeliveryState::Delivered { .. } | DeliveryState::Superseded { .. });
        assert!(is_done, "neither delivered nor superseded: {delivery:?}");
        of_incident.entry(delivery.incident.to_string()).or_default().push(delivery);
    }
    let quiet: BTreeSet<&str> = commands.silences.iter().map(|(_, item)| item.as_str()).collect();
    let incidents = all_pages(|page| store.incidents(&IncidentQuery { page: page.clone(), ..Default::default() }));
    let (mut unheard, mut silenced, mut asked) = (0, 0, 0);
    for incident in &incidents {
        let is_quiet = incident.configuration_items.iter().any(|item| quiet.contains(item.as_str()));
        match of_incident.get_mut(&incident.id.to_string()) {
            Some(deliveries) => {
                assert!(!is_quiet, "silenced, and yet people were told: {deliveries:?}");
                deliveries.sort_by_key(|delivery| delivery.notification.number);
                check_told(incident, deliveries);
                asked += check_asked(incident, deliveries);
            }
            None => {
                check_unheard(store, incident, is_quiet);
                silenced += usize::from(is_quiet);
                unheard += usize::from(!is_quiet);
            }
        }
    }
    assert!(silenced > 0 && asked > 0, "{silenced} silenced, {asked} escalated: this shows nothing");
    format!(
        "{} incidents, {} taken, {asked} escalated, {silenced} silenced, {unheard} over before anyone was told",
        incidents.len(),
        commands.taken.len()
    )
}

const fn is_over(incident: &Incident) -> bool {
    matches!(incident.state, IncidentState::Resolved | IncidentState::Closed)
}

/// Each sink heard of it as it must: the first by route hears that it opened, all hear the end and nothing after.
fn check_told(incident: &Incident, deliveries: &[Delivery]) {
    let first = deliveries.first().map(|delivery| delivery.notification.kind);
    assert_eq!(first, Some(NotificationKind::Opened), "{}: {deliveries:?}", incident.id);
    let is_over = is_over(incident);
    for sink in &incident.audience {
        // News of its problem may follow.
        let is_own = |delivery: &&Delivery| !delivery.notification.kind.is_about_problem();
        let of_sink = deliveries.iter().filter(|delivery| delivery.sink == *sink).filter(is_own);
        let told: Vec<_> = of_sink.map(|delivery| (delivery.notification.kind, &delivery.state)).collect();
        let fits = told.last().is_some_and(|(last, state)| {
            last.is_final() == is_over && matches!(state, DeliveryState::Delivered { .. })
        });
        assert!(fits, "{} is {}, but {sink} was told {told:?}", incident.id, incident.state.as_str());
    }
}

/// The one level of the policy is asked once, and not once somebody has it; returns how often.
fn check_asked(incident: &Incident, deliveries: &[Delivery]) -> usize {
    let asked = deliveries.iter().filter(|delivery| delivery.notification.kind == NotificationKind::Escalated);
    let asked: Vec<&Delivery> = asked.filter(|delivery| delivery.sink.starts_with("boss/")).collect();
    assert!(asked.len() <= 1, "asked twice: {asked:?}");
    if incident.state == IncidentState::Open {
        assert_eq!(asked.len(), 1, "nobody has {}, and the next level was not asked", incident.id);
    }
    let late = asked.iter().find(|delivery| incident.acknowledged_at.is_some_and(|at| delivery.created_at > at));
    assert!(late.is_none(), "somebody has it, and yet: {late:?}");
    asked.len()
}

fn check_unheard(store: &SqliteReader, incident: &Incident, is_quiet: bool) {
    let page = PageQuery { cursor: None, limit: 500 };
    let timeline = store.timeline(&Subject::Incident(incident.id), &page).expect("the timeline");
    let is_said = timeline.items.iter().any(|entry| entry.kind == TimelineKind::Muted);
    let is_right = is_quiet || is_over(incident);
    assert!(is_right && is_said, "nobody heard of {incident:?}: {timeline:?}");
}

/// One ticket for each incident that the desk was told of, in the incident's state: where the vendor has no
/// idempotency key, a send in doubt is looked up before it is repeated.
pub fn check_tickets(tickets: &ServiceNow, store: &SqliteReader) {
    let mut states: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for ticket in tickets.tickets() {
        states.entry(ticket["correlation_id"].clone()).or_default().push(ticket["state"].clone());
    }
    let twice: Vec<_> = states.iter().filter(|(_, states)| states.len() > 1).collect();
    assert!(twice.is_empty(), "{} incidents have several tickets: {twice:?}", twice.len());
    let incidents = all_pages(|page| store.incidents(&IncidentQuery { page: page.clone(), ..Default::default() }));
    for incident in incidents.iter().filter(|incident| incident.audience.contains("desk/servicenow")) {
        let state = states.get(&format!("watchbell:{}", incident.id)).map(|states| states[0].as_str());
        let is_over = is_over(incident);
        assert_eq!(state.map(|state| state == TICKET_RESOLVED), Some(is_over), "the ticket of {}", incident.id);
    }
}
