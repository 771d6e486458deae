//! The engine over a labelled set, under a simulated clock: what its incidents were in the end, and whom it blames
//! when it is handed a failure's alerts. Decides when a person confirms a cause; the truth is shown to the engine in
//! no other way.

use std::collections::BTreeMap;

use super::events;
use super::sets::{Failure, Set};
use crate::engine::input::{Command, Input, Principal, Role};
use crate::engine::policy::{Naming, Policy};
use crate::engine::state::State;
use crate::engine::{root_cause, step};
use crate::model::incident::RootCause;
use crate::model::{Alert, Fingerprint, IncidentId, Span, Timestamp};
use crate::replay::outcome::{ReplayedCause, ReplayedIncident};
use crate::replay::player::{self, Player};

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
        let mut trial = Trial::new(set, confirm, first.received_at);
        let begun = trial.player.took();
        let mut changes = set.changes.iter().peekable();
        for event in events {
            while let Some(change) = changes.next_if(|change| change.received_at <= event.received_at) {
                trial.input(change.received_at, Input::Changes { changes: vec![change.clone()] });
            }
            trial.input(event.received_at, Input::Events { events: vec![event] });
        }
        trial.pass(trial.player.now() + RUNS_ON);
        let took = trial.player.took().saturating_sub(begun);
        Replay { micros_per_alert: took.as_secs_f64() * 1e6 / set.alerts.len() as f64, incidents: trial.finish() }
    }

    fn rank_given(&self, set: &Set, confirm: bool) -> Vec<Vec<String>> {
        let Some(first) = set.alerts.first() else { return vec![Vec::new(); set.failures.len()] };
        let (mut state, mut now) = (State::default(), first.received_at);
        step(&mut state, now, Input::Configured { policy: Box::new(policy(set)) });
        let (mut rankings, mut last) = (Vec::new(), None);
        for failure in &set.failures {
            let alerts = handed(set, failure, now + APART);
            now = alerts.iter().map(|alert| alert.last_seen_at).max().unwrap_or(now + APART);
            let cause = root_cause::of(&state, now, &alerts);
            let candidates = cause.iter().flat_map(|cause| &cause.candidates);
            rankings.push(candidates.map(|candidate| candidate.configuration_item.clone()).collect());
            let cause = if confirm { cause.map(|cause| confirmed(cause, failure)) } else { cause };
            let id = IncidentId::next(last, now, Fingerprint::of([failure.case.as_str()]));
            root_cause::learn_from(&mut state, now, &id, &alerts, cause.as_ref());
            last = Some(id);
        }
        rankings
    }
}

/// Time after the last alert, for whatever is still to come.
const RUNS_ON: Span = Span::from_hours(1);
/// Between two failures that are handed over one by one: nothing of one reaches into the next.
const APART: Span = Span::from_hours(1);
/// What is due at the very moment of an event happens before it.
const MOMENT: Span = Span::from_millis(1);
/// Who confirms.
const PERSON: &str = "evaluate";

/// The alerts of a failure as if it began at this moment. One that repeats another has its say on how bad it is.
fn handed(set: &Set, failure: &Failure, began: Timestamp) -> Vec<Alert> {
    let Some(first) = failure.alerts.first().map(|alert| set.alerts[*alert].received_at) else { return Vec::new() };
    let mut alerts: Vec<Alert> = Vec::new();
    let mut known: BTreeMap<Fingerprint, usize> = BTreeMap::new();
    for firing in failure.alerts.iter().map(|alert| &set.alerts[*alert]) {
        let at = began + firing.received_at.since(first);
        let alert = events::alert(firing, alerts.len() as u64, at);
        match known.get(&alert.fingerprint) {
            Some(position) => {
                alerts[*position].severity = alert.severity;
                alerts[*position].last_seen_at = at;
            }
            None => {
                known.insert(alert.fingerprint, alerts.len());
                alerts.push(alert);
            }
        }
    }
    alerts
}

/// The cause that a person names who knows the truth.
fn confirmed(cause: RootCause, failure: &Failure) -> RootCause {
    let confirmed_by = Some(PERSON.to_owned());
    RootCause { configuration_item: failure.root_node.clone(), confirmed_by, ..cause }
}

/// A replay with a person who knows the truth looking on.
struct Trial<'a> {
    player: Player,
    set: &'a Set,
    positions: BTreeMap<&'a str, usize>,
    confirms: bool,
    /// Causes as they were when the incident was over for the first time.
    concluded: BTreeMap<IncidentId, Vec<ReplayedCause>>,
}

impl<'a> Trial<'a> {
    fn new(set: &'a Set, confirms: bool, at: Timestamp) -> Self {
        let positions = set.alerts.iter().enumerate().map(|(at, alert)| (&*alert.id, at)).collect();
        let player = Player::with_policy(policy(set), at);
        Self { player, set, positions, confirms, concluded: BTreeMap::new() }
    }

    fn input(&mut self, at: Timestamp, input: Input) {
        self.pass(at);
        self.player.input(at, input);
        self.conclude();
    }

    /// Ticks at every deadline up to `until`, as the daemon does.
    fn pass(&mut self, until: Timestamp) {
        while self.player.tick(until + MOMENT) {
            self.conclude();
        }
    }

    /// Notes whom the engine blames for what has ended. Who confirms then names the cause: that of the failure with most
    /// alerts in it.
    fn conclude(&mut self) {
        for id in self.player.take_ended() {
            let Some(incident) = self.player.incident(&id) else { continue };
            self.concluded.entry(id).or_insert_with(|| player::causes(incident));
            if let Some(failure) = self.confirms.then(|| self.failure_in(&id)).flatten() {
                let by = Principal { name: PERSON.to_owned(), role: Role::Responder };
                let configuration_item = failure.root_node.clone();
                let command = Command::ConfirmRootCause { incident: id.to_string(), configuration_item };
                self.player.input(self.player.now(), Input::Command { by, command });
            }
        }
    }

    fn failure_in(&self, id: &IncidentId) -> Option<&'a Failure> {
        let mut counts: BTreeMap<usize, usize> = BTreeMap::new();
        let positions = self.player.events_of(*id).filter_map(|event| self.positions.get(event));
        for failure in positions.filter_map(|at| self.set.failure_of[*at]) {
            *counts.entry(failure).or_default() += 1;
        }
        let (failure, _) = counts.into_iter().max_by_key(|(failure, count)| (*count, std::cmp::Reverse(*failure)))?;
        self.set.failures.get(failure)
    }

    fn finish(self) -> Vec<ReplayedIncident> {
        let Self { player, mut concluded, .. } = self;
        let incidents = player.finish().incidents.into_iter();
        let told = |incident: ReplayedIncident| match concluded.remove(&incident.id) {
            Some(root_causes) => ReplayedIncident { root_causes, ..incident },
            None => incident,
        };
        incidents.map(told).collect()
    }
}

/// The defaults of the daemon; the nodes of a set are named alike everywhere, and case counts.
fn policy(set: &Set) -> Policy {
    let naming = Naming { lowercase: false, strip_port: false, short_names: false, ..Naming::default() };
    Policy { naming, topology: set.topology.clone(), ..Policy::default() }
}
