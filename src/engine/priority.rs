//! Impact × urgency → priority. It rises by itself when the incident grows; it falls only where the
//! configuration says so.

use std::collections::BTreeSet;

use crate::model::timeline::TimelineKind;
use crate::model::{Impact, Incident, IncidentId, Severity, Timestamp, Urgency};

use super::small::SmallSet;
use super::state::State;
use super::timeline;

/// Items hit from which the impact is high, or medium, whatever the services say.
const ITEMS_HIGH: usize = 10;
const ITEMS_MEDIUM: usize = 3;

pub fn run(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let (mut impact, mut services) = impact(state, incident);
    let mut severity = severity(state, incident);
    let rule = &state.policy().priority;
    if !incident.is_unranked && !rule.may_fall {
        // What people were told does not shrink because the first alerts are over.
        impact = impact.min(incident.impact);
        severity = severity.min(incident.severity);
        services.extend(incident.services.iter().cloned());
    }
    let is_first = incident.is_unranked;
    let urgency = urgency(severity);
    let computed = rule.matrix.priority(impact, urgency);
    let priority = if is_first || rule.may_fall { computed } else { computed.min(incident.priority) };
    let before = incident.priority;
    if (incident.impact, incident.urgency, incident.severity, before) == (impact, urgency, severity, priority)
        && services == incident.services
        && !is_first
    {
        return;
    }
    if let Some(incident) = state.incident_mut(id) {
        incident.is_unranked = false;
        incident.impact = impact;
        incident.urgency = urgency;
        incident.severity = severity;
        incident.priority = priority;
        incident.services = services;
    }
    if is_first || before != priority {
        let text = format!("priority {priority}: impact {impact} × urgency {urgency} (severity {severity})");
        timeline::incident(state, now, id, TimelineKind::Priority, "priority", text);
    }
}

/// Breadth of harm. What depends on the root is hit already, whether or not a monitor has noticed.
fn impact(state: &State, incident: &Incident) -> (Impact, BTreeSet<String>) {
    let hops_max = state.policy().correlation.hops_max;
    let mut items: BTreeSet<&str> = BTreeSet::new();
    let mut services: BTreeSet<String> = BTreeSet::new();
    if let Some(members) = state.groups.members(&incident.id) {
        items.extend(members.items.keys().take(256).map(|item| &**item));
        for service in members.alerts.iter().take(256).filter_map(|n| state.alert(*n)?.service.as_deref()) {
            if !services.contains(service) {
                services.insert(service.to_owned());
            }
        }
    }
    let root = incident.root_cause.as_ref().map(|cause| cause.configuration_item.as_str());
    // Only something that is down takes others with it.
    let root = root.filter(|_| severity(state, incident).is_at_least(Severity::Major));
    let below = root.map(|root| state.topology.downstream(root, hops_max)).unwrap_or_default();
    items.extend(below.iter().map(|(item, _)| &**item));
    items.extend(root);
    let mut tiers: Vec<u8> = Vec::new();
    for node in items.iter().filter_map(|item| state.topology.item(item)) {
        services.extend(node.service.clone());
        tiers.extend(node.tier);
    }
    tiers.extend(services.iter().filter_map(|name| state.policy().services.get(name)?.tier));
    let by_count = match items.len() {
        n if n >= ITEMS_HIGH => Some(Impact::High),
        n if n >= ITEMS_MEDIUM => Some(Impact::Medium),
        _ => None,
    };
    let by_tier = tiers.iter().min().map(|tier| match tier {
        0 | 1 => Impact::High,
        2 => Impact::Medium,
        _ => Impact::Low,
    });
    // With nothing known about services, "low" would be a claim that nobody made.
    let impact = by_count.into_iter().chain(by_tier).min().unwrap_or(Impact::Medium);
    (impact, services)
}

/// Severity of the root's own alerts, else the worst that fires.
fn severity(state: &State, incident: &Incident) -> Severity {
    let Some(members) = state.groups.members(&incident.id) else { return incident.severity };
    let worst = |numbers: &SmallSet<u64>| {
        numbers.iter().filter_map(|n| state.alert(*n)).filter(|a| a.is_firing()).map(|a| a.severity).min()
    };
    let root = incident.root_cause.as_ref().and_then(|cause| members.items.get(cause.configuration_item.as_str()));
    root.and_then(worst).or_else(|| worst(&members.firing)).unwrap_or(incident.severity)
}

const fn urgency(severity: Severity) -> Urgency {
    match severity {
        Severity::Critical => Urgency::High,
        Severity::Major => Urgency::Medium,
        Severity::Minor | Severity::Warning | Severity::Info => Urgency::Low,
    }
}
