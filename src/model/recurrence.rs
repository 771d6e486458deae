//! Something that happens again and again: a rule of RFC 5545, the time zone in which its times stand, and how
//! long each occurrence lasts.

use serde::{Deserialize, Serialize};

use super::{Span, Timestamp};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recurrence {
    /// `FREQ=WEEKLY;BYDAY=SA`.
    pub rrule: String,
    /// A name of the time zone database: `Europe/Berlin`. Its times stay when clocks are put forward or back.
    pub time_zone: String,
    /// The first occurrence begins then, and each other one at that time of the day.
    pub starts_at: Timestamp,
    /// Of each occurrence.
    pub duration: Span,
}
