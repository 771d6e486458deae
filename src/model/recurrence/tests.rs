//! The examples of RFC 5545, and what clocks that are put forward and back do to a time of the day.

use super::*;
use proptest::prelude::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn recurrence(rrule: &str, time_zone: &str, starts_at: &str, hours: i64) -> Recurrence {
    Recurrence {
        rrule: rrule.into(),
        time_zone: time_zone.into(),
        starts_at: at(starts_at),
        duration: Span::from_hours(hours),
        until: None,
    }
}

/// The first so many, found one after the other as the engine does.
fn walk(recurrence: &Recurrence, count: usize) -> Vec<Occurrence> {
    let mut found = Vec::new();
    let mut from = Timestamp::from_millis(0);
    while let Some(next) = recurrence.first_after(from).filter(|_| found.len() < count) {
        from = next.ends_at;
        found.push(next);
    }
    found
}

/// Days as `97-09-02`, in New York, from the second of September 1997 at nine as the examples of the RFC.
fn days(rrule: &str, count: usize) -> String {
    let recurrence = recurrence(rrule, "America/New_York", "1997-09-02T13:00:00Z", 1);
    let zone = zone::find("America/New_York").unwrap();
    let all = walk(&recurrence, count).into_iter().map(|occurrence| {
        let local = local(&zone, occurrence.starts_at).unwrap();
        assert_eq!((local.hour(), local.minute()), (9, 0), "{rrule}: {local}");
        local.date().strftime("%y-%m-%d").to_string()
    });
    all.collect::<Vec<_>>().join(" ")
}

/// From section 3.8.5.3 of RFC 5545.
#[test]
fn the_examples_of_the_rfc() {
    for (rrule, expected) in [
        ("FREQ=DAILY;COUNT=3", "97-09-02 97-09-03 97-09-04"),
        ("FREQ=DAILY;INTERVAL=10;COUNT=5", "97-09-02 97-09-12 97-09-22 97-10-02 97-10-12"),
        ("FREQ=WEEKLY;UNTIL=19970924T000000Z", "97-09-02 97-09-09 97-09-16 97-09-23"),
        ("FREQ=WEEKLY;INTERVAL=2;WKST=SU", "97-09-02 97-09-16 97-09-30 97-10-14 97-10-28"),
        ("FREQ=WEEKLY;COUNT=4;WKST=SU;BYDAY=TU,TH", "97-09-02 97-09-04 97-09-09 97-09-11"),
        ("FREQ=WEEKLY;INTERVAL=2;COUNT=8;WKST=SU;BYDAY=TU,TH", "97-09-02 97-09-04 97-09-16 97-09-18 97-09-30"),
        ("FREQ=MONTHLY;COUNT=10;BYDAY=1FR", "97-09-05 97-10-03 97-11-07 97-12-05 98-01-02"),
        ("FREQ=MONTHLY;INTERVAL=2;COUNT=10;BYDAY=1SU,-1SU", "97-09-07 97-09-28 97-11-02 97-11-30 98-01-04"),
        ("FREQ=MONTHLY;COUNT=6;BYDAY=-2MO", "97-09-22 97-10-20 97-11-17 97-12-22 98-01-19"),
        ("FREQ=MONTHLY;BYMONTHDAY=-3", "97-09-28 97-10-29 97-11-28 97-12-29 98-01-29"),
        ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=2,15", "97-09-02 97-09-15 97-10-02 97-10-15 97-11-02"),
        ("FREQ=MONTHLY;COUNT=10;BYMONTHDAY=1,-1", "97-09-30 97-10-01 97-10-31 97-11-01 97-11-30"),
        (
            "FREQ=MONTHLY;INTERVAL=18;BYMONTHDAY=10,11,12,13,14,15;COUNT=10",
            "97-09-10 97-09-11 97-09-12 97-09-13 97-09-14",
        ),
        ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", "98-02-13 98-03-13 98-11-13 99-08-13 00-10-13"),
        ("FREQ=MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", "97-09-13 97-10-11 97-11-08 97-12-13 98-01-10"),
        ("FREQ=MONTHLY;COUNT=3;BYDAY=TU,WE,TH;BYSETPOS=3", "97-09-04 97-10-07 97-11-06"),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", "97-09-29 97-10-30 97-11-27 97-12-30 98-01-29"),
        ("FREQ=YEARLY;COUNT=10;BYMONTH=6,7", "98-06-02 98-07-02 99-06-02 99-07-02 00-06-02"),
        ("FREQ=YEARLY;BYDAY=20MO", "98-05-18 99-05-17 00-05-15 01-05-14 02-05-20"),
        ("FREQ=YEARLY;BYMONTH=3;BYDAY=TH", "98-03-05 98-03-12 98-03-19 98-03-26 99-03-04"),
        (
            "FREQ=YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2,3,4,5,6,7,8",
            "97-11-04 01-11-06 05-11-08 09-11-03 13-11-05",
        ),
        ("rrule:freq=yearly;bymonth=2;bymonthday=29", "00-02-29 04-02-29 08-02-29 12-02-29 16-02-29"),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", ""),
        ("FREQ=DAILY;UNTIL=19970904", "97-09-02 97-09-03 97-09-04"),
    ] {
        assert_eq!(days(rrule, 5), expected, "{rrule}");
    }
    // The week begins where the rule says.
    let august = |week_start: &str| {
        let rrule = format!("FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST={week_start}");
        let all = walk(&recurrence(&rrule, "America/New_York", "1997-08-05T13:00:00Z", 1), 4);
        all.iter().map(|occurrence| occurrence.starts_at.to_string()[5..10].to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((august("MO").as_str(), august("SU").as_str()), ("08-05 08-10 08-19 08-24", "08-05 08-17 08-19 08-31"));
}

#[test]
fn says_what_is_wrong() {
    let mut told = Vec::new();
    for rrule in [
        "",
        "FREQ=HOURLY",
        "WEEKLY",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=1;UNTIL=20261231",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;BYDAY=2MO",
        "FREQ=WEEKLY;BYDAY=X",
        "FREQ=WEEKLY;BYMONTHDAY=1",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYSETPOS=1",
        "FREQ=DAILY;BYHOUR=3",
    ] {
        told.push(recurrence(rrule, "UTC", "2026-11-21T05:00:00Z", 1).check().unwrap_err().to_string());
    }
    let fine = recurrence("FREQ=DAILY", "UTC", "2026-11-21T05:00:00Z", 1);
    told.push(Recurrence { time_zone: "Mars/Olympus".into(), ..fine.clone() }.check().unwrap_err().to_string());
    told.push(Recurrence { duration: Span::ZERO, ..fine }.check().unwrap_err().to_string());
    insta::assert_snapshot!(told.join("\n"), @"
    `rrule`: got nothing, expected a rule that says how often: `FREQ=WEEKLY;BYDAY=SA`
    `rrule`: got `FREQ=HOURLY`, expected `DAILY`, `WEEKLY`, `MONTHLY` or `YEARLY`
    `rrule`: got `WEEKLY`, expected parts such as `FREQ=WEEKLY`
    `rrule`: got `FREQ=DAILY`, expected `FREQ` once only
    `rrule`: got `INTERVAL=0`, expected a whole number from 1 to 1000
    `rrule`: got `FREQ=DAILY;COUNT=1;UNTIL=20261231`, expected either `COUNT` or `UNTIL`
    `rrule`: got `UNTIL=TOMORROW`, expected a day (`20261231`) or a time (`20261231T235959Z`)
    `rrule`: got `FREQ=DAILY;BYDAY=2MO`, expected days with a number (`2TU`) with `FREQ=MONTHLY` or `FREQ=YEARLY` only
    `rrule`: got `BYDAY=X`, expected days such as `MO`, `2TU` or `-1FR`
    `rrule`: got `FREQ=WEEKLY;BYMONTHDAY=1`, expected `BYMONTHDAY` with another `FREQ` than `WEEKLY`
    `rrule`: got `BYMONTHDAY=0`, expected 1 to 31, or -1 to -31 from the end
    `rrule`: got `FREQ=MONTHLY;BYSETPOS=1`, expected `BYSETPOS` together with `BYDAY`, `BYMONTHDAY` or `BYMONTH`
    `rrule`: got `BYHOUR=3`, expected no parts but `FREQ`, `INTERVAL`, `BYDAY`, `BYMONTHDAY`, `BYMONTH`, `BYSETPOS`, `COUNT`, `UNTIL` and `WKST`
    `time_zone`: got `Mars/Olympus`, expected a name of the time zone database such as `Europe/Berlin`
    `duration`: got `0s`, expected more than nothing and at most 31d
    ");
}

#[test]
fn both_ends_stand_on_the_wall_clock() {
    let night = |starts_at: &str, hours| {
        let all = walk(&recurrence("FREQ=DAILY", "Europe/Berlin", starts_at, hours), 3);
        all.iter()
            .map(|o| format!("{} {}", &o.starts_at.to_string()[5..16], &o.ends_at.to_string()[5..16]))
            .collect::<Vec<_>>()
    };
    // Clocks go forward on 2027-03-28 at 02:00, back on 2027-10-31 at 03:00.
    assert_eq!(
        night("2027-03-26T21:00:00Z", 8),
        ["03-26T21:00 03-27T05:00", "03-27T21:00 03-28T04:00", "03-28T20:00 03-29T04:00"]
    );
    assert_eq!(
        night("2027-10-29T20:00:00Z", 8),
        ["10-29T20:00 10-30T04:00", "10-30T20:00 10-31T05:00", "10-31T21:00 11-01T05:00"]
    );
    // Half past two is left out once, and comes twice once.
    assert_eq!(night("2027-03-27T01:30:00Z", 1)[1], "03-28T01:30 03-28T02:30");
    assert_eq!(night("2027-10-30T00:30:00Z", 1)[1], "10-31T00:30 10-31T02:30");
}

#[test]
fn what_ends_has_no_next() {
    let mut daily = recurrence("FREQ=DAILY;COUNT=2", "UTC", "2026-11-21T05:00:00Z", 1);
    assert_eq!(daily.first_after(at("2026-11-22T05:59:59Z")).unwrap().starts_at, at("2026-11-22T05:00:00Z"));
    assert_eq!(daily.first_after(at("2026-11-22T06:00:00Z")), None);
    daily.rrule = "FREQ=DAILY".into();
    daily.until = Some(at("2026-11-23T05:00:00Z"));
    assert_eq!(walk(&daily, 9).len(), 3);
}

fn rules() -> impl Strategy<Value = String> {
    let tail = prop_oneof![
        Just("FREQ=DAILY".to_owned()),
        Just("FREQ=WEEKLY".to_owned()),
        Just("FREQ=WEEKLY;BYDAY=MO,SA;WKST=SU".to_owned()),
        Just("FREQ=MONTHLY;BYDAY=-1SU".to_owned()),
        Just("FREQ=MONTHLY;BYMONTHDAY=1,31".to_owned()),
        Just("FREQ=YEARLY;BYMONTH=3,10;BYDAY=SU".to_owned()),
    ];
    (tail, 1..5_u8).prop_map(|(tail, interval)| format!("{tail};INTERVAL={interval}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever clocks do, it begins at the same time of the day, and looking from anywhere finds the same ones.
    #[test]
    fn wall_clock_times_stay(
        rrule in rules(),
        zone in prop_oneof![Just("Europe/Berlin"), Just("America/New_York")],
        minute in 0..1_000_000_i64,
        hours in 1..20_i64,
    ) {
        let starts_at = at("2026-01-01T00:00:00Z") + Span::from_mins(minute);
        let recurrence = Recurrence { starts_at, ..recurrence(&rrule, zone, "2026-01-01T00:00:00Z", hours) };
        let zone = zone::find(zone).unwrap();
        let first = local(&zone, starts_at).unwrap();
        let mut last = None;
        for occurrence in walk(&recurrence, 40) {
            let begin = local(&zone, occurrence.starts_at).unwrap();
            let end = local(&zone, occurrence.ends_at).unwrap();
            let wanted = begin.date().to_datetime(first.time());
            let is_left_out = zone.to_ambiguous_timestamp(wanted).is_ambiguous();
            prop_assert!(begin.time() == first.time() || is_left_out, "{begin} of {first}");
            let planned = wanted.checked_add(jiff::SignedDuration::from_hours(hours)).unwrap();
            prop_assert!(end == planned || is_left_out || zone.to_ambiguous_timestamp(planned).is_ambiguous(), "{end}");
            prop_assert!(last.is_none_or(|last| last < occurrence), "{occurrence:?} after {last:?}");
            let within = occurrence.starts_at + Span::from_mins(1);
            prop_assert_eq!(recurrence.first_after(within), Some(occurrence));
            last = Some(occurrence);
        }
        prop_assert!(last.is_some());
    }

    #[test]
    fn nothing_that_is_typed_panics(rrule in ".{0,60}", parts in "(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY);?|BY(DAY|MONTH|MONTHDAY|SETPOS)=[-0-9A-Z,]{0,9};?|UNTIL=[0-9TZ]{0,16};?){1,4}") {
        for text in [rrule, parts] {
            let recurrence = recurrence(&text, "UTC", "2026-11-21T05:00:00Z", 1);
            if recurrence.check().is_ok() {
                let _ = recurrence.first_after(at("2027-11-21T05:00:00Z"));
            }
        }
    }
}
