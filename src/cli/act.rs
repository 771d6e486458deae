//! One command for several incidents: the words of `ack`, `resolve` and their like. Goes on after a
//! refusal, so that one wrong id does not keep the others waiting; never decides whether the wish is
//! granted, the engine does.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::process::ExitCode;

use super::client::{self, Client, Connection, Refusal};
use super::common::hint_where_unknown;
use super::failure::{FAILED, note};
use super::output;

/// What happened to one incident.
#[derive(Debug, Serialize)]
struct Done {
    /// As it was typed.
    asked: String,
    /// The whole id.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// `done`, `already` or `refused`.
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// What the daemon answers a command with.
#[derive(Deserialize)]
pub struct Outcome {
    pub id: String,
    pub outcome: String,
}

/// How an action is asked for and spoken of.
pub struct Action {
    /// Last part of the path, `acknowledge`.
    pub path: &'static str,
    /// `acknowledged`
    pub done: &'static str,
    pub body: Value,
}

/// Asks for the same for each of the ids.
///
/// # Errors
/// When the daemon cannot be reached, or the only id is refused.
pub fn each(connection: &Connection, ids: &[String], action: &Action, is_json: bool) -> anyhow::Result<ExitCode> {
    let client = Client::new(connection)?;
    let mut results = Vec::new();
    for id in ids {
        match client.post(&["incidents", id, action.path], &action.body) {
            Ok(answer) => {
                let answer: Outcome = client::read(answer)?;
                results.push(Done { asked: id.clone(), id: Some(answer.id), outcome: answer.outcome, reason: None });
            }
            // A list goes on after a refusal of one; a daemon that is away refuses nobody.
            Err(error) if ids.len() > 1 && error.chain().any(|cause| cause.is::<Refusal>()) => {
                let reason = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
                results.push(Done { asked: id.clone(), id: None, outcome: "refused".to_owned(), reason: Some(reason) });
            }
            Err(error) => return Err(with_hint(error)),
        }
    }
    if is_json {
        output::json(&results)?;
    } else {
        for result in &results {
            tell(result, action);
        }
    }
    let is_refused = results.iter().any(|result| result.outcome == "refused");
    Ok(if is_refused { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

pub fn with_hint(error: anyhow::Error) -> anyhow::Error {
    hint_where_unknown(error, "`watchbell incidents` lists what is going on")
}

fn tell(result: &Done, action: &Action) {
    let id = output::line(result.id.as_deref().unwrap_or(&result.asked));
    match (&result.reason, result.outcome.as_str()) {
        (Some(reason), _) => note(format!("{id} is not {}: {reason}", action.done)),
        (None, "already") => note(format!("{id} was {} already", action.done)),
        (None, _) => note(format!("{id} is {}", action.done)),
    }
}
