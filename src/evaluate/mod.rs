//! How well the engine groups alerts and names causes, on data whose failures are known, beside simple methods on
//! the same data. Decides what is compared with what; never tunes anything, and never shows the truth to the engine
//! except as a person's confirmation, where that is what is measured.
//!
//! ```text
//! directory ─▶ read ─▶ Set ─▶ events ─▶ engine ─▶ Prediction ─┐
//!                       ├───▶ baselines ───────▶ Prediction ─┴▶ metrics, bootstrap ─▶ report
//!                       └───▶ rankings ────────▶ ranks ────────▶
//! ```

pub mod baselines;
pub mod bootstrap;
pub mod engine;
pub mod events;
pub mod metrics;
pub mod prediction;
pub mod rankings;
pub mod read;
pub mod report;
pub mod sets;

use engine::Engine;
use metrics::{Held, rank_of};
use prediction::Prediction;
use report::{GroupingRow, Mode, RootCauseRow, SetReport};
use sets::{Failure, Set};

/// How the engine is called in the tables, and the engine that was told the causes.
pub const ENGINE: &str = "watchbell";
pub const ENGINE_CONFIRMED: &str = "watchbell, causes confirmed";

/// Steps of [`evaluate`], for a progress bar.
pub const STEPS: u64 = 6;

/// Judges the engine and every baseline on one set; `begun` hears of each step.
pub fn evaluate(set: &Set, engine: &impl Engine, mut begun: impl FnMut(&str)) -> SetReport {
    begun("replaying");
    let replay = engine.replay(set, false);
    begun("replaying with confirmed causes");
    let confirmed = engine.replay(set, true);
    begun("ranking");
    let mut given = vec![(ENGINE, engine.rank_given(set, false))];
    begun("ranking with confirmed causes");
    given.push((ENGINE_CONFIRMED, engine.rank_given(set, true)));
    begun("running the baselines");
    given.extend(rankings::METHODS.iter().map(|(name, method)| (*name, rankings::given(set, *method))));
    let mut grouped = vec![
        (ENGINE, prediction::from_replay(set, &replay.incidents)),
        (ENGINE_CONFIRMED, prediction::from_replay(set, &confirmed.incidents)),
    ];
    grouped.extend(baselines::METHODS.iter().map(|(name, method)| (*name, method(set))));
    begun("drawing intervals");
    let mut root_cause = Vec::new();
    for (method, rankings) in &given {
        let ranks = set.failures.iter().zip(rankings).map(|(failure, ranking)| rank_of(set, failure, ranking));
        root_cause.extend(by_split(set, Mode::Given, method, &ranks.collect::<Vec<_>>()));
    }
    for (method, prediction) in &grouped {
        root_cause.extend(by_split(set, Mode::EndToEnd, method, &ranks_end_to_end(set, prediction)));
    }
    let grouping = grouped
        .iter()
        // Causes are confirmed when an incident is over: too late to group anything otherwise.
        .filter(|(method, _)| *method != ENGINE_CONFIRMED)
        .map(|(method, prediction)| GroupingRow::new(method, metrics::grouping(set, prediction)))
        .collect();
    SetReport {
        set: set.name.clone(),
        alerts: set.alerts.len(),
        first_firings: set.first_firings().count(),
        noise_firings: set.first_firings().filter(|alert| set.failure_of[*alert].is_none()).count(),
        failures: set.failures.len(),
        nodes: set.topology.nodes.len(),
        changes: set.changes.len(),
        scored_by: if set.is_service_level() { "service" } else { "node" },
        root_cause,
        grouping,
        micros_per_alert: replay.micros_per_alert,
    }
}

/// Where the true cause of each failure stands in the incident that holds most of it.
fn ranks_end_to_end(set: &Set, prediction: &Prediction) -> Vec<Option<usize>> {
    let rank = |(failure, held): (&Failure, Held)| {
        let group = held.main_group(prediction)?;
        rank_of(set, failure, &prediction.groups[group].ranking)
    };
    set.failures.iter().zip(metrics::held(set, prediction)).map(rank).collect()
}

/// Over all failures, and over those of each split where the data has several.
fn by_split(set: &Set, mode: Mode, method: &str, ranks: &[Option<usize>]) -> Vec<RootCauseRow> {
    let mut rows = vec![RootCauseRow::new(mode, method, None, ranks)];
    for split in set.splits() {
        let is_in = |failure: &Failure| failure.split.as_deref() == Some(split);
        let ranks: Vec<Option<usize>> =
            set.failures.iter().zip(ranks).filter(|(failure, _)| is_in(failure)).map(|(_, rank)| *rank).collect();
        rows.push(RootCauseRow::new(mode, method, Some(split), &ranks));
    }
    rows
}

#[cfg(test)]
mod tests;
