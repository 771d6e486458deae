//! E-mail over SMTP: one thread per incident, plain text and HTML.
//!
//! Decides headers and body of the message; the transport is `runtime/deliver.rs`. A mail cannot be
//! edited, so quiet updates are not sent. The Message-ID derives from the delivery: a message that is
//! sent again after a lost connection has the same one, and most receivers then show it once.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message, MultiPart, MultiPartKind};
use serde::{Deserialize, Serialize};

use super::{
    Attempt, Connection, MailRequest, MailSecurity, MailServer, Outcome, Rate, RenderError, Request, Response, Setting,
    Sink, SinkSpec, TlsSetting, document, mail, quote,
};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::NotificationKind;
use crate::render::text::{self, Unit};
use crate::render::{Document, Templates, dialect};

pub const SPEC: SinkSpec = SinkSpec {
    name: "email",
    title: "e-mail over SMTP, one thread per incident",
    docs: DOCS,
    example: "host: mail.example\n\
              user: watchbell\n\
              password: Tr0ub4dor-horse\n\
              from: Watchbell <watchbell@example.org>\n\
              to: [ops@example.org, On Call <on-call@example.org>]\n",
    // Microsoft 365 takes 30 messages a minute from one mailbox.
    rate: Rate { count: 30, per_ms: 60_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
- `host`, `port`: the submission server; the port follows from `security`: 587, 465 or 25.
- `security`: `starttls` (default, required), `tls` or `none`.
- `user`, `password`: sent only over an encrypted connection, or to this machine itself.
- `ca_pem`: file of an own certificate authority. `hello`: name to say in EHLO.
- `from`: one address, with or without a name. `to`: a list of them.
- `subject_prefix`: put before every subject, for filters.
- `title_template`, `template`: replace the subject's text and the body (minijinja).

All mails about one incident answer the first one and share its subject; the news is the first line.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    to: Vec<String>,
    from: String,
    host: String,
    port: Option<u16>,
    #[serde(default = "default_security")]
    security: MailSecurity,
    user: Option<String>,
    password: Option<Secret<String>>,
    ca_pem: Option<String>,
    hello: Option<String>,
    subject_prefix: Option<String>,
    title_template: Option<String>,
    template: Option<String>,
}

const fn default_security() -> MailSecurity {
    MailSecurity::Starttls
}

struct Email {
    setting: Setting,
    templates: Templates,
    server: MailServer,
    from: Mailbox,
    to: Vec<Mailbox>,
    subject_prefix: String,
}

/// The first mail of an incident, which the later ones answer.
#[derive(Debug, Serialize, Deserialize)]
struct Thread {
    message_id: String,
    subject: String,
}

/// Recipients of one sink; more belong into a mailing list.
const RECIPIENTS_MAX: usize = 50;

/// Characters of a subject before the incident's id.
const SUBJECT_CHARS_MAX: usize = 160;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    if keys.to.is_empty() || keys.to.len() > RECIPIENTS_MAX {
        let message = format!("expected 1 to {RECIPIENTS_MAX} addresses, got {}", keys.to.len());
        return Err(ConfigError::new("to", message));
    }
    let to = keys.to.iter().enumerate().map(|(index, text)| read_mailbox(&format!("to[{index}]"), text));
    let to = to.collect::<Result<_, _>>()?;
    let from = read_mailbox("from", &keys.from)?;
    if keys.user.is_some() != keys.password.is_some() {
        return Err(ConfigError::new("user", "expected `user` and `password` together, got one of them"));
    }
    let is_local = matches!(keys.host.as_str(), "localhost" | "127.0.0.1" | "::1");
    if keys.security == MailSecurity::None && keys.password.is_some() && !is_local {
        return Err(ConfigError::new("security", "`none` would send the password unencrypted to another machine"));
    }
    let port = keys.port.unwrap_or(match keys.security {
        MailSecurity::Starttls => 587,
        MailSecurity::Tls => 465,
        MailSecurity::None => 25,
    });
    let server = MailServer {
        host: keys.host,
        port,
        security: keys.security,
        user: keys.user,
        password: keys.password,
        tls: TlsSetting { ca_pem: keys.ca_pem, ..TlsSetting::default() },
        hello: keys.hello,
    };
    let templates = Templates::new(keys.title_template.as_deref(), keys.template.as_deref())?;
    let subject_prefix = text::one_line(&keys.subject_prefix.unwrap_or_default());
    Ok(Box::new(Email { setting: setting.clone(), templates, server, from, to, subject_prefix }))
}

fn read_mailbox(path: &str, text: &str) -> Result<Mailbox, ConfigError> {
    text.parse().map_err(|_| {
        let message = format!("expected an address such as `Ops <ops@example.org>`, got `{}`", quote(text, &[]));
        ConfigError::new(path, message)
    })
}

impl Email {
    /// The incident's thread; this very message begins it when there is none yet.
    fn thread(&self, attempt: &Attempt<'_>, document: &Document) -> Thread {
        let known = attempt.progress.remote.as_deref().and_then(|remote| serde_json::from_str::<Thread>(remote).ok());
        if let Some(thread) = known {
            return thread;
        }
        let headline = text::clip(&document.headline, SUBJECT_CHARS_MAX, Unit::Chars);
        let incident = attempt.notification.incident.id.to_string();
        let subject = format!("{} {headline} [{incident}]", self.subject_prefix);
        Thread { message_id: self.message_id(attempt.delivery), subject: subject.trim().to_owned() }
    }

    fn message_id(&self, delivery: &str) -> String {
        format!("<{}@{}>", mail::message_id_local(delivery), self.from.email.domain())
    }

    fn message(&self, attempt: &Attempt<'_>) -> Result<Vec<u8>, RenderError> {
        let document = document(&self.setting, &self.templates, attempt.notification);
        let thread = self.thread(attempt, &document);
        let message_id = self.message_id(attempt.delivery);
        let mut builder = Message::builder()
            .from(self.from.clone())
            .subject(text::one_line(&thread.subject))
            .date(mail::date(attempt.now))
            .message_id(Some(message_id.clone()))
            // No holiday notices in answer to an alert (RFC 3834, and what Exchange listens to).
            .raw_header(mail::header("Auto-Submitted", "auto-generated"))
            .raw_header(mail::header("X-Auto-Response-Suppress", "All"));
        for mailbox in &self.to {
            builder = builder.to(mailbox.clone());
        }
        if thread.message_id != message_id {
            let first = text::one_line(&thread.message_id);
            builder = builder.in_reply_to(first.clone()).references(first);
        }
        let parts = MultiPart::builder()
            .kind(MultiPartKind::Alternative)
            .boundary(mail::boundary(attempt.delivery))
            .singlepart(mail::part(ContentType::TEXT_PLAIN, dialect::plain(&document)))
            .singlepart(mail::part(ContentType::TEXT_HTML, dialect::html(&document)));
        let message = builder.multipart(parts).map_err(|error| RenderError(error.to_string()))?;
        Ok(message.formatted())
    }
}

impl Sink for Email {
    fn connection(&self) -> Connection<'_> {
        Connection::Mail { server: &self.server, ca_key: "ca_pem" }
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        if attempt.notification.kind == NotificationKind::Updated {
            return Ok(Request::Skip("a mail cannot be edited, and a quiet update is no reason for another"));
        }
        Ok(Request::Mail(MailRequest {
            server: self.server.clone(),
            from: self.from.email.to_string(),
            to: self.to.iter().map(|mailbox| mailbox.email.to_string()).collect(),
            message: self.message(attempt)?,
        }))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let secret = self.server.password.as_ref().map_or("", |password| password.expose());
        let mut outcome = mail::outcome(response, &[secret]);
        if let Outcome::Delivered { remote, .. } = &mut outcome {
            let document = document(&self.setting, &self.templates, attempt.notification);
            *remote = serde_json::to_string(&self.thread(attempt, &document)).ok();
        }
        outcome
    }
}

#[cfg(test)]
pub(super) mod tests;
