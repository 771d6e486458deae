//! I1, I2 and I10: what an answer promises. Taken means durable; nothing taken is swallowed; who may not
//! is refused, and everybody is in the audit.

use watchbell::engine::effect::Effect;
use watchbell::engine::input::{Command, Input, Reply, Role};
use watchbell::engine::policy::NotifyBy;
use watchbell::model::event::{Event, EventStatus, Marker};
use watchbell::model::timeline::TimelineKind;
use watchbell::model::{AlertStatus, Fingerprint};
use watchbell::runtime::inbox::Receipt;
use watchbell::store::{PAGE_LIMIT_MAX, PageQuery, Reader};

use super::super::monitors::POISON;
use super::super::world::{Answer, Asked, What, World};
use super::{Oracle, Verdict, Violation, ensure};

impl Oracle {
    pub(super) fn judge_answers(&mut self, world: &World) -> Verdict {
        for (index, asked) in world.asked.iter().enumerate() {
            let Answer::Taken(receipt) = &asked.answer else { continue };
            if self.judged.insert(index) {
                judge_taken(asked, receipt, world)?;
            }
        }
        Ok(())
    }

    /// I2: an event that was taken is in its alert, and there is one alert for each condition.
    pub(super) fn judge_folding(&self, events: &[Event], effects: &[Effect]) -> Verdict {
        // An incident that is closed in the same step takes its alerts with it.
        let is_closed =
            |effect: &Effect| matches!(effect, Effect::Timeline(entry) if entry.kind == TimelineKind::IncidentClosed);
        let is_by_group = self.replayed.policy().notify_by == NotifyBy::Group;
        for event in events {
            // What is over before anybody could hear of it is let go of at once where people hear of groups.
            let may_be_gone = effects.iter().any(is_closed) || is_by_group && event.status == EventStatus::Resolved;
            let is_about_alert = matches!(event.status, EventStatus::Firing | EventStatus::Resolved)
                && !matches!(event.marker, Some(Marker::DowntimeStarted | Marker::DowntimeEnded));
            let is_it = |source: &str, key: &str| source == event.source && key == event.dedup_key;
            let count = self.replayed.alerts().filter(|alert| is_it(&alert.source, &alert.dedup_key)).count();
            if !is_about_alert {
                // What is said of an alert is counted with it; all else is told.
                let is_told =
                    count == 1 || is_by_group || effects.iter().any(|effect| matches!(effect, Effect::Timeline(_)));
                ensure(is_told, "I2", || format!("event {event:?} is folded into nothing, and nothing says so"))?;
                continue;
            }
            ensure(count == 1 || count == 0 && may_be_gone, "I2", || {
                format!("event {} is folded into {count} alerts", event.id)
            })?;
        }
        Ok(())
    }

    /// I2: a firing alert is in an incident that somebody hears of, or it is said why not.
    pub(super) fn judge_alerts(&self, world: &World) -> Verdict {
        let Some(daemon) = &world.daemon else { return Ok(()) };
        let state = daemon.driver.state();
        let mut seen = std::collections::BTreeSet::<Fingerprint>::new();
        for alert in state.alerts() {
            ensure(seen.insert(alert.fingerprint), "I2", || format!("{} has two alerts", alert.dedup_key))?;
            if alert.status != AlertStatus::Firing || alert.flap.is_flapping {
                continue;
            }
            if state.policy().notify_by == NotifyBy::Group {
                let is_there = state.book().is_member(alert.number);
                ensure(is_there, "I2", || format!("{} fires in no group", alert.dedup_key))?;
                continue;
            }
            let is_known = match alert.incident {
                None => self.explained.contains(&alert.fingerprint),
                Some(id) => state
                    .incident(&id)
                    .is_some_and(|incident| incident.state.is_active() || incident.resolved_by.is_some()),
            };
            ensure(is_known, "I2", || {
                let state = alert.incident.and_then(|id| state.incident(&id)).map(|incident| incident.state);
                let (key, incident) = (&alert.dedup_key, alert.incident);
                format!("{key} fires in no incident ({incident:?}, {state:?}), and nothing says why")
            })?;
        }
        Ok(())
    }

    /// I10: every command is in the audit, done or refused.
    pub(super) fn judge_audit(&self, world: &World) -> Verdict {
        let page = PageQuery { cursor: None, limit: PAGE_LIMIT_MAX };
        let audit = world.reader.audit(&page).unwrap().items;
        ensure(audit.len() == self.commands.len(), "I10", || {
            format!("{} commands, {} entries in the audit", self.commands.len(), audit.len())
        })?;
        let by_time = |entry: &watchbell::model::audit::AuditEntry| (entry.principal.clone(), entry.at);
        let recorded: Vec<_> = audit.iter().rev().map(|row| by_time(&row.entry)).collect();
        let expected: Vec<_> = self.commands.iter().map(|(by, at)| (by.name.clone(), *at)).collect();
        ensure(recorded == expected, "I10", || format!("the audit says {recorded:?}, the journal {expected:?}"))
    }
}

fn judge_taken(asked: &Asked, receipt: &Receipt, world: &World) -> Verdict {
    match &asked.what {
        What::Events { payload, is_poison: false, .. } => judge_durable(payload, receipt, world),
        What::Events { .. } => judge_quarantined(POISON.as_bytes(), world),
        What::Garbage { body, .. } => judge_quarantined(body, world),
        What::Command { by, payload } => {
            judge_durable(payload, receipt, world)?;
            let wants_admin = matches!(
                serde_json::from_slice(payload).unwrap(),
                Input::Command {
                    command: Command::Redrive { .. } | Command::PutTopology { .. } | Command::RemoveTopology { .. },
                    ..
                }
            );
            let may = by.role >= if wants_admin { Role::Admin } else { Role::Responder };
            let is_refused = matches!(receipt.reply, Some(Reply::Refused(_)));
            ensure(may || is_refused, "I10", || format!("{} may not, but was answered {:?}", by.name, receipt.reply))
        }
    }
}

fn judge_durable(payload: &[u8], receipt: &Receipt, world: &World) -> Verdict {
    let before = receipt.position.saturating_sub(1);
    let rows = world.reader.journal(before, 1).unwrap();
    let is_there = rows.first().is_some_and(|(.., stored)| stored == payload);
    ensure(is_there, "I1", || format!("row {} was promised to be durable", receipt.position))
}

fn judge_quarantined(body: &[u8], world: &World) -> Verdict {
    let page = PageQuery { cursor: None, limit: PAGE_LIMIT_MAX };
    let rows = world.reader.quarantine(&page).unwrap().items;
    let is_there = rows.iter().any(|row| row.body.windows(body.len()).any(|part| part == body));
    if is_there { Ok(()) } else { Err(Violation::new("I2", "what could not be read is not in quarantine")) }
}
