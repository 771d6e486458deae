//! Which item is the cause of what is seen, as a sum of signed terms in thousandths of a bit.
//!
//! For each item: how unexpected its own alerts are (see `history`), what kind of trouble they speak of (see
//! `symptom`), less what an item that it depends on explains by failing in the same way, plus what it explains of those
//! that depend on it, never more than its own alerts support. An item without alerts, on which several that fail
//! depend, is judged by them.

use std::collections::BTreeMap;

use crate::model::Timestamp;

use super::fixed::{self, ONE};
use super::symptom::Class;
use super::topology::{ItemName, Topology};

/// Of several alerts of one class on an item each next one counts a tenth less.
const NEXT: i64 = 900;
/// Alerts of one class on an item that are looked at.
const OF_CLASS_MAX: usize = 16;
/// What a dependency that fails in the same way takes off.
const EXPLAINED: i64 = 500;
/// What each dependant that fails adds, and how that fades with each hop.
const REACH: i64 = 600;
const REACH_FADES: i64 = 600;
/// What an item without alerts of its own is worth, relative to those that depend on it.
const SILENT: i64 = 600;
/// Dependants that must fail before an item without alerts is suspected.
const SILENT_MIN: usize = 2;

/// One alert of the incident.
#[derive(Clone, Debug)]
pub struct Symptom {
    pub item: ItemName,
    pub class: Class,
    /// How much it says, thousandths of a bit.
    pub bits: i64,
    pub first_at: Timestamp,
}

/// One possible cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    pub item: ItemName,
    pub score: i64,
    pub terms: Vec<(&'static str, i64)>,
    pub first_at: Timestamp,
    /// It has no alerts of its own.
    pub is_silent: bool,
}

/// Names of the terms.
pub mod term {
    pub const OWN: &str = "own alerts";
    pub const EXPLAINED: &str = "explained by its dependencies";
    pub const REACH: &str = "explains its dependants";
    pub const SILENT: &str = "silent";
    pub const CHANGED: &str = "changed shortly before";
    pub const SIGNATURE: &str = "was the cause when it looked like this";
}

/// Evidence on one item: what its alerts of each class amount to.
#[derive(Clone, Debug)]
struct Evidence {
    by_class: BTreeMap<Class, i64>,
    first_at: Timestamp,
}

impl Evidence {
    fn of(&self, class: Class) -> i64 {
        self.by_class.get(&class).copied().unwrap_or(0)
    }

    fn own(&self) -> i64 {
        self.by_class.iter().map(|(class, bits)| fixed::mul(*bits, class.weight())).sum()
    }

    /// The most that one kind of trouble of its own supports; being asked less is none.
    fn trouble(&self) -> i64 {
        let own = self.by_class.iter().filter(|(class, _)| !matches!(class, Class::Traffic | Class::Client));
        own.map(|(class, bits)| fixed::mul(*bits, class.weight())).max().unwrap_or(0)
    }

    /// The most that it may suffer from something it depends on.
    fn suffers(&self) -> i64 {
        let passed_on = [Class::Down, Class::Link, Class::Error, Class::Latency, Class::Client];
        passed_on.into_iter().map(|class| fixed::mul(self.of(class), class.weight())).max().unwrap_or(0)
    }
}

/// The items that may be the cause, the likeliest first, and what fails behind each.
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    pub suspects: Vec<Suspect>,
    /// With the number of hops.
    pub behind: BTreeMap<ItemName, BTreeMap<ItemName, u8>>,
}

/// `failing` says how many fail directly behind an item, when it is told how many of them are among the symptoms: of
/// a storm only some are looked at.
pub fn rank(
    topology: &Topology,
    hops_max: u8,
    symptoms: &[Symptom],
    failing: impl Fn(&ItemName, usize) -> usize,
) -> Ranking {
    let evidence = gather(symptoms);
    let mut behind: BTreeMap<ItemName, BTreeMap<ItemName, u8>> = BTreeMap::new();
    for item in evidence.keys() {
        for (ancestor, hops) in topology.upstream(item, hops_max) {
            behind.entry(ancestor).or_default().insert(item.clone(), hops);
        }
    }
    let reach = |item: &ItemName, support: i64| -> i64 {
        let behind = behind.get(item).into_iter().flatten();
        let suffers = |other: &ItemName| evidence.get(other).map_or(0, Evidence::suffers);
        behind.map(|(other, hops)| fixed::mul(suffers(other).min(support), fades(*hops))).sum()
    };
    let mut suspects: Vec<Suspect> = Vec::new();
    for (item, own) in &evidence {
        let explained = explained(topology, item, own, &evidence);
        let reach = reach(item, own.trouble());
        let terms = [(term::OWN, own.own()), (term::EXPLAINED, -explained), (term::REACH, reach)];
        suspects.push(suspect(item, &terms, own.first_at, false));
    }
    for (item, all) in behind.iter().filter(|(item, _)| !evidence.contains_key(*item)) {
        let direct: Vec<&Evidence> =
            all.iter().filter(|(_, hops)| **hops == 1).filter_map(|(other, _)| evidence.get(other)).collect();
        if let Some(first_at) = direct.iter().map(|own| own.first_at).min().filter(|_| direct.len() >= SILENT_MIN) {
            let strength = silent_strength(topology, item, &direct, failing(item, direct.len()));
            let terms = [(term::SILENT, strength), (term::REACH, reach(item, strength))];
            suspects.push(suspect(item, &terms, first_at, true));
        }
    }
    let mut ranking = Ranking { suspects, behind };
    ranking.sort();
    ranking
}

fn gather(symptoms: &[Symptom]) -> BTreeMap<ItemName, Evidence> {
    let mut bits: BTreeMap<&ItemName, (BTreeMap<Class, Vec<i64>>, Timestamp)> = BTreeMap::new();
    for symptom in symptoms {
        let (by_class, first_at) = bits.entry(&symptom.item).or_insert((BTreeMap::new(), symptom.first_at));
        by_class.entry(symptom.class).or_default().push(symptom.bits);
        *first_at = symptom.first_at.min(*first_at);
    }
    let sum = |mut bits: Vec<i64>| {
        bits.sort_unstable_by(|a, b| b.cmp(a));
        let add = |(sum, share), bits: &i64| (sum + fixed::mul(*bits, share), fixed::mul(share, NEXT));
        bits.iter().take(OF_CLASS_MAX).fold((0, ONE), add).0
    };
    let evidence = |by_class: BTreeMap<Class, Vec<i64>>, first_at| Evidence {
        by_class: by_class.into_iter().map(|(class, bits)| (class, sum(bits))).collect(),
        first_at,
    };
    bits.into_iter().map(|(item, (by_class, first_at))| (item.clone(), evidence(by_class, first_at))).collect()
}

/// What the dependencies take off: those that fail in the same way, and those that are gone altogether.
fn explained(topology: &Topology, item: &str, own: &Evidence, evidence: &BTreeMap<ItemName, Evidence>) -> i64 {
    let below: Vec<&Evidence> = topology.dependencies(item).filter_map(|other| evidence.get(other)).collect();
    let by_class = own.by_class.iter().filter(|(_, bits)| **bits > 0).map(|(class, bits)| {
        let same = below.iter().map(|other| other.of(*class).max(other.of(Class::Down))).max().unwrap_or(0);
        fixed::mul(fixed::mul(*bits, class.weight()), EXPLAINED) * same.min(*bits) / bits
    });
    by_class.sum()
}

fn fades(hops: u8) -> i64 {
    (1..hops).fold(REACH, |share, _| fixed::mul(share, REACH_FADES))
}

/// The unmonitored switch: as strong as those directly behind it suffer, the more of all of them do.
fn silent_strength(topology: &Topology, item: &str, direct: &[&Evidence], failing: usize) -> i64 {
    let sum: i64 = direct.iter().map(|own| own.suffers()).sum();
    let mean = sum / (direct.len() as i64).max(1);
    let all = topology.dependant_count(item).max(failing) as i64;
    fixed::mul(mean, SILENT) * failing as i64 / all.max(1)
}

fn suspect(item: &ItemName, terms: &[(&'static str, i64)], first_at: Timestamp, is_silent: bool) -> Suspect {
    Suspect {
        item: item.clone(),
        score: terms.iter().map(|(_, bits)| bits).sum(),
        terms: terms.iter().copied().filter(|(_, bits)| *bits != 0).collect(),
        first_at,
        is_silent,
    }
}

impl Ranking {
    /// Adds a term to each suspect, and brings them into order.
    pub fn add(&mut self, name: &'static str, term: impl Fn(&Suspect) -> i64) {
        for suspect in &mut self.suspects {
            let bits = term(suspect);
            if bits != 0 {
                suspect.score += bits;
                suspect.terms.push((name, bits));
            }
        }
        self.sort();
    }

    fn sort(&mut self) {
        self.suspects.sort_by(|a, b| (-a.score, a.first_at, &a.item).cmp(&(-b.score, b.first_at, &b.item)));
    }
}

/// How sure each verdict is, thousandths, best first: the shares of two to the power of the scores.
pub fn shares(scores: &[i64]) -> Vec<i64> {
    let Some(best) = scores.first() else { return Vec::new() };
    let odds: Vec<i64> = scores.iter().map(|score| fixed::exp2_minus(best - score)).collect();
    let sum: i64 = odds.iter().sum();
    odds.iter().map(|odds| odds * ONE / sum.max(1)).collect()
}
