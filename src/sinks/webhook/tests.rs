//! Body, signature and configuration of the generic webhook.

use super::*;
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::{hostile, sample_notification};
use crate::sinks::HttpRequest;
use crate::sinks::tests::{
    attempt, attempt_request, build_error, build_from, http_request, json_answer, json_body, setting,
};

/// Has to be one JSON object; nobody limits its length but the receiver.
pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(request) = request else { return Err("not HTTP".into()) };
    for (name, value) in &request.headers {
        http::HeaderValue::from_str(value.expose()).map_err(|error| format!("{name}: {error}"))?;
    }
    let body: serde_json::Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    if body["data"]["incident"]["id"].is_string() { Ok(()) } else { Err("no incident".into()) }
}

fn header(request: &HttpRequest, name: &str) -> String {
    let found = request.headers.iter().find(|(n, _)| n == name);
    found.map(|(_, value)| value.expose().clone()).unwrap_or_default()
}

fn sent(yaml: &str) -> HttpRequest {
    let sink = build_from(&SPEC, yaml, &setting());
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    http_request(attempt_request(&*sink, &notification, &Progress::default()))
}

#[test]
fn body_is_the_documented_envelope() {
    let body = json_body(&sent(SPEC.example));
    assert_eq!(body["type"], "watchbell.incident.opened");
    assert_eq!(body["timestamp"], "2026-11-21T05:12:00.000Z");
    assert_eq!(body["data"]["number"], 1);
    assert_eq!(body["data"]["reason"], "a critical alert opened the incident");
    assert_eq!(body["data"]["incident"]["root_cause"]["configuration_item"], "rtr1");
}

#[test]
fn signature_is_that_of_the_specification() {
    // The worked example of the Standard Webhooks reference libraries.
    let webhook = Webhook {
        url: Secret::new(String::new()),
        keys: vec![read_secret("secret", &Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())).unwrap()],
        headers: Vec::new(),
    };
    let signature = webhook.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn headers_carry_key_time_and_one_signature_per_secret() {
    let request = sent(SPEC.example);
    assert_eq!(header(&request, "webhook-id"), "inc-7h3kq0v9zd:1:ops/test");
    assert_eq!(header(&request, "idempotency-key"), "inc-7h3kq0v9zd:1:ops/test");
    assert_eq!(header(&request, "webhook-timestamp"), "1795237920");
    assert_eq!(header(&request, "x-team"), "operations");
    assert_eq!(header(&request, "webhook-signature").matches("v1,").count(), 1);
    let rotating = "url: https://hooks.example\nsecrets: [whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, \
                    whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA]\n";
    assert_eq!(header(&sent(rotating), "webhook-signature").matches("v1,").count(), 2);
    assert_eq!(header(&sent("url: https://hooks.example\n"), "webhook-signature"), "");
}

#[test]
fn ids_are_unique_and_without_full_stops() {
    let ids = ["a.1.x", "a:1:x", "a.1.x y", "a.1.x%20y", "ä"].map(webhook_id);
    for (index, id) in ids.iter().enumerate() {
        assert!(id.is_ascii() && !id.contains(['.', ' ']), "{id}");
        assert!(!ids[..index].contains(id), "{id}");
    }
}

#[test]
fn answers() {
    let sink = build_from(&SPEC, SPEC.example, &setting());
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    let progress = Progress::default();
    let outcome = |status| sink.outcome(&attempt(&notification, &progress), &json_answer(status, ""));
    assert_eq!(outcome(204), Outcome::Delivered { remote: None, proof: "answered 204".into() });
    let Outcome::Rejected { reason, .. } = outcome(302) else { panic!() };
    assert_eq!(reason, "the receiver answered 302; configure the address it redirects to");
    let Outcome::Rejected { reason, .. } = outcome(410) else { panic!() };
    assert_eq!(reason, "the receiver answered 410: it wants no more, remove this sink");
}

#[test]
fn configuration_errors_name_the_key_and_hide_the_value() {
    for (yaml, expected) in [
        (
            "url: ftp://hooks.example/s3cret",
            "`url`: expected an address that begins with `https://` or `http://` (its value is not shown)",
        ),
        (
            "url: https://me:s3cret@hooks.example",
            "`url`: expected an address without user and password (its value is not shown)",
        ),
        (
            "url: https://h.example\nsecret: s3cret",
            "`secret`: expected `whsec_` and 24 to 64 bytes in base64 (its value is not shown)",
        ),
        (
            "url: https://h.example\nsecrets: [whsec_czNjcmV0]",
            "`secrets[0]`: expected `whsec_` and 24 to 64 bytes in base64 (its value is not shown)",
        ),
        ("url: https://h.example\nheaders: {Host: x}", "`headers.Host`: this header is set by Watchbell itself"),
        ("url: https://h.example\nheaders: {'X Y': x}", "`headers.X Y`: expected a header name such as `X-Team`"),
        (
            "url: https://h.example\nheaders: {X-Y: \"s3cret\\r\\nZ: 1\"}",
            "`headers.X-Y`: expected visible ASCII characters (its value is not shown)",
        ),
    ] {
        assert_eq!(build_error(&SPEC, yaml), expected);
    }
}
