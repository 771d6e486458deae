//! The working set in memory, its indexes, and the record of what changed in it.
//!
//! Rows change only through the `*_mut` methods here, which note them as changed; the store then
//! writes exactly those. Indexes are derived: a restart builds the same ones from the rows.

mod changes;
mod heartbeats;
mod muting;
mod on_call;
mod problems;
mod restore;

pub(super) use changes::fact;
pub use changes::{Changes, Fact};
pub use restore::{RestoreError, Snapshot};

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::alert::AlertNumber;
use crate::model::delivery::incident_of;
use crate::model::problem::{ProblemId, Scope};
use crate::model::recurrence::Occurrence;
use crate::model::silence::{Maintenance, Silence};
use crate::model::{
    Alert, AlertStatus, Change, Delivery, DeliveryState, Fingerprint, Heartbeat, Incident, IncidentId, IncidentState,
    PastFiring, Priority, Problem, Span, Timestamp,
};

use super::changes::RecentChanges;
use super::deadline::{Deadline, Deadlines};
use super::dispatch::{self, Book};
use super::effect::Effect;
use super::groups::Groups;
use super::history::History;
use super::inhibit::Inhibitors;
use super::interner::{Classes, Interner};
use super::normalize::Names;
use super::numbered::Numbered;
use super::on_call::Overrides;
use super::origins::{self, Origins};
use super::policy::Policy;
use super::problem::signatures::Signatures;
use super::problem::tell::Thread;
use super::signature::Learning;
use super::small::SmallSet;
use super::topology::{ItemName, Topology};
use super::{firing, inhibit, route, silence, system};
use changes::Changed;

#[derive(Clone, Debug, Default)]
pub struct State {
    policy: Arc<Policy>,
    pub(super) topology: Topology,
    /// What was pushed of the topology, and its versions.
    pub(super) origins: Origins,
    /// Only saves memory; nothing is decided by it.
    pub(super) texts: Interner,
    /// Only saves time.
    pub(super) classes: Classes,
    pub(super) names: Names,
    pub(super) history: History,
    /// From confirmed causes.
    pub(super) learning: Learning,
    pub(super) inhibitors: Inhibitors,
    pub(super) groups: Groups,
    pub(super) deadlines: Deadlines,
    /// Groups of alerts, where people are told of those.
    pub(super) book: Book,
    pub(super) routes_decided: route::Decided,
    /// Shared with rows that are on their way to the store, so that taking changes copies nothing.
    pub(super) alerts: Numbered<Arc<Alert>>,
    by_fingerprint: BTreeMap<Fingerprint, AlertNumber>,
    next_alert: AlertNumber,
    incidents: BTreeMap<IncidentId, Arc<Incident>>,
    last_incident: Option<IncidentId>,
    /// Open incidents by priority, for the gauge.
    open_counts: BTreeMap<Priority, u64>,
    problems: BTreeMap<ProblemId, Problem>,
    problems_by_scope: BTreeMap<Scope, BTreeSet<ProblemId>>,
    /// Where news of a problem goes once its latest incident has left memory.
    problem_threads: BTreeMap<ProblemId, Thread>,
    /// What recurrence is counted in.
    past: Signatures,
    /// The pending ones, by incident and id.
    deliveries: BTreeMap<(IncidentId, String), Delivery>,
    silences: BTreeMap<String, Silence>,
    /// Those that are not over, by what they are about.
    pub(super) silence_index: silence::Index,
    maintenances: BTreeMap<String, Maintenance>,
    /// Those that are expected.
    heartbeats: BTreeMap<String, Heartbeat>,
    /// Shared with whoever shows schedules.
    overrides: Arc<Overrides>,
    /// When gaps in schedules were looked for last.
    gaps_looked_at: Option<Timestamp>,
    /// Of the planned windows that recur: the time that each is in, or the next one; none when there is none any more.
    planned: BTreeMap<String, Option<Occurrence>>,
    /// The latest moment that we know of. Only saves time: it says from where on the next times are looked for.
    reached: Timestamp,
    /// What was altered lately, by people and machines outside.
    pub(super) recent: RecentChanges,
    /// How far our time is ahead of a wall clock that was set back.
    ahead: Span,
    /// The end of the last time in which nobody could tell us anything.
    away_until: Option<Timestamp>,
    /// Loud notifications in the current minute, by receiver.
    pub(super) loud: BTreeMap<String, (Timestamp, u32)>,
    pub(super) effects: Vec<Effect>,
    pub(super) touched: BTreeSet<IncidentId>,
    /// Alerts changed in this step, which the working index has to follow.
    altered: BTreeSet<AlertNumber>,
    changed: Changed,
}

impl State {
    /// Takes note that it is so late.
    pub(super) fn reach(&mut self, now: Timestamp) {
        self.reached = self.reached.max(now);
    }

    pub fn ahead(&self) -> Span {
        self.ahead
    }

    pub(super) fn set_ahead(&mut self, now: Timestamp, ahead: Span) {
        self.reach(now);
        self.remember(fact::CLOCK_AHEAD, "", serde_json::to_value(ahead).ok());
        // Otherwise the end of a time that passed while nobody looked would be passed over.
        if ahead != self.ahead {
            self.ahead = ahead;
            self.schedule_planned();
        }
    }

    /// The end of the last time in which nobody could tell us anything.
    pub fn away_until(&self) -> Option<Timestamp> {
        self.away_until
    }

    pub(super) fn set_away_until(&mut self, until: Timestamp) {
        self.remember(fact::AWAY_UNTIL, "", serde_json::to_value(until).ok());
        self.away_until = Some(until);
    }

    /// The wall clock's time at this moment of ours, for what people wrote in a calendar.
    pub fn wall_time(&self, now: Timestamp) -> Timestamp {
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
    pub fn shared_policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy)
    }

    pub(super) fn set_policy(&mut self, now: Timestamp, policy: Policy) {
        if policy.topology != self.policy.topology {
            origins::files_changed(self, now, system::SOURCE);
        }
        self.remember(fact::POLICY, "", serde_json::to_value(&policy).ok());
        self.policy = Arc::new(policy);
        self.reach(now);
        dispatch::complete_all(self);
        self.rebuild();
        dispatch::rebuild(self, now);
    }

    pub fn alert(&self, number: AlertNumber) -> Option<&Alert> {
        self.alerts.get(number).map(|alert| &**alert)
    }

    pub fn alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().map(|alert| &**alert)
    }

    /// Those with higher numbers, in order.
    pub fn alerts_after(&self, last: Option<AlertNumber>) -> impl Iterator<Item = &Alert> {
        self.alerts.values_from(last.map_or(0, |last| last + 1)).map(|alert| &**alert)
    }

    /// Newest first.
    pub fn recent_alerts(&self) -> impl Iterator<Item = &Alert> {
        self.alerts.values().rev().map(|alert| &**alert)
    }

    pub(super) fn find_alert(&self, fingerprint: Fingerprint) -> Option<AlertNumber> {
        self.by_fingerprint.get(&fingerprint).copied()
    }

    pub(super) fn alert_mut(&mut self, number: AlertNumber) -> Option<&mut Alert> {
        let alert = self.alerts.get_mut(number)?;
        self.changed.alerts.insert(number);
        self.altered.insert(number);
        Some(Arc::make_mut(alert))
    }

    /// For changes that the row may miss: see `dedup`.
    pub(super) fn alert_unrecorded(&mut self, number: AlertNumber) -> Option<&mut Alert> {
        self.alerts.get_mut(number).map(Arc::make_mut)
    }

    /// Takes a new alert in and gives it its number.
    pub(super) fn add_alert(&mut self, mut alert: Alert) -> AlertNumber {
        let number = self.next_alert;
        self.next_alert += 1;
        self.changed.is_next_alert = true;
        alert.number = number;
        self.classes.note(&alert.name);
        self.by_fingerprint.insert(alert.fingerprint, number);
        self.alerts.insert(number, Arc::new(alert));
        self.changed.alerts.insert(number);
        number
    }

    /// Lets go of an alert; its row stays as history.
    pub(super) fn evict_alert(&mut self, number: AlertNumber) {
        if self.alerts.get(number).is_some_and(|alert| alert.is_firing()) {
            firing::over(self, self.reached, number);
        }
        if let Some(alert) = self.alerts.remove(number) {
            self.by_fingerprint.remove(&alert.fingerprint);
            self.deadlines.set(Deadline::Alert(number), None);
            self.changed.alerts.remove(&number);
            self.changed.evicted_alerts.push(alert);
        }
    }

    /// The alerts of an incident on the item of this name.
    pub(super) fn alerts_on(&self, id: &IncidentId, item: &str) -> Option<&SmallSet<AlertNumber>> {
        self.groups.members(id)?.on(self.topology.id(item)?)
    }

    /// Groups of alerts, where people are told of those.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// To be read elsewhere while the state goes on.
    pub fn shared_alert(&self, number: AlertNumber) -> Option<Arc<Alert>> {
        self.alerts.get(number).cloned()
    }

    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id).map(|incident| &**incident)
    }

    /// The highest id so far; the next one is above it.
    pub(super) fn last_incident(&self) -> Option<IncidentId> {
        self.last_incident
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
        self.last_incident = self.last_incident.max(Some(incident.id));
        self.incidents.insert(incident.id, Arc::new(incident));
    }

    /// Lets go of a finished incident and its alerts.
    pub(super) fn evict_incident(&mut self, id: &IncidentId) {
        for number in self.groups.forget(&mut self.topology, self.policy.correlation.hops_max, id) {
            if self.alerts.get(number).is_some_and(|alert| alert.incident.as_ref() == Some(id)) {
                self.evict_alert(number);
            }
        }
        if self.last_incident == Some(*id) {
            // Otherwise the rows in memory tell.
            self.remember(fact::LAST_INCIDENT, "", serde_json::to_value(id).ok());
        }
        if let Some(incident) = self.incidents.remove(id) {
            self.recount(incident.counted_as, None);
            self.deadlines.set(Deadline::Incident(*id), None);
            self.changed.incidents.remove(id);
            self.touched.remove(id);
            self.changed.evicted_incidents.push(incident);
        }
    }

    /// Deliveries that have not ended.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.deliveries.values()
    }

    pub fn delivery(&self, id: &str) -> Option<&Delivery> {
        self.deliveries.get(&(incident_of(id)?, id.to_owned()))
    }

    /// The pending ones of one incident, by id.
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

    /// Keeps a change as it is now: in memory, as a fact for the next start, and as a row of history.
    pub(super) fn put_change(&mut self, change: Change) {
        self.remember(fact::CHANGE, change.key(), serde_json::to_value(&change).ok());
        self.changed.told.insert(change.key(), change.clone());
        self.recent.put(change);
    }

    /// Hands a firing that is over to history.
    pub(super) fn put_firing(&mut self, firing: PastFiring) {
        self.changed.firings.push(firing);
    }

    /// Lets go of a change; its row stays as history.
    pub(super) fn forget_change(&mut self, key: &str) {
        self.remember(fact::CHANGE, key, None);
        self.recent.remove(key);
    }

    /// How often things have failed.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Where the topology comes from, but for what was learned.
    pub fn origins(&self) -> &Origins {
        &self.origins
    }

    /// Dependencies that monitors taught, item to the items it depends on.
    pub fn learned(&self) -> impl Iterator<Item = (&ItemName, impl Iterator<Item = &ItemName>)> {
        self.topology.learned().map(|(from, all)| (from, all.into_iter()))
    }

    /// The graph of all origins.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Learns that `from` depends on `to`; indexes follow when it was news.
    pub(super) fn learn_dependency(&mut self, from: &str, to: &str) {
        if from == to {
            return;
        }
        let name = from;
        let (from, to) = (self.topology.know(from), self.topology.know(to));
        if !self.topology.learn(from, to) {
            return;
        }
        let known = self.topology.learned_of(from).into_iter().map(|item| Value::from(&**item)).collect();
        self.remember(fact::DEPENDENCY, name, Some(known));
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

    /// Files an alert under an incident in the working index.
    pub(super) fn group_alert(&mut self, id: &IncidentId, number: AlertNumber) {
        if let Some(alert) = self.alerts.get(number) {
            self.groups.add(&mut self.topology, self.policy.correlation.hops_max, id, alert);
        }
    }

    /// Brings the working index in line with the alerts that have changed.
    pub(super) fn follow_alerts(&mut self) {
        while let Some(number) = self.altered.pop_first() {
            if let Some((id, alert)) = self.alerts.get(number).and_then(|alert| Some((alert.incident.as_ref()?, alert)))
            {
                self.groups.update(&self.topology, id, alert);
            }
        }
    }

    /// Takes an alert out of an incident in the working index.
    pub(super) fn ungroup_alert(&mut self, id: &IncidentId, number: AlertNumber) {
        if let Some(alert) = self.alerts.get(number) {
            self.groups.take(&mut self.topology, self.policy.correlation.hops_max, id, alert);
        }
    }

    /// Follows an alert in the index of inhibition; true when it inhibits less than before.
    pub(super) fn index_inhibitor(&mut self, number: AlertNumber) -> bool {
        let alert = self.alerts.get(number);
        alert.is_some_and(|alert| inhibit::index(&mut self.inhibitors, &self.policy, alert))
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
