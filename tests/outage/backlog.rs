//! The real outbox with a writer that only keeps what it is told: made for a backlog that would take an engine
//! in a debug build minutes to make. The deliveries are copies of one that a real engine has made.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::mpsc;
use watchbell::clock::Clock;
use watchbell::engine::input::{Input, SendResult};
use watchbell::model::{Delivery, IncidentId, NotificationKind, Priority, Span, Timestamp};
use watchbell::runtime::driver::Outgoing;
use watchbell::runtime::engine_clock::EngineClock;
use watchbell::runtime::inbox::{Handle, Job, Queue, Receipt};

use super::installation::{Installation, Outbox};
use super::receiver::Receiver;

pub struct Backlog {
    pub receiver: Receiver,
    /// What has no end yet, as the store would hold it.
    pub pending: BTreeMap<String, Delivery>,
    pub delivered: usize,
    pub superseded: usize,
    clock: Clock,
    sample: Delivery,
    outgoing: mpsc::UnboundedSender<Outgoing>,
    queue: Queue,
    outbox: Option<Outbox>,
}

fn start(clock: &Clock, receiver: &Receiver) -> (mpsc::UnboundedSender<Outgoing>, Queue, Option<Outbox>) {
    let (driver, queue) = Handle::channel(10_000);
    let (outgoing, committed) = mpsc::unbounded_channel();
    let outbox = Outbox::start(driver, EngineClock::new(clock.clone(), Timestamp::default()), receiver, committed);
    (outgoing, queue, Some(outbox))
}

impl Backlog {
    pub fn new() -> Self {
        let mut installation = Installation::new();
        installation.fire(0..1);
        let sample = installation.driver().state().deliveries().next().unwrap().clone();
        let clock = Clock::manual("2026-11-21T05:00:00Z".parse().unwrap());
        let receiver = Receiver::new(clock.clone());
        let (outgoing, queue, outbox) = start(&clock, &receiver);
        let (pending, delivered, superseded) = (BTreeMap::new(), 0, 0);
        Self { receiver, pending, delivered, superseded, clock, sample, outgoing, queue, outbox }
    }

    pub fn open(&mut self, numbers: Range<usize>) {
        numbers.for_each(|number| self.deliver(number, 1, NotificationKind::Opened));
    }

    pub fn resolve(&mut self, numbers: Range<usize>) {
        numbers.for_each(|number| self.deliver(number, 2, NotificationKind::Resolved));
    }

    fn deliver(&mut self, incident: usize, number: u32, kind: NotificationKind) {
        let (now, sample) = (self.clock.now(), &self.sample);
        let id = IncidentId::from_key(incident as u64 + 1);
        let mut notification = (*sample.notification).clone();
        notification.id = format!("{id}.{number}");
        (notification.number, notification.kind, notification.at) = (number, kind, now);
        notification.incident.id = id;
        notification.incident.priority = Priority::ALL[incident % Priority::ALL.len()];
        notification.incident.configuration_items = vec![format!("db-{incident}")];
        let delivery = Delivery {
            id: format!("{id}.{number}.{}", sample.sink),
            incident: id,
            due_at: now,
            created_at: now,
            notification: Arc::new(notification),
            ..sample.clone()
        };
        self.pending.insert(delivery.id.clone(), delivery.clone());
        self.outgoing.send(Outgoing::Deliver(Box::new(delivery))).unwrap();
    }

    /// The process dies, and the next one goes on with what was kept; all of it is in doubt.
    pub async fn restart(&mut self) {
        if let Some(outbox) = self.outbox.take() {
            outbox.die().await;
        }
        (self.outgoing, self.queue, self.outbox) = start(&self.clock, &self.receiver);
        for delivery in self.pending.values_mut() {
            delivery.progress.is_ambiguous = true;
            self.outgoing.send(Outgoing::Deliver(Box::new(delivery.clone()))).unwrap();
        }
    }

    /// Time goes on minute by minute, and then everything does that can.
    pub async fn pass(&mut self, span: Span) {
        for _ in 0..span.as_millis() / 60_000 {
            self.clock.advance(Span::from_mins(1));
            tokio::time::advance(std::time::Duration::from_secs(60)).await;
            let mut idle = 0;
            while idle < 16 {
                tokio::task::yield_now().await;
                idle = if self.record().await { 0 } else { idle + 1 };
            }
        }
    }

    /// Keeps what sends have led to; false when there was nothing.
    async fn record(&mut self) -> bool {
        let mut is_news = false;
        loop {
            let job = tokio::select! {
                biased;
                Some(job) = self.queue.recv() => job,
                () = std::future::ready(()) => return is_news,
            };
            is_news = true;
            let Job::Input { input, done, .. } = job else { continue };
            let Input::Sent { delivery, result } = *input else { continue };
            self.keep(&delivery, result);
            let _ = done.send(Ok(Receipt { position: 1, reply: None }));
        }
    }

    fn keep(&mut self, id: &str, result: SendResult) {
        let Some(delivery) = self.pending.get_mut(id) else { panic!("{id} ends twice: {result:?}") };
        match result {
            SendResult::Retry { at, reason, progress } => {
                delivery.attempts += 1;
                (delivery.due_at, delivery.last_error, delivery.progress) = (at, Some(reason), progress);
                return;
            }
            SendResult::Delivered { .. } => self.delivered += 1,
            SendResult::Superseded { .. } => self.superseded += 1,
            other => panic!("{id}: {other:?}"),
        }
        self.pending.remove(id);
        self.outgoing.send(Outgoing::Settle(id.to_owned())).unwrap();
    }
}
