//! SolarWinds Platform (Orion): what its alert actions post, by the template of our setup page.
//!
//! Decides how the body is read although Orion puts values into it as they are: a quote, a backslash or a line end in a
//! message breaks JSON, so a body that is none is read line by line. The alert on its object is the identity
//! (`AlertObjectID`); one of its episodes (`AlertActiveID`) is kept beside it. Never calls the SWIS API.
//!
//! ```text
//! {"alert_object_id":"217","alert_active_id":"4411","status":"firing","alert_name":"High CPU","severity":"Serious",…}
//! ```
//!
//! Variables: <https://documentation.solarwinds.com/en/success_center/orionplatform/content/core-alert-variables-sw1076.htm>
//! (read 2026-11-21).

use super::draft::{annotation, blank, finish, label, meaning, severity};
use super::fields::{Fields, clipped};
use super::{Inbound, Overload, ParseError, Parsed, Severities, Source, SourceSpec, json, push_alias};
use crate::error::{ConfigError, Table, read_table};
use crate::model::event::TEXT_BYTES_MAX;
use crate::model::{Event, EventStatus, Severity};
use serde::Deserialize;
use serde_json::{Map, Value};

pub const SPEC: SourceSpec = SourceSpec {
    name: "solarwinds",
    title: "SolarWinds Platform (Orion; alert actions)",
    docs: include_str!("../../docs/sources/solarwinds.md"),
    examples: &[TRIGGERED, RESET, BROKEN],
    // Orion does not try again by itself in a way to rely on; where it does, this is what it is meant for.
    overload: Overload::TooManyRequests,
    build,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Configuration {
    #[serde(default)]
    severities: Severities,
}

fn build(table: &Table) -> Result<Box<dyn Source>, ConfigError> {
    let Configuration { severities } = read_table(table)?;
    Ok(Box::new(SolarWinds { severities }))
}

struct SolarWinds {
    severities: Severities,
}

/// Orion's own words, and the numbers that it keeps them as.
const SEVERITIES: [(&str, Severity); 10] = [
    ("Critical", Severity::Critical),
    ("Serious", Severity::Major),
    ("Warning", Severity::Warning),
    ("Informational", Severity::Info),
    ("Notice", Severity::Info),
    ("2", Severity::Critical),
    ("3", Severity::Major),
    ("1", Severity::Warning),
    ("0", Severity::Info),
    ("4", Severity::Info),
];

const STATUSES: [(&str, EventStatus); 3] =
    [("firing", EventStatus::Firing), ("resolved", EventStatus::Resolved), ("acknowledged", EventStatus::Acknowledged)];

impl Source for SolarWinds {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let text = json::text(inbound.body)?;
        let fields = Fields::read(text).or_else(|error| lines(text).map_or(Err(error), Fields::of))?;
        self.events(inbound, fields).map(Parsed::from)
    }
}

impl SolarWinds {
    fn events(&self, inbound: &Inbound<'_>, mut fields: Fields) -> Result<Vec<Event>, ParseError> {
        fields.forget(is_unresolved);
        let object_id = fields.need_word("alert_object_id", "the variable `AlertObjectID`")?;
        let status = fields.need_word("status", "`firing` or `resolved`, as the template of the action says")?;
        let word = fields.word("severity")?;
        let mut event = blank(inbound);
        event.dedup_key = object_id;
        event.status = meaning("status", &status, &STATUSES)?;
        event.severity = match &word {
            Some(word) => severity("severity", word, &self.severities, &SEVERITIES)?,
            None => Severity::Warning,
        };
        event.name = fields.need_word("alert_name", "the variable `AlertName`")?;
        let (node, object) = (fields.word("node")?, fields.word("object")?);
        event.configuration_item = node.clone().or_else(|| object.clone());
        let item = event.configuration_item.clone().unwrap_or_default();
        push_alias(&mut event.aliases, &item, fields.word("ip_address")?.as_deref());
        label(&mut event, "object", object.as_deref());
        label(&mut event, "object_type", fields.word("object_type")?.as_deref());
        let text = |text: Option<String>| text.map(|text| clipped(&text, TEXT_BYTES_MAX));
        annotation(&mut event, "summary", text(fields.word("message")?));
        annotation(&mut event, "description", text(fields.word("description")?));
        event.url = fields.link("url")?;
        let who = fields.word("acknowledged_by")?;
        let is_acknowledged = fields.word("acknowledged")?.is_some_and(|word| is_yes(&word));
        let active_id = fields.word("alert_active_id")?.unwrap_or_default();
        // Orion writes its time as its own settings say, so it only tells one action from the next.
        let time = fields.word("time")?.unwrap_or_else(|| inbound.received_at.to_string());
        event.extra = fields.leftover();
        if !active_id.is_empty() {
            event.extra.insert("alert_active_id".to_owned(), active_id.clone().into());
        }
        let said = [active_id.as_str(), time.as_str()];
        let mut acknowledged = None;
        if is_acknowledged && event.status == EventStatus::Firing {
            let event = Event { status: EventStatus::Acknowledged, author: who.clone(), ..event.clone() };
            acknowledged = Some(finish(event, &said)?);
        } else if event.status == EventStatus::Acknowledged {
            event.author = who;
        }
        Ok(std::iter::once(finish(event, &said)?).chain(acknowledged).collect())
    }
}

fn is_yes(word: &str) -> bool {
    ["true", "yes", "1", "acknowledged"].iter().any(|yes| word.eq_ignore_ascii_case(yes))
}

/// A variable that Orion does not know for this object stays as it is, or becomes a complaint.
fn is_unresolved(value: &str) -> bool {
    value.starts_with("${") && value.ends_with('}') || value.starts_with("Macro SQL Error") || value == "$ENUM"
}

/// A body with one field on each line, whatever stands in the values. A line that begins no field, or one that was there
/// before, goes on with the value above it.
fn lines(text: &str) -> Option<Value> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in inner.lines().skip(1) {
        match field(line) {
            Some((name, value)) if !fields.iter().any(|(other, _)| *other == name) => fields.push((name, value)),
            _ => {
                let (_, value) = fields.last_mut()?;
                value.push('\n');
                value.push_str(line);
            }
        }
    }
    let mut map = Map::new();
    for (name, value) in fields {
        let value = value.trim_end();
        let value = value.strip_suffix(',').unwrap_or(value).strip_suffix('"')?;
        map.insert(name, value.into());
    }
    (!map.is_empty()).then_some(Value::Object(map))
}

/// `  "alert_name": "High "CPU"",` with the end of the value still on.
fn field(line: &str) -> Option<(String, String)> {
    let (name, value) = line.trim_start().strip_prefix('"')?.split_once('"')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let value = value.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    is_name.then(|| (name.to_owned(), value.to_owned()))
}

/// Written after the template, as Orion 2024.2 fills it in.
const TRIGGERED: &str = r#"{
  "alert_object_id": "217",
  "alert_active_id": "4411",
  "status": "firing",
  "severity": "Serious",
  "alert_name": "High CPU load",
  "node": "web1",
  "object": "web1",
  "object_type": "Node",
  "ip_address": "192.0.2.11",
  "acknowledged": "",
  "acknowledged_by": "",
  "url": "https://orion.lab.example/Orion/View.aspx?NetObject=AAT:217",
  "time": "Saturday, November 21, 2026 5:36 AM",
  "description": "CPU above 90 % for ten minutes",
  "message": "web1: CPU load is 97 %"
}"#;

const RESET: &str = r#"{
  "alert_object_id": "217",
  "alert_active_id": "4411",
  "status": "resolved",
  "severity": "Serious",
  "alert_name": "High CPU load",
  "node": "web1",
  "object": "web1",
  "object_type": "Node",
  "ip_address": "192.0.2.11",
  "acknowledged": "",
  "acknowledged_by": "",
  "url": "https://orion.lab.example/Orion/View.aspx?NetObject=AAT:217",
  "time": "Saturday, November 21, 2026 5:44 AM",
  "description": "CPU above 90 % for ten minutes",
  "message": "web1: CPU load is 12 %"
}"#;

/// What a message can hold: quotes, a path, a line end. An interface is the object of its node.
const BROKEN: &str = r#"{
  "alert_object_id": "318",
  "alert_active_id": "4412",
  "status": "firing",
  "severity": "Critical",
  "alert_name": "Interface "uplink" down",
  "node": "sw-core-1",
  "object": "GigabitEthernet0/1 · uplink",
  "object_type": "Interface",
  "ip_address": "${N=SwisEntity;M=IP_Address}",
  "acknowledged": "Acknowledged",
  "acknowledged_by": "LAB\alice",
  "url": "https://orion.lab.example/Orion/View.aspx?NetObject=AAT:318",
  "time": "Saturday, November 21, 2026 5:37 AM",
  "description": "",
  "message": "Interface "uplink" of sw-core-1 is down
log: C:\Temp\snmp.txt
"severity": "low""
}"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{block, check_event, filled, parse_at, parse_error, parse_with};

    const NOW: &str = "2026-11-21T05:45:40.000Z";

    #[test]
    fn an_alert_is_read_whole() {
        insta::assert_snapshot!(check_event(&SPEC, TRIGGERED, NOW, 0), @r#"
        {
          "id": "3d0682af0fbaeae7",
          "at": "2026-11-21T05:45:40.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "solarwinds",
          "status": "firing",
          "name": "High CPU load",
          "dedup_key": "217",
          "severity": "major",
          "configuration_item": "web1",
          "labels": {
            "object": "web1",
            "object_type": "Node"
          },
          "annotations": {
            "description": "CPU above 90 % for ten minutes",
            "summary": "web1: CPU load is 97 %"
          },
          "url": "https://orion.lab.example/Orion/View.aspx?NetObject=AAT:217",
          "aliases": [
            "192.0.2.11"
          ],
          "extra": {
            "alert_active_id": "4411"
          }
        }
        "#);
    }

    #[test]
    fn a_body_that_its_values_broke_is_read_by_its_lines() {
        insta::assert_snapshot!(check_event(&SPEC, BROKEN, NOW, 1), @r#"
        {
          "id": "de74c193b2ebd632",
          "at": "2026-11-21T05:45:40.000Z",
          "received_at": "2026-11-21T05:45:40.000Z",
          "source": "solarwinds",
          "status": "acknowledged",
          "name": "Interface \"uplink\" down",
          "dedup_key": "318",
          "severity": "critical",
          "configuration_item": "sw-core-1",
          "labels": {
            "object": "GigabitEthernet0/1 · uplink",
            "object_type": "Interface"
          },
          "annotations": {
            "summary": "Interface \"uplink\" of sw-core-1 is down\nlog: C:\\Temp\\snmp.txt\n\"severity\": \"low\""
          },
          "url": "https://orion.lab.example/Orion/View.aspx?NetObject=AAT:318",
          "author": "LAB\\alice",
          "extra": {
            "alert_active_id": "4412"
          }
        }
        "#);
        let statuses: Vec<_> = parse_at(&SPEC, BROKEN, NOW).iter().map(|event| event.status.as_str()).collect();
        assert_eq!(statuses, ["firing", "acknowledged"]);
    }

    /// The page's two templates with a value in each place.
    #[test]
    fn the_templates_of_the_page_are_read() {
        let values = [
            ("${N=Alerting;M=AlertObjectID}", "217"),
            ("${N=Alerting;M=AlertActiveID}", "4411"),
            ("${N=Alerting;M=Severity}", "Serious"),
            ("${N=Alerting;M=AlertName}", "High CPU load"),
            ("${N=SWQL;M=SELECT TOP 1 RelatedNodeCaption FROM Orion.AlertObjects WHERE AlertObjectID = 217}", "web1"),
            ("${N=SWQL;M=SELECT TOP 1 EntityCaption FROM Orion.AlertObjects WHERE AlertObjectID = 217}", "web1"),
            ("${N=Alerting;M=ObjectType}", "Node"),
            ("${N=SwisEntity;M=IP_Address}", "192.0.2.11"),
            ("${N=Alerting;M=Acknowledged}", ""),
            ("${N=Alerting;M=AcknowledgedBy}", ""),
            ("${N=Alerting;M=AlertDetailsUrl}", "https://orion.lab.example/Orion/View.aspx?NetObject=AAT:217"),
            ("${N=Generic;M=DateTime}", "Saturday, November 21, 2026 5:36 AM"),
            ("${N=Alerting;M=AlertDescription}", "CPU above 90 % for ten minutes"),
            ("${N=Alerting;M=AlertMessage}", "web1: CPU load is 97 %"),
        ];
        let template = block(SPEC.docs, "json", 0).replace("${N=Alerting;M=AlertObjectID}", "217");
        let body = filled(&template, &values[1..]);
        assert_eq!(parse_at(&SPEC, &body, NOW), parse_at(&SPEC, TRIGGERED, NOW));
        let reset = body.replace(r#""status": "firing""#, r#""status": "resolved""#);
        let reset = parse_at(&SPEC, &reset, NOW).remove(0);
        assert_eq!((reset.status, reset.dedup_key.as_str()), (EventStatus::Resolved, "217"));
    }

    #[test]
    fn severities_can_be_configured() {
        let table = serde_json::json!({"severities": {"serious": "minor"}});
        assert_eq!(parse_with(&SPEC, &table, TRIGGERED, NOW)[0].severity, Severity::Minor);
        let number = TRIGGERED.replace("Serious", "2");
        assert_eq!(parse_at(&SPEC, &number, NOW)[0].severity, Severity::Critical);
    }

    #[test]
    fn says_what_is_wrong() {
        let check = |from: &str, to: &str| parse_error(&SPEC, &TRIGGERED.replace(from, to), NOW);
        insta::assert_snapshot!(check("Serious", "Grave"), @"`severity`: expected `Critical`, `Serious`, `Warning`, `Informational`, `Notice`, `2`, `3`, `1`, `0` or `4`, got Grave");
        insta::assert_snapshot!(check(r#""status": "firing""#, r#""status": "up""#), @"`status`: expected `firing`, `resolved` or `acknowledged`, got up");
        insta::assert_snapshot!(check("217", "${N=Alerting;M=AlertObjectID}"), @"`alert_object_id`: expected the variable `AlertObjectID`, got nothing");
        insta::assert_snapshot!(check(r#"load is 97 %""#, r#"load is "97 %"#), @"`body`: expected valid JSON, got a mistake at line 16, column 34 (expected `,` or `}`)");
        insta::assert_snapshot!(parse_error(&SPEC, "{\"a\":tru}", NOW), @"`body`: expected valid JSON, got a mistake at line 1, column 9 (expected ident)");
    }
}
