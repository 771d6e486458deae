//! What each sink was told of each group: the memory that makes a page come once. Alertmanager's notification log;
//! it outlives the group, and a restart.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::expiring::Expiring;
use super::remote;
use crate::engine::policy::Route;
use crate::engine::state::{State, fact};
use crate::model::delivery::DeliveryId;
use crate::model::{AlertStatus, Delivery, Fingerprint, GroupView, IncidentId, Span, Timestamp};
use crate::mutant::{self, Mutant};

/// What a sink knows of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    pub at: Timestamp,
    /// Fingerprints of labels, sorted.
    pub firing: Vec<Fingerprint>,
    pub resolved: Vec<Fingerprint>,
    /// The newest letter that the sink has taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<DeliveryId>,
    /// Nobody asks for it any more.
    expires_at: Timestamp,
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    told: Expiring<Told>,
}

/// Why a sink is told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    First,
    NewAlerts,
    SomeResolved,
    AllResolved,
    Repeat,
}

impl Reason {
    /// Alertmanager's words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first notification",
            Self::NewAlerts => "new alerts added",
            Self::SomeResolved => "some alerts resolved",
            Self::AllResolved => "all alerts resolved",
            Self::Repeat => "repeat interval elapsed",
        }
    }
}

/// The fingerprints of a group's alerts by state, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    pub firing: Vec<Fingerprint>,
    pub resolved: Vec<Fingerprint>,
}

impl Present {
    pub fn of(alerts: impl IntoIterator<Item = (Fingerprint, AlertStatus)>) -> Self {
        let mut present = Self::default();
        for (fingerprint, status) in alerts {
            match status {
                AlertStatus::Firing => present.firing.push(fingerprint),
                AlertStatus::Resolved => present.resolved.push(fingerprint),
            }
        }
        present.firing.sort_unstable();
        present.resolved.sort_unstable();
        present
    }

    pub fn of_view(view: &GroupView) -> Self {
        Self::of(view.alerts.iter().filter_map(|alert| Some((alert.fingerprint.parse().ok()?, alert.status))))
    }
}

/// Whether a sink is to be told, and why.
pub fn reason(
    told: Option<&Told>,
    present: &Present,
    hears_ends: bool,
    repeat_interval: Span,
    now: Timestamp,
) -> Option<Reason> {
    let Some(told) = told else { return (!present.firing.is_empty()).then_some(Reason::First) };
    if !is_subset(&present.firing, &told.firing) {
        return Some(if told.firing.is_empty() { Reason::First } else { Reason::NewAlerts });
    }
    if present.firing.is_empty() {
        // Whoever was told of nothing that fires does not care for ends, either.
        return (!told.firing.is_empty()).then_some(Reason::AllResolved);
    }
    if hears_ends && !is_subset(&present.resolved, &told.resolved) {
        return Some(Reason::SomeResolved);
    }
    let is_due = told.at < now - repeat_interval && !mutant::is(Mutant::GroupNeverRepeated);
    is_due.then_some(Reason::Repeat)
}

/// Both sorted.
fn is_subset(some: &[Fingerprint], all: &[Fingerprint]) -> bool {
    let mut all = all.iter();
    some.iter().all(|one| all.by_ref().any(|other| other == one))
}

/// What the log files an entry under: the group by its key, and the sink.
pub fn key(group_key: &str, sink: &str) -> Fingerprint {
    Fingerprint::of([group_key, sink])
}

/// When what was told, and what stands there, says nothing any more.
pub fn expiry(now: Timestamp, repeat_interval: Span) -> Timestamp {
    now + repeat_interval + repeat_interval
}

pub fn repeat_interval(state: &State, group: &IncidentId) -> Span {
    state.book.route_of(group).map_or(Route::REPEAT_INTERVAL, |route| route.repeat_interval)
}

impl Told {
    /// As if it had been told at this moment.
    pub fn of(at: Timestamp, present: Present) -> Self {
        Self { at, firing: present.firing, resolved: present.resolved, by: None, expires_at: at }
    }
}

impl Log {
    pub fn told(&self, key: Fingerprint) -> Option<&Told> {
        self.told.get(key)
    }

    /// Everything that is remembered, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&Fingerprint, &Told)> {
        self.told.entries()
    }

    fn put(&mut self, key: Fingerprint, told: Told) {
        self.told.put(key, told.expires_at, told);
    }
}

/// A sink has taken a notification.
pub fn note(state: &mut State, now: Timestamp, delivery: &Delivery) {
    let Some(view) = &delivery.notification.group else { return };
    let repeat = repeat_interval(state, &delivery.incident);
    write(state, now, key(&view.key, &delivery.sink), Present::of_view(view), Some(delivery.id.clone()), repeat);
}

/// A sink that does not hear ends counts as told that all is over, so that the next firing is news to it.
pub fn pass_over(state: &mut State, now: Timestamp, key: Fingerprint, present: Present, repeat_interval: Span) {
    let by = state.book.log.told(key).and_then(|told| told.by.clone());
    write(state, now, key, present, by, repeat_interval);
    remote::end(state, key);
}

/// From now on a sink counts as told of this.
fn write(
    state: &mut State,
    now: Timestamp,
    key: Fingerprint,
    present: Present,
    by: Option<DeliveryId>,
    repeat_interval: Span,
) {
    let Present { firing, resolved } = present;
    let told = Told { at: now, firing, resolved, by, expires_at: expiry(now, repeat_interval) };
    state.remember(fact::TOLD, key.to_string(), serde_json::to_value(&told).ok());
    state.book.log.put(key, told);
    while let Some(gone) = state.book.log.told.expire(now) {
        state.remember(fact::TOLD, gone.to_string(), None);
    }
}

pub fn restore(state: &mut State, key: &str, value: Value) -> Result<(), serde_json::Error> {
    let told = serde_json::from_value(value)?;
    if let Ok(key) = key.parse() {
        state.book.log.put(key, told);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPEAT: Span = Span::from_secs(60);

    fn prints(numbers: &[u64]) -> Vec<Fingerprint> {
        numbers.iter().map(|number| Fingerprint(*number)).collect()
    }

    fn check(told: Option<(&[u64], &[u64])>, present: (&[u64], &[u64]), expected: Option<Reason>) {
        let at = Timestamp::from_millis(1_000);
        let told = told.map(|(firing, resolved)| Told {
            at,
            firing: prints(firing),
            resolved: prints(resolved),
            by: None,
            expires_at: at,
        });
        let present = Present { firing: prints(present.0), resolved: prints(present.1) };
        assert_eq!(reason(told.as_ref(), &present, true, REPEAT, at + Span::from_secs(1)), expected);
    }

    #[test]
    fn a_sink_is_told_what_is_news_to_it() {
        check(None, (&[1], &[]), Some(Reason::First));
        check(None, (&[], &[1]), None);
        check(Some((&[1], &[])), (&[1], &[]), None);
        check(Some((&[1], &[])), (&[1, 2], &[]), Some(Reason::NewAlerts));
        check(Some((&[1, 2], &[])), (&[1], &[2]), Some(Reason::SomeResolved));
        check(Some((&[1, 2], &[])), (&[1], &[]), None);
        check(Some((&[1], &[2])), (&[1], &[2]), None);
        check(Some((&[1], &[])), (&[], &[1]), Some(Reason::AllResolved));
        check(Some((&[], &[1])), (&[], &[1, 2]), None);
        check(Some((&[], &[1])), (&[1], &[]), Some(Reason::First));
    }

    #[test]
    fn the_same_comes_again_after_the_repeat_interval_and_ends_only_to_who_wants_them() {
        let at = Timestamp::from_millis(1_000);
        let told = Told { at, firing: prints(&[1, 2]), resolved: Vec::new(), by: None, expires_at: at };
        let present = Present { firing: prints(&[1]), resolved: prints(&[2]) };
        assert_eq!(reason(Some(&told), &present, false, REPEAT, at + REPEAT), None);
        let later = at + REPEAT + Span::from_millis(1);
        assert_eq!(reason(Some(&told), &present, false, REPEAT, later), Some(Reason::Repeat));
    }
}
