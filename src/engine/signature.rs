//! What confirmed causes teach: an item, or what an item looks like, that was the cause before when an incident
//! looked like this is likelier to be the cause now.
//!
//! Three kinds of evidence, each a log odds in thousandths of a bit (`tables.rs`):
//!
//! - *traits*: which alerts, kinds of item and numbers of failing dependants causes had, and which the other suspects
//!   had. It holds for every item.
//! - *item*: how often this very item was the cause, of the times that it was a suspect.
//! - *likeness*: what was the cause of the incidents that had the same alerts on the same items.
//!
//! The last two are about one item in one place: an item of the same name under another scope is another one.
//!
//! Each kind is used only while it helps (`gate.rs`). Before it learns from a confirmation, the engine ranks with and
//! without each kind, and notes where the true cause stood. Everything is worked out from what is [`Remembered`], so
//! the same rows lead to the same ranking, and what is forgotten leaves no trace.
//!
//! ```text
//! confirmation ─▶ rank with and without ─▶ remember ─▶ tables, gates ─▶ the term of the next ranking
//! ```

mod gate;
mod sight;
mod tables;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{Fingerprint, IncidentId, Span, Timestamp};

use super::fixed::{self, ONE};
use super::input::Reply;
use super::rank::{Ranking, term};
use super::root_cause;
use super::scene::Scene;
use super::state::State;
pub use gate::{Gate, Judged};
pub use sight::Sight;
use sight::Suspected;
use tables::{Likeness, Tables};
pub use view::{EvidenceView, Figures, LearningView, SignatureView, TraitView};

/// Confirmed causes that are remembered, a few kilobytes each; the oldest give way.
pub const KEPT_MAX: usize = 512;
/// Confirmations are rare, so they count for longer than what merely fires.
const HALF_LIFE: Span = Span::from_hours(90 * 24);
/// What all kinds of evidence together add or take at most, thousandths of a bit.
const TERM_MAX: i64 = 4_000;
/// What it must add before the explanation speaks of it.
const TOLD_MIN: i64 = 500;

/// What speaks for or against a suspect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    Traits,
    Item,
    Likeness,
}

impl Evidence {
    pub const ALL: [Self; 3] = [Self::Traits, Self::Item, Self::Likeness];
}

/// One confirmed cause, and what the incident looked like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    pub at: Timestamp,
    pub by: String,
    pub cause: String,
    place: Fingerprint,
    /// Absent when nothing failed on the cause or behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    traits: Option<BTreeSet<String>>,
    /// The suspects that were not it, and how many of them had each trait.
    others: BTreeSet<Fingerprint>,
    other_traits: BTreeMap<String, u32>,
    /// Each alert family on each item.
    seen: BTreeSet<Fingerprint>,
    /// Absent when the cause was no suspect: then no ranking could have been right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    judged: Option<Judged>,
}

impl Remembered {
    /// The item in its scope.
    pub const fn place(&self) -> Fingerprint {
        self.place
    }
}

/// What is remembered of confirmed causes, and what follows from it.
#[derive(Clone, Debug, Default)]
pub struct Learning {
    all: BTreeMap<IncidentId, Remembered>,
    tables: Tables,
    gates: BTreeMap<Evidence, Gate>,
}

impl Learning {
    pub fn iter(&self) -> impl Iterator<Item = (&IncidentId, &Remembered)> {
        self.all.iter()
    }

    /// Before [`Learning::rebuild`] it counts for nothing.
    pub(super) fn put(&mut self, id: IncidentId, remembered: Remembered) {
        self.all.insert(id, remembered);
    }

    pub(super) fn remove(&mut self, id: &IncidentId) -> bool {
        self.all.remove(id).is_some()
    }

    /// Works out what follows from what is remembered. Ages count from the latest confirmation, so that this is the
    /// same whenever it is done.
    pub(super) fn rebuild(&mut self) {
        let latest = self.all.values().map(|one| one.at).max().unwrap_or_default();
        self.tables = Tables::of(&self.all, |at| ONE >> (latest.since(at).as_millis() / HALF_LIFE.as_millis()).min(40));
        self.gates = gate::all(self.all.values());
    }

    fn is_in_force(&self) -> bool {
        self.gates.values().any(|gate| gate.weight > 0)
    }

    fn gate(&self, evidence: Evidence) -> Gate {
        self.gates.get(&evidence).copied().unwrap_or_default()
    }

    fn oldest(&self) -> Option<IncidentId> {
        self.all.iter().min_by_key(|(id, one)| (one.at, **id)).map(|(id, _)| *id)
    }

    /// By kind of evidence, before any gate.
    fn bits(&self, suspect: &Suspected, likeness: &Likeness) -> BTreeMap<Evidence, i64> {
        let bits = |evidence| match evidence {
            Evidence::Traits => self.tables.by_traits(&suspect.traits),
            Evidence::Item => self.tables.by_item(suspect.place),
            Evidence::Likeness => likeness.bits(suspect.place),
        };
        Evidence::ALL.into_iter().map(|evidence| (evidence, bits(evidence))).collect()
    }

    /// What is added to the score of a suspect now.
    fn term(&self, suspect: &Suspected, likeness: &Likeness) -> i64 {
        let bits = self.bits(suspect, likeness);
        let sum: i64 = bits.iter().map(|(evidence, bits)| fixed::mul(*bits, self.gate(*evidence).weight)).sum();
        sum.clamp(-TERM_MAX, TERM_MAX)
    }

    /// Where the true cause stands without what was learned, with each kind of evidence, and with all that is in
    /// force.
    fn judge(&self, ranking: &Ranking, sight: &Sight, cause: &str) -> Option<Judged> {
        let likeness = self.tables.likeness(sight);
        let rank_with = |bits: &dyn Fn(&Suspected) -> i64| {
            let mut ranking = ranking.clone();
            ranking.add(term::SIGNATURE, |one| sight.suspect(&one.item).map_or(0, bits));
            ranking.suspects.iter().position(|one| *one.item == *cause).map(|rank| rank as u32)
        };
        let with = |evidence| rank_with(&|one| self.bits(one, &likeness)[&evidence]);
        Some(Judged {
            unlearned: rank_with(&|_| 0)?,
            in_force: rank_with(&|one| self.term(one, &likeness))?,
            with: Evidence::ALL.into_iter().filter_map(|evidence| Some((evidence, with(evidence)?))).collect(),
        })
    }
}

/// Adds what was learned to a ranking; in words, what it says for the likeliest cause.
pub fn add(state: &State, scene: Scene, ranking: &mut Ranking) -> Option<String> {
    let learning = &state.learning;
    if !learning.is_in_force() {
        return None;
    }
    let sight = Sight::of(state, scene, ranking);
    let likeness = learning.tables.likeness(&sight);
    ranking.add(term::SIGNATURE, |one| sight.suspect(&one.item).map_or(0, |one| learning.term(one, &likeness)));
    let best = ranking.suspects.first()?;
    let added = best.terms.iter().find(|(name, _)| *name == term::SIGNATURE).map_or(0, |(_, bits)| *bits);
    if added < TOLD_MIN {
        return None;
    }
    let alike = match learning.gate(Evidence::Likeness).weight {
        0 => Vec::new(),
        _ => likeness.names(sight.suspect(&best.item)?.place),
    };
    Some(match &alike[..] {
        [] => "confirmed causes looked like this".to_owned(),
        ids => format!("it was the confirmed cause of {}, which looked like this", ids.join(" and ")),
    })
}

/// Learns from a person's word on the cause of what `scene` shows; a second word on the incident takes the place of the
/// first.
pub fn learn(state: &mut State, now: Timestamp, scene: Scene, id: &IncidentId, by: &str, cause: &str) {
    // What was said of it before must not speak for itself.
    forget_one(state, id);
    let Some((_, ranking)) = root_cause::unlearned(state, scene) else { return };
    let sight = Sight::of(state, scene, &ranking);
    let judged = state.learning.judge(&ranking, &sight, cause);
    let remembered = sight.remember(state, scene, now, by, cause, judged);
    state.remember_cause(*id, remembered);
    while state.learning.all.len() > KEPT_MAX {
        let Some(oldest) = state.learning.oldest() else { break };
        state.forget_cause(&oldest);
    }
    state.learning.rebuild();
}

/// Forgets what a confirmation taught, as if it had never been.
pub fn forget(state: &mut State, text: &str) -> Reply {
    let wanted = if text.starts_with("inc-") { text.to_owned() } else { format!("inc-{text}") };
    let fits = |id: &&IncidentId| !text.is_empty() && id.starts_with(&wanted);
    let found: Vec<IncidentId> = state.learning.all.keys().filter(fits).copied().collect();
    match found[..] {
        [id] => {
            forget_one(state, &id);
            Reply::Done(id.to_string())
        }
        [] => Reply::NotFound(text.to_owned()),
        _ => Reply::Ambiguous(found.iter().map(ToString::to_string).collect()),
    }
}

fn forget_one(state: &mut State, id: &IncidentId) {
    if state.forget_cause(id) {
        state.learning.rebuild();
    }
}
