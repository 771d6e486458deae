//! Who is on call, compared with a second implementation that shares nothing with ours: another language, another library
//! of time zones, another way to count (`reference.py`). Schedules and instants are drawn by a fixed seed, most of them
//! around what is hard: clocks that are put forward and back, leap days, ends of years. Without Python and its time
//! zones the test says so and is skipped.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use watchbell::model::{Schedule, Span, Timestamp};

const SCHEDULES: usize = 120;
const INSTANTS: usize = 150;
const ZONES: [&str; 5] = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"];

/// Near these something is different from other days. Lord Howe puts its clocks by half an hour.
const HARD: [&str; 12] = [
    "2024-02-29T00:00:00Z",
    "2024-03-10T07:00:00Z",
    "2024-03-31T01:00:00Z",
    "2024-04-06T15:00:00Z",
    "2024-10-05T15:30:00Z",
    "2024-10-27T01:00:00Z",
    "2024-11-03T06:00:00Z",
    "2024-12-31T23:00:00Z",
    "2026-03-29T01:00:00Z",
    "2026-10-25T01:00:00Z",
    "2026-11-01T06:00:00Z",
    "2028-02-29T12:00:00Z",
];

fn one_of<'a>(random: &mut fastrand::Rng, all: &[&'a str]) -> &'a str {
    all[random.usize(..all.len())]
}

fn clock(random: &mut fastrand::Rng) -> String {
    let minute = one_of(random, &["00", "00", "15", "30", "45"]);
    format!("{:02}:{minute}", random.u32(0..24))
}

fn window(random: &mut fastrand::Rng) -> Value {
    let days = ["monday", "saturday", "sunday", "monday:friday", "friday:monday", "saturday:sunday"];
    match random.u32(..3) {
        0 => json!({ "from": clock(random), "until": clock(random) }),
        1 => {
            let days = [one_of(random, &days), one_of(random, &days)];
            json!({ "days": days, "from": clock(random), "until": clock(random) })
        }
        _ => {
            let day = |random: &mut fastrand::Rng| one_of(random, &["sunday", "wednesday", "friday", "saturday"]);
            let time = |random: &mut fastrand::Rng| format!("{} {}", day(random), clock(random));
            json!({ "from": time(random), "until": time(random) })
        }
    }
}

fn layer(random: &mut fastrand::Rng) -> Value {
    let people: Vec<String> = (0..random.u32(1..5)).map(|number| format!("p{number}")).collect();
    let starts_at = format!("2024-{:02}-{:02}T{}", random.u32(1..13), random.u32(1..29), clock(random));
    let shift = one_of(random, &["30m", "1h", "90m", "8h", "12h", "36h", "1d", "7d", "2w"]);
    let mut layer = json!({ "starts_at": starts_at, "shift": shift, "rotation": people });
    if random.bool() {
        layer["only"] = (0..random.u32(1..3)).map(|_| window(random)).collect();
    }
    if random.u32(..4) == 0 {
        layer["ends_at"] = json!(format!("2026-{:02}-25T{}", random.u32(1..13), clock(random)));
    }
    layer
}

fn instant(random: &mut fastrand::Rng) -> Timestamp {
    let near: Timestamp = one_of(random, &HARD).parse().unwrap();
    match random.u32(..4) {
        0 => near + Span::from_mins(15 * random.i64(-20..20)),
        1 => near + Span::from_millis(random.i64(-6 * 3_600_000..6 * 3_600_000)),
        2 => near + Span::from_hours(random.i64(-24 * 9..24 * 9)),
        _ => {
            let first: Timestamp = "2023-12-01T00:00:00Z".parse().unwrap();
            first + Span::from_millis(random.i64(0..5 * 366 * 86_400_000))
        }
    }
}

fn case(random: &mut fastrand::Rng) -> (Schedule, Value, Vec<Timestamp>) {
    let layers: Vec<Value> = (0..random.u32(1..4)).map(|_| layer(random)).collect();
    let overrides: Vec<Value> = (0..random.u32(0..3))
        .map(|number| {
            let starts_at = instant(random);
            let ends_at = starts_at + Span::from_hours(random.i64(1..200));
            json!({ "starts_at": starts_at, "ends_at": ends_at, "receiver": format!("o{number}") })
        })
        .collect();
    let schedule = json!({ "time_zone": one_of(random, &ZONES), "layers": layers, "overrides": overrides });
    let instants = (0..INSTANTS).map(|_| instant(random)).collect();
    (serde_json::from_value(schedule.clone()).unwrap(), schedule, instants)
}

/// What the reference says; none where there is no Python that knows time zones.
fn reference(cases: &Value) -> Option<Vec<Vec<Option<String>>>> {
    let probe = "import zoneinfo; [zoneinfo.ZoneInfo(name) for name in ('Europe/Berlin', 'Australia/Lord_Howe')]";
    let knows = Command::new("python3").args(["-c", probe]).stderr(Stdio::null()).status();
    if !knows.is_ok_and(|status| status.success()) {
        return None;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/on_call/reference.py");
    let mut python = Command::new("python3").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = python.stdin.take().unwrap();
    stdin.write_all(cases.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn another_implementation_names_the_same_people() {
    let mut random = fastrand::Rng::with_seed(20_261_129);
    let cases: Vec<_> = (0..SCHEDULES).map(|_| case(&mut random)).collect();
    let asked = cases.iter().map(|(_, schedule, instants)| {
        let instants: Vec<i64> = instants.iter().map(|at| at.as_millis()).collect();
        json!({ "schedule": schedule, "instants": instants })
    });
    let Some(expected) = reference(&asked.collect()) else {
        return eprintln!("skipped: there is no `python3` with a time zone database");
    };
    let (mut somebody, mut nobody) = (0, 0);
    for ((schedule, text, instants), expected) in cases.iter().zip(expected) {
        let calendar = schedule.calendar(&[]);
        for (at, expected) in instants.iter().zip(expected) {
            assert_eq!(calendar.who(*at), expected.as_deref(), "at {at} in {text}");
            *(if expected.is_some() { &mut somebody } else { &mut nobody }) += 1;
        }
    }
    assert!(somebody > 5_000 && nobody > 1_000, "{somebody} with somebody and {nobody} with nobody prove little");
}
