//! An instant in milliseconds since the Unix epoch, UTC; written as RFC 3339 with milliseconds.
//!
//! Never reads a clock: `clock.rs` alone makes "now".

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use super::span::Span;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The last instant that is accepted from outside: far enough for any real event, near enough
/// that adding a configured span to it cannot leave the range a calendar can print.
const MAX_MS: i64 = 253_370_764_800_000; // 9999-01-01T00:00:00Z; calendars cannot print the very end of that year in every zone
const MIN_MS: i64 = -62_135_596_800_000; // 0001-01-01T00:00:00Z, what Go prints for "no time"

impl Timestamp {
    pub const fn from_millis(ms: i64) -> Self {
        Self(if ms > MAX_MS {
            MAX_MS
        } else if ms < MIN_MS {
            MIN_MS
        } else {
            ms
        })
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Go's zero time, which Alertmanager and `amtool` send for "not given".
    pub const fn is_go_zero(self) -> bool {
        self.0 == MIN_MS
    }

    /// Span from `earlier` to `self`; negative when `earlier` is later.
    pub fn since(self, earlier: Self) -> Span {
        Span::from_millis(self.0 - earlier.0)
    }

    /// `HH:MM` in UTC, for sentences that people read.
    pub fn clock_text(self) -> String {
        let minutes = self.0.rem_euclid(86_400_000) / 60_000;
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self::from_millis(self.0.saturating_add(span.as_millis()))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self::from_millis(self.0.saturating_sub(span.as_millis()))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

#[derive(Debug, thiserror::Error)]
#[error("expected an RFC 3339 time such as `2026-11-21T05:00:00Z`, got `{got}`")]
pub struct TimestampError {
    got: String,
}

impl FromStr for Timestamp {
    type Err = TimestampError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>()
            .map(|at| Self::from_millis(at.as_millisecond()))
            .map_err(|_| TimestampError { got: text.chars().take(64).collect() })
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Timestamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an RFC 3339 time such as `2026-11-21T05:00:00Z`")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_through_rfc_3339() {
        let at: Timestamp = "2026-11-21T06:00:00.1239+01:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-11-21T05:00:00.123Z");
        assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
    }

    #[test]
    fn knows_the_zero_time_of_go() {
        assert!("0001-01-01T00:00:00Z".parse::<Timestamp>().unwrap().is_go_zero());
    }

    #[test]
    fn far_future_saturates_instead_of_wrapping() {
        let at = Timestamp::from_millis(i64::MAX) + Span::from_millis(i64::MAX);
        assert_eq!(at.to_string(), "9999-01-01T00:00:00.000Z");
    }
}
