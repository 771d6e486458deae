//! The engine without anything around it: inputs at the times they had, ticks at the moments it asks for, every
//! delivery arriving at once. Notes which event ended up in which incident, and what the engine took for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::engine::effect::Effect;
use crate::engine::input::{Input, SendResult};
use crate::engine::policy::Policy;
use crate::engine::state::{Changes, State};
use crate::engine::{next_deadline, rank, step};
use crate::model::incident::Candidate;
use crate::model::{Incident, IncidentId, IncidentState, NotificationKind, Timestamp};

use super::outcome::{ReplayedCause, ReplayedIncident};

/// Someone would have been interrupted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub at: Timestamp,
    pub incident: IncidentId,
    pub kind: NotificationKind,
    pub sink: String,
}

/// Everything that a replay led to.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// By id, which is by age.
    pub incidents: Vec<ReplayedIncident>,
    pub pages: Vec<Page>,
    /// The event whose alert opened each incident.
    pub opened_by: BTreeMap<IncidentId, String>,
}

/// Whose ticks and whose answers of receivers are played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clockwork {
    /// The player's own, where only events are recorded or another policy shall decide.
    Own,
    /// Those of the record.
    Recorded,
}

pub struct Player {
    state: State,
    now: Timestamp,
    clockwork: Clockwork,
    /// Incident of each event that made an alert fire, with the order in which they came.
    filed: BTreeMap<Box<str>, (u64, IncidentId)>,
    /// The last row of each incident.
    incidents: BTreeMap<IncidentId, Arc<Incident>>,
    /// Incidents that have ended since somebody asked.
    ended: Vec<IncidentId>,
    /// Incidents that have gone another way since somebody asked.
    routed: Vec<IncidentId>,
    /// Spent in the engine.
    took: Duration,
    opened_by: BTreeMap<IncidentId, String>,
    pages: Vec<Page>,
}

impl Player {
    pub fn new(clockwork: Clockwork) -> Self {
        Self {
            state: State::default(),
            now: Timestamp::default(),
            clockwork,
            filed: BTreeMap::new(),
            incidents: BTreeMap::new(),
            ended: Vec::new(),
            routed: Vec::new(),
            took: Duration::ZERO,
            opened_by: BTreeMap::new(),
            pages: Vec::new(),
        }
    }

    /// Under this policy from the beginning.
    pub fn with_policy(policy: Policy, at: Timestamp) -> Self {
        let mut player = Self::new(Clockwork::Own);
        player.input(at, Input::Configured { policy: Box::new(policy) });
        player
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Spent in the engine so far.
    pub fn took(&self) -> Duration {
        self.took
    }

    /// An incident as it is, or as it was when memory let go of it.
    pub fn incident(&self, id: &IncidentId) -> Option<&Incident> {
        self.incidents.get(id).map(|incident| &**incident)
    }

    /// Incidents that have ended since the last call.
    pub fn take_ended(&mut self) -> Vec<IncidentId> {
        std::mem::take(&mut self.ended)
    }

    /// Incidents that go to receivers, or to other ones, since the last call.
    pub fn take_routed(&mut self) -> Vec<IncidentId> {
        std::mem::take(&mut self.routed)
    }

    /// The events that made the alerts of an incident fire.
    pub fn events_of(&self, id: IncidentId) -> impl Iterator<Item = &str> {
        self.filed.iter().filter(move |(_, (_, filed))| self.survivor(*filed) == id).map(|(event, _)| &**event)
    }

    fn survivor(&self, mut id: IncidentId) -> IncidentId {
        while let Some(into) = self.incidents.get(&id).and_then(|incident| incident.merged_into) {
            id = into;
        }
        id
    }

    /// One input at its time; what is due before it happens before it.
    pub fn input(&mut self, at: Timestamp, input: Input) {
        self.pass(at);
        self.now = self.now.max(at);
        self.step(input);
    }

    /// Lets time go on until then.
    pub fn pass(&mut self, until: Timestamp) {
        while self.tick(until) {}
    }

    /// Does the next thing that is due before then; false when there is none.
    pub fn tick(&mut self, until: Timestamp) -> bool {
        let due = next_deadline(&self.state).filter(|at| *at < until && self.clockwork == Clockwork::Own);
        if let Some(at) = due {
            self.now = self.now.max(at);
            self.step(Input::Tick);
        }
        due.is_some()
    }

    fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            let begun = Stopwatch::start();
            let effects = step(&mut self.state, self.now, input);
            let changes = self.state.take_changes();
            self.took += begun.elapsed();
            self.file(changes);
            for effect in effects {
                let Effect::Deliver(delivery) = effect else { continue };
                if delivery.attempts <= 1 && delivery.notification.kind.is_loud() {
                    let (kind, sink) = (delivery.notification.kind, delivery.sink.clone());
                    self.pages.push(Page { at: self.now, incident: delivery.incident, kind, sink });
                }
                if self.clockwork == Clockwork::Own {
                    let result = SendResult::Delivered { proof: "replay".to_owned(), remote: None };
                    inputs.push(Input::Sent { delivery: delivery.id, result });
                }
            }
        }
    }

    /// Notes where the alerts that have changed belong now, and what became of incidents.
    fn file(&mut self, changes: Changes) {
        for (alert, _) in &changes.alerts {
            let Some(id) = alert.incident else { continue };
            if !self.filed.contains_key(&alert.opened_by) {
                self.opened_by.entry(id).or_insert_with(|| alert.opened_by.to_string());
            }
            let order = self.filed.len() as u64;
            self.filed.entry(alert.opened_by.clone()).or_insert((order, id)).1 = id;
        }
        for (incident, _) in changes.incidents {
            let (id, state) = (incident.id, incident.state);
            let routed = incident.routed.clone();
            let before = self.incidents.insert(id, incident);
            if routed.is_some() && before.as_ref().is_none_or(|before| before.routed != routed) {
                self.routed.push(id);
            }
            let before = before.map(|before| before.state);
            if state == IncidentState::Resolved && before != Some(IncidentState::Resolved) {
                self.ended.push(id);
            }
        }
    }

    /// What it all came to.
    pub fn finish(self) -> Outcome {
        let mut alerts: BTreeMap<IncidentId, Vec<(u64, String)>> = BTreeMap::new();
        for (event, (order, id)) in &self.filed {
            alerts.entry(self.survivor(*id)).or_default().push((*order, event.to_string()));
        }
        let last = self.incidents.values().filter(|incident| incident.state != IncidentState::Merged);
        let incidents = last.map(|incident| {
            let mut alerts = alerts.remove(&incident.id).unwrap_or_default();
            alerts.sort_unstable();
            replayed(incident, alerts.into_iter().map(|(_, event)| event).collect())
        });
        Outcome { incidents: incidents.collect(), pages: self.pages, opened_by: self.opened_by }
    }
}

fn replayed(incident: &Incident, alerts: Vec<String>) -> ReplayedIncident {
    ReplayedIncident {
        id: incident.id,
        opened_at: incident.opened_at,
        resolved_at: incident.resolved_at,
        state: incident.state,
        priority: incident.priority,
        alerts,
        root_causes: causes(incident),
        merged_from: incident.merged_from.clone(),
        suspect_changes: suspects(incident),
    }
}

fn suspects(incident: &Incident) -> Vec<String> {
    incident.root_cause.iter().flat_map(|cause| &cause.suspect_changes).map(|suspect| suspect.change.clone()).collect()
}

/// The one that was named, and the other candidates, the best first. Alerts without an item blame none, unless a person
/// does.
pub fn causes(incident: &Incident) -> Vec<ReplayedCause> {
    let Some(cause) = &incident.root_cause else { return Vec::new() };
    if cause.candidates.is_empty() && cause.confirmed_by.is_none() {
        return Vec::new();
    }
    let is_named = |candidate: &Candidate| candidate.configuration_item == cause.configuration_item;
    let named = ReplayedCause {
        node: cause.configuration_item.clone(),
        score: cause.candidates.iter().find(|candidate| is_named(candidate)).map_or(0, |candidate| candidate.score),
        confidence: cause.confidence_percent,
        why: cause.why.clone(),
    };
    let scores: Vec<i64> = cause.candidates.iter().map(|candidate| candidate.score).collect();
    let others = cause.candidates.iter().zip(rank::shares(&scores)).filter(|(candidate, _)| !is_named(candidate));
    let others = others.map(|(candidate, share)| ReplayedCause {
        node: candidate.configuration_item.clone(),
        score: candidate.score,
        confidence: (share / 10) as u8,
        why: terms(candidate),
    });
    [named].into_iter().chain(others).collect()
}

/// `own alerts +2.1, explained by its dependencies −0.8 bits`.
fn terms(candidate: &Candidate) -> String {
    let term = |(name, bits): &(std::borrow::Cow<'static, str>, i64)| {
        let sign = if *bits < 0 { '−' } else { '+' };
        format!("{name} {sign}{}.{}", bits.abs() / 1_000, bits.abs() % 1_000 / 100)
    };
    format!("{} bits", candidate.terms.iter().map(term).collect::<Vec<_>>().join(", "))
}
