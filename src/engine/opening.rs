//! When a pending group of alerts becomes an incident: something in it is severe, several things agree, or it lasts.
//! One that comes to nothing lapses; it is on record, and nobody was told.

use std::collections::BTreeSet;

use crate::model::event::Marker;
use crate::model::{Alert, IncidentId, IncidentState, Timestamp};
use crate::mutant::{self, Mutant};

use super::fixed::ONE;
use super::lifecycle;
use super::state::State;

/// Alerts that must agree, on different items or of different kinds.
const AGREEING: usize = 2;
/// What fires more often than every other time that anything does agrees with everything.
const AGREEING_SURPRISE: i64 = ONE;
/// Alerts of a group that are looked at, the youngest.
const ALERTS_MAX: usize = 16;

/// Opens a pending group that deserves it.
pub fn consider(state: &mut State, now: Timestamp, id: &IncidentId) {
    if state.incident(id).is_none_or(|incident| incident.state != IncidentState::Pending) {
        return;
    }
    if let Some(reason) = reason(state, now, id) {
        lifecycle::open(state, now, id, &reason);
    }
}

/// When a pending group opens because it has lasted.
pub fn moment(state: &State, id: &IncidentId) -> Option<Timestamp> {
    if mutant::is(Mutant::PendingForEver) {
        return None;
    }
    let open_after = state.policy().correlation.open_after;
    firing(state, id).map(|alert| alert.fired_at + open_after).min()
}

/// The alerts that speak for opening: they fire, and the monitor is sure of it.
fn firing<'a>(state: &'a State, id: &IncidentId) -> impl Iterator<Item = &'a Alert> {
    let youngest = state.groups.members(id).into_iter().flat_map(|members| members.unsettled().rev().take(ALERTS_MAX));
    let alerts = youngest.filter_map(|number| state.alert(*number));
    alerts.filter(|alert| alert.is_firing() && !alert.flap.is_flapping && alert.marker != Some(Marker::Soft))
}

fn reason(state: &State, now: Timestamp, id: &IncidentId) -> Option<String> {
    let correlation = &state.policy().correlation;
    if let Some(severe) = firing(state, id).find(|alert| alert.severity.is_at_least(correlation.open_severity)) {
        return Some(format!("{} is {}", severe.name, severe.severity));
    }
    let is_young = state.history.is_young(now);
    let counts = |alert: &&Alert| {
        let is_unusual = is_young || alert.surprise >= AGREEING_SURPRISE;
        // One that is only loosely part of the group agrees with nothing.
        alert.severity.is_at_least(correlation.pending_severity) && is_unusual && !alert.is_loose()
    };
    let agreeing: BTreeSet<(Option<&str>, &str)> =
        firing(state, id).filter(counts).map(|alert| (alert.configuration_item.as_deref(), &*alert.name)).collect();
    if agreeing.len() >= AGREEING {
        return Some(format!("{} different alerts agree", agreeing.len()));
    }
    let lasting = firing(state, id).find(|alert| now.since(alert.fired_at) >= correlation.open_after)?;
    Some(format!("{} has lasted for {}", lasting.name, correlation.open_after.human()))
}
