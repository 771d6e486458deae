//! I11 and I3: what must hold once all faults have healed and everything has come to rest.

use std::collections::{BTreeMap, BTreeSet};

use watchbell::model::{Alert, AlertStatus, Delivery, DeliveryState, Incident, IncidentId};
use watchbell::store::{ChangeQuery, DeliveryQuery, IncidentQuery, PAGE_LIMIT_MAX, PageQuery, Reader};

use super::super::monitors::Condition;
use super::super::world::World;
use super::deliveries::{End, Known};
use super::{Oracle, Verdict, Violation, ensure};

fn page() -> PageQuery {
    PageQuery { cursor: None, limit: PAGE_LIMIT_MAX }
}

impl Oracle {
    /// Nothing is pending any more, and everybody has the last word of every incident.
    pub fn judge_rest(&self, world: &World, conditions: &[Condition]) -> Verdict {
        let Some(daemon) = &world.daemon else { return Err(Violation::new("I11", "the daemon does not start")) };
        let state = daemon.driver.state();
        let pending: Vec<&str> = state.deliveries().map(|delivery| delivery.id.as_str()).collect();
        ensure(pending.is_empty(), "I11", || format!("still pending: {}", pending.join(", ")))?;
        for condition in conditions.iter().filter(|condition| condition.problem > 0) {
            let is_it = |alert: &Alert| {
                let label = |name: &str| alert.labels.get(name).map(str::to_owned);
                condition.is_alert(&alert.source, &alert.dedup_key, label)
            };
            let fires = state.alerts().any(|alert| alert.status == AlertStatus::Firing && is_it(alert));
            let may_be_gone = self.ended_by_people.values().any(is_it);
            ensure(fires == condition.is_firing || may_be_gone && !fires, "I2", || {
                format!("fires in truth: {}, in Watchbell: {fires}: {condition:?}", condition.is_firing)
            })?;
        }
        for (id, known) in &self.deliveries.all {
            ensure(self.is_heard(id, 0), "I4", || format!("{id} reached nobody: {:?}", known.end))?;
        }
        world.receivers.read(|_, tickets| self.groups.judge_tickets(tickets))?;
        self.judge_audit(world)?;
        self.judge_changes(world)?;
        self.grouping.judge_look_up(world)?;
        self.judge_store(world)?;
        judge_ends(world)
    }

    /// Every change that was taken is listed once, whatever was told of it how often.
    fn judge_changes(&self, world: &World) -> Verdict {
        let listed = world.reader.changes(&ChangeQuery { page: page(), ..Default::default() }).unwrap();
        let mut ids: Vec<String> = listed.items.into_iter().map(|change| change.id).collect();
        ids.sort();
        let taken: Vec<String> = self.changes.iter().cloned().collect();
        ensure(ids == taken, "I2", || format!("changes {taken:?} were taken, {ids:?} are listed"))
    }

    /// Delivered, or somebody else's delivery was in its place.
    fn is_heard(&self, id: &str, depth: u8) -> bool {
        let Some(known) = self.deliveries.all.get(id) else { return false };
        match &known.end {
            Some(End::Delivered) => true,
            Some(End::Superseded(by)) => depth < 50 && self.is_heard(by, depth + 1),
            Some(End::Exhausted(_)) => {
                depth < 50 && self.deliveries.stand_ins(id).any(|(stand_in, _)| self.is_heard(stand_in, depth + 1))
            }
            None => false,
        }
    }

    /// Once nothing fires any more: everything is over, and who heard of it heard that.
    pub fn judge_end(&self, world: &World) -> Verdict {
        let Some(daemon) = &world.daemon else { return Err(Violation::new("I11", "the daemon does not start")) };
        for incident in daemon.driver.state().incidents() {
            ensure(!incident.state.is_active(), "I11", || format!("{} never ends: {incident:?}", incident.id))?;
            self.judge_last_word(incident)?;
        }
        self.groups.judge_end(daemon.driver.state())?;
        self.judge_receivers(world)
    }

    /// Whoever was told of it, and whoever heard of it in whatever way, hears its end last.
    fn judge_last_word(&self, incident: &Incident) -> Verdict {
        for sink in incident.audience.difference(&self.absent) {
            // News of its problem may follow.
            let own =
                |known: &&Known| known.incident == incident.id && known.sink == *sink && !known.kind.is_about_problem();
            let last = self.deliveries.all.values().filter(own).max_by_key(|known| known.number);
            let is_final = last.is_some_and(|last| last.kind.is_final());
            ensure(is_final, "I11", || format!("{sink} was told of {} but not of its end: {last:?}", incident.id))?;
        }
        Ok(())
    }

    /// The same as receivers see it. What failed for good went to a stand-in.
    fn judge_receivers(&self, world: &World) -> Verdict {
        let mut last = BTreeMap::new();
        world.receivers.read(|log, _| {
            for got in log.iter().filter(|got| got.took_effect && !got.label.kind.is_about_problem()) {
                last.insert((got.label.incident, got.label.sink.clone()), (got.label.number, got.label.kind));
            }
        });
        for ((incident, sink), (number, kind)) in last {
            let has_later = self.deliveries.all.values().any(|known| {
                known.incident == incident && known.sink == sink && known.number > number && known.kind.is_final()
            });
            // Of a group not everybody hears the end; `groups.rs` knows who does.
            let is_told = incident.is_group() || kind.is_final() || has_later || self.absent.contains(&sink);
            ensure(is_told, "I11", || format!("{sink} heard of {incident} ({kind:?}) but not of its end"))?;
        }
        Ok(())
    }

    /// I3 and I4 in the store, which shows the rows of one moment or another: every notification that an
    /// incident counts has its deliveries, and what ended has what it must end with.
    pub(super) fn judge_store(&self, world: &World) -> Verdict {
        let mut numbers: BTreeMap<IncidentId, BTreeSet<u32>> = BTreeMap::new();
        let mut ids = BTreeSet::new();
        let deliveries = deliveries(world);
        for delivery in &deliveries {
            numbers.entry(delivery.incident).or_default().insert(delivery.notification.number);
            ids.insert(delivery.id.as_str());
        }
        let query = IncidentQuery { page: page(), ..IncidentQuery::default() };
        for incident in world.reader.incidents(&query).unwrap().items {
            let numbers = numbers.remove(&incident.id).unwrap_or_default();
            let missing = (1..=incident.notification_count).find(|number| !numbers.contains(number));
            ensure(missing.is_none(), "I3", || format!("{} lost its notification {missing:?}", incident.id))?;
        }
        for delivery in &deliveries {
            match &delivery.state {
                DeliveryState::Delivered { proof } => {
                    ensure(!proof.is_empty(), "I4", || format!("{} is delivered without proof", delivery.id))?;
                }
                DeliveryState::Exhausted { fallback: Some(fallback), .. } => {
                    let is_there = ids.contains(fallback.as_str());
                    ensure(is_there, "I4", || format!("{fallback} should stand in for {}", delivery.id))?;
                }
                DeliveryState::Superseded { .. } | DeliveryState::Cancelled { .. } | DeliveryState::Pending => {}
                other => {
                    let text = format!("{} ends as {}", delivery.id, other.as_str());
                    return Err(Violation::new("I4", text));
                }
            }
        }
        Ok(())
    }
}

/// I4: at rest every delivery in the store has ended.
fn judge_ends(world: &World) -> Verdict {
    let pending = deliveries(world).into_iter().find(|delivery| delivery.state == DeliveryState::Pending);
    ensure(pending.is_none(), "I4", || format!("the store knows no end of {pending:?}"))
}

fn deliveries(world: &World) -> Vec<Delivery> {
    let mut query = DeliveryQuery { page: page(), ..DeliveryQuery::default() };
    let mut all = Vec::new();
    loop {
        let page = world.reader.deliveries(&query).unwrap();
        all.extend(page.items);
        query.page.cursor = page.next_cursor;
        if query.page.cursor.is_none() {
            return all;
        }
    }
}
