//! Texts that the operator writes: minijinja over the notification, with the built-in text behind it.
//!
//! Decides whether the operator's text or the built-in one goes out, and says so when it is the
//! latter: a broken template may cost beauty, never a page. Templates see the notification's own
//! fields (`incident`, `kind`, `reason`, `number`, `at`, `id`), can include nothing and run for a
//! bounded number of steps. What they print is foreign text to every dialect and escaped like it.
//!
//! Example: `title_template: "{{ incident.priority }} {{ incident.title }}"`.

use minijinja::{Environment, UndefinedBehavior};

use super::markup::{Document, Line, Section};
use super::sample;
use super::text::{self, Language, message};
use crate::error::ConfigError;
use crate::model::Notification;

/// Instructions one rendering may take; a loop over all alerts of a message needs some hundreds.
const STEPS_MAX: u64 = 50_000;

/// Nested expressions and macros a template may have.
const DEPTH_MAX: usize = 64;

#[derive(Clone, Debug)]
pub struct Template {
    source: String,
}

/// A text, and the reason when it is not the one that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    pub text: String,
    pub fallback: Option<String>,
}

impl Template {
    /// # Errors
    /// What is wrong with it, found by rendering samples: a misspelt field, or one that may be absent,
    /// shows up at configuration time and not at night.
    pub fn new(source: &str) -> Result<Self, String> {
        let template = Self { source: source.to_owned() };
        template.try_render(&sample::full())?;
        template.try_render(&sample::sparse()).map_err(|error| {
            format!("{error}; not every incident has this field, give it a `default` or ask `is defined` before")
        })?;
        Ok(template)
    }

    pub fn render(&self, notification: &Notification, built_in: impl FnOnce() -> String) -> Rendered {
        match self.try_render(notification) {
            Ok(text) if !text.trim().is_empty() => Rendered { text, fallback: None },
            Ok(_) => Rendered { text: built_in(), fallback: Some("it renders to nothing".into()) },
            Err(error) => Rendered { text: built_in(), fallback: Some(error) },
        }
    }

    fn try_render(&self, notification: &Notification) -> Result<String, String> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_fuel(Some(STEPS_MAX));
        environment.set_recursion_limit(DEPTH_MAX);
        let context = minijinja::value::Serde(notification);
        environment.render_str(&self.source, context).map_err(|error| error.to_string())
    }
}

/// The `title_template` and `template` of one sink.
#[derive(Clone, Debug, Default)]
pub struct Templates {
    title: Option<Template>,
    body: Option<Template>,
}

impl Templates {
    /// # Errors
    /// Names the key whose template does not work.
    pub fn new(title: Option<&str>, body: Option<&str>) -> Result<Self, ConfigError> {
        let read = |path: &str, source: Option<&str>| {
            source.map(Template::new).transpose().map_err(|error| ConfigError::new(path, error))
        };
        Ok(Self { title: read("title_template", title)?, body: read("template", body)? })
    }

    /// Puts the operator's texts in place of the headline and of the sections. When one fails the
    /// document keeps its own and says why.
    pub fn apply(&self, document: &mut Document, notification: &Notification, language: Language) {
        let mut failures = Vec::new();
        if let Some(template) = &self.title {
            let rendered = template.render(notification, || document.headline.clone());
            document.headline = text::excerpt(&rendered.text, HEADLINE_CHARS_MAX);
            failures.extend(rendered.fallback);
        }
        if let Some(template) = &self.body {
            let rendered = template.render(notification, String::new);
            match rendered.fallback {
                None => {
                    let body = text::excerpt_of_paragraphs(&rendered.text, BODY_CHARS_MAX);
                    document.sections = vec![Section::unlabelled(body.lines().map(Line::plain).collect())];
                }
                Some(failure) => failures.push(failure),
            }
        }
        for failure in failures {
            let failure = text::excerpt(&failure, 200);
            let note = message(language, "template-failed", &[("error", (&failure).into())]);
            document.sections.push(Section::new(message(language, "label-note", &[]), vec![Line::plain(&note)]));
        }
    }
}

/// As the built-in headline; vendors may allow less.
const HEADLINE_CHARS_MAX: usize = 300;

const BODY_CHARS_MAX: usize = 8_000;
