//! `watchbell test-sink`: one configured sink, one sample notification. Builds the sink as the daemon
//! does and sends through the same outbound calls, so that what works here works there. Never shows a
//! secret, never touches the store.
//!
//! ```text
//! watchbell test-sink --config watchbell.yaml                        the sinks that there are
//! watchbell test-sink --config watchbell.yaml ops/slack --preview    the request, not sent
//! watchbell test-sink --config watchbell.yaml ops/slack              sends one
//! ```

pub(super) mod preview;

use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use serde::de::{DeserializeOwned, IntoDeserializer, value};

use self::preview::Preview;
use super::client;
use super::failure::{FAILED, Failure, note};
use super::output;
use super::trial;
use crate::clock::Clock;
use crate::config::{Configuration, SinkSettings};
use crate::error::ErrorKind;
use crate::model::delivery::Progress;
use crate::model::{Notification, NotificationKind};
use crate::render::{Language, sample_notification};
use crate::runtime::deliver::{Outbound, SendError};
use crate::sinks::{self, Attempt, Outcome, Request, Setting, Sink};

/// Requests in a row: ends a sink that never says it is done.
const STEPS_MAX: u16 = 8;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Sink, as `ops/slack`; without it all are listed
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Configuration file; may be given several times, later files override earlier ones
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Print the request instead of sending it
    #[arg(long, requires = "name")]
    pub preview: bool,
    /// What the notification tells: `test`, `opened`, `escalated`, `resolved`, …
    #[arg(long, value_name = "KIND", default_value = "test", value_parser = word::<NotificationKind>)]
    pub kind: NotificationKind,
    /// Language instead of the sink's own: `en`, `de`, `pl`, `it` or `nb`
    #[arg(long, value_name = "LANGUAGE", value_parser = word::<Language>)]
    pub language: Option<Language>,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

/// Reads a word as the configuration and the API spell it.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    let text: value::StrDeserializer<'_, value::Error> = text.into_deserializer();
    T::deserialize(text).map_err(|error| error.to_string())
}

/// # Errors
/// When the configuration does not fit, or there is no such sink.
pub fn run(args: Args) -> anyhow::Result<ExitCode> {
    let configuration = trial::load(&args.config, None)?;
    let Some(name) = &args.name else { return list(&configuration, args.json) };
    let Some(settings) = configuration.sinks.get(name) else { return Err(unknown(name, &configuration).into()) };
    let sink = build(name, settings, &configuration, args.language)?;
    let now = Clock::System.now();
    let notification = sample_notification(args.kind, now);
    // A receiver that knows this key already would keep quiet, so each test has its own.
    let delivery = format!("{}-{}.{name}", notification.id, now.as_millis());
    let trial = Trial { name, settings, sink: &*sink, notification: &notification, delivery: &delivery };
    if args.preview { trial.preview(args.json) } else { trial.send(args.json) }
}

/// Sets a sink up as the daemon does.
pub(super) fn build(
    name: &str,
    settings: &SinkSettings,
    configuration: &Configuration,
    language: Option<Language>,
) -> Result<Box<dyn Sink>, Failure> {
    let setting = Setting {
        instance: configuration.instance.clone(),
        sink: name.to_owned(),
        language: language.unwrap_or(settings.language),
        time_zone: settings.time_zone.clone(),
        public_url: configuration.public_url.clone(),
        go_templates: configuration.go_templates.clone(),
    };
    let failed = || Failure::misuse(format!("cannot set up the sink `{name}`"));
    let spec = sinks::find(&settings.kind).ok_or_else(failed)?;
    (spec.build)(&settings.table, &setting).map_err(|error| failed().cause(error))
}

fn list(configuration: &Configuration, is_json: bool) -> anyhow::Result<ExitCode> {
    #[derive(Serialize)]
    struct Listed<'a> {
        name: &'a str,
        kind: &'a str,
        receiver: &'a str,
    }
    let sinks: Vec<Listed<'_>> = configuration
        .sinks
        .iter()
        .map(|(name, settings)| Listed { name, kind: &settings.kind, receiver: &settings.receiver })
        .collect();
    if is_json {
        output::json(&sinks)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut rows = vec![["NAME", "KIND", "RECEIVER"].map(str::to_owned).to_vec()];
    rows.extend(sinks.iter().map(|sink| [sink.name, sink.kind, sink.receiver].map(str::to_owned).to_vec()));
    output::table(&mut anstream::stdout().lock(), &rows)?;
    note("`watchbell test-sink NAME --preview` shows what one would be sent; without `--preview` it is sent");
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str, configuration: &Configuration) -> Failure {
    let likeness = |known: &str| strsim::jaro_winkler(known, name);
    let near = configuration.sinks.keys().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let failure = Failure::misuse(format!("there is no sink `{}`", output::clipped(name, 60)));
    match near.filter(|near| likeness(near) > 0.7) {
        Some(near) => failure.hint(format!("did you mean `{near}`? `watchbell test-sink` lists all")),
        None => failure.hint("`watchbell test-sink` with the same configuration lists all"),
    }
}

/// One sink and what it is to tell.
struct Trial<'a> {
    name: &'a str,
    settings: &'a SinkSettings,
    sink: &'a dyn Sink,
    notification: &'a Notification,
    delivery: &'a str,
}

/// What `--json` prints of a send.
#[derive(Serialize)]
struct Sent<'a> {
    sink: &'a str,
    /// `delivered`, `retry` or `rejected`.
    outcome: &'static str,
    /// What the other side answered, or why it failed.
    text: String,
    requests: u16,
}

impl Trial<'_> {
    fn attempt<'a>(&'a self, progress: &'a Progress) -> Attempt<'a> {
        let now = Clock::System.now();
        Attempt { delivery: self.delivery, notification: self.notification, progress, now }
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, Failure> {
        let failed = || Failure::new(format!("`{}` cannot say that", self.name));
        self.sink.request(attempt).map_err(|error| failed().cause(error))
    }

    fn preview(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let progress = Progress::default();
        let request = self.request(&self.attempt(&progress))?;
        let preview = Preview::of(&request, &self.settings.table);
        if is_json {
            output::json(&preview)?;
        } else {
            preview.write(&mut anstream::stdout().lock())?;
            note("nothing was sent; some sinks need more than this first request");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn send(&self, is_json: bool) -> anyhow::Result<ExitCode> {
        let outbound = Outbound::new().map_err(|error| Failure::new("cannot set up outbound calls").cause(error))?;
        let runtime = client::runtime()?;
        let mut progress = Progress::default();
        let mut requests = 0;
        let (outcome, text) = loop {
            requests += 1;
            match runtime.block_on(self.step(&outbound, &progress))? {
                Outcome::Delivered { proof, .. } => break ("delivered", proof),
                Outcome::Next { remote, step } if requests < STEPS_MAX => {
                    progress = Progress { remote: remote.or(progress.remote), step, ..Progress::default() };
                }
                Outcome::Next { .. } => break ("retry", "too many requests in a row".to_owned()),
                Outcome::Retry { reason, .. } => break ("retry", reason),
                Outcome::Rejected { reason, .. } => break ("rejected", reason),
            }
        };
        let sent = Sent { sink: self.name, outcome, text: preview::hidden(&text, &self.settings.table), requests };
        self.tell(&sent, is_json)
    }

    /// One request and its answer, as the outbox makes them.
    async fn step(&self, outbound: &Outbound, progress: &Progress) -> Result<Outcome, Failure> {
        let attempt = self.attempt(progress);
        let request = match self.request(&attempt)? {
            Request::Skip(why) => return Ok(Outcome::Delivered { remote: None, proof: format!("skipped: {why}") }),
            request => request,
        };
        let (allow_private, timeout) = (self.settings.allow_private, self.settings.timeout.to_std());
        Ok(match outbound.send(request, allow_private, timeout).await {
            Ok(response) => self.sink.outcome(&attempt, &response),
            Err(SendError { kind: kind @ (ErrorKind::Invalid | ErrorKind::Auth), reason, .. }) => {
                Outcome::Rejected { kind, reason }
            }
            Err(SendError { kind, reason, is_ambiguous }) => {
                Outcome::Retry { after_ms: None, kind, reason, is_ambiguous }
            }
        })
    }

    fn tell(&self, sent: &Sent<'_>, is_json: bool) -> anyhow::Result<ExitCode> {
        let is_delivered = sent.outcome == "delivered";
        if is_json {
            output::json(sent)?;
        } else if is_delivered {
            note(format!("{}: delivered: {}", sent.sink, output::line(&sent.text)));
        } else {
            let again = if sent.outcome == "retry" { "the daemon would try again" } else { "no repetition can help" };
            let message = format!("`{}` did not take it: {}", sent.sink, output::line(&sent.text));
            let hint = format!("{again}; `watchbell integrations {}` says how to set it up", self.settings.kind);
            return Err(Failure::new(message).hint(hint).into());
        }
        Ok(if is_delivered { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
    }
}
