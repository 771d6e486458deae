//! ntfy: push messages to the phones that have subscribed to a topic.
//!
//! Decides title, text and priority of a push. Plain text only, no buttons. All messages of an incident carry
//! one sequence id: a server of 2.16 or newer shows the latest of them in the place of those before, so there
//! a repetition is none. An older server knows no such thing: there quiet updates have to be left out
//! (`updates: false`, the default), and after an unclear answer a message may come twice.
//! Publishing, read 2026-11-21: <https://docs.ntfy.sh/publish>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::chat;
use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document, foreign_response,
    json_request, keep_doubt, read_address,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::Priority;
use crate::render::layout::{self, Limit};
use crate::render::text::{self, Unit};
use crate::render::{Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "ntfy",
    title: "ntfy: push messages to phones",
    docs: DOCS,
    example: "base_url: https://ntfy.example.org\ntopic: watchbell-8f2k1\ntoken: tk_AgQdq7mVBoFD37zQVN29RhuMzNIz2\n",
    // Of the hosted service, after the first 60.
    rate: Rate { count: 12, per_ms: 60_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `topic`: up to 64 letters, digits, `-` and `_`. Without access control who knows it can read it.
- `base_url`: default `https://ntfy.sh`.
- `token`: an access token; or `user` and `password`; or none of them.
- `updates`: default `false`. With `true`, for a server of 2.16 or newer, an incident has one push that is kept
  up to date, and quiet updates are sent too.
- `title_template` and `template` replace the headline and the text below it (minijinja).

P1 has the highest priority (5), P2 4, P3 3, all others 2; quiet updates and acknowledgements 2, the end 3.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    base_url: Option<String>,
    topic: String,
    token: Option<Secret<String>>,
    user: Option<String>,
    password: Option<Secret<String>>,
    #[serde(default)]
    updates: bool,
    title_template: Option<String>,
    template: Option<String>,
}

struct Ntfy {
    setting: Setting,
    templates: Templates,
    url: String,
    topic: String,
    authorization: Option<String>,
    /// What must not appear in a reason.
    secrets: Vec<Secret<String>>,
    updates: bool,
}

const TITLE_CHARS_MAX: usize = 250;
/// Beyond 4,096 bytes a text becomes an attachment.
const MESSAGE: Limit = Limit { max: 4_096, unit: Unit::Bytes };
const TOPIC_CHARS_MAX: usize = 64;
const SEQUENCE_CHARS: usize = 32;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let expected = "up to 64 letters, digits, `-` and `_`";
    let topic = chat::read_name("topic", &keys.topic, "-_", expected)?;
    if topic.len() > TOPIC_CHARS_MAX {
        return Err(ConfigError::new("topic", format!("expected {expected}, got {}", topic.len())));
    }
    let (authorization, secrets) = match (keys.token, keys.user, keys.password) {
        (None, None, None) => (None, Vec::new()),
        (Some(token), None, None) => {
            let token = chat::read_token("token", token)?;
            (Some(format!("Bearer {}", token.expose())), vec![token])
        }
        (None, Some(user), Some(password)) => {
            let encoded = STANDARD.encode(format!("{user}:{}", password.expose()));
            (Some(format!("Basic {encoded}")), vec![password, Secret::new(encoded)])
        }
        _ => return Err(ConfigError::new("token", "expected `token`, or `user` with `password`, or none of them")),
    };
    Ok(Box::new(Ntfy {
        setting: setting.clone(),
        templates: Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?,
        url: read_address("base_url", keys.base_url.as_deref().unwrap_or("https://ntfy.sh"))?,
        topic,
        authorization,
        secrets,
        updates: keys.updates,
    }))
}

impl Sink for Ntfy {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        if !self.updates && !chat::is_news(attempt.notification.kind) {
            return Ok(Request::Skip(chat::CANNOT_EDIT));
        }
        let url = Secret::new(format!("{}/", self.url));
        Ok(Request::Http(json_request("POST", url, self.authorization.clone(), Some(&self.message(attempt)))))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let outcome = match (*status, reply["id"].as_str()) {
            (200, Some(id)) => chat::delivered(None, "published", id),
            _ => {
                let said = format!("{} {}", reply["error"].as_str().unwrap_or_default(), reply["code"]);
                let said = said.trim_end_matches("null").trim();
                let secrets: Vec<&str> = self.secrets.iter().map(|secret| secret.expose().as_str()).collect();
                chat::refused(*status, response, "ntfy", said, &secrets, None)
            }
        };
        keep_doubt(outcome, attempt)
    }
}

impl Ntfy {
    fn message(&self, attempt: &Attempt<'_>) -> Value {
        let notification = attempt.notification;
        let document = document(&self.setting, &self.templates, notification);
        let title = dialect::apart(&document.headline, "@");
        let mut message = json!({
            "topic": self.topic,
            "title": text::clip(&title, TITLE_CHARS_MAX, Unit::Chars),
            "message": layout::body(&document, &dialect::PLAIN, MESSAGE),
            "priority": priority(attempt),
            "tags": [tag(attempt)],
        });
        if let Some(url) = notification.incident.url.as_deref().and_then(text::web_address) {
            message["click"] = url.into();
        }
        if self.updates {
            message["sequence_id"] = chat::incident_key(&self.setting, attempt, SEQUENCE_CHARS).into();
        }
        message
    }
}

fn priority(attempt: &Attempt<'_>) -> u8 {
    let kind = attempt.notification.kind;
    match attempt.notification.incident.priority {
        _ if kind.is_final() => 3,
        _ if !kind.is_loud() => 2,
        Priority::P1 => 5,
        Priority::P2 => 4,
        Priority::P3 => 3,
        Priority::P4 | Priority::P5 => 2,
    }
}

/// ntfy shows these names as a picture before the title.
fn tag(attempt: &Attempt<'_>) -> &'static str {
    let kind = attempt.notification.kind;
    match attempt.notification.incident.priority {
        _ if kind.is_final() => "white_check_mark",
        Priority::P1 | Priority::P2 => "rotating_light",
        _ => "warning",
    }
}

#[cfg(test)]
mod tests;
