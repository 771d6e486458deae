//! Who hears of alerts where people are told of groups instead of incidents (`notify_by: group`): Alertmanager's
//! way, with its times. Each alert belongs to a group on every route that takes it; a group is told of after
//! `group_wait`, looked at again each `group_interval`, and repeated after `repeat_interval`.
//!
//! ```text
//! alert ─▶ tree (which routes) ─▶ book (which group) ─▶ flush, when it is time ─▶ log (is it news?) ─▶ delivery
//!                                                        │ inhibited · mute time · silenced
//!                                                        ▼ told: what is resolved leaves the group
//! ```
//!
//! What decides is durable or follows from what is: the alerts, the log of what was told, when a group began. So a
//! restart at any moment repeats nothing and forgets nothing. So is what stands at a receiver for a group (`remote.rs`).

mod book;
mod expiring;
mod flush;
pub mod listing;
mod log;
pub mod merge;
pub mod relabelled;
pub mod remote;
mod switch;
mod tree;
mod view;

use book::Known;
pub use book::{AlertGroup, Book};
pub use flush::muted_by;
pub use log::{Told, restore as restore_told};
pub use switch::run as switched;
pub use tree::{GroupRoute, Tree};
pub use view::{by_labels, key as group_key, order};

use serde_json::Value;

use crate::model::alert::AlertNumber;
use crate::model::event::Event;
use crate::model::{Delivery, GroupName, IncidentId, Labels, Span, Timestamp};
use crate::mutant::{self, Mutant};

use super::dedup::{Change, ChangeKind};
use super::heartbeat;
use super::policy::NotifyBy;
use super::state::{State, fact};
use super::system::SOURCE;

/// An alert that a rule could inhibit waits this long for the one that does, which may stand in the next request.
const INHIBITOR_WAIT: Span = Span::from_millis(300);

pub fn is_on(state: &State) -> bool {
    state.policy().notify_by == NotifyBy::Group
}

/// Matchers, groups and messages see the labels alone. What other monitors say besides them becomes labels, so that
/// their alerts can be routed as well.
pub fn complete_labels(event: &mut Event) {
    if event.labels.get("alertname").is_some() || event.dedup_key == event.labels.fingerprint().to_string() {
        return;
    }
    event.labels.insert("alertname", &event.name);
    if event.labels.get("severity").is_none() {
        event.labels.insert("severity", event.severity.as_str());
    }
    if let Some(item) = event.configuration_item.as_ref().filter(|_| event.labels.get("instance").is_none()) {
        event.labels.insert("instance", item);
    }
}

/// The same for alerts that were there before people were told of groups.
pub(super) fn complete_all(state: &mut State) {
    if !is_on(state) {
        return;
    }
    let numbers: Vec<AlertNumber> =
        state.alerts().filter(|alert| alert.labels.get("alertname").is_none()).map(|alert| alert.number).collect();
    for number in numbers {
        let Some(alert) = state.alert_mut(number) else { continue };
        if *alert.dedup_key == *alert.labels.fingerprint().to_string() {
            continue;
        }
        alert.labels.insert("alertname", &alert.name);
        if alert.labels.get("severity").is_none() {
            alert.labels.insert("severity", alert.severity.as_str());
        }
        if let Some(item) = alert.configuration_item.clone().filter(|_| alert.labels.get("instance").is_none()) {
            alert.labels.insert("instance", &*item);
        }
    }
}

/// Files an alert that has changed.
pub fn follow(state: &mut State, now: Timestamp, change: &Change) {
    let Some(alert) = state.alert(change.alert) else { return };
    match change.kind {
        ChangeKind::Fired => place(state, now, change.alert),
        ChangeKind::Resolved | ChangeKind::Repeated | ChangeKind::Altered => {
            if !alert.is_firing() && !state.book.is_member(change.alert) {
                // It was over before anybody could be told.
                return evict(state, change.alert);
            }
        }
    }
    if mutant::is(Mutant::OverLetGoUntold) && change.kind == ChangeKind::Resolved {
        leave(state, change.alert);
    }
    if mutant::is(Mutant::GroupIntervalIgnored) {
        let groups = state.book.of_alert(change.alert).to_vec();
        groups.into_iter().for_each(|id| state.deadlines.set_group(id, Some(now)));
    }
    super::schedule_alert(state, change.alert);
}

/// Lets go of an alert. Silences that wait for quiet must not forget that it fired.
fn evict(state: &mut State, number: AlertNumber) {
    super::silence::gone(state, number);
    state.evict_alert(number);
}

/// Only as a planted bug.
fn leave(state: &mut State, number: AlertNumber) {
    for id in state.book.of_alert(number).to_vec() {
        state.book.remove(&id, number);
        let_go(state, &id);
    }
    state.evict_alert(number);
}

/// Into the groups of all routes that take it.
fn place(state: &mut State, now: Timestamp, number: AlertNumber) {
    // It may fire again before all were told of its end; those that were have it again.
    let changed = state.book.fires_again(number);
    changed.iter().for_each(|id| remember(state, id));
    if heartbeat::is_muted(state, now, number) {
        return;
    }
    for (route, labels) in homes(state, number) {
        join(state, now, number, route, labels);
    }
}

/// The routes that take an alert, with the labels of its group on each.
fn homes(state: &State, number: AlertNumber) -> Vec<(usize, Labels)> {
    let Some(alert) = state.alert(number).filter(|alert| heartbeat::of_alert(state, alert).is_none()) else {
        return Vec::new();
    };
    let tree = state.book.tree();
    let routes =
        if *alert.source == *SOURCE { vec![Tree::OWN] } else { tree.matching(&state.policy().route, &alert.labels) };
    routes.into_iter().map(|route| (route, tree.route(route).group_labels(&alert.labels))).collect()
}

fn join(state: &mut State, now: Timestamp, number: AlertNumber, route: usize, labels: Labels) {
    if let Some(id) = state.book.find(route, &labels) {
        state.book.add(&id, number);
        return;
    }
    let Some(started_at) = state.alert(number).map(|alert| alert.started_at) else { return };
    let group_wait = state.book.tree().route(route).group_wait;
    // One that has stood for long already has waited.
    let is_old = state.own_time(started_at) + group_wait < now;
    let first_at = if is_old { now } else { now + group_wait };
    let id = state.book.open(route, labels, first_at, number);
    state.book.add(&id, number);
    remember(state, &id);
    schedule(state, &id);
}

/// The groups of an alert, by their names.
pub fn groups_of(state: &State, number: AlertNumber) -> Vec<GroupName> {
    let name = |id: &IncidentId| {
        let (group, route) = state.book.group(id).zip(state.book.route_of(id))?;
        Some(GroupName { id: *id, key: view::key(&route.key, &group.labels), receiver: route.receiver.clone() })
    };
    state.book.of_alert(number).iter().filter_map(name).collect()
}

fn remember(state: &mut State, id: &IncidentId) {
    let Some(group) = state.book.group(id) else { return };
    let (key, value) = (group.record_key(), serde_json::to_value(group.record()).ok());
    state.remember(fact::ALERT_GROUP, key, value);
}

fn schedule(state: &mut State, id: &IncidentId) {
    let at = state.book.group(id).map(|group| group.flush_at);
    state.deadlines.set_group(*id, at);
}

/// When each group wants to be looked at, where all moments are set anew.
pub(super) fn schedule_all(state: &mut State) {
    let moments: Vec<_> = state.book.groups().map(|group| (group.id, group.flush_at)).collect();
    for (id, at) in moments {
        state.deadlines.set_group(id, Some(at));
    }
}

/// It is time to look at a group.
pub fn due(state: &mut State, now: Timestamp, id: &IncidentId) {
    if let Some(later) = waits_for_inhibitor(state, now, id) {
        if let Some(group) = state.book.group_mut(id) {
            group.postpone(now, later, INHIBITOR_WAIT);
        }
        remember(state, id);
        return schedule(state, id);
    }
    if let Some(beginning) = state.away_until().map(|at| at + state.policy().dispatch_start_delay)
        && beginning > now
    {
        if let Some(group) = state.book.group_mut(id) {
            group.begin_at(beginning);
        }
        remember(state, id);
        return schedule(state, id);
    }
    let interval = state.book.route_of(id).map(|route| route.group_interval);
    let Some((group, interval)) = state.book.group_mut(id).zip(interval) else { return schedule(state, id) };
    let heard_at = group.heard_at(now, interval);
    group.flushed(now, interval);
    let before = group.over.clone();
    flush::run(state, now, id, heard_at);
    if state.book.group(id).is_some_and(|group| group.over != before) {
        remember(state, id);
    }
    let_go(state, id);
    schedule(state, id);
}

/// Until when the first word of a group waits for what may inhibit it.
fn waits_for_inhibitor(state: &State, now: Timestamp, id: &IncidentId) -> Option<Timestamp> {
    let group = state.book.group(id)?;
    let is_told = group.flushed_at.is_some() || mutant::is(Mutant::InhibitorNotWaitedFor);
    if is_told || group.has_waited(now) || state.policy().inhibit_rules.is_empty() {
        return None;
    }
    let fresh = group.alerts.iter().filter_map(|number| state.alert(*number)).filter(|alert| alert.is_firing());
    let is_fresh = |fired_at: Timestamp| fired_at + INHIBITOR_WAIT > now || mutant::is(Mutant::FirstMomentPostponed);
    let fresh = fresh.filter(|alert| is_fresh(alert.fired_at) && super::inhibit::is_target(state, alert));
    fresh.map(|alert| alert.fired_at + INHIBITOR_WAIT).max()
}

/// Has every group told now of what may be heard, whether it is time or not.
pub(super) fn tell_all(state: &mut State, now: Timestamp) {
    let groups: Vec<IncidentId> = state.book.groups().map(|group| group.id).collect();
    for id in groups {
        flush::run(state, now, &id, None);
    }
}

/// What came of a delivery about a group.
pub fn delivered(state: &mut State, now: Timestamp, delivery: &Delivery) {
    log::note(state, now, delivery);
    remote::taken(state, now, delivery);
    let_go(state, &delivery.incident);
}

/// A receiver takes a notification not at all: at the group's next moment it is news once more.
pub fn refused(state: &mut State, now: Timestamp, delivery: &Delivery) {
    if mutant::is(Mutant::RefusalCountsAsTold) {
        return delivered(state, now, delivery);
    }
    remote::given_up(state, now, delivery);
    let Some(group) = state.book.group_mut(&delivery.incident) else { return };
    if !std::mem::take(&mut group.over).is_empty() {
        remember(state, &delivery.incident);
    }
}

/// Lets go of what is over and told, and of the group once it is empty.
fn let_go(state: &mut State, id: &IncidentId) {
    if state.deliveries_of(id).next().is_some() || mutant::is(Mutant::OverNeverLetGo) {
        return; // Somebody is still to hear of it.
    }
    let Some(group) = state.book.group_mut(id) else { return };
    let over = std::mem::take(&mut group.over);
    let has_changed = !over.is_empty();
    for number in over {
        state.book.remove(id, number);
        if state.book.is_member(number) {
            state.book.note_left(id, number);
        } else {
            evict(state, number);
        }
    }
    if has_changed {
        remember(state, id);
    }
    if let Some(group) = state.book.group(id).filter(|group| group.alerts.is_empty()) {
        let key = group.record_key();
        state.book.close(id);
        state.remember(fact::ALERT_GROUP, key, None);
        state.deadlines.set_group(*id, None);
    }
}

/// One that is over and in no group is of no use any more; an incident lets go of its own.
fn let_go_of_alert(state: &mut State, number: AlertNumber) {
    let is_held = state.book.is_member(number)
        || state.alert(number).is_none_or(|alert| alert.is_firing() || alert.incident.is_some());
    if !is_held {
        evict(state, number);
    }
}

/// Takes back what a start finds of a group.
pub(super) fn restore(state: &mut State, value: Value) -> Result<(), serde_json::Error> {
    state.book.restore(serde_json::from_value(value)?);
    Ok(())
}

/// Makes the groups anew from the policy and the alerts; those that there were keep their times. What is over comes back
/// only to the groups that still have it.
pub(super) fn rebuild(state: &mut State, now: Timestamp) {
    if !is_on(state) {
        return;
    }
    let known = state.book.rebuild(state.shared_policy().as_ref());
    let alerts: Vec<(AlertNumber, bool)> = state.alerts().map(|alert| (alert.number, alert.is_firing())).collect();
    for (number, is_firing) in alerts {
        for (route, labels) in homes(state, number) {
            match state.book.find(route, &labels).or_else(|| state.book.reopen(&known, route, &labels, now)) {
                Some(id) if !is_firing && state.book.has_left(&id, number) => {}
                Some(id) => state.book.add(&id, number),
                None if is_firing => join(state, now, number, route, labels),
                None => {}
            }
        }
        let_go_of_alert(state, number);
    }
    let groups: Vec<IncidentId> = state.book.groups().map(|group| group.id).collect();
    for id in groups {
        if known.get(&id).is_some_and(Known::is_here) {
            remember(state, &id);
        }
        schedule(state, &id);
    }
    for (id, gone) in known.into_iter().filter(|(id, _)| state.book.group(id).is_none()).collect::<Vec<_>>() {
        state.deadlines.set_group(id, None);
        state.remember(fact::ALERT_GROUP, gone.record_key(), None);
    }
}

/// There are no groups any more.
fn rebuild_from_nothing(state: &mut State) {
    let gone = state.book.rebuild(state.shared_policy().as_ref());
    for (id, gone) in gone {
        state.remember(fact::ALERT_GROUP, gone.record_key(), None);
        state.deadlines.set_group(id, None);
    }
}

#[cfg(test)]
mod tests;
