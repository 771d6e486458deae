//! Tokens of OAuth 2, by the grant of client credentials (RFC 6749, section 4.4): fetched when they are first needed,
//! kept until shortly before they expire, fetched anew when the receiver does not know them any more.
//!
//! Decides how to show who we are as Go's `clientcredentials` does: in the `Authorization` header first, in the body
//! when that is refused, and from then on in the way that worked. A refusal is final, trouble on the way is not. What
//! a token server says is never repeated but for the name of its error.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::client::Way;
use super::{Call, SendError, read_response, refused};
use crate::clock::Stopwatch;
use crate::error::{ConfigError, ErrorKind};
use crate::runtime::guard::{self, Resolver};
use crate::sinks::{OAuth2, Response};

/// A token with less time left is fetched anew, as in Go.
const EXPIRES_SOON: Duration = Duration::from_secs(10);
/// Of a token server's answer.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Characters of the name of an error; the standard's have up to 25.
const ERROR_CHARS_MAX: usize = 40;

#[derive(Debug)]
pub(super) struct Tokens {
    setting: Arc<OAuth2>,
    url: reqwest::Url,
    is_guarded: bool,
    way: Way,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Token>,
    /// Where the server looks for the client's secret, once that is known.
    place: Option<Place>,
}

/// The value of `Authorization`.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub value: HeaderValue,
    age: Stopwatch,
    lifetime: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Header,
    Body,
}

impl Token {
    fn is_good(&self) -> bool {
        self.lifetime.is_none_or(|lifetime| self.age.elapsed() + EXPIRES_SOON < lifetime)
    }
}

impl Tokens {
    /// # Errors
    /// Names the key below `oauth2` that cannot be carried out.
    pub fn new(setting: &Arc<OAuth2>, guard: Option<&Resolver>) -> Result<Self, ConfigError> {
        let url = reqwest::Url::parse(setting.token_url.expose())
            .map_err(|_| ConfigError::new("token_url", "expected an address (its value is not shown)"))?;
        let way = Way::new(&setting.client, guard)?;
        let (setting, is_guarded) = (Arc::clone(setting), guard.is_some());
        Ok(Self { setting, url, is_guarded, way, state: Mutex::default() })
    }

    /// # Errors
    /// When there is none to be had.
    pub async fn get(&self, timeout: Duration) -> Result<Token, SendError> {
        let mut state = self.state.lock().await;
        match &state.token {
            Some(token) if token.is_good() => Ok(token.clone()),
            _ => self.fetch(&mut state, timeout).await,
        }
    }

    /// Another one than this, which was refused.
    ///
    /// # Errors
    /// When there is none to be had.
    pub async fn renew(&self, refused: &Token, timeout: Duration) -> Result<Token, SendError> {
        let mut state = self.state.lock().await;
        match &state.token {
            // Somebody else was refused as well, and has fetched one.
            Some(token) if token.value != refused.value && token.is_good() => Ok(token.clone()),
            _ => self.fetch(&mut state, timeout).await,
        }
    }

    async fn fetch(&self, state: &mut State, timeout: Duration) -> Result<Token, SendError> {
        state.token = None;
        let (token, place) = match state.place {
            Some(place) => (self.ask(place, timeout).await?, place),
            None => match self.ask(Place::Header, timeout).await {
                Ok(token) => (token, Place::Header),
                Err(error) if error.kind == ErrorKind::Auth => (self.ask(Place::Body, timeout).await?, Place::Body),
                Err(error) => return Err(error),
            },
        };
        state.place = Some(place);
        state.token = Some(token.clone());
        Ok(token)
    }

    async fn ask(&self, place: Place, timeout: Duration) -> Result<Token, SendError> {
        if self.is_guarded {
            guard::check_literal(&self.url).map_err(|error| refused(&error))?;
        }
        let age = Stopwatch::start();
        let answered = async {
            let response = self.way.send(self.call(place)?, timeout).await?;
            read_response(response, timeout, ANSWER_BYTES_MAX).await
        };
        let response = match tokio::time::timeout(timeout, answered).await {
            Ok(answered) => answered.map_err(failed)?,
            Err(_) => return Err(failed(SendError::late(timeout))),
        };
        let answer = Answer::read(&response)?;
        let value = format!("{} {}", answer.kind(), answer.access_token);
        let mut value = HeaderValue::try_from(value)
            .map_err(|_| refusal("the token server answered with a token that cannot be sent".to_owned()))?;
        value.set_sensitive(true);
        Ok(Token { value, age, lifetime: answer.lifetime() })
    }

    fn call(&self, place: Place) -> Result<Call, SendError> {
        let OAuth2 { client_id, client_secret, scopes, endpoint_params, .. } = &*self.setting;
        let secret = client_secret.as_ref().map_or("", |secret| secret.expose());
        let mut form = form_urlencoded::Serializer::new(String::new());
        if !endpoint_params.contains_key("grant_type") {
            form.append_pair("grant_type", "client_credentials");
        }
        if !scopes.is_empty() {
            form.append_pair("scope", &scopes.join(" "));
        }
        form.extend_pairs(endpoint_params);
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        match place {
            Place::Header => {
                let encoded = |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
                let pair = STANDARD.encode(format!("{}:{}", encoded(client_id), encoded(secret)));
                let mut value = HeaderValue::try_from(format!("Basic {pair}"))
                    .map_err(|_| SendError::unsent(ErrorKind::Invalid, "the client's secret cannot be sent"))?;
                value.set_sensitive(true);
                headers.insert(AUTHORIZATION, value);
            }
            Place::Body => {
                form.append_pair("client_id", client_id);
                if !secret.is_empty() {
                    form.append_pair("client_secret", secret);
                }
            }
        }
        Ok(Call { method: Method::POST, url: self.url.clone(), headers, body: Bytes::from(form.finish()) })
    }
}

/// The message itself has not been sent, whatever became of the token.
fn failed(error: SendError) -> SendError {
    SendError { reason: format!("no token: {}", error.reason), is_ambiguous: false, ..error }
}

fn refusal(reason: String) -> SendError {
    SendError::unsent(ErrorKind::Auth, reason)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    access_token: String,
    token_type: String,
    /// Seconds; some servers send text.
    expires_in: Value,
    error: String,
}

impl Answer {
    /// # Errors
    /// When it holds no token.
    fn read(response: &Response) -> Result<Self, SendError> {
        let Response::Http { status, body, .. } = response else {
            return Err(SendError::unsent(ErrorKind::Internal, "no token: got an answer from another transport"));
        };
        let is_form = response.header("content-type").is_some_and(|kind| {
            let kind = kind.split(';').next().unwrap_or_default().trim();
            matches!(kind, "application/x-www-form-urlencoded" | "text/plain")
        });
        let answer = if is_form { Self::of_form(body) } else { serde_json::from_slice(body).ok() };
        let error = answer.as_ref().map(Self::error).unwrap_or_default();
        let kind = match status {
            200..=299 if error.is_empty() => {
                let answer = answer.filter(|answer| !answer.access_token.is_empty());
                return answer.ok_or_else(|| refusal("the token server answered without an `access_token`".to_owned()));
            }
            429 => ErrorKind::RateLimited,
            408 | 425 => ErrorKind::Timeout,
            500.. => ErrorKind::Unreachable,
            _ => ErrorKind::Auth,
        };
        let said = if error.is_empty() { error } else { format!(": {error}") };
        Err(SendError::unsent(kind, format!("the token server answered {status}{said}")))
    }

    fn of_form(body: &[u8]) -> Option<Self> {
        let pairs = form_urlencoded::parse(body);
        let fields = pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())));
        serde_json::from_value(Value::Object(fields.collect())).ok()
    }

    /// The name of an error as the standard writes it; anything else could be anything.
    fn error(&self) -> String {
        let is_name =
            |text: &str| text.len() <= ERROR_CHARS_MAX && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        match self.error.as_str() {
            name if is_name(name) => name.to_owned(),
            _ => "an error of its own".to_owned(),
        }
    }

    fn kind(&self) -> &str {
        match self.token_type.to_ascii_lowercase().as_str() {
            "" | "bearer" => "Bearer",
            "mac" => "MAC",
            "basic" => "Basic",
            _ => &self.token_type,
        }
    }

    /// Nothing: it does not expire.
    fn lifetime(&self) -> Option<Duration> {
        let seconds = match &self.expires_in {
            Value::Number(seconds) => seconds.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs)
    }
}
