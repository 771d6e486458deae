//! The cause of one or more incidents; a known error once analysed with a workaround.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::{IncidentId, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProblemId(pub Arc<str>);

impl fmt::Display for ProblemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProblemState {
    /// Seen by the engine, not yet accepted by a person.
    Proposed,
    Open,
    KnownError,
    Resolved,
}

/// What makes two incidents the same fault: the root item and the alert families seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Signature {
    pub root: String,
    pub families: BTreeSet<String>,
}

impl Signature {
    /// True when the roots agree and the families overlap by at least `percent` (Jaccard).
    pub fn is_like(&self, other: &Self, percent: usize) -> bool {
        let shared = self.families.intersection(&other.families).count();
        let all = self.families.len() + other.families.len() - shared;
        self.root == other.root && all > 0 && shared * 100 >= all * percent
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    pub id: ProblemId,
    pub state: ProblemState,
    pub title: String,
    pub signature: Signature,
    pub incidents: Vec<IncidentId>,
    pub proposed_at: Timestamp,
    pub updated_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workaround: Option<String>,
}
