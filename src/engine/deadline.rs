//! Timers as data. Nothing is stored here that the state does not hold: each alert, incident, silence
//! says itself when it next wants to be looked at, and this is the index over those moments.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::alert::AlertNumber;
use crate::model::{IncidentId, Span, Timestamp};
use crate::mutant::{self, Mutant};

use super::numbered::Numbered;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    Alert(AlertNumber),
    Incident(IncidentId),
    Silence(String),
    Maintenance(String),
    /// Old changes are to be forgotten; one moment for all of them.
    Changes,
    Heartbeat(String),
    /// Old overrides are to be forgotten, or gaps in schedules looked for.
    OnCall,
}

/// Moments of one kind of holder. Kept apart by kind because there may be a million alerts, and each
/// entry shall be as small as its key.
#[derive(Clone, Debug)]
struct Moments<K, H = BTreeMap<K, Timestamp>> {
    by_time: BTreeSet<(Timestamp, K)>,
    of: H,
}

/// The moment of each holder.
trait Holders<K> {
    /// Sets it, and tells what it was.
    fn replace(&mut self, key: &K, at: Option<Timestamp>) -> Option<Timestamp>;
}

impl<K: Ord + Clone> Holders<K> for BTreeMap<K, Timestamp> {
    fn replace(&mut self, key: &K, at: Option<Timestamp>) -> Option<Timestamp> {
        match at {
            Some(at) => self.insert(key.clone(), at),
            None => self.remove(key),
        }
    }
}

impl Holders<AlertNumber> for Numbered<Timestamp> {
    fn replace(&mut self, key: &AlertNumber, at: Option<Timestamp>) -> Option<Timestamp> {
        match at {
            Some(at) => self.insert(*key, at),
            None => self.remove(*key),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    alerts: Moments<AlertNumber, Numbered<Timestamp>>,
    incidents: Moments<IncidentId>,
    groups: Moments<IncidentId>,
    silences: Moments<String>,
    maintenances: Moments<String>,
    changes: Option<Timestamp>,
    heartbeats: Moments<String>,
    on_call: Option<Timestamp>,
}

impl<K, H: Default> Default for Moments<K, H> {
    fn default() -> Self {
        Self { by_time: BTreeSet::new(), of: H::default() }
    }
}

impl<K: Ord + Clone, H: Holders<K>> Moments<K, H> {
    fn set(&mut self, key: K, at: Option<Timestamp>) {
        let before = self.of.replace(&key, at);
        if before == at {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, key.clone()));
        }
        if let Some(at) = at {
            self.by_time.insert((at, key));
        }
    }

    fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    fn due(&self, now: Timestamp) -> impl Iterator<Item = (Timestamp, &K)> {
        self.by_time.iter().take_while(move |(at, _)| *at <= now).map(|(at, key)| (*at, key))
    }
}

impl Deadlines {
    /// Exactly one moment, or none, for each holder.
    pub fn set(&mut self, deadline: Deadline, at: Option<Timestamp>) {
        match deadline {
            Deadline::Alert(number) => self.alerts.set(number, at),
            Deadline::Incident(id) => self.incidents.set(id, at),
            Deadline::Silence(id) => self.silences.set(id, at),
            Deadline::Maintenance(id) => self.maintenances.set(id, at),
            Deadline::Changes => self.changes = at,
            Deadline::Heartbeat(name) => self.heartbeats.set(name, at),
            Deadline::OnCall => self.on_call = at,
        }
    }

    pub fn next(&self) -> Option<Timestamp> {
        let Self { alerts, incidents, groups, silences, maintenances, changes, heartbeats, on_call } = self;
        let frequent = [alerts.next(), incidents.next(), groups.next()];
        let others = [silences.next(), maintenances.next(), *changes, heartbeats.next(), *on_call];
        frequent.into_iter().chain(others).flatten().min()
    }

    /// Groups are looked at by themselves, once everything else of a step is known.
    pub fn set_group(&mut self, id: IncidentId, at: Option<Timestamp>) {
        self.groups.set(id, at);
    }

    /// The group that has been due for longest.
    pub fn due_group(&self, now: Timestamp) -> Option<IncidentId> {
        self.groups.due(now).next().map(|(_, id)| *id)
    }

    /// All others that are due, earliest first. They stay until their holder sets a new moment.
    pub fn due(&self, now: Timestamp) -> Vec<Deadline> {
        let Self { alerts, incidents, silences, maintenances, changes, heartbeats, on_call, groups: _ } = self;
        let forgotten = mutant::is(Mutant::LateDeadlineSkipped).then(|| now - Span::from_mins(10));
        let mut due: Vec<(Timestamp, Deadline)> = Vec::new();
        due.extend(alerts.due(now).map(|(at, number)| (at, Deadline::Alert(*number))));
        due.extend(incidents.due(now).map(|(at, id)| (at, Deadline::Incident(*id))));
        due.extend(silences.due(now).map(|(at, id)| (at, Deadline::Silence(id.clone()))));
        due.extend(maintenances.due(now).map(|(at, id)| (at, Deadline::Maintenance(id.clone()))));
        due.extend(changes.filter(|at| *at <= now).map(|at| (at, Deadline::Changes)));
        due.extend(heartbeats.due(now).map(|(at, name)| (at, Deadline::Heartbeat(name.clone()))));
        due.extend(on_call.filter(|at| *at <= now).map(|at| (at, Deadline::OnCall)));
        due.sort_unstable();
        let due = due.into_iter().filter(|(at, _)| forgotten.is_none_or(|forgotten| *at > forgotten));
        due.map(|(_, deadline)| deadline).collect()
    }
}
