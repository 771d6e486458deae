//! Escalation: while nobody acknowledges, the next level is asked. Open, told, unacknowledged and levels
//! left, and exactly then, there is one deadline (invariant I5). At a level at which all must acknowledge, unacknowledged
//! means: by any of them.
//!
//! ```text
//! told ─after─▶ level 1 ─after─▶ level 2 ─ … ─▶ once more (repeat) ─ … ─▶ last resort
//!                  └ nobody is on call: the next one at once        acknowledged: stop
//!                                          acknowledged_for passed: open again, from level 1
//! ```

use std::collections::BTreeSet;

use crate::model::incident::Escalating;
use crate::model::sla::Clock;
use crate::model::timeline::TimelineKind;
use crate::model::{Incident, IncidentId, IncidentState, NotificationKind, Timestamp};

use crate::mutant::{self, Mutant};

use super::input::Reply;
use super::policy::{EscalationPolicy, Level, Targets};
use super::state::State;
use super::{command, contact, group, notify, on_call, timeline};

const STAGE: &str = "escalate";

pub fn run(state: &mut State, now: Timestamp, id: &IncidentId) {
    lapse(state, now, id);
    contact::run(state, now, id);
    let Some((name, policy)) = state.incident(id).and_then(|incident| policy_of(state, incident)) else {
        return stop(state, id);
    };
    // A level may be due as soon as the one before is asked; each is asked once, so this ends.
    while let Some(incident) = state.incident(id) {
        if !is_due_to_run(incident, &policy) {
            return stop(state, id);
        }
        match &incident.escalating {
            Some(clock) if clock.policy == name && clock.due_at > now => return,
            Some(clock) if clock.policy == name => ask(state, now, id, &name, &policy),
            _ => start_clock(state, now, id, &name, &policy),
        }
    }
}

/// True exactly while I5 demands a deadline.
pub fn is_due_to_run(incident: &Incident, policy: &EscalationPolicy) -> bool {
    is_asking(incident)
        && incident.notifying.told.is_some()
        && policy.next_level(incident.escalated_levels as usize, incident.priority).is_some()
}

/// Somebody has still to acknowledge.
pub fn is_asking(incident: &Incident) -> bool {
    match incident.state {
        IncidentState::Open => true,
        IncidentState::Acknowledged => !incident.unanswered.is_empty() || mutant::is(Mutant::AcknowledgedIsAskedOn),
        _ => false,
    }
}

pub fn policy_of(state: &State, incident: &Incident) -> Option<(String, EscalationPolicy)> {
    let name = incident.routed.as_ref()?.escalation_policy.clone()?;
    let policy = state.policy().escalation_policies.get(&name)?.clone();
    Some((name, policy))
}

/// When the acknowledgement has counted for long enough.
pub fn lapses_at(state: &State, incident: &Incident) -> Option<Timestamp> {
    let acknowledged_at = incident.acknowledged_at.filter(|_| incident.state == IncidentState::Acknowledged)?;
    let policy = incident.routed.as_ref()?.escalation_policy.as_ref()?;
    Some(acknowledged_at + state.policy().escalation_policies.get(policy)?.acknowledged_for?)
}

fn lapse(state: &mut State, now: Timestamp, id: &IncidentId) {
    let lapses_at = state.incident(id).and_then(|incident| lapses_at(state, incident));
    if lapses_at.is_some_and(|at| at <= now) {
        command::unacknowledge(state, now, id, STAGE, "nobody has it any more: the acknowledgement has run out");
    }
}

/// Somebody wants the next level to be asked now.
pub fn at_once(state: &mut State, now: Timestamp, id: &IncidentId, by: &str) -> Reply {
    let Some(incident) = state.incident_mut(id) else { return Reply::NotFound(id.to_string()) };
    let Some(escalating) = &mut incident.escalating else {
        return Reply::Refused(format!("there is no level of an escalation policy left to ask for {id}"));
    };
    escalating.due_at = now;
    timeline::incident(state, now, id, TimelineKind::Escalated, by, "the next level is asked at once");
    Reply::Done(id.to_string())
}

/// One more of those who must, or somebody in the place of those who have not.
pub fn acknowledged_too(state: &mut State, now: Timestamp, id: &IncidentId, by: &str) -> Reply {
    let Some(incident) = state.incident_mut(id) else { return Reply::NotFound(id.to_string()) };
    let text = match incident.unanswered.contains(by) {
        true => "acknowledged, too".to_owned(),
        false => {
            let others: Vec<String> = std::mem::take(&mut incident.unanswered).into_iter().collect();
            format!("acknowledged, too, in the place of {}", others.join(", "))
        }
    };
    incident.answered_by(by);
    timeline::incident(state, now, id, TimelineKind::Acknowledged, by, text);
    Reply::Done(id.to_string())
}

fn stop(state: &mut State, id: &IncidentId) {
    if state.incident(id).is_some_and(|incident| incident.escalating.is_some())
        && let Some(incident) = state.incident_mut(id)
    {
        incident.escalating = None;
    }
}

fn start_clock(state: &mut State, now: Timestamp, id: &IncidentId, name: &str, policy: &EscalationPolicy) {
    let Some(incident) = state.incident_mut(id) else { return };
    let next = policy.next_level(incident.escalated_levels as usize, incident.priority);
    incident.escalating = next.map(|(_, level)| Escalating { policy: name.to_owned(), due_at: now + level.after });
}

fn ask(state: &mut State, now: Timestamp, id: &IncidentId, name: &str, policy: &EscalationPolicy) {
    let Some(incident) = state.incident(id) else { return };
    let Some((number, level)) = policy.next_level(incident.escalated_levels as usize, incident.priority) else {
        return;
    };
    let next = policy.next_level(number + 1, incident.priority);
    let asked = resolve(state, now, id, &level.targets);
    let is_last = next.is_none();
    let due_at = next.map(|(_, next)| if asked.is_empty() { now } else { now + next.after });
    let must: BTreeSet<String> = match level.all_must_acknowledge {
        true => asked.iter().filter(|name| state.policy().people.contains_key(*name)).cloned().collect(),
        false => BTreeSet::new(),
    };
    if let Some(incident) = state.incident_mut(id) {
        incident.escalated_levels = u32::try_from(number + 1).unwrap_or(u32::MAX);
        incident.escalating = due_at.map(|due_at| Escalating { policy: name.to_owned(), due_at });
        // Where some have acknowledged the others still must; where nobody has, one of a later level is enough.
        match incident.state {
            IncidentState::Acknowledged => incident.unanswered.extend(must),
            _ => incident.unanswered = must,
        }
    }
    let text = said(name, policy, number, level, &asked);
    timeline::incident(state, now, id, TimelineKind::Escalated, STAGE, text.clone());
    if let Some(cause) = group::mute_cause(state, now, id) {
        timeline::incident(state, now, id, TimelineKind::Muted, STAGE, format!("not asked: {cause}"));
        return;
    }
    match asked.is_empty() {
        false => notify::receivers(state, now, id, &asked, NotificationKind::Escalated, &text),
        // There is nobody left who could be asked instead.
        true if is_last => notify::routed(state, now, id, NotificationKind::Escalated, &text),
        true => {}
    }
}

fn said(name: &str, policy: &EscalationPolicy, number: usize, level: &Level, asked: &[String]) -> String {
    let which = match policy.last_resort.as_ref() {
        Some(last) if std::ptr::eq(last, level) => "the last resort".to_owned(),
        _ => format!("level {}", number % policy.levels.len() + 1),
    };
    match asked.is_empty() {
        true => format!("nobody acknowledged: at {which} of {name} there is nobody to ask"),
        false => format!("nobody acknowledged: {which} of {name} is asked ({})", asked.join(", ")),
    }
}

/// Names of receivers and people, each once, in order. A schedule with nobody is noted.
fn resolve(state: &mut State, now: Timestamp, id: &IncidentId, targets: &Targets) -> Vec<String> {
    let mut asked: Vec<String> = targets.people.iter().chain(&targets.receivers).cloned().collect();
    let mut schedules = targets.schedules.clone();
    for team in &targets.teams {
        let Some(team) = state.policy().teams.get(team) else { continue };
        match team.schedules.is_empty() {
            true => asked.extend(team.members.iter().cloned()),
            false => schedules.extend(team.schedules.iter().cloned()),
        }
    }
    for schedule in &schedules {
        match on_call::who(state, schedule, state.wall_time(now)) {
            Some(receiver) => asked.push(receiver),
            None => {
                let text = format!("nobody is on call in {schedule}");
                timeline::incident(state, now, id, TimelineKind::Escalated, STAGE, text);
            }
        }
    }
    let mut seen = BTreeSet::new();
    asked.retain(|name| seen.insert(name.clone()));
    asked
}

/// A promise has so much of its time behind it: who is to hear of that, acknowledged or not.
pub fn on_sla(state: &mut State, now: Timestamp, id: &IncidentId, clock: &Clock, before: u8, text: &str) {
    let Some((_, policy)) = state.incident(id).and_then(|incident| policy_of(state, incident)) else { return };
    let reached = before + 1..=clock.raised_percent;
    for level in policy.on_sla.iter().filter(|level| level.clock == clock.target && reached.contains(&level.percent)) {
        let asked = resolve(state, now, id, &level.targets);
        if !asked.is_empty() && group::mute_cause(state, now, id).is_none() {
            notify::receivers(state, now, id, &asked, NotificationKind::SlaThreshold, text);
        }
    }
}
