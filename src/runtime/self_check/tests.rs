//! The way of a probe through the real parts: HTTP's ingest, the driver over a store, the outbox. What
//! hangs is a part that does not run yet, so nothing here waits for real.

use super::*;
use crate::engine::policy::Policy;
use crate::http::{self, App, Setup, SourceInstance, Status};
use crate::runtime::deliver::Outbound;
use crate::runtime::driver::{Driver, Outgoing};
use crate::runtime::inbox::{Handle, Queue};
use crate::runtime::outbox::{self, Sinks};
use crate::store::{Commit, Horizon, JournalEntry, Position, Reader, SqliteReader, SqliteStore, Store, StoreError};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;

/// A store that refuses while it is told to.
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

/// A daemon in parts, none of which runs yet.
struct World {
    clock: Clock,
    check: Arc<SelfCheck>,
    door: Door,
    app: Arc<App>,
    reader: SqliteReader,
    metrics: Arc<Metrics>,
    is_failing: Arc<AtomicBool>,
    driver: Option<(Driver, Queue)>,
    outbox: Option<(outbox::Context, mpsc::UnboundedReceiver<Outgoing>)>,
}

impl World {
    fn new() -> Self {
        let clock = Clock::manual("2026-11-21T05:00:00Z".parse().unwrap());
        let metrics = Arc::new(Metrics::new());
        let check = SelfCheck::new(&SelfCheckSettings::default(), clock.clone(), Arc::clone(&metrics));
        let (store, reader) = SqliteStore::open_in_memory().unwrap();
        let is_failing = Arc::new(AtomicBool::new(false));
        let store = Box::new(Fragile { store, is_failing: Arc::clone(&is_failing) });
        let (handle, queue) = Handle::channel(16);
        let (outgoing, committed) = mpsc::unbounded_channel();
        let (policy, retention) = (Policy::default(), Default::default());
        let driver = Driver::start(store, clock.clone(), &policy, outgoing, Arc::clone(&metrics), retention).unwrap();
        let sinks = Sinks::from([(crate::engine::self_check::SINK.to_owned(), Arc::new(sink(&check)))]);
        let context = outbox::Context {
            driver: handle.clone(),
            clock: driver.clock(),
            outbound: Arc::new(Outbound::new().unwrap()),
            metrics: Arc::clone(&metrics),
            sinks: Arc::new(RwLock::new(Arc::new(sinks))),
        };
        let (reload, _) = mpsc::channel(1);
        let app = App::new(Setup {
            listen: ([127, 0, 0, 1], 9494).into(),
            sources: BTreeMap::new(),
            tokens: Vec::new(),
            limits: http::Limits::default(),
            clock: clock.clone(),
            driver: handle,
            reader: Arc::new(reader.clone()),
            metrics: Arc::clone(&metrics),
            status: Arc::new(Status::default()),
            facade: Default::default(),
            reload,
        });
        let door = app.probe_door(instance(&check));
        let (driver, outbox) = (Some((driver, queue)), Some((context, committed)));
        Self { clock, check, door, app, reader, metrics, is_failing, driver, outbox }
    }

    fn run_driver(&mut self) {
        let (driver, queue) = self.driver.take().unwrap();
        tokio::spawn(driver.run(queue));
    }

    fn run_outbox(&mut self) {
        let (context, committed) = self.outbox.take().unwrap();
        let (stop, stopping) = watch::channel(false);
        tokio::spawn(async move {
            outbox::run(context, committed, stopping, Duration::from_secs(1)).await;
            drop(stop);
        });
    }

    fn running() -> Self {
        let mut world = Self::new();
        world.run_driver();
        world.run_outbox();
        world
    }

    /// A trip, and the rest of its interval.
    async fn minute(&self) {
        self.check.trip(&self.door).await;
        self.clock.advance(Span::from_mins(1));
    }

    fn reason(&self) -> String {
        self.check.trouble().map(|trouble| trouble.reason).unwrap_or_default()
    }
}

fn instance(check: &Arc<SelfCheck>) -> SourceInstance {
    SourceInstance {
        kind: &SOURCE,
        source: Box::new(ProbeSource::new(Arc::clone(check)).unwrap()),
        auth: http::Auth::None,
        client_certificate: None,
        body_bytes_max: 4_096,
        events_per_second: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_goes_all_the_way_and_leaves_nothing_that_people_see() {
    let world = World::running();
    let before = world.reader.position().unwrap();
    for _ in 0..5 {
        world.minute().await;
        assert!(world.check.is_passing() && world.check.trouble().is_none());
    }
    assert_eq!(world.metrics.self_check_seconds.get_sample_count(), 5);
    assert_eq!(world.reader.incidents(&Default::default()).unwrap().items, []);
    assert_eq!(world.reader.alerts(&Default::default()).unwrap().items, []);
    assert_eq!(world.reader.deliveries(&Default::default()).unwrap().items, []);
    // The last answer is perhaps not written yet; before it two rows each, and a start.
    let rows = world.reader.journal(before, 100).unwrap();
    assert!((9..=10).contains(&rows.len()), "{rows:#?}");
    assert!(
        rows.iter().all(|(_, _, kind, payload)| ["events", "sent"].contains(&kind.as_str()) && payload.len() < 512)
    );
    let snapshot = world.reader.writer().unwrap().load().unwrap();
    assert!(!snapshot.facts.iter().any(|(kind, ..)| kind == "family"), "it counts in no statistics");
    assert!(snapshot.alerts.is_empty() && snapshot.deliveries.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_hangs_is_named_and_recovers() {
    let mut world = World::new();
    world.run_outbox();
    for _ in 0..3 {
        world.minute().await;
        assert!(!world.check.is_passing() && world.check.trouble().is_none());
    }
    world.minute().await;
    insta::assert_snapshot!(world.reason(), @"no probe has come through for 4m: it hangs in commit");
    assert!(world.check.trouble().unwrap().is_hanging);
    assert_eq!(world.metrics.self_check_failures.with_label_values(&["commit"]).get(), 4);
    world.run_driver();
    world.minute().await;
    assert!(world.check.is_passing() && world.check.trouble().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_is_named_and_recovers() {
    let world = World::running();
    world.minute().await;
    world.is_failing.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        world.minute().await;
        assert!(!world.check.is_passing());
    }
    insta::assert_snapshot!(world.reason(), @"no probe has come through for 4m: commit refuses it, the store takes no writes at present; nothing of this request was taken");
    assert!(!world.check.trouble().unwrap().is_hanging, "a restart would not help");
    world.is_failing.store(false, Ordering::SeqCst);
    world.minute().await;
    assert!(world.check.is_passing() && world.check.trouble().is_none());
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_hangs_is_named_and_recovers() {
    let mut world = World::new();
    world.run_driver();
    for _ in 0..4 {
        world.minute().await;
    }
    insta::assert_snapshot!(world.reason(), @"no probe has come through for 4m: it hangs in outbox");
    world.run_outbox();
    world.minute().await;
    assert!(world.check.is_passing());
    assert_eq!(world.metrics.self_check_seconds.get_sample_count(), 1, "late probes are no success");
}

#[tokio::test(start_paused = true)]
async fn an_earlier_probe_is_no_answer_to_a_later_one() {
    let world = World::running();
    world.minute().await;
    let door: Door = Box::new(|_| Box::pin(async { Ok(()) }));
    world.check.trip(&door).await;
    assert!(!world.check.is_passing());
    assert_eq!(world.metrics.self_check_failures.with_label_values(&["outbox"]).get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_told_to_come_later_does() {
    let world = World::running();
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let (app, instance) = (Arc::clone(&world.app), instance(&world.check));
    let (through, count) = (Arc::new(app.probe_door(instance)), Arc::clone(&asked));
    let door: Door = Box::new(move |body| {
        let is_busy = count.fetch_add(1, Ordering::SeqCst) < 3;
        let through = Arc::clone(&through);
        Box::pin(async move { if is_busy { Err(Refusal::Busy) } else { through(body).await } })
    });
    world.check.trip(&door).await;
    assert_eq!(asked.load(Ordering::SeqCst), 4);
    assert!(world.check.is_passing());
}

/// Neither the kind nor the name of the probes' source leads anywhere from outside.
#[tokio::test(start_paused = true)]
async fn nobody_else_can_post_a_probe() {
    use tower::ServiceExt;
    let world = World::running();
    let router = http::router(Arc::clone(&world.app));
    for path in ["/in/self_check", "/in/self_check/watchbell", "/in/generic/watchbell", "/in/watchbell"] {
        let body = r#"{"id":"7","status":"firing","name":"x","dedup_key":"self-check"}"#;
        let request = ::http::Request::post(path).header("content-type", "application/json");
        let request = request.body(axum::body::Body::from(body)).unwrap();
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), 404, "{path}");
    }
}

/// The same body from a source of another name is an alert like any other.
#[test]
fn a_body_that_looks_like_a_probe_is_an_alert() {
    use crate::engine::{input::Input, state::State, step};
    let source = (sources::find("generic").unwrap().build)(&Table::new()).unwrap();
    let body = br#"{"id":"7","status":"firing","name":"x","dedup_key":"self-check","source":"watchbell"}"#;
    let received_at = "2026-11-21T05:00:00Z".parse().unwrap();
    let inbound = Inbound { source: "script", content_type: "application/json", body, received_at };
    let events = source.parse(&inbound).unwrap().into_events();
    let mut state = State::restore(Default::default()).unwrap();
    step(&mut state, received_at, Input::Events { events });
    assert_eq!((state.alerts().count(), state.incidents().count()), (1, 1));
}
