//! A notification that looks like a real one: for `test-sink`, for checking templates, for tests.
//!
//! Invents one incident, a router that took two services with it, and tells each kind of news about
//! it. All of it is fixed but the time.

use crate::model::incident::{Candidate, RootCause};
use crate::model::notification::{AlertView, ClockView, IncidentView, ProblemView};
use crate::model::problem::ProblemState;
use crate::model::sla::Target;
use crate::model::{
    AlertStatus, Impact, IncidentId, IncidentState, Labels, Notification, NotificationKind, Priority, Severity, Span,
    Timestamp, Urgency,
};

/// The sample as it would read when `kind` happens at `now`; the fault began 12 minutes earlier.
pub fn sample_notification(kind: NotificationKind, now: Timestamp) -> Notification {
    let mut incident = incident(now);
    let reason = match kind {
        NotificationKind::Opened => "a critical alert opened the incident",
        NotificationKind::Updated => "three more alerts joined",
        NotificationKind::PriorityRaised => "the priority rose from P2 to P1",
        NotificationKind::Acknowledged => {
            acknowledge(&mut incident, now);
            "anna took it in Slack"
        }
        NotificationKind::Repeated => "nobody has acknowledged it within the repeat interval",
        NotificationKind::Escalated => "nobody acknowledged within 10m",
        NotificationKind::SlaThreshold => "75 % of the time to respond has passed",
        NotificationKind::Reopened => "it fires again within 30m of its resolve",
        NotificationKind::Resolved => {
            acknowledge(&mut incident, now - Span::from_mins(6));
            incident.state = IncidentState::Resolved;
            incident.resolved_at = Some(now);
            incident.firing_count = 0;
            for clock in &mut incident.clocks {
                clock.met_at.get_or_insert(now);
            }
            for alert in &mut incident.alerts {
                alert.status = AlertStatus::Resolved;
            }
            "all its alerts have cleared"
        }
        NotificationKind::Merged => {
            incident.state = IncidentState::Merged;
            incident.merged_into = Some(incident_id("inc-4q9w2m7kxe"));
            "one fault explains both"
        }
        NotificationKind::ProblemProposed => {
            set_problem(&mut incident, ProblemState::Proposed);
            "prb-2c8dk0v9zd “rtr1 loses its power supply”: 3 similar incidents"
        }
        NotificationKind::ProblemAccepted => {
            set_problem(&mut incident, ProblemState::Open);
            "prb-2c8dk0v9zd “rtr1 loses its power supply” was accepted by anna"
        }
        NotificationKind::ProblemKnownError => {
            "prb-2c8dk0v9zd “rtr1 loses its power supply”; workaround: switch rtr1 to the second power feed"
        }
        NotificationKind::ProblemResolved => {
            set_problem(&mut incident, ProblemState::Resolved);
            "prb-2c8dk0v9zd “rtr1 loses its power supply” was resolved by anna: new power supply"
        }
        NotificationKind::Test => "asked for with `watchbell test-sink`",
    };
    Notification {
        id: format!("{}.{}", incident.id, number(kind)),
        number: number(kind),
        kind,
        at: now,
        reason: reason.into(),
        incident,
        group: None,
    }
}

/// Every optional field is there.
pub(super) fn full() -> Notification {
    let now = Timestamp::from_millis(1_795_237_200_000);
    let mut notification = sample_notification(NotificationKind::Resolved, now);
    notification.incident.resolved_by = Some("anna".into());
    notification.incident.merged_into = Some(incident_id("inc-4q9w2m7kxe"));
    notification
}

/// No optional field is there, and the lists are empty.
pub(super) fn sparse() -> Notification {
    let mut notification = full();
    let incident = &mut notification.incident;
    incident.state = IncidentState::Open;
    incident.acknowledged_at = None;
    incident.acknowledged_by = None;
    incident.resolved_at = None;
    incident.resolved_by = None;
    incident.assignee = None;
    incident.root_cause = None;
    incident.problem = None;
    incident.merged_into = None;
    incident.url = None;
    incident.services.clear();
    incident.configuration_items.clear();
    incident.configuration_item_count = 0;
    incident.alerts.clear();
    incident.clocks.clear();
    notification.kind = NotificationKind::Opened;
    notification
}

/// What is known of the problem by the time it is in this state.
fn set_problem(incident: &mut IncidentView, state: ProblemState) {
    if let Some(problem) = &mut incident.problem {
        problem.state = state;
        if state < ProblemState::KnownError {
            problem.workaround = None;
            problem.root_cause_analysis = None;
        }
    }
}

const fn number(kind: NotificationKind) -> u32 {
    kind as u32 + 1
}

fn acknowledge(incident: &mut IncidentView, at: Timestamp) {
    incident.state = IncidentState::Acknowledged;
    incident.acknowledged_at = Some(at);
    incident.acknowledged_by = Some("anna".into());
    incident.assignee = Some("anna".into());
    for clock in incident.clocks.iter_mut().filter(|clock| clock.target == Target::Respond) {
        clock.met_at = Some(at);
    }
}

fn incident_id(text: &str) -> IncidentId {
    text.parse().unwrap_or(IncidentId::NONE)
}

fn incident(now: Timestamp) -> IncidentView {
    let started_at = now - Span::from_mins(12);
    let opened_at = started_at + Span::from_secs(20);
    IncidentView {
        id: incident_id("inc-7h3kq0v9zd"),
        state: IncidentState::Open,
        title: "rtr1: Host down".into(),
        priority: Priority::P1,
        impact: Impact::High,
        urgency: Urgency::High,
        severity: Severity::Critical,
        started_at,
        opened_at,
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: None,
        resolved_by: None,
        assignee: None,
        root_cause: Some(RootCause {
            configuration_item: "rtr1".into(),
            alerts: vec!["9f2c5d1e7a3b4c60".into()],
            why: "rtr1 went down first; 11 other items that depend on it followed within 40 s".into(),
            confidence_percent: 87,
            confirmed_by: None,
            suspect_changes: Vec::new(),
            candidates: vec![Candidate { configuration_item: "rtr1".into(), score: 2_310, terms: Vec::new() }],
        }),
        services: vec!["orders".into(), "payments".into()],
        configuration_items: vec!["rtr1".into(), "sw-fra-1".into(), "db-3".into()],
        configuration_item_count: 12,
        alerts: vec![
            alert("9f2c5d1e7a3b4c60", "nagios", "Host down", "rtr1", Severity::Critical, started_at),
            alert("03aa71be5520cd94", "zabbix", "Unreachable", "db-3", Severity::Major, opened_at),
        ],
        alert_count: 31,
        firing_count: 31,
        clocks: vec![
            clock(Target::Respond, opened_at + Span::from_mins(15)),
            clock(Target::Restore, opened_at + Span::from_hours(4)),
        ],
        problem: Some(ProblemView {
            id: "prb-2c8dk0v9zd".into(),
            title: "rtr1 loses its power supply".into(),
            state: ProblemState::KnownError,
            incident_count: 3,
            root_cause_analysis: Some("The left power supply of rtr1 fails when it is warm.".into()),
            reopened_at: None,
            workaround: Some("Switch rtr1 to the second power feed, then wait two minutes.".into()),
        }),
        merged_into: None,
        url: Some("https://watchbell.example/incidents/inc-7h3kq0v9zd".into()),
    }
}

fn alert(id: &str, source: &str, name: &str, item: &str, severity: Severity, started_at: Timestamp) -> AlertView {
    AlertView {
        id: id.into(),
        source: source.into(),
        name: name.into(),
        summary: format!("{item} does not answer to ping"),
        severity,
        status: AlertStatus::Firing,
        started_at,
        configuration_item: Some(item.into()),
        labels: Labels::from_iter([("site", "fra1")]),
        annotations: Labels::new(),
        runbook_url: Some("https://wiki.example/runbooks/host-down".into()),
        url: Some(format!("https://{source}.example/alerts?host={item}&open=1")),
    }
}

fn clock(target: Target, due_at: Timestamp) -> ClockView {
    ClockView { sla: "gold".into(), target, due_at, is_breached: false, met_at: None }
}
