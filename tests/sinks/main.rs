//! What receivers see of a real daemon while they are slow, broken, strict or away, and what its vendors'
//! stand-ins hold in the end. One daemon and one set of receivers for each test.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod alarms;
mod broken;
mod changes;
mod chats;
mod isolation;
#[path = "../support/mod.rs"]
mod support;
mod vendors;

use std::time::Duration;

/// A notification of a healthy sink, from the event on.
const PROMPTLY: Duration = Duration::from_secs(3);
/// Back-off and a breaker's pause included.
const EVENTUALLY: Duration = Duration::from_secs(40);

/// Configuration with these sinks in the receiver `ops` and no waiting.
fn ops(sinks: &[String]) -> String {
    let sinks: String = sinks.iter().map(|sink| format!("      - {{ {sink} }}\n")).collect();
    format!("receivers:\n  ops:\n    sinks:\n{sinks}route: {{ receiver: ops, group_wait: 0s, group_interval: 1s }}\n")
}

/// A webhook sink of that name.
fn webhook(name: &str, url: &str) -> String {
    format!("kind: webhook, name: {name}, url: \"{url}\", allow_private: true, timeout: 1s")
}
