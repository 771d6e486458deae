//! What `test-route` and `check --alerts` have in common: the configuration that decides, the alerts that are tried, and
//! what each sink would be sent. Decides nothing; that is `engine/trial.rs`.

pub mod rendered;
pub mod samples;

use std::path::{Path, PathBuf};

use self::samples::Reader;
use super::failure::Failure;
use super::output;
use crate::app::environment;
use crate::config::{self, AlertTest, Configuration, Problem, Sample, alertmanager};
use crate::model::{Event, Matcher, Silence, SilenceState, Span, Timestamp};

/// Reads our own configuration, or an `alertmanager.yml` in its place.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn load(files: &[PathBuf], alertmanager: Option<&Path>) -> Result<Configuration, Failure> {
    read(files, alertmanager).map_err(|problems| {
        let failure = misfit("the configuration does not fit", &problems);
        let errors = problems.iter().filter(|problem| !problem.is_warning).count();
        failure.hint(format!("`watchbell check` shows {}", output::plural(errors, "error")))
    })
}

/// As [`load`], with everything that is wrong.
pub fn read(files: &[PathBuf], alertmanager: Option<&Path>) -> Result<Configuration, Vec<Problem>> {
    match alertmanager {
        Some(file) => alertmanager::load(file).map(|loaded| loaded.configuration),
        None => config::load(files, environment()),
    }
}

/// Bad usage, and the first thing that is wrong.
fn misfit(message: impl Into<String>, problems: &[Problem]) -> Failure {
    let failure = Failure::misuse(message);
    match problems.iter().find(|problem| !problem.is_warning) {
        Some(first) => {
            let place = first.place().map(|place| format!(" ({place})")).unwrap_or_default();
            failure.cause(format!("{}{place}", first.message))
        }
        None => failure,
    }
}

/// The alerts of a test.
///
/// # Errors
/// Names the line and the field that does not fit.
pub fn events(test: &AlertTest, reader: &Reader, file: &Path, at: Timestamp) -> Result<Vec<Event>, Failure> {
    let event = |sample: &Sample| {
        reader.sample(&sample.alert, at).map_err(|error| {
            let line = sample.line.map(|line| format!(":{line}")).unwrap_or_default();
            Failure::misuse(format!("`{}{line}`: this makes no alert", file.display())).cause(error)
        })
    };
    test.alerts.iter().map(event).collect()
}

/// The silences of a test.
pub fn silences(test: &AlertTest, at: Timestamp) -> impl Iterator<Item = Silence> {
    let numbered = test.silences.iter().zip(1..);
    numbered.map(move |(matchers, number)| silence(number, matchers.clone(), "test", at))
}

/// Longer than any trial lasts.
const TRIAL_MAX: Span = Span::from_hours(24 * 36_525);

/// A silence that is on for as long as a trial can last.
pub fn silence(number: usize, matchers: Vec<Matcher>, by: &str, at: Timestamp) -> Silence {
    Silence {
        id: format!("{by}-{number}"),
        matchers,
        starts_at: at,
        ends_at: at + TRIAL_MAX,
        created_by: by.to_owned(),
        updated_at: at,
        state: SilenceState::Active,
        ..Silence::default()
    }
}
