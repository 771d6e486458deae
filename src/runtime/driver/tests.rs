//! The driver over a real store: what is answered, what is kept, and what happens when something fails.

mod clock;
mod clock_properties;
mod room;

use super::*;
use crate::engine::effect::Effect;
use crate::engine::step;
use crate::model::event::Event;
use crate::model::{Severity, Span, Timestamp};
use crate::runtime::inbox::{Handle, Receipt, SubmitError};
use crate::store::{Commit, JournalEntry};
use crate::store::{Horizon, PageQuery, Reader, SqliteReader, SqliteStore};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::oneshot;

fn event(name: &str, now: Timestamp) -> Event {
    serde_json::from_value(serde_json::json!({
        "id": format!("evt-{name}"), "at": now, "received_at": now, "source": "generic", "status": "firing",
        "name": name, "dedup_key": name, "severity": "critical", "configuration_item": name,
    }))
    .unwrap()
}

struct World {
    driver: Driver,
    reader: SqliteReader,
    clock: Clock,
    outgoing: mpsc::UnboundedReceiver<Outgoing>,
    is_failing: Arc<AtomicBool>,
}

/// A store whose commits can be made to fail.
struct Fragile {
    store: SqliteStore,
    is_failing: Arc<AtomicBool>,
}

impl Store for Fragile {
    fn acquire(&mut self) -> Result<u64, StoreError> {
        self.store.acquire()
    }
    fn load(&mut self) -> Result<crate::engine::state::Snapshot, StoreError> {
        self.store.load()
    }
    fn commit(&mut self, commit: &Commit) -> Result<Position, StoreError> {
        if self.is_failing.load(Ordering::SeqCst) {
            return Err(StoreError::Failed { operation: "write", source: "the disk is full".into() });
        }
        self.store.commit(commit)
    }
    fn journal(&mut self, after: Position, limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        self.store.journal(after, limit)
    }
    fn prune(&mut self, horizon: &Horizon, rows_max: u32) -> Result<u64, StoreError> {
        self.store.prune(horizon, rows_max)
    }
}

impl World {
    fn new() -> Self {
        let (store, reader) = SqliteStore::open_in_memory().unwrap();
        let clock = Clock::manual("2026-11-21T05:00:00Z".parse().unwrap());
        let is_failing = Arc::new(AtomicBool::new(false));
        let (sender, outgoing) = mpsc::unbounded_channel();
        let store = Box::new(Fragile { store, is_failing: Arc::clone(&is_failing) });
        let metrics = Arc::new(Metrics::new());
        let driver =
            Driver::start(store, clock.clone(), &Policy::default(), sender, metrics, Retention::default()).unwrap();
        Self { driver, reader, clock, outgoing, is_failing }
    }

    /// One cycle with an event of each name; what each was answered.
    fn cycle(&mut self, names: &[&str]) -> Vec<Result<Receipt, SubmitError>> {
        let mut answers = Vec::new();
        let mut jobs = Vec::new();
        for name in names {
            let (job, answer) = self.job(name);
            jobs.push(job);
            answers.push(answer);
        }
        let _ = self.driver.cycle(jobs, RowsNow::Yes);
        answers.into_iter().map(|mut answer| answer.try_recv().unwrap()).collect()
    }

    fn job(&self, name: &str) -> (Job, oneshot::Receiver<Result<Receipt, SubmitError>>) {
        let (done, answer) = oneshot::channel();
        let input = Input::Events { events: vec![event(name, self.clock.now())] };
        let payload = serde_json::to_vec(&input).unwrap();
        (Job::Input { input: Box::new(input), payload, source: Some("generic".into()), done }, answer)
    }

    fn names_in_journal(&self) -> Vec<String> {
        let rows = self.reader.journal(0, 1_000).unwrap();
        let inputs = rows.iter().map(|(.., payload)| serde_json::from_slice::<Input>(payload).unwrap());
        inputs
            .filter_map(|input| match input {
                Input::Events { events } => Some(events[0].name.clone()),
                _ => None,
            })
            .collect()
    }

    fn delivered(&mut self) -> usize {
        std::iter::from_fn(|| self.outgoing.try_recv().ok()).count()
    }
}

#[test]
fn what_is_answered_is_in_the_journal_with_its_consequences() {
    let mut world = World::new();
    let answers = world.cycle(&["a", "b"]);
    let positions: Vec<u64> = answers.into_iter().map(|answer| answer.unwrap().position).collect();
    assert_eq!(positions[1], positions[0] + 1);
    assert_eq!(world.names_in_journal(), ["a", "b"]);
    assert_eq!(world.reader.incidents(&Default::default()).unwrap().items.len(), 2);
    assert_eq!(world.delivered(), 0, "the group wait is not over");
    world.clock.advance(Span::from_secs(6));
    world.cycle(&[]);
    assert_eq!(world.delivered(), 2);
    assert_eq!(world.reader.deliveries(&Default::default()).unwrap().items.len(), 2);
}

#[test]
fn a_failed_commit_acknowledges_nothing_and_leaves_no_trace() {
    let mut world = World::new();
    world.is_failing.store(true, Ordering::SeqCst);
    let answers = world.cycle(&["a"]);
    assert!(matches!(&answers[0], Err(SubmitError::Unavailable(why)) if why.contains("disk is full")), "{answers:?}");
    assert!(world.names_in_journal().is_empty());
    world.is_failing.store(false, Ordering::SeqCst);
    assert!(world.cycle(&["b"])[0].is_ok());
    assert_eq!(world.names_in_journal(), ["b"]);
    assert_eq!(world.reader.incidents(&Default::default()).unwrap().items.len(), 1, "`a` left nothing in memory");
    world.clock.advance(Span::from_secs(6));
    world.is_failing.store(true, Ordering::SeqCst);
    world.cycle(&[]);
    assert_eq!(world.delivered(), 0, "nothing goes out before its commit");
}

#[tokio::test]
async fn a_look_sees_what_was_stepped_before_it_and_is_answered_once_that_is_durable() {
    let mut world = World::new();
    let (handle, mut queue) = Handle::channel(4);
    let look = |handle: &Handle| {
        let handle = handle.clone();
        tokio::spawn(async move { handle.look(|state| state.alerts().count()).await })
    };
    for (name, is_failing) in [("a", true), ("b", false)] {
        let found = look(&handle);
        let jobs = vec![world.job(name).0, queue.recv().await.unwrap()];
        world.is_failing.store(is_failing, Ordering::SeqCst);
        let _ = world.driver.cycle(jobs, RowsNow::Later);
        match found.await.unwrap() {
            Err(SubmitError::Unavailable(_)) => assert!(is_failing),
            found => assert_eq!((found, is_failing), (Ok(1), false), "`a` is not there"),
        }
    }
    let dead = tokio::spawn({
        let handle = handle.clone();
        async move { handle.look(|_| panic!("a look that panics")).await.map(|(): ()| ()) }
    });
    let job = queue.recv().await.unwrap();
    world.driver.cycle(vec![job], RowsNow::Later).unwrap();
    assert!(matches!(dead.await.unwrap(), Err(SubmitError::Unavailable(_))));
    assert!(world.cycle(&["c"])[0].is_ok(), "nobody else has a part in it");
}

fn fails_on_poison(state: &mut State, now: Timestamp, input: Input) -> Vec<Effect> {
    if let Input::Events { events } = &input {
        // Half done, then dead: what it leaves in the state must not survive.
        let _ = step(state, now, Input::Events { events: events.clone() });
        assert!(events[0].name != "poison", "poison");
        return Vec::new();
    }
    step(state, now, input)
}

#[test]
fn an_input_the_engine_fails_on_is_set_aside_and_reported_and_the_others_go_through() {
    let mut world = World::new();
    world.driver.stepper.step = fails_on_poison;
    let answers = world.cycle(&["a", "poison", "b"]);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(world.names_in_journal(), ["a", "b"]);
    let quarantined = world.reader.quarantine(&PageQuery::default()).unwrap().items;
    assert_eq!(quarantined.len(), 1);
    assert!(String::from_utf8_lossy(&quarantined[0].body).contains("poison"));
    let titles: Vec<String> =
        world.reader.incidents(&Default::default()).unwrap().items.into_iter().map(|incident| incident.title).collect();
    assert!(titles.iter().any(|title| title.contains("quarantined")), "{titles:?}");
    assert!(!titles.iter().any(|title| title.starts_with("poison")), "{titles:?}");
    // It is never tried again: the next start has nothing to fail on.
    assert!(world.cycle(&["c"])[0].is_ok());
}

#[test]
fn a_second_writer_makes_the_first_one_stale() {
    let mut world = World::new();
    let mut other = world.reader.writer().unwrap();
    other.acquire().unwrap();
    assert!(world.cycle(&["a"])[0].is_err());
    assert!(world.names_in_journal().is_empty());
}

#[test]
fn a_restart_goes_on_with_what_was_pending_and_doubts_it() {
    let mut world = World::new();
    world.cycle(&["a"]);
    world.clock.advance(Span::from_secs(6));
    world.cycle(&[]);
    let (sender, mut outgoing) = mpsc::unbounded_channel();
    let store = Box::new(world.reader.writer().unwrap());
    let metrics = Arc::new(Metrics::new());
    let policy = Policy::default();
    let driver = Driver::start(store, world.clock.clone(), &policy, sender, metrics, Retention::default()).unwrap();
    let Ok(Outgoing::Deliver(delivery)) = outgoing.try_recv() else { panic!("nothing is pending") };
    assert!(delivery.progress.is_ambiguous);
    assert_eq!(driver.state().alerts().next().unwrap().severity, Severity::Critical);
    assert_eq!(driver.state().alerts().next().unwrap().status, crate::model::AlertStatus::Firing);
}
