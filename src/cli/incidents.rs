//! `watchbell incidents`: what is going on, as a table. Decides which columns; the daemon decides what
//! is an incident and how pressing it is.
//!
//! ```text
//! ID              PRIORITY  STATE  AGE  ALERTS  ROOT CAUSE  TITLE
//! inc-7h3kq0v9zd  P1        open   12m  31      rtr1        rtr1: Host down
//! ```

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::client::{self, Client, Connection};
use super::failure::note;
use super::output;
use crate::clock::Clock;
use crate::model::{Incident, Priority, Timestamp};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which ones; `active` is open and acknowledged
    #[arg(long, value_enum, default_value = "active")]
    pub state: State,
    /// Only of this priority
    #[arg(long, value_name = "P1..P5", value_parser = priority)]
    pub priority: Option<Priority>,
    /// How many at most, newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print the incidents as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    Open,
    Acknowledged,
    Resolved,
    Closed,
    Active,
    All,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
            Self::Active => "active",
            Self::All => "all",
        }
    }
}

fn priority(text: &str) -> Result<Priority, String> {
    text.parse().map_err(|()| "expected `P1` to `P5`".to_owned())
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.connection)?;
    let mut query = Vec::new();
    if args.state != State::All {
        query.push(("state", args.state.as_str()));
    }
    if let Some(priority) = args.priority {
        query.push(("priority", priority.as_str()));
    }
    let (items, is_cut) = client.list(&["incidents"], &query, args.limit as usize)?;
    if args.json {
        output::json(&json!({ "items": items, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let incidents = items.into_iter().map(client::read).collect::<anyhow::Result<Vec<Incident>>>()?;
    if !incidents.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &rows(&incidents, Clock::System.now()))?;
        stdout.flush()?;
    }
    note(next_step(args, &incidents, is_cut));
    Ok(ExitCode::SUCCESS)
}

fn rows(incidents: &[Incident], now: Timestamp) -> Vec<Vec<String>> {
    let head = ["ID", "PRIORITY", "STATE", "AGE", "ALERTS", "ROOT CAUSE", "TITLE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for incident in incidents {
        let cause = incident.root_cause.as_ref().map_or("-", |cause| cause.configuration_item.as_str());
        rows.push(vec![
            incident.id.to_string(),
            incident.priority.to_string(),
            incident.state.as_str().to_owned(),
            output::age(now, incident.opened_at),
            alerts(incident),
            output::clipped(cause, 32),
            output::clipped(&incident.title, 72),
        ]);
    }
    rows
}

/// `31`, or `4 of 31` when some have cleared.
fn alerts(incident: &Incident) -> String {
    if incident.firing_count == incident.alert_count {
        return incident.alert_count.to_string();
    }
    format!("{} of {}", incident.firing_count, incident.alert_count)
}

fn next_step(args: &Args, incidents: &[Incident], is_cut: bool) -> String {
    let what = match args.state {
        State::All => "incident".to_owned(),
        state => format!("{} incident", state.as_str()),
    };
    let filter = args.priority.map(|priority| format!(" with priority {priority}")).unwrap_or_default();
    let Some(first) = incidents.first() else {
        let hint = match args.state {
            State::All => "`watchbell send generic` or a monitor can report something",
            _ => "`watchbell incidents --state all` lists past ones too",
        };
        return format!("no {what}{filter}; {hint}");
    };
    let mut text = output::plural(incidents.len(), &what) + filter.as_str();
    if is_cut {
        let _ = write!(text, ", and more: `--limit {}` shows them", args.limit.saturating_mul(4));
    }
    let _ = write!(text, "; `watchbell explain {}` says why", first.id);
    if first.acknowledged_at.is_none() && first.resolved_at.is_none() {
        let _ = write!(text, ", `watchbell ack {}` takes it", first.id);
    }
    text
}
