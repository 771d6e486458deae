//! Which incident an alert belongs to: the one it is strongest tied to (`affinity`), or one of its own, which stays
//! pending until something shows that it is worth anyone's attention (`opening`). An alert that ties several young
//! incidents together merges them.

use crate::model::alert::AlertNumber;
use crate::model::event::Marker;
use crate::model::timeline::TimelineKind;
use crate::model::{Incident, IncidentId, IncidentState, MutedBy, Span, Timestamp};

use crate::mutant::{self, Mutant};

use super::affinity::{self, JOIN_MIN, Link};
use super::dedup::{Change, ChangeKind};
use super::firing::{Cause, Scope};
use super::fixed::ONE;
use super::state::State;
use super::{firing, heartbeat, lifecycle, opening, root_cause, split, timeline};

/// Strength with which an alert must be tied to each of the incidents that it makes one of.
const MERGE_MIN: i64 = 500;
/// An incident that is older than this is no longer merged: people know it as it is.
const MERGED_YOUNG: Span = Span::from_mins(2);

/// Takes a changed alert to its incident.
pub fn run(state: &mut State, now: Timestamp, change: &Change) {
    match change.kind {
        ChangeKind::Fired => place(state, now, change.alert),
        ChangeKind::Altered => altered(state, now, change.alert),
        ChangeKind::Resolved => refile(state, now, change.alert),
        ChangeKind::Repeated => {}
    }
}

/// A firing alert that has no incident yet looks for one, or makes one.
pub fn place(state: &mut State, now: Timestamp, number: AlertNumber) {
    if heartbeat::is_muted(state, now, number) {
        return;
    }
    let Some(alert) = state.alert(number) else { return };
    let is_flapping = alert.flap.is_flapping;
    if let Some(id) = returning(state, now, number, is_flapping) {
        return come_back(state, now, number, &id);
    }
    if is_flapping {
        return; // `flap` has said so; the alert is placed when it settles.
    }
    find_place(state, now, number, None);
}

/// A firing alert that is in no incident joins the one it is strongest tied to, `but` excepted, or makes one.
pub fn find_place(state: &mut State, now: Timestamp, number: AlertNumber, but: Option<&IncidentId>) {
    let Some(alert) = state.alert(number) else { return };
    let links = affinity::links(state, now, alert).into_iter().filter(|(id, _)| Some(id) != but);
    let mut joined: Vec<(IncidentId, Link)> = links.filter(|(_, link)| link.strength() >= JOIN_MIN).collect();
    joined.sort_by_key(|(id, link)| {
        let started = state.incident(id).map(|incident| incident.opened_at);
        (-link.strength(), started, *id)
    });
    if joined.is_empty() {
        return begin(state, now, number);
    }
    let survivor = join_all(state, now, &joined);
    if let Some((_, link)) = joined.iter().find(|(id, _)| *id == survivor) {
        lifecycle::join(state, now, number, &survivor, link.strength(), &link.why);
    }
    arrived(state, now, number, &survivor);
}

/// What an incident with one more alert may lead to.
fn arrived(state: &mut State, now: Timestamp, number: AlertNumber, id: &IncidentId) {
    split::arrived(state, now, number, id);
    opening::consider(state, now, id);
}

/// An alert fires again, and so belongs to the incident it was in, unless by now another one explains it better. What
/// the incident is about always belongs to it, and so does what a person has put there.
fn come_back(state: &mut State, now: Timestamp, number: AlertNumber, id: &IncidentId) {
    let Some((alert, incident)) = state.alert(number).zip(state.incident(id)) else { return };
    let mut tie = ONE;
    if alert.placed_by.is_none() && !is_blamed(state, incident, number) {
        let links = affinity::links(state, now, alert);
        tie = links.get(id).map_or(0, Link::strength);
        let others = links.iter().filter(|(other, _)| *other != id).map(|(_, link)| link.strength());
        let is_better = others.max().is_some_and(|other| other >= JOIN_MIN && other > tie);
        if is_better && split::is_untouched(state, id) {
            lifecycle::leave(state, number);
            lifecycle::refresh(state, now, id);
            lifecycle::end_if_over(state, now, id, "its last alert went over to another incident");
            return find_place(state, now, number, Some(id));
        }
    }
    lifecycle::alert_returned(state, now, number, id, tie);
    arrived(state, now, number, id);
}

/// An alert on its own: an incident, a pending group, or only a record.
fn begin(state: &mut State, now: Timestamp, number: AlertNumber) {
    let Some(alert) = state.alert(number) else { return };
    let correlation = &state.policy().correlation;
    let (severity, threshold) = (alert.severity, correlation.pending_severity);
    let is_soft = alert.marker == Some(Marker::Soft);
    let reason = match (severity.is_at_least(threshold), is_soft) {
        (true, false) => None,
        (_, true) => Some("the monitor has not settled yet (soft state)".to_owned()),
        (false, _) => Some(format!("{severity} is below `pending_severity` {threshold}")),
    };
    let Some(reason) = reason else {
        let is_severe = severity.is_at_least(correlation.open_severity);
        let state_now = match is_severe || mutant::is(Mutant::OpensWithoutReason) {
            true => IncidentState::Open,
            false => IncidentState::Pending,
        };
        lifecycle::begin(state, now, number, state_now);
        return;
    };
    if mutant::is(Mutant::BelowThresholdInSilence) {
        return;
    }
    let (fingerprint, text) = (alert.fingerprint, format!("{} opens no incident: {reason}", alert.name));
    // The incident of its former firing is over, and this is another one.
    lifecycle::leave(state, number);
    firing::note(state, now, number, Scope::Place, Some(&Cause::new(MutedBy::NoIncident, "", reason)), None);
    timeline::alert(state, now, fingerprint, None, TimelineKind::AlertMuted, "correlate", text);
}

/// Merges the young incidents that this alert ties together and says which one it joins.
fn join_all(state: &mut State, now: Timestamp, joined: &[(IncidentId, Link)]) -> IncidentId {
    let is_young = |id: &IncidentId| {
        state.incident(id).is_some_and(|incident| {
            incident.state == IncidentState::Pending || now.since(incident.opened_at) <= MERGED_YOUNG
        })
    };
    let tied = joined.iter().filter(|(_, link)| link.bridges && link.strength() >= MERGE_MIN);
    // What a person has parted stays so.
    let is_free = |id: &IncidentId| state.incident(id).is_some_and(|incident| incident.split_by.is_none());
    let bridged: Vec<IncidentId> = tied.map(|(id, _)| *id).filter(|id| is_young(id) && is_free(id)).collect();
    if bridged.len() < 2 {
        return joined[0].0;
    }
    let mut oldest = bridged.clone();
    // One that people may know goes on, and not one that nobody has heard of.
    oldest.sort_by_key(|id| {
        let incident = state.incident(id);
        let is_pending = incident.is_some_and(|incident| incident.state == IncidentState::Pending);
        (is_pending, incident.map(|incident| incident.opened_at), *id)
    });
    let survivor = oldest.remove(0);
    for id in oldest {
        let why = joined.iter().find(|(other, _)| *other == id).map(|(_, link)| link.why.clone()).unwrap_or_default();
        lifecycle::merge(state, now, &id, &survivor, &why);
    }
    survivor
}

/// The incident this very alert was in, while that is open or may be reopened (not by a flapping alert).
fn returning(state: &State, now: Timestamp, number: AlertNumber, is_flapping: bool) -> Option<IncidentId> {
    let alert = state.alert(number)?;
    let id = alert.incident?;
    let incident = state.incident(&id)?;
    match incident.state {
        IncidentState::Pending | IncidentState::Open | IncidentState::Acknowledged => Some(id),
        IncidentState::Resolved => {
            let correlation = &state.policy().correlation;
            // What suffers may well do so from another fault this time, and so may what looked like the cause, unless it
            // comes back at once.
            let within = match incident.configuration_item_count {
                0 | 1 => correlation.reopen_within,
                _ => correlation.reopen_within.min(correlation.window),
            };
            let is_the_fault = alert.placed_by.is_some() || is_blamed(state, incident, number);
            (now <= incident.resolved_at? + within && !is_flapping && is_the_fault).then_some(id)
        }
        IncidentState::Closed | IncidentState::Merged | IncidentState::Lapsed => None,
    }
}

/// Whether the alert is on the item that an incident was put down to, or on the only one that failed.
fn is_blamed(state: &State, incident: &Incident, number: AlertNumber) -> bool {
    let item = state.alert(number).and_then(|alert| alert.configuration_item.as_deref());
    let cause = incident.root_cause.as_ref().map(|cause| cause.configuration_item.as_str());
    incident.configuration_item_count <= 1 || item.is_none() || item == cause
}

fn altered(state: &mut State, now: Timestamp, number: AlertNumber) {
    let Some(alert) = state.alert(number) else { return };
    match alert.incident {
        Some(id) if state.incident(&id).is_some_and(|incident| incident.state.is_active()) => {
            lifecycle::refresh(state, now, &id);
            opening::consider(state, now, &id);
        }
        // What was soft or harmless may deserve an incident now.
        _ => place(state, now, number),
    }
}

/// An alert is over, or has settled as over.
pub fn refile(state: &mut State, now: Timestamp, number: AlertNumber) {
    match state.alert(number).and_then(|alert| alert.incident) {
        Some(id) => lifecycle::alert_resolved(state, now, number, &id),
        None => root_cause::learn_alert(state, now, number, 0),
    }
}
