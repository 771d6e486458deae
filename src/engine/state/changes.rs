//! What has changed in the working set since the store was last told: whole rows, taken at once. What people
//! changed outside is in `engine/changes.rs`.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::State;
use crate::model::alert::AlertNumber;
use crate::model::problem::ProblemId;
use crate::model::{Alert, Change, Delivery, Incident, IncidentId, PastFiring, Problem};

#[derive(Clone, Debug, Default)]
pub(super) struct Changed {
    pub(super) alerts: BTreeSet<AlertNumber>,
    pub(super) incidents: BTreeSet<IncidentId>,
    pub(super) problems: BTreeSet<ProblemId>,
    pub(super) deliveries: BTreeMap<(IncidentId, String), Delivery>,
    /// By key, as their rows are to be from now on.
    pub(super) told: BTreeMap<String, Change>,
    pub(super) firings: Vec<PastFiring>,
    pub(super) facts: BTreeMap<(&'static str, String), Option<Value>>,
    pub(super) is_next_alert: bool,
    pub(super) evicted_alerts: Vec<Arc<Alert>>,
    pub(super) evicted_incidents: Vec<Arc<Incident>>,
}

/// What one or more steps changed, whole rows; the store writes them with the inputs that caused them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// With `false` for one that memory has let go of: history from now on.
    pub alerts: Vec<(Arc<Alert>, bool)>,
    pub incidents: Vec<(Arc<Incident>, bool)>,
    pub problems: Vec<Problem>,
    pub deliveries: Vec<Delivery>,
    /// What sources told of changes outside (`model/change.rs`), for their history.
    pub told: Vec<Change>,
    /// Those that are over, for history.
    pub firings: Vec<PastFiring>,
    pub facts: Vec<Fact>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
            && self.incidents.is_empty()
            && self.problems.is_empty()
            && self.deliveries.is_empty()
            && self.told.is_empty()
            && self.firings.is_empty()
            && self.facts.is_empty()
    }
}

/// A small thing that the engine must remember: a silence, a learned name, a count.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    pub kind: &'static str,
    pub key: String,
    /// Absent when it is to be forgotten.
    pub value: Option<Value>,
}

/// Kinds of facts in the store.
pub(in crate::engine) mod fact {
    pub const POLICY: &str = "policy";
    pub const NEXT_ALERT: &str = "next_alert";
    pub const LAST_INCIDENT: &str = "last_incident";
    pub const COUNT: &str = "count";
    pub const ALIAS: &str = "alias";
    pub const DEPENDENCY: &str = "dependency";
    pub const SILENCE: &str = "silence";
    pub const MAINTENANCE: &str = "maintenance";
    pub const SIGNATURE: &str = "signature";
    pub const CONFIRMED_CAUSE: &str = "confirmed_cause";
    pub const PROBLEM_THREAD: &str = "problem_thread";
    pub const CLOCK_AHEAD: &str = "clock_ahead";
    pub const CHANGE: &str = "change";
    pub const AWAY_UNTIL: &str = "away_until";
    pub const TOPOLOGY: &str = "topology";
    pub const ALERT_GROUP: &str = "alert_group";
    pub const TOLD: &str = "told";
    pub const GROUP_THREAD: &str = "group_thread";
    pub const GROUP_NOTIFICATION: &str = "group_notification";
    pub const HEARTBEAT: &str = "heartbeat";
    pub const OVERRIDE: &str = "override";
    pub const GAPS_LOOKED_AT: &str = "gaps_looked_at";
    pub const TOPOLOGY_VERSION: &str = "topology_version";
}

impl State {
    pub(in crate::engine) fn remember(&mut self, kind: &'static str, key: impl Into<String>, value: Option<Value>) {
        self.changed.facts.insert((kind, key.into()), value);
    }

    /// Changed rows that [`State::take_changes`] would return.
    pub fn change_count(&self) -> usize {
        let changed = &self.changed;
        changed.alerts.len()
            + changed.incidents.len()
            + changed.problems.len()
            + changed.deliveries.len()
            + changed.told.len()
            + changed.firings.len()
            + changed.facts.len()
            + self.history.change_count()
            + changed.evicted_alerts.len()
            + changed.evicted_incidents.len()
    }

    pub fn has_changes(&self) -> bool {
        self.change_count() > 0
    }

    /// Counts every alert as changed that has repeated since its row was written (see `dedup`).
    pub fn record_all(&mut self) {
        let repeated = self.alerts.values().filter(|alert| alert.last_seen_at > alert.recorded_at);
        self.changed.alerts.extend(repeated.map(|alert| alert.number));
    }

    /// Everything that changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        let changed = std::mem::take(&mut self.changed);
        let mut alerts: Vec<(Arc<Alert>, bool)> =
            changed.alerts.iter().filter_map(|number| Some((Arc::clone(self.alerts.get(*number)?), true))).collect();
        alerts.extend(changed.evicted_alerts.into_iter().map(|alert| (alert, false)));
        let mut incidents: Vec<(Arc<Incident>, bool)> =
            changed.incidents.iter().filter_map(|id| Some((Arc::clone(self.incidents.get(id)?), true))).collect();
        incidents.extend(changed.evicted_incidents.into_iter().map(|incident| (incident, false)));
        Changes {
            alerts,
            incidents,
            problems: changed.problems.iter().filter_map(|id| self.problems.get(id).cloned()).collect(),
            deliveries: changed.deliveries.into_values().collect(),
            told: changed.told.into_values().collect(),
            firings: changed.firings,
            facts: self.facts_of(changed.facts, changed.is_next_alert),
        }
    }

    fn facts_of(&mut self, facts: BTreeMap<(&'static str, String), Option<Value>>, is_next_alert: bool) -> Vec<Fact> {
        let counts = self.history.take_changed().into_iter();
        let counts = counts.map(|(key, value)| Fact { kind: fact::COUNT, key, value });
        let next = Fact { kind: fact::NEXT_ALERT, key: String::new(), value: Some(self.next_alert.into()) };
        let others = facts.into_iter().map(|((kind, key), value)| Fact { kind, key, value });
        others.chain(counts).chain(is_next_alert.then_some(next)).collect()
    }
}
