//! A copy of the store whose making is killed is no copy: nothing that could be taken for one has its name,
//! the daemon goes on, and the next copy is whole.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};

use watchbell::crash_point::{self, CrashPoint};
use watchbell::store::{AlertQuery, Reader, SqliteReader};

use crate::life::KILL;
use crate::support::{Api, Site, all_pages};

/// Tells this test that it is the process that makes the copy, and of what.
const COPY_OF: &str = "WATCHBELL_TEST_COPY_OF";
const COPY: &str = "copy.db";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_whose_making_is_killed_is_none() {
    if let Some(store) = std::env::var_os(COPY_OF) {
        return copy(Path::new(&store)).expect("a copy");
    }
    let site = Site::new("");
    let _daemon = site.start().await;
    let api = Api::new(&site);
    api.event("firing", "db-1").await;

    let status = copy_in_a_process(&site, Some(CrashPoint::BackingUp));
    assert_eq!(status.signal(), Some(KILL), "the process that copies ended with {status}");
    let to = site.path().join(COPY);
    assert!(!to.exists(), "half a copy has the name of a whole one");

    api.event("firing", "db-2").await;
    // Whoever asks after an answer sees what was answered, and so does a copy that is made then.
    assert_eq!(api.items("/api/v1/alerts").await.len(), 2);
    assert!(copy_in_a_process(&site, None).success(), "what the killed one left is in the way");
    let copy = SqliteReader::open(&to).expect("the copy is a store");
    assert_eq!(all_pages(|page| copy.alerts(&AlertQuery { page: page.clone(), ..AlertQuery::default() })).len(), 2);
}

fn copy(store: &Path) -> Result<(), watchbell::store::StoreError> {
    SqliteReader::open(store)?.backup(&store.with_file_name(COPY), &mut |_, _| {}).map(drop)
}

/// Runs this very test once more, as the other process.
fn copy_in_a_process(site: &Site, armed: Option<CrashPoint>) -> ExitStatus {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "backup::a_copy_whose_making_is_killed_is_none"]).env(COPY_OF, site.store_path());
    if let Some(point) = armed {
        command.env(crash_point::VARIABLE, format!("{}:1:0", point.name()));
    }
    command.status().expect("this program can be started")
}
