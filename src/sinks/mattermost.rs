//! Mattermost: one post for each incident, patched in place, news as replies in its thread.
//!
//! Decides which call comes next and what an answer means. The headline is the post's message, the rest an
//! attachment with a coloured edge; both are Markdown, in which no word of an alert calls anybody.
//!
//! `pending_post_id` lets the server drop a repetition, for a short time only. So each post also carries the
//! delivery in its `props`, which nobody sees, and after an unclear answer the channel is read from shortly
//! before on. With an incoming webhook nothing can be found or edited: there a message may come twice.
//! REST API 4, read 2026-11-21: <https://api.mattermost.com>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chat::{self, Call};
use super::{
    Attempt, HttpRequest, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document,
    foreign_response, json_request, keep_doubt, quote, read_address,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::{Priority, Span};
use crate::render::layout::{self, Limit};
use crate::render::text::Unit;
use crate::render::{Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "mattermost",
    title: "Mattermost: one post per incident, kept up to date",
    docs: DOCS,
    example: "base_url: https://chat.example.org\ntoken: 9xuqwrwgstrb3mzrxb83nb357a\nchannel_id: 4xp9fdt77pncbef59f4k1qe83o\n",
    rate: Rate { count: 10, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
With a bot's token, best:

- `base_url`: of the server, such as `https://chat.example.org`.
- `token`: of a bot account, or a personal access token. Invite the bot to the channel.
- `channel_id`: 26 letters and digits, from the channel's menu, `View Info`.

Or `webhook_url`, of an incoming webhook: nothing can be edited then, so quiet updates are left out, and
after an unclear answer a message may come twice.

P1 and P2 are marked urgent and important, where the server has message priorities.
`title_template` and `template` replace the headline and the text below it (minijinja).
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    base_url: Option<String>,
    token: Option<Secret<String>>,
    channel_id: Option<String>,
    webhook_url: Option<Secret<String>>,
    title_template: Option<String>,
    template: Option<String>,
}

struct Mattermost {
    setting: Setting,
    templates: Templates,
    way: Way,
}

enum Way {
    Bot { token: Secret<String>, channel_id: String, api: String },
    Webhook { url: Secret<String> },
}

/// The incident's post.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Post {
    post_id: String,
}

/// A post takes 16,383 characters, on old servers 4,000; all its properties together 8,000 there.
const HEADLINE: Limit = Limit { max: 1_000, unit: Unit::Utf16 };
const BODY: Limit = Limit { max: 6_000, unit: Unit::Utf16 };
const REPLY: Limit = Limit { max: 3_000, unit: Unit::Utf16 };

/// Their clock may be behind ours by this much.
const CLOCK_SKEW: Span = Span::from_mins(2);

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let way = match (keys.base_url, keys.token, keys.channel_id, keys.webhook_url) {
        (Some(base_url), Some(token), Some(channel_id), None) => Way::Bot {
            token: chat::read_token("token", token)?,
            channel_id: chat::read_name("channel_id", &channel_id, "", "a channel's id of letters and digits")?,
            api: format!("{}/api/v4", read_address("base_url", &base_url)?),
        },
        (None, None, None, Some(url)) => Way::Webhook { url: Secret::new(read_address("webhook_url", url.expose())?) },
        _ => {
            let expected = "expected `base_url`, `token` and `channel_id`, or `webhook_url` alone";
            return Err(ConfigError::new("token", expected));
        }
    };
    let templates = Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?;
    Ok(Box::new(Mattermost { setting: setting.clone(), templates, way }))
}

/// Whether to read what the channel has before something is posted. An edit may come twice.
fn looks_first(attempt: &Attempt<'_>, call: &Call<Post>) -> bool {
    attempt.progress.is_ambiguous && !matches!(call, Call::Edit(_))
}

impl Sink for Mattermost {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        Ok(match &self.way {
            Way::Webhook { .. } if !chat::is_news(attempt.notification.kind) => Request::Skip(chat::CANNOT_EDIT),
            Way::Webhook { url } => {
                let shown = self.shown(attempt);
                let mut body = json!({"text": shown["message"], "attachments": shown["props"]["attachments"]});
                if let Some(priority) = priority(attempt) {
                    body["priority"] = json!({ "priority": priority });
                }
                Request::Http(json_request("POST", url.clone(), None, Some(&body)))
            }
            Way::Bot { token, channel_id, api } => Request::Http(self.bot_request(attempt, token, channel_id, api)),
        })
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let outcome = match &self.way {
            Way::Webhook { url } => match (*status, String::from_utf8_lossy(body)) {
                (200, said) if said.trim() == "ok" => chat::delivered(None, "answered", "ok"),
                (_, said) => chat::refused(*status, response, "the incoming webhook", &said, &[url.expose()], None),
            },
            Way::Bot { token, .. } => {
                let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
                self.answered(attempt, *status, &reply, response, token.expose())
            }
        };
        keep_doubt(outcome, attempt)
    }
}

impl Mattermost {
    fn bot_request(&self, attempt: &Attempt<'_>, token: &Secret<String>, channel_id: &str, api: &str) -> HttpRequest {
        let call = chat::call::<Post>(attempt);
        let authorization = Some(format!("Bearer {}", token.expose()));
        let ask = |method, path: &str, body: Option<&Value>| {
            json_request(method, Secret::new(format!("{api}/{path}")), authorization.clone(), body)
        };
        if looks_first(attempt, &call) {
            let since = match call {
                Call::Reply(_) => attempt.notification.at,
                _ => attempt.notification.incident.opened_at,
            };
            let since_ms = (since - CLOCK_SKEW).as_millis().max(0);
            return ask("GET", &format!("channels/{channel_id}/posts?since={since_ms}"), None);
        }
        let mut body = match &call {
            Call::Reply(_) => self.reply(attempt),
            _ => self.shown(attempt),
        };
        if let Call::Edit(post) = &call {
            return ask("PUT", &format!("posts/{}/patch", post.post_id), Some(&body));
        }
        body["channel_id"] = channel_id.into();
        body["pending_post_id"] = chat::key(&self.setting, attempt, 32).into();
        match call {
            Call::Reply(post) => body["root_id"] = post.post_id.into(),
            _ => {
                if let Some(priority) = priority(attempt) {
                    body["metadata"] = json!({ "priority": { "priority": priority } });
                }
            }
        }
        ask("POST", "posts", Some(&body))
    }

    /// What the incident's post shows, whether it is new or patched.
    fn shown(&self, attempt: &Attempt<'_>) -> Value {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let headline = layout::line(&document.headline, &dialect::MATTERMOST, HEADLINE);
        let attachment = json!({
            "color": chat::colour_hex(&attempt.notification.incident),
            // What a phone shows where it cannot show attachments: not parsed.
            "fallback": dialect::apart(&document.news.join(" – "), "@#~:"),
            "text": layout::body(&document, &dialect::MATTERMOST, BODY),
        });
        let message = format!("**{headline}**");
        json!({"message": message, "props": {"attachments": [attachment], "watchbell": self.mark(attempt, "message")}})
    }

    fn reply(&self, attempt: &Attempt<'_>) -> Value {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let message = layout::reply(&document, &dialect::MATTERMOST, REPLY);
        json!({"message": message, "props": {"watchbell": self.mark(attempt, "reply")}})
    }

    /// By this a post is known again.
    fn mark(&self, attempt: &Attempt<'_>, what: &str) -> Value {
        json!({
            "incident": attempt.notification.incident.id,
            "delivery": attempt.delivery,
            "sink": self.setting.sink,
            "what": what,
        })
    }

    fn answered(&self, attempt: &Attempt<'_>, status: u16, reply: &Value, response: &Response, token: &str) -> Outcome {
        let call = chat::call::<Post>(attempt);
        let looked = looks_first(attempt, &call);
        match (status, reply["id"].as_str()) {
            (200, _) if looked && reply["posts"].is_object() => self.found(attempt, &call, reply),
            (200 | 201, Some(id)) if !looked => match call {
                Call::Post => chat::delivered(remote(id), "posted", id),
                Call::Edit(_) => chat::edited(attempt, id),
                Call::Reply(_) => chat::replied(attempt, id),
            },
            _ => refused(&call, looked, status, reply, response, token),
        }
    }

    /// The post of this very delivery ends it; another one of the incident is patched next.
    fn found(&self, attempt: &Attempt<'_>, call: &Call<Post>, reply: &Value) -> Outcome {
        let step = attempt.progress.step;
        let what = if matches!(call, Call::Reply(_)) { "reply" } else { "message" };
        let wanted = self.mark(attempt, what);
        let mut of_incident = None;
        let order = reply["order"].as_array().map(Vec::as_slice).unwrap_or_default();
        for id in order.iter().filter_map(Value::as_str) {
            let mark = &reply["posts"][id]["props"]["watchbell"];
            if *mark == wanted {
                let remote = if what == "reply" { attempt.progress.remote.clone() } else { remote(id) };
                return chat::delivered(remote, "found", id);
            }
            let is_of_incident = ["incident", "sink", "what"].iter().all(|name| mark[*name] == wanted[*name]);
            if is_of_incident && what == "message" && step != chat::ANEW {
                of_incident = remote(id);
            }
        }
        Outcome::Next { remote: of_incident, step }
    }
}

fn refused(call: &Call<Post>, looked: bool, status: u16, reply: &Value, response: &Response, token: &str) -> Outcome {
    let id = reply["id"].as_str().unwrap_or_default();
    // The post was deleted, or it is too old for this server to be edited.
    let is_gone = status == 404 || status == 400 && (id.contains("time_limit") || id.contains("root_id"));
    if is_gone && !looked && !matches!(call, Call::Post) {
        return chat::anew();
    }
    let said = format!("{} {id}", reply["message"].as_str().unwrap_or_default());
    // Seconds until requests are taken again.
    let pause_ms = response.header("x-ratelimit-reset").and_then(|value| value.trim().parse::<u64>().ok());
    let pause_ms = pause_ms.filter(|seconds| *seconds < 86_400).map(|seconds| seconds * 1_000);
    chat::refused(status, response, "Mattermost", said.trim(), &[token], pause_ms)
}

fn remote(id: &str) -> Option<String> {
    let is_id = id.len() <= 64 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_id.then(|| serde_json::to_string(&Post { post_id: quote(id, &[]) }).ok()).flatten()
}

fn priority(attempt: &Attempt<'_>) -> Option<&'static str> {
    match attempt.notification.incident.priority {
        _ if attempt.notification.kind.is_final() => None,
        Priority::P1 => Some("urgent"),
        Priority::P2 => Some("important"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
