//! Sample alerts against what a team expects of each: what was expected, what came. Decides when the two agree; what
//! comes is the engine's.
//!
//! ```text
//! FAIL  a database at night pages the DBA (tests.yaml:2)
//!       HostDown  alertname="HostDown", team="db"
//!         receivers: expected dba, got ops
//! ```

use std::io::{self, Write};
use std::path::Path;

use owo_colors::OwoColorize;
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::test_route::show::{labels_text, mute_text};
use crate::cli::trial::rendered::{Renderer, contains};
use crate::cli::trial::samples::Reader;
use crate::cli::trial::{events, silences};
use crate::config::{AlertTest, Configuration, Expectation, Sample};
use crate::engine::trial::{Case, Trial, Verdict, run};
use crate::model::{Labels, Silence, Timestamp};

/// What came of all tests.
#[derive(Debug, Serialize)]
pub struct Tested {
    pub passed: usize,
    pub failed: usize,
    pub tests: Vec<TestResult>,
}

#[derive(Debug, Serialize)]
pub struct TestResult {
    pub name: String,
    pub line: Option<u32>,
    pub has_passed: bool,
    pub alerts: Vec<AlertResult>,
}

#[derive(Debug, Serialize)]
pub struct AlertResult {
    pub name: String,
    pub line: Option<u32>,
    pub labels: Labels,
    pub receivers: Vec<String>,
    pub is_muted: bool,
    pub differences: Vec<Difference>,
}

/// An expectation that does not hold.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The key of the expectation.
    pub what: &'static str,
    pub expected: String,
    pub got: String,
}

/// # Errors
/// When an alert of a test is none.
pub fn test(
    tests: &[AlertTest],
    configuration: &Configuration,
    reader: &Reader,
    file: &Path,
    now: Timestamp,
) -> Result<Tested, Failure> {
    let renderer = Renderer::of(configuration)?;
    let mut results = Vec::new();
    for test in tests {
        let at = test.at.unwrap_or(now);
        let (events, silences): (_, Vec<Silence>) = (events(test, reader, file, at)?, silences(test, at).collect());
        let trial = run(&Case { policy: &configuration.policy, silences: &silences, events: &events, at });
        results.push(result(test, &trial, &renderer));
    }
    let passed = results.iter().filter(|result| result.has_passed).count();
    Ok(Tested { passed, failed: results.len() - passed, tests: results })
}

fn result(test: &AlertTest, trial: &Trial, renderer: &Renderer<'_>) -> TestResult {
    let alert = |(verdict, sample): (&Verdict, &Sample)| AlertResult {
        name: verdict.name.clone(),
        line: sample.line,
        labels: verdict.labels.clone(),
        receivers: verdict.receivers().into_iter().map(str::to_owned).collect(),
        is_muted: verdict.is_muted,
        differences: sample
            .expect
            .as_ref()
            .map(|expect| differences(expect, verdict, trial, renderer))
            .unwrap_or_default(),
    };
    let alerts: Vec<AlertResult> = trial.alerts.iter().zip(&test.alerts).map(alert).collect();
    TestResult {
        name: test.name.clone(),
        line: test.line,
        has_passed: alerts.iter().all(|alert| alert.differences.is_empty()),
        alerts,
    }
}

fn differences(expect: &Expectation, verdict: &Verdict, trial: &Trial, renderer: &Renderer<'_>) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut differ = |what, expected: String, got: String| differences.push(Difference { what, expected, got });
    if let Some(expected) = &expect.receivers {
        let (expected, got) =
            (listed(expected.list().iter().map(String::as_str)), listed(verdict.receivers().into_iter()));
        if expected != got {
            differ("receivers", expected, got);
        }
    }
    if let Some(expected) = &expect.group {
        let groups: Vec<&Labels> = verdict.routes.iter().filter_map(|way| Some(&way.group.as_ref()?.labels)).collect();
        if !groups.contains(&expected) {
            let shown: Vec<String> = groups.iter().map(|labels| format!("{{{}}}", labels_text(labels))).collect();
            let got = if verdict.incident.is_some() {
                "an incident".to_owned()
            } else {
                listed(shown.iter().map(String::as_str))
            };
            differ("group", format!("{{{}}}", labels_text(expected)), got);
        }
    }
    let causes = verdict.causes();
    let reasons = listed(causes.iter().map(mute_text).collect::<Vec<_>>().iter().map(String::as_str));
    if let Some(expected) = expect.muted.filter(|expected| *expected != verdict.is_muted || verdict.unrouted.is_some())
    {
        let got = match &verdict.unrouted {
            Some(why) => format!("nobody who could hear: {why}"),
            None if verdict.is_muted => format!("muted: {reasons}"),
            None => "not muted".to_owned(),
        };
        differ("muted", expected.to_string(), got);
    }
    if let Some(expected) = expect.muted_by
        && !causes.iter().any(|cause| cause.kind() == expected.as_str())
    {
        differ("muted_by", expected.as_str().to_owned(), reasons);
    }
    for text in expect.text.iter().flat_map(|texts| texts.list()) {
        if let Some(got) = lacks(text, verdict, trial, renderer) {
            differ("text", format!("{text:?}"), got);
        }
    }
    differences
}

/// In order, each once.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

/// Where a text is not; nothing where one of the messages holds it.
fn lacks(text: &str, verdict: &Verdict, trial: &Trial, renderer: &Renderer<'_>) -> Option<String> {
    let mut got = Vec::new();
    for delivery in verdict.routes.iter().flat_map(|way| trial.deliveries_of(way)) {
        match renderer.preview(delivery, trial.at) {
            Ok(preview) if contains(&preview, text) => return None,
            Ok(_) => got.push(format!("{} says something else", delivery.sink)),
            Err(error) => got.push(format!("{} cannot say it: {error}", delivery.sink)),
        }
    }
    Some(if got.is_empty() { "nothing is sent".to_owned() } else { got.join("; ") })
}

impl Tested {
    pub fn write(&self, file: &Path, out: &mut impl Write) -> io::Result<()> {
        for test in &self.tests {
            let name = output::line(&test.name);
            if test.has_passed {
                writeln!(out, "{}    {name}", "ok".green().bold())?;
                continue;
            }
            let line = test.line.map(|line| format!(":{line}")).unwrap_or_default();
            writeln!(out, "{}  {name} ({}{line})", "FAIL".red().bold(), file.display())?;
            for alert in test.alerts.iter().filter(|alert| !alert.differences.is_empty()) {
                writeln!(out, "      {}  {}", output::line(&alert.name), labels_text(&alert.labels))?;
                for Difference { what, expected, got } in &alert.differences {
                    let (expected, got) = (output::line(expected), output::line(got));
                    writeln!(out, "        {what}: expected {expected}, got {got}")?;
                }
            }
        }
        Ok(())
    }

    pub fn summary(&self) -> String {
        let tests = output::plural(self.tests.len(), "test");
        match self.failed {
            0 => format!("{tests}, all as expected"),
            failed => format!("{tests}, {failed} not as expected"),
        }
    }
}
