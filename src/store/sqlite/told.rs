//! What was sent about a firing. Decides which deliveries of its incident or its groups are about it, and how many are
//! looked at.

use rusqlite::{Connection, params};
use std::collections::BTreeMap;

use super::error::Fault;
use super::load::body;
use super::read::rows;
use super::write::incident_key;
use crate::model::{AlertStatus, Delivery, Firing, FiringDelivery, Incident, IncidentId, NotificationKind, Timestamp};

/// Deliveries shown of one firing.
const SHOWN_MAX: usize = 100;
/// Deliveries behind the end of a firing among which the word of its end is looked for.
const BEHIND_MAX: u32 = 32;
/// Bodies read for one page, and their bytes.
const BODIES_MAX: u32 = 5_000;
const BYTES_MAX: usize = 32 * 1_024 * 1_024;
/// Incidents that became part of another one, whose deliveries are looked at as well.
const MERGED_MAX: usize = 8;

pub(super) const KEYS: &str = "
    SELECT created_at, seq FROM delivery INDEXED BY delivery_since
    WHERE incident = ?1 AND created_at >= ?2 AND created_at <= ?3 ORDER BY created_at, seq LIMIT ?4";
const DELIVERY: &str = "SELECT seq, body FROM delivery WHERE seq = ?1";

pub(super) fn add(snapshot: &Connection, firings: &mut [Firing]) -> Result<(), Fault> {
    let mut desk = Desk { snapshot, seen: BTreeMap::new(), merged: BTreeMap::new(), bytes: 0 };
    for firing in firings {
        desk.add(firing)?;
    }
    Ok(())
}

/// When a delivery was created, and its row.
type Place = (i64, i64);

/// A delivery in short, with what tells whom it is about.
struct Seen {
    told: FiringDelivery,
    number: u32,
    /// By id; of a group by Alertmanager's fingerprint.
    alerts: BTreeMap<String, (AlertStatus, Timestamp)>,
    /// All that it is about are in `alerts`.
    is_complete: bool,
}

/// What was read for this page: alerts of one incident were told of together.
struct Desk<'a> {
    snapshot: &'a Connection,
    seen: BTreeMap<i64, Seen>,
    merged: BTreeMap<IncidentId, Vec<IncidentId>>,
    bytes: usize,
}

impl Desk<'_> {
    fn add(&mut self, firing: &mut Firing) -> Result<(), Fault> {
        let mut found: Vec<Place> = Vec::new();
        if let Some(id) = firing.incident {
            for incident in self.incidents(id)? {
                self.of_incident(firing, incident, &mut found)?;
            }
        }
        for group in firing.groups.clone() {
            self.of_group(firing, group.id, &mut found)?;
        }
        found.sort_unstable();
        found.dedup();
        firing.deliveries_are_cut |= found.len() > SHOWN_MAX;
        let shown = found.iter().take(SHOWN_MAX).filter_map(|(_, seq)| self.seen.get(seq));
        firing.deliveries = shown.map(|seen| seen.told.clone()).collect();
        Ok(())
    }

    /// While it fired, all that was said of its incident; then the first word of the end.
    fn of_incident(&mut self, firing: &mut Firing, id: IncidentId, found: &mut Vec<Place>) -> Result<(), Fault> {
        let alert = firing.alert.id();
        let (during, behind) = self.keys(firing, id)?;
        for key in during {
            let Some(seen) = self.look(key.1)? else { return cut(firing) };
            if seen.alerts.contains_key(&alert) || !seen.is_complete {
                found.push(key);
            }
        }
        let mut end = None;
        for key in behind {
            let Some(seen) = self.look(key.1)? else { return cut(firing) };
            let is_next = end.is_some_and(|number| number != seen.number);
            if is_next || seen.told.kind == NotificationKind::Reopened {
                break;
            }
            if seen.told.kind.is_final() {
                end = Some(seen.number);
                found.push(key);
            }
        }
        Ok(())
    }

    /// What showed it as firing while it fired, or showed its end.
    fn of_group(&mut self, firing: &mut Firing, id: IncidentId, found: &mut Vec<Place>) -> Result<(), Fault> {
        let alert = firing.alert.labels.fingerprint().to_string();
        let started_at = firing.alert.started_at;
        let (during, behind) = self.keys(firing, id)?;
        for (is_behind, key) in
            during.into_iter().map(|key| (false, key)).chain(behind.into_iter().map(|key| (true, key)))
        {
            let Some(seen) = self.look(key.1)? else { return cut(firing) };
            let is_about = seen.alerts.get(&alert).is_some_and(|(status, started)| match status {
                AlertStatus::Firing => !is_behind,
                AlertStatus::Resolved => *started == started_at,
            });
            if is_about {
                found.push(key);
            }
        }
        Ok(())
    }

    /// The deliveries of an incident or group from the firing's beginning to its end, and the next ones behind.
    fn keys(&self, firing: &Firing, id: IncidentId) -> Result<(Vec<Place>, Vec<Place>), Fault> {
        let until = firing.until.map_or(i64::MAX, Timestamp::as_millis);
        let between = |from: i64, until: i64, limit: u32| {
            let parameters = params![incident_key(id), from, until, limit];
            rows(self.snapshot, KEYS, parameters, |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
        };
        let during = between(firing.from.as_millis(), until, BODIES_MAX)?;
        let behind = match until.checked_add(1) {
            Some(next) => between(next, i64::MAX, BEHIND_MAX)?,
            None => Vec::new(),
        };
        Ok((during, behind))
    }

    /// None once enough was read for one page.
    fn look(&mut self, seq: i64) -> Result<Option<&Seen>, Fault> {
        if !self.seen.contains_key(&seq) {
            if self.seen.len() >= BODIES_MAX as usize || self.bytes >= BYTES_MAX {
                return Ok(None);
            }
            let mut statement = self.snapshot.prepare_cached(DELIVERY)?;
            let mut rows = statement.query([seq])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            self.bytes += row.get_ref(1)?.as_bytes().map_or(0, <[u8]>::len);
            self.seen.insert(seq, Seen::of(body("delivery", row, 0, 1)?));
        }
        Ok(self.seen.get(&seq))
    }

    /// The incident and those that have become part of it.
    fn incidents(&mut self, id: IncidentId) -> Result<Vec<IncidentId>, Fault> {
        if let Some(known) = self.merged.get(&id) {
            return Ok(known.clone());
        }
        let mut statement = self.snapshot.prepare_cached(super::read::INCIDENT_BY_ID)?;
        let mut rows = statement.query([incident_key(id)])?;
        let incident: Option<Incident> = rows.next()?.map(|row| body("incident", row, 0, 1)).transpose()?;
        let merged = incident.map(|incident| incident.merged_from).unwrap_or_default();
        let all: Vec<IncidentId> = std::iter::once(id).chain(merged.into_iter().take(MERGED_MAX)).collect();
        self.merged.insert(id, all.clone());
        Ok(all)
    }
}

fn cut(firing: &mut Firing) -> Result<(), Fault> {
    firing.deliveries_are_cut = true;
    Ok(())
}

impl Seen {
    fn of(delivery: Delivery) -> Self {
        let notification = &delivery.notification;
        let (alerts, is_complete) = match &notification.group {
            Some(group) => {
                let alerts =
                    group.alerts.iter().map(|alert| (alert.fingerprint.clone(), (alert.status, alert.starts_at)));
                (alerts.collect(), true)
            }
            None => {
                let shown = &notification.incident.alerts;
                let alerts = shown.iter().map(|alert| (alert.id.clone(), (alert.status, alert.started_at)));
                (alerts.collect(), notification.incident.alert_count as usize <= shown.len())
            }
        };
        let told = FiringDelivery {
            receiver: delivery.receiver,
            sink: delivery.sink,
            kind: notification.kind,
            created_at: delivery.created_at,
            finished_at: delivery.finished_at,
            state: delivery.state.as_str().to_owned(),
            id: delivery.id,
        };
        Self { told, number: notification.number, alerts, is_complete }
    }
}
