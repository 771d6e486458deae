//! `victorops_configs`: an event of Splunk On-Call, formerly VictorOps, whose entity is a hash of the group's key.

use serde::Deserialize;
use std::collections::BTreeMap;

use super::super::{Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec};
use super::http_config::HttpConfig;
use super::template::Template;
use super::{Receiver, below, default_true, key_hash, read_url, truncate_chars};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::AlertStatus;

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_victorops",
    title: "`victorops_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "api_key: 558e7ebc-09a2-4a1b\n\
              api_url: https://alert.victorops.example/integrations/generic/20131114/alert/\n\
              routing_key: storage\n\
              custom_fields: { runbook: 'https://wiki.example/runbooks' }\n",
    rate: Rate { count: 10, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
An event of Splunk On-Call.

- `api_key` or `api_key_file`, `api_url`, `routing_key` (a template).
- `message_type`: `INFO`, `WARNING` or `CRITICAL` (default), a template; `RECOVERY` at the end.
- `state_message` (cut to 20480 characters), `entity_display_name`, `monitoring_tool`: templates.
- `custom_fields`: more fields, templates.
- `send_resolved` (default true), `http_config`: as for `alertmanager_webhook`.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_true")]
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    api_key: Secret<String>,
    api_url: Option<String>,
    routing_key: String,
    message_type: Option<String>,
    state_message: Option<String>,
    entity_display_name: Option<String>,
    monitoring_tool: Option<String>,
    #[serde(default)]
    custom_fields: BTreeMap<String, String>,
}

struct VictorOps {
    receiver: Receiver,
    /// With the API's key, up to the routing key.
    url: Secret<reqwest::Url>,
    routing_key: Template,
    message_type: Template,
    state_message: Template,
    display_name: Template,
    tool: Template,
    fields: Vec<(String, Template)>,
}

const URL: &str = "https://alert.victorops.com/integrations/generic/20131114/alert/";

/// Characters of a message.
const MESSAGE_CHARS_MAX: usize = 20_480;

const TYPES: [&str; 3] = ["INFO", "WARNING", "CRITICAL"];

/// Fields that `custom_fields` may not have.
const OWN_FIELDS: [&str; 7] = [
    "entity_display_name",
    "entity_id",
    "entity_state",
    "message_type",
    "monitoring_tool",
    "routing_key",
    "state_message",
];

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    if keys.routing_key.is_empty() {
        return Err(ConfigError::new("routing_key", "expected a routing key, got nothing"));
    }
    if let Some(name) = keys.custom_fields.keys().find(|name| OWN_FIELDS.contains(&name.as_str())) {
        return Err(ConfigError::new(format!("custom_fields.{name}"), "this field has a key of its own"));
    }
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    receiver.hide(&keys.api_key);
    let url = read_url("api_url", keys.api_url.as_deref().unwrap_or(URL))?;
    let fields = keys.custom_fields.into_iter().map(|(name, text)| {
        let template = Template::new(setting, &format!("custom_fields.{name}"), text)?;
        Ok((name, template))
    });
    let fields = fields.collect::<Result<_, ConfigError>>()?;
    let named = |key: &str, text: Option<String>| {
        receiver.template(key, text, &format!("{{{{ template \"victorops.default.{key}\" . }}}}"))
    };
    Ok(Box::new(VictorOps {
        url: Secret::new(below(&url, keys.api_key.expose().trim())),
        routing_key: Template::new(setting, "routing_key", keys.routing_key)?,
        message_type: receiver.template("message_type", keys.message_type, "CRITICAL")?,
        state_message: named("state_message", keys.state_message)?,
        display_name: named("entity_display_name", keys.entity_display_name)?,
        tool: named("monitoring_tool", keys.monitoring_tool)?,
        fields,
        receiver,
    }))
}

impl Sink for VictorOps {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let message_type = match group.status() {
            AlertStatus::Resolved => "RECOVERY".to_owned(),
            AlertStatus::Firing => Some(texts.text(&self.message_type)?)
                .filter(|kind| TYPES.contains(&kind.as_str()))
                .unwrap_or("CRITICAL".into()),
        };
        let mut event: BTreeMap<&str, String> = BTreeMap::from([
            ("message_type", message_type),
            ("entity_id", key_hash(&group.key)),
            ("entity_display_name", texts.text(&self.display_name)?),
            ("state_message", truncate_chars(&texts.text(&self.state_message)?, MESSAGE_CHARS_MAX).into_owned()),
            ("monitoring_tool", texts.text(&self.tool)?),
        ]);
        for (name, template) in &self.fields {
            event.insert(name, texts.text(template)?);
        }
        let url = below(self.url.expose(), &texts.text(&self.routing_key)?);
        Ok(Request::Http(self.receiver.json("POST", Secret::new(url.into()), &event)?))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        self.receiver.by_status(attempt, response, "Splunk On-Call", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, resolved, retried, sent};
    use super::*;
    use crate::sinks::tests::build_error;

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
        let body: serde_json::Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        let kind = body["message_type"].as_str().unwrap_or_default();
        match body["state_message"].as_str().map(|text| text.chars().count()) {
            Some(..=MESSAGE_CHARS_MAX) if TYPES.contains(&kind) || kind == "RECOVERY" => Ok(()),
            count => Err(format!("`{kind}` with {count:?} characters")),
        }
    }

    const BARE: &str = "api_key: 558e7ebc\napi_url: https://alert.victorops.example/alert/\nrouting_key: storage team\nstate_message: M\n\
                        entity_display_name: E\nmonitoring_tool: am\n";

    #[test]
    fn events_have_an_entity() {
        insta::assert_snapshot!(sent(&SPEC, &format!("{BARE}message_type: page\ncustom_fields: {{ a: b }}\n"), &firing()), @r#"
        POST https://alert.victorops.example/alert/558e7ebc/storage%20team
        content-type: application/json

        {"a":"b","entity_display_name":"E","entity_id":"39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8","message_type":"CRITICAL","monitoring_tool":"am","state_message":"M"}
        "#);
        insta::assert_snapshot!(sent(&SPEC, BARE, &resolved()).lines().last().unwrap(), @r#"{"entity_display_name":"E","entity_id":"39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8","message_type":"RECOVERY","monitoring_tool":"am","state_message":"M"}"#);
        let sent = |count: usize| {
            sent(&SPEC, &BARE.replace("state_message: M", &format!("state_message: {}", "x".repeat(count))), &firing())
        };
        assert!(sent(20_480).contains(&format!("\"{}\"", "x".repeat(20_480))));
        assert!(sent(20_481).contains(&format!("\"{}…\"", "x".repeat(20_479))));
        assert_eq!(retried(&SPEC, BARE), "408 425 429 500-599");
        let error = build_error(&SPEC, &format!("{BARE}custom_fields: {{ entity_id: x }}\n"));
        assert!(error.contains("custom_fields.entity_id"), "{error}");
    }
}
