//! Named instants at which a test lets the process die as `kill -9` would: no warning, no clean-up.
//!
//! Only the feature `crash-points` puts them in, and no release has it; without it [`reach`] is nothing.
//! Which point it is, at its how many-th passage, and how many milliseconds the other threads still have
//! while this one stands there, is said by a variable:
//!
//! ```text
//! WATCHBELL_CRASH_POINT=committed:17:5 watchbell run
//! ```
//!
//! The time that others have shows what they were told too early.
//!
//! `tests/crash` dies at every one of them, and fails when one is never reached.

/// Where to die, in the order in which an event passes them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CrashPoint {
    /// A body is read, and its events are not with the writer yet.
    BodyRead,
    /// A batch is stepped, and not with the thread that commits yet.
    Stepped,
    /// Nothing of a batch is written yet.
    Committing,
    /// Journal and rows are in the transaction, which is not committed yet.
    RowsWritten,
    /// A batch is durable, and nobody knows of it.
    Committed,
    /// The outbox has the deliveries, and the senders wait for their answers.
    HandedOver,
    /// Everybody has heard of a batch.
    Answered,
    /// A delivery's turn has come, and its request is not sent.
    Sending,
    /// A request is written and the head of its answer is here, its body is not.
    Answering,
    /// What a send led to is known, and not with the writer yet.
    AnswerRead,
    /// What a send led to is durable, and its worker has not gone on.
    ResultCommitted,
    /// An input that the rows do not show yet is stepped again.
    Replaying,
    /// The state is brought back, and the start is not in the journal yet.
    Recovered,
    /// The sinks are those of a new configuration, and its policy is not in the journal yet.
    Reloading,
    /// The policy is in the journal, and the sources are still those of the old configuration.
    Reloaded,
    /// Old rows are deleted in a transaction that is not committed yet.
    Pruning,
    /// The pages of a copy are written, and it does not have its name yet.
    BackingUp,
    /// Told to stop: nothing comes in any more, and what is due is still to be sent.
    Draining,
    /// The last rows of an orderly stop are not handed over yet.
    Finishing,
}

impl CrashPoint {
    pub const ALL: [Self; 19] = [
        Self::BodyRead,
        Self::Stepped,
        Self::Committing,
        Self::RowsWritten,
        Self::Committed,
        Self::HandedOver,
        Self::Answered,
        Self::Sending,
        Self::Answering,
        Self::AnswerRead,
        Self::ResultCommitted,
        Self::Replaying,
        Self::Recovered,
        Self::Reloading,
        Self::Reloaded,
        Self::Pruning,
        Self::BackingUp,
        Self::Draining,
        Self::Finishing,
    ];

    /// As the variable says it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BodyRead => "body-read",
            Self::Stepped => "stepped",
            Self::Committing => "committing",
            Self::RowsWritten => "rows-written",
            Self::Committed => "committed",
            Self::HandedOver => "handed-over",
            Self::Answered => "answered",
            Self::Sending => "sending",
            Self::Answering => "answering",
            Self::AnswerRead => "answer-read",
            Self::ResultCommitted => "result-committed",
            Self::Replaying => "replaying",
            Self::Recovered => "recovered",
            Self::Reloading => "reloading",
            Self::Reloaded => "reloaded",
            Self::Pruning => "pruning",
            Self::BackingUp => "backing-up",
            Self::Draining => "draining",
            Self::Finishing => "finishing",
        }
    }
}

/// The variable that names the point to die at.
pub const VARIABLE: &str = "WATCHBELL_CRASH_POINT";

/// Says that execution has come to this point.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub const fn reach(_: CrashPoint) {}

#[cfg(feature = "crash-points")]
pub use armed::reach;

#[cfg(feature = "crash-points")]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    use super::{CrashPoint, VARIABLE};

    struct Armed {
        point: CrashPoint,
        /// Passages until the one that is the last.
        left: AtomicU64,
        /// For the other threads.
        grace: Duration,
    }

    /// Says that execution has come to this point; does not return at the passage that the variable names.
    ///
    /// # Panics
    /// When the variable names no point: a test that arms nothing would prove nothing.
    pub fn reach(point: CrashPoint) {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        let armed =
            ARMED.get_or_init(|| {
                let text = std::env::var(VARIABLE).ok()?;
                Some(parse(&text).unwrap_or_else(|| {
                    panic!("`{VARIABLE}`: expected `<point>:<passage>:<milliseconds>`, got `{text}`")
                }))
            });
        let Some(armed) = armed.as_ref().filter(|armed| armed.point == point) else { return };
        if armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            eprintln!("crash point `{}` is reached", point.name());
            die(armed.grace);
        }
    }

    #[allow(clippy::disallowed_methods, reason = "this thread is to stand still; it has no future")]
    fn die(grace: Duration) -> ! {
        std::thread::sleep(grace);
        let _ = kill_process(getpid(), Signal::KILL);
        // Nothing after the point may happen, however late the signal comes.
        loop {
            std::thread::park();
        }
    }

    fn parse(text: &str) -> Option<Armed> {
        let (name, numbers) = text.split_once(':')?;
        let (passage, grace_ms) = numbers.split_once(':')?;
        let point = CrashPoint::ALL.into_iter().find(|point| point.name() == name)?;
        let passage: u64 = passage.parse().ok().filter(|passage| *passage > 0)?;
        let grace = Duration::from_millis(grace_ms.parse().ok()?);
        Some(Armed { point, left: AtomicU64::new(passage), grace })
    }
}
