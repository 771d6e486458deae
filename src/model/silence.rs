//! Reasons not to interrupt people: a silence (operator, time-boxed) and a maintenance window (planned).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::recurrence::Recurrence;
use super::{Matcher, Span, Timestamp};

/// Where a silence stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    /// Begins later; of one that recurs, its next occurrence.
    Pending,
    /// Mutes now. What was stored before silences were kept beyond their end is this.
    #[default]
    Active,
    /// Over, and still to be seen for a while.
    Expired,
}

impl SilenceState {
    pub const ALL: [Self; 3] = [Self::Pending, Self::Active, Self::Expired];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Silence {
    pub id: String,
    /// All of them match what is muted.
    pub matchers: Vec<Matcher>,
    /// Of one that recurs: the occurrence that it is in, or the next one.
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// Name of the token or person, or who that says it is.
    pub created_by: String,
    pub comment: String,
    /// What clients of Alertmanager's API keep with it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The last change by a person.
    #[serde(default)]
    pub updated_at: Timestamp,
    /// As of the last moment at which something happened to it.
    #[serde(default)]
    pub state: SilenceState,
    /// The token or person that made it, where `created_by` names another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// A matcher `configuration_item="x"` also fits what depends on x.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub covers_dependants: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Recurrence>,
    /// It ends by itself when nothing that it mutes has fired for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_when_quiet: Option<Span>,
    /// The last moment at which something that it mutes fired; only while it is active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_since: Option<Timestamp>,
    /// When that is looked at next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_check_at: Option<Timestamp>,
}

impl Silence {
    pub fn state_at(&self, now: Timestamp) -> SilenceState {
        if now >= self.ends_at {
            SilenceState::Expired
        } else if now < self.starts_at {
            SilenceState::Pending
        } else {
            SilenceState::Active
        }
    }

    /// Whose it is.
    pub fn owner(&self) -> &str {
        self.owner.as_deref().unwrap_or(&self.created_by)
    }

    /// `team="ops", site!="fra1"`.
    pub fn matchers_text(&self) -> String {
        self.matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// A silence as somebody asks for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SilenceDraft {
    /// Of the silence that is to be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub matchers: Vec<Matcher>,
    /// Both say nothing of one that recurs. 1970 with an `id` is: as it was.
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    pub comment: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Who that is said to be; the asker, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub covers_dependants: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Recurrence>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expire_when_quiet: Option<Span>,
}

/// A window during which something may fail unheard: an item with all below it, one check on an item, or what matches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Maintenance {
    /// Source and item, and the check where the window is for one check only.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_item: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dedup_key: Option<String>,
    /// All of them match what is muted, besides the item where there is one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matchers: Vec<Matcher>,
    pub starts_at: Timestamp,
    /// Absent while the monitor has not said that it is over, and of a window that recurs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<Recurrence>,
    pub reason: String,
}

impl Maintenance {
    /// Of a window that does not recur.
    pub fn is_active(&self, at: Timestamp) -> bool {
        self.starts_at <= at && self.ends_at.is_none_or(|end| at < end)
    }

    /// What it is about, for people.
    pub fn subject(&self) -> String {
        let item = self.configuration_item.iter().cloned();
        item.chain(self.matchers.iter().map(ToString::to_string)).collect::<Vec<_>>().join(", ")
    }
}
