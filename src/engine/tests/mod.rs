//! Scenarios: events in, decisions out.

mod changes;
mod escalation;
mod fallback;
mod firings;
mod heartbeats;
mod late;
mod learning;
mod on_call;
mod problems;
mod properties;
mod recurring;
mod redrive;
pub(super) mod scenario;
mod silences;
mod split;
mod split_by_hand;
mod storm;
mod topology;

use super::input::{Command, Input, Principal, Reply, Role, SendResult};
use super::policy::{Policy, SlaTarget};
use super::state::State;
use crate::model::event::{EventStatus, Marker};
use crate::model::topology::{ConfigurationItem, Edge, TopologyFile};
use crate::model::{IncidentState, Labels, NotificationKind, Priority, Severity, SilenceDraft, Span};
pub(super) use scenario::event;
use scenario::{Scenario, snapshot};
use std::collections::BTreeMap;

/// A router with three hosts behind it, one of them with a service on it, and a host that stands alone.
fn lab() -> Policy {
    let edge = |from: &str, to: &str| Edge { from: from.into(), to: to.into(), kind: Default::default() };
    let node = |id: &str| ConfigurationItem { id: id.into(), ..Default::default() };
    let topology = TopologyFile {
        nodes: ["rtr1", "web1", "web2", "db1", "mon1"].map(node).to_vec(),
        edges: vec![edge("web1", "rtr1"), edge("web2", "rtr1"), edge("db1", "rtr1")],
    };
    Policy { topology, ..Policy::default() }
}

const CRITICAL: Severity = Severity::Critical;

#[test]
fn a_router_takes_three_hosts_down_and_rings_once() {
    let mut s = Scenario::new(lab());
    s.fire("nagios", "db1", "host check", Severity::Major);
    s.pass(Span::from_millis(300));
    s.fire("nagios", "web1", "host check", Severity::Major);
    s.fire("prometheus", "web2:9100", "HostDown", CRITICAL);
    s.pass(Span::from_secs(1));
    s.fire("zabbix", "web1", "Service http is down", CRITICAL);
    s.fire("nagios", "rtr1", "host check", CRITICAL);
    s.fire("prometheus", "rtr1:9100", "HostDown", CRITICAL);
    s.fire("zabbix", "DB1", "Unreachable", CRITICAL);
    s.pass(Span::from_secs(30));

    assert_eq!(s.open().len(), 1, "{:#?}", s.timeline);
    let incident = s.open()[0].clone();
    let cause = incident.root_cause.clone().unwrap();
    assert_eq!(cause.configuration_item, "rtr1");
    insta::assert_snapshot!(cause.why, @"it fails (seen by nagios and prometheus), and all 3 other items that fail depend on it: db1, web1 and web2");
    assert_eq!(incident.priority, Priority::P2);
    assert_eq!(incident.alert_count, 7);
    assert_eq!(s.told(), [(NotificationKind::Opened, "log/log".to_owned())]);

    for (source, item, name) in [
        ("nagios", "db1", "host check"),
        ("nagios", "web1", "host check"),
        ("prometheus", "web2:9100", "HostDown"),
        ("zabbix", "web1", "Service http is down"),
        ("nagios", "rtr1", "host check"),
        ("zabbix", "DB1", "Unreachable"),
    ] {
        s.resolve(source, item, name);
        s.pass(Span::from_millis(400));
    }
    assert_eq!(s.open().len(), 1);
    s.resolve("prometheus", "rtr1:9100", "HostDown");
    s.pass(Span::from_secs(60));
    assert_eq!(s.open().len(), 0);
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Resolved]);
}

#[test]
fn two_faults_at_once_are_two_incidents() {
    let mut s = Scenario::new(lab());
    for source in ["nagios", "zabbix", "prometheus"] {
        s.fire(source, "web1", "http", CRITICAL);
        s.fire(source, "db1", "pgsql", CRITICAL);
        s.pass(Span::from_millis(700));
    }
    s.pass(Span::from_secs(30));
    assert_eq!(s.open().len(), 2);
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Opened]);
}

#[test]
fn a_silent_dependency_is_named() {
    let mut s = Scenario::new(lab());
    for item in ["web1", "web2", "db1"] {
        s.fire("nagios", item, "host check", CRITICAL);
    }
    s.pass(Span::from_secs(30));
    assert_eq!(s.open().len(), 1);
    assert_eq!(s.open()[0].root_cause.as_ref().unwrap().configuration_item, "rtr1");
    insta::assert_snapshot!(s.open()[0].title, @"rtr1: 3 items behind it fail");
}

#[test]
fn two_siblings_are_chance_and_three_within_seconds_are_not() {
    let mut s = Scenario::new(lab());
    s.fire("nagios", "web1", "host check", CRITICAL);
    s.pass(Span::from_secs(2));
    s.fire("nagios", "web2", "host check", CRITICAL);
    s.pass(Span::from_secs(2));
    assert_eq!(s.open().len(), 2);
    s.fire("nagios", "db1", "host check", CRITICAL);
    s.pass(Span::from_secs(20));
    assert_eq!(s.open().len(), 1);
    let mut s = Scenario::new(lab());
    for item in ["web1", "web2", "db1"] {
        s.fire("nagios", item, "host check", CRITICAL);
        s.pass(Span::from_secs(60));
    }
    assert_eq!(s.open().len(), 3, "a minute apart is no common fault");
}

#[test]
fn a_late_parent_merges_what_was_told_apart() {
    let mut s = Scenario::new(lab());
    s.fire("nagios", "web1", "host check", CRITICAL);
    s.fire("nagios", "web2", "host check", CRITICAL);
    s.pass(Span::from_secs(20));
    assert_eq!(s.open().len(), 2);
    s.fire("nagios", "rtr1", "host check", CRITICAL);
    s.pass(Span::from_secs(20));
    assert_eq!(s.open().len(), 1);
    assert!(s.kinds().contains(&NotificationKind::Merged), "{:?}", s.told());
}

#[test]
fn redelivery_changes_nothing_but_the_count() {
    let mut s = Scenario::new(lab());
    let twice = event(s.now, "zabbix", "web1", "http", CRITICAL, EventStatus::Firing);
    s.input(Input::Events { events: vec![twice.clone(), twice.clone()] });
    s.pass(Span::from_secs(30));
    s.input(Input::Events { events: vec![twice] });
    s.pass(Span::from_secs(30));
    assert_eq!(s.kinds(), [NotificationKind::Opened]);
    assert_eq!(s.state.alerts().next().unwrap().event_count, 3);
}

#[test]
fn what_is_over_within_the_group_wait_rings_nobody_but_is_explained() {
    let mut s = Scenario::new(Policy::default());
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_secs(2));
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(30));
    assert!(s.kinds().is_empty());
    assert!(s.says("nobody was told: it was over within the group wait"));
}

#[test]
fn a_fault_that_comes_back_reopens_its_incident() {
    let mut s = Scenario::new(Policy::default());
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_secs(30));
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_mins(5));
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_secs(30));
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Resolved, NotificationKind::Reopened]);
    assert_eq!(s.state.incidents().count(), 1);
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_hours(30));
    assert_eq!(s.state.incidents().count(), 0, "closed and let go");
    assert_eq!(s.state.alerts().count(), 0);
}

#[test]
fn a_viewer_may_not_acknowledge() {
    let mut s = Scenario::new(Policy::default());
    s.fire("nagios", "web1", "http", CRITICAL);
    let incident = s.open()[0].id.to_string();
    let by = Principal { name: "guest".into(), role: Role::Viewer };
    s.input(Input::Command { by, command: Command::Acknowledge { incident, note: None } });
    assert!(matches!(s.replies.pop(), Some(Reply::Refused(_))));
    assert_eq!(s.open()[0].state, IncidentState::Open);
}

#[test]
fn sla_thresholds_are_raised_once_each() {
    let mut policy = Policy::default();
    let target = SlaTarget { respond: Some(Span::from_mins(20)), restore: None };
    policy.slas.insert("gold".into(), BTreeMap::from([(Priority::P2, target)]));
    policy.default_sla = Some("gold".into());
    let mut s = Scenario::new(policy);
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_hours(1));
    let raised: Vec<String> = s
        .deliveries
        .iter()
        .filter(|d| d.notification.kind == NotificationKind::SlaThreshold)
        .map(|d| d.notification.reason.clone())
        .collect();
    assert_eq!(raised.len(), 4, "{raised:#?}");
    assert!(s.open()[0].clocks[0].is_breached);
}

/// Found by the simulation: people knew it as resolved, its return was silenced, and a clock that had run on
/// told them of it all the same; of its end they heard nothing.
#[test]
fn a_clock_tells_nobody_of_an_incident_that_is_known_to_be_over() {
    let mut policy = Policy::default();
    let target = SlaTarget { respond: None, restore: Some(Span::from_mins(20)) };
    policy.slas.insert("gold".into(), BTreeMap::from([(Priority::P2, target)]));
    policy.default_sla = Some("gold".into());
    let mut s = Scenario::new(policy);
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_mins(1));
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_mins(1));
    let told = s.kinds();
    let silence = Command::Silence(Box::new(SilenceDraft {
        matchers: vec![r#"configuration_item="web1""#.parse().unwrap()],
        starts_at: s.now,
        ends_at: s.now + Span::from_hours(1),
        comment: "we know".into(),
        ..SilenceDraft::default()
    }));
    assert!(matches!(s.command(silence), Reply::Done(_)));
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_mins(30));
    assert!(s.open()[0].clocks[0].is_breached && s.says("SLA gold breached"));
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_hours(2));
    assert_eq!(s.kinds(), told);
}

#[test]
fn a_silence_mutes_and_its_end_lets_people_hear() {
    let mut s = Scenario::new(Policy::default());
    let until = s.now + Span::from_hours(1);
    let silence = Command::Silence(Box::new(SilenceDraft {
        matchers: vec![r#"configuration_item="web1""#.parse().unwrap()],
        starts_at: s.now,
        ends_at: until,
        comment: "moving house".into(),
        ..SilenceDraft::default()
    }));
    assert!(matches!(s.command(silence), Reply::Done(_)));
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_mins(30));
    assert!(s.kinds().is_empty());
    assert!(s.says("silenced by anna"));
    s.pass(Span::from_mins(31));
    assert_eq!(s.kinds(), [NotificationKind::Opened]);
}

#[test]
fn a_silence_of_everything_or_of_the_past_is_refused() {
    let mut s = Scenario::new(Policy::default());
    let silence = |matcher: &str, starts_at, ends_at| {
        Command::Silence(Box::new(SilenceDraft {
            matchers: vec![matcher.parse().unwrap()],
            starts_at,
            ends_at,
            comment: "moving house".into(),
            ..SilenceDraft::default()
        }))
    };
    let (now, later, before) = (s.now, s.now + Span::from_hours(1), s.now - Span::from_hours(1));
    for (matcher, starts_at, ends_at) in
        [("team=~\".*\"", now, later), ("team=ops", now, now), ("team=ops", later, now), ("team=ops", before, now)]
    {
        let reply = s.command(silence(matcher, starts_at, ends_at));
        assert!(matches!(reply, Reply::Refused(_)), "{matcher} {starts_at} {ends_at}: {reply:?}");
    }
    assert!(matches!(s.command(silence("team=ops", before, later)), Reply::Done(id) if id.len() == 36));
}

#[test]
fn a_downtime_in_the_monitor_mutes_what_depends_on_the_item() {
    let mut s = Scenario::new(lab());
    let mut downtime = event(s.now, "nagios", "rtr1", "host check", CRITICAL, EventStatus::Commented);
    downtime.marker = Some(Marker::DowntimeStarted);
    s.input(Input::Events { events: vec![downtime.clone()] });
    s.fire("nagios", "rtr1", "host check", CRITICAL);
    s.fire("prometheus", "web1", "HostDown", CRITICAL);
    s.pass(Span::from_mins(2));
    assert!(s.kinds().is_empty(), "{:?}", s.told());
    downtime.marker = Some(Marker::DowntimeEnded);
    s.input(Input::Events { events: vec![downtime] });
    s.pass(Span::from_secs(1));
    assert_eq!(s.kinds(), [NotificationKind::Opened]);
}

#[test]
fn inhibition_holds_whichever_comes_first() {
    let rule = serde_json::json!({
        "source_matchers": ["alertname=\"ClusterDown\""], "target_matchers": ["severity=\"warning\""], "equal": ["cluster"]
    });
    for source_first in [true, false] {
        let mut s = Scenario::new(Policy {
            inhibit_rules: vec![serde_json::from_value(rule.clone()).unwrap()],
            ..Policy::default()
        });
        let labels = Labels::from_iter([("cluster", "eu1")]);
        let mut source = event(s.now, "am", "", "ClusterDown", CRITICAL, EventStatus::Firing);
        source.labels = labels.clone();
        source.labels.insert("kind", "source");
        let mut target = event(s.now, "am", "node7", "Slow", Severity::Warning, EventStatus::Firing);
        target.labels = labels;
        let order = if source_first { [source, target] } else { [target, source] };
        for event in order {
            s.input(Input::Events { events: vec![event] });
        }
        s.pass(Span::from_mins(1));
        assert_eq!(s.kinds(), [NotificationKind::Opened], "source first: {source_first}, {:#?}", s.timeline);
    }
}

#[test]
fn flapping_rings_once_and_ends_once() {
    let mut s = Scenario::new(Policy::default());
    for _ in 0..20 {
        s.fire("nagios", "web1", "http", CRITICAL);
        s.pass(Span::from_secs(1));
        s.resolve("nagios", "web1", "http");
        s.pass(Span::from_secs(1));
    }
    assert!(s.says("http flaps"));
    assert_eq!(s.kinds(), [NotificationKind::Opened]);
    s.pass(Span::from_mins(10));
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Resolved]);
}

#[test]
fn what_flaps_after_its_end_reopens_nothing_until_it_settles() {
    let mut s = Scenario::new(Policy::default());
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_secs(30));
    s.resolve("nagios", "web1", "http");
    s.pass(Span::from_secs(30));
    let mut flapping = event(s.now, "nagios", "web1", "http", CRITICAL, EventStatus::Commented);
    flapping.marker = Some(Marker::FlappingStarted);
    s.input(Input::Events { events: vec![flapping] });
    for _ in 0..3 {
        s.fire("nagios", "web1", "http", CRITICAL);
        s.pass(Span::from_secs(20));
        s.resolve("nagios", "web1", "http");
        s.pass(Span::from_secs(20));
    }
    assert_eq!(s.kinds(), [NotificationKind::Opened, NotificationKind::Resolved]);
    let mut settled = event(s.now, "nagios", "web1", "http", CRITICAL, EventStatus::Firing);
    settled.marker = Some(Marker::FlappingStopped);
    s.input(Input::Events { events: vec![settled] });
    s.pass(Span::from_secs(20));
    assert_eq!(s.kinds().last(), Some(&NotificationKind::Reopened));
}

#[test]
fn an_alert_that_is_not_refreshed_counts_as_over_but_not_right_after_a_start() {
    let mut s = Scenario::new(Policy::default());
    let mut firing = event(s.now, "prometheus", "web1", "HostDown", CRITICAL, EventStatus::Firing);
    firing.expires_at = Some(s.now + Span::from_mins(4));
    s.input(Input::Events { events: vec![firing] });
    s.now = s.now + Span::from_mins(30); // The daemon was down.
    s.input_unchecked(Input::Started);
    s.pass(Span::from_mins(4));
    assert_eq!(s.open().len(), 1);
    s.pass(Span::from_mins(2));
    assert_eq!(s.open().len(), 0);
    assert!(s.says("was not sent again by prometheus in time"));
}

#[test]
fn three_alike_propose_a_problem_and_the_fourth_carries_it() {
    let mut s = Scenario::new(Policy::default());
    for round in 0..4 {
        s.fire("nagios", "web1", "disk", CRITICAL);
        s.pass(Span::from_secs(30));
        if round == 3 {
            assert!(s.deliveries.last().unwrap().notification.incident.problem.is_some());
        }
        s.resolve("nagios", "web1", "disk");
        s.pass(Span::from_hours(26));
    }
    assert_eq!(s.state.problems().count(), 1);
    insta::assert_snapshot!(s.state.problems().next().unwrap().title, @"web1 keeps failing: disk");
}

#[test]
fn what_came_back_worse_under_a_silence_and_is_over_rings_nobody() {
    let mut s = Scenario::new(lab());
    s.fire("nagios", "mon1", "load", Severity::Warning);
    s.pass(Span::from_secs(1));
    s.resolve("nagios", "mon1", "load");
    s.pass(Span::from_mins(1));
    s.command(Command::Silence(Box::new(SilenceDraft {
        matchers: vec!["alertname=\"load\"".parse().unwrap()],
        starts_at: s.now,
        ends_at: s.now + Span::from_hours(1),
        comment: "moving".into(),
        ..SilenceDraft::default()
    })));
    s.fire("nagios", "mon1", "load", CRITICAL);
    s.pass(Span::from_secs(1));
    s.resolve("nagios", "mon1", "load");
    s.pass(Span::from_hours(2));
    assert_eq!(s.told(), []);
}

#[test]
fn an_exhausted_delivery_has_a_fallback_and_an_alert_about_it() {
    let mut policy = escalation::with_escalation();
    policy.route = super::policy::Route { receiver: Some("first".into()), ..Default::default() };
    policy.receivers.get_mut("first").unwrap().fallback = Some("second".into());
    let mut s = Scenario::new(policy);
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_secs(10));
    let id = s.deliveries[0].id.clone();
    s.sent(&id, SendResult::Exhausted { reason: "the server says no".into() });
    let fallback = s.deliveries.last().unwrap();
    assert_eq!((fallback.sink.as_str(), fallback.fallback_for.as_deref()), ("second/mail", Some(id.as_str())));
    assert_eq!(s.open().len(), 2, "the fault and the alert about the sink");
}

#[test]
fn a_second_delivery_learns_the_remote_id_of_the_first() {
    let mut s = Scenario::new(escalation::with_escalation());
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_secs(10));
    let id = s.open()[0].id.to_string();
    s.command(Command::Acknowledge { incident: id, note: None });
    let first = s.deliveries[0].id.clone();
    s.sent(&first, SendResult::Delivered { proof: "ok".into(), remote: Some("ts-1".into()) });
    assert_eq!(s.deliveries.last().unwrap().progress.remote.as_deref(), Some("ts-1"));
}

#[test]
fn a_restored_state_goes_on_exactly_as_the_one_that_never_stopped() {
    let mut s = Scenario::new(lab());
    s.fire("nagios", "web1", "host check", CRITICAL);
    s.fire("prometheus", "web2:9100", "HostDown", CRITICAL);
    s.pass(Span::from_secs(3));
    let mut restored = Scenario { state: State::restore(snapshot(&s.changes)).unwrap(), ..Scenario::new(lab()) };
    restored.now = s.now;
    restored.deliveries.clear();
    restored.timeline.clear();
    let (told_before, said_before) = (s.deliveries.len(), s.timeline.len());
    for scenario in [&mut s, &mut restored] {
        scenario.fire("nagios", "rtr1", "host check", CRITICAL);
        scenario.pass(Span::from_mins(1));
        scenario.resolve("nagios", "rtr1", "host check");
        scenario.pass(Span::from_hours(5));
    }
    assert_eq!(s.deliveries[told_before..], restored.deliveries[..]);
    assert_eq!(s.timeline[said_before..], restored.timeline[..]);
}
