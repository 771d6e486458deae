//! What people see of the topology: how large it is, who told it, and what is around one item. Only looks.
//!
//! ```text
//! version 7, 4,211 items, 9,870 dependencies      of cmdb (version 7), files (version 3), monitors
//! ```

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Timestamp;
use crate::model::cycles::cycles;
use crate::model::topology::{ConfigurationItem, Edge, TopologyFile};

use super::normalize;
use super::origins::{FILES, MONITORS, Stamp};
use super::policy::Policy;
use super::state::State;
use super::topology::{ItemName, Kinship, VISITED_MAX};

/// Circles that are named; the others are counted.
const CYCLES_MAX: usize = 10;

/// One origin in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OriginSummary {
    pub name: String,
    /// The topology's version that its last change made. What monitors teach has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<Timestamp>,
    /// Whose token, or what of the daemon itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Items that it describes, or names as an end of a dependency.
    pub node_count: usize,
    pub edge_count: usize,
}

impl OriginSummary {
    fn new(name: &str, stamp: Option<&Stamp>, node_count: usize, edge_count: usize) -> Self {
        Self {
            name: name.to_owned(),
            version: stamp.map(|stamp| stamp.version),
            changed_at: stamp.map(|stamp| stamp.changed_at),
            by: stamp.map(|stamp| stamp.by.clone()),
            node_count,
            edge_count,
        }
    }
}

/// The whole topology in numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Overview {
    /// Rises with every change of the files and of what is pushed; not with what monitors teach.
    pub version: u64,
    pub node_count: usize,
    /// Dependencies, each pair of items once, whoever told them.
    pub edge_count: usize,
    /// Those who know anything.
    pub origins: Vec<OriginSummary>,
    pub cycle_count: usize,
    /// Items that depend on each other in a circle, the first one again at the end: the first ten of them.
    pub cycles: Vec<Vec<String>>,
}

/// What an overview is made of, as it was at one moment.
pub struct Survey {
    overview: Overview,
    policy: Arc<Policy>,
    pushed: Vec<Arc<TopologyFile>>,
    learned: Vec<(ItemName, ItemName)>,
}

impl Survey {
    /// Quick: what is large is shared.
    pub fn of(state: &State) -> Self {
        let (topology, origins) = (state.topology(), state.origins());
        let learned: Vec<(ItemName, ItemName)> =
            state.learned().flat_map(|(from, all)| all.map(|to| (from.clone(), to.clone()))).collect();
        let overview = Overview {
            version: origins.version(),
            node_count: topology.node_count(),
            edge_count: topology.edge_count(),
            origins: summaries(state, learned.len()),
            cycle_count: 0,
            cycles: Vec::new(),
        };
        let pushed = origins.pushed().map(|(_, origin)| Arc::clone(&origin.topology)).collect();
        Self { overview, policy: state.shared_policy(), pushed, learned }
    }

    /// Looks for circles, which takes a while where there is much to look through.
    pub fn finish(self) -> Overview {
        let documents = [&self.policy.topology].into_iter().chain(self.pushed.iter().map(|document| &**document));
        let told = documents.flat_map(TopologyFile::dependencies);
        let learned = self.learned.iter().map(|(from, to)| (&**from, &**to));
        let found = cycles(told.chain(learned));
        let named = found.iter().take(CYCLES_MAX).map(|cycle| cycle.iter().map(ToString::to_string).collect());
        Overview { cycle_count: found.len(), cycles: named.collect(), ..self.overview }
    }
}

fn summaries(state: &State, learned: usize) -> Vec<OriginSummary> {
    let (files, origins) = (&state.policy().topology, state.origins());
    let mut all: Vec<OriginSummary> =
        origins.pushed().map(|(name, _)| name).filter_map(|name| pushed(state, name)).collect();
    if !files.nodes.is_empty() || !files.edges.is_empty() {
        all.push(summary_of_files(state));
    }
    if learned > 0 {
        all.push(summary_of_monitors(state));
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

fn pushed(state: &State, name: &str) -> Option<OriginSummary> {
    let origin = state.origins().get(name)?;
    Some(OriginSummary::new(name, Some(&origin.stamp), origin.item_count, origin.topology.edges.len()))
}

fn summary_of_files(state: &State) -> OriginSummary {
    let files = &state.policy().topology;
    // Ends of edges that no file describes are among the nodes already.
    OriginSummary::new(FILES, state.origins().files(), files.nodes.len(), files.edges.len())
}

fn summary_of_monitors(state: &State) -> OriginSummary {
    let mut items: Vec<&ItemName> = state.learned().flat_map(|(from, all)| all.chain([from])).collect();
    let edges = items.len() - state.learned().count();
    items.sort_unstable();
    items.dedup();
    OriginSummary::new(MONITORS, None, items.len(), edges)
}

/// What one origin knows, in full.
pub struct OriginDocument {
    pub summary: OriginSummary,
    document: Document,
}

enum Document {
    Pushed(Arc<TopologyFile>),
    Files(Arc<Policy>),
    Learned(TopologyFile),
}

impl OriginDocument {
    /// None when there is no such origin.
    pub fn of(state: &State, name: &str) -> Option<Self> {
        let (summary, document) = match name {
            FILES => (summary_of_files(state), Document::Files(state.shared_policy())),
            MONITORS => (summary_of_monitors(state), Document::Learned(learned(state))),
            name => {
                let origin = state.origins().get(name)?;
                (pushed(state, name)?, Document::Pushed(Arc::clone(&origin.topology)))
            }
        };
        Some(Self { summary, document })
    }

    pub fn topology(&self) -> &TopologyFile {
        match &self.document {
            Document::Pushed(topology) => topology,
            Document::Files(policy) => &policy.topology,
            Document::Learned(topology) => topology,
        }
    }
}

fn learned(state: &State) -> TopologyFile {
    let edge =
        |from: &ItemName, to: &ItemName| Edge { from: from.to_string(), to: to.to_string(), kind: Default::default() };
    let edges = state.learned().flat_map(|(from, all)| all.map(move |to| edge(from, to)));
    TopologyFile { nodes: Vec::new(), edges: edges.collect() }
}

/// An item and what is around it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ItemView {
    /// As all origins together describe it; nothing but its name where none does.
    pub item: ConfigurationItem,
    pub is_described: bool,
    /// First what it depends on, then what depends on it; the nearest first.
    pub near: Vec<Neighbour>,
    /// More is around it than is shown.
    pub is_cut: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Neighbour {
    pub item: String,
    pub kinship: Kinship,
    /// Steps along dependencies.
    pub distance: u8,
}

impl ItemView {
    /// By its name, or by any name that a monitor would find it by.
    pub fn of(state: &State, name: &str, hops_max: u8) -> Option<Self> {
        let topology = state.topology();
        let name = if topology.contains(name) { name.to_owned() } else { normalize::item_named(state, name) };
        if !topology.contains(&name) {
            return None;
        }
        let (above, below) = (topology.upstream(&name, hops_max), topology.downstream(&name, hops_max));
        let is_cut = above.len().max(below.len()) >= VISITED_MAX;
        let described = topology.item(&name).cloned();
        let mut near = neighbours(above, Kinship::Dependency);
        near.extend(neighbours(below, Kinship::Dependant));
        let is_described = described.is_some();
        let item = described.unwrap_or(ConfigurationItem { id: name, ..ConfigurationItem::default() });
        Some(Self { item, is_described, near, is_cut })
    }
}

fn neighbours(found: Vec<(ItemName, u8)>, kinship: Kinship) -> Vec<Neighbour> {
    let found = found.into_iter().map(|(item, distance)| Neighbour { item: item.to_string(), kinship, distance });
    let mut found: Vec<Neighbour> = found.collect();
    found.sort_by(|one, other| (one.distance, &one.item).cmp(&(other.distance, &other.item)));
    found
}
