//! What was answered about a problem holds, and everything leads to where its work goes on.

use watchbell::engine::input::{ProblemCommand, Reply};
use watchbell::engine::state::State;
use watchbell::model::problem::{Problem, ProblemId, ProblemState};
use watchbell::model::{Incident, IncidentId};

use super::{Verdict, Violation, ensure};

/// Right after a command that was granted, or that was needless because it was so already.
pub(super) fn judge_problem_command(state: &State, command: &ProblemCommand, reply: Option<&Reply>) -> Verdict {
    let Some(Reply::Done(id) | Reply::Already(id)) = reply else { return Ok(()) };
    let Some(problem) = state.problem(&ProblemId(id.as_str().into())) else {
        return Err(Violation::new("problems", format!("{id} was answered, and there is no such problem")));
    };
    let is = |wanted: ProblemState| problem.state == wanted;
    let holds = match command {
        ProblemCommand::Open { incidents, .. } => {
            problem.state.is_accepted() && incidents.iter().all(|incident| belongs(state, incident, problem))
        }
        ProblemCommand::Accept { .. } | ProblemCommand::Reopen { .. } => problem.state.is_accepted(),
        ProblemCommand::Reject { .. } => is(ProblemState::Rejected),
        ProblemCommand::Merge { problem: from, into } => {
            [from, into].into_iter().all(|id| survivor(state, id).is_some_and(|survivor| survivor.id == problem.id))
        }
        ProblemCommand::Analyse { root_cause_analysis, .. } => {
            problem.root_cause_analysis.as_ref() == Some(root_cause_analysis)
                && (is(ProblemState::Analysed) || is(ProblemState::KnownError))
        }
        ProblemCommand::SetWorkaround { workaround, .. } => problem.workaround.as_ref() == Some(workaround),
        ProblemCommand::Resolve { .. } => is(ProblemState::Resolved),
        ProblemCommand::Assign { to, .. } => problem.assignee.as_ref() == Some(to),
        ProblemCommand::Retitle { title, .. } => problem.title == *title,
        ProblemCommand::Link { incident, .. } => belongs(state, incident, problem),
        ProblemCommand::Unlink { incident, .. } => !belongs(state, incident, problem),
    };
    ensure(holds, "problems", || format!("{command:?} was answered {reply:?}, but it is {problem:?}"))
}

fn survivor<'a>(state: &'a State, id: &str) -> Option<&'a Problem> {
    state.surviving_problem(&ProblemId(id.into()))
}

/// Merged incidents lead to others.
fn belongs(state: &State, incident: &str, problem: &Problem) -> bool {
    let Ok(id) = incident.parse::<IncidentId>() else { return false };
    // One that was due to leave memory has left it with the same step.
    let Some(known) = state.incident(&id) else { return problem.incidents.contains(&id) };
    let mut found = Some(known);
    while let Some(next) = found.and_then(|incident| incident.merged_into).and_then(|id| state.incident(&id)) {
        found = Some(next);
    }
    found.is_some_and(|incident| incident.problem.as_ref() == Some(&problem.id))
}

/// In every state: incidents and merged ids lead to a problem that goes on, and a known error has its texts.
pub(super) fn judge_problems(state: &State) -> Verdict {
    for problem in state.problems() {
        let end = state.surviving_problem(&problem.id);
        ensure(end.is_some_and(|end| end.state != ProblemState::Merged), "problems", || {
            format!("{} was merged and leads nowhere: {problem:?}", problem.id)
        })?;
        let has_texts = problem.root_cause_analysis.is_some() && problem.workaround.is_some();
        ensure(problem.state != ProblemState::KnownError || has_texts, "problems", || {
            format!("{} is a known error without its texts: {problem:?}", problem.id)
        })?;
        if problem.state == ProblemState::Merged {
            continue;
        }
        for incident in problem.incidents.iter().filter_map(|id| state.incident(id)) {
            let points_back = incident.problem.as_ref() == Some(&problem.id);
            ensure(points_back, "problems", || format!("{} does not point back to {}", incident.id, problem.id))?;
        }
    }
    state.incidents().try_for_each(|incident| judge_owner(incident, state))
}

fn judge_owner(incident: &Incident, state: &State) -> Verdict {
    let Some(id) = &incident.problem else { return Ok(()) };
    let goes_on = state.problem(id).is_some_and(|problem| problem.state != ProblemState::Merged);
    ensure(goes_on, "problems", || format!("{} belongs to {id}, which does not go on", incident.id))
}
