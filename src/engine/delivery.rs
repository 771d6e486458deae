//! What becomes of deliveries: created with their cause, ended by an answer, and never without an end: one
//! that is given up has a fallback (invariant I4).

use std::sync::Arc;

use crate::model::delivery::{Delivery, DeliveryState, Progress};
use crate::model::notification::Notification;
use crate::model::timeline::TimelineKind;
use crate::model::{Severity, Timestamp};

use super::effect::Effect;
use super::input::SendResult;
use super::policy::LOG_RECEIVER;
use super::state::State;
use super::{notify, system, timeline};

/// The alert that stands for "a sink cannot be reached".
pub const SINK_ALERT: &str = "Notifications cannot be delivered";

/// Makes a delivery. Its first send is intended at once, so it counts from the start: a crash between
/// the send and its record cannot make it look unsent.
pub fn create(
    state: &mut State,
    now: Timestamp,
    notification: &Arc<Notification>,
    sink: String,
    receiver: String,
    fallback_for: Option<String>,
) -> String {
    let id = format!("{}.{sink}", notification.id);
    let incident = notification.incident.id.clone();
    let remote = state.incident(&incident).and_then(|incident| incident.remotes.get(&sink).cloned());
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
        progress: Progress { remote, ..Progress::default() },
        last_error: None,
        fallback_for,
        notification: Arc::clone(notification),
    };
    state.emit(Effect::Deliver(Box::new(delivery.clone())));
    state.put_delivery(delivery);
    id
}

/// Takes in what a send led to.
pub fn sent(state: &mut State, now: Timestamp, id: &str, result: SendResult) {
    let Some(delivery) = state.delivery(id).cloned() else { return };
    match result {
        SendResult::Delivered { proof, remote } => delivered(state, now, delivery, proof, remote),
        SendResult::Advanced { progress } => {
            let delivery = Delivery { attempts: delivery.attempts + 1, progress, ..delivery };
            note_remote(state, &delivery);
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
            note_remote(state, &delivery);
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
    let (incident, sink) = (delivery.incident.clone(), delivery.sink.clone());
    let progress = Progress { remote: remote.or(delivery.progress.remote.clone()), ..Progress::default() };
    let delivery = Delivery {
        state: DeliveryState::Delivered { proof: proof.clone() },
        finished_at: Some(now),
        progress,
        ..delivery
    };
    note_remote(state, &delivery);
    state.put_delivery(delivery);
    state.emit(Effect::Settle(id));
    timeline::incident(state, now, &incident, TimelineKind::Delivered, &sink, format!("delivered to {sink}: {proof}"));
    system::clear(state, now, SINK_ALERT, &sink);
}

/// The incident remembers the remote object, and so does what still waits for the same sink.
fn note_remote(state: &mut State, delivery: &Delivery) {
    let Some(remote) = delivery.progress.remote.clone() else { return };
    let known =
        state.incident(&delivery.incident).map(|incident| incident.remotes.get(&delivery.sink) == Some(&remote));
    if known != Some(false) {
        return;
    }
    if let Some(incident) = state.incident_mut(&delivery.incident) {
        incident.remotes.insert(delivery.sink.clone(), remote.clone());
    }
    let waiting: Vec<Delivery> = state
        .deliveries_of(&delivery.incident)
        .filter(|other| other.sink == delivery.sink && other.id != delivery.id)
        .cloned()
        .collect();
    for mut other in waiting {
        other.progress.remote = Some(remote.clone());
        other.progress.is_ambiguous = false;
        state.emit(Effect::Deliver(Box::new(other.clone())));
        state.put_delivery(other);
    }
}

fn exhausted(state: &mut State, now: Timestamp, delivery: Delivery, reason: String) {
    let (id, sink, incident) = (delivery.id.clone(), delivery.sink.clone(), delivery.incident.clone());
    let (receiver, notification) = (delivery.receiver.clone(), Arc::clone(&delivery.notification));
    let fallback = fallback_sinks(state, &delivery)
        .into_iter()
        .map(|(sink, receiver)| create(state, now, &notification, sink, receiver, Some(id.clone())))
        .next();
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

/// The receiver's fallback; without one the catch-all receiver; in the end the log, which cannot fail.
fn fallback_sinks(state: &State, delivery: &Delivery) -> Vec<(String, String)> {
    let policy = state.policy();
    let root = policy.route.receiver.clone().unwrap_or_else(|| LOG_RECEIVER.to_owned());
    let fallback = policy.receivers.get(&delivery.receiver).and_then(|receiver| receiver.fallback.clone());
    // What is a stand-in already goes to the log: two broken receivers must not play ping-pong.
    let receiver = match (&delivery.fallback_for, fallback) {
        (None, Some(fallback)) => fallback,
        (None, None) if root != delivery.receiver => root,
        _ => LOG_RECEIVER.to_owned(),
    };
    notify::sinks_of(state, &[receiver]).into_iter().filter(|(sink, _)| *sink != delivery.sink).collect()
}

/// Gives an exhausted delivery another life, as a new one with its own id.
pub fn redrive(state: &mut State, now: Timestamp, delivery: &Delivery) -> String {
    let base = delivery.notification.id.split('~').next().unwrap_or_default();
    let id = format!("{base}~{}", now.as_millis());
    let notification = Arc::new(Notification { id, ..(*delivery.notification).clone() });
    create(state, now, &notification, delivery.sink.clone(), delivery.receiver.clone(), None)
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
    let orphans: Vec<Delivery> = state
        .deliveries()
        .filter(|delivery| !state.policy().receivers.values().any(|receiver| receiver.sinks.contains(&delivery.sink)))
        .cloned()
        .collect();
    for delivery in orphans {
        exhausted(state, now, delivery, "the sink is no longer configured".to_owned());
    }
}
