//! Service-level clocks: a target, when it started, what it has already raised.

use serde::{Deserialize, Serialize};

use super::{Span, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// From opening until a person acknowledges.
    Respond,
    /// From opening until the incident is resolved.
    Restore,
}

impl Target {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Respond => "respond",
            Self::Restore => "restore",
        }
    }
}

/// One running promise. Thresholds are raised once each, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Clock {
    /// Name of the SLA in the configuration.
    pub sla: String,
    pub target: Target,
    pub within: Span,
    pub started_at: Timestamp,
    /// Highest threshold already raised, in percent; 0 for none.
    #[serde(default)]
    pub raised_percent: u8,
    /// When the target was met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_at: Option<Timestamp>,
    #[serde(default)]
    pub is_breached: bool,
}

impl Clock {
    pub fn due_at(&self) -> Timestamp {
        self.started_at + self.within
    }
    pub fn is_running(&self) -> bool {
        self.met_at.is_none()
    }
}
