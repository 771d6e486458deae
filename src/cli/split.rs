//! `watchbell split`: alerts of an incident are another fault. Decides only how that is typed.
//!
//! ```text
//! watchbell split 7h3k --alerts 9f2c5d1e7a3b4c60,03aa71be5520cd94
//! ```

use serde_json::json;
use std::process::ExitCode;

use super::act::{self, Outcome};
use super::common::Common;
use super::output;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Incident: its id or the beginning of it, with or without `inc-`
    #[arg(value_name = "ID")]
    pub id: String,
    /// Alerts that are another fault, by their fingerprints; may be given several times
    #[arg(long, required = true, value_name = "ALERT,…", value_delimiter = ',')]
    pub alerts: Vec<String>,
    /// The incident that they go to [else one of their own]
    #[arg(long, value_name = "ID")]
    pub into: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let alerts: Vec<&str> = args.alerts.iter().map(|alert| alert.trim()).filter(|alert| !alert.is_empty()).collect();
    let body = json!({ "alerts": alerts, "into": args.into });
    let answer = args.common.client()?.post(&["incidents", args.id.trim(), "split"], &body);
    args.common.finish(answer.map_err(act::with_hint)?, |Outcome { id, outcome }| {
        let (id, count) = (output::line(&id), output::plural(alerts.len(), "alert"));
        match outcome.as_str() {
            "already" => format!("{count} went to {id} already"),
            _ => format!("{count} went to {id}; `watchbell explain {id}` tells its story"),
        }
    })
}
