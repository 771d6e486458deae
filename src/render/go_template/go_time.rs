//! Times and spans as Go has them: to the nanosecond, in a zone, and printed its way.

use std::cmp::Ordering;
use std::fmt::Write as _;

use jiff::tz::{Offset, TimeZone};

use super::layout;

#[derive(Clone, Debug)]
pub struct Time {
    pub at: jiff::Timestamp,
    pub zone: Zone,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Zone {
    Utc,
    Named(TimeZone),
    /// From a text with an offset, and the abbreviation that stood there.
    Fixed(Offset, String),
}

/// Go's zero time, the first instant of the year 1.
const ZERO_SECOND: i64 = -62_135_596_800;

const NANOS_PER_SECOND: i128 = 1_000_000_000;

impl Time {
    pub fn utc(at: jiff::Timestamp) -> Self {
        Self { at, zone: Zone::Utc }
    }

    pub fn zero() -> Self {
        Self::utc(jiff::Timestamp::from_second(ZERO_SECOND).unwrap_or_default())
    }

    pub fn is_zero(&self) -> bool {
        self.at == Self::zero().at
    }

    /// # Errors
    /// When no zone has this name.
    pub fn in_zone(&self, name: &str) -> Result<Self, String> {
        let zone = match name {
            "" | "UTC" | "Local" => Zone::Utc,
            _ => Zone::Named(
                TimeZone::get(name)
                    .map_err(|_| format!("expected the name of a time zone such as `Europe/Berlin`, got `{name}`"))?,
            ),
        };
        Ok(Self { at: self.at, zone })
    }

    pub fn offset_and_abbreviation(&self) -> (i32, String) {
        match &self.zone {
            Zone::Utc => (0, "UTC".into()),
            Zone::Fixed(offset, abbreviation) => (offset.seconds(), abbreviation.clone()),
            Zone::Named(zone) => {
                let info = zone.to_offset_info(self.at);
                (info.offset().seconds(), info.abbreviation().to_owned())
            }
        }
    }

    pub fn civil(&self) -> jiff::civil::DateTime {
        let offset = Offset::from_seconds(self.offset_and_abbreviation().0).unwrap_or(Offset::UTC);
        offset.to_datetime(self.at)
    }

    pub fn format(&self, layout: &str) -> String {
        layout::format(self, layout)
    }

    /// As Go prints a time by itself.
    pub fn text(&self) -> String {
        self.format("2006-01-02 15:04:05.999999999 -0700 MST")
    }

    /// # Errors
    /// When that is beyond what a calendar can print.
    pub fn plus(&self, nanos: i64) -> Result<Self, String> {
        let at = self.at.as_nanosecond().checked_add(nanos.into());
        let at = at.and_then(|at| jiff::Timestamp::from_nanosecond(at).ok());
        Ok(Self { at: at.ok_or(BEYOND)?, zone: self.zone.clone() })
    }

    /// # Errors
    /// When that is beyond what a calendar can print.
    pub fn plus_date(&self, years: i64, months: i64, days: i64) -> Result<Self, String> {
        let civil = self.civil();
        let months = years.saturating_mul(12).saturating_add(months);
        let months = i64::from(civil.year()) * 12 + i64::from(civil.month()) - 1 + months.clamp(-200_000, 200_000);
        let year = i16::try_from(months.div_euclid(12)).map_err(|_| BEYOND)?;
        let month = (months.rem_euclid(12) + 1) as i8;
        let first = jiff::civil::Date::new(year, month, 1).map_err(|_| BEYOND)?;
        // Go lets the 31st of a short month run over into the next.
        let days = (i64::from(civil.day()) - 1).saturating_add(days).clamp(-10_000_000, 10_000_000);
        let date = first.checked_add(jiff::Span::new().try_days(days).map_err(|_| BEYOND)?).map_err(|_| BEYOND)?;
        let at = match &self.zone {
            Zone::Named(zone) => zone.to_timestamp(date.to_datetime(civil.time())),
            Zone::Fixed(offset, _) => offset.to_timestamp(date.to_datetime(civil.time())),
            Zone::Utc => Offset::UTC.to_timestamp(date.to_datetime(civil.time())),
        };
        Ok(Self { at: at.map_err(|_| BEYOND)?, zone: self.zone.clone() })
    }

    /// The span since `earlier`, as long as Go can count.
    pub fn since(&self, earlier: &Self) -> i64 {
        clamp(self.at.as_nanosecond() - earlier.at.as_nanosecond())
    }

    /// Down, or to the nearest, multiple of a span since the year 1.
    pub fn to_multiple(&self, nanos: i64, nearest: bool) -> Self {
        if nanos <= 0 {
            return self.clone();
        }
        let since_zero = self.at.as_nanosecond() - i128::from(ZERO_SECOND) * NANOS_PER_SECOND;
        let beyond = since_zero.rem_euclid(nanos.into());
        let up = nearest && beyond * 2 >= i128::from(nanos);
        let at = self.at.as_nanosecond() - beyond + if up { i128::from(nanos) } else { 0 };
        Self { at: jiff::Timestamp::from_nanosecond(at).unwrap_or(self.at), zone: self.zone.clone() }
    }

    pub fn order(&self, other: &Self) -> Ordering {
        self.at.cmp(&other.at)
    }

    pub fn zone_name(&self) -> String {
        match &self.zone {
            Zone::Utc => "UTC".into(),
            Zone::Named(zone) => zone.iana_name().unwrap_or_default().to_owned(),
            Zone::Fixed(_, abbreviation) => abbreviation.clone(),
        }
    }
}

const BEYOND: &str = "the time is beyond what a calendar can print";

pub fn clamp(nanos: i128) -> i64 {
    i64::try_from(nanos).unwrap_or(if nanos > 0 { i64::MAX } else { i64::MIN })
}

/// As Go prints a span: `1h2m3.5s`, `2ms`, `0s`.
pub fn span_text(nanos: i64) -> String {
    let sign = if nanos < 0 { "-" } else { "" };
    let left = nanos.unsigned_abs();
    let small = match left {
        0 => return "0s".into(),
        1..1_000 => Some(("ns", 1)),
        1_000..1_000_000 => Some(("µs", 1_000)),
        1_000_000..1_000_000_000 => Some(("ms", 1_000_000)),
        _ => None,
    };
    if let Some((unit, nanos_per_unit)) = small {
        return format!("{sign}{}{unit}", decimal(left, nanos_per_unit));
    }
    let minute = 60 * NANOS_PER_SECOND as u64;
    let (hours, minutes) = (left / (60 * minute), left / minute % 60);
    let mut text = sign.to_owned();
    if hours > 0 {
        let _ = write!(text, "{hours}h");
    }
    if hours > 0 || minutes > 0 {
        let _ = write!(text, "{minutes}m");
    }
    let _ = write!(text, "{}s", decimal(left % minute, NANOS_PER_SECOND as u64));
    text
}

/// `left / per`, without zeros at the end.
fn decimal(left: u64, per: u64) -> String {
    let digits = per.ilog10() as usize;
    if left.is_multiple_of(per) {
        return (left / per).to_string();
    }
    let text = format!("{}.{:0digits$}", left / per, left % per);
    text.trim_end_matches('0').to_owned()
}

/// As Go's `Duration.Round` and `Duration.Truncate`.
pub fn span_to_multiple(nanos: i64, multiple: i64, nearest: bool) -> i64 {
    if multiple <= 0 {
        return nanos;
    }
    let (nanos, multiple) = (i128::from(nanos), i128::from(multiple));
    let beyond = nanos % multiple;
    let away = nearest && beyond.abs() * 2 >= multiple;
    clamp(nanos - beyond + if away { multiple * nanos.signum() } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_print_as_in_go() {
        let texts = [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (4 * 60_000_000_000 + 5_000_000_000, "4m5s"),
            (5 * 3_600_000_000_000 + 6_007_000_000, "5h0m6.007s"),
            (-1_500_000_000, "-1.5s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ];
        for (nanos, text) in texts {
            assert_eq!(span_text(nanos), text);
        }
    }

    #[test]
    fn the_end_of_a_month_runs_over() {
        let at: jiff::Timestamp = "2026-01-31T05:00:00Z".parse().unwrap();
        let text =
            |years, months, days| Time::utc(at).plus_date(years, months, days).map(|time| time.format("2006-01-02"));
        assert_eq!(text(0, 1, 0).unwrap(), "2026-03-03");
        assert_eq!(text(-1, -1, 1).unwrap(), "2025-01-01");
        assert!(text(i64::MAX, i64::MAX, i64::MAX).is_err());
    }
}
