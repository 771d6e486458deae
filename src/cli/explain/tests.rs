//! The story as people read it, from what the API answers.

use serde_json::{Value, json};

use super::{Known, story};
use crate::model::Timestamp;

fn told(known: Known) -> String {
    let now: Timestamp = "2026-11-21T05:12:00Z".parse().unwrap();
    let mut out = anstream::StripStream::new(Vec::new());
    story::tell(&known.understand().unwrap(), now, &mut out).unwrap();
    String::from_utf8(out.into_inner()).unwrap()
}

fn incident() -> Value {
    json!({
        "id": "inc-7h3kq0v9zd", "state": "acknowledged", "title": "rtr1: Host down", "priority": "P1", "impact": "high",
        "urgency": "high", "severity": "critical", "started_at": "2026-11-21T05:00:00Z",
        "opened_at": "2026-11-21T05:00:01Z", "updated_at": "2026-11-21T05:03:00Z",
        "acknowledged_at": "2026-11-21T05:03:00Z", "acknowledged_by": "anna", "alert_count": 31, "firing_count": 30,
        "configuration_item_count": 12, "services": ["orders", "payments"],
        "routed": { "receivers": ["ops", "network"], "escalation_policy": "primary", "path": "team=\"network\"",
            "group_wait_ms": 0, "group_interval_ms": 0, "repeat_interval_ms": 0 },
        "root_cause": { "configuration_item": "rtr1", "alerts": ["9f2c5d1e7a3b4c60"],
            "why": "11 items that depend on it followed within 40 s", "confidence_percent": 87, "candidates": [
                { "configuration_item": "rtr1", "score": 1450, "terms": [["own alerts", 1000], ["explains its dependants", 400], ["changed shortly before", 50]] },
                { "configuration_item": "db-3", "score": -20, "terms": [["own alerts", 480], ["explained by its dependencies", -500]] },
            ] },
        "clocks": [{ "sla": "gold", "target": "respond", "within": "15m", "started_at": "2026-11-21T05:00:01Z",
            "met_at": "2026-11-21T05:03:00Z" }],
        "split_into": ["inc-7h3kq0v9ze"],
        "split_suggestion": { "began_at": "2026-11-21T05:09:00Z", "alerts": ["9f2c5d1e7a3b4c60", "03aa71be5520cd94"],
            "why": "2 alerts that came together after a time of quiet may be another fault",
            "command": "watchbell split inc-7h3kq0v9zd --alerts 9f2c5d1e7a3b4c60,03aa71be5520cd94" },
    })
}

fn delivery(number: u32, sink: &str, kind: &str, state: Value) -> Value {
    let at = format!("2026-11-21T05:0{number}:00Z");
    let mut delivery = json!({
        "id": format!("inc-7h3kq0v9zd.{number}.{sink}"), "incident": "inc-7h3kq0v9zd", "sink": sink, "receiver": "ops",
        "attempts": number, "due_at": at, "created_at": at,
        "notification": { "id": format!("inc-7h3kq0v9zd.{number}"), "number": number, "kind": kind, "at": at,
            "reason": "a critical alert opened the incident", "incident": {
                "id": "inc-7h3kq0v9zd", "state": "open", "title": "", "priority": "P1", "impact": "high", "urgency": "high",
                "severity": "critical", "started_at": at, "opened_at": at, "services": [], "configuration_items": [],
                "configuration_item_count": 1, "alerts": [], "alert_count": 1, "firing_count": 1, "clocks": [] } },
    });
    for (key, value) in state.as_object().unwrap() {
        delivery[key] = value.clone();
    }
    delivery
}

fn entry(at: &str, by: &str, text: &str, alert: Option<&str>) -> Value {
    let mut entry = json!({ "at": format!("2026-11-21T{at}Z"), "kind": "notified", "by": by, "text": text });
    if let Some(alert) = alert {
        entry["alert"] = alert.into();
    }
    entry
}

fn alert() -> Value {
    json!({
        "number": 3, "fingerprint": "9f2c5d1e7a3b4c60", "source": "nagios", "dedup_key": "rtr1", "name": "host check",
        "severity": "critical", "status": "firing", "configuration_item": "rtr1", "started_at": "2026-11-21T05:00:00Z",
        "fired_at": "2026-11-21T05:00:00Z", "last_seen_at": "2026-11-21T05:00:00Z", "opened_by": "e1", "event_count": 2,
        "annotations": { "summary": "rtr1 is DOWN" }, "placed_by": "ada",
    })
}

#[test]
fn an_incident_is_told_from_the_answer_to_the_evidence() {
    let known = Known {
        incident: Some(incident()),
        alerts: vec![alert()],
        deliveries: vec![
            delivery(
                3,
                "ops/mail",
                "acknowledged",
                json!({ "state": "superseded", "by": "inc-7h3kq0v9zd.4.ops/mail" }),
            ),
            delivery(2, "ops/mail", "opened", json!({ "state": "delivered", "proof": "250 queued" })),
            delivery(
                1,
                "ops/slack",
                "opened",
                json!({ "state": "exhausted", "reason": "invalid_auth",
                "fallback": "inc-7h3kq0v9zd.2.ops/mail" }),
            ),
        ],
        incident_timeline: vec![
            entry("05:00:01", "correlate", "opened by host check on rtr1", Some("9f2c5d1e7a3b4c60")),
            entry("05:00:02", "root_cause", "root cause is rtr1\u{1b}[2J", None),
        ],
        ..Known::default()
    };
    insta::assert_snapshot!(told(known), @r#"
    incident inc-7h3kq0v9zd: rtr1: Host down
      why         people were told: a critical alert opened the incident
      state       acknowledged by anna; opened 11m 59s ago, 31 alerts (30 firing) on 12 configuration items, services orders, payments
      priority    P1 = impact high × urgency high
      root cause  rtr1: 11 items that depend on it followed within 40 s (confidence 87 %)
      routed to   ops, network, escalation policy primary by team="network"
      SLA         gold respond: due 2026-11-21 05:15:01, met
      alerts to   inc-7h3kq0v9ze
      suggestion  2 alerts that came together after a time of quiet may be another fault
      follow it   watchbell split inc-7h3kq0v9zd --alerts 9f2c5d1e7a3b4c60,03aa71be5520cd94

    candidates for the root cause
      rtr1  1.450   = +1.000 own alerts  +0.400 explains its dependants  +0.050 changed shortly before
      db-3  -0.020  = +0.480 own alerts  -0.500 explained by its dependencies

    who was told
      2026-11-21 05:01:00  ops/slack  opened        given up: invalid_auth; sent as inc-7h3kq0v9zd.2.ops/mail instead
      2026-11-21 05:02:00  ops/mail   opened        delivered: 250 queued, try 2
      2026-11-21 05:03:00  ops/mail   acknowledged  superseded by inc-7h3kq0v9zd.4.ops/mail

    alerts, newest first (30 more)
      9f2c5d1e7a3b4c60  critical  firing  rtr1  rtr1 is DOWN

    timeline (UTC)
      2026-11-21 05:00:01  correlate   opened by host check on rtr1
      2026-11-21 05:00:02  root_cause  root cause is rtr1 [2J
    "#);
}

#[test]
fn an_alert_is_told_without_the_others_of_its_incident() {
    let mut with_incident = alert();
    with_incident["incident"] = "inc-7h3kq0v9zd".into();
    let mut muted = incident();
    muted["notifying"] = json!({ "muted": "silence sil-1 by bob until 06:00: firmware" });
    let own = entry("05:00:00", "flap", "changed 6 times in 10m", Some("9f2c5d1e7a3b4c60"));
    let known = Known {
        alert: Some(with_incident),
        alert_timeline: vec![own.clone()],
        incident: Some(muted),
        incident_timeline: vec![
            own,
            entry("05:00:05", "correlate", "joined by another one", Some("03aa71be5520cd94")),
            entry("05:00:06", "group", "nobody is told", None),
        ],
        ..Known::default()
    };
    let told = told(known);
    assert!(told.contains("  why         nobody is told: silence sil-1 by bob until 06:00: firmware\n"), "{told}");
    let timeline = told.split("timeline (UTC)\n").nth(1).unwrap();
    assert_eq!(
        timeline,
        "  2026-11-21 05:00:00  flap   changed 6 times in 10m\n  2026-11-21 05:00:06  group  nobody is told\n"
    );
}

#[test]
fn an_event_that_led_to_nothing_says_so() {
    let event = json!({
        "id": "e-9", "at": "2026-11-21T05:00:00Z", "received_at": "2026-11-21T05:00:01Z", "source": "nagios",
        "status": "commented", "name": "host check", "dedup_key": "web2", "severity": "info",
        "configuration_item": "web2", "marker": "downtime_started", "note": "rack move",
    });
    insta::assert_snapshot!(told(Known { event: Some(event), ..Known::default() }), @"
    event e-9: host check
      source  nagios
      said    commented
      about   web2
      at      2026-11-21 05:00:00, received 2026-11-21 05:00:01
      note    rack move
      became  no alert: it begins or ends a maintenance window

    no incident
      why  nobody was told: no alert came of it
    ");
}

fn group() -> Value {
    json!({
        "id": "grp-aaaaaaaaaa", "receiver": "ops", "route": "{}/{severity=\"critical\"}", "labels": { "site": "fra1" },
        "alerts": [{ "fingerprint": "9f2c5d1e7a3b4c60", "status": "firing" },
            { "fingerprint": "03aa71be5520cd94", "status": "firing", "muted_by": "silence sil-1 by bob: firmware" }],
        "alert_count": 2, "flushed_at": "2026-11-21T05:01:00Z", "flush_at": "2026-11-21T05:16:00Z",
    })
}

fn in_group() -> Known {
    let id = serde_json::to_value(crate::model::IncidentId::of_group(crate::model::Fingerprint(7), 0)).unwrap();
    let mut group = group();
    group["id"] = id.clone();
    Known { groups: vec![group], group_ids: vec![id.as_str().unwrap().to_owned()], ..Known::default() }
}

#[test]
fn a_group_says_who_heard_of_it_and_when_it_is_looked_at_next() {
    let mut known = in_group();
    let mut heard = delivery(1, "ops/slack", "opened", json!({ "state": "delivered", "proof": "200" }));
    heard["notification"]["reason"] = "first notification".into();
    known.deliveries = vec![heard];
    known.group_timeline = vec![entry("05:01:00", "dispatch", "ops: first notification, 1 alert", None)];
    insta::assert_snapshot!(told(known), @r#"
    group grp-fnppv0h825: site=fra1
      why        people were told: first notification
      receiver   ops by {}/{severity="critical"}
      alerts     2 alerts, 1 muted
      looked at  2026-11-21 05:01:00, next time at 2026-11-21 05:16:00

    who was told
      2026-11-21 05:01:00  ops/slack  opened  delivered: 200

    timeline (UTC)
      2026-11-21 05:01:00  dispatch  ops: first notification, 1 alert
    "#);
}

#[test]
fn an_alert_that_a_group_keeps_quiet_says_what_keeps_it() {
    let mut known = in_group();
    let mut quiet = alert();
    quiet["fingerprint"] = "03aa71be5520cd94".into();
    known.alert = Some(quiet);
    let told = told(known);
    assert!(told.contains("  why        nobody is told: silence sil-1 by bob: firmware\n"), "{told}");
}
