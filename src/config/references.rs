//! Names that other parts of the configuration refer to, and the check that they exist.

use super::problem::{Place, Problems, did_you_mean, quoted};
use super::yaml::Node;
use crate::engine::policy::LOG_RECEIVER;

/// Every name that can be referred to, whether its entry is sound or not: a faulty entry is reported
/// for itself, not for each reference to it.
#[derive(Debug)]
pub(super) struct Names {
    /// As configured, without the built-in one.
    pub own_receivers: Vec<String>,
    receivers: Vec<String>,
    escalation_policies: Vec<String>,
    schedules: Vec<String>,
    people: Vec<String>,
    teams: Vec<String>,
    slas: Vec<String>,
    time_intervals: Vec<String>,
}

impl Names {
    pub fn collect(root: &Node) -> Self {
        let names = |section: &str| -> Vec<String> {
            root.get(section).map_or(&[][..], Node::entries).iter().map(|(name, _)| name.clone()).collect()
        };
        let own_receivers = names("receivers");
        let mut receivers = own_receivers.clone();
        receivers.extend(names("people"));
        if !receivers.iter().any(|name| name == LOG_RECEIVER) {
            receivers.push(LOG_RECEIVER.to_owned());
        }
        Self {
            own_receivers,
            receivers,
            escalation_policies: names("escalation_policies"),
            schedules: names("schedules"),
            people: names("people"),
            teams: names("teams"),
            slas: names("slas"),
            time_intervals: names("time_intervals"),
        }
    }

    /// Those of an `alertmanager.yml`.
    pub fn of(receivers: Vec<String>, time_intervals: Vec<String>) -> Self {
        Self {
            own_receivers: receivers.clone(),
            receivers,
            escalation_policies: Vec::new(),
            schedules: Vec::new(),
            people: Vec::new(),
            teams: Vec::new(),
            slas: Vec::new(),
            time_intervals,
        }
    }

    pub fn check_receiver(&self, name: &str, place: &Place, path: &str, problems: &mut Problems) {
        check("receiver", name, &self.receivers, place, path, problems);
    }

    pub fn check_escalation_policy(&self, name: &str, place: &Place, path: &str, problems: &mut Problems) {
        check("escalation policy", name, &self.escalation_policies, place, path, problems);
    }

    pub fn check_schedule(&self, name: &str, place: &Place, path: &str, problems: &mut Problems) {
        check("schedule", name, &self.schedules, place, path, problems);
    }

    pub fn check_person(&self, name: &str, place: &Place, path: &str, problems: &mut Problems) {
        check("person", name, &self.people, place, path, problems);
    }

    pub fn check_team(&self, name: &str, place: &Place, path: &str, problems: &mut Problems) {
        check("team", name, &self.teams, place, path, problems);
    }

    pub fn check_time_interval(&self, name: &str, place: &Place, path: &str, problems: &mut Problems) {
        check("time interval", name, &self.time_intervals, place, path, problems);
    }

    pub fn check_sla(&self, name: &str, place: &Place, path: &str, problems: &mut Problems) {
        check("SLA", name, &self.slas, place, path, problems);
    }
}

/// Names listed in a hint.
const LISTED_MAX: usize = 20;

fn check(what: &str, name: &str, known: &[String], place: &Place, path: &str, problems: &mut Problems) {
    if known.iter().any(|other| other == name) {
        return;
    }
    let mut sorted: Vec<&str> = known.iter().map(String::as_str).collect();
    sorted.sort_unstable();
    let list = match sorted.len() {
        0 => Some(format!("none is configured under `{}`", section(what))),
        1..=LISTED_MAX => Some(format!("there are: {}", quoted(sorted.iter().copied()))),
        _ => None,
    };
    let hint = did_you_mean(name, sorted.iter().copied()).or(list);
    problems.error(place, path, format!("unknown {what} `{name}` in `{path}`")).hint = hint;
}

fn section(what: &str) -> &str {
    match what {
        "escalation policy" => "escalation_policies",
        "schedule" => "schedules",
        "person" => "people",
        "team" => "teams",
        "SLA" => "slas",
        "time interval" => "time_intervals",
        _ => "receivers",
    }
}
