//! `opsgenie_configs`: an alert is created, and closed when the group has ended.
//!
//! Decides the requests: create or close, and with `update_alerts` two more after a create that change message and
//! description of an alert that was there before. The alias is a hash of the group's key, so nothing is created twice.

use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;

use super::super::{Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec};
use super::http_config::HttpConfig;
use super::template::{SecretTemplate, Template, Texts};
use super::{Receiver, below, default_true, delivered, key_hash, read_url, truncate_chars};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::{AlertStatus, GroupView};

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_opsgenie",
    title: "`opsgenie_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "api_key: eb243592-faa2-4ba2-a551q-1afdf565c889\n\
              api_url: https://api.opsgenie.example/\n\
              responders: [{ name: storage, type: team }]\n\
              update_alerts: true\n",
    rate: Rate { count: 10, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
An alert whose alias is a hash of the group's key; it is closed at the group's end.

- `api_key` or `api_key_file`, `api_url`.
- `message` (cut to 130 characters), `description`, `source`, `note`, `priority`, `entity`: templates.
- `tags`, `actions`: templates of lists, separated by commas. `details`: added to the common labels.
- `responders`: each with `id`, `name` or `username`, and a `type`; `teams` takes several names.
- `update_alerts`: change message and description of an alert that is open already.
- `send_resolved` (default true), `http_config`: as for `alertmanager_webhook`.

Tried again after 408, 425, 429 and 5xx.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_true")]
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    api_key: Secret<String>,
    api_url: Option<String>,
    message: Option<String>,
    description: Option<String>,
    source: Option<String>,
    #[serde(default)]
    details: BTreeMap<String, String>,
    entity: Option<String>,
    #[serde(default)]
    responders: Vec<ResponderKeys>,
    actions: Option<String>,
    tags: Option<String>,
    note: Option<String>,
    priority: Option<String>,
    #[serde(default)]
    update_alerts: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ResponderKeys {
    id: String,
    name: String,
    username: String,
    #[serde(rename = "type")]
    kind: String,
}

struct OpsGenie {
    receiver: Receiver,
    key: SecretTemplate,
    url: reqwest::Url,
    message: Template,
    description: Template,
    source: Template,
    details: Vec<(String, Template)>,
    entity: Template,
    responders: Vec<[Template; 4]>,
    actions: Template,
    tags: Template,
    note: Template,
    priority: Template,
    update_alerts: bool,
}

#[derive(Serialize)]
struct Create {
    alias: String,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    details: BTreeMap<String, String>,
    source: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    responders: Vec<Responder>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    priority: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    entity: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<String>,
}

#[derive(Serialize)]
struct Responder {
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(rename = "type")]
    kind: String,
}

const URL: &str = "https://api.opsgenie.com/";

/// Characters of a message.
const MESSAGE_CHARS_MAX: usize = 130;

const RESPONDER_TYPES: [&str; 5] = ["team", "teams", "user", "escalation", "schedule"];

/// Create, or close.
const ALERT: u16 = 0;
const UPDATE_MESSAGE: u16 = 1;
const UPDATE_DESCRIPTION: u16 = 2;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    let key = SecretTemplate::new(setting, "api_key", &keys.api_key)?;
    receiver.hide(key.source());
    let details = keys.details.into_iter().map(|(name, text)| {
        let template = Template::new(setting, &format!("details.{name}"), text)?;
        Ok((name, template))
    });
    let details = details.collect::<Result<_, ConfigError>>()?;
    let responders = keys.responders.iter().enumerate();
    let responders = responders.map(|(index, keys)| read_responder(setting, index, keys)).collect::<Result<_, _>>()?;
    let named = |key: &str, text: Option<String>| {
        receiver.template(key, text, &format!("{{{{ template \"opsgenie.default.{key}\" . }}}}"))
    };
    Ok(Box::new(OpsGenie {
        key,
        url: read_url("api_url", keys.api_url.as_deref().unwrap_or(URL))?,
        message: named("message", keys.message)?,
        description: named("description", keys.description)?,
        source: named("source", keys.source)?,
        details,
        entity: receiver.template("entity", keys.entity, "")?,
        responders,
        actions: receiver.template("actions", keys.actions, "")?,
        tags: receiver.template("tags", keys.tags, "")?,
        note: receiver.template("note", keys.note, "")?,
        priority: receiver.template("priority", keys.priority, "")?,
        update_alerts: keys.update_alerts,
        receiver,
    }))
}

fn read_responder(setting: &Setting, index: usize, keys: &ResponderKeys) -> Result<[Template; 4], ConfigError> {
    let path = format!("responders[{index}]");
    if keys.id.is_empty() && keys.name.is_empty() && keys.username.is_empty() {
        return Err(ConfigError::new(path, "expected one of `id`, `name` and `username`"));
    }
    if !keys.kind.contains("{{") && !RESPONDER_TYPES.contains(&keys.kind.to_ascii_lowercase().as_str()) {
        let message = format!("expected one of {}, got `{}`", RESPONDER_TYPES.join(", "), keys.kind);
        return Err(ConfigError::new(format!("{path}.type"), message));
    }
    let template = |key: &str, text: &str| Template::new(setting, &format!("{path}.{key}"), text);
    Ok([
        template("id", &keys.id)?,
        template("name", &keys.name)?,
        template("username", &keys.username)?,
        template("type", &keys.kind)?,
    ])
}

fn split(text: &str) -> Vec<String> {
    text.trim().split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

impl OpsGenie {
    fn create(&self, texts: &Texts<'_>, group: &GroupView) -> Result<Create, RenderError> {
        let labels = group.common_labels();
        let mut details: BTreeMap<String, String> =
            labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        for (name, template) in &self.details {
            details.insert(name.clone(), texts.text(template)?);
        }
        Ok(Create {
            alias: key_hash(&group.key),
            message: self.message(texts)?,
            description: texts.text(&self.description)?,
            details,
            source: texts.text(&self.source)?,
            responders: self.responders(texts)?,
            tags: split(&texts.text(&self.tags)?),
            note: texts.text(&self.note)?,
            priority: texts.text(&self.priority)?,
            entity: texts.text(&self.entity)?,
            actions: split(&texts.text(&self.actions)?),
        })
    }

    fn message(&self, texts: &Texts<'_>) -> Result<String, RenderError> {
        Ok(truncate_chars(&texts.text(&self.message)?, MESSAGE_CHARS_MAX).into_owned())
    }

    /// Those that render to nothing are left out, so that a label can say who it is.
    fn responders(&self, texts: &Texts<'_>) -> Result<Vec<Responder>, RenderError> {
        let mut responders = Vec::new();
        for [id, name, username, kind] in &self.responders {
            let responder = Responder {
                id: texts.text(id)?,
                name: texts.text(name)?,
                username: texts.text(username)?,
                kind: texts.text(kind)?,
            };
            let parts = [&responder.id, &responder.name, &responder.username, &responder.kind];
            if parts.into_iter().all(String::is_empty) {
                continue;
            }
            if responder.kind == "teams" {
                let team = |name| Responder { id: String::new(), name, username: String::new(), kind: "team".into() };
                responders.extend(split(&responder.name).into_iter().map(team));
            } else {
                responders.push(responder);
            }
        }
        Ok(responders)
    }

    fn address(&self, group: &GroupView, action: &str) -> Secret<String> {
        let mut url = below(&self.url, &format!("v2/alerts/{}/{action}", key_hash(&group.key)));
        url.query_pairs_mut().append_pair("identifierType", "alias");
        Secret::new(url.into())
    }
}

impl Sink for OpsGenie {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let receiver = &self.receiver;
        let mut request = match (group.status(), attempt.progress.step) {
            (AlertStatus::Resolved, _) => {
                let body = json!({ "source": texts.text(&self.source)? });
                receiver.json("POST", self.address(&group, "close"), &body)?
            }
            (_, UPDATE_MESSAGE) => {
                receiver.json("PUT", self.address(&group, "message"), &json!({ "message": self.message(&texts)? }))?
            }
            (_, UPDATE_DESCRIPTION) => {
                let body = json!({ "description": texts.text(&self.description)? });
                receiver.json("PUT", self.address(&group, "description"), &body)?
            }
            _ => {
                let url = Secret::new(below(&self.url, "v2/alerts").into());
                receiver.json("POST", url, &self.create(&texts, &group)?)?
            }
        };
        let key = texts.secret(&self.key)?;
        request.headers.retain(|(name, _)| name != "authorization");
        request.headers.push(("authorization".into(), Secret::new(format!("GenieKey {}", key.expose().trim()))));
        Ok(Request::Http(request))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        if let Some(failure) = self.receiver.failure(attempt, response, "Opsgenie", &[429]) {
            return failure;
        }
        let fires = self.receiver.group(attempt).is_ok_and(|group| group.status() == AlertStatus::Firing);
        match attempt.progress.step {
            step @ (ALERT | UPDATE_MESSAGE) if fires && self.update_alerts => {
                Outcome::Next { remote: None, step: step + 1 }
            }
            _ => delivered(response),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, resolved, retried, sent, shown};
    use super::*;
    use crate::model::delivery::Progress;
    use crate::sinks::tests::{attempt, build_error, build_from, setting};

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
        let body: serde_json::Value = serde_json::from_slice(&request.body).map_err(|error| error.to_string())?;
        match body["message"].as_str().map(|message| message.chars().count()) {
            Some(count @ MESSAGE_CHARS_MAX..) if count > MESSAGE_CHARS_MAX => Err(format!("a message of {count}")),
            None if body.get("source").or(body.get("description")).is_none() => Err("nothing said".into()),
            _ => Ok(()),
        }
    }

    const BARE: &str =
        "api_key: eb243592\napi_url: https://api.opsgenie.example/base\nmessage: M\ndescription: D\nsource: S\n";

    #[test]
    fn alerts_are_created_and_closed_under_one_alias() {
        let more = "tags: 'a,,b'\nactions: ''\nentity: e\nnote: n\npriority: P1\ndetails: { team: own }\n\
                    responders: [{ name: 'x,y', type: teams }, { id: '7', type: user }]\n";
        insta::assert_snapshot!(sent(&SPEC, &format!("{BARE}{more}"), &firing()), @r#"
        POST https://api.opsgenie.example/base/v2/alerts
        content-type: application/json
        authorization: GenieKey eb243592

        {"alias":"39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8","message":"M","description":"D","details":{"alertname":"DiskFull","instance":"db-1","severity":"critical","team":"own"},"source":"S","responders":[{"name":"x","type":"team"},{"name":"y","type":"team"},{"id":"7","type":"user"}],"tags":["a","b"],"note":"n","priority":"P1","entity":"e"}
        "#);
        insta::assert_snapshot!(sent(&SPEC, BARE, &resolved()), @r#"
        POST https://api.opsgenie.example/base/v2/alerts/39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8/close?identifierType=alias
        content-type: application/json
        authorization: GenieKey eb243592

        {"source":"S"}
        "#);
    }

    #[test]
    fn an_open_alert_is_updated_in_two_more_requests() {
        let sink = build_from(&SPEC, &format!("{BARE}update_alerts: true\n"), &setting());
        let notification = firing();
        let answer = Response::Http { status: 202, headers: Vec::new(), body: Vec::new() };
        let mut progress = Progress::default();
        let mut requests = Vec::new();
        loop {
            let attempt = attempt(&notification, &progress);
            let shown = shown(sink.request(&attempt).unwrap());
            requests.push(format!("{} {}", shown.lines().next().unwrap(), shown.lines().last().unwrap()));
            match sink.outcome(&attempt, &answer) {
                Outcome::Next { step, .. } => progress = Progress { step, ..Progress::default() },
                _ => break,
            }
        }
        assert_eq!(requests.len(), 3);
        insta::assert_snapshot!(requests[1..].join("\n"), @r#"
        PUT https://api.opsgenie.example/base/v2/alerts/39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8/message?identifierType=alias {"message":"M"}
        PUT https://api.opsgenie.example/base/v2/alerts/39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8/description?identifierType=alias {"description":"D"}
        "#);
    }

    #[test]
    fn a_message_is_cut_at_130_characters() {
        let message = |count: usize| {
            sent(&SPEC, &BARE.replace("message: M", &format!("message: {}", "ä".repeat(count))), &firing())
        };
        assert!(message(130).contains(&format!("\"{}\"", "ä".repeat(130))));
        assert!(message(131).contains(&format!("\"{}…\"", "ä".repeat(129))));
    }

    #[test]
    fn answers_and_keys() {
        assert_eq!(retried(&SPEC, BARE), "408 425 429 500-599");
        let error = build_error(&SPEC, &format!("{BARE}responders: [{{ name: x, type: group }}]\n"));
        assert!(error.contains("responders[0].type"), "{error}");
    }
}
