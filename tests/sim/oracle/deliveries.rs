//! I3, I4, I7 and I8: what becomes of deliveries, from the journal and from what receivers got.

use std::collections::{BTreeMap, BTreeSet};

use watchbell::engine::effect::Effect;
use watchbell::engine::input::{Input, SendResult};
use watchbell::engine::state::State;
use watchbell::model::{IncidentId, NotificationKind, Span, Timestamp};

use super::super::receivers::{Heard, Received, Ticket};
use super::super::world::World;
use super::{Verdict, Violation, ensure};

/// What the journal says of one delivery.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub incident: IncidentId,
    pub sink: String,
    receiver: String,
    pub number: u32,
    pub kind: NotificationKind,
    pub created_at: Timestamp,
    pub fallback_for: Option<String>,
    pub end: Option<End>,
    /// A committed result said not to try before.
    due_at: Option<Timestamp>,
    /// Somebody wanted it sent although it was given up.
    is_redriven: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Delivered,
    Superseded(String),
    /// With the deliveries that stand in.
    Exhausted(Vec<String>),
}

#[derive(Default)]
pub(super) struct Deliveries {
    /// Our own time at the last look.
    latest: Timestamp,
    pub all: BTreeMap<String, Known>,
    /// Requests that have been judged.
    seen: usize,
    /// The last request of each delivery, by index.
    last: BTreeMap<String, usize>,
    reached: BTreeMap<(IncidentId, String), Reached>,
    keys: BTreeMap<String, String>,
    /// Those that have ended since the requests were last judged: the end may have followed a request at once.
    just_ended: BTreeSet<String>,
    /// Dead letters that were sent once more.
    pub redriven: usize,
}

impl Deliveries {
    /// What a result in the journal claims, before it is stepped.
    pub fn before(&mut self, input: &Input, state: &State, world: &World) -> Verdict {
        self.look_at_clock(world);
        let Input::Sent { delivery, result } = input else { return Ok(()) };
        if state.delivery(delivery).is_none() {
            return Ok(()); // It has ended; the result comes twice.
        }
        let Some(known) = self.all.get_mut(delivery) else {
            return Err(Violation::new("I3", format!("{delivery} was sent without a cause")));
        };
        match result {
            SendResult::Delivered { proof, .. } => {
                known.end = Some(End::Delivered);
                let is_proven =
                    world.receivers.read(|log, _| log.iter().any(|got| got.label.delivery == *delivery && proves(got)));
                ensure(is_proven, "I4", || format!("{delivery} is delivered by `{proof}`, but it never arrived"))
            }
            SendResult::Superseded { by } => {
                known.end = Some(End::Superseded(by.clone()));
                let (incident, sink, number) = (known.incident, known.sink.clone(), known.number);
                let is_newer = self
                    .all
                    .get(by)
                    .is_some_and(|by| by.incident == incident && by.sink == sink && by.number >= number);
                ensure(is_newer, "I4", || format!("{delivery} is superseded by {by}, which says less"))
            }
            SendResult::Exhausted { reason } => {
                known.end = Some(End::Exhausted(Vec::new()));
                let is_old = self.latest.since(known.created_at) > GIVE_UP_AFTER_MIN;
                let is_refused = world.receivers.read(|log, _| {
                    log.iter().any(|got| got.label.delivery == *delivery && got.heard == Heard::Refused)
                });
                ensure(is_old || is_refused, "I4", || format!("{delivery} is given up too soon: {reason}"))
            }
            SendResult::Retry { at, .. } => {
                known.due_at = Some(*at);
                Ok(())
            }
            SendResult::Advanced { .. } => Ok(()),
        }
    }

    /// What stepping an input led to.
    pub fn after(&mut self, input: &Input, effects: &[Effect], at: Timestamp) -> Verdict {
        let mut settled = BTreeSet::new();
        for effect in effects {
            match effect {
                Effect::Deliver(delivery) if !self.all.contains_key(&delivery.id) => {
                    let known = Known {
                        incident: delivery.incident,
                        sink: delivery.sink.clone(),
                        receiver: delivery.receiver.clone(),
                        number: delivery.notification.number,
                        kind: delivery.notification.kind,
                        created_at: at,
                        fallback_for: delivery.fallback_for.clone(),
                        end: None,
                        due_at: None,
                        is_redriven: false,
                    };
                    self.all.insert(delivery.id.clone(), known);
                    if let Some(first) = &delivery.fallback_for {
                        self.stand_in(first, &delivery.id)?;
                    }
                }
                Effect::Deliver(delivery) if matches!(input, Input::Command { .. }) => {
                    self.begin_again(&delivery.id, at);
                }
                Effect::Settle(id) => {
                    settled.insert(id.clone());
                    self.just_ended.insert(id.clone());
                }
                _ => {}
            }
        }
        for id in settled {
            let Some(known) = self.all.get_mut(&id) else { continue };
            if matches!(input, Input::Configured { .. }) {
                known.end.get_or_insert(End::Exhausted(Vec::new()));
            }
            let has_fallback = self.stand_ins(&id).next().is_some();
            let known = &self.all[&id];
            let needs_fallback = matches!(known.end, Some(End::Exhausted(_)));
            ensure(!needs_fallback || has_fallback, "I4", || format!("{id} is given up and nothing stands in"))?;
        }
        Ok(())
    }

    /// A dead letter that is redriven: its requests are judged as if it were new, except for its key.
    fn begin_again(&mut self, id: &str, at: Timestamp) {
        if let Some(known) = self.all.get_mut(id).filter(|known| known.end.is_some()) {
            (known.end, known.due_at, known.created_at, known.is_redriven) = (None, None, at, true);
            self.last.remove(id);
            self.redriven += 1;
        }
    }

    /// The deliveries that stand in for one that was given up: made for that, or the same notification on
    /// its own way to another receiver.
    pub fn stand_ins<'a>(&'a self, id: &'a str) -> impl Iterator<Item = (&'a String, &'a Known)> {
        let first = &self.all[id];
        self.all.iter().filter(move |(_, known)| {
            let is_same = known.incident == first.incident && known.number == first.number;
            known.fallback_for.as_deref() == Some(id) || is_same && known.receiver != first.receiver
        })
    }

    fn stand_in(&self, first: &str, id: &str) -> Verdict {
        let sink = &self.all[id].sink;
        let is_one = |known: &&Known| known.fallback_for.as_deref() == Some(first) && known.sink == *sink;
        let count = self.all.values().filter(is_one).count();
        ensure(count == 1, "I4", || format!("{first} has {count} stand-ins at {sink}"))
    }

    /// Only a process has a time of its own.
    fn look_at_clock(&mut self, world: &World) {
        self.latest = world.daemon.as_ref().map_or(self.latest, |daemon| daemon.driver.clock().now());
    }

    pub fn judge_requests(&mut self, world: &World) -> Verdict {
        self.look_at_clock(world);
        world.receivers.read(|log, tickets| {
            while self.seen < log.len() {
                let index = self.seen;
                self.seen += 1;
                self.judge_request(&log[index], log)?;
                self.last.insert(log[index].label.delivery.clone(), index);
            }
            self.just_ended.clear();
            judge_tickets(tickets)
        })
    }

    fn judge_request(&mut self, got: &Received, log: &[Received]) -> Verdict {
        let id = &got.label.delivery;
        let Some(known) = self.all.get(id) else {
            return Err(Violation::new("I3", format!("{id} was sent before its cause was committed")));
        };
        if let Some(key) = &got.key {
            let before = self.keys.entry(id.clone()).or_insert_with(|| key.clone());
            ensure(before == key, "I8", || format!("{id} is repeated with another key: {before}, then {key}"))?;
        }
        if let Some(before) = self.last.get(id).map(|index| &log[*index]) {
            self.judge_repetition(got, before, known)?;
        }
        if !got.is_lookup {
            let is_late = known.fallback_for.is_some() || known.is_redriven;
            self.judge_order(got, is_late)?;
        }
        Ok(())
    }

    /// I8: a request is repeated only when the one before it may not have gone through, and never before
    /// the receiver wants it.
    fn judge_repetition(&self, got: &Received, before: &Received, known: &Known) -> Verdict {
        let id = &got.label.delivery;
        let is_same_life = got.life == before.life;
        let has_ended = known.end.is_some() && (is_same_life || !self.just_ended.contains(id));
        let may_repeat = match before.heard {
            Heard::Later(_) | Heard::Found => true,
            // The process died before it had the answer, or before that was durable.
            Heard::Nothing => !is_same_life,
            // To look whether it took effect is not to send it again.
            Heard::Done | Heard::Refused => !is_same_life && (!has_ended || got.is_lookup),
        };
        ensure(may_repeat, "I8", || format!("{id} is sent again after {:?}", before.heard))?;
        // A delivery of several requests that is under way when its sink is taken out goes on to its end; after a crash
        // it begins with a look.
        let goes_on = before.heard == Heard::Found && is_same_life || got.is_lookup && !is_same_life;
        ensure(!has_ended || goes_on, "I8", || format!("{id} is sent again after its end ({:?})", known.end))?;
        if let (Heard::Later(Some(after)), Some(heard_at), true) = (before.heard, before.heard_at, is_same_life) {
            ensure(got.at >= heard_at + after, "Retry-After", || {
                format!("{id} is sent {} too early", (heard_at + after).since(got.at).human())
            })?;
        }
        // What came of this very request may be in the journal by now.
        let is_early = known.due_at.is_some_and(|due_at| got.at < due_at) && !matches!(got.heard, Heard::Later(_));
        ensure(!is_early, "Retry-After", || format!("{id} is sent before {:?}", known.due_at))
    }

    /// I7: nothing older arrives after something newer. What stands in or was redriven comes when it must,
    /// but not after the end either.
    fn judge_order(&mut self, got: &Received, is_late: bool) -> Verdict {
        let label = &got.label;
        let Reached { number, end } = self.reached.entry((label.incident, label.sink.clone())).or_default();
        let (before, end_before) = (*number, *end);
        *number = before.max(label.number);
        if label.kind.is_final() {
            *end = end_before.max(label.number);
        }
        let limit = if is_late { end_before } else { before };
        ensure(label.number >= limit, "I7", || format!("{} ({:?}) arrives after {limit}", label.delivery, label.kind))
    }
}

/// It took effect, or an end found that nothing is left to be ended.
fn proves(got: &Received) -> bool {
    got.took_effect && got.heard == Heard::Done
        || got.is_lookup && got.heard == Heard::Found && got.label.kind.is_final() && got.label.incident.is_group()
}

/// I8: an incident has one ticket, a group one that is open.
fn judge_tickets(tickets: &[Ticket]) -> Verdict {
    let mut seen = BTreeSet::new();
    for ticket in tickets.iter().filter(|ticket| ticket.is_open() || ticket.group().is_none()) {
        ensure(seen.insert(&ticket.key), "I8", || format!("two tickets for one thing: {tickets:?}"))?;
    }
    Ok(())
}

/// Numbers of what a sink got about an incident: the highest, and the highest that was an end.
#[derive(Clone, Copy, Default)]
struct Reached {
    number: u32,
    end: u32,
}

/// The shortest `give_up_after` of all configurations.
const GIVE_UP_AFTER_MIN: Span = Span::from_hours(2);
