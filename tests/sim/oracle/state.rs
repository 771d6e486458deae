//! I2, I5, I9 and promise 5: what holds in the state between two steps.

use std::fmt;

use watchbell::engine::dispatch::AlertGroup;
use watchbell::engine::next_deadline;
use watchbell::engine::policy::Policy;
use watchbell::engine::state::State;
use watchbell::model::silence::{Silence, SilenceState};
use watchbell::model::{Alert, Incident, IncidentState, Span, Timestamp};

use super::super::world::World;
use super::problems::judge_problems;
use super::{Oracle, Verdict, ensure};

impl Oracle {
    pub(super) fn judge_state(&mut self, world: &World) -> Verdict {
        let Some(daemon) = &world.daemon else { return Ok(()) };
        // In between, memory is ahead of the store, and must be.
        if daemon.driver.is_stale() || daemon.driver.stepped_count() > 0 {
            return Ok(());
        }
        let state = daemon.driver.state();
        judge_deadlines(state)?;
        if self.compared == self.position {
            return Ok(());
        }
        self.compared = self.position;
        compare(state, &self.replayed)?;
        for incident in state.incidents() {
            judge_incident(incident, state)?;
        }
        judge_problems(state)?;
        self.grouping.judge(state)?;
        self.memory.judge(world.life, state, &self.replayed, world.now(), &mut self.reached)?;
        self.judge_alerts(world)
    }

    /// After a tick nothing may be due any more.
    pub fn judge_punctuality(&self, world: &World) -> Verdict {
        let Some(daemon) = &world.daemon else { return Ok(()) };
        if daemon.driver.is_stale() || daemon.driver.stepped_count() > 0 {
            return Ok(());
        }
        let now = world.now();
        for (what, at) in moments(daemon.driver.state()) {
            ensure(at > now, "I5", || format!("{what} was due at {at}, and it is {now}"))?;
        }
        Ok(())
    }
}

/// Promise 5: what the daemon holds after whatever happened to it is what the journal leads to.
fn compare(state: &State, replayed: &State) -> Verdict {
    ensure(state.policy() == replayed.policy(), "P5", || "the policy is not the one of the journal".to_owned())?;
    compare_all("incident", state.incidents(), replayed.incidents(), |one, two| one == two)?;
    compare_all("delivery", state.deliveries(), replayed.deliveries(), |one, two| one == two)?;
    compare_all("silence", state.silences(), replayed.silences(), |one, two| one == two)?;
    compare_all("maintenance", state.maintenances(), replayed.maintenances(), |one, two| one == two)?;
    compare_all("override", state.overrides().all(), replayed.overrides().all(), |one, two| one == two)?;
    compare_all("problem", state.problems(), replayed.problems(), |one, two| one == two)?;
    compare_all("alert", state.alerts(), replayed.alerts(), is_alike)?;
    compare_all("group", state.book().groups(), replayed.book().groups(), is_alike_group)?;
    compare_all("log entry", state.book().log.entries(), replayed.book().log.entries(), |one, two| one == two)?;
    let threads = (state.book().threads.entries(), replayed.book().threads.entries());
    compare_all("thread of a group", threads.0, threads.1, |one, two| one == two)?;
    let counts = (state.book().notification_count, replayed.book().notification_count);
    ensure(counts.0 == counts.1, "P5", || format!("notifications of groups: {counts:?}"))
}

fn compare_all<T: fmt::Debug + Copy>(
    what: &str,
    all: impl Iterator<Item = T>,
    replayed: impl Iterator<Item = T>,
    is_alike: impl Fn(T, T) -> bool,
) -> Verdict {
    for (one, two) in pairs(all, replayed) {
        let same = matches!((one, two), (Some(one), Some(two)) if is_alike(one, two));
        ensure(same, "P5", || difference(what, &format!("{one:?}"), &format!("{two:?}")))?;
    }
    Ok(())
}

/// Where two long texts part.
fn difference(what: &str, one: &str, two: &str) -> String {
    let parts = one.bytes().zip(two.bytes()).position(|(one, two)| one != two).unwrap_or(one.len().min(two.len()));
    let around = |text: &str| {
        let shown = text.bytes().skip(parts.saturating_sub(60)).take(160).collect::<Vec<u8>>();
        String::from_utf8_lossy(&shown).into_owned()
    };
    let name: String = one.chars().take(120).collect();
    format!("{what} {name}: the daemon has …{}…, a replay …{}…", around(one), around(two))
}

/// Both lists side by side, until both end.
fn pairs<T>(
    one: impl Iterator<Item = T>,
    two: impl Iterator<Item = T>,
) -> impl Iterator<Item = (Option<T>, Option<T>)> {
    let (mut one, mut two) = (one, two);
    std::iter::from_fn(move || match (one.next(), two.next()) {
        (None, None) => None,
        pair => Some(pair),
    })
}

/// A restart may take back a count and the time last seen of an alert that merely repeats
/// (`engine/dedup.rs`), so these are left out.
fn is_alike(one: &Alert, two: &Alert) -> bool {
    let lasting = |alert: &Alert| Alert {
        event_count: 0,
        last_seen_at: Timestamp::default(),
        recorded_at: Timestamp::default(),
        expires_at: None,
        ..alert.clone()
    };
    lasting(one) == lasting(two)
}

/// What a group says of its last moment is for people to see; a restart leaves it out.
fn is_alike_group(one: &AlertGroup, two: &AlertGroup) -> bool {
    let lasting =
        |group: &AlertGroup| (group.id, group.route, group.flush_at, group.labels.clone(), group.alerts.clone());
    lasting(one) == lasting(two)
}

/// I5 and the like: whatever is to happen at a time has a deadline that comes in time.
fn judge_deadlines(state: &State) -> Verdict {
    let next = next_deadline(state);
    for (what, at) in moments(state) {
        ensure(next.is_some_and(|next| next <= at), "I5", || {
            format!("{what} is due at {at}, but nothing wakes for it")
        })?;
    }
    Ok(())
}

/// Everything in the state that is to happen at a time.
fn moments(state: &State) -> Vec<(String, Timestamp)> {
    let mut all = Vec::new();
    for incident in state.incidents() {
        let mut add =
            |what: &str, at: Option<Timestamp>| all.extend(at.map(|at| (format!("{what} of {}", incident.id), at)));
        let notifying = &incident.notifying;
        add("the next message", notifying.flush_at.map(|at| at.max(notifying.held_until.unwrap_or(at))));
        add("the next level", incident.escalating.as_ref().map(|clock| clock.due_at));
        add("the next way to a person", incident.reaching.iter().map(|reaching| reaching.due_at).min());
        if incident.state == IncidentState::Acknowledged {
            let policy = incident.routed.as_ref().and_then(|routed| routed.escalation_policy.as_ref());
            let policy = policy.and_then(|name| state.policy().escalation_policies.get(name));
            let lasts = policy.and_then(|policy| policy.acknowledged_for);
            let lapses_at = incident.acknowledged_at.zip(lasts).map(|(at, lasts)| at + lasts);
            add("the end of the acknowledgement", lapses_at);
        }
        if incident.state == IncidentState::Open {
            add("the repetition", notifying.repeat_at);
        }
    }
    for alert in state.alerts().filter(|alert| alert.is_firing() && !alert.flap.is_flapping && alert.marker.is_none()) {
        let incident = alert.incident.and_then(|id| state.incident(&id));
        if incident.is_some_and(|incident| incident.state == IncidentState::Pending) {
            let at = alert.fired_at + state.policy().correlation.open_after;
            all.push((format!("the opening for {}", alert.dedup_key), at));
        }
    }
    all.extend(state.book().groups().map(|group| (format!("the next moment of {}", group.id), group.flush_at)));
    // Who was not heard since a start has five minutes from there.
    let started = state.away_until();
    for alert in state.alerts().filter(|alert| alert.is_firing()) {
        let granted = started.filter(|at| alert.last_seen_at < *at).map(|at| at + Span::from_mins(5));
        let at = alert.expires_at.map(|at| granted.map_or(at, |granted| at.max(granted)));
        all.extend(at.map(|at| (format!("the expiry of {}", alert.dedup_key), at)));
    }
    all.extend(state.silences().map(|silence| {
        let at = match silence.state {
            SilenceState::Pending => silence.starts_at,
            SilenceState::Active => silence.ends_at,
            SilenceState::Expired => silence.ends_at + state.policy().silence_retention,
        };
        (format!("what follows for the {:?} {}", silence.state, silence.id), at)
    }));
    all
}

fn judge_incident(incident: &Incident, state: &State) -> Verdict {
    let id = incident.id;
    let is_due = wants_escalation(incident, state.policy());
    ensure(is_due == incident.escalating.is_some(), "I5", || {
        format!("{id}: a level is left to be asked is {is_due}, but the clock is {:?}", incident.escalating)
    })?;
    if incident.state == IncidentState::Open {
        let notifying = &incident.notifying;
        let was_told = notifying.told.as_ref().is_some_and(|told| told.state != IncidentState::Resolved);
        let is_muted = notifying.muted.as_ref().is_some_and(|cause| !cause.is_empty());
        ensure(was_told || notifying.flush_at.is_some() || is_muted, "I2", || {
            format!("{id}: nobody was told, nobody will be, and nothing says why")
        })?;
        ensure(!was_told || !incident.audience.is_empty(), "I9", || format!("{id} was told to nobody"))?;
        if let Some(cause) = notifying.muted.as_ref().filter(|_| notifying.flush_at.is_none()) {
            judge_mute(incident, cause, state)?;
        }
    }
    if let Some(by) = &incident.acknowledged_by {
        let may = ["ada", "root", "ada via nagios", "ada via zabbix", "somebody via nagios"].contains(&by.as_str());
        ensure(may, "I10", || format!("{id} is acknowledged by {by}"))?;
    }
    Ok(())
}

/// I2: a mute has a cause that still stands.
fn judge_mute(incident: &Incident, cause: &str, state: &State) -> Verdict {
    let stands = if let Some(rest) = cause.strip_prefix("silenced by ") {
        let names = |silence: &Silence| rest.starts_with(&format!("{} until {}", silence.created_by, silence.ends_at));
        state.silences().any(|silence| silence.state == SilenceState::Active && names(silence))
    } else if cause.starts_with("in maintenance") {
        state.maintenances().next().is_some()
    } else {
        cause.starts_with("inhibited by ") && !state.policy().inhibit_rules.is_empty()
    };
    ensure(stands, "I2", || format!("{} is muted, but the cause is gone: {cause}", incident.id))
}

/// I5, from the words of the design: open, told, not acknowledged, levels left.
fn wants_escalation(incident: &Incident, policy: &Policy) -> bool {
    let name = incident.routed.as_ref().and_then(|routed| routed.escalation_policy.as_ref());
    let Some(levels) = name.and_then(|name| policy.escalation_policies.get(name)) else { return false };
    let is_unanswered = match incident.state {
        IncidentState::Open => incident.acknowledged_at.is_none(),
        IncidentState::Acknowledged => !incident.unanswered.is_empty(),
        _ => false,
    };
    let rounds = levels.levels.len() * (levels.repeat as usize + 1);
    let all = levels.levels.iter().cycle().take(rounds).chain(&levels.last_resort);
    let mut left = all.skip(incident.escalated_levels as usize);
    let is_left = left.any(|level| level.priorities.is_empty() || level.priorities.contains(&incident.priority));
    is_unanswered && incident.notifying.told.is_some() && is_left
}
