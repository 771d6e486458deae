//! Who hears of a problem: those who heard of its latest incident, in that incident's own thread. See
//! docs/decisions/0008.
//!
//! Never opens anything at a receiver and never interrupts. While the incident's end has not been told yet, the
//! news waits for it. Once the incident has left memory, what is left of its thread is kept with the problem.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::incident::RemoteId;
use crate::model::notification::{IncidentView, ProblemView};
use crate::model::problem::{Problem, ProblemId};
use crate::model::{Incident, IncidentId, IncidentState, NotificationKind, Timestamp};

use crate::engine::state::State;
use crate::engine::{notify, view};

/// What it takes to say something about an incident that is closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    pub incident: IncidentView,
    pub audience: BTreeSet<String>,
    pub remotes: BTreeMap<String, RemoteId>,
    pub notification_count: u32,
}

/// Tells the news, now or as soon as the end of the latest incident has been told. Nobody hears of a problem
/// none of whose incidents anybody heard of: its timeline and the next incident say it.
pub fn tell(state: &mut State, now: Timestamp, id: &ProblemId, kind: NotificationKind) {
    let Some(problem) = state.problem(id) else { return };
    let reason = reason(problem, kind);
    let latest = problem.incidents.iter().rev().filter_map(|id| state.incident(id)).find(|incident| is_heard(incident));
    let live = latest.map(|incident| (incident.id, is_ending(incident)));
    let untold = match live {
        Some((_, true)) => Some(kind),
        Some((incident, false)) => {
            notify::audience(state, now, &incident, kind, &reason);
            None
        }
        None => {
            in_thread(state, now, id, kind, &reason);
            None
        }
    };
    if state.problem(id).is_some_and(|problem| problem.untold != untold)
        && let Some(problem) = state.problem_mut(id)
    {
        problem.untold = untold;
    }
}

fn is_heard(incident: &Incident) -> bool {
    incident.state != IncidentState::Merged && !incident.audience.is_empty()
}

/// It is over, and people are still to hear that.
fn is_ending(incident: &Incident) -> bool {
    let told = incident.notifying.told.as_ref().map(|told| told.state);
    incident.state == IncidentState::Resolved && told != Some(IncidentState::Resolved)
}

/// A notification about the incident has gone out: news that waited for it follows, unless this said it.
pub fn after(state: &mut State, now: Timestamp, incident: &IncidentId, kind: NotificationKind) {
    let problem = state.incident(incident).and_then(|incident| incident.problem.as_ref());
    let Some(problem) = problem.and_then(|id| state.surviving_problem(id)) else { return };
    let (id, untold) = (problem.id.clone(), problem.untold);
    match untold {
        Some(untold) if kind.is_final() => tell(state, now, &id, untold),
        Some(_) if kind == NotificationKind::Opened => {
            if let Some(problem) = state.problem_mut(&id) {
                problem.untold = None;
            }
        }
        _ => {}
    }
}

/// An incident is about to leave memory: its problem keeps the thread.
pub fn keep_thread(state: &mut State, incident: &IncidentId) {
    let Some(leaving) = state.incident(incident).filter(|incident| is_heard(incident)) else { return };
    let Some(problem) = leaving.problem.as_ref().and_then(|id| state.surviving_problem(id)) else { return };
    let id = problem.id.clone();
    if state.problem_thread(&id).is_some_and(|thread| thread.incident.id > *incident) {
        return;
    }
    let Some(view) = view::incident(state, incident) else { return };
    let Some(leaving) = state.incident(incident) else { return };
    let thread = Thread {
        incident: view,
        audience: leaving.audience.clone(),
        remotes: leaving.remotes.clone(),
        notification_count: leaving.notification_count,
    };
    state.put_problem_thread(id, thread);
}

fn in_thread(state: &mut State, now: Timestamp, id: &ProblemId, kind: NotificationKind, reason: &str) {
    let Some(mut thread) = state.problem_thread(id).cloned() else { return };
    thread.incident.problem = state.problem(id).and_then(ProblemView::of);
    thread.notification_count += 1;
    state.put_problem_thread(id.clone(), thread.clone());
    notify::closed(state, now, &thread, kind, reason);
}

/// One sentence with everything that somebody needs who reads nothing else.
fn reason(problem: &Problem, kind: NotificationKind) -> String {
    let name = format!("{} “{}”", problem.id, problem.title);
    let by = |who: &Option<String>| who.clone().unwrap_or_else(|| problem.created_by.clone());
    match kind {
        NotificationKind::ProblemAccepted => format!("{name} was accepted by {}", by(&problem.accepted_by)),
        NotificationKind::ProblemKnownError => {
            let workaround = problem.workaround.as_deref().unwrap_or_default();
            format!("{name}; workaround: {workaround}")
        }
        NotificationKind::ProblemResolved => match &problem.note {
            Some(note) => format!("{name} was resolved by {}: {note}", by(&problem.resolved_by)),
            None => format!("{name} was resolved by {}", by(&problem.resolved_by)),
        },
        _ => format!("{name}: {} similar incidents", problem.incident_count),
    }
}
