//! Watchbell itself, as an operator runs it: a configuration file and `watchbell run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::process::{self, Launch, Process};
use super::{PATIENCE, http, plant, port, until};

const READY_WITHIN: Duration = Duration::from_secs(20);

/// The daemon with its configuration, store and tokens.
pub struct Daemon {
    directory: PathBuf,
    /// Where monitors and tests reach it, `http://127.0.0.1:<port>`.
    pub url: String,
    /// The same without the scheme.
    pub address: String,
    /// A copy that other accounts may execute, wherever the project was built.
    pub program: PathBuf,
    process: Option<Process>,
}

impl Daemon {
    /// Starts with an empty store, sending everything to `receiver_url`.
    pub async fn start(directory: &Path, receiver_url: String) -> Self {
        process::make_directory(directory);
        let address = format!("127.0.0.1:{}", port::free());
        let mut daemon = Self {
            directory: directory.to_path_buf(),
            url: format!("http://{address}"),
            address,
            program: directory.join("watchbell"),
            process: None,
        };
        share_program(&daemon.program);
        process::write(&directory.join("topology.yaml"), &topology());
        process::write(&directory.join("watchbell.yaml"), &configuration(&daemon, &receiver_url));
        daemon.start_again().await;
        daemon
    }

    /// Starts with whatever the store holds, on the same address.
    pub async fn start_again(&mut self) {
        let mut command = Command::new(&self.program);
        command.args(["run", "--config"]).arg(self.directory.join("watchbell.yaml"));
        let mut process = Process::start(
            Launch { name: "watchbell", command, stop_signal: "TERM", logs: Vec::new() },
            &self.directory,
        );
        let ready = format!("{}/-/ready", self.url);
        until("Watchbell is ready", READY_WITHIN, async || {
            process.check_alive();
            http::answers(&ready).await
        })
        .await;
        self.process = Some(process);
    }

    /// Ends the daemon as an operator would; the store stays.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Where a monitor posts to: `/in/<kind>/<instance>`.
    pub fn inbound(&self, kind: &str, instance: &str) -> String {
        format!("{}/in/{kind}/{instance}", self.url)
    }

    /// Forgets what was written of the plant and asks Zabbix for it, from a reload on; ends once it was told.
    pub async fn pulls_topology(&self, frontend: &str, token: &str) {
        let file = self.directory.join("watchbell.yaml");
        let written = format!("topology: {{ files: [{}/topology.yaml] }}", self.directory.display());
        let asked = format!(
            "topology: {{ zabbix: {{ lab: {{ url: \"{frontend}\", token: {token}, allow_private: true }} }} }}"
        );
        let configuration = fs::read_to_string(&file).expect("read the configuration");
        assert!(configuration.contains(&written), "the topology is written in another way: {configuration}");
        process::write(&file, &configuration.replace(&written, &asked));
        http::command(&format!("{}/-/reload", self.url)).await.expect("reload");
        let metrics = format!("{}/metrics", self.url);
        let pulled = r#"watchbell_topology_pulls_total{origin="zabbix/lab",outcome="changed"} 1"#;
        until("the topology is pulled", PATIENCE, async || {
            let text = http::get_text(&metrics).await?;
            let pulls = text.lines().filter(|line| line.starts_with("watchbell_topology_pulls_total"));
            match text.contains(pulled) {
                true => Ok(()),
                false => Err(pulls.collect::<Vec<_>>().join("; ")),
            }
        })
        .await;
    }

    /// What depends on what, as one origin has told it.
    pub async fn dependencies(&self, origin: &str) -> Vec<String> {
        let url = format!("{}/api/v1/topology/origins/{}", self.url, origin.replace('/', "%2F"));
        let told = http::get(&url).await.expect("the origin is known");
        let edges = told["edges"].as_array().into_iter().flatten().filter(|edge| edge["kind"] == "depends_on");
        let name = |edge: &Value, end: &str| edge[end].as_str().unwrap_or_default().to_owned();
        edges.map(|edge| format!("{} -> {}", name(edge, "from"), name(edge, "to"))).collect()
    }

    /// A file with the token of one source, as a monitor on the same machine would read it.
    pub fn token_file(&self, source: &str) -> PathBuf {
        let path = self.directory.join(format!("{source}.token"));
        process::write(&path, &token(source));
        process::make_accessible(&path, 0o644);
        path
    }

    /// The incidents in one state, newest or oldest first as the API has it.
    pub async fn incidents(&self, state: &str) -> Result<Vec<Value>, String> {
        let url = format!("{}/api/v1/incidents?state={state}", self.url);
        let page = http::get(&url).await?;
        page["items"].as_array().cloned().ok_or_else(|| format!("{url}: no `items` in {page}"))
    }

    pub async fn incident(&self, id: &str) -> Result<Value, String> {
        http::get(&format!("{}/api/v1/incidents/{id}", self.url)).await
    }

    /// The hosts that the open incidents blame, sorted.
    pub async fn open_root_causes(&self) -> Result<Vec<String>, String> {
        let mut names: Vec<String> =
            self.incidents("open").await?.iter().map(|incident| host_of(root_cause(incident)).to_owned()).collect();
        names.sort();
        Ok(names)
    }

    /// Waits until there is exactly one open incident for each of these hosts.
    pub async fn opens(&self, hosts: &[&str], within: Duration) {
        until("the open incidents are the expected ones", within, async || {
            let open = self.open_root_causes().await?;
            match open == hosts {
                true => Ok(()),
                false => Err(format!("open are {open:?}, expected {hosts:?}")),
            }
        })
        .await;
    }

    /// Waits until no incident is open any more.
    pub async fn resolves_all(&self) {
        self.opens(&[], PATIENCE).await;
    }
}

/// The configuration item that an incident blames.
pub fn root_cause(incident: &Value) -> &str {
    incident["root_cause"]["configuration_item"].as_str().unwrap_or("none")
}

/// The host part of a configuration item: a service on a host may be an item of its own.
fn host_of(configuration_item: &str) -> &str {
    configuration_item.split(['.', '/', ':', '!', ' ']).next().unwrap_or(configuration_item)
}

/// The token of a source. Nothing outside the lab knows or accepts it.
pub fn token(source: &str) -> String {
    format!("token-of-{source}-in-the-lab")
}

/// Puts the tested binary where monitors under other accounts can execute it: the target
/// directory may lie in a home directory that is closed to them.
fn share_program(to: &Path) {
    let built = Path::new(env!("CARGO_BIN_EXE_watchbell"));
    if fs::hard_link(built, to).is_err() {
        fs::copy(built, to).expect("copy the watchbell binary");
    }
}

fn configuration(daemon: &Daemon, receiver_url: &str) -> String {
    let directory = daemon.directory.display();
    let address = &daemon.address;
    let sources: String = [
        ("lab-nagios", "nagios"),
        ("lab-zabbix", "zabbix"),
        ("prometheus", "prometheus"),
        ("lab-alertmanager", "alertmanager"),
    ]
    .iter()
    .map(|(name, kind)| format!("  {name}: {{ kind: {kind}, token: \"{}\" }}\n", token(name)))
    .collect();
    format!(
        r#"listen: {address}
store: {{ sqlite: {{ path: {directory}/watchbell.db }} }}
sources:
{sources}topology: {{ files: [{directory}/topology.yaml] }}
services:
  shop:
    tier: 1
    matchers: ['configuration_item=~"(rtr1|web1|web2|db1).*"']
receivers:
  ops:
    sinks:
      - kind: webhook
        url: "{receiver_url}"
        allow_private: true
        secret: "whsec_d2F0Y2hiZWxsLWVuZC10by1lbmQtbGFi"
route: {{ receiver: ops }}
"#
    )
}

fn topology() -> String {
    let mut text = String::from("nodes:\n");
    for host in &plant::HOSTS {
        let kind = if host.role == "router" { "router" } else { "host" };
        let service = match host.role {
            "monitoring" => "",
            _ => ", service: shop, tier: 1",
        };
        text += &format!("  - {{ id: {}, kind: {kind}{service} }}\n", host.name);
    }
    text += "edges:\n";
    for host in &plant::HOSTS {
        if let Some(router) = host.behind {
            text += &format!("  - {{ from: {}, to: {router}, kind: depends_on }}\n", host.name);
        }
    }
    text
}
