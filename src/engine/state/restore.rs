//! The working set from the rows of the store, and every index from the working set.

use serde_json::Value;
use std::sync::Arc;

use super::{State, fact};
use crate::engine::deadline::{Deadline, Deadlines};
use crate::engine::groups::Groups;
use crate::engine::inhibit::{self, Inhibitors};
use crate::engine::topology::Topology;
use crate::engine::{alert_moment, changes, dispatch, heartbeat, incident_moment, normalize, silence};
use crate::model::alert::AlertNumber;
use crate::model::incident::{Routed, Wave};
use crate::model::{Alert, Delivery, Incident, IncidentId, Problem, Timestamp};
use crate::mutant::{self, Mutant};

/// What the store gives back at start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The journal's position that all of this belongs to.
    pub position: u64,
    /// Time of that row; what comes next is not earlier.
    pub last_at: Timestamp,
    /// The live ones.
    pub alerts: Vec<Arc<Alert>>,
    pub incidents: Vec<Arc<Incident>>,
    pub problems: Vec<Problem>,
    /// The pending ones.
    pub deliveries: Vec<Delivery>,
    /// Kind, key, value.
    pub facts: Vec<(String, String, Value)>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot read the stored {kind} `{key}`")]
pub struct RestoreError {
    pub kind: String,
    pub key: String,
    #[source]
    pub source: serde_json::Error,
}

impl State {
    /// The state that the store holds. The same rows give the same state, in every detail that decides.
    ///
    /// # Errors
    /// When a fact does not have the shape that its kind has.
    pub fn restore(snapshot: Snapshot) -> Result<Self, RestoreError> {
        let mut state = Self { next_alert: 1, reached: snapshot.last_at, ..Self::default() };
        for (kind, key, value) in snapshot.facts {
            state.restore_fact(&kind, &key, value).map_err(|source| RestoreError {
                kind: kind.clone(),
                key: key.clone(),
                source,
            })?;
        }
        state.learning.rebuild();
        for mut shared in snapshot.alerts {
            let alert = Arc::make_mut(&mut shared);
            alert.recorded_at = alert.last_seen_at;
            alert.name = state.texts.share(&alert.name);
            state.classes.note(&alert.name);
            alert.source = state.texts.share(&alert.source);
            alert.service = state.texts.share_some(alert.service.as_deref());
            alert.url = state.texts.share_some(alert.url.as_deref());
            alert.configuration_item = alert.configuration_item.take().map(|item| state.topology.known(&item));
            state.next_alert = state.next_alert.max(alert.number + 1);
            state.by_fingerprint.insert(alert.fingerprint, alert.number);
            state.alerts.insert(alert.number, shared);
        }
        let mut routes = Vec::new();
        for mut incident in snapshot.incidents {
            let restored = Arc::make_mut(&mut incident);
            restored.routed = restored.routed.take().map(|routed| shared(&mut routes, routed));
            // None is counted yet, whatever a copy from memory says.
            restored.counted_as = None;
            forget_some(restored);
            state.last_incident = state.last_incident.max(Some(incident.id));
            state.incidents.insert(incident.id, incident);
        }
        let ids: Vec<IncidentId> = state.incidents.keys().copied().collect();
        ids.iter().for_each(|id| state.count_open(id));
        for mut problem in snapshot.problems {
            if mutant::is(Mutant::WorkaroundLostOnRestart) {
                problem.workaround = None;
            }
            state.index_problem(problem);
        }
        state.deliveries = snapshot.deliveries.into_iter().map(|d| ((d.incident, d.id.clone()), d)).collect();
        state.rebuild();
        dispatch::rebuild(&mut state, snapshot.last_at);
        Ok(state)
    }

    fn restore_fact(&mut self, kind: &str, key: &str, value: Value) -> Result<(), serde_json::Error> {
        match kind {
            fact::POLICY => self.policy = Arc::new(serde_json::from_value(value)?),
            fact::NEXT_ALERT => self.next_alert = serde_json::from_value(value)?,
            fact::LAST_INCIDENT => self.last_incident = serde_json::from_value(value)?,
            fact::COUNT if mutant::is(Mutant::LearnedLostOnRestart) => {}
            fact::COUNT => self.history.restore(key, serde_json::from_value(value)?),
            fact::ALIAS => normalize::restore(self, key, serde_json::from_value(value)?),
            fact::DEPENDENCY if mutant::is(Mutant::DependencyLostOnRestart) => {}
            fact::DEPENDENCY => {
                let all: Vec<String> = serde_json::from_value(value)?;
                let from = self.topology.know(key);
                for to in all {
                    let to = self.topology.know(&to);
                    self.topology.learn(from, to);
                }
            }
            fact::SILENCE if mutant::is(Mutant::SilenceLostOnRestart) => {}
            fact::SILENCE => drop(self.silences.insert(key.to_owned(), serde_json::from_value(value)?)),
            fact::MAINTENANCE => drop(self.maintenances.insert(key.to_owned(), serde_json::from_value(value)?)),
            fact::HEARTBEAT => drop(self.heartbeats.insert(key.to_owned(), serde_json::from_value(value)?)),
            fact::OVERRIDE if mutant::is(Mutant::OverrideLostOnRestart) => {}
            fact::OVERRIDE => self.restore_override(serde_json::from_value(value)?),
            fact::GAPS_LOOKED_AT => self.gaps_looked_at = serde_json::from_value(value)?,
            fact::CHANGE => self.recent.put(serde_json::from_value(value)?),
            fact::SIGNATURE => {
                let id = serde_json::from_value(Value::from(key))?;
                self.past.put(id, serde_json::from_value(value)?);
            }
            fact::CONFIRMED_CAUSE if mutant::is(Mutant::SignatureLostOnRestart) => {}
            fact::CONFIRMED_CAUSE => {
                let id = serde_json::from_value(Value::from(key))?;
                self.learning.put(id, serde_json::from_value(value)?);
            }
            fact::PROBLEM_THREAD => {
                let id = serde_json::from_value(Value::from(key))?;
                self.problem_threads.insert(id, serde_json::from_value(value)?);
            }
            fact::ALERT_GROUP if mutant::is(Mutant::GroupLostOnRestart) => {}
            fact::ALERT_GROUP => dispatch::restore(self, value)?,
            fact::TOLD if mutant::is(Mutant::ToldLostOnRestart) => {}
            fact::TOLD => dispatch::restore_told(self, key, value)?,
            fact::GROUP_THREAD if mutant::is(Mutant::GroupThreadLostOnRestart) => {}
            fact::GROUP_THREAD => dispatch::remote::restore(self, key, value)?,
            fact::GROUP_NOTIFICATION => self.book.notification_count = serde_json::from_value(value)?,
            fact::TOPOLOGY if mutant::is(Mutant::OriginLostOnRestart) => {}
            fact::TOPOLOGY => self.origins.restore(key, value)?,
            fact::TOPOLOGY_VERSION => self.origins.restore_version(value)?,
            fact::CLOCK_AHEAD => self.ahead = serde_json::from_value(value)?,
            fact::AWAY_UNTIL => self.away_until = serde_json::from_value(value)?,
            // Written by a newer version and of no concern to this one.
            _ => {}
        }
        Ok(())
    }

    /// Makes every index anew from the rows and the policy.
    pub(in crate::engine) fn rebuild(&mut self) {
        let pushed = self.origins.pushed().map(|(_, origin)| &*origin.topology);
        let united = Topology::unite([&self.policy.topology].into_iter().chain(pushed));
        let before = std::mem::replace(&mut self.topology, united);
        for (from, all) in before.learned() {
            let from = self.topology.intern(from);
            for to in all {
                let to = self.topology.intern(to);
                self.topology.learn(from, to);
                self.topology.connect(from, to);
            }
        }
        normalize::index(self);
        self.groups = Groups::new(&self.policy.correlation.scope_labels);
        self.inhibitors = Inhibitors::default();
        self.deadlines = Deadlines::default();
        self.routes_decided.clear();
        let numbers: Vec<AlertNumber> = self.alerts.values().map(|alert| alert.number).collect();
        for number in numbers {
            let Some(alert) = self.alerts.get(number) else { continue };
            inhibit::index(&mut self.inhibitors, &self.policy, alert);
            if let Some(incident) = alert.incident.as_ref().and_then(|id| self.incidents.get(id)) {
                self.groups.add(&mut self.topology, self.policy.correlation.hops_max, &incident.id, alert);
            }
            let at = self.alerts.get(number).and_then(|alert| alert_moment(self, alert));
            self.deadlines.set(Deadline::Alert(number), at);
        }
        for incident in self.incidents.values().filter(|_| !mutant::is(Mutant::TimerLostOnRestart)) {
            self.deadlines.set(Deadline::Incident(incident.id), incident_moment(self, incident));
        }
        self.silence_index = silence::Index::default();
        for silence in self.silences.values() {
            self.silence_index.put(silence);
            let at = silence::moment(silence, &self.policy);
            self.deadlines.set(Deadline::Silence(silence.id.clone()), Some(at));
        }
        for window in self.maintenances.values() {
            self.deadlines.set(Deadline::Maintenance(window.id.clone()), window.ends_at);
        }
        heartbeat::schedule(self);
        self.recount_overrides();
        dispatch::schedule_all(self);
        changes::schedule(self);
        self.schedule_planned();
    }
}

/// Only as planted bugs.
fn forget_some(incident: &mut Incident) {
    if mutant::is(Mutant::SplitForgottenOnRestart) {
        incident.wave = Wave::default();
    }
    if mutant::is(Mutant::ConfirmationLostOnRestart)
        && let Some(cause) = &mut incident.root_cause
    {
        cause.confirmed_by = None;
    }
}

/// Decisions that are looked through for an equal one.
const ROUTES_SHARED_MAX: usize = 64;

/// Many incidents go the same way; only memory is saved by it.
fn shared(known: &mut Vec<Arc<Routed>>, routed: Arc<Routed>) -> Arc<Routed> {
    if let Some(same) = known.iter().find(|other| **other == routed) {
        return Arc::clone(same);
    }
    if known.len() < ROUTES_SHARED_MAX {
        known.push(Arc::clone(&routed));
    }
    routed
}
