//! Flipped bits, lost logs, old copies: what is read is what was written, or it is refused. Nothing of a
//! store that is refused is changed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::engine::state::Snapshot;
use crate::store::conformance::samples;
use crate::store::{JournalEntry, Position};

type Files = BTreeMap<&'static str, Vec<u8>>;
/// Everything a daemon goes on with.
type Contents = (Snapshot, Vec<JournalEntry>, Position);

fn contents(path: &Path) -> Result<Contents, StoreError> {
    let (mut store, reader) = SqliteStore::open(path)?;
    Ok((store.load()?, reader.journal(0, 1_000)?, reader.position()?))
}

/// The files of a store that was killed: with a log, if `commits` are still in it.
fn killed_store(commits_before: usize, commits_in_log: usize) -> Files {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("watchbell.db");
    let fill = |store: &mut SqliteStore, commits: usize| {
        store.acquire().unwrap();
        for _ in 0..commits {
            store.commit(&samples::everything()).unwrap();
        }
    };
    let (mut store, reader) = SqliteStore::open(&path).unwrap();
    fill(&mut store, commits_before);
    drop((store, reader));
    let (mut store, _reader) = SqliteStore::open(&path).unwrap();
    if commits_in_log > 0 {
        fill(&mut store, commits_in_log);
    }
    let names = ["watchbell.db", "watchbell.db-wal", "watchbell.db-mark"];
    names.map(|name| (name, fs::read(path.with_file_name(name)).unwrap_or_default())).into()
}

fn put(files: &Files) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    for (name, bytes) in files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    let path = directory.path().join("watchbell.db");
    (directory, path)
}

/// Flips one bit of every `step` bytes, one at a time; how many of them were refused.
fn flip(files: &Files, name: &'static str, step: usize) -> (usize, usize) {
    let (_directory, path) = put(files);
    let whole = contents(&path).unwrap();
    let (mut refused, mut count) = (0, 0);
    let mut unnoticed: Vec<String> = Vec::new();
    for at in (0..files[name].len()).step_by(step) {
        let mut files = files.clone();
        files.get_mut(name).unwrap()[at] ^= 1 << (at / step % 8);
        let (_directory, path) = put(&files);
        count += 1;
        match contents(&path) {
            Ok(found) if found == whole => {}
            Ok(_) => {
                let around = &files[name][at.saturating_sub(30)..files[name].len().min(at + 30)];
                unnoticed.push(format!("byte {at}: {}", around.escape_ascii()));
            }
            Err(StoreError::Damaged { .. } | StoreError::Open { .. } | StoreError::Newer { .. }) => {
                refused += 1;
                for (name, bytes) in files.iter().filter(|(name, _)| !name.ends_with("-mark")) {
                    let found = fs::read(path.with_file_name(name)).unwrap_or_default();
                    assert!(found == *bytes, "byte {at}: {name} was refused and changed");
                }
            }
            Err(error) => panic!("byte {at}: {error:?}"),
        }
    }
    assert!(unnoticed.is_empty(), "a flipped bit in {name} changes what is read: {unnoticed:#?}");
    (refused, count)
}

#[test]
fn a_flipped_bit_in_the_file_changes_nothing_unnoticed() {
    let (refused, count) = flip(&killed_store(3, 0), "watchbell.db", 131);
    println!("{refused} of {count} refused");
    assert!(refused > count / 20, "{refused} of {count}");
}

#[test]
fn a_flipped_bit_in_the_log_changes_nothing_unnoticed() {
    let (refused, count) = flip(&killed_store(1, 4), "watchbell.db-wal", 331);
    println!("{refused} of {count} refused");
    // Every bit of the log counts.
    assert_eq!(refused, count);
}

/// After a power loss the mark may be an old one, or none.
#[test]
fn a_log_without_a_mark_may_lack_its_last_transactions_only() {
    let mut files = killed_store(1, 4);
    files.remove("watchbell.db-mark");
    let length = files["watchbell.db-wal"].len();
    let (_directory, path) = put(&files);
    let (_, _, whole) = contents(&path).unwrap();
    for at in (0..length).step_by(331) {
        let mut files = files.clone();
        files.get_mut("watchbell.db-wal").unwrap()[at] ^= 0x20;
        let (_directory, path) = put(&files);
        match contents(&path) {
            Ok((_, _, position)) if at >= 32 => assert!(position + 4 >= whole, "{position} of {whole}, byte {at}"),
            // Without its header the log is nothing to anyone.
            Ok(_) => {}
            Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "byte {at}: {error:?}"),
        }
    }
}

#[test]
fn a_store_that_has_lost_something_does_not_start() {
    let files = killed_store(1, 2);
    let refusal = |change: &dyn Fn(&mut Files)| {
        let mut files = files.clone();
        change(&mut files);
        let (_directory, path) = put(&files);
        let of_reader = SqliteReader::open(&path).err().map(|error| error.to_string());
        let Err(StoreError::Damaged { detail, .. }) = contents(&path) else { panic!("it should be refused") };
        assert!(of_reader.is_some_and(|error| error.ends_with(&detail) || error.contains("cannot open")));
        assert!(!path.exists() || fs::read(&path).unwrap() == files["watchbell.db"]);
        detail
    };
    insta::assert_snapshot!(refusal(&|files| drop(files.remove("watchbell.db-wal"))),
        @"it ends with input 2, but input 6 was acknowledged");
    insta::assert_snapshot!(refusal(&|files| drop(files.remove("watchbell.db"))),
        @"the file is gone, and 6 inputs were in it");
    let old = killed_store(1, 0);
    insta::assert_snapshot!(refusal(&|files| {
        files.insert("watchbell.db", old["watchbell.db"].clone());
        files.remove("watchbell.db-wal");
    }), @"it ends with input 2, but input 6 was acknowledged");
}

#[test]
fn a_store_that_another_has_open_is_opened_without_a_look_at_its_log() {
    let (_directory, path) = closed_store(1);
    let (mut store, _reader) = SqliteStore::open(&path).unwrap();
    store.acquire().unwrap();
    store.commit(&rows(1)).unwrap();
    let (mut second, _) = SqliteStore::open(&path).unwrap();
    second.acquire().unwrap();
    assert_eq!(second.commit(&rows(1)).unwrap(), 3);
    assert!(matches!(store.commit(&rows(1)), Err(StoreError::Stale { .. })));
}
