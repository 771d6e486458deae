//! `watchbell comment`: adds words to an incident's timeline. Decides only how that is typed.
//!
//! ```text
//! watchbell comment 7h3k "the supplier is on site at six"
//! ```

use serde_json::json;
use std::process::ExitCode;

use super::act::{self, Action};
use super::client::Connection;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Incident: its id or the beginning of it, with or without `inc-`
    #[arg(value_name = "ID")]
    pub id: String,
    /// What to say
    #[arg(value_name = "TEXT")]
    pub text: String,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let action = Action { path: "comment", done: "commented", body: json!({ "text": args.text }) };
    act::each(&args.connection, std::slice::from_ref(&args.id), &action, args.json)
}
