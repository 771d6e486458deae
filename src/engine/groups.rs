//! Alerts by incident and item: the working index of correlation, derived from the alerts themselves.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::alert::{Alert, AlertNumber};
use crate::model::{IncidentId, Severity};

use super::items::ItemId;
use super::small::{SmallMap, SmallSet};
use super::topology::Topology;

/// Aggregate alerts (without an item) kept in view.
const AGGREGATES_MAX: usize = 64;
/// Items of an incident that are kept in the order of their names, the first: at least so many, or all, and at most
/// twice as many.
pub const ORDERED: usize = 512;

#[derive(Clone, Debug, Default)]
pub struct Groups {
    members: BTreeMap<IncidentId, Members>,
    /// Incidents with an alert on the item.
    at: BTreeMap<ItemId, SmallSet<IncidentId>>,
    /// Incidents with an alert on something that depends on the item, with how many such items.
    below: BTreeMap<ItemId, SmallMap<IncidentId, u32>>,
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
    items: SmallMap<ItemId, SmallSet<AlertNumber>>,
    /// The first items in the order of their names.
    ordered: Vec<ItemId>,
    scopes: SmallSet<Box<str>>,
}

/// What is noted of an alert that is not over.
#[derive(Clone, Copy, Debug)]
struct Unsettled {
    fires_as: Option<Severity>,
    /// Part of it for good reason, and no mere flapping.
    is_firm: bool,
    item: Option<ItemId>,
}

impl Members {
    /// Those that are not over, the oldest first.
    pub fn unsettled(&self) -> impl DoubleEndedIterator<Item = &AlertNumber> {
        self.unsettled.keys()
    }

    /// The same with the items they are on, the youngest first.
    pub fn unsettled_on_items(&self) -> impl Iterator<Item = (AlertNumber, Option<ItemId>)> {
        self.unsettled.iter().rev().map(|(number, noted)| (*number, noted.item))
    }

    /// Its alerts on an item.
    pub fn on(&self, item: ItemId) -> Option<&SmallSet<AlertNumber>> {
        self.items.get(&item)
    }

    pub fn item_count(&self) -> usize {
        self.items.len()
    }

    /// The first [`ORDERED`] items by name.
    pub fn first_items(&self) -> &[ItemId] {
        &self.ordered[..self.ordered.len().min(ORDERED)]
    }

    /// Files an alert under its item; true when that is new here.
    fn put_on(&mut self, topology: &Topology, item: ItemId, number: AlertNumber) -> bool {
        if let Some(of_item) = self.items.get_mut(&item) {
            of_item.insert(number);
            return false;
        }
        let has_all = self.ordered.len() == self.items.len();
        self.items.insert(item, [number].into_iter().collect());
        let name = topology.name(item);
        // Most of those that come late to a large incident come after what is kept.
        let is_past = |last: &ItemId| topology.name(*last) < name;
        if has_all && self.ordered.len() < 2 * ORDERED || !self.ordered.last().is_some_and(is_past) {
            let place = self.ordered.partition_point(|other| topology.name(*other) < name);
            self.ordered.insert(place, item);
            self.ordered.truncate(2 * ORDERED);
        }
        true
    }

    /// Takes an alert off its item; true when that was the last one there.
    fn take_off(&mut self, topology: &Topology, item: ItemId, number: AlertNumber) -> bool {
        let Some(of_item) = self.items.get_mut(&item) else { return false };
        of_item.remove(&number);
        if !of_item.is_empty() {
            return false;
        }
        self.items.remove(&item);
        self.ordered.retain(|other| *other != item);
        if self.ordered.len() < ORDERED.min(self.items.len()) {
            self.ordered = self.items.keys().copied().collect();
            topology.sort(&mut self.ordered);
            self.ordered.truncate(2 * ORDERED);
            self.ordered.shrink_to_fit();
        }
        true
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
    fn note(&mut self, alert: &Alert, item: Option<ItemId>) {
        let fires_as = alert.is_firing().then_some(alert.severity);
        let is_firm = !alert.is_loose() && !alert.flap.is_flapping;
        let after = alert.is_unsettled().then_some(Unsettled { fires_as, is_firm, item });
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
        self.scope_label(alert).map(|(label, value)| format!("{label}={value}").into())
    }

    /// Whether an alert belongs there; makes no text.
    pub fn is_in_scope(&self, alert: &Alert, scope: &str) -> bool {
        self.scope_label(alert).is_some_and(|(label, value)| {
            scope.strip_prefix(label).and_then(|rest| rest.strip_prefix('=')).is_some_and(|rest| rest == value)
        })
    }

    fn scope_label<'a>(&'a self, alert: &'a Alert) -> Option<(&'a str, &'a str)> {
        self.scope_labels.iter().find_map(|label| Some((label.as_str(), alert.labels.get(label)?)))
    }

    /// Incidents with an alert that belongs there.
    pub fn in_scope(&self, scope: &str) -> Option<&SmallSet<IncidentId>> {
        self.in_scope.get(scope)
    }

    pub fn members(&self, id: &IncidentId) -> Option<&Members> {
        self.members.get(id)
    }

    /// Incidents with an alert on the item.
    pub fn on(&self, item: ItemId) -> impl Iterator<Item = &IncidentId> {
        self.at.get(&item).into_iter().flat_map(SmallSet::iter)
    }

    /// Whether any incident has an alert on the item.
    pub fn is_hit(&self, item: ItemId) -> bool {
        self.at.contains_key(&item)
    }

    /// Incidents with an alert on something that depends on the item, with how many such items.
    pub fn below(&self, item: ItemId) -> impl DoubleEndedIterator<Item = (&IncidentId, &u32)> {
        self.below.get(&item).into_iter().flat_map(SmallMap::iter)
    }

    /// Items of one incident that depend on this one.
    pub fn count_below(&self, item: ItemId, id: &IncidentId) -> u32 {
        self.below.get(&item).and_then(|below| below.get(id)).copied().unwrap_or(0)
    }

    /// Firing alerts without an item, the oldest of them.
    pub fn aggregates(&self) -> impl Iterator<Item = &AlertNumber> {
        self.aggregates.iter()
    }

    /// Files an alert under its incident, as firing or not.
    pub fn add(&mut self, topology: &mut Topology, hops_max: u8, id: &IncidentId, alert: &Alert) {
        let scope = self.scope(alert);
        let item = alert.configuration_item.as_ref().map(|item| topology.intern(item));
        let members = self.members.entry(*id).or_default();
        members.alerts.insert(alert.number);
        members.note(alert, item);
        if let Some(scope) = scope.filter(|scope| !members.scopes.contains(scope)) {
            members.scopes.insert(scope.clone());
            self.in_scope.entry(scope).or_default().insert(*id);
        }
        match item {
            Some(item) if members.put_on(topology, item, alert.number) => self.file(topology, hops_max, id, item),
            Some(_) => {}
            None if !alert.is_firing() => drop(self.aggregates.remove(&alert.number)),
            None if self.aggregates.len() < AGGREGATES_MAX => drop(self.aggregates.insert(alert.number)),
            None => {}
        }
    }

    /// Follows a change of an alert that is filed already.
    pub fn update(&mut self, topology: &Topology, id: &IncidentId, alert: &Alert) {
        let members = self.members.get_mut(id).filter(|members| members.alerts.contains(&alert.number));
        let Some(members) = members else { return };
        let item = match members.unsettled.get(&alert.number) {
            Some(noted) => noted.item,
            None => alert.configuration_item.as_ref().and_then(|item| topology.id(item)),
        };
        members.note(alert, item);
    }

    /// Takes one alert out: it begins a new episode elsewhere.
    pub fn take(&mut self, topology: &mut Topology, hops_max: u8, id: &IncidentId, alert: &Alert) {
        let Some(members) = self.members.get_mut(id) else { return };
        members.forget(alert.number);
        let Some(item) = alert.configuration_item.as_ref().and_then(|item| topology.id(item)) else { return };
        if members.take_off(topology, item, alert.number) {
            self.unfile(topology, hops_max, id, item);
            self.release(topology, item);
        }
    }

    fn file(&mut self, topology: &Topology, hops_max: u8, id: &IncidentId, item: ItemId) {
        self.at.entry(item).or_default().insert(*id);
        for (ancestor, _) in topology.above(item, hops_max) {
            let below = self.below.entry(ancestor).or_default();
            match below.get_mut(id) {
                Some(count) => *count += 1,
                None => drop(below.insert(*id, 1)),
            }
        }
    }

    fn unfile(&mut self, topology: &Topology, hops_max: u8, id: &IncidentId, item: ItemId) {
        if let Some(ids) = self.at.get_mut(&item) {
            ids.remove(id);
            if ids.is_empty() {
                self.at.remove(&item);
            }
        }
        for (ancestor, _) in topology.above(item, hops_max) {
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

    /// Gives an item's number back that no incident needs any more.
    fn release(&self, topology: &mut Topology, item: ItemId) {
        if !self.is_hit(item) {
            topology.release(item);
        }
    }

    /// Lets go of an incident; returns its alerts.
    pub fn forget(&mut self, topology: &mut Topology, hops_max: u8, id: &IncidentId) -> Vec<AlertNumber> {
        let Some(members) = self.members.remove(id) else { return Vec::new() };
        for item in members.items.keys() {
            self.unfile(topology, hops_max, id, *item);
            self.release(topology, *item);
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
    pub fn lift(&mut self, topology: &Topology, hops_max: u8, items: &[ItemId]) -> Vec<(IncidentId, ItemId)> {
        let filed: Vec<(IncidentId, ItemId)> =
            items.iter().flat_map(|item| self.on(*item).map(|id| (*id, *item))).collect();
        for (id, item) in &filed {
            self.unfile(topology, hops_max, id, *item);
        }
        filed
    }

    /// Files again what [`Groups::lift`] took out.
    pub fn put_back(&mut self, topology: &Topology, hops_max: u8, items: Vec<(IncidentId, ItemId)>) {
        for (id, item) in items {
            self.file(topology, hops_max, &id, item);
        }
    }

    /// Files everything anew after the topology changed.
    pub fn reindex(&mut self, topology: &Topology, hops_max: u8) {
        self.at.clear();
        self.below.clear();
        let filed: Vec<(IncidentId, ItemId)> =
            self.members.iter().flat_map(|(id, members)| members.items.keys().map(|item| (*id, *item))).collect();
        for (id, item) in filed {
            self.file(topology, hops_max, &id, item);
        }
    }
}
