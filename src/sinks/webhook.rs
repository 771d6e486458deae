//! JSON to any address, signed after Standard Webhooks (<https://www.standardwebhooks.com>, read
//! 2026-11-21).
//!
//! Decides the body's shape, the signature and which answers deserve another try. Never follows a
//! redirect and never edits what it sent: each notification is one request.
//!
//! ```json
//! {"type":"watchbell.incident.opened","timestamp":"2026-11-21T05:12:00.000Z",
//!  "data":{"id":"inc-7h3kq0v9zd.1","number":1,"kind":"opened","at":"…","reason":"…","incident":{…}}}
//! ```
//!
//! `data` is the notification as `model::notification` defines it. `number` rises by one within the
//! incident: a receiver that sees a lower one than before may drop it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use sha2::Sha256;
use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, foreign_response, http_failure,
    json_request, read_address,
};
use crate::error::{ConfigError, ErrorKind, Secret, Table, read_table};

pub const SPEC: SinkSpec = SinkSpec {
    name: "webhook",
    title: "JSON to any address, signed after Standard Webhooks",
    docs: DOCS,
    example: "url: https://hooks.example/watchbell/4f1c9be2\n\
              secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n\
              headers:\n  X-Team: operations\n",
    rate: Rate { count: 50, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
Posts `{type, timestamp, data}` for every notification.

- `url`: where to; redirects are not followed.
- `secret`: `whsec_` and 24 to 64 bytes in base64. The request then carries `webhook-id`,
  `webhook-timestamp` and `webhook-signature`; check them with any Standard Webhooks library.
- `secrets`: a list instead of `secret`, while one is being replaced: signed with each of them.
- `headers`: more headers, for example `Authorization`.

`webhook-id`, also sent as `Idempotency-Key`, stays the same over all tries of one delivery. An answer
of 2xx ends it; 408, 425, 429 and 5xx are tried again; every other answer ends it as failed.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    url: Secret<String>,
    secret: Option<Secret<String>>,
    #[serde(default)]
    secrets: Vec<Secret<String>>,
    #[serde(default)]
    headers: BTreeMap<String, Secret<String>>,
}

struct Webhook {
    url: Secret<String>,
    keys: Vec<Secret<Vec<u8>>>,
    headers: Vec<(String, Secret<String>)>,
}

/// Bytes of a signing secret, as the specification asks.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Headers that this file or the transport sets.
const OWN_HEADERS: [&str; 12] = [
    "accept",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "te",
    "transfer-encoding",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
];

fn build(table: &Table, _setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    if keys.secret.is_some() && !keys.secrets.is_empty() {
        return Err(ConfigError::new("secret", "expected `secret` or `secrets`, got both"));
    }
    let url = Secret::new(read_address("url", keys.url.expose())?);
    let one = keys.secret.iter().map(|secret| ("secret".to_owned(), secret));
    let many = keys.secrets.iter().enumerate().map(|(index, secret)| (format!("secrets[{index}]"), secret));
    let signing = one.chain(many).map(|(path, secret)| read_secret(&path, secret)).collect::<Result<_, _>>()?;
    let headers = keys.headers.into_iter().map(|(name, value)| read_header(&name, value)).collect::<Result<_, _>>()?;
    Ok(Box::new(Webhook { url, keys: signing, headers }))
}

fn read_secret(path: &str, secret: &Secret<String>) -> Result<Secret<Vec<u8>>, ConfigError> {
    let error = || {
        let message = format!(
            "expected `whsec_` and {} to {} bytes in base64 (its value is not shown)",
            SECRET_BYTES.start(),
            SECRET_BYTES.end()
        );
        ConfigError::new(path, message)
    };
    let encoded = secret.expose().trim().strip_prefix("whsec_").ok_or_else(error)?;
    let key = STANDARD.decode(encoded).map_err(|_| error())?;
    if SECRET_BYTES.contains(&key.len()) { Ok(Secret::new(key)) } else { Err(error()) }
}

fn read_header(name: &str, value: Secret<String>) -> Result<(String, Secret<String>), ConfigError> {
    let path = format!("headers.{name}");
    let parsed = http::HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| ConfigError::new(&path, "expected a header name such as `X-Team`"))?;
    if OWN_HEADERS.contains(&parsed.as_str()) {
        return Err(ConfigError::new(path, "this header is set by Watchbell itself"));
    }
    if http::HeaderValue::from_str(value.expose()).is_err() {
        return Err(ConfigError::new(path, "expected visible ASCII characters (its value is not shown)"));
    }
    Ok((parsed.as_str().to_owned(), value))
}

impl Webhook {
    fn signature(&self, id: &str, timestamp_s: i64, body: &[u8]) -> String {
        let mut signatures = Vec::with_capacity(self.keys.len());
        for key in &self.keys {
            // HMAC takes a key of any length, so this cannot fail; a missing signature is refused by
            // the receiver and thereby seen.
            let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose()) else { continue };
            mac.update(format!("{id}.{timestamp_s}.").as_bytes());
            mac.update(body);
            signatures.push(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())));
        }
        signatures.join(" ")
    }
}

impl Sink for Webhook {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let notification = attempt.notification;
        let data = serde_json::to_value(notification).map_err(|error| RenderError(error.to_string()))?;
        let body = serde_json::json!({
            "type": format!("watchbell.incident.{}", notification.kind.as_str()),
            "timestamp": notification.at,
            "data": data,
        });
        let mut request = json_request("POST", self.url.clone(), None, Some(&body));
        let id = webhook_id(attempt.delivery);
        // Receivers allow five minutes: the time of this try, not of the notification.
        let timestamp_s = attempt.now.as_millis().div_euclid(1_000);
        let mut add = |name: &'static str, value: String| {
            request.headers.push((Cow::Borrowed(name), Secret::new(value)));
        };
        if !self.keys.is_empty() {
            add("webhook-signature", self.signature(&id, timestamp_s, &request.body));
        }
        add("webhook-timestamp", timestamp_s.to_string());
        add("idempotency-key", id.clone());
        add("webhook-id", id);
        for (name, value) in &self.headers {
            request.headers.push((Cow::Owned(name.clone()), value.clone()));
        }
        Ok(Request::Http(request))
    }

    fn outcome(&self, _attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, .. } = response else { return foreign_response() };
        let rejected = |reason: String| Outcome::Rejected { kind: ErrorKind::Rejected, reason };
        match status {
            200..=299 => Outcome::Delivered { remote: None, proof: format!("answered {status}") },
            300..=399 => rejected(format!("the receiver answered {status}; configure the address it redirects to")),
            410 => rejected("the receiver answered 410: it wants no more, remove this sink".into()),
            _ => http_failure(*status, response, "the receiver"),
        }
    }
}

/// The delivery's id in the letters that a header and the signature allow. The signature separates
/// its parts by full stops, so the id's own become colons; everything unusual is percent-encoded.
fn webhook_id(delivery: &str) -> String {
    let mut id = String::with_capacity(delivery.len());
    for byte in delivery.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'/' => id.push(char::from(byte)),
            b'.' => id.push(':'),
            _ => id.push_str(&format!("%{byte:02X}")),
        }
    }
    id
}

#[cfg(test)]
mod tests;
