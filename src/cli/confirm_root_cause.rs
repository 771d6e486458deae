//! `watchbell confirm-root-cause`: a person says which item it was, and the ranking leaves it alone from then on.
//! Decides only how that is typed.
//!
//! ```text
//! watchbell confirm-root-cause 7h3k rtr1
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
    /// The configuration item that was the cause
    #[arg(value_name = "ITEM")]
    pub item: String,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let body = json!({ "configuration_item": args.item });
    let action = Action { path: "confirm-root-cause", done: "confirmed", body };
    act::each(&args.connection, std::slice::from_ref(&args.id), &action, args.json)
}
