//! CloudEvents 1.0 over HTTP, in the structured and the batched mode, read as the normalized event.
//!
//! Decides how attributes and data become the fields of `generic.rs`, which then decides about them: `data` may hold them
//! as they are, or the configuration says where in an event each stands. Source and id of an event are the identity of
//! the delivery. The binary mode is not read: its attributes are headers.
//!
//! ```text
//! {"specversion":"1.0","id":"a1","source":"/lab/backup","type":"backup.failed","subject":"db-3","data":{"status":"firing"}}
//! ```
//!
//! Format: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md>.

use super::fields::{self, Fields, required};
use super::generic::Generic;
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json};
use crate::error::{ConfigError, Table, read_table};
use crate::model::{Event, EventStatus, Fingerprint};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

pub const SPEC: SourceSpec = SourceSpec {
    name: "cloudevents",
    title: "CloudEvents 1.0 (structured and batched mode)",
    docs: include_str!("../../docs/sources/cloudevents.md"),
    examples: &[FIRING, RESOLVED, BATCH],
    // As the specification of web hooks for CloudEvents has it.
    overload: Overload::TooManyRequests,
    build,
};

const VERSION: &str = "1.0";

/// Fields of the normalized event that can be looked for elsewhere.
const MAPPABLE: [&str; 10] = [
    "status",
    "name",
    "severity",
    "configuration_item",
    "service",
    "dedup_key",
    "summary",
    "description",
    "url",
    "note",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
    #[serde(default)]
    statuses: BTreeMap<String, EventStatus>,
    /// Our field to a JSON Pointer into the event.
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities, statuses, fields, labels } = read_table(table)?;
    if let Some(name) = fields.keys().find(|name| !MAPPABLE.contains(&name.as_str())) {
        let message = format!("expected one of `{}`", MAPPABLE.join("`, `"));
        return Err(ConfigError::new(format!("fields.{name}"), message));
    }
    for (key, pointers) in [("fields", &fields), ("labels", &labels)] {
        if let Some((name, pointer)) = pointers.iter().find(|(_, pointer)| !pointer.starts_with('/')) {
            let message = format!("expected a JSON Pointer such as `/data/alert/name`, got `{pointer}`");
            return Err(ConfigError::new(format!("{key}.{name}"), message));
        }
    }
    Ok(Box::new(CloudEvents { generic: Generic { severities }, statuses, fields, labels }))
}

struct CloudEvents {
    generic: Generic,
    statuses: BTreeMap<String, EventStatus>,
    fields: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
}

impl Source for CloudEvents {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let events = fields::objects(inbound)?
            .into_iter()
            .map(|(path, fields)| self.event(inbound, fields.rest()).map_err(|error| error.inside(&path)));
        Ok(events.collect::<Result<Vec<_>, _>>()?.into())
    }
}

impl CloudEvents {
    fn event(&self, inbound: &Inbound<'_>, mut event: Map<String, Value>) -> Result<Event, ParseError> {
        unpack(&mut event)?;
        let whole = Value::Object(event.clone());
        let mut attributes = Fields::of(Value::Object(event))?;
        match attributes.word("specversion")?.as_deref() {
            Some(VERSION) => {}
            version => {
                return Err(ParseError::new("specversion", version.unwrap_or("nothing"), format!("`{VERSION}`")));
            }
        }
        let id = attributes.need_word("id", "the id of the event")?;
        let source = attributes.need_word("source", "the source of the event")?;
        let kind = attributes.need_word("type", "the type of the event")?;
        let subject = attributes.word("subject")?;
        let time = attributes.time("time")?;
        let mut fields = match attributes.take::<Value>("data")? {
            Some(Value::Object(data)) => data,
            Some(data) => Map::from_iter([("data".to_owned(), data)]),
            None => Map::new(),
        };
        self.map(&whole, &mut fields)?;
        let mut fill = |name: &str, value: Option<&str>| {
            if let Some(value) = value.filter(|_| !fields.contains_key(name)) {
                fields.insert(name.to_owned(), value.into());
            }
        };
        fill("name", Some(&kind));
        fill("configuration_item", subject.as_deref());
        fill("at", time.map(|at| at.to_string()).as_deref());
        fields.insert("id".to_owned(), Fingerprint::of([source.as_str(), id.as_str()]).to_string().into());
        let mut event = self.generic.event(inbound, Fields::of(Value::Object(fields))?)?;
        event.extra.extend(attributes.leftover());
        for (name, value) in [("ce_id", id), ("ce_source", source), ("ce_type", kind)] {
            event.extra.insert(name.to_owned(), value.into());
        }
        Ok(event)
    }

    /// Puts what the configuration points at where the normalized event has it.
    fn map(&self, whole: &Value, fields: &mut Map<String, Value>) -> Result<(), ParseError> {
        let found = |pointer: &str| whole.pointer(pointer).and_then(plain);
        for (name, pointer) in &self.fields {
            let Some(value) = found(pointer) else { continue };
            if ["summary", "description"].contains(&name.as_str()) {
                add(fields, "annotations", name, value);
            } else {
                fields.insert(name.clone(), value.into());
            }
        }
        for (name, pointer) in &self.labels {
            if let Some(value) = found(pointer) {
                add(fields, "labels", name, value);
            }
        }
        if let Some(word) = fields.get("status").and_then(Value::as_str) {
            let configured = self.statuses.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
            if let Some((_, status)) = configured {
                fields.insert("status".to_owned(), status.as_str().into());
            } else if !self.statuses.is_empty() && self.fields.contains_key("status") {
                let known: Vec<&str> = self.statuses.keys().map(String::as_str).collect();
                let pointer = self.fields["status"].as_str();
                let field = pointer.trim_start_matches('/').replace('/', ".");
                return Err(ParseError::new(
                    field,
                    word,
                    format!("one of the words under `statuses`: `{}`", known.join("`, `")),
                ));
            }
        }
        Ok(())
    }
}

/// Adds to an object inside, which is made when there is none yet.
fn add(fields: &mut Map<String, Value>, object: &str, name: &str, value: String) {
    let mut inner = match fields.remove(object) {
        Some(Value::Object(inner)) => inner,
        _ => Map::new(),
    };
    inner.insert(name.to_owned(), value.into());
    fields.insert(object.to_owned(), inner.into());
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

/// Data that came as Base64 is data like any other, where it is JSON.
fn unpack(event: &mut Map<String, Value>) -> Result<(), ParseError> {
    let Some(packed) = event.remove("data_base64") else { return Ok(()) };
    let wrong = |got: &str| ParseError::new("data_base64", got, "JSON in Base64");
    if event.contains_key("data") {
        return Err(ParseError::new("data_base64", "it beside `data`", "one of the two"));
    }
    let packed = packed.as_str().ok_or_else(|| wrong("no text"))?.to_owned();
    let bytes = BASE64_STANDARD.decode(&packed).map_err(|_| wrong(&packed))?;
    let mut values = json::read_values(json::text(&bytes).map_err(|error| error.inside("data_base64"))?)
        .map_err(|error| error.inside("data_base64"))?;
    let value = values.pop().filter(|_| values.is_empty());
    event.insert("data".to_owned(), required(value, "data_base64", "one JSON value in Base64")?);
    Ok(())
}

const FIRING: &str = r#"{"specversion":"1.0","id":"a1f3","source":"/lab/backup","type":"org.example.backup","subject":"db-3","time":"2026-11-21T05:36:51.5Z","datacontenttype":"application/json","traceparent":"00-ab-cd-01","data":{"status":"firing","name":"Backup failed","severity":"major","dedup_key":"backup/db-3","labels":{"job":"nightly"},"annotations":{"summary":"tape full"},"attempt":3}}"#;

const RESOLVED: &str = r#"{"specversion":"1.0","id":"a1f4","source":"/lab/backup","type":"org.example.backup","subject":"db-3","time":"2026-11-21T05:42:00Z","data":{"status":"resolved","name":"Backup failed","dedup_key":"backup/db-3"}}"#;

const BATCH: &str = r#"[{"specversion":"1.0","id":"b1","source":"/lab/disks","type":"disk.full","subject":"web1","time":"2026-11-21T05:40:00Z","data":{"status":"firing"}},{"specversion":"1.0","id":"b2","source":"/lab/disks","type":"disk.full","subject":"web2","data_base64":"eyJzdGF0dXMiOiJyZXNvbHZlZCJ9"}]"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_event, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn an_event_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, FIRING, NOW, 0), @r#"
        {
          "id": "08cae9aa77d8befd",
          "at": "2026-11-21T05:36:51.500Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "cloudevents",
          "status": "firing",
          "name": "Backup failed",
          "dedup_key": "backup/db-3",
          "severity": "major",
          "configuration_item": "db-3",
          "labels": {
            "job": "nightly"
          },
          "annotations": {
            "summary": "tape full"
          },
          "extra": {
            "attempt": 3,
            "ce_id": "a1f3",
            "ce_source": "/lab/backup",
            "ce_type": "org.example.backup",
            "datacontenttype": "application/json",
            "traceparent": "00-ab-cd-01"
          }
        }
        "#);
        let repeated = FIRING.replace("a1f3", "a1f9");
        assert_ne!(parse_at(&SPEC, FIRING, NOW)[0].id, parse_at(&SPEC, &repeated, NOW)[0].id);
    }

    #[test]
    fn a_batch_holds_many_and_may_be_empty() {
        let events = parse_at(&SPEC, BATCH, NOW);
        let read: Vec<_> =
            events.iter().map(|e| (e.status.as_str(), e.name.as_str(), e.configuration_item.as_deref())).collect();
        assert_eq!(read, [("firing", "disk.full", Some("web1")), ("resolved", "disk.full", Some("web2"))]);
        assert!(parse_at(&SPEC, "[]", NOW).is_empty());
    }

    #[test]
    fn fields_are_found_where_the_configuration_points() {
        let table = serde_json::json!({
            "fields": {"status": "/data/state/value", "name": "/data/alarm", "configuration_item": "/data/host", "summary": "/data/reason", "severity": "/data/prio"},
            "labels": {"region": "/region"},
            "statuses": {"ALARM": "firing", "OK": "resolved"},
            "severities": {"1": "critical"}
        });
        let body = |state: &str| {
            format!(
                r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","region":"eu","data":{{"state":{{"value":"{state}"}},"alarm":"CPU high","host":"web1","reason":"97 %","prio":1}}}}"#
            )
        };
        let event = parse_with(&SPEC, &table, &body("alarm"), NOW).remove(0);
        assert_eq!(
            (event.status, event.name.as_str(), event.severity.as_str()),
            (EventStatus::Firing, "CPU high", "critical")
        );
        assert_eq!(
            (event.configuration_item.as_deref(), event.summary(), event.labels.get("region")),
            (Some("web1"), "97 %", Some("eu"))
        );
        let ended = parse_with(&SPEC, &table, &body("OK"), NOW).remove(0);
        assert_eq!((ended.status, ended.dedup_key), (EventStatus::Resolved, event.dedup_key));
        let source = build(table.as_object().unwrap()).unwrap();
        let inbound = body("INSUFFICIENT_DATA");
        let error = source.parse(&crate::sources::tests::inbound_at("cloudevents", &inbound, NOW)).unwrap_err();
        insta::assert_snapshot!(error, @"`data.state.value`: expected one of the words under `statuses`: `ALARM`, `OK`, got INSUFFICIENT_DATA");
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &FIRING.replace(from, to), NOW);
        insta::assert_snapshot!(check(r#""specversion":"1.0""#, r#""specversion":"0.3""#), @"`specversion`: expected `1.0`, got 0.3");
        insta::assert_snapshot!(check(r#""id":"a1f3","#, ""), @"`id`: expected the id of the event, got nothing");
        insta::assert_snapshot!(check(r#""status":"firing","#, ""), @"`status`: expected `firing`, `resolved`, `acknowledged` or `commented`, got nothing");
        insta::assert_snapshot!(check(r#""status":"firing""#, r#""status":"bad""#), @"`status`: expected `firing`, `resolved`, `acknowledged`, `commented`, got `bad`");
        insta::assert_snapshot!(check(r#""data":{"#, r#""data_base64":"e30=","data":{"#), @"`data_base64`: expected one of the two, got it beside `data`");
        insta::assert_snapshot!(parse_error(&SPEC, &BATCH.replace("eyJz", "!!!!"), NOW), @"`[1].data_base64`: expected JSON in Base64, got !!!!dGF0dXMiOiJyZXNvbHZlZCJ9");
        let configuration = |table: serde_json::Value| build(table.as_object().unwrap()).err().unwrap();
        insta::assert_snapshot!(configuration(serde_json::json!({"fields": {"state": "/data/x"}})), @"`fields.state`: expected one of `status`, `name`, `severity`, `configuration_item`, `service`, `dedup_key`, `summary`, `description`, `url`, `note`");
        insta::assert_snapshot!(configuration(serde_json::json!({"labels": {"x": "data.x"}})), @"`labels.x`: expected a JSON Pointer such as `/data/alert/name`, got `data.x`");
    }
}
