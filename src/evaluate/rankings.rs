//! Simple ways to name a cause, to hold the engine's against: earliest alert, most alerts, rarity alone, PageRank.
//! Pure functions of a failure's alerts, the topology and how often things fired before.

use std::collections::{BTreeMap, BTreeSet};

use super::sets::Set;
use crate::model::Timestamp;

/// In how many earlier failures each condition took part.
#[derive(Clone, Debug, Default)]
pub struct History {
    counts: BTreeMap<String, f64>,
    failures: f64,
}

impl History {
    /// One more failure, with these alerts.
    pub fn count(&mut self, set: &Set, alerts: &[usize]) {
        let keys: BTreeSet<String> = alerts.iter().map(|alert| set.alerts[*alert].key()).collect();
        keys.into_iter().for_each(|key| *self.counts.entry(key).or_default() += 1.0);
        self.failures += 1.0;
    }

    /// `−log2((c + ½) / (W + 1))`.
    fn surprise(&self, key: &str) -> f64 {
        let count = self.counts.get(key).copied().unwrap_or_default();
        -((count + 0.5) / (self.failures + 1.0)).log2()
    }
}

/// Names the causes of a failure from its alerts, the likeliest first.
pub type Method = fn(&Set, &[usize], &History) -> Vec<String>;

pub const METHODS: [(&str, Method); 4] =
    [("rarity only", rarity), ("earliest alert", earliest), ("most alerts", most), ("PageRank", pagerank)];

/// Ties go by name.
fn best_first(scores: BTreeMap<&str, f64>) -> Vec<String> {
    let mut scores: Vec<(&str, f64)> = scores.into_iter().collect();
    scores.sort_by(|(a, a_score), (b, b_score)| b_score.total_cmp(a_score).then_with(|| a.cmp(b)));
    scores.into_iter().map(|(node, _)| node.to_owned()).collect()
}

/// The item whose alerts add up to the greatest surprise, of two the one that failed first.
pub fn rarity(set: &Set, alerts: &[usize], history: &History) -> Vec<String> {
    let mut scores: BTreeMap<&str, (f64, Timestamp)> = BTreeMap::new();
    for alert in alerts.iter().map(|alert| &set.alerts[*alert]) {
        let (score, first_at) = scores.entry(&alert.node).or_insert((0.0, alert.at));
        *score += history.surprise(&alert.key());
        *first_at = alert.at.min(*first_at);
    }
    let mut scores: Vec<(&str, (f64, Timestamp))> = scores.into_iter().collect();
    scores.sort_by(|(_, (a, a_at)), (_, (b, b_at))| b.total_cmp(a).then(a_at.cmp(b_at)));
    scores.into_iter().map(|(node, _)| node.to_owned()).collect()
}

fn earliest(set: &Set, alerts: &[usize], _: &History) -> Vec<String> {
    let mut scores: BTreeMap<&str, f64> = BTreeMap::new();
    for alert in alerts.iter().map(|alert| &set.alerts[*alert]) {
        let score = scores.entry(&alert.node).or_insert(f64::MIN);
        *score = score.max(-(alert.at.as_millis() as f64));
    }
    best_first(scores)
}

fn most(set: &Set, alerts: &[usize], _: &History) -> Vec<String> {
    let mut scores: BTreeMap<&str, f64> = BTreeMap::new();
    for alert in alerts {
        *scores.entry(&set.alerts[*alert].node).or_default() += 1.0;
    }
    best_first(scores)
}

const DAMPING: f64 = 0.85;
const ROUNDS: usize = 50;

/// A walk from item to dependency among those that fail, which starts anew where alerts are.
fn pagerank(set: &Set, alerts: &[usize], _: &History) -> Vec<String> {
    let mut starts: BTreeMap<&str, f64> = BTreeMap::new();
    for alert in alerts {
        *starts.entry(&set.alerts[*alert].node).or_default() += 1.0 / alerts.len() as f64;
    }
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for edge in &set.topology.edges {
        if starts.contains_key(edge.from.as_str()) && starts.contains_key(edge.to.as_str()) {
            next.entry(&edge.from).or_default().insert(&edge.to);
        }
    }
    let mut ranks = starts.clone();
    for _ in 0..ROUNDS {
        let mut moved: BTreeMap<&str, f64> = BTreeMap::new();
        let mut stuck = 0.0;
        for (node, rank) in &ranks {
            match next.get(node) {
                Some(next) => next.iter().for_each(|to| *moved.entry(to).or_default() += rank / next.len() as f64),
                None => stuck += rank,
            }
        }
        for (node, rank) in &mut ranks {
            let came = moved.get(node).copied().unwrap_or_default();
            *rank = (1.0 - DAMPING + DAMPING * stuck) * starts[node] + DAMPING * came;
        }
    }
    best_first(ranks)
}

/// What a method says of each failure, with the failures before it as history.
pub fn given(set: &Set, method: Method) -> Vec<Vec<String>> {
    let mut history = History::default();
    let mut rankings = Vec::new();
    for failure in &set.failures {
        rankings.push(method(set, &failure.alerts, &history));
        history.count(set, &failure.alerts);
    }
    rankings
}

#[cfg(test)]
mod tests {
    use super::super::sets::tests::{alert, failure};
    use super::*;
    use crate::model::topology::{Edge, EdgeKind, TopologyFile};

    /// web → api → db: the web shouts twice, always; what the database says is new in the second failure.
    fn set() -> Set {
        let edge = |from: &str, to: &str| Edge { from: from.to_owned(), to: to.to_owned(), kind: EdgeKind::DependsOn };
        let topology = TopologyFile { nodes: Vec::new(), edges: vec![edge("web", "api"), edge("api", "db")] };
        let alerts = vec![
            alert("a", "web", "Slow", 0, None),
            alert("b", "web", "Errors", 1, None),
            alert("c", "api", "Slow", 2, None),
            alert("d", "web", "Slow", 10_000, None),
            alert("e", "web", "Errors", 10_001, None),
            alert("f", "api", "Slow", 10_002, None),
            alert("g", "db", "Full", 10_003, None),
        ];
        let failures = vec![failure("one", 0, &[0, 1, 2], "api"), failure("two", 10_000, &[3, 4, 5, 6], "db")];
        Set::new("s".into(), alerts, topology, Vec::new(), failures)
    }

    #[test]
    fn each_method_names_what_it_looks_for() {
        let second = |method| given(&set(), method)[1].join(" ");
        assert_eq!(second(rarity), "db web api");
        assert_eq!(second(earliest), "web api db");
        assert_eq!(second(most), "web api db");
        assert_eq!(second(pagerank), "db api web");
        assert_eq!(given(&set(), rarity)[0], ["web", "api"]);
    }
}
