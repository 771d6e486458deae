//! One layer: people in turn, each for one shift, perhaps at certain times only.

use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::{Wall, Window};
use crate::model::{Span, Timestamp, zone};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The first shift begins; all others at the same time of the day where a shift is whole days.
    #[schema(value_type = String)]
    pub starts_at: Wall,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ends_at: Option<Wall>,
    pub shift: Span,
    /// Names of people, or of other receivers, in turn.
    pub rotation: Vec<String>,
    /// Without any: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub only: Vec<Window>,
}

/// A turn of a rotation.
struct Turn {
    number: i64,
    begins_at: Timestamp,
    ends_at: Timestamp,
}

impl Rotation {
    pub(super) fn who(&self, zone: &TimeZone, at: Timestamp) -> Option<&str> {
        if self.has_ended(zone, at) || !self.is_active(zone, at) {
            return None;
        }
        let turn = self.turn(zone, at)?;
        let people = i64::try_from(self.rotation.len()).ok().filter(|people| *people > 0)?;
        self.rotation.get(usize::try_from(turn.number.rem_euclid(people)).ok()?).map(String::as_str)
    }

    /// The next instant at which the answer may be another one.
    pub(super) fn changes_after(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        if self.has_ended(zone, at) {
            return None;
        }
        let turn = self.turn(zone, at).map(|turn| turn.ends_at);
        let start = self.starts_at.instant(zone).filter(|start| *start > at);
        let end = self.ends_at.and_then(|end| end.instant(zone)).filter(|end| *end > at);
        let windows = self.only.iter().filter_map(|window| window.changes_after(zone, at));
        [turn, start, end].into_iter().flatten().chain(windows).min()
    }

    /// The last instant up to `at` at which the answer may have become the one of then.
    pub(super) fn changed_by(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        let end = self.ends_at.and_then(|end| end.instant(zone)).filter(|end| *end <= at);
        if end.is_some() {
            return end;
        }
        let turn = self.turn(zone, at)?.begins_at;
        self.only.iter().filter_map(|window| window.changed_by(zone, at)).chain([turn]).max()
    }

    /// Somebody has the turn at each instant from then on.
    pub(super) fn is_for_ever(&self, zone: &TimeZone, from: Timestamp) -> bool {
        self.only.is_empty() && self.ends_at.is_none() && self.who(zone, from).is_some()
    }

    fn has_ended(&self, zone: &TimeZone, at: Timestamp) -> bool {
        self.ends_at.and_then(|end| end.instant(zone)).is_some_and(|end| end <= at)
    }

    fn is_active(&self, zone: &TimeZone, at: Timestamp) -> bool {
        self.only.is_empty() || self.only.iter().any(|window| window.covers(zone, at))
    }

    fn turn(&self, zone: &TimeZone, at: Timestamp) -> Option<Turn> {
        let (first, local) = (self.starts_at.local(zone)?, zone::local(zone, at)?);
        let shift_ms = Some(self.shift.as_millis()).filter(|shift| *shift > 0)?;
        let elapsed_ms = i64::try_from(local.duration_since(first).as_millis()).ok()?;
        let begin = |number: i64| zone::instant(zone, nth(first, shift_ms, number)?);
        let mut number = elapsed_ms.div_euclid(shift_ms);
        // An hour that clocks show twice belongs to the turn that it is in the first time; one that they leave out is
        // over at once.
        while begin(number + 1)? <= at {
            number += 1;
        }
        while begin(number)? > at {
            number -= 1;
        }
        (number >= 0).then_some(())?;
        Some(Turn { number, begins_at: begin(number)?, ends_at: begin(number + 1)? })
    }
}

fn nth(first: DateTime, shift_ms: i64, number: i64) -> Option<DateTime> {
    first.checked_add(SignedDuration::from_millis(shift_ms.checked_mul(number)?)).ok()
}
