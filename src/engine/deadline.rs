//! Timers as data. Nothing is stored here that the state does not hold: each alert, incident, silence
//! says itself when it next wants to be looked at, and this is the index over those moments.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::alert::AlertNumber;
use crate::model::{IncidentId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deadline {
    Alert(AlertNumber),
    Incident(IncidentId),
    Silence(String),
    Maintenance(String),
}

#[derive(Clone, Debug, Default)]
pub struct Deadlines {
    by_time: BTreeSet<(Timestamp, Deadline)>,
    of: BTreeMap<Deadline, Timestamp>,
}

impl Deadlines {
    /// Exactly one moment, or none, for each holder.
    pub fn set(&mut self, deadline: Deadline, at: Option<Timestamp>) {
        if let Some(before) = self.of.remove(&deadline) {
            self.by_time.remove(&(before, deadline.clone()));
        }
        if let Some(at) = at {
            self.of.insert(deadline.clone(), at);
            self.by_time.insert((at, deadline));
        }
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.by_time.first().map(|(at, _)| *at)
    }

    /// All that are due, earliest first. They stay until their holder sets a new moment.
    pub fn due(&self, now: Timestamp) -> Vec<Deadline> {
        self.by_time.iter().take_while(|(at, _)| *at <= now).map(|(_, deadline)| deadline.clone()).collect()
    }
}
