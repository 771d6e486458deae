//! The route tree: which receivers hear of an incident, how patiently, and who is asked next.
//!
//! Matchers see the labels of the lead alert plus `priority`, `severity`, `service`,
//! `configuration_item`, `alertname`, `source` and `state` of the incident. The deepest match wins;
//! `continue` lets a sibling match as well; nothing matches without the root, which is the catch-all.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::incident::Routed;
use crate::model::timeline::TimelineKind;
use crate::model::{Alert, Incident, IncidentId, Span, Timestamp};

use crate::mutant::{self, Mutant};

use super::policy::{LOG_RECEIVER, Policy, Route};
use super::state::State;
use super::{timeline, view};

/// What matchers see of an incident. The lead alert is looked up only when a matcher asks for it.
pub struct RouteLabels<'a> {
    state: &'a State,
    incident: &'a Incident,
    lead: OnceCell<Option<&'a Alert>>,
}

/// Decisions already made, by the leaves that led to them: many incidents share few of them.
pub type Decided = BTreeMap<Vec<usize>, Arc<Routed>>;

/// The way to a route that matched: the routes on it, and their places among their siblings.
#[derive(Clone, Default)]
struct Leaf<'a> {
    routes: Vec<&'a Route>,
    places: Vec<usize>,
}

pub fn run(state: &mut State, now: Timestamp, id: &IncidentId) {
    let policy = state.shared_policy();
    let Some(incident) = state.incident(id) else { return };
    let labels = RouteLabels::of(state, incident);
    let leaves = leaves(&policy.route, &|name| labels.get(name));
    let before = incident.routed.clone();
    let key = key(&leaves);
    let routed = match state.routes_decided.get(&key) {
        Some(known) => Arc::clone(known),
        None => {
            let routed = Arc::new(decide(&leaves, &policy));
            state.routes_decided.insert(key, Arc::clone(&routed));
            routed
        }
    };
    if before.as_ref() == Some(&routed) {
        return;
    }
    let text = format!("goes to {} by {}", routed.receivers.join(", "), routed.path);
    if let Some(incident) = state.incident_mut(id) {
        incident.routed = Some(routed);
    }
    timeline::incident(state, now, id, TimelineKind::Routed, "route", text);
}

/// The way to each route that takes an incident, as places among siblings from the root's children on, with the
/// receiver there.
pub fn ways(state: &State, incident: &Incident) -> Vec<(Vec<usize>, String)> {
    let labels = RouteLabels::of(state, incident);
    let leaves = leaves(&state.policy().route, &|name| labels.get(name));
    leaves.iter().map(|leaf| (leaf.places[1..].to_vec(), leaf.receiver())).collect()
}

impl Leaf<'_> {
    fn receiver(&self) -> String {
        let receiver = self.routes.iter().rev().find_map(|route| route.receiver.clone());
        receiver.unwrap_or_else(|| LOG_RECEIVER.to_owned())
    }
}

impl<'a> RouteLabels<'a> {
    pub fn of(state: &'a State, incident: &'a Incident) -> Self {
        Self { state, incident, lead: OnceCell::new() }
    }

    pub fn get(&self, name: &str) -> Option<&'a str> {
        let incident = self.incident;
        match name {
            "priority" => Some(incident.priority.as_str()),
            "severity" => Some(incident.severity.as_str()),
            "state" => Some(incident.state.as_str()),
            "service" if let Some(service) = incident.services.first() => Some(service),
            "configuration_item" if let Some(cause) = &incident.root_cause => Some(&cause.configuration_item),
            "alertname" => self.lead().map(|lead| &*lead.name),
            "source" => self.lead().map(|lead| &*lead.source),
            _ => self.lead()?.labels.get(name),
        }
    }

    fn lead(&self) -> Option<&'a Alert> {
        *self.lead.get_or_init(|| view::lead_alert(self.state, self.incident))
    }
}

/// Walks the tree. Several leaves match only through `continue`; nothing else leaves the root.
fn leaves<'a, 'l>(root: &'a Route, label: &dyn Fn(&str) -> Option<&'l str>) -> Vec<Leaf<'a>> {
    let mut leaves = Vec::new();
    descend(root, 0, &mut Leaf::default(), label, &mut leaves);
    if leaves.is_empty() {
        leaves.push(Leaf { routes: vec![root], places: vec![0] });
    }
    leaves
}

fn descend<'a, 'l>(
    route: &'a Route,
    place: usize,
    way: &mut Leaf<'a>,
    label: &dyn Fn(&str) -> Option<&'l str>,
    leaves: &mut Vec<Leaf<'a>>,
) -> bool {
    if !route.matchers.iter().all(|matcher| matcher.is_match(label(&matcher.name))) {
        return false;
    }
    way.routes.push(route);
    way.places.push(place);
    let mut has_matched = false;
    for (place, child) in route.routes.iter().enumerate() {
        if descend(child, place, way, label, leaves) {
            has_matched = true;
            if !child.continues {
                break;
            }
        }
    }
    if !has_matched {
        leaves.push(way.clone());
    }
    way.routes.pop();
    way.places.pop();
    true
}

fn key(leaves: &[Leaf<'_>]) -> Vec<usize> {
    leaves.iter().flat_map(|leaf| leaf.places.iter().copied().chain([usize::MAX])).collect()
}

fn decide(leaves: &[Leaf<'_>], policy: &Policy) -> Routed {
    let inherited = |pick: fn(&Route) -> Option<Span>, default| {
        leaves[0].routes.iter().rev().find_map(|route| pick(route)).unwrap_or(default)
    };
    let group_wait = inherited(|route| route.group_wait, Route::GROUP_WAIT);
    let group_interval = inherited(|route| route.group_interval, Route::GROUP_INTERVAL);
    let repeat_interval = inherited(|route| route.repeat_interval, Route::REPEAT_INTERVAL);
    let mut receivers: Vec<String> = Vec::new();
    for leaf in leaves {
        if mutant::is(Mutant::CatchAllDropped) && leaf.routes.len() == 1 && !policy.route.routes.is_empty() {
            continue;
        }
        let receiver = leaf.receiver();
        if !receivers.contains(&receiver) {
            receivers.push(receiver);
        }
    }
    let escalation_policy =
        |leaf: &Leaf<'_>| leaf.routes.iter().rev().find_map(|route| route.escalation_policy.clone());
    Routed {
        receivers,
        escalation_policy: leaves.iter().find_map(escalation_policy),
        path: leaves.iter().map(describe).collect::<Vec<_>>().join(" and "),
        group_wait_ms: group_wait.as_millis(),
        group_interval_ms: group_interval.as_millis(),
        repeat_interval_ms: repeat_interval.as_millis(),
    }
}

fn describe(leaf: &Leaf<'_>) -> String {
    let matchers: Vec<String> = leaf.routes.iter().flat_map(|route| &route.matchers).map(ToString::to_string).collect();
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
        let label = |name: &str| labels.iter().find(|(other, _)| *other == name).map(|(_, value)| *value);
        assert_eq!(decide(&leaves(&policy.route, &label), &policy).receivers, receivers);
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
