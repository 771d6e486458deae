//! Which configuration item and which service an event is about, whatever its monitor calls them.
//!
//! In order: rewrites, lower case, port and scheme off, fixed aliases, a name the topology knows,
//! a learned name (an address, a display name), the short host name when exactly one item has it.

use regex::Regex;
use std::collections::BTreeMap;

use crate::model::event::{Event, Marker};
use crate::model::{Change, Labels, Matcher};

use super::policy::Naming;
use super::state::{State, fact};

/// Other names of items; their own are in the table of items (`items.rs`).
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Learned from events: other name → item. `None` when two items claim it.
    learned: BTreeMap<String, Option<String>>,
    /// From the topology and the policy.
    fixed: BTreeMap<String, String>,
    rewrites: Vec<(Regex, String)>,
}

/// Other names remembered for all items together: a source that invents names cannot fill memory.
const LEARNED_MAX: usize = 1_000_000;

/// Takes back what an event told before a start.
pub(super) fn restore(state: &mut State, name: &str, item: Option<String>) {
    if let Some(item) = &item {
        state.topology.know(item);
    }
    state.names.learned.insert(name.to_owned(), item);
}

/// Makes the fixed part of the names anew; called when policy or topology change.
pub fn index(state: &mut State) {
    let mut names = Names { learned: std::mem::take(&mut state.names.learned), ..Names::default() };
    let policy = state.shared_policy();
    let naming = &policy.naming;
    // `config/validate.rs` has refused patterns that do not compile.
    names.rewrites = naming
        .rewrite
        .iter()
        .filter_map(|rule| Some((Regex::new(&format!("^(?:{})$", rule.pattern)).ok()?, rule.replacement.clone())))
        .collect();
    let items = state.topology.linked_in_order();
    for id in &items {
        state.topology.items.know(*id);
        for alias in state.topology.description(*id).iter().flat_map(|item| &item.aliases) {
            names.fixed.insert(clean(naming, alias), state.topology.name(*id).to_string());
        }
    }
    for name in items.iter().map(|id| state.topology.name(*id)).filter(|_| naming.lowercase) {
        let lower = name.to_lowercase();
        // A monitor's name is in lower case by the time it is looked for.
        if lower != **name && !state.topology.contains(&lower) {
            names.fixed.entry(lower).or_insert_with(|| name.to_string());
        }
    }
    for (name, item) in &naming.aliases {
        names.fixed.insert(clean(naming, name), item.clone());
    }
    for item in names.learned.values().flatten() {
        state.topology.know(item);
    }
    for item in state.alerts.values().filter_map(|alert| alert.configuration_item.as_ref()) {
        let id = state.topology.intern(item);
        state.topology.items.know(id);
    }
    state.names = names;
}

/// Resolves the item and service of `event` in place and learns what it tells about names and edges.
pub fn run(state: &mut State, event: &mut Event) {
    let policy = state.shared_policy();
    let naming = &policy.naming;
    let raw = event.configuration_item.take().or_else(|| item_from_labels(naming, &event.labels));
    if let Some(raw) = raw {
        let item = resolve(state, naming, &raw);
        learn_names(state, naming, &item, &raw, &event.aliases);
        if scoped_name(&event.labels, POD).as_ref() == Some(&raw)
            && let Some(workload) = workload_of_pod(naming, &event.labels)
        {
            let workload = resolve(state, naming, &workload);
            state.learn_dependency(&workload, &item);
        }
        for parent in &event.parents {
            let parent = resolve(state, naming, parent);
            state.learn_dependency(&item, &parent);
        }
        for label in &naming.runs_on_labels {
            if let Some(host) = event.labels.get(label) {
                let host = resolve(state, naming, host);
                state.learn_dependency(&item, &host);
            }
        }
        event.configuration_item = Some(item);
    }
    if event.service.is_none() {
        let label = |name: &str| match name {
            "source" => Some(event.source.as_str()),
            "alertname" => Some(event.name.as_str()),
            name => event.labels.get(name),
        };
        event.service = service_of(state, event.configuration_item.as_deref(), label);
    }
    if event.marker == Some(Marker::Unreachable) && event.note.is_none() {
        event.note = Some("the monitor cannot reach it through its parents".to_owned());
    }
}

/// The same for a change. It teaches no names: what deploys `db` says nothing of which hosts those are.
pub fn change(state: &State, change: &mut Change) {
    let policy = state.shared_policy();
    change.configuration_item = change.configuration_item.take().map(|raw| resolve(state, &policy.naming, &raw));
    if change.service.is_none() {
        let label = |name: &str| (name == "source").then_some(change.source.as_str());
        change.service = service_of(state, change.configuration_item.as_deref(), label);
    }
}

const POD: &str = "pod";
/// What keeps pods running in Kubernetes.
const WORKLOADS: [&str; 3] = ["deployment", "statefulset", "daemonset"];

fn item_from_labels(naming: &Naming, labels: &Labels) -> Option<String> {
    let name = naming.labels.iter().find(|name| has_value(labels, name))?;
    // Of a pod and its workload the pod is what fails.
    let is_pod = WORKLOADS.contains(&name.as_str()) && has_value(labels, POD) && is_name(naming, POD);
    scoped_name(labels, if is_pod { POD } else { name })
}

/// What keeps the pod of these labels running, and so needs it.
fn workload_of_pod(naming: &Naming, labels: &Labels) -> Option<String> {
    let name = WORKLOADS.into_iter().find(|name| is_name(naming, name) && has_value(labels, name))?;
    scoped_name(labels, name)
}

fn has_value(labels: &Labels, name: &str) -> bool {
    labels.get(name).is_some_and(|value| !value.is_empty())
}

fn is_name(naming: &Naming, label: &str) -> bool {
    naming.labels.iter().any(|name| name == label)
}

/// The item that a label names. A name of Kubernetes is unique in its namespace only.
fn scoped_name(labels: &Labels, name: &str) -> Option<String> {
    let value = labels.get(name)?;
    match labels.get("namespace") {
        Some(namespace) if name == POD || WORKLOADS.contains(&name) => Some(format!("{namespace}/{value}")),
        _ => Some(value.to_owned()),
    }
}

/// The item that a monitor would mean by this name.
pub fn item_named(state: &State, name: &str) -> String {
    resolve(state, &state.policy().naming, name)
}

fn resolve(state: &State, naming: &Naming, raw: &str) -> String {
    let (names, items) = (&state.names, &state.topology.items);
    let mut text = raw.trim().to_owned();
    for (pattern, replacement) in &names.rewrites {
        if pattern.is_match(&text) {
            text = pattern.replace(&text, replacement.as_str()).into_owned();
        }
    }
    let name = clean(naming, &text);
    if let Some(item) = names.fixed.get(&name) {
        return item.clone();
    }
    if items.is_known(&name) {
        return name;
    }
    if let Some(Some(item)) = names.learned.get(&name) {
        return item.clone();
    }
    if naming.short_names
        && !looks_like_address(&name)
        && let Some(item) = items.with_short_name(short_name(&name))
        && is_same_host(item, &name)
    {
        return item.to_string();
    }
    name
}

/// A short name and a full one may be one host; two different full names are not.
fn is_same_host(one: &str, other: &str) -> bool {
    !one.contains('.') || !other.contains('.')
}

fn clean(naming: &Naming, raw: &str) -> String {
    let mut name = raw.trim();
    if naming.strip_port {
        name = without_port(without_scheme(name));
    }
    let name = name.trim_end_matches('.');
    if naming.lowercase { name.to_lowercase() } else { name.to_owned() }
}

fn without_scheme(name: &str) -> &str {
    match name.split_once("://") {
        Some((_, rest)) => rest.split(['/', '?', '#']).next().unwrap_or(rest),
        None => name,
    }
}

fn without_port(name: &str) -> &str {
    if let Some(rest) = name.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    match name.rsplit_once(':') {
        // More than one colon is an IPv6 address without brackets.
        Some((host, port)) if !host.contains(':') && !host.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => {
            host
        }
        _ => name,
    }
}

fn short_name(name: &str) -> &str {
    if looks_like_address(name) { name } else { name.split('.').next().unwrap_or(name) }
}

fn looks_like_address(name: &str) -> bool {
    name.parse::<std::net::IpAddr>().is_ok()
}

fn learn_names(state: &mut State, naming: &Naming, item: &str, raw: &str, aliases: &[String]) {
    state.topology.know(item);
    for alias in aliases.iter().map(String::as_str).chain([raw]) {
        let alias = clean(naming, alias);
        if alias.is_empty() || alias == item || is_local(&alias) || state.names.fixed.contains_key(&alias) {
            continue;
        }
        let before = state.names.learned.get(&alias);
        let after = match before {
            // Two items with one address: it names neither.
            Some(Some(other)) if other != item => None,
            Some(_) => continue,
            None if state.names.learned.len() >= LEARNED_MAX || state.topology.items.is_known(&alias) => continue,
            None => Some(item.to_owned()),
        };
        state.names.learned.insert(alias.clone(), after.clone());
        state.remember(fact::ALIAS, alias, serde_json::to_value(&after).ok());
    }
}

/// Every host has these.
fn is_local(name: &str) -> bool {
    name == "localhost"
        || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback() || address.is_unspecified())
}

/// By the rules, with the other labels as `label` tells them; else by the topology.
fn service_of<'a>(state: &State, item: Option<&'a str>, label: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let is_match = |matcher: &Matcher| match matcher.name.as_str() {
        "configuration_item" => matcher.is_match(item),
        name => matcher.is_match(label(name)),
    };
    let rules = state.policy().services.iter();
    let by_matchers = rules
        .map(|(name, rule)| (name, &rule.matchers))
        .find(|(_, matchers)| !matchers.is_empty() && matchers.iter().all(is_match));
    if let Some((name, _)) = by_matchers {
        return Some(name.clone());
    }
    state.topology.item(item?)?.service.clone()
}
