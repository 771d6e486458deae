//! What happens to a sink's queue while a send is under way; each step taken by hand.

mod unrecorded;

use super::super::{Sinks, sample_delivery};
use super::*;
use crate::clock::Clock;
use crate::model::delivery::Redriven;
use crate::model::{NotificationKind, Span};
use crate::runtime::deliver::{Answer, Transport};
use crate::runtime::engine_clock::EngineClock;
use crate::runtime::inbox::{Handle, Job, Queue as Inbox};
use crate::sinks::{Attempt, Outcome, RenderError, Request, Response, Sink};
use crate::telemetry::Metrics;
use parking_lot::{Mutex, RwLock};

/// Takes everything and remembers its key.
#[derive(Clone, Default)]
struct Taken(Arc<Mutex<Vec<String>>>);

impl Sink for Taken {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        Ok(Request::Line(attempt.delivery.to_owned()))
    }

    fn outcome(&self, _attempt: &Attempt<'_>, _response: &Response) -> Outcome {
        Outcome::Delivered { remote: None, proof: "taken".into() }
    }
}

impl Transport for Taken {
    fn send(&self, request: Request, _allow_private: bool, _timeout: std::time::Duration) -> Answer<'_> {
        if let Request::Line(key) = request {
            self.0.lock().push(key);
        }
        Box::pin(std::future::ready(Ok(Response::Written)))
    }
}

struct World {
    worker: Worker,
    clock: Clock,
    taken: Taken,
}

impl World {
    fn new() -> Self {
        let (clock, taken) = (Clock::manual("2026-11-21T05:00:00Z".parse().unwrap()), Taken::default());
        let (driver, inbox) = Handle::channel(100);
        tokio::spawn(agree(inbox));
        let instance = SinkInstance {
            sink: Box::new(taken.clone()),
            allow_private: false,
            timeout: std::time::Duration::from_secs(1),
            rate: Rate { count: 1_000, per_ms: 1_000 },
            give_up_after: Span::from_hours(24),
        };
        let context = Context {
            driver,
            clock: EngineClock::new(clock.clone(), Timestamp::default()),
            outbound: Arc::new(taken.clone()),
            metrics: Arc::new(Metrics::new()),
            sinks: Arc::new(RwLock::new(Arc::new(Sinks::from([("ops/slack".to_owned(), Arc::new(instance))])))),
        };
        Self { worker: Worker::new(context, "ops/slack".into()), clock, taken }
    }

    fn delivery(&self, number: u32, kind: NotificationKind) -> Delivery {
        let sample = sample_delivery(kind, self.clock.now());
        let mut notification = (*sample.notification).clone();
        notification.number = number;
        let id = format!("{}.{number}.ops/slack", sample.incident);
        Delivery { id, notification: Arc::new(notification), ..sample }
    }

    fn deliver(&mut self, delivery: Delivery) {
        self.worker.take(Outgoing::Deliver(Box::new(delivery)));
    }

    /// All sends that have been started come to their end.
    async fn finish(&mut self) {
        while let Some(ended) = self.worker.sends.join_next_with_id().await {
            self.worker.ended(ended);
        }
    }
}

/// A driver that records whatever it is told.
async fn agree(mut inbox: Inbox) {
    while let Some(job) = inbox.recv().await {
        if let Job::Input { done, .. } = job {
            let _ = done.send(Ok(crate::runtime::inbox::Receipt { position: 1, reply: None }));
        }
    }
}

#[tokio::test]
async fn a_send_that_was_about_to_go_when_the_sink_asked_for_a_pause_goes_back_with_what_it_supersedes() {
    let mut world = World::new();
    for (number, kind) in [(1, NotificationKind::Opened), (2, NotificationKind::Resolved)] {
        world.deliver(world.delivery(number, kind));
    }
    world.worker.start_sends();
    assert_eq!((world.worker.sends.len(), world.worker.queue.len()), (1, 0));
    world.worker.pause.until(world.clock.now() + Span::from_secs(60));
    world.finish().await;
    assert_eq!((world.taken.0.lock().len(), world.worker.queue.len()), (0, 2), "nothing was sent, nothing is lost");
    world.worker.start_sends();
    assert_eq!(world.worker.sends.len(), 0, "not before the time");
    world.clock.advance(Span::from_secs(60));
    world.worker.start_sends();
    let pick = world.worker.under_way.values().next().unwrap();
    assert_eq!((pick.delivery.notification.number, pick.superseded.len()), (2, 1));
}

#[tokio::test]
async fn what_was_told_before_a_restart_holds_for_everything_that_waits() {
    let mut world = World::new();
    let mut told = world.delivery(1, NotificationKind::Opened);
    told.progress.is_deferred = true;
    told.due_at = world.clock.now() + Span::from_secs(60);
    let other = sample_delivery(NotificationKind::Opened, world.clock.now());
    let incident = crate::model::incident_id::sample_id("inc-b");
    world.deliver(Delivery { id: format!("{incident}.1.ops/slack"), incident, ..other });
    world.deliver(told);
    world.worker.start_sends();
    assert_eq!(world.worker.sends.len(), 0);
    world.clock.advance(Span::from_secs(60));
    world.worker.start_sends();
    assert_eq!(world.worker.sends.len(), 2);
}

#[tokio::test]
async fn a_delivery_that_was_given_up_under_way_and_redriven_is_sent_again() {
    let mut world = World::new();
    let first = world.delivery(1, NotificationKind::Opened);
    world.deliver(first.clone());
    world.worker.start_sends();
    // The sink was taken out of the configuration and put back while the request was on its way.
    world.worker.take(Outgoing::Settle(first.id.clone()));
    let redriven = Some(Redriven { at: world.clock.now(), by: "root".into(), stand_in: None });
    world.deliver(Delivery { redriven, ..first.clone() });
    world.finish().await;
    assert_eq!(world.worker.queue.len(), 1);
    world.worker.start_sends();
    world.finish().await;
    assert_eq!(*world.taken.0.lock(), [first.id.clone(), first.id], "under the same key");
}
