//! The true estate: what there is, and what depends on what. `estate.rs` builds it; the file that is
//! written may know less (`write.rs`). Draws nothing.

use super::record::{EdgeRecord, NodeRecord};
use super::vocabulary::Vocabulary;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeKind {
    Namespace,
    Service,
    Pod,
    Host,
    Rack,
    Switch,
    Database,
    Cache,
    Queue,
    Dns,
    LoadBalancer,
    External,
}

impl NodeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Namespace => "namespace",
            Self::Service => "service",
            Self::Pod => "pod",
            Self::Host => "host",
            Self::Rack => "rack",
            Self::Switch => "switch",
            Self::Database => "database",
            Self::Cache => "cache",
            Self::Queue => "queue",
            Self::Dns => "dns",
            Self::LoadBalancer => "load_balancer",
            Self::External => "external",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    Calls,
    RunsOn,
    /// No dependency; nothing spreads along it.
    MemberOf,
    DependsOn,
}

impl EdgeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::RunsOn => "runs_on",
            Self::MemberOf => "member_of",
            Self::DependsOn => "depends_on",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Node {
    pub id: String,
    pub kind: NodeKind,
    pub namespace: Option<String>,
    pub service: Option<String>,
    pub zone: Option<String>,
    pub vocabulary: Vocabulary,
    /// The system that watches it; each has a clock of its own.
    pub monitor: usize,
    /// Otherwise it never alerts.
    pub is_monitored: bool,
    /// Alerts at the least disturbance of anything that it depends on.
    pub is_chronic: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub kind: EdgeKind,
    /// How much of a trouble of `to` reaches `from`, in thousandths. A cache or a fallback lets little
    /// through.
    pub passes: i64,
}

#[derive(Clone, Debug, Default)]
pub struct World {
    pub nodes: Vec<Node>,
    pub edges: Vec<Edge>,
    /// Systems that watch.
    pub monitors: usize,
    outgoing: Vec<Vec<usize>>,
    incoming: Vec<Vec<usize>>,
}

impl World {
    pub fn add_node(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.outgoing.push(Vec::new());
        self.incoming.push(Vec::new());
        self.nodes.len() - 1
    }

    /// Once for each pair; a second edge between the same two is left out.
    pub fn add_edge(&mut self, edge: Edge) {
        if edge.from == edge.to || self.outgoing[edge.from].iter().any(|known| self.edges[*known].to == edge.to) {
            return;
        }
        self.outgoing[edge.from].push(self.edges.len());
        self.incoming[edge.to].push(self.edges.len());
        self.edges.push(edge);
    }

    /// Edges of those that depend on `node`.
    pub fn dependants(&self, node: usize) -> impl Iterator<Item = &Edge> {
        let edges = self.incoming[node].iter().map(|edge| &self.edges[*edge]);
        edges.filter(|edge| edge.kind != EdgeKind::MemberOf)
    }

    /// Edges to what `node` depends on.
    pub fn dependencies(&self, node: usize) -> impl Iterator<Item = &Edge> {
        let edges = self.outgoing[node].iter().map(|edge| &self.edges[*edge]);
        edges.filter(|edge| edge.kind != EdgeKind::MemberOf)
    }

    /// The pods that a service consists of.
    pub fn pods(&self, service: usize) -> impl Iterator<Item = usize> {
        let is_service = self.nodes[service].kind == NodeKind::Service;
        let targets = self.dependencies(service).map(|edge| edge.to);
        targets.filter(move |node| is_service && self.nodes[*node].kind == NodeKind::Pod)
    }

    pub fn of_kind(&self, kind: NodeKind) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].kind == kind).collect()
    }

    pub fn node_record(&self, node: &Node) -> NodeRecord {
        NodeRecord {
            id: node.id.clone(),
            kind: node.kind.as_str().to_owned(),
            namespace: node.namespace.clone(),
            service: node.service.clone(),
            zone: node.zone.clone(),
        }
    }

    pub fn edge_record(&self, from: usize, to: usize, kind: EdgeKind) -> EdgeRecord {
        EdgeRecord { from: self.nodes[from].id.clone(), to: self.nodes[to].id.clone(), kind: kind.as_str().to_owned() }
    }
}
