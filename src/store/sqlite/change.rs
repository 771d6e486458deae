//! Rows of changes outside (`model/change.rs`): one for each, written anew when it comes to another state, and
//! listed from the latest.

use rusqlite::{Connection, Transaction, params};

use super::error::Fault;
use super::load::body;
use super::read::rows;
use super::write::to_json;
use crate::model::Change;
use crate::store::cursor::{self, Key, List};
use crate::store::{ChangeQuery, Page};

const UPSERT: &str = "
    INSERT INTO change (source, id, at, state_at, configuration_item, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (source, id) DO UPDATE SET at = excluded.at, state_at = excluded.state_at,
      configuration_item = excluded.configuration_item, body = excluded.body";

pub(super) fn write(transaction: &Transaction<'_>, json: &mut Vec<u8>, told: &[Change]) -> Result<(), Fault> {
    let mut upsert = transaction.prepare_cached(UPSERT)?;
    for change in told {
        upsert.execute(params![
            change.source,
            change.id,
            change.at.as_millis(),
            change.state_at().as_millis(),
            change.configuration_item,
            to_json(json, change)?,
        ])?;
    }
    Ok(())
}

pub(super) fn sql(query: &ChangeQuery) -> String {
    let scope = match query.configuration_item {
        Some(_) => "change_item WHERE configuration_item = ?3",
        None => "change_at WHERE ?3 IS NULL",
    };
    format!(
        "SELECT at, seq, body FROM change INDEXED BY {scope} AND (at, seq) < (?1, ?2) AND at >= ?4
         ORDER BY at DESC, seq DESC LIMIT ?5"
    )
}

pub(super) fn page(snapshot: &Connection, query: &ChangeQuery) -> Result<Page<Change>, Fault> {
    let Key { number, id } = cursor::decode(List::Changes, &query.page, Key::LAST)?;
    let after = (number, id.parse::<i64>().unwrap_or(i64::MAX));
    // Everything up to the last moment, of which no row has so high a number.
    let (at, seq) = query.until.map_or(after, |until| after.min((until.as_millis(), i64::MAX)));
    let since = query.since.map_or(i64::MIN, |since| since.as_millis());
    let parameters = params![at, seq, query.configuration_item, since, cursor::rows_to_fetch(&query.page)];
    let rows = rows(snapshot, &sql(query), parameters, |row| {
        let seq: i64 = row.get(1)?;
        Ok((Key { number: row.get(0)?, id: seq.to_string() }, body("change", row, 1, 2)?))
    })?;
    Ok(cursor::cut(List::Changes, &query.page, rows))
}
