//! Deletes history that is older than the configuration keeps it, a little at a time.

use crate::config::Retention;
use crate::model::Timestamp;
use crate::store::{Horizon, Store, StoreError};

/// Rows of each kind in one go, so that the writer is never held up for long.
const ROWS_MAX: u32 = 2_000;

/// One small step of pruning; returns how many rows went.
///
/// # Errors
/// What the store says; nothing is lost by trying again later.
pub fn prune(store: &mut dyn Store, now: Timestamp, keep: &Retention) -> Result<u64, StoreError> {
    store.prune(&Horizon { journal: now - keep.journal, history: now - keep.history }, ROWS_MAX)
}
