//! A disk that fails, fills up, forgets or lies, under the real daemon. What was acknowledged is there
//! afterwards, or the daemon says clearly that it is not.
//!
//! The disk's faults come from `shim.c`; it needs a C compiler, as building SQLite does. A normal run lets
//! each kind of fault strike at a sample of the workload's calls; `WATCHBELL_FAULTS=all` takes every call,
//! a number that many of them, and `WATCHBELL_FAULTS_SEED` repeats a sample.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

#[path = "../support/mod.rs"]
mod support;

mod copies;
mod damage;
mod disk;
mod errors;
mod full;
mod power;
mod workload;

use support::Random;

/// Calls of a normal run at which each kind of fault strikes.
const SAMPLED: usize = 12;

/// What a test chooses by chance: printed, so that it can be repeated.
fn seed() -> u64 {
    let clock = watchbell::clock::Clock::System.now().as_millis().unsigned_abs();
    let seed = match std::env::var("WATCHBELL_FAULTS_SEED") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("`WATCHBELL_FAULTS_SEED`: expected a number, got `{text}`")),
        Err(_) => clock,
    };
    println!("WATCHBELL_FAULTS_SEED={seed}");
    seed
}

/// The calls to strike at, of `count` in a run: one from each stretch, so that no part of it is left out.
fn sample(count: usize) -> Vec<usize> {
    let sampled = match std::env::var("WATCHBELL_FAULTS").as_deref() {
        Ok("all") => return (1..=count).collect(),
        Ok(text) => {
            text.parse().unwrap_or_else(|_| panic!("`WATCHBELL_FAULTS`: expected `all` or a number, got `{text}`"))
        }
        Err(_) => SAMPLED,
    };
    let mut random = Random::new(seed());
    let begin = |stretch: usize| 1 + stretch * count / sampled;
    let strike = |stretch: usize| random.between(begin(stretch) as u64, begin(stretch + 1) as u64) as usize;
    (0..sampled).filter(|stretch| begin(*stretch) < begin(stretch + 1)).map(strike).collect()
}
