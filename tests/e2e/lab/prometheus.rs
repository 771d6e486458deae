//! Prometheus, and optionally a real Alertmanager between it and Watchbell.
//!
//! Uses `config/examples/prometheus.yml` or `config/examples/alertmanager.yml`.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::daemon::Daemon;
use super::exporter::Exporter;
use super::plant::{self, Plant};
use super::process::{self, Launch, Process};
use super::{PATIENCE, example, http, port, until};

/// How alerts get from Prometheus to Watchbell.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Watchbell is Prometheus' Alertmanager.
    Direct,
    /// A real Alertmanager calls Watchbell's webhook.
    Alertmanager,
}

/// Fields end in the order in which they are declared.
pub struct Prometheus {
    url: String,
    prometheus: Process,
    _alertmanager: Option<Process>,
    _exporter: Exporter,
}

impl Prometheus {
    pub async fn start(directory: &Path, plant: &Plant, daemon: &Daemon, via: Via) -> Self {
        process::make_directory(directory);
        let exporter = Exporter::start(plant).await;
        let (alerting, alertmanager) = match via {
            Via::Direct => (straight_to(daemon), None),
            Via::Alertmanager => {
                let (address, process) = start_alertmanager(directory, daemon).await;
                (through(&address), Some(process))
            }
        };
        let address = format!("127.0.0.1:{}", port::free());
        let configuration = directory.join("prometheus.yml");
        process::write(&directory.join("rules.yml"), RULES);
        process::write(&configuration, &format!("{alerting}\n{}", scraping(&exporter.address)));
        let mut command = Command::new("prometheus");
        command
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
            .arg(format!("--web.listen-address={address}"));
        let mut monitor = Self {
            url: format!("http://{address}"),
            prometheus: Process::start(
                Launch { name: "prometheus", command, stop_signal: "TERM", logs: Vec::new() },
                directory,
            ),
            _alertmanager: alertmanager,
            _exporter: exporter,
        };
        until("Prometheus watches everything", PATIENCE, async || {
            monitor.prometheus.check_alive();
            monitor.is_watching().await
        })
        .await;
        monitor
    }

    /// The objects with a firing alert.
    ///
    /// # Errors
    /// Says so when Prometheus does not answer.
    pub async fn broken(&self) -> Result<BTreeSet<String>, String> {
        let answer = http::get(&format!("{}/api/v1/alerts", self.url)).await?;
        let alerts = answer["data"]["alerts"].as_array().ok_or("no list of alerts")?;
        Ok(alerts
            .iter()
            .filter(|alert| alert["state"] == "firing")
            .filter_map(|alert| object_of(&alert["labels"]))
            .collect())
    }

    /// Whether every target was scraped and the alerts have somewhere to go: what fires
    /// before Prometheus has found its Alertmanager is dropped.
    async fn is_watching(&self) -> Result<(), String> {
        let receivers = http::get(&format!("{}/api/v1/alertmanagers", self.url)).await?;
        if receivers["data"]["activeAlertmanagers"][0].is_null() {
            return Err("no Alertmanager found yet".to_owned());
        }
        let query = "query=count(probe_success%20%3D%3D%201)";
        let answer = http::get(&format!("{}/api/v1/query?{query}", self.url)).await?;
        let healthy = answer["data"]["result"][0]["value"][1].as_str().unwrap_or("0");
        let expected = (plant::HOSTS.len() + plant::SERVICES.len()).to_string();
        match healthy == expected {
            true => Ok(()),
            false => Err(format!("{healthy} of {expected} targets are healthy")),
        }
    }
}

/// The object that an alert is about; an aggregate names none.
fn object_of(labels: &Value) -> Option<String> {
    let host = labels["host"].as_str()?;
    Some(match labels["service"].as_str() {
        Some(service) => format!("{host}.{service}"),
        None => host.to_owned(),
    })
}

async fn start_alertmanager(directory: &Path, daemon: &Daemon) -> (String, Process) {
    let address = format!("127.0.0.1:{}", port::free());
    let token = daemon.token_file("lab-alertmanager");
    let configuration = directory.join("alertmanager.yml");
    process::write(
        &configuration,
        &example::load(
            "alertmanager.yml",
            &[
                ("http://127.0.0.1:9494/in/alertmanager/main", &daemon.inbound("alertmanager", "lab-alertmanager")),
                ("/etc/watchbell/alertmanager.token", &token.display().to_string()),
                ("group_wait: 5s", "group_wait: 1s"),
                ("group_interval: 10s", "group_interval: 1s"),
            ],
        ),
    );
    let mut command = Command::new("prometheus-alertmanager");
    command
        .arg(format!("--config.file={}", configuration.display()))
        .arg(format!("--storage.path={}", directory.join("alerts").display()))
        .arg(format!("--web.listen-address={address}"))
        // One alone: it would otherwise look for the others of its cluster.
        .arg("--cluster.listen-address=");
    let mut process =
        Process::start(Launch { name: "alertmanager", command, stop_signal: "TERM", logs: Vec::new() }, directory);
    let ready = format!("http://{address}/-/ready");
    until("Alertmanager is ready", PATIENCE, async || {
        process.check_alive();
        http::answers(&ready).await
    })
    .await;
    (address, process)
}

/// The example: Watchbell in the place of an Alertmanager.
fn straight_to(daemon: &Daemon) -> String {
    example::load(
        "prometheus.yml",
        &[
            ("[127.0.0.1:9494]", &format!("[\"{}\"]", daemon.address)),
            ("/etc/watchbell/prometheus.token", &daemon.token_file("prometheus").display().to_string()),
        ],
    )
}

fn through(alertmanager: &str) -> String {
    format!(
        "alerting:
  alertmanagers:
    - static_configs:
        - targets: [\"{alertmanager}\"]
"
    )
}

fn scraping(exporter: &str) -> String {
    let mut text = String::from(
        "global:
  scrape_interval: 1s
  evaluation_interval: 1s
  external_labels: { site: lab1 }
rule_files: [rules.yml]
scrape_configs:
",
    );
    let hosts = plant::HOSTS.iter().map(|host| {
        let labels = format!("host: {}, role: {}", host.name, host.role);
        (host.name.to_owned(), labels)
    });
    let services = plant::SERVICES.iter().map(|service| {
        let labels = format!("host: {}, service: {}", service.host, service.name);
        (service.object(), labels)
    });
    text += &job("hosts", exporter, hosts);
    text += &job("services", exporter, services);
    text
}

/// Asks the exporter about one object at a time. As usual, `instance` is a host with a port.
fn job(name: &str, exporter: &str, targets: impl Iterator<Item = (String, String)>) -> String {
    let mut text = format!(
        "  - job_name: {name}
    metrics_path: /probe
    relabel_configs:
      - {{ source_labels: [__address__], target_label: __param_target }}
      - {{ source_labels: [host], target_label: instance, replacement: \"$1:9100\" }}
      - {{ target_label: __address__, replacement: \"{exporter}\" }}
    static_configs:
"
    );
    for (target, labels) in targets {
        text += &format!("      - {{ targets: [{target}], labels: {{ {labels} }} }}\n");
    }
    text
}

const RULES: &str = r#"groups:
  - name: lab
    rules:
      - alert: HostDown
        expr: probe_success{job="hosts"} == 0
        for: 1s
        labels: { severity: critical }
        annotations:
          summary: "Host {{ $labels.host }} does not answer"
      - alert: ServiceDown
        expr: probe_success{job="services"} == 0
        for: 1s
        labels: { severity: critical }
        annotations:
          summary: "Service {{ $labels.service }} on {{ $labels.host }} does not answer"
      - alert: WebTierDown
        expr: sum(probe_success{job="hosts", role="web"}) == 0
        for: 1s
        labels: { severity: critical, role: web }
        annotations:
          summary: "No web server answers"
"#;
