//! What one alert costs in the engine when very many come for a long time: 100,000 a minute for ten minutes of the
//! engine's clock, from 20,000 items in 200 sites of which a tenth is in trouble at any time. A condition fires, is
//! repeated after a minute and is over after two to five. Each alert is a step of its own, which is the dearest way, and
//! a tick that has become due counts to the alert after it. Deliveries arrive at once.
//!
//! ```sh
//! cargo bench --bench engine                      # 100,000 a minute, 10 minutes
//! cargo bench --bench engine -- 20000 3
//! ```

use std::collections::BTreeMap;

use watchbell::clock::Stopwatch;
use watchbell::engine::effect::Effect;
use watchbell::engine::input::{Input, SendResult};
use watchbell::engine::policy::Policy;
use watchbell::engine::state::State;
use watchbell::engine::{next_deadline, step};
use watchbell::model::event::{Event, EventStatus};
use watchbell::model::topology::{ConfigurationItem, Edge, EdgeKind, TopologyFile};
use watchbell::model::{IncidentState, Labels, Severity, Timestamp};

/// As the daemon has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SITES: u64 = 200;
const ITEMS_OF_SITE: u64 = 100;
/// Sites in trouble at a time, and for how long, ms.
const TROUBLED: u64 = 20;
const TROUBLE_LASTS: i64 = 30_000;
const NAMES: [&str; 8] = [
    "HostDown",
    "ServiceLatencyHigh",
    "HighErrorRate",
    "DiskAlmostFull",
    "CpuSaturated",
    "PacketLoss",
    "RequestRateLow",
    "LogErrors",
];
const BEGAN: i64 = 1_795_237_200_000;

fn item(site: u64, number: u64) -> String {
    if number == 0 { format!("gateway-{site}") } else { format!("srv-{number}.site-{site}.example.net") }
}

/// Everything in a site depends on its gateway.
fn estate() -> TopologyFile {
    let all = || (0..SITES).flat_map(|site| (0..ITEMS_OF_SITE).map(move |number| (site, number)));
    let node = |(site, number)| ConfigurationItem { id: item(site, number), ..ConfigurationItem::default() };
    let behind = all().filter(|(_, number)| *number > 0);
    let edge = |(site, number)| Edge { from: item(site, number), to: item(site, 0), kind: EdgeKind::DependsOn };
    TopologyFile { nodes: all().map(node).collect(), edges: behind.map(edge).collect() }
}

/// A condition by its number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Condition {
    site: u64,
    number: u64,
    name: usize,
}

impl Condition {
    fn event(self, at: Timestamp, serial: u64, status: EventStatus) -> Event {
        let severity = [Severity::Critical, Severity::Warning, Severity::Major, Severity::Warning][self.name % 4];
        let node = item(self.site, self.number);
        let site = self.site.to_string();
        let labels: Labels = [("site", site.as_str()), ("job", "node"), ("team", "platform")].into_iter().collect();
        Event {
            id: format!("event-{serial:016}"),
            at,
            received_at: at,
            source: "prometheus".to_owned(),
            status,
            name: NAMES[self.name].to_owned(),
            dedup_key: format!("{}/{node}", NAMES[self.name]),
            severity,
            configuration_item: Some(node),
            service: None,
            labels,
            annotations: [("summary", "value 17.3 is above its limit")].into_iter().collect(),
            url: None,
            expires_at: None,
            is_end_assumed: false,
            started_at: None,
            aliases: Vec::new(),
            parents: Vec::new(),
            marker: None,
            author: None,
            note: None,
            extra: Default::default(),
        }
    }
}

struct Load {
    random: u64,
    /// What is to be told again, or is over, by its time.
    due: BTreeMap<(i64, u64), (Condition, EventStatus)>,
    active: std::collections::BTreeSet<Condition>,
    serial: u64,
}

impl Load {
    fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) % below
    }

    fn next(&mut self, at: Timestamp) -> Event {
        self.serial += 1;
        let passed = at.as_millis() - BEGAN;
        if let Some(entry) = self.due.first_entry().filter(|entry| entry.key().0 <= passed) {
            let (condition, status) = entry.remove();
            if status == EventStatus::Resolved {
                self.active.remove(&condition);
            }
            return condition.event(at, self.serial, status);
        }
        let condition = self.fresh(passed);
        if self.active.insert(condition) {
            let lasts = 120_000 + self.random(180_000) as i64;
            self.due.insert((passed + 60_000, self.serial), (condition, EventStatus::Firing));
            self.due.insert((passed + lasts, self.serial), (condition, EventStatus::Resolved));
        }
        condition.event(at, self.serial, EventStatus::Firing)
    }

    /// Nine in ten where there is trouble.
    fn fresh(&mut self, passed: i64) -> Condition {
        let era = (passed / TROUBLE_LASTS) as u64;
        let site =
            if self.random(10) > 0 { (era * 37 + self.random(TROUBLED) * 11) % SITES } else { self.random(SITES) };
        Condition { site, number: self.random(ITEMS_OF_SITE), name: self.random(NAMES.len() as u64) as usize }
    }
}

/// One input and what follows from it; returns how often an open incident was written.
fn drive(state: &mut State, now: Timestamp, input: Input) -> usize {
    let mut inputs = vec![input];
    let mut written = 0;
    while let Some(input) = inputs.pop() {
        for effect in step(state, now, input) {
            if let Effect::Deliver(delivery) = effect {
                let result = SendResult::Delivered { proof: "bench".to_owned(), remote: None };
                inputs.push(Input::Sent { delivery: delivery.id, result });
            }
        }
        let changes = state.take_changes();
        written += changes.incidents.iter().filter(|(one, _)| one.state == IncidentState::Open).count();
    }
    written
}

fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

fn main() {
    let numbers: Vec<i64> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let a_minute = numbers.first().copied().unwrap_or(100_000).max(1);
    let minutes = numbers.get(1).copied().unwrap_or(10).max(1);
    let mut state = State::default();
    let policy = Policy { topology: estate(), ..Policy::default() };
    drive(&mut state, Timestamp::from_millis(BEGAN), Input::Configured { policy: Box::new(policy) });
    let mut load = Load { random: 88_172_645_463_325_252, due: BTreeMap::new(), active: Default::default(), serial: 0 };
    let before = peak_mib();
    let total = a_minute * minutes;
    let mut took: Vec<u32> = Vec::with_capacity(total as usize);
    let (mut most_active, mut ticks, mut opened) = (0, 0_u64, 0);
    let began = Stopwatch::start();
    for number in 0..total {
        let now = Timestamp::from_millis(BEGAN + number * 60_000 / a_minute);
        let event = load.next(now);
        let at = Stopwatch::start();
        while let Some(due) = next_deadline(&state).filter(|due| *due <= now) {
            ticks += 1;
            opened += drive(&mut state, due, Input::Tick);
        }
        opened += drive(&mut state, now, Input::Events { events: vec![event] });
        took.push(u32::try_from(at.elapsed().as_nanos()).unwrap_or(u32::MAX));
        most_active = most_active.max(load.active.len());
    }
    let all = began.elapsed();
    took.sort_unstable();
    let percentile = |share: f64| f64::from(took[((took.len() - 1) as f64 * share) as usize]) / 1e6;
    println!("{total} alerts in {minutes} min of the engine's clock, {most_active} active at most, {ticks} ticks");
    println!("rows of open incidents written: {opened}");
    println!(
        "{:.1} s, {:.1} µs each; p50 {:.3} ms, p99 {:.3} ms, p99.9 {:.3} ms, worst {:.1} ms",
        all.as_secs_f64(),
        all.as_secs_f64() * 1e6 / total as f64,
        percentile(0.5),
        percentile(0.99),
        percentile(0.999),
        percentile(1.0)
    );
    println!("resident at most {} MiB, of which {before} before the first alert", peak_mib());
}
