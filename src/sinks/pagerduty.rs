//! PagerDuty, Events API version 2: trigger, acknowledge and resolve under one key for each incident.
//!
//! Decides which of the three an incident's news is. The `dedup_key` makes every event repeatable: what comes
//! twice is one. An event after the first is a line in the log of the alert that is there; PagerDuty does not
//! change what it shows, so quiet updates are left out. News of a problem that comes after the end is left out
//! too: it would open the alert anew. Read 2026-11-21: <https://developer.pagerduty.com/docs/events-api-v2>.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, chat, document, foreign_response,
    json_request, keep_doubt, read_address,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::{IncidentState, NotificationKind, Severity};
use crate::render::text::{self, Unit};
use crate::render::{Document, Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "pagerduty",
    title: "PagerDuty alerts through Events API v2",
    docs: DOCS,
    example: "routing_key: R015OMCMG6RLX45DTSNZNQ4PQRB6ZKYH\n",
    // Of one integration.
    rate: Rate { count: 120, per_ms: 60_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `routing_key`: the integration key of a service or of an orchestration, Events API v2.
- `base_url`: default `https://events.pagerduty.com`; in the EU `https://events.eu.pagerduty.com`.
- `title_template` and `template` replace the summary and the details (minijinja).

An incident opens one alert, an acknowledgement acknowledges it, the end resolves it; its key is
`<instance>:<incident>`. What is told in between is a line in the alert's log and calls nobody: escalate in
PagerDuty or in Watchbell, not in both. `watchbell test-sink` opens an alert that has to be resolved by hand.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    routing_key: Secret<String>,
    base_url: Option<String>,
    title_template: Option<String>,
    template: Option<String>,
}

struct PagerDuty {
    setting: Setting,
    templates: Templates,
    routing_key: Secret<String>,
    url: String,
}

const SUMMARY_CHARS_MAX: usize = 1_024;
const KEY_CHARS_MAX: usize = 255;
/// Of one detail; an event has 512 KB.
const DETAIL_CHARS_MAX: usize = 4_000;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let base_url = read_address("base_url", keys.base_url.as_deref().unwrap_or("https://events.pagerduty.com"))?;
    Ok(Box::new(PagerDuty {
        setting: setting.clone(),
        templates: Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?,
        routing_key: chat::read_token("routing_key", keys.routing_key)?,
        url: format!("{base_url}/v2/enqueue"),
    }))
}

/// What the news is to PagerDuty.
fn action(attempt: &Attempt<'_>) -> Result<&'static str, &'static str> {
    let incident = &attempt.notification.incident;
    let is_over = matches!(incident.state, IncidentState::Resolved | IncidentState::Closed | IncidentState::Merged);
    match attempt.notification.kind {
        NotificationKind::Resolved | NotificationKind::Merged => Ok("resolve"),
        NotificationKind::Acknowledged => Ok("acknowledge"),
        kind if kind.is_about_problem() && is_over => Err("the alert is resolved, and this would open it anew"),
        kind if chat::is_news(kind) => Ok("trigger"),
        _ => Err("PagerDuty does not change what it shows of an alert"),
    }
}

impl Sink for PagerDuty {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let action = match action(attempt) {
            Ok(action) => action,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let mut event = json!({
            "routing_key": self.routing_key.expose(),
            "event_action": action,
            "dedup_key": key(&self.setting, attempt, KEY_CHARS_MAX),
        });
        if action == "trigger" {
            self.describe(attempt, &mut event);
        }
        Ok(Request::Http(json_request("POST", Secret::new(self.url.clone()), None, Some(&event))))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let outcome = match (*status, reply["status"] == "success") {
            (202, true) => chat::delivered(None, "accepted as", reply["dedup_key"].as_str().unwrap_or_default()),
            _ => {
                let errors = reply["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
                let said: Vec<&str> = [&reply["message"]].into_iter().chain(errors).filter_map(Value::as_str).collect();
                let secrets = [self.routing_key.expose().as_str()];
                chat::refused(*status, response, "PagerDuty", &said.join(", "), &secrets, None)
            }
        };
        keep_doubt(outcome, attempt)
    }
}

impl PagerDuty {
    /// What the alert shows.
    fn describe(&self, attempt: &Attempt<'_>, event: &mut Value) {
        let incident = &attempt.notification.incident;
        let document = document(&self.setting, &self.templates, attempt.notification);
        let cause = incident.root_cause.as_ref().map(|cause| &cause.configuration_item);
        let item = cause.or(incident.configuration_items.first()).map(|item| text::excerpt(item, 250));
        let item = item.filter(|item| !item.is_empty());
        event["payload"] = json!({
            "summary": text::clip(&document.headline, SUMMARY_CHARS_MAX, Unit::Utf16),
            "source": item.unwrap_or_else(|| "watchbell".into()),
            "severity": severity(incident.severity),
            "timestamp": incident.started_at.to_string(),
            "custom_details": details(&document),
        });
        event["client"] = "Watchbell".into();
        if let Some(url) = incident.url.as_deref().and_then(text::web_address) {
            event["client_url"] = url.into();
        }
        let links = document
            .sections
            .iter()
            .flat_map(|section| &section.lines)
            .filter_map(|line| Some(json!({ "href": line.address.as_ref()?, "text": line.text })));
        event["links"] = links.collect();
    }
}

/// One for each section, as lines.
fn details(document: &Document) -> Map<String, Value> {
    let mut details = Map::new();
    details.insert("news".into(), document.news.join(" – ").into());
    details.insert("status".into(), document.status.clone().into());
    for section in &document.sections {
        let lines = section.lines.iter().filter(|line| line.address.is_none()).map(dialect::plain_line);
        let lines = lines.collect::<Vec<_>>().join("\n");
        if !lines.is_empty() {
            let label = if section.label.is_empty() { "text" } else { &section.label };
            details.insert(label.into(), text::clip(&lines, DETAIL_CHARS_MAX, Unit::Utf16).into());
        }
    }
    details.insert("source".into(), document.footer.clone().into());
    details
}

const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "critical",
        Severity::Major => "error",
        Severity::Minor | Severity::Warning => "warning",
        Severity::Info => "info",
    }
}

/// `<instance>:<incident>`: what an incident is called in systems that keep one object for it.
pub(super) fn key(setting: &Setting, attempt: &Attempt<'_>, chars_max: usize) -> String {
    let incident = attempt.notification.incident.id.to_string();
    let room = chars_max.saturating_sub(incident.len() + 1);
    format!("{}:{incident}", text::clip(&text::one_line(&setting.instance), room, Unit::Utf16))
}

#[cfg(test)]
mod tests;
