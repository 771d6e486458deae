//! Health, and the service manager's watchdog: both hang on the writer's progress and on the self check.
//! A daemon that hangs loses its watchdog and is started again; one that is refused by its store only says
//! that it is not healthy, since a restart would not help.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::http::Status;
use crate::runtime::self_check::SelfCheck;

/// The writer shows progress at least once a second; after this long without, it hangs.
const WRITER_PATIENCE: Duration = Duration::from_secs(15);
const INTERVAL: Duration = Duration::from_secs(2);

pub struct Watchdog {
    progress: watch::Receiver<u64>,
    self_check: Option<Arc<SelfCheck>>,
    status: Arc<Status>,
    /// Since the writer last showed progress.
    silent: Duration,
}

impl Watchdog {
    pub fn new(progress: watch::Receiver<u64>, self_check: Option<Arc<SelfCheck>>, status: Arc<Status>) -> Self {
        Self { progress, self_check, status, silent: Duration::ZERO }
    }

    /// Looks again and again, until the writer has ended.
    pub async fn run(mut self) {
        while self.progress.has_changed().is_ok() {
            tokio::time::sleep(INTERVAL).await;
            if self.look() {
                notify(&[sd_notify::NotifyState::Watchdog]);
            }
        }
        self.status.unhealthy("the writer has ended");
    }

    /// One look after each interval; true while nothing hangs.
    fn look(&mut self) -> bool {
        let has_moved = self.progress.has_changed().unwrap_or(false);
        self.progress.mark_unchanged();
        self.silent = if has_moved { Duration::ZERO } else { self.silent + INTERVAL };
        if self.silent >= WRITER_PATIENCE {
            let reason = format!("the writer shows no progress for {} s", self.silent.as_secs());
            self.status.unhealthy(reason);
            return false;
        }
        match self.self_check.as_ref().and_then(|check| check.trouble()) {
            Some(trouble) => {
                self.status.unhealthy(trouble.reason);
                !trouble.is_hanging && has_moved
            }
            None => {
                // A writer that has not moved yet may be on its way; only a move says that it is well.
                if has_moved {
                    self.status.healthy();
                }
                has_moved
            }
        }
    }
}

/// Tells the service manager; without one there is nobody to tell.
pub fn notify(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "cannot tell the service manager");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::SelfCheckSettings;
    use crate::model::{Span, Timestamp};
    use crate::runtime::self_check::{Door, Refusal};
    use crate::telemetry::Metrics;

    #[tokio::test(flavor = "current_thread")]
    async fn a_hang_takes_the_watchdog_away_and_a_refusal_only_the_health() {
        let clock = Clock::manual(Timestamp::from_millis(0));
        let check = SelfCheck::new(&SelfCheckSettings::default(), clock.clone(), Arc::new(Metrics::new()));
        let (moves, progress) = watch::channel(0_u64);
        let status = Arc::new(Status::default());
        let mut watchdog = Watchdog::new(progress, Some(Arc::clone(&check)), Arc::clone(&status));
        let mut look = || {
            moves.send_modify(|count| *count += 1);
            watchdog.look()
        };
        assert!(look() && status.trouble().is_none());
        clock.advance(Span::from_secs(181));
        assert!(!look());
        insta::assert_snapshot!(status.trouble().unwrap(), @"no probe has come through for 3m 1s: it hangs in ingest");
        let door: Door = Box::new(|_| Box::pin(async { Err(Refusal::Refused("the disk is full".into())) }));
        check.trip(&door).await;
        assert!(look(), "a restart would not help");
        insta::assert_snapshot!(status.trouble().unwrap(), @"no probe has come through for 3m 1s: ingest refuses it, the disk is full");
        check.pretend_passed();
        assert!(look() && status.trouble().is_none());
    }

    #[test]
    fn a_writer_that_does_not_move_hangs() {
        let (moves, progress) = watch::channel(0_u64);
        let status = Arc::new(Status::default());
        let mut watchdog = Watchdog::new(progress, None, Arc::clone(&status));
        for _ in 0..7 {
            assert!(!watchdog.look());
        }
        assert_eq!(status.trouble(), None);
        assert!(!watchdog.look());
        insta::assert_snapshot!(status.trouble().unwrap(), @"the writer shows no progress for 16 s");
        moves.send_modify(|count| *count += 1);
        assert!(watchdog.look() && status.trouble().is_none());
    }
}
