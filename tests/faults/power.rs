//! The power goes, at every call that writes. What was not synced is gone, in whole or in part; what was
//! acknowledged is not. A disk that lies about its syncs shows that the check would notice.

use std::time::Duration;

use crate::disk::{CRASHED, Disk, Fault, Loss};
use crate::errors::clean_run;
use crate::sample;
use crate::support::Site;
use crate::support::receiver::{Answer, Receiver};
use crate::workload::{Workload, configuration, stop};

const ENDED_WITHIN: Duration = Duration::from_secs(60);

/// One run that ends at a call; whether it got there.
async fn cut(at: usize, loss: Loss) -> bool {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&configuration(&receiver));
    let disk = Disk::new(&site);
    let mut daemon = site.spawn(&disk.variables(Fault::Crash { at }));
    let mut workload = Workload::new(&site, &receiver);
    if site.ready(&mut daemon).await.is_ok() {
        workload.run().await;
        stop(&mut daemon).await;
    }
    let ended = daemon.exited();
    disk.lose_power(loss);
    let broken = workload.broken_promises().await;
    assert!(broken.is_empty(), "power lost at call {at}, {loss:?}: {broken:#?}");
    ended.is_some_and(|status| status.code() == Some(CRASHED))
}

async fn cut_everywhere(what: &str, loss: impl Fn(u64) -> Loss) {
    let calls = clean_run().await.calls.len();
    let places = sample(calls);
    let mut count = 0;
    for at in &places {
        count += usize::from(cut(*at, loss(*at as u64)).await);
    }
    println!("{what}: {count} power losses at {} of {calls} calls", places.len());
    assert!(count * 2 >= places.len(), "{count} of {} calls were reached", places.len());
}

#[tokio::test]
async fn everything_unsynced_is_lost() {
    cut_everywhere("all unsynced lost", |_| Loss::Everything).await;
}

#[tokio::test]
async fn some_unsynced_pages_are_lost() {
    cut_everywhere("some unsynced pages lost", Loss::Pages).await;
}

#[tokio::test]
async fn unsynced_pages_are_torn() {
    cut_everywhere("unsynced pages torn", Loss::Sectors).await;
}

/// The same as a lowered `synchronous`: the write-ahead log is not on the disk when the answer goes out.
#[tokio::test]
async fn without_syncs_the_check_finds_lost_events() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&configuration(&receiver));
    let disk = Disk::new(&site);
    let mut daemon = site.spawn(&disk.variables(Fault::None));
    site.ready(&mut daemon).await.expect("a start on a good disk");
    let mut workload = Workload::new(&site, &receiver);
    workload.fire(0..2).await;
    disk.tell("lie");
    workload.fire(2..4).await;
    daemon.kill();
    assert_eq!(workload.ledger.acknowledged(), 4, "{:?}", workload.ledger);
    disk.lose_power(Loss::Everything);
    let broken = workload.broken_promises().await;
    for item in ["db-2", "db-3"] {
        let is_found = broken.iter().any(|what| what.starts_with(item) && what.ends_with("is not in the journal"));
        assert!(is_found, "nobody misses {item}: {broken:#?}");
    }
    assert!(!broken.iter().any(|what| what.contains("db-0") || what.contains("db-1")), "{broken:#?}");
}

/// After a sync that failed Linux takes the pages for written, and the next sync says yes without them. What
/// the next daemon acknowledges must not stand on such pages.
#[tokio::test]
async fn a_sync_that_failed_takes_nothing_later_with_it() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&configuration(&receiver));
    let disk = Disk::new(&site);
    let mut workload = Workload::new(&site, &receiver);
    let mut daemon = site.spawn(&disk.variables(Fault::None));
    site.ready(&mut daemon).await.expect("a start on a good disk");
    workload.fire(0..2).await;
    disk.tell("fail-sync");
    workload.fire(2..3).await;
    assert_eq!(daemon.ended(ENDED_WITHIN).await.code(), Some(1), "it goes on with a log it cannot trust");
    assert_eq!(workload.ledger.acknowledged(), 2, "{:?}", workload.ledger);
    let calls = disk.calls();
    let failed = calls.iter().position(|call| call.ends_with("sync watchbell.db-wal FAULT")).expect("the failed sync");
    let moved = calls[failed..].iter().find(|call| call.ends_with("write watchbell.db"));
    assert_eq!(moved, None, "the file has pages of a log that may not be on the disk");

    let mut daemon = site.spawn(&disk.variables(Fault::None));
    site.ready(&mut daemon).await.expect("a start after a failed sync");
    workload.fire(3..6).await;
    daemon.kill();
    assert_eq!(workload.ledger.acknowledged(), 5, "{:?}", workload.ledger);
    disk.lose_power(Loss::Everything);
    assert_eq!(workload.broken_promises().await, Vec::<String>::new());
}
