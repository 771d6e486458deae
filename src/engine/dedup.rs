//! One alert per dedup key: repeats are counted, a resolve ends it, a new firing starts it again.

use crate::model::alert::{Alert, AlertNumber, AlertStatus, Flap};
use crate::model::event::{Event, EventStatus};
use crate::model::{Fingerprint, Span, Timestamp};

use crate::mutant::{self, Mutant};

use super::fixed::ONE;
use super::history::Seen;
use super::schedule_alert;
use super::state::State;
use super::system::REFRESH_GRACE;
use super::{dispatch, firing, inhibit, root_cause};

/// What an event did to its alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub alert: AlertNumber,
    pub kind: ChangeKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It fires, and did not before.
    Fired,
    /// It still fires; something that decides (severity, marker) is different.
    Altered,
    /// The same once more.
    Repeated,
    /// It is over.
    Resolved,
}

pub fn fingerprint(source: &str, dedup_key: &str) -> Fingerprint {
    Fingerprint::of([source, dedup_key])
}

pub fn run(state: &mut State, now: Timestamp, event: Event) -> Change {
    let fingerprint = fingerprint(&event.source, &event.dedup_key);
    let known = state.find_alert(fingerprint).filter(|number| {
        let is_repeated = state.alert(*number).is_some_and(|alert| *alert.opened_by == *event.id);
        !(is_repeated && mutant::is(Mutant::RepeatIsAnotherAlert))
    });
    let change = match known {
        None => first(state, now, fingerprint, event),
        Some(number) => again(state, now, number, event),
    };
    if change.kind != ChangeKind::Repeated {
        inhibit::reindex(state, change.alert);
    }
    // What fires anew or is over is scheduled by `flap`, which looks at it next.
    if matches!(change.kind, ChangeKind::Repeated | ChangeKind::Altered) {
        schedule_alert(state, change.alert);
    }
    change
}

fn first(state: &mut State, now: Timestamp, fingerprint: Fingerprint, event: Event) -> Change {
    let is_firing = event.status == EventStatus::Firing;
    let seen = Seen { item: event.configuration_item.as_deref(), name: &event.name };
    let surprise = if is_firing { state.history.surprise(now, seen) } else { 0 };
    let alert = Alert {
        number: 0,
        fingerprint,
        source: state.texts.share(&event.source),
        dedup_key: event.dedup_key.into(),
        name: state.texts.share(&event.name),
        severity: event.severity,
        status: if is_firing { AlertStatus::Firing } else { AlertStatus::Resolved },
        configuration_item: event.configuration_item.map(|item| state.topology.share(&item)),
        service: state.texts.share_some(event.service.as_deref()),
        labels: event.labels,
        annotations: event.annotations,
        url: state.texts.share_some(event.url.as_deref()),
        started_at: event.at,
        fired_at: now,
        last_seen_at: now,
        resolved_at: (!is_firing).then_some(now),
        ended_at: None,
        expires_at: event.expires_at,
        is_end_assumed: event.is_end_assumed,
        opened_by: event.id.into(),
        event_count: 1,
        flap: Flap::default(),
        marker: event.marker,
        surprise,
        incident: None,
        tie: ONE,
        placed_by: None,
        muted: Default::default(),
        recorded_at: now,
    };
    let alert = state.add_alert(alert);
    Change { alert, kind: if is_firing { ChangeKind::Fired } else { ChangeKind::Repeated } }
}

fn again(state: &mut State, now: Timestamp, number: AlertNumber, event: Event) -> Change {
    let by_group = dispatch::is_on(state);
    if let Some(alert) = state.alert_unrecorded(number)
        && is_mere_repeat(alert, now, &event)
        && !(by_group && says_more(alert, &event))
        && let end = end_after(alert, &event, by_group)
        && is_near(alert.expires_at, end)
    {
        alert.event_count += 1;
        alert.last_seen_at = now;
        alert.expires_at = end;
        return Change { alert: number, kind: ChangeKind::Repeated };
    }
    if by_group {
        return dispatch::merge::run(state, now, number, event);
    }
    let fires_anew = |alert: &&Alert| !alert.is_firing() && event.status == EventStatus::Firing;
    let surprise =
        state.alert(number).filter(fires_anew).map(|alert| state.history.surprise(now, root_cause::seen(alert)));
    if state.alert(number).is_some_and(|alert| fires_anew(&alert) && !is_stale_firing(alert, &event)) {
        firing::fires_again(state, now, number);
    }
    let service = state.texts.share_some(event.service.as_deref());
    let url = state.texts.share_some(event.url.as_deref());
    let own_time = state.own_time(event.at);
    let is_relabelled =
        event.status == EventStatus::Firing && state.alert(number).is_some_and(|alert| alert.labels != event.labels);
    // The caller has found it under this number.
    let Some(alert) = state.alert_mut(number) else { return Change { alert: number, kind: ChangeKind::Repeated } };
    let was_firing = alert.is_firing();
    let is_firing = event.status == EventStatus::Firing;
    alert.event_count += 1;
    alert.last_seen_at = now;
    alert.recorded_at = now;
    let kind = match (was_firing, is_firing) {
        (false, false) => ChangeKind::Repeated,
        // The end of an earlier firing, delivered once more. A source that does not believe a monitor's time says when
        // it was received.
        (true, false) if own_time < alert.started_at && event.at < event.received_at => ChangeKind::Repeated,
        (true, false) => {
            alert.status = AlertStatus::Resolved;
            alert.resolved_at = Some(now);
            alert.expires_at = None;
            ChangeKind::Resolved
        }
        (false, true) if is_stale_firing(alert, &event) => ChangeKind::Repeated,
        (false, true) => {
            alert.status = AlertStatus::Firing;
            alert.started_at = event.at;
            alert.fired_at = now;
            alert.resolved_at = None;
            alert.ended_at = None;
            alert.muted = Box::default();
            alert.opened_by = event.id.into();
            alert.surprise = surprise.unwrap_or(0);
            ChangeKind::Fired
        }
        (true, true) if event.at < alert.started_at => {
            // Another sender of the same alert has seen it earlier.
            alert.started_at = event.at;
            ChangeKind::Altered
        }
        (true, true) if alert.severity != event.severity || alert.marker != event.marker => ChangeKind::Altered,
        (true, true) => ChangeKind::Repeated,
    };
    if is_firing && (was_firing || kind != ChangeKind::Repeated) {
        alert.severity = event.severity;
        alert.marker = event.marker;
        alert.expires_at = latest(alert.expires_at, event.expires_at);
        alert.is_end_assumed = event.is_end_assumed;
        alert.annotations = event.annotations;
        alert.labels = event.labels;
        alert.service = service;
        alert.url = url;
    }
    if is_relabelled {
        inhibit::reindex(state, number);
    }
    if kind == ChangeKind::Resolved {
        firing::over(state, now, number);
    }
    Change { alert: number, kind }
}

/// Rows of alerts that only repeat are written this often: a monitor that repeats a hundred thousand alerts
/// each minute shall not have each of them rewritten. What a crash takes back is a count and the time last
/// seen (the journal has every event); that an alert is still refreshed is granted anew at each start.
const REPEAT_RECORDED_EVERY: Span = Span::from_mins(1);

/// The same once more, in every word that anyone could see.
fn is_mere_repeat(alert: &Alert, now: Timestamp, event: &Event) -> bool {
    let is_firing = event.status == EventStatus::Firing;
    now.since(alert.recorded_at) < REPEAT_RECORDED_EVERY
        && now >= alert.recorded_at
        && alert.is_firing() == is_firing
        && (!is_firing || event.at >= alert.started_at)
        && (!is_firing && event.marker.is_none()
            || is_firing
                && alert.severity == event.severity
                && alert.marker == event.marker
                && alert.labels == event.labels
                && alert.annotations == event.annotations
                && alert.service.as_deref() == event.service.as_deref()
                && alert.url.as_deref() == event.url.as_deref())
}

fn end_after(alert: &Alert, event: &Event, by_group: bool) -> Option<Timestamp> {
    if by_group && alert.is_end_assumed { event.expires_at } else { latest(alert.expires_at, event.expires_at) }
}

/// What a start grants anyway need not be written down. A clock that is set moves an end by more than that.
fn is_near(before: Option<Timestamp>, after: Option<Timestamp>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => after.since(before).max(before.since(after)) <= REFRESH_GRACE,
        (before, after) => before == after,
    }
}

/// What only Alertmanager's rules for the times of an alert care for.
fn says_more(alert: &Alert, event: &Event) -> bool {
    match event.status {
        EventStatus::Firing => {
            alert.is_end_assumed != event.is_end_assumed || alert.expires_at.is_some_and(|end| event.at >= end)
        }
        _ => alert.ended_at != Some(event.at) || alert.annotations != event.annotations,
    }
}

/// A firing that began and was over before the last resolve we know: it was only delivered late. The
/// first second is left open, because monitors print whole seconds.
fn is_stale_firing(alert: &Alert, event: &Event) -> bool {
    *alert.opened_by == *event.id && alert.started_at == event.at
}

fn latest(known: Option<Timestamp>, told: Option<Timestamp>) -> Option<Timestamp> {
    match (known, told) {
        (Some(known), Some(told)) => Some(known.max(told)),
        // A source that gives no end does not expire.
        (_, told) => told,
    }
}
