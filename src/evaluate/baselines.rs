//! Simple ways to group alerts, to hold the engine's against. Every group calls somebody with its first alert; the
//! cause named is the rarest of its items, so that end to end only the grouping differs.

use std::collections::{BTreeMap, BTreeSet};

use super::prediction::{Group, Prediction};
use super::rankings::{self, History};
use super::sets::Set;
use crate::model::{Span, Timestamp};

/// The width of a fixed window, the gap that ends a group, and how far apart neighbours may fail.
pub const WINDOW: Span = Span::from_mins(5);
pub const HOPS_MAX: usize = 2;

/// Groups the first firings of a set.
pub type Method = fn(&Set) -> Prediction;

pub const METHODS: [(&str, Method); 5] = [
    ("by alertname", by_name),
    ("by namespace", by_namespace),
    ("fixed window", fixed_window),
    ("quiet gap", quiet_gap),
    ("topology, 2 hops", by_topology),
];

/// Alertmanager's `group_by`: a key has one group while anything in it fires.
fn by_key(set: &Set, key: impl Fn(usize) -> String) -> Prediction {
    let mut open: BTreeMap<String, (usize, Timestamp)> = BTreeMap::new();
    grouped(set, |alert, groups| {
        let firing = &set.alerts[alert];
        let group = open.entry(key(alert)).or_insert((groups, firing.ends_at()));
        if firing.received_at >= group.1 {
            *group = (groups, firing.ends_at());
        }
        group.1 = group.1.max(firing.ends_at());
        group.0
    })
}

fn by_name(set: &Set) -> Prediction {
    by_key(set, |alert| set.alerts[alert].name.clone())
}

/// By the label, or what the topology says of the item.
fn by_namespace(set: &Set) -> Prediction {
    let of_node = |node: &crate::model::topology::ConfigurationItem| {
        Some((node.id.clone(), node.labels.get("namespace")?.to_owned()))
    };
    let namespaces: BTreeMap<String, String> = set.topology.nodes.iter().filter_map(of_node).collect();
    by_key(set, |alert| {
        let alert = &set.alerts[alert];
        let label = alert.labels.get("namespace").map(str::to_owned);
        label.or_else(|| namespaces.get(&alert.node).cloned()).unwrap_or_default()
    })
}

/// A window opens with an alert and takes in all that comes before its end.
fn fixed_window(set: &Set) -> Prediction {
    let mut window: Option<(usize, Timestamp)> = None;
    grouped(set, |alert, groups| {
        let at = set.alerts[alert].received_at;
        let (group, _) = *window.insert(window.filter(|(_, began)| at < *began + WINDOW).unwrap_or((groups, at)));
        group
    })
}

/// A group goes on until nothing has come for a while.
fn quiet_gap(set: &Set) -> Prediction {
    let mut last: Option<(usize, Timestamp)> = None;
    grouped(set, |alert, groups| {
        let at = set.alerts[alert].received_at;
        let group = last.filter(|(_, last)| at < *last + WINDOW).map_or(groups, |(group, _)| group);
        last = Some((group, at));
        group
    })
}

/// Each first firing, by receipt, into the group that `place` says; as many as there are so far means a new one.
fn grouped(set: &Set, mut place: impl FnMut(usize, usize) -> usize) -> Prediction {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for alert in set.first_firings() {
        let group = place(alert, groups.len());
        if group == groups.len() {
            groups.push(Vec::new());
        }
        groups[group].push(alert);
    }
    finished(set, groups)
}

/// Alerts on items at most two steps apart, in whichever direction, whose receipt is at most a window apart; groups
/// that an alert links become one.
fn by_topology(set: &Set) -> Prediction {
    let near = neighbourhoods(set);
    let (mut open, mut closed): (Vec<Vec<usize>>, Vec<Vec<usize>>) = (Vec::new(), Vec::new());
    for alert in set.first_firings() {
        let (node, at) = (set.alerts[alert].node.as_str(), set.alerts[alert].received_at);
        let is_recent = |other: &usize| at < set.alerts[*other].received_at + WINDOW;
        let is_near = |other: &usize| {
            let other = set.alerts[*other].node.as_str();
            other == node || near.get(node).is_some_and(|near| near.contains(other))
        };
        let (going_on, over): (Vec<_>, Vec<_>) =
            open.into_iter().partition(|group| group.last().is_some_and(is_recent));
        closed.extend(over);
        let (linked, mut apart): (Vec<_>, Vec<_>) = going_on
            .into_iter()
            .partition(|group: &Vec<usize>| group.iter().rev().take_while(|other| is_recent(other)).any(is_near));
        let mut group: Vec<usize> = linked.into_iter().flatten().collect();
        group.push(alert);
        group.sort_unstable();
        apart.push(group);
        open = apart;
    }
    closed.extend(open);
    finished(set, closed)
}

/// What each item reaches within [`HOPS_MAX`] steps.
fn neighbourhoods(set: &Set) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut next: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for edge in &set.topology.edges {
        next.entry(&edge.from).or_default().insert(&edge.to);
        next.entry(&edge.to).or_default().insert(&edge.from);
    }
    let mut all = next.clone();
    for _ in 1..HOPS_MAX {
        for near in all.values_mut() {
            let further: Vec<&str> = near.iter().flat_map(|node| next[node].iter().copied()).collect();
            near.extend(further);
        }
    }
    all
}

/// Groups by their opening, each with its causes; the groups that were opened before are the history.
fn finished(set: &Set, mut groups: Vec<Vec<usize>>) -> Prediction {
    groups.sort();
    let mut history = History::default();
    let groups = groups.into_iter().map(|alerts| {
        let first = alerts[0];
        let ranking = rankings::rarity(set, &alerts, &history);
        history.count(set, &alerts);
        let opened_at = set.alerts[first].received_at;
        Group { opened_at, is_opened: true, opened_by: Some(first), ranking, alerts }
    });
    Prediction { groups: groups.collect() }
}

#[cfg(test)]
mod tests {
    use super::super::sets::tests::alert;
    use super::*;
    use crate::model::topology::{ConfigurationItem, Edge, EdgeKind, TopologyFile};

    /// web → api → db → disk, and another namespace with nothing in common.
    fn set() -> Set {
        let edge = |from: &str, to: &str| Edge { from: from.to_owned(), to: to.to_owned(), kind: EdgeKind::DependsOn };
        let other = ConfigurationItem {
            id: "other".to_owned(),
            labels: [("namespace", "b")].into_iter().collect(),
            ..ConfigurationItem::default()
        };
        let topology =
            TopologyFile { nodes: vec![other], edges: vec![edge("web", "api"), edge("api", "db"), edge("db", "disk")] };
        let alerts = vec![
            alert("0", "web", "Slow", 0, Some(250)),
            alert("1", "disk", "Full", 10, Some(200)),
            alert("2", "other", "Slow", 240, Some(900)),
            alert("3", "db", "Slow", 280, Some(290)),
            alert("4", "web", "Slow", 500, Some(600)),
            alert("5", "disk", "Full", 1_000, Some(1_100)),
        ];
        Set::new("s".into(), alerts, topology, Vec::new(), Vec::new())
    }

    fn groups(method: Method) -> String {
        let groups = method(&set()).groups;
        let ids = |group: &Group| group.alerts.iter().map(ToString::to_string).collect::<String>();
        groups.iter().map(ids).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_method_groups_as_it_says() {
        assert_eq!(groups(by_name), "0234 1 5");
        assert_eq!(groups(by_namespace), "01 2 3 4 5");
        assert_eq!(groups(fixed_window), "0123 4 5");
        assert_eq!(groups(quiet_gap), "01234 5");
        assert_eq!(groups(by_topology), "0134 2 5");
    }

    #[test]
    fn a_group_is_opened_by_its_first_alert_and_names_the_rarest_item() {
        let prediction = by_name(&set());
        let first = &prediction.groups[0];
        assert_eq!((first.opened_by, first.opened_at.as_millis(), first.is_opened), (Some(0), 0, true));
        assert_eq!(first.ranking, ["web", "other", "db"]);
    }
}
