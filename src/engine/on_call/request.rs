//! What people ask of a schedule: to put somebody in, to exchange two shifts, to take that back. Whoever works on
//! incidents may do it for everybody, because whoever falls ill at night cannot do it; it stands in the audit log.
//! Decides what is a sound wish; never who may wish, which is a matter of roles (`command.rs`).

use crate::engine::input::Reply;
use crate::engine::state::State;
use crate::engine::timeline;
use crate::model::schedule::{MadeOverride, Override};
use crate::model::timeline::TimelineKind;
use crate::model::{Fingerprint, Span, Timestamp};

use super::gaps;

/// From the begin of an override to its end.
const LENGTH_MAX: Span = Span::from_hours(366 * 24);
/// Overrides of one schedule that are not over.
const COUNT_MAX: usize = 1_000;
/// The same with those that are; past it the one that ended first is forgotten before its time.
const KEPT_MAX: usize = 2 * COUNT_MAX;

/// For the audit log and people.
pub fn words(shift: &Override) -> String {
    format!("{} from {} to {}", shift.receiver, shift.starts_at, shift.ends_at)
}

/// Puts somebody in for a time.
pub fn put(state: &mut State, now: Timestamp, by: &str, schedule: String, shift: Override) -> Reply {
    let shift = match check_schedule(state, &schedule).and_then(|()| Ok(check(state, now, "", shift)?)) {
        Ok(shift) => shift,
        Err(reply) => return reply.into(),
    };
    let text = format!("{by} puts {} on call in {schedule}", words(&shift));
    make(state, now, by, schedule, vec![shift], text)
}

/// Has two people take each other's shift. Each must have all of the one that they give away.
pub fn swap(state: &mut State, now: Timestamp, by: &str, schedule: String, one: Override, other: Override) -> Reply {
    let checked = check_schedule(state, &schedule).and_then(|()| {
        let one = check(state, now, "one.", one)?;
        let other = check(state, now, "other.", other)?;
        if one.receiver == other.receiver {
            return Err(No::Refused(format!("`other.receiver`: got {}, expected somebody else", other.receiver)));
        }
        check_owner(state, &schedule, &one)?;
        check_owner(state, &schedule, &other)?;
        Ok((one, other))
    });
    let (one, other) = match checked {
        Ok(both) => both,
        Err(no) => return no.into(),
    };
    let text = format!("{by} has {} and {} change places in {schedule}", words(&one), words(&other));
    let first = Override { receiver: other.receiver.clone(), ..one.clone() };
    let second = Override { receiver: one.receiver, ..other };
    make(state, now, by, schedule, vec![first, second], text)
}

/// Takes back what is left of it.
pub fn remove(state: &mut State, now: Timestamp, by: &str, schedule: &str, id: &str) -> Reply {
    let wall = state.wall_time(now);
    let Some(made) = state.overrides().of(schedule).iter().find(|made| made.id == id).cloned() else {
        return Reply::NotFound(id.to_owned());
    };
    if made.is_over(wall) {
        return Reply::Already(id.to_owned());
    }
    let ended = made.ended(wall);
    let shifts: Vec<String> = made.shifts.iter().map(words).collect();
    let text = format!("{by} takes back what {} made in {schedule}: {}", made.made_by, shifts.join(", "));
    timeline::system(state, now, TimelineKind::OnCall, by, text);
    match ended.shifts.is_empty() {
        true => state.forget_override(schedule, id),
        false => state.put_override(ended),
    }
    gaps::look_at(state, now, schedule);
    state.schedule_on_call();
    Reply::Done(id.to_owned())
}

/// Why something is not done.
enum No {
    NotFound(String),
    Refused(String),
}

impl From<String> for No {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

impl From<No> for Reply {
    fn from(no: No) -> Self {
        match no {
            No::NotFound(what) => Self::NotFound(what),
            No::Refused(why) => Self::Refused(why),
        }
    }
}

fn check_schedule(state: &State, schedule: &str) -> Result<(), No> {
    match state.policy().schedules.contains_key(schedule) {
        true => Ok(()),
        false => Err(No::NotFound(schedule.to_owned())),
    }
}

/// The shift from now on: what is past was as it was.
fn check(state: &State, now: Timestamp, path: &str, shift: Override) -> Result<Override, String> {
    let wall = state.wall_time(now);
    let Override { starts_at, ends_at, receiver } = &shift;
    if !state.policy().receivers.contains_key(receiver) {
        let shown: String = receiver.chars().take(64).collect();
        return Err(format!("`{path}receiver`: there is no person and no receiver `{shown}`"));
    }
    if ends_at <= starts_at {
        return Err(format!("`{path}ends_at`: got {ends_at}, expected a time after `starts_at` ({starts_at})"));
    }
    if *ends_at <= wall {
        return Err(format!("`{path}ends_at`: got {ends_at}, expected a time that has not passed"));
    }
    let length = ends_at.since(*starts_at);
    if length > LENGTH_MAX {
        let (got, max) = (length.human(), LENGTH_MAX.human());
        return Err(format!("`{path}ends_at`: the override would last {got}, expected at most {max}"));
    }
    Ok(Override { starts_at: (*starts_at).max(wall), ..shift })
}

fn check_owner(state: &State, schedule: &str, shift: &Override) -> Result<(), No> {
    let Some(known) = state.policy().schedules.get(schedule) else { return check_schedule(state, schedule) };
    let calendar = known.calendar(state.overrides().counting(schedule));
    let mut at = shift.starts_at;
    while at < shift.ends_at {
        let who = calendar.who(at);
        if who != Some(shift.receiver.as_str()) {
            let who = who.unwrap_or("nobody");
            return Err(No::Refused(format!("{} cannot give that away: at {at} {who} is on call", words(shift))));
        }
        at = calendar.changes_after(at).unwrap_or(shift.ends_at);
    }
    Ok(())
}

fn make(state: &mut State, now: Timestamp, by: &str, schedule: String, shifts: Vec<Override>, text: String) -> Reply {
    let wall = state.wall_time(now);
    let made = state.overrides().of(&schedule);
    let count = made.iter().filter(|made| !made.is_over(wall)).count();
    if count >= COUNT_MAX {
        return Reply::Refused(format!(
            "{schedule} has {count} overrides that are not over, expected at most {COUNT_MAX}: remove some"
        ));
    }
    let surplus = (made.len() >= KEPT_MAX)
        .then(|| made.iter().filter(|made| made.is_over(wall)).min_by_key(|made| made.ends_at()))
        .flatten()
        .map(|made| made.id.clone());
    let number = made.last().map_or(1, |last| last.number + 1);
    let id = new_id(state, now, by, &schedule, number);
    if let Some(surplus) = surplus {
        state.forget_override(&schedule, &surplus);
    }
    state.put_override(MadeOverride {
        id: id.clone(),
        schedule: schedule.clone(),
        shifts,
        made_by: by.to_owned(),
        made_at: now,
        number,
    });
    timeline::system(state, now, TimelineKind::OnCall, by, text);
    gaps::look_at(state, now, &schedule);
    state.schedule_on_call();
    Reply::Done(id)
}

/// From the moment, the asker and the schedule; of several at one moment each has its own.
fn new_id(state: &State, now: Timestamp, by: &str, schedule: &str, number: u64) -> String {
    let (at, mut number) = (now.to_string(), number);
    loop {
        let id = Fingerprint::uuid(&["override", &at, by, schedule, &number.to_string()]);
        if state.overrides().of(schedule).iter().all(|made| made.id != id) {
            return id;
        }
        number += 1;
    }
}
