//! `watchbell run --demo`: a recorded outage is posted to this very daemon, so that a newcomer watches a
//! hundred webhooks become one incident, with its root cause and one notification. Also a smoke test: it
//! fails unless exactly that comes out. Needs no network and leaves nothing behind.
//!
//! Decides what is played when; `outage.rs` holds the recording, `observe.rs` asks and judges, and
//! `narrate.rs` finds the words. Never reaches into the daemon: everything goes over HTTP.

mod narrate;
mod observe;
mod outage;

use anyhow::{Context, bail};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use self::narrate::Counts;
use self::observe::{Daemon, Observed};
use self::outage::{Act, Playback, Request};
use crate::clock::Clock;
use crate::config::{self, Configuration, LISTEN};
use crate::model::{NotificationKind, Span, Timestamp};

/// Slower, the router would be reported after the group wait; faster, nobody could follow.
pub const SPEEDS: std::ops::RangeInclusive<f64> = 0.5..=1_000.0;

/// What the log may say between the lines of the demo.
pub const LOG_FILTER: &str = "warn";

/// What a notification may take, `group_wait` and `hold_down` included, before the demo has failed.
const TOLD_WITHIN: Span = Span::from_secs(60);
/// Between two looks at the daemon.
const LOOK_EVERY: Span = Span::from_millis(100);
/// For reading what the outage came to, before the repair.
const PAUSE: Span = Span::from_secs(3);

/// The address in [`CONFIGURATION`], for replacing it.
const ADDRESS: &str = "127.0.0.1:9494";
const CONFIGURATION: &str = include_str!("demo.yaml");
const TOPOLOGY: &str = include_str!("topology.yaml");

/// Reads a factor within [`SPEEDS`].
///
/// # Errors
/// What was expected.
pub fn parse_speed(text: &str) -> Result<f64, String> {
    let speed = text.parse().ok().filter(|speed| SPEEDS.contains(speed));
    speed.ok_or_else(|| format!("expected a number from {} to {}", SPEEDS.start(), SPEEDS.end()))
}

/// A temporary directory with the configuration; dropping it removes everything.
pub struct Stage {
    directory: tempfile::TempDir,
    pub listen: SocketAddr,
}

impl Stage {
    /// # Errors
    /// When the directory cannot be written, or no port is free.
    pub fn new() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("watchbell-demo-").tempdir();
        let directory = directory.context("cannot make a temporary directory")?;
        let stage = Self { directory, listen: free_address(LISTEN)? };
        stage.write("topology.yaml", TOPOLOGY)?;
        stage.write("watchbell.yaml", &configuration(stage.listen))?;
        Ok(stage)
    }

    pub fn file(&self) -> PathBuf {
        self.directory.path().join("watchbell.yaml")
    }

    /// Reads the file as `run --config` would, but undisturbed by variables.
    ///
    /// # Errors
    /// Never, unless this program is broken.
    pub fn load(&self) -> anyhow::Result<Configuration> {
        let loaded = config::load(&[self.file()], std::iter::empty());
        let mut configuration = loaded.map_err(|problems| {
            let errors = problems.iter().filter(|problem| !problem.is_warning);
            let errors: Vec<String> = errors.map(ToString::to_string).collect();
            anyhow::anyhow!("the configuration of the demo is not valid: {}", errors.join("; "))
        })?;
        // That nobody has to prove who they are is said in the file.
        configuration.warnings.clear();
        Ok(configuration)
    }

    fn write(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write `{}`", path.display()))
    }
}

/// The demo's configuration for this address. Its database and its topology stand beside the file.
pub fn configuration(listen: SocketAddr) -> String {
    CONFIGURATION.replace(ADDRESS, &listen.to_string())
}

/// The usual address, or another port of this machine while something listens there.
fn free_address(usual: SocketAddr) -> anyhow::Result<SocketAddr> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let listener = TcpListener::bind(usual).or_else(|_| TcpListener::bind(any));
    listener.and_then(|listener| listener.local_addr()).context("cannot find a free port on 127.0.0.1")
}

/// One showing.
pub struct Show {
    /// `http://127.0.0.1:9494`.
    pub base_url: String,
    /// Shown to the user.
    pub configuration: PathBuf,
    pub clock: Clock,
    /// Within [`SPEEDS`]; 2 is twice as fast as recorded.
    pub speed: f64,
    /// The daemon runs on afterwards, so there is something to try.
    pub stays: bool,
}

/// Plays the outage and the repair, and judges what the daemon made of them.
///
/// # Errors
/// When the daemon refuses a webhook, or the outcome is anything but one incident caused by the router,
/// one notification that it opened and one that it is over.
pub async fn play(show: &Show, out: &mut (dyn Write + Send)) -> anyhow::Result<()> {
    let requests = outage::recording()?;
    let monitors: BTreeSet<&str> = requests.iter().map(|request| request.monitor.as_str()).collect();
    let monitors = monitors.len();
    narrate::opening(out, &show.base_url, &show.configuration, requests.len())?;
    let mut stage = Playing::new(show, out)?;

    stage.send(requests.iter().filter(|request| request.act == Act::Outage)).await?;
    let observed = stage.wait_for(NotificationKind::Opened).await?;
    let incident = observed.judge(&[NotificationKind::Opened])?;
    let alerts = incident.alert_count;
    narrate::incident(stage.out, &Counts { webhooks: stage.sent, monitors, alerts }, incident)?;
    let told_at = observed.delivered(NotificationKind::Opened).and_then(|delivery| delivery.finished_at);
    let told_after = told_at.map_or(Span::ZERO, |at| at.since(stage.playback.outage_at));

    stage.sleep_until(show.clock.now() + stage.playback.scaled(PAUSE.as_millis())).await;
    narrate::repair(stage.out)?;
    stage.playback.repair_at = Some(show.clock.now());
    stage.send(requests.iter().filter(|request| request.act == Act::Repair)).await?;
    let observed = stage.wait_for(NotificationKind::Resolved).await?;
    let incident = observed.judge(&[NotificationKind::Opened, NotificationKind::Resolved])?;

    narrate::summary(stage.out, &Counts { webhooks: stage.sent, monitors, alerts }, told_after)?;
    if show.stays {
        narrate::next_steps(stage.out, &program(), &show.base_url, &incident.id)?;
    }
    Ok(())
}

/// How this program was called, so that what is printed can be typed as it stands.
fn program() -> String {
    std::env::args().next().unwrap_or_else(|| "watchbell".to_owned())
}

/// A showing that is under way.
struct Playing<'a> {
    daemon: Daemon,
    clock: &'a Clock,
    out: &'a mut (dyn Write + Send),
    playback: Playback,
    /// Webhooks that were accepted.
    sent: usize,
    looked_at: Timestamp,
    /// Notifications that the user has seen here.
    told: BTreeSet<String>,
}

impl<'a> Playing<'a> {
    fn new(show: &'a Show, out: &'a mut (dyn Write + Send)) -> anyhow::Result<Self> {
        let now = show.clock.now();
        Ok(Self {
            daemon: Daemon::new(&show.base_url)?,
            clock: &show.clock,
            out,
            playback: Playback { outage_at: now, repair_at: None, speed: show.speed },
            sent: 0,
            looked_at: now,
            told: BTreeSet::new(),
        })
    }

    /// Sends each request when it is due, and says in between what the daemon does.
    async fn send(&mut self, requests: impl Iterator<Item = &Request>) -> anyhow::Result<()> {
        for request in requests {
            let due_at = self.playback.moment(request.act, request.at_ms).context("the act has not begun")?;
            while due_at > self.clock.now() {
                self.sleep_until(due_at.min(self.looked_at + LOOK_EVERY)).await;
                self.look_if_due().await?;
            }
            self.daemon.post(&request.path, request.body(&self.playback)?).await?;
            self.sent += 1;
            let at = self.clock.now().since(self.playback.outage_at);
            narrate::webhook(self.out, self.sent, at, &request.monitor, &request.says)?;
            self.look_if_due().await?;
        }
        Ok(())
    }

    /// Waits until a notification of this kind was delivered.
    async fn wait_for(&mut self, kind: NotificationKind) -> anyhow::Result<Observed> {
        let give_up_at = self.clock.now() + TOLD_WITHIN;
        loop {
            let observed = self.look().await?;
            if observed.delivered(kind).is_some() {
                return Ok(observed);
            }
            if self.clock.now() >= give_up_at {
                bail!("no notification `{}` came within {}", kind.as_str(), TOLD_WITHIN.human());
            }
            self.sleep_until(self.looked_at + LOOK_EVERY).await;
        }
    }

    async fn look_if_due(&mut self) -> anyhow::Result<()> {
        if self.clock.now() >= self.looked_at + LOOK_EVERY {
            self.look().await?;
        }
        Ok(())
    }

    /// Tells of every notification that is new.
    async fn look(&mut self) -> anyhow::Result<Observed> {
        self.looked_at = self.clock.now();
        let observed = self.daemon.observe().await?;
        for delivery in &observed.deliveries {
            if delivery.finished_at.is_some() && self.told.insert(delivery.id.clone()) {
                let at = self.looked_at.since(self.playback.outage_at);
                narrate::told(self.out, at, &delivery.notification)?;
            }
        }
        Ok(observed)
    }

    async fn sleep_until(&self, at: Timestamp) {
        let span = at.since(self.clock.now());
        tokio::time::sleep(if span > Span::ZERO { span.to_std() } else { Duration::ZERO }).await;
    }
}

#[cfg(test)]
mod tests;
