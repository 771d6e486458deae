//! Go's templates, as far as the fields of an `alertmanager.yml` and its template files use them.
//!
//! ```text
//! text ──▶ lexer ──▶ parser ──▶ syntax ──▶ exec ──▶ text, or HTML through html
//!                    functions named         │ members · functions · print
//!                                   TemplateData
//! ```
//!
//! Prints what Alertmanager prints, byte for byte, with its functions, data and default templates. Never reads a
//! clock: `now` is when the notification is made. Depth, steps and length have limits, and nothing panics.

mod alertmanager;
mod buffer;
mod compare;
mod data;
mod defaults;
mod escape;
mod exec;
mod functions;
mod go_time;
mod html;
mod json;
mod layout;
mod lexer;
mod literal;
mod members;
mod number;
mod parser;
mod pattern;
mod print;
mod printf;
mod syntax;
#[cfg(test)]
mod tests;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub use data::TemplateData;

use exec::Named;
use lexer::{Place, SyntaxError};
use syntax::{Parsed, Template};

/// What is wrong with a template, or went wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    pub message: String,
}

/// The named templates that texts may call: Alertmanager's own and those of the operator's files.
#[derive(Clone)]
pub struct GoTemplates {
    named: Arc<BTreeMap<String, Arc<Template>>>,
    /// Name and content of the files that were added, which make two sets equal or not.
    files: Vec<(String, String)>,
}

impl Default for GoTemplates {
    fn default() -> Self {
        Self { named: defaults::named(), files: Vec::new() }
    }
}

impl PartialEq for GoTemplates {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl Eq for GoTemplates {}

impl std::fmt::Debug for GoTemplates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let files: Vec<&str> = self.files.iter().map(|(file, _)| &**file).collect();
        f.debug_struct("GoTemplates").field("files", &files).field("named", &self.named.len()).finish()
    }
}

impl GoTemplates {
    /// Adds the `define`s of a template file. A later one replaces an earlier one of the same name, unless it is
    /// empty. What stands outside of them can be called by the name of the file.
    ///
    /// # Errors
    /// Names the file, the line and what is wrong.
    pub fn add(&mut self, file: &str, source: &str) -> Result<(), TemplateError> {
        let Parsed { main, defined } = parser::parse(Some(file), source).map_err(|error| refused(Some(file), error))?;
        let name = file.rsplit('/').next().unwrap_or(file).to_owned();
        let named = Arc::make_mut(&mut self.named);
        for (name, template) in defined.into_iter().chain([(name, main)]) {
            if !template.is_empty() || !named.contains_key(&name) {
                named.insert(name, template);
            }
        }
        self.files.push((file.to_owned(), source.to_owned()));
        Ok(())
    }

    /// Checks a text of the configuration.
    ///
    /// # Errors
    /// Its syntax, a function that does not exist, a template that nobody defines.
    pub fn check(&self, text: &str) -> Result<(), TemplateError> {
        let parsed = parser::parse(None, text).map_err(|error| refused(None, error))?;
        let named = Named { own: &parsed.defined, shared: &self.named };
        let mut seen = BTreeSet::new();
        let mut open: Vec<&Template> = vec![&parsed.main];
        while let Some(template) = open.pop() {
            let mut missing = None;
            template.calls(&mut |place, name| match named.find(name) {
                Some(called) if seen.insert(name.to_owned()) => open.push(called),
                Some(_) => {}
                None => missing = missing.take().or(Some((place, name.to_owned()))),
            });
            if let Some((place, name)) = missing {
                let error = SyntaxError { place, message: self.no_template(&name) };
                return Err(refused(template.file.as_deref(), error));
            }
        }
        Ok(())
    }

    fn no_template(&self, name: &str) -> String {
        let near = functions::near(name, self.named.keys().map(String::as_str));
        let hint = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!("no template is named `{name}`{hint}")
    }

    /// Renders as text.
    ///
    /// # Errors
    /// What went wrong, with line and column.
    pub fn text(&self, text: &str, data: &TemplateData) -> Result<String, TemplateError> {
        self.render(text, data, false)
    }

    /// Renders as HTML: what is printed is escaped for where it stands.
    ///
    /// # Errors
    /// What went wrong, with line and column.
    pub fn html(&self, text: &str, data: &TemplateData) -> Result<String, TemplateError> {
        self.render(text, data, true)
    }

    fn render(&self, text: &str, data: &TemplateData, html: bool) -> Result<String, TemplateError> {
        if !html && !text.contains("{{") {
            return Ok(text.to_owned());
        }
        let parsed = parser::parse(None, text).map_err(|error| refused(None, error))?;
        let named = Named { own: &parsed.defined, shared: &self.named };
        exec::run(&parsed.main, named, data, html).map_err(|failure| {
            let place = failure.place.unwrap_or_default();
            refused(failure.file.as_deref(), SyntaxError { place, message: failure.message })
        })
    }
}

/// A message quotes what was given, which may be anything.
const MESSAGE_CHARS_MAX: usize = 500;

fn refused(file: Option<&str>, error: SyntaxError) -> TemplateError {
    let SyntaxError { place: Place { line, column }, message } = error;
    let place = match (file, line) {
        (Some(file), _) => format!("{file}:{line}:{column}: "),
        (None, 0) => String::new(),
        (None, _) => format!("line {line}, column {column}: "),
    };
    let end = message.char_indices().nth(MESSAGE_CHARS_MAX).map_or(message.len(), |(at, _)| at);
    TemplateError { message: format!("{place}{}", &message[..end]) }
}
