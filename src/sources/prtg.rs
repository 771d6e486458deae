//! Paessler PRTG: a notification template's "Execute HTTP Action", with the payload of our setup page.
//!
//! Decides what a status means, which PRTG writes for people (`Down ESCALATION`, `Down ended (now: Up)`) and in the
//! language of the server. The sensor of its server is the identity. Never calls PRTG's API.
//!
//! ```text
//! sensorid=2041&sensor=HTTP&device=web1&host=192.0.2.11&status=Down&message=Connection+refused&priority=****&…
//! ```
//!
//! Placeholders: <https://kb.paessler.com/en/topic/373-what-placeholders-can-i-use-with-prtg> (read 2026-11-29).

use super::draft::{annotation, blank, configured_severity, finish, label, tags};
use super::fields::clipped;
use super::monitor_macros::{Dialect, Macros, read_json_or_form};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, is_http_url, push_alias};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::{Marker, TEXT_BYTES_MAX};
use crate::model::{Event, EventStatus, Severity};
use serde::Deserialize;
use std::collections::BTreeMap;

pub const SPEC: SourceSpec = SourceSpec {
    name: "prtg",
    title: "Paessler PRTG (Execute HTTP Action)",
    docs: include_str!("../../docs/sources/prtg.md"),
    examples: &[JSON, DOWN, UP, ACKNOWLEDGED, PAUSED],
    // It tries about three times, whatever the answer is.
    overload: Overload::TooManyRequests,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
    /// Words of a server that speaks another language: `Fehler: down`.
    #[serde(default)]
    statuses: BTreeMap<String, State>,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities, statuses } = read_table(table)?;
    if let Some(word) = severities.keys().find(|word| State::from_word(word).is_none()) {
        return Err(ConfigError::new(format!("severities.{word}"), format!("expected one of {STATES}")));
    }
    Ok(Box::new(Prtg { severities, statuses }))
}

struct Prtg {
    severities: Severities,
    statuses: BTreeMap<String, State>,
}

const STATES: &str = "`up`, `warning`, `unusual`, `down`, `down_partial`, `acknowledged`, `paused` or `unknown`";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Up,
    Warning,
    Unusual,
    Down,
    DownPartial,
    Acknowledged,
    Paused,
    Unknown,
}

impl State {
    const ALL: [Self; 8] = [
        Self::Up,
        Self::Warning,
        Self::Unusual,
        Self::Down,
        Self::DownPartial,
        Self::Acknowledged,
        Self::Paused,
        Self::Unknown,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Warning => "warning",
            Self::Unusual => "unusual",
            Self::Down => "down",
            Self::DownPartial => "down_partial",
            Self::Acknowledged => "acknowledged",
            Self::Paused => "paused",
            Self::Unknown => "unknown",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    const fn severity(self) -> Severity {
        match self {
            Self::Down | Self::Acknowledged => Severity::Critical,
            Self::DownPartial => Severity::Major,
            Self::Warning | Self::Unusual | Self::Unknown => Severity::Warning,
            Self::Up | Self::Paused => Severity::Info,
        }
    }

    const fn meaning(self) -> (EventStatus, Option<Marker>) {
        match self {
            Self::Up => (EventStatus::Resolved, None),
            Self::Warning | Self::Unusual | Self::Down | Self::DownPartial => (EventStatus::Firing, None),
            Self::Acknowledged => (EventStatus::Acknowledged, None),
            // Nothing is measured, so nothing is over either.
            Self::Paused => (EventStatus::Commented, Some(Marker::Suppressed)),
            Self::Unknown => (EventStatus::Commented, None),
        }
    }
}

const DIALECT: Dialect = Dialect {
    fold: |name| name.trim().trim_start_matches('%').to_ascii_lowercase(),
    is_unresolved: |value| {
        let name = value.strip_prefix('%').unwrap_or_default();
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase())
    },
};

impl Source for Prtg {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let notifications = read_json_or_form(inbound, &DIALECT)?.into_iter();
        let events =
            notifications.map(|(path, macros)| self.event(inbound, &macros).map_err(|error| error.inside(&path)));
        Ok(events.collect::<Result<Vec<_>, _>>()?.into())
    }
}

impl Prtg {
    fn event(&self, inbound: &Inbound<'_>, macros: &Macros) -> Result<Event, ParseError> {
        let need = |name: &str, expected: &str| {
            macros.get(name).ok_or_else(|| ParseError::new(name, "nothing", expected.to_owned()))
        };
        let sensor_id = need("sensorid", "the number of the sensor, `%sensorid`")?;
        let said = need("status", "the status of the sensor, `%status`")?;
        let state = self.state(said)?;
        let mut event = blank(inbound);
        (event.status, event.marker) = state.meaning();
        event.severity = configured_severity(state.as_str(), &self.severities).unwrap_or(state.severity());
        event.dedup_key = match macros.get("sitename") {
            Some(site) => format!("{site}/{sensor_id}"),
            None => sensor_id.to_owned(),
        };
        event.name = macros.first(&["sensor", "name", "shortname"]).unwrap_or("sensor").to_owned();
        event.configuration_item = macros.first(&["device", "host"]).map(str::to_owned);
        let item = event.configuration_item.clone().unwrap_or_default();
        push_alias(&mut event.aliases, &item, macros.get("host"));
        let words = macros.first(&["tags", "objecttags"]).unwrap_or_default().split([' ', ',']);
        tags(&mut event, words.filter(|word| !word.is_empty()).map(|word| (word.to_owned(), "true".to_owned())));
        for (name, placeholder) in [("group", "group"), ("probe", "probe"), ("status", "status"), ("site", "sitename")]
        {
            label(&mut event, name, macros.get(placeholder));
        }
        let stars = macros.get("priority").map(|stars| stars.matches('*').count()).filter(|count| *count > 0);
        label(&mut event, "priority", stars.map(|count| count.to_string()).as_deref());
        let text = |name: &str| macros.get(name).map(|text| clipped(text, TEXT_BYTES_MAX));
        let summary = format!("{item}/{} is {said}", event.name);
        let message = text("message").map(|message| format!(": {message}")).unwrap_or_default();
        annotation(&mut event, "summary", Some(clipped(&format!("{summary}{message}"), TEXT_BYTES_MAX)));
        annotation(&mut event, "last_value", text("lastvalue"));
        annotation(&mut event, "comments", text("commentssensor"));
        event.url = macros.first(&["linksensor", "linkdevice"]).filter(|url| is_http_url(url)).map(str::to_owned);
        if event.status == EventStatus::Commented {
            event.note = Some(format!("{said}{message}"));
        }
        // PRTG writes its times as the server's language does, so one only tells an action from the next.
        let time = macros.get("datetime").map_or_else(|| inbound.received_at.to_string(), str::to_owned);
        finish(event, &[said, &time, macros.get("message").unwrap_or_default()])
    }

    /// `Down ESCALATION (repeat 2)`, `Down (Acknowledged)`, `Down ended (now: Up)`.
    fn state(&self, said: &str) -> Result<State, ParseError> {
        let now = said.rsplit_once("now:").map_or(said, |(_, now)| now.trim().trim_end_matches(')'));
        let lower = now.to_lowercase();
        let configured = self.statuses.iter().filter(|(word, _)| lower.starts_with(&word.to_lowercase()));
        // The longest word says most: `Fehler (Bestätigt)` before `Fehler`.
        if let Some((_, state)) = configured.max_by_key(|(word, _)| word.len()) {
            return Ok(*state);
        }
        Ok(match lower.as_str() {
            down if down.starts_with("down") && down.contains("acknowledged") => State::Acknowledged,
            down if down.starts_with("down") && down.contains("partial") => State::DownPartial,
            down if down.starts_with("down") => State::Down,
            up if up.starts_with("up") => State::Up,
            warning if warning.starts_with("warning") => State::Warning,
            unusual if unusual.starts_with("unusual") => State::Unusual,
            paused if paused.starts_with("paused") => State::Paused,
            unknown if unknown.starts_with("unknown") || unknown.starts_with("no data") => State::Unknown,
            _ => {
                let expected = "`Up`, `Warning`, `Unusual`, `Down`, `Paused` or `Unknown` at its beginning, or a word under `statuses`";
                return Err(ParseError::new("status", said, expected));
            }
        })
    }
}

/// The same as an object, for whoever posts it from a script.
const JSON: &str = r#"{"sensorid":"2041","sensor":"HTTP","device":"web1","host":"192.0.2.11","group":"Web servers","probe":"Local Probe","status":"Down","message":"Connection refused (code: PE231)","lastvalue":"0 msec","priority":"****","tags":"httpsensor bandwidth","linksensor":"https://prtg.lab.example/sensor.htm?id=2041","datetime":"11/21/2026 5:36:51 AM (UTC)","sitename":"PRTG Network Monitor (LAB)"}"#;

const DOWN: &str = "sensorid=2041&sensor=HTTP&deviceid=2040&device=web1&host=192.0.2.11&group=Web+servers&probe=Local+Probe&sitename=PRTG+Network+Monitor+%28LAB%29&status=Down&laststatus=Up&message=Connection+refused+%28code%3A+PE231%29&lastvalue=0+msec&priority=****&tags=httpsensor+bandwidth&linksensor=https%3A%2F%2Fprtg.lab.example%2Fsensor.htm%3Fid%3D2041&datetime=11%2F21%2F2026+5%3A36%3A51+AM+%28UTC%29";

const UP: &str = "sensorid=2041&sensor=HTTP&deviceid=2040&device=web1&host=192.0.2.11&group=Web+servers&probe=Local+Probe&sitename=PRTG+Network+Monitor+%28LAB%29&status=Down+ended+%28now%3A+Up%29&laststatus=Down&message=OK&lastvalue=83+msec&priority=****&tags=httpsensor+bandwidth&linksensor=https%3A%2F%2Fprtg.lab.example%2Fsensor.htm%3Fid%3D2041&datetime=11%2F21%2F2026+5%3A42%3A51+AM+%28UTC%29";

const ACKNOWLEDGED: &str = "sensorid=2041&sensor=HTTP&device=web1&host=192.0.2.11&sitename=PRTG+Network+Monitor+%28LAB%29&status=Down++%28Acknowledged%29&message=Acknowledged+by+alice&priority=****&datetime=11%2F21%2F2026+5%3A38%3A00+AM+%28UTC%29";

const PAUSED: &str = "sensorid=2050&sensor=Ping&device=db1&host=192.0.2.13&status=Paused+%28paused+by+user%29&message=Paused+by+alice&priority=%2A%2A%2A&lastvalue=%25lastvalue&datetime=11%2F21%2F2026+5%3A30%3A00+AM+%28UTC%29";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{block, check_event, filled, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn a_notification_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, DOWN, NOW, 0), @r#"
        {
          "id": "f2b86aec0bc4334d",
          "at": "2026-11-21T05:45:40.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "prtg",
          "status": "firing",
          "name": "HTTP",
          "dedup_key": "PRTG Network Monitor (LAB)/2041",
          "severity": "critical",
          "configuration_item": "web1",
          "labels": {
            "bandwidth": "true",
            "group": "Web servers",
            "httpsensor": "true",
            "priority": "4",
            "probe": "Local Probe",
            "site": "PRTG Network Monitor (LAB)",
            "status": "Down"
          },
          "annotations": {
            "last_value": "0 msec",
            "summary": "web1/HTTP is Down: Connection refused (code: PE231)"
          },
          "url": "https://prtg.lab.example/sensor.htm?id=2041",
          "aliases": [
            "192.0.2.11"
          ]
        }
        "#);
        assert_eq!(parse_at(&SPEC, JSON, NOW), parse_at(&SPEC, DOWN, NOW));
    }

    #[test]
    fn a_status_is_understood_in_all_its_forms() {
        let state = |status: &str| {
            let event =
                parse_at(&SPEC, &format!("sensorid=1&sensor=x&status={}", status.replace(' ', "+")), NOW).remove(0);
            (event.status.as_str(), event.severity.as_str())
        };
        assert_eq!(state("Down ESCALATION (repeat 2)"), ("firing", "critical"));
        assert_eq!(state("Down (Partial)"), ("firing", "major"));
        assert_eq!(state("Warning"), ("firing", "warning"));
        assert_eq!(state("Unusual"), ("firing", "warning"));
        assert_eq!(state("Warning ended (now: Down)"), ("firing", "critical"));
        assert_eq!(state("Down ended (now: Warning)"), ("firing", "warning"));
        assert_eq!(state("up"), ("resolved", "info"));
        assert_eq!(state("Down (Acknowledged)"), ("acknowledged", "critical"));
        assert_eq!(state("Down ended (now: Paused (paused by user))"), ("commented", "info"));
        assert_eq!(state("Unknown"), ("commented", "warning"));
    }

    #[test]
    fn other_languages_and_severities_can_be_configured() {
        let table = serde_json::json!({
            "statuses": {"Fehler": "down", "Fehler (Bestätigt)": "acknowledged", "OK": "up"}, "severities": {"down": "major"}
        });
        let read = |status: &str| {
            let body = serde_json::json!({"sensorid": 1, "status": status}).to_string();
            let event = parse_with(&SPEC, &table, &body, NOW).remove(0);
            (event.status.as_str(), event.severity.as_str())
        };
        assert_eq!(read("Fehler"), ("firing", "major"));
        assert_eq!(read("Fehler (Bestätigt)"), ("acknowledged", "critical"));
        assert_eq!(read("Fehler beendet (now: OK)"), ("resolved", "info"));
    }

    /// The page's payload, as PRTG fills it in.
    #[test]
    fn the_payload_of_the_page_is_read() {
        let value = |placeholder: &'static str| {
            let name = placeholder.trim_start_matches('%');
            let pair = DOWN.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
            (placeholder, pair.unwrap_or_else(|| panic!("{placeholder}")))
        };
        let template = block(SPEC.docs, "text", 0);
        let placeholders = [
            "%sensorid",
            "%sensor",
            "%deviceid",
            "%device",
            "%host",
            "%group",
            "%probe",
            "%sitename",
            "%status",
            "%laststatus",
            "%message",
            "%lastvalue",
            "%priority",
            "%tags",
            "%linksensor",
            "%datetime",
        ];
        let body = filled(template.trim(), &placeholders.map(value));
        assert_eq!(body, DOWN);
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |body: &str| parse_error(&SPEC, body, NOW);
        insta::assert_snapshot!(check("sensor=x"), @"`sensorid`: expected the number of the sensor, `%sensorid`, got nothing");
        insta::assert_snapshot!(check("sensorid=%25sensorid&status=Down"), @"`sensorid`: expected the number of the sensor, `%sensorid`, got nothing");
        insta::assert_snapshot!(check("sensorid=1"), @"`status`: expected the status of the sensor, `%status`, got nothing");
        insta::assert_snapshot!(check("sensorid=1&status=Fehler"), @"`status`: expected `Up`, `Warning`, `Unusual`, `Down`, `Paused` or `Unknown` at its beginning, or a word under `statuses`, got Fehler");
        let configuration = |table: serde_json::Value| build(table.as_object().unwrap()).err().unwrap();
        insta::assert_snapshot!(configuration(serde_json::json!({"severities": {"Down": "major"}})), @"`severities.Down`: expected one of `up`, `warning`, `unusual`, `down`, `down_partial`, `acknowledged`, `paused` or `unknown`");
        insta::assert_snapshot!(configuration(serde_json::json!({"statuses": {"Fehler": "broken"}})), @"`statuses.Fehler`: unknown variant `broken`, expected one of `up`, `warning`, `unusual`, `down`, `down_partial`, `acknowledged`, `paused`, `unknown`");
    }
}
