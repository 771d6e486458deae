//! What the monitors see and post: hosts and services that fail and recover, told in the words of Nagios,
//! Zabbix, Prometheus and Alertmanager. A monitor keeps what was not taken and posts it again.

use std::ops::Range;

use serde_json::{Value, json};
use watchbell::model::{Span, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Monitor {
    Nagios,
    Zabbix,
    Prometheus,
    Alertmanager,
}

impl Monitor {
    pub const fn source(self) -> &'static str {
        match self {
            Self::Nagios => "nagios",
            Self::Zabbix => "zabbix",
            Self::Prometheus => "prometheus",
            Self::Alertmanager => "alertmanager",
        }
    }
}

/// One thing that a monitor watches.
#[derive(Clone, Debug)]
pub struct Condition {
    pub monitor: Monitor,
    pub host: &'static str,
    /// Absent for the host itself.
    pub check: Option<&'static str>,
    pub severity: &'static str,
    /// The place that its labels name.
    pub namespace: Option<&'static str>,
    pub is_firing: bool,
    pub began: Timestamp,
    pub ended: Timestamp,
    /// Of the present or last problem; 0 before the first.
    pub problem: u64,
}

/// One request of a monitor.
#[derive(Clone, Debug)]
pub struct Post {
    pub source: &'static str,
    pub body: Vec<u8>,
    /// Which condition it is about, where it is about one.
    pub condition: Option<usize>,
}

/// How a condition changed, or that it did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    State,
    Acknowledged,
    DowntimeBegan,
    DowntimeEnded,
}

const ALL: [(Monitor, &str, Option<&str>, &str); 14] = [
    (Monitor::Nagios, "rtr1", None, "DOWN"),
    (Monitor::Nagios, "web1", None, "UNREACHABLE"),
    (Monitor::Nagios, "web1", Some("disk"), "WARNING"),
    (Monitor::Nagios, "mon1", Some("load"), "CRITICAL"),
    (Monitor::Zabbix, "rtr1", Some("Router is down"), "5"),
    (Monitor::Zabbix, "web1", Some("Service http is down"), "4"),
    (Monitor::Zabbix, "db1", Some("Disk is full"), "2"),
    (Monitor::Zabbix, "mon1", Some("Clock drifts"), "1"),
    (Monitor::Prometheus, "rtr1", Some("HostDown"), "critical"),
    (Monitor::Prometheus, "web2", Some("HostDown"), "critical"),
    (Monitor::Prometheus, "db1", Some("SlowQueries"), "warning"),
    (Monitor::Alertmanager, "web2", Some("Latency"), "major"),
    (Monitor::Alertmanager, "db1", Some("DatabaseDown"), "critical"),
    (Monitor::Alertmanager, "mon1", Some("Backup"), "info"),
];

/// The pods of one shop, and the queue behind them. Nothing but the place ties them together.
const SHOP: [(Monitor, &str, Option<&str>, &str); 7] = [
    (Monitor::Alertmanager, "pod1", Some("HighErrorRate"), "critical"),
    (Monitor::Alertmanager, "pod2", Some("HighErrorRate"), "critical"),
    (Monitor::Alertmanager, "pod3", Some("HighErrorRate"), "critical"),
    (Monitor::Alertmanager, "pod4", Some("HighErrorRate"), "critical"),
    (Monitor::Alertmanager, "pod5", Some("HighErrorRate"), "critical"),
    (Monitor::Alertmanager, "pod6", Some("HighErrorRate"), "critical"),
    (Monitor::Alertmanager, "batch1", Some("QueueGrows"), "warning"),
];

/// Where the pods of the shop are among all conditions; the queue follows.
pub const PODS: Range<usize> = ALL.len()..ALL.len() + SHOP.len() - 1;
pub const QUEUE: usize = PODS.end;

/// Everything that is watched, all well.
pub fn conditions(now: Timestamp) -> Vec<Condition> {
    let condition = |&(monitor, host, check, severity), namespace| Condition {
        monitor,
        host,
        check,
        severity,
        namespace,
        is_firing: false,
        began: now,
        ended: now,
        problem: 0,
    };
    let all = ALL.iter().map(|one| condition(one, None));
    all.chain(SHOP.iter().map(|one| condition(one, Some("shop")))).collect()
}

impl Condition {
    pub fn change(&mut self, now: Timestamp, problem: u64) {
        self.is_firing = !self.is_firing;
        if self.is_firing {
            (self.began, self.problem) = (now, problem);
        } else {
            self.ended = now;
        }
    }

    /// Identity of the condition as its source derives it; of the present or last problem.
    pub fn is_alert(&self, source: &str, dedup_key: &str, labels: impl Fn(&str) -> Option<String>) -> bool {
        if source != self.monitor.source() {
            return false;
        }
        match self.monitor {
            Monitor::Nagios => match self.check {
                Some(check) => dedup_key == format!("{};{check}", self.host),
                None => dedup_key == self.host,
            },
            Monitor::Zabbix => dedup_key == self.problem.to_string(),
            Monitor::Prometheus | Monitor::Alertmanager => {
                labels("alertname").as_deref() == self.check && labels("host").as_deref() == Some(self.host)
            }
        }
    }

    /// What the monitor would post now. `nth` tells two notifications apart.
    pub fn say(&self, word: Word, now: Timestamp, nth: u64) -> Vec<u8> {
        let body = match self.monitor {
            Monitor::Nagios => self.nagios(word, now, nth),
            Monitor::Zabbix => self.zabbix(word, now),
            Monitor::Prometheus => json!([self.prometheus(now)]),
            Monitor::Alertmanager => self.alertmanager(),
        };
        body.to_string().into_bytes()
    }

    fn nagios(&self, word: Word, now: Timestamp, nth: u64) -> Value {
        let kind = match (word, self.is_firing) {
            (Word::State, true) => "PROBLEM",
            (Word::State, false) => "RECOVERY",
            (Word::Acknowledged, _) => "ACKNOWLEDGEMENT",
            (Word::DowntimeBegan, _) => "DOWNTIMESTART",
            (Word::DowntimeEnded, _) => "DOWNTIMEEND",
        };
        let seconds = |at: Timestamp| (at.as_millis() / 1_000).to_string();
        let changed = if self.is_firing { self.began } else { self.ended };
        let parent = if self.host == "rtr1" { "" } else { "rtr1" };
        match self.check {
            None => json!({
                "NOTIFICATIONTYPE": kind, "HOSTNAME": self.host, "HOSTSTATETYPE": "HARD", "TIMET": seconds(now),
                "HOSTSTATE": if self.is_firing { self.severity } else { "UP" }, "HOSTOUTPUT": "PING",
                "LASTHOSTSTATECHANGE": seconds(changed), "HOSTNOTIFICATIONID": nth.to_string(),
                "HOSTPARENTS": parent, "NOTIFICATIONAUTHOR": author(word),
            }),
            Some(check) => json!({
                "NOTIFICATIONTYPE": kind, "HOSTNAME": self.host, "HOSTSTATE": "UP", "SERVICEDESC": check,
                "SERVICESTATETYPE": "HARD", "SERVICESTATE": if self.is_firing { self.severity } else { "OK" },
                "TIMET": seconds(now), "LASTSERVICESTATECHANGE": seconds(changed), "SERVICEOUTPUT": "checked",
                "SERVICENOTIFICATIONID": nth.to_string(), "HOSTPARENTS": parent, "NOTIFICATIONAUTHOR": author(word),
            }),
        }
    }

    fn zabbix(&self, word: Word, now: Timestamp) -> Value {
        let (date, time) = date_and_time(self.began);
        let (ended_on, ended_at) = date_and_time(self.ended);
        let (updated_on, updated_at) = date_and_time(now);
        let mut body = json!({
            "event_id": self.problem.to_string(), "event_source": "0", "event_object": "0",
            "event_value": if self.is_firing { "1" } else { "0" }, "event_nseverity": self.severity,
            "event_date": date, "event_time": time, "event_tags_json": "[]", "host_host": self.host,
            "trigger_id": "1", "trigger_name_orig": self.check, "event_update_status": "0",
        });
        if !self.is_firing {
            body["event_recovery_id"] = (self.problem + 1_000_000).to_string().into();
            body["event_recovery_date"] = ended_on.into();
            body["event_recovery_time"] = ended_at.into();
        }
        if word == Word::Acknowledged {
            body["event_update_status"] = "1".into();
            body["event_update_action"] = "acknowledged".into();
            body["event_update_date"] = updated_on.into();
            body["event_update_time"] = updated_at.into();
            body["user_username"] = author(word).into();
        }
        body
    }

    fn labels(&self) -> Value {
        let instance = format!("{}:9100", self.host);
        let mut labels =
            json!({"alertname": self.check, "host": self.host, "instance": instance, "severity": self.severity});
        if let Some(namespace) = self.namespace {
            labels["namespace"] = namespace.into();
        }
        labels
    }

    /// A firing one is sent with an end that moves with each repetition.
    fn prometheus(&self, now: Timestamp) -> Value {
        let ends_at = if self.is_firing { now + Span::from_mins(4) } else { self.ended };
        json!({"labels": self.labels(), "annotations": {"summary": "as seen by Prometheus"}, "startsAt": self.began, "endsAt": ends_at})
    }

    fn alertmanager(&self) -> Value {
        let status = if self.is_firing { "firing" } else { "resolved" };
        let ends_at = if self.is_firing { "0001-01-01T00:00:00Z".to_owned() } else { self.ended.to_string() };
        json!({"version": "4", "status": status, "truncatedAlerts": 0, "alerts": [
            {"status": status, "labels": self.labels(), "annotations": {}, "startsAt": self.began, "endsAt": ends_at}
        ]})
    }
}

fn author(word: Word) -> &'static str {
    if word == Word::Acknowledged { "ada" } else { "" }
}

/// `2026.11.21` and `05:36:51`, as Zabbix prints them in UTC.
fn date_and_time(at: Timestamp) -> (String, String) {
    let text = at.to_string();
    let (date, rest) = text.split_once('T').unwrap_or_default();
    (date.replace('-', "."), rest.chars().take(8).collect())
}

/// The text on which the simulated engine fails.
pub const POISON: &str = "poison";

/// A body that parses and then kills the engine.
pub fn poison(now: Timestamp) -> Post {
    let alert =
        json!([{"labels": {"alertname": POISON, "host": "web1"}, "startsAt": now, "endsAt": now + Span::from_mins(4)}]);
    Post { source: "prometheus", body: alert.to_string().into_bytes(), condition: None }
}

/// What a pipeline tells of its deployments: first that one begins, then that it is over.
pub fn change(now: Timestamp, nth: u64) -> Post {
    let state = if nth.is_multiple_of(2) { "started" } else { "succeeded" };
    let item = ["web1", "web2", "db1"][(nth / 2 % 3) as usize];
    let change = json!({"id": format!("deploy-{}", nth / 2), "at": now, "state": state, "configuration_item": item});
    Post { source: "changes", body: change.to_string().into_bytes(), condition: None }
}

/// A body that does not parse.
pub fn garbage(nth: u64) -> Post {
    Post { source: "zabbix", body: format!("{{\"event_source\":\"{nth}\"").into_bytes(), condition: None }
}
