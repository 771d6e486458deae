//! `watchbell backup`: a copy of the store as of one instant, while the daemon goes on. Finds the store by
//! the configuration that the daemon runs with; never changes it and never overwrites a file.
//!
//! ```text
//! $ watchbell backup --config /etc/watchbell/watchbell.yaml /var/backups/watchbell.db
//! /var/backups/watchbell.db: 12.30 MiB, up to input 4711, checked
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::HumanBytes;
use serde_json::json;

use super::failure::Failure;
use super::{output, store};
use crate::store::SqliteReader;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The file to make; nothing may be there yet
    #[arg(value_name = "FILE")]
    pub to: PathBuf,
    /// The daemon's configuration file; may be given several times, as for `watchbell run`
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Print what was made as JSON
    #[arg(long)]
    pub json: bool,
}

/// # Errors
/// When the configuration does not fit, the store cannot be read or is damaged, or the file cannot be made.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let from = store::path(&args.config)?;
    if args.to.try_exists()? {
        let failure = Failure::misuse(format!("`{}` is there already", args.to.display()));
        return Err(failure.hint("nothing is overwritten; a date in the name makes it new every day").into());
    }
    let bar = store::progress_bar();
    let copied = SqliteReader::open(&from)
        .and_then(|reader| reader.backup(&args.to, &mut |done, all| store::show(&bar, done, all)));
    bar.finish_and_clear();
    let copied = copied.map_err(|error| store::with_way_out(error.into()))?;
    if args.json {
        output::json(&json!({ "path": args.to, "bytes": copied.bytes, "position": copied.position }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (to, bytes, position) = (args.to.display(), HumanBytes(copied.bytes), copied.position);
    writeln!(anstream::stdout().lock(), "{to}: {bytes}, up to input {position}, checked")?;
    Ok(ExitCode::SUCCESS)
}
