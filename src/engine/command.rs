//! What people ask for. Every command is checked against the asker's role, answered, and audited.

use crate::model::audit::AuditEntry;
use crate::model::timeline::TimelineKind;
use crate::model::{Incident, IncidentId, IncidentState, Timestamp};

use crate::mutant::{self, Mutant};

use super::effect::Effect;
use super::input::{Command, Principal, Reply, Role};
use super::scene::Scene;
use super::split::by_hand;
use super::state::State;
use super::{escalate, lifecycle, on_call, origins, problem, redrive, root_cause, signature, silence, sla, timeline};

pub fn run(state: &mut State, now: Timestamp, by: &Principal, command: Command) {
    let (action, subject) = describe(&command);
    let needed = needed_role(&command);
    let reply = if by.role < needed && !mutant::is(Mutant::RolesNotChecked) {
        Reply::Refused(format!("{action} needs the role {needed:?}, {} is {:?}", by.name, by.role).to_lowercase())
    } else {
        carry_out(state, now, by, command)
    };
    let outcome = match &reply {
        Reply::Done(_) => "done".to_owned(),
        Reply::Already(_) => "already so".to_owned(),
        Reply::NotFound(what) => format!("not found: {what}"),
        Reply::Ambiguous(_) => "ambiguous id".to_owned(),
        Reply::Refused(why) => format!("refused: {why}"),
        Reply::Needless { state, why, .. } => format!("{state}: {why}"),
    };
    let entry = AuditEntry { at: now, principal: by.name.clone(), action: action.to_owned(), subject, outcome };
    if !(mutant::is(Mutant::RefusalNotAudited) && matches!(reply, Reply::Refused(_))) {
        state.emit(Effect::Audit(entry));
    }
    state.emit(Effect::Reply(reply));
}

/// Who changes what the daemon takes for true, or has it call people again, must be an admin.
const fn needed_role(command: &Command) -> Role {
    match command {
        Command::Redrive { .. }
        | Command::PutTopology { .. }
        | Command::RemoveTopology { .. }
        | Command::ForgetConfirmation { .. } => Role::Admin,
        _ => Role::Responder,
    }
}

fn describe(command: &Command) -> (&'static str, String) {
    match command {
        Command::Acknowledge { incident, .. } => ("incident.acknowledge", incident.clone()),
        Command::Escalate { incident } => ("incident.escalate", incident.clone()),
        Command::Resolve { incident, .. } => ("incident.resolve", incident.clone()),
        Command::Assign { incident, .. } => ("incident.assign", incident.clone()),
        Command::Comment { incident, .. } => ("incident.comment", incident.clone()),
        Command::ConfirmRootCause { incident, .. } => ("incident.confirm_root_cause", incident.clone()),
        Command::SplitIncident { incident, .. } => ("incident.split", incident.clone()),
        Command::ForgetConfirmation { incident } => ("learning.forget", incident.clone()),
        Command::Silence(draft) => silence::request::describe(draft),
        Command::ExpireSilence { silence } => ("silence.expire", silence.clone()),
        Command::OverrideShift { schedule, shift } => {
            ("schedule.override", format!("{schedule}: {}", on_call::request::words(shift)))
        }
        Command::SwapShifts { schedule, one, other } => {
            let (one, other) = (on_call::request::words(one), on_call::request::words(other));
            ("schedule.swap", format!("{schedule}: {one} for {other}"))
        }
        Command::RemoveOverride { schedule, id } => ("schedule.remove_override", format!("{schedule}: {id}")),
        Command::Problem(command) => problem::work::describe(command),
        Command::Redrive { delivery } => ("delivery.redrive", delivery.id.clone()),
        Command::PutTopology { origin, .. } => ("topology.put", origin.clone()),
        Command::RemoveTopology { origin } => ("topology.remove", origin.clone()),
    }
}

fn carry_out(state: &mut State, now: Timestamp, by: &Principal, command: Command) -> Reply {
    let incident = match &command {
        Command::Acknowledge { incident, .. }
        | Command::Escalate { incident }
        | Command::Resolve { incident, .. }
        | Command::Assign { incident, .. }
        | Command::Comment { incident, .. }
        | Command::ConfirmRootCause { incident, .. }
        | Command::SplitIncident { incident, .. } => match find(state, incident) {
            Ok(id) => Some(id),
            Err(reply) => return reply,
        },
        _ => None,
    };
    match (command, incident) {
        (Command::Acknowledge { note, .. }, Some(id)) => acknowledge(state, now, &id, &by.name, note.as_deref()),
        (Command::Escalate { .. }, Some(id)) => escalate::at_once(state, now, &id, &by.name),
        (Command::Resolve { note, .. }, Some(id)) => resolve(state, now, &id, &by.name, note.as_deref()),
        (Command::Assign { to, .. }, Some(id)) => assign(state, now, &id, &by.name, to),
        (Command::Comment { text, .. }, Some(id)) => {
            timeline::incident(state, now, &id, TimelineKind::Commented, &by.name, text);
            Reply::Done(id.to_string())
        }
        (Command::ConfirmRootCause { configuration_item, .. }, Some(id)) => {
            confirm_root_cause(state, now, &id, &by.name, configuration_item)
        }
        (Command::SplitIncident { alerts, into, .. }, Some(id)) => {
            by_hand::run(state, now, &by.name, &id, &alerts, into.as_deref())
        }
        (Command::ForgetConfirmation { incident }, _) => signature::forget(state, &incident),
        (Command::Silence(draft), _) => silence::request::put(state, now, by, *draft),
        (Command::ExpireSilence { silence: id }, _) => silence::request::expire(state, now, by, &id),
        (Command::OverrideShift { schedule, shift }, _) => on_call::request::put(state, now, &by.name, schedule, shift),
        (Command::SwapShifts { schedule, one, other }, _) => {
            on_call::request::swap(state, now, &by.name, schedule, one, other)
        }
        (Command::RemoveOverride { schedule, id }, _) => on_call::request::remove(state, now, &by.name, &schedule, &id),
        (Command::Problem(command), _) => problem::work::run(state, now, &by.name, command),
        (Command::Redrive { delivery }, _) => redrive::run(state, now, &by.name, *delivery),
        (Command::PutTopology { origin, topology }, _) => origins::put(state, now, &by.name, origin, *topology),
        (Command::RemoveTopology { origin }, _) => origins::remove(state, now, &by.name, &origin),
        (_, None) => Reply::Refused("the command names no incident".to_owned()),
    }
}

/// By id, by the beginning of one, with or without `inc-`; a merged incident leads to its survivor.
pub fn find(state: &State, text: &str) -> Result<IncidentId, Reply> {
    let wanted = if text.starts_with("inc-") { text.to_owned() } else { format!("inc-{text}") };
    if text.is_empty() {
        return Err(Reply::NotFound(String::new()));
    }
    // A merged incident leaves memory a day later, and its survivor may still be worked on by then.
    let answers = |id: &IncidentId| id.starts_with(&wanted);
    let is_meant = |incident: &&Incident| answers(&incident.id) || incident.merged_from.iter().any(answers);
    let mut found: Vec<IncidentId> =
        state.incidents().filter(is_meant).filter_map(|incident| survivor(state, incident)).collect();
    found.sort();
    found.dedup();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Reply::NotFound(text.to_owned())),
        _ => Err(Reply::Ambiguous(found.iter().map(ToString::to_string).collect())),
    }
}

/// An incident that took others in may have been taken in itself. None once the last of them has left memory: what is
/// closed is closed by all of its names.
fn survivor(state: &State, incident: &Incident) -> Option<IncidentId> {
    let mut last = incident;
    while let Some(into) = last.merged_into.as_ref().filter(|_| !mutant::is(Mutant::IncidentAliasLost)) {
        last = state.incident(into)?;
    }
    Some(last.id)
}

pub fn acknowledge(state: &mut State, now: Timestamp, id: &IncidentId, by: &str, note: Option<&str>) -> Reply {
    let Some(incident) = state.incident(id) else { return Reply::NotFound(id.to_string()) };
    match incident.state {
        IncidentState::Open | IncidentState::Pending => {}
        IncidentState::Acknowledged
            if !incident.unanswered.is_empty() && incident.acknowledged_by.as_deref() != Some(by) =>
        {
            return escalate::acknowledged_too(state, now, id, by);
        }
        IncidentState::Acknowledged => return Reply::Already(id.to_string()),
        other => return Reply::Refused(format!("{id} is {}", other.as_str())),
    }
    if let Some(incident) = state.incident_mut(id) {
        incident.state = IncidentState::Acknowledged;
        incident.acknowledged_at = Some(now);
        incident.acknowledged_by = Some(by.to_owned());
        incident.updated_at = now;
        incident.notifying.repeat_at = None;
        // The others of a level at which all must are asked on.
        incident.answered_by(by);
    }
    sla::meet(state, now, id, false);
    let text = note.map_or_else(|| "acknowledged".to_owned(), |note| format!("acknowledged: {note}"));
    timeline::incident(state, now, id, TimelineKind::Acknowledged, by, text);
    Reply::Done(id.to_string())
}

/// Nobody has it any more: repeats and escalation begin again.
pub fn unacknowledge(state: &mut State, now: Timestamp, id: &IncidentId, by: &str, why: &str) {
    let Some(incident) = state.incident(id).filter(|incident| incident.state == IncidentState::Acknowledged) else {
        return;
    };
    let repeat = incident.routed.as_ref().map_or(0, |routed| routed.repeat_interval_ms);
    if let Some(incident) = state.incident_mut(id) {
        incident.state = IncidentState::Open;
        incident.acknowledged_at = None;
        incident.acknowledged_by = None;
        incident.updated_at = now;
        incident.escalated_levels = 0;
        incident.notifying.repeat_at = (repeat > 0).then(|| now + crate::model::Span::from_millis(repeat));
    }
    sla::reopen(state, id);
    timeline::incident(state, now, id, TimelineKind::Unacknowledged, by, why);
}

fn resolve(state: &mut State, now: Timestamp, id: &IncidentId, by: &str, note: Option<&str>) -> Reply {
    let Some(incident) = state.incident(id) else { return Reply::NotFound(id.to_string()) };
    match incident.state {
        IncidentState::Resolved | IncidentState::Closed | IncidentState::Lapsed => {
            return Reply::Already(id.to_string());
        }
        IncidentState::Merged => return Reply::Refused(format!("{id} is merged")),
        _ => {}
    }
    let text = note.map_or_else(|| "resolved".to_owned(), |note| format!("resolved: {note}"));
    lifecycle::resolve(state, now, id, Some(by), &text);
    Reply::Done(id.to_string())
}

fn assign(state: &mut State, now: Timestamp, id: &IncidentId, by: &str, to: String) -> Reply {
    let Some(incident) = state.incident(id) else { return Reply::NotFound(id.to_string()) };
    if incident.assignee.as_ref() == Some(&to) {
        return Reply::Already(id.to_string());
    }
    let text = format!("assigned to {to}");
    if let Some(incident) = state.incident_mut(id) {
        incident.assignee = Some(to);
        incident.updated_at = now;
    }
    timeline::incident(state, now, id, TimelineKind::Assigned, by, text);
    Reply::Done(id.to_string())
}

/// A person's word on the cause; the ranking leaves it alone from then on.
fn confirm_root_cause(state: &mut State, now: Timestamp, id: &IncidentId, by: &str, item: String) -> Reply {
    if state.incident(id).is_some_and(|incident| incident.root_cause.is_none()) {
        root_cause::rank(state, now, id);
    }
    if state.incident(id).is_some_and(|incident| incident.root_cause.is_none()) {
        return Reply::Refused(format!("{id} has no alerts to name a cause among"));
    }
    signature::learn(state, now, Scene::Incident(id), id, by, &item);
    let is_over = state.incident(id).is_some_and(|incident| incident.state == IncidentState::Resolved);
    let blames = if is_over { root_cause::blames(state, id) } else { Default::default() };
    let Some(cause) = state.incident_mut(id).and_then(|incident| incident.root_cause.as_mut()) else {
        return Reply::NotFound(id.to_string());
    };
    let text = if cause.configuration_item == item {
        format!("{item} confirmed as the root cause")
    } else {
        format!("{item} is the root cause, not {}", cause.configuration_item)
    };
    if cause.configuration_item != item {
        cause.why = format!("{by} says so");
        cause.alerts.clear();
        cause.configuration_item = item;
    }
    cause.confirmed_by = Some(by.to_owned());
    cause.confidence_percent = 100;
    root_cause::amend(state, id, &blames);
    lifecycle::retitle(state, id);
    timeline::incident(state, now, id, TimelineKind::RootCause, by, text);
    Reply::Done(id.to_string())
}
