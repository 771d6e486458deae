//! Senders that behave as their monitors do, and a ledger of what they were promised: what was answered
//! with 2xx must be there later, what was not may be. Never asks the daemon what it has.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use watchbell::clock::Clock;
use watchbell::model::Timestamp;

use super::{Random, Site, client};

/// Pause of one sender between two posts.
const PAUSE: Duration = Duration::from_millis(25);
/// Conditions that one post begins at most.
const BATCH_MAX: u64 = 10;
/// Of a hundred conditions those that are never ended.
const STAY_PERCENT: u64 = 8;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Generic,
    Prometheus,
    Alertmanager,
    Nagios,
    Zabbix,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Generic, Self::Prometheus, Self::Alertmanager, Self::Nagios, Self::Zabbix];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Prometheus => "prometheus",
            Self::Alertmanager => "alertmanager",
            Self::Nagios => "nagios",
            Self::Zabbix => "zabbix",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Generic => "/in/generic",
            Self::Prometheus => "/api/v2/alerts",
            Self::Alertmanager => "/in/alertmanager",
            Self::Nagios => "/in/nagios",
            Self::Zabbix => "/in/zabbix",
        }
    }

    /// One event: the condition of that number begins or ends. Its source, item and status are its
    /// identity over all senders; what the monitor numbers is numbered too.
    fn event(self, number: u64, item: &str, is_firing: bool, now: Timestamp) -> Value {
        let at = |ms: i64| Timestamp::from_millis(now.as_millis() + ms).to_string();
        let status = if is_firing { "firing" } else { "resolved" };
        match self {
            Self::Generic => json!({
                "id": format!("{item}-{status}"), "status": status, "name": "Disk full", "configuration_item": item,
                "severity": "critical",
            }),
            Self::Prometheus => json!({
                "labels": { "alertname": "HostDown", "instance": item, "severity": "critical" },
                "startsAt": at(-60_000),
                "endsAt": at(if is_firing { 3_600_000 } else { -1 }),
            }),
            Self::Alertmanager => json!({
                "status": status,
                "labels": { "alertname": "HostDown", "instance": item, "severity": "critical" },
                "annotations": {},
                "startsAt": at(-60_000),
                "endsAt": if is_firing { "0001-01-01T00:00:00Z".to_owned() } else { at(-1) },
            }),
            Self::Nagios => json!({
                "NOTIFICATIONTYPE": if is_firing { "PROBLEM" } else { "RECOVERY" }, "HOSTNAME": item,
                "HOSTSTATE": if is_firing { "DOWN" } else { "UP" }, "HOSTSTATETYPE": "HARD",
                "HOSTNOTIFICATIONID": format!("{item}-{status}"), "TIMET": (now.as_millis() / 1_000).to_string(),
            }),
            Self::Zabbix => json!({
                "event_id": (number + 1).to_string(), "event_source": "0", "event_object": "0",
                "event_value": if is_firing { "1" } else { "0" }, "event_nseverity": "5",
                "event_name": "Ping failed", "trigger_name_orig": "Ping failed", "trigger_id": (number + 1).to_string(),
                "event_recovery_id": if is_firing { String::new() } else { format!("9{number}") }, "host_host": item,
                "event_update_status": "0",
            }),
        }
    }

    /// What one post holds.
    fn body(self, events: Vec<Value>) -> Value {
        match self {
            Self::Alertmanager => json!({ "version": "4", "alerts": events, "truncatedAlerts": 0 }),
            _ => Value::Array(events),
        }
    }
}

/// What the sender knows of one of its conditions.
#[derive(Clone, Debug)]
pub struct Condition {
    pub kind: Kind,
    pub item: String,
    number: u64,
    pub fired: Promise,
    pub resolved: Promise,
}

impl Condition {
    /// One that has not been sent yet.
    pub fn new(kind: Kind, item: String, number: u64) -> Self {
        Self { kind, item, number, fired: Promise::None, resolved: Promise::None }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Never sent.
    None,
    /// Sent without an answer: taken or not.
    Unknown,
    /// Answered 2xx.
    Acknowledged,
}

/// Everything one sender did.
#[derive(Debug, Default)]
pub struct Ledger {
    pub conditions: Vec<Condition>,
    pub sent: u64,
    pub acknowledged: u64,
    /// Answers other than 2xx.
    pub refused: u64,
}

/// Posts to one source and keeps the ledger.
pub struct Sender {
    client: reqwest::Client,
    url: String,
    kind: Kind,
    pub ledger: Ledger,
}

impl Sender {
    pub fn new(site: &Site, kind: Kind) -> Self {
        Self { client: client(), url: site.url(kind.path()), kind, ledger: Ledger::default() }
    }

    /// Sends one event for each of these conditions; true when they were acknowledged.
    pub async fn post(&mut self, conditions: &[usize], is_firing: bool) -> bool {
        let Self { client, url, kind, ledger } = self;
        let now = Clock::System.now();
        let event = |index: &usize| {
            let condition = &ledger.conditions[*index];
            kind.event(condition.number, &condition.item, is_firing, now)
        };
        let body = kind.body(conditions.iter().map(event).collect()).to_string();
        ledger.sent += conditions.len() as u64;
        let request = client.post(&*url).header("content-type", "application/json").body(body);
        let promise = match request.send().await.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => Promise::Acknowledged,
            Ok(_) => {
                ledger.refused += 1;
                Promise::Unknown
            }
            Err(_) => Promise::Unknown,
        };
        for index in conditions {
            let condition = &mut ledger.conditions[*index];
            *(if is_firing { &mut condition.fired } else { &mut condition.resolved }) = promise;
        }
        if promise == Promise::Acknowledged {
            ledger.acknowledged += conditions.len() as u64;
        }
        promise == Promise::Acknowledged
    }
}

/// Sends until told to stop.
async fn run(mut sender: Sender, seed: u64, stop: watch::Receiver<bool>) -> Ledger {
    let (kind, mut random) = (sender.kind, Random::new(seed));
    // Indices of conditions whose firing was acknowledged and that shall end.
    let mut open: Vec<usize> = Vec::new();
    while !*stop.borrow() {
        let first = sender.ledger.conditions.len();
        for number in first as u64..first as u64 + random.between(1, BATCH_MAX + 1) {
            sender.ledger.conditions.push(Condition::new(kind, format!("{}-{number}", kind.name()), number));
        }
        let mut ending = Vec::new();
        // A little faster than they begin, or those that a dead daemon left open would pile up.
        for _ in 0..random.between(1, BATCH_MAX + 2).min(open.len() as u64) {
            ending.push(open.swap_remove(random.between(0, open.len() as u64) as usize));
        }
        let fired: Vec<usize> = (first..sender.ledger.conditions.len()).collect();
        if sender.post(&fired, true).await {
            open.extend(fired.iter().copied().filter(|_| random.between(0, 100) >= STAY_PERCENT));
        }
        if !ending.is_empty() {
            sender.post(&ending, false).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    sender.ledger
}

/// Starts one sender of each kind.
pub fn start(site: &Site, seed: u64, stop: &watch::Receiver<bool>) -> tokio::task::JoinSet<Ledger> {
    let mut senders = tokio::task::JoinSet::new();
    for (index, kind) in Kind::ALL.into_iter().enumerate() {
        senders.spawn(run(Sender::new(site, kind), seed ^ (index as u64 + 1), stop.clone()));
    }
    senders
}
