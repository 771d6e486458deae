//! Tickets: created once, found again, followed to their end.

use super::*;
use crate::model::delivery::Progress;
use crate::model::{Fingerprint, IncidentId, Notification};
use crate::render::{hostile, sample_notification};
use crate::sinks::tests::{
    attempt, attempt_request, build_error, build_from, http_request, json_answer, json_body, setting,
};

const KEY: &str = "fra1:inc-7h3kq0v9zd";
const REMOTE: &str = r#"{"number":"INC0010001","sys_id":"a9e30c7dc61122760116894de7bcc7bd"}"#;

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(request) = request else { return Err("not HTTP".into()) };
    if request.method == "GET" {
        return if request.body.is_empty() { Ok(()) } else { Err("a body".into()) };
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
    for (name, value) in body.as_object().ok_or("not an object")? {
        let text = value.as_str().ok_or_else(|| format!("`{name}` is not text"))?;
        let max = match name.as_str() {
            "short_description" => 160,
            "correlation_id" | "correlation_display" => 100,
            _ => 4_000,
        };
        if text.encode_utf16().count() > max {
            return Err(format!("`{name}` is too long"));
        }
        let lower = text.to_ascii_lowercase();
        if name != "short_description" && (lower.contains("[code") || lower.contains("[/code")) {
            return Err(format!("`{name}` holds an active tag"));
        }
        if text.contains(hostile::is_forbidden) {
            return Err(format!("`{name}` holds control characters"));
        }
    }
    Ok(())
}

fn sink() -> Box<dyn Sink> {
    build_from(&SPEC, SPEC.example, &setting())
}

fn known() -> Progress {
    Progress { remote: Some(REMOTE.into()), ..Progress::default() }
}

fn in_doubt() -> Progress {
    Progress { is_ambiguous: true, ..Progress::default() }
}

fn outcome(kind: NotificationKind, progress: &Progress, status: u16, body: &str) -> Outcome {
    let notification = sample_notification(kind, hostile::now());
    sink().outcome(&attempt(&notification, progress), &json_answer(status, body))
}

#[test]
fn a_new_ticket() {
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    let request = http_request(attempt_request(&*sink(), &notification, &Progress::default()));
    assert_eq!(request.method, "POST");
    assert_eq!(
        request.url.expose(),
        "https://example.service-now.com/api/now/table/incident?sysparm_fields=sys_id,number,correlation_id,state"
    );
    let mut body = json_body(&request);
    body["description"].take();
    insta::assert_json_snapshot!(body, @r#"
    {
      "assignment_group": "287ebd7da9fe198100f92cc8d1d2154e",
      "contact_type": "monitoring",
      "correlation_display": "Watchbell",
      "correlation_id": "fra1:inc-7h3kq0v9zd",
      "description": null,
      "impact": "1",
      "short_description": "[P1] rtr1: Host down – 12 items affected",
      "urgency": "1",
      "work_notes": "New incident\n[P1] rtr1: Host down – 12 items affected\ncritical · open · began 2026-11-21 05:00 UTC\nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)"
    }
    "#);
}

#[test]
fn the_ticket_follows_the_incident() {
    let sink = sink();
    let mut lines = Vec::new();
    for kind in hostile::KINDS {
        let notification = sample_notification(kind, hostile::now());
        let request = http_request(attempt_request(&*sink, &notification, &known()));
        assert_eq!(request.method, "PATCH");
        assert!(
            request.url.expose().contains("/incident/a9e30c7dc61122760116894de7bcc7bd?"),
            "{}",
            request.url.expose()
        );
        let body = json_body(&request);
        assert!(body["assigned_to"].is_null() && body["short_description"].is_null());
        let text = |name: &str| body[name].as_str().unwrap_or("-").to_owned();
        lines.push(format!("{:16} {} {} | {}", kind.as_str(), text("state"), text("close_code"), text("close_notes")));
    }
    insta::assert_snapshot!(lines.join("\n"), @"
    opened           - - | -
    updated          - - | -
    acknowledged     2 - | -
    repeated         - - | -
    escalated        - - | -
    sla_threshold    - - | -
    reopened         2 - | -
    resolved         6 Solution provided | Resolved after 12m
    merged           6 Solution provided | Goes on as inc-4q9w2m7kxe – one fault explains both
    problem_proposed - - | -
    problem_accepted - - | -
    problem_known_error - - | -
    problem_resolved - - | -
    test             - - | -
    ");
}

#[test]
fn a_created_ticket_is_remembered() {
    let reply = format!(
        r#"{{"result":{{"sys_id":"a9e30c7dc61122760116894de7bcc7bd","number":"INC0010001","correlation_id":"{KEY}","state":"1"}}}}"#
    );
    let expected = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "created INC0010001".into() };
    assert_eq!(outcome(NotificationKind::Opened, &Progress::default(), 201, &reply), expected);
}

#[test]
fn a_ticket_that_lost_our_key_is_a_clear_refusal() {
    let reply = r#"{"result":{"sys_id":"a9e30c7dc61122760116894de7bcc7bd","number":"INC0010001"}}"#;
    let Outcome::Rejected { reason, .. } = outcome(NotificationKind::Opened, &Progress::default(), 201, reply) else {
        panic!()
    };
    assert_eq!(
        reason,
        "ServiceNow created INC0010001 but did not keep `correlation_id`: \
         the account needs the right to write and read this field"
    );
}

#[test]
fn doubt_is_settled_by_looking_up() {
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    let request = http_request(attempt_request(&*sink(), &notification, &in_doubt()));
    assert_eq!(request.method, "GET");
    assert_eq!(
        request.url.expose(),
        "https://example.service-now.com/api/now/table/incident\
         ?sysparm_query=correlation_id%3Dfra1%3Ainc-7h3kq0v9zd%5EORDERBYsys_created_on\
         &sysparm_fields=sys_id%2Cnumber%2Ccorrelation_id%2Cstate&sysparm_limit=5"
    );
    let row = |key: &str, id: &str| format!(r#"{{"sys_id":"{id}","number":"INC0010001","correlation_id":"{key}"}}"#);
    let ours = row(KEY, "a9e30c7dc61122760116894de7bcc7bd");
    let foreign = row("", "ffffffffffffffffffffffffffffffff");
    let look_up =
        |rows: &str| outcome(NotificationKind::Opened, &in_doubt(), 200, &format!(r#"{{"result":[{rows}]}}"#));
    let found = Outcome::Next { remote: Some(REMOTE.into()), step: 1 };
    assert_eq!(look_up(&format!("{foreign},{ours}")), found);
    assert_eq!(look_up(""), Outcome::Next { remote: None, step: 1 });
    // An instance that ignores the condition returns other people's tickets.
    assert_eq!(look_up(&foreign), Outcome::Next { remote: None, step: 1 });
}

/// A notification of a group, its key, and rows of tickets with that key: number and state.
fn of_group(kind: NotificationKind, tickets: &[(u32, &str)]) -> (Notification, String) {
    let mut notification = sample_notification(kind, hostile::now());
    notification.incident.id = IncidentId::of_group(Fingerprint(7), 0);
    let key = format!("fra1:{}", notification.incident.id);
    let row = |(number, state): &(u32, &str)| json!({"sys_id": format!("{number:032}"), "number": format!("INC{number}"), "correlation_id": key, "state": state});
    let rows: Vec<Value> = tickets.iter().map(row).collect();
    (notification, json!({ "result": rows }).to_string())
}

#[test]
fn a_group_is_looked_for_before_its_ticket_is_created() {
    let (notification, _) = of_group(NotificationKind::Opened, &[]);
    for progress in [Progress::default(), in_doubt()] {
        let request = http_request(attempt_request(&*sink(), &notification, &progress));
        insta::allow_duplicates! {
            insta::assert_snapshot!(format!("{} {}", request.method, request.url.expose()), @"GET https://example.service-now.com/api/now/table/incident?sysparm_query=correlation_id%3Dfra1%3Agrp-fnppv0h825%5EORDERBYDESCsys_created_on&sysparm_fields=sys_id%2Cnumber%2Ccorrelation_id%2Cstate&sysparm_limit=5");
        }
    }
    let looked = Progress { step: 1, ..Progress::default() };
    assert_eq!(http_request(attempt_request(&*sink(), &notification, &looked)).method, "POST");
    assert_eq!(http_request(attempt_request(&*sink(), &notification, &known())).method, "PATCH");
}

#[test]
fn of_a_group_the_newest_ticket_that_is_open_is_taken() {
    let look_up = |kind, progress: &Progress, tickets: &[(u32, &str)]| {
        let (notification, body) = of_group(kind, tickets);
        match sink().outcome(&attempt(&notification, progress), &json_answer(200, &body)) {
            Outcome::Next { remote: Some(remote), .. } => {
                serde_json::from_str::<Ticket>(&remote).map(|ticket| ticket.number).unwrap()
            }
            Outcome::Next { remote: None, step: 1 } => "none".to_owned(),
            Outcome::Delivered { proof, .. } => proof,
            other => panic!("{other:?}"),
        }
    };
    let (opened, resolved) = (NotificationKind::Opened, NotificationKind::Resolved);
    for progress in [Progress::default(), in_doubt()] {
        assert_eq!(look_up(opened, &progress, &[(3, "7"), (2, "3"), (1, "1")]), "INC2");
        assert_eq!(look_up(opened, &progress, &[(3, "6"), (2, "7"), (1, "8")]), "none");
        assert_eq!(look_up(opened, &progress, &[(1, "")]), "none", "a state that nobody may read");
        assert_eq!(look_up(resolved, &progress, &[(2, "6"), (1, "2")]), "INC1");
        assert_eq!(look_up(resolved, &progress, &[]), "none");
    }
    assert_eq!(look_up(resolved, &in_doubt(), &[(2, "6"), (1, "7")]), "INC2 was resolved already");
    assert_eq!(look_up(resolved, &Progress::default(), &[(2, "6")]), "none", "that was an earlier firing");
}

#[test]
fn after_an_empty_look_up_the_ticket_is_created() {
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    let progress = Progress { step: 1, ..Progress::default() };
    assert_eq!(http_request(attempt_request(&*sink(), &notification, &progress)).method, "POST");
}

#[test]
fn carets_in_the_installations_name_cannot_extend_the_query() {
    let setting = Setting { instance: "a^ORstate=1".into(), ..setting() };
    let sink = build_from(&SPEC, SPEC.example, &setting);
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    let request = http_request(attempt_request(&*sink, &notification, &in_doubt()));
    assert!(request.url.expose().contains("correlation_id%3Da%5E%5EORstate%3D1%3Ainc"), "{}", request.url.expose());
}

#[test]
fn a_sleeping_instance_is_tried_again() {
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    let answer = Response::Http {
        status: 200,
        headers: vec![("content-type".into(), "text/html".into())],
        body: b"<html>Instance Hibernating</html>".to_vec(),
    };
    let outcome = sink().outcome(&attempt(&notification, &Progress::default()), &answer);
    let Outcome::Retry { reason, is_ambiguous: true, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(reason, "ServiceNow answered 200 without JSON: the instance may be asleep");
}

#[test]
fn refusals_repeat_what_the_vendor_says() {
    let said = r#"{"error":{"message":"Operation Failed","detail":"Data Policy Exception: Close code is mandatory"},"status":"failure"}"#;
    let reason = |status, progress: &Progress| match outcome(NotificationKind::Resolved, progress, status, said) {
        Outcome::Rejected { kind, reason } => format!("{kind}: {reason}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        reason(403, &known()),
        "rejected: ServiceNow answered 403: not allowed: Operation Failed Data Policy Exception: Close code is mandatory"
    );
    assert!(reason(401, &known()).starts_with("auth: ServiceNow answered 401: the credentials fail"));
    assert!(reason(404, &known()).starts_with("rejected: ServiceNow answered 404: the ticket was deleted"));
    assert!(reason(404, &Progress::default()).starts_with("rejected: ServiceNow answered 404: Operation"));
}

#[test]
fn a_state_that_the_instance_holds_back_is_noted() {
    let reply = r#"{"result":{"sys_id":"a9e30c7dc61122760116894de7bcc7bd","number":"INC0010001","state":"3"}}"#;
    let Outcome::Delivered { proof, remote } = outcome(NotificationKind::Resolved, &known(), 200, reply) else {
        panic!()
    };
    assert_eq!((proof.as_str(), remote.as_deref()), ("updated INC0010001, its state stayed 3", Some(REMOTE)));
}

#[test]
fn authorization_is_basic_or_bearer() {
    let authorization = |yaml: &str| {
        let sink = build_from(&SPEC, yaml, &setting());
        let notification = sample_notification(NotificationKind::Opened, hostile::now());
        let request = http_request(attempt_request(&*sink, &notification, &Progress::default()));
        request.headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.expose().clone())
    };
    assert_eq!(authorization("{url: https://x.example, user: a, password: b}").as_deref(), Some("Basic YTpi"));
    assert_eq!(authorization("{url: https://x.example, token: t0ken}").as_deref(), Some("Bearer t0ken"));
}

#[test]
fn configuration_errors_name_the_key() {
    for (yaml, expected) in [
        ("{url: https://x.example}", "`user`: expected `user` with `password`, or `token` alone"),
        ("{url: https://x.example, user: a, token: b}", "`user`: expected `user` with `password`, or `token` alone"),
        (
            "{url: https://x.example, token: b, fields: {correlation_id: x}}",
            "`fields.correlation_id`: this field is written by Watchbell itself",
        ),
    ] {
        assert_eq!(build_error(&SPEC, yaml), expected);
    }
}

#[test]
fn calls_are_those_of_the_exported_schema() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/specs/servicenow/table_latest.json");
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let schema: Value = serde_json::from_slice(&bytes).unwrap();
    let notification = sample_notification(NotificationKind::Opened, hostile::now());
    for progress in [Progress::default(), in_doubt(), known()] {
        let request = http_request(attempt_request(&*sink(), &notification, &progress));
        let url = reqwest::Url::parse(request.url.expose()).unwrap();
        let suffix = if progress.remote.is_some() { "/{tableName}/{sys_id}" } else { "/{tableName}" };
        let (_, path) = schema["paths"].as_object().unwrap().iter().find(|(path, _)| path.ends_with(suffix)).unwrap();
        let operation = &path[request.method.to_ascii_lowercase()];
        let known: Vec<&str> =
            operation["parameters"].as_array().unwrap().iter().filter_map(|p| p["name"].as_str()).collect();
        for (name, _) in url.query_pairs() {
            assert!(known.contains(&&*name), "{} does not take `{name}`: {known:?}", request.method);
        }
    }
}
