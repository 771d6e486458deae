//! Silences as people mean them: in force at their times, by the clock on the wall when they recur, until somebody ends
//! them or nothing fires any more. Computed here from what was asked for, day by day, and compared with what the engine
//! makes of it; then who is told in spite of one is a violation.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use watchbell::engine::effect::Effect;
use watchbell::engine::inhibit;
use watchbell::engine::input::{Command, Input, Reply};
use watchbell::engine::policy::NotifyBy;
use watchbell::engine::state::State;
use watchbell::model::recurrence::Recurrence;
use watchbell::model::silence::SilenceState;
use watchbell::model::timeline::TimelineKind;
use watchbell::model::{Alert, Matcher, NotificationKind, SilenceDraft, Span, Timestamp};

use super::memory::reply_of;
use super::{Reached, Verdict, ensure};

/// A silence that ends when it is quiet may be looked at so much later.
const LOOKED_AT_WITHIN: Span = Span::from_mins(10);

#[derive(Clone, Debug)]
struct Asked {
    matchers: Vec<Matcher>,
    times: Times,
    /// It ends when nothing that it mutes has fired for so long.
    quiet: Option<Span>,
    /// Since when nothing has, at most.
    quiet_since: Timestamp,
    was_in_force: bool,
    is_ended: bool,
}

#[derive(Clone, Debug)]
enum Times {
    /// In our time.
    Once(Timestamp, Timestamp),
    /// And up to when, by the clock on the wall, the present one is over before its time.
    Again(Box<Recurrence>, Option<Timestamp>),
}

#[derive(Default)]
pub(super) struct Silences {
    asked: BTreeMap<String, Asked>,
}

impl Silences {
    /// What a step did to silences, and whom it told.
    pub fn after(
        &mut self,
        input: &Input,
        effects: &[Effect],
        state: &State,
        at: Timestamp,
        reached: &mut Reached,
    ) -> Verdict {
        self.take_in(input, effects, state, at);
        self.watch(state, at);
        for effect in effects {
            match effect {
                Effect::Timeline(entry) if entry.kind == TimelineKind::Silence => {
                    self.end_of_quiet(&entry.text, state, at, reached)?;
                }
                _ => {}
            }
        }
        let is_tick = matches!(input, Input::Tick);
        for (id, asked) in &mut self.asked {
            let is_in_force = asked.is_in_force(state, at);
            if is_in_force && !asked.was_in_force {
                asked.quiet_since = at.max(asked.quiet_since);
                reached.note(if asked.recurs() { "recurring silence began" } else { "silence began" });
            }
            asked.was_in_force = is_in_force;
            // A clock that is set back afterwards does not bring it back.
            asked.is_ended |= asked.has_no_more_times(state, at);
            let known = state.silence(id);
            let is_active = known.is_some_and(|known| {
                known.state != SilenceState::Expired && known.state_at(at) == SilenceState::Active
            });
            ensure(is_active == is_in_force, "silences", || {
                format!("{id} is in force: {is_in_force}, says Watchbell: {is_active}: {asked:?}, {known:?}")
            })?;
            let latest = asked.quiet.map(|quiet| asked.quiet_since + quiet + LOOKED_AT_WITHIN);
            ensure(!(is_tick && is_in_force) || latest.is_none_or(|latest| at <= latest), "silences", || {
                format!("{id} goes on, although nothing has fired since {}", asked.quiet_since)
            })?;
        }
        self.judge_told(effects, state, at, reached)
    }

    fn take_in(&mut self, input: &Input, effects: &[Effect], state: &State, at: Timestamp) {
        let Input::Command { command, .. } = input else { return };
        match (command, reply_of(effects)) {
            (Command::Silence(draft), Some(Reply::Done(id))) => {
                self.asked.insert(id.clone(), Asked::of(draft, state, at));
            }
            (Command::ExpireSilence { silence }, Some(Reply::Done(_))) => {
                if let Some(asked) = self.asked.get_mut(silence) {
                    asked.is_ended = true;
                }
            }
            _ => {}
        }
    }

    /// Something that a silence mutes fires, or did until now.
    fn watch(&mut self, state: &State, at: Timestamp) {
        for asked in self.asked.values_mut().filter(|asked| asked.quiet.is_some()) {
            let fired = |alert: &Alert| if alert.is_unsettled() { Some(at) } else { alert.resolved_at };
            let last = state.alerts().filter(|alert| asked.mutes(state, alert)).filter_map(fired).max();
            asked.quiet_since = last.map_or(asked.quiet_since, |last| last.max(asked.quiet_since));
        }
    }

    /// A silence says that it has ended because nothing fires.
    fn end_of_quiet(&mut self, text: &str, state: &State, at: Timestamp, reached: &mut Reached) -> Verdict {
        if !text.contains("nothing that it mutes") {
            return Ok(());
        }
        let Some((id, asked)) = self.asked.iter_mut().find(|(id, _)| text.contains(id.as_str())) else { return Ok(()) };
        let quiet = asked.quiet.unwrap_or_default();
        let since = asked.quiet_since;
        ensure(at.since(since) >= quiet, "silences", || {
            format!("{id} is to end after {} of quiet, and something fired at {since}", quiet.human())
        })?;
        reached.note("silence ended for quiet");
        let wall = at - state.ahead();
        match &mut asked.times {
            Times::Once(..) => asked.is_ended = true,
            Times::Again(recurrence, over) => *over = occurrence(recurrence, wall).map(|(_, ends_at)| ends_at),
        }
        Ok(())
    }

    /// Whether one of them mutes it now.
    pub fn is_silenced(&self, state: &State, at: Timestamp, alert: &Alert) -> bool {
        self.asked.values().any(|asked| asked.is_in_force(state, at) && asked.mutes(state, alert))
    }

    /// Where people are told of incidents: nobody is called for what is silenced as a whole.
    fn judge_told(&self, effects: &[Effect], state: &State, at: Timestamp, reached: &mut Reached) -> Verdict {
        if state.policy().notify_by == NotifyBy::Group {
            return Ok(());
        }
        for effect in effects {
            let Effect::Deliver(delivery) = effect else { continue };
            let kinds = [NotificationKind::Opened, NotificationKind::Reopened, NotificationKind::Repeated];
            let is_new = delivery.attempts == 1 && delivery.fallback_for.is_none() && delivery.created_at == at;
            if !is_new || !kinds.contains(&delivery.notification.kind) || delivery.redriven.is_some() {
                continue;
            }
            let is_in = |alert: &&Alert| alert.incident == Some(delivery.incident) && alert.is_unsettled();
            let fires: Vec<&Alert> = state.alerts().filter(is_in).collect();
            let is_heard = fires.is_empty() || fires.iter().any(|alert| !self.is_silenced(state, at, alert));
            ensure(is_heard, "silences", || format!("{} is told, and all of it is silenced", delivery.id))?;
        }
        let is_muted = |effect: &Effect| matches!(effect, Effect::Timeline(entry) if entry.kind == TimelineKind::Muted && entry.text.contains("silenced"));
        if effects.iter().any(is_muted) {
            reached.note("incident silenced");
        }
        Ok(())
    }
}

impl Asked {
    fn of(draft: &SilenceDraft, state: &State, at: Timestamp) -> Self {
        let ahead = state.ahead();
        let times = match &draft.recurrence {
            Some(recurrence) => Times::Again(Box::new(recurrence.clone()), None),
            None => Times::Once((draft.starts_at + ahead).max(at), draft.ends_at + ahead),
        };
        Self {
            matchers: draft.matchers.clone(),
            times,
            quiet: draft.expire_when_quiet,
            quiet_since: at,
            was_in_force: false,
            is_ended: false,
        }
    }

    const fn recurs(&self) -> bool {
        matches!(self.times, Times::Again(..))
    }

    fn is_in_force(&self, state: &State, at: Timestamp) -> bool {
        !self.is_ended
            && match &self.times {
                Times::Once(starts_at, ends_at) => (*starts_at..*ends_at).contains(&at),
                Times::Again(recurrence, over) => {
                    let wall = at - state.ahead();
                    let present = occurrence(recurrence, wall);
                    present.is_some_and(|(_, ends_at)| over.is_none_or(|over| over < ends_at))
                }
            }
    }

    fn has_no_more_times(&self, state: &State, at: Timestamp) -> bool {
        let Times::Again(recurrence, _) = &self.times else { return false };
        let wall = at - state.ahead();
        !occurrences(recurrence, wall, 8).any(|(_, ends_at)| wall < ends_at)
    }

    fn mutes(&self, state: &State, alert: &Alert) -> bool {
        let label = |name: &str| match state.policy().notify_by {
            NotifyBy::Group => alert.labels.get(name).or_else(|| item(alert, name)),
            NotifyBy::Incident => inhibit::label(alert, name),
        };
        self.matchers.iter().all(|matcher| matcher.is_match(label(&matcher.name)))
    }
}

fn item<'a>(alert: &'a Alert, name: &str) -> Option<&'a str> {
    alert.configuration_item.as_deref().filter(|_| name == "configuration_item")
}

/// The one in which it is then, by the clock on the wall; looked for from day to day.
fn occurrence(recurrence: &Recurrence, wall: Timestamp) -> Option<(Timestamp, Timestamp)> {
    occurrences(recurrence, wall, 1).find(|(starts_at, ends_at)| (*starts_at..*ends_at).contains(&wall))
}

/// Those that begin from three days before up to so many days after.
fn occurrences(recurrence: &Recurrence, wall: Timestamp, days: i64) -> impl Iterator<Item = (Timestamp, Timestamp)> {
    let zone = zone(&recurrence.time_zone);
    let local = |at: Timestamp| zone.to_datetime(jiff::Timestamp::from_millisecond(at.as_millis()).unwrap());
    let (first, today) = (local(recurrence.starts_at), local(wall).date());
    let instant = move |at: jiff::civil::DateTime| {
        let at = zone.to_ambiguous_timestamp(at).compatible().unwrap();
        Timestamp::from_millis(at.as_millisecond())
    };
    (-3..=days).filter_map(move |days| {
        let date = today.checked_add(jiff::Span::new().days(days)).unwrap();
        if date < first.date() || !is_named(&recurrence.rrule, date) {
            return None;
        }
        let begin = date.to_datetime(first.time());
        let end = begin.checked_add(jiff::SignedDuration::from_millis(recurrence.duration.as_millis())).unwrap();
        let (starts_at, ends_at) = (instant(begin), instant(end));
        let ends_at = if ends_at > starts_at { ends_at } else { starts_at + recurrence.duration };
        let is_late = recurrence.until.is_some_and(|until| starts_at > until);
        (!is_late).then_some((starts_at, ends_at))
    })
}

/// The rules that people here know.
fn is_named(rrule: &str, date: Date) -> bool {
    match rrule {
        "FREQ=DAILY" => true,
        "FREQ=WEEKLY;BYDAY=SA,SU" => matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday),
        other => panic!("nobody asks for `{other}`"),
    }
}

pub(super) fn zone(name: &str) -> TimeZone {
    static ZONES: std::sync::LazyLock<TimeZoneDatabase> = std::sync::LazyLock::new(TimeZoneDatabase::bundled);
    ZONES.get(name).unwrap()
}
