//! `watchbell problems`: what keeps failing, as a table. Decides which columns; the daemon decides what is a
//! problem. `problem.rs` works on one.
//!
//! ```text
//! ID              STATE        INCIDENTS  LAST SEEN  ASSIGNEE  TITLE
//! prb-2c8dk0v9zd  known error  4          2h 10m     team-web  web1 keeps failing: disk
//! ```

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::client::{self, Client, Connection};
use super::failure::note;
use super::output;
use crate::clock::Clock;
use crate::model::problem::ProblemState;
use crate::model::{Problem, Timestamp};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which ones; `active` is proposed, open, analysed and known error
    #[arg(long, value_enum, default_value = "active")]
    pub state: State,
    /// How many at most, newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print the problems as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    Proposed,
    Open,
    Analysed,
    KnownError,
    Resolved,
    Rejected,
    Merged,
    Active,
    All,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Open => "open",
            Self::Analysed => "analysed",
            Self::KnownError => "known_error",
            Self::Resolved => "resolved",
            Self::Rejected => "rejected",
            Self::Merged => "merged",
            Self::Active => "active",
            Self::All => "all",
        }
    }
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut query = Vec::new();
    if args.state != State::All {
        query.push(("state", args.state.as_str()));
    }
    let (items, is_cut) = Client::new(&args.connection)?.list(&["problems"], &query, args.limit as usize)?;
    if args.json {
        output::json(&json!({ "items": items, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let problems = items.into_iter().map(client::read).collect::<anyhow::Result<Vec<Problem>>>()?;
    if !problems.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &rows(&problems, Clock::System.now()))?;
        stdout.flush()?;
    }
    note(next_step(args, &problems, is_cut));
    Ok(ExitCode::SUCCESS)
}

fn rows(problems: &[Problem], now: Timestamp) -> Vec<Vec<String>> {
    let head = ["ID", "STATE", "INCIDENTS", "LAST SEEN", "ASSIGNEE", "TITLE"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for problem in problems {
        rows.push(vec![
            output::line(&problem.id.to_string()),
            problem.state.as_str().replace('_', " "),
            problem.incident_count.to_string(),
            output::age(now, problem.last_seen_at),
            output::clipped(problem.assignee.as_deref().unwrap_or("-"), 24),
            output::clipped(&problem.title, 72),
        ]);
    }
    rows
}

fn next_step(args: &Args, problems: &[Problem], is_cut: bool) -> String {
    let what = match args.state {
        State::All => "problem".to_owned(),
        state => format!("{} problem", state.as_str().replace('_', "-")),
    };
    let Some(first) = problems.first() else {
        let hint = match args.state {
            State::All => "similar incidents propose one, or `watchbell problem create --incident ID` opens it",
            _ => "`watchbell problems --state all` lists past ones too",
        };
        return format!("no {what}; {hint}");
    };
    let more = if is_cut {
        format!(", and more: `--limit {}` shows them", args.limit.saturating_mul(4))
    } else {
        String::new()
    };
    let id = output::line(&first.id.to_string());
    let step = match first.state {
        ProblemState::Proposed => format!(", `watchbell problem accept {id}` takes it on"),
        _ => String::new(),
    };
    format!("{}{more}; `watchbell problem show {id}` tells its story{step}", output::plural(problems.len(), &what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::problem::tests::sample;

    #[test]
    fn a_problem_is_one_line_whatever_it_is_called() {
        let mut second = sample();
        second.title = "two\nlines\u{1b}[31m".into();
        second.assignee = None;
        second.state = ProblemState::Proposed;
        let mut out = Vec::new();
        let now = "2026-11-21T07:00:00Z".parse().unwrap();
        output::table(&mut out, &rows(&[sample(), second], now)).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @"
        ID              STATE        INCIDENTS  LAST SEEN  ASSIGNEE  TITLE
        prb-2c8dk0v9zd  known error  4          30m        team-web  web1 keeps failing: disk
        prb-2c8dk0v9zd  proposed     4          30m        -         two lines [31m
        ");
    }
}
