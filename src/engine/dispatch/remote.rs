//! What stands at a receiver for a group: the ticket or message that its letters go to, as an incident knows it of
//! itself (`Incident::remotes`). The thread ends with the letter that says that all is over: when the group fires again
//! that is another ticket. And which of its dead letters may still be sent.
//!
//! ```text
//! Opened ─▶ ticket ─▶ the same ticket hears what follows ─▶ Resolved: forgotten ─▶ Opened ─▶ another ticket
//! ```

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expiring::Expiring;
use super::log;
use crate::engine::state::{State, fact};
use crate::model::delivery::{DeliveryId, number_of};
use crate::model::incident::RemoteId;
use crate::model::{AlertStatus, Delivery, Fingerprint, GroupView, Notification, Timestamp};
use crate::mutant::{self, Mutant};

/// What a sink has of a group that is not over there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remote: Option<RemoteId>,
    /// What was given up without a clear answer may have left the object there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_doubted: bool,
    /// The newest letter that was given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_up: Option<DeliveryId>,
    /// The log has forgotten by then, too, that the sink was told.
    expires_at: Timestamp,
}

pub type Threads = Expiring<Thread>;

/// What a letter finds at its sink, and whether there may be something that we do not know of.
pub fn standing(state: &State, notification: &Notification, sink: &str) -> (Option<RemoteId>, bool) {
    let nothing = (None, false);
    let Some(view) = &notification.group else { return nothing };
    // An end is on its way: what follows it begins anew.
    let is_end_before = |other: &&Delivery| {
        other.sink == sink && other.notification.number < notification.number && other.notification.kind.is_final()
    };
    if state.deliveries_of(&notification.incident.id).any(|other| is_end_before(&other)) {
        return nothing;
    }
    let thread = state.book.threads.get(log::key(&view.key, sink));
    thread.map_or(nothing, |thread| (thread.remote.clone(), thread.is_doubted))
}

/// What waits for the same sink and goes to the same object: up to the next end.
pub fn waiting(state: &State, delivery: &Delivery) -> Vec<Delivery> {
    if delivery.notification.kind.is_final() {
        return Vec::new();
    }
    let number = |other: &Delivery| other.notification.number;
    let follows = |other: &&Delivery| other.sink == delivery.sink && number(other) > number(delivery);
    let mut waiting: Vec<Delivery> = state.deliveries_of(&delivery.incident).filter(follows).cloned().collect();
    waiting.sort_by_key(number);
    let end = waiting.iter().position(|other| other.notification.kind.is_final());
    waiting.truncate(end.map_or(waiting.len(), |end| end + 1));
    waiting
}

/// Takes note of the object; true when that is news.
pub fn note(state: &mut State, now: Timestamp, delivery: &Delivery, remote: &RemoteId) -> bool {
    let is_news = thread_of(state, delivery).is_none_or(|thread| thread.remote.as_ref() != Some(remote));
    if is_news {
        change(state, now, delivery, |thread| {
            thread.remote = Some(remote.clone());
            thread.is_doubted = false;
        });
    }
    is_news
}

/// A letter was given up, and what it was to make may be there all the same.
pub fn doubt(state: &mut State, now: Timestamp, delivery: &Delivery) {
    change(state, now, delivery, |thread| thread.is_doubted = thread.remote.is_none());
}

/// A letter was given up.
pub fn given_up(state: &mut State, now: Timestamp, delivery: &Delivery) {
    change(state, now, delivery, |thread| {
        let newest = thread.given_up.take().filter(|known| number_of(known) > Some(delivery.notification.number));
        thread.given_up = Some(newest.unwrap_or_else(|| delivery.id.clone()));
    });
}

/// A sink has taken a letter: after an end nothing stands there any more, otherwise it stands for longer.
pub fn taken(state: &mut State, now: Timestamp, delivery: &Delivery) {
    let Some(view) = &delivery.notification.group else { return };
    let Some(thread) = thread_of(state, delivery) else { return };
    if delivery.notification.kind.is_final() || thread.remote.is_none() && !thread.is_doubted {
        return end(state, log::key(&view.key, &delivery.sink));
    }
    // The log says from here on what is older.
    change(state, now, delivery, |thread| thread.given_up = None);
}

/// What comes next begins anew.
pub fn end(state: &mut State, key: Fingerprint) {
    if mutant::is(Mutant::GroupThreadNeverEnds) {
        return;
    }
    if state.book.threads.remove(key) {
        state.remember(fact::GROUP_THREAD, key.to_string(), None);
    }
}

fn thread_of<'a>(state: &'a State, delivery: &Delivery) -> Option<&'a Thread> {
    let view = delivery.notification.group.as_ref()?;
    state.book.threads.get(log::key(&view.key, &delivery.sink))
}

fn change(state: &mut State, now: Timestamp, delivery: &Delivery, change: impl FnOnce(&mut Thread)) {
    let Some(view) = &delivery.notification.group else { return };
    let mut thread = thread_of(state, delivery).cloned().unwrap_or_default();
    change(&mut thread);
    thread.expires_at = log::expiry(now, log::repeat_interval(state, &delivery.incident));
    let key = log::key(&view.key, &delivery.sink);
    state.remember(fact::GROUP_THREAD, key.to_string(), serde_json::to_value(&thread).ok());
    state.book.threads.put(key, thread.expires_at, thread);
    while let Some(gone) = state.book.threads.expire(now) {
        state.remember(fact::GROUP_THREAD, gone.to_string(), None);
    }
}

pub fn restore(state: &mut State, key: &str, value: Value) -> Result<(), serde_json::Error> {
    let thread: Thread = serde_json::from_value(value)?;
    if let Ok(key) = key.parse() {
        state.book.threads.put(key, thread.expires_at, thread);
    }
    Ok(())
}

/// What becomes of a dead letter that somebody wants sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Goes,
    /// A newer letter says it better, whether it was taken, waits or was given up as well.
    Superseded(DeliveryId),
    /// It was sent since.
    Taken,
    /// Nothing of what it says fires any more, and nobody is called after the end.
    Over,
    /// It says that all is over, and that is not so any more.
    FiresAgain,
}

pub fn fate(state: &State, dead: &Delivery) -> Fate {
    let Some(view) = &dead.notification.group else { return Fate::Over };
    let told = state.book.log.told(log::key(&view.key, &dead.sink)).and_then(|told| told.by.clone());
    if told.as_ref() == Some(&dead.id) {
        return Fate::Taken;
    }
    let waiting = state.deliveries_of(&dead.incident).filter(|other| other.sink == dead.sink);
    let given_up = thread_of(state, dead).and_then(|thread| thread.given_up.clone());
    let others = waiting.map(|other| other.id.clone()).chain(told).chain(given_up);
    let newest = others.max_by_key(|id| number_of(id));
    if let Some(newer) = newest.filter(|id| number_of(id) > Some(dead.notification.number)) {
        return Fate::Superseded(newer);
    }
    match (dead.notification.kind.is_final(), fires(state, dead, view)) {
        (true, false) | (false, true) => Fate::Goes,
        (true, true) => Fate::FiresAgain,
        (false, false) => Fate::Over,
    }
}

/// Whether an alert that a letter says fires has done so ever since, or after an end whether any fires.
fn fires(state: &State, dead: &Delivery, view: &GroupView) -> bool {
    let told = |fingerprint: Fingerprint| {
        let text = fingerprint.to_string();
        view.alerts.iter().any(|alert| alert.status == AlertStatus::Firing && alert.fingerprint == text)
    };
    let Some(group) = state.book.group(&dead.incident) else { return false };
    let mut firing = group.alerts.iter().filter_map(|number| state.alert(*number)).filter(|alert| alert.is_firing());
    firing.any(|alert| {
        dead.notification.kind.is_final() || alert.fired_at <= dead.notification.at && told(alert.labels.fingerprint())
    })
}
