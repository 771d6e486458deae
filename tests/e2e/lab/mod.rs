//! A lab: the monitors, Watchbell and the receiver of one scenario, and how they meet.
//!
//! ```text
//!            ┌─ Nagios ──── watchbell send ─┐
//! state ─────┼─ Zabbix ──── webhook ────────┼──▶ Watchbell ──▶ Receiver
//! files      └─ Prometheus ─ (Alertmanager) ┘
//! ```
//!
//! Everything lives below one temporary directory and ends when the [`Lab`] is dropped,
//! also when the scenario panics; then the ends of all logs are printed.

mod daemon;
mod example;
mod exporter;
mod guard;
mod http;
mod nagios;
mod plant;
mod port;
mod postgres;
mod process;
mod prometheus;
mod receiver;
mod zabbix;
mod zabbix_api;
mod zabbix_server;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use daemon::Daemon;
pub use nagios::{Macros, Nagios};
pub use plant::Plant;
pub use prometheus::{Prometheus, Via};
pub use receiver::{Behaviour, Receiver, Recorded};
pub use zabbix::Zabbix;

/// How long a monitor may take to come up or to notice a fault on a busy machine.
///
/// Zabbix loads its schema on the first run, which alone takes half a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// Which monitors a scenario watches the plant with.
#[derive(Default)]
pub struct Monitors {
    pub nagios: Option<Macros>,
    pub zabbix: bool,
    pub prometheus: Option<Via>,
}

/// One running lab. Fields end in the order in which they are declared.
pub struct Lab {
    nagios: Option<Nagios>,
    prometheus: Option<Prometheus>,
    zabbix: Option<Zabbix>,
    pub daemon: Daemon,
    pub receiver: Receiver,
    pub plant: Plant,
    _directory: Directory,
    _turn: File,
}

impl Lab {
    /// Starts everything and waits until each monitor has seen the whole plant healthy.
    ///
    /// Returns `None`, and says so, unless the variable `WATCHBELL_E2E` is `1`.
    pub async fn start(monitors: Monitors) -> Option<Self> {
        if std::env::var("WATCHBELL_E2E").as_deref() != Ok("1") {
            println!("skipped: set WATCHBELL_E2E=1 to start real monitors, or call tests/run");
            return None;
        }
        let turn = wait_for_turn();
        let directory = Directory::new();
        let root = directory.path.clone();
        let plant = Plant::new(root.join("state"));
        let receiver = Receiver::start().await;
        let daemon = Daemon::start(&root.join("watchbell"), receiver.url()).await;

        let nagios = async {
            match monitors.nagios {
                Some(macros) => Some(Nagios::start(&root.join("nagios"), &plant, &daemon, macros).await),
                None => None,
            }
        };
        let prometheus = async {
            match monitors.prometheus {
                Some(via) => Some(Prometheus::start(&root.join("prometheus"), &plant, &daemon, via).await),
                None => None,
            }
        };
        let zabbix = async {
            match monitors.zabbix {
                true => Some(Zabbix::start(&root.join("zabbix"), &plant, &daemon).await),
                false => None,
            }
        };
        let (nagios, prometheus, zabbix) = tokio::join!(nagios, prometheus, zabbix);
        let lab = Self { nagios, prometheus, zabbix, daemon, receiver, plant, _directory: directory, _turn: turn };
        lab.monitors_see(&[]).await;
        Some(lab)
    }

    pub fn nagios(&self) -> &Nagios {
        self.nagios.as_ref().expect("this lab has no Nagios")
    }

    pub fn zabbix(&self) -> &Zabbix {
        self.zabbix.as_ref().expect("this lab has no Zabbix")
    }

    /// Waits until every monitor of this lab sees exactly these things broken.
    pub async fn monitors_see(&self, broken: &[&str]) {
        let expected: BTreeSet<String> = broken.iter().map(|name| name.to_string()).collect();
        until("all monitors agree on what is broken", PATIENCE, async || {
            let mut seen = Vec::new();
            if let Some(nagios) = &self.nagios {
                seen.push(("Nagios", nagios.broken()?));
            }
            if let Some(prometheus) = &self.prometheus {
                seen.push(("Prometheus", prometheus.broken().await?));
            }
            if let Some(zabbix) = &self.zabbix {
                seen.push(("Zabbix", zabbix.broken().await?));
            }
            match seen.iter().find(|(_, broken)| *broken != expected) {
                Some((monitor, broken)) => Err(format!("{monitor} sees {broken:?} broken, expected {expected:?}")),
                None => Ok(()),
            }
        })
        .await;
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.receiver.describe());
        }
    }
}

/// Asks again and again until `probe` succeeds; panics with its last reason after `limit`.
pub async fn until<T>(what: &str, limit: Duration, mut probe: impl AsyncFnMut() -> Result<T, String>) -> T {
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        match probe().await {
            Ok(value) => return value,
            Err(reason) if tokio::time::Instant::now() >= deadline => {
                panic!("waited {} s until {what}: {reason}", limit.as_secs())
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// The lab's own directory below the system's temporary one.
///
/// Monitors run as their own users, so it is readable by everyone; it holds no real secret.
struct Directory {
    path: PathBuf,
    _removed_on_drop: Option<tempfile::TempDir>,
}

impl Directory {
    fn new() -> Self {
        let directory =
            tempfile::Builder::new().prefix("watchbell-e2e-").tempdir().expect("make a temporary directory");
        process::make_accessible(directory.path(), 0o755);
        let path = directory.path().to_path_buf();
        if std::env::var_os("WATCHBELL_E2E_KEEP").is_some() {
            println!("the lab stays in {}", directory.keep().display());
            return Self { path, _removed_on_drop: None };
        }
        Self { path, _removed_on_drop: Some(directory) }
    }
}

/// Things that are slow to make and the same in every run.
fn cache() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target directory");
    let cache = target.join("e2e-cache");
    fs::create_dir_all(&cache).expect("make the cache directory");
    cache
}

/// Only one lab runs at a time, whatever runs the tests: two would slow each other beyond
/// every deadline on a small machine. The lock ends with the returned file.
fn wait_for_turn() -> File {
    let path = cache().join("lock");
    let file = File::create(&path).expect("make the lock file");
    file.lock().expect("lock the lab");
    file
}
