//! The daemon under test and everything around it: clock, disk, receivers, and who asked it for what.
//! Offers the single steps of the process one by one, so that a crash can come between any two of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parking_lot::RwLock;
use tokio::runtime::Runtime;
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
use watchbell::sources::{Inbound, Parsed, Source};
use watchbell::store::{QuarantineRow, Reader, SqliteReader, SqliteStore};
use watchbell::telemetry::Metrics;

use super::disk::{Disk, Fragile};
use super::installation::{self, Installation};
use super::monitors::{POISON, Post};
use super::receivers::Receivers;

/// Time that the outbox of an orderly stop has for what is due; more than any run gives it.
const GRACE: std::time::Duration = std::time::Duration::from_secs(20);

/// One process: lost as a whole when it crashes.
pub struct Daemon {
    pub driver: Driver,
    queue: Queue,
    reload: mpsc::UnboundedSender<&'static Configuration>,
    stop: watch::Sender<bool>,
    outbox: JoinHandle<()>,
    /// Its tasks and timers live here. When it is dropped none of them goes on, as after `kill -9`.
    runtime: Runtime,
}

impl Daemon {
    /// Lets tasks run: each time, everything that can go on does so up to its next await.
    fn pass_control(&self, times: usize) {
        self.runtime.block_on(async {
            for _ in 0..times {
                tokio::task::yield_now().await;
            }
        });
    }
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
    /// What the operator has to choose from.
    pub configurations: &'static [Configuration],
    /// The file on the operator's disk.
    pub configuration: &'static Configuration,
    /// Arrived at the writer, not stepped yet.
    pub inbox: VecDeque<Job>,
    pub asked: Vec<Asked>,
    /// Writers that were taken over from and do not know it yet.
    pub deposed: Vec<Driver>,
    /// Commits that may have changed rows.
    pub rows: Arc<AtomicU64>,
    /// Processes that died at an effect on the disk.
    pub killed: usize,
    random: fastrand::Rng,
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

/// Reloads one after the other, as `app::Reloader` does.
async fn reload_all(
    mut current: &'static Configuration,
    mut reloads: mpsc::UnboundedReceiver<&'static Configuration>,
    driver: Handle,
    sinks: Arc<RwLock<Arc<Sinks>>>,
) {
    while let Some(configuration) = reloads.recv().await {
        let before = std::mem::replace(&mut *sinks.write(), installation::sinks(configuration));
        if configuration.policy != current.policy {
            let input = Input::Configured { policy: Box::new(configuration.policy.clone()) };
            if driver.submit(input, None).await.is_err() {
                *sinks.write() = before;
                continue;
            }
        }
        current = configuration;
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let (store, reader) = SqliteStore::open_in_memory().unwrap();
        let Installation { configurations, starts_at } = installation::of(seed);
        let clock = Clock::manual(starts_at);
        Self {
            receivers: Receivers::new(fastrand::Rng::with_seed(seed ^ 0x5eed)),
            true_time: clock.now(),
            clock,
            reader,
            first: Some(store),
            disk: Disk::default(),
            daemon: None,
            life: 0,
            configurations,
            configuration: &configurations[0],
            inbox: VecDeque::new(),
            asked: Vec::new(),
            deposed: Vec::new(),
            killed: 0,
            rows: Arc::default(),
            random: fastrand::Rng::with_seed(seed ^ 0xdead),
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
        let store = Box::new(Fragile { store, disk: self.disk.clone(), rows: Arc::clone(&self.rows) });
        let (sender, outgoing) = mpsc::unbounded_channel();
        let policy = &self.configuration.policy;
        let (clock, metrics) = (self.clock.clone(), Arc::clone(&self.metrics));
        let started = Driver::start_with(mortal_step, store, clock, policy, sender, metrics, Retention::default());
        let Ok(driver) = started else {
            self.killed += usize::from(self.disk.take_killed());
            return false;
        };
        self.life += 1;
        self.receivers.begin_life(self.life, driver.clock());
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
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let outbox = runtime.spawn(outbox::run(context, outgoing, stopped, GRACE));
        let (reload, reloads) = mpsc::unbounded_channel();
        runtime.spawn(reload_all(self.configuration, reloads, handle, sinks));
        self.daemon = Some(Daemon { driver, queue, reload, stop, outbox, runtime });
        true
    }

    /// All clocks show the true time again, whatever ours was set to.
    pub fn agree_on_time(&mut self) {
        self.clock.set_by(self.true_time.since(self.clock.now()));
    }

    /// Kills the process where it stands.
    pub fn crash(&mut self) {
        drop(self.daemon.take());
        self.end_life();
    }

    /// Kills the process after it has handed over what it committed, and before anybody had an answer.
    pub fn crash_unheard(&mut self, rows: RowsNow) {
        self.collect_jobs();
        let jobs: Vec<Job> = self.inbox.drain(..).collect();
        let turns = self.random.usize(..12);
        if let Some(daemon) = &mut self.daemon {
            // However that ends, the process ends.
            let _ = daemon.driver.cycle(jobs, rows);
            daemon.pass_control(turns);
        }
        self.lose_answers();
        self.crash();
    }

    /// The first part of an orderly stop: from now on only what is due is still sent.
    pub fn begin_stop(&self) {
        if let Some(daemon) = &self.daemon {
            // It may have ended.
            let _ = daemon.stop.send(true);
        }
    }

    /// The outbox has stopped.
    pub fn is_drained(&self) -> bool {
        self.daemon.as_ref().is_none_or(|daemon| daemon.outbox.is_finished() && self.inbox.is_empty())
    }

    /// The last part of an orderly stop: the last rows are written.
    pub fn finish(&mut self) {
        if let Some(daemon) = &mut self.daemon {
            let finished = daemon.driver.finish();
            self.survive(finished);
        }
        self.crash();
    }

    fn end_life(&mut self) {
        self.disk.take_killed();
        self.inbox.clear();
        self.receivers.end_life();
        self.collect_answers();
    }

    /// What was answered and not heard yet is never heard.
    fn lose_answers(&mut self) {
        for asked in self.asked.iter_mut().filter(|asked| asked.answer == Answer::Waiting) {
            (asked.answer, asked.done) = (Answer::Lost, None);
        }
    }

    /// Lets tasks run: each time, everything that can go on does so up to its next await.
    pub fn pass_control(&self, times: usize) {
        if let Some(daemon) = &self.daemon {
            daemon.pass_control(times);
        }
    }

    /// Time goes on, for the clock on the wall and for timers.
    pub fn pass(&mut self, span: Span) {
        self.clock.advance(span);
        self.true_time = self.true_time + span;
        if let Some(daemon) = &self.daemon {
            daemon.runtime.block_on(tokio::time::advance(span.to_std()));
        }
    }

    /// What tasks have handed to the writer arrives there.
    pub fn collect_jobs(&mut self) {
        let Some(Daemon { queue, runtime, .. }) = &mut self.daemon else { return };
        let inbox = &mut self.inbox;
        runtime.block_on(async {
            loop {
                tokio::select! {
                    biased;
                    Some(job) = queue.recv() => inbox.push_back(job),
                    () = std::future::ready(()) => return,
                }
            }
        });
    }

    /// Steps up to `count` jobs; a fatal error ends the process.
    pub fn step(&mut self, count: usize, rows: RowsNow) {
        let count = count.min(self.inbox.len());
        let jobs: Vec<Job> = self.inbox.drain(..count).collect();
        let Some(daemon) = &mut self.daemon else { return };
        let stepped = daemon.driver.step(jobs, rows);
        self.survive(stepped);
    }

    /// Commits the oldest batch that was stepped.
    pub fn commit(&mut self) {
        let Some(daemon) = &mut self.daemon else { return };
        let committed = daemon.driver.commit();
        self.survive(committed);
    }

    /// Steps everything that waits, and commits it.
    pub fn cycle(&mut self, rows: RowsNow) {
        self.collect_jobs();
        self.step(usize::MAX, rows);
        while self.daemon.as_ref().is_some_and(|daemon| daemon.driver.stepped_count() > 0) {
            self.commit();
        }
    }

    fn survive(&mut self, result: Result<(), DriverError>) {
        if self.disk.take_killed() {
            self.killed += 1;
            self.lose_answers();
            self.crash();
        } else if result.is_err_and(|error| error.is_fatal()) {
            self.collect_answers();
            self.lose_writer();
        }
        self.collect_answers();
    }

    /// The writer ends by itself. Until the process does, the rest of it goes on for a moment.
    fn lose_writer(&mut self) {
        let turns = self.random.usize(..40);
        let Some(Daemon { driver, queue, reload, stop, outbox, runtime }) = self.daemon.take() else { return };
        drop((driver, queue));
        for _ in 0..turns {
            runtime.block_on(tokio::task::yield_now());
            if self.random.bool() {
                self.receivers.release();
            }
        }
        drop((reload, stop, outbox, runtime));
        self.end_life();
    }

    /// A webhook arrives; what can be read goes to the writer. False when nobody listens.
    pub fn post(&mut self, index: usize, post: &Post) -> bool {
        if self.daemon.is_none() {
            return false;
        }
        // As `http/ingest` does: the clock on the wall.
        let now = self.clock.now();
        let inbound =
            Inbound { source: post.source, content_type: "application/json", body: &post.body, received_at: now };
        let (done, answer) = oneshot::channel();
        let (job, what) = match self.sources[post.source].parse(&inbound) {
            Ok(parsed) => {
                let (input, is_poison) = match parsed {
                    Parsed::Events(events) | Parsed::Partly { events, .. } => {
                        let is_poison = events.iter().any(|event| event.name == POISON);
                        (Input::Events { events }, is_poison)
                    }
                    Parsed::Changes(changes) => (Input::Changes { changes }, false),
                };
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

    /// The operator writes another configuration and has it reloaded.
    pub fn reconfigure(&mut self, configuration: &'static Configuration) {
        self.configuration = configuration;
        if let Some(daemon) = &self.daemon {
            // It takes them as long as it lives.
            let _ = daemon.reload.send(configuration);
        }
    }

    /// Two processes write: a second one takes over while the first still lives, and goes on to.
    pub fn usurp(&mut self) {
        let Some(Daemon { driver, .. }) = self.daemon.take() else { return };
        self.end_life();
        // What becomes of the disk of the one is nothing to the other.
        self.disk.heal();
        self.disk = Disk::default();
        self.deposed.push(driver);
        self.start();
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
