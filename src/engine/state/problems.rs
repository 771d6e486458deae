//! Problems in the working set, and what is remembered of incidents: for problems, and of their confirmed causes.

use super::{State, fact};
use crate::engine::problem::signatures::{PastIncident, Signatures};
use crate::engine::problem::tell::Thread;
use crate::engine::signature::{Learning, Remembered};
use crate::model::problem::{ProblemId, Scope};
use crate::model::{IncidentId, Problem, Timestamp};

impl State {
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.values()
    }

    pub fn problem(&self, id: &ProblemId) -> Option<&Problem> {
        self.problems.get(id)
    }

    /// The problem that an id leads to: one that was merged goes on as another.
    pub fn surviving_problem(&self, id: &ProblemId) -> Option<&Problem> {
        let mut last = self.problems.get(id)?;
        while let Some(next) = last.merged_into.as_ref().and_then(|id| self.problems.get(id)) {
            last = next;
        }
        Some(last)
    }

    /// Those whose signature is about this item or kind, in the order of their ids.
    pub(in crate::engine) fn problems_of(&self, scope: &Scope) -> impl Iterator<Item = &Problem> + use<'_> {
        let ids = self.problems_by_scope.get(scope).into_iter().flatten();
        ids.filter_map(|id| self.problems.get(id))
    }

    pub(in crate::engine) fn problem_mut(&mut self, id: &ProblemId) -> Option<&mut Problem> {
        let problem = self.problems.get_mut(id)?;
        self.changed.problems.insert(id.clone());
        Some(problem)
    }

    pub(in crate::engine) fn add_problem(&mut self, problem: Problem) {
        self.changed.problems.insert(problem.id.clone());
        self.index_problem(problem);
    }

    pub(super) fn index_problem(&mut self, problem: Problem) {
        if let Some(scope) = problem.signature.as_ref().and_then(|signature| signature.scope()) {
            self.problems_by_scope.entry(scope).or_default().insert(problem.id.clone());
        }
        self.problems.insert(problem.id.clone(), problem);
    }

    pub(in crate::engine) fn problem_thread(&self, id: &ProblemId) -> Option<&Thread> {
        self.problem_threads.get(id)
    }

    pub(in crate::engine) fn put_problem_thread(&mut self, id: ProblemId, thread: Thread) {
        self.remember(fact::PROBLEM_THREAD, id.to_string(), serde_json::to_value(&thread).ok());
        self.problem_threads.insert(id, thread);
    }

    /// The thread of a merged problem is its survivor's, if it is about the later incident.
    pub(in crate::engine) fn hand_over_thread(&mut self, from: &ProblemId, to: &ProblemId) {
        let Some(thread) = self.problem_threads.remove(from) else { return };
        self.remember(fact::PROBLEM_THREAD, from.to_string(), None);
        if self.problem_threads.get(to).is_none_or(|own| own.incident.id < thread.incident.id) {
            self.put_problem_thread(to.clone(), thread);
        }
    }

    /// Past incidents; what recurrence is counted in.
    pub(in crate::engine) fn past(&self) -> &Signatures {
        &self.past
    }

    pub(in crate::engine) fn put_past(&mut self, id: IncidentId, past: PastIncident) {
        self.remember(fact::SIGNATURE, id.to_string(), serde_json::to_value(&past).ok());
        self.past.put(id, past);
    }

    /// The past incident belongs to this problem, or to none.
    pub(in crate::engine) fn claim_past(&mut self, id: &IncidentId, problem: Option<ProblemId>) {
        if let Some(past) = self.past.claim(id, problem) {
            let value = serde_json::to_value(past).ok();
            self.remember(fact::SIGNATURE, id.to_string(), value);
        }
    }

    pub(in crate::engine) fn forget_past(&mut self, id: &IncidentId) {
        if self.past.remove(id) {
            self.remember(fact::SIGNATURE, id.to_string(), None);
        }
    }

    /// What confirmed causes have taught.
    pub fn learning(&self) -> &Learning {
        &self.learning
    }

    pub(in crate::engine) fn remember_cause(&mut self, id: IncidentId, remembered: Remembered) {
        self.remember(fact::CONFIRMED_CAUSE, id.to_string(), serde_json::to_value(&remembered).ok());
        self.learning.put(id, remembered);
    }

    pub(in crate::engine) fn forget_cause(&mut self, id: &IncidentId) -> bool {
        let is_known = self.learning.remove(id);
        if is_known {
            self.remember(fact::CONFIRMED_CAUSE, id.to_string(), None);
        }
        is_known
    }

    /// Forgets what is older, and the oldest where there are too many.
    pub(in crate::engine) fn forget_past_before(&mut self, before: Timestamp) {
        while let Some(id) = self.past.forgettable(before) {
            self.forget_past(&id);
        }
    }
}
