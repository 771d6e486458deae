//! `watchbell restore`: a copy made by `watchbell backup` becomes the store again. Refuses while a daemon
//! runs on the store, checks the copy before it touches anything, and keeps what it replaces.
//!
//! ```text
//! $ watchbell restore --config /etc/watchbell/watchbell.yaml /var/backups/watchbell.db
//! restored 12.30 MiB, up to input 4711
//! the store from before is in /var/lib/watchbell/watchbell.db.before-2026-11-21T05-12-00Z
//! ```

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::HumanBytes;
use serde_json::json;

use super::{output, store};
use crate::clock::Clock;

#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The copy
    #[arg(value_name = "FILE")]
    pub from: PathBuf,
    /// The daemon's configuration file; may be given several times, as for `watchbell run`
    #[arg(short, long = "config", value_name = "FILE")]
    pub config: Vec<PathBuf>,
    /// Print what was done as JSON
    #[arg(long)]
    pub json: bool,
}

/// # Errors
/// When the configuration does not fit, a daemon runs, or the copy is not sound; nothing has changed then.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let to = store::path(&args.config)?;
    let aside = format!(".before-{}Z", output::moment(Clock::System.now()).replace(' ', "T").replace(':', "-"));
    let bar = store::progress_bar();
    let restored = crate::store::restore(&args.from, &to, &aside, &mut |done, all| store::show(&bar, done, all));
    bar.finish_and_clear();
    let restored = restored.map_err(|error| store::with_way_out(error.into()))?;
    let copied = restored.copied;
    if args.json {
        output::json(&json!({
            "path": to, "bytes": copied.bytes, "position": copied.position, "put_aside": restored.put_aside,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stdout = anstream::stdout().lock();
    writeln!(stdout, "restored {}, up to input {}", HumanBytes(copied.bytes), copied.position)?;
    if let Some(put_aside) = restored.put_aside {
        writeln!(stdout, "the store from before is in {}", put_aside.display())?;
    }
    Ok(ExitCode::SUCCESS)
}
