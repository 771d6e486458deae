//! The conversation with Discord, its limits, and that nobody is mentioned.

use super::*;
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::hostile::{is_forbidden, reader};
use crate::sinks::chat::tests::{asked, at, called, doubt, json_of, outcome_of, shared};
use crate::sinks::chat::{ANEW, MESSAGE, REPLY};
use crate::sinks::tests::build_error;

const REMOTE: &str = r#"{"discord_message":"1337"}"#;
const WEBHOOK: &str =
    "webhook_url: https://discord.example/api/webhooks/223704706495545344/3d89bb7572e0fb30d8128367b3b1b44f\n";
const SPECIAL: &str = "\\`*_~|[]<>";
const MARKS: &str = "@#:";

pub fn check(request: &Request) -> Result<(), String> {
    let body = json_of(request)?;
    if body["allowed_mentions"]["parse"] != json!([]) {
        return Err("mentions are allowed".into());
    }
    if let Some(content) = body["content"].as_str() {
        reader::markdown(content, SPECIAL, "**", MARKS)?;
        return match content.encode_utf16().count() {
            1..=2_000 => Ok(()),
            count => Err(format!("a text of {count}")),
        };
    }
    let embed = &body["embeds"][0];
    let [title, description] = ["title", "description"].map(|name| embed[name].as_str().unwrap_or_default());
    let footer = embed["footer"]["text"].as_str().unwrap_or_default();
    reader::markdown(title, SPECIAL, "", MARKS)?;
    reader::markdown(description, SPECIAL, "**", MARKS)?;
    if footer.contains(is_forbidden) {
        return Err("control characters".into());
    }
    let counts = [title, description, footer].map(|text| text.encode_utf16().count());
    match counts {
        [1..=256, 1..=4_096, 0..=2_048] if counts.iter().sum::<usize>() <= 6_000 => Ok(()),
        counts => Err(format!("{counts:?} units")),
    }
}

fn answer(kind: NotificationKind, progress: &Progress, status: u16, body: &str) -> Outcome {
    outcome_of(&SPEC, SPEC.example, kind, progress, status, body)
}

#[test]
fn a_bot_posts_edits_and_replies() {
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None)), @r#"
    POST https://discord.com/api/v10/channels/381870553235193857/messages
    authorization: Bot MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs
    user-agent: DiscordBot (watchbell, 0.1.0)

    {
      "allowed_mentions": {
        "parse": []
      },
      "embeds": [
        {
          "color": 11738408,
          "description": "**New incident**\ncritical · open · began 2026-11-21 05:00 UTC\n\n**Root cause**\nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)\n\n**Impact**\nhigh, urgency high\n2 services: orders, payments\n12 items: rtr1, sw-fra-1, db-3, 9 more\n31 of 31 alerts are firing\n\n**Service level**\nRespond by 2026-11-21 05:15 UTC (gold)\nRestore by 2026-11-21 09:00 UTC (gold)\n\n**What to do**\nKnown error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.\n[Runbook for Host down](https://wiki.example/runbooks/host-down)\n\n**Evidence**\n05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)\n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)\nand 29 more alerts\n\n**Links**\n[Incident inc-7h3kq0v9zd](https://watchbell.example/incidents/inc-7h3kq0v9zd)\n[Host down in nagios](https://nagios.example/alerts?host=rtr1&open=1)\n[Unreachable in zabbix](https://zabbix.example/alerts?host=db-3&open=1)",
          "footer": {
            "text": "Watchbell, incident inc-7h3kq0v9zd, message 1"
          },
          "title": "\\[P1\\] rtr1: Host down – 12 items affected"
        }
      ],
      "enforce_nonce": true,
      "nonce": "ac2ae36a6ad2f0b732639adff"
    }
    "#);
    insta::assert_snapshot!(called(&SPEC, SPEC.example, NotificationKind::Updated, &at(MESSAGE, Some(REMOTE))), @"PATCH https://discord.com/api/v10/channels/381870553235193857/messages/1337");
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Resolved, &at(REPLY, Some(REMOTE))), @r#"
    POST https://discord.com/api/v10/channels/381870553235193857/messages
    authorization: Bot MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs
    user-agent: DiscordBot (watchbell, 0.1.0)

    {
      "allowed_mentions": {
        "parse": [],
        "replied_user": false
      },
      "content": "**Resolved after 12m**\ncritical · resolved · began 2026-11-21 05:00 UTC · assigned to anna",
      "enforce_nonce": true,
      "message_reference": {
        "channel_id": "381870553235193857",
        "fail_if_not_exists": false,
        "message_id": "1337"
      },
      "nonce": "92913d058563031985846ef43"
    }
    "#);
    let sent = r#"{"id":"1337","channel_id":"381870553235193857"}"#;
    let posted = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "posted 1337".into() };
    assert_eq!(answer(NotificationKind::Opened, &at(MESSAGE, None), 200, sent), posted);
    let next = Outcome::Next { remote: None, step: REPLY };
    assert_eq!(answer(NotificationKind::Resolved, &at(MESSAGE, Some(REMOTE)), 200, sent), next);
    let again = asked(&SPEC, SPEC.example, NotificationKind::Opened, &doubt(MESSAGE, None));
    assert_eq!(again, asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(MESSAGE, None)), "one nonce");
}

#[test]
fn a_webhook_edits_too_and_tells_news_on_their_own() {
    let called = |kind, progress: &Progress| called(&SPEC, WEBHOOK, kind, progress);
    insta::assert_snapshot!(called(NotificationKind::Opened, &at(MESSAGE, None)), @"POST https://discord.example/api/webhooks/223704706495545344/3d89bb7572e0fb30d8128367b3b1b44f?wait=true");
    insta::assert_snapshot!(called(NotificationKind::Updated, &at(MESSAGE, Some(REMOTE))), @"PATCH https://discord.example/api/webhooks/223704706495545344/3d89bb7572e0fb30d8128367b3b1b44f/messages/1337");
    let reply = asked(&SPEC, WEBHOOK, NotificationKind::Resolved, &at(REPLY, Some(REMOTE)));
    assert!(reply.contains("rtr1: Host down") && !reply.contains("nonce"), "{reply}");
    let said = r#"{"message":"Unknown Webhook 3d89bb7572e0fb30d8128367b3b1b44f","code":10015}"#;
    let gone = outcome_of(&SPEC, WEBHOOK, NotificationKind::Opened, &at(MESSAGE, None), 404, said);
    insta::assert_snapshot!(format!("{gone:?}"), @r#"Rejected { kind: Rejected, reason: "Discord answered 404: Unknown Webhook <secret>" }"#);
}

#[test]
fn what_cannot_be_edited_is_posted_anew() {
    let edit = at(MESSAGE, Some(REMOTE));
    for code in [10_008, 50_005, 30_046] {
        let body = format!(r#"{{"message":"no","code":{code}}}"#);
        assert_eq!(answer(NotificationKind::Updated, &edit, 404, &body), chat::anew());
    }
    assert!(called(&SPEC, SPEC.example, NotificationKind::Updated, &at(ANEW, Some(REMOTE))).starts_with("POST"));
    let denied = answer(NotificationKind::Updated, &edit, 403, r#"{"message":"Missing Access","code":50001}"#);
    assert!(matches!(denied, Outcome::Rejected { .. }), "{denied:?}");
}

#[test]
fn the_pause_is_the_longer_of_header_and_body() {
    let body = r#"{"message":"You are being rate limited.","retry_after":64.571,"global":false}"#;
    let outcome = answer(NotificationKind::Opened, &at(MESSAGE, None), 429, body);
    assert!(matches!(outcome, Outcome::Retry { after_ms: Some(64_571), is_ambiguous: false, .. }), "{outcome:?}");
}

#[test]
fn configuration_errors_name_the_key() {
    assert!(build_error(&SPEC, "{token: x}").starts_with("`token`: expected `token` with `channel_id`"));
    assert!(build_error(&SPEC, "{token: x, channel_id: '1/2'}").starts_with("`channel_id`"));
}

#[test]
fn fields_are_those_of_the_published_description() {
    let Some(description) = shared("discord/openapi.json") else { return };
    let schemas = &description["components"]["schemas"];
    for (yaml, progress, schema) in [
        (SPEC.example, at(MESSAGE, None), "MessageCreateRequest"),
        (SPEC.example, at(REPLY, Some(REMOTE)), "MessageCreateRequest"),
        (SPEC.example, at(MESSAGE, Some(REMOTE)), "MessageEditRequestPartial"),
        (WEBHOOK, at(MESSAGE, None), "IncomingWebhookRequestPartial"),
        (WEBHOOK, at(MESSAGE, Some(REMOTE)), "IncomingWebhookUpdateRequestPartial"),
    ] {
        let asked = asked(&SPEC, yaml, NotificationKind::Escalated, &progress);
        let body: Value = serde_json::from_str(asked.split_once("\n\n").unwrap().1).unwrap();
        for name in body.as_object().unwrap().keys() {
            assert!(schemas[schema]["properties"].get(name).is_some(), "{schema} takes no `{name}`");
        }
        for name in body["embeds"][0].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(schemas["RichEmbed"]["properties"].get(name).is_some(), "an embed takes no `{name}`");
        }
    }
}
