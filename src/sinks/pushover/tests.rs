//! Pushes as Pushover gets them, and the end of what rings.

use super::*;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{asked, at, called, json_of, outcome_of};
use crate::sinks::tests::build_error;

pub fn check(request: &Request) -> Result<(), String> {
    let body = json_of(request)?;
    if body.get("message").is_none() {
        return Ok(());
    }
    let [title, message] = ["title", "message"].map(|name| body[name].as_str().unwrap_or_default());
    reader::inert(title, "@")?;
    reader::plain(message, "@")?;
    match (title.chars().count(), message.chars().count()) {
        (1..=250, 1..=1_024) if body.get("html").or(body.get("monospace")).is_none() => Ok(()),
        counts => Err(format!("{counts:?}, or more than text")),
    }
}

#[test]
fn an_emergency_rings_until_it_is_called_off() {
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(CALL_OFF, None)), @r#"
    POST https://api.pushover.net/1/messages.json

    {
      "expire": 3600,
      "message": "New incident\ncritical · open · began 2026-11-21 05:00 UTC\n\nRoot cause\nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)\n\nImpact\nhigh, urgency high\n2 services: orders, payments\n12 items: rtr1, sw-fra-1, db-3, 9 more\n31 of 31 alerts are firing\n\nService level\nRespond by 2026-11-21 05:15 UTC (gold)\nRestore by 2026-11-21 09:00 UTC (gold)\n\nWhat to do\nKnown error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.\nRunbook for Host down: https://wiki.example/runbooks/host-down\n\nEvidence\n05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)\n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)\nand 29 more alerts\n\nLinks\nIncident inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd\nHost down in nagios: https://nagios.example/alerts?host=rtr1&open=1\nUnreachable in zabbix: https://zabbix.example/alerts?host=db-3&open=1\n\nWatchbell, incident inc-7h3kq0v9zd, message 1",
      "priority": 2,
      "retry": 60,
      "tags": "0013a30a763ca9a45d0fe3f4",
      "timestamp": 1795237920,
      "title": "[P1] rtr1: Host down – 12 items affected",
      "token": "azGDORePK8gMaC0QOYAMyEEuzJnyUi",
      "url": "https://watchbell.example/incidents/inc-7h3kq0v9zd",
      "user": "uQiRzpo4DXghDmr9QzzfQu27cmVRsG"
    }
    "#);
    let end = |step| called(&SPEC, SPEC.example, NotificationKind::Resolved, &at(step, None));
    insta::assert_snapshot!(format!("{}\n{}", end(CALL_OFF), end(PUSH)), @"
    POST https://api.pushover.net/1/receipts/cancel_by_tag/0013a30a763ca9a45d0fe3f4.json
    POST https://api.pushover.net/1/messages.json
    ");
    let tag = end(CALL_OFF).split("cancel_by_tag/").nth(1).unwrap().replace(".json", "");
    assert!(asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(CALL_OFF, None)).contains(&tag));
    let answer = |step| {
        outcome_of(
            &SPEC,
            SPEC.example,
            NotificationKind::Acknowledged,
            &at(step, None),
            200,
            r#"{"status":1,"request":"647d2300"}"#,
        )
    };
    assert_eq!(answer(CALL_OFF), Outcome::Next { remote: None, step: PUSH });
    assert_eq!(answer(PUSH), Outcome::Delivered { remote: None, proof: "accepted 647d2300".into() });
}

#[test]
fn without_emergencies_nothing_rings_on() {
    let yaml = SPEC.example.replace("emergency: { retry: 1m, expire: 1h }\n", "");
    let asked = asked(&SPEC, &yaml, NotificationKind::Opened, &at(CALL_OFF, None));
    assert!(asked.contains("\"priority\": 1") && !asked.contains("retry"), "{asked}");
    assert!(called(&SPEC, &yaml, NotificationKind::Resolved, &at(CALL_OFF, None)).ends_with("messages.json"));
    assert!(called(&SPEC, &yaml, NotificationKind::Updated, &at(CALL_OFF, None)).starts_with("skipped"));
}

#[test]
fn answers_and_keys() {
    let answer = |status, body| outcome_of(&SPEC, SPEC.example, NotificationKind::Opened, &at(0, None), status, body);
    let invalid =
        answer(400, r#"{"user":"invalid","errors":["user uQiRzpo4DXghDmr9QzzfQu27cmVRsG is invalid"],"status":0}"#);
    insta::assert_snapshot!(format!("{invalid:?}"), @r#"Rejected { kind: Rejected, reason: "Pushover answered 400: user <secret> is invalid" }"#);
    assert!(matches!(answer(429, r#"{"status":0,"errors":["quota"]}"#), Outcome::Retry { .. }));
    let keys = "token: t, user_key: u";
    assert!(
        build_error(&SPEC, &format!("{{{keys}, emergency: {{retry: 5s, expire: 1h}}}}")).contains("emergency.retry")
    );
    assert!(
        build_error(&SPEC, &format!("{{{keys}, emergency: {{retry: 1m, expire: 4h}}}}")).contains("emergency.expire")
    );
}
