//! How often things have fired: each alert, each kind of alert on an item, each kind of alert. The rare one
//! says most about a new fault, and what fires at every disturbance says nothing.
//!
//! Counted is what is over, in windows of time: a check that flaps a hundred times within one counts once. Counts
//! fade with a half-life. What was the cause of an incident counts less, the surer that is: that an item fails by
//! itself, and often, does not make it a usual symptom of the failures of others.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::model::{Fingerprint, Span, Timestamp};

use super::fixed::{self, ONE};

/// Firings within this time are one observation.
const WINDOW: Span = Span::from_mins(10);
const HALF_LIFE: Span = Span::from_hours(14 * 24);
/// Windows that an expectation weighs, against what was counted.
const PRIOR: i64 = 2;
/// Windows, thousandths, below which nothing is usual yet.
const YOUNG: i64 = 10 * ONE;
/// Things that are remembered; those seen longest ago give way.
const KEPT_MAX: usize = 200_000;

/// A number of windows, as it was when it last changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count(i64, Timestamp);

impl Count {
    /// Thousandths.
    fn at(self, now: Timestamp) -> i64 {
        self.0 >> (now.since(self.1).as_millis() / HALF_LIFE.as_millis()).clamp(0, 40)
    }

    /// One more, of this weight.
    fn add(&mut self, now: Timestamp, weight: i64) {
        *self = Self(self.at(now) + weight, now);
    }

    fn has(self, window: i64) -> bool {
        window_of(self.1) >= window
    }
}

fn window_of(at: Timestamp) -> i64 {
    at.as_millis() / WINDOW.as_millis()
}

/// What is counted, by the hash of what it is.
#[derive(Clone, Copy)]
enum Thing<'a> {
    Windows,
    /// Items that have fired.
    Items,
    Item(&'a str),
    Family(&'a str),
    OnItem(&'a str, &'a str),
}

impl Thing<'_> {
    fn key(self) -> Fingerprint {
        match self {
            Self::Windows => Fingerprint::of(["windows"]),
            Self::Items => Fingerprint::of(["items"]),
            Self::Item(item) => Fingerprint::of(["item", item]),
            Self::Family(name) => Fingerprint::of(["family", name]),
            Self::OnItem(item, name) => Fingerprint::of(["on item", item, name]),
        }
    }
}

/// One alert, as far as history cares.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub item: Option<&'a str>,
    pub name: &'a str,
}

#[derive(Clone, Debug, Default)]
pub struct History {
    counts: BTreeMap<Fingerprint, Count>,
    /// Changed since they were last taken, the forgotten ones too.
    changed: BTreeSet<Fingerprint>,
}

impl History {
    /// Counts an alert that is over; `blame` is how sure it is that its item was the cause, thousandths.
    pub fn learn(&mut self, now: Timestamp, seen: Seen, blame: i64) {
        let window = window_of(now);
        if !self.get(Thing::Windows).has(window) {
            self.add(Thing::Windows, now, ONE);
        }
        let weight = ONE - blame.clamp(0, ONE);
        let item = seen.item.unwrap_or_default();
        if self.get(Thing::OnItem(item, seen.name)).has(window) {
            return;
        }
        if !self.counts.contains_key(&Thing::Item(item).key()) {
            self.add(Thing::Items, now, ONE);
        }
        self.add(Thing::Item(item), now, 0);
        self.add(Thing::OnItem(item, seen.name), now, weight);
        self.add(Thing::Family(seen.name), now, weight);
    }

    /// Corrects what was counted of an alert that is over, now that it is known better how sure it is that its item
    /// was the cause: by so much less blame.
    pub fn amend(&mut self, seen: Seen, less_blame: i64) {
        let item = seen.item.unwrap_or_default();
        for key in [Thing::OnItem(item, seen.name), Thing::Family(seen.name)].map(Thing::key) {
            if let Some(count) = self.counts.get_mut(&key) {
                count.0 = (count.0 + less_blame).max(0);
                self.changed.insert(key);
            }
        }
    }

    /// Whether too little has happened yet to tell what fires all the time.
    pub fn is_young(&self, now: Timestamp) -> bool {
        self.count(Thing::Windows, now) < YOUNG
    }

    /// How unexpected it is that this fires when anything does, thousandths of a bit: `−log2` of its share of the
    /// windows, where little is known mixed with that of its kind anywhere. No more than what the windows can tell: in
    /// ten of them nothing proves to be rarer than one in ten. A bit is what a first alert says.
    pub fn surprise(&self, now: Timestamp, seen: Seen) -> i64 {
        // Shares in millionths, of which a thousandth of a count is a thousand.
        let windows = self.count(Thing::Windows, now);
        let items = self.count(Thing::Items, now).max(ONE);
        let per_item = self.count(Thing::Family(seen.name), now) * ONE / items;
        let anywhere = (per_item + ONE / 2) * 1_000_000 / (windows + ONE);
        let count = self.count(Thing::OnItem(seen.item.unwrap_or_default(), seen.name), now);
        let share = (count * 1_000 + PRIOR * anywhere) * ONE / (windows + PRIOR * ONE);
        let bits = fixed::log2(1_000_000 * ONE) - fixed::log2(share.max(1) * ONE);
        bits.clamp(0, fixed::log2(windows + ONE).max(ONE))
    }

    fn get(&self, thing: Thing) -> Count {
        // Before all time, so that no window has it.
        let never = Count(0, Timestamp::from_millis(i64::MIN));
        self.counts.get(&thing.key()).copied().unwrap_or(never)
    }

    fn count(&self, thing: Thing, now: Timestamp) -> i64 {
        self.counts.get(&thing.key()).map_or(0, |count| count.at(now))
    }

    fn add(&mut self, thing: Thing, now: Timestamp, weight: i64) {
        let key = thing.key();
        self.counts.entry(key).or_default().add(now, weight);
        self.changed.insert(key);
        if self.counts.len() > KEPT_MAX {
            self.forget_oldest();
        }
    }

    /// A tenth at once, so that it is seldom.
    fn forget_oldest(&mut self) {
        let mut by_age: Vec<(Timestamp, Fingerprint)> =
            self.counts.iter().map(|(key, count)| (count.1, *key)).collect();
        by_age.sort_unstable();
        for (_, key) in by_age.into_iter().take(KEPT_MAX / 10) {
            self.counts.remove(&key);
            self.changed.insert(key);
        }
    }

    pub(super) fn restore(&mut self, key: &str, count: Count) {
        if let Ok(key) = key.parse() {
            self.counts.insert(key, count);
        }
    }

    pub fn change_count(&self) -> usize {
        self.changed.len()
    }

    /// What has changed since the last call, for the store; nothing where it is forgotten.
    pub(super) fn take_changed(&mut self) -> Vec<(String, Option<serde_json::Value>)> {
        let changed = std::mem::take(&mut self.changed);
        let value = |key| self.counts.get(key).and_then(|count| serde_json::to_value(count).ok());
        changed.iter().map(|key| (key.to_string(), value(key))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    fn seen<'a>(item: &'a str, name: &'a str) -> Seen<'a> {
        Seen { item: Some(item), name }
    }

    #[test]
    fn what_fires_at_every_disturbance_says_nothing() {
        let mut history = History::default();
        for number in 0..50 {
            for web in ["web1", "web2", "web3"] {
                history.learn(at(number * 20), seen(web, "LatencyHigh"), 0);
            }
            history.learn(at(number * 20), seen(if number % 2 == 0 { "db1" } else { "db2" }, "Restarted"), 0);
        }
        let surprise = |item, name| history.surprise(at(1_000), seen(item, name));
        assert!(surprise("web1", "LatencyHigh") < 100);
        assert!((900..1_100).contains(&surprise("db1", "Restarted")), "every other time is one bit");
        assert!(surprise("db1", "DiskFull") > 5_000, "never seen");
        assert!(surprise("web4", "LatencyHigh") < surprise("web4", "DiskFull"), "its kind is known elsewhere");
        assert_eq!(surprise("web4", "DiskFull"), fixed::log2(51 * ONE), "more cannot be told from fifty windows");
    }

    #[test]
    fn a_window_counts_once_and_a_cause_is_excused() {
        let (mut once, mut often, mut excused) = (History::default(), History::default(), History::default());
        for number in 0..20 {
            once.learn(at(number * 20), seen("a", "x"), 0);
            (0..9).for_each(|minute| often.learn(at(number * 20 + minute), seen("a", "x"), 0));
            excused.learn(at(number * 20), seen("a", "x"), ONE);
        }
        let surprise = |history: &History| history.surprise(at(400), seen("a", "x"));
        assert_eq!(surprise(&once), surprise(&often));
        assert!(surprise(&excused) > surprise(&once) + 3_000);
    }

    #[test]
    fn a_cause_that_is_known_late_is_excused_all_the_same() {
        let (mut late, mut early) = (History::default(), History::default());
        for number in 0..20 {
            late.learn(at(number * 20), seen("a", "x"), 0);
            late.amend(seen("a", "x"), -ONE);
            early.learn(at(number * 20), seen("a", "x"), ONE);
        }
        let surprise = |history: &History| history.surprise(at(400), seen("a", "x"));
        assert_eq!(surprise(&late), surprise(&early));
    }

    #[test]
    fn counts_fade_and_outlive_a_restart() {
        let mut history = History::default();
        (0..8).for_each(|number| history.learn(at(number * 20), seen("a", "x"), 0));
        let late = at(60 * 24 * 15);
        assert_eq!(history.count(Thing::OnItem("a", "x"), late), 4 * ONE);
        let mut again = History::default();
        for (key, value) in history.take_changed() {
            again.restore(&key, serde_json::from_value(value.expect("kept")).expect("a count"));
        }
        assert_eq!(again.surprise(late, seen("a", "y")), history.surprise(late, seen("a", "y")));
    }
}
