//! The life of an alert as Opsgenie gets it.

use super::*;
use crate::model::delivery::Progress;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{asked, at, called, json_of, outcome_of, shared};
use crate::sinks::tests::build_error;

const REMOTE: &str = r#"{"alias":"fra1:inc-7h3kq0v9zd"}"#;
const CREATING: &str = r#"{"alias":"fra1:inc-7h3kq0v9zd","request":"43a29c5c-3dbf-4fa4-9c26-f4f71023e120"}"#;
const TAKEN: &str =
    r#"{"result":"Request will be processed","took":0.3,"requestId":"43a29c5c-3dbf-4fa4-9c26-f4f71023e120"}"#;

pub fn check(request: &Request) -> Result<(), String> {
    let Request::Http(http) = request else { return Err("not HTTP".into()) };
    if http.method == "GET" {
        return Ok(());
    }
    let body = json_of(request)?;
    for (name, max) in [("message", 130), ("description", 15_000), ("note", 25_000), ("entity", 512), ("alias", 512)] {
        let Some(text) = body[name].as_str() else { continue };
        if text.encode_utf16().count() > max || name != "entity" && text.is_empty() {
            return Err(format!("`{name}` of {}", text.len()));
        }
        if text.contains('<') && name != "entity" {
            return Err(format!("HTML in `{name}`"));
        }
        if matches!(name, "description" | "note") {
            reader::plain(text, "@")?;
        }
    }
    Ok(())
}

fn answer(kind: NotificationKind, progress: &Progress, status: u16, body: &str) -> Outcome {
    outcome_of(&SPEC, SPEC.example, kind, progress, status, body)
}

#[test]
fn an_alert_is_created_and_the_creation_checked() {
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(0, None)), @r#"
    POST https://api.opsgenie.com/v2/alerts
    authorization: GenieKey eb243592-faa2-4ba2-a551q-1afdf565c889

    {
      "alias": "fra1:inc-7h3kq0v9zd",
      "description": "New incident\ncritical · open · began 2026-11-21 05:00 UTC\n\nRoot cause\nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)\n\nImpact\nhigh, urgency high\n2 services: orders, payments\n12 items: rtr1, sw-fra-1, db-3, 9 more\n31 of 31 alerts are firing\n\nService level\nRespond by 2026-11-21 05:15 UTC (gold)\nRestore by 2026-11-21 09:00 UTC (gold)\n\nWhat to do\nKnown error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.\nRunbook for Host down: https://wiki.example/runbooks/host-down\n\nEvidence\n05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)\n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)\nand 29 more alerts\n\nLinks\nIncident inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd\nHost down in nagios: https://nagios.example/alerts?host=rtr1&open=1\nUnreachable in zabbix: https://zabbix.example/alerts?host=db-3&open=1\n\nWatchbell, incident inc-7h3kq0v9zd, message 1",
      "details": {
        "incident": "inc-7h3kq0v9zd",
        "url": "https://watchbell.example/incidents/inc-7h3kq0v9zd"
      },
      "entity": "rtr1",
      "message": "[P1] rtr1: Host down – 12 items affected",
      "priority": "P1",
      "responders": [
        {
          "name": "operations",
          "type": "team"
        }
      ],
      "source": "Watchbell",
      "tags": [
        "watchbell"
      ]
    }
    "#);
    let check = Outcome::Next { remote: Some(CREATING.into()), step: CHECK };
    assert_eq!(answer(NotificationKind::Opened, &at(0, None), 202, TAKEN), check);
    let checking = at(CHECK, Some(CREATING));
    insta::assert_snapshot!(called(&SPEC, SPEC.example, NotificationKind::Opened, &checking), @"GET https://api.opsgenie.com/v2/alerts/requests/43a29c5c-3dbf-4fa4-9c26-f4f71023e120");
    let waiting = answer(NotificationKind::Opened, &checking, 404, r#"{"message":"not found"}"#);
    assert!(matches!(waiting, Outcome::Retry { after_ms: Some(CHECK_AFTER_MS), .. }), "{waiting:?}");
    let done = r#"{"data":{"success":true,"isSuccess":true,"status":"Created alert","alertId":"8743a1b2","alias":"fra1:inc-7h3kq0v9zd"}}"#;
    let created = Outcome::Delivered { remote: Some(REMOTE.into()), proof: "created 8743a1b2".into() };
    assert_eq!(answer(NotificationKind::Opened, &checking, 200, done), created);
    let failed = r#"{"data":{"success":false,"isSuccess":false,"status":"Team [operations] does not exist"}}"#;
    insta::assert_snapshot!(format!("{:?}", answer(NotificationKind::Opened, &checking, 200, failed)), @r#"Rejected { kind: Rejected, reason: "Opsgenie did not create the alert: Team [operations] does not exist" }"#);
}

/// All calls of one news on an alert that is known, in order.
fn conversation(kind: NotificationKind, remote: Option<&str>) -> Vec<String> {
    let mut progress = at(0, remote);
    let mut calls = Vec::new();
    while calls.len() < 9 {
        let call = called(&SPEC, SPEC.example, kind, &progress);
        calls.push(call.replace("https://api.opsgenie.com/v2/alerts", "").replace("?identifierType=alias", ""));
        let is_check = call.contains("/requests/");
        let body = if is_check { r#"{"data":{"isSuccess":true,"alias":"fra1:inc-7h3kq0v9zd"}}"# } else { TAKEN };
        match answer(kind, &progress, if is_check { 200 } else { 202 }, body) {
            Outcome::Next { remote, step } => {
                progress = Progress { remote: remote.or(progress.remote), step, ..Progress::default() }
            }
            Outcome::Delivered { remote, .. } => {
                assert_eq!(remote.as_deref(), Some(REMOTE), "{kind:?}");
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    calls
}

#[test]
fn news_is_told_to_the_alert_that_is_there() {
    let mut told = String::new();
    for kind in [
        NotificationKind::Updated,
        NotificationKind::PriorityRaised,
        NotificationKind::Escalated,
        NotificationKind::Acknowledged,
        NotificationKind::ProblemAccepted,
        NotificationKind::Reopened,
        NotificationKind::Resolved,
    ] {
        told.push_str(&format!("{kind:?}: {}\n", conversation(kind, Some(REMOTE)).join(", ")));
    }
    told.push_str(&format!("without an alert: {}\n", conversation(NotificationKind::Acknowledged, None).join(", ")));
    insta::assert_snapshot!(told, @"
    Updated: PUT /fra1:inc-7h3kq0v9zd/priority, PUT /fra1:inc-7h3kq0v9zd/description
    PriorityRaised: PUT /fra1:inc-7h3kq0v9zd/priority, PUT /fra1:inc-7h3kq0v9zd/description, POST /fra1:inc-7h3kq0v9zd/notes
    Escalated: PUT /fra1:inc-7h3kq0v9zd/description, POST /fra1:inc-7h3kq0v9zd/notes
    Acknowledged: POST /fra1:inc-7h3kq0v9zd/acknowledge
    ProblemAccepted: POST /fra1:inc-7h3kq0v9zd/notes
    Reopened: POST , GET /requests/43a29c5c-3dbf-4fa4-9c26-f4f71023e120
    Resolved: POST /fra1:inc-7h3kq0v9zd/close
    without an alert: POST , GET /requests/43a29c5c-3dbf-4fa4-9c26-f4f71023e120, POST /fra1:inc-7h3kq0v9zd/acknowledge
    ");
    let problem = called(&SPEC, SPEC.example, NotificationKind::ProblemAccepted, &at(0, None));
    assert!(problem.starts_with("skipped"), "{problem}");
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Resolved, &at(0, Some(REMOTE))), @r#"
    POST https://api.opsgenie.com/v2/alerts/fra1:inc-7h3kq0v9zd/close?identifierType=alias
    authorization: GenieKey eb243592-faa2-4ba2-a551q-1afdf565c889

    {
      "note": "Resolved after 12m\ncritical · resolved · began 2026-11-21 05:00 UTC · assigned to anna",
      "source": "Watchbell"
    }
    "#);
}

#[test]
fn answers_and_keys() {
    let invalid = answer(
        NotificationKind::Opened,
        &at(0, None),
        422,
        r#"{"message":"Request body is not processable","took":0.1}"#,
    );
    insta::assert_snapshot!(format!("{invalid:?}"), @r#"Rejected { kind: Rejected, reason: "Opsgenie answered 422: Request body is not processable" }"#);
    let error = build_error(&SPEC, "{api_key: k, responders: [{type: team}]}");
    assert!(error.starts_with("`responders[0]`: expected one of"), "{error}");
}

#[test]
fn calls_are_those_of_the_published_description() {
    let Some(description) = shared("opsgenie/swagger.json") else { return };
    for kind in [NotificationKind::PriorityRaised, NotificationKind::Acknowledged, NotificationKind::Resolved] {
        for call in conversation(kind, Some(REMOTE)) {
            let (method, path) = call.split_once(' ').unwrap();
            let path = format!("/v2/alerts{}", path.replace("fra1:inc-7h3kq0v9zd", "{identifier}"));
            assert!(description["paths"][&path][method.to_lowercase()].is_object(), "{method} {path}");
        }
    }
    let asked = asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(0, None));
    let body: Value = serde_json::from_str(asked.split_once("\n\n").unwrap().1).unwrap();
    let definitions = &description["definitions"];
    let known = format!("{}{}", definitions["CreateAlertPayload"], definitions["AlertActionPayload"]);
    for name in body.as_object().unwrap().keys() {
        assert!(known.contains(&format!("\"{name}\":")), "no `{name}`");
    }
}
