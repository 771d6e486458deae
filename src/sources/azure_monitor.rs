//! Azure Monitor: the webhook of an action group, in the common alert schema.
//!
//! Decides what a monitor condition means and that the alert's id is the identity, which fired and resolved share. What
//! Azure never resolves ends by itself after a while. Never changes an alert's state in Azure.
//!
//! ```text
//! {"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertId":"…","severity":"Sev1","monitorCondition":"Fired",…},…}}
//! ```
//!
//! Schema: <https://learn.microsoft.com/en-us/azure/azure-monitor/alerts/alerts-common-schema> (read 2026-11-29).

use super::draft::{annotation, believed, blank, finish, label, meaning, severity, tags};
use super::fields::{Fields, clipped, required};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json, push_alias};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::{LABEL_VALUE_BYTES_MAX, TEXT_BYTES_MAX};
use crate::model::{Event, EventStatus, Severity, Span};
use serde::Deserialize;
use serde_json::Value;

pub const SPEC: SourceSpec = SourceSpec {
    name: "azure_monitor",
    title: "Azure Monitor (action group, common alert schema)",
    docs: include_str!("../../docs/sources/azure_monitor.md"),
    examples: &[FIRED, RESOLVED, ACTIVITY],
    // It tries again after 408, 429, 503 and 504, and then leaves the address alone for a quarter of an hour.
    overload: Overload::TooManyRequests,
    build,
};

const SCHEMA: &str = "azureMonitorCommonAlertSchema";

/// The subscription of what "Test action group" sends.
const TEST_SUBSCRIPTION: &str = "/subscriptions/11111111-1111-1111-1111-111111111111/";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
    service_label: Option<String>,
    #[serde(default)]
    stateless_rules: Vec<String>,
    #[serde(default = "default_expires_after")]
    expires_after: Span,
}

const fn default_expires_after() -> Span {
    Span::from_hours(24)
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities, service_label, stateless_rules, expires_after } = read_table(table)?;
    if expires_after.is_zero() {
        return Err(ConfigError::new("expires_after", "expected more than `0s`: alerts would be over at once"));
    }
    Ok(Box::new(AzureMonitor { severities, service_label, stateless_rules, expires_after }))
}

struct AzureMonitor {
    severities: Severities,
    service_label: Option<String>,
    stateless_rules: Vec<String>,
    expires_after: Span,
}

const SEVERITIES: [(&str, Severity); 5] = [
    ("Sev0", Severity::Critical),
    ("Sev1", Severity::Major),
    ("Sev2", Severity::Warning),
    ("Sev3", Severity::Info),
    ("Sev4", Severity::Info),
];

const CONDITIONS: [(&str, EventStatus); 2] = [("Fired", EventStatus::Firing), ("Resolved", EventStatus::Resolved)];

impl Source for AzureMonitor {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let mut body = Fields::read(json::text(inbound.body)?)?;
        match body.word("schemaId")?.as_deref() {
            Some(SCHEMA) => {}
            schema => {
                let expected = format!("`{SCHEMA}`: switch the common alert schema on in the action group");
                return Err(ParseError::new("schemaId", schema.unwrap_or("nothing"), expected));
            }
        }
        let mut data = required(body.object("data")?, "data", "an object")?;
        let essentials = required(data.object("essentials")?, "data.essentials", "an object")?;
        Ok(Vec::from_iter(self.event(inbound, data, essentials)?).into())
    }
}

impl AzureMonitor {
    fn event(
        &self,
        inbound: &Inbound<'_>,
        mut data: Fields,
        mut essentials: Fields,
    ) -> Result<Option<Event>, ParseError> {
        let alert_id = essentials.need_word("alertId", "the id of the alert")?;
        if alert_id.starts_with(TEST_SUBSCRIPTION) {
            return Ok(None);
        }
        let mut event = blank(inbound);
        // Its parts mind no case, and services write them differently.
        event.dedup_key = alert_id.to_lowercase();
        let condition = essentials.need_word("monitorCondition", "`Fired` or `Resolved`")?;
        event.status = meaning("data.essentials.monitorCondition", &condition, &CONDITIONS)?;
        let word = essentials.need_word("severity", "`Sev0` to `Sev4`")?;
        event.severity = severity("data.essentials.severity", &word, &self.severities, &SEVERITIES)?;
        event.name = essentials.need_word("alertRule", "the name of the rule")?;
        let (fired_at, resolved_at) = (essentials.time("firedDateTime")?, essentials.time("resolvedDateTime")?);
        let at = if event.status == EventStatus::Resolved { resolved_at } else { fired_at };
        event.at = believed(at, inbound);
        let targets = essentials.list("alertTargetIDs")?;
        let mut items = essentials.list("configurationItems")?;
        items.extend(targets.iter().filter_map(|target| target.rsplit('/').next()).map(str::to_owned));
        event.configuration_item = items.first().cloned();
        for item in items.iter().skip(1).take(8) {
            push_alias(&mut event.aliases, &items[0], Some(item));
        }
        let signal = essentials.word("signalType")?;
        tags(&mut event, data.pairs("customProperties")?);
        label(&mut event, "severity", Some(&word));
        label(&mut event, "signal_type", signal.as_deref());
        label(&mut event, "monitoring_service", essentials.word("monitoringService")?.as_deref());
        label_target(&mut event, targets.first().map(String::as_str).unwrap_or(&alert_id));
        event.service = self.service_label.as_deref().and_then(|name| event.labels.get(name)).map(str::to_owned);
        event.url = essentials.link("investigationLink")?;
        if let Some(context) = data.object("alertContext")? {
            event.extra.insert("alert_context".to_owned(), context.copied());
            annotation(&mut event, "summary", summary(context)?);
        }
        annotation(&mut event, "description", essentials.prose("description", TEXT_BYTES_MAX)?);
        // Nobody ends these in Azure.
        let is_stateless = signal.as_deref().is_some_and(|signal| signal.eq_ignore_ascii_case("Activity Log"))
            || self.stateless_rules.contains(&event.name);
        if is_stateless && event.status == EventStatus::Firing {
            event.expires_at = Some(event.at + self.expires_after);
            event.is_end_assumed = true;
        }
        event.extra.retain(|_, value| value.to_string().len() <= LABEL_VALUE_BYTES_MAX);
        event.extra.extend(essentials.leftover());
        let millis = at.unwrap_or(inbound.received_at).to_string();
        finish(event, &[&millis]).map(Some)
    }
}

/// `/subscriptions/<id>/resourcegroups/<name>/providers/<type>/…`
fn label_target(event: &mut Event, target: &str) {
    let parts: Vec<&str> = target.split('/').collect();
    let after = |name: &str| {
        let at = parts.iter().position(|part| part.eq_ignore_ascii_case(name))?;
        parts.get(at + 1).copied()
    };
    label(event, "subscription", after("subscriptions"));
    label(event, "resource_group", after("resourcegroups"));
    label(
        event,
        "resource_type",
        after("providers").filter(|name| !name.eq_ignore_ascii_case("Microsoft.AlertsManagement")),
    );
}

/// `Percentage CPU GreaterThan 90 (97.5)` of a metric, the operation of an activity, the title of a service's health.
fn summary(mut context: Fields) -> Result<Option<String>, ParseError> {
    if let Some(mut condition) = context.object("condition")? {
        let all: Vec<Value> = condition.take("allOf")?.unwrap_or_default();
        let Some(first) = all.into_iter().next() else { return Ok(None) };
        let mut first = Fields::of(first).map_err(|error| error.inside("data.alertContext.condition.allOf[0]"))?;
        let metric = first.word("metricName")?.or(first.word("metricMeasureColumn")?);
        let (operator, threshold) = (first.word("operator")?, first.word("threshold")?);
        let value = first.word("metricValue")?.map(|value| format!("({value})"));
        let words: Vec<String> = [metric, operator, threshold, value].into_iter().flatten().collect();
        return Ok((!words.is_empty()).then(|| words.join(" ")));
    }
    let title = context.object("properties")?.map(|mut properties| properties.prose("title", TEXT_BYTES_MAX));
    let title = title.transpose()?.flatten();
    let operation = context.word("operationName")?;
    Ok(title.or(operation).map(|text| clipped(&text, TEXT_BYTES_MAX)))
}

const FIRED: &str = r#"{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertId":"/subscriptions/5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e/providers/Microsoft.AlertsManagement/alerts/b9569717-bc32-442f-add5-83a997729330","alertRule":"CPU of web servers","alertRuleID":"/subscriptions/5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e/resourceGroups/shop/providers/microsoft.insights/metricAlerts/cpu","severity":"Sev1","signalType":"Metric","monitorCondition":"Fired","monitoringService":"Platform","alertTargetIDs":["/subscriptions/5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e/resourcegroups/shop/providers/microsoft.compute/virtualmachines/web1"],"configurationItems":["web1"],"originAlertId":"3f2d4487-b0fc-4125-8bd5-7ad17384221e_shop_microsoft.insights_metricAlerts_cpu_-117781227","firedDateTime":"2026-11-21T05:36:51.3713213Z","description":"More than 90 % for five minutes","essentialsVersion":"1.0","alertContextVersion":"1.0","investigationLink":"https://portal.azure.com/#view/Microsoft_Azure_Monitoring_Alerts/Investigation.ReactView/alertId/b9569717"},"alertContext":{"properties":null,"conditionType":"SingleResourceMultipleMetricCriteria","condition":{"windowSize":"PT5M","allOf":[{"metricName":"Percentage CPU","metricNamespace":"Microsoft.Compute/virtualMachines","operator":"GreaterThan","threshold":"90","timeAggregation":"Average","dimensions":[{"name":"ResourceId","value":"3efad9dc"}],"metricValue":97.5}]}},"customProperties":{"team":"web"}}}"#;

const RESOLVED: &str = r#"{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertId":"/subscriptions/5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e/providers/Microsoft.AlertsManagement/alerts/B9569717-BC32-442F-ADD5-83A997729330","alertRule":"CPU of web servers","severity":"Sev1","signalType":"Metric","monitorCondition":"Resolved","monitoringService":"Platform","alertTargetIDs":["/subscriptions/5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e/resourcegroups/shop/providers/microsoft.compute/virtualmachines/web1"],"configurationItems":["web1"],"originAlertId":"3f2d4487","firedDateTime":"2026-11-21T05:36:51.3713213Z","resolvedDateTime":"2026-11-21T05:43:16.2246313Z","description":"","essentialsVersion":"1.0","alertContextVersion":"1.0"},"alertContext":{"condition":{"windowSize":"PT5M","allOf":[{"metricName":"Percentage CPU","operator":"GreaterThan","threshold":"90","metricValue":7.727}]}},"customProperties":null}}"#;

/// Nothing ever resolves it.
const ACTIVITY: &str = r#"{"schemaId":"azureMonitorCommonAlertSchema","data":{"essentials":{"alertId":"/subscriptions/5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e/providers/Microsoft.AlertsManagement/alerts/0d1e2f3a-1111-4222-8333-444455556666","alertRule":"Machines are stopped","severity":"Sev4","signalType":"Activity Log","monitorCondition":"Fired","monitoringService":"Activity Log - Administrative","alertTargetIDs":["/subscriptions/5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e/resourcegroups/shop/providers/microsoft.compute/virtualmachines/web2"],"originAlertId":"4f3e","firedDateTime":"2026-11-21T05:40:00Z","description":"","essentialsVersion":"1.0","alertContextVersion":"1.0"},"alertContext":{"authorization":{"action":"Microsoft.Compute/virtualMachines/deallocate/action"},"channels":"Operation","operationName":"Microsoft.Compute/virtualMachines/deallocate/action","status":"Succeeded","eventTimestamp":"2026-11-21T05:39:00Z"},"customProperties":null}}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_event, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn an_alert_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, FIRED, NOW, 0), @r#"
        {
          "id": "91a7e48b1e2bba84",
          "at": "2026-11-21T05:36:51.371Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "azure_monitor",
          "status": "firing",
          "name": "CPU of web servers",
          "dedup_key": "/subscriptions/5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e/providers/microsoft.alertsmanagement/alerts/b9569717-bc32-442f-add5-83a997729330",
          "severity": "major",
          "configuration_item": "web1",
          "labels": {
            "monitoring_service": "Platform",
            "resource_group": "shop",
            "resource_type": "microsoft.compute",
            "severity": "Sev1",
            "signal_type": "Metric",
            "subscription": "5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e",
            "team": "web"
          },
          "annotations": {
            "description": "More than 90 % for five minutes",
            "summary": "Percentage CPU GreaterThan 90 (97.5)"
          },
          "url": "https://portal.azure.com/#view/Microsoft_Azure_Monitoring_Alerts/Investigation.ReactView/alertId/b9569717",
          "extra": {
            "alertContextVersion": "1.0",
            "alertRuleID": "/subscriptions/5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e/resourceGroups/shop/providers/microsoft.insights/metricAlerts/cpu",
            "alert_context": {
              "condition": {
                "allOf": [
                  {
                    "dimensions": [
                      {
                        "name": "ResourceId",
                        "value": "3efad9dc"
                      }
                    ],
                    "metricName": "Percentage CPU",
                    "metricNamespace": "Microsoft.Compute/virtualMachines",
                    "metricValue": 97.5,
                    "operator": "GreaterThan",
                    "threshold": "90",
                    "timeAggregation": "Average"
                  }
                ],
                "windowSize": "PT5M"
              },
              "conditionType": "SingleResourceMultipleMetricCriteria",
              "properties": null
            },
            "essentialsVersion": "1.0",
            "originAlertId": "3f2d4487-b0fc-4125-8bd5-7ad17384221e_shop_microsoft.insights_metricAlerts_cpu_-117781227"
          }
        }
        "#);
        let resolved = parse_at(&SPEC, RESOLVED, NOW).remove(0);
        assert_eq!(resolved.at.to_string(), "2026-11-21T05:43:16.224Z");
    }

    #[test]
    fn what_azure_never_ends_ends_by_itself() {
        let event = parse_at(&SPEC, ACTIVITY, NOW).remove(0);
        assert_eq!(event.expires_at.unwrap().to_string(), "2026-11-22T05:40:00.000Z");
        assert_eq!(event.summary(), "Microsoft.Compute/virtualMachines/deallocate/action");
        let table = serde_json::json!({"stateless_rules": ["CPU of web servers"], "expires_after": "1h"});
        let events = parse_with(&SPEC, &table, FIRED, NOW);
        assert_eq!(events[0].expires_at.unwrap().to_string(), "2026-11-21T06:36:51.371Z");
        assert_eq!(parse_with(&SPEC, &table, RESOLVED, NOW)[0].expires_at, None);
        assert!(build(serde_json::json!({"expires_after": "0s"}).as_object().unwrap()).is_err());
    }

    #[test]
    fn the_test_of_an_action_group_raises_nothing() {
        let test = FIRED.replace("5f2c6e1a-7d34-4c0b-9a11-2f0f6d2f8b3e", "11111111-1111-1111-1111-111111111111");
        assert!(parse_at(&SPEC, &test, NOW).is_empty());
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &FIRED.replace(from, to), NOW);
        insta::assert_snapshot!(check(SCHEMA, "AzureMonitorMetricAlert"), @"`schemaId`: expected `azureMonitorCommonAlertSchema`: switch the common alert schema on in the action group, got AzureMonitorMetricAlert");
        insta::assert_snapshot!(check("Sev1", "Sev7"), @"`data.essentials.severity`: expected `Sev0`, `Sev1`, `Sev2`, `Sev3` or `Sev4`, got Sev7");
        insta::assert_snapshot!(check("Fired", "Activated"), @"`data.essentials.monitorCondition`: expected `Fired` or `Resolved`, got Activated");
        insta::assert_snapshot!(check("2026-11-21T05:36:51.3713213Z", "noon"), @"`data.essentials.firedDateTime`: expected an RFC 3339 time such as `2026-11-21T05:00:00Z`, got `noon`");
        insta::assert_snapshot!(check(r#""alertRule":"#, r#""rule":"#), @"`data.essentials.alertRule`: expected the name of the rule, got nothing");
        insta::assert_snapshot!(parse_error(&SPEC, r#"{"schemaId":"azureMonitorCommonAlertSchema"}"#, NOW), @"`data`: expected an object, got nothing");
    }
}
