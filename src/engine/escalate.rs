//! Escalation: while nobody acknowledges, the next level is asked. Open, told, unacknowledged and levels
//! left, and exactly then, there is one deadline (invariant I5).

use crate::model::incident::Escalating;
use crate::model::timeline::TimelineKind;
use crate::model::{Incident, IncidentId, IncidentState, NotificationKind, Timestamp};

use crate::mutant::{self, Mutant};

use super::policy::EscalationPolicy;
use super::state::State;
use super::{notify, on_call, timeline};

pub fn run(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let Some((name, policy)) = policy_of(state, incident) else { return stop(state, id) };
    if !is_due_to_run(incident, &policy) {
        return stop(state, id);
    }
    match &incident.escalating {
        Some(clock) if clock.policy == name && clock.due_at > now => {}
        Some(clock) if clock.policy == name => ask(state, now, id, &name, &policy),
        _ => start_clock(state, now, id, name, &policy),
    }
}

/// True exactly while I5 demands a deadline.
pub fn is_due_to_run(incident: &Incident, policy: &EscalationPolicy) -> bool {
    let is_asked_on = mutant::is(Mutant::AcknowledgedIsAskedOn) && incident.state == IncidentState::Acknowledged;
    (incident.state == IncidentState::Open || is_asked_on)
        && incident.notifying.told.is_some()
        && (incident.escalated_levels as usize) < policy.levels.len() * (policy.repeat as usize + 1)
}

fn policy_of(state: &State, incident: &Incident) -> Option<(String, EscalationPolicy)> {
    let name = incident.routed.as_ref()?.escalation_policy.clone()?;
    let policy = state.policy().escalation_policies.get(&name)?.clone();
    Some((name, policy))
}

fn stop(state: &mut State, id: &IncidentId) {
    if state.incident(id).is_some_and(|incident| incident.escalating.is_some())
        && let Some(incident) = state.incident_mut(id)
    {
        incident.escalating = None;
    }
}

fn start_clock(state: &mut State, now: Timestamp, id: &IncidentId, name: String, policy: &EscalationPolicy) {
    let Some(incident) = state.incident_mut(id) else { return };
    let level = incident.escalated_levels as usize % policy.levels.len();
    incident.escalating = Some(Escalating { policy: name, due_at: now + policy.levels[level].after });
}

fn ask(state: &mut State, now: Timestamp, id: &IncidentId, name: &str, policy: &EscalationPolicy) {
    let Some(incident) = state.incident_mut(id) else { return };
    let asked = incident.escalated_levels as usize;
    incident.escalated_levels += 1;
    let index = asked % policy.levels.len();
    let next = (asked + 1) % policy.levels.len();
    let has_more = asked + 1 < policy.levels.len() * (policy.repeat as usize + 1);
    incident.escalating =
        has_more.then(|| Escalating { policy: name.to_owned(), due_at: now + policy.levels[next].after });
    let level = &policy.levels[index];
    let mut receivers = level.receivers.clone();
    for schedule in &level.schedules {
        match on_call::who(state.policy(), schedule, state.wall_time(now)) {
            Some(receiver) => receivers.push(receiver),
            None => {
                let text = format!("nobody is on call in {schedule}");
                timeline::incident(state, now, id, TimelineKind::Escalated, "escalate", text);
            }
        }
    }
    receivers.dedup();
    let text = format!("nobody acknowledged: level {} of {name} is asked ({})", index + 1, receivers.join(", "));
    timeline::incident(state, now, id, TimelineKind::Escalated, "escalate", text.clone());
    if let Some(cause) = super::group::mute_cause(state, now, id) {
        timeline::incident(state, now, id, TimelineKind::Muted, "escalate", format!("not asked: {cause}"));
        return;
    }
    notify::receivers(state, now, id, &receivers, NotificationKind::Escalated, &text);
}
