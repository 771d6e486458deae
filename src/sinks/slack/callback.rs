//! What Slack sends back: buttons of messages, and a slash command. Signed with the app's signing secret over the time and
//! the raw body.
//!
//! A press of a button is answered with an empty 200, which is all that Slack looks at; words for the person go to the
//! `response_url` of the request, seen by nobody else. A slash command is answered in the same breath.

use hmac::{Hmac, Mac};
use http::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::blocks;
use crate::error::Secret;
use crate::model::{Span, Timestamp};
use crate::render::dialect::slack_text;
use crate::sinks::callback::{Account, Action, Answer, Callbacks, Heard, Inbound, Refusal, Reply, Spoken, Wish};
use crate::sinks::json_request;

/// A request that was signed earlier or later than this is refused.
const AGE_MAX: Span = Span::from_mins(5);
const SIGNATURE: &str = "x-slack-signature";
const SIGNED_AT: &str = "x-slack-request-timestamp";
/// Where answers to a press of a button go.
const ANSWERS_AT: &str = "https://hooks.slack.com/";

pub struct SlackCallbacks {
    pub signing_secret: Secret<String>,
    /// Of the API, where it is not Slack's own: a test's or a proxy's, which takes answers as well.
    pub base_url: String,
}

impl Callbacks for SlackCallbacks {
    fn greet(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Refusal> {
        header(headers, SIGNATURE)?;
        signed_at(headers, now).map(drop)
    }

    fn hear(&self, inbound: &Inbound<'_>) -> Result<Heard, Refusal> {
        let at = signed_at(inbound.headers, inbound.now)?;
        self.verify(inbound, at)?;
        if inbound.body.first() == Some(&b'{') {
            return handshake(inbound.body);
        }
        let form: Vec<(String, String)> = form_urlencoded::parse(inbound.body).into_owned().collect();
        let field = |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        if field("ssl_check") == Some("1") {
            return Ok(Heard::Formality(Reply::empty()));
        }
        let (account, action, reply_to) = match field("payload") {
            Some(payload) => match pressed(payload)? {
                Some(pressed) => pressed,
                None => return Ok(Heard::Formality(Reply::empty())),
            },
            None => {
                let id =
                    field("user_id").ok_or_else(|| unreadable("neither `payload` nor `user_id` is in the form"))?;
                let name = field("user_name").unwrap_or(id);
                let account = Account { id: id.to_owned(), name: name.to_owned() };
                (account, Action::from_words(field("text").unwrap_or_default()), None)
            }
        };
        let stamp = Sha256::digest([at.text.as_bytes(), b":", inbound.body].concat()).into();
        Ok(Heard::Wish(Box::new(Wish { account, action, stamp, valid_until: at.at + AGE_MAX, reply_to })))
    }

    fn answer(&self, wish: &Wish, answer: &Answer) -> Spoken {
        let said = json!({
            "response_type": "ephemeral",
            "replace_original": false,
            "text": slack_text(&answer.text),
            "blocks": blocks::answer(&answer.text, &answer.choices),
        });
        match &wish.reply_to {
            None => Spoken { reply: Reply::json(&said), aside: None },
            Some(_) if answer.shows_in_message => Spoken { reply: Reply::empty(), aside: None },
            Some(url) if self.takes_answers(url) => {
                let aside = json_request("POST", Secret::new(url.clone()), None, Some(&said));
                Spoken { reply: Reply::empty(), aside: Some(aside) }
            }
            Some(_) => Spoken { reply: Reply::empty(), aside: None },
        }
    }
}

impl SlackCallbacks {
    fn verify(&self, inbound: &Inbound<'_>, at: SignedAt<'_>) -> Result<(), Refusal> {
        let wrong = || Refusal::Unauthenticated("the signature does not fit: is it this app's signing secret?".into());
        let given = header(inbound.headers, SIGNATURE)?.strip_prefix("v0=").ok_or_else(wrong)?;
        let given = base16ct::mixed::decode_vec(given).map_err(|_| wrong())?;
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.signing_secret.expose().as_bytes()) else {
            return Err(wrong());
        };
        mac.update(b"v0:");
        mac.update(at.text.as_bytes());
        mac.update(b":");
        mac.update(inbound.body);
        mac.verify_slice(&given).map_err(|_| wrong())
    }

    /// The address came signed, and is looked at all the same.
    fn takes_answers(&self, url: &str) -> bool {
        let origin = |url: &str| reqwest::Url::parse(url).ok().map(|url| url.origin());
        url.starts_with(ANSWERS_AT) || origin(url).is_some_and(|theirs| Some(theirs) == origin(&self.base_url))
    }
}

#[derive(Clone, Copy)]
struct SignedAt<'a> {
    text: &'a str,
    at: Timestamp,
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Result<&'a str, Refusal> {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.ok_or_else(|| Refusal::Unauthenticated(format!("the header `{name}` is missing")))
}

fn signed_at(headers: &HeaderMap, now: Timestamp) -> Result<SignedAt<'_>, Refusal> {
    let text = header(headers, SIGNED_AT)?;
    let wrong = |what: &str| Refusal::Unauthenticated(format!("`{SIGNED_AT}`: {what}"));
    let seconds = text.parse::<i64>().map_err(|_| wrong("expected Unix seconds"))?;
    let at = Timestamp::from_millis(seconds.saturating_mul(1_000));
    let distance_ms = now.since(at).as_millis().saturating_abs();
    match distance_ms <= AGE_MAX.as_millis() {
        true => Ok(SignedAt { text, at }),
        false => Err(wrong("more than five minutes away from our time: an old request, or a clock that is wrong")),
    }
}

fn unreadable(what: &str) -> Refusal {
    Refusal::Unreadable(what.to_owned())
}

/// The Events API asks once whether the address is ours.
fn handshake(body: &[u8]) -> Result<Heard, Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|_| unreadable("the body is not JSON"))?;
    match (body["type"].as_str(), body["challenge"].as_str()) {
        (Some("url_verification"), Some(challenge)) => Ok(Heard::Formality(Reply::text(challenge))),
        _ => Ok(Heard::Formality(Reply::empty())),
    }
}

type Pressed = (Account, Action, Option<String>);

/// Nothing where it is no button of ours: a link that was opened is reported as well.
fn pressed(payload: &str) -> Result<Option<Pressed>, Refusal> {
    let payload: Value = serde_json::from_str(payload).map_err(|_| unreadable("`payload` is not JSON"))?;
    if payload["type"] != "block_actions" {
        return Ok(None);
    }
    let Some(token) = payload["actions"][0]["value"].as_str() else { return Ok(None) };
    let user = &payload["user"];
    let id = user["id"].as_str().ok_or_else(|| unreadable("`payload.user.id` is missing"))?;
    let name = user["username"].as_str().or_else(|| user["name"].as_str()).unwrap_or(id);
    let account = Account { id: id.to_owned(), name: name.to_owned() };
    Ok(Some((account, Action::from_token(token), payload["response_url"].as_str().map(str::to_owned))))
}
