//! What could not be sent yet, on disk, in order. Decides names, order and bounds; never what is in a
//! body and never when to send.
//!
//! ```text
//! DIR/<milliseconds>-<number>.<kind>   one body each, oldest first by name, mode 0600
//! DIR/tmp/                             being written
//! DIR/rejected/                        what the daemon refused for good, each with its answer beside it
//! ```
//!
//! A body is durable once [`Spool::put`] returns: written, synced, renamed, directory synced. The order
//! is that of `put`, also when the clock is set back. Locks are advisory ones on the directories
//! themselves, so no lock file can be left behind, or belong to a user who may not open it.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::model::Timestamp;

/// How often a lock that another call holds is tried again.
const LOCK_POLL: Duration = Duration::from_millis(20);
/// Bodies in one millisecond; the name of the next one counts on.
const NUMBER_MAX: u32 = 999_999;

pub struct Spool {
    directory: PathBuf,
    /// End of the names: one directory can serve several kinds, each with its own address.
    kind: &'static str,
    entries_max: usize,
}

/// Name of one waiting body; sorts by age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    at_ms: i64,
    number: u32,
    name: String,
}

impl Entry {
    fn new(at_ms: i64, number: u32, kind: &str) -> Self {
        Self { at_ms, number, name: format!("{at_ms:014}-{number:06}.{kind}") }
    }

    fn parse(name: &str, kind: &str) -> Option<Self> {
        let (at_ms, number) = name.strip_suffix(kind)?.strip_suffix('.')?.split_once('-')?;
        let entry = Self::new(at_ms.parse().ok()?, number.parse().ok()?, kind);
        (entry.name == name).then_some(entry)
    }
}

#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("cannot {action} `{}`", path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the spool `{}` is full: {count} wait in it", directory.display())]
    Full { directory: PathBuf, count: usize },
}

/// For `map_err`: what was tried with which path.
fn cannot(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SpoolError {
    move |source| SpoolError::Io { action, path: path.to_owned(), source }
}

impl Spool {
    /// Opens the directory, and makes it when it is not there (mode 0700).
    ///
    /// # Errors
    /// When it cannot be made or used.
    pub fn open(directory: &Path, kind: &'static str, entries_max: usize) -> Result<Self, SpoolError> {
        let spool = Self { directory: directory.to_owned(), kind, entries_max };
        make_directory(directory).map_err(cannot("make the directory", directory))?;
        for path in [spool.temporary(), spool.rejected()] {
            make_directory(&path).map_err(cannot("make the directory", &path))?;
            give_to_owner(directory, &path);
        }
        Ok(spool)
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn temporary(&self) -> PathBuf {
        self.directory.join("tmp")
    }

    fn rejected(&self) -> PathBuf {
        self.directory.join("rejected")
    }

    /// Keeps a body durably, as the newest.
    ///
    /// # Errors
    /// When the spool is full or cannot be written.
    pub fn put(&self, body: &[u8], now: Timestamp) -> Result<Entry, SpoolError> {
        let temporary = self.temporary();
        let lock = File::open(&temporary).and_then(|directory| directory.lock().map(|()| directory));
        let _lock = lock.map_err(cannot("lock", &temporary))?;
        let waiting = self.waiting()?;
        if waiting.len() >= self.entries_max {
            return Err(SpoolError::Full { directory: self.directory.clone(), count: waiting.len() });
        }
        let entry = next_entry(waiting.last(), now, self.kind);
        let (from, to) = (temporary.join(&entry.name), self.directory.join(&entry.name));
        // Under the lock nobody else writes: what stands there is a rest of a call that was killed.
        let written = write_durably(&from, body).map_err(cannot("write", &from));
        let moved = written.and_then(|()| {
            give_to_owner(&self.directory, &from);
            fs::rename(&from, &to).map_err(cannot("write", &to))?;
            sync_directory(&self.directory).map_err(cannot("sync", &self.directory))
        });
        if moved.is_err() {
            let _ = fs::remove_file(&from);
        }
        moved.map(|()| entry)
    }

    /// All that wait, oldest first.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn waiting(&self) -> Result<Vec<Entry>, SpoolError> {
        entries(&self.directory, self.kind).map_err(cannot("read the directory", &self.directory))
    }

    pub fn is_waiting(&self, entry: &Entry) -> bool {
        self.directory.join(&entry.name).exists()
    }

    pub fn is_rejected(&self, entry: &Entry) -> bool {
        self.rejected().join(&entry.name).exists()
    }

    /// Nobody else sends from this spool while the file is open; none when that is not to be had before
    /// `deadline`, or once `is_over` says that it is not needed any more.
    ///
    /// # Errors
    /// When the directory cannot be locked at all.
    pub fn lock(&self, deadline: Instant, is_over: impl Fn() -> bool) -> Result<Option<File>, SpoolError> {
        let directory = File::open(&self.directory).map_err(cannot("open", &self.directory))?;
        loop {
            match directory.try_lock() {
                Ok(()) => return Ok(Some(directory)),
                Err(TryLockError::WouldBlock) if is_over() || Instant::now() + LOCK_POLL >= deadline => {
                    return Ok(None);
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_POLL),
                Err(TryLockError::Error(error)) => return Err(cannot("lock", &self.directory)(error)),
            }
        }
    }

    /// # Errors
    /// When it cannot be read.
    pub fn read(&self, entry: &Entry) -> Result<Vec<u8>, SpoolError> {
        let path = self.directory.join(&entry.name);
        fs::read(&path).map_err(cannot("read", &path))
    }

    /// Forgets a body that was taken.
    ///
    /// # Errors
    /// When it cannot be deleted: it would be sent again and again.
    pub fn remove(&self, entry: &Entry) -> Result<(), SpoolError> {
        let path = self.directory.join(&entry.name);
        fs::remove_file(&path).map_err(cannot("delete", &path))
    }

    /// Puts a body aside that the daemon will never take, with its answer beside it; returns where.
    ///
    /// # Errors
    /// When that cannot be written.
    pub fn reject(&self, entry: &Entry, answer: &str) -> Result<PathBuf, SpoolError> {
        let (from, to) = (self.directory.join(&entry.name), self.rejected().join(&entry.name));
        let side = self.rejected().join(format!("{}.answer", entry.name));
        let _ = fs::remove_file(&side);
        write_durably(&side, answer.as_bytes()).map_err(cannot("write", &side))?;
        fs::rename(&from, &to).map_err(cannot("move", &from))?;
        self.trim_rejected();
        Ok(to)
    }

    /// The oldest go when there are more than may wait: a wrong address must not fill the disk.
    fn trim_rejected(&self) {
        let directory = self.rejected();
        let Ok(entries) = entries(&directory, self.kind) else { return };
        for entry in &entries[..entries.len().saturating_sub(self.entries_max)] {
            for name in [entry.name.clone(), format!("{}.answer", entry.name)] {
                let _ = fs::remove_file(directory.join(name));
            }
        }
    }

    /// Lets everything that was refused wait again; returns how many.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn retry_rejected(&self) -> Result<usize, SpoolError> {
        let directory = self.rejected();
        let entries = entries(&directory, self.kind).map_err(cannot("read the directory", &directory))?;
        for entry in &entries {
            let from = directory.join(&entry.name);
            fs::rename(&from, self.directory.join(&entry.name)).map_err(cannot("move", &from))?;
            let _ = fs::remove_file(directory.join(format!("{}.answer", entry.name)));
        }
        Ok(entries.len())
    }
}

fn next_entry(newest: Option<&Entry>, now: Timestamp, kind: &str) -> Entry {
    let now = now.as_millis().max(0);
    match newest {
        Some(newest) if newest.at_ms >= now && newest.number < NUMBER_MAX => {
            Entry::new(newest.at_ms, newest.number + 1, kind)
        }
        Some(newest) if newest.at_ms >= now => Entry::new(newest.at_ms + 1, 0, kind),
        _ => Entry::new(now, 0, kind),
    }
}

fn entries(directory: &Path, kind: &str) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for file in fs::read_dir(directory)? {
        if let Some(entry) = file?.file_name().to_str().and_then(|name| Entry::parse(name, kind)) {
            entries.push(entry);
        }
    }
    entries.sort();
    Ok(entries)
}

fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        result => result,
    }
}

/// A new file, readable by its owner only, synced.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

/// What root makes in another user's spool belongs to that user, who could not go on with it otherwise.
/// For anyone else it belongs to them already, or this fails, which changes nothing.
fn give_to_owner(directory: &Path, path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let Ok(owner) = fs::metadata(directory) {
            let _ = std::os::unix::fs::lchown(path, Some(owner.uid()), Some(owner.gid()));
        }
    }
    #[cfg(not(unix))]
    let _ = (directory, path);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn bodies(spool: &Spool) -> Vec<String> {
        let read = |entry| String::from_utf8(spool.read(entry).unwrap()).unwrap();
        spool.waiting().unwrap().iter().map(read).collect()
    }

    #[test]
    fn the_order_is_that_of_putting_even_when_the_clock_goes_back() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::open(&home.path().join("spool"), "nagios", 10).unwrap();
        for (body, ms) in [("a", 5_000), ("b", 5_000), ("c", 4_000), ("d", 6_000)] {
            spool.put(body.as_bytes(), at(ms)).unwrap();
        }
        assert_eq!(bodies(&spool), ["a", "b", "c", "d"]);
        let names: Vec<_> = spool.waiting().unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names[2..], ["00000000005000-000002.nagios", "00000000006000-000000.nagios"]);
    }

    #[test]
    fn a_full_spool_refuses_the_newest_and_keeps_the_rest() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::open(home.path(), "nagios", 2).unwrap();
        spool.put(b"a", at(1)).unwrap();
        spool.put(b"b", at(2)).unwrap();
        let error = spool.put(b"c", at(3)).unwrap_err();
        assert_eq!(error.to_string(), format!("the spool `{}` is full: 2 wait in it", home.path().display()));
        assert_eq!(bodies(&spool), ["a", "b"]);
    }

    #[test]
    fn what_is_no_entry_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::open(home.path(), "nagios", 2).unwrap();
        for name in ["README", "1-2.nagios", "00000000005000-000002.generic", ".x.nagios", "ü-1.nagios"] {
            fs::write(home.path().join(name), "x").unwrap();
        }
        // A call that was killed while it wrote leaves half a body under the next name.
        fs::write(home.path().join("tmp/00000000000007-000000.nagios"), "half").unwrap();
        assert_eq!(spool.waiting().unwrap(), []);
        spool.put(b"whole", at(7)).unwrap();
        assert_eq!(bodies(&spool), ["whole"]);
    }

    #[test]
    fn rejected_bodies_are_bounded_and_can_be_tried_again() {
        let home = tempfile::tempdir().unwrap();
        let spool = Spool::open(home.path(), "nagios", 2).unwrap();
        for number in 0..3 {
            let entry = spool.put(b"x", at(number)).unwrap();
            spool.reject(&entry, "400").unwrap();
            assert!(spool.is_rejected(&entry) && !spool.is_waiting(&entry));
        }
        assert_eq!(fs::read_dir(home.path().join("rejected")).unwrap().count(), 4);
        assert_eq!(spool.retry_rejected().unwrap(), 2);
        assert_eq!(fs::read_dir(home.path().join("rejected")).unwrap().count(), 0);
        assert_eq!(spool.waiting().unwrap().len(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_reads_it() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("spool");
        let entry = Spool::open(&directory, "nagios", 2).unwrap().put(b"x", at(1)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&directory), mode(&directory.join(entry.name))), (0o700, 0o600));
        assert_eq!((mode(&directory.join("tmp")), mode(&directory.join("rejected"))), (0o700, 0o700));
    }
}
