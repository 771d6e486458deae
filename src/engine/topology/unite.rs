//! One graph of all that the documents say. A million ends of edges are looked up once each, and names are put into
//! order once.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::{DEPENDANTS_MAX, ItemName, Node, Topology};
use crate::engine::items::{ItemId, Items};
use crate::model::topology::{ConfigurationItem, TopologyFile};

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
        // Numbered in the order of the names.
        let mut items = Items::default();
        let ids: Vec<ItemId> = names.iter().map(|name| items.intern_shared(name)).collect();
        let mut nodes = vec![Node { is_linked: true, ..Node::default() }; names.len()];
        for (from, all) in runs(&pairs) {
            nodes[from].dependencies = all.iter().map(|(_, to)| ids[*to as usize]).collect();
        }
        let (node_count, edge_count) = (nodes.len(), pairs.len());
        pairs.iter_mut().for_each(|(from, to)| std::mem::swap(from, to));
        pairs.sort_unstable();
        for (to, all) in runs(&pairs) {
            nodes[to].dependants = all.iter().take(DEPENDANTS_MAX).map(|(_, from)| ids[*from as usize]).collect();
            nodes[to].dependant_count = all.len() as u32;
        }
        // Those that are described came first.
        let described = described.into_values().zip(&ranks).map(|(item, rank)| (ids[*rank as usize], item));
        Self { described: described.collect(), items, nodes, node_count, edge_count, ..Self::default() }
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
