//! What a failure of SQLite means to the daemon: try again, restart, or stop and look at the file.
//!
//! Decides by result code, never by message text. `SQLITE_IOERR_FSYNC` on a commit →
//! [`StoreError::Sync`]: the one case in which a retry could acknowledge what is not on the disk.

use rusqlite::{ErrorCode, ffi};

use crate::store::StoreError;

/// Why a query or a transaction ended early, before it is known what was being done.
#[derive(Debug)]
pub(super) enum Fault {
    Sqlite(rusqlite::Error),
    /// What SQLite takes for sound and we do not.
    Damaged(String),
    Store(StoreError),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Fault {
    pub(super) fn explain(self, path: &str, operation: &'static str) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Damaged(detail) => StoreError::Damaged { path: path.to_owned(), detail },
            Self::Sqlite(error) if is_damage(&error) => damaged(path, &error),
            Self::Sqlite(error) if is_unconfirmed(&error) => StoreError::Sync { operation, source: Box::new(error) },
            Self::Sqlite(error) => StoreError::Failed { operation, source: Box::new(error) },
        }
    }
}

/// Why a file could not be opened as a store.
#[derive(Debug, thiserror::Error)]
pub(super) enum Opening {
    #[error("SQLite refuses it")]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error("it is not a store of this program: {0}")]
    NotOurs(&'static str),
    #[error("expected journal mode `wal`, got `{0}`: the file system may not support shared memory")]
    NoWal(String),
    #[error("{0}")]
    InUse(&'static str),
    #[error("{0}")]
    Damaged(String),
    #[error("schema {0}")]
    Newer(u32),
}

pub(super) fn opening(path: &str, error: Opening) -> StoreError {
    match error {
        Opening::Damaged(detail) => StoreError::Damaged { path: path.to_owned(), detail },
        Opening::InUse(detail) => StoreError::InUse { path: path.to_owned(), detail },
        Opening::Newer(found) => StoreError::Newer { found, known: super::MIGRATIONS.len() as u32 },
        Opening::Sqlite(error) if is_damage(&error) => damaged(path, &error),
        other => StoreError::Open { path: path.to_owned(), source: Box::new(other) },
    }
}

fn damaged(path: &str, error: &rusqlite::Error) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), detail: error.to_string() }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error();
    code.is_some_and(|error| {
        matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            || error.extended_code == ffi::SQLITE_IOERR_CORRUPTFS
    })
}

fn is_unconfirmed(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_extended_error_code(), Some(ffi::SQLITE_IOERR_FSYNC | ffi::SQLITE_IOERR_DIR_FSYNC))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(code: i32) -> &'static str {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
        match Fault::from(error).explain("watchbell.db", "commit") {
            StoreError::Damaged { .. } => "damaged",
            StoreError::Sync { .. } => "sync",
            StoreError::Failed { .. } => "failed",
            _ => "other",
        }
    }

    #[test]
    fn only_an_unconfirmed_write_asks_for_a_restart() {
        for code in [ffi::SQLITE_IOERR_FSYNC, ffi::SQLITE_IOERR_DIR_FSYNC] {
            assert_eq!(kind(code), "sync");
        }
        for code in [ffi::SQLITE_FULL, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_BUSY, ffi::SQLITE_READONLY] {
            assert_eq!(kind(code), "failed");
        }
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB, ffi::SQLITE_IOERR_CORRUPTFS] {
            assert_eq!(kind(code), "damaged");
        }
    }
}
