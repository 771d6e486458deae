//! A schedule over time: its shifts one after the other, and the gaps between them.

use serde::{Deserialize, Serialize};

use super::{Calendar, Turn};
use crate::model::{Span, Timestamp};

/// How far the begin and the end of a shift are looked for.
const LOOK: Span = Span::from_hours(366 * 24);
/// Changes on the way that may come to the same person.
const STEPS_MAX: usize = 1_000;

/// One person for an uninterrupted time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shift {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
    /// The name of a person, or of another receiver.
    pub receiver: String,
    /// Whose turn it is, or that somebody stands in.
    pub turn: Turn,
}

/// The time around an instant in which nothing changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub starts_at: Timestamp,
    pub ends_at: Option<Timestamp>,
    pub receiver: Option<String>,
    pub turn: Option<Turn>,
}

/// A time of a schedule: each instant of it is in one shift or one gap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    pub from: Timestamp,
    pub until: Timestamp,
    pub shifts: Vec<Shift>,
    pub gaps: Vec<Gap>,
}

/// A time with nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Gap {
    pub starts_at: Timestamp,
    pub ends_at: Timestamp,
}

impl Calendar<'_> {
    /// The next instant at which the answer may be another one; none when it stays for ever.
    pub fn changes_after(&self, at: Timestamp) -> Option<Timestamp> {
        let layers = self.schedule.layers.iter().filter_map(|layer| layer.changes_after(&self.zone, at));
        let overrides = self.schedule.overrides.iter().chain(self.later);
        let overrides = overrides.flat_map(|over| [over.starts_at, over.ends_at]).filter(|change| *change > at);
        layers.chain(overrides).min()
    }

    /// The last instant up to `at` at which the answer may have become the one of then.
    fn changed_by(&self, at: Timestamp) -> Option<Timestamp> {
        let layers = self.schedule.layers.iter().filter_map(|layer| layer.changed_by(&self.zone, at));
        let overrides = self.schedule.overrides.iter().chain(self.later);
        let overrides = overrides.flat_map(|over| [over.starts_at, over.ends_at]).filter(|change| *change <= at);
        layers.chain(overrides).max()
    }

    /// Who is on call at an instant, since when and until when without a change. Not looked for further than a year; an
    /// end is absent when it stays for ever.
    pub fn stretch(&self, at: Timestamp) -> Stretch {
        let turn = self.turn(at);
        let (first, last) = (at - LOOK, at + LOOK);
        let mut starts_at = at;
        for _ in 0..STEPS_MAX {
            let Some(change) = self.changed_by(starts_at) else {
                starts_at = first;
                break;
            };
            let before = change - Span::from_millis(1);
            starts_at = change;
            if change <= first || self.turn(before) != turn {
                break;
            }
            starts_at = before;
        }
        let mut ends_at = self.changes_after(at);
        for _ in 0..STEPS_MAX {
            match ends_at.filter(|end| *end < last) {
                Some(end) if self.turn(end) == turn => ends_at = self.changes_after(end),
                _ => break,
            }
        }
        let receiver = turn.map(|(receiver, _)| receiver.to_owned());
        Stretch { starts_at: starts_at.max(first), ends_at, receiver, turn: turn.map(|(_, turn)| turn) }
    }

    /// The first time with nobody that begins in `from..until`, or is at `from`.
    pub fn next_gap(&self, from: Timestamp, until: Timestamp) -> Option<Stretch> {
        if self.schedule.layers.iter().any(|layer| layer.is_for_ever(&self.zone, from)) {
            return None;
        }
        let mut at = from;
        while self.who(at).is_some() {
            at = self.changes_after(at).filter(|next| *next < until)?;
        }
        Some(Stretch { starts_at: at, ..self.stretch(at) })
    }

    /// All of `from..until`, in order; neighbours differ. What is cut off at an end is shown up to there. No more than
    /// so many entries: then `until` is where they end.
    pub fn overview(&self, from: Timestamp, until: Timestamp, entries_max: usize) -> Overview {
        let mut overview = Overview { from, until, shifts: Vec::new(), gaps: Vec::new() };
        let mut at = from;
        while at < until {
            let next = self.changes_after(at).map_or(until, |next| next.min(until));
            overview.add(at, next, self.turn(at));
            if overview.shifts.len() + overview.gaps.len() > entries_max {
                overview.take_back(at);
                break;
            }
            at = next;
        }
        overview
    }

    pub fn shifts(&self, from: Timestamp, until: Timestamp) -> Vec<Shift> {
        self.overview(from, until, usize::MAX).shifts
    }

    /// Times of `from..until` with nobody.
    pub fn gaps(&self, from: Timestamp, until: Timestamp) -> Vec<Gap> {
        self.overview(from, until, usize::MAX).gaps
    }
}

impl Overview {
    fn add(&mut self, starts_at: Timestamp, ends_at: Timestamp, turn: Option<(&str, Turn)>) {
        match (turn, self.shifts.last_mut(), self.gaps.last_mut()) {
            (Some((receiver, turn)), Some(last), _)
                if last.ends_at == starts_at && last.receiver == receiver && last.turn == turn =>
            {
                last.ends_at = ends_at;
            }
            (Some((receiver, turn)), ..) => {
                self.shifts.push(Shift { starts_at, ends_at, receiver: receiver.to_owned(), turn });
            }
            (None, _, Some(last)) if last.ends_at == starts_at => last.ends_at = ends_at,
            (None, ..) => self.gaps.push(Gap { starts_at, ends_at }),
        }
    }

    /// It ends there.
    fn take_back(&mut self, until: Timestamp) {
        self.until = until;
        self.shifts.retain(|shift| shift.starts_at < until);
        self.gaps.retain(|gap| gap.starts_at < until);
    }
}
