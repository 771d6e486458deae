//! Runs many seeds on the cores there are, and says how to run one of them again.

use std::ops::RangeInclusive;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::oracle::Violation;
use super::run::{self, Failure};

/// The number in a variable of the environment.
pub fn wanted(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("`{variable}`: expected a number, got `{text}`")))
}

/// Runs one seed and prints its story; for whoever looks into a failure.
pub fn tell(seed: u64) {
    match check(seed) {
        Ok(()) => println!("seed {seed} holds"),
        Err(failure) => panic!("{}\n{}", failure.story.join("\n"), failure),
    }
}

/// One seed. A panic of the product is a failure like any other.
pub fn check(seed: u64) -> Result<(), Failure> {
    match std::panic::catch_unwind(AssertUnwindSafe(|| run::run(seed))) {
        Ok(result) => result.map(|_| ()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            let violation = Violation::new("panic", text.unwrap_or_default());
            Err(Failure { seed, violation, story: Vec::new() })
        }
    }
}

/// The first `failures_max` failures among the seeds, on two threads.
pub fn failing(seeds: RangeInclusive<u64>, failures_max: usize) -> Vec<Failure> {
    let next = AtomicU64::new(*seeds.start());
    let found = Mutex::new(Vec::new());
    let count = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > *seeds.end() || count.load(Ordering::Relaxed) >= failures_max {
                        return;
                    }
                    if let Err(failure) = check(seed) {
                        count.fetch_add(1, Ordering::Relaxed);
                        found.lock().push(failure);
                    }
                }
            });
        }
    });
    found.into_inner()
}

pub fn report(failed: &[Failure]) -> String {
    let lines: Vec<String> = failed
        .iter()
        .map(|failure| format!("{failure}\n  again: WATCHBELL_SIM_SEED={} cargo nextest run --test sim", failure.seed))
        .collect();
    lines.join("\n")
}
