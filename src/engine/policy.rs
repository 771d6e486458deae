//! The part of the configuration that decides: routes, clocks, rules. No secrets, no addresses, so
//! that it can stand in the journal and a replay decides as the daemon did.

mod escalation;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::input::Role;
pub use crate::model::schedule::{Override, Schedule};
pub use escalation::{EscalationPolicy, Level, SlaLevel, Targets};

use crate::model::priority::PriorityMatrix;
use crate::model::silence::Maintenance;
use crate::model::topology::TopologyFile;
use crate::model::{Labels, Matcher, Person, Priority, Severity, Span, Team, TimeInterval};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// For links in messages: `<public_url>/incidents/<id>`.
    #[serde(default)]
    pub public_url: Option<String>,
    pub naming: Naming,
    pub topology: TopologyFile,
    pub services: BTreeMap<String, ServiceRule>,
    pub correlation: Correlation,
    pub flap: FlapRule,
    pub priority: PriorityRule,
    pub route: Route,
    /// What people are told of.
    #[serde(default)]
    pub notify_by: NotifyBy,
    /// So long after a start nobody is told of groups: senders may still have to say what fires, and what inhibits it.
    #[serde(default)]
    pub dispatch_start_delay: Span,
    /// Named times, for routes that are mute or active only then.
    #[serde(default)]
    pub time_intervals: BTreeMap<String, Vec<TimeInterval>>,
    pub inhibit_rules: Vec<InhibitRule>,
    pub receivers: BTreeMap<String, Receiver>,
    pub escalation_policies: BTreeMap<String, EscalationPolicy>,
    pub schedules: BTreeMap<String, Schedule>,
    /// Each is a receiver of the same name as well.
    #[serde(default)]
    pub people: BTreeMap<String, Person>,
    #[serde(default)]
    pub teams: BTreeMap<String, Team>,
    #[serde(default)]
    pub on_call: OnCallRule,
    pub slas: BTreeMap<String, Sla>,
    /// The SLA of services that name none.
    pub default_sla: Option<String>,
    pub problems: ProblemRule,
    pub maintenance: Vec<Maintenance>,
    /// What silences are allowed to be.
    #[serde(default)]
    pub silences: SilenceRule,
    /// How long a silence can still be seen once it is over.
    #[serde(default = "silence_retention")]
    pub silence_retention: Span,
    /// Signs of life that are expected, by name.
    #[serde(default)]
    pub heartbeats: BTreeMap<String, HeartbeatRule>,
}

/// What people are told of: incidents with their cause, or groups of alerts as Alertmanager makes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyBy {
    #[default]
    Incident,
    Group,
}

/// How the names that monitors use become one configuration item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Naming {
    /// Labels that name the item when the source does not, first present wins; but a pod wins over what keeps
    /// pods like it running.
    pub labels: Vec<String>,
    /// Labels that name the host an item runs on; each gives the topology an edge.
    pub runs_on_labels: Vec<String>,
    /// Rewrites by regular expression, in order, before anything else.
    pub rewrite: Vec<Rewrite>,
    /// `WEB1` is `web1`.
    pub lowercase: bool,
    /// `web1:9100` is `web1`.
    pub strip_port: bool,
    /// `web1.example.org` is `web1` when exactly one known item has that short name.
    pub short_names: bool,
    /// Fixed translations, name to item.
    pub aliases: BTreeMap<String, String>,
}

impl Default for Naming {
    fn default() -> Self {
        Self {
            labels: [
                "configuration_item",
                "host",
                "hostname",
                "device",
                "deployment",
                "statefulset",
                "daemonset",
                "pod",
                "node",
                "instance",
            ]
            .map(String::from)
            .to_vec(),
            runs_on_labels: vec!["node".to_owned()],
            rewrite: Vec::new(),
            lowercase: true,
            strip_port: true,
            short_names: true,
            aliases: BTreeMap::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rewrite {
    /// Anchored regular expression.
    pub pattern: String,
    /// With `$1` for groups.
    pub replacement: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServiceRule {
    /// 1 is the most important; 3 when not given.
    pub tier: Option<u8>,
    pub owner: Option<String>,
    /// Alerts that carry these labels are about this service; all must hold.
    pub matchers: Vec<Matcher>,
    pub sla: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Correlation {
    /// Labels that say where an alert belongs: those of one place and time are likely of one fault. The first that an
    /// alert has counts.
    pub scope_labels: Vec<String>,
    /// Alerts further apart than this are joined only while the earlier one still fires.
    pub window: Span,
    /// How long a child waits for its parents' verdict before it may page.
    pub hold_down: Span,
    /// Alerts at least as severe as this open an incident at once.
    pub open_severity: Severity,
    /// Less severe ones make a pending group, which opens when something agrees or when it lasts; less severe than this
    /// they are recorded, and make none.
    pub pending_severity: Severity,
    /// How long a pending group must last to open by itself.
    pub open_after: Span,
    /// Dependency steps over which a cause reaches.
    pub hops_max: u8,
    /// A fault that comes back within this time of its resolution reopens its incident.
    pub reopen_within: Span,
    /// A resolved incident is closed after this time (never before `reopen_within`).
    pub close_after: Span,
    /// A change up to this long before the first sign of a fault may have caused it.
    pub change_window: Span,
}

impl Default for Correlation {
    fn default() -> Self {
        Self {
            scope_labels: vec!["namespace".to_owned()],
            window: Span::from_mins(5),
            hold_down: Span::from_secs(10),
            open_severity: Severity::Major,
            pending_severity: Severity::Warning,
            open_after: Span::from_mins(5),
            hops_max: 3,
            reopen_within: Span::from_mins(30),
            close_after: Span::from_hours(24),
            change_window: Span::from_hours(2),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FlapRule {
    /// That many changes …
    pub changes: u32,
    /// … within this time are flapping.
    pub within: Span,
    /// Flapping ends after this time without a change.
    pub settle_after: Span,
}

impl Default for FlapRule {
    fn default() -> Self {
        Self { changes: 6, within: Span::from_mins(10), settle_after: Span::from_mins(5) }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PriorityRule {
    /// Rows impact, columns urgency, each from high to low.
    pub matrix: PriorityMatrix,
    /// Let the priority fall by itself when the incident shrinks.
    pub may_fall: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Route {
    /// Inherited from the parent when absent; the root must have one.
    pub receiver: Option<String>,
    pub matchers: Vec<Matcher>,
    /// Go on to the next sibling after a match.
    #[serde(rename = "continue")]
    pub continues: bool,
    /// Labels that alerts of one group share; `...` is all of them. Only where people are told of groups.
    pub group_by: Option<Vec<String>>,
    pub group_wait: Option<Span>,
    pub group_interval: Option<Span>,
    pub repeat_interval: Option<Span>,
    pub escalation_policy: Option<String>,
    /// Nobody hears at these times; not inherited.
    pub mute_time_intervals: Vec<String>,
    /// Somebody hears at these times only; not inherited.
    pub active_time_intervals: Vec<String>,
    pub routes: Vec<Route>,
}

impl Route {
    pub const GROUP_WAIT: Span = Span::from_secs(5);
    pub const GROUP_INTERVAL: Span = Span::from_mins(5);
    pub const REPEAT_INTERVAL: Span = Span::from_hours(4);
}

/// While an alert that matches `source_matchers` fires, those that match `target_matchers` and agree
/// on the `equal` labels are muted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InhibitRule {
    pub source_matchers: Vec<Matcher>,
    pub target_matchers: Vec<Matcher>,
    pub equal: Vec<String>,
    /// Only what is on an item that depends on the source's, up to `correlation.hops_max` hops away.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub dependants_only: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// Names of its sinks.
    pub sinks: Vec<String>,
    /// Those of them that are not told of ends.
    #[serde(default)]
    pub without_resolved: Vec<String>,
    /// Receiver that gets what a sink of this one gave up.
    pub fallback: Option<String>,
    /// Interruptions in a minute beyond which P3 and lower wait for the next minute; 0 is no limit.
    pub loud_per_minute_max: u32,
}

/// Targets by priority.
pub type Sla = BTreeMap<Priority, SlaTarget>;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlaTarget {
    #[serde(default)]
    pub respond: Option<Span>,
    #[serde(default)]
    pub restore: Option<Span>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProblemRule {
    /// That many similar incidents …
    pub incidents_min: u32,
    /// … within this time propose a problem.
    pub within: Span,
    /// Overlap of alert families that counts as similar, percent.
    pub likeness_percent: u8,
}

impl Default for ProblemRule {
    fn default() -> Self {
        Self { incidents_min: 3, within: Span::from_hours(30 * 24), likeness_percent: 60 }
    }
}

/// Who may do what with silences, and how large they may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SilenceRule {
    /// Who may change or end what somebody else has silenced.
    pub others: Role,
    /// From its begin to its end; of one that recurs, of each occurrence.
    pub duration_max: Option<Span>,
    /// Those that are not over, all together.
    pub count_max: Option<u32>,
    /// Whoever silences says why.
    pub comment_required: bool,
}

impl Default for SilenceRule {
    fn default() -> Self {
        Self { others: Role::Responder, duration_max: None, count_max: None, comment_required: true }
    }
}

/// What holds for all schedules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OnCallRule {
    /// People hear so long before that nobody will be on call; 0 is never.
    pub warn_of_gaps: Span,
}

impl Default for OnCallRule {
    fn default() -> Self {
        Self { warn_of_gaps: Span::from_hours(3 * 24) }
    }
}

/// A sign of life that is expected again and again, and the alert that is raised without it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeartbeatRule {
    pub every: Span,
    /// How late a beat may be.
    pub grace: Span,
    /// Alerts that carry these labels are beats; without any, no alert is.
    pub matchers: Vec<Matcher>,
    /// People hear of those alerts as of others.
    pub notify: bool,
    pub severity: Severity,
    pub service: Option<String>,
    /// The heartbeat's name when absent.
    pub configuration_item: Option<String>,
    pub labels: Labels,
}

/// As Alertmanager's `--data.retention`.
pub const SILENCE_RETENTION: Span = Span::from_hours(120);

const fn silence_retention() -> Span {
    SILENCE_RETENTION
}

/// Name of the receiver that exists without any configuration.
pub const LOG_RECEIVER: &str = "log";

impl Default for Policy {
    /// What a daemon without a configuration file does: everything to the log.
    fn default() -> Self {
        let log = Receiver { sinks: vec![format!("{LOG_RECEIVER}/log")], ..Receiver::default() };
        Self {
            public_url: None,
            naming: Naming::default(),
            topology: TopologyFile::default(),
            services: BTreeMap::new(),
            correlation: Correlation::default(),
            flap: FlapRule::default(),
            priority: PriorityRule::default(),
            route: Route { receiver: Some(LOG_RECEIVER.to_owned()), ..Route::default() },
            notify_by: NotifyBy::default(),
            dispatch_start_delay: Span::ZERO,
            time_intervals: BTreeMap::new(),
            inhibit_rules: Vec::new(),
            receivers: BTreeMap::from([(LOG_RECEIVER.to_owned(), log)]),
            escalation_policies: BTreeMap::new(),
            schedules: BTreeMap::new(),
            people: BTreeMap::new(),
            teams: BTreeMap::new(),
            on_call: OnCallRule::default(),
            slas: BTreeMap::new(),
            default_sla: None,
            problems: ProblemRule::default(),
            maintenance: Vec::new(),
            silences: SilenceRule::default(),
            silence_retention: SILENCE_RETENTION,
            heartbeats: BTreeMap::new(),
        }
    }
}
