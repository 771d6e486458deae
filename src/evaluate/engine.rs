//! The engine over a labelled set, under a simulated clock: what its incidents were in the end, and whom it blames
//! when it is handed a failure's alerts. Decides when ticks come and when a person confirms a cause; the truth is
//! shown to the engine in no other way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::events;
use super::sets::{Failure, Set};
use crate::clock::Stopwatch;
use crate::engine::effect::Effect;
use crate::engine::input::{Command, Input, Principal, Role, SendResult};
use crate::engine::policy::{Naming, Policy};
use crate::engine::state::State;
use crate::engine::{next_deadline, root_cause, step};
use crate::model::alert::AlertNumber;
use crate::model::event::Event;
use crate::model::{Incident, IncidentId, IncidentState, Labels, Severity, Span, Timestamp};
use crate::replay::outcome::{ReplayedCause, ReplayedIncident};

/// What came of a whole set.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    pub incidents: Vec<ReplayedIncident>,
    /// The engine's own time for one line of the alerts.
    pub micros_per_alert: f64,
}

/// What is judged; tests put something in its place whose answers are known.
pub trait Engine {
    /// All alerts in the order of their receipt. The causes of an incident are those that it had when it was over for
    /// the first time: what people read. With `confirm`, a person then names the true one.
    fn replay(&self, set: &Set, confirm: bool) -> Replay;
    /// For each failure, the causes of an incident that holds exactly its alerts, with the earlier failures as
    /// history; with `confirm`, their true causes as well.
    fn rank_given(&self, set: &Set, confirm: bool) -> Vec<Vec<String>>;
}

/// The engine of this program with the policy that it has without a configuration.
pub struct Watchbell;

impl Engine for Watchbell {
    fn replay(&self, set: &Set, confirm: bool) -> Replay {
        let events = events::of(set);
        let Some(first) = events.first() else { return Replay::default() };
        let mut run = Run::new(set, first.received_at);
        let truth = confirm.then_some(set);
        let mut changes = set.changes.iter().peekable();
        for event in events {
            while let Some(change) = changes.next_if(|change| change.received_at <= event.received_at) {
                run.pass_until(change.received_at, truth);
                run.input(Input::Changes { changes: vec![change.clone()] });
            }
            run.pass_until(event.received_at, truth);
            run.input(Input::Events { events: vec![event] });
            run.conclude(truth);
        }
        run.pass_until(run.now + RUNS_ON, truth);
        Replay { micros_per_alert: run.took.as_secs_f64() * 1e6 / set.alerts.len() as f64, incidents: run.outcome() }
    }

    fn rank_given(&self, set: &Set, confirm: bool) -> Vec<Vec<String>> {
        let Some(first) = set.alerts.first() else { return vec![Vec::new(); set.failures.len()] };
        let mut run = Run::new(set, first.received_at);
        set.failures.iter().map(|failure| run.rank_one(set, failure, confirm)).collect()
    }
}

/// Time after the last alert, for whatever is still to come.
const RUNS_ON: Span = Span::from_hours(1);
/// Between two failures that are handed over one by one: nothing of one reaches into the next.
const APART: Span = Span::from_hours(1);

/// The label by which an aggregate alert takes the alerts of a failure that is handed over into its incident.
const FAILURE_LABEL: &str = "evaluated_failure";

struct Run {
    state: State,
    now: Timestamp,
    /// Spent in the engine.
    took: Duration,
    /// The last row of each incident.
    incidents: BTreeMap<IncidentId, Arc<Incident>>,
    /// The incident of each firing, by alert and opening event; with its time, for their order.
    filed: BTreeMap<(AlertNumber, Box<str>), (Timestamp, IncidentId)>,
    /// Causes as they were when the incident was over for the first time.
    concluded: BTreeMap<IncidentId, Vec<ReplayedCause>>,
    /// Incidents that have just ended.
    ended: Vec<IncidentId>,
}

impl Run {
    fn new(set: &Set, now: Timestamp) -> Self {
        let mut run = Self {
            state: State::default(),
            now,
            took: Duration::ZERO,
            incidents: BTreeMap::new(),
            filed: BTreeMap::new(),
            concluded: BTreeMap::new(),
            ended: Vec::new(),
        };
        run.input(Input::Configured { policy: Box::new(policy(set)) });
        run.took = Duration::ZERO;
        run
    }

    /// One step; what it wants delivered is delivered at once.
    fn input(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let begun = Stopwatch::start();
            let effects = step(&mut self.state, self.now, input);
            let changes = self.state.take_changes();
            self.took += begun.elapsed();
            for effect in effects {
                if let Effect::Deliver(delivery) = effect {
                    let result = SendResult::Delivered { proof: "evaluated".to_owned(), remote: None };
                    inputs.push(Input::Sent { delivery: delivery.id, result });
                }
            }
            for (incident, _) in changes.incidents {
                let before = self.incidents.get(&incident.id).map(|before| before.state);
                if incident.state == IncidentState::Resolved && before != Some(IncidentState::Resolved) {
                    self.ended.push(incident.id);
                }
                self.incidents.insert(incident.id, incident);
            }
            for (alert, _) in changes.alerts {
                if let Some(incident) = alert.incident {
                    self.filed.insert((alert.number, alert.opened_by.clone()), (alert.fired_at, incident));
                }
            }
        }
    }

    /// Ticks at every deadline up to `until`, as the daemon does.
    fn pass_until(&mut self, until: Timestamp, truth: Option<&Set>) {
        while let Some(at) = next_deadline(&self.state).filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.input(Input::Tick);
            self.conclude(truth);
        }
        self.now = until.max(self.now);
    }

    /// Notes whom the engine blames for what has ended. A person who knows the `truth` then names the cause: that of
    /// the failure with most alerts in it.
    fn conclude(&mut self, truth: Option<&Set>) {
        for id in std::mem::take(&mut self.ended) {
            if let Some(incident) = self.incidents.get(&id).filter(|_| !self.concluded.contains_key(&id)) {
                self.concluded.insert(id, causes(incident));
            }
            if let Some(failure) = truth.and_then(|set| self.failure_in(set, &id)) {
                self.confirm(&id, &failure.root_node);
            }
        }
    }

    fn confirm(&mut self, id: &IncidentId, node: &str) {
        let by = Principal { name: "evaluate".to_owned(), role: Role::Responder };
        let command = Command::ConfirmRootCause { incident: id.to_string(), configuration_item: node.to_owned() };
        self.input(Input::Command { by, command });
    }

    /// Firings by the incident that they ended up in, with their order.
    fn members(&self) -> BTreeMap<IncidentId, Vec<(Timestamp, AlertNumber, &str)>> {
        let mut members: BTreeMap<IncidentId, Vec<(Timestamp, AlertNumber, &str)>> = BTreeMap::new();
        for ((number, event), (at, incident)) in &self.filed {
            members.entry(self.survivor(*incident)).or_default().push((*at, *number, event));
        }
        members.values_mut().for_each(|members| members.sort_unstable());
        members
    }

    fn survivor(&self, mut id: IncidentId) -> IncidentId {
        while let Some(into) = self.incidents.get(&id).and_then(|incident| incident.merged_into) {
            id = into;
        }
        id
    }

    fn failure_in<'a>(&self, set: &'a Set, id: &IncidentId) -> Option<&'a Failure> {
        let members = self.members();
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        let ids: BTreeMap<&str, usize> = set.alerts.iter().enumerate().map(|(at, alert)| (&*alert.id, at)).collect();
        for (_, _, event) in members.get(id)? {
            if let Some(failure) = ids.get(event).and_then(|at| set.failure_of[*at]) {
                *counts.entry(failure).or_default() += 1;
            }
        }
        let (failure, _) = counts.into_iter().max_by_key(|(failure, count)| (*count, std::cmp::Reverse(*failure)))?;
        set.failures.get(failure)
    }

    fn outcome(&self) -> Vec<ReplayedIncident> {
        let mut members = self.members();
        let incidents = self.incidents.values().filter(|incident| incident.state != IncidentState::Merged);
        let replayed = |incident: &Arc<Incident>| ReplayedIncident {
            id: incident.id,
            opened_at: incident.opened_at,
            resolved_at: incident.resolved_at,
            state: incident.state,
            priority: incident.priority,
            alerts: members
                .remove(&incident.id)
                .unwrap_or_default()
                .into_iter()
                .map(|(_, _, id)| id.to_owned())
                .collect(),
            root_causes: self.concluded.get(&incident.id).cloned().unwrap_or_else(|| causes(incident)),
            merged_from: incident.merged_from.clone(),
            suspect_changes: (incident.root_cause.iter().flat_map(|cause| &cause.suspect_changes))
                .map(|suspect| suspect.change.clone())
                .collect(),
        };
        incidents.map(replayed).collect()
    }

    /// Hands over one failure: its alerts, which an aggregate gathers in one incident, and nothing else.
    fn rank_one(&mut self, set: &Set, failure: &Failure, confirm: bool) -> Vec<String> {
        self.pass_until(self.now + APART, None);
        let began = self.now;
        let scope = aggregate(&failure.case, began);
        self.input(Input::Events { events: vec![scope.clone()] });
        self.pin(&scope.id);
        let Some(first) = failure.alerts.first().map(|alert| set.alerts[*alert].received_at) else {
            return Vec::new();
        };
        let handed = |alert: &usize| {
            let alert = &set.alerts[*alert];
            let mut event = events::firing(alert);
            event.received_at = began + alert.received_at.since(first);
            event.at = event.received_at;
            event.source = scope.source.clone();
            event.dedup_key = format!("{}/{}", alert.source, event.dedup_key);
            event.labels.insert(FAILURE_LABEL, &failure.case);
            event.expires_at = None;
            event
        };
        let alerts: Vec<Event> = failure.alerts.iter().map(handed).collect();
        for event in &alerts {
            self.pass_until(event.received_at, None);
            self.input(Input::Events { events: vec![event.clone()] });
        }
        let Some(id) = self.incident_of(&alerts) else { return Vec::new() };
        root_cause::rank(&mut self.state, self.now, &id);
        let incident = self.state.incident(&id);
        let ranking = incident.map(causes).unwrap_or_default().into_iter().map(|cause| cause.node).collect();
        if confirm {
            self.confirm(&id, &failure.root_node);
        }
        let over = |event: Event| Event {
            id: format!("{}-resolved", event.id),
            status: crate::model::EventStatus::Resolved,
            at: self.now,
            received_at: self.now,
            ..event
        };
        let ends = [scope].into_iter().chain(alerts).map(over).collect();
        self.input(Input::Events { events: ends });
        self.filed.clear();
        self.incidents.clear();
        ranking
    }

    /// Somebody takes the incident of this event, which nothing divides from then on.
    fn pin(&mut self, event: &str) {
        let filed = self.filed.iter().find(|((_, id), _)| **id == *event).map(|(_, (_, incident))| *incident);
        if let Some(incident) = filed {
            let by = Principal { name: "evaluate".to_owned(), role: Role::Responder };
            let command = Command::Acknowledge { incident: incident.to_string(), note: None };
            self.input(Input::Command { by, command });
        }
    }

    /// The incident that holds most of these events.
    fn incident_of(&self, events: &[Event]) -> Option<IncidentId> {
        let members = self.members();
        let held = |members: &[(Timestamp, AlertNumber, &str)]| {
            members.iter().filter(|(_, _, id)| events.iter().any(|event| event.id == *id)).count()
        };
        let most = members.iter().max_by_key(|(id, members)| (held(members), std::cmp::Reverse(**id)));
        most.map(|(id, _)| *id)
    }
}

/// The defaults of the daemon; the nodes of a set are named alike everywhere, and case counts.
fn policy(set: &Set) -> Policy {
    let naming = Naming { lowercase: false, strip_port: false, short_names: false, ..Naming::default() };
    Policy { naming, topology: set.topology.clone(), ..Policy::default() }
}

/// The candidates, the best first, with what is known of the first one.
fn causes(incident: &Incident) -> Vec<ReplayedCause> {
    let Some(cause) = &incident.root_cause else { return Vec::new() };
    let others = cause.candidates.len().saturating_sub(1).max(1) as u8;
    let left = 100_u8.saturating_sub(cause.confidence_percent) / others;
    let mut named = vec![ReplayedCause {
        node: cause.configuration_item.clone(),
        score: 0,
        confidence: cause.confidence_percent,
        why: cause.why.clone(),
    }];
    for candidate in &cause.candidates {
        match named.iter_mut().find(|known| known.node == candidate.configuration_item) {
            Some(known) => known.score = candidate.score,
            None => named.push(ReplayedCause {
                node: candidate.configuration_item.clone(),
                score: candidate.score,
                confidence: left,
                why: String::new(),
            }),
        }
    }
    named
}

/// An alert without an item, about everything that carries its label.
fn aggregate(case: &str, at: Timestamp) -> Event {
    Event {
        id: format!("{FAILURE_LABEL}/{case}"),
        at,
        received_at: at,
        source: "evaluate".to_owned(),
        status: crate::model::EventStatus::Firing,
        name: FAILURE_LABEL.to_owned(),
        dedup_key: format!("{FAILURE_LABEL}/{case}"),
        severity: Severity::Critical,
        configuration_item: None,
        service: None,
        labels: [(FAILURE_LABEL, case)].into_iter().collect::<Labels>(),
        annotations: Labels::new(),
        url: None,
        expires_at: None,
        aliases: Vec::new(),
        parents: Vec::new(),
        marker: None,
        author: None,
        note: None,
        extra: BTreeMap::new(),
    }
}
