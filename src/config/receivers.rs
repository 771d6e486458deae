//! The `receivers` section: named destinations, each with one sink or more and perhaps a fallback. The
//! keys of each chat or ITSM system belong to its own file under `sinks/`.

use serde::Deserialize;
use std::collections::BTreeMap;

use super::problem::{Place, Problems, is_unseen};
use super::read::{Reading, entries, is_map, items, join, read, read_with};
use super::references::Names;
use super::schedules::check_time_zone;
use super::schema::{SINK_GIVE_UP_AFTER, SINK_TIMEOUT, SinkSettings};
use super::sources;
use super::validate::{Context, check_name, check_not_reserved, check_span};
use super::yaml::{Node, Value};
use crate::engine::policy::{LOG_RECEIVER, NotifyBy, Receiver};
use crate::error::{Table, read_table};
use crate::model::Span;
use crate::render::Language;
use crate::sinks::{Rate, Setting};

/// Keys of every sink.
pub(super) const KEYS: [&str; 9] =
    ["kind", "name", "allow_private", "timeout", "rate", "give_up_after", "language", "time_zone", "send_resolved"];
/// Kind of the sink that exists without configuration.
const LOG_KIND: &str = "log";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ReceiverKeys {
    sinks: serde::de::IgnoredAny,
    fallback: Option<String>,
    loud_per_minute_max: u32,
}

#[derive(Deserialize)]
struct SinkKeys {
    name: Option<String>,
    #[serde(default)]
    allow_private: bool,
    timeout: Option<Span>,
    rate: Option<RateKeys>,
    give_up_after: Option<Span>,
    language: Option<Language>,
    time_zone: Option<String>,
    send_resolved: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RateKeys {
    count: u32,
    per: Span,
}

pub(super) type Sinks = BTreeMap<String, SinkSettings>;

pub(super) fn read_all(
    root: &Node,
    setting: &Setting,
    names: &Names,
    context: &mut Context<'_>,
) -> (BTreeMap<String, Receiver>, Sinks) {
    let (mut receivers, mut sinks) = (BTreeMap::new(), Sinks::new());
    for (name, node) in entries(root, "receivers", &mut context.problems) {
        let path = join("receivers", name);
        match context.notify_by {
            NotifyBy::Incident => check_name(name, "got the name", &path, &node.place, &mut context.problems),
            NotifyBy::Group => check_any_name(name, &path, &node.place, &mut context.problems),
        }
        check_not_reserved(name, &path, &node.place, &mut context.problems);
        receivers.insert(name.clone(), read_one(name, node, &path, setting, names, &mut sinks, context));
    }
    check_fallback_cycles(root, &receivers, &mut context.problems);
    add_log(&mut receivers, &mut sinks, setting);
    (receivers, sinks)
}

/// The receiver that exists without configuration.
pub(super) fn add_log(receivers: &mut BTreeMap<String, Receiver>, sinks: &mut Sinks, setting: &Setting) {
    if !receivers.contains_key(LOG_RECEIVER) {
        let sink = format!("{LOG_RECEIVER}/{LOG_KIND}");
        receivers.insert(LOG_RECEIVER.to_owned(), Receiver { sinks: vec![sink.clone()], ..Receiver::default() });
        sinks.insert(sink, log_sink(setting));
    }
}

/// Characters of a receiver's name where Alertmanager's users have chosen it.
const ANY_NAME_CHARS_MAX: usize = 256;

/// Alertmanager takes any text for a name.
pub(super) fn check_any_name(name: &str, path: &str, place: &Place, problems: &mut Problems) {
    if name.is_empty() || name.chars().count() > ANY_NAME_CHARS_MAX {
        let message = format!("`{path}`: expected a name of 1 to {ANY_NAME_CHARS_MAX} characters");
        problems.error(place, path, message);
    }
}

/// `ops/slack`, printable whatever the receiver is called, and of that receiver only.
pub(super) fn sink_name(receiver: &str, short: &str) -> String {
    let mut name = String::with_capacity(receiver.len() + short.len() + 1);
    for c in receiver.chars() {
        match is_unseen(c) || c == '\\' {
            true => name.extend(c.escape_default()),
            false => name.push(c),
        }
    }
    format!("{name}/{short}")
}

/// `slack`, and `slack-2` for the second of a receiver.
pub(super) fn short_name(kind: &str, of_kind: &mut BTreeMap<String, u32>) -> String {
    let kind = kind.strip_prefix(ALERTMANAGER_PREFIX).unwrap_or(kind);
    let count = of_kind.entry(kind.to_owned()).or_default();
    *count += 1;
    if *count > 1 { format!("{kind}-{count}") } else { kind.to_owned() }
}

fn log_sink(setting: &Setting) -> SinkSettings {
    SinkSettings {
        kind: LOG_KIND.to_owned(),
        receiver: LOG_RECEIVER.to_owned(),
        table: Table::new(),
        allow_private: false,
        timeout: SINK_TIMEOUT,
        rate: None,
        give_up_after: SINK_GIVE_UP_AFTER,
        language: setting.language,
        time_zone: setting.time_zone.clone(),
    }
}

pub(super) fn read_one(
    name: &str,
    node: &Node,
    path: &str,
    setting: &Setting,
    names: &Names,
    sinks: &mut Sinks,
    context: &mut Context<'_>,
) -> Receiver {
    let problems = &mut context.problems;
    let keys: ReceiverKeys = read(node, path, problems).unwrap_or_default();
    if let Some(fallback) = &keys.fallback {
        names.check_receiver(fallback, node.place_of("fallback"), &join(path, "fallback"), problems);
    }
    let list = items(node, "sinks", path, problems);
    let given = node.get("sinks").map(|node| &node.value);
    // A receiver that hears nothing is how one mutes a route in Alertmanager.
    let is_deliberate = context.notify_by == NotifyBy::Group && matches!(given, Some(Value::List(_)));
    if list.is_empty() && !is_deliberate && given.is_none_or(|value| matches!(value, Value::List(_))) {
        let message = format!("`{path}.sinks`: expected at least one sink");
        problems.error(node.place_of("sinks"), join(path, "sinks"), message);
    }
    let mut receiver =
        Receiver { fallback: keys.fallback, loud_per_minute_max: keys.loud_per_minute_max, ..Receiver::default() };
    let mut of_kind: BTreeMap<String, u32> = BTreeMap::new();
    for (index, node) in list.iter().enumerate() {
        let path = format!("{path}.sinks[{index}]");
        let Some((given, kind)) = sink_kind(node, &path, context) else { continue };
        let numbered = short_name(&kind, &mut of_kind);
        let full = sink_name(name, &given.unwrap_or(numbered));
        if receiver.sinks.contains(&full) {
            let message = format!("`{path}`: there is another sink with the name `{full}`");
            context.problems.error(node.place_of("name"), join(&path, "name"), message).hint =
                Some("give one of them another `name`".to_owned());
        }
        let setting = Setting { sink: full.clone(), ..setting.clone() };
        if let Some((sink, is_told_of_ends)) = sink(node, &path, name, kind, setting, context) {
            if !is_told_of_ends {
                receiver.without_resolved.push(full.clone());
            }
            sinks.insert(full.clone(), sink);
        }
        receiver.sinks.push(full);
    }
    receiver
}

/// The given name and the kind of a sink; nothing when it is of no known kind.
fn sink_kind(node: &Node, path: &str, context: &mut Context<'_>) -> Option<(Option<String>, String)> {
    let problems = &mut context.problems;
    if !is_map(node, path, problems) {
        return None;
    }
    let kind = sources::kind(node, path, "sink", &context.kinds.sinks, problems)?;
    let given = node.get("name").and_then(Node::text).map(str::to_owned);
    if let Some(given) = &given {
        check_name(given, "got the name", &join(path, "name"), node.place_of("name"), problems);
    }
    Some((given, kind))
}

/// Reads one sink, and whether it is told of ends.
pub(super) fn sink(
    node: &Node,
    path: &str,
    receiver: &str,
    kind: String,
    setting: Setting,
    context: &mut Context<'_>,
) -> Option<(SinkSettings, bool)> {
    let problems = &mut context.problems;
    let (common, own) = split(node, &kind);
    let reading = Reading { is_secret: true, other_keys: &KEYS };
    let keys: Option<SinkKeys> = read_with(&common, path, reading, problems, read_table);
    let language = keys.as_ref().and_then(|keys| keys.language).unwrap_or(setting.language);
    let time_zone = keys.as_ref().and_then(|keys| keys.time_zone.clone()).unwrap_or(setting.time_zone);
    check_time_zone(&time_zone, node, path, "time_zone", problems);
    let setting = Setting { language, time_zone, ..setting };
    let allow_private = keys.as_ref().is_some_and(|keys| keys.allow_private);
    let check = |table: &Table| (context.kinds.check_sink)(&kind, table, &setting, allow_private);
    read_with(&own, path, reading, problems, check);
    let keys = keys?;
    // The name was read before; here it was only checked to be text.
    drop(keys.name);
    let timeout = keys.timeout.unwrap_or(SINK_TIMEOUT);
    check_span(node, path, "timeout", timeout, Span::from_secs(1), Span::from_mins(10), problems);
    let give_up_after = keys.give_up_after.unwrap_or(SINK_GIVE_UP_AFTER);
    check_span(node, path, "give_up_after", give_up_after, Span::from_secs(1), Span::from_hours(30 * 24), problems);
    let settings = SinkSettings {
        kind,
        receiver: receiver.to_owned(),
        table: own.to_table(),
        allow_private: keys.allow_private,
        timeout,
        rate: keys.rate.and_then(|rate| self::rate(node, path, &rate, problems)),
        give_up_after,
        language,
        time_zone: setting.time_zone,
    };
    Some((settings, keys.send_resolved.unwrap_or(true)))
}

/// Kinds that have the same keys as the receivers of an `alertmanager.yml`.
pub(super) const ALERTMANAGER_PREFIX: &str = "alertmanager_";

/// The keys of every sink, and those of its kind. Alertmanager's know some of the former themselves.
fn split(node: &Node, kind: &str) -> (Node, Node) {
    let (common, mut own) = node.split(&KEYS);
    let Some(kind) = kind.strip_prefix(ALERTMANAGER_PREFIX) else { return (common, own) };
    let has_timeout = ["webhook", "slack", "pagerduty"].contains(&kind);
    let shared =
        common.entries().iter().filter(|(name, _)| name == "send_resolved" || name == "timeout" && has_timeout);
    if let Value::Map(entries) = &mut own.value {
        entries.extend(shared.cloned());
    }
    (common, own)
}

fn rate(node: &Node, path: &str, keys: &RateKeys, problems: &mut Problems) -> Option<Rate> {
    let per_ms = u64::try_from(keys.per.as_millis()).unwrap_or(0);
    if keys.count == 0 || per_ms == 0 {
        let path = join(path, "rate");
        let message = format!("`{path}`: expected `count` of 1 or more `per` a time above 0");
        problems.error(node.place_of("rate"), path, message);
        return None;
    }
    Some(Rate { count: keys.count, per_ms })
}

/// Reports each ring of fallbacks once, at its first member by name.
fn check_fallback_cycles(root: &Node, receivers: &BTreeMap<String, Receiver>, problems: &mut Problems) {
    let next = |name: &str| receivers.get(name).and_then(|receiver| receiver.fallback.as_deref());
    for start in receivers.keys() {
        let mut ring = vec![start.as_str()];
        while let Some(name) = ring.last().and_then(|name| next(name)) {
            if name == start {
                let path = format!("receivers.{start}.fallback");
                let place =
                    root.get("receivers").and_then(|node| node.get(start)).map(|node| node.place_of("fallback"));
                let message = format!("`{path}`: fallbacks go in a circle: {} -> {start}", ring.join(" -> "));
                problems.error(place.unwrap_or(&root.place), path, message);
                break;
            }
            // A ring further on, or one that a smaller name has reported.
            if ring.contains(&name) || name < start.as_str() {
                break;
            }
            ring.push(name);
        }
    }
}
