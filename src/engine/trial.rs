//! What would become of alerts, with every reason: the routes that take each, its group or incident, what mutes it, and
//! what would be sent. Makes a state of its own, steps the alerts in and asks the stages that decide for the daemon; decides
//! nothing itself.
//!
//! ```text
//! policy, silences, alerts, a time ─▶ State ─▶ step ─▶ Verdict for each alert, and the deliveries
//! ```
//!
//! All alerts fire at the same time. Groups are looked at then; incidents are given the time they need to open and to be
//! told of.

pub mod coverage;

use serde::Serialize;

use crate::model::event::{Event, EventStatus};
use crate::model::{
    Alert, Delivery, Incident, IncidentId, IncidentState, Labels, NotificationKind, Priority, Severity, Silence, Span,
    Timestamp,
};

use self::coverage::Coverage;
use super::dispatch::{self, GroupRoute};
use super::effect::Effect;
use super::inhibit::{self, Eyes};
use super::input::Input;
use super::policy::{InhibitRule, NotifyBy, Policy, Route};
use super::state::State;
use super::{dedup, group, maintenance, next_deadline, route, silence, step};

/// What is tried.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    pub policy: &'a Policy,
    pub silences: &'a [Silence],
    pub events: &'a [Event],
    pub at: Timestamp,
}

#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    pub at: Timestamp,
    pub notify_by: NotifyBy,
    /// In the order of the events.
    pub alerts: Vec<Verdict>,
    /// The first word to each sink.
    #[serde(skip)]
    pub deliveries: Vec<Delivery>,
}

/// What becomes of one alert.
#[derive(Clone, Debug, Serialize)]
pub struct Verdict {
    pub name: String,
    pub severity: Severity,
    /// As matchers see them.
    pub labels: Labels,
    /// Nobody would hear of it, on any route.
    pub is_muted: bool,
    /// What mutes this alert, whatever else is in its group or incident.
    pub muted_by: Vec<Mute>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<Interruption>,
    /// The routes that take it, in the order in which they match.
    pub routes: Vec<Way>,
    /// Why there is no route at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unrouted: Option<String>,
}

/// One route that takes an alert, or its incident.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    /// `route.routes[1].routes[0]`, as a configuration's problems name it.
    pub path: String,
    /// From the root to that route.
    pub steps: Vec<Step>,
    /// The route on this way whose `continue` let the next one match as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub continued_by: Option<String>,
    pub receiver: String,
    pub sinks: Vec<String>,
    /// Absent where people are told of incidents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Grouped>,
    pub group_wait: Span,
    pub group_interval: Span,
    pub repeat_interval: Span,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub escalation_policy: Option<String>,
    /// Names of the time intervals that keep people from hearing by this route.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub muted_by: Vec<String>,
    /// Its deliveries are filed under it.
    #[serde(skip)]
    pub told_as: IncidentId,
}

#[derive(Clone, Debug, Serialize)]
pub struct Step {
    pub path: String,
    pub matchers: Vec<String>,
    #[serde(rename = "continue")]
    pub continues: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Grouped {
    /// `{}/{team="db"}:{alertname="HostDown"}`.
    pub key: String,
    pub labels: Labels,
}

/// The incident that an alert is part of.
#[derive(Clone, Debug, Serialize)]
pub struct Interruption {
    pub id: IncidentId,
    pub title: String,
    pub priority: Priority,
    /// The item that is named as its cause.
    pub root_cause: Option<String>,
    pub alert_count: u32,
    /// How long after the alert it opens.
    pub opens_after: Span,
    /// Everything in it is muted.
    pub is_muted: bool,
}

/// One reason for which people do not hear of an alert.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Mute {
    Inhibition { rule: String, matchers: InhibitRule, alert: String, labels: Labels },
    Silence { silence: Silence },
    Maintenance { reason: String },
    TimeInterval { names: Vec<String> },
}

impl Mute {
    /// As expectations call it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Inhibition { .. } => "inhibition",
            Self::Silence { .. } => "silence",
            Self::Maintenance { .. } => "maintenance",
            Self::TimeInterval { .. } => "time_interval",
        }
    }
}

impl Verdict {
    /// Receivers by route, each once, in order.
    pub fn receivers(&self) -> Vec<&str> {
        let mut receivers: Vec<&str> = Vec::new();
        for way in &self.routes {
            if !receivers.contains(&way.receiver.as_str()) {
                receivers.push(&way.receiver);
            }
        }
        receivers
    }

    /// What mutes it, time intervals of its routes included.
    pub fn causes(&self) -> Vec<Mute> {
        let intervals = self.routes.iter().filter(|way| !way.muted_by.is_empty());
        let intervals = intervals.map(|way| Mute::TimeInterval { names: way.muted_by.clone() });
        self.muted_by.iter().cloned().chain(intervals).collect()
    }
}

impl Trial {
    /// What would be sent by this route.
    pub fn deliveries_of<'a>(&'a self, way: &'a Way) -> impl Iterator<Item = &'a Delivery> {
        let is_its = |delivery: &&Delivery| delivery.incident == way.told_as && delivery.receiver == way.receiver;
        self.deliveries.iter().filter(is_its)
    }
}

/// Tries it.
pub fn run(case: &Case<'_>) -> Trial {
    let (state, events, effects) = play(case);
    let alerts = events.iter().map(|event| verdict(&state, case.at, event)).collect();
    Trial { at: case.at, notify_by: case.policy.notify_by, alerts, deliveries: deliveries(effects) }
}

/// Tries it for what of the policy it uses.
pub fn cover(case: &Case<'_>, coverage: &mut Coverage) {
    let (state, events, _) = play(case);
    for event in &events {
        coverage.see_event(&state, case.at, event);
    }
    for incident in state.incidents() {
        coverage.see_incident(&state, incident);
    }
}

fn play(case: &Case<'_>) -> (State, Vec<Event>, Vec<Effect>) {
    let Case { policy, silences, events, at } = *case;
    let mut state = State::default();
    step(&mut state, at, Input::Configured { policy: Box::new(policy.clone()) });
    for silence in silences {
        state.put_silence(silence.clone());
    }
    let events: Vec<Event> = events.iter().map(|event| present(event, at)).collect();
    let mut effects = step(&mut state, at, Input::Events { events: events.clone() });
    match policy.notify_by {
        NotifyBy::Group => {
            dispatch::tell_all(&mut state, at);
            effects.append(&mut state.effects);
        }
        NotifyBy::Incident => effects.extend(let_open(&mut state, at)),
    }
    (state, events, effects)
}

/// An alert that fires at that time and goes on doing so.
fn present(event: &Event, at: Timestamp) -> Event {
    Event { at: event.at.min(at), received_at: at, expires_at: None, ..event.clone() }
}

/// Time passes until everything that opens is told, or muted.
fn let_open(state: &mut State, at: Timestamp) -> Vec<Effect> {
    let correlation = &state.policy().correlation;
    let longest = longest_wait(&state.policy().route);
    let until = at + correlation.open_after + correlation.hold_down + longest;
    let mut effects = Vec::new();
    while let Some(due) = next_deadline(state).filter(|due| *due <= until && !is_settled(state)) {
        effects.extend(step(state, due.max(at), Input::Tick));
    }
    effects
}

fn longest_wait(route: &Route) -> Span {
    let own = route.group_wait.unwrap_or(Route::GROUP_WAIT);
    route.routes.iter().map(longest_wait).fold(own, Span::max)
}

fn is_settled(state: &State) -> bool {
    state.incidents().all(|incident| match incident.state {
        IncidentState::Pending => false,
        IncidentState::Open => incident.notifying.told.is_some() || incident.notifying.muted.is_some(),
        _ => true,
    })
}

/// The first to each sink of each group or incident.
fn deliveries(effects: Vec<Effect>) -> Vec<Delivery> {
    let mut first: Vec<Delivery> = Vec::new();
    for effect in effects {
        let Effect::Deliver(delivery) = effect else { continue };
        let is_known = first.iter().any(|known| known.incident == delivery.incident && known.sink == delivery.sink);
        if delivery.notification.kind == NotificationKind::Opened && !is_known {
            first.push(*delivery);
        }
    }
    first
}

fn verdict(state: &State, at: Timestamp, event: &Event) -> Verdict {
    let number = state.find_alert(dedup::fingerprint(&event.source, &event.dedup_key));
    let Some(alert) = number.and_then(|number| state.alert(number)).filter(|alert| alert.is_firing()) else {
        return unheard(event);
    };
    let verdict = Verdict {
        name: alert.name.to_string(),
        severity: alert.severity,
        labels: alert.labels.clone(),
        is_muted: false,
        muted_by: mutes(state, at, alert),
        incident: None,
        routes: Vec::new(),
        unrouted: None,
    };
    match state.policy().notify_by {
        NotifyBy::Group => by_group(state, at, alert, verdict),
        NotifyBy::Incident => by_incident(state, at, alert, verdict),
    }
}

fn unheard(event: &Event) -> Verdict {
    let why = match event.status {
        EventStatus::Firing => "another event of the file has ended it",
        EventStatus::Resolved => "it is over, and never fired here",
        EventStatus::Acknowledged | EventStatus::Commented => "it is a word about an alert, and no alert",
    };
    Verdict {
        name: event.name.clone(),
        severity: event.severity,
        labels: event.labels.clone(),
        is_muted: false,
        muted_by: Vec::new(),
        incident: None,
        routes: Vec::new(),
        unrouted: Some(why.to_owned()),
    }
}

/// Everything that mutes the alert itself.
fn mutes(state: &State, at: Timestamp, alert: &Alert) -> Vec<Mute> {
    let mut mutes = Vec::new();
    if let Some((source, index)) = inhibit::source_and_rule(state, alert) {
        mutes.push(Mute::Inhibition {
            rule: format!("inhibit_rules[{index}]"),
            matchers: state.policy().inhibit_rules[index].clone(),
            alert: source.name.to_string(),
            labels: source.labels.clone(),
        });
    }
    let eyes = Eyes::of(state.policy());
    let silences = silence::matching(state, at, &|name| eyes.label(alert, name));
    mutes.extend(silences.into_iter().map(|silence| Mute::Silence { silence: silence.clone() }));
    // Groups know no windows; theirs are silences.
    if state.policy().notify_by == NotifyBy::Incident {
        mutes.extend(maintenance::cause(state, at, alert).map(|cause| Mute::Maintenance { reason: cause.why }));
    }
    mutes
}

fn by_group(state: &State, at: Timestamp, alert: &Alert, mut verdict: Verdict) -> Verdict {
    let book = state.book();
    for id in book.of_alert(alert.number) {
        let Some((group, route)) = book.group(id).zip(book.route_of(id)) else { continue };
        let grouped = Grouped { key: dispatch::group_key(&route.key, &group.labels), labels: group.labels.clone() };
        verdict.routes.push(group_way(state, at, *id, route, grouped));
    }
    verdict.is_muted = !verdict.muted_by.is_empty() || verdict.routes.iter().all(|way| !way.muted_by.is_empty());
    note_continues(&mut verdict.routes);
    verdict
}

fn group_way(state: &State, at: Timestamp, id: IncidentId, route: &GroupRoute, group: Grouped) -> Way {
    Way {
        path: path_of(&route.places),
        steps: steps(&state.policy().route, &route.places),
        continued_by: None,
        receiver: route.receiver.clone(),
        sinks: sinks(state.policy(), &route.receiver),
        group: Some(group),
        group_wait: route.group_wait,
        group_interval: route.group_interval,
        repeat_interval: route.repeat_interval,
        escalation_policy: None,
        muted_by: dispatch::muted_by(state, at, route),
        told_as: id,
    }
}

fn by_incident(state: &State, at: Timestamp, alert: &Alert, mut verdict: Verdict) -> Verdict {
    let incident = alert.incident.as_ref().and_then(|id| state.incident(id));
    let Some(incident) = incident.filter(|incident| incident.state == IncidentState::Open) else {
        verdict.unrouted = Some(without_incident(state, alert));
        return verdict;
    };
    let is_muted = group::mute_cause(state, at, &incident.id).is_some();
    verdict.is_muted = is_muted;
    verdict.incident = Some(Interruption {
        id: incident.id,
        title: incident.title.clone(),
        priority: incident.priority,
        root_cause: incident.root_cause.as_ref().map(|cause| cause.configuration_item.clone()),
        alert_count: incident.alert_count,
        opens_after: incident.opened_at.since(alert.fired_at),
        is_muted,
    });
    verdict.routes = incident_ways(state, incident);
    note_continues(&mut verdict.routes);
    verdict
}

fn without_incident(state: &State, alert: &Alert) -> String {
    let pending = state.policy().correlation.pending_severity;
    match alert.severity.is_at_least(pending) {
        true => "it opens no incident".to_owned(),
        false => {
            format!("it is only recorded: `{}` is less severe than `{pending}`, and opens no incident", alert.severity)
        }
    }
}

fn incident_ways(state: &State, incident: &Incident) -> Vec<Way> {
    let Some(routed) = &incident.routed else { return Vec::new() };
    let ways = route::ways(state, incident).into_iter().map(|(places, receiver)| Way {
        path: path_of(&places),
        steps: steps(&state.policy().route, &places),
        continued_by: None,
        sinks: sinks(state.policy(), &receiver),
        receiver,
        group: None,
        group_wait: Span::from_millis(routed.group_wait_ms),
        group_interval: Span::from_millis(routed.group_interval_ms),
        repeat_interval: Span::from_millis(routed.repeat_interval_ms),
        escalation_policy: routed.escalation_policy.clone(),
        muted_by: Vec::new(),
        told_as: incident.id,
    });
    ways.collect()
}

fn sinks(policy: &Policy, receiver: &str) -> Vec<String> {
    policy.receivers.get(receiver).map(|receiver| receiver.sinks.clone()).unwrap_or_default()
}

/// `route.routes[1].routes[0]`.
fn path_of(places: &[usize]) -> String {
    places.iter().fold("route".to_owned(), |path, place| format!("{path}.routes[{place}]"))
}

fn steps(root: &Route, places: &[usize]) -> Vec<Step> {
    let mut routes = vec![root];
    for place in places {
        routes.extend(routes.last().and_then(|route| route.routes.get(*place)));
    }
    let step = |(depth, route): (usize, &&Route)| Step {
        path: path_of(&places[..depth]),
        matchers: route.matchers.iter().map(ToString::to_string).collect(),
        continues: route.continues,
    };
    routes.iter().enumerate().map(step).collect()
}

/// Two ways part below a route whose branch of the first one continues: that is why there is a second.
fn note_continues(ways: &mut [Way]) {
    for at in 1..ways.len() {
        let next: Vec<String> = ways[at].steps.iter().map(|step| step.path.clone()).collect();
        let way = &mut ways[at - 1];
        let parting = way.steps.iter().zip(&next).position(|(step, next)| step.path != *next);
        let step = parting.and_then(|depth| way.steps.get(depth)).filter(|step| step.continues);
        way.continued_by = step.map(|step| step.path.clone());
    }
}

#[cfg(test)]
mod tests;
