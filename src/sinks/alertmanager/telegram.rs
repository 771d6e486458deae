//! `telegram_configs`: a message of a bot in a chat.
//!
//! Decides text and options. Alertmanager tries again whatever Telegram answers, and so does this.

use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::{
    Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, keep_doubt,
    retry_after_ms,
};
use super::http_config::HttpConfig;
use super::template::Template;
use super::{Receiver, below, default_true, read_url, truncate_chars};
use crate::error::{ConfigError, ErrorKind, Secret, Table, read_table};

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_telegram",
    title: "`telegram_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "bot_token: 110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw\n\
              chat_id: -1001234567890\n\
              api_url: https://telegram.example\n",
    // 20 messages a minute in one group.
    rate: Rate { count: 20, per_ms: 60_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
A message of a bot.

- `bot_token` or `bot_token_file`, `chat_id` or `chat_id_file`, `message_thread_id`, `api_url`.
- `message`: a template. `parse_mode`: `HTML` (default; what alerts say is escaped), `Markdown`,
  `MarkdownV2` or empty. A longer text than 4096 characters is cut; as HTML a note takes its place.
- `disable_notifications`: without a sound.
- `send_resolved` (default true), `http_config`: as for `alertmanager_webhook`.

Tried again after every answer but success. In Markdown, what alerts say can become markup.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_true")]
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    api_url: Option<String>,
    bot_token: Secret<String>,
    chat_id: ChatId,
    #[serde(default)]
    message_thread_id: i64,
    message: Option<String>,
    #[serde(default)]
    disable_notifications: bool,
    parse_mode: Option<String>,
}

/// A number, or the text of a file that holds one.
#[derive(Deserialize)]
#[serde(untagged)]
enum ChatId {
    Number(i64),
    Text(String),
}

struct Telegram {
    receiver: Receiver,
    url: Secret<String>,
    chat_id: i64,
    thread_id: i64,
    message: Template,
    is_silent: bool,
    parse_mode: String,
}

const URL: &str = "https://api.telegram.org";

/// Characters of a message.
const MESSAGE_CHARS_MAX: usize = 4_096;

/// A cut could leave HTML open.
const TOO_LONG: &str = "This notification is longer than Telegram allows, so it cannot be shown. \
                        Please check the template that makes it.";

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    receiver.hide(&keys.bot_token);
    let chat_id = match keys.chat_id {
        ChatId::Number(number) => number,
        ChatId::Text(text) => text
            .trim()
            .parse()
            .map_err(|_| ConfigError::new("chat_id", format!("expected a number, got `{}`", receiver.quote(&text))))?,
    };
    if chat_id == 0 {
        return Err(ConfigError::new("chat_id", "expected the number of a chat, got 0"));
    }
    let parse_mode = keys.parse_mode.unwrap_or_else(|| "HTML".into());
    if !matches!(parse_mode.as_str(), "" | "HTML" | "Markdown" | "MarkdownV2") {
        let message = format!("expected `HTML`, `Markdown`, `MarkdownV2` or nothing, got `{parse_mode}`");
        return Err(ConfigError::new("parse_mode", message));
    }
    let url = read_url("api_url", keys.api_url.as_deref().unwrap_or(URL))?;
    Ok(Box::new(Telegram {
        url: Secret::new(below(&url, &format!("bot{}/sendMessage", keys.bot_token.expose().trim())).into()),
        chat_id,
        thread_id: keys.message_thread_id,
        message: receiver.template("message", keys.message, "{{ template \"telegram.default.message\" . }}")?,
        is_silent: keys.disable_notifications,
        parse_mode,
        receiver,
    }))
}

impl Sink for Telegram {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let is_html = self.parse_mode == "HTML";
        let text = if is_html { texts.html(&self.message)? } else { texts.text(&self.message)? };
        let text = match truncate_chars(&text, MESSAGE_CHARS_MAX) {
            Cow::Owned(_) if is_html => TOO_LONG.to_owned(),
            text => text.into_owned(),
        };
        // All values are texts, as there.
        let mut body = BTreeMap::from([
            ("chat_id", self.chat_id.to_string()),
            ("text", text),
            ("disable_web_page_preview", "true".into()),
        ]);
        if self.is_silent {
            body.insert("disable_notification", "true".into());
        }
        if !self.parse_mode.is_empty() {
            body.insert("parse_mode", self.parse_mode.clone());
        }
        if self.thread_id != 0 {
            body.insert("message_thread_id", self.thread_id.to_string());
        }
        Ok(Request::Http(self.receiver.json("POST", self.url.clone(), &body)?))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return super::super::foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        if (200..300).contains(status) && reply["ok"] == true {
            let proof = format!("message {}", reply["result"]["message_id"]);
            return Outcome::Delivered { remote: None, proof: self.receiver.quote(&proof) };
        }
        let said = self.receiver.quote(reply["description"].as_str().unwrap_or_default());
        let reason = format!("Telegram answered {status} {said}").trim_end().to_owned();
        let kind = match status {
            401 | 403 => ErrorKind::Auth,
            429 => ErrorKind::RateLimited,
            400..=499 => ErrorKind::Rejected,
            _ => ErrorKind::Unreachable,
        };
        let asked = reply["parameters"]["retry_after"].as_u64().map(|seconds| seconds.saturating_mul(1_000));
        let after_ms = retry_after_ms(response).or(asked);
        let is_ambiguous = kind == ErrorKind::Unreachable;
        keep_doubt(Outcome::Retry { after_ms, kind, reason, is_ambiguous }, attempt)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, sent};
    use super::*;
    use crate::model::delivery::Progress;
    use crate::sinks::tests::{attempt, build_error, build_from, json_answer, setting};

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        match body["text"].as_str().map(|text| text.chars().count()) {
            Some(1..=MESSAGE_CHARS_MAX) => Ok(()),
            count => Err(format!("{count:?} characters")),
        }
    }

    const BARE: &str = "bot_token: 110201543:AAHdqTcvCH1vGWJ\nchat_id: -100123\napi_url: https://telegram.example\n";

    #[test]
    fn a_message_has_telebots_parameters() {
        insta::assert_snapshot!(sent(&SPEC, &format!("{BARE}message: M\n"), &firing()), @r#"
        POST https://telegram.example/bot110201543:AAHdqTcvCH1vGWJ/sendMessage
        content-type: application/json

        {"chat_id":"-100123","disable_web_page_preview":"true","parse_mode":"HTML","text":"M"}
        "#);
        let more = "message: M\nparse_mode: ''\ndisable_notifications: true\nmessage_thread_id: 7\n";
        insta::assert_snapshot!(sent(&SPEC, &format!("{BARE}{more}"), &firing()).lines().last().unwrap(), @r#"{"chat_id":"-100123","disable_notification":"true","disable_web_page_preview":"true","message_thread_id":"7","text":"M"}"#);
    }

    #[test]
    fn html_is_never_cut() {
        let sent = |mode: &str, count: usize| {
            sent(&SPEC, &format!("{BARE}parse_mode: '{mode}'\nmessage: {}\n", "x".repeat(count)), &firing())
        };
        assert!(sent("HTML", 4_096).contains(&"x".repeat(4_096)));
        assert!(sent("HTML", 4_097).contains(TOO_LONG));
        assert!(sent("", 4_096).contains(&format!("\"{}\"", "x".repeat(4_096))));
        assert!(sent("", 4_097).contains(&format!("\"{}…\"", "x".repeat(4_095))));
    }

    #[test]
    fn all_but_success_is_tried_again() {
        let sink = build_from(&SPEC, BARE, &setting());
        let (notification, progress) = (firing(), Progress::default());
        let outcome = |status, body: &str| sink.outcome(&attempt(&notification, &progress), &json_answer(status, body));
        let good = outcome(200, r#"{"ok":true,"result":{"message_id":17}}"#);
        assert_eq!(good, Outcome::Delivered { remote: None, proof: "message 17".into() });
        let flood = outcome(429, r#"{"ok":false,"description":"Too Many Requests","parameters":{"retry_after":14}}"#);
        assert!(matches!(flood, Outcome::Retry { after_ms: Some(14_000), kind: ErrorKind::RateLimited, .. }));
        for (status, body) in [(200, "{}"), (400, r#"{"ok":false,"description":"chat not found"}"#), (502, "")] {
            assert!(matches!(outcome(status, body), Outcome::Retry { .. }), "{status}");
        }
    }

    #[test]
    fn keys_that_do_not_fit_are_named() {
        for (yaml, key) in [("chat_id: 0", "chat_id"), ("chat_id: x", "chat_id"), ("parse_mode: md", "parse_mode")] {
            let base = if yaml.starts_with("chat") { BARE.replace("chat_id: -100123\n", "") } else { BARE.to_owned() };
            let error = build_error(&SPEC, &format!("{base}{yaml}\n"));
            assert!(error.contains(key), "{error}");
        }
        sent(&SPEC, &BARE.replace("-100123", "' -100123 '"), &firing());
    }
}
