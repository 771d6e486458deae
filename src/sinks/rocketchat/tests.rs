//! The conversation with Rocket.Chat, and that its Markdown stays text.

use super::*;
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{asked, at, called, doubt, json_of, outcome_of, shared};
use crate::sinks::chat::{ANEW, MESSAGE, REPLY};
use crate::sinks::tests::build_error;

const REMOTE: &str = r#"{"room_id":"64f0f82c2c26843a68c1f7ba","message_id":"7aDSXtjMA3KPLxLjt"}"#;
const WEBHOOK: &str = "webhook_url: https://chat.example.org/hooks/64f0f82c/s3cr3ts3cr3t\n";

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(http) = request else { return Err("not HTTP".into()) };
    if http.method == "GET" {
        return Ok(());
    }
    let body = json_of(request)?;
    let text = body["message"]["msg"].as_str().or(body["text"].as_str()).ok_or("no text")?;
    reader::markdown(text, "`~<|", "*", "@#:+")?;
    match text.encode_utf16().count() {
        1..=5_000 => Ok(()),
        count => Err(format!("a text of {count}")),
    }
}

fn answer(kind: NotificationKind, progress: &Progress, status: u16, body: &str) -> Outcome {
    outcome_of(&SPEC, SPEC.example, kind, progress, status, body)
}

const SENT: &str = r#"{"success":true,"message":{"_id":"7aDSXtjMA3KPLxLjt","rid":"64f0f82c2c26843a68c1f7ba"}}"#;

#[test]
fn a_message_is_sent_updated_and_answered() {
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None)), @r#"
    POST https://chat.example.org/api/v1/chat.sendMessage
    x-user-id: aobEdbYhXfu5hkeqG
    x-auth-token: 9HqLlyZOugoStsXCUfD_0YdwnNnunAJF8V47U3QHXSq

    {
      "message": {
        "_id": "ac2ae36a6ad2f0b73",
        "msg": "*[P1] rtr1: Host down – 12 items affected*\n*New incident*\ncritical · open · began 2026-11-21 05:00 UTC\n\n*Root cause*\nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)\n\n*Impact*\nhigh, urgency high\n2 services: orders, payments\n12 items: rtr1, sw-fra-1, db-3, 9 more\n31 of 31 alerts are firing\n\n*Service level*\nRespond by 2026-11-21 05:15 UTC (gold)\nRestore by 2026-11-21 09:00 UTC (gold)\n\n*What to do*\nKnown error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.\n[Runbook for Host down](https://wiki.example/runbooks/host-down)\n\n*Evidence*\n05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)\n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)\nand 29 more alerts\n\n*Links*\n[Incident inc-7h3kq0v9zd](https://watchbell.example/incidents/inc-7h3kq0v9zd)\n[Host down in nagios](https://nagios.example/alerts?host=rtr1&open=1)\n[Unreachable in zabbix](https://zabbix.example/alerts?host=db-3&open=1)\n\nWatchbell, incident inc-7h3kq0v9zd, message 1",
        "rid": "64f0f82c2c26843a68c1f7ba"
      },
      "previewUrls": []
    }
    "#);
    insta::assert_snapshot!(called(&SPEC, SPEC.example, NotificationKind::Updated, &at(MESSAGE, Some(REMOTE))), @"POST https://chat.example.org/api/v1/chat.update");
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Escalated, &at(REPLY, Some(REMOTE))), @r#"
    POST https://chat.example.org/api/v1/chat.sendMessage
    x-user-id: aobEdbYhXfu5hkeqG
    x-auth-token: 9HqLlyZOugoStsXCUfD_0YdwnNnunAJF8V47U3QHXSq

    {
      "message": {
        "_id": "92913d05856303198",
        "msg": "*Escalated to the next level*\nnobody acknowledged within 10m\ncritical · open · began 2026-11-21 05:00 UTC",
        "rid": "64f0f82c2c26843a68c1f7ba",
        "tmid": "7aDSXtjMA3KPLxLjt",
        "tshow": true
      },
      "previewUrls": []
    }
    "#);
    let posted = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "posted 7aDSXtjMA3KPLxLjt".into() };
    assert_eq!(answer(NotificationKind::Opened, &at(MESSAGE, None), 200, SENT), posted);
    let next = Outcome::Next { remote: None, step: REPLY };
    assert_eq!(answer(NotificationKind::Resolved, &at(MESSAGE, Some(REMOTE)), 200, SENT), next);
}

#[test]
fn after_an_unclear_answer_the_message_is_asked_for_by_its_id() {
    let doubt = doubt(MESSAGE, None);
    let asked = called(&SPEC, SPEC.example, NotificationKind::Opened, &doubt);
    let sent = self::asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None));
    let id = asked.rsplit('=').next().unwrap();
    assert!(asked.starts_with("GET") && id.len() == ID_CHARS && sent.contains(id), "{asked}");
    assert!(matches!(answer(NotificationKind::Opened, &doubt, 200, SENT), Outcome::Delivered { .. }));
    let nothing = Outcome::Next { remote: None, step: MESSAGE };
    assert_eq!(answer(NotificationKind::Opened, &doubt, 200, r#"{"success":true}"#), nothing);
    let known = answer(NotificationKind::Opened, &at(MESSAGE, None), 200, r#"{"success":true}"#);
    assert!(matches!(known, Outcome::Retry { is_ambiguous: true, .. }), "{known:?}");
    let flood = r#"{"success":false,"error":"Error, too many requests.","errorType":"error-too-many-requests"}"#;
    let waits = answer(NotificationKind::Opened, &doubt, 400, flood);
    assert!(matches!(waits, Outcome::Retry { is_ambiguous: true, .. }), "{waits:?}");
}

#[test]
fn a_message_that_is_gone_is_sent_anew_under_another_id() {
    let gone = r#"{"success":false,"error":"No message found with the id of \"7aDSXtjMA3KPLxLjt\"."}"#;
    assert_eq!(answer(NotificationKind::Updated, &at(MESSAGE, Some(REMOTE)), 400, gone), chat::anew());
    let [first, anew] =
        [MESSAGE, ANEW].map(|step| asked(&SPEC, SPEC.example, NotificationKind::Updated, &at(step, None)));
    assert_ne!(first, anew);
    let denied = r#"{"success":false,"error":"error-invalid-room"}"#;
    let denied = answer(NotificationKind::Opened, &at(MESSAGE, None), 400, denied);
    insta::assert_snapshot!(format!("{denied:?}"), @r#"Rejected { kind: Rejected, reason: "Rocket.Chat answered 400: error-invalid-room" }"#);
}

#[test]
fn an_incoming_webhook_tells_only_news() {
    assert!(asked(&SPEC, WEBHOOK, NotificationKind::Updated, &Progress::default()).starts_with("skipped"));
    let answer = |status, body| outcome_of(&SPEC, WEBHOOK, NotificationKind::Opened, &at(MESSAGE, None), status, body);
    assert!(matches!(answer(200, r#"{"success":true}"#), Outcome::Delivered { .. }));
    assert!(matches!(answer(200, r#"{"success":false}"#), Outcome::Retry { .. }));
    assert!(build_error(&SPEC, "{token: x}").starts_with("`token`: expected `base_url`"));
    let named = "{base_url: 'https://h.example', user_id: u, token: t, room_id: '#ops'}";
    assert!(build_error(&SPEC, named).starts_with("`room_id`"));
}

#[test]
fn fields_are_those_of_the_published_description() {
    let Some(description) = shared("rocketchat/messaging.yaml") else { return };
    for progress in [at(MESSAGE, None), at(REPLY, Some(REMOTE)), at(MESSAGE, Some(REMOTE))] {
        let asked = asked(&SPEC, SPEC.example, NotificationKind::Escalated, &progress);
        let path = asked.lines().next().unwrap().split_once(".org").unwrap().1;
        let content = &description["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"];
        let body: Value = serde_json::from_str(asked.split_once("\n\n").unwrap().1).unwrap();
        for name in body.as_object().unwrap().keys() {
            assert!(content["properties"].get(name).is_some(), "{path} takes no `{name}`");
        }
        for name in body["message"].as_object().into_iter().flatten().map(|(name, _)| name) {
            let message = &content["properties"]["message"]["properties"];
            // Its text names `_id` as what this call has before the other one, its schema does not.
            assert!(message.get(name).is_some() || name == "_id", "a message takes no `{name}`");
        }
    }
}
