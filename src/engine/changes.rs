//! What was altered lately (`model/change.rs`): folds what is told of one change into one, resolves what it
//! altered, and finds what touched an item or a service shortly before a fault. Not to be confused with
//! `state/changes.rs`, which records what altered in our own state.
//!
//! Decides what is kept in memory: [`CHANGES_MAX`] of them, each for `correlation.change_window` and
//! [`KEPT_ON`] after its last sign. Their rows stay as history. Never decides who is to blame.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::timeline::TimelineKind;
use crate::model::{Change, Span, Timestamp};

use super::deadline::Deadline;
use super::state::State;
use super::{normalize, timeline};

/// Changes in memory, some 1 KiB each; beyond it the oldest are forgotten first.
const CHANGES_MAX: usize = 10_000;
/// After the window: an incident that is still worked on is ranked again and again, and must not lose its suspect.
const KEPT_ON: Span = Span::from_hours(24);
/// Forgetting waits for company, so that a thousand changes are not a thousand ticks.
const FORGET_EVERY: Span = Span::from_mins(10);

/// What a moment of a change is filed under: name, time, key of the change.
type Entry = (Arc<str>, Timestamp, Arc<str>);

/// The changes in memory and the ways to find them. All of it follows from the changes themselves.
#[derive(Clone, Debug, Default)]
pub struct RecentChanges {
    by_key: BTreeMap<Arc<str>, Change>,
    by_item: BTreeSet<Entry>,
    by_service: BTreeSet<Entry>,
    /// By the last sign of each.
    by_age: BTreeSet<(Timestamp, Arc<str>)>,
}

impl RecentChanges {
    /// Takes a change in, in the place of what was known of it.
    pub(super) fn put(&mut self, change: Change) {
        let key: Arc<str> = change.key().into();
        self.remove(&key);
        for moment in moments(&change) {
            for (names, index) in
                [(&change.configuration_item, &mut self.by_item), (&change.service, &mut self.by_service)]
            {
                if let Some(name) = names {
                    index.insert((name.as_str().into(), moment, Arc::clone(&key)));
                }
            }
        }
        self.by_age.insert((last_sign(&change), Arc::clone(&key)));
        self.by_key.insert(key, change);
    }

    pub(super) fn remove(&mut self, key: &str) {
        let Some((key, change)) = self.by_key.remove_entry(key) else { return };
        for moment in moments(&change) {
            for (names, index) in
                [(&change.configuration_item, &mut self.by_item), (&change.service, &mut self.by_service)]
            {
                if let Some(name) = names {
                    index.remove(&(name.as_str().into(), moment, Arc::clone(&key)));
                }
            }
        }
        self.by_age.remove(&(last_sign(&change), key));
    }

    /// Those whose last sign was up to `until`, and the oldest of those that are too many.
    fn outdated(&self, until: Timestamp) -> Vec<Arc<str>> {
        let surplus = self.by_key.len().saturating_sub(CHANGES_MAX);
        let old = self.by_age.iter().enumerate().take_while(|(index, (at, _))| *at <= until || *index < surplus);
        old.map(|(_, (_, key))| Arc::clone(key)).collect()
    }

    fn within<'a>(
        &'a self,
        index: &'a BTreeSet<Entry>,
        name: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> impl DoubleEndedIterator<Item = &'a Change> {
        let name: Arc<str> = name.into();
        let after = (until + Span::from_millis(1)).max(since);
        let entries = index.range((Arc::clone(&name), since, "".into())..(name, after, "".into()));
        let changes = entries.filter_map(|(_, moment, key)| Some((*moment, self.by_key.get(key)?)));
        // With both of its moments in the span it is there for the first one only.
        changes.filter(move |(moment, change)| *moment == change.at || change.at < since).map(|(_, change)| change)
    }
}

/// From here on it may grow old. One that is told late counts from its receipt: its next state may be late as well.
fn last_sign(change: &Change) -> Timestamp {
    change.state_at().max(change.received_at)
}

/// When it first touched anything, and when it came to its present state.
fn moments(change: &Change) -> impl Iterator<Item = Timestamp> + use<> {
    [Some(change.at), change.state_at].into_iter().flatten()
}

impl State {
    /// Changes of one item that began, or came to their present state, from `since` up to `until`, both included;
    /// earliest first. One that is planned counts from the moment for which it is planned. Takes O(log n).
    pub fn recent_changes(
        &self,
        item: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> impl DoubleEndedIterator<Item = &Change> {
        self.recent.within(&self.recent.by_item, item, since, until)
    }

    /// The same by service.
    pub fn recent_service_changes(
        &self,
        service: &str,
        since: Timestamp,
        until: Timestamp,
    ) -> impl DoubleEndedIterator<Item = &Change> {
        self.recent.within(&self.recent.by_service, service, since, until)
    }

    /// Every change in memory, by source and id.
    pub fn known_changes(&self) -> impl Iterator<Item = &Change> {
        self.recent.by_key.values()
    }

    fn known_change(&self, key: &str) -> Option<&Change> {
        self.recent.by_key.get(key)
    }
}

/// Takes in what a source tells of a change. Told again the same way, nothing happens.
pub fn told(state: &mut State, now: Timestamp, mut change: Change) {
    normalize::change(state, &mut change);
    let known = state.known_change(&change.key());
    let known_state = known.map(|known| known.state);
    let change = match known {
        None => change,
        Some(known) => {
            let mut folded = known.clone();
            folded.fold(change);
            if folded == *known {
                return;
            }
            folded
        }
    };
    if known_state != Some(change.state) {
        timeline::system(state, now, TimelineKind::Change, &change.source.clone(), sentence(&change));
    }
    state.put_change(change);
    forget(state, now);
}

/// Lets go of those that are too old, or too many.
pub fn forget(state: &mut State, now: Timestamp) {
    let keep = kept_for(state);
    for key in state.recent.outdated(now - keep) {
        state.forget_change(&key);
    }
    schedule(state);
}

/// Sets when the next ones are to be forgotten.
pub(super) fn schedule(state: &mut State) {
    let oldest = state.recent.by_age.first().map(|(at, _)| *at);
    let at = oldest.map(|at| at + kept_for(state) + FORGET_EVERY);
    state.deadlines.set(Deadline::Changes, at);
}

fn kept_for(state: &State) -> Span {
    state.policy().correlation.change_window + KEPT_ON
}

/// `deploy of shop-web succeeded: v1.4.2, by ada (2026-11-21T05:00:00.000Z)`
pub(super) fn sentence(change: &Change) -> String {
    let what = change.configuration_item.as_deref().or(change.service.as_deref()).unwrap_or_default();
    let state = match change.state {
        crate::model::ChangeState::RolledBack => "rolled back",
        state => state.as_str(),
    };
    let mut text = format!("{} of {what} {state}", change.kind.as_str());
    let details = change.reference.iter().map(String::as_str).chain([change.summary.as_str()]);
    let details: Vec<&str> = details.filter(|text| !text.is_empty()).collect();
    if !details.is_empty() {
        text.push_str(&format!(": {}", details.join(", ")));
    }
    if let Some(author) = &change.author {
        text.push_str(&format!(", by {author}"));
    }
    format!("{text} ({})", change.state_at())
}
