//! What it costs to ask who is on call: 10,000 people in 1,000 schedules, of which some have several layers, times of the
//! week and overrides, in eight time zones, at random instants of four years. Each question begins as the engine's does,
//! with the schedule's name.
//!
//! ```sh
//! cargo bench --bench on_call
//! ```

use std::collections::BTreeMap;

use serde_json::{Value, json};
use watchbell::clock::Stopwatch;
use watchbell::model::{Schedule, Span, Timestamp};

const SCHEDULES: usize = 1_000;
const PEOPLE_OF_SCHEDULE: usize = 10;
const QUESTIONS: usize = 1_000_000;
const BEGAN: i64 = 1_795_237_200_000;
const ZONES: [&str; 8] = [
    "Europe/Berlin",
    "Europe/London",
    "America/New_York",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "UTC",
];

/// Every second one is a plain week; of the others some have nights and weekends, and some have overrides.
fn schedule(number: usize) -> Schedule {
    let people = |from: usize| -> Vec<String> {
        (from..PEOPLE_OF_SCHEDULE).map(|person| format!("person-{}", number * PEOPLE_OF_SCHEDULE + person)).collect()
    };
    let mut layers = vec![json!({ "starts_at": "2026-01-05T09:00", "shift": "7d", "rotation": people(0) })];
    if number % 2 == 1 {
        let nights = json!([{ "days": ["monday:friday"], "from": "18:00", "until": "08:00" },
            { "from": "friday 18:00", "until": "monday 08:00" }]);
        layers.push(json!({ "starts_at": "2026-01-05T18:00", "shift": "1d", "rotation": people(2), "only": nights }));
    }
    let begin = Timestamp::from_millis(BEGAN);
    let over = |day: usize| {
        let starts_at = begin + Span::from_hours(24 * (7 * day as i64 + number as i64 % 7));
        json!({ "starts_at": starts_at, "ends_at": starts_at + Span::from_hours(12), "receiver": "person-0" })
    };
    let overrides: Vec<Value> = if number.is_multiple_of(5) { (0..50).map(over).collect() } else { Vec::new() };
    let zone = ZONES[number % ZONES.len()];
    serde_json::from_value(json!({ "time_zone": zone, "layers": layers, "overrides": overrides }))
        .expect("a schedule that can be read")
}

fn main() {
    let schedules: BTreeMap<String, Schedule> =
        (0..SCHEDULES).map(|number| (format!("schedule-{number}"), schedule(number))).collect();
    let names: Vec<&String> = schedules.keys().collect();
    let mut random = fastrand::Rng::with_seed(1);
    let mut took_ns: Vec<u64> = Vec::with_capacity(QUESTIONS);
    let mut nobody = 0;
    for _ in 0..QUESTIONS {
        let name = names[random.usize(..names.len())];
        let at = Timestamp::from_millis(BEGAN + random.i64(0..4 * 366 * 86_400_000));
        let watch = Stopwatch::start();
        let who = schedules.get(name).and_then(|schedule| schedule.calendar(&[]).who(at));
        took_ns.push(u64::try_from(watch.elapsed().as_nanos()).unwrap_or(u64::MAX));
        nobody += usize::from(who.is_none());
    }
    took_ns.sort_unstable();
    let percentile = |percent: usize| took_ns[(QUESTIONS - 1) * percent / 100] as f64 / 1_000.0;
    let last = took_ns.last().copied().unwrap_or_default() as f64 / 1_000.0;
    println!("{QUESTIONS} questions, {nobody} of them with nobody on call");
    println!("µs: p50 {:.2}, p90 {:.2}, p99 {:.2}, most {last:.1}", percentile(50), percentile(90), percentile(99));
    let watch = Stopwatch::start();
    let begin = Timestamp::from_millis(BEGAN);
    let gaps = schedules
        .values()
        .filter(|schedule| schedule.calendar(&[]).next_gap(begin, begin + Span::from_hours(72)).is_some())
        .count();
    println!(
        "a look for gaps in all schedules, 3 days ahead: {:.1} ms, {gaps} found",
        watch.elapsed().as_secs_f64() * 1e3
    );
}
