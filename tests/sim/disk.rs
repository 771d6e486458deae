//! The real store on a disk that fails when told to, and under a process that dies at any of its effects
//! on it. Failures are only what the store's contract allows: an error that leaves no trace, or one that
//! leaves open what became durable, after which the process must end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use watchbell::engine::state::Snapshot;
use watchbell::store::{Commit, Horizon, JournalEntry, Position, SqliteStore, Store, StoreError};

/// What the next commit, or the next look at what is stored, meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing of it is written (no space).
    Refused,
    /// The sync was not confirmed; nothing of it was written.
    SyncLost,
    /// The sync was not confirmed; all of it was written.
    SyncKept,
    /// It cannot be read; a commit goes through.
    Unreadable,
}

#[derive(Default)]
struct Inner {
    trouble: Option<Trouble>,
    /// Moments before and after effects on the disk until the process dies.
    moments_left: Option<u32>,
    is_killed: bool,
}

/// How the world tells the disk what to do.
#[derive(Clone, Default)]
pub struct Disk(Arc<Mutex<Inner>>);

impl Disk {
    pub fn break_next(&self, trouble: Trouble) {
        self.0.lock().trouble = Some(trouble);
    }

    /// Lets the process die after `moments` more: right before or right after it takes the store over,
    /// reads the state or the journal, or commits. So it can die between a step and its commit, between
    /// the commit and everything that follows from it, and anywhere in a recovery.
    pub fn kill_after(&self, moments: u32) {
        self.0.lock().moments_left = Some(moments);
    }

    pub fn heal(&self) {
        *self.0.lock() = Inner::default();
    }

    /// True once after the process has died here.
    pub fn take_killed(&self) -> bool {
        std::mem::take(&mut self.0.lock().is_killed)
    }

    /// One moment passes; an error for everything from the death of the process on.
    fn live(&self, operation: &'static str) -> Result<(), StoreError> {
        let mut inner = self.0.lock();
        match inner.moments_left {
            Some(0) => (inner.is_killed, inner.moments_left) = (true, None),
            Some(moments) => inner.moments_left = Some(moments - 1),
            None => {}
        }
        let dead = StoreError::Sync { operation, source: "the process is dead".into() };
        if inner.is_killed { Err(dead) } else { Ok(()) }
    }

    fn take(&self, is_it: impl Fn(Trouble) -> bool) -> Option<Trouble> {
        self.0.lock().trouble.take_if(|trouble| is_it(*trouble))
    }

    fn read<T>(&self, operation: &'static str, read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.live(operation)?;
        if self.take(|trouble| trouble == Trouble::Unreadable).is_some() {
            return Err(StoreError::Failed { operation, source: "the disk did not answer".into() });
        }
        let result = read();
        self.live(operation)?;
        result
    }
}

pub struct Fragile {
    pub store: SqliteStore,
    pub disk: Disk,
    /// Counts commits that may have changed the rows behind the journal, of all processes.
    pub rows: Arc<AtomicU64>,
}

impl Store for Fragile {
    fn acquire(&mut self) -> Result<u64, StoreError> {
        self.disk.live("acquire")?;
        let epoch = self.store.acquire();
        self.disk.live("acquire")?;
        epoch
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        self.disk.read("load", || self.store.load())
    }

    fn journal(&mut self, after: Position, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        self.disk.read("journal", || self.store.journal(after, limit))
    }

    fn commit(&mut self, commit: &Commit) -> Result<Position, StoreError> {
        self.disk.live("commit")?;
        self.rows.fetch_add(u64::from(commit.rows.is_some()), Ordering::Relaxed);
        let sync = || StoreError::Sync { operation: "commit", source: "the disk did not answer".into() };
        let result = match self.disk.take(|trouble| trouble != Trouble::Unreadable) {
            None | Some(Trouble::Unreadable) => self.store.commit(commit),
            Some(Trouble::Refused) => {
                Err(StoreError::Failed { operation: "commit", source: "no space is left".into() })
            }
            Some(Trouble::SyncLost) => Err(sync()),
            Some(Trouble::SyncKept) => self.store.commit(commit).and(Err(sync())),
        };
        self.disk.live("commit")?;
        result
    }

    fn prune(&mut self, horizon: &Horizon, rows_max: u32) -> Result<u64, StoreError> {
        self.store.prune(horizon, rows_max)
    }
}
