//! Times of the week in which a layer counts: `{ days: ['monday:friday'], from: '18:00', until: '08:00' }`, or from one
//! day to another, `{ from: 'friday 17:00', until: 'monday 09:00' }`. What ends no later than it begins ends on the next
//! day, or in the next week.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _};
use serde::{Deserialize, Serialize};

use crate::model::{Timestamp, zone};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct Window {
    keys: Keys,
    /// Days of the week on which it begins; 0 is Monday.
    days: [bool; 7],
    /// Minutes of the day.
    from: u32,
    minutes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Days on which it begins, `monday` or `monday:friday`; all of them without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    days: Vec<String>,
    from: String,
    until: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: expected {expected}, got `{got}`")]
pub struct WindowError {
    field: &'static str,
    expected: &'static str,
    got: String,
}

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MINUTES_A_DAY: u32 = 24 * 60;
const MINUTES_A_WEEK: u32 = 7 * MINUTES_A_DAY;
const A_TIME: &str = "a time of the day such as `08:30`, or of the week such as `friday 17:00`";

fn refused(field: &'static str, expected: &'static str, got: &str) -> WindowError {
    WindowError { field, expected, got: got.chars().take(64).collect() }
}

impl TryFrom<Keys> for Window {
    type Error = WindowError;

    fn try_from(keys: Keys) -> Result<Self, WindowError> {
        let (from_day, from) = time("from", &keys.from)?;
        let (until_day, until) = time("until", &keys.until)?;
        let mut days = [keys.days.is_empty(); 7];
        for range in &keys.days {
            mark(&mut days, range)?;
        }
        let minutes = match (from_day, until_day) {
            (None, None) => length(from, until, MINUTES_A_DAY),
            (Some(begin), Some(end)) => {
                if !keys.days.is_empty() {
                    return Err(refused("days", "no days beside `from` and `until` that name them", &keys.days[0]));
                }
                days = [false; 7];
                days[begin] = true;
                let of_week = |day: usize, minute: u32| day as u32 * MINUTES_A_DAY + minute;
                length(of_week(begin, from), of_week(end, until), MINUTES_A_WEEK)
            }
            (Some(_), None) => return Err(refused("until", "a day as well, as in `from`", &keys.until)),
            (None, Some(_)) => return Err(refused("from", "a day as well, as in `until`", &keys.from)),
        };
        Ok(Self { keys, days, from, minutes })
    }
}

/// From one minute to the next time that it is the other.
const fn length(from: u32, until: u32, around: u32) -> u32 {
    if until > from { until - from } else { until + around - from }
}

/// The day, where one is named, and the minute of the day.
fn time(field: &'static str, text: &str) -> Result<(Option<usize>, u32), WindowError> {
    let wrong = || refused(field, A_TIME, text);
    let (day, clock) = match text.split_once(' ') {
        Some((day, clock)) => (Some(weekday(day).ok_or_else(wrong)?), clock),
        None => (None, text),
    };
    let (hour, minute) = clock.split_once(':').ok_or_else(wrong)?;
    let number = |text: &str| (text.len() == 2).then(|| text.parse::<u32>().ok()).flatten().ok_or_else(wrong);
    let (hour, minute) = (number(hour)?, number(minute)?);
    let minutes = hour * 60 + minute;
    if minute > 59 || minutes > MINUTES_A_DAY {
        return Err(wrong());
    }
    Ok((day, minutes))
}

fn weekday(text: &str) -> Option<usize> {
    DAYS.iter().position(|day| day.eq_ignore_ascii_case(text))
}

fn mark(days: &mut [bool; 7], range: &str) -> Result<(), WindowError> {
    let wrong = || refused("days", "a day such as `monday`, or several as `monday:friday`", range);
    let (first, last) = range.split_once(':').unwrap_or((range, range));
    let (first, last) = (weekday(first).ok_or_else(wrong)?, weekday(last).ok_or_else(wrong)?);
    let count = (last + 7 - first) % 7;
    (0..=count).for_each(|step| days[(first + step) % 7] = true);
    Ok(())
}

impl From<Window> for Keys {
    fn from(window: Window) -> Self {
        window.keys
    }
}

impl Window {
    pub(super) fn covers(&self, zone: &TimeZone, at: Timestamp) -> bool {
        self.around(zone, at).any(|(begin, end)| begin <= at && at < end)
    }

    /// The next of its begins and ends.
    pub(super) fn changes_after(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        self.around(zone, at).flat_map(|(begin, end)| [begin, end]).filter(|change| *change > at).min()
    }

    /// The last of its begins and ends up to `at`.
    pub(super) fn changed_by(&self, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
        self.around(zone, at).flat_map(|(begin, end)| [begin, end]).filter(|change| *change <= at).max()
    }

    /// Its times from a week before to a week after.
    fn around(&self, zone: &TimeZone, at: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let today = zone::local(zone, at).map(|local| local.date());
        // What lasts as long as a week began up to a week and a day ago, on the calendar.
        let dates = (-8..=8).filter_map(move |days: i64| today?.checked_add(days.days()).ok());
        dates.filter(|date| self.days[day_number(date.weekday())]).filter_map(|date| self.on(zone, date))
    }

    fn on(&self, zone: &TimeZone, date: Date) -> Option<(Timestamp, Timestamp)> {
        let after = |minutes: u32| {
            let at = date.to_datetime(jiff::civil::Time::midnight());
            zone::instant(zone, at.checked_add(SignedDuration::from_mins(minutes.into())).ok()?)
        };
        Some((after(self.from)?, after(self.from + self.minutes)?))
    }
}

fn day_number(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or_default()
}
