//! An unplanned interruption that people work on: pending → open → acknowledged → resolved → closed.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::alert::AlertNumber;
use super::delivery::DeliveryId;
use super::problem::ProblemId;
use super::sla::Clock;
use super::{Impact, IncidentId, NotificationKind, Priority, Severity, Timestamp, Urgency};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// A group of alerts that is not (yet) worth anyone's attention.
    Pending,
    Open,
    Acknowledged,
    Resolved,
    Closed,
    /// Became part of another incident, which carries this id as an alias.
    Merged,
    /// Was pending and came to nothing.
    Lapsed,
}

impl Incident {
    /// From now on only those are asked who must acknowledge as well.
    pub fn answered_by(&mut self, by: &str) {
        self.unanswered.remove(by);
        match self.unanswered.is_empty() {
            true => self.stop_asking(),
            false => self.reaching.retain(|reaching| self.unanswered.contains(&reaching.person)),
        }
    }

    /// Nobody is asked any more.
    pub fn stop_asking(&mut self) {
        self.escalating = None;
        self.reaching.clear();
        self.unanswered.clear();
    }
}

impl IncidentState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Merged => "merged",
            Self::Lapsed => "lapsed",
        }
    }
    /// Somebody may still have to do something.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Pending | Self::Open | Self::Acknowledged)
    }
}

/// One possible cause with its score and the signed terms that make it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Candidate {
    pub configuration_item: String,
    /// Thousandths.
    pub score: i64,
    /// Name of the term and its share of the score, thousandths.
    #[schema(value_type = Vec<(String, i64)>)]
    pub terms: Vec<(Cow<'static, str>, i64)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct RootCause {
    /// The item, or for an aggregate alert without one the alert's name.
    pub configuration_item: String,
    /// Ids of the alerts on it; empty for a silent item.
    pub alerts: Vec<String>,
    /// One sentence for a tired person.
    pub why: String,
    /// Hundredths.
    pub confidence_percent: u8,
    /// A person who confirmed or corrected it; from then on it is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed_by: Option<String>,
    /// Best first, the chosen one included.
    pub candidates: Vec<Candidate>,
    /// What changed on the item, or on what it depends on, shortly before; the likeliest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suspect_changes: Vec<SuspectChange>,
}

/// A change that may have caused a fault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SuspectChange {
    /// Its source and id, `argocd/deploy-7`.
    pub change: String,
    pub at: Timestamp,
    /// What it was, in one line.
    pub text: String,
}

/// Where the incident goes, decided by the route tree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Routed {
    pub receivers: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalation_policy: Option<String>,
    /// The matchers that led there, for `explain`.
    pub path: String,
    pub group_wait_ms: i64,
    pub group_interval_ms: i64,
    pub repeat_interval_ms: i64,
}

/// The next moments at which people may hear; all of them are durable deadlines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Notifying {
    /// Something is waiting to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flush_at: Option<Timestamp>,
    /// Children wait for their parents' verdict until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_until: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sent_at: Option<Timestamp>,
    /// The state people were told last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Told>,
    /// Why nobody hears at present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub muted: Option<String>,
}

/// What decides whether an update is worth sending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Told {
    pub state: IncidentState,
    pub priority: Priority,
    pub root_cause: Option<String>,
    pub alert_count: u32,
    pub assignee: Option<String>,
}

/// Alerts that came together after a time of quiet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Wave {
    /// When the last alert came, by our clock.
    #[serde(default)]
    pub last_at: Timestamp,
    /// When the quiet ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began_at: Option<Timestamp>,
    /// Those that came since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<u64>)]
    pub alerts: Vec<AlertNumber>,
}

/// A second fault in an incident that somebody works on, for that person to part it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SplitSuggestion {
    /// When the first of its alerts came, by our clock.
    pub began_at: Timestamp,
    /// Ids of the alerts that would leave.
    pub alerts: Vec<String>,
    /// One sentence.
    pub why: String,
    /// What to type to follow it.
    pub command: String,
}

/// The running clock of an escalation policy: present exactly while a level is left to ask.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Escalating {
    pub policy: String,
    pub due_at: Timestamp,
}

/// A person who is being asked: present exactly while a way of reaching them is left to try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Reaching {
    pub person: String,
    /// The step of their contact that comes next; the first is 0.
    pub step: u32,
    pub due_at: Timestamp,
}

/// What a sink calls its copy of the incident, as the sink itself wrote it (JSON text).
pub type RemoteId = String;

/// What has to be known of a delivery that was given up, should somebody want it sent after all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DeadLetter {
    pub sink: String,
    /// Number and kind of its notification.
    pub number: u32,
    pub kind: NotificationKind,
    /// A newer delivery to the same sink that makes it needless.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub outdated_by: Option<DeliveryId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Incident {
    pub id: IncidentId,
    pub state: IncidentState,
    pub title: String,
    pub priority: Priority,
    pub impact: Impact,
    pub urgency: Urgency,
    /// Severity of the root alert, else the worst that fires.
    pub severity: Severity,
    /// Event time of its first alert.
    pub started_at: Timestamp,
    /// When it became an incident.
    pub opened_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_cause: Option<RootCause>,
    /// Its alerts carry its id; here are only the numbers.
    pub alert_count: u32,
    pub firing_count: u32,
    /// First items by name, at most [`ITEMS_SHOWN`](super::notification::ITEMS_SHOWN).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub configuration_items: Vec<String>,
    pub configuration_item_count: u32,
    pub services: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Routed>)]
    pub routed: Option<Arc<Routed>>,
    #[serde(default)]
    pub notifying: Notifying,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalating: Option<Escalating>,
    /// Levels asked since it was opened (or reopened), rounds added up.
    #[serde(default)]
    pub escalated_levels: u32,
    /// People who are being asked, in order of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reaching: Vec<Reaching>,
    /// People of a level at which all must acknowledge, who have not yet.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub unanswered: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clocks: Vec<Clock>,
    /// By sink name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub remotes: BTreeMap<String, RemoteId>,
    /// Sinks at which a delivery was given up without a clear answer: the object may be there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub doubted: BTreeSet<String>,
    /// Deliveries that were given up, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, DeadLetter>)]
    pub dead_letters: BTreeMap<DeliveryId, DeadLetter>,
    /// Sinks that were told of it and must therefore hear its end.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub audience: BTreeSet<String>,
    /// Notifications made so far; numbers their ids.
    #[serde(default)]
    pub notification_count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<ProblemId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<IncidentId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_from: Vec<IncidentId>,
    /// Incidents that alerts came from, because they were another fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub split_from: Vec<IncidentId>,
    /// Incidents that alerts went to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub split_into: Vec<IncidentId>,
    /// The person who parted it from another one; it is not merged by itself from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_by: Option<String>,
    /// Alerts that look like another fault, while somebody works on this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_suggestion: Option<SplitSuggestion>,
    /// Start of the present episode, when the fault came back after people were told of its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopened_at: Option<Timestamp>,
    /// Its priority is to be worked out from nothing: new, or reopened.
    #[serde(default)]
    pub is_unranked: bool,
    /// When its alerts came, for telling a second fault from the first one.
    #[serde(default)]
    pub wave: Wave,
    /// State before monitoring reported everything as over; what it returns to when that was premature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_before_resolve: Option<IncidentState>,
    /// Alerts counted when the cause was last ranked; ranking again waits for enough news.
    #[serde(default)]
    pub ranked_alerts: u32,
    /// The priority under which the gauge counts it as open; only in memory.
    #[serde(skip)]
    pub counted_as: Option<Priority>,
}
