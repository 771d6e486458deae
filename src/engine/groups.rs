//! Alerts by incident and item: the working index of correlation, derived from the alerts themselves.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::alert::{Alert, AlertNumber};
use crate::model::{IncidentId, Severity};

use super::small::{SmallMap, SmallSet};
use super::topology::{ItemName, Topology};

/// Aggregate alerts (without an item) kept in view.
const AGGREGATES_MAX: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct Groups {
    members: BTreeMap<IncidentId, Members>,
    /// Incidents with an alert on the item.
    at: BTreeMap<ItemName, SmallSet<IncidentId>>,
    /// Incidents with an alert on something that depends on the item, with how many such items.
    below: BTreeMap<ItemName, SmallMap<IncidentId, u32>>,
    /// Firing alerts without an item.
    aggregates: BTreeSet<AlertNumber>,
    /// Labels that say where an alert belongs.
    scope_labels: Vec<String>,
    /// Incidents with an alert that belongs there.
    in_scope: BTreeMap<Box<str>, SmallSet<IncidentId>>,
}

#[derive(Clone, Debug, Default)]
pub struct Members {
    pub alerts: SmallSet<AlertNumber>,
    /// Those that are not over, with their severity while they fire (and do not merely flap).
    unsettled: SmallMap<AlertNumber, Unsettled>,
    /// How many of those belong to it firmly.
    firm: u32,
    /// How many fire with each severity: an incident may have a hundred thousand of them.
    firing: [u32; Severity::ALL.len()],
    pub items: SmallMap<ItemName, SmallSet<AlertNumber>>,
    scopes: SmallSet<Box<str>>,
}

/// What is noted of an alert that is not over.
#[derive(Clone, Copy, Debug)]
struct Unsettled {
    fires_as: Option<Severity>,
    /// Part of it for good reason, and no mere flapping.
    is_firm: bool,
}

impl Members {
    /// Those that are not over, the oldest first.
    pub fn unsettled(&self) -> impl DoubleEndedIterator<Item = &AlertNumber> {
        self.unsettled.keys()
    }

    pub fn unsettled_count(&self) -> usize {
        self.unsettled.len()
    }

    /// Whether all that is not over is only loosely part of it, or flaps.
    pub fn is_only_loose(&self) -> bool {
        self.firm == 0 && !self.unsettled.is_empty()
    }

    /// The worst severity that fires.
    pub fn worst(&self) -> Option<Severity> {
        Severity::ALL.into_iter().find(|severity| self.firing[*severity as usize] > 0)
    }

    /// Notes whether an alert of this incident is over and how bad it is.
    fn note(&mut self, alert: &Alert) {
        let fires_as = alert.is_firing().then_some(alert.severity);
        let after = alert
            .is_unsettled()
            .then_some(Unsettled { fires_as, is_firm: !alert.is_loose() && !alert.flap.is_flapping });
        let before = match after {
            Some(after) => self.unsettled.insert(alert.number, after),
            None => self.unsettled.remove(&alert.number),
        };
        self.count(before, after);
    }

    fn forget(&mut self, number: AlertNumber) {
        self.alerts.remove(&number);
        let before = self.unsettled.remove(&number);
        self.count(before, None);
    }

    fn count(&mut self, before: Option<Unsettled>, after: Option<Unsettled>) {
        if let Some(before) = before {
            self.firm -= u32::from(before.is_firm);
            before.fires_as.iter().for_each(|severity| self.firing[*severity as usize] -= 1);
        }
        if let Some(after) = after {
            self.firm += u32::from(after.is_firm);
            after.fires_as.iter().for_each(|severity| self.firing[*severity as usize] += 1);
        }
    }
}

impl Groups {
    pub fn new(scope_labels: &[String]) -> Self {
        Self { scope_labels: scope_labels.to_vec(), ..Self::default() }
    }

    /// Where an alert belongs, as its labels say; the first of them counts.
    pub fn scope(&self, alert: &Alert) -> Option<Box<str>> {
        let found = self.scope_labels.iter().find_map(|label| Some((label, alert.labels.get(label)?)));
        found.map(|(label, value)| format!("{label}={value}").into())
    }

    /// Incidents with an alert that belongs there.
    pub fn in_scope(&self, scope: &str) -> Option<&SmallSet<IncidentId>> {
        self.in_scope.get(scope)
    }

    pub fn members(&self, id: &IncidentId) -> Option<&Members> {
        self.members.get(id)
    }

    /// Incidents with an alert on the item.
    pub fn on(&self, item: &str) -> impl Iterator<Item = &IncidentId> {
        self.at.get(item).into_iter().flat_map(SmallSet::iter)
    }

    /// Incidents with an alert on something that depends on the item, with how many such items.
    pub fn below(&self, item: &str) -> impl DoubleEndedIterator<Item = (&IncidentId, &u32)> {
        self.below.get(item).into_iter().flat_map(SmallMap::iter)
    }

    /// Items of one incident that depend on this one.
    pub fn count_below(&self, item: &str, id: &IncidentId) -> u32 {
        self.below.get(item).and_then(|below| below.get(id)).copied().unwrap_or(0)
    }

    /// Firing alerts without an item, the oldest of them.
    pub fn aggregates(&self) -> impl Iterator<Item = &AlertNumber> {
        self.aggregates.iter()
    }

    /// Files an alert under its incident, as firing or not.
    pub fn add(&mut self, topology: &Topology, hops_max: u8, id: &IncidentId, alert: &Alert) {
        let scope = self.scope(alert);
        let members = self.members.entry(*id).or_default();
        members.alerts.insert(alert.number);
        members.note(alert);
        if let Some(scope) = scope.filter(|scope| !members.scopes.contains(scope)) {
            members.scopes.insert(scope.clone());
            self.in_scope.entry(scope).or_default().insert(*id);
        }
        let Some(item) = &alert.configuration_item else {
            if alert.is_firing() && self.aggregates.len() < AGGREGATES_MAX {
                self.aggregates.insert(alert.number);
            } else if !alert.is_firing() {
                self.aggregates.remove(&alert.number);
            }
            return;
        };
        if let Some(of_item) = members.items.get_mut(&**item) {
            of_item.insert(alert.number);
            return;
        }
        let mut of_item = SmallSet::default();
        of_item.insert(alert.number);
        members.items.insert(ItemName::clone(item), of_item);
        self.file(topology, hops_max, id, item);
    }

    /// Follows a change of an alert that is filed already.
    pub fn update(&mut self, id: &IncidentId, alert: &Alert) {
        let members = self.members.get_mut(id).filter(|members| members.alerts.contains(&alert.number));
        if let Some(members) = members {
            members.note(alert);
        }
    }

    /// Takes one alert out: it begins a new episode elsewhere.
    pub fn take(&mut self, topology: &Topology, hops_max: u8, id: &IncidentId, alert: &Alert) {
        let Some(members) = self.members.get_mut(id) else { return };
        members.forget(alert.number);
        let Some(item) = &alert.configuration_item else { return };
        let Some(of_item) = members.items.get_mut(&**item) else { return };
        of_item.remove(&alert.number);
        if of_item.is_empty() {
            members.items.remove(&**item);
            self.unfile(topology, hops_max, id, item);
        }
    }

    fn file(&mut self, topology: &Topology, hops_max: u8, id: &IncidentId, item: &ItemName) {
        self.at.entry(item.clone()).or_default().insert(*id);
        for (ancestor, _) in topology.upstream(item, hops_max) {
            let below = self.below.entry(ancestor).or_default();
            match below.get_mut(id) {
                Some(count) => *count += 1,
                None => drop(below.insert(*id, 1)),
            }
        }
    }

    fn unfile(&mut self, topology: &Topology, hops_max: u8, id: &IncidentId, item: &str) {
        if let Some(ids) = self.at.get_mut(item) {
            ids.remove(id);
            if ids.is_empty() {
                self.at.remove(item);
            }
        }
        for (ancestor, _) in topology.upstream(item, hops_max) {
            let Some(below) = self.below.get_mut(&ancestor) else { continue };
            match below.get_mut(id) {
                Some(count) if *count > 1 => *count -= 1,
                _ => drop(below.remove(id)),
            }
            if below.is_empty() {
                self.below.remove(&ancestor);
            }
        }
    }

    /// Lets go of an incident; returns its alerts.
    pub fn forget(&mut self, topology: &Topology, hops_max: u8, id: &IncidentId) -> Vec<AlertNumber> {
        let Some(members) = self.members.remove(id) else { return Vec::new() };
        for item in members.items.keys() {
            self.unfile(topology, hops_max, id, item);
        }
        for scope in members.scopes.iter() {
            if let Some(ids) = self.in_scope.get_mut(scope) {
                ids.remove(id);
                if ids.is_empty() {
                    self.in_scope.remove(scope);
                }
            }
        }
        self.aggregates.retain(|number| !members.alerts.contains(number));
        members.alerts.iter().copied().collect()
    }

    /// Takes items out before a dependency is added above them, because what they are filed under changes.
    pub fn lift(&mut self, topology: &Topology, hops_max: u8, items: &[ItemName]) -> Vec<(IncidentId, ItemName)> {
        let filed: Vec<(IncidentId, ItemName)> =
            items.iter().flat_map(|item| self.on(item).map(|id| (*id, item.clone()))).collect();
        for (id, item) in &filed {
            self.unfile(topology, hops_max, id, item);
        }
        filed
    }

    /// Files again what [`Groups::lift`] took out.
    pub fn put_back(&mut self, topology: &Topology, hops_max: u8, items: Vec<(IncidentId, ItemName)>) {
        for (id, item) in items {
            self.file(topology, hops_max, &id, &item);
        }
    }

    /// Files everything anew after the topology changed.
    pub fn reindex(&mut self, topology: &Topology, hops_max: u8) {
        self.at.clear();
        self.below.clear();
        let filed: Vec<(IncidentId, ItemName)> = self
            .members
            .iter()
            .flat_map(|(id, members)| members.items.keys().map(|item| (*id, item.clone())))
            .collect();
        for (id, item) in filed {
            self.file(topology, hops_max, &id, &item);
        }
    }
}
