//! Parting an incident. When what it is about is over, and alerts that are only loosely part of it go on, these leave it
//! and are looked at anew, so that a check that fires every other minute keeps no incident open. And when many alerts
//! come at once after a time of quiet, they are a second fault.
//!
//! Decides who leaves. Never parts an incident that somebody works on: it is what that person knows it as. What looks like
//! a second fault there is a suggestion. What a person has placed stays (`by_hand`).

pub mod by_hand;

use std::collections::BTreeSet;

use crate::model::alert::{Alert, AlertNumber};
use crate::model::incident::SplitSuggestion;
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentId, IncidentState, Span, Timestamp};
use crate::mutant::{self, Mutant};

use super::fixed::ONE;
use super::items::ItemId;
use super::state::State;
use super::{affinity, lifecycle, timeline};

/// Quiet after which what comes may be a second fault. One fault has its alerts within a few checks of the monitors.
const QUIET: Span = Span::from_secs(150);
/// What comes within this time of the first one comes with it.
const WITHIN: Span = Span::from_secs(60);
/// Alerts, and the items they are on, that make a wave: one alert that fires again is no second fault.
const WAVE_MIN: usize = 5;
const WAVE_ITEMS_MIN: usize = 3;
/// Alerts of a wave that are noted; it is one long before.
const WAVE_MAX: usize = 64;

/// Takes what is left out of an incident when none of it belongs there firmly; the caller finds a place for those that
/// fire.
pub fn release(state: &mut State, now: Timestamp, id: &IncidentId) -> Vec<AlertNumber> {
    let is_untouched = is_untouched(state, id);
    let members = state.groups.members(id).filter(|members| is_untouched && members.is_only_loose());
    let left: Vec<AlertNumber> = members.into_iter().flat_map(|members| members.unsettled().copied()).collect();
    let stays =
        |alert: &Alert| alert.placed_by.is_some() || is_subject(state, id, alert) || is_founder(state, id, alert);
    if left.iter().filter_map(|number| state.alert(*number)).any(stays) {
        return Vec::new();
    }
    for number in &left {
        lifecycle::leave(state, *number);
        if let Some(alert) = state.alert(*number) {
            let text = format!("{} leaves {id}: what it was put down to is over, and it goes on", alert.name);
            timeline::alert(state, now, alert.fingerprint, Some(*id), TimelineKind::AlertSplit, "split", text);
        }
    }
    if !left.is_empty() {
        lifecycle::refresh(state, now, id);
    }
    left.into_iter().filter(|number| state.alert(*number).is_some_and(Alert::is_firing)).collect()
}

/// Whether nobody works on it yet.
pub(super) fn is_untouched(state: &State, id: &IncidentId) -> bool {
    state.incident(id).is_some_and(|incident| {
        let is_confirmed = incident.root_cause.as_ref().is_some_and(|cause| cause.confirmed_by.is_some());
        let is_young = matches!(incident.state, IncidentState::Open | IncidentState::Pending);
        is_young && incident.assignee.is_none() && !is_confirmed || mutant::is(Mutant::PinnedIncidentParts)
    })
}

/// An alert has come to an incident. After a time of quiet many at once are a second fault, and become an incident of
/// their own, or the suggestion of one.
pub fn arrived(state: &mut State, now: Timestamp, number: AlertNumber, id: &IncidentId) {
    let Some(alert) = state.alert(number) else { return };
    // What fires all the time is no sign of anything, and no end of the quiet either; nor is what has fired for a while
    // and only moves here, or was told late: it belongs to the time before the quiet.
    let began_at = alert.started_at.min(alert.fired_at);
    if alert.flap.is_flapping || affinity::weight(state, alert) < ONE || now.since(began_at) > WITHIN {
        return;
    }
    let Some(incident) = state.incident_mut(id) else { return };
    let wave = &mut incident.wave;
    if now.since(wave.last_at) >= QUIET {
        wave.began_at = Some(now);
        wave.alerts.clear();
    } else if wave.began_at.is_some_and(|at| now.since(at) > WITHIN) {
        wave.began_at = None;
        wave.alerts.clear();
    }
    wave.last_at = now;
    let is_new = wave.began_at.is_some() && wave.alerts.len() < WAVE_MAX && !wave.alerts.contains(&number);
    if is_new {
        wave.alerts.push(number);
    }
    let noted = wave.alerts.clone();
    let is_untouched = is_untouched(state, id);
    // Of a storm that people work on nothing more is said for each alert.
    if !is_untouched && !is_new {
        return;
    }
    // Some may be over by now, or elsewhere, or where a person wants them.
    let is_here = |alert: &Alert| {
        alert.is_firing() && !alert.flap.is_flapping && alert.incident == Some(*id) && alert.placed_by.is_none()
    };
    let alerts: Vec<AlertNumber> =
        noted.into_iter().filter(|number| state.alert(*number).is_some_and(is_here)).collect();
    if alerts.len() < WAVE_MIN || !is_second_fault(state, id, &alerts) {
        return;
    }
    match state.incident(id).map(|incident| incident.state) {
        Some(IncidentState::Open) if is_untouched => part(state, now, id, alerts),
        Some(IncidentState::Open | IncidentState::Acknowledged) => suggest(state, now, id, &alerts),
        _ => {}
    }
}

/// Whether these are on several items, one of them severe, and nothing that is gone explains them.
fn is_second_fault(state: &State, id: &IncidentId, alerts: &[AlertNumber]) -> bool {
    let alerts: Vec<&Alert> = alerts.iter().filter_map(|number| state.alert(*number)).collect();
    let item = |alert: &&Alert| state.topology.id(alert.configuration_item.as_deref()?);
    let items: BTreeSet<ItemId> = alerts.iter().filter_map(item).collect();
    let correlation = &state.policy().correlation;
    let is_severe = alerts.iter().any(|alert| alert.severity.is_at_least(correlation.open_severity));
    let is_explained = |item: &ItemId| {
        let above = state.topology.above(*item, correlation.hops_max);
        above.iter().any(|(ancestor, _)| affinity::is_gone(state, id, *ancestor))
    };
    items.len() >= WAVE_ITEMS_MIN && is_severe && !items.iter().any(is_explained)
}

/// Says to whoever works on the incident what would have been parted otherwise; once for each wave, however it grows.
fn suggest(state: &mut State, now: Timestamp, id: &IncidentId, alerts: &[AlertNumber]) {
    let Some((incident, members)) = state.incident(id).zip(state.groups.members(id)) else { return };
    let Some(began_at) = incident.wave.began_at.filter(|_| alerts.len() < members.alerts.len()) else { return };
    let is_news = incident.split_suggestion.as_ref().is_none_or(|known| known.began_at != began_at);
    let ids: Vec<String> = alerts.iter().filter_map(|number| state.alert(*number)).map(Alert::id).collect();
    let why = format!("{} alerts that came together after a time of quiet may be another fault", ids.len());
    let command = format!("watchbell split {id} --alerts {}", ids.join(","));
    if is_news {
        let text = format!("{why}; nothing is parted, because somebody works on this incident");
        timeline::incident(state, now, id, TimelineKind::SplitSuggested, "split", text);
    }
    if let Some(incident) = state.incident_mut(id) {
        incident.split_suggestion = Some(SplitSuggestion { began_at, alerts: ids, why, command });
    }
}

/// Notes in both that alerts of the one went to the other. What was suggested of it is done or outdated, and the cause of
/// either is weighed anew: it may have gone over.
fn relate(state: &mut State, id: &IncidentId, other: &IncidentId) {
    if let Some(incident) = state.incident_mut(id) {
        incident.wave.began_at = None;
        incident.wave.alerts.clear();
        incident.split_suggestion = None;
        incident.ranked_alerts = 0;
        incident.split_into.push(*other);
        incident.split_into.sort_unstable();
        incident.split_into.dedup();
    }
    if let Some(incident) = state.incident_mut(other) {
        incident.ranked_alerts = 0;
        incident.split_from.push(*id);
        incident.split_from.sort_unstable();
        incident.split_from.dedup();
    }
}

/// Makes an incident of its own of a wave.
fn part(state: &mut State, now: Timestamp, id: &IncidentId, alerts: Vec<AlertNumber>) {
    alerts.iter().for_each(|number| lifecycle::leave(state, *number));
    lifecycle::refresh(state, now, id);
    let Some((first, others)) = alerts.split_first() else { return };
    lifecycle::begin(state, now, *first, IncidentState::Open);
    let Some(second) = state.alert(*first).and_then(|alert| alert.incident) else { return };
    relate(state, id, &second);
    let count = alerts.len();
    for number in others {
        if mutant::is(Mutant::SplitPagesTwice) {
            lifecycle::begin(state, now, *number, IncidentState::Open);
            continue;
        }
        lifecycle::join(
            state,
            now,
            *number,
            &second,
            ONE,
            &format!("{count} alerts came together after a time of quiet"),
        );
    }
    let text = format!("{count} alerts that came after a time of quiet are another fault: {second}");
    timeline::incident(state, now, id, TimelineKind::AlertSplit, "split", text);
    lifecycle::end_if_over(state, now, id, "the last alert went over to another incident");
}

/// Whether the incident is about the item of this alert.
fn is_subject(state: &State, id: &IncidentId, alert: &Alert) -> bool {
    state.incident(id).is_some_and(|incident| {
        let blamed = incident.root_cause.as_ref().map(|cause| cause.configuration_item.as_str());
        incident.configuration_item_count <= 1 || alert.configuration_item.as_deref() == blamed
    })
}

/// Whether the alert is severe and was there from the beginning: it would only page once more for the same fault.
fn is_founder(state: &State, id: &IncidentId, alert: &Alert) -> bool {
    let is_severe = alert.severity.is_at_least(state.policy().correlation.open_severity);
    let came_with_it = |opened_at: Timestamp| alert.fired_at <= opened_at + WITHIN;
    is_severe
        && !mutant::is(Mutant::FoundersLeave)
        && alert.is_firing()
        && !alert.flap.is_flapping
        && state.incident(id).is_some_and(|incident| came_with_it(incident.opened_at))
}
