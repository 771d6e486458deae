//! Configuration items and the edges between them, as a topology file or whoever pushes one holds them. *From
//! depends on to.* Decides which of them are sound, and the one form in which two of them are compared.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Labels;

/// The least important tier.
pub const TIER_MAX: u8 = 5;
/// Bytes of an item's name: the longest host name there can be, and a little more.
pub const ID_BYTES_MAX: usize = 256;

/// Characters of what came that a fault repeats.
const GOT_CHARS_MAX: usize = 80;

#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    #[default]
    DependsOn,
    RunsOn,
    MemberOf,
}

/// A managed component: host, pod, switch, database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigurationItem {
    #[schema(min_length = 1)]
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// 1 is the most important; decides the impact.
    #[schema(minimum = 1, maximum = 5)]
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

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    #[schema(min_length = 1)]
    pub from: String,
    #[schema(min_length = 1)]
    pub to: String,
    #[serde(default)]
    pub kind: EdgeKind,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TopologyFile {
    #[serde(default)]
    pub nodes: Vec<ConfigurationItem>,
    #[serde(default)]
    pub edges: Vec<Edge>,
}

/// What is wrong with a topology.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: expected {expected}, got {got}")]
pub struct TopologyFault {
    /// Path such as `nodes[3].tier`.
    pub field: String,
    pub got: String,
    pub expected: String,
}

impl TopologyFault {
    pub fn new(field: impl Into<String>, got: &str, expected: impl Into<String>) -> Self {
        let shown: String = got.chars().take(GOT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let got = if got.is_empty() { "an empty text".to_owned() } else { format!("`{shown}`") };
        Self { field: field.into(), got, expected: expected.into() }
    }
}

impl TopologyFile {
    /// Whether every value is in its bounds and each item is described once.
    ///
    /// # Errors
    /// Names the first field that is not.
    pub fn check(&self) -> Result<(), TopologyFault> {
        for (index, node) in self.nodes.iter().enumerate() {
            check_id(&node.id, || format!("nodes[{index}].id"))?;
            for (number, alias) in node.aliases.iter().enumerate() {
                check_id(alias, || format!("nodes[{index}].aliases[{number}]"))?;
            }
            if let Some(tier) = node.tier.filter(|tier| !(1..=TIER_MAX).contains(tier)) {
                let expected = format!("1 to {TIER_MAX}");
                return Err(TopologyFault::new(format!("nodes[{index}].tier"), &tier.to_string(), expected));
            }
        }
        for (index, edge) in self.edges.iter().enumerate() {
            check_id(&edge.from, || format!("edges[{index}].from"))?;
            check_id(&edge.to, || format!("edges[{index}].to"))?;
        }
        self.check_twice()
    }

    fn check_twice(&self) -> Result<(), TopologyFault> {
        let mut by_id: Vec<(&str, usize)> = Vec::with_capacity(self.nodes.len());
        by_id.extend(self.nodes.iter().enumerate().map(|(index, node)| (node.id.as_str(), index)));
        by_id.sort_unstable();
        match by_id.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            Some(pair) => {
                let expected = format!("an id that `nodes[{}]` does not have", pair[0].1);
                Err(TopologyFault::new(format!("nodes[{}].id", pair[1].1), pair[1].0, expected))
            }
            None => Ok(()),
        }
    }

    /// The same in order, without what says nothing: an edge of an item to itself, and one that is there
    /// already. Two that say the same are equal then, in whatever order they came.
    #[must_use]
    pub fn tidied(mut self) -> Self {
        for node in &mut self.nodes {
            node.aliases.sort_unstable();
            node.aliases.dedup();
        }
        self.nodes.sort_by(|one, other| one.id.cmp(&other.id));
        self.edges.retain(|edge| edge.from != edge.to);
        self.edges.sort_unstable();
        self.edges.dedup();
        self
    }

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

    /// What depends on what, by name. Belonging to something is no dependency on it.
    pub fn dependencies(&self) -> impl Iterator<Item = (&str, &str)> {
        let edges = self.edges.iter().filter(|edge| edge.kind != EdgeKind::MemberOf);
        edges.map(|edge| (edge.from.as_str(), edge.to.as_str()))
    }

    /// Every item that is described or is the end of an edge, in order, each once.
    pub fn names(&self) -> Vec<&str> {
        let ends = self.edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]);
        let mut names: Vec<&str> = self.nodes.iter().map(|node| node.id.as_str()).chain(ends).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

fn check_id(id: &str, field: impl FnOnce() -> String) -> Result<(), TopologyFault> {
    if id.is_empty() || id.len() > ID_BYTES_MAX {
        return Err(TopologyFault::new(field(), id, format!("1 to {ID_BYTES_MAX} bytes")));
    }
    Ok(())
}

impl ConfigurationItem {
    /// Takes from another description of the same item what this one leaves open.
    pub fn complete(&mut self, other: &Self) {
        let fill = |mine: &mut Option<String>, theirs: &Option<String>| {
            if mine.is_none() {
                mine.clone_from(theirs);
            }
        };
        fill(&mut self.kind, &other.kind);
        fill(&mut self.service, &other.service);
        fill(&mut self.owner, &other.owner);
        self.tier = self.tier.or(other.tier);
        for (name, value) in other.labels.iter().filter(|(name, _)| self.labels.get(name).is_none()).collect::<Vec<_>>()
        {
            self.labels.insert(name, value);
        }
        for alias in &other.aliases {
            if !self.aliases.contains(alias) {
                self.aliases.push(alias.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(json: serde_json::Value) -> TopologyFile {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn each_fault_names_its_field() {
        let fault = |json| file(json).check().unwrap_err().to_string();
        let all = [
            fault(serde_json::json!({"nodes": [{"id": "a"}, {"id": ""}]})),
            fault(serde_json::json!({"nodes": [{"id": "a", "tier": 6}]})),
            fault(serde_json::json!({"nodes": [{"id": "b"}, {"id": "a"}, {"id": "b"}]})),
            fault(serde_json::json!({"nodes": [{"id": "a", "aliases": ["x", ""]}]})),
            fault(serde_json::json!({"edges": [{"from": "a", "to": "x".repeat(257)}]})),
        ];
        insta::assert_snapshot!(all.join("\n"), @"
        `nodes[1].id`: expected 1 to 256 bytes, got an empty text
        `nodes[0].tier`: expected 1 to 5, got `6`
        `nodes[2].id`: expected an id that `nodes[0]` does not have, got `b`
        `nodes[0].aliases[1]`: expected 1 to 256 bytes, got an empty text
        `edges[0].to`: expected 1 to 256 bytes, got `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx`
        ");
    }

    #[test]
    fn the_same_in_another_order_is_the_same() {
        let edge = |from: &str, to: &str| serde_json::json!({"from": from, "to": to});
        let one = serde_json::json!({"nodes": [{"id": "b", "aliases": ["y", "x"]}, {"id": "a"}],
            "edges": [edge("a", "b"), edge("a", "a"), edge("b", "c"), edge("a", "b")]});
        let other = serde_json::json!({"nodes": [{"id": "a"}, {"id": "b", "aliases": ["x", "y", "x"]}],
            "edges": [edge("b", "c"), edge("a", "b")]});
        assert_eq!(file(one).tidied(), file(other.clone()).tidied());
        assert_eq!(file(other).names(), ["a", "b", "c"]);
    }

    #[test]
    fn a_description_is_completed_but_never_overruled() {
        let read = |json| serde_json::from_value::<ConfigurationItem>(json).unwrap();
        let mut item = read(serde_json::json!({"id": "db", "tier": 2, "labels": {"site": "fra"}, "aliases": ["d"]}));
        item.complete(&read(serde_json::json!({"id": "db", "tier": 1, "owner": "dba", "kind": "host",
            "labels": {"site": "ber", "rack": "7"}, "aliases": ["d", "e"]})));
        assert_eq!(
            item,
            read(serde_json::json!({"id": "db", "tier": 2, "owner": "dba", "kind": "host",
            "labels": {"site": "fra", "rack": "7"}, "aliases": ["d", "e"]}))
        );
    }
}
