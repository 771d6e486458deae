//! A person parts an incident: alerts that are another fault become an incident of their own, or go to one that is open.
//!
//! Decides what may be parted. What a person has placed stays there while its incident is active: neither the release of
//! stragglers nor a second wave moves it, and neither of the two incidents is merged by itself.

use std::collections::BTreeSet;

use crate::engine::fixed::ONE;
use crate::engine::input::Reply;
use crate::engine::state::State;
use crate::engine::{command, lifecycle, timeline};
use crate::model::alert::AlertNumber;
use crate::model::timeline::TimelineKind;
use crate::model::{Fingerprint, IncidentId, IncidentState, Timestamp};

use super::relate;

/// Alerts that one command names.
pub const ALERTS_MAX: usize = 500;

/// `into` names the incident that the alerts go to, as a person types it.
pub fn run(
    state: &mut State,
    now: Timestamp,
    by: &str,
    id: &IncidentId,
    alerts: &[Fingerprint],
    into: Option<&str>,
) -> Reply {
    let checked = into.map(|text| target(state, id, text)).transpose().and_then(|target| {
        let numbers = known(state, alerts)?;
        match placed_already(state, id, &numbers, target.as_ref()) {
            Some(there) => Err(Reply::Already(there.to_string())),
            None => check(state, id, &numbers, target.as_ref()).map(|()| (numbers, target)),
        }
    });
    match checked {
        Ok((numbers, target)) => part(state, now, by, id, numbers, target),
        Err(reply) => reply,
    }
}

/// The incident that the alerts go to, if it is another one.
fn target(state: &State, id: &IncidentId, text: &str) -> Result<IncidentId, Reply> {
    match command::find(state, text) {
        Ok(target) if target == *id => Err(refused("into", format!("expected another incident, got {id} itself"))),
        Err(Reply::NotFound(text)) => Err(refused("into", format!("nothing here has the id `{text}`"))),
        found => found,
    }
}

fn refused(field: &str, what: String) -> Reply {
    Reply::Refused(format!("`{field}`: {what}"))
}

/// The alerts with these ids, those that began first before the others.
fn known(state: &State, alerts: &[Fingerprint]) -> Result<Vec<AlertNumber>, Reply> {
    if alerts.is_empty() || alerts.len() > ALERTS_MAX {
        return Err(refused("alerts", format!("expected 1 to {ALERTS_MAX} alerts, got {}", alerts.len())));
    }
    let number = |(at, id): (usize, &Fingerprint)| {
        let found = state.find_alert(*id);
        found.ok_or_else(|| refused(&format!("alerts[{at}]"), format!("no alert here has the id `{id}`")))
    };
    let numbers = alerts.iter().enumerate().map(number).collect::<Result<BTreeSet<_>, _>>()?;
    let mut numbers: Vec<AlertNumber> = numbers.into_iter().collect();
    numbers.sort_by_key(|number| (state.alert(*number).map(|alert| alert.fired_at), *number));
    Ok(numbers)
}

/// Where all of them have been put already: whoever asks twice has what was asked for.
fn placed_already(
    state: &State,
    id: &IncidentId,
    numbers: &[AlertNumber],
    target: Option<&IncidentId>,
) -> Option<IncidentId> {
    let place = |number: &AlertNumber| {
        let alert = state.alert(*number).filter(|alert| alert.placed_by.is_some())?;
        alert.incident
    };
    let there = numbers.first().and_then(place)?;
    let is_from_here = state.incident(&there)?.split_from.contains(id);
    let is_meant = target.is_none_or(|target| *target == there);
    (is_from_here && is_meant && numbers.iter().all(|number| place(number) == Some(there))).then_some(there)
}

fn check(state: &State, id: &IncidentId, numbers: &[AlertNumber], target: Option<&IncidentId>) -> Result<(), Reply> {
    for (field, id) in [("incident", Some(id)), ("into", target)] {
        let known = id.and_then(|id| state.incident(id));
        if let Some(incident) = known
            && !matches!(incident.state, IncidentState::Open | IncidentState::Acknowledged)
        {
            let state = incident.state.as_str();
            return Err(refused(
                field,
                format!("expected one that is open or acknowledged, {} is {state}", incident.id),
            ));
        }
    }
    for alert in numbers.iter().filter_map(|number| state.alert(*number)) {
        if alert.incident != Some(*id) {
            let place = alert.incident.map_or("no incident".to_owned(), |other| other.to_string());
            let alert = alert.fingerprint;
            return Err(refused("alerts", format!("expected alerts of {id}, but {alert} belongs to {place}")));
        }
    }
    let count = state.groups.members(id).map_or(0, |members| members.alerts.len());
    if numbers.len() >= count {
        return Err(refused("alerts", format!("expected some of the {count} alerts of {id}, got all of them")));
    }
    Ok(())
}

fn part(
    state: &mut State,
    now: Timestamp,
    by: &str,
    id: &IncidentId,
    numbers: Vec<AlertNumber>,
    target: Option<IncidentId>,
) -> Reply {
    let Some(first) = numbers.first() else { return Reply::NotFound(id.to_string()) };
    numbers.iter().for_each(|number| lifecycle::leave(state, *number));
    if target.is_none() {
        lifecycle::begin(state, now, *first, IncidentState::Open);
    }
    let begun = state.alert(*first).and_then(|alert| alert.incident);
    let Some(there) = target.or(begun) else { return Reply::NotFound(id.to_string()) };
    for number in &numbers {
        if state.alert(*number).is_some_and(|alert| alert.incident.is_none()) {
            lifecycle::join(state, now, *number, &there, ONE, &format!("{by} says so"));
        }
        if let Some(alert) = state.alert_mut(*number) {
            alert.placed_by = Some(by.into());
        }
    }
    relate(state, id, &there);
    let count = match numbers.len() {
        1 => "1 alert".to_owned(),
        count => format!("{count} alerts"),
    };
    let (left, came) = (format!("parted: {count} of another fault went to {there}"), format!("{count} came from {id}"));
    changed(state, now, by, id, left, &format!("what still fired went to {there}"));
    changed(state, now, by, &there, came, "what came here fires no more");
    Reply::Done(there.to_string())
}

/// One of the two incidents is about something else now.
fn changed(state: &mut State, now: Timestamp, by: &str, id: &IncidentId, text: String, why_over: &str) {
    timeline::incident(state, now, id, TimelineKind::AlertSplit, by, text);
    lifecycle::refresh(state, now, id);
    if let Some(incident) = state.incident_mut(id) {
        incident.split_by = Some(by.to_owned());
    }
    lifecycle::retitle(state, id);
    lifecycle::end_if_over(state, now, id, why_over);
}
