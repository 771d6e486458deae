//! `watchbell audit`: who changed what, and the proof that nobody changed that record afterwards. `list`
//! asks the daemon; `verify` reads the store's own file, with or without a daemon, and so works on a
//! backup and does not have to trust the daemon. What holds the chain together is in `model/audit.rs`.
//!
//! ```text
//! watchbell audit verify                            128 rows, head 3f0c…: every row is as it was written
//! watchbell audit verify --expect-head 3f0c…        … and nothing was cut off since that head was noted
//! ```

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use super::client::{self, Client, Connection};
use super::failure::{FAILED, Failure, note};
use super::output;
use crate::app::environment;
use crate::config::{self, StoreSettings};
use crate::model::audit::{AuditHash, AuditRow, Break, Chain};
use crate::store::{PageQuery, Reader, SqliteReader, StoreError};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List who changed what, and who was refused, newest first
    List(ListArgs),
    /// Check that no row was changed, deleted, put in or moved since it was written
    Verify(VerifyArgs),
}

#[derive(Debug, clap::Args)]
pub struct ListArgs {
    /// How many at most, newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print the rows as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// Configuration file that says where the store is; may be given several times
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// The store's file itself, a backup for example
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    pub store: Option<PathBuf>,
    /// A head noted earlier: fails when the log no longer leads to it, because its end was cut off
    #[arg(long, value_name = "HASH")]
    pub expect_head: Option<AuditHash>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
}

/// # Errors
/// When the daemon or the store cannot be read, or the log is not what was written.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::List(args) => list(args),
        Command::Verify(args) => verify(args),
    }
}

fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let (items, is_cut) = Client::new(&args.connection)?.list(&["audit"], &[], args.limit as usize)?;
    if args.json {
        output::json(&json!({ "items": items, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = items.into_iter().map(client::read).collect::<anyhow::Result<Vec<AuditRow>>>()?;
    if !rows.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &table(&rows))?;
        stdout.flush()?;
    }
    let more = if is_cut {
        format!(", and more: `--limit {}` shows them", args.limit.saturating_mul(4))
    } else {
        String::new()
    };
    note(format!(
        "{}{more}; `watchbell audit verify` checks that they are as they were written",
        output::plural(rows.len(), "row")
    ));
    Ok(ExitCode::SUCCESS)
}

fn table(rows: &[AuditRow]) -> Vec<Vec<String>> {
    let mut table = vec![["ROW", "AT", "WHO", "ACTION", "SUBJECT", "OUTCOME"].map(str::to_owned).to_vec()];
    for AuditRow { number, entry, .. } in rows {
        table.push(vec![
            number.to_string(),
            output::moment(entry.at),
            output::clipped(&entry.principal, 32),
            output::clipped(&entry.action, 32),
            output::clipped(&entry.subject, 48),
            output::clipped(&entry.outcome, 72),
        ]);
    }
    table
}

/// What was found.
#[derive(Debug, Serialize)]
struct Verdict {
    is_intact: bool,
    /// Rows that hold, from the first one on.
    rows: u64,
    /// Hash of the last of them.
    head: AuditHash,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_broken_row: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

fn verify(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let path = store_path(args)?;
    let reader = SqliteReader::open(&path)?;
    let verdict = walk(&reader, args.expect_head, &progress(&reader)?)?;
    if args.json {
        output::json(&verdict)?;
        return Ok(if verdict.is_intact { ExitCode::SUCCESS } else { ExitCode::from(FAILED) });
    }
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "rows  {}\nhead  {}", verdict.rows, verdict.head)?;
    stdout.flush()?;
    match verdict.reason {
        Some(reason) => Err(Failure::new(format!("the audit log in `{}` is not as it was written", path.display()))
            .cause(reason)
            .hint("`rows` and `head` are what still holds; compare with a backup (`--store FILE`) and with the heads in the daemon's log")
            .into()),
        None => {
            let expected = if args.expect_head.is_some() { " and leads to the expected head" } else { "" };
            note(format!("every row is as it was written{expected}; a head kept elsewhere shows later, with `--expect-head`, that nothing was cut off"));
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn store_path(args: &VerifyArgs) -> Result<PathBuf, Failure> {
    if let Some(path) = &args.store {
        return Ok(path.clone());
    }
    let configuration = config::load(&args.config, environment()).map_err(|_| {
        Failure::misuse("the configuration does not fit")
            .hint("`watchbell check` shows each error with its line; `--store FILE` does without a configuration")
    })?;
    let StoreSettings::Sqlite { path } = configuration.store;
    Ok(path)
}

/// Rows read at a time.
const STEP_ROWS: u32 = 5_000;
/// Fewer are checked before anyone could read a progress bar.
const PROGRESS_ROWS_MIN: u64 = 50_000;

fn progress(reader: &dyn Reader) -> Result<ProgressBar, StoreError> {
    let newest = reader.audit(&PageQuery { cursor: None, limit: 1 })?.items.pop().map_or(0, |row| row.number);
    if newest < PROGRESS_ROWS_MIN {
        return Ok(ProgressBar::hidden());
    }
    let template = "{bar:40} {human_pos} of {human_len} rows, {eta} left";
    // The template is a constant; should it ever not fit, the plain bar does.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    Ok(ProgressBar::new(newest).with_style(style))
}

/// From the first row to the last or to the first that does not hold.
fn walk(reader: &dyn Reader, expected: Option<AuditHash>, progress: &ProgressBar) -> Result<Verdict, StoreError> {
    let mut chain = Chain::EMPTY;
    let mut is_expected = expected.is_none_or(|head| head == chain.head);
    let mut last = None;
    let broken = loop {
        let rows = reader.audit_after(last, STEP_ROWS)?;
        let Some(newest) = rows.last() else { break None };
        last = Some(newest.number);
        if let Some(broken) = rows.iter().find_map(|row| {
            let followed = chain.follow(row).err();
            is_expected |= expected == Some(chain.head);
            followed
        }) {
            break Some(broken);
        }
        progress.set_position(chain.rows);
    };
    progress.finish_and_clear();
    let is_cut = || {
        format!(
            "no row has the expected head: the log was cut off or written anew, {} are left",
            output::plural(chain.rows as usize, "row")
        )
    };
    let reason = broken.as_ref().map(Break::to_string).or_else(|| (!is_expected).then(is_cut));
    Ok(Verdict {
        is_intact: reason.is_none(),
        rows: chain.rows,
        head: chain.head,
        first_broken_row: broken.as_ref().map(Break::row),
        reason,
    })
}

#[cfg(test)]
mod tests;
