//! The composition root: straight-line wiring of the daemon, reload, and shutdown in reverse order.
//!
//! ```text
//! store ─▶ driver (own thread) ─▶ outbox ─▶ listener        start
//! listener ─▶ outbox (drains) ─▶ driver ─▶ store            stop
//! ```

mod doors;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot, watch};

use crate::clock::Clock;
use crate::config::{self, ClientCertificate, Configuration, Problem, StoreSettings};
use crate::crash_point::{CrashPoint, reach};
use crate::engine::input::Input;
use crate::engine::self_check::SINK;
use crate::http::{self, ReloadRequest, Setup, SourceInstance, Status};
use crate::model::Timestamp;
use crate::model::audit::AuditEntry;
use crate::runtime::audit;
use crate::runtime::certificate;
use crate::runtime::dead_letters;
use crate::runtime::deliver::Outbound;
use crate::runtime::driver::{Driver, DriverError};
use crate::runtime::heartbeat::Heartbeat;
use crate::runtime::inbox::{Handle, Queue};
use crate::runtime::outbox::{self, SinkInstance, Sinks};
use crate::runtime::self_check::{self, SelfCheck};
use crate::runtime::topology_pull::{self, Pullers};
use crate::sinks::{self, Setting};
use crate::sources;
use crate::store::{Reader, SqliteReader, SqliteStore};
use crate::telemetry::Metrics;
use crate::tls::{self, ClientRule};
use crate::watchdog::{Watchdog, notify};

/// How long sends that are due may take once the daemon is told to stop. With the listener's own ten
/// seconds this stays below systemd's default of 90.
const DRAIN_GRACE: Duration = Duration::from_secs(20);
/// Who asked for a reload by a signal: whoever may send one on this machine.
const OPERATOR: &str = "operator";

/// Reads the configuration, at each reload again.
pub type Loader = Box<dyn Fn() -> Result<Configuration, Vec<Problem>> + Send + Sync>;

/// Our own configuration, in these files.
pub fn files(files: Vec<PathBuf>) -> Loader {
    Box::new(move || config::load(&files, environment()))
}

/// A daemon that runs. Dropping it does not stop it; [`Daemon::stop`] does.
pub struct Daemon {
    pub address: std::net::SocketAddr,
    reload: mpsc::Sender<ReloadRequest>,
    stop_listener: watch::Sender<bool>,
    stop_outbox: watch::Sender<bool>,
    listener: tokio::task::JoinHandle<()>,
    outbox: tokio::task::JoinHandle<()>,
    /// Certificate, head of the audit log, dead letters: looked at now and then.
    lookouts: tokio::task::JoinSet<()>,
    /// Watch over the rest, and end before it.
    watchers: tokio::task::JoinSet<()>,
    reloader: tokio::task::JoinHandle<()>,
    driver: Handle,
    driver_ended: oneshot::Receiver<Result<(), DriverError>>,
    status: Arc<Status>,
}

impl Daemon {
    /// Starts everything; returns once inputs are taken.
    ///
    /// # Errors
    /// When the store, a sink, a source or the listener cannot be set up.
    pub async fn start(configuration: Configuration, loader: Loader) -> anyhow::Result<Self> {
        configuration.warnings.iter().for_each(Problem::log);
        // Bound first: two daemons must not take turns with one store.
        let also = &configuration.facade.also_listen;
        let listeners = http::server::bind([&configuration.listen].into_iter().chain(also)).await?;
        let address = listeners[0].local_addr()?;

        let clock = Clock::System;
        let metrics = Arc::new(Metrics::new());
        let status = Arc::new(Status::default());
        let (store, reader) = open_store(&configuration.store)?;
        let check = &configuration.self_check;
        let self_check = check.enabled.then(|| SelfCheck::new(check, clock.clone(), Arc::clone(&metrics)));
        let outbound = Outbound::new().context("cannot set up outbound calls")?;
        let sinks = build_sinks(&configuration, self_check.as_ref())?;
        outbound.put(outbox::prepare(&outbound, &sinks)?);
        let sinks = Arc::new(RwLock::new(Arc::new(sinks)));

        let (driver, queue) = Handle::channel(configuration.limits.queue_events_max as usize);
        let (outgoing, committed) = mpsc::unbounded_channel();
        let policy = configuration.policy.clone();
        let (thread_metrics, thread_clock) = (Arc::clone(&metrics), clock.clone());
        let retention = configuration.retention.clone();
        let started = tokio::task::spawn_blocking(move || {
            Driver::start(Box::new(store), thread_clock, &policy, outgoing, thread_metrics, retention)
        });
        let writer = started.await?.context("cannot start the writer")?;
        let (progress, engine_clock) = (writer.progress(), writer.clock());
        let driver_ended = run_writer(writer, queue)?;

        let context = outbox::Context {
            driver: driver.clone(),
            clock: engine_clock,
            outbound: Arc::new(outbound.clone()),
            metrics: Arc::clone(&metrics),
            sinks: Arc::clone(&sinks),
        };
        let (stop_outbox, stopping_outbox) = watch::channel(false);
        let outbox = tokio::spawn(outbox::run(context, committed, stopping_outbox, DRAIN_GRACE));

        let sources = build_sources(&configuration)?;
        let offer = tls_offer(&configuration, &sources)?;
        metrics.certificate_expires(expiry(offer.as_ref()));
        let tls = Arc::new(tls::Listener::new(offer));
        let reader: Arc<dyn Reader> = Arc::new(reader);
        let mut lookouts = tokio::task::JoinSet::new();
        lookouts.spawn(audit::announce_head(Arc::clone(&reader), Arc::clone(&metrics)));
        lookouts.spawn(dead_letters::count(Arc::clone(&reader), Arc::clone(&metrics)));
        let (reload, reloads) = mpsc::channel(1);
        let app = http::App::new(Setup {
            listen: address,
            sources,
            tokens: api_tokens(&configuration),
            limits: limits(&configuration),
            clock: clock.clone(),
            driver: driver.clone(),
            reader,
            metrics: Arc::clone(&metrics),
            status: Arc::clone(&status),
            reload: reload.clone(),
            facade: configuration.facade.clone(),
        });
        app.expect(doors::heartbeats(&configuration));
        app.publish(&configuration.instance, doors::feeds(&configuration));
        app.hear(doors::ears(&configuration, &sinks.read(), Arc::new(outbound.clone())));
        let has_tls = configuration.tls.is_some();
        let ready = configuration.facade.ready_word();
        let (stop_listener, stopping) = watch::channel(false);
        let router = http::router(Arc::clone(&app));
        let serving = http::server::serve_all(listeners, tls.configuration(), router, limits(&configuration), stopping);
        let listener = tokio::spawn(serving);
        lookouts.spawn(certificate::watch(Arc::clone(&tls), Arc::clone(&metrics)));
        let mut watchers = tokio::task::JoinSet::new();
        watchers.spawn(Watchdog::new(progress, self_check.clone(), Arc::clone(&status)).run());
        if let Some(check) = &self_check {
            watch(&mut watchers, check, &app, &configuration, outbound.clone())?;
        }
        let context = topology_pull::Context {
            driver: driver.clone(),
            outbound: outbound.clone(),
            clock: clock.clone(),
            metrics: Arc::clone(&metrics),
        };
        let mut pullers = Pullers::new(context);
        pullers.apply(&configuration.zabbix).await;
        let reloader = Reloader {
            loader: Arc::new(loader),
            app,
            tls,
            sinks,
            outbound,
            driver: driver.clone(),
            clock: clock.clone(),
            metrics: Arc::clone(&metrics),
            status: Arc::clone(&status),
            self_check,
            pullers,
            current: configuration,
        };
        let reloader = tokio::spawn(reloader.run(reloads));
        metrics.reloaded(true, clock.now());
        status.loaded();
        notify(&[sd_notify::NotifyState::Ready]);
        tracing::info!(%address, has_tls, "{ready}");
        Ok(Self {
            address,
            reload,
            stop_listener,
            stop_outbox,
            listener,
            outbox,
            lookouts,
            watchers,
            reloader,
            driver,
            driver_ended,
            status,
        })
    }

    /// Reads the configuration again; the old one stays in force when the new one is not good.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn reload(&self) -> Result<String, String> {
        let (done, answer) = oneshot::channel();
        let request = ReloadRequest { by: OPERATOR.to_owned(), done };
        self.reload.send(request).await.map_err(|_| "the daemon is stopping".to_owned())?;
        answer.await.unwrap_or_else(|_| Err("the daemon is stopping".to_owned()))
    }

    /// Ends when the writer has ended by itself: going on could break a promise.
    pub async fn failed(&mut self) -> anyhow::Error {
        match (&mut self.driver_ended).await {
            Ok(Err(error)) => anyhow::Error::from(error).context("the writer has stopped"),
            Ok(Ok(())) | Err(_) => anyhow::anyhow!("the writer has ended unexpectedly"),
        }
    }

    /// Stops in reverse order, each part in bounded time. What could not be sent goes out after the next start.
    pub async fn stop(mut self) {
        self.status.draining();
        notify(&[sd_notify::NotifyState::Stopping]);
        tracing::info!("stopping");
        self.watchers.shutdown().await;
        let _ = self.stop_listener.send(true);
        let _ = self.listener.await;
        reach(CrashPoint::Draining);
        self.reloader.abort();
        let _ = self.stop_outbox.send(true);
        let _ = self.outbox.await;
        self.lookouts.abort_all();
        let _ = self.reloader.await;
        drop(self.driver);
        // The last handle is gone with it, so the writer finishes what it holds and ends.
        let _ = tokio::time::timeout(Duration::from_secs(5), self.driver_ended).await;
        tracing::info!("stopped");
    }
}

/// The writer has a thread of its own: its commits block, and nothing should wait behind them.
fn run_writer(writer: Driver, queue: Queue) -> anyhow::Result<oneshot::Receiver<Result<(), DriverError>>> {
    let (ended, driver_ended) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
        let _ = ended.send(runtime.block_on(writer.run(queue)));
    })?;
    Ok(driver_ended)
}

/// Starts the self check, and the heartbeat that depends on it.
fn watch(
    watchers: &mut tokio::task::JoinSet<()>,
    check: &Arc<SelfCheck>,
    app: &Arc<http::App>,
    configuration: &Configuration,
    outbound: Outbound,
) -> anyhow::Result<()> {
    let door = app.probe_door(SourceInstance {
        kind: &self_check::SOURCE,
        source: Box::new(self_check::ProbeSource::new(Arc::clone(check))?),
        auth: http::Auth::None,
        client_certificate: None,
        body_bytes_max: config::BODY_BYTES_MAX,
        events_per_second: None,
    });
    if let Some(settings) = &configuration.heartbeat {
        watchers.spawn(Heartbeat::new(settings, outbound, Arc::clone(check)).run());
    }
    let check = Arc::clone(check);
    watchers.spawn(async move { check.run(door).await });
    Ok(())
}

fn open_store(settings: &StoreSettings) -> anyhow::Result<(SqliteStore, SqliteReader)> {
    match settings {
        StoreSettings::Sqlite { path } => Ok(SqliteStore::open(path)?),
    }
}

/// The sinks of a configuration.
///
/// # Errors
/// What `config::load` would have refused; it has built every sink once already.
pub fn build_sinks(configuration: &Configuration, self_check: Option<&Arc<SelfCheck>>) -> anyhow::Result<Sinks> {
    let mut built = Sinks::new();
    built.extend(self_check.map(|check| (SINK.to_owned(), Arc::new(self_check::sink(check)))));
    for (name, settings) in &configuration.sinks {
        let spec = sinks::find(&settings.kind).with_context(|| format!("unknown sink kind `{}`", settings.kind))?;
        let setting = Setting {
            instance: configuration.instance.clone(),
            sink: name.clone(),
            language: settings.language,
            time_zone: settings.time_zone.clone(),
            public_url: configuration.public_url.clone(),
            go_templates: configuration.go_templates.clone(),
        };
        let sink =
            (spec.build)(&settings.table, &setting).with_context(|| format!("cannot set up the sink `{name}`"))?;
        let instance = SinkInstance {
            sink,
            allow_private: settings.allow_private,
            timeout: settings.timeout.to_std(),
            rate: settings.rate.unwrap_or(spec.rate),
            give_up_after: settings.give_up_after,
        };
        built.insert(name.clone(), Arc::new(instance));
    }
    Ok(built)
}

fn build_sources(configuration: &Configuration) -> anyhow::Result<BTreeMap<String, SourceInstance>> {
    let mut built = BTreeMap::new();
    for (name, settings) in &configuration.sources {
        let kind = sources::find(&settings.kind).with_context(|| format!("unknown source kind `{}`", settings.kind))?;
        let source = (kind.build)(&settings.table).with_context(|| format!("cannot set up the source `{name}`"))?;
        let instance = SourceInstance {
            kind,
            source,
            auth: doors::source(&settings.auth),
            client_certificate: settings.client_certificate.as_ref().map(client_rule).transpose()?,
            body_bytes_max: settings.body_bytes_max,
            events_per_second: settings.events_per_second,
        };
        built.insert(name.clone(), instance);
    }
    Ok(built)
}

fn client_rule(settings: &ClientCertificate) -> anyhow::Result<ClientRule> {
    Ok(ClientRule::new(settings.ca_pem.as_deref(), &settings.names, settings.sha256.clone())?)
}

/// What the listener's new connections will get; reads the certificate's files.
fn tls_offer(
    configuration: &Configuration,
    sources: &BTreeMap<String, SourceInstance>,
) -> anyhow::Result<Option<tls::Offer>> {
    let web = &configuration.facade.web;
    let rule = web.client_rule()?;
    let rules = sources.values().filter_map(|source| source.client_certificate.as_ref()).chain(&rule);
    let clients = tls::Clients::of(rules);
    let offer = configuration.tls.clone().map(|files| tls::Offer::load(files, clients, web.versions));
    offer.transpose().context("cannot set up TLS")
}

fn expiry(offer: Option<&tls::Offer>) -> Option<Timestamp> {
    offer.map(|offer| offer.certificate().not_after)
}

fn api_tokens(configuration: &Configuration) -> Vec<http::ApiToken> {
    let token = |token: &config::ApiToken| http::ApiToken {
        name: token.name.clone(),
        role: token.role,
        token_sha256: token.token_sha256,
    };
    configuration.api.tokens.iter().map(token).collect()
}

fn limits(configuration: &Configuration) -> http::Limits {
    let limits = &configuration.limits;
    http::Limits {
        connections_max: limits.connections_max as usize,
        header_timeout: limits.header_timeout,
        idle_timeout: limits.idle_timeout,
        request_timeout: limits.request_timeout,
    }
}

/// Swaps the configuration as a whole, or not at all.
struct Reloader {
    loader: Arc<Loader>,
    app: Arc<http::App>,
    tls: Arc<tls::Listener>,
    sinks: Arc<RwLock<Arc<Sinks>>>,
    outbound: Outbound,
    driver: Handle,
    clock: Clock,
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    self_check: Option<Arc<SelfCheck>>,
    /// End with it.
    pullers: Pullers,
    current: Configuration,
}

impl Reloader {
    async fn run(mut self, mut requests: mpsc::Receiver<ReloadRequest>) {
        while let Some(ReloadRequest { by, done }) = requests.recv().await {
            let result = self.reload().await;
            let now = self.clock.now();
            match &result {
                Ok(text) => tracing::info!("{text}"),
                Err(reason) => {
                    tracing::error!("the configuration was not reloaded, the old one stays in force: {reason}")
                }
            }
            self.metrics.reloaded(result.is_ok(), now);
            self.status.reloaded(now, result.clone());
            let outcome = result.as_ref().map_or_else(|reason| format!("refused: {reason}"), |_| "done".to_owned());
            let entry = AuditEntry {
                at: now,
                principal: by,
                action: "configuration.reload".to_owned(),
                subject: "configuration".to_owned(),
                outcome,
            };
            if let Err(error) = self.driver.audit(entry).await {
                tracing::warn!(%error, "cannot record the reload in the audit log");
            }
            // Whoever asked over HTTP may have hung up.
            let _ = done.send(result);
        }
    }

    async fn reload(&mut self) -> Result<String, String> {
        notify(&[sd_notify::NotifyState::Reloading]);
        let result = self.swap().await;
        notify(&[sd_notify::NotifyState::Ready]);
        result
    }

    async fn swap(&mut self) -> Result<String, String> {
        let loader = Arc::clone(&self.loader);
        let loaded = tokio::task::spawn_blocking(move || loader())
            .await
            .map_err(|error| format!("reading it failed: {error}"))?;
        let configuration = loaded.map_err(|problems| describe(&problems))?;
        configuration.warnings.iter().for_each(Problem::log);
        // Everything that can fail comes before anything is changed.
        let sinks = build_sinks(&configuration, self.self_check.as_ref()).map_err(|error| format!("{error:#}"))?;
        let chain = |error| format!("{:#}", anyhow::Error::from(error));
        let prepared = outbox::prepare(&self.outbound, &sinks).map_err(chain)?;
        let sources = build_sources(&configuration).map_err(|error| format!("{error:#}"))?;
        let offer = tls_offer(&configuration, &sources).map_err(|error| format!("{error:#}"))?;
        let before = std::mem::replace(&mut *self.sinks.write(), Arc::new(sinks));
        reach(CrashPoint::Reloading);
        if configuration.policy != self.current.policy {
            let input = Input::Configured { policy: Box::new(configuration.policy.clone()) };
            if let Err(error) = self.driver.submit(input, None).await {
                *self.sinks.write() = before;
                return Err(format!("the store did not take it: {error}"));
            }
        }
        reach(CrashPoint::Reloaded);
        self.outbound.put(prepared);
        self.app.replace(sources, api_tokens(&configuration));
        self.app.expect(doors::heartbeats(&configuration));
        self.app.publish(&configuration.instance, doors::feeds(&configuration));
        let sinks = Arc::clone(&self.sinks.read());
        self.app.hear(doors::ears(&configuration, &sinks, Arc::new(self.outbound.clone())));
        self.app.show(configuration.facade.clone());
        self.metrics.certificate_expires(expiry(offer.as_ref()));
        self.tls.put(offer);
        self.pullers.apply(&configuration.zabbix).await;
        let needs_restart = needs_restart(&self.current, &configuration);
        self.current = configuration;
        match needs_restart.as_slice() {
            [] => Ok("a new configuration is in force".to_owned()),
            keys => Ok(format!("a new configuration is in force, but a change of {} needs a restart", keys.join(", "))),
        }
    }
}

fn needs_restart(old: &Configuration, new: &Configuration) -> Vec<&'static str> {
    let changed = [
        ("`listen`", old.listen != new.listen),
        ("`store`", old.store != new.store),
        ("`limits`", old.limits != new.limits),
        ("`retention`", old.retention != new.retention),
        ("`self_check`", old.self_check != new.self_check),
        ("`heartbeat`", old.heartbeat != new.heartbeat),
    ];
    changed.into_iter().filter(|(_, is_changed)| *is_changed).map(|(key, _)| key).collect()
}

fn describe(problems: &[Problem]) -> String {
    let errors: Vec<String> = problems.iter().filter(|problem| !problem.is_warning).map(ToString::to_string).collect();
    errors.join("; ")
}

/// The environment as text; a variable that is no text cannot be one of ours.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
