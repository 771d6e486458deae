//! PURE: inputs and time in, effects out. Same arguments, same bytes.
//!
//! The engine never reads a clock, opens a file, draws a random number, logs, or uses a float or a map
//! without order; `tests/tidy.rs` says so. The driver calls [`step`] for each input of the journal and
//! sleeps until [`next_deadline`].
//!
//! ```text
//! what is:    normalize → dedup → flap → correlate → root_cause → priority → problem → sla
//! who hears:  route → group → maintenance → silence → inhibit → escalate/on_call → throttle → notify
//! ```

pub mod affinity;
pub mod changes;
pub mod command;
mod contact;
pub mod correlate;
pub mod deadline;
pub mod dedup;
pub mod delivery;
pub mod dispatch;
pub mod effect;
pub mod escalate;
pub mod firing;
pub mod fixed;
pub mod flap;
pub mod group;
pub mod groups;
pub mod heartbeat;
pub mod history;
pub mod inhibit;
pub mod input;
mod interner;
pub mod items;
pub mod lifecycle;
pub mod maintenance;
pub mod normalize;
pub mod notify;
mod numbered;
pub mod on_call;
pub mod opening;
pub mod origins;
pub mod policy;
pub mod priority;
pub mod problem;
pub mod rank;
pub mod redrive;
mod replica;
pub mod root_cause;
pub mod route;
pub mod scene;
pub mod self_check;
pub mod signature;
pub mod silence;
pub mod sla;
mod small;
pub mod split;
pub mod state;
pub mod survey;
pub mod suspect;
pub mod symptom;
pub mod system;
pub mod throttle;
pub mod timeline;
pub mod topology;
pub mod trial;
pub mod view;

use crate::model::alert::Alert;
use crate::model::event::{Event, EventStatus, Marker};
use crate::model::{Incident, IncidentId, IncidentState, Span, Timestamp};
use crate::mutant::{self, Mutant};
use deadline::Deadline;
use effect::Effect;
use input::Input;
use state::State;

/// Takes one input and says what the world must do about it.
pub fn step(state: &mut State, now: Timestamp, input: Input) -> Vec<Effect> {
    state.reach(now);
    match input {
        Input::Events { events } => events.into_iter().for_each(|event| fold(state, now, event)),
        Input::Changes { changes } => changes.into_iter().for_each(|change| changes::told(state, now, change)),
        Input::Beat { heartbeat, is_failure, note } => heartbeat::asked(state, now, &heartbeat, is_failure, note),
        Input::Command { by, command } => command::run(state, now, &by, command),
        Input::Started => system::started(state, now),
        Input::Tick => tick(state, now),
        Input::Sent { delivery, result } => delivery::sent(state, now, &delivery, result),
        Input::Configured { policy } => system::configured(state, now, *policy),
        Input::Quarantined { source, reason } => system::quarantined(state, now, &source, &reason),
        Input::ClockSet { jumped, ahead } => system::clock_set(state, now, jumped, ahead),
    }
    settle(state, now);
    std::mem::take(&mut state.effects)
}

/// The next moment at which a [`Input::Tick`] would do something.
pub fn next_deadline(state: &State) -> Option<Timestamp> {
    state.deadlines.next()
}

/// One event through the stages that say what is.
fn fold(state: &mut State, now: Timestamp, mut event: Event) {
    if self_check::is_probe(&event) {
        return self_check::pass_on(state, now, &event);
    }
    if mutant::is(Mutant::LateEventDropped) && event.at + Span::from_mins(2) < state.wall_time(now) {
        return;
    }
    normalize::run(state, &mut event);
    let by_group = dispatch::is_on(state);
    if by_group {
        dispatch::complete_labels(&mut event);
    }
    event.expires_at = event.expires_at.map(|at| state.own_time(at));
    match event.marker {
        Some(Marker::DowntimeStarted) => return maintenance::started(state, now, &event),
        Some(Marker::DowntimeEnded) => return maintenance::ended(state, now, &event),
        _ => {}
    }
    match event.status {
        EventStatus::Firing | EventStatus::Resolved => {
            let is_beat = event.status == EventStatus::Firing;
            let change = dedup::run(state, now, event);
            if is_beat {
                heartbeat::heard(state, now, change.alert);
            }
            if by_group {
                return dispatch::follow(state, now, &change);
            }
            flap::run(state, now, &change);
            correlate::run(state, now, &change);
        }
        EventStatus::Acknowledged | EventStatus::Commented => lifecycle::noted(state, now, event),
    }
}

fn tick(state: &mut State, now: Timestamp) {
    for deadline in state.deadlines.due(now) {
        match deadline {
            Deadline::Alert(number) => lifecycle::alert_due(state, now, number),
            Deadline::Incident(id) => drop(state.touched.insert(id)),
            Deadline::Silence(id) => silence::due(state, now, &id),
            Deadline::Maintenance(id) => maintenance::over(state, now, &id),
            Deadline::Changes => changes::forget(state, now),
            Deadline::Heartbeat(name) => heartbeat::due(state, now, &name),
            Deadline::OnCall => on_call::due(state, now),
        }
    }
}

/// Everything that follows for the incidents this step has touched, and when they want to be seen again.
fn settle(state: &mut State, now: Timestamp) {
    state.follow_alerts();
    // All alerts of this step are in by now, so one that inhibits another has been seen.
    while let Some(id) = state.deadlines.due_group(now) {
        dispatch::due(state, now, &id);
    }
    while let Some(id) = state.touched.pop_first() {
        evaluate(state, now, &id);
        let at = state.incident(&id).and_then(|incident| incident_moment(state, incident));
        state.deadlines.set(Deadline::Incident(id), at);
        state.count_open(&id);
        state.touched.remove(&id);
    }
}

fn evaluate(state: &mut State, now: Timestamp, id: &IncidentId) {
    // What opens now is an incident in the same step, and people hear of it.
    opening::consider(state, now, id);
    let Some(incident) = state.incident(id) else { return };
    match incident.state {
        IncidentState::Open | IncidentState::Acknowledged => {
            root_cause::run(state, now, id);
            priority::run(state, now, id);
            sla::run(state, now, id);
            route::run(state, now, id);
            group::run(state, now, id);
            escalate::run(state, now, id);
        }
        IncidentState::Resolved => {
            group::run(state, now, id);
            lifecycle::close_when_due(state, now, id);
        }
        IncidentState::Pending => {}
        IncidentState::Merged | IncidentState::Closed | IncidentState::Lapsed => {
            lifecycle::close_when_due(state, now, id);
        }
    }
}

/// When an incident next wants to be looked at.
pub(crate) fn incident_moment(state: &State, incident: &Incident) -> Option<Timestamp> {
    if incident.state == IncidentState::Pending {
        return opening::moment(state, &incident.id);
    }
    let policy = state.policy();
    let notifying = &incident.notifying;
    let flush_at = notifying.flush_at.map(|at| at.max(notifying.held_until.unwrap_or(at)));
    let escalates_at = incident.escalating.as_ref().map(|clock| clock.due_at);
    let reaches_at = incident.reaching.iter().map(|reaching| reaching.due_at).min();
    let lapses_at = escalate::lapses_at(state, incident);
    let repeat_at = notifying.repeat_at.filter(|_| incident.state == IncidentState::Open);
    let is_running = matches!(incident.state, IncidentState::Open | IncidentState::Acknowledged);
    let clocks = incident.clocks.iter().filter(|_| is_running).filter_map(sla::next_moment).min();
    let closes_at = lifecycle::close_moment(incident, policy);
    [flush_at, escalates_at, reaches_at, lapses_at, repeat_at, clocks, closes_at].into_iter().flatten().min()
}

/// When an alert next wants to be looked at: it expires, stops flapping, or leaves memory.
pub(crate) fn alert_moment(state: &State, alert: &Alert) -> Option<Timestamp> {
    let policy = state.policy();
    if dispatch::is_on(state) {
        // What is over leaves once that is told.
        return system::expires_at(state, alert).filter(|_| alert.is_firing());
    }
    let flap = flap::settles_at(alert, &policy.flap);
    if alert.is_firing() {
        return [system::expires_at(state, alert), flap].into_iter().flatten().min();
    }
    let leaves = alert.incident.is_none().then(|| lifecycle::alert_leaves_at(alert, policy));
    [leaves, flap].into_iter().flatten().min()
}

/// Sets the alert's own deadline after a change to it.
fn schedule_alert(state: &mut State, number: u64) {
    let at = state.alert(number).and_then(|alert| alert_moment(state, alert));
    state.deadlines.set(Deadline::Alert(number), at);
}

#[cfg(test)]
mod tests;
