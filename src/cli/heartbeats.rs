//! `watchbell heartbeats`: the signs of life that are expected, and how each of them is, as a table. What is missing is
//! decided in `engine/heartbeat.rs`.
//!
//! ```text
//! NAME             STATE    LAST BEAT  BY       EXPECTED
//! nightly-backup   missing  25h ago    request  30m ago, every 1d and 30m late at most
//! ```

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::client::{self, Client, Connection};
use super::failure::note;
use super::output;
use crate::clock::Clock;
use crate::model::heartbeat::{BeatBy, HeartbeatState};
use crate::model::{HeartbeatView, Timestamp};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only those in this state
    #[arg(long, value_name = "STATE", value_parser = HeartbeatState::ALL.map(HeartbeatState::as_str))]
    pub state: Option<String>,
    /// How many at most, by name
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print the heartbeats as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let query: Vec<(&str, &str)> = args.state.as_deref().map(|state| ("state", state)).into_iter().collect();
    let (items, is_cut) = Client::new(&args.connection)?.list(&["heartbeats"], &query, args.limit as usize)?;
    if args.json {
        output::json(&json!({ "items": items, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let heartbeats = items.into_iter().map(client::read).collect::<anyhow::Result<Vec<HeartbeatView>>>()?;
    if !heartbeats.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &rows(&heartbeats, Clock::System.now()))?;
        stdout.flush()?;
    }
    note(next_step(args, &heartbeats, is_cut));
    Ok(ExitCode::SUCCESS)
}

fn rows(heartbeats: &[HeartbeatView], now: Timestamp) -> Vec<Vec<String>> {
    let head = ["NAME", "STATE", "LAST BEAT", "BY", "EXPECTED"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for heartbeat in heartbeats {
        let by = heartbeat.last_beat.map_or("", |beat| match beat.by {
            BeatBy::Request => "request",
            BeatBy::Alert => "alert",
        });
        let last = heartbeat.last_beat.map_or_else(|| "never".to_owned(), |beat| moment(beat.at, now));
        let expected = format!(
            "{}, every {} and {} late at most",
            moment(heartbeat.due_at, now),
            heartbeat.every.human(),
            heartbeat.grace.human()
        );
        rows.push(vec![
            output::line(&heartbeat.name),
            heartbeat.state.as_str().to_owned(),
            last,
            by.to_owned(),
            expected,
        ]);
    }
    rows
}

fn moment(at: Timestamp, now: Timestamp) -> String {
    if at > now { format!("in {}", output::age(at, now)) } else { format!("{} ago", output::age(now, at)) }
}

fn next_step(args: &Args, heartbeats: &[HeartbeatView], is_cut: bool) -> String {
    if heartbeats.is_empty() {
        return match args.state {
            Some(_) => "no such heartbeat".to_owned(),
            None => "no heartbeat is expected; `heartbeats` in the configuration names those that are".to_owned(),
        };
    }
    let is_missing = |heartbeat: &&HeartbeatView| heartbeat.state == HeartbeatState::Missing;
    let missing = heartbeats.iter().filter(is_missing).count();
    let mut text = output::plural(heartbeats.len(), "heartbeat");
    if missing > 0 {
        text.push_str(&format!(", {missing} missing"));
    }
    if is_cut {
        text.push_str(&format!("; there are more: `--limit {}` shows them", args.limit.saturating_mul(4)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;
    use crate::model::heartbeat::Beat;

    #[test]
    fn a_heartbeat_is_one_line() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let backup = HeartbeatView {
            name: "nightly-backup".into(),
            state: HeartbeatState::Missing,
            every: Span::from_hours(24),
            grace: Span::from_mins(30),
            expected_since: at("2026-11-01T00:00:00Z"),
            last_beat: Some(Beat { at: at("2026-11-20T02:00:00Z"), by: BeatBy::Request }),
            due_at: at("2026-11-21T02:00:00Z"),
            missing_at: at("2026-11-21T02:30:00Z"),
            missing_since: Some(at("2026-11-21T02:00:00Z")),
            failure: None,
        };
        let watchdog = HeartbeatView {
            name: "prod".into(),
            state: HeartbeatState::Waiting,
            every: Span::from_mins(1),
            grace: Span::from_mins(4),
            last_beat: None,
            due_at: at("2026-11-21T03:00:30Z"),
            missing_since: None,
            ..backup.clone()
        };
        let mut out = Vec::new();
        output::table(&mut out, &rows(&[backup, watchdog], at("2026-11-21T03:00:00Z"))).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        NAME            STATE    LAST BEAT  BY       EXPECTED
        nightly-backup  missing  1d 1h ago  request  1h ago, every 1d and 30m late at most
        prod            waiting  never               in 30s, every 1m and 4m late at most
        "#);
    }
}
