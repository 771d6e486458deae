//! `watchbell silence`: people do not hear about what matches, for a time; what is muted still counts and
//! can be explained. Decides how matchers are typed; what they mute is decided at each notification.
//!
//! ```text
//! watchbell silence team=network 'instance=~"sw-.*"' --for 1h --comment "firmware"
//! watchbell silence --end sil-3f0c…
//! ```

use serde::Deserialize;
use serde_json::{Value, json};
use std::process::ExitCode;

use super::client::{self, Client, Connection};
use super::failure::{Failure, note};
use super::output;
use crate::model::{Matcher, Span};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to mute, all of them must fit: `team=ops`, `instance=~"db-.*"`, `site!=fra1`
    #[arg(value_name = "MATCHER", required_unless_present = "end")]
    pub matchers: Vec<String>,
    /// How long: `30m`, `1h`, `2d`
    #[arg(long = "for", value_name = "TIME", required_unless_present = "end")]
    pub duration: Option<String>,
    /// Why: whoever wonders at night reads it
    #[arg(long, value_name = "TEXT", required_unless_present = "end")]
    pub comment: Option<String>,
    /// End this silence now instead
    #[arg(long, value_name = "SILENCE", conflicts_with_all = ["matchers", "duration", "comment"])]
    pub end: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Deserialize)]
struct Outcome {
    id: String,
}

/// # Errors
/// When a matcher or the time does not fit, the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(id) = &args.end {
        let answer = Client::new(&args.connection)?.delete(&["silences", id])?;
        return finish(args, answer, |id| format!("the silence {id} has ended"));
    }
    let asked = wish(args)?;
    let answer = Client::new(&args.connection)?.post(&["silences"], &asked)?;
    finish(args, answer, |id| format!("silenced; `watchbell silence --end {id}` ends it early"))
}

fn finish(args: &Args, answer: Value, words: impl Fn(&str) -> String) -> anyhow::Result<ExitCode> {
    if args.json {
        output::json(&answer)?;
    } else {
        let Outcome { id } = client::read(answer)?;
        note(words(&output::line(&id)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Checked here too, so that a slip is answered without a daemon and with the exit code for usage.
fn wish(args: &Args) -> Result<Value, Failure> {
    let mut matchers = Vec::new();
    for text in &args.matchers {
        let parsed = Matcher::parse_all(text);
        matchers.extend(parsed.map_err(|error| Failure::misuse(format!("`{}`: {error}", output::line(text))))?);
    }
    let text = args.duration.as_deref().unwrap_or_default();
    let span: Span = text.parse().map_err(|error| Failure::misuse(format!("`--for`: {error}")))?;
    if span.is_zero() {
        return Err(Failure::misuse("`--for`: expected a time above 0"));
    }
    Ok(json!({ "matchers": matchers, "duration": span, "comment": args.comment }))
}
