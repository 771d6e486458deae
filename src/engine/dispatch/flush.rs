//! A group's moment: what of it may be heard now, who does not know it yet, and a delivery to each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::log::{self, Present, Reason};
use super::{GroupRoute, view};
use crate::engine::delivery::{self, Origin};
use crate::engine::effect::{Counter, Effect};
use crate::engine::firing::{Cause, Scope};
use crate::engine::state::{State, fact};
use crate::engine::{firing, inhibit, maintenance, silence, timeline};
use crate::model::alert::{Alert, AlertNumber};
use crate::model::timeline::TimelineKind;
use crate::model::{AlertStatus, GroupView, IncidentId, MutedBy, Notification, NotificationKind, Timestamp};
use crate::mutant::{self, Mutant};

/// `heard_at` is the moment before this one at which people could have heard.
pub fn run(state: &mut State, now: Timestamp, id: &IncidentId, heard_at: Option<Timestamp>) {
    let Some(group) = state.book.group(id) else { return };
    let over: Vec<AlertNumber> =
        group.alerts.iter().copied().filter(|number| !state.alert(*number).is_some_and(Alert::is_firing)).collect();
    let muted_by = muted_by(state, now, state.book.tree().route(group.route));
    note_time(state, now, id, &muted_by);
    let heard = if muted_by.is_empty() { audible(state, now, id, heard_at) } else { Vec::new() };
    if let Some(group) = state.book.group_mut(id) {
        group.over = over;
        group.muted_by = muted_by;
    }
    if !heard.is_empty() {
        tell(state, now, id, &heard);
    }
}

/// The time intervals that keep people from hearing now; as in Alertmanager all of the active ones when it is in none.
pub fn muted_by(state: &State, now: Timestamp, route: &GroupRoute) -> Vec<String> {
    let wall = state.wall_time(now);
    if mutant::is(Mutant::MuteTimeIgnored) {
        return Vec::new();
    }
    let is_now = |name: &&String| {
        let intervals = state.policy().time_intervals.get(*name);
        intervals.is_some_and(|intervals| intervals.iter().any(|interval| interval.contains(wall)))
    };
    if !route.active_time_intervals.is_empty() && !route.active_time_intervals.iter().any(|name| is_now(&name)) {
        return route.active_time_intervals.clone();
    }
    route.mute_time_intervals.iter().filter(is_now).cloned().collect()
}

/// Notes with the alerts of a group that the time of the week mutes it, or no longer does.
fn note_time(state: &mut State, now: Timestamp, id: &IncidentId, muted_by: &[String]) {
    let Some(group) = state.book.group(id) else { return };
    let names = muted_by.join(", ");
    let why = format!("muted by the time interval {names}");
    let cause = (!muted_by.is_empty()).then(|| Cause::new(MutedBy::TimeInterval, names, why));
    let is_concerned =
        |number: &AlertNumber| cause.is_some() || state.alert(*number).is_some_and(|alert| !alert.muted.is_empty());
    let concerned: Vec<AlertNumber> = group.alerts.iter().copied().filter(is_concerned).collect();
    for number in concerned {
        firing::note(state, now, number, Scope::Group(*id), cause.as_ref(), None);
    }
}

/// The alerts that nothing mutes, in order. What is muted says why, once.
fn audible(state: &mut State, now: Timestamp, id: &IncidentId, heard_at: Option<Timestamp>) -> Vec<AlertNumber> {
    let Some(group) = state.book.group(id) else { return Vec::new() };
    let (mut heard, mut muted) = (Vec::new(), Vec::new());
    for number in &group.alerts {
        let Some(alert) = state.alert(*number) else { continue };
        let muting = inhibit::cause(state, alert)
            .or_else(|| maintenance::cause(state, now, alert))
            .or_else(|| silence::cause(state, now, alert));
        match muting {
            None => heard.push(alert),
            Some(_) if mutant::is(Mutant::MutedInGroupTold) => heard.push(alert),
            Some(cause) => muted.push((*number, alert.fingerprint, cause)),
        }
    }
    heard.sort_by(|a, b| view::order(&a.labels, &b.labels));
    let released: Vec<AlertNumber> =
        heard.iter().filter(|alert| !alert.muted.is_empty()).map(|alert| alert.number).collect();
    let heard = heard.into_iter().map(|alert| alert.number).collect();
    for number in released {
        firing::note(state, now, number, Scope::Alert, None, None);
    }
    let known = state.book.group_mut(id).map(|group| std::mem::take(&mut group.muted)).unwrap_or_default();
    let mut causes = BTreeMap::new();
    for (number, fingerprint, cause) in muted {
        firing::note(state, now, number, Scope::Alert, Some(&cause), heard_at);
        let cause = cause.why;
        if known.get(&number) != Some(&cause) {
            timeline::alert(state, now, fingerprint, Some(*id), TimelineKind::AlertMuted, "dispatch", cause.clone());
            state.emit(Effect::Count(Counter::IncidentMuted));
        }
        causes.insert(number, cause);
    }
    if let Some(group) = state.book.group_mut(id) {
        group.muted = causes;
    }
    heard
}

fn tell(state: &mut State, now: Timestamp, id: &IncidentId, heard: &[AlertNumber]) {
    let Some(group) = state.book.group(id) else { return };
    let route = state.book.tree().route(group.route).clone();
    let key = view::key(&route.key, &group.labels);
    let alerts = || heard.iter().filter_map(|number| state.alert(*number));
    let present = Present::of(alerts().map(|alert| (alert.labels.fingerprint(), alert.status)));
    let policy = state.shared_policy();
    let Some(receiver) = policy.receivers.get(&route.receiver) else { return };
    let mut made: Vec<(Reason, Arc<Notification>)> = Vec::new();
    for sink in &receiver.sinks {
        let hears_ends = !receiver.without_resolved.contains(sink);
        let log_key = log::key(&key, sink);
        let on_its_way = on_its_way(state, id, sink);
        if on_its_way.as_ref() == Some(&present) {
            continue;
        }
        // What could not be told yet is followed by what became of it.
        let as_told = on_its_way.map(|present| log::Told::of(now, present));
        let told = as_told.as_ref().or_else(|| state.book.log.told(log_key));
        let Some(reason) = log::reason(told, &present, hears_ends, route.repeat_interval, now) else { continue };
        if present.firing.is_empty() && !hears_ends && !mutant::is(Mutant::UnwantedEndTold) {
            log::pass_over(state, now, log_key, present.clone(), route.repeat_interval);
            continue;
        }
        let known = made.iter().find(|(other, _)| *other == reason).map(|(_, notification)| Arc::clone(notification));
        let notification = known.unwrap_or_else(|| {
            let notification = notification(state, now, id, &route, &key, heard, reason);
            made.push((reason, Arc::clone(&notification)));
            notification
        });
        delivery::create(state, now, &notification, sink.clone(), route.receiver.clone(), Origin::default());
    }
    for (reason, notification) in made {
        let noun = if heard.len() == 1 { "alert" } else { "alerts" };
        let text = format!("{}: {}, {} {noun}", route.receiver, reason.as_str(), heard.len());
        timeline::incident(state, now, &notification.incident.id, TimelineKind::Notified, "dispatch", text);
    }
}

/// What waits to be told to a sink.
fn on_its_way(state: &State, id: &IncidentId, sink: &str) -> Option<Present> {
    let of_sink = state.deliveries_of(id).filter(|delivery| delivery.sink == sink);
    let waiting = of_sink.max_by_key(|delivery| delivery.notification.number)?;
    waiting.notification.group.as_deref().map(Present::of_view)
}

fn notification(
    state: &mut State,
    now: Timestamp,
    id: &IncidentId,
    route: &GroupRoute,
    key: &str,
    heard: &[AlertNumber],
    reason: Reason,
) -> Arc<Notification> {
    state.book.notification_count += 1;
    let number = state.book.notification_count;
    state.remember(fact::GROUP_NOTIFICATION, "", Some(number.into()));
    let alerts: Vec<&Alert> = heard.iter().filter_map(|number| state.alert(*number)).collect();
    let labels = state.book.group(id).map(|group| group.labels.clone()).unwrap_or_default();
    let group = GroupView {
        key: key.to_owned(),
        receiver: route.receiver.clone(),
        reason: reason.as_str().to_owned(),
        labels,
        alerts: alerts.iter().map(|alert| view::alert(alert)).collect(),
    };
    let kind = match (group.status(), reason) {
        (AlertStatus::Resolved, _) => NotificationKind::Resolved,
        (AlertStatus::Firing, Reason::First) => NotificationKind::Opened,
        (AlertStatus::Firing, _) => NotificationKind::Repeated,
    };
    let incident = view::summary(state, now, *id, &group, &alerts);
    Arc::new(Notification {
        id: format!("{id}.{number}"),
        number,
        kind,
        at: now,
        reason: reason.as_str().to_owned(),
        incident,
        group: Some(Box::new(group)),
    })
}
