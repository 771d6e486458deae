//! What a replay comes to: one incident as it was in the end, one line of JSON.

use serde::{Deserialize, Serialize};

use crate::model::{IncidentId, IncidentState, Priority, Timestamp};

/// One line of `watchbell replay --out`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedIncident {
    pub id: IncidentId,
    pub opened_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    pub state: IncidentState,
    pub priority: Priority,
    /// Ids of the events that made its alerts fire, in order of time.
    pub alerts: Vec<String>,
    /// Best first.
    pub root_causes: Vec<ReplayedCause>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_from: Vec<IncidentId>,
    /// Ids of the changes that may have caused it, the likeliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspect_changes: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplayedCause {
    /// The configuration item.
    pub node: String,
    /// Thousandths.
    pub score: i64,
    /// Percent; only the first has one that was reckoned, the others share what is left.
    pub confidence: u8,
    pub why: String,
}
