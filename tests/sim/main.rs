//! Nothing is ever lost, whatever fails: the real driver, store, outbox, sources and sinks in one thread,
//! under a clock and a network of our own. A seed decides what monitors, people, receivers, disk and
//! process do; the oracle checks every promise after every step; then all faults heal, and everything
//! must come to rest.
//!
//! ```text
//! workload ─▶ world (daemon, disk, receivers) ─▶ oracle        run.rs takes the steps
//!               ▲
//!             faults
//! ```
//!
//! A failing seed is printed and runs again, with its story, by `WATCHBELL_SIM_SEED=<seed>`.
//! `WATCHBELL_SIM_SEEDS=<count>` runs more of them.

mod disk;
mod faults;
mod installation;
mod monitors;
#[cfg(feature = "mutants")]
mod mutants;
mod oracle;
mod people;
mod receivers;
mod run;
mod scene;
mod seeds;
mod traced;
mod workload;
mod world;

/// Seeds of the normal run.
const SEEDS: u64 = 1_000;

#[test]
fn nothing_is_lost_whatever_fails() {
    if let Some(seed) = seeds::wanted("WATCHBELL_SIM_SEED") {
        return seeds::tell(seed);
    }
    let count = seeds::wanted("WATCHBELL_SIM_SEEDS").unwrap_or(SEEDS);
    let failed = seeds::failing(1..=count, 3);
    assert!(failed.is_empty(), "{}", seeds::report(&failed));
}

#[test]
fn the_same_seed_runs_the_same_way() {
    for seed in [3, 1_404] {
        let (one, two) = (run::run(seed).unwrap(), run::run(seed).unwrap());
        assert_eq!(one.story, two.story);
    }
}

/// A simulation in which little happens proves little: each of these comes up among the seeds of a normal run. The rarest
/// are a dead letter that may still be sent, and a cause that was confirmed and is blamed again.
#[test]
fn the_seeds_reach_what_they_are_for() {
    let mut missing: std::collections::BTreeSet<&str> = run::REACHED.into_iter().collect();
    for seed in 1..=SEEDS {
        run::run(seed).unwrap().counts.keys().for_each(|what| {
            missing.remove(&**what);
        });
        if missing.is_empty() {
            return;
        }
    }
    panic!("nothing of {missing:?}");
}
