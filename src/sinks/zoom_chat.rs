//! Zoom Team Chat: one message for each incident, edited in place, news as replies in its thread.
//!
//! Decides which call comes next and what an answer means. Markdown is not asked for, so what an alert says is
//! shown as it is; mentions and addresses in it are broken up. A chatbot gets its token by client credentials,
//! which `runtime/deliver.rs` keeps. Zoom has no idempotency key and no search for what a chatbot sent: after
//! an unclear answer a message or a reply may come twice. An incoming webhook can neither edit nor reply.
//! Chatbot API, read 2026-11-21: <https://developers.zoom.us/docs/team-chat>.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::chat::{self, Call};
use super::{
    Attempt, Connection, HttpClient, OAuth2, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec,
    document, foreign_response, json_request, keep_doubt, read_address,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::render::text::{self, Unit};
use crate::render::{Document, Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "zoom_chat",
    title: "Zoom Team Chat: one message per incident, kept up to date",
    docs: DOCS,
    example: "client_id: kVqe1fJ0Swi6PtBz0tIZxA\nclient_secret: 2VN0n8q7ZyE4XcBqkLm1Rr6pTtUuWw\naccount_id: 4kV2rQ8yR1mT9xZb7LdE0w\n\
              robot_jid: v1pky3tyBBB5pl8q@xmpp.zoom.us\nto_jid: 8a4b1c2d3e4f@conference.xmpp.zoom.us\n",
    // Of an account without a plan; others may have ten times as many.
    rate: Rate { count: 2, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
With a chatbot, best (an app of the Zoom Marketplace with Team Chat and the scope `imchat:bot`):

- `client_id`, `client_secret`: of the app. `account_id`: of the account where it is installed.
- `robot_jid`: the bot's JID, from the app's page. `to_jid`: of the channel (`…@conference.xmpp.zoom.us`) or
  of a person.
- `user_jid`: of the person who authorised the app, where the app is not managed by an administrator.
- `base_url`: default `https://api.zoom.us/v2`. `token_url`: default `https://zoom.us/oauth/token`.

Or `webhook_url` and `verification_token`, as `/inc connect` in the channel gives them: nothing can be edited
then, so quiet updates are left out.

After an unclear answer a message may come twice. `title_template` and `template` replace the headline and the
text below it (minijinja).
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    client_id: Option<String>,
    client_secret: Option<Secret<String>>,
    account_id: Option<String>,
    robot_jid: Option<String>,
    to_jid: Option<String>,
    user_jid: Option<String>,
    base_url: Option<String>,
    token_url: Option<String>,
    webhook_url: Option<Secret<String>>,
    verification_token: Option<Secret<String>>,
    title_template: Option<String>,
    template: Option<String>,
}

struct Zoom {
    setting: Setting,
    templates: Templates,
    way: Way,
}

enum Way {
    Bot(Box<Bot>),
    Webhook { url: Secret<String>, token: Secret<String> },
}

struct Bot {
    client: Arc<HttpClient>,
    client_secret: Secret<String>,
    account_id: String,
    robot_jid: String,
    to_jid: String,
    user_jid: Option<String>,
    url: String,
}

/// The incident's message.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    zoom_message: String,
}

/// Of all text of a message, and of one line of its head.
const TEXT_CHARS_MAX: usize = 4_096;
const HEAD_CHARS_MAX: usize = 250;
/// Kept free for the footer and for the mark that something is missing.
const RESERVE_CHARS: usize = 200;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let is_webhook = keys.webhook_url.is_some() || keys.verification_token.is_some();
    let templates = Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?;
    let bot = (keys.client_id, keys.client_secret, keys.account_id, keys.robot_jid, keys.to_jid);
    let way = match (bot, keys.webhook_url, keys.verification_token) {
        ((Some(client_id), Some(secret), Some(account_id), Some(robot_jid), Some(to_jid)), None, None) => {
            let base_url = read_address("base_url", keys.base_url.as_deref().unwrap_or("https://api.zoom.us/v2"))?;
            let token_url = keys.token_url.as_deref().unwrap_or("https://zoom.us/oauth/token");
            let oauth2 = OAuth2 {
                client_id,
                client_secret: Some(secret.clone()),
                scopes: Vec::new(),
                token_url: Secret::new(read_address("token_url", token_url)?),
                endpoint_params: BTreeMap::new(),
                client: HttpClient::default(),
            };
            Way::Bot(Box::new(Bot {
                client: Arc::new(HttpClient { oauth2: Some(Arc::new(oauth2)), ..HttpClient::default() }),
                client_secret: secret,
                account_id,
                robot_jid: read_jid("robot_jid", &robot_jid)?,
                to_jid: read_jid("to_jid", &to_jid)?,
                user_jid: keys.user_jid.map(|jid| read_jid("user_jid", &jid)).transpose()?,
                url: format!("{base_url}/im/chat/messages"),
            }))
        }
        ((None, None, None, None, None), Some(url), Some(token)) if keys.base_url.is_none() => Way::Webhook {
            url: Secret::new(read_address("webhook_url", url.expose())?),
            token: chat::read_token("verification_token", token)?,
        },
        _ if is_webhook => {
            return Err(ConfigError::new("webhook_url", "expected `webhook_url` and `verification_token` alone"));
        }
        _ => {
            let expected = "expected `client_id`, `client_secret`, `account_id`, `robot_jid` and `to_jid`, \
                            or `webhook_url` and `verification_token`";
            return Err(ConfigError::new("client_id", expected));
        }
    };
    Ok(Box::new(Zoom { setting: setting.clone(), templates, way }))
}

fn read_jid(key: &str, text: &str) -> Result<String, ConfigError> {
    match text.trim().split_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() => Ok(text.trim().to_owned()),
        _ => Err(ConfigError::new(key, format!("expected a JID such as `…@xmpp.zoom.us`, got `{text}`"))),
    }
}

impl Sink for Zoom {
    fn connection(&self) -> Connection<'_> {
        match &self.way {
            Way::Bot(bot) => Connection::Http(&bot.client),
            Way::Webhook { .. } => Connection::Usual,
        }
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let bot = match &self.way {
            Way::Webhook { .. } if !chat::is_news(attempt.notification.kind) => {
                return Ok(Request::Skip(chat::CANNOT_EDIT));
            }
            Way::Webhook { url, token } => {
                let url = reqwest::Url::parse_with_params(url.expose(), [("format", "full")])
                    .map_err(|error| RenderError(error.to_string()))?;
                let token = Some(token.expose().clone());
                let content = self.content(attempt, false);
                return Ok(Request::Http(json_request("POST", Secret::new(url.into()), token, Some(&content))));
            }
            Way::Bot(bot) => bot,
        };
        let call = chat::call::<Message>(attempt);
        let mut body = json!({
            "robot_jid": bot.robot_jid,
            "account_id": bot.account_id,
            "content": self.content(attempt, matches!(call, Call::Reply(_))),
        });
        if let Some(user_jid) = &bot.user_jid {
            body["user_jid"] = user_jid.as_str().into();
        }
        let (method, url) = match call {
            Call::Edit(message) => ("PUT", below(&bot.url, &message.zoom_message)?),
            Call::Post => ("POST", bot.url.clone()),
            Call::Reply(message) => {
                body["reply_to"] = message.zoom_message.into();
                ("POST", bot.url.clone())
            }
        };
        if method == "POST" {
            body["to_jid"] = bot.to_jid.as_str().into();
        }
        let mut request = json_request(method, Secret::new(url), None, Some(&body));
        request.client = Some(Arc::clone(&bot.client));
        Ok(Request::Http(request))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let call = chat::call::<Message>(attempt);
        let id = reply["message_id"].as_str().filter(|id| !id.is_empty());
        let outcome = match (*status, &self.way, call) {
            (200..=204, Way::Webhook { .. }, _) => chat::delivered(None, "answered", &status.to_string()),
            (200..=204, Way::Bot(_), Call::Edit(message)) => chat::edited(attempt, id.unwrap_or(&message.zoom_message)),
            (200..=204, Way::Bot(_), Call::Reply(_)) if id.is_some() => chat::replied(attempt, id.unwrap_or_default()),
            (200..=204, Way::Bot(_), Call::Post) if id.is_some() => {
                let id = id.unwrap_or_default();
                let remote = serde_json::to_string(&Message { zoom_message: id.to_owned() }).ok();
                chat::delivered(remote, "posted", id)
            }
            (404, Way::Bot(_), Call::Edit(_)) => chat::anew(),
            _ => self.refused(*status, &reply, response),
        };
        keep_doubt(outcome, attempt)
    }
}

impl Zoom {
    /// What is shown, whether sent or edited.
    fn content(&self, attempt: &Attempt<'_>, is_reply: bool) -> Value {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let news = document.news.join(" – ");
        let (head, lines) = match is_reply {
            true => (news, vec![message(&document.status, None)]),
            false => (document.headline.clone(), body(&document)),
        };
        let mut content = json!({ "head": { "text": shown(&head, HEAD_CHARS_MAX) }, "body": lines });
        if matches!(self.way, Way::Bot(_)) && !is_reply {
            let colour = chat::colour_hex(&attempt.notification.incident);
            content["settings"] = json!({ "default_sidebar_color": colour });
        }
        content
    }

    fn refused(&self, status: u16, reply: &Value, response: &Response) -> Outcome {
        let said = format!("{} {}", reply["code"], reply["message"].as_str().unwrap_or_default());
        let secrets = match &self.way {
            Way::Bot(bot) => [bot.client_secret.expose(), bot.client_secret.expose()],
            Way::Webhook { url, token } => [url.expose(), token.expose()],
        };
        let said = said.trim_start_matches("null").trim();
        chat::refused(status, response, "Zoom", said, &secrets.map(String::as_str), None)
    }
}

/// News, status and sections, one message part for each line, as far as they fit.
fn body(document: &Document) -> Vec<Value> {
    let mut lines: Vec<(String, Option<&str>)> = vec![(document.news.join(" – "), None)];
    lines.push((document.status.clone(), None));
    for section in &document.sections {
        lines.push((section.label.clone(), None));
        lines.extend(section.lines.iter().map(|line| (line.text.clone(), line.address.as_deref())));
    }
    let (mut parts, mut used) = (Vec::new(), HEAD_CHARS_MAX);
    for (line, address) in lines.iter().filter(|(line, _)| !line.is_empty()) {
        let part = message(line, *address);
        let chars = part["text"].as_str().map_or(0, |text| text.chars().count()) + address.map_or(0, str::len);
        if used + chars + RESERVE_CHARS > TEXT_CHARS_MAX {
            parts.push(message("…", None));
            break;
        }
        used += chars;
        parts.push(part);
    }
    parts.push(message(&text::clip(&document.footer, RESERVE_CHARS / 2, Unit::Chars), None));
    parts
}

fn message(line: &str, address: Option<&str>) -> Value {
    let mut part = json!({"type": "message", "text": shown(line, TEXT_CHARS_MAX / 4)});
    if let Some(address) = address {
        part["link"] = address.into();
    }
    part
}

/// `<!…>` calls somebody where Markdown is on.
fn shown(line: &str, chars_max: usize) -> String {
    text::clip(&dialect::apart(line, "@<"), chars_max, Unit::Chars)
}

fn below(url: &str, id: &str) -> Result<String, RenderError> {
    let mut url = reqwest::Url::parse(url).map_err(|error| RenderError(error.to_string()))?;
    url.path_segments_mut().map_err(|()| RenderError("the address takes no path".into()))?.push(id);
    Ok(url.into())
}

#[cfg(test)]
mod tests;
