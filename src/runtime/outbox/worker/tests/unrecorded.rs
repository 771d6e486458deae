//! A worker without its writer.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use tokio::sync::mpsc;

use super::super::super::{Context, SinkInstance, Sinks, sample_delivery};
use super::super::run;
use crate::clock::Clock;
use crate::model::{Delivery, NotificationKind, Span, Timestamp};
use crate::runtime::deliver::{Answer, Transport};
use crate::runtime::driver::Outgoing;
use crate::runtime::engine_clock::EngineClock;
use crate::runtime::inbox::Handle;
use crate::sinks::{Attempt, Outcome, Rate, RenderError, Request, Response, Sink};

/// Sends the number of each notification as a line.
struct Numbers;

impl Sink for Numbers {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        Ok(Request::Line(attempt.notification.number.to_string()))
    }

    fn outcome(&self, _: &Attempt<'_>, _: &Response) -> Outcome {
        Outcome::Delivered { remote: None, proof: "written".to_owned() }
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Transport for Lines {
    fn send(&self, request: Request, _allow_private: bool, _timeout: Duration) -> Answer<'_> {
        let Request::Line(line) = request else { panic!("only lines are sent here") };
        self.0.lock().push(line);
        Box::pin(std::future::ready(Ok(Response::Written)))
    }
}

fn numbered(number: u32, kind: NotificationKind, now: Timestamp) -> Outgoing {
    let sample = sample_delivery(kind, now);
    let mut notification = (*sample.notification).clone();
    notification.number = number;
    notification.id = format!("{}.{number}", sample.incident);
    let id = format!("{}.ops/slack", notification.id);
    Outgoing::Deliver(Box::new(Delivery { id, notification: Arc::new(notification), ..sample }))
}

/// Found by the simulation (`tests/sim`): the opening went out and could not be recorded any more; the
/// acknowledgement behind it went out all the same; and after the next start people were paged again for
/// what somebody had in hand.
#[tokio::test(start_paused = true)]
async fn nothing_follows_a_result_that_the_writer_did_not_live_to_record() {
    let clock = Clock::manual("2026-11-21T05:00:00Z".parse().unwrap());
    let (handle, mut queue) = Handle::channel(16);
    let lines = Lines::default();
    let instance = SinkInstance {
        sink: Box::new(Numbers),
        allow_private: false,
        timeout: Duration::from_secs(1),
        rate: Rate { count: 1_000, per_ms: 1_000 },
        give_up_after: Span::from_hours(1),
    };
    let sinks = Sinks::from([("ops/slack".to_owned(), Arc::new(instance))]);
    let context = Context {
        driver: handle,
        clock: EngineClock::new(clock.clone(), Timestamp::default()),
        outbound: Arc::new(lines.clone()),
        metrics: Arc::default(),
        sinks: Arc::new(RwLock::new(Arc::new(sinks))),
    };
    let (outgoing, inbox) = mpsc::unbounded_channel();
    let worker = tokio::spawn(run(context, "ops/slack".to_owned(), inbox));
    outgoing.send(numbered(1, NotificationKind::Opened, clock.now())).unwrap();
    // The result of the first arrives at the writer, which ends without having taken it.
    let unrecorded = queue.recv().await.unwrap();
    outgoing.send(numbered(2, NotificationKind::Acknowledged, clock.now())).unwrap();
    drop((queue, unrecorded));
    // Told to stop, as it is when the writer has failed, it has nothing left that it may do.
    drop(outgoing);
    worker.await.unwrap();
    assert_eq!(*lines.0.lock(), ["1"]);
}
