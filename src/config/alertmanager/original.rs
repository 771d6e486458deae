//! The file as it may be shown: its secrets replaced as Alertmanager replaces them, so that `amtool` can read it, and
//! with the defaults that people look for there. Those that an `amtool` of 0.25 would stumble over are left out.

use super::super::problem::Place;
use super::super::yaml::{Node, Value};
use super::super::yaml_text;
use super::integrations::INTEGRATIONS;
use super::keys::{Keys, Kind};
use super::tables;

const HIDDEN: &str = "<secret>";

pub(super) fn write(root: &Node) -> String {
    let mut shown = root.clone();
    fill(&mut shown);
    if let Some(global) = shown.get_mut("global") {
        hide(global, tables::GLOBAL);
    }
    for receiver in list(shown.get_mut("receivers")) {
        for integration in &INTEGRATIONS {
            for node in list(receiver.get_mut(integration.key)) {
                hide(node, integration.keys);
            }
        }
    }
    yaml_text::write(&shown)
}

/// Of the section `global`, in the order in which they stand there.
const GLOBAL: [(&str, &str); 8] = [
    ("smtp_hello", "localhost"),
    ("smtp_require_tls", "true"),
    ("pagerduty_url", "https://events.pagerduty.com/v2/enqueue"),
    ("opsgenie_api_url", "https://api.opsgenie.com/"),
    ("wechat_api_url", "https://qyapi.weixin.qq.com/cgi-bin/"),
    ("victorops_api_url", "https://alert.victorops.com/integrations/generic/20131114/alert/"),
    ("telegram_api_url", "https://api.telegram.org"),
    ("webex_api_url", "https://webexapis.com/v1/messages"),
];
const HTTP: [(&str, &str); 2] = [("follow_redirects", "true"), ("enable_http2", "true")];

fn fill(root: &mut Node) {
    let Value::Map(sections) = &mut root.value else { return };
    if !sections.iter().any(|(name, _)| name == "global") {
        sections.insert(0, ("global".to_owned(), map()));
    }
    if let Some(global) = root.get_mut("global") {
        if global.value == Value::Null {
            *global = map();
        }
        add(global, "resolve_timeout", "5m");
        add_http(global);
        GLOBAL.iter().for_each(|(key, value)| add(global, key, value));
        let place = |name: &str| tables::GLOBAL.iter().position(|(known, _)| *known == name);
        if let Value::Map(entries) = &mut global.value {
            entries.sort_by_key(|(name, _)| place(name));
        }
    }
    if let Some(route) = root.get_mut("route") {
        fill_route(route);
    }
    for receiver in list(root.get_mut("receivers")) {
        for integration in &INTEGRATIONS {
            for node in list(receiver.get_mut(integration.key)) {
                add(node, "send_resolved", if integration.send_resolved { "true" } else { "false" });
                if integration.keys.iter().any(|(known, _)| *known == "http_config") {
                    add_http(node);
                }
            }
        }
    }
}

fn fill_route(route: &mut Node) {
    add(route, "continue", "false");
    list(route.get_mut("routes")).iter_mut().for_each(fill_route);
}

fn add_http(node: &mut Node) {
    if node.get("http_config").is_none()
        && let Value::Map(entries) = &mut node.value
    {
        entries.retain(|(name, _)| name != "http_config");
        entries.push(("http_config".to_owned(), map()));
    }
    if let Some(http) = node.get_mut("http_config") {
        HTTP.iter().for_each(|(key, value)| add(http, key, value));
    }
}

/// What is not said already.
fn add(node: &mut Node, key: &str, value: &str) {
    if node.get(key).is_some() {
        return;
    }
    let Value::Map(entries) = &mut node.value else { return };
    let value = match value {
        "true" | "false" => Value::Boolean(value == "true"),
        text => Value::Text(text.to_owned()),
    };
    entries.retain(|(name, _)| name != key);
    entries.push((key.to_owned(), Node { place: Place::BuiltIn, value }));
}

fn map() -> Node {
    Node { place: Place::BuiltIn, value: Value::Map(Vec::new()) }
}

fn list(node: Option<&mut Node>) -> &mut [Node] {
    match node.map(|node| &mut node.value) {
        Some(Value::List(items)) => items,
        _ => &mut [],
    }
}

fn hide(node: &mut Node, keys: Keys) {
    let Value::Map(entries) = &mut node.value else { return };
    for (name, node) in entries {
        match keys.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind) {
            Some(Kind::Map(keys)) => hide(node, keys),
            Some(Kind::NamedMaps(_)) => {
                if let Value::Map(headers) = &mut node.value {
                    headers.iter_mut().filter_map(|(_, header)| header.get_mut("secrets")).for_each(hide_all);
                }
            }
            Some(Kind::Text) if name == "proxy_url" => hide_credentials(node),
            Some(kind) if kind.is_secret() => hide_all(node),
            _ => {}
        }
    }
}

/// A value, or each of those below it.
fn hide_all(node: &mut Node) {
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(hide_all),
        Value::Map(entries) => entries.iter_mut().for_each(|(_, node)| hide_all(node)),
        Value::Null => {}
        Value::Text(text) if text.is_empty() => {}
        value => *value = Value::Text(HIDDEN.to_owned()),
    }
}

/// `http://user:xxxxx@proxy:3128`, as Go writes it.
fn hide_credentials(node: &mut Node) {
    let Value::Text(text) = &mut node.value else { return };
    let Some((scheme, rest)) = text.split_once("://") else { return };
    let authority = rest.split('/').next().unwrap_or_default();
    if let Some((credentials, _)) = authority.rsplit_once('@')
        && let Some((user, _)) = credentials.split_once(':')
    {
        *text = format!("{scheme}://{user}:xxxxx{}", &rest[credentials.len()..]);
    }
}
