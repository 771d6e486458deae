//! What a sender says of an alert together with what it said before, by Alertmanager's rules: what overlaps is one
//! firing, from its earliest start on; an end that was said counts more than one that was only assumed; and the
//! latest words are kept, also those of an end.

use crate::engine::dedup::{Change, ChangeKind};
use crate::engine::state::State;
use crate::engine::{firing, inhibit};
use crate::model::alert::AlertNumber;
use crate::model::event::{Event, EventStatus};
use crate::model::{Alert, AlertStatus, Timestamp};

use super::relabelled;

/// When an alert began, and when it is over or was. What has no end fires until somebody says that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    started_at: Timestamp,
    ends_at: Option<Timestamp>,
    is_end_assumed: bool,
}

/// Takes in an event of an alert that is known.
pub fn run(state: &mut State, now: Timestamp, number: AlertNumber, event: Event) -> Change {
    let unchanged = Change { alert: number, kind: ChangeKind::Repeated };
    let is_firing = event.status == EventStatus::Firing;
    let Some(known) = state.alert(number) else { return unchanged };
    let was_firing = known.is_firing();
    let is_relabelled = is_firing && known.labels != event.labels;
    let is_other = known.severity != event.severity || known.marker != event.marker || is_relabelled;
    let times = merged(known, &event);
    let is_earlier = times.started_at < known.started_at;
    let former = is_relabelled.then(|| known.clone());
    if is_firing && !was_firing {
        firing::fires_again(state, now, number);
    }
    let service = state.texts.share_some(event.service.as_deref());
    let url = state.texts.share_some(event.url.as_deref());
    let Some(alert) = state.alert_mut(number) else { return unchanged };
    alert.event_count += 1;
    alert.last_seen_at = now;
    alert.recorded_at = now;
    alert.started_at = times.started_at;
    alert.annotations = event.annotations;
    alert.url = url;
    if is_firing {
        alert.severity = event.severity;
        alert.marker = event.marker;
        alert.labels = event.labels;
        alert.service = service;
    }
    let kind = match (was_firing, is_firing) {
        (true, true) if is_other || is_earlier => ChangeKind::Altered,
        (true, true) | (false, false) => ChangeKind::Repeated,
        (false, true) => {
            alert.fired_at = now;
            alert.opened_by = event.id.into();
            alert.muted = Box::default();
            ChangeKind::Fired
        }
        (true, false) => {
            alert.resolved_at = Some(now);
            ChangeKind::Resolved
        }
    };
    set_end(alert, is_firing, times);
    if is_relabelled {
        inhibit::reindex(state, number);
    }
    if let Some(former) = former {
        relabelled::run(state, now, number, former);
    }
    if kind == ChangeKind::Resolved {
        firing::over(state, now, number);
    }
    Change { alert: number, kind }
}

fn set_end(alert: &mut Alert, is_firing: bool, times: Times) {
    if is_firing {
        alert.status = AlertStatus::Firing;
        alert.expires_at = times.ends_at;
        alert.is_end_assumed = times.is_end_assumed;
        (alert.ended_at, alert.resolved_at) = (None, None);
    } else {
        alert.status = AlertStatus::Resolved;
        alert.ended_at = times.ends_at;
        (alert.expires_at, alert.is_end_assumed) = (None, false);
    }
}

/// `Merge` and the condition for it, as in Alertmanager's provider of alerts.
fn merged(known: &Alert, event: &Event) -> Times {
    let is_firing = event.status == EventStatus::Firing;
    let before = Times {
        started_at: known.started_at,
        ends_at: if known.is_firing() { known.expires_at } else { known.ended_at.or(known.resolved_at) },
        is_end_assumed: known.is_end_assumed,
    };
    let told = if is_firing {
        Times { started_at: event.at, ends_at: event.expires_at, is_end_assumed: event.is_end_assumed }
    } else {
        let started_at = event.started_at.unwrap_or(before.started_at);
        Times { started_at, ends_at: Some(event.at), is_end_assumed: false }
    };
    let is_before_end = |at: Timestamp| before.ends_at.is_none_or(|end| at < end);
    let ends_within = told.ends_at.is_some_and(|end| end > before.started_at && is_before_end(end));
    let starts_within = told.started_at > before.started_at && is_before_end(told.started_at);
    if !ends_within && !starts_within {
        return told;
    }
    let ends_at = match (is_firing, known.is_firing()) {
        // The latest of two ends that were said.
        (false, false) => told.ends_at.max(before.ends_at),
        (false, true) => told.ends_at,
        (true, _) if before.is_end_assumed => told.ends_at,
        (true, _) => match (before.ends_at, told.ends_at) {
            (Some(before), Some(told)) => Some(before.max(told)),
            (_, told) => told,
        },
    };
    Times { started_at: told.started_at.min(before.started_at), ends_at, ..told }
}
