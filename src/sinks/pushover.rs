//! Pushover: push messages to phones, with emergency priority where it is asked for.
//!
//! Decides title, text and priority of a push. An emergency push rings until somebody answers on a phone, so
//! it is called off by its tag when the incident is acknowledged or over. Pushover knows neither edits nor
//! repetitions: quiet updates are left out, and after an unclear answer a push may come twice.
//! API, read 2026-11-21: <https://pushover.net/api>.
//!
//! ```text
//! CALL_OFF ─ acknowledged or over, emergencies on ──▶ cancel_by_tag ──▶ PUSH
//!          └ otherwise ─────────────────────────────▶ messages.json ──▶ done
//! ```

use serde::Deserialize;
use serde_json::{Value, json};

use super::chat;
use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document, foreign_response,
    json_request, keep_doubt, read_address,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::{NotificationKind, Priority, Span};
use crate::render::layout::{self, Limit};
use crate::render::text::{self, Unit};
use crate::render::{Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "pushover",
    title: "Pushover: push messages to phones",
    docs: DOCS,
    example: "token: azGDORePK8gMaC0QOYAMyEEuzJnyUi\nuser_key: uQiRzpo4DXghDmr9QzzfQu27cmVRsG\nemergency: { retry: 1m, expire: 1h }\n",
    // No more than two at once is what they ask for.
    rate: Rate { count: 2, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `token`: of an application, from https://pushover.net/apps. `user_key`: of a user or of a group.
- `device`, `sound`: names, where it is not to be all devices and the usual sound.
- `emergency`: `{ retry: 1m, expire: 1h }` lets P1 ring every `retry` (30 s or more) until somebody answers on
  the phone, it is acknowledged or over, or `expire` (3 h at most) has passed.
- `base_url`: default `https://api.pushover.net`.
- `title_template` and `template` replace the headline and the text below it (minijinja).

P1 and P2 have high priority and pass quiet hours, P3 normal, all others low; so have acknowledgements and the
end. Updates that interrupt nobody are left out, as a push cannot be edited.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    token: Secret<String>,
    user_key: Secret<String>,
    device: Option<String>,
    sound: Option<String>,
    emergency: Option<Emergency>,
    base_url: Option<String>,
    title_template: Option<String>,
    template: Option<String>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Emergency {
    retry: Span,
    expire: Span,
}

struct Pushover {
    setting: Setting,
    templates: Templates,
    token: Secret<String>,
    user_key: Secret<String>,
    device: Option<String>,
    sound: Option<String>,
    emergency: Option<Emergency>,
    api: String,
}

const CALL_OFF: u16 = 0;
const PUSH: u16 = 1;

const TITLE_CHARS_MAX: usize = 250;
const MESSAGE: Limit = Limit { max: 1_024, unit: Unit::Chars };
const URL_CHARS_MAX: usize = 512;

const RETRY_MIN: Span = Span::from_secs(30);
const EXPIRE_MAX: Span = Span::from_hours(3);

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    if let Some(Emergency { retry, expire }) = keys.emergency {
        if retry < RETRY_MIN {
            return Err(ConfigError::new("emergency.retry", "expected 30s or more"));
        }
        if expire > EXPIRE_MAX || expire < retry {
            return Err(ConfigError::new("emergency.expire", "expected `retry` or more, and 3h at most"));
        }
    }
    let base_url = read_address("base_url", keys.base_url.as_deref().unwrap_or("https://api.pushover.net"))?;
    Ok(Box::new(Pushover {
        setting: setting.clone(),
        templates: Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?,
        token: chat::read_token("token", keys.token)?,
        user_key: chat::read_token("user_key", keys.user_key)?,
        device: keys.device,
        sound: keys.sound,
        emergency: keys.emergency,
        api: format!("{base_url}/1"),
    }))
}

impl Sink for Pushover {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        if !chat::is_news(attempt.notification.kind) {
            return Ok(Request::Skip(chat::CANNOT_EDIT));
        }
        let (path, body) = match self.calls_off(attempt) {
            true => {
                let path = format!("receipts/cancel_by_tag/{}.json", self.tag(attempt));
                (path, json!({ "token": self.token.expose() }))
            }
            false => ("messages.json".to_owned(), self.push(attempt)),
        };
        Ok(Request::Http(json_request("POST", Secret::new(format!("{}/{path}", self.api)), None, Some(&body))))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let outcome = match (*status, reply["status"] == 1) {
            (200, true) if self.calls_off(attempt) => Outcome::Next { remote: None, step: PUSH },
            (200, true) => chat::delivered(None, "accepted", reply["request"].as_str().unwrap_or_default()),
            _ => {
                let errors = reply["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
                let said: Vec<&str> = errors.iter().filter_map(Value::as_str).collect();
                let secrets = [self.token.expose().as_str(), self.user_key.expose()];
                // Of a month's messages: nothing is taken before it is over.
                chat::refused(*status, response, "Pushover", &said.join(", "), &secrets, None)
            }
        };
        keep_doubt(outcome, attempt)
    }
}

impl Pushover {
    /// Whether what rings has to be silenced first.
    fn calls_off(&self, attempt: &Attempt<'_>) -> bool {
        let kind = attempt.notification.kind;
        let is_answered = kind.is_final() || kind == NotificationKind::Acknowledged;
        self.emergency.is_some() && is_answered && attempt.progress.step == CALL_OFF
    }

    fn tag(&self, attempt: &Attempt<'_>) -> String {
        chat::incident_key(&self.setting, attempt, 24)
    }

    fn push(&self, attempt: &Attempt<'_>) -> Value {
        let notification = attempt.notification;
        let document = document(&self.setting, &self.templates, notification);
        let priority = priority(attempt);
        let mut push = json!({
            "token": self.token.expose(),
            "user": self.user_key.expose(),
            "title": text::clip(&dialect::apart(&document.headline, "@"), TITLE_CHARS_MAX, Unit::Chars),
            "message": layout::body(&document, &dialect::PLAIN, MESSAGE),
            "priority": priority,
            "timestamp": notification.at.as_millis().div_euclid(1_000),
        });
        for (name, value) in [("device", &self.device), ("sound", &self.sound)] {
            if let Some(value) = value {
                push[name] = value.as_str().into();
            }
        }
        let address = notification.incident.url.as_deref().and_then(text::web_address);
        if let Some(address) = address.filter(|address| address.len() <= URL_CHARS_MAX) {
            push["url"] = address.into();
        }
        if let Some(emergency) = self.emergency
            && notification.kind.is_loud()
            && notification.incident.priority == Priority::P1
        {
            push["priority"] = 2.into();
            push["retry"] = (emergency.retry.as_millis() / 1_000).into();
            push["expire"] = (emergency.expire.as_millis() / 1_000).into();
            push["tags"] = self.tag(attempt).into();
        }
        push
    }
}

fn priority(attempt: &Attempt<'_>) -> i8 {
    match attempt.notification.incident.priority {
        _ if !attempt.notification.kind.is_loud() => -1,
        Priority::P1 | Priority::P2 => 1,
        Priority::P3 => 0,
        Priority::P4 | Priority::P5 => -1,
    }
}

#[cfg(test)]
mod tests;
