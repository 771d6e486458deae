//! One firing of an alert: from when to when, what muted it, and who was told. An alert that fires again has another
//! one; history keeps each.

use serde::{Deserialize, Serialize};
use std::sync::Arc;

use super::alert::{Alert, AlertNumber};
use super::delivery::DeliveryId;
use super::muting::Muting;
use super::{IncidentId, NotificationKind, Timestamp};

/// A firing that is over, as the engine tells it to the store.
#[derive(Clone, Debug, PartialEq)]
pub struct PastFiring {
    pub number: AlertNumber,
    pub from: Timestamp,
    pub until: Timestamp,
    /// The groups that it was in when it ended.
    pub groups: Vec<GroupName>,
    /// Absent while the alert's own row says it, which is until the alert fires again.
    pub alert: Option<Arc<Alert>>,
}

/// A group of alerts by its names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GroupName {
    /// What its deliveries begin with.
    pub id: IncidentId,
    /// Route and labels, as Alertmanager writes them.
    pub key: String,
    pub receiver: String,
}

/// A firing as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Firing {
    /// When we heard that it fires.
    pub from: Timestamp,
    /// When we heard that it is over; absent while it fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// As it was when this firing ended, or as it is.
    pub alert: Alert,
    /// What kept people from hearing of it, in order.
    pub muted: Vec<Muting>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// Where people are told of groups: those that it was in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupName>,
    /// What was sent about it, in order.
    pub deliveries: Vec<FiringDelivery>,
    /// There are more than are shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deliveries_are_cut: bool,
}

/// A delivery in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FiringDelivery {
    #[schema(value_type = String)]
    pub id: DeliveryId,
    pub receiver: String,
    pub sink: String,
    pub kind: NotificationKind,
    pub created_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// `pending`, `delivered`, `superseded`, `cancelled` or `exhausted`.
    pub state: String,
}
