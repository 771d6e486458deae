//! `watchbell redrive`: sends dead letters once more, some or all of them. Decides how that is typed and
//! told; what becomes of each is decided in `engine/redrive.rs`.
//!
//! ```text
//! watchbell redrive --sink ops/slack
//! ```

use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::client::{self, Client, Connection, Refusal};
use super::common::hint_where_unknown;
use super::failure::{FAILED, note};
use super::output;

/// Refusals that are told one by one.
const TOLD_MAX: usize = 20;

#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("which").required(true))]
pub struct Args {
    /// Deliveries by their ids; `watchbell deliveries --state exhausted` lists them
    #[arg(value_name = "ID", group = "which")]
    pub ids: Vec<String>,
    /// All that were given up on this sink, `ops/slack` for example
    #[arg(long, value_name = "NAME", group = "which")]
    pub sink: Option<String>,
    /// All that were given up
    #[arg(long, group = "which")]
    pub all: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

/// What became of one.
#[derive(Debug, Deserialize, Serialize)]
struct Redrive {
    id: String,
    /// `done`, `already`, `superseded`, `cancelled` or `refused`.
    outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Redrive>,
    next_cursor: Option<String>,
}

/// # Errors
/// When the daemon cannot be reached, or refuses the only one that was asked for.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = Client::new(&args.connection)?;
    let results = if args.ids.is_empty() { all(&client, args.sink.as_deref())? } else { some(&client, &args.ids)? };
    if args.json {
        output::json(&results)?;
    } else {
        tell(&results);
    }
    let is_refused = results.iter().any(|result| result.outcome == "refused");
    Ok(if is_refused { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

fn all(client: &Client, sink: Option<&str>) -> anyhow::Result<Vec<Redrive>> {
    let (mut results, mut cursor) = (Vec::new(), None);
    loop {
        let page = client.post(&["deliveries", "redrive"], &json!({ "sink": sink, "cursor": cursor }))?;
        let page: Page = client::read(page)?;
        results.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(results);
        }
    }
}

fn some(client: &Client, ids: &[String]) -> anyhow::Result<Vec<Redrive>> {
    let mut results = Vec::new();
    for id in ids {
        match client.post(&["deliveries", id, "redrive"], &json!({})) {
            Ok(answer) => results.push(client::read(answer)?),
            // A list goes on after a refusal of one; a daemon that is away refuses nobody.
            Err(error) if ids.len() > 1 && error.chain().any(|cause| cause.is::<Refusal>()) => {
                let reason = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
                results.push(Redrive { id: id.clone(), outcome: "refused".to_owned(), reason: Some(reason) });
            }
            Err(error) => return Err(with_hint(error)),
        }
    }
    Ok(results)
}

fn with_hint(error: anyhow::Error) -> anyhow::Error {
    hint_where_unknown(error, "`watchbell deliveries --state exhausted` lists what was given up")
}

fn tell(results: &[Redrive]) {
    let told = |result: &&Redrive| result.reason.is_some() && (result.outcome == "refused" || results.len() == 1);
    for result in results.iter().filter(told).take(TOLD_MAX) {
        let reason = output::line(result.reason.as_deref().unwrap_or_default());
        note(format!("{} is {}: {reason}", output::line(&result.id), result.outcome));
    }
    note(summary(results));
}

fn summary(results: &[Redrive]) -> String {
    let count = |outcome: &str| results.iter().filter(|result| result.outcome == outcome).count();
    if results.is_empty() {
        return "nothing was given up".to_owned();
    }
    let mut text = match count("done") + count("already") {
        1 => "1 delivery goes out again".to_owned(),
        count => format!("{count} deliveries go out again"),
    };
    for (outcome, words) in [
        ("superseded", "with nothing to say any more"),
        ("cancelled", "about something long over"),
        ("refused", "refused"),
    ] {
        if count(outcome) > 0 {
            text.push_str(&format!(", {} {words}", count(outcome)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_what_went_and_what_did_not() {
        let of = |outcomes: &[&str]| {
            let one = |outcome: &&str| Redrive { id: "inc".into(), outcome: (*outcome).into(), reason: None };
            summary(&outcomes.iter().map(one).collect::<Vec<_>>())
        };
        insta::assert_snapshot!(of(&[]), @"nothing was given up");
        insta::assert_snapshot!(of(&["done"]), @"1 delivery goes out again");
        insta::assert_snapshot!(of(&["done", "already", "superseded", "cancelled", "refused"]), @"2 deliveries go out again, 1 with nothing to say any more, 1 about something long over, 1 refused");
    }
}
