//! `slack_configs`: a message with one attachment, through an incoming webhook or a bot.
//!
//! Decides the attachment, and with `update_message` whether the message of this incident is edited instead. Texts
//! go out as the templates make them, markup of alerts included; the sink `slack` is the one that escapes.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{
    Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, keep_doubt,
};
use super::http_config::HttpConfig;
use super::template::{Template, Texts};
use super::{Receiver, delivered, read_url, truncate_chars};
use crate::error::{ConfigError, ErrorKind, Secret, Table, read_table};
use crate::model::Span;

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_slack",
    title: "`slack_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "api_url: https://hooks.slack.example/services/T024BE7LD/B0M4/pdFZKVeTuE8sk7oO\n\
              channel: '#ops'\n\
              send_resolved: true\n\
              actions: [{ type: button, text: Runbook, url: 'https://wiki.example/runbooks' }]\n",
    rate: Rate { count: 1, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
A message with an attachment, as Alertmanager writes it.

- `api_url` or `api_url_file`: of an incoming webhook; or `app_token` or `app_token_file` of a bot, with
  `app_url` where it is not Slack's own.
- `channel`, `username`, `icon_emoji`, `icon_url`, `link_names`, `message_text`: of the message.
- `title`, `title_link`, `pretext`, `text`, `fallback`, `footer`, `color`, `callback_id`, `image_url`,
  `thumb_url`, `fields`, `short_fields`, `actions`, `mrkdwn_in`: of the attachment.
- `update_message`: a bot edits its message of the incident instead of sending another one.
- `timeout`, `send_resolved` (default false), `http_config`: as for `alertmanager_webhook`.

What alerts say reaches Slack as the templates put it, so it can hold markup and mentions.
";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    api_url: Option<Secret<String>>,
    app_token: Option<Secret<String>>,
    app_url: Option<String>,
    channel: Option<String>,
    username: Option<String>,
    color: Option<String>,
    title: Option<String>,
    title_link: Option<String>,
    pretext: Option<String>,
    text: Option<String>,
    message_text: Option<String>,
    fields: Vec<FieldKeys>,
    short_fields: bool,
    footer: Option<String>,
    fallback: Option<String>,
    callback_id: Option<String>,
    icon_emoji: Option<String>,
    icon_url: Option<String>,
    image_url: Option<String>,
    thumb_url: Option<String>,
    link_names: bool,
    mrkdwn_in: Vec<String>,
    actions: Vec<ActionKeys>,
    update_message: bool,
    timeout: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FieldKeys {
    title: String,
    value: String,
    short: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionKeys {
    #[serde(rename = "type")]
    kind: String,
    text: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    style: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: String,
    confirm: Option<ConfirmKeys>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmKeys {
    text: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    ok_text: String,
    #[serde(default)]
    dismiss_text: String,
}

struct Slack {
    receiver: Receiver,
    url: Secret<String>,
    message: MessageTemplates,
    fields: Vec<(Template, Template, bool)>,
    actions: Vec<Action<Template>>,
    mrkdwn_in: Vec<String>,
    link_names: bool,
    update_message: bool,
    timeout: Option<Span>,
}

struct MessageTemplates {
    channel: Template,
    username: Template,
    icon_emoji: Template,
    icon_url: Template,
    text: Template,
    title: Template,
    title_link: Template,
    pretext: Template,
    body: Template,
    fallback: Template,
    callback_id: Template,
    image_url: Template,
    thumb_url: Template,
    footer: Template,
    color: Template,
}

#[derive(Serialize)]
struct Message<'a> {
    #[serde(skip_serializing_if = "String::is_empty")]
    channel: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    ts: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    icon_emoji: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    icon_url: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    link_names: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    attachments: [Attachment<'a>; 1],
}

#[derive(Serialize)]
struct Attachment<'a> {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title_link: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pretext: String,
    text: String,
    fallback: String,
    callback_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action<String>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    image_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    thumb_url: String,
    footer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    color: String,
    mrkdwn_in: &'a [String],
}

#[derive(Serialize)]
struct Field {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
    short: bool,
}

#[derive(Serialize)]
#[serde(bound(serialize = "T: Serialize + AsRef<str>"))]
struct Action<T> {
    #[serde(rename = "type", skip_serializing_if = "is_left_out")]
    kind: T,
    #[serde(skip_serializing_if = "is_left_out")]
    text: T,
    #[serde(skip_serializing_if = "is_left_out")]
    url: T,
    #[serde(skip_serializing_if = "is_left_out")]
    style: T,
    #[serde(skip_serializing_if = "is_left_out")]
    name: T,
    #[serde(skip_serializing_if = "is_left_out")]
    value: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirm: Option<Confirm<T>>,
}

#[derive(Serialize)]
#[serde(bound(serialize = "T: Serialize + AsRef<str>"))]
struct Confirm<T> {
    #[serde(skip_serializing_if = "is_left_out")]
    text: T,
    #[serde(skip_serializing_if = "is_left_out")]
    title: T,
    #[serde(skip_serializing_if = "is_left_out")]
    ok_text: T,
    #[serde(skip_serializing_if = "is_left_out")]
    dismiss_text: T,
}

fn is_left_out<T: AsRef<str>>(text: &T) -> bool {
    text.as_ref().is_empty()
}

/// Characters of an attachment's title.
const TITLE_CHARS_MAX: usize = 1_024;

const POST_URL: &str = "https://slack.com/api/chat.postMessage";
const UPDATE_URL: &str = "https://slack.com/api/chat.update";

/// The message can no longer be edited: post another.
const ANEW: u16 = 1;

/// The message of the incident, as Slack names it.
#[derive(Serialize, Deserialize)]
struct Posted {
    channel: String,
    ts: String,
}

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let mut keys: Keys = read_table(table)?;
    let mut http_config = keys.http_config.take().unwrap_or_default();
    let url = match (keys.app_token.take(), keys.api_url.take()) {
        (Some(token), _) => {
            http_config.authorize(token)?;
            Secret::new(keys.app_url.take().unwrap_or_else(|| POST_URL.to_owned()))
        }
        (None, Some(url)) => url,
        (None, None) => return Err(ConfigError::new("api_url", "expected `api_url` or `app_token`, got none of them")),
    };
    let url = Secret::new(String::from(read_url("api_url", url.expose())?));
    if keys.update_message && url.expose() != POST_URL {
        return Err(ConfigError::new(
            "update_message",
            format!("only a bot can edit: expected the `api_url` {POST_URL}"),
        ));
    }
    let mut receiver = Receiver::new(setting, keys.send_resolved, Some(http_config))?;
    receiver.hide(&url);
    let fields = keys.fields.iter().enumerate().map(|(index, field)| {
        let title = Template::new(setting, &format!("fields[{index}].title"), &field.title)?;
        let value = Template::new(setting, &format!("fields[{index}].value"), &field.value)?;
        Ok((title, value, field.short.unwrap_or(keys.short_fields)))
    });
    let fields = fields.collect::<Result<_, ConfigError>>()?;
    let actions = std::mem::take(&mut keys.actions).into_iter().enumerate();
    let actions = actions.map(|(index, action)| read_action(setting, index, action)).collect::<Result<_, _>>()?;
    let mut mrkdwn_in = std::mem::take(&mut keys.mrkdwn_in);
    if mrkdwn_in.is_empty() {
        mrkdwn_in = ["fallback", "pretext", "text"].map(str::to_owned).to_vec();
    }
    let (link_names, update_message, timeout) = (keys.link_names, keys.update_message, keys.timeout);
    let message = read_message(&receiver, keys)?;
    Ok(Box::new(Slack { receiver, url, message, fields, actions, mrkdwn_in, link_names, update_message, timeout }))
}

fn read_message(receiver: &Receiver, keys: Keys) -> Result<MessageTemplates, ConfigError> {
    let named = |key: &str, text: Option<String>| {
        let name = key.replace('_', "");
        receiver.template(key, text, &format!("{{{{ template \"slack.default.{name}\" . }}}}"))
    };
    Ok(MessageTemplates {
        channel: receiver.template("channel", keys.channel, "")?,
        username: named("username", keys.username)?,
        icon_emoji: named("icon_emoji", keys.icon_emoji)?,
        icon_url: named("icon_url", keys.icon_url)?,
        text: receiver.template("message_text", keys.message_text, "")?,
        title: named("title", keys.title)?,
        title_link: named("title_link", keys.title_link)?,
        pretext: named("pretext", keys.pretext)?,
        body: named("text", keys.text)?,
        fallback: named("fallback", keys.fallback)?,
        callback_id: named("callback_id", keys.callback_id)?,
        image_url: receiver.template("image_url", keys.image_url, "")?,
        thumb_url: receiver.template("thumb_url", keys.thumb_url, "")?,
        footer: named("footer", keys.footer)?,
        color: named("color", keys.color)?,
    })
}

/// A button leads somewhere or sends something, not both: with an address the rest is left out.
fn read_action(setting: &Setting, index: usize, keys: ActionKeys) -> Result<Action<Template>, ConfigError> {
    let path = format!("actions[{index}]");
    let is_link = !keys.url.is_empty();
    if keys.kind.is_empty() || keys.text.is_empty() || !is_link && keys.name.is_empty() {
        return Err(ConfigError::new(path, "expected `type`, `text`, and `url` or `name`"));
    }
    let template = |key: &str, text: String| Template::new(setting, &format!("{path}.{key}"), text);
    let unless_link = |text: String| if is_link { String::new() } else { text };
    let confirm = keys.confirm.filter(|_| !is_link).map(|confirm| {
        Ok(Confirm {
            text: template("confirm.text", confirm.text)?,
            title: template("confirm.title", confirm.title)?,
            ok_text: template("confirm.ok_text", confirm.ok_text)?,
            dismiss_text: template("confirm.dismiss_text", confirm.dismiss_text)?,
        })
    });
    Ok(Action {
        kind: template("type", keys.kind)?,
        text: template("text", keys.text)?,
        url: template("url", keys.url)?,
        style: template("style", keys.style)?,
        name: template("name", unless_link(keys.name))?,
        value: template("value", unless_link(keys.value))?,
        confirm: confirm.transpose()?,
    })
}

impl Action<Template> {
    fn render(&self, texts: &Texts<'_>) -> Result<Action<String>, RenderError> {
        let confirm = self.confirm.as_ref().map(|confirm| {
            Ok(Confirm {
                text: texts.text(&confirm.text)?,
                title: texts.text(&confirm.title)?,
                ok_text: texts.text(&confirm.ok_text)?,
                dismiss_text: texts.text(&confirm.dismiss_text)?,
            })
        });
        Ok(Action {
            kind: texts.text(&self.kind)?,
            text: texts.text(&self.text)?,
            url: texts.text(&self.url)?,
            style: texts.text(&self.style)?,
            name: texts.text(&self.name)?,
            value: texts.text(&self.value)?,
            confirm: confirm.transpose()?,
        })
    }
}

impl Slack {
    /// The message that is to be edited.
    fn posted(&self, attempt: &Attempt<'_>) -> Option<Posted> {
        if !self.update_message || attempt.progress.step == ANEW {
            return None;
        }
        serde_json::from_str(attempt.progress.remote.as_deref()?).ok()
    }

    fn message(&self, texts: &Texts<'_>) -> Result<Message<'_>, RenderError> {
        let message = &self.message;
        let fields = self.fields.iter().map(|(title, value, short)| {
            Ok(Field { title: texts.text(title)?, value: texts.text(value)?, short: *short })
        });
        let attachment = Attachment {
            title: truncate_chars(&texts.text(&message.title)?, TITLE_CHARS_MAX).into_owned(),
            title_link: texts.text(&message.title_link)?,
            pretext: texts.text(&message.pretext)?,
            text: texts.text(&message.body)?,
            fallback: texts.text(&message.fallback)?,
            callback_id: texts.text(&message.callback_id)?,
            fields: fields.collect::<Result<_, RenderError>>()?,
            actions: self.actions.iter().map(|action| action.render(texts)).collect::<Result<_, _>>()?,
            image_url: texts.text(&message.image_url)?,
            thumb_url: texts.text(&message.thumb_url)?,
            footer: texts.text(&message.footer)?,
            color: texts.text(&message.color)?,
            mrkdwn_in: &self.mrkdwn_in,
        };
        Ok(Message {
            channel: texts.text(&message.channel)?,
            ts: String::new(),
            username: texts.text(&message.username)?,
            icon_emoji: texts.text(&message.icon_emoji)?,
            icon_url: texts.text(&message.icon_url)?,
            link_names: self.link_names,
            text: texts.text(&message.text)?,
            attachments: [attachment],
        })
    }

    /// An API answers in JSON, an incoming webhook in words.
    fn accepted(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { body, .. } = response else { return super::super::foreign_response() };
        let refused = |said: &str| {
            let reason = format!("Slack refused: {}", self.receiver.quote(said));
            Outcome::Rejected { kind: ErrorKind::Rejected, reason }
        };
        if !response.header("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
            let said = String::from_utf8_lossy(body);
            return if said == "ok" { delivered(response) } else { refused(&said) };
        }
        let Ok(reply @ Value::Object(_)) = serde_json::from_slice::<Value>(body) else {
            let reason = "Slack answered with JSON that cannot be read".to_owned();
            let kind = ErrorKind::Unreachable;
            return keep_doubt(Outcome::Retry { after_ms: None, kind, reason, is_ambiguous: true }, attempt);
        };
        if reply["ok"] == true {
            let posted = reply["channel"].as_str().zip(reply["ts"].as_str()).filter(|_| self.update_message);
            let posted = posted.map(|(channel, ts)| Posted { channel: channel.to_owned(), ts: ts.to_owned() });
            let remote = posted.and_then(|posted| serde_json::to_string(&posted).ok());
            return Outcome::Delivered { remote, proof: "answered ok".to_owned() };
        }
        let error = reply["error"].as_str().unwrap_or_default();
        let is_gone = matches!(error, "message_not_found" | "cant_update_message" | "edit_window_closed");
        if is_gone && self.posted(attempt).is_some() {
            return Outcome::Next { remote: None, step: ANEW };
        }
        refused(error)
    }
}

impl Sink for Slack {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let mut message = self.message(&self.receiver.texts(&group, attempt.now))?;
        let mut url = self.url.clone();
        if let Some(posted) = self.posted(attempt) {
            url = Secret::new(UPDATE_URL.to_owned());
            (message.channel, message.ts) = (posted.channel, posted.ts);
        }
        let mut request = self.receiver.json("POST", url, &message)?;
        request.timeout = self.timeout;
        Ok(Request::Http(request))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let failure = self.receiver.failure(attempt, response, "Slack", &[]);
        failure.unwrap_or_else(|| self.accepted(attempt, response))
    }
}

#[cfg(test)]
mod tests;
