//! The readers' side: pages of committed state, each answered from one snapshot.
//!
//! Lists page by key, never by offset: a page costs the same wherever it is. Never waits for the
//! writer and never writes.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde::Deserialize;

use super::error::Fault;
use super::load::{body, payload, position};
use super::timeline;
use super::write::incident_key;
use super::{SqliteReader, audit, change, firing, problems, told};
use crate::model::audit::AuditRow;
use crate::model::{
    Alert, AlertStatus, Change, Delivery, Fingerprint, Firing, Incident, IncidentId, IncidentState, Problem, Silence,
    SilenceState, TimelineEntry, Timestamp, delivery,
};
use crate::store::cursor::{self, Key, List};
use crate::store::{
    AlertQuery, ChangeQuery, DeliveryQuery, FiringQuery, IncidentQuery, JournalEntry, Page, PageQuery, Position,
    ProblemQuery, QuarantineRow, Reader, SilenceQuery, StoreError, Subject,
};

/// Incidents that one prefix may name.
pub(super) const FOUND_MAX: usize = 10;
/// Ids looked at for one prefix: several may have been merged into the same incident.
const PREFIX_IDS_MAX: usize = 100;
/// Merges followed from an id to its survivor.
pub(super) const MERGES_MAX: usize = 32;
/// Journal rows that [`Reader::find_event`] looks through, from the newest back.
const EVENT_ROWS_MAX: i64 = 200_000;

impl Reader for SqliteReader {
    fn incidents(&self, query: &IncidentQuery) -> Result<Page<Incident>, StoreError> {
        self.read("list incidents", |snapshot| incidents(snapshot, query))
    }

    fn find_incidents(&self, prefix: &str) -> Result<Vec<Incident>, StoreError> {
        self.read("find an incident", |snapshot| find_incidents(snapshot, prefix))
    }

    fn alerts(&self, query: &AlertQuery) -> Result<Page<Alert>, StoreError> {
        self.read("list alerts", |snapshot| alerts(snapshot, query))
    }

    fn alert(&self, fingerprint: &str) -> Result<Option<Alert>, StoreError> {
        let Ok(fingerprint) = fingerprint.parse::<Fingerprint>() else { return Ok(None) };
        self.read("find an alert", |snapshot| {
            let mut find = snapshot.prepare_cached(ALERT_BY_FINGERPRINT)?;
            let mut rows = find.query([fingerprint.0.cast_signed()])?;
            rows.next()?.map(|row| body("alert", row, 0, 1)).transpose()
        })
    }

    fn firings(&self, query: &FiringQuery) -> Result<Page<Firing>, StoreError> {
        self.read("list what fired", |snapshot| firing::page(snapshot, query))
    }

    fn add_told(&self, firings: &mut [Firing]) -> Result<(), StoreError> {
        self.read("read what was told", |snapshot| told::add(snapshot, firings))
    }

    fn problems(&self, query: &ProblemQuery) -> Result<Page<Problem>, StoreError> {
        self.read("list problems", |snapshot| problems::page(snapshot, query))
    }

    fn find_problems(&self, prefix: &str) -> Result<Vec<Problem>, StoreError> {
        self.read("find a problem", |snapshot| problems::find(snapshot, prefix))
    }

    fn changes(&self, query: &ChangeQuery) -> Result<Page<Change>, StoreError> {
        self.read("list changes", |snapshot| change::page(snapshot, query))
    }

    fn silences(&self, query: &SilenceQuery) -> Result<Page<Silence>, StoreError> {
        self.read("list silences", |snapshot| silences(snapshot, query))
    }

    fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        let Some(incident) = delivery::incident_of(id) else { return Ok(None) };
        self.read("read a delivery", |snapshot| {
            let found =
                rows(snapshot, DELIVERY, params![incident_key(incident), id], |row| body("delivery", row, 0, 1))?;
            Ok(found.into_iter().next())
        })
    }

    fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.read("list deliveries", |snapshot| deliveries(snapshot, query))
    }

    fn dead_letters(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.read("count dead letters", |snapshot| {
            rows(snapshot, DEAD_LETTERS, [], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned())))
        })
    }

    fn timeline(&self, subject: &Subject, page: &PageQuery) -> Result<Page<TimelineEntry>, StoreError> {
        self.read("read a timeline", |snapshot| timeline::page(snapshot, subject, page))
    }

    fn find_event(&self, id: &str) -> Result<Option<(Position, Vec<u8>)>, StoreError> {
        self.read("find an event", |snapshot| find_event(snapshot, id))
    }

    fn journal(&self, after: Position, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        self.read("read the journal", |snapshot| journal(snapshot, after, limit))
    }

    fn audit(&self, page: &PageQuery) -> Result<Page<AuditRow>, StoreError> {
        self.read("read the audit", |snapshot| {
            let before = cursor::decode(List::Audit, page, Key::LAST)?.number;
            let rows = rows(snapshot, audit::FROM_THE_NEWEST, params![before, cursor::rows_to_fetch(page)], |row| {
                Ok((Key::number(row.get(0)?), audit::row(row)?))
            })?;
            Ok(cursor::cut(List::Audit, page, rows))
        })
    }

    fn audit_after(&self, number: Option<u64>, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.read("read the audit", |snapshot| {
            let after = number.map_or(i64::MIN, u64::cast_signed);
            rows(snapshot, audit::FROM_THE_OLDEST, params![after, limit], audit::row)
        })
    }

    fn quarantine(&self, page: &PageQuery) -> Result<Page<QuarantineRow>, StoreError> {
        self.read("list the quarantine", |snapshot| {
            let before = cursor::decode(List::Quarantine, page, Key::LAST)?.number;
            let rows = rows(snapshot, QUARANTINE, params![before, cursor::rows_to_fetch(page)], |row| {
                let at = Timestamp::from_millis(row.get(1)?);
                let kept = QuarantineRow { at, source: row.get(2)?, reason: row.get(3)?, body: row.get(4)? };
                Ok((Key::number(row.get(0)?), kept))
            })?;
            Ok(cursor::cut(List::Quarantine, page, rows))
        })
    }

    fn position(&self) -> Result<Position, StoreError> {
        self.read("read the position", position)
    }
}

pub(super) const SILENCES: &str = "SELECT key, value FROM fact WHERE kind = 'silence'";

/// All of them are read for each page: they stand in the engine's memory too, and people made them.
fn silences(snapshot: &Connection, query: &SilenceQuery) -> Result<Page<Silence>, Fault> {
    let page = &query.page;
    let before = cursor::decode(List::Silences, page, Key::LAST)?;
    let key = |silence: &Silence| Key { number: silence.starts_at.as_millis(), id: silence.id.clone() };
    let all = rows(snapshot, SILENCES, [], |row| body::<Silence>("silence", row, 0, 1))?;
    let mut rest: Vec<_> = all.into_iter().map(|silence| (key(&silence), silence)).collect();
    let is_wanted = |state| query.state.map_or(state != SilenceState::Expired, |wanted| state == wanted);
    rest.retain(|(key, silence)| *key < before && is_wanted(silence.state));
    rest.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    Ok(cursor::cut(List::Silences, page, rest))
}

pub(super) const JOURNAL: &str = "SELECT seq, at, kind, payload FROM journal WHERE seq > ?1 ORDER BY seq LIMIT ?2";
pub(super) const QUARANTINE: &str =
    "SELECT seq, at, source, reason, body FROM quarantine WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2";

/// Looks through the whole index of live alerts (some 20 bytes each), then goes straight to past ones.
pub(super) const ALERT_BY_FINGERPRINT: &str = "
    SELECT number, body FROM alert WHERE number = max(
      ifnull((SELECT max(number) FROM alert INDEXED BY alert_live WHERE is_live = 1 AND fingerprint = ?1), 0),
      ifnull((SELECT max(number) FROM alert INDEXED BY alert_past WHERE is_live = 0 AND fingerprint = ?1), 0))";

pub(super) fn journal(connection: &Connection, after: Position, limit: u32) -> Result<Vec<JournalEntry>, Fault> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    rows(connection, JOURNAL, params![after, limit], |row| {
        let (seq, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        Ok((seq.cast_unsigned(), Timestamp::from_millis(at), row.get(2)?, payload(row)?.to_vec()))
    })
}

pub(super) fn rows<T>(
    connection: &Connection,
    sql: &str,
    parameters: impl Params,
    mut row: impl FnMut(&Row<'_>) -> Result<T, Fault>,
) -> Result<Vec<T>, Fault> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(parameters)?;
    let mut all = Vec::new();
    while let Some(next) = rows.next()? {
        all.push(row(next)?);
    }
    Ok(all)
}

/// Every state but `pending` and `merged`: what people mean by "all incidents".
const STATES: [IncidentState; 4] =
    [IncidentState::Open, IncidentState::Acknowledged, IncidentState::Resolved, IncidentState::Closed];

pub(super) const INCIDENT_KEYS: &str = "
    SELECT opened_at, id FROM incident
    WHERE state = ?1 AND (opened_at, id) < (?2, ?3) AND (?4 IS NULL OR priority = ?4)
    ORDER BY opened_at DESC, id DESC LIMIT ?5";
pub(super) const INCIDENT_BY_ID: &str = "SELECT id, body FROM incident WHERE id = ?1";

/// One walk down the index for each state, then the bodies of the page alone.
fn incidents(snapshot: &Connection, query: &IncidentQuery) -> Result<Page<Incident>, Fault> {
    let after = cursor::decode(List::Incidents, &query.page, Key::LAST)?;
    let (opened_at, key) = (after.number, after.id.parse::<i64>().unwrap_or(0));
    let limit = cursor::rows_to_fetch(&query.page);
    let asked = if query.states.is_empty() { &STATES[..] } else { &query.states[..] };
    let states: BTreeSet<IncidentState> = asked.iter().copied().collect();
    let mut keys: Vec<(i64, i64)> = Vec::new();
    for state in states {
        let priority = query.priority.map(|priority| priority.as_str());
        let found = rows(snapshot, INCIDENT_KEYS, params![state.as_str(), opened_at, key, priority, limit], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        keys.extend(found);
    }
    keys.sort_unstable_by(|a, b| b.cmp(a));
    keys.truncate(limit as usize);
    let mut page = Vec::with_capacity(keys.len());
    for (opened_at, key) in keys {
        if let Some(incident) = incident(snapshot, key)? {
            page.push((Key { number: opened_at, id: key.to_string() }, incident));
        }
    }
    Ok(cursor::cut(List::Incidents, &query.page, page))
}

fn incident(snapshot: &Connection, key: i64) -> Result<Option<Incident>, Fault> {
    let mut statement = snapshot.prepare_cached(INCIDENT_BY_ID)?;
    let mut rows = statement.query([key])?;
    rows.next()?.map(|row| body("incident", row, 0, 1)).transpose()
}

/// The beginning of an id says nothing of its key, so all keys are looked at: some ten million a second.
pub(super) const INCIDENT_IDS: &str = "SELECT id FROM incident INDEXED BY incident_state";
pub(super) const INCIDENT_MERGED_INTO: &str = "SELECT merged_into FROM incident WHERE id = ?1";

fn find_incidents(snapshot: &Connection, prefix: &str) -> Result<Vec<Incident>, Fault> {
    let typed = prefix.trim().to_ascii_lowercase();
    let short = typed.strip_prefix("inc-").unwrap_or(&typed);
    if short.is_empty() {
        return Ok(Vec::new());
    }
    let first = format!("inc-{short}");
    let keys = match first.parse::<IncidentId>() {
        Ok(id) => vec![incident_key(id)],
        Err(_) => keys_with_prefix(snapshot, &first)?,
    };
    let mut survivors: Vec<i64> = Vec::new();
    for key in keys {
        let survivor = survivor(snapshot, key)?;
        if !survivors.contains(&survivor) && survivors.len() < FOUND_MAX {
            survivors.push(survivor);
        }
    }
    let found = survivors.into_iter().map(|key| incident(snapshot, key));
    Ok(found.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn keys_with_prefix(snapshot: &Connection, first: &str) -> Result<Vec<i64>, Fault> {
    let mut statement = snapshot.prepare_cached(INCIDENT_IDS)?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()?
        && found.len() < PREFIX_IDS_MAX
    {
        let key: i64 = row.get(0)?;
        if IncidentId::from_key(key.cast_unsigned()).starts_with(first) {
            found.push(key);
        }
    }
    Ok(found)
}

fn survivor(snapshot: &Connection, mut id: i64) -> Result<i64, Fault> {
    let mut next = snapshot.prepare_cached(INCIDENT_MERGED_INTO)?;
    let mut target = snapshot.prepare_cached("SELECT 1 FROM incident WHERE id = ?1")?;
    for _ in 0..MERGES_MAX {
        match next.query_row([id], |row| row.get::<_, Option<i64>>(0)).optional()?.flatten() {
            Some(into) if target.exists([into])? => id = into,
            _ => break,
        }
    }
    Ok(id)
}

/// Firing alerts are among the live ones: memory lets go of an alert only once it is resolved.
pub(super) fn alert_sql(query: &AlertQuery) -> String {
    let scope = match (&query.incident, query.status) {
        (Some(_), _) => "alert_incident WHERE incident = ?3",
        (None, Some(AlertStatus::Firing)) => "alert_live WHERE is_live = 1",
        (None, Some(AlertStatus::Resolved)) => "alert_resolved WHERE is_firing = 0",
        (None, None) => return "SELECT number, body FROM alert WHERE number < ?1 ORDER BY number DESC LIMIT ?4".into(),
    };
    format!(
        "SELECT number, body FROM alert INDEXED BY {scope} AND number < ?1 AND (?2 IS NULL OR is_firing = ?2)
         ORDER BY number DESC LIMIT ?4"
    )
}

fn alerts(snapshot: &Connection, query: &AlertQuery) -> Result<Page<Alert>, Fault> {
    let before = cursor::decode(List::Alerts, &query.page, Key::LAST)?.number;
    let is_firing = query.status.map(|status| status == AlertStatus::Firing);
    let limit = cursor::rows_to_fetch(&query.page);
    let rows = rows(
        snapshot,
        &alert_sql(query),
        params![before, is_firing, query.incident.map(incident_key), limit],
        |row| Ok((Key::number(row.get(0)?), body("alert", row, 0, 1)?)),
    )?;
    Ok(cursor::cut(List::Alerts, &query.page, rows))
}

pub(super) fn delivery_sql(query: &DeliveryQuery) -> String {
    let scope = match (&query.incident, query.state.as_deref()) {
        (Some(_), _) => "delivery_incident WHERE incident = ?5",
        // Sorted afterwards, which is cheap: as many as are waiting to be sent, not as were ever sent.
        (None, Some("pending")) => "delivery_pending WHERE state = 'pending'",
        (None, Some("exhausted")) => "delivery_exhausted WHERE state = 'exhausted'",
        (None, _) => "delivery_created WHERE true",
    };
    format!(
        "SELECT created_at, id, body FROM delivery INDEXED BY {scope} AND (created_at, id) < (?1, ?2)
           AND (?3 IS NULL OR state = ?3) AND (?4 IS NULL OR sink = ?4) AND (?5 IS NULL OR incident = ?5)
         ORDER BY created_at DESC, id DESC LIMIT ?6"
    )
}

pub(super) const DEAD_LETTERS: &str = "
    SELECT sink, count(*) FROM delivery INDEXED BY delivery_exhausted WHERE state = 'exhausted' GROUP BY sink";

const DELIVERY: &str = "SELECT id, body FROM delivery WHERE incident = ?1 AND id = ?2";

fn deliveries(snapshot: &Connection, query: &DeliveryQuery) -> Result<Page<Delivery>, Fault> {
    let Key { number, id } = cursor::decode(List::Deliveries, &query.page, Key::LAST)?;
    let limit = cursor::rows_to_fetch(&query.page);
    let incident = query.incident.map(incident_key);
    let parameters = params![number, id, query.state, query.sink, incident, limit];
    let rows = rows(snapshot, &delivery_sql(query), parameters, |row| {
        Ok((Key { number: row.get(0)?, id: row.get(1)? }, body("delivery", row, 1, 2)?))
    })?;
    Ok(cursor::cut(List::Deliveries, &query.page, rows))
}

pub(super) const EVENT: &str = "
    SELECT seq, at, kind, payload FROM journal
    WHERE seq > ?1 AND kind = 'events' AND instr(payload, ?2) > 0 ORDER BY seq DESC";

/// What the search needs of a payload.
#[derive(Deserialize)]
struct EventIds {
    events: Vec<EventId>,
}

#[derive(Deserialize)]
struct EventId {
    id: String,
}

/// Events have no index, since its keys would be random on the hot path: the newest rows are searched
/// for the id's bytes, and a row that has them is decoded, because the same bytes may be elsewhere in it.
fn find_event(snapshot: &Connection, id: &str) -> Result<Option<(Position, Vec<u8>)>, Fault> {
    let quoted = serde_json::Value::from(id).to_string();
    let needle = format!("\"id\":{quoted}").into_bytes();
    let oldest = position(snapshot)?.cast_signed() - EVENT_ROWS_MAX;
    let mut candidates = snapshot.prepare_cached(EVENT)?;
    let mut rows = candidates.query(params![oldest, needle])?;
    while let Some(row) = rows.next()? {
        let payload = payload(row)?;
        let is_hit = serde_json::from_slice::<EventIds>(payload)
            .is_ok_and(|input| input.events.iter().any(|event| event.id == id));
        if is_hit {
            let seq: i64 = row.get(0)?;
            return Ok(Some((seq.cast_unsigned(), payload.to_vec())));
        }
    }
    Ok(None)
}
