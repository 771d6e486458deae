//! Telephone calls through Twilio: the headline, what happened and the likely cause are read out, twice.
//!
//! Decides who is rung for what: all that is meant to interrupt, nothing else, and the end only where that is
//! asked for. What is read out is text: as XML it is escaped, and addresses are left out. Twilio has no
//! idempotency key, and its list of calls does not say what was read: after an unclear answer the telephone may
//! ring twice, which is better than never.

use serde::Deserialize;
use serde_json::Value;

use super::twilio::{Account, AccountKeys, read_number};
use super::{
    Attempt, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec, chat, document, foreign_response,
    keep_doubt,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::render::dialect::{self, html_text};
use crate::render::layout::{self, Limit};
use crate::render::text::{self, Unit};
use crate::render::{Document, Language, Templates};

pub const SPEC: SinkSpec = SinkSpec {
    name: "twilio_voice",
    title: "telephone calls through Twilio",
    docs: DOCS,
    example: "account_sid: AC2a5f1d0c9b8e7f6a5d4c3b2a1f0e9d8c\napi_key_sid: SK1f2e3d4c5b6a79881f2e3d4c5b6a7988\n\
              api_key_secret: t0pS3cretKeyOfTwilio1234567890ab\nfrom: '+15005550006'\nto: '+4915112345678'\n",
    // What an account may begin unless Twilio was asked for more.
    rate: Rate { count: 1, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `account_sid`, and `auth_token`, or `api_key_sid` with `api_key_secret`.
- `from`: the number that calls. `to`: the number that is called, with `+` and the country; for several people
  configure several sinks.
- `call_at_end`: default `false`; `true` also calls when it is over.
- `base_url`: default `https://api.twilio.com`.
- `title_template` replaces the headline (minijinja).

Rings for what is meant to interrupt: an incident that opens, escalates, rises, is repeated, or nears a
deadline. The text is read in the sink's language. After an unclear answer the telephone may ring twice.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    account_sid: String,
    auth_token: Option<Secret<String>>,
    api_key_sid: Option<String>,
    api_key_secret: Option<Secret<String>>,
    base_url: Option<String>,
    from: String,
    to: String,
    #[serde(default)]
    call_at_end: bool,
    title_template: Option<String>,
}

struct Voice {
    setting: Setting,
    templates: Templates,
    account: Account,
    from: String,
    to: String,
    call_at_end: bool,
}

/// Of the whole instruction.
const TWIML_CHARS_MAX: usize = 4_000;
/// Somewhat more than half a minute of speech.
const SPOKEN: Limit = Limit { max: 600, unit: Unit::Chars };
// Escaping lengthens a text by a factor of six at worst: `"` becomes `&quot;`.
const _: () = assert!(SPOKEN.max * 6 + 160 <= TWIML_CHARS_MAX);

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    Ok(Box::new(Voice {
        setting: setting.clone(),
        templates: Templates::new(keys.title_template.as_deref(), None)?,
        account: Account::read(AccountKeys {
            account_sid: keys.account_sid,
            auth_token: keys.auth_token,
            api_key_sid: keys.api_key_sid,
            api_key_secret: keys.api_key_secret,
            base_url: keys.base_url,
        })?,
        from: read_number("from", &keys.from)?,
        to: read_number("to", &keys.to)?,
        call_at_end: keys.call_at_end,
    }))
}

impl Sink for Voice {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let kind = attempt.notification.kind;
        let rings = kind.is_loud() || kind.is_final() && self.call_at_end;
        if !rings {
            return Ok(Request::Skip("this is no reason to call anybody"));
        }
        let twiml = self.twiml(attempt);
        let fields = [("To", self.to.as_str()), ("From", &self.from), ("Twiml", &twiml)];
        Ok(Request::Http(self.account.create("Calls", &fields)))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let Response::Http { status, body, .. } = response else { return foreign_response() };
        let reply = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let outcome = match (*status, reply["sid"].as_str()) {
            (200 | 201, Some(sid)) => chat::delivered(None, "called", sid),
            _ => self.account.refused(*status, &reply, response),
        };
        keep_doubt(outcome, attempt)
    }
}

impl Voice {
    /// What happens in the call.
    fn twiml(&self, attempt: &Attempt<'_>) -> String {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let (voice, language) = voice(self.setting.language);
        let text = html_text(&spoken(&document));
        format!(
            "<Response><Pause length=\"1\"/><Say voice=\"{voice}\" language=\"{language}\" loop=\"2\">{text}</Say></Response>"
        )
    }
}

/// Sentences: each line ends in a full stop, and nothing is spelled out that nobody can write down.
fn spoken(document: &Document) -> String {
    let text = layout::short(document, &dialect::SMS, SPOKEN);
    let lines = text.lines().map(|line| {
        let words = line.split(' ').filter(|word| !word.contains("//")).collect::<Vec<_>>().join(" ");
        format!("{}. ", words.trim_end_matches(['.', ' ']))
    });
    text::clip(lines.collect::<String>().trim_end(), SPOKEN.max, Unit::Chars)
}

/// The usual voice does not speak all of these, and then says nothing.
const fn voice(language: Language) -> (&'static str, &'static str) {
    match language {
        Language::En => ("Polly.Amy", "en-GB"),
        Language::De => ("Polly.Vicki", "de-DE"),
        Language::Pl => ("Polly.Ewa", "pl-PL"),
        Language::It => ("Polly.Carla", "it-IT"),
        Language::Nb => ("Polly.Liv", "nb-NO"),
    }
}

#[cfg(test)]
mod tests;
