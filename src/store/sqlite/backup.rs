//! A copy of the whole store as of one instant, made while the daemon goes on writing.
//!
//! The copy gets its name only when it is complete, checked and on the disk. Never overwrites a file.

use std::path::Path;

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ffi};

use super::error::{Fault, opening};
use super::{SqliteReader, file};
use crate::store::StoreError;

impl SqliteReader {
    /// Copies the store into the new file `to` (mode 0600). Opening the copy is restoring it.
    ///
    /// # Errors
    /// [`StoreError::Open`] when `to` exists or cannot be written, [`StoreError::Damaged`] when the
    /// copy fails its check, which means that the original would.
    pub fn backup(&self, to: &Path) -> Result<(), StoreError> {
        let name = to.display().to_string();
        let refused = |error: std::io::Error| opening(&name, error.into());
        if to.try_exists().map_err(refused)? {
            return Err(refused(std::io::ErrorKind::AlreadyExists.into()));
        }
        let partial = file::with_suffix(to, ".partial");
        file::remove_if_there(&partial).map_err(refused)?;
        file::create_private(&partial).map_err(refused)?;
        let copied = self
            .read("copy the store", |connection| copy(connection, &partial, &name))
            .and_then(|()| file::publish(&partial, to).map_err(refused));
        if copied.is_err() {
            // Best effort: the failure itself is what must be told.
            let _ = file::remove_if_there(&partial);
        }
        copied
    }
}

fn copy(from: &Connection, partial: &Path, name: &str) -> Result<(), Fault> {
    let mut to = Connection::open(partial)?;
    {
        let backup = Backup::new(from, &mut to)?;
        // All pages in one step, hence of one snapshot: in several, each commit would start it again.
        match backup.step(-1)? {
            StepResult::Done => {}
            // Nobody else knows the copy's name, so this is a source that has no snapshots: memory.
            _ => return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None).into()),
        }
    }
    file::quick_check(&to).map_err(|error| opening(name, error))?;
    to.close().map_err(|(_, error)| error)?;
    Ok(())
}
