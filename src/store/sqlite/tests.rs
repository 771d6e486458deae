//! What only a file can get wrong: damage, permissions, foreign files, full disks; and the query plans.

mod damage;
mod firings;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::read::{alert_sql, delivery_sql};
use super::{SqliteReader, SqliteStore, audit, change, firing, load, problems, prune, read, seal, timeline, told};
use crate::engine::state::{Changes, Fact};
use crate::model::incident_id::sample_id;
use crate::model::{AlertStatus, Timestamp};
use crate::store::conformance::{CHECKS, Subjects};
use crate::store::{
    AlertQuery, ChangeQuery, Commit, DeliveryQuery, JournalRow, QuarantineRow, Reader, Rows, Store, StoreError,
};

fn subjects((mut store, reader): (SqliteStore, SqliteReader)) -> Subjects {
    let rival = reader.writer().unwrap();
    store.acquire().unwrap();
    Subjects { store: Box::new(store), rival: Box::new(rival), reader: Box::new(reader) }
}

#[test]
fn conforms_in_memory() {
    for (promise, check) in CHECKS {
        eprintln!("{promise}");
        check(subjects(SqliteStore::open_in_memory().unwrap()));
    }
}

#[test]
fn conforms_in_a_file() {
    for (promise, check) in CHECKS {
        eprintln!("{promise}");
        let directory = tempfile::tempdir().unwrap();
        check(subjects(SqliteStore::open(&directory.path().join("watchbell.db")).unwrap()));
    }
}

#[test]
fn the_library_has_the_fix_for_lost_log_resets() {
    // Before 3.51.3 two connections could corrupt a file when one reset the log as the other wrote.
    assert!(rusqlite::version_number() >= 3_051_003, "{}", rusqlite::version());
}

fn rows(count: usize) -> Commit {
    let row = JournalRow { at: Timestamp::from_millis(0), kind: "tick", source: None, payload: vec![b'x'; 600] };
    Commit { journal: vec![row; count], ..Commit::default() }
}

/// A closed store with `count` journal rows, and the directory that holds it.
fn closed_store(count: usize) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("state/watchbell.db");
    let (mut store, _reader) = SqliteStore::open(&path).unwrap();
    store.acquire().unwrap();
    store.commit(&rows(count)).unwrap();
    (directory, path)
}

fn refusal(path: &Path) -> StoreError {
    let before = fs::read(path).unwrap();
    let result = SqliteStore::open(path);
    assert_eq!(fs::read(path).unwrap(), before, "a refused file is left as it was");
    match result {
        Ok(_) => panic!("opened a file of {} bytes that it should refuse", before.len()),
        Err(error) => error,
    }
}

#[test]
fn reopening_finds_what_was_committed() {
    let (_directory, path) = closed_store(3);
    let (mut store, reader) = SqliteStore::open(&path).unwrap();
    assert_eq!(reader.position().unwrap(), 3);
    assert!(matches!(store.commit(&rows(1)), Err(StoreError::Stale { ours: 0 })));
    assert_eq!(store.acquire().unwrap(), 3);
    assert_eq!(store.commit(&rows(1)).unwrap(), 4);
    assert_eq!(SqliteReader::open(&path).unwrap().position().unwrap(), 4);
}

#[test]
fn what_a_killed_process_left_in_the_log_is_there() {
    let (_directory, path) = closed_store(1);
    let (mut store, _reader) = SqliteStore::open(&path).unwrap();
    store.acquire().unwrap();
    store.commit(&rows(1)).unwrap();
    // What is on the disk now is what a kill would leave.
    let other = tempfile::tempdir().unwrap();
    for name in ["watchbell.db", "watchbell.db-wal"] {
        fs::copy(path.with_file_name(name), other.path().join(name)).unwrap();
    }
    assert_eq!(SqliteReader::open(&other.path().join("watchbell.db")).unwrap().position().unwrap(), 2);
}

#[test]
fn files_are_private() {
    let (_directory, path) = closed_store(1);
    let (mut store, _reader) = SqliteStore::open(&path).unwrap();
    store.acquire().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let mut names = Vec::new();
    for file in fs::read_dir(path.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(mode(&file.path()), 0o600, "{file:?}");
        names.push(file.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["watchbell.db", "watchbell.db-mark", "watchbell.db-shm", "watchbell.db-wal"]);
}

#[test]
fn damaged_files_are_refused_and_left_alone() {
    let (_directory, path) = closed_store(100);
    let whole = fs::read(&path).unwrap();
    let mut scribbled = whole.clone();
    scribbled[whole.len() - 8_192..whole.len() - 4_096].fill(0xa5);
    let mut headless = whole.clone();
    headless[..16].fill(b'?');
    let cases: [(&str, &[u8]); 7] = [
        ("empty", b""),
        ("text", b"once upon a time\n"),
        ("long text", &b"no database at all, ".repeat(1_000)),
        ("cut in its header", &whole[..60]),
        ("cut in half", &whole[..whole.len() / 2]),
        ("without its last byte", &whole[..whole.len() - 1]),
        ("without a header", &headless),
    ];
    for (what, bytes) in cases.into_iter().chain([("scribbled over", &scribbled[..])]) {
        eprintln!("{what}");
        fs::write(&path, bytes).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, StoreError::Damaged { .. }), "{what}: {error:?}");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(SqliteReader::open(&path).unwrap().position().unwrap(), 100);
}

#[test]
fn a_journal_that_disagrees_with_its_position_is_damaged() {
    let (_directory, path) = closed_store(3);
    Connection::open(&path).unwrap().execute("DELETE FROM journal WHERE seq = 3", []).unwrap();
    let error = refusal(&path);
    insta::with_settings!({filters => vec![(r"`[^`]*`", "`FILE`")]}, {
        insta::assert_snapshot!(error, @"the store at `FILE` is damaged: the journal ends at 2, its position says 3");
    });
}

#[test]
fn newer_and_foreign_files_are_refused() {
    let (_directory, path) = closed_store(1);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 9_999).unwrap();
    assert!(matches!(refusal(&path), StoreError::Newer { found: 9_999, known: 3 }));
    for sql in ["CREATE TABLE theirs (id INTEGER)", "PRAGMA user_version = 1; PRAGMA journal_mode = WAL"] {
        let foreign = path.with_file_name("foreign.db");
        let _ = fs::remove_file(&foreign);
        Connection::open(&foreign).unwrap().execute_batch(sql).unwrap();
        let error = refusal(&foreign);
        assert!(matches!(error, StoreError::Open { .. }), "{error:?}");
    }
    let error = SqliteReader::open(&path.with_file_name("missing.db")).unwrap_err();
    assert!(matches!(error, StoreError::Open { .. }) && !path.with_file_name("missing.db").exists());
    assert!(matches!(SqliteStore::open(path.parent().unwrap()).unwrap_err(), StoreError::Open { .. }));
}

#[test]
fn a_commit_that_finds_the_disk_full_changes_nothing() {
    let (_directory, path) = closed_store(1);
    let (mut store, reader) = SqliteStore::open(&path).unwrap();
    store.acquire().unwrap();
    let pages: u32 = store.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    store.connection.query_row(&format!("PRAGMA max_page_count = {}", pages + 2), [], |_| Ok(())).unwrap();
    let fact = Fact { kind: "silence", key: "s-1".into(), value: Some(true.into()) };
    let changes = Changes { facts: vec![fact], ..Changes::default() };
    let error = store.commit(&Commit { rows: Some(Rows { changes, ..Rows::default() }), ..rows(1_000) }).unwrap_err();
    assert!(matches!(error, StoreError::Failed { operation: "commit", .. }), "{error:?}");
    assert_eq!(reader.position().unwrap(), 1);
    assert_eq!(store.load().unwrap().facts, []);
    store.connection.query_row("PRAGMA max_page_count = 1000000", [], |_| Ok(())).unwrap();
    assert_eq!(store.commit(&rows(1_000)).unwrap(), 1_001);
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let (mut store, reader) = SqliteStore::open_in_memory().unwrap();
    let sealed = |json: &str| {
        let mut bytes = json.as_bytes().to_vec();
        seal::put_on(&mut bytes, &[]);
        String::from_utf8(bytes).unwrap()
    };
    store.connection.execute("INSERT INTO fact VALUES ('silence', 's-1', ?1)", [sealed("{")]).unwrap();
    insta::assert_snapshot!(store.load().unwrap_err(), @"cannot read a stored fact (`s-1`)");
    store.connection.execute("INSERT INTO problem VALUES ('prb-1', 1, 'open', 0, ?1)", [sealed("[]")]).unwrap();
    let error = reader.problems(&Default::default()).unwrap_err();
    insta::assert_snapshot!(error, @"cannot read a stored problem (`prb-1`)");
    store.connection.execute("UPDATE problem SET body = '{}'", []).unwrap();
    let error = reader.problems(&Default::default()).unwrap_err();
    insta::assert_snapshot!(error.to_string().replace(&store.name, "FILE"),
        @"the store at `FILE` is damaged: the stored problem `prb-1` does not fit its checksum");
}

#[test]
fn readers_do_not_wait_for_the_writer_and_cannot_write() {
    let (_directory, path) = closed_store(1);
    let (mut store, reader) = SqliteStore::open(&path).unwrap();
    store.acquire().unwrap();
    store.connection.execute_batch("BEGIN EXCLUSIVE; DELETE FROM journal").unwrap();
    assert_eq!(reader.clone().journal(0, 9).unwrap().len(), 1);
    let denied = reader.read("write", |snapshot| Ok(snapshot.execute("DELETE FROM journal", [])?)).unwrap_err();
    assert!(matches!(denied, StoreError::Failed { operation: "write", .. }), "{denied:?}");
    store.connection.execute_batch("ROLLBACK").unwrap();
}

#[test]
fn a_backup_is_a_store_as_of_one_instant() {
    let (directory, path) = closed_store(2);
    let (mut store, reader) = SqliteStore::open(&path).unwrap();
    store.acquire().unwrap();
    store.commit(&rows(1)).unwrap();
    let to = directory.path().join("backup.db");
    reader.backup(&to, &mut |_, _| {}).unwrap();
    store.commit(&rows(1)).unwrap();
    assert_eq!(fs::metadata(&to).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(
        matches!(reader.backup(&to, &mut |_, _| {}), Err(StoreError::Open { .. })),
        "an existing file is not overwritten"
    );
    assert!(reader.backup(&directory.path().join("no/such/place.db"), &mut |_, _| {}).is_err());
    let (mut restored, reader) = SqliteStore::open(&to).unwrap();
    assert_eq!(reader.position().unwrap(), 3);
    restored.acquire().unwrap();
    assert_eq!(restored.commit(&rows(1)).unwrap(), 4);
    let mut left: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.retain(|name| name.to_string_lossy().contains("partial"));
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn many_readers_share_a_few_connections() {
    let (mut store, reader) = SqliteStore::open_in_memory().unwrap();
    store.acquire().unwrap();
    let refused = QuarantineRow { at: Timestamp::from_millis(0), source: "a".into(), reason: "b".into(), body: vec![] };
    store.commit(&Commit { quarantine: vec![refused], ..rows(5) }).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..super::READERS_KEPT * 2 {
            scope.spawn(|| assert_eq!(reader.quarantine(&Default::default()).unwrap().items.len(), 1));
        }
    });
    assert!(reader.pool.idle.lock().len() <= super::READERS_KEPT);
}

/// Every statement that may meet many rows, with what of it is allowed to look at more than it returns.
fn plans() -> Vec<(&'static str, String)> {
    let alerts = |status, incident: Option<&str>| {
        alert_sql(&AlertQuery { status, incident: incident.map(sample_id), ..Default::default() })
    };
    let deliveries = |state: Option<&str>, incident: Option<&str>| {
        let own = |text: Option<&str>| text.map(String::from);
        delivery_sql(&DeliveryQuery { state: own(state), incident: incident.map(sample_id), ..Default::default() })
    };
    vec![
        ("live alerts", load::LIVE_ALERTS.into()),
        ("live incidents", load::LIVE_INCIDENTS.into()),
        ("pending deliveries", load::PENDING_DELIVERIES.into()),
        ("incidents by state", read::INCIDENT_KEYS.into()),
        ("incident by id", read::INCIDENT_BY_ID.into()),
        ("incidents by prefix", read::INCIDENT_IDS.into()),
        ("merged incident", read::INCIDENT_MERGED_INTO.into()),
        ("alerts", alerts(None, None)),
        ("firing alerts", alerts(Some(AlertStatus::Firing), None)),
        ("resolved alerts", alerts(Some(AlertStatus::Resolved), None)),
        ("alerts by incident", alerts(None, Some("inc-a"))),
        ("alert by fingerprint", read::ALERT_BY_FINGERPRINT.into()),
        ("deliveries", deliveries(None, None)),
        ("pending deliveries, newest first", deliveries(Some("pending"), None)),
        ("dead letters", deliveries(Some("exhausted"), None)),
        ("dead letters, counted", read::DEAD_LETTERS.into()),
        ("deliveries by incident", deliveries(None, Some("inc-a"))),
        ("problems by state", problems::BY_STATE.into()),
        ("problems by prefix", problems::BY_PREFIX.into()),
        ("timeline by problem", timeline::OF_PROBLEM.into()),
        ("changes", change::sql(&ChangeQuery::default())),
        ("changes by item", change::sql(&ChangeQuery { configuration_item: Some("x".into()), ..Default::default() })),
        ("firings that go on", firing::LIVE.into()),
        ("firings that are over", firing::PAST_KEYS.into()),
        ("firing", firing::PAST.into()),
        ("its alert", firing::ALERT.into()),
        ("deliveries about a firing", told::KEYS.into()),
        ("timeline by incident", timeline::OF_INCIDENT.into()),
        ("timeline by alert", timeline::OF_ALERT.into()),
        ("silences", read::SILENCES.into()),
        ("journal", read::JOURNAL.into()),
        ("event", read::EVENT.into()),
        ("audit", audit::FROM_THE_NEWEST.into()),
        ("audit, oldest first", audit::FROM_THE_OLDEST.into()),
        ("quarantine", read::QUARANTINE.into()),
        ("pruned alerts", prune::PAST_ALERTS.into()),
        ("pruned incidents", prune::PAST_INCIDENTS.into()),
        ("pruned deliveries", prune::FINISHED_DELIVERIES.into()),
        ("pruned changes", prune::OLD_CHANGES.into()),
        ("pruned timeline", prune::OLD_TIMELINE.into()),
    ]
}

#[test]
fn no_query_reads_a_whole_table() {
    let (store, _reader) = SqliteStore::open_in_memory().unwrap();
    for (what, sql) in plans() {
        let mut explain = store.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = explain.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>, _>>().unwrap();
        for step in &steps {
            assert!(!step.starts_with("SCAN") || step.contains("INDEX"), "{what}: {steps:#?}");
        }
        // Rows come in index order, where only the page may be read; those of one incident are few.
        let is_sorted_afterwards = steps.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
        let may_sort =
            ["pending deliveries, newest first", "timeline by alert", "deliveries by incident"].contains(&what);
        assert!(may_sort || !is_sorted_afterwards, "{what}: {steps:#?}");
    }
}
