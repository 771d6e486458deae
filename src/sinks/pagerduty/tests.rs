//! Events as PagerDuty gets them.

use super::*;
use crate::model::Notification;
use crate::model::delivery::Progress;
use crate::render::hostile::{is_forbidden, now, reader};
use crate::render::sample_notification;
use crate::sinks::chat::tests::{asked, json_of, outcome_of, shared};
use crate::sinks::tests::{attempt, attempt_request, build_from, setting};

pub fn check(request: &Request) -> Result<(), String> {
    let event = json_of(request)?;
    if event.to_string().len() > 512_000 || event["dedup_key"].as_str().is_none_or(|key| key.chars().count() > 255) {
        return Err("too large, or without a key".into());
    }
    for link in event["links"].as_array().into_iter().flatten() {
        reader::web(link["href"].as_str().unwrap_or_default())?;
    }
    if event["event_action"] != "trigger" {
        return Ok(());
    }
    let payload = &event["payload"];
    let summary = payload["summary"].as_str().unwrap_or_default();
    let details = payload["custom_details"].as_object().ok_or("no details")?;
    if details.values().filter_map(Value::as_str).chain([summary]).any(|text| text.contains(is_forbidden)) {
        return Err("control characters".into());
    }
    match (summary.encode_utf16().count(), payload["source"].as_str()) {
        (1..=1_024, Some(source)) if !source.is_empty() => Ok(()),
        counts => Err(format!("{counts:?}")),
    }
}

fn event(kind: NotificationKind) -> String {
    asked(&SPEC, SPEC.example, kind, &Progress::default())
}

#[test]
fn an_incident_is_triggered_acknowledged_and_resolved_under_one_key() {
    insta::assert_snapshot!(event(NotificationKind::Opened), @r#"
    POST https://events.pagerduty.com/v2/enqueue

    {
      "client": "Watchbell",
      "client_url": "https://watchbell.example/incidents/inc-7h3kq0v9zd",
      "dedup_key": "fra1:inc-7h3kq0v9zd",
      "event_action": "trigger",
      "links": [
        {
          "href": "https://wiki.example/runbooks/host-down",
          "text": "Runbook for Host down"
        },
        {
          "href": "https://watchbell.example/incidents/inc-7h3kq0v9zd",
          "text": "Incident inc-7h3kq0v9zd"
        },
        {
          "href": "https://nagios.example/alerts?host=rtr1&open=1",
          "text": "Host down in nagios"
        },
        {
          "href": "https://zabbix.example/alerts?host=db-3&open=1",
          "text": "Unreachable in zabbix"
        }
      ],
      "payload": {
        "custom_details": {
          "Evidence": "05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)\n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)\nand 29 more alerts",
          "Impact": "high, urgency high\n2 services: orders, payments\n12 items: rtr1, sw-fra-1, db-3, 9 more\n31 of 31 alerts are firing",
          "Root cause": "rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)",
          "Service level": "Respond by 2026-11-21 05:15 UTC (gold)\nRestore by 2026-11-21 09:00 UTC (gold)",
          "What to do": "Known error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.",
          "news": "New incident",
          "source": "Watchbell, incident inc-7h3kq0v9zd, message 1",
          "status": "critical · open · began 2026-11-21 05:00 UTC"
        },
        "severity": "critical",
        "source": "rtr1",
        "summary": "[P1] rtr1: Host down – 12 items affected",
        "timestamp": "2026-11-21T05:00:00.000Z"
      },
      "routing_key": "R015OMCMG6RLX45DTSNZNQ4PQRB6ZKYH"
    }
    "#);
    insta::assert_snapshot!(event(NotificationKind::Acknowledged), @r#"
    POST https://events.pagerduty.com/v2/enqueue

    {
      "dedup_key": "fra1:inc-7h3kq0v9zd",
      "event_action": "acknowledge",
      "routing_key": "R015OMCMG6RLX45DTSNZNQ4PQRB6ZKYH"
    }
    "#);
    insta::assert_snapshot!(event(NotificationKind::Resolved), @r#"
    POST https://events.pagerduty.com/v2/enqueue

    {
      "dedup_key": "fra1:inc-7h3kq0v9zd",
      "event_action": "resolve",
      "routing_key": "R015OMCMG6RLX45DTSNZNQ4PQRB6ZKYH"
    }
    "#);
    assert!(event(NotificationKind::Merged).contains("\"resolve\""));
    assert!(event(NotificationKind::Updated).starts_with("skipped"));
}

#[test]
fn news_of_a_problem_never_opens_what_is_over() {
    let told = |notification: &Notification| {
        let sink = build_from(&SPEC, SPEC.example, &setting());
        matches!(attempt_request(&*sink, notification, &Progress::default()), Request::Http(_))
    };
    let mut notification = sample_notification(NotificationKind::ProblemKnownError, now());
    assert!(told(&notification));
    notification.incident.state = IncidentState::Closed;
    assert!(!told(&notification));
}

#[test]
fn answers() {
    let answer =
        |status, body| outcome_of(&SPEC, SPEC.example, NotificationKind::Opened, &Progress::default(), status, body);
    let good = answer(202, r#"{"status":"success","message":"Event processed","dedup_key":"fra1:inc-7h3kq0v9zd"}"#);
    assert_eq!(good, Outcome::Delivered { remote: None, proof: "accepted as fra1:inc-7h3kq0v9zd".into() });
    let invalid = r#"{"status":"invalid event","message":"Event object is invalid","errors":["R015OMCMG6RLX45DTSNZNQ4PQRB6ZKYH is no key"]}"#;
    insta::assert_snapshot!(format!("{:?}", answer(400, invalid)), @r#"Rejected { kind: Rejected, reason: "PagerDuty answered 400: Event object is invalid, <secret> is no key" }"#);
    let odd = answer(200, "<html>");
    assert!(matches!(odd, Outcome::Retry { is_ambiguous: true, .. }), "{odd:?}");
    let long = Setting { instance: "x".repeat(400), ..setting() };
    let notification = sample_notification(NotificationKind::Opened, now());
    let key = key(&long, &attempt(&notification, &Progress::default()), KEY_CHARS_MAX);
    assert!(key.chars().count() <= 255 && key.ends_with(":inc-7h3kq0v9zd"), "{key}");
}

#[test]
fn fields_are_those_of_the_published_description() {
    let Some(description) = shared("pagerduty/events-v2-openapiv3.json") else { return };
    let event: Value = serde_json::from_str(event(NotificationKind::Opened).split_once("\n\n").unwrap().1).unwrap();
    let payload = &description["components"]["schemas"]["Payload"];
    for name in payload["required"].as_array().unwrap() {
        assert!(event["payload"].get(name.as_str().unwrap()).is_some(), "no {name}");
    }
    for name in event["payload"].as_object().unwrap().keys() {
        assert!(payload["properties"].get(name).is_some(), "a payload takes no `{name}`");
    }
    let severities = payload["properties"]["severity"]["enum"].as_array().unwrap();
    for severity in Severity::ALL {
        assert!(severities.iter().any(|known| known == super::severity(severity)));
    }
    let whole = description["paths"]["/enqueue"]["post"]["requestBody"].to_string();
    for name in event.as_object().unwrap().keys() {
        assert!(whole.contains(&format!("\"{name}\"")), "an event takes no `{name}`");
    }
}
