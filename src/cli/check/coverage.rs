//! What recorded or sample alerts use of a configuration, and what they do not. Decides which gaps are worth a line.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{self, plural};
use crate::cli::trial::samples::Reader;
use crate::cli::trial::{events, silences};
use crate::config::{AlertTest, Configuration};
use crate::engine::trial::coverage::{Coverage, MatcherUse, RouteUse, RuleUse};
use crate::engine::trial::{Case, cover};
use crate::model::{Event, Silence, Timestamp};
use crate::replay::coverage::{self, Covered};

/// Inputs between two looks at a bar without an end.
const TICK_INPUTS: u64 = 1_000;

/// Reads a record through, with a bar on stderr.
///
/// # Errors
/// When it cannot be read.
pub fn of_record(path: &Path, configuration: &Configuration) -> anyhow::Result<Covered> {
    let bytes = path.metadata().map(|metadata| metadata.len()).unwrap_or_default();
    let bar = ProgressBar::new(bytes);
    let template = "playing [{bar:40}] {bytes} of {total_bytes}, {eta} left";
    // The template is a constant that can be read; otherwise the bar would only be plainer.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    let watched = bar.clone();
    let mut inputs = 0_u64;
    let covered = coverage::run(
        path,
        &configuration.policy,
        |file| Box::new(watched.wrap_read(file)),
        || {
            inputs += 1;
            // A store is not read as a file, so the bar stands still; it shows that something goes on.
            if inputs.is_multiple_of(TICK_INPUTS) {
                bar.tick();
            }
        },
    );
    bar.finish_and_clear();
    Ok(covered?)
}

/// Of alerts that are there at the same time.
pub fn of_alerts(alerts: &[Event], configuration: &Configuration, at: Timestamp) -> Covered {
    let mut coverage = Coverage::of(&configuration.policy);
    cover(&Case { policy: &configuration.policy, silences: &[], events: alerts, at }, &mut coverage);
    Covered { events: alerts.len() as u64, first_at: Some(at), last_at: Some(at), coverage }
}

/// # Errors
/// When an alert of a test is none.
pub fn of_tests(
    tests: &[AlertTest],
    configuration: &Configuration,
    reader: &Reader,
    file: &Path,
    now: Timestamp,
) -> Result<Covered, Failure> {
    let mut coverage = Coverage::of(&configuration.policy);
    let (mut count, mut times) = (0, Vec::new());
    for test in tests {
        let at = test.at.unwrap_or(now);
        let events = events(test, reader, file, at)?;
        let silences: Vec<Silence> = silences(test, at).collect();
        cover(&Case { policy: &configuration.policy, silences: &silences, events: &events, at }, &mut coverage);
        count += events.len() as u64;
        times.push(at);
    }
    let (first_at, last_at) = (times.iter().min().copied(), times.iter().max().copied());
    Ok(Covered { events: count, first_at, last_at, coverage })
}

/// What nothing on record uses.
#[derive(Debug, Default, Serialize)]
pub struct Gaps {
    pub routes: Vec<Gap>,
    pub receivers: Vec<String>,
    pub inhibit_rules: Vec<Gap>,
    pub silences: Vec<Gap>,
}

#[derive(Debug, Serialize)]
pub struct Gap {
    pub path: String,
    pub why: String,
}

impl Gaps {
    pub fn of(coverage: &Coverage) -> Self {
        let silences = coverage.silences.iter().filter(|(_, silence)| silence.silenced == 0);
        Self {
            routes: coverage.routes.iter().filter_map(route_gap).collect(),
            receivers: coverage
                .receivers
                .iter()
                .filter(|(_, alerts)| **alerts == 0)
                .map(|(name, _)| name.clone())
                .collect(),
            inhibit_rules: coverage.inhibit_rules.iter().filter_map(rule_gap).collect(),
            silences: silences
                .map(|(id, silence)| Gap { path: id.clone(), why: format!("{} matches nothing", silence.matchers) })
                .collect(),
        }
    }

    fn is_empty(&self) -> bool {
        self.routes.is_empty() && self.receivers.is_empty() && self.inhibit_rules.is_empty() && self.silences.is_empty()
    }

    pub fn write(&self, covered: &Covered, out: &mut impl Write) -> io::Result<()> {
        let parts = [("route", &self.routes), ("inhibit rule", &self.inhibit_rules), ("silence", &self.silences)];
        for (what, gaps) in parts {
            for gap in gaps {
                writeln!(out, "unused {what} {}: {}", output::line(&gap.path), output::line(&gap.why))?;
            }
        }
        for receiver in &self.receivers {
            writeln!(out, "unused receiver {}", output::line(receiver))?;
        }
        if self.is_empty() {
            writeln!(out, "everything is used")?;
        }
        writeln!(out, "{}", summary(covered))
    }
}

fn summary(covered: &Covered) -> String {
    let mut counts =
        vec![plural(covered.events as usize, "event"), plural(covered.coverage.alerts as usize, "different alert")];
    if covered.coverage.incidents > 0 {
        counts.push(plural(covered.coverage.incidents as usize, "routed incident"));
    }
    let reached = covered.coverage.routes.iter().filter(|route| route.reached > 0).count();
    counts.push(format!("{reached} of {} reached", plural(covered.coverage.routes.len(), "route")));
    let span = covered.first_at.zip(covered.last_at).filter(|(first, last)| first != last);
    let span = span.map(|(first, last)| format!(" from {} to {}", output::moment(first), output::moment(last)));
    format!("{}{}", counts.join(", "), span.unwrap_or_default())
}

/// `team="db"`, `severity="page"` — those of the matchers that nothing fits.
fn idle(matchers: &[MatcherUse]) -> Vec<String> {
    matchers.iter().filter(|one| one.matched == 0).map(|one| one.matcher.clone()).collect()
}

fn route_gap(route: &RouteUse) -> Option<Gap> {
    if route.reached > 0 {
        return None;
    }
    let why = match idle(&route.matchers) {
        none if none.is_empty() => {
            "its matchers fit, but not together, or routes before it take what it would".to_owned()
        }
        idle => format!("nothing matches {}", idle.join(", ")),
    };
    Some(Gap { path: route.path.clone(), why })
}

fn rule_gap(rule: &RuleUse) -> Option<Gap> {
    if rule.inhibited > 0 {
        return None;
    }
    let sides = [("source", &rule.source_matchers), ("target", &rule.target_matchers)];
    let idle: Vec<String> = sides
        .into_iter()
        .map(|(side, matchers)| (side, idle(matchers)))
        .filter(|(_, idle)| !idle.is_empty())
        .map(|(side, idle)| format!("no {side} matches {}", idle.join(", ")))
        .collect();
    let why = if idle.is_empty() { "source and target never fire together".to_owned() } else { idle.join(", ") };
    Some(Gap { path: rule.path.clone(), why })
}
