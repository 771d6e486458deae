//! An alert whose labels change while people know it by the old ones. Prometheus makes another alert of it; Nagios,
//! Zabbix and others go on with the same one, now critical. Where the new labels lead to other groups, those that it
//! leaves hear of an end of what they knew, so that nothing stays open there for ever.

use crate::engine::state::State;
use crate::model::alert::AlertNumber;
use crate::model::{Alert, AlertStatus, Fingerprint, IncidentId, Timestamp};

use super::{evict, homes, join, remember, schedule};

/// Files the alert under its new labels; `former` is what it was.
pub fn run(state: &mut State, now: Timestamp, number: AlertNumber, former: Alert) {
    if !state.book.is_member(number) || state.alert(number).is_none_or(|alert| alert.labels == former.labels) {
        return;
    }
    recall(state, number);
    let homes = homes(state, number);
    let stays: Vec<IncidentId> = homes.iter().filter_map(|(route, labels)| state.book.find(*route, labels)).collect();
    let left: Vec<IncidentId> = state.book.of_alert(number).iter().filter(|id| !stays.contains(id)).copied().collect();
    for (route, labels) in homes {
        join(state, now, number, route, labels);
    }
    leave(state, now, number, former, &left);
}

/// What stands in its place where people knew it by the old labels: the same alert, over.
fn leave(state: &mut State, now: Timestamp, number: AlertNumber, former: Alert, left: &[IncidentId]) {
    if left.is_empty() {
        return;
    }
    let ended_at = former.ended_at.unwrap_or(now);
    let remains = state.add_alert(Alert {
        fingerprint: of_remains(&former),
        status: AlertStatus::Resolved,
        resolved_at: Some(former.resolved_at.unwrap_or(now)),
        ended_at: Some(ended_at),
        expires_at: None,
        recorded_at: now,
        ..former
    });
    for id in left {
        state.book.remove(id, number);
        state.book.add(id, remains);
        schedule(state, id);
    }
    // Where the alert itself stays nothing stands in for it, after a restart neither.
    for (route, labels) in homes(state, remains) {
        if let Some(id) = state.book.find(route, &labels).filter(|id| !left.contains(id)) {
            state.book.note_left(&id, remains);
            remember(state, &id);
        }
    }
}

/// It has the labels of an earlier time again: what stood for it there is not needed any more.
fn recall(state: &mut State, number: AlertNumber) {
    let Some(remains) = state.alert(number).map(of_remains).and_then(|fingerprint| state.find_alert(fingerprint))
    else {
        return;
    };
    let changed = state.book.fires_again(remains);
    for id in state.book.of_alert(remains).to_vec() {
        state.book.remove(&id, remains);
        state.book.add(&id, number);
    }
    changed.iter().for_each(|id| remember(state, id));
    evict(state, remains);
}

/// No event has it.
fn of_remains(alert: &Alert) -> Fingerprint {
    Fingerprint::of([&*alert.source, &*alert.dedup_key, &alert.labels.fingerprint().to_string()])
}
