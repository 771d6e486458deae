//! `watchbell schedule`: shifts of one schedule and the times with nobody, as a table. Times are those of the clock on the
//! wall of its zone.
//!
//! ```text
//! FROM              UNTIL             ON CALL  BY
//! 2026-11-23 09:00  2026-11-30 09:00  anna     layer 1
//! 2026-11-30 09:00  2026-12-01 09:00  nobody
//! ```

use std::io::Write;
use std::process::ExitCode;

use super::common::Common;
use super::failure::note;
use super::on_call::{self, Clock};
use super::output;
use crate::model::Timestamp;
use crate::model::schedule::view::OverviewView;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which schedule
    #[arg(value_name = "SCHEDULE")]
    pub schedule: String,
    /// From when on: `2026-12-24T08:00` on the schedule's clock, or with an offset; now, when absent
    #[arg(long, value_name = "WHEN")]
    pub from: Option<String>,
    /// Until when, at most 366 days later; two weeks, when absent
    #[arg(long, value_name = "WHEN")]
    pub until: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

/// # Errors
/// When a time cannot be read, the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = args.common.client()?;
    let read = |flag: &str, text: &Option<String>| -> anyhow::Result<Option<String>> {
        let Some(text) = text else { return Ok(None) };
        Ok(Some(on_call::moment(&client, Some(&args.schedule), flag, text)?.to_string()))
    };
    let (from, until) = (read("--from", &args.from)?, read("--until", &args.until)?);
    let asked = [("from", from.as_deref()), ("until", until.as_deref())];
    let query: Vec<(&str, &str)> = asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let answer = client.get(&["schedules", &args.schedule, "shifts"], &query).map_err(on_call::with_hint)?;
    args.common.show(answer, |overview: OverviewView| {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &rows(&overview))?;
        stdout.flush()?;
        note(words(&overview));
        Ok(())
    })
}

fn rows(overview: &OverviewView) -> Vec<Vec<String>> {
    let clock = Clock::of(&overview.time_zone);
    let row = |starts_at: Timestamp, ends_at: Timestamp, who: String, by: String| {
        (starts_at, vec![clock.show(starts_at), clock.show(ends_at), who, by])
    };
    let shifts = overview.shifts.iter().map(|shift| {
        let who = on_call::who(&shift.receiver, shift.display_name.as_deref());
        let by = on_call::reason(shift.by, shift.layer, shift.override_id.as_deref());
        row(shift.starts_at, shift.ends_at, who, by)
    });
    let gaps = overview.gaps.iter().map(|gap| row(gap.starts_at, gap.ends_at, "nobody".to_owned(), String::new()));
    let mut rows: Vec<(Timestamp, Vec<String>)> = shifts.chain(gaps).collect();
    rows.sort();
    let head = ["FROM", "UNTIL", "ON CALL", "BY"].map(str::to_owned).to_vec();
    [head].into_iter().chain(rows.into_iter().map(|(_, row)| row)).collect()
}

fn words(overview: &OverviewView) -> String {
    let zone = output::line(&overview.time_zone);
    let gaps = match overview.gaps.len() {
        0 => String::new(),
        count => format!(", {} with nobody", output::plural(count, "time")),
    };
    format!("{}{gaps}; times are those of {zone}", output::plural(overview.shifts.len(), "shift"))
}
