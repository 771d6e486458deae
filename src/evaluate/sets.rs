//! A labelled data set as plain values: what fired, what depends on what, and which failures it was. Decides
//! what counts as one firing; `read.rs` knows the files, `events.rs` makes the engine's events of it.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::topology::TopologyFile;
use crate::model::{Change, Labels, Severity, Span, Timestamp};

/// How long an alert holds after it was last sent, where the data does not say when it was over: what
/// Alertmanager's `resolve_timeout` and ours are by default.
pub const FIRING_LASTS: Span = Span::from_mins(5);

/// Labels that tell two alerts of one name on one item apart.
pub const KEY_LABELS: [&str; 2] = ["operation", "template"];

/// One line of `alerts.jsonl.gz`.
#[derive(Clone, Debug, PartialEq)]
pub struct Firing {
    pub id: String,
    pub at: Timestamp,
    pub received_at: Timestamp,
    /// Where the data says so.
    pub resolved_at: Option<Timestamp>,
    pub name: String,
    /// Id of the item in the topology; case counts.
    pub node: String,
    pub severity: Severity,
    pub source: String,
    pub labels: Labels,
    pub summary: String,
}

impl Firing {
    /// Identity of the condition: the item, the name, and the labels that tell two of them apart.
    pub fn key(&self) -> String {
        let mut key = format!("{}/{}", self.node, self.name);
        for label in KEY_LABELS {
            if let Some(value) = self.labels.get(label) {
                key.push_str(&format!("/{label}={value}"));
            }
        }
        key
    }

    /// The end, as far as anyone can tell.
    pub fn ends_at(&self) -> Timestamp {
        self.resolved_at.unwrap_or(self.received_at + FIRING_LASTS)
    }
}

/// One line of `truth.jsonl`. Alerts are positions in [`Set::alerts`].
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    pub case: String,
    pub started_at: Timestamp,
    pub alerts: Vec<usize>,
    pub root_node: String,
    pub root_service: Option<String>,
    pub split: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    /// Name of the directory.
    pub name: String,
    /// By receipt.
    pub alerts: Vec<Firing>,
    pub topology: TopologyFile,
    pub changes: Vec<Change>,
    /// By start.
    pub failures: Vec<Failure>,
    /// For each alert the first one of its firing: itself, or what it only repeats.
    pub first_of: Vec<usize>,
    /// For each alert the failure it belongs to; noise has none.
    pub failure_of: Vec<Option<usize>>,
    services: BTreeMap<String, String>,
    is_service_level: bool,
}

impl Set {
    /// Puts the parts in order and works out what follows from them. `failures` speak of positions in `alerts`
    /// as they are given.
    pub fn new(
        name: String,
        alerts: Vec<Firing>,
        topology: TopologyFile,
        changes: Vec<Change>,
        failures: Vec<Failure>,
    ) -> Self {
        let mut order: Vec<usize> = (0..alerts.len()).collect();
        order.sort_by_key(|at| (alerts[*at].received_at, alerts[*at].at, *at));
        let mut position = vec![0; alerts.len()];
        order.iter().enumerate().for_each(|(new, old)| position[*old] = new);
        let mut numbered: Vec<(usize, Firing)> = position.iter().copied().zip(alerts).collect();
        numbered.sort_by_key(|(position, _)| *position);
        let alerts: Vec<Firing> = numbered.into_iter().map(|(_, alert)| alert).collect();
        let mut failures = failures;
        for failure in &mut failures {
            failure.alerts.iter_mut().for_each(|alert| *alert = position[*alert]);
            failure.alerts.sort_unstable();
        }
        failures.sort_by(|a, b| (a.started_at, &a.case).cmp(&(b.started_at, &b.case)));
        let mut failure_of = vec![None; alerts.len()];
        for (number, failure) in failures.iter().enumerate() {
            failure.alerts.iter().for_each(|alert| failure_of[*alert] = Some(number));
        }
        let services: BTreeMap<String, String> =
            topology.nodes.iter().filter_map(|node| Some((node.id.clone(), node.service.clone()?))).collect();
        let known: BTreeSet<&String> = services.values().collect();
        let is_service_level = !failures.is_empty()
            && failures.iter().all(|f| f.root_service.as_ref().is_some_and(|service| known.contains(service)));
        let first_of = first_firings(&alerts);
        Self { name, alerts, topology, changes, failures, first_of, failure_of, services, is_service_level }
    }

    /// The root cause is compared by service: every failure names one that the topology knows.
    pub fn is_service_level(&self) -> bool {
        self.is_service_level
    }

    /// What a node counts as when a cause is compared with the true one. By service, a node without one (a host)
    /// is no answer.
    pub fn scored_as<'a>(&'a self, node: &'a str) -> Option<&'a str> {
        if self.is_service_level { self.services.get(node).map(String::as_str) } else { Some(node) }
    }

    /// What the true cause counts as.
    pub fn root_of<'a>(&'a self, failure: &'a Failure) -> &'a str {
        match &failure.root_service {
            Some(service) if self.is_service_level => service,
            _ => &failure.root_node,
        }
    }

    /// It did not fire already.
    pub fn is_first(&self, alert: usize) -> bool {
        self.first_of[alert] == alert
    }

    pub fn first_firings(&self) -> impl Iterator<Item = usize> {
        (0..self.alerts.len()).filter(|alert| self.is_first(*alert))
    }

    /// The first firings of a failure.
    pub fn firsts_of(&self, failure: &Failure) -> Vec<usize> {
        failure.alerts.iter().copied().filter(|alert| self.is_first(*alert)).collect()
    }

    /// Names of the splits, where there are several.
    pub fn splits(&self) -> Vec<&str> {
        let all: BTreeSet<&str> = self.failures.iter().filter_map(|failure| failure.split.as_deref()).collect();
        if all.len() > 1 { all.into_iter().collect() } else { Vec::new() }
    }
}

/// In order of event time, an alert repeats the one of the same key that has not ended yet.
fn first_firings(alerts: &[Firing]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..alerts.len()).collect();
    order.sort_by_key(|at| (alerts[*at].at, *at));
    let mut open: BTreeMap<String, (usize, Timestamp)> = BTreeMap::new();
    let mut first_of: Vec<usize> = (0..alerts.len()).collect();
    for at in order {
        let alert = &alerts[at];
        let firing = open.entry(alert.key()).or_insert((at, alert.ends_at()));
        if alert.at >= firing.1 {
            *firing = (at, alert.ends_at());
        }
        firing.1 = firing.1.max(alert.ends_at());
        first_of[at] = firing.0;
    }
    first_of
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An alert at a second, over at another.
    pub fn alert(id: &str, node: &str, name: &str, at_s: i64, until_s: Option<i64>) -> Firing {
        let at = Timestamp::from_millis(at_s * 1_000);
        Firing {
            id: id.to_owned(),
            at,
            received_at: at,
            resolved_at: until_s.map(|s| Timestamp::from_millis(s * 1_000)),
            name: name.to_owned(),
            node: node.to_owned(),
            severity: Severity::Critical,
            source: "metric".to_owned(),
            labels: Labels::new(),
            summary: String::new(),
        }
    }

    pub fn failure(case: &str, at_s: i64, alerts: &[usize], root: &str) -> Failure {
        Failure {
            case: case.to_owned(),
            started_at: Timestamp::from_millis(at_s * 1_000),
            alerts: alerts.to_vec(),
            root_node: root.to_owned(),
            root_service: None,
            split: None,
        }
    }

    #[test]
    fn what_fires_already_is_only_repeated() {
        let alerts = vec![
            alert("a", "db", "Down", 0, Some(100)),
            alert("b", "db", "Down", 50, Some(160)),
            alert("c", "DB", "Down", 60, Some(160)),
            alert("d", "db", "Down", 150, Some(170)),
            alert("e", "db", "Down", 170, Some(180)),
            alert("f", "db", "Slow", 0, None),
            alert("g", "db", "Slow", 299, None),
            alert("h", "db", "Slow", 599, None),
        ];
        let set = Set::new("s".into(), alerts, TopologyFile::default(), Vec::new(), Vec::new());
        let firsts: Vec<&str> = set.first_of.iter().map(|first| set.alerts[*first].id.as_str()).collect();
        let ids: Vec<&str> = set.alerts.iter().map(|alert| alert.id.as_str()).collect();
        assert_eq!(ids, ["a", "f", "b", "c", "d", "e", "g", "h"]);
        assert_eq!(firsts, ["a", "f", "a", "c", "a", "e", "f", "h"]);
    }

    #[test]
    fn a_late_alert_keeps_its_failure_and_its_place_by_receipt() {
        let mut late = alert("late", "db", "Down", 0, Some(900));
        late.received_at = Timestamp::from_millis(500_000);
        let alerts = vec![late, alert("early", "db", "Down", 100, Some(900))];
        let set = Set::new("s".into(), alerts, TopologyFile::default(), Vec::new(), vec![failure("f", 0, &[0], "db")]);
        assert_eq!(set.alerts[1].id, "late");
        assert_eq!(set.failure_of, [None, Some(0)]);
        // By its own time it came first, and the other repeats it.
        assert_eq!(set.first_of, [1, 1]);
    }

    #[test]
    fn causes_compare_by_service_only_where_every_failure_names_a_known_one() {
        let node = |id: &str, service: &str| crate::model::topology::ConfigurationItem {
            id: id.to_owned(),
            service: Some(service.to_owned()),
            ..Default::default()
        };
        let topology = TopologyFile { nodes: vec![node("web-1", "web"), node("web-2", "web")], edges: Vec::new() };
        let named = Failure { root_service: Some("web".to_owned()), ..failure("f", 0, &[], "web-1") };
        let set = |failures| Set::new("s".into(), Vec::new(), topology.clone(), Vec::new(), failures);
        let by_service = set(vec![named.clone()]);
        assert_eq!((by_service.scored_as("web-2"), by_service.root_of(&named)), (Some("web"), "web"));
        assert_eq!(by_service.scored_as("host"), None);
        let by_node = set(vec![named.clone(), failure("g", 0, &[], "web-1")]);
        assert_eq!((by_node.scored_as("web-2"), by_node.root_of(&named)), (Some("web-2"), "web-1"));
    }
}
