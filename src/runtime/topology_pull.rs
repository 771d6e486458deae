//! Asks other systems for their topology, each in a task of its own, and hands what it learns to the engine
//! as the topology of the origin `zabbix/<name>`. What the questions and answers are is in `topology/`.
//!
//! A pull that fails changes nothing: the last known topology stays, the next pull comes sooner, and after a
//! few in a row an alert of our own tells of it, which the next good one ends. It waits for its turn at the
//! writer like a source, so a large topology holds nobody up, and one that has not changed is not handed
//! over again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::ZabbixSettings;
use crate::engine::input::{Command, Input, Principal, Reply, Role};
use crate::engine::origins::Origin;
use crate::engine::state::State;
use crate::engine::system::{self, TOPOLOGY_ALERT};
use crate::error::ErrorKind;
use crate::model::topology::TopologyFile;
use crate::model::{EventStatus, Severity, Span};
use crate::runtime::deliver::{Outbound, SendError};
use crate::runtime::inbox::{Handle, Receipt, SubmitError};
use crate::runtime::limits;
use crate::sinks::Response;
use crate::telemetry::Metrics;
use crate::topology::PullError;
use crate::topology::zabbix::{self, ANSWER_BYTES_MAX, Pull};

/// Failures in a row that people hear of.
const FAILURES_MAX: u32 = 3;
/// Pause after a first failure; doubles with each further one, up to the interval.
const RETRY_AFTER: Span = Span::from_secs(30);
/// Thousandths by which a pause is shorter or longer: many daemons need not ask one server together.
const SPREAD: u32 = 100;
/// Of one pull, whatever the server has.
const PULL_TIME_MAX: Duration = Duration::from_secs(15 * 60);

const SLOW: &str = "a longer `timeout` may help; a busy frontend answers late";
const UNREACHED: &str = "is the frontend up, and does the way there let the daemon through?";
const NOT_ASKED: &str = "see `allow_private` and `url`";
const NOT_TAKEN: &str = "it is handed over again by itself";

/// What every pull needs.
#[derive(Clone, Debug)]
pub struct Context {
    pub driver: Handle,
    pub outbound: Outbound,
    pub clock: Clock,
    pub metrics: Arc<Metrics>,
}

/// All that are configured. Dropping it ends them.
#[derive(Debug)]
pub struct Pullers {
    context: Context,
    /// By origin, with the one task of each.
    running: BTreeMap<String, (ZabbixSettings, JoinSet<()>)>,
}

impl Pullers {
    pub fn new(context: Context) -> Self {
        Self { context, running: BTreeMap::new() }
    }

    /// Starts what is new, ends what is gone together with its topology, and starts anew what is different.
    /// What went from the configuration while the daemon was away is gone as well.
    pub async fn apply(&mut self, wanted: &BTreeMap<String, ZabbixSettings>) {
        let wanted: BTreeMap<String, &ZabbixSettings> =
            wanted.iter().map(|(name, settings)| (zabbix::origin(name), settings)).collect();
        let mut there: BTreeSet<String> = self.running.keys().cloned().collect();
        // A writer that gives no answer has other troubles.
        there.extend(self.context.driver.look(pulled).await.unwrap_or_default());
        for origin in there.iter().filter(|origin| !wanted.contains_key(*origin)) {
            self.running.remove(origin);
            self.context.remove(origin).await;
        }
        for (origin, settings) in wanted {
            if self.running.get(&origin).is_some_and(|(running, _)| running == settings) {
                continue;
            }
            let puller = Puller::new(&origin, settings.clone(), self.context.clone());
            let mut task = JoinSet::new();
            task.spawn(puller.run());
            // What ran before ends with the set that it was in.
            self.running.insert(origin, (settings.clone(), task));
        }
    }
}

/// Origins that were told by a puller, and not by a person under such a name.
fn pulled(state: &State) -> Vec<String> {
    let prefix = zabbix::origin("");
    let is_ours = |(name, origin): &(&String, &Origin)| name.starts_with(&prefix) && origin.stamp.by == **name;
    state.origins().pushed().filter(is_ours).map(|(name, _)| name.clone()).collect()
}

impl Context {
    /// Behind what the same origin handed in before.
    async fn submit(&self, origin: &str, command: Command) -> Result<Receipt, SubmitError> {
        let by = Principal { name: origin.to_owned(), role: Role::Admin };
        self.driver.submit(Input::Command { by, command }, Some(origin.to_owned())).await
    }

    async fn remove(&self, origin: &str) {
        self.metrics.topology_removed(origin);
        match self.submit(origin, Command::RemoveTopology { origin: origin.to_owned() }).await {
            Ok(_) => tracing::info!(origin, "a topology is not pulled any more and was removed"),
            Err(error) => tracing::warn!(origin, %error, "a topology that is not pulled any more was not removed"),
        }
    }
}

/// One server.
#[derive(Debug)]
struct Puller {
    origin: String,
    settings: ZabbixSettings,
    context: Context,
    /// Hash of what the engine has from this origin; none when that is not known.
    known: Option<[u8; 32]>,
    rounds: u32,
    /// In a row.
    failures: u32,
    has_alerted: bool,
}

impl Puller {
    fn new(origin: &str, settings: ZabbixSettings, context: Context) -> Self {
        let origin = origin.to_owned();
        Self { origin, settings, context, known: None, rounds: 0, failures: 0, has_alerted: false }
    }

    async fn run(mut self) {
        loop {
            let pause = self.round().await;
            tokio::time::sleep(pause.to_std()).await;
        }
    }

    /// One pull, and how long to wait for the next.
    async fn round(&mut self) -> Span {
        let pull = async {
            let topology = self.pull().await?;
            self.hand_over(topology).await
        };
        let result = match tokio::time::timeout(PULL_TIME_MAX, pull).await {
            Ok(result) => result,
            Err(_) => {
                let reason = format!("it takes more than {} min", PULL_TIME_MAX.as_secs() / 60);
                Err(PullError::new(ErrorKind::Timeout, reason, SLOW))
            }
        };
        self.rounds = self.rounds.wrapping_add(1);
        let pause = match result {
            Ok(known) => self.succeeded(known),
            Err(error) => self.failed(&error).await,
        };
        limits::spread(pause, SPREAD, &self.origin, self.rounds)
    }

    async fn pull(&self) -> Result<TopologyFile, PullError> {
        let settings = &self.settings;
        let mut pull = Pull::new(&settings.endpoint, settings.token.clone(), &self.origin);
        while let Some(request) = pull.request() {
            let timeout = settings.timeout.to_std();
            // One byte more than is taken, so that an answer that was cut off is seen to be too long.
            let answer = self.context.outbound.fetch(request, settings.allow_private, timeout, ANSWER_BYTES_MAX + 1);
            let Response::Http { status, body, .. } = answer.await.map_err(unsent)? else {
                return Err(PullError::new(ErrorKind::Internal, "no HTTP answer", NOT_ASKED));
            };
            pull = aside(move || pull.take(status, &body).map(|()| pull)).await??;
        }
        aside(move || pull.finish()).await
    }

    /// Hands a topology to the engine unless it has it already; its hash.
    async fn hand_over(&self, topology: TopologyFile) -> Result<[u8; 32], PullError> {
        let (topology, hash) = aside(move || {
            let hash = hash(&topology);
            (topology, hash)
        })
        .await?;
        if self.known == Some(hash) {
            return Ok(hash);
        }
        let command = Command::PutTopology { origin: self.origin.clone(), topology: Box::new(topology) };
        let internal = |reason: String| PullError::new(ErrorKind::Internal, reason, NOT_TAKEN);
        let receipt = self.context.submit(&self.origin, command).await.map_err(|error| internal(error.to_string()))?;
        match receipt.reply {
            Some(Reply::Refused(reason)) => Err(PullError::new(ErrorKind::Rejected, reason, NOT_TAKEN)),
            _ => Ok(hash),
        }
    }

    fn succeeded(&mut self, known: [u8; 32]) -> Span {
        let is_changed = self.known != Some(known);
        self.count(if is_changed { "changed" } else { "unchanged" });
        self.context.metrics.topology_pulled(&self.origin, self.context.clock.now());
        if self.failures > 0 || self.known.is_none() {
            tracing::info!(origin = self.origin, "a topology is pulled");
        }
        self.known = Some(known);
        self.failures = 0;
        self.has_alerted = false;
        self.settings.every
    }

    async fn failed(&mut self, error: &PullError) -> Span {
        self.failures = self.failures.saturating_add(1);
        self.count(error.kind.as_str());
        let (origin, failures) = (self.origin.as_str(), self.failures);
        tracing::warn!(origin, failures, reason = error.reason, hint = error.hint, "a topology cannot be pulled");
        if self.failures >= FAILURES_MAX && !self.has_alerted {
            self.alert(error).await;
        }
        let doubled = Span::from_millis(RETRY_AFTER.as_millis() << (self.failures - 1).min(16));
        doubled.min(self.settings.every)
    }

    /// Tells people, once in a row of failures.
    async fn alert(&mut self, error: &PullError) {
        let summary = format!(
            "{} pulls of the topology {} failed in a row; the last known one stays. {} ({})",
            self.failures, self.origin, error.reason, error.hint
        );
        let now = self.context.clock.now();
        let event =
            system::own_event(now, EventStatus::Firing, TOPOLOGY_ALERT, &self.origin, Severity::Warning, &summary);
        self.has_alerted = self.context.driver.submit(Input::Events { events: vec![event] }, None).await.is_ok();
        // The engine ends the alert when it gets a topology, so it gets one even if nothing has changed.
        self.known = None;
    }

    fn count(&self, outcome: &str) {
        self.context.metrics.topology_pulls.with_label_values(&[self.origin.as_str(), outcome]).inc();
    }
}

fn hash(topology: &TopologyFile) -> [u8; 32] {
    Sha256::digest(serde_json::to_vec(topology).unwrap_or_default()).into()
}

/// Where a large answer holds up nobody else.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PullError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| PullError::new(ErrorKind::Internal, format!("reading the answer failed: {error}"), NOT_TAKEN))
}

fn unsent(error: SendError) -> PullError {
    let hint = match error.kind {
        ErrorKind::Timeout => SLOW,
        ErrorKind::Invalid => NOT_ASKED,
        _ => UNREACHED,
    };
    PullError::new(error.kind, error.reason, hint)
}

#[cfg(test)]
mod tests;
