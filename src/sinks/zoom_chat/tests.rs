//! Messages as Zoom gets them.

use super::*;
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{asked, at, called, json_of, outcome_of, requested, shared};
use crate::sinks::chat::{MESSAGE, REPLY};
use crate::sinks::tests::{build_error, build_from, setting};

const REMOTE: &str = r#"{"zoom_message":"201910tryyRFjM_main"}"#;
const WEBHOOK: &str =
    "webhook_url: https://inbots.zoom.example/incoming/hook/vR5l1tT9s3cr3t\nverification_token: q8Zl2mX4s3cr3t\n";

pub fn check(request: &Request) -> Result<(), String> {
    let body = json_of(request)?;
    if body["is_markdown_support"] == true {
        return Err("Markdown".into());
    }
    let content = if body["content"].is_object() { &body["content"] } else { &body };
    let mut chars = 0;
    let mut texts = vec![&content["head"]];
    texts.extend(content["body"].as_array().into_iter().flatten());
    for part in texts {
        let text = part["text"].as_str().filter(|text| !text.is_empty()).ok_or("an empty text")?;
        reader::inert(text, "@<")?;
        chars += text.chars().count();
        if let Some(address) = part["link"].as_str() {
            reader::web(address)?;
            chars += address.len();
        }
        if part.get("type").is_some_and(|kind| kind != "message") {
            return Err(format!("a part {}", part["type"]));
        }
    }
    if chars > TEXT_CHARS_MAX { Err(format!("{chars} characters")) } else { Ok(()) }
}

fn answer(kind: NotificationKind, progress: &Progress, status: u16, body: &str) -> Outcome {
    outcome_of(&SPEC, SPEC.example, kind, progress, status, body)
}

const SENT: &str = r#"{"message_id":"201910tryyRFjM_main","robot_jid":"v1pky3tyBBB5pl8q@xmpp.zoom.us"}"#;

#[test]
fn a_chatbot_posts_edits_and_replies() {
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None)), @r##"
    POST https://api.zoom.us/v2/im/chat/messages

    {
      "account_id": "4kV2rQ8yR1mT9xZb7LdE0w",
      "content": {
        "body": [
          {
            "text": "New incident",
            "type": "message"
          },
          {
            "text": "critical · open · began 2026-11-21 05:00 UTC",
            "type": "message"
          },
          {
            "text": "Root cause",
            "type": "message"
          },
          {
            "text": "rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)",
            "type": "message"
          },
          {
            "text": "Impact",
            "type": "message"
          },
          {
            "text": "high, urgency high",
            "type": "message"
          },
          {
            "text": "2 services: orders, payments",
            "type": "message"
          },
          {
            "text": "12 items: rtr1, sw-fra-1, db-3, 9 more",
            "type": "message"
          },
          {
            "text": "31 of 31 alerts are firing",
            "type": "message"
          },
          {
            "text": "Service level",
            "type": "message"
          },
          {
            "text": "Respond by 2026-11-21 05:15 UTC (gold)",
            "type": "message"
          },
          {
            "text": "Restore by 2026-11-21 09:00 UTC (gold)",
            "type": "message"
          },
          {
            "text": "What to do",
            "type": "message"
          },
          {
            "text": "Known error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.",
            "type": "message"
          },
          {
            "link": "https://wiki.example/runbooks/host-down",
            "text": "Runbook for Host down",
            "type": "message"
          },
          {
            "text": "Evidence",
            "type": "message"
          },
          {
            "text": "05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)",
            "type": "message"
          },
          {
            "text": "05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)",
            "type": "message"
          },
          {
            "text": "and 29 more alerts",
            "type": "message"
          },
          {
            "text": "Links",
            "type": "message"
          },
          {
            "link": "https://watchbell.example/incidents/inc-7h3kq0v9zd",
            "text": "Incident inc-7h3kq0v9zd",
            "type": "message"
          },
          {
            "link": "https://nagios.example/alerts?host=rtr1&open=1",
            "text": "Host down in nagios",
            "type": "message"
          },
          {
            "link": "https://zabbix.example/alerts?host=db-3&open=1",
            "text": "Unreachable in zabbix",
            "type": "message"
          },
          {
            "text": "Watchbell, incident inc-7h3kq0v9zd, message 1",
            "type": "message"
          }
        ],
        "head": {
          "text": "[P1] rtr1: Host down – 12 items affected"
        },
        "settings": {
          "default_sidebar_color": "#b31d28"
        }
      },
      "robot_jid": "v1pky3tyBBB5pl8q@xmpp.zoom.us",
      "to_jid": "8a4b1c2d3e4f@conference.xmpp.zoom.us"
    }
    "##);
    let edit = asked(&SPEC, SPEC.example, NotificationKind::Updated, &at(MESSAGE, Some(REMOTE)));
    assert!(edit.starts_with("PUT https://api.zoom.us/v2/im/chat/messages/201910tryyRFjM_main\n"), "{edit}");
    assert!(!edit.contains("to_jid"), "{edit}");
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Resolved, &at(REPLY, Some(REMOTE))), @r#"
    POST https://api.zoom.us/v2/im/chat/messages

    {
      "account_id": "4kV2rQ8yR1mT9xZb7LdE0w",
      "content": {
        "body": [
          {
            "text": "critical · resolved · began 2026-11-21 05:00 UTC · assigned to anna",
            "type": "message"
          }
        ],
        "head": {
          "text": "Resolved after 12m"
        }
      },
      "reply_to": "201910tryyRFjM_main",
      "robot_jid": "v1pky3tyBBB5pl8q@xmpp.zoom.us",
      "to_jid": "8a4b1c2d3e4f@conference.xmpp.zoom.us"
    }
    "#);
    let posted = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "posted 201910tryyRFjM_main".into() };
    assert_eq!(answer(NotificationKind::Opened, &at(MESSAGE, None), 201, SENT), posted);
    let next = Outcome::Next { remote: None, step: REPLY };
    assert_eq!(answer(NotificationKind::Resolved, &at(MESSAGE, Some(REMOTE)), 204, ""), next);
    assert_eq!(answer(NotificationKind::Resolved, &at(MESSAGE, Some(REMOTE)), 404, "{}"), chat::anew());
    let denied = answer(
        NotificationKind::Opened,
        &at(MESSAGE, None),
        400,
        r#"{"code":7010,"message":"robot is not in the channel"}"#,
    );
    insta::assert_snapshot!(format!("{denied:?}"), @r#"Rejected { kind: Rejected, reason: "Zoom answered 400: 7010 robot is not in the channel" }"#);
}

#[test]
fn a_chatbot_gets_its_token_by_client_credentials() {
    let sink = build_from(&SPEC, SPEC.example, &setting());
    let Connection::Http(client) = sink.connection() else { panic!("the usual way") };
    let oauth2 = client.oauth2.as_ref().unwrap();
    assert_eq!(
        (oauth2.client_id.as_str(), oauth2.token_url.expose().as_str()),
        ("kVqe1fJ0Swi6PtBz0tIZxA", "https://zoom.us/oauth/token")
    );
    let Request::Http(request) = requested(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None)) else {
        panic!()
    };
    assert_eq!(request.client.as_ref(), Some(client));
}

#[test]
fn an_incoming_webhook_tells_only_news() {
    assert!(called(&SPEC, WEBHOOK, NotificationKind::Updated, &Progress::default()).starts_with("skipped"));
    let asked = asked(&SPEC, WEBHOOK, NotificationKind::Opened, &Progress::default());
    insta::assert_snapshot!(asked.lines().take(9).collect::<Vec<_>>().join("\n"), @r#"
    POST https://inbots.zoom.example/incoming/hook/vR5l1tT9s3cr3t?format=full
    authorization: q8Zl2mX4s3cr3t

    {
      "body": [
        {
          "text": "New incident",
          "type": "message"
        },
    "#);
    let answer =
        |status, body| outcome_of(&SPEC, WEBHOOK, NotificationKind::Opened, &Progress::default(), status, body);
    assert!(matches!(answer(200, ""), Outcome::Delivered { .. }));
    let denied = answer(401, r#"{"message":"token q8Zl2mX4s3cr3t"}"#);
    assert!(matches!(&denied, Outcome::Rejected { reason, .. } if !reason.contains("s3cr3t")), "{denied:?}");
    assert!(build_error(&SPEC, "{webhook_url: 'https://h.example'}").starts_with("`webhook_url`: expected"));
    assert!(build_error(&SPEC, "{client_id: x}").starts_with("`client_id`: expected"));
}

#[test]
fn fields_are_those_of_the_published_description() {
    let Some(description) = shared("zoom/zoom-api-v2-2.0.0.json") else { return };
    // Newer than this description.
    let newer = ["reply_to"];
    for (progress, path, method) in [
        (at(MESSAGE, None), "/im/chat/messages", "post"),
        (at(REPLY, Some(REMOTE)), "/im/chat/messages", "post"),
        (at(MESSAGE, Some(REMOTE)), "/im/chat/messages/{message_id}", "put"),
    ] {
        let content = &description["paths"][path][method]["requestBody"]["content"]["application/json"];
        let asked = asked(&SPEC, SPEC.example, NotificationKind::Escalated, &progress);
        let body: Value = serde_json::from_str(asked.split_once("\n\n").unwrap().1).unwrap();
        for name in body.as_object().unwrap().keys() {
            let known = content["schema"]["properties"].get(name).is_some() || newer.contains(&&**name);
            assert!(known, "{path} takes no `{name}`");
        }
    }
}
