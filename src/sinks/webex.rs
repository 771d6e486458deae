//! Webex: one message for each incident, edited in place while Webex lets us, news as replies in its thread.
//!
//! Decides which call comes next and what an answer means. Text goes out as Markdown, in which no word of an
//! alert calls anybody, and plain for who cannot show that. A message can be edited ten times and no more: the
//! last edits are kept for what is worth a reply, quiet updates are left out before. A message with a card could
//! not be edited at all, so there is none.
//!
//! Webex has no idempotency key, and shows a bot only what mentions it: after an unclear answer a message or a
//! reply may come twice. Messages API, read 2026-11-21: <https://developer.webex.com/docs/api/v1/messages>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chat::{self, Call};
use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document, foreign_response,
    json_request, keep_doubt, read_address,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::render::layout::{self, Limit};
use crate::render::text::Unit;
use crate::render::{Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "webex",
    title: "Webex: one message per incident, kept up to date",
    docs: DOCS,
    example: "token: NDI5YTc1ZDktMjM5Ny00ZmQ1LWEzOWUt_PF84_consumer\n\
              room_id: Y2lzY29zcGFyazovL3VzL1JPT00vYmJjZWIxYWQtNDNmMS0zYjU4LTkxNDctZjE0YmIwYzRkMTU0\n",
    // They name no figure and answer 429.
    rate: Rate { count: 5, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
With a bot's token, best:

- `token`: of a bot that is a member of the space.
- `room_id`: of the space; `List Rooms` of the API names it.
- `base_url`: default `https://webexapis.com/v1`.

Or `webhook_url`, of an incoming webhook: nothing can be edited then, so quiet updates are left out.

A message can be edited ten times; the last of them are kept for what is worth a reply. After an unclear
answer a message may come twice. `title_template` and `template` replace the headline and the text below it
(minijinja).
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    token: Option<Secret<String>>,
    room_id: Option<String>,
    base_url: Option<String>,
    webhook_url: Option<Secret<String>>,
    title_template: Option<String>,
    template: Option<String>,
}

struct Webex {
    setting: Setting,
    templates: Templates,
    way: Way,
}

enum Way {
    Bot { token: Secret<String>, room_id: String, url: String },
    Webhook { url: Secret<String> },
}

/// The incident's message.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    webex_message: String,
    edits: u8,
}

/// Of each form of the text.
const TEXT: Limit = Limit { max: 7_439, unit: Unit::Bytes };

const EDITS_MAX: u8 = 10;
/// Edits that quiet updates may not use.
const EDITS_KEPT: u8 = 5;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let way = match (keys.token, keys.room_id, keys.webhook_url) {
        (Some(token), Some(room_id), None) => {
            let base_url = read_address("base_url", keys.base_url.as_deref().unwrap_or("https://webexapis.com/v1"))?;
            Way::Bot {
                token: chat::read_token("token", token)?,
                room_id: chat::read_name("room_id", &room_id, "-_=", "a space's id of letters and digits")?,
                url: format!("{base_url}/messages"),
            }
        }
        (None, None, Some(url)) if keys.base_url.is_none() => {
            Way::Webhook { url: Secret::new(read_address("webhook_url", url.expose())?) }
        }
        _ => return Err(ConfigError::new("token", "expected `token` with `room_id`, or `webhook_url` alone")),
    };
    let templates = Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?;
    Ok(Box::new(Webex { setting: setting.clone(), templates, way }))
}

/// What comes next: without edits left, only the reply.
fn call(attempt: &Attempt<'_>) -> Call<Message> {
    match chat::call::<Message>(attempt) {
        Call::Edit(message) if message.edits >= EDITS_MAX => Call::Reply(message),
        call => call,
    }
}

impl Sink for Webex {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let is_news = chat::is_news(attempt.notification.kind);
        let (token, room_id, url) = match &self.way {
            Way::Webhook { .. } if !is_news => return Ok(Request::Skip(chat::CANNOT_EDIT)),
            Way::Webhook { url } => {
                let body = json!({ "markdown": self.message(attempt, false)["markdown"] });
                return Ok(Request::Http(json_request("POST", url.clone(), None, Some(&body))));
            }
            Way::Bot { token, room_id, url } => (token, room_id, url),
        };
        let call = call(attempt);
        if let Call::Edit(message) | Call::Reply(message) = &call
            && !is_news
            && message.edits >= EDITS_MAX - EDITS_KEPT
        {
            return Ok(Request::Skip("Webex lets a message be edited ten times; what is left is kept for news"));
        }
        let mut body = self.message(attempt, matches!(call, Call::Reply(_)));
        body["roomId"] = room_id.as_str().into();
        let (method, url) = match call {
            Call::Post => ("POST", url.clone()),
            Call::Edit(message) => ("PUT", format!("{url}/{}", message.webex_message)),
            Call::Reply(message) => {
                body["parentId"] = message.webex_message.into();
                ("POST", url.clone())
            }
        };
        let authorization = Some(format!("Bearer {}", token.expose()));
        Ok(Request::Http(json_request(method, Secret::new(url), authorization, Some(&body))))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let id = reply["id"].as_str().filter(|id| is_id(id));
        let outcome = match (*status, id, call(attempt), &self.way) {
            (200 | 204, _, _, Way::Webhook { .. }) => chat::delivered(None, "answered", &status.to_string()),
            (200, Some(id), Call::Post, _) => chat::delivered(remote(id, 0), "posted", id),
            (200, Some(id), Call::Edit(message), _) => edited(attempt, id, message.edits),
            (200, Some(id), Call::Reply(_), _) => chat::replied(attempt, id),
            (404, _, Call::Edit(_), _) => chat::anew(),
            // No edits are left, whatever we have counted: the news is told all the same.
            (400, _, Call::Edit(message), _) if says(&reply, "edit") => {
                Outcome::Next { remote: remote(&message.webex_message, EDITS_MAX), step: chat::REPLY }
            }
            _ => self.refused(*status, &reply, response),
        };
        keep_doubt(outcome, attempt)
    }
}

impl Webex {
    /// What is shown, whether posted or edited.
    fn message(&self, attempt: &Attempt<'_>, is_reply: bool) -> Value {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let paint = if is_reply { layout::reply } else { layout::message };
        json!({
            "markdown": paint(&document, &dialect::WEBEX, TEXT),
            "text": paint(&document, &dialect::PLAIN, TEXT),
        })
    }

    fn refused(&self, status: u16, reply: &Value, response: &Response) -> Outcome {
        let errors = reply["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
        let errors = errors.iter().filter_map(|error| error["description"].as_str());
        let said: Vec<&str> = reply["message"].as_str().into_iter().chain(errors).collect();
        let secret = match &self.way {
            Way::Bot { token, .. } => token,
            Way::Webhook { url } => url,
        };
        let outcome = chat::refused(status, response, "Webex", &said.join(", "), &[secret.expose()], None);
        match outcome {
            // Something of the message is still being looked at.
            Outcome::Rejected { reason, .. } if status == 423 => Outcome::Retry {
                after_ms: super::retry_after_ms(response),
                kind: crate::error::ErrorKind::Unreachable,
                reason,
                is_ambiguous: false,
            },
            outcome => outcome,
        }
    }
}

/// One edit less, also when a reply follows.
fn edited(attempt: &Attempt<'_>, id: &str, edits: u8) -> Outcome {
    let remote = remote(id, edits.saturating_add(1));
    match chat::edited(attempt, id) {
        Outcome::Next { step, .. } => Outcome::Next { remote, step },
        Outcome::Delivered { proof, .. } => Outcome::Delivered { remote, proof },
        outcome => outcome,
    }
}

fn says(reply: &Value, word: &str) -> bool {
    reply["message"].as_str().is_some_and(|said| said.to_lowercase().contains(word))
}

fn is_id(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '='))
}

fn remote(id: &str, edits: u8) -> Option<String> {
    serde_json::to_string(&Message { webex_message: id.to_owned(), edits }).ok()
}

#[cfg(test)]
mod tests;
