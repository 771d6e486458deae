//! Silences: what an operator mutes for a time, and what happens when that time begins and when it is over. Muting is
//! decided again at every moment somebody would be told; it never changes what is.
//!
//! ```text
//! pending ─starts_at─▶ active ─ends_at, quiet, or by hand─▶ expired ─retention─▶ forgotten
//!    ▲───── its next time, of one that recurs ─────┘
//! ```
//!
//! What may be asked for is decided in `silence/request.rs`, what it would mute in `silence/preview.rs`, when nothing is
//! left to mute in `silence/quiet.rs`; `silence/index.rs` keeps it cheap.

mod index;
pub mod preview;
mod quiet;
pub mod request;

pub use index::Index;
pub use quiet::gone;

use crate::model::alert::Alert;
use crate::model::muting::MutedBy;
use crate::model::recurrence::Occurrence;
use crate::model::silence::{Silence, SilenceState};
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentId, IncidentState, Timestamp};

use crate::mutant::{self, Mutant};

use super::firing::Cause;
use super::policy::Policy;
use super::state::State;
use super::{inhibit, timeline};

/// The label that `covers_dependants` is about.
pub const ITEM: &str = "configuration_item";

/// Why a silence mutes this alert now, if one does: of several the one that lasts longest.
pub fn cause(state: &State, now: Timestamp, alert: &Alert) -> Option<Cause> {
    let muting = matching(state, now, &|name| inhibit::Eyes::of(state.policy()).of_silences(alert, name));
    let silence = muting.into_iter().rev().max_by_key(|silence| silence.ends_at)?;
    let Silence { id, created_by, starts_at, ends_at, comment, .. } = silence;
    let why = format!("silenced by {created_by} until {ends_at} ({comment}; silence {id})");
    Some(Cause { since: Some(*starts_at), ..Cause::new(MutedBy::Silence, id, why) })
}

/// The active silences of what shows these labels, by id. `configuration_item` is asked for, too: what covers the
/// dependants of an item mutes nothing that does not say on which item it is.
pub fn matching<'s, 'l>(state: &'s State, now: Timestamp, label: &dyn Fn(&str) -> Option<&'l str>) -> Vec<&'s Silence> {
    let index = &state.silence_index;
    let lineage = if index.covers_dependants() { lineage(state, label(ITEM)) } else { Vec::new() };
    let mut found: Vec<&Silence> = index
        .candidates(label, &lineage)
        .filter_map(|id| state.silence(id))
        .filter(|silence| silence.state_at(now) == SilenceState::Active && fits(silence, label, &lineage))
        .collect();
    found.sort_unstable_by(|one, other| one.id.cmp(&other.id));
    found
}

/// The item and everything that it depends on.
fn lineage(state: &State, item: Option<&str>) -> Vec<String> {
    let Some(item) = item else { return Vec::new() };
    let above = state.topology.upstream(item, state.policy().correlation.hops_max);
    [item.to_owned()].into_iter().chain(above.into_iter().map(|(name, _)| name.to_string())).collect()
}

fn fits<'l>(silence: &Silence, label: &dyn Fn(&str) -> Option<&'l str>, lineage: &[String]) -> bool {
    silence.matchers.iter().all(|matcher| {
        matcher.is_match(label(&matcher.name))
            || silence.covers_dependants
                && matcher.name == ITEM
                && lineage.iter().any(|item| matcher.is_match(Some(item)))
    })
}

/// When it next wants to be looked at.
pub fn moment(silence: &Silence, policy: &Policy) -> Timestamp {
    match silence.state {
        SilenceState::Pending => silence.starts_at,
        SilenceState::Active => silence.quiet_check_at.map_or(silence.ends_at, |at| at.min(silence.ends_at)),
        SilenceState::Expired => silence.ends_at + policy.silence_retention,
    }
}

/// A moment of its life has come, or several since we last looked.
pub fn due(state: &mut State, now: Timestamp, id: &str) {
    while let Some(silence) = state.silence(id).filter(|silence| moment(silence, state.policy()) <= now) {
        match silence.state {
            SilenceState::Pending => begin(state, now, silence.clone()),
            SilenceState::Active if silence.ends_at <= now => end(state, now, silence.clone()),
            SilenceState::Active => quiet::look(state, now, silence.clone()),
            SilenceState::Expired => state.forget_silence(id),
        }
    }
}

/// After a time in which nothing was done: what began and ended meanwhile is brought up to now, before anybody is told.
pub fn catch_up(state: &mut State, now: Timestamp) {
    let late: Vec<String> = state
        .silences()
        .filter(|silence| silence.state != SilenceState::Expired && moment(silence, state.policy()) <= now)
        .map(|silence| silence.id.clone())
        .collect();
    for id in late {
        due(state, now, &id);
    }
}

/// From here on it mutes: what is muted may be so for another cause now.
fn begin(state: &mut State, now: Timestamp, silence: Silence) {
    let text = format!("silence {} by {} begins, until {}", silence.id, silence.created_by, silence.ends_at);
    timeline::system(state, now, TimelineKind::Silence, "silence", text);
    state.put_silence(quiet::watched(Silence { state: SilenceState::Active, ..silence }));
    recheck(state);
}

/// Its time is over; one that recurs waits for its next time.
fn end(state: &mut State, now: Timestamp, silence: Silence) {
    let text = format!("silence {} by {} has ended", silence.id, silence.created_by);
    let after = state.wall_time(now);
    turn(state, now, silence, after, text);
}

/// From now on it mutes nothing, until the first occurrence that is not over at `after` by the wall clock.
fn turn(state: &mut State, now: Timestamp, silence: Silence, after: Timestamp, text: String) {
    let next = silence.recurrence.as_ref().filter(|_| !mutant::is(Mutant::RecursOnce));
    let next = next.and_then(|recurrence| recurrence.first_after(after));
    let Some(next) = next.map(|next| own(state, next)) else {
        timeline::system(state, now, TimelineKind::Silence, "silence", text);
        let ends_at = silence.ends_at.min(now);
        return finish(state, ends_at, silence);
    };
    let text = format!("{text}; its next time is from {} to {}", next.starts_at, next.ends_at);
    timeline::system(state, now, TimelineKind::Silence, "silence", text);
    let Occurrence { starts_at, ends_at } = next;
    keep(state, now, Silence { starts_at, ends_at, ..silence });
    if !mutant::is(Mutant::SilenceEndsUnnoticed) {
        recheck(state);
    }
}

/// An occurrence in our time.
fn own(state: &State, occurrence: Occurrence) -> Occurrence {
    let Occurrence { starts_at, ends_at } = occurrence;
    Occurrence { starts_at: state.own_time(starts_at), ends_at: state.own_time(ends_at) }
}

/// Takes it in where it stands in its life now.
fn keep(state: &mut State, now: Timestamp, silence: Silence) {
    let at = silence.state_at(now);
    state.put_silence(quiet::watched(Silence { state: at, quiet_since: None, quiet_check_at: None, ..silence }));
}

/// It mutes nothing from `at` on: whoever still has a fault under it hears now.
fn finish(state: &mut State, at: Timestamp, silence: Silence) {
    let starts_at = silence.starts_at.min(at);
    let over = Silence { state: SilenceState::Expired, starts_at, ends_at: at, quiet_check_at: None, ..silence };
    state.put_silence(over);
    if !mutant::is(Mutant::SilenceEndsUnnoticed) {
        recheck(state);
    }
}

/// The wall clock was set: what recurs follows it.
pub fn clock_set(state: &mut State, now: Timestamp) {
    let recurs = |silence: &&Silence| silence.recurrence.is_some() && silence.state != SilenceState::Expired;
    let all: Vec<Silence> = state.silences().filter(recurs).cloned().collect();
    let wall = state.wall_time(now);
    for silence in all {
        let next = silence.recurrence.as_ref().and_then(|recurrence| recurrence.first_after(wall));
        if let Some(Occurrence { starts_at, ends_at }) = next.map(|next| own(state, next)) {
            keep(state, now, Silence { starts_at, ends_at, ..silence });
        }
    }
    recheck(state);
}

/// Has every muted incident look again.
pub fn recheck(state: &mut State) {
    let muted: Vec<IncidentId> = state
        .incidents()
        .filter(|incident| incident.notifying.muted.is_some() && incident.state == IncidentState::Open)
        .map(|incident| incident.id)
        .collect();
    state.touched.extend(muted);
}
