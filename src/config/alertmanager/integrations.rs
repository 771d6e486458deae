//! The receivers, and the integrations that each has. Decides what there is and which of our sinks it becomes.

use super::super::problem::Problems;
use super::super::read::{is_map, items, join, unknown_hint};
use super::super::receivers::{ALERTMANAGER_PREFIX, check_any_name};
use super::super::validate::check_not_reserved;
use super::super::yaml::{Node, Value};
use super::check::{Entry, has};
use super::keys::{Keys, Kind};
use super::{TranslatedReceiver, TranslatedSink, check, duration, http, inherit, keys, tables};
use crate::model::Span;

pub(super) struct Integration {
    /// Of a receiver: `slack_configs`.
    pub key: &'static str,
    pub kind: &'static str,
    /// Whether it is told of ends when it says nothing.
    pub send_resolved: bool,
    pub keys: Keys,
}

const fn integration(key: &'static str, kind: &'static str, send_resolved: bool, keys: Keys) -> Integration {
    Integration { key, kind, send_resolved, keys }
}

pub(super) const INTEGRATIONS: [Integration; 16] = [
    integration("webhook_configs", "webhook", true, tables::WEBHOOK),
    integration("email_configs", "email", false, tables::EMAIL),
    integration("pagerduty_configs", "pagerduty", true, tables::PAGERDUTY),
    integration("opsgenie_configs", "opsgenie", true, tables::OPSGENIE),
    integration("wechat_configs", "wechat", false, tables::WECHAT),
    integration("slack_configs", "slack", false, tables::SLACK),
    integration("victorops_configs", "victorops", true, tables::VICTOROPS),
    integration("pushover_configs", "pushover", true, tables::PUSHOVER),
    integration("sns_configs", "sns", true, tables::SNS),
    integration("telegram_configs", "telegram", true, tables::TELEGRAM),
    integration("discord_configs", "discord", true, tables::DISCORD),
    integration("webex_configs", "webex", true, tables::WEBEX),
    integration("msteams_configs", "msteams", true, tables::MSTEAMS),
    integration("msteamsv2_configs", "msteamsv2", true, tables::MSTEAMSV2),
    integration("jira_configs", "jira", true, tables::JIRA),
    integration("rocketchat_configs", "rocketchat", false, tables::ROCKETCHAT),
];

/// Keys of a receiver that only Alertmanager has.
const UNSUPPORTED: [&str; 3] = ["labels", "incidentio_configs", "mattermost_configs"];

/// Of a sink in our configuration.
pub(super) fn full_kind(kind: &str) -> String {
    format!("{ALERTMANAGER_PREFIX}{kind}")
}

pub(super) fn find(kind: &str) -> Option<&'static Integration> {
    INTEGRATIONS.iter().find(|integration| integration.kind == kind)
}

pub(super) fn read_all(root: &Node, global: &Node, problems: &mut Problems) -> Vec<TranslatedReceiver> {
    let mut receivers: Vec<TranslatedReceiver> = Vec::new();
    for (index, node) in items(root, "receivers", "", problems).iter().enumerate() {
        let path = format!("receivers[{index}]");
        if !is_map(node, &path, problems) {
            continue;
        }
        let receiver = read_one(node, &path, global, problems);
        let path = join(&path, "name");
        if receiver.name.is_empty() {
            problems.error(&node.place, &path, format!("missing key `name` in `receivers[{index}]`"));
        } else if receivers.iter().any(|other| other.name == receiver.name) {
            let message = format!("`{path}`: `{}` is the name of another receiver too", receiver.name);
            problems.error(&receiver.place, &path, message);
        } else {
            check_any_name(&receiver.name, &path, &receiver.place, problems);
            check_not_reserved(&receiver.name, &path, &receiver.place, problems);
        }
        receivers.push(receiver);
    }
    receivers
}

fn read_one(node: &Node, path: &str, global: &Node, problems: &mut Problems) -> TranslatedReceiver {
    let (name, _) = node.split(&["name"]);
    let name = keys::read(&name, path, &[("name", Kind::Text)], problems);
    let mut receiver = TranslatedReceiver {
        name: name.get("name").and_then(Node::text).unwrap_or_default().to_owned(),
        place: node.place_of("name").clone(),
        sinks: Vec::new(),
    };
    for (key, list) in node.entries().iter().filter(|(key, _)| key != "name") {
        let full = join(path, key);
        if let Some(integration) = INTEGRATIONS.iter().find(|integration| integration.key == key) {
            for (index, node) in items(node, key, path, problems).iter().enumerate() {
                receiver.sinks.push(sink(integration, node, format!("{full}[{index}]"), global, problems));
            }
        } else if UNSUPPORTED.contains(&key.as_str()) {
            keys::unsupported(&list.place, &full, problems);
        } else {
            let known: Vec<&str> = ["name"].into_iter().chain(INTEGRATIONS.iter().map(|known| known.key)).collect();
            let message = format!("unknown key `{key}` in `{path}`");
            problems.error(&list.place, &full, message).hint = unknown_hint(key, &known, "keys");
        }
    }
    receiver
}

fn sink(
    integration: &Integration,
    node: &Node,
    path: String,
    global: &Node,
    problems: &mut Problems,
) -> TranslatedSink {
    let before = problems.len();
    if node.value == Value::Null {
        problems.error(&node.place, &path, format!("`{path}`: expected a map, got nothing"));
    }
    let mut own = keys::read(node, &path, integration.keys, problems);
    drop_absent(&mut own);
    if let Some(node) = own.get_mut("http_config") {
        http::check(node, &join(&path, "http_config"), problems);
        http::fold_bearer(node);
    }
    check::integration(integration.kind, &mut Entry::new(&own, &path, problems));
    inherit::apply(integration.kind, &mut own, global, &path, problems);
    let is_faulty = problems.len() > before;
    let node = as_sink(integration, own, &path, problems);
    TranslatedSink { kind: integration.kind, path, node, is_faulty }
}

/// An empty name of a file is none, and so is an empty secret.
pub(super) fn drop_absent(node: &mut Node) {
    if let Value::Map(entries) = &mut node.value {
        let is_absent = |name: &str, node: &Node| {
            node.text() == Some("") && (name.ends_with("_file") || super::super::read::is_secret_key(name))
        };
        entries.retain(|(name, node)| !is_absent(name, node));
        entries.iter_mut().for_each(|(_, node)| drop_absent(node));
    }
}

/// The keys of every sink of ours, then its own.
fn as_sink(integration: &Integration, own: Node, path: &str, problems: &mut Problems) -> Node {
    let at = |value| Node { place: own.place.clone(), value };
    let is_told = own.get("send_resolved").map_or(integration.send_resolved, |node| node.value == Value::Boolean(true));
    let mut entries = vec![
        ("kind".to_owned(), at(Value::Text(full_kind(integration.kind)))),
        ("allow_private".to_owned(), at(Value::Boolean(true))),
        ("send_resolved".to_owned(), at(Value::Boolean(is_told))),
    ];
    let timeout = timeout(&own, path, problems).unwrap_or(TIMEOUT);
    let place = own.place_of("timeout").clone();
    entries.push(("timeout".to_owned(), Node { place, value: Value::Text(timeout.to_string()) }));
    let (_, rest) = own.split(&["send_resolved", "timeout"]);
    entries.extend(rest.entries().iter().cloned());
    at(Value::Map(entries))
}

/// Of a request, where the file gives none: as long as Alertmanager tries at least.
const TIMEOUT: Span = Span::from_secs(10);

/// Within what a sink of ours takes; `0s` is none, and so the usual one.
fn timeout(node: &Node, path: &str, problems: &mut Problems) -> Option<Span> {
    let (min, max) = (Span::from_secs(1), Span::from_mins(10));
    let given = duration::go(node.get("timeout")?.text()?).filter(|span| !span.is_zero())?;
    let taken = given.clamp(min, max);
    if taken != given {
        let message = format!("`{path}.timeout`: {given} becomes {taken}, since Watchbell takes {min} to {max}");
        problems.warning(node.place_of("timeout"), join(path, "timeout"), message);
    }
    Some(taken)
}

/// The secrets that stand in a map themselves, by their paths.
pub(super) fn inline_secrets(node: &Node, keys: Keys, path: &str, found: &mut Vec<String>) {
    for (name, node) in node.entries() {
        let path = join(path, name);
        match keys.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind) {
            Some(Kind::Map(keys)) => inline_secrets(node, keys, &path, found),
            Some(Kind::NamedMaps(_)) if node.entries().iter().any(|(_, header)| has(header, "secrets")) => {
                found.push(path);
            }
            Some(kind) if kind.is_secret() => found.push(path),
            _ => {}
        }
    }
}
