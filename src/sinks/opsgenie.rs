//! Opsgenie, and Jira Service Management where it takes the same calls: one alert for each incident, by alias.
//!
//! Decides which calls an incident's news needs, and what an answer means. While an alert with the alias is
//! open a second `create` only counts up, so nothing comes twice but a note. An alert's priority and description
//! are kept up to date, what is news is a note. Opsgenie answers before it has done anything (202), so the
//! creation is asked for again until its result is known; a later call that fails there is not seen here.
//! Alert API 2, read 2026-11-21: <https://docs.opsgenie.com/docs/alert-api>.
//!
//! ```text
//! no alert known ──▶ create ──▶ CHECK until done ──▶ acknowledge, if that is the news ──▶ done
//! alert known    ──▶ priority, description ──▶ note ──▶ done
//!                 ─▶ acknowledge or close, with a note ──▶ done
//! ```

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, chat, document, foreign_response,
    json_request, keep_doubt, pagerduty, read_address,
};
use crate::error::{ConfigError, ErrorKind, Secret, Table, read_table};
use crate::model::NotificationKind;
use crate::render::layout::{self, Limit};
use crate::render::text::{self, Unit};
use crate::render::{Document, Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "opsgenie",
    title: "Opsgenie alerts",
    docs: DOCS,
    example: "api_key: eb243592-faa2-4ba2-a551q-1afdf565c889\nresponders: [{ type: team, name: operations }]\ntags: [watchbell]\n",
    // Of an account of ten users; theirs grows with the users.
    rate: Rate { count: 5, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `api_key`: of an API integration that may create and change alerts.
- `base_url`: default `https://api.opsgenie.com`; in the EU `https://api.eu.opsgenie.com`. Atlassian ends
  Opsgenie on 2027-04-05; Jira Service Management takes the same calls under
  `https://api.atlassian.com/jsm/ops/integration`.
- `responders`: a list of `{ type, name }` or `{ type, id }` or `{ type, username }`; the type is `team`,
  `user`, `escalation` or `schedule`. `tags`: a list. `details`: more properties of an alert.
- `title_template` and `template` replace the message and the description (minijinja).

An alert's alias is `<instance>:<incident>`. A note may come twice after an unclear answer, nothing else.
`watchbell test-sink` opens an alert that has to be closed by hand.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    api_key: Secret<String>,
    base_url: Option<String>,
    #[serde(default)]
    responders: Vec<Responder>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    details: BTreeMap<String, String>,
    title_template: Option<String>,
    template: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Responder {
    #[serde(rename = "type")]
    kind: ResponderKind,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ResponderKind {
    Team,
    User,
    Escalation,
    Schedule,
}

struct Opsgenie {
    setting: Setting,
    templates: Templates,
    authorization: String,
    api_key: Secret<String>,
    api: String,
    responders: Vec<Responder>,
    tags: Vec<String>,
    details: BTreeMap<String, String>,
}

/// The incident's alert, and the creation that is not done yet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Alert {
    alias: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Call {
    Create,
    Check,
    Priority,
    Description,
    Acknowledge,
    Close,
    Note,
}

/// Ask what became of the creation.
const CHECK: u16 = 100;
/// Until it is asked again.
const CHECK_AFTER_MS: u64 = 2_000;

const MESSAGE_CHARS_MAX: usize = 130;
const ALIAS_CHARS_MAX: usize = 512;
const DESCRIPTION: Limit = Limit { max: 15_000, unit: Unit::Utf16 };
const NOTE: Limit = Limit { max: 4_000, unit: Unit::Utf16 };
const ENTITY_CHARS_MAX: usize = 250;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    for (index, responder) in keys.responders.iter().enumerate() {
        let named = [&responder.id, &responder.name, &responder.username].iter().filter(|name| name.is_some()).count();
        if named != 1 {
            let path = format!("responders[{index}]");
            return Err(ConfigError::new(path, "expected one of `id`, `name` and `username`"));
        }
    }
    let api_key = chat::read_token("api_key", keys.api_key)?;
    Ok(Box::new(Opsgenie {
        setting: setting.clone(),
        templates: Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?,
        authorization: format!("GenieKey {}", api_key.expose()),
        api_key,
        api: format!(
            "{}/v2/alerts",
            read_address("base_url", keys.base_url.as_deref().unwrap_or("https://api.opsgenie.com"))?
        ),
        responders: keys.responders,
        tags: keys.tags,
        details: keys.details,
    }))
}

fn known(attempt: &Attempt<'_>) -> Option<Alert> {
    attempt.progress.remote.as_deref().and_then(|remote| serde_json::from_str(remote).ok())
}

/// All calls of this news, in order. The creation is known to be done once a step follows it.
fn calls(kind: NotificationKind, is_known: bool) -> &'static [Call] {
    use NotificationKind::{Acknowledged, Merged, Opened, PriorityRaised, Reopened, Resolved, Test, Updated};
    match kind {
        Resolved | Merged => &[Call::Close],
        Opened | Reopened | Test => &[Call::Create],
        Acknowledged if is_known => &[Call::Acknowledge],
        Acknowledged => &[Call::Create, Call::Acknowledge],
        Updated | PriorityRaised if is_known && matches!(kind, Updated) => &[Call::Priority, Call::Description],
        PriorityRaised if is_known => &[Call::Priority, Call::Description, Call::Note],
        kind if kind.is_about_problem() => &[Call::Note],
        _ if is_known => &[Call::Description, Call::Note],
        _ => &[Call::Create],
    }
}

/// Which call comes next, and whether another one follows it.
fn next(attempt: &Attempt<'_>) -> (Call, bool) {
    let alert = known(attempt);
    let step = attempt.progress.step;
    if step == CHECK && alert.as_ref().is_some_and(|alert| alert.request.is_some()) {
        // What follows a creation does not depend on it any more.
        let follows = calls(attempt.notification.kind, false).len() > 1;
        return (Call::Check, follows);
    }
    // A creation that this delivery began goes on as one.
    let was_created = alert.as_ref().is_some_and(|alert| alert.request.is_some());
    let calls = calls(attempt.notification.kind, alert.is_some() && !was_created);
    let at = usize::from(step).min(calls.len() - 1);
    (calls[at], at + 1 < calls.len())
}

impl Sink for Opsgenie {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        if attempt.notification.kind.is_about_problem() && known(attempt).is_none() {
            return Ok(Request::Skip("there is no alert of this incident"));
        }
        let (call, _) = next(attempt);
        let document = document(&self.setting, &self.templates, attempt.notification);
        let by_alias = |action: &str| self.by_alias(attempt, action);
        let (method, url, body) = match call {
            Call::Create => ("POST", self.api.clone(), Some(self.alert(attempt, &document))),
            Call::Check => {
                let request = known(attempt).and_then(|alert| alert.request).unwrap_or_default();
                ("GET", format!("{}/requests/{request}", self.api), None)
            }
            Call::Priority => {
                let priority = attempt.notification.incident.priority.as_str();
                ("PUT", by_alias("priority")?, Some(json!({ "priority": priority })))
            }
            Call::Description => {
                let description = inert(&layout::body(&document, &dialect::PLAIN, DESCRIPTION));
                ("PUT", by_alias("description")?, Some(json!({ "description": description })))
            }
            Call::Acknowledge => ("POST", by_alias("acknowledge")?, Some(note(&document))),
            Call::Close => ("POST", by_alias("close")?, Some(note(&document))),
            Call::Note => ("POST", by_alias("notes")?, Some(note(&document))),
        };
        let authorization = Some(self.authorization.clone());
        Ok(Request::Http(json_request(method, Secret::new(url), authorization, body.as_ref())))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let (call, follows) = next(attempt);
        let request = reply["requestId"].as_str().filter(|id| is_id(id));
        let outcome = match (*status, call, request) {
            (200, Call::Check, _) => self.checked(&reply, follows),
            (404, Call::Check, _) => Outcome::Retry {
                after_ms: Some(CHECK_AFTER_MS),
                kind: ErrorKind::Unreachable,
                reason: "Opsgenie has not created the alert yet".into(),
                is_ambiguous: false,
            },
            (202, Call::Create, Some(request)) => {
                let remote = self.remote(attempt, Some(request));
                Outcome::Next { remote, step: CHECK }
            }
            (202, _, Some(_)) if follows => {
                Outcome::Next { remote: None, step: attempt.progress.step.saturating_add(1) }
            }
            (202, call, Some(request)) => chat::delivered(self.remote(attempt, None), said(call), request),
            _ => {
                let said = reply["message"].as_str().unwrap_or_default();
                // Throttled for so long.
                let pause_ms = response.header("x-ratelimit-period-in-sec").and_then(|value| value.trim().parse().ok());
                let pause_ms = pause_ms.map(|seconds: u64| seconds.saturating_mul(1_000));
                chat::refused(*status, response, "Opsgenie", said, &[self.api_key.expose()], pause_ms)
            }
        };
        keep_doubt(outcome, attempt)
    }
}

impl Opsgenie {
    fn alias(&self, attempt: &Attempt<'_>) -> String {
        known(attempt).map_or_else(|| pagerduty::key(&self.setting, attempt, ALIAS_CHARS_MAX), |alert| alert.alias)
    }

    fn remote(&self, attempt: &Attempt<'_>, request: Option<&str>) -> Option<String> {
        let alert = Alert { alias: self.alias(attempt), request: request.map(str::to_owned) };
        serde_json::to_string(&alert).ok()
    }

    fn by_alias(&self, attempt: &Attempt<'_>, action: &str) -> Result<String, RenderError> {
        let mut url = reqwest::Url::parse(&self.api).map_err(|error| RenderError(error.to_string()))?;
        url.path_segments_mut()
            .map_err(|()| RenderError("the address takes no path".into()))?
            .extend([&*self.alias(attempt), action]);
        url.set_query(Some("identifierType=alias"));
        Ok(url.into())
    }

    /// What a new alert shows.
    fn alert(&self, attempt: &Attempt<'_>, document: &Document) -> Value {
        let incident = &attempt.notification.incident;
        let cause = incident.root_cause.as_ref().map(|cause| &cause.configuration_item);
        let item = cause.or(incident.configuration_items.first());
        let mut details: BTreeMap<&str, String> = BTreeMap::new();
        details.extend(self.details.iter().map(|(name, value)| (name.as_str(), value.clone())));
        details.insert("incident", incident.id.to_string());
        if let Some(url) = incident.url.as_deref().and_then(text::web_address) {
            details.insert("url", url);
        }
        json!({
            "message": text::clip(&inert(&document.headline), MESSAGE_CHARS_MAX, Unit::Utf16),
            "alias": self.alias(attempt),
            "description": inert(&layout::body(document, &dialect::PLAIN, DESCRIPTION)),
            "responders": self.responders,
            "tags": self.tags,
            "details": details,
            "entity": item.map(|item| text::excerpt(item, ENTITY_CHARS_MAX)).unwrap_or_default(),
            "source": "Watchbell",
            "priority": incident.priority.as_str(),
        })
    }

    fn checked(&self, reply: &Value, follows: bool) -> Outcome {
        let result = &reply["data"];
        let status = result["status"].as_str().unwrap_or_default();
        match result["isSuccess"].as_bool().or(result["success"].as_bool()) {
            Some(true) if follows => Outcome::Next { remote: None, step: 1 },
            Some(true) => {
                let remote = result["alias"]
                    .as_str()
                    .filter(|alias| !alias.is_empty())
                    .and_then(|alias| serde_json::to_string(&Alert { alias: alias.to_owned(), request: None }).ok());
                chat::delivered(remote, "created", result["alertId"].as_str().unwrap_or_default())
            }
            Some(false) => Outcome::Rejected {
                kind: ErrorKind::Rejected,
                reason: format!(
                    "Opsgenie did not create the alert: {}",
                    super::quote(status, &[self.api_key.expose()])
                ),
            },
            None => chat::unclear("Opsgenie did not say what became of the alert".into()),
        }
    }
}

const fn said(call: Call) -> &'static str {
    match call {
        Call::Create | Call::Check => "created",
        Call::Priority | Call::Description => "updated",
        Call::Acknowledge => "acknowledged",
        Call::Close => "closed",
        Call::Note => "noted",
    }
}

fn note(document: &Document) -> Value {
    json!({"source": "Watchbell", "note": inert(&layout::reply(document, &dialect::PLAIN, NOTE))})
}

/// Opsgenie shows some HTML as such.
fn inert(text: &str) -> String {
    text.replace('<', "\u{2039}")
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 100 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests;
