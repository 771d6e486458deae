//! The writer's two threads as two calls, for tests and simulation: whoever calls decides what happens
//! between a step and its commit. The order of everything is the one that the threads keep.

use std::sync::atomic::Ordering;

use super::{Driver, DriverError, RowsNow, step_all};
use crate::runtime::inbox::Job;

impl Driver {
    /// One batch from end to end: steps all, commits once, then answers. Also ticks when a deadline has
    /// come.
    ///
    /// # Errors
    /// When a commit failed; every job has been told that it was not taken.
    pub fn cycle(&mut self, jobs: Vec<Job>, rows: RowsNow) -> Result<(), DriverError> {
        self.step(jobs, rows)?;
        while self.stepped_count() > 0 {
            self.commit()?;
        }
        Ok(())
    }

    /// What the stepping thread does: the batch waits to be committed. A state that must be brought back
    /// is brought back behind the batches that wait, as the committing thread would.
    ///
    /// # Errors
    /// When the state cannot be brought back, or the engine fails on what cannot be set aside; every job
    /// has been told that it was not taken.
    pub fn step(&mut self, jobs: Vec<Job>, rows: RowsNow) -> Result<(), DriverError> {
        let Self { stepper, committer, stepped, .. } = self;
        let is_stale = committer.is_stale.load(Ordering::SeqCst);
        let batch = step_all(stepper, jobs, is_stale, rows, |step| {
            while let Some(batch) = stepped.pop_front() {
                if let Err(error) = committer.commit(batch)
                    && error.is_fatal()
                {
                    return Err(error);
                }
            }
            committer.recover(step)
        })?;
        stepped.push_back(batch);
        Ok(())
    }

    /// What the committing thread does with the oldest batch that was stepped; nothing when none was.
    ///
    /// # Errors
    /// When the commit failed; every job of the batch has been told that it was not taken.
    pub fn commit(&mut self) -> Result<(), DriverError> {
        match self.stepped.pop_front() {
            Some(batch) => self.committer.commit(batch),
            None => Ok(()),
        }
    }

    /// The end of an orderly stop: the last rows, so that the next start has nothing to step.
    ///
    /// # Errors
    /// When it could not be committed.
    pub fn finish(&mut self) -> Result<(), DriverError> {
        if self.is_stale() {
            return Ok(());
        }
        self.stepper.state.record_all();
        self.cycle(Vec::new(), RowsNow::Yes)
    }

    /// Batches that were stepped and wait for their commit.
    pub fn stepped_count(&self) -> usize {
        self.stepped.len()
    }

    /// The state in memory is not to be used: a commit failed on which it rests.
    pub fn is_stale(&self) -> bool {
        self.committer.is_stale.load(Ordering::SeqCst)
    }
}
