//! The file itself: making it, and telling whether it is ours and whole before it is trusted.
//!
//! A new store appears under its name complete or not at all, so an empty file there is never a
//! beginning: it is what is left of a store, and is refused. Nothing here overwrites a file.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension};

use super::error::Opening;
use super::mark::Mark;
use super::{APPLICATION_ID, MIGRATIONS, migrate, prepare_writer};

/// A database file begins with these, then two bytes with the size of its pages
/// (<https://www.sqlite.org/fileformat2.html>).
const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER_BYTES: u64 = 18;

pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory(path))
}

pub(super) fn create_if_missing(path: &Path, mark: &Mark) -> Result<(), Opening> {
    if path.try_exists()? {
        return Ok(());
    }
    let acknowledged = mark.position()?;
    if acknowledged > 0 {
        return Err(Opening::Damaged(format!("the file is gone, and {acknowledged} inputs were in it")));
    }
    let fresh = with_suffix(path, &format!(".new-{}", std::process::id()));
    remove_if_there(&fresh)?;
    let built = build(&fresh).and_then(|()| match publish(&fresh, path) {
        // Another process was first; its store is as good as ours.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => Ok(result?),
    });
    remove_if_there(&fresh)?;
    built
}

fn build(fresh: &Path) -> Result<(), Opening> {
    create_private(fresh)?;
    let mut connection = Connection::open(fresh)?;
    prepare_writer(&connection, true)?;
    migrate(&mut connection)?;
    // Only the file is published, and a close keeps quiet about what it could not move there.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// Makes an empty file that only this user may read; SQLite gives its companions the same mode.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map(drop)
}

/// Gives a finished file its name, unless that name is taken; a link, because a rename would overwrite.
pub(super) fn publish(finished: &Path, path: &Path) -> io::Result<()> {
    File::open(finished)?.sync_all()?;
    fs::hard_link(finished, path)?;
    fs::remove_file(finished)?;
    File::open(directory(path))?.sync_all()
}

pub(super) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// `watchbell.db` and `.partial` → `watchbell.db.partial`.
pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

pub(super) fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// What SQLite lets pass: it takes an empty file for a new database, and reads zeros for the missing
/// end of a last page.
pub(super) fn check_size(path: &Path) -> Result<(), Opening> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(Opening::NotOurs("it is not a file"));
    }
    if metadata.len() == 0 {
        return Err(Opening::Damaged("the file is empty".to_owned()));
    }
    let mut header = Vec::new();
    File::open(path)?.take(HEADER_BYTES).read_to_end(&mut header)?;
    let page_bytes = match header.strip_prefix(MAGIC) {
        Some([0, 1]) => 65_536,
        Some([high, low]) => u64::from(u16::from_be_bytes([*high, *low])).max(1),
        _ => return Err(Opening::Damaged("it does not begin as a database does".to_owned())),
    };
    // With a log beside it the last page may have been on its way when the process was killed; the
    // log still has it.
    let has_log = size(&with_suffix(path, "-wal")) > 0;
    if !has_log && metadata.len() % page_bytes != 0 {
        return Err(Opening::Damaged(format!("its {} bytes are not whole pages of {page_bytes}", metadata.len())));
    }
    Ok(())
}

/// The schema's number, 0 for a database without anything in it. The first read of the file, so a
/// file that is no database or is shorter than it says fails here.
pub(super) fn check_identity(connection: &Connection) -> Result<u32, Opening> {
    let application: i32 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let schema: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let tables: u32 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    match application {
        APPLICATION_ID if schema as usize > MIGRATIONS.len() => Err(Opening::Newer(schema)),
        APPLICATION_ID => Ok(schema),
        _ if tables == 0 => Ok(0),
        _ => Err(Opening::NotOurs("another program's tables are in it")),
    }
}

/// Every page, and every index against its table. Leaving out the indexes would save a third of the time
/// and let a flipped bit there hide rows.
pub(super) fn check_pages(connection: &Connection) -> Result<(), Opening> {
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { Err(Opening::Damaged(verdict)) }
}

/// Fails when the store ends before what was acknowledged.
pub(super) fn check_mark(connection: &Connection, mark: &Mark) -> Result<(), Opening> {
    let position: i64 = connection.query_row(super::load::POSITION, [], |row| row.get(0))?;
    let (position, acknowledged) = (position.cast_unsigned(), mark.position()?);
    if position < acknowledged {
        let detail = format!("it ends with input {position}, but input {acknowledged} was acknowledged");
        return Err(Opening::Damaged(detail));
    }
    Ok(())
}

/// A connection that is closed with this on leaves the log as it is: what is refused must not be changed.
pub(super) fn keep_log(connection: &Connection, is_on: bool) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, is_on).map(drop)
}

/// A flipped bit in the text of the schema is no error to SQLite, and then means something else. What
/// somebody has added is not ours to judge.
pub(super) fn check_schema(connection: &Connection) -> Result<(), Opening> {
    let definitions = |connection: &Connection| -> Result<BTreeSet<(String, String)>, rusqlite::Error> {
        let mut all = connection.prepare("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
        all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    };
    let mut ours = Connection::open_in_memory()?;
    migrate(&mut ours)?;
    let (ours, found) = (definitions(&ours)?, definitions(connection)?);
    match ours.difference(&found).next() {
        None => Ok(()),
        Some((name, _)) => Err(Opening::Damaged(format!("its schema is not ours where it defines `{name}`"))),
    }
}

/// The journal's last row and the position beside it are written together; anything else means that
/// rows were lost or put in by hand.
pub(super) fn check_position(connection: &Connection) -> Result<(), Opening> {
    let position: Option<i64> =
        connection.query_row("SELECT position FROM meta WHERE id = 1", [], |row| row.get(0)).optional()?;
    let last: Option<i64> = connection.query_row("SELECT max(seq) FROM journal", [], |row| row.get(0))?;
    match (position, last) {
        (None, _) => Err(Opening::Damaged("its position is missing".to_owned())),
        (Some(position), Some(last)) if last != position => {
            Err(Opening::Damaged(format!("the journal ends at {last}, its position says {position}")))
        }
        _ => Ok(()),
    }
}
