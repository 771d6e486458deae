//! The file as it may be shown: its secrets replaced as Alertmanager replaces them, so that `amtool` can read it.

use super::super::yaml::{Node, Value};
use super::super::yaml_text;
use super::integrations::INTEGRATIONS;
use super::keys::{Keys, Kind};
use super::tables;

const HIDDEN: &str = "<secret>";

pub(super) fn write(root: &Node) -> String {
    let mut shown = root.clone();
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
