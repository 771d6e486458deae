//! Go's layouts for times, which show how 3:04:05 PM on Monday, 2 January 2006 would be written.

use std::fmt::Write as _;

use jiff::tz::Offset;

use super::go_time::{Time, Zone};

/// A part of a layout that stands for a part of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    YearShort,
    MonthName,
    MonthShort,
    Month,
    MonthPadded,
    WeekdayName,
    WeekdayShort,
    Day,
    DaySpaced,
    DayPadded,
    YearDaySpaced,
    YearDayPadded,
    Hour,
    HourOfHalf,
    HourOfHalfPadded,
    Minute,
    MinutePadded,
    Second,
    SecondPadded,
    HalfUpper,
    HalfLower,
    Abbreviation,
    Offset {
        z: bool,
        colons: bool,
        parts: u8,
    },
    /// `.000` prints all digits, `.999` leaves zeros at the end out.
    Fraction {
        digits: usize,
        trims: bool,
        separator: char,
    },
}

/// Longer ones before those they begin with.
const PARTS: [(&str, Part); 33] = [
    ("January", Part::MonthName),
    ("Jan", Part::MonthShort),
    ("Monday", Part::WeekdayName),
    ("Mon", Part::WeekdayShort),
    ("MST", Part::Abbreviation),
    ("2006", Part::Year),
    ("__2", Part::YearDaySpaced),
    ("_2", Part::DaySpaced),
    ("002", Part::YearDayPadded),
    ("01", Part::MonthPadded),
    ("02", Part::DayPadded),
    ("03", Part::HourOfHalfPadded),
    ("04", Part::MinutePadded),
    ("05", Part::SecondPadded),
    ("06", Part::YearShort),
    ("15", Part::Hour),
    ("PM", Part::HalfUpper),
    ("pm", Part::HalfLower),
    ("-07:00:00", Part::Offset { z: false, colons: true, parts: 3 }),
    ("-07:00", Part::Offset { z: false, colons: true, parts: 2 }),
    ("-070000", Part::Offset { z: false, colons: false, parts: 3 }),
    ("-0700", Part::Offset { z: false, colons: false, parts: 2 }),
    ("-07", Part::Offset { z: false, colons: false, parts: 1 }),
    ("Z07:00:00", Part::Offset { z: true, colons: true, parts: 3 }),
    ("Z07:00", Part::Offset { z: true, colons: true, parts: 2 }),
    ("Z070000", Part::Offset { z: true, colons: false, parts: 3 }),
    ("Z0700", Part::Offset { z: true, colons: false, parts: 2 }),
    ("Z07", Part::Offset { z: true, colons: false, parts: 1 }),
    ("1", Part::Month),
    ("2", Part::Day),
    ("3", Part::HourOfHalf),
    ("4", Part::Minute),
    ("5", Part::Second),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const SHORT: usize = 3;

pub fn month_name(month: i64) -> Option<&'static str> {
    usize::try_from(month).ok().and_then(|month| MONTHS.get(month.checked_sub(1)?)).copied()
}

pub fn weekday_name(weekday: i64) -> Option<&'static str> {
    usize::try_from(weekday).ok().and_then(|weekday| WEEKDAYS.get(weekday)).copied()
}

/// What stands before the next part, the part, and what is behind it.
fn next(layout: &str) -> Option<(&str, Part, &str)> {
    for (at, _) in layout.char_indices() {
        let rest = &layout[at..];
        if let Some((part, bytes)) = part_at(rest, layout[..at].ends_with('_')) {
            return Some((&layout[..at], part, &rest[bytes..]));
        }
    }
    None
}

fn part_at(rest: &str, behind_underscore: bool) -> Option<(Part, usize)> {
    if let Some(separator) = rest.chars().next().filter(|char| matches!(char, '.' | ',')) {
        return fraction_at(rest, separator);
    }
    if rest.starts_with("_2006") && !behind_underscore {
        return None; // An underscore before the year, which comes next.
    }
    let (text, part) = PARTS.iter().find(|(text, _)| rest.starts_with(text))?;
    // `Janet` and `Month` are words.
    let is_word = matches!(part, Part::MonthShort | Part::WeekdayShort)
        && rest[text.len()..].starts_with(|next: char| next.is_ascii_lowercase());
    (!is_word).then_some((*part, text.len()))
}

fn fraction_at(rest: &str, separator: char) -> Option<(Part, usize)> {
    let digit = rest[1..].chars().next().filter(|char| matches!(char, '0' | '9'))?;
    let digits = rest[1..].len() - rest[1..].trim_start_matches(digit).len();
    let is_longer = rest[1 + digits..].starts_with(|next: char| next.is_ascii_digit());
    (!is_longer).then_some((Part::Fraction { digits, trims: digit == '9', separator }, 1 + digits))
}

pub fn format(time: &Time, layout: &str) -> String {
    let civil = time.civil();
    let (offset, abbreviation) = time.offset_and_abbreviation();
    let mut text = String::with_capacity(layout.len() + 16);
    let mut rest = layout;
    while let Some((before, part, behind)) = next(rest) {
        text.push_str(before);
        rest = behind;
        match part {
            Part::Abbreviation if abbreviation.is_empty() => write_offset(&mut text, offset, false, false, 2),
            Part::Abbreviation if abbreviation.starts_with(['+', '-']) => text.push_str(&abbreviation),
            Part::Abbreviation => text.push_str(&abbreviation),
            Part::Offset { z, colons, parts } => write_offset(&mut text, offset, z, colons, parts),
            _ => write_part(&mut text, civil, part),
        }
    }
    text.push_str(rest);
    text
}

fn write_part(text: &mut String, civil: jiff::civil::DateTime, part: Part) {
    let half = if civil.hour() < 12 { "AM" } else { "PM" };
    let hour_of_half = (civil.hour() + 11) % 12 + 1;
    let month = month_name(civil.month().into()).unwrap_or_default();
    let weekday = weekday_name(civil.weekday().to_sunday_zero_offset().into()).unwrap_or_default();
    let _ = match part {
        Part::Year => write!(text, "{:04}", civil.year()),
        Part::YearShort => write!(text, "{:02}", civil.year().rem_euclid(100)),
        Part::MonthName => write!(text, "{month}"),
        Part::MonthShort => write!(text, "{}", &month[..SHORT]),
        Part::Month => write!(text, "{}", civil.month()),
        Part::MonthPadded => write!(text, "{:02}", civil.month()),
        Part::WeekdayName => write!(text, "{weekday}"),
        Part::WeekdayShort => write!(text, "{}", &weekday[..SHORT]),
        Part::Day => write!(text, "{}", civil.day()),
        Part::DaySpaced => write!(text, "{:2}", civil.day()),
        Part::DayPadded => write!(text, "{:02}", civil.day()),
        Part::YearDaySpaced => write!(text, "{:3}", civil.date().day_of_year()),
        Part::YearDayPadded => write!(text, "{:03}", civil.date().day_of_year()),
        Part::Hour => write!(text, "{:02}", civil.hour()),
        Part::HourOfHalf => write!(text, "{hour_of_half}"),
        Part::HourOfHalfPadded => write!(text, "{hour_of_half:02}"),
        Part::Minute => write!(text, "{}", civil.minute()),
        Part::MinutePadded => write!(text, "{:02}", civil.minute()),
        Part::Second => write!(text, "{}", civil.second()),
        Part::SecondPadded => write!(text, "{:02}", civil.second()),
        Part::HalfUpper => write!(text, "{half}"),
        Part::HalfLower => write!(text, "{}", half.to_ascii_lowercase()),
        Part::Fraction { digits, trims, separator } => {
            write_fraction(text, civil.subsec_nanosecond(), digits, trims, separator);
            Ok(())
        }
        Part::Abbreviation | Part::Offset { .. } => Ok(()),
    };
}

fn write_fraction(text: &mut String, nanos: i32, digits: usize, trims: bool, separator: char) {
    let all = format!("{nanos:09}");
    let mut shown = all.get(..digits).unwrap_or(&all);
    if trims {
        shown = shown.trim_end_matches('0');
    }
    if !shown.is_empty() {
        text.push(separator);
        text.push_str(shown);
    }
}

fn write_offset(text: &mut String, seconds: i32, z: bool, colons: bool, parts: u8) {
    if z && seconds == 0 {
        text.push('Z');
        return;
    }
    text.push(if seconds < 0 { '-' } else { '+' });
    let seconds = seconds.unsigned_abs();
    let values = [seconds / 3_600, seconds / 60 % 60, seconds % 60];
    for (at, value) in values.iter().take(parts.into()).enumerate() {
        if at > 0 && colons {
            text.push(':');
        }
        let _ = write!(text, "{value:02}");
    }
}

/// What a text said of a time so far.
struct Read {
    year: i16,
    month: i8,
    day: i8,
    year_day: Option<i64>,
    hour: i8,
    minute: i8,
    second: i8,
    nanos: i32,
    /// Of a clock of twelve hours.
    is_afternoon: Option<bool>,
    offset: Option<Offset>,
    abbreviation: String,
}

/// Reads a time that is written as the layout shows, in UTC where it names no zone.
///
/// # Errors
/// What stands there instead.
pub fn parse(layout: &str, text: &str) -> Result<Time, String> {
    let wrong = |left: &str, expected: &str| {
        let left: String = left.chars().take(40).collect();
        format!("expected a time written as `{layout}`, got `{text}`: `{left}` is no `{expected}`")
    };
    let mut read = Read {
        year: 0,
        month: 1,
        day: 1,
        year_day: None,
        hour: 0,
        minute: 0,
        second: 0,
        nanos: 0,
        is_afternoon: None,
        offset: None,
        abbreviation: String::new(),
    };
    let (mut rest, mut left) = (layout, text);
    while let Some((before, part, behind)) = next(rest) {
        left = skip_literal(left, before).ok_or_else(|| wrong(left, before))?;
        let shown = &rest[before.len()..rest.len() - behind.len()];
        rest = behind;
        left = read.part(part, left).ok_or_else(|| wrong(left, shown))?;
        if matches!(part, Part::Second | Part::SecondPadded)
            && !matches!(next(rest), Some(("", Part::Fraction { .. }, _)))
        {
            left = read.fraction(left);
        }
    }
    left = skip_literal(left, rest).ok_or_else(|| wrong(left, rest))?;
    if !left.is_empty() {
        return Err(wrong(left, "end"));
    }
    read.time().ok_or_else(|| format!("expected a time that exists, got `{text}`"))
}

/// A space of the layout stands for any number of them.
fn skip_literal<'a>(mut text: &'a str, literal: &str) -> Option<&'a str> {
    for (at, part) in literal.split(' ').enumerate() {
        if at > 0 {
            text = text.trim_start_matches(' ');
        }
        text = text.strip_prefix(part)?;
    }
    Some(text)
}

/// Digits, at least `least` and at most `most` of them.
fn digits(text: &str, least: usize, most: usize) -> Option<(i64, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    (count >= least).then(|| text[..count].parse().ok().map(|number| (number, &text[count..])))?
}

fn name<'a>(text: &'a str, names: &[&str], bytes: Option<usize>) -> Option<(i64, &'a str)> {
    names.iter().zip(1..).find_map(|(name, number)| {
        let name = &name[..bytes.unwrap_or(name.len())];
        let begin = text.get(..name.len())?;
        begin.eq_ignore_ascii_case(name).then(|| (number, &text[name.len()..]))
    })
}

impl Read {
    fn part<'a>(&mut self, part: Part, text: &'a str) -> Option<&'a str> {
        match part {
            Part::Offset { .. } | Part::Abbreviation => return self.zone(part, text),
            Part::HalfUpper | Part::HalfLower => {
                let upper = part == Part::HalfUpper;
                let (am, pm) = if upper { ("AM", "PM") } else { ("am", "pm") };
                self.is_afternoon = Some(text.starts_with(pm));
                return text.strip_prefix(pm).or_else(|| text.strip_prefix(am));
            }
            Part::WeekdayName => return name(text, &WEEKDAYS, None).map(|(_, rest)| rest),
            Part::WeekdayShort => return name(text, &WEEKDAYS, Some(SHORT)).map(|(_, rest)| rest),
            Part::Fraction { digits, trims, .. } => {
                let rest = self.fraction(text);
                let is_whole = text.len() - rest.len() == digits + 1;
                return (trims || is_whole).then_some(rest);
            }
            _ => {}
        }
        let unspaced = text.trim_start_matches(' ');
        let (number, rest) = match part {
            Part::Year => digits(text, 4, 4)?,
            Part::MonthName => name(text, &MONTHS, None)?,
            Part::MonthShort => name(text, &MONTHS, Some(SHORT))?,
            Part::YearDayPadded => digits(text, 3, 3)?,
            Part::YearDaySpaced => digits(unspaced, 1, 3)?,
            Part::DaySpaced => digits(unspaced, 1, 2)?,
            Part::YearShort
            | Part::MonthPadded
            | Part::DayPadded
            | Part::MinutePadded
            | Part::SecondPadded
            | Part::HourOfHalfPadded => digits(text, 2, 2)?,
            _ => digits(text, 1, 2)?,
        };
        let small = i8::try_from(number).ok();
        match part {
            Part::Year => self.year = i16::try_from(number).ok()?,
            Part::YearShort => {
                self.year = i16::try_from(if number >= 69 { 1900 + number } else { 2000 + number }).ok()?
            }
            Part::MonthName | Part::MonthShort | Part::Month | Part::MonthPadded => self.month = small?,
            Part::YearDayPadded | Part::YearDaySpaced => self.year_day = Some(number),
            Part::Day | Part::DaySpaced | Part::DayPadded => self.day = small?,
            Part::Hour => self.hour = small?,
            Part::HourOfHalf | Part::HourOfHalfPadded => self.hour = small.filter(|hour| *hour <= 12)?,
            Part::Minute | Part::MinutePadded => self.minute = small?,
            _ => self.second = small.filter(|second| *second < 60)?,
        }
        Some(rest)
    }

    /// `.123`, when there is one.
    fn fraction<'a>(&mut self, text: &'a str) -> &'a str {
        let Some(rest) = text.strip_prefix(['.', ',']) else { return text };
        let count = rest.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 {
            return text;
        }
        let nanos = format!("{:0<9}", &rest[..count.min(9)]);
        self.nanos = nanos.parse().unwrap_or(0);
        &rest[count..]
    }

    fn zone<'a>(&mut self, part: Part, text: &'a str) -> Option<&'a str> {
        let Part::Offset { z, colons, parts } = part else {
            let count = text.bytes().take(5).take_while(u8::is_ascii_uppercase).count();
            self.abbreviation = text[..count].to_owned();
            return (count >= 3).then(|| &text[count..]);
        };
        if let Some(rest) = text.strip_prefix('Z').filter(|_| z) {
            self.offset = Some(Offset::UTC);
            return Some(rest);
        }
        let sign = if text.starts_with('-') { -1 } else { 1 };
        let mut rest = text.strip_prefix(['+', '-'])?;
        let mut seconds = 0;
        for (at, unit) in [3_600, 60, 1].into_iter().take(parts.into()).enumerate() {
            if at > 0 && colons {
                rest = rest.strip_prefix(':')?;
            }
            let (number, behind) = digits(rest, 2, 2)?;
            seconds += i32::try_from(number).ok()? * unit;
            rest = behind;
        }
        self.offset = Some(Offset::from_seconds(sign * seconds).ok()?);
        Some(rest)
    }

    fn time(self) -> Option<Time> {
        let hour = match self.is_afternoon {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let date = match self.year_day {
            None => jiff::civil::Date::new(self.year, self.month, self.day).ok()?,
            Some(day) => {
                let first = jiff::civil::Date::new(self.year, 1, 1).ok()?;
                first.checked_add(jiff::Span::new().try_days(day - 1).ok()?).ok()?
            }
        };
        let clock = jiff::civil::Time::new(hour, self.minute, self.second, self.nanos).ok()?;
        let offset = self.offset.unwrap_or(Offset::UTC);
        let at = offset.to_timestamp(date.to_datetime(clock)).ok()?;
        let is_utc = offset == Offset::UTC && matches!(&*self.abbreviation, "" | "UTC");
        let zone = if is_utc { Zone::Utc } else { Zone::Fixed(offset, self.abbreviation) };
        Some(Time { at, zone })
    }
}
