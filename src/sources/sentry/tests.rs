//! What Sentry tells, read.

use super::*;
use crate::sources::tests::{check_event, parse_at, parse_error, parse_with};

const NOW: &str = "2026-11-21T05:45:40.000Z";

#[test]
fn an_alert_of_a_rule_is_read_whole_and_ended_by_its_issue() {
    insta::assert_snapshot!(check_event(&SPEC, TRIGGERED, NOW, 0), @r#"
    {
      "id": "84d08db90f880c59",
      "at": "2026-11-21T05:36:51.677Z",
      "received_at": "2026-11-21T05:45:40.000Z",
      "source": "sentry",
      "status": "firing",
      "name": "ReferenceError: heck is not defined",
      "dedup_key": "issue/1117540176",
      "severity": "major",
      "configuration_item": "front-end",
      "labels": {
        "browser": "Chrome 142",
        "environment": "production",
        "handled": "no",
        "level": "error",
        "platform": "javascript",
        "release": "shop@1.4.2",
        "rule": "Very important alert rule",
        "server_name": "web1"
      },
      "annotations": {
        "culprit": "checkout(cart)"
      },
      "url": "https://sentry.io/organizations/lab/issues/1117540176/events/e4874d664c3540c1a32eab185f12c5ab/"
    }
    "#);
    insta::assert_snapshot!(check_event(&SPEC, RESOLVED, NOW, 0), @r#"
    {
      "id": "27c6e8e0227c95ad",
      "at": "2026-11-21T05:45:40.000Z",
      "received_at": "2026-11-21T05:45:40.000Z",
      "source": "sentry",
      "status": "resolved",
      "name": "ReferenceError: heck is not defined",
      "dedup_key": "issue/1117540176",
      "severity": "major",
      "configuration_item": "front-end",
      "labels": {
        "issue": "FRONT-END-9",
        "platform": "javascript"
      },
      "annotations": {
        "culprit": "checkout(cart)"
      },
      "url": "https://sentry.io/organizations/lab/issues/1117540176/",
      "author": "Ada"
    }
    "#);
}

#[test]
fn a_metric_alert_is_one_of_its_own() {
    insta::assert_snapshot!(check_event(&SPEC, METRIC_CRITICAL, NOW, 0), @r#"
    {
      "id": "2150489e6504693f",
      "at": "2026-11-21T05:36:40.000Z",
      "received_at": "2026-11-21T05:45:40.000Z",
      "source": "sentry",
      "status": "firing",
      "name": "Too many errors",
      "dedup_key": "metric/5/4",
      "severity": "critical",
      "configuration_item": "orders",
      "labels": {
        "aggregate": "count()"
      },
      "annotations": {
        "description": "1000 events in the last 10 minutes\nFilter: level:error",
        "query": "level:error",
        "summary": "Critical: Too many errors"
      },
      "url": "https://sentry.io/organizations/lab/alerts/1/"
    }
    "#);
    let resolved = parse_at(&SPEC, METRIC_RESOLVED, NOW).remove(0);
    assert_eq!(
        (resolved.dedup_key.as_str(), resolved.at.to_string().as_str()),
        ("metric/5/4", "2026-11-21T05:43:40.000Z")
    );
    let warning = METRIC_CRITICAL.replace(r#""action":"critical""#, r#""action":"warning""#);
    assert_eq!(parse_at(&SPEC, &warning, NOW)[0].severity, Severity::Warning);
}

#[test]
fn what_people_do_is_told() {
    let read = |body: &str| {
        let event = parse_at(&SPEC, body, NOW).remove(0);
        (event.status, event.author, event.note.unwrap_or_default())
    };
    let ada = || Some("Ada".to_owned());
    assert_eq!(read(COMMENT), (EventStatus::Commented, ada(), "the database is being moved".to_owned()));
    let assigned = RESOLVED
        .replace(r#""action":"resolved""#, r#""action":"assigned""#)
        .replace(r#""assignedTo":null"#, r#""assignedTo":{"id":"1","name":"Bob","type":"user"}"#);
    assert_eq!(read(&assigned), (EventStatus::Commented, ada(), "assigned to Bob in Sentry".to_owned()));
    let archived = RESOLVED.replace(r#""action":"resolved""#, r#""action":"archived""#);
    assert_eq!(read(&archived), (EventStatus::Resolved, ada(), "archived in Sentry".to_owned()));
}

#[test]
fn news_of_other_kinds_raise_nothing() {
    for body in [
        r#"{"action":"created","data":{"installation":{"uuid":"a"}},"installation":{"uuid":"a"}}"#,
        r#"{"action":"created","data":{"error":{"event_id":"e"}}}"#,
        r#"{"action":"deleted","data":{"comment":"x","issue_id":1}}"#,
    ] {
        assert!(parse_at(&SPEC, body, NOW).is_empty(), "{body}");
    }
}

#[test]
fn severities_can_be_configured_by_level_and_action() {
    let table = serde_json::json!({"severities": {"error": "critical", "warning": "minor"}});
    assert_eq!(parse_with(&SPEC, &table, TRIGGERED, NOW)[0].severity, Severity::Critical);
    let warning = METRIC_CRITICAL.replace(r#""action":"critical""#, r#""action":"warning""#);
    assert_eq!(parse_with(&SPEC, &table, &warning, NOW)[0].severity, Severity::Minor);
}

#[test]
fn says_what_is_wrong() {
    let check = |body: &str, from: &str, to: &str| parse_error(&SPEC, &body.replace(from, to), NOW);
    insta::assert_snapshot!(check(RESOLVED, r#""action":"resolved""#, r#""action":"merged""#), @"`action`: expected `created`, `unresolved`, `resolved`, `archived`, `ignored` or `assigned`, got merged");
    insta::assert_snapshot!(check(METRIC_CRITICAL, r#""action":"critical""#, r#""action":"open""#), @"`action`: expected `critical`, `warning` or `resolved`, got open");
    insta::assert_snapshot!(check(TRIGGERED, r#""level":"error","location""#, r#""level":"bad","location""#), @"`data.event.level`: expected `fatal`, `error`, `warning`, `info`, `debug` or `sample`, got bad");
    insta::assert_snapshot!(check(TRIGGERED, "issue_id", "issue"), @"`data.event.issue_id`: expected the number of the issue, got nothing");
    insta::assert_snapshot!(check(CREATED, r#""id":"1170820242","#, ""), @"`data.issue.id`: expected the number of the issue, got nothing");
    insta::assert_snapshot!(parse_error(&SPEC, "{}", NOW), @"`action`: expected what happened, for example `triggered`, got nothing");
    insta::assert_snapshot!(parse_error(&SPEC, r#"{"action":"x"}"#, NOW), @"`data`: expected an object, got nothing");
}
