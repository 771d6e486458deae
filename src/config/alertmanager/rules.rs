//! Routes, inhibition rules and time intervals. Decides whether they are sound, as Alertmanager does; what they lead
//! to is the engine's.

use std::collections::BTreeMap;

use super::super::policy::{check_list, report_unbounded};
use super::super::problem::Problems;
use super::super::read::{is_map, items, join, kind_of};
use super::super::references::Names;
use super::super::route::{DEPTH_MAX, check_labels};
use super::super::time_intervals::read_list;
use super::super::unused::warn_unreachable;
use super::super::yaml::{Node, Value};
use super::keys::{self, Kind};
use super::{TranslatedReceiver, inherit, tables};
use crate::engine::policy::{InhibitRule, NotifyBy, Route};
use crate::model::{Matcher, Span, TimeInterval};

/// Both sections: the older one is for mute times only, by its name.
pub(super) fn time_intervals(root: &Node, problems: &mut Problems) -> BTreeMap<String, Vec<TimeInterval>> {
    let mut named = BTreeMap::new();
    for section in ["mute_time_intervals", "time_intervals"] {
        for (index, node) in items(root, section, "", problems).iter().enumerate() {
            let path = format!("{section}[{index}]");
            if !is_map(node, &path, problems) {
                continue;
            }
            let entry = keys::read(node, &path, &[("name", Kind::Text), ("time_intervals", Kind::Part)], problems);
            let list = items(&entry, "time_intervals", &path, problems);
            let list = read_list(list, &join(&path, "time_intervals"), problems);
            let path = join(&path, "name");
            match entry.get("name").and_then(Node::text).filter(|name| !name.is_empty()) {
                None => {
                    problems.error(&node.place, &path, format!("missing key `name` in `{section}[{index}]`"));
                }
                Some(name) if named.contains_key(name) => {
                    let message = format!("`{path}`: `{name}` is the name of another time interval too");
                    problems.error(entry.place_of("name"), &path, message);
                }
                Some(name) => {
                    named.insert(name.to_owned(), list);
                }
            }
        }
    }
    named
}

/// What an alert waits for when no route says anything.
const GROUP_WAIT: Span = Span::from_secs(30);

pub(super) fn route(
    root: &Node,
    receivers: &[TranslatedReceiver],
    time_intervals: &BTreeMap<String, Vec<TimeInterval>>,
    problems: &mut Problems,
) -> Route {
    let Some(node) = root.get("route") else {
        problems.error(&root.place, "route", "missing key `route`");
        return Route::default();
    };
    let receivers = receivers.iter().map(|receiver| receiver.name.clone()).collect();
    let names = Names::of(receivers, time_intervals.keys().cloned().collect());
    let mut route = read_route(node, "route", 0, &names, problems);
    if route.receiver.is_none() {
        problems.error(&node.place, "route.receiver", "missing key `receiver` in `route`").hint =
            Some("the root names the receiver of what no other route takes".to_owned());
    }
    for key in ["match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals"] {
        if node.get(key).is_some_and(|node| !node.entries().is_empty() || !node.items().is_empty()) {
            let message = format!("`route.{key}`: the root takes everything, expected it only on the routes below it");
            problems.error(node.place_of(key), join("route", key), message);
        }
    }
    if route.continues {
        let message = "`route.continue`: nothing comes after the root, expected it only on the routes below it";
        problems.error(node.place_of("continue"), "route.continue", message);
    }
    route.group_wait.get_or_insert(GROUP_WAIT);
    route.group_interval.get_or_insert(Route::GROUP_INTERVAL);
    route.repeat_interval.get_or_insert(Route::REPEAT_INTERVAL);
    route
}

fn read_route(node: &Node, path: &str, depth: usize, names: &Names, problems: &mut Problems) -> Route {
    let entry = keys::read(node, path, tables::ROUTE, problems);
    let mut route = Route {
        receiver: entry.get("receiver").and_then(Node::text).filter(|name| !name.is_empty()).map(str::to_owned),
        matchers: matchers(&entry, path, ["match", "match_re", "matchers"], problems),
        continues: entry.get("continue").is_some_and(|node| node.value == Value::Boolean(true)),
        group_by: entry.get("group_by").map(|_| texts(&entry, "group_by")),
        group_wait: inherit::span(&entry, "group_wait"),
        group_interval: interval(&entry, path, "group_interval", problems),
        repeat_interval: interval(&entry, path, "repeat_interval", problems),
        escalation_policy: None,
        mute_time_intervals: texts(&entry, "mute_time_intervals"),
        active_time_intervals: texts(&entry, "active_time_intervals"),
        routes: Vec::new(),
    };
    if let Some(receiver) = &route.receiver {
        names.check_receiver(receiver, entry.place_of("receiver"), &join(path, "receiver"), problems);
    }
    for (key, list) in
        [("mute_time_intervals", &route.mute_time_intervals), ("active_time_intervals", &route.active_time_intervals)]
    {
        check_list(&entry, path, key, list, problems, |name, place, path, problems| {
            names.check_time_interval(name, place, path, problems);
        });
    }
    check_labels(&entry, "group_by", &join(path, "group_by"), route.group_by.as_deref().unwrap_or_default(), problems);
    let children = items(&entry, "routes", path, problems);
    if depth >= DEPTH_MAX && !children.is_empty() {
        let message = format!("`{path}.routes`: routes are nested more than {DEPTH_MAX} deep");
        problems.error(entry.place_of("routes"), join(path, "routes"), message);
        return route;
    }
    for (index, child) in children.iter().enumerate() {
        let path = format!("{path}.routes[{index}]");
        if child.value == Value::Null {
            problems.error(&child.place, &path, format!("`{path}`: expected a map, got {}", kind_of(child)));
        }
        route.routes.push(read_route(child, &path, depth + 1, names, problems));
    }
    warn_unreachable(children, &route.routes, path, problems);
    route
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    let items = node.get(key).map_or(&[][..], Node::items);
    items.iter().filter_map(Node::text).map(str::to_owned).collect()
}

fn interval(node: &Node, path: &str, key: &str, problems: &mut Problems) -> Option<Span> {
    let span = inherit::span(node, key)?;
    if span.is_zero() {
        let path = join(path, key);
        problems.error(node.place_of(key), &path, format!("`{path}`: expected more than `0s`"));
    }
    Some(span)
}

/// Those of all three spellings, in Alertmanager's order: it is part of the key of a group.
fn matchers(node: &Node, path: &str, keys: [&str; 3], problems: &mut Problems) -> Vec<Matcher> {
    let [equal, pattern, list] = keys;
    let mut matchers = Vec::new();
    for (key, operator) in [(equal, "="), (pattern, "=~")] {
        for (name, node) in node.get(key).map_or(&[][..], Node::entries) {
            let path = format!("{path}.{key}.{name}");
            if !is_classic_name(name) {
                let message =
                    format!("`{path}`: expected a label's name of letters, digits and underscores, got `{name}`");
                problems.error(&node.place, &path, message).hint = Some(format!("`{list}` takes any name, in quotes"));
                continue;
            }
            let value = node.text().unwrap_or_default();
            match Matcher::new(name.clone(), operator, value.to_owned()) {
                Ok(_) if operator == "=~" => matchers.extend(anchored(name, value)),
                Ok(matcher) => matchers.push(matcher),
                Err(error) => {
                    problems.error(&node.place, &path, format!("`{path}`: {error}"));
                }
            }
        }
    }
    for (index, node) in node.get(list).map_or(&[][..], Node::items).iter().enumerate() {
        match Matcher::parse_all(node.text().unwrap_or_default()) {
            Ok(read) => matchers.extend(read),
            Err(error) => {
                let path = format!("{path}.{list}[{index}]");
                problems.error(&node.place, &path, format!("`{path}`: {error}"));
            }
        }
    }
    let rank = |matcher: &Matcher| ["=", "!=", "=~", "!~"].iter().position(|operator| *operator == matcher.operator());
    matchers.sort_by(|a, b| (&a.name, &a.value, rank(a)).cmp(&(&b.name, &b.value, rank(b))));
    matchers
}

/// As Alertmanager shows it in the key of a group.
fn anchored(name: &str, pattern: &str) -> Option<Matcher> {
    Matcher::new(name.to_owned(), "=~", format!("^(?:{pattern})$")).ok()
}

fn is_classic_name(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
}

pub(super) fn inhibit_rules(root: &Node, problems: &mut Problems) -> Vec<InhibitRule> {
    let list = items(root, "inhibit_rules", "", problems).iter().enumerate();
    list.map(|(index, node)| inhibit_rule(node, &format!("inhibit_rules[{index}]"), problems)).collect()
}

/// Its `name` is for Alertmanager's own metrics.
fn inhibit_rule(node: &Node, path: &str, problems: &mut Problems) -> InhibitRule {
    let entry = keys::read(node, path, tables::INHIBIT_RULE, problems);
    let mut side = |side: &str| {
        let keys = ["match", "match_re", "matchers"].map(|key| format!("{side}_{key}"));
        let [equal, pattern, list] = &keys;
        let matchers = matchers(&entry, path, [equal, pattern, list], problems);
        let is_empty = |key: &String| node.get(key).is_none_or(|node| node.entries().len() + node.items().len() == 0);
        if keys.iter().all(is_empty) {
            report_unbounded(&entry, path, list, NotifyBy::Group, problems);
        }
        matchers
    };
    let (source_matchers, target_matchers) = (side("source"), side("target"));
    let equal = texts(&entry, "equal");
    if equal.iter().any(String::is_empty) {
        let path = join(path, "equal");
        problems.error(entry.place_of("equal"), &path, format!("`{path}`: expected names of labels, got an empty one"));
    }
    InhibitRule { source_matchers, target_matchers, equal, dependants_only: false }
}
