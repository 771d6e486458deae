//! What is to be explained: an incident, or alerts that are in none. Says which of its alerts are evidence, and which
//! are on an item; weighs nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::event::Marker;
use crate::model::{Alert, IncidentId, Severity, Timestamp};

use super::groups::{Members, ORDERED};
use super::items::ItemId;
use super::rank::Symptom;
use super::small::SmallSet;
use super::state::State;
use super::symptom::Class;
use super::topology::ItemName;

/// Items ranked at most. Of more those that failed first are looked at, and what these depend on: the top of the
/// tree is among them.
const ITEMS_RANKED_MAX: usize = ORDERED;

#[derive(Clone, Copy, Debug)]
pub enum Scene<'a> {
    Incident(&'a IncidentId),
    Alerts(&'a [Alert]),
}

impl<'a> Scene<'a> {
    pub fn symptoms(self, state: &State) -> Vec<Symptom> {
        match self {
            Self::Incident(id) => symptoms_of(state, id),
            Self::Alerts(alerts) => alerts.iter().filter_map(symptom).collect(),
        }
    }

    /// Alerts on an item, `most` of them.
    pub fn on(self, state: &'a State, item: &str, most: usize) -> Vec<&'a Alert> {
        match self {
            Self::Incident(id) => {
                let numbers = state.alerts_on(id, item).into_iter().flat_map(SmallSet::iter);
                numbers.filter_map(|number| state.alert(*number)).take(most).collect()
            }
            Self::Alerts(alerts) => {
                let on_it = alerts.iter().filter(|alert| alert.configuration_item.as_deref() == Some(item));
                on_it.take(most).collect()
            }
        }
    }

    /// How many fail directly behind an item, of which so many are among the symptoms. Of a storm not all were looked
    /// at, and the index knows how many there are.
    pub fn failing(self, state: &State, item: &ItemName, counted: usize) -> usize {
        let Self::Incident(id) = self else { return counted };
        if state.incident(id).is_none_or(|all| all.configuration_item_count as usize <= ITEMS_RANKED_MAX) {
            return counted;
        }
        let below = state.topology.id(item).map_or(0, |item| state.groups.count_below(item, id));
        counted.max(below as usize)
    }

    pub fn started_at(self, state: &State) -> Option<Timestamp> {
        match self {
            Self::Incident(id) => state.incident(id).map(|incident| incident.started_at),
            Self::Alerts(alerts) => alerts.iter().map(|alert| alert.started_at).min(),
        }
    }
}

/// What a severity adds to the surprise: without any history it is all there is.
const fn severity_bits(severity: Severity) -> i64 {
    match severity {
        Severity::Critical => 600,
        Severity::Major => 500,
        Severity::Minor => 300,
        Severity::Warning => 200,
        Severity::Info => 0,
    }
}

/// An alert as evidence.
pub fn symptom(alert: &Alert) -> Option<Symptom> {
    let item = alert.configuration_item.clone()?;
    let bits = alert.surprise + severity_bits(alert.severity);
    // That the monitor cannot see it says little about the item.
    let bits = if alert.marker == Some(Marker::Unreachable) { bits / 5 } else { bits };
    let name = Arc::clone(&alert.name);
    Some(Symptom { item, class: Class::of(&name), name, bits, first_at: alert.fired_at })
}

/// The items of an incident that are worth ranking, in the order of their names.
fn ranked_items(state: &State, members: &Members) -> Vec<ItemId> {
    if members.item_count() <= ITEMS_RANKED_MAX {
        return members.first_items().to_vec();
    }
    let hops_max = state.policy().correlation.hops_max;
    let earliest = members.alerts.iter().take(ITEMS_RANKED_MAX).filter_map(|number| state.alert(*number));
    let mut items = BTreeSet::new();
    for item in earliest.filter_map(|alert| state.topology.id(alert.configuration_item.as_deref()?)) {
        if members.on(item).is_some() && items.insert(item) {
            let above = state.topology.above(item, hops_max);
            items.extend(above.into_iter().map(|(above, _)| above).filter(|above| members.on(*above).is_some()));
        }
    }
    let mut items: Vec<ItemId> = items.into_iter().collect();
    state.topology.sort(&mut items);
    items
}

fn symptoms_of(state: &State, id: &IncidentId) -> Vec<Symptom> {
    let Some(members) = state.groups.members(id) else { return Vec::new() };
    let reopened_at = state.incident(id).and_then(|incident| incident.reopened_at);
    let is_present = |alert: &&Alert| alert.is_unsettled() || reopened_at.is_none_or(|at| alert.fired_at >= at);
    let items = ranked_items(state, members).into_iter();
    let numbers = items.filter_map(|item| members.on(item)).flat_map(SmallSet::iter);
    numbers.filter_map(|number| state.alert(*number)).filter(is_present).filter_map(symptom).collect()
}
