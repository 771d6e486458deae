//! Messages as Webex gets them, and how its ten edits are spent.

use super::*;
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{asked, at, called, json_of, outcome_of, shared};
use crate::sinks::chat::{MESSAGE, REPLY};
use crate::sinks::tests::build_error;

const REMOTE: &str = r#"{"webex_message":"Y2lzY29zcGFyazovL3Vz","edits":0}"#;
const WEBHOOK: &str = "webhook_url: https://webex.example/v1/webhooks/incoming/Y2lzY29zs3cr3t\n";

pub fn check(request: &Request) -> Result<(), String> {
    let body = json_of(request)?;
    let markdown = body["markdown"].as_str().ok_or("no text")?;
    let entities = ["&amp;", "&lt;", "&gt;"].iter().fold(markdown.to_owned(), |text, entity| text.replace(entity, ""));
    if entities.contains(['<', '>', '&']) && !markdown.contains("](http") {
        return Err("HTML inside Markdown".into());
    }
    reader::markdown(markdown, "\\`*_~|[]", "**", "@#")?;
    let text = body["text"].as_str().unwrap_or("none");
    reader::plain(text, "@")?;
    match (markdown.len(), text.len()) {
        (1..=7_439, 1..=7_439) => Ok(()),
        counts => Err(format!("{counts:?} bytes")),
    }
}

fn answer(kind: NotificationKind, progress: &Progress, status: u16, body: &str) -> Outcome {
    outcome_of(&SPEC, SPEC.example, kind, progress, status, body)
}

const SENT: &str = r#"{"id":"Y2lzY29zcGFyazovL3Vz","roomId":"Y2lz"}"#;

fn used(edits: u8) -> String {
    remote("Y2lzY29zcGFyazovL3Vz", edits).unwrap()
}

#[test]
fn a_message_is_posted_edited_and_answered() {
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None)), @r#"
    POST https://webexapis.com/v1/messages
    authorization: Bearer NDI5YTc1ZDktMjM5Ny00ZmQ1LWEzOWUt_PF84_consumer

    {
      "markdown": "**\\[P1\\] rtr1: Host down – 12 items affected**  \n**New incident**  \ncritical · open · began 2026-11-21 05:00 UTC  \n  \n**Root cause**  \nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)  \n  \n**Impact**  \nhigh, urgency high  \n2 services: orders, payments  \n12 items: rtr1, sw-fra-1, db-3, 9 more  \n31 of 31 alerts are firing  \n  \n**Service level**  \nRespond by 2026-11-21 05:15 UTC (gold)  \nRestore by 2026-11-21 09:00 UTC (gold)  \n  \n**What to do**  \nKnown error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.  \n[Runbook for Host down](https://wiki.example/runbooks/host-down)  \n  \n**Evidence**  \n05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)  \n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)  \nand 29 more alerts  \n  \n**Links**  \n[Incident inc-7h3kq0v9zd](https://watchbell.example/incidents/inc-7h3kq0v9zd)  \n[Host down in nagios](https://nagios.example/alerts?host=rtr1&open=1)  \n[Unreachable in zabbix](https://zabbix.example/alerts?host=db-3&open=1)  \n  \nWatchbell, incident inc-7h3kq0v9zd, message 1",
      "roomId": "Y2lzY29zcGFyazovL3VzL1JPT00vYmJjZWIxYWQtNDNmMS0zYjU4LTkxNDctZjE0YmIwYzRkMTU0",
      "text": "[P1] rtr1: Host down – 12 items affected\nNew incident\ncritical · open · began 2026-11-21 05:00 UTC\n\nRoot cause\nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)\n\nImpact\nhigh, urgency high\n2 services: orders, payments\n12 items: rtr1, sw-fra-1, db-3, 9 more\n31 of 31 alerts are firing\n\nService level\nRespond by 2026-11-21 05:15 UTC (gold)\nRestore by 2026-11-21 09:00 UTC (gold)\n\nWhat to do\nKnown error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.\nRunbook for Host down: https://wiki.example/runbooks/host-down\n\nEvidence\n05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)\n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)\nand 29 more alerts\n\nLinks\nIncident inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd\nHost down in nagios: https://nagios.example/alerts?host=rtr1&open=1\nUnreachable in zabbix: https://zabbix.example/alerts?host=db-3&open=1\n\nWatchbell, incident inc-7h3kq0v9zd, message 1"
    }
    "#);
    insta::assert_snapshot!(called(&SPEC, SPEC.example, NotificationKind::Updated, &at(MESSAGE, Some(REMOTE))), @"PUT https://webexapis.com/v1/messages/Y2lzY29zcGFyazovL3Vz");
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Resolved, &at(REPLY, Some(REMOTE))), @r#"
    POST https://webexapis.com/v1/messages
    authorization: Bearer NDI5YTc1ZDktMjM5Ny00ZmQ1LWEzOWUt_PF84_consumer

    {
      "markdown": "**Resolved after 12m**  \ncritical · resolved · began 2026-11-21 05:00 UTC · assigned to anna",
      "parentId": "Y2lzY29zcGFyazovL3Vz",
      "roomId": "Y2lzY29zcGFyazovL3VzL1JPT00vYmJjZWIxYWQtNDNmMS0zYjU4LTkxNDctZjE0YmIwYzRkMTU0",
      "text": "Resolved after 12m\ncritical · resolved · began 2026-11-21 05:00 UTC · assigned to anna"
    }
    "#);
    let posted = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "posted Y2lzY29zcGFyazovL3Vz".into() };
    assert_eq!(answer(NotificationKind::Opened, &at(MESSAGE, None), 200, SENT), posted);
    let next = Outcome::Next { remote: Some(used(1)), step: REPLY };
    assert_eq!(answer(NotificationKind::Resolved, &at(MESSAGE, Some(REMOTE)), 200, SENT), next);
}

#[test]
fn edits_are_counted_and_the_last_are_kept_for_news() {
    let called = |kind, edits| called(&SPEC, SPEC.example, kind, &at(MESSAGE, Some(&used(edits))));
    assert!(called(NotificationKind::Updated, 4).starts_with("PUT"));
    assert!(called(NotificationKind::Updated, 5).starts_with("skipped"));
    assert!(called(NotificationKind::Escalated, 9).starts_with("PUT"));
    assert!(called(NotificationKind::Resolved, 10).starts_with("POST"));
    let Outcome::Delivered { remote, .. } = answer(NotificationKind::Updated, &at(MESSAGE, Some(&used(3))), 200, SENT)
    else {
        panic!()
    };
    assert_eq!(remote, Some(used(4)));
    let said = r#"{"message":"The message has reached the maximum number of edits"}"#;
    let reply = Outcome::Next { remote: Some(used(10)), step: REPLY };
    assert_eq!(answer(NotificationKind::Resolved, &at(MESSAGE, Some(REMOTE)), 400, said), reply);
    assert_eq!(answer(NotificationKind::Resolved, &at(MESSAGE, Some(REMOTE)), 404, "{}"), chat::anew());
}

#[test]
fn answers_of_bot_and_webhook() {
    let busy = answer(NotificationKind::Opened, &at(MESSAGE, None), 423, "{}");
    assert!(matches!(busy, Outcome::Retry { .. }), "{busy:?}");
    let denied = answer(
        NotificationKind::Opened,
        &at(MESSAGE, None),
        401,
        r#"{"message":"The request requires a valid access token","errors":[{"description":"set in the Authorization header"}]}"#,
    );
    insta::assert_snapshot!(format!("{denied:?}"), @r#"Rejected { kind: Auth, reason: "Webex answered 401: The request requires a valid access token, set in the Authorization header" }"#);
    assert!(asked(&SPEC, WEBHOOK, NotificationKind::Updated, &Progress::default()).starts_with("skipped"));
    let taken = outcome_of(&SPEC, WEBHOOK, NotificationKind::Opened, &Progress::default(), 204, "");
    assert_eq!(taken, Outcome::Delivered { remote: None, proof: "answered 204".into() });
    assert!(build_error(&SPEC, "{token: x}").starts_with("`token`: expected `token` with `room_id`"));
}

#[test]
fn fields_are_those_of_the_published_description() {
    let Some(description) = shared("webex/webex-messaging.json") else { return };
    let resolve = |schema: &Value| match schema["$ref"].as_str() {
        Some(path) => description.pointer(path.trim_start_matches('#')).unwrap().clone(),
        None => schema.clone(),
    };
    for (progress, path, method) in [
        (at(MESSAGE, None), "/messages", "post"),
        (at(REPLY, Some(REMOTE)), "/messages", "post"),
        (at(MESSAGE, Some(REMOTE)), "/messages/{messageId}", "put"),
    ] {
        let content = &description["paths"][path][method]["requestBody"]["content"]["application/json"];
        let schema = resolve(&content["schema"]);
        let asked = asked(&SPEC, SPEC.example, NotificationKind::Escalated, &progress);
        let body: Value = serde_json::from_str(asked.split_once("\n\n").unwrap().1).unwrap();
        for name in body.as_object().unwrap().keys() {
            assert!(schema["properties"].get(name).is_some(), "{path} takes no `{name}`: {schema}");
        }
    }
}
