//! Every write and every sync fails once, or from there on. Nothing is acknowledged that a restart does
//! not find, and whoever cannot be served is told so.

use crate::disk::{Disk, Fault};
use crate::sample;
use crate::support::Site;
use crate::support::receiver::{Answer, Receiver};
use crate::workload::{Workload, configuration, stop};

/// The calls of the whole workload on a good disk, from the start of a new store to the stop.
pub struct Clean {
    pub calls: Vec<String>,
    /// Of these the ones before the stop.
    running: usize,
}

pub async fn clean_run() -> Clean {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&configuration(&receiver));
    let disk = Disk::new(&site);
    let mut daemon = site.spawn(&disk.variables(Fault::None));
    site.ready(&mut daemon).await.expect("a start on a good disk");
    let mut workload = Workload::new(&site, &receiver);
    workload.run().await;
    let running = disk.calls().len();
    stop(&mut daemon).await;
    assert_eq!(workload.ledger.refused(), 0, "{:?}", workload.ledger);
    assert!(workload.ledger.taken.is_some(), "{:?}", workload.ledger);
    assert_eq!(workload.broken_promises().await, Vec::<String>::new());
    Clean { calls: disk.calls(), running }
}

/// One run of the workload with a fault; whether it struck.
async fn strike(fault: Fault, stays: bool) -> bool {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&configuration(&receiver));
    let disk = Disk::new(&site);
    let mut daemon = site.spawn(&disk.variables(fault));
    let mut workload = Workload::new(&site, &receiver);
    if site.ready(&mut daemon).await.is_ok() {
        workload.run().await;
        // With a disk that stays bad a stop would wait for results that cannot be written.
        if stays { daemon.kill() } else { stop(&mut daemon).await }
    }
    let log = site.log();
    assert!(!log.contains("shim: "), "{fault:?}: {log}");
    let broken = workload.broken_promises().await;
    assert!(broken.is_empty(), "{fault:?}: {broken:#?}\n{log}");
    disk.has_struck()
}

async fn strike_everywhere(what: &str, stays: bool, fault: impl Fn(usize) -> Fault) {
    let clean = clean_run().await;
    let calls = if stays { clean.running } else { clean.calls.len() };
    let places = sample(calls);
    let mut struck = 0;
    for at in &places {
        struck += usize::from(strike(fault(*at), stays).await);
    }
    println!("{what}: {struck} faults at {} of {calls} calls", places.len());
    // How much shares a commit depends on how busy the machine is, so some of them come too late.
    assert!(struck * 2 >= places.len(), "{struck} of {} faults struck", places.len());
}

#[tokio::test]
async fn an_error_once() {
    strike_everywhere("EIO once", false, |at| Fault::Error { at, stays: false }).await;
}

#[tokio::test]
async fn an_error_that_stays() {
    strike_everywhere("EIO from there on", true, |at| Fault::Error { at, stays: true }).await;
}

#[tokio::test]
async fn no_space_once() {
    strike_everywhere("ENOSPC once", false, |at| Fault::Full { at, stays: false }).await;
}

#[tokio::test]
async fn no_space_that_stays() {
    strike_everywhere("ENOSPC from there on", true, |at| Fault::Full { at, stays: true }).await;
}

#[tokio::test]
async fn half_a_write_once() {
    strike_everywhere("half a write once", false, |at| Fault::Short { at, stays: false }).await;
}

#[tokio::test]
async fn half_a_write_and_then_no_space() {
    strike_everywhere("half a write, then ENOSPC", true, |at| Fault::Short { at, stays: true }).await;
}

/// What is moved into the file of a new store must be there before the file gets its name.
#[tokio::test]
async fn a_new_store_is_whole_or_not_there() {
    let clean = clean_run().await;
    let is_of_new_file = |call: &&String| {
        let name = call.split(' ').nth(2).unwrap_or_default();
        name.starts_with("watchbell.db.new-") && name.matches('-').count() == 1
    };
    let of_new_file: Vec<usize> =
        (1..).zip(&clean.calls).filter(|(_, call)| is_of_new_file(call)).map(|(at, _)| at).collect();
    assert!(of_new_file.len() > 10, "{:?}", clean.calls);
    for at in of_new_file.into_iter().step_by(5) {
        assert!(strike(Fault::Error { at, stays: false }, false).await, "call {at}");
    }
}
