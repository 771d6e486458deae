//! Something that happens again and again: a rule of RFC 5545, the time zone in which its times stand, and how long
//! each occurrence lasts. Decides when the next one is; never reads a clock, and its time zones are those that were
//! built in, so that a replay finds the same moments on every machine.
//!
//! Both ends of an occurrence stand on the wall clock: from 22:00 for 8 hours is until 06:00, also in the night in
//! which clocks are put forward. A time that such a night leaves out happens an hour later, one that it repeats the
//! first time.

mod rule;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::zone::{self, local};
use super::{Span, Timestamp};
use crate::mutant::{self, Mutant};
use rule::Rule;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Recurrence {
    /// `FREQ=WEEKLY;BYDAY=SA`.
    pub rrule: String,
    /// A name of the time zone database: `Europe/Berlin`. Its times stay when clocks are put forward or back.
    pub time_zone: String,
    /// No occurrence begins earlier, and each begins at that time of the day.
    pub starts_at: Timestamp,
    /// Of each occurrence.
    pub duration: Span,
    /// None begins later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

/// What is wrong with a recurrence: the field, what came, what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: got {got}, expected {expected}")]
pub struct RecurrenceError {
    pub field: &'static str,
    pub got: String,
    pub expected: String,
}

impl RecurrenceError {
    fn new(field: &'static str, got: impl Into<String>, expected: impl Into<String>) -> Self {
        let got: String = got.into().chars().take(120).collect();
        let got = if got.trim().is_empty() { "nothing".to_owned() } else { format!("`{got}`") };
        Self { field, got, expected: expected.into() }
    }
}

/// An occurrence is at most so long.
const DURATION_MAX: Span = Span::from_hours(31 * 24);

impl Recurrence {
    /// # Errors
    /// When the rule, the time zone or the duration is none.
    pub fn check(&self) -> Result<(), RecurrenceError> {
        if self.duration <= Span::ZERO || self.duration > DURATION_MAX {
            let expected = format!("more than nothing and at most {}", DURATION_MAX.human());
            return Err(RecurrenceError::new("duration", self.duration.to_string(), expected));
        }
        self.calendar().map(drop)
    }

    fn calendar(&self) -> Result<Calendar, RecurrenceError> {
        let zone = zone::find(&self.time_zone).ok_or_else(|| {
            let expected = "a name of the time zone database such as `Europe/Berlin`";
            RecurrenceError::new("time_zone", self.time_zone.clone(), expected)
        })?;
        let starts_at = local(&zone, self.starts_at).ok_or_else(|| {
            RecurrenceError::new("starts_at", self.starts_at.to_string(), "a time within the calendar")
        })?;
        let mut rule: Rule = self.rrule.parse()?;
        rule.until = rule.until.map(|until| until.in_zone(&zone));
        let first = jiff::Timestamp::from_millisecond(self.starts_at.as_millis()).unwrap_or_default();
        Ok(Calendar { rule, zone, first, starts_at, duration: self.duration, until: self.until })
    }

    /// The first occurrence that is not over at `at`; none when there is none any more.
    pub fn first_after(&self, at: Timestamp) -> Option<Occurrence> {
        self.calendar().ok()?.first_after(at)
    }

    /// For people: the rule, and where its times stand.
    pub fn text(&self) -> String {
        format!("{} for {} ({})", self.rrule, self.duration.human(), self.time_zone)
    }
}

struct Calendar {
    rule: Rule,
    zone: TimeZone,
    /// Where the recurrence begins.
    first: jiff::Timestamp,
    starts_at: DateTime,
    duration: Span,
    until: Option<Timestamp>,
}

impl Calendar {
    fn first_after(&self, at: Timestamp) -> Option<Occurrence> {
        // A day more than its length covers whatever clocks do in between.
        let from = local(&self.zone, at - self.duration - Span::from_hours(48))?.date();
        let all = self.rule.dates(self.starts_at, from).filter_map(|date| self.on(date));
        all.take_while(|occurrence| self.until.is_none_or(|until| occurrence.starts_at <= until))
            .find(|occurrence| occurrence.ends_at > at)
    }

    fn on(&self, date: jiff::civil::Date) -> Option<Occurrence> {
        let begin = date.to_datetime(self.starts_at.time());
        let end = begin.checked_add(jiff::SignedDuration::from_millis(self.duration.as_millis())).ok()?;
        let (starts_at, ends_at) = (self.instant(begin)?, self.instant(end)?);
        // Where clocks leave out the hour between the two.
        let ends_at = if ends_at > starts_at { ends_at } else { starts_at + self.duration };
        Some(Occurrence { starts_at, ends_at })
    }

    fn instant(&self, at: DateTime) -> Option<Timestamp> {
        if mutant::is(Mutant::RecurrenceAnHourOff) {
            let at = self.zone.to_offset(self.first).to_timestamp(at).ok()?;
            return Some(Timestamp::from_millis(at.as_millisecond()));
        }
        zone::instant(&self.zone, at)
    }
}

#[cfg(test)]
mod tests;
