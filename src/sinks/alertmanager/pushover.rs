//! `pushover_configs`: a push message, all of it in the address's query, as Alertmanager sends it.

use serde::Deserialize;
use std::collections::BTreeMap;

use super::super::{Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec};
use super::http_config::HttpConfig;
use super::template::{SecretTemplate, Template};
use super::{Receiver, default_true, truncate_chars};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::Span;

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_pushover",
    title: "`pushover_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "token: azGDORePK8gMaC0QOYAMyEEuzJnyUi\nuser_key: uQiRzpo4DXghDmr9QzzfQu27cmVRsG\n",
    rate: Rate { count: 2, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
A push message.

- `token` or `token_file` of the application, `user_key` or `user_key_file`.
- `title` (250 characters), `message` (1024), `url` (512): templates; longer texts are cut.
- `url_title`, `device`, `sound`, `priority` (default 2 while it fires, 0 afterwards): templates.
- `retry` (default `1m`), `expire` (default `1h`), `ttl`; `html` (what alerts say is escaped) or
  `monospace`.
- `send_resolved` (default true), `http_config`: as for `alertmanager_webhook`.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_true")]
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    user_key: Secret<String>,
    token: Secret<String>,
    title: Option<String>,
    message: Option<String>,
    url: Option<String>,
    url_title: Option<String>,
    device: Option<String>,
    sound: Option<String>,
    priority: Option<String>,
    retry: Option<Span>,
    expire: Option<Span>,
    ttl: Option<Span>,
    #[serde(default)]
    html: bool,
    #[serde(default)]
    monospace: bool,
}

struct Pushover {
    receiver: Receiver,
    token: SecretTemplate,
    user_key: SecretTemplate,
    title: Template,
    message: Template,
    url: Template,
    /// Under the names that they have in the query.
    others: Vec<(&'static str, Template)>,
    retry: Span,
    expire: Span,
    ttl: Span,
    is_html: bool,
    is_monospace: bool,
}

const URL: &str = "https://api.pushover.net/1/messages.json";

const TITLE_CHARS_MAX: usize = 250;
const MESSAGE_CHARS_MAX: usize = 1_024;
const URL_CHARS_MAX: usize = 512;

/// The vendor refuses an empty message.
const NO_MESSAGE: &str = "(no details)";

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    if keys.html && keys.monospace {
        return Err(ConfigError::new("html", "expected one of `html` and `monospace`, got both"));
    }
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    let token = SecretTemplate::new(setting, "token", &keys.token)?;
    let user_key = SecretTemplate::new(setting, "user_key", &keys.user_key)?;
    receiver.hide(token.source());
    receiver.hide(user_key.source());
    let priority = keys.priority.unwrap_or_else(|| r#"{{ if eq .Status "firing" }}2{{ else }}0{{ end }}"#.into());
    Ok(Box::new(Pushover {
        token,
        user_key,
        title: receiver.template("title", keys.title, "{{ template \"pushover.default.title\" . }}")?,
        message: receiver.template("message", keys.message, "{{ template \"pushover.default.message\" . }}")?,
        url: receiver.template("url", keys.url, "{{ template \"pushover.default.url\" . }}")?,
        others: vec![
            ("url_title", receiver.template("url_title", keys.url_title, "")?),
            ("priority", Template::new(setting, "priority", priority)?),
            ("device", receiver.template("device", keys.device, "")?),
            ("sound", receiver.template("sound", keys.sound, "")?),
        ],
        retry: keys.retry.unwrap_or(Span::from_mins(1)),
        expire: keys.expire.unwrap_or(Span::from_hours(1)),
        ttl: keys.ttl.unwrap_or(Span::ZERO),
        is_html: keys.html,
        is_monospace: keys.monospace,
        receiver,
    }))
}

fn seconds(span: Span) -> String {
    (span.as_millis() / 1_000).to_string()
}

impl Sink for Pushover {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let (token, user_key) = (texts.secret(&self.token)?, texts.secret(&self.user_key)?);
        let message = if self.is_html { texts.html(&self.message)? } else { texts.text(&self.message)? };
        let message = truncate_chars(&message, MESSAGE_CHARS_MAX);
        let message = message.trim();
        let mut parameters: BTreeMap<&str, String> = BTreeMap::from([
            ("token", token.expose().clone()),
            ("user", user_key.expose().clone()),
            ("title", truncate_chars(&texts.text(&self.title)?, TITLE_CHARS_MAX).into_owned()),
            ("message", if message.is_empty() { NO_MESSAGE } else { message }.to_owned()),
            ("url", truncate_chars(&texts.text(&self.url)?, URL_CHARS_MAX).into_owned()),
            ("retry", seconds(self.retry)),
            ("expire", seconds(self.expire)),
        ]);
        for (name, template) in &self.others {
            parameters.insert(name, texts.text(template)?);
        }
        for (name, is_on) in [("html", self.is_html), ("monospace", self.is_monospace)] {
            if is_on {
                parameters.insert(name, "1".into());
            }
        }
        if self.ttl >= Span::from_secs(1) {
            parameters.insert("ttl", seconds(self.ttl));
        }
        let url = reqwest::Url::parse_with_params(URL, parameters).map_err(|error| RenderError(error.to_string()))?;
        Ok(Request::Http(self.receiver.request("POST", Secret::new(url.into()), "text/plain", Vec::new())))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        self.receiver.by_status(attempt, response, "Pushover", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, request_of, retried, sent};
    use super::*;

    fn parameters(request: &Request) -> BTreeMap<String, String> {
        let Request::Http(request) = request else { panic!("not an HTTP request") };
        reqwest::Url::parse(request.url.expose()).unwrap().query_pairs().into_owned().collect()
    }

    pub fn check(request: &Request) -> Result<(), String> {
        let parameters = parameters(request);
        for (name, min, max) in
            [("title", 0, TITLE_CHARS_MAX), ("message", 1, MESSAGE_CHARS_MAX), ("url", 0, URL_CHARS_MAX)]
        {
            let count = parameters[name].chars().count();
            if count < min || count > max {
                return Err(format!("`{name}` has {count} characters"));
            }
        }
        match parameters["priority"].parse::<i8>() {
            Ok(-2..=2) => Ok(()),
            _ => Err(format!("priority `{}`", parameters["priority"])),
        }
    }

    const BARE: &str = "token: azGDORePK8gMaC0Q\nuser_key: uQiRzpo4DXghDmr9\ntitle: T\nmessage: M & m\nurl: https://am.example\npriority: '2'\n";

    #[test]
    fn everything_is_in_the_query() {
        insta::assert_snapshot!(sent(&SPEC, BARE, &firing()), @"
        POST https://api.pushover.net/1/messages.json?device=&expire=3600&message=M+%26+m&priority=2&retry=60&sound=&title=T&token=azGDORePK8gMaC0Q&url=https%3A%2F%2Fam.example&url_title=&user=uQiRzpo4DXghDmr9
        content-type: text/plain
        ");
        let more = "html: true\nttl: 90s\nretry: 2m\nexpire: 3h\nsound: siren\ndevice: phone\nurl_title: U\n";
        insta::assert_snapshot!(sent(&SPEC, &format!("{BARE}{more}"), &firing()).lines().next().unwrap(), @"POST https://api.pushover.net/1/messages.json?device=phone&expire=10800&html=1&message=M+%26+m&priority=2&retry=120&sound=siren&title=T&token=azGDORePK8gMaC0Q&ttl=90&url=https%3A%2F%2Fam.example&url_title=U&user=uQiRzpo4DXghDmr9");
        assert_eq!(retried(&SPEC, BARE), "408 425 429 500-599");
    }

    #[test]
    fn texts_are_cut_and_never_empty() {
        for (name, max) in [("title", 250), ("message", 1_024), ("url", 512)] {
            let sent = |count: usize| {
                let base: String = BARE
                    .lines()
                    .filter(|line| !line.starts_with(&format!("{name}:")))
                    .map(|line| format!("{line}\n"))
                    .collect();
                parameters(&request_of(&SPEC, &format!("{base}{name}: {}\n", "x".repeat(count)), &firing()))[name]
                    .clone()
            };
            assert_eq!(sent(max), "x".repeat(max));
            assert_eq!(sent(max + 1), format!("{}…", "x".repeat(max - 1)));
        }
        let empty = request_of(&SPEC, &BARE.replace("M & m", "' '"), &firing());
        assert_eq!(parameters(&empty)["message"], NO_MESSAGE);
    }
}
