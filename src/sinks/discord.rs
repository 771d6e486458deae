//! Discord: one message for each incident, edited in place, news as replies to it.
//!
//! Decides which call comes next and what an answer means. The message is one embed with a coloured edge. No
//! word of an alert calls anybody: its Markdown is escaped, and every request forbids mentions.
//!
//! A bot sends a `nonce` that Discord enforces for some minutes, so that a repetition is none. An incoming
//! webhook has no such key: there a message or a reply may come twice after an unclear answer, and a reply
//! is a message of its own. API version 10, read 2026-11-21: <https://discord.com/developers/docs>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chat::{self, Call};
use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document, foreign_response,
    json_request, keep_doubt, read_address,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::render::layout::{self, Limit};
use crate::render::text::{self, Unit};
use crate::render::{Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "discord",
    title: "Discord: one message per incident, kept up to date",
    docs: DOCS,
    example: "token: MTk4NjIyNDgzNDcxOTI1MjQ4.Cl2FMQ.ZnCjm1XVW7vRze4b7Cq4se7kKWs\nchannel_id: '381870553235193857'\n",
    // Of a webhook; a channel takes about as many.
    rate: Rate { count: 30, per_ms: 60_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
With a bot, best:

- `token`: of a bot that may view the channel, send messages, embed links and read the history.
- `channel_id`: the channel's number in quotes; with the developer mode on, `Copy Channel ID` in its menu.
- `base_url`: default `https://discord.com/api/v10`.

Or `webhook_url`, of a webhook of the channel: the message is kept up to date as well; news are messages of
their own, and after an unclear answer one may come twice.

`title_template` and `template` replace the headline and the text below it (minijinja).
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    token: Option<Secret<String>>,
    channel_id: Option<String>,
    base_url: Option<String>,
    webhook_url: Option<Secret<String>>,
    title_template: Option<String>,
    template: Option<String>,
}

struct Discord {
    setting: Setting,
    templates: Templates,
    way: Way,
}

enum Way {
    Bot { token: Secret<String>, channel_id: String, url: String },
    Webhook { url: Secret<String> },
}

/// The incident's message.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    discord_message: String,
}

/// Of an embed's title, of its description, of its footer; all of an embed together may have 6,000.
const TITLE: Limit = Limit { max: 256, unit: Unit::Utf16 };
const DESCRIPTION: Limit = Limit { max: 4_000, unit: Unit::Utf16 };
const FOOTER_UNITS_MAX: usize = 200;
/// Of a message's text.
const CONTENT: Limit = Limit { max: 2_000, unit: Unit::Utf16 };
/// Of a nonce.
const NONCE_CHARS: usize = 25;

const UNKNOWN_MESSAGE: u64 = 10_008;
/// A bot may not edit what somebody else wrote, or what has no room for edits any more.
const CANNOT_EDIT: [u64; 2] = [50_005, 30_046];
/// Discord asks for this form.
const USER_AGENT: &str = concat!("DiscordBot (watchbell, ", env!("CARGO_PKG_VERSION"), ")");

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let way = match (keys.token, keys.channel_id, keys.webhook_url) {
        (Some(token), Some(channel_id), None) => {
            let base_url = keys.base_url.as_deref().unwrap_or("https://discord.com/api/v10");
            let channel_id = chat::read_name("channel_id", &channel_id, "", "a channel's number")?;
            let url = format!("{}/channels/{channel_id}/messages", read_address("base_url", base_url)?);
            Way::Bot { token: chat::read_token("token", token)?, channel_id, url }
        }
        (None, None, Some(url)) if keys.base_url.is_none() => {
            Way::Webhook { url: Secret::new(read_address("webhook_url", url.expose())?) }
        }
        _ => return Err(ConfigError::new("token", "expected `token` with `channel_id`, or `webhook_url` alone")),
    };
    let templates = Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?;
    Ok(Box::new(Discord { setting: setting.clone(), templates, way }))
}

impl Sink for Discord {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let call = chat::call::<Message>(attempt);
        let (url, authorization) = match &self.way {
            Way::Bot { token, url, .. } => (url.clone(), Some(format!("Bot {}", token.expose()))),
            Way::Webhook { url } => (url.expose().clone(), None),
        };
        let mut body = match &call {
            Call::Reply(_) => self.reply(attempt),
            _ => self.message(attempt),
        };
        let (method, url) = match (&call, &self.way) {
            (Call::Edit(message), Way::Bot { .. }) => ("PATCH", format!("{url}/{}", message.discord_message)),
            (Call::Edit(message), Way::Webhook { .. }) => {
                ("PATCH", format!("{url}/messages/{}", message.discord_message))
            }
            // The message is only named in the answer to who waits for it.
            (_, Way::Webhook { .. }) => ("POST", format!("{url}?wait=true")),
            (call, Way::Bot { channel_id, .. }) => {
                body["nonce"] = chat::key(&self.setting, attempt, NONCE_CHARS).into();
                body["enforce_nonce"] = true.into();
                if let Call::Reply(message) = call {
                    body["message_reference"] = json!({
                        "channel_id": channel_id,
                        "message_id": message.discord_message,
                        "fail_if_not_exists": false,
                    });
                }
                ("POST", url)
            }
        };
        let mut request = json_request(method, Secret::new(url), authorization, Some(&body));
        request.headers.push(("user-agent".into(), Secret::new(USER_AGENT.into())));
        Ok(Request::Http(request))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let call = chat::call::<Message>(attempt);
        let id = reply["id"].as_str().filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()));
        let outcome = match (*status, id, call) {
            (200 | 201, Some(id), Call::Post) => {
                let remote = serde_json::to_string(&Message { discord_message: id.to_owned() }).ok();
                chat::delivered(remote, "posted", id)
            }
            (200 | 201, Some(id), Call::Edit(_)) => chat::edited(attempt, id),
            (200 | 201, Some(id), Call::Reply(_)) => chat::replied(attempt, id),
            (_, _, call) => self.refused(&call, *status, &reply, response),
        };
        keep_doubt(outcome, attempt)
    }
}

impl Discord {
    /// What the incident's message shows, whether it is new or edited.
    fn message(&self, attempt: &Attempt<'_>) -> Value {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let embed = json!({
            "title": layout::line(&document.headline, &dialect::DISCORD, TITLE),
            "description": layout::body_alone(&document, &dialect::DISCORD, DESCRIPTION),
            "color": chat::colour(&attempt.notification.incident),
            // Not parsed.
            "footer": { "text": text::clip(&document.footer, FOOTER_UNITS_MAX, Unit::Utf16) },
        });
        json!({ "embeds": [embed], "allowed_mentions": { "parse": [] } })
    }

    fn reply(&self, attempt: &Attempt<'_>) -> Value {
        let document = document(&self.setting, &self.templates, attempt.notification);
        // Without a thread a reply has to say what it is about.
        let paint = if matches!(self.way, Way::Bot { .. }) { layout::reply } else { layout::short };
        json!({
            "content": paint(&document, &dialect::DISCORD, CONTENT),
            "allowed_mentions": { "parse": [], "replied_user": false },
        })
    }

    fn refused(&self, call: &Call<Message>, status: u16, reply: &Value, response: &Response) -> Outcome {
        let code = reply["code"].as_u64().unwrap_or_default();
        if matches!(call, Call::Edit(_)) && (400..500).contains(&status) && is_closed(code) {
            return chat::anew();
        }
        let said = format!("{} {}", reply["message"].as_str().unwrap_or_default(), reply["errors"]);
        let said = said.trim_end_matches("null").trim();
        let secret = match &self.way {
            Way::Bot { token, .. } => token,
            Way::Webhook { url } => url,
        };
        chat::refused(status, response, "Discord", said, &[secret.expose()], chat::seconds_ms(&reply["retry_after"]))
    }
}

fn is_closed(code: u64) -> bool {
    code == UNKNOWN_MESSAGE || CANNOT_EDIT.contains(&code)
}

#[cfg(test)]
mod tests;
