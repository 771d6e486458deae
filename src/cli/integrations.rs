//! `watchbell integrations`: every source and sink there is, and how each is set up. Decides the form;
//! the words stand in the file of each system.
//!
//! ```text
//! watchbell integrations               the list
//! watchbell integrations slack         how to set up one
//! watchbell integrations --markdown    all of them as one page
//! ```

use serde::Serialize;
use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use super::failure::{Failure, note};
use super::output;
use crate::sinks::SINKS;
use crate::sources::SOURCES;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this one, with its documentation
    #[arg(value_name = "NAME", conflicts_with = "markdown")]
    pub name: Option<String>,
    /// Print all documentation as one Markdown page
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Print as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    /// Reports to Watchbell.
    Source,
    /// Hears from Watchbell.
    Sink,
}

impl Direction {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Sink => "sink",
        }
    }
}

#[derive(Clone, Debug, Serialize)]
struct Integration {
    kind: Direction,
    name: &'static str,
    title: &'static str,
    /// Markdown.
    docs: &'static str,
    /// Bodies that a source takes, one after the other.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    examples: &'static [&'static str],
}

fn all() -> Vec<Integration> {
    let sources = SOURCES.iter().map(|spec| Integration {
        kind: Direction::Source,
        name: spec.name,
        title: spec.title,
        docs: spec.docs,
        examples: spec.examples,
    });
    let sinks = SINKS.iter().map(|spec| Integration {
        kind: Direction::Sink,
        name: spec.name,
        title: spec.title,
        docs: spec.docs,
        examples: &[],
    });
    sources.chain(sinks).collect()
}

/// # Errors
/// When there is none of that name.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut integrations = all();
    if let Some(name) = &args.name {
        integrations.retain(|integration| integration.name.eq_ignore_ascii_case(name));
        if integrations.is_empty() {
            return Err(unknown(name).into());
        }
    }
    if args.json {
        output::json(&integrations)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stdout = anstream::stdout().lock();
    if args.markdown {
        stdout.write_all(page(&integrations).as_bytes())?;
    } else if args.name.is_some() {
        for (index, integration) in integrations.iter().enumerate() {
            let gap = if index > 0 { "\n" } else { "" };
            write!(stdout, "{gap}{}", section(integration, "#"))?;
        }
    } else {
        output::table(&mut stdout, &rows(&integrations))?;
    }
    stdout.flush()?;
    if args.name.is_none() && !args.markdown {
        note("`watchbell integrations NAME` says how to set one up");
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(name: &str) -> Failure {
    let all = all();
    let near = all.iter().max_by(|a, b| {
        let likeness = |integration: &Integration| strsim::jaro_winkler(integration.name, name);
        likeness(a).total_cmp(&likeness(b))
    });
    let guess = near.filter(|near| strsim::jaro_winkler(near.name, name) > 0.7);
    let hint = match guess {
        Some(near) => format!("did you mean `{}`? `watchbell integrations` lists all", near.name),
        None => "`watchbell integrations` lists all".to_owned(),
    };
    Failure::misuse(format!("there is no source or sink `{}`", output::clipped(name, 60))).hint(hint)
}

fn rows(integrations: &[Integration]) -> Vec<Vec<String>> {
    let head = vec!["KIND".to_owned(), "NAME".to_owned(), "TITLE".to_owned()];
    let row = |integration: &Integration| {
        vec![integration.kind.as_str().to_owned(), integration.name.to_owned(), integration.title.to_owned()]
    };
    std::iter::once(head).chain(integrations.iter().map(row)).collect()
}

fn page(integrations: &[Integration]) -> String {
    let mut page =
        String::from("# Integrations\n\nMade by `watchbell integrations --markdown`; change the code instead.\n");
    for (kind, title) in [(Direction::Source, "Sources"), (Direction::Sink, "Sinks")] {
        let _ = write!(page, "\n## {title}\n");
        for integration in integrations.iter().filter(|integration| integration.kind == kind) {
            let _ = write!(page, "\n{}", section(integration, "###"));
        }
    }
    page
}

fn section(integration: &Integration, heading: &str) -> String {
    format!("{heading} {}: {}\n\n{}\n", integration.name, integration.title, text_of(integration.docs))
}

/// A page of `docs/sources` brings a heading of its own.
fn text_of(docs: &str) -> &str {
    let docs = docs.trim();
    docs.strip_prefix("# ").and_then(|rest| rest.split_once('\n')).map_or(docs, |(_, text)| text.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_every_integration_once() {
        let page = page(&all());
        for integration in all() {
            let heading = format!("\n### {}: {}\n", integration.name, integration.title);
            assert_eq!(page.matches(&heading).count(), 1, "{heading}");
            assert!(!integration.docs.trim().is_empty(), "{}", integration.name);
        }
    }

    #[test]
    fn a_slip_is_answered_with_the_nearest_name() {
        let error = anyhow::Error::from(unknown("slak"));
        assert_eq!(error.to_string(), "there is no source or sink `slak`");
    }
}
