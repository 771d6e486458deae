//! New Relic: a workflow's webhook, with the payload of our setup page.
//!
//! Decides that the issue is the condition and what its states mean; incidents inside an issue are not looked at. Never
//! asks New Relic anything.
//!
//! ```text
//! {"issueId":"…","state":"ACTIVATED","priority":"CRITICAL","title":"…","impactedEntities":["web1"],"updatedAt":1795239411000,…}
//! ```
//!
//! Variables: <https://docs.newrelic.com/docs/alerts/get-notified/custom-variables-incident-workflows/> (read 2026-11-29).

use super::draft::{annotation, believed, blank, finish, label, meaning, severity};
use super::fields::{Fields, clipped, required};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json, push_alias};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::TEXT_BYTES_MAX;
use crate::model::{Event, EventStatus, Severity};
use serde::Deserialize;

pub const SPEC: SourceSpec = SourceSpec {
    name: "newrelic",
    title: "New Relic (workflow, webhook destination)",
    docs: include_str!("../../docs/sources/newrelic.md"),
    examples: &[ACTIVATED, ACKNOWLEDGED, CLOSED],
    // What looks temporary is tried again.
    overload: Overload::TooManyRequests,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities } = read_table(table)?;
    Ok(Box::new(NewRelic { severities }))
}

struct NewRelic {
    severities: Severities,
}

const PRIORITIES: [(&str, Severity); 4] = [
    ("CRITICAL", Severity::Critical),
    ("HIGH", Severity::Major),
    ("MEDIUM", Severity::Minor),
    ("LOW", Severity::Warning),
];

const STATES: [(&str, EventStatus); 5] = [
    ("CREATED", EventStatus::Firing),
    ("ACTIVATED", EventStatus::Firing),
    ("ACKNOWLEDGED", EventStatus::Acknowledged),
    ("DEACTIVATED", EventStatus::Resolved),
    ("CLOSED", EventStatus::Resolved),
];

impl Source for NewRelic {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let body = Fields::read(json::text(inbound.body)?)?;
        Ok(vec![self.event(inbound, body)?].into())
    }
}

impl NewRelic {
    fn event(&self, inbound: &Inbound<'_>, mut body: Fields) -> Result<Event, ParseError> {
        let mut event = blank(inbound);
        event.dedup_key = body.need_word("issueId", "the id of the issue")?;
        let state = body.need_word("state", "the state of the issue")?;
        event.status = meaning("state", &state, &STATES)?;
        let word = body.need_word("priority", "the priority of the issue")?;
        event.severity = severity("priority", &word, &self.severities, &PRIORITIES)?;
        // An issue of several conditions is named after the first.
        let (conditions, title) = (body.list_or_word("alertConditionNames")?, body.word("title")?);
        let name = conditions.first().cloned().or_else(|| title.clone());
        event.name = required(name, "title", "the title of the issue, or `alertConditionNames`")?;
        let entities = body.list_or_word("impactedEntities")?;
        event.configuration_item = entities.first().cloned();
        for entity in entities.iter().skip(1).take(8) {
            push_alias(&mut event.aliases, &entities[0], Some(entity));
        }
        let policies = body.list_or_word("alertPolicyNames")?;
        label(&mut event, "policy", policies.first().map(String::as_str));
        label(&mut event, "priority", Some(&word));
        label(&mut event, "workflow", body.word("workflowName")?.as_deref());
        event.url = body.link("issueUrl")?;
        annotation(&mut event, "summary", title.map(|title| clipped(&title, TEXT_BYTES_MAX)));
        annotation(&mut event, "runbook_url", body.link("runbookUrl")?);
        let who = body.word("owner")?;
        if event.status == EventStatus::Acknowledged {
            event.author = who;
        }
        let (created_at, updated_at) = (body.epoch("createdAt", 1)?, body.epoch("updatedAt", 1)?);
        let closed_at = body.epoch("closedAt", 1)?;
        let at = match event.status {
            EventStatus::Firing => created_at,
            EventStatus::Resolved => closed_at.or(updated_at),
            _ => updated_at,
        };
        event.at = believed(at, inbound);
        event.extra.extend(body.leftover());
        event.extra.insert("state".to_owned(), state.clone().into());
        let told = updated_at.or(at).unwrap_or(inbound.received_at).to_string();
        finish(event, &[&state, &told])
    }
}

const ACTIVATED: &str = r#"{"issueId":"bce5f8a1-74b8-4c83-9a24-0d6fb1d4f3ee","issueUrl":"https://radar-api.service.newrelic.com/accounts/1/issues/bce5f8a1-74b8-4c83-9a24-0d6fb1d4f3ee?notifier=WEBHOOK","title":"web1 query result is > 90.0 for 5 minutes on 'CPU of web servers'","priority":"CRITICAL","state":"ACTIVATED","triggerEvent":"STATE_CHANGE","impactedEntities":["web1","web2"],"totalIncidents":2,"isCorrelated":false,"createdAt":1795239411000,"updatedAt":1795239415000,"closedAt":null,"owner":null,"sources":["newrelic"],"alertPolicyNames":["Web servers"],"alertConditionNames":["CPU of web servers"],"workflowName":"watchbell","runbookUrl":"https://runbooks.lab.example/cpu"}"#;

const ACKNOWLEDGED: &str = r#"{"issueId":"bce5f8a1-74b8-4c83-9a24-0d6fb1d4f3ee","issueUrl":"https://radar-api.service.newrelic.com/accounts/1/issues/bce5f8a1","title":"web1 query result is > 90.0 for 5 minutes on 'CPU of web servers'","priority":"CRITICAL","state":"ACKNOWLEDGED","triggerEvent":"ACKNOWLEDGED","impactedEntities":["web1"],"totalIncidents":2,"createdAt":1795239411000,"updatedAt":1795239480000,"closedAt":null,"owner":"alice@lab.example","alertPolicyNames":["Web servers"],"alertConditionNames":["CPU of web servers"],"workflowName":"watchbell"}"#;

const CLOSED: &str = r#"{"issueId":"bce5f8a1-74b8-4c83-9a24-0d6fb1d4f3ee","issueUrl":"https://radar-api.service.newrelic.com/accounts/1/issues/bce5f8a1","title":"web1 query result is > 90.0 for 5 minutes on 'CPU of web servers'","priority":"CRITICAL","state":"CLOSED","triggerEvent":"STATE_CHANGE","impactedEntities":["web1"],"totalIncidents":2,"createdAt":1795239411000,"updatedAt":1795239712000,"closedAt":1795239711000,"alertPolicyNames":["Web servers"],"alertConditionNames":["CPU of web servers"],"workflowName":"watchbell"}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{block, check_event, filled, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn an_issue_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, ACTIVATED, NOW, 0), @r#"
        {
          "id": "86d119de90046672",
          "at": "2026-11-21T05:36:51.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "newrelic",
          "status": "firing",
          "name": "CPU of web servers",
          "dedup_key": "bce5f8a1-74b8-4c83-9a24-0d6fb1d4f3ee",
          "severity": "critical",
          "configuration_item": "web1",
          "labels": {
            "policy": "Web servers",
            "priority": "CRITICAL",
            "workflow": "watchbell"
          },
          "annotations": {
            "runbook_url": "https://runbooks.lab.example/cpu",
            "summary": "web1 query result is > 90.0 for 5 minutes on 'CPU of web servers'"
          },
          "url": "https://radar-api.service.newrelic.com/accounts/1/issues/bce5f8a1-74b8-4c83-9a24-0d6fb1d4f3ee?notifier=WEBHOOK",
          "aliases": [
            "web2"
          ],
          "extra": {
            "isCorrelated": false,
            "sources": [
              "newrelic"
            ],
            "state": "ACTIVATED",
            "totalIncidents": 2,
            "triggerEvent": "STATE_CHANGE"
          }
        }
        "#);
        let (taken, closed) = (parse_at(&SPEC, ACKNOWLEDGED, NOW).remove(0), parse_at(&SPEC, CLOSED, NOW).remove(0));
        assert_eq!((taken.status, taken.author.as_deref()), (EventStatus::Acknowledged, Some("alice@lab.example")));
        assert_eq!(closed.at.to_string(), "2026-11-21T05:41:51.000Z");
    }

    /// The page's payload, as New Relic fills it in: its helper writes JSON with quotes and all.
    #[test]
    fn the_payload_of_the_page_is_read() {
        let values = [
            ("{{json issueId}}", r#""bce5f8a1-74b8-4c83-9a24-0d6fb1d4f3ee""#),
            (
                "{{json issuePageUrl}}",
                r#""https://radar-api.service.newrelic.com/accounts/1/issues/bce5f8a1-74b8-4c83-9a24-0d6fb1d4f3ee?notifier=WEBHOOK""#,
            ),
            (
                "{{json annotations.title.[0]}}",
                r#""web1 query result is > 90.0 for 5 minutes on 'CPU of web servers'""#,
            ),
            ("{{json priority}}", r#""CRITICAL""#),
            ("{{json state}}", r#""ACTIVATED""#),
            ("{{json triggerEvent}}", r#""STATE_CHANGE""#),
            ("{{json entitiesData.names}}", r#"["web1","web2"]"#),
            ("{{json totalIncidents}}", "2"),
            ("{{json isCorrelated}}", "false"),
            ("{{#if createdAt}}{{createdAt}}{{else}}null{{/if}}", "1795239411000"),
            ("{{#if updatedAt}}{{updatedAt}}{{else}}null{{/if}}", "1795239415000"),
            ("{{#if closedAt}}{{closedAt}}{{else}}null{{/if}}", "null"),
            ("{{#if owner}}{{json owner}}{{else}}null{{/if}}", "null"),
            ("{{json accumulations.source}}", r#"["newrelic"]"#),
            ("{{json accumulations.policyName}}", r#"["Web servers"]"#),
            ("{{json accumulations.conditionName}}", r#"["CPU of web servers"]"#),
            ("{{json workflowName}}", r#""watchbell""#),
            (
                "{{#if accumulations.runbookUrl}}{{json accumulations.runbookUrl.[0]}}{{else}}null{{/if}}",
                r#""https://runbooks.lab.example/cpu""#,
            ),
        ];
        let template = block(SPEC.docs, "json", 0);
        assert_eq!(parse_at(&SPEC, &filled(&template, &values), NOW), parse_at(&SPEC, ACTIVATED, NOW));
    }

    #[test]
    fn severities_can_be_configured() {
        let table = serde_json::json!({"severities": {"critical": "major"}});
        assert_eq!(parse_with(&SPEC, &table, ACTIVATED, NOW)[0].severity, Severity::Major);
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &ACTIVATED.replace(from, to), NOW);
        insta::assert_snapshot!(check(r#""ACTIVATED""#, r#""MERGED""#), @"`state`: expected `CREATED`, `ACTIVATED`, `ACKNOWLEDGED`, `DEACTIVATED` or `CLOSED`, got MERGED");
        insta::assert_snapshot!(check(r#""CRITICAL""#, r#""P1""#), @"`priority`: expected `CRITICAL`, `HIGH`, `MEDIUM` or `LOW`, got P1");
        insta::assert_snapshot!(check("issueId", "incident_id"), @"`issueId`: expected the id of the issue, got nothing");
        insta::assert_snapshot!(check("1795239411000", r#""noon""#), @"`createdAt`: expected milliseconds since 1970, got noon");
    }
}
