//! The other side: a receiver in memory that is away, or takes some and then asks for a pause. It keeps what
//! it was sent, and fails the test at once when something comes while it asked to be left alone.

use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use watchbell::clock::Clock;
use watchbell::error::ErrorKind;
use watchbell::model::{NotificationKind, Priority, Span, Timestamp};
use watchbell::runtime::deliver::{Answer, SendError, Transport};
use watchbell::sinks::{Request, Response};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Unreachable,
    /// Takes the request and never answers.
    Silent,
    /// 500
    Failing,
    /// 503 with `Retry-After`
    Later(Span),
    /// 200 for so many, then 429 with `Retry-After`, and so on.
    Limited {
        count: usize,
        pause: Span,
    },
}

#[derive(Clone, Debug)]
pub struct Received {
    /// The idempotency key.
    pub key: String,
    pub kind: NotificationKind,
    pub priority: Priority,
    pub item: String,
    pub took_effect: bool,
}

#[derive(Clone)]
pub struct Receiver(Arc<Mutex<Inner>>);

struct Inner {
    clock: Clock,
    mode: Mode,
    log: Vec<Received>,
    /// Taken since the last pause.
    taken: usize,
    /// Nothing may come before.
    told_until: Timestamp,
    in_flight: usize,
    in_flight_max: usize,
}

impl Receiver {
    pub fn new(clock: Clock) -> Self {
        let (mode, told_until) = (Mode::Unreachable, Timestamp::default());
        let inner = Inner { clock, mode, log: Vec::new(), taken: 0, told_until, in_flight: 0, in_flight_max: 0 };
        Self(Arc::new(Mutex::new(inner)))
    }

    pub fn set_mode(&self, mode: Mode) {
        self.0.lock().mode = mode;
    }

    pub fn read<T>(&self, read: impl FnOnce(&[Received]) -> T) -> T {
        read(&self.0.lock().log)
    }

    /// It asked for a pause that is not over.
    pub fn wants_peace(&self) -> bool {
        let inner = self.0.lock();
        inner.clock.now() < inner.told_until
    }

    pub fn in_flight_max(&self) -> usize {
        self.0.lock().in_flight_max
    }
}

impl Inner {
    fn take(&mut self, request: &Request) -> Result<(u16, Option<Span>), ErrorKind> {
        let now = self.clock.now();
        let Request::Http(request) = request else { panic!("the sink is a webhook") };
        let key = request.headers.iter().find(|(name, _)| name == "idempotency-key").expect("a key");
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let data = &body["data"];
        let read = |value: &Value| serde_json::from_value(value.clone()).expect("a known word");
        let received = Received {
            key: key.1.expose().clone(),
            kind: read(&data["kind"]),
            priority: serde_json::from_value(data["incident"]["priority"].clone()).expect("a priority"),
            item: data["incident"]["configuration_items"][0].as_str().expect("an item").to_owned(),
            took_effect: false,
        };
        assert!(now >= self.told_until, "{} came at {now}, before {}", received.key, self.told_until);
        self.log.push(received);
        self.in_flight += 1;
        self.in_flight_max = self.in_flight_max.max(self.in_flight);
        match self.mode {
            Mode::Unreachable => Err(ErrorKind::Unreachable),
            Mode::Silent => Err(ErrorKind::Timeout),
            Mode::Failing => Ok((500, None)),
            Mode::Later(span) => Ok((503, Some(span))),
            Mode::Limited { count, pause } if self.taken == count => {
                self.taken = 0;
                Ok((429, Some(pause)))
            }
            Mode::Limited { .. } => {
                self.taken += 1;
                self.log.last_mut().expect("the one above").took_effect = true;
                Ok((200, None))
            }
        }
    }

    /// The answer reaches the daemon.
    fn answer(&mut self, after: Option<Span>) {
        self.in_flight -= 1;
        if let Some(after) = after {
            self.told_until = self.told_until.max(self.clock.now() + after);
        }
    }
}

impl Transport for Receiver {
    fn send(&self, request: Request, _allow_private: bool, _timeout: std::time::Duration) -> Answer<'_> {
        Box::pin(async move {
            let taken = self.0.lock().take(&request);
            // Others may be under way at the same time.
            tokio::task::yield_now().await;
            self.0.lock().answer(taken.as_ref().ok().and_then(|(_, after)| *after));
            match taken {
                Ok((status, after)) => {
                    let seconds = after.map(|after| (after.as_millis() / 1_000).to_string());
                    let headers = seconds.map(|seconds| ("retry-after".to_owned(), seconds)).into_iter().collect();
                    Ok(Response::Http { status, headers, body: Vec::new() })
                }
                Err(kind) => {
                    let is_ambiguous = kind == ErrorKind::Timeout;
                    Err(SendError { kind, reason: kind.to_string(), is_ambiguous })
                }
            }
        })
    }
}
