//! Turns through the changes of clocks, layers, overrides; and that there is one answer for each instant.

use proptest::prelude::*;

use super::*;
use crate::model::Span;

const DAY: Span = Span::from_hours(24);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn read(yaml: serde_json::Value) -> Schedule {
    serde_json::from_value(yaml).unwrap()
}

fn berlin(layers: serde_json::Value) -> Schedule {
    read(serde_json::json!({ "time_zone": "Europe/Berlin", "layers": layers }))
}

fn daily(start: &str, people: &[&str]) -> serde_json::Value {
    serde_json::json!({ "starts_at": start, "shift": "1d", "rotation": people })
}

fn who(schedule: &Schedule, when: &str) -> Option<String> {
    schedule.calendar(&[]).who(at(when)).map(str::to_owned)
}

#[track_caller]
fn is(schedule: &Schedule, when: &str, expected: &str) {
    assert_eq!(who(schedule, when).as_deref().unwrap_or("nobody"), expected, "{when}");
}

#[test]
fn turns_follow_each_other_and_nobody_is_on_call_before_the_first() {
    let week =
        berlin(serde_json::json!([{ "starts_at": "2026-11-02T09:00", "shift": "7d", "rotation": ["anna", "ben"] }]));
    is(&week, "2026-11-02T07:59:59.999Z", "nobody");
    is(&week, "2026-11-02T08:00:00Z", "anna");
    is(&week, "2026-11-09T07:59:59.999Z", "anna");
    is(&week, "2026-11-09T08:00:00Z", "ben");
    is(&week, "2026-11-16T08:00:00Z", "anna");
}

#[test]
fn a_hand_over_stays_at_its_time_of_the_day_when_clocks_change() {
    let days = berlin(serde_json::json!([daily("2026-03-27T09:00", &["anna", "ben"])]));
    // Clocks go forward on 29 March and back on 25 October.
    is(&days, "2026-03-28T08:00:00Z", "ben");
    is(&days, "2026-03-29T06:59:59Z", "ben");
    is(&days, "2026-03-29T07:00:00Z", "anna");
    is(&days, "2026-10-24T06:59:59Z", "anna");
    is(&days, "2026-10-25T07:59:59Z", "ben");
    is(&days, "2026-10-25T08:00:00Z", "anna");
}

#[test]
fn a_hand_over_in_the_hour_that_clocks_repeat_or_leave_out_happens_once() {
    let night = berlin(serde_json::json!([daily("2026-10-23T02:30", &["anna", "ben"])]));
    // 02:30 comes twice on 25 October: at 00:30 and 01:30 UTC.
    let shifts = night.calendar(&[]).shifts(at("2026-10-24T12:00:00Z"), at("2026-10-26T12:00:00Z"));
    let begins: Vec<(String, &str)> =
        shifts.iter().map(|shift| (shift.starts_at.to_string(), shift.receiver.as_str())).collect();
    let begins: Vec<(&str, &str)> = begins.iter().map(|(at, who)| (at.as_str(), *who)).collect();
    assert_eq!(
        begins,
        [
            ("2026-10-24T12:00:00.000Z", "ben"),
            ("2026-10-25T00:30:00.000Z", "anna"),
            ("2026-10-26T01:30:00.000Z", "ben")
        ]
    );
    // 02:30 does not exist on 29 March; 03:30 stands for it.
    let night = berlin(serde_json::json!([daily("2026-03-27T02:30", &["anna", "ben"])]));
    is(&night, "2026-03-29T01:29:59Z", "ben");
    is(&night, "2026-03-29T01:30:00Z", "anna");
}

#[test]
fn shorter_shifts_than_a_day_and_longer_ones_than_a_year_turn_as_well() {
    let halves = berlin(
        serde_json::json!([{ "starts_at": "2026-02-27T08:00", "shift": "12h", "rotation": ["day", "night", "day", "dawn"] }]),
    );
    is(&halves, "2026-02-28T06:59:00Z", "night");
    is(&halves, "2026-02-28T07:00:00Z", "day");
    is(&halves, "2026-03-01T06:00:00Z", "dawn");
    let leap = berlin(serde_json::json!([daily("2028-02-28T00:00", &["28th", "29th", "1st"])]));
    is(&leap, "2028-02-28T23:00:00Z", "29th");
    is(&leap, "2028-02-29T23:00:00Z", "1st");
    let year = berlin(serde_json::json!([daily("2026-12-31T00:00", &["old", "new"])]));
    is(&year, "2026-12-31T22:59:59Z", "old");
    is(&year, "2026-12-31T23:00:00Z", "new");
}

#[test]
fn a_later_layer_wins_where_it_has_somebody() {
    let schedule = berlin(serde_json::json!([
        daily("2026-11-02T00:00", &["all"]),
        { "starts_at": "2026-11-02T00:00", "shift": "7d", "rotation": ["night"],
          "only": [{ "days": ["monday:friday"], "from": "18:00", "until": "08:00" }] },
        { "starts_at": "2026-11-02T00:00", "shift": "7d", "rotation": ["weekend"], "ends_at": "2026-11-16T00:00",
          "only": [{ "from": "friday 20:00", "until": "monday 06:00" }] },
    ]));
    is(&schedule, "2026-11-02T16:59:00Z", "all");
    is(&schedule, "2026-11-02T17:00:00Z", "night");
    is(&schedule, "2026-11-03T06:59:00Z", "night");
    is(&schedule, "2026-11-03T07:00:00Z", "all");
    is(&schedule, "2026-11-06T18:59:00Z", "night");
    is(&schedule, "2026-11-06T19:00:00Z", "weekend");
    is(&schedule, "2026-11-09T04:59:00Z", "weekend");
    is(&schedule, "2026-11-09T05:00:00Z", "all");
    // Its layer has ended; Friday's night lasts until Saturday morning.
    is(&schedule, "2026-11-21T06:59:00Z", "night");
    is(&schedule, "2026-11-21T19:00:00Z", "all");
}

#[test]
fn the_last_override_wins_and_what_people_say_wins_over_the_file() {
    let mut schedule = berlin(serde_json::json!([daily("2026-11-02T09:00", &["anna"])]));
    let over = |receiver: &str, from: &str, until: &str| Override {
        starts_at: at(from),
        ends_at: at(until),
        receiver: receiver.to_owned(),
    };
    schedule.overrides = vec![
        over("ben", "2026-11-03T00:00:00Z", "2026-11-05T00:00:00Z"),
        over("cleo", "2026-11-04T00:00:00Z", "2026-11-04T12:00:00Z"),
    ];
    is(&schedule, "2026-11-03T00:00:00Z", "ben");
    is(&schedule, "2026-11-04T00:00:00Z", "cleo");
    is(&schedule, "2026-11-04T12:00:00Z", "ben");
    is(&schedule, "2026-11-05T00:00:00Z", "anna");
    let said = [over("dora", "2026-11-04T06:00:00Z", "2026-11-04T07:00:00Z")];
    let turn = schedule.calendar(&said).turn(at("2026-11-04T06:30:00Z"));
    assert_eq!(turn, Some(("dora", Turn::Override(2))));
}

#[test]
fn gaps_are_found() {
    let schedule = berlin(serde_json::json!([
        { "starts_at": "2026-11-02T00:00", "shift": "7d", "rotation": ["office"],
          "only": [{ "days": ["monday:friday"], "from": "08:00", "until": "18:00" }] },
    ]));
    let gaps = schedule.calendar(&[]).gaps(at("2026-11-05T12:00:00Z"), at("2026-11-09T12:00:00Z"));
    let gaps: Vec<String> = gaps.iter().map(|gap| format!("{} {}", gap.starts_at, gap.ends_at)).collect();
    assert_eq!(
        gaps,
        ["2026-11-05T17:00:00.000Z 2026-11-06T07:00:00.000Z", "2026-11-06T17:00:00.000Z 2026-11-09T07:00:00.000Z"]
    );
}

#[test]
fn what_cannot_be_read_says_what_was_expected() {
    let refusal = |window: serde_json::Value| serde_json::from_value::<Window>(window).unwrap_err().to_string();
    let json = |text: &str| serde_json::from_str(text).unwrap();
    insta::assert_snapshot!(refusal(json(r#"{ "from": "9", "until": "17:00" }"#)), @"`from`: expected a time of the day such as `08:30`, or of the week such as `friday 17:00`, got `9`");
    insta::assert_snapshot!(refusal(json(r#"{ "from": "24:01", "until": "17:00" }"#)), @"`from`: expected a time of the day such as `08:30`, or of the week such as `friday 17:00`, got `24:01`");
    insta::assert_snapshot!(refusal(json(r#"{ "from": "friday 09:00", "until": "17:00" }"#)), @"`until`: expected a day as well, as in `from`, got `17:00`");
    insta::assert_snapshot!(refusal(json(r#"{ "days": ["weekend"], "from": "09:00", "until": "17:00" }"#)), @"`days`: expected a day such as `monday`, or several as `monday:friday`, got `weekend`");
    insta::assert_snapshot!("tomorrow".parse::<Wall>().unwrap_err(), @"expected a time such as `2026-11-23T09:00`, got `tomorrow`");
}

fn any_layer() -> impl Strategy<Value = serde_json::Value> {
    let time = (0_u32..24, prop::sample::select(vec![0_u32, 15, 30, 59])).prop_map(|(h, m)| format!("{h:02}:{m:02}"));
    let day =
        prop::sample::select(vec!["monday", "wednesday", "saturday", "sunday", "monday:friday", "saturday:sunday"]);
    let window = (day, time.clone(), time.clone())
        .prop_map(|(day, from, until)| serde_json::json!({ "days": [day], "from": from, "until": until }));
    let shift = prop::sample::select(vec!["1h", "8h", "12h", "1d", "7d", "36h", "7m"]);
    (1_i8..=28, time, shift, 1_usize..5, prop::collection::vec(window, 0..3)).prop_map(
        |(day, time, shift, people, only)| {
            let people: Vec<String> = (0..people).map(|number| format!("p{number}")).collect();
            serde_json::json!({ "starts_at": format!("2026-03-{day:02}T{time}"), "shift": shift, "rotation": people, "only": only })
        },
    )
}

fn any_schedule() -> impl Strategy<Value = Schedule> {
    let zone =
        prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kathmandu"]);
    (zone, prop::collection::vec(any_layer(), 1..4))
        .prop_map(|(zone, layers)| read(serde_json::json!({ "time_zone": zone, "layers": layers })))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Between two changes the answer stays, whichever instant is asked for; shifts and gaps cover all the time once.
    #[test]
    fn shifts_and_gaps_are_what_each_instant_answers(schedule in any_schedule(), start in 0_i64..400) {
        let from = at("2026-02-20T00:00:00Z") + Span::from_hours(12 * start);
        let until = from + DAY + DAY;
        let calendar = schedule.calendar(&[]);
        let (shifts, gaps) = (calendar.shifts(from, until), calendar.gaps(from, until));
        let mut spans: Vec<(Timestamp, Timestamp, Option<&str>)> =
            shifts.iter().map(|shift| (shift.starts_at, shift.ends_at, Some(&*shift.receiver))).collect();
        spans.extend(gaps.iter().map(|gap| (gap.starts_at, gap.ends_at, None)));
        spans.sort_unstable();
        prop_assert_eq!(spans.first().unwrap().0, from);
        prop_assert_eq!(spans.last().unwrap().1, until);
        prop_assert!(spans.windows(2).all(|pair| pair[0].1 == pair[1].0), "{:?}", spans);
        for (begin, end, expected) in spans {
            let last = end - Span::from_millis(1);
            let middle = begin + Span::from_millis(end.since(begin).as_millis() / 2);
            for instant in [begin, middle, last] {
                prop_assert_eq!(calendar.who(instant), expected, "{}", instant);
            }
        }
    }
}
