//! Firings of the past: a short row for each, and how those of a time are found. Decides what a page looks at; what is
//! a firing and what muted it is decided in `engine/firing.rs`.
//!
//! ```text
//! page ──▶ live alerts that fire, by number ──▶ rows of what is over, by end, out of eight walks at once
//! ```

use rusqlite::{Connection, Transaction, params};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

use super::error::Fault;
use super::load::body;
use super::read::rows;
use super::write::to_packed;
use crate::model::alert::AlertNumber;
use crate::model::{Alert, Firing, GroupName, PastFiring, Timestamp};
use crate::store::cursor::{self, Key, List};
use crate::store::{FiringQuery, Page};

/// Longest duration of each class but the last, milliseconds.
const LENGTHS: [i64; 7] =
    [60_000, 8 * 60_000, 64 * 60_000, 512 * 60_000, 4_096 * 60_000, 32_768 * 60_000, 262_144 * 60_000];
/// Rows that one page looks at: live ones mostly for their time alone, the others as a whole.
const LIVE_MAX: u32 = 10_000;
const PAST_MAX: u32 = 3_000;
/// Keys fetched at once from each class.
const KEYS_MAX: u32 = 512;
/// In a cursor: the page ended among what still fires.
const LIVE_ID: &str = "live";

const INSERT: &str = "INSERT INTO firing (at, from_at, length, number, body) VALUES (?1, ?2, ?3, ?4, ?5)";
pub(super) const LIVE: &str = "
    SELECT number, body, is_firing FROM alert INDEXED BY alert_live WHERE is_live = 1 AND number < ?1
    ORDER BY number DESC LIMIT ?2";
pub(super) const PAST_KEYS: &str = "
    SELECT at, seq FROM firing INDEXED BY firing_at
    WHERE length = ?1 AND (at, seq) < (?2, ?3) AND at >= ?4 AND from_at <= ?5 AND (at > ?4 OR from_at >= ?4)
    ORDER BY at DESC, seq DESC LIMIT ?6";
pub(super) const PAST: &str = "SELECT seq, body, at, from_at, number FROM firing WHERE seq = ?1";
pub(super) const ALERT: &str = "SELECT number, body, is_live FROM alert WHERE number = ?1";

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    groups: Cow<'a, [GroupName]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<Arc<Alert>>,
}

/// All that the time of a firing that goes on says.
#[derive(Deserialize)]
struct Began {
    fired_at: Timestamp,
}

pub(super) fn write(transaction: &Transaction<'_>, bytes: &mut Vec<u8>, firings: &[PastFiring]) -> Result<(), Fault> {
    if firings.is_empty() {
        return Ok(());
    }
    let mut insert = transaction.prepare_cached(INSERT)?;
    for firing in firings {
        let (from, until) = (firing.from.as_millis(), firing.until.as_millis());
        let body = Body { groups: Cow::Borrowed(&firing.groups), alert: firing.alert.clone() };
        let is_short = body.groups.is_empty() && body.alert.is_none();
        let body = if is_short { None } else { Some(to_packed(bytes, &body)?) };
        insert.execute(params![until, from, length(until - from), firing.number.cast_signed(), body])?;
    }
    Ok(())
}

fn length(duration_ms: i64) -> i64 {
    LENGTHS.partition_point(|longest| *longest < duration_ms) as i64
}

/// A page on its way.
struct Draft<'a> {
    query: &'a FiringQuery,
    found: Vec<(Key, Firing)>,
    /// Where it ends, because it has looked at enough.
    looked_up_to: Option<Key>,
}

impl Draft<'_> {
    /// One more than a page holds tells that there is a next one.
    fn is_full(&self) -> bool {
        self.found.len() >= cursor::rows_to_fetch(&self.query.page) as usize
    }

    fn take(&mut self, key: Key, firing: Firing) {
        if self.query.is_wanted(&firing.alert) {
            self.found.push((key, firing));
        }
    }
}

pub(super) fn page(snapshot: &Connection, query: &FiringQuery) -> Result<Page<Firing>, Fault> {
    let start = Key { number: i64::MAX, id: LIVE_ID.to_owned() };
    let after = cursor::decode(List::Firings, &query.page, start)?;
    let mut draft = Draft { query, found: Vec::new(), looked_up_to: None };
    let past_from = match after.id == LIVE_ID {
        true => {
            live(snapshot, after.number, &mut draft)?;
            (i64::MAX, i64::MAX)
        }
        false => (after.number, after.id.parse().unwrap_or(0)),
    };
    if draft.looked_up_to.is_none() && !draft.is_full() {
        past(snapshot, past_from, &mut draft)?;
    }
    let Draft { found, looked_up_to, .. } = draft;
    let mut page = cursor::cut(List::Firings, &query.page, found);
    if page.next_cursor.is_none() {
        page.next_cursor = looked_up_to.map(|key| cursor::encode(List::Firings, &key));
    }
    Ok(page)
}

fn live(snapshot: &Connection, before: i64, draft: &mut Draft<'_>) -> Result<(), Fault> {
    let mut statement = snapshot.prepare_cached(LIVE)?;
    let mut rows = statement.query(params![before, LIVE_MAX])?;
    let mut looked_at = 0;
    while let Some(row) = rows.next()? {
        let key = Key { number: row.get(0)?, id: LIVE_ID.to_owned() };
        looked_at += 1;
        if row.get(2)? && draft.query.overlaps(body::<Began>("alert", row, 0, 1)?.fired_at, None) {
            let alert: Alert = body("alert", row, 0, 1)?;
            draft.take(key.clone(), firing(alert, None, Vec::new()));
        }
        if draft.is_full() {
            return Ok(());
        }
        if looked_at == LIVE_MAX {
            draft.looked_up_to = Some(key);
        }
    }
    Ok(())
}

fn past(snapshot: &Connection, mut before: (i64, i64), draft: &mut Draft<'_>) -> Result<(), Fault> {
    let mut looked_at = 0;
    loop {
        let keys = keys(snapshot, before, draft.query)?;
        for (at, seq) in &keys {
            if looked_at == PAST_MAX {
                draft.looked_up_to = Some(Key { number: before.0, id: before.1.to_string() });
                return Ok(());
            }
            before = (*at, *seq);
            looked_at += 1;
            if let Some(firing) = past_firing(snapshot, *seq)? {
                draft.take(Key { number: *at, id: seq.to_string() }, firing);
            }
            if draft.is_full() {
                return Ok(());
            }
        }
        if keys.len() < KEYS_MAX as usize {
            return Ok(());
        }
    }
}

/// The next ones of all classes together, the latest first.
fn keys(snapshot: &Connection, before: (i64, i64), query: &FiringQuery) -> Result<Vec<(i64, i64)>, Fault> {
    let (from, until) = (query.from.as_millis(), query.until.as_millis());
    let mut keys: Vec<(i64, i64)> = Vec::new();
    for length in 0..=LENGTHS.len() {
        // Whatever ended later than that began after `until`.
        let latest = LENGTHS.get(length).map_or(i64::MAX, |longest| until.saturating_add(*longest));
        let (at, seq) = before.min((latest, i64::MAX));
        let parameters = params![length as i64, at, seq, from, until, KEYS_MAX];
        keys.extend(rows(snapshot, PAST_KEYS, parameters, |row| Ok((row.get(0)?, row.get(1)?)))?);
    }
    keys.sort_unstable_by(|a, b| b.cmp(a));
    keys.truncate(KEYS_MAX as usize);
    Ok(keys)
}

/// None where another row brings the same firing, or where the alert is gone.
fn past_firing(snapshot: &Connection, seq: i64) -> Result<Option<Firing>, Fault> {
    let mut statement = snapshot.prepare_cached(PAST)?;
    let mut rows = statement.query([seq])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (until, from) = (Timestamp::from_millis(row.get(2)?), Timestamp::from_millis(row.get(3)?));
    let number = row.get::<_, i64>(4)?.cast_unsigned();
    let has_body = !matches!(row.get_ref(1)?, rusqlite::types::ValueRef::Null);
    let Body { groups, alert } = match has_body {
        true => body("firing", row, 0, 1)?,
        false => Body { groups: Cow::Borrowed(&[]), alert: None },
    };
    let alert = match alert {
        Some(alert) => Some(Arc::unwrap_or_clone(alert)),
        None => alert_of(snapshot, number, from, until)?,
    };
    Ok(alert.map(|alert| firing(alert, Some(until), groups.into_owned())))
}

/// The alert as its row has it, where that is still about this firing.
fn alert_of(
    snapshot: &Connection,
    number: AlertNumber,
    from: Timestamp,
    until: Timestamp,
) -> Result<Option<Alert>, Fault> {
    let mut statement = snapshot.prepare_cached(ALERT)?;
    let mut rows = statement.query([number.cast_signed()])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let alert: Alert = body("alert", row, 0, 1)?;
    // Memory may have let go of one that fires.
    let is_left = alert.is_firing() && !row.get(2)?;
    let is_it = alert.fired_at == from && (alert.resolved_at == Some(until) || is_left);
    Ok(is_it.then_some(alert))
}

fn firing(mut alert: Alert, until: Option<Timestamp>, groups: Vec<GroupName>) -> Firing {
    Firing {
        from: alert.fired_at,
        until,
        muted: std::mem::take(&mut alert.muted).into_vec(),
        incident: alert.incident,
        groups,
        deliveries: Vec::new(),
        deliveries_are_cut: false,
        alert,
    }
}
