//! What every sink is, and the list of all of them.
//!
//! A sink turns a notification into requests and reads the answers. It is pure: `runtime/deliver.rs`
//! alone opens connections, a sink only says what to send. It is a small state machine over
//! [`Progress`], so that a create can be preceded by a look-up, and an edit followed by a thread
//! reply, with a crash between any two of them. Adding one is a new file here and two lines below:
//! its `mod` and its entry in [`SINKS`]. The receivers of an `alertmanager.yml` have a folder of their own.

mod alertmanager;
pub mod callback;
mod email;
mod log;
mod mail;
mod quote;
mod servicenow;
mod slack;
mod webhook;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use quote::quote;

use crate::error::{ConfigError, ErrorKind, Secret, Table};
use crate::model::delivery::Progress;
use crate::model::incident::RemoteId;
use crate::model::{Notification, Span, Timestamp};
use crate::mutant::{self, Mutant};
use crate::render::{Document, GoTemplates, Language, Reader, Templates};

/// Every sink there is, by name.
pub const SINKS: &[&SinkSpec] = &[
    &alertmanager::discord::SPEC,
    &alertmanager::email::SPEC,
    &alertmanager::jira::SPEC,
    &alertmanager::msteams::SPEC,
    &alertmanager::msteamsv2::SPEC,
    &alertmanager::opsgenie::SPEC,
    &alertmanager::pagerduty::SPEC,
    &alertmanager::pushover::SPEC,
    &alertmanager::rocketchat::SPEC,
    &alertmanager::slack::SPEC,
    &alertmanager::sns::SPEC,
    &alertmanager::telegram::SPEC,
    &alertmanager::victorops::SPEC,
    &alertmanager::webex::SPEC,
    &alertmanager::webhook::SPEC,
    &alertmanager::wechat::SPEC,
    &email::SPEC,
    &log::SPEC,
    &servicenow::SPEC,
    &slack::SPEC,
    &webhook::SPEC,
];

pub struct SinkSpec {
    /// The `kind` in the configuration.
    pub name: &'static str,
    /// One line for `watchbell integrations`.
    pub title: &'static str,
    /// Keys and set-up, in Markdown.
    pub docs: &'static str,
    /// A valid set of own keys, YAML, secrets in line; tests build it.
    pub example: &'static str,
    /// What the vendor allows when the configuration says nothing.
    pub rate: Rate,
    pub build: Build,
    /// Refuses what the vendor would refuse for its size or shape; the suite runs it on hostile texts.
    #[cfg(test)]
    check: fn(&Request) -> Result<(), String>,
}

/// Reads a sink's own keys; the error names the one that does not fit.
pub type Build = fn(&Table, &Setting) -> Result<Box<dyn Sink>, ConfigError>;

/// What a sink may know of where it runs.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Name of this installation; part of keys in foreign systems.
    pub instance: String,
    /// Name of the sink instance, `ops/slack`.
    pub sink: String,
    pub language: Language,
    /// Of those who read there: a name of the time zone database.
    pub time_zone: String,
    /// For links in messages.
    pub public_url: Option<String>,
    /// What the texts of an `alertmanager.yml` may call.
    pub go_templates: Arc<GoTemplates>,
}

impl Setting {
    /// Who reads what the sink sends.
    pub fn reader(&self) -> Reader {
        Reader { language: self.language, time_zone: self.time_zone.clone() }
    }
}

/// `count` requests in each `per_ms`, with that many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub per_ms: u64,
}

/// One try of one delivery: all that a sink may look at.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Id of the delivery, the same for every try: the idempotency key.
    pub delivery: &'a str,
    pub notification: &'a Notification,
    pub progress: &'a Progress,
    /// Time of this try, for signatures and `Date` headers.
    pub now: Timestamp,
}

pub trait Sink: Send + Sync {
    /// How it connects; looked at when the sink is set up, so that what is wrong is found then.
    fn connection(&self) -> Connection<'_> {
        Connection::Usual
    }

    /// The next request of this delivery. With `is_ambiguous` set it asks first whether an earlier try
    /// went through, where the vendor has no key of its own.
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError>;

    /// What the answer means. Gets the same attempt as the request that was answered.
    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome;

    /// The side that is called back, where it is set up to be.
    fn callbacks(&self) -> Option<&dyn callback::Callbacks> {
        None
    }
}

/// How a sink connects.
#[derive(Clone, Copy, Debug)]
pub enum Connection<'a> {
    Usual,
    /// By the keys of an `http_config`.
    Http(&'a Arc<HttpClient>),
    Mail {
        server: &'a MailServer,
        /// Of its authorities.
        ca_key: &'static str,
    },
}

#[derive(Debug)]
pub enum Request {
    Http(HttpRequest),
    Mail(MailRequest),
    /// A few lines for the daemon's own terminal or journal.
    Line(String),
    /// This sink has nothing to say here, and why; counts as delivered.
    Skip(&'static str),
}

#[derive(Debug)]
pub struct HttpRequest {
    pub method: &'static str,
    /// May hold a secret (incoming webhooks), so it does not print.
    pub url: Secret<String>,
    pub headers: Vec<(Cow<'static, str>, Secret<String>)>,
    pub body: Vec<u8>,
    /// How to connect, where it is not the usual way.
    pub client: Option<Arc<HttpClient>>,
    /// Less time than the sink has anyway.
    pub timeout: Option<Span>,
}

/// How to connect. The usual way follows no redirect, trusts the system's authorities and uses no proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpClient {
    pub follow_redirects: bool,
    pub http1_only: bool,
    pub tls: TlsSetting,
    pub proxy: Option<HttpProxy>,
    pub oauth2: Option<Arc<OAuth2>>,
}

/// Where a token for each request comes from, by the grant of client credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuth2 {
    pub client_id: String,
    pub client_secret: Option<Secret<String>>,
    pub scopes: Vec<String>,
    /// May hold a secret, as any address may.
    pub token_url: Secret<String>,
    pub endpoint_params: BTreeMap<String, String>,
    /// How to connect to the token server.
    pub client: HttpClient,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSetting {
    /// Own certificate authorities, instead of the system's.
    pub ca_pem: Option<String>,
    /// Shown to the server, together with `key_pem`.
    pub certificate_pem: Option<String>,
    pub key_pem: Option<Secret<String>>,
    /// The name that the server's certificate must be for, instead of the host's.
    pub server_name: Option<String>,
    pub insecure_skip_verify: bool,
    pub min_version: Option<TlsVersion>,
    pub max_version: Option<TlsVersion>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    Tls12,
    Tls13,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpProxy {
    /// `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
    Environment,
    Url {
        /// May hold a password.
        url: Secret<String>,
        /// Hosts that are reached without it, separated by commas.
        no_proxy: Option<String>,
        /// For the proxy itself, where it is asked to connect.
        connect_headers: Vec<(String, Secret<String>)>,
    },
}

#[derive(Debug)]
pub struct MailRequest {
    pub server: MailServer,
    /// Envelope sender.
    pub from: String,
    /// Envelope recipients.
    pub to: Vec<String>,
    /// The whole message, headers and body, CRLF line ends.
    pub message: Vec<u8>,
}

#[derive(Clone, Debug)]
pub struct MailServer {
    pub host: String,
    pub port: u16,
    pub security: MailSecurity,
    pub user: Option<String>,
    pub password: Option<Secret<String>>,
    pub tls: TlsSetting,
    /// Name in EHLO.
    pub hello: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// STARTTLS, required.
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// No encryption; only for a relay on loopback or when the operator insists.
    None,
}

/// Bytes of an answer that are read; the rest is dropped.
pub const RESPONSE_BYTES_MAX: usize = 256 * 1_024;

#[derive(Debug)]
pub enum Response {
    Http {
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    },
    /// SMTP: the last reply's code and text. `refused` are recipients with their permanent refusal.
    Mail {
        code: u16,
        text: String,
        refused: Vec<(String, String)>,
    },
    Written,
}

impl Response {
    /// First header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        match self {
            Self::Http { headers, .. } => headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done. `proof` is what the other side answered; `remote` its name for the object.
    Delivered { remote: Option<RemoteId>, proof: String },
    /// This step is done, another request follows. Its answer was clear, so `is_ambiguous` is false
    /// from here on; without a `remote` the one known so far stays.
    Next { remote: Option<RemoteId>, step: u16 },
    /// Try the same step again, not before `after_ms` where the other side said so. `is_ambiguous`
    /// replaces the one in the progress; a look-up that fails keeps the doubt.
    Retry { after_ms: Option<u64>, kind: ErrorKind, reason: String, is_ambiguous: bool },
    /// No repetition can help.
    Rejected { kind: ErrorKind, reason: String },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot render the notification: {0}")]
pub struct RenderError(pub String);

pub fn find(name: &str) -> Option<&'static SinkSpec> {
    SINKS.iter().copied().find(|spec| spec.name == name)
}

/// `Retry-After` in milliseconds: seconds, or an HTTP date compared with the answer's own `Date`.
pub fn retry_after_ms(response: &Response) -> Option<u64> {
    let value = response.header("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(seconds.saturating_mul(1_000));
    }
    let until = jiff::fmt::rfc2822::parse(value).ok()?;
    let now = jiff::fmt::rfc2822::parse(response.header("date")?).ok()?;
    u64::try_from(until.timestamp().as_millisecond() - now.timestamp().as_millisecond()).ok()
}

/// The reading of an HTTP status that holds for well-behaved services: 2xx is left to the caller,
/// 408, 425, 429 and 5xx are worth another try, all else is final. A 5xx may have taken effect.
pub fn http_failure(status: u16, response: &Response, what: &str) -> Outcome {
    let reason = format!("{what} answered {status}");
    match status {
        429 if mutant::is(Mutant::TooManyRequestsIsFatal) => Outcome::Rejected { kind: ErrorKind::Rejected, reason },
        429 => Outcome::Retry {
            after_ms: retry_after_ms(response),
            kind: ErrorKind::RateLimited,
            reason,
            is_ambiguous: false,
        },
        408 | 425 => {
            Outcome::Retry { after_ms: retry_after_ms(response), kind: ErrorKind::Timeout, reason, is_ambiguous: true }
        }
        500..=599 => Outcome::Retry {
            after_ms: retry_after_ms(response),
            kind: ErrorKind::Unreachable,
            reason,
            is_ambiguous: true,
        },
        401 | 403 => Outcome::Rejected { kind: ErrorKind::Auth, reason },
        _ => Outcome::Rejected { kind: ErrorKind::Rejected, reason },
    }
}

/// What the sink shows: the document in its language, with the operator's templates applied.
fn document(setting: &Setting, templates: &Templates, notification: &Notification) -> Document {
    let mut document = Document::of(notification, &setting.reader());
    templates.apply(&mut document, notification, setting.language);
    document
}

/// A request with a JSON body.
fn json_request(
    method: &'static str,
    url: Secret<String>,
    authorization: Option<String>,
    body: Option<&serde_json::Value>,
) -> HttpRequest {
    let mut headers: Vec<(Cow<'static, str>, Secret<String>)> =
        vec![("accept".into(), Secret::new("application/json".into()))];
    if let Some(authorization) = authorization {
        headers.push(("authorization".into(), Secret::new(authorization)));
    }
    if body.is_some() {
        headers.push(("content-type".into(), Secret::new("application/json; charset=utf-8".into())));
    }
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    HttpRequest { method, url, headers, body, client: None, timeout: None }
}

/// The answer is not of the kind that this sink's requests get.
fn foreign_response() -> Outcome {
    Outcome::Rejected { kind: ErrorKind::Internal, reason: "got an answer from another transport".into() }
}

/// A failed look-up clears no doubt.
fn keep_doubt(mut outcome: Outcome, attempt: &Attempt<'_>) -> Outcome {
    if let Outcome::Retry { is_ambiguous, .. } = &mut outcome {
        *is_ambiguous |= attempt.progress.is_ambiguous;
    }
    outcome
}

/// An `http` or `https` address from the configuration, without a trailing slash. The error does not
/// repeat the value: addresses of incoming webhooks are secrets.
fn read_address(key: &str, text: &str) -> Result<String, ConfigError> {
    let expected = |what: &str| ConfigError::new(key, format!("expected {what} (its value is not shown)"));
    let url = reqwest::Url::parse(text.trim()).map_err(|error| expected(&format!("an address: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(expected("an address that begins with `https://` or `http://`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(expected("an address without user and password"));
    }
    Ok(String::from(url).trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests;
