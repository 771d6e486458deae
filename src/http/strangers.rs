//! How many attempts of strangers the audit log takes. It is never pruned, and without a bound anybody who
//! reaches the port could fill the disk through it; so of each minute the first few are written down, and
//! the next row that is written says how many were not. Reads no clock.

use parking_lot::Mutex;

use crate::model::{Span, Timestamp};

const ROWS_MAX: u32 = 10;
const WINDOW: Span = Span::from_mins(1);

#[derive(Debug, Default)]
pub struct Strangers(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    started_at: Option<Timestamp>,
    rows: u32,
    unwritten: u64,
}

impl Strangers {
    /// Whether this attempt is written down, and how many were not since the one before.
    pub fn note(&self, now: Timestamp) -> Option<u64> {
        let mut window = self.0.lock();
        // A clock that was set back begins a new window, too.
        let is_over = window.started_at.is_none_or(|at| now < at || now.since(at) >= WINDOW);
        if is_over {
            window.started_at = Some(now);
            window.rows = 0;
        }
        if window.rows >= ROWS_MAX {
            window.unwritten += 1;
            return None;
        }
        window.rows += 1;
        Some(std::mem::take(&mut window.unwritten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_leaves_a_few_rows_and_its_size() {
        let strangers = Strangers::default();
        let at = |ms: i64| Timestamp::from_millis(1_000_000 + ms);
        let written = (0..50_000).filter(|ms| strangers.note(at(*ms)).is_some()).count();
        assert_eq!(written, 10);
        assert_eq!(strangers.note(at(60_000)), Some(49_990));
        assert_eq!(strangers.note(at(60_001)), Some(0));
        assert_eq!(strangers.note(at(-3_600_000)), Some(0), "a clock set back locks nobody out");
    }
}
