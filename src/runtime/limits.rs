//! How fast a sink is called, and when it is left alone: rate limit, back-off, circuit breaker.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::model::{Fingerprint, Span, Timestamp};
use crate::sinks::Rate;

/// First pause after a failure; doubles with each further one.
const BACKOFF_MIN: Span = Span::from_secs(1);
const BACKOFF_MAX: Span = Span::from_mins(5);
/// Failures in a row that open the breaker.
const BREAKER_FAILURES: u32 = 5;
/// Pauses of the breaker: the first, and the longest.
const BREAKER_MIN: Span = Span::from_secs(5);
const BREAKER_MAX: Span = Span::from_mins(1);

pub fn limiter(rate: Rate) -> DefaultDirectRateLimiter {
    let count = NonZeroU32::new(rate.count).unwrap_or(NonZeroU32::MIN);
    let period = Duration::from_millis(rate.per_ms.max(1)) / count.get();
    let quota = Quota::with_period(period.max(Duration::from_nanos(1))).unwrap_or_else(|| Quota::per_second(count));
    RateLimiter::direct(quota.allow_burst(count))
}

/// Pause before try `attempts + 1`: exponential, spread by ± 20 % so that many deliveries that failed
/// together do not return together. The spread comes from the id: the same delivery waits the same time.
pub fn backoff(id: &str, attempts: u32) -> Span {
    let doubled = BACKOFF_MIN.as_millis() << attempts.saturating_sub(1).min(16);
    spread(Span::from_millis(doubled.min(BACKOFF_MAX.as_millis())), 200, id, attempts)
}

/// A span that is up to so many thousandths shorter or longer; always the same for one key and number.
pub fn spread(base: Span, thousandths: u32, key: &str, number: u32) -> Span {
    let (base, width) = (base.as_millis(), i64::from(thousandths));
    let offset = (Fingerprint::of([key, &number.to_string()]).0 % (2 * u64::from(thousandths) + 1)) as i64 - width;
    Span::from_millis(base + base * offset / 1_000)
}

/// Until when a sink wants to hear nothing, as it said itself. Shared by all of its sends: the word of one
/// counts for the others from that moment on, and no success of another takes it back.
#[derive(Debug, Default)]
pub struct Pause(AtomicI64);

impl Pause {
    /// The sink asked for it.
    pub fn until(&self, at: Timestamp) {
        self.0.fetch_max(at.as_millis(), Ordering::SeqCst);
    }

    /// When it is over, if it is not.
    pub fn ends_at(&self, now: Timestamp) -> Option<Timestamp> {
        Some(Timestamp::from_millis(self.0.load(Ordering::SeqCst))).filter(|at| *at > now)
    }
}

/// Leaves a sink alone that fails again and again; lets one try through when the pause is over.
#[derive(Clone, Debug, Default)]
pub struct Breaker {
    failures: u32,
    open_until: Option<Timestamp>,
}

impl Breaker {
    /// Until when nothing may be sent.
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.open_until.filter(|until| *until > now)
    }

    /// True while only a single probe may be under way.
    pub const fn is_probing(&self) -> bool {
        self.failures >= BREAKER_FAILURES
    }

    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub fn failed(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        if self.failures >= BREAKER_FAILURES {
            let pause = BREAKER_MIN.as_millis() << (self.failures - BREAKER_FAILURES).min(8);
            self.open_until = Some(now + Span::from_millis(pause.min(BREAKER_MAX.as_millis())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_grows_to_a_ceiling_and_spreads() {
        let waits: Vec<i64> = (1..20).map(|attempts| backoff("inc-1.1.ops/slack", attempts).as_millis()).collect();
        assert!((800..=1_200).contains(&waits[0]), "{waits:?}");
        assert!(waits.iter().all(|ms| *ms <= 360_000), "{waits:?}");
        assert_ne!(backoff("a", 3), backoff("b", 3));
    }

    #[test]
    fn a_pause_of_the_breaker_ends_in_time_on_a_clock_that_was_set_back() {
        use crate::clock::Clock;
        use crate::runtime::engine_clock::EngineClock;
        let clock = Clock::manual("2026-11-21T05:00:00Z".parse().unwrap());
        let ours = EngineClock::new(clock.clone(), Timestamp::default());
        let mut breaker = Breaker::default();
        (0..5).for_each(|_| breaker.failed(ours.now()));
        clock.set_by(Span::from_hours(-24));
        clock.advance(BREAKER_MIN);
        assert!(breaker.open_until(ours.now()).is_some(), "a tenth is left");
        clock.advance(Span::from_secs(1));
        assert!(breaker.open_until(ours.now()).is_none());
    }

    #[test]
    fn the_longest_pause_counts() {
        let pause = Pause::default();
        let at = Timestamp::from_millis;
        assert_eq!(pause.ends_at(at(0)), None);
        pause.until(at(9_000));
        pause.until(at(5_000));
        assert_eq!(pause.ends_at(at(8_999)), Some(at(9_000)));
        assert_eq!(pause.ends_at(at(9_000)), None);
    }

    #[test]
    fn the_breaker_opens_probes_and_closes() {
        let start = Timestamp::from_millis(0);
        let mut breaker = Breaker::default();
        (0..4).for_each(|_| breaker.failed(start));
        assert!(breaker.open_until(start).is_none());
        breaker.failed(start);
        let until = breaker.open_until(start).unwrap();
        assert!(breaker.open_until(until).is_none() && breaker.is_probing());
        breaker.failed(until);
        assert!(breaker.open_until(until).unwrap().since(until) > BREAKER_MIN);
        breaker.succeeded();
        assert!(!breaker.is_probing());
    }
}
