//! What was learned, for people: how well it does, what it holds of causes, and which confirmations it rests on.

use std::cmp::Reverse;

use serde::{Deserialize, Serialize};

use crate::engine::state::State;
use crate::model::{IncidentId, Timestamp};

use super::gate::{self, Gate, Right};
use super::{Evidence, KEPT_MAX};

/// Traits and confirmations that are shown.
const SHOWN_MAX: usize = 100;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LearningView {
    /// Confirmed causes that are remembered.
    pub confirmations: usize,
    pub confirmations_max: usize,
    /// Something learned is part of the ranking.
    pub is_in_force: bool,
    /// What the engine said before each confirmation, beside what it would have said without learning.
    pub in_force: Figures,
    pub evidence: Vec<EvidenceView>,
    /// What tells causes from other suspects; the strongest first.
    pub traits: Vec<TraitView>,
    /// The latest first.
    pub signatures: Vec<SignatureView>,
}

/// Faded shares of the confirmations, thousandths; the latest thirty or so count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Figures {
    /// Confirmations in which the true cause was among the suspects.
    pub judged: u32,
    /// True cause named first, without and with what was learned.
    pub first_unlearned: i64,
    pub first_learned: i64,
    /// Mean of one over the rank of the true cause.
    pub reciprocal_rank_unlearned: i64,
    pub reciprocal_rank_learned: i64,
}

impl Figures {
    fn of(gate: &Gate) -> Self {
        let mean = |sum: i64| sum * 1_000 / gate.weighed.max(1);
        let (Right { first, reciprocal }, learned) = (gate.unlearned, gate.learned);
        Self {
            judged: gate.judged,
            first_unlearned: mean(first),
            first_learned: mean(learned.first),
            reciprocal_rank_unlearned: mean(reciprocal),
            reciprocal_rank_learned: mean(learned.reciprocal),
        }
    }
}

/// One kind of evidence and its gate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct EvidenceView {
    pub evidence: Evidence,
    pub is_open: bool,
    /// How much it counts in the ranking, thousandths.
    pub weight: i64,
    pub figures: Figures,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TraitView {
    pub name: String,
    /// What it says for a suspect that has it, thousandths of a bit.
    pub bits: i64,
    /// Causes that had it, and other suspects, faded, thousandths.
    pub with_cause: i64,
    pub elsewhere: i64,
}

/// One confirmed cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SignatureView {
    pub incident: IncidentId,
    pub cause: String,
    pub confirmed_by: String,
    pub confirmed_at: Timestamp,
    /// What could be seen of the cause; empty when it was no suspect.
    pub traits: Vec<String>,
    /// Where the true cause stood, from 1, without what was learned and with what was in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_unlearned: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank_learned: Option<u32>,
}

impl LearningView {
    pub fn of(state: &State) -> Self {
        let learning = state.learning();
        let evidence = Evidence::ALL.into_iter().map(|evidence| {
            let gate = learning.gate(evidence);
            EvidenceView { evidence, is_open: gate.weight > 0, weight: gate.weight, figures: Figures::of(&gate) }
        });
        let traits = learning.tables.traits.iter().map(|(name, odds)| TraitView {
            name: name.clone(),
            bits: odds.bits,
            with_cause: odds.with_cause,
            elsewhere: odds.elsewhere,
        });
        let mut traits: Vec<TraitView> = traits.filter(|one| one.bits != 0).collect();
        traits.sort_by_key(|one| Reverse(one.bits.abs()));
        traits.truncate(SHOWN_MAX);
        let mut signatures: Vec<SignatureView> = learning.iter().map(|(id, one)| signature(*id, one)).collect();
        signatures.sort_by_key(|one| Reverse((one.confirmed_at, one.incident)));
        signatures.truncate(SHOWN_MAX);
        Self {
            confirmations: learning.all.len(),
            confirmations_max: KEPT_MAX,
            is_in_force: learning.is_in_force(),
            in_force: Figures::of(&gate::in_force(learning.all.values())),
            evidence: evidence.collect(),
            traits,
            signatures,
        }
    }
}

fn signature(incident: IncidentId, one: &super::Remembered) -> SignatureView {
    SignatureView {
        incident,
        cause: one.cause.clone(),
        confirmed_by: one.by.clone(),
        confirmed_at: one.at,
        traits: one.traits.iter().flatten().cloned().collect(),
        rank_unlearned: one.judged.as_ref().map(|judged| judged.unlearned + 1),
        rank_learned: one.judged.as_ref().map(|judged| judged.in_force + 1),
    }
}
