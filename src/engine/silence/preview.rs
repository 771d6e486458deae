//! What a silence would mute if it were in force now, before anybody makes it. A look, nothing more.

use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

use super::quiet::mutes;
use super::request;
use crate::engine::input::Principal;
use crate::engine::state::State;
use crate::model::silence::SilenceDraft;
use crate::model::{Incident, IncidentId, IncidentState, Priority, Severity, Timestamp};

/// Alerts and incidents that are shown; all are counted.
const SHOWN_MAX: usize = 100;

#[derive(Debug, Serialize, ToSchema)]
pub struct Preview {
    /// Alerts that fire and match.
    pub alert_count: usize,
    /// The first hundred of them.
    pub alerts: Vec<PreviewAlert>,
    /// Open incidents with such an alert.
    pub incident_count: usize,
    /// The first hundred of them.
    pub incidents: Vec<PreviewIncident>,
    /// Of one that recurs: the time that it is in, or the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<PreviewTime>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewAlert {
    pub fingerprint: String,
    pub name: String,
    pub severity: Severity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub configuration_item: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub incident: Option<IncidentId>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewIncident {
    #[schema(value_type = String)]
    pub id: IncidentId,
    pub title: String,
    pub priority: Priority,
    /// Everything that still fires in it matches: nobody would hear of it. Otherwise people do, for the rest of it.
    pub is_muted: bool,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct PreviewTime {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

/// By the time of the wall clock.
///
/// # Errors
/// When no such silence would be made, with the reason.
pub fn of(state: &State, wall: Timestamp, by: &Principal, mut draft: SilenceDraft) -> Result<Preview, String> {
    if draft.comment.trim().is_empty() {
        // Nobody says why before it is made.
        draft.comment = "a look".to_owned();
    }
    let silence = request::read(state, state.own_time(wall), by, draft)?;
    let (mut alerts, mut alert_count) = (Vec::new(), 0);
    let mut matched: BTreeMap<IncidentId, usize> = BTreeMap::new();
    for alert in state.alerts().filter(|alert| alert.is_unsettled() && mutes(state, &silence, alert)) {
        alert_count += 1;
        if let Some(id) = alert.incident {
            *matched.entry(id).or_default() += 1;
        }
        if alerts.len() < SHOWN_MAX {
            alerts.push(PreviewAlert {
                fingerprint: alert.id(),
                name: alert.name.to_string(),
                severity: alert.severity,
                configuration_item: alert.configuration_item.as_deref().map(str::to_owned),
                incident: alert.incident,
            });
        }
    }
    let incidents: Vec<PreviewIncident> = matched
        .into_iter()
        .filter_map(|(id, count)| Some((state.incident(&id)?, count)))
        .filter(|(incident, _)| matches!(incident.state, IncidentState::Open | IncidentState::Acknowledged))
        .map(|(incident, count)| shown(state, incident, count))
        .collect();
    let next =
        silence.recurrence.as_ref().map(|_| PreviewTime { starts_at: silence.starts_at, ends_at: silence.ends_at });
    let incident_count = incidents.len();
    Ok(Preview {
        alert_count,
        alerts,
        incident_count,
        incidents: incidents.into_iter().take(SHOWN_MAX).collect(),
        next,
    })
}

fn shown(state: &State, incident: &Incident, count: usize) -> PreviewIncident {
    let unsettled = state.groups.members(&incident.id).map_or(0, |members| members.unsettled_count());
    PreviewIncident {
        id: incident.id,
        title: incident.title.clone(),
        priority: incident.priority,
        is_muted: count >= unsettled,
    }
}
