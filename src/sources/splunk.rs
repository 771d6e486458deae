//! Splunk: the webhook action of an alert (a saved search).
//!
//! Decides what tells one condition of a search from another: the search, its app and chosen fields of the first row.
//! Splunk never says that it is over: a row does by a field of its own, or time does.
//!
//! ```text
//! {"result":{"host":"web1","count":"42"},"sid":"scheduler_…","search_name":"Errors of web servers","app":"search",…}
//! ```
//!
//! Body: <https://docs.splunk.com/Documentation/Splunk/latest/Alert/Webhooks> (read 2026-11-21).

use super::draft::{annotation, blank, finish, label, meaning, severity, tags};
use super::fields::{Fields, clipped};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::TEXT_BYTES_MAX;
use crate::model::{Event, EventStatus, Fingerprint, Severity, Span};
use serde::Deserialize;

pub const SPEC: SourceSpec = SourceSpec {
    name: "splunk",
    title: "Splunk (webhook alert action)",
    docs: include_str!("../../docs/sources/splunk.md"),
    examples: &[FIRING, RESOLVED, BARE],
    // It never tries again.
    overload: Overload::TooManyRequests,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Configuration {
    severities: Severities,
    key_fields: Vec<String>,
    item_field: String,
    service_field: Option<String>,
    status_field: String,
    severity_field: String,
    severity: Severity,
    expires_after: Span,
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            severities: Severities::new(),
            key_fields: ["host", "source", "service"].map(str::to_owned).to_vec(),
            item_field: "host".to_owned(),
            service_field: None,
            status_field: "alert_status".to_owned(),
            severity_field: "alert_severity".to_owned(),
            severity: Severity::Major,
            expires_after: Span::from_mins(30),
        }
    }
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let configuration: Configuration = read_table(table)?;
    if configuration.expires_after.is_zero() {
        return Err(ConfigError::new("expires_after", "expected more than `0s`: alerts would be over at once"));
    }
    Ok(Box::new(Splunk { configuration }))
}

struct Splunk {
    configuration: Configuration,
}

/// Splunk's own numbers for the severity of an alert, and the words for them.
const SEVERITIES: [(&str, Severity); 14] = [
    ("critical", Severity::Critical),
    ("major", Severity::Major),
    ("minor", Severity::Minor),
    ("warning", Severity::Warning),
    ("info", Severity::Info),
    ("high", Severity::Major),
    ("medium", Severity::Minor),
    ("low", Severity::Warning),
    ("1", Severity::Info),
    ("2", Severity::Info),
    ("3", Severity::Warning),
    ("4", Severity::Major),
    ("5", Severity::Critical),
    ("6", Severity::Critical),
];

const STATUSES: [(&str, EventStatus); 4] = [
    ("firing", EventStatus::Firing),
    ("resolved", EventStatus::Resolved),
    ("ok", EventStatus::Resolved),
    ("acknowledged", EventStatus::Acknowledged),
];

impl Source for Splunk {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let body = Fields::read(json::text(inbound.body)?)?;
        Ok(vec![self.event(inbound, body)?].into())
    }
}

impl Splunk {
    fn event(&self, inbound: &Inbound<'_>, mut body: Fields) -> Result<Event, ParseError> {
        let own = &self.configuration;
        let mut event = blank(inbound);
        event.name = body.need_word("search_name", "the name of the alert")?;
        let app = body.word("app")?;
        let row = body.pairs("result")?;
        let column =
            |name: &str| row.iter().find(|(other, value)| other == name && !value.is_empty()).map(|(_, value)| value);
        event.status = match column(&own.status_field) {
            Some(word) => meaning(&format!("result.{}", own.status_field), word, &STATUSES)?,
            None => EventStatus::Firing,
        };
        event.severity = match column(&own.severity_field) {
            Some(word) => severity(&format!("result.{}", own.severity_field), word, &own.severities, &SEVERITIES)?,
            None => own.severities.get(&event.name).copied().unwrap_or(own.severity),
        };
        let chosen: Vec<&str> = own.key_fields.iter().map(|name| column(name).map_or("", String::as_str)).collect();
        // Which fields they are belongs to it: others must not come to the same.
        let parts = [app.as_deref().unwrap_or_default(), &event.name].into_iter().chain(chosen);
        event.dedup_key = Fingerprint::of(parts).to_string();
        event.configuration_item = column(&own.item_field).cloned();
        event.service = own.service_field.as_deref().and_then(column).cloned();
        annotation(&mut event, "summary", column("summary").map(|text| clipped(text, TEXT_BYTES_MAX)));
        annotation(&mut event, "description", column("_raw").map(|text| clipped(text, TEXT_BYTES_MAX)));
        let read = ["summary", &own.status_field, &own.severity_field];
        // What begins with a line is Splunk's own: times, offsets, the raw text.
        let is_shown = |name: &str| !name.starts_with('_') && !read.contains(&name);
        let shown = row.iter().filter(|(name, value)| is_shown(name) && !value.is_empty());
        tags(&mut event, shown.cloned());
        label(&mut event, "app", app.as_deref());
        event.url = body.link("results_link")?;
        if event.status == EventStatus::Firing {
            event.expires_at = Some(inbound.received_at + own.expires_after);
            event.is_end_assumed = true;
        }
        // Each run has its own; without one the time tells them apart.
        let sid = body.word("sid")?.unwrap_or_else(|| inbound.received_at.to_string());
        event.extra.extend(body.leftover());
        event.extra.insert("sid".to_owned(), sid.clone().into());
        finish(event, &[&sid])
    }
}

const FIRING: &str = r#"{"result":{"host":"web1","source":"/var/log/nginx/error.log","count":"42","alert_status":"firing","alert_severity":"5","_time":"1795239411","_raw":"2026/11/21 05:36:51 [error] upstream timed out"},"sid":"scheduler_admin_search_W2_at_1795239420_132","results_link":"https://splunk.lab.example:8000/app/search/search?q=%7Cloadjob%20scheduler_admin_search_W2_at_1795239420_132","search_name":"Errors of web servers","owner":"admin","app":"search"}"#;

const RESOLVED: &str = r#"{"result":{"host":"web1","source":"/var/log/nginx/error.log","count":"0","alert_status":"resolved"},"sid":"scheduler_admin_search_W2_at_1795239720_140","results_link":"https://splunk.lab.example:8000/app/search/search?q=%7Cloadjob%20scheduler_admin_search_W2_at_1795239720_140","search_name":"Errors of web servers","owner":"admin","app":"search"}"#;

/// A search that says nothing for us, with a field of several values.
const BARE: &str = r#"{"result":{"user":["ada","bob"],"failures":"17"},"sid":"rt_scheduler_x_at_1795239000_3.7","results_link":"","search_name":"Failed logins","owner":"secops","app":"security"}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_event, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn an_alert_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, FIRING, NOW, 0), @r#"
        {
          "id": "ea0ad96878409373",
          "at": "2026-11-21T05:45:40.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "splunk",
          "status": "firing",
          "name": "Errors of web servers",
          "dedup_key": "aba438c0dcc92526",
          "severity": "critical",
          "configuration_item": "web1",
          "labels": {
            "app": "search",
            "count": "42",
            "host": "web1",
            "source": "/var/log/nginx/error.log"
          },
          "annotations": {
            "description": "2026/11/21 05:36:51 [error] upstream timed out"
          },
          "url": "https://splunk.lab.example:8000/app/search/search?q=%7Cloadjob%20scheduler_admin_search_W2_at_1795239420_132",
          "expires_at": "2026-11-21T06:15:40.000Z",
          "is_end_assumed": true,
          "extra": {
            "owner": "admin",
            "sid": "scheduler_admin_search_W2_at_1795239420_132"
          }
        }
        "#);
        let (firing, resolved) = (parse_at(&SPEC, FIRING, NOW).remove(0), parse_at(&SPEC, RESOLVED, NOW).remove(0));
        assert_eq!((resolved.status, &resolved.dedup_key), (EventStatus::Resolved, &firing.dedup_key));
        assert_eq!(resolved.expires_at, None);
    }

    #[test]
    fn a_search_without_any_preparation_is_an_alert_that_ends_by_itself() {
        let event = parse_at(&SPEC, BARE, NOW).remove(0);
        assert_eq!((event.severity, event.configuration_item.clone()), (Severity::Major, None));
        assert_eq!(event.expires_at.unwrap().to_string(), "2026-11-21T06:15:40.000Z");
        assert_eq!(event.labels.get("user"), Some(r#"["ada","bob"]"#));
        let other = BARE.replace("security", "other");
        assert_ne!(parse_at(&SPEC, &other, NOW)[0].dedup_key, event.dedup_key);
    }

    #[test]
    fn the_fields_that_count_can_be_configured() {
        let table = serde_json::json!({
            "key_fields": ["user"], "item_field": "user", "service_field": "failures", "status_field": "state",
            "severity": "minor", "severities": {"Failed logins": "critical"}, "expires_after": "5m"
        });
        let event = parse_with(&SPEC, &table, BARE, NOW).remove(0);
        assert_eq!((event.severity, event.service.as_deref()), (Severity::Critical, Some("17")));
        assert_eq!(event.configuration_item.as_deref(), Some(r#"["ada","bob"]"#));
        let firing = parse_with(&SPEC, &table, RESOLVED, NOW).remove(0);
        assert_eq!((firing.status, firing.severity), (EventStatus::Firing, Severity::Minor));
    }

    /// What the search of the page makes is read as it should.
    #[test]
    fn the_search_of_the_page_names_the_fields_that_are_read() {
        let search = crate::sources::tests::block(SPEC.docs, "spl", 0);
        let default = Configuration::default();
        for field in [&default.status_field, &default.severity_field, &default.item_field] {
            assert!(search.contains(field.as_str()), "{field}");
        }
        let words: Vec<&str> = search.split('"').skip(1).step_by(2).collect();
        assert!(words.iter().any(|word| meaning("x", word, &STATUSES) == Ok(EventStatus::Resolved)), "{words:?}");
        assert!(words.iter().any(|word| meaning("x", word, &SEVERITIES).is_ok()), "{words:?}");
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &FIRING.replace(from, to), NOW);
        insta::assert_snapshot!(check(r#""firing""#, r#""200""#), @"`result.alert_status`: expected `firing`, `resolved`, `ok` or `acknowledged`, got 200");
        insta::assert_snapshot!(check(r#""alert_severity":"5""#, r#""alert_severity":"9""#), @"`result.alert_severity`: expected `critical`, `major`, `minor`, `warning`, `info`, `high`, `medium`, `low`, `1`, `2`, `3`, `4`, `5` or `6`, got 9");
        insta::assert_snapshot!(check("search_name", "name"), @"`search_name`: expected the name of the alert, got nothing");
        insta::assert_snapshot!(parse_error(&SPEC, r#"{"search_name":"x","result":[]}"#, NOW), @"`result`: expected an object, got an array");
        insta::assert_snapshot!(build(serde_json::json!({"expires_after": "0s"}).as_object().unwrap()).err().unwrap(), @"`expires_after`: expected more than `0s`: alerts would be over at once");
    }
}
