//! What the daemon has to say about itself: starts, configurations, inputs it failed on, and alerts of its
//! own, which take the same way as everyone else's.

use crate::model::alert::AlertNumber;
use crate::model::event::{Event, EventStatus};
use crate::model::timeline::TimelineKind;
use crate::model::{Alert, Fingerprint, Labels, Severity, Span, Timestamp};

use crate::mutant::{self, Mutant};

use super::policy::{LOG_RECEIVER, Policy, Receiver};
use super::state::State;
use super::{changes, dedup, delivery, dispatch, fold, heartbeat, on_call, silence, timeline};

/// Source name of our own alerts.
pub const SOURCE: &str = "watchbell";
/// Alert about another system whose topology cannot be had; its subject is the origin. A topology of that
/// origin ends it.
pub const TOPOLOGY_ALERT: &str = "Topology cannot be pulled";

/// After a start, senders that refresh their alerts (Prometheus) get this long before one counts as over.
pub(super) const REFRESH_GRACE: Span = Span::from_mins(5);

/// What was in flight is in doubt, and what expired while we were away may only not have been heard.
pub fn started(state: &mut State, now: Timestamp) {
    if !mutant::is(Mutant::DoubtLostOnRestart) {
        delivery::doubt_all(state);
    }
    if mutant::is(Mutant::LevelAskedAgainOnRestart) {
        ask_again(state);
    }
    // Kept in memory only: forgotten here, it is the same with and without a restart before this input.
    state.loud.clear();
    grant_refresh(state, now);
    silence::catch_up(state, now);
    timeline::system(state, now, TimelineKind::Configuration, SOURCE, "started");
}

/// Nobody could refresh an alert while we were away: those that would be over get time for it. That is noted
/// once for all and not in each of them, because there may be a million and a start shall be short.
fn grant_refresh(state: &mut State, now: Timestamp) {
    let is_overdue = |alert: &&Alert| alert.expires_at.is_some_and(|at| at < now + REFRESH_GRACE);
    let overdue: Vec<AlertNumber> =
        state.alerts().filter(|alert| alert.is_firing()).filter(is_overdue).map(|alert| alert.number).collect();
    state.set_away_until(now);
    for number in overdue {
        super::schedule_alert(state, number);
    }
    heartbeat::schedule(state);
}

/// When an alert counts as over unless it is refreshed before: as its sender says, but not soon after a time in
/// which we could not hear it.
pub(super) fn expires_at(state: &State, alert: &Alert) -> Option<Timestamp> {
    let away_until = state.away_until().filter(|until| alert.last_seen_at < *until);
    alert.expires_at.map(|at| away_until.map_or(at, |until| at.max(until + REFRESH_GRACE)))
}

/// The wall clock was set, or all of the machine stood still. Waits count our own time and go on; what
/// stands in a calendar follows the wall clock.
pub fn clock_set(state: &mut State, now: Timestamp, jumped: Span, ahead: Span) {
    let before = state.ahead();
    state.set_ahead(now, ahead);
    if ahead != before {
        silence::clock_set(state, now);
        state.schedule_on_call();
    }
    if !jumped.is_zero() {
        grant_refresh(state, now);
        silence::catch_up(state, now);
        let text = format!("the clock went {} ahead at once: what is due since then happens now", jumped.human());
        timeline::system(state, now, TimelineKind::Configuration, SOURCE, text);
    }
    if ahead > before {
        let text = format!("the clock was set back: times shown are {} ahead of it, less and less", ahead.human());
        timeline::system(state, now, TimelineKind::Configuration, SOURCE, text);
    }
}

/// Only as a planted bug.
fn ask_again(state: &mut State) {
    let asked: Vec<_> = state.incidents().filter(|incident| incident.escalating.is_some()).map(|i| i.id).collect();
    for id in asked {
        if let Some(incident) = state.incident_mut(&id) {
            incident.escalated_levels = incident.escalated_levels.saturating_sub(1);
        }
    }
}

/// From here on another policy decides.
pub fn configured(state: &mut State, now: Timestamp, mut policy: Policy) {
    // The last resort exists whatever the file says.
    policy
        .receivers
        .entry(LOG_RECEIVER.to_owned())
        .or_insert_with(|| Receiver { sinks: vec![format!("{LOG_RECEIVER}/log")], ..Receiver::default() });
    let before = state.shared_policy();
    state.set_policy(now, policy);
    dispatch::switched(state, now, before.notify_by);
    heartbeat::configured(state, now, &before);
    on_call::gaps::configured(state, now, &before);
    changes::forget(state, now);
    delivery::reroute_orphans(state, now);
    let active: Vec<_> =
        state.incidents().filter(|incident| incident.state.is_active()).map(|incident| incident.id).collect();
    state.touched.extend(active);
    timeline::system(state, now, TimelineKind::Configuration, SOURCE, "a new configuration is in force");
}

/// The engine failed on an input; it is kept apart, and people hear of it.
pub fn quarantined(state: &mut State, now: Timestamp, source: &str, reason: &str) {
    let text = format!("an input from {source} is quarantined: {reason}");
    timeline::system(state, now, TimelineKind::Quarantined, SOURCE, text.clone());
    raise(state, now, "An input could not be processed", source, Severity::Major, &text);
}

/// Raises an alert of our own.
pub fn raise(state: &mut State, now: Timestamp, name: &str, subject: &str, severity: Severity, summary: &str) {
    let event = own_event(now, EventStatus::Firing, name, subject, severity, summary);
    fold(state, now, event);
}

/// Ends an alert of our own, if it fires.
pub fn clear(state: &mut State, now: Timestamp, name: &str, subject: &str) {
    let fingerprint = dedup::fingerprint(SOURCE, &format!("{name}/{subject}"));
    let fires = state.find_alert(fingerprint).and_then(|number| state.alert(number)).is_some_and(|a| a.is_firing());
    if fires {
        let event = own_event(now, EventStatus::Resolved, name, subject, Severity::Major, "");
        fold(state, now, event);
    }
}

/// An alert of our own, or its end, as an event.
pub fn own_event(
    now: Timestamp,
    status: EventStatus,
    name: &str,
    subject: &str,
    severity: Severity,
    summary: &str,
) -> Event {
    let at = now.as_millis().to_string();
    Event {
        id: format!("evt-{}", Fingerprint::of([SOURCE, name, subject, status.as_str(), &at])),
        at: now,
        received_at: now,
        source: SOURCE.to_owned(),
        status,
        name: name.to_owned(),
        dedup_key: format!("{name}/{subject}"),
        severity,
        configuration_item: Some(format!("watchbell {subject}")),
        service: None,
        labels: Labels::from_iter([("subject", subject)]),
        annotations: Labels::from_iter([("summary", summary)]),
        url: None,
        expires_at: None,
        is_end_assumed: false,
        started_at: None,
        aliases: Vec::new(),
        parents: Vec::new(),
        marker: None,
        author: None,
        note: None,
        extra: Default::default(),
    }
}
