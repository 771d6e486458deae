//! Schedules and people as others see them. Needs no more of the state than its policy and its overrides, so that it can
//! be worked out beside the engine.

use crate::engine::policy::Policy;
use crate::model::schedule::view::{OnCallView, OverviewView, PersonView, ScheduleView, ShiftView, TurnBy};
use crate::model::schedule::{MadeOverride, Override, Schedule, Shift, Turn};
use crate::model::{Person, Span, Team, Timestamp};

use super::Overrides;

/// Shifts and gaps of one answer.
const ENTRIES_MAX: usize = 5_000;

/// Who is on call in a schedule at an instant, by the configuration and the overrides of now.
pub fn on_call(policy: &Policy, overrides: &Overrides, name: &str, schedule: &Schedule, at: Timestamp) -> OnCallView {
    let stretch = schedule.calendar(overrides.counting(name)).stretch(at);
    let is_override = matches!(stretch.turn, Some(Turn::Override(_)));
    OnCallView {
        schedule: name.to_owned(),
        time_zone: schedule.time_zone.clone(),
        starts_at: stretch.starts_at,
        ends_at: stretch.ends_at,
        display_name: stretch.receiver.as_deref().and_then(|receiver| display_name(policy, receiver)),
        by: stretch.turn.map(by),
        layer: stretch.turn.and_then(layer),
        override_id: is_override.then(|| override_at(policy, overrides, name, at)).flatten(),
        receiver: stretch.receiver,
    }
}

pub fn schedule(
    policy: &Policy,
    overrides: &Overrides,
    name: &str,
    schedule: &Schedule,
    at: Timestamp,
) -> ScheduleView {
    let made = overrides.of(name).iter().filter(|made| !made.is_over(at)).count();
    let has_it = |(_, team): &(&String, &Team)| team.schedules.iter().any(|other| other == name);
    ScheduleView {
        name: name.to_owned(),
        time_zone: schedule.time_zone.clone(),
        may_have_gaps: schedule.may_have_gaps,
        layers: schedule.layers.clone(),
        override_count: schedule.overrides.len() + made,
        teams: policy.teams.iter().filter(has_it).map(|(team, _)| team.clone()).collect(),
    }
}

/// All of `from..until`, or as much of it as fits.
pub fn overview(
    policy: &Policy,
    overrides: &Overrides,
    name: &str,
    schedule: &Schedule,
    (from, until): (Timestamp, Timestamp),
) -> OverviewView {
    let overview = schedule.calendar(overrides.counting(name)).overview(from, until, ENTRIES_MAX);
    let is_shown =
        |made: &&MadeOverride| made.shifts.iter().any(|shift| shift.starts_at < overview.until && from < shift.ends_at);
    OverviewView {
        schedule: name.to_owned(),
        time_zone: schedule.time_zone.clone(),
        from,
        until: overview.until,
        overrides: overrides.of(name).iter().filter(is_shown).cloned().collect(),
        shifts: overview.shifts.into_iter().map(|shift| shown(policy, overrides, name, shift)).collect(),
        gaps: overview.gaps,
    }
}

/// Those of which something is in `from..until`, each from its begin to its end.
pub fn whole_shifts(
    policy: &Policy,
    overrides: &Overrides,
    name: &str,
    schedule: &Schedule,
    (from, until): (Timestamp, Timestamp),
) -> Vec<ShiftView> {
    let calendar = schedule.calendar(overrides.counting(name));
    let mut shifts = calendar.overview(from, until, ENTRIES_MAX).shifts;
    if let Some(first) = shifts.first_mut().filter(|first| first.starts_at == from) {
        first.starts_at = calendar.stretch(from).starts_at;
    }
    if let Some(last) = shifts.last_mut().filter(|last| last.ends_at == until) {
        last.ends_at = calendar.stretch(until - Span::from_millis(1)).ends_at.unwrap_or(until);
    }
    shifts.into_iter().map(|shift| shown(policy, overrides, name, shift)).collect()
}

fn shown(policy: &Policy, overrides: &Overrides, schedule: &str, shift: Shift) -> ShiftView {
    // Of one that is shown whole its begin may be that of an override before it.
    let last = shift.ends_at - Span::from_millis(1);
    ShiftView {
        starts_at: shift.starts_at,
        ends_at: shift.ends_at,
        display_name: display_name(policy, &shift.receiver),
        receiver: shift.receiver,
        by: by(shift.turn),
        layer: layer(shift.turn),
        override_id: match shift.turn {
            Turn::Override(_) => override_at(policy, overrides, schedule, last),
            Turn::Layer(_) => None,
        },
    }
}

pub fn person(policy: &Policy, name: &str, person: &Person) -> PersonView {
    let is_in = |(_, team): &(&String, &Team)| team.members.iter().any(|member| member == name);
    PersonView {
        name: name.to_owned(),
        display_name: person.display_name.clone(),
        time_zone: person.time_zone.clone(),
        teams: policy.teams.iter().filter(is_in).map(|(team, _)| team.clone()).collect(),
    }
}

fn display_name(policy: &Policy, receiver: &str) -> Option<String> {
    policy.people.get(receiver)?.display_name.clone()
}

const fn by(turn: Turn) -> TurnBy {
    match turn {
        Turn::Layer(_) => TurnBy::Layer,
        Turn::Override(_) => TurnBy::Override,
    }
}

const fn layer(turn: Turn) -> Option<usize> {
    match turn {
        Turn::Layer(number) => Some(number),
        Turn::Override(_) => None,
    }
}

/// The last one that covers the instant, of those that people made and that count.
fn override_at(policy: &Policy, overrides: &Overrides, schedule: &str, at: Timestamp) -> Option<String> {
    let covers = |shift: &Override| shift.covers(at) && policy.receivers.contains_key(&shift.receiver);
    let made = overrides.of(schedule).iter().rev().find(|made| made.shifts.iter().any(covers))?;
    Some(made.id.clone())
}
