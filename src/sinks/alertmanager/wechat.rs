//! `wechat_configs`: a message of an application in WeCom, WeChat for companies.
//!
//! Decides which of two requests comes next: the access token is asked for, kept for two hours in memory only, and
//! goes with every message. Which of the two was answered is told by the answer: only one has a token in it.

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::{
    Attempt, Connection, HttpRequest, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec,
    keep_doubt, retry_after_ms,
};
use super::http_config::HttpConfig;
use super::template::{SecretTemplate, Template, Texts};
use super::{Receiver, below, delivered, read_url};
use crate::error::{ConfigError, ErrorKind, Secret, Table, read_table};
use crate::model::{Span, Timestamp};

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_wechat",
    title: "`wechat_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "api_secret: 7q2mVb9rT4xWc0Lk\n\
              api_url: https://qyapi.weixin.example/cgi-bin/\n\
              corp_id: ww1a2b3c4d5e6f7a8b\n\
              agent_id: '1000002'\n\
              to_party: '2'\n\
              send_resolved: true\n",
    rate: Rate { count: 30, per_ms: 60_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
A message of an application in WeCom.

- `api_secret` or `api_secret_file`, `corp_id`, `api_url`.
- `agent_id`, `to_user`, `to_party`, `to_tag`, `message`: templates. What alerts say reaches WeCom as they
  put it, so as `markdown` it can hold markup.
- `message_type`: `text` (default) or `markdown`.
- `send_resolved` (default false), `http_config`: as for `alertmanager_webhook`.

Tried again after every status but 200, and when the access token has expired.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    api_secret: Secret<String>,
    corp_id: String,
    message: Option<String>,
    api_url: Option<String>,
    to_user: Option<String>,
    to_party: Option<String>,
    to_tag: Option<String>,
    agent_id: Option<String>,
    message_type: Option<String>,
}

struct WeChat {
    receiver: Receiver,
    url: reqwest::Url,
    secret: SecretTemplate,
    corp_id: Template,
    message: Template,
    to_user: Template,
    to_party: Template,
    to_tag: Template,
    agent_id: Template,
    is_markdown: bool,
    token: Mutex<Option<Token>>,
}

struct Token {
    value: Secret<String>,
    since: Timestamp,
}

#[derive(Serialize)]
struct Message<'a> {
    text: Content<'a>,
    #[serde(skip_serializing_if = "String::is_empty")]
    touser: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    toparty: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    totag: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    agentid: String,
    safe: &'static str,
    msgtype: &'static str,
    markdown: Content<'a>,
}

#[derive(Serialize)]
struct Content<'a> {
    content: &'a str,
}

const URL: &str = "https://qyapi.weixin.qq.com/cgi-bin/";

const TOKEN_AGE_MAX: Span = Span::from_hours(2);

/// The vendor's code for an access token that is too old.
const TOKEN_EXPIRED: i64 = 42_001;

/// The token is known.
const SEND: u16 = 1;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let is_markdown = match keys.message_type.as_deref() {
        None | Some("" | "text") => false,
        Some("markdown") => true,
        Some(other) => {
            return Err(ConfigError::new("message_type", format!("expected `text` or `markdown`, got `{other}`")));
        }
    };
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    let secret = SecretTemplate::new(setting, "api_secret", &keys.api_secret)?;
    receiver.hide(secret.source());
    let named = |key: &str, text: Option<String>| {
        receiver.template(key, text, &format!("{{{{ template \"wechat.default.{key}\" . }}}}"))
    };
    Ok(Box::new(WeChat {
        url: read_url("api_url", keys.api_url.as_deref().unwrap_or(URL))?,
        secret,
        corp_id: Template::new(setting, "corp_id", keys.corp_id)?,
        message: named("message", keys.message)?,
        to_user: named("to_user", keys.to_user)?,
        to_party: named("to_party", keys.to_party)?,
        to_tag: named("to_tag", keys.to_tag)?,
        agent_id: named("agent_id", keys.agent_id)?,
        is_markdown,
        token: Mutex::new(None),
        receiver,
    }))
}

impl WeChat {
    fn token(&self, now: Timestamp) -> Option<Secret<String>> {
        let token = self.token.lock();
        token.as_ref().filter(|token| now.since(token.since) < TOKEN_AGE_MAX).map(|token| token.value.clone())
    }

    fn ask_for_token(&self, texts: &Texts<'_>) -> Result<HttpRequest, RenderError> {
        let mut url = below(&self.url, "gettoken");
        url.query_pairs_mut()
            .append_pair("corpid", &texts.text(&self.corp_id)?)
            .append_pair("corpsecret", texts.secret(&self.secret)?.expose());
        Ok(self.receiver.get(Secret::new(url.into())))
    }

    fn send(&self, texts: &Texts<'_>, token: &Secret<String>) -> Result<HttpRequest, RenderError> {
        let content = texts.text(&self.message)?;
        let (text, markdown) = if self.is_markdown { ("", content.as_str()) } else { (content.as_str(), "") };
        let message = Message {
            text: Content { content: text },
            touser: texts.text(&self.to_user)?,
            toparty: texts.text(&self.to_party)?,
            totag: texts.text(&self.to_tag)?,
            agentid: texts.text(&self.agent_id)?,
            safe: "0",
            msgtype: if self.is_markdown { "markdown" } else { "text" },
            markdown: Content { content: markdown },
        };
        let mut url = below(&self.url, "message/send");
        url.query_pairs_mut().append_pair("access_token", token.expose());
        self.receiver.json("POST", Secret::new(url.into()), &message)
    }
}

impl Sink for WeChat {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let request = match self.token(attempt.now) {
            Some(token) => self.send(&texts, &token)?,
            None => self.ask_for_token(&texts)?,
        };
        Ok(Request::Http(request))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return super::super::foreign_response() };
        let retry = |kind, reason: String, is_ambiguous| {
            keep_doubt(Outcome::Retry { after_ms: retry_after_ms(response), kind, reason, is_ambiguous }, attempt)
        };
        if *status != 200 {
            let kind = match status {
                401 | 403 => ErrorKind::Auth,
                429 => ErrorKind::RateLimited,
                _ => ErrorKind::Unreachable,
            };
            return retry(kind, format!("WeCom answered {status}"), kind == ErrorKind::Unreachable);
        }
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        if let Some(token) = reply["access_token"].as_str().filter(|token| !token.is_empty()) {
            *self.token.lock() = Some(Token { value: Secret::new(token.to_owned()), since: attempt.now });
            return Outcome::Next { remote: None, step: SEND };
        }
        match reply["errcode"].as_i64() {
            Some(0) => delivered(response),
            Some(TOKEN_EXPIRED) => {
                *self.token.lock() = None;
                retry(ErrorKind::Auth, "WeCom answered that the access token has expired".into(), false)
            }
            Some(code) => {
                let said = self.receiver.quote(reply["errmsg"].as_str().unwrap_or_default());
                Outcome::Rejected { kind: ErrorKind::Rejected, reason: format!("WeCom refused with {code}: {said}") }
            }
            None => retry(ErrorKind::Unreachable, "WeCom answered with something other than its JSON".into(), true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, shown};
    use super::*;
    use crate::model::delivery::Progress;
    use crate::sinks::tests::{attempt, build_error, build_from, json_answer, setting};

    pub fn check(request: &Request) -> Result<(), String> {
        let Request::Http(request) = request else { return Err("not an HTTP request".into()) };
        match (request.method, serde_json::from_slice::<Value>(&request.body)) {
            ("GET", _) => Ok(()),
            (_, Ok(body)) if body["msgtype"].is_string() => Ok(()),
            _ => Err("no message".into()),
        }
    }

    const BARE: &str = "api_secret: 7q2mVb9r\ncorp_id: ww1a2b\nagent_id: '7'\nto_user: u\nto_party: ''\nto_tag: ''\nmessage: M\n\
                        api_url: https://qyapi.weixin.example/cgi-bin\n";

    #[test]
    fn a_token_is_asked_for_once_and_again_when_it_is_old() {
        let sink = build_from(&SPEC, BARE, &setting());
        let (notification, first) = (firing(), Progress::default());
        let at = attempt(&notification, &first);
        insta::assert_snapshot!(shown(sink.request(&at).unwrap()), @"GET https://qyapi.weixin.example/cgi-bin/gettoken?corpid=ww1a2b&corpsecret=7q2mVb9r");
        let token = json_answer(200, r#"{"errcode":0,"errmsg":"ok","access_token":"acc3ss-t0ken","expires_in":7200}"#);
        assert_eq!(sink.outcome(&at, &token), Outcome::Next { remote: None, step: SEND });
        insta::assert_snapshot!(shown(sink.request(&at).unwrap()), @r#"
        POST https://qyapi.weixin.example/cgi-bin/message/send?access_token=acc3ss-t0ken
        content-type: application/json

        {"text":{"content":"M"},"touser":"u","agentid":"7","safe":"0","msgtype":"text","markdown":{"content":""}}
        "#);
        assert!(matches!(
            sink.outcome(&at, &json_answer(200, r#"{"errcode":0,"errmsg":"ok"}"#)),
            Outcome::Delivered { .. }
        ));
        let later = Attempt { now: at.now + TOKEN_AGE_MAX, ..at };
        assert!(shown(sink.request(&later).unwrap()).starts_with("GET "));
        let expired = json_answer(200, r#"{"errcode":42001,"errmsg":"access_token expired"}"#);
        assert!(matches!(sink.outcome(&at, &expired), Outcome::Retry { .. }));
        assert!(shown(sink.request(&at).unwrap()).starts_with("GET "));
    }

    #[test]
    fn answers_and_keys() {
        let sink = build_from(&SPEC, BARE, &setting());
        let (notification, progress) = (firing(), Progress::default());
        let at = attempt(&notification, &progress);
        for status in [201, 302, 400, 404, 503] {
            assert!(matches!(sink.outcome(&at, &json_answer(status, "{}")), Outcome::Retry { .. }), "{status}");
        }
        let refused = sink.outcome(&at, &json_answer(200, r#"{"errcode":40013,"errmsg":"invalid corpid"}"#));
        assert!(matches!(refused, Outcome::Rejected { .. }));
        let error = build_error(&SPEC, &format!("{BARE}message_type: html\n"));
        assert!(error.contains("message_type"), "{error}");
    }
}
