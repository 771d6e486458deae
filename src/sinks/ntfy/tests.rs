//! Pushes as ntfy gets them.

use super::*;
use crate::model::NotificationKind;
use crate::render::hostile::reader;
use crate::sinks::chat::tests::{asked, at, json_of, outcome_of};
use crate::sinks::tests::build_error;

pub fn check(request: &Request) -> Result<(), String> {
    let body = json_of(request)?;
    let [title, message] = ["title", "message"].map(|name| body[name].as_str().unwrap_or_default());
    reader::inert(title, "@")?;
    reader::plain(message, "@")?;
    match (title.chars().count(), message.len()) {
        (1..=TITLE_CHARS_MAX, 1..=4_096) if body.get("actions").or(body.get("markdown")).is_none() => Ok(()),
        counts => Err(format!("{counts:?}, or more than text")),
    }
}

#[test]
fn a_push() {
    insta::assert_snapshot!(asked(&SPEC, SPEC.example, NotificationKind::Opened, &at(0, None)), @r#"
    POST https://ntfy.example.org/
    authorization: Bearer tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2

    {
      "click": "https://watchbell.example/incidents/inc-7h3kq0v9zd",
      "message": "New incident\ncritical · open · began 2026-11-21 05:00 UTC\n\nRoot cause\nrtr1 went down first; 11 other items that depend on it followed within 40 s (87 % sure)\n\nImpact\nhigh, urgency high\n2 services: orders, payments\n12 items: rtr1, sw-fra-1, db-3, 9 more\n31 of 31 alerts are firing\n\nService level\nRespond by 2026-11-21 05:15 UTC (gold)\nRestore by 2026-11-21 09:00 UTC (gold)\n\nWhat to do\nKnown error “rtr1 loses its power supply”: Switch rtr1 to the second power feed, then wait two minutes.\nRunbook for Host down: https://wiki.example/runbooks/host-down\n\nEvidence\n05:00 critical rtr1: Host down – rtr1 does not answer to ping (nagios)\n05:00 major db-3: Unreachable – db-3 does not answer to ping (zabbix)\nand 29 more alerts\n\nLinks\nIncident inc-7h3kq0v9zd: https://watchbell.example/incidents/inc-7h3kq0v9zd\nHost down in nagios: https://nagios.example/alerts?host=rtr1&open=1\nUnreachable in zabbix: https://zabbix.example/alerts?host=db-3&open=1\n\nWatchbell, incident inc-7h3kq0v9zd, message 1",
      "priority": 5,
      "tags": [
        "rotating_light"
      ],
      "title": "[P1] rtr1: Host down – 12 items affected",
      "topic": "watchbell-8f2k1"
    }
    "#);
}

#[test]
fn updates_take_the_place_of_what_came_before_where_the_server_can() {
    assert!(asked(&SPEC, SPEC.example, NotificationKind::Updated, &at(0, None)).starts_with("skipped"));
    let yaml = format!("{}updates: true\n", SPEC.example);
    let sequence = |kind| {
        let asked = asked(&SPEC, &yaml, kind, &at(0, None));
        let body: Value = serde_json::from_str(asked.split_once("\n\n").unwrap().1).unwrap();
        assert!(body["sequence_id"].is_string(), "{body}");
        (body["sequence_id"].clone(), body["priority"].clone())
    };
    let [(first, loud), (second, quiet)] = [NotificationKind::Opened, NotificationKind::Updated].map(sequence);
    assert_eq!((first, loud, quiet), (second, 5.into(), 2.into()));
}

#[test]
fn answers_and_keys() {
    let answer = |status, body| outcome_of(&SPEC, SPEC.example, NotificationKind::Opened, &at(0, None), status, body);
    let good = answer(200, r#"{"id":"hwQ2YpKdmg","event":"message"}"#);
    assert_eq!(good, Outcome::Delivered { remote: None, proof: "published hwQ2YpKdmg".into() });
    let denied = answer(403, r#"{"code":40301,"http":403,"error":"forbidden"}"#);
    insta::assert_snapshot!(format!("{denied:?}"), @r#"Rejected { kind: Auth, reason: "ntfy answered 403: forbidden 40301" }"#);
    assert!(build_error(&SPEC, "{topic: 'a/b'}").starts_with("`topic`"));
    assert!(build_error(&SPEC, "{topic: a, user: u}").starts_with("`token`"));
    asked(&SPEC, "{topic: a}", NotificationKind::Opened, &at(0, None));
}
