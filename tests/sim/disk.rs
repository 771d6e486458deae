//! The real store on a disk that fails when told to. Only what the store's contract allows: an error that
//! leaves no trace, or one that leaves open what became durable, after which the process must end.

use std::sync::Arc;

use parking_lot::Mutex;
use watchbell::engine::state::Snapshot;
use watchbell::store::{Commit, Horizon, JournalEntry, Position, SqliteStore, Store, StoreError};

/// What the next commit meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing of it is written (no space).
    Refused,
    /// The sync was not confirmed; nothing of it was written.
    SyncLost,
    /// The sync was not confirmed; all of it was written.
    SyncKept,
}

/// How the world tells the disk what to do.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Option<Trouble>>>);

impl Disk {
    pub fn break_next(&self, trouble: Trouble) {
        *self.0.lock() = Some(trouble);
    }

    pub fn heal(&self) {
        *self.0.lock() = None;
    }
}

pub struct Fragile {
    pub store: SqliteStore,
    pub disk: Disk,
}

impl Store for Fragile {
    fn acquire(&mut self) -> Result<u64, StoreError> {
        self.store.acquire()
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        self.store.load()
    }

    fn journal(&mut self, after: Position, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        self.store.journal(after, limit)
    }

    fn commit(&mut self, commit: &Commit) -> Result<Position, StoreError> {
        let trouble = self.disk.0.lock().take();
        let sync = || StoreError::Sync { operation: "commit", source: "the disk did not answer".into() };
        match trouble {
            None => self.store.commit(commit),
            Some(Trouble::Refused) => {
                Err(StoreError::Failed { operation: "commit", source: "no space is left".into() })
            }
            Some(Trouble::SyncLost) => Err(sync()),
            Some(Trouble::SyncKept) => self.store.commit(commit).and(Err(sync())),
        }
    }

    fn prune(&mut self, horizon: &Horizon, rows_max: u32) -> Result<u64, StoreError> {
        self.store.prune(horizon, rows_max)
    }
}
