//! A private PostgreSQL cluster, restored from a template when there is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{self, Account, Launch, Process};
use super::{PATIENCE, port, until};

const ACCOUNT: Account = Account("postgres");

/// Name of the superuser and of the database. Loopback connections are trusted.
pub const USER: &str = "zabbix";

/// A running cluster.
pub struct Postgres {
    pub port: u16,
    data: PathBuf,
    process: Process,
}

impl Postgres {
    /// Starts a cluster whose database `fill` has filled, now or in an earlier run.
    ///
    /// The filled cluster is kept in `template`, so `fill` must do the same in every run
    /// for which the template's name is the same.
    pub async fn start(directory: &Path, template: &Path, fill: impl FnOnce(&Postgres)) -> Self {
        let data = directory.join("data");
        if !template.exists() {
            create_cluster(directory, &data);
            let postgres = Self::run(directory, &data).await;
            postgres.psql("postgres", &format!("CREATE DATABASE {USER}"));
            fill(&postgres);
            // Without statistics every query of the frontend takes a second.
            postgres.psql(USER, "VACUUM ANALYZE");
            drop(postgres);
            keep_as_template(&data, template);
        } else {
            copy(template, &data);
            ACCOUNT.own(&data);
        }
        Self::run(directory, &data).await
    }

    /// Runs one statement outside a transaction.
    pub fn psql(&self, database: &str, statement: &str) {
        process::run(self.client(database).args(["-c", statement]));
    }

    /// Runs scripts that are compressed, in this order.
    pub fn load(&self, scripts: &[PathBuf]) {
        let plain = self.data.with_extension("sql");
        let mut text = Vec::new();
        for script in scripts {
            let output = Command::new("gzip").arg("-dc").arg(script).output().expect("run gzip");
            assert!(output.status.success(), "cannot unpack {}", script.display());
            text.extend(output.stdout);
        }
        fs::write(&plain, text).expect("write the unpacked scripts");
        process::run(self.client(USER).arg("-f").arg(&plain));
        fs::remove_file(&plain).expect("remove the unpacked scripts");
    }

    fn client(&self, database: &str) -> Command {
        let mut command = Command::new(program("psql"));
        command
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", USER, "-d", database, "-X", "-q"])
            .args(["-v", "ON_ERROR_STOP=1"]);
        command
    }

    async fn run(directory: &Path, data: &Path) -> Self {
        let port = port::free();
        let mut command = ACCOUNT.command(program("postgres"));
        command.arg("-D").arg(data).args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            // Nothing here outlives the test.
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "jit=off",
        ] {
            command.args(["-c", setting]);
        }
        let mut process = Process::start(
            Launch {
                name: "postgres",
                command,
                // Cuts the connections that are left and ends cleanly.
                stop_signal: "INT",
                logs: Vec::new(),
            },
            directory,
        );
        let address = format!("127.0.0.1:{port}");
        until("PostgreSQL is ready", PATIENCE, async || {
            process.check_alive();
            let answer = Command::new(program("pg_isready"))
                .args(["-q", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", USER])
                .status()
                .expect("run pg_isready");
            match answer.success() {
                true => Ok(()),
                false => Err(format!("no answer on {address}")),
            }
        })
        .await;
        Self { port, data: data.to_path_buf(), process }
    }

    pub fn check_alive(&mut self) {
        self.process.check_alive();
    }
}

/// Version and place of the installed server, for example `15`.
pub fn version() -> String {
    newest_installation().file_name().expect("a versioned directory").to_string_lossy().into_owned()
}

fn program(name: &str) -> PathBuf {
    newest_installation().join("bin").join(name)
}

/// Debian keeps each version in a directory of its own, outside the search path.
fn newest_installation() -> PathBuf {
    let place = Path::new("/usr/lib/postgresql");
    fs::read_dir(place)
        .unwrap_or_else(|error| panic!("no PostgreSQL in {place:?}, call tests/run: {error}"))
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/postgres").exists())
        .max_by_key(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.parse::<u32>().unwrap_or(0)
        })
        .unwrap_or_else(|| panic!("no PostgreSQL server in {place:?}, call tests/run"))
}

fn create_cluster(directory: &Path, data: &Path) {
    process::make_directory(data);
    ACCOUNT.own(data);
    process::run(
        ACCOUNT
            .command(program("initdb"))
            .current_dir(directory)
            .arg("-D")
            .arg(data)
            .args(["-U", USER, "--auth=trust", "--encoding=UTF8", "--no-locale"])
            // Small log segments keep the template small.
            .args(["--no-sync", "--wal-segsize=1"]),
    );
}

/// Renamed into place, so that a template is either whole or not there.
fn keep_as_template(data: &Path, template: &Path) {
    let draft = template.with_extension(format!("{}.new", std::process::id()));
    copy(data, &draft);
    fs::rename(&draft, template).expect("put the template in place");
}

fn copy(from: &Path, to: &Path) {
    process::run(Command::new("cp").args(["-a", "--reflink=auto", "--"]).arg(from).arg(to));
}
