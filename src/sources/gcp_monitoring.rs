//! Google Cloud Monitoring: the webhook notification channel.
//!
//! Decides that the incident is the condition, which open and closed share, and where its item is named: resources of
//! Google have no one field for it. Never asks Google anything.
//!
//! ```text
//! {"version":"1.2","incident":{"incident_id":"0.mz…","state":"open","started_at":1795239411,"policy_name":"…",…}}
//! ```
//!
//! Body: <https://cloud.google.com/monitoring/support/notification-options#webhooks> (read 2026-11-29).

use super::draft::{Tags, annotation, believed, blank, finish, label, meaning, severity, tags};
use super::fields::{Fields, required};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, is_http_url, json, push_alias};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::TEXT_BYTES_MAX;
use crate::model::{Event, EventStatus, Severity};
use serde::Deserialize;
use serde_json::Value;

pub const SPEC: SourceSpec = SourceSpec {
    name: "gcp_monitoring",
    title: "Google Cloud Monitoring (webhook channel)",
    docs: include_str!("../../docs/sources/gcp_monitoring.md"),
    examples: &[OPEN, CLOSED],
    // Whatever is not 2xx is tried again for a while.
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
    Ok(Box::new(GcpMonitoring { severities, service_label }))
}

struct GcpMonitoring {
    severities: Severities,
    service_label: Option<String>,
}

const SEVERITIES: [(&str, Severity); 4] = [
    ("Critical", Severity::Critical),
    ("Error", Severity::Major),
    ("Warning", Severity::Warning),
    ("No severity", Severity::Warning),
];

const STATES: [(&str, EventStatus); 3] =
    [("open", EventStatus::Firing), ("acknowledged", EventStatus::Acknowledged), ("closed", EventStatus::Resolved)];

const S_MS: i64 = 1_000;

impl Source for GcpMonitoring {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let mut body = Fields::read(json::text(inbound.body)?)?;
        match body.word("version")?.as_deref() {
            // What "Test Connection" sends.
            Some("test") => return Ok(Parsed::Events(Vec::new())),
            Some(version) if version == "1" || version.starts_with("1.") => {}
            version => return Err(ParseError::new("version", version.unwrap_or("nothing"), "`1.2` or another `1.`")),
        }
        let incident = required(body.object("incident")?, "incident", "an object")?;
        Ok(vec![self.event(inbound, incident)?].into())
    }
}

impl GcpMonitoring {
    fn event(&self, inbound: &Inbound<'_>, mut incident: Fields) -> Result<Event, ParseError> {
        let mut event = blank(inbound);
        event.dedup_key = incident.need_word("incident_id", "the id of the incident")?;
        let state = incident.need_word("state", "`open` or `closed`")?;
        event.status = meaning("incident.state", &state, &STATES)?;
        event.severity = match incident.word("severity")? {
            Some(word) => severity("incident.severity", &word, &self.severities, &SEVERITIES)?,
            None => Severity::Warning,
        };
        let (started_at, ended_at) = (incident.epoch("started_at", S_MS)?, incident.epoch("ended_at", S_MS)?);
        let at = if event.status == EventStatus::Resolved { ended_at } else { started_at };
        event.at = believed(at, inbound);
        let condition = incident.word("condition_name")?;
        let policy = incident.word("policy_name")?.or_else(|| condition.clone());
        event.name = required(policy, "incident.policy_name", "the name of the policy")?;
        let (mut labels, kind) = labelled(incident.object("resource")?, "type")?;
        let (metric_labels, metric) = labelled(incident.object("metric")?, "type")?;
        labels.extend(metric_labels);
        labels.extend(incident.pairs("policy_user_labels")?);
        if let Some(mut metadata) = incident.object("metadata")? {
            labels.extend(metadata.pairs("user_labels")?);
        }
        name_item(&mut event, &mut incident, &labels)?;
        tags(&mut event, labels);
        label(&mut event, "condition", condition.as_deref());
        label(&mut event, "resource_type", kind.as_deref());
        label(&mut event, "metric_type", metric.as_deref());
        label(&mut event, "project", incident.word("scoping_project_id")?.as_deref());
        event.service = self.service_label.as_deref().and_then(|name| event.labels.get(name)).map(str::to_owned);
        event.url = incident.link("url")?;
        annotation(&mut event, "summary", incident.prose("summary", TEXT_BYTES_MAX)?);
        document(&mut event, incident.take("documentation")?)?;
        event.extra.extend(incident.leftover());
        let told = at.unwrap_or(inbound.received_at).to_string();
        finish(event, &[&told])
    }
}

/// The labels of a resource or metric, and what kind it is.
fn labelled(object: Option<Fields>, kind: &str) -> Result<(Tags, Option<String>), ParseError> {
    let Some(mut object) = object else { return Ok((Vec::new(), None)) };
    Ok((object.pairs("labels")?, object.word(kind)?))
}

/// Labels that name the thing itself, in the order of how much they say.
const NAMING_LABELS: [&str; 11] = [
    "instance_name",
    "pod_name",
    "node_name",
    "service_name",
    "function_name",
    "database_id",
    "subscription_id",
    "topic_id",
    "bucket_name",
    "cluster_name",
    "host",
];

fn name_item(event: &mut Event, incident: &mut Fields, labels: &[(String, String)]) -> Result<(), ParseError> {
    let display = incident.word("resource_display_name")?;
    let by_label = NAMING_LABELS.iter().find_map(|wanted| labels.iter().find(|(name, _)| name == wanted));
    let (name, id) = (incident.word("resource_name")?, incident.word("resource_id")?);
    let item =
        display.or_else(|| by_label.map(|(_, value)| value.clone())).or_else(|| name.clone()).or_else(|| id.clone());
    if let Some(item) = item.filter(|item| !item.is_empty()) {
        for alias in [by_label.map(|(_, value)| value.as_str()), name.as_deref(), id.as_deref()] {
            push_alias(&mut event.aliases, &item, alias);
        }
        event.configuration_item = Some(item);
    }
    Ok(())
}

/// The policy's documentation, once a text and now an object with links.
fn document(event: &mut Event, documentation: Option<Value>) -> Result<(), ParseError> {
    match documentation {
        None => {}
        Some(Value::String(text)) => {
            annotation(event, "description", Some(text).filter(|text| text.len() <= TEXT_BYTES_MAX))
        }
        Some(value) => {
            let inside = |error: ParseError| error.inside("incident.documentation");
            let mut documentation = Fields::of(value).map_err(inside)?;
            annotation(event, "description", documentation.prose("content", TEXT_BYTES_MAX).map_err(inside)?);
            let links: Vec<Value> = documentation.take("links").map_err(inside)?.unwrap_or_default();
            let url = links.iter().find_map(|link| link.get("url")?.as_str()).filter(|url| is_http_url(url));
            annotation(event, "runbook_url", url.map(str::to_owned));
        }
    }
    Ok(())
}

const OPEN: &str = r#"{"version":"1.2","incident":{"incident_id":"0.opqiw61fsv7p","scoping_project_id":"shop-prod","scoping_project_number":12345,"url":"https://console.cloud.google.com/monitoring/alerting/incidents/0.opqiw61fsv7p?project=shop-prod","started_at":1795239411,"ended_at":null,"state":"open","severity":"Error","summary":"CPU utilization for shop-prod web-1 is above the threshold of 0.9 with a value of 0.97.","observed_value":"0.970","threshold_value":"0.9","resource_id":"11223344","resource_name":"shop-prod web-1","resource_display_name":"web-1","resource_type_display_name":"VM Instance","resource":{"type":"gce_instance","labels":{"instance_id":"11223344","project_id":"shop-prod","zone":"europe-west3-c"}},"metric":{"type":"compute.googleapis.com/instance/cpu/utilization","displayName":"CPU utilization","labels":{"instance_name":"web-1"}},"metadata":{"system_labels":{},"user_labels":{"team":"web"}},"policy_name":"CPU of web servers","policy_user_labels":{"service":"orders"},"condition_name":"VM Instance - CPU utilization","condition":{"name":"projects/shop-prod/alertPolicies/12345/conditions/12345","displayName":"VM Instance - CPU utilization","conditionThreshold":{"comparison":"COMPARISON_GT","thresholdValue":0.9,"duration":"0s"}},"documentation":{"content":"Look at the load balancer first.","mime_type":"text/markdown","subject":"[ALERT - Error] CPU","links":[{"displayName":"Runbook","url":"https://runbooks.lab.example/cpu"}]}}}"#;

const CLOSED: &str = r#"{"version":"1.2","incident":{"incident_id":"0.opqiw61fsv7p","scoping_project_id":"shop-prod","scoping_project_number":12345,"url":"https://console.cloud.google.com/monitoring/alerting/incidents/0.opqiw61fsv7p?project=shop-prod","started_at":1795239411,"ended_at":1795239711,"state":"CLOSED","severity":"Error","summary":"CPU utilization for shop-prod web-1 returned to normal.","observed_value":"0.100","resource_id":"11223344","resource_name":"shop-prod web-1","resource_display_name":"web-1","resource":{"type":"gce_instance","labels":{"instance_id":"11223344","project_id":"shop-prod"}},"metric":{"type":"compute.googleapis.com/instance/cpu/utilization","displayName":"CPU utilization","labels":{}},"policy_name":"CPU of web servers","policy_user_labels":{},"condition_name":"VM Instance - CPU utilization","documentation":"Look at the load balancer first."}}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_event, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn an_incident_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, OPEN, NOW, 0), @r#"
        {
          "id": "41cb80fa49bfe125",
          "at": "2026-11-21T05:36:51.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "gcp_monitoring",
          "status": "firing",
          "name": "CPU of web servers",
          "dedup_key": "0.opqiw61fsv7p",
          "severity": "major",
          "configuration_item": "web-1",
          "labels": {
            "condition": "VM Instance - CPU utilization",
            "instance_id": "11223344",
            "instance_name": "web-1",
            "metric_type": "compute.googleapis.com/instance/cpu/utilization",
            "project": "shop-prod",
            "project_id": "shop-prod",
            "resource_type": "gce_instance",
            "service": "orders",
            "team": "web",
            "zone": "europe-west3-c"
          },
          "annotations": {
            "description": "Look at the load balancer first.",
            "runbook_url": "https://runbooks.lab.example/cpu",
            "summary": "CPU utilization for shop-prod web-1 is above the threshold of 0.9 with a value of 0.97."
          },
          "url": "https://console.cloud.google.com/monitoring/alerting/incidents/0.opqiw61fsv7p?project=shop-prod",
          "aliases": [
            "11223344"
          ],
          "extra": {
            "condition": {
              "conditionThreshold": {
                "comparison": "COMPARISON_GT",
                "duration": "0s",
                "thresholdValue": 0.9
              },
              "displayName": "VM Instance - CPU utilization",
              "name": "projects/shop-prod/alertPolicies/12345/conditions/12345"
            },
            "observed_value": "0.970",
            "resource_type_display_name": "VM Instance",
            "scoping_project_number": 12345,
            "threshold_value": "0.9"
          }
        }
        "#);
        let closed = parse_at(&SPEC, CLOSED, NOW).remove(0);
        assert_eq!(
            (closed.status, closed.at.to_string().as_str()),
            (EventStatus::Resolved, "2026-11-21T05:41:51.000Z")
        );
        assert_eq!(closed.annotations.get("description"), Some("Look at the load balancer first."));
    }

    #[test]
    fn the_test_of_a_channel_raises_nothing() {
        let test = r#"{"version":"test","incident":{"incident_id":"12345","state":"OPEN","started_at":0,"ended_at":0,"policy_name":"projects/12345/alertPolicies/12345"}}"#;
        assert!(parse_at(&SPEC, test, NOW).is_empty());
    }

    #[test]
    fn items_are_named_by_what_says_most() {
        let item = |fields: &str| {
            let body = format!(
                r#"{{"version":"1.2","incident":{{"incident_id":"1","state":"open","policy_name":"x",{fields}}}}}"#
            );
            parse_at(&SPEC, &body, NOW).remove(0).configuration_item
        };
        let pod = r#""resource":{"type":"k8s_pod","labels":{"cluster_name":"c","pod_name":"shop-7f","namespace_name":"shop"}}"#;
        assert_eq!(item(pod).as_deref(), Some("shop-7f"));
        assert_eq!(item(&format!(r#"{pod},"resource_display_name":"shop""#)).as_deref(), Some("shop"));
        assert_eq!(item(r#""resource_name":"projects/x/y""#).as_deref(), Some("projects/x/y"));
        assert_eq!(item(r#""resource_name":"""#), None);
    }

    #[test]
    fn severities_and_services_can_be_configured() {
        let table = serde_json::json!({"severities": {"error": "minor"}, "service_label": "service"});
        let event = parse_with(&SPEC, &table, OPEN, NOW).remove(0);
        assert_eq!((event.severity, event.service.as_deref()), (Severity::Minor, Some("orders")));
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &OPEN.replace(from, to), NOW);
        insta::assert_snapshot!(check(r#""version":"1.2""#, r#""version":"2.0""#), @"`version`: expected `1.2` or another `1.`, got 2.0");
        insta::assert_snapshot!(check(r#""state":"open""#, r#""state":"snoozed""#), @"`incident.state`: expected `open`, `acknowledged` or `closed`, got snoozed");
        insta::assert_snapshot!(check(r#""severity":"Error""#, r#""severity":"Bad""#), @"`incident.severity`: expected `Critical`, `Error`, `Warning` or `No severity`, got Bad");
        insta::assert_snapshot!(check(r#""started_at":1795239411"#, r#""started_at":"noon""#), @"`incident.started_at`: expected seconds since 1970, got noon");
        insta::assert_snapshot!(check(r#""incident_id""#, r#""id""#), @"`incident.incident_id`: expected the id of the incident, got nothing");
        insta::assert_snapshot!(parse_error(&SPEC, r#"{"version":"1.2"}"#, NOW), @"`incident`: expected an object, got nothing");
        insta::assert_snapshot!(parse_error(&SPEC, "{}", NOW), @"`version`: expected `1.2` or another `1.`, got nothing");
    }
}
