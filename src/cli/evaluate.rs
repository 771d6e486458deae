//! `watchbell evaluate`: judges the engine on data whose failures are known, beside simple methods on the same
//! data. Decides how it is called and told; what is measured is a matter of `evaluate/`. Needs no daemon, no
//! configuration and no network.
//!
//! ```text
//! watchbell evaluate ./incidents-2026 --json | jq '.sets[].root_cause[0].ac_1'
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::{Failure, warn};
use super::output;
use crate::evaluate::engine::Watchbell;
use crate::evaluate::read::{self, SetError};
use crate::evaluate::report::{self, Intervals, Report};
use crate::evaluate::{self, STEPS};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Directories with `alerts.jsonl.gz`, `topology.json`, `truth.jsonl` and, where there are any, `changes.jsonl`
    #[arg(value_name = "DIR", required = true)]
    pub directories: Vec<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    pub json: bool,
}

/// # Errors
/// When a directory cannot be read or does not fit the format; nothing is judged then.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let sets = args.directories.iter().map(|folder| read::read(folder));
    let sets = sets.collect::<Result<Vec<_>, _>>().map_err(with_way_out)?;
    let bar = progress_bar(sets.len() as u64 * STEPS);
    let mut reports = Vec::new();
    for set in &sets {
        let report = evaluate::evaluate(set, &Watchbell, |step| {
            bar.set_message(format!("{}: {step}", output::line(&set.name)));
            bar.inc(1);
        });
        reports.push(report);
    }
    bar.finish_and_clear();
    reports.iter().flat_map(report::worse_when_confirmed).for_each(warn);
    if args.json {
        output::json(&Report { intervals: Intervals::default(), sets: reports })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stdout = anstream::stdout().lock();
    for (number, report) in reports.iter().enumerate() {
        if number > 0 {
            writeln!(stdout)?;
        }
        report.write(&mut stdout)?;
    }
    stdout.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn with_way_out(error: SetError) -> anyhow::Error {
    let hint = match &error {
        SetError::Unreadable { .. } => {
            "a set is a directory with `alerts.jsonl.gz`, `topology.json` and `truth.jsonl`; docs/evaluation.md shows \
             how to make one of your own incidents"
        }
        SetError::TooLarge { .. } => "split it by time, and evaluate the parts as sets of their own",
        SetError::Invalid { .. } => "docs/evaluation.md says what each field means",
    };
    Failure::misuse("cannot use the labelled data").cause(error).hint(hint).into()
}

/// A bar for people on stderr; without a terminal nothing is drawn.
fn progress_bar(steps: u64) -> ProgressBar {
    // The template is a constant that can be read; otherwise the bar would only be plainer.
    let style = ProgressStyle::with_template("[{bar:40}] {msg}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(steps).with_style(style.progress_chars("=> "))
}
