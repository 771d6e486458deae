//! Impact × urgency → priority. It rises by itself when the incident grows; it falls only where the
//! configuration says so.

use std::collections::BTreeSet;

use crate::model::timeline::TimelineKind;
use crate::model::{Impact, Incident, IncidentId, Severity, Timestamp, Urgency};

use super::items::ItemId;
use super::small::SmallSet;
use super::state::State;
use super::timeline;

/// Items hit from which the impact is high, or medium, whatever the services say.
const ITEMS_HIGH: usize = 10;
const ITEMS_MEDIUM: usize = 3;
/// Alerts and items of one incident that are looked at.
const LOOKED_AT_MAX: usize = 256;

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
    let mut services: BTreeSet<String> = BTreeSet::new();
    let mut tiers: Vec<u8> = Vec::new();
    let members = state.groups.members(&incident.id);
    let alerts = members.into_iter().flat_map(|members| members.alerts.iter()).take(LOOKED_AT_MAX);
    for service in alerts.filter_map(|number| state.alert(*number)?.service.as_deref()) {
        if !services.contains(service) {
            services.insert(service.to_owned());
        }
    }
    let mut count = members.map_or(0, |members| members.item_count().min(LOOKED_AT_MAX));
    let mut hit = |item: ItemId| {
        let Some(node) = state.topology.description(item) else { return };
        services.extend(node.service.clone());
        tiers.extend(node.tier);
    };
    let items = members.into_iter().flat_map(|members| members.first_items());
    items.take(LOOKED_AT_MAX).for_each(|item| hit(*item));
    let root = incident.root_cause.as_ref().map(|cause| cause.configuration_item.as_str());
    // Only something that is down takes others with it.
    if let Some(root) = root.filter(|_| severity(state, incident).is_at_least(Severity::Major)) {
        let root = state.topology.id(root);
        let below = root.map_or(Vec::new(), |root| state.topology.below(root, hops_max));
        let also = below.into_iter().map(|(item, _)| item).chain(root);
        for item in also.filter(|item| members.is_none_or(|members| members.on(*item).is_none())) {
            count += 1;
            hit(item);
        }
        // A cause that is no item.
        count += usize::from(root.is_none());
    }
    tiers.extend(services.iter().filter_map(|name| state.policy().services.get(name)?.tier));
    let by_count = match count {
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
    let root = incident.root_cause.as_ref().and_then(|cause| state.alerts_on(&incident.id, &cause.configuration_item));
    root.and_then(worst).or_else(|| members.worst()).unwrap_or(incident.severity)
}

const fn urgency(severity: Severity) -> Urgency {
    match severity {
        Severity::Critical => Urgency::High,
        Severity::Major => Urgency::Medium,
        Severity::Minor | Severity::Warning | Severity::Info => Urgency::Low,
    }
}
