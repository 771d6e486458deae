//! Who is on call at an instant: an override that covers it, else the turn of the uppermost layer that has somebody then.
//!
//! ```text
//! override   ········ cleo ·············      the last one that covers wins
//! layer 2    ───────────────── dora ────      nights only: `only`
//! layer 1    anna ─────┐ben ─────┐anna ─      each for one `shift`, handed over at the same time of the day
//! ```
//!
//! Exactly one answer for each instant: a person, or nobody. Shifts are counted on the wall clock of the schedule's time
//! zone, so that a hand-over at 09:00 stays at 09:00 when clocks are put forward or back. Never reads a clock.

mod made;
mod overview;
mod rotation;
#[cfg(test)]
mod tests;
pub mod view;
mod wall;
mod window;

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Timestamp, zone};

pub use made::MadeOverride;
pub use overview::{Gap, Overview, Shift, Stretch};
pub use rotation::Rotation;
pub use wall::{Wall, WallError};
pub use window::{Window, WindowError};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// A name of the time zone database.
    #[serde(default = "utc")]
    pub time_zone: String,
    /// Later ones win where they have somebody.
    pub layers: Vec<Rotation>,
    /// The last one that covers an instant wins, so that a swap can be swapped again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Times with nobody are meant.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_have_gaps: bool,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { time_zone: utc(), layers: Vec::new(), overrides: Vec::new(), may_have_gaps: false }
    }
}

fn utc() -> String {
    "UTC".to_owned()
}

/// Somebody instead of whoever has the turn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// The name of a person, or of another receiver.
    pub receiver: String,
}

impl Override {
    pub fn covers(&self, at: Timestamp) -> bool {
        self.starts_at <= at && at < self.ends_at
    }
}

/// Why it is who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Of a layer; the first is 0.
    Layer(usize),
    /// Those of the configuration first.
    Override(usize),
}

/// A schedule ready to be asked: its time zone is looked up once.
pub struct Calendar<'a> {
    schedule: &'a Schedule,
    /// What people said since; they win over those of the configuration.
    later: &'a [Override],
    zone: TimeZone,
}

impl Schedule {
    /// `later` are the overrides that people have made.
    pub fn calendar<'a>(&'a self, later: &'a [Override]) -> Calendar<'a> {
        // The configuration accepts known names only.
        Calendar { schedule: self, later, zone: zone::find(&self.time_zone).unwrap_or(TimeZone::UTC) }
    }
}

impl<'a> Calendar<'a> {
    pub fn who(&self, at: Timestamp) -> Option<&'a str> {
        self.turn(at).map(|(receiver, _)| receiver)
    }

    pub fn turn(&self, at: Timestamp) -> Option<(&'a str, Turn)> {
        if let Some((number, over)) = self.override_at(at) {
            return Some((&over.receiver, Turn::Override(number)));
        }
        let layers = self.schedule.layers.iter().enumerate().rev();
        layers.into_iter().find_map(|(number, layer)| Some((layer.who(&self.zone, at)?, Turn::Layer(number))))
    }

    /// The last one that covers an instant, with its number.
    fn override_at(&self, at: Timestamp) -> Option<(usize, &'a Override)> {
        let last = |all: &[Override]| all.iter().rposition(|over| over.covers(at));
        let (written, said) = (&self.schedule.overrides, self.later);
        let of_people = last(said).and_then(|number| Some((written.len() + number, said.get(number)?)));
        of_people.or_else(|| last(written).and_then(|number| Some((number, written.get(number)?))))
    }
}
