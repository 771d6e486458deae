//! Every metric with its unit and labels, and how the log is set up. [`Metrics::new`] is the only
//! place that names a metric. Label values are bounded: names from the configuration, status codes
//! and fixed words, never text that a sender chose.

mod alertmanager;

use prometheus::DEFAULT_BUCKETS;
use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

use self::alertmanager::Lines;
use crate::engine::effect::HeartbeatOutcome;
use crate::model::{Priority, Timestamp};

/// All metrics of one daemon, in a registry of their own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub ingest_events: IntCounterVec,
    pub ingest_ends: IntCounterVec,
    pub ingest_invalid: IntCounterVec,
    pub ingest_requests: IntCounterVec,
    pub ingest_repeated: IntCounterVec,
    pub quarantined: IntCounterVec,
    pub queue_depth: IntGauge,
    pub commit_seconds: Histogram,
    pub commit_inputs: Histogram,
    pub deliveries: IntCounterVec,
    pub deliveries_begun: IntCounterVec,
    pub delivery_seconds: HistogramVec,
    pub deliveries_pending: IntGaugeVec,
    pub dead_letters: IntGaugeVec,
    pub oldest_undelivered_seconds: Gauge,
    pub breaker_open: IntGaugeVec,
    pub open_incidents: IntGaugeVec,
    pub incidents_opened: IntCounter,
    pub incidents_muted: IntCounter,
    pub sla_breaches: IntCounter,
    pub clock_ahead_seconds: Gauge,
    pub clock_jumps: IntCounter,
    pub self_check_seconds: Histogram,
    pub self_check_failures: IntCounterVec,
    pub self_check_last_success_timestamp_seconds: Gauge,
    pub heartbeats: IntCounterVec,
    pub heartbeat_beats: IntCounterVec,
    pub heartbeats_missing: IntGauge,
    pub topology_pulls: IntCounterVec,
    pub topology_last_pull_timestamp_seconds: IntGaugeVec,
    /// Only in an Alertmanager's place, and by its names.
    pub http_seconds: HistogramVec,
    pub http_in_flight: IntGaugeVec,
    pub audit_rows: IntGauge,
    pub config_last_reload_successful: IntGauge,
    pub config_last_reload_success_timestamp_seconds: Gauge,
    pub tls_certificate_expires_timestamp_seconds: IntGaugeVec,
}

impl Metrics {
    /// Names end in their unit; `_total` counts, `_seconds` measures, the rest are states. The label
    /// `source` is a source instance, `kind` its system, `sink` a sink instance, `origin` where a topology is from.
    #[rustfmt::skip] // One metric a line reads as the table that it is.
    pub fn new() -> Self {
        let registry = Registry::new();
        let r = &registry;
        let metrics = Self {
            ingest_events: counters(r, "watchbell_ingest_events_total", "Events accepted and durable.", &["source", "kind"]),
            ingest_ends: counters(r, "watchbell_ingest_ends_total", "Ends of alerts among the events accepted.", &["source", "kind"]),
            ingest_invalid: counters(r, "watchbell_ingest_invalid_total", "Alerts that do not fit, in requests of which the rest is taken or in which they are alone.", &["source", "kind"]),
            ingest_requests: counters(r, "watchbell_ingest_requests_total", "Requests to a source by the HTTP status they got.", &["source", "status"]),
            ingest_repeated: counters(r, "watchbell_ingest_repeated_total", "Signed requests that came once more and were answered without being taken again.", &["source"]),
            quarantined: counters(r, "watchbell_quarantined_total", "Bodies that could not be read, or inputs the engine failed on.", &["source"]),
            queue_depth: gauge(r, "watchbell_queue_depth", "Inputs that wait for the writer."),
            commit_seconds: histogram(r, "watchbell_commit_seconds", "Time of one durable commit.", doubling(0.000_1, 15)),
            commit_inputs: histogram(r, "watchbell_commit_inputs", "Inputs that shared one commit.", doubling(1.0, 13)),
            deliveries: counters(r, "watchbell_deliveries_total", "Requests to a sink by what came of them: delivered, advanced (another follows), exhausted, or the kind of failure that is tried again.", &["sink", "outcome"]),
            deliveries_begun: counters(r, "watchbell_deliveries_begun_total", "Deliveries of which a first request was made or is about to be.", &["sink"]),
            delivery_seconds: histograms(r, "watchbell_delivery_seconds", "Time of one send, answer included.", doubling(0.005, 14), &["sink"]),
            deliveries_pending: gauges(r, "watchbell_deliveries_pending", "Deliveries that wait for their turn or their next try.", &["sink"]),
            dead_letters: gauges(r, "watchbell_dead_letters", "Deliveries that were given up and not sent once more since.", &["sink"]),
            oldest_undelivered_seconds: gauge_f64(r, "watchbell_oldest_undelivered_seconds", "Age of the oldest delivery that is due and not delivered; 0 when there is none."),
            breaker_open: gauges(r, "watchbell_breaker_open", "1 while a sink is left alone because it keeps failing.", &["sink"]),
            open_incidents: gauges(r, "watchbell_open_incidents", "Incidents that are open or acknowledged.", &["priority"]),
            incidents_opened: counter(r, "watchbell_incidents_opened_total", "Incidents that were opened."),
            incidents_muted: counter(
                r,
                "watchbell_incidents_muted_total",
                "Times that an incident rang nobody, for a named cause.",
            ),
            sla_breaches: counter(r, "watchbell_sla_breaches_total", "Service level targets that were missed."),
            clock_ahead_seconds: gauge_f64(r, "watchbell_clock_ahead_seconds", "How far our time is ahead of a wall clock that was set back; 0 when it was not."),
            clock_jumps: counter(r, "watchbell_clock_jumps_total", "Times that the wall clock went ahead by a minute or more at once: it was set, or the machine stood still."),
            self_check_seconds: histogram(r, "watchbell_self_check_seconds", "Time of a probe's trip through ingest, commit and outbox.", doubling(0.000_5, 15)),
            self_check_failures: counters(r, "watchbell_self_check_failures_total", "Probes that did not come through, by the stage they were in.", &["stage"]),
            self_check_last_success_timestamp_seconds: gauge_f64(r, "watchbell_self_check_last_success_timestamp_seconds", "When a probe last came through, Unix time; 0 before the first."),
            heartbeats: counters(r, "watchbell_heartbeats_total", "Heartbeats by what came of them: sent, withheld (the self check does not pass), or the kind of failure.", &["outcome"]),
            heartbeat_beats: counters(r, "watchbell_heartbeat_beats_total", "Expected heartbeats by what came: alive, failed (alive, and says that it failed), or missed (nothing in time).", &["outcome"]),
            heartbeats_missing: gauge(r, "watchbell_heartbeats_missing", "Expected heartbeats that are missing."),
            topology_pulls: counters(r, "watchbell_topology_pulls_total", "Pulls of another system's topology by what came of them: changed, unchanged, or the kind of failure.", &["origin", "outcome"]),
            topology_last_pull_timestamp_seconds: gauges(r, "watchbell_topology_last_pull_timestamp_seconds", "When another system's topology was last pulled, Unix time; absent before the first time.", &["origin"]),
            http_seconds: histograms(r, "alertmanager_http_request_duration_seconds", "Time of HTTP requests.", DEFAULT_BUCKETS.to_vec(), &["code", "handler", "method"]),
            http_in_flight: gauges(r, "alertmanager_http_requests_in_flight", "HTTP requests being answered.", &["method"]),
            audit_rows: gauge(r, "watchbell_audit_rows", "Rows of the audit log; it only grows, so a fall means that its end was cut off."),
            config_last_reload_successful: gauge(r, "watchbell_config_last_reload_successful", "1 when the last load of the configuration took effect, 0 when it was refused."),
            config_last_reload_success_timestamp_seconds: gauge_f64(r, "watchbell_config_last_reload_success_timestamp_seconds", "When a configuration last took effect, Unix time."),
            tls_certificate_expires_timestamp_seconds: gauges(r, "watchbell_tls_certificate_expires_timestamp_seconds", "Until when the certificate of the listener is valid, Unix time; absent without TLS.", &[]),
            registry: registry.clone(),
        };
        gauges(r, "watchbell_build_info", "Always 1; the label says which version runs.", &["version"])
            .with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        for priority in Priority::ALL {
            metrics.open_incidents.with_label_values(&[priority.as_str()]).set(0);
        }
        for outcome in HeartbeatOutcome::ALL {
            metrics.heartbeat_beats.with_label_values(&[outcome.as_str()]);
        }
        metrics
    }

    /// All of them, to be shown under other names.
    pub fn families(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// Records what a load of the configuration led to, the one at start included.
    pub fn reloaded(&self, is_successful: bool, at: Timestamp) {
        self.config_last_reload_successful.set(i64::from(is_successful));
        if is_successful {
            self.config_last_reload_success_timestamp_seconds.set(at.as_millis() as f64 / 1_000.0);
        }
    }

    /// Records until when the certificate in force is valid; none without TLS.
    pub fn certificate_expires(&self, at: Option<Timestamp>) {
        match at {
            Some(at) => self
                .tls_certificate_expires_timestamp_seconds
                .with_label_values(&[] as &[&str])
                .set(at.as_millis() / 1_000),
            None => self.tls_certificate_expires_timestamp_seconds.reset(),
        }
    }

    /// Records that a topology was pulled.
    pub fn topology_pulled(&self, origin: &str, at: Timestamp) {
        self.topology_last_pull_timestamp_seconds.with_label_values(&[origin]).set(at.as_millis() / 1_000);
    }

    /// Forgets when a topology was pulled that is not pulled any more.
    pub fn topology_removed(&self, origin: &str) {
        // An error only says that it never was.
        let _ = self.topology_last_pull_timestamp_seconds.remove_label_values(&[origin]);
    }

    /// Prometheus' text format.
    ///
    /// # Errors
    /// When a metric cannot be written as text; no metric made here leads to that.
    pub fn render(&self) -> Result<String, prometheus::Error> {
        let mut text = String::with_capacity(16 * 1_024);
        TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// `count` bounds, each twice the one before.
fn doubling(first: f64, count: i32) -> Vec<f64> {
    (0..count).map(|power| first * 2f64.powi(power)).collect()
}

/// Names and labels are constants of this file, so a refusal is a mistake here that every test meets.
fn register<C: Collector + Clone + 'static>(registry: &Registry, made: Result<C, prometheus::Error>) -> C {
    let collector = made.expect("a metric of this file has a valid name and valid labels");
    registry.register(Box::new(collector.clone())).expect("a metric of this file is named once");
    collector
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    register(registry, IntCounter::new(name, help))
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    register(registry, IntGauge::new(name, help))
}

fn gauge_f64(registry: &Registry, name: &str, help: &str) -> Gauge {
    register(registry, Gauge::new(name, help))
}

fn gauges(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    register(registry, IntGaugeVec::new(Opts::new(name, help), labels))
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: Vec<f64>) -> Histogram {
    register(registry, Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets)))
}

fn histograms(registry: &Registry, name: &str, help: &str, buckets: Vec<f64>, labels: &[&str]) -> HistogramVec {
    register(registry, HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets), labels))
}

/// Filter of the log in the syntax of `tracing` (`info`, `watchbell::http=debug`).
pub const LOG_VARIABLE: &str = "WATCHBELL_LOG";
/// What the log says when [`LOG_VARIABLE`] is not set.
pub const DEFAULT_FILTER: &str = "info";
/// `json` or `human`, the default.
pub const LOG_FORMAT_VARIABLE: &str = "WATCHBELL_LOG_FORMAT";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Human,
    /// One object a line.
    Json,
    /// As Alertmanager does, `time=… level=INFO source=… msg=…`.
    AlertmanagerLogfmt,
    /// The same keys in one object a line.
    AlertmanagerJson,
}

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("`{LOG_FORMAT_VARIABLE}`: expected `human` or `json`, got `{got}`")]
    Format { got: String },
    #[error("`{LOG_VARIABLE}`: expected a filter such as `info` or `watchbell::http=debug`, got `{got}`")]
    Filter { got: String, source: tracing_subscriber::filter::ParseError },
    #[error("cannot set up the log")]
    SetUp { source: Box<dyn std::error::Error + Send + Sync> },
}

impl LogFormat {
    /// Reads [`LOG_FORMAT_VARIABLE`].
    ///
    /// # Errors
    /// When it holds another word.
    pub fn from_environment() -> Result<Self, LogError> {
        Self::parse(&std::env::var(LOG_FORMAT_VARIABLE).unwrap_or_default())
    }

    fn parse(text: &str) -> Result<Self, LogError> {
        match text.trim().to_ascii_lowercase().as_str() {
            "" | "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err(LogError::Format { got: text.chars().take(80).collect() }),
        }
    }
}

/// Sends the log to stderr: stdout belongs to data. `default` is the filter when the variable is not set.
///
/// # Errors
/// When the filter cannot be read, or when a log was set up before.
pub fn init_logging(format: LogFormat, default: &str) -> Result<(), LogError> {
    let filter = filter(&std::env::var(LOG_VARIABLE).unwrap_or_default(), default)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init(),
        LogFormat::Human => builder.with_ansi(is_coloured()).try_init(),
        LogFormat::AlertmanagerLogfmt => builder.with_ansi(false).event_format(Lines { is_json: false }).try_init(),
        LogFormat::AlertmanagerJson => builder.with_ansi(false).event_format(Lines { is_json: true }).try_init(),
    }
    .map_err(|source| LogError::SetUp { source })
}

fn filter(text: &str, default: &str) -> Result<EnvFilter, LogError> {
    let wanted = if text.trim().is_empty() { default } else { text };
    EnvFilter::builder()
        .parse(wanted)
        .map_err(|source| LogError::Filter { got: text.chars().take(80).collect(), source })
}

/// <https://no-color.org> (read 2026-11-21): set and not empty means no colour.
fn is_coloured() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_every_unlabelled_metric_from_the_start() {
        let metrics = Metrics::new();
        metrics.reloaded(true, Timestamp::from_millis(1_500));
        metrics.reloaded(false, Timestamp::from_millis(9_000));
        let text = metrics.render().unwrap();
        let shown: Vec<&str> =
            text.lines().filter(|line| !line.starts_with('#') && !line.contains("_bucket")).collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        watchbell_audit_rows 0
        watchbell_build_info{version="0.1.0"} 1
        watchbell_clock_ahead_seconds 0
        watchbell_clock_jumps_total 0
        watchbell_commit_inputs_sum 0
        watchbell_commit_inputs_count 0
        watchbell_commit_seconds_sum 0
        watchbell_commit_seconds_count 0
        watchbell_config_last_reload_success_timestamp_seconds 1.5
        watchbell_config_last_reload_successful 0
        watchbell_heartbeat_beats_total{outcome="alive"} 0
        watchbell_heartbeat_beats_total{outcome="failed"} 0
        watchbell_heartbeat_beats_total{outcome="missed"} 0
        watchbell_heartbeats_missing 0
        watchbell_incidents_muted_total 0
        watchbell_incidents_opened_total 0
        watchbell_oldest_undelivered_seconds 0
        watchbell_open_incidents{priority="P1"} 0
        watchbell_open_incidents{priority="P2"} 0
        watchbell_open_incidents{priority="P3"} 0
        watchbell_open_incidents{priority="P4"} 0
        watchbell_open_incidents{priority="P5"} 0
        watchbell_queue_depth 0
        watchbell_self_check_last_success_timestamp_seconds 0
        watchbell_self_check_seconds_sum 0
        watchbell_self_check_seconds_count 0
        watchbell_sla_breaches_total 0
        "#);
    }

    #[test]
    fn log_settings_name_the_variable_and_what_fits() {
        assert_eq!(LogFormat::parse("JSON").unwrap(), LogFormat::Json);
        assert_eq!(LogFormat::parse("").unwrap(), LogFormat::Human);
        insta::assert_snapshot!(LogFormat::parse("xml").unwrap_err(), @"`WATCHBELL_LOG_FORMAT`: expected `human` or `json`, got `xml`");
        assert!(filter("watchbell::http=debug", "info").is_ok() && filter("", "info").is_ok());
        insta::assert_snapshot!(filter("a=b=c", "info").unwrap_err(), @"`WATCHBELL_LOG`: expected a filter such as `info` or `watchbell::http=debug`, got `a=b=c`");
    }
}
