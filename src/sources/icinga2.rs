//! Icinga 2: the macros of one notification, posted by a notification command.
//!
//! Decides only how Icinga's names for macros are those of Nagios; what a notification means is said in `nagios.rs`.
//! Host and service are the identity: Icinga counts no problems. Never reads the event stream of Icinga's API.
//!
//! ```text
//! {"notification.type":"PROBLEM","host.name":"web1","service.name":"disk","service.state":"CRITICAL",…}
//! ```
//!
//! Macros: <https://icinga.com/docs/icinga-2/latest/doc/03-monitoring-basics/#runtime-macros> (read 2026-11-21).

use super::fields::clipped;
use super::monitor_macros::{Dialect, Macros, read_json_or_form};
use super::nagios::{self, StateSeverities, state_severities};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, check_limits, is_http_url};
use crate::error::{ConfigError, Table, read_table};
use crate::model::Event;
use crate::model::event::TEXT_BYTES_MAX;
use serde::Deserialize;

pub const SPEC: SourceSpec = SourceSpec {
    name: "icinga2",
    title: "Icinga 2 (notification command)",
    docs: include_str!("../../docs/sources/icinga2.md"),
    examples: &[
        SERVICE_PROBLEM,
        ACKNOWLEDGED,
        SERVICE_RECOVERY,
        HOST_PROBLEM,
        HOST_RECOVERY,
        DOWNTIME_STARTED,
        FLAPPING_ENDED,
    ],
    // Icinga runs one command for each notification and looks at nothing; `watchbell send` comes again after a 429.
    overload: Overload::TooManyRequests,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
    web_url: Option<String>,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities, web_url } = read_table(table)?;
    if let Some(url) = web_url.as_deref().filter(|url| !is_http_url(url)) {
        let message =
            format!("expected the address of Icinga Web, `https://icinga.example.org/icingaweb2`, got `{url}`");
        return Err(ConfigError::new("web_url", message));
    }
    Ok(Box::new(Icinga2 { severities: state_severities(severities)?, web_url }))
}

struct Icinga2 {
    severities: StateSeverities,
    web_url: Option<String>,
}

const DIALECT: Dialect = Dialect {
    fold,
    is_unresolved: |value| value.len() > 2 && value.starts_with('$') && value.ends_with('$') && !value.contains(' '),
};

/// `host.last_state_change` and `ICINGA_HOST_LAST_STATE_CHANGE` are `LASTHOSTSTATECHANGE`, as Nagios calls it.
fn fold(name: &str) -> String {
    let name: String = name.to_ascii_uppercase().chars().filter(|c| !matches!(c, '.' | '_')).collect();
    let name = name.strip_prefix("ICINGA").unwrap_or(&name);
    match name {
        "SERVICENAME" => "SERVICEDESC",
        "HOSTGROUPS" => "HOSTGROUPNAMES",
        "SERVICEGROUPS" => "SERVICEGROUPNAMES",
        "HOSTLASTSTATECHANGE" => "LASTHOSTSTATECHANGE",
        "SERVICELASTSTATECHANGE" => "LASTSERVICESTATECHANGE",
        name => name,
    }
    .to_owned()
}

impl Source for Icinga2 {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let notifications = read_json_or_form(inbound, &DIALECT)?.into_iter();
        let events =
            notifications.map(|(path, macros)| self.event(inbound, &macros).map_err(|error| error.inside(&path)));
        Ok(events.collect::<Result<Vec<_>, _>>()?.into())
    }
}

impl Icinga2 {
    fn event(&self, inbound: &Inbound<'_>, macros: &Macros) -> Result<Event, ParseError> {
        let mut event = nagios::event(inbound, macros, &self.severities)?;
        // An output of several lines is one macro here.
        let summary = event.annotations.get("summary").unwrap_or_default().to_owned();
        if let Some((first, _)) = summary.split_once('\n') {
            event.annotations.insert("summary", first.trim_end());
            event.annotations.insert("description", clipped(&summary, TEXT_BYTES_MAX));
        }
        if event.url.is_none() {
            event.url = self.page(macros);
        }
        check_limits(&event)?;
        Ok(event)
    }

    /// The page of the host or service in Icinga DB Web.
    fn page(&self, macros: &Macros) -> Option<String> {
        let (base, host) = (self.web_url.as_deref()?.trim_end_matches('/'), encoded(macros.get("HOSTNAME")?));
        Some(match macros.get("SERVICEDESC") {
            Some(service) => format!("{base}/icingadb/service?name={}&host.name={host}", encoded(service)),
            None => format!("{base}/icingadb/host?name={host}"),
        })
    }
}

/// As a value in a query.
fn encoded(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Icinga 2.13.6, as a command posts it that sends what it knows; shortened to what is read.
const SERVICE_PROBLEM: &str = r#"{"kind":"service","notification.type":"PROBLEM","notification.author":"","notification.comment":"","host.name":"web1","host.display_name":"web1","host.address":"192.0.2.11","host.state":"UP","host.state_type":"HARD","host.last_state_change":"1795239970","host.output":"PING OK - Packet loss = 0%, RTA = 0.40 ms","host.groups":"web","icinga.timet":"1795239589","user.name":"bridge","service.name":"http","service.display_name":"http","service.state":"CRITICAL","service.state_id":"2","service.state_type":"HARD","service.check_attempt":"1","service.max_check_attempts":"2","service.last_state":"WARNING","service.last_state_change":"1795239589","service.downtime_depth":"0","service.duration_sec":"0.000490","service.output":"HTTP CRITICAL - HTTP 503 \"quoted\" & $HOME ü","service.perfdata":"","service.check_source":"lab"}"#;

const ACKNOWLEDGED: &str = r#"{"kind":"service","notification.type":"ACKNOWLEDGEMENT","notification.author":"alice","notification.comment":"looking into it","host.name":"web1","host.address":"192.0.2.11","host.state":"UP","host.state_type":"HARD","host.groups":"web","icinga.timet":"1795239600","service.name":"http","service.state":"CRITICAL","service.state_type":"HARD","service.last_state_change":"1795239589","service.output":"HTTP CRITICAL - HTTP 503"}"#;

const SERVICE_RECOVERY: &str = r#"{"kind":"service","notification.type":"RECOVERY","notification.author":"","notification.comment":"","host.name":"web1","host.display_name":"web1","host.address":"192.0.2.11","host.state":"UP","host.state_type":"HARD","host.groups":"web","icinga.timet":"1795239612","service.name":"http","service.state":"OK","service.state_type":"HARD","service.last_state":"CRITICAL","service.last_state_change":"1795239612","service.output":"HTTP OK - all good"}"#;

const HOST_PROBLEM: &str = r#"{"kind":"host","notification.type":"PROBLEM","notification.author":"","notification.comment":"","host.name":"rtr1","host.display_name":"core router","host.address":"192.0.2.10","host.state":"DOWN","host.state_id":"1","host.state_type":"HARD","host.last_state":"DOWN","host.last_state_change":"1795239442","host.output":"PING CRITICAL - Packet loss = 100%, PSU failed","host.groups":"network","icinga.timet":"1795239444","user.name":"bridge"}"#;

const HOST_RECOVERY: &str = r#"{"kind":"host","notification.type":"RECOVERY","host.name":"rtr1","host.display_name":"core router","host.address":"192.0.2.10","host.state":"UP","host.state_type":"HARD","host.last_state_change":"1795239456","host.output":"PING OK - Packet loss = 0%, RTA = 0.40 ms","host.groups":"network","icinga.timet":"1795239456"}"#;

const DOWNTIME_STARTED: &str = r#"{"kind":"host","notification.type":"DOWNTIMESTART","notification.author":"alice","notification.comment":"rack move","host.name":"web2","host.address":"192.0.2.12","host.state":"UP","host.state_type":"HARD","host.downtime_depth":"1","icinga.timet":"1795239432"}"#;

const FLAPPING_ENDED: &str = r#"{"kind":"host","notification.type":"FLAPPINGEND","host.name":"db1","host.address":"192.0.2.13","host.state":"UP","host.state_type":"HARD","host.last_state_change":"1795239474","host.output":"steady","icinga.timet":"1795239475"}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::EventStatus;
    use crate::sources::tests::{block, check_event, inbound_at, parse_at, parse_error};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn a_notification_is_read_as_one_of_nagios() {
        insta::assert_snapshot!(check_event(&SPEC, SERVICE_PROBLEM, NOW, 0), @r#"
        {
          "id": "c1f3894250f856cc",
          "at": "2026-11-21T05:39:49.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "icinga2",
          "status": "firing",
          "name": "http",
          "dedup_key": "web1;http",
          "severity": "critical",
          "configuration_item": "web1",
          "labels": {
            "host_groups": "web",
            "service": "http",
            "state": "CRITICAL",
            "state_type": "HARD"
          },
          "annotations": {
            "summary": "web1/http is CRITICAL: HTTP CRITICAL - HTTP 503 \"quoted\" & $HOME ü"
          },
          "aliases": [
            "192.0.2.11"
          ]
        }
        "#);
        let event = parse_at(&SPEC, ACKNOWLEDGED, NOW).remove(0);
        assert_eq!((event.status, event.author.as_deref()), (EventStatus::Acknowledged, Some("alice")));
        assert_eq!(parse_at(&SPEC, FLAPPING_ENDED, NOW)[0].status, EventStatus::Resolved);
    }

    #[test]
    fn the_names_of_the_environment_will_do() {
        for (theirs, ours) in [
            ("host.name", "HOSTNAME"),
            ("ICINGA_HOST_NAME", "HOSTNAME"),
            ("service.name", "SERVICEDESC"),
            ("ICINGA_SERVICE_LAST_STATE_CHANGE", "LASTSERVICESTATECHANGE"),
            ("icinga.timet", "TIMET"),
            ("notification.type", "NOTIFICATIONTYPE"),
            ("HOSTADDRESS", "HOSTADDRESS"),
        ] {
            assert_eq!(fold(theirs), ours);
        }
    }

    /// What Icinga puts into the environment of the page's command.
    #[test]
    fn the_command_of_the_page_sends_what_is_read() {
        let command = block(SPEC.docs, "icinga2", 0);
        let pairs: Vec<(&str, &str)> = command
            .lines()
            .filter_map(|line| line.trim().strip_prefix("ICINGA_")?.split_once(" = \"$"))
            .map(|(name, rest)| (name.trim(), rest.trim_end_matches("$\"")))
            .collect();
        assert!(pairs.len() >= 15, "{command}");
        let example: serde_json::Value = serde_json::from_str(SERVICE_PROBLEM).unwrap();
        let mut body = serde_json::Map::new();
        for (name, its) in &pairs {
            // The names of the macros and of the variables say the same.
            assert_eq!(fold(name), fold(its), "{name}");
            body.insert(format!("ICINGA_{name}"), example.get(*its).cloned().unwrap_or_default());
        }
        let (from_page, direct) = (serde_json::Value::from(body).to_string(), parse_at(&SPEC, SERVICE_PROBLEM, NOW));
        assert_eq!(parse_at(&SPEC, &from_page, NOW), direct);
    }

    #[test]
    fn several_lines_are_a_summary_and_a_description() {
        let body = HOST_PROBLEM.replace("PSU failed", "PSU failed\\nfan 2 stopped");
        let annotations = parse_at(&SPEC, &body, NOW).remove(0).annotations;
        assert!(annotations.get("summary").unwrap().ends_with("PSU failed"));
        assert!(annotations.get("description").unwrap().ends_with("fan 2 stopped"));
    }

    #[test]
    fn the_page_in_icinga_web_is_linked_when_it_is_known() {
        let source = |url: &str| build(serde_json::json!({"web_url": url}).as_object().unwrap());
        let link = |body: &str| {
            let source = source("https://icinga.lab.example/icingaweb2/").unwrap();
            source.parse(&inbound_at("icinga2", body, NOW)).unwrap().into_events().remove(0).url.unwrap()
        };
        assert_eq!(link(HOST_PROBLEM), "https://icinga.lab.example/icingaweb2/icingadb/host?name=rtr1");
        let named = SERVICE_PROBLEM.replace(r#""service.name":"http""#, r#""service.name":"disk /var""#);
        assert!(link(&named).ends_with("/icingadb/service?name=disk%20%2Fvar&host.name=web1"));
        insta::assert_snapshot!(source("icinga").err().unwrap(), @"`web_url`: expected the address of Icinga Web, `https://icinga.example.org/icingaweb2`, got `icinga`");
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |body: &str| parse_error(&SPEC, body, NOW);
        insta::assert_snapshot!(check("{}"), @"`HOSTNAME`: expected the name of the host, got nothing");
        insta::assert_snapshot!(check(r#"{"host.name":"web1","host.state":"UP","notification.type":"RENAMED"}"#), @"`NOTIFICATIONTYPE`: expected a notification type of Nagios such as `PROBLEM` or `RECOVERY`, got RENAMED");
        insta::assert_snapshot!(check(r#"{"host.name":"web1","host.state":"BROKEN","notification.type":"PROBLEM"}"#), @"`HOSTSTATE`: expected `UP`, `DOWN` or `UNREACHABLE`, got BROKEN");
        insta::assert_snapshot!(check(r#"{"host.name":"web1","host_name":"web1"}"#), @"`HOSTNAME`: expected each macro once, got it twice");
    }
}
