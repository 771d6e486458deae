//! The lines of the files of a labelled stream, as programs read them. Decides the names of the fields;
//! never what is in them. Optional fields are those that other labelled streams do without.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A line of `alerts.jsonl.gz`: one firing. Times are seconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRecord {
    /// Tells nothing about the alert.
    pub id: String,
    /// By the clock of the monitor.
    pub t: f64,
    /// When it arrived, by ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rx: Option<f64>,
    pub alertname: String,
    pub node: String,
    /// `critical`, `warning` or `info`.
    pub severity: String,
    /// `metric`, `trace`, `log`, `monitor` or `check`.
    pub source: String,
    /// Always `firing`.
    pub status: String,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    pub summary: String,
    /// When the condition ended, by the clock of the monitor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_t: Option<f64>,
}

/// `topology.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TopologyRecord {
    pub nodes: Vec<NodeRecord>,
    pub edges: Vec<EdgeRecord>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Where it stands; only what has a place of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// *From depends on to.*
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeRecord {
    pub from: String,
    pub to: String,
    /// `calls`, `runs_on`, `member_of` or `depends_on`.
    pub kind: String,
}

/// A line of `truth.jsonl`: one failure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TruthRecord {
    pub case: String,
    /// From the moment the fault is there to the repair, by our clock.
    pub t0: f64,
    pub t1: f64,
    /// Ids, in order of arrival. Alerts in no case are noise.
    pub alerts: Vec<String>,
    pub root_cause: RootCauseRecord,
    /// Nothing in the stream comes from the root itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub silent: bool,
    /// Id of the change that caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<String>,
    /// The first failure with the same fault at the same root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence_of: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootCauseRecord {
    pub node: String,
    pub fault: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// A line of `changes.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeRecord {
    pub id: String,
    pub t: f64,
    /// `deploy`, `commit`, `flag` or `config`.
    pub kind: String,
    pub node: String,
    /// Version, commit or ticket.
    #[serde(rename = "ref")]
    pub reference: String,
    pub summary: String,
}

/// Milliseconds as the seconds that the files hold.
pub fn seconds(at_ms: i64) -> f64 {
    at_ms as f64 / 1_000.0
}
