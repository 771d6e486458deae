//! The reason for every decision, kept in order: what `explain` prints.

use serde::{Deserialize, Serialize};

use super::problem::ProblemId;
use super::{Fingerprint, IncidentId, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimelineKind {
    AlertResolved,
    AlertJoined,
    AlertSplit,
    SplitSuggested,
    AlertMuted,
    Flapping,
    IncidentPending,
    IncidentOpened,
    IncidentLapsed,
    IncidentMerged,
    IncidentReopened,
    IncidentResolved,
    IncidentClosed,
    Acknowledged,
    Unacknowledged,
    Assigned,
    Commented,
    RootCause,
    Priority,
    Routed,
    Held,
    Muted,
    Notified,
    Escalated,
    SlaThreshold,
    Delivered,
    DeliveryFailed,
    ProblemProposed,
    ProblemAccepted,
    ProblemRejected,
    ProblemMerged,
    ProblemAnalysed,
    ProblemWorkaround,
    ProblemResolved,
    ProblemReopened,
    ProblemRetitled,
    ProblemLinked,
    ProblemUnlinked,
    Maintenance,
    Silence,
    /// Somebody stands in on a schedule, or no longer does.
    OnCall,
    Configuration,
    /// Something was altered on purpose, or that came to another state.
    Change,
    Quarantined,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TimelineEntry {
    pub at: Timestamp,
    pub kind: TimelineKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Fingerprint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProblemId>,
    /// Person, source or engine stage that decided.
    pub by: String,
    /// What was decided and why, one sentence.
    pub text: String,
}
