//! The working set in memory, its indexes, and the record of what changed in it.
//!
//! Rows change only through the `*_mut` methods here, which note them as changed; the store then
//! writes exactly those. Indexes are derived: a restart builds the same ones from the rows.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::alert::AlertNumber;
use crate::model::delivery::incident_of;
use crate::model::problem::{ProblemId, Signature};
use crate::model::silence::{Maintenance, Silence};
use crate::model::{
    Alert, AlertStatus, Delivery, DeliveryState, Fingerprint, Incident, IncidentId, IncidentState, Priority, Problem,
    Span, Timestamp,
};

use crate::mutant::{self, Mutant};

use super::deadline::{Deadline, Deadlines};
use super::effect::Effect;
use super::groups::Groups;
use super::inhibit::Inhibitors;
use super::interner::Interner;
use super::normalize::Names;
use super::policy::Policy;
use super::root_cause::Families;
use super::topology::Topology;
use super::{inhibit, normalize};

#[derive(Clone, Debug, Default)]
pub struct State {
    policy: Arc<Policy>,
    pub(super) topology: Topology,
    /// Only saves memory; nothing is decided by it.
    pub(super) texts: Interner,
    pub(super) names: Names,
    pub(super) families: Families,
    pub(super) inhibitors: Inhibitors,
    pub(super) groups: Groups,
    pub(super) deadlines: Deadlines,
    /// Shared with rows that are on their way to the store, so that taking changes copies nothing.
    alerts: BTreeMap<AlertNumber, Arc<Alert>>,
    by_fingerprint: BTreeMap<Fingerprint, AlertNumber>,
    next_alert: AlertNumber,
    incidents: BTreeMap<IncidentId, Arc<Incident>>,
    /// Open incidents by priority, for the gauge.
    open_counts: BTreeMap<Priority, u64>,
    problems: BTreeMap<ProblemId, Problem>,
    /// Signatures of past incidents, by incident; what recurrence is counted in.
    pub(super) signatures: BTreeMap<IncidentId, PastIncident>,
    /// The pending ones, by incident and id.
    deliveries: BTreeMap<(IncidentId, String), Delivery>,
    silences: BTreeMap<String, Silence>,
    maintenances: BTreeMap<String, Maintenance>,
    /// Learned dependencies, item to the items it depends on.
    learned: BTreeMap<String, BTreeSet<String>>,
    /// How far our time is ahead of a wall clock that was set back.
    ahead: Span,
    /// Loud notifications in the current minute, by receiver.
    pub(super) loud: BTreeMap<String, (Timestamp, u32)>,
    pub(super) effects: Vec<Effect>,
    pub(super) touched: BTreeSet<IncidentId>,
    changed: Changed,
}

#[derive(Clone, Debug, Default)]
struct Changed {
    alerts: BTreeSet<AlertNumber>,
    incidents: BTreeSet<IncidentId>,
    problems: BTreeSet<ProblemId>,
    deliveries: BTreeMap<(IncidentId, String), Delivery>,
    facts: BTreeMap<(&'static str, String), Option<Value>>,
    /// Facts that change with every alert; made only when they are taken.
    families: BTreeSet<Arc<str>>,
    is_next_alert: bool,
    evicted_alerts: Vec<Arc<Alert>>,
    evicted_incidents: Vec<Arc<Incident>>,
}

/// What is left of an incident once it is resolved, for counting recurrence.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct PastIncident {
    pub resolved_at: Timestamp,
    pub signature: Signature,
}

/// What one or more steps changed, whole rows; the store writes them with the inputs that caused them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// With `false` for one that memory has let go of: history from now on.
    pub alerts: Vec<(Arc<Alert>, bool)>,
    pub incidents: Vec<(Arc<Incident>, bool)>,
    pub problems: Vec<Problem>,
    pub deliveries: Vec<Delivery>,
    pub facts: Vec<Fact>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
            && self.incidents.is_empty()
            && self.problems.is_empty()
            && self.deliveries.is_empty()
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

/// What the store gives back at start.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The journal's position that all of this belongs to.
    pub position: u64,
    /// Time of the journal's last row; what comes next is not earlier.
    pub last_at: Timestamp,
    /// The live ones.
    pub alerts: Vec<Alert>,
    pub incidents: Vec<Incident>,
    pub problems: Vec<Problem>,
    /// The pending ones.
    pub deliveries: Vec<Delivery>,
    /// Kind, key, value.
    pub facts: Vec<(String, String, Value)>,
}

/// Kinds of facts in the store.
pub(super) mod fact {
    pub const POLICY: &str = "policy";
    pub const NEXT_ALERT: &str = "next_alert";
    pub const FAMILY: &str = "family";
    pub const ALIAS: &str = "alias";
    pub const DEPENDENCY: &str = "dependency";
    pub const SILENCE: &str = "silence";
    pub const MAINTENANCE: &str = "maintenance";
    pub const SIGNATURE: &str = "signature";
    pub const CLOCK_AHEAD: &str = "clock_ahead";
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
        let mut state = Self { next_alert: 1, ..Self::default() };
        for (kind, key, value) in snapshot.facts {
            state.restore_fact(&kind, &key, value).map_err(|source| RestoreError {
                kind: kind.clone(),
                key: key.clone(),
                source,
            })?;
        }
        for mut alert in snapshot.alerts {
            alert.recorded_at = alert.last_seen_at;
            alert.name = state.texts.share(&alert.name);
            alert.source = state.texts.share(&alert.source);
            alert.service = state.texts.share_some(alert.service.as_deref());
            alert.url = state.texts.share_some(alert.url.as_deref());
            state.next_alert = state.next_alert.max(alert.number + 1);
            state.by_fingerprint.insert(alert.fingerprint, alert.number);
            state.alerts.insert(alert.number, Arc::new(alert));
        }
        // None is counted yet, whatever a copy from memory says.
        let uncounted = snapshot.incidents.into_iter().map(|incident| Incident { counted_as: None, ..incident });
        state.incidents = uncounted.map(|incident| (incident.id, Arc::new(incident))).collect();
        let ids: Vec<IncidentId> = state.incidents.keys().copied().collect();
        ids.iter().for_each(|id| state.count_open(id));
        state.problems = snapshot.problems.into_iter().map(|p| (p.id.clone(), p)).collect();
        state.deliveries = snapshot.deliveries.into_iter().map(|d| ((d.incident, d.id.clone()), d)).collect();
        state.rebuild();
        Ok(state)
    }

    fn restore_fact(&mut self, kind: &str, key: &str, value: Value) -> Result<(), serde_json::Error> {
        match kind {
            fact::POLICY => self.policy = Arc::new(serde_json::from_value(value)?),
            fact::NEXT_ALERT => self.next_alert = serde_json::from_value(value)?,
            fact::FAMILY => self.families.restore(key, serde_json::from_value(value)?),
            fact::ALIAS => self.names.restore(key, serde_json::from_value(value)?),
            fact::DEPENDENCY => drop(self.learned.insert(key.to_owned(), serde_json::from_value(value)?)),
            fact::SILENCE if mutant::is(Mutant::SilenceLostOnRestart) => {}
            fact::SILENCE => drop(self.silences.insert(key.to_owned(), serde_json::from_value(value)?)),
            fact::MAINTENANCE => drop(self.maintenances.insert(key.to_owned(), serde_json::from_value(value)?)),
            fact::SIGNATURE => {
                let id = serde_json::from_value(Value::from(key))?;
                self.signatures.insert(id, serde_json::from_value(value)?);
            }
            fact::CLOCK_AHEAD => self.ahead = serde_json::from_value(value)?,
            // Written by a newer version and of no concern to this one.
            _ => {}
        }
        Ok(())
    }

    /// Makes every index anew from the rows and the policy.
    pub(super) fn rebuild(&mut self) {
        self.topology = Topology::of(&self.policy.topology);
        for (from, all) in &self.learned {
            for to in all {
                self.topology.connect(from, to);
            }
        }
        normalize::index(self);
        self.groups = Groups::default();
        self.inhibitors = Inhibitors::default();
        self.deadlines = Deadlines::default();
        let numbers: Vec<AlertNumber> = self.alerts.keys().copied().collect();
        for number in numbers {
            let alert = &self.alerts[&number];
            inhibit::index(&mut self.inhibitors, &self.policy.inhibit_rules, alert);
            if let Some(incident) = alert.incident.as_ref().and_then(|id| self.incidents.get(id)) {
                self.groups.add(&self.topology, self.policy.correlation.hops_max, &incident.id, alert);
            }
            self.deadlines.set(Deadline::Alert(number), super::alert_moment(self, &self.alerts[&number]));
        }
        for incident in self.incidents.values().filter(|_| !mutant::is(Mutant::TimerLostOnRestart)) {
            self.deadlines.set(Deadline::Incident(incident.id), super::incident_moment(incident, &self.policy));
        }
        for silence in self.silences.values() {
            self.deadlines.set(Deadline::Silence(silence.id.clone()), Some(silence.ends_at));
        }
        for window in self.maintenances.values() {
            self.deadlines.set(Deadline::Maintenance(window.id.clone()), window.ends_at);
        }
        self.schedule_planned();
    }

    /// Sets when the planned windows end, which are written in the wall clock's time.
    fn schedule_planned(&mut self) {
        for window in &self.policy.maintenance {
            let ends_at = window.ends_at.map(|at| at + self.ahead);
            self.deadlines.set(Deadline::Maintenance(window.id.clone()), ends_at);
        }
    }

    pub fn ahead(&self) -> Span {
        self.ahead
    }

    pub(super) fn set_ahead(&mut self, ahead: Span) {
        self.remember(fact::CLOCK_AHEAD, "", serde_json::to_value(ahead).ok());
        self.ahead = ahead;
        self.schedule_planned();
    }

    /// The wall clock's time at this moment of ours, for what people wrote in a calendar.
    pub(super) fn wall_time(&self, now: Timestamp) -> Timestamp {
        now - self.ahead
    }

    /// Our time at a moment of the wall clock, for times that come from outside.
    pub(super) fn own_time(&self, at: Timestamp) -> Timestamp {
        at + self.ahead
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// To be held while the state changes.
    pub(super) fn shared_policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    pub(super) fn set_policy(&mut self, policy: Policy) {
        self.remember(fact::POLICY, "", serde_json::to_value(&policy).ok());
        self.policy = Arc::new(policy);
        self.rebuild();
    }

    pub(super) fn remember(&mut self, kind: &'static str, key: impl Into<String>, value: Option<Value>) {
        self.changed.facts.insert((kind, key.into()), value);
    }

    pub fn alert(&self, number: AlertNumber) -> Option<&Alert> {
        self.alerts.get(&number).map(|alert| &**alert)
    }

    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().map(|alert| &**alert)
    }

    /// Newest first.
    pub fn recent_alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().rev().map(|alert| &**alert)
    }

    pub(super) fn find_alert(&self, fingerprint: Fingerprint) -> Option<AlertNumber> {
        self.by_fingerprint.get(&fingerprint).copied()
    }

    pub(super) fn alert_mut(&mut self, number: AlertNumber) -> Option<&mut Alert> {
        let alert = self.alerts.get_mut(&number)?;
        self.changed.alerts.insert(number);
        Some(Arc::make_mut(alert))
    }

    /// For changes that the row may miss: see `dedup`.
    pub(super) fn alert_unrecorded(&mut self, number: AlertNumber) -> Option<&mut Alert> {
        self.alerts.get_mut(&number).map(Arc::make_mut)
    }

    /// Takes a new alert in and gives it its number.
    pub(super) fn add_alert(&mut self, mut alert: Alert) -> AlertNumber {
        let number = self.next_alert;
        self.next_alert += 1;
        self.changed.is_next_alert = true;
        alert.number = number;
        self.by_fingerprint.insert(alert.fingerprint, number);
        self.alerts.insert(number, Arc::new(alert));
        self.changed.alerts.insert(number);
        number
    }

    /// Lets go of an alert; its row stays as history.
    pub(super) fn evict_alert(&mut self, number: AlertNumber) {
        if let Some(alert) = self.alerts.remove(&number) {
            self.by_fingerprint.remove(&alert.fingerprint);
            self.deadlines.set(Deadline::Alert(number), None);
            self.changed.alerts.remove(&number);
            self.changed.evicted_alerts.push(alert);
        }
    }

    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id).map(|incident| &**incident)
    }

    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.incidents.values().map(|incident| &**incident)
    }

    pub(super) fn incident_mut(&mut self, id: &IncidentId) -> Option<&mut Incident> {
        let incident = self.incidents.get_mut(id)?;
        self.changed.incidents.insert(*id);
        self.touched.insert(*id);
        Some(Arc::make_mut(incident))
    }

    pub(super) fn add_incident(&mut self, incident: Incident) {
        self.changed.incidents.insert(incident.id);
        self.touched.insert(incident.id);
        self.incidents.insert(incident.id, Arc::new(incident));
    }

    /// Lets go of a finished incident and its alerts.
    pub(super) fn evict_incident(&mut self, id: &IncidentId) {
        for number in self.groups.forget(&self.topology, self.policy.correlation.hops_max, id) {
            if self.alerts.get(&number).is_some_and(|alert| alert.incident.as_ref() == Some(id)) {
                self.evict_alert(number);
            }
        }
        if let Some(incident) = self.incidents.remove(id) {
            self.recount(incident.counted_as, None);
            self.deadlines.set(Deadline::Incident(*id), None);
            self.changed.incidents.remove(id);
            self.touched.remove(id);
            self.changed.evicted_incidents.push(incident);
        }
    }

    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.problems.values()
    }

    pub fn problem(&self, id: &ProblemId) -> Option<&Problem> {
        self.problems.get(id)
    }

    pub(super) fn problem_mut(&mut self, id: &ProblemId) -> Option<&mut Problem> {
        let problem = self.problems.get_mut(id)?;
        self.changed.problems.insert(id.clone());
        Some(problem)
    }

    pub(super) fn add_problem(&mut self, problem: Problem) {
        self.changed.problems.insert(problem.id.clone());
        self.problems.insert(problem.id.clone(), problem);
    }

    /// Deliveries that have not ended.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values()
    }

    pub fn delivery(&self, id: &str) -> Option<&Delivery> {
        self.deliveries.get(&(incident_of(id)?, id.to_owned()))
    }

    /// The pending ones of one incident, oldest first.
    pub fn deliveries_of(&self, id: &IncidentId) -> impl Iterator<Item = &Delivery> {
        let id = *id;
        let first = (id, String::new());
        self.deliveries.range(first..).take_while(move |((other, _), _)| *other == id).map(|(_, delivery)| delivery)
    }

    /// Keeps a delivery as it is now; one that has ended leaves memory.
    pub(super) fn put_delivery(&mut self, delivery: Delivery) {
        let key = (delivery.incident, delivery.id.clone());
        self.changed.deliveries.insert(key.clone(), delivery.clone());
        if delivery.state == DeliveryState::Pending {
            self.deliveries.insert(key, delivery);
        } else {
            self.deliveries.remove(&key);
        }
    }

    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.values()
    }

    pub(super) fn put_silence(&mut self, silence: Silence) {
        self.remember(fact::SILENCE, silence.id.clone(), serde_json::to_value(&silence).ok());
        self.deadlines.set(Deadline::Silence(silence.id.clone()), Some(silence.ends_at));
        self.silences.insert(silence.id.clone(), silence);
    }

    pub(super) fn remove_silence(&mut self, id: &str) -> Option<Silence> {
        self.remember(fact::SILENCE, id, None);
        self.deadlines.set(Deadline::Silence(id.to_owned()), None);
        self.silences.remove(id)
    }

    /// Planned windows and those a monitor told of.
    pub fn maintenances(&self) -> impl Iterator<Item = &Maintenance> {
        self.policy.maintenance.iter().chain(self.maintenances.values())
    }

    /// Windows in which it is now: planned ones by the wall clock, those a monitor told of by our time.
    pub(super) fn maintenances_at(&self, now: Timestamp) -> impl Iterator<Item = &Maintenance> {
        let wall = self.wall_time(now);
        let planned = self.policy.maintenance.iter().filter(move |window| window.is_active(wall));
        planned.chain(self.maintenances.values().filter(move |window| window.is_active(now)))
    }

    pub(super) fn put_maintenance(&mut self, window: Maintenance) {
        self.remember(fact::MAINTENANCE, window.id.clone(), serde_json::to_value(&window).ok());
        self.deadlines.set(Deadline::Maintenance(window.id.clone()), window.ends_at);
        self.maintenances.insert(window.id.clone(), window);
    }

    pub(super) fn remove_maintenance(&mut self, id: &str) -> Option<Maintenance> {
        self.remember(fact::MAINTENANCE, id, None);
        self.deadlines.set(Deadline::Maintenance(id.to_owned()), None);
        self.maintenances.remove(id)
    }

    /// Learns that `from` depends on `to`; indexes follow when it was news.
    pub(super) fn learn_dependency(&mut self, from: &str, to: &str) {
        if from == to || !self.learned.entry(from.to_owned()).or_default().insert(to.to_owned()) {
            return;
        }
        self.remember(fact::DEPENDENCY, from, serde_json::to_value(&self.learned[from]).ok());
        let hops_max = self.policy.correlation.hops_max;
        let Some(below) = self.topology.everything_below(from, hops_max) else {
            self.topology.connect(from, to);
            return self.groups.reindex(&self.topology, hops_max);
        };
        let moved = self.groups.lift(&self.topology, hops_max, &below);
        self.topology.connect(from, to);
        self.groups.put_back(&self.topology, hops_max, moved);
    }

    pub(super) fn emit(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Changed rows that [`State::take_changes`] would return.
    pub fn change_count(&self) -> usize {
        let changed = &self.changed;
        changed.alerts.len()
            + changed.incidents.len()
            + changed.problems.len()
            + changed.deliveries.len()
            + changed.facts.len()
            + changed.families.len()
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
            changed.alerts.iter().filter_map(|number| Some((Arc::clone(self.alerts.get(number)?), true))).collect();
        alerts.extend(changed.evicted_alerts.into_iter().map(|alert| (alert, false)));
        let mut incidents: Vec<(Arc<Incident>, bool)> =
            changed.incidents.iter().filter_map(|id| Some((Arc::clone(self.incidents.get(id)?), true))).collect();
        incidents.extend(changed.evicted_incidents.into_iter().map(|incident| (incident, false)));
        Changes {
            alerts,
            incidents,
            problems: changed.problems.iter().filter_map(|id| self.problems.get(id).cloned()).collect(),
            deliveries: changed.deliveries.into_values().collect(),
            facts: self.facts_of(changed.facts, &changed.families, changed.is_next_alert),
        }
    }

    fn facts_of(
        &self,
        facts: BTreeMap<(&'static str, String), Option<Value>>,
        families: &BTreeSet<Arc<str>>,
        is_next_alert: bool,
    ) -> Vec<Fact> {
        let families = families.iter().filter_map(|name| self.families.remember(name));
        let families = families.map(|(key, value)| Fact { kind: fact::FAMILY, key, value: Some(value) });
        let next = Fact { kind: fact::NEXT_ALERT, key: String::new(), value: Some(self.next_alert.into()) };
        let others = facts.into_iter().map(|((kind, key), value)| Fact { kind, key, value });
        others.chain(families).chain(is_next_alert.then_some(next)).collect()
    }

    /// One more firing of an alert's family.
    pub(super) fn count_family(&mut self, name: &Arc<str>, now: Timestamp) {
        self.families.count(name, now);
        self.changed.families.insert(Arc::clone(name));
    }

    /// Files an alert under an incident in the working index.
    pub(super) fn group_alert(&mut self, id: &IncidentId, number: AlertNumber) {
        if let Some(alert) = self.alerts.get(&number) {
            self.groups.add(&self.topology, self.policy.correlation.hops_max, id, alert);
        }
    }

    /// Takes an alert out of an incident in the working index.
    pub(super) fn ungroup_alert(&mut self, id: &IncidentId, number: AlertNumber) {
        if let Some(alert) = self.alerts.get(&number) {
            self.groups.take(&self.topology, self.policy.correlation.hops_max, id, alert);
        }
    }

    /// Follows an alert in the index of inhibition.
    pub(super) fn index_inhibitor(&mut self, number: AlertNumber) {
        if let Some(alert) = self.alerts.get(&number) {
            inhibit::index(&mut self.inhibitors, &self.policy.inhibit_rules, alert);
        }
    }

    /// Open incidents by priority, for the gauge.
    pub fn open_incidents(&self) -> &BTreeMap<Priority, u64> {
        &self.open_counts
    }

    /// Keeps the counts of open incidents true after a change to this one.
    pub(super) fn count_open(&mut self, id: &IncidentId) {
        let Some(incident) = self.incidents.get_mut(id) else { return };
        let is_open = matches!(incident.state, IncidentState::Open | IncidentState::Acknowledged);
        let counts_as = is_open.then_some(incident.priority);
        if incident.counted_as != counts_as {
            let before = std::mem::replace(&mut Arc::make_mut(incident).counted_as, counts_as);
            self.recount(before, counts_as);
        }
    }

    fn recount(&mut self, before: Option<Priority>, after: Option<Priority>) {
        if let Some(count) = before.and_then(|priority| self.open_counts.get_mut(&priority)) {
            *count -= 1;
        }
        if let Some(priority) = after {
            *self.open_counts.entry(priority).or_default() += 1;
        }
    }

    pub fn firing_count(&self) -> usize {
        self.alerts.values().filter(|alert| alert.status == AlertStatus::Firing).count()
    }
}
