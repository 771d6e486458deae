//! The graph of configuration items in memory: who depends on whom, up to a few hops.
//!
//! Built from what all origins say (`origins.rs`) plus what monitors taught (parents, labels). Names are the
//! keys and every answer is in an order that follows from them, so that a restart changes nothing.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::topology::{ConfigurationItem, TopologyFile};

use super::small::SmallSet;

pub type ItemName = Arc<str>;

/// Items visited in one walk: a hub cannot make an alert expensive.
pub const VISITED_MAX: usize = 256;

/// How one item is near another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kinship {
    /// Something it depends on.
    Dependency,
    /// Something that depends on it.
    Dependant,
    /// Both depend on the same.
    Sibling,
    /// The same depends on both.
    Caller,
}

/// An item a few steps away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    pub item: ItemName,
    /// Thousandths, 1,000 for the item itself.
    pub nearness: i64,
    pub kinship: Kinship,
    pub hops: u8,
}

impl Near {
    /// Why `item` is near this one, in words.
    pub fn text(&self, item: &str) -> String {
        let (near, hops) = (&self.item, self.hops);
        let steps = format!("{hops} hop{}", if hops == 1 { "" } else { "s" });
        match self.kinship {
            Kinship::Dependency => format!("{item} depends on {near} ({steps}), which fails too"),
            Kinship::Dependant => format!("{near} depends on {item} ({steps}) and fails too"),
            Kinship::Sibling => format!("{item} and {near} depend on the same and fail together"),
            Kinship::Caller => format!("the same depends on {item} and {near}, which fail together"),
        }
    }
}

/// Nearness after so many steps along dependencies, all in one direction.
const NEARNESS: [i64; 4] = [1_000, 800, 600, 450];
/// Two of them are chance: one alone does not reach what an alert needs to belong.
const SIBLING: i64 = 380;
const CALLER: i64 = 110;
/// What has more neighbours than this makes nothing near: everything would be.
const HUB: usize = 64;

#[derive(Clone, Debug, Default)]
pub struct Topology {
    nodes: BTreeMap<ItemName, Node>,
    /// As the files have them. Most items are known from monitors only and are not looked for in here.
    described: BTreeMap<ItemName, ConfigurationItem>,
    edge_count: usize,
}

#[derive(Clone, Debug, Default)]
struct Node {
    dependencies: SmallSet<ItemName>,
    dependants: SmallSet<ItemName>,
}

impl Topology {
    pub fn of(file: &TopologyFile) -> Self {
        Self::unite([file])
    }

    /// Everything that the documents say. An item that two of them describe is as the first says, and what
    /// that one leaves open as the next does. An edge may name an item by an alias that only one item has;
    /// ends that nobody describes become plain items.
    pub fn unite<'a>(documents: impl IntoIterator<Item = &'a TopologyFile>) -> Self {
        let documents: Vec<&TopologyFile> = documents.into_iter().collect();
        let described = described(&documents);
        let mut numbers = Numbers::of(&described);
        let edges = documents.iter().flat_map(|document| document.dependencies());
        let pairs: Vec<(u32, u32)> = edges.map(|(from, to)| (numbers.of_end(from), numbers.of_end(to))).collect();
        let (names, ranks) = ranked(&numbers.names);
        let mut pairs: Vec<(u32, u32)> =
            pairs.into_iter().map(|(from, to)| (ranks[from as usize], ranks[to as usize])).collect();
        pairs.retain(|(from, to)| from != to);
        pairs.sort_unstable();
        pairs.dedup();
        let mut nodes = vec![Node::default(); names.len()];
        for (from, all) in runs(&pairs) {
            nodes[from].dependencies = SmallSet::of_sorted(all.iter().map(|(_, to)| names[*to as usize].clone()));
        }
        let edge_count = pairs.len();
        pairs.iter_mut().for_each(|(from, to)| std::mem::swap(from, to));
        pairs.sort_unstable();
        for (to, all) in runs(&pairs) {
            nodes[to].dependants = SmallSet::of_sorted(all.iter().map(|(_, from)| names[*from as usize].clone()));
        }
        // Those that are described came first.
        let described = described.into_values().zip(&ranks).map(|(item, rank)| (names[*rank as usize].clone(), item));
        Self { described: described.collect(), nodes: names.iter().cloned().zip(nodes).collect(), edge_count }
    }

    /// `from` depends on `to`; true when that was not known.
    pub fn connect(&mut self, from: &ItemName, to: &ItemName) -> bool {
        if from == to {
            return false;
        }
        self.nodes.entry(to.clone()).or_default().dependants.insert(from.clone());
        let is_new = self.nodes.entry(from.clone()).or_default().dependencies.insert(to.clone());
        self.edge_count += usize::from(is_new);
        is_new
    }

    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Dependencies, each pair of items once.
    pub fn edge_count(&self) -> usize {
        self.edge_count
    }

    pub fn contains(&self, name: &str) -> bool {
        self.nodes.contains_key(name)
    }

    pub fn item(&self, name: &str) -> Option<&ConfigurationItem> {
        self.described.get(name)
    }

    pub fn items(&self) -> impl Iterator<Item = (&ItemName, Option<&ConfigurationItem>)> {
        self.nodes.keys().map(|name| (name, self.described.get(name)))
    }

    pub fn has_dependencies(&self, name: &str) -> bool {
        self.nodes.get(name).is_some_and(|node| !node.dependencies.is_empty())
    }

    pub fn dependencies(&self, name: &str) -> impl Iterator<Item = &ItemName> {
        self.nodes.get(name).into_iter().flat_map(|node| node.dependencies.iter())
    }

    /// What depends on it directly.
    pub fn dependants(&self, name: &str) -> impl Iterator<Item = &ItemName> {
        self.nodes.get(name).into_iter().flat_map(|node| node.dependants.iter())
    }

    /// Directly.
    pub fn depends_on(&self, name: &str, other: &str) -> bool {
        self.nodes.get(name).is_some_and(|node| node.dependencies.contains(other))
    }

    pub fn dependant_count(&self, name: &str) -> usize {
        self.nodes.get(name).map_or(0, |node| node.dependants.len())
    }

    /// What `name` depends on, nearest first, with the number of hops; `name` itself is not in it.
    pub fn upstream(&self, name: &str, hops_max: u8) -> Vec<(ItemName, u8)> {
        self.walk(name, hops_max, |node| &node.dependencies)
    }

    /// What depends on `name`, nearest first.
    pub fn downstream(&self, name: &str, hops_max: u8) -> Vec<(ItemName, u8)> {
        self.walk(name, hops_max, |node| &node.dependants)
    }

    /// `name` and what depends on it; none when that is more than a walk visits.
    pub fn everything_below(&self, name: &str, hops_max: u8) -> Option<Vec<ItemName>> {
        let found = self.downstream(name, hops_max);
        (found.len() < VISITED_MAX).then(|| found.into_iter().map(|(item, _)| item).chain([name.into()]).collect())
    }

    /// The items around this one, each once and by its strongest tie.
    pub fn nearby(&self, name: &str, hops_max: u8) -> Vec<Near> {
        let Some(node) = self.nodes.get(name) else { return Vec::new() };
        let mut near: BTreeMap<ItemName, Near> = BTreeMap::new();
        let mut add = |item: &ItemName, nearness: i64, kinship, hops| {
            if **item != *name && near.get(item).is_none_or(|known| known.nearness < nearness) {
                near.insert(item.clone(), Near { item: item.clone(), nearness, kinship, hops });
            }
        };
        let nearness = |hops: u8| NEARNESS.get(usize::from(hops)).copied().unwrap_or(NEARNESS[3]);
        for (item, hops) in self.upstream(name, hops_max) {
            add(&item, nearness(hops), Kinship::Dependency, hops);
        }
        if node.dependants.len() <= HUB {
            for (item, hops) in self.downstream(name, hops_max) {
                add(&item, nearness(hops), Kinship::Dependant, hops);
            }
        }
        let shared = node.dependencies.iter().filter_map(|shared| self.nodes.get(shared));
        for shared in shared.filter(|shared| shared.dependants.len() <= HUB) {
            shared.dependants.iter().for_each(|item| add(item, SIBLING, Kinship::Sibling, 2));
        }
        let callers = node.dependants.iter().take(HUB).filter_map(|caller| self.nodes.get(caller));
        for caller in callers.filter(|caller| caller.dependencies.len() <= HUB) {
            caller.dependencies.iter().for_each(|item| add(item, CALLER, Kinship::Caller, 2));
        }
        near.into_values().collect()
    }

    fn walk(&self, start: &str, hops_max: u8, next: impl Fn(&Node) -> &SmallSet<ItemName>) -> Vec<(ItemName, u8)> {
        // Most items are in no dependency at all.
        if self.nodes.get(start).is_none_or(|node| next(node).is_empty()) {
            return Vec::new();
        }
        let mut found: Vec<(ItemName, u8)> = Vec::new();
        let mut seen: BTreeSet<ItemName> = BTreeSet::from([start.into()]);
        let mut queue: VecDeque<(ItemName, u8)> = VecDeque::from([(start.into(), 0)]);
        while let Some((name, hops)) = queue.pop_front() {
            if hops == hops_max {
                continue;
            }
            for neighbour in self.nodes.get(&name).into_iter().flat_map(|node| next(node).iter()) {
                if found.len() >= VISITED_MAX {
                    return found;
                }
                if seen.insert(neighbour.clone()) {
                    found.push((neighbour.clone(), hops + 1));
                    queue.push_back((neighbour.clone(), hops + 1));
                }
            }
        }
        found
    }
}

/// Each item as the first document describes it, completed by those after it.
fn described<'a>(documents: &[&'a TopologyFile]) -> BTreeMap<&'a str, ConfigurationItem> {
    let mut described: BTreeMap<&str, ConfigurationItem> = BTreeMap::new();
    for item in documents.iter().flat_map(|document| &document.nodes) {
        match described.entry(&item.id) {
            Entry::Vacant(entry) => drop(entry.insert(item.clone())),
            Entry::Occupied(mut known) => known.get_mut().complete(item),
        }
    }
    described
}

/// Other names, and the item that each means; none where it is a name itself, or two claim it.
fn aliases<'a, 'd>(described: &'d BTreeMap<&'a str, ConfigurationItem>) -> BTreeMap<&'d str, Option<&'a str>> {
    let mut aliases: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    for (id, item) in described {
        for alias in item.aliases.iter().filter(|alias| !described.contains_key(alias.as_str())) {
            aliases.entry(alias).and_modify(|known| *known = known.filter(|known| known == id)).or_insert(Some(*id));
        }
    }
    aliases
}

/// A number for each name that an edge may have, in the order in which they came: a million ends of edges are
/// looked up once each.
struct Numbers<'a, 'd> {
    /// Of items.
    names: Vec<&'a str>,
    /// Of items and their aliases.
    by_name: BTreeMap<&'d str, u32>,
}

impl<'a: 'd, 'd> Numbers<'a, 'd> {
    fn of(described: &'d BTreeMap<&'a str, ConfigurationItem>) -> Self {
        let names: Vec<&'a str> = described.keys().copied().collect();
        let mut by_name: BTreeMap<&'d str, u32> = names.iter().copied().zip(0..).collect();
        for (alias, item) in aliases(described) {
            if let Some(number) = item.and_then(|item| by_name.get(item).copied()) {
                by_name.insert(alias, number);
            }
        }
        Self { names, by_name }
    }

    /// The number of the item at the end of an edge; one that nobody describes gets the next.
    fn of_end(&mut self, name: &'a str) -> u32 {
        if let Some(number) = self.by_name.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name);
        self.by_name.insert(name, number);
        number
    }
}

/// The names in order, and for each of them as they came its place there.
fn ranked(names: &[&str]) -> (Vec<ItemName>, Vec<u32>) {
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_unstable_by_key(|number| names[*number]);
    let mut ranks = vec![0; names.len()];
    for (rank, number) in (0..).zip(&order) {
        ranks[*number] = rank;
    }
    (order.into_iter().map(|number| names[number].into()).collect(), ranks)
}

/// What stands together of sorted pairs: each first number with its pairs.
fn runs(pairs: &[(u32, u32)]) -> impl Iterator<Item = (usize, &[(u32, u32)])> {
    pairs.chunk_by(|one, other| one.0 == other.0).map(|run| (run[0].0 as usize, run))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::topology::Edge;

    fn chain() -> Topology {
        let mut topology = Topology::default();
        for (from, to) in [("web1", "rtr1"), ("web2", "rtr1"), ("shop", "web1"), ("rtr1", "core"), ("core", "rtr1")] {
            topology.connect(&from.into(), &to.into());
        }
        topology
    }

    #[test]
    fn what_is_built_at_once_is_what_is_learned_edge_by_edge() {
        let edges = [("z", "m"), ("m", "a"), ("a", "z"), ("b", "b"), ("z", "m"), ("b", "other"), ("b", "twice")];
        let mut file = TopologyFile::default();
        for (id, aliases) in [("m", &["other", "twice"][..]), ("a", &["twice", "m"]), ("lone", &[])] {
            let aliases = aliases.iter().map(ToString::to_string).collect();
            file.nodes.push(ConfigurationItem { id: id.to_owned(), aliases, ..ConfigurationItem::default() });
        }
        let edge =
            |(from, to): &(&str, &str)| Edge { from: (*from).into(), to: (*to).into(), kind: Default::default() };
        file.edges = edges.iter().map(edge).collect();
        let mut learned = Topology::default();
        for (from, to) in [("z", "m"), ("m", "a"), ("a", "z"), ("b", "m"), ("b", "twice")] {
            assert!(learned.connect(&from.into(), &to.into()));
        }
        let built = Topology::of(&file);
        assert_eq!((built.node_count(), built.edge_count()), (6, learned.edge_count()));
        for name in ["a", "b", "m", "z", "twice"] {
            assert_eq!(built.upstream(name, 3), learned.upstream(name, 3), "{name}");
            assert_eq!(built.downstream(name, 3), learned.downstream(name, 3), "{name}");
        }
        assert!(!built.contains("other") && built.contains("lone") && built.item("lone").is_some());
        assert_eq!(built.item("m").unwrap().id, "m");
    }

    #[test]
    fn walks_both_ways_by_distance_and_survives_cycles() {
        let names = |found: Vec<(ItemName, u8)>| found.iter().map(|(n, h)| format!("{n}:{h}")).collect::<Vec<_>>();
        assert_eq!(names(chain().upstream("shop", 3)), ["web1:1", "rtr1:2", "core:3"]);
        assert_eq!(names(chain().downstream("rtr1", 2)), ["core:1", "web1:1", "web2:1", "shop:2"]);
        assert!(chain().upstream("unknown", 3).is_empty());
    }
}
