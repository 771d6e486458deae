//! The metrics by which people watch an Alertmanager, under its names, so that dashboards, alert rules and karma go on
//! working. Each is made of one of ours or of a look at the state; what has no counterpart here is left out.

use prometheus::proto::{MetricFamily, MetricType};
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::status::{Facade, REVISION, VERSION};
use crate::engine::dispatch::listing::Counts;
use crate::http::App;

/// Behind our own. When the state cannot be asked, the numbers that come from it are missing, as a scrape shows.
pub async fn append(app: &App, text: &mut String) {
    let facade = app.facade();
    let now = app.clock.now();
    let counts = app.driver.look(move |state| Counts::of(state, now)).await.ok();
    let families = app.metrics.families();
    let mut page = Page { text, families: &families };
    page.about(&facade);
    if let Some(counts) = counts {
        page.state(&counts);
    }
    page.inbound();
    page.outbound(&facade);
}

struct Page<'a> {
    text: &'a mut String,
    families: &'a [MetricFamily],
}

impl Page<'_> {
    fn about(&mut self, facade: &Facade) {
        let build = format!("{{branch=\"\",goversion=\"\",revision=\"{REVISION}\",version=\"{VERSION}\"}}");
        self.one(
            "alertmanager_build_info",
            "gauge",
            "Always 1; which Alertmanager this stands in for, and who it is.",
            &[(build, 1.0)],
        );
        let success = self.sum("watchbell_config_last_reload_successful");
        self.one(
            "alertmanager_config_last_reload_successful",
            "gauge",
            "Whether the last load of the configuration took effect.",
            &[(String::new(), success)],
        );
        let at = self.sum("watchbell_config_last_reload_success_timestamp_seconds");
        self.one(
            "alertmanager_config_last_reload_success_timestamp_seconds",
            "gauge",
            "When a configuration last took effect.",
            &[(String::new(), at)],
        );
        // Six bytes, as there: more do not survive a float.
        let hash = facade.hash.0 & 0xffff_ffff_ffff;
        self.one(
            "alertmanager_config_hash",
            "gauge",
            "Hash of the configuration in force.",
            &[(String::new(), hash as f64)],
        );
        self.one(
            "alertmanager_receivers",
            "gauge",
            "Receivers of the configuration.",
            &[(String::new(), facade.receivers.len() as f64)],
        );
        self.one(
            "alertmanager_integrations",
            "gauge",
            "Integrations of the configuration.",
            &[(String::new(), facade.integrations.len() as f64)],
        );
        self.one(
            "alertmanager_inhibition_rules",
            "gauge",
            "Inhibition rules of the configuration.",
            &[(String::new(), facade.inhibition_rules as f64)],
        );
        let is_member = f64::from(u8::from(facade.member.is_some()));
        self.one(
            "alertmanager_cluster_enabled",
            "gauge",
            "Whether it is part of a cluster.",
            &[(String::new(), is_member)],
        );
        if facade.member.is_some() {
            self.one(
                "alertmanager_cluster_members",
                "gauge",
                "Members of the cluster, itself included.",
                &[(String::new(), 1.0)],
            );
            self.one("alertmanager_peer_position", "gauge", "Its place among the members.", &[(String::new(), 0.0)]);
        }
    }

    fn state(&mut self, counts: &Counts) {
        let states = [("active", counts.active), ("suppressed", counts.suppressed), ("unprocessed", 0)];
        self.one("alertmanager_alerts", "gauge", "Alerts by state.", &by("state", &states));
        let silences = [
            ("active", counts.silences_active),
            ("expired", counts.silences_expired),
            ("pending", counts.silences_pending),
        ];
        self.one("alertmanager_silences", "gauge", "Silences by state.", &by("state", &silences));
        self.one(
            "alertmanager_dispatcher_aggregation_groups",
            "gauge",
            "Groups of alerts.",
            &[(String::new(), counts.groups as f64)],
        );
    }

    fn inbound(&mut self) {
        let all = self.of_prometheus("watchbell_ingest_events_total");
        let ends = self.of_prometheus("watchbell_ingest_ends_total");
        let invalid = self.of_prometheus("watchbell_ingest_invalid_total");
        let received = [
            ("{status=\"firing\",version=\"v2\"}".to_owned(), all - ends + invalid),
            ("{status=\"resolved\",version=\"v2\"}".to_owned(), ends),
        ];
        self.one("alertmanager_alerts_received_total", "counter", "Alerts received.", &received);
        self.one(
            "alertmanager_alerts_invalid_total",
            "counter",
            "Alerts that could not be read.",
            &[("{version=\"v2\"}".to_owned(), invalid)],
        );
    }

    fn outbound(&mut self, facade: &Facade) {
        let outcomes = self.outcomes(facade);
        let of = |pick: fn(&Outcomes) -> f64| -> Vec<(String, f64)> {
            outcomes.iter().map(|(integration, outcomes)| (integration_label(integration), pick(outcomes))).collect()
        };
        self.one(
            "alertmanager_notifications_total",
            "counter",
            "Notifications that were to be sent.",
            &of(|one| one.begun),
        );
        let failed: Vec<(String, f64)> = outcomes
            .iter()
            .map(|(integration, outcomes)| {
                (format!("{{integration=\"{integration}\",reason=\"other\"}}"), outcomes.exhausted)
            })
            .collect();
        self.one("alertmanager_notifications_failed_total", "counter", "Notifications that were given up.", &failed);
        self.one(
            "alertmanager_notification_requests_total",
            "counter",
            "Requests to receivers.",
            &of(|one| one.delivered + one.exhausted + one.failed),
        );
        self.one(
            "alertmanager_notification_requests_failed_total",
            "counter",
            "Requests to receivers that failed.",
            &of(|one| one.exhausted + one.failed),
        );
        self.latency(facade);
    }

    /// What came of sends, by integration; each that is configured is there from the start.
    fn outcomes(&self, facade: &Facade) -> BTreeMap<String, Outcomes> {
        let mut outcomes: BTreeMap<String, Outcomes> =
            facade.integrations.values().map(|integration| (integration.clone(), Outcomes::default())).collect();
        for metric in self.family("watchbell_deliveries_total").into_iter().flat_map(MetricFamily::get_metric) {
            let label =
                |name: &str| metric.get_label().iter().find(|pair| pair.name() == name).map_or("", |pair| pair.value());
            let Some(integration) = facade.integrations.get(label("sink")) else { continue };
            let one = outcomes.entry(integration.clone()).or_default();
            let count = metric.get_counter().get_value();
            match label("outcome") {
                "delivered" => one.delivered += count,
                "exhausted" => one.exhausted += count,
                "advanced" | "superseded" => {}
                _ => one.failed += count,
            }
        }
        for metric in self.family("watchbell_deliveries_begun_total").into_iter().flat_map(MetricFamily::get_metric) {
            let sink = metric.get_label().iter().find(|pair| pair.name() == "sink").map_or("", |pair| pair.value());
            if let Some(integration) = facade.integrations.get(sink) {
                outcomes.entry(integration.clone()).or_default().begun += metric.get_counter().get_value();
            }
        }
        outcomes
    }

    fn latency(&mut self, facade: &Facade) {
        let name = "alertmanager_notification_latency_seconds";
        let mut by_integration: BTreeMap<&str, Latency> = BTreeMap::new();
        let family = self.family("watchbell_delivery_seconds");
        for metric in family.into_iter().flat_map(MetricFamily::get_metric) {
            let sink = metric.get_label().iter().find(|pair| pair.name() == "sink").map_or("", |pair| pair.value());
            let Some(integration) = facade.integrations.get(sink) else { continue };
            let latency = by_integration.entry(integration).or_default();
            let histogram = metric.get_histogram();
            for bucket in histogram.get_bucket() {
                let entry = latency.buckets.entry(bucket.upper_bound().to_bits()).or_insert((bucket.upper_bound(), 0));
                entry.1 += bucket.cumulative_count();
            }
            latency.sum += histogram.get_sample_sum();
            latency.count += histogram.get_sample_count();
        }
        self.head(name, "histogram", "Time of a request to a receiver.");
        for (integration, Latency { buckets, sum, count }) in by_integration {
            for (bound, seen) in buckets.into_values() {
                self.line(
                    &format!("{name}_bucket"),
                    &format!("{{integration=\"{integration}\",le=\"{bound}\"}}"),
                    seen as f64,
                );
            }
            self.line(
                &format!("{name}_bucket"),
                &format!("{{integration=\"{integration}\",le=\"+Inf\"}}"),
                count as f64,
            );
            self.line(&format!("{name}_sum"), &integration_label(integration), sum);
            self.line(&format!("{name}_count"), &integration_label(integration), count as f64);
        }
    }

    /// Without what Watchbell sends itself to see that it works.
    fn of_prometheus(&self, name: &str) -> f64 {
        let metrics = self.family(name).into_iter().flat_map(MetricFamily::get_metric);
        let is_theirs = |metric: &&prometheus::proto::Metric| {
            metric.get_label().iter().any(|pair| pair.name() == "kind" && pair.value() == "prometheus")
        };
        metrics.filter(is_theirs).map(|metric| metric.get_counter().get_value()).sum()
    }

    fn family(&self, name: &str) -> Option<&MetricFamily> {
        self.families.iter().find(|family| family.name() == name)
    }

    /// Over all labels.
    fn sum(&self, name: &str) -> f64 {
        let Some(family) = self.family(name) else { return 0.0 };
        let is_counter = family.get_field_type() == MetricType::COUNTER;
        family
            .get_metric()
            .iter()
            .map(|metric| if is_counter { metric.get_counter().get_value() } else { metric.get_gauge().get_value() })
            .sum()
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, samples: &[(String, f64)]) {
        self.head(name, kind, help);
        for (labels, value) in samples {
            self.line(name, labels, *value);
        }
    }

    fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &str, value: f64) {
        let _ = writeln!(self.text, "{name}{labels} {value}");
    }
}

/// The times of requests to all sinks of an integration.
#[derive(Default)]
struct Latency {
    /// Bound and how many were not longer, by the bound's bits.
    buckets: BTreeMap<u64, (f64, u64)>,
    sum: f64,
    count: u64,
}

#[derive(Default)]
struct Outcomes {
    begun: f64,
    delivered: f64,
    exhausted: f64,
    failed: f64,
}

fn integration_label(integration: &str) -> String {
    format!("{{integration=\"{integration}\"}}")
}

fn by(label: &str, values: &[(&str, usize)]) -> Vec<(String, f64)> {
    values.iter().map(|(value, count)| (format!("{{{label}=\"{value}\"}}"), *count as f64)).collect()
}
