//! Whom a fault reaches: from the root to those who depend on it, weaker and later with every hop, and
//! the silence of those whom a failing caller no longer asks. Goes only where the true edges lead; decides
//! nothing about alerts.

use std::collections::{BTreeMap, BinaryHeap};

use super::faults::{FaultKind, Mode};
use super::plan::Failure;
use super::random::Random;
use super::world::{EdgeKind, NodeKind, World};

/// What is hit less than this shows to chronic nodes only, in thousandths.
pub const FELT: i64 = 120;
/// Below this nobody feels anything.
const NOTHING: i64 = 15;
/// Calls that a fault travels up, at most.
const HOPS_MAX: u32 = 6;

/// What the fault does to one node.
#[derive(Clone, Copy, Debug)]
pub struct Effect {
    pub node: usize,
    pub mode: Mode,
    /// Thousandths.
    pub strength: i64,
    pub at_ms: i64,
    /// The dependency that brought it; none at the root.
    pub via: Option<usize>,
    pub hops: u32,
}

/// All that the failure reaches, the root first, then by node.
pub fn effects(world: &World, failure: &Failure, random: &mut Random) -> Vec<Effect> {
    let mode = match failure.kind {
        FaultKind::ConfigError | FaultKind::ExternalOutage if random.chance(40) => Mode::Slow,
        kind => kind.mode(),
    };
    let (low, high) = failure.kind.strength();
    let (soonest, latest) = failure.kind.onset_s();
    let root = Effect {
        node: failure.root,
        mode,
        strength: random.between(low, high),
        at_ms: failure.begins_ms + random.between(soonest * 1_000, latest * 1_000),
        via: None,
        hops: 0,
    };
    let mut reached = BTreeMap::from([(root.node, root)]);
    up_the_machines(world, failure.kind, root, &mut reached, random);
    from_pods_to_services(world, &mut reached, random);
    up_the_calls(world, &mut reached, random);
    down_to_the_idle(world, failure.kind, &mut reached, random);
    reached.remove(&root.node);
    std::iter::once(root).chain(reached.into_values()).collect()
}

type Reached = BTreeMap<usize, Effect>;

/// From a switch to its hosts, from a host to what runs on it: in full, as soon as it is noticed.
fn up_the_machines(world: &World, kind: FaultKind, root: Effect, reached: &mut Reached, random: &mut Random) {
    let mut next = vec![root];
    while let Some(below) = next.pop() {
        let is_machine = matches!(world.nodes[below.node].kind, NodeKind::Switch | NodeKind::Host);
        for edge in world.dependants(below.node).filter(|_| is_machine) {
            let is_database = world.nodes[edge.from].kind == NodeKind::Database;
            let is_spared = match kind {
                FaultKind::DiskFull => !is_database,
                FaultKind::CpuSaturation | FaultKind::NetworkLoss => random.chance(25),
                _ => false,
            };
            if is_spared || reached.contains_key(&edge.from) {
                continue;
            }
            let mode = match (kind, below.mode) {
                (FaultKind::NetworkLoss, _) if random.chance(35) => Mode::Errors,
                (_, mode) => mode,
            };
            let strength = match below.mode {
                Mode::Down => below.strength,
                _ => below.strength * random.between(700, 1_000) / 1_000,
            };
            let at_ms = below.at_ms + random.between(0, 8_000);
            let hops = below.hops + 1;
            let effect = Effect { node: edge.from, mode, strength, at_ms, via: Some(below.node), hops };
            reached.insert(edge.from, effect);
            next.push(effect);
        }
    }
}

/// A service is hit by as much as its pods are. With all of them gone it is down.
fn from_pods_to_services(world: &World, reached: &mut Reached, random: &mut Random) {
    let mut services: BTreeMap<usize, Vec<Effect>> = BTreeMap::new();
    for effect in reached.values().filter(|effect| world.nodes[effect.node].kind == NodeKind::Pod) {
        for edge in world.dependants(effect.node) {
            services.entry(edge.from).or_default().push(*effect);
        }
    }
    for (service, pods) in services {
        let count = world.pods(service).count().max(1) as i64;
        let sum: i64 = pods.iter().map(|pod| pod.strength).sum();
        let Some(first) = pods.iter().min_by_key(|pod| (pod.at_ms, pod.node)) else { continue };
        let is_gone = pods.len() as i64 == count && first.mode == Mode::Down;
        let mode = match first.mode {
            Mode::Down if !is_gone => Mode::Errors,
            mode => mode,
        };
        // Who answers with errors still gets its share of the calls; who is gone does not for long.
        let percent = if mode == Mode::Errors && first.mode == Mode::Errors { (90, 140) } else { (50, 90) };
        let share = sum / count * random.between(percent.0, percent.1) / 100;
        let strength = if is_gone { 1_000 } else { share.min(1_000) };
        let at_ms = first.at_ms + random.between(1_000, 15_000);
        let hops = first.hops + 1;
        reached.entry(service).or_insert(Effect { node: service, mode, strength, at_ms, via: Some(first.node), hops });
    }
}

/// From callee to caller, the strongest way first. Pods follow their service (`alerts.rs`).
fn up_the_calls(world: &World, reached: &mut Reached, random: &mut Random) {
    let calls = |kind| !matches!(kind, NodeKind::Host | NodeKind::Switch | NodeKind::Pod | NodeKind::Rack);
    let mut next: BinaryHeap<(i64, std::cmp::Reverse<usize>)> = BinaryHeap::new();
    for effect in reached.values().filter(|effect| calls(world.nodes[effect.node].kind)) {
        next.push((effect.strength, std::cmp::Reverse(effect.node)));
    }
    let base = reached.values().map(|effect| effect.hops).max().unwrap_or_default();
    while let Some((_, std::cmp::Reverse(node))) = next.pop() {
        let callee = reached[&node];
        for edge in world.dependants(node).filter(|edge| calls(world.nodes[edge.from].kind)) {
            let strength = callee.strength * edge.passes * random.between(900, 1_000) / 1_000_000;
            let mode = passed_on(callee.mode, callee.strength, random.below(100));
            let at_ms = callee.at_ms + random.between(2_000, 40_000);
            let hops = callee.hops + 1;
            if strength < NOTHING || hops > base + HOPS_MAX || reached.contains_key(&edge.from) {
                continue;
            }
            reached.insert(edge.from, Effect { node: edge.from, mode, strength, at_ms, via: Some(node), hops });
            next.push((strength, std::cmp::Reverse(edge.from)));
        }
    }
}

/// What a failing caller no longer asks gets quiet, and what it no longer fetches piles up.
fn down_to_the_idle(world: &World, kind: FaultKind, reached: &mut Reached, random: &mut Random) {
    let callers: Vec<Effect> = reached.values().filter(|effect| effect.strength >= 500).copied().collect();
    for caller in callers {
        let is_refused = kind == FaultKind::CertificateExpired && caller.hops == 0;
        let percent = match caller.mode {
            _ if is_refused => 80,
            Mode::Down => 50,
            Mode::Errors => 20,
            Mode::Slow => 10,
            Mode::Idle => 0,
        };
        let asks = matches!(world.nodes[caller.node].kind, NodeKind::Service | NodeKind::LoadBalancer);
        for edge in world.dependencies(caller.node).filter(|_| asks) {
            let callee = world.nodes[edge.to].kind;
            let is_asked = edge.kind == EdgeKind::Calls || matches!(callee, NodeKind::Database | NodeKind::Queue);
            if !is_asked || callee == NodeKind::External || !random.chance(percent) {
                continue;
            }
            let at_ms = caller.at_ms + random.between(20_000, 120_000);
            let effect = Effect {
                node: edge.to,
                mode: Mode::Idle,
                strength: caller.strength / 2,
                at_ms,
                via: Some(caller.node),
                hops: caller.hops + 1,
            };
            reached.entry(edge.to).or_insert(effect);
        }
    }
}

/// What a caller is in when what it depends on is in this trouble. `lot` is drawn from a hundred.
const fn passed_on(mode: Mode, strength: i64, lot: usize) -> Mode {
    match mode {
        Mode::Down if lot < 25 => Mode::Slow,
        Mode::Errors if lot < 20 => Mode::Slow,
        Mode::Slow if lot < 75 || strength < 600 => Mode::Slow,
        Mode::Idle => Mode::Idle,
        Mode::Down | Mode::Errors | Mode::Slow => Mode::Errors,
    }
}
