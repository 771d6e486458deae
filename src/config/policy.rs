//! The sections that decide: services, SLAs, escalation, schedules, rules. Each entry is read and
//! judged on its own; what they then lead to is the engine's.

use std::collections::BTreeMap;

use super::problem::Problems;
use super::read::{entries, items, join, read, require};
use super::references::Names;
use super::validate::{check_number, check_span, section};
use super::yaml::Node;
use super::{escalation, people, quiet, route, schedules, time_intervals, topology};
use crate::engine::policy::{
    Correlation, FlapRule, InhibitRule, Naming, NotifyBy, Policy, ProblemRule, Receiver, Rewrite, ServiceRule, Sla,
};
use crate::model::{Span, Timestamp};

/// Tiers of a service or a configuration item, 1 the most important.
pub(super) use crate::model::topology::TIER_MAX;

pub(super) fn read_all(
    root: &Node,
    receivers: BTreeMap<String, Receiver>,
    notify_by: NotifyBy,
    names: &Names,
    problems: &mut Problems,
) -> Policy {
    let (silences, silence_retention) = quiet::silences(root, problems);
    Policy {
        public_url: None,
        naming: naming(root, problems),
        topology: topology::read_all(root, problems),
        services: services(root, names, problems),
        correlation: correlation(root, problems),
        flap: flap(root, problems),
        priority: section(root, "priority", problems),
        route: route::read_root(root, notify_by, names, problems),
        notify_by,
        dispatch_start_delay: Span::ZERO,
        time_intervals: time_intervals::read_all(root, problems),
        inhibit_rules: inhibit_rules(root, notify_by, problems),
        receivers,
        escalation_policies: escalation::read_all(root, names, problems),
        schedules: schedules::read_all(root, names, problems),
        people: BTreeMap::new(),
        teams: people::teams(root, names, problems),
        on_call: schedules::on_call(root, problems),
        slas: slas(root, problems),
        default_sla: default_sla(root, names, problems),
        problems: problem_rule(root, problems),
        maintenance: quiet::maintenance(root, problems),
        silences,
        silence_retention,
        heartbeats: BTreeMap::new(),
    }
}

/// Reads `section.<name>` entries that only need `judge`.
pub(super) fn named<T>(
    root: &Node,
    section: &str,
    problems: &mut Problems,
    judge: impl Fn(&Node, &str, &mut Problems) -> Option<T>,
) -> BTreeMap<String, T> {
    let mut read = BTreeMap::new();
    for (name, node) in entries(root, section, problems) {
        if let Some(entry) = judge(node, &join(section, name), problems) {
            read.insert(name.clone(), entry);
        }
    }
    read
}

const DAY: Span = Span::from_hours(24);
pub(super) const YEAR: Span = Span::from_hours(24 * 366);

fn naming(root: &Node, problems: &mut Problems) -> Naming {
    let Some(node) = root.get("naming") else { return Naming::default() };
    let (rewrites, own) = node.split(&["rewrite"]);
    let own = if node.entries().is_empty() { node.clone() } else { own };
    let mut naming: Naming = read(&own, "naming", problems).unwrap_or_default();
    for (index, node) in items(&rewrites, "rewrite", "naming", problems).iter().enumerate() {
        let path = format!("naming.rewrite[{index}]");
        let rewrite: Option<Rewrite> = if require(node, &path, &["pattern", "replacement"], problems) {
            read(node, &path, problems)
        } else {
            None
        };
        let Some(rewrite) = rewrite else { continue };
        if let Err(error) = regex::Regex::new(&format!("^(?:{})$", rewrite.pattern)) {
            let path = join(&path, "pattern");
            let reason = error.to_string();
            // The crate draws a picture; its last line says what is wrong.
            let reason = reason.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned();
            let message = format!("`{path}`: invalid regular expression `{}`: {reason}", rewrite.pattern);
            problems.error(node.place_of("pattern"), path, message);
        }
        naming.rewrite.push(rewrite);
    }
    naming
}

fn services(root: &Node, names: &Names, problems: &mut Problems) -> BTreeMap<String, ServiceRule> {
    named(root, "services", problems, |node, path, problems| {
        let service: ServiceRule = read(node, path, problems)?;
        if let Some(sla) = &service.sla {
            names.check_sla(sla, node.place_of("sla"), &join(path, "sla"), problems);
        }
        if let Some(tier) = service.tier {
            check_number(node, path, "tier", tier.into(), 1, TIER_MAX.into(), problems);
        }
        Some(service)
    })
}

fn correlation(root: &Node, problems: &mut Problems) -> Correlation {
    let rule: Correlation = section(root, "correlation", problems);
    let Some(node) = root.get("correlation") else { return rule };
    let path = "correlation";
    check_span(node, path, "window", rule.window, Span::from_secs(1), DAY, problems);
    check_span(node, path, "open_after", rule.open_after, Span::ZERO, DAY, problems);
    check_span(node, path, "hold_down", rule.hold_down, Span::ZERO, Span::from_hours(1), problems);
    check_span(node, path, "reopen_within", rule.reopen_within, Span::ZERO, YEAR, problems);
    check_span(node, path, "close_after", rule.close_after, Span::ZERO, YEAR, problems);
    check_span(node, path, "change_window", rule.change_window, Span::ZERO, YEAR, problems);
    check_number(node, path, "hops_max", rule.hops_max.into(), 0, 10, problems);
    if rule.close_after < rule.reopen_within {
        let message = format!(
            "`correlation.close_after` ({}) is shorter than `reopen_within` ({}), so the latter counts",
            rule.close_after, rule.reopen_within
        );
        problems.warning(node.place_of("close_after"), "correlation.close_after", message);
    }
    rule
}

fn flap(root: &Node, problems: &mut Problems) -> FlapRule {
    let rule: FlapRule = section(root, "flap", problems);
    if let Some(node) = root.get("flap") {
        check_number(node, "flap", "changes", rule.changes, 2, 1_000, problems);
        check_span(node, "flap", "within", rule.within, Span::from_secs(1), DAY, problems);
        check_span(node, "flap", "settle_after", rule.settle_after, Span::from_secs(1), DAY, problems);
    }
    rule
}

fn problem_rule(root: &Node, problems: &mut Problems) -> ProblemRule {
    let rule: ProblemRule = section(root, "problems", problems);
    if let Some(node) = root.get("problems") {
        check_number(node, "problems", "incidents_min", rule.incidents_min, 2, 1_000, problems);
        check_span(node, "problems", "within", rule.within, Span::from_hours(1), YEAR, problems);
        check_number(node, "problems", "likeness_percent", rule.likeness_percent.into(), 1, 100, problems);
    }
    rule
}

/// What people are told of. Read before the rest, some of which depends on it.
pub(super) fn notify_by(root: &Node, problems: &mut Problems) -> NotifyBy {
    let Some(node) = root.get("notify_by") else { return NotifyBy::default() };
    match node.text() {
        Some("incident") => NotifyBy::Incident,
        Some("group") => NotifyBy::Group,
        _ => {
            let message = "`notify_by`: expected `incident` or `group`";
            problems.error(&node.place, "notify_by", message);
            NotifyBy::default()
        }
    }
}

fn inhibit_rules(root: &Node, notify_by: NotifyBy, problems: &mut Problems) -> Vec<InhibitRule> {
    let mut rules = Vec::new();
    for (index, node) in items(root, "inhibit_rules", "", problems).iter().enumerate() {
        let path = format!("inhibit_rules[{index}]");
        let Some(rule) = read::<InhibitRule>(node, &path, problems) else { continue };
        for (key, matchers) in [("source_matchers", &rule.source_matchers), ("target_matchers", &rule.target_matchers)]
        {
            let is_bounded = key == "target_matchers" && rule.dependants_only;
            if matchers.is_empty() && !is_bounded {
                report_unbounded(node, &path, key, notify_by, problems);
            }
        }
        rules.push(rule);
    }
    rules
}

/// Without matchers every alert matches; Alertmanager's users may have meant that.
pub(super) fn report_unbounded(node: &Node, path: &str, key: &str, notify_by: NotifyBy, problems: &mut Problems) {
    let (place, full) = (node.place_of(key), join(path, key));
    match notify_by {
        NotifyBy::Incident => {
            let message = format!("`{full}`: expected at least one matcher, without any every alert would match");
            problems.error(place, full, message);
        }
        NotifyBy::Group => {
            let message = format!("`{path}` has no `{key}`, so every alert is meant");
            problems.warning(place, full, message);
        }
    }
}

/// Checks each name of a list at its own place.
pub(super) fn check_list(
    node: &Node,
    path: &str,
    key: &str,
    list: &[String],
    problems: &mut Problems,
    check: impl Fn(&str, &super::problem::Place, &str, &mut Problems),
) {
    let places = node.get(key).map_or(&[][..], Node::items);
    for (index, name) in list.iter().enumerate() {
        let place = places.get(index).map_or(node.place_of(key), |item| &item.place);
        check(name, place, &format!("{path}.{key}[{index}]"), problems);
    }
}

pub(super) fn check_order(node: &Node, path: &str, starts_at: Timestamp, ends_at: Timestamp, problems: &mut Problems) {
    if ends_at <= starts_at {
        let message = format!("`{path}.ends_at`: expected a time after `starts_at` ({starts_at}), got {ends_at}");
        problems.error(node.place_of("ends_at"), join(path, "ends_at"), message);
    }
}

fn slas(root: &Node, problems: &mut Problems) -> BTreeMap<String, Sla> {
    named(root, "slas", problems, |node, path, problems| {
        let sla: Sla = read(node, path, problems)?;
        for (priority, target) in &sla {
            let path = join(path, priority.as_str());
            let node = node.get(priority.as_str()).unwrap_or(node);
            for (key, span) in [("respond", target.respond), ("restore", target.restore)] {
                if let Some(span) = span {
                    check_span(node, &path, key, span, Span::from_secs(1), YEAR, problems);
                }
            }
        }
        Some(sla)
    })
}

fn default_sla(root: &Node, names: &Names, problems: &mut Problems) -> Option<String> {
    let node = root.get("default_sla")?;
    let Some(name) = node.text() else {
        problems.error(&node.place, "default_sla", "`default_sla`: expected the name of an SLA");
        return None;
    };
    names.check_sla(name, &node.place, "default_sla", problems);
    Some(name.to_owned())
}
