//! The `self_check` and `heartbeat` sections: how the daemon watches itself, and whom it tells that it lives.

use serde::Deserialize;

use super::problem::Problems;
use super::read::{Reading, read_with, require};
use super::rhythm::{Rhythm, is_web};
use super::schema::{HeartbeatSettings, SelfCheckSettings};
use super::validate::section;
use super::yaml::Node;
use crate::error::{Secret, read_table};
use crate::model::Span;

pub(super) fn self_check(root: &Node, problems: &mut Problems) -> SelfCheckSettings {
    let settings: SelfCheckSettings = section(root, "self_check", problems);
    let node = root.get("self_check").cloned().unwrap_or_default();
    let rhythm = Rhythm { every: settings.every, timeout: settings.timeout };
    rhythm.check_brisk(&node, "self_check", problems);
    settings
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Absent once it has been reported as faulty.
    url: Option<Secret<String>>,
    #[serde(default = "every")]
    every: Span,
    #[serde(default = "timeout")]
    timeout: Span,
    #[serde(default)]
    allow_private: bool,
}

const fn every() -> Span {
    HeartbeatSettings::EVERY
}

const fn timeout() -> Span {
    HeartbeatSettings::TIMEOUT
}

pub(super) fn heartbeat(root: &Node, is_checked: bool, problems: &mut Problems) -> Option<HeartbeatSettings> {
    let node = root.get("heartbeat")?;
    if !require(node, "heartbeat", &["url"], problems) {
        return None;
    }
    let reading = Reading { is_secret: true, ..Reading::default() };
    let keys: Keys = read_with(node, "heartbeat", reading, problems, read_table)?;
    Rhythm { every: keys.every, timeout: keys.timeout }.check_brisk(node, "heartbeat", problems);
    if !keys.url.as_ref().is_none_or(|url| url.expose().parse().is_ok_and(|uri| is_web(&uri))) {
        let message = "`heartbeat.url`: expected a URL such as `https://hc-ping.com/…` (its value is not shown)";
        problems.error(node.place_of("url"), "heartbeat.url", message);
    }
    if !is_checked {
        let message = "`heartbeat` goes out only while the self check passes, but `self_check.enabled` is `false`";
        problems.error(&node.place, "heartbeat", message);
    }
    let Keys { url, every, timeout, allow_private } = keys;
    Some(HeartbeatSettings { url: url?, every, timeout, allow_private })
}
