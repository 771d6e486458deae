//! Rocket.Chat: one message for each incident, updated in place, news as replies in its thread.
//!
//! Decides which call comes next and what an answer means. Only the text of a message can be updated there, so
//! all of it is text. Its Markdown has no escapes: what acts is replaced by its like or broken up.
//!
//! A message's `_id` is ours, the same for every try, so nothing comes twice: after an unclear answer the
//! message is asked for by it. With an incoming webhook nothing can be updated or found: there a message may
//! come twice. REST API 1, read 2026-11-21: <https://developer.rocket.chat/apidocs>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chat::{self, Call};
use super::{
    Attempt, HttpRequest, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document,
    foreign_response, json_request, keep_doubt, read_address,
};
use crate::error::{ConfigError, ErrorKind, Secret, Table, read_table};
use crate::render::layout::{self, Limit};
use crate::render::text::Unit;
use crate::render::{Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "rocketchat",
    title: "Rocket.Chat: one message per incident, kept up to date",
    docs: DOCS,
    example: "base_url: https://chat.example.org\nuser_id: aobEdbYhXfu5hkeqG\n\
              token: 9HqLlyZOugoStsXCUfD_0YdwnNnunAJF8V47U3QHXSq\nroom_id: 64f0f82c2c26843a68c1f7ba\n",
    // Of each call, unless the user's role is exempt.
    rate: Rate { count: 10, per_ms: 60_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
With a user's token, best:

- `base_url`: of the server, such as `https://chat.example.org`.
- `user_id` and `token`: a personal access token of the bot's user, which is a member of the room. The role
  `bot`, or the permission `api-bypass-rate-limit`, lifts the limit of 10 calls a minute; raise the sink's
  `rate` then.
- `room_id`: the room's id, from its information.

Or `webhook_url`, of an incoming integration: nothing can be updated then, so quiet updates are left out, and
after an unclear answer a message may come twice.

`title_template` and `template` replace the headline and the text below it (minijinja).
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    base_url: Option<String>,
    user_id: Option<String>,
    token: Option<Secret<String>>,
    room_id: Option<String>,
    webhook_url: Option<Secret<String>>,
    title_template: Option<String>,
    template: Option<String>,
}

struct RocketChat {
    setting: Setting,
    templates: Templates,
    way: Way,
}

enum Way {
    User { user_id: String, token: Secret<String>, room_id: String, api: String },
    Webhook { url: Secret<String> },
}

/// The incident's message.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    room_id: String,
    message_id: String,
}

/// A server takes 5,000 characters unless it is set otherwise.
const TEXT: Limit = Limit { max: 4_900, unit: Unit::Utf16 };
/// Of the server's own ids.
const ID_CHARS: usize = 17;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let way = match (keys.base_url, keys.user_id, keys.token, keys.room_id, keys.webhook_url) {
        (Some(base_url), Some(user_id), Some(token), Some(room_id), None) => Way::User {
            user_id: chat::read_name("user_id", &user_id, "._-", "a user's id")?,
            token: chat::read_token("token", token)?,
            room_id: chat::read_name("room_id", &room_id, "._-", "a room's id, not its name")?,
            api: format!("{}/api/v1", read_address("base_url", &base_url)?),
        },
        (None, None, None, None, Some(url)) => {
            Way::Webhook { url: Secret::new(read_address("webhook_url", url.expose())?) }
        }
        _ => {
            let expected = "expected `base_url`, `user_id`, `token` and `room_id`, or `webhook_url` alone";
            return Err(ConfigError::new("token", expected));
        }
    };
    let templates = Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?;
    Ok(Box::new(RocketChat { setting: setting.clone(), templates, way }))
}

/// Whether to ask for the message that an earlier try may have left. An update may come twice.
fn looks_first(attempt: &Attempt<'_>, call: &Call<Message>) -> bool {
    attempt.progress.is_ambiguous && !matches!(call, Call::Edit(_))
}

impl Sink for RocketChat {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        Ok(match &self.way {
            Way::Webhook { .. } if !chat::is_news(attempt.notification.kind) => Request::Skip(chat::CANNOT_EDIT),
            Way::Webhook { url } => {
                let body = json!({ "text": self.text(attempt, false) });
                Request::Http(json_request("POST", url.clone(), None, Some(&body)))
            }
            Way::User { user_id, token, room_id, api } => {
                let mut request = self.user_request(attempt, room_id, api);
                request.headers.push(("x-user-id".into(), Secret::new(user_id.clone())));
                request.headers.push(("x-auth-token".into(), token.clone()));
                Request::Http(request)
            }
        })
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let outcome = match &self.way {
            Way::Webhook { url } => match (*status, reply["success"] == true) {
                (200, true) => chat::delivered(None, "answered", "success"),
                _ => refused(*status, &reply, response, url.expose()),
            },
            Way::User { token, .. } => self.answered(attempt, *status, &reply, response, token.expose()),
        };
        keep_doubt(outcome, attempt)
    }
}

impl RocketChat {
    fn user_request(&self, attempt: &Attempt<'_>, room_id: &str, api: &str) -> HttpRequest {
        let call = chat::call::<Message>(attempt);
        let id = chat::key(&self.setting, attempt, ID_CHARS);
        if looks_first(attempt, &call) {
            return json_request("GET", Secret::new(format!("{api}/chat.getMessage?msgId={id}")), None, None);
        }
        let post =
            |method: &str, body: &Value| json_request("POST", Secret::new(format!("{api}/{method}")), None, Some(body));
        match call {
            Call::Post => {
                let message = json!({"_id": id, "rid": room_id, "msg": self.text(attempt, false)});
                post("chat.sendMessage", &json!({ "message": message, "previewUrls": [] }))
            }
            Call::Reply(Message { room_id, message_id }) => {
                let message = json!({"_id": id, "rid": room_id, "msg": self.text(attempt, true), "tmid": message_id,
                    "tshow": chat::is_for_everyone(attempt.notification.kind)});
                post("chat.sendMessage", &json!({ "message": message, "previewUrls": [] }))
            }
            Call::Edit(Message { room_id, message_id }) => {
                let text = self.text(attempt, false);
                post("chat.update", &json!({"roomId": room_id, "msgId": message_id, "text": text, "previewUrls": []}))
            }
        }
    }

    /// What is shown, whether sent or updated.
    fn text(&self, attempt: &Attempt<'_>, is_reply: bool) -> String {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let paint = if is_reply { layout::reply } else { layout::message };
        paint(&document, &dialect::ROCKETCHAT, TEXT)
    }

    fn answered(&self, attempt: &Attempt<'_>, status: u16, reply: &Value, response: &Response, token: &str) -> Outcome {
        let call = chat::call::<Message>(attempt);
        let is_look_up = looks_first(attempt, &call);
        let is_done = status == 200 && reply["success"] == true;
        let message_id = reply["message"]["_id"].as_str();
        match call {
            // What is not there is answered as a fault of ours.
            _ if is_look_up && !is_done && status == 400 && reply["success"] == false && !is_limited(reply) => {
                self.not_found(attempt)
            }
            _ if is_look_up && is_done && message_id.is_none() => self.not_found(attempt),
            Call::Edit(Message { message_id, .. }) if is_done => chat::edited(attempt, &message_id),
            Call::Reply(_) if is_done => chat::replied(attempt, message_id.unwrap_or("it")),
            Call::Post if is_done => match (message_id, &self.way) {
                (Some(id), Way::User { room_id, .. }) => {
                    let message = Message { room_id: room_id.clone(), message_id: id.to_owned() };
                    chat::delivered(serde_json::to_string(&message).ok(), "posted", id)
                }
                // A server that knows the `_id` already answers without a message: look at it.
                _ => chat::unclear("Rocket.Chat did not say which message it took".into()),
            },
            Call::Edit(_) if status == 400 && says(reply, &["no message found", "blocked", "not-allowed"]) => {
                chat::anew()
            }
            _ => refused(status, reply, response, token),
        }
    }

    /// Nothing was left by an earlier try. No clear answer was refused, so the outcome may say so.
    fn not_found(&self, attempt: &Attempt<'_>) -> Outcome {
        Outcome::Next { remote: None, step: attempt.progress.step }
    }
}

fn words(reply: &Value) -> String {
    let words = ["error", "errorType", "message"].map(|name| reply[name].as_str().unwrap_or_default());
    words.join(" ").trim().to_owned()
}

fn says(reply: &Value, known: &[&str]) -> bool {
    let words = words(reply).to_lowercase();
    known.iter().any(|word| words.contains(word))
}

/// Old servers say so with a status of 400.
fn is_limited(reply: &Value) -> bool {
    says(reply, &["error-too-many-requests"])
}

fn refused(status: u16, reply: &Value, response: &Response, secret: &str) -> Outcome {
    let words = words(reply);
    match chat::refused(status, response, "Rocket.Chat", &words, &[secret], None) {
        Outcome::Rejected { reason, .. } if is_limited(reply) => {
            Outcome::Retry { after_ms: None, kind: ErrorKind::RateLimited, reason, is_ambiguous: false }
        }
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests;
