//! A story that some runs tell between everything else, because chance seldom tells it: the pods of one shop fail
//! together; then a queue behind them grows and the pods recover, or most of them recover and fail once more after
//! a time of quiet.

use std::ops::Range;

use watchbell::model::Span;

use super::monitors::{PODS, QUEUE};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    AllFail,
    QueueGrows,
    AllRecover,
    /// All but one.
    MostRecover,
    MostFail,
    QueueShrinks,
}

impl Act {
    pub fn who(self) -> Range<usize> {
        match self {
            Self::AllFail | Self::AllRecover => PODS,
            Self::MostRecover | Self::MostFail => PODS.start + 1..PODS.end,
            Self::QueueGrows | Self::QueueShrinks => QUEUE..QUEUE + 1,
        }
    }

    pub const fn fails(self) -> bool {
        matches!(self, Self::AllFail | Self::QueueGrows | Self::MostFail)
    }
}

/// Acts, and the seconds that pass before each.
type Story = &'static [(Act, Range<i64>)];

/// The queue is only loosely part of what the pods have, and goes on alone.
const STRAGGLER: Story = &[(Act::AllFail, 0..20), (Act::QueueGrows, 85..120), (Act::AllRecover, 1..30)];
const STRAGGLER_IN_VAIN: Story =
    &[(Act::AllFail, 0..20), (Act::QueueGrows, 85..120), (Act::AllRecover, 1..30), (Act::QueueShrinks, 1..60)];
const SECOND_WAVE: Story = &[(Act::AllFail, 0..20), (Act::MostRecover, 30..60), (Act::MostFail, 115..180)];

/// What of a story is still to come.
pub struct Scene {
    left: Story,
    has_begun: bool,
}

impl Scene {
    /// Most runs tell none.
    pub fn chosen(random: &mut fastrand::Rng) -> Self {
        let left = match random.u32(..100) {
            0..8 => STRAGGLER,
            8..14 => STRAGGLER_IN_VAIN,
            14..30 => SECOND_WAVE,
            _ => &[],
        };
        Self { left, has_begun: false }
    }

    /// The next act, when it is time for it, and how long to wait before it.
    pub fn next(&mut self, random: &mut fastrand::Rng) -> Option<(Act, Span)> {
        let ((act, seconds), rest) = self.left.split_first()?;
        if random.u32(..if self.has_begun { 2 } else { 12 }) > 0 {
            return None;
        }
        (self.left, self.has_begun) = (rest, true);
        Some((*act, Span::from_millis(random.i64(seconds.start * 1_000..seconds.end * 1_000))))
    }
}
