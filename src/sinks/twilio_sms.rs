//! Text messages through Twilio: one for each news of an incident.
//!
//! Decides the text, short and without characters that would double its price. Twilio has no idempotency key:
//! every text ends in the incident and the number of the message, and after an unclear answer the last
//! messages to that telephone are read for it. Nothing can be edited, so quiet updates are left out.
//!
//! ```text
//! POST Messages.json ──▶ done          unclear before ──▶ GET Messages.json ─┬ ours is there ──▶ done
//!                                                                           └ it is not ──▶ POST
//! ```

use serde::Deserialize;
use serde_json::Value;

use super::twilio::{Account, AccountKeys, read_number};
use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, chat, document, foreign_response,
    keep_doubt,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::render::layout::{self, Limit};
use crate::render::text::Unit;
use crate::render::{Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "twilio_sms",
    title: "text messages through Twilio",
    docs: DOCS,
    example: "account_sid: AC2a5f1d0c9b8e7f6a5d4c3b2a1f0e9d8c\nauth_token: 7f6e5d4c3b2a19087f6e5d4c3b2a1908\n\
              from: '+15005550006'\nto: '+4915112345678'\n",
    // Of one long number in the USA; others may send faster.
    rate: Rate { count: 1, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `account_sid`, and `auth_token`, or `api_key_sid` with `api_key_secret`.
- `from`: the number that sends, or `messaging_service_sid`. `to`: the number that is told, with `+` and the
  country; for several people configure several sinks.
- `base_url`: default `https://api.twilio.com`.
- `title_template` replaces the headline (minijinja).

Acknowledgements, the end and all that is meant to interrupt are told, in up to 459 characters; quiet updates
are not.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    account_sid: String,
    auth_token: Option<Secret<String>>,
    api_key_sid: Option<String>,
    api_key_secret: Option<Secret<String>>,
    base_url: Option<String>,
    from: Option<String>,
    messaging_service_sid: Option<String>,
    to: String,
    title_template: Option<String>,
}

struct Sms {
    setting: Setting,
    templates: Templates,
    account: Account,
    /// `From` or `MessagingServiceSid`, and which.
    sender: (&'static str, String),
    to: String,
}

/// Three parts of a long message.
const TEXT_CHARS_MAX: usize = 459;
/// Messages that a look-up reads.
const PAGE_SIZE: &str = "100";

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let sender = match (keys.from, keys.messaging_service_sid) {
        // A name of letters may send where the country allows it.
        (Some(from), None) if from.starts_with('+') => ("From", read_number("from", &from)?),
        (Some(from), None) => ("From", chat::read_name("from", &from, " ", "a number or a name of letters")?),
        (None, Some(service)) => {
            ("MessagingServiceSid", chat::read_name("messaging_service_sid", &service, "", "`MG` and its digits")?)
        }
        _ => return Err(ConfigError::new("from", "expected `from` or `messaging_service_sid`")),
    };
    Ok(Box::new(Sms {
        setting: setting.clone(),
        templates: Templates::new(keys.title_template.as_deref(), None)?,
        account: Account::read(AccountKeys {
            account_sid: keys.account_sid,
            auth_token: keys.auth_token,
            api_key_sid: keys.api_key_sid,
            api_key_secret: keys.api_key_secret,
            base_url: keys.base_url,
        })?,
        sender,
        to: read_number("to", &keys.to)?,
    }))
}

impl Sink for Sms {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        if !chat::is_news(attempt.notification.kind) {
            return Ok(Request::Skip(chat::CANNOT_EDIT));
        }
        if attempt.progress.is_ambiguous {
            let parameters = [("To", self.to.as_str()), ("PageSize", PAGE_SIZE)];
            return Ok(Request::Http(self.account.list("Messages", &parameters)));
        }
        let (name, sender) = &self.sender;
        let fields = [("To", self.to.as_str()), (*name, sender), ("Body", &self.text(attempt))];
        Ok(Request::Http(self.account.create("Messages", &fields)))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let outcome = match (*status, reply["sid"].as_str(), reply["messages"].as_array()) {
            (200, _, Some(messages)) if attempt.progress.is_ambiguous => {
                let mark = mark(attempt);
                let is_ours = |row: &&Value| row["body"].as_str().is_some_and(|body| body.trim_end().ends_with(&mark));
                match messages.iter().find(is_ours).and_then(|row| row["sid"].as_str()) {
                    Some(sid) => chat::delivered(None, "found", sid),
                    None => Outcome::Next { remote: None, step: attempt.progress.step },
                }
            }
            (200 | 201, Some(sid), _) if !attempt.progress.is_ambiguous => chat::delivered(None, "accepted", sid),
            _ => self.account.refused(*status, &reply, response),
        };
        keep_doubt(outcome, attempt)
    }
}

impl Sms {
    fn text(&self, attempt: &Attempt<'_>) -> String {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let mark = mark(attempt);
        // The mark of a cut is one character here and three there.
        let max = TEXT_CHARS_MAX - mark.len() - 3;
        let text = layout::short(&document, &dialect::SMS, Limit { max, unit: Unit::Utf16 });
        format!("{}\n{mark}", text.replace('…', "..."))
    }
}

/// By this a message is known again; nothing else ends so.
fn mark(attempt: &Attempt<'_>) -> String {
    format!("{}/{}", attempt.notification.incident.id, attempt.notification.number)
}

#[cfg(test)]
mod tests;
