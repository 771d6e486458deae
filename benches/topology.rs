//! What a large topology costs: to take in, to build the graph of, and to ask it something. CPU time of the
//! thread, so that other work on the machine does not count. The estate has one hub that a fifth of all items
//! depend on, and items that each depend on a few others.
//!
//! ```sh
//! cargo bench --bench topology                    # 100,000 items, 500,000 dependencies
//! cargo bench --bench topology -- 10000 50000
//! ```

use std::hint::black_box;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use watchbell::engine::input::{Command, Input, Principal, Role};
use watchbell::engine::state::{Snapshot, State};
use watchbell::engine::step;
use watchbell::engine::topology::Topology;
use watchbell::model::Timestamp;
use watchbell::model::topology::{ConfigurationItem, Edge, EdgeKind, TopologyFile};

/// As the daemon has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const HUB: &str = "dns.example.net";
const HOPS_MAX: u8 = 3;
/// Questions of one kind; the figure is their mean.
const QUESTIONS: usize = 2_000;

fn cpu() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let before = cpu();
    let result = work();
    println!("{what:<44} {:>9.1} ms", (cpu() - before).as_secs_f64() * 1_000.0);
    result
}

fn name(number: usize) -> String {
    // Not in the order of the numbers, as little as real names are.
    format!("srv-{:05x}.rack{}.example.net", number.wrapping_mul(0x9e37_79b1) & 0xf_ffff, number % 97)
}

fn estate(items: usize, dependencies: usize) -> TopologyFile {
    let item = |number| ConfigurationItem {
        id: name(number),
        kind: Some("server".to_owned()),
        service: Some(format!("service-{}", number % 400)),
        tier: Some(1 + (number % 5) as u8),
        aliases: vec![format!("10.{}.{}.{}", number >> 16, (number >> 8) & 255, number & 255)],
        ..ConfigurationItem::default()
    };
    let edge = |from: usize, to: String| Edge { from: name(from), to, kind: EdgeKind::DependsOn };
    let mut edges: Vec<Edge> = (0..items).step_by(5).map(|from| edge(from, HUB.to_owned())).collect();
    // Towards smaller numbers, as applications stand on fewer and fewer things below them.
    let mut random = 88_172_645_463_325_252_u64;
    while edges.len() < dependencies {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let from = 1 + random as usize % (items - 1);
        edges.push(edge(from, name((random >> 32) as usize % from)));
    }
    TopologyFile { nodes: (0..items).map(item).collect(), edges }
}

fn ask(what: &str, names: &[String], question: impl Fn(&str) -> usize) {
    let before = cpu();
    let found: usize = (0..QUESTIONS).map(|at| black_box(question(&names[at % names.len()]))).sum();
    let each = (cpu() - before).as_secs_f64() * 1e6 / QUESTIONS as f64;
    println!("{what:<44} {each:>9.1} µs   {:.1} found", found as f64 / QUESTIONS as f64);
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    let items = numbers.first().copied().unwrap_or(100_000).max(2);
    let dependencies = numbers.get(1).copied().unwrap_or(items * 5);
    let file = estate(items, dependencies);
    let json = serde_json::to_string(&file).expect("a topology is JSON");
    println!("{items} items, {dependencies} dependencies, {:.1} MiB of JSON\n", json.len() as f64 / 1_048_576.0);

    let read: TopologyFile = timed("read the JSON", || serde_json::from_str(&json).expect("it was written so"));
    timed("check it", || read.check()).expect("it is sound");
    let tidied = timed("put it in order", || read.tidied());
    let topology = timed("build the graph", || Topology::of(&file));
    println!("  {} items, {} dependencies in the graph", topology.node_count(), topology.edge_count());

    let mut state = State::restore(Snapshot::default()).expect("nothing is a state");
    let put = |topology: &TopologyFile| {
        let by = Principal { name: "bench".to_owned(), role: Role::Admin };
        let topology = Box::new(topology.clone());
        Input::Command { by, command: Command::PutTopology { origin: "cmdb".to_owned(), topology } }
    };
    let now = Timestamp::from_millis(1_795_237_200_000);
    let (first, again) = (put(&tidied), put(&tidied));
    timed("the engine's step for all of it", || step(&mut state, now, first));
    timed("the same once more", || step(&mut state, now, again));
    let rows = state.take_changes();
    println!("  {} facts for the store\n", rows.facts.len());

    let ordinary: Vec<String> = (0..items).step_by(items / 500 + 1).map(name).collect();
    let hub = [HUB.to_owned()];
    ask("upstream, ordinary items", &ordinary, |name| topology.upstream(name, HOPS_MAX).len());
    ask("downstream, ordinary items", &ordinary, |name| topology.downstream(name, HOPS_MAX).len());
    ask("nearby, ordinary items", &ordinary, |name| topology.nearby(name, HOPS_MAX).len());
    ask("upstream, the hub", &hub, |name| topology.upstream(name, HOPS_MAX).len());
    ask("downstream, the hub", &hub, |name| topology.downstream(name, HOPS_MAX).len());
    ask("nearby, the hub", &hub, |name| topology.nearby(name, HOPS_MAX).len());
}
