//! How far the store had come when it last acknowledged, in a small file beside it: `watchbell.db-mark`.
//!
//! SQLite ends its log at the first frame that does not fit its checksum, and takes what comes before for
//! everything there is. So a flipped bit in the log, a log that was deleted, or an old copy put in place of
//! the file would lose acknowledged inputs without a word. The mark is written after each commit and not
//! synced: that costs a microsecond, it can never be ahead of what is durable, and only a power loss can
//! leave it a few seconds behind. A store that ends before its mark has lost something.
//!
//! The file is also the lock: who writes to the store holds it shared, who replaces the store alone.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::Opening;
use super::file::with_suffix;
use super::seal;
use crate::store::Position;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    /// Nobody else gets it before [`Mark::share`].
    Alone,
    Shared,
}

#[derive(Debug)]
pub(super) struct Mark {
    file: File,
}

impl Mark {
    pub(super) fn path(store: &Path) -> PathBuf {
        with_suffix(store, "-mark")
    }

    /// Opens the mark of a store, if it has one.
    pub(super) fn find(store: &Path) -> io::Result<Option<Self>> {
        match OpenOptions::new().read(true).write(true).open(Self::path(store)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            file => Ok(Some(Self { file: file? })),
        }
    }

    /// Opens the mark of a store, or makes one that says nothing yet.
    pub(super) fn open(store: &Path) -> Result<Self, Opening> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(Self::path(store))?;
        Ok(Self { file })
    }

    /// Takes the store: alone if nobody else writes to it, else beside them.
    pub(super) fn take(&self) -> io::Result<Hold> {
        loop {
            if self.try_take_alone()? {
                return Ok(Hold::Alone);
            }
            if is_taken(self.file.try_lock_shared())? {
                return Ok(Hold::Shared);
            }
            tracing::info!("another process restores or checks the store; waiting until it is done");
            self.file.lock_shared()?;
            self.file.unlock()?;
        }
    }

    /// False when somebody else has it.
    pub(super) fn try_take_alone(&self) -> io::Result<bool> {
        is_taken(self.file.try_lock())
    }

    /// Lets others in who write.
    pub(super) fn share(&self) -> Result<(), Opening> {
        // Linux lets go of one lock before it takes the other, so a restore may come in between.
        if is_taken(self.file.try_lock_shared())? { Ok(()) } else { Err(Opening::InUse("it is being restored")) }
    }

    /// The highest position that was acknowledged; 0 for a mark that says nothing: it is new, or a power
    /// loss took it.
    pub(super) fn position(&self) -> io::Result<Position> {
        let mut bytes = [0; 64];
        let length = self.file.read_at(&mut bytes, 0)?;
        let text = seal::take_off(&bytes[..length], &[]).and_then(|text| str::from_utf8(text).ok());
        Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
    }

    /// Says that everything up to `position` is durable. A mark that cannot be written stays behind, which
    /// only makes it notice less; the commit is not undone for that.
    pub(super) fn set(&self, position: Position) {
        if let Err(error) = self.write(position) {
            tracing::debug!(%error, "cannot write down how far the store has come");
        }
    }

    /// Another store is in this place now, which ends at `position`.
    pub(super) fn replace(&self, position: Position) -> io::Result<()> {
        self.write(position)?;
        self.file.sync_all()
    }

    fn write(&self, position: Position) -> io::Result<()> {
        // Always the same length, so that no write leaves a part of the one before.
        let mut text = format!("{position:020}").into_bytes();
        seal::put_on(&mut text, &[]);
        self.file.write_all_at(&text, 0)
    }
}

fn is_taken(lock: Result<(), TryLockError>) -> io::Result<bool> {
    match lock {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_was_told_last() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("watchbell.db");
        let mark = Mark::open(&store).unwrap();
        assert_eq!(mark.position().unwrap(), 0);
        mark.set(Position::MAX);
        mark.set(41);
        assert_eq!(Mark::open(&store).unwrap().position().unwrap(), 41);
        assert_eq!(std::fs::read_to_string(Mark::path(&store)).unwrap(), "00000000000000000041//d7eeb7b1");
        std::fs::write(Mark::path(&store), "00000000000000000043//d7eeb7b1").unwrap();
        assert_eq!(mark.position().unwrap(), 0, "a damaged mark says nothing");
    }

    #[test]
    fn writers_share_it_and_a_restore_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("watchbell.db");
        let (first, second) = (Mark::open(&store).unwrap(), Mark::open(&store).unwrap());
        assert_eq!(first.take().unwrap(), Hold::Alone);
        assert!(!second.try_take_alone().unwrap());
        assert!(matches!(second.share(), Err(Opening::InUse(_))));
        first.share().unwrap();
        assert_eq!(second.take().unwrap(), Hold::Shared);
        assert_eq!(first.take().unwrap(), Hold::Shared);
        drop(second);
        assert_eq!(first.take().unwrap(), Hold::Alone);
    }
}
