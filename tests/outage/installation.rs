//! The daemon under test: driver and outbox as they are wired in `app.rs`, on a store in memory and a clock
//! that the test moves.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use watchbell::clock::Clock;
use watchbell::config::{self, Configuration, Retention};
use watchbell::engine::input::Input;
use watchbell::model::{Event, Span};
use watchbell::runtime::driver::{Driver, Outgoing, RowsNow};
use watchbell::runtime::engine_clock::EngineClock;
use watchbell::runtime::inbox::{Handle, Job, Queue};
use watchbell::runtime::outbox;
use watchbell::store::{SqliteReader, SqliteStore};
use watchbell::telemetry::Metrics;

use super::receiver::Receiver;

const CONFIGURATION: &str = r#"
listen: 127.0.0.1:9494
services: { shop: { tier: 1 }, wiki: { tier: 5 } }
receivers:
  ops: { sinks: [{ kind: webhook, url: "http://ops.example/hook", rate: { count: 100000, per: 1s } }] }
route: { receiver: ops, group_wait: 0s, group_interval: 1s, repeat_interval: 7d }
"#;

/// Inputs in one commit.
const JOBS_PER_CYCLE: usize = 1_000;

/// All workers of the outbox, with the one sink of the configuration.
pub struct Outbox {
    task: JoinHandle<()>,
    _stop: watch::Sender<bool>,
}

impl Outbox {
    pub fn start(
        driver: Handle,
        clock: EngineClock,
        receiver: &Receiver,
        outgoing: mpsc::UnboundedReceiver<Outgoing>,
    ) -> Self {
        let sinks = watchbell::app::build_sinks(&configuration(), None).unwrap();
        let context = outbox::Context {
            driver,
            clock,
            outbound: Arc::new(receiver.clone()),
            metrics: Arc::new(Metrics::new()),
            sinks: Arc::new(RwLock::new(Arc::new(sinks))),
        };
        let (stop, stopped) = watch::channel(false);
        let task = tokio::spawn(outbox::run(context, outgoing, stopped, std::time::Duration::ZERO));
        Self { task, _stop: stop }
    }

    /// Ends where it stands: what is under way goes on to its next await and no further.
    pub async fn die(self) {
        self.task.abort();
        for _ in 0..4 {
            tokio::task::yield_now().await;
        }
    }
}

fn configuration() -> Configuration {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("watchbell.yaml");
    std::fs::write(&path, CONFIGURATION).unwrap();
    let configuration = config::load(&[path], std::iter::empty());
    configuration.unwrap_or_else(|problems| panic!("{:?}", problems.first()))
}

pub struct Installation {
    pub reader: SqliteReader,
    pub receiver: Receiver,
    clock: Clock,
    process: Option<Process>,
}

struct Process {
    driver: Driver,
    queue: Queue,
    outbox: Outbox,
}

impl Installation {
    pub fn new() -> Self {
        let (store, reader) = SqliteStore::open_in_memory().unwrap();
        let clock = Clock::manual("2026-11-21T05:00:00Z".parse().unwrap());
        let receiver = Receiver::new(clock.clone());
        let mut installation = Self { reader, receiver, clock, process: None };
        installation.start(store);
        installation
    }

    fn start(&mut self, store: SqliteStore) {
        let (sender, outgoing) = mpsc::unbounded_channel();
        let (policy, metrics) = (configuration().policy, Arc::new(Metrics::new()));
        let started =
            Driver::start(Box::new(store), self.clock.clone(), &policy, sender, metrics, Retention::default());
        let driver = started.unwrap();
        let (handle, queue) = Handle::channel(10_000);
        let outbox = Outbox::start(handle, driver.clock(), &self.receiver, outgoing);
        self.process = Some(Process { driver, queue, outbox });
    }

    /// The process dies and another one takes its place.
    pub async fn restart(&mut self) {
        if let Some(process) = self.process.take() {
            process.outbox.die().await;
        }
        let store = self.reader.writer().unwrap();
        self.start(store);
    }

    pub fn driver(&self) -> &Driver {
        &self.process.as_ref().unwrap().driver
    }

    pub fn fire(&mut self, numbers: Range<usize>) {
        self.events(numbers, "firing");
    }

    pub fn resolve(&mut self, numbers: Range<usize>) {
        self.events(numbers, "resolved");
    }

    fn events(&mut self, numbers: Range<usize>, status: &str) {
        let now = self.clock.now();
        let event = |number: usize| -> Event {
            let name = format!("db-{number}");
            serde_json::from_value(serde_json::json!({
                "id": format!("{name}/{status}"), "at": now, "received_at": now, "source": "generic",
                "status": status, "name": format!("disk {number} full"), "dedup_key": name, "severity": "critical",
                "configuration_item": name, "service": if number.is_multiple_of(3) { "shop" } else { "wiki" },
            }))
            .unwrap()
        };
        let jobs = numbers.map(|number| {
            let input = Input::Events { events: vec![event(number)] };
            let payload = serde_json::to_vec(&input).unwrap();
            let done = oneshot::channel().0;
            Job::Input { input: Box::new(input), payload, source: Some("generic".to_owned()), done }
        });
        let jobs = jobs.collect();
        let process = self.process.as_mut().unwrap();
        process.driver.cycle(jobs, RowsNow::Later).unwrap();
    }

    /// Time goes on minute by minute, and then everything does that can.
    pub async fn pass(&mut self, span: Span) {
        for _ in 0..span.as_millis() / 60_000 {
            self.clock.advance(Span::from_mins(1));
            tokio::time::advance(std::time::Duration::from_secs(60)).await;
            let mut idle = 0;
            while idle < 4 {
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
                let jobs = self.jobs().await;
                idle = if jobs.is_empty() { idle + 1 } else { 0 };
                let process = self.process.as_mut().unwrap();
                process.driver.cycle(jobs, if idle == 3 { RowsNow::Yes } else { RowsNow::Later }).unwrap();
            }
        }
    }

    /// What tasks have handed to the writer.
    async fn jobs(&mut self) -> Vec<Job> {
        let process = self.process.as_mut().unwrap();
        let mut jobs = Vec::new();
        while jobs.len() < JOBS_PER_CYCLE {
            tokio::select! {
                biased;
                Some(job) = process.queue.recv() => jobs.push(job),
                () = std::future::ready(()) => break,
            }
        }
        jobs
    }
}
