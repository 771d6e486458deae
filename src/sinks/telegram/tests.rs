//! The conversation with Telegram, and that its text calls nobody.

use super::*;
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{asked, at, json_of, outcome_of, shared};
use crate::sinks::chat::{ANEW, MESSAGE, REPLY};
use crate::sinks::tests::build_error;

const REMOTE: &str = r#"{"chat_id":-1001234567890,"message_id":17}"#;

pub fn check(request: &Request) -> Result<(), String> {
    let body = json_of(request)?;
    let text = body["text"].as_str().ok_or("no text")?;
    let units = text.encode_utf16().count();
    if units == 0 || units > TEXT_UNITS_MAX {
        return Err(format!("a text of {units}"));
    }
    match body["parse_mode"].as_str() {
        Some("HTML") => reader::html(text, &["b"], "@#/$").map(drop),
        None => Ok(()),
        Some(other) => Err(format!("mode {other}")),
    }
}

fn answer(kind: NotificationKind, progress: &Progress, status: u16, body: &str) -> Outcome {
    outcome_of(&SPEC, SPEC.example, kind, progress, status, body)
}

const SENT: &str = r#"{"ok":true,"result":{"message_id":17,"chat":{"id":-1001234567890}}}"#;

#[test]
fn a_message_is_posted_edited_and_answered() {
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None)), @r#"
    POST https://api.telegram.org/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage

    {
      "chat_id": -1001234567890,
      "disable_notification": false,
      "link_preview_options": {
        "is_disabled": true
      },
      "message_thread_id": 7,
      "parse_mode": "HTML",
      "text": "<b>[P1] rtr1: Host down – 12 items affected</b>\n<b>New incident</b>\ncritical · open · began 2026-11-21 05:00 UTC\n\n<b>Root cause</b>\nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)\n\n<b>Impact</b>\nhigh, urgency high\n2 services: orders, payments\n12 items: rtr1, sw-fra-1, db-3, 9 more\n31 of 31 alerts are firing\n\n<b>Service level</b>\nRespond by 2026-11-21 05:15 UTC (gold)\nRestore by 2026-11-21 09:00 UTC (gold)\n\n<b>What to do</b>\nKnown error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.\n<a href=\"https://wiki.example/runbooks/host-down\">Runbook for Host down</a>\n\n<b>Evidence</b>\n05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)\n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)\nand 29 more alerts\n\n<b>Links</b>\n<a href=\"https://watchbell.example/incidents/inc-7h3kq0v9zd\">Incident inc-7h3kq0v9zd</a>\n<a href=\"https://nagios.example/alerts?host=rtr1&amp;open=1\">Host down in nagios</a>\n<a href=\"https://zabbix.example/alerts?host=db-3&amp;open=1\">Unreachable in zabbix</a>\n\nWatchbell, incident inc-7h3kq0v9zd, message 1"
    }
    "#);
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Updated, &at(MESSAGE, Some(REMOTE))).lines().next().unwrap(), @"POST https://api.telegram.org/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/editMessageText");
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Acknowledged, &at(REPLY, Some(REMOTE))), @r#"
    POST https://api.telegram.org/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/sendMessage

    {
      "chat_id": -1001234567890,
      "disable_notification": true,
      "link_preview_options": {
        "is_disabled": true
      },
      "message_thread_id": 7,
      "parse_mode": "HTML",
      "reply_parameters": {
        "allow_sending_without_reply": true,
        "message_id": 17
      },
      "text": "<b>Acknowledged by anna</b>\ncritical · acknowledged · began 2026-11-21 05:00 UTC · assigned to anna"
    }
    "#);
    let posted = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "posted 17".into() };
    assert_eq!(answer(NotificationKind::Opened, &at(MESSAGE, None), 200, SENT), posted);
    let next = Outcome::Next { remote: None, step: REPLY };
    assert_eq!(answer(NotificationKind::Resolved, &at(MESSAGE, Some(REMOTE)), 200, SENT), next);
    let updated = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "updated 17".into() };
    assert_eq!(answer(NotificationKind::Updated, &at(MESSAGE, Some(REMOTE)), 200, SENT), updated);
}

fn refused(kind: NotificationKind, progress: &Progress, said: &str) -> Outcome {
    answer(kind, progress, 400, &format!(r#"{{"ok":false,"error_code":400,"description":"Bad Request: {said}"}}"#))
}

#[test]
fn words_decide() {
    let edit = at(MESSAGE, Some(REMOTE));
    let same = refused(NotificationKind::Updated, &edit, "message is not modified: specified new message content");
    assert!(matches!(same, Outcome::Delivered { .. }), "{same:?}");
    assert_eq!(refused(NotificationKind::Updated, &edit, "message to edit not found"), chat::anew());
    let plain = Outcome::Next { remote: None, step: PLAIN };
    assert_eq!(refused(NotificationKind::Opened, &at(MESSAGE, None), "can't parse entities: x"), plain);
    let last = refused(NotificationKind::Opened, &at(PLAIN, None), "can't parse entities: x");
    assert!(matches!(last, Outcome::Rejected { .. }), "{last:?}");
    let gone = refused(NotificationKind::Opened, &at(MESSAGE, None), "chat not found");
    assert!(matches!(gone, Outcome::Rejected { .. }), "{gone:?}");
    let plain = asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(PLAIN, None));
    assert!(!plain.contains("parse_mode") && !plain.contains("<b>"), "{plain}");
    let anew = asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(ANEW, Some(REMOTE)));
    assert!(anew.contains("/sendMessage"), "{anew}");
}

#[test]
fn a_flood_is_waited_for_as_long_as_telegram_says() {
    let body = r#"{"ok":false,"description":"Too Many Requests: retry after 14","parameters":{"retry_after":14}}"#;
    let outcome = answer(NotificationKind::Opened, &at(MESSAGE, None), 429, body);
    assert!(matches!(outcome, Outcome::Retry { after_ms: Some(14_000), is_ambiguous: false, .. }), "{outcome:?}");
}

#[test]
fn a_group_that_became_another_one_is_followed() {
    let body = r#"{"ok":false,"description":"Bad Request: group chat was upgraded","parameters":{"migrate_to_chat_id":-100777}}"#;
    let moved = r#"{"chat_id":-100777}"#;
    for progress in [at(MESSAGE, None), at(MESSAGE, Some(REMOTE))] {
        let next = Outcome::Next { remote: Some(moved.into()), step: MESSAGE };
        assert_eq!(answer(NotificationKind::Opened, &progress, 400, body), next);
    }
    let asked = asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, Some(moved)));
    assert!(asked.contains("/sendMessage") && asked.contains("-100777"), "{asked}");
}

#[test]
fn the_token_is_part_of_the_address_and_shown_nowhere() {
    let said = r#"{"ok":false,"description":"Not Found: /bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/x"}"#;
    let outcome = answer(NotificationKind::Opened, &at(MESSAGE, None), 404, said);
    insta::assert_snapshot!(format!("{outcome:?}"), @r#"Rejected { kind: Auth, reason: "Telegram answered 404: Not Found: /bot<secret>/x" }"#);
    for yaml in ["{token: x, chat_id: 1}", "{token: '1:a/b', chat_id: 1}"] {
        assert!(build_error(&SPEC, yaml).starts_with("`token`: expected a bot's token"));
    }
    assert!(build_error(&SPEC, "{token: '1:a', chat_id: 0}").starts_with("`chat_id`"));
    assert!(build_error(&SPEC, "{token: '1:a', chat_id: ops}").starts_with("`chat_id`"));
}

#[test]
fn fields_are_those_of_the_published_description() {
    let Some(description) = shared("telegram/bot-api.json") else { return };
    for progress in [at(MESSAGE, None), at(MESSAGE, Some(REMOTE)), at(REPLY, Some(REMOTE))] {
        let asked = asked(&SPEC, SPEC.example, NotificationKind::Escalated, &progress);
        let (first, body) = asked.split_once("\n\n").unwrap();
        let method = first.lines().next().unwrap().rsplit('/').next().unwrap();
        let fields = description["methods"][method]["fields"].as_array().unwrap();
        let body: Value = serde_json::from_str(body).unwrap();
        for name in body.as_object().unwrap().keys() {
            assert!(fields.iter().any(|field| field["name"] == name.as_str()), "{method} takes no `{name}`");
        }
        for field in fields.iter().filter(|field| field["required"] == true) {
            assert!(body.get(field["name"].as_str().unwrap()).is_some(), "{method} wants {}", field["name"]);
        }
    }
}
