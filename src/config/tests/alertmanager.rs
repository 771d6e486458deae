//! What our configuration took over from Alertmanager's: groups, times, ends, templates.

use super::{Scene, load, said_of};
use crate::engine::policy::NotifyBy;
use crate::model::TimeInterval;
use insta::assert_snapshot;

#[test]
fn people_may_be_told_of_groups() {
    let configuration = load(
        "\
notify_by: group
sources: { zabbix: { kind: zabbix, token: abcdef } }
time_intervals:
  offhours:
    - times: [{ start_time: '17:00', end_time: '24:00' }]
      weekdays: ['monday:friday']
    - { days_of_month: [15, '-1'], months: ['may:august', 12], years: [2026], location: Europe/Berlin }
  never: []
receivers:
  Team A / nights:
    sinks:
      - { kind: log, send_resolved: false }
      - { kind: log }
  nobody: { sinks: [] }
route:
  receiver: Team A / nights
  group_by: ['...']
  repeat_interval: 365d
  routes:
    - receiver: nobody
      group_by: []
      matchers: [team=\"a\"]
      mute_time_intervals: [offhours, never]
      active_time_intervals: [offhours]
",
    );
    let policy = &configuration.policy;
    assert_eq!(policy.notify_by, NotifyBy::Group);
    assert_eq!(policy.receivers["Team A / nights"].sinks, ["Team A / nights/log", "Team A / nights/log-2"]);
    assert_eq!(policy.receivers["Team A / nights"].without_resolved, ["Team A / nights/log"]);
    assert!(policy.receivers["nobody"].sinks.is_empty());
    assert_eq!(policy.route.group_by, Some(vec!["...".to_owned()]));
    let child = &policy.route.routes[0];
    assert_eq!(child.group_by, Some(Vec::new()));
    assert_eq!(child.mute_time_intervals, ["offhours", "never"]);
    assert_eq!(child.active_time_intervals, ["offhours"]);
    assert_eq!(policy.time_intervals["never"], []);
    let expected = [
        TimeInterval { times: vec![(1_020, 1_440)], weekdays: vec![(1, 5)], ..TimeInterval::default() },
        TimeInterval {
            days_of_month: vec![(15, 15), (-1, -1)],
            months: vec![(5, 8), (12, 12)],
            years: vec![(2026, 2026)],
            location: Some("Europe/Berlin".to_owned()),
            ..TimeInterval::default()
        },
    ];
    assert_eq!(policy.time_intervals["offhours"], expected);
}

#[test]
fn times_that_do_not_exist_are_errors() {
    let yaml = "\
time_intervals:
  weekend: [{ weekdays: [saturday, sundy], times: [{ start_time: '8:00' }], zone: UTC }]
  office: { weekdays: [monday] }
route:
  receiver: ops
  mute_time_intervals: [weekend]
  routes:
    - { matchers: [a=\"b\"], mute_time_intervals: [weekends], active_time_intervals: [nights] }
notify_by: group
";
    assert_snapshot!(said_of(yaml), @r#"
error: unknown key `zone` in `time_intervals.weekend[0]`
  --> watchbell.yaml:4
  hint: known keys: `times`, `weekdays`, `days_of_month`, `months`, `years`, `location`
error: missing key `end_time` in `time_intervals.weekend[0].times[0]`
  --> watchbell.yaml:4
error: `time_intervals.weekend[0].weekdays[1]`: expected a day such as `monday`, or a range such as `monday:friday` within a week that begins on Sunday, got `sundy`
  --> watchbell.yaml:4
error: `time_intervals.office`: expected a list of intervals, got a map
  --> watchbell.yaml:5
error: `route.mute_time_intervals`: the root is there at any time, expected it only on the routes below it
  --> watchbell.yaml:8
error: unknown time interval `weekends` in `route.routes[0].mute_time_intervals[0]`
  --> watchbell.yaml:10
  hint: did you mean `weekend`?
error: unknown time interval `nights` in `route.routes[0].active_time_intervals[0]`
  --> watchbell.yaml:10
  hint: there are: `office`, `weekend`
"#);
}

#[test]
fn groups_are_only_for_those_who_are_told_of_groups() {
    let route = "route: { receiver: ops, group_by: [a, a], routes: [{ group_by: ['...', b], matchers: [] }] }\n";
    assert_snapshot!(said_of(route), @r#"
error: `route.group_by`: what belongs together is an incident here, expected no labels to group by
  --> watchbell.yaml:3
  hint: `notify_by: group` tells people of groups of alerts
error: `route.group_by`: the label `a` comes twice
  --> watchbell.yaml:3
error: `route.routes[0].group_by`: what belongs together is an incident here, expected no labels to group by
  --> watchbell.yaml:3
  hint: `notify_by: group` tells people of groups of alerts
error: `route.routes[0].group_by`: `...` is all labels, expected no others beside it
  --> watchbell.yaml:3
"#);
    let rules = "inhibit_rules: [{ equal: [a] }]\nreceivers: { ops: { sinks: [] }, '': { sinks: [] }, nobody: }\n";
    let sources = "sources: { zabbix: { kind: zabbix, token: abcdef } }\n";
    assert_snapshot!(super::said(&format!("notify_by: group\n{sources}{rules}{route}")), @r#"
warning: `inhibit_rules[0]` has no `source_matchers`, so every alert is meant
  --> watchbell.yaml:3
warning: `inhibit_rules[0]` has no `target_matchers`, so every alert is meant
  --> watchbell.yaml:3
error: `receivers.`: expected a name of 1 to 256 characters
  --> watchbell.yaml:4
error: `receivers.nobody.sinks`: expected at least one sink
  --> watchbell.yaml:4
error: `route.group_by`: the label `a` comes twice
  --> watchbell.yaml:5
error: `route.routes[0].group_by`: `...` is all labels, expected no others beside it
  --> watchbell.yaml:5
"#);
    assert_snapshot!(said_of("notify_by: alerts"), @r#"
error: `notify_by`: expected `incident` or `group`
  --> watchbell.yaml:3
"#);
}

#[test]
fn templates_are_files_beside_the_configuration() {
    let yaml = "sources: { zabbix: { kind: zabbix, token: abcdef } }\ntemplates: ['*.tmpl', none.tmpl, 5, '[']\n";
    let scene = Scene::new().file("a.tmpl", "{{ define \"a\" }}x{{ end }}").file("watchbell.yaml", yaml);
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @r#"
warning: `templates[1]`: no file matches `none.tmpl`
  --> watchbell.yaml:2
error: `templates[2]`: expected the path of a file, got a number
  --> watchbell.yaml:2
error: `templates[3]`: `[` is no pattern of file names
  --> watchbell.yaml:2
"#);
}
