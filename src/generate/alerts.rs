//! From effects to alerts: who notices what and when, in whose words, and what never arrives. The root is
//! often later and quieter than its callers. Decides nothing about the fault itself.

use std::collections::BTreeMap;

use super::faults::{FaultKind, Local, Mode};
use super::parameters::Parameters;
use super::plan::Failure;
use super::propagate::{Effect, FELT};
use super::random::{Random, mix};
use super::symptom::{Symptom, shown};
use super::vocabulary::{self, Phrase, Vocabulary};
use super::world::{Node, NodeKind, World};

/// Where users' operations get their names.
const OPERATIONS: [&str; 8] = [
    "GET /items",
    "POST /orders",
    "GET /account",
    "Lookup/Find",
    "Ledger/Append",
    "Search/Query",
    "PUT /settings",
    "Events/Publish",
];
/// Late alerts arrive this much later, in milliseconds.
const LATE_MS: (i64, i64) = (120_000, 900_000);

/// One firing. Times by our clock.
#[derive(Clone, Debug)]
pub struct Alert {
    pub id: u64,
    pub node: usize,
    pub alertname: &'static str,
    pub severity: &'static str,
    pub source: &'static str,
    pub labels: BTreeMap<&'static str, String>,
    pub summary: String,
    pub at_ms: i64,
    pub arrives_ms: i64,
    pub resolved_ms: i64,
    /// Number of the failure; none for noise.
    pub failure: Option<usize>,
}

/// What the alert is about: the same thing does not fire again while it fires.
pub type Condition = (usize, &'static str, Option<String>);

impl Alert {
    pub fn condition(&self) -> Condition {
        let operation = self.labels.get("operation").or_else(|| self.labels.get("callee"));
        (self.node, self.alertname, operation.cloned())
    }
}

/// Makes alerts of one failure or of noise, and numbers them.
pub struct Writer<'a> {
    pub world: &'a World,
    pub parameters: &'a Parameters,
    pub failure: Option<usize>,
    /// Of this writer's ids; different for each failure and for noise.
    pub series: u64,
    pub alerts: Vec<Alert>,
}

impl Writer<'_> {
    /// Adds the alert, unless this node's monitor does not look for it. `via` is what it calls.
    pub fn fire(&mut self, symptom: Symptom, effect: &Effect, span: (i64, i64), random: &mut Random) {
        let node = &self.world.nodes[effect.node];
        let Some(phrase) = vocabulary::phrase(node.vocabulary, symptom, &node.id, effect.strength, random) else {
            return;
        };
        let mut labels = labels(node, &phrase);
        if symptom.is_about_a_call() {
            labels.insert("operation", OPERATIONS[random.below(OPERATIONS.len())].to_owned());
            if let Some(callee) = effect.via {
                labels.insert("callee", self.world.nodes[callee].id.clone());
            }
        }
        self.push(effect.node, phrase, labels, span, random);
    }

    pub fn push(
        &mut self,
        node: usize,
        phrase: Phrase,
        labels: BTreeMap<&'static str, String>,
        (at_ms, resolved_ms): (i64, i64),
        random: &mut Random,
    ) {
        let (soonest, latest) = self.world.nodes[node].vocabulary.transit_ms();
        let mut arrives_ms = at_ms + random.between(soonest, latest);
        // Both are drawn in any case: the share of late alerts changes nothing else.
        let (late_ms, is_late) = (random.between(LATE_MS.0, LATE_MS.1), random.chance(self.parameters.late_percent));
        if is_late {
            arrives_ms += late_ms;
        }
        let number = self.series << 32 | self.alerts.len() as u64;
        self.alerts.push(Alert {
            id: mix(number ^ mix(self.parameters.seed)),
            node,
            alertname: phrase.alertname,
            severity: phrase.severity,
            source: phrase.source,
            labels,
            summary: phrase.summary,
            at_ms,
            arrives_ms,
            resolved_ms: resolved_ms.max(at_ms + 1_000),
            failure: self.failure,
        });
    }
}

/// The labels that the monitor of a node gives its alerts.
pub fn labels(node: &Node, phrase: &Phrase) -> BTreeMap<&'static str, String> {
    let mut labels = BTreeMap::new();
    let mut add = |name, value: Option<&str>| {
        if let Some(value) = value {
            labels.insert(name, value.to_owned());
        }
    };
    add("namespace", node.namespace.as_deref());
    match node.vocabulary {
        Vocabulary::Prometheus => {
            add("service", node.service.as_deref());
            let name = if node.kind == NodeKind::Pod { "pod" } else { "instance" };
            add(name, node.id.rsplit('/').next());
        }
        Vocabulary::Kpi => {
            let (kpi, direction) = vocabulary::kpi(phrase.alertname);
            add("kpi", Some(kpi));
            add("direction", Some(direction));
        }
        Vocabulary::Nagios => add("host", Some(&node.id)),
        Vocabulary::Zabbix => {
            add("host", Some(&node.id));
            add("hostgroup", node.zone.as_deref().or(node.namespace.as_deref()));
        }
        Vocabulary::Tracing => {
            add("service", node.service.as_deref());
            add("env", Some("production"));
        }
    }
    labels
}

/// All alerts of one failure, those that never arrive taken out; at least one is left.
pub fn of_failure(
    world: &World,
    parameters: &Parameters,
    number: usize,
    failure: &Failure,
    effects: &[Effect],
) -> Vec<Alert> {
    let mut random = Random::of(parameters.seed, "alerts", number as u64);
    let series = number as u64 + 1;
    let mut writer = Writer { world, parameters, failure: Some(number), series, alerts: Vec::new() };
    at_the_root(&mut writer, failure, effects, &mut random);
    for effect in &effects[1..] {
        at_others(&mut writer, failure, effect, &mut random);
    }
    if writer.alerts.is_empty() {
        somebody(&mut writer, failure, effects, &mut random);
    }
    again(&mut writer, failure, &mut random);
    lost(parameters, world, number, failure, writer.alerts)
}

/// From detection to some time after the repair.
fn span(failure: &Failure, at_ms: i64, random: &mut Random) -> (i64, i64) {
    (at_ms, failure.ends_ms + random.between(10_000, 240_000))
}

fn at_the_root(writer: &mut Writer<'_>, failure: &Failure, effects: &[Effect], random: &mut Random) {
    let Some(root) = effects.first() else { return };
    // Four of ten roots are noticed late: averages over minutes, checks every five.
    let late_ms = if random.chance(40) { random.between(45_000, 200_000) } else { 0 };
    let mut local = |node: usize, alerts: &[Local], writer: &mut Writer<'_>| {
        for (symptom, percent, (soonest, latest)) in alerts {
            if random.chance(*percent) {
                let at_ms = failure.begins_ms + late_ms + random.between(soonest * 1_000, latest * 1_000);
                let at_ms = at_ms.min(failure.ends_ms - 1_000);
                let effect = Effect { node, via: None, ..*root };
                let span = span(failure, at_ms, random);
                writer.fire(*symptom, &effect, span, random);
            }
        }
    };
    if writer.world.nodes[root.node].is_monitored {
        local(root.node, failure.kind.local(), writer);
    }
    for pod in writer.world.pods(root.node) {
        if writer.world.nodes[pod].is_monitored {
            local(pod, failure.kind.local_at_pods(), writer);
        }
    }
}

fn at_others(writer: &mut Writer<'_>, failure: &Failure, effect: &Effect, random: &mut Random) {
    let node = &writer.world.nodes[effect.node];
    if effect.strength < FELT && !node.is_chronic {
        return;
    }
    // Nervous ones ring at once and whatever it is.
    let strength = if node.is_chronic { effect.strength.max(700) } else { effect.strength };
    let notices_ms = if node.is_chronic { random.between(2_000, 20_000) } else { random.between(10_000, 75_000) };
    let is_noticed = random.below(1_000) < (strength * 12 / 10 + 100) as usize;
    if is_noticed {
        show(writer, failure, &Effect { strength, ..*effect }, notices_ms, random);
    }
    // The pods of a caller see the same from their side, some of them.
    let pods: Vec<usize> = writer.world.pods(effect.node).collect();
    for pod in pods.into_iter().filter(|_| effect.mode != Mode::Down && effect.hops > 0) {
        let is_calling = effect.via.is_some_and(|via| writer.world.dependencies(pod).any(|edge| edge.to == via));
        if is_calling && random.below(1_000) < (effect.strength / 2) as usize {
            let strength = effect.strength * random.between(500, 1_000) / 1_000;
            show(writer, failure, &Effect { node: pod, strength, ..*effect }, notices_ms, random);
        }
    }
}

/// The symptoms of one node in trouble: close together, because they have one reason.
fn show(writer: &mut Writer<'_>, failure: &Failure, effect: &Effect, notices_ms: i64, random: &mut Random) {
    let node = &writer.world.nodes[effect.node];
    for (symptom, percent) in shown(node.kind, effect.mode) {
        let percent = i64::from(*percent) * (300 + effect.strength * 7 / 10) / 1_000;
        let at_ms = effect.at_ms + notices_ms + random.between(0, 25_000);
        let span = span(failure, at_ms, random);
        if random.chance(percent as u32) && at_ms < failure.ends_ms && node.is_monitored {
            writer.fire(*symptom, effect, span, random);
        }
    }
}

/// When chance left everybody unaware: whoever is hit hardest notices after all, or else the root.
fn somebody(writer: &mut Writer<'_>, failure: &Failure, effects: &[Effect], random: &mut Random) {
    let mut others: Vec<&Effect> = effects.iter().skip(1).collect();
    others.sort_by_key(|effect| (-effect.strength, effect.node));
    for effect in others.into_iter().chain(effects.first()) {
        let node = &writer.world.nodes[effect.node];
        let own = failure.kind.local().iter().filter(|_| effect.hops == 0).map(|(symptom, ..)| *symptom);
        let symptoms = shown(node.kind, effect.mode).iter().filter(|_| effect.hops > 0 && node.is_monitored);
        let symptoms: Vec<Symptom> = symptoms.map(|(symptom, _)| *symptom).chain(own).collect();
        for symptom in symptoms {
            let at_ms = (effect.at_ms + random.between(10_000, 75_000)).min(failure.ends_ms - 1_000);
            let span = span(failure, at_ms, random);
            writer.fire(symptom, effect, span, random);
            if !writer.alerts.is_empty() {
                return;
            }
        }
    }
}

/// Some conditions end and come back before the repair.
fn again(writer: &mut Writer<'_>, failure: &Failure, random: &mut Random) {
    for number in 0..writer.alerts.len() {
        let first = writer.alerts[number].clone();
        let quiet_at = first.at_ms + random.between(60_000, 180_000);
        let at_ms = quiet_at + random.between(30_000, 120_000);
        if !random.chance(6) || at_ms >= failure.ends_ms {
            continue;
        }
        writer.alerts[number].resolved_ms = quiet_at;
        let phrase = Phrase {
            alertname: first.alertname,
            severity: first.severity,
            source: first.source,
            summary: first.summary,
        };
        writer.push(first.node, phrase, first.labels, (at_ms, first.resolved_ms), random);
    }
}

/// Takes out what never arrives. A fault that nobody noticed would be no failure to find, so the alert
/// that is last in line stays.
fn lost(
    parameters: &Parameters,
    world: &World,
    number: usize,
    failure: &Failure,
    mut alerts: Vec<Alert>,
) -> Vec<Alert> {
    let mut random = Random::of(parameters.seed, "silent", number as u64);
    let is_silent = random.chance(parameters.silent_roots_percent) && failure.kind != FaultKind::SwitchDown;
    let own: Vec<usize> = world.pods(failure.root).chain([failure.root]).collect();
    let mut random = Random::of(parameters.seed, "missed", number as u64);
    let is_lost = |alert: &Alert, random: &mut Random| {
        let is_missed = random.chance(parameters.missed_percent);
        is_missed || is_silent && own.contains(&alert.node)
    };
    let verdicts: Vec<bool> = alerts.iter().map(|alert| is_lost(alert, &mut random)).collect();
    if verdicts.iter().all(|is_lost| *is_lost) {
        let kept = alerts.iter().position(|alert| !own.contains(&alert.node)).unwrap_or_default();
        return alerts.drain(..).skip(kept).take(1).collect();
    }
    let mut verdicts = verdicts.into_iter();
    alerts.retain(|_| !verdicts.next().unwrap_or_default());
    alerts
}
