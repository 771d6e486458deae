//! Nothing acknowledged is lost, whenever the daemon dies. Real processes, real kills, a load of several
//! hundred events a second; then everything is compared with what the senders were promised.
//!
//! Half of the deaths come at random instants, the others at named points (`src/crash_point.rs`) and while
//! requests wait for their answers. The named points need the feature, as `./tests/run` gives it:
//!
//! ```text
//! WATCHBELL_CRASHES=1000 cargo nextest run --features crash-points --test crash
//! WATCHBELL_CRASH_SEED=1795259700000 …                    the same choices once more
//! ```

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

#[cfg(feature = "crash-points")]
mod backup;
mod life;
mod person;
mod promises;
mod retold;
mod sends;
mod spool;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use life::{Death, World};
use support::Random;
use support::load::{self, Condition, Ledger};
use tokio::sync::watch;
use watchbell::store::{JournalEntry, Reader, SqliteReader};

const CRASHES_DEFAULT: u64 = 100;
/// After these a new store begins, or the comparison would have to hold more than memory should.
const CRASHES_OF_A_STORE: u64 = 100;
/// The senders reach several hundred on an idle machine, and the report says how many it were; this much is
/// left of it in a debug build on a machine that is busy with everything else.
const ACKNOWLEDGED_PER_SECOND_MIN: f64 = 50.0;
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

fn number_from(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("`{variable}`: expected a number, got `{text}`")),
        Err(_) => default,
    }
}

fn seed() -> u64 {
    let by_clock = watchbell::clock::Clock::System.now().as_millis().unsigned_abs();
    number_from("WATCHBELL_CRASH_SEED", by_clock)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_over_many_kills() {
    let (seed, mut left) = (seed(), number_from("WATCHBELL_CRASHES", CRASHES_DEFAULT));
    for round in 0.. {
        let crashes = left.min(CRASHES_OF_A_STORE);
        if crashes == 0 {
            return;
        }
        kill_and_compare(crashes, seed + round).await;
        left -= crashes;
    }
}

/// One store, so many kills, and then the comparison.
async fn kill_and_compare(crashes: u64, seed: u64) {
    println!("WATCHBELL_CRASH_SEED={seed} WATCHBELL_CRASHES={crashes}");
    let mut random = Random::new(seed);
    let mut world = World::new().await;
    world.keep_old_history();
    let (stop, stopping) = watch::channel(false);
    let senders = load::start(&world.site, seed, &stopping);
    let sender = load::Sender::new(&world.site, load::Kind::Generic);
    let person = tokio::spawn(person::run(world.site.url(""), sender, seed, stopping));
    for number in 0..crashes {
        world.live_and_die(Death::of(number), &mut random).await;
    }
    let mut daemon = world.begin(None).await.expect("a start without a crash point");
    stop.send_replace(true);
    let (mut ledgers, diary) = (senders.join_all().await, person.await.expect("a person comes home"));
    ledgers.push(diary.ledger);
    world.settled(SETTLED_WITHIN).await;
    world.end(&mut daemon).await;

    let (store, file) = (world.site.reader(), world.site.store_path());
    let journal = journal(&store);
    let conditions: Vec<&Condition> = ledgers.iter().flat_map(|ledger| &ledger.conditions).collect();
    world.check_file();
    promises::check_events(&journal, &conditions);
    promises::check_alerts(&store, &conditions);
    promises::check_commands(&store, &file, &diary.commands);
    let told = promises::check_deliveries(&store, &diary.commands);
    promises::check_tickets(&world.tickets, &store);
    let sends = sends::check(&world.receiver.requests(), &journal, &world.lives);
    retold::check(&store, &file, &journal);
    report(&world, &ledgers, crashes, &format!("{told}; {sends}"));
}

/// Everything in the journal, in order.
fn journal(store: &SqliteReader) -> Vec<JournalEntry> {
    let mut journal: Vec<JournalEntry> = Vec::new();
    loop {
        let after = journal.last().map_or(0, |(position, ..)| *position);
        let rows = store.journal(after, 1_000).expect("the journal can be read");
        if rows.is_empty() {
            return journal;
        }
        journal.extend(rows);
    }
}

fn report(world: &World, ledgers: &[Ledger], crashes: u64, findings: &str) {
    let sum = |count: fn(&Ledger) -> u64| ledgers.iter().map(count).sum::<u64>();
    let up = world.lives.iter().map(|life| life.up).sum::<Duration>().as_secs_f64();
    let per_second = sum(|ledger| ledger.acknowledged) as f64 / up;
    println!(
        "{crashes} kills in {up:.0} s of life ({}): {} events sent, {} acknowledged ({per_second:.0}/s); {findings}",
        world.deaths(),
        sum(|ledger| ledger.sent),
        sum(|ledger| ledger.acknowledged),
    );
    println!("{}", world.starts());
    assert!(per_second >= ACKNOWLEDGED_PER_SECOND_MIN, "too little was going on for this to show anything");
    assert_eq!(sum(|ledger| ledger.refused), 0, "a daemon that is up takes what it is sent");
}
