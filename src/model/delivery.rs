//! The durable outcome of one notification for one sink.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::incident::RemoteId;
use super::{IncidentId, Notification, Timestamp};

/// `<incident>.<number>.<sink>`: stable over retries and crashes, the idempotency key everywhere.
pub type DeliveryId = String;

/// The incident that a delivery's id begins with.
pub fn incident_of(id: &str) -> Option<IncidentId> {
    id.split_once('.')?.0.parse().ok()
}

/// The number of the notification that a delivery's id holds.
pub fn number_of(id: &str) -> Option<u32> {
    id.split('.').nth(1)?.parse().ok()
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum DeliveryState {
    /// Waiting for its turn or its next try.
    Pending,
    /// The receiver confirmed it; `proof` is what it answered (an id, a status).
    Delivered {
        proof: String,
    },
    /// A newer delivery for the same incident and sink carries the present state.
    Superseded {
        #[schema(value_type = String)]
        by: DeliveryId,
    },
    Cancelled {
        by: String,
    },
    /// Given up; `fallback` names the delivery that went elsewhere instead.
    Exhausted {
        reason: String,
        #[schema(value_type = Option<String>)]
        fallback: Option<DeliveryId>,
    },
}

impl DeliveryState {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered { .. } => "delivered",
            Self::Superseded { .. } => "superseded",
            Self::Cancelled { .. } => "cancelled",
            Self::Exhausted { .. } => "exhausted",
        }
    }
}

/// What came of the requests of one delivery so far; survives a crash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Progress {
    /// The remote object, as soon as the sink knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub remote: Option<RemoteId>,
    /// Which of the sink's requests comes next; 0 is the first.
    #[serde(default)]
    pub step: u16,
    /// A request may have taken effect without our knowing: look before creating again.
    #[serde(default)]
    pub is_ambiguous: bool,
    /// The receiver said when to come back, which is the delivery's `due_at`: until then the sink gets
    /// nothing at all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_deferred: bool,
}

/// How a dead letter came to another life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Redriven {
    /// Counts for giving it up again.
    pub at: Timestamp,
    /// Who asked for it.
    pub by: String,
    /// What stood in when it was given up; that is not done twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub stand_in: Option<DeliveryId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Delivery {
    #[schema(value_type = String)]
    pub id: DeliveryId,
    pub incident: IncidentId,
    /// Name of the sink instance, `<receiver>/<kind>` unless configured otherwise.
    pub sink: String,
    pub receiver: String,
    #[serde(flatten)]
    pub state: DeliveryState,
    /// Sends intended so far. Written before a send, so that a crash cannot hide one.
    pub attempts: u32,
    /// Not to be sent before.
    pub due_at: Timestamp,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    #[serde(default)]
    pub progress: Progress,
    /// What the last failure said; no secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
    /// Sinks that get the same notification on their own: none of them is told twice to stand in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub together_with: Vec<String>,
    /// Those of them that get it in other words, because the incident has ended since, and by which delivery.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub told_otherwise: BTreeMap<String, DeliveryId>,
    /// The delivery this one stands in for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub fallback_for: Option<DeliveryId>,
    /// It was a dead letter and was asked for once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redriven: Option<Redriven>,
    #[schema(value_type = Notification)]
    pub notification: Arc<Notification>,
}
