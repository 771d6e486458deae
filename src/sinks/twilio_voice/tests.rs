//! What is read out, and to whom.

use super::*;
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{called, outcome_of, requested, shared};
use crate::sinks::tests::build_error;

pub fn check(request: &Request) -> Result<(), String> {
    let twiml = field(request, "Twiml").ok_or("nothing to say")?;
    let text = twiml
        .strip_prefix("<Response><Pause length=\"1\"/><Say voice=\"Polly.")
        .and_then(|rest| rest.split_once("loop=\"2\">"))
        .map(|(_, rest)| rest)
        .and_then(|rest| rest.strip_suffix("</Say></Response>"))
        .ok_or("another instruction")?;
    reader::html(text, &[], "")?;
    match twiml.chars().count() {
        0..=TWIML_CHARS_MAX => Ok(()),
        count => Err(format!("{count} characters")),
    }
}

fn field(request: &Request, name: &str) -> Option<String> {
    let Request::Http(request) = request else { return None };
    form_urlencoded::parse(&request.body).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[test]
fn a_call_reads_the_most_important() {
    let call = requested(&SPEC, SPEC.example, NotificationKind::Opened, &Progress::default());
    insta::assert_snapshot!(field(&call, "Twiml").unwrap(), @r#"<Response><Pause length="1"/><Say voice="Polly.Amy" language="en-GB" loop="2">[P1] rtr1: Host down - 12 items affected. New incident. critical - open - began 2026-11-21 05:00 UTC. rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure).</Say></Response>"#);
    assert_eq!(field(&call, "To").as_deref(), Some("+4915112345678"));
}

#[test]
fn only_what_interrupts_rings() {
    let called = |yaml: &str, kind| called(&SPEC, yaml, kind, &Progress::default());
    for kind in [NotificationKind::Updated, NotificationKind::Acknowledged, NotificationKind::Resolved] {
        assert!(called(SPEC.example, kind).starts_with("skipped"), "{kind:?}");
    }
    let at_end = format!("{}call_at_end: true\n", SPEC.example);
    assert!(called(&at_end, NotificationKind::Resolved).starts_with("POST"));
}

#[test]
fn answers_and_keys() {
    let answer =
        |status, body| outcome_of(&SPEC, SPEC.example, NotificationKind::Opened, &Progress::default(), status, body);
    assert_eq!(answer(201, r#"{"sid":"CA1"}"#), Outcome::Delivered { remote: None, proof: "called CA1".into() });
    let wrong = answer(400, r#"{"code":21211,"message":"The 'To' number is not valid"}"#);
    insta::assert_snapshot!(format!("{wrong:?}"), @r#"Rejected { kind: Rejected, reason: "Twilio answered 400: The 'To' number is not valid 21211" }"#);
    assert!(
        build_error(&SPEC, "{account_sid: AC1, auth_token: t, from: W, to: '+4915112345678'}").starts_with("`from`")
    );
}

#[test]
fn fields_are_those_of_the_published_description() {
    let Some(description) = shared("twilio/twilio_api_v2010.json") else { return };
    let path = &description["paths"]["/2010-04-01/Accounts/{AccountSid}/Calls.json"]["post"];
    let schema = &path["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]["properties"];
    let Request::Http(call) = requested(&SPEC, SPEC.example, NotificationKind::Opened, &Progress::default()) else {
        panic!()
    };
    for (name, _) in form_urlencoded::parse(&call.body) {
        assert!(schema.get(&*name).is_some(), "no `{name}`");
    }
}
