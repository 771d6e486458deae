//! `watchbell resolve`: the service is back, whatever the monitors still say. Decides only how that is
//! typed.
//!
//! ```text
//! watchbell resolve 7h3k 9d2m --note "switched to the second feed"
//! ```

use serde_json::json;
use std::process::ExitCode;

use super::act::{self, Action};
use super::client::Connection;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Incidents: their ids or the beginnings of them, with or without `inc-`
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
    /// A word for the timeline
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let action = Action { path: "resolve", done: "resolved", body: json!({ "note": args.note }) };
    act::each(&args.connection, &args.ids, &action, args.json)
}
