//! The engine's side of the writer: owns the state, steps inputs, and collects what the store is to
//! write. Does no IO; what fails here is the engine itself, and then the state is not to be used any more.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;

use crate::engine::effect::{Counter, Effect};
use crate::engine::input::{Input, Reply};
use crate::engine::next_deadline;
use crate::engine::state::State;
use crate::model::{Span, TimelineEntry, Timestamp};
use crate::mutant::{self, Mutant};
use crate::runtime::engine_clock::{EngineClock, Reading};
use crate::runtime::inbox::Job;
use crate::store::{Commit, JournalRow, QUARANTINE_BYTES_MAX, QuarantineRow, Rows};

use super::recovery::Recovered;
use super::{Outgoing, RowsNow};

/// The engine hears when its time is ahead of the wall clock by so much more or less than it was told.
const CLOCK_NEWS: Span = Span::from_mins(1);

/// An engine: [`crate::engine::step`], or one that a test wraps around it.
pub type Step = fn(&mut State, Timestamp, Input) -> Vec<Effect>;

/// Stepped together, committed together, answered together.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) jobs: Vec<Job>,
    pub(super) commit: Commit,
    pub(super) outgoing: Vec<Outgoing>,
    pub(super) counters: Vec<Counter>,
    /// For each job its row in the journal, where it has one, and the engine's answer.
    pub(super) answers: Vec<(Option<u64>, Option<Reply>)>,
    reading: Option<Reading>,
    /// What the engine was told of the clock.
    pub(super) jumped: Span,
    /// Rows of the journal whose bytes are still with their job.
    origins: Vec<(usize, usize)>,
}

/// Which input the engine panicked on, and the jobs to be tried without it.
pub(super) struct Failed {
    pub(super) jobs: Vec<Job>,
    /// Absent for a tick, which cannot be set aside.
    pub(super) job: Option<usize>,
}

pub(super) struct Stepper {
    pub(super) state: State,
    pub(super) step: Step,
    pub(super) clock: EngineClock,
    /// The time of the batch; the same for everything in it.
    now: Timestamp,
    /// Said since rows were last taken.
    timeline: Vec<TimelineEntry>,
}

impl Stepper {
    pub(super) fn new(step: Step, clock: EngineClock, recovered: Recovered) -> Self {
        let Recovered { state, timeline, .. } = recovered;
        Self { state, step, now: clock.now(), clock, timeline }
    }

    pub(super) fn restore(&mut self, recovered: Recovered) {
        self.clock.tell_again();
        self.state = recovered.state;
        self.timeline = recovered.timeline;
    }

    /// Something has changed that no commit has rows of yet.
    pub(super) fn has_unwritten(&self) -> bool {
        self.state.has_changes() || !self.timeline.is_empty()
    }

    /// Changed rows that wait to be written.
    pub(super) fn unwritten(&self) -> usize {
        self.state.change_count() + self.timeline.len()
    }

    pub(super) fn is_due(&self) -> bool {
        next_deadline(&self.state).is_some_and(|at| at <= self.now)
    }

    /// Steps every job but the poisoned ones, whose inputs go to quarantine, and ticks when a deadline has
    /// come. With `rows` the batch also brings the stored rows up to date.
    pub(super) fn batch(
        &mut self,
        mut jobs: Vec<Job>,
        poison: &BTreeSet<usize>,
        rows: RowsNow,
    ) -> Result<Batch, Failed> {
        let mut batch = self.begin();
        if !self.tell_clock(&mut batch) {
            return Err(Failed { jobs, job: None });
        }
        for index in 0..jobs.len() {
            if !self.step_job(&mut jobs, index, poison, &mut batch) {
                return Err(Failed { jobs, job: Some(index) });
            }
        }
        if self.is_due() && !self.step_own(Input::Tick, &mut batch) {
            return Err(Failed { jobs, job: None });
        }
        for (row, job) in std::mem::take(&mut batch.origins) {
            if let Job::Input { payload, .. } = &mut jobs[job] {
                batch.commit.journal[row].payload = std::mem::take(payload);
            }
        }
        batch.jobs = jobs;
        if rows == RowsNow::Yes {
            self.take_rows(&mut batch);
        }
        Ok(batch)
    }

    /// Steps inputs of the driver's own; none when the engine panicked.
    pub(super) fn own_batch(&mut self, inputs: Vec<Input>) -> Option<Batch> {
        let mut batch = self.begin();
        for input in inputs {
            if !self.step_own(input, &mut batch) {
                return None;
            }
        }
        self.take_rows(&mut batch);
        Some(batch)
    }

    fn begin(&mut self) -> Batch {
        let reading = self.clock.read();
        self.now = reading.now;
        Batch { reading: Some(reading), ..Batch::default() }
    }

    /// Before anything that happens at this time: the engine reads its own clock rightly.
    fn tell_clock(&mut self, batch: &mut Batch) -> bool {
        let Some(reading) = batch.reading.filter(|reading| is_news(*reading, self.state.ahead())) else { return true };
        if !self.step_own(Input::ClockSet { jumped: reading.jumped, ahead: reading.ahead }, batch) {
            return false;
        }
        batch.answers.clear(); // No job waits for this one.
        self.clock.telling(reading.jumped);
        batch.jumped = reading.jumped;
        true
    }

    fn take_rows(&mut self, batch: &mut Batch) {
        if self.has_unwritten() {
            let timeline = std::mem::take(&mut self.timeline);
            batch.commit.rows = Some(Rows { changes: self.state.take_changes(), timeline });
        }
    }

    fn step_job(&mut self, jobs: &mut [Job], index: usize, poison: &BTreeSet<usize>, batch: &mut Batch) -> bool {
        match &mut jobs[index] {
            Job::Quarantine { row, .. } => {
                batch.commit.quarantine.push(row.clone());
                batch.answers.push((None, None));
                true
            }
            Job::Audit { entry, .. } => {
                batch.commit.audit.push(entry.clone());
                batch.answers.push((None, None));
                true
            }
            Job::CatchUp { .. } => {
                batch.answers.push((None, None));
                true
            }
            Job::Look { question, .. } => {
                question.ask(&self.state);
                batch.answers.push((None, None));
                true
            }
            Job::Input { input, payload, source, .. } => {
                let source = source.clone();
                if poison.contains(&index) {
                    let body = payload[..payload.len().min(QUARANTINE_BYTES_MAX)].to_vec();
                    if mutant::is(Mutant::PoisonInJournal) {
                        let (at, payload) = (self.now, payload.clone());
                        batch.commit.journal.push(JournalRow { at, kind: "events", source, payload });
                        batch.answers.push((Some(batch.commit.journal.len() as u64), None));
                        return true;
                    }
                    return self.step_poison(source, body, batch);
                }
                // The first pass takes the input; a second one, after a panic, reads it again.
                let input = std::mem::replace(&mut **input, Input::Tick);
                let input = match input {
                    Input::Tick => serde_json::from_slice(payload).unwrap_or(Input::Tick),
                    input => input,
                };
                // The bytes move into the row only when no second pass can need them.
                batch.origins.push((batch.commit.journal.len(), index));
                self.step_one(input, source, Vec::new(), batch)
            }
        }
    }

    fn step_poison(&mut self, source: Option<String>, body: Vec<u8>, batch: &mut Batch) -> bool {
        let source = source.unwrap_or_else(|| "watchbell".to_owned());
        let reason = "the engine failed on this input".to_owned();
        let at = self.now;
        batch.commit.quarantine.push(QuarantineRow { at, source: source.clone(), reason: reason.clone(), body });
        self.step_own(Input::Quarantined { source, reason }, batch)
    }

    /// Steps an input of the driver's own, which has no job.
    fn step_own(&mut self, input: Input, batch: &mut Batch) -> bool {
        let payload = serde_json::to_vec(&input).unwrap_or_default();
        self.step_one(input, None, payload, batch)
    }

    /// False when the engine panicked; the state is not to be used any more then.
    fn step_one(&mut self, input: Input, source: Option<String>, payload: Vec<u8>, batch: &mut Batch) -> bool {
        let now = self.now;
        batch.commit.journal.push(JournalRow { at: now, kind: input.kind(), source, payload });
        let Some(effects) = guarded(self.step, &mut self.state, now, input) else { return false };
        let mut reply = None;
        for effect in effects {
            match effect {
                Effect::Deliver(delivery) => batch.outgoing.push(Outgoing::Deliver(delivery)),
                Effect::Settle(id) => batch.outgoing.push(Outgoing::Settle(id)),
                Effect::Timeline(entry) => self.timeline.push(entry),
                Effect::Audit(entry) => batch.commit.audit.push(entry),
                Effect::Reply(answer) => reply = Some(answer),
                Effect::Count(counter) => batch.counters.push(counter),
            }
        }
        batch.answers.push((Some(batch.commit.journal.len() as u64), reply));
        true
    }
}

/// A clock that catches up is told by the minute, and when it has.
fn is_news(reading: Reading, known_ahead: Span) -> bool {
    let change = Span::from_millis((reading.ahead.as_millis() - known_ahead.as_millis()).abs());
    let has_caught_up = reading.ahead.is_zero() && !known_ahead.is_zero();
    !reading.jumped.is_zero() || has_caught_up || change >= CLOCK_NEWS
}

/// One step; none when it panicked.
pub(super) fn guarded(step: Step, state: &mut State, now: Timestamp, input: Input) -> Option<Vec<Effect>> {
    std::panic::catch_unwind(AssertUnwindSafe(|| step(state, now, input))).ok()
}
