//! Expected heartbeats (a dead man's switch): an alert is raised when one stays away, and ends with the next beat.
//!
//! A beat is a request, or a firing alert that the heartbeat's matchers take, such as Prometheus' `Watchdog`; the end of
//! such an alert is none. The alert about what is missing takes the same way as everyone else's. An alert that is a
//! beat opens no incident and is in no group, unless its heartbeat says `notify`.
//!
//! ```text
//! last beat ──every──▶ due: late ──grace──▶ missing: an alert fires        …and never sooner after a time in which nobody
//!                                                                          could beat than `every` + `grace`, or an hour
//! ```
//!
//! Never decides who may beat: that is the door's matter (`http/heartbeat.rs`).

use crate::model::alert::{Alert, AlertNumber};
use crate::model::event::{Event, EventStatus};
use crate::model::heartbeat::{Beat, BeatBy, Failure, Heartbeat, HeartbeatState, HeartbeatView};
use crate::model::timeline::TimelineKind;
use crate::model::{Severity, Span, Timestamp};

use super::deadline::Deadline;
use super::effect::{Counter, Effect, HeartbeatOutcome};
use super::inhibit::Eyes;
use super::input::Reply;
use super::policy::{HeartbeatRule, NotifyBy, Policy};
use super::state::State;
use super::{correlate, dedup, fold, lifecycle, system, timeline};

/// Source name of the alerts about heartbeats.
pub const SOURCE: &str = "heartbeat";
/// The label that names the heartbeat in them.
pub const LABEL: &str = "heartbeat";
const MISSED: &str = "Heartbeat missed";
const FAILED: &str = "Heartbeat reports a failure";

/// After a time in which nobody could beat, a heartbeat gets its whole time again, but no more than this: a nightly job
/// shall not have another day with each restart.
const AFRESH_MAX: Span = Span::from_hours(1);

/// A request came for a heartbeat.
pub fn asked(state: &mut State, now: Timestamp, name: &str, is_failure: bool, note: Option<String>) {
    if state.heartbeat(name).is_none() {
        // It was there when the request came in.
        return state.emit(Effect::Reply(Reply::NotFound(name.to_owned())));
    }
    beat(state, now, name, BeatBy::Request, is_failure.then_some(note));
    state.emit(Effect::Reply(Reply::Done(name.to_owned())));
}

/// An alert was sent as firing, which may be a beat.
pub fn heard(state: &mut State, now: Timestamp, number: AlertNumber) {
    let policy = state.shared_policy();
    if policy.heartbeats.is_empty() {
        return;
    }
    let Some(alert) = state.alert(number) else { return };
    let beating: Vec<String> = takers(&policy, alert).map(|(name, _)| name.clone()).collect();
    for name in beating {
        beat(state, now, &name, BeatBy::Alert, None);
    }
}

/// The heartbeats of which an alert is a beat.
fn takers<'a>(policy: &'a Policy, alert: &'a Alert) -> impl Iterator<Item = (&'a String, &'a HeartbeatRule)> {
    let eyes = Eyes::of(policy);
    let is_own = *alert.source == *SOURCE || *alert.source == *system::SOURCE;
    let all = policy.heartbeats.iter().filter(move |(_, rule)| !is_own && !rule.matchers.is_empty());
    all.filter(move |(_, rule)| eyes.matches(&rule.matchers, alert))
}

/// The heartbeat of which this alert is a beat that nobody is to hear of.
pub fn of_alert<'a>(state: &'a State, alert: &'a Alert) -> Option<&'a str> {
    quiet_taker(state.policy(), alert)
}

fn quiet_taker<'a>(policy: &'a Policy, alert: &'a Alert) -> Option<&'a str> {
    takers(policy, alert).find(|(_, rule)| !rule.notify).map(|(name, _)| name.as_str())
}

/// Whether this alert is a beat that nobody is to hear of. If so its timeline says it, and it leaves the incident it was
/// in.
pub fn is_muted(state: &mut State, now: Timestamp, number: AlertNumber) -> bool {
    let Some(alert) = state.alert(number) else { return false };
    let Some(name) = of_alert(state, alert) else { return false };
    let (fingerprint, incident) = (alert.fingerprint, alert.incident);
    let text = format!("{} is a beat of the heartbeat `{name}`: nobody is told of it", alert.name);
    timeline::alert(state, now, fingerprint, incident, TimelineKind::AlertMuted, SOURCE, text);
    let Some(id) = incident else { return true };
    lifecycle::leave(state, number);
    if state.incident(&id).is_some_and(|incident| incident.state.is_active()) {
        lifecycle::refresh(state, now, &id);
        lifecycle::end_if_over(state, now, &id, "its last alert is a beat of a heartbeat");
    }
    true
}

/// Takes a beat in; with a failure it is one all the same, and people hear of that.
fn beat(state: &mut State, now: Timestamp, name: &str, by: BeatBy, failure: Option<Option<String>>) {
    let Some(mut heartbeat) = state.heartbeat(name).cloned() else { return };
    heartbeat.last_beat = Some(Beat { at: now, by });
    let was_missed = heartbeat.missed_at.take().is_some();
    let before = heartbeat.failure.take();
    let since = before.as_ref().map_or(now, |failure| failure.since);
    heartbeat.failure = failure.map(|note| Failure { since, note });
    let failure = heartbeat.failure.clone();
    state.put_heartbeat(name, heartbeat);
    let outcome = if failure.is_some() { HeartbeatOutcome::Failed } else { HeartbeatOutcome::Alive };
    state.emit(Effect::Count(Counter::Heartbeat(outcome)));
    if was_missed {
        end(state, now, MISSED, name, &format!("{name} was heard again"));
    }
    match failure {
        Some(failure) => raise_failed(state, now, name, &failure),
        None if before.is_some() => end(state, now, FAILED, name, &format!("{name} says that it no longer fails")),
        None => {}
    }
}

/// It may be time to tell that one is missing.
pub fn due(state: &mut State, now: Timestamp, name: &str) {
    if moment(state, name).is_none_or(|at| at > now) {
        return;
    }
    let Some(mut heartbeat) = state.heartbeat(name).cloned() else { return };
    heartbeat.missed_at = Some(now);
    state.put_heartbeat(name, heartbeat);
    state.emit(Effect::Count(Counter::Heartbeat(HeartbeatOutcome::Missed)));
    raise_missed(state, now, name);
}

/// When people are to hear that it is missing, unless it beats before. None once they have.
pub fn moment(state: &State, name: &str) -> Option<Timestamp> {
    let (rule, heartbeat) = (state.policy().heartbeats.get(name)?, state.heartbeat(name)?);
    heartbeat.missed_at.is_none().then(|| missing_at(state, rule, heartbeat))
}

fn missing_at(state: &State, rule: &HeartbeatRule, heartbeat: &Heartbeat) -> Timestamp {
    let whole = rule.every + rule.grace;
    let at = heartbeat.heard_at() + whole;
    away_since(state, heartbeat).map_or(at, |until| at.max(until + whole.min(AFRESH_MAX)))
}

/// The end of a time after its last beat in which nobody could beat.
fn away_since(state: &State, heartbeat: &Heartbeat) -> Option<Timestamp> {
    state.away_until().filter(|until| heartbeat.heard_at() < *until)
}

/// Sets when each of them is to be looked at.
pub(super) fn schedule(state: &mut State) {
    let names: Vec<String> = state.heartbeats().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let at = moment(state, &name);
        state.deadlines.set(Deadline::Heartbeat(name), at);
    }
}

/// Another policy is in force: others are expected, or otherwise than before.
pub fn configured(state: &mut State, now: Timestamp, before: &Policy) {
    let policy = state.shared_policy();
    if policy.heartbeats == before.heartbeats {
        return;
    }
    let gone: Vec<String> = state
        .heartbeats()
        .map(|(name, _)| name)
        .filter(|name| !policy.heartbeats.contains_key(*name))
        .map(str::to_owned)
        .collect();
    for name in gone {
        state.forget_heartbeat(&name);
        let why = format!("the heartbeat `{name}` is no longer configured");
        end(state, now, MISSED, &name, &why);
        end(state, now, FAILED, &name, &why);
    }
    for (name, rule) in &policy.heartbeats {
        match state.heartbeat(name).cloned() {
            None => state.put_heartbeat(name, Heartbeat::expected_since(now)),
            Some(known) => reconsider(state, now, name, rule, known),
        }
    }
    if policy.notify_by == NotifyBy::Incident {
        reconsider_alerts(state, now, before);
    }
}

/// What is said of one now follows the rule of now.
fn reconsider(state: &mut State, now: Timestamp, name: &str, rule: &HeartbeatRule, known: Heartbeat) {
    if known.missed_at.is_some() {
        if missing_at(state, rule, &known) > now {
            state.put_heartbeat(name, Heartbeat { missed_at: None, ..known.clone() });
            end(state, now, MISSED, name, &format!("{name} is in time by the configuration of now"));
        } else {
            raise_missed(state, now, name);
        }
    }
    if let Some(failure) = &known.failure {
        raise_failed(state, now, name, failure);
    }
}

/// Alerts that have become beats leave their incidents, and those that are none any more look for one.
fn reconsider_alerts(state: &mut State, now: Timestamp, before: &Policy) {
    let after = state.shared_policy();
    let changed = state.alerts().filter(|alert| alert.is_firing()).filter_map(|alert| {
        let (was, is) = (quiet_taker(before, alert).is_some(), quiet_taker(&after, alert).is_some());
        (was != is).then_some((alert.number, is))
    });
    let changed: Vec<(AlertNumber, bool)> = changed.collect();
    for (number, is_beat) in changed {
        if is_beat {
            is_muted(state, now, number);
        } else {
            correlate::place(state, now, number);
        }
    }
}

fn raise_missed(state: &mut State, now: Timestamp, name: &str) {
    let known = state.policy().heartbeats.get(name).zip(state.heartbeat(name));
    let Some((rule, heartbeat)) = known else { return };
    let HeartbeatRule { every, grace, .. } = rule;
    let due = heartbeat.heard_at() + *every;
    let summary = format!("{name} is missing since {due} (expected every {every}, {grace} late at most)");
    let description = missed_text(state, heartbeat);
    raise(state, now, MISSED, name, [("summary", &summary), ("description", &description)]);
}

fn missed_text(state: &State, heartbeat: &Heartbeat) -> String {
    let mut text = match heartbeat.last_beat {
        Some(beat) => format!("Its last beat came at {}.", beat.at),
        None => format!("It was never heard since it is expected, {}.", heartbeat.expected_since),
    };
    if let Some(until) = away_since(state, heartbeat) {
        text.push_str(&format!(" Watchbell was away for some time until {until}, and heard nothing then."));
    }
    text
}

fn raise_failed(state: &mut State, now: Timestamp, name: &str, failure: &Failure) {
    let summary = format!("{name} reports a failure");
    let description = failure.note.clone().unwrap_or_default();
    raise(state, now, FAILED, name, [("summary", &summary), ("description", &description)]);
}

/// Raises an alert about a heartbeat, or says it anew.
fn raise(state: &mut State, now: Timestamp, what: &str, name: &str, annotations: [(&str, &String); 2]) {
    let Some(rule) = state.policy().heartbeats.get(name).cloned() else { return };
    let mut event = event(now, EventStatus::Firing, what, name);
    event.severity = rule.severity;
    event.labels = rule.labels;
    event.labels.insert(LABEL, name);
    event.annotations = annotations.into_iter().filter(|(_, text)| !text.is_empty()).collect();
    event.service = rule.service;
    event.configuration_item = Some(rule.configuration_item.unwrap_or_else(|| name.to_owned()));
    fold(state, now, event);
}

/// Ends an alert about a heartbeat, if it fires.
fn end(state: &mut State, now: Timestamp, what: &str, name: &str, why: &str) {
    let event = event(now, EventStatus::Resolved, what, name);
    let fingerprint = dedup::fingerprint(SOURCE, &event.dedup_key);
    let alert = state.find_alert(fingerprint).and_then(|number| state.alert(number)).filter(|alert| alert.is_firing());
    let Some(incident) = alert.map(|alert| alert.incident) else { return };
    timeline::alert(state, now, fingerprint, incident, TimelineKind::AlertResolved, SOURCE, why);
    fold(state, now, event);
}

fn event(now: Timestamp, status: EventStatus, what: &str, name: &str) -> Event {
    let own = system::own_event(now, status, what, name, Severity::Major, "");
    Event { source: SOURCE.to_owned(), configuration_item: None, ..own }
}

/// As people see them at a time of the wall clock: the first with higher names than `last`, in order, of all or of those
/// in one state.
pub fn views(
    state: &State,
    now: Timestamp,
    last: Option<&str>,
    wanted: Option<HeartbeatState>,
    limit: usize,
) -> Vec<HeartbeatView> {
    let now = state.own_time(now);
    let all = state.heartbeats_after(last).filter_map(|(name, heartbeat)| {
        let rule = state.policy().heartbeats.get(name)?;
        Some(view(state, now, name, rule, heartbeat))
    });
    all.filter(|view| wanted.is_none_or(|wanted| view.state == wanted)).take(limit).collect()
}

/// How many are missing.
pub fn missing_count(state: &State) -> usize {
    state.heartbeats().filter(|(_, heartbeat)| heartbeat.missed_at.is_some()).count()
}

fn view(state: &State, now: Timestamp, name: &str, rule: &HeartbeatRule, heartbeat: &Heartbeat) -> HeartbeatView {
    let due_at = heartbeat.heard_at() + rule.every;
    let state_now = match heartbeat {
        Heartbeat { missed_at: Some(_), .. } => HeartbeatState::Missing,
        Heartbeat { failure: Some(_), .. } => HeartbeatState::Failed,
        _ if due_at < now => HeartbeatState::Late,
        Heartbeat { last_beat: None, .. } => HeartbeatState::Waiting,
        _ => HeartbeatState::Alive,
    };
    HeartbeatView {
        name: name.to_owned(),
        state: state_now,
        every: rule.every,
        grace: rule.grace,
        expected_since: heartbeat.expected_since,
        last_beat: heartbeat.last_beat,
        due_at,
        missing_at: missing_at(state, rule, heartbeat),
        missing_since: heartbeat.missed_at.map(|_| due_at),
        failure: heartbeat.failure.clone(),
    }
}
