//! Times with nobody: an alert of our own some days before, while there is time to find somebody, and its end once
//! somebody is found. All schedules are looked at once an hour, one at once when people changed it.

use crate::engine::policy::{OnCallRule, Policy};
use crate::engine::state::State;
use crate::engine::system;
use crate::model::schedule::Stretch;
use crate::model::{Severity, Span, Timestamp};

/// Its subject is the schedule.
pub const GAP_ALERT: &str = "Nobody will be on call";
const LOOK_EVERY: Span = Span::from_hours(1);

/// When gaps are looked for next; never where there can be none.
pub(super) fn moment(state: &State) -> Option<Timestamp> {
    let is_watched = watched(state.policy()).next().is_some();
    is_watched.then(|| state.gaps_looked_at().map_or_else(Timestamp::default, |at| at + LOOK_EVERY))
}

/// Schedules in which nobody must be missing.
fn watched(policy: &Policy) -> impl Iterator<Item = &String> {
    let OnCallRule { warn_of_gaps } = policy.on_call;
    let schedules = policy.schedules.iter().filter(move |_| !warn_of_gaps.is_zero());
    schedules.filter(|(_, schedule)| !schedule.may_have_gaps).map(|(name, _)| name)
}

/// Looks at all schedules.
pub(super) fn look(state: &mut State, now: Timestamp) {
    state.set_gaps_looked_at(now);
    let policy = state.shared_policy();
    watched(&policy).for_each(|schedule| look_at(state, now, schedule));
}

/// Raises the alert about a schedule, or ends it.
pub(super) fn look_at(state: &mut State, now: Timestamp, schedule: &str) {
    let policy = state.shared_policy();
    if !watched(&policy).any(|name| name == schedule) {
        return;
    }
    let Some(known) = policy.schedules.get(schedule) else { return };
    let wall = state.wall_time(now);
    let gap = known.calendar(state.overrides().counting(schedule)).next_gap(wall, wall + policy.on_call.warn_of_gaps);
    match gap {
        Some(gap) => system::raise(state, now, GAP_ALERT, schedule, Severity::Major, &words(schedule, &gap, wall)),
        None => system::clear(state, now, GAP_ALERT, schedule),
    }
}

fn words(schedule: &str, gap: &Stretch, wall: Timestamp) -> String {
    let until = gap.ends_at.map_or_else(String::new, |ends_at| format!(" until {ends_at}"));
    match gap.starts_at <= wall {
        true => format!("nobody is on call in {schedule}{until}"),
        false => format!("nobody is on call in {schedule} from {} on{until}", gap.starts_at),
    }
}

/// Another policy is in force: others are watched, or otherwise than before.
pub fn configured(state: &mut State, now: Timestamp, before: &Policy) {
    let policy = state.shared_policy();
    if policy.schedules == before.schedules && policy.on_call == before.on_call {
        return;
    }
    for schedule in watched(before).filter(|name| !watched(&policy).any(|other| other == *name)) {
        system::clear(state, now, GAP_ALERT, schedule);
    }
    look(state, now);
    state.schedule_on_call();
}
