//! Overrides that people made while the daemon ran: one shift for somebody else, or two that two people exchange.

use serde::{Deserialize, Serialize};

use super::Override;
use crate::model::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MadeOverride {
    pub id: String,
    pub schedule: String,
    /// One; of a swap two.
    pub shifts: Vec<Override>,
    /// Name of the token or person.
    pub made_by: String,
    pub made_at: Timestamp,
    /// Of those of one schedule the highest that covers an instant wins.
    pub number: u64,
}

impl MadeOverride {
    pub fn ends_at(&self) -> Timestamp {
        self.shifts.iter().map(|shift| shift.ends_at).max().unwrap_or_default()
    }

    pub fn is_over(&self, at: Timestamp) -> bool {
        self.ends_at() <= at
    }

    /// As it stays when it no longer counts from `at` on: what is past was so.
    pub fn ended(&self, at: Timestamp) -> Self {
        let mut ended = self.clone();
        ended.shifts.retain(|shift| shift.starts_at < at);
        ended.shifts.iter_mut().for_each(|shift| shift.ends_at = shift.ends_at.min(at));
        ended
    }
}
