//! Google Chat: one card for each incident, edited in place, news in its thread.
//!
//! Decides which call comes next and what an answer means. The card's text is Google's HTML subset, escaped, so
//! no word of an alert calls anybody. An app names its message itself (`messageId`) and each request too
//! (`requestId`), so nothing comes twice and nothing has to be searched for. With a webhook nothing can be
//! edited: each news is a card of its own in the incident's thread; `requestId` keeps it from coming twice.
//!
//! An app shows who it is by a token that it signs itself with its service account's key, one for each request.
//! REST API 1, read 2026-11-21: <https://developers.google.com/workspace/chat/api/reference/rest>.

mod token;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::chat::{self, Call};
use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, document, foreign_response,
    json_request, keep_doubt, read_address,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::NotificationKind;
use crate::render::layout::{self, Limit};
use crate::render::text::{self, Unit};
use crate::render::{Document, Templates, dialect};
use token::ServiceAccount;

pub const SPEC: SinkSpec = SinkSpec {
    name: "google_chat",
    title: "Google Chat: one card per incident, kept up to date",
    docs: DOCS,
    example: "webhook_url: https://chat.googleapis.com/v1/spaces/AAQAtjsc9v4/messages?key=AIzaSyDdI0hCZtE6vySj&token=iKhQzV9tqS8m1k\n",
    // Of a space, which all its webhooks share.
    rate: Rate { count: 1, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
With a Chat app, best:

- `credentials`: the JSON key of a service account of the app's project, as text; `credentials_file` reads it
  from a file. The app is a member of the space.
- `space`: such as `spaces/AAQAtjsc9v4`, from the space's address.
- `base_url`: default `https://chat.googleapis.com`.

Or `webhook_url`, of a webhook of the space: nothing can be edited then, so quiet updates are left out, and
news are cards in the incident's thread.

`title_template` and `template` replace the headline and the text below it (minijinja).
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    credentials: Option<Secret<String>>,
    space: Option<String>,
    base_url: Option<String>,
    webhook_url: Option<Secret<String>>,
    title_template: Option<String>,
    template: Option<String>,
}

struct GoogleChat {
    setting: Setting,
    templates: Templates,
    way: Way,
}

enum Way {
    App { account: Box<ServiceAccount>, space: String, api: String },
    Webhook { url: Secret<String> },
}

/// The incident's message: `spaces/…/messages/…`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    google_message: String,
}

/// A message has about 32,000 bytes with all that is in its cards.
const TEXT: Limit = Limit { max: 14_000, unit: Unit::Bytes };
/// One line each.
const TITLE_CHARS_MAX: usize = 200;
const FALLBACK_CHARS_MAX: usize = 400;
/// `client-` and this many make 63 at most.
const NAME_CHARS: usize = 40;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let way = match (keys.credentials, keys.space, keys.webhook_url) {
        (Some(credentials), Some(space), None) => {
            let name = space.trim().strip_prefix("spaces/").unwrap_or(space.trim());
            let name = chat::read_name("space", name, "-_", "a space such as `spaces/AAQAtjsc9v4`")?;
            let base_url = keys.base_url.as_deref().unwrap_or("https://chat.googleapis.com");
            Way::App {
                account: Box::new(ServiceAccount::read("credentials", &credentials)?),
                space: format!("spaces/{name}"),
                api: format!("{}/v1", read_address("base_url", base_url)?),
            }
        }
        (None, None, Some(url)) if keys.base_url.is_none() => {
            Way::Webhook { url: Secret::new(read_address("webhook_url", url.expose())?) }
        }
        _ => {
            return Err(ConfigError::new("credentials", "expected `credentials` with `space`, or `webhook_url` alone"));
        }
    };
    let templates = Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?;
    Ok(Box::new(GoogleChat { setting: setting.clone(), templates, way }))
}

/// Where no thread of the incident is, the message begins one.
const REPLY_OPTION: &str = "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD";

impl Sink for GoogleChat {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let call = chat::call::<Message>(attempt);
        let with = |url: &str, parameters: &[(&str, &str)]| {
            let url =
                reqwest::Url::parse_with_params(url, parameters).map_err(|error| RenderError(error.to_string()))?;
            Ok(Secret::new(String::from(url)))
        };
        let request_id = request_id(&chat::key(&self.setting, attempt, 32));
        let (method, url, authorization, body) = match (&self.way, &call) {
            (Way::Webhook { .. }, _) if !chat::is_news(attempt.notification.kind) => {
                return Ok(Request::Skip(chat::CANNOT_EDIT));
            }
            (Way::Webhook { url }, _) => {
                let parameters = [("messageReplyOption", REPLY_OPTION), ("requestId", &request_id)];
                ("POST", with(url.expose(), &parameters)?, None, self.threaded(attempt, false))
            }
            (Way::App { account, api, .. }, Call::Edit(message)) => {
                let url = with(&format!("{api}/{}", message.google_message), &[("updateMask", "cardsV2")])?;
                ("PATCH", url, Some(account.authorization(attempt.now)?), self.message(attempt, false))
            }
            (Way::App { account, space, api }, call) => {
                let name = self.name(attempt);
                let parameters =
                    [("messageReplyOption", REPLY_OPTION), ("requestId", &*request_id), ("messageId", &*name)];
                // A reply needs no name: it is never edited.
                let is_reply = matches!(call, Call::Reply(_));
                let parameters = if is_reply { &parameters[..2] } else { &parameters[..] };
                let url = with(&format!("{api}/{space}/messages"), parameters)?;
                ("POST", url, Some(account.authorization(attempt.now)?), self.threaded(attempt, is_reply))
            }
        };
        Ok(Request::Http(json_request(method, url, authorization, Some(&body))))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let call = chat::call::<Message>(attempt);
        let outcome = match (*status, reply["name"].as_str(), &call) {
            (200, Some(name), _) if matches!(self.way, Way::Webhook { .. }) => chat::delivered(None, "posted", name),
            (200, Some(name), Call::Post) if is_name(name) => chat::delivered(remote(name), "posted", name),
            (200, Some(name), Call::Edit(_)) => chat::edited(attempt, name),
            (200, Some(name), Call::Reply(_)) => chat::replied(attempt, name),
            // An earlier try made it, in another state: show the present one.
            (409, _, Call::Post) if reply["error"]["status"] == "ALREADY_EXISTS" => {
                self.exists(attempt, response, &reply)
            }
            (404, _, Call::Edit(_)) if reply["error"]["status"] == "NOT_FOUND" => chat::anew(),
            _ => self.refused(*status, &reply, response),
        };
        keep_doubt(outcome, attempt)
    }
}

impl GoogleChat {
    /// What the app calls the incident's message; another one after the first is gone.
    fn name(&self, attempt: &Attempt<'_>) -> String {
        match attempt.progress.step {
            chat::ANEW => format!("client-{}", chat::key(&self.setting, attempt, NAME_CHARS)),
            _ => format!("client-{}", chat::incident_key(&self.setting, attempt, NAME_CHARS)),
        }
    }

    fn threaded(&self, attempt: &Attempt<'_>, is_reply: bool) -> Value {
        let mut message = self.message(attempt, is_reply);
        message["thread"] = json!({ "threadKey": chat::incident_key(&self.setting, attempt, NAME_CHARS) });
        message
    }

    /// What is shown, whether it is new, edited or a reply.
    fn message(&self, attempt: &Attempt<'_>, is_reply: bool) -> Value {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let paint = if is_reply { layout::reply } else { layout::body };
        let mut card = json!({
            "sections": [{"widgets": [{"textParagraph": {"text": paint(&document, &dialect::CARD, TEXT)}}]}],
        });
        if !is_reply {
            card["header"] = json!({ "title": plain(&document.headline, TITLE_CHARS_MAX) });
        }
        json!({
            "fallbackText": fallback(&document, attempt.notification.kind),
            "cardsV2": [{"cardId": "incident", "card": card}],
        })
    }

    fn exists(&self, attempt: &Attempt<'_>, response: &Response, reply: &Value) -> Outcome {
        let Way::App { space, .. } = &self.way else { return self.refused(409, reply, response) };
        let name = format!("{space}/messages/{}", self.name(attempt));
        Outcome::Next { remote: remote(&name), step: chat::MESSAGE }
    }

    fn refused(&self, status: u16, reply: &Value, response: &Response) -> Outcome {
        let error = &reply["error"];
        let said = ["status", "message"].map(|name| error[name].as_str().unwrap_or_default()).join(" ");
        let secret = match &self.way {
            Way::App { account, .. } => account.key_text(),
            Way::Webhook { url } => url,
        };
        chat::refused(status, response, "Google Chat", said.trim(), &[secret.expose()], None)
    }
}

/// What a phone shows: not parsed, but addresses and mentions are found by who shows it.
fn fallback(document: &Document, kind: NotificationKind) -> String {
    let news = document.news.join(" – ");
    let parts = if kind.is_loud() { [&*document.headline, &*news] } else { [&*news, &*document.headline] };
    plain(&parts.join("\n"), FALLBACK_CHARS_MAX)
}

fn plain(text: &str, chars_max: usize) -> String {
    // `<users/all>` is a mention where text is parsed.
    text::clip(&dialect::apart(text, "@").replace('<', "\u{2039}"), chars_max, Unit::Chars)
}

/// In the form of a UUID.
fn request_id(hex: &str) -> String {
    let at = |from, to| hex.get(from..to).unwrap_or_default();
    [at(0, 8), at(8, 12), at(12, 16), at(16, 20), at(20, 32)].join("-")
}

fn is_name(name: &str) -> bool {
    let is_good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match name.split('/').collect::<Vec<_>>()[..] {
        ["spaces", space, "messages", message] => [space, message].iter().all(|part| part.chars().all(is_good)),
        _ => false,
    }
}

fn remote(name: &str) -> Option<String> {
    serde_json::to_string(&Message { google_message: name.to_owned() }).ok()
}

#[cfg(test)]
mod tests;
