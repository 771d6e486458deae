//! Heartbeats that are expected.

use super::{Scene, said_of};
use crate::config::Auth;
use crate::model::{Severity, Span};
use insta::assert_snapshot;

/// With a source, so that nothing is said about sources.
fn said(heartbeats: &str) -> String {
    said_of(&format!("heartbeats: {heartbeats}"))
}

#[test]
fn one_is_beaten_by_requests_or_by_alerts() {
    let scene = Scene::new().file("beat.token", "hush-hush\n").file(
        "watchbell.yaml",
        "\
sources: { a: { kind: zabbix, token: abcdef } }
heartbeats:
  nightly-backup: { every: 24h, grace: 30m, token_file: beat.token }
  hourly: { every: 1h, token: abcdef, severity: warning, labels: { team: dba } }
  prod:
    every: 1m
    matchers: ['alertname=\"Watchdog\"', 'cluster=\"prod\"']
    severity: critical
    service: monitoring
    configuration_item: prometheus-1
",
    );
    let configuration =
        scene.load(&["watchbell.yaml"]).unwrap_or_else(|_| panic!("{}", scene.said(&["watchbell.yaml"])));
    let rules = &configuration.policy.heartbeats;
    let nightly = &rules["nightly-backup"];
    assert_eq!((nightly.every, nightly.grace), (Span::from_hours(24), Span::from_mins(30)));
    assert_eq!((nightly.severity, nightly.notify), (Severity::Major, false));
    assert_eq!((rules["hourly"].grace, rules["prod"].grace), (Span::from_hours(1), Span::from_mins(5)));
    assert_eq!((rules["hourly"].severity, rules["hourly"].labels.get("team")), (Severity::Warning, Some("dba")));
    assert_eq!((rules["prod"].matchers.len(), rules["prod"].configuration_item.as_deref()), (2, Some("prometheus-1")));
    assert!(matches!(configuration.heartbeats["nightly-backup"], Some(Auth::AnyOf(_))));
    assert_eq!(configuration.heartbeats["prod"], None);
    assert!(!format!("{configuration:?}").contains("hush"));
}

#[test]
fn each_fault_is_named() {
    assert_snapshot!(said("{ 'a b': { every: 1h, token: abcdef }, c: { token: abcdef }, d: 5 }"), @"");
    assert_snapshot!(said("{ a: { evry: 1h, every: 0s, grace: 0s, token: abcdef } }"), @"");
    assert_snapshot!(said("{ a: { every: 1m, matchers: ['alertname!=\"x\"'] }, b: { every: 1m, matchers: [] } }"), @"");
    assert_snapshot!(said("{ a: { every: 1m, matchers: ['alertname'] } }"), @"");
    assert_snapshot!(said("{ a: { every: 1m, notify: true, token: abcdef, labels: { heartbeat: x } } }"), @"");
    assert_snapshot!(said("{ a: { every: 1m, token: abcdef, severity: fatal } }"), @"");
}

#[test]
fn without_authentication_it_is_for_this_machine_only() {
    assert_snapshot!(said("{ a: { every: 1m } }"), @"");
    let public = "api: { tokens: [{ name: x, role: viewer, token: abcdef }] }\nlisten: 0.0.0.0:9494\n";
    assert_snapshot!(said_of(&format!("{public}heartbeats: {{ a: {{ every: 1m }} }}")), @"");
}

#[test]
fn no_source_has_the_name_of_their_alerts() {
    let scene = Scene::new().file("watchbell.yaml", "sources: { heartbeat: { kind: zabbix, token: abcdef } }\n");
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @"");
}
