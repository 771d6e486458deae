//! Rows for the suite: every field that can be there is there, so that a round trip loses none unseen.

use std::sync::Arc;

use serde_json::json;

use crate::engine::inhibit::Eyes;
use crate::engine::state::{Changes, Fact};
use crate::model::audit::AuditEntry;
use crate::model::incident_id::sample_id;
use crate::model::problem::{ProblemId, ProblemState};
use crate::model::{
    Alert, Change, ChangeKind, ChangeState, Delivery, Fingerprint, Incident, IncidentId, PastFiring, Problem,
    TimelineEntry, Timestamp,
};
use crate::store::{Commit, FiringQuery, JournalRow, PageQuery, QuarantineRow, Rows, Subject};

/// 2026-11-21T05:00:00Z, where the suite's time begins.
const START_MS: i64 = 1_795_237_200_000;

pub(super) fn minute(minutes: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + minutes * 60_000)
}

pub(super) fn incident_id(name: &str) -> IncidentId {
    sample_id(name)
}

pub(super) fn events(at: i64, id: &str) -> JournalRow {
    let payload = json!({"input": "events", "events": [{
        "id": id, "at": minute(at), "received_at": minute(at), "source": "prod-zabbix", "status": "firing",
        "name": "Disk full", "dedup_key": "db-3/disk", "severity": "critical",
        "extra": {"id": format!("quoted-in-{id}")},
    }]});
    let payload = serde_json::to_vec(&payload).unwrap();
    JournalRow { at: minute(at), kind: "events", source: Some("prod-zabbix".into()), payload }
}

pub(super) fn tick(at: i64) -> JournalRow {
    JournalRow { at: minute(at), kind: "tick", source: None, payload: br#"{"input":"tick"}"#.to_vec() }
}

/// Firing, in no incident, last seen in the minute of its number.
pub(super) fn alert(number: u64) -> Alert {
    let seen = minute(number as i64);
    serde_json::from_value(json!({
        "number": number, "fingerprint": Fingerprint::of([number.to_string().as_str()]), "source": "prod-zabbix",
        "dedup_key": format!("host-{number}/disk"), "name": "Disk full", "severity": "critical", "status": "firing",
        "configuration_item": format!("host-{number}"), "service": "orders", "labels": {"site": "fra1"},
        "annotations": {"summary": "„/\" is at 97 % – 磁盘"}, "url": "https://zabbix.example/1",
        "started_at": seen, "fired_at": seen, "last_seen_at": seen, "expires_at": minute(900),
        "opened_by": format!("event-{number}"), "event_count": 3,
        "flap": {"is_flapping": true, "is_from_source": true, "changed_at": [seen]}, "marker": "soft", "placed_by": "ada",
    }))
    .unwrap()
}

pub(super) fn resolved(mut alert: Alert, at: i64) -> Alert {
    alert.status = crate::model::AlertStatus::Resolved;
    alert.resolved_at = Some(minute(at));
    alert
}

/// A firing of the alert with this number that its row tells of.
pub(super) fn past(number: u64, from: i64, until: i64) -> PastFiring {
    PastFiring { number, from: minute(from), until: minute(until), groups: Vec::new(), alert: None }
}

pub(super) fn firings(from: i64, until: i64, page: PageQuery) -> FiringQuery {
    let (matchers, eyes) = (Vec::new(), Eyes::default());
    FiringQuery { from: minute(from), until: minute(until), matchers, eyes, source: None, page }
}

pub(super) fn incident(id: &str, state: &str, opened_at: i64) -> Incident {
    serde_json::from_value(json!({
        "id": incident_id(id), "state": state, "title": "Disk full on db-3", "priority": "P2", "impact": "high",
        "urgency": "medium", "severity": "critical", "started_at": minute(opened_at),
        "opened_at": minute(opened_at), "updated_at": minute(opened_at), "acknowledged_by": "ada",
        "root_cause": {"configuration_item": "db-3", "alerts": ["00000000000000ff"], "why": "it was first",
            "confidence_percent": 80, "candidates": [{"configuration_item": "db-3", "score": 900, "terms": [["local", 900]]}]},
        "alert_count": 2, "firing_count": 1, "configuration_items": ["db-3"], "configuration_item_count": 1,
        "services": ["orders"],
        "routed": {"receivers": ["ops"], "escalation_policy": "primary", "path": "/", "group_wait_ms": 1,
            "group_interval_ms": 2, "repeat_interval_ms": 3},
        "notifying": {"flush_at": minute(5)}, "escalating": {"policy": "primary", "due_at": minute(9)}, "escalated_levels": 1,
        "clocks": [{"sla": "gold", "target": "respond", "within": "15m", "started_at": minute(0)}],
        "remotes": {"ops/slack": "{\"ts\":\"1\"}"}, "audience": ["ops/slack"], "notification_count": 2,
        "problem": "prb-1", "merged_from": [incident_id("inc-older")],
        "split_from": [incident_id("inc-older")], "split_into": [incident_id("inc-b")], "split_by": "ada",
        "split_suggestion": {"began_at": minute(2), "alerts": ["00000000000000ff"], "why": "quiet", "command": "split"},
    }))
    .unwrap()
}

pub(super) fn merged(id: &str, into: &str) -> Incident {
    Incident { merged_into: Some(incident_id(into)), ..incident(id, "merged", 0) }
}

pub(super) fn problem(id: &str, created_at: i64) -> Problem {
    serde_json::from_value(json!({
        "id": id, "state": "known_error", "title": "db-3 fills up",
        "signature": {"root": "db-3", "kind": "database", "families": ["Disk full"]},
        "incidents": [incident_id("inc-a")], "incident_count": 3, "last_seen_at": minute(created_at),
        "created_by": "watchbell", "created_at": minute(created_at), "updated_at": minute(created_at), "assignee": "eve",
        "root_cause_analysis": "nothing rotates them", "workaround": "rotate the logs", "note": "old",
        "accepted_at": minute(1), "accepted_by": "ada", "analysed_at": minute(2), "known_error_at": minute(3),
        "resolved_at": minute(4), "resolved_by": "ada", "reopened_at": minute(5), "rejected_at": minute(0),
        "rejected_by": "bob", "merged_at": minute(6), "merged_from": ["prb-0"], "unlinked": [incident_id("inc-b")],
        "untold": "problem_resolved",
    }))
    .unwrap()
}

pub(super) fn resolved_problem(id: &str) -> Problem {
    Problem { state: ProblemState::Resolved, ..problem(id, 0) }
}

pub(super) fn merged_problem(id: &str, into: &str) -> Problem {
    let merged_into = Some(ProblemId(into.into()));
    Problem { state: ProblemState::Merged, merged_into, ..problem(id, 0) }
}

pub(super) fn about_problem(at: i64, id: &str, text: &str) -> TimelineEntry {
    TimelineEntry { problem: Some(ProblemId(id.into())), ..entry(at, None, None, text) }
}

pub(super) fn of_problem(id: &str) -> Subject {
    Subject::Problem(ProblemId(id.into()))
}

/// The name that makes this id, of those the suite uses.
pub(super) fn name_of(id: IncidentId) -> &'static str {
    const NAMES: [&str; 9] = ["inc-a", "inc-b", "inc-c", "inc-d", "inc-e", "inc-f", "inc-live", "inc-old", "inc-young"];
    NAMES.into_iter().find(|name| incident_id(name) == id).unwrap_or("inc-?")
}

/// `inc-a.1.ops/slack` → the id of that delivery of incident `inc-a`; other texts stay.
pub(super) fn delivery_id(text: &str) -> String {
    text.split_once('.').map_or(text.to_owned(), |(incident, rest)| format!("{}.{rest}", incident_id(incident)))
}

/// Pending, made in minute `created_at`, due one minute later.
pub(super) fn delivery(id: &str, incident: &str, created_at: i64) -> Delivery {
    serde_json::from_value(json!({
        "id": delivery_id(id), "incident": incident_id(incident), "sink": "ops/slack", "receiver": "ops", "state": "pending", "attempts": 2,
        "due_at": minute(created_at + 1), "created_at": minute(created_at),
        "progress": {"remote": "{\"ts\":\"1\"}", "step": 1, "is_ambiguous": true}, "last_error": "timeout",
        "fallback_for": delivery_id("inc-a.1.ops/mail"),
        "notification": {"id": format!("{}.1", incident_id(incident)), "number": 1, "kind": "opened", "at": minute(created_at),
            "reason": "it opened", "incident": {"id": incident_id(incident), "state": "open", "title": "Disk full on db-3",
                "priority": "P2", "impact": "high", "urgency": "medium", "severity": "critical",
                "started_at": minute(0), "opened_at": minute(0), "services": ["orders"],
                "configuration_items": ["db-3"], "configuration_item_count": 1, "alerts": [], "alert_count": 1,
                "firing_count": 1, "clocks": []}},
    }))
    .unwrap()
}

pub(super) fn in_state(mut delivery: Delivery, state: serde_json::Value, finished_at: i64) -> Delivery {
    delivery.state = serde_json::from_value(state).unwrap();
    delivery.finished_at = Some(minute(finished_at));
    delivery
}

pub(super) fn entry(at: i64, incident: Option<&str>, alert: Option<&Alert>, text: &str) -> TimelineEntry {
    TimelineEntry {
        at: minute(at),
        kind: crate::model::timeline::TimelineKind::AlertResolved,
        incident: incident.map(incident_id),
        alert: alert.map(|alert| alert.fingerprint),
        problem: None,
        by: "dedup".into(),
        text: text.into(),
    }
}

pub(super) fn audit(at: i64) -> AuditEntry {
    AuditEntry {
        at: minute(at),
        principal: "ada".into(),
        action: "incident.acknowledge".into(),
        subject: format!("inc-{at}"),
        outcome: "done".into(),
    }
}

/// A change that began at `at` and was over a minute later.
pub(super) fn change(id: &str, at: i64) -> Change {
    Change {
        id: id.into(),
        at: minute(at),
        received_at: minute(at),
        source: "ci".into(),
        kind: ChangeKind::Deploy,
        state: ChangeState::Succeeded,
        state_at: Some(minute(at + 1)),
        configuration_item: Some("shop-web".into()),
        service: Some("shop".into()),
        reference: Some("v1.4.2".into()),
        summary: "New checkout".into(),
        author: Some("ada".into()),
        url: Some("https://ci.lab.example/417".into()),
    }
}

pub(super) fn quarantined(at: i64) -> QuarantineRow {
    QuarantineRow {
        at: minute(at),
        source: "prod-zabbix".into(),
        reason: "body is no JSON".into(),
        body: vec![0xff, 0],
    }
}

/// As the engine keeps one that begins in minute `starts_at`.
pub(super) fn silence(id: &str, starts_at: i64) -> serde_json::Value {
    json!({"id": id, "matchers": ["team=\"ops\""], "starts_at": minute(starts_at), "ends_at": minute(starts_at + 60),
        "created_by": "ada", "comment": "firmware"})
}

pub(super) fn fact(key: &str, value: Option<serde_json::Value>) -> Fact {
    Fact { kind: "silence", key: key.into(), value }
}

pub(super) fn journal(rows: impl IntoIterator<Item = JournalRow>) -> Commit {
    Commit { journal: rows.into_iter().collect(), ..Commit::default() }
}

pub(super) fn changes(changes: Changes) -> Commit {
    Commit { rows: Some(Rows { changes, ..Rows::default() }), ..Commit::default() }
}

pub(super) fn shared<T>(rows: impl IntoIterator<Item = (T, bool)>) -> Vec<(Arc<T>, bool)> {
    rows.into_iter().map(|(row, is_live)| (Arc::new(row), is_live)).collect()
}

/// Rows of a commit with something said beside them.
pub(super) fn said(commit: Commit, timeline: impl IntoIterator<Item = TimelineEntry>) -> Commit {
    let rows = Rows { timeline: timeline.into_iter().collect(), ..commit.rows.unwrap_or_default() };
    Commit { rows: Some(rows), ..commit }
}

pub(super) fn alerts(alerts: impl IntoIterator<Item = (Alert, bool)>) -> Commit {
    changes(Changes { alerts: shared(alerts), ..Changes::default() })
}

pub(super) fn incidents(incidents: impl IntoIterator<Item = (Incident, bool)>) -> Commit {
    changes(Changes { incidents: shared(incidents), ..Changes::default() })
}

pub(super) fn deliveries(deliveries: impl IntoIterator<Item = Delivery>) -> Commit {
    changes(Changes { deliveries: deliveries.into_iter().collect(), ..Changes::default() })
}

pub(super) fn timeline(timeline: impl IntoIterator<Item = TimelineEntry>) -> Commit {
    said(Commit::default(), timeline)
}

/// One row of every kind.
pub(in crate::store) fn everything() -> Commit {
    Commit {
        journal: vec![events(0, "event-1"), tick(1)],
        rows: Some(Rows {
            changes: Changes {
                alerts: shared([(alert(1), true), (resolved(alert(2), 5), false)]),
                incidents: shared([(incident("inc-a", "open", 0), true), (incident("inc-b", "closed", 1), false)]),
                problems: vec![problem("prb-1", 0)],
                deliveries: vec![
                    delivery("inc-a.1.ops/slack", "inc-a", 0),
                    in_state(
                        delivery("inc-a.0.ops/slack", "inc-a", 0),
                        json!({"state": "delivered", "proof": "200"}),
                        2,
                    ),
                ],
                told: vec![change("c-1", 0)],
                firings: vec![past(2, 2, 5)],
                facts: vec![fact("s-1", Some(json!({"comment": "planned"})))],
            },
            timeline: vec![entry(0, Some("inc-a"), Some(&alert(1)), "it fired")],
        }),
        audit: vec![audit(0)],
        quarantine: vec![quarantined(0)],
    }
}
