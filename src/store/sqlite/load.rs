//! The working set as of the last commit that had rows: what is live, what is pending, what was learned.
//!
//! Rows are decoded as they are read, so that a start needs room for the state once, not twice.
//! Never loads history: its size must not matter to a start.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::de::DeserializeOwned;

use super::error::Fault;
use super::{packed, seal};
use crate::engine::state::Snapshot;
use crate::model::Timestamp;
use crate::store::StoreError;

/// Key and body each, except facts: kind, key, value.
pub(super) const LIVE_ALERTS: &str =
    "SELECT number, body FROM alert INDEXED BY alert_live WHERE is_live = 1 ORDER BY number";
pub(super) const LIVE_INCIDENTS: &str =
    "SELECT id, body FROM incident INDEXED BY incident_live WHERE is_live = 1 ORDER BY id";
pub(super) const PENDING_DELIVERIES: &str =
    "SELECT id, body FROM delivery INDEXED BY delivery_pending WHERE state = 'pending' ORDER BY due_at, id";
const PROBLEMS: &str = "SELECT id, body FROM problem ORDER BY id";
const FACTS: &str = "SELECT kind, key, value FROM fact ORDER BY kind, key";
pub(super) const POSITION: &str = "SELECT position FROM meta WHERE id = 1";
const APPLIED: &str = "SELECT applied FROM meta WHERE id = 1";
/// Time of the row up to which the others are written. Pruning may have taken that one, but never the newest.
const APPLIED_AT: &str =
    "SELECT at FROM journal WHERE seq <= (SELECT applied FROM meta WHERE id = 1) ORDER BY seq DESC LIMIT 1";
const FIRST_AT: &str = "SELECT at FROM journal ORDER BY seq LIMIT 1";

pub(super) fn load(connection: &Connection) -> Result<Snapshot, Fault> {
    let snapshot = connection.unchecked_transaction()?;
    let mut facts = Vec::new();
    let mut statement = snapshot.prepare(FACTS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        facts.push((row.get(0)?, row.get(1)?, decode("fact", row.get_ref(1)?, row.get_ref(2)?)?));
    }
    Ok(Snapshot {
        position: snapshot.query_row(APPLIED, [], |row| row.get::<_, i64>(0))?.cast_unsigned(),
        last_at: last_at(&snapshot)?,
        alerts: bodies(&snapshot, "alert", LIVE_ALERTS)?,
        incidents: bodies(&snapshot, "incident", LIVE_INCIDENTS)?,
        problems: bodies(&snapshot, "problem", PROBLEMS)?,
        deliveries: bodies(&snapshot, "delivery", PENDING_DELIVERIES)?,
        facts,
    })
}

pub(super) fn position(connection: &Connection) -> Result<u64, Fault> {
    let position: i64 = connection.prepare_cached(POSITION)?.query_row([], |row| row.get(0))?;
    Ok(position.cast_unsigned())
}

fn last_at(connection: &Connection) -> Result<Timestamp, Fault> {
    for query in [APPLIED_AT, FIRST_AT] {
        if let Some(at) = connection.query_row(query, [], |row| row.get(0)).optional()? {
            return Ok(Timestamp::from_millis(at));
        }
    }
    Ok(Timestamp::default())
}

fn bodies<T: DeserializeOwned>(connection: &Connection, what: &'static str, sql: &str) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(body(what, row, 0, 1)?);
    }
    Ok(all)
}

/// The JSON in column `at`; column `key` names the row if it cannot be read.
pub(super) fn body<T: DeserializeOwned>(what: &'static str, row: &Row<'_>, key: usize, at: usize) -> Result<T, Fault> {
    decode(what, row.get_ref(key)?, row.get_ref(at)?)
}

fn decode<T: DeserializeOwned>(what: &'static str, key: ValueRef<'_>, body: ValueRef<'_>) -> Result<T, Fault> {
    let stored = unsealed(what, key, body, &[])?;
    packed::read(stored).map_err(|source| StoreError::Decode { what, key: key_text(key), source }.into())
}

/// The payload of a journal row that begins with `seq`, `at`, `kind`, `payload`.
pub(super) fn payload<'a>(row: &'a Row<'_>) -> Result<&'a [u8], Fault> {
    let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
    let kind = row.get_ref(2)?.as_bytes().unwrap_or_default();
    unsealed("input", row.get_ref(0)?, row.get_ref(3)?, &[&seq.to_le_bytes(), &at.to_le_bytes(), kind])
}

/// What was stored, once its checksum has shown that it still is what was stored.
pub(super) fn unsealed<'a>(
    what: &'static str,
    key: ValueRef<'_>,
    sealed: ValueRef<'a>,
    columns: &[&[u8]],
) -> Result<&'a [u8], Fault> {
    let damaged = || Fault::Damaged(format!("the stored {what} `{}` does not fit its checksum", key_text(key)));
    seal::take_off(sealed.as_bytes().unwrap_or_default(), columns).ok_or_else(damaged)
}

fn key_text(key: ValueRef<'_>) -> String {
    match key {
        ValueRef::Integer(number) => number.to_string(),
        other => String::from_utf8_lossy(other.as_bytes().unwrap_or_default()).into_owned(),
    }
}
