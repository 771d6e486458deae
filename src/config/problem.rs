//! What is wrong with a configuration, where, and what would help. Collects every problem instead of
//! stopping at the first; never holds the value of a secret, which [`Problems::into_vec`] sees to.

use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One thing that is wrong, or dangerous when it is only a warning.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// The daemon runs all the same.
    pub is_warning: bool,
    pub file: Option<PathBuf>,
    /// From 1.
    pub line: Option<u32>,
    /// From 1; only where a file could not be read as YAML or JSON.
    pub column: Option<u32>,
    /// `receivers.ops.sinks[0].kind`; empty for the file as a whole.
    pub path: String,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    /// As `watchbell check` prints it, without colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.is_warning { "warning" } else { "error" }, self.message)?;
        if let Some(place) = self.place() {
            write!(f, "\n  --> {place}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl Problem {
    /// As the daemon says it: one line in the log, the place and the way out as fields.
    pub fn log(&self) {
        let place = self.place().unwrap_or_else(|| "no file".to_owned());
        let hint = self.hint.as_deref().unwrap_or_default();
        if self.is_warning {
            tracing::warn!(%place, hint, "{}", self.message);
        } else {
            tracing::error!(%place, hint, "{}", self.message);
        }
    }

    /// `watchbell.yaml:14`, as far as it is known.
    pub fn place(&self) -> Option<String> {
        let mut place = self.file.as_ref()?.display().to_string();
        for number in [self.line, self.column].into_iter().flatten() {
            place.push_str(&format!(":{number}"));
        }
        Some(place)
    }
}

/// Where a value came from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Place {
    #[default]
    BuiltIn,
    File {
        path: Arc<Path>,
        line: u32,
    },
    /// Name of an environment variable.
    Variable(Arc<str>),
}

impl Place {
    pub fn file(path: &Arc<Path>, line: u32) -> Self {
        Self::File { path: path.clone(), line }
    }

    /// The folder that relative paths in this place start from.
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::File { path, .. } => path.parent(),
            _ => None,
        }
    }
}

/// Every problem found so far.
#[derive(Debug, Default)]
pub(super) struct Problems {
    list: Vec<Problem>,
    secrets: Vec<String>,
    settled: BTreeSet<(Option<PathBuf>, String)>,
    has_unreadable: bool,
    /// What a settled path would have added.
    unsaid: Problem,
}

/// Shorter values are not hidden: the replacement would hit ordinary words.
const SECRET_CHARS_MIN: usize = 4;

impl Problems {
    pub fn error(&mut self, place: &Place, path: impl Into<String>, message: impl Into<String>) -> &mut Problem {
        let mut problem = Problem { path: path.into(), message: message.into(), ..Problem::default() };
        match place {
            Place::BuiltIn => {}
            Place::File { path, line } => {
                problem.file = Some(path.to_path_buf());
                problem.line = (*line > 0).then_some(*line);
            }
            Place::Variable(name) => problem.message.push_str(&format!(" (set by `{name}`)")),
        }
        self.push(problem)
    }

    pub fn warning(&mut self, place: &Place, path: impl Into<String>, message: impl Into<String>) -> &mut Problem {
        let problem = self.error(place, path, message);
        problem.is_warning = true;
        problem
    }

    pub fn push(&mut self, problem: Problem) -> &mut Problem {
        if self.settled.contains(&(problem.file.clone(), problem.path.clone())) {
            self.unsaid = problem;
            return &mut self.unsaid;
        }
        self.list.push(problem);
        let last = self.list.len() - 1;
        &mut self.list[last]
    }

    /// From here on, and in what was said before, this value does not appear.
    pub fn hide(&mut self, secret: &str) {
        if secret.chars().count() >= SECRET_CHARS_MIN {
            self.secrets.push(secret.to_owned());
        }
    }

    /// The value at `path` is known to be unusable: what follows from that is not reported as well.
    pub fn settle(&mut self, place: &Place, path: &str) {
        let file = match place {
            Place::File { path, .. } => Some(path.to_path_buf()),
            _ => None,
        };
        self.settled.insert((file, path.to_owned()));
    }

    /// A whole file is missing from what was read.
    pub fn unreadable(&mut self) {
        self.has_unreadable = true;
    }

    pub fn has_unreadable(&self) -> bool {
        self.has_unreadable
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|problem| !problem.is_warning)
    }

    /// In the order of the file; what has no place comes last.
    pub fn into_vec(mut self) -> Vec<Problem> {
        // Longest first: one secret may be the beginning of another.
        self.secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        for problem in &mut self.list {
            for secret in &self.secrets {
                for text in [Some(&mut problem.message), problem.hint.as_mut()].into_iter().flatten() {
                    if text.contains(secret.as_str()) {
                        *text = text.replace(secret.as_str(), "<secret>");
                    }
                }
            }
            problem.message = visible(&problem.message);
            problem.path = visible(&problem.path);
            problem.hint = problem.hint.take().map(|hint| visible(&hint));
        }
        self.list.sort_by(|a, b| {
            (a.file.is_none(), &a.file, a.line.is_none(), a.line).cmp(&(
                b.file.is_none(),
                &b.file,
                b.line.is_none(),
                b.line,
            ))
        });
        self.list.dedup();
        self.list
    }
}

pub(super) fn is_unseen(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Keys and values that a file holds may not steer the terminal or the log that they are shown in.
fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_unseen(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// "did you mean `x`?" when one of `known` is close to `word`.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    let distance_max = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&word, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= distance_max)
        .min()
        .map(|(_, name)| format!("did you mean `{name}`?"))
}

/// "`a`, `b`, `c`", for lists in hints.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
