//! The disk is full while deliveries wait: ingest says 503, what was decided goes out all the same, and when
//! there is room again everything goes on by itself.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::disk::{Disk, Fault};
use crate::support::receiver::{Answer, Receiver};
use crate::support::{Api, Site, eventually};
use crate::workload::stop;

/// More than a sink has under way at a time.
const INCIDENTS: usize = 50;
const UNDER_WAY: usize = 32;
const WITHIN: Duration = Duration::from_secs(60);

/// How the disk is filled and emptied.
trait Room {
    fn fill(&self);
    fn free(&self);
}

async fn run(room: &impl Room, site: &Site, receiver: &Receiver, variables: &[(&str, String)]) {
    let mut daemon = site.spawn(variables);
    site.ready(&mut daemon).await.expect("a start with room");
    let api = Api::new(site);
    for number in 0..INCIDENTS {
        api.event("firing", &format!("db-{number}")).await;
    }
    eventually("as many sends as may be are under way", WITHIN, async || (receiver.count() == UNDER_WAY).then_some(()))
        .await;
    // One that still waits is taken by a person: its next delivery stands in for the first.
    let waiting = api.items("/api/v1/incidents?limit=500").await;
    let mut ids = waiting.iter().filter_map(|incident| incident["id"].as_str());
    let held = receiver.requests();
    let waiting = ids.find(|id| held.iter().all(|request| request.incident() != *id)).expect("one waits");
    let taken = api.post(&format!("/api/v1/incidents/{waiting}/acknowledge"), &json!({})).await;
    assert_eq!(taken.status, 200, "{taken:?}");

    room.fill();
    eventually("ingest is refused", WITHIN, async || (post(&api).await == 503).then_some(())).await;
    receiver.answer(Answer::Status(200));
    eventually("every incident is told while the disk is full", WITHIN, async || {
        (incidents(receiver) >= INCIDENTS).then_some(())
    })
    .await;
    assert_eq!(post(&api).await, 503, "still full");
    assert_eq!(api.get("/-/healthy").await.status, 200, "a restart would not help");
    assert_eq!(api.get("/api/v1/incidents").await.status, 200, "people can still look");

    room.free();
    eventually("ingest is taken again", WITHIN, async || (post(&api).await == 200).then_some(())).await;
    api.settled(WITHIN).await;
    assert!(daemon.exited().is_none(), "no restart was needed");
    let requests = receiver.requests();
    for request in &requests {
        let same = requests.iter().filter(|other| other.webhook_id() == request.webhook_id()).count();
        assert_eq!(same, 1, "{} was told {same} times", request.webhook_id());
    }
    stop(&mut daemon).await;
}

async fn post(api: &Api) -> u16 {
    // Large, so that it does not fit into what is left of a page.
    let text = "full ".repeat(10_000);
    let event = json!({
        "status": "firing", "name": "Disk full", "configuration_item": "log-1", "annotations": { "summary": text },
    });
    api.post("/in/generic", &event).await.status
}

fn incidents(receiver: &Receiver) -> usize {
    let requests = receiver.requests();
    let of_items = requests.iter().filter(|request| request.item().starts_with("db-"));
    of_items.map(|request| request.incident()).collect::<std::collections::BTreeSet<_>>().len()
}

fn configuration(receiver: &Receiver) -> String {
    format!(
        "receivers:\n  ops:\n    sinks: [{{ kind: webhook, url: \"{}\", allow_private: true, timeout: 5m, \
         rate: {{ count: 5000, per: 1s }} }}]\nroute: {{ receiver: ops, group_wait: 0s, group_interval: 1s }}\n",
        receiver.url()
    )
}

impl Room for Disk {
    fn fill(&self) {
        self.tell("full");
    }

    fn free(&self) {
        self.tell_no_more("full");
    }
}

#[tokio::test]
async fn deliveries_go_out_while_every_write_fails() {
    let receiver = Receiver::start(Answer::Hold).await;
    let site = Site::new(&configuration(&receiver));
    let disk = Disk::new(&site);
    run(&disk, &site, &receiver, &disk.variables(Fault::None)).await;
}

/// A file system of its own, gone with the value.
struct Mounted {
    place: PathBuf,
}

impl Mounted {
    /// None without the right to mount.
    fn new(place: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir(&place).expect("a folder");
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", options, "watchbell-test"]).arg(&place).status();
        status.is_ok_and(|status| status.success()).then_some(Self { place })
    }

    fn ballast(&self) -> PathBuf {
        self.place.join("ballast")
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.place).status();
    }
}

impl Room for Mounted {
    fn fill(&self) {
        let mut ballast = fs::File::create(self.ballast()).expect("a file");
        for size in [1 << 16, 1 << 12, 1] {
            while ballast.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).expect("the ballast");
    }
}

#[tokio::test]
async fn deliveries_go_out_while_a_small_disk_is_full() {
    let receiver = Receiver::start(Answer::Hold).await;
    let site = Site::new(&configuration(&receiver));
    let Some(small) = Mounted::new(site.path().join("small"), "size=24m,mode=0700") else {
        println!("skipped: mounting a small file system needs root");
        return;
    };
    let store = |place: &Path| place.join("watchbell.db").display().to_string();
    run(&small, &site, &receiver, &[("WATCHBELL__STORE__SQLITE__PATH", store(&small.place))]).await;
}
