//! What people do with a problem. Decides which step may follow which; every step can be repeated and then
//! changes nothing. Which incidents belong to it is in `members.rs`.
//!
//! ```text
//! proposed ─accept─▶ open ─analyse─▶ analysed ─workaround─▶ known error ─resolve─▶ resolved
//!    ├─reject─▶ rejected ─accept─▶ open      └────────resolve───────▶ resolved ─reopen, recurrence─▶ as before
//!    └─merge─▶ merged (any of them, into one that is accepted)
//! ```
//!
//! A workaround may come before the analysis: people need it at once. With both it is a known error.

use crate::model::problem::{INCIDENTS_NAMED_MAX, Problem, ProblemId, ProblemState};
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentId, NotificationKind, Timestamp};
use crate::mutant::{self, Mutant};

use crate::engine::input::{ProblemCommand, Reply};
use crate::engine::state::State;
use crate::engine::timeline;

use super::tell::tell;
use super::{UNLINKED_MAX, claim, keep_latest};

/// Bytes of an analysis or a workaround.
pub const TEXT_BYTES_MAX: usize = 16 * 1_024;
/// Bytes of a title, a name or a note.
pub const WORD_BYTES_MAX: usize = 4 * 1_024;

/// Incidents that one command names.
pub const INCIDENTS_MAX: usize = INCIDENTS_NAMED_MAX;

pub fn describe(command: &ProblemCommand) -> (&'static str, String) {
    let (action, subject) = match command {
        ProblemCommand::Open { incidents, .. } => return ("problem.create", incidents.join(", ")),
        ProblemCommand::Accept { problem } => ("problem.accept", problem),
        ProblemCommand::Reject { problem, .. } => ("problem.reject", problem),
        ProblemCommand::Merge { problem, .. } => ("problem.merge", problem),
        ProblemCommand::Analyse { problem, .. } => ("problem.analyse", problem),
        ProblemCommand::SetWorkaround { problem, .. } => ("problem.workaround", problem),
        ProblemCommand::Resolve { problem, .. } => ("problem.resolve", problem),
        ProblemCommand::Reopen { problem, .. } => ("problem.reopen", problem),
        ProblemCommand::Assign { problem, .. } => ("problem.assign", problem),
        ProblemCommand::Retitle { problem, .. } => ("problem.retitle", problem),
        ProblemCommand::Link { problem, .. } => ("problem.link", problem),
        ProblemCommand::Unlink { problem, .. } => ("problem.unlink", problem),
    };
    (action, subject.clone())
}

pub fn run(state: &mut State, now: Timestamp, by: &str, command: ProblemCommand) -> Reply {
    let mut on = Desk { state, now, by };
    let done = match command {
        ProblemCommand::Open { title, incidents } => on.open(title, &incidents),
        ProblemCommand::Accept { problem } => on.accept(&problem),
        ProblemCommand::Reject { problem, note } => on.reject(&problem, note),
        ProblemCommand::Merge { problem, into } => on.merge(&problem, &into),
        ProblemCommand::Analyse { problem, root_cause_analysis } => on.analyse(&problem, root_cause_analysis),
        ProblemCommand::SetWorkaround { problem, workaround } => on.set_workaround(&problem, workaround),
        ProblemCommand::Resolve { problem, note } => on.resolve(&problem, note),
        ProblemCommand::Reopen { problem, note } => on.reopen(&problem, note),
        ProblemCommand::Assign { problem, to } => on.assign(&problem, to),
        ProblemCommand::Retitle { problem, title } => on.retitle(&problem, title),
        ProblemCommand::Link { problem, incident } => on.link(&problem, &incident),
        ProblemCommand::Unlink { problem, incident } => on.unlink(&problem, &incident),
    };
    done.unwrap_or_else(|reply| reply)
}

/// A problem that an id means.
struct Found {
    /// Where the id leads.
    id: ProblemId,
    /// The id is that of one that was merged into it.
    is_alias: bool,
}

/// By id, by the beginning of one, with or without `prb-`; a merged problem leads to its survivor.
fn find(state: &State, text: &str) -> Result<Found, Reply> {
    let wanted = ProblemId::beginning(text);
    if text.trim().is_empty() {
        return Err(Reply::NotFound(String::new()));
    }
    let named = state.problems().filter(|problem| problem.id.0.starts_with(&wanted));
    let survivors = named.filter_map(|problem| Some((problem, state.surviving_problem(&problem.id)?)));
    let mut found: Vec<(ProblemId, bool)> =
        survivors.map(|(named, survivor)| (survivor.id.clone(), named.id != survivor.id)).collect();
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    match found.len() {
        1 => Ok(found.remove(0)).map(|(id, is_alias)| Found { id, is_alias }),
        0 => Err(Reply::NotFound(text.to_owned())),
        _ => Err(Reply::Ambiguous(found.iter().map(|(id, _)| id.to_string()).collect())),
    }
}

pub(super) fn refused(problem: &Problem, needed: &str) -> Reply {
    Reply::Refused(format!("{} is {}, and this takes one that is {needed}", problem.id, problem.state.words()))
}

/// Only one that people work on will do; says how it becomes that.
fn not_accepted(problem: &Problem) -> Reply {
    let first = match problem.state {
        ProblemState::Proposed | ProblemState::Rejected => "; accept it first",
        ProblemState::Resolved => "; reopen it first",
        _ => "",
    };
    refused(problem, &format!("accepted and not resolved{first}"))
}

/// The text without blanks around it, or what is wrong with it.
pub(super) fn checked(field: &str, text: &str, bytes_max: usize) -> Result<String, Reply> {
    let text = text.trim();
    if text.is_empty() || text.len() > bytes_max {
        let got = if text.is_empty() { "nothing".to_owned() } else { format!("{} bytes", text.len()) };
        return Err(Reply::Refused(format!("`{field}`: expected 1 to {bytes_max} bytes of text, got {got}")));
    }
    Ok(text.to_owned())
}

fn checked_note(note: Option<String>) -> Result<Option<String>, Reply> {
    note.filter(|note| !note.trim().is_empty()).map(|note| checked("note", &note, WORD_BYTES_MAX)).transpose()
}

fn with_note(text: &str, note: Option<&String>) -> String {
    note.map_or_else(|| text.to_owned(), |note| format!("{text}: {note}"))
}

/// Opens a problem that was thought resolved again; `text` says why.
pub(super) fn reopen(state: &mut State, now: Timestamp, id: &ProblemId, by: &str, text: String) {
    if let Some(problem) = state.problem_mut(id) {
        problem.state = problem.worked_state();
        problem.resolved_at = None;
        problem.resolved_by = None;
        problem.reopened_at = Some(now);
        problem.updated_at = now;
        problem.untold = None;
    }
    timeline::problem(state, now, id, TimelineKind::ProblemReopened, by, text);
}

/// Everything that one command needs.
pub(super) struct Desk<'a> {
    pub(super) state: &'a mut State,
    pub(super) now: Timestamp,
    pub(super) by: &'a str,
}

impl Desk<'_> {
    pub(super) fn find(&self, text: &str) -> Result<(ProblemId, &Problem), Reply> {
        let id = find(self.state, text)?.id;
        self.state.problem(&id).map(|problem| (id, problem)).ok_or_else(|| Reply::NotFound(text.to_owned()))
    }

    /// One that people work on.
    fn find_accepted(&self, text: &str) -> Result<(ProblemId, &Problem), Reply> {
        let (id, problem) = self.find(text)?;
        if problem.state.is_accepted() { Ok((id, problem)) } else { Err(not_accepted(problem)) }
    }

    pub(super) fn change(&mut self, id: &ProblemId, change: impl FnOnce(&mut Problem)) {
        let now = self.now;
        if let Some(problem) = self.state.problem_mut(id) {
            change(problem);
            problem.updated_at = now;
        }
    }

    pub(super) fn note(&mut self, id: &ProblemId, kind: TimelineKind, text: impl Into<String>) {
        timeline::problem(self.state, self.now, id, kind, self.by, text);
    }

    /// Brings the state in line with the texts; true when it became a known error by that.
    fn progress(&mut self, id: &ProblemId) -> bool {
        let now = self.now;
        let mut is_news = false;
        self.change(id, |problem| {
            let state = problem.worked_state();
            is_news = state == ProblemState::KnownError && problem.state != state;
            problem.state = state;
            if problem.root_cause_analysis.is_some() {
                problem.analysed_at.get_or_insert(now);
            }
            if state == ProblemState::KnownError {
                problem.known_error_at.get_or_insert(now);
            }
        });
        is_news
    }

    fn accept(&mut self, text: &str) -> Result<Reply, Reply> {
        let (id, problem) = self.find(text)?;
        match problem.state {
            ProblemState::Proposed | ProblemState::Rejected => {}
            state if state.is_accepted() => return Ok(Reply::Already(id.to_string())),
            _ => return Err(refused(problem, "proposed or rejected; reopen it instead")),
        }
        self.take_on(&id);
        self.note(&id, TimelineKind::ProblemAccepted, "accepted");
        tell(self.state, self.now, &id, NotificationKind::ProblemAccepted);
        Ok(Reply::Done(id.to_string()))
    }

    pub(super) fn take_on(&mut self, id: &ProblemId) {
        let (now, by) = (self.now, self.by.to_owned());
        self.change(id, |problem| {
            problem.state = problem.worked_state();
            problem.accepted_at = Some(now);
            problem.accepted_by = Some(by);
            problem.rejected_at = None;
            problem.rejected_by = None;
            problem.note = None;
        });
    }

    fn reject(&mut self, text: &str, note: Option<String>) -> Result<Reply, Reply> {
        let note = checked_note(note)?;
        let (id, problem) = self.find(text)?;
        match problem.state {
            ProblemState::Proposed => {}
            ProblemState::Rejected => return Ok(Reply::Already(id.to_string())),
            state if state.is_accepted() => {
                let text = format!("{id} is {}, and only a proposal is rejected; resolve it", state.words());
                return Err(Reply::Refused(text));
            }
            _ => return Err(refused(problem, "proposed")),
        }
        let (now, by, said) = (self.now, self.by.to_owned(), with_note("rejected", note.as_ref()));
        self.change(&id, |problem| {
            problem.state = ProblemState::Rejected;
            problem.rejected_at = Some(now);
            problem.rejected_by = Some(by);
            problem.note = note;
            problem.untold = None;
        });
        self.note(&id, TimelineKind::ProblemRejected, said);
        Ok(Reply::Done(id.to_string()))
    }

    fn analyse(&mut self, text: &str, analysis: String) -> Result<Reply, Reply> {
        let analysis = checked("root_cause_analysis", &analysis, TEXT_BYTES_MAX)?;
        let (id, problem) = self.find_accepted(text)?;
        if problem.root_cause_analysis.as_ref() == Some(&analysis) {
            return Ok(Reply::Already(id.to_string()));
        }
        let said = format!("root cause: {analysis}");
        self.change(&id, |problem| problem.root_cause_analysis = Some(analysis));
        let is_known_error = self.progress(&id);
        self.note(&id, TimelineKind::ProblemAnalysed, said);
        if is_known_error {
            tell(self.state, self.now, &id, NotificationKind::ProblemKnownError);
        }
        Ok(Reply::Done(id.to_string()))
    }

    fn set_workaround(&mut self, text: &str, workaround: String) -> Result<Reply, Reply> {
        let workaround = checked("workaround", &workaround, TEXT_BYTES_MAX)?;
        let (id, problem) = self.find_accepted(text)?;
        if problem.workaround.as_ref() == Some(&workaround) {
            return Ok(Reply::Already(id.to_string()));
        }
        let said = format!("workaround: {workaround}");
        self.change(&id, |problem| problem.workaround = Some(workaround));
        self.progress(&id);
        self.note(&id, TimelineKind::ProblemWorkaround, said);
        // A better workaround is news as well.
        if self.state.problem(&id).is_some_and(|problem| problem.state == ProblemState::KnownError) {
            tell(self.state, self.now, &id, NotificationKind::ProblemKnownError);
        }
        Ok(Reply::Done(id.to_string()))
    }

    fn resolve(&mut self, text: &str, note: Option<String>) -> Result<Reply, Reply> {
        let note = checked_note(note)?;
        let (id, problem) = self.find(text)?;
        match problem.state {
            ProblemState::Resolved => return Ok(Reply::Already(id.to_string())),
            state if state.is_accepted() => {}
            _ => return Err(not_accepted(problem)),
        }
        let (now, by, said) = (self.now, self.by.to_owned(), with_note("resolved", note.as_ref()));
        self.change(&id, |problem| {
            problem.state = ProblemState::Resolved;
            problem.resolved_at = Some(now);
            problem.resolved_by = Some(by);
            problem.reopened_at = None;
            problem.note = note;
        });
        self.note(&id, TimelineKind::ProblemResolved, said);
        tell(self.state, self.now, &id, NotificationKind::ProblemResolved);
        Ok(Reply::Done(id.to_string()))
    }

    fn reopen(&mut self, text: &str, note: Option<String>) -> Result<Reply, Reply> {
        let note = checked_note(note)?;
        let (id, problem) = self.find(text)?;
        match problem.state {
            ProblemState::Resolved => {}
            state if state.is_accepted() => return Ok(Reply::Already(id.to_string())),
            _ => return Err(refused(problem, "resolved")),
        }
        reopen(self.state, self.now, &id, self.by, with_note("open again", note.as_ref()));
        Ok(Reply::Done(id.to_string()))
    }

    fn assign(&mut self, text: &str, to: String) -> Result<Reply, Reply> {
        let to = checked("to", &to, WORD_BYTES_MAX)?;
        let (id, problem) = self.find(text)?;
        if problem.assignee.as_ref() == Some(&to) {
            return Ok(Reply::Already(id.to_string()));
        }
        if !problem.state.is_active() {
            return Err(refused(problem, "neither resolved nor rejected"));
        }
        let said = format!("assigned to {to}");
        self.change(&id, |problem| problem.assignee = Some(to));
        self.note(&id, TimelineKind::Assigned, said);
        Ok(Reply::Done(id.to_string()))
    }

    fn retitle(&mut self, text: &str, title: String) -> Result<Reply, Reply> {
        let title = checked("title", &title, WORD_BYTES_MAX)?;
        let (id, problem) = self.find(text)?;
        if problem.title == title {
            return Ok(Reply::Already(id.to_string()));
        }
        let said = format!("now called “{title}”, before “{}”", problem.title);
        self.change(&id, |problem| problem.title = title);
        self.note(&id, TimelineKind::ProblemRetitled, said);
        Ok(Reply::Done(id.to_string()))
    }

    /// Both ids lead to the survivor from then on. What it lacks it takes from the other.
    fn merge(&mut self, text: &str, into: &str) -> Result<Reply, Reply> {
        let (from, survivor) = (find(self.state, text)?, find(self.state, into)?);
        if from.id == survivor.id && (from.is_alias || survivor.is_alias) {
            return Ok(Reply::Already(survivor.id.to_string()));
        }
        if from.id == survivor.id {
            return Err(Reply::Refused(format!("{} cannot be merged into itself", from.id)));
        }
        let (id, _) = self.find_accepted(into)?;
        let Some(merged) = self.state.problem(&from.id).cloned() else {
            return Err(Reply::NotFound(text.to_owned()));
        };
        let now = self.now;
        self.change(&merged.id, |problem| {
            problem.state = ProblemState::Merged;
            problem.merged_at = Some(now);
            if !mutant::is(Mutant::ProblemAliasLost) {
                problem.merged_into = Some(id.clone());
            }
            problem.untold = None;
            // They are the survivor's from here on, which may let go of them.
            problem.incidents.clear();
        });
        self.hand_over(&merged, &id);
        self.note(&merged.id, TimelineKind::ProblemMerged, format!("continues as {id}"));
        self.note(&id, TimelineKind::ProblemMerged, format!("takes in {}", merged.id));
        if self.progress(&id) {
            tell(self.state, self.now, &id, NotificationKind::ProblemKnownError);
        }
        Ok(Reply::Done(id.to_string()))
    }

    fn hand_over(&mut self, merged: &Problem, id: &ProblemId) {
        let has = |problem: &Option<ProblemId>| problem.as_ref() == Some(&merged.id);
        let live = self.state.incidents().filter(|incident| has(&incident.problem)).map(|incident| incident.id);
        let past = self.state.past().iter().filter(|(_, past)| has(&past.problem)).map(|(id, _)| *id);
        let own: Vec<IncidentId> = live.chain(past).collect();
        for incident in own {
            claim(self.state, id, &incident);
        }
        self.state.hand_over_thread(&merged.id, id);
        self.change(id, |problem| {
            problem.incidents.extend(&merged.incidents);
            keep_latest(&mut problem.incidents, INCIDENTS_NAMED_MAX);
            problem.incident_count += merged.incident_count;
            problem.last_seen_at = problem.last_seen_at.max(merged.last_seen_at);
            problem.unlinked.extend(&merged.unlinked);
            keep_latest(&mut problem.unlinked, UNLINKED_MAX);
            problem.merged_from.push(merged.id.clone());
            problem.merged_from.extend(merged.merged_from.iter().cloned());
            let take = |own: &mut Option<String>, other: &Option<String>| {
                if own.is_none() {
                    own.clone_from(other);
                }
            };
            take(&mut problem.root_cause_analysis, &merged.root_cause_analysis);
            take(&mut problem.workaround, &merged.workaround);
            take(&mut problem.assignee, &merged.assignee);
        });
    }
}
