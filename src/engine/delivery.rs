//! What becomes of deliveries: created with their cause, ended by an answer, and never without an end: one
//! that is given up has a fallback (invariant I4).

use std::sync::Arc;

use crate::model::delivery::{Delivery, DeliveryState, Progress};
use crate::model::incident::RemoteId;
use crate::model::notification::Notification;
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentState, NotificationKind, Severity, Timestamp};

use crate::mutant::{self, Mutant};

use super::effect::Effect;
use super::input::SendResult;
use super::policy::LOG_RECEIVER;
use super::state::State;
use super::{dispatch, notify, redrive, self_check, system, timeline, view};

/// The alert that stands for "a sink cannot be reached".
pub const SINK_ALERT: &str = "Notifications cannot be delivered";

/// Where a delivery comes from, besides its notification.
#[derive(Default)]
pub struct Origin {
    /// See [`Delivery::together_with`].
    pub together_with: Vec<String>,
    /// See [`Delivery::fallback_for`].
    pub fallback_for: Option<String>,
    /// The object at the receiver, where the incident has left memory and cannot tell.
    pub remote: Option<RemoteId>,
}

/// Makes a delivery. Its first send is intended at once, so it counts from the start: a crash between
/// the send and its record cannot make it look unsent.
pub fn create(
    state: &mut State,
    now: Timestamp,
    notification: &Arc<Notification>,
    sink: String,
    receiver: String,
    origin: Origin,
) -> String {
    let id = format!("{}.{sink}", notification.id);
    let incident = notification.incident.id;
    let (known, is_doubted) = standing(state, notification, &sink);
    let remote = known.or(origin.remote);
    // What was given up without a clear answer may have left the object there.
    let is_ambiguous = remote.is_none() && is_doubted;
    let delivery = Delivery {
        id: id.clone(),
        incident,
        sink,
        receiver,
        state: DeliveryState::Pending,
        attempts: 1,
        due_at: now,
        created_at: now,
        finished_at: None,
        progress: Progress { remote, is_ambiguous, ..Progress::default() },
        last_error: None,
        together_with: origin.together_with,
        told_otherwise: Default::default(),
        fallback_for: origin.fallback_for,
        redriven: None,
        notification: Arc::clone(notification),
    };
    redrive::outdate(state, &delivery);
    state.emit(Effect::Deliver(Box::new(delivery.clone())));
    state.put_delivery(delivery);
    id
}

/// The object at a sink, and whether there may be one that we do not know of.
pub(super) fn standing(state: &State, notification: &Notification, sink: &str) -> (Option<RemoteId>, bool) {
    let id = notification.incident.id;
    if id.is_group() {
        return dispatch::remote::standing(state, notification, sink);
    }
    let Some(incident) = state.incident(&id) else { return (None, false) };
    (incident.remotes.get(sink).cloned(), incident.doubted.contains(sink))
}

/// Takes in what a send led to.
pub fn sent(state: &mut State, now: Timestamp, id: &str, result: SendResult) {
    if self_check::sent(state, id) {
        return;
    }
    let Some(delivery) = state.delivery(id).cloned() else { return };
    match result {
        SendResult::Delivered { proof, remote } => delivered(state, now, delivery, proof, remote),
        SendResult::Advanced { progress } => {
            let delivery = Delivery { attempts: delivery.attempts + 1, progress, ..delivery };
            note_remote(state, now, &delivery);
            state.put_delivery(delivery);
        }
        SendResult::Retry { at, reason, progress } => {
            let delivery = Delivery {
                attempts: delivery.attempts + 1,
                due_at: at,
                last_error: Some(reason),
                progress,
                ..delivery
            };
            note_remote(state, now, &delivery);
            state.put_delivery(delivery);
        }
        SendResult::Superseded { by } => {
            state.put_delivery(Delivery {
                state: DeliveryState::Superseded { by },
                finished_at: Some(now),
                ..delivery
            });
            state.emit(Effect::Settle(id.to_owned()));
        }
        SendResult::Exhausted { reason } => exhausted(state, now, delivery, reason),
    }
}

fn delivered(state: &mut State, now: Timestamp, delivery: Delivery, proof: String, remote: Option<String>) {
    let id = delivery.id.clone();
    let (incident, sink) = (delivery.incident, delivery.sink.clone());
    let progress = Progress { remote: remote.or(delivery.progress.remote.clone()), ..Progress::default() };
    let delivery = Delivery {
        state: DeliveryState::Delivered { proof: proof.clone() },
        finished_at: Some(now),
        progress,
        ..delivery
    };
    note_remote(state, now, &delivery);
    state.put_delivery(delivery.clone());
    state.emit(Effect::Settle(id));
    timeline::incident(state, now, &incident, TimelineKind::Delivered, &sink, format!("delivered to {sink}: {proof}"));
    system::clear(state, now, SINK_ALERT, &sink);
    if incident.is_group() {
        dispatch::delivered(state, now, &delivery);
    }
}

/// The incident or the group remembers the remote object, and so does what still waits for the same sink.
fn note_remote(state: &mut State, now: Timestamp, delivery: &Delivery) {
    let Some(remote) = delivery.progress.remote.clone() else { return };
    let is_news = match state.incident(&delivery.incident) {
        Some(incident) => incident.remotes.get(&delivery.sink) != Some(&remote),
        None => delivery.incident.is_group() && dispatch::remote::note(state, now, delivery, &remote),
    };
    if !is_news {
        return;
    }
    if let Some(incident) = state.incident_mut(&delivery.incident) {
        incident.remotes.insert(delivery.sink.clone(), remote.clone());
        incident.doubted.remove(&delivery.sink);
    }
    for mut other in waiting(state, delivery) {
        other.progress.remote = Some(remote.clone());
        other.progress.is_ambiguous = false;
        state.emit(Effect::Deliver(Box::new(other.clone())));
        state.put_delivery(other);
    }
}

/// What else waits for the same sink and goes to the same object.
fn waiting(state: &State, delivery: &Delivery) -> Vec<Delivery> {
    if delivery.incident.is_group() {
        return dispatch::remote::waiting(state, delivery);
    }
    let waits = |other: &&Delivery| other.sink == delivery.sink && other.id != delivery.id;
    state.deliveries_of(&delivery.incident).filter(waits).cloned().collect()
}

fn exhausted(state: &mut State, now: Timestamp, delivery: Delivery, reason: String) {
    let (id, sink, incident) = (delivery.id.clone(), delivery.sink.clone(), delivery.incident);
    let receiver = delivery.receiver.clone();
    let is_in_doubt = delivery.progress.is_ambiguous && delivery.progress.remote.is_none();
    if is_in_doubt {
        doubt(state, now, &delivery);
    }
    if incident.is_group() {
        dispatch::refused(state, now, &delivery);
    }
    redrive::note(state, &delivery);
    // Who stood in for its first life has been told.
    let stand_in = delivery.redriven.as_ref().and_then(|redriven| redriven.stand_in.clone());
    let fallback = stand_in.or_else(|| fall_back(state, now, &delivery));
    let text = match &fallback {
        Some(fallback) => format!("gave up on {sink}: {reason}; goes to {fallback} instead"),
        None => format!("gave up on {sink}: {reason}"),
    };
    state.put_delivery(Delivery {
        state: DeliveryState::Exhausted { reason: reason.clone(), fallback },
        last_error: Some(reason.clone()),
        finished_at: Some(now),
        ..delivery
    });
    state.emit(Effect::Settle(id));
    timeline::incident(state, now, &incident, TimelineKind::DeliveryFailed, &sink, text);
    let summary = format!("{sink} of receiver {receiver} took no notification: {reason}");
    system::raise(state, now, SINK_ALERT, &sink, Severity::Major, &summary);
}

/// What goes to the same sink later looks first whether the object is there.
fn doubt(state: &mut State, now: Timestamp, delivery: &Delivery) {
    if let Some(incident) = state.incident_mut(&delivery.incident) {
        incident.doubted.insert(delivery.sink.clone());
    } else if delivery.incident.is_group() {
        dispatch::remote::doubt(state, now, delivery);
    }
    for mut other in waiting(state, delivery).into_iter().filter(|other| other.progress.remote.is_none()) {
        other.progress.is_ambiguous = true;
        state.emit(Effect::Deliver(Box::new(other.clone())));
        state.put_delivery(other);
    }
}

/// Has others stand in; returns the first that does. Who stands in hears of the incident, and so must
/// hear of its end; news of a problem asks nothing of anyone and has none.
fn fall_back(state: &mut State, now: Timestamp, delivery: &Delivery) -> Option<String> {
    let mut stand_ins = fallback_sinks(state, delivery);
    if mutant::is(Mutant::ExhaustedWithoutFallback) {
        stand_ins.clear();
    }
    if mutant::is(Mutant::FallbackTwice) {
        let id = format!("{}~0", delivery.notification.id);
        let again = Arc::new(Notification { id, ..(*delivery.notification).clone() });
        for (sink, receiver) in stand_ins.clone() {
            let fallback_for = Some(delivery.id.clone());
            create(state, now, &again, sink, receiver, Origin { fallback_for, ..Origin::default() });
        }
    }
    let mut first = None;
    for (sink, receiver) in stand_ins {
        if !mutant::is(Mutant::FallbackHearsNoEnd)
            && !delivery.notification.kind.is_about_problem()
            && let Some(incident) = state.incident_mut(&delivery.incident)
        {
            incident.audience.insert(sink.clone());
        }
        let id = stand_in(state, now, delivery, sink, receiver);
        first.get_or_insert(id);
    }
    first
}

fn stand_in(state: &mut State, now: Timestamp, delivery: &Delivery, sink: String, receiver: String) -> String {
    let id = format!("{}.{sink}", delivery.notification.id);
    if !delivery.together_with.contains(&sink) {
        let mut together_with = delivery.together_with.clone();
        together_with.push(delivery.sink.clone());
        let notification = present(state, now, delivery);
        join_in(state, delivery, &sink, &notification.id);
        let origin = Origin { together_with, fallback_for: Some(delivery.id.clone()), ..Origin::default() };
        return create(state, now, &notification, sink, receiver, origin);
    }
    // It gets the same notification anyway. While it has not, it knows that others count on it.
    let id = delivery.told_otherwise.get(&sink).cloned().unwrap_or(id);
    if let Some(own) = state.delivery(&id).filter(|own| own.fallback_for.is_none()).cloned() {
        state.put_delivery(Delivery { fallback_for: Some(delivery.id.clone()), ..own });
    }
    id
}

/// The receiver's fallback; without one the catch-all receiver; in the end the log, which cannot fail.
fn fallback_sinks(state: &State, delivery: &Delivery) -> Vec<(String, String)> {
    let policy = state.policy();
    let root = policy.route.receiver.clone().unwrap_or_else(|| LOG_RECEIVER.to_owned());
    let fallback = policy.receivers.get(&delivery.receiver).and_then(|receiver| receiver.fallback.clone());
    // What is a stand-in already goes to the log: two broken receivers must not play ping-pong.
    let receiver = match (&delivery.fallback_for, fallback) {
        (None, Some(fallback)) => fallback,
        // A group's receiver is asked again at the group's next moment; nobody else was to hear of it.
        (None, None) if root != delivery.receiver && !delivery.incident.is_group() => root,
        _ => LOG_RECEIVER.to_owned(),
    };
    notify::sinks_of(state, &[receiver]).into_iter().filter(|(sink, _)| *sink != delivery.sink).collect()
}

/// What a stand-in says: what was to be said, unless the incident has ended since. Then that it has, for
/// nobody may be called after the end.
pub(super) fn present(state: &mut State, now: Timestamp, delivery: &Delivery) -> Arc<Notification> {
    let late = &delivery.notification;
    if late.kind.is_final() || late.kind.is_about_problem() || delivery.incident.is_group() {
        return Arc::clone(late);
    }
    let kind = match state.incident(&delivery.incident).map(|incident| incident.state) {
        Some(IncidentState::Resolved | IncidentState::Closed) => NotificationKind::Resolved,
        Some(IncidentState::Merged) => NotificationKind::Merged,
        None => return Arc::new(over(now, delivery)),
        _ => return Arc::clone(late),
    };
    let Some(incident) = state.incident_mut(&delivery.incident) else { return Arc::clone(late) };
    incident.notification_count += 1;
    let (id, number) = (incident.id, incident.notification_count);
    let Some(incident) = view::incident(state, &id) else { return Arc::clone(late) };
    let reason = ended_since(delivery);
    Arc::new(Notification { id: format!("{id}.{number}"), number, kind, at: now, reason, incident, group: None })
}

fn ended_since(delivery: &Delivery) -> String {
    format!("it has ended since {} was to say: {}", delivery.sink, delivery.notification.reason)
}

/// What has left memory is over, and nobody counts its notifications any more.
fn over(now: Timestamp, delivery: &Delivery) -> Notification {
    let mut over = Notification::clone(&delivery.notification);
    over.kind = NotificationKind::Resolved;
    over.at = now;
    over.reason = ended_since(delivery);
    over.incident.state = IncidentState::Closed;
    over
}

/// The others that carry the same notification learn that this sink gets it too, and how.
fn join_in(state: &mut State, delivery: &Delivery, sink: &str, notification: &str) {
    let same = |other: &&Delivery| other.notification.id == delivery.notification.id && other.id != delivery.id;
    let others: Vec<Delivery> = state.deliveries_of(&delivery.incident).filter(same).cloned().collect();
    for mut other in others {
        other.together_with.push(sink.to_owned());
        if notification != delivery.notification.id {
            other.told_otherwise.insert(sink.to_owned(), format!("{notification}.{sink}"));
        }
        state.put_delivery(other);
    }
}

/// After a start: whatever may have been sent before the crash is in doubt.
pub fn doubt_all(state: &mut State) {
    let pending: Vec<Delivery> =
        state.deliveries().filter(|delivery| !delivery.progress.is_ambiguous).cloned().collect();
    for mut delivery in pending {
        delivery.progress.is_ambiguous = true;
        state.put_delivery(delivery);
    }
}

/// After a change of configuration: what waits for a sink that is gone goes elsewhere.
pub fn reroute_orphans(state: &mut State, now: Timestamp) {
    let orphans: Vec<String> = state
        .deliveries()
        .filter(|delivery| !state.policy().receivers.values().any(|receiver| receiver.sinks.contains(&delivery.sink)))
        .map(|delivery| delivery.id.clone())
        .collect();
    for id in orphans {
        let Some(mut delivery) = state.delivery(&id).cloned() else { continue };
        // It may be on its way at this moment.
        delivery.progress.is_ambiguous = true;
        exhausted(state, now, delivery, "the sink is no longer configured".to_owned());
    }
}
