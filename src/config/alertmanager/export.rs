//! A translated `alertmanager.yml` as a file of ours. Decides how it reads; that it loads to the same policy is a
//! promise with a test.

use std::path::Path;

use super::super::problem::{Place, Problem};
use super::super::validate::Kinds;
use super::super::yaml::{Node, Value};
use super::super::yaml_text::{self, COMMENT};
use super::{Files, TranslatedReceiver, Translation, integrations, judge};
use crate::engine::policy::{InhibitRule, Route};
use crate::model::time_interval::{months_text, numbers_text, time_text, weekdays_text};
use crate::model::{Matcher, Span, TimeInterval};

/// What `watchbell import` writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    pub yaml: String,
    pub warnings: Vec<Problem>,
    /// Keys that hold a secret themselves, by their path in the new file.
    pub inline_secrets: Vec<String>,
    pub receivers: usize,
    pub sinks: usize,
}

/// Writes the equivalent of an `alertmanager.yml`.
///
/// # Errors
/// Everything that keeps it from being loaded.
pub fn export(path: &Path) -> Result<Exported, Vec<Problem>> {
    export_with(path, &Kinds::installed())
}

pub(in super::super) fn export_with(path: &Path, kinds: &Kinds) -> Result<Exported, Vec<Problem>> {
    let (translation, configuration) = judge(path, kinds, Files::Wanted)?;
    let mut inline_secrets = Vec::new();
    for receiver in &translation.receivers {
        for (index, sink) in receiver.sinks.iter().enumerate() {
            let path = format!("receivers.{}.sinks[{index}]", receiver.name);
            if let Some(integration) = integrations::find(sink.kind) {
                integrations::inline_secrets(&sink.node, integration.keys, &path, &mut inline_secrets);
            }
        }
    }
    Ok(Exported {
        yaml: write(path, &translation),
        warnings: configuration.warnings,
        inline_secrets,
        receivers: translation.receivers.len(),
        sinks: translation.receivers.iter().map(|receiver| receiver.sinks.len()).sum(),
    })
}

fn text(text: impl Into<String>) -> Node {
    node(Value::Text(text.into()))
}

fn node(value: Value) -> Node {
    Node { place: Place::BuiltIn, value }
}

fn list<T>(items: &[T], write: impl Fn(&T) -> Node) -> Node {
    node(Value::List(items.iter().map(write).collect()))
}

/// A map that grows; what is empty is left out.
#[derive(Default)]
struct Map(Vec<(String, Node)>);

impl Map {
    fn comment(&mut self, words: &str) {
        self.put(COMMENT, text(words));
    }

    fn put(&mut self, key: &str, value: Node) {
        self.0.push((key.to_owned(), value));
    }

    fn put_list<T>(&mut self, key: &str, items: &[T], write: impl Fn(&T) -> Node) {
        if !items.is_empty() {
            self.put(key, list(items, write));
        }
    }

    fn put_span(&mut self, key: &str, span: Option<Span>) {
        if let Some(span) = span {
            self.put(key, text(span.to_string()));
        }
    }

    fn done(self) -> Node {
        node(Value::Map(self.0))
    }
}

fn write(path: &Path, translation: &Translation) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut sections = vec![head(&name)];
    let mut add = |words: &str, key: &str, value: Node| {
        let mut section = Map::default();
        section.comment(words);
        section.put(key, value);
        sections.push(section);
    };
    let mut source = Map::default();
    source.put("kind", text("prometheus"));
    source.put("resolve_timeout", text(translation.resolve_timeout.to_string()));
    let mut sources = Map::default();
    sources.put("prometheus", source.done());
    add("Prometheus needs no other address: it sends to /api/v2/alerts here too.", "sources", sources.done());
    let templates = translation.templates.get("templates").map_or(&[][..], Node::items);
    if !templates.is_empty() {
        add("Go templates that the texts below call.", "templates", list(templates, |node| text(absolute(node))));
    }
    if !translation.time_intervals.is_empty() {
        let mut named = Map::default();
        for (name, intervals) in &translation.time_intervals {
            named.put(name, list(intervals, interval));
        }
        add("Times at which routes are mute or active.", "time_intervals", named.done());
    }
    add("Each alert goes down to the first route that fits.", "route", route(&translation.route));
    if !translation.inhibit_rules.is_empty() {
        let rules = list(&translation.inhibit_rules, inhibit_rule);
        add("What is muted while something else fires.", "inhibit_rules", rules);
    }
    let mut receivers = Map::default();
    for receiver in &translation.receivers {
        receivers.put(&receiver.name, sinks(receiver));
    }
    if !receivers.0.is_empty() {
        let words = "Alertmanager's own keys, with what it took from `global`; `allow_private` since it had no guard\n\
                     against addresses inside. Sinks of Watchbell's own kinds may stand beside them.";
        add(words, "receivers", receivers.done());
    }
    let written = sections.into_iter().map(|section| yaml_text::write(&escaped(section.done())));
    written.collect::<Vec<_>>().join("\n")
}

fn head(name: &str) -> Map {
    let mut head = Map::default();
    head.comment(&format!("Made of {name} by `watchbell import alertmanager`."));
    let mut words = Map::default();
    words.0.append(&mut head.0);
    words.comment(
        "People are told of groups of alerts, as Alertmanager makes them. `notify_by: incident` tells them of\n\
         incidents with their cause instead; `group_by` has no place then.",
    );
    words.put("notify_by", text("group"));
    words
}

/// `${` and `$$` would mean something in a file of ours.
fn escaped(tree: Node) -> Node {
    let value = match tree.value {
        Value::Text(text) if text.contains('$') => Value::Text(escaped_text(&text)),
        Value::List(items) => Value::List(items.into_iter().map(escaped).collect()),
        Value::Map(entries) => Value::Map(entries.into_iter().map(|(name, node)| (name, escaped(node))).collect()),
        other => other,
    };
    Node { place: tree.place, value }
}

fn escaped_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(c);
        if c == '$' && chars.peek().is_some_and(|next| matches!(next, '$' | '{')) {
            out.push('$');
        }
    }
    out
}

/// The file that a text of the old file names, from wherever the new one will stand.
fn absolute(node: &Node) -> String {
    let path = super::super::layers::resolve(node.text().unwrap_or_default(), &node.place);
    std::path::absolute(&path).unwrap_or(path).display().to_string()
}

fn interval(interval: &TimeInterval) -> Node {
    let mut map = Map::default();
    map.put_list("times", &interval.times, |(start, end)| {
        let mut times = Map::default();
        times.put("start_time", text(time_text(*start)));
        times.put("end_time", text(time_text(*end)));
        times.done()
    });
    map.put_list("weekdays", &interval.weekdays, |range| text(weekdays_text(*range)));
    map.put_list("days_of_month", &interval.days_of_month, |range| text(numbers_text(*range)));
    map.put_list("months", &interval.months, |range| text(months_text(*range)));
    map.put_list("years", &interval.years, |range| text(numbers_text(*range)));
    if let Some(location) = &interval.location {
        map.put("location", text(location));
    }
    map.done()
}

fn matcher(matcher: &Matcher) -> Node {
    text(matcher.to_string())
}

fn route(given: &Route) -> Node {
    let mut map = Map::default();
    if let Some(receiver) = &given.receiver {
        map.put("receiver", text(receiver));
    }
    map.put_list("matchers", &given.matchers, matcher);
    if given.continues {
        map.put("continue", node(Value::Boolean(true)));
    }
    if let Some(labels) = &given.group_by {
        map.put("group_by", list(labels, |label| text(label)));
    }
    map.put_span("group_wait", given.group_wait);
    map.put_span("group_interval", given.group_interval);
    map.put_span("repeat_interval", given.repeat_interval);
    map.put_list("mute_time_intervals", &given.mute_time_intervals, |name| text(name));
    map.put_list("active_time_intervals", &given.active_time_intervals, |name| text(name));
    map.put_list("routes", &given.routes, route);
    map.done()
}

fn inhibit_rule(rule: &InhibitRule) -> Node {
    let mut map = Map::default();
    map.put_list("source_matchers", &rule.source_matchers, matcher);
    map.put_list("target_matchers", &rule.target_matchers, matcher);
    map.put_list("equal", &rule.equal, |label| text(label));
    map.done()
}

fn sinks(receiver: &TranslatedReceiver) -> Node {
    let mut map = Map::default();
    map.put("sinks", list(&receiver.sinks, |sink| with_absolute_files(&sink.node)));
    map.done()
}

fn with_absolute_files(tree: &Node) -> Node {
    let Value::Map(entries) = &tree.value else { return tree.clone() };
    let entries = entries.iter().map(|(name, value)| {
        let written = match &value.value {
            Value::Map(_) => with_absolute_files(value),
            Value::Text(_) if name.ends_with("_file") => text(absolute(value)),
            Value::List(files) if name == "files" => list(files, |file| text(absolute(file))),
            _ => value.clone(),
        };
        (name.clone(), written)
    });
    node(Value::Map(entries.collect()))
}
