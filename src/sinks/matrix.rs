//! Matrix: one message for each incident, edited in place, news in its thread.
//!
//! Decides which event comes next and what an answer means. Every event has our transaction id, by which the
//! homeserver knows a repetition, so nothing comes twice as long as the access token stays the same. Text goes
//! out plain and as HTML; `m.mentions` is empty, so no word of an alert calls anybody.
//!
//! Does not encrypt: in an encrypted room its messages stand readable and flagged. Client-server API, read
//! 2026-11-21: <https://spec.matrix.org>.

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
use crate::render::{Document, Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "matrix",
    title: "Matrix: one message per incident, kept up to date",
    docs: DOCS,
    example: "base_url: https://matrix.example.org\ntoken: syt_d2F0Y2hiZWxs_XWpPjPYUHDxZpzZnHqEt_0iXgGE\n\
              room_id: '!636q39766251:example.org'\n",
    // What Synapse allows a user that is not exempt: 10 at once, then one in 5 s.
    rate: Rate { count: 10, per_ms: 50_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `base_url`: of the homeserver's client API, such as `https://matrix.example.org`.
- `token`: an access token of the bot's account, which has joined the room. Keep it: with a new one an unclear
  answer may lead to a second message.
- `room_id`: the room's id, `!…`, from its settings under `Advanced`; not its `#name`.
- `message_type`: `m.notice` (default) or `m.text`, which other bots may answer.
- `title_template` and `template` replace the headline and the text below it (minijinja).

The room must not be encrypted. Exempt the account from the homeserver's rate limit, and raise the sink's
`rate`, where much happens.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    base_url: String,
    token: Secret<String>,
    room_id: String,
    #[serde(default)]
    message_type: MessageType,
    title_template: Option<String>,
    template: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize)]
enum MessageType {
    #[default]
    #[serde(rename = "m.notice")]
    Notice,
    #[serde(rename = "m.text")]
    Text,
}

struct Matrix {
    setting: Setting,
    templates: Templates,
    token: Secret<String>,
    /// Up to the transaction's id.
    url: String,
    message_type: &'static str,
}

/// The incident's message.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    event_id: String,
}

/// An event takes 65,535 bytes; an edit holds its text twice, each plain and as HTML.
const TEXT: Limit = Limit { max: 9_000, unit: Unit::Bytes };
const TRANSACTION_CHARS: usize = 40;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    if !keys.room_id.trim().starts_with('!') {
        let message = format!("expected a room's id that begins with `!`, got `{}`", keys.room_id);
        return Err(ConfigError::new("room_id", message));
    }
    let mut url = reqwest::Url::parse(&read_address("base_url", &keys.base_url)?)
        .map_err(|error| ConfigError::new("base_url", error.to_string()))?;
    url.path_segments_mut().map_err(|()| ConfigError::new("base_url", "takes no path"))?.pop_if_empty().extend([
        "_matrix",
        "client",
        "v3",
        "rooms",
        keys.room_id.trim(),
        "send",
        "m.room.message",
    ]);
    Ok(Box::new(Matrix {
        setting: setting.clone(),
        templates: Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?,
        token: chat::read_token("token", keys.token)?,
        url: url.into(),
        message_type: match keys.message_type {
            MessageType::Notice => "m.notice",
            MessageType::Text => "m.text",
        },
    }))
}

impl Sink for Matrix {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let content = match chat::call::<Message>(attempt) {
            Call::Post => self.content(&document, false),
            Call::Edit(message) => {
                let new = self.content(&document, false);
                let mut content = new.clone();
                // For clients that do not know edits.
                content["body"] = format!("* {}", content["body"].as_str().unwrap_or_default()).into();
                content["m.new_content"] = new;
                content["m.relates_to"] = json!({"rel_type": "m.replace", "event_id": message.event_id});
                content
            }
            Call::Reply(message) => {
                let mut content = self.content(&document, true);
                content["m.relates_to"] = json!({
                    "rel_type": "m.thread",
                    "event_id": message.event_id,
                    "is_falling_back": true,
                    "m.in_reply_to": { "event_id": message.event_id },
                });
                content
            }
        };
        let url = format!("{}/{}", self.url, chat::key(&self.setting, attempt, TRANSACTION_CHARS));
        let authorization = Some(format!("Bearer {}", self.token.expose()));
        Ok(Request::Http(json_request("PUT", Secret::new(url), authorization, Some(&content))))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let outcome = match (*status, reply["event_id"].as_str(), chat::call::<Message>(attempt)) {
            (200, Some(event_id), Call::Post) => {
                let remote = serde_json::to_string(&Message { event_id: event_id.to_owned() }).ok();
                chat::delivered(remote, "posted", event_id)
            }
            (200, Some(event_id), Call::Edit(_)) => chat::edited(attempt, event_id),
            (200, Some(event_id), Call::Reply(_)) => chat::replied(attempt, event_id),
            _ => {
                let said = ["errcode", "error"].map(|name| reply[name].as_str().unwrap_or_default()).join(" ");
                let pause_ms = reply["retry_after_ms"].as_u64();
                chat::refused(*status, response, "the homeserver", said.trim(), &[self.token.expose()], pause_ms)
            }
        };
        keep_doubt(outcome, attempt)
    }
}

impl Matrix {
    /// What is shown, whether it is sent or takes the place of something.
    fn content(&self, document: &Document, is_reply: bool) -> Value {
        let paint = if is_reply { layout::reply } else { layout::message };
        json!({
            "msgtype": self.message_type,
            "body": paint(document, &dialect::PLAIN, TEXT),
            "format": "org.matrix.custom.html",
            "formatted_body": paint(document, &dialect::MATRIX, TEXT),
            "m.mentions": {},
        })
    }
}

#[cfg(test)]
mod tests;
