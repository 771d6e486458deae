//! Who is on call in a schedule at an instant, with what people have changed since the configuration was written.
//!
//! All of it is the wall clock's time, because people look at that one. What may be asked for is decided in
//! `on_call/request.rs`, what is said of times with nobody in `on_call/gaps.rs`.

pub mod gaps;
pub mod request;
pub mod view;

use std::collections::BTreeMap;

use crate::model::schedule::{MadeOverride, Override};
use crate::model::{Span, Timestamp};

use super::policy::Policy;
use super::state::State;

/// What is over is kept for so long, so that people see who was on call.
const KEPT_FOR: Span = Span::from_hours(400 * 24);

/// The receiver of whoever is on call; none before the schedule starts or for an unknown schedule.
pub fn who(state: &State, schedule: &str, at: Timestamp) -> Option<String> {
    let later = state.overrides().counting(schedule);
    state.policy().schedules.get(schedule)?.calendar(later).who(at).map(str::to_owned)
}

/// Overrides that people made, by schedule and in the order in which they were made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides {
    made: BTreeMap<String, Vec<MadeOverride>>,
    /// The shifts of those that are of a schedule and of people whom the configuration knows: nobody is to be missing
    /// because a name is gone.
    counting: BTreeMap<String, Vec<Override>>,
}

impl Overrides {
    /// For [`Schedule::calendar`](crate::model::Schedule::calendar).
    pub fn counting(&self, schedule: &str) -> &[Override] {
        self.counting.get(schedule).map_or(&[], Vec::as_slice)
    }

    pub fn of(&self, schedule: &str) -> &[MadeOverride] {
        self.made.get(schedule).map_or(&[], Vec::as_slice)
    }

    pub fn all(&self) -> impl Iterator<Item = &MadeOverride> {
        self.made.values().flatten()
    }

    /// In the place of the one with its id, or as the last.
    pub(super) fn put(&mut self, made: MadeOverride, policy: &Policy) {
        let schedule = made.schedule.clone();
        let list = self.made.entry(schedule.clone()).or_default();
        list.retain(|other| other.id != made.id);
        list.push(made);
        list.sort_by_key(|made| made.number);
        self.count(&schedule, policy);
    }

    pub(super) fn remove(&mut self, schedule: &str, id: &str, policy: &Policy) {
        if let Some(list) = self.made.get_mut(schedule) {
            list.retain(|made| made.id != id);
        }
        self.made.retain(|_, list| !list.is_empty());
        self.count(schedule, policy);
    }

    /// Which of them count, once another policy decides.
    pub(super) fn count_all(&mut self, policy: &Policy) {
        self.counting.clear();
        let schedules: Vec<String> = self.made.keys().cloned().collect();
        schedules.iter().for_each(|schedule| self.count(schedule, policy));
    }

    fn count(&mut self, schedule: &str, policy: &Policy) {
        self.counting.remove(schedule);
        if !policy.schedules.contains_key(schedule) {
            return;
        }
        let shifts = self.of(schedule).iter().flat_map(|made| &made.shifts);
        let known = shifts.filter(|shift| policy.receivers.contains_key(&shift.receiver));
        let counting: Vec<Override> = known.cloned().collect();
        if !counting.is_empty() {
            self.counting.insert(schedule.to_owned(), counting);
        }
    }
}

/// When something next is to be done about schedules.
pub(super) fn moment(state: &State) -> Option<Timestamp> {
    let forgets_at = state.overrides().all().map(|made| state.own_time(made.ends_at() + KEPT_FOR)).min();
    [forgets_at, gaps::moment(state)].into_iter().flatten().min()
}

/// It may be time to forget what is long over, or to look for gaps.
pub(super) fn due(state: &mut State, now: Timestamp) {
    let wall = state.wall_time(now);
    let is_old = |made: &&MadeOverride| made.is_over(wall - KEPT_FOR);
    let old: Vec<(String, String)> =
        state.overrides().all().filter(is_old).map(|made| (made.schedule.clone(), made.id.clone())).collect();
    for (schedule, id) in old {
        state.forget_override(&schedule, &id);
    }
    if gaps::moment(state).is_some_and(|at| at <= now) {
        gaps::look(state, now);
    }
    state.schedule_on_call();
}
