//! `msteamsv2_configs`: an Adaptive Card for a workflow of Microsoft Teams.

use serde::Deserialize;
use serde_json::json;

use super::super::{Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec};
use super::http_config::HttpConfig;
use super::template::Template;
use super::{Receiver, default_true, read_url};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::AlertStatus;

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_msteamsv2",
    title: "`msteamsv2_configs` of an alertmanager.yml",
    docs: "\
An Adaptive Card for a workflow of Microsoft Teams.

- `webhook_url` or `webhook_url_file`.
- `title`, `text`: templates. What alerts say reaches Teams as they put it, so it can hold Markdown.
- `send_resolved` (default true), `http_config`: as for `alertmanager_webhook`.
",
    example: "webhook_url: https://workflows.example/triggers/manual/paths/invoke?sig=8c1a9f7e\n",
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
    text: Option<String>,
}

struct MsTeams {
    receiver: Receiver,
    url: Secret<String>,
    title: Template,
    text: Template,
}

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    let url = Secret::new(String::from(read_url("webhook_url", keys.webhook_url.expose())?));
    receiver.hide(&url);
    Ok(Box::new(MsTeams {
        title: receiver.template("title", keys.title, "{{ template \"msteamsv2.default.title\" . }}")?,
        text: receiver.template("text", keys.text, "{{ template \"msteamsv2.default.text\" . }}")?,
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
            AlertStatus::Firing => "Attention",
            AlertStatus::Resolved => "Good",
        };
        let title = json!({
            "type": "TextBlock",
            "text": texts.text(&self.title)?,
            "weight": "Bolder",
            "size": "Medium",
            "wrap": true,
            "style": "heading",
            "color": color,
        });
        let message = json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.2",
                    "body": [title, { "type": "TextBlock", "text": texts.text(&self.text)?, "wrap": true }],
                    "msteams": { "width": "full" },
                },
            }],
        });
        Ok(Request::Http(self.receiver.json("POST", self.url.clone(), &message)?))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        self.receiver.by_status(attempt, response, "Teams", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, resolved, retried, sent};
    use super::*;

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
        let message: serde_json::Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        let card = &message["attachments"][0]["content"];
        let blocks = card["body"].as_array().ok_or("no body")?;
        match blocks.iter().all(|block| block["type"] == "TextBlock" && block["text"].is_string()) {
            true if card["type"] == "AdaptiveCard" && blocks.len() == 2 => Ok(()),
            _ => Err(card.to_string()),
        }
    }

    const BARE: &str = "webhook_url: https://workflows.example/invoke?sig=8c1a9f7e\ntitle: T\ntext: X\n";

    #[test]
    fn the_card_draws_attention_until_the_end() {
        insta::assert_snapshot!(sent(&SPEC, BARE, &firing()), @r#"
        POST https://workflows.example/invoke?sig=8c1a9f7e
        content-type: application/json

        {"attachments":[{"content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","body":[{"color":"Attention","size":"Medium","style":"heading","text":"T","type":"TextBlock","weight":"Bolder","wrap":true},{"text":"X","type":"TextBlock","wrap":true}],"msteams":{"width":"full"},"type":"AdaptiveCard","version":"1.2"},"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null}],"type":"message"}
        "#);
        assert_eq!(sent(&SPEC, BARE, &resolved()), sent(&SPEC, BARE, &firing()).replace("Attention", "Good"));
        assert_eq!(retried(&SPEC, BARE), "408 425 429 500-599");
    }
}
