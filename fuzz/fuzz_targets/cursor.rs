//! Any text as the cursor of any list: refused, or a page that ends.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use watchbell::model::audit::AuditEntry;
use watchbell::store::{
    AlertQuery, ChangeQuery, Commit, DeliveryQuery, IncidentQuery, Page, PageQuery, ProblemQuery, QuarantineRow,
    Reader, SqliteReader, SqliteStore, Store, StoreError, Subject,
};
use watchbell_fuzz::NOW;

const ROWS: usize = 5;
const LIMIT: u32 = 2;

static READER: LazyLock<SqliteReader> = LazyLock::new(|| {
    let (mut store, reader) = SqliteStore::open_in_memory().expect("a store in memory");
    store.acquire().expect("nobody else writes");
    let row = |number: usize| QuarantineRow {
        at: NOW,
        source: "generic".into(),
        reason: number.to_string(),
        body: Vec::new(),
    };
    let entry = |number: usize| AuditEntry {
        at: NOW,
        principal: "anna".into(),
        action: "incident.acknowledge".into(),
        subject: number.to_string(),
        outcome: "done".into(),
    };
    let commit =
        Commit { quarantine: (0..ROWS).map(row).collect(), audit: (0..ROWS).map(entry).collect(), ..Commit::default() };
    store.commit(&commit).expect("memory takes all");
    // A store in memory is gone once its writer is.
    std::mem::forget(store);
    reader
});

fuzz_target!(|text: &str| {
    let reader = &*READER;
    let page = || PageQuery { cursor: Some(text.to_owned()), limit: LIMIT };
    check(reader.incidents(&IncidentQuery { page: page(), ..IncidentQuery::default() }).map(|page| page.items.len()));
    check(reader.alerts(&AlertQuery { page: page(), ..AlertQuery::default() }).map(|page| page.items.len()));
    check(reader.problems(&ProblemQuery { page: page(), ..Default::default() }).map(|page| page.items.len()));
    check(reader.changes(&ChangeQuery { page: page(), ..ChangeQuery::default() }).map(|page| page.items.len()));
    check(reader.deliveries(&DeliveryQuery { page: page(), ..DeliveryQuery::default() }).map(|page| page.items.len()));
    let incident = text.parse().ok().map(Subject::Incident);
    for subject in [Some(Subject::Alert(text.to_owned())), incident].into_iter().flatten() {
        check(reader.timeline(&subject, &page()).map(|page| page.items.len()));
    }
    walk(text, |page| reader.audit(page));
    walk(text, |page| reader.quarantine(page));
    let _ = reader.find_incidents(text).expect("any beginning may be looked for");
    let _ = reader.alert(text).expect("any fingerprint may be looked for");
    let _ = reader.delivery(text).expect("any id may be looked for");
});

fn check(rows: Result<usize, StoreError>) {
    match rows {
        Ok(count) => assert!(count <= LIMIT as usize),
        Err(StoreError::BadCursor { cursor }) => {
            assert!(cursor.chars().count() <= 100 && !cursor.contains(char::is_control))
        }
        Err(error) => panic!("{error}"),
    }
}

/// From there on, page by page: every row once at most.
fn walk<T>(text: &str, read: impl Fn(&PageQuery) -> Result<Page<T>, StoreError>) {
    let mut query = PageQuery { cursor: Some(text.to_owned()), limit: LIMIT };
    let mut rows = 0;
    loop {
        let page = read(&query);
        check(page.as_ref().map(|page| page.items.len()).map_err(|error| match error {
            StoreError::BadCursor { cursor } => StoreError::BadCursor { cursor: cursor.clone() },
            error => panic!("{error}"),
        }));
        let Ok(page) = page else { return };
        rows += page.items.len();
        assert!(rows <= ROWS, "{rows} rows of {ROWS}");
        let Some(next) = page.next_cursor else { return };
        query.cursor = Some(next);
    }
}
