//! The engine without anything around it: inputs at the times they had, ticks at the moments it asks for, every
//! delivery arriving at once. Notes which event ended up in which incident.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::effect::Effect;
use crate::engine::input::{Input, SendResult};
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::engine::{next_deadline, rank, step};
use crate::model::incident::{Candidate, RootCause};
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
    /// Incidents that memory has let go of.
    gone: BTreeMap<IncidentId, Arc<Incident>>,
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
            gone: BTreeMap::new(),
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

    /// One input at its time; what is due before it happens before it.
    pub fn input(&mut self, at: Timestamp, input: Input) {
        self.pass(at);
        self.now = self.now.max(at);
        self.step(input);
    }

    /// Lets time go on until then.
    pub fn pass(&mut self, until: Timestamp) {
        if self.clockwork == Clockwork::Recorded {
            return;
        }
        while let Some(at) = next_deadline(&self.state).filter(|at| *at < until) {
            self.now = self.now.max(at);
            self.step(Input::Tick);
        }
    }

    fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in step(&mut self.state, self.now, input) {
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
        self.file();
    }

    /// Notes where the alerts that have changed belong now.
    fn file(&mut self) {
        let changes = self.state.take_changes();
        for (alert, _) in &changes.alerts {
            let Some(id) = alert.incident else { continue };
            if !self.filed.contains_key(&alert.opened_by) {
                self.opened_by.entry(id).or_insert_with(|| alert.opened_by.to_string());
            }
            let order = self.filed.len() as u64;
            self.filed.entry(alert.opened_by.clone()).or_insert((order, id)).1 = id;
        }
        for (incident, is_live) in changes.incidents {
            if !is_live {
                self.gone.insert(incident.id, incident);
            }
        }
    }

    /// What it all came to.
    pub fn finish(self) -> Outcome {
        let mut alerts: BTreeMap<IncidentId, Vec<(u64, String)>> = BTreeMap::new();
        for (event, (order, id)) in self.filed {
            alerts.entry(id).or_default().push((order, event.into_string()));
        }
        let live = self.state.incidents().map(|incident| (incident.id, incident));
        let gone = self.gone.iter().map(|(id, incident)| (*id, &**incident));
        let all: BTreeMap<IncidentId, &Incident> = gone.chain(live).collect();
        let ended = all.into_values().filter(|incident| incident.state != IncidentState::Merged);
        let incidents = ended.map(|incident| {
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
        root_causes: incident.root_cause.as_ref().map(causes).unwrap_or_default(),
        merged_from: incident.merged_from.clone(),
        suspect_changes: suspects(incident),
    }
}

fn suspects(incident: &Incident) -> Vec<String> {
    incident.root_cause.iter().flat_map(|cause| &cause.suspect_changes).map(|suspect| suspect.change.clone()).collect()
}

fn causes(cause: &RootCause) -> Vec<ReplayedCause> {
    let scores: Vec<i64> = cause.candidates.iter().map(|candidate| candidate.score).collect();
    let shares = rank::shares(&scores);
    let others = cause.candidates.iter().zip(shares).map(|(candidate, share)| {
        let is_first = candidate.configuration_item == cause.configuration_item;
        ReplayedCause {
            node: candidate.configuration_item.clone(),
            score: candidate.score,
            confidence: if is_first { cause.confidence_percent } else { (share / 10) as u8 },
            why: if is_first { cause.why.clone() } else { terms(candidate) },
        }
    });
    others.collect()
}

/// `own alerts +2.1, explained by its dependencies −0.8 bits`.
fn terms(candidate: &Candidate) -> String {
    let term = |(name, bits): &(std::borrow::Cow<'static, str>, i64)| {
        let sign = if *bits < 0 { '−' } else { '+' };
        format!("{name} {sign}{}.{}", bits.abs() / 1_000, bits.abs() % 1_000 / 100)
    };
    format!("{} bits", candidate.terms.iter().map(term).collect::<Vec<_>>().join(", "))
}
