//! When people are left alone: planned windows, once or again and again, and what silences are allowed to be.

use serde::Deserialize;

use super::policy::{YEAR, check_order};
use super::problem::Problems;
use super::read::{items, join, read, require};
use super::validate::{check_number, check_span};
use super::yaml::Node;
use crate::engine::input::Role;
use crate::engine::policy::{SILENCE_RETENTION, SilenceRule};
use crate::model::silence::Maintenance;
use crate::model::{Matcher, Recurrence, Span, Timestamp};

/// A planned window as the configuration has it; its id follows from what it is about.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MaintenanceKeys {
    #[serde(default)]
    configuration_item: Option<String>,
    #[serde(default)]
    dedup_key: Option<String>,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    site: Option<String>,
    #[serde(default)]
    matchers: Vec<Matcher>,
    starts_at: Timestamp,
    #[serde(default)]
    ends_at: Option<Timestamp>,
    #[serde(default)]
    rrule: Option<String>,
    #[serde(default)]
    time_zone: Option<String>,
    #[serde(default)]
    duration: Option<Span>,
    #[serde(default)]
    until: Option<Timestamp>,
    #[serde(default)]
    reason: String,
}

const SUBJECTS: [&str; 4] = ["configuration_item", "service", "site", "matchers"];
/// Keys of a window that recurs, besides its start.
const RECURRING: [&str; 4] = ["rrule", "time_zone", "duration", "until"];

pub(super) fn maintenance(root: &Node, problems: &mut Problems) -> Vec<Maintenance> {
    let mut windows = Vec::new();
    for (index, node) in items(root, "maintenance", "", problems).iter().enumerate() {
        windows.extend(window(node, &format!("maintenance[{index}]"), problems));
    }
    windows
}

fn window(node: &Node, path: &str, problems: &mut Problems) -> Option<Maintenance> {
    let has = |key: &str| node.get(key).is_some();
    let recurs = RECURRING.iter().any(|key| has(key));
    let needed: &[&str] =
        if recurs { &["starts_at", "rrule", "time_zone", "duration"] } else { &["starts_at", "ends_at"] };
    let is_complete = require(node, path, needed, problems);
    if !SUBJECTS.iter().any(|key| has(key)) {
        let expected = "expected `configuration_item`, `service`, `site` or `matchers`";
        problems.error(&node.place, path, format!("`{path}`: {expected}, without any nothing is muted"));
        return None;
    }
    if !is_complete {
        return None;
    }
    let keys: MaintenanceKeys = read(node, path, problems)?;
    if recurs && keys.ends_at.is_some() {
        let message = format!("`{path}.ends_at`: a window that recurs has a `duration`, and `until` when it is to end");
        problems.error(node.place_of("ends_at"), join(path, "ends_at"), message);
    }
    if let Some(ends_at) = keys.ends_at {
        check_order(node, path, keys.starts_at, ends_at, problems);
    }
    if keys.dedup_key.is_some() && keys.configuration_item.is_none() {
        let message = format!("`{path}.dedup_key`: expected a `configuration_item` with it");
        problems.error(node.place_of("dedup_key"), join(path, "dedup_key"), message);
    }
    let recurrence = recurrence(node, path, &keys, problems);
    let named = [("service", keys.service), ("site", keys.site)].into_iter();
    let named = named.filter_map(|(name, value)| Some(Matcher::equal(name, value?)));
    let matchers: Vec<Matcher> = keys.matchers.into_iter().chain(named).collect();
    if keys.configuration_item.is_none() && matchers.iter().all(|matcher| matcher.is_match(None)) {
        let message = format!("`{path}.matchers`: expected at least one that does not match an empty value");
        problems.error(node.place_of("matchers"), join(path, "matchers"), message);
        return None;
    }
    let mut window = Maintenance {
        id: String::new(),
        configuration_item: keys.configuration_item,
        dedup_key: keys.dedup_key,
        matchers,
        starts_at: keys.starts_at,
        ends_at: keys.ends_at.filter(|_| !recurs),
        recurrence,
        reason: keys.reason,
    };
    window.id = id(&window);
    Some(window)
}

fn id(window: &Maintenance) -> String {
    let check = window.dedup_key.as_ref().map(|key| format!("/{key}")).unwrap_or_default();
    let rule = window.recurrence.as_ref().map(|recurrence| format!("/{}", recurrence.rrule)).unwrap_or_default();
    format!("config/{}{check}@{}{rule}", window.subject(), window.starts_at)
}

fn recurrence(node: &Node, path: &str, keys: &MaintenanceKeys, problems: &mut Problems) -> Option<Recurrence> {
    let recurrence = Recurrence {
        rrule: keys.rrule.clone()?,
        time_zone: keys.time_zone.clone()?,
        starts_at: keys.starts_at,
        duration: keys.duration?,
        until: keys.until,
    };
    if let Err(error) = recurrence.check() {
        let path = join(path, error.field);
        let message = format!("`{path}`: expected {}, got {}", error.expected, error.got);
        problems.error(node.place_of(error.field), path, message);
    }
    Some(recurrence)
}

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SilenceKeys {
    others: Role,
    duration_max: Option<Span>,
    count_max: Option<u32>,
    comment_required: bool,
    retention: Span,
}

impl Default for SilenceKeys {
    fn default() -> Self {
        let SilenceRule { others, duration_max, count_max, comment_required } = SilenceRule::default();
        Self { others, duration_max, count_max, comment_required, retention: SILENCE_RETENTION }
    }
}

pub(super) fn silences(root: &Node, problems: &mut Problems) -> (SilenceRule, Span) {
    let node = root.get("silences");
    let keys: SilenceKeys = node.and_then(|node| read(node, "silences", problems)).unwrap_or_default();
    if let Some(node) = node {
        if keys.others == Role::Viewer {
            let message = "`silences.others`: expected `responder` or `admin`, got `viewer`";
            problems.error(node.place_of("others"), "silences.others", message);
        }
        if let Some(max) = keys.duration_max {
            check_span(node, "silences", "duration_max", max, Span::from_mins(1), YEAR, problems);
        }
        if let Some(max) = keys.count_max {
            check_number(node, "silences", "count_max", max, 1, 1_000_000, problems);
        }
        check_span(node, "silences", "retention", keys.retention, Span::ZERO, YEAR, problems);
    }
    let SilenceKeys { others, duration_max, count_max, comment_required, retention } = keys;
    (SilenceRule { others, duration_max, count_max, comment_required }, retention)
}
