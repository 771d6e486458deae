//! Which item is the cause of what is seen, as a sum of signed terms in thousandths of a bit.
//!
//! For each item: how unexpected its own alerts are (see `history`), what kind of trouble they speak of (see
//! `symptom`), less what an item that it depends on explains by failing in the same way, plus what it explains of those
//! that depend on it. That is never more than its own alerts support, is shared with the others that may explain
//! the same, and is damped for what very many depend on. An item without alerts, on which several that fail depend,
//! is judged by them; and one whose instances fail alike is suspected in place of each of them (see `replica`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::Timestamp;

use super::fixed::{self, ONE};
use super::replica;
use super::symptom::Class;
use super::topology::{ItemName, Topology};

/// Of several alerts of one name on an item, for each of its operations say, each next one counts this share.
const SAME_NAME: i64 = 400;
/// Of several kinds of alerts of one class on an item each next one counts a tenth less.
const NEXT: i64 = 900;
/// Of each of these that many are looked at.
const COUNTED_MAX: usize = 16;
/// What a dependency that fails in the same way takes off.
const EXPLAINED: i64 = 300;
/// What each dependant that fails adds, and how that fades with each hop.
const REACH: i64 = 1_300;
const REACH_FADES: i64 = 850;
/// How much of that is not shared with others that may explain the same.
const REACH_OWN: i64 = 200;
/// Dependants with which an item explains half as much: something is always wrong behind a hub.
const HUB: i64 = 16;
/// What an item without alerts of its own is worth, relative to those that depend on it.
const SILENT: i64 = 600;
/// Dependants that must fail before an item without alerts is suspected.
const SILENT_MIN: usize = 2;
/// What an item inherits from the likeliest of its instances when several fail alike, and what each of them loses.
const WHOLE: i64 = 800;
const PART: i64 = 400;
/// What more items depend on is no instance of anything.
const PART_DEPENDANTS_MAX: usize = 64;
/// Bits that make one verdict twice as likely as another: alerts are not independent of each
/// other, and with two bits what is called 80 % sure is right in 80 of 100 cases (docs/evaluation.md).
const TWICE_AS_LIKELY: i64 = 2;

/// One alert of the incident.
#[derive(Clone, Debug)]
pub struct Symptom {
    pub item: ItemName,
    pub name: Arc<str>,
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
    /// Its instances that fail alike.
    pub instances: Vec<ItemName>,
}

/// Names of the terms.
pub mod term {
    pub const OWN: &str = "own alerts";
    pub const EXPLAINED: &str = "explained by its dependencies";
    pub const REACH: &str = "explains its dependants";
    pub const SILENT: &str = "silent";
    pub const WHOLE: &str = "its instances fail alike";
    pub const PART: &str = "fails like its siblings";
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

type ByItem<T> = BTreeMap<ItemName, T>;

/// The items that may be the cause, the likeliest first, and what fails behind each.
#[derive(Clone, Debug, Default)]
pub struct Ranking {
    pub suspects: Vec<Suspect>,
    /// With the number of hops.
    pub behind: ByItem<ByItem<u8>>,
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
    let behind = behind(topology, hops_max, &evidence);
    let wholes = wholes(topology, symptoms, &evidence);
    let mut suspects: Vec<Suspect> = Vec::new();
    for (item, own) in &evidence {
        let instances = wholes.get(item).map_or(&[][..], Vec::as_slice);
        let explained = explained(topology, item, own, &evidence, instances);
        suspects.push(suspect(item, &[(term::OWN, own.own()), (term::EXPLAINED, -explained)], own.first_at, false));
    }
    for (item, all) in behind.iter().filter(|(item, _)| !evidence.contains_key(*item)) {
        let direct: Vec<&Evidence> =
            all.iter().filter(|(_, hops)| **hops == 1).filter_map(|(other, _)| evidence.get(other)).collect();
        if let Some(first_at) = direct.iter().map(|own| own.first_at).min().filter(|_| direct.len() >= SILENT_MIN) {
            let strength = silent_strength(topology, item, &direct, failing(item, direct.len()));
            suspects.push(suspect(item, &[(term::SILENT, strength)], first_at, true));
        }
    }
    let mut ranking = Ranking { suspects, behind };
    let reach = reach(topology, &ranking, &evidence);
    ranking.add(term::REACH, |suspect| reach.get(&suspect.item).copied().unwrap_or(0));
    ranking.blame_wholes(&wholes, &evidence);
    ranking
}

fn gather(symptoms: &[Symptom]) -> ByItem<Evidence> {
    type Bits<'a> = BTreeMap<Class, BTreeMap<&'a str, Vec<i64>>>;
    let mut bits: BTreeMap<&ItemName, (Bits, Timestamp)> = BTreeMap::new();
    for symptom in symptoms {
        let (by_class, first_at) = bits.entry(&symptom.item).or_insert((BTreeMap::new(), symptom.first_at));
        by_class.entry(symptom.class).or_default().entry(&symptom.name).or_default().push(symptom.bits);
        *first_at = symptom.first_at.min(*first_at);
    }
    let of_class = |by_name: BTreeMap<&str, Vec<i64>>| {
        fading_sum(by_name.into_values().map(|bits| fading_sum(bits, SAME_NAME)).collect(), NEXT)
    };
    let evidence = |by_class: Bits, first_at| Evidence {
        by_class: by_class.into_iter().map(|(class, by_name)| (class, of_class(by_name))).collect(),
        first_at,
    };
    bits.into_iter().map(|(item, (by_class, first_at))| (item.clone(), evidence(by_class, first_at))).collect()
}

/// The largest in full, each next one by that share of the one before it.
fn fading_sum(mut bits: Vec<i64>, next: i64) -> i64 {
    bits.sort_unstable_by(|a, b| b.cmp(a));
    let add = |(sum, share), bits: &i64| (sum + fixed::mul(*bits, share), fixed::mul(share, next));
    bits.iter().take(COUNTED_MAX).fold((0, ONE), add).0
}

fn behind(topology: &Topology, hops_max: u8, evidence: &ByItem<Evidence>) -> ByItem<ByItem<u8>> {
    let mut behind: ByItem<ByItem<u8>> = BTreeMap::new();
    for item in evidence.keys() {
        for (ancestor, hops) in topology.upstream(item, hops_max) {
            behind.entry(ancestor).or_default().insert(item.clone(), hops);
        }
    }
    behind
}

/// What the dependencies take off: those that fail in the same way, and those that are gone altogether. Its own
/// instances explain nothing.
fn explained(
    topology: &Topology,
    item: &str,
    own: &Evidence,
    evidence: &ByItem<Evidence>,
    instances: &[ItemName],
) -> i64 {
    let others = topology.dependencies(item).filter(|other| !instances.contains(other));
    let below: Vec<&Evidence> = others.filter_map(|other| evidence.get(other)).collect();
    let by_class = own.by_class.iter().filter(|(_, bits)| **bits > 0).map(|(class, bits)| {
        let same = below.iter().map(|other| other.of(*class).max(other.of(Class::Down))).max().unwrap_or(0);
        fixed::mul(fixed::mul(*bits, class.weight()), EXPLAINED) * same.min(*bits) / bits
    });
    by_class.sum()
}

/// What each suspect explains of those that depend on it. What a dependant suffers goes to all that may be behind it,
/// by how strong and how near each of them is.
fn reach(topology: &Topology, ranking: &Ranking, evidence: &ByItem<Evidence>) -> ByItem<i64> {
    let support = |suspect: &Suspect| match evidence.get(&suspect.item) {
        Some(own) => own.trouble(),
        None => suspect.score,
    };
    let supports: BTreeMap<&ItemName, i64> =
        ranking.suspects.iter().map(|suspect| (&suspect.item, support(suspect).max(0))).collect();
    let pulls = supports.iter().filter_map(|(item, support)| Some((*item, *support, ranking.behind.get(*item)?)));
    let mut pulled: BTreeMap<&ItemName, i64> = BTreeMap::new();
    for (_, support, behind) in pulls.clone() {
        for (other, hops) in behind {
            *pulled.entry(other).or_default() += fixed::mul(support, fades(*hops));
        }
    }
    let of_one = |support: i64, other: &ItemName, hops: u8| {
        let suffers = evidence.get(other).map_or(0, Evidence::suffers).min(support);
        let share = fixed::mul(support, fades(hops)) * ONE / pulled.get(other).copied().unwrap_or(0).max(1);
        let counted = REACH_OWN + fixed::mul(ONE - REACH_OWN, share.min(ONE));
        fixed::mul(fixed::mul(fixed::mul(suffers, REACH), fades(hops)), counted)
    };
    let damped = |item: &ItemName, bits: i64| {
        let dependants = topology.dependant_count(item) as i64;
        bits * ONE / (ONE + fixed::log2(ONE + dependants * ONE / HUB))
    };
    let sum = |support, behind: &ByItem<u8>| behind.iter().map(|(other, hops)| of_one(support, other, *hops)).sum();
    pulls.map(|(item, support, behind)| (item.clone(), damped(item, sum(support, behind)))).collect()
}

fn fades(hops: u8) -> i64 {
    (1..hops).fold(ONE, |share, _| fixed::mul(share, REACH_FADES))
}

/// The unmonitored switch: as strong as those directly behind it suffer, the more of all of them do.
fn silent_strength(topology: &Topology, item: &str, direct: &[&Evidence], failing: usize) -> i64 {
    let sum: i64 = direct.iter().map(|own| own.suffers()).sum();
    let mean = sum / (direct.len() as i64).max(1);
    let all = topology.dependant_count(item).max(failing) as i64;
    fixed::mul(mean, SILENT) * failing as i64 / all.max(1)
}

/// Items that depend on several instances of one thing which show the same alert, with these instances.
fn wholes(topology: &Topology, symptoms: &[Symptom], evidence: &ByItem<Evidence>) -> ByItem<Vec<ItemName>> {
    if evidence.len() < 2 {
        return BTreeMap::new();
    }
    let mut names: BTreeMap<&ItemName, Vec<&str>> = BTreeMap::new();
    for symptom in symptoms {
        names.entry(&symptom.item).or_default().push(&symptom.name);
    }
    let mut by_stem: BTreeMap<(ItemName, String), Vec<&ItemName>> = BTreeMap::new();
    for item in evidence.keys().filter(|item| (1..=PART_DEPENDANTS_MAX).contains(&topology.dependant_count(item))) {
        let stem = replica::stem(item);
        for whole in topology.dependants(item) {
            by_stem.entry((whole.clone(), stem.clone())).or_default().push(item);
        }
    }
    let mut wholes: ByItem<Vec<ItemName>> = BTreeMap::new();
    for ((whole, _), items) in by_stem.into_iter().filter(|(_, items)| items.len() > 1) {
        let alike = |item: &&ItemName| {
            let others = items.iter().filter(|other| *other != item);
            others.flat_map(|other| &names[*other]).any(|name| names[*item].contains(name))
        };
        let alike: Vec<ItemName> = items.iter().copied().filter(alike).cloned().collect();
        if alike.len() > wholes.get(&whole).map_or(1, Vec::len) {
            wholes.insert(whole, alike);
        }
    }
    wholes
}

fn suspect(item: &ItemName, terms: &[(&'static str, i64)], first_at: Timestamp, is_silent: bool) -> Suspect {
    Suspect {
        item: item.clone(),
        score: terms.iter().map(|(_, bits)| bits).sum(),
        terms: terms.iter().copied().filter(|(_, bits)| *bits != 0).collect(),
        first_at,
        is_silent,
        instances: Vec::new(),
    }
}

impl Suspect {
    fn add(&mut self, name: &'static str, bits: i64) {
        if bits != 0 {
            self.score += bits;
            self.terms.push((name, bits));
        }
    }
}

impl Ranking {
    /// Adds a term to each suspect, and brings them into order.
    pub fn add(&mut self, name: &'static str, term: impl Fn(&Suspect) -> i64) {
        for suspect in &mut self.suspects {
            let bits = term(suspect);
            suspect.add(name, bits);
        }
        self.sort();
    }

    /// Where instances of one thing fail alike, the blame goes to what they are instances of.
    fn blame_wholes(&mut self, wholes: &ByItem<Vec<ItemName>>, evidence: &ByItem<Evidence>) {
        let scores: ByItem<i64> = self.suspects.iter().map(|one| (one.item.clone(), one.score.max(0))).collect();
        let score = |item: &ItemName| scores.get(item).copied().unwrap_or(0);
        for (whole, instances) in wholes {
            let inherited = fixed::mul(instances.iter().map(score).max().unwrap_or(0), WHOLE);
            let first_at = instances.iter().filter_map(|item| evidence.get(item)).map(|own| own.first_at).min();
            let Some(first_at) = first_at else { continue };
            if !scores.contains_key(whole) {
                self.suspects.push(suspect(whole, &[], first_at, true));
            }
            if let Some(suspect) = self.suspects.iter_mut().find(|suspect| suspect.item == *whole) {
                suspect.add(term::WHOLE, inherited);
                suspect.instances.clone_from(instances);
            }
        }
        let parts: BTreeSet<&ItemName> = wholes.values().flatten().collect();
        self.add(term::PART, |one| if parts.contains(&one.item) { -fixed::mul(score(&one.item), PART) } else { 0 });
    }

    fn sort(&mut self) {
        self.suspects.sort_by(|a, b| (-a.score, a.first_at, &a.item).cmp(&(-b.score, b.first_at, &b.item)));
    }
}

/// How sure each verdict is, thousandths, best first.
pub fn shares(scores: &[i64]) -> Vec<i64> {
    let Some(best) = scores.first() else { return Vec::new() };
    let odds: Vec<i64> = scores.iter().map(|score| fixed::exp2_minus((best - score) / TWICE_AS_LIKELY)).collect();
    let sum: i64 = odds.iter().sum();
    odds.iter().map(|odds| odds * ONE / sum.max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topology(edges: &[(&str, &str)]) -> Topology {
        let mut topology = Topology::default();
        for (from, to) in edges {
            let (from, to) = (topology.intern(&(*from).into()), topology.intern(&(*to).into()));
            topology.connect(from, to);
        }
        topology
    }

    /// Each with an alert of this name and so many bits.
    fn ranked(topology: &Topology, symptoms: &[(&str, &str, i64)]) -> Vec<Suspect> {
        let symptom = |(item, name, bits): &(&str, &str, i64)| Symptom {
            item: (*item).into(),
            name: (*name).into(),
            class: Class::of(name),
            bits: bits * ONE,
            first_at: Timestamp::from_millis(0),
        };
        let symptoms: Vec<Symptom> = symptoms.iter().map(symptom).collect();
        rank(topology, 3, &symptoms, |_, counted| counted).suspects
    }

    fn term(suspects: &[Suspect], item: &str, name: &str) -> i64 {
        let suspect = suspects.iter().find(|suspect| *suspect.item == *item).expect("a suspect");
        suspect.terms.iter().filter(|(term, _)| *term == name).map(|(_, bits)| bits).sum()
    }

    #[test]
    fn instances_that_fail_alike_point_at_what_they_are_instances_of() {
        let pods = ["api-7fc04063-crrvv", "api-7fc04063-z6hh7"];
        let graph = topology(&[("api", pods[0]), ("api", pods[1]), ("web", "api")]);
        let alike = ranked(&graph, &[(pods[0], "LogErrors", 4), (pods[1], "LogErrors", 4), ("web", "ErrorRate", 2)]);
        assert_eq!((&*alike[0].item, alike[0].instances.len()), ("api", 2));
        assert!(term(&alike, "api", term::WHOLE) > 0 && term(&alike, pods[0], term::PART) < 0);

        let each_its_own =
            ranked(&graph, &[(pods[0], "OomKilled", 4), (pods[1], "DiskFull", 3), ("web", "ErrorRate", 2)]);
        assert_eq!(&*each_its_own[0].item, pods[0], "two different troubles have no cause in common");
    }

    #[test]
    fn two_that_may_explain_the_same_share_it() {
        let graph = topology(&[("web", "db"), ("web", "cache")]);
        let alone = ranked(&graph, &[("web", "Latency", 6), ("db", "DiskFull", 4)]);
        let shared = ranked(&graph, &[("web", "Latency", 6), ("db", "DiskFull", 4), ("cache", "OomKilled", 4)]);
        assert!(term(&shared, "db", term::REACH) < term(&alone, "db", term::REACH));
        assert_eq!(term(&shared, "db", term::REACH), term(&shared, "cache", term::REACH));
    }

    #[test]
    fn what_very_many_depend_on_explains_less() {
        let names: Vec<String> = (0..48).map(|number| format!("client-{number}-x")).collect();
        let few = topology(&[("a", "hub"), ("b", "hub")]);
        let mut edges = vec![("a", "hub"), ("b", "hub")];
        edges.extend(names.iter().map(|name| (name.as_str(), "hub")));
        let symptoms = [("a", "Latency", 6), ("b", "Latency", 6), ("hub", "CpuHigh", 4)];
        let reach = |graph: &Topology| term(&ranked(graph, &symptoms), "hub", term::REACH);
        assert!(reach(&topology(&edges)) * 2 < reach(&few) + ONE);
    }

    #[test]
    fn many_operations_of_one_kind_say_little_more_than_one() {
        let graph = topology(&[]);
        let own = |symptoms: &[(&str, &str, i64)]| term(&ranked(&graph, symptoms), "a", term::OWN);
        let one = own(&[("a", "OomKilled", 4)]);
        assert!(own(&[("a", "OomKilled", 4); 8]) < 2 * one);
        assert!(own(&[("a", "OomKilled", 4), ("a", "DiskFull", 4)]) > own(&[("a", "OomKilled", 4); 8]));
    }

    #[test]
    fn confidence_doubles_with_two_bits() {
        assert_eq!(shares(&[4_000, 2_000]), [666, 333]);
        assert_eq!(shares(&[]), Vec::<i64>::new());
    }
}
