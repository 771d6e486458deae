//! Where people are told of groups of alerts: who hears what, when, and how often, as Alertmanager promises it. A reference
//! of its own (`groups/pipeline.rs`) says after every step what may be heard; the deliveries that the engine makes, and
//! those that it does not make, are held against it.
//!
//! | promise | where |
//! |---|---|
//! | what fires and is not muted is told to each receiver whose route takes it, in time | `judge_heard` |
//! | what is muted is told to nobody, and nothing is told that does not fire | `judge_told` |
//! | whoever heard it firing hears its end, and only then it is let go | `judge_heard`, `judge_let_go` |
//! | nothing is told twice without a reason, or too soon | `judge_reason`, `judge_pace` |
//! | what goes on is said again | `judge_repeat` |
//! | what may be inhibited is waited for | `judge_inhibitor` |
//! | a dead letter comes neither after what says it better nor after the end | `redriven.rs` |
//! | a receiver that has tickets has an open one as long as it was told to fire | `tickets.rs` |
//! | what is over leaves memory | `judge_memory`, `judge_end` |

mod pipeline;
mod redriven;
mod tickets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use watchbell::engine::effect::Effect;
use watchbell::engine::input::{Input, SendResult};
use watchbell::engine::maintenance;
use watchbell::engine::policy::{NotifyBy, Receiver};
use watchbell::engine::state::State;
use watchbell::engine::system;
use watchbell::model::{Alert, AlertStatus, Delivery, GroupView, IncidentId, Labels, Span, Timestamp};

use super::silences::Silences;
use super::{Reached, Verdict, Violation, ensure};
use pipeline::Home;

/// Until then an alert that could be inhibited waits for what inhibits it.
const INHIBITOR_WAIT: Span = Span::from_millis(300);

/// A group at one sink.
type Line = (String, String);

/// Labels of the alerts of a notification.
#[derive(Clone, Debug, Default, PartialEq)]
struct Said {
    firing: BTreeSet<Labels>,
    resolved: BTreeSet<Labels>,
}

#[derive(Clone, Debug)]
struct Sent {
    id: IncidentId,
    line: Line,
    said: Said,
    number: u32,
}

#[derive(Default)]
pub(super) struct Groups {
    /// What each sink has taken last, and when.
    told: BTreeMap<Line, (Timestamp, Said)>,
    /// Every delivery about a group.
    sent: BTreeMap<String, Sent>,
    /// Those that have not ended, by number.
    pending: BTreeMap<Line, BTreeMap<u32, String>>,
    /// When a delivery last ended without being taken.
    refused: BTreeMap<Line, Timestamp>,
    /// Since when an alert may be heard in a group, if it may.
    audible: BTreeMap<(Labels, String), Timestamp>,
    /// The same after the row before.
    before: BTreeMap<(Labels, String), Timestamp>,
    /// The last moment at which a group said something to a sink, and of the row before; while the group goes on.
    paced: BTreeMap<Line, (IncidentId, Timestamp)>,
    /// Alerts as they were after the last row.
    known: BTreeMap<Labels, Alert>,
    /// When an alert fired no more.
    ended: BTreeMap<Labels, Timestamp>,
    homes: BTreeMap<Labels, Arc<Vec<Home>>>,
    configured_at: Timestamp,
    /// What people are told of, once that is known.
    notified_by: Option<NotifyBy>,
    row_before: Timestamp,
}

/// What can be heard now.
struct Now<'a> {
    state: &'a State,
    at: Timestamp,
    firing: Vec<&'a Alert>,
    silences: &'a Silences,
}

impl Now<'_> {
    fn is_muted(&self, alert: &Alert) -> bool {
        let rules = &self.state.policy().inhibit_rules;
        pipeline::is_inhibited(rules, alert, &self.firing)
            || self.silences.is_silenced(self.state, self.at, alert)
            || maintenance::cause(self.state, self.at, alert).is_some()
    }

    fn is_mute(&self, home: &Home) -> bool {
        pipeline::is_mute(home, &self.state.policy().time_intervals, self.at - self.state.ahead())
    }

    fn receiver(&self, home: &Home) -> &Receiver {
        &self.state.policy().receivers[&home.receiver]
    }
}

fn is_own(alert: &Alert) -> bool {
    *alert.source == *system::SOURCE
}

fn said(view: &GroupView) -> Said {
    let of = |status: AlertStatus| {
        view.alerts.iter().filter(|alert| alert.status == status).map(|alert| alert.labels.clone()).collect()
    };
    Said { firing: of(AlertStatus::Firing), resolved: of(AlertStatus::Resolved) }
}

impl Groups {
    /// What a step led to.
    pub fn after(
        &mut self,
        input: &Input,
        effects: &[Effect],
        state: &State,
        at: Timestamp,
        silences: &Silences,
        reached: &mut Reached,
    ) -> Verdict {
        if matches!(input, Input::Configured { .. }) {
            self.homes.clear();
            self.paced.clear();
            self.configured_at = at;
        }
        self.settle(input, effects, at);
        let by = Some(state.policy().notify_by);
        if self.notified_by.is_some() && self.notified_by != by {
            reached.note("change between incidents and groups");
        }
        self.notified_by = by;
        if state.policy().notify_by != NotifyBy::Group {
            self.audible.clear();
            self.paced.clear();
            self.known.clear();
            effects.iter().for_each(|effect| self.put(effect));
            return Ok(());
        }
        let firing = state.alerts().filter(|alert| alert.is_firing()).collect();
        let now = Now { state, at, firing, silences };
        self.judge_redriven(input, effects, &now, reached)?;
        let heard = self.hear(&now, reached);
        for effect in effects {
            if let Effect::Deliver(delivery) = effect
                && !self.sent.contains_key(&delivery.id)
                && let Some(view) = delivery.notification.group.as_deref()
                && delivery.fallback_for.is_none()
                && !view.key.starts_with("watchbell")
            {
                self.judge_told(&now, delivery, view, &heard, reached)?;
            }
            self.put(effect);
        }
        self.judge_let_go(&now)?;
        for alert in state.alerts().filter(|alert| !is_own(alert)) {
            for home in self.homes_of(state, &alert.labels).iter() {
                self.judge_heard(&now, alert, home)?;
            }
            self.judge_memory(&now, alert)?;
        }
        judge_book(state)?;
        self.paced.retain(|_, (id, _)| state.book().group(id).is_some());
        let own = |alert: &&Alert| !is_own(alert);
        self.known = state.alerts().filter(own).map(|alert| (alert.labels.clone(), alert.clone())).collect();
        self.row_before = at;
        Ok(())
    }

    /// Deliveries that have ended, and what that says of their sinks.
    fn settle(&mut self, input: &Input, effects: &[Effect], at: Timestamp) {
        for effect in effects {
            let Effect::Settle(id) = effect else { continue };
            let Some(Sent { line, said, number, .. }) = self.sent.get(id) else { continue };
            if let Some(waiting) = self.pending.get_mut(line) {
                waiting.remove(number);
            }
            match input {
                Input::Sent { result: SendResult::Delivered { .. }, .. } => {
                    self.told.insert(line.clone(), (at, said.clone()));
                }
                Input::Sent { result: SendResult::Superseded { .. }, .. } => {}
                _ => drop(self.refused.insert(line.clone(), at)),
            }
        }
    }

    fn put(&mut self, effect: &Effect) {
        let Effect::Deliver(delivery) = effect else { return };
        let Some(view) = delivery.notification.group.as_deref() else { return };
        let (line, number) = ((view.key.clone(), delivery.sink.clone()), delivery.notification.number);
        self.pending.entry(line.clone()).or_default().insert(number, delivery.id.clone());
        let id = delivery.incident;
        self.sent.entry(delivery.id.clone()).or_insert_with(|| Sent { id, line, said: said(view), number });
    }

    fn homes_of(&mut self, state: &State, labels: &Labels) -> Arc<Vec<Home>> {
        let homes = self.homes.entry(labels.clone());
        Arc::clone(homes.or_insert_with(|| Arc::new(pipeline::homes(state.policy(), labels))))
    }

    /// Takes note of what may be heard in each group, and says what of it fires.
    fn hear(&mut self, now: &Now<'_>, reached: &mut Reached) -> BTreeMap<String, (Home, BTreeSet<Labels>)> {
        let mut heard: BTreeMap<String, (Home, BTreeSet<Labels>)> = BTreeMap::new();
        self.before = std::mem::take(&mut self.audible);
        for alert in now.state.alerts().filter(|alert| !is_own(alert)) {
            if alert.is_firing() {
                self.ended.remove(&alert.labels);
            } else {
                self.ended.entry(alert.labels.clone()).or_insert(now.at);
            }
            let is_muted = now.is_muted(alert);
            if pipeline::is_inhibited(&now.state.policy().inhibit_rules, alert, &now.firing) {
                reached.note("alert of a group inhibited");
            }
            if now.silences.is_silenced(now.state, now.at, alert) {
                reached.note("alert of a group silenced");
            }
            let homes = self.homes_of(now.state, &alert.labels);
            if homes.len() > 1 {
                reached.note("alert in two groups");
            }
            for home in homes.iter() {
                let (_, firing) = heard.entry(home.key.clone()).or_insert_with(|| (home.clone(), BTreeSet::new()));
                if is_muted {
                    continue;
                }
                if alert.is_firing() {
                    firing.insert(alert.labels.clone());
                }
                if now.is_mute(home) {
                    reached.note("route mute");
                } else {
                    let key = (alert.labels.clone(), home.key.clone());
                    let since = self.before.get(&key).copied().unwrap_or(now.at);
                    self.audible.insert(key, since);
                }
            }
        }
        heard
    }

    /// What a sink knows, or will once what is on its way has arrived.
    fn knows(&self, line: &Line) -> Option<&Said> {
        let waiting = self.pending.get(line).and_then(|waiting| waiting.values().next_back());
        waiting.map(|id| &self.sent[id].said).or_else(|| self.told.get(line).map(|(_, said)| said))
    }

    /// After two repetitions that did not come, what a sink was told says nothing any more, as in Alertmanager.
    fn is_forgotten(&self, line: &Line, home: &Home, at: Timestamp) -> bool {
        self.told.get(line).is_none_or(|(told_at, _)| *told_at + home.repeat + home.repeat <= at)
    }

    fn judge_told(
        &mut self,
        now: &Now<'_>,
        delivery: &Delivery,
        view: &GroupView,
        heard: &BTreeMap<String, (Home, BTreeSet<Labels>)>,
        reached: &mut Reached,
    ) -> Verdict {
        let said = said(view);
        let Some((home, firing)) = heard.get(&view.key) else {
            return Err(Violation::new("groups", format!("{} is about a group without alerts", delivery.id)));
        };
        let is_taken = home.receiver == delivery.receiver && now.receiver(home).sinks.contains(&delivery.sink);
        ensure(is_taken, "groups", || format!("{} goes to somebody whose route does not take it", delivery.id))?;
        ensure(said.firing == *firing, "groups", || {
            format!("{} says {:?}, and what may be heard is {firing:?}", delivery.id, said.firing)
        })?;
        ensure(!now.is_mute(home), "groups", || format!("{} is told at a time at which nobody is", delivery.id))?;
        for labels in &said.resolved {
            let alert = now.state.alerts().find(|alert| alert.labels == *labels);
            let may = alert.is_some_and(|alert| !alert.is_firing() && !now.is_muted(alert));
            ensure(may, "groups", || format!("{} says that {labels:?} is over", delivery.id))?;
        }
        let line = (view.key.clone(), delivery.sink.clone());
        self.judge_reason(now, delivery, &line, &said, home)?;
        self.judge_inhibitor(now, delivery, &said)?;
        self.judge_pace(delivery, &line, home, now.at)?;
        self.paced.insert(line, (delivery.incident, self.row_before));
        reached.note("group told");
        if view.reason.starts_with("repeat") {
            reached.note("group told again");
        }
        if !said.resolved.is_empty() {
            reached.note("end in a group told");
        }
        Ok(())
    }

    /// I8 for groups: new alerts, ends that are news, or the time to say it again.
    fn judge_reason(&self, now: &Now<'_>, delivery: &Delivery, line: &Line, said: &Said, home: &Home) -> Verdict {
        let hears_ends = !now.receiver(home).without_resolved.contains(&delivery.sink);
        ensure(hears_ends || !said.firing.is_empty(), "groups", || {
            format!("{} tells of an end that its sink does not want", delivery.id)
        })?;
        let is_waiting = self.pending.get(line).is_some_and(|waiting| !waiting.is_empty());
        let told_at = self.told.get(line).map(|(at, _)| *at);
        let is_due = !is_waiting && told_at.is_some_and(|told_at| told_at + home.repeat < now.at);
        let is_news = match self.knows(line) {
            None => !said.firing.is_empty(),
            Some(known) => {
                // Who wants no ends is told of the next beginning all the same.
                let fired = |labels: &Labels| now.state.alerts().filter(|alert| alert.labels == *labels).last();
                let is_later = |alert: &Alert| told_at.is_none_or(|at| alert.fired_at > at);
                let has_come_again = |labels: &Labels| !hears_ends && fired(labels).is_some_and(is_later);
                !said.firing.is_subset(&known.firing)
                    || said.firing.is_empty() && !known.firing.is_empty()
                    || hears_ends && !said.resolved.is_subset(&known.resolved)
                    || said.firing.iter().any(has_come_again)
            }
        };
        let is_refused = self.refused.get(line).is_some_and(|at| told_at.is_none_or(|told| *at >= told));
        ensure(is_news || is_due || is_refused, "groups", || {
            format!("{} says nothing new: {said:?}, known {:?} at {told_at:?}", delivery.id, self.knows(line))
        })
    }

    /// The first word about an alert leaves time for what inhibits it.
    fn judge_inhibitor(&self, now: &Now<'_>, delivery: &Delivery, said: &Said) -> Verdict {
        let is_first = !self.paced.values().any(|(id, _)| *id == delivery.incident);
        let mut firing = said.firing.iter();
        let (Some(labels), None, true) = (firing.next(), firing.next(), is_first && said.resolved.is_empty()) else {
            return Ok(());
        };
        let fired_at = now.state.alerts().find(|alert| alert.labels == *labels).map(|alert| alert.fired_at);
        let is_early = fired_at.is_some_and(|fired_at| now.at < fired_at + INHIBITOR_WAIT);
        let is_target = pipeline::is_target(&now.state.policy().inhibit_rules, labels);
        let is_new = self.configured_at < now.at && self.known.get(labels).is_none_or(Alert::is_firing);
        ensure(!(is_early && is_target && is_new), "groups", || {
            format!("{} does not wait for what inhibits {labels:?}", delivery.id)
        })
    }

    /// A group that goes on says what is new at its moments, which are an interval apart.
    fn judge_pace(&self, delivery: &Delivery, line: &Line, home: &Home, at: Timestamp) -> Verdict {
        let Some((id, row_before)) = self.paced.get(line) else { return Ok(()) };
        let is_early = *id == delivery.incident && at < *row_before + home.interval;
        ensure(!is_early, "groups", || {
            format!("{} comes within {} of what the group said before", delivery.id, home.interval.human())
        })
    }

    /// Nobody waits for longer than a group waits, or for its next moment; for an end as for a beginning.
    fn judge_heard(&self, now: &Now<'_>, alert: &Alert, home: &Home) -> Verdict {
        let Some(since) = self.audible.get(&(alert.labels.clone(), home.key.clone())) else { return Ok(()) };
        let bound = (home.wait + INHIBITOR_WAIT).max(home.interval);
        let receiver = now.receiver(home);
        for sink in &receiver.sinks {
            let line = (home.key.clone(), sink.clone());
            let refused = self.refused.get(&line).copied().unwrap_or_default();
            let from = (*since).max(refused).max(self.configured_at);
            let knows = self.knows(&line).is_some_and(|said| said.firing.contains(&alert.labels));
            if alert.is_firing() {
                let from = from.max(alert.fired_at);
                let is_put_off = self.row_before <= from + bound && is_put_off(now, home);
                ensure(knows || now.at <= from + bound || is_put_off, "groups", || {
                    format!("{sink} does not hear of {} ({}), which fires since {since}", alert.name, home.key)
                })?;
                self.judge_repeat(now, alert, home, &line, from)?;
            } else if !receiver.without_resolved.contains(sink) && !self.is_forgotten(&line, home, now.at) {
                let from = from.max(self.ended.get(&alert.labels).copied().unwrap_or(now.at));
                ensure(!knows || now.at <= from + bound, "groups", || {
                    format!("{sink} does not hear that {} ({}) is over", alert.name, home.key)
                })?;
            }
        }
        Ok(())
    }

    fn judge_repeat(&self, now: &Now<'_>, alert: &Alert, home: &Home, line: &Line, from: Timestamp) -> Verdict {
        let is_waiting = self.pending.get(line).is_some_and(|waiting| !waiting.is_empty());
        let Some((told_at, said)) = self.told.get(line).filter(|_| !is_waiting) else { return Ok(()) };
        let due_at = (*told_at + home.repeat).max(from) + home.interval;
        ensure(now.at <= due_at || !said.firing.contains(&alert.labels), "groups", || {
            format!("{} is not told again that {} fires, since {told_at}", line.1, alert.name)
        })
    }

    /// What has left memory was told, wherever it could be heard.
    fn judge_let_go(&mut self, now: &Now<'_>) -> Verdict {
        let gone: Vec<Alert> = self.known.values().cloned().collect();
        let here: BTreeSet<&Labels> = now.state.alerts().map(|alert| &alert.labels).collect();
        for alert in gone.iter().filter(|alert| !here.contains(&alert.labels)) {
            let ended = self.ended.get(&alert.labels).copied().unwrap_or(now.at);
            for home in self.homes_of(now.state, &alert.labels).iter() {
                let since = self.before.get(&(alert.labels.clone(), home.key.clone()));
                let was_audible = since.is_some_and(|since| *since <= ended);
                let was_audible = was_audible && !now.is_muted(alert) && !now.is_mute(home);
                for sink in now.receiver(home).sinks.iter().filter(|_| was_audible) {
                    let line = (home.key.clone(), sink.clone());
                    let hears_ends = !now.receiver(home).without_resolved.contains(sink);
                    let said = self.knows(&line).filter(|_| !self.is_forgotten(&line, home, now.at));
                    let knows = said.is_some_and(|said| said.firing.contains(&alert.labels));
                    ensure(!(knows && hears_ends) || self.configured_at == now.at, "groups", || {
                        format!("{} is let go, and {sink} does not know that it is over", alert.name)
                    })?;
                }
            }
            self.ended.remove(&alert.labels);
        }
        Ok(())
    }

    /// Nothing stays once it is over and everybody has been told.
    fn judge_memory(&mut self, now: &Now<'_>, alert: &Alert) -> Verdict {
        let Some(ended) = self.ended.get(&alert.labels).copied().filter(|_| !alert.is_firing()) else { return Ok(()) };
        let mut from = ended.max(self.configured_at);
        let mut bound = Span::ZERO;
        for home in self.homes_of(now.state, &alert.labels).iter() {
            bound = bound.max((home.wait + INHIBITOR_WAIT).max(home.interval));
            for ((_, _), waiting) in self.pending.iter().filter(|((key, _), _)| *key == home.key) {
                if !waiting.is_empty() {
                    return Ok(());
                }
            }
            for (_, at) in self.refused.iter().filter(|((key, _), _)| *key == home.key) {
                from = from.max(*at);
            }
        }
        ensure(now.at <= from + bound, "memory", || format!("{} is over since {ended} and is kept", alert.name))
    }

    /// Everything that can be said has been said.
    pub fn is_quiet(&self, state: &State) -> bool {
        if state.policy().notify_by != NotifyBy::Group {
            return true;
        }
        state.alerts().filter(|alert| !is_own(alert)).all(|alert| {
            alert.is_firing()
                && self
                    .homes
                    .get(&alert.labels)
                    .is_some_and(|homes| homes.iter().all(|home| self.is_told(state, alert, home)))
        })
    }

    fn is_told(&self, state: &State, alert: &Alert, home: &Home) -> bool {
        let is_audible = self.audible.contains_key(&(alert.labels.clone(), home.key.clone()));
        let sinks = &state.policy().receivers[&home.receiver].sinks;
        !is_audible
            || sinks.iter().all(|sink| {
                let said = self.knows(&(home.key.clone(), sink.clone()));
                said.is_some_and(|said| said.firing.contains(&alert.labels))
            })
    }

    /// Once nothing fires any more.
    pub fn judge_end(&self, state: &State) -> Verdict {
        if state.policy().notify_by != NotifyBy::Group {
            return Ok(());
        }
        let left: Vec<&Alert> = state.alerts().filter(|alert| !is_own(alert)).collect();
        ensure(left.is_empty(), "memory", || format!("all is over, and there is still {left:?}"))?;
        let own = state.alerts().count();
        let groups = state.book().group_count();
        ensure(groups == own, "memory", || format!("{groups} groups for {own} alerts of our own"))
    }
}

/// After a time in which nothing went on a group's first moment is late, and one that is just being taken in may be
/// inhibited by what follows.
fn is_put_off(now: &Now<'_>, home: &Home) -> bool {
    let policy = now.state.policy();
    let is_target = |alert: &&&Alert| pipeline::is_target(&policy.inhibit_rules, &alert.labels);
    let mut fresh = now.firing.iter().filter(|alert| now.at < alert.fired_at + INHIBITOR_WAIT).filter(is_target);
    fresh.any(|alert| pipeline::homes(policy, &alert.labels).iter().any(|other| other.key == home.key))
}

/// A group has alerts, and they are there.
fn judge_book(state: &State) -> Verdict {
    for group in state.book().groups() {
        let is_whole = !group.alerts.is_empty() && group.alerts.iter().all(|number| state.alert(*number).is_some());
        ensure(is_whole, "memory", || format!("{} has alerts {:?}, and some are gone", group.id, group.alerts))?;
    }
    Ok(())
}
