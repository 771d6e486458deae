//! Log odds from confirmed causes, in thousandths of a bit: positive where causes had it more often than the other
//! suspects. What is hardly known is drawn towards what is known of all, so that one confirmation says little.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::fixed::{self, ONE};
use crate::model::{Fingerprint, IncidentId, Timestamp};

use super::{Remembered, Sight};

/// Confirmations that the expectation weighs against what was counted, thousandths.
const PRIOR: i64 = 2 * ONE;
/// The most that one trait says, and the most that item or likeness say, thousandths of a bit.
const TRAIT_MAX: i64 = 4_000;
const ITEM_MAX: i64 = 3_000;
/// Traits hang together: each next one counts so much less.
const NEXT_TRAIT: i64 = 700;
/// Incidents that are less alike than this have nothing to say to each other, thousandths.
const ALIKE_MIN: i64 = 200;
/// The most alike that are asked.
const ALIKE_MAX: usize = 8;
/// Remembered incidents that are looked through for one pair of item and family, the latest.
const LOOKED_THROUGH_MAX: usize = 64;
/// Incidents that an explanation names.
const NAMED_MAX: usize = 2;
/// Shares are in millionths.
const MILLION: i64 = 1_000_000;

/// How often something was with the cause and how often with another suspect, thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Odds {
    pub with_cause: i64,
    pub elsewhere: i64,
    pub bits: i64,
}

#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub traits: BTreeMap<String, Odds>,
    places: BTreeMap<Fingerprint, Odds>,
    /// For each pair of item and family, the incidents that had it.
    having: BTreeMap<Fingerprint, Having>,
    /// Cause, weight by age, and what all that was seen weighs.
    incidents: BTreeMap<IncidentId, Known>,
}

#[derive(Clone, Debug, Default)]
struct Having {
    incidents: BTreeSet<IncidentId>,
    /// The rarer, the more it says.
    weight: i64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    cause: Fingerprint,
    weight: i64,
    seen: i64,
}

impl Tables {
    pub fn of(all: &BTreeMap<IncidentId, Remembered>, weight: impl Fn(Timestamp) -> i64) -> Self {
        let mut tables = Self::default();
        let mut sums = Odds::default();
        for one in all.values() {
            let weight = weight(one.at);
            sums.with_cause += if one.traits.is_some() { weight } else { 0 };
            sums.elsewhere += weight * one.others.len() as i64;
            for name in one.traits.iter().flatten() {
                tables.traits.entry(name.clone()).or_default().with_cause += weight;
            }
            for (name, count) in &one.other_traits {
                tables.traits.entry(name.clone()).or_default().elsewhere += weight * i64::from(*count);
            }
            if one.traits.is_some() {
                tables.places.entry(one.place).or_default().with_cause += weight;
            }
            for place in &one.others {
                tables.places.entry(*place).or_default().elsewhere += weight;
            }
        }
        tables.traits.values_mut().for_each(|odds| odds.bits = trait_bits(*odds, sums));
        tables.places.values_mut().for_each(|odds| odds.bits = place_bits(*odds, sums));
        tables.index(all, weight);
        tables
    }

    fn index(&mut self, all: &BTreeMap<IncidentId, Remembered>, weight: impl Fn(Timestamp) -> i64) {
        for (id, one) in all {
            for pair in &one.seen {
                self.having.entry(*pair).or_default().incidents.insert(*id);
            }
        }
        let count = all.len() as i64;
        self.having.values_mut().for_each(|having| having.weight = rarity(having.incidents.len() as i64, count));
        for (id, one) in all {
            let seen = one.seen.iter().map(|pair| self.weight(*pair)).sum();
            self.incidents.insert(*id, Known { cause: one.place, weight: weight(one.at), seen });
        }
    }

    fn weight(&self, pair: Fingerprint) -> i64 {
        self.having.get(&pair).map_or_else(|| rarity(0, self.incidents.len() as i64), |having| having.weight)
    }

    /// What its traits say for a suspect: the strongest in full, each next one less.
    pub fn by_traits(&self, traits: &BTreeSet<String>) -> i64 {
        let mut bits: Vec<i64> = traits.iter().filter_map(|name| self.traits.get(name)).map(|odds| odds.bits).collect();
        bits.sort_unstable_by_key(|bits| (-bits.abs(), *bits));
        let add = |(sum, share), bits: &i64| (sum + fixed::mul(*bits, share), fixed::mul(share, NEXT_TRAIT));
        bits.iter().fold((0, ONE), add).0
    }

    pub fn by_item(&self, place: Fingerprint) -> i64 {
        self.places.get(&place).map_or(0, |odds| odds.bits)
    }

    /// The remembered incidents that looked like this one, asked for their causes.
    pub fn likeness(&self, sight: &Sight) -> Likeness {
        let mut shared: BTreeMap<IncidentId, i64> = BTreeMap::new();
        for (pair, having) in sight.seen.iter().filter_map(|pair| Some((pair, self.having.get(pair)?))) {
            let weight = self.weight(*pair);
            for id in having.incidents.iter().rev().take(LOOKED_THROUGH_MAX) {
                *shared.entry(*id).or_default() += weight;
            }
        }
        let here: i64 = sight.seen.iter().map(|pair| self.weight(*pair)).sum();
        let alike = |(id, both): (&IncidentId, &i64)| {
            let known = self.incidents.get(id)?;
            let likeness = both * ONE / (here + known.seen - both).max(1);
            (likeness >= ALIKE_MIN).then_some((likeness, *id, *known))
        };
        let mut alike: Vec<(i64, IncidentId, Known)> = shared.iter().filter_map(alike).collect();
        alike.sort_unstable_by_key(|(likeness, id, _)| std::cmp::Reverse((*likeness, *id)));
        alike.truncate(ALIKE_MAX);
        let vote = |(likeness, id, known): (i64, IncidentId, Known)| Vote {
            incident: id,
            cause: known.cause,
            weight: fixed::mul(fixed::mul(likeness, likeness), known.weight),
        };
        Likeness { votes: alike.into_iter().map(vote).collect(), suspects: sight.suspect_count() as i64 }
    }
}

/// How much a pair says that `having` of `count` incidents had, thousandths of a bit.
fn rarity(having: i64, count: i64) -> i64 {
    fixed::log2((count + 2) * ONE) - fixed::log2(having * ONE + ONE / 2)
}

/// Share among causes against share among the others, each mixed with the share among all.
fn trait_bits(odds: Odds, sums: Odds) -> i64 {
    let all = (odds.with_cause + odds.elsewhere + ONE / 2) * MILLION / (sums.with_cause + sums.elsewhere + ONE);
    let share = |count: i64, of: i64| (count * MILLION + PRIOR * all) / (of + PRIOR);
    let bits = log2(share(odds.with_cause, sums.with_cause)) - log2(share(odds.elsewhere, sums.elsewhere));
    bits.clamp(-TRAIT_MAX, TRAIT_MAX)
}

/// How often it was the cause when it was a suspect, against how often any suspect is.
fn place_bits(odds: Odds, sums: Odds) -> i64 {
    let any = sums.with_cause * MILLION / (sums.with_cause + sums.elsewhere).max(1);
    let own = (odds.with_cause * MILLION + PRIOR * any) / (odds.with_cause + odds.elsewhere + PRIOR);
    (log2(own) - log2(any)).clamp(-ITEM_MAX, ITEM_MAX)
}

fn log2(share: i64) -> i64 {
    fixed::log2(share.max(1) * ONE)
}

struct Vote {
    incident: IncidentId,
    cause: Fingerprint,
    /// Thousandths.
    weight: i64,
}

/// What the incidents that looked like one say about its cause.
pub struct Likeness {
    /// The most alike first.
    votes: Vec<Vote>,
    suspects: i64,
}

impl Likeness {
    pub fn bits(&self, place: Fingerprint) -> i64 {
        let all: i64 = self.votes.iter().map(|vote| vote.weight).sum();
        if all == 0 {
            return 0;
        }
        let any = MILLION / self.suspects.max(2);
        let own: i64 = self.votes.iter().filter(|vote| vote.cause == place).map(|vote| vote.weight).sum();
        let own = (own * MILLION + ONE * any) / (all + ONE);
        (log2(own) - log2(any)).clamp(-ITEM_MAX, ITEM_MAX)
    }

    /// The most alike of which this was the cause.
    pub fn names(&self, place: Fingerprint) -> Vec<String> {
        let of_it = self.votes.iter().filter(|vote| vote.cause == place);
        of_it.take(NAMED_MAX).map(|vote| vote.incident.to_string()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::incident_id::sample_id;

    fn place(item: &str) -> Fingerprint {
        Fingerprint::of([item])
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// `db` was the cause of what was seen on it and on `web`.
    fn outage(at_ms: i64) -> Remembered {
        Remembered {
            at: Timestamp::from_millis(at_ms),
            by: "anna".to_owned(),
            cause: "db".to_owned(),
            place: place("db"),
            traits: Some(names(&["alert Disk full", "kind host"])),
            others: BTreeSet::from([place("web")]),
            other_traits: BTreeMap::from([("alert Slow".to_owned(), 1), ("kind host".to_owned(), 1)]),
            seen: BTreeSet::from([place("db Disk full"), place("web Slow")]),
            judged: None,
        }
    }

    fn after(outages: usize) -> Tables {
        let all = (0..outages).map(|number| (sample_id(&format!("inc-{number}")), outage(number as i64)));
        Tables::of(&all.collect(), |_| ONE)
    }

    #[test]
    fn what_causes_had_speaks_for_a_suspect_and_what_others_had_against_it() {
        let tables = after(6);
        let bits = |name| tables.by_traits(&names(&[name]));
        assert!(bits("alert Disk full") > 1_500 && bits("alert Slow") < -1_500, "{:?}", tables.traits);
        assert_eq!((bits("kind host"), bits("alert Fan")), (0, 0), "what all have and what nobody had says nothing");
        assert!(after(1).by_traits(&names(&["alert Disk full"])) < bits("alert Disk full"), "one says less than six");
        assert!(tables.by_item(place("db")) > 500 && tables.by_item(place("web")) < -500);
        assert_eq!(tables.by_item(place("other/db")), 0, "of another place nothing is known");
    }

    #[test]
    fn incidents_that_looked_alike_say_what_was_the_cause_and_others_do_not() {
        let tables = after(3);
        let likeness = |pairs: &[&str]| {
            let mut sight = Sight::default();
            sight.seen.extend(pairs.iter().map(|pair| place(pair)));
            tables.likeness(&sight)
        };
        let same = likeness(&["db Disk full", "web Slow"]);
        assert!(same.bits(place("db")) > 500 && same.bits(place("web")) < -500);
        assert_eq!(same.names(place("db")).len(), NAMED_MAX);
        assert_eq!(same.names(place("other/db")), Vec::<String>::new());
        let strange = likeness(&["other/db Disk full", "other/web Slow"]);
        assert_eq!((strange.bits(place("db")), strange.names(place("db"))), (0, Vec::new()));
    }
}
