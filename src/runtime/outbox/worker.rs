//! The worker of one sink: what is sent, when and how many at a time. How one is sent: `send.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use governor::DefaultDirectRateLimiter;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::queue::{Pick, Queue};
use super::send::{Ended, Send, Unrecorded, Verdict};
use super::{Context, SinkInstance};
use crate::engine::input::SendResult;
use crate::model::{Delivery, Timestamp, delivery};
use crate::runtime::driver::Outgoing;
use crate::runtime::limits::{self, Breaker, Pause};
use crate::sinks::Rate;

/// Sends of one sink under way at a time; between incidents order does not matter.
const IN_FLIGHT_MAX: usize = 32;
/// Results of one sink that may wait for a store that takes no writes; past these the sink waits, too.
const UNRECORDED_MAX: usize = 1_024;
/// A timer does not see that the machine stood still, so a worker looks at the time by itself.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

struct Worker {
    context: Context,
    name: String,
    queue: Queue,
    breaker: Breaker,
    pause: Arc<Pause>,
    limiter: Arc<DefaultDirectRateLimiter>,
    rate: Option<Rate>,
    sends: JoinSet<Ended>,
    unrecorded: Arc<Unrecorded>,
    /// What each send is about, for one that panics.
    under_way: BTreeMap<tokio::task::Id, Pick>,
    /// Ids on their way whose end the driver has announced already, and ids that have ended but are not
    /// announced yet: a newer version of either that was still in the channel is not to be sent again. Of
    /// the former another life may have begun meanwhile, and that has its turn afterwards.
    announced: BTreeMap<String, Option<Delivery>>,
    ended: BTreeSet<String>,
}

/// Serves one sink until the sender is gone, then sends what is due.
pub async fn run(context: Context, name: String, mut inbox: mpsc::UnboundedReceiver<Outgoing>) {
    let mut worker = Worker::new(context, name);
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
    fn new(context: Context, name: String) -> Self {
        let rate = Rate { count: 1_000, per_ms: 1_000 };
        Self {
            context,
            name,
            queue: Queue::default(),
            breaker: Breaker::default(),
            pause: Arc::default(),
            limiter: Arc::new(limits::limiter(rate)),
            rate: None,
            sends: JoinSet::new(),
            unrecorded: Arc::default(),
            under_way: BTreeMap::new(),
            announced: BTreeMap::new(),
            ended: BTreeSet::new(),
        }
    }

    fn take(&mut self, message: Outgoing) {
        match message {
            Outgoing::Deliver(delivery) if self.is_under_way(&delivery.id) || self.ended.contains(&delivery.id) => {
                if let Some(next_life) = self.announced.get_mut(&delivery.id) {
                    *next_life = Some(*delivery);
                }
            }
            Outgoing::Deliver(delivery) => {
                if delivery.progress.is_deferred {
                    self.pause.until(delivery.due_at);
                }
                self.queue.put(*delivery);
            }
            Outgoing::Settle(id) => {
                if let Some(incident) = delivery::incident_of(&id) {
                    self.queue.remove(&incident, &id);
                }
                if self.is_under_way(&id) {
                    self.announced.insert(id, None);
                } else {
                    self.ended.remove(&id);
                }
            }
        }
    }

    fn is_under_way(&self, id: &str) -> bool {
        let is_it = |delivery: &Delivery| delivery.id == id;
        self.under_way.values().any(|pick| is_it(&pick.delivery) || pick.superseded.iter().any(is_it))
    }

    /// Until when nothing may be sent.
    fn closed_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.breaker.open_until(now).max(self.pause.ends_at(now))
    }

    /// How long nothing can happen by itself.
    fn wait(&self) -> std::time::Duration {
        let now = self.context.clock.now();
        let due = self.queue.next_due().map(|at| at.max(self.closed_until(now).unwrap_or(at)));
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
            if self.context.driver.is_closed() || !self.has_room() || self.closed_until(now).is_some() {
                return;
            }
            let Some(pick) = self.queue.pick(now) else { return };
            let send = self.send(&instance, &pick.superseded);
            let task = self.sends.spawn(send.run(pick.delivery.clone()));
            self.under_way.insert(task.id(), pick);
        }
    }

    fn send(&self, instance: &Arc<SinkInstance>, superseded: &[Delivery]) -> Send {
        Send {
            unrecorded: Arc::clone(&self.unrecorded),
            superseded: superseded.iter().map(|delivery| delivery.id.clone()).collect(),
            pause: Arc::clone(&self.pause),
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
                if let Some(Pick { delivery, superseded }) = self.under_way.remove(&id) {
                    self.not_superseded(superseded, &ended.not_superseded);
                    if let Some(next_life) = self.announced.remove(&delivery.id) {
                        // The driver ended it meanwhile, with its sink: there is nothing to try again, unless
                        // somebody has asked for it since.
                        ended.again = next_life;
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

    /// What a send was to supersede waits again where it never went out, unless it has ended in another way.
    fn not_superseded(&mut self, superseded: Vec<Delivery>, left: &[String]) {
        for delivery in superseded {
            let next = match self.announced.remove(&delivery.id) {
                Some(next_life) => next_life,
                None => left.contains(&delivery.id).then_some(delivery),
            };
            if let Some(delivery) = next {
                self.queue.put(delivery);
            }
        }
    }

    /// A sink failed on a delivery and would again: its fallback takes over.
    fn panicked(&mut self, error: &tokio::task::JoinError) {
        let Some(Pick { delivery, superseded }) = self.under_way.remove(&error.id()) else { return };
        tracing::error!(sink = %self.name, delivery = %delivery.id, "a send panicked; its fallback takes over");
        let Some(instance) = self.context.sink(&self.name) else { return };
        let mut send = self.send(&instance, &superseded);
        self.sends.spawn(async move {
            send.count_outcome("exhausted");
            let reason = "the sink failed on this notification; the log says where".to_owned();
            send.report(&delivery.id, SendResult::Exhausted { reason }).await;
            let is_in_doubt = delivery.progress.is_ambiguous;
            Ended { is_in_doubt, ..Ended::of(delivery.incident) }
        });
    }

    fn show(&self) {
        let metrics = &self.context.metrics;
        let labels = [self.name.as_str()];
        metrics.deliveries_pending.with_label_values(&labels).set((self.queue.len() + self.sends.len()) as i64);
        metrics.breaker_open.with_label_values(&labels).set(i64::from(self.breaker.is_probing()));
    }
}

#[cfg(test)]
mod tests;
