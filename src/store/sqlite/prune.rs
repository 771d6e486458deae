//! Deletes what is old, in pieces that do not hold the writer up.
//!
//! Never touches: a live alert or incident, a pending delivery, the timeline of a live incident or of
//! a problem that somebody may work on, a merged incident whose survivor is still known, the audit, problems and facts.

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::error::Fault;
use super::write::fence;
use crate::crash_point::{CrashPoint, reach};
use crate::store::Horizon;

pub(super) const PAST_ALERTS: &str = "
    DELETE FROM alert WHERE number IN (
      SELECT number FROM alert INDEXED BY alert_ended
      WHERE is_live = 0 AND ended_at < ?1 ORDER BY ended_at LIMIT ?2)";
/// An id that was merged away still opens its survivor, so it stays as long as that does.
pub(super) const PAST_INCIDENTS: &str = "
    DELETE FROM incident WHERE id IN (
      SELECT id FROM incident AS old INDEXED BY incident_past
      WHERE is_live = 0 AND updated_at < ?1
        AND NOT EXISTS (SELECT 1 FROM incident AS survivor WHERE survivor.id = old.merged_into)
      ORDER BY updated_at LIMIT ?2)";
pub(super) const FINISHED_DELIVERIES: &str = "
    DELETE FROM delivery WHERE seq IN (
      SELECT seq FROM delivery INDEXED BY delivery_finished
      WHERE finished_at IS NOT NULL AND finished_at < ?1 ORDER BY finished_at LIMIT ?2)";

pub(super) const OLD_CHANGES: &str = "
    DELETE FROM change WHERE seq IN (
      SELECT seq FROM change INDEXED BY change_old WHERE state_at < ?1 ORDER BY state_at LIMIT ?2)";

pub(super) fn prune(connection: &mut Connection, epoch: u64, horizon: &Horizon, rows_max: u32) -> Result<u64, Fault> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    fence(&transaction, epoch, 0)?;
    let before = horizon.history.as_millis();
    let mut pruned = 0;
    for sql in [PAST_ALERTS, PAST_INCIDENTS, FINISHED_DELIVERIES, OLD_CHANGES] {
        pruned += transaction.prepare_cached(sql)?.execute(params![before, rows_max])?;
    }
    // What the rows do not say yet is still to be stepped by the next start.
    let applied: i64 = transaction.query_row("SELECT applied FROM meta WHERE id = 1", [], |row| row.get(0))?;
    pruned += prune_beginning(&transaction, "journal", horizon.journal.as_millis(), applied, rows_max)?;
    pruned += prune_beginning(&transaction, "quarantine", before, i64::MAX, rows_max)?;
    pruned += prune_beginning(&transaction, "firing", before, i64::MAX, rows_max)?;
    pruned += prune_timeline(&transaction, before, rows_max)?;
    reach(CrashPoint::Pruning);
    transaction.commit()?;
    Ok(pruned as u64)
}

/// For tables in order of time: deletes from the first row up to the first that is young enough, so
/// that what stays has no gap. The newest row stays: its number must not be given out again.
fn prune_beginning(
    transaction: &Transaction<'_>,
    table: &str,
    before: i64,
    up_to: i64,
    rows_max: u32,
) -> Result<usize, Fault> {
    let sql = format!(
        "SELECT seq, at FROM {table} WHERE seq <= ?2 AND seq < (SELECT max(seq) FROM {table}) ORDER BY seq LIMIT ?1"
    );
    let mut oldest = transaction.prepare_cached(&sql)?;
    let mut rows = oldest.query(params![rows_max, up_to])?;
    let mut last: Option<i64> = None;
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? >= before {
            break;
        }
        last = Some(row.get(0)?);
    }
    let Some(last) = last else { return Ok(0) };
    Ok(transaction.prepare_cached(&format!("DELETE FROM {table} WHERE seq <= ?1"))?.execute([last])?)
}

pub(super) const OLD_TIMELINE: &str = "
    SELECT seq, at FROM timeline
    WHERE seq < (SELECT max(seq) FROM timeline)
      AND NOT EXISTS (SELECT 1 FROM incident WHERE incident.id = timeline.incident AND incident.is_live = 1)
      AND NOT EXISTS (SELECT 1 FROM problem WHERE problem.id = timeline.problem AND problem.is_active = 1)
    ORDER BY seq LIMIT ?1";

fn prune_timeline(transaction: &Transaction<'_>, before: i64, rows_max: u32) -> Result<usize, Fault> {
    let mut oldest = transaction.prepare_cached(OLD_TIMELINE)?;
    let mut delete = transaction.prepare_cached("DELETE FROM timeline WHERE seq = ?1")?;
    let mut rows = oldest.query([rows_max])?;
    let mut old: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        if row.get::<_, i64>(1)? >= before {
            break;
        }
        old.push(row.get(0)?);
    }
    for seq in &old {
        delete.execute([seq])?;
    }
    Ok(old.len())
}
