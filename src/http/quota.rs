//! How many events one source may send. A request's events are known only once it is read, and a
//! batch may be larger than any sensible burst, so a bucket that is charged beforehand (governor's)
//! would either let batches through uncounted or refuse large ones for ever. This one is charged
//! afterwards and may go into debt: whoever is in debt waits. Reads no clock.
//!
//! At 100 events a second a batch of 500 is taken, and the next request four seconds later.

use parking_lot::Mutex;

use crate::model::Timestamp;

/// Events of this much time may come at once without any debt.
const BURST_US: i64 = 1_000_000;
/// No debt locks a source out for longer, and a clock that is set back does not either.
const DEBT_MAX_US: i64 = 60_000_000;

#[derive(Debug)]
pub struct Quota {
    events_per_second: u32,
    /// When everything taken so far will have been paid for, microseconds since the epoch.
    paid_at_us: Mutex<i64>,
}

impl Quota {
    pub fn new(events_per_second: u32) -> Self {
        Self { events_per_second: events_per_second.max(1), paid_at_us: Mutex::new(i64::MIN) }
    }

    pub fn events_per_second(&self) -> u32 {
        self.events_per_second
    }

    /// # Errors
    /// Seconds to wait, rounded up, while the source is in debt.
    pub fn check(&self, now: Timestamp) -> Result<(), u64> {
        let free_until_us = now.as_millis().saturating_mul(1_000).saturating_add(BURST_US);
        let mut paid_at_us = self.paid_at_us.lock();
        *paid_at_us = (*paid_at_us).min(free_until_us.saturating_add(DEBT_MAX_US));
        let debt_us = paid_at_us.saturating_sub(free_until_us);
        if debt_us < 0 { Ok(()) } else { Err(debt_us as u64 / 1_000_000 + 1) }
    }

    /// Counts events that were read; at least one for each request, good or bad.
    pub fn charge(&self, now: Timestamp, events: usize) {
        let now_us = now.as_millis().saturating_mul(1_000);
        let price_us = (events.max(1) as i64).saturating_mul(1_000_000) / i64::from(self.events_per_second);
        let mut paid_at_us = self.paid_at_us.lock();
        *paid_at_us = (*paid_at_us).max(now_us).saturating_add(price_us);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + ms)
    }

    #[test]
    fn lets_one_second_of_events_through_at_once_and_then_the_rate() {
        let quota = Quota::new(10);
        for _ in 0..10 {
            assert_eq!(quota.check(at(0)), Ok(()));
            quota.charge(at(0), 1);
        }
        assert_eq!(quota.check(at(0)), Err(1));
        assert_eq!(quota.check(at(50)), Ok(()));
        quota.charge(at(50), 1);
        assert_eq!(quota.check(at(100)), Err(1));
        assert_eq!(quota.check(at(101)), Ok(()));
    }

    #[test]
    fn takes_a_large_batch_and_lets_it_be_paid_off() {
        let quota = Quota::new(100);
        assert_eq!(quota.check(at(0)), Ok(()));
        quota.charge(at(0), 500);
        assert_eq!(quota.check(at(0)), Err(5));
        assert_eq!(quota.check(at(3_500)), Err(1));
        assert_eq!(quota.check(at(4_001)), Ok(()));
    }

    #[test]
    fn a_clock_set_back_and_a_huge_batch_lock_out_for_a_minute_at_most() {
        let quota = Quota::new(1);
        quota.charge(at(0), usize::MAX);
        assert_eq!(quota.check(at(-3_600_000)), Err(61));
        assert_eq!(quota.check(at(-3_600_000 + 60_001)), Ok(()));
    }
}
