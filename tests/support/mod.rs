//! The daemon as a process of its own, driven from outside as its users do: started, asked, killed.
//!
//! Decides where a test's daemon lives (a folder and a port of its own) and that nothing of it outlives
//! the test, whatever way that ends. Never looks into the daemon: what a test learns comes over HTTP, from
//! receivers, or from the store's file.
//!
//! ```ignore
//! let site = Site::new("receivers: …");
//! let mut daemon = site.start().await;
//! daemon.kill();
//! ```

#![allow(dead_code, reason = "each test binary uses its own part of this")]

pub mod fakes;
pub mod load;
pub mod receiver;
pub mod smtp;

use std::ffi::OsString;
use std::fmt::Debug;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use watchbell::store::SqliteReader;

/// Names another build of the daemon to test, a release build for example.
const BINARY_VARIABLE: &str = "WATCHBELL_TEST_BINARY";
/// A start in a debug build on a busy machine, a store to recover included.
const START_WITHIN: Duration = Duration::from_secs(30);
/// Between two looks of [`eventually`].
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(20);
/// Lines of the daemon's log that a failed test shows.
const LOG_LINES_SHOWN: usize = 40;

/// Looks again and again until there is something to see.
///
/// # Panics
/// When that takes longer than `within`.
pub async fn eventually<T>(what: &str, within: Duration, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let end = Instant::now() + within;
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(Instant::now() < end, "not within {} s: {what}", within.as_secs_f32());
        tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    }
}

/// A client without a proxy and without patience.
pub fn client() -> reqwest::Client {
    watchbell::runtime::deliver::install_tls();
    let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
    builder.build().expect("a client without special wishes can be built")
}

/// The program under test.
pub fn binary() -> OsString {
    std::env::var_os(BINARY_VARIABLE).unwrap_or_else(|| env!("CARGO_BIN_EXE_watchbell").into())
}

/// A port that was free a moment ago, below those that the system gives to outgoing connections: one of
/// these could take the place of a daemon that is down for a moment.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 1_000) as u16 * 10;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Where one daemon lives, over all its starts.
pub struct Site {
    directory: TempDir,
    port: u16,
    /// Making one takes longer than a question does.
    client: reqwest::Client,
}

impl Site {
    /// `configuration` is the file without `listen` and `store`.
    pub fn new(configuration: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let site = Self { directory, port: free_port(), client: client() };
        site.configure(configuration);
        site
    }

    /// Replaces the configuration file; a running daemon sees it when it is told to reload.
    pub fn configure(&self, configuration: &str) {
        let store = self.store_path();
        let (port, store) = (self.port, store.display());
        let text = format!("listen: 127.0.0.1:{port}\nstore: {{ sqlite: {{ path: {store} }} }}\n{configuration}");
        std::fs::write(self.file(), text).expect("the configuration can be written");
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn store_path(&self) -> PathBuf {
        self.path().join("watchbell.db")
    }

    /// The store as it is on disk, for looking only.
    pub fn reader(&self) -> SqliteReader {
        SqliteReader::open(&self.store_path()).expect("the store can be read")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The configuration.
    pub fn file(&self) -> PathBuf {
        self.path().join("watchbell.yaml")
    }

    fn log_path(&self) -> PathBuf {
        self.path().join("watchbell.log")
    }

    /// Starts the daemon and waits until it takes events.
    pub async fn start(&self) -> Daemon {
        self.start_with(&[]).await
    }

    /// As [`Site::start`], with these environment variables.
    pub async fn start_with(&self, variables: &[(&str, &str)]) -> Daemon {
        let started = self.try_start_with(variables).await;
        started.unwrap_or_else(|status| panic!("the daemon ended with {status} instead of starting\n{}", self.log()))
    }

    /// As [`Site::start_with`], for a daemon that may end before it is ready.
    ///
    /// # Errors
    /// How it ended.
    pub async fn try_start_with(&self, variables: &[(&str, &str)]) -> Result<Daemon, ExitStatus> {
        let variables: Vec<(&str, String)> =
            variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let mut daemon = self.spawn(&variables);
        self.ready(&mut daemon).await.map(|()| daemon)
    }

    /// Waits until the daemon takes events.
    ///
    /// # Errors
    /// How it ended, when it did so instead.
    pub async fn ready(&self, daemon: &mut Daemon) -> Result<(), ExitStatus> {
        let (client, url) = (client(), self.url("/-/ready"));
        eventually("the daemon is ready", START_WITHIN, async || {
            if let Some(status) = daemon.exited() {
                return Some(Err(status));
            }
            let answer = client.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(Ok(()))
        })
        .await
    }

    /// Starts the daemon with more variables in its environment; it may end before it is ready.
    pub fn spawn(&self, variables: &[(&str, String)]) -> Daemon {
        let log = File::options().create(true).append(true).open(self.log_path()).expect("a log file");
        let child = Command::new(binary())
            .arg("run")
            .arg("-c")
            .arg(self.file())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log file twice"))
            .stderr(log)
            .spawn()
            .expect("the daemon's binary can be started");
        Daemon { child, log: self.log_path() }
    }
}

/// A running daemon; killed when it is dropped.
pub struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// `kill -9`, and no longer there when this returns.
    pub fn kill(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by its name, `TERM` or `HUP`.
    pub fn signal(&self, name: &str) {
        let command = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &command]).status().expect("a shell");
        assert!(status.success(), "`{command}` ended with {status}");
    }

    pub fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// The most memory it has held so far.
    pub fn resident_mib_max(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(&path).expect("the status of a child");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line of it");
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1_024
    }

    /// Waits until it has ended by itself.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        eventually("the daemon has ended", within, async || self.exited()).await
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the end of the daemon's log:");
            lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].iter().for_each(|line| eprintln!("  {line}"));
        }
    }
}

/// Talks to a daemon's HTTP endpoints.
#[derive(Clone)]
pub struct Api {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
}

/// Status and body; JSON where it is that, else a text.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: String,
    pub body: Value,
}

impl Reply {
    pub async fn of(answer: reqwest::Response) -> Self {
        let status = answer.status().as_u16();
        let content_type = answer.headers().get("content-type").and_then(|value| value.to_str().ok());
        let content_type = content_type.unwrap_or_default().to_owned();
        let text = answer.text().await.unwrap_or_default();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Self { status, content_type, body }
    }

    pub fn text(&self) -> &str {
        self.body.as_str().unwrap_or_default()
    }
}

impl Api {
    pub fn new(site: &Site) -> Self {
        Self { client: client(), base: site.url(""), token: None }
    }

    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.client.get(format!("{}{path}", self.base))).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        let request = self.client.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        self.send(request.body(body.to_string())).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        let request = self.client.put(format!("{}{path}", self.base)).header("content-type", "application/json");
        self.send(request.body(body.to_string())).await
    }

    pub async fn delete(&self, path: &str) -> Reply {
        self.send(self.client.delete(format!("{}{path}", self.base))).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let request = match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        };
        Reply::of(request.send().await.expect("the daemon answers")).await
    }

    /// One event of the generic source that must be taken.
    pub async fn event(&self, status: &str, item: &str) {
        let event = serde_json::json!({
            "status": status, "name": "Disk full", "configuration_item": item, "severity": "critical",
        });
        let reply = self.post("/in/generic", &event).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }

    /// The `items` of a list.
    pub async fn items(&self, path: &str) -> Vec<Value> {
        let mut reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        match reply.body["items"].take() {
            Value::Array(items) => items,
            other => panic!("{path}: expected a list, got {other}"),
        }
    }

    /// Waits until no delivery is pending.
    pub async fn settled(&self, within: Duration) {
        eventually("no delivery is pending", within, async || {
            self.items("/api/v1/deliveries?state=pending").await.is_empty().then_some(())
        })
        .await;
    }
}

/// Every item of a paged list.
pub fn all_pages<T, E: Debug>(
    mut page: impl FnMut(&watchbell::store::PageQuery) -> Result<watchbell::store::Page<T>, E>,
) -> Vec<T> {
    let mut query = watchbell::store::PageQuery { cursor: None, limit: watchbell::store::PAGE_LIMIT_MAX };
    let mut items = Vec::new();
    loop {
        let next = page(&query).expect("the store can be read");
        items.extend(next.items);
        match next.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => return items,
        }
    }
}

/// Small, seeded and the same everywhere (SplitMix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From `low` to `high`, the latter not included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + (mixed ^ (mixed >> 31)) % (high - low)
    }
}
