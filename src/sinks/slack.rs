//! Slack: one message per incident that always shows the present state, news as replies to it.
//!
//! Decides which call comes next and what an answer means; `blocks` below draws the message. All
//! foreign text travels in `plain_text` and `rich_text` elements, which Slack never parses, and
//! escaped in the notification line. Slack has no idempotency key: a message carries the incident and
//! the delivery as metadata, and after an unclear answer it is searched for. A search that is not
//! possible (no right to read, a channel given by name, an incoming webhook) ends in posting again:
//! better twice than never.
//!
//! ```text
//! MESSAGE ─ no message known ──▶ chat.postMessage ──▶ done          ambiguous: search first
//!         └ message known ─────▶ chat.update ─┬ quiet ──▶ done
//!                                  │          └ REPLY ──▶ chat.postMessage in the thread ──▶ done
//!                                  └ gone ──▶ ANEW ──▶ chat.postMessage ──▶ done
//! blocks refused ──▶ PLAIN: as MESSAGE, but text only
//! ```

mod blocks;
mod callback;

use callback::SlackCallbacks;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::callback::{Callbacks, buttons as callback_buttons};
use super::{
    Attempt, HttpRequest, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document,
    foreign_response, http_failure, json_request, keep_doubt, quote, read_address,
};
use crate::error::{ConfigError, ErrorKind, Secret, Table, read_table};
use crate::model::{NotificationKind, Span, Timestamp};
use crate::render::Templates;

pub const SPEC: SinkSpec = SinkSpec {
    name: "slack",
    title: "Slack: one message per incident, kept up to date",
    docs: DOCS,
    example: "channel: C024BE91L\ntoken: xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy\n\
              signing_secret: 8f742231b10e8888abcd99yyyzzz85a5\n",
    // About one post per second and channel; updates may come a little faster.
    rate: Rate { count: 1, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
With a bot token, best:

- `token`: of a bot with the scopes `chat:write`, and `channels:history` (private channels:
  `groups:history`) to find a message again after a crash. Invite the bot to the channel.
- `channel`: the channel's id, such as `C024BE91L`. A name works too, but then nothing can be found
  again and an unclear answer leads to a second message.
- `base_url`: default `https://slack.com/api`.

- `signing_secret`: of the app, for buttons in the messages and a slash command. Give the app the address
  `<public_url>/callback/<receiver>/<sink>`, for example `https://watchbell.example.org/callback/ops/slack`,
  under *Interactivity* and for the command. People are known by `people.<name>.accounts.slack`.

Or `webhook_url`, of an incoming webhook: nothing can be edited then, so quiet updates are left out.

`title_template` and `template` replace the headline and the text below it (minijinja).
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    token: Option<Secret<String>>,
    channel: Option<String>,
    signing_secret: Option<Secret<String>>,
    base_url: Option<String>,
    webhook_url: Option<Secret<String>>,
    title_template: Option<String>,
    template: Option<String>,
}

struct Slack {
    setting: Setting,
    templates: Templates,
    way: Way,
}

enum Way {
    Bot { token: Secret<String>, channel: String, base_url: String, callbacks: Option<SlackCallbacks> },
    Webhook { url: Secret<String> },
}

/// The incident's message, as Slack names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Message {
    channel: String,
    ts: String,
}

/// Show the present state: post or edit.
const MESSAGE: u16 = 0;
/// Tell the news in the thread.
const REPLY: u16 = 1;
/// The message can no longer be edited: post another.
const ANEW: u16 = 2;
/// As [`MESSAGE`], without blocks.
const PLAIN: u16 = 3;

/// What metadata says a message is.
const INCIDENT_EVENT: &str = "watchbell_incident";
const REPLY_EVENT: &str = "watchbell_reply";

/// Messages that one search reads: the most that Slack returns at once.
const SEARCH_MESSAGES_MAX: &str = "999";

/// Their clock may be behind ours by this much.
const CLOCK_SKEW: Span = Span::from_mins(2);

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let way = match (keys.token, keys.channel, keys.webhook_url) {
        (Some(token), Some(channel), None) => {
            if http::HeaderValue::from_str(token.expose()).is_err() {
                return Err(ConfigError::new("token", "expected visible ASCII characters (its value is not shown)"));
            }
            if channel.trim().is_empty() {
                return Err(ConfigError::new("channel", "expected a channel's id such as `C024BE91L`, got nothing"));
            }
            let base_url = read_address("base_url", keys.base_url.as_deref().unwrap_or("https://slack.com/api"))?;
            let callbacks =
                keys.signing_secret.map(|signing_secret| SlackCallbacks { signing_secret, base_url: base_url.clone() });
            Way::Bot { token, channel: channel.trim().to_owned(), base_url, callbacks }
        }
        (None, None, Some(url)) if keys.base_url.is_none() && keys.signing_secret.is_none() => {
            Way::Webhook { url: Secret::new(read_address("webhook_url", url.expose())?) }
        }
        _ => return Err(ConfigError::new("token", "expected `token` with `channel`, or `webhook_url` alone")),
    };
    let templates = Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?;
    Ok(Box::new(Slack { setting: setting.clone(), templates, way }))
}

/// The next call of a bot.
enum Call {
    SearchMessage,
    SearchReply(Message),
    Post,
    Update(Message),
    Reply(Message),
}

fn call(attempt: &Attempt<'_>, channel: &str) -> Call {
    let progress = attempt.progress;
    let message = progress.remote.as_deref().and_then(|remote| serde_json::from_str::<Message>(remote).ok());
    let can_search = is_channel_id(channel);
    match (progress.step, message) {
        (REPLY, Some(message)) if progress.is_ambiguous => Call::SearchReply(message),
        (REPLY, Some(message)) => Call::Reply(message),
        (MESSAGE | PLAIN, Some(message)) => Call::Update(message),
        _ if progress.is_ambiguous && can_search => Call::SearchMessage,
        _ => Call::Post,
    }
}

impl Sink for Slack {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let request = match &self.way {
            Way::Webhook { .. } if !is_news(attempt.notification.kind) => {
                return Ok(Request::Skip("an incoming webhook cannot edit, and this is no reason for another message"));
            }
            Way::Webhook { url } => {
                let message = blocks::message(&document(&self.setting, &self.templates, attempt.notification));
                json_request("POST", url.clone(), None, Some(&json!({"text": message.text, "blocks": message.blocks})))
            }
            Way::Bot { token, channel, base_url, .. } => self.bot_request(attempt, token, channel, base_url)?,
        };
        Ok(Request::Http(request))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let outcome = match &self.way {
            Way::Webhook { url } => webhook_outcome(*status, body, response, url.expose()),
            Way::Bot { token, channel, .. } => {
                let call = call(attempt, channel);
                match read_reply(*status, body, response) {
                    Ok(reply) => self.answered(attempt, &call, &reply, token.expose()),
                    Err(outcome) => outcome,
                }
            }
        };
        keep_doubt(outcome, attempt)
    }

    fn callbacks(&self) -> Option<&dyn Callbacks> {
        match &self.way {
            Way::Bot { callbacks: Some(callbacks), .. } => Some(callbacks),
            _ => None,
        }
    }
}

impl Slack {
    fn bot_request(
        &self,
        attempt: &Attempt<'_>,
        token: &Secret<String>,
        channel: &str,
        base_url: &str,
    ) -> Result<HttpRequest, RenderError> {
        let authorization = Some(format!("Bearer {}", token.expose()));
        let post = |method: &str, body: &Value| {
            json_request("POST", Secret::new(format!("{base_url}/{method}")), authorization.clone(), Some(body))
        };
        let get = |method: &str, parameters: &[(&str, &str)]| {
            let url = reqwest::Url::parse_with_params(&format!("{base_url}/{method}"), parameters)
                .map_err(|error| RenderError(error.to_string()))?;
            Ok(json_request("GET", Secret::new(url.into()), authorization.clone(), None))
        };
        let incident = &attempt.notification.incident;
        Ok(match call(attempt, channel) {
            Call::SearchMessage => {
                return get("conversations.history", &search(channel, &oldest(incident.opened_at)));
            }
            Call::SearchReply(message) => {
                let oldest = oldest(attempt.notification.at);
                let mut parameters = search(&message.channel, &oldest).to_vec();
                parameters.push(("ts", &message.ts));
                return get("conversations.replies", &parameters);
            }
            Call::Post => {
                let mut body = self.message(attempt);
                body["channel"] = channel.into();
                body["unfurl_links"] = false.into();
                body["unfurl_media"] = false.into();
                post("chat.postMessage", &body)
            }
            Call::Update(message) => {
                let mut body = self.message(attempt);
                body["channel"] = message.channel.into();
                body["ts"] = message.ts.into();
                post("chat.update", &body)
            }
            Call::Reply(message) => post("chat.postMessage", &self.reply(attempt, &message)),
        })
    }

    /// What the main message shows, whether it is posted or edited.
    fn message(&self, attempt: &Attempt<'_>) -> Value {
        let message = blocks::message(&document(&self.setting, &self.templates, attempt.notification));
        // An edit keeps old blocks unless it brings new ones, so the plain form brings none.
        let mut blocks = if attempt.progress.step == PLAIN { Vec::new() } else { message.blocks };
        if !blocks.is_empty() && self.callbacks().is_some() {
            blocks.extend(blocks::actions(&callback_buttons(&attempt.notification.incident, self.setting.language)));
        }
        json!({
            "text": message.text,
            "blocks": blocks,
            "metadata": self.metadata(INCIDENT_EVENT, attempt),
        })
    }

    fn reply(&self, attempt: &Attempt<'_>, message: &Message) -> Value {
        let kind = attempt.notification.kind;
        let reply = blocks::reply(&document(&self.setting, &self.templates, attempt.notification));
        json!({
            "channel": message.channel,
            "thread_ts": message.ts,
            "reply_broadcast": is_for_everyone(kind),
            "text": reply.text,
            "blocks": reply.blocks,
            "metadata": self.metadata(REPLY_EVENT, attempt),
            "unfurl_links": false,
            "unfurl_media": false,
        })
    }

    fn metadata(&self, event_type: &str, attempt: &Attempt<'_>) -> Value {
        json!({
            "event_type": event_type,
            "event_payload": {
                "incident": attempt.notification.incident.id,
                "delivery": attempt.delivery,
                "sink": self.setting.sink,
            },
        })
    }

    fn answered(&self, attempt: &Attempt<'_>, call: &Call, reply: &Value, token: &str) -> Outcome {
        let is_ok = reply["ok"] == true;
        match call {
            // A search that fails for good leaves only posting again.
            Call::SearchMessage | Call::SearchReply(_) if !is_ok => match failure(reply, token) {
                Outcome::Rejected { .. } => Outcome::Next { remote: None, step: attempt.progress.step },
                outcome => outcome,
            },
            Call::SearchMessage => self.searched(attempt, reply),
            Call::SearchReply(_) => {
                let is_this = |message: &&Value| self.is_ours(message, REPLY_EVENT, attempt, true);
                match rows(reply).iter().find(is_this).and_then(|row| row["ts"].as_str()) {
                    Some(ts) => delivered(None, "found reply", ts),
                    None => Outcome::Next { remote: None, step: REPLY },
                }
            }
            Call::Post if is_ok => match remote(reply) {
                Some((remote, ts)) => delivered(Some(remote), "posted", &ts),
                None => unclear("Slack accepted the message but did not say which it is"),
            },
            Call::Update(_) if is_ok && is_news(attempt.notification.kind) => {
                Outcome::Next { remote: None, step: REPLY }
            }
            Call::Update(message) if is_ok => delivered(attempt.progress.remote.clone(), "updated", &message.ts),
            Call::Reply(_) if is_ok => {
                delivered(attempt.progress.remote.clone(), "replied", reply["ts"].as_str().unwrap_or("unknown"))
            }
            Call::Post | Call::Update(_) | Call::Reply(_) => refused(attempt, call, reply, token),
        }
    }

    /// The message of this very delivery ends it; another one of the incident is edited next.
    fn searched(&self, attempt: &Attempt<'_>, reply: &Value) -> Outcome {
        let step = attempt.progress.step;
        let mut of_incident = None;
        for row in rows(reply) {
            let Some(ts) = row["ts"].as_str() else { continue };
            let Way::Bot { channel, .. } = &self.way else { continue };
            let remote = serde_json::to_string(&Message { channel: channel.clone(), ts: ts.to_owned() }).ok();
            if self.is_ours(row, INCIDENT_EVENT, attempt, true) {
                return delivered(remote, "found", ts);
            }
            if of_incident.is_none() && self.is_ours(row, INCIDENT_EVENT, attempt, false) {
                of_incident = remote;
            }
        }
        // The step after the old message was given up: finding it again does not help.
        let remote = if step == ANEW { None } else { of_incident };
        Outcome::Next { remote, step }
    }

    fn is_ours(&self, row: &Value, event_type: &str, attempt: &Attempt<'_>, is_this_delivery: bool) -> bool {
        let metadata = &row["metadata"];
        let payload = &metadata["event_payload"];
        metadata["event_type"] == event_type
            && payload["incident"] == attempt.notification.incident.id.to_string()
            && payload["sink"] == self.setting.sink.as_str()
            && (!is_this_delivery || payload["delivery"] == attempt.delivery)
    }
}

/// Worth a reply in the thread, or where nothing can be edited a message of its own.
const fn is_news(kind: NotificationKind) -> bool {
    kind.is_loud() || kind.is_final() || kind.is_about_problem() || matches!(kind, NotificationKind::Acknowledged)
}

/// Shown in the channel too, not only to those who follow the thread.
const fn is_for_everyone(kind: NotificationKind) -> bool {
    matches!(kind, NotificationKind::Escalated | NotificationKind::SlaThreshold | NotificationKind::Reopened)
}

fn is_channel_id(channel: &str) -> bool {
    let is_upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    channel.len() >= 9 && channel.starts_with(['C', 'G', 'D']) && channel.chars().all(is_upper)
}

/// A time in Slack's form, a little earlier than `at`.
fn oldest(at: Timestamp) -> String {
    format!("{}.000000", (at - CLOCK_SKEW).as_millis().max(0) / 1_000)
}

fn search<'a>(channel: &'a str, oldest: &'a str) -> [(&'static str, &'a str); 4] {
    [("channel", channel), ("oldest", oldest), ("limit", SEARCH_MESSAGES_MAX), ("include_all_metadata", "true")]
}

fn rows(reply: &Value) -> &[Value] {
    reply["messages"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn remote(reply: &Value) -> Option<(String, String)> {
    let message = Message { channel: reply["channel"].as_str()?.into(), ts: reply["ts"].as_str()?.into() };
    serde_json::to_string(&message).ok().map(|remote| (remote, message.ts))
}

fn delivered(remote: Option<String>, what: &str, ts: &str) -> Outcome {
    Outcome::Delivered { remote, proof: format!("{what} {}", quote(ts, &[])) }
}

fn unclear(reason: &str) -> Outcome {
    Outcome::Retry { after_ms: None, kind: ErrorKind::Unreachable, reason: reason.into(), is_ambiguous: true }
}

fn read_reply(status: u16, body: &[u8], response: &Response) -> Result<Value, Outcome> {
    if status != 200 {
        return Err(http_failure(status, response, "Slack"));
    }
    match serde_json::from_slice::<Value>(body) {
        Ok(reply) if reply["ok"].is_boolean() => Ok(reply),
        _ => Err(unclear("Slack answered 200 with something other than its JSON")),
    }
}

/// A message that can no longer be edited is posted anew, one whose blocks are refused goes without.
fn refused(attempt: &Attempt<'_>, call: &Call, reply: &Value, token: &str) -> Outcome {
    let step = attempt.progress.step;
    match (call, reply["error"].as_str().unwrap_or_default()) {
        (
            Call::Update(_) | Call::Reply(_),
            "message_not_found"
            | "cant_update_message"
            | "edit_window_closed"
            | "thread_not_found"
            | "cannot_reply_to_message"
            | "channel_not_found"
            | "is_archived"
            | "not_in_channel",
        ) => Outcome::Next { remote: None, step: ANEW },
        (
            Call::Post | Call::Update(_),
            "invalid_blocks" | "invalid_blocks_format" | "msg_blocks_too_long" | "msg_too_long",
        ) if step == MESSAGE => Outcome::Next { remote: None, step: PLAIN },
        _ => failure(reply, token),
    }
}

/// What Slack's own error words mean; the HTTP status says nothing.
fn failure(reply: &Value, token: &str) -> Outcome {
    let error = reply["error"].as_str().unwrap_or("no reason");
    let details = reply["response_metadata"]["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let details: Vec<&str> = details.iter().filter_map(Value::as_str).collect();
    let reason = format!("Slack refused: {}", quote(&format!("{error} {}", details.join(" ")), &[token]));
    let retry = |kind, is_ambiguous| Outcome::Retry { after_ms: None, kind, reason: reason.clone(), is_ambiguous };
    match error {
        "ratelimited" | "rate_limited" => retry(ErrorKind::RateLimited, false),
        "service_unavailable" | "team_added_to_org" => retry(ErrorKind::Unreachable, false),
        "internal_error" | "fatal_error" => retry(ErrorKind::Unreachable, true),
        "request_timeout" => retry(ErrorKind::Timeout, true),
        "invalid_auth"
        | "not_authed"
        | "token_revoked"
        | "token_expired"
        | "account_inactive"
        | "missing_scope"
        | "no_permission"
        | "not_allowed_token_type"
        | "access_denied"
        | "org_login_required" => Outcome::Rejected { kind: ErrorKind::Auth, reason },
        _ => Outcome::Rejected { kind: ErrorKind::Rejected, reason },
    }
}

/// An incoming webhook answers in words: `ok`, or what is wrong.
fn webhook_outcome(status: u16, body: &[u8], response: &Response, url: &str) -> Outcome {
    let said = quote(&String::from_utf8_lossy(body), &[url]);
    let mut outcome = match status {
        200..=299 if said.starts_with('<') => return unclear("the incoming webhook answered with a page, not `ok`"),
        200..=299 => return Outcome::Delivered { remote: None, proof: format!("answered {status} {said}") },
        _ => http_failure(status, response, "the incoming webhook"),
    };
    if let Outcome::Retry { reason, .. } | Outcome::Rejected { reason, .. } = &mut outcome
        && !said.is_empty()
    {
        reason.push_str(&format!(": {said}"));
    }
    outcome
}

#[cfg(test)]
mod tests;
