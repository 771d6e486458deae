//! `discord_configs`: a message with one embed through a webhook of Discord.

use serde::{Deserialize, Serialize};

use super::super::{Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec};
use super::http_config::HttpConfig;
use super::template::Template;
use super::{Receiver, default_true, read_url, truncate_chars};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::AlertStatus;

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_discord",
    title: "`discord_configs` of an alertmanager.yml",
    docs: "\
A message with one embed.

- `webhook_url` or `webhook_url_file`.
- `title` (256 characters), `message` (4096), `content` (2000): templates; longer texts are cut. What
  alerts say reaches Discord as they put it, so it can hold Markdown and mentions.
- `username`, `avatar_url`: of the sender; no templates.
- `send_resolved` (default true), `http_config`: as for `alertmanager_webhook`.
",
    example: "webhook_url: https://discord.example/api/webhooks/1171/pdFZKVeTuE8sk7oO\nusername: Watchbell\n",
    rate: Rate { count: 5, per_ms: 2_000 },
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
    webhook_url: Secret<String>,
    content: Option<String>,
    title: Option<String>,
    message: Option<String>,
    #[serde(default)]
    username: String,
    #[serde(default)]
    avatar_url: String,
}

struct Discord {
    receiver: Receiver,
    url: Secret<String>,
    content: Template,
    title: Template,
    message: Template,
    username: String,
    avatar_url: String,
}

#[derive(Serialize)]
struct Message<'a> {
    content: &'a str,
    embeds: [Embed<'a>; 1],
    #[serde(skip_serializing_if = "str::is_empty")]
    username: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    avatar_url: &'a str,
}

#[derive(Serialize)]
struct Embed<'a> {
    title: &'a str,
    description: &'a str,
    color: u32,
}

const TITLE_CHARS_MAX: usize = 256;
const DESCRIPTION_CHARS_MAX: usize = 4_096;
const CONTENT_CHARS_MAX: usize = 2_000;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    let url = Secret::new(String::from(read_url("webhook_url", keys.webhook_url.expose())?));
    receiver.hide(&url);
    Ok(Box::new(Discord {
        content: receiver.template("content", keys.content, "")?,
        title: receiver.template("title", keys.title, "{{ template \"discord.default.title\" . }}")?,
        message: receiver.template("message", keys.message, "{{ template \"discord.default.message\" . }}")?,
        username: keys.username,
        avatar_url: keys.avatar_url,
        url,
        receiver,
    }))
}

impl Sink for Discord {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let (title, message) = (texts.text(&self.title)?, texts.text(&self.message)?);
        let content = texts.text(&self.content)?;
        let embed = Embed {
            title: &truncate_chars(&title, TITLE_CHARS_MAX),
            description: &truncate_chars(&message, DESCRIPTION_CHARS_MAX),
            color: match group.status() {
                AlertStatus::Firing => 0x0099_2d22,
                AlertStatus::Resolved => 0x002e_cc71,
            },
        };
        let message = Message {
            content: &truncate_chars(&content, CONTENT_CHARS_MAX),
            embeds: [embed],
            username: &self.username,
            avatar_url: &self.avatar_url,
        };
        Ok(Request::Http(self.receiver.json("POST", self.url.clone(), &message)?))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        self.receiver.by_status(attempt, response, "Discord", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, resolved, retried, sent};
    use super::*;
    use serde_json::Value;

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
        let body: Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        let embed = &body["embeds"][0];
        for (text, max) in [
            (&body["content"], CONTENT_CHARS_MAX),
            (&embed["title"], TITLE_CHARS_MAX),
            (&embed["description"], DESCRIPTION_CHARS_MAX),
        ] {
            match text.as_str().map(|text| text.chars().count()) {
                Some(count) if count <= max => {}
                count => return Err(format!("{count:?} characters where {max} are allowed")),
            }
        }
        Ok(())
    }

    const BARE: &str = "webhook_url: https://discord.example/api/webhooks/1171/pdFZKVeT\ntitle: T\nmessage: M\n";

    #[test]
    fn a_message_has_one_embed() {
        let more = "content: C\nusername: am\navatar_url: https://i.example/a.png\n";
        insta::assert_snapshot!(sent(&SPEC, &format!("{BARE}{more}"), &firing()), @r#"
        POST https://discord.example/api/webhooks/1171/pdFZKVeT
        content-type: application/json

        {"content":"C","embeds":[{"title":"T","description":"M","color":10038562}],"username":"am","avatar_url":"https://i.example/a.png"}
        "#);
        insta::assert_snapshot!(sent(&SPEC, BARE, &resolved()).lines().last().unwrap(), @r#"{"content":"","embeds":[{"title":"T","description":"M","color":3066993}]}"#);
        assert_eq!(retried(&SPEC, BARE), "408 425 429 500-599");
    }

    #[test]
    fn texts_are_cut_where_discord_refuses_them() {
        for (key, max) in [("title", 256), ("message", 4_096), ("content", 2_000)] {
            let sent = |count: usize| {
                let base: String =
                    BARE.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect();
                sent(&SPEC, &format!("{base}{key}: {}\n", "x".repeat(count)), &firing())
            };
            assert!(sent(max).contains(&format!("\"{}\"", "x".repeat(max))), "{key}");
            assert!(sent(max + 1).contains(&format!("\"{}…\"", "x".repeat(max - 1))), "{key}");
        }
    }
}
