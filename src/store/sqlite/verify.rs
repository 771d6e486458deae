//! Whether a store is sound, by reading all of it: for copies, which nobody may look at for months.

use rusqlite::{Connection, Row};

use super::error::Fault;
use super::load;

/// Key and body of every row that has one.
const BODIES: [(&str, &str); 8] = [
    ("alert", "SELECT number, body FROM alert"),
    ("incident", "SELECT id, body FROM incident"),
    ("problem", "SELECT id, body FROM problem"),
    ("delivery", "SELECT id, body FROM delivery"),
    (CHANGE, "SELECT id, body FROM change"),
    (FIRING, "SELECT seq, body FROM firing WHERE body IS NOT NULL"),
    ("fact", "SELECT key, value FROM fact"),
    ("timeline entry", "SELECT seq, body FROM timeline"),
];
const CHANGE: &str = "change";
const FIRING: &str = "firing";
const JOURNAL: &str = "SELECT seq, at, kind, payload FROM journal ORDER BY seq";

/// Every page and index, every checksum, no gap in the journal.
pub(super) fn verify(connection: &Connection) -> Result<(), Fault> {
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(Fault::Damaged(verdict));
    }
    for (what, sql) in BODIES {
        // A copy that an earlier version made has no such table yet.
        if [CHANGE, FIRING].contains(&what) && !connection.table_exists(None, what)? {
            continue;
        }
        each(connection, sql, |row| load::unsealed(what, row.get_ref(0)?, row.get_ref(1)?, &[]).map(drop))?;
    }
    let mut before: Option<i64> = None;
    each(connection, JOURNAL, |row| {
        let seq: i64 = row.get(0)?;
        if let Some(before) = before.replace(seq).filter(|before| before + 1 != seq) {
            return Err(Fault::Damaged(format!("the journal goes from {before} to {seq}")));
        }
        load::payload(row).map(drop)
    })
}

fn each(connection: &Connection, sql: &str, mut check: impl FnMut(&Row<'_>) -> Result<(), Fault>) -> Result<(), Fault> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        check(row)?;
    }
    Ok(())
}
