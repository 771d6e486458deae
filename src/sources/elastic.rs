//! Elastic (Kibana): the webhook connector of a rule, with the body of our setup page.
//!
//! Decides that the rule and its alert are the identity, over all their episodes, and that the action group `recovered`
//! is the end. Never reads the alerts' index.
//!
//! ```text
//! {"rule_id":"…","rule_name":"CPU high","alert_id":"web1","action_group":"metrics.threshold.fired","reason":"…","host":"web1",…}
//! ```
//!
//! Variables: <https://www.elastic.co/guide/en/kibana/current/rule-action-variables.html> (read 2026-11-29).

use super::draft::{annotation, believed, blank, configured_severity, finish, label, split_tags, tags};
use super::fields::{Fields, clipped};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::TEXT_BYTES_MAX;
use crate::model::{Event, EventStatus, Severity};
use serde::Deserialize;

pub const SPEC: SourceSpec = SourceSpec {
    name: "elastic",
    title: "Elastic (Kibana rules, webhook connector)",
    docs: include_str!("../../docs/sources/elastic.md"),
    examples: &[ACTIVE, RECOVERED, LOW],
    // A 429 is tried again after its `Retry-After`.
    overload: Overload::TooManyRequests,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
    #[serde(default = "default_severity")]
    severity: Severity,
    service_label: Option<String>,
}

const fn default_severity() -> Severity {
    Severity::Major
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities, severity, service_label } = read_table(table)?;
    Ok(Box::new(Elastic { severities, severity, service_label }))
}

struct Elastic {
    severities: Severities,
    severity: Severity,
    service_label: Option<String>,
}

/// The action group of every rule that says it is over.
const RECOVERED_GROUP: &str = "recovered";

impl Source for Elastic {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let body = Fields::read(json::text(inbound.body)?)?;
        Ok(Vec::from_iter(self.event(inbound, body)?).into())
    }
}

impl Elastic {
    fn event(&self, inbound: &Inbound<'_>, mut body: Fields) -> Result<Option<Event>, ParseError> {
        let rule_id = body.need_word("rule_id", "the variable `rule.id`")?;
        // The tab "Test" of a connector sends the template as it is.
        if rule_id.starts_with("{{") {
            return Ok(None);
        }
        let group = body.need_word("action_group", "the variable `alert.actionGroup`")?;
        let alert_id = body.need_word("alert_id", "the variable `alert.id`")?;
        let mut event = blank(inbound);
        event.dedup_key = format!("{rule_id}/{alert_id}");
        event.status = if group == RECOVERED_GROUP { EventStatus::Resolved } else { EventStatus::Firing };
        event.name = body.need_word("rule_name", "the variable `rule.name`")?;
        event.severity = self.severity(&mut body, &group)?;
        let at = body.time("date")?;
        event.at = believed(at, inbound);
        event.configuration_item = body.word("host")?;
        tags(&mut event, split_tags(&body.list("tags")?.join(",")));
        for name in ["rule_type", "space", "group"] {
            label(&mut event, name, body.word(name)?.as_deref());
        }
        label(&mut event, "action_group", Some(&group));
        event.service = self.service_label.as_deref().and_then(|name| event.labels.get(name)).map(str::to_owned);
        let (alert_url, rule_url) = (body.link("alert_url")?, body.link("rule_url")?);
        event.url = alert_url.or(rule_url);
        annotation(&mut event, "summary", body.word("reason")?.map(|text| clipped(&text, TEXT_BYTES_MAX)));
        annotation(&mut event, "description", body.prose("message", TEXT_BYTES_MAX)?);
        let episode = body.word("alert_uuid")?.unwrap_or_default();
        event.extra.extend(body.leftover());
        if !episode.is_empty() {
            event.extra.insert("alert_uuid".to_owned(), episode.clone().into());
        }
        let told = at.unwrap_or(inbound.received_at).to_string();
        finish(event, &[&episode, &group, &told]).map(Some)
    }

    /// The body's own word, which the action may set by hand, else by the name of the action group.
    fn severity(&self, body: &mut Fields, group: &str) -> Result<Severity, ParseError> {
        if let Some(word) = body.word("severity")? {
            let read = configured_severity(&word, &self.severities).or_else(|| word.parse().ok());
            let expected = "`critical`, `major`, `minor`, `warning`, `info`, or a word under `severities`";
            return read.ok_or_else(|| ParseError::new("severity", word, expected));
        }
        let is_warning = group.to_ascii_lowercase().contains("warning");
        let by_group = if is_warning { Severity::Warning } else { self.severity };
        Ok(configured_severity(group, &self.severities).unwrap_or(by_group))
    }
}

/// Written after the template, as Kibana 8 fills it in.
const ACTIVE: &str = r#"{"rule_id":"5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e","rule_name":"CPU of web servers","rule_type":"metrics.alert.threshold","rule_url":"https://kibana.lab.example/app/observability/alerts/rules/5f2c6e1a","space":"default","tags":"team:web,env:prod","alert_id":"web1","alert_uuid":"c4b0a5f0-93c8-4c53-b7b0-0c0b0e1b7f11","alert_url":"https://kibana.lab.example/app/observability/alerts/c4b0a5f0","action_group":"metrics.threshold.fired","action_group_name":"Alert","flapping":"false","date":"2026-11-21T05:36:51.123Z","severity":"","host":"web1","group":"web1","reason":"CPU usage is 97% in the last 5 mins for web1. Alert when above 90%.","message":"","value":"97%","threshold":"90%"}"#;

const RECOVERED: &str = r#"{"rule_id":"5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e","rule_name":"CPU of web servers","rule_type":"metrics.alert.threshold","rule_url":"","space":"default","tags":"team:web,env:prod","alert_id":"web1","alert_uuid":"c4b0a5f0-93c8-4c53-b7b0-0c0b0e1b7f11","alert_url":"","action_group":"recovered","action_group_name":"Recovered","flapping":"false","date":"2026-11-21T05:42:51.400Z","severity":"","host":"web1","group":"web1","reason":"","message":"","value":"","threshold":""}"#;

/// A query rule: no host, and the severity set in the action.
const LOW: &str = r#"{"rule_id":"0d1e2f3a","rule_name":"Few orders","rule_type":".es-query","space":"shop","tags":"","alert_id":"query matched","alert_uuid":"d5","action_group":"query matched","flapping":"true","date":"2026-11-21T05:40:00.000Z","severity":"minor","host":"","reason":"","message":"Document count is 3 in the last 15m. Alert when less than 10."}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{block, check_event, filled, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn an_alert_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, ACTIVE, NOW, 0), @r#"
        {
          "id": "648657111edc9b1c",
          "at": "2026-11-21T05:36:51.123Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "elastic",
          "status": "firing",
          "name": "CPU of web servers",
          "dedup_key": "5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e/web1",
          "severity": "major",
          "configuration_item": "web1",
          "labels": {
            "action_group": "metrics.threshold.fired",
            "env": "prod",
            "group": "web1",
            "rule_type": "metrics.alert.threshold",
            "space": "default",
            "team": "web"
          },
          "annotations": {
            "summary": "CPU usage is 97% in the last 5 mins for web1. Alert when above 90%."
          },
          "url": "https://kibana.lab.example/app/observability/alerts/c4b0a5f0",
          "extra": {
            "action_group_name": "Alert",
            "alert_uuid": "c4b0a5f0-93c8-4c53-b7b0-0c0b0e1b7f11",
            "flapping": "false",
            "threshold": "90%",
            "value": "97%"
          }
        }
        "#);
        let low = parse_at(&SPEC, LOW, NOW).remove(0);
        assert_eq!((low.severity, low.configuration_item), (Severity::Minor, None));
    }

    /// The page's body, as the connector fills it in.
    #[test]
    fn the_body_of_the_page_is_read() {
        let values = [
            ("{{rule.id}}", "5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e"),
            ("{{rule.name}}", "CPU of web servers"),
            ("{{rule.type}}", "metrics.alert.threshold"),
            ("{{rule.url}}", "https://kibana.lab.example/app/observability/alerts/rules/5f2c6e1a"),
            ("{{rule.spaceId}}", "default"),
            ("{{rule.tags}}", "team:web,env:prod"),
            ("{{alert.id}}", "web1"),
            ("{{alert.uuid}}", "c4b0a5f0-93c8-4c53-b7b0-0c0b0e1b7f11"),
            ("{{context.alertDetailsUrl}}", "https://kibana.lab.example/app/observability/alerts/c4b0a5f0"),
            ("{{alert.actionGroup}}", "metrics.threshold.fired"),
            ("{{alert.actionGroupName}}", "Alert"),
            ("{{alert.flapping}}", "false"),
            ("{{date}}", "2026-11-21T05:36:51.123Z"),
            ("{{context.host.name}}", "web1"),
            ("{{context.group}}", "web1"),
            ("{{context.reason}}", "CPU usage is 97% in the last 5 mins for web1. Alert when above 90%."),
            ("{{context.message}}", ""),
            ("{{context.value}}", "97%"),
            ("{{context.threshold}}", "90%"),
        ];
        let template = block(SPEC.docs, "json", 0);
        assert_eq!(parse_at(&SPEC, &filled(&template, &values), NOW), parse_at(&SPEC, ACTIVE, NOW));
        // Its test sends the template as it is.
        assert!(parse_at(&SPEC, &template, NOW).is_empty());
    }

    #[test]
    fn severities_come_from_the_body_the_group_or_the_configuration() {
        let severity = |table: serde_json::Value, body: &str| parse_with(&SPEC, &table, body, NOW)[0].severity;
        let warning = ACTIVE.replace("metrics.threshold.fired", "metrics.threshold.warning");
        assert_eq!(severity(serde_json::json!({}), &warning), Severity::Warning);
        assert_eq!(severity(serde_json::json!({"severity": "minor"}), ACTIVE), Severity::Minor);
        let table = serde_json::json!({"severities": {"metrics.threshold.fired": "critical"}, "service_label": "team"});
        assert_eq!(severity(table.clone(), ACTIVE), Severity::Critical);
        assert_eq!(parse_with(&SPEC, &table, ACTIVE, NOW)[0].service.as_deref(), Some("web"));
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &ACTIVE.replace(from, to), NOW);
        insta::assert_snapshot!(check("rule_id", "id"), @"`rule_id`: expected the variable `rule.id`, got nothing");
        insta::assert_snapshot!(check(r#""action_group":"#, r#""action":"#), @"`action_group`: expected the variable `alert.actionGroup`, got nothing");
        insta::assert_snapshot!(check(r#""severity":"""#, r#""severity":"mauve""#), @"`severity`: expected `critical`, `major`, `minor`, `warning`, `info`, or a word under `severities`, got mauve");
        insta::assert_snapshot!(check("2026-11-21T05:36:51.123Z", "noon"), @"`date`: expected an RFC 3339 time such as `2026-11-21T05:00:00Z`, got `noon`");
    }
}
