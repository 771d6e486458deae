//! The cause of one or more incidents: proposed → open → analysed → known error → resolved.
//!
//! A proposal that a person declined is `rejected`, one that turned out to be another one is `merged`. Which
//! step may follow which is decided in `engine/problem/work.rs`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{IncidentId, NotificationKind, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProblemId(pub Arc<str>);

impl ProblemId {
    /// `prb-7k2m` from `prb-7k2m` or `7k2m`: what an id that a person typed begins with.
    pub fn beginning(typed: &str) -> String {
        let typed = typed.trim().to_ascii_lowercase();
        if typed.starts_with("prb-") { typed } else { format!("prb-{typed}") }
    }
}

impl fmt::Display for ProblemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemState {
    /// Seen by the engine, not yet accepted by a person.
    Proposed,
    /// Accepted: somebody is to find the cause.
    Open,
    /// The cause is known, and what to do about it is not.
    Analysed,
    /// Cause and workaround are known; it is not fixed.
    KnownError,
    /// Fixed. A recurrence opens it again.
    Resolved,
    /// A proposal that a person declined. The like of it is not proposed while this stands.
    Rejected,
    /// Became part of another problem; this id leads there.
    Merged,
}

impl ProblemState {
    pub const ALL: [Self; 7] =
        [Self::Proposed, Self::Open, Self::Analysed, Self::KnownError, Self::Resolved, Self::Rejected, Self::Merged];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Open => "open",
            Self::Analysed => "analysed",
            Self::KnownError => "known_error",
            Self::Resolved => "resolved",
            Self::Rejected => "rejected",
            Self::Merged => "merged",
        }
    }

    /// As people read it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::KnownError => "a known error",
            state => state.as_str(),
        }
    }

    /// Somebody may still have to do something.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Proposed | Self::Open | Self::Analysed | Self::KnownError)
    }

    /// People work on it.
    pub const fn is_accepted(self) -> bool {
        matches!(self, Self::Open | Self::Analysed | Self::KnownError)
    }
}

/// What makes two incidents the same fault: the root item, or one of its kind, and the alert families seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Signature {
    /// Absent in a problem of all items of a kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// The kind that the topology gives the root item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    pub families: BTreeSet<String>,
}

/// Where a problem's signature applies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Item(String),
    Kind(String),
}

impl Signature {
    /// The item, and without one its kind.
    pub fn scope(&self) -> Option<Scope> {
        self.root.clone().map(Scope::Item).or_else(|| self.kind.clone().map(Scope::Kind))
    }

    /// Where an incident with this signature is looked for, the closest first.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> {
        let item = self.root.clone().map(Scope::Item);
        item.into_iter().chain(self.kind.clone().map(Scope::Kind))
    }

    /// True when the families overlap by at least `percent` (Jaccard).
    pub fn is_like(&self, other: &Self, percent: usize) -> bool {
        let shared = self.families.intersection(&other.families).count();
        let all = self.families.len() + other.families.len() - shared;
        all > 0 && shared * 100 >= all * percent
    }
}

/// Incidents that a problem names, the latest; it counts all.
pub const INCIDENTS_NAMED_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    pub id: ProblemId,
    pub state: ProblemState,
    pub title: String,
    /// Which incidents belong to it by themselves; absent when nobody knew the cause of the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<Signature>,
    /// The latest ones, at most [`INCIDENTS_NAMED_MAX`], oldest first.
    pub incidents: Vec<IncidentId>,
    pub incident_count: u32,
    /// When an incident of it was last tied to it.
    pub last_seen_at: Timestamp,
    /// `watchbell` when it was proposed, else a person.
    pub created_by: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Person or team that works on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root_cause_analysis: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workaround: Option<String>,
    /// The last word on its end: how it was resolved, or why it was rejected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_error_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
    /// It had been resolved and is open again since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reopened_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merged_into: Option<ProblemId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub merged_from: Vec<ProblemId>,
    /// Incidents that a person took out of it, the latest; they do not come back by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unlinked: Vec<IncidentId>,
    /// News of it that waits until the end of its latest incident has been told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untold: Option<NotificationKind>,
}

impl Problem {
    /// The state that its texts give it once it is accepted.
    pub const fn worked_state(&self) -> ProblemState {
        match (&self.root_cause_analysis, &self.workaround) {
            (Some(_), Some(_)) => ProblemState::KnownError,
            (Some(_), None) => ProblemState::Analysed,
            (None, _) => ProblemState::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(families: &[&str]) -> Signature {
        let families = families.iter().map(|family| (*family).to_owned()).collect();
        Signature { root: Some("web1".into()), kind: None, families }
    }

    #[test]
    fn likeness_is_the_share_of_families_that_both_have() {
        for (one, two, percent) in [
            (&["a", "b", "c"][..], &["a", "b", "c"][..], 100),
            (&["a", "b", "c"], &["a", "b", "c", "d", "e"], 60),
            (&["a"], &["a", "b"], 50),
            (&["a"], &["b"], 0),
        ] {
            let (one, two) = (signature(one), signature(two));
            assert!(percent == 0 || one.is_like(&two, percent) && two.is_like(&one, percent), "{percent}");
            assert!(!one.is_like(&two, percent + 1), "{percent}");
        }
        assert!(!signature(&[]).is_like(&signature(&[]), 1), "nothing is like nothing");
    }
}
