//! `webex_configs`: a Markdown message in a room of Webex.

use serde::Deserialize;
use serde_json::json;

use super::super::{Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec};
use super::http_config::HttpConfig;
use super::template::Template;
use super::{Receiver, default_true, read_url, truncate_bytes};
use crate::error::{ConfigError, Secret, Table, read_table};

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_webex",
    title: "`webex_configs` of an alertmanager.yml",
    docs: "\
A Markdown message in a room.

- `room_id`, `message`: templates; a message is cut to 7439 bytes. What alerts say reaches Webex as they
  put it, so it can hold Markdown and mentions.
- `api_url`: default `https://webexapis.com/v1/messages`.
- `http_config`: with the bot's token in `authorization`, which is needed. `send_resolved`: default true.
",
    example: "room_id: Y2lzY29zcGFyazovL3VzL1JPT00vYmJj\n\
              api_url: https://webexapis.example/v1/messages\n\
              http_config:\n  authorization:\n    credentials: ZDI3MGEyYzQtNmFlNS00NDNh\n",
    rate: Rate { count: 5, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_true")]
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    api_url: Option<String>,
    message: Option<String>,
    room_id: String,
}

struct Webex {
    receiver: Receiver,
    url: Secret<String>,
    message: Template,
    room_id: Template,
}

const URL: &str = "https://webexapis.com/v1/messages";

/// Bytes of a message.
const MESSAGE_BYTES_MAX: usize = 7_439;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    if keys.room_id.is_empty() {
        return Err(ConfigError::new("room_id", "expected a room's id, got nothing"));
    }
    if !keys.http_config.as_ref().is_some_and(HttpConfig::is_authorized) {
        return Err(ConfigError::new("http_config.authorization", "expected the bot's token in `credentials`"));
    }
    let receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    Ok(Box::new(Webex {
        url: Secret::new(read_url("api_url", keys.api_url.as_deref().unwrap_or(URL))?.into()),
        message: receiver.template("message", keys.message, "{{ template \"webex.default.message\" . }}")?,
        room_id: Template::new(setting, "room_id", keys.room_id)?,
        receiver,
    }))
}

impl Sink for Webex {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let message = texts.text(&self.message)?;
        let mut body = json!({ "markdown": truncate_bytes(&message, MESSAGE_BYTES_MAX) });
        let room_id = texts.text(&self.room_id)?;
        if !room_id.is_empty() {
            body["roomId"] = room_id.into();
        }
        Ok(Request::Http(self.receiver.json("POST", self.url.clone(), &body)?))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        self.receiver.by_status(attempt, response, "Webex", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, retried, sent};
    use super::*;
    use crate::sinks::tests::build_error;

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
        let body: serde_json::Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        match body["markdown"].as_str().map(str::len) {
            Some(..=MESSAGE_BYTES_MAX) if body["roomId"].is_string() => Ok(()),
            len => Err(format!("{len:?} bytes")),
        }
    }

    #[test]
    fn a_message_goes_to_its_room() {
        let yaml = |message: &str| format!("{}message: {message}\n", SPEC.example);
        insta::assert_snapshot!(sent(&SPEC, &yaml("M"), &firing()), @r#"
        POST https://webexapis.example/v1/messages
        content-type: application/json
        authorization: Bearer ZDI3MGEyYzQtNmFlNS00NDNh

        {"markdown":"M","roomId":"Y2lzY29zcGFyazovL3VzL1JPT00vYmJj"}
        "#);
        assert!(sent(&SPEC, &yaml(&"x".repeat(7_439)), &firing()).contains(&format!("\"{}\"", "x".repeat(7_439))));
        assert!(sent(&SPEC, &yaml(&"x".repeat(7_440)), &firing()).contains(&format!("\"{}…\"", "x".repeat(7_436))));
        assert_eq!(retried(&SPEC, SPEC.example), "408 425 429 500-599");
    }

    #[test]
    fn a_token_is_needed() {
        let error = build_error(&SPEC, "room_id: x\n");
        assert!(error.contains("http_config.authorization"), "{error}");
    }
}
