//! What can be chosen about a generated stream, and the three sets of usual choices. Says what fits
//! together; never draws anything.

use serde::{Deserialize, Serialize};

use super::faults::FaultKind;

/// Usual choices; each of them can be overridden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Set {
    /// One failure at a time, little noise, good monitoring: what should always work
    Calm,
    /// A normal week: a few failures at once, flapping checks, gaps in monitoring and topology
    Busy,
    /// Up to twenty failures at once, late and missing alerts, an outdated topology
    Storm,
}

/// Everything that a stream depends on: the same parameters give the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameters {
    pub seed: u64,
    pub set: Set,
    /// Nodes of the topology, exactly.
    pub nodes: u32,
    /// Failures, exactly.
    pub faults: u32,
    /// Kinds to choose from.
    pub kinds: Vec<FaultKind>,
    /// Length of the stream.
    pub hours: u32,
    /// Failures at the same time, at most.
    pub concurrent: u32,
    /// Share of the failures that come again and again at the same few roots.
    pub recurring_percent: u32,
    /// Share of the failures whose root sends nothing although it is monitored.
    pub silent_roots_percent: u32,
    /// Share of the alerts of failures that never arrive.
    pub missed_percent: u32,
    /// Share of the alerts that arrive minutes late.
    pub late_percent: u32,
    /// How far the clock of a monitor is ahead or behind, at most.
    pub skew_s: u32,
    /// Share of noise among all alerts.
    pub noise_percent: u32,
    /// Share of the services that alert at the least disturbance.
    pub chronic_percent: u32,
    /// Changes that cause nothing, for each failure.
    pub decoys: u32,
    /// Share of the true edges that the written topology lacks.
    pub missing_edges_percent: u32,
    /// Edges of the written topology that do not exist, as a share of the true ones.
    pub wrong_edges_percent: u32,
}

impl Parameters {
    pub const NODES_MIN: u32 = 200;
    pub const NODES_MAX: u32 = 50_000;
    pub const FAULTS_MAX: u32 = 10_000;
    pub const HOURS_MAX: u32 = 8_760;
    pub const CONCURRENT_MAX: u32 = 20;
    /// Of noise and lost alerts: something has to be left.
    pub const PERCENT_MAX: u32 = 90;
    pub const SKEW_MAX_S: u32 = 600;
    pub const DECOYS_MAX: u32 = 100;

    pub fn of(set: Set) -> Self {
        let busy = Self {
            seed: 1,
            set,
            nodes: 2_400,
            faults: 200,
            kinds: FaultKind::ALL.to_vec(),
            hours: 168,
            concurrent: 3,
            recurring_percent: 25,
            silent_roots_percent: 5,
            missed_percent: 10,
            late_percent: 3,
            skew_s: 5,
            noise_percent: 35,
            chronic_percent: 3,
            decoys: 3,
            missing_edges_percent: 5,
            wrong_edges_percent: 2,
        };
        match set {
            Set::Busy => busy,
            Set::Calm => Self {
                hours: 336,
                concurrent: 1,
                silent_roots_percent: 3,
                missed_percent: 3,
                late_percent: 1,
                skew_s: 1,
                noise_percent: 15,
                chronic_percent: 1,
                decoys: 1,
                missing_edges_percent: 1,
                wrong_edges_percent: 0,
                ..busy
            },
            Set::Storm => Self {
                hours: 72,
                concurrent: 20,
                silent_roots_percent: 8,
                missed_percent: 20,
                late_percent: 10,
                skew_s: 20,
                noise_percent: 50,
                chronic_percent: 6,
                decoys: 6,
                missing_edges_percent: 12,
                wrong_edges_percent: 5,
                ..busy
            },
        }
    }

    pub fn span_ms(&self) -> i64 {
        i64::from(self.hours) * 3_600_000
    }
}
