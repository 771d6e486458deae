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

/// A simulation in which little happens proves little. The rarest is a confirmed cause that is blamed again.
#[test]
fn the_seeds_reach_what_they_are_for() {
    let mut reached = std::collections::BTreeMap::new();
    for seed in 1..=400 {
        for (what, count) in run::run(seed).unwrap().counts {
            *reached.entry(what).or_insert(0_u64) += count;
        }
    }
    let missing: Vec<&str> = run::REACHED.into_iter().filter(|what| !reached.contains_key(*what)).collect();
    assert!(missing.is_empty(), "nothing of {missing:?} in {reached:?}");
}
