//! A text of a receiver that is a Go template: checked when the sink is built, rendered at every try.

use super::super::{RenderError, Setting};
use crate::error::{ConfigError, Secret};
use crate::render::GoTemplates;
use crate::render::go_template::TemplateData;

/// The key it stands under, for errors, and the text.
#[derive(Clone, Debug)]
pub(super) struct Template {
    key: String,
    source: String,
}

impl Template {
    pub fn new(setting: &Setting, key: &str, source: impl Into<String>) -> Result<Self, ConfigError> {
        let (key, source) = (key.to_owned(), source.into());
        setting
            .go_templates
            .check(&source)
            .map_err(|error| ConfigError::new(&key, format!("not a template: {error}")))?;
        Ok(Self { key, source })
    }
}

impl AsRef<str> for Template {
    fn as_ref(&self) -> &str {
        &self.source
    }
}

/// A template whose source and result are secret, such as an address or a key.
#[derive(Clone, Debug)]
pub(super) struct SecretTemplate {
    key: String,
    source: Secret<String>,
}

impl SecretTemplate {
    pub fn new(setting: &Setting, key: &str, source: &Secret<String>) -> Result<Self, ConfigError> {
        let source = Secret::new(source.expose().trim().to_owned());
        let unusable = |_| ConfigError::new(key, "not a template (its value is not shown)");
        setting.go_templates.check(source.expose()).map_err(unusable)?;
        Ok(Self { key: key.to_owned(), source })
    }

    pub fn is_templated(&self) -> bool {
        self.source.expose().contains("{{")
    }

    pub fn source(&self) -> &Secret<String> {
        &self.source
    }
}

/// Renders the texts of one notification.
pub(super) struct Texts<'a> {
    pub templates: &'a GoTemplates,
    pub data: TemplateData,
}

impl Texts<'_> {
    pub fn text(&self, template: &Template) -> Result<String, RenderError> {
        self.raw(&template.key, &template.source)
    }

    /// With what alerts say escaped for HTML.
    pub fn html(&self, template: &Template) -> Result<String, RenderError> {
        let rendered = self.templates.html(&template.source, &self.data);
        rendered.map_err(|error| RenderError(format!("`{}`: {error}", template.key)))
    }

    pub fn secret(&self, template: &SecretTemplate) -> Result<Secret<String>, RenderError> {
        let rendered = self.templates.text(template.source.expose(), &self.data);
        rendered.map(Secret::new).map_err(|_| RenderError(format!("the template of `{}` fails", template.key)))
    }

    pub fn raw(&self, key: &str, source: &str) -> Result<String, RenderError> {
        self.templates.text(source, &self.data).map_err(|error| RenderError(format!("`{key}`: {error}")))
    }
}
