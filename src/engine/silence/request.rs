//! What people ask of silences: a new one, a change, an end. Decides who may, how large one may be, and what may be
//! changed without making history untrue; what it then mutes is not decided here.
//!
//! A change follows Alertmanager's rules (silence/silence.go of 0.34, read 2026-11-28): what is muted stays; of an
//! active silence only what comes may change, of a pending one nothing may lie in the past, of an expired one nothing
//! changes. Whatever goes beyond that ends the old silence and makes a new one, with an id of its own.

use crate::engine::input::{Principal, Reply};
use crate::engine::state::State;
use crate::engine::timeline;
use crate::model::silence::{Silence, SilenceDraft, SilenceState};
use crate::model::timeline::TimelineKind;
use crate::model::{Fingerprint, Matcher, Span, Timestamp};

use super::{ITEM, finish, keep, recheck};

/// How long it must be quiet at least and at most for a silence to end by itself.
const QUIET_MIN: Span = Span::from_mins(1);
const QUIET_MAX: Span = Span::from_hours(24);

/// Action and subject for the audit log.
pub fn describe(draft: &SilenceDraft) -> (&'static str, String) {
    match &draft.id {
        Some(id) => ("silence.update", id.clone()),
        None => ("silence.create", text_of(draft)),
    }
}

fn text_of(draft: &SilenceDraft) -> String {
    draft.matchers.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Makes a silence, or changes the one that the draft names.
pub fn put(state: &mut State, now: Timestamp, by: &Principal, mut draft: SilenceDraft) -> Reply {
    let before = match &draft.id {
        Some(id) => match state.silence(id) {
            Some(before) => Some(before.clone()),
            None => return Reply::NotFound(id.clone()),
        },
        None => None,
    };
    if let Some(why) = before.as_ref().and_then(|before| forbidden(state, by, before, "changed")) {
        return Reply::Refused(why);
    }
    if let Some(before) = before.as_ref().filter(|_| draft.starts_at == Timestamp::default()) {
        draft.starts_at = state.wall_time(before.starts_at);
    }
    let wanted = match read(state, now, by, draft) {
        Ok(wanted) => wanted,
        Err(why) => return Reply::Refused(why),
    };
    match before {
        Some(before) if may_become(&before, &wanted, now) => change(state, now, by, before, wanted),
        before => replace(state, now, by, before, wanted),
    }
}

/// The silence that is asked for, as yet without an id.
pub(super) fn read(state: &State, now: Timestamp, by: &Principal, draft: SilenceDraft) -> Result<Silence, String> {
    if draft.matchers.iter().all(Matcher::is_for_nothing) {
        let got = if draft.matchers.is_empty() { "none".to_owned() } else { format!("`{}`", text_of(&draft)) };
        return Err(format!("`matchers`: got {got}, expected at least one that does not match an empty value"));
    }
    let (starts_at, ends_at) = times(state, now, &draft)?;
    if draft.covers_dependants && !draft.matchers.iter().any(is_an_item) {
        let expected = format!("a matcher `{ITEM}=\"x\"` with it");
        return Err(format!("`covers_dependants`: got `true`, expected {expected}"));
    }
    if let Some(quiet) = draft.expire_when_quiet.filter(|quiet| !(QUIET_MIN..=QUIET_MAX).contains(quiet)) {
        let (quiet, min, max) = (quiet.human(), QUIET_MIN.human(), QUIET_MAX.human());
        return Err(format!("`expire_when_quiet`: got {quiet}, expected {min} to {max}"));
    }
    let rule = &state.policy().silences;
    if rule.comment_required && draft.comment.trim().is_empty() {
        return Err("`comment`: got nothing, expected a word on why".to_owned());
    }
    let created_by = draft.created_by.unwrap_or_else(|| by.name.clone());
    Ok(Silence {
        id: String::new(),
        matchers: draft.matchers,
        starts_at,
        ends_at,
        owner: (created_by != by.name).then(|| by.name.clone()),
        created_by,
        comment: draft.comment,
        annotations: draft.annotations,
        updated_at: now,
        state: SilenceState::Pending,
        covers_dependants: draft.covers_dependants,
        recurrence: draft.recurrence,
        expire_when_quiet: draft.expire_when_quiet,
        quiet_since: None,
        quiet_check_at: None,
    })
}

/// Begin and end in our time: as asked for, or of the occurrence that is the next.
fn times(state: &State, now: Timestamp, draft: &SilenceDraft) -> Result<(Timestamp, Timestamp), String> {
    let max = state.policy().silences.duration_max;
    if let Some(recurrence) = &draft.recurrence {
        recurrence.check().map_err(|error| format!("`recurrence`: {error}"))?;
        check_duration(max, "duration", recurrence.duration)?;
        let next = recurrence.first_after(state.wall_time(now));
        let next = next.ok_or("`recurrence`: got a rule without a time to come, expected one that has one")?;
        return Ok((state.own_time(next.starts_at), state.own_time(next.ends_at)));
    }
    let (starts_at, ends_at) = (state.own_time(draft.starts_at), state.own_time(draft.ends_at));
    if ends_at <= starts_at {
        return Err(format!("`ends_at`: got {ends_at}, expected a time after `starts_at` ({starts_at})"));
    }
    if ends_at <= now {
        return Err(format!("`ends_at`: got {ends_at}, expected a time that has not passed"));
    }
    check_duration(max, "ends_at", ends_at.since(starts_at.max(now)))?;
    Ok((starts_at, ends_at))
}

fn is_an_item(matcher: &Matcher) -> bool {
    matcher.name == ITEM && matcher.literals().is_some()
}

fn check_duration(max: Option<Span>, field: &str, got: Span) -> Result<(), String> {
    match max.filter(|max| got > *max) {
        Some(max) => Err(format!(
            "`{field}`: the silence would last {}, expected at most {} (`silences.duration_max`)",
            got.human(),
            max.human()
        )),
        None => Ok(()),
    }
}

/// Why somebody may not touch it.
fn forbidden(state: &State, by: &Principal, silence: &Silence, done: &str) -> Option<String> {
    let needed = state.policy().silences.others;
    let is_own = silence.owner() == by.name;
    (!is_own && by.role < needed).then(|| {
        let (id, owner) = (&silence.id, silence.owner());
        let needed = format!("{needed:?}").to_lowercase();
        format!("silence {id} is of {owner}: it is {done} by its owner or by the role {needed} (`silences.others`)")
    })
}

/// Whether `before` can become `after` and nothing that was would read differently.
fn may_become(before: &Silence, after: &Silence, now: Timestamp) -> bool {
    let sorted = |silence: &Silence| {
        let mut all: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
        all.sort_unstable();
        all
    };
    let is_alike = before.covers_dependants == after.covers_dependants
        && before.recurrence == after.recurrence
        && sorted(before) == sorted(after);
    let seconds = |at: Timestamp| at.as_millis().div_euclid(1_000);
    is_alike
        && match before.state_at(now) {
            // Its times follow from its rule.
            SilenceState::Active | SilenceState::Pending if before.recurrence.is_some() => true,
            SilenceState::Active => seconds(before.starts_at) == seconds(after.starts_at),
            SilenceState::Pending => after.starts_at >= now,
            SilenceState::Expired => false,
        }
}

fn change(state: &mut State, now: Timestamp, by: &Principal, before: Silence, wanted: Silence) -> Reply {
    let is_active = before.state_at(now) == SilenceState::Active;
    let starts_at = if is_active { before.starts_at } else { wanted.starts_at };
    // One that has ended by itself before its time does not come back by a better comment.
    let ends_at = if before.recurrence.is_some() { before.ends_at } else { wanted.ends_at };
    let starts_at = if before.recurrence.is_some() { before.starts_at } else { starts_at };
    let owner = before.owner().to_owned();
    let owner = (owner != wanted.created_by).then_some(owner);
    let after = Silence { id: before.id, starts_at, ends_at, owner, matchers: before.matchers, ..wanted };
    let id = after.id.clone();
    say(state, now, &by.name, format!("changed silence {id}: {}", words(&after)));
    keep(state, now, after);
    // The words with which it mutes may be others now, or what it muted is loud.
    recheck(state);
    Reply::Done(id)
}

/// A new silence, in the place of an old one where there is one.
fn replace(state: &mut State, now: Timestamp, by: &Principal, before: Option<Silence>, mut wanted: Silence) -> Reply {
    if let Err(why) =
        check_count(state, before.as_ref().is_some_and(|before| before.state_at(now) != SilenceState::Expired))
    {
        return Reply::Refused(why);
    }
    wanted.id = new_id(state, now, &by.name, &wanted);
    wanted.starts_at = wanted.starts_at.max(now);
    let id = wanted.id.clone();
    match &before {
        Some(before) => {
            say(state, now, &by.name, format!("put silence {id} in the place of {}: {}", before.id, words(&wanted)))
        }
        None => say(state, now, &wanted.created_by.clone(), words(&wanted)),
    }
    keep(state, now, wanted);
    if let Some(before) = before {
        over(state, now, &by.name, before);
    }
    Reply::Done(id)
}

fn words(silence: &Silence) -> String {
    let wide = if silence.covers_dependants { " and what depends on it" } else { "" };
    format!(
        "{} mutes {}{wide} until {}: {}",
        silence.created_by,
        silence.matchers_text(),
        silence.ends_at,
        silence.comment
    )
}

fn check_count(state: &State, is_in_exchange: bool) -> Result<(), String> {
    let Some(max) = state.policy().silences.count_max else { return Ok(()) };
    let count = state.silences().filter(|silence| silence.state != SilenceState::Expired).count();
    let count = count - usize::from(is_in_exchange);
    if count < max as usize {
        return Ok(());
    }
    Err(format!("silences: got one more than {count} that are not over, expected at most {max} (`silences.count_max`)"))
}

/// From the moment, the asker and what is muted; of several at one moment each has its own.
fn new_id(state: &State, now: Timestamp, by: &str, silence: &Silence) -> String {
    let (at, matchers) = (now.to_string(), silence.matchers_text());
    let mut number = 0_u32;
    loop {
        let id = Fingerprint::uuid(&["silence", &at, by, &matchers, &number.to_string()]);
        if state.silence(&id).is_none() {
            return id;
        }
        number += 1;
    }
}

/// Ends a silence now. One that is over already stays as it is.
pub fn expire(state: &mut State, now: Timestamp, by: &Principal, id: &str) -> Reply {
    let Some(silence) = state.silence(id).cloned() else { return Reply::NotFound(id.to_owned()) };
    if silence.state_at(now) == SilenceState::Expired {
        return Reply::Already(id.to_owned());
    }
    if let Some(why) = forbidden(state, by, &silence, "ended") {
        return Reply::Refused(why);
    }
    over(state, now, &by.name, silence);
    Reply::Done(id.to_owned())
}

fn over(state: &mut State, now: Timestamp, by: &str, silence: Silence) {
    if silence.state_at(now) == SilenceState::Expired {
        return;
    }
    say(state, now, by, format!("silence {} by {} has ended: {by} ended it", silence.id, silence.created_by));
    finish(state, now, Silence { updated_at: now, ..silence });
}

fn say(state: &mut State, now: Timestamp, by: &str, text: String) {
    timeline::system(state, now, TimelineKind::Silence, by, text);
}
