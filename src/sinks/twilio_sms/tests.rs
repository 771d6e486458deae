//! Text messages as Twilio gets them.

use super::*;
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::hostile::is_forbidden;
use crate::sinks::chat::tests::{called, doubt, outcome_of, requested, shared};
use crate::sinks::tests::build_error;

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(request) = request else { return Err("not HTTP".into()) };
    if request.method == "GET" {
        return Ok(());
    }
    let body = field(request.body.as_slice(), "Body").ok_or("no text")?;
    let count = body.encode_utf16().count();
    match count {
        1..=TEXT_CHARS_MAX if !body.contains(is_forbidden) && !body.contains("://") => Ok(()),
        _ => Err(format!("a text of {count}: {body}")),
    }
}

fn field(form: &[u8], name: &str) -> Option<String> {
    form_urlencoded::parse(form).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn text(kind: NotificationKind) -> String {
    let Request::Http(request) = requested(&SPEC, SPEC.example, kind, &Progress::default()) else { panic!() };
    field(&request.body, "Body").unwrap()
}

fn answer(progress: &Progress, status: u16, body: &str) -> Outcome {
    outcome_of(&SPEC, SPEC.example, NotificationKind::Opened, progress, status, body)
}

#[test]
fn the_text_is_short_and_cheap() {
    insta::assert_snapshot!(text(NotificationKind::Opened), @"
    [P1] rtr1: Host down - 12 items affected
    New incident
    critical - open - began 2026-11-21 05:00 UTC
    rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)
    inc-7h3kq0v9zd/1
    ");
    insta::assert_snapshot!(text(NotificationKind::Resolved), @"
    [P1] rtr1: Host down - Resolved after 12m
    Resolved after 12m
    critical - resolved - began 2026-11-21 05:00 UTC - assigned to anna
    rtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)
    inc-7h3kq0v9zd/9
    ");
    assert!(text(NotificationKind::Escalated).is_ascii());
    let skipped = called(&SPEC, SPEC.example, NotificationKind::Updated, &Progress::default());
    assert!(skipped.starts_with("skipped"), "{skipped}");
}

#[test]
fn after_an_unclear_answer_the_last_messages_are_read() {
    let doubt = doubt(0, None);
    insta::assert_snapshot!(called(&SPEC, SPEC.example, NotificationKind::Opened, &doubt), @"GET https://api.twilio.com/2010-04-01/Accounts/AC2a5f1d0c9b8e7f6a5d4c3b2a1f0e9d8c/Messages.json?To=%2B4915112345678&PageSize=100");
    let rows =
        |body: &str| format!(r#"{{"messages":[{{"sid":"SM1","body":"hello"}},{{"sid":"SM2","body":"{body}"}}]}}"#);
    let found = Outcome::Delivered { remote: None, proof: "found SM2".into() };
    assert_eq!(answer(&doubt, 200, &rows("[P1] rtr1\\ninc-7h3kq0v9zd/1")), found);
    let nothing = Outcome::Next { remote: None, step: 0 };
    assert_eq!(answer(&doubt, 200, &rows("[P1] rtr1\\ninc-7h3kq0v9zd/11")), nothing);
    let busy = answer(&doubt, 503, "{}");
    assert!(matches!(busy, Outcome::Retry { is_ambiguous: true, .. }), "{busy:?}");
}

#[test]
fn answers_and_keys() {
    let good = answer(&Progress::default(), 201, r#"{"sid":"SM90c6fc909d8504d45ecdb3a3d5b3556e","status":"queued"}"#);
    assert_eq!(good, Outcome::Delivered { remote: None, proof: "accepted SM90c6fc909d8504d45ecdb3a3d5b3556e".into() });
    let out =
        answer(&Progress::default(), 400, r#"{"code":21610,"message":"Attempt to send to unsubscribed recipient"}"#);
    insta::assert_snapshot!(format!("{out:?}"), @r#"Rejected { kind: Rejected, reason: "Twilio answered 400: Attempt to send to unsubscribed recipient 21610" }"#);
    let denied = answer(
        &Progress::default(),
        401,
        r#"{"code":20003,"message":"Authenticate 7f6e5d4c3b2a19087f6e5d4c3b2a1908"}"#,
    );
    assert!(matches!(&denied, Outcome::Rejected { reason, .. } if reason.contains("<secret>")), "{denied:?}");
    let base = "account_sid: AC1, auth_token: t";
    assert!(build_error(&SPEC, &format!("{{{base}, from: '+15005550006', to: '0151'}}")).starts_with("`to`: expected"));
    assert!(build_error(&SPEC, &format!("{{{base}, to: '+4915112345678'}}")).starts_with("`from`: expected"));
    assert!(build_error(&SPEC, "{account_sid: AC1, from: W, to: '+4915112345678'}").starts_with("`auth_token`"));
}

#[test]
fn fields_are_those_of_the_published_description() {
    let Some(description) = shared("twilio/twilio_api_v2010.json") else { return };
    let path = &description["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages.json"];
    let schema = &path["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]["properties"];
    let Request::Http(request) = requested(&SPEC, SPEC.example, NotificationKind::Opened, &Progress::default()) else {
        panic!()
    };
    for (name, _) in form_urlencoded::parse(&request.body) {
        assert!(schema.get(&*name).is_some(), "no `{name}`");
    }
    let parameters = path["get"]["parameters"].as_array().unwrap();
    for name in ["To", "PageSize"] {
        assert!(parameters.iter().any(|parameter| parameter["name"] == name), "no `{name}`");
    }
}
