//! Processes of the lab: started privately, ended by their id, never by name.
//!
//! A process ends when its [`Process`] is dropped, and by the [`guard`] when the test is killed.

use std::ffi::OsStr;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::guard;

/// How long a process may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Lines of each log that are printed when a scenario fails.
const TAIL_LINES: usize = 40;

/// Longer lines of a log are cut in that print: payloads would bury everything else.
const LINE_CHARACTERS_MAX: usize = 400;

/// What to start, and how to end it.
pub struct Launch {
    /// Short name for messages and for the log file.
    pub name: &'static str,
    pub command: Command,
    /// The signal that makes this program end soon and cleanly.
    pub stop_signal: &'static str,
    /// Logs that the program writes itself, besides its output.
    pub logs: Vec<PathBuf>,
}

/// A running process.
pub struct Process {
    name: &'static str,
    child: Child,
    stop_signal: &'static str,
    logs: Vec<PathBuf>,
}

impl Process {
    /// Starts it with its output in `directory/<name>.out`.
    pub fn start(launch: Launch, directory: &Path) -> Self {
        let Launch { name, mut command, stop_signal, mut logs } = launch;
        let output = directory.join(format!("{name}.out"));
        // Appended, so that what a restarted program said before is still there.
        let stdout = File::options()
            .create(true)
            .append(true)
            .open(&output)
            .unwrap_or_else(|error| panic!("cannot open {}: {error}", output.display()));
        let stderr = stdout.try_clone().expect("duplicate the log file");
        let child = command
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            // Its own group, so that what it leaves behind can be ended with it.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        guard::started(child.id());
        logs.insert(0, output);
        Self { name, child, stop_signal, logs }
    }

    /// Fails with the end of the log when the process has ended by itself.
    pub fn check_alive(&mut self) {
        if let Some(status) = self.child.try_wait().expect("look after the process") {
            panic!("{} ended early, {status}{}", self.name, self.log_tails());
        }
    }

    /// Asks the process to end and waits for it; after a while it is killed.
    ///
    /// What it leaves behind in its group is killed as well.
    fn stop(&mut self) {
        let leader = self.child.id();
        let group = format!("-{leader}");
        if self.is_running() {
            signal(self.stop_signal, &leader.to_string());
        }
        let deadline = Instant::now() + GRACE;
        while self.is_running() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        if self.is_running() {
            eprintln!("{} did not end, so it is killed", self.name);
        }
        signal("KILL", &group);
        // The result does not matter: nothing more can be done.
        let _ = self.child.wait();
        guard::ended(leader);
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn log_tails(&self) -> String {
        self.logs.iter().map(|log| tail(log)).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("---- {}{}", self.name, self.log_tails());
        }
        self.stop();
    }
}

/// The user that a program has to be started as: PostgreSQL refuses to run as root, and
/// Nagios gives root up. Without root everything runs as whoever tests.
#[derive(Clone, Copy)]
pub struct Account(pub &'static str);

impl Account {
    /// A command that runs `program` as this account.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        if !is_root() {
            return Command::new(program);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid", self.0, "--regid", self.0, "--init-groups", "--"]).arg(program);
        command
    }

    /// Gives a file or a directory with all its content to this account.
    pub fn own(self, path: &Path) {
        if is_root() {
            run(Command::new("chown").args(["-R", &format!("{0}:{0}", self.0)]).arg(path));
        }
    }
}

/// Runs a command to its end and returns its standard output; panics when it fails.
pub fn run(command: &mut Command) -> String {
    let output =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Makes a directory that other accounts may look into.
pub fn make_directory(path: &Path) {
    fs::create_dir_all(path).unwrap_or_else(|error| panic!("cannot make {path:?}: {error}"));
    make_accessible(path, 0o755);
}

pub fn make_accessible(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode))
        .unwrap_or_else(|error| panic!("cannot change the mode of {path:?}: {error}"));
}

pub fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("cannot write {path:?}: {error}"));
}

fn is_root() -> bool {
    // The owner of its own directory in /proc is the effective user of a process.
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

fn signal(name: &str, process: &str) {
    // Fails only when the process is gone already, which is what is wanted.
    let _ = Command::new("kill").args(["-s", name, "--", process]).stderr(Stdio::null()).status();
}

fn tail(path: &Path) -> String {
    let Ok(bytes) = fs::read(path) else {
        return String::new();
    };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let end = &lines[lines.len().saturating_sub(TAIL_LINES)..];
    let end: String =
        end.iter().flat_map(|line| line.chars().take(LINE_CHARACTERS_MAX).chain(std::iter::once('\n'))).collect();
    format!("\n-- {}\n{end}", path.display())
}
