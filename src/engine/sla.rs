//! Service-level clocks: started when an incident opens, stopped by acknowledgement and resolution, and
//! heard from at 50, 75, 90 and 100 percent.

use std::collections::BTreeSet;

use crate::model::sla::{Clock, Target};
use crate::model::timeline::TimelineKind;
use crate::model::{Incident, IncidentId, IncidentState, NotificationKind, Span, Timestamp};

use super::effect::{Counter, Effect};
use super::state::State;
use super::{escalate, notify, timeline};

pub const THRESHOLDS_PERCENT: [u8; 4] = [50, 75, 90, 100];

pub fn run(state: &mut State, now: Timestamp, id: &IncidentId) {
    set_targets(state, id);
    raise(state, now, id);
}

/// When the clock next has something to say.
pub fn next_moment(clock: &Clock) -> Option<Timestamp> {
    let percent = THRESHOLDS_PERCENT.into_iter().find(|percent| *percent > clock.raised_percent)?;
    clock.is_running().then(|| clock.started_at + clock.within.percent(percent.into()))
}

/// Gives the incident the clocks of its services at its present priority. A clock that runs keeps its
/// start and what it has raised; a promise that grew stricter is due sooner.
fn set_targets(state: &mut State, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let wanted = targets(state, incident);
    if wanted.is_empty() {
        return;
    }
    let mut clocks = incident.clocks.clone();
    for (sla, target, within) in wanted {
        match clocks.iter_mut().find(|clock| clock.sla == sla && clock.target == target) {
            Some(clock) if clock.is_running() => clock.within = within,
            Some(_) => {}
            None => clocks.push(Clock {
                sla,
                target,
                within,
                started_at: incident.opened_at,
                raised_percent: 0,
                met_at: if target == Target::Respond { incident.acknowledged_at } else { None },
                is_breached: false,
            }),
        }
    }
    if clocks != incident.clocks
        && let Some(incident) = state.incident_mut(id)
    {
        incident.clocks = clocks;
    }
}

fn targets(state: &State, incident: &Incident) -> Vec<(String, Target, Span)> {
    let policy = state.policy();
    if policy.slas.is_empty() {
        return Vec::new();
    }
    let named: BTreeSet<&String> =
        incident.services.iter().filter_map(|service| policy.services.get(service)?.sla.as_ref()).collect();
    let names = if named.is_empty() { policy.default_sla.iter().collect() } else { named };
    let mut wanted = Vec::new();
    for name in names {
        let Some(target) = policy.slas.get(name).and_then(|sla| sla.get(&incident.priority)) else { continue };
        wanted.extend(target.respond.map(|within| (name.clone(), Target::Respond, within)));
        wanted.extend(target.restore.map(|within| (name.clone(), Target::Restore, within)));
    }
    wanted
}

fn raise(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let mut due: Vec<(usize, u8)> = Vec::new();
    for (index, clock) in incident.clocks.iter().enumerate().filter(|(_, clock)| clock.is_running()) {
        // After an outage of ours only the highest threshold is worth a message.
        let reached = THRESHOLDS_PERCENT
            .into_iter()
            .rfind(|percent| clock.started_at + clock.within.percent((*percent).into()) <= now);
        due.extend(reached.filter(|percent| *percent > clock.raised_percent).map(|percent| (index, percent)));
    }
    for (index, percent) in due {
        let Some(clock) = state.incident_mut(id).and_then(|incident| incident.clocks.get_mut(index)) else { continue };
        let before = std::mem::replace(&mut clock.raised_percent, percent);
        clock.is_breached |= percent >= 100;
        let clock = clock.clone();
        let target = clock.target.as_str();
        let text = if percent >= 100 {
            format!(
                "SLA {} breached: to {target} within {} was due at {}",
                clock.sla,
                clock.within.human(),
                clock.due_at()
            )
        } else {
            format!(
                "SLA {}: {percent} % of the {} to {target} have passed, due at {}",
                clock.sla,
                clock.within.human(),
                clock.due_at()
            )
        };
        if percent >= 100 {
            state.emit(Effect::Count(Counter::SlaBreached));
        }
        timeline::incident(state, now, id, TimelineKind::SlaThreshold, "sla", text.clone());
        if state.incident(id).is_some_and(is_known_to_run) {
            notify::routed(state, now, id, NotificationKind::SlaThreshold, &text);
            escalate::on_sla(state, now, id, &clock, before, &text);
        }
    }
}

/// Whether people know of the incident, and not as one that is over. Otherwise the message that it has opened,
/// or that it has come back, shows the clock; and where that one is muted, this would be the only one, and
/// nobody would hear of the end again.
fn is_known_to_run(incident: &Incident) -> bool {
    let is_told_over = incident.notifying.told.as_ref().is_some_and(|told| told.state == IncidentState::Resolved);
    !incident.audience.is_empty() && !is_told_over
}

/// Stops the clocks that `target` meets, or all of them when the incident is resolved.
pub fn meet(state: &mut State, now: Timestamp, id: &IncidentId, is_resolved: bool) {
    let Some(incident) = state.incident_mut(id) else { return };
    for clock in &mut incident.clocks {
        if clock.met_at.is_none() && (is_resolved || clock.target == Target::Respond) {
            clock.met_at = Some(now);
            clock.is_breached |= now > clock.due_at();
        }
    }
}

/// The service is not restored after all: that clock runs on from where it started.
pub fn reopen(state: &mut State, id: &IncidentId) {
    let Some(incident) = state.incident_mut(id) else { return };
    let acknowledged_at = incident.acknowledged_at;
    for clock in &mut incident.clocks {
        clock.met_at = if clock.target == Target::Respond { clock.met_at.and(acknowledged_at) } else { None };
    }
}
