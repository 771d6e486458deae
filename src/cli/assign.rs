//! `watchbell assign`: someone shall take it. Decides only how that is typed.
//!
//! ```text
//! watchbell assign 7h3k --to team-network
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
    /// Person or team
    #[arg(long, value_name = "NAME")]
    pub to: String,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let action = Action { path: "assign", done: "assigned", body: json!({ "to": args.to }) };
    act::each(&args.connection, &args.ids, &action, args.json)
}
