//! The `escalation_policies` section: who is asked when nobody answers.

use serde::Deserialize;
use std::collections::BTreeMap;

use super::policy::{check_list, named};
use super::problem::Problems;
use super::read::{items, join, read, require};
use super::references::Names;
use super::validate::{check_number, check_span};
use super::yaml::Node;
use crate::engine::policy::{EscalationPolicy, Level, SlaLevel, Targets};
use crate::engine::sla::THRESHOLDS_PERCENT;
use crate::model::sla::Target;
use crate::model::{Priority, Span};

/// Levels of a policy, and how often they may start over.
const LEVELS_MAX: usize = 100;
const AFTER_MAX: Span = Span::from_hours(7 * 24);

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PolicyKeys {
    levels: serde::de::IgnoredAny,
    repeat: u32,
    last_resort: serde::de::IgnoredAny,
    acknowledged_for: Option<Span>,
    on_sla: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelKeys {
    after: Span,
    #[serde(default)]
    receivers: Vec<String>,
    #[serde(default)]
    people: Vec<String>,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    schedules: Vec<String>,
    #[serde(default)]
    priorities: Vec<Priority>,
    #[serde(default)]
    all_must_acknowledge: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlaLevelKeys {
    clock: Target,
    percent: u8,
    #[serde(default)]
    receivers: Vec<String>,
    #[serde(default)]
    people: Vec<String>,
    #[serde(default)]
    teams: Vec<String>,
    #[serde(default)]
    schedules: Vec<String>,
}

pub(super) fn read_all(root: &Node, names: &Names, problems: &mut Problems) -> BTreeMap<String, EscalationPolicy> {
    named(root, "escalation_policies", problems, |node, path, problems| policy(node, path, names, problems))
}

fn policy(node: &Node, path: &str, names: &Names, problems: &mut Problems) -> Option<EscalationPolicy> {
    let keys: PolicyKeys = read(node, path, problems)?;
    check_number(node, path, "repeat", keys.repeat, 0, 100, problems);
    if let Some(span) = keys.acknowledged_for {
        check_span(node, path, "acknowledged_for", span, Span::from_mins(1), AFTER_MAX, problems);
    }
    let list = items(node, "levels", path, problems);
    if list.is_empty() || list.len() > LEVELS_MAX {
        let message = format!("`{path}.levels`: expected 1 to {LEVELS_MAX} levels, got {}", list.len());
        problems.error(node.place_of("levels"), join(path, "levels"), message);
    }
    let levels = list
        .iter()
        .enumerate()
        .filter_map(|(index, node)| level(node, &format!("{path}.levels[{index}]"), index == 0, names, problems));
    let levels: Vec<Level> = levels.collect();
    let last_resort =
        node.get("last_resort").and_then(|node| level(node, &join(path, "last_resort"), false, names, problems));
    let on_sla = items(node, "on_sla", path, problems)
        .iter()
        .enumerate()
        .filter_map(|(index, node)| sla_level(node, &format!("{path}.on_sla[{index}]"), names, problems))
        .collect();
    // What is faulty has been reported; a policy without levels could ask nobody.
    (!levels.is_empty()).then_some(EscalationPolicy {
        levels,
        repeat: keys.repeat,
        last_resort,
        acknowledged_for: keys.acknowledged_for,
        on_sla,
    })
}

fn level(node: &Node, path: &str, is_first: bool, names: &Names, problems: &mut Problems) -> Option<Level> {
    let keys: LevelKeys =
        if require(node, path, &["after"], problems) { read(node, path, problems)? } else { return None };
    // The first level may hear at once; two levels at the same moment would be one.
    let min = if is_first { Span::ZERO } else { Span::from_secs(1) };
    check_span(node, path, "after", keys.after, min, AFTER_MAX, problems);
    let LevelKeys { after, receivers, people, teams, schedules, priorities, all_must_acknowledge } = keys;
    let targets = Targets { receivers, people, teams, schedules };
    check_targets(node, path, &targets, names, problems);
    if all_must_acknowledge && !targets.receivers.is_empty() {
        let message =
            format!("`{path}.receivers`: with `all_must_acknowledge` expected only people, teams and schedules");
        problems.error(node.place_of("receivers"), join(path, "receivers"), message).hint =
            Some("a receiver is no person who could acknowledge".to_owned());
    }
    Some(Level { after, targets, priorities, all_must_acknowledge })
}

fn sla_level(node: &Node, path: &str, names: &Names, problems: &mut Problems) -> Option<SlaLevel> {
    let is_complete = require(node, path, &["clock", "percent"], problems);
    let keys: SlaLevelKeys = if is_complete { read(node, path, problems)? } else { return None };
    if !THRESHOLDS_PERCENT.contains(&keys.percent) {
        let message = format!("`{path}.percent`: expected 50, 75, 90 or 100, got {}", keys.percent);
        problems.error(node.place_of("percent"), join(path, "percent"), message);
    }
    let SlaLevelKeys { clock, percent, receivers, people, teams, schedules } = keys;
    let targets = Targets { receivers, people, teams, schedules };
    check_targets(node, path, &targets, names, problems);
    Some(SlaLevel { clock, percent, targets })
}

fn check_targets(node: &Node, path: &str, targets: &Targets, names: &Names, problems: &mut Problems) {
    if targets.is_empty() {
        let message = format!("`{path}`: expected at least one of `people`, `teams`, `schedules` and `receivers`");
        problems.error(&node.place, path, message);
    }
    check_list(node, path, "receivers", &targets.receivers, problems, |name, place, path, problems| {
        names.check_receiver(name, place, path, problems);
    });
    check_list(node, path, "people", &targets.people, problems, |name, place, path, problems| {
        names.check_person(name, place, path, problems);
    });
    check_list(node, path, "teams", &targets.teams, problems, |name, place, path, problems| {
        names.check_team(name, place, path, problems);
    });
    check_list(node, path, "schedules", &targets.schedules, problems, |name, place, path, problems| {
        names.check_schedule(name, place, path, problems);
    });
}
