//! Twenty webhook sinks and the daemon in front of them: how long the nineteen healthy ones wait for a
//! notification while the twentieth is blackholed, dripping, answers 500 or 429, against the same while it is
//! well. Prints the ratio of the p99s; figures of one run compare, others do not.
//!
//!     cargo bench --bench sinks [-- SECONDS ROUNDS]     seconds for each measurement, default 10, and 3 rounds
//!
//! Quiet and broken take turns, so that what else the machine does meets both.

// A measurement is about real time.
#![allow(clippy::disallowed_methods)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use support::receiver::{Answer, Receiver};
use support::{Api, Site};

const HEALTHY: usize = 19;
/// Between two incidents, each of which goes to every sink.
const EVENT_EVERY: Duration = Duration::from_millis(50);
/// What is on its way when a measurement ends arrives.
const DRAIN: Duration = Duration::from_secs(2);

fn webhook(name: &str, url: &str) -> String {
    format!(
        "      - {{ kind: webhook, name: {name}, url: \"{url}\", allow_private: true, timeout: 10s, \
         rate: {{ count: 10000, per: 1s }} }}\n"
    )
}

/// Milliseconds from the POST of an event to its arrival, at each of the healthy sinks.
async fn measure(api: &Api, healthy: &Receiver, phase: &str, seconds: u64) -> Vec<f64> {
    let mut posted = BTreeMap::new();
    let mut every = tokio::time::interval(EVENT_EVERY);
    let end = Instant::now() + Duration::from_secs(seconds);
    let before = healthy.count();
    for number in 0.. {
        every.tick().await;
        let now = Instant::now();
        if now > end {
            break;
        }
        let item = format!("{phase}-{number}");
        posted.insert(item.clone(), now);
        api.event("firing", &item).await;
    }
    tokio::time::sleep(DRAIN).await;
    let requests = healthy.requests();
    let waits = requests[before..].iter().filter_map(|one| Some(one.at - *posted.get(one.item())?));
    let waits: Vec<f64> = waits.map(|wait| wait.as_secs_f64() * 1_000.0).collect();
    assert_eq!(waits.len(), posted.len() * HEALTHY, "everything arrives");
    waits
}

fn percentile(waits: &mut [f64], percent: usize) -> f64 {
    waits.sort_by(f64::total_cmp);
    waits[(waits.len() * percent / 100).min(waits.len() - 1)]
}

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let seconds = numbers.first().copied().unwrap_or(10);
    let rounds = numbers.get(1).copied().unwrap_or(3);
    println!(
        "{:<24}{:>12}{:>12}{:>12}{:>12}{:>8}",
        "twentieth sink", "quiet p50", "p99 ms", "broken p50", "p99 ms", "ratio"
    );
    for (name, answer) in [
        ("well (the noise here)", Answer::Status(200)),
        ("blackholed", Answer::Hang),
        ("dripping", Answer::Drip),
        ("500", Answer::Status(500)),
        ("429, Retry-After 30", Answer::TooMany(30)),
    ] {
        let (mut quiet, mut broken) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let healthy = Receiver::start(Answer::Status(200)).await;
            let twentieth = Receiver::start(Answer::Status(200)).await;
            let sinks: String = (0..HEALTHY)
                .map(|number| webhook(&format!("s{number}"), &format!("{}/{number}", healthy.url())))
                .chain([webhook("twentieth", &twentieth.url())])
                .collect();
            let site = Site::new(&format!(
                "receivers:\n  ops:\n    sinks:\n{sinks}route: {{ receiver: ops, group_wait: 0s, repeat_interval: 24h }}\n\
                 correlation: {{ hold_down: 0s }}\n"
            ));
            let _daemon = site.start_with(&[("WATCHBELL_LOG", "error")]).await;
            let api = Api::new(&site);
            measure(&api, &healthy, "warm", 1).await;
            quiet.extend(measure(&api, &healthy, "quiet", seconds).await);
            twentieth.answer(answer);
            broken.extend(measure(&api, &healthy, "broken", seconds).await);
        }
        let [a, b] = [percentile(&mut quiet, 50), percentile(&mut quiet, 99)];
        let [c, d] = [percentile(&mut broken, 50), percentile(&mut broken, 99)];
        println!("{name:<24}{a:>12.2}{b:>12.2}{c:>12.2}{d:>12.2}{:>8.2}", d / b);
    }
}
