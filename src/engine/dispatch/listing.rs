//! What is listed of alerts and groups: read in parts, so that nobody who is paged waits for a list.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::{AlertGroup, flush, is_on};
use crate::engine::state::State;
use crate::engine::system::SOURCE;
use crate::engine::{inhibit, maintenance, silence};
use crate::model::alert::{Alert, AlertNumber};
use crate::model::silence::SilenceState;
use crate::model::{AlertStatus, Fingerprint, IncidentId, Labels, Timestamp};

/// An alert that fires, with what keeps people from hearing of it now.
#[derive(Clone, Debug)]
pub struct Listed {
    pub alert: Arc<Alert>,
    pub receivers: Vec<String>,
    pub silenced_by: Vec<String>,
    /// Alertmanager's fingerprint of the alert that inhibits it.
    pub inhibited_by: Option<String>,
    /// The planned window in which it is.
    pub window: Option<String>,
}

/// Those that fire with higher numbers than `last`, at most `limit` looked at; and the last number looked at, while
/// there are more.
pub fn alerts_after(
    state: &State,
    now: Timestamp,
    last: Option<AlertNumber>,
    limit: usize,
    is_wanted: impl Fn(&Labels) -> bool,
) -> (Vec<Listed>, Option<AlertNumber>) {
    let mut listed = Vec::new();
    let (mut seen, mut at) = (0, None);
    for alert in state.alerts_after(last) {
        if seen == limit {
            return (listed, at);
        }
        seen += 1;
        at = Some(alert.number);
        if alert.is_firing() && *alert.source != *SOURCE && is_wanted(&alert.labels) {
            listed.extend(state.shared_alert(alert.number).map(|shared| list(state, now, shared)));
        }
    }
    (listed, None)
}

fn list(state: &State, now: Timestamp, alert: Arc<Alert>) -> Listed {
    let eyes = inhibit::Eyes::of(state.policy());
    let silences = silence::matching(state, now, &|name| eyes.of_silences(&alert, name));
    let silenced_by = silences.into_iter().map(|silence| silence.id.clone()).collect();
    let inhibited_by = inhibit::source(state, &alert).map(|source| source.labels.fingerprint().to_string());
    let window = maintenance::cause(state, now, &alert).map(|cause| cause.why);
    Listed { receivers: receivers(state, &alert), silenced_by, inhibited_by, window, alert }
}

/// Who would hear of it.
fn receivers(state: &State, alert: &Alert) -> Vec<String> {
    if !is_on(state) {
        let incident = alert.incident.as_ref().and_then(|id| state.incident(id));
        return incident.and_then(|incident| incident.routed.as_ref()).map(|r| r.receivers.clone()).unwrap_or_default();
    }
    let groups = state.book.of_alert(alert.number).iter();
    groups.filter_map(|id| Some(state.book.route_of(id)?.receiver.clone())).collect()
}

/// A group, with the numbers of its alerts.
#[derive(Clone, Debug)]
pub struct ListedGroup {
    pub labels: Labels,
    pub receiver: String,
    pub alerts: Vec<AlertNumber>,
    /// The times of the week that mute it now.
    pub muted_by: Vec<String>,
}

/// Groups with higher ids than `last`, as many as hold `limit` alerts together; and the last id, while there are more.
pub fn groups_after(
    state: &State,
    now: Timestamp,
    last: Option<IncidentId>,
    limit: usize,
) -> (Vec<ListedGroup>, Option<IncidentId>) {
    let (mut listed, mut seen, mut at) = (Vec::new(), 0, None);
    for group in state.book.groups_after(last) {
        if seen >= limit {
            return (listed, at);
        }
        seen += 1 + group.alerts.len();
        at = Some(group.id);
        let route = state.book.tree().route(group.route);
        listed.push(ListedGroup {
            labels: group.labels.clone(),
            receiver: route.receiver.clone(),
            alerts: group.alerts.iter().copied().collect(),
            muted_by: flush::muted_by(state, now, route),
        });
    }
    (listed, None)
}

/// A group with all that decides whether people hear of it.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GroupDetails {
    pub id: IncidentId,
    pub receiver: String,
    /// The route that it is of: `{}/{severity="critical"}`.
    pub route: String,
    pub labels: Labels,
    /// The first of its alerts.
    pub alerts: Vec<GroupMember>,
    pub alert_count: usize,
    /// The times of the week that mute it now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub muted_by: Vec<String>,
    /// When it was last looked at; absent during its group wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flushed_at: Option<Timestamp>,
    pub flush_at: Timestamp,
}

#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GroupMember {
    pub fingerprint: Fingerprint,
    pub status: AlertStatus,
    /// What keeps people from hearing of it now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted_by: Option<String>,
}

/// One group, with `limit` of its alerts.
pub fn group_details(state: &State, now: Timestamp, id: &IncidentId, limit: usize) -> Option<GroupDetails> {
    state.book.group(id).map(|group| details(state, now, group, limit))
}

/// The groups of an alert.
pub fn groups_of_alert(state: &State, now: Timestamp, alert: Fingerprint, limit: usize) -> Vec<GroupDetails> {
    let Some(number) = state.find_alert(alert) else { return Vec::new() };
    state.book.of_alert(number).iter().filter_map(|id| group_details(state, now, id, limit)).collect()
}

fn details(state: &State, now: Timestamp, group: &AlertGroup, limit: usize) -> GroupDetails {
    let route = state.book.tree().route(group.route);
    let alerts = group.alerts.iter().filter_map(|number| state.alert(*number)).take(limit);
    GroupDetails {
        id: group.id,
        receiver: route.receiver.clone(),
        route: route.key.clone(),
        labels: group.labels.clone(),
        alerts: alerts.map(|alert| member(state, now, alert)).collect(),
        alert_count: group.alerts.len(),
        muted_by: flush::muted_by(state, now, route),
        flushed_at: group.flushed_at,
        flush_at: group.flush_at,
    }
}

fn member(state: &State, now: Timestamp, alert: &Alert) -> GroupMember {
    let muted_by = inhibit::cause(state, alert)
        .or_else(|| maintenance::cause(state, now, alert))
        .or_else(|| silence::cause(state, now, alert));
    GroupMember { fingerprint: alert.fingerprint, status: alert.status, muted_by: muted_by.map(|cause| cause.why) }
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub active: usize,
    /// Muted when their groups were last looked at.
    pub suppressed: usize,
    pub groups: usize,
    pub silences_active: usize,
    pub silences_pending: usize,
    pub silences_expired: usize,
}

impl Counts {
    pub fn of(state: &State, now: Timestamp) -> Self {
        let firing = state.firing_count();
        let muted: std::collections::BTreeSet<&AlertNumber> =
            state.book.groups().flat_map(|group| group.muted.keys()).collect();
        let mut counts =
            Self { groups: state.book.group_count(), suppressed: muted.len().min(firing), ..Self::default() };
        counts.active = firing - counts.suppressed;
        for silence in state.silences() {
            match silence.state_at(now) {
                SilenceState::Pending => counts.silences_pending += 1,
                SilenceState::Active => counts.silences_active += 1,
                SilenceState::Expired => counts.silences_expired += 1,
            }
        }
        counts
    }
}
