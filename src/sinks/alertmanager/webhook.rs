//! `webhook_configs`: the group as JSON, version 4, to any address.
//!
//! Decides the body's shape, byte for byte of its values as Alertmanager's, or renders the operator's own
//! (`payload`). The address may be a template. Nothing is edited later: each notification is one request.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use std::borrow::Cow;

use super::super::{Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec};
use super::http_config::HttpConfig;
use super::template::SecretTemplate;
use super::{Receiver, default_true, read_url, structured};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::{AlertStatus, GroupAlert, GroupView, Labels, Span, Timestamp};

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_webhook",
    title: "`webhook_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "url: https://hooks.example/alerts/4f1c9be2\n\
              max_alerts: 20\n\
              http_config:\n  authorization:\n    credentials: Tr0ub4dor-horse\n",
    // Alertmanager sets no limit; this one only keeps a mistake from becoming a flood.
    rate: Rate { count: 10_000, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
Posts Alertmanager's webhook body, version 4.

- `url` or `url_file`: where to; may be a template.
- `max_alerts`: so many of the group's alerts; `truncatedAlerts` counts the rest. Default 0: all.
- `payload`: a body of your own, in which every text is a template. What a text renders to is read as
  YAML, so `'{{ .Alerts | toJson }}'` becomes a list.
- `timeout`: of one request. `send_resolved`: default true. `http_config`: as in Prometheus.

An answer of 2xx ends it; 408, 425, 429 and 5xx are tried again; every other answer ends it as failed.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_true")]
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    url: Secret<String>,
    #[serde(default)]
    max_alerts: usize,
    timeout: Option<Span>,
    payload: Option<Value>,
}

struct Webhook {
    receiver: Receiver,
    url: SecretTemplate,
    max_alerts: usize,
    timeout: Option<Span>,
    payload: Option<Value>,
}

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    let url = SecretTemplate::new(setting, "url", &keys.url)?;
    if !url.is_templated() {
        read_url("url", url.source().expose())?;
    }
    receiver.hide(url.source());
    if let Some(payload) = &keys.payload {
        structured::check(&setting.go_templates, "payload", payload)?;
    }
    Ok(Box::new(Webhook { receiver, url, max_alerts: keys.max_alerts, timeout: keys.timeout, payload: keys.payload }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    receiver: String,
    status: AlertStatus,
    alerts: Vec<Alert<'a>>,
    #[serde(rename = "notification_reason")]
    notification_reason: &'a str,
    group_labels: &'a Labels,
    common_labels: Labels,
    common_annotations: Labels,
    route_labels: Labels,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    version: &'static str,
    group_key: &'a str,
    truncated_alerts: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alert<'a> {
    status: AlertStatus,
    labels: &'a Labels,
    annotations: &'a Labels,
    #[serde(serialize_with = "write_time")]
    starts_at: Timestamp,
    #[serde(serialize_with = "write_time")]
    ends_at: Timestamp,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: &'a str,
}

/// What Go prints for a time that is not set.
const ZERO_TIME_MS: i64 = -62_135_596_800_000;

impl<'a> Alert<'a> {
    fn of(alert: &'a GroupAlert) -> Self {
        Self {
            status: alert.status,
            labels: &alert.labels,
            annotations: &alert.annotations,
            starts_at: alert.starts_at,
            ends_at: alert.ends_at.unwrap_or(Timestamp::from_millis(ZERO_TIME_MS)),
            generator_url: alert.generator_url.as_deref().unwrap_or_default(),
            fingerprint: &alert.fingerprint,
        }
    }
}

/// RFC 3339 as Go writes it: no zeros at the end of a fraction, and none at all without milliseconds.
fn write_time<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    let text = at.to_string();
    let digits = text.trim_end_matches('Z').trim_end_matches('0').trim_end_matches('.');
    let whole = text.find('.').map_or(text.len(), |point| point);
    serializer.collect_str(&format_args!("{}Z", &text[..digits.len().max(whole)]))
}

/// The name as Go's `regexp.QuoteMeta` leaves it, which is what Alertmanager shows.
fn quote_meta(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}

impl Webhook {
    fn message<'a>(&'a self, group: &'a GroupView, truncated_alerts: usize) -> Message<'a> {
        Message {
            receiver: quote_meta(&group.receiver),
            status: group.status(),
            alerts: group.alerts.iter().map(Alert::of).collect(),
            notification_reason: &group.reason,
            group_labels: &group.labels,
            common_labels: group.common_labels(),
            common_annotations: group.common_annotations(),
            route_labels: Labels::new(),
            external_url: self.receiver.external_url(),
            version: "4",
            group_key: &group.key,
            truncated_alerts,
        }
    }
}

impl Sink for Webhook {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let mut group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let mut truncated = 0;
        if self.max_alerts != 0 && group.alerts.len() > self.max_alerts {
            truncated = group.alerts.len() - self.max_alerts;
            Cow::to_mut(&mut group).alerts.truncate(self.max_alerts);
        }
        let texts = self.receiver.texts(&group, attempt.now);
        let url = texts.secret(&self.url)?;
        read_url("url", url.expose()).map_err(|error| RenderError(error.to_string()))?;
        let mut request = match &self.payload {
            Some(payload) => self.receiver.json("POST", url, &structured::render(&texts, "payload", payload)?)?,
            None => self.receiver.json("POST", url, &self.message(&group, truncated))?,
        };
        request.timeout = self.timeout;
        Ok(Request::Http(request))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        self.receiver.by_status(attempt, response, "the receiver", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, many, mixed, resolved, retried, sent};
    use super::*;

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        if body["version"] != "4" || !body["alerts"].is_array() {
            return Err("not a body of version 4".into());
        }
        match body["alerts"].as_array().map(Vec::len) {
            Some(1..=20) => Ok(()),
            count => Err(format!("{count:?} alerts")),
        }
    }

    const URL: &str = "url: https://hooks.example/alerts\n";

    #[test]
    fn the_body_is_version_4() {
        insta::assert_snapshot!(sent(&SPEC, URL, &firing()), @r#"
        POST https://hooks.example/alerts
        content-type: application/json

        {"receiver":"ops\\.team","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"DiskFull","instance":"db-1","severity":"critical","team":"storage"},"annotations":{"summary":"db-1 <has> no room & stops"},"startsAt":"2026-11-21T05:00:00.12Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example/graph?g0.expr=disk%3E0.9","fingerprint":"12d68b79d3e1f659"}],"notification_reason":"first notification","groupLabels":{"alertname":"DiskFull"},"commonLabels":{"alertname":"DiskFull","instance":"db-1","severity":"critical","team":"storage"},"commonAnnotations":{"summary":"db-1 <has> no room & stops"},"routeLabels":{},"externalURL":"https://watchbell.example","version":"4","groupKey":"{}/{team=\"storage\"}:{alertname=\"DiskFull\"}","truncatedAlerts":0}
        "#);
        insta::assert_snapshot!(sent(&SPEC, URL, &mixed()), @r#"
        POST https://hooks.example/alerts
        content-type: application/json

        {"receiver":"ops\\.team","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"DiskFull","instance":"db-1","severity":"critical","team":"storage"},"annotations":{"summary":"db-1 <has> no room & stops"},"startsAt":"2026-11-21T05:00:00.12Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example/graph?g0.expr=disk%3E0.9","fingerprint":"12d68b79d3e1f659"},{"status":"resolved","labels":{"alertname":"DiskFull","instance":"db-2","severity":"critical","team":"storage"},"annotations":{"summary":"db-2 <has> no room & stops"},"startsAt":"2026-11-21T05:00:00.12Z","endsAt":"2026-11-21T05:11:00Z","generatorURL":"http://prometheus.example/graph?g0.expr=disk%3E0.9","fingerprint":"19cab3f321235d64"},{"status":"firing","labels":{"alertname":"DiskFull","instance":"db-3","severity":"critical","team":"storage"},"annotations":{"summary":"db-3 <has> no room & stops"},"startsAt":"2026-11-21T05:00:00.12Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prometheus.example/graph?g0.expr=disk%3E0.9","fingerprint":"6866c3667ada8843"}],"notification_reason":"new alerts added","groupLabels":{"alertname":"DiskFull"},"commonLabels":{"alertname":"DiskFull","severity":"critical","team":"storage"},"commonAnnotations":{},"routeLabels":{},"externalURL":"https://watchbell.example","version":"4","groupKey":"{}/{team=\"storage\"}:{alertname=\"DiskFull\"}","truncatedAlerts":0}
        "#);
        insta::assert_snapshot!(sent(&SPEC, URL, &resolved()), @r#"
        POST https://hooks.example/alerts
        content-type: application/json

        {"receiver":"ops\\.team","status":"resolved","alerts":[{"status":"resolved","labels":{"alertname":"DiskFull","instance":"db-1","severity":"critical","team":"storage"},"annotations":{"summary":"db-1 <has> no room & stops"},"startsAt":"2026-11-21T05:00:00.12Z","endsAt":"2026-11-21T05:11:00Z","generatorURL":"http://prometheus.example/graph?g0.expr=disk%3E0.9","fingerprint":"12d68b79d3e1f659"},{"status":"resolved","labels":{"alertname":"DiskFull","instance":"db-2","severity":"critical","team":"storage"},"annotations":{"summary":"db-2 <has> no room & stops"},"startsAt":"2026-11-21T05:00:00.12Z","endsAt":"2026-11-21T05:11:00Z","generatorURL":"http://prometheus.example/graph?g0.expr=disk%3E0.9","fingerprint":"19cab3f321235d64"}],"notification_reason":"all alerts resolved","groupLabels":{"alertname":"DiskFull"},"commonLabels":{"alertname":"DiskFull","severity":"critical","team":"storage"},"commonAnnotations":{},"routeLabels":{},"externalURL":"https://watchbell.example","version":"4","groupKey":"{}/{team=\"storage\"}:{alertname=\"DiskFull\"}","truncatedAlerts":0}
        "#);
    }

    #[test]
    fn what_is_too_many_is_counted() {
        let count = |yaml: &str, alerts: usize| {
            let sent = sent(&SPEC, &format!("{URL}{yaml}"), &many(alerts));
            let (_, body) = sent.split_once("\n\n").unwrap();
            let body: Value = serde_json::from_str(body).unwrap();
            (body["alerts"].as_array().unwrap().len(), body["truncatedAlerts"].as_u64().unwrap())
        };
        assert_eq!(count("max_alerts: 3\n", 3), (3, 0));
        assert_eq!(count("max_alerts: 3\n", 4), (3, 1));
        assert_eq!(count("max_alerts: 0\n", 40), (40, 0));
    }

    #[test]
    fn times_are_written_as_go_writes_them() {
        let written = |at: &str| {
            let mut out = Vec::new();
            write_time(&at.parse().unwrap(), &mut serde_json::Serializer::new(&mut out)).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written("2026-11-21T05:10:00.000Z"), r#""2026-11-21T05:10:00Z""#);
        assert_eq!(written("2026-11-21T05:10:00.120Z"), r#""2026-11-21T05:10:00.12Z""#);
        assert_eq!(written("2026-11-21T05:10:00.003Z"), r#""2026-11-21T05:10:00.003Z""#);
        assert_eq!(written("0001-01-01T00:00:00Z"), r#""0001-01-01T00:00:00Z""#);
    }

    #[test]
    fn a_payload_of_ones_own_takes_its_place() {
        let yaml = format!("{URL}payload:\n  kind: page\n  tags: [a, '7']\n  nested: {{ on: 'yes', left: 3 }}\n");
        insta::assert_snapshot!(sent(&SPEC, &yaml, &firing()), @r#"
    POST https://hooks.example/alerts
    content-type: application/json

    {"kind":"page","nested":{"left":3,"on":true},"tags":["a",7]}
    "#);
    }

    #[test]
    fn pressure_and_faults_are_tried_again() {
        assert_eq!(retried(&SPEC, URL), "408 425 429 500-599");
    }

    #[test]
    fn an_address_is_judged_without_being_shown() {
        let error = super::super::super::tests::build_error(&SPEC, "url: ftp://hooks.example/4f1c9be2\n");
        assert!(error.contains("`url`") && !error.contains("4f1c9be2"), "{error}");
    }
}
