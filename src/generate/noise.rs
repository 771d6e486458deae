//! Alerts that no failure causes: checks that flap, services that ring at everything, single outliers,
//! nightly jobs, planned work. Also changes that cause nothing. Never touches what the failures did.

use super::alerts::{Alert, Writer, labels};
use super::faults::Mode;
use super::parameters::Parameters;
use super::plan::{self, Change, Failure, START_MS};
use super::propagate::Effect;
use super::random::Random;
use super::symptom::{Symptom, shown};
use super::vocabulary::{self, Phrase};
use super::world::{Node, NodeKind, World};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// One node in so many has a check that flaps.
const NODES_PER_FLAPPING_CHECK: usize = 60;
/// A decoy comes at most so long before a failure that it has nothing to do with.
const DECOY_BEFORE_MS: i64 = 20 * MINUTE_MS;
/// No decoy at a root within this time before its failure: nobody could tell the two apart.
const DECOY_CLEAR_MS: i64 = 2 * HOUR_MS;

/// `count` alerts, and the planned work behind some of them.
pub fn alerts(parameters: &Parameters, world: &World, failures: &[Failure], count: usize) -> (Vec<Alert>, Vec<Change>) {
    let writer = Writer { world, parameters, failure: None, series: 0, alerts: Vec::new() };
    let random = Random::of(parameters.seed, "noise", 0);
    let mut noise = Noise { writer, failures, random, works: Vec::new() };
    let flapping = noise.flapping();
    let nightly = noise.nightly();
    let chronic: Vec<usize> = (0..world.nodes.len()).filter(|node| world.nodes[*node].is_chronic).collect();
    let hosts: Vec<usize> = world.of_kind(NodeKind::Host);
    while noise.writer.alerts.len() < count {
        match noise.random.below(100) {
            0..45 => noise.flap(&flapping),
            45..65 if !chronic.is_empty() => noise.grumble(&chronic),
            65..77 => noise.run_nightly(&nightly),
            77..84 => noise.work(&hosts),
            _ => noise.blip(),
        }
    }
    noise.writer.alerts.truncate(count);
    (noise.writer.alerts, noise.works)
}

struct Noise<'a> {
    writer: Writer<'a>,
    failures: &'a [Failure],
    random: Random,
    works: Vec<Change>,
}

impl Noise<'_> {
    fn moment(&mut self) -> i64 {
        START_MS + self.random.between(0, self.writer.parameters.span_ms())
    }

    fn node(&mut self) -> usize {
        loop {
            let node = self.random.below(self.writer.world.nodes.len());
            let kind = self.writer.world.nodes[node].kind;
            let is_silent = matches!(kind, NodeKind::Namespace | NodeKind::Rack | NodeKind::External);
            if !is_silent && self.writer.world.nodes[node].is_monitored {
                return node;
            }
        }
    }

    /// Checks that flap, with the names they have: half of them such that come from faults too.
    fn flapping(&mut self) -> Vec<(usize, &'static str)> {
        let count = (self.writer.world.nodes.len() / NODES_PER_FLAPPING_CHECK).max(3);
        let check = |noise: &mut Self| {
            let node = noise.node();
            let Node { kind, vocabulary, .. } = noise.writer.world.nodes[node];
            let symptoms = shown(kind, Mode::Slow).iter().map(|(symptom, _)| vocabulary::name(vocabulary, *symptom));
            let real: Vec<&str> = symptoms.flatten().collect();
            let own = vocabulary::flapping_checks(vocabulary);
            let names = if noise.random.chance(50) && !real.is_empty() { &real } else { own };
            (node, names[noise.random.below(names.len())])
        };
        (0..count).map(|_| check(self)).collect()
    }

    /// On and off every few minutes, for a while.
    fn flap(&mut self, flapping: &[(usize, &'static str)]) {
        let (node, alertname) = flapping[self.random.below(flapping.len())];
        let mut at_ms = self.moment();
        for _ in 0..self.random.between(3, 12) {
            let holds_ms = self.random.between(30_000, 4 * MINUTE_MS);
            let summary = format!("{alertname} on {}", self.writer.world.nodes[node].id);
            let phrase = Phrase { alertname, severity: "warning", source: "check", summary };
            let labels = labels(&self.writer.world.nodes[node], &phrase);
            self.writer.push(node, phrase, labels, (at_ms, at_ms + holds_ms), &mut self.random);
            at_ms += holds_ms + self.random.between(20_000, 5 * MINUTE_MS);
        }
    }

    /// A chronic service rings for nothing, half of the time while something else fails elsewhere.
    fn grumble(&mut self, chronic: &[usize]) {
        let node = chronic[self.random.below(chronic.len())];
        let is_near = self.random.chance(50);
        let at_ms = match self.random.pick(self.failures) {
            Some(failure) if is_near => failure.begins_ms + self.random.between(0, 5 * MINUTE_MS),
            _ => self.moment(),
        };
        let mode = if self.random.chance(60) { Mode::Slow } else { Mode::Errors };
        self.trouble(node, mode, 700, at_ms);
    }

    /// One value out of line, gone again soon.
    fn blip(&mut self) {
        let node = self.node();
        let at_ms = self.moment();
        let mode = if self.random.chance(70) { Mode::Slow } else { Mode::Errors };
        let shown = shown(self.writer.world.nodes[node].kind, mode);
        let symptom = match self.writer.world.nodes[node].kind {
            NodeKind::Host => [Symptom::LoadHigh, Symptom::HostCpuHigh, Symptom::DiskIo][self.random.below(3)],
            NodeKind::Pod if self.random.chance(50) => Symptom::MemoryHigh,
            _ => shown.get(self.random.below(shown.len())).map_or(Symptom::PacketLoss, |(symptom, _)| *symptom),
        };
        self.fire(symptom, node, mode, 300, at_ms);
    }

    /// Hosts and databases with a job of their own at the same time every night.
    fn nightly(&mut self) -> Vec<(usize, i64)> {
        let mut nodes = self.writer.world.of_kind(NodeKind::Host);
        nodes.extend(self.writer.world.of_kind(NodeKind::Database));
        (0..8).map(|_| (nodes[self.random.below(nodes.len())], self.random.between(0, 5 * 60) * MINUTE_MS)).collect()
    }

    fn run_nightly(&mut self, nightly: &[(usize, i64)]) {
        let (node, minute_ms) = nightly[self.random.below(nightly.len())];
        let days = (self.writer.parameters.span_ms() / DAY_MS).max(1);
        let at_ms = START_MS + self.random.between(0, days - 1) * DAY_MS + minute_ms;
        let symptoms: &[Symptom] = match self.writer.world.nodes[node].kind {
            NodeKind::Host => &[Symptom::DiskIo, Symptom::LoadHigh],
            _ => &[Symptom::SlowQueries, Symptom::ReplicationLag],
        };
        for symptom in symptoms {
            let at_ms = at_ms + self.random.between(0, 3 * MINUTE_MS);
            self.fire(*symptom, node, Mode::Slow, 300, at_ms);
        }
    }

    /// A host is restarted on purpose. Some monitors know of it and say so.
    fn work(&mut self, hosts: &[usize]) {
        let host = hosts[self.random.below(hosts.len())];
        let at_ms = self.moment();
        let mut change = plan::change(self.writer.world, at_ms, "config", host, &mut self.random);
        let name = &self.writer.world.nodes[host].id;
        change.summary = format!("{}: planned restart of {name} for a kernel update", change.reference);
        let is_told = self.random.chance(70);
        let first = self.writer.alerts.len();
        let begins_ms = at_ms + self.random.between(MINUTE_MS, 5 * MINUTE_MS);
        self.fire(Symptom::HostDown, host, Mode::Down, 1_000, begins_ms);
        if self.random.chance(60) {
            self.fire(Symptom::AgentDown, host, Mode::Down, 1_000, begins_ms + 20_000);
        }
        let pods: Vec<usize> = self.writer.world.dependants(host).map(|edge| edge.from).collect();
        for pod in pods {
            if self.writer.world.nodes[pod].kind == NodeKind::Pod && self.random.chance(30) {
                let at_ms = begins_ms + self.random.between(0, MINUTE_MS);
                self.fire(Symptom::PodNotReady, pod, Mode::Down, 400, at_ms);
            }
        }
        for alert in self.writer.alerts[first..].iter_mut().filter(|_| is_told) {
            alert.labels.insert("maintenance", change.reference.clone());
        }
        self.works.push(change);
    }

    fn trouble(&mut self, node: usize, mode: Mode, strength: i64, at_ms: i64) {
        for (symptom, percent) in shown(self.writer.world.nodes[node].kind, mode) {
            if self.random.chance(*percent / 2) {
                let at_ms = at_ms + self.random.between(0, 20_000);
                self.fire(*symptom, node, mode, strength, at_ms);
            }
        }
    }

    fn fire(&mut self, symptom: Symptom, node: usize, mode: Mode, strength: i64, at_ms: i64) {
        let callees: Vec<usize> = self.writer.world.dependencies(node).map(|edge| edge.to).collect();
        let via = self.random.pick(&callees).copied();
        let effect = Effect { node, mode, strength, at_ms, via, hops: 0 };
        let resolved_ms = at_ms + self.random.between(MINUTE_MS, 8 * MINUTE_MS);
        if self.writer.world.nodes[node].is_monitored {
            self.writer.fire(symptom, &effect, (at_ms, resolved_ms), &mut self.random);
        }
    }
}

/// Changes that cause nothing: half of them shortly before a failure, where they look guilty, some even at
/// a service next to the root.
pub fn decoys(parameters: &Parameters, world: &World, failures: &[Failure]) -> Vec<Change> {
    let services = world.of_kind(NodeKind::Service);
    let mut random = Random::of(parameters.seed, "decoys", 0);
    let mut decoys = Vec::new();
    let count = parameters.decoys as usize * failures.len();
    while decoys.len() < count {
        let failure = &failures[random.below(failures.len())];
        let is_near = random.chance(50);
        let at_ms = match is_near {
            true => failure.begins_ms - random.between(0, DECOY_BEFORE_MS),
            false => START_MS + random.between(0, parameters.span_ms()),
        };
        let neighbours: Vec<usize> = world.dependants(failure.root).map(|edge| edge.from).collect();
        let neighbours: Vec<usize> =
            neighbours.into_iter().filter(|node| world.nodes[*node].kind == NodeKind::Service).collect();
        let kind = ["deploy", "deploy", "commit", "flag", "config"][random.below(5)];
        let anywhere = services[random.below(services.len())];
        let node = match random.pick(&neighbours) {
            Some(neighbour) if is_near && random.chance(30) => *neighbour,
            _ => anywhere,
        };
        if !fails_after(world, failures, node, at_ms) {
            decoys.push(plan::change(world, at_ms, kind, node, &mut random));
        }
    }
    decoys
}

/// Whether the node, or a pod of it, is the root of a failure that begins soon after.
fn fails_after(world: &World, failures: &[Failure], node: usize, at_ms: i64) -> bool {
    let first = failures.partition_point(|failure| failure.begins_ms < at_ms - DECOY_BEFORE_MS);
    let soon = failures[first..].iter().take_while(|failure| failure.begins_ms < at_ms + DECOY_CLEAR_MS);
    soon.into_iter().any(|failure| failure.root == node || world.pods(node).any(|pod| pod == failure.root))
}
