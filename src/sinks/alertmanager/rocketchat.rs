//! `rocketchat_configs`: a message with one attachment through the API of Rocket.Chat.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{
    Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, keep_doubt,
};
use super::http_config::HttpConfig;
use super::template::Template;
use super::{Receiver, below, delivered, read_url, truncate_chars};
use crate::error::{ConfigError, ErrorKind, Secret, Table, read_table};

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_rocketchat",
    title: "`rocketchat_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "api_url: https://chat.example/\n\
              token: RScctEHSmLGZGywfIhWyRpyofhKOiMoUIpimhvheU3f\n\
              token_id: rbAXPnMktTFbNpwtJ\n\
              channel: '#ops'\n\
              send_resolved: true\n",
    rate: Rate { count: 5, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
A message with an attachment.

- `api_url`, `token` or `token_file`, `token_id` or `token_id_file`.
- `channel`, `emoji`, `icon_url`: of the message; templates.
- `title` (cut to 1024 characters), `title_link`, `text`, `color`, `image_url`, `thumb_url`, `fields`,
  `short_fields`, `actions` (buttons with `text`, `url`, `msg`): of the attachment; templates. What alerts
  say reaches Rocket.Chat as they put it, so it can hold markup and mentions.
- `send_resolved` (default false), `http_config`: as for `alertmanager_webhook`. `link_names` has no
  effect, as there.
";

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    api_url: Option<String>,
    token_id: Option<Secret<String>>,
    token: Option<Secret<String>>,
    channel: Option<String>,
    color: Option<String>,
    title: Option<String>,
    title_link: Option<String>,
    text: Option<String>,
    fields: Vec<FieldKeys>,
    short_fields: bool,
    emoji: Option<String>,
    icon_url: Option<String>,
    image_url: Option<String>,
    thumb_url: Option<String>,
    link_names: serde::de::IgnoredAny,
    actions: Vec<ActionKeys>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FieldKeys {
    title: String,
    value: String,
    short: Option<bool>,
}

/// Alertmanager takes more keys and sends these three.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ActionKeys {
    text: String,
    url: String,
    msg: String,
    #[serde(rename = "type")]
    _kind: serde::de::IgnoredAny,
    #[serde(rename = "imageurl", alias = "image_url")]
    _image_url: serde::de::IgnoredAny,
    #[serde(rename = "iswebview", alias = "is_webview")]
    _is_web_view: serde::de::IgnoredAny,
    #[serde(rename = "webviewheightratio", alias = "webview_height_ratio")]
    _height: serde::de::IgnoredAny,
    #[serde(rename = "msginchatwindow", alias = "msg_in_chat_window")]
    _in_chat_window: serde::de::IgnoredAny,
    #[serde(rename = "msgprocessingtype", alias = "msg_processing_type")]
    _processing: serde::de::IgnoredAny,
}

struct RocketChat {
    receiver: Receiver,
    url: Secret<String>,
    token: Secret<String>,
    token_id: Secret<String>,
    channel: Template,
    emoji: Template,
    icon_url: Template,
    title: Template,
    title_link: Template,
    text: Template,
    image_url: Template,
    thumb_url: Template,
    color: Template,
    fields: Vec<(Template, Template, bool)>,
    actions: Vec<[Template; 3]>,
}

#[derive(Serialize)]
struct Message {
    #[serde(skip_serializing_if = "String::is_empty")]
    channel: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    emoji: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    avatar: String,
    attachments: [Attachment; 1],
}

#[derive(Serialize)]
struct Attachment {
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    title_link: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    image_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    thumb_url: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    color: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fields: Vec<Field>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<Action>,
}

#[derive(Serialize)]
struct Field {
    short: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    title: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    value: String,
}

#[derive(Serialize)]
struct Action {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    url: String,
    is_webview: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    msg: String,
    msg_in_chat_window: bool,
}

const URL: &str = "https://open.rocket.chat/";

const TITLE_CHARS_MAX: usize = 1_024;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    let mut token = |key: &str, value: Option<Secret<String>>| {
        let value = value.ok_or_else(|| ConfigError::new(key, format!("expected `{key}` or `{key}_file`")))?;
        let value = Secret::new(value.expose().trim().to_owned());
        if http::HeaderValue::from_str(value.expose()).is_err() {
            return Err(ConfigError::new(key, "expected visible ASCII characters (its value is not shown)"));
        }
        receiver.hide(&value);
        Ok(value)
    };
    let (token, token_id) = (token("token", keys.token)?, token("token_id", keys.token_id)?);
    let template = |path: String, text: String| Template::new(setting, &path, text);
    let fields = keys.fields.into_iter().enumerate().map(|(index, field)| {
        let title = template(format!("fields[{index}].title"), field.title)?;
        let value = template(format!("fields[{index}].value"), field.value)?;
        Ok((title, value, field.short.unwrap_or(keys.short_fields)))
    });
    let actions = keys.actions.into_iter().enumerate().map(|(index, action)| {
        Ok([
            template(format!("actions[{index}].text"), action.text)?,
            template(format!("actions[{index}].url"), action.url)?,
            template(format!("actions[{index}].msg"), action.msg)?,
        ])
    });
    let named = |key: &str, text: Option<String>| {
        let name = key.replace('_', "");
        receiver.template(key, text, &format!("{{{{ template \"rocketchat.default.{name}\" . }}}}"))
    };
    let color = r#"{{ if eq .Status "firing" }}red{{ else }}green{{ end }}"#;
    let url = read_url("api_url", keys.api_url.as_deref().unwrap_or(URL))?;
    Ok(Box::new(RocketChat {
        url: Secret::new(below(&url, "api/v1/chat.postMessage").into()),
        token,
        token_id,
        fields: fields.collect::<Result<_, ConfigError>>()?,
        actions: actions.collect::<Result<_, ConfigError>>()?,
        channel: receiver.template("channel", keys.channel, "")?,
        emoji: named("emoji", keys.emoji)?,
        icon_url: named("icon_url", keys.icon_url)?,
        title: named("title", keys.title)?,
        title_link: named("title_link", keys.title_link)?,
        text: named("text", keys.text)?,
        image_url: receiver.template("image_url", keys.image_url, "")?,
        thumb_url: receiver.template("thumb_url", keys.thumb_url, "")?,
        color: receiver.template("color", keys.color, color)?,
        receiver,
    }))
}

impl Sink for RocketChat {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let fields = self.fields.iter().map(|(title, value, short)| {
            Ok(Field { short: *short, title: texts.text(title)?, value: texts.text(value)? })
        });
        let actions = self.actions.iter().map(|[text, url, msg]| {
            Ok(Action {
                kind: "button",
                text: texts.text(text)?,
                url: texts.text(url)?,
                is_webview: false,
                msg: texts.text(msg)?,
                msg_in_chat_window: false,
            })
        });
        let attachment = Attachment {
            title: truncate_chars(&texts.text(&self.title)?, TITLE_CHARS_MAX).into_owned(),
            title_link: texts.text(&self.title_link)?,
            text: texts.text(&self.text)?,
            image_url: texts.text(&self.image_url)?,
            thumb_url: texts.text(&self.thumb_url)?,
            color: texts.text(&self.color)?,
            fields: fields.collect::<Result<_, RenderError>>()?,
            actions: actions.collect::<Result<_, RenderError>>()?,
        };
        let message = Message {
            channel: texts.text(&self.channel)?,
            emoji: texts.text(&self.emoji)?,
            avatar: texts.text(&self.icon_url)?,
            attachments: [attachment],
        };
        let mut request = self.receiver.json("POST", self.url.clone(), &message)?;
        request.headers.push(("x-auth-token".into(), self.token.clone()));
        request.headers.push(("x-user-id".into(), self.token_id.clone()));
        Ok(Request::Http(request))
    }

    /// Errors may come with 200.
    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        if let Some(failure) = self.receiver.failure(attempt, response, "Rocket.Chat", &[]) {
            return failure;
        }
        let Response::Http { body, .. } = response else { return super::super::foreign_response() };
        match serde_json::from_slice::<Value>(body) {
            Ok(reply) if reply["success"] == true => delivered(response),
            Ok(reply @ Value::Object(_)) => {
                let said = self.receiver.quote(reply["error"].as_str().unwrap_or("no reason"));
                Outcome::Rejected { kind: ErrorKind::Rejected, reason: format!("Rocket.Chat refused: {said}") }
            }
            _ => {
                let reason = "Rocket.Chat answered with something other than its JSON".to_owned();
                let kind = ErrorKind::Unreachable;
                keep_doubt(Outcome::Retry { after_ms: None, kind, reason, is_ambiguous: true }, attempt)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, retried, sent};
    use super::*;
    use crate::model::delivery::Progress;
    use crate::sinks::tests::{attempt, build_error, build_from, json_answer, setting};

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        let title = body["attachments"][0]["title"].as_str().unwrap_or_default();
        match title.chars().count() {
            ..=TITLE_CHARS_MAX if body["channel"].is_string() => Ok(()),
            count => Err(format!("a title of {count} characters")),
        }
    }

    const BARE: &str = "api_url: https://chat.example/base/\ntoken: RScctEHSmLGZ\ntoken_id: rbAXPnMktTFb\nchannel: '#ops'\ntitle: T\n\
                        title_link: https://am.example\ntext: X\nemoji: ':bell:'\nicon_url: ''\ncolor: red\n";

    #[test]
    fn a_message_has_one_attachment() {
        let more = "link_names: true\nfields: [{ title: A, value: B, short: true }]\nactions: [{ type: button, text: Go, url: 'https://l.example' }]\n";
        insta::assert_snapshot!(sent(&SPEC, &format!("{BARE}{more}"), &firing()), @r##"
        POST https://chat.example/base/api/v1/chat.postMessage
        content-type: application/json
        x-auth-token: RScctEHSmLGZ
        x-user-id: rbAXPnMktTFb

        {"channel":"#ops","emoji":":bell:","attachments":[{"title":"T","title_link":"https://am.example","text":"X","color":"red","fields":[{"short":true,"title":"A","value":"B"}],"actions":[{"type":"button","text":"Go","url":"https://l.example","is_webview":false,"msg_in_chat_window":false}]}]}
        "##);
        assert_eq!(retried(&SPEC, BARE), "408 425 429 500-599");
        let error = build_error(&SPEC, "token: x\n");
        assert!(error.contains("token_id"), "{error}");
    }

    #[test]
    fn errors_come_with_200_too() {
        let sink = build_from(&SPEC, BARE, &setting());
        let (notification, progress) = (firing(), Progress::default());
        let outcome = |body: &str| sink.outcome(&attempt(&notification, &progress), &json_answer(200, body));
        assert!(matches!(outcome(r#"{"success":true}"#), Outcome::Delivered { .. }));
        assert!(matches!(outcome(r#"{"success":false,"error":"no channel"}"#), Outcome::Rejected { .. }));
        assert!(matches!(outcome("<html>"), Outcome::Retry { .. }));
    }
}
