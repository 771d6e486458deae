//! Whether what was learned helps. Each confirmation was judged before anything was learned from it: where the true
//! cause stood without a kind of evidence, and with it. A kind is used while it was the better one lately, and the
//! more, the better it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::engine::fixed::{self, ONE};

use super::{Evidence, Remembered};

/// Confirmations before anything learned is used.
const JUDGED_MIN: u32 = 5;
/// What each later confirmation leaves of the weight of those before it, thousandths: some thirty count.
const FADES: i64 = 970;
/// The mean gain of right firsts and reciprocal ranks at which a kind begins to count, and at which it counts in full,
/// thousandths.
const GAIN_MIN: i64 = 20;
const GAIN_FULL: i64 = 50;
/// How far the gain has to stand out of what chance does: so many of its squared standard errors.
const STANDS_OUT: i64 = 1;

/// Where the true cause of one incident stood, from 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    pub unlearned: u32,
    pub in_force: u32,
    pub with: BTreeMap<Evidence, u32>,
}

/// How often it was right, thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Right {
    /// Sum over confirmations where the true cause was named first.
    pub first: i64,
    /// Sum of one over its rank.
    pub reciprocal: i64,
}

impl Right {
    fn note(&mut self, rank: u32) {
        self.first = fixed::mul(self.first, FADES) + if rank == 0 { ONE } else { 0 };
        self.reciprocal = fixed::mul(self.reciprocal, FADES) + ONE / (i64::from(rank) + 1);
    }
}

/// One kind of evidence on trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gate {
    pub judged: u32,
    /// The same, faded, thousandths.
    pub weighed: i64,
    pub unlearned: Right,
    pub learned: Right,
    /// Sum of the squared gains.
    squares: i64,
    /// How much it counts, thousandths; 0 while it is shut.
    pub weight: i64,
}

impl Gate {
    fn note(&mut self, unlearned: u32, learned: u32) {
        self.judged += 1;
        self.weighed = fixed::mul(self.weighed, FADES) + ONE;
        let before = self.gain();
        self.unlearned.note(unlearned);
        self.learned.note(learned);
        let gained = self.gain() - fixed::mul(before, FADES);
        self.squares = fixed::mul(self.squares, FADES) + fixed::mul(gained, gained);
    }

    /// In firsts and in reciprocal ranks, over all confirmations.
    fn gain(&self) -> i64 {
        (self.learned.first - self.unlearned.first + self.learned.reciprocal - self.unlearned.reciprocal) / 2
    }

    fn decide(mut self) -> Self {
        let sum = self.gain();
        let gain = sum * ONE / self.weighed.max(1);
        let is_better = self.learned.first >= self.unlearned.first && gain >= GAIN_MIN;
        let stands_out = fixed::mul(sum, sum) >= STANDS_OUT * self.squares;
        let is_open = self.judged >= JUDGED_MIN && is_better && stands_out;
        self.weight = if is_open { (gain * ONE / GAIN_FULL).min(ONE) } else { 0 };
        self
    }
}

/// The gates after these confirmations, in the order in which they came.
pub fn all<'a>(confirmed: impl Iterator<Item = &'a Remembered>) -> BTreeMap<Evidence, Gate> {
    let mut gates: BTreeMap<Evidence, Gate> = BTreeMap::new();
    for judged in in_order(confirmed) {
        for (evidence, rank) in &judged.with {
            gates.entry(*evidence).or_default().note(judged.unlearned, *rank);
        }
    }
    gates.into_iter().map(|(evidence, gate)| (evidence, gate.decide())).collect()
}

/// All that was in force beside nothing learned.
pub fn in_force<'a>(confirmed: impl Iterator<Item = &'a Remembered>) -> Gate {
    let mut gate = Gate::default();
    in_order(confirmed).into_iter().for_each(|judged| gate.note(judged.unlearned, judged.in_force));
    gate
}

fn in_order<'a>(confirmed: impl Iterator<Item = &'a Remembered>) -> Vec<&'a Judged> {
    let mut judged: Vec<_> = confirmed.filter_map(|one| Some((one.at, one.place, one.judged.as_ref()?))).collect();
    judged.sort_by_key(|(at, place, _)| (*at, *place));
    judged.into_iter().map(|(_, _, judged)| judged).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(ranks: &[(u32, u32)]) -> Gate {
        let mut gate = Gate::default();
        ranks.iter().for_each(|(unlearned, learned)| gate.note(*unlearned, *learned));
        gate.decide()
    }

    #[test]
    fn a_gate_opens_for_what_helps_and_only_after_enough_confirmations() {
        assert_eq!(gate(&[(1, 0); 4]).weight, 0);
        assert_eq!(gate(&[(1, 0); 5]).weight, ONE);
        assert_eq!(gate(&[(0, 0); 50]).weight, 0, "no help, no weight");
        assert_eq!(gate(&[(0, 1); 50]).weight, 0);
        assert_eq!(gate(&[(2, 1); 5]).weight, ONE, "nearer the top is better, too");
        let (won, lost) = ([(1, 0); 7], [(0, 1); 5]);
        assert_eq!(gate(&[&lost[..], &won[..]].concat()).weight, 0, "seven to five may be chance");
    }

    #[test]
    fn a_streak_of_wrong_ones_shuts_it_again() {
        let mut ranks = vec![(1, 0); 10];
        assert_eq!(gate(&ranks).weight, ONE);
        ranks.extend([(0, 1); 10]);
        assert_eq!(gate(&ranks).weight, 0);
        ranks.extend([(1, 0); 20]);
        assert_eq!(gate(&ranks).weight, ONE, "and a better one opens it");
    }
}
