//! Brings the state back after a crash or a failed commit: the stored rows, and on top of them every input
//! that they do not show yet, stepped at the time at which it was stepped before.
//!
//! What those steps once asked of the world is not asked again; pending deliveries are part of the state.

use std::collections::BTreeSet;

use crate::crash_point::{CrashPoint, reach};
use crate::engine::effect::Effect;
use crate::engine::input::Input;
use crate::engine::state::State;
use crate::model::{TimelineEntry, Timestamp};
use crate::store::{Position, Store};

use super::DriverError;
use super::stepper::{Step, guarded};

/// Journal rows read at a time.
const ROWS_PER_READ: u32 = 1_000;

/// What a start or a reload goes on from.
#[derive(Default)]
pub(super) struct Recovered {
    pub(super) state: State,
    /// What the steps that the rows had missed said.
    pub(super) timeline: Vec<TimelineEntry>,
    pub(super) position: Position,
    /// Time of the journal's last row; what comes next is not earlier.
    pub(super) last_at: Timestamp,
}

/// The state as of the journal's end; `on_row` hears of each row, as a sign of life.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn recover(store: &mut dyn Store, step: Step, on_row: impl Fn()) -> Result<Recovered, DriverError> {
    let mut poison = BTreeSet::new();
    loop {
        match replay(store, step, &poison, &on_row)? {
            Ok(recovered) => return Ok(recovered),
            // Only another version of the engine can fail on what this journal holds.
            Err(position) => {
                tracing::error!(position, "the engine failed on an input in the journal; it is left out");
                poison.insert(position);
            }
        }
    }
}

/// The inner error is the position of an input that the engine panicked on.
fn replay(
    store: &mut dyn Store,
    step: Step,
    poison: &BTreeSet<Position>,
    on_row: &impl Fn(),
) -> Result<Result<Recovered, Position>, DriverError> {
    let snapshot = store.load()?;
    let (position, last_at) = (snapshot.position, snapshot.last_at);
    let mut recovered = Recovered { state: State::restore(snapshot)?, timeline: Vec::new(), position, last_at };
    loop {
        let rows = store.journal(recovered.position, ROWS_PER_READ)?;
        if rows.is_empty() {
            return Ok(Ok(recovered));
        }
        for (position, at, kind, payload) in rows {
            on_row();
            (recovered.position, recovered.last_at) = (position, recovered.last_at.max(at));
            if poison.contains(&position) {
                continue;
            }
            let input: Input =
                serde_json::from_slice(&payload).map_err(|source| DriverError::Journal { position, kind, source })?;
            let Some(effects) = guarded(step, &mut recovered.state, at, input) else { return Ok(Err(position)) };
            reach(CrashPoint::Replaying);
            recovered.timeline.extend(effects.into_iter().filter_map(|effect| match effect {
                Effect::Timeline(entry) => Some(entry),
                _ => None,
            }));
        }
    }
}
