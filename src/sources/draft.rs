//! An event in the making: what the sources of single vendors do alike once they know what a body says.
//!
//! Decides what a blank event is, how a vendor's words, tags and times are taken over, and what an observation's
//! id is made from. Never knows a vendor.

use super::fields::clipped;
use super::{Inbound, ParseError, Severities, check_limits};
use crate::model::event::{LABEL_NAME_BYTES_MAX, LABEL_VALUE_BYTES_MAX, NAME_BYTES_MAX};
use crate::model::{Event, EventStatus, Fingerprint, Labels, Severity, Span, Timestamp};
use std::collections::BTreeMap;

/// A time further ahead of ours than this comes from a clock that cannot be believed.
const AHEAD_MAX: Span = Span::from_mins(5);

/// Tags of a sender that become labels; what is beyond stays under `extra`, because no alert is lost over them.
const TAGS_MAX: usize = 40;

/// What a sender hangs on its alerts: names and values, in its order.
pub type Tags = Vec<(String, String)>;

/// An event that says only where it came from and when.
pub fn blank(inbound: &Inbound<'_>) -> Event {
    Event {
        id: String::new(),
        at: inbound.received_at,
        received_at: inbound.received_at,
        source: inbound.source.to_owned(),
        status: EventStatus::Firing,
        name: String::new(),
        dedup_key: String::new(),
        severity: Severity::Info,
        configuration_item: None,
        service: None,
        labels: Labels::new(),
        annotations: Labels::new(),
        url: None,
        expires_at: None,
        is_end_assumed: false,
        started_at: None,
        aliases: Vec::new(),
        parents: Vec::new(),
        marker: None,
        author: None,
        note: None,
        extra: BTreeMap::new(),
    }
}

/// Gives the event its id and checks it. `said` tells this observation from others of the same condition: what comes
/// again when the sender tries again, and nothing else.
pub fn finish(mut event: Event, said: &[&str]) -> Result<Event, ParseError> {
    let condition = [event.source.as_str(), event.dedup_key.as_str(), event.status.as_str()];
    event.id = Fingerprint::of(condition.into_iter().chain(said.iter().copied())).to_string();
    event.name = clipped(&event.name, NAME_BYTES_MAX);
    check_limits(&event)?;
    Ok(event)
}

/// The sender's time, or ours where it has none or cannot be believed.
pub fn believed(at: Option<Timestamp>, inbound: &Inbound<'_>) -> Timestamp {
    at.filter(|at| *at <= inbound.received_at + AHEAD_MAX).unwrap_or(inbound.received_at)
}

/// What one of a vendor's own words means, in any case; another one is an error that names those we know.
pub fn meaning<T: Copy>(field: &str, word: &str, known: &[(&str, T)]) -> Result<T, ParseError> {
    let found = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    found.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        ParseError::new(field, word, one_of(&names))
    })
}

/// The same of a word for how bad it is; the operator's table counts first.
pub fn severity(
    field: &str,
    word: &str,
    configured: &Severities,
    known: &[(&str, Severity)],
) -> Result<Severity, ParseError> {
    configured_severity(word, configured).map_or_else(|| meaning(field, word, known), Ok)
}

/// What the operator's table says of a word.
pub fn configured_severity(word: &str, configured: &Severities) -> Option<Severity> {
    configured.iter().find(|(name, _)| name.eq_ignore_ascii_case(word)).map(|(_, severity)| *severity)
}

fn one_of(names: &[&str]) -> String {
    match names {
        [others @ .., last] if !others.is_empty() => format!("`{}` or `{last}`", others.join("`, `")),
        names => format!("`{}`", names.concat()),
    }
}

/// Adds a label that says something.
pub fn label(event: &mut Event, name: &str, value: Option<&str>) {
    if let Some(value) = value.filter(|value| !value.is_empty()) {
        event.labels.insert(name, clipped(value, LABEL_VALUE_BYTES_MAX));
    }
}

/// Adds a text for people that says something.
pub fn annotation(event: &mut Event, name: &str, text: Option<String>) {
    if let Some(text) = text.filter(|text| !text.is_empty()) {
        event.annotations.insert(name, text);
    }
}

/// Takes a sender's tags over as labels. A name that comes twice keeps both values.
pub fn tags(event: &mut Event, pairs: impl IntoIterator<Item = (String, String)>) {
    let mut tags = BTreeMap::<String, String>::new();
    for (name, value) in pairs {
        let name = clipped(name.trim(), LABEL_NAME_BYTES_MAX);
        if name.is_empty() {
            continue;
        }
        let together = match tags.get(&name) {
            Some(other) if *other != value && !other.is_empty() => format!("{other},{value}"),
            _ => value,
        };
        tags.insert(name, clipped(&together, LABEL_VALUE_BYTES_MAX));
    }
    let mut beyond = serde_json::Map::new();
    for (index, (name, value)) in tags.into_iter().enumerate() {
        if index < TAGS_MAX {
            event.labels.insert(name, value);
        } else {
            beyond.insert(name, value.into());
        }
    }
    if !beyond.is_empty() {
        event.extra.insert("more_tags".to_owned(), beyond.into());
    }
}

/// Tags in one text, `env:prod, team:web, urgent`.
pub fn split_tags(text: &str) -> Tags {
    let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
    words
        .map(|word| {
            let (name, value) = word.split_once(':').unwrap_or((word, "true"));
            (name.trim().to_owned(), value.trim().to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inbound<'a>() -> Inbound<'a> {
        let received_at = "2026-11-21T05:45:40Z".parse().unwrap();
        Inbound { source: "x", content_type: "application/json", body: b"", received_at }
    }

    #[test]
    fn an_unknown_word_is_answered_with_those_that_are_known() {
        let known = [("Sev0", Severity::Critical), ("Sev1", Severity::Major), ("Sev2", Severity::Minor)];
        assert_eq!(meaning("severity", "sev1", &known), Ok(Severity::Major));
        insta::assert_snapshot!(meaning("severity", "Sev9", &known).unwrap_err(), @"`severity`: expected `Sev0`, `Sev1` or `Sev2`, got Sev9");
        insta::assert_snapshot!(meaning("severity", "", &known[..1]).unwrap_err(), @"`severity`: expected `Sev0`, got an empty text");
        let configured = Severities::from([("sev9".to_owned(), Severity::Info)]);
        assert_eq!(severity("severity", "Sev9", &configured, &known), Ok(Severity::Info));
    }

    #[test]
    fn many_tags_cost_no_alert() {
        let mut event = blank(&inbound());
        event.name = "x".to_owned();
        event.dedup_key = "x".to_owned();
        let many = (0..200).map(|number| (format!("tag{number:03}"), "y".repeat(5_000)));
        tags(&mut event, many.chain([("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())]));
        assert_eq!((event.labels.len(), event.labels.get("a")), (TAGS_MAX, Some("1,2")));
        assert_eq!(event.extra["more_tags"].as_object().unwrap().len(), 201 - TAGS_MAX);
        assert!(finish(event, &[]).is_ok());
    }

    #[test]
    fn a_clock_that_is_ahead_is_not_believed() {
        let inbound = inbound();
        let at = |ahead: Span| believed(Some(inbound.received_at + ahead), &inbound).to_string();
        assert_eq!(at(Span::from_mins(5)), "2026-11-21T05:50:40.000Z");
        assert_eq!(at(Span::from_mins(6)), "2026-11-21T05:45:40.000Z");
    }
}
