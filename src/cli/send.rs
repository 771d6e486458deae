//! `watchbell send`: hands over what a monitor says, and keeps it while the daemon is away. Decides how it
//! is typed, how long a call may take, and its exit code.
//!
//! ```text
//! watchbell send nagios --url http://127.0.0.1:9494/in/nagios --token-file F --spool DIR --kind host
//! watchbell send nagios --url … --spool DIR --flush       for a timer: only what waits
//! watchbell send icinga2 --url http://127.0.0.1:9494/in/icinga2 --spool DIR       checkmk alike
//! watchbell send generic --url http://127.0.0.1:9494/in/generic events.jsonl
//! ```
//!
//! Exit code 0: sent, or kept for later. 1: refused for good, or lost. 2: called wrongly.

#![allow(
    clippy::disallowed_methods,
    reason = "a command of its own process: it waits for a lock and for a daemon, and decides nothing"
)]

mod events;
mod forward;
pub mod macros;
mod spool;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use self::forward::{Summary, Target};
use self::macros::{CHECKMK, ICINGA2, Kind, Monitor, NAGIOS};
use self::spool::Spool;
use super::client::{self, Proof, Trust};
use super::failure::{FAILED, Failure, warn};
use super::output;
use crate::clock::Clock;
use crate::error::Secret;
use crate::model::Timestamp;

/// A notify command has to be over long before Nagios kills it (30 s) and soon enough not to hold up others.
const NOTIFY_WITHIN: Duration = Duration::from_secs(8);
const JSON: &str = "application/json";
/// Nobody waits for a timer or for a file of events.
const FLUSH_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub what: What,
}

#[derive(Debug, clap::Subcommand)]
pub enum What {
    /// One notification of Nagios: its macros from the environment and from NAME=VALUE
    Nagios(NagiosArgs),
    /// One notification of Icinga 2: its macros from the environment and from NAME=VALUE
    Icinga2(MacrosArgs),
    /// One notification of Checkmk: its context from the environment and from NAME=VALUE
    Checkmk(MacrosArgs),
    /// Normalized events, one JSON object on each line
    Generic(GenericArgs),
}

/// Where to, and what to do while that is away.
#[derive(Clone, Debug, clap::Args)]
pub struct TargetArgs {
    /// Address of the source: http://127.0.0.1:9494/in/nagios or …/in/nagios/<name>
    #[arg(long, value_name = "URL")]
    pub url: String,
    /// File with the source's token
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Variable with the source's token
    #[arg(long, value_name = "VAR", conflicts_with = "token_file")]
    pub token_env: Option<String>,
    #[command(flatten)]
    pub trust: Trust,
    #[command(flatten)]
    pub proof: Proof,
    /// Directory that keeps what cannot be sent; one for each address
    #[arg(long, value_name = "DIR")]
    pub spool: Option<PathBuf>,
    /// How many may wait in the spool; past it the newest is refused
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub spool_max: u32,
    /// Send only what waits in the spool
    #[arg(long, requires = "spool")]
    pub flush: bool,
    /// With `--flush`: also try again what was refused
    #[arg(long, requires = "flush")]
    pub retry_rejected: bool,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, clap::Args)]
pub struct NagiosArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// What the notification is about [default: a service when there is a SERVICEDESC]
    #[arg(long, value_enum)]
    pub kind: Option<Kind>,
    /// Nagios' own record of its objects, for the parents of hosts: /var/cache/nagios4/objects.cache
    #[arg(long, value_name = "FILE")]
    pub objects_cache: Option<PathBuf>,
    /// Macros; they count before those of the environment (NAGIOS_…)
    #[arg(value_name = "NAME=VALUE", conflicts_with = "flush")]
    pub macros: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub struct MacrosArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Macros; they count before those of the environment
    #[arg(value_name = "NAME=VALUE", conflicts_with = "flush")]
    pub macros: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub struct GenericArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// File with one event on each line, `-` for standard input
    #[arg(value_name = "FILE", required_unless_present = "flush", conflicts_with = "flush")]
    pub file: Option<PathBuf>,
}

/// # Errors
/// When something was lost, or cannot work as it was typed.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let start = Instant::now();
    let now = Clock::System.now();
    let (target, kind, content_type, bodies) = match args.what {
        What::Nagios(args) => {
            let bodies = if args.target.flush { Vec::new() } else { vec![notification(&args, now)?] };
            (args.target, NAGIOS.name, JSON, bodies)
        }
        What::Icinga2(args) => (args.target.clone(), ICINGA2.name, JSON, notifications(&ICINGA2, &args, now)?),
        What::Checkmk(args) => (args.target.clone(), CHECKMK.name, JSON, notifications(&CHECKMK, &args, now)?),
        What::Generic(args) => {
            let bodies = args.file.as_deref().map(|file| read_events(file, now)).transpose()?.unwrap_or_default();
            (args.target, "generic", "application/x-ndjson", bodies)
        }
    };
    let is_notification = content_type == JSON && !target.flush;
    let deadline = start + if is_notification { NOTIFY_WITHIN } else { FLUSH_WITHIN };
    let expected = bodies.len();
    let summary = hand_over(&target, kind, content_type, bodies, now, deadline)?;
    forward::tell(&summary, expected, target.spool.as_deref());
    if target.json {
        output::json(&summary)?;
    }
    // What waits is safe; but a flush had no other purpose than to empty the spool.
    let is_failed = summary.rejected > 0 || (target.flush && summary.waiting > 0);
    Ok(if is_failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn hand_over(
    args: &TargetArgs,
    kind: &'static str,
    content_type: &'static str,
    bodies: Vec<Vec<u8>>,
    now: Timestamp,
    deadline: Instant,
) -> Result<Summary, Failure> {
    let spool = args.spool.as_deref().map(|directory| Spool::open(directory, kind, args.spool_max as usize));
    let target = client::http_url(&args.url, "--url").and_then(|url| {
        let http = client::http_client(&url, &args.trust, &args.proof)?;
        Target::new(url, http, token(args)?, content_type)
    });
    match (target, spool) {
        (Ok(target), Some(spool)) => {
            if let (true, Ok(spool)) = (args.retry_rejected, &spool) {
                spool
                    .retry_rejected()
                    .map_err(|error| Failure::new("cannot try again what was refused").cause(error))?;
            }
            forward::forward(target, spool, bodies, now, deadline)
        }
        (Ok(target), None) => forward::without_spool(target, bodies, deadline),
        // A wrong token or address is no reason to lose what happened meanwhile.
        (Err(failure), Some(Ok(spool))) => {
            for body in &bodies {
                spool.put(body, now).map_err(|error| Failure::new("the notification is lost").cause(error))?;
            }
            if !bodies.is_empty() {
                warn(format!("nothing was sent; kept in `{}` until this is put right", spool.directory().display()));
            }
            Err(failure)
        }
        (Err(failure), _) => Err(failure),
    }
}

fn token(args: &TargetArgs) -> Result<Option<Secret<String>>, Failure> {
    match (&args.token_file, &args.token_env) {
        (Some(file), _) => client::read_token(file).map(Some),
        (None, Some(variable)) => match client::token_from(variable)? {
            Some(token) => Ok(Some(token)),
            None => Err(Failure::misuse(format!("`--token-env`: the variable {variable} is not set"))),
        },
        (None, None) => Ok(None),
    }
}

fn notification(args: &NagiosArgs, now: Timestamp) -> Result<Vec<u8>, Failure> {
    let parents = |host: &str| {
        let file = args.objects_cache.as_deref()?;
        macros::parents_of(host, file).unwrap_or_else(|error| {
            warn(format!("cannot read `{}`: {error}; going on without the host's parents", file.display()));
            None
        })
    };
    macros::body(&NAGIOS, &args.macros, std::env::vars_os(), args.kind, parents, now)
}

/// The one notification of a monitor that does not know the parents of its hosts; none for a flush.
fn notifications(monitor: &Monitor, args: &MacrosArgs, now: Timestamp) -> Result<Vec<Vec<u8>>, Failure> {
    if args.target.flush {
        return Ok(Vec::new());
    }
    Ok(vec![macros::body(monitor, &args.macros, std::env::vars_os(), None, |_| None, now)?])
}

fn read_events(file: &Path, now: Timestamp) -> Result<Vec<Vec<u8>>, Failure> {
    if file == Path::new("-") {
        return events::bodies(io::stdin().lock(), "standard input", now);
    }
    let name = format!("`{}`", file.display());
    let input = File::open(file).map_err(|error| Failure::misuse(format!("cannot read {name}")).cause(error))?;
    events::bodies(BufReader::new(input), &name, now)
}
