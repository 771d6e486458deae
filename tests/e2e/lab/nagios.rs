//! Nagios Core 4 in a private directory, with seconds for minutes.
//!
//! It notifies through the commands and contacts of `config/examples/nagios.cfg`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::daemon::Daemon;
use super::plant::{self, Plant};
use super::process::{self, Account, Launch, Process};
use super::{PATIENCE, example, until};

const PROGRAM: &str = "/usr/sbin/nagios4";
const ACCOUNT: Account = Account("nagios");

/// How the notification command learns what happened; the two variants of the example.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Macros {
    Environment,
    Arguments,
}

pub struct Nagios {
    directory: PathBuf,
    _process: Process,
}

impl Nagios {
    pub async fn start(directory: &Path, plant: &Plant, daemon: &Daemon, macros: Macros) -> Self {
        for name in ["", "var", "var/checkresults", "spool"] {
            process::make_directory(&directory.join(name));
        }
        process::write(&directory.join("check"), CHECK);
        process::make_accessible(&directory.join("check"), 0o755);
        process::write(&directory.join("watchbell.cfg"), &bridge(directory, daemon));
        process::write(&directory.join("objects.cfg"), &objects(plant, macros));
        let main = directory.join("nagios.cfg");
        process::write(&main, &main_configuration(directory, macros));
        ACCOUNT.own(directory);

        process::run(ACCOUNT.command(PROGRAM).arg("-v").arg(&main));
        let mut command = ACCOUNT.command(PROGRAM);
        command.arg(&main);
        let mut nagios = Self {
            directory: directory.to_path_buf(),
            _process: Process::start(
                Launch { name: "nagios", command, stop_signal: "TERM", logs: vec![directory.join("var/nagios.log")] },
                directory,
            ),
        };
        until("Nagios has checked everything once", PATIENCE, async || {
            nagios._process.check_alive();
            nagios.broken().map(drop)
        })
        .await;
        nagios
    }

    /// What is broken for Nagios after its retries.
    ///
    /// # Errors
    /// Says so while the status file is missing or something was not checked yet.
    pub fn broken(&self) -> Result<BTreeSet<String>, String> {
        let path = self.directory.join("var/status.dat");
        let text = fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
        let objects = status_blocks(&text);
        let expected = plant::HOSTS.len() + plant::SERVICES.len();
        if objects.len() != expected {
            return Err(format!("{} of {expected} objects known", objects.len()));
        }
        if let Some(object) = objects.iter().find(|object| !object.is_checked) {
            return Err(format!("{} was not checked yet", object.name));
        }
        if let Some(object) = objects.iter().find(|object| object.is_soft) {
            return Err(format!("{} is being checked again", object.name));
        }
        let broken = objects.into_iter().filter(|object| object.is_broken);
        Ok(broken.map(|object| object.name).collect())
    }

    /// Announces downtime for one service from now on.
    pub fn schedule_downtime(&self, host: &str, service: &str, seconds: u64) {
        let start = now();
        let end = start + seconds;
        self.external_command(&format!(
            "SCHEDULE_SVC_DOWNTIME;{host};{service};{start};{end};1;0;{seconds};operator;disk swap"
        ));
    }

    /// Whether that downtime is in effect.
    ///
    /// # Errors
    /// As [`Nagios::broken`].
    pub fn is_in_downtime(&self, object: &str) -> Result<bool, String> {
        let path = self.directory.join("var/status.dat");
        let text = fs::read_to_string(&path).map_err(|error| format!("{path:?}: {error}"))?;
        status_blocks(&text)
            .into_iter()
            .find(|block| block.name == object)
            .map(|block| block.is_in_downtime)
            .ok_or_else(|| format!("Nagios does not know {object}"))
    }

    /// Bytes that wait in the spool of `watchbell send`.
    pub fn spooled_bytes(&self) -> u64 {
        file_bytes(&self.directory.join("spool"))
    }

    fn external_command(&self, command: &str) {
        let path = self.directory.join("var/nagios.cmd");
        // Never created: without Nagios at the other end this must fail, not make a file.
        let mut pipe = fs::OpenOptions::new()
            .write(true)
            .custom_flags(NON_BLOCKING)
            .open(&path)
            .unwrap_or_else(|error| panic!("cannot open {path:?}: {error}"));
        writeln!(pipe, "[{}] {command}", now()).expect("write to the command pipe");
    }
}

/// `O_NONBLOCK` on Linux: opening a pipe that nobody reads fails at once instead of hanging.
const NON_BLOCKING: i32 = 0o4000;

struct StatusBlock {
    name: String,
    is_checked: bool,
    is_broken: bool,
    is_soft: bool,
    is_in_downtime: bool,
}

/// Reads the host and service blocks of `status.dat`.
fn status_blocks(text: &str) -> Vec<StatusBlock> {
    text.split("\n\n")
        .flat_map(|part| part.split_once("status {"))
        .filter(|(kind, _)| {
            let kind = kind.lines().last().unwrap_or_default();
            kind == "host" || kind == "service"
        })
        .map(|(_, block)| {
            let field = |name: &str| block.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
            let host = field("host_name").unwrap_or_default();
            StatusBlock {
                name: match field("service_description") {
                    Some(service) => format!("{host}.{service}"),
                    None => host.to_owned(),
                },
                is_checked: field("has_been_checked") == Some("1"),
                is_broken: field("current_state") != Some("0"),
                is_soft: field("state_type") == Some("0"),
                is_in_downtime: field("scheduled_downtime_depth") != Some("0"),
            }
        })
        .collect()
}

/// The example, with its four commands pointing at the lab's daemon.
fn bridge(directory: &Path, daemon: &Daemon) -> String {
    example::load(
        "nagios.cfg",
        &[
            ("/usr/bin/watchbell send", &format!("{} send", daemon.program.display())),
            ("http://127.0.0.1:9494/in/nagios/main", &daemon.inbound("nagios", "lab-nagios")),
            ("/etc/watchbell/nagios.token", &daemon.token_file("lab-nagios").display().to_string()),
            ("/var/spool/watchbell-nagios", &directory.join("spool").display().to_string()),
        ],
    )
}

fn main_configuration(directory: &Path, macros: Macros) -> String {
    let directory = directory.display();
    let environment = u8::from(macros == Macros::Environment);
    // Flap detection is off because tests break and mend faster than any real fault.
    format!(
        "cfg_file={directory}/objects.cfg
cfg_file={directory}/watchbell.cfg
log_file={directory}/var/nagios.log
status_file={directory}/var/status.dat
object_cache_file={directory}/var/objects.cache
precached_object_file={directory}/var/objects.precache
state_retention_file={directory}/var/retention.dat
command_file={directory}/var/nagios.cmd
query_socket={directory}/var/nagios.qh
lock_file={directory}/var/nagios.pid
temp_file={directory}/var/nagios.tmp
temp_path={directory}/var
check_result_path={directory}/var/checkresults
nagios_user=nagios
nagios_group=nagios
use_syslog=0
check_for_updates=0
interval_length=1
status_update_interval=1
check_result_reaper_frequency=1
enable_notifications=1
enable_environment_macros={environment}
check_external_commands=1
execute_host_checks=1
execute_service_checks=1
cached_host_check_horizon=1
cached_service_check_horizon=1
enable_flap_detection=0
host_inter_check_delay_method=n
service_inter_check_delay_method=n
notification_timeout=30
illegal_macro_output_chars=`~$&|'\"<>
date_format=iso8601
"
    )
}

fn objects(plant: &Plant, macros: Macros) -> String {
    let contact = match macros {
        Macros::Environment => "watchbell",
        Macros::Arguments => "watchbell-arguments",
    };
    let state = plant.directory().display();
    // Repeated soon, so that every scenario also meets repeats.
    let common = format!(
        "    check_interval          2
    retry_interval          1
    max_check_attempts      2
    check_period            24x7
    notification_interval   8
    notification_period     24x7
    contacts                {contact}
"
    );
    let mut text = format!(
        "define timeperiod {{
    timeperiod_name  24x7
    alias            always
    sunday           00:00-24:00
    monday           00:00-24:00
    tuesday          00:00-24:00
    wednesday        00:00-24:00
    thursday         00:00-24:00
    friday           00:00-24:00
    saturday         00:00-24:00
}}

define command {{
    command_name  check-state
    command_line  {state}/../nagios/check {state} $ARG1$
}}
"
    );
    for host in &plant::HOSTS {
        let parents = match host.behind {
            Some(router) => format!("    parents                 {router}\n"),
            None => String::new(),
        };
        text += &format!(
            "
define host {{
    host_name               {}
    alias                   {} ({})
    address                 {}
    check_command           check-state!{}
    notification_options    d,u,r,f,s
{parents}{common}}}
",
            host.name,
            host.name,
            host.role,
            host.address,
            host.needs().join(" "),
        );
    }
    for service in &plant::SERVICES {
        text += &format!(
            "
define service {{
    host_name               {}
    service_description     {}
    check_command           check-state!{}
    notification_options    w,u,c,r,f,s
{common}}}
",
            service.host,
            service.name,
            service.needs().join(" "),
        );
    }
    text
}

/// A plugin: fails when any of the named objects is broken.
const CHECK: &str = r#"#!/bin/sh
# usage: check DIRECTORY OBJECT [WHAT IT NEEDS...]
directory=$1 object=$2
shift
for name in "$@"; do
    state=2
    read -r state <"$directory/$name"
    if [ "$state" != 0 ]; then
        echo "CRITICAL - no answer from $object | answer=0"
        exit 2
    fi
done
echo "OK - $object answers | answer=1"
"#;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

fn file_bytes(directory: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => file_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
