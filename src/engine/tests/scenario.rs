//! A state and a clock; time passes by ticking at every deadline, as the driver does.

use crate::engine::effect::Effect;
use crate::engine::input::{Command, Input, Principal, Reply, Role, SendResult};
use crate::engine::policy::Policy;
use crate::engine::state::{Changes, Snapshot, State};
use crate::engine::{escalate, groups, next_deadline, step};
use crate::model::event::{Event, EventStatus};
use crate::model::{
    Delivery, Incident, IncidentState, Labels, NotificationKind, Severity, Span, TimelineEntry, Timestamp,
};
use std::collections::BTreeMap;
use std::sync::Arc;

pub struct Scenario {
    pub state: State,
    pub now: Timestamp,
    pub deliveries: Vec<Delivery>,
    pub timeline: Vec<TimelineEntry>,
    pub replies: Vec<Reply>,
    pub changes: Changes,
}

impl Scenario {
    pub fn new(policy: Policy) -> Self {
        let now = "2026-11-21T05:00:00Z".parse().unwrap();
        let state = State::restore(Snapshot::default()).unwrap();
        let mut scenario = Self {
            state,
            now,
            deliveries: Vec::new(),
            timeline: Vec::new(),
            replies: Vec::new(),
            changes: Changes::default(),
        };
        scenario.input(Input::Configured { policy: Box::new(policy) });
        scenario
    }

    pub fn input(&mut self, input: Input) {
        for effect in step(&mut self.state, self.now, input) {
            match effect {
                Effect::Deliver(delivery) => self.deliveries.push(*delivery),
                Effect::Timeline(entry) => self.timeline.push(entry),
                Effect::Reply(reply) => self.replies.push(reply),
                _ => {}
            }
        }
        self.check_invariants();
        let changes = self.state.take_changes();
        merge_changes(&mut self.changes, changes);
    }

    /// I5, that what is counted is what a walk finds, and that a tick always has an effect on its own deadline.
    fn check_invariants(&self) {
        for incident in self.state.incidents() {
            let policy = incident.routed.as_ref().and_then(|routed| routed.escalation_policy.as_ref());
            let policy = policy.and_then(|name| self.state.policy().escalation_policies.get(name));
            let expected = policy.is_some_and(|policy| escalate::is_due_to_run(incident, policy));
            assert_eq!(incident.escalating.is_some(), expected, "I5 on {}", incident.id);
            let Some(members) = self.state.groups.members(&incident.id) else { continue };
            let alerts = || members.alerts.iter().filter_map(|number| self.state.alert(*number));
            let worst = alerts().filter(|alert| alert.is_firing()).map(|alert| alert.severity).min();
            let unsettled = alerts().filter(|alert| alert.is_unsettled()).count();
            assert_eq!((members.worst(), members.unsettled_count()), (worst, unsettled), "of {}", incident.id);
            // Of a storm not at every step.
            if members.alerts.len() > 64 && members.alerts.len() % 97 != 0 {
                continue;
            }
            let mut items: Vec<&str> = alerts().filter_map(|alert| alert.configuration_item.as_deref()).collect();
            items.sort_unstable();
            items.dedup();
            let first: Vec<&str> =
                members.first_items().iter().map(|item| &**self.state.topology.name(*item)).collect();
            assert_eq!(members.item_count(), items.len(), "items of {}", incident.id);
            assert_eq!(first, items[..items.len().min(groups::ORDERED)], "items of {}", incident.id);
            for alert in alerts() {
                let on = alert.configuration_item.as_deref().map(|item| self.state.alerts_on(&incident.id, item));
                assert!(on.is_none_or(|on| on.is_some_and(|on| on.contains(&alert.number))), "{}", alert.name);
            }
        }
        if let Some(at) = next_deadline(&self.state) {
            assert!(at > self.now, "a deadline at {at} is left behind at {}", self.now);
        }
    }

    pub fn fire(&mut self, source: &str, item: &str, name: &str, severity: Severity) {
        self.input(Input::Events { events: vec![event(self.now, source, item, name, severity, EventStatus::Firing)] });
    }

    pub fn resolve(&mut self, source: &str, item: &str, name: &str) {
        let event = event(self.now, source, item, name, Severity::Critical, EventStatus::Resolved);
        self.input(Input::Events { events: vec![event] });
    }

    /// Lets time pass, ticking whenever the engine asks for it.
    pub fn pass(&mut self, span: Span) {
        let until = self.now + span;
        while let Some(at) = next_deadline(&self.state).filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.input(Input::Tick);
        }
        self.now = until;
    }

    pub fn open(&self) -> Vec<&Incident> {
        self.state
            .incidents()
            .filter(|i| matches!(i.state, IncidentState::Open | IncidentState::Acknowledged))
            .collect()
    }

    pub fn told(&self) -> Vec<(NotificationKind, String)> {
        self.deliveries.iter().map(|d| (d.notification.kind, d.sink.clone())).collect()
    }

    pub fn kinds(&self) -> Vec<NotificationKind> {
        self.deliveries.iter().map(|delivery| delivery.notification.kind).collect()
    }

    pub fn says(&self, words: &str) -> bool {
        self.timeline.iter().any(|entry| entry.text.contains(words))
    }

    pub fn command(&mut self, command: Command) -> Reply {
        let by = Principal { name: "anna".to_owned(), role: Role::Responder };
        self.input(Input::Command { by, command });
        self.replies.pop().unwrap()
    }

    pub fn sent(&mut self, id: &str, result: SendResult) {
        self.input(Input::Sent { delivery: id.to_owned(), result });
    }
}

fn merge_changes(all: &mut Changes, new: Changes) {
    all.alerts.extend(new.alerts);
    all.incidents.extend(new.incidents);
    all.problems.extend(new.problems);
    all.deliveries.extend(new.deliveries);
    all.told.extend(new.told);
    all.firings.extend(new.firings);
    all.facts.extend(new.facts);
}

/// What the store would hold after these changes.
pub fn snapshot(changes: &Changes) -> Snapshot {
    let mut alerts = BTreeMap::new();
    for (alert, is_live) in &changes.alerts {
        alerts.insert(alert.number, is_live.then(|| Arc::clone(alert)));
    }
    let mut incidents = BTreeMap::new();
    for (incident, is_live) in &changes.incidents {
        incidents.insert(incident.id, is_live.then(|| Arc::clone(incident)));
    }
    let mut facts = BTreeMap::new();
    for fact in &changes.facts {
        facts.insert((fact.kind.to_owned(), fact.key.clone()), fact.value.clone());
    }
    let problems: BTreeMap<_, _> =
        changes.problems.iter().map(|problem| (problem.id.clone(), problem.clone())).collect();
    let deliveries: BTreeMap<_, _> = changes.deliveries.iter().map(|d| (d.id.clone(), d.clone())).collect();
    Snapshot {
        position: 0,
        last_at: Timestamp::default(),
        alerts: alerts.into_values().flatten().collect(),
        incidents: incidents.into_values().flatten().collect(),
        problems: problems.into_values().collect(),
        deliveries: deliveries.into_values().filter(|d| d.state.as_str() == "pending").collect(),
        facts: facts.into_iter().filter_map(|((kind, key), value)| Some((kind, key, value?))).collect(),
    }
}

pub fn event(now: Timestamp, source: &str, item: &str, name: &str, severity: Severity, status: EventStatus) -> Event {
    Event {
        id: format!("{source}/{item}/{name}/{}/{now}", status.as_str()),
        at: now,
        received_at: now,
        source: source.to_owned(),
        status,
        name: name.to_owned(),
        dedup_key: format!("{item}/{name}"),
        severity,
        configuration_item: Some(item.to_owned()).filter(|item| !item.is_empty()),
        service: None,
        labels: Labels::new(),
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
        extra: BTreeMap::new(),
    }
}

impl Scenario {
    /// After a pause without ticks the invariant on deadlines holds only once the input is through.
    pub fn input_unchecked(&mut self, input: Input) {
        for effect in step(&mut self.state, self.now, input) {
            if let Effect::Timeline(entry) = effect {
                self.timeline.push(entry);
            }
        }
        let changes = self.state.take_changes();
        merge_changes(&mut self.changes, changes);
        self.pass(Span::ZERO);
    }
}
