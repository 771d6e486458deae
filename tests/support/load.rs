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
/// Conditions that one post begins or ends, each at most.
const BATCH_MAX: u64 = 5;
/// Of a hundred conditions those that are never ended.
const STAY_PERCENT: u64 = 15;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Generic,
    Prometheus,
    Nagios,
    Zabbix,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Generic, Self::Prometheus, Self::Nagios, Self::Zabbix];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Generic => "generic",
            Self::Prometheus => "prometheus",
            Self::Nagios => "nagios",
            Self::Zabbix => "zabbix",
        }
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Generic => "/in/generic",
            Self::Prometheus => "/api/v2/alerts",
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

/// Sends until told to stop.
pub async fn run(kind: Kind, url: String, seed: u64, mut stop: watch::Receiver<bool>) -> Ledger {
    let (client, mut random, mut ledger) = (client(), Random::new(seed), Ledger::default());
    // Indices of conditions whose firing was acknowledged and that shall end.
    let mut open: Vec<usize> = Vec::new();
    while !*stop.borrow_and_update() {
        let first = ledger.conditions.len();
        for number in first as u64..first as u64 + random.between(1, BATCH_MAX + 1) {
            let item = format!("{}-{number}", kind.name());
            let fired = Promise::Unknown;
            ledger.conditions.push(Condition { kind, item, number, fired, resolved: Promise::None });
        }
        let mut ending = Vec::new();
        for _ in 0..random.between(1, BATCH_MAX + 1).min(open.len() as u64) {
            ending.push(open.swap_remove(random.between(0, open.len() as u64) as usize));
        }
        let fired: Vec<usize> = (first..ledger.conditions.len()).collect();
        if post(&client, &url, kind, &mut ledger, &fired, true).await {
            open.extend(fired.iter().copied().filter(|_| random.between(0, 100) >= STAY_PERCENT));
        }
        if !ending.is_empty() {
            post(&client, &url, kind, &mut ledger, &ending, false).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
    ledger
}

/// Sends one event for each of these conditions; true when they were acknowledged.
async fn post(
    client: &reqwest::Client,
    url: &str,
    kind: Kind,
    ledger: &mut Ledger,
    conditions: &[usize],
    is_firing: bool,
) -> bool {
    let now = Clock::System.now();
    let event = |index: &usize| {
        let condition = &ledger.conditions[*index];
        kind.event(condition.number, &condition.item, is_firing, now)
    };
    let body = Value::Array(conditions.iter().map(event).collect()).to_string();
    ledger.sent += conditions.len() as u64;
    let request = client.post(url).header("content-type", "application/json").body(body);
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

/// Starts one sender of each kind.
pub fn start(site: &Site, seed: u64, stop: &watch::Receiver<bool>) -> tokio::task::JoinSet<Ledger> {
    let mut senders = tokio::task::JoinSet::new();
    for (index, kind) in Kind::ALL.into_iter().enumerate() {
        senders.spawn(run(kind, site.url(kind.path()), seed ^ (index as u64 + 1), stop.clone()));
    }
    senders
}
