//! The timeline's rows: the entries that one commit made about one incident share a row, because a row
//! costs more than the words in it. Decides what shares a row, and how a page is cut out of such rows.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, Transaction, params};
use serde::{Deserialize, Serialize};

use super::error::Fault;
use super::load::body;
use super::write::{Scratch, incident_key, to_json};
use crate::model::alert::AlertNumber;
use crate::model::problem::ProblemId;
use crate::model::timeline::TimelineKind;
use crate::model::{Fingerprint, IncidentId, TimelineEntry, Timestamp};
use crate::store::cursor::{self, Key, List};
use crate::store::{Page, PageQuery, Rows, Subject};

/// Entries in one row at most, so that none grows out of hand.
const ENTRIES_MAX: usize = 32;

const INSERT: &str = "
    INSERT INTO timeline (at, incident, alert_number, alert_fingerprint, problem, body)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
pub(super) const OF_INCIDENT: &str = "
    SELECT seq, body FROM timeline WHERE incident = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";
pub(super) const OF_PROBLEM: &str = "
    SELECT seq, body FROM timeline WHERE problem = ?1 AND seq >= ?2 ORDER BY seq LIMIT ?3";
/// Every alert that ever had the fingerprint, and the rows whose number was not known.
pub(super) const OF_ALERT: &str = "
    SELECT seq, body FROM timeline WHERE alert_number IN (
        SELECT number FROM alert INDEXED BY alert_live WHERE is_live = 1 AND fingerprint = ?1
        UNION ALL SELECT number FROM alert INDEXED BY alert_past WHERE is_live = 0 AND fingerprint = ?1)
      AND seq >= ?2
    UNION ALL SELECT seq, body FROM timeline WHERE alert_fingerprint = ?1 AND seq >= ?2
    ORDER BY seq LIMIT ?3";

/// Entries on their way into one row.
struct Group<'a> {
    incident: Option<IncidentId>,
    alert: Option<Fingerprint>,
    problem: Option<&'a ProblemId>,
    entries: Vec<&'a TimelineEntry>,
}

/// The body of a row: what its entries have in common is said once.
#[derive(Serialize, Deserialize)]
struct Body<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    incident: Option<IncidentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alert: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    problem: Option<Cow<'a, ProblemId>>,
    entries: Vec<Entry<'a>>,
}

#[derive(Serialize, Deserialize)]
struct Entry<'a> {
    /// Absent when it is that of the entry before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    kind: TimelineKind,
    /// Not about the row's alert.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    is_general: bool,
    by: Cow<'a, str>,
    text: Cow<'a, str>,
}

/// An entry about an alert almost always comes with a change of that alert, which tells its number.
pub(super) fn write(transaction: &Transaction<'_>, scratch: &mut Scratch, rows: &Rows) -> Result<(), Fault> {
    if rows.timeline.is_empty() {
        return Ok(());
    }
    let Scratch { json, numbers } = scratch;
    numbers.clear();
    numbers.extend(rows.changes.alerts.iter().map(|(alert, _)| (alert.fingerprint, alert.number)));
    numbers.sort_unstable();
    let mut insert = transaction.prepare_cached(INSERT)?;
    for group in group(&rows.timeline) {
        let number = group.alert.and_then(|alert| number_of(numbers, alert));
        insert.execute(params![
            group.entries.last().map(|entry| entry.at.as_millis()),
            group.incident.map(incident_key),
            number.map(AlertNumber::cast_signed),
            group.alert.filter(|_| number.is_none()).map(|alert| alert.0.cast_signed()),
            group.problem.map(|problem| &*problem.0),
            to_json(json, &group.body())?,
        ])?;
    }
    Ok(())
}

/// An entry goes to its incident's last row, unless that is about another alert.
fn group(entries: &[TimelineEntry]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    let mut last: BTreeMap<IncidentId, usize> = BTreeMap::new();
    for entry in entries {
        let open = entry.incident.and_then(|id| last.get(&id)).and_then(|at| groups.get_mut(*at));
        match open.filter(|group| group.takes(entry)) {
            Some(group) => {
                group.alert = group.alert.or(entry.alert);
                group.entries.push(entry);
            }
            None => {
                entry.incident.map(|id| last.insert(id, groups.len()));
                let (incident, alert, problem) = (entry.incident, entry.alert, entry.problem.as_ref());
                groups.push(Group { incident, alert, problem, entries: vec![entry] });
            }
        }
    }
    groups
}

impl Group<'_> {
    fn body(&self) -> Body<'_> {
        let mut last = None;
        let entries = self.entries.iter().map(|entry| Entry {
            at: (last.replace(entry.at) != Some(entry.at)).then_some(entry.at),
            kind: entry.kind,
            is_general: self.alert.is_some() && entry.alert.is_none(),
            by: Cow::Borrowed(&entry.by),
            text: Cow::Borrowed(&entry.text),
        });
        let problem = self.problem.map(Cow::Borrowed);
        Body { incident: self.incident, alert: self.alert, problem, entries: entries.collect() }
    }

    fn takes(&self, entry: &TimelineEntry) -> bool {
        self.entries.len() < ENTRIES_MAX && (self.alert.is_none() || entry.alert.is_none() || self.alert == entry.alert)
    }
}

/// The highest number that goes with the fingerprint: an alert that came back has a new one.
fn number_of(sorted: &[(Fingerprint, AlertNumber)], alert: Fingerprint) -> Option<AlertNumber> {
    let end = sorted.partition_point(|(fingerprint, _)| *fingerprint <= alert);
    sorted[..end].last().filter(|(fingerprint, _)| *fingerprint == alert).map(|(_, number)| *number)
}

fn entries(row: &Row<'_>) -> Result<Vec<TimelineEntry>, Fault> {
    let Body { incident, alert, problem, entries }: Body<'static> = body("timeline row", row, 0, 1)?;
    let mut last = Timestamp::default();
    let whole = entries.into_iter().map(|entry| {
        last = entry.at.unwrap_or(last);
        let alert = alert.filter(|_| !entry.is_general);
        TimelineEntry {
            at: last,
            kind: entry.kind,
            incident,
            alert,
            problem: problem.as_deref().cloned(),
            by: entry.by.into_owned(),
            text: entry.text.into_owned(),
        }
    });
    Ok(whole.collect())
}

/// A cursor names the row and the entry in it at which the page before ended.
pub(super) fn page(snapshot: &Connection, subject: &Subject, page: &PageQuery) -> Result<Page<TimelineEntry>, Fault> {
    let after = cursor::decode(List::Timeline, page, Key::FIRST)?;
    let after = (after.number, after.id.parse::<usize>().ok());
    // A row holds one entry of the subject at least, the first may hold the end of the last page.
    let limit = cursor::rows_to_fetch(page) + 1;
    let (sql, key, alert) = match subject {
        Subject::Incident(id) => (OF_INCIDENT, Value::from(incident_key(*id)), None),
        Subject::Problem(id) => (OF_PROBLEM, Value::from(id.to_string()), None),
        Subject::Alert(id) => match id.parse::<Fingerprint>() {
            Ok(alert) => (OF_ALERT, Value::from(alert.0.cast_signed()), Some(alert)),
            Err(_) => return Ok(Page { items: Vec::new(), next_cursor: None }),
        },
    };
    let mut statement = snapshot.prepare_cached(sql)?;
    let mut rows = statement.query(params![key, after.0, limit])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let wanted = entries(row)?
            .into_iter()
            .enumerate()
            .filter(|(at, entry)| (seq, Some(*at)) > after && (alert.is_none() || entry.alert == alert));
        found.extend(wanted.map(|(at, entry)| (Key { number: seq, id: at.to_string() }, entry)));
    }
    Ok(cursor::cut(List::Timeline, page, found))
}
