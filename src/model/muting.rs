//! What kept people from hearing of an alert, from when to when: always a cause that has a name.

use serde::{Deserialize, Serialize};

use super::{IncidentId, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MutedBy {
    Silence,
    /// Another alert, by a rule.
    Inhibition,
    Maintenance,
    /// The time of the week, for one group.
    TimeInterval,
    /// Its incident waits for the verdict on what it depends on.
    HoldDown,
    /// Its receiver has had its share of interruptions.
    Throttle,
    /// Not worth an incident: too harmless, or not settled yet.
    NoIncident,
}

impl MutedBy {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silence => "silence",
            Self::Inhibition => "inhibition",
            Self::Maintenance => "maintenance",
            Self::TimeInterval => "time_interval",
            Self::HoldDown => "hold_down",
            Self::Throttle => "throttle",
            Self::NoIncident => "no_incident",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Muting {
    pub by: MutedBy,
    /// Id of the silence, of the alert that inhibits or of the window; names of the time intervals; the incident that
    /// waits. Empty where there is no incident.
    pub cause: String,
    /// Place of the inhibition rule in the configuration, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<u32>,
    /// The same in words.
    pub why: String,
    /// Only in this group; absent where it is so for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<IncidentId>,
    pub from: Timestamp,
    /// Absent while it lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Muting {
    pub fn is_at(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}
