//! Silences and windows as the state holds them, with their moments. What they mute is decided in `engine/silence.rs` and
//! `engine/maintenance.rs`.

use super::{State, fact};
use crate::engine::deadline::Deadline;
use crate::engine::silence;
use crate::model::Timestamp;
use crate::model::recurrence::Occurrence;
use crate::model::silence::{Maintenance, Silence};

impl State {
    /// All of them: those to come, those in force, and for a while those that are over.
    pub fn silences(&self) -> impl Iterator<Item = &Silence> {
        self.silences.values()
    }

    pub fn silence(&self, id: &str) -> Option<&Silence> {
        self.silences.get(id)
    }

    /// Keeps a silence as it is now.
    pub(in crate::engine) fn put_silence(&mut self, silence: Silence) {
        self.remember(fact::SILENCE, silence.id.clone(), serde_json::to_value(&silence).ok());
        self.silence_index.put(&silence);
        let at = silence::moment(&silence, &self.policy);
        self.deadlines.set(Deadline::Silence(silence.id.clone()), Some(at));
        self.silences.insert(silence.id.clone(), silence);
    }

    pub(in crate::engine) fn forget_silence(&mut self, id: &str) {
        self.remember(fact::SILENCE, id, None);
        self.silence_index.remove(id);
        self.deadlines.set(Deadline::Silence(id.to_owned()), None);
        self.silences.remove(id);
    }

    /// Planned windows and those a monitor told of.
    pub fn maintenances(&self) -> impl Iterator<Item = &Maintenance> {
        self.policy.maintenance.iter().chain(self.maintenances.values())
    }

    /// Windows in which it is now: planned ones by the wall clock, those a monitor told of by our time.
    pub(in crate::engine) fn maintenances_at(&self, now: Timestamp) -> impl Iterator<Item = &Maintenance> {
        let wall = self.wall_time(now);
        let planned = self.policy.maintenance.iter().filter(move |window| match window.recurrence {
            Some(_) => self.planned_time(window, wall).is_some_and(|time| time.starts_at <= wall),
            None => window.is_active(wall),
        });
        planned.chain(self.maintenances.values().filter(move |window| window.is_active(now)))
    }

    pub(in crate::engine) fn put_maintenance(&mut self, window: Maintenance) {
        self.remember(fact::MAINTENANCE, window.id.clone(), serde_json::to_value(&window).ok());
        self.deadlines.set(Deadline::Maintenance(window.id.clone()), window.ends_at);
        self.maintenances.insert(window.id.clone(), window);
    }

    pub(in crate::engine) fn remove_maintenance(&mut self, id: &str) -> Option<Maintenance> {
        self.remember(fact::MAINTENANCE, id, None);
        self.deadlines.set(Deadline::Maintenance(id.to_owned()), None);
        self.maintenances.remove(id)
    }

    /// Sets when the planned windows end, which are written in the wall clock's time; of those that recur also when they
    /// begin.
    pub(in crate::engine) fn schedule_planned(&mut self) {
        let wall = self.wall_time(self.reached);
        self.planned.clear();
        for window in &self.policy.maintenance {
            let at = match &window.recurrence {
                Some(recurrence) => {
                    let next = recurrence.first_after(wall);
                    self.planned.insert(window.id.clone(), next);
                    next.map(|next| if next.starts_at > wall { next.starts_at } else { next.ends_at })
                }
                None => window.ends_at,
            };
            self.deadlines.set(Deadline::Maintenance(window.id.clone()), at.map(|at| at + self.ahead));
        }
    }

    /// The time of a planned window that recurs, by the wall clock: the one in which it is then, or the next.
    fn planned_time(&self, window: &Maintenance, wall: Timestamp) -> Option<Occurrence> {
        match self.planned.get(&window.id) {
            Some(None) => None,
            Some(Some(known)) if wall < known.ends_at => Some(*known),
            _ => window.recurrence.as_ref()?.first_after(wall),
        }
    }
}
