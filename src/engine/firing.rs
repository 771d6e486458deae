//! What keeps people from hearing of an alert, noted with the alert from when to when, and the end of each firing: for
//! the question what was so at a moment that has passed. Decides where such a time begins and ends, never whether
//! anybody is muted.
//!
//! That is decided whenever people would hear (`group.rs`, `dispatch/flush.rs`). What came and went between two of
//! these moments has kept nobody from hearing and is not noted.

use std::fmt;
use std::sync::Arc;

use crate::model::alert::{Alert, AlertNumber};
use crate::model::firing::PastFiring;
use crate::model::muting::{MutedBy, Muting};
use crate::model::{Fingerprint, IncidentId, Timestamp};

use super::dispatch;
use super::state::State;

/// Mutings kept of one firing; of more the oldest go.
const MUTINGS_MAX: usize = 32;

/// Why nobody is to hear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    pub by: MutedBy,
    /// See [`Muting::cause`].
    pub id: String,
    pub rule: Option<u32>,
    /// Since when there is this cause, where that can be told.
    pub since: Option<Timestamp>,
    pub why: String,
}

impl Cause {
    pub fn new(by: MutedBy, id: impl Into<String>, why: impl Into<String>) -> Self {
        Self { by, id: id.into(), rule: None, since: None, why: why.into() }
    }

    fn is(&self, muting: &Muting) -> bool {
        (muting.by, muting.rule) == (self.by, self.rule) && muting.cause == self.id
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// Decisions that know nothing of each other: each takes back only its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Silence, inhibition, window.
    Alert,
    /// The time of the week, for one group.
    Group(IncidentId),
    /// The incident waits.
    Waiting,
    /// There is no incident.
    Place,
}

impl Scope {
    fn holds(self, muting: &Muting) -> bool {
        match self {
            Self::Alert => matches!(muting.by, MutedBy::Silence | MutedBy::Inhibition | MutedBy::Maintenance),
            Self::Group(id) => muting.by == MutedBy::TimeInterval && muting.group == Some(id),
            Self::Waiting => matches!(muting.by, MutedBy::HoldDown | MutedBy::Throttle),
            Self::Place => muting.by == MutedBy::NoIncident,
        }
    }

    const fn group(self) -> Option<IncidentId> {
        match self {
            Self::Group(id) => Some(id),
            Self::Alert | Self::Waiting | Self::Place => None,
        }
    }
}

/// Takes note of a decision; without a cause nothing of this scope mutes. `heard_at` is the moment before this one at
/// which people could have heard: what was already so then has not muted by then.
pub fn note(
    state: &mut State,
    now: Timestamp,
    number: AlertNumber,
    scope: Scope,
    cause: Option<&Cause>,
    heard_at: Option<Timestamp>,
) {
    let Some(alert) = state.alert(number).filter(|alert| alert.is_firing()) else { return };
    let is_open = |muting: &Muting| muting.until.is_none() && scope.holds(muting);
    let is_it = |muting: &Muting| cause.is_some_and(|cause| cause.is(muting));
    let goes_on = alert.muted.iter().any(|muting| is_open(muting) && is_it(muting));
    let ends = alert.muted.iter().any(|muting| is_open(muting) && !is_it(muting));
    let begun = cause.filter(|_| !goes_on);
    if !ends && begun.is_none() {
        return;
    }
    let mut muted = alert.muted.to_vec();
    for muting in muted.iter_mut().filter(|muting| is_open(muting) && !is_it(muting)) {
        muting.until = Some(ended_at(state, now, muting));
    }
    if let Some(cause) = begun {
        let surplus = (muted.len() + 1).saturating_sub(MUTINGS_MAX);
        muted.drain(..surplus);
        let from = began_at(alert, cause, heard_at, now);
        let Cause { by, id, rule, why, .. } = cause.clone();
        muted.push(Muting { by, cause: id, rule, why, group: scope.group(), from, until: None });
    }
    if let Some(alert) = state.alert_mut(number) {
        alert.muted = muted.into();
    }
}

/// Nothing keeps people from hearing of an incident's alerts any more.
pub fn heard(state: &mut State, now: Timestamp, id: &IncidentId) {
    for number in muted_members(state, id) {
        note(state, now, number, Scope::Alert, None, None);
        note(state, now, number, Scope::Waiting, None, None);
    }
}

/// An incident waits with all its alerts, or no longer does.
pub fn waits(state: &mut State, now: Timestamp, id: &IncidentId, cause: Option<&Cause>) {
    let members = match cause {
        Some(_) => unsettled(state, id).collect(),
        None => muted_members(state, id),
    };
    for number in members {
        note(state, now, number, Scope::Waiting, cause, None);
    }
}

fn unsettled(state: &State, id: &IncidentId) -> impl Iterator<Item = AlertNumber> {
    state.groups.members(id).into_iter().flat_map(|members| members.unsettled().copied())
}

fn muted_members(state: &State, id: &IncidentId) -> Vec<AlertNumber> {
    let is_muted = |number: &AlertNumber| state.alert(*number).is_some_and(|alert| !alert.muted.is_empty());
    unsettled(state, id).filter(is_muted).collect()
}

fn began_at(alert: &Alert, cause: &Cause, heard_at: Option<Timestamp>, now: Timestamp) -> Timestamp {
    let since = cause.since.map_or(now, |since| since.max(alert.fired_at).min(now));
    if heard_at.is_some_and(|heard_at| since <= heard_at) { now } else { since }
}

/// When the cause itself was over, where that can be told; at most now.
fn ended_at(state: &State, now: Timestamp, muting: &Muting) -> Timestamp {
    let own_end = match muting.by {
        MutedBy::Silence => state.silence(&muting.cause).map(|silence| silence.ends_at),
        MutedBy::Inhibition => inhibitor(state, muting).and_then(|source| source.resolved_at),
        MutedBy::Maintenance => {
            let window = state.maintenances().find(|window| window.id == muting.cause);
            window.filter(|window| window.recurrence.is_none()).and_then(|window| window.ends_at)
        }
        MutedBy::TimeInterval | MutedBy::HoldDown | MutedBy::Throttle | MutedBy::NoIncident => None,
    };
    own_end.filter(|end| (muting.from..=now).contains(end)).unwrap_or(now)
}

fn inhibitor<'a>(state: &'a State, muting: &Muting) -> Option<&'a Alert> {
    let fingerprint: Fingerprint = muting.cause.parse().ok()?;
    state.alert(state.find_alert(fingerprint)?)
}

/// The alert fires no more, or memory lets go of one that does.
pub fn over(state: &mut State, now: Timestamp, number: AlertNumber) {
    let Some(alert) = state.alert(number) else { return };
    let (from, until) = (alert.fired_at, now.max(alert.fired_at));
    if alert.muted.iter().any(|muting| muting.until.is_none()) {
        let mut muted = alert.muted.to_vec();
        for muting in muted.iter_mut().filter(|muting| muting.until.is_none()) {
            muting.until = Some(ended_at(state, now, muting));
        }
        if let Some(alert) = state.alert_mut(number) {
            alert.muted = muted.into();
        }
    }
    let groups = dispatch::groups_of(state, number);
    state.put_firing(PastFiring { number, from, until, groups, alert: None });
}

/// It is about to fire again: what its row says of the firing before is kept elsewhere.
pub fn fires_again(state: &mut State, now: Timestamp, number: AlertNumber) {
    // What came and went in this very moment is part of what comes now.
    let Some(alert) = state.shared_alert(number).filter(|alert| alert.fired_at < now) else { return };
    let Some(until) = alert.resolved_at.filter(|_| has_fired(state, &alert)) else { return };
    let groups = dispatch::groups_of(state, number);
    state.put_firing(PastFiring { number, from: alert.fired_at, until, groups, alert: Some(alert) });
}

/// Not so of one whose first word was that it is over. Where people are told of groups, such a one is not kept.
fn has_fired(state: &State, alert: &Arc<Alert>) -> bool {
    let has_lasted = alert.resolved_at != Some(alert.fired_at);
    has_lasted || !alert.flap.changed_at.is_empty() || dispatch::is_on(state)
}
