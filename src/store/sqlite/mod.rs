//! The embedded store: one SQLite file, one writing connection, a few that only read.
//!
//! Decides where the file is, how it is opened and what counts as damaged. Never replaces or empties
//! a file that is already there, and never opens one that another program or a newer version wrote.
//!
//! ```text
//! SqliteStore::open(path) ──▶ SqliteStore (write.rs, prune.rs)  one transaction for each commit
//!                         └─▶ SqliteReader (read.rs, backup.rs)  snapshots, never in the writer's way
//! ```

mod audit;
mod backup;
mod change;
mod checkpoint;
mod error;
mod file;
mod firing;
mod load;
mod log;
mod mark;
mod packed;
mod problems;
mod prune;
mod read;
mod seal;
#[cfg(test)]
mod tests;
mod timeline;
mod told;
mod verify;
mod write;

pub use backup::{Copied, Progress, Restored, restore};

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::StoreError;
use crate::model::alert::AlertNumber;
use checkpoint::Checkpointer;
use error::{Fault, Opening};
use mark::{Hold, Mark};

/// Schema changes in order; the number applied stands in the file's `user_version`.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/sqlite/0001_init.sql"),
    include_str!("../migrations/sqlite/0002_changes.sql"),
    include_str!("../migrations/sqlite/0003_firings.sql"),
];
/// `WBLL`: tells our files from those of other programs that use SQLite.
const APPLICATION_ID: i32 = 0x5742_4c4c;

/// A file up to this size is checked page by page at every start; of a larger one only what is read
/// is checked, because a start must not take minutes.
const CHECK_BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// The log is cut back to this size after a burst.
const WAL_BYTES_KEPT: u32 = 64 * 1_024 * 1_024;
/// Longest wait for another process that holds the file.
const BUSY_WAIT: std::time::Duration = std::time::Duration::from_secs(5);
/// Page caches, in KiB.
const WRITER_CACHE_KIB: i32 = 16 * 1_024;
const READER_CACHE_KIB: i32 = 4 * 1_024;
/// Compiled statements kept by each connection; there are fewer.
const STATEMENTS_KEPT: usize = 64;
/// Idle reading connections that are kept.
const READERS_KEPT: usize = 8;

/// Where the data is; makes connections to it.
#[derive(Clone, Debug)]
enum Database {
    File(PathBuf),
    /// Name of a database in memory, shared by the connections of this process; gone with the last.
    Memory(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Write,
    Read,
    /// Moves pages from the log into the file.
    Checkpoint,
}

impl Database {
    /// For messages.
    fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Memory(name) => format!("memory:{name}"),
        }
    }

    fn connect(&self, access: Access) -> Result<Connection, StoreError> {
        self.connect_warily(access)
            .and_then(|connection| Ok(file::keep_log(&connection, false).map(|()| connection)?))
            .map_err(|error| error::opening(&self.name(), error))
    }

    /// A connection that changes nothing by being closed.
    fn connect_warily(&self, access: Access) -> Result<Connection, Opening> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = match self {
            // Without the flag to create: a file that is missing here has gone, and must be missed.
            Self::File(path) => Connection::open_with_flags(path, flags)?,
            Self::Memory(name) => Connection::open_with_flags(
                format!("file:/{name}?vfs=memdb"),
                flags | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_URI,
            )?,
        };
        file::keep_log(&connection, true)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        // Before anything is set that writes: the file may be somebody else's.
        let is_fresh = file::check_identity(&connection)? == 0;
        if is_fresh && !(access == Access::Write && matches!(self, Self::Memory(_))) {
            return Err(Opening::NotOurs("it holds no tables"));
        }
        // No memory map: a failing disk would then end the process with a signal instead of an error.
        connection.execute_batch(
            "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA foreign_keys = OFF;
             PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;",
        )?;
        match access {
            Access::Write => prepare_writer(&connection, matches!(self, Self::File(_)))?,
            Access::Checkpoint => connection.pragma_update(None, "synchronous", "FULL")?,
            Access::Read => {
                connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
                // Opened for writing all the same: only such a connection can bring in the log that
                // a killed process left behind.
                connection.pragma_update(None, "query_only", true)?;
            }
        }
        Ok(connection)
    }
}

fn prepare_writer(connection: &Connection, is_file: bool) -> Result<(), Opening> {
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    if is_file {
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        if mode != "wal" {
            return Err(Opening::NoWal(mode));
        }
        // `checkpoint.rs` sees to it.
        connection.query_row("PRAGMA wal_autocheckpoint = 0", [], |_| Ok(()))?;
        connection.query_row(&format!("PRAGMA journal_size_limit = {WAL_BYTES_KEPT}"), [], |_| Ok(()))?;
    }
    wait_for_the_disk(connection, true)?;
    Ok(())
}

/// Whether commits on this connection wait until the disk has them. What does not wait is in the same log
/// before what does, so the next one that waits makes both durable, and a power loss takes the end only.
fn wait_for_the_disk(connection: &Connection, is_synced: bool) -> Result<(), rusqlite::Error> {
    connection.pragma_update(None, "synchronous", if is_synced { "FULL" } else { "NORMAL" })
}

/// Brings the schema up to date; changes nothing when it is.
fn migrate(connection: &mut Connection) -> Result<(), rusqlite::Error> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let applied: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if applied as usize >= MIGRATIONS.len() {
        return Ok(());
    }
    for migration in &MIGRATIONS[applied as usize..] {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32)?;
    transaction.commit()
}

/// The one writing connection. Fenced by an epoch: after another holder's [`acquire`] nothing that
/// this one does takes effect.
///
/// [`acquire`]: super::Store::acquire
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    name: String,
    epoch: u64,
    /// Highest alert number written; a hint only: rows above it are new, so no update is tried.
    last_alert: AlertNumber,
    scratch: write::Scratch,
    /// Whether a commit waits for the disk at present.
    is_synced: bool,
    /// None in memory, which has no log. After the connection, so that the last to close is this one's.
    checkpointer: Option<Checkpointer>,
    /// How far it has come, outside of it; none in memory. Last, because it is also the lock.
    mark: Option<Mark>,
}

impl SqliteStore {
    /// Opens the file, or makes it (mode 0600, its directory 0700) when there is none.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a file that is no database, was cut short or fails its check;
    /// [`StoreError::Newer`] for one of a later version; [`StoreError::Open`] otherwise.
    pub fn open(path: &Path) -> Result<(Self, SqliteReader), StoreError> {
        let refused = |error: Opening| error::opening(&path.display().to_string(), error);
        file::create_directory(path).map_err(|error| refused(error.into()))?;
        let mark = Mark::open(path).map_err(refused)?;
        // While another process has it open, that one answers for what is in it.
        let is_alone = mark.take().map_err(|error| refused(error.into()))? == Hold::Alone;
        file::create_if_missing(path, &mark).map_err(refused)?;
        file::check_size(path).map_err(refused)?;
        if is_alone {
            log::check(path).and_then(|()| log::settle(path)).map_err(refused)?;
        }
        let database = Database::File(path.to_owned());
        let mut store = Self::over(&database)?;
        if file::size(path) <= CHECK_BYTES_MAX {
            file::check_pages(&store.connection).map_err(refused)?;
        }
        if is_alone {
            file::check_mark(&store.connection, &mark).map_err(refused)?;
        }
        mark.share().map_err(refused)?;
        store.mark = Some(mark);
        store.go_on(&database)?;
        Ok((store, SqliteReader::over(database)?))
    }

    /// A store of its own that is gone once it and its readers are dropped; for tests and simulation.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_in_memory() -> Result<(Self, SqliteReader), StoreError> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        let database = Database::Memory(format!("watchbell-{}", OPENED.fetch_add(1, Ordering::Relaxed)));
        let store = Self::over(&database)?;
        let reader = SqliteReader::over(database)?;
        Ok((store, reader))
    }

    fn over(database: &Database) -> Result<Self, StoreError> {
        let name = database.name();
        let refused = |error| error::opening(&name, error);
        let mut connection = database.connect_warily(Access::Write).map_err(refused)?;
        migrate(&mut connection).map_err(|error| refused(error.into()))?;
        file::check_schema(&connection).and_then(|()| file::check_position(&connection)).map_err(refused)?;
        let scratch = write::Scratch::default();
        let (checkpointer, mark) = (None, None);
        Ok(Self { connection, name, epoch: 0, last_alert: 0, scratch, is_synced: true, checkpointer, mark })
    }

    /// The store has been looked at and is good: from here on its log may be moved into the file.
    fn go_on(&mut self, database: &Database) -> Result<(), StoreError> {
        file::keep_log(&self.connection, false).map_err(|error| error::opening(&self.name, error.into()))?;
        self.checkpointer = Some(Checkpointer::start(database)?);
        Ok(())
    }

    fn explain(&self, operation: &'static str, fault: Fault) -> StoreError {
        fault.explain(&self.name, operation)
    }
}

/// A store that no daemon has open may have been damaged since; its readers must not take less for all.
fn check_unattended(database: &Database, path: &Path) -> Result<(), Opening> {
    let Some(mark) = Mark::find(path)? else { return Ok(()) };
    if mark.take()? == Hold::Alone {
        log::check(path)?;
        file::check_mark(&database.connect_warily(Access::Read)?, &mark)?;
    }
    Ok(())
}

/// Reads committed state from a few connections of its own; cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteReader {
    pool: Arc<Pool>,
}

#[derive(Debug)]
struct Pool {
    database: Database,
    idle: Mutex<Vec<Connection>>,
}

impl SqliteReader {
    /// Reads a store that is there already, whether or not a daemon is writing to it.
    ///
    /// # Errors
    /// As [`SqliteStore::open`]; a missing file is not created.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let database = Database::File(path.to_owned());
        file::check_size(path)
            .and_then(|()| check_unattended(&database, path))
            .map_err(|error| error::opening(&database.name(), error))?;
        Self::over(database)
    }

    fn over(database: Database) -> Result<Self, StoreError> {
        let first = database.connect(Access::Read)?;
        Ok(Self { pool: Arc::new(Pool { database, idle: Mutex::new(vec![first]) }) })
    }

    /// Another writer for the same data, as a second process would be; it must `acquire` first.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn writer(&self) -> Result<SqliteStore, StoreError> {
        let database = &self.pool.database;
        let mut store = SqliteStore::over(database)?;
        if matches!(database, Database::File(_)) {
            store.go_on(database)?;
        }
        Ok(store)
    }

    /// Runs `query` on one snapshot.
    fn read<T>(
        &self,
        operation: &'static str,
        query: impl FnOnce(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let idle = self.pool.idle.lock().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.pool.database.connect(Access::Read)?,
        };
        let answer = connection.unchecked_transaction().map_err(Fault::from).and_then(|snapshot| query(&snapshot));
        // A connection that failed is not used again; a caller's mistake is no failure.
        if !matches!(answer, Err(Fault::Sqlite(_))) {
            let mut idle = self.pool.idle.lock();
            if idle.len() < READERS_KEPT {
                idle.push(connection);
            }
        }
        answer.map_err(|fault| fault.explain(&self.pool.database.name(), operation))
    }
}
