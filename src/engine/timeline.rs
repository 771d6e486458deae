//! The reason for every decision, said once, in words.

use crate::model::timeline::{TimelineEntry, TimelineKind};
use crate::model::{Fingerprint, IncidentId, Timestamp};

use super::effect::Effect;
use super::state::State;

/// Notes something about an incident.
pub fn incident(
    state: &mut State,
    at: Timestamp,
    id: &IncidentId,
    kind: TimelineKind,
    by: &str,
    text: impl Into<String>,
) {
    entry(state, TimelineEntry { at, kind, incident: Some(*id), alert: None, by: by.into(), text: text.into() });
}

/// Notes something about an alert, and about its incident where it has one.
pub fn alert(
    state: &mut State,
    at: Timestamp,
    fingerprint: Fingerprint,
    incident: Option<IncidentId>,
    kind: TimelineKind,
    by: &str,
    text: impl Into<String>,
) {
    entry(state, TimelineEntry { at, kind, incident, alert: Some(fingerprint), by: by.into(), text: text.into() });
}

/// Notes something about the daemon itself.
pub fn system(state: &mut State, at: Timestamp, kind: TimelineKind, by: &str, text: impl Into<String>) {
    entry(state, TimelineEntry { at, kind, incident: None, alert: None, by: by.into(), text: text.into() });
}

fn entry(state: &mut State, entry: TimelineEntry) {
    state.emit(Effect::Timeline(entry));
}
