//! The route tree: which receivers hear of an incident, how patiently, and who is asked next.
//!
//! Matchers see the labels of the lead alert plus `priority`, `severity`, `service`,
//! `configuration_item`, `alertname`, `source` and `state` of the incident. The deepest match wins;
//! `continue` lets a sibling match as well; nothing matches without the root, which is the catch-all.

use std::collections::BTreeMap;

use crate::model::incident::Routed;
use crate::model::timeline::TimelineKind;
use crate::model::{Incident, IncidentId, Timestamp};

use crate::mutant::{self, Mutant};

use super::policy::{LOG_RECEIVER, Policy, Route};
use super::state::State;
use super::{timeline, view};

/// What matchers see of an incident, by name.
pub type RouteLabels<'a> = BTreeMap<&'a str, &'a str>;

pub fn run(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let routed = decide(state.policy(), &labels(state, incident));
    if incident.routed.as_ref() == Some(&routed) {
        return;
    }
    let text = format!("goes to {} by {}", routed.receivers.join(", "), routed.path);
    if let Some(incident) = state.incident_mut(id) {
        incident.routed = Some(routed);
    }
    timeline::incident(state, now, id, TimelineKind::Routed, "route", text);
}

/// What route matchers see.
pub fn labels<'a>(state: &'a State, incident: &'a Incident) -> RouteLabels<'a> {
    let mut labels = RouteLabels::new();
    if let Some(lead) = view::lead_alert(state, incident) {
        labels.extend(lead.labels.iter());
        labels.insert("alertname", &lead.name);
        labels.insert("source", &lead.source);
    }
    if let Some(cause) = &incident.root_cause {
        labels.insert("configuration_item", &cause.configuration_item);
    }
    if let Some(service) = incident.services.first() {
        labels.insert("service", service);
    }
    labels.insert("priority", incident.priority.as_str());
    labels.insert("severity", incident.severity.as_str());
    labels.insert("state", incident.state.as_str());
    labels
}

/// Walks the tree. Several leaves match only through `continue`.
pub fn decide(policy: &Policy, labels: &RouteLabels<'_>) -> Routed {
    let mut leaves: Vec<Vec<&Route>> = Vec::new();
    descend(&policy.route, &mut vec![], labels, &mut leaves);
    if leaves.is_empty() {
        leaves.push(vec![&policy.route]);
    }
    let inherited = |leaf: &[&Route], pick: fn(&Route) -> Option<crate::model::Span>, default| {
        leaf.iter().rev().find_map(|route| pick(route)).unwrap_or(default)
    };
    let first = &leaves[0];
    let group_wait = inherited(first, |route| route.group_wait, Route::GROUP_WAIT);
    let group_interval = inherited(first, |route| route.group_interval, Route::GROUP_INTERVAL);
    let repeat_interval = inherited(first, |route| route.repeat_interval, Route::REPEAT_INTERVAL);
    let mut receivers: Vec<String> = Vec::new();
    for leaf in &leaves {
        if mutant::is(Mutant::CatchAllDropped) && leaf.len() == 1 && !policy.route.routes.is_empty() {
            continue;
        }
        let receiver = leaf.iter().rev().find_map(|route| route.receiver.clone());
        let receiver = receiver.unwrap_or_else(|| LOG_RECEIVER.to_owned());
        if !receivers.contains(&receiver) {
            receivers.push(receiver);
        }
    }
    Routed {
        receivers,
        escalation_policy: leaves.iter().find_map(|leaf| leaf.iter().rev().find_map(|r| r.escalation_policy.clone())),
        path: leaves.iter().map(|leaf| describe(leaf)).collect::<Vec<_>>().join(" and "),
        group_wait_ms: group_wait.as_millis(),
        group_interval_ms: group_interval.as_millis(),
        repeat_interval_ms: repeat_interval.as_millis(),
    }
}

fn descend<'a>(
    route: &'a Route,
    path: &mut Vec<&'a Route>,
    labels: &RouteLabels<'_>,
    leaves: &mut Vec<Vec<&'a Route>>,
) -> bool {
    if !route.matchers.iter().all(|matcher| matcher.is_match(labels.get(matcher.name.as_str()).copied())) {
        return false;
    }
    path.push(route);
    let mut has_matched = false;
    for child in &route.routes {
        if descend(child, path, labels, leaves) {
            has_matched = true;
            if !child.continues {
                break;
            }
        }
    }
    if !has_matched {
        leaves.push(path.clone());
    }
    path.pop();
    true
}

fn describe(leaf: &[&Route]) -> String {
    let matchers: Vec<String> = leaf.iter().flat_map(|route| &route.matchers).map(ToString::to_string).collect();
    if matchers.is_empty() {
        "the root route (catch-all)".to_owned()
    } else {
        format!("the route {{{}}}", matchers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tree: serde_json::Value, labels: &[(&str, &str)], receivers: &[&str]) {
        let policy = Policy { route: serde_json::from_value(tree).unwrap(), ..Policy::default() };
        let labels = labels.iter().copied().collect();
        assert_eq!(decide(&policy, &labels).receivers, receivers);
    }

    #[test]
    fn the_deepest_match_wins_and_continue_adds() {
        let tree = serde_json::json!({"receiver": "all", "routes": [
            {"matchers": ["priority=~\"P1|P2\""], "receiver": "pager", "continue": true},
            {"matchers": ["service=\"db\""], "receiver": "dba", "routes": [{"matchers": ["site=\"fra\""]}]},
        ]});
        check(tree.clone(), &[("priority", "P4")], &["all"]);
        check(tree.clone(), &[("priority", "P1")], &["pager"]);
        check(tree.clone(), &[("priority", "P1"), ("service", "db"), ("site", "fra")], &["pager", "dba"]);
    }
}
