//! Events as a homeserver gets them.

use super::*;
use crate::model::NotificationKind;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{asked, at, called, doubt, json_of, outcome_of, shared_text};
use crate::sinks::chat::{MESSAGE, REPLY};
use crate::sinks::tests::build_error;

const REMOTE: &str = r#"{"event_id":"$YUwRidLecu:example.com"}"#;
const EVENT_BYTES_MAX: usize = 65_535;

pub fn check(request: &Request) -> Result<(), String> {
    let content = json_of(request)?;
    let bytes = content.to_string().len();
    if bytes > EVENT_BYTES_MAX - 2_000 {
        return Err(format!("{bytes} bytes"));
    }
    for content in [&content, &content["m.new_content"]].into_iter().filter(|content| content.is_object()) {
        if content["m.mentions"] != json!({}) {
            return Err("mentions are left to be guessed".into());
        }
        reader::plain(content["body"].as_str().ok_or("no body")?, "@")?;
        reader::html(content["formatted_body"].as_str().ok_or("no HTML")?, &["strong"], "@#!")?;
    }
    Ok(())
}

const SENT: &str = r#"{"event_id":"$YUwRidLecu:example.com"}"#;

#[test]
fn a_message_is_sent_replaced_and_answered_in_its_thread() {
    let asked = |kind, step, remote| asked(&SPEC, SPEC.example, kind, &at(step, remote));
    insta::assert_snapshot!(asked(NotificationKind::Opened, MESSAGE, None), @r#"
    PUT https://matrix.example.org/_matrix/client/v3/rooms/!636q39766251:example.org/send/m.room.message/ac2ae36a6ad2f0b732639adff91feb483df88c39
    authorization: Bearer syt_d2F0Y2hiZWxs_XWpPjPYUHDxZpzZnHqEt_0iXgGE

    {
      "body": "[P1] rtr1: Host down – 12 items affected\nNew incident\ncritical · open · began 2026-11-21 05:00 UTC\n\nRoot cause\nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)\n\nImpact\nhigh, urgency high\n2 services: orders, payments\n12 items: rtr1, sw-fra-1, db-3, 9 more\n31 of 31 alerts are firing\n\nService level\nRespond by 2026-11-21 05:15 UTC (gold)\nRestore by 2026-11-21 09:00 UTC (gold)\n\nWhat to do\nKnown error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.\nRunbook for Host down: https://wiki.example/runbooks/host-down\n\nEvidence\n05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)\n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)\nand 29 more alerts\n\nLinks\nIncident inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd\nHost down in nagios: https://nagios.example/alerts?host=rtr1&open=1\nUnreachable in zabbix: https://zabbix.example/alerts?host=db-3&open=1\n\nWatchbell, incident inc-7h3kq0v9zd, message 1",
      "format": "org.matrix.custom.html",
      "formatted_body": "<strong>[P1] rtr1: Host down – 12 items affected</strong><br><strong>New incident</strong><br>critical · open · began 2026-11-21 05:00 UTC<br><br><strong>Root cause</strong><br>rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)<br><br><strong>Impact</strong><br>high, urgency high<br>2 services: orders, payments<br>12 items: rtr1, sw-fra-1, db-3, 9 more<br>31 of 31 alerts are firing<br><br><strong>Service level</strong><br>Respond by 2026-11-21 05:15 UTC (gold)<br>Restore by 2026-11-21 09:00 UTC (gold)<br><br><strong>What to do</strong><br>Known error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.<br><a href=\"https://wiki.example/runbooks/host-down\">Runbook for Host down</a><br><br><strong>Evidence</strong><br>05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)<br>05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)<br>and 29 more alerts<br><br><strong>Links</strong><br><a href=\"https://watchbell.example/incidents/inc-7h3kq0v9zd\">Incident inc-7h3kq0v9zd</a><br><a href=\"https://nagios.example/alerts?host=rtr1&amp;open=1\">Host down in nagios</a><br><a href=\"https://zabbix.example/alerts?host=db-3&amp;open=1\">Unreachable in zabbix</a><br><br>Watchbell, incident inc-7h3kq0v9zd, message 1",
      "m.mentions": {},
      "msgtype": "m.notice"
    }
    "#);
    let edit = asked(NotificationKind::Updated, MESSAGE, Some(REMOTE));
    let edit: Value = serde_json::from_str(edit.split_once("\n\n").unwrap().1).unwrap();
    assert_eq!(edit["m.relates_to"], json!({"rel_type": "m.replace", "event_id": "$YUwRidLecu:example.com"}));
    assert!(edit["body"].as_str().unwrap().starts_with("* [P1]"));
    assert_eq!(edit["m.new_content"]["formatted_body"], edit["formatted_body"]);
    insta::assert_snapshot!(asked(NotificationKind::Resolved, REPLY, Some(REMOTE)), @r#"
    PUT https://matrix.example.org/_matrix/client/v3/rooms/!636q39766251:example.org/send/m.room.message/92913d058563031985846ef4373649a7d58ceaa7
    authorization: Bearer syt_d2F0Y2hiZWxs_XWpPjPYUHDxZpzZnHqEt_0iXgGE

    {
      "body": "Resolved after 12m\ncritical · resolved · began 2026-11-21 05:00 UTC · assigned to anna",
      "format": "org.matrix.custom.html",
      "formatted_body": "<strong>Resolved after 12m</strong><br>critical · resolved · began 2026-11-21 05:00 UTC · assigned to anna",
      "m.mentions": {},
      "m.relates_to": {
        "event_id": "$YUwRidLecu:example.com",
        "is_falling_back": true,
        "m.in_reply_to": {
          "event_id": "$YUwRidLecu:example.com"
        },
        "rel_type": "m.thread"
      },
      "msgtype": "m.notice"
    }
    "#);
    let answer = |kind, step, remote| outcome_of(&SPEC, SPEC.example, kind, &at(step, remote), 200, SENT);
    let posted = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "posted $YUwRidLecu:example.com".into() };
    assert_eq!(answer(NotificationKind::Opened, MESSAGE, None), posted);
    let next = Outcome::Next { remote: None, step: REPLY };
    assert_eq!(answer(NotificationKind::Resolved, MESSAGE, Some(REMOTE)), next);
}

#[test]
fn a_repetition_has_the_same_transaction_and_nothing_else_has() {
    let called = |kind, progress: &_| called(&SPEC, SPEC.example, kind, progress);
    let first = called(NotificationKind::Opened, &at(MESSAGE, None));
    assert_eq!(first, called(NotificationKind::Opened, &doubt(MESSAGE, None)));
    assert_ne!(first, called(NotificationKind::Opened, &at(REPLY, Some(REMOTE))));
}

#[test]
fn errors_say_how_long_and_why() {
    let answer =
        |status, body| outcome_of(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None), status, body);
    let flood = answer(429, r#"{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":2503}"#);
    assert!(matches!(flood, Outcome::Retry { after_ms: Some(2_503), .. }), "{flood:?}");
    let denied = answer(403, r#"{"errcode":"M_FORBIDDEN","error":"not in room"}"#);
    insta::assert_snapshot!(format!("{denied:?}"), @r#"Rejected { kind: Auth, reason: "the homeserver answered 403: M_FORBIDDEN not in room" }"#);
    let named = "{base_url: 'https://h.example', token: t, room_id: '#ops:h.example'}";
    assert!(build_error(&SPEC, named).starts_with("`room_id`: expected a room's id"));
}

#[test]
fn the_path_is_that_of_the_published_description() {
    // Its examples are not indented as our reader wants it.
    let Some(description) = shared_text("matrix/client-server/room_send.yaml") else { return };
    let path = "/rooms/{roomId}/send/{eventType}/{txnId}";
    assert!(description.contains(&format!("\"{path}\":\n    put:")));
    let called = called(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None));
    let url = reqwest::Url::parse(called.trim_start_matches("PUT ")).unwrap();
    let segments: Vec<_> = url.path_segments().unwrap().collect();
    assert_eq!(segments[..3], ["_matrix", "client", "v3"]);
    assert_eq!(segments.len() - 3, path.split('/').count() - 1);
}
