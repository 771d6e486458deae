//! The graph of configuration items in memory: who depends on whom, up to a few hops.
//!
//! Built from what all origins say (`origins.rs`) plus what monitors taught (parents, labels). Inside, items are
//! numbers (`items.rs`); neighbours are kept, and answers given, in the order of the names, so that a restart, which
//! numbers anew, changes nothing.

mod unite;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::topology::ConfigurationItem;

pub use super::items::ItemName;
use super::items::{ItemId, Items};

/// Items visited in one walk: a hub cannot make an alert expensive.
pub const VISITED_MAX: usize = 256;
/// Dependants of an item that are kept, the first by name: no walk looks at more of them, for it has seen
/// `VISITED_MAX` others and the item it began with by then.
const DEPENDANTS_MAX: usize = VISITED_MAX + 1;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Near {
    pub item: ItemId,
    /// Thousandths, 1,000 for the item itself.
    pub nearness: i64,
    pub kinship: Kinship,
    pub hops: u8,
}

impl Near {
    /// Why `near`, which this is, is near `item`, in words.
    pub fn text(&self, item: &str, near: &str) -> String {
        let hops = self.hops;
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
    /// Of the graph, those that have alerts, and others whose names are known.
    pub(super) items: Items,
    /// By number; those past the end have no dependencies either way.
    nodes: Vec<Node>,
    /// As the files have them. Most items are known from monitors only and are not looked for in here.
    described: BTreeMap<ItemId, ConfigurationItem>,
    node_count: usize,
    edge_count: usize,
    /// The dependencies that monitors taught, whether or not others tell them too.
    learned: BTreeSet<(ItemId, ItemId)>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// Part of the graph; others only have alerts.
    is_linked: bool,
    /// In the order of the names.
    dependencies: Vec<ItemId>,
    /// The first of them in the order of the names.
    dependants: Vec<ItemId>,
    dependant_count: u32,
}

impl Topology {
    /// `from` depends on `to`; true when that was not known.
    pub fn connect(&mut self, from: ItemId, to: ItemId) -> bool {
        if from == to {
            return false;
        }
        self.link(from);
        self.link(to);
        let Self { items, nodes, .. } = self;
        let Err(place) = place(items, &nodes[from.index()].dependencies, to) else { return false };
        let dependencies = &mut nodes[from.index()].dependencies;
        dependencies.reserve_exact(usize::from(dependencies.is_empty()));
        dependencies.insert(place, to);
        let Node { dependants, dependant_count, .. } = &mut nodes[to.index()];
        *dependant_count += 1;
        let is_past = |last: &ItemId| dependants.len() == DEPENDANTS_MAX && items.name(*last) < items.name(from);
        if !dependants.last().is_some_and(is_past)
            && let Err(place) = self::place(items, dependants, from)
        {
            dependants.insert(place, from);
            dependants.truncate(DEPENDANTS_MAX);
        }
        self.edge_count += 1;
        true
    }

    /// Makes an item part of the graph.
    fn link(&mut self, id: ItemId) {
        if self.nodes.len() <= id.index() {
            self.nodes.resize_with(id.index() + 1, Node::default);
        }
        let node = &mut self.nodes[id.index()];
        self.node_count += usize::from(!node.is_linked);
        node.is_linked = true;
    }

    /// Notes that a monitor taught that `from` depends on `to`, true when that is news; the graph follows by
    /// [`Topology::connect`].
    pub fn learn(&mut self, from: ItemId, to: ItemId) -> bool {
        self.learned.insert((from, to))
    }

    /// What monitors taught that an item depends on, in the order of their names.
    pub fn learned_of(&self, from: ItemId) -> Vec<&ItemName> {
        let all = self.learned.range((from, ItemId::FIRST)..=(from, ItemId::LAST));
        let mut all: Vec<&ItemName> = all.map(|(_, to)| self.name(*to)).collect();
        all.sort_unstable();
        all
    }

    /// All that monitors taught, in the order of the names.
    pub fn learned(&self) -> impl Iterator<Item = (&ItemName, Vec<&ItemName>)> {
        let mut items: Vec<ItemId> = self.learned.iter().map(|(from, _)| *from).collect();
        items.dedup();
        self.sort(&mut items);
        items.into_iter().map(|from| (self.name(from), self.learned_of(from)))
    }

    /// The number of an item that has one: the graph has it, it has alerts, or its name is known.
    pub fn id(&self, name: &str) -> Option<ItemId> {
        self.items.find(name)
    }

    pub fn name(&self, id: ItemId) -> &ItemName {
        self.items.name(id)
    }

    /// The number of an item that has alerts.
    pub fn intern(&mut self, name: &ItemName) -> ItemId {
        self.items.intern_shared(name)
    }

    /// The number of an item whose name is remembered from now on.
    pub fn know(&mut self, name: &str) -> ItemId {
        let id = self.items.intern(name);
        self.items.know(id);
        id
    }

    /// The shared form of a name that is remembered from now on.
    pub fn known(&mut self, name: &str) -> ItemName {
        let id = self.know(name);
        ItemName::clone(self.name(id))
    }

    /// The shared form of a name, where it has one.
    pub fn share(&self, name: &str) -> ItemName {
        self.id(name).map_or_else(|| name.into(), |id| ItemName::clone(self.name(id)))
    }

    /// An item has no alerts any more; its number goes back unless something else needs it.
    pub fn release(&mut self, id: ItemId) {
        if !self.node(id).is_some_and(|node| node.is_linked) {
            self.items.release(id);
        }
    }

    fn node(&self, id: ItemId) -> Option<&Node> {
        self.nodes.get(id.index())
    }

    fn linked(&self, name: &str) -> Option<(ItemId, &Node)> {
        let id = self.id(name)?;
        self.node(id).filter(|node| node.is_linked).map(|node| (id, node))
    }

    pub fn node_count(&self) -> usize {
        self.node_count
    }

    /// Dependencies, each pair of items once.
    pub fn edge_count(&self) -> usize {
        self.edge_count
    }

    pub fn contains(&self, name: &str) -> bool {
        self.linked(name).is_some()
    }

    pub fn item(&self, name: &str) -> Option<&ConfigurationItem> {
        // Where nothing is described, no name is looked for.
        if self.described.is_empty() { None } else { self.described.get(&self.id(name)?) }
    }

    /// As the files have it.
    pub fn description(&self, id: ItemId) -> Option<&ConfigurationItem> {
        self.described.get(&id)
    }

    /// All of the graph, in the order of their names.
    pub fn items(&self) -> impl Iterator<Item = (&ItemName, Option<&ConfigurationItem>)> {
        self.linked_in_order().into_iter().map(|id| (self.name(id), self.description(id)))
    }

    pub fn linked_in_order(&self) -> Vec<ItemId> {
        let linked = self.nodes.iter().enumerate().filter(|(_, node)| node.is_linked);
        let mut ids: Vec<ItemId> = linked.map(|(index, _)| ItemId::of_index(index)).collect();
        self.sort(&mut ids);
        ids
    }

    /// Brings items into the order of their names.
    pub fn sort(&self, ids: &mut [ItemId]) {
        ids.sort_by(|one, other| self.name(*one).cmp(self.name(*other)));
    }

    pub fn has_dependencies(&self, name: &str) -> bool {
        self.linked(name).is_some_and(|(_, node)| !node.dependencies.is_empty())
    }

    pub fn dependencies(&self, name: &str) -> impl Iterator<Item = &ItemName> {
        let ids = self.linked(name).map_or(&[][..], |(_, node)| &node.dependencies);
        ids.iter().map(|id| self.name(*id))
    }

    /// Directly, in the order of their names.
    pub fn dependencies_of(&self, id: ItemId) -> &[ItemId] {
        self.node(id).map_or(&[], |node| &node.dependencies)
    }

    /// What depends on it directly; of very many the first.
    pub fn dependants(&self, name: &str) -> impl Iterator<Item = &ItemName> {
        let ids = self.linked(name).map_or(&[][..], |(_, node)| &node.dependants);
        ids.iter().map(|id| self.name(*id))
    }

    /// Directly.
    pub fn depends_on(&self, id: ItemId, other: ItemId) -> bool {
        self.node(id).is_some_and(|node| match node.dependencies.len() {
            0..=DEPENDENCIES_FEW => node.dependencies.contains(&other),
            _ => place(&self.items, &node.dependencies, other).is_ok(),
        })
    }

    pub fn dependant_count(&self, name: &str) -> usize {
        self.linked(name).map_or(0, |(id, _)| self.dependant_count_of(id))
    }

    pub fn dependant_count_of(&self, id: ItemId) -> usize {
        self.node(id).map_or(0, |node| node.dependant_count as usize)
    }

    /// What `name` depends on, nearest first, with the number of hops; `name` itself is not in it.
    pub fn upstream(&self, name: &str, hops_max: u8) -> Vec<(ItemName, u8)> {
        self.named(self.id(name).map(|id| self.above(id, hops_max)))
    }

    /// What depends on `name`, nearest first.
    pub fn downstream(&self, name: &str, hops_max: u8) -> Vec<(ItemName, u8)> {
        self.named(self.id(name).map(|id| self.below(id, hops_max)))
    }

    fn named(&self, found: Option<Vec<(ItemId, u8)>>) -> Vec<(ItemName, u8)> {
        let found = found.into_iter().flatten();
        found.map(|(id, hops)| (ItemName::clone(self.name(id)), hops)).collect()
    }

    /// What it depends on, nearest first, with the number of hops; itself is not in it.
    pub fn above(&self, id: ItemId, hops_max: u8) -> Vec<(ItemId, u8)> {
        self.walk(id, hops_max, |node| &node.dependencies)
    }

    /// What depends on it, nearest first.
    pub fn below(&self, id: ItemId, hops_max: u8) -> Vec<(ItemId, u8)> {
        self.walk(id, hops_max, |node| &node.dependants)
    }

    /// It and what depends on it; none when that is more than a walk visits.
    pub fn everything_below(&self, id: ItemId, hops_max: u8) -> Option<Vec<ItemId>> {
        let found = self.below(id, hops_max);
        (found.len() < VISITED_MAX).then(|| found.into_iter().map(|(item, _)| item).chain([id]).collect())
    }

    /// The items around this one, each once and by its strongest tie, in the order of their names.
    pub fn nearby(&self, name: &str, hops_max: u8) -> Vec<Near> {
        self.id(name).map_or(Vec::new(), |id| self.around(id, hops_max, &self.above(id, hops_max), |_| true))
    }

    /// The wanted items around this one, each once and by its strongest tie, in the order of their names. `above` is
    /// what [`Topology::above`] has found.
    pub fn around(
        &self,
        id: ItemId,
        hops_max: u8,
        above: &[(ItemId, u8)],
        is_wanted: impl Fn(ItemId) -> bool,
    ) -> Vec<Near> {
        let Some(node) = self.node(id) else { return Vec::new() };
        let mut near: Vec<Near> = Vec::new();
        let mut add = |item: ItemId, nearness: i64, kinship, hops| {
            if item != id && is_wanted(item) {
                near.push(Near { item, nearness, kinship, hops });
            }
        };
        let nearness = |hops: u8| NEARNESS.get(usize::from(hops)).copied().unwrap_or(NEARNESS[3]);
        for (item, hops) in above {
            add(*item, nearness(*hops), Kinship::Dependency, *hops);
        }
        if node.dependant_count as usize <= HUB {
            for (item, hops) in self.below(id, hops_max) {
                add(item, nearness(hops), Kinship::Dependant, hops);
            }
        }
        let shared = node.dependencies.iter().filter_map(|shared| self.node(*shared));
        for shared in shared.filter(|shared| shared.dependant_count as usize <= HUB) {
            shared.dependants.iter().for_each(|item| add(*item, SIBLING, Kinship::Sibling, 2));
        }
        let callers = node.dependants.iter().take(HUB).filter_map(|caller| self.node(*caller));
        for caller in callers.filter(|caller| caller.dependencies.len() <= HUB) {
            caller.dependencies.iter().for_each(|item| add(*item, CALLER, Kinship::Caller, 2));
        }
        // Of two ties that are as strong the first one stays.
        near.sort_by_key(|near| (near.item, std::cmp::Reverse(near.nearness)));
        near.dedup_by_key(|near| near.item);
        near.sort_by(|one, other| self.name(one.item).cmp(self.name(other.item)));
        near
    }

    fn walk(&self, start: ItemId, hops_max: u8, next: impl Fn(&Node) -> &Vec<ItemId>) -> Vec<(ItemId, u8)> {
        let neighbours = |id: ItemId| self.node(id).map_or(&[][..], |node| next(node));
        // Most items are in no dependency at all.
        if neighbours(start).is_empty() {
            return Vec::new();
        }
        // What was found is also what is still to be looked at.
        let mut found: Vec<(ItemId, u8)> = Vec::new();
        let mut seen = vec![start];
        let (mut at, mut looked_at) = ((start, 0), 0);
        loop {
            let (item, hops) = at;
            for neighbour in neighbours(item).iter().filter(|_| hops < hops_max) {
                if found.len() >= VISITED_MAX {
                    return found;
                }
                if let Err(place) = seen.binary_search(neighbour) {
                    seen.insert(place, *neighbour);
                    found.push((*neighbour, hops + 1));
                }
            }
            let Some(next) = found.get(looked_at) else { return found };
            (at, looked_at) = (*next, looked_at + 1);
        }
    }
}

/// Neighbours that are looked through one by one.
const DEPENDENCIES_FEW: usize = 32;

/// Where an item stands, or would stand, among others in the order of their names.
fn place(items: &Items, ids: &[ItemId], id: ItemId) -> Result<usize, usize> {
    ids.binary_search_by(|other| items.name(*other).cmp(items.name(id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::topology::{Edge, TopologyFile};

    fn connect(topology: &mut Topology, from: &str, to: &str) -> bool {
        let (from, to) = (topology.intern(&from.into()), topology.intern(&to.into()));
        topology.connect(from, to)
    }

    fn chain() -> Topology {
        let mut topology = Topology::default();
        for (from, to) in [("web1", "rtr1"), ("web2", "rtr1"), ("shop", "web1"), ("rtr1", "core"), ("core", "rtr1")] {
            connect(&mut topology, from, to);
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
            assert!(connect(&mut learned, from, to));
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

    #[test]
    fn numbers_decide_nothing() {
        let mut edges = Vec::new();
        for number in 0..700 {
            edges.push((format!("node-{number:03}"), "hub".to_owned()));
            edges.push((format!("app-{number:03}"), format!("node-{:03}", number * 7 % 700)));
            edges.push((format!("app-{number:03}"), format!("db-{:02}", number % 40)));
        }
        let file = edges.iter().map(|(from, to)| Edge { from: from.clone(), to: to.clone(), kind: Default::default() });
        let built = Topology::of(&TopologyFile { edges: file.collect(), ..TopologyFile::default() });
        let mut learned = Topology::default();
        // Some have alerts before anything is known of them, and the last by name come first.
        let others = ["zzz", "node-500", "app-003"].map(|name| learned.intern(&name.into()));
        for (from, to) in edges.iter().rev() {
            assert!(connect(&mut learned, from, to));
        }
        others.into_iter().for_each(|id| learned.release(id));
        let near = |topology: &Topology, name: &str| -> Vec<(ItemName, i64, Kinship, u8)> {
            let found = topology.nearby(name, 3).into_iter();
            found.map(|near| (topology.name(near.item).clone(), near.nearness, near.kinship, near.hops)).collect()
        };
        assert!(built.items().eq(learned.items()) && !learned.contains("zzz"));
        for (name, _) in built.items() {
            assert_eq!(built.upstream(name, 3), learned.upstream(name, 3), "{name}");
            assert_eq!(built.downstream(name, 3), learned.downstream(name, 3), "{name}");
            assert_eq!(near(&built, name), near(&learned, name), "{name}");
            assert_eq!(built.dependant_count(name), learned.dependant_count(name), "{name}");
        }
        let below: Vec<ItemName> = learned.downstream("hub", 3).into_iter().map(|(item, _)| item).collect();
        assert_eq!((below.len(), learned.dependant_count("hub")), (VISITED_MAX, 700));
        assert!(below.is_sorted() && &*below[0] == "node-000");
    }
}
