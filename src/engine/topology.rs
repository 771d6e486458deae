//! The graph of configuration items in memory: who depends on whom, up to a few hops.
//!
//! Built from the topology files of the policy plus what monitors told (parents, labels). Names are
//! the keys, and every answer is ordered by distance and name, so that a restart changes nothing.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::model::topology::{ConfigurationItem, EdgeKind, TopologyFile};

use super::small::SmallSet;

pub type ItemName = Arc<str>;

/// Items visited in one walk: a hub cannot make an alert expensive.
const VISITED_MAX: usize = 256;

/// How one item is near another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
}

#[derive(Clone, Debug, Default)]
struct Node {
    dependencies: SmallSet<ItemName>,
    dependants: SmallSet<ItemName>,
}

impl Topology {
    pub fn of(file: &TopologyFile) -> Self {
        let mut topology = Self::default();
        for item in &file.nodes {
            let name = ItemName::from(item.id.as_str());
            topology.nodes.entry(name.clone()).or_default();
            topology.described.insert(name, item.clone());
        }
        for edge in file.edges.iter().filter(|edge| edge.kind != EdgeKind::MemberOf) {
            let (from, to) = (topology.name(&edge.from), topology.name(&edge.to));
            topology.connect(&from, &to);
        }
        topology
    }

    /// `from` depends on `to`; true when that was not known.
    pub fn connect(&mut self, from: &ItemName, to: &ItemName) -> bool {
        if from == to {
            return false;
        }
        self.nodes.entry(to.clone()).or_default().dependants.insert(from.clone());
        self.nodes.entry(from.clone()).or_default().dependencies.insert(to.clone())
    }

    fn name(&self, name: &str) -> ItemName {
        self.nodes.get_key_value(name).map_or_else(|| name.into(), |(name, _)| name.clone())
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
        for shared in node.dependencies.iter().filter_map(|shared| self.nodes.get(shared)) {
            let siblings = shared.dependants.iter().filter(|_| shared.dependants.len() <= HUB);
            siblings.for_each(|item| add(item, SIBLING, Kinship::Sibling, 2));
        }
        for shared in node.dependants.iter().take(HUB).filter_map(|shared| self.nodes.get(shared)) {
            let others = shared.dependencies.iter().filter(|_| shared.dependencies.len() <= HUB);
            others.for_each(|item| add(item, CALLER, Kinship::Caller, 2));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Topology {
        let mut topology = Topology::default();
        for (from, to) in [("web1", "rtr1"), ("web2", "rtr1"), ("shop", "web1"), ("rtr1", "core"), ("core", "rtr1")] {
            topology.connect(&from.into(), &to.into());
        }
        topology
    }

    #[test]
    fn walks_both_ways_by_distance_and_survives_cycles() {
        let names = |found: Vec<(ItemName, u8)>| found.iter().map(|(n, h)| format!("{n}:{h}")).collect::<Vec<_>>();
        assert_eq!(names(chain().upstream("shop", 3)), ["web1:1", "rtr1:2", "core:3"]);
        assert_eq!(names(chain().downstream("rtr1", 2)), ["core:1", "web1:1", "web2:1", "shop:2"]);
        assert!(chain().upstream("unknown", 3).is_empty());
    }
}
