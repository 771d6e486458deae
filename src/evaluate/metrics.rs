//! The figures, each a pure function of a prediction and the truth. Decides what is counted and what is not;
//! `docs/evaluation.md` says the same to people.
//!
//! Grouping is judged on first firings. A noise alert is alone in truth: whatever else is in its group is a
//! wrong pair, another noise alert too.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::bootstrap;
use super::prediction::Prediction;
use super::sets::{Failure, Set};
use crate::model::Severity;

/// A figure and what it could have been with other failures of the same kind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// Not a number where there is nothing to count, infinite where it never came.
    pub value: f64,
    pub interval: Option<(f64, f64)>,
}

impl Figure {
    /// Without anything to draw from.
    pub const fn exact(value: f64) -> Self {
        Self { value, interval: None }
    }

    /// `figure` of all units, and of resamples of them.
    pub fn of(units: usize, mut figure: impl FnMut(&[usize]) -> f64) -> Self {
        let all: Vec<usize> = (0..units).collect();
        Self { value: figure(&all), interval: bootstrap::interval(units, figure) }
    }

    fn mean(values: &[f64]) -> Self {
        Self::of(values.len(), |drawn| drawn.iter().map(|unit| values[*unit]).sum::<f64>() / drawn.len() as f64)
    }
}

/// Causes looked at for Avg@5.
pub const RANKS: usize = 5;

/// Where in `ranking` the true cause stands, from 0. Where causes compare by service, a service counts once, at its
/// best place, and what has none is passed over.
pub fn rank_of(set: &Set, failure: &Failure, ranking: &[String]) -> Option<usize> {
    let mut seen: Vec<&str> = Vec::new();
    for name in ranking.iter().filter_map(|node| set.scored_as(node)) {
        if !seen.contains(&name) {
            seen.push(name);
        }
    }
    seen.iter().position(|name| *name == set.root_of(failure))
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RootCauseFigures {
    pub ac_1: Figure,
    pub ac_3: Figure,
    pub avg_5: Figure,
}

/// AC@k is the share of failures whose true cause is among the first k; Avg@5 is the mean of AC@1 to AC@5.
/// `ranks` has one entry for each failure, as [`rank_of`] gives it.
pub fn root_cause(ranks: &[Option<usize>]) -> RootCauseFigures {
    let within = |k: usize| -> Vec<f64> {
        ranks.iter().map(|rank| f64::from(u8::from(rank.is_some_and(|rank| rank < k)))).collect()
    };
    let average: Vec<f64> =
        ranks.iter().map(|rank| rank.map_or(0.0, |rank| RANKS.saturating_sub(rank) as f64 / RANKS as f64)).collect();
    RootCauseFigures { ac_1: Figure::mean(&within(1)), ac_3: Figure::mean(&within(3)), avg_5: Figure::mean(&average) }
}

/// Pairs of first firings: in truth together, predicted together, both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pairs {
    pub firings: f64,
    pub truth: f64,
    pub predicted: f64,
    pub both: f64,
}

impl Pairs {
    fn add(&mut self, other: Self) {
        self.firings += other.firings;
        self.truth += other.truth;
        self.predicted += other.predicted;
        self.both += other.both;
    }

    /// The share of predicted pairs that are right; 1 when nothing was put together.
    pub fn precision(self) -> f64 {
        share(self.both, self.predicted)
    }

    /// The share of true pairs that were found; 1 when there are none.
    pub fn recall(self) -> f64 {
        share(self.both, self.truth)
    }

    pub fn f1(self) -> f64 {
        share(2.0 * self.both, self.truth + self.predicted)
    }

    /// Adjusted Rand index (Hubert and Arabie 1985): 1 for the same partition, about 0 for chance.
    pub fn ari(self) -> f64 {
        let expected = share(self.truth * self.predicted, choose_2(self.firings));
        let most = (self.truth + self.predicted) / 2.0;
        if (most - expected).abs() < f64::EPSILON { 1.0 } else { (self.both - expected) / (most - expected) }
    }
}

fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 1.0 } else { part / whole }
}

fn choose_2(count: f64) -> f64 {
    count * (count - 1.0) / 2.0
}

/// The pairs of each failure, and those of noise. A wrong pair belongs to the failure in it, half to each of two.
/// `without_noise` leaves out every pair with a noise alert in it.
pub fn pairs(set: &Set, prediction: &Prediction, without_noise: bool) -> (Vec<Pairs>, Pairs) {
    let mut failures = vec![Pairs::default(); set.failures.len()];
    let mut noise = Pairs::default();
    for alert in set.first_firings() {
        match set.failure_of[alert] {
            Some(failure) => failures[failure].firings += 1.0,
            None => noise.firings += if without_noise { 0.0 } else { 1.0 },
        }
    }
    failures.iter_mut().for_each(|pairs| pairs.truth = choose_2(pairs.firings));
    for group in &prediction.groups {
        let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
        let mut strays = 0.0;
        for alert in &group.alerts {
            match set.failure_of[*alert] {
                Some(failure) => *counts.entry(failure).or_default() += 1.0,
                None => strays += if without_noise { 0.0 } else { 1.0 },
            }
        }
        let of_failures: f64 = counts.values().sum();
        for (failure, count) in counts {
            failures[failure].both += choose_2(count);
            failures[failure].predicted += choose_2(count) + count * (of_failures - count) / 2.0 + count * strays;
        }
        noise.predicted += choose_2(strays);
    }
    (failures, noise)
}

fn of_pairs(set: &Set, prediction: &Prediction, without_noise: bool, figure: fn(Pairs) -> f64) -> Figure {
    let (failures, noise) = pairs(set, prediction, without_noise);
    Figure::of(failures.len(), |drawn| {
        let mut sum = noise;
        drawn.iter().for_each(|failure| sum.add(failures[*failure]));
        figure(sum)
    })
}

/// An incident has captured a failure when it holds little else and little is missing.
pub const CAPTURED_AT: f64 = 0.8;

/// Firings in both over firings in either.
pub fn jaccard(one: usize, other: usize, both: usize) -> f64 {
    share(both as f64, (one + other - both) as f64)
}

/// First firings of one failure, and how many of them each opened group holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Held {
    pub firsts: usize,
    pub by_group: BTreeMap<usize, usize>,
}

/// For each failure, what became of its first firings.
pub fn held(set: &Set, prediction: &Prediction) -> Vec<Held> {
    let mut failures = vec![Held::default(); set.failures.len()];
    for failure in set.first_firings().filter_map(|alert| set.failure_of[alert]) {
        failures[failure].firsts += 1;
    }
    for (number, group) in prediction.groups.iter().enumerate().filter(|(_, group)| group.is_opened) {
        for failure in group.alerts.iter().filter_map(|alert| set.failure_of[*alert]) {
            *failures[failure].by_group.entry(number).or_default() += 1;
        }
    }
    failures
}

impl Held {
    fn is_captured(&self, prediction: &Prediction) -> bool {
        let likeness =
            |(group, both): (&usize, &usize)| jaccard(prediction.groups[*group].alerts.len(), self.firsts, *both);
        self.by_group.iter().map(likeness).any(|likeness| likeness >= CAPTURED_AT)
    }

    /// The opened group that holds most, of two the one that was opened first; none when none holds any.
    pub fn main_group(&self, prediction: &Prediction) -> Option<usize> {
        let order = |group: usize| (Reverse(prediction.groups[group].opened_at), Reverse(group));
        self.by_group.iter().max_by_key(|(group, held)| (**held, order(**group))).map(|(group, _)| *group)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct GroupingFigures {
    /// Incidents that called somebody.
    pub incidents: usize,
    pub precision: Figure,
    pub recall: Figure,
    pub f1: Figure,
    pub f1_without_noise: Figure,
    pub ari: Figure,
    pub captured: Figure,
    pub incidents_per_failure: Figure,
    pub noise_opened: Figure,
    pub compression: f64,
    /// Failures that have a critical alert.
    pub detectable: usize,
    pub detected: usize,
    /// Seconds.
    pub detection_p50: Figure,
    pub detection_p95: Figure,
}

pub fn grouping(set: &Set, prediction: &Prediction) -> GroupingFigures {
    let incidents = prediction.opened().count();
    let held: Vec<Held> = held(set, prediction).into_iter().filter(|held| held.firsts > 0).collect();
    let captured: Vec<f64> = held.iter().map(|held| f64::from(u8::from(held.is_captured(prediction)))).collect();
    let opened: Vec<f64> = held.iter().map(|held| held.by_group.len() as f64).collect();
    let detection = detection_seconds(set, prediction);
    GroupingFigures {
        incidents,
        precision: of_pairs(set, prediction, false, Pairs::precision),
        recall: of_pairs(set, prediction, false, Pairs::recall),
        f1: of_pairs(set, prediction, false, Pairs::f1),
        f1_without_noise: of_pairs(set, prediction, true, Pairs::f1),
        ari: of_pairs(set, prediction, false, Pairs::ari),
        captured: Figure::mean(&captured),
        incidents_per_failure: Figure::mean(&opened),
        noise_opened: noise_opened(set, prediction),
        compression: 1.0 - incidents as f64 / set.alerts.len() as f64,
        detectable: detection.len(),
        detected: detection.iter().filter(|seconds| seconds.is_finite()).count(),
        detection_p50: percentile(&detection, 0.5),
        detection_p95: percentile(&detection, 0.95),
    }
}

/// The share of first firings of noise that opened an incident. Resampled by condition: a check that flaps all day
/// is one thing, not a hundred.
fn noise_opened(set: &Set, prediction: &Prediction) -> Figure {
    let openers: BTreeSet<usize> = prediction.opened().filter_map(|group| group.opened_by).collect();
    let mut conditions: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for alert in set.first_firings().filter(|alert| set.failure_of[*alert].is_none()) {
        let condition = conditions.entry(set.alerts[alert].key()).or_default();
        condition.0 += f64::from(u8::from(openers.contains(&alert)));
        condition.1 += 1.0;
    }
    let conditions: Vec<(f64, f64)> = conditions.into_values().collect();
    Figure::of(conditions.len(), |drawn| {
        let sum = drawn.iter().map(|at| conditions[*at]).fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        sum.0 / sum.1
    })
}

/// For each failure with a critical alert: seconds from the receipt of the first one to the opening of the incident
/// that holds most of the failure. An incident that was open before counts as 0, none as for ever.
pub fn detection_seconds(set: &Set, prediction: &Prediction) -> Vec<f64> {
    let mut seconds = Vec::new();
    for (failure, held) in set.failures.iter().zip(held(set, prediction)) {
        let critical = |alert: &&usize| set.alerts[**alert].severity == Severity::Critical;
        let Some(first) = failure.alerts.iter().filter(critical).map(|alert| set.alerts[*alert].received_at).min()
        else {
            continue;
        };
        let group = held.main_group(prediction);
        seconds.push(group.map_or(f64::INFINITY, |group| {
            (prediction.groups[group].opened_at.since(first).as_millis() as f64 / 1_000.0).max(0.0)
        }));
    }
    seconds
}

/// By nearest rank.
fn percentile(values: &[f64], share: f64) -> Figure {
    Figure::of(values.len(), |drawn| {
        let mut sorted: Vec<f64> = drawn.iter().map(|unit| values[*unit]).collect();
        sorted.sort_by(f64::total_cmp);
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    })
}

#[cfg(test)]
mod tests;
