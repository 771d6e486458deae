//! The store's side of the writer: commits what was stepped, and only then answers and hands over what is
//! to be sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{mpsc, watch};

use crate::clock::Stopwatch;
use crate::config::Retention;
use crate::crash_point::{CrashPoint, reach};
use crate::engine::effect::Counter;
use crate::model::Span;
use crate::mutant::{self, Mutant};
use crate::runtime::engine_clock::EngineClock;
use crate::runtime::inbox::{Job, Receipt, SubmitError};
use crate::runtime::retention;
use crate::store::{Position, Store};
use crate::telemetry::Metrics;

use super::recovery::{self, Recovered};
use super::stepper::{Batch, Step};
use super::{Chain, DriverError, Outgoing};

pub(super) struct Committer {
    pub(super) store: Box<dyn Store>,
    pub(super) clock: EngineClock,
    pub(super) outgoing: mpsc::UnboundedSender<Outgoing>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) retention: Retention,
    /// Since old history was last looked at.
    pub(super) pruned: Stopwatch,
    /// Counts what was done, for the watchdog.
    pub(super) progress: watch::Sender<u64>,
    pub(super) position: Position,
    /// The last commit failed: what was stepped on top of it is refused until the state is brought back.
    pub(super) is_stale: Arc<AtomicBool>,
}

impl Committer {
    /// Commits, then answers; or refuses every job.
    ///
    /// # Errors
    /// When the commit failed; every job has been told that it was not taken.
    pub(super) fn commit(&mut self, mut batch: Batch) -> Result<(), DriverError> {
        self.progress.send_modify(|count| *count += 1);
        if self.is_stale.load(Ordering::SeqCst) {
            refuse(batch.jobs, "an earlier commit failed");
            return Ok(());
        }
        if batch.commit.is_empty() {
            self.answer(self.position, &mut batch);
            return Ok(());
        }
        if mutant::is(Mutant::AcknowledgedBeforeCommit) {
            self.answer(self.position + batch.commit.journal.len() as u64, &mut batch);
        }
        if mutant::is(Mutant::SentBeforeCommit) {
            self.hand_over(&mut batch);
        }
        let stopwatch = Stopwatch::start();
        reach(CrashPoint::Committing);
        match self.store.commit(&batch.commit) {
            Ok(position) => {
                reach(CrashPoint::Committed);
                self.metrics.commit_seconds.observe(stopwatch.seconds());
                self.metrics.commit_inputs.observe(batch.commit.journal.len() as f64);
                self.position = position;
                self.clock_told(batch.jumped);
                self.hand_over(&mut batch);
                reach(CrashPoint::HandedOver);
                self.answer(position, &mut batch);
                reach(CrashPoint::Answered);
                Ok(())
            }
            Err(error) => {
                // What memory holds is not what the store holds.
                self.is_stale.store(!mutant::is(Mutant::FailedCommitKeepsMemory), Ordering::SeqCst);
                tracing::error!(error = %Chain(&error), "commit failed; nothing of it was acknowledged");
                refuse(batch.jobs, &Chain(&error).to_string());
                Err(error.into())
            }
        }
    }

    /// What the engine was told of the clock is durable.
    fn clock_told(&self, jumped: Span) {
        if !jumped.is_zero() {
            self.clock.told(jumped);
            self.metrics.clock_jumps.inc();
            tracing::warn!(by = %jumped, "the clock was set ahead, or the machine stood still");
        }
    }

    fn hand_over(&self, batch: &mut Batch) {
        for outgoing in batch.outgoing.drain(..) {
            let _ = self.outgoing.send(outgoing);
        }
    }

    /// Tells every job of a batch that ends at `position`.
    fn answer(&self, position: Position, batch: &mut Batch) {
        let first = position - batch.commit.journal.len() as u64;
        for (job, (row, reply)) in batch.jobs.drain(..).zip(batch.answers.drain(..)) {
            job.answer(Ok(Receipt { position: first + row.unwrap_or(0), reply }));
        }
        for counter in batch.counters.drain(..) {
            match counter {
                Counter::SlaBreached => self.metrics.sla_breaches.inc(),
                Counter::Heartbeat(outcome) => {
                    self.metrics.heartbeat_beats.with_label_values(&[outcome.as_str()]).inc();
                }
                Counter::IncidentOpened => self.metrics.incidents_opened.inc(),
                Counter::IncidentMuted => self.metrics.incidents_muted.inc(),
            }
        }
    }

    /// The state as of the journal's end, to be used in place of one that cannot be.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn recover(&mut self, step: Step) -> Result<Recovered, DriverError> {
        // Until it has succeeded: whoever asks cannot use what they have.
        self.is_stale.store(true, Ordering::SeqCst);
        let progress = self.progress.clone();
        let recovered = recovery::recover(&mut *self.store, step, || progress.send_modify(|count| *count += 1))?;
        self.position = recovered.position;
        self.is_stale.store(false, Ordering::SeqCst);
        Ok(recovered)
    }

    /// Old history goes when there is nothing else to do, and once in a while in any case.
    pub(super) fn prune_when_due(&mut self, is_idle: bool) {
        let patience = if is_idle { 10.0 } else { 60.0 };
        if self.is_stale.load(Ordering::SeqCst) || self.pruned.seconds() < patience {
            return;
        }
        self.pruned = Stopwatch::start();
        self.prune();
    }

    pub(super) fn prune(&mut self) {
        let Some(now) = self.clock.for_deletion() else { return };
        if let Err(error) = retention::prune(&mut *self.store, now, &self.retention) {
            tracing::warn!(error = %Chain(&error), "cannot delete old history; tried again later");
        }
    }
}

pub(super) fn refuse(jobs: Vec<Job>, why: &str) {
    for job in jobs {
        job.answer(Err(SubmitError::Unavailable(why.to_owned())));
    }
}
