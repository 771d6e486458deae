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

/// Bytes of `2026-11-21T05:00:00.123Z`.
const TEXT_BYTES: usize = 24;

impl Timestamp {
    /// A dozen times stand in every row that is written, which is why this is not left to the calendar
    /// library; a test compares the two.
    fn text(self) -> [u8; TEXT_BYTES] {
        let (days, ms) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = civil(days);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let parts = [
            (year, 0, 4),
            (month, 5, 2),
            (day, 8, 2),
            (ms / 3_600_000, 11, 2),
            (ms / 60_000 % 60, 14, 2),
            (ms / 1_000 % 60, 17, 2),
            (ms % 1_000, 20, 3),
        ];
        for (mut number, at, digits) in parts {
            for place in text[at..at + digits].iter_mut().rev() {
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        }
        text
    }
}

/// Year, month and day of a day counted from 1970-01-01. The year begins in March here, so that the leap day
/// is its last (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms").
const fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468; // From 0000-03-01.
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(&self.text()).unwrap_or_default())
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
        match serializer.is_human_readable() {
            true => serializer.serialize_str(str::from_utf8(&self.text()).unwrap_or_default()),
            false => serializer.serialize_i64(self.0),
        }
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
        match deserializer.is_human_readable() {
            true => deserializer.deserialize_str(Visitor),
            false => i64::deserialize(deserializer).map(Self::from_millis),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reads_as_the_calendar_library_prints(ms in MIN_MS..=MAX_MS) {
            let expected = format!("{:.3}", jiff::Timestamp::from_millisecond(ms).unwrap());
            prop_assert_eq!(Timestamp::from_millis(ms).to_string(), expected);
        }
    }

    #[test]
    fn knows_leap_days_and_the_ends_of_its_range() {
        for text in ["2024-02-29T23:59:59.999Z", "2100-03-01T00:00:00.000Z", "1969-12-31T23:59:59.999Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        assert_eq!(Timestamp::from_millis(i64::MIN).to_string(), "0001-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(i64::MAX).to_string(), "9999-01-01T00:00:00.000Z");
    }

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
