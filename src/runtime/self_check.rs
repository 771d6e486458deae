//! Watching the watcher: a probe takes the way of every alert, and when it no longer comes through, the
//! daemon says so and where it hangs.
//!
//! ```text
//! trip ─▶ http/ingest: parse ─▶ driver: commit, engine ─▶ outbox: worker ─▶ the sink in this file ─▶ trip
//!         └──── ingest ────┘    └────── commit ──────┘    └──────── outbox ───────┘
//! ```
//!
//! A trip leaves two rows in the journal and nothing else. `watchdog.rs` and `heartbeat.rs` ask here how
//! the daemon is.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::clock::{Clock, Stopwatch};
use crate::config::SelfCheckSettings;
use crate::engine::self_check::DEDUP_KEY;
use crate::error::{ConfigError, Table};
use crate::model::Span;
use crate::runtime::outbox::SinkInstance;
use crate::sinks::{Attempt, Outcome, Rate, RenderError, Request, Response, Sink};
use crate::sources::{self, Inbound, Overload, ParseError, Parsed, Source, SourceSpec};
use crate::telemetry::Metrics;

/// Trips that may be missed before the daemon counts as unhealthy.
const MISSED_MAX: i64 = 3;
/// A probe that is told to come later does, as any sender would.
const BUSY_RETRY: Duration = Duration::from_millis(250);

/// The part of the way that a probe is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Until its body is read.
    Ingest,
    /// Until it is durable.
    Commit,
    /// Until the sink has it.
    Outbox,
}

impl Stage {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Commit => "commit",
            Self::Outbox => "outbox",
        }
    }
}

/// Why no probe has come through for too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// For whoever reaches the port.
    pub reason: String,
    /// Nothing answers. Otherwise the answer is no (a full disk), and a restart would not change it.
    pub is_hanging: bool,
}

/// Why a probe was not taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Too much is waiting; it may come again.
    Busy,
    Refused(String),
}

/// Hands the body of a probe to the daemon's own door.
pub type Door = Box<dyn Fn(String) -> Entry + Send + Sync>;
/// Ends once the probe is durable.
pub type Entry = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

pub struct SelfCheck {
    every: Span,
    timeout: Duration,
    clock: Clock,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    /// Number of the last probe that has come through.
    arrived: watch::Sender<u32>,
}

#[derive(Debug)]
struct State {
    number: u32,
    stage: Stage,
    /// On the steady clock; at first the start, so that a start has as long as everyone.
    passed_at: Span,
    /// What ended the last trip; none when it came through.
    failure: Option<Failure>,
    has_passed: bool,
}

#[derive(Clone, Debug)]
struct Failure {
    stage: Stage,
    /// None when no answer came.
    refusal: Option<String>,
}

impl SelfCheck {
    pub fn new(settings: &SelfCheckSettings, clock: Clock, metrics: Arc<Metrics>) -> Arc<Self> {
        let state =
            State { number: 0, stage: Stage::Ingest, passed_at: clock.elapsed(), failure: None, has_passed: false };
        let (arrived, _) = watch::channel(0);
        let (every, timeout) = (settings.every, settings.timeout.to_std());
        Arc::new(Self { every, timeout, clock, metrics, state: Mutex::new(state), arrived })
    }

    /// Where this is counted.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// A trip now and one in each interval.
    pub async fn run(&self, door: Door) {
        let mut ticks = tokio::time::interval(self.every.to_std());
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.trip(&door).await;
        }
    }

    /// One probe, all the way.
    pub async fn trip(&self, door: &Door) {
        let stopwatch = Stopwatch::start();
        let number = self.begin();
        let way = async {
            enter(number, door).await?;
            self.reached(number, Stage::Outbox);
            // An error would mean that this very object is gone.
            let _ = self.arrived.subscribe().wait_for(|arrived| *arrived == number).await;
            Ok(())
        };
        match tokio::time::timeout(self.timeout, way).await {
            Ok(Ok(())) => self.passed(stopwatch),
            Ok(Err(refusal)) => self.failed(Some(refusal)),
            Err(_) => self.failed(None),
        }
    }

    fn begin(&self) -> u32 {
        let mut state = self.state.lock();
        state.number = state.number.wrapping_add(1).max(1);
        state.stage = Stage::Ingest;
        state.number
    }

    /// A late probe says nothing about the one that is under way.
    fn reached(&self, number: u32, stage: Stage) {
        let mut state = self.state.lock();
        if state.number == number {
            state.stage = stage;
        }
    }

    fn passed(&self, stopwatch: Stopwatch) {
        self.metrics.self_check_seconds.observe(stopwatch.seconds());
        let now = self.clock.now().as_millis() as f64 / 1_000.0;
        self.metrics.self_check_last_success_timestamp_seconds.set(now);
        let mut state = self.state.lock();
        state.passed_at = self.clock.elapsed();
        state.has_passed = true;
        if state.failure.take().is_some() {
            tracing::info!("the self check passes again");
        }
    }

    /// For tests of those who ask.
    #[cfg(test)]
    pub(crate) fn pretend_passed(&self) {
        self.passed(Stopwatch::start());
    }

    fn failed(&self, refusal: Option<String>) {
        let mut state = self.state.lock();
        let stage = state.stage;
        self.metrics.self_check_failures.with_label_values(&[stage.as_str()]).inc();
        let reason = refusal.as_deref().unwrap_or("no answer");
        tracing::warn!(stage = stage.as_str(), reason, "a probe of the self check did not come through");
        state.failure = Some(Failure { stage, refusal });
    }

    /// The last probe came through, and not too long ago.
    pub fn is_passing(&self) -> bool {
        let state = self.state.lock();
        state.has_passed && state.failure.is_none() && !self.is_late(&state)
    }

    /// Why the daemon is not healthy, if it is not.
    pub fn trouble(&self) -> Option<Trouble> {
        let state = self.state.lock();
        if !self.is_late(&state) {
            return None;
        }
        let failure = state.failure.clone().unwrap_or(Failure { stage: state.stage, refusal: None });
        let since = self.since(&state).human();
        let (stage, is_hanging) = (failure.stage.as_str(), failure.refusal.is_none());
        let reason = match failure.refusal {
            None => format!("no probe has come through for {since}: it hangs in {stage}"),
            Some(refusal) => format!("no probe has come through for {since}: {stage} refuses it, {refusal}"),
        };
        Some(Trouble { reason, is_hanging })
    }

    fn is_late(&self, state: &State) -> bool {
        self.since(state).as_millis() > self.every.as_millis() * MISSED_MAX
    }

    fn since(&self, state: &State) -> Span {
        Span::from_millis(self.clock.elapsed().as_millis() - state.passed_at.as_millis())
    }
}

/// Hands the probe in, again and again while it is told to come later.
async fn enter(number: u32, door: &Door) -> Result<(), String> {
    let body = serde_json::json!({
        "id": number.to_string(), "status": "firing", "name": "Self check", "dedup_key": DEDUP_KEY, "severity": "info",
    });
    loop {
        match door(body.to_string()).await {
            Ok(()) => return Ok(()),
            Err(Refusal::Refused(reason)) => return Err(reason),
            Err(Refusal::Busy) => tokio::time::sleep(BUSY_RETRY).await,
        }
    }
}

/// Where probes come in. It is not in the list of sources, so no path leads to it.
pub static SOURCE: SourceSpec = SourceSpec {
    name: "self_check",
    title: "The daemon's own probe",
    docs: "",
    examples: &[],
    overload: Overload::TooManyRequests,
    build: |_| Err(ConfigError::new("kind", "it cannot be configured")),
};

/// The source of the probes: the `generic` one, which notes that it has read them.
pub struct ProbeSource {
    check: Arc<SelfCheck>,
    generic: Box<dyn Source>,
}

impl ProbeSource {
    /// # Errors
    /// Never in practice: the `generic` source needs no keys.
    pub fn new(check: Arc<SelfCheck>) -> Result<Self, ConfigError> {
        let spec = sources::find("generic").ok_or_else(|| ConfigError::new("kind", "there is no `generic` source"))?;
        Ok(Self { check, generic: (spec.build)(&Table::new())? })
    }
}

impl Source for ProbeSource {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let events = self.generic.parse(inbound)?.into_events();
        if let Some(number) = events.first().and_then(|event| event.id.parse().ok()) {
            self.check.reached(number, Stage::Commit);
        }
        Ok(events.into())
    }
}

/// Where probes end.
struct ProbeSink {
    check: Arc<SelfCheck>,
}

impl Sink for ProbeSink {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        self.check.arrived.send_replace(attempt.notification.number);
        Ok(Request::Skip("the probe has come through"))
    }

    fn outcome(&self, _attempt: &Attempt<'_>, _response: &Response) -> Outcome {
        Outcome::Delivered { remote: None, proof: "the probe has come through".to_owned() }
    }
}

/// The sink that answers the probes, for the outbox's list.
pub fn sink(check: &Arc<SelfCheck>) -> SinkInstance {
    SinkInstance {
        sink: Box::new(ProbeSink { check: Arc::clone(check) }),
        allow_private: false,
        timeout: check.timeout,
        rate: Rate { count: 10, per_ms: 1_000 },
        give_up_after: Span::from_hours(1),
    }
}

#[cfg(test)]
mod tests;
