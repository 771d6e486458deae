//! The parts of Zabbix as processes: its database, its frontend for the API, its server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::postgres::{self, Postgres};
use super::process::{self, Launch, Process};
use super::{cache, port};

const SERVER: &str = "/usr/sbin/zabbix_server";
const FRONTEND: &str = "/usr/share/zabbix";
const SCHEMA: &str = "/usr/share/zabbix-server-pgsql";

/// Starts the database with Zabbix' schema and first data.
pub async fn start_database(directory: &Path) -> Postgres {
    let template = cache().join(format!("zabbix-{}-postgresql-{}", server_version(), postgres::version()));
    Postgres::start(directory, &template, |postgres| {
        let scripts: Vec<PathBuf> =
            ["schema", "images", "data"].iter().map(|name| Path::new(SCHEMA).join(format!("{name}.sql.gz"))).collect();
        postgres.load(&scripts);
        // The host that ships with Zabbix watches an agent that nobody runs here.
        postgres.psql(postgres::USER, "UPDATE hosts SET status = 1 WHERE host = 'Zabbix server'");
    })
    .await
}

/// Starts the frontend and returns its address; it needs a moment until it answers.
pub fn start_frontend(directory: &Path, database: &Postgres) -> (String, Process) {
    let root = directory.join("frontend");
    process::run(Command::new("cp").args(["-a", "--", FRONTEND]).arg(&root));
    let configuration = directory.join("zabbix.conf.php");
    process::write(&configuration, &frontend_configuration(database.port));
    point_at(&root, &configuration);

    let address = format!("127.0.0.1:{}", port::free());
    let mut command = Command::new("php");
    for setting in ["memory_limit=256M", "max_execution_time=60", "date.timezone=UTC"] {
        command.args(["-d", setting]);
    }
    command.args(["-q", "-S", &address, "-t"]).arg(&root);
    let process =
        Process::start(Launch { name: "zabbix-frontend", command, stop_signal: "TERM", logs: Vec::new() }, directory);
    (format!("http://{address}"), process)
}

/// Starts the server and returns the port on which it takes values.
pub fn start_server(directory: &Path, database: &Postgres) -> (u16, Process) {
    let port = port::free();
    let configuration = directory.join("zabbix_server.conf");
    process::write(&configuration, &server_configuration(directory, port, database.port));
    let mut command = Command::new(SERVER);
    // Its messages carry times without a zone, and Watchbell takes them for UTC by default.
    command.env("TZ", "UTC").arg("--foreground").arg("--config").arg(&configuration);
    let process =
        Process::start(Launch { name: "zabbix-server", command, stop_signal: "TERM", logs: Vec::new() }, directory);
    (port, process)
}

/// For example `6.0.14`.
fn server_version() -> String {
    let text = process::run(Command::new(SERVER).arg("--version"));
    text.split_whitespace()
        .find(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .unwrap_or("unknown")
        .to_owned()
}

/// Debian's frontend reads one fixed path, so the copy gets another.
fn point_at(root: &Path, configuration: &Path) {
    let reader = root.join("include/classes/core/CConfigFile.php");
    let text = fs::read_to_string(&reader).expect("read the frontend's configuration reader");
    let installed = "'/etc/zabbix/zabbix.conf.php'";
    assert!(text.contains(installed), "the frontend no longer reads {installed}; see {}", reader.display());
    let changed = text.replace(installed, &format!("'{}'", configuration.display()));
    process::write(&reader, &changed);
}

fn frontend_configuration(database_port: u16) -> String {
    let user = postgres::USER;
    format!(
        "<?php
$DB['TYPE'] = 'POSTGRESQL';
$DB['SERVER'] = '127.0.0.1';
$DB['PORT'] = '{database_port}';
$DB['DATABASE'] = '{user}';
$DB['USER'] = '{user}';
$DB['PASSWORD'] = '';
$DB['SCHEMA'] = '';
$DB['ENCRYPTION'] = false;
$DB['DOUBLE_IEEE754'] = true;
$IMAGE_FORMAT_DEFAULT = IMAGE_FORMAT_PNG;
"
    )
}

/// Few processes of each kind: the lab has nine items and two cores.
fn server_configuration(directory: &Path, port: u16, database_port: u16) -> String {
    let user = postgres::USER;
    let directory = directory.display();
    format!(
        "ListenIP=127.0.0.1
ListenPort={port}
LogType=console
PidFile={directory}/zabbix_server.pid
SocketDir={directory}
DBHost=127.0.0.1
DBPort={database_port}
DBName={user}
DBUser={user}
AllowRoot=1
CacheUpdateFrequency=1
HousekeepingFrequency=0
StartPollers=1
StartPingers=0
StartDiscoverers=0
StartHTTPPollers=0
StartTrappers=2
StartPreprocessors=1
StartDBSyncers=1
StartEscalators=1
StartAlerters=3
StartLLDProcessors=1
StartTimers=1
"
    )
}
