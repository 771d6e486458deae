//! Anything else: the normalized event itself, as the journal and `replay` write it.
//!
//! Decides what may be left out (id, dedup key, severity, time) and how it is then made; what nobody
//! asked for is kept under `extra`. Never believes a `source` in the body: the instance's name counts.
//! A body is one object, an array of them, or JSON Lines.
//!
//! ```text
//! {"status":"firing","name":"Disk full","configuration_item":"db-3","severity":"critical","labels":{"site":"fra1"}}
//! ```

use super::fields::{self, Fields};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, check_limits};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::Marker;
use crate::model::{Event, EventStatus, Fingerprint, Labels, Severity};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

pub const SPEC: SourceSpec = SourceSpec {
    name: "generic",
    title: "Any sender of JSON (the normalized event)",
    docs: DOCS,
    examples: &[FIRING, RESOLVED, ARRAY, LINES],
    overload: Overload::TooManyRequests,
    build,
};

const DOCS: &str = r#"For scripts and systems without a source of their own:

```
curl -H 'Content-Type: application/json' http://127.0.0.1:9494/in/generic \
  -d '{"status":"firing","name":"Backup failed","configuration_item":"db-3","severity":"major"}'
curl -H 'Content-Type: application/json' http://127.0.0.1:9494/in/generic \
  -d '{"status":"resolved","name":"Backup failed","configuration_item":"db-3"}'
```

The body is one object, an array of them, or JSON Lines (`application/x-ndjson`, `application/jsonl`).

| field | default | meaning |
|---|---|---|
| `status` | required | `firing`, `resolved`, `acknowledged` or `commented` |
| `name` | required | what is wrong, without where: `Disk full` |
| `severity` | label `severity`, or `warning` | `critical`, `major`, `minor`, `warning` or `info` |
| `configuration_item`, `service` | | where; the business service |
| `labels`, `annotations` | | objects of strings; `summary`, `description` and `runbook_url` are annotations |
| `dedup_key` | from name, item and labels | identity: a resolve needs that of its firing |
| `id` | from the event and its time | identity of this one observation; a repeated id is taken once |
| `at` | time of receipt | RFC 3339 |
| `expires_at` | | over by itself then, unless it is sent again |
| `url` | | `http` or `https` link back |
| `aliases`, `parents` | | arrays: other names of the item; items that it depends on |
| `author`, `note`, `marker` | | who said what; `soft`, `downtime_started`, … |

Other fields are kept under `extra`. Without a `dedup_key` send the same name, item and labels with the
resolve as with the firing.

| key | default | meaning |
|---|---|---|
| `severities` | | the sender's own words: `{ P1: critical, red: major }` |
"#;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities } = read_table(table)?;
    Ok(Box::new(Generic { severities }))
}

pub(super) struct Generic {
    pub(super) severities: Severities,
}

impl Source for Generic {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let events = fields::objects(inbound)?
            .into_iter()
            .map(|(path, fields)| self.event(inbound, fields).map_err(|error| error.inside(&path)));
        Ok(events.collect::<Result<Vec<_>, _>>()?.into())
    }
}

/// A recorded event, which brings its source and the time of its receipt.
///
/// # Errors
/// When a field is missing or not what it should be.
pub fn recorded(value: Value) -> Result<Event, ParseError> {
    let (source, received_at) = fields::origin(&value, SPEC.name)?;
    let inbound = Inbound { source: &source, content_type: "application/json", body: &[], received_at };
    Generic { severities: Severities::default() }.event(&inbound, Fields::of(value)?)
}

impl Generic {
    pub(super) fn event(&self, inbound: &Inbound<'_>, mut fields: Fields) -> Result<Event, ParseError> {
        let canonical = fields.canonical();
        let status = fields.take("status")?;
        let status: EventStatus =
            fields::required(status, "status", "`firing`, `resolved`, `acknowledged` or `commented`")?;
        let name: String = fields::required(fields.text("name")?, "name", "a text that says what is wrong")?;
        let configuration_item = fields.text("configuration_item")?;
        let labels: Labels = fields.take("labels")?.unwrap_or_default();
        let severity = self.severity(&mut fields, &labels)?;
        let given_dedup_key = fields.text("dedup_key")?;
        let dedup_key =
            given_dedup_key.unwrap_or_else(|| derived_key(&name, configuration_item.as_deref(), &labels).to_string());
        let at = fields.time("at")?.unwrap_or(inbound.received_at);
        let id = fields.text("id")?.unwrap_or_else(|| {
            Fingerprint::of([inbound.source, dedup_key.as_str(), at.to_string().as_str(), canonical.as_str()])
                .to_string()
        });
        // Of a journal that is sent again: it is received now.
        fields.time("received_at")?;
        let event = Event {
            id,
            at,
            received_at: inbound.received_at,
            source: inbound.source.to_owned(),
            status,
            name,
            dedup_key,
            severity,
            configuration_item,
            service: fields.text("service")?,
            labels,
            annotations: fields.take("annotations")?.unwrap_or_default(),
            url: fields.url("url")?,
            expires_at: fields.time("expires_at")?,
            is_end_assumed: false,
            started_at: None,
            aliases: fields.take("aliases")?.unwrap_or_default(),
            parents: fields.take("parents")?.unwrap_or_default(),
            marker: fields.take::<Marker>("marker")?,
            author: fields.text("author")?,
            note: fields.text("note")?,
            extra: extra(fields, inbound.source)?,
        };
        check_limits(&event)?;
        Ok(event)
    }

    fn severity(&self, fields: &mut Fields, labels: &Labels) -> Result<Severity, ParseError> {
        let read = |word: &str| self.severities.get(word).copied().or_else(|| word.parse().ok());
        match fields.text("severity")? {
            Some(word) => read(&word)
                .ok_or_else(|| ParseError::new("severity", word, "`critical`, `major`, `minor`, `warning` or `info`")),
            None => Ok(labels.get("severity").and_then(read).unwrap_or(Severity::Warning)),
        }
    }
}

/// What nobody asked for, beside what the sender had under `extra`.
fn extra(mut fields: Fields, source: &str) -> Result<BTreeMap<String, Value>, ParseError> {
    let mut extra: BTreeMap<String, Value> = fields.take("extra")?.unwrap_or_default();
    let rest = fields.rest().into_iter();
    extra.extend(rest.filter(|(name, value)| name != "source" || value != source));
    Ok(extra)
}

/// The same for a firing and its resolve, which differ in status, time and text.
fn derived_key(name: &str, configuration_item: Option<&str>, labels: &Labels) -> Fingerprint {
    let pairs = labels.iter().flat_map(|(name, value)| [name, value]);
    Fingerprint::of([name, configuration_item.unwrap_or("")].into_iter().chain(pairs))
}

const FIRING: &str = r#"{"id":"5f2c","at":"2026-11-21T05:00:00.123Z","received_at":"2026-11-21T05:00:00.480Z","source":"nightly-script","status":"firing","name":"Disk full","severity":"critical","configuration_item":"db-3","service":"orders","labels":{"site":"fra1"},"annotations":{"summary":"/var on db-3 is full","runbook_url":"https://runbooks.lab.example/disk"},"url":"https://monitor.lab.example/db-3","ticket":42}"#;

const RESOLVED: &str =
    r#"{"status":"resolved","name":"Disk full","configuration_item":"db-3","labels":{"site":"fra1"}}"#;

const ARRAY: &str = r#"[{"status":"firing","name":"Link down","configuration_item":"sw-1","parents":["core-1"],"marker":"soft"},{"status":"acknowledged","name":"Link down","configuration_item":"sw-1","author":"alice","note":"on my way"}]"#;

const LINES: &str = r#"{"status":"firing","name":"Backup failed","dedup_key":"backup/db-3"}
{"status":"resolved","name":"Backup failed","dedup_key":"backup/db-3"}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_event, inbound_at, parse_at, parse_error};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn a_whole_event_is_taken_over() {
        insta::assert_snapshot!(check_event(&SPEC, FIRING, NOW, 0), @r#"
        {
          "id": "5f2c",
          "at": "2026-11-21T05:00:00.123Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "generic",
          "status": "firing",
          "name": "Disk full",
          "dedup_key": "5d877ab35b05aeb6",
          "severity": "critical",
          "configuration_item": "db-3",
          "service": "orders",
          "labels": {
            "site": "fra1"
          },
          "annotations": {
            "runbook_url": "https://runbooks.lab.example/disk",
            "summary": "/var on db-3 is full"
          },
          "url": "https://monitor.lab.example/db-3",
          "extra": {
            "source": "nightly-script",
            "ticket": 42
          }
        }
        "#);
    }

    #[test]
    fn what_is_left_out_is_made() {
        insta::assert_snapshot!(check_event(&SPEC, RESOLVED, NOW, 0), @r#"
        {
          "id": "6f6bfbd2541d92b1",
          "at": "2026-11-21T05:45:40.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "generic",
          "status": "resolved",
          "name": "Disk full",
          "dedup_key": "5d877ab35b05aeb6",
          "severity": "warning",
          "configuration_item": "db-3",
          "labels": {
            "site": "fra1"
          }
        }
        "#);
        let (firing, resolved) = (parse_at(&SPEC, FIRING, NOW).remove(0), parse_at(&SPEC, RESOLVED, NOW).remove(0));
        assert_eq!(firing.dedup_key, resolved.dedup_key);
        let later = parse_at(&SPEC, RESOLVED, "2026-11-21T05:45:41Z").remove(0);
        assert_ne!(resolved.id, later.id, "without a time each one is an observation of its own");
    }

    #[test]
    fn the_documented_requests_are_read() {
        let bodies: Vec<_> =
            DOCS.lines().filter_map(|line| line.trim().strip_prefix("-d '")?.strip_suffix('\'')).collect();
        let events: Vec<_> = bodies.iter().map(|body| parse_at(&SPEC, body, NOW).remove(0)).collect();
        let [firing, resolved] = &events[..] else { panic!("{} requests", events.len()) };
        assert_eq!((firing.status, resolved.status), (EventStatus::Firing, EventStatus::Resolved));
        assert_eq!(firing.dedup_key, resolved.dedup_key);
    }

    #[test]
    fn arrays_and_lines_hold_many() {
        let names = |body: &str| parse_at(&SPEC, body, NOW).into_iter().map(|e| e.status.as_str()).collect::<Vec<_>>();
        assert_eq!(names(ARRAY), ["firing", "acknowledged"]);
        assert_eq!(names(LINES), ["firing", "resolved"]);
        assert!(names("[]").is_empty());
    }

    #[test]
    fn severities_are_read_configured_or_taken_from_the_label() {
        let table = serde_json::json!({"severities": {"red": "major"}});
        let source = build(table.as_object().unwrap()).unwrap();
        let severity = |fields: &str| {
            let body = format!(r#"{{"status":"firing","name":"x",{fields}}}"#);
            source.parse(&inbound_at("generic", &body, NOW)).unwrap().into_events()[0].severity.as_str()
        };
        assert_eq!(severity(r#""severity":"red""#), "major");
        assert_eq!(severity(r#""severity":"crit""#), "critical");
        assert_eq!(severity(r#""labels":{"severity":"red"}"#), "major");
        assert_eq!(severity(r#""labels":{"severity":"mauve"}"#), "warning");
    }

    #[test]
    fn what_nobody_asked_for_is_kept() {
        let body = r#"{"status":"firing","name":"x","source":"liar","a":{"b":[1]},"extra":{"c":true}}"#;
        let extra = parse_at(&SPEC, body, NOW).remove(0).extra;
        assert_eq!(serde_json::to_string(&extra).unwrap(), r#"{"a":{"b":[1]},"c":true,"source":"liar"}"#);
        let body = r#"{"status":"firing","name":"x","source":"generic"}"#;
        assert!(parse_at(&SPEC, body, NOW)[0].extra.is_empty());
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |body: &str| parse_error(&SPEC, body, NOW);
        insta::assert_snapshot!(check("5"), @"`body`: expected an object, got 5");
        insta::assert_snapshot!(check("{}"), @"`status`: expected `firing`, `resolved`, `acknowledged` or `commented`, got nothing");
        insta::assert_snapshot!(check(r#"{"status":"broken","name":"x"}"#), @"`status`: expected `firing`, `resolved`, `acknowledged`, `commented`, got `broken`");
        insta::assert_snapshot!(check(r#"{"status":"firing"}"#), @"`name`: expected a text that says what is wrong, got nothing");
        insta::assert_snapshot!(check(r#"{"status":"firing","name":7}"#), @"`name`: expected a string, got integer `7`");
        insta::assert_snapshot!(check(r#"{"status":"firing","name":""}"#), @"`name`: expected 1 to 1024 bytes, got 0 bytes");
        insta::assert_snapshot!(check(r#"{"status":"firing","name":"x","labels":{"a":1}}"#), @"`labels.a`: expected a string, got integer `1`");
        insta::assert_snapshot!(check(r#"{"status":"firing","name":"x","parents":["a",2]}"#), @"`parents[1]`: expected a string, got integer `2`");
        insta::assert_snapshot!(check(r#"{"status":"firing","name":"x","severity":"mauve"}"#), @"`severity`: expected `critical`, `major`, `minor`, `warning` or `info`, got mauve");
        insta::assert_snapshot!(check(r#"{"status":"firing","name":"x","url":"javascript:alert(1)"}"#), @"`url`: expected an `http` or `https` address, got javascript:alert(1)");
        insta::assert_snapshot!(check(r#"{"status":"firing","name":"x","at":"2027-11-21T05:00:00Z"}"#), @"`at`: expected a time not more than 24 h ahead of ours, got 2027-11-21T05:00:00.000Z");
        insta::assert_snapshot!(check("{\"status\":\"firing\",\"name\":\"x\"}\n{\"status\":\"firing\"}"), @"`[1].name`: expected a text that says what is wrong, got nothing");
        insta::assert_snapshot!(check("[{\"status\":\"firing\",\"name\":\"x\"}] []"), @r#"`[0]`: expected an object, got [{"name":"x","status":"firing"}]"#);
    }
}
