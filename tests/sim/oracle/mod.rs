//! Says after every step whether a promise is broken. Knows what the outside could know: answers given,
//! requests that receivers got, and what the store shows; and looks into the state where the promise is
//! about the state.
//!
//! It follows the journal with an engine of its own, which never restarts. So it knows what the daemon
//! must know, and each step is at the same time a replay (promise 5).
//!
//! | promise | after every step | at rest |
//! |---|---|---|
//! | I1 answered 2xx is durable | `follow` (no row missing, none taken back), `judge_taken` | |
//! | I2 folded, muted, quarantined or pending | `judge_folding`, `judge_alerts`, `judge_mute`, `judge_incident`, `judge_quarantined` | `judge_rest` against the truth |
//! | I3 a transition and its deliveries are one | `Deliveries::before`, `judge_request` (nothing without a cause), `judge_store` | the same |
//! | I4 how a delivery ends | `Deliveries::before` and `after`, `judge_store` | `is_heard` |
//! | I5 one durable escalation deadline | `judge_deadlines`, `judge_incident`, `judge_escalation`; `judge_punctuality` after a cycle | |
//! | contacts: people are reached by one way after the other, and not once somebody has answered | `Contacts::after`; `judge_punctuality` after a cycle | |
//! | I6 a stale writer changes nothing | `faults::deposed_writes`, `follow` | |
//! | I7 order within incident and sink | `judge_order` | `judge_receivers`, `judge_last_word` |
//! | I8 how often is sent | `judge_repetition`, `judge_requests` (one ticket) | |
//! | I9 without a route the catch-all | `judge_incident` | |
//! | I10 who may | `judge_taken`, `judge_audit`, `judge_incident` | |
//! | I11 healed, nothing stays | has no meaning while something fails | `Play::rest`, `judge_rest`, `judge_end` |
//! | P3 one fault, one incident, one page | `judge_parted`, `judge_straggler`, `judge_pinned`, `judge_opening`, `judge_pages`, `judge_group` (an alert is in one incident) | |
//! | P5 a replay leads to the same | `compare`; `Memory::judge` after a restart (origins, graph, what was learned) | |
//! | aliases: an id leads to where its incident goes on, for ever | `judge_alias`, `Grouping::judge` | `judge_look_up` |
//! | hold-down: waiting ends | `judge_group`, `judge_deadlines`; `judge_punctuality` after a cycle | |
//! | learned: a confirmed cause is no usual symptom | `judge_learned` | |
//! | what comes late stands where it belongs (I2) | `judge_late` | `judge_rest` against the truth |
//! | groups: who hears of a group what, when and how often, where people are told of those | `Groups::after`; `compare` | `is_quiet` |
//! | silences: in force at their times, and what they mute is not told | `Silences::after` | |
//! | memory: what is over is let go of | `judge_memory`, `judge_book` | `Groups::judge_end` |
//! | problems: what was answered holds, incidents and merged ids lead to the survivor | `judge_problem_command`, `judge_problems` | |
//! | our time never goes back | `follow` | |
//! | no input kills the engine twice | `follow` | |

mod answers;
mod contacts;
mod deliveries;
mod grouping;
mod groups;
mod memory;
mod problems;
mod rest;
mod silences;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::Ordering;

use watchbell::engine::effect::Effect;
use watchbell::engine::input::{Command, Input, Principal};
use watchbell::engine::state::{Snapshot, State};
use watchbell::model::problem::ProblemState;
use watchbell::model::timeline::TimelineKind;
use watchbell::model::{Alert, Fingerprint, IncidentId, Timestamp};
use watchbell::store::{Position, Reader};

use super::faults::SINKS;
use super::world::{World, mortal_step};
use contacts::Contacts;
use deliveries::Deliveries;
use grouping::Grouping;
use groups::Groups;
use memory::{Memory, reply_of};
use silences::Silences;

/// A promise that was not kept.
#[derive(Clone, Debug)]
pub struct Violation {
    /// I1 … I11 of the design, `P5` for replay, or the name of another promise.
    pub promise: &'static str,
    pub text: String,
}

impl Violation {
    pub fn new(promise: &'static str, text: impl Into<String>) -> Self {
        Self { promise, text: text.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is broken: {}", self.promise, self.text)
    }
}

/// How often happened what must happen in some of the runs.
#[derive(Default)]
pub struct Reached(BTreeMap<&'static str, usize>);

impl Reached {
    fn note(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

pub type Verdict = Result<(), Violation>;

/// A violation unless `holds`.
fn ensure(holds: bool, promise: &'static str, text: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(Violation::new(promise, text())) }
}

pub struct Oracle {
    /// What the journal leads to, replayed without a restart.
    replayed: State,
    position: Position,
    /// Time of the last row.
    last_at: Timestamp,
    /// The position up to which the daemon's own state was compared.
    compared: Position,
    /// The position up to which the audit log was looked at.
    audited: Position,
    /// The commit of rows after which the store was looked at.
    stored: u64,
    deliveries: Deliveries,
    /// Requests to the daemon that have been judged, by index.
    judged: BTreeSet<usize>,
    /// Commands in the journal, for the audit: principal and time.
    commands: Vec<(Principal, Timestamp)>,
    /// Alerts about which the timeline said why they open no incident.
    explained: BTreeSet<Fingerprint>,
    /// Alerts of incidents that a person ended: they may leave memory before they are over.
    ended_by_people: BTreeMap<Fingerprint, Alert>,
    /// Sinks that some configuration since the start did not have: nobody can tell them anything.
    absent: BTreeSet<String>,
    /// Ids of changes in the journal.
    changes: BTreeSet<String>,
    /// Levels asked in the present episode of an incident.
    asked: BTreeMap<IncidentId, Vec<String>>,
    contacts: Contacts,
    grouping: Grouping,
    groups: Groups,
    silences: Silences,
    memory: Memory,
    reached: Reached,
}

impl Oracle {
    pub fn new() -> Self {
        Self {
            replayed: State::restore(Snapshot::default()).unwrap(),
            position: 0,
            last_at: Timestamp::default(),
            compared: 0,
            audited: 0,
            stored: 0,
            deliveries: Deliveries::default(),
            judged: BTreeSet::new(),
            commands: Vec::new(),
            explained: BTreeSet::new(),
            ended_by_people: BTreeMap::new(),
            absent: BTreeSet::new(),
            changes: BTreeSet::new(),
            asked: BTreeMap::new(),
            contacts: Contacts::default(),
            grouping: Grouping::default(),
            groups: Groups::default(),
            silences: Silences::default(),
            memory: Memory::default(),
            reached: Reached::default(),
        }
    }

    /// What happened in the engine, and how often.
    pub fn reached(&self) -> impl Iterator<Item = (&'static str, &usize)> {
        self.reached.0.iter().map(|(what, count)| (*what, count))
    }

    /// Deliveries that stood in for one that was given up.
    pub fn fallback_count(&self) -> usize {
        self.deliveries.all.values().filter(|known| known.fallback_for.is_some()).count()
    }

    /// Dead letters that somebody had sent once more.
    pub const fn redriven_count(&self) -> usize {
        self.deliveries.redriven
    }

    /// Problems that people found to be others.
    pub fn merged_problem_count(&self) -> usize {
        self.replayed.problems().filter(|problem| problem.state == ProblemState::Merged).count()
    }

    /// Where people are told of groups: whether everything is told that can be.
    pub fn is_quiet(&self) -> bool {
        self.groups.is_quiet(&self.replayed)
    }

    /// After every step.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn check(&mut self, world: &World) -> Verdict {
        self.follow(world)?;
        self.judge_answers(world)?;
        self.deliveries.judge_requests(world)?;
        self.judge_state(world)?;
        if self.audited != self.position {
            self.audited = self.position;
            self.judge_audit(world)?;
        }
        let rows = world.rows.load(Ordering::Relaxed);
        if self.stored != rows {
            self.stored = rows;
            self.judge_store(world)?;
        }
        Ok(())
    }

    /// Takes in what was committed since the last look.
    fn follow(&mut self, world: &World) -> Verdict {
        let (end, followed) = (world.position(), self.position);
        ensure(end >= followed, "I1", || format!("the journal ends at {end} and went to {followed} before"))?;
        let rows = world.reader.journal(self.position, 10_000).unwrap();
        for (position, at, _, payload) in rows {
            ensure(position == self.position + 1, "I1", || format!("row {} of the journal is missing", position - 1))?;
            ensure(at >= self.last_at, "time", || format!("our time goes back from {} to {at}", self.last_at))?;
            (self.position, self.last_at) = (position, at);
            let input: Input = serde_json::from_slice(&payload).unwrap();
            self.deliveries.before(&input, &self.replayed, world)?;
            self.grouping.before(&input, &self.replayed, at);
            self.memory.before(&input, &self.replayed, at);
            let replayed = &mut self.replayed;
            let step = AssertUnwindSafe(|| mortal_step(replayed, at, input.clone()));
            let Ok(effects) = std::panic::catch_unwind(step) else {
                let text = format!("row {position} of the journal kills the engine at every start");
                return Err(Violation::new("poison", text));
            };
            self.take_in(&input, &effects, at)?;
            self.deliveries.after(&input, &effects, at)?;
            self.contacts.after(&effects, &self.replayed, at, &mut self.reached)?;
            self.grouping.after(&effects, &self.replayed, &mut self.reached)?;
            self.memory.after(&input, &effects, &self.replayed, at, &mut self.reached)?;
            self.silences.after(&input, &effects, &self.replayed, at, &mut self.reached)?;
            self.groups.after(&input, &effects, &self.replayed, at, &self.silences, &mut self.reached)?;
            self.note_ended_by_people();
            if let Input::Events { events } = &input {
                self.judge_folding(events, &effects)?;
            }
        }
        // Rows come late and counts are taken back by a restart; nothing else is looked at there.
        let _ = self.replayed.take_changes();
        Ok(())
    }

    fn note_ended_by_people(&mut self) {
        for alert in self.replayed.alerts() {
            let incident = alert.incident.and_then(|id| self.replayed.incident(&id));
            if incident.is_some_and(|incident| incident.resolved_by.is_some()) {
                self.ended_by_people.entry(alert.fingerprint).or_insert_with(|| alert.clone());
            }
        }
    }

    fn take_in(&mut self, input: &Input, effects: &[Effect], at: Timestamp) -> Verdict {
        if let Input::Command { by, .. } = input {
            self.commands.push((by.clone(), at));
        }
        if let Input::Changes { changes } = input {
            self.changes.extend(changes.iter().map(|change| change.id.clone()));
        }
        if let Input::Configured { policy } = input {
            let has = |sink: &str| policy.receivers.values().any(|receiver| receiver.sinks.iter().any(|s| s == sink));
            self.absent.extend(SINKS.into_iter().filter(|sink| !has(sink)).map(str::to_owned));
        }
        if let Input::Command { command: Command::Problem(command), .. } = input {
            problems::judge_problem_command(&self.replayed, command, reply_of(effects))?;
        }
        for effect in effects {
            let Effect::Timeline(entry) = effect else { continue };
            match (entry.kind, entry.alert, entry.incident) {
                (TimelineKind::AlertMuted | TimelineKind::Flapping, Some(alert), _) => {
                    self.explained.insert(alert);
                }
                (TimelineKind::Unacknowledged | TimelineKind::IncidentReopened, _, Some(incident)) => {
                    self.asked.remove(&incident);
                }
                (TimelineKind::Escalated, _, Some(incident)) if entry.text.starts_with("nobody acknowledged") => {
                    self.judge_escalation(incident, &entry.text)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// I5: each level is asked once in each round of an episode.
    fn judge_escalation(&mut self, incident: IncidentId, text: &str) -> Verdict {
        let rounds = self.replayed.policy().escalation_policies.values().map(|policy| policy.repeat + 1).max();
        let asked = self.asked.entry(incident).or_default();
        let before = asked.iter().filter(|other| *other == text).count() as u32;
        asked.push(text.to_owned());
        ensure(before < rounds.unwrap_or(1), "I5", || format!("{incident}: asked again: {text}"))
    }
}
