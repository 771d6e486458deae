//! Which alerts are in which group. An index: it follows from the alerts, the route tree and when each group began.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

use super::log::Log;
use super::remote::Threads;
use super::tree::{GroupRoute, Tree};
use crate::engine::numbered::Numbered;
use crate::engine::policy::Policy;
use crate::model::alert::AlertNumber;
use crate::model::{Fingerprint, IncidentId, Labels, Span, Timestamp};
use crate::mutant::{self, Mutant};

#[derive(Clone, Debug)]
pub struct AlertGroup {
    /// Its deliveries are filed under it. The same whenever the group comes again.
    pub id: IncidentId,
    pub route: usize,
    route_id: String,
    pub labels: Labels,
    pub alerts: BTreeSet<AlertNumber>,
    /// When it is looked at for the first time; every later time is so many intervals behind.
    first_at: Timestamp,
    /// The alert that it began with.
    opened_by: AlertNumber,
    pub flush_at: Timestamp,
    pub flushed_at: Option<Timestamp>,
    /// Those that were over when it was last looked at, and have not fired since: once that is told they leave.
    pub over: Vec<AlertNumber>,
    /// Those that have left and are still in another group, so that a start does not bring them back.
    left: BTreeSet<AlertNumber>,
    /// Its first word waits for what inhibits it, but no longer than this.
    waits_until: Option<Timestamp>,
    /// Alerts that something muted then, and what.
    pub muted: BTreeMap<AlertNumber, String>,
    /// The time intervals that kept people from hearing when it was last looked at.
    pub muted_by: Vec<String>,
}

/// What a start needs to know of a group; the rest follows from its alerts.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    id: IncidentId,
    /// Its route and labels.
    of: Fingerprint,
    first_at: Timestamp,
    opened_by: AlertNumber,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    over: Vec<AlertNumber>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    left: BTreeSet<AlertNumber>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waits_until: Option<Timestamp>,
}

#[derive(Clone, Debug, Default)]
pub struct Book {
    tree: Tree,
    groups: BTreeMap<IncidentId, AlertGroup>,
    by_labels: BTreeMap<(usize, Labels), IncidentId>,
    of_alert: Numbered<Vec<IncidentId>>,
    /// From the store, until the groups are made.
    records: BTreeMap<IncidentId, Record>,
    pub log: Log,
    /// What stands at receivers for groups.
    pub threads: Threads,
    /// Rises with every notification of a group.
    pub notification_count: u32,
}

impl AlertGroup {
    pub fn record(&self) -> Record {
        let Self { id, first_at, opened_by, over, left, waits_until, .. } = self;
        Record {
            id: *id,
            of: identity(&self.route_id, &self.labels),
            first_at: *first_at,
            opened_by: *opened_by,
            over: over.clone(),
            left: left.clone(),
            waits_until: *waits_until,
        }
    }

    /// What its record is filed under.
    pub fn record_key(&self) -> String {
        record_key(self.id, self.opened_by)
    }

    /// It is looked at now; the next time is one interval after it was due, or after now when that has passed, too.
    pub fn flushed(&mut self, now: Timestamp, interval: Span) {
        self.flushed_at = Some(now);
        self.flush_at = next_after(self.first_at, interval, now);
    }

    /// Its moment before this one, when people could have heard. One that is looked at at once because there is another
    /// policy could be heard up to now.
    pub fn heard_at(&self, now: Timestamp, interval: Span) -> Option<Timestamp> {
        match self.flush_at > self.first_at {
            true => Some(self.flush_at - interval),
            false => self.flushed_at.map(|_| now),
        }
    }

    /// Its first moment comes later, at most `wait` after the first time that it is put off.
    pub fn postpone(&mut self, now: Timestamp, at: Timestamp, wait: Span) {
        if mutant::is(Mutant::FirstMomentPostponed) {
            (self.first_at, self.flush_at) = (now + wait, now + wait);
            return;
        }
        let latest = *self.waits_until.get_or_insert(now + wait);
        self.first_at = at.min(latest);
        self.flush_at = self.first_at;
    }

    /// Nobody is told before that.
    pub fn begin_at(&mut self, at: Timestamp) {
        (self.first_at, self.flush_at) = (at, at);
    }

    /// It has waited for long enough, whatever has come meanwhile.
    pub fn has_waited(&self, now: Timestamp) -> bool {
        self.waits_until.is_some_and(|until| until <= now)
    }
}

/// The first of the group's moments that is later than `now`.
fn next_after(first_at: Timestamp, interval: Span, now: Timestamp) -> Timestamp {
    if first_at > now {
        return first_at;
    }
    let interval_ms = interval.as_millis().max(1);
    let passed = now.since(first_at).as_millis() / interval_ms;
    first_at + Span::from_millis((passed + 1) * interval_ms)
}

impl Book {
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    pub fn group(&self, id: &IncidentId) -> Option<&AlertGroup> {
        self.groups.get(id)
    }

    pub fn group_mut(&mut self, id: &IncidentId) -> Option<&mut AlertGroup> {
        self.groups.get_mut(id)
    }

    pub fn groups(&self) -> impl Iterator<Item = &AlertGroup> {
        self.groups.values()
    }

    /// Those whose id is higher, in order.
    pub fn groups_after(&self, last: Option<IncidentId>) -> impl Iterator<Item = &AlertGroup> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = last.map_or(Unbounded, Excluded);
        self.groups.range((from, Unbounded)).map(|(_, group)| group)
    }

    pub fn group_count(&self) -> usize {
        self.groups.len()
    }

    pub fn route_of(&self, id: &IncidentId) -> Option<&GroupRoute> {
        Some(self.tree.route(self.groups.get(id)?.route))
    }

    pub fn find(&self, route: usize, labels: &Labels) -> Option<IncidentId> {
        self.by_labels.get(&(route, labels.clone())).copied()
    }

    /// The groups of an alert.
    pub fn of_alert(&self, number: AlertNumber) -> &[IncidentId] {
        self.of_alert.get(number).map_or(&[], Vec::as_slice)
    }

    pub fn is_member(&self, number: AlertNumber) -> bool {
        !self.of_alert(number).is_empty()
    }

    pub fn add(&mut self, id: &IncidentId, number: AlertNumber) {
        let Some(group) = self.groups.get_mut(id) else { return };
        group.left.remove(&number);
        if group.alerts.insert(number) {
            match self.of_alert.get_mut(number) {
                Some(groups) => groups.push(*id),
                None => drop(self.of_alert.insert(number, vec![*id])),
            }
        }
    }

    /// It is not over any more; the groups in which it was.
    pub fn fires_again(&mut self, number: AlertNumber) -> Vec<IncidentId> {
        let mut changed = Vec::new();
        for id in self.of_alert.get(number).into_iter().flatten() {
            if let Some(group) = self.groups.get_mut(id).filter(|group| group.over.contains(&number)) {
                group.over.retain(|other| *other != number);
                changed.push(*id);
            }
        }
        changed
    }

    pub fn remove(&mut self, id: &IncidentId, number: AlertNumber) {
        if let Some(group) = self.groups.get_mut(id) {
            group.alerts.remove(&number);
        }
        if let Some(groups) = self.of_alert.get_mut(number) {
            groups.retain(|other| other != id);
            if groups.is_empty() {
                self.of_alert.remove(number);
            }
        }
    }

    /// It has left, and others still have it.
    pub fn note_left(&mut self, id: &IncidentId, number: AlertNumber) {
        let Self { groups, of_alert, .. } = self;
        if let Some(group) = groups.get_mut(id) {
            group.left.retain(|other| of_alert.get(*other).is_some());
            group.left.insert(number);
        }
    }

    /// Whether a group has let go of an alert that is over.
    pub fn has_left(&self, id: &IncidentId, number: AlertNumber) -> bool {
        self.groups.get(id).is_some_and(|group| group.left.contains(&number))
    }

    pub fn open(&mut self, route: usize, labels: Labels, first_at: Timestamp, opened_by: AlertNumber) -> IncidentId {
        let route_id = self.tree.route(route).id.clone();
        let id = self.free_id(&route_id, &labels);
        self.insert(AlertGroup {
            id,
            route,
            route_id,
            labels,
            alerts: BTreeSet::new(),
            first_at,
            opened_by,
            flush_at: first_at,
            flushed_at: None,
            over: Vec::new(),
            left: BTreeSet::new(),
            waits_until: None,
            muted: BTreeMap::new(),
            muted_by: Vec::new(),
        });
        id
    }

    fn insert(&mut self, group: AlertGroup) {
        self.by_labels.insert((group.route, group.labels.clone()), group.id);
        self.groups.insert(group.id, group);
    }

    /// The id that route and labels give, unless another group has it.
    fn free_id(&self, route_id: &str, labels: &Labels) -> IncidentId {
        let mut attempt = 0;
        loop {
            let id = IncidentId::of_group(identity(route_id, labels), attempt);
            if !self.groups.contains_key(&id) {
                return id;
            }
            attempt += 1;
        }
    }

    pub fn close(&mut self, id: &IncidentId) {
        if let Some(group) = self.groups.remove(id) {
            self.by_labels.remove(&(group.route, group.labels));
        }
    }

    pub fn restore(&mut self, record: Record) {
        self.records.insert(record.id, record);
    }

    /// Empties the book for another policy, and tells what it held.
    pub fn rebuild(&mut self, policy: &Policy) -> BTreeMap<IncidentId, Known> {
        self.tree = Tree::new(policy);
        let mut known: BTreeMap<IncidentId, Known> =
            std::mem::take(&mut self.records).into_iter().map(|(id, record)| (id, Known::Stored(record))).collect();
        known.extend(std::mem::take(&mut self.groups).into_iter().map(|(id, group)| (id, Known::Here(group))));
        self.by_labels.clear();
        self.of_alert = Numbered::default();
        known
    }

    /// The group of a route that there was before, with its times.
    pub fn reopen(
        &mut self,
        known: &BTreeMap<IncidentId, Known>,
        route: usize,
        labels: &Labels,
        now: Timestamp,
    ) -> Option<IncidentId> {
        let (route_id, interval) = (self.tree.route(route).id.clone(), self.tree.route(route).group_interval);
        let identity = identity(&route_id, labels);
        let mut candidates = (0..).map(|attempt| known.get(&IncidentId::of_group(identity, attempt)));
        let known = candidates.find(|known| known.is_none_or(|known| known.is(identity)))??;
        let group = match known {
            // Another policy: what it changes is to be seen at once.
            Known::Here(group) if group.flushed_at.is_some() => {
                AlertGroup { route, alerts: BTreeSet::new(), first_at: now, flush_at: now, ..group.clone() }
            }
            Known::Here(group) => AlertGroup { route, alerts: BTreeSet::new(), ..group.clone() },
            Known::Stored(record) => {
                let flush_at = next_after(record.first_at, interval, now);
                let is_first = flush_at == record.first_at;
                AlertGroup {
                    id: record.id,
                    route,
                    route_id,
                    labels: labels.clone(),
                    alerts: BTreeSet::new(),
                    first_at: record.first_at,
                    opened_by: record.opened_by,
                    flush_at,
                    flushed_at: (!is_first).then(|| flush_at - interval),
                    over: record.over.clone(),
                    left: record.left.clone(),
                    waits_until: record.waits_until,
                    muted: BTreeMap::new(),
                    muted_by: Vec::new(),
                }
            }
        };
        let id = group.id;
        self.insert(group);
        Some(id)
    }
}

fn identity(route_id: &str, labels: &Labels) -> Fingerprint {
    let texts = labels.iter().flat_map(|(name, value)| [name, value]);
    Fingerprint::of([route_id].into_iter().chain(texts))
}

/// Led by a number that rises, so that the store appends.
fn record_key(id: IncidentId, opened_by: AlertNumber) -> String {
    format!("{opened_by:016x}/{id}")
}

/// A group that there was.
#[derive(Clone, Debug)]
pub enum Known {
    Here(AlertGroup),
    Stored(Record),
}

impl Known {
    pub const fn is_here(&self) -> bool {
        matches!(self, Self::Here(_))
    }

    pub fn record_key(&self) -> String {
        match self {
            Self::Here(group) => group.record_key(),
            Self::Stored(record) => record_key(record.id, record.opened_by),
        }
    }

    fn is(&self, wanted: Fingerprint) -> bool {
        match self {
            Self::Here(group) => identity(&group.route_id, &group.labels) == wanted,
            Self::Stored(record) => record.of == wanted,
        }
    }
}
