//! Microsoft Teams, through a workflow's webhook: an Adaptive Card for each news of an incident.
//!
//! Decides how much of the document becomes card. All text stands in text runs, which Teams never parses, and
//! the card names nobody, so no word of an alert calls anybody. The webhook answers before the flow has run: a
//! card that the flow could not post is not seen here. It gives no id, so nothing can be edited or answered:
//! quiet updates are left out, and after an unclear answer a card may come twice.
//! Workflows and Adaptive Cards 1.4, read 2026-11-21: <https://adaptivecards.io>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::chat;
use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document, foreign_response,
    json_request, keep_doubt, read_address,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::notification::IncidentView;
use crate::model::{IncidentState, Priority};
use crate::render::text::{self, Unit};
use crate::render::{Document, Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "msteams",
    title: "Microsoft Teams: a card for each news, through a workflow",
    docs: DOCS,
    example: "webhook_url: https://prod-07.westeurope.logic.azure.example/workflows/3f2a/triggers/manual/paths/invoke?sig=Yk3vq0sR8w\n",
    // Four a second is the most, and a flow has a quota for the day.
    rate: Rate { count: 1, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `webhook_url`: of a workflow with the trigger `When a Teams webhook request is received`, as the template
  `Post to a channel when a webhook request is received` makes it. The flow belongs to a person and stops with
  that person's account.
- `title_template` and `template` replace the headline and the text below it (minijinja).

Nothing can be edited, so quiet updates are left out, and after an unclear answer a card may come twice.
Whether the flow could post the card shows only in its run history: Teams answers before it has tried.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    webhook_url: Secret<String>,
    title_template: Option<String>,
    template: Option<String>,
}

struct Teams {
    setting: Setting,
    templates: Templates,
    url: Secret<String>,
}

/// A message has 28 KB, with all its frame.
const CARD_BYTES_MAX: usize = 26_000;
/// Kept free for the footer and for the mark that something is missing.
const RESERVE_BYTES: usize = 1_500;
const LINE_CHARS_MAX: usize = 1_000;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    Ok(Box::new(Teams {
        setting: setting.clone(),
        templates: Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?,
        url: Secret::new(read_address("webhook_url", keys.webhook_url.expose())?),
    }))
}

impl Sink for Teams {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        if !chat::is_news(attempt.notification.kind) {
            return Ok(Request::Skip(chat::CANNOT_EDIT));
        }
        let document = document(&self.setting, &self.templates, attempt.notification);
        let body = json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": card(&document, &attempt.notification.incident),
            }],
        });
        Ok(Request::Http(json_request("POST", self.url.clone(), None, Some(&body))))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let outcome = match status {
            200..=202 => chat::delivered(None, "answered", &status.to_string()),
            _ => {
                let said = String::from_utf8_lossy(body);
                chat::refused(*status, response, "the workflow", &said, &[self.url.expose()], None)
            }
        };
        keep_doubt(outcome, attempt)
    }
}

/// What is shown.
fn card(document: &Document, incident: &IncidentView) -> Value {
    let mut canvas = Canvas { elements: Vec::new(), used: 0, is_full: false };
    let headline = json!({"size": "Large", "weight": "Bolder"});
    canvas.line(&document.headline, None, &headline, false);
    for (at, news) in document.news.iter().enumerate() {
        let style = if at == 0 { json!({"weight": "Bolder"}) } else { json!({}) };
        canvas.line(news, None, &style, false);
    }
    canvas.line(&document.status, None, &json!({"isSubtle": true}), false);
    for section in &document.sections {
        canvas.line(&section.label, None, &json!({"weight": "Bolder"}), true);
        for line in &section.lines {
            canvas.line(&line.text, line.address.as_deref(), &json!({}), false);
        }
    }
    let mut elements = canvas.elements;
    let first = elements.drain(..elements.len().min(1)).collect::<Vec<_>>();
    let header = json!({"type": "Container", "style": style(incident), "bleed": true, "items": first});
    elements.insert(0, header);
    let footer = text::clip(&document.footer, 200, Unit::Chars);
    elements.push(run(&footer, None, &json!({"isSubtle": true, "size": "Small"}), true));
    json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": { "width": "Full" },
        "body": elements,
    })
}

/// The colour behind the headline.
fn style(incident: &IncidentView) -> &'static str {
    match incident.state {
        IncidentState::Resolved | IncidentState::Closed | IncidentState::Merged => "good",
        _ => match incident.priority {
            Priority::P1 | Priority::P2 => "attention",
            Priority::P3 => "warning",
            Priority::P4 => "accent",
            Priority::P5 => "emphasis",
        },
    }
}

struct Canvas {
    elements: Vec<Value>,
    /// Bytes of JSON.
    used: usize,
    is_full: bool,
}

impl Canvas {
    fn line(&mut self, line: &str, address: Option<&str>, style: &Value, is_apart: bool) {
        if self.is_full || line.is_empty() {
            return;
        }
        let element = run(&text::clip(line, LINE_CHARS_MAX, Unit::Chars), address, style, is_apart);
        let bytes = element.to_string().len() + 1;
        if self.used + bytes + RESERVE_BYTES > CARD_BYTES_MAX {
            self.is_full = true;
            self.elements.push(run("…", None, &json!({}), false));
            return;
        }
        self.used += bytes;
        self.elements.push(element);
    }
}

/// One line. What it says is not parsed; addresses and mentions are found by who shows it.
fn run(line: &str, address: Option<&str>, style: &Value, is_apart: bool) -> Value {
    let mut run = json!({"type": "TextRun", "text": dialect::apart(line, "@")});
    for (name, value) in style.as_object().into_iter().flatten() {
        run[name] = value.clone();
    }
    if let Some(address) = address {
        run["color"] = "Accent".into();
        run["selectAction"] = json!({"type": "Action.OpenUrl", "url": address});
    }
    let mut block = json!({"type": "RichTextBlock", "inlines": [run]});
    block["spacing"] = if is_apart { "Medium" } else { "None" }.into();
    block
}

#[cfg(test)]
mod tests;
