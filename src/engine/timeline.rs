//! The reason for every decision, said once, in words.

use crate::model::problem::ProblemId;
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
    entry(state, TimelineEntry { incident: Some(*id), ..said(at, kind, by, text) });
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
    entry(state, TimelineEntry { incident, alert: Some(fingerprint), ..said(at, kind, by, text) });
}

/// Notes something about the daemon itself.
pub fn system(state: &mut State, at: Timestamp, kind: TimelineKind, by: &str, text: impl Into<String>) {
    entry(state, said(at, kind, by, text));
}

/// Notes something about a problem.
pub fn problem(
    state: &mut State,
    at: Timestamp,
    id: &ProblemId,
    kind: TimelineKind,
    by: &str,
    text: impl Into<String>,
) {
    entry(state, TimelineEntry { problem: Some(id.clone()), ..said(at, kind, by, text) });
}

fn said(at: Timestamp, kind: TimelineKind, by: &str, text: impl Into<String>) -> TimelineEntry {
    TimelineEntry { at, kind, incident: None, alert: None, problem: None, by: by.into(), text: text.into() }
}

fn entry(state: &mut State, entry: TimelineEntry) {
    state.emit(Effect::Timeline(entry));
}
