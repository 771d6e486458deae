//! A world for the engine: inputs drawn from small sets, so that they meet each other, now and then a
//! foreign text; time that passes by ticking at every deadline, as the driver does.

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use watchbell::config;
use watchbell::engine::effect::Effect;
use watchbell::engine::escalate;
use watchbell::engine::input::{Command, Input, Principal, ProblemCommand, Role, SendResult};
use watchbell::engine::policy::Policy;
use watchbell::engine::state::{Snapshot, State};
use watchbell::engine::{next_deadline, step};
use watchbell::model::delivery::Progress;
use watchbell::model::event::{EventStatus, Marker};
use watchbell::model::{
    Change, ChangeKind, ChangeState, Delivery, Event, Labels, Severity, SilenceDraft, Span, Timestamp,
};

use crate::rows::Rows;
use crate::{NOW, folder};

/// What a source tells of a change.
#[derive(Arbitrary, Debug)]
pub struct Altered {
    id: u8,
    item: Option<Name>,
    state: u8,
    at_ms: i32,
}

#[derive(Arbitrary, Debug)]
pub enum Happening {
    Events(Vec<Seen>),
    Acknowledge {
        incident: u8,
        note: Option<String>,
    },
    Resolve {
        incident: u8,
    },
    Assign {
        incident: u8,
        to: String,
    },
    Comment {
        incident: u8,
        text: String,
    },
    ConfirmRootCause {
        incident: u8,
        item: Name,
    },
    SplitIncident {
        incident: u8,
        alerts: Vec<u8>,
        into: Option<u8>,
    },
    Silence {
        matchers: String,
        minutes: i16,
    },
    ExpireSilence {
        silence: u8,
    },
    Redrive {
        delivery: u8,
    },
    Problem {
        step: u8,
        problem: u8,
        other: u8,
        incident: u8,
        text: String,
    },
    Sent {
        delivery: u8,
        result: Sent,
    },
    /// Something was altered outside.
    Altered(Vec<Altered>),
    /// The daemon has started.
    Started,
    Configured {
        policy: u8,
    },
    Quarantined {
        reason: String,
    },
    Pause(u8),
}

/// A name that others use too, or one that nobody has thought of.
#[derive(Arbitrary, Debug)]
pub enum Name {
    Known(u8),
    Foreign(String),
}

#[derive(Arbitrary, Debug)]
pub struct Seen {
    source: u8,
    status: u8,
    name: u8,
    item: Option<Name>,
    severity: u8,
    marker: u8,
    at_ms: i32,
    expires_after_s: Option<u16>,
    labels: Vec<(u8, Name)>,
    parent: Option<Name>,
    alias: Option<Name>,
    note: Option<String>,
}

#[derive(Arbitrary, Debug)]
pub enum Sent {
    Delivered { remote: Option<String> },
    Advanced { step: u8 },
    Retry { after_s: u16, is_ambiguous: bool },
    Superseded,
    Exhausted,
}

const SOURCES: [&str; 4] = ["nagios", "zabbix", "prometheus", "watchbell"];
const NAMES: [&str; 4] = ["down", "Disk full", "HighLatency", "PSU failed"];
const ITEMS: [&str; 10] =
    ["rtr1", "web1", "web2", "db1", "mon1", "WEB1:9100", "192.0.2.11", "web1.example.org", "new1", "new2"];
const LABELS: [&str; 5] = ["host", "service", "severity", "node", "site"];
const MARKERS: [Marker; 9] = [
    Marker::FlappingStarted,
    Marker::FlappingStopped,
    Marker::DowntimeStarted,
    Marker::DowntimeEnded,
    Marker::Suppressed,
    Marker::Unsuppressed,
    Marker::Unacknowledged,
    Marker::Soft,
    Marker::Unreachable,
];
const STATUSES: [EventStatus; 6] = [
    EventStatus::Firing,
    EventStatus::Firing,
    EventStatus::Firing,
    EventStatus::Resolved,
    EventStatus::Acknowledged,
    EventStatus::Commented,
];
const PAUSES_MS: [i64; 12] =
    [0, 1, 300, 1_000, 5_000, 30_000, 60_000, 300_000, 600_000, 3_600_000, 18_000_000, 93_600_000];
/// Ticks in one pause; repeats of many incidents over a day are some hundreds.
const TICKS_MAX: usize = 20_000;

/// One that decides little, and one with every kind of rule.
static POLICIES: LazyLock<[Policy; 2]> = LazyLock::new(|| {
    let files = [("lab.yaml", include_str!("lab.yaml")), ("lab-topology.yaml", include_str!("lab-topology.yaml"))];
    for (name, text) in files {
        fs::write(folder().join(name), text).expect("the file can be written");
    }
    let plain = config::load(&[], std::iter::empty()).expect("the built-in configuration is valid");
    let lab = config::load(&[folder().join("lab.yaml")], std::iter::empty());
    [plain.policy, lab.unwrap_or_else(|problems| panic!("{problems:#?}")).policy]
});

fn policy(choice: u8) -> Policy {
    POLICIES[usize::from(choice) % POLICIES.len()].clone()
}

fn pick<T: Copy>(all: &[T], choice: u8) -> T {
    all[usize::from(choice) % all.len()]
}

fn name_of(name: &Name) -> String {
    match name {
        Name::Known(choice) => pick(&ITEMS, *choice).to_owned(),
        // An event's own limits: sources refuse others.
        Name::Foreign(text) if text.is_empty() => "-".to_owned(),
        Name::Foreign(text) => text.chars().take(200).collect(),
    }
}

pub struct World {
    state: State,
    now: Timestamp,
    /// What the store holds.
    rows: Rows,
    effects: Vec<Effect>,
    /// Effects of this step and the deliveries that have ended.
    ended: Vec<Delivery>,
}

impl World {
    pub fn new(choice: u8) -> Self {
        let state = State::restore(Snapshot::default()).expect("nothing can be read");
        let mut world = Self { state, now: NOW, rows: Rows::default(), effects: Vec::new(), ended: Vec::new() };
        world.input(Input::Configured { policy: Box::new(policy(choice)) });
        world
    }

    /// The process ends here, and another one begins with what the store holds.
    pub fn restart(&mut self) {
        self.state = State::restore(self.rows.read()).unwrap_or_else(|error| panic!("{error}"));
    }

    pub fn start(&mut self) {
        self.input(Input::Started);
    }

    pub fn happen(&mut self, happening: &Happening) {
        self.effects.clear();
        match happening {
            Happening::Pause(choice) => self.pass(Span::from_millis(pick(&PAUSES_MS, *choice))),
            other => {
                if let Some(input) = self.input_of(other) {
                    self.input(input);
                }
            }
        }
    }

    pub fn assert_told_the_same(&self, other: &Self) {
        assert_eq!(self.effects, other.effects);
        assert_eq!(next_deadline(&self.state), next_deadline(&other.state));
    }

    fn input(&mut self, input: Input) {
        let effects = step(&mut self.state, self.now, input);
        for effect in &effects {
            if let Effect::Deliver(delivery) = effect {
                assert!(delivery.notification.incident.id == delivery.incident, "{delivery:?}");
            }
        }
        self.effects.extend(effects);
        self.ended.extend(self.rows.keep(self.state.take_changes()));
        // A deadline that has come leaves with its tick.
        for _ in 0..TICKS_MAX {
            if next_deadline(&self.state).is_none_or(|at| at > self.now) {
                return self.check();
            }
            let effects = step(&mut self.state, self.now, Input::Tick);
            self.effects.extend(effects);
            self.ended.extend(self.rows.keep(self.state.take_changes()));
        }
        panic!("a deadline does not leave with its tick");
    }

    fn pass(&mut self, span: Span) {
        let until = self.now + span;
        for _ in 0..TICKS_MAX {
            let Some(at) = next_deadline(&self.state).filter(|at| *at <= until) else { break };
            self.now = at;
            self.input(Input::Tick);
        }
        self.now = until;
    }

    fn check(&self) {
        for incident in self.state.incidents() {
            let policy = incident.routed.as_ref().and_then(|routed| routed.escalation_policy.as_ref());
            let policy = policy.and_then(|name| self.state.policy().escalation_policies.get(name));
            let is_due = policy.is_some_and(|policy| escalate::is_due_to_run(incident, policy));
            assert_eq!(incident.escalating.is_some(), is_due, "the escalation of {}", incident.id);
            if incident.state.is_active() {
                let members = self.state.alerts().filter(|alert| alert.incident.as_ref() == Some(&incident.id));
                assert_eq!(members.count() as u32, incident.alert_count, "alerts of {}", incident.id);
            }
        }
        for alert in self.state.alerts() {
            if let Some(id) = &alert.incident {
                assert!(self.state.incident(id).is_some(), "{} is in {id}, which is not there", alert.number);
            }
        }
        for delivery in self.state.deliveries() {
            assert_eq!(delivery.state.as_str(), "pending", "{} has ended", delivery.id);
        }
        assert_eq!(self.rows.alerts.len(), self.state.alerts().count());
        assert_eq!(self.rows.incidents.len(), self.state.incidents().count());
        assert_eq!(self.rows.deliveries.len(), self.state.deliveries().count());
    }

    fn input_of(&self, happening: &Happening) -> Option<Input> {
        let command = match happening {
            Happening::Events(seen) => {
                let events = seen.iter().take(8).map(|seen| self.event(seen)).collect();
                return Some(Input::Events { events });
            }
            Happening::Altered(altered) => {
                let changes = altered.iter().take(8).map(|altered| self.change(altered)).collect();
                return Some(Input::Changes { changes });
            }
            Happening::Started => return Some(Input::Started),
            Happening::Configured { policy: choice } => {
                return Some(Input::Configured { policy: Box::new(policy(*choice)) });
            }
            Happening::Quarantined { reason } => {
                return Some(Input::Quarantined { source: "generic".into(), reason: reason.clone() });
            }
            Happening::Sent { delivery, result } => return self.sent(*delivery, result),
            Happening::Pause(_) => return None,
            Happening::Acknowledge { incident, note } => {
                Command::Acknowledge { incident: self.incident(*incident), note: note.clone() }
            }
            Happening::Resolve { incident } => Command::Resolve { incident: self.incident(*incident), note: None },
            Happening::Assign { incident, to } => {
                Command::Assign { incident: self.incident(*incident), to: to.clone() }
            }
            Happening::Comment { incident, text } => {
                Command::Comment { incident: self.incident(*incident), text: text.clone() }
            }
            Happening::ConfirmRootCause { incident, item } => {
                Command::ConfirmRootCause { incident: self.incident(*incident), configuration_item: name_of(item) }
            }
            Happening::SplitIncident { incident, alerts, into } => {
                let alerts = alerts.iter().filter_map(|choice| nth(self.state.alerts(), *choice));
                Command::SplitIncident {
                    incident: self.incident(*incident),
                    alerts: alerts.map(|alert| alert.fingerprint).collect(),
                    into: into.map(|choice| self.incident(choice)),
                }
            }
            Happening::Silence { matchers, minutes } => {
                let matchers = watchbell::model::Matcher::parse_all(matchers).ok()?;
                let ends_at = self.now + Span::from_mins(i64::from(*minutes));
                let comment = "moving".into();
                let draft = SilenceDraft { matchers, starts_at: self.now, ends_at, comment, ..SilenceDraft::default() };
                Command::Silence(Box::new(draft))
            }
            Happening::ExpireSilence { silence } => {
                let silence =
                    nth(self.state.silences(), *silence).map_or("sil-none".into(), |silence| silence.id.clone());
                Command::ExpireSilence { silence }
            }
            Happening::Problem { step, problem, other, incident, text } => {
                Command::Problem(self.problem_step(*step, [*problem, *other], *incident, text.clone()))
            }
            Happening::Redrive { delivery } => {
                let ended = self.ended.get(usize::from(*delivery) % self.ended.len().max(1))?;
                Command::Redrive { delivery: Box::new(ended.clone()) }
            }
        };
        Some(Input::Command { by: Principal { name: "anna".into(), role: Role::Admin }, command })
    }

    /// The id of one there is, or of none.
    fn incident(&self, choice: u8) -> String {
        nth(self.state.incidents(), choice).map_or("inc-none".into(), |incident| incident.id.to_string())
    }

    fn problem_step(&self, step: u8, problems: [u8; 2], incident: u8, text: String) -> ProblemCommand {
        let [problem, into] = problems.map(|choice| {
            nth(self.state.problems(), choice).map_or("prb-none".into(), |problem| problem.id.to_string())
        });
        let incident = self.incident(incident);
        match step % 12 {
            0 => ProblemCommand::Open { title: Some(text), incidents: vec![incident] },
            1 => ProblemCommand::Accept { problem },
            2 => ProblemCommand::Reject { problem, note: Some(text) },
            3 => ProblemCommand::Merge { problem, into },
            4 => ProblemCommand::Analyse { problem, root_cause_analysis: text },
            5 => ProblemCommand::SetWorkaround { problem, workaround: text },
            6 => ProblemCommand::Resolve { problem, note: None },
            7 => ProblemCommand::Reopen { problem, note: None },
            8 => ProblemCommand::Assign { problem, to: text },
            9 => ProblemCommand::Retitle { problem, title: text },
            10 => ProblemCommand::Link { problem, incident },
            _ => ProblemCommand::Unlink { problem, incident },
        }
    }

    fn sent(&self, choice: u8, result: &Sent) -> Option<Input> {
        let delivery = nth(self.state.deliveries(), choice)?;
        let result = match result {
            Sent::Delivered { remote } => SendResult::Delivered { proof: "200".into(), remote: remote.clone() },
            Sent::Advanced { step } => {
                SendResult::Advanced { progress: Progress { step: u16::from(*step), ..delivery.progress.clone() } }
            }
            Sent::Retry { after_s, is_ambiguous } => SendResult::Retry {
                at: self.now + Span::from_secs(i64::from(*after_s)),
                reason: "answered 503".into(),
                progress: Progress { is_ambiguous: *is_ambiguous, ..delivery.progress.clone() },
            },
            Sent::Superseded => SendResult::Superseded { by: "inc-none.1.ops/chat".into() },
            Sent::Exhausted => SendResult::Exhausted { reason: "gave up".into() },
        };
        Some(Input::Sent { delivery: delivery.id.clone(), result })
    }

    fn change(&self, altered: &Altered) -> Change {
        const STATES: [ChangeState; 5] = [
            ChangeState::Planned,
            ChangeState::Started,
            ChangeState::Succeeded,
            ChangeState::Failed,
            ChangeState::RolledBack,
        ];
        Change {
            id: format!("deploy-{}", altered.id % 16),
            at: self.now + Span::from_millis(i64::from(altered.at_ms).min(86_400_000)),
            received_at: self.now,
            source: "ci".into(),
            kind: ChangeKind::Deploy,
            state: pick(&STATES, altered.state),
            state_at: None,
            configuration_item: altered.item.as_ref().map(name_of),
            service: altered.item.is_none().then(|| "shop".into()),
            reference: None,
            summary: String::new(),
            author: None,
            url: None,
        }
    }

    fn event(&self, seen: &Seen) -> Event {
        let (source, name) = (pick(&SOURCES, seen.source), pick(&NAMES, seen.name));
        let item = seen.item.as_ref().map(name_of);
        let at = self.now + Span::from_millis(i64::from(seen.at_ms).min(86_400_000));
        let status = pick(&STATUSES, seen.status);
        let labels = seen.labels.iter().take(8).map(|(name, value)| (pick(&LABELS, *name), name_of(value)));
        let dedup_key = format!("{}/{name}", item.as_deref().unwrap_or_default());
        Event {
            id: format!("{source}/{dedup_key}/{}/{}", status.as_str(), at),
            at,
            received_at: self.now,
            source: source.into(),
            status,
            name: name.into(),
            dedup_key,
            severity: pick(&Severity::ALL, seen.severity),
            configuration_item: item,
            service: None,
            labels: Labels::from_iter(labels),
            annotations: Labels::new(),
            url: None,
            expires_at: seen.expires_after_s.map(|seconds| self.now + Span::from_secs(i64::from(seconds))),
            is_end_assumed: false,
            started_at: None,
            aliases: seen.alias.iter().map(name_of).collect(),
            parents: seen.parent.iter().map(name_of).collect(),
            marker: MARKERS.get(usize::from(seen.marker)).copied(),
            author: None,
            note: seen.note.clone(),
            extra: BTreeMap::new(),
        }
    }
}

/// One of them, whatever the number.
fn nth<T>(all: impl Iterator<Item = T>, choice: u8) -> Option<T> {
    let mut all: Vec<T> = all.collect();
    let index = usize::from(choice) % all.len().max(1);
    (index < all.len()).then(|| all.swap_remove(index))
}
