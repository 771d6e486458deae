//! Times of the week and year, as Alertmanager's `time_intervals` describe them, and their texts.
//!
//! Decides whether an instant lies in them, by the time zones that are built in and never by the system's, so that
//! a replay elsewhere decides alike.
//!
//! ```text
//! { times: [{ start_time: '09:00', end_time: '17:00' }], weekdays: ['monday:friday'], location: Europe/Berlin }
//! ```

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use super::Timestamp;
use super::zone::find as zone;

/// All of its conditions hold at once; an empty list is no condition. Ranges hold both of their ends, but `times`,
/// whose end is outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeInterval {
    /// Minutes of the day, 0 to 1440.
    pub times: Vec<(u16, u16)>,
    /// 0 is Sunday.
    pub weekdays: Vec<(u8, u8)>,
    /// 1 to 31, or −1 to −31 from the end of the month.
    pub days_of_month: Vec<(i8, i8)>,
    /// 1 to 12.
    pub months: Vec<(u8, u8)>,
    pub years: Vec<(i16, i16)>,
    /// A name of the time zone database; UTC without one.
    pub location: Option<String>,
}

const WEEKDAYS: [&str; 7] = ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const MINUTES_A_DAY: u16 = 24 * 60;
/// Every month has these; what is empty even in the shortest is empty always.
const DAYS_MIN: i8 = 28;

/// What was expected instead of a text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, got `{got}`")]
pub struct RangeError {
    pub expected: String,
    pub got: String,
}

impl RangeError {
    fn new(expected: impl Into<String>, got: &str) -> Self {
        Self { expected: expected.into(), got: got.chars().take(64).collect() }
    }
}

impl TimeInterval {
    pub fn contains(&self, at: Timestamp) -> bool {
        let zone = self.location.as_deref().and_then(zone).unwrap_or(TimeZone::UTC);
        // A timestamp of ours is within what every zone's calendar can show.
        let Ok(instant) = jiff::Timestamp::from_millisecond(at.as_millis()) else { return false };
        let local = zone.to_datetime(instant);
        let minute = i32::from(local.hour()) * 60 + i32::from(local.minute());
        let weekday = i32::from(local.weekday().to_sunday_zero_offset());
        let (day, days) = (i32::from(local.day()), i32::from(local.days_in_month()));
        (self.times.is_empty()
            || self.times.iter().any(|(start, end)| (i32::from(*start)..i32::from(*end)).contains(&minute)))
            && holds(&self.weekdays, weekday)
            && (self.days_of_month.is_empty() || self.days_of_month.iter().any(|range| has_day(*range, day, days)))
            && holds(&self.months, local.month().into())
            && holds(&self.years, local.year().into())
    }
}

fn holds<T: Copy + Into<i32>>(ranges: &[(T, T)], value: i32) -> bool {
    ranges.is_empty() || ranges.iter().any(|(from, to)| ((*from).into()..=(*to).into()).contains(&value))
}

/// Whether a range of days, counted from the start or the end of a month of `days`, holds `day`. An end beyond the
/// month is its last day; a start beyond it leaves nothing.
fn has_day((from, to): (i8, i8), day: i32, days: i32) -> bool {
    let at = |bound: i8| if bound < 0 { days + i32::from(bound) + 1 } else { i32::from(bound) };
    at(from) <= days && (at(from)..=at(to).min(days)).contains(&day)
}

/// Whether there is a time zone of that name.
///
/// # Errors
/// What was expected, when there is none.
pub fn check_location(name: &str) -> Result<(), RangeError> {
    match zone(name) {
        Some(_) => Ok(()),
        None => Err(RangeError::new("a name of the time zone database such as `Europe/Berlin` or `UTC`", name)),
    }
}

/// `09:00` and `24:00` become minutes of the day.
///
/// # Errors
/// What was expected of which of the two.
pub fn read_times(start: &str, end: &str) -> Result<(u16, u16), RangeError> {
    let (from, to) = (read_time(start)?, read_time(end)?);
    if from >= to {
        let expected = format!("an end after the start, {start}; what goes over midnight is two ranges");
        return Err(RangeError::new(expected, end));
    }
    Ok((from, to))
}

fn read_time(text: &str) -> Result<u16, RangeError> {
    let minutes = || {
        let (hour, minute) = text.split_once(':')?;
        let number = |text: &str| -> Option<u16> {
            (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
        };
        let (hour, minute) = (number(hour)?, number(minute)?);
        let is_time = minute < 60 && hour * 60 + minute <= MINUTES_A_DAY;
        is_time.then_some(hour * 60 + minute)
    };
    minutes().ok_or_else(|| RangeError::new("a time of day such as `09:00`, from `00:00` to `24:00`", text))
}

/// `monday:friday` or `sunday`; a week begins on Sunday.
///
/// # Errors
/// What was expected.
pub fn read_weekdays(text: &str) -> Result<(u8, u8), RangeError> {
    let expected = "a day such as `monday`, or a range such as `monday:friday` within a week that begins on Sunday";
    read_range(text, |word| position(&WEEKDAYS, word, 0)).filter_ordered(expected, text)
}

/// `1:5`, `-3:-1` or `15`.
///
/// # Errors
/// What was expected.
pub fn read_days_of_month(text: &str) -> Result<(i8, i8), RangeError> {
    let expected = "days such as `1:5`, or `-3:-1` from the end of the month, 1 to 31, the earlier first";
    let range = read_range(text, |word| {
        let day: i8 = word.parse().ok()?;
        (day != 0 && (-31..=31).contains(&day)).then_some(day)
    });
    let order = |day: i8| if day < 0 { DAYS_MIN + day } else { day };
    // A start that is counted from the end and an end that is not would change places in longer months.
    let is_sound = |(from, to): &(i8, i8)| !(*from < 0 && *to > 0) && order(*from) <= order(*to);
    range.filter(is_sound).ok_or_else(|| RangeError::new(expected, text))
}

/// `may:august`, `5:8` or `december`.
///
/// # Errors
/// What was expected.
pub fn read_months(text: &str) -> Result<(u8, u8), RangeError> {
    let expected = "a month such as `may` or `5`, or a range such as `may:august` within a year";
    let month = |word: &str| position(&MONTHS, word, 1).or_else(|| word.parse().ok());
    read_range(text, month).filter(|(from, _)| *from >= 1).filter(|(_, to)| *to <= 12).filter_ordered(expected, text)
}

/// `2026` or `2026:2028`.
///
/// # Errors
/// What was expected.
pub fn read_years(text: &str) -> Result<(i16, i16), RangeError> {
    read_range(text, |word| word.parse().ok()).filter_ordered("a year, or a range such as `2026:2028`", text)
}

fn position(names: &[&str], word: &str, first: u8) -> Option<u8> {
    names.iter().zip(first..).find(|(name, _)| **name == word).map(|(_, number)| number)
}

fn read_range<T: Copy>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<(T, T)> {
    let text = text.to_lowercase();
    let (from, to) = text.split_once(':').unwrap_or((&text, &text));
    Some((read(from)?, read(to)?))
}

trait Ordered<T> {
    fn filter_ordered(self, expected: &str, text: &str) -> Result<T, RangeError>;
}

impl<T: PartialOrd> Ordered<(T, T)> for Option<(T, T)> {
    fn filter_ordered(self, expected: &str, text: &str) -> Result<(T, T), RangeError> {
        self.filter(|(from, to)| from <= to).ok_or_else(|| RangeError::new(expected, text))
    }
}

/// The text that reads back as these minutes.
pub fn time_text(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

pub fn weekdays_text((from, to): (u8, u8)) -> String {
    let name = |day: u8| WEEKDAYS.get(usize::from(day)).copied().unwrap_or("sunday").to_owned();
    range_text(name(from), name(to))
}

pub fn months_text((from, to): (u8, u8)) -> String {
    let name = |month: u8| MONTHS.get(usize::from(month).wrapping_sub(1)).copied().unwrap_or("january").to_owned();
    range_text(name(from), name(to))
}

/// Days of a month and years.
pub fn numbers_text<T: ToString>((from, to): (T, T)) -> String {
    range_text(from.to_string(), to.to_string())
}

fn range_text(from: String, to: String) -> String {
    if from == to { from } else { format!("{from}:{to}") }
}

#[cfg(test)]
mod tests;
