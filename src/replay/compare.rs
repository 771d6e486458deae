//! What another configuration would have made of the same events: incidents that are other ones, pages more and
//! fewer. Incidents of both are the same when they share most of their alerts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::{IncidentId, Priority};

use super::outcome::ReplayedIncident;
use super::player::Outcome;

/// Share of the alerts, percent, from which two incidents are the same.
const SAME_PERCENT: usize = 50;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    pub incidents: Pair<usize>,
    pub pages: Pair<usize>,
    /// In the order of the first.
    pub differences: Vec<Difference>,
}

/// With the one configuration and with the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pair<T> {
    pub before: T,
    pub after: T,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "difference", rename_all = "snake_case")]
pub enum Difference {
    /// There is no such incident with the other configuration.
    Gone { incident: IncidentId, root: String, alerts: usize, pages: usize },
    /// Only the other has it.
    New { incident: IncidentId, root: String, alerts: usize, pages: usize },
    /// Both have it, and something that people see is not the same.
    Changed {
        incident: IncidentId,
        becomes: IncidentId,
        priority: Pair<Priority>,
        alerts: Pair<usize>,
        pages: Pair<usize>,
        root: Pair<String>,
    },
}

/// Compares what two configurations made of one record.
pub fn compare(before: &Outcome, after: &Outcome) -> Comparison {
    let partners = partners(&before.incidents, &after.incidents);
    let taken: BTreeSet<IncidentId> = partners.values().copied().collect();
    let by_id: BTreeMap<IncidentId, &ReplayedIncident> = after.incidents.iter().map(|one| (one.id, one)).collect();
    let mut differences = Vec::new();
    for one in &before.incidents {
        let (root, alerts, pages) = (root(one), one.alerts.len(), pages(before, one.id));
        match partners.get(&one.id).and_then(|id| by_id.get(id)) {
            None => differences.push(Difference::Gone { incident: one.id, root, alerts, pages }),
            Some(other) => {
                differences.extend(changed(one, other, Pair { before: pages, after: self::pages(after, other.id) }))
            }
        }
    }
    for other in after.incidents.iter().filter(|other| !taken.contains(&other.id)) {
        let (alerts, pages) = (other.alerts.len(), pages(after, other.id));
        differences.push(Difference::New { incident: other.id, root: root(other), alerts, pages });
    }
    Comparison {
        incidents: Pair { before: before.incidents.len(), after: after.incidents.len() },
        pages: Pair { before: before.pages.len(), after: after.pages.len() },
        differences,
    }
}

fn changed(one: &ReplayedIncident, other: &ReplayedIncident, pages: Pair<usize>) -> Option<Difference> {
    let same = one.priority == other.priority
        && one.alerts == other.alerts
        && pages.before == pages.after
        && root(one) == root(other);
    (!same).then(|| Difference::Changed {
        incident: one.id,
        becomes: other.id,
        priority: Pair { before: one.priority, after: other.priority },
        alerts: Pair { before: one.alerts.len(), after: other.alerts.len() },
        pages,
        root: Pair { before: root(one), after: root(other) },
    })
}

fn root(incident: &ReplayedIncident) -> String {
    incident.root_causes.first().map(|cause| cause.node.clone()).unwrap_or_default()
}

fn pages(outcome: &Outcome, id: IncidentId) -> usize {
    outcome.pages.iter().filter(|page| page.incident == id).count()
}

/// For each incident the one of the other outcome that has most of the same alerts, each taken once.
fn partners(before: &[ReplayedIncident], after: &[ReplayedIncident]) -> BTreeMap<IncidentId, IncidentId> {
    let homes: BTreeMap<&str, usize> = after
        .iter()
        .enumerate()
        .flat_map(|(index, other)| other.alerts.iter().map(move |alert| (alert.as_str(), index)))
        .collect();
    let mut pairs: Vec<(usize, IncidentId, IncidentId)> = Vec::new();
    for one in before {
        let mut shared: BTreeMap<usize, usize> = BTreeMap::new();
        for alert in &one.alerts {
            if let Some(home) = homes.get(alert.as_str()) {
                *shared.entry(*home).or_default() += 1;
            }
        }
        for (index, count) in shared {
            let all = one.alerts.len() + after[index].alerts.len() - count;
            let percent = count * 100 / all.max(1);
            if percent >= SAME_PERCENT {
                pairs.push((percent, one.id, after[index].id));
            }
        }
    }
    pairs.sort_by_key(|(percent, one, other)| (std::cmp::Reverse(*percent), *one, *other));
    let (mut partners, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (_, one, other) in pairs {
        if !partners.contains_key(&one) && taken.insert(other) {
            partners.insert(one, other);
        }
    }
    partners
}
