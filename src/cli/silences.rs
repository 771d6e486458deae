//! `watchbell silences`: what is muted now or will be, as a table. Decides which columns; what a silence
//! mutes is decided at each notification. `silence.rs` makes and ends them.
//!
//! ```text
//! ID              STATE   ENDS IN  BY   MATCHERS                             COMMENT
//! sil-3f0cq2m7kd  active  42m      ada  team="network", instance=~"sw-.*"    firmware
//! ```

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::client::{self, Client, Connection};
use super::failure::note;
use super::output;
use crate::clock::Clock;
use crate::model::{Silence, Timestamp};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many at most, latest start first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print the silences as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let (items, is_cut) = Client::new(&args.connection)?.list(&["silences"], &[], args.limit as usize)?;
    if args.json {
        output::json(&json!({ "items": items, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let silences = items.into_iter().map(client::read).collect::<anyhow::Result<Vec<Silence>>>()?;
    if !silences.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &rows(&silences, Clock::System.now()))?;
        stdout.flush()?;
    }
    note(next_step(args, &silences, is_cut));
    Ok(ExitCode::SUCCESS)
}

fn rows(silences: &[Silence], now: Timestamp) -> Vec<Vec<String>> {
    let mut rows = vec![["ID", "STATE", "ENDS IN", "BY", "MATCHERS", "COMMENT"].map(str::to_owned).to_vec()];
    for silence in silences {
        let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
        rows.push(vec![
            output::line(&silence.id),
            silence.state_at(now).as_str().to_owned(),
            output::age(silence.ends_at, now),
            output::clipped(&silence.created_by, 32),
            output::clipped(&matchers.join(", "), 64),
            output::clipped(&silence.comment, 72),
        ]);
    }
    rows
}

fn next_step(args: &Args, silences: &[Silence], is_cut: bool) -> String {
    let Some(first) = silences.first() else {
        return "nothing is silenced; `watchbell silence` mutes what matches for a time".to_owned();
    };
    let more = if is_cut {
        format!(", and more: `--limit {}` shows them", args.limit.saturating_mul(4))
    } else {
        String::new()
    };
    let count = output::plural(silences.len(), "silence");
    format!("{count}{more}; `watchbell silence --end {}` ends one early", output::line(&first.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::SilenceState;

    #[test]
    fn a_silence_is_one_line_whatever_was_typed() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let silence = |id: &str, starts_at: &str, comment: &str| Silence {
            id: id.into(),
            matchers: vec!["team=ops".parse().unwrap(), "site!=fra1".parse().unwrap()],
            starts_at: at(starts_at),
            ends_at: at("2026-11-21T07:00:00Z"),
            created_by: "ada".into(),
            comment: comment.into(),
            updated_at: at(starts_at),
            state: SilenceState::Active,
            owner: None,
            covers_dependants: false,
            recurrence: None,
            expire_when_quiet: None,
            quiet_check_at: None,
        };
        let silences = [
            silence("sil-b", "2026-11-21T06:00:00Z", "firmware"),
            silence("sil-a", "2026-11-21T04:00:00Z", "move\n\u{1b}[31mit"),
        ];
        let mut out = Vec::new();
        output::table(&mut out, &rows(&silences, at("2026-11-21T05:30:00Z"))).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        ID     STATE    ENDS IN  BY   MATCHERS                  COMMENT
        sil-b  pending  1h 30m   ada  team="ops", site!="fra1"  firmware
        sil-a  active   1h 30m   ada  team="ops", site!="fra1"  move [31mit
        "#);
    }
}
