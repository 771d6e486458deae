//! Dynatrace: a problem notification of the kind "Custom integration", with the payload of our setup page.
//!
//! Decides what a problem's state means and that its internal id (`PID`) is the identity; people see the other one. A
//! problem that was merged is over here: the one it went into tells its own news. Never asks Dynatrace anything.
//!
//! ```text
//! {"State":"OPEN","PID":"-6371…","ProblemID":"P-26111234","ProblemTitle":"…","ProblemSeverity":"ERROR","ImpactedEntities":[…],…}
//! ```
//!
//! Placeholders: <https://docs.dynatrace.com/docs/analyze-explore-automate/notifications-and-alerting/problem-notifications/webhook-integration>
//! (read 2026-11-29).

use super::draft::{annotation, believed, blank, finish, label, meaning, severity, split_tags, tags};
use super::fields::{Fields, clipped};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json, push_alias};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::TEXT_BYTES_MAX;
use crate::model::{Event, EventStatus, Severity};
use serde::Deserialize;
use serde_json::Value;

pub const SPEC: SourceSpec = SourceSpec {
    name: "dynatrace",
    title: "Dynatrace (problem notification, custom integration)",
    docs: include_str!("../../docs/sources/dynatrace.md"),
    examples: &[OPEN, RESOLVED, MERGED],
    // It tries a few times whatever the answer is.
    overload: Overload::TooManyRequests,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
    service_label: Option<String>,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities, service_label } = read_table(table)?;
    Ok(Box::new(Dynatrace { severities, service_label }))
}

struct Dynatrace {
    severities: Severities,
    service_label: Option<String>,
}

const SEVERITIES: [(&str, Severity); 8] = [
    ("AVAILABILITY", Severity::Critical),
    ("ERROR", Severity::Major),
    ("PERFORMANCE", Severity::Minor),
    ("RESOURCE_CONTENTION", Severity::Minor),
    ("RESOURCE", Severity::Minor),
    ("CUSTOM_ALERT", Severity::Warning),
    ("MONITORING_UNAVAILABLE", Severity::Warning),
    ("INFO", Severity::Info),
];

const STATES: [(&str, EventStatus); 3] =
    [("OPEN", EventStatus::Firing), ("RESOLVED", EventStatus::Resolved), ("MERGED", EventStatus::Resolved)];

/// The title of what "Send test notification" sends.
const TEST_TITLE: &str = "Dynatrace problem notification test run";

/// Entities whose names are kept as aliases of the first one.
const ENTITIES_MAX: usize = 16;

impl Source for Dynatrace {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let body = Fields::read(json::text(inbound.body)?)?;
        Ok(Vec::from_iter(self.event(inbound, body)?).into())
    }
}

impl Dynatrace {
    fn event(&self, inbound: &Inbound<'_>, mut body: Fields) -> Result<Option<Event>, ParseError> {
        body.forget(is_unresolved);
        let title = body.need_word("ProblemTitle", "the title of the problem")?;
        if title == TEST_TITLE {
            return Ok(None);
        }
        let state = body.need_word("State", "`OPEN`, `RESOLVED` or `MERGED`")?;
        let mut event = blank(inbound);
        event.status = meaning("State", &state, &STATES)?;
        event.dedup_key = body.need_word("PID", "the internal id of the problem")?;
        let word = body.need_word("ProblemSeverity", "a severity such as `AVAILABILITY`")?;
        event.severity = severity("ProblemSeverity", &word, &self.severities, &SEVERITIES)?;
        event.name = title;
        name_item(&mut event, &mut body)?;
        tags(&mut event, split_tags(&body.list("Tags")?.join(",")));
        let problem_id = body.word("ProblemID")?;
        label(&mut event, "problem_id", problem_id.as_deref());
        label(&mut event, "impact", body.word("ProblemImpact")?.as_deref());
        label(&mut event, "severity", Some(&word));
        event.service = self.service_label.as_deref().and_then(|name| event.labels.get(name)).map(str::to_owned);
        event.url = body.link("ProblemURL")?;
        let entity = body.word("ImpactedEntity")?;
        let summary = entity.map(|entity| clipped(&format!("{}: {entity}", event.name), TEXT_BYTES_MAX));
        annotation(&mut event, "summary", summary);
        let details = body.prose("ProblemDetailsText", TEXT_BYTES_MAX)?;
        if state.eq_ignore_ascii_case("MERGED") {
            event.note = Some("merged into another problem in Dynatrace".to_owned());
        }
        // Only there where the payload asks for the details as JSON.
        let times = body
            .object("ProblemDetailsJSONv2")?
            .map(|mut details| Ok::<_, ParseError>((details.epoch("startTime", 1)?, details.epoch("endTime", 1)?)));
        let (started_at, ended_at) = times.transpose()?.unwrap_or_default();
        let at =
            if event.status == EventStatus::Firing { started_at } else { ended_at.filter(|at| at.as_millis() > 0) };
        event.at = believed(at, inbound);
        event.extra.extend(body.leftover());
        // A problem that goes on is told with other details.
        let told = [state.as_str(), details.as_deref().unwrap_or_default()].map(str::to_owned);
        annotation(&mut event, "description", details);
        finish(event, &[&told[0], &told[1]]).map(Some)
    }
}

/// A placeholder that this Dynatrace does not know stays as it is.
fn is_unresolved(text: &str) -> bool {
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The first of the entities that are hit is the item; the others are kept for people to read.
fn name_item(event: &mut Event, body: &mut Fields) -> Result<(), ParseError> {
    let entities: Vec<Value> = body.take("ImpactedEntities")?.unwrap_or_default();
    let mut names = Vec::new();
    for (index, entity) in entities.into_iter().enumerate().take(ENTITIES_MAX) {
        let inside = |error: ParseError| error.inside(&format!("ImpactedEntities[{index}]"));
        let mut entity = Fields::of(entity).map_err(inside)?;
        let (name, id) = (entity.word("name").map_err(inside)?, entity.word("entity").map_err(inside)?);
        if index == 0 {
            event.configuration_item = name.clone().or_else(|| id.clone());
            let item = event.configuration_item.clone().unwrap_or_default();
            push_alias(&mut event.aliases, &item, id.as_deref());
            label(event, "entity_type", entity.word("type").map_err(inside)?.as_deref());
        }
        names.extend(name.or(id));
    }
    if names.len() > 1 {
        event.extra.insert("impacted_entities".to_owned(), names.into());
    }
    Ok(())
}

const OPEN: &str = r#"{"State":"OPEN","PID":"-6371287532892347532_1795239360000V2","ProblemID":"P-26111234","ProblemTitle":"Failure rate increase","ProblemSeverity":"ERROR","ProblemImpact":"SERVICE","ProblemURL":"https://abc12345.live.dynatrace.com/#problems/problemdetails;pid=-6371287532892347532_1795239360000V2","ProblemDetailsText":"OPEN Problem P-26111234 in environment lab\nProblem detected at: 05:36 (UTC) 21.11.2026\n1 impacted service\nFailure rate increased to 12 %","ImpactedEntities":[{"type":"SERVICE","name":"checkout","entity":"SERVICE-1A2B3C4D5E6F7A8B"},{"type":"HOST","name":"web1","entity":"HOST-0A1B2C3D4E5F6A7B"}],"ImpactedEntity":"checkout, web1","Tags":"team:web, env:prod, urgent"}"#;

const RESOLVED: &str = r#"{"State":"RESOLVED","PID":"-6371287532892347532_1795239360000V2","ProblemID":"P-26111234","ProblemTitle":"Failure rate increase","ProblemSeverity":"ERROR","ProblemImpact":"SERVICE","ProblemURL":"https://abc12345.live.dynatrace.com/#problems/problemdetails;pid=-6371287532892347532_1795239360000V2","ProblemDetailsText":"RESOLVED Problem P-26111234 in environment lab","ImpactedEntities":[{"type":"SERVICE","name":"checkout","entity":"SERVICE-1A2B3C4D5E6F7A8B"}],"ImpactedEntity":"checkout","Tags":"team:web"}"#;

const MERGED: &str = r#"{"State":"MERGED","PID":"8123746098127346_1795239300000V2","ProblemID":"P-26111230","ProblemTitle":"Host or monitoring unavailable","ProblemSeverity":"MONITORING_UNAVAILABLE","ProblemImpact":"INFRASTRUCTURE","ProblemURL":"","ProblemDetailsText":"","ImpactedEntities":[],"ImpactedEntity":"","Tags":"{Tags}"}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{block, check_event, filled, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn a_problem_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, OPEN, NOW, 0), @r#"
        {
          "id": "509b26efd59214a9",
          "at": "2026-11-21T05:45:40.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "dynatrace",
          "status": "firing",
          "name": "Failure rate increase",
          "dedup_key": "-6371287532892347532_1795239360000V2",
          "severity": "major",
          "configuration_item": "checkout",
          "labels": {
            "entity_type": "SERVICE",
            "env": "prod",
            "impact": "SERVICE",
            "problem_id": "P-26111234",
            "severity": "ERROR",
            "team": "web",
            "urgent": "true"
          },
          "annotations": {
            "description": "OPEN Problem P-26111234 in environment lab\nProblem detected at: 05:36 (UTC) 21.11.2026\n1 impacted service\nFailure rate increased to 12 %",
            "summary": "Failure rate increase: checkout, web1"
          },
          "url": "https://abc12345.live.dynatrace.com/#problems/problemdetails;pid=-6371287532892347532_1795239360000V2",
          "aliases": [
            "SERVICE-1A2B3C4D5E6F7A8B"
          ],
          "extra": {
            "impacted_entities": [
              "checkout",
              "web1"
            ]
          }
        }
        "#);
    }

    #[test]
    fn a_merged_problem_is_over_with_a_word_about_it() {
        let event = parse_at(&SPEC, MERGED, NOW).remove(0);
        assert_eq!(
            (event.status, event.note.as_deref()),
            (EventStatus::Resolved, Some("merged into another problem in Dynatrace"))
        );
        assert_eq!((event.configuration_item, event.labels.get("team")), (None, None));
    }

    /// The page's payload, as Dynatrace fills it in: texts in quotes, JSON without.
    #[test]
    fn the_payload_of_the_page_is_read() {
        let values = [
            ("{State}", "OPEN"),
            ("{PID}", "-6371287532892347532_1795239360000V2"),
            ("{ProblemID}", "P-26111234"),
            ("{ProblemTitle}", "Failure rate increase"),
            ("{ProblemSeverity}", "ERROR"),
            ("{ProblemImpact}", "SERVICE"),
            (
                "{ProblemURL}",
                "https://abc12345.live.dynatrace.com/#problems/problemdetails;pid=-6371287532892347532_1795239360000V2",
            ),
            (
                "{ProblemDetailsText}",
                r"OPEN Problem P-26111234 in environment lab\nProblem detected at: 05:36 (UTC) 21.11.2026\n1 impacted service\nFailure rate increased to 12 %",
            ),
            (
                "{ImpactedEntities}",
                r#"[{"type":"SERVICE","name":"checkout","entity":"SERVICE-1A2B3C4D5E6F7A8B"},{"type":"HOST","name":"web1","entity":"HOST-0A1B2C3D4E5F6A7B"}]"#,
            ),
            ("{ImpactedEntity}", "checkout, web1"),
            ("{Tags}", "team:web, env:prod, urgent"),
        ];
        let template = block(SPEC.docs, "json", 0);
        assert_eq!(parse_at(&SPEC, &filled(&template, &values), NOW), parse_at(&SPEC, OPEN, NOW));
    }

    #[test]
    fn the_test_notification_raises_nothing() {
        let test = r#"{"ImpactedEntities":[{"type":"HOST","name":"MyHost1","entity":"HOST-0000000000000"}],"ImpactedEntity":"MyHost1, MyService1","PID":"99999","ProblemID":"999","ProblemImpact":"INFRASTRUCTURE","ProblemTitle":"Dynatrace problem notification test run","State":"OPEN","Tags":"testtag1, testtag2"}"#;
        assert!(parse_at(&SPEC, test, NOW).is_empty());
    }

    #[test]
    fn times_are_taken_where_the_details_bring_them() {
        let with = |state: &str, body: &str| {
            let times = r#""ProblemDetailsJSONv2":{"startTime":1795239360000,"endTime":-1},"State""#;
            parse_at(
                &SPEC,
                &body.replace(r#""State""#, times).replace("OPEN\",\"PID", &format!("{state}\",\"PID")),
                NOW,
            )
            .remove(0)
        };
        assert_eq!(with("OPEN", OPEN).at.to_string(), "2026-11-21T05:36:00.000Z");
        assert_eq!(with("RESOLVED", OPEN).at.to_string(), NOW);
    }

    #[test]
    fn severities_and_services_can_be_configured() {
        let table = serde_json::json!({"severities": {"error": "critical"}, "service_label": "team"});
        let event = parse_with(&SPEC, &table, OPEN, NOW).remove(0);
        assert_eq!((event.severity, event.service.as_deref()), (Severity::Critical, Some("web")));
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &OPEN.replace(from, to), NOW);
        insta::assert_snapshot!(check(r#""State":"OPEN""#, r#""State":"NEW""#), @"`State`: expected `OPEN`, `RESOLVED` or `MERGED`, got NEW");
        insta::assert_snapshot!(check(r#""ERROR""#, r#""BAD""#), @"`ProblemSeverity`: expected `AVAILABILITY`, `ERROR`, `PERFORMANCE`, `RESOURCE_CONTENTION`, `RESOURCE`, `CUSTOM_ALERT`, `MONITORING_UNAVAILABLE` or `INFO`, got BAD");
        insta::assert_snapshot!(check(r#""PID""#, r#""Pid""#), @"`PID`: expected the internal id of the problem, got nothing");
        insta::assert_snapshot!(check(r#"[{"type":"SERVICE""#, r#"[5,{"type":"SERVICE""#), @"`ImpactedEntities[0]`: expected an object, got 5");
        insta::assert_snapshot!(parse_error(&SPEC, "{}", NOW), @"`ProblemTitle`: expected the title of the problem, got nothing");
    }
}
