//! A schedule over time: its shifts one after the other, and the gaps between them.

use serde::Serialize;

use super::{Calendar, Turn};
use crate::model::Timestamp;

/// One person for an uninterrupted time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Shift {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// The name of a person, or of another receiver.
    pub receiver: String,
    /// Whose turn it is, or that somebody stands in.
    #[serde(flatten)]
    pub turn: Turn,
}

/// A time with nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Gap {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

impl Calendar<'_> {
    /// The next instant at which the answer may be another one; none when it stays for ever.
    pub fn changes_after(&self, at: Timestamp) -> Option<Timestamp> {
        let layers = self.schedule.layers.iter().filter_map(|layer| layer.changes_after(&self.zone, at));
        let overrides = self.schedule.overrides.iter().chain(self.later);
        let overrides = overrides.flat_map(|over| [over.starts_at, over.ends_at]).filter(|change| *change > at);
        layers.chain(overrides).min()
    }

    /// All of `from..until`, in order; neighbours differ. What is cut off at an end is shown up to there.
    pub fn shifts(&self, from: Timestamp, until: Timestamp) -> Vec<Shift> {
        let mut shifts: Vec<Shift> = Vec::new();
        self.walk(from, until, |starts_at, ends_at, turn| {
            let Some((receiver, turn)) = turn else { return };
            match shifts.last_mut() {
                Some(last) if last.ends_at == starts_at && last.receiver == receiver && last.turn == turn => {
                    last.ends_at = ends_at;
                }
                _ => shifts.push(Shift { starts_at, ends_at, receiver: receiver.to_owned(), turn }),
            }
        });
        shifts
    }

    /// Times of `from..until` with nobody.
    pub fn gaps(&self, from: Timestamp, until: Timestamp) -> Vec<Gap> {
        let mut gaps: Vec<Gap> = Vec::new();
        self.walk(from, until, |starts_at, ends_at, turn| match (turn, gaps.last_mut()) {
            (Some(_), _) => {}
            (None, Some(last)) if last.ends_at == starts_at => last.ends_at = ends_at,
            (None, _) => gaps.push(Gap { starts_at, ends_at }),
        });
        gaps
    }

    fn walk(&self, from: Timestamp, until: Timestamp, mut see: impl FnMut(Timestamp, Timestamp, Option<(&str, Turn)>)) {
        let mut at = from;
        while at < until {
            let next = self.changes_after(at).map_or(until, |next| next.min(until));
            see(at, next, self.turn(at));
            at = next;
        }
    }
}
