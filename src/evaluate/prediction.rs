//! What a method made of a set: its groups, and which of them would have called a person. The replay and every
//! baseline come to this, so that all of them are judged alike.

use std::collections::{BTreeMap, BTreeSet};

use super::sets::Set;
use crate::model::{IncidentState, Timestamp};
use crate::replay::outcome::ReplayedIncident;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Prediction {
    /// Of disjoint first firings; what is in none stands alone and called nobody.
    pub groups: Vec<Group>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// First firings, as positions in [`Set::alerts`], ascending.
    pub alerts: Vec<usize>,
    pub opened_at: Timestamp,
    /// A person was called.
    pub is_opened: bool,
    /// The alert with which it was opened.
    pub opened_by: Option<usize>,
    /// Nodes, the likeliest cause first.
    pub ranking: Vec<String>,
}

impl Prediction {
    pub fn opened(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|group| group.is_opened)
    }
}

/// Incidents of a replay. One that became part of another is told there; a pending one called nobody. An alert
/// that only repeats another stands for the first, and one that is in two incidents counts in the older.
pub fn from_replay(set: &Set, incidents: &[ReplayedIncident]) -> Prediction {
    let known: BTreeMap<&str, usize> =
        set.alerts.iter().enumerate().map(|(at, alert)| (alert.id.as_str(), at)).collect();
    let mut taken = BTreeSet::new();
    let mut in_order: Vec<&ReplayedIncident> =
        incidents.iter().filter(|incident| incident.state != IncidentState::Merged).collect();
    in_order.sort_by_key(|incident| (incident.opened_at, incident.id));
    let mut groups = Vec::new();
    for incident in in_order {
        let members = incident.alerts.iter().filter_map(|id| known.get(id.as_str()));
        let firsts: BTreeSet<usize> = members.map(|alert| set.first_of[*alert]).collect();
        let alerts: Vec<usize> = firsts.into_iter().filter(|alert| taken.insert(*alert)).collect();
        let is_opened = !matches!(incident.state, IncidentState::Pending | IncidentState::Lapsed);
        let before = |alert: &&usize| set.alerts[**alert].received_at <= incident.opened_at;
        let opened_by = alerts.iter().rev().find(before).or(alerts.first()).copied();
        groups.push(Group {
            alerts,
            opened_at: incident.opened_at,
            is_opened,
            opened_by: opened_by.filter(|_| is_opened),
            ranking: incident.root_causes.iter().map(|cause| cause.node.clone()).collect(),
        });
    }
    Prediction { groups }
}
