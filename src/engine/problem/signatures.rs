//! What is left of incidents once they are resolved: their signatures, by item and by kind, for counting
//! recurrence. Decides what is forgotten: the oldest, once it is too old or there are too many.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::problem::{ProblemId, Scope, Signature};
use crate::model::{IncidentId, Timestamp};

/// Past incidents that are remembered, a few hundred bytes each.
pub const PAST_MAX: usize = 20_000;
/// Past incidents that one is compared with, the latest of its item or kind.
pub const COMPARED_MAX: usize = 256;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastIncident {
    pub resolved_at: Timestamp,
    pub signature: Signature,
    /// The problem that has it; then it counts for no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProblemId>,
}

#[derive(Clone, Debug, Default)]
pub struct Signatures {
    all: BTreeMap<IncidentId, PastIncident>,
    by_age: BTreeSet<(Timestamp, IncidentId)>,
    by_scope: BTreeMap<Scope, BTreeSet<IncidentId>>,
}

impl Signatures {
    pub fn get(&self, id: &IncidentId) -> Option<&PastIncident> {
        self.all.get(id)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&IncidentId, &PastIncident)> {
        self.all.iter()
    }

    /// Newest first.
    pub fn of(&self, scope: &Scope) -> impl Iterator<Item = (&IncidentId, &PastIncident)> {
        let ids = self.by_scope.get(scope).into_iter().flat_map(|ids| ids.iter().rev());
        ids.filter_map(|id| Some((id, self.all.get(id)?)))
    }

    pub fn put(&mut self, id: IncidentId, past: PastIncident) {
        self.remove(&id);
        self.by_age.insert((past.resolved_at, id));
        for scope in past.signature.scopes() {
            self.by_scope.entry(scope).or_default().insert(id);
        }
        self.all.insert(id, past);
    }

    pub fn claim(&mut self, id: &IncidentId, problem: Option<ProblemId>) -> Option<&PastIncident> {
        let past = self.all.get_mut(id).filter(|past| past.problem != problem)?;
        past.problem = problem;
        Some(past)
    }

    pub fn remove(&mut self, id: &IncidentId) -> bool {
        let Some(past) = self.all.remove(id) else { return false };
        self.by_age.remove(&(past.resolved_at, *id));
        for scope in past.signature.scopes() {
            if let Some(ids) = self.by_scope.get_mut(&scope) {
                ids.remove(id);
                if ids.is_empty() {
                    self.by_scope.remove(&scope);
                }
            }
        }
        true
    }

    /// The oldest, if it ended before `before` or there are more than enough.
    pub fn forgettable(&self, before: Timestamp) -> Option<IncidentId> {
        let (at, id) = self.by_age.first()?;
        (*at < before || self.all.len() > PAST_MAX).then_some(*id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::incident_id::sample_id;

    fn past(root: &str, at_ms: i64) -> PastIncident {
        let signature = Signature { root: Some(root.into()), kind: Some("host".into()), families: BTreeSet::new() };
        PastIncident { resolved_at: Timestamp::from_millis(at_ms), signature, problem: None }
    }

    #[test]
    fn the_newest_come_first_and_the_oldest_go_first() {
        let mut all = Signatures::default();
        let ids = ["inc-a", "inc-b", "inc-c"].map(sample_id);
        all.put(ids[0], past("web1", 30));
        all.put(ids[1], past("web1", 10));
        all.put(ids[2], past("web2", 20));
        let of = |all: &Signatures, scope| all.of(&scope).map(|(id, _)| *id).collect::<Vec<_>>();
        let mut web1 = [ids[0], ids[1]];
        web1.sort_unstable_by(|a, b| b.cmp(a));
        assert_eq!(of(&all, Scope::Item("web1".into())), web1);
        assert_eq!(of(&all, Scope::Kind("host".into())).len(), 3);
        assert_eq!(all.forgettable(Timestamp::from_millis(10)), None);
        assert_eq!(all.forgettable(Timestamp::from_millis(11)), Some(ids[1]));
        assert!(all.remove(&ids[1]) && !all.remove(&ids[1]));
        assert_eq!(of(&all, Scope::Item("web1".into())), [ids[0]]);
        assert_eq!(all.forgettable(Timestamp::from_millis(20)), None);
    }
}
