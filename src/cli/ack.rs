//! `watchbell ack`: somebody has it, escalation stops. Decides only how that is typed.
//!
//! ```text
//! watchbell ack 7h3k --note "looking at the switch"
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
    let action = Action { path: "acknowledge", done: "acknowledged", body: json!({ "note": args.note }) };
    act::each(&args.connection, &args.ids, &action, args.json)
}
