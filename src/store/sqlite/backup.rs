//! A copy of the whole store as of one instant, made while the daemon goes on writing, and the way back.
//!
//! A copy gets its name only when it is complete, checked and on the disk. Nothing is overwritten: a
//! restore puts the store that it replaces aside.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ffi};

use super::error::{Fault, Opening, opening};
use super::load::position;
use super::mark::Mark;
use super::{SqliteReader, file, verify};
use crate::crash_point::{CrashPoint, reach};
use crate::store::{Position, StoreError};

/// Pages that are copied between two words about it (4 MiB).
const PAGES_PER_STEP: i32 = 1_024;
/// The same for a file that is not read through SQLite.
const COPY_BYTES: u64 = 4 * 1_024 * 1_024;
/// What belongs to a store beside its file.
const LOG: &str = "-wal";
const SHARED_MEMORY: &str = "-shm";

/// What a copy holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The last input in it.
    pub position: Position,
    pub bytes: u64,
}

/// Hears how far a copy is: done and all of it, both in bytes.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

impl SqliteReader {
    /// Copies the store into the new file `to` (mode 0600).
    ///
    /// # Errors
    /// [`StoreError::Open`] when `to` exists or cannot be written, [`StoreError::Damaged`] when the
    /// copy fails its check, which means that the original would.
    pub fn backup(&self, to: &Path, progress: Progress<'_>) -> Result<Copied, StoreError> {
        let name = to.display().to_string();
        let refused = |error: io::Error| opening(&name, error.into());
        if to.try_exists().map_err(refused)? {
            return Err(refused(io::ErrorKind::AlreadyExists.into()));
        }
        let partial = file::with_suffix(to, ".partial");
        file::remove_if_there(&partial).map_err(refused)?;
        file::create_private(&partial).map_err(refused)?;
        let copied = self
            .read("copy the store", |connection| copy(connection, &partial, progress))
            .inspect(|_| reach(CrashPoint::BackingUp))
            .and_then(|position| file::publish(&partial, to).map(|()| position).map_err(refused));
        if copied.is_err() {
            // Best effort: the failure itself is what must be told.
            let _ = file::remove_if_there(&partial);
        }
        Ok(Copied { position: copied?, bytes: file::size(to) })
    }
}

fn copy(from: &Connection, partial: &Path, progress: Progress<'_>) -> Result<Position, Fault> {
    // The first read of the transaction: from here on it sees this instant, however long the copy takes.
    let position = position(from)?;
    let page_bytes: u64 = from.query_row("PRAGMA page_size", [], |row| row.get::<_, u32>(0))?.into();
    let mut to = Connection::open(partial)?;
    {
        let backup = Backup::new(from, &mut to)?;
        loop {
            let step = backup.step(PAGES_PER_STEP)?;
            let (all, left) = (backup.progress().pagecount, backup.progress().remaining);
            let bytes = |pages: i32| u64::from(pages.unsigned_abs()) * page_bytes;
            progress(bytes(all - left), bytes(all));
            match step {
                StepResult::Done => break,
                StepResult::More => {}
                // Nobody else knows the copy's name, so this is a source that has no snapshots: memory.
                _ => return Err(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None).into()),
            }
        }
    }
    verify::verify(&to)?;
    to.close().map_err(|(_, error)| error)?;
    Ok(position)
}

/// What a restore did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    pub copied: Copied,
    /// Where the store is now that was there before, if there was one.
    pub put_aside: Option<PathBuf>,
}

/// Puts the copy `from` in the place of the store at `to`, which is put aside under a name that ends in
/// `aside`. May be repeated when it was interrupted: no daemon starts on what lies in between.
///
/// # Errors
/// [`StoreError::Open`] when a daemon has the store open, or a file cannot be read or written;
/// [`StoreError::Damaged`] when the copy is not sound. Nothing has changed then.
pub fn restore(from: &Path, to: &Path, aside: &str, progress: Progress<'_>) -> Result<Restored, StoreError> {
    let of_store = |error: Opening| opening(&to.display().to_string(), error);
    file::create_directory(to).map_err(|error| of_store(error.into()))?;
    let owner = owner(to).map_err(|error| of_store(error.into()))?;
    let mark = Mark::open(to).map_err(of_store)?;
    if !mark.try_take_alone().map_err(|error| of_store(error.into()))? {
        return Err(of_store(Opening::InUse("a daemon runs on it")));
    }
    let partial = file::with_suffix(to, ".restoring");
    let restored = fetch(from, &partial, progress).and_then(|copied| {
        let replaced = || -> Result<Option<PathBuf>, Opening> {
            chown(&partial, Some(owner.0), Some(owner.1))?;
            chown(Mark::path(to), Some(owner.0), Some(owner.1))?;
            let put_aside = put_aside(to, aside)?;
            file::publish(&partial, to)?;
            mark.replace(copied.position)?;
            Ok(put_aside)
        };
        Ok(Restored { copied, put_aside: replaced().map_err(of_store)? })
    });
    if restored.is_err() {
        let _ = file::remove_if_there(&partial);
    }
    restored
}

/// Who the store belongs to: root may restore it for a daemon that is somebody else.
fn owner(store: &Path) -> io::Result<(u32, u32)> {
    let directory = store.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let metadata = fs::metadata(store).or_else(|_| fs::metadata(directory))?;
    Ok((metadata.uid(), metadata.gid()))
}

/// Copies `from` beside the store and checks what has arrived.
fn fetch(from: &Path, partial: &Path, progress: Progress<'_>) -> Result<Copied, StoreError> {
    let name = from.display().to_string();
    let refused = |error: Opening| opening(&name, error);
    file::check_size(from).map_err(refused)?;
    if file::size(&file::with_suffix(from, LOG)) > 0 {
        return Err(refused(Opening::NotOurs("it has a log beside it, so it is a store in use and no copy of one")));
    }
    let bytes = copy_file(from, partial, progress).map_err(|error| refused(error.into()))?;
    let position = check(partial, &name)?;
    Ok(Copied { position, bytes })
}

fn copy_file(from: &Path, partial: &Path, progress: Progress<'_>) -> io::Result<u64> {
    file::remove_if_there(partial)?;
    file::create_private(partial)?;
    let all = file::size(from);
    let (from, mut to) = (File::open(from)?, File::options().write(true).open(partial)?);
    let mut done = 0;
    loop {
        let length = io::copy(&mut (&from).take(COPY_BYTES), &mut to)?;
        if length == 0 {
            return Ok(done);
        }
        done += length;
        progress(done, all);
    }
}

fn check(partial: &Path, name: &str) -> Result<Position, StoreError> {
    let opened = || -> Result<Connection, Opening> {
        let connection = Connection::open(partial)?;
        match file::check_identity(&connection)? {
            0 => Err(Opening::NotOurs("it holds no tables")),
            _ => file::check_position(&connection).map(|()| connection),
        }
    };
    let connection = opened().map_err(|error| opening(name, error))?;
    let position = verify::verify(&connection).and_then(|()| position(&connection));
    let closed = connection.close().map_err(|(_, error)| Fault::from(error));
    closed.and(position).map_err(|fault| fault.explain(name, "check the copy"))
}

/// Gives the store's files another name; the log first, because a log must never meet another store.
fn put_aside(store: &Path, aside: &str) -> io::Result<Option<PathBuf>> {
    let new_name = file::with_suffix(store, aside);
    for suffix in [LOG, ""] {
        let (old, new) = (file::with_suffix(store, suffix), file::with_suffix(&new_name, suffix));
        if new.try_exists()? {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("`{}` is there already", new.display())));
        }
        match fs::rename(old, new) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    file::remove_if_there(&file::with_suffix(store, SHARED_MEMORY))?;
    Ok(new_name.try_exists()?.then_some(new_name))
}
