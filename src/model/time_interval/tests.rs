//! Times against the calendar, and against a slow reference that counts everything out.

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn check(interval: &TimeInterval, inside: &[&str], outside: &[&str]) {
    for text in inside {
        assert!(interval.contains(at(text)), "{text} should be in {interval:?}");
    }
    for text in outside {
        assert!(!interval.contains(at(text)), "{text} should not be in {interval:?}");
    }
}

fn named(location: &str) -> TimeInterval {
    TimeInterval { location: Some(location.into()), ..TimeInterval::default() }
}

#[test]
fn no_condition_is_always() {
    check(&TimeInterval::default(), &["2026-11-21T05:00:00Z", "0001-01-01T00:00:00Z"], &[]);
}

#[test]
fn the_end_of_times_is_outside_and_the_ends_of_days_are_inside() {
    let office = TimeInterval { times: vec![(540, 1020)], weekdays: vec![(1, 5)], ..TimeInterval::default() };
    check(
        &office,
        &["2026-11-23T09:00:00Z", "2026-11-27T16:59:59.999Z"],
        &["2026-11-23T08:59:59.999Z", "2026-11-27T17:00:00Z", "2026-11-22T12:00:00Z", "2026-11-28T12:00:00Z"],
    );
    let evening = TimeInterval { times: vec![(0, 60), (1380, 1440)], ..TimeInterval::default() };
    check(&evening, &["2026-11-23T23:59:59.999Z", "2026-11-23T00:59:00Z"], &["2026-11-23T01:00:00Z"]);
}

#[test]
fn days_count_from_either_end_of_the_month_and_stop_at_it() {
    let days = |from, to| TimeInterval { days_of_month: vec![(from, to)], ..TimeInterval::default() };
    check(&days(-3, -1), &["2026-02-26T00:00:00Z", "2024-02-29T00:00:00Z"], &["2026-02-25T00:00:00Z"]);
    check(&days(25, 31), &["2026-02-28T00:00:00Z", "2026-01-31T00:00:00Z"], &["2026-03-01T00:00:00Z"]);
    check(&days(30, 31), &["2026-04-30T00:00:00Z"], &["2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"]);
    check(&days(-31, -28), &["2026-02-01T00:00:00Z", "2026-01-04T00:00:00Z"], &["2026-01-05T00:00:00Z"]);
    check(&days(1, -1), &["2026-02-01T00:00:00Z", "2026-02-28T00:00:00Z"], &[]);
}

#[test]
fn a_location_has_its_own_days_and_its_own_summer() {
    let mut berlin = named("Europe/Berlin");
    berlin.times = vec![(120, 180)];
    check(
        &berlin,
        // 02:30 in winter and in summer; in the hour that comes twice, both; in the one that is left out, neither.
        &["2026-01-15T01:30:00Z", "2026-07-15T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"],
        &["2026-03-29T00:59:00Z", "2026-03-29T01:00:00Z", "2026-01-15T02:00:00Z"],
    );
    let mut melbourne = named("Australia/Melbourne");
    (melbourne.weekdays, melbourne.years) = (vec![(5, 5)], vec![(2027, 2027)]);
    check(&melbourne, &["2026-12-31T13:00:00Z"], &["2026-12-31T12:59:59Z", "2027-01-01T13:00:00Z"]);
}

#[test]
fn texts_are_read_as_alertmanager_reads_them() {
    assert_eq!(read_weekdays("Monday:friday"), Ok((1, 5)));
    assert_eq!(read_weekdays("sunday"), Ok((0, 0)));
    assert_eq!(read_days_of_month("1:5"), Ok((1, 5)));
    assert_eq!(read_days_of_month("-3:-1"), Ok((-3, -1)));
    assert_eq!(read_days_of_month("15:-1"), Ok((15, -1)));
    assert_eq!(read_months("may:August"), Ok((5, 8)));
    assert_eq!(read_months("12"), Ok((12, 12)));
    assert_eq!(read_years("2020:2022"), Ok((2020, 2022)));
    assert_eq!(read_times("09:00", "24:00"), Ok((540, 1440)));
    assert!(check_location("Australia/Melbourne").is_ok());
}

#[test]
fn what_is_wrong_is_said() {
    let said = [
        read_weekdays("friday:monday").unwrap_err(),
        read_weekdays("mon").unwrap_err(),
        read_weekdays("monday:tuesday:friday").unwrap_err(),
        read_days_of_month("0").unwrap_err(),
        read_days_of_month("-5:5").unwrap_err(),
        read_days_of_month("31:-28").unwrap_err(),
        read_months("13").unwrap_err(),
        read_months("may:april").unwrap_err(),
        read_years("2022:2020").unwrap_err(),
        read_times("9:00", "10:00").unwrap_err(),
        read_times("17:00", "09:00").unwrap_err(),
        read_times("09:00", "24:01").unwrap_err(),
        check_location("Mars/Olympus").unwrap_err(),
    ];
    insta::assert_snapshot!(said.map(|error| error.to_string()).join("\n"), @r#"
expected a day such as `monday`, or a range such as `monday:friday` within a week that begins on Sunday, got `friday:monday`
expected a day such as `monday`, or a range such as `monday:friday` within a week that begins on Sunday, got `mon`
expected a day such as `monday`, or a range such as `monday:friday` within a week that begins on Sunday, got `monday:tuesday:friday`
expected days such as `1:5`, or `-3:-1` from the end of the month, 1 to 31, the earlier first, got `0`
expected days such as `1:5`, or `-3:-1` from the end of the month, 1 to 31, the earlier first, got `-5:5`
expected days such as `1:5`, or `-3:-1` from the end of the month, 1 to 31, the earlier first, got `31:-28`
expected a month such as `may` or `5`, or a range such as `may:august` within a year, got `13`
expected a month such as `may` or `5`, or a range such as `may:august` within a year, got `may:april`
expected a year, or a range such as `2026:2028`, got `2022:2020`
expected a time of day such as `09:00`, from `00:00` to `24:00`, got `9:00`
expected an end after the start, 17:00; what goes over midnight is two ranges, got `09:00`
expected a time of day such as `09:00`, from `00:00` to `24:00`, got `24:01`
expected a name of the time zone database such as `Europe/Berlin` or `UTC`, got `Mars/Olympus`
"#);
}

/// Any sound interval.
fn interval() -> impl Strategy<Value = TimeInterval> {
    let ordered = |(a, b): (u16, u16)| (a.min(b), a.max(b) + 1);
    let small = |(a, b): (u8, u8)| (a.min(b), a.max(b));
    let day = prop_oneof![-31..=-1_i8, 1..=31_i8];
    (
        prop::collection::vec((0..1440_u16, 0..1440_u16).prop_map(ordered), 0..3),
        prop::collection::vec((0..7_u8, 0..7_u8).prop_map(small), 0..3),
        prop::collection::vec((day.clone(), day), 0..3),
        prop::collection::vec((1..13_u8, 1..13_u8).prop_map(small), 0..3),
        prop::collection::vec((2023..2027_i16).prop_map(|year| (year, year + 1)), 0..2),
        prop::option::of(prop::sample::select(&["Europe/Berlin", "America/St_Johns", "Pacific/Apia"][..])),
    )
        .prop_map(|(times, weekdays, days_of_month, months, years, location)| TimeInterval {
            times,
            weekdays,
            days_of_month,
            months,
            years,
            location: location.map(str::to_owned),
        })
}

/// Counts out every minute, day, month and year that a range names, and looks for the one on the wall.
fn slowly(interval: &TimeInterval, at: Timestamp) -> bool {
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(interval.location.as_deref().unwrap_or("UTC")).unwrap();
    let wall = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap().to_zoned(zone);
    let shown = wall.strftime("%Y %m %d %H %M %w").to_string();
    let shown: Vec<i32> = shown.split(' ').map(|number| number.parse().unwrap()).collect();
    let last = (28..=31).rev().find(|day| jiff::civil::Date::new(wall.year(), wall.month(), *day).is_ok()).unwrap();
    let in_any = |ranges: Vec<Vec<i32>>, value: i32| {
        ranges.is_empty() || ranges.into_iter().flatten().collect::<Vec<_>>().contains(&value)
    };
    let times = interval.times.iter().map(|(from, to)| (i32::from(*from)..i32::from(*to)).collect()).collect();
    let weekdays = interval.weekdays.iter().map(|(from, to)| (i32::from(*from)..=i32::from(*to)).collect()).collect();
    let months = interval.months.iter().map(|(from, to)| (i32::from(*from)..=i32::from(*to)).collect()).collect();
    let years = interval.years.iter().map(|(from, to)| (i32::from(*from)..=i32::from(*to)).collect()).collect();
    let number = |day: i8| if day > 0 { i32::from(day) } else { i32::from(last) + 1 + i32::from(day) };
    let days = interval.days_of_month.iter();
    let days = days
        .map(|(from, to)| (number(*from)..=number(*to)).filter(|day| (1..=i32::from(last)).contains(day)).collect());
    in_any(times, shown[3] * 60 + shown[4])
        && in_any(weekdays, shown[5])
        && in_any(days.collect(), shown[2])
        && in_any(months, shown[1])
        && in_any(years, shown[0])
}

proptest! {
    #[test]
    fn agrees_with_counting_it_out(interval in interval(), minute in 27_800_000_i64..30_400_000) {
        let at = Timestamp::from_millis(minute * 60_000 + 59_999);
        prop_assert_eq!(interval.contains(at), slowly(&interval, at));
    }

    #[test]
    fn what_is_written_reads_back(interval in interval()) {
        for range in &interval.weekdays {
            prop_assert_eq!(read_weekdays(&weekdays_text(*range)), Ok(*range));
        }
        for range in &interval.months {
            prop_assert_eq!(read_months(&months_text(*range)), Ok(*range));
        }
        for range in &interval.years {
            prop_assert_eq!(read_years(&numbers_text(*range)), Ok(*range));
        }
        for (from, to) in &interval.times {
            prop_assert_eq!(read_times(&time_text(*from), &time_text(*to)), Ok((*from, *to)));
        }
        for range in &interval.days_of_month {
            if let Ok(read) = read_days_of_month(&numbers_text(*range)) {
                prop_assert_eq!(read, *range);
            }
        }
    }
}
