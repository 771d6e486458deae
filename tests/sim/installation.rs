//! What the simulated operator has configured: a few configurations that the daemon is started with and
//! reloads, read by the real loader, with the real sources and sinks.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use watchbell::app;
use watchbell::config::{self, Configuration};
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
escalation_policies:
  primary: { levels: [{ after: 2m, receivers: [duty] }, { after: 10m, receivers: [backup] }] }
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

/// All configurations; the first one is in force at the start.
pub fn configurations() -> &'static [Configuration] {
    static READ: OnceLock<Vec<Configuration>> = OnceLock::new();
    READ.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("topology.yaml"), TOPOLOGY).unwrap();
        let read = |own: &&str| {
            let path = folder.path().join("watchbell.yaml");
            std::fs::write(&path, format!("{COMMON}{own}")).unwrap();
            config::load(&[path], std::iter::empty()).unwrap_or_else(|problems| {
                panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
            })
        };
        [USUAL, CHANGED, SPARE].iter().map(read).collect()
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
    let settings = &configurations()[0].sources;
    let build = |(name, settings): (&String, &config::SourceSettings)| {
        let spec = sources::find(&settings.kind).unwrap();
        (name.clone(), (spec.build)(&settings.table).unwrap())
    };
    settings.iter().map(build).collect()
}
