//! The probe of the self check on its way through the engine: one event in, one delivery to a sink of the
//! daemon's own out. It is no alert: it touches no state, so that it can open nothing, mute nothing, count
//! in no statistics, and leaves nothing behind but its rows in the journal.
//!
//! Nobody else can post it: its source has a name that no configured source may have.

use std::sync::Arc;

use crate::model::delivery::{Delivery, DeliveryState, Progress};
use crate::model::event::Event;
use crate::model::notification::{IncidentView, Notification};
use crate::model::{Impact, IncidentId, IncidentState, NotificationKind, Priority, Severity, Timestamp, Urgency};

use super::effect::Effect;
use super::state::State;
use super::system::SOURCE;

/// The probe's dedup key; alerts of our own have a `/` in theirs.
pub const DEDUP_KEY: &str = "self-check";
/// The sink that answers; no receiver may be called like its first part.
pub const SINK: &str = "watchbell/self-check";

pub fn is_probe(event: &Event) -> bool {
    event.source == SOURCE && event.dedup_key == DEDUP_KEY
}

/// Sends the probe on.
pub fn pass_on(state: &mut State, now: Timestamp, event: &Event) {
    state.emit(Effect::Deliver(Box::new(delivery(now, &event.id))));
}

/// True when this was the probe's delivery; whoever holds it lets go.
pub fn sent(state: &mut State, id: &str) -> bool {
    let is_probe = id.ends_with(SINK);
    if is_probe {
        state.emit(Effect::Settle(id.to_owned()));
    }
    is_probe
}

/// A delivery as any other, of an incident that there is not.
fn delivery(now: Timestamp, probe: &str) -> Delivery {
    let incident = IncidentId::NONE;
    let id = format!("{incident}.{probe}");
    let notification = Notification {
        id: id.clone(),
        number: probe.parse().unwrap_or(0),
        kind: NotificationKind::Test,
        at: now,
        reason: "the daemon checks itself".to_owned(),
        incident: view(incident, now),
        group: None,
    };
    Delivery {
        id: format!("{id}.{SINK}"),
        incident,
        sink: SINK.to_owned(),
        receiver: SOURCE.to_owned(),
        state: DeliveryState::Pending,
        attempts: 1,
        due_at: now,
        created_at: now,
        finished_at: None,
        progress: Progress::default(),
        last_error: None,
        fallback_for: None,
        redriven: None,
        together_with: Vec::new(),
        told_otherwise: Default::default(),
        notification: Arc::new(notification),
    }
}

fn view(id: IncidentId, now: Timestamp) -> IncidentView {
    IncidentView {
        id,
        state: IncidentState::Open,
        title: "self check".to_owned(),
        priority: Priority::P5,
        impact: Impact::Low,
        urgency: Urgency::Low,
        severity: Severity::Info,
        started_at: now,
        opened_at: now,
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        assignee: None,
        root_cause: None,
        services: Vec::new(),
        configuration_items: Vec::new(),
        configuration_item_count: 0,
        alerts: Vec::new(),
        alert_count: 0,
        firing_count: 0,
        clocks: Vec::new(),
        problem: None,
        merged_into: None,
        url: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::input::{Input, SendResult};
    use crate::engine::step;
    use crate::model::EventStatus;

    #[test]
    fn a_probe_becomes_one_delivery_and_its_end_settles_it() {
        let now: Timestamp = "2026-11-21T05:00:00Z".parse().unwrap();
        let mut state = State::restore(Default::default()).unwrap();
        let probe = Event {
            dedup_key: DEDUP_KEY.to_owned(),
            id: "7".to_owned(),
            ..crate::engine::tests::event(now, SOURCE, "", "Self check", Severity::Info, EventStatus::Firing)
        };
        let effects = step(&mut state, now, Input::Events { events: vec![probe] });
        let [Effect::Deliver(delivery)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!((delivery.id.as_str(), delivery.sink.as_str()), ("inc-0000000000.7.watchbell/self-check", SINK));
        let result = SendResult::Delivered { proof: String::new(), remote: None };
        let effects = step(&mut state, now, Input::Sent { delivery: delivery.id.clone(), result });
        assert_eq!(effects, [Effect::Settle(delivery.id.clone())]);
        assert!(state.take_changes().is_empty());
    }
}
