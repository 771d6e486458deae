//! The conversation with Slack, call by call, and the limits of its blocks.

use super::blocks::{BLOCK_UNITS_MAX, BLOCKS_MAX, HEADER_UNITS_MAX, TOTAL_UNITS_MAX};
use super::*;
use crate::model::delivery::Progress;
use crate::render::{hostile, sample_notification};
use crate::sinks::tests::{
    DELIVERY, attempt, attempt_request, build_error, build_from, http_request, json_answer, json_body, setting,
};

const REMOTE: &str = r#"{"channel":"C024BE91L","ts":"1795237920.000100"}"#;
const WEBHOOK: &str = "webhook_url: https://hooks.slack.example/services/T0/B0/s3cr3t\n";

/// Units of all visible text in a block, of header and section alike.
fn units(value: &Value) -> usize {
    match value {
        Value::Object(fields) => {
            let own = ["text", "url"].iter().filter_map(|name| fields.get(*name)?.as_str());
            own.map(|text| text.encode_utf16().count()).sum::<usize>() + fields.values().map(units).sum::<usize>()
        }
        Value::Array(values) => values.iter().map(units).sum(),
        _ => 0,
    }
}

fn types<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("type").and_then(Value::as_str));
            fields.values().for_each(|value| types(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| types(value, found)),
        _ => {}
    }
}

fn has_empty_text(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            fields.get("text").is_some_and(|text| text == "") || fields.values().any(has_empty_text)
        }
        Value::Array(values) => values.iter().any(has_empty_text),
        _ => false,
    }
}

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(request) = request else { return Err("not HTTP".into()) };
    if request.method == "GET" {
        return Ok(());
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    let text = body["text"].as_str().unwrap_or_default();
    if text.is_empty() || text.encode_utf16().count() > 4_000 || text.contains(['<', '>']) {
        return Err(format!("text `{}`", text.chars().take(80).collect::<String>()));
    }
    let blocks = body["blocks"].as_array().ok_or("no blocks")?;
    if blocks.len() > BLOCKS_MAX || blocks.iter().map(units).sum::<usize>() > TOTAL_UNITS_MAX {
        return Err("too much in the blocks".into());
    }
    for block in blocks {
        let max = if block["type"] == "header" { HEADER_UNITS_MAX } else { BLOCK_UNITS_MAX };
        if units(block) > max || block["elements"].as_array().is_some_and(Vec::is_empty) || has_empty_text(block) {
            return Err(format!("a {} block of {} units", block["type"], units(block)));
        }
    }
    let mut found = Vec::new();
    types(&body["blocks"], &mut found);
    let inert =
        ["header", "plain_text", "context", "rich_text", "rich_text_section", "text", "link", "actions", "button"];
    if let Some(active) = found.iter().find(|name| !inert.contains(name)) {
        return Err(format!("`{active}` parses what it shows"));
    }
    if body["blocks"].to_string().chars().any(hostile::is_forbidden) {
        return Err("control characters".into());
    }
    Ok(())
}

fn sink() -> Box<dyn Sink> {
    build_from(&SPEC, SPEC.example, &setting())
}

fn at(step: u16, remote: Option<&str>, is_ambiguous: bool) -> Progress {
    Progress { remote: remote.map(str::to_owned), step, is_ambiguous, ..Progress::default() }
}

/// Method and URL of the next call.
fn called(kind: NotificationKind, progress: &Progress) -> String {
    let notification = sample_notification(kind, hostile::now());
    let request = http_request(attempt_request(&*sink(), &notification, progress));
    format!("{} {}", request.method, request.url.expose().replace("https://slack.com/api/", ""))
}

fn body(kind: NotificationKind, progress: &Progress) -> Value {
    let notification = sample_notification(kind, hostile::now());
    json_body(&http_request(attempt_request(&*sink(), &notification, progress)))
}

fn outcome(kind: NotificationKind, progress: &Progress, answer: &str) -> Outcome {
    let notification = sample_notification(kind, hostile::now());
    sink().outcome(&attempt(&notification, progress), &json_answer(200, answer))
}

fn refused(kind: NotificationKind, progress: &Progress, error: &str) -> Outcome {
    outcome(kind, progress, &format!(r#"{{"ok":false,"error":"{error}"}}"#))
}

const POSTED: &str = r#"{"ok":true,"channel":"C024BE91L","ts":"1795237920.000100"}"#;

#[test]
fn the_message() {
    let body = body(NotificationKind::Opened, &at(MESSAGE, None, false));
    assert_eq!(body["channel"], "C024BE91L");
    assert_eq!(body["metadata"]["event_payload"]["delivery"], DELIVERY);
    let blocks = body["blocks"].as_array().unwrap().iter().filter(|block| block["type"] != "actions");
    let shown: Vec<String> = blocks.map(shown).collect();
    insta::assert_snapshot!(format!("{}\n====\n{}", body["text"].as_str().unwrap(), shown.join("\n----\n")), @"
    [P1] rtr1: Host down – 12 items affected
    New incident
    ====
    [P1] rtr1: Host down – 12 items affected
    ----
    New incident
    critical · open · began 2026-11-21 05:00 UTC
    ----
    Root cause
    rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)
    ----
    Impact
    high, urgency high
    2 services: orders, payments
    12 items: rtr1, sw-fra-1, db-3, 9 more
    31 of 31 alerts are firing
    ----
    Service level
    Respond by 2026-11-21 05:15 UTC (gold)
    Restore by 2026-11-21 09:00 UTC (gold)
    ----
    What to do
    Known error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.
    Runbook for Host down <https://wiki.example/runbooks/host-down>
    ----
    Evidence
    05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)
    05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)
    and 29 more alerts
    ----
    Links
    Incident inc-7h3kq0v9zd <https://watchbell.example/incidents/inc-7h3kq0v9zd>
    Host down in nagios <https://nagios.example/alerts?host=rtr1&open=1>
    Unreachable in zabbix <https://zabbix.example/alerts?host=db-3&open=1>
    ----
    Watchbell, incident inc-7h3kq0v9zd, message 1
    ");
}

/// What a block shows, links as `text <address>`.
fn shown(block: &Value) -> String {
    let mut text = block["text"]["text"].as_str().unwrap_or_default().to_owned();
    for element in block["elements"].as_array().map(Vec::as_slice).unwrap_or_default() {
        text.push_str(element["text"].as_str().unwrap_or_default());
        for part in element["elements"].as_array().map(Vec::as_slice).unwrap_or_default() {
            text.push_str(part["text"].as_str().unwrap_or_default());
            if let Some(address) = part["url"].as_str() {
                text.push_str(&format!(" <{address}>"));
            }
        }
    }
    text
}

#[test]
fn what_can_be_done_can_be_pressed() {
    let pressed = |kind, progress: &Progress| -> Vec<String> {
        let body = body(kind, progress);
        let blocks = body["blocks"].as_array().cloned().unwrap_or_default();
        let actions = blocks.into_iter().filter(|block| block["type"] == "actions");
        let elements = actions.flat_map(|block| block["elements"].as_array().cloned().unwrap_or_default());
        elements.map(|button| format!("{} {}", button["text"]["text"].as_str().unwrap(), button["value"])).collect()
    };
    insta::assert_snapshot!(pressed(NotificationKind::Opened, &at(MESSAGE, None, false)).join("\n"), @r#"
    Acknowledge "ack:inc-7h3kq0v9zd"
    Resolve "resolve:inc-7h3kq0v9zd"
    Assign to me "take:inc-7h3kq0v9zd"
    Escalate "escalate:inc-7h3kq0v9zd"
    Mute 1 h "mute:inc-7h3kq0v9zd"
    Wrong cause… "cause:inc-7h3kq0v9zd"
    "#);
    assert!(pressed(NotificationKind::Escalated, &at(REPLY, Some(REMOTE), false)).is_empty(), "not below replies");
    assert!(pressed(NotificationKind::Opened, &at(PLAIN, None, false)).is_empty());
}

#[test]
fn a_post_is_remembered() {
    assert_eq!(called(NotificationKind::Opened, &at(MESSAGE, None, false)), "POST chat.postMessage");
    let expected = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "posted 1795237920.000100".into() };
    assert_eq!(outcome(NotificationKind::Opened, &at(MESSAGE, None, false), POSTED), expected);
}

#[test]
fn later_news_edits_the_message_and_then_replies() {
    let first = at(MESSAGE, Some(REMOTE), false);
    assert_eq!(called(NotificationKind::Escalated, &first), "POST chat.update");
    assert_eq!(body(NotificationKind::Escalated, &first)["ts"], "1795237920.000100");
    let next = Outcome::Next { remote: None, step: REPLY };
    assert_eq!(outcome(NotificationKind::Escalated, &first, POSTED), next);
    let second = at(REPLY, Some(REMOTE), false);
    let reply = body(NotificationKind::Escalated, &second);
    assert_eq!((&reply["thread_ts"], &reply["reply_broadcast"]), (&json!("1795237920.000100"), &json!(true)));
    assert_eq!(body(NotificationKind::Acknowledged, &second)["reply_broadcast"], false);
    let answer = r#"{"ok":true,"channel":"C024BE91L","ts":"1795237999.000200"}"#;
    let expected = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "replied 1795237999.000200".into() };
    assert_eq!(outcome(NotificationKind::Escalated, &second, answer), expected);
}

#[test]
fn a_quiet_update_only_edits() {
    let expected = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "updated 1795237920.000100".into() };
    assert_eq!(outcome(NotificationKind::Updated, &at(MESSAGE, Some(REMOTE), false), POSTED), expected);
}

#[test]
fn after_an_unclear_post_the_message_is_searched_for() {
    let doubt = at(MESSAGE, None, true);
    assert_eq!(
        called(NotificationKind::Opened, &doubt),
        "GET conversations.history?channel=C024BE91L&oldest=1795237100.000000&limit=999&include_all_metadata=true"
    );
    let row = |delivery: &str, event: &str| {
        format!(
            r#"{{"ts":"1795237920.000100","metadata":{{"event_type":"{event}","event_payload":
            {{"incident":"inc-7h3kq0v9zd","delivery":"{delivery}","sink":"ops/test"}}}}}}"#
        )
    };
    let search =
        |rows: &str| outcome(NotificationKind::Opened, &doubt, &format!(r#"{{"ok":true,"messages":[{rows}]}}"#));
    let found = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "found 1795237920.000100".into() };
    assert_eq!(search(&format!(r#"{{"ts":"1","text":"hi"}},{}"#, row(DELIVERY, INCIDENT_EVENT))), found);
    let of_another = Outcome::Next { remote: Some(REMOTE.into()), step: MESSAGE };
    assert_eq!(search(&row("inc-7h3kq0v9zd.0.ops/test", INCIDENT_EVENT)), of_another);
    let nothing = Outcome::Next { remote: None, step: MESSAGE };
    assert_eq!(search(&row(DELIVERY, REPLY_EVENT)), nothing);
    assert_eq!(search(""), nothing);
    // Without the right to read only posting is left; a passing trouble is waited for.
    assert_eq!(refused(NotificationKind::Opened, &doubt, "missing_scope"), nothing);
    let outcome = refused(NotificationKind::Opened, &doubt, "ratelimited");
    assert!(matches!(outcome, Outcome::Retry { is_ambiguous: true, .. }), "{outcome:?}");
}

#[test]
fn an_unclear_reply_is_searched_for_in_the_thread() {
    let doubt = at(REPLY, Some(REMOTE), true);
    let call = called(NotificationKind::Escalated, &doubt);
    assert!(call.starts_with("GET conversations.replies?channel=C024BE91L&oldest=1795237800.000000"), "{call}");
    assert!(call.ends_with("&ts=1795237920.000100"), "{call}");
    let answer = format!(
        r#"{{"ok":true,"messages":[{{"ts":"1795237999.000200","metadata":{{"event_type":"{REPLY_EVENT}",
        "event_payload":{{"incident":"inc-7h3kq0v9zd","delivery":"{DELIVERY}","sink":"ops/test"}}}}}}]}}"#
    );
    let outcome_of = |answer: &str| outcome(NotificationKind::Escalated, &doubt, answer);
    assert!(matches!(outcome_of(&answer), Outcome::Delivered { remote: None, .. }));
    assert_eq!(outcome_of(r#"{"ok":true,"messages":[]}"#), Outcome::Next { remote: None, step: REPLY });
}

#[test]
fn a_channel_given_by_name_is_not_searched() {
    let sink = build_from(&SPEC, "{channel: '#ops', token: xoxb-1}", &setting());
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    let request = http_request(attempt_request(&*sink, &notification, &at(MESSAGE, None, true)));
    assert_eq!(request.method, "POST");
}

#[test]
fn a_message_that_cannot_be_edited_is_posted_anew() {
    let anew = Outcome::Next { remote: None, step: ANEW };
    for error in ["message_not_found", "cant_update_message", "edit_window_closed"] {
        assert_eq!(refused(NotificationKind::Updated, &at(MESSAGE, Some(REMOTE), false), error), anew);
    }
    assert_eq!(refused(NotificationKind::Escalated, &at(REPLY, Some(REMOTE), false), "thread_not_found"), anew);
    let progress = at(ANEW, Some(REMOTE), false);
    assert_eq!(called(NotificationKind::Escalated, &progress), "POST chat.postMessage");
    let Outcome::Delivered { remote, .. } = outcome(NotificationKind::Escalated, &progress, POSTED) else { panic!() };
    assert_eq!(remote.as_deref(), Some(REMOTE));
    let last = refused(NotificationKind::Escalated, &progress, "channel_not_found");
    assert!(matches!(last, Outcome::Rejected { .. }), "{last:?}");
}

#[test]
fn refused_blocks_leave_the_text() {
    let plain = Outcome::Next { remote: None, step: PLAIN };
    assert_eq!(refused(NotificationKind::Opened, &at(MESSAGE, None, false), "invalid_blocks"), plain);
    let body = body(NotificationKind::Opened, &at(PLAIN, None, false));
    assert_eq!(body["blocks"], json!([]));
    let last = refused(NotificationKind::Opened, &at(PLAIN, None, false), "invalid_blocks");
    assert!(matches!(last, Outcome::Rejected { .. }), "{last:?}");
}

#[test]
fn error_words_decide_not_the_status() {
    let kind = |error: &str| match refused(NotificationKind::Opened, &at(MESSAGE, None, false), error) {
        Outcome::Retry { kind, is_ambiguous, .. } => format!("retry {kind} {is_ambiguous}"),
        Outcome::Rejected { kind, reason } => format!("rejected {kind}: {reason}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(kind("ratelimited"), "retry rate_limited false");
    assert_eq!(kind("fatal_error"), "retry unreachable true");
    assert_eq!(kind("request_timeout"), "retry timeout true");
    assert_eq!(kind("token_revoked"), "rejected auth: Slack refused: token_revoked");
    assert_eq!(kind("is_archived"), "rejected rejected: Slack refused: is_archived");
}

#[test]
fn an_incoming_webhook_tells_only_news() {
    let sink = build_from(&SPEC, WEBHOOK, &setting());
    let progress = Progress::default();
    for kind in hostile::KINDS {
        let notification = sample_notification(kind, hostile::now());
        let request = attempt_request(&*sink, &notification, &progress);
        match kind {
            NotificationKind::Updated => assert!(matches!(request, Request::Skip(_)), "{kind:?}"),
            _ => assert_eq!(check(&request), Ok(()), "{kind:?}"),
        }
    }
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    let answered = |status, body: &str| {
        let answer = Response::Http { status, headers: Vec::new(), body: body.into() };
        sink.outcome(&attempt(&notification, &progress), &answer)
    };
    assert_eq!(answered(200, "ok"), Outcome::Delivered { remote: None, proof: "answered 200 ok".into() });
    let Outcome::Rejected { reason, .. } =
        answered(404, "no_service https://hooks.slack.example/services/T0/B0/s3cr3t")
    else {
        panic!()
    };
    assert_eq!(reason, "the incoming webhook answered 404: no_service <secret>");
}

#[test]
fn configuration_errors_name_the_key() {
    let expected = "`token`: expected `token` with `channel`, or `webhook_url` alone";
    for yaml in ["{channel: C024BE91L}", "{token: x}", "{token: x, channel: C1, webhook_url: 'https://h.example'}"] {
        assert_eq!(build_error(&SPEC, yaml), expected);
    }
    let error = build_error(&SPEC, "{webhook_url: s3cr3t}");
    assert!(error.starts_with("`webhook_url`: expected an address") && !error.contains("s3cr3t"), "{error}");
}

#[test]
fn calls_are_those_of_the_published_schema() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/specs/slack/slack_web_openapi_v2.json");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let schema: Value = serde_json::from_slice(&bytes).unwrap();
    // Newer than the schema of 2021.
    let newer = ["metadata", "include_all_metadata", "unfurl_links", "unfurl_media"];
    for progress in [
        at(MESSAGE, None, false),
        at(MESSAGE, Some(REMOTE), false),
        at(REPLY, Some(REMOTE), false),
        at(MESSAGE, None, true),
    ] {
        let notification = sample_notification(NotificationKind::Escalated, hostile::now());
        let request = http_request(attempt_request(&*sink(), &notification, &progress));
        let url = reqwest::Url::parse(request.url.expose()).unwrap();
        let operation = &schema["paths"][url.path().trim_start_matches("/api")][request.method.to_ascii_lowercase()];
        let known: Vec<&str> =
            operation["parameters"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
        let mut sent: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
        if !request.body.is_empty() {
            sent.extend(json_body(&request).as_object().unwrap().keys().cloned());
        }
        for name in sent {
            assert!(known.contains(&&*name) || newer.contains(&&*name), "{} does not take `{name}`", url.path());
        }
    }
}
