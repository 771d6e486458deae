//! Bits flip while the daemon is down. It starts with everything that was acknowledged, or it does not start,
//! says what is damaged and what to do, and leaves the files as they are. What it does not need any more, it does not
//! read at a start; whoever reads it hears that it is damaged.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::seed;
use crate::support::receiver::{Answer, Receiver};
use crate::support::{Random, Site};
use crate::workload::{NOT_IN_JOURNAL, Workload, configuration, stop};
use watchbell::store::Reader;

const FLIPS: usize = 8;
const ENDED_WITHIN: Duration = Duration::from_secs(30);

/// The store's files by name.
type Files = BTreeMap<PathBuf, Vec<u8>>;

fn files(site: &Site) -> Files {
    let entries = fs::read_dir(site.path()).expect("the folder").map(|entry| entry.expect("an entry").path());
    let is_stored = |path: &PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy();
        name.starts_with("watchbell.db") && !name.ends_with("-shm")
    };
    entries.filter(is_stored).map(|path| (path.clone(), fs::read(path).expect("a file"))).collect()
}

fn put(site: &Site, all: &Files) {
    files(site).keys().for_each(|path| fs::remove_file(path).expect("a file of the store"));
    let _ = fs::remove_file(site.path().join("watchbell.db-shm"));
    all.iter().for_each(|(path, bytes)| fs::write(path, bytes).expect("a file of the store"));
}

/// Starts on these files. Refused: says so and how to go on, and nothing has changed. Not: every promise is kept.
async fn is_refused(workload: &Workload<'_>, all: &Files, what: &str) -> bool {
    let site = workload.site;
    put(site, all);
    let before = site.log().len();
    let mut daemon = site.spawn(&[]);
    if site.ready(&mut daemon).await.is_ok() {
        stop(&mut daemon).await;
        put(site, all);
        let is_noticed = history_is_damaged(site);
        let broken = workload.broken_promises().await;
        // History is not read at a start. What no longer is as it was written is not given out either.
        let is_history = |text: &String| text.ends_with(NOT_IN_JOURNAL);
        assert!(broken.is_empty() || is_noticed && broken.iter().all(is_history), "{what}: {broken:?}");
        return is_noticed;
    }
    let status = daemon.ended(ENDED_WITHIN).await;
    let log = site.log()[before..].to_owned();
    assert_eq!(status.code(), Some(1), "{what}: {log}");
    assert!(log.contains("error: the store cannot be used\n  cause: "), "{what}: {log}");
    assert!(log.contains("hint: `watchbell restore FILE` puts a copy made by `watchbell backup`"), "{what}: {log}");
    // Rows are read when the daemon has taken the store over, which is written down; all else is found before.
    if !log.contains("does not fit its checksum") {
        // A look at a store without a log leaves an empty one.
        let left: Files = files(site).into_iter().filter(|(_, bytes)| !bytes.is_empty()).collect();
        assert!(left == *all, "{what}: what was refused has changed: {log}");
    }
    true
}

/// Whether whoever reads the journal is told that it is damaged.
fn history_is_damaged(site: &Site) -> bool {
    match site.reader().journal(0, 10_000) {
        Ok(_) => false,
        Err(error) => {
            let text = format!("{:#}", anyhow::Error::from(error));
            assert!(text.contains("does not fit its checksum"), "{text}");
            true
        }
    }
}

fn flipped(all: &Files, path: &PathBuf, at: usize, bit: u64) -> Files {
    let mut all = all.clone();
    all.get_mut(path).expect("this file")[at] ^= 1 << bit;
    all
}

#[tokio::test]
async fn a_flipped_bit_or_a_lost_file_is_never_passed_over() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&configuration(&receiver));
    let mut random = Random::new(seed());
    let mut workload = Workload::new(&site, &receiver);
    let mut daemon = site.start().await;
    workload.run().await;
    daemon.kill();
    let killed = files(&site);
    let (store, log) = (site.store_path(), site.path().join("watchbell.db-wal"));

    // Everything is still in the log. What stands in its first half was acknowledged and is needed.
    for _ in 0..FLIPS {
        let at = random.between(0, killed[&log].len() as u64 / 2) as usize;
        let what = format!("byte {at} of the log");
        assert!(is_refused(&workload, &flipped(&killed, &log, at, random.between(0, 8)), &what).await, "{what}");
    }
    for lost in [&store, &log] {
        let mut files = killed.clone();
        files.remove(lost);
        let what = format!("without {}", lost.display());
        assert!(is_refused(&workload, &files, &what).await, "{what}");
    }

    put(&site, &killed);
    let mut daemon = site.start().await;
    stop(&mut daemon).await;
    let stopped = files(&site);
    assert!(!stopped.contains_key(&log), "a clean stop leaves no log");
    let mut refused = 0;
    for _ in 0..FLIPS * 2 {
        let at = random.between(0, stopped[&store].len() as u64) as usize;
        let files = flipped(&stopped, &store, at, random.between(0, 8));
        refused += usize::from(is_refused(&workload, &files, &format!("byte {at} of the file")).await);
    }
    println!("{refused} of {} flips in the file were refused, the others changed nothing", FLIPS * 2);
    assert!(!is_refused(&workload, &stopped, "as it was").await);
}

/// A start reads the rows and what the journal holds beyond them; of the journal before that it knows no letter.
#[tokio::test]
async fn a_bit_that_flips_in_history_is_found_by_whoever_reads_it() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let site = Site::new(&configuration(&receiver));
    let mut workload = Workload::new(&site, &receiver);
    let mut daemon = site.start().await;
    workload.run().await;
    stop(&mut daemon).await;
    let (mut stopped, store) = (files(&site), site.store_path());
    let id = b"\"db-4-firing\"";
    let found = |files: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<usize> {
        files[&store].windows(id.len()).enumerate().filter(|(_, at)| at == id).map(|(at, _)| at).collect()
    };
    // A reader that is slow to leave keeps the log from being folded in at a stop; the next one does it.
    for _ in 0..3 {
        if found(&stopped).is_empty() {
            daemon = site.start().await;
            stop(&mut daemon).await;
            stopped = files(&site);
        }
    }
    let places = found(&stopped);
    assert!(!places.is_empty(), "the event is in the file");
    for at in places {
        let what = format!("byte {at} of the file");
        assert!(is_refused(&workload, &flipped(&stopped, &store, at + 4, 0), &what).await, "{what}");
    }
}
