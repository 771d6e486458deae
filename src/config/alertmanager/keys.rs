//! What the keys of an `alertmanager.yml` hold, and the reading of a map by such a list. Decides whether a key is
//! known and its value of the right type; what values mean together is judged in `check.rs`.
//!
//! YAML 1.1 decides there what a value is, by the key that it is for: `channel: 0123` is a text, `short_fields: yes`
//! is true. So scalars come as they were written.

use super::super::problem::{Place, Problems};
use super::super::read::{is_map, join, kind_of, unknown_hint};
use super::super::yaml::{Node, Value, scalar};
use super::duration;

/// The names that a map may have, with what each holds.
pub(super) type Keys = &'static [(&'static str, Kind)];

#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Secret,
    Boolean,
    Whole,
    /// `http` or `https`.
    Address,
    /// The same, and whoever knows it may send.
    SecretAddress,
    /// The same, or a template that renders to it.
    SecretTemplate,
    /// `mail.example.org:587`.
    HostPort,
    /// Of Prometheus: `1h30m`, `100ms`, `1d`.
    Duration,
    /// Of Go: `1h30m`, `1.5s`; `0s` is none.
    GoDuration,
    Texts,
    TextMap,
    /// Regular expressions by the label they are for.
    Patterns,
    /// Lists of secrets by name.
    SecretsMap,
    /// Whatever YAML can say.
    Any,
    /// A part that is read on its own, as it was written.
    Part,
    Map(Keys),
    /// A list of maps.
    Maps(Keys),
    /// A map for each name.
    NamedMaps(Keys),
    /// A text, or a map in its place.
    TextOr(Keys),
    /// Known to Alertmanager, not to us.
    Unsupported,
}

impl Kind {
    pub fn is_secret(self) -> bool {
        matches!(self, Self::Secret | Self::SecretAddress | Self::SecretTemplate | Self::SecretsMap)
    }
}

/// Reads a map: what is unknown or of another type is reported and left out, scalars become what their key asks for.
pub(super) fn read(node: &Node, path: &str, keys: Keys, problems: &mut Problems) -> Node {
    let mut entries = Vec::new();
    if is_map(node, path, problems) {
        for (name, value) in node.entries() {
            let full = join(path, name);
            let Some((_, kind)) = keys.iter().find(|(known, _)| known == name) else {
                report_unknown(name, value, path, keys, problems);
                continue;
            };
            if let Some(value) = read_value(value, &full, *kind, problems) {
                entries.push((name.clone(), value));
            }
        }
    }
    Node { place: node.place.clone(), value: Value::Map(entries) }
}

fn report_unknown(name: &str, node: &Node, path: &str, keys: Keys, problems: &mut Problems) {
    let known: Vec<&str> =
        keys.iter().filter(|(_, kind)| !matches!(kind, Kind::Unsupported)).map(|(name, _)| *name).collect();
    let message =
        if path.is_empty() { format!("unknown key `{name}`") } else { format!("unknown key `{name}` in `{path}`") };
    problems.error(&node.place, join(path, name), message).hint = unknown_hint(name, &known, "keys");
}

/// Reports a key that Alertmanager has and Watchbell has not.
pub(super) fn unsupported(place: &Place, path: &str, problems: &mut Problems) {
    let message = format!("`{path}`: Watchbell does not support this key of Alertmanager's");
    problems.error(place, path, message).hint =
        Some("take it out, or leave what needs it to an Alertmanager beside Watchbell".to_owned());
}

fn read_value(node: &Node, path: &str, kind: Kind, problems: &mut Problems) -> Option<Node> {
    let as_value = |value| Some(Node { place: node.place.clone(), value });
    if matches!(node.value, Value::Null | Value::Dropped) {
        // A text without a value is an empty one, not the default.
        return if matches!(kind, Kind::Text) { as_value(Value::Text(String::new())) } else { None };
    }
    match kind {
        Kind::Unsupported => {
            unsupported(&node.place, path, problems);
            None
        }
        Kind::Part => Some(node.clone()),
        Kind::Any => as_value(resolved(node).value),
        Kind::Map(keys) => is_map(node, path, problems).then(|| read(node, path, keys, problems)),
        Kind::Maps(keys) => {
            let items = list(node, path, problems)?;
            let items = items.iter().enumerate();
            as_value(Value::List(items.map(|(index, item)| read_item(item, path, index, keys, problems)).collect()))
        }
        Kind::NamedMaps(keys) => map_of(node, path, problems, |node, path, problems| {
            is_map(node, path, problems).then(|| read(node, path, keys, problems))
        }),
        Kind::TextOr(keys) if matches!(node.value, Value::Map(_)) => Some(read(node, path, keys, problems)),
        Kind::Texts => texts(node, path, problems),
        Kind::TextMap => {
            map_of(node, path, problems, |node, path, problems| read_value(node, path, Kind::Text, problems))
        }
        Kind::Patterns => map_of(node, path, problems, |node, path, problems| {
            if node.value == Value::Null {
                let message = format!("`{path}`: expected a regular expression, got nothing");
                problems.error(&node.place, path, message);
                return None;
            }
            read_value(node, path, Kind::Text, problems)
        }),
        Kind::SecretsMap => map_of(node, path, problems, texts),
        _ => as_value(read_scalar(node, path, kind, problems)?),
    }
}

fn read_item(item: &Node, path: &str, index: usize, keys: Keys, problems: &mut Problems) -> Node {
    let path = format!("{path}[{index}]");
    if item.value == Value::Null {
        problems.error(&item.place, &path, format!("`{path}`: expected a map, got nothing"));
    }
    read(item, &path, keys, problems)
}

fn list<'n>(node: &'n Node, path: &str, problems: &mut Problems) -> Option<&'n [Node]> {
    if matches!(node.value, Value::List(_)) {
        return Some(node.items());
    }
    problems.error(&node.place, path, format!("`{path}`: expected a list, got {}", kind_of(node)));
    None
}

fn texts(node: &Node, path: &str, problems: &mut Problems) -> Option<Node> {
    let items = list(node, path, problems)?.iter().enumerate();
    let texts = items.filter_map(|(index, item)| read_value(item, &format!("{path}[{index}]"), Kind::Text, problems));
    let value = Value::List(texts.collect());
    Some(Node { place: node.place.clone(), value })
}

fn map_of(
    node: &Node,
    path: &str,
    problems: &mut Problems,
    mut read: impl FnMut(&Node, &str, &mut Problems) -> Option<Node>,
) -> Option<Node> {
    if !is_map(node, path, problems) {
        return None;
    }
    let entries = node.entries().iter();
    let entries = entries.filter_map(|(name, node)| Some((name.clone(), read(node, &join(path, name), problems)?)));
    let value = Value::Map(entries.collect());
    Some(Node { place: node.place.clone(), value })
}

/// A value with its scalars as YAML alone would read them.
fn resolved(node: &Node) -> Node {
    let value = match &node.value {
        Value::Plain(text) => truth(text).map_or_else(|| scalar(text), Value::Boolean),
        Value::List(items) => Value::List(items.iter().map(resolved).collect()),
        Value::Map(entries) => Value::Map(entries.iter().map(|(name, node)| (name.clone(), resolved(node))).collect()),
        other => other.clone(),
    };
    Node { place: node.place.clone(), value }
}

fn read_scalar(node: &Node, path: &str, kind: Kind, problems: &mut Problems) -> Option<Value> {
    let (Value::Plain(text) | Value::Text(text)) = &node.value else {
        let message = format!("`{path}`: expected {}, got {}", expected(kind), kind_of(node));
        problems.error(&node.place, path, message);
        return None;
    };
    if kind.is_secret() {
        problems.hide(text);
    }
    let is_plain = matches!(node.value, Value::Plain(_));
    let read = match kind {
        Kind::Boolean => truth(text).map(Value::Boolean),
        Kind::Whole => match scalar(text) {
            Value::Integer(number) if is_plain => Some(Value::Integer(number)),
            _ => None,
        },
        Kind::Duration => duration::prometheus(text).map(|_| Value::Text(text.clone())),
        Kind::GoDuration => duration::go(text).map(|_| Value::Text(text.clone())),
        Kind::Address => is_address(text).then(|| Value::Text(text.clone())),
        Kind::SecretAddress => is_address(text).then(|| Value::Text(text.clone())),
        Kind::SecretTemplate => {
            (text.is_empty() || text.contains("{{") || is_address(text)).then(|| Value::Text(text.clone()))
        }
        Kind::HostPort => (text.is_empty() || is_host_port(text)).then(|| Value::Text(text.clone())),
        _ => Some(Value::Text(text.clone())),
    };
    if read.is_none() {
        let got = if kind.is_secret() { "(its value is not shown)".to_owned() } else { format!("got `{text}`") };
        let message = format!("`{path}`: expected {}, {got}", expected(kind)).replace(", (", " (");
        problems.error(&node.place, path, message);
        problems.settle(&node.place, path);
    }
    read
}

fn expected(kind: Kind) -> &'static str {
    match kind {
        Kind::Boolean => "`true` or `false`",
        Kind::Whole => "a whole number",
        Kind::Duration => "a duration such as `30s`, `5m` or `1h30m`",
        Kind::GoDuration => "a duration such as `10s` or `1m30s`",
        Kind::Address | Kind::SecretAddress => "an address that begins with `https://` or `http://`",
        Kind::SecretTemplate => "an address that begins with `https://` or `http://`, or a template of one",
        Kind::HostPort => "a host and a port such as `mail.example.org:587`",
        _ => "text",
    }
}

/// As YAML 1.1 knows it.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "y" => Some(true),
        "false" | "no" | "off" | "n" => Some(false),
        _ => None,
    }
}

fn is_address(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        !host.is_empty() && !text.contains(char::is_control) && !authority.contains(' ')
    })
}

fn is_host_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    !port.is_empty() && !port.contains(']') && (is_bracketed || !host.contains(':'))
}
