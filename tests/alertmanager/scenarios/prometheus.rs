//! A real Prometheus sends to both at once, as it does with two replicas: a rule fires and stops, and both
//! receivers hear the same.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::lab::Lab;
use crate::port;
use crate::program::Program;

/// Debian's name for it.
const PROMETHEUS: &str = "/usr/bin/prometheus";
/// Prometheus starts, finds both, scrapes and evaluates.
const HEARD_WITHIN: Duration = Duration::from_secs(60);
/// Scraped and evaluated once a second, a change comes up to two seconds later: well before the next flush.
const ALERTMANAGER: &str = r#"
route: { receiver: page, group_by: [alertname], group_wait: 2s, group_interval: 5s, repeat_interval: 1h }
receivers: [ { name: page, webhook_configs: [ { url: "@/page" } ] } ]
"#;

const RULES: &str = r#"groups:
  - name: beside
    rules:
      - alert: DiskFull
        expr: disk_free == 0
        labels: { severity: critical, team: "{{ $labels.site }}" }
        annotations: { summary: "{{ $labels.instance }} has {{ $value }} bytes left" }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_sends_to_both() {
    let Some(lab) = Lab::start(ALERTMANAGER).await else { return };
    let is_full = Arc::new(AtomicBool::new(true));
    let disks = exporter(Arc::clone(&is_full)).await;
    let directory = tempfile::tempdir().expect("a temporary folder");
    let _prometheus = start(directory.path(), &disks, [lab.reference.port, lab.ours.port]);
    lab.until_both_heard("page", 1, HEARD_WITHIN).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    is_full.store(false, Ordering::Relaxed);
    lab.until_both_heard("page", 2, HEARD_WITHIN).await;
    lab.same("/api/v2/alerts").await;
    // It repeats every second that it is over, for a quarter of an hour; nobody is told again.
    tokio::time::sleep(Duration::from_secs(7)).await;
    lab.agree(&["page: +a +b | -a -b"]).await;
}

/// Two disks, full or not.
async fn exporter(is_full: Arc<AtomicBool>) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("its address").to_string();
    let metrics = move || {
        let free = if is_full.load(Ordering::Relaxed) { 0 } else { 1_000 };
        let mut text = String::new();
        for instance in ["a", "b"] {
            let _ = writeln!(text, "disk_free{{instance=\"{instance}\"}} {free}");
        }
        async { text }
    };
    tokio::spawn(async move {
        axum::serve(listener, Router::new().route("/metrics", get(metrics))).await.expect("it serves until the end");
    });
    address
}

fn start(directory: &Path, target: &str, ports: [u16; 2]) -> Program {
    let [theirs, ours] = ports.map(|port| format!("\"127.0.0.1:{port}\""));
    let configuration = format!(
        r#"global:
  scrape_interval: 1s
  evaluation_interval: 1s
  external_labels: {{ site: fra1 }}
rule_files: [rules.yml]
alerting:
  alertmanagers: [ {{ static_configs: [ {{ targets: [{theirs}, {ours}] }} ] }} ]
scrape_configs:
  - {{ job_name: disks, honor_labels: true, static_configs: [ {{ targets: ["{target}"] }} ] }}
"#
    );
    let file = directory.join("prometheus.yml");
    std::fs::write(&file, configuration).expect("the configuration can be written");
    std::fs::write(directory.join("rules.yml"), RULES).expect("the rules can be written");
    let mut command = Command::new(PROMETHEUS);
    command
        .arg(format!("--config.file={}", file.display()))
        .arg(format!("--storage.tsdb.path={}", directory.join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{}", port::free()))
        .arg("--rules.alert.resend-delay=1s")
        .arg("--log.level=warn");
    Program::run(command, directory)
}
