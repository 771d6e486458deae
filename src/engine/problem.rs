//! Recurring incidents become a proposed problem; an incident that looks like a known one belongs to it and
//! carries its workaround. A recurrence after the resolution opens the problem again.
//!
//! Two incidents are alike when the same item is to blame, or items of one kind, and their alert families
//! overlap. The item comes first: a kind is proposed only over different items that fail in the same way, and
//! over incidents that belong to no problem yet. What a person rejected is not proposed again.
//!
//! Cost of an incident's end: at most [`COMPARED_MAX`] comparisons of [`FAMILIES_MAX`] families for the item and
//! as many for its kind, whatever is remembered.
//!
//! ```text
//! resolve ─▶ remember the signature ─▶ a problem like it? ─yes─▶ link (and reopen)
//!                                                          └no─▶ enough alike? ─▶ propose
//! first notification ─▶ a problem like it? ─▶ link, so that the workaround is in it
//! ```

mod members;
pub mod signatures;
pub mod tell;
pub mod work;

use std::collections::BTreeSet;

use crate::model::problem::{INCIDENTS_NAMED_MAX, Problem, ProblemId, ProblemState, Scope, Signature};
use crate::model::timeline::TimelineKind;
use crate::model::{Fingerprint, Incident, IncidentId, NotificationKind, Timestamp};

use super::state::State;
use super::timeline;
use signatures::{COMPARED_MAX, PastIncident};

/// Families kept in a signature: an incident with more is not told apart by the rest.
const FAMILIES_MAX: usize = 64;
/// Proposals that wait for a person; nobody reads more, and every one of them is in memory.
const PROPOSALS_MAX: usize = 500;
/// Incidents that were taken out of one problem and are remembered for it.
const UNLINKED_MAX: usize = 100;
/// Who makes proposals, and who links by likeness.
const ENGINE: &str = "watchbell";

/// Files the signature of an incident that has just ended, and proposes a problem when it recurs.
pub fn record(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(signature) = state.incident(id).and_then(|incident| signature(state, incident)) else { return };
    state.forget_past_before(now - state.policy().problems.within);
    let problem = state.incident(id).and_then(|incident| incident.problem.clone());
    state.put_past(*id, PastIncident { resolved_at: now, signature: signature.clone(), problem });
    if link(state, now, id) || state.policy().problems.incidents_min == 0 {
        return;
    }
    for scope in signature.scopes() {
        if !is_rejected(state, &scope, &signature) && propose(state, now, id, &scope, &signature) {
            return;
        }
    }
}

fn signature(state: &State, incident: &Incident) -> Option<Signature> {
    let root = incident.root_cause.as_ref()?.configuration_item.clone();
    let members = state.groups.members(&incident.id)?;
    let families: BTreeSet<String> =
        members.alerts.iter().filter_map(|n| Some(state.alert(*n)?.family().to_owned())).take(FAMILIES_MAX).collect();
    let kind = state.topology.item(&root).and_then(|item| item.kind.clone());
    Some(Signature { root: Some(root), kind, families })
}

fn is_rejected(state: &State, scope: &Scope, signature: &Signature) -> bool {
    like(state, scope, signature)
        .filter_map(|id| state.surviving_problem(&id))
        .any(|problem| problem.state == ProblemState::Rejected)
}

/// Problems of this scope that a signature fits, in the order of their ids.
fn like<'a>(state: &'a State, scope: &Scope, wanted: &'a Signature) -> impl Iterator<Item = ProblemId> + 'a {
    let percent = state.policy().problems.likeness_percent.into();
    let is_like =
        move |problem: &&Problem| problem.signature.as_ref().is_some_and(|known| known.is_like(wanted, percent));
    state.problems_of(scope).filter(is_like).map(|problem| problem.id.clone())
}

/// Ties an incident to the problem it looks like; true when it has one.
pub fn link(state: &mut State, now: Timestamp, id: &IncidentId) -> bool {
    let Some(incident) = state.incident(id) else { return false };
    if incident.problem.is_some() {
        return true;
    }
    let Some(signature) = signature(state, incident) else { return false };
    let Some(problem) = known(state, id, &signature) else { return false };
    attach(state, now, &problem, id, ENGINE);
    recur(state, now, &problem, id);
    true
}

/// The problem an incident belongs to by itself: of its item, else of its kind.
fn known(state: &State, id: &IncidentId, signature: &Signature) -> Option<ProblemId> {
    let may_have = |problem: &&Problem| problem.state != ProblemState::Rejected && !problem.unlinked.contains(id);
    signature.scopes().find_map(|scope| {
        let all = like(state, &scope, signature).filter_map(|id| state.surviving_problem(&id));
        all.filter(may_have).map(|problem| problem.id.clone()).next()
    })
}

/// The incident belongs to the problem from here on.
fn attach(state: &mut State, now: Timestamp, problem: &ProblemId, id: &IncidentId, by: &str) {
    leave_rejected(state, now, id);
    claim(state, problem, id);
    if let Some(problem) = state.problem_mut(problem) {
        problem.incidents.push(*id);
        problem.unlinked.retain(|other| other != id);
        keep_latest(&mut problem.incidents, INCIDENTS_NAMED_MAX);
        problem.incident_count += 1;
        problem.last_seen_at = problem.last_seen_at.max(now);
        problem.updated_at = now;
    }
    timeline::incident(state, now, id, TimelineKind::ProblemLinked, by, format!("belongs to {problem}"));
    timeline::problem(state, now, problem, TimelineKind::ProblemLinked, by, format!("{id} belongs to it"));
}

/// A proposal that was declined has no claim to an incident that belongs elsewhere.
fn leave_rejected(state: &mut State, now: Timestamp, id: &IncidentId) {
    let own = state.incident(id).and_then(|incident| incident.problem.as_ref());
    let own = own.or_else(|| state.past().get(id)?.problem.as_ref());
    let rejected = own.and_then(|id| state.surviving_problem(id));
    let rejected = rejected.filter(|problem| problem.state == ProblemState::Rejected);
    if let Some(problem) = rejected.map(|problem| problem.id.clone()) {
        detach(state, now, &problem, id);
    }
}

/// The incident points to the problem, in memory and in what is remembered of past ones.
fn claim(state: &mut State, problem: &ProblemId, id: &IncidentId) {
    if let Some(incident) = state.incident_mut(id) {
        incident.problem = Some(problem.clone());
    }
    state.claim_past(id, Some(problem.clone()));
}

/// The incident does not belong to the problem any more.
fn detach(state: &mut State, now: Timestamp, problem: &ProblemId, id: &IncidentId) {
    if let Some(incident) = state.incident_mut(id) {
        incident.problem = None;
    }
    state.claim_past(id, None);
    if let Some(problem) = state.problem_mut(problem) {
        problem.incidents.retain(|other| other != id);
        problem.incident_count = problem.incident_count.saturating_sub(1);
        problem.updated_at = now;
    }
}

/// Ids rise with the time of opening.
fn keep_latest(ids: &mut Vec<IncidentId>, ids_max: usize) {
    ids.sort_unstable();
    ids.dedup();
    ids.drain(..ids.len().saturating_sub(ids_max));
}

/// What came after the resolution shows that it was none.
fn recur(state: &mut State, now: Timestamp, problem_id: &ProblemId, id: &IncidentId) {
    let Some(problem) = state.problem(problem_id).filter(|problem| problem.state == ProblemState::Resolved) else {
        return;
    };
    let Some(incident) = state.incident(id) else { return };
    let began_at = incident.reopened_at.unwrap_or(incident.opened_at);
    if problem.resolved_at.is_some_and(|at| began_at < at) {
        return;
    }
    let text = format!("open again: it had been resolved, and {id} is the same fault");
    work::reopen(state, now, problem_id, ENGINE, text);
    let text = format!("{problem_id} had been resolved and is open again");
    timeline::incident(state, now, id, TimelineKind::ProblemReopened, ENGINE, text);
}

/// An incident that had ended is open again: so is its problem, if that was thought resolved.
pub fn incident_reopened(state: &mut State, now: Timestamp, id: &IncidentId) {
    let problem = state.incident(id).and_then(|incident| incident.problem.as_ref());
    if let Some(problem) = problem.and_then(|id| state.surviving_problem(id)).map(|problem| problem.id.clone()) {
        recur(state, now, &problem, id);
    }
}

/// One incident became part of another, which has the problem now.
pub fn incident_merged(state: &mut State, now: Timestamp, id: &IncidentId, into: &IncidentId) {
    let problem = state.incident(id).and_then(|incident| incident.problem.as_ref());
    let Some(problem) = problem.and_then(|id| state.surviving_problem(id)).map(|problem| problem.id.clone()) else {
        return;
    };
    detach(state, now, &problem, id);
    let is_rejected = state.problem(&problem).is_some_and(|problem| problem.state == ProblemState::Rejected);
    if !is_rejected && state.incident(into).is_some_and(|incident| incident.problem.is_none()) {
        attach(state, now, &problem, into, ENGINE);
    }
}

/// Proposes a problem when enough incidents of this scope are alike.
fn propose(state: &mut State, now: Timestamp, id: &IncidentId, scope: &Scope, signature: &Signature) -> bool {
    let rule = &state.policy().problems;
    let (percent, incidents_min) = (rule.likeness_percent.into(), rule.incidents_min as usize);
    let alike: Vec<(IncidentId, Option<String>)> = state
        .past()
        .of(scope)
        .take(COMPARED_MAX)
        .filter(|(_, past)| past.problem.is_none() && past.signature.is_like(signature, percent))
        .map(|(id, past)| (*id, past.signature.root.clone()))
        .collect();
    let roots: BTreeSet<&Option<String>> = alike.iter().map(|(_, root)| root).collect();
    let is_enough = match scope {
        Scope::Item(_) => alike.len() >= incidents_min,
        Scope::Kind(_) => roots.len() >= incidents_min,
    };
    if !is_enough {
        return false;
    }
    if state.problems().filter(|problem| problem.state == ProblemState::Proposed).count() >= PROPOSALS_MAX {
        let text = format!("no problem is proposed, because {PROPOSALS_MAX} proposals wait for somebody");
        timeline::incident(state, now, id, TimelineKind::ProblemProposed, ENGINE, text);
        return false;
    }
    let (what, root, kind) = match scope {
        Scope::Item(item) => (item.clone(), Some(item.clone()), signature.kind.clone()),
        Scope::Kind(kind) => (format!("{} items of the kind {kind}", roots.len()), None, Some(kind.clone())),
    };
    let families: Vec<&str> = signature.families.iter().take(3).map(String::as_str).collect();
    let verb = if root.is_some() { "keeps" } else { "keep" };
    let title = format!("{what} {verb} failing: {}", families.join(", "));
    let text = format!("{} similar incidents on {what}", alike.len());
    let signature = Signature { root, kind, families: signature.families.clone() };
    let incidents = alike.into_iter().map(|(id, _)| id).collect();
    let problem = create(state, now, ENGINE, title, Some(signature), incidents);
    timeline::incident(state, now, id, TimelineKind::ProblemProposed, "problem", format!("{problem} proposed: {text}"));
    timeline::problem(state, now, &problem, TimelineKind::ProblemProposed, ENGINE, format!("proposed: {text}"));
    tell::tell(state, now, &problem, NotificationKind::ProblemProposed);
    true
}

/// A problem with these incidents, proposed until somebody accepts it.
fn create(
    state: &mut State,
    now: Timestamp,
    by: &str,
    title: String,
    signature: Option<Signature>,
    mut incidents: Vec<IncidentId>,
) -> ProblemId {
    let incident_count = incidents.len() as u32;
    keep_latest(&mut incidents, INCIDENTS_NAMED_MAX);
    let newest = incidents.last().map(ToString::to_string).unwrap_or_default();
    let hash = Fingerprint::of([by, title.as_str(), newest.as_str(), &now.to_string()]);
    let id = ProblemId(format!("prb-{}", hash.short()).into());
    for incident in &incidents {
        leave_rejected(state, now, incident);
        claim(state, &id, incident);
    }
    state.add_problem(Problem {
        id: id.clone(),
        state: ProblemState::Proposed,
        title,
        signature,
        incidents,
        incident_count,
        last_seen_at: now,
        created_by: by.to_owned(),
        created_at: now,
        updated_at: now,
        assignee: None,
        root_cause_analysis: None,
        workaround: None,
        note: None,
        accepted_at: None,
        accepted_by: None,
        analysed_at: None,
        known_error_at: None,
        resolved_at: None,
        resolved_by: None,
        reopened_at: None,
        rejected_at: None,
        rejected_by: None,
        merged_at: None,
        merged_into: None,
        merged_from: Vec::new(),
        unlinked: Vec::new(),
        untold: None,
    });
    id
}
