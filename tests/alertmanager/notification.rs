//! What one side told its receivers: every request as a notification, put in order by hook and group.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use crate::receiver::{Answer, Request};

#[derive(Clone, Debug)]
pub struct Notification {
    /// Seconds since the scenario began.
    pub at: f64,
    pub answer: Answer,
    pub body: Value,
}

impl Notification {
    /// `+a +b -c`: a and b fire, c is resolved; `told` when the body has no list of alerts. A refusal is part
    /// of it.
    pub fn line(&self) -> String {
        if self.body["alerts"].is_null() {
            return "told".to_owned();
        }
        let alerts = self.body["alerts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let mut line: Vec<String> = alerts.iter().map(mark).collect();
        if let Answer::Status(status @ 400..) = self.answer {
            line.push(format!("({status})"));
        }
        line.join(" ")
    }
}

fn mark(alert: &Value) -> String {
    let sign = if alert["status"] == "firing" { "+" } else { "-" };
    format!("{sign}{}", name(alert))
}

fn name(alert: &Value) -> String {
    let labels = &alert["labels"];
    labels["instance"].as_str().or(labels["alertname"].as_str()).unwrap_or("?").to_owned()
}

/// By hook and group key; each in order of arrival.
pub type Heard = BTreeMap<(String, String), Vec<Notification>>;

/// What was told for good: attempts that make the sender try again are not part of it.
pub fn heard(requests: &[Request], began: Instant) -> Heard {
    let mut heard = Heard::new();
    for request in requests.iter().filter(|request| request.answer.is_final()) {
        let group = request.body["groupKey"].as_str().unwrap_or_default().to_owned();
        let at = request.at.duration_since(began).as_secs_f64();
        let notification = Notification { at, answer: request.answer, body: request.body.clone() };
        heard.entry((request.hook.clone(), group)).or_default().push(notification);
    }
    heard
}

/// One line for each hook and group: `page: +a | +a +b | -a -b`.
pub fn lines(heard: &Heard) -> Vec<String> {
    let line = |((hook, _), told): (&(String, String), &Vec<Notification>)| {
        let told: Vec<String> = told.iter().map(Notification::line).collect();
        format!("{hook}: {}", told.join(" | "))
    };
    heard.iter().map(line).collect()
}
