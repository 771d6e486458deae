//! The `schedules` section: who is on call. A schedule of one layer has the layer's keys itself.

use serde::Deserialize;
use std::collections::BTreeMap;

use super::policy::{YEAR, check_list, check_order, named};
use super::problem::Problems;
use super::read::{is_map, items, join, read, require};
use super::references::Names;
use super::schema::Auth;
use super::sources::{self, BEARER_KEYS};
use super::validate::{check_span, section};
use super::yaml::Node;
use crate::engine::policy::OnCallRule;
use crate::model::schedule::{Override, Rotation, Schedule, Wall, Window};
use crate::model::{Span, zone};

/// Keys of a layer, which a schedule of one layer has as well.
const LAYER_KEYS: [&str; 5] = ["starts_at", "ends_at", "shift", "rotation", "only"];

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    time_zone: String,
    may_have_gaps: bool,
    layers: serde::de::IgnoredAny,
    overrides: serde::de::IgnoredAny,
    feed: serde::de::IgnoredAny,
}

impl Default for Keys {
    fn default() -> Self {
        let Schedule { time_zone, may_have_gaps, .. } = Schedule::default();
        let elsewhere = serde::de::IgnoredAny;
        Self { time_zone, may_have_gaps, layers: elsewhere, overrides: elsewhere, feed: elsewhere }
    }
}

/// `only` is read entry by entry, so that a mistake in it has its own line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LayerKeys {
    starts_at: Wall,
    ends_at: Option<Wall>,
    shift: Span,
    rotation: Vec<String>,
}

pub(super) fn read_all(root: &Node, names: &Names, problems: &mut Problems) -> BTreeMap<String, Schedule> {
    named(root, "schedules", problems, |node, path, problems| schedule(node, path, names, problems))
}

fn schedule(node: &Node, path: &str, names: &Names, problems: &mut Problems) -> Option<Schedule> {
    let (of_layer, own) = node.split(&LAYER_KEYS);
    if !is_map(node, path, problems) {
        return None;
    }
    let keys = if own.entries().is_empty() { Keys::default() } else { read(&own, path, problems)? };
    let Keys { time_zone, may_have_gaps, .. } = keys;
    check_time_zone(&time_zone, node, path, "time_zone", problems);
    let listed = items(node, "layers", path, problems);
    let is_short = node.get("layers").is_none();
    if let Some((key, value)) = of_layer.entries().iter().find(|_| !is_short) {
        let message = format!("`{path}.{key}`: belongs into an entry of `layers`, because there are `layers`");
        problems.error(&value.place, join(path, key), message);
    }
    let layers: Vec<Rotation> = match is_short {
        true => layer(&of_layer, node, path, names, problems).into_iter().collect(),
        false => {
            if listed.is_empty() {
                let message = format!("`{path}.layers`: expected at least one layer");
                problems.error(node.place_of("layers"), join(path, "layers"), message);
            }
            let listed = listed.iter().enumerate();
            listed
                .filter_map(|(index, node)| layer(node, node, &format!("{path}.layers[{index}]"), names, problems))
                .collect()
        }
    };
    let overrides = items(node, "overrides", path, problems).iter().enumerate();
    let overrides = overrides
        .filter_map(|(index, node)| r#override(node, &format!("{path}.overrides[{index}]"), names, problems))
        .collect();
    Some(Schedule { time_zone, layers, overrides, may_have_gaps })
}

/// How readers of the calendar feeds prove themselves, by schedule.
pub(super) fn feeds(root: &Node, problems: &mut Problems) -> BTreeMap<String, Auth> {
    let mut feeds = BTreeMap::new();
    for (name, node) in root.get("schedules").map_or(&[][..], Node::entries) {
        let Some(node) = node.get("feed") else { continue };
        let path = format!("schedules.{name}.feed");
        if !is_map(node, &path, problems) {
            continue;
        }
        for (key, value) in node.entries().iter().filter(|(key, _)| !BEARER_KEYS.contains(&key.as_str())) {
            let message = format!("unknown key `{key}` in `{path}`");
            problems.error(&value.place, join(&path, key), message).hint =
                Some("there are: `token`, `tokens`, `token_sha256`, each also with `_file`".to_owned());
        }
        match sources::bearer(node, &path, problems) {
            Some(Auth::None) => {
                let message = format!("`{path}`: expected a token, without one everybody could read who is on call");
                problems.error(&node.place, &path, message).hint = Some("add `token_file`".to_owned());
            }
            Some(auth) => drop(feeds.insert(name.clone(), auth)),
            None => {}
        }
    }
    feeds
}

pub(super) fn on_call(root: &Node, problems: &mut Problems) -> OnCallRule {
    let rule: OnCallRule = section(root, "on_call", problems);
    if let Some(node) = root.get("on_call") {
        check_span(node, "on_call", "warn_of_gaps", rule.warn_of_gaps, Span::ZERO, YEAR, problems);
    }
    rule
}

/// `at` is where what is missing is missed.
fn layer(node: &Node, at: &Node, path: &str, names: &Names, problems: &mut Problems) -> Option<Rotation> {
    let (windows, own) = node.split(&["only"]);
    let is_complete = require_at(&own, at, path, &["starts_at", "shift", "rotation"], problems);
    let only: Vec<Window> = items(&windows, "only", path, problems)
        .iter()
        .enumerate()
        .filter_map(|(index, node)| read(node, &format!("{path}.only[{index}]"), problems))
        .collect();
    let keys: LayerKeys = if is_complete { read(&own, path, problems)? } else { return None };
    check_span(node, path, "shift", keys.shift, Span::from_mins(1), YEAR, problems);
    if keys.rotation.is_empty() {
        let message = format!("`{path}.rotation`: expected at least one name");
        problems.error(node.place_of("rotation"), join(path, "rotation"), message);
    }
    check_list(node, path, "rotation", &keys.rotation, problems, |name, place, path, problems| {
        names.check_receiver(name, place, path, problems);
    });
    let LayerKeys { starts_at, ends_at, shift, rotation } = keys;
    Some(Rotation { starts_at, ends_at, shift, rotation, only })
}

fn require_at(node: &Node, at: &Node, path: &str, keys: &[&str], problems: &mut Problems) -> bool {
    let missing: Vec<&str> = keys.iter().copied().filter(|key| node.get(key).is_none()).collect();
    if missing.is_empty() { true } else { require(at, path, &missing, problems) }
}

fn r#override(node: &Node, path: &str, names: &Names, problems: &mut Problems) -> Option<Override> {
    let is_complete = require(node, path, &["starts_at", "ends_at", "receiver"], problems);
    let entry: Override = if is_complete { read(node, path, problems)? } else { return None };
    names.check_receiver(&entry.receiver, node.place_of("receiver"), &join(path, "receiver"), problems);
    check_order(node, path, entry.starts_at, entry.ends_at, problems);
    Some(entry)
}

pub(super) fn check_time_zone(name: &str, node: &Node, path: &str, key: &str, problems: &mut Problems) {
    if zone::find(name).is_none() {
        let path = join(path, key);
        let message = format!(
            "`{path}`: expected a name of the time zone database such as `Europe/Berlin`, got `{}`",
            name.chars().take(64).collect::<String>()
        );
        problems.error(node.place_of(key), path, message);
    }
}
