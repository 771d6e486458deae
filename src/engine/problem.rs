//! Recurring incidents become a proposed problem; an incident that looks like a known one carries it.

use std::collections::BTreeSet;

use crate::model::problem::{Problem, ProblemId, ProblemState, Signature};
use crate::model::timeline::TimelineKind;
use crate::model::{Fingerprint, Incident, IncidentId, Timestamp};

use super::state::{PastIncident, State, fact};
use super::timeline;

/// Families kept in a signature: an incident with more is not told apart by the rest.
const FAMILIES_MAX: usize = 64;

/// Files the signature of an incident that has just ended, and proposes a problem when it recurs.
pub fn record(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(signature) = state.incident(id).and_then(|incident| signature(state, incident)) else { return };
    let rule = state.policy().problems.clone();
    forget_old(state, now);
    let past = PastIncident { resolved_at: now, signature: signature.clone() };
    state.remember(fact::SIGNATURE, id.to_string(), serde_json::to_value(&past).ok());
    state.signatures.insert(*id, past);
    if link(state, now, id) {
        return;
    }
    let alike: Vec<IncidentId> = state
        .signatures
        .iter()
        .filter(|(_, past)| past.signature.is_like(&signature, rule.likeness_percent.into()))
        .map(|(id, _)| *id)
        .collect();
    if rule.incidents_min > 0 && alike.len() >= rule.incidents_min as usize {
        propose(state, now, id, signature, alike);
    }
}

fn forget_old(state: &mut State, now: Timestamp) {
    let within = state.policy().problems.within;
    let old: Vec<IncidentId> =
        state.signatures.iter().filter(|(_, past)| now.since(past.resolved_at) > within).map(|(id, _)| *id).collect();
    for id in old {
        state.signatures.remove(&id);
        state.remember(fact::SIGNATURE, id.to_string(), None);
    }
}

fn signature(state: &State, incident: &Incident) -> Option<Signature> {
    let root = incident.root_cause.as_ref()?.configuration_item.clone();
    let members = state.groups.members(&incident.id)?;
    let families: BTreeSet<String> =
        members.alerts.iter().filter_map(|n| Some(state.alert(*n)?.family().to_owned())).take(FAMILIES_MAX).collect();
    Some(Signature { root, families })
}

/// Ties an incident to the problem it looks like; true when there is one.
pub fn link(state: &mut State, now: Timestamp, id: &IncidentId) -> bool {
    let Some(incident) = state.incident(id) else { return false };
    if incident.problem.is_some() {
        return true;
    }
    let Some(signature) = signature(state, incident) else { return false };
    let percent = state.policy().problems.likeness_percent.into();
    let known = state
        .problems()
        .find(|problem| problem.state != ProblemState::Resolved && problem.signature.is_like(&signature, percent))
        .map(|problem| problem.id.clone());
    let Some(problem_id) = known else { return false };
    if let Some(problem) = state.problem_mut(&problem_id) {
        problem.incidents.push(*id);
        problem.updated_at = now;
    }
    if let Some(incident) = state.incident_mut(id) {
        incident.problem = Some(problem_id.clone());
    }
    timeline::incident(state, now, id, TimelineKind::ProblemLinked, "problem", format!("belongs to {problem_id}"));
    true
}

fn propose(state: &mut State, now: Timestamp, id: &IncidentId, signature: Signature, incidents: Vec<IncidentId>) {
    let hash = Fingerprint::of([signature.root.as_str(), &id.to_string(), &now.to_string()]);
    let problem_id = ProblemId(format!("prb-{}", hash.short()).into());
    let families: Vec<&str> = signature.families.iter().take(3).map(String::as_str).collect();
    let title = format!("{} keeps failing: {}", signature.root, families.join(", "));
    let text = format!("{problem_id} proposed: {} similar incidents on {}", incidents.len(), signature.root);
    for incident in &incidents {
        if let Some(incident) = state.incident_mut(incident) {
            incident.problem = Some(problem_id.clone());
        }
    }
    state.add_problem(Problem {
        id: problem_id,
        state: ProblemState::Proposed,
        title,
        signature,
        incidents,
        proposed_at: now,
        updated_at: now,
        workaround: None,
    });
    timeline::incident(state, now, id, TimelineKind::ProblemProposed, "problem", text);
}
