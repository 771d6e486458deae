//! The rule of a recurrence (RFC 5545, section 3.3.10, read 2026-11-28): which days of the calendar it names. Knows
//! the frequencies of days and longer; hours and minutes come from the start of the recurrence.
//!
//! A rule goes from period to period (a day, a week, a month, a year), makes the set of days in each, and takes of them
//! what `BYSETPOS` names.

use jiff::Span as Calendar;
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use std::str::FromStr;

use super::RecurrenceError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rule {
    every: Every,
    interval: i64,
    /// With which of them in its month or year, from its end when negative; 0 is all.
    days: Vec<(i16, Weekday)>,
    month_days: Vec<i8>,
    months: Vec<i8>,
    positions: Vec<i16>,
    count: Option<usize>,
    pub(super) until: Option<Until>,
    week_start: Weekday,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Every {
    Day,
    Week,
    Month,
    Year,
}

/// No occurrence begins later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Until {
    Local(DateTime),
    Instant(jiff::Timestamp),
}

impl Until {
    pub(super) fn in_zone(self, zone: &TimeZone) -> Self {
        match self {
            Self::Instant(at) => Self::Local(zone.to_datetime(at)),
            local @ Self::Local(_) => local,
        }
    }
}

/// Occurrences that are counted, and periods that are gone through for one: nobody waits longer for a leap day.
const COUNT_MAX: usize = 10_000;
const PERIODS_MAX: i64 = 20_000;
const INTERVAL_MAX: i64 = 1_000;

fn fault(got: &str, expected: impl Into<String>) -> RecurrenceError {
    RecurrenceError::new("rrule", got, expected)
}

impl FromStr for Rule {
    type Err = RecurrenceError;

    fn from_str(text: &str) -> Result<Self, RecurrenceError> {
        let upper = text.trim().to_ascii_uppercase();
        let body = upper.strip_prefix("RRULE:").unwrap_or(&upper);
        let mut rule = Self {
            every: Every::Day,
            interval: 1,
            days: Vec::new(),
            month_days: Vec::new(),
            months: Vec::new(),
            positions: Vec::new(),
            count: None,
            until: None,
            week_start: Weekday::Monday,
        };
        let mut known: Vec<&str> = Vec::new();
        for part in body.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').ok_or_else(|| fault(part, "parts such as `FREQ=WEEKLY`"))?;
            if known.contains(&name) {
                return Err(fault(part, format!("`{name}` once only")));
            }
            known.push(name);
            rule.take(part, name, value)?;
        }
        rule.check(text, &known)?;
        Ok(rule)
    }
}

impl Rule {
    fn take(&mut self, part: &str, name: &str, value: &str) -> Result<(), RecurrenceError> {
        match name {
            "FREQ" => self.every = frequency(part, value)?,
            "INTERVAL" => self.interval = number(part, value, 1, INTERVAL_MAX)?,
            "COUNT" => self.count = Some(number(part, value, 1, COUNT_MAX as i64)? as usize),
            "UNTIL" => self.until = Some(until(part, value)?),
            "WKST" => self.week_start = weekday(value).ok_or_else(|| fault(part, "a day: `MO` to `SU`"))?,
            "BYDAY" => self.days = list(value, |day| days(part, day))?,
            "BYMONTHDAY" => self.month_days = list(value, |day| signed(part, day, 31))?,
            "BYMONTH" => self.months = list(value, |month| number(part, month, 1, 12).map(|month| month as i8))?,
            "BYSETPOS" => self.positions = list(value, |position| signed(part, position, 366))?,
            _ => {
                let expected = "no parts but `FREQ`, `INTERVAL`, `BYDAY`, `BYMONTHDAY`, `BYMONTH`, `BYSETPOS`, `COUNT`, `UNTIL` and `WKST`";
                return Err(fault(part, expected));
            }
        }
        Ok(())
    }

    fn check(&self, text: &str, known: &[&str]) -> Result<(), RecurrenceError> {
        let has = |name: &str| known.contains(&name);
        let may_number = matches!(self.every, Every::Month | Every::Year);
        if !has("FREQ") {
            Err(fault(text, "a rule that says how often: `FREQ=WEEKLY;BYDAY=SA`"))
        } else if has("COUNT") && has("UNTIL") {
            Err(fault(text, "either `COUNT` or `UNTIL`"))
        } else if self.every == Every::Week && has("BYMONTHDAY") {
            Err(fault(text, "`BYMONTHDAY` with another `FREQ` than `WEEKLY`"))
        } else if !may_number && self.days.iter().any(|(which, _)| *which != 0) {
            Err(fault(text, "days with a number (`2TU`) with `FREQ=MONTHLY` or `FREQ=YEARLY` only"))
        } else if has("BYSETPOS") && !(has("BYDAY") || has("BYMONTHDAY") || has("BYMONTH")) {
            Err(fault(text, "`BYSETPOS` together with `BYDAY`, `BYMONTHDAY` or `BYMONTH`"))
        } else {
            Ok(())
        }
    }

    /// The days that the rule names, in order; those before `from` may be left out.
    pub(super) fn dates(&self, begin: DateTime, from: Date) -> impl Iterator<Item = Date> {
        let first = begin.date();
        // What is counted is counted from the beginning.
        let skipped = if self.count.is_some() { 0 } else { self.periods_before(first, from) };
        let periods = (skipped..skipped + PERIODS_MAX).map_while(move |number| self.period(first, number));
        let days = periods.flat_map(move |period| self.chosen(first, period)).filter(move |day| *day >= first);
        let days = days.take_while(move |day| self.is_in_time(day.to_datetime(begin.time())));
        days.take(self.count.unwrap_or(usize::MAX))
    }

    fn is_in_time(&self, at: DateTime) -> bool {
        match &self.until {
            Some(Until::Local(until)) => at <= *until,
            _ => true,
        }
    }

    /// Whole periods that lie before `from`, less one, because a week or a month may have begun earlier.
    fn periods_before(&self, first: Date, from: Date) -> i64 {
        let days = first.until(from).map_or(0, |span| i64::from(span.get_days()));
        let length = match self.every {
            Every::Day => 1,
            Every::Week => 7,
            Every::Month => 31,
            Every::Year => 366,
        };
        (days / (length * self.interval) - 1).max(0)
    }

    /// The first day of a period.
    fn period(&self, first: Date, number: i64) -> Option<Date> {
        let steps = number.checked_mul(self.interval)?;
        let begin = match self.every {
            Every::Day => first,
            Every::Week => {
                let gone = first.weekday().since(self.week_start);
                first.checked_sub(Calendar::new().days(i64::from(gone))).ok()?
            }
            Every::Month => first.first_of_month(),
            Every::Year => first.first_of_year(),
        };
        let span = match self.every {
            Every::Day => Calendar::new().try_days(steps),
            Every::Week => Calendar::new().try_weeks(steps),
            Every::Month => Calendar::new().try_months(steps),
            Every::Year => Calendar::new().try_years(steps),
        };
        begin.checked_add(span.ok()?).ok()
    }

    /// The days of one period that the rule takes.
    fn chosen(&self, first: Date, period: Date) -> Vec<Date> {
        let mut all: Vec<Date> = match self.every {
            Every::Day => vec![period],
            Every::Week => (0..7).filter_map(|day| period.checked_add(Calendar::new().days(day)).ok()).collect(),
            Every::Month => month(period),
            Every::Year => {
                (0..12).filter_map(|m| period.checked_add(Calendar::new().months(m)).ok()).flat_map(month).collect()
            }
        };
        all.retain(|day| self.takes(first, *day));
        if self.positions.is_empty() {
            return all;
        }
        let mut places: Vec<usize> = self.positions.iter().filter_map(|place| nth(*place, all.len())).collect();
        places.sort_unstable();
        places.dedup();
        places.into_iter().map(|place| all[place]).collect()
    }

    fn takes(&self, first: Date, day: Date) -> bool {
        let is_month = self.months.is_empty() || self.months.contains(&day.month());
        let length = day.days_in_month();
        let is_month_day = self.month_days.is_empty()
            || self.month_days.iter().any(|wanted| *wanted == day.day() || *wanted == day.day() - length - 1);
        is_month && is_month_day && self.takes_weekday(day) && self.takes_by_default(first, day)
    }

    fn takes_weekday(&self, day: Date) -> bool {
        let by_year = self.every == Every::Year && self.months.is_empty() && self.month_days.is_empty();
        let (place, length) = match by_year {
            true => (day.day_of_year(), day.days_in_year()),
            false => (i16::from(day.day()), i16::from(day.days_in_month())),
        };
        let (ahead, behind) = ((place - 1) / 7 + 1, -((length - place) / 7 + 1));
        let fits = |(which, weekday): &(i16, Weekday)| {
            *weekday == day.weekday() && (*which == 0 || *which == ahead || *which == behind)
        };
        self.days.is_empty() || self.days.iter().any(fits)
    }

    /// What the rule does not say is as on the first day.
    fn takes_by_default(&self, first: Date, day: Date) -> bool {
        if !self.days.is_empty() || !self.month_days.is_empty() {
            return true;
        }
        match self.every {
            Every::Day => true,
            Every::Week => day.weekday() == first.weekday(),
            Every::Month => day.day() == first.day(),
            Every::Year => day.day() == first.day() && (!self.months.is_empty() || day.month() == first.month()),
        }
    }
}

fn month(first: Date) -> Vec<Date> {
    (1..=first.days_in_month()).filter_map(|day| Date::new(first.year(), first.month(), day).ok()).collect()
}

/// The place that is meant by a number from 1, or from −1 at the end.
fn nth(place: i16, count: usize) -> Option<usize> {
    let back = usize::from(place.unsigned_abs());
    let found = if place > 0 { back.checked_sub(1)? } else { count.checked_sub(back)? };
    (found < count).then_some(found)
}

fn frequency(part: &str, value: &str) -> Result<Every, RecurrenceError> {
    match value {
        "DAILY" => Ok(Every::Day),
        "WEEKLY" => Ok(Every::Week),
        "MONTHLY" => Ok(Every::Month),
        "YEARLY" => Ok(Every::Year),
        _ => Err(fault(part, "`DAILY`, `WEEKLY`, `MONTHLY` or `YEARLY`")),
    }
}

fn list<T>(value: &str, read: impl Fn(&str) -> Result<T, RecurrenceError>) -> Result<Vec<T>, RecurrenceError> {
    value.split(',').map(|item| read(item.trim())).collect()
}

fn number(part: &str, value: &str, min: i64, max: i64) -> Result<i64, RecurrenceError> {
    let read = value.parse::<i64>().ok().filter(|number| (min..=max).contains(number));
    read.ok_or_else(|| fault(part, format!("a whole number from {min} to {max}")))
}

fn signed<T: TryFrom<i64>>(part: &str, value: &str, max: i64) -> Result<T, RecurrenceError> {
    let read = value.parse::<i64>().ok().filter(|number| *number != 0 && number.abs() <= max);
    let expected = || format!("1 to {max}, or -1 to -{max} from the end");
    read.and_then(|number| T::try_from(number).ok()).ok_or_else(|| fault(part, expected()))
}

fn weekday(text: &str) -> Option<Weekday> {
    Some(match text {
        "MO" => Weekday::Monday,
        "TU" => Weekday::Tuesday,
        "WE" => Weekday::Wednesday,
        "TH" => Weekday::Thursday,
        "FR" => Weekday::Friday,
        "SA" => Weekday::Saturday,
        "SU" => Weekday::Sunday,
        _ => return None,
    })
}

fn days(part: &str, text: &str) -> Result<(i16, Weekday), RecurrenceError> {
    let expected = || fault(part, "days such as `MO`, `2TU` or `-1FR`");
    let name = text.len().checked_sub(2).filter(|at| text.is_char_boundary(*at)).ok_or_else(expected)?;
    let (which, name) = text.split_at(name);
    let day = weekday(name).ok_or_else(expected)?;
    Ok((if which.is_empty() { 0 } else { signed(part, which, 53)? }, day))
}

fn until(part: &str, text: &str) -> Result<Until, RecurrenceError> {
    let expected = || fault(part, "a day (`20261231`) or a time (`20261231T235959Z`)");
    if let Some(local) = text.strip_suffix('Z') {
        let at = DateTime::strptime("%Y%m%dT%H%M%S", local).map_err(|_| expected())?;
        return Ok(Until::Instant(TimeZone::UTC.to_timestamp(at).map_err(|_| expected())?));
    }
    let at = DateTime::strptime("%Y%m%dT%H%M%S", text);
    let day = || Date::strptime("%Y%m%d", text).map(|day| day.at(23, 59, 59, 0));
    at.or_else(|_| day()).map(Until::Local).map_err(|_| expected())
}
