//! Flapping: an alert that keeps changing is one state, not many. While it flaps it is history only; it
//! opens no incident and joins none.

use crate::model::Timestamp;
use crate::model::alert::{Alert, AlertNumber};
use crate::model::event::Marker;
use crate::model::timeline::TimelineKind;

use super::dedup::{Change, ChangeKind};
use super::policy::FlapRule;
use super::state::State;
use super::{schedule_alert, timeline};

/// Counts a change and decides whether the alert flaps now.
pub fn run(state: &mut State, now: Timestamp, change: &Change) {
    if matches!(change.kind, ChangeKind::Repeated | ChangeKind::Altered) && !has_flap_marker(state, change.alert) {
        return;
    }
    let rule = state.policy().flap.clone();
    let Some(alert) = state.alert_mut(change.alert) else { return };
    if matches!(change.kind, ChangeKind::Fired | ChangeKind::Resolved) {
        // Most change once, and there may be a million of them.
        if alert.flap.changed_at.is_empty() {
            alert.flap.changed_at.reserve_exact(1);
        }
        alert.flap.changed_at.push(now);
        let oldest = now - rule.within;
        alert.flap.changed_at.retain(|at| *at > oldest);
        let surplus = alert.flap.changed_at.len().saturating_sub(rule.changes.max(1) as usize);
        alert.flap.changed_at.drain(..surplus);
    }
    let (was, from_source) = (alert.flap.is_flapping, alert.flap.is_from_source);
    let counted = rule.changes > 0 && alert.flap.changed_at.len() >= rule.changes as usize;
    match alert.marker {
        Some(Marker::FlappingStopped) => {
            alert.flap = Default::default();
            alert.marker = None;
        }
        _ => alert.flap.is_flapping = from_source || counted || was,
    }
    let is = alert.flap.is_flapping;
    announce(state, now, change.alert, was, is, "changes between firing and resolved too often");
    schedule_alert(state, change.alert);
}

fn has_flap_marker(state: &State, number: AlertNumber) -> bool {
    state.alert(number).is_some_and(|alert| alert.marker == Some(Marker::FlappingStopped))
}

/// The monitor itself says that it flaps.
pub fn started_by_source(state: &mut State, now: Timestamp, number: AlertNumber) {
    let Some(alert) = state.alert_mut(number) else { return };
    let was = alert.flap.is_flapping;
    alert.flap.is_flapping = true;
    alert.flap.is_from_source = true;
    announce(state, now, number, was, true, "the monitor says that it flaps");
    schedule_alert(state, number);
}

/// When our own verdict ends, if nothing changes until then.
pub fn settles_at(alert: &Alert, rule: &FlapRule) -> Option<Timestamp> {
    let last = alert.flap.changed_at.last()?;
    (alert.flap.is_flapping && !alert.flap.is_from_source).then(|| *last + rule.settle_after)
}

/// Ends the verdict when it is due; true when it did, so that a firing alert gets its incident.
pub fn settle(state: &mut State, now: Timestamp, number: AlertNumber) -> bool {
    let rule = state.policy().flap.clone();
    let is_due = state.alert(number).and_then(|alert| settles_at(alert, &rule)).is_some_and(|at| at <= now);
    if !is_due {
        return false;
    }
    if let Some(alert) = state.alert_mut(number) {
        alert.flap = Default::default();
    }
    announce(state, now, number, true, false, "nothing changed for long enough");
    true
}

fn announce(state: &mut State, now: Timestamp, number: AlertNumber, was: bool, is: bool, why: &str) {
    if was == is {
        return;
    }
    let Some(alert) = state.alert(number) else { return };
    let (fingerprint, incident) = (alert.fingerprint, alert.incident);
    let text = if is {
        format!("{} flaps: {why}; it opens no incident until it settles", alert.name)
    } else {
        format!("{} no longer flaps: {why}", alert.name)
    };
    timeline::alert(state, now, fingerprint, incident, TimelineKind::Flapping, "flap", text);
}
