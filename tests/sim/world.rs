//! The daemon under test and everything around it: clock, disk, receivers, and who asked it for what.
//! Offers the single steps of the process one by one, so that a crash can come between any two of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use watchbell::clock::Clock;
use watchbell::config::{Configuration, Retention};
use watchbell::engine;
use watchbell::engine::effect::Effect;
use watchbell::engine::input::{Command, Input, Principal};
use watchbell::engine::state::State;
use watchbell::model::{Span, Timestamp};
use watchbell::runtime::driver::{Driver, DriverError, RowsNow};
use watchbell::runtime::inbox::{Handle, Job, Queue, Receipt, SubmitError};
use watchbell::runtime::outbox::{self, Sinks};
use watchbell::sources::{Inbound, Source};
use watchbell::store::{QuarantineRow, Reader, SqliteReader, SqliteStore};
use watchbell::telemetry::Metrics;

use super::disk::{Disk, Fragile};
use super::installation;
use super::monitors::{POISON, Post};
use super::receivers::Receivers;

/// One process: lost as a whole when it crashes.
pub struct Daemon {
    pub driver: Driver,
    handle: Handle,
    queue: Queue,
    outbox: JoinHandle<()>,
    sinks: Arc<RwLock<Arc<Sinks>>>,
    _stop: watch::Sender<bool>,
}

/// Something that was asked of the daemon, and what it said.
pub struct Asked {
    pub what: What,
    pub answer: Answer,
    done: Option<oneshot::Receiver<Result<Receipt, SubmitError>>>,
}

pub enum What {
    /// Index of the post in the workload, and the input as the journal must hold it.
    Events {
        post: usize,
        payload: Vec<u8>,
        is_poison: bool,
    },
    Garbage {
        post: usize,
        body: Vec<u8>,
    },
    Command {
        by: Principal,
        payload: Vec<u8>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Waiting,
    Taken(Receipt),
    Refused,
    /// The process died before it answered.
    Lost,
}

pub struct World {
    pub clock: Clock,
    /// What every other clock shows; ours may have been stepped.
    pub true_time: Timestamp,
    pub reader: SqliteReader,
    first: Option<SqliteStore>,
    pub disk: Disk,
    pub receivers: Receivers,
    pub daemon: Option<Daemon>,
    /// Counts processes.
    pub life: u32,
    /// The file on the operator's disk.
    pub configuration: &'static Configuration,
    /// Arrived at the writer, not stepped yet.
    pub inbox: VecDeque<Job>,
    pub asked: Vec<Asked>,
    sources: BTreeMap<String, Box<dyn Source>>,
    metrics: Arc<Metrics>,
}

/// The engine, except that it dies of some inputs, half done.
pub fn mortal_step(state: &mut State, now: Timestamp, input: Input) -> Vec<Effect> {
    let is_poison = matches!(&input, Input::Events { events } if events.iter().any(|event| event.name == POISON));
    let effects = engine::step(state, now, input);
    assert!(!is_poison, "{POISON}");
    effects
}

impl World {
    pub fn new(seed: u64) -> Self {
        let (store, reader) = SqliteStore::open_in_memory().unwrap();
        let clock = Clock::manual("2026-11-21T05:00:00Z".parse().unwrap());
        Self {
            receivers: Receivers::new(fastrand::Rng::with_seed(seed ^ 0x5eed), clock.clone()),
            true_time: clock.now(),
            clock,
            reader,
            first: Some(store),
            disk: Disk::default(),
            daemon: None,
            life: 0,
            configuration: &installation::configurations()[0],
            inbox: VecDeque::new(),
            asked: Vec::new(),
            sources: installation::sources(),
            metrics: Arc::new(Metrics::new()),
        }
    }

    /// As the daemon counts it, which never goes back.
    pub fn now(&self) -> Timestamp {
        self.daemon.as_ref().map_or_else(|| self.clock.now(), |daemon| daemon.driver.clock().now())
    }

    /// Starts a process; false when it ended at once, as it does when the disk fails.
    pub fn start(&mut self) -> bool {
        let store = self.first.take().unwrap_or_else(|| self.reader.writer().unwrap());
        let store = Box::new(Fragile { store, disk: self.disk.clone() });
        self.life += 1;
        self.receivers.begin_life(self.life);
        let (sender, outgoing) = mpsc::unbounded_channel();
        let policy = &self.configuration.policy;
        let (clock, metrics) = (self.clock.clone(), Arc::clone(&self.metrics));
        let started = Driver::start_with(mortal_step, store, clock, policy, sender, metrics, Retention::default());
        let Ok(driver) = started else { return false };
        let (handle, queue) = Handle::channel(1_000);
        let sinks = Arc::new(RwLock::new(installation::sinks(self.configuration)));
        let context = outbox::Context {
            driver: handle.clone(),
            clock: driver.clock(),
            outbound: Arc::new(self.receivers.clone()),
            metrics: Arc::clone(&self.metrics),
            sinks: Arc::clone(&sinks),
        };
        let (stop, stopped) = watch::channel(false);
        let outbox = tokio::spawn(outbox::run(context, outgoing, stopped, std::time::Duration::ZERO));
        self.daemon = Some(Daemon { driver, handle, queue, outbox, sinks, _stop: stop });
        true
    }

    /// All clocks show the same time again, the latest of them.
    pub fn agree_on_time(&mut self) {
        self.clock.set_by(Span::from_millis(self.true_time.since(self.clock.now()).as_millis().max(0)));
        self.true_time = self.now();
    }

    /// Kills the process where it stands.
    pub async fn crash(&mut self) {
        if let Some(daemon) = self.daemon.take() {
            daemon.outbox.abort();
            drop(daemon);
        }
        self.inbox.clear();
        // Its tasks are dropped when they would have gone on.
        self.pass_control(2).await;
        self.receivers.begin_life(self.life);
        self.collect_answers();
    }

    /// Lets tasks run: each yield lets everything that can go on do one stretch up to its next await.
    pub async fn pass_control(&self, times: usize) {
        for _ in 0..times {
            tokio::task::yield_now().await;
        }
    }

    /// Time goes on, for the clock on the wall and for timers.
    pub async fn pass(&mut self, span: Span) {
        self.clock.advance(span);
        self.true_time = self.true_time + span;
        tokio::time::advance(span.to_std()).await;
    }

    /// What tasks have handed to the writer arrives there.
    pub async fn collect_jobs(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        loop {
            tokio::select! {
                biased;
                job = daemon.queue.recv() => match job {
                    Some(job) => self.inbox.push_back(job),
                    None => return,
                },
                () = std::future::ready(()) => return,
            }
        }
    }

    /// Steps up to `count` jobs; a fatal error ends the process.
    pub async fn step(&mut self, count: usize, rows: RowsNow) {
        let count = count.min(self.inbox.len());
        let jobs: Vec<Job> = self.inbox.drain(..count).collect();
        let Some(daemon) = &mut self.daemon else { return };
        let stepped = daemon.driver.step(jobs, rows);
        self.survive(stepped).await;
    }

    /// Commits the oldest batch that was stepped.
    pub async fn commit(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let committed = daemon.driver.commit();
        self.survive(committed).await;
    }

    /// Steps everything that waits, and commits it.
    pub async fn cycle(&mut self, rows: RowsNow) {
        self.collect_jobs().await;
        self.step(usize::MAX, rows).await;
        while self.daemon.as_ref().is_some_and(|daemon| daemon.driver.stepped_count() > 0) {
            self.commit().await;
        }
    }

    async fn survive(&mut self, result: Result<(), DriverError>) {
        if let Err(error) = result
            && error.is_fatal()
        {
            self.crash().await;
        }
        self.collect_answers();
    }

    /// A webhook arrives; what can be read goes to the writer. False when nobody listens.
    pub fn post(&mut self, index: usize, post: &Post) -> bool {
        if self.daemon.is_none() {
            return false;
        }
        let now = self.now();
        let inbound =
            Inbound { source: post.source, content_type: "application/json", body: &post.body, received_at: now };
        let (done, answer) = oneshot::channel();
        let (job, what) = match self.sources[post.source].parse(&inbound) {
            Ok(events) => {
                let is_poison = events.iter().any(|event| event.name == POISON);
                let input = Input::Events { events };
                let payload = serde_json::to_vec(&input).unwrap();
                let what = What::Events { post: index, payload: payload.clone(), is_poison };
                (Job::Input { input: Box::new(input), payload, source: Some(post.source.to_owned()), done }, what)
            }
            Err(error) => {
                let body = post.body.clone();
                let row = QuarantineRow {
                    at: now,
                    source: post.source.to_owned(),
                    reason: error.to_string(),
                    body: body.clone(),
                };
                (Job::Quarantine { row, done }, What::Garbage { post: index, body })
            }
        };
        self.inbox.push_back(job);
        self.asked.push(Asked { what, answer: Answer::Waiting, done: Some(answer) });
        true
    }

    /// Somebody asks for something. False when nobody listens.
    pub fn command(&mut self, by: Principal, command: Command) -> bool {
        if self.daemon.is_none() {
            return false;
        }
        let input = Input::Command { by: by.clone(), command };
        let payload = serde_json::to_vec(&input).unwrap();
        let (done, answer) = oneshot::channel();
        self.inbox.push_back(Job::Input { input: Box::new(input), payload: payload.clone(), source: None, done });
        self.asked.push(Asked { what: What::Command { by, payload }, answer: Answer::Waiting, done: Some(answer) });
        true
    }

    /// The operator writes another configuration and reloads it, as `app::Reloader` does.
    pub fn reconfigure(&mut self, configuration: &'static Configuration) {
        self.configuration = configuration;
        let Some(daemon) = &mut self.daemon else { return };
        let before = std::mem::replace(&mut *daemon.sinks.write(), installation::sinks(configuration));
        let (handle, policy) = (daemon.handle.clone(), Box::new(configuration.policy.clone()));
        let sinks = Arc::clone(&daemon.sinks);
        tokio::spawn(async move {
            if handle.submit(Input::Configured { policy }, None).await.is_err() {
                *sinks.write() = before;
            }
        });
    }

    /// Two processes write: a second one takes over while the first still lives. Returns the first.
    pub async fn usurp(&mut self) -> Option<Driver> {
        let daemon = self.daemon.take()?;
        daemon.outbox.abort();
        let Daemon { driver, .. } = daemon;
        self.inbox.clear();
        self.pass_control(2).await;
        self.start();
        self.collect_answers();
        Some(driver)
    }

    pub fn collect_answers(&mut self) {
        for asked in self.asked.iter_mut().filter(|asked| asked.answer == Answer::Waiting) {
            let Some(done) = &mut asked.done else { continue };
            asked.answer = match done.try_recv() {
                Ok(Ok(receipt)) => Answer::Taken(receipt),
                Ok(Err(_)) => Answer::Refused,
                Err(oneshot::error::TryRecvError::Empty) => continue,
                Err(oneshot::error::TryRecvError::Closed) => Answer::Lost,
            };
            asked.done = None;
        }
    }

    /// What waits to be done, for messages.
    pub fn work(&self) -> (usize, usize, u32) {
        (self.inbox.len(), self.receivers.held_count(), self.life)
    }

    pub fn position(&self) -> u64 {
        self.reader.position().unwrap()
    }
}
