//! What an evaluation comes to, as JSON and as tables for people. Decides names, rounding and order.

use serde::{Serialize, Serializer};
use std::io::{self, Write};

use super::bootstrap;
use super::metrics::{self, Figure, GroupingFigures};
use super::{ENGINE, ENGINE_CONFIRMED};
use crate::cli::output::{line, plural, table};

/// How the intervals were made; the same for every set.
#[derive(Debug, Serialize)]
pub struct Intervals {
    pub confidence: f64,
    pub resamples: usize,
    pub seed: u64,
}

impl Default for Intervals {
    fn default() -> Self {
        Self { confidence: bootstrap::CONFIDENCE, resamples: bootstrap::RESAMPLES, seed: bootstrap::SEED }
    }
}

/// What `watchbell evaluate --json` prints.
#[derive(Debug, Serialize)]
pub struct Report {
    pub intervals: Intervals,
    pub sets: Vec<SetReport>,
}

#[derive(Debug, Serialize)]
pub struct SetReport {
    pub set: String,
    pub alerts: usize,
    pub first_firings: usize,
    pub noise_firings: usize,
    pub failures: usize,
    pub nodes: usize,
    pub changes: usize,
    /// What is compared with the true cause: `node` or `service`.
    pub scored_by: &'static str,
    pub root_cause: Vec<RootCauseRow>,
    pub grouping: Vec<GroupingRow>,
    pub micros_per_alert: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The alerts of each failure are handed over.
    Given,
    /// The incident that grouping made.
    EndToEnd,
}

#[derive(Debug, Serialize)]
pub struct RootCauseRow {
    pub mode: Mode,
    pub method: String,
    /// All failures where there is none.
    pub split: Option<String>,
    pub failures: usize,
    pub ac_1: Shown,
    pub ac_3: Shown,
    pub avg_5: Shown,
}

impl RootCauseRow {
    pub fn new(mode: Mode, method: &str, split: Option<&str>, ranks: &[Option<usize>]) -> Self {
        let figures = metrics::root_cause(ranks);
        Self {
            mode,
            method: method.to_owned(),
            split: split.map(str::to_owned),
            failures: ranks.len(),
            ac_1: Shown(figures.ac_1),
            ac_3: Shown(figures.ac_3),
            avg_5: Shown(figures.avg_5),
        }
    }
}

#[derive(Debug, Serialize)]
pub struct GroupingRow {
    pub method: String,
    pub incidents: usize,
    pub precision: Shown,
    pub recall: Shown,
    pub f1: Shown,
    pub f1_without_noise: Shown,
    pub ari: Shown,
    pub captured: Shown,
    pub incidents_per_failure: Shown,
    pub noise_opened: Shown,
    pub compression: Shown,
    pub detectable: usize,
    pub detected: usize,
    pub detection_p50_seconds: Shown,
    pub detection_p95_seconds: Shown,
}

impl GroupingRow {
    pub fn new(method: &str, figures: GroupingFigures) -> Self {
        Self {
            method: method.to_owned(),
            incidents: figures.incidents,
            precision: Shown(figures.precision),
            recall: Shown(figures.recall),
            f1: Shown(figures.f1),
            f1_without_noise: Shown(figures.f1_without_noise),
            ari: Shown(figures.ari),
            captured: Shown(figures.captured),
            incidents_per_failure: Shown(figures.incidents_per_failure),
            noise_opened: Shown(figures.noise_opened),
            compression: Shown(Figure::exact(figures.compression)),
            detectable: figures.detectable,
            detected: figures.detected,
            detection_p50_seconds: Shown(figures.detection_p50),
            detection_p95_seconds: Shown(figures.detection_p95),
        }
    }
}

/// A figure as it is written: `{"value": .., "low": .., "high": ..}`. What does not exist, or never came, is null.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub Figure);

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Written {
            value: Option<f64>,
            low: Option<f64>,
            high: Option<f64>,
        }
        let Figure { value, interval } = self.0;
        let written = Written {
            value: rounded(value),
            low: interval.and_then(|(low, _)| rounded(low)),
            high: interval.and_then(|(_, high)| rounded(high)),
        };
        written.serialize(serializer)
    }
}

fn rounded(value: f64) -> Option<f64> {
    // Adding 0 takes the sign off a zero.
    value.is_finite().then(|| (value * 10_000.0).round() / 10_000.0 + 0.0)
}

impl Shown {
    fn text(self, digits: usize) -> String {
        let one = |value: f64| match value {
            value if value.is_nan() => "-".to_owned(),
            value if value.is_infinite() => "never".to_owned(),
            value => unsigned_zero(format!("{value:.digits$}")),
        };
        match self.0.interval {
            Some((low, high)) => format!("{} [{} {}]", one(self.0.value), one(low), one(high)),
            None => one(self.0.value),
        }
    }
}

/// What rounds to nothing has no sign.
fn unsigned_zero(text: String) -> String {
    match text.strip_prefix('-').filter(|rest| rest.bytes().all(|byte| matches!(byte, b'0' | b'.'))) {
        Some(zero) => zero.to_owned(),
        None => text,
    }
}

/// Sets that lose by being told the causes: method for method, failure for failure, they must not.
pub fn worse_when_confirmed(set: &SetReport) -> Vec<String> {
    let find = |row: &RootCauseRow| {
        set.root_cause
            .iter()
            .find(|other| other.method == ENGINE && other.mode == row.mode && other.split == row.split)
            .filter(|untrained| untrained.ac_1.0.value > row.ac_1.0.value)
    };
    let rows = set.root_cause.iter().filter(|row| row.method == ENGINE_CONFIRMED && row.split.is_none());
    rows.filter_map(|row| {
        let untrained = find(row)?;
        let (before, after) = (untrained.ac_1.0.value, row.ac_1.0.value);
        Some(format!("{}, {}: AC@1 is {after:.3} with confirmed causes, {before:.3} without", set.set, row.mode.text()))
    })
    .collect()
}

impl Mode {
    const fn text(self) -> &'static str {
        match self {
            Self::Given => "given the alerts of each failure",
            Self::EndToEnd => "end to end, through grouping",
        }
    }
}

impl SetReport {
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(
            out,
            "{}: {}, {} first ({} of noise), {}, {}{}; causes compared by {}",
            line(&self.set),
            plural(self.alerts, "alert"),
            self.first_firings,
            self.noise_firings,
            plural(self.failures, "failure"),
            plural(self.nodes, "node"),
            if self.changes > 0 { format!(", {}", plural(self.changes, "change")) } else { String::new() },
            self.scored_by,
        )?;
        for mode in [Mode::Given, Mode::EndToEnd] {
            let mut splits: Vec<&Option<String>> = self.root_cause.iter().map(|row| &row.split).collect();
            splits.sort();
            splits.dedup();
            for split in splits {
                self.write_root_cause(out, mode, split)?;
            }
        }
        self.write_grouping(out)?;
        writeln!(out, "\n{:.1} µs per alert", self.micros_per_alert)
    }

    fn write_root_cause(&self, out: &mut impl Write, mode: Mode, split: &Option<String>) -> io::Result<()> {
        let rows: Vec<&RootCauseRow> =
            self.root_cause.iter().filter(|row| row.mode == mode && row.split == *split).collect();
        let count = rows.first().map_or(0, |row| row.failures);
        let which = split.as_ref().map_or_else(String::new, |split| format!(" of `{}`", line(split)));
        writeln!(out, "\nRoot cause, {}: {}{which}", mode.text(), plural(count, "failure"))?;
        let mut cells = vec![["", "AC@1", "AC@3", "Avg@5"].map(str::to_owned).to_vec()];
        for row in rows {
            cells.push(vec![row.method.clone(), row.ac_1.text(3), row.ac_3.text(3), row.avg_5.text(3)]);
        }
        table(out, &cells)
    }

    fn write_grouping(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\nGrouping")?;
        let head = ["", "precision", "recall", "F1", "F1 without noise", "ARI"];
        let mut cells = vec![head.map(str::to_owned).to_vec()];
        for row in &self.grouping {
            let figures = [row.precision, row.recall, row.f1, row.f1_without_noise, row.ari];
            cells.push([row.method.clone()].into_iter().chain(figures.map(|figure| figure.text(3))).collect());
        }
        table(out, &cells)?;
        writeln!(out, "\nIncidents")?;
        let head = [
            "",
            "opened",
            "captured",
            "per failure",
            "noise that opened one",
            "compression",
            "detected",
            "after p50, s",
            "p95, s",
        ];
        let mut cells = vec![head.map(str::to_owned).to_vec()];
        for row in &self.grouping {
            cells.push(vec![
                row.method.clone(),
                row.incidents.to_string(),
                row.captured.text(3),
                row.incidents_per_failure.text(2),
                row.noise_opened.text(3),
                row.compression.text(4),
                format!("{} of {}", row.detected, row.detectable),
                row.detection_p50_seconds.text(1),
                row.detection_p95_seconds.text(1),
            ]);
        }
        table(out, &cells)
    }
}
