//! Dead letters: what is known of them, and what becomes of one that somebody wants sent after all. It keeps
//! its id, which is its key at the other side, and its doubt. Never sends what the same receiver has been
//! told better since, and calls nobody after the end.
//!
//! ```text
//! exhausted ─redrive─▶ pending        it goes out, with the present state
//!                  └─▶ superseded     a newer delivery to the same sink says it all, the end included
//!                  └─▶ cancelled      its incident has been over for so long that nothing of it is left here, or
//!                                     nothing that it says of a group fires any more
//! ```

use std::sync::Arc;

use crate::model::delivery::{Delivery, DeliveryId, DeliveryState, Progress, Redriven};
use crate::model::incident::DeadLetter;
use crate::model::notification::Notification;
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentState, Timestamp};

use crate::mutant::{self, Mutant};

use super::delivery::{self, Origin};
use super::dispatch::{self, remote::Fate};
use super::effect::Effect;
use super::input::Reply;
use super::state::State;
use super::{timeline, view};

/// A delivery is given up. What waits for the same sink and is newer may make it needless already.
pub fn note(state: &mut State, delivery: &Delivery) {
    let notification = &delivery.notification;
    let mut letter = DeadLetter {
        sink: delivery.sink.clone(),
        number: notification.number,
        kind: notification.kind,
        outdated_by: None,
    };
    for newer in state.deliveries_of(&delivery.incident) {
        if is_outdated(&letter, newer) {
            letter.outdated_by = Some(newer.id.clone());
        }
    }
    if let Some(incident) = state.incident_mut(&delivery.incident) {
        incident.dead_letters.insert(delivery.id.clone(), letter);
    }
}

/// A new delivery may make dead letters needless.
pub fn outdate(state: &mut State, newer: &Delivery) {
    let is_one = |letter: &DeadLetter| is_outdated(letter, newer);
    if !state.incident(&newer.incident).is_some_and(|incident| incident.dead_letters.values().any(is_one)) {
        return;
    }
    if let Some(incident) = state.incident_mut(&newer.incident) {
        for letter in incident.dead_letters.values_mut().filter(|letter| is_outdated(letter, newer)) {
            letter.outdated_by = Some(newer.id.clone());
        }
    }
}

fn is_outdated(letter: &DeadLetter, newer: &Delivery) -> bool {
    let notification = &newer.notification;
    letter.sink == newer.sink && letter.number < notification.number && notification.kind.outdates(letter.kind)
}

/// Somebody wants a dead letter sent. It left memory when it ended, so it comes whole.
pub fn run(state: &mut State, now: Timestamp, by: &str, dead: Delivery) -> Reply {
    if state.delivery(&dead.id).is_some() {
        return Reply::Already(dead.id);
    }
    let DeliveryState::Exhausted { fallback, .. } = dead.state.clone() else {
        return Reply::Refused(format!("`{}` is {}, not given up", dead.id, dead.state.as_str()));
    };
    if !state.policy().receivers.values().any(|receiver| receiver.sinks.contains(&dead.sink)) {
        return Reply::Refused(format!("the sink `{}` is not configured", dead.sink));
    }
    if dead.incident.is_group() {
        return run_of_group(state, now, by, dead, fallback);
    }
    let is_end = dead.notification.kind.is_final();
    let Some(incident) = state.incident(&dead.incident) else {
        if is_end {
            return revive(state, now, by, dead, fallback);
        }
        let why = format!("{} is over and has left memory, so nobody is called", dead.incident);
        return cancel(state, now, by, dead, why);
    };
    let Some(letter) = incident.dead_letters.get(&dead.id) else {
        return Reply::Refused(format!("`{}` is not given up any more", dead.id));
    };
    let may_come_late = is_end || dead.notification.kind.is_about_problem();
    let is_over = matches!(incident.state, IncidentState::Resolved | IncidentState::Closed | IncidentState::Merged)
        && !may_come_late;
    if let Some(newer) = letter.outdated_by.clone().filter(|_| !mutant::is(Mutant::RedrivenAfterTheEnd)) {
        return supersede(state, now, by, dead, newer);
    }
    if is_over && !mutant::is(Mutant::RedrivenAfterTheEnd) {
        if incident.notifying.flush_at.is_some() {
            return Reply::Refused(format!("{} is over, and `{}` hears of that soon", dead.incident, dead.sink));
        }
        let newer = tell_end(state, now, &dead);
        return supersede(state, now, by, dead, newer);
    }
    revive(state, now, by, dead, fallback)
}

/// A group keeps no list of its dead letters; what was told of it says what may still be sent.
fn run_of_group(state: &mut State, now: Timestamp, by: &str, dead: Delivery, stand_in: Option<DeliveryId>) -> Reply {
    let is_kept = !mutant::is(Mutant::RedrivenAfterTheEnd);
    match dispatch::remote::fate(state, &dead) {
        Fate::Taken => Reply::Refused(format!("`{}` is not given up any more", dead.id)),
        Fate::Superseded(newer) if is_kept => supersede(state, now, by, dead, newer),
        Fate::Over if is_kept => {
            let why = format!("nothing of what it says fires in {} any more, so nobody is called", dead.incident);
            cancel(state, now, by, dead, why)
        }
        Fate::FiresAgain if is_kept => {
            let why = format!("{} fires again, so nobody is told that it is over", dead.incident);
            cancel(state, now, by, dead, why)
        }
        Fate::Goes | Fate::Superseded(_) | Fate::Over | Fate::FiresAgain => revive(state, now, by, dead, stand_in),
    }
}

/// The sink missed the beginning and the end; the end is what it gets.
fn tell_end(state: &mut State, now: Timestamp, dead: &Delivery) -> DeliveryId {
    let notification = delivery::present(state, now, dead);
    hear(state, dead);
    delivery::create(state, now, &notification, dead.sink.clone(), dead.receiver.clone(), Origin::default())
}

/// Whoever is told of an incident hears its end.
fn hear(state: &mut State, dead: &Delivery) {
    if let Some(incident) = state.incident_mut(&dead.incident) {
        incident.audience.insert(dead.sink.clone());
    }
}

fn revive(state: &mut State, now: Timestamp, by: &str, dead: Delivery, stand_in: Option<DeliveryId>) -> Reply {
    bury(state, &dead);
    hear(state, &dead);
    let (known, is_doubted) = delivery::standing(state, &dead.notification, &dead.sink);
    let remote = known.or_else(|| dead.progress.remote.clone());
    let is_ambiguous = remote.is_none() && (dead.progress.is_ambiguous || is_doubted);
    let redriven = Delivery {
        state: DeliveryState::Pending,
        attempts: dead.attempts + 1,
        due_at: now,
        finished_at: None,
        progress: Progress { remote, is_ambiguous, is_deferred: false, ..dead.progress.clone() },
        redriven: Some(Redriven { at: now, by: by.to_owned(), stand_in }),
        notification: refreshed(state, &dead),
        ..dead
    };
    let text = format!("{} goes to {} once more", redriven.notification.kind.as_str(), redriven.sink);
    timeline::incident(state, now, &redriven.incident, TimelineKind::Notified, by, text);
    let id = redriven.id.clone();
    state.emit(Effect::Deliver(Box::new(redriven.clone())));
    state.put_delivery(redriven);
    Reply::Done(id)
}

/// The same notification with the incident as it is by now: a quiet edit may have gone out since.
fn refreshed(state: &State, dead: &Delivery) -> Arc<Notification> {
    match view::incident(state, &dead.incident).filter(|_| !dead.notification.kind.is_final()) {
        Some(incident) => Arc::new(Notification { incident, ..(*dead.notification).clone() }),
        None => Arc::clone(&dead.notification),
    }
}

fn supersede(state: &mut State, now: Timestamp, by: &str, dead: Delivery, newer: DeliveryId) -> Reply {
    let why = format!("`{newer}` says the present state to the same sink");
    end(state, now, by, dead, DeliveryState::Superseded { by: newer }, why)
}

fn cancel(state: &mut State, now: Timestamp, by: &str, dead: Delivery, why: String) -> Reply {
    end(state, now, by, dead, DeliveryState::Cancelled { by: by.to_owned() }, why)
}

fn end(state: &mut State, now: Timestamp, by: &str, dead: Delivery, as_what: DeliveryState, why: String) -> Reply {
    bury(state, &dead);
    let (id, word) = (dead.id.clone(), as_what.as_str());
    let text = format!("{} is not sent to {} once more: {why}", dead.notification.kind.as_str(), dead.sink);
    timeline::incident(state, now, &dead.incident, TimelineKind::Notified, by, text);
    state.put_delivery(Delivery { state: as_what, finished_at: Some(now), ..dead });
    Reply::Needless { id, state: word, why }
}

/// It is a dead letter no longer.
fn bury(state: &mut State, dead: &Delivery) {
    if let Some(incident) = state.incident_mut(&dead.incident) {
        incident.dead_letters.remove(&dead.id);
    }
}
