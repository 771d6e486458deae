//! `watchbell changes`: what was altered outside, and when, as a table. Decides which columns; what becomes of
//! several tellings of one change is decided in `model/change.rs`.
//!
//! ```text
//! AGE  STATE      KIND    ITEM      REFERENCE  BY   SOURCE  SUMMARY
//! 12m  succeeded  deploy  shop-web  v1.4.2     ada  argocd  New checkout
//! ```

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::client::{self, Client, Connection};
use super::failure::note;
use super::output;
use crate::clock::Clock;
use crate::model::{Change, Span, Timestamp};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only of this item, as alerts and incidents name it
    #[arg(long, value_name = "NAME")]
    pub configuration_item: Option<String>,
    /// Only those that began then or later: a time (2026-11-21T05:00:00Z) or how long ago (2h)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub since: Option<Moment>,
    /// Only those that began then or before
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<Moment>,
    /// How many at most, latest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print the changes as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    At(Timestamp),
    Ago(Span),
}

impl Moment {
    /// As the API reads it.
    pub fn at(self, now: Timestamp) -> String {
        match self {
            Self::At(at) => at.to_string(),
            Self::Ago(span) => (now - span).to_string(),
        }
    }
}

/// # Errors
/// For what is neither a time nor a length of time.
pub fn moment(text: &str) -> Result<Moment, String> {
    let at = text.parse().map(Moment::At);
    at.or_else(|_| text.parse().map(Moment::Ago))
        .map_err(|_| "expected a time such as `2026-11-21T05:00:00Z`, or how long ago, such as `2h`".to_owned())
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = Clock::System.now();
    let (since, until) = (args.since.map(|moment| moment.at(now)), args.until.map(|moment| moment.at(now)));
    let mut query = Vec::new();
    query.extend(args.configuration_item.as_deref().map(|item| ("configuration_item", item)));
    query.extend(since.as_deref().map(|at| ("since", at)));
    query.extend(until.as_deref().map(|at| ("until", at)));
    let (items, is_cut) = Client::new(&args.connection)?.list(&["changes"], &query, args.limit as usize)?;
    if args.json {
        output::json(&json!({ "items": items, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let changes = items.into_iter().map(client::read).collect::<anyhow::Result<Vec<Change>>>()?;
    if !changes.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &rows(&changes, now))?;
        stdout.flush()?;
    }
    note(next_step(args, &changes, is_cut));
    Ok(ExitCode::SUCCESS)
}

fn rows(changes: &[Change], now: Timestamp) -> Vec<Vec<String>> {
    let head = ["AGE", "STATE", "KIND", "ITEM", "REFERENCE", "BY", "SOURCE", "SUMMARY"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for change in changes {
        let altered = change.configuration_item.as_deref().or(change.service.as_deref()).unwrap_or_default();
        let age =
            if change.at > now { format!("in {}", output::age(change.at, now)) } else { output::age(now, change.at) };
        rows.push(vec![
            age,
            change.state.as_str().to_owned(),
            change.kind.as_str().to_owned(),
            output::clipped(altered, 48),
            output::clipped(change.reference.as_deref().unwrap_or_default(), 24),
            output::clipped(change.author.as_deref().unwrap_or_default(), 24),
            output::line(&change.source),
            output::clipped(&change.summary, 72),
        ]);
    }
    rows
}

fn next_step(args: &Args, changes: &[Change], is_cut: bool) -> String {
    if changes.is_empty() {
        let is_filtered = args.configuration_item.is_some() || args.since.is_some() || args.until.is_some();
        return if is_filtered {
            "no such change".to_owned()
        } else {
            "no change is known; `watchbell integrations changes` says how to tell of them".to_owned()
        };
    }
    let count = output::plural(changes.len(), "change");
    match is_cut {
        true => format!("{count}, and more: `--limit {}` shows them", args.limit.saturating_mul(4)),
        false => count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChangeKind, ChangeState};

    #[test]
    fn a_change_is_one_line_whatever_was_told() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let change = |state, began: &str, summary: &str| Change {
            id: "1".into(),
            at: at(began),
            received_at: at(began),
            source: "argocd".into(),
            kind: ChangeKind::Deploy,
            state,
            state_at: None,
            configuration_item: Some("shop-web".into()),
            service: None,
            reference: Some("v1.4.2".into()),
            summary: summary.into(),
            author: Some("ada".into()),
            url: None,
        };
        let planned = Change {
            kind: ChangeKind::Maintenance,
            configuration_item: None,
            service: Some("shop".into()),
            author: None,
            ..change(ChangeState::Planned, "2026-11-22T01:30:00Z", "")
        };
        let changes = [planned, change(ChangeState::RolledBack, "2026-11-21T05:18:00Z", "New\n\u{1b}[31mcheckout")];
        let mut out = Vec::new();
        output::table(&mut out, &rows(&changes, at("2026-11-21T05:30:00Z"))).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        AGE     STATE        KIND         ITEM      REFERENCE  BY   SOURCE  SUMMARY
        in 20h  planned      maintenance  shop      v1.4.2          argocd
        12m     rolled_back  deploy       shop-web  v1.4.2     ada  argocd  New [31mcheckout
        "#);
    }

    #[test]
    fn times_are_read_in_both_forms() {
        let now: Timestamp = "2026-11-21T05:30:00Z".parse().unwrap();
        let read = |text: &str| moment(text).map(|moment| moment.at(now));
        assert_eq!(read("2h").as_deref(), Ok("2026-11-21T03:30:00.000Z"));
        assert_eq!(read("2026-11-21T05:00:00Z").as_deref(), Ok("2026-11-21T05:00:00.000Z"));
        insta::assert_snapshot!(read("yesterday").unwrap_err(), @"expected a time such as `2026-11-21T05:00:00Z`, or how long ago, such as `2h`");
    }
}
