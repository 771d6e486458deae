//! An immutable observation from a source, after parsing: the normalized event of the journal, of
//! `replay` and of the `generic` source. One JSON object; `docs/architecture.md` shows it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Labels, Severity, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventStatus {
    /// The condition holds.
    Firing,
    /// The condition is over.
    Resolved,
    /// A person has taken it over, in the monitor.
    Acknowledged,
    /// Something was said about it; `note` says what, `marker` what it means to the engine.
    Commented,
}

impl EventStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Acknowledged => "acknowledged",
            Self::Commented => "commented",
        }
    }
}

/// What a monitor said beyond firing and resolved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Marker {
    FlappingStarted,
    FlappingStopped,
    /// A planned window begins on the item (or on this check of it).
    DowntimeStarted,
    DowntimeEnded,
    /// The monitor itself holds the alert back, or shows it again.
    Suppressed,
    Unsuppressed,
    /// An acknowledgement was taken back.
    Unacknowledged,
    /// The monitor has not settled yet (Nagios SOFT): known, but no reason to page.
    Soft,
    /// The monitor cannot see the item because something before it is down (Nagios UNREACHABLE).
    Unreachable,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Event {
    /// Unique for each observation; a redelivery of the same observation carries the same id.
    pub id: String,
    /// When it happened, by the monitor's clock.
    pub at: Timestamp,
    /// When it reached us, by ours.
    pub received_at: Timestamp,
    /// Name of the source instance, for example `prod-zabbix`.
    pub source: String,
    pub status: EventStatus,
    /// What is wrong, without the item: `HostDown`, `Disk full`.
    pub name: String,
    /// Identity of the condition within the source; firing and resolved share it.
    pub dedup_key: String,
    pub severity: Severity,
    /// The component it is about, as the source names it; `engine/normalize.rs` resolves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_item: Option<String>,
    /// The business service, where the source knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// `summary`, `description`, `runbook_url` and what else is for reading.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    /// Back to the monitor's own page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Firing until then unless it is sent again (Prometheus `endsAt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// That time is ours: the sender named none.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_end_assumed: bool,
    /// Of what is over: when it began, where the sender says so (`startsAt`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Other names of the item: alias, address, display name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Items that this one depends on, as the monitor knows it (Nagios parents).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<Marker>,
    /// Who acknowledged or commented, as the monitor names them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What they said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Fields that nobody asked for, kept as they came.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, serde_json::Value>,
}

/// Labels on one event.
pub const LABELS_MAX: usize = 64;
/// Bytes of a label's name.
pub const LABEL_NAME_BYTES_MAX: usize = 256;
/// Bytes of a label's value.
pub const LABEL_VALUE_BYTES_MAX: usize = 4_096;
/// Bytes of an annotation's value, a name, a key or a note.
pub const TEXT_BYTES_MAX: usize = 64 * 1_024;
/// Bytes of a name, a dedup key or an item.
pub const NAME_BYTES_MAX: usize = 1_024;

impl Event {
    /// The line that people read first.
    pub fn summary(&self) -> &str {
        self.annotations.get("summary").filter(|text| !text.trim().is_empty()).unwrap_or(&self.name)
    }
}
