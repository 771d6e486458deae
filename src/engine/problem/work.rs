//! What people do with a problem. Decides which step may follow which; every step can be repeated and then
//! changes nothing.
//!
//! ```text
//! proposed ─accept─▶ open ─analyse─▶ analysed ─workaround─▶ known error ─resolve─▶ resolved
//!    ├─reject─▶ rejected ─accept─▶ open      └────────resolve───────▶ resolved ─reopen, recurrence─▶ as before
//!    └─merge─▶ merged (any of them, into one that is accepted)
//! ```
//!
//! A workaround may come before the analysis: people need it at once. With both it is a known error.

use crate::model::problem::{INCIDENTS_NAMED_MAX, Problem, ProblemId, ProblemState, Signature};
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentId, NotificationKind, Timestamp};

use crate::engine::input::{ProblemCommand, Reply};
use crate::engine::state::State;
use crate::engine::{command, root_cause, timeline};
use crate::mutant::{self, Mutant};

use super::tell::tell;
use super::{UNLINKED_MAX, attach, claim, create, detach, keep_latest, signature};

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

fn refused(problem: &Problem, needed: &str) -> Reply {
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
fn checked(field: &str, text: &str, bytes_max: usize) -> Result<String, Reply> {
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
struct Desk<'a> {
    state: &'a mut State,
    now: Timestamp,
    by: &'a str,
}

impl Desk<'_> {
    fn find(&self, text: &str) -> Result<(ProblemId, &Problem), Reply> {
        let id = find(self.state, text)?.id;
        self.state.problem(&id).map(|problem| (id, problem)).ok_or_else(|| Reply::NotFound(text.to_owned()))
    }

    /// One that people work on.
    fn find_accepted(&self, text: &str) -> Result<(ProblemId, &Problem), Reply> {
        let (id, problem) = self.find(text)?;
        if problem.state.is_accepted() { Ok((id, problem)) } else { Err(not_accepted(problem)) }
    }

    fn change(&mut self, id: &ProblemId, change: impl FnOnce(&mut Problem)) {
        let now = self.now;
        if let Some(problem) = self.state.problem_mut(id) {
            change(problem);
            problem.updated_at = now;
        }
    }

    fn note(&mut self, id: &ProblemId, kind: TimelineKind, text: impl Into<String>) {
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

    fn take_on(&mut self, id: &ProblemId) {
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

    fn open(&mut self, title: Option<String>, incidents: &[String]) -> Result<Reply, Reply> {
        let title = title.map(|title| checked("title", &title, WORD_BYTES_MAX)).transpose()?;
        if incidents.is_empty() || incidents.len() > INCIDENTS_MAX {
            let text = format!("`incidents`: expected 1 to {INCIDENTS_MAX} incidents, got {}", incidents.len());
            return Err(Reply::Refused(text));
        }
        let mut ids = Vec::new();
        for text in incidents {
            ids.push(self.find_incident(text)?);
        }
        keep_latest(&mut ids, INCIDENTS_MAX);
        let owners: Vec<Option<ProblemId>> = ids.iter().map(|id| self.owner(id)).collect();
        if let Some(at) = owners.iter().position(Option::is_some) {
            return self.open_already(&owners, &ids[at], owners[at].as_ref());
        }
        let first = ids[0];
        if self.state.incident(&first).is_some_and(|incident| incident.root_cause.is_none()) {
            root_cause::rank(self.state, self.now, &first);
        }
        let title = match title {
            Some(title) => title,
            None => self.title_of(&first),
        };
        let signature = self.signature_of(&first);
        let id = create(self.state, self.now, self.by, title, signature, ids.clone());
        self.take_on(&id);
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        self.note(&id, TimelineKind::ProblemAccepted, format!("opened from {}", names.join(", ")));
        for incident in ids {
            let text = format!("belongs to {id}");
            timeline::incident(self.state, self.now, &incident, TimelineKind::ProblemLinked, self.by, text);
        }
        tell(self.state, self.now, &id, NotificationKind::ProblemAccepted);
        Ok(Reply::Done(id.to_string()))
    }

    /// The same person who asks for the same twice has it.
    fn open_already(
        &self,
        owners: &[Option<ProblemId>],
        incident: &IncidentId,
        owner: Option<&ProblemId>,
    ) -> Result<Reply, Reply> {
        let Some(problem) = owner.and_then(|id| self.state.problem(id)) else {
            return Err(Reply::NotFound(incident.to_string()));
        };
        let is_the_same = owners.iter().all(|other| other.as_ref() == owner) && problem.created_by == self.by;
        if is_the_same && problem.state.is_accepted() {
            return Ok(Reply::Already(problem.id.to_string()));
        }
        Err(belongs_elsewhere(incident, problem))
    }

    fn link(&mut self, text: &str, incident: &str) -> Result<Reply, Reply> {
        let (id, problem) = self.find(text)?;
        let state = problem.state;
        if state == ProblemState::Rejected {
            return Err(refused(problem, "not rejected"));
        }
        let incident = self.find_incident(incident)?;
        match self.owner(&incident) {
            Some(owner) if owner == id => return Ok(Reply::Already(id.to_string())),
            Some(owner) => {
                let owner = self.state.problem(&owner);
                return Err(
                    owner.map_or(Reply::NotFound(incident.to_string()), |owner| belongs_elsewhere(&incident, owner))
                );
            }
            None => {}
        }
        attach(self.state, self.now, &id, &incident, self.by);
        Ok(Reply::Done(id.to_string()))
    }

    fn unlink(&mut self, text: &str, incident: &str) -> Result<Reply, Reply> {
        let (id, problem) = self.find(text)?;
        let was_unlinked = |incident: &IncidentId| problem.unlinked.contains(incident);
        let incident = self.find_incident(incident)?;
        if self.owner(&incident).as_ref() != Some(&id) {
            return match was_unlinked(&incident) {
                true => Ok(Reply::Already(id.to_string())),
                false => Err(Reply::Refused(format!("{incident} does not belong to {id}"))),
            };
        }
        detach(self.state, self.now, &id, &incident);
        self.change(&id, |problem| {
            problem.unlinked.push(incident);
            keep_latest(&mut problem.unlinked, UNLINKED_MAX);
        });
        let said = format!("{incident} does not belong to it");
        self.note(&id, TimelineKind::ProblemUnlinked, said);
        let said = format!("does not belong to {id}");
        timeline::incident(self.state, self.now, &incident, TimelineKind::ProblemUnlinked, self.by, said);
        Ok(Reply::Done(id.to_string()))
    }

    /// Also one that has left memory, as long as its signature is remembered.
    fn find_incident(&self, text: &str) -> Result<IncidentId, Reply> {
        match command::find(self.state, text) {
            Err(Reply::NotFound(_)) => {}
            found => return found,
        }
        let typed = text.trim().to_ascii_lowercase();
        let wanted = if typed.starts_with("inc-") { typed } else { format!("inc-{typed}") };
        let mut past = self.state.past().iter().map(|(id, _)| *id).filter(|id| id.starts_with(&wanted));
        match (past.next().filter(|_| wanted.len() > "inc-".len()), past.next()) {
            (Some(id), None) => Ok(id),
            (Some(first), Some(second)) => Err(Reply::Ambiguous(vec![first.to_string(), second.to_string()])),
            (None, _) => Err(Reply::NotFound(text.to_owned())),
        }
    }

    /// The problem that an incident belongs to. What was rejected has none.
    fn owner(&self, id: &IncidentId) -> Option<ProblemId> {
        let live = self.state.incident(id).and_then(|incident| incident.problem.clone());
        let problem = live.or_else(|| self.state.past().get(id)?.problem.clone())?;
        let owner = self.state.surviving_problem(&problem)?;
        (owner.state != ProblemState::Rejected).then(|| owner.id.clone())
    }

    fn title_of(&self, id: &IncidentId) -> String {
        let live = self.state.incident(id).map(|incident| incident.title.clone());
        let past = || self.state.past().get(id)?.signature.root.clone();
        live.or_else(past).unwrap_or_else(|| id.to_string())
    }

    fn signature_of(&self, id: &IncidentId) -> Option<Signature> {
        let live = self.state.incident(id).and_then(|incident| signature(self.state, incident));
        live.or_else(|| Some(self.state.past().get(id)?.signature.clone()))
    }
}

fn belongs_elsewhere(incident: &IncidentId, problem: &Problem) -> Reply {
    let (id, state) = (&problem.id, problem.state.words());
    let first = match problem.state {
        ProblemState::Proposed => format!("accept {id}, or unlink it there first"),
        _ => "unlink it there first".to_owned(),
    };
    Reply::Refused(format!("{incident} belongs to {id}, which is {state}; {first}"))
}
