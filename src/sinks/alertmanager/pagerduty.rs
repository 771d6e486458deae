//! `pagerduty_configs`: trigger and resolve events, of version 2 (`routing_key`) or 1 (`service_key`).
//!
//! Decides the event's shape. The dedup key is a hash of the group's key, so a repeated send is no second incident.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::{Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec};
use super::http_config::HttpConfig;
use super::template::{SecretTemplate, Template, Texts};
use super::{Receiver, default_true, key_hash, read_url, structured, truncate_chars};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::{AlertStatus, GroupView, Span};

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_pagerduty",
    title: "`pagerduty_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "routing_key: R015OMCMG6RLX45DTSNZNQ4PQRB6ZKYH\n\
              url: https://events.pagerduty.example/v2/enqueue\n\
              details: { runbook: 'https://wiki.example/runbooks' }\n\
              links: [{ href: 'https://grafana.example', text: Dashboard }]\n",
    // 120 events a minute for each integration.
    rate: Rate { count: 120, per_ms: 60_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
Trigger and resolve events with a dedup key, as Alertmanager sends them.

- `routing_key` or `routing_key_file`: Events API v2. `service_key` or `service_key_file`: v1.
- `url`: where PagerDuty is, for v2.
- `description`, `client`, `client_url`, `severity` (default `error`), `source` (default: the client),
  `class`, `component`, `group`: templates. `images` and `links`: lists of templates.
- `details`: of any shape; `firing`, `resolved`, `num_firing` and `num_resolved` are added. An event of
  more than 512000 bytes goes out without them.
- `timeout`, `send_resolved` (default true), `http_config`: as for `alertmanager_webhook`.

Tried again after 408, 425, 429 and 5xx, with v1 after 403 too.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_true")]
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    service_key: Option<Secret<String>>,
    routing_key: Option<Secret<String>>,
    url: Option<String>,
    client: Option<String>,
    client_url: Option<String>,
    description: Option<String>,
    #[serde(default)]
    details: Map<String, Value>,
    #[serde(default)]
    images: Vec<ImageKeys>,
    #[serde(default)]
    links: Vec<LinkKeys>,
    source: Option<String>,
    severity: Option<String>,
    class: Option<String>,
    component: Option<String>,
    group: Option<String>,
    timeout: Option<Span>,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ImageKeys {
    src: String,
    alt: String,
    href: String,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct LinkKeys {
    href: String,
    text: String,
}

struct PagerDuty {
    receiver: Receiver,
    key: SecretTemplate,
    version: Version,
    url: Secret<String>,
    client: Template,
    client_url: Template,
    description: Template,
    details: Map<String, Value>,
    images: Vec<[Template; 3]>,
    links: Vec<[Template; 2]>,
    source: Template,
    severity: Template,
    class: Template,
    component: Template,
    group: Template,
    timeout: Option<Span>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    V1,
    V2,
}

/// Of both versions; what one does not have is empty.
#[derive(Serialize)]
struct Event<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    routing_key: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    service_key: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    dedup_key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    incident_key: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    event_type: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    event_action: &'a str,
    payload: Option<Payload>,
    #[serde(skip_serializing_if = "String::is_empty")]
    client: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    client_url: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    details: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Value>,
}

#[derive(Serialize)]
struct Payload {
    summary: String,
    source: String,
    severity: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    class: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    component: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "Map::is_empty")]
    custom_details: Map<String, Value>,
}

const URL_V1: &str = "https://events.pagerduty.com/generic/2010-04-15/create_event.json";
const URL_V2: &str = "https://events.pagerduty.com/v2/enqueue";

/// Characters of a summary or description.
const SUMMARY_CHARS_MAX: usize = 1_024;
/// Bytes of an event as Alertmanager counts them.
const EVENT_BYTES_MAX: usize = 512_000;
/// In place of details that made an event too large.
const DETAILS_REMOVED: &str =
    "Custom details have been removed because the original event exceeds the maximum size of 512KB";

const DETAILS: [(&str, &str); 4] = [
    ("firing", "{{ .Alerts.Firing | toJson }}"),
    ("resolved", "{{ .Alerts.Resolved | toJson }}"),
    ("num_firing", "{{ .Alerts.Firing | len }}"),
    ("num_resolved", "{{ .Alerts.Resolved | len }}"),
];

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let mut keys: Keys = read_table(table)?;
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config.take())?;
    let (key, version) = match (&keys.service_key, &keys.routing_key) {
        (Some(key), _) => (SecretTemplate::new(setting, "service_key", key)?, Version::V1),
        (None, Some(key)) => (SecretTemplate::new(setting, "routing_key", key)?, Version::V2),
        (None, None) => return Err(ConfigError::new("routing_key", "expected `routing_key` or `service_key`")),
    };
    receiver.hide(key.source());
    let url = match version {
        Version::V1 => URL_V1.to_owned(),
        Version::V2 => String::from(read_url("url", keys.url.as_deref().unwrap_or(URL_V2))?),
    };
    let client = keys.client.unwrap_or_else(|| "{{ template \"pagerduty.default.client\" . }}".into());
    for (key, template) in DETAILS {
        keys.details.entry(key).or_insert_with(|| template.into());
    }
    for (key, value) in &keys.details {
        structured::check(&setting.go_templates, &format!("details.{key}"), value)?;
    }
    let template = |key: &str, text: &str| Template::new(setting, key, text);
    let images = keys.images.iter().enumerate().map(|(index, image)| {
        let template = |key: &str, text: &str| template(&format!("images[{index}].{key}"), text);
        Ok([template("src", &image.src)?, template("alt", &image.alt)?, template("href", &image.href)?])
    });
    let links = keys.links.iter().enumerate().map(|(index, link)| {
        let template = |key: &str, text: &str| template(&format!("links[{index}].{key}"), text);
        Ok([template("href", &link.href)?, template("text", &link.text)?])
    });
    let severity = keys.severity.filter(|severity| !severity.is_empty());
    Ok(Box::new(PagerDuty {
        key,
        version,
        url: Secret::new(url),
        source: template("source", keys.source.as_deref().filter(|source| !source.is_empty()).unwrap_or(&client))?,
        client: template("client", &client)?,
        client_url: receiver.template(
            "client_url",
            keys.client_url,
            "{{ template \"pagerduty.default.clientURL\" . }}",
        )?,
        description: receiver.template(
            "description",
            keys.description,
            "{{ template \"pagerduty.default.description\" . }}",
        )?,
        images: images.collect::<Result<_, ConfigError>>()?,
        links: links.collect::<Result<_, ConfigError>>()?,
        severity: receiver.template("severity", severity, "error")?,
        class: receiver.template("class", keys.class, "")?,
        component: receiver.template("component", keys.component, "")?,
        group: receiver.template("group", keys.group, "")?,
        details: keys.details,
        timeout: keys.timeout,
        receiver,
    }))
}

impl PagerDuty {
    fn details(&self, texts: &Texts<'_>) -> Result<Map<String, Value>, RenderError> {
        let details = self.details.iter();
        details
            .map(|(key, value)| Ok((key.clone(), structured::render(texts, &format!("details.{key}"), value)?)))
            .collect()
    }

    fn event<'a>(&self, texts: &Texts<'_>, group: &GroupView, key: &'a str) -> Result<Event<'a>, RenderError> {
        let action = match group.status() {
            AlertStatus::Firing => "trigger",
            AlertStatus::Resolved => "resolve",
        };
        let summary = truncate_chars(&texts.text(&self.description)?, SUMMARY_CHARS_MAX).into_owned();
        let details = self.details(texts)?;
        let (client, client_url) = (texts.text(&self.client)?, texts.text(&self.client_url)?);
        let empty = Event {
            routing_key: "",
            service_key: "",
            dedup_key: String::new(),
            incident_key: String::new(),
            event_type: "",
            description: String::new(),
            event_action: "",
            payload: None,
            client: String::new(),
            client_url: String::new(),
            details: Map::new(),
            images: Vec::new(),
            links: Vec::new(),
        };
        if self.version == Version::V1 {
            let is_trigger = action == "trigger";
            return Ok(Event {
                service_key: key,
                event_type: action,
                incident_key: key_hash(&group.key),
                description: summary,
                client: if is_trigger { client } else { String::new() },
                client_url: if is_trigger { client_url } else { String::new() },
                details,
                ..empty
            });
        }
        let payload = Payload {
            summary,
            source: texts.text(&self.source)?,
            severity: texts.text(&self.severity)?,
            class: texts.text(&self.class)?,
            component: texts.text(&self.component)?,
            group: texts.text(&self.group)?,
            custom_details: details,
        };
        Ok(Event {
            routing_key: key,
            dedup_key: key_hash(&group.key),
            event_action: action,
            payload: Some(payload),
            client,
            client_url,
            images: self.images(texts)?,
            links: self.links(texts)?,
            ..empty
        })
    }

    fn images(&self, texts: &Texts<'_>) -> Result<Vec<Value>, RenderError> {
        let mut images = Vec::new();
        for [src, alt, href] in &self.images {
            let src = texts.text(src)?;
            if !src.is_empty() {
                images.push(json!({ "src": src, "alt": texts.text(alt)?, "href": texts.text(href)? }));
            }
        }
        Ok(images)
    }

    fn links(&self, texts: &Texts<'_>) -> Result<Vec<Value>, RenderError> {
        let mut links = Vec::new();
        for [href, text] in &self.links {
            let href = texts.text(href)?;
            if !href.is_empty() {
                links.push(json!({ "href": href, "text": texts.text(text)? }));
            }
        }
        Ok(links)
    }
}

/// Bytes that Go's encoder makes of this JSON: it escapes what HTML could take for its own, and ends the line.
fn go_json_len(json: &[u8]) -> usize {
    let text = String::from_utf8_lossy(json);
    let escaped = text.chars().map(|c| match c {
        '<' | '>' | '&' => 5,
        '\u{2028}' | '\u{2029}' => 3,
        _ => 0,
    });
    json.len() + escaped.sum::<usize>() + 1
}

impl Sink for PagerDuty {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let key = texts.secret(&self.key)?;
        if key.expose().is_empty() {
            return Err(RenderError("the key of PagerDuty is empty".into()));
        }
        let mut event = self.event(&texts, &group, key.expose())?;
        let mut request = self.receiver.json("POST", self.url.clone(), &event)?;
        if go_json_len(&request.body) > EVENT_BYTES_MAX {
            let removed = Map::from_iter([("error".to_owned(), DETAILS_REMOVED.into())]);
            match &mut event.payload {
                Some(payload) => payload.custom_details = removed,
                None => event.details = removed,
            }
            request = self.receiver.json("POST", self.url.clone(), &event)?;
        }
        request.timeout = self.timeout;
        Ok(Request::Http(request))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let retried: &[u16] = if self.version == Version::V1 { &[403] } else { &[429] };
        self.receiver.by_status(attempt, response, "PagerDuty", retried)
    }
}

#[cfg(test)]
mod tests;
