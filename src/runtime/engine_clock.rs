//! The engine's "now": it never goes back, not even over a restart, and no wait takes much longer or
//! shorter because somebody has set the wall clock. Reasons and price: decision 0006.
//!
//! ```text
//! wall clock       ahead of us  →  we follow at once: the machine stood still, or it was set ahead
//! wall clock       behind us    →  we go on with the steady clock, a tenth slower, until it has caught up
//! ```
//!
//! The writer and the outbox share one, so that a due time means the same to both.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::clock::Clock;
use crate::model::{Span, Timestamp};
use crate::mutant::{self, Mutant};

/// While ahead of the wall clock, one part in so many of the passing time is left out: an hour is made
/// good in ten, and a wait of five minutes takes half a minute longer meanwhile.
const SLEW: i64 = 10;
/// Jumps below this are corrections that nothing has to know of.
const JUMP_MIN: Span = Span::from_mins(1);
/// A jump of this much is more than somebody's correction of seconds: what it may do to history waits
/// until the clock has proved itself.
const UNSETTLING: Span = Span::from_hours(24);
/// How long that is.
const SETTLES_AFTER: Span = Span::from_hours(1);

#[derive(Clone, Debug)]
pub struct EngineClock {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    now: Timestamp,
    /// The steady clock at that moment.
    elapsed: Span,
    /// Time that passed while ahead of the wall clock and has not been slewed yet, in milliseconds.
    unslewed_ms: i64,
    jumped: Span,
    /// Told to the engine in a batch that is not durable yet.
    being_told: Span,
    /// On the steady clock.
    settled_at: Span,
}

/// One look at the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    pub now: Timestamp,
    /// How far that is ahead of the wall clock, which was set back.
    pub ahead: Span,
    /// How far the wall clock has run away from the steady one, by a minute or more at once, since
    /// [`EngineClock::telling`].
    pub jumped: Span,
}

impl EngineClock {
    /// A clock that begins with the wall clock, but not before `last`, the latest time in the journal.
    pub fn new(clock: Clock, last: Timestamp) -> Self {
        let (elapsed, wall) = (clock.elapsed(), clock.now());
        // An empty journal says nothing about the clock.
        let is_settled = last == Timestamp::default() || wall.since(last) < UNSETTLING;
        let settled_at = if is_settled { elapsed } else { elapsed + SETTLES_AFTER };
        let state = State {
            now: wall.max(last),
            elapsed,
            unslewed_ms: 0,
            jumped: Span::ZERO,
            being_told: Span::ZERO,
            settled_at,
        };
        Self { clock, state: Arc::new(Mutex::new(state)) }
    }

    pub fn now(&self) -> Timestamp {
        self.read().now
    }

    pub fn read(&self) -> Reading {
        let mut state = self.state.lock();
        // In this order: a thread that is held up between the two sees a jump, which is made good, and not
        // a clock that was set back.
        let (elapsed, wall) = (self.clock.elapsed(), self.clock.now());
        let steady = state.now + Span::from_millis(elapsed.as_millis() - state.elapsed.as_millis());
        if wall >= steady || mutant::is(Mutant::TimeGoesBack) {
            state.unslewed_ms = 0;
            let jump = wall.since(steady);
            if jump >= JUMP_MIN {
                state.jumped = state.jumped + jump;
            }
            if jump >= UNSETTLING {
                state.settled_at = elapsed + SETTLES_AFTER;
            }
            state.now = wall;
        } else {
            state.unslewed_ms += steady.since(state.now).as_millis();
            let (share_ms, ahead_ms) = (state.unslewed_ms / SLEW, steady.since(wall).as_millis());
            let slewed_ms = share_ms.min(ahead_ms);
            state.unslewed_ms = if share_ms > ahead_ms { 0 } else { state.unslewed_ms - slewed_ms * SLEW };
            // What is left from reads before may be more than what has passed since the last one.
            state.now = state.now.max(steady - Span::from_millis(slewed_ms));
        }
        state.elapsed = elapsed;
        Reading { now: state.now, ahead: state.now.since(wall), jumped: state.jumped }
    }

    /// The engine has been told of these jumps, in a batch that is on its way to the store.
    pub fn telling(&self, jumped: Span) {
        let mut state = self.state.lock();
        state.jumped = state.jumped - jumped;
        state.being_told = state.being_told + jumped;
    }

    /// That batch is durable.
    pub fn told(&self, jumped: Span) {
        let mut state = self.state.lock();
        state.being_told = state.being_told - jumped;
    }

    /// What was being told got lost with the state, and is to be told again.
    pub fn tell_again(&self) {
        let mut state = self.state.lock();
        state.jumped = state.jumped + state.being_told;
        state.being_told = Span::ZERO;
    }

    /// The wall clock's time to measure the age of history by; none while it has just jumped so far that
    /// it may be wrong, because what is deleted does not come back.
    pub fn for_deletion(&self) -> Option<Timestamp> {
        let Reading { now, ahead, .. } = self.read();
        (self.clock.elapsed() >= self.state.lock().settled_at).then(|| now - ahead)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HOUR: Span = Span::from_hours(1);
    const DAY: Span = Span::from_hours(24);

    fn start() -> Timestamp {
        "2026-11-21T05:00:00Z".parse().unwrap()
    }

    fn back(span: Span) -> Span {
        Span::from_millis(-span.as_millis())
    }

    fn clocks() -> (Clock, EngineClock) {
        let clock = Clock::manual(start());
        (clock.clone(), EngineClock::new(clock, Timestamp::default()))
    }

    #[test]
    fn is_the_wall_clock_while_nobody_sets_it() {
        let (clock, engine) = clocks();
        clock.advance(HOUR);
        assert_eq!(engine.read(), Reading { now: start() + HOUR, ahead: Span::ZERO, jumped: Span::ZERO });
    }

    #[test]
    fn goes_on_when_the_wall_clock_is_set_back_and_lets_it_catch_up() {
        let (clock, engine) = clocks();
        clock.set_by(back(HOUR));
        assert_eq!(engine.read(), Reading { now: start(), ahead: HOUR, jumped: Span::ZERO });
        clock.advance(Span::from_mins(5));
        assert_eq!(engine.now().since(start()), Span::from_secs(270), "a tenth slower");
        // In small steps as well as in a large one.
        for _ in 0..9 * 3_600 {
            clock.advance(Span::from_secs(1));
            engine.now();
        }
        assert_eq!(engine.read().ahead, Span::from_mins(60) + back(Span::from_secs(32_700 / 10)));
        clock.advance(HOUR);
        assert_eq!(engine.read().ahead, Span::ZERO);
        assert_eq!(engine.now(), clock.now());
    }

    #[test]
    fn what_was_made_good_once_is_not_made_good_again() {
        let (clock, engine) = clocks();
        clock.set_by(Span::from_millis(-10));
        clock.advance(HOUR);
        let before = engine.now();
        assert_eq!(before, clock.now());
        clock.set_by(back(DAY));
        clock.advance(Span::from_mins(1));
        assert_eq!(engine.now().since(before), Span::from_secs(54));
    }

    #[test]
    fn a_mistake_that_is_put_right_is_as_if_it_had_not_been() {
        let (clock, engine) = clocks();
        clock.set_by(back(DAY));
        engine.now();
        clock.set_by(DAY);
        assert_eq!(engine.read(), Reading { now: start(), ahead: Span::ZERO, jumped: Span::ZERO });
    }

    #[test]
    fn a_machine_that_stood_still_has_jumped() {
        let (clock, engine) = clocks();
        clock.set_by(HOUR);
        assert_eq!(engine.read(), Reading { now: start() + HOUR, ahead: Span::ZERO, jumped: HOUR });
        engine.telling(HOUR);
        engine.told(HOUR);
        assert_eq!(engine.read().jumped, Span::ZERO);
    }

    #[test]
    fn begins_no_earlier_than_the_journal_ends() {
        let engine = EngineClock::new(Clock::manual(start()), start() + HOUR);
        assert_eq!(engine.read(), Reading { now: start() + HOUR, ahead: HOUR, jumped: Span::ZERO });
    }

    #[test]
    fn nothing_is_deleted_by_a_clock_that_may_be_wrong() {
        let (clock, engine) = clocks();
        assert_eq!(engine.for_deletion(), Some(start()));
        clock.set_by(Span::from_hours(365 * 24));
        assert_eq!(engine.for_deletion(), None);
        clock.set_by(back(Span::from_hours(365 * 24)));
        assert_eq!(engine.for_deletion(), None);
        clock.advance(HOUR);
        assert_eq!(engine.for_deletion(), Some(start() + HOUR), "the wall clock's time, not ours");
        let last = start() + back(Span::from_hours(365 * 24));
        assert_eq!(EngineClock::new(Clock::manual(start()), last).for_deletion(), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// Whatever is done to the wall clock: time goes on at nine tenths of the true pace or more, and
        /// ahead of it only as far as the wall clock has jumped.
        #[test]
        fn keeps_pace_with_what_has_passed(moves in prop::collection::vec((0..600_000i64, -100_000_000..100_000_000i64), 1..60)) {
            let (clock, engine) = clocks();
            let (mut before, mut passed, mut jumped) = (engine.now(), 0, 0);
            for (pass, set) in moves {
                clock.advance(Span::from_millis(pass));
                clock.set_by(Span::from_millis(set));
                let jump = clock.now().since(before).as_millis() - pass;
                let Reading { now, ahead, .. } = engine.read();
                let (jump, step) = (jump.max(0), now.since(before).as_millis());
                prop_assert!(ahead.as_millis() >= 0);
                // What was left over from earlier steps makes a millisecond, rounding another.
                prop_assert!(step + 2 >= pass * 9 / 10 && step <= pass + jump, "{step} in {pass} with a jump of {jump}");
                prop_assert_eq!(now.since(clock.now()), ahead);
                before = now;
                passed += pass;
                jumped += jump;
            }
            let total = before.since(start()).as_millis();
            prop_assert!(total + 60 >= passed * 9 / 10 && total <= passed + jumped);
        }
    }
}
