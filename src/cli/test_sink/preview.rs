//! A request that is shown instead of sent. Decides what of it may be seen: a header's value only when
//! its name is known to be harmless, the path of an address only when the sink made it, and nowhere a
//! value that the configuration holds under the name of a secret.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use crate::error::Table;
use crate::sinks::Request;

const HIDDEN: &str = "<secret>";
/// Headers that say nothing about who we are.
const SHOWN: [&str; 8] = [
    "accept",
    "content-type",
    "idempotency-key",
    "user-agent",
    "webhook-id",
    "webhook-timestamp",
    "prefer",
    "x-no-response-body",
];
/// Parts of names that the keys of secrets have.
const SECRET_WORDS: [&str; 6] = ["token", "password", "secret", "key", "credential", "authorization"];
/// A shorter value stands in too many places by chance.
const SECRET_CHARS_MIN: usize = 6;

#[derive(Debug, Serialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Preview {
    Http { method: &'static str, url: String, headers: Vec<(String, String)>, body: Value },
    Mail { server: String, from: String, to: Vec<String>, message: String },
    Line { text: String },
    Skip { why: &'static str },
}

impl Preview {
    /// `table` holds the sink's own keys, secrets among them.
    pub fn of(request: &Request, table: &Table) -> Self {
        let text = |bytes: &[u8]| hidden(&String::from_utf8_lossy(bytes), table);
        match request {
            Request::Http(request) => {
                let header = |name: &str, value: &str| match SHOWN.contains(&name.to_ascii_lowercase().as_str()) {
                    true => (name.to_owned(), hidden(value, table)),
                    false => (name.to_owned(), HIDDEN.to_owned()),
                };
                let body = text(&request.body);
                Self::Http {
                    method: request.method,
                    url: address(request.url.expose(), table),
                    headers: request.headers.iter().map(|(name, value)| header(name, value.expose())).collect(),
                    body: serde_json::from_str(&body).unwrap_or(Value::String(body)),
                }
            }
            Request::Mail(request) => Self::Mail {
                server: format!("{}:{}", request.server.host, request.server.port),
                from: request.from.clone(),
                to: request.to.clone(),
                message: text(&request.message),
            },
            Request::Line(line) => Self::Line { text: hidden(line, table) },
            Request::Skip(why) => Self::Skip { why },
        }
    }

    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Http { method, url, headers, body } => {
                writeln!(out, "{method} {url}")?;
                for (name, value) in headers {
                    writeln!(out, "{name}: {value}")?;
                }
                match body {
                    Value::String(text) => writeln!(out, "\n{text}"),
                    body => writeln!(out, "\n{body:#}"),
                }
            }
            Self::Mail { server, from, to, message } => {
                writeln!(out, "to the mail server {server}, from <{from}>, to <{}>\n", to.join(">, <"))?;
                writeln!(out, "{}", message.replace("\r\n", "\n").trim_end())
            }
            Self::Line { text } => writeln!(out, "{text}"),
            Self::Skip { why } => writeln!(out, "nothing: {why}"),
        }
    }
}

/// The text without the secrets of the configuration.
pub fn hidden(text: &str, table: &Table) -> String {
    let mut secrets = Vec::new();
    for (name, value) in table {
        let name = name.to_ascii_lowercase();
        collect(value, SECRET_WORDS.iter().any(|word| name.contains(word)), &mut secrets);
    }
    // The longest first: one secret may be the beginning of another.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.into_iter().fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
}

/// Texts below `value` that are secret by the name of one of their keys.
fn collect<'a>(value: &'a Value, is_secret: bool, secrets: &mut Vec<&'a str>) {
    match value {
        Value::String(text) if is_secret && text.chars().count() >= SECRET_CHARS_MIN => secrets.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, is_secret, secrets)),
        Value::Object(map) => {
            for (name, value) in map {
                let name = name.to_ascii_lowercase();
                collect(value, is_secret || SECRET_WORDS.iter().any(|word| name.contains(word)), secrets);
            }
        }
        _ => {}
    }
}

/// Scheme and host; the path too, unless the operator wrote one, which may be what an incoming webhook
/// has for a password. The query never.
fn address(url: &str, table: &Table) -> String {
    let Ok(url) = reqwest::Url::parse(url) else { return HIDDEN.to_owned() };
    let origin = url.origin().ascii_serialization();
    let has_own_path = |value: &Value| {
        let configured = value.as_str().and_then(|text| reqwest::Url::parse(text).ok());
        configured.is_some_and(|configured| configured.origin() == url.origin() && configured.path() != "/")
    };
    let path = if table.values().any(has_own_path) { "/<secret>" } else { url.path() };
    let query = if url.query().is_some() { "?<secret>" } else { "" };
    format!("{origin}{}{query}", hidden(path, table))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Secret;
    use crate::sinks::HttpRequest;
    use serde_json::json;

    fn table(value: Value) -> Table {
        value.as_object().cloned().unwrap()
    }

    fn check(url: &str, table: Value) -> String {
        let request = Request::Http(HttpRequest {
            method: "POST",
            url: Secret::new(url.to_owned()),
            headers: vec![
                ("content-type".into(), Secret::new("application/json".into())),
                ("authorization".into(), Secret::new("Bearer hunter2-long".into())),
            ],
            body: br#"{"text":"hello hunter2-long"}"#.to_vec(),
            client: None,
            timeout: None,
        });
        let mut out = Vec::new();
        Preview::of(&request, &self::table(table)).write(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn neither_tokens_nor_secret_addresses_are_shown() {
        let table = json!({ "url": "https://hooks.example/T01/B02/abcdef", "tokens": ["hunter2-long"] });
        assert_eq!(
            check("https://hooks.example/T01/B02/abcdef?wait=1", table),
            "POST https://hooks.example/<secret>?<secret>\ncontent-type: application/json\n\
             authorization: <secret>\n\n{\n  \"text\": \"hello <secret>\"\n}\n"
        );
    }

    #[test]
    fn a_path_that_the_sink_made_is_shown() {
        let table = json!({ "url": "https://user:pass@itsm.example", "password": "hunter2-long" });
        let shown = check("https://user:pass@itsm.example/api/now/table/incident", table);
        assert!(shown.starts_with("POST https://itsm.example/api/now/table/incident\n"), "{shown}");
        assert!(!shown.contains("hunter2") && !shown.contains("pass@"), "{shown}");
    }
}
