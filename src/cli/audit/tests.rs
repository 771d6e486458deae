//! The log as somebody with a database shell leaves it, and what `verify` says of that.

use rusqlite::Connection;
use std::path::Path;

use super::*;
use crate::model::Timestamp;
use crate::model::audit::AuditEntry;
use crate::store::{Commit, SqliteStore, Store};

fn entries(count: i64) -> Vec<AuditEntry> {
    let entry = |number| AuditEntry {
        at: Timestamp::from_millis(1_795_237_200_000 + number),
        principal: "ada".into(),
        action: "incident.acknowledge".into(),
        subject: format!("inc-{number}"),
        outcome: "done".into(),
    };
    (1..=count).map(entry).collect()
}

/// A store whose log was written in two commits with a restart between them.
fn store(path: &Path) {
    let all = entries(6);
    for part in all.chunks(4) {
        let (mut store, _reader) = SqliteStore::open(path).unwrap();
        store.acquire().unwrap();
        store.commit(&Commit { audit: part.to_vec(), ..Commit::default() }).unwrap();
    }
}

fn head(path: &Path) -> AuditHash {
    verdict(path, None).head
}

fn verdict(path: &Path, expected: Option<AuditHash>) -> Verdict {
    walk(&SqliteReader::open(path).unwrap(), expected, &ProgressBar::hidden()).unwrap()
}

/// What `verify` says once `sql` has been at the file.
fn after(sql: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("watchbell.db");
    store(&path);
    let noted = head(&path);
    Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let plain = verdict(&path, None);
    let said = |verdict: &Verdict| verdict.reason.clone().unwrap_or_else(|| "whole".to_owned());
    let with_head = verdict(&path, Some(noted));
    assert_eq!(plain.is_intact, plain.reason.is_none());
    match (plain.is_intact, with_head.is_intact) {
        (true, false) => format!("{} rows, whole; but {}", plain.rows, said(&with_head)),
        _ => format!("{} rows, {}", plain.rows, said(&plain)),
    }
}

#[test]
fn an_untouched_log_is_whole_over_restarts() {
    assert_eq!(after("SELECT 1"), "6 rows, whole");
}

#[test]
fn every_field_is_sealed() {
    for change in [
        "at = at + 1",
        "principal = 'eve'",
        "action = 'incident.resolve'",
        "subject = 'inc-9'",
        "outcome = 'refused'",
        "hash = zeroblob(32)",
        "hash = x'00'",
        "principal = CAST(x'ff' AS TEXT)",
    ] {
        let said = after(&format!("UPDATE audit SET {change} WHERE seq = 3"));
        assert!(said.starts_with("2 rows, row 3 has been changed"), "{change}: {said}");
    }
}

#[test]
fn the_first_broken_row_is_named() {
    let insert = |seq: i64| {
        format!(
            "INSERT INTO audit SELECT {seq}, at, principal, action, subject, outcome, hash FROM audit WHERE seq = 6"
        )
    };
    insta::assert_snapshot!(after("DELETE FROM audit WHERE seq = 1"), @"0 rows, row 1 is missing: the next one is row 2");
    insta::assert_snapshot!(after("DELETE FROM audit WHERE seq IN (3, 4)"), @"2 rows, row 3 is missing: the next one is row 5");
    // The rows behind a deleted one moved up, so that there is no gap.
    insta::assert_snapshot!(after("DELETE FROM audit WHERE seq = 3; UPDATE audit SET seq = seq - 1 WHERE seq > 3"), @"2 rows, row 3 has been changed, put in or moved: its hash does not fit what it says after row 2");
    insta::assert_snapshot!(after("UPDATE audit SET seq = -seq WHERE seq > 3; UPDATE audit SET seq = 1 - seq WHERE seq < 0; INSERT INTO audit SELECT 4, at, 'eve', action, subject, outcome, hash FROM audit WHERE seq = 3"), @"3 rows, row 4 has been changed, put in or moved: its hash does not fit what it says after row 3");
    insta::assert_snapshot!(after("UPDATE audit SET seq = 99 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = 99"), @"1 rows, row 2 has been changed, put in or moved: its hash does not fit what it says after row 1");
    insta::assert_snapshot!(after(&insert(7)), @"6 rows, row 7 has been changed, put in or moved: its hash does not fit what it says after row 6");
    insta::assert_snapshot!(after(&insert(0)), @"0 rows, row 1 has been changed, put in or moved: its hash does not fit what it says after row 0");
    insta::assert_snapshot!(after(&insert(-5)), @"0 rows, row 1 has been changed, put in or moved: its hash does not fit what it says after row 0");
}

#[test]
fn a_cut_end_shows_against_a_head_noted_before() {
    insta::assert_snapshot!(after("DELETE FROM audit WHERE seq > 4"), @"4 rows, whole; but no row has the expected head: the log was cut off or written anew, 4 rows are left");
    insta::assert_snapshot!(after("DELETE FROM audit"), @"0 rows, whole; but no row has the expected head: the log was cut off or written anew, 0 rows are left");
}

#[test]
fn a_head_noted_before_is_still_led_to_after_more_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("watchbell.db");
    assert!(SqliteStore::open(&path).is_ok());
    let empty = head(&path);
    assert_eq!(empty, AuditHash::START);
    store(&path);
    let noted = head(&path);
    store(&path);
    for head in [empty, noted, head(&path)] {
        let verdict = verdict(&path, Some(head));
        assert!(verdict.is_intact && verdict.rows == 12, "{verdict:?}");
    }
    assert!(!verdict(&path, Some(AuditHash([7; 32]))).is_intact);
}
