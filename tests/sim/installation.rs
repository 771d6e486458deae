//! What the simulated operator has configured: a few configurations that the daemon is started with and
//! reloads, read by the real loader, with the real sources and sinks. A seed decides which ones: of each four the
//! fourth tells people of groups of alerts, and some of those change between groups and incidents.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use watchbell::app;
use watchbell::config::{self, Configuration};
use watchbell::model::Timestamp;
use watchbell::runtime::outbox::{SinkInstance, Sinks};
use watchbell::sources::{self, Source};

use super::traced::Traced;

const COMMON: &str = r#"
listen: 127.0.0.1:9494
topology: { files: [topology.yaml] }
sources:
  nagios: { kind: nagios }
  zabbix: { kind: zabbix }
  prometheus: { kind: prometheus }
  alertmanager: { kind: alertmanager }
  changes: { kind: changes }
"#;

/// What only incidents have.
const INCIDENTS: &str = r#"
default_sla: gold
slas: { gold: { P1: { respond: 15m, restore: 4h }, P2: { respond: 30m, restore: 8h } } }
correlation: { close_after: 1h, reopen_within: 1m }
problems: { incidents_min: 2, likeness_percent: 10 }
"#;

const TOPOLOGY: &str = r#"
nodes:
  - { id: rtr1, kind: router }
  - { id: web1, kind: host, service: shop, tier: 1 }
  - { id: web2, kind: host, service: shop, tier: 1 }
  - { id: db1, service: orders, tier: 2 }
  - { id: mon1 }
edges:
  - { from: web1, to: rtr1 }
  - { from: web2, to: rtr1 }
  - { from: web1, to: db1 }
"#;

/// The usual one: two sinks, a fallback, an escalation, an inhibition.
const USUAL: &str = r#"
receivers:
  ops:
    sinks:
      - { kind: webhook, url: "http://ops.example/hook", rate: { count: 1000, per: 1s }, give_up_after: 2h }
      - { kind: servicenow, url: "http://tickets.example", user: u, password: p, rate: { count: 1000, per: 1s } }
    fallback: backup
  duty: { sinks: [{ kind: webhook, url: "http://duty.example/hook", rate: { count: 1000, per: 1s } }] }
  backup: { sinks: [{ kind: webhook, url: "http://backup.example/hook", rate: { count: 1000, per: 1s } }] }
route:
  receiver: ops
  group_interval: 1m
  repeat_interval: 20m
  routes:
    - { matchers: ['priority=~"P1|P2"'], escalation_policy: primary }
    - { matchers: ['source="zabbix"'], receiver: duty }
people:
  ada: { sinks: [{ kind: webhook, name: app, url: "http://ada.example/app", rate: { count: 1000, per: 1s } }] }
  eve:
    sinks:
      - { kind: webhook, name: app, url: "http://eve.example/app", rate: { count: 1000, per: 1s } }
      - { kind: webhook, name: sms, url: "http://eve.example/sms", rate: { count: 1000, per: 1s } }
    contact: { urgent: [{ sinks: [app] }, { after: 3m, sinks: [sms] }] }
    fallback: backup
escalation_policies:
  primary:
    levels:
      - { after: 2m, people: [eve], receivers: [duty] }
      - { after: 10m, people: [ada, eve], all_must_acknowledge: true }
      - { after: 5m, receivers: [duty], priorities: [P1] }
    last_resort: { after: 10m, receivers: [backup] }
    acknowledged_for: 30m
schedules:
  primary: { starts_at: '2026-11-02T09:00', time_zone: Europe/Berlin, shift: 30m, rotation: [duty, backup, ops] }
inhibit_rules:
  - { source_matchers: ['alertname="host check"'], target_matchers: ['severity="warning"'], equal: [configuration_item] }
"#;

/// A sink less, other routes, levels that start over.
const CHANGED: &str = r#"
receivers:
  ops:
    sinks:
      - { kind: servicenow, url: "http://tickets.example", user: u, password: p, rate: { count: 1000, per: 1s } }
    fallback: backup
  duty: { sinks: [{ kind: webhook, url: "http://duty.example/hook", rate: { count: 1000, per: 1s } }], fallback: ops }
  backup: { sinks: [{ kind: webhook, url: "http://backup.example/hook", rate: { count: 1000, per: 1s } }] }
route:
  receiver: backup
  group_wait: 1s
  group_interval: 1m
  repeat_interval: 10m
  escalation_policy: primary
  routes:
    - { matchers: ['source="nagios"'], receiver: duty, continue: true }
    - { matchers: ['severity="critical"'], receiver: ops }
escalation_policies:
  primary: { levels: [{ after: 1m, receivers: [backup] }], repeat: 1 }
schedules:
  primary: { starts_at: '2026-11-02T09:00', shift: 1h, rotation: [duty, backup] }
"#;

/// Hardly anything: no escalation, the log as the last resort.
const SPARE: &str = r#"
receivers:
  ops:
    sinks: [{ kind: webhook, url: "http://ops.example/hook", rate: { count: 1000, per: 1s }, give_up_after: 2h }]
    loud_per_minute_max: 2
  log: { sinks: [{ kind: log }] }
route:
  receiver: log
  group_wait: 0s
  group_interval: 1m
  routes: [{ matchers: ['configuration_item=~"web.*"'], receiver: ops }]
maintenance:
  - { configuration_item: db1, starts_at: 2026-11-21T06:00:00Z, ends_at: 2026-11-21T06:20:00Z, reason: new disks }
"#;

/// The usual one with groups: a tree of three levels, two receivers for what is critical, one that hears no ends, times
/// at which a route is mute or active, and rules that inhibit, one of them with alerts on both of its sides.
const GROUPS: &str = r#"
notify_by: group
receivers:
  ops:
    sinks:
      - { kind: webhook, url: "http://ops.example/hook", rate: { count: 1000, per: 1s }, give_up_after: 2h }
      - { kind: webhook, name: second, url: "http://second.example/hook", rate: { count: 1000, per: 1s } }
      - { kind: servicenow, url: "http://tickets.example", user: u, password: p, rate: { count: 1000, per: 1s } }
    fallback: backup
  duty: { sinks: [{ kind: webhook, url: "http://duty.example/hook", rate: { count: 1000, per: 1s }, send_resolved: false }] }
  team: { sinks: [{ kind: webhook, url: "http://team.example/hook", rate: { count: 1000, per: 1s } }] }
  backup: { sinks: [{ kind: webhook, url: "http://backup.example/hook", rate: { count: 1000, per: 1s } }] }
time_intervals:
  tea: [{ times: [{ start_time: '05:20', end_time: '05:40' }, { start_time: '00:20', end_time: '00:30' }] }]
  early: [{ times: [{ start_time: '00:00', end_time: '06:30' }], location: Europe/Berlin }]
route:
  receiver: ops
  group_by: [alertname]
  group_wait: 2s
  group_interval: 30s
  repeat_interval: 10m
  routes:
    - matchers: ['severity="critical"']
      receiver: duty
      continue: true
      group_by: ['...']
      group_wait: 0s
      group_interval: 10s
      repeat_interval: 5m
    - matchers: ['alertname=~"HighErrorRate|HostDown|Latency"']
      receiver: team
      group_by: [namespace, severity]
      group_wait: 5s
      group_interval: 1m
      routes:
        - { matchers: ['instance=~"pod1.*|web2.*"'], group_by: [instance], mute_time_intervals: [tea] }
        - { matchers: ['severity="critical"'], receiver: ops, group_wait: 1s }
    - { matchers: ['alertname="QueueGrows"'], receiver: backup, active_time_intervals: [early] }
inhibit_rules:
  - { source_matchers: ['alertname="host check"'], target_matchers: ['severity="warning"'], equal: [instance] }
  - { source_matchers: ['alertname="DatabaseDown"'], target_matchers: ['severity="warning"'], equal: [instance] }
  - { source_matchers: ['alertname=~"HostDown|Latency"'], target_matchers: ['alertname=~"Latency|Backup"'], equal: [namespace] }
"#;

/// Other routes and groups, a sink less, nothing inhibited.
const REGROUPED: &str = r#"
notify_by: group
receivers:
  ops:
    sinks:
      - { kind: webhook, name: second, url: "http://second.example/hook", rate: { count: 1000, per: 1s } }
      - { kind: servicenow, url: "http://tickets.example", user: u, password: p, rate: { count: 1000, per: 1s } }
    fallback: backup
  duty: { sinks: [{ kind: webhook, url: "http://duty.example/hook", rate: { count: 1000, per: 1s } }], fallback: ops }
  team: { sinks: [{ kind: webhook, url: "http://team.example/hook", rate: { count: 1000, per: 1s } }] }
  backup: { sinks: [{ kind: webhook, url: "http://backup.example/hook", rate: { count: 1000, per: 1s } }] }
route:
  receiver: backup
  group_by: ['...']
  group_wait: 1s
  group_interval: 20s
  repeat_interval: 15m
  routes:
    - { matchers: ['namespace="shop"'], receiver: team, group_by: [], continue: true }
    - { matchers: ['severity=~"critical|major"'], receiver: ops, group_by: [alertname], group_wait: 3s }
    - { matchers: ['instance=~"db1.*"'], receiver: duty, repeat_interval: 5m }
"#;

/// One group for everything that is severe, the rest to the log, and no wait.
const UNGROUPED: &str = r#"
notify_by: group
receivers:
  ops: { sinks: [{ kind: webhook, url: "http://ops.example/hook", rate: { count: 1000, per: 1s }, give_up_after: 2h }] }
  log: { sinks: [{ kind: log }] }
route:
  receiver: log
  group_by: [severity]
  group_wait: 0s
  group_interval: 1m
  repeat_interval: 30m
  routes: [{ matchers: ['severity=~"critical|major"'], receiver: ops, group_by: [] }]
inhibit_rules:
  - { source_matchers: ['severity="critical"'], target_matchers: ['severity=~"warning|info"'], equal: [instance] }
maintenance:
  - matchers: ['alertname="DatabaseDown"']
    rrule: FREQ=DAILY
    time_zone: Europe/Berlin
    starts_at: 2026-10-20T00:30:00Z
    duration: 45m
    reason: nightly backup
"#;

/// What a run begins with and may change to.
pub struct Installation {
    /// The first one is in force at the start.
    pub configurations: &'static [Configuration],
    pub starts_at: Timestamp,
}

/// Half an hour before clocks are put back in Berlin, and a day on which nothing happens to them.
const STARTS: [&str; 2] = ["2026-10-25T00:10:00Z", "2026-11-21T05:00:00Z"];

/// Runs in which people hear of groups of alerts.
pub const fn is_by_group(seed: u64) -> bool {
    seed.is_multiple_of(4)
}

/// Of these some have a configuration with incidents among them.
const fn is_mixed(seed: u64) -> bool {
    seed.is_multiple_of(16)
}

pub fn of(seed: u64) -> Installation {
    let [by_incident, by_group, mixed] = all();
    let is_at_change = if is_by_group(seed) { seed.is_multiple_of(8) } else { seed % 4 == 1 };
    let configurations = match (is_by_group(seed), is_mixed(seed)) {
        (false, _) => by_incident,
        (true, false) => by_group,
        (true, true) => mixed,
    };
    Installation { configurations, starts_at: STARTS[usize::from(!is_at_change)].parse().unwrap() }
}

fn all() -> &'static [Vec<Configuration>; 3] {
    static READ: OnceLock<[Vec<Configuration>; 3]> = OnceLock::new();
    READ.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("topology.yaml"), TOPOLOGY).unwrap();
        let read = |text: String| {
            let path = folder.path().join("watchbell.yaml");
            std::fs::write(&path, text).unwrap();
            config::load(&[path], std::iter::empty()).unwrap_or_else(|problems| {
                panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
            })
        };
        let by_incident = |own: &str| read(format!("{COMMON}{INCIDENTS}{own}"));
        let by_group = |own: &str| read(format!("{COMMON}{own}"));
        [
            [USUAL, CHANGED, SPARE].map(by_incident).into(),
            [GROUPS, REGROUPED, UNGROUPED].map(by_group).into(),
            vec![by_group(GROUPS), by_incident(USUAL), by_group(REGROUPED)],
        ]
    })
}

/// The sinks of a configuration, each telling the fake receivers which delivery a request is for.
pub fn sinks(configuration: &Configuration) -> Arc<Sinks> {
    let built = app::build_sinks(configuration, None).unwrap();
    let traced = built.into_iter().map(|(name, instance)| {
        let Some(SinkInstance { sink, allow_private, timeout, rate, give_up_after }) = Arc::into_inner(instance) else {
            panic!("nobody else holds `{name}` yet")
        };
        let sink = Box::new(Traced { sink, name: name.clone() });
        (name, Arc::new(SinkInstance { sink, allow_private, timeout, rate, give_up_after }))
    });
    Arc::new(traced.collect())
}

/// The sources, as every configuration has them.
pub fn sources() -> BTreeMap<String, Box<dyn Source>> {
    let settings = &all()[0][0].sources;
    let build = |(name, settings): (&String, &config::SourceSettings)| {
        let spec = sources::find(&settings.kind).unwrap();
        (name.clone(), (spec.build)(&settings.table).unwrap())
    };
    settings.iter().map(build).collect()
}
