//! From incidents to groups and back, on a store that has lived with the other: what fires is taken over, and what
//! people were told of in the old way ends there.

use super::{let_go_of_alert, rebuild_from_nothing};
use crate::engine::policy::NotifyBy;
use crate::engine::state::State;
use crate::engine::{correlate, lifecycle};
use crate::model::alert::AlertNumber;
use crate::model::{IncidentId, Timestamp};

/// Said of incidents that end because people hear of groups from now on.
const CONTINUES_AS_GROUPS: &str = "people are told of groups of alerts from here on, no longer of incidents";

/// Another policy is in force; `before` is what people were told of until now.
pub fn run(state: &mut State, now: Timestamp, before: NotifyBy) {
    match (before, state.policy().notify_by) {
        (NotifyBy::Incident, NotifyBy::Group) => leave_incidents(state, now),
        (NotifyBy::Group, NotifyBy::Incident) => leave_groups(state, now),
        (NotifyBy::Incident, NotifyBy::Incident) | (NotifyBy::Group, NotifyBy::Group) => {}
    }
}

fn leave_incidents(state: &mut State, now: Timestamp) {
    let active: Vec<IncidentId> =
        state.incidents().filter(|incident| incident.state.is_active()).map(|incident| incident.id).collect();
    for id in active {
        lifecycle::resolve(state, now, &id, None, CONTINUES_AS_GROUPS);
    }
    let placed: Vec<(AlertNumber, IncidentId)> =
        state.alerts().filter_map(|alert| Some((alert.number, alert.incident?))).collect();
    for (number, id) in placed {
        state.ungroup_alert(&id, number);
        if let Some(alert) = state.alert_mut(number) {
            alert.incident = None;
        }
        let_go_of_alert(state, number);
    }
}

fn leave_groups(state: &mut State, now: Timestamp) {
    rebuild_from_nothing(state);
    let firing: Vec<AlertNumber> = state
        .alerts()
        .filter(|alert| alert.is_firing() && alert.incident.is_none())
        .map(|alert| alert.number)
        .collect();
    for number in firing {
        correlate::place(state, now, number);
    }
}
