//! Configuration items and the edges between them, as a topology file holds them. *From depends on to.*

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Labels;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    #[default]
    DependsOn,
    RunsOn,
    MemberOf,
}

/// A managed component: host, pod, switch, database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationItem {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// 1 is the most important; decides the impact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Other names that monitors use for it: addresses, aliases, full names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    pub from: String,
    pub to: String,
    #[serde(default)]
    pub kind: EdgeKind,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopologyFile {
    #[serde(default)]
    pub nodes: Vec<ConfigurationItem>,
    #[serde(default)]
    pub edges: Vec<Edge>,
}

impl TopologyFile {
    /// An address or a description that several items have names none of them.
    pub fn drop_shared_aliases(&mut self) {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for name in self.nodes.iter().flat_map(|node| node.aliases.iter().chain([&node.id])) {
            *counts.entry(name.clone()).or_default() += 1;
        }
        for node in &mut self.nodes {
            node.aliases.retain(|alias| counts.get(alias) == Some(&1));
        }
    }
}
