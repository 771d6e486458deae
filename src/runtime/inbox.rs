//! The way into the writer: jobs, the bounded queue they wait in, and what their senders are told.
//!
//! Whoever has an input holds a [`Handle`]; the driver alone holds the [`Queue`]. Whose turn it is, and who
//! is told to come later, is decided in `inbox/lanes.rs`.

mod lanes;

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};
use tokio::time::Sleep;

use crate::engine::input::{Input, Reply, SendResult};
use crate::engine::state::State;
use crate::model::audit::AuditEntry;
use crate::store::{Position, QuarantineRow};
use lanes::Lanes;

/// Bytes that may wait: with the number of jobs the point from which senders are told to come back.
const QUEUE_BYTES_MAX: usize = 64 << 20;
/// How long what a send led to waits for something else to be committed with, so that it need not be synced on
/// its own: the disk's next moment belongs to the next page.
const RESULTS_WAIT: Duration = Duration::from_millis(5);

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
    /// Somebody wants to know what the state holds that no row has.
    Look {
        question: Question,
        done: Done,
    },
}

/// Looks at the state, once, and keeps what it finds.
pub struct Question(Option<Look>);

type Look = Box<dyn FnOnce(&State) + Send>;

impl Question {
    /// Asks; a second time, when a batch steps once more, there is an answer already.
    pub fn ask(&mut self, state: &State) {
        if let Some(look) = self.0.take()
            && std::panic::catch_unwind(AssertUnwindSafe(|| look(state))).is_err()
        {
            // Whoever asked learns from the drop that there is no answer; nobody else has a part in it.
            tracing::error!("a question to the state panicked");
        }
    }
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Question")
    }
}

type Done = oneshot::Sender<Result<Receipt, SubmitError>>;

impl Job {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Input { payload, .. } => payload.len(),
            Self::Quarantine { row, .. } => row.body.len(),
            Self::Audit { .. } | Self::CatchUp { .. } | Self::Look { .. } => 0,
        }
    }

    /// Whose share of the queue it takes; none for what the daemon itself has to say.
    fn source(&self) -> Option<&str> {
        match self {
            Self::Input { source, .. } => source.as_deref(),
            Self::Quarantine { row, .. } => Some(&row.source),
            Self::Audit { .. } | Self::CatchUp { .. } | Self::Look { .. } => None,
        }
    }

    /// Nobody waits for it but the delivery that is over: it may be committed together with what comes next.
    fn is_patient(&self) -> bool {
        let Self::Input { input, .. } = self else { return false };
        matches!(&**input, Input::Sent { result: SendResult::Delivered { .. } | SendResult::Superseded { .. }, .. })
    }

    pub(super) fn answer(self, result: Result<Receipt, SubmitError>) {
        let (Self::Input { done, .. }
        | Self::Quarantine { done, .. }
        | Self::Audit { done, .. }
        | Self::CatchUp { done }
        | Self::Look { done, .. }) = self;
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
    /// The sender has its share of the queue already; nothing was taken.
    #[error("too much is waiting to be written")]
    Overloaded,
    /// The store does not take writes; nothing was taken.
    #[error("the store does not take writes at present: {0}")]
    Unavailable(String),
}

/// Cheap to clone; every part of the daemon that has an input holds one.
#[derive(Debug)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// The driver's end of the queue.
#[derive(Debug)]
pub struct Queue {
    shared: Arc<Shared>,
    /// Ends when what may wait has waited long enough.
    patience: Option<Pin<Box<Sleep>>>,
}

#[derive(Debug)]
struct Shared {
    /// Absent once the queue is gone. Held for moments only: a request more or a batch less.
    lanes: Mutex<Option<Lanes>>,
    /// Something came in that is to be looked at, or the last handle is gone.
    news: Notify,
    handles: AtomicUsize,
}

impl Clone for Handle {
    fn clone(&self) -> Self {
        self.shared.handles.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.shared.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.news.notify_one();
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // Whoever waits for an answer learns from the drop that there is none. Not under the lock.
        let left = self.shared.lanes.lock().take();
        drop(left);
    }
}

impl Handle {
    /// A handle and the end at which its jobs arrive. Of sources `jobs_max` may wait, and of each no more
    /// than leaves room for the others; the next is refused.
    pub fn channel(jobs_max: usize) -> (Self, Queue) {
        let shared = Arc::new(Shared {
            lanes: Mutex::new(Some(Lanes::new(jobs_max, QUEUE_BYTES_MAX))),
            news: Notify::new(),
            handles: AtomicUsize::new(1),
        });
        (Self { shared: Arc::clone(&shared) }, Queue { shared, patience: None })
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

    /// What `look` finds in the state, which is the writer's own and on its thread: so it copies little and
    /// computes less. It sees what was acknowledged before, and nothing that fails to become durable.
    ///
    /// # Errors
    /// See [`SubmitError`]; also when `look` panicked.
    pub async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, SubmitError> {
        let (found, answer) = oneshot::channel();
        let question = Question(Some(Box::new(move |state| {
            // Whoever asked may have gone.
            let _ = found.send(look(state));
        })));
        self.ask(|done| Job::Look { question, done }).await?;
        answer.await.map_err(|_| SubmitError::Unavailable("the question could not be answered".into()))
    }

    /// The writer is gone; nothing will be taken any more.
    pub fn is_closed(&self) -> bool {
        self.shared.lanes.lock().is_none()
    }

    async fn ask(&self, job: impl FnOnce(Done) -> Job) -> Result<Receipt, SubmitError> {
        let stopping = || SubmitError::Unavailable("the daemon is stopping".into());
        let (done, answer) = oneshot::channel();
        match self.put(job(done)) {
            Some(true) => {}
            Some(false) => return Err(SubmitError::Overloaded),
            None => return Err(stopping()),
        }
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }

    /// Whether there was room; none when the queue is gone.
    fn put(&self, job: Job) -> Option<bool> {
        let mut lanes = self.shared.lanes.lock();
        let lanes = lanes.as_mut()?;
        let (was_empty, was_urgent) = (lanes.len() == 0, lanes.is_urgent());
        let is_taken = lanes.put(job);
        if is_taken && (was_empty || !was_urgent && lanes.is_urgent()) {
            self.shared.news.notify_one();
        }
        Some(is_taken)
    }
}

impl Queue {
    /// Waits for jobs and takes what comes next, up to so many jobs and bytes; 0 when every handle is gone.
    /// Results of sends alone wait a little for company.
    pub(super) async fn recv_many(&mut self, batch: &mut Vec<Job>, count_max: usize, bytes_max: usize) -> usize {
        loop {
            let is_last_look = self.shared.handles.load(Ordering::Acquire) == 0;
            let is_over = is_last_look || self.patience.as_ref().is_some_and(|patience| patience.is_elapsed());
            if is_over || self.is_urgent() {
                let count = self.take_now(batch, count_max, bytes_max);
                if count > 0 || is_last_look {
                    return count;
                }
            } else if self.patience.is_none() && self.len() > 0 {
                self.patience = Some(Box::pin(tokio::time::sleep(RESULTS_WAIT)));
            }
            match &mut self.patience {
                Some(patience) => tokio::select! {
                    () = patience => {}
                    () = self.shared.news.notified() => {}
                },
                None => self.shared.news.notified().await,
            }
        }
    }

    fn is_urgent(&self) -> bool {
        self.shared.lanes.lock().as_ref().is_some_and(Lanes::is_urgent)
    }

    /// What is there, up to so many jobs and bytes, without waiting.
    pub(super) fn take_now(&mut self, batch: &mut Vec<Job>, count_max: usize, bytes_max: usize) -> usize {
        self.patience = None;
        let before = batch.len();
        if let Some(lanes) = self.shared.lanes.lock().as_mut() {
            lanes.take(batch, count_max, bytes_max);
        }
        batch.len() - before
    }

    pub(super) fn len(&self) -> usize {
        self.shared.lanes.lock().as_ref().map_or(0, Lanes::len)
    }

    /// The next job; none when every handle is gone.
    pub async fn recv(&mut self) -> Option<Job> {
        self.recv_with(Lanes::next).await
    }

    async fn recv_with<T>(&mut self, mut take: impl FnMut(&mut Lanes) -> Option<T>) -> Option<T> {
        loop {
            // Before the look: what the last handle put in before it went is still to be found.
            let is_last_look = self.shared.handles.load(Ordering::Acquire) == 0;
            let taken = self.shared.lanes.lock().as_mut().and_then(&mut take);
            if taken.is_some() || is_last_look {
                return taken;
            }
            self.shared.news.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done() -> Receipt {
        Receipt { position: 1, reply: None }
    }

    #[tokio::test]
    async fn a_flood_is_refused_alone_and_what_was_taken_is_answered() {
        let (handle, mut queue) = Handle::channel(4);
        let send = |source: &str| {
            let (handle, source) = (handle.clone(), Some(source.to_owned()));
            tokio::spawn(async move { handle.submit(Input::Tick, source).await })
        };
        let mut flood: Vec<_> = (0..3).map(|_| send("flood")).collect();
        tokio::task::yield_now().await;
        let calm = send("calm");
        tokio::task::yield_now().await;
        assert_eq!(flood.pop().unwrap().await.unwrap(), Err(SubmitError::Overloaded));
        assert_eq!(queue.len(), 3);
        let mut batch = Vec::new();
        assert_eq!(queue.recv_many(&mut batch, 10, 1 << 20).await, 3);
        batch.into_iter().for_each(|job| job.answer(Ok(done())));
        for taken in flood.into_iter().chain([calm]) {
            assert_eq!(taken.await.unwrap(), Ok(done()));
        }
    }

    fn result(delivery: &str) -> Input {
        let result = SendResult::Delivered { proof: "answered 200".to_owned(), remote: None };
        Input::Sent { delivery: delivery.to_owned(), result }
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_send_led_to_waits_for_company_but_not_long() {
        let (handle, mut queue) = Handle::channel(100);
        let put = |input: Input| {
            let handle = handle.clone();
            tokio::spawn(async move { handle.submit(input, None).await });
        };
        let mut batch = Vec::new();
        let almost = RESULTS_WAIT - Duration::from_millis(1);
        put(result("a"));
        let early = tokio::time::timeout(almost, queue.recv_many(&mut batch, 100, 1 << 20)).await;
        assert!(early.is_err() && batch.is_empty());
        assert_eq!(queue.recv_many(&mut batch, 100, 1 << 20).await, 1, "nobody came");

        put(result("b"));
        tokio::task::yield_now().await;
        put(Input::Started);
        let both = tokio::time::timeout(almost, queue.recv_many(&mut batch, 100, 1 << 20)).await;
        assert_eq!(both, Ok(2), "it goes with what is in a hurry");
        (0..16).for_each(|_| put(result("c")));
        let many = tokio::time::timeout(almost, queue.recv_many(&mut batch, 100, 1 << 20)).await;
        assert_eq!(many, Ok(16), "so many are company enough");

        put(result("d"));
        tokio::task::yield_now().await;
        assert_eq!(queue.take_now(&mut batch, 100, 1 << 20), 1, "nor does it wait where a batch is made anyway");
        let nothing = tokio::time::timeout(RESULTS_WAIT * 3, queue.recv_many(&mut batch, 100, 1 << 20)).await;
        assert!(nothing.is_err(), "an empty queue is not an ended one");
    }

    #[tokio::test]
    async fn the_queue_ends_with_the_last_handle_and_the_handles_with_the_queue() {
        let (handle, mut queue) = Handle::channel(4);
        let other = handle.clone();
        let waiting = tokio::spawn(async move { other.catch_up().await });
        tokio::task::yield_now().await;
        drop(handle);
        assert!(queue.recv().await.is_some());
        waiting.abort();
        assert!(waiting.await.is_err() && queue.recv().await.is_none());

        let (handle, queue) = Handle::channel(4);
        let other = handle.clone();
        let waiting = tokio::spawn(async move { other.catch_up().await });
        tokio::task::yield_now().await;
        drop(queue);
        assert!(matches!(waiting.await.unwrap(), Err(SubmitError::Unavailable(_))));
        assert!(handle.is_closed() && matches!(handle.catch_up().await, Err(SubmitError::Unavailable(_))));
    }
}
