//! The conversation with Mattermost, and that its Markdown stays text.

use super::*;
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{asked, at, called, doubt, json_of, outcome_of, shared};
use crate::sinks::chat::{ANEW, MESSAGE, REPLY as REPLY_STEP};
use crate::sinks::tests::{DELIVERY, build_error};

const REMOTE: &str = r#"{"post_id":"ew1hc9q5mtdhigq86yzdb5nmna"}"#;
const WEBHOOK: &str = "webhook_url: https://chat.example.org/hooks/xzqfnwgbrpb8d8z3s3cr3t\n";
const SPECIAL: &str = "\\`*_~|[]";
const MARKS: &str = "@#~:";

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(http) = request else { return Err("not HTTP".into()) };
    if http.method == "GET" {
        return Ok(());
    }
    let body = json_of(request)?;
    let message = body["message"].as_str().or(body["text"].as_str()).ok_or("no message")?;
    reader::markdown(message, SPECIAL, "**", MARKS)?;
    let attachments = body["props"]["attachments"].as_array().or(body["attachments"].as_array());
    let mut units = 0;
    for attachment in attachments.into_iter().flatten() {
        let text = attachment["text"].as_str().ok_or("no text")?;
        reader::markdown(text, SPECIAL, "**", MARKS)?;
        reader::inert(attachment["fallback"].as_str().unwrap_or_default(), MARKS)?;
        units += attachment.to_string().encode_utf16().count();
    }
    match message.encode_utf16().count() {
        1..=4_000 if units < 8_000 => Ok(()),
        count => Err(format!("a message of {count}, attachments of {units}")),
    }
}

fn answer(kind: NotificationKind, progress: &Progress, status: u16, body: &str) -> Outcome {
    outcome_of(&SPEC, SPEC.example, kind, progress, status, body)
}

const POSTED: &str = r#"{"id":"ew1hc9q5mtdhigq86yzdb5nmna","message":"x"}"#;

#[test]
fn a_post_is_made_patched_and_answered() {
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None)), @r##"
    POST https://chat.example.org/api/v4/posts
    authorization: Bearer 9xuqwrwgstrb3mzrxb83nb357a

    {
      "channel_id": "4xp9fdt77pncbef59f4k1qe83o",
      "message": "**\\[P1\\] rtr1: Host down – 12 items affected**",
      "metadata": {
        "priority": {
          "priority": "urgent"
        }
      },
      "pending_post_id": "ac2ae36a6ad2f0b732639adff91feb48",
      "props": {
        "attachments": [
          {
            "color": "#b31d28",
            "fallback": "New incident",
            "text": "**New incident**\ncritical · open · began 2026-11-21 05:00 UTC\n\n**Root cause**\nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)\n\n**Impact**\nhigh, urgency high\n2 services: orders, payments\n12 items: rtr1, sw-fra-1, db-3, 9 more\n31 of 31 alerts are firing\n\n**Service level**\nRespond by 2026-11-21 05:15 UTC (gold)\nRestore by 2026-11-21 09:00 UTC (gold)\n\n**What to do**\nKnown error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.\n[Runbook for Host down](https://wiki.example/runbooks/host-down)\n\n**Evidence**\n05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)\n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)\nand 29 more alerts\n\n**Links**\n[Incident inc-7h3kq0v9zd](https://watchbell.example/incidents/inc-7h3kq0v9zd)\n[Host down in nagios](https://nagios.example/alerts?host=rtr1&open=1)\n[Unreachable in zabbix](https://zabbix.example/alerts?host=db-3&open=1)\n\nWatchbell, incident inc-7h3kq0v9zd, message 1"
          }
        ],
        "watchbell": {
          "delivery": "inc-7h3kq0v9zd.1.ops/test",
          "incident": "inc-7h3kq0v9zd",
          "sink": "ops/test",
          "what": "message"
        }
      }
    }
    "##);
    insta::assert_snapshot!(called(&SPEC, SPEC.example, NotificationKind::Updated, &at(MESSAGE, Some(REMOTE))), @"PUT https://chat.example.org/api/v4/posts/ew1hc9q5mtdhigq86yzdb5nmna/patch");
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Resolved, &at(REPLY_STEP, Some(REMOTE))), @r#"
    POST https://chat.example.org/api/v4/posts
    authorization: Bearer 9xuqwrwgstrb3mzrxb83nb357a

    {
      "channel_id": "4xp9fdt77pncbef59f4k1qe83o",
      "message": "**Resolved after 12m**\ncritical · resolved · began 2026-11-21 05:00 UTC · assigned to anna",
      "pending_post_id": "92913d058563031985846ef4373649a7",
      "props": {
        "watchbell": {
          "delivery": "inc-7h3kq0v9zd.1.ops/test",
          "incident": "inc-7h3kq0v9zd",
          "sink": "ops/test",
          "what": "reply"
        }
      },
      "root_id": "ew1hc9q5mtdhigq86yzdb5nmna"
    }
    "#);
    let posted = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "posted ew1hc9q5mtdhigq86yzdb5nmna".into() };
    assert_eq!(answer(NotificationKind::Opened, &at(MESSAGE, None), 201, POSTED), posted);
    let next = Outcome::Next { remote: None, step: REPLY_STEP };
    assert_eq!(answer(NotificationKind::Resolved, &at(MESSAGE, Some(REMOTE)), 200, POSTED), next);
    let replied = answer(NotificationKind::Resolved, &at(REPLY_STEP, Some(REMOTE)), 201, POSTED);
    assert!(matches!(replied, Outcome::Delivered { remote: Some(remote), .. } if remote == REMOTE));
}

#[test]
fn after_an_unclear_post_the_channel_is_read() {
    let doubt = doubt(MESSAGE, None);
    insta::assert_snapshot!(called(&SPEC, SPEC.example, NotificationKind::Opened, &doubt), @"GET https://chat.example.org/api/v4/channels/4xp9fdt77pncbef59f4k1qe83o/posts?since=1795237100000");
    let posts = |delivery: &str, what: &str| {
        format!(
            r#"{{"order":["ew1hc9q5mtdhigq86yzdb5nmna"],"posts":{{"ew1hc9q5mtdhigq86yzdb5nmna":{{"props":{{"watchbell":
            {{"incident":"inc-7h3kq0v9zd","delivery":"{delivery}","sink":"ops/test","what":"{what}"}}}}}}}}}}"#
        )
    };
    let search = |body: &str| answer(NotificationKind::Opened, &doubt, 200, body);
    assert!(matches!(search(&posts(DELIVERY, "message")), Outcome::Delivered { remote: Some(_), .. }));
    let of_another = Outcome::Next { remote: Some(REMOTE.into()), step: MESSAGE };
    assert_eq!(search(&posts("inc-7h3kq0v9zd.0.ops/test", "message")), of_another);
    let nothing = Outcome::Next { remote: None, step: MESSAGE };
    assert_eq!(search(&posts(DELIVERY, "reply")), nothing);
    assert_eq!(search(r#"{"order":[],"posts":{}}"#), nothing);
    let unreadable = search("{}");
    assert!(matches!(unreadable, Outcome::Retry { is_ambiguous: true, .. }), "{unreadable:?}");
    let reply = super::super::chat::tests::doubt(REPLY_STEP, Some(REMOTE));
    assert!(called(&SPEC, SPEC.example, NotificationKind::Escalated, &reply).contains("/posts?since="));
}

#[test]
fn a_post_that_is_gone_or_too_old_is_made_anew() {
    let edit = at(MESSAGE, Some(REMOTE));
    for (status, body) in [
        (404, r#"{"id":"app.post.get.app_error","message":"Unable to get the post.","status_code":404}"#),
        (400, r#"{"id":"api.post.update_post.permissions_time_limit.app_error","message":"no","status_code":400}"#),
    ] {
        assert_eq!(answer(NotificationKind::Updated, &edit, status, body), chat::anew());
    }
    assert!(called(&SPEC, SPEC.example, NotificationKind::Updated, &at(ANEW, Some(REMOTE))).starts_with("POST"));
    let body = r#"{"id":"api.context.session_expired.app_error","message":"Invalid 9xuqwrwgstrb3mzrxb83nb357a"}"#;
    insta::assert_snapshot!(format!("{:?}", answer(NotificationKind::Updated, &edit, 401, body)), @r#"Rejected { kind: Auth, reason: "Mattermost answered 401: Invalid <secret> api.context.session_expired.app_error" }"#);
}

#[test]
fn an_incoming_webhook_tells_only_news() {
    let progress = Progress::default();
    assert!(asked(&SPEC, WEBHOOK, NotificationKind::Updated, &progress).starts_with("skipped"));
    let asked = asked(&SPEC, WEBHOOK, NotificationKind::Opened, &progress);
    assert!(asked.contains("\"priority\": \"urgent\"") && !asked.contains("props"), "{asked}");
    let answer = |status, body| outcome_of(&SPEC, WEBHOOK, NotificationKind::Opened, &progress, status, body);
    assert_eq!(answer(200, "ok"), Outcome::Delivered { remote: None, proof: "answered ok".into() });
    let refused = answer(400, r#"{"message":"no hook xzqfnwgbrpb8d8z3s3cr3t"}"#);
    assert!(matches!(&refused, Outcome::Rejected { reason, .. } if reason.contains("<secret>")), "{refused:?}");
    assert!(build_error(&SPEC, "{token: x}").starts_with("`token`: expected `base_url`"));
}

#[test]
fn fields_are_those_of_the_published_description() {
    let Some(description) = shared("mattermost/v4-posts.yaml") else { return };
    for (progress, path, method, newer) in [
        (at(MESSAGE, None), "/api/v4/posts", "post", &["pending_post_id"][..]),
        (at(REPLY_STEP, Some(REMOTE)), "/api/v4/posts", "post", &["pending_post_id"][..]),
        (at(MESSAGE, Some(REMOTE)), "/api/v4/posts/{post_id}/patch", "put", &[]),
    ] {
        let schema = &description[path][method]["requestBody"]["content"]["application/json"]["schema"]["properties"];
        let asked = asked(&SPEC, SPEC.example, NotificationKind::Escalated, &progress);
        let body: Value = serde_json::from_str(asked.split_once("\n\n").unwrap().1).unwrap();
        for name in body.as_object().unwrap().keys() {
            // The server knows this one, its description does not.
            assert!(schema.get(name).is_some() || newer.contains(&&**name), "{path} takes no `{name}`");
        }
    }
}
