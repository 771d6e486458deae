//! Telegram, through a bot: one message for each incident, edited in place, news as replies to it.
//!
//! Decides which method of the Bot API comes next and what an answer means. Text goes out as HTML, in which
//! every name, command, tag and address of an alert is broken up, so that it calls nobody. Telegram has no
//! idempotency key and shows a bot no history: after an unclear answer a message or a reply may come twice.
//! An edit that comes twice is none.
//!
//! A group that becomes a supergroup gets another id; it is followed there (`migrate_to_chat_id`).
//! Bot API, read 2026-11-21: <https://core.telegram.org/bots/api>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chat::{self, Call, PLAIN};
use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document, foreign_response,
    json_request, keep_doubt, read_address,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::render::layout::{self, Limit};
use crate::render::text::Unit;
use crate::render::{Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "telegram",
    title: "Telegram: one message per incident, kept up to date",
    docs: DOCS,
    example: "token: 110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw\nchat_id: -1001234567890\nmessage_thread_id: 7\n",
    // 20 messages a minute for a group; for one person it would be one a second.
    rate: Rate { count: 20, per_ms: 60_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `token`: of a bot, from @BotFather. The bot has to be in the group, in a channel as an administrator.
- `chat_id`: the chat's number, such as `-1001234567890`, or a public channel's `@name`.
- `message_thread_id`: a topic of a group that has topics.
- `base_url`: default `https://api.telegram.org`, or a Bot API server of your own.
- `title_template` and `template` replace the headline and the text below it (minijinja).

Only what is meant to interrupt makes a sound. After an unclear answer a message may come twice: Telegram
gives a bot no way to look. Names, commands and addresses that an alert holds are broken up by an invisible
joiner, paths too: take it out of what you copy.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    token: Secret<String>,
    chat_id: ChatId,
    message_thread_id: Option<i64>,
    base_url: Option<String>,
    title_template: Option<String>,
    template: Option<String>,
}

/// A number, or the public name of a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum ChatId {
    Number(i64),
    Name(String),
}

struct Telegram {
    setting: Setting,
    templates: Templates,
    token: Secret<String>,
    /// Up to the method's name.
    url: Secret<String>,
    chat_id: ChatId,
    message_thread_id: Option<i64>,
}

/// The incident's message, or only where the chat has gone.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Message {
    chat_id: ChatId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message_id: Option<i64>,
}

/// Telegram counts after it has read the markup; we count before.
const TEXT_UNITS_MAX: usize = 4_096;
const TEXT: Limit = Limit { max: TEXT_UNITS_MAX, unit: Unit::Utf16 };

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let token = chat::read_token("token", keys.token)?;
    let is_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_');
    if !token.expose().contains(':') || !token.expose().chars().all(is_token) {
        return Err(ConfigError::new("token", "expected a bot's token, `<number>:<letters>` (its value is not shown)"));
    }
    let chat_id = match keys.chat_id {
        ChatId::Number(0) => return Err(ConfigError::new("chat_id", "expected a chat's number, got 0")),
        ChatId::Name(name) => match name.trim().parse() {
            Ok(number) => ChatId::Number(number),
            Err(_) if name.trim().starts_with('@') => ChatId::Name(name.trim().to_owned()),
            Err(_) => {
                return Err(ConfigError::new("chat_id", format!("expected a number or `@` and a name, got `{name}`")));
            }
        },
        number => number,
    };
    let base_url = read_address("base_url", keys.base_url.as_deref().unwrap_or("https://api.telegram.org"))?;
    Ok(Box::new(Telegram {
        setting: setting.clone(),
        templates: Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?,
        url: Secret::new(format!("{base_url}/bot{}", token.expose())),
        token,
        chat_id,
        message_thread_id: keys.message_thread_id,
    }))
}

/// Which call comes next, and in which chat.
fn call(attempt: &Attempt<'_>, chat_id: &ChatId) -> (Call<i64>, ChatId) {
    let moved = match chat::call::<Message>(attempt) {
        Call::Edit(Message { chat_id, message_id: Some(message) }) => return (Call::Edit(message), chat_id),
        Call::Reply(Message { chat_id, message_id: Some(message) }) => return (Call::Reply(message), chat_id),
        Call::Edit(message) | Call::Reply(message) => Some(message.chat_id),
        Call::Post => attempt
            .progress
            .remote
            .as_deref()
            .and_then(|text| Some(serde_json::from_str::<Message>(text).ok()?.chat_id)),
    };
    (Call::Post, moved.unwrap_or_else(|| chat_id.clone()))
}

impl Sink for Telegram {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let (call, chat_id) = call(attempt, &self.chat_id);
        let mut body = self.message(attempt, matches!(call, Call::Reply(_)));
        body["chat_id"] = json!(chat_id);
        let method = match call {
            Call::Edit(message) => {
                body["message_id"] = message.into();
                "editMessageText"
            }
            Call::Reply(message) => {
                body["reply_parameters"] = json!({"message_id": message, "allow_sending_without_reply": true});
                "sendMessage"
            }
            Call::Post => "sendMessage",
        };
        if method == "sendMessage" {
            body["disable_notification"] = (!attempt.notification.kind.is_loud()).into();
            if let Some(topic) = self.message_thread_id {
                body["message_thread_id"] = topic.into();
            }
        }
        let url = Secret::new(format!("{}/{method}", self.url.expose()));
        Ok(Request::Http(json_request("POST", url, None, Some(&body))))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let (call, chat_id) = call(attempt, &self.chat_id);
        let outcome = match (*status, reply["ok"] == true, reply["result"]["message_id"].as_i64()) {
            (200, true, Some(message_id)) => match call {
                Call::Post => {
                    let message = Message { chat_id, message_id: Some(message_id) };
                    chat::delivered(serde_json::to_string(&message).ok(), "posted", &message_id.to_string())
                }
                Call::Edit(_) => chat::edited(attempt, &message_id.to_string()),
                Call::Reply(_) => chat::replied(attempt, &message_id.to_string()),
            },
            _ => self.refused(attempt, &call, *status, &reply, response),
        };
        keep_doubt(outcome, attempt)
    }
}

impl Telegram {
    /// What is shown, whether posted or edited.
    fn message(&self, attempt: &Attempt<'_>, is_reply: bool) -> Value {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let paint = if is_reply { layout::reply } else { layout::message };
        let is_plain = attempt.progress.step == PLAIN;
        let markup = if is_plain { &dialect::PLAIN } else { &dialect::TELEGRAM };
        let mut body = json!({
            "text": paint(&document, markup, TEXT),
            "link_preview_options": { "is_disabled": true },
        });
        if !is_plain {
            body["parse_mode"] = "HTML".into();
        }
        body
    }

    /// Telegram says in words what is wrong; a code has many meanings.
    fn refused(
        &self,
        attempt: &Attempt<'_>,
        call: &Call<i64>,
        status: u16,
        reply: &Value,
        response: &Response,
    ) -> Outcome {
        let said = reply["description"].as_str().unwrap_or_default();
        let parameters = &reply["parameters"];
        let moved_to = parameters["migrate_to_chat_id"].as_i64().filter(|_| status == 400);
        if let Some(chat_id) = moved_to {
            let moved = Message { chat_id: ChatId::Number(chat_id), message_id: None };
            return Outcome::Next {
                remote: serde_json::to_string(&moved).ok(),
                step: attempt.progress.step.min(PLAIN),
            };
        }
        let says = |words: &[&str]| status == 400 && words.iter().any(|word| said.to_lowercase().contains(word));
        match call {
            Call::Edit(message) if says(&["message is not modified"]) => {
                return chat::edited(attempt, &message.to_string());
            }
            Call::Edit(_) if says(&["message to edit not found", "message can't be edited", "message_id_invalid"]) => {
                return chat::anew();
            }
            Call::Reply(_) => {}
            _ if says(&["can't parse entities"]) && attempt.progress.step != PLAIN => {
                return Outcome::Next { remote: None, step: PLAIN };
            }
            _ => {}
        }
        let pause_ms = chat::seconds_ms(&parameters["retry_after"]);
        let outcome = chat::refused(status, response, "Telegram", said, &[self.token.expose()], pause_ms);
        match outcome {
            // A token that Telegram does not know is part of an address that is not there.
            Outcome::Rejected { reason, .. } if status == 404 => {
                Outcome::Rejected { kind: crate::error::ErrorKind::Auth, reason }
            }
            outcome => outcome,
        }
    }
}

#[cfg(test)]
mod tests;
