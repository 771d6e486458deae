//! ServiceNow incidents through the Table API.
//!
//! Decides which ticket fields follow the incident: one ticket per incident, news as work notes, state
//! on acknowledge, resolve and reopen. Never touches `assigned_to`, the short description of an
//! existing ticket, or anything else that people edit there.
//!
//! The vendor has no idempotency key. `correlation_id` holds ours, and after an unclear create the
//! ticket is looked up by it. A work note whose answer got lost is written twice.
//!
//! ```text
//! no ticket known ──▶ POST ──▶ done          unclear before ──▶ GET by correlation_id ─┬ found ──▶ PATCH
//! ticket known ──▶ PATCH ──▶ done                                                      └ absent ─▶ POST
//! ```
//!
//! A group of alerts has the same key each time that it fires, and each time another ticket. So the newest one that is
//! still open is looked for, always when none is known: what stands there may be older than what is remembered here. A
//! ticket that is resolved belongs to an earlier firing, but for an end in doubt: that has found its ticket resolved,
//! and is done. An end that finds nothing open otherwise makes a ticket that is resolved, for the record.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document, foreign_response,
    http_failure, json_request, keep_doubt, quote, read_address, retry_after_ms,
};
use crate::error::{ConfigError, ErrorKind, Secret, Table, read_table};
use crate::model::{Impact, IncidentState, NotificationKind, Urgency};
use crate::render::text::{self, Unit};
use crate::render::{Document, Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "servicenow",
    title: "ServiceNow incidents through the Table API",
    docs: DOCS,
    example: "url: https://example.service-now.com\n\
              user: watchbell\n\
              password: S3rvice-N0w-pass\n\
              assignment_group: 287ebd7da9fe198100f92cc8d1d2154e\n\
              fields:\n  contact_type: monitoring\n",
    rate: Rate { count: 10, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `url`: `https://<instance>.service-now.com`.
- `user` and `password`, or `token` (OAuth bearer). The account needs `itil`, or less with rights to
  read and write incidents, and `snc_platform_rest_api_access`.
- `assignment_group`, `caller_id`: sys_id of the group and of the caller. `category`: the choice's value.
- `close_code`: one of your instance's choices, default `Solution provided`; older instances have
  `Solved (Permanently)`. `merged_close_code`: for incidents that became part of another one.
- `fields`: more fields of a new ticket. `correlation_display`: default `Watchbell`.
- `title_template`, `template`: replace the short description and the description (minijinja).

A ticket's `correlation_id` is `<instance>:<incident>`. A unique index on it is advisable, but not where people are
told of groups of alerts: there it is `<instance>:<group>`, and each firing of a group gets a ticket of its own.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    url: String,
    user: Option<String>,
    password: Option<Secret<String>>,
    token: Option<Secret<String>>,
    assignment_group: Option<String>,
    caller_id: Option<String>,
    category: Option<String>,
    #[serde(default = "default_close_code")]
    close_code: String,
    merged_close_code: Option<String>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default = "default_correlation_display")]
    correlation_display: String,
    title_template: Option<String>,
    template: Option<String>,
}

fn default_close_code() -> String {
    "Solution provided".into()
}

fn default_correlation_display() -> String {
    "Watchbell".into()
}

struct ServiceNow {
    setting: Setting,
    templates: Templates,
    /// Up to and with the table's name.
    url: String,
    authorization: Secret<String>,
    /// What must not appear in a reason: the password or token, and the encoded form.
    secrets: Vec<Secret<String>>,
    /// Fields of a new ticket that the configuration gives.
    fields: BTreeMap<String, String>,
    close_code: String,
    merged_close_code: String,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Ticket {
    sys_id: String,
    number: String,
}

/// Lengths of the columns.
const SHORT_DESCRIPTION_CHARS_MAX: usize = 160;
const TEXT_CHARS_MAX: usize = 4_000;
const CORRELATION_CHARS_MAX: usize = 100;

/// Fields that this file alone writes.
const OWN_FIELDS: [&str; 4] = ["sys_id", "number", "correlation_id", "work_notes"];

const FIELDS_READ: &str = "sys_id,number,correlation_id,state";

const STATE_IN_PROGRESS: &str = "2";
const STATE_RESOLVED: &str = "6";
/// From this number on, which is that of [`STATE_RESOLVED`], a ticket is resolved, closed or cancelled.
const RESOLVED: u32 = 6;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let (authorization, secrets) = match (keys.user, keys.password, keys.token) {
        (Some(user), Some(password), None) => {
            let encoded = STANDARD.encode(format!("{user}:{}", password.expose()));
            (format!("Basic {encoded}"), vec![password, Secret::new(encoded)])
        }
        (None, None, Some(token)) => (format!("Bearer {}", token.expose()), vec![token]),
        _ => return Err(ConfigError::new("user", "expected `user` with `password`, or `token` alone")),
    };
    if http::HeaderValue::from_str(&authorization).is_err() {
        return Err(ConfigError::new("token", "expected visible ASCII characters (its value is not shown)"));
    }
    if let Some(field) = keys.fields.keys().find(|field| OWN_FIELDS.contains(&field.as_str())) {
        return Err(ConfigError::new(format!("fields.{field}"), "this field is written by Watchbell itself"));
    }
    let mut fields = keys.fields;
    for (name, value) in [
        ("assignment_group", keys.assignment_group),
        ("caller_id", keys.caller_id),
        ("category", keys.category),
        ("correlation_display", Some(text::clip(&keys.correlation_display, CORRELATION_CHARS_MAX, Unit::Utf16))),
    ] {
        if let Some(value) = value {
            fields.insert(name.into(), value);
        }
    }
    Ok(Box::new(ServiceNow {
        setting: setting.clone(),
        templates: Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?,
        url: format!("{}/api/now/table/incident", read_address("url", &keys.url)?),
        authorization: Secret::new(authorization),
        secrets,
        fields,
        merged_close_code: keys.merged_close_code.unwrap_or_else(|| keys.close_code.clone()),
        close_code: keys.close_code,
    }))
}

/// Which of the three requests comes next.
enum Call {
    LookUp,
    Create,
    Update(Ticket),
}

fn call(attempt: &Attempt<'_>) -> Call {
    let ticket = attempt.progress.remote.as_deref().and_then(|remote| serde_json::from_str(remote).ok());
    let is_first = attempt.progress.step == 0;
    match ticket {
        Some(ticket) => Call::Update(ticket),
        None if attempt.progress.is_ambiguous || is_first && is_of_group(attempt) => Call::LookUp,
        None => Call::Create,
    }
}

fn is_of_group(attempt: &Attempt<'_>) -> bool {
    attempt.notification.incident.id.is_group()
}

impl Sink for ServiceNow {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let (method, url, body) = match call(attempt) {
            Call::LookUp => ("GET", self.look_up_url(attempt)?, None),
            Call::Create => {
                let url = format!("{}?sysparm_fields={FIELDS_READ}", self.url);
                ("POST", url, Some(self.new_ticket(attempt)))
            }
            Call::Update(ticket) => {
                let mut url = reqwest::Url::parse(&self.url).map_err(|error| RenderError(error.to_string()))?;
                url.path_segments_mut()
                    .map_err(|()| RenderError("the address takes no path".into()))?
                    .push(&ticket.sys_id);
                url.set_query(Some(&format!("sysparm_fields={FIELDS_READ}")));
                ("PATCH", url.into(), Some(self.changes(attempt)))
            }
        };
        let authorization = Some(self.authorization.expose().clone());
        Ok(Request::Http(json_request(method, Secret::new(url), authorization, body.as_ref())))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let call = call(attempt);
        let result = match self.result(response, matches!(call, Call::Update(_))) {
            Ok(result) => result,
            Err(outcome) => return keep_doubt(outcome, attempt),
        };
        match call {
            Call::LookUp => self.found(attempt, &result),
            Call::Create => self.created(attempt, &result),
            Call::Update(ticket) => updated(attempt, &ticket, &result),
        }
    }
}

impl ServiceNow {
    fn correlation_id(&self, attempt: &Attempt<'_>) -> String {
        let incident = attempt.notification.incident.id.to_string();
        let room = CORRELATION_CHARS_MAX.saturating_sub(Unit::Utf16.len(&incident) + 1);
        let instance = text::clip(&text::one_line(&self.setting.instance), room, Unit::Utf16);
        text::clip(&format!("{instance}:{incident}"), CORRELATION_CHARS_MAX, Unit::Utf16)
    }

    fn look_up_url(&self, attempt: &Attempt<'_>) -> Result<String, RenderError> {
        // A caret separates conditions; doubled it stands for itself.
        let key = self.correlation_id(attempt).replace('^', "^^");
        let order = if is_of_group(attempt) { "ORDERBYDESC" } else { "ORDERBY" };
        let query = format!("correlation_id={key}^{order}sys_created_on");
        let parameters = [("sysparm_query", query.as_str()), ("sysparm_fields", FIELDS_READ), ("sysparm_limit", "5")];
        let url = reqwest::Url::parse_with_params(&self.url, parameters);
        url.map(String::from).map_err(|error| RenderError(error.to_string()))
    }

    fn new_ticket(&self, attempt: &Attempt<'_>) -> Value {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let mut ticket = self.state(attempt, &document);
        let description = dialect::journal(&dialect::plain(&document));
        let headline = text::clip(&document.headline, SHORT_DESCRIPTION_CHARS_MAX, Unit::Utf16);
        ticket.insert("short_description".into(), headline.into());
        ticket.insert("description".into(), text::clip(&description, TEXT_CHARS_MAX, Unit::Utf16).into());
        ticket.insert("work_notes".into(), work_note(&document).into());
        for (name, value) in &self.fields {
            ticket.insert(name.clone(), value.clone().into());
        }
        ticket.insert("correlation_id".into(), self.correlation_id(attempt).into());
        Value::Object(ticket)
    }

    fn changes(&self, attempt: &Attempt<'_>) -> Value {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let mut changes = self.state(attempt, &document);
        changes.insert("work_notes".into(), work_note(&document).into());
        Value::Object(changes)
    }

    /// Impact and urgency, from which the vendor computes its priority, and the state where this
    /// notification changes it.
    fn state(&self, attempt: &Attempt<'_>, document: &Document) -> Map<String, Value> {
        let incident = &attempt.notification.incident;
        let mut fields = Map::new();
        let impact = match incident.impact {
            Impact::High => "1",
            Impact::Medium => "2",
            Impact::Low => "3",
        };
        let urgency = match incident.urgency {
            Urgency::High => "1",
            Urgency::Medium => "2",
            Urgency::Low => "3",
        };
        fields.insert("impact".into(), impact.into());
        fields.insert("urgency".into(), urgency.into());
        match state_after(attempt) {
            Some(STATE_RESOLVED) => {
                let is_merged = attempt.notification.kind == NotificationKind::Merged;
                let code = if is_merged { &self.merged_close_code } else { &self.close_code };
                let notes = dialect::journal(&document.news.join(" – "));
                fields.insert("state".into(), STATE_RESOLVED.into());
                fields.insert("close_code".into(), code.clone().into());
                fields.insert("close_notes".into(), text::clip(&notes, TEXT_CHARS_MAX, Unit::Utf16).into());
            }
            Some(state) => {
                fields.insert("state".into(), state.into());
            }
            None => {}
        }
        fields
    }

    /// The `result` of a good answer. A hibernated instance answers every request with 200 and a page.
    fn result(&self, response: &Response, is_update: bool) -> Result<Value, Outcome> {
        let Response::Http { status, body, .. } = response else { return Err(foreign_response()) };
        let unclear = |reason: String| Outcome::Retry {
            after_ms: retry_after_ms(response),
            kind: ErrorKind::Unreachable,
            reason,
            is_ambiguous: true,
        };
        let rejected = |kind: ErrorKind, reason: String| Err(Outcome::Rejected { kind, reason });
        let said = self.error_text(body);
        match status {
            200 | 201 => {}
            202 => return Err(unclear(format!("ServiceNow answered 202: the transaction was cancelled{said}"))),
            401 => return rejected(ErrorKind::Auth, format!("ServiceNow answered 401: the credentials fail{said}")),
            403 => return rejected(ErrorKind::Rejected, format!("ServiceNow answered 403: not allowed{said}")),
            404 if is_update => {
                let reason = format!("ServiceNow answered 404: the ticket was deleted or is hidden from us{said}");
                return rejected(ErrorKind::Rejected, reason);
            }
            _ => {
                let mut outcome = http_failure(*status, response, "ServiceNow");
                if let Outcome::Retry { reason, .. } | Outcome::Rejected { reason, .. } = &mut outcome {
                    reason.push_str(&said);
                }
                return Err(outcome);
            }
        }
        if !response.header("content-type").is_some_and(|value| value.to_ascii_lowercase().contains("json")) {
            return Err(unclear(format!("ServiceNow answered {status} without JSON: the instance may be asleep")));
        }
        let reply = serde_json::from_slice::<Value>(body).ok();
        match reply.and_then(|mut reply| reply.get_mut("result").map(Value::take)) {
            Some(result) if !result.is_null() => Ok(result),
            _ => Err(unclear(format!("ServiceNow answered {status} with no `result` that can be read"))),
        }
    }

    /// What the vendor's error object says, ready to follow a sentence.
    fn error_text(&self, body: &[u8]) -> String {
        let Ok(reply) = serde_json::from_slice::<Value>(body) else { return String::new() };
        let error = &reply["error"];
        let texts = [&error["message"], &error["detail"]].map(|text| text.as_str().unwrap_or_default());
        let text = texts.join(" ");
        let secrets: Vec<&str> = self.secrets.iter().map(|secret| secret.expose().as_str()).collect();
        let text = quote(&text, &secrets);
        if text.is_empty() { text } else { format!(": {text}") }
    }

    /// Only a row with our key is ours: an instance that does not know a field of the query ignores
    /// the condition and returns any tickets.
    fn found(&self, attempt: &Attempt<'_>, result: &Value) -> Outcome {
        let key = self.correlation_id(attempt);
        let rows = result.as_array().map(Vec::as_slice).unwrap_or_default();
        let ours: Vec<&Value> = rows.iter().filter(|row| row["correlation_id"] == key.as_str()).collect();
        if is_of_group(attempt) {
            return found_of_group(attempt, &ours);
        }
        next(attempt, ours.into_iter().find_map(ticket).as_ref())
    }

    fn created(&self, attempt: &Attempt<'_>, result: &Value) -> Outcome {
        let Some(ticket) = ticket(result) else {
            return Outcome::Retry {
                after_ms: None,
                kind: ErrorKind::Invalid,
                reason: "ServiceNow created a ticket but did not say which".into(),
                is_ambiguous: true,
            };
        };
        if result["correlation_id"] != self.correlation_id(attempt).as_str() {
            let number = quote(&ticket.number, &[]);
            let reason = format!(
                "ServiceNow created {number} but did not keep `correlation_id`: \
                 the account needs the right to write and read this field"
            );
            return Outcome::Rejected { kind: ErrorKind::Rejected, reason };
        }
        Outcome::Delivered { remote: remote(&ticket), proof: format!("created {}", quote(&ticket.number, &[])) }
    }
}

fn next(attempt: &Attempt<'_>, found: Option<&Ticket>) -> Outcome {
    Outcome::Next { remote: found.and_then(remote), step: attempt.progress.step.saturating_add(1) }
}

/// The newest come first.
fn found_of_group(attempt: &Attempt<'_>, ours: &[&Value]) -> Outcome {
    let open = ours.iter().filter(|row| is_open(row)).find_map(|row| ticket(row));
    let is_end_in_doubt = attempt.progress.is_ambiguous && attempt.notification.kind.is_final();
    match ours.first().and_then(|row| ticket(row)).filter(|_| open.is_none() && is_end_in_doubt) {
        Some(done) => {
            let proof = format!("{} was resolved already", quote(&done.number, &[]));
            Outcome::Delivered { remote: remote(&done), proof }
        }
        None => next(attempt, open.as_ref()),
    }
}

fn updated(attempt: &Attempt<'_>, ticket: &Ticket, result: &Value) -> Outcome {
    let mut proof = format!("updated {}", quote(&ticket.number, &[]));
    // A business rule of the instance may hold a ticket back; that is its right, but worth knowing.
    if let (Some(wanted), Some(got)) = (state_after(attempt), result["state"].as_str())
        && wanted != got
    {
        proof.push_str(&format!(", its state stayed {}", quote(got, &[])));
    }
    Outcome::Delivered { remote: attempt.progress.remote.clone(), proof }
}

/// The ticket's state that this notification asks for; `None` leaves it to the people there.
fn state_after(attempt: &Attempt<'_>) -> Option<&'static str> {
    let notification = attempt.notification;
    let is_new = attempt.progress.remote.is_none();
    match notification.kind {
        NotificationKind::Resolved | NotificationKind::Merged => Some(STATE_RESOLVED),
        NotificationKind::Acknowledged | NotificationKind::Reopened => Some(STATE_IN_PROGRESS),
        _ if is_new && notification.incident.state == IncidentState::Acknowledged => Some(STATE_IN_PROGRESS),
        _ => None,
    }
}

/// Headline, news, and the first section: the root cause.
fn work_note(document: &Document) -> String {
    let mut note = format!("{}\n{}\n{}", document.news.join(" – "), document.headline, document.status);
    for line in document.sections.first().iter().flat_map(|section| &section.lines) {
        note.push('\n');
        note.push_str(&dialect::plain_line(line));
    }
    text::clip(&dialect::journal(&note), TEXT_CHARS_MAX, Unit::Utf16)
}

fn ticket(row: &Value) -> Option<Ticket> {
    let text = |name: &str| row[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let sys_id = text("sys_id").filter(|id| id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
    Some(Ticket { sys_id, number: text("number").unwrap_or_default() })
}

/// A state that cannot be read counts as resolved: rather a second ticket than news in one that nobody looks at.
fn is_open(row: &Value) -> bool {
    row["state"].as_str().and_then(|state| state.parse::<u32>().ok()).is_some_and(|state| state < RESOLVED)
}

fn remote(ticket: &Ticket) -> Option<String> {
    serde_json::to_string(&json!({ "sys_id": ticket.sys_id, "number": ticket.number })).ok()
}

#[cfg(test)]
mod tests;
