//! The stateful condition behind many events: one per dedup key, firing or resolved.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::event::Marker;
use super::muting::Muting;
use super::{Fingerprint, IncidentId, Labels, Severity, Span, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertStatus {
    Firing,
    Resolved,
}

/// An alert may be late by so much and still stands where it belongs in time.
const ONSET_EARLY_MAX: Span = Span::from_mins(10);

/// Order of first appearance; also its row in the store, so that inserts append.
pub type AlertNumber = u64;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Alert {
    #[schema(value_type = u64)]
    pub number: AlertNumber,
    /// Hash of source and dedup key: the public id.
    pub fingerprint: Fingerprint,
    #[schema(value_type = String)]
    pub source: Arc<str>,
    #[schema(value_type = String)]
    pub dedup_key: Box<str>,
    #[schema(value_type = String)]
    pub name: Arc<str>,
    pub severity: Severity,
    pub status: AlertStatus,
    /// The resolved item; absent for an aggregate such as "no web server is left".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub configuration_item: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub service: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub url: Option<Arc<str>>,
    /// Start of the present (or last) firing, by the monitor's clock.
    pub started_at: Timestamp,
    /// The same by ours: what windows and hold-downs count from.
    pub fired_at: Timestamp,
    pub last_seen_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// The same by the monitor's clock, where people are told of groups.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// That time is ours: the sender named none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_end_assumed: bool,
    /// Id of the event that opened the present firing.
    #[schema(value_type = String)]
    pub opened_by: Box<str>,
    /// Events folded into it, the first included.
    pub event_count: u64,
    #[serde(default)]
    pub flap: Flap,
    /// Soft or unreachable, while the monitor says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<Marker>,
    /// Rarity of its family when it fired, thousandths of a bit.
    #[serde(default)]
    pub surprise: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// How strongly it belongs to its incident, thousandths; in full where the incident began with it.
    #[serde(default = "full_tie", skip_serializing_if = "is_full_tie")]
    pub tie: i64,
    /// The person who put it into its incident; nothing but a person takes it out while that is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub placed_by: Option<Box<str>>,
    /// What kept people from hearing of the present (or last) firing.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    #[schema(value_type = Vec<Muting>)]
    pub muted: Box<[Muting]>,
    /// When its row was last due for writing; only in memory.
    #[serde(skip)]
    pub recorded_at: Timestamp,
}

const FULL_TIE: i64 = 1_000;
/// An alert with a weaker tie is only loosely part of its incident.
const LOOSE_BELOW: i64 = 600;

const fn full_tie() -> i64 {
    FULL_TIE
}

fn is_full_tie(tie: &i64) -> bool {
    *tie == FULL_TIE
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Flap {
    pub is_flapping: bool,
    /// The monitor detected it; only the monitor ends it.
    #[serde(default)]
    pub is_from_source: bool,
    /// Recent changes between firing and resolved, oldest first; bounded by the flap rule.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed_at: Vec<Timestamp>,
}

impl Alert {
    pub fn is_firing(&self) -> bool {
        self.status == AlertStatus::Firing
    }
    /// Firing, or flapping: not to be counted as over.
    pub fn is_unsettled(&self) -> bool {
        self.is_firing() || self.flap.is_flapping
    }
    /// Part of its incident for want of a better one: it takes nothing else in, and does not keep it open.
    pub fn is_loose(&self) -> bool {
        self.tie < LOOSE_BELOW
    }
    /// When it began to fire, by the monitor's clock where that can be right: not after we heard of it, and not long
    /// before.
    pub fn onset(&self) -> Timestamp {
        self.started_at.clamp(self.fired_at - ONSET_EARLY_MAX, self.fired_at)
    }
    /// What the rarity statistics and the problem signatures count: the name within its source kind.
    pub fn family(&self) -> &str {
        &self.name
    }
    pub fn summary(&self) -> &str {
        self.annotations.get("summary").filter(|text| !text.trim().is_empty()).unwrap_or(&self.name)
    }
    pub fn id(&self) -> String {
        self.fingerprint.to_string()
    }
}
