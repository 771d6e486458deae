//! One delivery on its way: waits for the rate limit, asks the sink for the request, sends, has the answer
//! read, and reports what came of it. Sends nothing while the sink wants to be left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use governor::DefaultDirectRateLimiter;
use tokio::sync::Notify;

use super::{Context, SinkInstance, is_overdue};
use crate::clock::Stopwatch;
use crate::crash_point::{CrashPoint, reach};
use crate::engine::input::{Input, SendResult};
use crate::error::ErrorKind;
use crate::model::delivery::Progress;
use crate::model::incident::RemoteId;
use crate::model::{Delivery, IncidentId, Span};
use crate::mutant::{self, Mutant};
use crate::runtime::deliver::SendError;
use crate::runtime::limits::{self, Pause};
use crate::sinks::{Attempt, Outcome, Request};

/// Requests of one delivery in a row before it has to queue again: ends a sink that never says it is done.
const STEPS_MAX: u16 = 8;
/// Pause before a result is reported again that the store did not take.
const REPORT_RETRY: std::time::Duration = std::time::Duration::from_millis(200);

/// One send has ended and its result is committed.
pub(super) struct Ended {
    pub(super) incident: IncidentId,
    /// What the sink calls the incident, as far as this send knows.
    pub(super) remote: Option<RemoteId>,
    /// Comes back with a later due time when it is to be tried again.
    pub(super) again: Option<Delivery>,
    /// What it was to supersede and did not, because it never went out.
    pub(super) not_superseded: Vec<String>,
    /// It was given up, and what it was about may be there all the same.
    pub(super) is_in_doubt: bool,
    pub(super) verdict: Verdict,
}

impl Ended {
    /// Nothing came of it, or nothing more will.
    pub(super) fn of(incident: IncidentId) -> Self {
        let (remote, again, not_superseded) = (None, None, Vec::new());
        Self { incident, remote, again, not_superseded, is_in_doubt: false, verdict: Verdict::Neutral }
    }

    /// What the next of the line must know of a delivery that has ended or comes again.
    fn leaving(delivery: &Delivery, remote: Option<RemoteId>, is_in_doubt: bool) -> Self {
        let ended = Self::of(delivery.incident);
        // What follows the end of a group is another firing, which begins anew at the other side.
        if delivery.incident.is_group() && delivery.notification.kind.is_final() {
            return ended;
        }
        Self { remote, is_in_doubt, ..ended }
    }
}

/// What the send says about the sink as a whole.
pub(super) enum Verdict {
    Works,
    Failed,
    /// Says nothing: our own mistake, the delivery's, or the sink asked for a pause.
    Neutral,
}

/// Sends of one sink that are over and wait for the store to take their result.
#[derive(Default)]
pub(super) struct Unrecorded {
    pub(super) count: AtomicUsize,
    changed: Notify,
}

impl Unrecorded {
    pub(super) async fn one_more(&self) {
        self.changed.notified().await;
    }

    fn wait(self: &Arc<Self>) -> Waiting {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.changed.notify_one();
        Waiting(Arc::clone(self))
    }
}

/// Counts as one while it lives.
struct Waiting(Arc<Unrecorded>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One delivery on its way.
pub(super) struct Send {
    pub(super) unrecorded: Arc<Unrecorded>,
    /// Ids that end as superseded by this one, once it is out. They are recorded before it is: of two that
    /// are pending after a crash the later one must be able to stand in for the earlier.
    pub(super) superseded: Vec<String>,
    pub(super) pause: Arc<Pause>,
    pub(super) context: Context,
    pub(super) instance: Arc<SinkInstance>,
    pub(super) limiter: Arc<DefaultDirectRateLimiter>,
    pub(super) name: String,
    /// The sink is known to fail at present.
    pub(super) is_failing: bool,
}

impl Send {
    pub(super) async fn run(mut self, mut delivery: Delivery) -> Ended {
        let incident = delivery.incident;
        let now = self.context.clock.now();
        // What is old because we were away is tried: the sink has not failed on it.
        let has_failed = self.is_failing || delivery.last_error.is_some();
        if has_failed && is_overdue(&delivery, now, self.instance.give_up_after) {
            let last = delivery.last_error.clone().unwrap_or_else(|| "it was never its turn".to_owned());
            self.count_outcome("exhausted");
            let reason = format!("given up after {}: {last}", self.instance.give_up_after.human());
            self.report(&delivery.id, SendResult::Exhausted { reason }).await;
            return Ended::leaving(&delivery, None, delivery.progress.is_ambiguous);
        }
        let mut steps = 0;
        let is_first = delivery.attempts <= 1 && delivery.progress.step == 0;
        loop {
            self.limiter.until_ready().await;
            if self.pause.ends_at(self.context.clock.now()).is_some() || self.context.driver.is_closed() {
                // A pause was asked of another send while this one waited. What goes first afterwards is for the
                // queue to say.
                let (again, not_superseded) = (Some(delivery), self.superseded);
                return Ended { again, not_superseded, ..Ended::of(incident) };
            }
            if is_first && steps == 0 {
                self.context.metrics.deliveries_begun.with_label_values(&[self.name.as_str()]).inc();
            }
            let stopwatch = Stopwatch::start();
            let outcome = self.attempt(&delivery).await;
            self.count(&outcome, stopwatch);
            steps += 1;
            match outcome {
                Outcome::Next { remote, step } if steps < STEPS_MAX => {
                    let remote = remote.or_else(|| delivery.progress.remote.clone());
                    delivery.progress = Progress { remote, step, ..Progress::default() };
                    let progress = delivery.progress.clone();
                    self.report(&delivery.id, SendResult::Advanced { progress }).await;
                }
                outcome => return self.conclude(delivery, outcome).await,
            }
        }
    }

    /// One request and its answer.
    async fn attempt(&self, delivery: &Delivery) -> Outcome {
        let mut key = delivery.id.clone();
        if mutant::is(Mutant::KeyOfItsOwnForEachTry) {
            key.push_str(&delivery.attempts.to_string());
        }
        let attempt = Attempt {
            delivery: &key,
            notification: &delivery.notification,
            progress: &delivery.progress,
            now: self.context.clock.now(),
        };
        let request = match self.instance.sink.request(&attempt) {
            Ok(Request::Skip(why)) => {
                return Outcome::Delivered {
                    remote: delivery.progress.remote.clone(),
                    proof: format!("skipped: {why}"),
                };
            }
            Ok(request) => request,
            Err(error) => return Outcome::Rejected { kind: ErrorKind::Invalid, reason: error.to_string() },
        };
        reach(CrashPoint::Sending);
        let sent = self.context.outbound.send(request, self.instance.allow_private, self.instance.timeout).await;
        match sent {
            Ok(response) => self.instance.sink.outcome(&attempt, &response),
            Err(SendError { kind: kind @ (ErrorKind::Invalid | ErrorKind::Auth), reason, .. }) => {
                Outcome::Rejected { kind, reason }
            }
            // A request that was never sent settles no doubt about an earlier one.
            Err(SendError { kind, reason, is_ambiguous }) => {
                let is_ambiguous = is_ambiguous || delivery.progress.is_ambiguous;
                Outcome::Retry { after_ms: None, kind, reason, is_ambiguous }
            }
        }
    }

    async fn conclude(&mut self, mut delivery: Delivery, outcome: Outcome) -> Ended {
        let (result, verdict) = match outcome {
            Outcome::Delivered { remote, proof } => (SendResult::Delivered { proof, remote }, Verdict::Works),
            // More steps than any sink needs: it goes on later, from where it is.
            Outcome::Next { remote, step } => {
                let progress = Progress { remote, step, ..Progress::default() };
                self.retry(&mut delivery, progress, None, "too many requests in a row".to_owned())
            }
            Outcome::Retry { after_ms, reason, is_ambiguous, .. } => {
                let progress = Progress { is_ambiguous, ..delivery.progress.clone() };
                tracing::warn!(sink = %self.name, delivery = %delivery.id, attempts = delivery.attempts, %reason, "a send failed; it is tried again");
                self.retry(&mut delivery, progress, after_ms, reason)
            }
            Outcome::Rejected { reason, .. } => {
                tracing::error!(sink = %self.name, delivery = %delivery.id, %reason, "a delivery is given up; its fallback takes over");
                (SendResult::Exhausted { reason }, Verdict::Neutral)
            }
        };
        let remote = match &result {
            SendResult::Delivered { remote, .. } => remote.clone(),
            _ => None,
        };
        let remote = remote.or_else(|| delivery.progress.remote.clone());
        let is_again = matches!(result, SendResult::Retry { .. });
        let is_in_doubt = matches!(result, SendResult::Exhausted { .. }) && delivery.progress.is_ambiguous;
        reach(CrashPoint::AnswerRead);
        self.report(&delivery.id.clone(), result).await;
        reach(CrashPoint::ResultCommitted);
        let ended = Ended::leaving(&delivery, remote, is_in_doubt);
        Ended { again: is_again.then_some(delivery), verdict, ..ended }
    }

    fn retry(
        &self,
        delivery: &mut Delivery,
        mut progress: Progress,
        after_ms: Option<u64>,
        reason: String,
    ) -> (SendResult, Verdict) {
        let wait = limits::backoff(&delivery.id, delivery.attempts);
        let asked = after_ms
            .filter(|_| !mutant::is(Mutant::RetryAfterIgnored))
            .map(|ms| Span::from_millis(i64::try_from(ms).unwrap_or(i64::MAX)));
        let at = self.context.clock.now() + asked.map_or(wait, |asked| asked.max(wait));
        progress.is_deferred = asked.is_some();
        if let Some(asked) = asked {
            self.pause.until(self.context.clock.now() + asked);
        }
        delivery.attempts += 1;
        delivery.due_at = at;
        delivery.progress = progress.clone();
        delivery.last_error = Some(reason.clone());
        let verdict = if asked.is_some() { Verdict::Neutral } else { Verdict::Failed };
        (SendResult::Retry { at, reason, progress }, verdict)
    }

    /// Says what came of a delivery, and first what it stands in for.
    pub(super) async fn report(&mut self, id: &str, result: SendResult) {
        for superseded in
            std::mem::take(&mut self.superseded).into_iter().filter(|_| !mutant::is(Mutant::SupersededInSilence))
        {
            self.count_outcome("superseded");
            self.record(&superseded, SendResult::Superseded { by: id.to_owned() }).await;
        }
        self.record(id, result).await;
    }

    /// Until the store has taken the result, it has not happened.
    async fn record(&self, id: &str, result: SendResult) {
        let mut waiting = None;
        loop {
            let input = Input::Sent { delivery: id.to_owned(), result: result.clone() };
            match self.context.driver.submit(input, None).await {
                Ok(_) => return,
                Err(error) => {
                    waiting.get_or_insert_with(|| {
                        tracing::warn!(sink = %self.name, delivery = %id, %error, "cannot record what a send led to; trying again");
                        self.unrecorded.wait()
                    });
                    if self.context.driver.is_closed() {
                        return;
                    }
                    tokio::time::sleep(REPORT_RETRY).await;
                }
            }
        }
    }

    pub(super) fn count_outcome(&self, word: &str) {
        self.context.metrics.deliveries.with_label_values(&[self.name.as_str(), word]).inc();
    }

    fn count(&self, outcome: &Outcome, stopwatch: Stopwatch) {
        let word = match outcome {
            Outcome::Delivered { .. } => "delivered",
            Outcome::Next { .. } => "advanced",
            Outcome::Retry { kind, .. } => kind.as_str(),
            Outcome::Rejected { .. } => "exhausted",
        };
        self.count_outcome(word);
        let metrics = &self.context.metrics;
        metrics.delivery_seconds.with_label_values(&[&self.name]).observe(stopwatch.seconds());
    }
}
