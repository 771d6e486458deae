//! Schedules as people see them.

use serde::{Deserialize, Serialize};

use super::{Gap, MadeOverride, Rotation};
use crate::model::Timestamp;

/// Why it is who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TurnBy {
    Layer,
    Override,
}

/// One person for an uninterrupted time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ShiftView {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// The name of a person, or of another receiver.
    pub receiver: String,
    /// A person's name for others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    pub by: TurnBy,
    /// Whose turn it is there; the first layer is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// Id of the override, where people made it; those of the configuration have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_id: Option<String>,
}

/// Who is on call in a schedule at an instant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OnCallView {
    pub schedule: String,
    pub time_zone: String,
    /// Since when nothing has changed, at most a year.
    pub starts_at: Timestamp,
    /// Until when nothing changes; absent when it stays for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// Absent when nobody is on call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<TurnBy>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_id: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ScheduleView {
    pub name: String,
    pub time_zone: String,
    pub may_have_gaps: bool,
    /// Later ones win where they have somebody.
    pub layers: Vec<Rotation>,
    /// Overrides of the configuration, and those that people made and that are not over.
    pub override_count: usize,
    /// Those for whom whoever is on call here is asked.
    pub teams: Vec<String>,
}

/// A time of a schedule: each instant of it is in one shift or one gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OverviewView {
    pub schedule: String,
    pub time_zone: String,
    pub from: Timestamp,
    /// Earlier than asked for when there are too many shifts.
    pub until: Timestamp,
    pub shifts: Vec<ShiftView>,
    /// With nobody.
    pub gaps: Vec<Gap>,
    /// Those that people made and of which something is in this time.
    pub overrides: Vec<MadeOverride>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonView {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    pub teams: Vec<String>,
}
