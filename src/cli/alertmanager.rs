//! `watchbell alertmanager`: the daemon in an Alertmanager's place. Takes its flags and its `alertmanager.yml`, listens
//! where it would, answers its API, and tells people of groups of alerts in its way and at its times.

use std::collections::BTreeMap;
use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgAction, ValueEnum};

use super::failure::{self, Failure};
use super::run as daemon;
use crate::app::Loader;
use crate::clock::Clock;
use crate::config::alertmanager::{self, WebFile};
use crate::config::{Configuration, Problem, StoreSettings};
use crate::engine::policy::LOG_RECEIVER;
use crate::http::alertmanager::{Member, REVISION, VERSION};
use crate::http::web::ClientPolicy;
use crate::model::Span;
use crate::telemetry::{LogFormat, init_logging};

/// Bytes of a request: Alertmanager sets no limit, and a Prometheus with many rules sends large ones.
const BODY_BYTES_MAX: usize = 32 << 20;
/// The file of the store in `--storage.path`.
const STORE: &str = "watchbell.db";

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// Alertmanager's configuration
    #[arg(long = "config.file", value_name = "FILE", default_value = "alertmanager.yml")]
    config_file: PathBuf,
    /// Directory of the store
    #[arg(long = "storage.path", value_name = "DIR", default_value = "data/")]
    storage_path: PathBuf,
    /// How long a silence that has ended stays visible
    #[arg(long = "data.retention", value_name = "TIME", default_value = "120h")]
    data_retention: String,
    /// Address to listen on, may be given several times; `:9093` is every address of this machine
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":9093")]
    listen: Vec<String>,
    /// Certificate of the listener, clients' certificates, users and headers, as Prometheus' web configuration has them
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config: Option<PathBuf>,
    /// Address under which people reach this daemon, for links in messages
    #[arg(long = "web.external-url", value_name = "URL")]
    external_url: Option<String>,
    /// What all paths begin with; without it what the path of the external URL is
    #[arg(long = "web.route-prefix", value_name = "PATH")]
    route_prefix: Option<String>,
    /// Time for a request; 0 leaves ours
    #[arg(long = "web.timeout", value_name = "TIME", value_parser = go_duration, allow_hyphen_values = true)]
    web_timeout: Option<String>,
    /// So long after a start nobody is told of anything
    #[arg(long = "dispatch.start-delay", value_name = "TIME", value_parser = go_duration, default_value = "0s")]
    dispatch_start_delay: String,
    /// How many silences there may be, those that have ended included; 0 is any number
    #[arg(long = "silences.max-silences", value_name = "COUNT", default_value_t = 0, allow_hyphen_values = true)]
    max_silences: i64,
    /// Bytes that a silence may have, about; 0 is any number
    #[arg(
        long = "silences.max-silence-size-bytes",
        value_name = "BYTES",
        default_value_t = 0,
        allow_hyphen_values = true
    )]
    max_silence_bytes: i64,
    /// Not supported: how many alerts of one name there may be
    #[arg(long = "alerts.per-alertname-limit", value_name = "COUNT", default_value_t = 0, allow_hyphen_values = true)]
    per_alertname_limit: i64,
    /// Names of features, with commas between them; `classic-mode` refuses names of labels beyond letters, digits and `_`
    #[arg(long = "enable-feature", value_name = "NAMES", default_value = "")]
    enable_feature: String,
    /// Print which Alertmanager this stands in for
    #[arg(long)]
    version: bool,
    /// Only messages at least as severe: debug, info, warn, error
    #[arg(long = "log.level", value_name = "LEVEL", default_value = "info")]
    log_level: Level,
    /// How messages are written
    #[arg(long = "log.format", value_name = "FORMAT", default_value = "logfmt")]
    log_format: Format,
    /// Other daemons of a cluster; each tells its receivers by itself here, so run one
    #[arg(long = "cluster.peer", value_name = "ADDRESS")]
    cluster_peer: Vec<String>,
    /// Where members of a cluster would find this one, as the status shows it; empty for no cluster
    #[arg(long = "cluster.listen-address", value_name = "ADDRESS", default_value = "0.0.0.0:9094")]
    cluster_listen_address: String,
    /// The same, where it is another address than the one to listen on
    #[arg(long = "cluster.advertise-address", value_name = "ADDRESS", default_value = "")]
    cluster_advertise_address: String,
    /// Name in the cluster; without it one is drawn
    #[arg(long = "cluster.peer-name", value_name = "NAME", default_value = "")]
    cluster_peer_name: String,
    #[command(flatten)]
    without_effect: WithoutEffect,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Debug,
    Info,
    Warn,
    Error,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Logfmt,
    Json,
}

/// Flags about parts that are not there: taken so that a start script goes on working.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Taken, without effect here")]
#[rustfmt::skip] // One flag a line reads as the table that it is.
struct WithoutEffect {
    #[arg(long = "data.maintenance-interval", value_name = "TIME", value_parser = go_duration)] data_maintenance_interval: Option<String>,
    #[arg(long = "alerts.gc-interval", value_name = "TIME", value_parser = go_duration)] alerts_gc_interval: Option<String>,
    #[arg(long = "dispatch.maintenance-interval", value_name = "TIME", value_parser = go_duration)] dispatch_maintenance_interval: Option<String>,
    #[arg(long = "web.get-concurrency", value_name = "COUNT", allow_hyphen_values = true)] web_get_concurrency: Option<i64>,
    #[arg(long = "auto-gomemlimit.ratio", value_name = "RATIO")] auto_gomemlimit_ratio: Option<f64>,
    #[arg(long = "auto-gomemlimit", action = ArgAction::SetTrue)] auto_gomemlimit: bool,
    #[arg(long = "log.silences", action = ArgAction::SetTrue)] log_silences: bool,
    #[arg(long = "cluster.peer-timeout", value_name = "TIME", value_parser = go_duration)] cluster_peer_timeout: Option<String>,
    #[arg(long = "cluster.peers-resolve-timeout", value_name = "TIME", value_parser = go_duration)] cluster_peers_resolve_timeout: Option<String>,
    #[arg(long = "cluster.gossip-interval", value_name = "TIME", value_parser = go_duration)] cluster_gossip_interval: Option<String>,
    #[arg(long = "cluster.pushpull-interval", value_name = "TIME", value_parser = go_duration)] cluster_pushpull_interval: Option<String>,
    #[arg(long = "cluster.tcp-timeout", value_name = "TIME", value_parser = go_duration)] cluster_tcp_timeout: Option<String>,
    #[arg(long = "cluster.probe-timeout", value_name = "TIME", value_parser = go_duration)] cluster_probe_timeout: Option<String>,
    #[arg(long = "cluster.probe-interval", value_name = "TIME", value_parser = go_duration)] cluster_probe_interval: Option<String>,
    #[arg(long = "cluster.settle-timeout", value_name = "TIME", value_parser = go_duration)] cluster_settle_timeout: Option<String>,
    #[arg(long = "cluster.reconnect-interval", value_name = "TIME", value_parser = go_duration)] cluster_reconnect_interval: Option<String>,
    #[arg(long = "cluster.reconnect-timeout", value_name = "TIME", value_parser = go_duration)] cluster_reconnect_timeout: Option<String>,
    #[arg(long = "cluster.tls-config", value_name = "FILE")] cluster_tls_config: Option<String>,
    #[arg(long = "cluster.label", value_name = "LABEL")] cluster_label: Option<String>,
    #[arg(long = "cluster.allow-insecure-public-advertise-address-discovery", action = ArgAction::SetTrue)] cluster_allow_insecure: bool,
    #[arg(long = "no-auto-gomemlimit", hide = true)] no_auto_gomemlimit: bool,
    #[arg(long = "no-log.silences", hide = true)] no_log_silences: bool,
    #[arg(long = "no-web.systemd-socket", hide = true)] no_web_systemd_socket: bool,
    #[arg(long = "no-cluster.allow-insecure-public-advertise-address-discovery", hide = true)] no_cluster_allow_insecure: bool,
}

/// Exit codes are Alertmanager's: 1 whatever went wrong.
///
/// # Errors
/// None; they are reported here.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if args.version {
        println!("alertmanager, version {VERSION} (branch: , revision: {REVISION})");
        println!("  platform:         {}/{}", std::env::consts::OS, std::env::consts::ARCH);
        return Ok(ExitCode::SUCCESS);
    }
    start(args).or_else(|error| {
        failure::report(&error);
        Ok(ExitCode::from(failure::FAILED))
    })
}

fn start(args: &Args) -> anyhow::Result<ExitCode> {
    let format = match args.log_format {
        Format::Logfmt => LogFormat::AlertmanagerLogfmt,
        Format::Json => LogFormat::AlertmanagerJson,
    };
    init_logging(format, args.log_level.filter())?;
    let settings = Settings::of(args)?;
    let configuration = settings
        .load()
        .map_err(|problems| daemon::refused(&problems, "`amtool check-config` reads the same `--config.file`"))?;
    for feature in features(args)?.into_iter().filter(|feature| WITHOUT_EFFECT.contains(feature)) {
        tracing::warn!("--enable-feature: `{feature}` has no effect here");
    }
    if !args.cluster_peer.is_empty() {
        tracing::warn!(
            "--cluster.peer: there is no cluster here; every daemon tells its receivers by itself, so run one"
        );
    }
    let web = &configuration.facade.web;
    let asks_nobody = web.users.is_empty() && web.clients == ClientPolicy::NoClientCert;
    if asks_nobody && !configuration.listen.ip().is_loopback() {
        tracing::warn!(address = %configuration.listen, "everybody who reaches this address may read alerts, silence them and reload, as with Alertmanager");
    }
    let loader: Loader = Box::new(move || settings.load());
    daemon::start(configuration, loader, None)
}

/// What `--enable-feature` may name.
const FEATURES: [&str; 7] = [
    "alert-names-in-metrics",
    "receiver-name-in-metrics",
    "group-key-in-metrics",
    "classic-mode",
    "utf8-strict-mode",
    "auto-gomemlimit",
    "event-recorder",
];
const WITHOUT_EFFECT: [&str; 5] = [
    "alert-names-in-metrics",
    "receiver-name-in-metrics",
    "group-key-in-metrics",
    "utf8-strict-mode",
    "event-recorder",
];

fn features(args: &Args) -> Result<Vec<&str>, Failure> {
    let features: Vec<&str> = args.enable_feature.split(',').filter(|name| !name.is_empty()).collect();
    if let Some(unknown) = features.iter().find(|name| !FEATURES.contains(name)) {
        let message = format!("unknown option '{unknown}' for --enable-feature");
        return Err(Failure::misuse(message).hint(format!("there are {}", FEATURES.join(", "))));
    }
    if features.contains(&"classic-mode") && features.contains(&"utf8-strict-mode") {
        return Err(Failure::misuse("--enable-feature: cannot have both classic and UTF-8 modes enabled"));
    }
    Ok(features)
}

/// A time as Go's flags have it: `1h30m`, `1.5s`, `0`.
fn go_duration(text: &str) -> Result<String, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return Ok(text.to_owned());
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let digits = &rest[..rest.len() - number.len()];
        let units = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];
        let unit = units.into_iter().filter(|unit| number.starts_with(unit)).max_by_key(|unit| unit.len());
        let is_number = digits.parse::<f64>().is_ok();
        let Some(unit) = unit.filter(|_| is_number) else { return Err(invalid()) };
        rest = &number[unit.len()..];
    }
    Ok(text.to_owned())
}

impl Level {
    const fn filter(self) -> &'static str {
        match self {
            Self::Debug => "watchbell=debug,warn",
            Self::Info => "watchbell=info,warn",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// What the flags say, to be applied each time the file is read.
struct Settings {
    file: PathBuf,
    store: PathBuf,
    /// First one that others reach, if there is any.
    listen: Vec<SocketAddr>,
    external_url: Option<String>,
    web_config: Option<PathBuf>,
    route_prefix: String,
    retention: Span,
    start_delay: Span,
    timeout: Option<Span>,
    member: Option<Member>,
    classic_names: bool,
    silences_max: Option<usize>,
    silence_bytes_max: Option<usize>,
}

impl Settings {
    fn of(args: &Args) -> Result<Self, Failure> {
        let mut listen = args.listen.iter().map(|text| address(text)).collect::<Result<Vec<_>, _>>()?;
        // What is trusted follows from the first one.
        listen.sort_by_key(|address| address.ip().is_loopback());
        let external_url = args.external_url.as_ref().map(|url| url.trim_end_matches('/').to_owned());
        let parsed = external_url.as_deref().map(web_address).transpose()?;
        if args.per_alertname_limit > 0 {
            let why = "alerts of one name are not limited here";
            return Err(Failure::misuse(format!("`--alerts.per-alertname-limit`: {why}")).hint("leave it out, or at 0"));
        }
        let limit = |value: i64| usize::try_from(value).ok().filter(|value| *value > 0);
        let of_url = || parsed.map_or_else(String::new, |url| url.path().to_owned());
        let route_prefix = args.route_prefix.clone().unwrap_or_else(of_url);
        Ok(Self {
            file: args.config_file.clone(),
            store: args.storage_path.join(STORE),
            listen,
            external_url,
            web_config: args.web_config.clone(),
            route_prefix: format!("/{}", route_prefix.trim_matches('/')),
            retention: span("data.retention", &args.data_retention)?,
            start_delay: span("dispatch.start-delay", &args.dispatch_start_delay)?,
            timeout: args
                .web_timeout
                .as_deref()
                .filter(|text| !text.starts_with('-'))
                .map(|text| span("web.timeout", text))
                .transpose()?,
            classic_names: features(args)?.contains(&"classic-mode"),
            silences_max: limit(args.max_silences),
            silence_bytes_max: limit(args.max_silence_bytes),
            member: member(args),
        })
    }

    fn load(&self) -> Result<Configuration, Vec<Problem>> {
        let loaded = alertmanager::load(&self.file)?;
        let mut configuration = loaded.configuration;
        let WebFile { tls, web } =
            self.web_config.as_deref().map(alertmanager::load_web).transpose()?.unwrap_or_default();
        if let [listen, also @ ..] = self.listen.as_slice() {
            configuration.listen = *listen;
            configuration.facade.also_listen = also.to_vec();
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let own_url = || format!("{scheme}://{}:{}", host_name(), configuration.listen.port());
        configuration.public_url = Some(self.external_url.clone().unwrap_or_else(own_url));
        (configuration.tls, configuration.facade.web) = (tls, web);
        configuration.store = StoreSettings::Sqlite { path: self.store.clone() };
        configuration.policy.public_url = configuration.public_url.clone();
        configuration.policy.silence_retention = self.retention;
        configuration.policy.dispatch_start_delay = self.start_delay;
        configuration.policy.silences.comment_required = false;
        configuration.facade.original = loaded.original;
        configuration.facade.receivers = loaded.receivers;
        configuration.facade.is_open = true;
        configuration.facade.integrations = integrations(&configuration);
        configuration.facade.route_prefix = self.route_prefix.clone();
        configuration.facade.member = self.member.clone();
        configuration.facade.hash = loaded.hash;
        configuration.facade.inhibition_rules = configuration.policy.inhibit_rules.len();
        configuration.facade.classic_names = self.classic_names;
        configuration.facade.silences_max = self.silences_max;
        configuration.facade.silence_bytes_max = self.silence_bytes_max;
        if let Some(timeout) = self.timeout.filter(|timeout| !timeout.is_zero()) {
            configuration.limits.request_timeout = timeout;
        }
        for source in configuration.sources.values_mut() {
            source.body_bytes_max = BODY_BYTES_MAX;
            source.table.insert("relative_urls".to_owned(), true.into());
            source.table.insert("classic_names".to_owned(), self.classic_names.into());
        }
        Ok(configuration)
    }
}

/// Alertmanager's name for the kind of each sink, without the built-in one that nobody configured.
fn integrations(configuration: &Configuration) -> BTreeMap<String, String> {
    let name = |kind: &str| kind.strip_prefix("alertmanager_").unwrap_or(kind).to_owned();
    let built_in = format!("{LOG_RECEIVER}/");
    let sinks = configuration.sinks.iter().filter(|(sink, _)| !sink.starts_with(&built_in));
    sinks.map(|(sink, settings)| (sink.clone(), name(&settings.kind))).collect()
}

/// This daemon as the one member of its cluster; none where clusters are switched off.
fn member(args: &Args) -> Option<Member> {
    if args.cluster_listen_address.is_empty() {
        return None;
    }
    let advertised = &args.cluster_advertise_address;
    let address = if advertised.is_empty() { &args.cluster_listen_address } else { advertised };
    let name = match args.cluster_peer_name.as_str() {
        "" => Member::draw_name(&host_name(), std::process::id(), Clock::System.now()),
        name => name.to_owned(),
    };
    Some(Member { name, address: address.clone() })
}

fn span(flag: &str, text: &str) -> Result<Span, Failure> {
    let read = alertmanager::read_duration(text);
    read.map_err(|error| Failure::misuse(format!("`--{flag}`: {error}")))
}

/// What `--web.external-url` may be.
fn web_address(text: &str) -> Result<reqwest::Url, Failure> {
    let url = reqwest::Url::parse(text)
        .map_err(|error| Failure::misuse(format!("`--web.external-url`: expected an address: {error}")))?;
    if !["http", "https"].contains(&url.scheme()) {
        let scheme = url.scheme();
        let why = format!("{text:?}: invalid {scheme:?} scheme, only 'http' and 'https' are supported");
        return Err(Failure::misuse(format!("`--web.external-url`: {why}")));
    }
    Ok(url)
}

/// `:9093`, `127.0.0.1:9093`, `localhost:9093`.
fn address(text: &str) -> Result<SocketAddr, Failure> {
    let refused = |why: String| {
        Failure::misuse(format!("`--web.listen-address`: expected an address such as `:9093`, got `{text}`{why}"))
    };
    if let Some(port) = text.strip_prefix(':') {
        let port = port.parse().map_err(|_| refused(String::new()))?;
        return Ok(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port));
    }
    let found = text.to_socket_addrs().map_err(|error| refused(format!(": {error}")))?.next();
    found.ok_or_else(|| refused(String::new()))
}

fn host_name() -> String {
    let name = std::fs::read_to_string(Path::new("/proc/sys/kernel/hostname")).unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::go_duration;

    #[test]
    fn times_are_those_of_gos_flags() {
        for text in ["0", "0s", "1h30m", "1.5s", "100ms", "-1s", "5µs"] {
            assert_eq!(go_duration(text).as_deref(), Ok(text));
        }
        for text in ["", "bogus", "1", "1d", "s", "1h30", "1.2.3s"] {
            assert_eq!(go_duration(text), Err(format!("time: invalid duration {text:?}")));
        }
    }
}
