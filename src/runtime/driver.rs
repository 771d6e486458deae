//! One writer: collects inputs, steps the engine, commits all of it in one transaction, then answers.
//!
//! ```text
//! Handle::submit ─▶ queue ─▶ cycle: step, step, … ─▶ store.commit ─▶ receipts, deliveries to the outbox
//!                              ▲ tick when a deadline has come
//! ```
//!
//! While a commit is in flight the next batch collects: that is the group commit. Nothing leaves a cycle
//! before its commit has succeeded; when it fails, the state in memory is dropped and loaded again.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::clock::{Clock, Stopwatch};
use crate::config::Retention;
use crate::engine::effect::{Counter, Effect};
use crate::engine::input::{Input, Reply};
use crate::engine::policy::Policy;
use crate::engine::state::{RestoreError, State};
use crate::engine::{next_deadline, step};
use crate::model::{Delivery, Timestamp};
use crate::store::{Commit, JournalRow, Position, QUARANTINE_BYTES_MAX, QuarantineRow, Store, StoreError};
use crate::telemetry::Metrics;

use super::inbox::{Job, Queue, Receipt, SubmitError};
use super::retention;

/// Inputs in one transaction at most: bounds the time a page can wait behind a flood.
const JOBS_PER_CYCLE_MAX: usize = 2_048;
/// Bytes of inputs in one transaction at most.
const BYTES_PER_CYCLE_MAX: usize = 8 << 20;
/// Pause before the store is tried again after a failed commit.
const STORE_RETRY: std::time::Duration = std::time::Duration::from_millis(200);

/// What the outbox hears after a commit.
#[derive(Debug)]
pub enum Outgoing {
    Deliver(Box<Delivery>),
    Settle(String),
}

#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    #[error("the store failed")]
    Store(#[from] StoreError),
    #[error("the stored state cannot be used")]
    Restore(#[from] RestoreError),
}

impl DriverError {
    /// True when going on could break a promise: another writer rules, or durability is unknown.
    pub const fn is_fatal(&self) -> bool {
        !matches!(self, Self::Store(StoreError::Failed { .. }))
    }
}

type Step = fn(&mut State, Timestamp, Input) -> Vec<Effect>;

/// Owns the state and the store; everything in it happens on one thread.
pub struct Driver {
    store: Box<dyn Store>,
    state: State,
    /// The engine; tests put one in that fails.
    step: Step,
    clock: Clock,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    metrics: Arc<Metrics>,
    retention: Retention,
    /// Since old history was last looked at.
    pruned: Stopwatch,
    /// Counts cycles, for the watchdog.
    progress: watch::Sender<u64>,
    /// Since the gauge of open incidents was set.
    shown: Stopwatch,
    /// The store refused the last commit; memory is to be loaded again before anything else.
    is_stale: bool,
}

/// A batch that has been stepped and waits for its commit.
#[derive(Default)]
struct Stepped {
    commit: Commit,
    outgoing: Vec<Outgoing>,
    counters: Vec<Counter>,
    /// Rows of the journal whose bytes are still with their job.
    origins: Vec<(usize, usize)>,
    /// For each job its row in the journal, where it has one, and the engine's answer.
    answers: Vec<(Option<u64>, Option<Reply>)>,
}

impl Driver {
    /// Takes over the store, loads the state, and brings the policy and the start into the journal.
    ///
    /// # Errors
    /// When the store cannot be taken over, read, or written.
    pub fn start(
        mut store: Box<dyn Store>,
        clock: Clock,
        policy: &Policy,
        outgoing: mpsc::UnboundedSender<Outgoing>,
        metrics: Arc<Metrics>,
        retention: Retention,
    ) -> Result<Self, DriverError> {
        store.acquire()?;
        let state = State::restore(store.load()?)?;
        let (progress, _) = watch::channel(0);
        let mut driver = Self {
            store,
            state,
            step,
            clock,
            outgoing,
            metrics,
            retention,
            pruned: Stopwatch::start(),
            progress,
            shown: Stopwatch::start(),
            is_stale: false,
        };
        let mut inputs = vec![Input::Started];
        if driver.state.policy() != policy {
            inputs.insert(0, Input::Configured { policy: Box::new(policy.clone()) });
        }
        driver.run_own(inputs)?;
        // What was pending before the start is sent by the outbox like anything new.
        for delivery in driver.state.deliveries() {
            let _ = driver.outgoing.send(Outgoing::Deliver(Box::new(delivery.clone())));
        }
        Ok(driver)
    }

    /// Counts the cycles; a value that moves shows that the writer lives.
    pub fn progress(&self) -> watch::Receiver<u64> {
        self.progress.subscribe()
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    /// Serves the queue until every handle is gone.
    ///
    /// # Errors
    /// Only where going on could break a promise ([`DriverError::is_fatal`]).
    pub async fn run(mut self, mut queue: Queue) -> Result<(), DriverError> {
        let mut batch = Vec::new();
        loop {
            let wait = match next_deadline(&self.state) {
                Some(at) => at.since(self.clock.now()).to_std().min(std::time::Duration::from_secs(1)),
                // An idle writer still shows that it lives.
                None => std::time::Duration::from_secs(1),
            };
            tokio::select! {
                biased;
                count = queue.recv_many(&mut batch, JOBS_PER_CYCLE_MAX) => if count == 0 { return Ok(()) },
                () = tokio::time::sleep(wait) => {}
            }
            self.prune_when_due(batch.is_empty());
            let mut rest = std::mem::take(&mut batch).into_iter().peekable();
            loop {
                let mut bytes = 0;
                let mut jobs = Vec::new();
                while let Some(job) = rest.next_if(|_| bytes < BYTES_PER_CYCLE_MAX) {
                    bytes += job.bytes();
                    jobs.push(job);
                }
                queue.taken(bytes);
                self.metrics.queue_depth.set(queue.len() as i64);
                if let Err(error) = self.cycle(jobs) {
                    if error.is_fatal() {
                        return Err(error);
                    }
                    tokio::time::sleep(STORE_RETRY).await;
                }
                if rest.peek().is_none() {
                    break;
                }
            }
        }
    }

    /// One group: step all, commit once, then answer. Also ticks when a deadline has come.
    ///
    /// # Errors
    /// When the commit failed; every job has been told that it was not taken.
    pub fn cycle(&mut self, jobs: Vec<Job>) -> Result<(), DriverError> {
        self.progress.send_modify(|count| *count += 1);
        if let Err(error) = self.reload_if_stale() {
            refuse(jobs, &error);
            return Err(error);
        }
        let mut poison = BTreeSet::new();
        let (jobs, stepped) = match self.step_all(jobs, &mut poison) {
            Ok(stepped) => stepped,
            Err((jobs, error)) => {
                refuse(jobs, &error);
                return Err(error);
            }
        };
        if stepped.commit.is_empty() {
            self.show_gauges_when_due();
            return Ok(());
        }
        let stopwatch = Stopwatch::start();
        match self.store.commit(&stepped.commit) {
            Ok(position) => {
                self.metrics.commit_seconds.observe(stopwatch.seconds());
                self.metrics.commit_inputs.observe(stepped.commit.journal.len() as f64);
                self.finish(jobs, stepped, position);
                Ok(())
            }
            Err(error) => {
                // What memory holds is not what the store holds.
                self.is_stale = true;
                tracing::error!(error = %Chain(&error), "commit failed; nothing of it was acknowledged");
                let error = DriverError::from(error);
                refuse(jobs, &error);
                Err(error)
            }
        }
    }

    /// Old history goes when there is nothing else to do, and once in a while in any case.
    fn prune_when_due(&mut self, is_idle: bool) {
        let patience = if is_idle { 10.0 } else { 60.0 };
        if self.is_stale || self.pruned.seconds() < patience {
            return;
        }
        self.pruned = Stopwatch::start();
        if let Err(error) = retention::prune(&mut *self.store, self.clock.now(), &self.retention) {
            tracing::warn!(error = %Chain(&error), "cannot delete old history; tried again later");
        }
    }

    fn reload_if_stale(&mut self) -> Result<(), DriverError> {
        if self.is_stale {
            self.state = State::restore(self.store.load()?)?;
            self.is_stale = false;
        }
        Ok(())
    }

    /// Steps every job. An input on which the engine panics leaves a state that cannot be trusted: it is
    /// loaded again, and the whole group steps once more with that input quarantined.
    fn step_all(
        &mut self,
        mut jobs: Vec<Job>,
        poison: &mut BTreeSet<usize>,
    ) -> Result<(Vec<Job>, Stepped), (Vec<Job>, DriverError)> {
        loop {
            let mut stepped = Stepped::default();
            let failed = (0..jobs.len()).find(|index| !self.step_job(&mut jobs, *index, poison, &mut stepped));
            let failed = failed.or_else(|| (!self.tick(&mut stepped)).then_some(usize::MAX));
            let Some(index) = failed else {
                stepped.commit.changes = self.state.take_changes();
                for (row, job) in std::mem::take(&mut stepped.origins) {
                    if let Job::Input { payload, .. } = &mut jobs[job] {
                        stepped.commit.journal[row].payload = std::mem::take(payload);
                    }
                }
                return Ok((jobs, stepped));
            };
            tracing::error!(index, "the engine panicked on an input; it is quarantined");
            self.is_stale = true;
            if let Err(error) = self.reload_if_stale() {
                return Err((jobs, error));
            }
            if !poison.insert(index) {
                // A tick that fails again even after a reload has no input to set aside.
                let detail = "the engine fails on a tick".to_owned();
                let error = StoreError::Damaged { path: "state".to_owned(), detail };
                return Err((jobs, error.into()));
            }
        }
    }

    fn step_job(&mut self, jobs: &mut [Job], index: usize, poison: &BTreeSet<usize>, stepped: &mut Stepped) -> bool {
        match &mut jobs[index] {
            Job::Quarantine { row, .. } => {
                stepped.commit.quarantine.push(row.clone());
                stepped.answers.push((None, None));
                true
            }
            Job::Audit { entry, .. } => {
                stepped.commit.audit.push(entry.clone());
                stepped.answers.push((None, None));
                true
            }
            Job::Input { input, payload, source, .. } => {
                let source = source.clone();
                if poison.contains(&index) {
                    let body = payload[..payload.len().min(QUARANTINE_BYTES_MAX)].to_vec();
                    return self.step_poison(source, body, stepped);
                }
                // The first pass takes the input; a second one, after a panic, reads it again.
                let input = std::mem::replace(&mut **input, Input::Tick);
                let input = match input {
                    Input::Tick => serde_json::from_slice(payload).unwrap_or(Input::Tick),
                    input => input,
                };
                // The bytes move into the row only when no second pass can need them.
                stepped.origins.push((stepped.commit.journal.len(), index));
                self.step_one(input, source, Vec::new(), stepped)
            }
        }
    }

    fn step_poison(&mut self, source: Option<String>, body: Vec<u8>, stepped: &mut Stepped) -> bool {
        let source = source.unwrap_or_else(|| "watchbell".to_owned());
        let reason = "the engine failed on this input".to_owned();
        let at = self.clock.now();
        stepped.commit.quarantine.push(QuarantineRow { at, source: source.clone(), reason: reason.clone(), body });
        let input = Input::Quarantined { source, reason };
        self.step_own(input, stepped)
    }

    fn tick(&mut self, stepped: &mut Stepped) -> bool {
        let is_due = next_deadline(&self.state).is_some_and(|at| at <= self.clock.now());
        !is_due || self.step_own(Input::Tick, stepped)
    }

    /// Steps an input of the driver's own, which has no job.
    fn step_own(&mut self, input: Input, stepped: &mut Stepped) -> bool {
        let payload = serde_json::to_vec(&input).unwrap_or_default();
        self.step_one(input, None, payload, stepped)
    }

    /// False when the engine panicked; the state is not to be used any more then.
    fn step_one(&mut self, input: Input, source: Option<String>, payload: Vec<u8>, stepped: &mut Stepped) -> bool {
        let now = self.clock.now();
        stepped.commit.journal.push(JournalRow { at: now, kind: input.kind(), source, payload });
        let (state, step) = (&mut self.state, self.step);
        let Ok(effects) = std::panic::catch_unwind(AssertUnwindSafe(|| step(state, now, input))) else { return false };
        let mut reply = None;
        for effect in effects {
            match effect {
                Effect::Deliver(delivery) => stepped.outgoing.push(Outgoing::Deliver(delivery)),
                Effect::Settle(id) => stepped.outgoing.push(Outgoing::Settle(id)),
                Effect::Timeline(entry) => stepped.commit.timeline.push(entry),
                Effect::Audit(entry) => stepped.commit.audit.push(entry),
                Effect::Reply(answer) => reply = Some(answer),
                Effect::Count(counter) => stepped.counters.push(counter),
            }
        }
        stepped.answers.push((Some(stepped.commit.journal.len() as u64), reply));
        true
    }

    fn finish(&mut self, jobs: Vec<Job>, stepped: Stepped, position: Position) {
        let first = position - stepped.commit.journal.len() as u64;
        for outgoing in stepped.outgoing {
            let _ = self.outgoing.send(outgoing);
        }
        for (job, (row, reply)) in jobs.into_iter().zip(stepped.answers) {
            job.answer(Ok(Receipt { position: first + row.unwrap_or(0), reply }));
        }
        for counter in stepped.counters {
            match counter {
                Counter::SlaBreached => self.metrics.sla_breaches.inc(),
                Counter::IncidentOpened => self.metrics.incidents_opened.inc(),
                Counter::IncidentMuted => self.metrics.incidents_muted.inc(),
            }
        }
        self.show_gauges_when_due();
    }

    /// A walk over all incidents is for people who look once in a while, not for each commit.
    fn show_gauges_when_due(&mut self) {
        if self.shown.seconds() >= 1.0 {
            self.shown = Stopwatch::start();
            self.show_open_incidents();
        }
    }

    fn show_open_incidents(&self) {
        let oldest = self.state.deliveries().map(|delivery| delivery.created_at).min();
        let age = oldest.map_or(0, |at| self.clock.now().since(at).as_millis().max(0));
        self.metrics.oldest_undelivered_seconds.set(age as f64 / 1_000.0);
        let counts = self.state.open_incidents();
        for priority in crate::model::Priority::ALL {
            let count = counts.get(&priority).copied().unwrap_or(0);
            self.metrics.open_incidents.with_label_values(&[priority.as_str()]).set(count as i64);
        }
    }

    fn run_own(&mut self, inputs: Vec<Input>) -> Result<(), DriverError> {
        let mut stepped = Stepped::default();
        for input in inputs {
            if !self.step_own(input, &mut stepped) {
                let detail = "the engine fails on its own start".to_owned();
                return Err(StoreError::Damaged { path: "state".to_owned(), detail }.into());
            }
        }
        stepped.commit.changes = self.state.take_changes();
        let position = self.store.commit(&stepped.commit)?;
        stepped.outgoing.clear(); // `start` hands over everything that is pending.
        self.finish(Vec::new(), stepped, position);
        Ok(())
    }
}

fn refuse(jobs: Vec<Job>, error: &DriverError) {
    let text = Chain(error).to_string();
    for job in jobs {
        job.answer(Err(SubmitError::Unavailable(text.clone())));
    }
}

/// An error with its causes, on one line.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
