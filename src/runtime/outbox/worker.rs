//! The worker of one sink: picks, waits for the rate limit, sends, reads the answer, reports it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use governor::DefaultDirectRateLimiter;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;

use super::queue::{Pick, Queue};
use super::{Context, SinkInstance, is_overdue};
use crate::clock::Stopwatch;
use crate::crash_point::{CrashPoint, reach};
use crate::engine::input::{Input, SendResult};
use crate::error::ErrorKind;
use crate::model::delivery::{self, Progress};
use crate::model::incident::RemoteId;
use crate::model::{Delivery, IncidentId, Span};
use crate::mutant::{self, Mutant};
use crate::runtime::deliver::SendError;
use crate::runtime::driver::Outgoing;
use crate::runtime::limits::{self, Breaker};
use crate::sinks::{Attempt, Outcome, Rate, Request};

/// Sends of one sink under way at a time; between incidents order does not matter.
const IN_FLIGHT_MAX: usize = 32;
/// Results of one sink that may wait for a store that takes no writes; past these the sink waits, too.
const UNRECORDED_MAX: usize = 1_024;
/// Requests of one delivery in a row before it has to queue again: ends a sink that never says it is done.
const STEPS_MAX: u16 = 8;
/// Pause before a result is reported again that the store did not take.
const REPORT_RETRY: std::time::Duration = std::time::Duration::from_millis(200);
/// A timer does not see that the machine stood still, so a worker looks at the time by itself.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

struct Worker {
    context: Context,
    name: String,
    queue: Queue,
    breaker: Breaker,
    limiter: Arc<DefaultDirectRateLimiter>,
    rate: Option<Rate>,
    sends: JoinSet<Ended>,
    unrecorded: Arc<Unrecorded>,
    /// What each send is about, for one that panics.
    under_way: BTreeMap<tokio::task::Id, Pick>,
    /// Ids on their way whose end the driver has announced already, and ids that have ended but are not
    /// announced yet: a newer version of either that was still in the channel is not to be sent again.
    announced: BTreeSet<String>,
    ended: BTreeSet<String>,
}

/// One send has ended and its result is committed.
struct Ended {
    incident: IncidentId,
    /// What the sink calls the incident, as far as this send knows.
    remote: Option<RemoteId>,
    /// Comes back with a later due time when it is to be tried again.
    again: Option<Delivery>,
    /// It was given up, and what it was about may be there all the same.
    is_in_doubt: bool,
    verdict: Verdict,
}

/// What the send says about the sink as a whole.
enum Verdict {
    Works,
    Failed,
    /// It asked to be left alone for so long.
    Pause(Span),
    /// Says nothing: our own mistake, or the delivery's.
    Neutral,
}

/// Serves one sink until the sender is gone, then sends what is due.
pub async fn run(context: Context, name: String, mut inbox: mpsc::UnboundedReceiver<Outgoing>) {
    let rate = Rate { count: 1_000, per_ms: 1_000 };
    let mut worker = Worker {
        context,
        name,
        queue: Queue::default(),
        breaker: Breaker::default(),
        limiter: Arc::new(limits::limiter(rate)),
        rate: None,
        sends: JoinSet::new(),
        unrecorded: Arc::default(),
        under_way: BTreeMap::new(),
        announced: BTreeSet::new(),
        ended: BTreeSet::new(),
    };
    loop {
        worker.start_sends();
        worker.show();
        let wait = worker.wait();
        tokio::select! {
            // In a fixed order, so that a simulation runs the same way twice; neither starves the other,
            // because the inbox is emptied below in any case.
            biased;
            Some(ended) = worker.sends.join_next_with_id() => worker.ended(ended),
            message = inbox.recv() => match message {
                Some(message) => worker.take(message),
                None => break,
            },
            () = worker.unrecorded.one_more() => {}
            () = tokio::time::sleep(wait) => {}
        }
        while let Ok(message) = inbox.try_recv() {
            worker.take(message);
        }
    }
    // Told to stop: what is due now still goes out; the caller bounds how long that may take.
    loop {
        worker.start_sends();
        match worker.sends.join_next_with_id().await {
            Some(ended) => worker.ended(ended),
            None => return,
        }
    }
}

impl Worker {
    fn take(&mut self, message: Outgoing) {
        match message {
            Outgoing::Deliver(delivery) if self.is_under_way(&delivery.id) || self.ended.contains(&delivery.id) => {}
            Outgoing::Deliver(delivery) => self.queue.put(*delivery),
            Outgoing::Settle(id) => {
                if let Some(incident) = delivery::incident_of(&id) {
                    self.queue.remove(&incident, &id);
                }
                if self.is_under_way(&id) {
                    self.announced.insert(id);
                } else {
                    self.ended.remove(&id);
                }
            }
        }
    }

    fn is_under_way(&self, id: &str) -> bool {
        self.under_way.values().any(|pick| pick.delivery.id == id)
    }

    /// How long nothing can happen by itself.
    fn wait(&self) -> std::time::Duration {
        let now = self.context.clock.now();
        let due = self.queue.next_due().map(|at| at.max(self.breaker.open_until(now).unwrap_or(at)));
        match due {
            Some(at) if self.has_room() => at.since(now).to_std().min(LOOK_EVERY),
            _ => LOOK_EVERY,
        }
    }

    /// What the store does not take is no longer under way: a full disk keeps no page from going out.
    fn has_room(&self) -> bool {
        let unrecorded = self.unrecorded.count.load(Ordering::Relaxed);
        let in_flight_max = if self.breaker.is_probing() { 1 } else { IN_FLIGHT_MAX };
        unrecorded < UNRECORDED_MAX && self.sends.len() < in_flight_max + unrecorded
    }

    fn start_sends(&mut self) {
        let Some(instance) = self.context.sink(&self.name) else { return };
        if self.rate != Some(instance.rate) {
            self.rate = Some(instance.rate);
            self.limiter = Arc::new(limits::limiter(instance.rate));
        }
        loop {
            let now = self.context.clock.now();
            // Without the writer nothing can be recorded: what went out now would go out again after the
            // next start, and behind it what came before it.
            if self.context.driver.is_closed() || !self.has_room() || self.breaker.open_until(now).is_some() {
                return;
            }
            let Some(pick) = self.queue.pick(now) else { return };
            let send = self.send(&instance, pick.superseded.clone());
            let task = self.sends.spawn(send.run(pick.delivery.clone()));
            self.under_way.insert(task.id(), pick);
        }
    }

    fn send(&self, instance: &Arc<SinkInstance>, superseded: Vec<String>) -> Send {
        Send {
            unrecorded: Arc::clone(&self.unrecorded),
            superseded,
            context: self.context.clone(),
            instance: Arc::clone(instance),
            limiter: Arc::clone(&self.limiter),
            name: self.name.clone(),
            is_failing: self.breaker.is_probing(),
        }
    }

    fn ended(&mut self, ended: Result<(tokio::task::Id, Ended), tokio::task::JoinError>) {
        let ended = match ended {
            Ok((id, mut ended)) => {
                if let Some(Pick { delivery, .. }) = self.under_way.remove(&id) {
                    if self.announced.remove(&delivery.id) {
                        // The driver ended it meanwhile, with its sink: there is nothing to try again.
                        ended.again = None;
                    } else if ended.again.is_none() {
                        self.ended.insert(delivery.id);
                    }
                }
                ended
            }
            Err(error) => return self.panicked(&error),
        };
        self.queue.release(&ended.incident, ended.remote.as_ref(), ended.is_in_doubt);
        if let Some(delivery) = ended.again {
            self.queue.put(delivery);
        }
        let now = self.context.clock.now();
        let was_probing = self.breaker.is_probing();
        match ended.verdict {
            Verdict::Works => self.breaker.succeeded(),
            Verdict::Failed => self.breaker.failed(now),
            Verdict::Pause(span) => self.breaker.pause_until(now + span),
            Verdict::Neutral => {}
        }
        match (was_probing, self.breaker.is_probing()) {
            (false, true) => {
                tracing::warn!(sink = %self.name, "the sink fails again and again; it is tried less often")
            }
            (true, false) => tracing::info!(sink = %self.name, "the sink works again"),
            _ => {}
        }
    }

    /// A sink failed on a delivery and would again: its fallback takes over.
    fn panicked(&mut self, error: &tokio::task::JoinError) {
        let Some(Pick { delivery, superseded }) = self.under_way.remove(&error.id()) else { return };
        tracing::error!(sink = %self.name, delivery = %delivery.id, "a send panicked; its fallback takes over");
        let Some(instance) = self.context.sink(&self.name) else { return };
        let mut send = self.send(&instance, superseded);
        self.sends.spawn(async move {
            send.count_outcome("exhausted");
            let reason = "the sink failed on this notification; the log says where".to_owned();
            send.report(&delivery.id, SendResult::Exhausted { reason }).await;
            let is_in_doubt = delivery.progress.is_ambiguous;
            Ended { incident: delivery.incident, remote: None, again: None, is_in_doubt, verdict: Verdict::Neutral }
        });
    }

    fn show(&self) {
        let metrics = &self.context.metrics;
        let labels = [self.name.as_str()];
        metrics.deliveries_pending.with_label_values(&labels).set((self.queue.len() + self.sends.len()) as i64);
        metrics.breaker_open.with_label_values(&labels).set(i64::from(self.breaker.is_probing()));
    }
}

/// Sends of one sink that are over and wait for the store to take their result.
#[derive(Default)]
struct Unrecorded {
    count: AtomicUsize,
    changed: Notify,
}

impl Unrecorded {
    async fn one_more(&self) {
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
struct Send {
    unrecorded: Arc<Unrecorded>,
    /// Ids that end as superseded by this one, once it is out. They are recorded before it is: of two that
    /// are pending after a crash the later one must be able to stand in for the earlier.
    superseded: Vec<String>,
    context: Context,
    instance: Arc<SinkInstance>,
    limiter: Arc<DefaultDirectRateLimiter>,
    name: String,
    /// The sink is known to fail at present.
    is_failing: bool,
}

impl Send {
    async fn run(mut self, mut delivery: Delivery) -> Ended {
        let incident = delivery.incident;
        let now = self.context.clock.now();
        // What is old because we were away is tried: the sink has not failed on it.
        let has_failed = self.is_failing || delivery.last_error.is_some();
        if has_failed && is_overdue(&delivery, now, self.instance.give_up_after) {
            let last = delivery.last_error.clone().unwrap_or_else(|| "it was never its turn".to_owned());
            self.count_outcome("exhausted");
            let reason = format!("given up after {}: {last}", self.instance.give_up_after.human());
            self.report(&delivery.id, SendResult::Exhausted { reason }).await;
            let is_in_doubt = delivery.progress.is_ambiguous;
            return Ended { incident, remote: None, again: None, is_in_doubt, verdict: Verdict::Neutral };
        }
        let mut steps = 0;
        loop {
            self.limiter.until_ready().await;
            let stopwatch = Stopwatch::start();
            let outcome = self.attempt(&delivery).await;
            self.count(&outcome, stopwatch);
            steps += 1;
            match outcome {
                Outcome::Next { remote, step } if steps < STEPS_MAX => {
                    let remote = remote.or_else(|| delivery.progress.remote.clone());
                    delivery.progress = Progress { remote, step, is_ambiguous: false };
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
            Err(SendError { kind: ErrorKind::Invalid, reason, .. }) => {
                Outcome::Rejected { kind: ErrorKind::Invalid, reason }
            }
            // A request that was never sent settles no doubt about an earlier one.
            Err(SendError { kind, reason, is_ambiguous }) => {
                let is_ambiguous = is_ambiguous || delivery.progress.is_ambiguous;
                Outcome::Retry { after_ms: None, kind, reason, is_ambiguous }
            }
        }
    }

    async fn conclude(&mut self, mut delivery: Delivery, outcome: Outcome) -> Ended {
        let incident = delivery.incident;
        let (result, verdict) = match outcome {
            Outcome::Delivered { remote, proof } => (SendResult::Delivered { proof, remote }, Verdict::Works),
            // More steps than any sink needs: it goes on later, from where it is.
            Outcome::Next { remote, step } => {
                let progress = Progress { remote, step, is_ambiguous: false };
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
        Ended { incident, remote, again: is_again.then_some(delivery), is_in_doubt, verdict }
    }

    fn retry(
        &self,
        delivery: &mut Delivery,
        progress: Progress,
        after_ms: Option<u64>,
        reason: String,
    ) -> (SendResult, Verdict) {
        let wait = limits::backoff(&delivery.id, delivery.attempts);
        let asked = after_ms
            .filter(|_| !mutant::is(Mutant::RetryAfterIgnored))
            .map(|ms| Span::from_millis(i64::try_from(ms).unwrap_or(i64::MAX)));
        let at = self.context.clock.now() + asked.map_or(wait, |asked| asked.max(wait));
        delivery.attempts += 1;
        delivery.due_at = at;
        delivery.progress = progress.clone();
        delivery.last_error = Some(reason.clone());
        let verdict = asked.map_or(Verdict::Failed, Verdict::Pause);
        (SendResult::Retry { at, reason, progress }, verdict)
    }

    /// Says what came of a delivery, and first what it stands in for.
    async fn report(&mut self, id: &str, result: SendResult) {
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

    fn count_outcome(&self, word: &str) {
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

#[cfg(test)]
mod tests;
