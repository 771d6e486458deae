//! What every handler shares: the driver, the readers, and the sources and tokens in force. Those
//! two are swapped as a whole on reload; a request that has begun ends with what it began with.

use http::{Extensions, StatusCode};
use parking_lot::RwLock;
use prometheus::IntCounter;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

use super::auth::SourceAuth;
use super::calendar::Feeds;
use super::callback::Ears;
use super::error::Problem;
use super::heartbeat::Doors;
use super::quota::Quota;
use super::replay::Replays;
use super::strangers::Strangers;
use super::web::Guard;
use super::{ApiToken, Auth, Facade, ReloadRequest, Setup, SourceInstance, Status};
use crate::clock::Clock;
use crate::engine::heartbeat::SOURCE as HEARTBEAT;
use crate::engine::system::SOURCE;
use crate::model::Timestamp;
use crate::model::audit::AuditEntry;
use crate::runtime::inbox::Handle;
use crate::runtime::self_check::Door;
use crate::sources::{self, Overload, Source, SourceSpec};
use crate::store::{QuarantineRow, Reader};
use crate::telemetry::Metrics;
use crate::tls::{ClientChain, ClientRule};

/// How long a refusal waits for its own record (quarantine, audit) before it is sent without.
const RECORD_TIMEOUT: Duration = Duration::from_secs(2);

pub struct App {
    pub(super) listen: SocketAddr,
    pub(super) clock: Clock,
    pub(super) started_at: Timestamp,
    pub(super) driver: Handle,
    pub(super) reader: Arc<dyn Reader>,
    pub(super) metrics: Arc<Metrics>,
    pub(super) status: Arc<Status>,
    pub(super) reload: mpsc::Sender<ReloadRequest>,
    pub(super) strangers: Strangers,
    live: RwLock<Arc<Live>>,
    facade: RwLock<Arc<Facade>>,
    doors: RwLock<Arc<Doors>>,
    feeds: RwLock<Arc<Feeds>>,
    ears: RwLock<Arc<Ears>>,
    guard: RwLock<Arc<Guard>>,
}

/// Sources and tokens of one configuration.
pub struct Live {
    pub tokens: Vec<ApiToken>,
    by_name: BTreeMap<String, Arc<Endpoint>>,
    by_kind: BTreeMap<&'static str, Vec<Arc<Endpoint>>>,
}

/// One source instance with what its requests need, ready made.
pub struct Endpoint {
    pub name: String,
    pub kind: &'static SourceSpec,
    pub source: Box<dyn Source>,
    pub auth: SourceAuth,
    pub client_certificate: Option<ClientRule>,
    pub body_bytes_max: usize,
    pub quota: Option<Quota>,
    pub replays: Arc<Replays>,
    events: IntCounter,
    ends: IntCounter,
    invalid: IntCounter,
    repeated: IntCounter,
    accepted: IntCounter,
}

impl App {
    pub fn new(setup: Setup) -> Arc<Self> {
        let live = Live::new(setup.sources, setup.tokens, &setup.metrics, None);
        Arc::new(Self {
            listen: setup.listen,
            started_at: setup.clock.now(),
            clock: setup.clock,
            driver: setup.driver,
            reader: setup.reader,
            metrics: setup.metrics,
            status: setup.status,
            reload: setup.reload,
            strangers: Strangers::default(),
            live: RwLock::new(Arc::new(live)),
            guard: RwLock::new(Arc::new(Guard::new(setup.facade.web.clone()))),
            facade: RwLock::new(Arc::new(setup.facade)),
            doors: RwLock::default(),
            feeds: RwLock::default(),
            ears: RwLock::default(),
        })
    }

    /// Puts other sources and tokens in force. Quotas start anew; what was signed and taken stays so.
    pub fn replace(&self, sources: BTreeMap<String, SourceInstance>, tokens: Vec<ApiToken>) {
        let mut live = self.live.write();
        *live = Arc::new(Live::new(sources, tokens, &self.metrics, Some(&live)));
    }

    /// The door for the probes of the self check: the way of every other body, but reached from here only.
    pub fn probe_door(self: &Arc<Self>, instance: SourceInstance) -> Door {
        let app = Arc::clone(self);
        let endpoint = Arc::new(Endpoint::new(SOURCE.to_owned(), instance, Arc::default(), &self.metrics));
        Box::new(move |body| {
            let (app, endpoint) = (Arc::clone(&app), Arc::clone(&endpoint));
            Box::pin(async move { super::ingest::probe(&app, &endpoint, body).await })
        })
    }

    /// Shows another configuration to Alertmanager's clients.
    pub fn show(&self, facade: Facade) {
        *self.guard.write() = Arc::new(Guard::new(facade.web.clone()));
        *self.facade.write() = Arc::new(facade);
    }

    /// Lets in who may beat for these heartbeats, and nobody else any more.
    pub fn expect(&self, heartbeats: BTreeMap<String, Option<Auth>>) {
        *self.doors.write() = Arc::new(Doors::new(heartbeats));
    }

    /// Lets in who may read these calendars, and nobody else any more. `instance` is the name of this installation.
    pub fn publish(&self, instance: &str, feeds: BTreeMap<String, Auth>) {
        *self.feeds.write() = Arc::new(Feeds::new(instance.to_owned(), feeds));
    }

    pub(super) fn feeds(&self) -> Arc<Feeds> {
        self.feeds.read().clone()
    }

    /// Listens to what people press and type from now on. What was done once stays so.
    pub fn hear(&self, ears: Ears) {
        let mut known = self.ears.write();
        *known = Arc::new(ears.keeping(&known));
    }

    pub(super) fn ears(&self) -> Arc<Ears> {
        self.ears.read().clone()
    }

    pub(super) fn doors(&self) -> Arc<Doors> {
        self.doors.read().clone()
    }

    pub(super) fn facade(&self) -> Arc<Facade> {
        self.facade.read().clone()
    }

    pub(super) fn guard(&self) -> Arc<Guard> {
        self.guard.read().clone()
    }

    pub(super) fn live(&self) -> Arc<Live> {
        self.live.read().clone()
    }

    /// Keeps a refused body. Best effort: the sender's mistake stays the answer whatever the store says.
    pub(super) async fn quarantine(&self, row: QuarantineRow) {
        self.metrics.quarantined.with_label_values(&[row.source.as_str()]).inc();
        let source = row.source.clone();
        match tokio::time::timeout(RECORD_TIMEOUT, self.driver.quarantine(row)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(source, %error, "a refused body could not be kept"),
            Err(_) => tracing::warn!(source, error = "the writer did not answer", "a refused body could not be kept"),
        }
    }

    /// Records a refused mutation; best effort, as for [`Self::quarantine`].
    pub(super) async fn audit(&self, entry: AuditEntry) {
        let (principal, action) = (entry.principal.clone(), entry.action.clone());
        match tokio::time::timeout(RECORD_TIMEOUT, self.driver.audit(entry)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(principal, action, %error, "a refusal could not be audited"),
            Err(_) => {
                tracing::warn!(
                    principal,
                    action,
                    error = "the writer did not answer",
                    "a refusal could not be audited"
                );
            }
        }
    }
}

impl Live {
    fn new(
        sources: BTreeMap<String, SourceInstance>,
        tokens: Vec<ApiToken>,
        metrics: &Metrics,
        before: Option<&Self>,
    ) -> Self {
        let mut by_name = BTreeMap::new();
        let mut by_kind: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (name, instance) in sources {
            let before = before.and_then(|before| before.by_name.get(&name));
            let replays = before.map_or_else(Arc::default, |endpoint| Arc::clone(&endpoint.replays));
            let endpoint = Arc::new(Endpoint::new(name.clone(), instance, replays, metrics));
            by_kind.entry(endpoint.kind.name).or_default().push(endpoint.clone());
            by_name.insert(name, endpoint);
        }
        Self { tokens, by_name, by_kind }
    }

    /// The instance that is named like the kind, or the only one of that kind.
    pub fn source_of_kind(&self, kind: &str) -> Result<Arc<Endpoint>, Problem> {
        let all = self.by_kind.get(kind).map_or(&[][..], Vec::as_slice);
        match (all.iter().find(|endpoint| endpoint.name == kind), all) {
            (Some(endpoint), _) | (None, [endpoint]) => Ok(endpoint.clone()),
            (None, []) if kind == HEARTBEAT => {
                Err(Problem::not_found("a heartbeat has its name in the path: `/in/heartbeat/<name>`"))
            }
            (None, []) if sources::find(kind).is_none() => Err(Problem::not_found(format!(
                "there is no kind of source `{}`; `watchbell integrations` lists all",
                clip(kind)
            ))),
            (None, []) => Err(Problem::not_found(format!("no source of kind `{}` is configured", clip(kind)))),
            (None, _) => Err(Problem::not_found(format!(
                "several sources of kind `{kind}` are configured: post to `/in/{kind}/<name>`"
            ))),
        }
    }

    pub fn source(&self, kind: &str, name: &str) -> Result<Arc<Endpoint>, Problem> {
        self.by_name.get(name).filter(|endpoint| endpoint.kind.name == kind).cloned().ok_or_else(|| {
            Problem::not_found(format!("no source `{}` of kind `{}` is configured", clip(name), clip(kind)))
        })
    }
}

/// What a client sent, short enough to repeat.
fn clip(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Endpoint {
    fn new(name: String, instance: SourceInstance, replays: Arc<Replays>, metrics: &Metrics) -> Self {
        Self {
            repeated: metrics.ingest_repeated.with_label_values(&[name.as_str()]),
            events: metrics.ingest_events.with_label_values(&[name.as_str(), instance.kind.name]),
            ends: metrics.ingest_ends.with_label_values(&[name.as_str(), instance.kind.name]),
            invalid: metrics.ingest_invalid.with_label_values(&[name.as_str(), instance.kind.name]),
            accepted: metrics.ingest_requests.with_label_values(&[name.as_str(), "200"]),
            auth: SourceAuth::new(instance.auth),
            client_certificate: instance.client_certificate,
            quota: instance.events_per_second.map(Quota::new),
            replays,
            kind: instance.kind,
            source: instance.source,
            body_bytes_max: instance.body_bytes_max,
            name,
        }
    }

    /// Whether the client of this connection is one that the source lets in.
    pub fn check_client(&self, connection: &Extensions, now: Timestamp) -> Result<(), Problem> {
        let Some(rule) = &self.client_certificate else { return Ok(()) };
        rule.check(connection.get::<ClientChain>(), now).map_err(Problem::client_certificate)
    }

    pub fn count_accepted(&self, events: usize) {
        self.accepted.inc();
        self.events.inc_by(events as u64);
    }

    pub fn count_resolved(&self, ends: usize) {
        self.ends.inc_by(ends as u64);
    }

    pub fn count_invalid(&self, alerts: usize) {
        self.invalid.inc_by(alerts as u64);
    }

    /// Answered 200 a second time.
    pub fn count_repeated(&self) {
        self.accepted.inc();
        self.repeated.inc();
    }

    pub fn count_refused(&self, status: StatusCode, metrics: &Metrics) {
        metrics.ingest_requests.with_label_values(&[self.name.as_str(), status.as_str()]).inc();
    }

    /// The status by which this sender understands "later".
    pub fn overload_status(&self) -> StatusCode {
        match self.kind.overload {
            Overload::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Overload::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        }
    }
}
