//! The way into the writer: jobs, the bounded queue they wait in, and what their senders are told.
//!
//! Whoever has an input holds a [`Handle`]; the driver alone holds the [`Queue`].

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{mpsc, oneshot};

use crate::engine::input::{Input, Reply};
use crate::model::audit::AuditEntry;
use crate::store::{Position, QuarantineRow};

/// Bytes that may wait: with the number of jobs the point from which senders are told to come back.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// What others ask of the driver.
#[derive(Debug)]
pub enum Job {
    Input {
        input: Box<Input>,
        payload: Vec<u8>,
        source: Option<String>,
        done: Done,
    },
    /// A refused body, kept for whoever asks why.
    Quarantine {
        row: QuarantineRow,
        done: Done,
    },
    Audit {
        entry: AuditEntry,
        done: Done,
    },
    /// Somebody wants to read what was acknowledged before: answered once the stored rows show it.
    CatchUp {
        done: Done,
    },
}

type Done = oneshot::Sender<Result<Receipt, SubmitError>>;

impl Job {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Input { payload, .. } => payload.len(),
            Self::Quarantine { row, .. } => row.body.len(),
            Self::Audit { .. } | Self::CatchUp { .. } => 0,
        }
    }

    pub(super) fn answer(self, result: Result<Receipt, SubmitError>) {
        let (Self::Input { done, .. }
        | Self::Quarantine { done, .. }
        | Self::Audit { done, .. }
        | Self::CatchUp { done }) = self;
        // Whoever asked may have gone; the input is in the journal all the same.
        let _ = done.send(result);
    }
}

/// Committed: it survives a crash from here on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub position: Position,
    pub reply: Option<Reply>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The queue is full; nothing was taken.
    #[error("too much is waiting to be written")]
    Overloaded,
    /// The store does not take writes; nothing was taken.
    #[error("the store does not take writes at present: {0}")]
    Unavailable(String),
}

/// Cheap to clone; every part of the daemon that has an input holds one.
#[derive(Clone, Debug)]
pub struct Handle {
    jobs: mpsc::Sender<Job>,
    queued_bytes: Arc<AtomicUsize>,
}

/// The driver's end of the queue.
#[derive(Debug)]
pub struct Queue {
    jobs: mpsc::Receiver<Job>,
    queued_bytes: Arc<AtomicUsize>,
}

impl Handle {
    /// A handle and the end at which its jobs arrive; `jobs_max` may wait, the next is refused.
    pub fn channel(jobs_max: usize) -> (Self, Queue) {
        let (sender, receiver) = mpsc::channel(jobs_max.max(1));
        let queued_bytes = Arc::new(AtomicUsize::new(0));
        let queue = Queue { jobs: receiver, queued_bytes: Arc::clone(&queued_bytes) };
        (Self { jobs: sender, queued_bytes }, queue)
    }

    /// Hands an input to the writer and waits until it is durable.
    ///
    /// # Errors
    /// See [`SubmitError`]; in both cases the input is not in the journal.
    pub async fn submit(&self, input: Input, source: Option<String>) -> Result<Receipt, SubmitError> {
        // Serialised here, on the caller's thread: the writer's time is the scarce one.
        let payload = serde_json::to_vec(&input).map_err(|error| SubmitError::Unavailable(error.to_string()))?;
        self.ask(|done| Job::Input { input: Box::new(input), payload, source, done }).await
    }

    pub async fn quarantine(&self, row: QuarantineRow) -> Result<Receipt, SubmitError> {
        self.ask(|done| Job::Quarantine { row, done }).await
    }

    pub async fn audit(&self, entry: AuditEntry) -> Result<Receipt, SubmitError> {
        self.ask(|done| Job::Audit { entry, done }).await
    }

    /// Waits until a reader sees everything that was acknowledged before this call.
    ///
    /// # Errors
    /// See [`SubmitError`]; what can be read then is older.
    pub async fn catch_up(&self) -> Result<Receipt, SubmitError> {
        self.ask(|done| Job::CatchUp { done }).await
    }

    /// The writer is gone; nothing will be taken any more.
    pub fn is_closed(&self) -> bool {
        self.jobs.is_closed()
    }

    async fn ask(&self, job: impl FnOnce(Done) -> Job) -> Result<Receipt, SubmitError> {
        let (done, answer) = oneshot::channel();
        let job = job(done);
        let bytes = job.bytes();
        if self.queued_bytes.fetch_add(bytes, Ordering::Relaxed) > QUEUE_BYTES_MAX {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(SubmitError::Overloaded);
        }
        if let Err(error) = self.jobs.try_send(job) {
            self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(match error {
                mpsc::error::TrySendError::Full(_) => SubmitError::Overloaded,
                mpsc::error::TrySendError::Closed(_) => SubmitError::Unavailable("the daemon is stopping".into()),
            });
        }
        answer.await.unwrap_or_else(|_| Err(SubmitError::Unavailable("the daemon is stopping".into())))
    }
}

impl Queue {
    /// Waits for jobs and takes all that are there, `count_max` at most; 0 when every handle is gone.
    pub(super) async fn recv_many(&mut self, batch: &mut Vec<Job>, count_max: usize) -> usize {
        self.jobs.recv_many(batch, count_max).await
    }

    /// These bytes no longer wait.
    pub(super) fn taken(&self, bytes: usize) {
        self.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }

    pub(super) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// The next job; none when every handle is gone.
    pub async fn recv(&mut self) -> Option<Job> {
        let job = self.jobs.recv().await?;
        self.queued_bytes.fetch_sub(job.bytes(), Ordering::Relaxed);
        Some(job)
    }
}
