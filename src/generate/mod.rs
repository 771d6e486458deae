//! Labelled alert streams out of a seed: an estate, faults in it, what monitors make of them, and the truth
//! about it, to tune and prove correlation and root cause on. Built from how distributed systems fail, not
//! from any recorded data. `watchbell generate` is its command; `docs/generate.md` describes the result.
//!
//! ```text
//! parameters ─▶ estate ─▶ plan ─▶ propagate ─▶ alerts ─┐
//!                (true)   what,    whom it      who    ├─▶ write: the clocks and the topology that
//!                         where    reaches      rings  │   people have, not the true ones
//!                                              noise ──┘
//! ```
//!
//! Every matter draws from a stream of its own (`random.rs`): the same seed with less noise has the same
//! faults. No clock, no floats in decisions, no maps without order.

pub mod alerts;
pub mod estate;
pub mod faults;
pub mod noise;
pub mod parameters;
pub mod plan;
pub mod propagate;
pub mod random;
pub mod record;
pub mod symptom;
pub mod vocabulary;
pub mod world;
pub mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::alerts::{Alert, Condition};
pub use self::faults::FaultKind;
pub use self::parameters::{Parameters, Set};
use self::plan::{Change, Failure};
use self::random::Random;
use self::record::{AlertRecord, ChangeRecord, RootCauseRecord, TopologyRecord, TruthRecord, seconds};
use self::world::World;

/// How often noise is drawn at most, twice as much each time, until enough of it is new.
const NOISE_ROUNDS: u32 = 6;

#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error("{given} hours are too short for {faults} failures with at most {concurrent} at once: expected {hours}")]
    TooShort { given: u32, faults: u32, concurrent: u32, hours: u64 },
    #[error("an estate of {nodes} nodes has no place for a fault of kind `{kind}`")]
    NoRoot { kind: &'static str, nodes: u32 },
    #[error("`{}` is not empty", path.display())]
    NotEmpty { path: PathBuf },
    #[error("cannot write `{}`", path.display())]
    Write { path: PathBuf, source: std::io::Error },
}

/// A whole stream, as it is written.
#[derive(Clone, Debug)]
pub struct Generated {
    /// In order of arrival.
    pub alerts: Vec<AlertRecord>,
    pub topology: TopologyRecord,
    pub truth: Vec<TruthRecord>,
    pub changes: Vec<ChangeRecord>,
    pub description: Description,
}

/// `generate.json`: how to make this stream again, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Another version may make another stream of the same parameters.
    pub watchbell: String,
    pub parameters: Parameters,
    pub summary: Summary,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    pub nodes: usize,
    /// As written.
    pub edges: usize,
    pub missing_edges: usize,
    pub wrong_edges: usize,
    pub failures: usize,
    pub failures_by_kind: BTreeMap<String, usize>,
    /// Whose root sends nothing.
    pub silent_failures: usize,
    pub recurring_failures: usize,
    pub alerts: usize,
    pub noise_alerts: usize,
    pub changes: usize,
    /// Changes that caused a failure.
    pub guilty_changes: usize,
}

impl Summary {
    pub const fn noise_percent(&self) -> usize {
        match (self.noise_alerts * 100 + self.alerts / 2).checked_div(self.alerts) {
            Some(percent) => percent,
            None => 0,
        }
    }
}

/// Makes a stream. `progress` hears how many failures of how many are done.
///
/// # Errors
/// When the parameters do not fit together.
pub fn generate(parameters: &Parameters, progress: &mut dyn FnMut(u64, u64)) -> Result<Generated, GenerateError> {
    let world = estate::build(parameters);
    let failures = plan::failures(parameters, &world)?;
    let mut all = Vec::new();
    for (number, failure) in failures.iter().enumerate() {
        let mut random = Random::of(parameters.seed, "effects", number as u64);
        let effects = propagate::effects(&world, failure, &mut random);
        all.extend(alerts::of_failure(&world, parameters, number, failure, &effects));
        progress(number as u64 + 1, failures.len() as u64);
    }
    let caused = one_at_a_time(all, Vec::new(), failures.len());
    let (mut alerts, works) = with_noise(parameters, &world, &failures, caused);
    alerts.sort_by_key(|alert| (alert.arrives_ms, alert.id));
    let mut changes: Vec<Change> = failures.iter().filter_map(|failure| failure.change.clone()).collect();
    changes.extend(works);
    changes.extend(noise::decoys(parameters, &world, &failures));
    changes.sort_by(|a, b| (a.at_ms, &a.id).cmp(&(b.at_ms, &b.id)));
    Ok(record(parameters, &world, &failures, &alerts, &changes))
}

/// Adds noise up to its share. Some of what is drawn is about what fires already and falls away.
fn with_noise(
    parameters: &Parameters,
    world: &World,
    failures: &[Failure],
    caused: Vec<Alert>,
) -> (Vec<Alert>, Vec<Change>) {
    let share = parameters.noise_percent as usize;
    let wanted = caused.len() * share / (100 - share);
    let mut drawn = wanted + wanted / 8;
    let mut round = 1;
    loop {
        let (noise, works) = noise::alerts(parameters, world, failures, drawn);
        let mut alerts = one_at_a_time(caused.clone(), noise, failures.len());
        if alerts.len() >= caused.len() + wanted || round >= NOISE_ROUNDS {
            alerts.truncate(caused.len() + wanted);
            return (alerts, works);
        }
        drawn *= 2;
        round += 1;
    }
}

/// A condition that fires does not fire again before it has ended. What failures cause comes first, and
/// every failure keeps an alert.
fn one_at_a_time(mut caused: Vec<Alert>, noise: Vec<Alert>, failures: usize) -> Vec<Alert> {
    caused.sort_by_key(|alert| (alert.at_ms, alert.id));
    let mut spans: BTreeMap<Condition, Vec<(i64, i64)>> = BTreeMap::new();
    let mut is_free = |alert: &Alert| {
        let spans = spans.entry(alert.condition()).or_default();
        let is_free = spans.iter().all(|(from, to)| alert.resolved_ms < *from || alert.at_ms > *to);
        if is_free {
            spans.push((alert.at_ms, alert.resolved_ms));
        }
        is_free
    };
    let verdicts: Vec<bool> = caused.iter().chain(&noise).map(&mut is_free).collect();
    let mut has_alert = vec![false; failures];
    for (alert, is_free) in caused.iter().zip(&verdicts) {
        if let Some(failure) = alert.failure.filter(|_| *is_free) {
            has_alert[failure] = true;
        }
    }
    let mut kept = Vec::new();
    for (alert, is_free) in caused.into_iter().chain(noise).zip(verdicts) {
        let is_needed = alert.failure.is_some_and(|failure| !std::mem::replace(&mut has_alert[failure], true));
        if is_free || is_needed {
            kept.push(alert);
        }
    }
    kept
}

fn case(number: usize) -> String {
    format!("case-{:04}", number + 1)
}

fn record(
    parameters: &Parameters,
    world: &World,
    failures: &[Failure],
    alerts: &[Alert],
    changes: &[Change],
) -> Generated {
    let mut ids: Vec<Vec<String>> = vec![Vec::new(); failures.len()];
    let mut is_heard = vec![false; failures.len()];
    for alert in alerts {
        if let Some(failure) = alert.failure {
            ids[failure].push(write::alert_id(alert));
            is_heard[failure] |= alert.node == failures[failure].root;
        }
    }
    let truth = |(number, failure): (usize, &Failure)| TruthRecord {
        case: case(number),
        t0: seconds(failure.begins_ms),
        t1: seconds(failure.ends_ms),
        alerts: std::mem::take(&mut ids[number]),
        root_cause: RootCauseRecord {
            node: world.nodes[failure.root].id.clone(),
            fault: failure.kind.as_str().to_owned(),
            service: service(world, failure.root),
        },
        silent: !is_heard[number],
        change: failure.change.as_ref().map(|change| change.id.clone()),
        recurrence_of: failure.recurrence_of.map(case),
    };
    let truth: Vec<TruthRecord> = failures.iter().enumerate().map(truth).collect();
    let offsets_ms = write::offsets_ms(parameters, world);
    let topology = write::topology(parameters, world);
    let summary = summary(world, &topology, &truth, alerts, changes);
    let watchbell = env!("CARGO_PKG_VERSION").to_owned();
    Generated {
        alerts: alerts.iter().map(|alert| write::alert_record(world, &offsets_ms, alert)).collect(),
        topology,
        truth,
        changes: changes.iter().map(|change| write::change_record(world, change)).collect(),
        description: Description { watchbell, parameters: parameters.clone(), summary },
    }
}

/// The service that a root belongs to, in the words of the topology.
fn service(world: &World, root: usize) -> Option<String> {
    world.nodes[root].service.clone()
}

fn summary(
    world: &World,
    topology: &TopologyRecord,
    truth: &[TruthRecord],
    alerts: &[Alert],
    changes: &[Change],
) -> Summary {
    let mut failures_by_kind = BTreeMap::new();
    for failure in truth {
        *failures_by_kind.entry(failure.root_cause.fault.clone()).or_insert(0) += 1;
    }
    let true_edges: BTreeSet<_> =
        world.edges.iter().map(|edge| world.edge_record(edge.from, edge.to, edge.kind)).collect();
    let right = topology.edges.iter().filter(|edge| true_edges.contains(edge)).count();
    Summary {
        nodes: topology.nodes.len(),
        edges: topology.edges.len(),
        missing_edges: true_edges.len() - right,
        wrong_edges: topology.edges.len() - right,
        failures: truth.len(),
        failures_by_kind,
        silent_failures: truth.iter().filter(|failure| failure.silent).count(),
        recurring_failures: truth.iter().filter(|failure| failure.recurrence_of.is_some()).count(),
        alerts: alerts.len(),
        noise_alerts: alerts.iter().filter(|alert| alert.failure.is_none()).count(),
        changes: changes.len(),
        guilty_changes: truth.iter().filter(|failure| failure.change.is_some()).count(),
    }
}

#[cfg(test)]
mod tests;
