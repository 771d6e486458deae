//! Moves pages from the write-ahead log into the file, off the writer's thread: a page that is on its
//! way to a person must not wait for megabytes to be copied and synced.
//!
//! While the writer writes on, the log is never empty for the one who copies, so it would grow without
//! end. The writer therefore does the rest itself from time to time, when little is left to copy.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;

use super::error::Fault;
use super::{Access, Database};
use crate::store::StoreError;

/// Pages of 4 KiB in the log from which they are copied in the background (4 MiB), and again after as many.
const BACKGROUND_PAGES: i64 = 1_000;
/// From here on the log shall begin anew (32 MiB), for which somebody has to copy the last page of it.
const RESTART_PAGES: i64 = 8_000;
/// So little the writer copies itself, because then nothing waits for long; what is more is for the thread.
const WRITER_PAGES_MAX: i64 = 64;
/// A log that grows faster than the thread copies (128 MiB): then the writer takes its share.
const OVERFULL_PAGES: i64 = 4 * RESTART_PAGES;

/// The thread that copies; ends when this is dropped.
#[derive(Debug)]
pub(super) struct Checkpointer {
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
    /// Pages in the log when the thread was last woken.
    woken_at: i64,
}

#[derive(Debug, Default)]
struct Shared {
    is_copying: AtomicBool,
    /// A copy was not confirmed by the disk. The log still has the pages, but only a process that starts
    /// anew reads them from there: the system may take the lost ones for written.
    is_unconfirmed: AtomicBool,
}

/// State of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Log {
    pages: i64,
    copied: i64,
}

impl Checkpointer {
    pub(super) fn start(database: &Database) -> Result<Self, StoreError> {
        let connection = database.connect(Access::Checkpoint)?;
        let (wake, woken) = sync_channel(1);
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("checkpointer".to_owned())
            .spawn(move || copy_when_woken(&connection, &woken, &of_thread))
            .map_err(|source| StoreError::Failed { operation: "start the checkpoint thread", source: source.into() })?;
        Ok(Self { wake: Some(wake), thread: Some(thread), shared, woken_at: 0 })
    }

    /// After a commit: looks at the log and does what it asks for.
    ///
    /// # Errors
    /// [`StoreError::Sync`] when the disk did not confirm a copy; any other failure is tried again after the
    /// next commit.
    pub(super) fn after_commit(&mut self, writer: &Connection) -> Result<(), StoreError> {
        match self.look(writer) {
            Err(fault) => give_up_or_go_on(fault)?,
            Ok(()) if self.shared.is_unconfirmed.load(Ordering::SeqCst) => {
                return Err(StoreError::Sync { operation: OPERATION, source: "see the log".into() });
            }
            Ok(()) => {}
        }
        Ok(())
    }

    fn look(&mut self, writer: &Connection) -> Result<(), Fault> {
        let log = checkpoint(writer, "NOOP")?;
        if log.pages < self.woken_at {
            self.woken_at = 0;
        }
        if self.shared.is_copying.load(Ordering::SeqCst) {
            return Ok(());
        }
        let left = log.pages - log.copied;
        let is_full = log.pages >= RESTART_PAGES;
        let is_overfull = log.pages >= OVERFULL_PAGES;
        let wake_after = if is_full { WRITER_PAGES_MAX } else { BACKGROUND_PAGES };
        if is_full && left <= WRITER_PAGES_MAX || is_overfull && left < BACKGROUND_PAGES {
            checkpoint(writer, "PASSIVE")?;
        } else if log.pages - self.woken_at >= wake_after {
            self.woken_at = log.pages;
            // A full channel means that it is about to look anyway.
            let _ = self.wake.as_ref().map(|wake| wake.try_send(()));
        }
        Ok(())
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.wake.take();
        // A copy that panicked has told the log; there is nothing to add at the end.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

const OPERATION: &str = "move the log into the database file";

fn copy_when_woken(connection: &Connection, woken: &Receiver<()>, shared: &Shared) {
    while woken.recv().is_ok() {
        shared.is_copying.store(true, Ordering::SeqCst);
        if let Err(fault) = checkpoint(connection, "PASSIVE")
            && let Err(error) = give_up_or_go_on(fault)
        {
            tracing::error!(%error, "the database file cannot be trusted to hold what was copied");
            shared.is_unconfirmed.store(true, Ordering::SeqCst);
        }
        shared.is_copying.store(false, Ordering::SeqCst);
    }
}

/// # Errors
/// When the copy was not confirmed by the disk.
fn give_up_or_go_on(fault: Fault) -> Result<(), StoreError> {
    match fault.explain("", OPERATION) {
        error @ StoreError::Sync { .. } => Err(error),
        error => {
            tracing::warn!(%error, "tried again after the next commit");
            Ok(())
        }
    }
}

/// Never waits for readers or the writer in the modes used here.
fn checkpoint(connection: &Connection, mode: &str) -> Result<Log, Fault> {
    let mut statement = connection.prepare_cached(&format!("PRAGMA wal_checkpoint({mode})"))?;
    Ok(statement.query_row([], |row| Ok(Log { pages: row.get(1)?, copied: row.get(2)? }))?)
}
