//! Promise 3 and what goes with it: alerts move between incidents, incidents part, merge, wait and lapse, and through all
//! of it an alert is in one incident, nobody is paged twice for one fault, and every id leads to where work goes on.

use std::collections::{BTreeMap, BTreeSet};

use watchbell::engine;
use watchbell::engine::effect::Effect;
use watchbell::engine::input::{Command, Input, Principal, Reply};
use watchbell::engine::state::State;
use watchbell::model::timeline::TimelineKind;
use watchbell::model::{Alert, Fingerprint, Incident, IncidentId, IncidentState, NotificationKind, Span, Timestamp};
use watchbell::store::Reader;

use super::super::world::World;
use super::memory::reply_of;
use super::{Reached, Verdict, ensure};

/// What makes a second fault: design §5, decision 0010.
const WAVE_MIN: usize = 5;
const WAVE_ITEMS_MIN: usize = 3;
/// Alerts with less than this are part of their incident for want of a better one.
const LOOSE_BELOW: i64 = 600;

#[derive(Default)]
pub(super) struct Grouping {
    /// Every merge there ever was.
    merged: BTreeMap<IncidentId, IncidentId>,
    /// Where each alert was after the last step, if it fired.
    homes: BTreeMap<Fingerprint, (IncidentId, Timestamp)>,
    /// The notification by which people first heard of an incident.
    opened: BTreeMap<IncidentId, u32>,
    /// What the survivor would answer to a command that came by an old id.
    expected: Option<Reply>,
}

impl Grouping {
    /// Asks the survivor, whenever somebody says the id of one that was merged.
    pub fn before(&mut self, input: &Input, state: &State, at: Timestamp) {
        self.expected = match input {
            Input::Command { by, command } => self.by_survivor(command).map(|command| answer(state, at, by, command)),
            _ => None,
        };
    }

    fn by_survivor(&self, command: &Command) -> Option<Command> {
        let mut command = command.clone();
        let incident = match &mut command {
            Command::Acknowledge { incident, .. }
            | Command::Resolve { incident, .. }
            | Command::Assign { incident, .. }
            | Command::Comment { incident, .. }
            | Command::ConfirmRootCause { incident, .. } => incident,
            _ => return None,
        };
        let id = incident.parse().ok().filter(|id| self.merged.contains_key(id))?;
        *incident = self.survivor(id).to_string();
        Some(command)
    }

    fn survivor(&self, mut id: IncidentId) -> IncidentId {
        while let Some(into) = self.merged.get(&id) {
            id = *into;
        }
        id
    }

    /// What a step did to the groups.
    pub fn after(&mut self, effects: &[Effect], state: &State, reached: &mut Reached) -> Verdict {
        self.judge_alias(effects, reached)?;
        let entries = effects.iter().filter_map(|effect| match effect {
            Effect::Timeline(entry) => Some((entry, entry.incident?)),
            _ => None,
        });
        let (mut opened, mut parted) = (BTreeSet::new(), BTreeSet::new());
        for (entry, id) in entries {
            match entry.kind {
                TimelineKind::IncidentOpened => {
                    opened.insert(id);
                }
                TimelineKind::IncidentMerged => {
                    let into = state.incident(&id).and_then(|incident| incident.merged_into);
                    self.merged.extend(into.map(|into| (id, into)));
                }
                TimelineKind::AlertSplit => {
                    judge_pinned(state, id)?;
                    match entry.alert {
                        Some(alert) => judge_straggler(state, id, alert)?,
                        None => drop(parted.insert(id)),
                    }
                }
                _ => {}
            }
            note(entry.kind, &entry.text, entry.alert.is_some(), reached);
        }
        self.judge_parted(&parted, &opened, state)?;
        opened.iter().filter_map(|id| state.incident(id)).try_for_each(|incident| judge_opening(incident, state))?;
        self.homes = state.alerts().filter(|alert| alert.is_firing()).filter_map(home).collect();
        self.judge_pages(effects)
    }

    /// An id that was given once leads to the incident for ever.
    fn judge_alias(&mut self, effects: &[Effect], reached: &mut Reached) -> Verdict {
        let Some(expected) = self.expected.take() else { return Ok(()) };
        let reply = reply_of(effects);
        let is_alike = match (&expected, reply) {
            // Each names the id that was asked for.
            (Reply::NotFound(_), Some(Reply::NotFound(_))) => true,
            _ => reply == Some(&expected),
        };
        if matches!(reply, Some(Reply::Done(_) | Reply::Already(_))) {
            reached.note("merged id used");
        }
        ensure(is_alike, "aliases", || format!("by its old id the answer is {reply:?}, by its own {expected:?}"))
    }

    /// A second fault is one incident, out of alerts that were elsewhere, and large enough to be a fault of its own.
    fn judge_parted(&self, parted: &BTreeSet<IncidentId>, opened: &BTreeSet<IncidentId>, state: &State) -> Verdict {
        for from in parted {
            let moved = state.alerts().filter(|alert| {
                let before = self.homes.get(&alert.fingerprint).filter(|(_, fired_at)| *fired_at == alert.fired_at);
                before.is_some_and(|(id, _)| id == from) && alert.incident != Some(*from)
            });
            let founded: BTreeSet<IncidentId> =
                moved.filter_map(|alert| alert.incident).filter(|id| opened.contains(id)).collect();
            ensure(founded.len() == 1, "P3", || {
                format!("{from} is parted, and people are paged for each of {founded:?}")
            })?;
            for id in &founded {
                let alerts: Vec<&Alert> = state.alerts().filter(|alert| alert.incident == Some(*id)).collect();
                let items: BTreeSet<_> = alerts.iter().filter_map(|alert| alert.configuration_item.as_ref()).collect();
                let is_severe = alerts.iter().any(|alert| is_severe(alert, state));
                let is_fault = alerts.len() >= WAVE_MIN && items.len() >= WAVE_ITEMS_MIN && is_severe;
                ensure(is_fault, "P3", || format!("{id} left {from} and is no fault of its own: {alerts:?}"))?;
            }
        }
        Ok(())
    }

    /// People hear of an incident for the first time once. Who stands in for a receiver tells the same.
    fn judge_pages(&mut self, effects: &[Effect]) -> Verdict {
        for effect in effects {
            let Effect::Deliver(delivery) = effect else { continue };
            // A group comes and goes.
            if delivery.notification.kind == NotificationKind::Opened && !delivery.incident.is_group() {
                let (id, number) = (delivery.incident, delivery.notification.number);
                let first = *self.opened.entry(id).or_insert(number);
                ensure(first == number, "P3", || format!("{id} is new to people twice: {first} and {number}"))?;
            }
        }
        Ok(())
    }

    /// In every state of the daemon: whatever a restart did, ids lead to where they led, and groups are whole.
    pub fn judge(&self, state: &State) -> Verdict {
        for id in self.merged.keys() {
            let survivor = self.survivor(*id);
            let Some(known) = state.incident(&survivor) else { continue };
            ensure(known.merged_from.contains(id), "aliases", || format!("{survivor} does not know that it was {id}"))?;
        }
        let counts = counts(state);
        state.incidents().try_for_each(|incident| judge_group(incident, &counts, state))
    }

    /// The same as people see it who look an id up.
    pub fn judge_look_up(&self, world: &World) -> Verdict {
        for id in self.merged.keys() {
            let found = world.reader.find_incidents(&id.to_string()).unwrap();
            // Rows come later than what they follow from.
            let ids: Vec<IncidentId> = found.into_iter().map(|incident| incident.id).collect();
            let survivor = self.survivor(*id);
            ensure(ids == [survivor], "aliases", || format!("{id} shows {ids:?} instead of {survivor}"))?;
        }
        Ok(())
    }
}

fn home(alert: &Alert) -> Option<(Fingerprint, (IncidentId, Timestamp))> {
    Some((alert.fingerprint, (alert.incident?, alert.fired_at)))
}

fn answer(state: &State, at: Timestamp, by: &Principal, command: Command) -> Reply {
    let effects = engine::step(&mut state.clone(), at, Input::Command { by: by.clone(), command });
    reply_of(&effects).cloned().unwrap_or_else(|| Reply::Refused("no answer".to_owned()))
}

fn note(kind: TimelineKind, text: &str, is_of_alert: bool, reached: &mut Reached) {
    let what = match kind {
        TimelineKind::AlertSplit if is_of_alert => "straggler left",
        TimelineKind::AlertSplit => "second wave",
        TimelineKind::Held if text.contains("verdict") => "waited for a verdict",
        TimelineKind::IncidentLapsed => "pending group lapsed",
        TimelineKind::IncidentOpened if text.contains("has lasted") => "pending group opened for lasting",
        TimelineKind::IncidentOpened if text.contains("agree") => "pending group opened by agreement",
        _ => return,
    };
    reached.note(what);
}

fn is_severe(alert: &Alert, state: &State) -> bool {
    alert.severity.is_at_least(state.policy().correlation.open_severity)
}

/// What a person took is left as that person knows it.
fn judge_pinned(state: &State, id: IncidentId) -> Verdict {
    let Some(incident) = state.incident(&id) else { return Ok(()) };
    let is_confirmed = incident.root_cause.as_ref().is_some_and(|cause| cause.confirmed_by.is_some());
    let is_pinned = incident.acknowledged_at.is_some() || incident.assignee.is_some() || is_confirmed;
    ensure(!is_pinned, "P3", || format!("{id} is parted, although somebody works on it"))
}

/// What leaves because the rest is over is not what people were called for: they would be called again.
fn judge_straggler(state: &State, id: IncidentId, alert: Fingerprint) -> Verdict {
    let alert = state.alerts().find(|known| known.fingerprint == alert);
    let Some((incident, alert)) = state.incident(&id).zip(alert) else { return Ok(()) };
    let is_from_the_beginning = alert.fired_at <= incident.opened_at + Span::from_mins(1);
    let would_page = is_severe(alert, state) && alert.is_firing() && !alert.flap.is_flapping;
    ensure(!is_from_the_beginning || !would_page, "P3", || {
        format!("{} was there from the beginning of {id}, leaves it and pages again", alert.dedup_key)
    })
}

/// Opening, design §5: something severe, several that agree, or one that lasts. Without that nobody is to be woken, and
/// not for what has only moved here either.
fn judge_opening(incident: &Incident, state: &State) -> Verdict {
    // It may have become part of another one, or end, in the same step.
    if incident.state != IncidentState::Open {
        return Ok(());
    }
    let alerts: Vec<&Alert> = state.alerts().filter(|alert| alert.incident == Some(incident.id)).collect();
    let firm = alerts.iter().filter(|alert| alert.tie >= LOOSE_BELOW);
    let agreeing: BTreeSet<_> = firm.map(|alert| (&alert.configuration_item, &alert.name)).collect();
    let open_after = state.policy().correlation.open_after;
    let lasts = |alert: &&Alert| incident.opened_at.since(alert.fired_at) >= open_after;
    let is_due = alerts.iter().any(|alert| is_severe(alert, state) || lasts(alert)) || agreeing.len() > 1;
    ensure(is_due, "P3", || format!("{} opens for no reason: {alerts:?}", incident.id))
}

/// Alerts in each incident, and those of them that are not over.
type Counts = BTreeMap<IncidentId, (u32, u32)>;

fn counts(state: &State) -> Counts {
    let mut counts = Counts::new();
    for (alert, id) in state.alerts().filter_map(|alert| Some((alert, alert.incident?))) {
        let (all, firing) = counts.entry(id).or_default();
        *all += 1;
        *firing += u32::from(alert.is_firing() || alert.flap.is_flapping);
    }
    counts
}

fn judge_group(incident: &Incident, counts: &Counts, state: &State) -> Verdict {
    let id = incident.id;
    if incident.state.is_active() {
        let (all, firing) = counts.get(&id).copied().unwrap_or_default();
        ensure((incident.alert_count, incident.firing_count) == (all, firing), "P3", || {
            format!(
                "{id} counts {}, {} firing; {all} are in it, {firing} firing",
                incident.alert_count, incident.firing_count
            )
        })?;
    }
    let held_for = incident.notifying.held_until.map_or(Span::ZERO, |until| until.since(incident.opened_at));
    ensure(held_for <= state.policy().correlation.hold_down, "hold-down", || {
        format!("{id} waits for {} for the verdict on what it depends on", held_for.human())
    })?;
    let is_group = matches!(incident.state, IncidentState::Pending | IncidentState::Lapsed);
    ensure(!is_group || incident.notification_count == 0, "P3", || {
        format!("people heard of {id}, which never opened")
    })?;
    let is_over = incident.state == IncidentState::Pending && incident.firing_count == 0;
    ensure(!is_over, "hold-down", || format!("{id} is pending, and all its alerts are over"))
}
