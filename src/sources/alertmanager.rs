//! Alertmanager's webhook receiver, version 4.
//!
//! Decides per alert, not per group: a group stays `firing` while some of its alerts are resolved, and
//! an alert that a truncated group leaves out is not resolved by that. Grouping is not taken over; the
//! engine groups by itself.
//!
//! ```text
//! {"version":"4","status":"firing","alerts":[{"status":"firing","labels":{…},"startsAt":"…",…}],"truncatedAlerts":0,…}
//! ```

use super::json::{self, Unknown};
use super::prometheus_alert::{AlertStatus, Observation, PrometheusAlert, Reading, take_labels};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec};
use crate::error::{ConfigError, Table, read_table};
use crate::model::{Event, EventStatus, Fingerprint};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

pub const SPEC: SourceSpec = SourceSpec {
    name: "alertmanager",
    title: "Alertmanager (webhook receiver, version 4)",
    docs: DOCS,
    examples: &[FIRING, PARTLY_RESOLVED, TRUNCATED],
    // Alertmanager drops a notification that gets any 4xx, 429 too; only a 5xx is tried again.
    overload: Overload::ServiceUnavailable,
    build,
};

const DOCS: &str = r#"Keep your Alertmanager and let it tell Watchbell. In `alertmanager.yml` (a whole one is
`config/examples/alertmanager.yml`):

```yaml
route:
  receiver: watchbell
  group_by: ["..."]      # no grouping: Watchbell does it, across monitors
  group_wait: 0s
  group_interval: 15s    # how late a resolve may come
  repeat_interval: 4h
receivers:
  - name: watchbell
    webhook_configs:
      - url: http://127.0.0.1:9494/in/alertmanager
        send_resolved: true
        max_alerts: 0
```

Leave `max_alerts` at 0: an alert that a truncated group leaves out is not seen at all. A token goes
into `http_config: { authorization: { credentials_file: … } }`.

| key | default | meaning |
|---|---|---|
| `severities` | | words of the `severity` label: `{ page: critical, ticket: minor }` |
| `service_label` | | label that holds the business service; without it the service is found from the item |
"#;

/// The version of the body that is read here; 0.25 to 0.33 send it.
const VERSION: &str = "4";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
    service_label: Option<String>,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities, service_label } = read_table(table)?;
    Ok(Box::new(Alertmanager { reading: Reading { severities, service_label } }))
}

struct Alertmanager {
    reading: Reading,
}

/// What is read of the group; the rest repeats what the alerts say.
struct Group {
    version: Option<String>,
    alerts: Option<Vec<PrometheusAlert<true>>>,
    truncated_alerts: u64,
}

#[derive(Deserialize)]
#[serde(field_identifier)]
enum Key {
    #[serde(rename = "version")]
    Version,
    #[serde(rename = "alerts")]
    Alerts,
    #[serde(rename = "truncatedAlerts")]
    TruncatedAlerts,
    Other(String),
}

impl<'de> Deserialize<'de> for Group {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct GroupVisitor;
        impl<'de> Visitor<'de> for GroupVisitor {
            type Value = Group;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a notification object of Alertmanager")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Group, A::Error> {
                let (mut version, mut alerts, mut truncated_alerts) = (None, None, None);
                let mut unknown = Unknown::at_depth(1);
                while let Some(key) = map.next_key()? {
                    match key {
                        Key::Version => json::fill(&mut version, &mut map, "version")?,
                        Key::Alerts => json::fill(&mut alerts, &mut map, "alerts")?,
                        Key::TruncatedAlerts => json::fill(&mut truncated_alerts, &mut map, "truncatedAlerts")?,
                        Key::Other(name) => unknown.skip(&mut map, name)?,
                    }
                }
                Ok(Group { version, alerts, truncated_alerts: truncated_alerts.unwrap_or(0) })
            }
        }
        deserializer.deserialize_map(GroupVisitor)
    }
}

impl Source for Alertmanager {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let group: Group = json::read(json::text(inbound.body)?)?;
        match group.version.as_deref() {
            Some(VERSION) => {}
            version => return Err(ParseError::new("version", version.unwrap_or("nothing"), format!("`{VERSION}`"))),
        }
        let Some(alerts) = group.alerts else {
            return Err(ParseError::new("alerts", "nothing", "an array of alerts"));
        };
        let mut events = Vec::with_capacity(alerts.len());
        for (index, alert) in alerts.into_iter().enumerate() {
            let event = self.event(inbound, alert, group.truncated_alerts);
            events.push(event.map_err(|error| error.inside(&format!("alerts[{index}]")))?);
        }
        Ok(events.into())
    }
}

impl Alertmanager {
    fn event(
        &self,
        inbound: &Inbound<'_>,
        mut alert: PrometheusAlert<true>,
        truncated_alerts: u64,
    ) -> Result<Event, ParseError> {
        let labels = take_labels(&mut alert)?;
        let Some(status) = alert.status else {
            return Err(ParseError::new("status", "nothing", "`firing` or `resolved`"));
        };
        let starts_at = alert.starts_at.unwrap_or(inbound.received_at);
        // An end before the start or after the receipt comes from a clock that cannot be believed.
        let is_sane = |ends_at: &_| *ends_at >= alert.starts_at.unwrap_or(*ends_at) && *ends_at <= inbound.received_at;
        let (status, at) = match status {
            AlertStatus::Firing => (EventStatus::Firing, starts_at),
            AlertStatus::Resolved => {
                (EventStatus::Resolved, alert.ends_at.filter(is_sane).unwrap_or(inbound.received_at))
            }
        };
        let mut extra = BTreeMap::new();
        if truncated_alerts > 0 {
            extra.insert("truncated_alerts".to_owned(), truncated_alerts.into());
        }
        // Equal unless the sender counts in its own way, as Grafana does.
        if let Some(theirs) = alert.fingerprint.take().filter(|theirs| *theirs != labels.fingerprint().to_string()) {
            extra.insert("fingerprint".to_owned(), theirs.into());
        }
        let identity = identity(&alert, status);
        self.reading.event(
            inbound,
            alert,
            labels,
            Observation { status, at, expires_at: None, is_end_assumed: false, started_at: None, identity, extra },
        )
    }
}

/// Taken from what was sent, not from what was filled in: a redelivery comes at another time. The
/// annotations belong to it, because a repetition with new text is news.
fn identity(alert: &PrometheusAlert<true>, status: EventStatus) -> String {
    let annotations = alert.annotations.iter().flat_map(|texts| texts.iter()).flat_map(|(name, text)| [name, text]);
    let texts = Fingerprint::of(annotations);
    let millis = |at: Option<crate::model::Timestamp>| at.map_or(0, |at| at.as_millis());
    let ends_at = if status == EventStatus::Resolved { millis(alert.ends_at) } else { 0 };
    format!("{} {} {ends_at} {texts}", status.as_str(), millis(alert.starts_at))
}

/// Alertmanager 0.28: two hosts are down.
const FIRING: &str = r#"{"receiver":"bridge","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"HostDown","group":"db","host":"db1","instance":"db1:9100","job":"hosts","severity":"critical","site":"lab1"},"annotations":{"description":"No scrape of db1:9100 succeeds (value 0).","runbook_url":"https://runbooks.lab.example/HostDown","summary":"Host db1 does not answer"},"startsAt":"2026-11-21T05:34:25.492Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.lab.example:9090/graph?g0.expr=up%7Bjob%3D%22hosts%22%7D+%3D%3D+0\u0026g0.tab=1","fingerprint":"702aaa029f712d73"},{"status":"firing","labels":{"alertname":"HostDown","group":"network","host":"rtr1","instance":"rtr1:9100","job":"hosts","severity":"critical","site":"lab1"},"annotations":{"description":"No scrape of rtr1:9100 succeeds (value 0).","runbook_url":"https://runbooks.lab.example/HostDown","summary":"Host rtr1 does not answer"},"startsAt":"2026-11-21T05:34:25.492Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.lab.example:9090/graph?g0.expr=up%7Bjob%3D%22hosts%22%7D+%3D%3D+0\u0026g0.tab=1","fingerprint":"85856f0bc0058987"}],"groupLabels":{"alertname":"HostDown"},"commonLabels":{"alertname":"HostDown","job":"hosts","severity":"critical","site":"lab1"},"commonAnnotations":{"runbook_url":"https://runbooks.lab.example/HostDown"},"externalURL":"http://alertmanager.lab.example:9093","version":"4","groupKey":"{}/{}:{alertname=\"HostDown\"}","truncatedAlerts":0}
"#;

/// Alertmanager 0.33: one is back, so the group is still firing.
const PARTLY_RESOLVED: &str = r#"{"receiver":"bridge","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"HostDown","group":"db","host":"db1","instance":"db1:9100","job":"hosts","severity":"critical","site":"lab1"},"annotations":{"description":"No scrape of db1:9100 succeeds (value 0).","runbook_url":"https://runbooks.lab.example/HostDown","summary":"Host db1 does not answer"},"startsAt":"2026-11-21T05:34:25.492Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.lab.example:9090/graph?g0.expr=up%7Bjob%3D%22hosts%22%7D+%3D%3D+0\u0026g0.tab=1","fingerprint":"702aaa029f712d73"},{"status":"resolved","labels":{"alertname":"HostDown","group":"network","host":"rtr1","instance":"rtr1:9100","job":"hosts","severity":"critical","site":"lab1"},"annotations":{"description":"No scrape of rtr1:9100 succeeds (value 0).","runbook_url":"https://runbooks.lab.example/HostDown","summary":"Host rtr1 does not answer"},"startsAt":"2026-11-21T05:34:25.492Z","endsAt":"2026-11-21T05:34:34.492Z","generatorURL":"http://prometheus.lab.example:9090/graph?g0.expr=up%7Bjob%3D%22hosts%22%7D+%3D%3D+0\u0026g0.tab=1","fingerprint":"85856f0bc0058987"}],"notification_reason":"some alerts resolved","groupLabels":{"alertname":"HostDown"},"commonLabels":{"alertname":"HostDown","job":"hosts","severity":"critical","site":"lab1"},"commonAnnotations":{"runbook_url":"https://runbooks.lab.example/HostDown"},"externalURL":"http://alertmanager.lab.example:9093","version":"4","groupKey":"{}/{}:{alertname=\"HostDown\"}","truncatedAlerts":0}
"#;

/// `max_alerts: 1`: two more alerts of the group are not in it.
const TRUNCATED: &str = r#"{"receiver":"truncated","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"WebTierDown","group":"web","severity":"page","site":"lab1"},"annotations":{"summary":"No web server is left"},"startsAt":"2026-11-21T05:34:24.492Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"/graph?g0.expr=sum","fingerprint":"1b20db02b002ba2c"}],"notification_reason":"first notification","groupLabels":{},"commonLabels":{},"commonAnnotations":{},"externalURL":"http://alertmanager.lab.example:9093","version":"4","groupKey":"{}/{}:{}","truncatedAlerts":2}
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_event, parse_at, parse_error};

    const NOW: &str = "2026-11-21T05:34:40.000Z";

    fn one(alert: &str) -> String {
        format!(r#"{{"version":"4","alerts":[{alert}]}}"#)
    }

    #[test]
    fn each_alert_has_its_own_status() {
        insta::assert_snapshot!(check_event(&SPEC, FIRING, NOW, 1), @r#"
        {
          "id": "0764e0c26fe4707f",
          "at": "2026-11-21T05:34:25.492Z",
          "received_at": "2026-11-21T05:34:40.000Z",
          "source": "alertmanager",
          "status": "firing",
          "name": "HostDown",
          "dedup_key": "85856f0bc0058987",
          "severity": "critical",
          "labels": {
            "alertname": "HostDown",
            "group": "network",
            "host": "rtr1",
            "instance": "rtr1:9100",
            "job": "hosts",
            "severity": "critical",
            "site": "lab1"
          },
          "annotations": {
            "description": "No scrape of rtr1:9100 succeeds (value 0).",
            "runbook_url": "https://runbooks.lab.example/HostDown",
            "summary": "Host rtr1 does not answer"
          },
          "url": "http://prometheus.lab.example:9090/graph?g0.expr=up%7Bjob%3D%22hosts%22%7D+%3D%3D+0&g0.tab=1"
        }
        "#);
        insta::assert_snapshot!(check_event(&SPEC, PARTLY_RESOLVED, NOW, 1), @r#"
        {
          "id": "ae8fe6d79455536c",
          "at": "2026-11-21T05:34:34.492Z",
          "received_at": "2026-11-21T05:34:40.000Z",
          "source": "alertmanager",
          "status": "resolved",
          "name": "HostDown",
          "dedup_key": "85856f0bc0058987",
          "severity": "critical",
          "labels": {
            "alertname": "HostDown",
            "group": "network",
            "host": "rtr1",
            "instance": "rtr1:9100",
            "job": "hosts",
            "severity": "critical",
            "site": "lab1"
          },
          "annotations": {
            "description": "No scrape of rtr1:9100 succeeds (value 0).",
            "runbook_url": "https://runbooks.lab.example/HostDown",
            "summary": "Host rtr1 does not answer"
          },
          "url": "http://prometheus.lab.example:9090/graph?g0.expr=up%7Bjob%3D%22hosts%22%7D+%3D%3D+0&g0.tab=1"
        }
        "#);
    }

    #[test]
    fn a_truncated_group_says_so() {
        insta::assert_snapshot!(check_event(&SPEC, TRUNCATED, NOW, 0), @r#"
        {
          "id": "598c10cec6ba132e",
          "at": "2026-11-21T05:34:24.492Z",
          "received_at": "2026-11-21T05:34:40.000Z",
          "source": "alertmanager",
          "status": "firing",
          "name": "WebTierDown",
          "dedup_key": "1b20db02b002ba2c",
          "severity": "critical",
          "labels": {
            "alertname": "WebTierDown",
            "group": "web",
            "severity": "page",
            "site": "lab1"
          },
          "annotations": {
            "summary": "No web server is left"
          },
          "extra": {
            "truncated_alerts": 2
          }
        }
        "#);
    }

    #[test]
    fn the_identity_is_alertmanagers_own_and_a_repetition_is_no_news() {
        let events = parse_at(&SPEC, FIRING, NOW);
        assert_eq!(events[0].dedup_key, "702aaa029f712d73");
        let again = parse_at(&SPEC, PARTLY_RESOLVED, "2026-11-21T05:40:00Z");
        assert_eq!((&events[0].id, &events[1].dedup_key), (&again[0].id, &again[1].dedup_key));
        assert_ne!(events[1].id, again[1].id);
        let reworded = parse_at(&SPEC, &FIRING.replace("does not answer", "is silent"), NOW);
        assert_ne!(events[0].id, reworded[0].id);
    }

    #[test]
    fn an_end_that_cannot_be_believed_is_replaced() {
        for ends_at in ["0001-01-01T00:00:00Z", "2026-11-21T05:34:59Z", "2026-11-21T05:30:00Z"] {
            let alert = format!(
                r#"{{"status":"resolved","labels":{{"a":"b"}},"startsAt":"2026-11-21T05:34:25Z","endsAt":"{ends_at}"}}"#
            );
            assert_eq!(parse_at(&SPEC, &one(&alert), NOW)[0].at.to_string(), NOW, "{ends_at}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |body: &str| parse_error(&SPEC, body, NOW);
        insta::assert_snapshot!(check("[]"), @"`body`: expected a notification object of Alertmanager, got an array");
        insta::assert_snapshot!(check(r#"{"alerts":[]}"#), @"`version`: expected `4`, got nothing");
        insta::assert_snapshot!(check(r#"{"version":"5","alerts":[]}"#), @"`version`: expected `4`, got 5");
        insta::assert_snapshot!(check(r#"{"version":4,"alerts":[]}"#), @"`version`: expected a string, got integer `4`");
        insta::assert_snapshot!(check(r#"{"version":"4"}"#), @"`alerts`: expected an array of alerts, got nothing");
        insta::assert_snapshot!(check(&one(r#"{"labels":{"a":"b"}}"#)), @"`alerts[0].status`: expected `firing` or `resolved`, got nothing");
        insta::assert_snapshot!(check(&one(r#"{"status":"maybe","labels":{"a":"b"}}"#)), @"`alerts[0].status`: expected `firing` or `resolved`, got `maybe`");
        insta::assert_snapshot!(check(&one(r#"{"status":"firing"}"#)), @"`alerts[0].labels`: expected an object with at least one label that is not empty, got nothing");
        insta::assert_snapshot!(check(&one(r#"{"status":"firing","labels":{"a":{"b":"c"}}}"#)), @"`alerts[0].labels.a`: expected a string, got an object");
        insta::assert_snapshot!(check(r#"{"version":"4","alerts":[],"x":{"y":1,"y":1}}"#), @"`x`: expected each name once, got duplicate name `y`");
    }
}
