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
    assert_snapshot!(said("{ 'a b': { every: 1h, token: abcdef }, c: { token: abcdef }, d: 5 }"), @r#"
    error: `heartbeats.a b`: got the name `a b`, expected 1 to 64 letters, digits, dots, hyphens and underscores
      --> watchbell.yaml:3
    error: missing key `every` in `heartbeats.c`
      --> watchbell.yaml:3
    error: `heartbeats.d`: expected a map, got a number
      --> watchbell.yaml:3
    "#);
    assert_snapshot!(said("{ a: { evry: 1h, every: 0s, grace: 0s, token: abcdef } }"), @r#"
    error: unknown key `evry` in `heartbeats.a`
      --> watchbell.yaml:3
      hint: did you mean `every`? known keys: `configuration_item`, `every`, `grace`, `labels`, `matchers`, `notify`, `service`, `severity`, `token`, `token_sha256`, `tokens`
    error: `heartbeats.a.grace`: expected 1s to 52w2d, got 0s
      --> watchbell.yaml:3
    "#);
    assert_snapshot!(said("{ a: { every: 1m, matchers: ['alertname!=\"x\"'] }, b: { every: 1m, matchers: [] } }"), @r#"
    error: `heartbeats.a.matchers`: expected a matcher that asks for a value, without one nearly every alert would be a beat
      --> watchbell.yaml:3
      hint: for example `alertname="Watchdog"`
    error: `heartbeats.b.matchers`: expected a matcher that asks for a value, without one nearly every alert would be a beat
      --> watchbell.yaml:3
      hint: for example `alertname="Watchdog"`
    "#);
    assert_snapshot!(said("{ a: { every: 1m, matchers: ['alertname'] } }"), @r#"
    error: `heartbeats.a.matchers[0]`: expected a matcher such as `name="value"` with `=`, `!=`, `=~` or `!~`, got `alertname`
      --> watchbell.yaml:3
    "#);
    assert_snapshot!(said("{ a: { every: 1m, notify: true, token: abcdef, labels: { heartbeat: x } } }"), @r#"
    error: `heartbeats.a.notify` is about the alerts that are beats, but there are no `matchers`
      --> watchbell.yaml:3
    error: `heartbeats.a.labels.heartbeat`: this label names the heartbeat itself, expected another one
      --> watchbell.yaml:3
    "#);
    assert_snapshot!(said("{ a: { every: 1m, token: abcdef, severity: fatal } }"), @r#"
    error: unknown value `fatal` in `heartbeats.a.severity`
      --> watchbell.yaml:3
      hint: known values: `critical`, `major`, `minor`, `warning`, `info`
    "#);
}

#[test]
fn without_authentication_it_is_for_this_machine_only() {
    assert_snapshot!(said("{ a: { every: 1m } }"), @r#"
    warning: no route leads to the receiver `mail`
      --> watchbell.yaml:2
    warning: `heartbeats.a` has no authentication: any program on this machine can beat for it
      --> watchbell.yaml:3
      hint: add `token_file`, or `matchers` if alerts are its beats
    "#);
    let public = "api: { tokens: [{ name: x, role: viewer, token: abcdef }] }\nlisten: 0.0.0.0:9494\n";
    assert_snapshot!(said_of(&format!("{public}heartbeats: {{ a: {{ every: 1m }} }}")), @r#"
    error: `heartbeats.a` has no authentication, but `listen` is reachable from other machines
      --> watchbell.yaml:5
      hint: add `token_file`, or `matchers` if alerts are its beats
    "#);
}

#[test]
fn no_source_has_the_name_of_their_alerts() {
    let scene = Scene::new().file("watchbell.yaml", "sources: { heartbeat: { kind: zabbix, token: abcdef } }\n");
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @r#"
    error: `sources.heartbeat`: alerts about heartbeats have the source `heartbeat`, expected another name
      --> watchbell.yaml:1
    "#);
}
