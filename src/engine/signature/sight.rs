//! What an incident looks like to learning: each suspect with its traits and its place, and which alert is where.
//! Decides what is noticed; never what it means.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::rank::{Ranking, Suspect};
use crate::engine::scene::Scene;
use crate::engine::state::State;
use crate::engine::symptom::Class;
use crate::engine::topology::ItemName;
use crate::model::{Alert, Fingerprint, Timestamp};
use crate::mutant::{self, Mutant};

use super::{Judged, Remembered};

/// Alerts of one item that are looked at.
const ALERTS_MAX: usize = 32;
/// Suspects other than the cause that are remembered, the likeliest first.
const OTHERS_MAX: usize = 64;
/// Pairs of item and alert family that are looked at.
const SEEN_MAX: usize = 256;

/// One suspect.
#[derive(Clone, Debug)]
pub struct Suspected {
    /// The item in its scope: what has the same name elsewhere is another one.
    pub place: Fingerprint,
    pub traits: BTreeSet<String>,
}

#[derive(Clone, Debug, Default)]
pub struct Sight {
    suspects: BTreeMap<ItemName, Suspected>,
    /// The likeliest first.
    order: Vec<ItemName>,
    /// Each alert family on each item.
    pub seen: BTreeSet<Fingerprint>,
}

impl Sight {
    pub fn of(state: &State, scene: Scene, ranking: &Ranking) -> Self {
        let mut sight = Self::default();
        for suspect in &ranking.suspects {
            let alerts = scene.on(state, &suspect.item, ALERTS_MAX);
            let place = place(state, &suspect.item, &alerts);
            let families: BTreeSet<&str> = alerts.iter().map(|alert| alert.family()).collect();
            let room = SEEN_MAX.saturating_sub(sight.seen.len());
            let here = place.to_string();
            sight.seen.extend(families.iter().take(room).map(|family| Fingerprint::of([&*here, *family])));
            let traits = traits(state, ranking, suspect, &families);
            sight.suspects.insert(suspect.item.clone(), Suspected { place, traits });
            sight.order.push(suspect.item.clone());
        }
        sight
    }

    pub fn suspect(&self, item: &str) -> Option<&Suspected> {
        self.suspects.get(item)
    }

    pub fn suspect_count(&self) -> usize {
        self.suspects.len()
    }

    /// What stays of it once somebody has said what the cause was.
    pub fn remember(
        self,
        state: &State,
        scene: Scene,
        at: Timestamp,
        by: &str,
        cause: &str,
        judged: Option<Judged>,
    ) -> Remembered {
        let others = self.order.iter().filter(|item| ***item != *cause).take(OTHERS_MAX);
        let others: Vec<&Suspected> = others.filter_map(|item| self.suspects.get(item)).collect();
        let mut other_traits: BTreeMap<String, u32> = BTreeMap::new();
        for one in others.iter().flat_map(|one| &one.traits) {
            *other_traits.entry(one.clone()).or_default() += 1;
        }
        let known = self.suspects.get(cause);
        Remembered {
            at,
            by: by.to_owned(),
            cause: cause.to_owned(),
            place: known.map_or_else(|| place(state, cause, &scene.on(state, cause, ALERTS_MAX)), |known| known.place),
            traits: known.map(|known| known.traits.clone()),
            others: others.iter().map(|one| one.place).collect(),
            other_traits,
            seen: self.seen,
            judged,
        }
    }
}

/// The item with the values of its scope labels: as the topology has them, else as its alerts do.
fn place(state: &State, item: &str, alerts: &[&Alert]) -> Fingerprint {
    let known = state.topology.item(item).map(|known| &known.labels);
    let scope = state.policy().correlation.scope_labels.iter().map(|label| {
        let from_alerts = || alerts.iter().filter_map(|alert| alert.labels.get(label)).min();
        known.and_then(|labels| labels.get(label)).or_else(from_alerts).unwrap_or_default()
    });
    let scope = scope.filter(|_| !mutant::is(Mutant::LearnedAcrossScopes));
    Fingerprint::of([item].into_iter().chain(scope))
}

/// What can be said of a suspect that can be said of items elsewhere, too.
fn traits(state: &State, ranking: &Ranking, suspect: &Suspect, families: &BTreeSet<&str>) -> BTreeSet<String> {
    let kind = state.topology.item(&suspect.item).and_then(|item| item.kind.as_deref());
    let behind = ranking.behind.get(&suspect.item).into_iter().flat_map(BTreeMap::keys);
    let behind = match behind.filter(|other| **other != suspect.item).count() {
        0 => "nothing",
        1 => "one item",
        2 | 3 => "a few items",
        _ => "many items",
    };
    let mut traits = BTreeSet::from([format!("{behind} failing behind it")]);
    if families.is_empty() {
        traits.insert("no alert of its own".to_owned());
    }
    traits.extend(kind.map(|kind| format!("kind {kind}")));
    for family in families {
        let class = Class::of(family).as_str();
        traits.insert(format!("alert {family}"));
        traits.insert(format!("{class} trouble"));
        traits.extend(kind.map(|kind| format!("{class} trouble of kind {kind}")));
    }
    traits
}
