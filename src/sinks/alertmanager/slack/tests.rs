//! Messages, edits and answers of the Slack receiver.

use super::super::tests::{firing, retried, sent, shown};
use super::*;
use crate::model::delivery::Progress;
use crate::sinks::tests::{attempt, build_error, build_from, json_answer, setting};

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    let attachment = &body["attachments"][0];
    let title = attachment["title"].as_str().unwrap_or_default();
    if title.chars().count() > TITLE_CHARS_MAX {
        return Err("the title is too long".into());
    }
    match attachment["fallback"].is_string() && attachment["text"].is_string() {
        true => Ok(()),
        false => Err("no text".into()),
    }
}

const BOT: &str = "app_token: xoxb-17653672481-pdFZKVeTuE8sk7oO\nchannel: C024BE91L\nupdate_message: true\n\
                   send_resolved: true\n";

/// Without the built-in texts, which have tests of their own.
const BARE: &str = "api_url: https://hooks.slack.example/services/T0/B0/pdFZKVeTuE8s\nchannel: '#ops'\ntitle: Title\n\
                    title_link: ''\npretext: ''\ntext: Text\nfallback: Fallback\nfooter: ''\ncallback_id: ''\ncolor: danger\n\
                    username: am\nicon_emoji: ':bell:'\nicon_url: ''\n";

#[test]
fn the_message_has_alertmanagers_fields() {
    let more = "message_text: Top\nlink_names: true\nshort_fields: true\n\
                fields: [{ title: A, value: B }, { title: C, value: D, short: false }]\n\
                actions:\n  - { type: button, text: Go, url: 'https://wiki.example', name: dropped, value: dropped }\n  \
                - { type: button, text: Ack, name: ack, value: '1', confirm: { text: Sure? } }\n";
    insta::assert_snapshot!(sent(&SPEC, &format!("{BARE}{more}"), &firing()), @r##"
    POST https://hooks.slack.example/services/T0/B0/pdFZKVeTuE8s
    content-type: application/json

    {"channel":"#ops","username":"am","icon_emoji":":bell:","link_names":true,"text":"Top","attachments":[{"title":"Title","text":"Text","fallback":"Fallback","callback_id":"","fields":[{"title":"A","value":"B","short":true},{"title":"C","value":"D","short":false}],"actions":[{"type":"button","text":"Go","url":"https://wiki.example"},{"type":"button","text":"Ack","name":"ack","value":"1","confirm":{"text":"Sure?"}}],"footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]}
    "##);
}

#[test]
fn a_bot_edits_its_message_and_posts_anew_where_it_is_gone() {
    let yaml = format!(
        "{BOT}title: T\ntitle_link: ''\npretext: ''\ntext: ''\nfallback: F\nfooter: ''\ncallback_id: ''\n\
                        color: ''\nusername: ''\nicon_emoji: ''\nicon_url: ''\n"
    );
    let sink = build_from(&SPEC, &yaml, &setting());
    let notification = firing();
    let first = Progress::default();
    insta::assert_snapshot!(shown(sink.request(&attempt(&notification, &first)).unwrap()), @r#"
    POST https://slack.com/api/chat.postMessage
    content-type: application/json
    authorization: Bearer xoxb-17653672481-pdFZKVeTuE8sk7oO

    {"channel":"C024BE91L","attachments":[{"title":"T","text":"","fallback":"F","callback_id":"","footer":"","mrkdwn_in":["fallback","pretext","text"]}]}
    "#);
    let posted = json_answer(200, r#"{"ok":true,"channel":"C024BE91L","ts":"1795237920.000100"}"#);
    let Outcome::Delivered { remote, .. } = sink.outcome(&attempt(&notification, &first), &posted) else { panic!() };
    let second = Progress { remote, ..Progress::default() };
    insta::assert_snapshot!(shown(sink.request(&attempt(&notification, &second)).unwrap()), @r#"
    POST https://slack.com/api/chat.update
    content-type: application/json
    authorization: Bearer xoxb-17653672481-pdFZKVeTuE8sk7oO

    {"channel":"C024BE91L","ts":"1795237920.000100","attachments":[{"title":"T","text":"","fallback":"F","callback_id":"","footer":"","mrkdwn_in":["fallback","pretext","text"]}]}
    "#);
    let gone = json_answer(200, r#"{"ok":false,"error":"message_not_found"}"#);
    let outcome = sink.outcome(&attempt(&notification, &second), &gone);
    assert_eq!(outcome, Outcome::Next { remote: None, step: ANEW });
    let anew = Progress { step: ANEW, ..second };
    assert!(shown(sink.request(&attempt(&notification, &anew)).unwrap()).starts_with(&format!("POST {POST_URL}")));
}

#[test]
fn answers_are_read_as_alertmanager_reads_them() {
    assert_eq!(retried(&SPEC, BARE), "408 425 429 500-599");
    let sink = build_from(&SPEC, BARE, &setting());
    let (notification, progress) = (firing(), Progress::default());
    let outcome = |content_type: &str, body: &str| {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        let response = Response::Http { status: 200, headers, body: body.into() };
        match sink.outcome(&attempt(&notification, &progress), &response) {
            Outcome::Delivered { .. } => "delivered".to_owned(),
            Outcome::Retry { .. } => "again".to_owned(),
            Outcome::Rejected { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(outcome("application/json; charset=utf-8", r#"{"ok":true}"#), "delivered");
    assert_eq!(outcome("application/json", r#"{"not valid"}"#), "again");
    assert_eq!(outcome("application/json", r#"{"ok":false,"error":"no_channel"}"#), "Slack refused: no_channel");
    assert_eq!(outcome("text/html", "ok"), "delivered");
    assert_eq!(outcome("text/html", "no_channel"), "Slack refused: no_channel");
}

#[test]
fn keys_that_do_not_fit_are_named() {
    for (yaml, key) in [
        ("channel: x\n", "api_url"),
        ("api_url: https://hooks.slack.example\nupdate_message: true\n", "update_message"),
        ("api_url: https://hooks.slack.example\nactions: [{ type: button, text: Go }]\n", "actions[0]"),
        ("api_url: https://hooks.slack.example\nfields: [{ title: Go }]\n", "fields[0]"),
        ("app_token: x\nhttp_config: { authorization: { credentials: y } }\n", "authorization"),
    ] {
        let error = build_error(&SPEC, yaml);
        assert!(error.contains(key), "{yaml}: {error}");
    }
}
