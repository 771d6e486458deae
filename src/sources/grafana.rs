//! Grafana's own alerting (unified alerting): its webhook contact point, version 1.
//!
//! Decides per alert, as for Alertmanager, whose shape it borrows. Grafana's fingerprint is the identity: it is of labels
//! that it keeps to itself, and only unique within an organization. Never resolves what a truncated group leaves out.
//!
//! ```text
//! {"version":"1","orgId":1,"status":"firing","alerts":[{"status":"firing","labels":{…},"fingerprint":"…",…}],…}
//! ```
//!
//! Body: <https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/>,
//! `receivers/webhook/v1/webhook.go` and `templates/template_data.go` in grafana/alerting (read 2026-11-21).

use super::draft::{annotation, believed, blank, finish};
use super::fields::Fields;
use super::prometheus_alert::{AlertStatus, Reading};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json};
use crate::error::{ConfigError, Table, read_table};
use crate::model::{Event, EventStatus, Fingerprint, Labels, Timestamp};
use serde::Deserialize;
use serde_json::Value;

pub const SPEC: SourceSpec = SourceSpec {
    name: "grafana",
    title: "Grafana (alerting, webhook contact point)",
    docs: include_str!("../../docs/sources/grafana.md"),
    examples: &[FIRING, PARTLY_RESOLVED, NO_DATA],
    // Its notifier is that of Alertmanager: only a 5xx is tried again.
    overload: Overload::ServiceUnavailable,
    build,
};

/// The version of the body that is read here.
const VERSION: &str = "1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
    service_label: Option<String>,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities, service_label } = read_table(table)?;
    Ok(Box::new(Grafana { reading: Reading { severities, service_label } }))
}

struct Grafana {
    reading: Reading,
}

impl Source for Grafana {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let mut body = Fields::read(json::text(inbound.body)?)?;
        match body.word("version")?.as_deref() {
            Some(VERSION) => {}
            version => return Err(ParseError::new("version", version.unwrap_or("nothing"), format!("`{VERSION}`"))),
        }
        let organization = body.word("orgId")?;
        let truncated: u64 = body.take("truncatedAlerts")?.unwrap_or(0);
        let alerts: Vec<Value> = body.need("alerts", "an array of alerts")?;
        let mut events = Vec::with_capacity(alerts.len());
        for (index, alert) in alerts.into_iter().enumerate() {
            let event =
                Fields::of(alert).and_then(|alert| self.event(inbound, alert, organization.as_deref(), truncated));
            events.extend(event.map_err(|error| error.inside(&format!("alerts[{index}]")))?);
        }
        Ok(events.into())
    }
}

/// What `name` becomes when the labels hold none.
const NAMELESS: &str = "alert";

impl Grafana {
    fn event(
        &self,
        inbound: &Inbound<'_>,
        mut alert: Fields,
        organization: Option<&str>,
        truncated: u64,
    ) -> Result<Option<Event>, ParseError> {
        let labels: Labels = alert.need("labels", "an object with at least one label")?;
        if labels.is_empty() {
            return Err(ParseError::new("labels", "no label", "an object with at least one label"));
        }
        if is_test(&labels) {
            return Ok(None);
        }
        let status: AlertStatus = alert.need("status", "`firing` or `resolved`")?;
        let annotations: Labels = alert.take("annotations")?.unwrap_or_default();
        let given = |at: Option<Timestamp>| at.filter(|at| !at.is_go_zero());
        let (starts_at, ends_at) = (given(alert.time("startsAt")?), given(alert.time("endsAt")?));
        let mut event = blank(inbound);
        (event.status, event.at) = match status {
            AlertStatus::Firing => (EventStatus::Firing, believed(starts_at, inbound)),
            AlertStatus::Resolved => (EventStatus::Resolved, believed(ends_at, inbound)),
        };
        let fingerprint = alert.word("fingerprint")?.unwrap_or_else(|| labels.fingerprint().to_string());
        event.dedup_key = match organization {
            Some(organization) => format!("{organization}/{fingerprint}"),
            None => fingerprint,
        };
        event.name = labels.get("alertname").unwrap_or(NAMELESS).to_owned();
        event.severity = self.reading.severity(&labels);
        event.service = self.reading.service_label.as_deref().and_then(|name| labels.get(name)).map(str::to_owned);
        event.url = alert.link("generatorURL")?;
        let texts = Fingerprint::of(annotations.iter().flat_map(|(name, text)| [name, text])).to_string();
        (event.labels, event.annotations) = (labels, annotations);
        for (name, field) in
            [("dashboard_url", "dashboardURL"), ("panel_url", "panelURL"), ("silence_url", "silenceURL")]
        {
            annotation(&mut event, name, alert.link(field)?);
        }
        event.extra = alert.leftover();
        if truncated > 0 {
            event.extra.insert("truncated_alerts".to_owned(), truncated.into());
        }
        // A repetition with a new text is news; one that is sent again says the same.
        let millis = |at: Option<Timestamp>| at.map_or(0, Timestamp::as_millis).to_string();
        let ends_at = if event.status == EventStatus::Resolved { millis(ends_at) } else { String::new() };
        finish(event, &[&millis(starts_at), &ends_at, &texts]).map(Some)
    }
}

/// What the button "Test" of a contact point sends.
fn is_test(labels: &Labels) -> bool {
    labels.get("alertname") == Some("TestAlert") && labels.get("instance") == Some("Grafana")
}

const FIRING: &str = r#"{"receiver":"watchbell","status":"firing","orgId":1,"alerts":[{"status":"firing","labels":{"alertname":"High memory usage","grafana_folder":"infrastructure","instance":"web1:9100","severity":"critical","team":"blue"},"annotations":{"description":"The system has high memory usage","runbook_url":"https://runbooks.lab.example/memory","summary":"Memory of web1 is 94 % full"},"startsAt":"2026-11-21T05:34:20Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"https://grafana.lab.example/alerting/grafana/ADsfq4R4k/view?orgId=1","fingerprint":"c6eadffa33fcdf37","silenceURL":"https://grafana.lab.example/alerting/silence/new?alertmanager=grafana&matcher=alertname%3DHigh+memory+usage","dashboardURL":"https://grafana.lab.example/d/3rT5dq4Gz?orgId=1","panelURL":"https://grafana.lab.example/d/3rT5dq4Gz?orgId=1&viewPanel=4","values":{"B":94.23,"C":1},"valueString":"[ var='B' labels={instance=web1:9100} value=94.23 ]","orgId":1},{"status":"firing","labels":{"alertname":"High memory usage","grafana_folder":"infrastructure","instance":"web2:9100","severity":"critical","team":"blue"},"annotations":{"summary":"Memory of web2 is 91 % full"},"startsAt":"2026-11-21T05:34:20Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"https://grafana.lab.example/alerting/grafana/ADsfq4R4k/view?orgId=1","fingerprint":"85856f0bc0058987","silenceURL":"","dashboardURL":"","panelURL":"","values":{"B":91.1},"valueString":""}],"groupLabels":{"alertname":"High memory usage"},"commonLabels":{"alertname":"High memory usage","grafana_folder":"infrastructure","severity":"critical","team":"blue"},"commonAnnotations":{},"externalURL":"https://grafana.lab.example/","version":"1","groupKey":"{}:{alertname=\"High memory usage\"}","truncatedAlerts":0,"title":"[FIRING:2] High memory usage infrastructure (critical blue)","state":"alerting","message":"**Firing**"}"#;

/// One is over, so the group still fires.
const PARTLY_RESOLVED: &str = r#"{"receiver":"watchbell","status":"firing","orgId":1,"alerts":[{"status":"firing","labels":{"alertname":"High memory usage","grafana_folder":"infrastructure","instance":"web1:9100","severity":"critical","team":"blue"},"annotations":{"summary":"Memory of web1 is 94 % full"},"startsAt":"2026-11-21T05:34:20Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"https://grafana.lab.example/alerting/grafana/ADsfq4R4k/view?orgId=1","fingerprint":"c6eadffa33fcdf37","values":{"B":94.23}},{"status":"resolved","labels":{"alertname":"High memory usage","grafana_folder":"infrastructure","instance":"web2:9100","severity":"critical","team":"blue"},"annotations":{"summary":"Memory of web2 is 91 % full"},"startsAt":"2026-11-21T05:34:20Z","endsAt":"2026-11-21T05:41:30Z","generatorURL":"https://grafana.lab.example/alerting/grafana/ADsfq4R4k/view?orgId=1","fingerprint":"85856f0bc0058987","values":null}],"groupLabels":{"alertname":"High memory usage"},"commonLabels":{},"commonAnnotations":{},"externalURL":"https://grafana.lab.example/","appVersion":"12.1.0","version":"1","groupKey":"{}:{alertname=\"High memory usage\"}","truncatedAlerts":0,"title":"[FIRING:1, RESOLVED:1] High memory usage","state":"alerting","message":""}"#;

/// A rule that got no data: an alert of its own, beside the rule's.
const NO_DATA: &str = r#"{"receiver":"watchbell","status":"firing","orgId":2,"alerts":[{"status":"firing","labels":{"alertname":"DatasourceNoData","datasource_uid":"P1809F7CD0C75ACF3","grafana_folder":"shop","ref_id":"A","rulename":"Checkout errors"},"annotations":{},"startsAt":"2026-11-21T05:40:00Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"https://grafana.lab.example/alerting/grafana/f3bd3c7e/view?orgId=2","fingerprint":"1f4e8d34c4a0b1a2","values":null,"valueString":""}],"groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"https://grafana.lab.example/","version":"1","groupKey":"{}:{}","truncatedAlerts":3,"title":"[FIRING:1]","state":"alerting","message":""}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_event, inbound_at, parse_at, parse_error};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn an_alert_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, FIRING, NOW, 0), @r#"
        {
          "id": "4523b08c0b950afa",
          "at": "2026-11-21T05:34:20.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "grafana",
          "status": "firing",
          "name": "High memory usage",
          "dedup_key": "1/c6eadffa33fcdf37",
          "severity": "critical",
          "labels": {
            "alertname": "High memory usage",
            "grafana_folder": "infrastructure",
            "instance": "web1:9100",
            "severity": "critical",
            "team": "blue"
          },
          "annotations": {
            "dashboard_url": "https://grafana.lab.example/d/3rT5dq4Gz?orgId=1",
            "description": "The system has high memory usage",
            "panel_url": "https://grafana.lab.example/d/3rT5dq4Gz?orgId=1&viewPanel=4",
            "runbook_url": "https://runbooks.lab.example/memory",
            "silence_url": "https://grafana.lab.example/alerting/silence/new?alertmanager=grafana&matcher=alertname%3DHigh+memory+usage",
            "summary": "Memory of web1 is 94 % full"
          },
          "url": "https://grafana.lab.example/alerting/grafana/ADsfq4R4k/view?orgId=1",
          "extra": {
            "orgId": 1,
            "valueString": "[ var='B' labels={instance=web1:9100} value=94.23 ]",
            "values": {
              "B": 94.23,
              "C": 1
            }
          }
        }
        "#);
    }

    #[test]
    fn each_alert_has_its_own_status() {
        let (firing, later) = (parse_at(&SPEC, FIRING, NOW), parse_at(&SPEC, PARTLY_RESOLVED, NOW));
        assert_eq!((later[0].status, later[1].status), (EventStatus::Firing, EventStatus::Resolved));
        assert_eq!(firing[1].dedup_key, later[1].dedup_key);
        assert_eq!(later[1].at.to_string(), "2026-11-21T05:41:30.000Z");
        assert_ne!(firing[0].id, later[0].id, "another text is news");
        let no_data = parse_at(&SPEC, NO_DATA, NOW).remove(0);
        assert_eq!((no_data.name.as_str(), no_data.dedup_key.as_str()), ("DatasourceNoData", "2/1f4e8d34c4a0b1a2"));
        assert_eq!(no_data.extra["truncated_alerts"], 3);
    }

    #[test]
    fn the_test_of_a_contact_point_raises_nothing() {
        let test = r#"{"version":"1","orgId":1,"alerts":[{"status":"firing","labels":{"alertname":"TestAlert","instance":"Grafana"},"annotations":{"summary":"Notification test"},"startsAt":"2026-11-21T05:34:20Z","fingerprint":"57c6d9296de2ad39"}]}"#;
        assert!(parse_at(&SPEC, test, NOW).is_empty());
    }

    #[test]
    fn words_and_services_can_be_configured() {
        let table = serde_json::json!({"severities": {"page": "minor"}, "service_label": "team"});
        let source = build(table.as_object().unwrap()).unwrap();
        let body = FIRING.replace(r#""severity":"critical""#, r#""severity":"page""#);
        let event = source.parse(&inbound_at("grafana", &body, NOW)).unwrap().into_events().remove(0);
        assert_eq!((event.severity.as_str(), event.service.as_deref()), ("minor", Some("blue")));
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |body: &str| parse_error(&SPEC, body, NOW);
        let one = |alert: &str| parse_error(&SPEC, &format!(r#"{{"version":"1","alerts":[{alert}]}}"#), NOW);
        insta::assert_snapshot!(check(r#"{"version":"4","alerts":[]}"#), @"`version`: expected `1`, got 4");
        insta::assert_snapshot!(check(r#"{"title":"[Alerting] x","ruleId":1,"state":"alerting"}"#), @"`version`: expected `1`, got nothing");
        insta::assert_snapshot!(check(r#"{"version":"1"}"#), @"`alerts`: expected an array of alerts, got nothing");
        insta::assert_snapshot!(one("5"), @"`alerts[0]`: expected an object, got 5");
        insta::assert_snapshot!(one(r#"{"labels":{}}"#), @"`alerts[0].labels`: expected an object with at least one label, got no label");
        insta::assert_snapshot!(one(r#"{"labels":{"a":"b"}}"#), @"`alerts[0].status`: expected `firing` or `resolved`, got nothing");
        insta::assert_snapshot!(one(r#"{"labels":{"a":"b"},"status":"pending"}"#), @"`alerts[0].status`: expected `firing` or `resolved`, got `pending`");
        insta::assert_snapshot!(one(r#"{"labels":{"a":"b"},"status":"firing","startsAt":"noon"}"#), @"`alerts[0].startsAt`: expected an RFC 3339 time such as `2026-11-21T05:00:00Z`, got `noon`");
    }
}
