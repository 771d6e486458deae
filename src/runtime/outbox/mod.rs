//! From a committed delivery to an answered one: a worker for each sink with its own queue, rate limit and
//! breaker, so that a slow or dead sink holds up only itself. What came of each send is an input to the
//! driver and counts only once that is committed.
//!
//! ```text
//! driver ─Deliver─▶ worker of the sink ─▶ queue.pick ─▶ sink.request ─▶ Outbound ─▶ sink.outcome ─▶ Input::Sent ─▶ driver
//! ```

mod queue;
mod send;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{mpsc, watch};

use super::deliver::{Outbound, Prepared, Transport};
use super::driver::Outgoing;
use super::engine_clock::EngineClock;
use super::inbox::Handle;
use crate::error::ConfigError;
use crate::model::{Delivery, Span};
use crate::sinks::{Rate, Sink};
use crate::telemetry::Metrics;

/// One configured sink as the outbox runs it.
pub struct SinkInstance {
    pub sink: Box<dyn Sink>,
    pub allow_private: bool,
    pub timeout: Duration,
    pub rate: Rate,
    /// A delivery that is older than this and still fails is given up.
    pub give_up_after: Span,
}

pub type Sinks = BTreeMap<String, Arc<SinkInstance>>;

#[derive(Debug, thiserror::Error)]
#[error("cannot set up the sink `{sink}`")]
pub struct PrepareError {
    sink: String,
    source: ConfigError,
}

/// Makes ready what the sinks need to connect, so that the first page does not wait for it.
///
/// # Errors
/// When one of them could not connect as it is told to.
pub fn prepare(outbound: &Outbound, sinks: &Sinks) -> Result<Prepared, PrepareError> {
    let mut prepared = Prepared::default();
    for (name, instance) in sinks {
        let made = outbound.prepare(&mut prepared, instance.sink.connection(), instance.allow_private);
        made.map_err(|source| PrepareError { sink: name.clone(), source })?;
    }
    Ok(prepared)
}

/// What the workers share.
#[derive(Clone)]
pub struct Context {
    pub driver: Handle,
    pub clock: EngineClock,
    pub outbound: Arc<dyn Transport>,
    pub metrics: Arc<Metrics>,
    /// Swapped as a whole when the configuration is reloaded.
    pub sinks: Arc<RwLock<Arc<Sinks>>>,
}

impl Context {
    fn sink(&self, name: &str) -> Option<Arc<SinkInstance>> {
        self.sinks.read().get(name).cloned()
    }
}

/// Hands what the driver committed to the workers; a worker starts with the first delivery of its sink.
/// When `stop` turns true, what is due now is still sent, for `grace` at most.
pub async fn run(
    context: Context,
    mut outgoing: mpsc::UnboundedReceiver<Outgoing>,
    mut stop: watch::Receiver<bool>,
    grace: Duration,
) {
    let mut workers: BTreeMap<String, mpsc::UnboundedSender<Outgoing>> = BTreeMap::new();
    let mut tasks = tokio::task::JoinSet::new();
    loop {
        let message = tokio::select! {
            message = outgoing.recv() => message,
            _ = stop.wait_for(|is_stopping| *is_stopping) => None,
        };
        let Some(message) = message else { break };
        // All that is there before a worker looks at any of it: after a start one of them may know that the
        // sink asked for a pause.
        let mut new = Vec::new();
        let mut next = Some(message);
        while let Some(message) = next {
            let sink = match &message {
                Outgoing::Deliver(delivery) => delivery.sink.clone(),
                Outgoing::Settle(id) => sink_of(id).to_owned(),
            };
            let worker = workers.entry(sink.clone()).or_insert_with(|| {
                let (sender, receiver) = mpsc::unbounded_channel();
                new.push((sink, receiver));
                sender
            });
            // A worker ends only when its sender is dropped.
            let _ = worker.send(message);
            next = outgoing.try_recv().ok();
        }
        for (sink, receiver) in new {
            tasks.spawn(worker::run(context.clone(), sink, receiver));
        }
    }
    drop(workers);
    let drained = tokio::time::timeout(grace, async { while tasks.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!("stopped with sends under way; they are repeated with the same key after the next start");
    }
}

/// `inc-….7.ops/slack` → `ops/slack`: see `engine::delivery::create`.
fn sink_of(id: &str) -> &str {
    id.splitn(3, '.').nth(2).unwrap_or(id)
}

/// True when the delivery has been tried for so long that it is given up; a redriven one starts over.
fn is_overdue(delivery: &Delivery, now: crate::model::Timestamp, give_up_after: Span) -> bool {
    let since = delivery.redriven.as_ref().map_or(delivery.created_at, |redriven| redriven.at);
    now.since(since) > give_up_after
}

/// A pending delivery of the sample notification, for tests.
#[cfg(test)]
pub(crate) fn sample_delivery(kind: crate::model::NotificationKind, now: crate::model::Timestamp) -> Delivery {
    let notification = crate::render::sample_notification(kind, now);
    Delivery {
        id: format!("{}.ops/slack", notification.id),
        incident: notification.incident.id,
        sink: "ops/slack".into(),
        receiver: "ops".into(),
        state: crate::model::DeliveryState::Pending,
        attempts: 1,
        due_at: now,
        created_at: now,
        finished_at: None,
        progress: Default::default(),
        last_error: None,
        together_with: Vec::new(),
        told_otherwise: Default::default(),
        fallback_for: None,
        redriven: None,
        notification: Arc::new(notification),
    }
}
