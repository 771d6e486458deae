//! Reasons not to interrupt people: a silence (operator, time-boxed) and a maintenance window (planned).

use serde::{Deserialize, Serialize};

use super::{Matcher, Timestamp};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Silence {
    pub id: String,
    /// All of them match what is muted.
    pub matchers: Vec<Matcher>,
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// Name of the token or person.
    pub created_by: String,
    pub comment: String,
}

/// A window during which an item (with all below it) or one check on it may fail unheard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Source and item, and the check where the window is for one check only.
    pub id: String,
    pub configuration_item: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<String>,
    pub starts_at: Timestamp,
    /// Absent while the monitor has not said that it is over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    pub reason: String,
}

impl Maintenance {
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.starts_at <= at && self.ends_at.is_none_or(|end| at < end)
    }
}
