//! Where the time of one alert goes, stage by stage and without HTTP: parse, journal payload, engine step,
//! commit. CPU time of the thread, so that other work on the machine does not count.
//!
//! ```sh
//! cargo bench --bench stages                    # 64 alerts a request, up to 100,000 active ones
//! cargo bench --bench stages -- 1000 1000000    # alerts a request, alerts in all
//! ```

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use watchbell::engine::effect::Effect;
use watchbell::engine::input::Input;
use watchbell::engine::state::{Snapshot, State};
use watchbell::engine::{policy, step};
use watchbell::model::{TimelineEntry, Timestamp};
use watchbell::sources::{Inbound, SourceSpec, find};
use watchbell::store::{Commit, JournalRow, Rows, SqliteStore, Store};

/// As the daemon has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: i64 = 1_795_237_200_000;
/// Requests in one commit, as under load.
const REQUESTS_PER_COMMIT: usize = 8;

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// As Prometheus posts it, of about 500 bytes.
fn body(first: usize, count: usize, sites: usize) -> Vec<u8> {
    let mut text = "[".to_owned();
    for number in first..first + count {
        let comma = if number == first { "" } else { "," };
        let site = number % sites;
        let _ = write!(
            text,
            r#"{comma}{{"labels":{{"alertname":"LinkDown","instance":"node-{number}.example.net","job":"lg","severity":"critical","site":"site-{site}","number":"{number}"}},"annotations":{{"summary":"Link down on node-{number}","description":"Interface eth0 of node-{number} lost carrier; the upstream router of site-{site} reports no neighbour on that port."}},"startsAt":"2026-11-21T05:00:00.123Z","generatorURL":"http://prometheus.example.net/graph?g0.expr=up"}}"#
        );
    }
    text.push(']');
    text.into_bytes()
}

#[derive(Default)]
struct Spent {
    parse: Duration,
    payload: Duration,
    engine: Duration,
    rows: Duration,
    commit: Duration,
}

struct World {
    state: State,
    store: SqliteStore,
    timeline: Vec<TimelineEntry>,
}

impl World {
    fn new(path: &Path, naming: policy::Naming) -> Self {
        let (mut store, _) = SqliteStore::open(path).expect("a new store");
        store.acquire().expect("nobody else has it");
        let mut state = State::restore(Snapshot::default()).expect("an empty state");
        let policy = policy::Policy { naming, ..policy::Policy::default() };
        step(&mut state, Timestamp::from_millis(NOW), Input::Configured { policy: Box::new(policy) });
        Self { state, store, timeline: Vec::new() }
    }

    /// Requests that go into one commit.
    fn take(&mut self, spec: &SourceSpec, bodies: &[Vec<u8>], at: Timestamp, spent: &mut Spent) {
        let source = (spec.build)(&Default::default()).expect("no key is required");
        let mut commit = Commit::default();
        for body in bodies {
            let began = cpu();
            let inbound = Inbound { source: "prometheus", content_type: "application/json", body, received_at: at };
            let events = source.parse(&inbound).expect("a body that fits").into_events();
            let parsed = cpu();
            let input = Input::Events { events };
            let payload = serde_json::to_vec(&input).expect("JSON");
            let made = cpu();
            commit.journal.push(JournalRow { at, kind: input.kind(), source: None, payload });
            for effect in step(&mut self.state, at, input) {
                if let Effect::Timeline(entry) = effect {
                    self.timeline.push(entry);
                }
            }
            let stepped = cpu();
            spent.parse += parsed - began;
            spent.payload += made - parsed;
            spent.engine += stepped - made;
        }
        let began = cpu();
        let timeline = std::mem::take(&mut self.timeline);
        commit.rows = Some(Rows { changes: self.state.take_changes(), timeline });
        let taken = cpu();
        self.store.commit(&commit).expect("the disk takes it");
        drop(commit);
        spent.rows += taken - began;
        spent.commit += cpu() - taken;
    }
}

fn measure(what: &str, naming: policy::Naming, sites: usize, batch: usize, all: usize) {
    println!("{what}, {batch} a request; µs of CPU for each alert");
    println!(
        "{:>10} {:>7} {:>8} {:>7} {:>7} {:>7} {:>7}",
        "active", "parse", "payload", "engine", "changes", "commit", "sum"
    );
    let spec = find("prometheus").expect("it is registered");
    let folder = tempfile::tempdir().expect("a folder");
    let mut world = World::new(&folder.path().join("watchbell.db"), naming);
    let (mut active, mut next) = (0, 1_000);
    while active < all {
        let mut spent = Spent::default();
        let first = active;
        while active < next.min(all) {
            let bodies: Vec<Vec<u8>> =
                (0..REQUESTS_PER_COMMIT).map(|request| body(active + request * batch, batch, sites)).collect();
            let at = Timestamp::from_millis(NOW + active as i64 / 50);
            world.take(spec, &bodies, at, &mut spent);
            active += REQUESTS_PER_COMMIT * batch;
        }
        let each = |time: Duration| time.as_secs_f64() * 1e6 / (active - first) as f64;
        let Spent { parse, payload, engine, rows, commit } = spent;
        let sum = parse + payload + engine + rows + commit;
        let columns = [parse, payload, engine, rows, commit, sum].map(each);
        let [parse, payload, engine, rows, commit, sum] = columns;
        println!("{active:>10} {parse:>7.1} {payload:>8.1} {engine:>7.1} {rows:>7.1} {commit:>7.1} {sum:>7.1}");
        next *= 10;
    }
}

fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let batch = numbers.first().copied().unwrap_or(64);
    let all = numbers.get(1).copied().unwrap_or(100_000);
    measure("alerts that have nothing to do with each other", policy::Naming::default(), 10, batch, all);
    let by_site = policy::Naming { runs_on_labels: vec!["site".to_owned()], ..policy::Naming::default() };
    measure("alerts of one site", by_site, 1, batch, all);
}
