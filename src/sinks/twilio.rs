//! What text messages and calls through Twilio share: who we are, where requests go, what errors mean.
//! API 2010-04-01, read 2026-11-21: <https://www.twilio.com/docs/usage/api>.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{HttpRequest, Outcome, Response, chat, read_address};
use crate::error::{ConfigError, ErrorKind, Secret};

pub(super) struct AccountKeys {
    pub account_sid: String,
    pub auth_token: Option<Secret<String>>,
    pub api_key_sid: Option<String>,
    pub api_key_secret: Option<Secret<String>>,
    pub base_url: Option<String>,
}

pub(super) struct Account {
    authorization: Secret<String>,
    secret: Secret<String>,
    /// Up to the name of what is asked for.
    url: String,
}

impl Account {
    pub fn read(keys: AccountKeys) -> Result<Self, ConfigError> {
        let sid = chat::read_name("account_sid", &keys.account_sid, "", "`AC` and 32 letters and digits")?;
        let (user, secret) = match (keys.auth_token, keys.api_key_sid, keys.api_key_secret) {
            (Some(token), None, None) => (sid.clone(), chat::read_token("auth_token", token)?),
            (None, Some(key), Some(secret)) => (key, chat::read_token("api_key_secret", secret)?),
            _ => {
                let expected = "expected `auth_token`, or `api_key_sid` with `api_key_secret`";
                return Err(ConfigError::new("auth_token", expected));
            }
        };
        let base_url = read_address("base_url", keys.base_url.as_deref().unwrap_or("https://api.twilio.com"))?;
        Ok(Self {
            authorization: Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", secret.expose())))),
            secret,
            url: format!("{base_url}/2010-04-01/Accounts/{sid}"),
        })
    }

    /// Creates a `what`, such as `Messages`.
    pub fn create(&self, what: &str, fields: &[(&str, &str)]) -> HttpRequest {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let form = "application/x-www-form-urlencoded".to_owned();
        HttpRequest {
            method: "POST",
            url: Secret::new(format!("{}/{what}.json", self.url)),
            headers: vec![
                ("accept".into(), Secret::new("application/json".into())),
                ("authorization".into(), self.authorization.clone()),
                ("content-type".into(), Secret::new(form)),
            ],
            body: body.into_bytes(),
            client: None,
            timeout: None,
        }
    }

    /// The newest of them first.
    pub fn list(&self, what: &str, parameters: &[(&str, &str)]) -> HttpRequest {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let url = Secret::new(format!("{}/{what}.json?{query}", self.url));
        super::json_request("GET", url, Some(self.authorization.expose().clone()), None)
    }

    /// What an answer that is no success means.
    pub fn refused(&self, status: u16, reply: &Value, response: &Response) -> Outcome {
        let said = format!("{} {}", reply["message"].as_str().unwrap_or_default(), reply["code"]);
        let said = said.trim_end_matches("null").trim();
        let outcome = chat::refused(status, response, "Twilio", said, &[self.secret.expose()], None);
        match (outcome, reply["code"].as_u64()) {
            (Outcome::Rejected { reason, .. }, Some(20_003 | 20_008)) => {
                Outcome::Rejected { kind: ErrorKind::Auth, reason }
            }
            (outcome, _) => outcome,
        }
    }
}

/// `+` and up to 15 digits.
pub(super) fn read_number(key: &str, text: &str) -> Result<String, ConfigError> {
    let number: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '(' | ')')).collect();
    let digits = number.strip_prefix('+').unwrap_or_default();
    if (5..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(number);
    }
    Err(ConfigError::new(key, format!("expected a telephone number such as `+4915112345678`, got `{text}`")))
}
