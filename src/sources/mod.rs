//! What every source is, and the list of all of them.
//!
//! A source turns the bytes of one request into events, or into changes. It is pure: no clock (the time of receipt
//! comes with the request), no IO, no state. Adding one is a new file here and two lines below:
//! its `mod` and its entry in [`SOURCES`]. The suite in `tests.rs` then covers it on arrival.

mod alertmanager;
mod argocd;
mod azure_monitor;
pub mod changes;
mod checkmk;
mod cloudevents;
mod datadog;
mod deployment;
mod draft;
mod dynatrace;
mod elastic;
mod fields;
mod gcp_monitoring;
pub mod generic;
mod github;
mod gitlab;
mod grafana;
mod icinga2;
pub mod json;
mod monitor_macros;
mod nagios;
mod newrelic;
pub mod prometheus;
mod prometheus_alert;
mod prtg;
mod sentry;
mod solarwinds;
mod splunk;
mod uptime_kuma;
mod zabbix;

use crate::error::{ConfigError, Table};
use crate::model::event::{self, Event, EventStatus};
use crate::model::{Change, ChangeState, Labels, Severity, Span, Timestamp, change};
use std::collections::BTreeMap;

/// Every source there is, by name.
pub const SOURCES: &[&SourceSpec] = &[
    &alertmanager::SPEC,
    &argocd::SPEC,
    &azure_monitor::SPEC,
    &changes::SPEC,
    &checkmk::SPEC,
    &cloudevents::SPEC,
    &datadog::SPEC,
    &dynatrace::SPEC,
    &elastic::SPEC,
    &gcp_monitoring::SPEC,
    &generic::SPEC,
    &github::SPEC,
    &gitlab::SPEC,
    &grafana::SPEC,
    &icinga2::SPEC,
    &nagios::SPEC,
    &newrelic::SPEC,
    &prometheus::SPEC,
    &prtg::SPEC,
    &sentry::SPEC,
    &solarwinds::SPEC,
    &splunk::SPEC,
    &uptime_kuma::SPEC,
    &zabbix::SPEC,
];

pub struct SourceSpec {
    /// The `kind` in the configuration and in `POST /in/<kind>`.
    pub name: &'static str,
    /// One line for `watchbell integrations`.
    pub title: &'static str,
    /// How to set up the sender, in Markdown.
    pub docs: &'static str,
    /// Bodies as real senders post them; a firing is followed by its resolve, a change by its next state.
    pub examples: &'static [&'static str],
    /// The answer that makes this sender try again later.
    pub overload: Overload,
    pub build: fn(&Table) -> Result<Box<dyn Source>, ConfigError>,
}

pub trait Source: Send + Sync {
    /// Reads one request. All or nothing: an error means that none of it was taken.
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError>;
}

/// What one request held, to be made durable together. Nothing at all is fine: a sender's test, or news that
/// concern nobody here.
#[derive(Clone, Debug, PartialEq)]
pub enum Parsed {
    Events(Vec<Event>),
    Changes(Vec<Change>),
    /// Some of a body whose sender would lose all of it over one of them: it never sends the same body again.
    Partly {
        events: Vec<Event>,
        refused: Vec<ParseError>,
    },
}

impl Parsed {
    pub fn len(&self) -> usize {
        match self {
            Self::Events(events) | Self::Partly { events, .. } => events.len(),
            Self::Changes(changes) => changes.len(),
        }
    }

    /// Ends among the events.
    pub fn count_resolved(&self) -> usize {
        match self {
            Self::Events(events) | Self::Partly { events, .. } => {
                events.iter().filter(|event| event.status == EventStatus::Resolved).count()
            }
            Self::Changes(_) => 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The events; none where it holds changes.
    pub fn into_events(self) -> Vec<Event> {
        match self {
            Self::Events(events) | Self::Partly { events, .. } => events,
            Self::Changes(_) => Vec::new(),
        }
    }

    /// The changes; none where it holds events.
    pub fn into_changes(self) -> Vec<Change> {
        match self {
            Self::Events(_) | Self::Partly { .. } => Vec::new(),
            Self::Changes(changes) => changes,
        }
    }

    /// Whether all of it is within the limits that hold for every source.
    ///
    /// # Errors
    /// Names the first field that is not.
    pub fn check_limits(&self) -> Result<(), ParseError> {
        match self {
            Self::Events(events) | Self::Partly { events, .. } => events.iter().try_for_each(check_limits),
            Self::Changes(changes) => changes.iter().try_for_each(check_change_limits),
        }
    }
}

impl From<Vec<Event>> for Parsed {
    fn from(events: Vec<Event>) -> Self {
        Self::Events(events)
    }
}

impl From<Vec<Change>> for Parsed {
    fn from(changes: Vec<Change>) -> Self {
        Self::Changes(changes)
    }
}

/// How to say "later" so that the sender listens (`monitors.md` of the vendors' real behaviour).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overload {
    /// 503: for senders that drop on any 4xx, as Alertmanager does, 429 included.
    ServiceUnavailable,
    /// 429 with `Retry-After`.
    TooManyRequests,
}

pub struct Inbound<'a> {
    /// Name of the source instance, `prod-zabbix`.
    pub source: &'a str,
    /// Lower case, without parameters: `application/json`.
    pub content_type: &'a str,
    pub body: &'a [u8],
    pub received_at: Timestamp,
}

/// What was wrong with a body: which field, what came, what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}`: expected {expected}, got {got}")]
pub struct ParseError {
    /// Path such as `alerts[3].labels.severity`, or `body`.
    pub field: String,
    /// Clipped, and safe to show to the sender.
    pub got: String,
    pub expected: String,
}

/// Characters of a received value that an error repeats.
const GOT_CHARS_MAX: usize = 80;
/// What an empty value is called, so that no error ends in nothing.
const EMPTY: &str = "an empty text";
/// Characters of a field's path; the names in it come from the sender.
const FIELD_CHARS_MAX: usize = 160;

impl ParseError {
    pub fn new(field: impl AsRef<str>, got: impl AsRef<str>, expected: impl Into<String>) -> Self {
        // A name that a sender left empty is not one to look for.
        let field = if field.as_ref().is_empty() { "body" } else { field.as_ref() };
        Self {
            field: clip(field, FIELD_CHARS_MAX),
            got: if got.as_ref().is_empty() { EMPTY.to_owned() } else { clip(got.as_ref(), GOT_CHARS_MAX) },
            expected: expected.into(),
        }
    }

    /// The same error seen from one level up: `labels` inside `alerts[3]` is `alerts[3].labels`.
    pub fn inside(self, path: &str) -> Self {
        let field = match self.field.as_str() {
            _ if path.is_empty() => self.field,
            "body" => path.to_owned(),
            field if field.starts_with('[') => clip(&format!("{path}{field}"), FIELD_CHARS_MAX),
            field => clip(&format!("{path}.{field}"), FIELD_CHARS_MAX),
        };
        Self { field, ..self }
    }
}

/// One line of at most `chars_max` characters, cut with a mark.
fn clip(text: &str, chars_max: usize) -> String {
    let mut clipped: String = text.chars().take(chars_max).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(chars_max).is_some() {
        clipped.push('…');
    }
    clipped
}

pub fn find(name: &str) -> Option<&'static SourceSpec> {
    SOURCES.iter().copied().find(|spec| spec.name == name)
}

/// Overrides of a source's severity words, `severities: { page: critical }` in its configuration.
pub type Severities = BTreeMap<String, Severity>;

/// A sender's clock may be ahead by this much before its events are refused.
const CLOCK_AHEAD_MAX_MS: i64 = 24 * 3_600_000;

/// How far ahead a change may be planned.
const PLANNED_AHEAD_MAX_MS: i64 = 366 * 24 * 3_600_000;

/// Other names and parents of one item.
const NAMES_MAX: usize = 64;

/// Checks what holds for the events of every source: limits of labels and texts, sane times. The
/// fields in its errors are the event's; [`ParseError::inside`] says where the event stands.
pub fn check_limits(event: &Event) -> Result<(), ParseError> {
    if event.at.as_millis() > event.received_at.as_millis() + CLOCK_AHEAD_MAX_MS {
        return Err(ParseError::new("at", event.at.to_string(), "a time not more than 24 h ahead of ours"));
    }
    let required = [("name", event.name.as_str()), ("dedup_key", &event.dedup_key), ("id", &event.id)];
    let optional = [("configuration_item", &event.configuration_item), ("service", &event.service)];
    for (field, text) in required.into_iter().chain(optional.into_iter().filter_map(|(f, t)| Some((f, t.as_deref()?))))
    {
        if text.is_empty() || text.len() > event::NAME_BYTES_MAX {
            return Err(out_of_range(field, text.len(), 1, event::NAME_BYTES_MAX));
        }
    }
    for (field, text) in [("url", &event.url), ("author", &event.author), ("note", &event.note)] {
        if let Some(text) = text
            && text.len() > event::TEXT_BYTES_MAX
        {
            return Err(out_of_range(field, text.len(), 0, event::TEXT_BYTES_MAX));
        }
    }
    for (field, names) in [("aliases", &event.aliases), ("parents", &event.parents)] {
        if names.len() > NAMES_MAX {
            return Err(ParseError::new(field, format!("{} names", names.len()), format!("at most {NAMES_MAX} names")));
        }
        if let Some(name) = names.iter().find(|name| name.is_empty() || name.len() > event::NAME_BYTES_MAX) {
            return Err(out_of_range(field, name.len(), 1, event::NAME_BYTES_MAX));
        }
    }
    check_labels("labels", &event.labels, event::LABEL_VALUE_BYTES_MAX)?;
    check_labels("annotations", &event.annotations, event::TEXT_BYTES_MAX)
}

/// The same for the changes of every source; each must say what it altered.
pub fn check_change_limits(change: &Change) -> Result<(), ParseError> {
    let (ahead_max_ms, expected) = match change.state {
        ChangeState::Planned => (PLANNED_AHEAD_MAX_MS, "a time not more than a year ahead of ours"),
        _ => (CLOCK_AHEAD_MAX_MS, "a time not more than 24 h ahead of ours"),
    };
    if change.state_at() > change.received_at + Span::from_millis(ahead_max_ms) {
        return Err(ParseError::new("at", change.state_at().to_string(), expected));
    }
    if change.configuration_item.is_none() && change.service.is_none() {
        return Err(ParseError::new(
            "configuration_item",
            "nothing",
            "the name of what was altered, here or as `service`",
        ));
    }
    let names = [
        ("id", Some(&change.id)),
        ("configuration_item", change.configuration_item.as_ref()),
        ("service", change.service.as_ref()),
        ("reference", change.reference.as_ref()),
        ("author", change.author.as_ref()),
    ];
    for (field, text) in names.into_iter().filter_map(|(field, text)| Some((field, text?))) {
        if text.is_empty() || text.len() > change::NAME_BYTES_MAX {
            return Err(out_of_range(field, text.len(), 1, change::NAME_BYTES_MAX));
        }
    }
    for (field, text) in [("summary", Some(&change.summary)), ("url", change.url.as_ref())] {
        if let Some(text) = text.filter(|text| text.len() > change::TEXT_BYTES_MAX) {
            return Err(out_of_range(field, text.len(), 0, change::TEXT_BYTES_MAX));
        }
    }
    Ok(())
}

fn check_labels(field: &str, labels: &Labels, value_bytes_max: usize) -> Result<(), ParseError> {
    if labels.len() > event::LABELS_MAX {
        let expected = format!("at most {} entries", event::LABELS_MAX);
        return Err(ParseError::new(field, format!("{} entries", labels.len()), expected));
    }
    for (name, value) in labels.iter() {
        if name.is_empty() || name.len() > event::LABEL_NAME_BYTES_MAX {
            let expected = format!("names of 1 to {} bytes", event::LABEL_NAME_BYTES_MAX);
            return Err(ParseError::new(field, format!("a name of {} bytes", name.len()), expected));
        }
        if value.len() > value_bytes_max {
            return Err(out_of_range(&format!("{field}.{name}"), value.len(), 0, value_bytes_max));
        }
    }
    Ok(())
}

fn out_of_range(field: &str, bytes: usize, min: usize, max: usize) -> ParseError {
    ParseError::new(field, format!("{bytes} bytes"), format!("{min} to {max} bytes"))
}

/// A link that is safe to show: `http` or `https`, without blanks and control characters. Anything
/// else (`javascript:`, a relative path) is no link for whoever reads the notification.
fn is_http_url(text: &str) -> bool {
    let has_scheme = |scheme: &str| text.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme));
    (has_scheme("http://") || has_scheme("https://")) && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// Adds another name of an item, unless it says nothing: prose, or an address that each host has.
fn push_alias(aliases: &mut Vec<String>, item: &str, name: Option<&str>) {
    let Some(name) = name.filter(|name| !name.is_empty() && !name.contains(char::is_whitespace)) else { return };
    let is_shared = match name.parse::<std::net::IpAddr>() {
        Ok(address) => address.is_loopback() || address.is_unspecified(),
        Err(_) => name.eq_ignore_ascii_case("localhost"),
    };
    if !is_shared && name != item && !aliases.iter().any(|alias| alias == name) {
        aliases.push(name.to_owned());
    }
}

#[cfg(test)]
mod tests;
