//! One of the two programs as a process: started with the same flags, told by signals, killed.
//!
//! Decides which program stands on which side. A process ends when its [`Program`] is dropped, and by the
//! [`guard`] when the test is killed.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::guard;

/// Debian's name for it.
pub const ALERTMANAGER: &str = "/usr/bin/prometheus-alertmanager";
/// Set to `reference`, Alertmanager runs on both sides.
const COMPARE_WITH_VARIABLE: &str = "WATCHBELL_COMPARE_WITH";
/// Names another build of Watchbell to test, a release build for example.
const BINARY_VARIABLE: &str = "WATCHBELL_TEST_BINARY";
/// A program that was asked to end finishes what it sends first.
const ENDS_WITHIN: Duration = Duration::from_secs(20);
/// Lines of a log that a failed test shows.
const LOG_LINES_SHOWN: usize = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Alertmanager,
    Watchbell,
}

impl Kind {
    /// What is compared with Alertmanager.
    pub fn under_test() -> Self {
        match std::env::var(COMPARE_WITH_VARIABLE).as_deref() {
            Ok("reference") => Self::Alertmanager,
            Ok(other) => panic!("`{COMPARE_WITH_VARIABLE}`: expected `reference`, got `{other}`"),
            Err(_) => Self::Watchbell,
        }
    }

    fn command(self) -> Command {
        match self {
            Self::Alertmanager => Command::new(ALERTMANAGER),
            Self::Watchbell => {
                let binary: Option<OsString> = std::env::var_os(BINARY_VARIABLE);
                let mut command = Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_watchbell").into()));
                command.arg("alertmanager");
                command
            }
        }
    }
}

/// A running program; killed when it is dropped.
pub struct Program {
    child: Child,
    log: PathBuf,
    running: bool,
}

impl Program {
    /// Starts one of the two on `port` with everything it has in `directory`.
    pub fn start(kind: Kind, directory: &Path, port: u16) -> Self {
        let mut command = kind.command();
        command
            .arg(format!("--config.file={}", directory.join("alertmanager.yml").display()))
            .arg(format!("--storage.path={}", directory.join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            // The same on both sides, or every notification would name another port.
            .arg("--web.external-url=http://alerts.example")
            .arg("--cluster.listen-address=")
            .arg("--log.level=warn");
        Self::run(command, directory)
    }

    /// Starts any program in `directory`, where its log lies too.
    pub fn run(mut command: Command, directory: &Path) -> Self {
        let path = directory.join("program.log");
        let log = File::options().create(true).append(true).open(&path).expect("a log file");
        let child = command
            .env("TZ", "UTC")
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("the log file twice"))
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        guard::started(child.id());
        Self { child, log: path, running: true }
    }

    /// Fails with the end of the log when it has ended by itself.
    pub fn check_alive(&mut self) {
        if let Some(status) = self.child.try_wait().expect("the state of a child") {
            panic!("the program ended with {status}\n{}", self.log_end());
        }
    }

    /// `kill -9`, and no longer there when this returns.
    pub fn kill(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.child.kill();
        self.has_ended();
    }

    /// Sends a signal by its name, `TERM` or `HUP`.
    pub fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, "--", &process]).status().expect("`kill` can be called");
        assert!(status.success(), "`kill -s {name} {process}` ended with {status}");
    }

    /// Asks it to end and waits until it has.
    pub async fn terminate(&mut self) {
        self.signal("TERM");
        let end = Instant::now() + ENDS_WITHIN;
        while self.child.try_wait().expect("the state of a child").is_none() {
            assert!(Instant::now() < end, "does not end within {} s after SIGTERM", ENDS_WITHIN.as_secs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.has_ended();
    }

    fn has_ended(&mut self) {
        let _ = self.child.wait();
        if self.running {
            guard::ended(self.child.id());
            self.running = false;
        }
    }

    fn log_end(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("the end of {}:\n{}", self.log.display(), self.log_end());
        }
    }
}
