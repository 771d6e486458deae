//! Datadog: its Webhooks integration, with the payload of our setup page.
//!
//! Decides what a transition of a monitor means and that the cycle key is the identity, which an alert and its recovery
//! share. Never asks Datadog anything.
//!
//! ```text
//! {"id":"…","alert_transition":"Triggered","alert_cycle_key":"…","alert_title":"CPU high","hostname":"web-1","tags":"env:prod,…"}
//! ```
//!
//! Variables: <https://docs.datadoghq.com/integrations/webhooks/> (read 2026-11-21).

use super::draft::{annotation, believed, blank, finish, label, meaning, severity, split_tags, tags};
use super::fields::{Fields, clipped, required};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::TEXT_BYTES_MAX;
use crate::model::{Event, EventStatus, Severity};
use serde::Deserialize;

pub const SPEC: SourceSpec = SourceSpec {
    name: "datadog",
    title: "Datadog (webhooks integration)",
    docs: include_str!("../../docs/sources/datadog.md"),
    examples: &[TRIGGERED, RECOVERED, WARN, NO_DATA],
    // It tries again after a 5xx; a 4xx is final.
    overload: Overload::ServiceUnavailable,
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
    Ok(Box::new(Datadog { severities, service_label }))
}

struct Datadog {
    severities: Severities,
    service_label: Option<String>,
}

const PRIORITIES: [(&str, Severity); 5] = [
    ("P1", Severity::Critical),
    ("P2", Severity::Major),
    ("P3", Severity::Minor),
    ("P4", Severity::Warning),
    ("P5", Severity::Info),
];

const TYPES: [(&str, Severity); 4] = [
    ("error", Severity::Critical),
    ("warning", Severity::Warning),
    ("info", Severity::Info),
    ("success", Severity::Info),
];

const TRANSITIONS: [(&str, EventStatus); 10] = [
    ("Triggered", EventStatus::Firing),
    ("Re-Triggered", EventStatus::Firing),
    ("Renotify", EventStatus::Firing),
    ("Warn", EventStatus::Firing),
    ("Re-Warn", EventStatus::Firing),
    ("No Data", EventStatus::Firing),
    ("Re-No Data", EventStatus::Firing),
    ("Recovered", EventStatus::Resolved),
    ("Warn Recovered", EventStatus::Resolved),
    ("No Data Recovered", EventStatus::Resolved),
];

impl Source for Datadog {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let body = Fields::read(json::text(inbound.body)?)?;
        Ok(Vec::from_iter(self.event(inbound, body)?).into())
    }
}

impl Datadog {
    fn event(&self, inbound: &Inbound<'_>, mut body: Fields) -> Result<Option<Event>, ParseError> {
        body.forget(is_unresolved);
        let title = body.word("title")?;
        // What "Test Notifications" of a monitor sends.
        if title.as_deref().is_some_and(|title| title.starts_with("[TEST]")) {
            return Ok(None);
        }
        let transition = body.need_word("alert_transition", "the transition of a monitor such as `Triggered`")?;
        let mut event = blank(inbound);
        event.status = meaning("alert_transition", &transition, &TRANSITIONS)?;
        let id = body.word("id")?;
        let at = body.epoch("date", 1)?;
        event.at = believed(at, inbound);
        let (monitor, scope) = (body.word("alert_id")?, body.word("alert_scope")?);
        event.dedup_key = match body.word("alert_cycle_key")? {
            Some(key) => key,
            None => {
                let monitor = required(monitor.as_deref(), "alert_cycle_key", "the cycle's key, or `alert_id`")?;
                format!("{monitor}/{}", scope.as_deref().unwrap_or_default())
            }
        };
        let named = body.word("alert_title")?.or_else(|| title.clone());
        event.name = plain_title(&required(named, "alert_title", "the title of the monitor")?);
        event.severity = self.severity(&mut body, &transition)?;
        let all = split_tags(&body.list("tags")?.join(","));
        let host = all.iter().find(|(name, _)| name == "host").map(|(_, value)| value.clone());
        event.configuration_item = body.word("hostname")?.or(host);
        tags(&mut event, all);
        label(&mut event, "monitor_id", monitor.as_deref());
        label(&mut event, "scope", scope.as_deref());
        label(&mut event, "metric", body.word("alert_metric")?.as_deref());
        label(&mut event, "organization", body.word("org_name")?.as_deref());
        event.service = self.service_label.as_deref().and_then(|name| event.labels.get(name)).map(str::to_owned);
        event.url = body.link("link")?;
        annotation(&mut event, "summary", title.map(|title| clipped(&title, TEXT_BYTES_MAX)));
        annotation(&mut event, "description", body.prose("body", TEXT_BYTES_MAX)?);
        annotation(&mut event, "query", body.prose("alert_query", TEXT_BYTES_MAX)?);
        annotation(&mut event, "snapshot_url", body.link("snapshot")?);
        event.extra.extend(body.leftover());
        event.extra.insert("alert_transition".to_owned(), transition.into());
        let told = id.unwrap_or_else(|| at.unwrap_or(inbound.received_at).to_string());
        finish(event, &[&told]).map(Some)
    }

    /// The monitor's priority where it has one; a warning is one whatever the monitor's priority is.
    fn severity(&self, body: &mut Fields, transition: &str) -> Result<Severity, ParseError> {
        let (priority, kind) = (body.word("alert_priority")?, body.word("alert_type")?);
        if let Some(word) = priority.filter(|word| !word.eq_ignore_ascii_case("normal")) {
            let severity = severity("alert_priority", &word, &self.severities, &PRIORITIES)?;
            let is_warning = transition.ends_with("Warn");
            return Ok(if is_warning { severity.max(Severity::Warning) } else { severity });
        }
        match kind {
            Some(word) => severity("alert_type", &word, &self.severities, &TYPES),
            None => Ok(Severity::Warning),
        }
    }
}

/// A variable that has no value in this event stays as it is.
fn is_unresolved(text: &str) -> bool {
    let name = text.strip_prefix('$').unwrap_or_default();
    text == "null" || (!name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
}

/// `[P1] [Triggered on {host:web-1}] CPU high` without what the other fields say.
fn plain_title(title: &str) -> String {
    let mut rest = title.trim();
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
        rest = after.trim_start();
    }
    if rest.is_empty() { title.trim() } else { rest }.to_owned()
}

const TRIGGERED: &str = r#"{"id":"8306082202796025694","date":"1795239411000","last_updated":"1795239412000","event_type":"query_alert_monitor","title":"[P2] [Triggered on {host:web-1}] CPU is high","alert_title":"CPU is high","body":"CPU usage above 90% on web-1. The monitor was last triggered at Sat Nov 21 2026 05:36:51 UTC.","alert_id":"221164084","alert_cycle_key":"1ba9b1a7d3e8f0c2","alert_transition":"Triggered","alert_type":"error","alert_priority":"P2","alert_scope":"host:web-1","alert_metric":"system.cpu.user","alert_query":"avg(last_5m):avg:system.cpu.user{*} by {host} > 90","hostname":"web-1","tags":"env:prod,host:web-1,monitor,service:shop,team:web,team:sre","link":"https://app.datadoghq.com/monitors/221164084?group=host%3Aweb-1","org_id":"352347","org_name":"lab","aggreg_key":"9f1b2c","snapshot":"https://p.datadoghq.com/snapshot/view/dd-snapshots-prod/org_352347/x.png"}"#;

const RECOVERED: &str = r#"{"id":"8306082202796025699","date":"1795239711000","last_updated":"1795239712000","event_type":"query_alert_monitor","title":"[P2] [Recovered on {host:web-1}] CPU is high","alert_title":"CPU is high","body":"CPU usage is back to normal.","alert_id":"221164084","alert_cycle_key":"1ba9b1a7d3e8f0c2","alert_transition":"Recovered","alert_type":"success","alert_priority":"P2","alert_scope":"host:web-1","alert_metric":"system.cpu.user","alert_query":"","hostname":"web-1","tags":"env:prod,host:web-1,monitor","link":"https://app.datadoghq.com/monitors/221164084?group=host%3Aweb-1","org_id":"352347","org_name":"lab","aggreg_key":"9f1b2c","snapshot":"null"}"#;

const WARN: &str = r#"{"id":"8306082202796025701","date":"1795239311000","title":"[Warn on {device:/var,host:db-3}] Disk fills up","alert_title":"Disk fills up","body":"","alert_id":"221164090","alert_cycle_key":"77aa","alert_transition":"Warn","alert_type":"warning","alert_priority":"P1","alert_scope":"device:/var,host:db-3","hostname":"$HOSTNAME","tags":"device:/var,host:db-3","link":"https://app.datadoghq.com/monitors/221164090"}"#;

/// A monitor without a priority, about no host.
const NO_DATA: &str = r#"{"id":"8306082202796025702","date":"1795239312000","title":"[No Data] Checkout stopped reporting","alert_title":"Checkout stopped reporting","alert_id":"221164091","alert_cycle_key":"","alert_transition":"No Data","alert_type":"warning","alert_priority":"normal","alert_scope":"kube_deployment:checkout","hostname":"","tags":["kube_deployment:checkout","env:prod"],"link":"https://app.datadoghq.com/monitors/221164091"}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{block, check_event, filled, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn an_alert_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, TRIGGERED, NOW, 0), @r#"
        {
          "id": "beafa0c123a42840",
          "at": "2026-11-21T05:36:51.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "datadog",
          "status": "firing",
          "name": "CPU is high",
          "dedup_key": "1ba9b1a7d3e8f0c2",
          "severity": "major",
          "configuration_item": "web-1",
          "labels": {
            "env": "prod",
            "host": "web-1",
            "metric": "system.cpu.user",
            "monitor": "true",
            "monitor_id": "221164084",
            "organization": "lab",
            "scope": "host:web-1",
            "service": "shop",
            "team": "web,sre"
          },
          "annotations": {
            "description": "CPU usage above 90% on web-1. The monitor was last triggered at Sat Nov 21 2026 05:36:51 UTC.",
            "query": "avg(last_5m):avg:system.cpu.user{*} by {host} > 90",
            "snapshot_url": "https://p.datadoghq.com/snapshot/view/dd-snapshots-prod/org_352347/x.png",
            "summary": "[P2] [Triggered on {host:web-1}] CPU is high"
          },
          "url": "https://app.datadoghq.com/monitors/221164084?group=host%3Aweb-1",
          "extra": {
            "aggreg_key": "9f1b2c",
            "alert_transition": "Triggered",
            "event_type": "query_alert_monitor",
            "last_updated": "1795239412000",
            "org_id": "352347"
          }
        }
        "#);
    }

    #[test]
    fn warnings_and_missing_data_have_their_own_weight() {
        let (warn, no_data) = (parse_at(&SPEC, WARN, NOW).remove(0), parse_at(&SPEC, NO_DATA, NOW).remove(0));
        assert_eq!((warn.severity, warn.configuration_item.as_deref()), (Severity::Warning, Some("db-3")));
        assert_eq!(
            (no_data.severity, no_data.dedup_key.as_str()),
            (Severity::Warning, "221164091/kube_deployment:checkout")
        );
        assert_eq!(no_data.configuration_item, None);
    }

    #[test]
    fn titles_lose_what_other_fields_say() {
        assert_eq!(plain_title("[P1] [Triggered on {host:web-1}] CPU [user] high"), "CPU [user] high");
        assert_eq!(plain_title("[only]"), "[only]");
    }

    #[test]
    fn a_test_notification_raises_nothing() {
        let test = TRIGGERED.replace(r#""title":"[P2] [Triggered"#, r#""title":"[TEST] [P2] [Triggered"#);
        assert!(parse_at(&SPEC, &test, NOW).is_empty());
    }

    /// The page's payload, as Datadog fills it in.
    #[test]
    fn the_payload_of_the_page_is_read() {
        let values = [
            ("$ID", "8306082202796025694"),
            ("$DATE", "1795239411000"),
            ("$LAST_UPDATED", "1795239412000"),
            ("$EVENT_TYPE", "query_alert_monitor"),
            ("$EVENT_TITLE", "[P2] [Triggered on {host:web-1}] CPU is high"),
            ("$ALERT_TITLE", "CPU is high"),
            (
                "$TEXT_ONLY_MSG",
                "CPU usage above 90% on web-1. The monitor was last triggered at Sat Nov 21 2026 05:36:51 UTC.",
            ),
            ("$ALERT_ID", "221164084"),
            ("$ALERT_CYCLE_KEY", "1ba9b1a7d3e8f0c2"),
            ("$ALERT_TRANSITION", "Triggered"),
            ("$ALERT_TYPE", "error"),
            ("$ALERT_PRIORITY", "P2"),
            ("$ALERT_SCOPE", "host:web-1"),
            ("$ALERT_METRIC", "system.cpu.user"),
            ("$ALERT_QUERY", "avg(last_5m):avg:system.cpu.user{*} by {host} > 90"),
            ("$HOSTNAME", "web-1"),
            ("$TAGS", "env:prod,host:web-1,monitor,service:shop,team:web,team:sre"),
            ("$LINK", "https://app.datadoghq.com/monitors/221164084?group=host%3Aweb-1"),
            ("$ORG_ID", "352347"),
            ("$ORG_NAME", "lab"),
            ("$AGGREG_KEY", "9f1b2c"),
            ("$SNAPSHOT", "https://p.datadoghq.com/snapshot/view/dd-snapshots-prod/org_352347/x.png"),
        ];
        let template = block(SPEC.docs, "json", 1);
        assert_eq!(parse_at(&SPEC, &filled(&template, &values), NOW), parse_at(&SPEC, TRIGGERED, NOW));
    }

    #[test]
    fn severities_and_services_can_be_configured() {
        let table = serde_json::json!({"severities": {"p2": "critical"}, "service_label": "service"});
        let event = parse_with(&SPEC, &table, TRIGGERED, NOW).remove(0);
        assert_eq!((event.severity, event.service.as_deref()), (Severity::Critical, Some("shop")));
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &TRIGGERED.replace(from, to), NOW);
        insta::assert_snapshot!(check(r#""Triggered""#, r#""Muted""#), @"`alert_transition`: expected `Triggered`, `Re-Triggered`, `Renotify`, `Warn`, `Re-Warn`, `No Data`, `Re-No Data`, `Recovered`, `Warn Recovered` or `No Data Recovered`, got Muted");
        insta::assert_snapshot!(check(r#""Triggered""#, r#""$ALERT_TRANSITION""#), @"`alert_transition`: expected the transition of a monitor such as `Triggered`, got nothing");
        insta::assert_snapshot!(check(r#""P2""#, r#""P9""#), @"`alert_priority`: expected `P1`, `P2`, `P3`, `P4` or `P5`, got P9");
        insta::assert_snapshot!(check(r#""1795239411000""#, r#""today""#), @"`date`: expected milliseconds since 1970, got today");
        insta::assert_snapshot!(parse_error(&SPEC, r#"{"alert_transition":"Warn"}"#, NOW), @"`alert_cycle_key`: expected the cycle's key, or `alert_id`, got nothing");
        insta::assert_snapshot!(parse_error(&SPEC, r#"{"alert_transition":"Warn","alert_id":5}"#, NOW), @"`alert_title`: expected the title of the monitor, got nothing");
    }
}
