//! What the senders and people do in every test here, what they were promised, and whether it was kept.
//!
//! The workload is fixed: the same requests in the same order, one at a time. The check knows nothing of
//! faults; it starts the daemon once more on a good disk and compares.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::receiver::Receiver;
use crate::support::{Api, Daemon, Reply, Site, client, eventually};

/// The daemon may have a lot to write, and the machine other things to do.
/// How a promise ends that is broken in the journal.
pub const NOT_IN_JOURNAL: &str = "is not in the journal";
const ENDED_WITHIN: Duration = Duration::from_secs(60);
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
/// Pages that come while the disk fails come soon; without them the run goes on.
const HEARD_WITHIN: Duration = Duration::from_secs(2);

pub fn configuration(receiver: &Receiver) -> String {
    format!(
        "receivers:\n  ops:\n    sinks: [{{ kind: webhook, url: \"{}\", allow_private: true }}, {{ kind: log }}]\n\
         route: {{ receiver: ops, group_wait: 0s, group_interval: 1s }}\n",
        receiver.url()
    )
}

/// What was answered with 2xx, and every answer that is neither that nor 503.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By item and status.
    pub events: BTreeMap<(String, &'static str), bool>,
    /// The incident that a person took.
    pub taken: Option<String>,
    pub strange: Vec<String>,
}

impl Ledger {
    pub fn acknowledged(&self) -> usize {
        self.events.values().filter(|is_acknowledged| **is_acknowledged).count()
    }

    pub fn refused(&self) -> usize {
        self.events.len() - self.acknowledged()
    }

    fn note(&mut self, what: &str, reply: Option<&Reply>) -> bool {
        match reply.map(|reply| reply.status) {
            Some(200) => return true,
            // No answer: the daemon has ended.
            Some(503) | None => {}
            Some(_) => self.strange.push(format!("{what}: {reply:?}")),
        }
        false
    }
}

pub struct Workload<'a> {
    pub site: &'a Site,
    pub receiver: &'a Receiver,
    client: reqwest::Client,
    pub ledger: Ledger,
}

impl<'a> Workload<'a> {
    pub fn new(site: &'a Site, receiver: &'a Receiver) -> Self {
        Self { site, receiver, client: client(), ledger: Ledger::default() }
    }

    /// All of it: events, an acknowledgement, ends, more events.
    pub async fn run(&mut self) {
        self.fire(0..4).await;
        self.take_one().await;
        for number in 2..4 {
            self.event(number, "resolved").await;
        }
        self.fire(4..6).await;
        self.heard().await;
    }

    pub async fn fire(&mut self, numbers: std::ops::Range<usize>) {
        for number in numbers {
            self.event(number, "firing").await;
        }
    }

    async fn event(&mut self, number: usize, status: &'static str) {
        let item = format!("db-{number}");
        let event = json!({
            "id": format!("{item}-{status}"), "status": status, "name": "Disk full", "configuration_item": item,
            "severity": "critical", "dedup_key": format!("disk/{item}"),
        });
        let reply = self.post("/in/generic", &event).await;
        let is_acknowledged = self.ledger.note(&item, reply.as_ref());
        self.ledger.events.insert((item, status), is_acknowledged);
    }

    /// A person takes the first incident.
    async fn take_one(&mut self) {
        let Some(list) = self.get("/api/v1/incidents").await else { return };
        let Some(id) = list.body["items"][0]["id"].as_str() else { return };
        let reply = self.post(&format!("/api/v1/incidents/{id}/acknowledge"), &json!({})).await;
        if self.ledger.note("acknowledge", reply.as_ref()) {
            self.ledger.taken = Some(id.to_owned());
        }
    }

    /// Waits until as many incidents were heard of as events were taken, or no more come.
    async fn heard(&self) {
        let firing = self.ledger.events.iter().filter(|((_, status), taken)| *status == "firing" && **taken).count();
        let all = async || {
            let requests = self.receiver.requests();
            let incidents: std::collections::BTreeSet<&str> =
                requests.iter().map(|request| request.incident()).collect();
            (incidents.len() >= firing).then_some(())
        };
        let _ = tokio::time::timeout(HEARD_WITHIN, eventually("pages", HEARD_WITHIN * 2, all)).await;
    }

    async fn get(&self, path: &str) -> Option<Reply> {
        Some(Reply::of(self.client.get(self.site.url(path)).send().await.ok()?).await)
    }

    async fn post(&self, path: &str, body: &Value) -> Option<Reply> {
        let request = self.client.post(self.site.url(path)).header("content-type", "application/json");
        Some(Reply::of(request.body(body.to_string()).send().await.ok()?).await)
    }

    /// Everything that is wrong after a start on a good disk.
    pub async fn broken_promises(&self) -> Vec<String> {
        let mut broken = self.ledger.strange.clone();
        let mut daemon = self.site.spawn(&[]);
        if let Err(status) = self.site.ready(&mut daemon).await {
            broken.push(format!("it does not start again, {status}: {}", self.site.log()));
            return broken;
        }
        let api = Api::new(self.site);
        api.settled(SETTLED_WITHIN).await;
        self.check_alerts(&api, &mut broken).await;
        if let Some(id) = &self.ledger.taken {
            let incident = api.get(&format!("/api/v1/incidents/{id}")).await;
            if incident.body["acknowledged_by"].is_null() {
                broken.push(format!("nobody has {id} any more: {incident:?}"));
            }
        }
        stop(&mut daemon).await;
        self.check_file(&mut broken);
        broken
    }

    /// Every acknowledged event made its alert what it says, and whoever is to hear of it heard.
    async fn check_alerts(&self, api: &Api, broken: &mut Vec<String>) {
        let alerts = api.items("/api/v1/alerts?limit=500").await;
        for ((item, status), _) in self.ledger.events.iter().filter(|(_, is_acknowledged)| **is_acknowledged) {
            let Some(alert) = alerts.iter().find(|alert| alert["configuration_item"] == **item) else {
                broken.push(format!("{item} was acknowledged as {status} and has no alert"));
                continue;
            };
            let ended = self.ledger.events.get(&(item.clone(), "resolved"));
            if *status == "resolved" && alert["status"] != "resolved" {
                broken.push(format!("{item} was acknowledged as resolved and is {}", alert["status"]));
            }
            if ended.is_none() {
                let incident = alert["incident"].as_str().unwrap_or_default();
                if !self.receiver.requests().iter().any(|request| request.incident() == incident) {
                    broken.push(format!("{item} fires and nobody was told of `{incident}`"));
                }
            }
        }
    }

    /// The file is sound, and its journal has every acknowledged event.
    fn check_file(&self, broken: &mut Vec<String>) {
        let file = rusqlite::Connection::open(self.site.store_path()).expect("the store's file");
        let verdict: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("a verdict");
        if verdict != "ok" {
            broken.push(format!("integrity_check: {verdict}"));
        }
        let mut journal =
            file.prepare("SELECT CAST(payload AS BLOB) FROM journal WHERE kind = 'events'").expect("a journal");
        let rows: Result<Vec<Vec<u8>>, _> = journal.query_map([], |row| row.get(0)).expect("its rows").collect();
        // What is damaged need not be text.
        let rows = rows.expect("bytes").into_iter().map(|row| String::from_utf8_lossy(&row).into_owned());
        let rows: Vec<String> = rows.collect();
        for ((item, status), _) in self.ledger.events.iter().filter(|(_, is_acknowledged)| **is_acknowledged) {
            let id = format!("\"{item}-{status}\"");
            if !rows.iter().any(|row| row.contains(&id)) {
                broken.push(format!("{item} was acknowledged as {status} and {NOT_IN_JOURNAL}"));
            }
        }
    }
}

/// Tells the daemon to stop and waits until it has.
pub async fn stop(daemon: &mut Daemon) {
    if daemon.exited().is_none() {
        daemon.signal("TERM");
        daemon.ended(ENDED_WITHIN).await;
    }
}
