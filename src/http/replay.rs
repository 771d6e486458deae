//! What is signed once counts once. A signature with its time is remembered for as long as that time is
//! accepted; the same request again, from a sender that missed the answer or from somebody who recorded
//! it, gets the answer of the first one and changes nothing. Why an answer and not a refusal, and why a
//! restart may forget: decision 0007. Reads no clock.
//!
//! Bounded: [`SIGNATURES_MAX`] for each source, about 12 MB; past it senders are told to come later.

use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::model::Timestamp;

/// Signatures remembered for one source: with a window of ±300 s, over 300 requests a second.
const SIGNATURES_MAX: usize = 100_000;

/// A verified signature and the time up to which it is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub signature: [u8; 32],
    pub valid_until: Timestamp,
}

/// The requests of one source that are still in their window.
#[derive(Debug, Default)]
pub struct Replays(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    requests: HashMap<[u8; 32], Request>,
    /// In the order in which they came, which is about the order in which they expire.
    order: VecDeque<Stamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    UnderWay,
    /// Durable, with so many events.
    Taken(usize),
}

/// What a signature means at this moment.
#[derive(Debug)]
pub enum Claim {
    /// Nobody has sent it before.
    First(Ticket),
    /// It was taken, with so many events.
    Repeated(usize),
    /// It is being worked on; what comes of it is not known yet.
    UnderWay,
    /// No room for another one; seconds until there is some.
    Full(u64),
}

impl Replays {
    pub fn claim(self: &Arc<Self>, stamp: Stamp, now: Timestamp) -> Claim {
        let mut seen = self.0.lock();
        seen.forget(now);
        match seen.requests.get(&stamp.signature) {
            Some(Request::Taken(events)) => return Claim::Repeated(*events),
            Some(Request::UnderWay) => return Claim::UnderWay,
            None => {}
        }
        if let Some(oldest) = seen.order.front().filter(|_| seen.order.len() >= SIGNATURES_MAX) {
            let wait_ms = oldest.valid_until.since(now).as_millis().max(0);
            return Claim::Full(wait_ms.cast_unsigned() / 1_000 + 1);
        }
        seen.requests.insert(stamp.signature, Request::UnderWay);
        seen.order.push_back(stamp);
        Claim::First(Ticket { replays: Arc::clone(self), signature: stamp.signature, is_taken: false })
    }
}

impl Seen {
    fn forget(&mut self, now: Timestamp) {
        while let Some(stamp) = self.order.front().copied().filter(|stamp| stamp.valid_until < now) {
            self.order.pop_front();
            self.requests.remove(&stamp.signature);
        }
    }
}

/// The right to take a request. Given back unused, the same request may be tried again.
#[derive(Debug)]
pub struct Ticket {
    replays: Arc<Replays>,
    signature: [u8; 32],
    is_taken: bool,
}

impl Ticket {
    /// The request's events are durable.
    pub fn taken(mut self, events: usize) {
        self.is_taken = true;
        if let Some(request) = self.replays.0.lock().requests.get_mut(&self.signature) {
            *request = Request::Taken(events);
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.is_taken {
            let mut seen = self.replays.0.lock();
            seen.requests.remove(&self.signature);
            // Rare and near the end: only a request that just came can fail.
            if let Some(at) = seen.order.iter().rposition(|stamp| stamp.signature == self.signature) {
                seen.order.remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    fn stamp(number: usize, valid_until: i64) -> Stamp {
        let mut signature = [0; 32];
        signature[..8].copy_from_slice(&number.to_be_bytes());
        Stamp { signature, valid_until: at(valid_until) }
    }

    fn first(replays: &Arc<Replays>, stamp: Stamp, now: i64) -> Ticket {
        match replays.claim(stamp, at(now)) {
            Claim::First(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn is_taken_once_and_answered_alike_for_as_long_as_it_is_valid() {
        let replays = Arc::new(Replays::default());
        let ticket = first(&replays, stamp(1, 300), 0);
        assert!(matches!(replays.claim(stamp(1, 300), at(1)), Claim::UnderWay));
        ticket.taken(3);
        for now in [2, 300] {
            assert!(matches!(replays.claim(stamp(1, 300), at(now)), Claim::Repeated(3)), "{now}");
        }
        first(&replays, stamp(2, 600), 301).taken(1);
        assert_eq!(replays.0.lock().requests.len(), 1, "what is over is forgotten");
    }

    #[test]
    fn what_failed_may_be_tried_again() {
        let replays = Arc::new(Replays::default());
        drop(first(&replays, stamp(1, 300), 0));
        assert_eq!(replays.0.lock().order.len(), 0);
        first(&replays, stamp(1, 300), 1).taken(1);
        assert!(matches!(replays.claim(stamp(1, 300), at(2)), Claim::Repeated(1)));
    }

    #[test]
    fn memory_is_bounded_and_the_window_stays_closed() {
        let replays = Arc::new(Replays::default());
        for number in 0..SIGNATURES_MAX {
            first(&replays, stamp(number, 300_000), 0).taken(1);
        }
        assert!(matches!(replays.claim(stamp(SIGNATURES_MAX, 300_000), at(0)), Claim::Full(301)));
        assert!(matches!(replays.claim(stamp(0, 300_000), at(0)), Claim::Repeated(1)));
        first(&replays, stamp(SIGNATURES_MAX, 600_000), 300_001).taken(1);
        assert_eq!(replays.0.lock().requests.len(), 1);
    }
}
