//! The incident as people see it, frozen at the moment of a notification.

use crate::model::alert::{Alert, AlertNumber};
use crate::model::notification::{ALERTS_SHOWN, AlertView, ClockView, ITEMS_SHOWN, IncidentView, ProblemView};
use crate::model::{Incident, IncidentId, Severity};

use super::small::SmallSet;
use super::state::State;

/// Alerts of one incident that are looked at for the most telling one.
const ALERTS_RANKED_MAX: usize = 512;

/// The alert that says best what is wrong: on the root item, then worst, then first.
pub fn lead_alert<'a>(state: &'a State, incident: &'a Incident) -> Option<&'a Alert> {
    telling(state, incident).min_by_key(|alert| rank(incident, alert))
}

/// Alerts, the most telling first.
fn ranked<'a>(state: &'a State, incident: &'a Incident) -> Vec<&'a Alert> {
    let mut alerts: Vec<&Alert> = telling(state, incident).collect();
    alerts.sort_by_key(|alert| rank(incident, alert));
    alerts.dedup_by_key(|alert| alert.number);
    alerts
}

/// Those that are looked at: all on the root item, then the first few hundred. Some of them twice.
fn telling<'a>(state: &'a State, incident: &'a Incident) -> impl Iterator<Item = &'a Alert> {
    let members = state.groups.members(&incident.id);
    let of_root = root(incident).and_then(|root| state.alerts_on(&incident.id, root));
    let of_root = of_root.into_iter().flat_map(SmallSet::iter);
    let all = members.into_iter().flat_map(|members| members.alerts.iter());
    of_root.chain(all).take(ALERTS_RANKED_MAX).filter_map(|number| state.alert(*number))
}

fn root(incident: &Incident) -> Option<&str> {
    incident.root_cause.as_ref().map(|cause| cause.configuration_item.as_str())
}

/// Smaller is more telling; no two alerts have the same.
fn rank(incident: &Incident, alert: &Alert) -> (bool, bool, Severity, AlertNumber) {
    let root = root(incident);
    let is_root = root.is_some() && alert.configuration_item.as_deref() == root;
    (!is_root, !alert.is_firing(), alert.severity, alert.number)
}

pub fn incident(state: &State, id: &IncidentId) -> Option<IncidentView> {
    let incident = state.incident(id)?;
    let problem = incident.problem.as_ref().and_then(|id| ProblemView::of(state.surviving_problem(id)?));
    let url = state.policy().public_url.as_ref().map(|base| format!("{}/incidents/{id}", base.trim_end_matches('/')));
    Some(IncidentView {
        id: *id,
        state: incident.state,
        title: incident.title.clone(),
        priority: incident.priority,
        impact: incident.impact,
        urgency: incident.urgency,
        severity: incident.severity,
        started_at: incident.started_at,
        opened_at: incident.opened_at,
        acknowledged_at: incident.acknowledged_at,
        acknowledged_by: incident.acknowledged_by.clone(),
        resolved_at: incident.resolved_at,
        resolved_by: incident.resolved_by.clone(),
        assignee: incident.assignee.clone(),
        root_cause: incident.root_cause.clone(),
        services: incident.services.iter().cloned().collect(),
        configuration_items: incident.configuration_items.iter().take(ITEMS_SHOWN).cloned().collect(),
        configuration_item_count: incident.configuration_item_count,
        alerts: ranked(state, incident).into_iter().take(ALERTS_SHOWN).map(AlertView::of).collect(),
        alert_count: incident.alert_count,
        firing_count: incident.firing_count,
        clocks: incident
            .clocks
            .iter()
            .map(|clock| ClockView {
                sla: clock.sla.clone(),
                target: clock.target,
                due_at: clock.due_at(),
                is_breached: clock.is_breached,
                met_at: clock.met_at,
            })
            .collect(),
        problem,
        merged_into: incident.merged_into,
        url,
    })
}
