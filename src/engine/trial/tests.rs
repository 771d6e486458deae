//! What a trial says, and that it is what happens.

use super::*;
use crate::engine::input::Input;
use crate::engine::policy::Receiver;
use crate::engine::tests::scenario::Scenario;
use crate::model::{Labels, Matcher, Severity, TimeInterval};
use std::collections::BTreeMap;

const AT: &str = "2026-11-21T05:00:00Z";

fn policy(notify_by: &str) -> Policy {
    let receiver =
        |name: &str| (name.to_owned(), Receiver { sinks: vec![format!("{name}/log")], ..Receiver::default() });
    let is_group = notify_by == "group";
    let group_by = if is_group { serde_json::json!(["alertname"]) } else { serde_json::Value::Null };
    Policy {
        notify_by: serde_json::from_value(notify_by.into()).unwrap(),
        route: serde_json::from_value(serde_json::json!({"receiver": "all", "group_by": group_by, "group_wait": "30s",
            "routes": [
                {"matchers": ["team=\"db\""], "receiver": "dba", "continue": true, "routes": [
                    {"matchers": ["severity=\"critical\""], "group_wait": "0s", "mute_time_intervals": ["dawn"]}]},
                {"matchers": ["team=~\"db|web\""], "receiver": "web"},
            ]}))
        .unwrap(),
        time_intervals: BTreeMap::from([(
            "dawn".to_owned(),
            vec![TimeInterval { times: vec![(360, 420)], ..TimeInterval::default() }],
        )]),
        inhibit_rules: serde_json::from_value(serde_json::json!([
            {"source_matchers": ["alertname=\"Never\""], "target_matchers": ["team=\"db\""]},
            {"source_matchers": ["alertname=\"SiteDown\""], "target_matchers": ["severity=\"warning\""], "equal": ["site"]},
        ]))
        .unwrap(),
        receivers: ["all", "dba", "web", "log"].map(receiver).into(),
        ..Policy::default()
    }
}

fn event(labels: &[(&str, &str)]) -> Event {
    let at: Timestamp = AT.parse().unwrap();
    let labels = Labels::from_iter(labels.iter().copied());
    let severity =
        labels.get("severity").map_or(Severity::Warning, |text| serde_json::from_value(text.into()).unwrap());
    let key = labels.fingerprint().to_string();
    Event {
        id: format!("{key}-1"),
        at,
        received_at: at,
        source: "prometheus".to_owned(),
        status: EventStatus::Firing,
        name: labels.get("alertname").unwrap_or("alert").to_owned(),
        dedup_key: key,
        severity,
        configuration_item: None,
        service: None,
        labels,
        annotations: Labels::new(),
        url: None,
        expires_at: None,
        is_end_assumed: false,
        started_at: None,
        aliases: Vec::new(),
        parents: Vec::new(),
        marker: None,
        author: None,
        note: None,
        extra: Default::default(),
    }
}

fn silence(matcher: &str) -> Silence {
    let at: Timestamp = AT.parse().unwrap();
    Silence {
        id: "sil-1".to_owned(),
        matchers: Matcher::parse_all(matcher).unwrap(),
        starts_at: at,
        ends_at: at + Span::from_hours(24),
        created_by: "ada".to_owned(),
        comment: "move".to_owned(),
        updated_at: at,
        state: crate::model::silence::SilenceState::Active,
        ..Silence::default()
    }
}

/// `HostDown: dba by route.routes[0] of {…} · web by … | muted [by …`, one line for each alert, and who is told.]
fn told(policy: &Policy, at: &str, silences: &[Silence], events: &[Event]) -> String {
    let trial = run(&Case { policy, silences, events, at: at.parse().unwrap() });
    let mut lines = Vec::new();
    for verdict in &trial.alerts {
        let ways = verdict.routes.iter().map(|way| {
            let group = way.group.as_ref().map(|group| format!(" in {}", group.key)).unwrap_or_default();
            let onward = way.continued_by.as_ref().map(|path| format!(", on by {path}")).unwrap_or_default();
            format!("{} by {}{group} after {}{onward}", way.receiver, way.path, way.group_wait)
        });
        let ways: Vec<String> = ways.collect();
        let incident = verdict.incident.as_ref().map(|one| format!(" {} after {}", one.priority, one.opens_after));
        let causes: Vec<String> = verdict
            .causes()
            .iter()
            .map(|cause| match cause {
                Mute::Inhibition { rule, alert, .. } => format!("{rule} and {alert}"),
                Mute::Silence { silence } => silence.id.clone(),
                Mute::Maintenance { reason } => reason.clone(),
                Mute::TimeInterval { names } => names.join("+"),
            })
            .collect();
        let muted = if verdict.is_muted { "muted" } else { "heard" };
        lines.push(format!(
            "{}{}: {}{} | {muted} [{}]",
            verdict.name,
            incident.unwrap_or_default(),
            ways.join(" · "),
            verdict.unrouted.as_deref().unwrap_or_default(),
            causes.join(", ")
        ));
    }
    for delivery in &trial.deliveries {
        let alerts = delivery
            .notification
            .group
            .as_ref()
            .map_or(delivery.notification.incident.alerts.len(), |group| group.alerts.len());
        lines.push(format!("-> {} {alerts}", delivery.sink));
    }
    lines.join("\n")
}

#[test]
fn groups_say_their_ways_and_what_mutes() {
    let db = [("alertname", "HostDown"), ("team", "db")];
    let critical = event(&[db[0], db[1], ("severity", "critical")]);
    let events = [
        critical,
        event(&[("alertname", "SiteDown"), ("site", "a")]),
        event(&[("alertname", "Slow"), ("team", "web"), ("severity", "warning"), ("site", "a")]),
        event(&[("alertname", "Slow"), ("team", "web"), ("severity", "warning"), ("site", "b")]),
    ];
    insta::assert_snapshot!(told(&policy("group"), AT, &[], &events), @r#"
    HostDown: dba by route.routes[0].routes[0] in {}/{team="db"}/{severity="critical"}:{alertname="HostDown"} after 0s, on by route.routes[0] · web by route.routes[1] in {}/{team=~"db|web"}:{alertname="HostDown"} after 30s | heard []
    SiteDown: all by route in {}:{alertname="SiteDown"} after 30s | heard []
    Slow: web by route.routes[1] in {}/{team=~"db|web"}:{alertname="Slow"} after 30s | muted [inhibit_rules[1] and SiteDown]
    Slow: web by route.routes[1] in {}/{team=~"db|web"}:{alertname="Slow"} after 30s | heard []
    -> dba/log 1
    -> web/log 1
    -> web/log 1
    -> all/log 1
    "#);
    // At dawn one of two ways is closed; a silence closes all.
    insta::assert_snapshot!(told(&policy("group"), "2026-11-21T06:30:00Z", &[], &events[..1]), @r#"
    HostDown: dba by route.routes[0].routes[0] in {}/{team="db"}/{severity="critical"}:{alertname="HostDown"} after 0s, on by route.routes[0] · web by route.routes[1] in {}/{team=~"db|web"}:{alertname="HostDown"} after 30s | heard [dawn]
    -> web/log 1
    "#);
    insta::assert_snapshot!(told(&policy("group"), AT, &[silence("team=\"db\"")], &events[..1]), @r#"HostDown: dba by route.routes[0].routes[0] in {}/{team="db"}/{severity="critical"}:{alertname="HostDown"} after 0s, on by route.routes[0] · web by route.routes[1] in {}/{team=~"db|web"}:{alertname="HostDown"} after 30s | muted [sil-1]"#);
    // Before it begins it mutes nothing.
    let early = told(&policy("group"), "2026-11-21T04:59:59Z", &[silence("team=\"db\"")], &events[..1]);
    assert!(early.contains("heard"), "{early}");
}

#[test]
fn incidents_say_when_they_open_and_where_they_go() {
    let policy = policy("incident");
    let host = |name, severity| event(&[("alertname", name), ("host", "db1"), ("team", "db"), ("severity", severity)]);
    insta::assert_snapshot!(told(&policy, AT, &[], &[host("Down", "critical")]), @r#"
    Down P2 after 0s: dba by route.routes[0].routes[0] after 0s, on by route.routes[0] · web by route.routes[1] after 0s | heard []
    -> dba/log 1
    -> web/log 1
    "#);
    insta::assert_snapshot!(told(&policy, AT, &[], &[host("Slow", "warning")]), @r#"
    Slow P4 after 5m: dba by route.routes[0] after 30s, on by route.routes[0] · web by route.routes[1] after 30s | heard []
    -> dba/log 1
    -> web/log 1
    "#);
    insta::assert_snapshot!(told(&policy, AT, &[], &[host("Note", "info")]), @r#"Note: it is only recorded: `info` is less severe than `warning`, and opens no incident | heard []"#);
    // One of two alerts is muted: people hear of the incident all the same.
    let both = [host("Down", "critical"), host("Slow", "warning")];
    insta::assert_snapshot!(told(&policy, AT, &[silence("alertname=\"Slow\"")], &both), @r#"
    Down P2 after 0s: dba by route.routes[0].routes[0] after 0s, on by route.routes[0] · web by route.routes[1] after 0s | heard []
    Slow P2 after 0s: dba by route.routes[0].routes[0] after 0s, on by route.routes[0] · web by route.routes[1] after 0s | heard [sil-1]
    -> dba/log 2
    -> web/log 2
    "#);
    insta::assert_snapshot!(told(&policy, AT, &[silence("team=\"db\"")], &both), @r#"
    Down P2 after 0s: dba by route.routes[0].routes[0] after 0s, on by route.routes[0] · web by route.routes[1] after 0s | muted [sil-1]
    Slow P2 after 0s: dba by route.routes[0].routes[0] after 0s, on by route.routes[0] · web by route.routes[1] after 0s | muted [sil-1]
    "#);
}

#[test]
fn what_is_over_or_no_alert_says_so() {
    let over = Event { status: EventStatus::Resolved, ..event(&[("alertname", "A")]) };
    let comment = Event { status: EventStatus::Commented, ..event(&[("alertname", "B")]) };
    insta::assert_snapshot!(told(&policy("group"), AT, &[], &[over, comment]), @r#"
    A: it is over, and never fired here | heard []
    B: it is a word about an alert, and no alert | heard []
    "#);
}

/// The same alerts through the engine as the daemon drives it, for ten minutes: who was told first of each group or
/// incident.
fn happens(policy: &Policy, events: &[Event]) -> Vec<String> {
    let mut scenario = Scenario::new(policy.clone());
    scenario.input(Input::Events { events: events.to_vec() });
    scenario.pass(Span::from_mins(10));
    sorted(&scenario.deliveries)
}

fn sorted(deliveries: &[Delivery]) -> Vec<String> {
    let opened = deliveries.iter().filter(|delivery| delivery.notification.kind == NotificationKind::Opened);
    let mut sinks: Vec<String> = opened
        .map(|delivery| {
            let group = delivery.notification.group.as_ref().map(|group| group.key.clone()).unwrap_or_default();
            format!("{} {group}", delivery.sink)
        })
        .collect();
    sinks.sort();
    sinks.dedup();
    sinks
}

proptest::proptest! {
    #[test]
    fn what_a_trial_says_is_what_happens(
        alerts in proptest::collection::vec((0..3_usize, 0..3_usize, 0..3_usize, 0..2_usize), 1..6),
        by_group: bool,
    ) {
        let policy = policy(if by_group { "group" } else { "incident" });
        let events: Vec<Event> = alerts.iter().map(|(name, team, severity, site)| event(&[
            ("alertname", ["Down", "Slow", "SiteDown"][*name]),
            ("team", ["db", "web", "none"][*team]),
            ("severity", ["critical", "warning", "info"][*severity]),
            ("site", ["a", "b"][*site]),
        ])).collect();
        let trial = run(&Case { policy: &policy, silences: &[], events: &events, at: AT.parse().unwrap() });
        proptest::prop_assert_eq!(sorted(&trial.deliveries), happens(&policy, &events));
    }
}

#[test]
fn coverage_counts_what_is_used() {
    let policy = policy("group");
    let mut coverage = Coverage::of(&policy);
    let events = [
        event(&[("alertname", "SiteDown"), ("site", "a")]),
        event(&[("alertname", "Slow"), ("team", "web"), ("severity", "warning"), ("site", "a")]),
        event(&[("alertname", "Slow"), ("team", "web"), ("severity", "warning"), ("site", "a")]),
    ];
    let silences = [silence("team=\"web\""), Silence { id: "sil-2".to_owned(), ..silence("team=\"x\"") }];
    cover(&Case { policy: &policy, silences: &silences, events: &events, at: AT.parse().unwrap() }, &mut coverage);
    let reached: Vec<(&str, u64)> = coverage.routes.iter().map(|route| (route.path.as_str(), route.reached)).collect();
    assert_eq!(
        reached,
        [("route", 2), ("route.routes[0]", 0), ("route.routes[0].routes[0]", 0), ("route.routes[1]", 1)]
    );
    assert_eq!(coverage.routes[3].matchers[0].matched, 1);
    let receivers: Vec<(&str, u64)> = coverage.receivers.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(receivers, [("all", 1), ("dba", 0), ("web", 1)]);
    assert!(coverage.inhibit_rules[0].inhibited == 0 && coverage.inhibit_rules[1].inhibited > 0);
    assert_eq!(
        (coverage.inhibit_rules[0].source_matchers[0].matched, coverage.inhibit_rules[1].source_matchers[0].matched),
        (0, 1)
    );
    assert!(coverage.silences["sil-1"].silenced > 0 && coverage.silences["sil-2"].silenced == 0);
}
