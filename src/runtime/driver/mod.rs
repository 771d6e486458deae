//! One writer: collects inputs, steps the engine, commits, then answers.
//!
//! ```text
//! Handle::submit ─▶ queue ─▶ stepper: step, step, … ─▶ committer: store.commit ─▶ receipts, deliveries to the outbox
//!                              ▲ tick when a deadline has come
//! ```
//!
//! Stepping and committing have a thread each: while one batch is being made durable, the next is
//! stepped and a third collects. Nothing leaves a batch before its commit has succeeded. When a commit
//! fails, the state in memory is dropped, every batch stepped on top of it is refused, and the state is
//! brought back from the store.
//!
//! Each commit holds the journal; the rows that say what it led to follow within [`ROWS_EVERY`], because a
//! row that changes ten times needs to be written once. A start steps what they miss (docs/decisions/0005).

mod committer;
mod lockstep;
mod recovery;
mod stepper;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::clock::{Clock, Stopwatch};
use crate::config::Retention;
use crate::crash_point::{CrashPoint, reach};
use crate::engine::heartbeat;
use crate::engine::input::Input;
use crate::engine::policy::Policy;
use crate::engine::state::{RestoreError, State};
use crate::engine::{next_deadline, step};
use crate::model::Delivery;
use crate::store::{Position, Store, StoreError};
use crate::telemetry::Metrics;

use super::engine_clock::EngineClock;
use super::inbox::{Job, Queue};
use committer::{Committer, refuse};
use recovery::Recovered;
pub use stepper::Step;
use stepper::{Batch, Stepper};

/// Inputs in one transaction at most: bounds the time a page can wait behind a flood.
const JOBS_PER_BATCH_MAX: usize = 2_048;
/// Bytes of sources' inputs in one transaction, give or take one input; while sources share the writer far
/// less (`inbox/lanes.rs`). A page that comes into a flood waits for the batches that are on their way.
const BYTES_PER_BATCH_MAX: usize = 512 << 10;
/// The stored rows are at most this old while something changes.
const ROWS_EVERY: Duration = Duration::from_millis(20);
/// With nothing else to do they are brought up to date more often: few at a time hold up nobody for long.
const ROWS_WHEN_IDLE: Duration = Duration::from_millis(4);
/// Changed rows that may wait: bounds the work of one commit, and what a start steps again.
const ROWS_WAITING_MAX: usize = 4_096;
/// Pause before the store is tried again after a failed commit.
const STORE_RETRY: Duration = Duration::from_millis(200);
/// An idle writer shows this often that it lives.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

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
    #[error("cannot read row {position} of the journal (`{kind}`)")]
    Journal { position: Position, kind: String, source: serde_json::Error },
    #[error("the engine fails on {0}, which cannot be set aside")]
    Engine(&'static str),
    #[error("the thread that commits has ended")]
    Gone,
}

impl DriverError {
    /// True when going on could break a promise: another writer rules, or durability is unknown.
    pub const fn is_fatal(&self) -> bool {
        !matches!(self, Self::Store(StoreError::Failed { .. }))
    }
}

/// Whether a batch brings the stored rows up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowsNow {
    Yes,
    Later,
}

/// Owns the state and the store.
pub struct Driver {
    stepper: Stepper,
    committer: Committer,
    /// On their way to the committer; see `lockstep`.
    stepped: VecDeque<Batch>,
    metrics: Arc<Metrics>,
}

impl Driver {
    /// Takes over the store, brings the state back, and puts the policy and the start into the journal.
    ///
    /// # Errors
    /// When the store cannot be taken over, read, or written.
    pub fn start(
        store: Box<dyn Store>,
        clock: Clock,
        policy: &Policy,
        outgoing: mpsc::UnboundedSender<Outgoing>,
        metrics: Arc<Metrics>,
        retention: Retention,
    ) -> Result<Self, DriverError> {
        Self::start_with(step, store, clock, policy, outgoing, metrics, retention)
    }

    /// The same with another engine: tests put one in that fails on some inputs.
    ///
    /// # Errors
    /// As [`Driver::start`].
    pub fn start_with(
        engine: Step,
        mut store: Box<dyn Store>,
        clock: Clock,
        policy: &Policy,
        outgoing: mpsc::UnboundedSender<Outgoing>,
        metrics: Arc<Metrics>,
        retention: Retention,
    ) -> Result<Self, DriverError> {
        store.acquire()?;
        let recovered = recovery::recover(&mut *store, engine, || {})?;
        let clock = EngineClock::new(clock, recovered.last_at);
        let committer = Committer {
            store,
            clock: clock.clone(),
            outgoing,
            metrics: Arc::clone(&metrics),
            retention,
            pruned: Stopwatch::start(),
            progress: watch::channel(0).0,
            position: recovered.position,
            is_stale: Arc::default(),
        };
        let stepper = Stepper::new(engine, clock, recovered);
        let mut driver = Self { stepper, committer, stepped: VecDeque::new(), metrics };
        reach(CrashPoint::Recovered);
        let mut inputs = vec![Input::Started];
        if driver.state().policy() != policy {
            inputs.insert(0, Input::Configured { policy: Box::new(policy.clone()) });
        }
        let mut batch = driver.stepper.own_batch(inputs).ok_or(DriverError::Engine("its own start"))?;
        batch.outgoing.clear();
        driver.committer.commit(batch)?;
        // What was pending before the start is sent by the outbox like anything new.
        for delivery in driver.state().deliveries() {
            let _ = driver.committer.outgoing.send(Outgoing::Deliver(Box::new(delivery.clone())));
        }
        Ok(driver)
    }

    /// The time that due times are given in.
    pub fn clock(&self) -> EngineClock {
        self.stepper.clock.clone()
    }

    /// Counts what was committed; a value that moves shows that the writer lives.
    pub fn progress(&self) -> watch::Receiver<u64> {
        self.committer.progress.subscribe()
    }

    pub fn state(&self) -> &State {
        &self.stepper.state
    }

    /// Serves the queue until every handle is gone.
    ///
    /// # Errors
    /// Only where going on could break a promise ([`DriverError::is_fatal`]).
    pub async fn run(self, queue: Queue) -> Result<(), DriverError> {
        let Self { stepper, committer, metrics, .. } = self;
        let is_stale = Arc::clone(&committer.is_stale);
        // One batch on its way besides the one being committed: more would only age.
        let (work, works) = sync_channel(1);
        let committing =
            std::thread::Builder::new().name("committer".to_owned()).spawn(move || serve(committer, &works));
        let committing = committing.map_err(|source| StoreError::Failed {
            operation: "start the thread that commits",
            source: Box::new(source),
        })?;
        let (written, shown) = (Stopwatch::start(), Stopwatch::start());
        let mut engine = EngineLoop { stepper, work, is_stale, metrics, written, shown };
        let ended = engine.run(queue).await;
        drop(engine);
        // Why the thread ended says more than that it did.
        committing.join().unwrap_or(Err(DriverError::Gone)).and(ended)
    }
}

/// Steps the jobs, on a state that is brought back first when it `is_stale`. An input on which the engine
/// panics leaves a state that cannot be trusted: that is brought back as well, and the whole batch steps
/// once more with that input quarantined.
fn step_all(
    stepper: &mut Stepper,
    mut jobs: Vec<Job>,
    is_stale: bool,
    rows: RowsNow,
    mut recover: impl FnMut(Step) -> Result<Recovered, DriverError>,
) -> Result<Batch, DriverError> {
    let mut poison = BTreeSet::new();
    let mut must_recover = is_stale;
    loop {
        if must_recover {
            match recover(stepper.step) {
                Ok(recovered) => stepper.restore(recovered),
                Err(error) => {
                    refuse(jobs, &Chain(&error).to_string());
                    return Err(error);
                }
            }
        }
        let failed = match stepper.batch(jobs, &poison, rows) {
            Ok(batch) => return Ok(batch),
            Err(failed) => failed,
        };
        tracing::error!(job = failed.job, "the engine panicked on an input; it is quarantined");
        must_recover = true;
        jobs = failed.jobs;
        // A tick that fails even on a fresh state has no input to set aside.
        if !failed.job.is_some_and(|job| poison.insert(job)) {
            refuse(jobs, "the engine fails on a tick");
            return Err(DriverError::Engine("a tick"));
        }
    }
}

/// What the committing thread is asked to do, in order.
enum Work {
    Commit(Box<Batch>),
    /// Bring the state back, because the engine's is not to be used any more.
    Recover(Step, SyncSender<Result<Recovered, DriverError>>),
}

/// # Errors
/// Fatal ones only.
fn serve(mut committer: Committer, works: &Receiver<Work>) -> Result<(), DriverError> {
    while let Ok(work) = works.recv() {
        match work {
            Work::Commit(batch) => {
                let is_idle = batch.jobs.is_empty();
                if let Err(error) = committer.commit(*batch)
                    && error.is_fatal()
                {
                    return Err(error);
                }
                committer.prune_when_due(is_idle);
            }
            Work::Recover(step, done) => {
                // Whoever asked waits for it, or has ended.
                let _ = done.send(committer.recover(step));
            }
        }
    }
    Ok(())
}

fn recover_by(work: &SyncSender<Work>, step: Step) -> Result<Recovered, DriverError> {
    let (done, recovered) = sync_channel(1);
    work.send(Work::Recover(step, done)).map_err(|_| DriverError::Gone)?;
    recovered.recv().map_err(|_| DriverError::Gone)?
}

/// The thread that steps.
struct EngineLoop {
    stepper: Stepper,
    work: SyncSender<Work>,
    /// Set by the committer: what was stepped since is refused.
    is_stale: Arc<AtomicBool>,
    metrics: Arc<Metrics>,
    /// Since the stored rows were last brought up to date.
    written: Stopwatch,
    /// Since the gauges were last set.
    shown: Stopwatch,
}

impl EngineLoop {
    async fn run(&mut self, mut queue: Queue) -> Result<(), DriverError> {
        let mut jobs = Vec::new();
        loop {
            let wait = self.wait();
            tokio::select! {
                biased;
                count = queue.recv_many(&mut jobs, JOBS_PER_BATCH_MAX, BYTES_PER_BATCH_MAX) => {
                    if count == 0 {
                        return self.finish();
                    }
                }
                () = tokio::time::sleep(wait) => {
                    // What waits for company goes along.
                    queue.take_now(&mut jobs, JOBS_PER_BATCH_MAX, BYTES_PER_BATCH_MAX);
                }
            }
            self.metrics.queue_depth.set(queue.len() as i64);
            if let Err(error) = self.pass_on(std::mem::take(&mut jobs)) {
                if error.is_fatal() {
                    return Err(error);
                }
                tokio::time::sleep(STORE_RETRY).await;
            }
            self.show_gauges_when_due();
        }
    }

    /// Until something is due: a deadline, rows that wait, a sign of life.
    fn wait(&self) -> Duration {
        let deadline = next_deadline(&self.stepper.state).map(|at| at.since(self.stepper.clock.now()).to_std());
        let rows = self.stepper.has_unwritten().then(|| ROWS_WHEN_IDLE.saturating_sub(self.written.elapsed()));
        [deadline, rows].into_iter().flatten().fold(SIGN_OF_LIFE, Duration::min)
    }

    /// Steps the jobs and hands them to the committer; waits while it has two batches in hand.
    fn pass_on(&mut self, jobs: Vec<Job>) -> Result<(), DriverError> {
        let is_asked = jobs.iter().any(|job| matches!(job, Job::CatchUp { .. }));
        let every = if jobs.is_empty() { ROWS_WHEN_IDLE } else { ROWS_EVERY };
        let is_time = self.written.elapsed() >= every || self.stepper.unwritten() >= ROWS_WAITING_MAX;
        let rows = if is_asked || is_time { RowsNow::Yes } else { RowsNow::Later };
        let (work, is_stale) = (&self.work, self.is_stale.load(Ordering::SeqCst));
        let batch = step_all(&mut self.stepper, jobs, is_stale, rows, |step| recover_by(work, step))?;
        if rows == RowsNow::Yes {
            self.written = Stopwatch::start();
        }
        reach(CrashPoint::Stepped);
        self.send(batch)
    }

    fn send(&self, batch: Batch) -> Result<(), DriverError> {
        self.work.send(Work::Commit(Box::new(batch))).map_err(|refused| {
            if let Work::Commit(batch) = refused.0 {
                refuse(batch.jobs, "the daemon is stopping");
            }
            DriverError::Gone
        })
    }

    /// The last rows, so that the next start has nothing to step.
    fn finish(&mut self) -> Result<(), DriverError> {
        if self.is_stale.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.stepper.state.record_all();
        match self.stepper.batch(Vec::new(), &BTreeSet::new(), RowsNow::Yes) {
            Ok(batch) => {
                reach(CrashPoint::Finishing);
                self.send(batch)
            }
            Err(_) => Err(DriverError::Engine("a tick")),
        }
    }

    /// A walk over all incidents is for people who look once in a while, not for each commit.
    fn show_gauges_when_due(&mut self) {
        if self.shown.elapsed() < SIGN_OF_LIFE {
            return;
        }
        self.shown = Stopwatch::start();
        let state = &self.stepper.state;
        self.metrics.clock_ahead_seconds.set(self.stepper.clock.read().ahead.as_millis() as f64 / 1_000.0);
        let oldest = state.deliveries().map(|delivery| delivery.created_at).min();
        let age = oldest.map_or(0, |at| self.stepper.clock.now().since(at).as_millis().max(0));
        self.metrics.oldest_undelivered_seconds.set(age as f64 / 1_000.0);
        self.metrics.heartbeats_missing.set(heartbeat::missing_count(state) as i64);
        let counts = state.open_incidents();
        for priority in crate::model::Priority::ALL {
            let count = counts.get(&priority).copied().unwrap_or(0);
            self.metrics.open_incidents.with_label_values(&[priority.as_str()]).set(count as i64);
        }
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
