//! The writer's side: one transaction for each commit, fenced by the epoch, all of it or nothing.
//!
//! The hot path: statements stay compiled, bodies are serialised into one reused buffer, and a live
//! alert that only counts up touches no index. Never decides what is written, only how.

use std::io;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::Serialize;

use super::SqliteStore;
use super::error::Fault;
use super::{change, firing, packed, seal, timeline};
use crate::crash_point::{CrashPoint, reach};
use crate::engine::state::{Changes, Snapshot};
use crate::model::alert::AlertNumber;
use crate::model::{Alert, Fingerprint, IncidentId, Timestamp};
use crate::mutant::{self, Mutant};
use crate::store::{
    Commit, Horizon, JournalEntry, JournalRow, Position, QUARANTINE_BYTES_MAX, QuarantineRow, Rows, Store, StoreError,
    is_finished,
};

/// Memory kept between commits, so that a commit allocates nothing that the last one had.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) json: Vec<u8>,
    pub(super) numbers: Vec<(Fingerprint, AlertNumber)>,
}

impl Store for SqliteStore {
    fn acquire(&mut self) -> Result<u64, StoreError> {
        let acquired = acquire(&mut self.connection);
        let (epoch, last_alert) = acquired.map_err(|fault| self.explain("take over writing", fault))?;
        self.epoch = epoch;
        self.last_alert = last_alert;
        Ok(epoch)
    }

    fn load(&mut self) -> Result<Snapshot, StoreError> {
        super::load::load(&self.connection).map_err(|fault| self.explain("load the state", fault))
    }

    fn journal(&mut self, after: Position, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        super::read::journal(&self.connection, after, limit).map_err(|fault| self.explain("read the journal", fault))
    }

    fn commit(&mut self, commit: &Commit) -> Result<Position, StoreError> {
        self.wait_for_the_disk(!commit.promises_nothing())?;
        let written = write(&mut self.connection, self.epoch, self.last_alert, &mut self.scratch, commit);
        let position = written.map_err(|fault| self.explain("commit", fault))?;
        if let Some(mark) = &self.mark {
            mark.set(position);
        }
        let highest = commit.rows.iter().flat_map(|rows| &rows.changes.alerts).map(|(alert, _)| alert.number).max();
        self.last_alert = self.last_alert.max(highest.unwrap_or(0));
        if let Some(checkpointer) = &mut self.checkpointer {
            checkpointer.after_commit(&self.connection)?;
        }
        Ok(position)
    }

    fn prune(&mut self, horizon: &Horizon, rows_max: u32) -> Result<u64, StoreError> {
        let pruned = super::prune::prune(&mut self.connection, self.epoch, horizon, rows_max);
        pruned.map_err(|fault| self.explain("prune", fault))
    }
}

impl SqliteStore {
    fn wait_for_the_disk(&mut self, is_synced: bool) -> Result<(), StoreError> {
        if self.is_synced != is_synced {
            let set = super::wait_for_the_disk(&self.connection, is_synced);
            set.map_err(|error| self.explain("choose what waits for the disk", error.into()))?;
            self.is_synced = is_synced;
        }
        Ok(())
    }
}

/// As the tables hold it.
pub(super) const fn incident_key(id: IncidentId) -> i64 {
    id.key().cast_signed()
}

fn acquire(connection: &mut Connection) -> Result<(u64, AlertNumber), Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let epoch: i64 =
        transaction
            .query_row("UPDATE meta SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch", [], |row| row.get(0))?;
    let last: Option<i64> = transaction.query_row("SELECT max(number) FROM alert", [], |row| row.get(0))?;
    transaction.commit()?;
    Ok((epoch.cast_unsigned(), last.unwrap_or(0).cast_unsigned()))
}

/// Moves the journal's position on by `rows` and returns the new one, or fails as stale. The first
/// statement of every transaction that writes.
pub(super) fn fence(transaction: &Transaction<'_>, epoch: u64, rows: usize) -> Result<i64, Fault> {
    transaction
        .prepare_cached(
            "UPDATE meta SET position = position + ?1 WHERE id = 1 AND (epoch = ?2 OR ?3) RETURNING position",
        )?
        .query_row(params![rows as i64, epoch.cast_signed(), mutant::is(Mutant::StaleEpochWrites)], |row| row.get(0))
        .optional()?
        .ok_or(Fault::Store(StoreError::Stale { ours: epoch }))
}

fn write(
    connection: &mut Connection,
    epoch: u64,
    last_alert: AlertNumber,
    scratch: &mut Scratch,
    commit: &Commit,
) -> Result<Position, Fault> {
    // Dropping it on any way out but the last undoes everything and leaves the connection usable.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let position = fence(&transaction, epoch, commit.journal.len())?;
    write_journal(&transaction, &mut scratch.json, position, &commit.journal)?;
    if let Some(rows) = &commit.rows {
        write_rows(&transaction, last_alert, scratch, rows)?;
    }
    if mutant::is(Mutant::RowsCountAsApplied) {
        transaction.prepare_cached("UPDATE meta SET applied = position WHERE id = 1")?.execute([])?;
    }
    super::audit::append(&transaction, &commit.audit)?;
    write_quarantine(&transaction, &commit.quarantine)?;
    if commit.rows.is_some() {
        reach(CrashPoint::RowsWritten);
    }
    transaction.commit()?;
    Ok(position.cast_unsigned())
}

fn write_rows(
    transaction: &Transaction<'_>,
    last_alert: AlertNumber,
    scratch: &mut Scratch,
    rows: &Rows,
) -> Result<(), Fault> {
    let json = &mut scratch.json;
    write_alerts(transaction, json, last_alert, &rows.changes.alerts)?;
    write_incidents(transaction, json, &rows.changes)?;
    if !mutant::is(Mutant::DeliveriesNotStored) {
        write_deliveries(transaction, json, &rows.changes)?;
    }
    change::write(transaction, json, &rows.changes.told)?;
    firing::write(transaction, json, &rows.changes.firings)?;
    write_facts(transaction, json, &rows.changes)?;
    timeline::write(transaction, scratch, rows)?;
    transaction.prepare_cached("UPDATE meta SET applied = position WHERE id = 1")?.execute([])?;
    Ok(())
}

/// `value` as text in the reused buffer, with its checksum.
pub(super) fn to_json<'a>(json: &'a mut Vec<u8>, value: &impl Serialize) -> Result<&'a str, Fault> {
    let refused = |source: Box<dyn std::error::Error + Send + Sync>| {
        Fault::Store(StoreError::Failed { operation: "serialise a row", source })
    };
    json.clear();
    serde_json::to_writer(&mut *json, value).map_err(|error| refused(error.into()))?;
    seal::put_on(json, &[]);
    str::from_utf8(json).map_err(|error| refused(io::Error::new(io::ErrorKind::InvalidData, error).into()))
}

/// The same, packed.
pub(super) fn to_packed<'a>(bytes: &'a mut Vec<u8>, value: &impl Serialize) -> Result<&'a [u8], Fault> {
    bytes.clear();
    packed::write(bytes, value)
        .map_err(|source| Fault::Store(StoreError::Failed { operation: "serialise a row", source }))?;
    seal::put_on(bytes, &[]);
    Ok(bytes)
}

fn write_journal(
    transaction: &Transaction<'_>,
    json: &mut Vec<u8>,
    position: i64,
    rows: &[JournalRow],
) -> Result<(), Fault> {
    let mut insert = transaction
        .prepare_cached("INSERT INTO journal (seq, at, kind, source, payload) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let before = position - rows.len() as i64;
    for (seq, row) in (before + 1..).zip(rows) {
        let at = row.at.as_millis();
        json.clear();
        json.extend_from_slice(&row.payload);
        seal::put_on(json, &[&seq.to_le_bytes(), &at.to_le_bytes(), row.kind.as_bytes()]);
        insert.execute(params![seq, at, row.kind, row.source, &*json])?;
    }
    Ok(())
}

/// The plain case of a live alert: nothing that an index holds has changed. Naming an indexed column
/// in `SET` rewrites its entries even when the value stays the same.
const ALERT_COUNT_UP: &str =
    "UPDATE alert SET body = ?4 WHERE number = ?1 AND is_live = 1 AND is_firing = ?2 AND incident IS ?3";
const ALERT_UPSERT: &str = "
    INSERT INTO alert (number, is_live, is_firing, fingerprint, incident, ended_at, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    ON CONFLICT (number) DO UPDATE SET is_live = excluded.is_live, is_firing = excluded.is_firing,
      fingerprint = excluded.fingerprint, incident = excluded.incident, ended_at = excluded.ended_at,
      body = excluded.body";

fn write_alerts(
    transaction: &Transaction<'_>,
    json: &mut Vec<u8>,
    last_alert: AlertNumber,
    alerts: &[(Arc<Alert>, bool)],
) -> Result<(), Fault> {
    if alerts.is_empty() {
        return Ok(());
    }
    let mut count_up = transaction.prepare_cached(ALERT_COUNT_UP)?;
    let mut upsert = transaction.prepare_cached(ALERT_UPSERT)?;
    for (alert, is_live) in alerts {
        let body = to_packed(json, &**alert)?;
        let number = alert.number.cast_signed();
        let incident = alert.incident.map(incident_key);
        if *is_live
            && alert.number <= last_alert
            && count_up.execute(params![number, alert.is_firing(), incident, body])? == 1
        {
            continue;
        }
        let ended_at = (!is_live).then(|| alert.resolved_at.unwrap_or(alert.last_seen_at).as_millis());
        let fingerprint = alert.fingerprint.0.cast_signed();
        upsert.execute(params![number, is_live, alert.is_firing(), fingerprint, incident, ended_at, body])?;
    }
    Ok(())
}

const INCIDENT_UPSERT: &str = "
    INSERT INTO incident (id, is_live, state, priority, opened_at, updated_at, merged_into, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (id) DO UPDATE SET is_live = excluded.is_live, state = excluded.state,
      priority = excluded.priority, opened_at = excluded.opened_at, updated_at = excluded.updated_at,
      merged_into = excluded.merged_into, body = excluded.body";
const PROBLEM_UPSERT: &str = "
    INSERT INTO problem (id, is_active, state, created_at, body) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (id) DO UPDATE SET is_active = excluded.is_active, state = excluded.state, body = excluded.body";

fn write_incidents(transaction: &Transaction<'_>, json: &mut Vec<u8>, changes: &Changes) -> Result<(), Fault> {
    let mut upsert = transaction.prepare_cached(INCIDENT_UPSERT)?;
    for (incident, is_live) in &changes.incidents {
        upsert.execute(params![
            incident_key(incident.id),
            is_live,
            incident.state.as_str(),
            incident.priority.as_str(),
            incident.opened_at.as_millis(),
            incident.updated_at.as_millis(),
            incident.merged_into.map(incident_key),
            to_packed(json, &**incident)?,
        ])?;
    }
    let mut upsert = transaction.prepare_cached(PROBLEM_UPSERT)?;
    for problem in &changes.problems {
        upsert.execute(params![
            &*problem.id.0,
            problem.state.is_active(),
            problem.state.as_str(),
            problem.created_at.as_millis(),
            to_json(json, problem)?,
        ])?;
    }
    Ok(())
}

const DELIVERY_UPSERT: &str = "
    INSERT INTO delivery (id, incident, sink, state, due_at, created_at, finished_at, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (incident, id) DO UPDATE SET state = excluded.state, due_at = excluded.due_at,
      finished_at = excluded.finished_at, body = excluded.body";

fn write_deliveries(transaction: &Transaction<'_>, json: &mut Vec<u8>, changes: &Changes) -> Result<(), Fault> {
    let mut upsert = transaction.prepare_cached(DELIVERY_UPSERT)?;
    for delivery in &changes.deliveries {
        // A finished row always has a time, or it would never be pruned; a redriven one has none.
        let finished_at = is_finished(&delivery.state).then(|| delivery.finished_at.unwrap_or(delivery.created_at));
        upsert.execute(params![
            delivery.id,
            incident_key(delivery.incident),
            delivery.sink,
            delivery.state.as_str(),
            delivery.due_at.as_millis(),
            delivery.created_at.as_millis(),
            finished_at.map(Timestamp::as_millis),
            to_json(json, delivery)?,
        ])?;
    }
    Ok(())
}

const FACT_UPSERT: &str = "
    INSERT INTO fact (kind, key, value) VALUES (?1, ?2, ?3)
    ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value";

fn write_facts(transaction: &Transaction<'_>, json: &mut Vec<u8>, changes: &Changes) -> Result<(), Fault> {
    let mut upsert = transaction.prepare_cached(FACT_UPSERT)?;
    let mut forget = transaction.prepare_cached("DELETE FROM fact WHERE kind = ?1 AND key = ?2")?;
    for fact in &changes.facts {
        match &fact.value {
            Some(value) => upsert.execute(params![fact.kind, fact.key, to_json(json, value)?])?,
            None => forget.execute(params![fact.kind, fact.key])?,
        };
    }
    Ok(())
}

fn write_quarantine(transaction: &Transaction<'_>, rows: &[QuarantineRow]) -> Result<(), Fault> {
    let mut insert =
        transaction.prepare_cached("INSERT INTO quarantine (at, source, reason, body) VALUES (?1, ?2, ?3, ?4)")?;
    for row in rows {
        let kept = &row.body[..row.body.len().min(QUARANTINE_BYTES_MAX)];
        insert.execute(params![row.at.as_millis(), row.source, row.reason, kept])?;
    }
    Ok(())
}
