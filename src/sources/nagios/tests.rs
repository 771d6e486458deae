//! Each notification type of Nagios, read.

use super::*;
use crate::sources::tests::{check_event, inbound_at, parse_at, parse_error};

const NOW: &str = "2026-11-21T05:45:40.000Z";

/// Status and marker that a type gives in a state.
fn check(kind: &str, state: &str) -> String {
    let body = format!(r#"{{"NOTIFICATIONTYPE":"{kind}","HOSTNAME":"h","HOSTSTATE":"{state}"}}"#);
    let event = parse_at(&SPEC, &body, NOW).remove(0);
    let marker = event.marker.map(|marker| format!(" {marker:?}")).unwrap_or_default();
    format!("{}{marker} {}", event.status.as_str(), event.severity)
}

#[test]
fn every_type_has_its_meaning() {
    assert_eq!(check("PROBLEM", "DOWN"), "firing critical");
    assert_eq!(check("PROBLEM", "UNREACHABLE"), "firing Unreachable major");
    assert_eq!(check("RECOVERY", "UP"), "resolved info");
    assert_eq!(check("ACKNOWLEDGEMENT", "DOWN"), "acknowledged critical");
    assert_eq!(check("CUSTOM", "DOWN"), "commented critical");
    assert_eq!(check("FLAPPINGSTART", "UP"), "commented FlappingStarted info");
    assert_eq!(check("FLAPPINGSTOP", "UP"), "resolved FlappingStopped info");
    assert_eq!(check("FLAPPINGSTOP", "DOWN"), "firing FlappingStopped critical");
    assert_eq!(check("FLAPPINGDISABLED", "DOWN"), "firing FlappingStopped critical");
    assert_eq!(check("DOWNTIMESTART", "UP"), "commented DowntimeStarted info");
    assert_eq!(check("DOWNTIMEEND", "DOWN"), "commented DowntimeEnded critical");
    assert_eq!(check("DOWNTIMECANCELLED", "UP"), "commented DowntimeEnded info");
}

#[test]
fn a_service_problem_is_read_whole() {
    insta::assert_snapshot!(check_event(&SPEC, SERVICE_PROBLEM, NOW, 0), @r#"
    {
      "id": "664bceb6631c2b3e",
      "at": "2026-11-21T05:32:38.000Z",
      "received_at": "2026-11-21T05:45:40.000Z",
      "source": "nagios",
      "status": "firing",
      "name": "disk",
      "dedup_key": "web1;disk",
      "severity": "critical",
      "configuration_item": "web1",
      "labels": {
        "host_groups": "web,all-lab",
        "service": "disk",
        "service_groups": "web-services",
        "state": "CRITICAL",
        "state_type": "HARD"
      },
      "annotations": {
        "description": "second line: C:\\temp\nthird line HOME id",
        "runbook_url": "https://wiki.lab.example/web1",
        "summary": "web1/disk is CRITICAL: DISK CRITICAL: /var 2% free é ü 中"
      },
      "aliases": [
        "192.0.2.11"
      ],
      "parents": [
        "rtr1"
      ]
    }
    "#);
}

#[test]
fn a_host_behind_a_dead_router_is_unreachable() {
    insta::assert_snapshot!(check_event(&SPEC, HOST_UNREACHABLE, NOW, 0), @r#"
    {
      "id": "bb02d0a4145c3fb5",
      "at": "2026-11-21T05:30:41.000Z",
      "received_at": "2026-11-21T05:45:40.000Z",
      "source": "nagios",
      "status": "firing",
      "name": "host check",
      "dedup_key": "db1",
      "severity": "major",
      "configuration_item": "db1",
      "labels": {
        "host_groups": "db,all-lab",
        "state": "UNREACHABLE",
        "state_type": "HARD"
      },
      "annotations": {
        "runbook_url": "https://wiki.lab.example/db1",
        "summary": "db1 is UNREACHABLE: PING CRITICAL - Packet loss = 100%, no route to host"
      },
      "aliases": [
        "192.0.2.13"
      ],
      "parents": [
        "rtr1"
      ],
      "marker": "unreachable"
    }
    "#);
}

#[test]
fn an_acknowledgement_says_who_and_why() {
    let event = parse_at(&SPEC, SERVICE_ACKNOWLEDGED, NOW).remove(0);
    assert_eq!(event.author.as_deref(), Some("alice"));
    assert_eq!(event.note.as_deref(), Some("looking into it; ticket #42"));
    let older = SERVICE_ACKNOWLEDGED.replace("NOTIFICATIONAUTHOR", "X").replace("NOTIFICATIONCOMMENT", "Y");
    let event = parse_at(&SPEC, &older, NOW).remove(0);
    assert_eq!((event.author.as_deref(), event.note.is_some()), (Some("alice"), true));
}

#[test]
fn a_form_reads_like_the_object() {
    insta::assert_snapshot!(check_event(&SPEC, FORM, NOW, 0), @r#"
    {
      "id": "d511a0c12b8f63f8",
      "at": "2026-11-21T05:52:24.000Z",
      "received_at": "2026-11-21T05:45:40.000Z",
      "source": "nagios",
      "status": "firing",
      "name": "http",
      "dedup_key": "web1;http",
      "severity": "critical",
      "configuration_item": "web1",
      "labels": {
        "service": "http",
        "state": "CRITICAL",
        "state_type": "HARD"
      },
      "annotations": {
        "summary": "web1/http is CRITICAL: HTTP CRITICAL - HTTP 503 a=bc=d +plus ü"
      },
      "aliases": [
        "192.0.2.11"
      ]
    }
    "#);
}

#[test]
fn names_of_the_environment_are_understood() {
    let body =
        "nagios_notificationtype=PROBLEM&NAGIOS_HOSTNAME=db1&NAGIOS_HOSTSTATE=DOWN&NAGIOS__HOSTPARENTS=rtr1,+rtr2,rtr1";
    let event = parse_at(&SPEC, body, NOW).remove(0);
    assert_eq!((event.dedup_key.as_str(), event.parents), ("db1", vec!["rtr1".to_owned(), "rtr2".to_owned()]));
}

#[test]
fn json_that_curl_calls_a_form_is_json() {
    let body = r#"{"NOTIFICATIONTYPE":"PROBLEM","HOSTNAME":"h","HOSTSTATE":"DOWN"}"#;
    let mut inbound = inbound_at("nagios", body, NOW);
    inbound.content_type = "application/x-www-form-urlencoded";
    assert_eq!(build(&Table::new()).unwrap().parse(&inbound).unwrap().len(), 1);
}

#[test]
fn a_flood_of_parents_is_refused() {
    let parents: String = (0..100_000).map(|i| format!("h{i},")).collect();
    let body = format!("NOTIFICATIONTYPE=PROBLEM&HOSTNAME=h&HOSTSTATE=DOWN&HOSTPARENTS={parents}");
    insta::assert_snapshot!(parse_error(&SPEC, &body, NOW), @"`parents`: expected at most 64 names, got 65 names");
}

#[test]
fn a_soft_state_is_marked_and_its_time_is_the_fallback_of_the_last_change() {
    let body = r#"{"NOTIFICATIONTYPE":"PROBLEM","HOSTNAME":"h","SERVICEDESC":"s","SERVICESTATE":"WARNING",
        "SERVICESTATETYPE":"SOFT","TIMET":"$TIMET$","LASTSERVICESTATECHANGE":"1795239158"}"#;
    let event = parse_at(&SPEC, body, NOW).remove(0);
    assert_eq!((event.marker, event.at.to_string().as_str()), (Some(Marker::Soft), "2026-11-21T05:32:38.000Z"));
}

#[test]
fn only_names_that_tell_hosts_apart_become_aliases() {
    let aliases = |address: &str, display: &str| {
        let body = format!(
            r#"{{"NOTIFICATIONTYPE":"PROBLEM","HOSTNAME":"h","HOSTSTATE":"DOWN","HOSTADDRESS":"{address}","HOSTDISPLAYNAME":"{display}"}}"#
        );
        parse_at(&SPEC, &body, NOW).remove(0).aliases
    };
    assert_eq!(aliases("192.0.2.7", "h.lab.example"), ["192.0.2.7", "h.lab.example"]);
    for shared in ["127.0.0.1", "::1", "0.0.0.0", "localhost"] {
        assert!(aliases(shared, "The old one").is_empty(), "{shared}");
    }
}

#[test]
fn links_are_only_taken_when_they_are_safe() {
    let body = r#"{"NOTIFICATIONTYPE":"PROBLEM","HOSTNAME":"h","HOSTSTATE":"DOWN",
        "HOSTNOTESURL":"javascript:alert(1)","HOSTACTIONURL":"https://nagios.lab.example/h"}"#;
    let event = parse_at(&SPEC, body, NOW).remove(0);
    assert_eq!(event.annotations.get("runbook_url"), None);
    assert_eq!(event.url.as_deref(), Some("https://nagios.lab.example/h"));
}

#[test]
fn repeats_are_new_and_other_contacts_are_not() {
    let first = parse_at(&SPEC, SERVICE_PROBLEM, NOW).remove(0);
    let repeat = SERVICE_PROBLEM
        .replace(r#""NOTIFICATIONNUMBER":"1""#, r#""NOTIFICATIONNUMBER":"2""#)
        .replace(r#""SERVICENOTIFICATIONID":"22""#, r#""SERVICENOTIFICATIONID":"25""#);
    let repeat = parse_at(&SPEC, &repeat, NOW).remove(0);
    assert_eq!(first.dedup_key, repeat.dedup_key);
    assert_ne!(first.id, repeat.id);
    let other_contact = SERVICE_PROBLEM.replace("1795239158\",\"SERVICEDESC", "1795239159\",\"SERVICEDESC");
    assert_eq!(first.id, parse_at(&SPEC, &other_contact, NOW)[0].id);
}

#[test]
fn severities_can_be_configured_by_state() {
    let table = serde_json::json!({"severities": {"down": "major"}});
    let source = build(table.as_object().unwrap()).unwrap();
    let body = r#"{"NOTIFICATIONTYPE":"PROBLEM","HOSTNAME":"h","HOSTSTATE":"DOWN"}"#;
    assert_eq!(source.parse(&inbound_at("nagios", body, NOW)).unwrap().into_events()[0].severity, Severity::Major);
    let table = serde_json::json!({"severities": {"DWON": "major"}});
    let error = build(table.as_object().unwrap()).err().unwrap();
    insta::assert_snapshot!(error, @"`severities.DWON`: expected a state: `DOWN`, `UNREACHABLE`, `CRITICAL`, `UNKNOWN` or `WARNING`");
}

#[test]
fn says_what_is_wrong() {
    let check = |body: &str| parse_error(&SPEC, body, NOW);
    insta::assert_snapshot!(check("hello"), @"`body`: expected a JSON object or a form of macros, got hello");
    insta::assert_snapshot!(check("{}"), @"`HOSTNAME`: expected the name of the host, got nothing");
    insta::assert_snapshot!(check("[{}]"), @"`[0].HOSTNAME`: expected the name of the host, got nothing");
    insta::assert_snapshot!(check("{} {}"), @"`body`: expected one object or array, got 2 JSON values, the last {}");
    insta::assert_snapshot!(check(r#"{"HOSTNAME":"h","HOSTSTATE":"DOWN"}"#), @"`NOTIFICATIONTYPE`: expected a notification type of Nagios such as `PROBLEM` or `RECOVERY`, got nothing");
    insta::assert_snapshot!(check(r#"{"HOSTNAME":"h","NOTIFICATIONTYPE":"PROBLEM"}"#), @"`HOSTSTATE`: expected `UP`, `DOWN` or `UNREACHABLE`, got nothing");
    insta::assert_snapshot!(check(r#"{"HOSTNAME":"h","HOSTSTATE":"ILL","NOTIFICATIONTYPE":"PROBLEM"}"#), @"`HOSTSTATE`: expected `UP`, `DOWN` or `UNREACHABLE`, got ILL");
    insta::assert_snapshot!(check(r#"{"HOSTNAME":"h","HOSTSTATE":"DOWN","NOTIFICATIONTYPE":"PARTY"}"#), @"`NOTIFICATIONTYPE`: expected a notification type of Nagios such as `PROBLEM` or `RECOVERY`, got PARTY");
    insta::assert_snapshot!(check(r#"{"HOSTNAME":"h","hostname":"g"}"#), @"`HOSTNAME`: expected each macro once, got it twice");
    insta::assert_snapshot!(check(r#"{"kind":"service","HOSTNAME":"h"}"#), @"`SERVICEDESC`: expected the description of the service, got nothing");
    insta::assert_snapshot!(check("=%zz"), @"`body`: expected percent-encoded UTF-8, got %zz");
    insta::assert_snapshot!(check("HOSTNAME=%zz"), @"`HOSTNAME`: expected percent-encoded UTF-8, got %zz");
}
