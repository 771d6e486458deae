//! The decision to tell a receiver, with everything a sink may want to show: the present state of
//! the incident at that moment. Also the body of the `webhook` sink (`docs/webhook.md`).

use serde::{Deserialize, Serialize};

use super::incident::RootCause;
use super::problem::{Problem, ProblemState};
use super::{Alert, GroupView, Impact, IncidentId, IncidentState, Labels, Priority, Severity, Timestamp, Urgency};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    Opened,
    /// Something worth knowing changed; edits in place, interrupts nobody.
    Updated,
    /// Worse than people were told.
    PriorityRaised,
    Acknowledged,
    /// Still open after the repeat interval.
    Repeated,
    /// The next level of the escalation policy is asked.
    Escalated,
    /// A service level threshold was reached.
    SlaThreshold,
    Reopened,
    Resolved,
    /// Continues as part of another incident.
    Merged,
    /// A problem was proposed from recurring incidents.
    ProblemProposed,
    /// A person took it on.
    ProblemAccepted,
    /// Its cause is known, and a workaround.
    ProblemKnownError,
    ProblemResolved,
    /// Sent by `test-sink`.
    Test,
}

impl NotificationKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Updated => "updated",
            Self::PriorityRaised => "priority_raised",
            Self::Acknowledged => "acknowledged",
            Self::Repeated => "repeated",
            Self::Escalated => "escalated",
            Self::SlaThreshold => "sla_threshold",
            Self::Reopened => "reopened",
            Self::Resolved => "resolved",
            Self::Merged => "merged",
            Self::ProblemProposed => "problem_proposed",
            Self::ProblemAccepted => "problem_accepted",
            Self::ProblemKnownError => "problem_known_error",
            Self::ProblemResolved => "problem_resolved",
            Self::Test => "test",
        }
    }

    /// Meant to interrupt a person, so a quiet update may not take its place.
    pub const fn is_loud(self) -> bool {
        matches!(
            self,
            Self::Opened
                | Self::PriorityRaised
                | Self::Repeated
                | Self::Escalated
                | Self::SlaThreshold
                | Self::Reopened
                | Self::Test
        )
    }

    /// Whether one of this kind makes an older one to the same receiver needless: an end and something loud
    /// do, a quiet edit only where the other is one too. So a page is never replaced by an edit.
    pub const fn outdates(self, older: Self) -> bool {
        self.is_final() || self.is_loud() || !(older.is_final() || older.is_loud())
    }

    /// News of the problem behind the incident, which may come after the incident's end; it asks nothing of
    /// anyone.
    pub const fn is_about_problem(self) -> bool {
        matches!(self, Self::ProblemProposed | Self::ProblemAccepted | Self::ProblemKnownError | Self::ProblemResolved)
    }

    /// Nothing more is asked of anyone afterwards.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Resolved | Self::Merged)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Notification {
    /// `<incident>.<number>`, the number rising by one within the incident.
    pub id: String,
    pub number: u32,
    pub kind: NotificationKind,
    pub at: Timestamp,
    /// Why this is sent now, one sentence.
    pub reason: String,
    pub incident: IncidentView,
    /// Where people are told of groups: the group, of which `incident` is a summary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Box<GroupView>>,
}

/// The incident as people see it. Lists are cut; the counts are not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct IncidentView {
    pub id: IncidentId,
    pub state: IncidentState,
    pub title: String,
    pub priority: Priority,
    pub impact: Impact,
    pub urgency: Urgency,
    pub severity: Severity,
    pub started_at: Timestamp,
    pub opened_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_cause: Option<RootCause>,
    pub services: Vec<String>,
    /// First items, at most [`ITEMS_SHOWN`].
    pub configuration_items: Vec<String>,
    pub configuration_item_count: u32,
    /// The alerts that say most, at most [`ALERTS_SHOWN`].
    pub alerts: Vec<AlertView>,
    pub alert_count: u32,
    pub firing_count: u32,
    pub clocks: Vec<ClockView>,
    /// A known error's workaround, or the problem this belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProblemView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<IncidentId>,
    /// Page about it, where a public address is configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

pub const ITEMS_SHOWN: usize = 10;
pub const ALERTS_SHOWN: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AlertView {
    pub id: String,
    pub source: String,
    pub name: String,
    pub summary: String,
    pub severity: Severity,
    pub status: super::AlertStatus,
    pub started_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_item: Option<String>,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub annotations: Labels,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl AlertView {
    pub fn of(alert: &Alert) -> Self {
        Self {
            id: alert.id(),
            source: alert.source.to_string(),
            name: alert.name.to_string(),
            summary: alert.summary().to_owned(),
            severity: alert.severity,
            status: alert.status,
            started_at: alert.started_at,
            configuration_item: alert.configuration_item.as_deref().map(str::to_owned),
            labels: alert.labels.clone(),
            annotations: alert.annotations.clone(),
            runbook_url: alert.annotations.get("runbook_url").map(str::to_owned),
            url: alert.url.as_deref().map(str::to_owned),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ClockView {
    pub sla: String,
    pub target: super::sla::Target,
    pub due_at: Timestamp,
    pub is_breached: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ProblemView {
    pub id: String,
    pub title: String,
    pub state: ProblemState,
    /// Incidents so far.
    pub incident_count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_cause_analysis: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workaround: Option<String>,
    /// It had been resolved and has come back since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopened_at: Option<Timestamp>,
}

impl ProblemView {
    /// Nothing of a proposal that was declined.
    pub fn of(problem: &Problem) -> Option<Self> {
        (problem.state != ProblemState::Rejected).then(|| Self {
            id: problem.id.to_string(),
            title: problem.title.clone(),
            state: problem.state,
            incident_count: problem.incident_count,
            root_cause_analysis: problem.root_cause_analysis.clone(),
            workaround: problem.workaround.clone(),
            reopened_at: problem.reopened_at,
        })
    }
}
