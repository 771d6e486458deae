//! The audit log: rows that are only ever added, each sealed over the one before (`model/audit.rs`).
//! Decides the row's number and its place in the chain, inside the transaction that holds the mutation.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::error::Fault;
use crate::model::Timestamp;
use crate::model::audit::{AuditEntry, AuditHash, AuditRow, Chain};

const NEWEST: &str = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
const INSERT: &str = "
    INSERT INTO audit (seq, at, principal, action, subject, outcome, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
pub(super) const FROM_THE_NEWEST: &str = "
    SELECT seq, at, principal, action, subject, outcome, hash FROM audit WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";
pub(super) const FROM_THE_OLDEST: &str = "
    SELECT seq, at, principal, action, subject, outcome, hash FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2";

/// Adds the entries of one commit.
pub(super) fn append(transaction: &Transaction<'_>, entries: &[AuditEntry]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let Chain { mut rows, mut head } = newest(transaction)?;
    let mut insert = transaction.prepare_cached(INSERT)?;
    for entry in entries {
        rows += 1;
        head = head.next(rows, entry);
        let AuditEntry { at, principal, action, subject, outcome } = entry;
        insert.execute(params![rows.cast_signed(), at.as_millis(), principal, action, subject, outcome, head.0])?;
    }
    Ok(())
}

fn newest(connection: &Connection) -> Result<Chain, Fault> {
    let newest = connection
        .prepare_cached(NEWEST)?
        .query_row([], |row| Ok(Chain { rows: row.get::<_, i64>(0)?.cast_unsigned(), head: AuditHash(row.get(1)?) }))
        .optional()?;
    Ok(newest.unwrap_or(Chain::EMPTY))
}

/// A row as it stands, tampered with or not: text that is no UTF-8, a hash of another length and a number
/// below 0 become something that fits no chain.
pub(super) fn row(row: &Row<'_>) -> Result<AuditRow, Fault> {
    let text = |at: usize| -> Result<String, Fault> {
        Ok(String::from_utf8_lossy(row.get_ref(at)?.as_bytes().unwrap_or_default()).into_owned())
    };
    let entry = AuditEntry {
        at: Timestamp::from_millis(row.get(1)?),
        principal: text(2)?,
        action: text(3)?,
        subject: text(4)?,
        outcome: text(5)?,
    };
    let hash = row.get_ref(6)?.as_bytes().unwrap_or_default().try_into().unwrap_or(AuditHash::START.0);
    let number = u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0);
    Ok(AuditRow { number, entry, hash: AuditHash(hash) })
}
