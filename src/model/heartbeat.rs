//! A heartbeat: a sign of life that somebody outside gives again and again. What is known of one, and what it looks
//! like to people; when it counts as missing is decided in `engine/heartbeat.rs`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Span, Timestamp};

/// What is remembered of one from beat to beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    pub expected_since: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_beat: Option<Beat>,
    /// People are told since then that it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Beat {
    pub at: Timestamp,
    pub by: BeatBy,
}

/// How a beat came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum BeatBy {
    /// To the heartbeat's URL.
    Request,
    /// By an alert that its matchers take.
    Alert,
}

/// It is alive, and says itself that it failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    pub since: Timestamp,
    /// What came with the latest word of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Heartbeat {
    pub const fn expected_since(at: Timestamp) -> Self {
        Self { expected_since: at, last_beat: None, missed_at: None, failure: None }
    }

    /// Its time counts from here.
    pub fn heard_at(&self) -> Timestamp {
        self.last_beat.map_or(self.expected_since, |beat| beat.at)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HeartbeatState {
    /// Never heard yet, and not missing yet.
    Waiting,
    Alive,
    /// Its time is over, its grace is not.
    Late,
    Missing,
    /// Its last beat said that it failed.
    Failed,
}

impl HeartbeatState {
    pub const ALL: [Self; 5] = [Self::Waiting, Self::Alive, Self::Late, Self::Missing, Self::Failed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Alive => "alive",
            Self::Late => "late",
            Self::Missing => "missing",
            Self::Failed => "failed",
        }
    }
}

/// A heartbeat as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatView {
    pub name: String,
    pub state: HeartbeatState,
    pub every: Span,
    pub grace: Span,
    pub expected_since: Timestamp,
    /// Absent before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_beat: Option<Beat>,
    /// When the next beat is expected.
    pub due_at: Timestamp,
    /// When people hear that there was none.
    pub missing_at: Timestamp,
    /// When the beat that is missing was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_since: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}
