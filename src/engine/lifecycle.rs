//! The life of an incident: opened, joined by alerts, merged, resolved, reopened, closed; and of the alerts
//! in it. Each transition says in the timeline why it happened.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::alert::{Alert, AlertNumber};
use crate::model::event::{Event, EventStatus, Marker};
use crate::model::incident::{Incident, IncidentState, Notifying, Wave};
use crate::model::notification::ITEMS_SHOWN;
use crate::model::timeline::TimelineKind;
use crate::model::{Fingerprint, Impact, IncidentId, NotificationKind, Priority, Span, Timestamp, Urgency};

use crate::mutant::{self, Mutant};

use super::dedup::{Change, ChangeKind};
use super::effect::{Counter, Effect};
use super::firing::Scope;
use super::fixed::ONE;
use super::policy::Policy;
use super::state::State;
use super::{
    command, correlate, dedup, dispatch, firing, flap, group, notify, problem, root_cause, schedule_alert, sla, split,
    system, timeline,
};

/// A resolved alert stays in memory this long, so that late repeats of its end are still recognised
/// (Prometheus repeats a resolve for 15 minutes).
const ALERT_LINGERS: Span = Span::from_mins(20);

/// Makes an incident of one alert, or a pending group that may become one.
pub fn begin(state: &mut State, now: Timestamp, number: AlertNumber, as_state: IncidentState) {
    let Some(alert) = state.alert(number) else { return };
    let id = incident_id(state, now, alert);
    let item = alert.configuration_item.as_deref().unwrap_or("no item");
    let by = format!("{} on {item} ({}, from {})", alert.name, alert.severity, alert.source);
    let (kind, text) = match as_state {
        IncidentState::Pending => {
            (TimelineKind::IncidentPending, format!("waits for what agrees with {by}, or whether it lasts"))
        }
        _ => (TimelineKind::IncidentOpened, format!("opened by {by}")),
    };
    let (fingerprint, title) = (alert.fingerprint, title(alert));
    let (severity, started_at) = (alert.severity, alert.started_at);
    state.add_incident(Incident {
        id,
        state: as_state,
        title,
        priority: Priority::P5,
        impact: Impact::Low,
        urgency: Urgency::Low,
        severity,
        started_at,
        opened_at: now,
        updated_at: now,
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        closed_at: None,
        assignee: None,
        root_cause: None,
        alert_count: 0,
        firing_count: 0,
        configuration_items: Vec::new(),
        configuration_item_count: 0,
        services: Default::default(),
        routed: None,
        notifying: Notifying::default(),
        escalating: None,
        escalated_levels: 0,
        reaching: Vec::new(),
        unanswered: BTreeSet::new(),
        clocks: Vec::new(),
        remotes: Default::default(),
        doubted: Default::default(),
        dead_letters: Default::default(),
        audience: Default::default(),
        notification_count: 0,
        problem: None,
        merged_into: None,
        merged_from: Vec::new(),
        split_from: Vec::new(),
        split_into: Vec::new(),
        split_by: None,
        split_suggestion: None,
        reopened_at: None,
        is_unranked: true,
        wave: Wave { last_at: now, ..Wave::default() },
        state_before_resolve: None,
        ranked_alerts: 0,
        counted_as: None,
    });
    if as_state == IncidentState::Open {
        state.emit(Effect::Count(Counter::IncidentOpened));
    }
    if let Some(alert) = state.alert_mut(number) {
        alert.tie = ONE;
    }
    file(state, now, number, &id);
    timeline::alert(state, now, fingerprint, Some(id), kind, "correlate", text);
}

/// A pending group has become worth attention.
pub fn open(state: &mut State, now: Timestamp, id: &IncidentId, reason: &str) {
    let Some(incident) = state.incident_mut(id) else { return };
    incident.state = IncidentState::Open;
    incident.opened_at = now;
    incident.updated_at = now;
    state.emit(Effect::Count(Counter::IncidentOpened));
    timeline::incident(state, now, id, TimelineKind::IncidentOpened, "opening", format!("opened: {reason}"));
}

/// A pending group has come to nothing.
fn lapse(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident_mut(id) else { return };
    incident.state = IncidentState::Lapsed;
    incident.closed_at = Some(now);
    incident.updated_at = now;
    timeline::incident(
        state,
        now,
        id,
        TimelineKind::IncidentLapsed,
        "opening",
        "lapsed: its alerts are over, and nothing agreed with them",
    );
    root_cause::learn(state, now, id);
}

/// Derived from what opened it and from the incidents before it, so that a replay names it alike.
fn incident_id(state: &State, now: Timestamp, alert: &Alert) -> IncidentId {
    let opening = Fingerprint::of([&*alert.source, &*alert.dedup_key, &*alert.opened_by]);
    IncidentId::next(state.last_incident(), now, opening)
}

fn title(alert: &Alert) -> String {
    let summary = alert.summary();
    match &alert.configuration_item {
        Some(item) if !mentions(summary, item) => format!("{item}: {summary}"),
        _ => summary.to_owned(),
    }
}

fn mentions(summary: &str, item: &str) -> bool {
    summary.contains(item) || summary.to_lowercase().contains(&item.to_lowercase())
}

/// Names the incident after its lead alert, once the cause is known.
pub fn retitle(state: &mut State, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let lead = super::view::lead_alert(state, incident);
    let root = incident.root_cause.as_ref().map(|cause| cause.configuration_item.as_str());
    let text = match (lead, root) {
        // A silent root: the alerts are about others.
        (Some(lead), Some(root)) if lead.configuration_item.as_deref() != Some(root) && *lead.name != *root => {
            format!("{root}: {} items behind it fail", incident.configuration_item_count)
        }
        (Some(lead), _) => title(lead),
        (None, _) => return,
    };
    if incident.title != text
        && let Some(incident) = state.incident_mut(id)
    {
        incident.title = text;
    }
}

/// Puts an alert into an incident that exists; `tie` says how firmly.
pub fn join(state: &mut State, now: Timestamp, number: AlertNumber, id: &IncidentId, tie: i64, why: &str) {
    if state.incident(id).is_some_and(|incident| incident.state == IncidentState::Resolved) {
        unresolve(state, now, id, why);
    }
    let Some((name, fingerprint)) = state.alert(number).map(|alert| (alert.name.clone(), alert.fingerprint)) else {
        return;
    };
    if let Some(alert) = state.alert_mut(number) {
        alert.tie = tie;
    }
    file(state, now, number, id);
    let text = format!("{name} joins {id}: {why}");
    timeline::alert(state, now, fingerprint, Some(*id), TimelineKind::AlertJoined, "correlate", text);
}

fn file(state: &mut State, now: Timestamp, number: AlertNumber, id: &IncidentId) {
    let Some(alert) = state.alert_mut(number) else { return };
    let before = alert.incident.replace(*id).filter(|before| before != id);
    if before.is_some() {
        alert.placed_by = None;
    }
    if let Some(before) = before {
        state.ungroup_alert(&before, number);
    }
    state.group_alert(id, number);
    schedule_alert(state, number);
    refresh(state, now, id);
    firing::note(state, now, number, Scope::Place, None, None);
    let held = group::held(state, id);
    firing::note(state, now, number, Scope::Waiting, held.as_ref(), None);
}

/// Takes an alert out of the incident it was in.
pub fn leave(state: &mut State, number: AlertNumber) {
    let Some(alert) = state.alert_mut(number) else { return };
    alert.placed_by = None;
    if let Some(before) = alert.incident.take()
        && !mutant::is(Mutant::LeftAlertStillCounts)
    {
        // Where it is filed follows from where it was.
        state.ungroup_alert(&before, number);
        schedule_alert(state, number);
    }
}

/// Brings the incident's numbers in line with its alerts.
pub fn refresh(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(members) = state.groups.members(id) else { return };
    let (alerts, firing, items) = (members.alerts.len(), members.unsettled_count(), members.item_count());
    let shown = || members.first_items().iter().take(ITEMS_SHOWN).map(|item| &**state.topology.name(*item));
    let known = state.incident(id).map(|incident| incident.configuration_items.iter().map(String::as_str));
    let is_known = known.is_some_and(|known| known.eq(shown()));
    let shown: Option<Vec<String>> = (!is_known).then(|| shown().map(str::to_owned).collect());
    let Some(incident) = state.incident_mut(id) else { return };
    incident.alert_count = alerts as u32;
    incident.firing_count = firing as u32;
    if let Some(shown) = shown {
        incident.configuration_items = shown;
    }
    incident.configuration_item_count = items as u32;
    incident.updated_at = now;
}

/// One incident becomes part of an older one; its id lives on as an alias.
pub fn merge(state: &mut State, now: Timestamp, id: &IncidentId, into: &IncidentId, why: &str) {
    if id == into || state.incident(into).is_none() {
        return;
    }
    let hops_max = state.policy().correlation.hops_max;
    for number in state.groups.forget(&mut state.topology, hops_max, id) {
        if let Some(alert) = state.alert_mut(number) {
            alert.incident = Some(*into);
            state.group_alert(into, number);
        }
    }
    let Some(merged) = state.incident_mut(id) else { return };
    merged.state = IncidentState::Merged;
    merged.merged_into = Some(*into);
    merged.closed_at = Some(now);
    merged.updated_at = now;
    merged.stop_asking();
    merged.notifying = Notifying { told: merged.notifying.told.clone(), ..Notifying::default() };
    let (aliases, was_told) = (merged.merged_from.clone(), merged.notifying.told.is_some());
    let (acknowledged_at, acknowledged_by) = (merged.acknowledged_at, merged.acknowledged_by.clone());
    if let Some(survivor) = state.incident_mut(into) {
        survivor.merged_from.push(*id);
        survivor.merged_from.extend(aliases);
        // Whoever had taken the one has the whole.
        if survivor.state == IncidentState::Open && acknowledged_at.is_some() {
            survivor.state = IncidentState::Acknowledged;
            survivor.acknowledged_at = acknowledged_at;
            survivor.acknowledged_by = acknowledged_by;
        }
    }
    refresh(state, now, into);
    timeline::incident(
        state,
        now,
        id,
        TimelineKind::IncidentMerged,
        "correlate",
        format!("continues as {into}: {why}"),
    );
    timeline::incident(state, now, into, TimelineKind::IncidentMerged, "correlate", format!("takes in {id}: {why}"));
    if was_told {
        notify::audience(state, now, id, NotificationKind::Merged, &format!("continues as {into}: {why}"));
    }
    problem::incident_merged(state, now, id, into);
    root_cause::rank(state, now, into);
}

/// An alert that was in the incident fires again; `tie` says how firmly it belongs there by now.
pub fn alert_returned(state: &mut State, now: Timestamp, number: AlertNumber, id: &IncidentId, tie: i64) {
    if state.incident(id).is_some_and(|incident| incident.state == IncidentState::Resolved) {
        let name = state.alert(number).map(|alert| alert.name.clone()).unwrap_or_default();
        unresolve(state, now, id, &format!("{name} fires again"));
    }
    if let Some(alert) = state.alert_mut(number) {
        alert.tie = tie;
    }
    file(state, now, number, id);
}

fn unresolve(state: &mut State, now: Timestamp, id: &IncidentId, why: &str) {
    let Some(incident) = state.incident_mut(id) else { return };
    let was_told = incident.notifying.told.as_ref().is_some_and(|told| told.state == IncidentState::Resolved);
    let before = incident.state_before_resolve.take().unwrap_or(IncidentState::Open);
    incident.resolved_at = None;
    incident.resolved_by = None;
    incident.notifying.flush_at = None;
    if was_told {
        // People were told that it is over: it starts anew, nobody has it.
        incident.state = IncidentState::Open;
        incident.acknowledged_at = None;
        incident.acknowledged_by = None;
        incident.escalated_levels = 0;
        incident.reopened_at = Some(now);
        incident.is_unranked = true;
        incident.ranked_alerts = 0;
        // What was to blame then need not be now.
        incident.root_cause.take_if(|cause| cause.confirmed_by.is_none());
    } else {
        incident.state = before;
    }
    sla::reopen(state, id);
    state.forget_past(id);
    timeline::incident(state, now, id, TimelineKind::IncidentReopened, "correlate", format!("open again: {why}"));
    problem::incident_reopened(state, now, id);
}

/// An alert of the incident is over; with the last one, so is the incident.
pub fn alert_resolved(state: &mut State, now: Timestamp, number: AlertNumber, id: &IncidentId) {
    state.group_alert(id, number);
    refresh(state, now, id);
    let Some(alert) = state.alert(number) else { return };
    let (name, fingerprint) = (Arc::clone(&alert.name), alert.fingerprint);
    let text = format!("{name} is over, says {}", alert.source);
    timeline::alert(state, now, fingerprint, Some(*id), TimelineKind::AlertResolved, "dedup", text);
    let released = split::release(state, now, id);
    end_if_over(state, now, id, &format!("{name} is over, and with it the last alert"));
    released.into_iter().for_each(|number| correlate::find_place(state, now, number, Some(id)));
}

/// Ends an incident in which nothing fires any more.
pub fn end_if_over(state: &mut State, now: Timestamp, id: &IncidentId, why: &str) {
    let Some(incident) = state.incident(id).filter(|incident| incident.firing_count == 0) else { return };
    match incident.state {
        IncidentState::Pending if mutant::is(Mutant::PendingNeverLapses) => {}
        IncidentState::Pending => lapse(state, now, id),
        state_now if state_now.is_active() => resolve(state, now, id, None, why),
        _ => {}
    }
}

/// Ends an incident, by a person or (without one) because monitoring says so.
pub fn resolve(state: &mut State, now: Timestamp, id: &IncidentId, by: Option<&str>, text: &str) {
    let Some(incident) = state.incident_mut(id) else { return };
    incident.state_before_resolve = Some(incident.state);
    incident.state = IncidentState::Resolved;
    incident.resolved_at = Some(now);
    incident.resolved_by = by.map(str::to_owned);
    incident.updated_at = now;
    incident.stop_asking();
    incident.notifying.repeat_at = None;
    incident.notifying.held_until = None;
    incident.notifying.flush_at = None;
    incident.split_suggestion = None;
    firing::waits(state, now, id, None);
    sla::meet(state, now, id, true);
    timeline::incident(state, now, id, TimelineKind::IncidentResolved, by.unwrap_or("monitoring"), text);
    root_cause::learn(state, now, id);
    problem::record(state, now, id);
}

/// A deadline of an alert: it expires, settles, or leaves memory.
pub fn alert_due(state: &mut State, now: Timestamp, number: AlertNumber) {
    if !dispatch::is_on(state) && flap::settle(state, now, number) {
        match state.alert(number).is_some_and(Alert::is_firing) {
            true => correlate::place(state, now, number),
            false => correlate::refile(state, now, number),
        }
    }
    let Some(alert) = state.alert(number) else { return };
    if alert.is_firing() && system::expires_at(state, alert).is_some_and(|at| at <= now) {
        expire(state, now, number);
    } else if dispatch::is_on(state) {
        // It leaves with its groups.
    } else if !alert.is_firing() && alert.incident.is_none() && alert_leaves_at(alert, state.policy()) <= now {
        state.evict_alert(number);
        return;
    }
    schedule_alert(state, number);
}

fn expire(state: &mut State, now: Timestamp, number: AlertNumber) {
    let by_group = dispatch::is_on(state);
    let ended_at = state.alert(number).filter(|_| by_group).and_then(|alert| system::expires_at(state, alert));
    let Some(alert) = state.alert_mut(number) else { return };
    alert.status = crate::model::AlertStatus::Resolved;
    alert.resolved_at = Some(now);
    alert.ended_at = ended_at;
    alert.expires_at = None;
    let (fingerprint, incident) = (alert.fingerprint, alert.incident);
    let text = format!("{} was not sent again by {} in time and counts as over", alert.name, alert.source);
    timeline::alert(state, now, fingerprint, incident, TimelineKind::AlertResolved, "dedup", text);
    firing::over(state, now, number);
    let change = Change { alert: number, kind: ChangeKind::Resolved };
    super::inhibit::reindex(state, number);
    if dispatch::is_on(state) {
        return dispatch::follow(state, now, &change);
    }
    flap::run(state, now, &change);
    correlate::run(state, now, &change);
}

pub fn alert_leaves_at(alert: &Alert, _policy: &Policy) -> Timestamp {
    alert.last_seen_at + ALERT_LINGERS
}

/// When the incident's record becomes final, or (merged) when memory lets go of it.
pub fn close_moment(incident: &Incident, policy: &Policy) -> Option<Timestamp> {
    match incident.state {
        IncidentState::Resolved => {
            let after = policy.correlation.close_after.max(policy.correlation.reopen_within);
            incident.resolved_at.map(|at| at + after)
        }
        // Its last message may still be under way and wants the remote ids.
        IncidentState::Merged => incident.closed_at.map(|at| at + Span::from_hours(24)),
        // Its alerts are remembered as long as others that are over, so that flapping is noticed.
        IncidentState::Lapsed => incident.closed_at.map(|at| at + ALERT_LINGERS),
        _ => None,
    }
}

pub fn close_when_due(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    let is_due = close_moment(incident, state.policy()).is_some_and(|at| at <= now);
    if !is_due {
        return;
    }
    if let Some(incident) = state.incident_mut(id)
        && incident.state == IncidentState::Resolved
    {
        incident.state = IncidentState::Closed;
        incident.closed_at = Some(now);
        timeline::incident(state, now, id, TimelineKind::IncidentClosed, "lifecycle", "closed: it stayed resolved");
    }
    problem::tell::keep_thread(state, id);
    state.evict_incident(id);
}

/// What a monitor passes on from a person, or says besides firing and resolved.
pub fn noted(state: &mut State, now: Timestamp, event: Event) {
    let fingerprint = dedup::fingerprint(&event.source, &event.dedup_key);
    let number = state.find_alert(fingerprint);
    let incident = number.and_then(|number| state.alert(number)?.incident);
    if let Some(alert) = number.and_then(|number| state.alert_mut(number)) {
        alert.event_count += 1;
        alert.last_seen_at = now;
    }
    let who = event.author.as_deref().unwrap_or("somebody");
    let by = format!("{who} via {}", event.source);
    let active = incident.filter(|id| state.incident(id).is_some_and(|incident| incident.state.is_active()));
    match (event.status, event.marker, number) {
        (EventStatus::Acknowledged, _, _) if let Some(id) = &active => {
            command::acknowledge(state, now, id, &by, event.note.as_deref());
            return;
        }
        (_, Some(Marker::Unacknowledged), _) if let Some(id) = &active => {
            command::unacknowledge(state, now, id, &by, "acknowledgement taken back");
            return;
        }
        (_, Some(Marker::FlappingStarted), Some(number)) => {
            flap::started_by_source(state, now, number);
            return;
        }
        _ => {}
    }
    let what = match event.marker {
        Some(Marker::Suppressed) => "suppressed in the monitor",
        Some(Marker::Unsuppressed) => "no longer suppressed in the monitor",
        _ if event.status == EventStatus::Acknowledged => "acknowledged in the monitor, but no incident is open for it",
        _ => "note",
    };
    let text = match &event.note {
        Some(note) => format!("{what}: {note}"),
        None => what.to_owned(),
    };
    timeline::alert(state, now, fingerprint, incident, TimelineKind::Commented, &by, text);
}
