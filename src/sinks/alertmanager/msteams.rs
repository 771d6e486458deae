//! `msteams_configs`: a message card for a connector of Microsoft Teams, which the vendor has retired.

use serde::Deserialize;
use serde_json::json;

use super::super::{Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec};
use super::http_config::HttpConfig;
use super::template::Template;
use super::{Receiver, default_true, read_url};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::AlertStatus;

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_msteams",
    title: "`msteams_configs` of an alertmanager.yml",
    docs: "\
A message card for a connector of Microsoft Teams.

- `webhook_url` or `webhook_url_file`.
- `title`, `summary`, `text`: templates. What alerts say reaches Teams as they put it, so it can hold Markdown.
- `send_resolved` (default true), `http_config`: as for `alertmanager_webhook`.
",
    example: "webhook_url: https://teams.example/webhookb2/8c1a9f7e\n",
    rate: Rate { count: 4, per_ms: 1_000 },
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
    title: Option<String>,
    summary: Option<String>,
    text: Option<String>,
}

struct MsTeams {
    receiver: Receiver,
    url: Secret<String>,
    title: Template,
    summary: Template,
    text: Template,
}

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    let url = Secret::new(String::from(read_url("webhook_url", keys.webhook_url.expose())?));
    receiver.hide(&url);
    Ok(Box::new(MsTeams {
        title: receiver.template("title", keys.title, "{{ template \"msteams.default.title\" . }}")?,
        summary: receiver.template("summary", keys.summary, "{{ template \"msteams.default.summary\" . }}")?,
        text: receiver.template("text", keys.text, "{{ template \"msteams.default.text\" . }}")?,
        url,
        receiver,
    }))
}

impl Sink for MsTeams {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let color = match group.status() {
            AlertStatus::Firing => "8C1A1A",
            AlertStatus::Resolved => "2DC72D",
        };
        let card = json!({
            "@context": "http://schema.org/extensions",
            "type": "MessageCard",
            "title": texts.text(&self.title)?,
            "summary": texts.text(&self.summary)?,
            "text": texts.text(&self.text)?,
            "themeColor": color,
        });
        Ok(Request::Http(self.receiver.json("POST", self.url.clone(), &card)?))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        self.receiver.by_status(attempt, response, "Teams", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, mixed, resolved, retried, sent};
    use super::*;

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
        let card: serde_json::Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        let has = |key: &str| card[key].is_string();
        match has("title") && has("text") && has("summary") && card["type"] == "MessageCard" {
            true => Ok(()),
            false => Err(card.to_string()),
        }
    }

    const BARE: &str = "webhook_url: https://teams.example/webhookb2/8c1a9f7e\ntitle: T\nsummary: S\ntext: X\n";

    #[test]
    fn the_card_is_red_until_the_end() {
        insta::assert_snapshot!(sent(&SPEC, BARE, &firing()), @r#"
        POST https://teams.example/webhookb2/8c1a9f7e
        content-type: application/json

        {"@context":"http://schema.org/extensions","summary":"S","text":"X","themeColor":"8C1A1A","title":"T","type":"MessageCard"}
        "#);
        assert_eq!(sent(&SPEC, BARE, &mixed()), sent(&SPEC, BARE, &firing()));
        insta::assert_snapshot!(sent(&SPEC, BARE, &resolved()).lines().last().unwrap(), @r#"{"@context":"http://schema.org/extensions","summary":"S","text":"X","themeColor":"2DC72D","title":"T","type":"MessageCard"}"#);
        assert_eq!(retried(&SPEC, BARE), "408 425 429 500-599");
    }
}
