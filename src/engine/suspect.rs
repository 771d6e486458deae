//! Which change may have caused a fault: one to the item that is blamed, or to something that it depends on, shortly
//! before the first evidence. What changed elsewhere is a coincidence, and what changed afterwards is a repair.

use crate::model::incident::SuspectChange;
use crate::model::{Change, ChangeState, Span, Timestamp};

use super::changes::sentence;
use super::fixed;
use super::state::State;

/// Clocks of monitors and deployers differ by so much.
const CLOCKS_DIFFER: Span = Span::from_mins(1);
/// Steps along dependencies at which a change is still on the way to the fault.
const HOPS_MAX: u8 = 2;
/// Suspects that are shown.
const SHOWN_MAX: usize = 3;
/// What a change of the item itself adds to the score at most, thousandths of a bit, and how that fades with the time to
/// the first evidence.
const SCORE_MAX: i64 = 1_500;
const SCORE_TAU_MS: i64 = 30 * 60_000;

/// The changes that may have caused a fault of `item` which showed first at `first_at`, the likeliest first.
pub fn suspects(state: &State, item: &str, first_at: Timestamp) -> Vec<SuspectChange> {
    let above = state.topology.upstream(item, HOPS_MAX);
    let items = [(item, 0)].into_iter().chain(above.iter().map(|(above, hops)| (&**above, *hops)));
    let mut found: Vec<(u8, &Change)> = Vec::new();
    for (item, hops) in items {
        found.extend(before(state, item, first_at).map(|change| (hops, change)));
        if let Some(service) = state.topology.item(item).and_then(|item| item.service.as_deref()) {
            let (since, until) = span(state, first_at);
            let of_service = state.recent_service_changes(service, since, until).filter(|change| took_effect(change));
            found.extend(of_service.filter(|change| change.configuration_item.is_none()).map(|change| (hops, change)));
        }
    }
    found.sort_by_key(|(hops, change)| (*hops, std::cmp::Reverse(change.at), change.key()));
    found.dedup_by_key(|(_, change)| change.key());
    let shown = found.into_iter().take(SHOWN_MAX);
    shown.map(|(_, change)| SuspectChange { change: change.key(), at: change.at, text: sentence(change) }).collect()
}

/// What a change to an item shortly before its first alert adds to its score, of which it has `score` already: a half more
/// at most, for a change by itself is no fault.
pub fn score(state: &State, item: &str, first_at: Timestamp, score: i64) -> i64 {
    let Some(change) = before(state, item, first_at).last() else { return 0 };
    let elapsed = first_at.since(change.state_at()).as_millis();
    fixed::mul(SCORE_MAX, fixed::decay(elapsed, SCORE_TAU_MS)).min(score / 2).max(0)
}

fn before<'a>(state: &'a State, item: &str, first_at: Timestamp) -> impl Iterator<Item = &'a Change> {
    let (since, until) = span(state, first_at);
    state.recent_changes(item, since, until).filter(|change| took_effect(change))
}

fn span(state: &State, first_at: Timestamp) -> (Timestamp, Timestamp) {
    (first_at - state.policy().correlation.change_window, first_at + CLOCKS_DIFFER)
}

fn took_effect(change: &Change) -> bool {
    change.state != ChangeState::Planned
}
