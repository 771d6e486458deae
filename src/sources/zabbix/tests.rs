//! Problems, updates and recoveries of Zabbix, read.

use super::*;
use crate::sources::tests::{check_event, inbound_at, parse_at, parse_error};

const NOW: &str = "2026-11-21T05:45:40.000Z";

/// The events that an update with this action gives, one line each.
fn check(action: &str, message: &str) -> String {
    let body = ACKNOWLEDGED
        .replace("acknowledged and commented", action)
        .replace(r#"looking into it; \"ticket\" #42"#, message);
    let line = |event: &Event| {
        let marker = event.marker.map(|marker| format!(" {marker:?}")).unwrap_or_default();
        format!("{}{marker} {:?}", event.status.as_str(), event.note.as_deref().unwrap_or_default())
    };
    parse_at(&SPEC, &body, NOW).iter().map(line).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_problem_is_read_whole() {
    insta::assert_snapshot!(check_event(&SPEC, PROBLEM, NOW, 0), @r#"
    {
      "id": "4fdd920d3060df44",
      "at": "2026-11-21T05:36:51.000Z",
      "received_at": "2026-11-21T05:45:40.000Z",
      "source": "zabbix",
      "status": "firing",
      "name": "Service http is down",
      "dedup_key": "111",
      "severity": "major",
      "configuration_item": "web1",
      "labels": {
        "host_groups": "lab/web",
        "scope": "availability",
        "service": "http",
        "site": "lab1",
        "tier": "web",
        "trigger_id": "23137"
      },
      "annotations": {
        "operational_data": "state: 2",
        "summary": "Service http is down on web1 (web)"
      },
      "url": "https://zabbix.lab.example/tr_events.php?triggerid=23137&eventid=111",
      "aliases": [
        "192.0.2.11",
        "web1.lab.example"
      ]
    }
    "#);
}

#[test]
fn an_update_says_what_was_done() {
    assert_eq!(check("acknowledged", ""), r#"acknowledged """#);
    assert_eq!(check("acknowledged and commented", "mine"), r#"acknowledged "mine""#);
    assert_eq!(check("commented", "hm"), r#"commented "hm""#);
    assert_eq!(check("unacknowledged", ""), r#"commented Unacknowledged """#);
    assert_eq!(check("suppressed until 2026-11-21 07:00:00", ""), r#"commented Suppressed """#);
    assert_eq!(check("unsuppressed and commented", "on"), r#"commented Unsuppressed "on""#);
    assert_eq!(
        check("acknowledged, commented and changed severity from High to Warning", "mine"),
        r#"acknowledged "mine"; firing """#
    );
    assert_eq!(check("commented and changed severity from A and B to C", "hm").matches("firing").count(), 1);
    assert_eq!(check("closed", ""), r#"commented "closed""#);
    assert_eq!(check("commented and ranked as symptom", "x"), r#"commented "ranked as symptom: x""#);
}

#[test]
fn an_acknowledgement_says_who_and_when() {
    insta::assert_snapshot!(check_event(&SPEC, ACKNOWLEDGED, NOW, 0), @r#"
    {
      "id": "4e3b50d02b7c8681",
      "at": "2026-11-21T05:36:53.000Z",
      "received_at": "2026-11-21T05:45:40.000Z",
      "source": "zabbix",
      "status": "acknowledged",
      "name": "Service http is down",
      "dedup_key": "111",
      "severity": "major",
      "configuration_item": "web1",
      "labels": {
        "trigger_id": "23137"
      },
      "annotations": {
        "summary": "Service http is down on web1 (web)"
      },
      "author": "Zabbix Administrator (Admin)",
      "note": "looking into it; \"ticket\" #42"
    }
    "#);
}

#[test]
fn a_change_of_severity_fires_with_the_new_one() {
    let event = parse_at(&SPEC, SEVERITY_CHANGED, NOW).remove(0);
    assert_eq!((event.status, event.severity), (EventStatus::Firing, Severity::Warning));
    let first = parse_at(&SPEC, PROBLEM, NOW).remove(0);
    assert_eq!((first.severity, &first.dedup_key), (Severity::Major, &event.dedup_key));
    assert_ne!(first.id, event.id);
}

#[test]
fn closing_by_hand_is_a_comment_and_the_resolve_that_the_recovery_repeats() {
    let events = parse_at(&SPEC, CLOSED, NOW);
    assert_eq!(events.iter().map(|e| e.status.as_str()).collect::<Vec<_>>(), ["commented", "resolved"]);
    assert_eq!(events[0].note.as_deref(), Some("closed: closing by hand"));
    let recovery = CLOSED
        .replace(r#""event_update_status":"1""#, r#""event_update_status":"0""#)
        .replace("commented and closed", "{EVENT.UPDATE.ACTION}")
        .replace("closing by hand", "{EVENT.UPDATE.MESSAGE}");
    assert_eq!(parse_at(&SPEC, &recovery, NOW)[0].id, events[1].id);
    assert_eq!(events[1].at.to_string(), "2026-11-21T05:37:20.000Z");
}

#[test]
fn an_internal_problem_is_a_problem_and_a_discovery_a_remark() {
    insta::assert_snapshot!(check_event(&SPEC, NOT_SUPPORTED, NOW, 0), @r#"
    {
      "id": "f5ec4795a45935f6",
      "at": "2026-11-21T05:40:41.000Z",
      "received_at": "2026-11-21T05:45:40.000Z",
      "source": "zabbix",
      "status": "firing",
      "name": "item not supported",
      "dedup_key": "414",
      "severity": "warning",
      "configuration_item": "mon1",
      "annotations": {
        "summary": "Value of type \"string\" is not suitable for value type \"Numeric (unsigned)\". Value \"not a number\""
      },
      "aliases": [
        "192.0.2.14"
      ]
    }
    "#);
    insta::assert_snapshot!(check_event(&SPEC, DISCOVERY, NOW, 0), @r#"
    {
      "id": "aaf1231453ad4c34",
      "at": "2026-11-21T05:40:03.000Z",
      "received_at": "2026-11-21T05:45:40.000Z",
      "source": "zabbix",
      "status": "commented",
      "name": "host discovered",
      "dedup_key": "415",
      "severity": "info",
      "configuration_item": "192.0.2.40",
      "note": "SSH 22 of 192.0.2.40 is UP"
    }
    "#);
    let registered = r#"{"event_id":"413","event_source":"2","host_host":"newbox","host_ip":"127.0.0.1"}"#;
    let event = parse_at(&SPEC, registered, NOW).remove(0);
    assert_eq!((event.note.as_deref(), event.aliases.len()), (Some("newbox registered itself"), 0));
}

#[test]
fn a_service_of_zabbix_is_a_service() {
    let body = r#"{"event_id":"9","event_source":"4","event_value":"1","event_nseverity":"5",
        "event_name":"Status of service \"Orders\" changed to Disaster","service_name":"Orders"}"#;
    let event = parse_at(&SPEC, body, NOW).remove(0);
    assert_eq!((event.service.as_deref(), event.severity), (Some("Orders"), Severity::Critical));
    assert_eq!((event.name.as_str(), event.configuration_item), ("service problem", None));
}

#[test]
fn times_are_read_in_the_configured_zone_and_doubted_when_ahead() {
    let at = |zone: &str, received_at: &str| {
        let table = serde_json::json!({"time_zone": zone});
        let source = build(table.as_object().unwrap()).unwrap();
        source.parse(&inbound_at("zabbix", PROBLEM, received_at)).unwrap().into_events()[0].at.to_string()
    };
    assert_eq!(at("UTC", NOW), "2026-11-21T05:36:51.000Z");
    assert_eq!(at("Europe/Warsaw", NOW), "2026-11-21T04:36:51.000Z");
    assert_eq!(at("UTC", "2026-11-21T05:31:51.000Z"), "2026-11-21T05:36:51.000Z");
    assert_eq!(at("UTC", "2026-11-21T05:31:50.999Z"), "2026-11-21T05:31:50.999Z");
    assert_eq!(at("America/New_York", NOW), NOW);
    let unreadable = PROBLEM.replace("05:36:51", "noon");
    assert_eq!(parse_at(&SPEC, &unreadable, NOW)[0].at.to_string(), NOW);
}

#[test]
fn the_family_does_not_name_the_host() {
    let family = |name: &str| {
        let body = format!(
            r#"{{"event_id":"1","event_source":"0","event_value":"1","event_name":"{name}","host_host":"web1","host_name":"web1 (web)"}}"#
        );
        parse_at(&SPEC, &body, NOW).remove(0).name
    };
    assert_eq!(family("Service http is down on web1 (web)"), "Service http is down");
    assert_eq!(family("web1: disk is full"), "disk is full");
    assert_eq!(family("High load on {HOST.NAME}"), "High load");
    assert_eq!(family("Host {HOST.NAME} is down"), "Host is down");
    assert_eq!(family("Disk full (web1)"), "Disk full");
    assert_eq!(family("web10 is down"), "web10 is down");
    assert_eq!(family("web1"), "web1");
    assert_eq!(family("Version 1.0 in web1"), "Version 1.0");
    assert_eq!(family("Logon web1"), "Logon");
}

#[test]
fn severities_can_be_configured_by_name_and_number() {
    let severity = |table: serde_json::Value, body: &str| {
        let source = build(table.as_object().unwrap()).unwrap();
        source.parse(&inbound_at("zabbix", body, NOW)).unwrap().into_events()[0].severity
    };
    let renamed = PROBLEM.replace(r#""event_severity":"High""#, r#""event_severity":"Gold""#);
    assert_eq!(severity(serde_json::json!({"severities": {"High": "critical"}}), PROBLEM), Severity::Critical);
    assert_eq!(severity(serde_json::json!({"severities": {"4": "minor"}}), &renamed), Severity::Minor);
    assert_eq!(severity(serde_json::json!({"severities": {"gold": "info"}}), &renamed), Severity::Info);
    assert_eq!(severity(serde_json::json!({}), &renamed), Severity::Major);
}

#[test]
fn tags_become_labels() {
    let tags = r#"[{\"tag\":\"a\",\"value\":\"1\"},{\"tag\":\"a\",\"value\":\"2\"},{\"tag\":\"b\"}]"#;
    let body = format!(
        r#"{{"event_id":"1","event_source":"0","event_value":"1","event_name":"x","event_tags_json":"{tags}"}}"#
    );
    let labels = parse_at(&SPEC, &body, NOW).remove(0).labels;
    assert_eq!(serde_json::to_string(&labels).unwrap(), r#"{"a":"1,2","b":""}"#);
    let array = r#"{"event_id":"1","event_source":"0","event_value":"1","event_name":"x","event_tags":[{"tag":"a","value":"1"}]}"#;
    assert_eq!(parse_at(&SPEC, array, NOW)[0].labels.get("a"), Some("1"));
}

#[test]
fn a_flood_stays_small() {
    let actions = "acknowledged, ".repeat(50_000);
    assert_eq!(check(&actions, "").matches("acknowledged").count(), 1);
    let tags = vec![r#"{"tag":"a"}"#; 257].join(",");
    let body =
        format!(r#"{{"event_id":"1","event_source":"0","event_value":"1","event_name":"x","event_tags":[{tags}]}}"#);
    insta::assert_snapshot!(parse_error(&SPEC, &body, NOW), @"`event_tags_json`: expected at most 256, got 257 tags");
}

#[test]
fn says_what_is_wrong() {
    let check = |body: &str| parse_error(&SPEC, body, NOW);
    insta::assert_snapshot!(check("[1]"), @"`[0]`: expected an object of macros, got 1");
    insta::assert_snapshot!(check("{}"), @"`event_source`: expected `0` to `4`, got nothing");
    insta::assert_snapshot!(check(r#"{"event_source":"7"}"#), @"`event_source`: expected `0` to `4`, got 7");
    insta::assert_snapshot!(check(r#"{"event_source":"0","event_id":"1"}"#), @"`event_name`: expected the name of the problem, got nothing");
    insta::assert_snapshot!(check(r#"{"event_source":"0","event_id":"1","event_name":"x"}"#), @"`event_value`: expected `0` or `1`, got nothing");
    insta::assert_snapshot!(check(r#"{"event_source":"0","event_id":"1","event_name":"x","event_value":"2"}"#), @"`event_value`: expected `0` or `1`, got 2");
    insta::assert_snapshot!(check(&PROBLEM.replace(r#""event_nseverity":"4""#, r#""event_nseverity":"9""#)), @"`event_nseverity`: expected `0` to `5`, got 9");
    insta::assert_snapshot!(check(&PROBLEM.replace(r#"[{\"tag\":\"scope\""#, r#"[{\"tag\":5"#)), @"`event_tags_json[0].tag`: expected a string, got integer `5`");
    let table = serde_json::json!({"time_zone": "Europe/Atlantis"});
    insta::assert_snapshot!(build(table.as_object().unwrap()).err().unwrap(), @"`time_zone`: expected the name of a time zone such as `Europe/Warsaw`, got `Europe/Atlantis`");
    let table = serde_json::json!({"timezone": "UTC"});
    insta::assert_snapshot!(build(table.as_object().unwrap()).err().unwrap(), @"`timezone`: unknown field `timezone`, expected `severities` or `time_zone`");
}
