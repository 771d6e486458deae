//! Who is asked, one level after the other, while nobody acknowledges.

use serde::{Deserialize, Serialize};

use crate::model::sla::Target;
use crate::model::{Priority, Span};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EscalationPolicy {
    pub levels: Vec<Level>,
    /// How often the levels start over when nobody answers.
    #[serde(default)]
    pub repeat: u32,
    /// Asked once all levels and repetitions are through.
    #[serde(default)]
    pub last_resort: Option<Level>,
    /// An acknowledgement counts for so long; then the incident is open again, and asking starts over.
    #[serde(default)]
    pub acknowledged_for: Option<Span>,
    /// Who hears, acknowledged or not, when so much of a promise has passed.
    #[serde(default)]
    pub on_sla: Vec<SlaLevel>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Time without acknowledgement after the previous level (the first: after the first page).
    pub after: Span,
    pub targets: Targets,
    /// Incidents of other priorities pass this level by; without any it is for all.
    #[serde(default)]
    pub priorities: Vec<Priority>,
    /// Everybody who is asked at this level has to acknowledge, or the next one is asked.
    #[serde(default)]
    pub all_must_acknowledge: bool,
}

/// Who is asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Targets {
    pub receivers: Vec<String>,
    pub people: Vec<String>,
    pub teams: Vec<String>,
    /// Whoever is on call in these schedules.
    pub schedules: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlaLevel {
    pub clock: Target,
    /// One of those at which a clock is heard from.
    pub percent: u8,
    pub targets: Targets,
}

impl Targets {
    pub fn is_empty(&self) -> bool {
        let Self { receivers, people, teams, schedules } = self;
        receivers.is_empty() && people.is_empty() && teams.is_empty() && schedules.is_empty()
    }
}

impl EscalationPolicy {
    /// The level with that number, rounds added up; the last resort is the last.
    pub fn level(&self, number: usize) -> Option<&Level> {
        let rounds = self.levels.len() * (self.repeat as usize + 1);
        match number.checked_sub(rounds) {
            None => self.levels.get(number % self.levels.len()),
            Some(0) => self.last_resort.as_ref(),
            Some(_) => None,
        }
    }

    /// All that it may ask.
    pub fn targets(&self) -> impl Iterator<Item = &Targets> {
        let levels = self.levels.iter().chain(&self.last_resort).map(|level| &level.targets);
        levels.chain(self.on_sla.iter().map(|level| &level.targets))
    }

    /// The next one from a number on that is for incidents of that priority.
    pub fn next_level(&self, number: usize, priority: Priority) -> Option<(usize, &Level)> {
        let left = (number..).map_while(|number| Some((number, self.level(number)?)));
        left.into_iter().find(|(_, level)| level.priorities.is_empty() || level.priorities.contains(&priority))
    }
}
