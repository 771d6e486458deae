//! The `heartbeats` section: signs of life that are expected. Decides what is a sound one and how requests for it prove
//! themselves; what follows when it stays away is decided in `engine/heartbeat.rs`.

use serde::Deserialize;
use std::collections::BTreeMap;

use super::policy::YEAR;
use super::problem::Problems;
use super::read::{Reading, entries, is_map, join, read_with, require};
use super::schema::Auth;
use super::sources;
use super::validate::{Context, check_name, check_span};
use super::yaml::Node;
use crate::engine::heartbeat::LABEL;
use crate::engine::policy::HeartbeatRule;
use crate::error::read_table;
use crate::model::{Labels, Matcher, Severity, Span, event};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    every: Span,
    grace: Option<Span>,
    #[serde(default)]
    matchers: Vec<Matcher>,
    #[serde(default)]
    notify: bool,
    /// Nobody knows how it is: as Nagios' UNKNOWN.
    #[serde(default = "severity")]
    severity: Severity,
    service: Option<String>,
    configuration_item: Option<String>,
    #[serde(default)]
    labels: Labels,
}

const fn severity() -> Severity {
    Severity::Major
}

/// As late as a beat is apart from the next, but within these: less is a lost request or two, and more is long to know
/// nothing.
const GRACE: (Span, Span) = (Span::from_mins(5), Span::from_hours(1));

const SECOND: Span = Span::from_secs(1);

/// The rules, and how requests prove themselves: not at all for those that take none.
pub(super) type Heartbeats = (BTreeMap<String, HeartbeatRule>, BTreeMap<String, Option<Auth>>);

pub(super) fn read_all(root: &Node, is_loopback: bool, context: &mut Context<'_>) -> Heartbeats {
    let (mut rules, mut doors) = Heartbeats::default();
    let problems = &mut context.problems;
    for (name, node) in entries(root, "heartbeats", problems) {
        let path = join("heartbeats", name);
        check_name(name, "got the name", &path, &node.place, problems);
        let Some((rule, door)) = read_one(node, &path, is_loopback, problems) else { continue };
        rules.insert(name.clone(), rule);
        doors.insert(name.clone(), door);
    }
    (rules, doors)
}

fn read_one(
    node: &Node,
    path: &str,
    is_loopback: bool,
    problems: &mut Problems,
) -> Option<(HeartbeatRule, Option<Auth>)> {
    if !is_map(node, path, problems) {
        return None;
    }
    let auth = sources::bearer(node, path, problems);
    let (_, own) = node.split(&sources::BEARER_KEYS);
    let is_complete = require(node, path, &["every"], problems);
    let reading = Reading { is_secret: false, other_keys: &sources::BEARER_KEYS };
    let keys: Option<Keys> = if is_complete { read_with(&own, path, reading, problems, read_table) } else { None };
    let door = door(node, path, auth?, is_loopback, problems);
    let keys = keys?;
    let grace = keys.grace.unwrap_or_else(|| keys.every.clamp(GRACE.0, GRACE.1));
    check_span(node, path, "every", keys.every, SECOND, YEAR, problems);
    check_span(node, path, "grace", grace, SECOND, YEAR, problems);
    check_matchers(node, path, &keys, problems);
    check_labels(node, path, &keys.labels, problems);
    let Keys { every, grace: _, matchers, notify, severity, service, configuration_item, labels } = keys;
    Some((HeartbeatRule { every, grace, matchers, notify, severity, service, configuration_item, labels }, door))
}

/// With a token, or without matchers, requests are taken.
fn door(node: &Node, path: &str, auth: Auth, is_loopback: bool, problems: &mut Problems) -> Option<Auth> {
    if auth != Auth::None {
        return Some(auth);
    }
    if node.get("matchers").is_some() {
        return None;
    }
    let message = format!("`{path}` has no authentication");
    let hint = Some("add `token_file`, or `matchers` if alerts are its beats".to_owned());
    if is_loopback {
        let message = format!("{message}: any program on this machine can beat for it");
        problems.warning(&node.place, path, message).hint = hint;
    } else {
        let message = format!("{message}, but `listen` is reachable from other machines");
        problems.error(&node.place, path, message).hint = hint;
    }
    Some(auth)
}

fn check_matchers(node: &Node, path: &str, keys: &Keys, problems: &mut Problems) {
    let place = node.place_of("matchers");
    let full = join(path, "matchers");
    let asks_for_something = |matcher: &Matcher| matches!(matcher.operator(), "=" | "=~") && !matcher.is_for_nothing();
    if node.get("matchers").is_some() && !keys.matchers.iter().any(asks_for_something) {
        let message = format!(
            "`{full}`: expected a matcher that asks for a value, without one nearly every alert would be a beat"
        );
        problems.error(place, full, message).hint = Some("for example `alertname=\"Watchdog\"`".to_owned());
    }
    if keys.notify && keys.matchers.is_empty() {
        let full = join(path, "notify");
        let message = format!("`{full}` is about the alerts that are beats, but there are no `matchers`");
        problems.error(node.place_of("notify"), full, message);
    }
}

fn check_labels(node: &Node, path: &str, labels: &Labels, problems: &mut Problems) {
    let (place, path) = (node.place_of("labels"), join(path, "labels"));
    // One more names the heartbeat, and where people are told of groups three more say the rest.
    let count_max = event::LABELS_MAX - 4;
    if labels.len() > count_max {
        let message = format!("`{path}`: expected at most {count_max} labels, got {}", labels.len());
        problems.error(place, &path, message);
    }
    for (name, value) in labels.iter() {
        let full = join(&path, name);
        if name == LABEL {
            let message = format!("`{full}`: this label names the heartbeat itself, expected another one");
            problems.error(place, &full, message);
        }
        if name.is_empty() || name.len() > event::LABEL_NAME_BYTES_MAX || value.len() > event::LABEL_VALUE_BYTES_MAX {
            let (name_max, value_max) = (event::LABEL_NAME_BYTES_MAX, event::LABEL_VALUE_BYTES_MAX);
            let message =
                format!("`{full}`: expected a name of 1 to {name_max} bytes and a value of at most {value_max}");
            problems.error(place, full, message);
        }
    }
}
