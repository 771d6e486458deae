//! `watchbell problem`: its story, and everything that people do with one. Decides only how that is typed and
//! told; what may follow what is decided in the engine. `problems.rs` lists them.
//!
//! ```text
//! watchbell problem accept 2c8d
//! watchbell problem analyse 2c8d "the log is never rotated"
//! watchbell problem workaround 2c8d "rotate it by hand"
//! ```

use std::io::{self, Write};
use std::process::ExitCode;

use owo_colors::OwoColorize;
use serde_json::{Value, json};

use super::act::Outcome;
use super::client::{self, Client};
use super::common::{Common, hint_where_unknown};
use super::failure::note;
use super::output;
use crate::clock::Clock;
use crate::model::problem::ProblemState;
use crate::model::{Problem, TimelineEntry, Timestamp};

/// Timeline entries that are fetched.
const ENTRIES_MAX: usize = 1_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    pub action: Action,
}

#[derive(Debug, clap::Args)]
pub struct Which {
    /// Problem: its id or the beginning of it, with or without `prb-`
    #[arg(value_name = "ID")]
    pub id: String,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Debug, clap::Subcommand)]
pub enum Action {
    /// Tell what is known about it and what was done
    Show(Which),
    /// Open one behind incidents that you see together
    Create {
        /// An incident of it; may be given several times
        #[arg(long = "incident", required = true, value_name = "ID")]
        incidents: Vec<String>,
        /// What to call it [else as the first incident is called]
        #[arg(long, value_name = "TEXT")]
        title: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Take on what was proposed: somebody is to find the cause
    Accept(Which),
    /// Decline what was proposed; the like of it is not proposed again
    Reject {
        #[command(flatten)]
        which: Which,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Say that it is the same as another one, which goes on
    Merge {
        #[command(flatten)]
        which: Which,
        /// The problem that goes on
        #[arg(long, value_name = "ID")]
        into: String,
    },
    /// Say what the cause is
    Analyse {
        #[command(flatten)]
        which: Which,
        /// The root cause, in words
        #[arg(value_name = "TEXT")]
        text: String,
    },
    /// Say what to do while it is not fixed; every incident of it shows that
    Workaround {
        #[command(flatten)]
        which: Which,
        /// What to do
        #[arg(value_name = "TEXT")]
        text: String,
    },
    /// Say that it is fixed; the next incident like it opens it again
    Resolve {
        #[command(flatten)]
        which: Which,
        /// What was done
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Say that it is not fixed after all
    Reopen {
        #[command(flatten)]
        which: Which,
        /// Why
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
    /// Give it to a person or a team
    Assign {
        #[command(flatten)]
        which: Which,
        /// Person or team
        #[arg(long, value_name = "NAME")]
        to: String,
    },
    /// Give it a better name
    Retitle {
        #[command(flatten)]
        which: Which,
        /// The new name
        #[arg(value_name = "TITLE")]
        title: String,
    },
    /// Say that an incident belongs to it, although it looks different
    Link {
        #[command(flatten)]
        which: Which,
        /// Incident: its id or the beginning of it
        #[arg(long, value_name = "ID")]
        incident: String,
    },
    /// Say that an incident does not belong to it, although it looks alike
    Unlink {
        #[command(flatten)]
        which: Which,
        /// Incident: its id or the beginning of it
        #[arg(long, value_name = "ID")]
        incident: String,
    },
}

/// How an action is asked for and spoken of.
struct Wish<'a> {
    which: &'a Which,
    /// Last part of the path.
    path: &'static str,
    body: Value,
    /// `accepted`, after "is".
    done: &'static str,
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    match &args.action {
        Action::Show(which) => return show(which),
        Action::Create { incidents, title, common } => {
            let body = json!({ "incidents": incidents, "title": title });
            let answer = common.client()?.post(&["problems"], &body).map_err(with_hint)?;
            return finish(common, answer, "open");
        }
        _ => {}
    }
    let Some(Wish { which, path, body, done }) = wish(&args.action) else { return Ok(ExitCode::SUCCESS) };
    let client = which.common.client()?;
    let answer = client.post(&["problems", which.id.trim(), path], &body).map_err(with_hint)?;
    finish(&which.common, answer, done)
}

fn wish(action: &Action) -> Option<Wish<'_>> {
    let (which, path, body, done) = match action {
        Action::Show(_) | Action::Create { .. } => return None,
        Action::Accept(which) => (which, "accept", json!({}), "accepted"),
        Action::Reject { which, note } => (which, "reject", json!({ "note": note }), "rejected"),
        Action::Merge { which, into } => (which, "merge", json!({ "into": into }), "what goes on"),
        Action::Analyse { which, text } => (which, "analyse", json!({ "root_cause_analysis": text }), "analysed"),
        Action::Workaround { which, text } => (which, "workaround", json!({ "workaround": text }), "worked around"),
        Action::Resolve { which, note } => (which, "resolve", json!({ "note": note }), "resolved"),
        Action::Reopen { which, note } => (which, "reopen", json!({ "note": note }), "open again"),
        Action::Assign { which, to } => (which, "assign", json!({ "to": to }), "assigned"),
        Action::Retitle { which, title } => (which, "retitle", json!({ "title": title }), "renamed"),
        Action::Link { which, incident } => (which, "link", json!({ "incident": incident }), "linked"),
        Action::Unlink { which, incident } => (which, "unlink", json!({ "incident": incident }), "unlinked"),
    };
    Some(Wish { which, path, body, done })
}

fn finish(common: &Common, answer: Value, done: &str) -> anyhow::Result<ExitCode> {
    common.finish(answer, |Outcome { id, outcome }| {
        let id = output::line(&id);
        match outcome.as_str() {
            "already" => format!("{id} was {done} already"),
            _ => format!("{id} is {done}; `watchbell problem show {id}` tells its story"),
        }
    })
}

fn with_hint(error: anyhow::Error) -> anyhow::Error {
    let hint = "`watchbell problems --state all` lists problems, `watchbell incidents` what is going on";
    hint_where_unknown(error, hint)
}

fn show(which: &Which) -> anyhow::Result<ExitCode> {
    let client = which.common.client()?;
    let problem = client.get(&["problems", which.id.trim()], &[]).map_err(with_hint)?;
    tell(&client, problem, which.common.json)
}

/// Prints what is known about a problem that the daemon has answered.
///
/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn tell(client: &Client, problem: Value, is_json: bool) -> anyhow::Result<ExitCode> {
    let known: Problem = client::read(problem.clone())?;
    let (entries, is_cut) = client.list(&["problems", &known.id.0, "timeline"], &[], ENTRIES_MAX)?;
    if is_json {
        output::json(&json!({ "kind": "problem", "problem": problem, "timeline": entries, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let entries = entries.into_iter().map(client::read).collect::<anyhow::Result<Vec<TimelineEntry>>>()?;
    let mut stdout = anstream::stdout().lock();
    story(&known, &entries, Clock::System.now(), &mut stdout)?;
    stdout.flush()?;
    if is_cut {
        note(format!("only the first {ENTRIES_MAX} entries are shown"));
    }
    if let Some(step) = next_step(&known) {
        note(step);
    }
    Ok(ExitCode::SUCCESS)
}

fn story(problem: &Problem, entries: &[TimelineEntry], now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{}", output::line(&format!("problem {}: {}", problem.id, problem.title)).bold())?;
    let lines = lines(problem, now);
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, text) in lines {
        writeln!(out, "  {key:<width$}  {}", output::line(&text))?;
    }
    if entries.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", "timeline (UTC)".bold())?;
    let row = |entry: &TimelineEntry| {
        vec![format!("  {}", output::moment(entry.at)), output::line(&entry.by), output::line(&entry.text)]
    };
    output::table(out, &entries.iter().map(row).collect::<Vec<_>>())
}

fn lines(problem: &Problem, now: Timestamp) -> Vec<(&'static str, String)> {
    let by = |who: &Option<String>| who.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
    let word = problem.state.as_str().replace('_', " ");
    let state = match problem.state {
        ProblemState::Resolved => format!("{word}{}", by(&problem.resolved_by)),
        ProblemState::Rejected => format!("{word}{}", by(&problem.rejected_by)),
        _ if problem.reopened_at.is_some() => format!("{word}; it had been resolved and came back"),
        _ => word,
    };
    let seen = output::age(now, problem.last_seen_at);
    let incidents: Vec<String> = problem.incidents.iter().rev().take(5).map(ToString::to_string).collect();
    let latest = if incidents.is_empty() { String::new() } else { format!(", latest {}", incidents.join(", ")) };
    let mut lines = vec![
        ("state", state),
        ("created", format!("{} ago by {}", output::age(now, problem.created_at), problem.created_by)),
        ("incidents", format!("{}, last seen {seen} ago{latest}", problem.incident_count)),
    ];
    if let Some(signature) = &problem.signature {
        let what = match (&signature.root, &signature.kind) {
            (Some(root), _) => root.clone(),
            (None, Some(kind)) => format!("any item of the kind {kind}"),
            (None, None) => "anything".to_owned(),
        };
        let families = signature.families.iter().cloned().collect::<Vec<_>>().join(", ");
        lines.push(("looks like", format!("{what}: {}", output::clipped(&families, 200))));
    }
    let texts = [
        ("assigned to", &problem.assignee),
        ("root cause", &problem.root_cause_analysis),
        ("workaround", &problem.workaround),
        ("note", &problem.note),
    ];
    lines.extend(texts.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))));
    if !problem.merged_from.is_empty() {
        let all: Vec<String> = problem.merged_from.iter().map(ToString::to_string).collect();
        lines.push(("took in", all.join(", ")));
    }
    lines
}

fn next_step(problem: &Problem) -> Option<String> {
    let id = output::line(&problem.id.to_string());
    Some(match (problem.state, &problem.workaround) {
        (ProblemState::Proposed, _) => {
            format!("`watchbell problem accept {id}` takes it on, `watchbell problem reject {id}` declines it")
        }
        (ProblemState::Open, _) => format!("`watchbell problem analyse {id} \"…\"` says what the cause is"),
        (ProblemState::Analysed, None) => {
            format!("`watchbell problem workaround {id} \"…\"` says what to do meanwhile")
        }
        (ProblemState::Analysed | ProblemState::KnownError, _) => {
            format!("`watchbell problem resolve {id}` says that it is fixed")
        }
        _ => return None,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::incident_id::sample_id;
    use crate::model::timeline::TimelineKind;

    pub fn sample() -> Problem {
        serde_json::from_value(json!({
            "id": "prb-2c8dk0v9zd", "state": "known_error", "title": "web1 keeps failing: disk",
            "signature": { "root": "web1", "kind": "host", "families": ["disk"] },
            "incidents": [sample_id("inc-a")], "incident_count": 4, "last_seen_at": "2026-11-21T06:30:00Z",
            "created_by": "watchbell", "created_at": "2026-11-21T05:00:00Z", "updated_at": "2026-11-21T05:00:00Z",
            "assignee": "team-web", "root_cause_analysis": "the log is never rotated", "workaround": "rotate it",
            "reopened_at": "2026-11-21T06:30:00Z", "merged_from": ["prb-1111111111"],
        }))
        .unwrap()
    }

    #[test]
    fn the_story_says_what_it_is_and_what_was_done() {
        let entry = TimelineEntry {
            at: "2026-11-21T05:10:00Z".parse().unwrap(),
            kind: TimelineKind::ProblemAccepted,
            incident: None,
            alert: None,
            problem: None,
            by: "ada".into(),
            text: "accepted".into(),
        };
        let mut out = Vec::new();
        story(&sample(), &[entry], "2026-11-21T07:00:00Z".parse().unwrap(), &mut anstream::StripStream::new(&mut out))
            .unwrap();
        let story = String::from_utf8(out).unwrap().replace(&sample_id("inc-a").to_string(), "inc-a");
        insta::assert_snapshot!(story, @"
        problem prb-2c8dk0v9zd: web1 keeps failing: disk
          state        known error; it had been resolved and came back
          created      2h ago by watchbell
          incidents    4, last seen 30m ago, latest inc-a
          looks like   web1: disk
          assigned to  team-web
          root cause   the log is never rotated
          workaround   rotate it
          took in      prb-1111111111

        timeline (UTC)
          2026-11-21 05:10:00  ada  accepted
        ");
    }

    #[test]
    fn the_next_step_is_named() {
        let steps = ProblemState::ALL.map(|state| {
            let workaround = (state == ProblemState::KnownError).then(String::new);
            next_step(&Problem { state, workaround, ..sample() }).unwrap_or_else(|| "nothing".into())
        });
        insta::assert_snapshot!(steps.join("\n"), @r#"
        `watchbell problem accept prb-2c8dk0v9zd` takes it on, `watchbell problem reject prb-2c8dk0v9zd` declines it
        `watchbell problem analyse prb-2c8dk0v9zd "…"` says what the cause is
        `watchbell problem workaround prb-2c8dk0v9zd "…"` says what to do meanwhile
        `watchbell problem resolve prb-2c8dk0v9zd` says that it is fixed
        nothing
        nothing
        nothing
        "#);
    }
}
