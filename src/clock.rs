//! The only file that reads time: the wall clock, which people and other machines share and anyone can
//! set, and a steady one, which nobody can. What the engine calls "now" is made from both in
//! `runtime/engine_clock.rs`.

#![allow(clippy::disallowed_methods, reason = "this is the file that reads time")]

use crate::model::{Span, Timestamp};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What the daemon asks for the time; tests hand in one that they move themselves.
#[derive(Clone, Debug)]
pub enum Clock {
    System,
    Manual(Arc<Manual>),
}

/// A clock that stands still until it is moved.
#[derive(Debug)]
pub struct Manual {
    wall_ms: AtomicI64,
    elapsed_ms: AtomicI64,
}

/// Where the steady clock begins; only differences mean something.
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock {
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(Manual { wall_ms: AtomicI64::new(start.as_millis()), elapsed_ms: AtomicI64::new(0) }))
    }

    /// The wall clock. It may be set, so it says when something was, never how long it took.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let ms = match SystemTime::now().duration_since(UNIX_EPOCH) {
                    Ok(since) => since.as_millis() as i64,
                    Err(before) => -(before.duration().as_millis() as i64),
                };
                Timestamp::from_millis(ms)
            }
            Self::Manual(manual) => Timestamp::from_millis(manual.wall_ms.load(Ordering::SeqCst)),
        }
    }

    /// The steady clock: time since some moment of this process. It never goes back, and it stands still
    /// while the machine is suspended.
    pub fn elapsed(&self) -> Span {
        match self {
            Self::System => Span::from_millis(ORIGIN.elapsed().as_millis() as i64),
            Self::Manual(manual) => Span::from_millis(manual.elapsed_ms.load(Ordering::SeqCst)),
        }
    }

    /// Lets time pass on a manual clock; a system clock is left alone.
    pub fn advance(&self, span: Span) {
        if let Self::Manual(manual) = self {
            manual.elapsed_ms.fetch_add(span.as_millis(), Ordering::SeqCst);
        }
        self.set_by(span);
    }

    /// Sets a manual wall clock ahead or, with a negative span, back, without any time passing; a pause of
    /// the whole machine looks like that too.
    pub fn set_by(&self, span: Span) {
        if let Self::Manual(manual) = self {
            manual.wall_ms.fetch_add(span.as_millis(), Ordering::SeqCst);
        }
    }
}

/// Measures how long something takes, for metrics.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn elapsed(self) -> std::time::Duration {
        self.0.elapsed()
    }

    pub fn seconds(self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
