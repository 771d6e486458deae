//! Events of both versions, their size, and the vendor's own description of them.

use super::super::tests::{firing, mixed, request_of, resolved, retried, sent};
use super::*;

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    let summary = body["payload"]["summary"].as_str().ok_or("no summary")?;
    if summary.is_empty() || summary.chars().count() > SUMMARY_CHARS_MAX {
        return Err(format!("a summary of {} characters", summary.chars().count()));
    }
    if !matches!(body["payload"]["severity"].as_str(), Some("critical" | "error" | "warning" | "info")) {
        return Err(format!("severity {}", body["payload"]["severity"]));
    }
    match (body["dedup_key"].as_str().map(str::len), request.body.len()) {
        (Some(1..=255), ..=EVENT_BYTES_MAX) => Ok(()),
        (key, bytes) => Err(format!("a dedup key of {key:?} bytes in an event of {bytes}")),
    }
}

/// Without the built-in texts, which have tests of their own.
const BARE: &str = "routing_key: R015OMCMG6RLX45D\ndescription: Disk full\nclient: am\nclient_url: https://am.example\n\
                    details: { firing: '2', resolved: '[]', num_firing: '2', num_resolved: '0', a: { b: ['yes', text] } }\n";

#[test]
fn events_of_version_2() {
    let more = "images: [{ src: 'https://i.example/a.png', alt: A }, { alt: dropped }]\nlinks: [{ href: 'https://l.example', text: L }]\n\
                class: c\ncomponent: d\ngroup: g\n";
    insta::assert_snapshot!(sent(&SPEC, &format!("{BARE}{more}"), &firing()), @r#"
    POST https://events.pagerduty.com/v2/enqueue
    content-type: application/json

    {"routing_key":"R015OMCMG6RLX45D","dedup_key":"39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8","event_action":"trigger","payload":{"summary":"Disk full","source":"am","severity":"error","class":"c","component":"d","group":"g","custom_details":{"a":{"b":[true,"text"]},"firing":2,"num_firing":2,"num_resolved":0,"resolved":[]}},"client":"am","client_url":"https://am.example","images":[{"alt":"A","href":"","src":"https://i.example/a.png"}],"links":[{"href":"https://l.example","text":"L"}]}
    "#);
    insta::assert_snapshot!(sent(&SPEC, BARE, &mixed()), @r#"
    POST https://events.pagerduty.com/v2/enqueue
    content-type: application/json

    {"routing_key":"R015OMCMG6RLX45D","dedup_key":"39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8","event_action":"trigger","payload":{"summary":"Disk full","source":"am","severity":"error","custom_details":{"a":{"b":[true,"text"]},"firing":2,"num_firing":2,"num_resolved":0,"resolved":[]}},"client":"am","client_url":"https://am.example"}
    "#);
    insta::assert_snapshot!(sent(&SPEC, BARE, &resolved()), @r#"
    POST https://events.pagerduty.com/v2/enqueue
    content-type: application/json

    {"routing_key":"R015OMCMG6RLX45D","dedup_key":"39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8","event_action":"resolve","payload":{"summary":"Disk full","source":"am","severity":"error","custom_details":{"a":{"b":[true,"text"]},"firing":2,"num_firing":2,"num_resolved":0,"resolved":[]}},"client":"am","client_url":"https://am.example"}
    "#);
}

#[test]
fn events_of_version_1() {
    let yaml = BARE.replace("routing_key", "service_key");
    insta::assert_snapshot!(sent(&SPEC, &yaml, &firing()), @r#"
    POST https://events.pagerduty.com/generic/2010-04-15/create_event.json
    content-type: application/json

    {"service_key":"R015OMCMG6RLX45D","incident_key":"39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8","event_type":"trigger","description":"Disk full","event_action":"","payload":null,"client":"am","client_url":"https://am.example","details":{"a":{"b":[true,"text"]},"firing":2,"num_firing":2,"num_resolved":0,"resolved":[]}}
    "#);
    insta::assert_snapshot!(sent(&SPEC, &yaml, &resolved()), @r#"
    POST https://events.pagerduty.com/generic/2010-04-15/create_event.json
    content-type: application/json

    {"service_key":"R015OMCMG6RLX45D","incident_key":"39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8","event_type":"resolve","description":"Disk full","event_action":"","payload":null,"details":{"a":{"b":[true,"text"]},"firing":2,"num_firing":2,"num_resolved":0,"resolved":[]}}
    "#);
}

#[test]
fn too_large_an_event_goes_out_without_its_details() {
    let of_size = |size: usize| {
        let yaml = format!("{}source: {}\n", BARE, "x".repeat(size));
        let Request::Http(request) = request_of(&SPEC, &yaml, &firing()) else { panic!() };
        (go_json_len(&request.body), String::from_utf8(request.body).unwrap().contains(DETAILS_REMOVED))
    };
    let (len, _) = of_size(1);
    let room = EVENT_BYTES_MAX - len + 1;
    assert_eq!(of_size(room), (EVENT_BYTES_MAX, false));
    assert!(of_size(room + 1).1);
    assert_eq!(go_json_len(r#""<&>""#.as_bytes()), r#""\u003c\u0026\u003e""#.len() + 1);
}

#[test]
fn which_answers_are_tried_again() {
    assert_eq!(retried(&SPEC, BARE), "408 425 429 500-599");
    assert_eq!(retried(&SPEC, &BARE.replace("routing_key", "service_key")), "403 408 425 429 500-599");
}

#[test]
fn events_are_as_the_vendor_describes_them() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/specs/pagerduty/events-v2-openapiv3.json");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let api: Value = serde_json::from_slice(&bytes).unwrap();
    let text = api.to_string();
    for notification in [firing(), mixed(), resolved()] {
        let Request::Http(request) = request_of(&SPEC, SPEC.example, &notification) else { panic!() };
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let fields = body.as_object().unwrap().keys().chain(body["payload"].as_object().unwrap().keys());
        for field in fields {
            assert!(text.contains(&format!("\"{field}\":")), "the vendor knows no `{field}`");
        }
    }
}
