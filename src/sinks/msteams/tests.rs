//! Cards as the workflow gets them.

use super::*;
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{asked, json_of, outcome_of, requested, shared};
use crate::sinks::tests::build_error;

const MESSAGE_BYTES_MAX: usize = 28 * 1_024;

/// Every element that shows text, and the only action.
const INERT: [&str; 4] = ["Container", "RichTextBlock", "TextRun", "Action.OpenUrl"];

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(http) = request else { return Err("not HTTP".into()) };
    if http.body.len() > MESSAGE_BYTES_MAX {
        return Err(format!("{} bytes", http.body.len()));
    }
    let card = &json_of(request)?["attachments"][0]["content"];
    if card["msteams"] != json!({"width": "Full"}) || card.get("actions").is_some() {
        return Err("entities or buttons".into());
    }
    inert(&card["body"])
}

fn inert(value: &Value) -> Result<(), String> {
    match value {
        Value::Array(values) => values.iter().try_for_each(inert),
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str).unwrap_or("none");
            if !INERT.contains(&kind) {
                return Err(format!("an element `{kind}`"));
            }
            if let Some(text) = fields.get("text") {
                reader::inert(text.as_str().filter(|text| !text.is_empty()).ok_or("an empty text")?, "@")?;
            }
            if let Some(url) = fields.get("url") {
                reader::web(url.as_str().unwrap_or_default())?;
            }
            fields.values().filter(|value| !value.is_string()).try_for_each(inert)
        }
        _ => Ok(()),
    }
}

/// Text lines of a card, links as `text <address>`.
fn lines(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| lines(value, found)),
        Value::Object(fields) => {
            if let Some(text) = fields.get("text").and_then(Value::as_str) {
                let address = value["selectAction"]["url"].as_str();
                found.push(address.map_or_else(|| text.to_owned(), |address| format!("{text} <{address}>")));
            }
            fields.values().for_each(|value| lines(value, found));
        }
        _ => {}
    }
}

fn sent(kind: NotificationKind) -> Value {
    json_of(&requested(&SPEC, SPEC.example, kind, &Progress::default())).unwrap()
}

#[test]
fn the_card() {
    let message = sent(NotificationKind::Opened);
    let card = &message["attachments"][0]["content"];
    let mut shown = Vec::new();
    lines(&card["body"], &mut shown);
    insta::assert_snapshot!(shown.join("\n"), @"
    [P1] rtr1: Host down – 12 items affected
    New incident
    critical · open · began 2026-11-21 05:00 UTC
    Root cause
    rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)
    Impact
    high, urgency high
    2 services: orders, payments
    12 items: rtr1, sw-fra-1, db-3, 9 more
    31 of 31 alerts are firing
    Service level
    Respond by 2026-11-21 05:15 UTC (gold)
    Restore by 2026-11-21 09:00 UTC (gold)
    What to do
    Known error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.
    Runbook for Host down <https://wiki.example/runbooks/host-down>
    Evidence
    05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)
    05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)
    and 29 more alerts
    Links
    Incident inc-7h3kq0v9zd <https://watchbell.example/incidents/inc-7h3kq0v9zd>
    Host down in nagios <https://nagios.example/alerts?host=rtr1&open=1>
    Unreachable in zabbix <https://zabbix.example/alerts?host=db-3&open=1>
    Watchbell, incident inc-7h3kq0v9zd, message 1
    ");
    insta::assert_json_snapshot!(card["body"][0], @r#"
    {
      "bleed": true,
      "items": [
        {
          "inlines": [
            {
              "size": "Large",
              "text": "[P1] rtr1: Host down – 12 items affected",
              "type": "TextRun",
              "weight": "Bolder"
            }
          ],
          "spacing": "None",
          "type": "RichTextBlock"
        }
      ],
      "style": "attention",
      "type": "Container"
    }
    "#);
    assert_eq!(sent(NotificationKind::Resolved)["attachments"][0]["content"]["body"][0]["style"], "good");
}

#[test]
fn only_news_is_told() {
    let skipped = asked(&SPEC, SPEC.example, NotificationKind::Updated, &Progress::default());
    insta::assert_snapshot!(skipped, @"skipped: this cannot be edited, and this is no reason for another message");
    let answer =
        |status, body| outcome_of(&SPEC, SPEC.example, NotificationKind::Opened, &Progress::default(), status, body);
    assert_eq!(answer(202, ""), Outcome::Delivered { remote: None, proof: "answered 202".into() });
    let off = answer(400, r#"{"error":{"code":"WorkflowTriggerIsNotEnabled","message":"no Yk3vq0sR8w"}}"#);
    insta::assert_snapshot!(format!("{off:?}"), @r#"Rejected { kind: Rejected, reason: "the workflow answered 400: {\"error\":{\"code\":\"WorkflowTriggerIsNotEnabled\",\"message\":\"no <secret>\"}}" }"#);
    assert!(build_error(&SPEC, "{webhook_url: s3cr3t}").starts_with("`webhook_url`: expected an address"));
}

#[test]
fn the_card_has_the_shape_of_the_published_schema() {
    let Some(schema) = shared("adaptivecards/adaptive-card-1.4.0.json") else { return };
    let known = |kind: &str, value: &Value| {
        let mut names = Vec::new();
        properties(&schema, kind, &mut names);
        for name in value.as_object().unwrap().keys().filter(|name| *name != "msteams") {
            assert!(names.contains(name), "{kind} has no `{name}`: {names:?}");
        }
    };
    let message = sent(NotificationKind::Escalated);
    let card = &message["attachments"][0]["content"];
    known("AdaptiveCard", card);
    let all = card["body"].as_array().unwrap();
    known("Container", &all[0]);
    let blocks = all[0]["items"].as_array().unwrap().iter().chain(&all[1..]);
    for block in blocks {
        known("RichTextBlock", block);
        let run = &block["inlines"][0];
        known("TextRun", run);
        if let Some(action) = run.get("selectAction") {
            known("Action.OpenUrl", action);
        }
    }
}

/// Names of a definition's properties, with those of what it extends.
fn properties(schema: &Value, kind: &str, names: &mut Vec<String>) {
    let definition = &schema["definitions"][kind];
    let own = definition["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone());
    names.extend(own);
    let forms = definition["anyOf"].as_array().into_iter().flatten();
    names.extend(forms.filter_map(|form| form["properties"].as_object()).flatten().map(|(name, _)| name.clone()));
    for part in definition["allOf"].as_array().into_iter().flatten() {
        let base = part["$ref"].as_str().unwrap_or_default().trim_start_matches("#/definitions/");
        properties(schema, base, names);
    }
}
