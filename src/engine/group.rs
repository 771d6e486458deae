//! When people hear of an incident: the first message waits for the group to gather, updates keep a
//! distance, repeats come while nobody has taken it, and the end is told once it has held for a moment.

use crate::model::alert::AlertNumber;
use crate::model::incident::Told;
use crate::model::timeline::TimelineKind;
use crate::model::{Incident, IncidentId, IncidentState, MutedBy, NotificationKind, Span, Timestamp};

use crate::mutant::{self, Mutant};

use super::effect::{Counter, Effect};
use super::firing::{Cause, Scope};
use super::state::State;
use super::{firing, inhibit, maintenance, notify, problem, silence, throttle, timeline};

pub fn run(state: &mut State, now: Timestamp, id: &IncidentId) {
    hold(state, now, id);
    schedule(state, now, id);
    let Some(incident) = state.incident(id) else { return };
    let notifying = &incident.notifying;
    let flush_at = notifying.flush_at.map(|at| at.max(notifying.held_until.unwrap_or(at)));
    if flush_at.is_some_and(|at| at <= now) {
        flush(state, now, id);
    }
    repeat(state, now, id);
}

/// A child waits for its parents' verdict: while the cause may lie further up, nobody is told, for a bounded time.
fn hold(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let may_lie_higher =
        incident.root_cause.as_ref().is_some_and(|cause| state.topology.has_dependencies(&cause.configuration_item));
    let is_waiting = incident.notifying.told.is_none() && incident.state == IncidentState::Open && may_lie_higher;
    let from = if mutant::is(Mutant::HoldDownForEver) { now } else { incident.opened_at };
    let until = from + state.policy().correlation.hold_down;
    let held_until = (is_waiting && until > now).then_some(until);
    let before = incident.notifying.held_until;
    if before == held_until || before.is_none() && held_until.is_none() {
        return;
    }
    if let Some(incident) = state.incident_mut(id) {
        incident.notifying.held_until = held_until;
    }
    if held_until.is_none() {
        firing::waits(state, now, id, None);
    }
    if before.is_none() {
        if let Some(cause) = held(state, id) {
            firing::waits(state, now, id, Some(&cause));
        }
        let text = format!("waits until {until} for the verdict on what it depends on");
        timeline::incident(state, now, id, TimelineKind::Held, "group", text);
    }
}

/// Why an incident waits, while it does.
pub fn held(state: &State, id: &IncidentId) -> Option<Cause> {
    let until = state.incident(id)?.notifying.held_until?;
    let why = format!("waits until {until} for the verdict on what it depends on");
    Some(Cause::new(MutedBy::HoldDown, id.to_string(), why))
}

/// Sets the moment of the next message, where there is something to tell and none is set.
fn schedule(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let Some(routed) = &incident.routed else { return };
    let wait = Span::from_millis(routed.group_wait_ms);
    let wanted = match (&incident.notifying.told, news(incident)) {
        (None, _) if incident.state == IncidentState::Resolved => Some(now),
        (None, _) => Some((incident.opened_at + wait).max(now)),
        (Some(_), None) => None,
        (Some(_), Some(NotificationKind::Resolved)) => Some(incident.resolved_at.unwrap_or(now) + wait),
        (Some(_), Some(NotificationKind::Updated)) => {
            let interval = Span::from_millis(routed.group_interval_ms);
            Some(incident.notifying.last_sent_at.map_or(now, |at| at + interval).max(now))
        }
        (Some(_), Some(_)) => Some(now),
    };
    let flush_at = match (incident.notifying.flush_at, wanted) {
        // An earlier moment stands, unless there is nothing left to tell.
        (Some(set), Some(wanted)) => Some(set.min(wanted)),
        (None, wanted) => wanted,
        (Some(_), None) => None,
    };
    if flush_at != incident.notifying.flush_at
        && let Some(incident) = state.incident_mut(id)
    {
        incident.notifying.flush_at = flush_at;
    }
}

/// What people do not know yet, by importance.
fn news(incident: &Incident) -> Option<NotificationKind> {
    let told = incident.notifying.told.as_ref()?;
    let now = snapshot(incident);
    if now == *told {
        return None;
    }
    Some(match (told.state, incident.state) {
        (before, IncidentState::Resolved) if before != IncidentState::Resolved => NotificationKind::Resolved,
        // It was over before anyone had heard: for people this is the first time.
        (IncidentState::Resolved, IncidentState::Open | IncidentState::Acknowledged)
            if incident.audience.is_empty() =>
        {
            NotificationKind::Opened
        }
        (IncidentState::Resolved, IncidentState::Open | IncidentState::Acknowledged) => NotificationKind::Reopened,
        // What is over is news to nobody who knows that, or who never heard of it.
        _ if incident.state == IncidentState::Resolved => return None,
        _ if incident.priority < told.priority => NotificationKind::PriorityRaised,
        (IncidentState::Open, IncidentState::Acknowledged) => NotificationKind::Acknowledged,
        _ => NotificationKind::Updated,
    })
}

fn snapshot(incident: &Incident) -> Told {
    Told {
        state: incident.state,
        priority: incident.priority,
        root_cause: incident.root_cause.as_ref().map(|cause| cause.configuration_item.clone()),
        // In powers of two: the twelfth alert is no news after the eleventh.
        alert_count: u32::BITS - incident.alert_count.leading_zeros(),
        assignee: incident.assignee.clone(),
    }
}

fn flush(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let kind = match &incident.notifying.told {
        None if incident.state == IncidentState::Resolved => return forget_unheard(state, now, id),
        None => NotificationKind::Opened,
        Some(_) => match news(incident) {
            Some(kind) => kind,
            None => return done(state, id),
        },
    };
    if kind.is_loud() {
        if let Some(causes) = mute_causes(state, now, id) {
            return mute(state, now, id, causes);
        }
        if let Some(until) = throttle::defer(state, now, id) {
            return put_off(state, now, id, until);
        }
        firing::heard(state, now, id);
    }
    if kind == NotificationKind::Opened {
        problem::link(state, now, id);
    }
    let reason = reason(state, id, kind);
    if let Some(incident) = state.incident_mut(id) {
        incident.notifying.muted = None;
        incident.notifying.told = Some(snapshot(incident));
        incident.notifying.flush_at = None;
        incident.notifying.held_until = None;
        incident.notifying.last_sent_at = Some(now);
        let repeat = incident.routed.as_ref().map_or(0, |routed| routed.repeat_interval_ms);
        incident.notifying.repeat_at =
            (repeat > 0 && incident.state == IncidentState::Open).then(|| now + Span::from_millis(repeat));
    }
    if kind.is_loud() {
        notify::routed(state, now, id, kind, &reason);
    } else {
        notify::audience(state, now, id, kind, &reason);
    }
    problem::tell::after(state, now, id, kind);
}

fn reason(state: &State, id: &IncidentId, kind: NotificationKind) -> String {
    let Some(incident) = state.incident(id) else { return String::new() };
    let by = |who: &Option<String>| who.clone().unwrap_or_else(|| "monitoring".to_owned());
    match kind {
        NotificationKind::Opened => format!("new incident at {}", incident.priority),
        NotificationKind::Reopened => "the fault came back".to_owned(),
        NotificationKind::PriorityRaised => format!("priority rose to {}", incident.priority),
        NotificationKind::Acknowledged => format!("acknowledged by {}", by(&incident.acknowledged_by)),
        NotificationKind::Resolved => format!("resolved by {}", by(&incident.resolved_by)),
        _ => "there is news".to_owned(),
    }
}

fn done(state: &mut State, id: &IncidentId) {
    if let Some(incident) = state.incident_mut(id) {
        incident.notifying.flush_at = None;
    }
}

/// Over before anyone was told: nobody is.
fn forget_unheard(state: &mut State, now: Timestamp, id: &IncidentId) {
    done(state, id);
    let Some(incident) = state.incident_mut(id) else { return };
    incident.notifying.told = Some(snapshot(incident));
    let cause = incident.notifying.muted.clone().unwrap_or_else(|| "it was over within the group wait".to_owned());
    state.emit(Effect::Count(Counter::IncidentMuted));
    timeline::incident(state, now, id, TimelineKind::Muted, "group", format!("nobody was told: {cause}"));
}

fn mute(state: &mut State, now: Timestamp, id: &IncidentId, causes: Vec<(AlertNumber, Cause)>) {
    let first = causes.first().map(|(_, cause)| cause.why.clone()).unwrap_or_default();
    let cause = if mutant::is(Mutant::MuteWithoutCause) { String::new() } else { first };
    note_muted(state, now, id, &causes);
    let Some(incident) = state.incident_mut(id) else { return };
    incident.notifying.flush_at = None;
    incident.notifying.held_until = None;
    if incident.notifying.muted.as_ref() == Some(&cause) {
        return;
    }
    incident.notifying.muted = Some(cause.clone());
    state.emit(Effect::Count(Counter::IncidentMuted));
    timeline::incident(state, now, id, TimelineKind::Muted, "group", format!("nobody is told: {cause}"));
}

fn note_muted(state: &mut State, now: Timestamp, id: &IncidentId, causes: &[(AlertNumber, Cause)]) {
    let heard_at = state.incident(id).and_then(|incident| incident.notifying.last_sent_at);
    for (number, cause) in causes {
        firing::note(state, now, *number, Scope::Alert, Some(cause), heard_at);
        firing::note(state, now, *number, Scope::Waiting, None, None);
    }
}

fn put_off(state: &mut State, now: Timestamp, id: &IncidentId, until: Timestamp) {
    if let Some(incident) = state.incident_mut(id) {
        incident.notifying.flush_at = Some(until);
    }
    let text = format!("waits until {until}: its receiver has had its share of interruptions for this minute");
    firing::waits(state, now, id, Some(&Cause::new(MutedBy::Throttle, id.to_string(), text.clone())));
    timeline::incident(state, now, id, TimelineKind::Held, "throttle", text);
}

/// Why nobody should hear: every alert that still fires is muted by something that can be named.
pub fn mute_cause(state: &State, now: Timestamp, id: &IncidentId) -> Option<String> {
    Some(mute_causes(state, now, id)?.swap_remove(0).1.why)
}

/// The same for each of them; never empty.
fn mute_causes(state: &State, now: Timestamp, id: &IncidentId) -> Option<Vec<(AlertNumber, Cause)>> {
    let members = state.groups.members(id)?;
    let mut causes = Vec::new();
    for alert in members.unsettled().filter_map(|number| state.alert(*number)) {
        let cause = maintenance::cause(state, now, alert)
            .or_else(|| silence::cause(state, now, alert))
            .or_else(|| inhibit::cause(state, alert))?;
        causes.push((alert.number, cause));
    }
    (!causes.is_empty()).then_some(causes)
}

fn repeat(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let is_due = incident.notifying.repeat_at.is_some_and(|at| at <= now) && incident.state == IncidentState::Open;
    if !is_due {
        return;
    }
    let every = Span::from_millis(incident.routed.as_ref().map_or(0, |routed| routed.repeat_interval_ms));
    let since = now.since(incident.opened_at).human();
    if let Some(incident) = state.incident_mut(id) {
        incident.notifying.repeat_at = (!every.is_zero()).then(|| now + every);
    }
    if let Some(causes) = mute_causes(state, now, id) {
        note_muted(state, now, id, &causes);
        let text = format!("not repeated: {}", causes[0].1);
        return timeline::incident(state, now, id, TimelineKind::Muted, "group", text);
    }
    firing::heard(state, now, id);
    let reason = format!("still open after {since}, nobody has acknowledged");
    notify::routed(state, now, id, NotificationKind::Repeated, &reason);
}
