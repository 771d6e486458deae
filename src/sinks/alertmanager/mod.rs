//! The receivers of an `alertmanager.yml`, one file for each: the same keys, the same requests.
//!
//! Decides what they share: which alerts are shown, how a template's failure reads, which answers deserve
//! another try. What a receiver sends is in its own file and follows Alertmanager 0.34, whose notifiers were
//! read on 2026-11-28.
//!
//! The keys of a receiver come with the global defaults merged in. A `<key>_file` has been read before and
//! stands here as `<key>`, in `http_config` as well.
//!
//! Alertmanager tries again after 5xx and what each vendor adds to that; after 408, 425 and 429 it fails and
//! begins anew at the next group interval. Here a delivery that failed is over, so these are tried again.

mod aws_signature;
pub(super) mod discord;
pub(super) mod email;
mod group;
mod http_config;
pub(super) mod jira;
pub(super) mod msteams;
pub(super) mod msteamsv2;
pub(super) mod opsgenie;
pub(super) mod pagerduty;
pub(super) mod pushover;
pub(super) mod rocketchat;
pub(super) mod slack;
pub(super) mod sns;
mod structured;
pub(super) mod telegram;
mod template;
pub(super) mod victorops;
pub(super) mod webex;
pub(super) mod webhook;
pub(super) mod wechat;

#[cfg(test)]
pub(super) mod tests;

use serde::Serialize;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::sync::Arc;

use super::{
    Attempt, Connection, HttpClient, HttpRequest, Outcome, RenderError, Response, Setting, keep_doubt, quote,
    retry_after_ms,
};
use crate::error::{ConfigError, ErrorKind, Secret};
use crate::model::{AlertStatus, GroupView, NotificationKind, Timestamp};
use crate::render::go_template::TemplateData;
use crate::render::text;
use http_config::HttpConfig;
use template::{Template, Texts};

/// Marks where a text was cut.
const TRUNCATION_MARK: &str = "…";
/// Whose requests these are like.
const USER_AGENT: &str = "Alertmanager/0.34.0";

/// What every receiver holds beside its own fields.
struct Receiver {
    setting: Setting,
    send_resolved: bool,
    client: Arc<HttpClient>,
    headers: Vec<(String, Secret<String>)>,
    /// What no reason may repeat.
    secrets: Vec<Secret<String>>,
}

impl Receiver {
    fn new(setting: &Setting, send_resolved: bool, http_config: Option<HttpConfig>) -> Result<Self, ConfigError> {
        let connection = http_config.unwrap_or_default().read()?;
        Ok(Self {
            setting: setting.clone(),
            send_resolved,
            client: Arc::new(connection.client),
            headers: connection.headers,
            secrets: connection.secrets,
        })
    }

    fn connection(&self) -> Connection<'_> {
        Connection::Http(&self.client)
    }

    /// A text of the configuration, or the one that Alertmanager has in its place.
    fn template(&self, key: &str, text: Option<String>, default: &str) -> Result<Template, ConfigError> {
        Template::new(&self.setting, key, text.unwrap_or_else(|| default.to_owned()))
    }

    fn hide(&mut self, secret: &Secret<String>) {
        self.secrets.push(secret.clone());
    }

    /// What is to be shown, or why nothing is.
    fn group<'a>(&self, attempt: &Attempt<'a>) -> Result<Cow<'a, GroupView>, &'static str> {
        let notification = attempt.notification;
        if notification.group.is_none() && notification.kind == NotificationKind::Updated {
            return Err("a quiet update is no reason for another message");
        }
        let mut group = match &notification.group {
            Some(group) => Cow::Borrowed(&**group),
            None => Cow::Owned(group::of_incident(notification, &self.setting)),
        };
        if !self.send_resolved {
            if group.status() == AlertStatus::Resolved {
                return Err("`send_resolved` is false, and nothing of the group fires any more");
            }
            if group.alerts.iter().any(|alert| alert.status == AlertStatus::Resolved) {
                group.to_mut().alerts.retain(|alert| alert.status == AlertStatus::Firing);
            }
        }
        Ok(group)
    }

    fn texts(&self, group: &GroupView, now: Timestamp) -> Texts<'_> {
        let data = TemplateData::new(group, self.external_url(), now);
        Texts { templates: &self.setting.go_templates, data }
    }

    fn external_url(&self) -> &str {
        self.setting.public_url.as_deref().unwrap_or_default()
    }

    fn request(
        &self,
        method: &'static str,
        url: Secret<String>,
        content_type: &'static str,
        body: Vec<u8>,
    ) -> HttpRequest {
        let mut headers: Vec<(Cow<'static, str>, Secret<String>)> =
            vec![("content-type".into(), Secret::new(content_type.into()))];
        // Receivers may tell senders apart by it; a header of the configuration comes later and wins.
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
            headers.push(("user-agent".into(), Secret::new(USER_AGENT.into())));
        }
        headers.extend(self.headers.iter().map(|(name, value)| (Cow::Owned(name.clone()), value.clone())));
        HttpRequest { method, url, headers, body, client: Some(self.client.clone()), timeout: None }
    }

    fn get(&self, url: Secret<String>) -> HttpRequest {
        let mut request = self.request("GET", url, "", Vec::new());
        request.headers.retain(|(name, _)| name != "content-type");
        request
    }

    fn json(
        &self,
        method: &'static str,
        url: Secret<String>,
        body: &impl Serialize,
    ) -> Result<HttpRequest, RenderError> {
        let body = serde_json::to_vec(body).map_err(|error| RenderError(error.to_string()))?;
        Ok(self.request(method, url, "application/json", body))
    }

    /// A text of the other side that may stand in a reason.
    fn quote(&self, text: &str) -> String {
        let secrets: Vec<&str> = self.secrets.iter().map(|secret| secret.expose().as_str()).collect();
        quote(text, &secrets)
    }

    /// What an answer other than 2xx means; `retried` are codes below 500 after which this vendor is tried again.
    fn failure(&self, attempt: &Attempt<'_>, response: &Response, vendor: &str, retried: &[u16]) -> Option<Outcome> {
        let Response::Http { status, body, .. } = response else { return Some(super::foreign_response()) };
        let status = *status;
        if (200..300).contains(&status) {
            return None;
        }
        let said = self.quote(&String::from_utf8_lossy(body));
        let said = if said.is_empty() { said } else { format!(": {said}") };
        let reason = format!("{vendor} answered {status}{said}");
        let kind = match status {
            429 => ErrorKind::RateLimited,
            408 | 425 => ErrorKind::Timeout,
            500.. => ErrorKind::Unreachable,
            _ if retried.contains(&status) => ErrorKind::RateLimited,
            401 | 403 => return Some(Outcome::Rejected { kind: ErrorKind::Auth, reason }),
            _ => return Some(Outcome::Rejected { kind: ErrorKind::Rejected, reason }),
        };
        let is_ambiguous = matches!(kind, ErrorKind::Timeout | ErrorKind::Unreachable);
        let outcome = Outcome::Retry { after_ms: retry_after_ms(response), kind, reason, is_ambiguous };
        Some(keep_doubt(outcome, attempt))
    }

    /// The outcome where the status says all.
    fn by_status(&self, attempt: &Attempt<'_>, response: &Response, vendor: &str, retried: &[u16]) -> Outcome {
        self.failure(attempt, response, vendor, retried).unwrap_or_else(|| delivered(response))
    }
}

fn delivered(response: &Response) -> Outcome {
    let proof = match response {
        Response::Http { status, .. } => format!("answered {status}"),
        _ => "answered".to_owned(),
    };
    Outcome::Delivered { remote: None, proof }
}

/// What stands for the group in systems that limit the length of such keys.
fn key_hash(key: &str) -> String {
    Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn default_true() -> bool {
    true
}

/// An address of the configuration as Alertmanager takes it. The error does not repeat the value.
fn read_url(key: &str, text: &str) -> Result<reqwest::Url, ConfigError> {
    let expected = |what: &str| ConfigError::new(key, format!("expected {what} (its value is not shown)"));
    let url = reqwest::Url::parse(text.trim()).map_err(|error| expected(&format!("an address: {error}")))?;
    match url.scheme() {
        "http" | "https" if url.has_host() => Ok(url),
        _ => Err(expected("an address that begins with `https://` or `http://`")),
    }
}

/// `url` with `path` behind its own.
fn below(url: &reqwest::Url, path: &str) -> reqwest::Url {
    let mut below = url.clone();
    below.set_path(&format!("{}/{}", url.path().trim_end_matches('/'), path.trim_start_matches('/')));
    below
}

/// Cut to `max` characters, the mark being one of them.
fn truncate_chars(text: &str, max: usize) -> Cow<'_, str> {
    let Some((end, _)) = text.char_indices().nth(max) else { return Cow::Borrowed(text) };
    if max <= 3 {
        return Cow::Borrowed(&text[..end]);
    }
    let last = text[..end].char_indices().next_back().map_or(0, |(at, _)| at);
    Cow::Owned(format!("{}{TRUNCATION_MARK}", &text[..last]))
}

/// Cut to `max` bytes, the mark being three of them.
fn truncate_bytes(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let head = text::head_bytes(text, max.saturating_sub(TRUNCATION_MARK.len()));
    Cow::Owned(format!("{head}{TRUNCATION_MARK}"))
}
