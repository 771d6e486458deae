//! Which incidents people say belong to a problem: opened from some, linked, unlinked. Decides that an
//! incident belongs to one problem at most; what was rejected has no claim.

use crate::engine::input::Reply;
use crate::engine::{command, root_cause, timeline};
use crate::model::problem::{Problem, ProblemId, ProblemState, Signature};
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentId, NotificationKind};

use super::tell::tell;
use super::work::{Desk, INCIDENTS_MAX, WORD_BYTES_MAX, checked, refused};
use super::{UNLINKED_MAX, attach, create, detach, keep_latest, signature};

impl Desk<'_> {
    pub(super) fn open(&mut self, title: Option<String>, incidents: &[String]) -> Result<Reply, Reply> {
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

    pub(super) fn link(&mut self, text: &str, incident: &str) -> Result<Reply, Reply> {
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

    pub(super) fn unlink(&mut self, text: &str, incident: &str) -> Result<Reply, Reply> {
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
