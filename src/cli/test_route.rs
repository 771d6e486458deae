//! `watchbell test-route`: where alerts would go and why, without a daemon. Reads a configuration and alerts, and prints
//! what `engine/trial.rs` says; decides only what is shown. Never sends, never opens the store.
//!
//! ```text
//! watchbell test-route --alertmanager alertmanager.yml team=db severity=critical    the routes, the group, the sinks
//! watchbell test-route -c watchbell.yaml --alerts alerts.json --at 2026-11-21T03:00:00Z --render
//! watchbell test-route -c watchbell.yaml team=db --expect dba                       exit code 1 when it goes elsewhere
//! ```

pub(super) mod show;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};

use self::show::Shown;
use super::client::{self, Client, Connection, Trust};
use super::failure::{FAILED, Failure, note, warn};
use super::output;
use super::trial::rendered::Renderer;
use super::trial::samples::{self, Reader, Samples};
use super::trial::{self, load};
use crate::clock::Clock;
use crate::config::{AlertTest, Configuration};
use crate::engine::trial::{Case, Trial};
use crate::model::{Event, Matcher, Silence, Timestamp};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Labels of one alert: `alertname=HostDown team=db`
    #[arg(value_name = "LABEL=VALUE", required_unless_present = "alerts")]
    pub labels: Vec<String>,
    /// Configuration file; may be given several times, later files override earlier ones
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// An Alertmanager's configuration instead
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub alertmanager: Option<PathBuf>,
    /// Alerts, all there at the same time: JSON Lines of events, JSON as `POST /api/v2/alerts` takes it, or tests in YAML
    #[arg(long, value_name = "FILE", conflicts_with = "labels")]
    pub alerts: Option<PathBuf>,
    /// When they fire [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<Timestamp>,
    /// A silence that is in force; may be given several times
    #[arg(long, value_name = "MATCHERS")]
    pub silence: Vec<String>,
    /// Receivers to which each alert should go, separated by commas; otherwise the exit code is 1
    #[arg(long, value_name = "RECEIVER,…", value_delimiter = ',')]
    pub expect: Vec<String>,
    /// Show what each sink would send
    #[arg(long)]
    pub render: bool,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
    /// Take the silences that are in force at this daemon
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// File with a token of its API [else the variable WATCHBELL_TOKEN]
    #[arg(long, value_name = "FILE", requires = "server")]
    pub token_file: Option<PathBuf>,
    #[command(flatten)]
    pub trust: Trust,
}

/// Silences of a daemon that are looked at.
const SILENCES_MAX: usize = 100_000;

/// Alerts that are there at the same time.
struct Round {
    name: Option<String>,
    at: Timestamp,
    silences: Vec<Silence>,
    events: Vec<Event>,
}

/// # Errors
/// When the configuration or the alerts do not fit, or the daemon cannot be reached.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let configuration = load(&args.config, args.alertmanager.as_deref())?;
    check_expected(args, &configuration)?;
    let rounds = rounds(args, &configuration)?;
    let renderer = args.render.then(|| Renderer::of(&configuration)).transpose()?;
    let mut values = Vec::new();
    let mut stray = Vec::new();
    let mut stdout = anstream::stdout().lock();
    for round in &rounds {
        let case =
            Case { policy: &configuration.policy, silences: &round.silences, events: &round.events, at: round.at };
        let trial = crate::engine::trial::run(&case);
        stray.extend(unexpected(&trial, &args.expect));
        let shown = Shown { trial: &trial, renderer: renderer.as_ref() };
        if args.json {
            values.push(shown.json(round.name.as_deref())?);
        } else {
            shown.write(round.name.as_deref(), &mut stdout)?;
        }
    }
    stdout.flush()?;
    if args.json {
        print(values, &args.expect, &stray)?;
    }
    for text in &stray {
        warn(text);
    }
    Ok(if stray.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

/// One trial as itself, several as a list; beside what was expected, if anything was.
fn print(mut values: Vec<Value>, expected: &[String], stray: &[String]) -> anyhow::Result<()> {
    let tried = if values.len() == 1 { values.remove(0) } else { json!({ "tests": values }) };
    match (tried, expected) {
        (tried, []) => output::json(&tried),
        (Value::Object(mut tried), _) => {
            tried.insert("expected".to_owned(), json!(expected));
            tried.insert("unexpected".to_owned(), json!(stray));
            output::json(&tried)
        }
        (tried, _) => output::json(&tried),
    }
}

fn check_expected(args: &Args, configuration: &Configuration) -> Result<(), Failure> {
    let known = &configuration.policy.receivers;
    match args.expect.iter().find(|name| !known.contains_key(*name)) {
        Some(name) => {
            let names: Vec<String> = known.keys().map(|name| format!("`{name}`")).collect();
            let message = format!("`--expect`: there is no receiver `{}`", output::clipped(name, 60));
            Err(Failure::misuse(message).hint(format!("there are: {}", names.join(", "))))
        }
        None => Ok(()),
    }
}

/// What does not go where it should; in any order, each receiver once.
fn unexpected(trial: &Trial, expected: &[String]) -> Vec<String> {
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    };
    let wanted = sorted(expected.iter().map(String::as_str).collect());
    let came = trial.alerts.iter().map(|verdict| (verdict, sorted(verdict.receivers())));
    let differing = came.filter(|(_, came)| !expected.is_empty() && *came != wanted);
    let text = differing.map(|(verdict, came)| {
        let came = if came.is_empty() { "nobody".to_owned() } else { came };
        format!("{}: expected {wanted}, it goes to {came}", output::line(&verdict.name))
    });
    text.collect()
}

fn rounds(args: &Args, configuration: &Configuration) -> anyhow::Result<Vec<Round>> {
    let reader = Reader::of(configuration)?;
    let at = args.at.unwrap_or_else(|| Clock::System.now());
    let mut silences = given_silences(args, at)?;
    if let Some(server) = &args.server {
        silences.extend(silences_of(args, server)?);
    }
    let round = |events| Round { name: None, at, silences: silences.clone(), events };
    let Some(file) = &args.alerts else { return Ok(vec![round(vec![reader.labels(&args.labels, at)?])]) };
    match reader.file(file, at)? {
        Samples::Alerts(events) => Ok(vec![round(events)]),
        Samples::Record => {
            let events = samples::firing(file)?;
            if events.is_empty() {
                note(format!("nothing fires in `{}`", file.display()));
            }
            Ok(vec![round(events)])
        }
        Samples::Tests(tests) => tests.iter().map(|test| round_of(test, &reader, file, at, &silences)).collect(),
    }
}

fn round_of(
    test: &AlertTest,
    reader: &Reader,
    file: &std::path::Path,
    at: Timestamp,
    silences: &[Silence],
) -> anyhow::Result<Round> {
    let at = test.at.unwrap_or(at);
    let events = trial::events(test, reader, file, at)?;
    let silences = silences.iter().cloned().chain(trial::silences(test, at)).collect();
    Ok(Round { name: Some(test.name.clone()), at, silences, events })
}

fn given_silences(args: &Args, at: Timestamp) -> Result<Vec<Silence>, Failure> {
    let mut silences = Vec::new();
    for text in &args.silence {
        let matchers = Matcher::parse_all(text);
        let matchers =
            matchers.map_err(|error| Failure::misuse(format!("`--silence {}`: {error}", output::clipped(text, 80))))?;
        if matchers.is_empty() {
            return Err(Failure::misuse("`--silence`: expected at least one matcher such as `team=db`"));
        }
        silences.push(trial::silence(silences.len() + 1, matchers, "--silence", at));
    }
    Ok(silences)
}

fn silences_of(args: &Args, server: &str) -> anyhow::Result<Vec<Silence>> {
    let connection =
        Connection { server: server.to_owned(), token_file: args.token_file.clone(), trust: args.trust.clone() };
    let (items, _) = Client::new(&connection)?.list(&["silences"], &[], SILENCES_MAX)?;
    items.into_iter().map(client::read).collect()
}
