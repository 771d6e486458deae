//! What a step asks of the world. State itself is not among them: it travels as [`Changes`].
//!
//! [`Changes`]: super::state::Changes

use crate::model::audit::AuditEntry;
use crate::model::{Delivery, TimelineEntry};

use super::input::Reply;

#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A delivery is to be sent, or sent again, from its `due_at` on.
    Deliver(Box<Delivery>),
    /// A delivery has ended; whoever holds it lets go.
    Settle(String),
    Timeline(TimelineEntry),
    Audit(AuditEntry),
    Reply(Reply),
    Count(Counter),
}

/// Facts that only metrics want.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    IncidentOpened,
    IncidentMuted,
    SlaBreached,
    Heartbeat(HeartbeatOutcome),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HeartbeatOutcome {
    Alive,
    /// Alive, and says that it failed.
    Failed,
    Missed,
}

impl HeartbeatOutcome {
    pub const ALL: [Self; 3] = [Self::Alive, Self::Failed, Self::Missed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Failed => "failed",
            Self::Missed => "missed",
        }
    }
}
