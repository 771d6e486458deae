//! Storm limits: a receiver that has been interrupted often enough in this minute gets the lesser
//! incidents in the next. P1 and P2 are never put off.

use crate::model::{IncidentId, Priority, Span, Timestamp};

use super::state::State;

const WINDOW: Span = Span::from_mins(1);

/// Until when this incident waits, if it must; counts it otherwise.
pub fn defer(state: &mut State, now: Timestamp, id: &IncidentId) -> Option<Timestamp> {
    let incident = state.incident(id)?;
    let is_urgent = incident.priority <= Priority::P2;
    let receivers = incident.routed.as_ref()?.receivers.clone();
    let mut wait = None;
    for receiver in &receivers {
        let max = state.policy().receivers.get(receiver).map_or(0, |receiver| receiver.loud_per_minute_max);
        let (since, count) = state.loud.get(receiver).copied().unwrap_or((now, 0));
        let is_fresh = now.since(since) < WINDOW && now >= since;
        if max > 0 && is_fresh && count >= max && !is_urgent {
            wait = wait.max(Some(since + WINDOW));
        }
    }
    if wait.is_none() {
        for receiver in receivers {
            let entry = state.loud.entry(receiver).or_insert((now, 0));
            if now.since(entry.0) >= WINDOW || now < entry.0 {
                *entry = (now, 0);
            }
            entry.1 += 1;
        }
    }
    wait
}
