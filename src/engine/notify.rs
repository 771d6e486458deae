//! Turns "somebody must hear" into deliveries, one for each sink, in the same transaction as the cause.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::incident::RemoteId;
use crate::model::notification::Notification;
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentId, NotificationKind, Timestamp};

use crate::mutant::{self, Mutant};

use super::delivery::Origin;
use super::policy::LOG_RECEIVER;
use super::problem::tell::Thread;
use super::state::State;
use super::{contact, delivery, timeline, view};

/// To where the route leads, and to everyone who knows of it already.
pub fn routed(state: &mut State, now: Timestamp, id: &IncidentId, kind: NotificationKind, reason: &str) {
    let receivers = state.incident(id).and_then(|incident| incident.routed.as_ref()).map(|r| r.receivers.clone());
    let mut sinks = reached(state, now, id, &receivers.unwrap_or_default(), kind);
    if let Some(incident) = state.incident(id) {
        sinks.extend(incident.audience.iter().filter_map(|sink| owner_of(state, sink)));
    }
    send(state, now, id, sinks, kind, reason);
}

/// To everyone who knows of it already.
pub fn audience(state: &mut State, now: Timestamp, id: &IncidentId, kind: NotificationKind, reason: &str) {
    let Some(incident) = state.incident(id) else { return };
    let mut audience = incident.audience.clone();
    if kind.is_final() && mutant::is(Mutant::EndNotTold) {
        audience.pop_last();
    }
    let sinks = audience.iter().filter_map(|sink| owner_of(state, sink)).collect();
    send(state, now, id, sinks, kind, reason);
}

/// To these receivers.
pub fn receivers(
    state: &mut State,
    now: Timestamp,
    id: &IncidentId,
    receivers: &[String],
    kind: NotificationKind,
    reason: &str,
) {
    let sinks = reached(state, now, id, receivers, kind);
    send(state, now, id, sinks, kind, reason);
}

/// To these sinks, each with the receiver it belongs to.
pub fn sinks(
    state: &mut State,
    now: Timestamp,
    id: &IncidentId,
    sinks: BTreeSet<(String, String)>,
    kind: NotificationKind,
    reason: &str,
) {
    send(state, now, id, sinks, kind, reason);
}

/// Sinks by which receivers are reached: all of a receiver's, the next ones of a person's. A person is asked; what is no
/// question comes to them where they have heard of it.
fn reached(
    state: &mut State,
    now: Timestamp,
    id: &IncidentId,
    receivers: &[String],
    kind: NotificationKind,
) -> BTreeSet<(String, String)> {
    let is_person = |name: &&String| state.policy().people.contains_key(*name);
    let people: Vec<String> = receivers.iter().filter(is_person).cloned().collect();
    if people.is_empty() {
        return sinks_of(state, receivers);
    }
    let others: Vec<String> = receivers.iter().filter(|name| !is_person(name)).cloned().collect();
    let mut sinks = if others.is_empty() { BTreeSet::new() } else { sinks_of(state, &others) };
    for person in people.iter().filter(|_| kind.is_loud()) {
        sinks.extend(contact::begin(state, now, id, person).into_iter().map(|sink| (sink, person.clone())));
    }
    sinks
}

/// To everyone who heard of an incident that has left memory since.
pub fn closed(state: &mut State, now: Timestamp, thread: &Thread, kind: NotificationKind, reason: &str) {
    let (incident, number) = (thread.incident.clone(), thread.notification_count);
    let sinks: BTreeSet<(String, String)> = thread.audience.iter().filter_map(|sink| owner_of(state, sink)).collect();
    if sinks.is_empty() {
        return;
    }
    let id = format!("{}.{number}", incident.id);
    let notification =
        Arc::new(Notification { id, number, kind, at: now, reason: reason.to_owned(), incident, group: None });
    deliver(state, now, &notification, sinks, &thread.remotes);
}

/// Sinks of the receivers, with the receiver each belongs to. No sink at all is the log's business:
/// nothing may go unheard.
pub fn sinks_of(state: &State, receivers: &[String]) -> BTreeSet<(String, String)> {
    let all = &state.policy().receivers;
    let mut sinks: BTreeSet<(String, String)> = receivers
        .iter()
        .filter_map(|name| Some((name, all.get(name)?)))
        .flat_map(|(name, receiver)| receiver.sinks.iter().map(move |sink| (sink.clone(), name.clone())))
        .collect();
    if sinks.is_empty() && !mutant::is(Mutant::CatchAllDropped) {
        sinks.insert((format!("{LOG_RECEIVER}/log"), LOG_RECEIVER.to_owned()));
    }
    sinks
}

fn owner_of(state: &State, sink: &str) -> Option<(String, String)> {
    let (name, _) = state.policy().receivers.iter().find(|(_, receiver)| receiver.sinks.iter().any(|s| s == sink))?;
    Some((sink.to_owned(), name.clone()))
}

fn send(
    state: &mut State,
    now: Timestamp,
    id: &IncidentId,
    sinks: BTreeSet<(String, String)>,
    kind: NotificationKind,
    reason: &str,
) {
    if sinks.is_empty() {
        return;
    }
    let Some(incident) = state.incident_mut(id) else { return };
    incident.notification_count += 1;
    incident.audience.extend(sinks.iter().map(|(sink, _)| sink.clone()));
    let number = incident.notification_count;
    let Some(view) = view::incident(state, id) else { return };
    let notification = Arc::new(Notification {
        id: format!("{id}.{number}"),
        number,
        kind,
        at: now,
        reason: reason.to_owned(),
        incident: view,
        group: None,
    });
    deliver(state, now, &notification, sinks, &BTreeMap::new());
}

/// `remotes` are the objects at receivers that the incident itself no longer knows.
fn deliver(
    state: &mut State,
    now: Timestamp,
    notification: &Arc<Notification>,
    sinks: BTreeSet<(String, String)>,
    remotes: &BTreeMap<String, RemoteId>,
) {
    let all: Vec<String> = sinks.iter().map(|(sink, _)| sink.clone()).collect();
    let text = format!("{} for {}: {}", notification.kind.as_str(), all.join(", "), notification.reason);
    timeline::incident(state, now, &notification.incident.id, TimelineKind::Notified, "notify", text);
    for (sink, receiver) in sinks {
        let together_with = all.iter().filter(|other| **other != sink).cloned().collect();
        let origin = Origin { together_with, remote: remotes.get(&sink).cloned(), ..Origin::default() };
        delivery::create(state, now, notification, sink, receiver, origin);
    }
}
