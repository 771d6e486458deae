//! Uptime Kuma: its notification of the type "Webhook", with the body as JSON or as a form.
//!
//! Decides what a heartbeat's status means and that the monitor is the identity: an episode is down until up. A message
//! without a heartbeat is the test of the notification, or about a certificate. Never asks Uptime Kuma anything.
//!
//! ```text
//! {"heartbeat":{"monitorID":7,"status":0,"time":"2026-11-21 05:36:51.123","msg":"…"},"monitor":{"id":7,"name":"Shop",…},"msg":"…"}
//! ```
//!
//! Body: `server/notification-providers/webhook.js` and `server/model/monitor.js` in louislam/uptime-kuma (read 2026-11-29).

use super::draft::{Tags, annotation, believed, blank, configured_severity, finish, label, tags};
use super::fields::{Fields, clipped, required};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, is_http_url, json, push_alias};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::{Marker, TEXT_BYTES_MAX};
use crate::model::{Event, EventStatus, Severity, Span, Timestamp};
use serde::Deserialize;
use serde_json::Value;

pub const SPEC: SourceSpec = SourceSpec {
    name: "uptime_kuma",
    title: "Uptime Kuma (webhook notification)",
    docs: include_str!("../../docs/sources/uptime_kuma.md"),
    examples: &[DOWN, UP, PENDING, MAINTENANCE, CERTIFICATE],
    // It never tries again; its log says what it was answered.
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
    Severity::Critical
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities, severity, service_label } = read_table(table)?;
    Ok(Box::new(UptimeKuma { severities, severity, service_label }))
}

struct UptimeKuma {
    severities: Severities,
    severity: Severity,
    service_label: Option<String>,
}

/// Nobody says when a certificate was renewed, and the next reminder comes days later.
const CERTIFICATE_EXPIRES_AFTER: Span = Span::from_hours(24);

impl Source for UptimeKuma {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let text = json::text(inbound.body)?;
        let mut body = match form_data(text) {
            Some(json) => Fields::read(json)?,
            None => Fields::read(text)?,
        };
        let message = body.word("msg")?;
        let (heartbeat, monitor) = (body.object("heartbeat")?, body.object("monitor")?);
        let event = match (heartbeat, monitor) {
            (Some(heartbeat), Some(monitor)) => self.event(inbound, heartbeat, monitor, message)?,
            (None, None) => {
                let message = required(message, "msg", "a message, where there is no heartbeat")?;
                if message.ends_with(" Testing") {
                    return Ok(Parsed::Events(Vec::new()));
                }
                certificate(inbound, &message)?
            }
            (None, _) => return Err(ParseError::new("heartbeat", "nothing", "the heartbeat of the monitor")),
            (_, None) => return Err(ParseError::new("monitor", "nothing", "the monitor of the heartbeat")),
        };
        Ok(vec![event].into())
    }
}

/// The field `data` of a body of several parts, which is the JSON that would else be the body.
fn form_data(text: &str) -> Option<&str> {
    if text.trim_start().starts_with('{') {
        return None;
    }
    let boundary = text.lines().next().filter(|line| line.starts_with("--"))?.trim_end();
    let (_, part) = text.split_once("name=\"data\"")?;
    let (_, value) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n"))?;
    Some(value.split(boundary).next().unwrap_or_default().trim())
}

/// What the numbers of a heartbeat are.
fn meaning(status: &str) -> Result<(EventStatus, Option<Marker>), ParseError> {
    Ok(match status {
        "0" => (EventStatus::Firing, None),
        "1" => (EventStatus::Resolved, None),
        // Failed, and to be tried again before it counts.
        "2" => (EventStatus::Firing, Some(Marker::Soft)),
        // When it is over the monitor is up or down and says so; nothing says that the maintenance ended.
        "3" => (EventStatus::Commented, Some(Marker::Suppressed)),
        other => {
            let expected = "`0` (down), `1` (up), `2` (pending) or `3` (maintenance)";
            return Err(ParseError::new("heartbeat.status", other, expected));
        }
    })
}

impl UptimeKuma {
    fn event(
        &self,
        inbound: &Inbound<'_>,
        mut heartbeat: Fields,
        mut monitor: Fields,
        message: Option<String>,
    ) -> Result<Event, ParseError> {
        let status = heartbeat.need_word("status", "a number from 0 to 3")?;
        let time = heartbeat.word("time")?;
        let mut event = blank(inbound);
        (event.status, event.marker) = meaning(&status)?;
        event.at = believed(time.as_deref().and_then(read_time), inbound);
        event.dedup_key = format!("monitor/{}", monitor.need_word("id", "the monitor's number")?);
        let kind = monitor.word("type")?.unwrap_or_else(|| "monitor".to_owned());
        event.name = format!("{kind} check");
        let name = monitor.word("name")?;
        let url = monitor.word("url")?.filter(|url| is_http_url(url) && url.len() > "https://".len());
        let host = monitor.word("hostname")?.or_else(|| url.as_deref().and_then(host_of));
        event.configuration_item = host.or_else(|| name.clone());
        let item = event.configuration_item.clone().unwrap_or_default();
        push_alias(&mut event.aliases, &item, name.as_deref());
        tags(&mut event, read_tags(&mut monitor)?);
        label(&mut event, "monitor", name.as_deref());
        label(&mut event, "monitor_path", monitor.word("pathName")?.as_deref());
        label(&mut event, "check_type", Some(&kind));
        event.severity = self.severity(&event);
        event.service = self.service_label.as_deref().and_then(|name| event.labels.get(name)).map(str::to_owned);
        annotation(&mut event, "summary", message.map(|text| clipped(&text, TEXT_BYTES_MAX)));
        annotation(&mut event, "description", heartbeat.prose("msg", TEXT_BYTES_MAX)?);
        annotation(&mut event, "checked_url", url);
        if event.marker == Some(Marker::Suppressed) {
            event.note = Some("under maintenance in Uptime Kuma".to_owned());
        }
        event.extra = heartbeat.leftover();
        let time = time.unwrap_or_else(|| inbound.received_at.to_string());
        finish(event, &[&status, &time])
    }

    /// By the tag `severity`, else as configured for the monitor or for all.
    fn severity(&self, event: &Event) -> Severity {
        let word = event.labels.get("severity");
        let read = |word: &str| configured_severity(word, &self.severities).or_else(|| word.parse().ok());
        let by_name = || event.labels.get("monitor").and_then(|name| configured_severity(name, &self.severities));
        word.and_then(read).or_else(by_name).unwrap_or(self.severity)
    }
}

/// `[Shop][https://shop.example/] server certificate shop.example will expire in 7 days`
fn certificate(inbound: &Inbound<'_>, message: &str) -> Result<Event, ParseError> {
    let brackets: Vec<&str> = message.split('[').skip(1).filter_map(|rest| Some(rest.split_once(']')?.0)).collect();
    let monitor = brackets.first().copied().filter(|name| !name.is_empty());
    let is_known = message.contains("expire") && monitor.is_some();
    if !is_known {
        let expected = "a heartbeat, the test of the notification, or a message about something that expires";
        return Err(ParseError::new("msg", message, expected));
    }
    let mut event = blank(inbound);
    event.name = if message.contains("certificate") { "certificate expires" } else { "domain expires" }.to_owned();
    event.severity = Severity::Warning;
    let host = brackets.get(1).and_then(|url| host_of(url));
    event.configuration_item = host.or_else(|| monitor.map(str::to_owned));
    event.dedup_key = format!("{}/{}", event.name, monitor.unwrap_or_default());
    event.expires_at = Some(inbound.received_at + CERTIFICATE_EXPIRES_AFTER);
    event.is_end_assumed = true;
    label(&mut event, "monitor", monitor);
    annotation(&mut event, "summary", Some(clipped(message, TEXT_BYTES_MAX)));
    finish(event, &[message, &inbound.received_at.to_string()])
}

/// Uptime Kuma keeps times in UTC and writes them without saying so.
fn read_time(text: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S%.f", text).ok()?;
    let zoned = jiff::tz::TimeZone::UTC.to_zoned(civil).ok()?;
    Some(Timestamp::from_millis(zoned.timestamp().as_millisecond()))
}

fn host_of(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host =
        if host.starts_with('[') { host.split(']').next()?.trim_start_matches('[') } else { host.split(':').next()? };
    (!host.is_empty()).then(|| host.to_owned())
}

fn read_tags(monitor: &mut Fields) -> Result<Tags, ParseError> {
    let list: Vec<Value> = monitor.take("tags")?.unwrap_or_default();
    let mut tags = Vec::with_capacity(list.len());
    for (index, tag) in list.into_iter().enumerate() {
        let read = |tag: Value| {
            let mut tag = Fields::of(tag)?;
            Ok((tag.need_word("name", "the name of the tag")?, tag.word("value")?.unwrap_or_default()))
        };
        tags.push(read(tag).map_err(|error: ParseError| error.inside(&format!("monitor.tags[{index}]")))?);
    }
    Ok(tags)
}

const DOWN: &str = r##"{"heartbeat":{"monitorID":7,"status":0,"time":"2026-11-21 05:36:51.123","msg":"timeout of 48000ms exceeded","ping":null,"important":true,"duration":61,"retries":1,"timezone":"Europe/Warsaw","timezoneOffset":"+01:00","localDateTime":"2026-11-21 06:36:51"},"monitor":{"id":7,"name":"Shop","description":null,"pathName":"Public / Shop","parent":3,"url":"https://shop.example.org/health","method":"GET","hostname":null,"port":null,"maxretries":1,"weight":2000,"active":true,"type":"http","interval":60,"tags":[{"tag_id":1,"monitor_id":7,"value":"orders","name":"service","color":"#DC2626"},{"tag_id":2,"monitor_id":7,"value":"","name":"public","color":"#2563EB"}],"maintenance":false},"msg":"[Shop] [🔴 Down] timeout of 48000ms exceeded"}"##;

const UP: &str = r#"{"heartbeat":{"monitorID":7,"status":1,"time":"2026-11-21 05:41:52.500","msg":"200 - OK","ping":83,"important":true,"duration":301,"retries":0,"timezone":"Europe/Warsaw","timezoneOffset":"+01:00","localDateTime":"2026-11-21 06:41:52"},"monitor":{"id":7,"name":"Shop","pathName":"Public / Shop","url":"https://shop.example.org/health","hostname":null,"port":null,"type":"http","interval":60,"tags":[]},"msg":"[Shop] [✅ Up] 200 - OK"}"#;

const PENDING: &str = r#"{"heartbeat":{"monitorID":9,"status":2,"time":"2026-11-21 05:36:01.002","msg":"connect ECONNREFUSED 192.0.2.13:5432","important":true,"duration":60},"monitor":{"id":9,"name":"Orders database","url":"https://","hostname":"db1","port":5432,"type":"port","tags":[]},"msg":"[Orders database] [⚠️ Pending] connect ECONNREFUSED"}"#;

const MAINTENANCE: &str = r#"{"heartbeat":{"monitorID":9,"status":3,"time":"2026-11-21 05:30:00.000","msg":"Monitor under maintenance","important":true,"duration":60},"monitor":{"id":9,"name":"Orders database","url":"https://","hostname":"db1","port":5432,"type":"port","tags":[]},"msg":"[Orders database] Monitor under maintenance"}"#;

const CERTIFICATE: &str = r#"{"heartbeat":null,"monitor":null,"msg":"[Shop][https://shop.example.org/health] server certificate shop.example.org will expire in 7 days"}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{check_event, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn a_heartbeat_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, DOWN, NOW, 0), @r#"
        {
          "id": "7af789cbf010868b",
          "at": "2026-11-21T05:36:51.123Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "uptime_kuma",
          "status": "firing",
          "name": "http check",
          "dedup_key": "monitor/7",
          "severity": "critical",
          "configuration_item": "shop.example.org",
          "labels": {
            "check_type": "http",
            "monitor": "Shop",
            "monitor_path": "Public / Shop",
            "public": "",
            "service": "orders"
          },
          "annotations": {
            "checked_url": "https://shop.example.org/health",
            "description": "timeout of 48000ms exceeded",
            "summary": "[Shop] [🔴 Down] timeout of 48000ms exceeded"
          },
          "aliases": [
            "Shop"
          ],
          "extra": {
            "duration": 61,
            "important": true,
            "localDateTime": "2026-11-21 06:36:51",
            "monitorID": 7,
            "retries": 1,
            "timezone": "Europe/Warsaw",
            "timezoneOffset": "+01:00"
          }
        }
        "#);
        let (pending, paused) = (parse_at(&SPEC, PENDING, NOW).remove(0), parse_at(&SPEC, MAINTENANCE, NOW).remove(0));
        assert_eq!((pending.marker, pending.configuration_item.as_deref()), (Some(Marker::Soft), Some("db1")));
        assert_eq!((paused.status, paused.dedup_key == pending.dedup_key), (EventStatus::Commented, true));
    }

    #[test]
    fn a_certificate_is_a_warning_for_a_day_and_a_test_nothing() {
        insta::assert_snapshot!(check_event(&SPEC, CERTIFICATE, NOW, 0), @r#"
        {
          "id": "67e00dd8818ae181",
          "at": "2026-11-21T05:45:40.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "uptime_kuma",
          "status": "firing",
          "name": "certificate expires",
          "dedup_key": "certificate expires/Shop",
          "severity": "warning",
          "configuration_item": "shop.example.org",
          "labels": {
            "monitor": "Shop"
          },
          "annotations": {
            "summary": "[Shop][https://shop.example.org/health] server certificate shop.example.org will expire in 7 days"
          },
          "expires_at": "2026-11-22T05:45:40.000Z",
          "is_end_assumed": true
        }
        "#);
        let test = r#"{"heartbeat":null,"monitor":null,"msg":"Watchbell Testing"}"#;
        assert!(parse_at(&SPEC, test, NOW).is_empty());
    }

    #[test]
    fn a_form_holds_the_same() {
        let form = format!(
            "----------------------------42\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{DOWN}\r\n----------------------------42--\r\n"
        );
        assert_eq!(parse_at(&SPEC, &form, NOW), parse_at(&SPEC, DOWN, NOW));
    }

    #[test]
    fn severities_come_from_a_tag_or_the_configuration() {
        let tagged = DOWN.replace(r#""value":"orders","name":"service""#, r#""value":"P3","name":"severity""#);
        let severity = |table: serde_json::Value, body: &str| parse_with(&SPEC, &table, body, NOW)[0].severity;
        assert_eq!(severity(serde_json::json!({}), DOWN), Severity::Critical);
        assert_eq!(severity(serde_json::json!({}), &tagged), Severity::Minor);
        assert_eq!(
            severity(serde_json::json!({"severities": {"Shop": "major"}, "severity": "warning"}), DOWN),
            Severity::Major
        );
        assert_eq!(severity(serde_json::json!({"severity": "warning"}), PENDING), Severity::Warning);
        let events = parse_with(&SPEC, &serde_json::json!({"service_label": "service"}), DOWN, NOW);
        assert_eq!(events[0].service.as_deref(), Some("orders"));
    }

    #[test]
    fn hosts_are_found_in_addresses() {
        for (url, host) in [
            ("https://a.example:8443/x?y", Some("a.example")),
            ("https://user:pw@b.example", Some("b.example")),
            ("https://[2001:db8::1]:443/", Some("2001:db8::1")),
            ("https://", None),
            ("a.example", None),
        ] {
            assert_eq!(host_of(url).as_deref(), host, "{url}");
        }
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |body: &str| parse_error(&SPEC, body, NOW);
        insta::assert_snapshot!(check(&DOWN.replace(r#""status":0"#, r#""status":7"#)), @"`heartbeat.status`: expected `0` (down), `1` (up), `2` (pending) or `3` (maintenance), got 7");
        insta::assert_snapshot!(check(&DOWN.replace(r#""id":7,"#, "")), @"`monitor.id`: expected the monitor's number, got nothing");
        insta::assert_snapshot!(check(r#"{"msg":"hello"}"#), @"`msg`: expected a heartbeat, the test of the notification, or a message about something that expires, got hello");
        insta::assert_snapshot!(check("{}"), @"`msg`: expected a message, where there is no heartbeat, got nothing");
        insta::assert_snapshot!(check(r#"{"heartbeat":{},"msg":"x"}"#), @"`monitor`: expected the monitor of the heartbeat, got nothing");
    }
}
