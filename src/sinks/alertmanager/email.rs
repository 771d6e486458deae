//! `email_configs`: a mail with the operator's headers, as HTML, as plain text, or both.
//!
//! Decides headers and parts. The Message-ID follows from the delivery where Alertmanager draws one by chance, so a
//! mail that is sent again shows once. In HTML, what alerts say is escaped.

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Mailboxes, Message, MultiPart, MultiPartKind};
use serde::Deserialize;
use std::collections::BTreeMap;

use super::super::{
    Attempt, Connection, MailRequest, MailSecurity, MailServer, Outcome, Rate, RenderError, Request, Response, Setting,
    Sink, SinkSpec, TlsSetting, mail, quote,
};
use super::http_config::TlsConfig;
use super::template::{Template, Texts};
use super::{Receiver, key_hash};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::GroupView;
use crate::render::text::{self, Unit};

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_email",
    title: "`email_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "to: ops@example.org\n\
              from: Watchbell <watchbell@example.org>\n\
              smarthost: mail.example:587\n\
              auth_username: watchbell\n\
              auth_password: Tr0ub4dor-horse\n\
              send_resolved: true\n\
              text: '{{ .CommonAnnotations.summary }}'\n",
    // Microsoft 365 takes 30 messages a minute from one mailbox.
    rate: Rate { count: 30, per_ms: 60_000 },
    build,
    #[cfg(test)]
    check: super::super::email::tests::check,
};

const DOCS: &str = "\
A mail, as Alertmanager writes it.

- `to`, `from`: addresses; templates. `headers`: more headers, or other ones for `Subject`, `To`, `From`.
- `html` (default: Alertmanager's page) and `text` (default: none): the parts; at least one of them.
- `smarthost`: `host:port`; on port 465, or with `force_implicit_tls`, TLS from the first byte. `hello`.
- `require_tls`: STARTTLS, default true. Without it a password goes to this machine only.
- `auth_username` with `auth_password` or `auth_password_file`: PLAIN or LOGIN. CRAM-MD5 (`auth_secret`
  without a password) and an `auth_identity` of its own are not supported.
- `tls_config`: `ca_file`, `cert_file` with `key_file`, `server_name`, `insecure_skip_verify`,
  `min_version`.
- `threading`: `enabled`, and `thread_by_date`: `daily` or `none`; the day is that of UTC.
- `send_resolved`: default false.

A refusal for good (5xx) ends it as failed, where Alertmanager goes on trying.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default)]
    send_resolved: bool,
    to: String,
    from: String,
    hello: Option<String>,
    smarthost: String,
    auth_username: Option<String>,
    auth_password: Option<Secret<String>>,
    auth_secret: Option<Secret<String>>,
    auth_identity: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    html: Option<String>,
    text: Option<String>,
    require_tls: Option<bool>,
    tls_config: Option<TlsConfig>,
    force_implicit_tls: Option<bool>,
    #[serde(default)]
    threading: Threading,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Threading {
    enabled: bool,
    thread_by_date: String,
}

struct Email {
    receiver: Receiver,
    server: MailServer,
    to: Template,
    from: Template,
    headers: Vec<(HeaderName, Template)>,
    html: Template,
    text: Template,
    threading: Threading,
}

const PORT_OF_TLS: u16 = 465;

/// Bytes of one word in a header; a line may have 998 of them.
const WORD_BYTES_MAX: usize = 900;

/// Characters of the group's hash in a thread's name.
const THREAD_HASH_CHARS: usize = 16;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let mut keys: Keys = read_table(table)?;
    let receiver = Receiver::new(setting, keys.send_resolved, None)?;
    let headers = read_headers(&mut keys)?;
    let headers = headers.into_iter().map(|(name, text)| {
        let template = Template::new(setting, &format!("headers.{name}"), text)?;
        let name = HeaderName::new_from_ascii(name.clone())
            .map_err(|_| ConfigError::new(format!("headers.{name}"), "expected a header name such as `X-Team`"))?;
        Ok((name, template))
    });
    let headers = headers.collect::<Result<_, ConfigError>>()?;
    let html = receiver.template("html", keys.html.take(), "{{ template \"email.default.html\" . }}")?;
    let text = receiver.template("text", keys.text.take(), "")?;
    if html.as_ref().is_empty() && text.as_ref().is_empty() {
        return Err(ConfigError::new("html", "expected `html` or `text`, got nothing to send"));
    }
    Ok(Box::new(Email {
        to: Template::new(setting, "to", keys.to.clone())?,
        from: Template::new(setting, "from", keys.from.clone())?,
        threading: std::mem::take(&mut keys.threading),
        server: read_server(keys)?,
        receiver,
        headers,
        html,
        text,
    }))
}

/// Names as `Message-Id`, and the three that every mail has.
fn read_headers(keys: &mut Keys) -> Result<BTreeMap<String, String>, ConfigError> {
    let mut headers = BTreeMap::new();
    for (name, text) in std::mem::take(&mut keys.headers) {
        let canonical = canonical(&name);
        if headers.insert(canonical.clone(), text).is_some() {
            return Err(ConfigError::new("headers", format!("header `{canonical}` comes twice")));
        }
    }
    if keys.threading.enabled {
        if let Some(name) = ["References", "In-Reply-To"].into_iter().find(|name| headers.contains_key(*name)) {
            return Err(ConfigError::new(format!("headers.{name}"), "`threading` writes this header itself"));
        }
        if !matches!(keys.threading.thread_by_date.as_str(), "none" | "daily") {
            return Err(ConfigError::new("threading.thread_by_date", "expected `none` or `daily`"));
        }
    }
    for (name, text) in [
        ("Subject", "{{ template \"email.default.subject\" . }}"),
        ("To", keys.to.as_str()),
        ("From", keys.from.as_str()),
    ] {
        headers.entry(name.to_owned()).or_insert_with(|| text.to_owned());
    }
    Ok(headers)
}

fn canonical(name: &str) -> String {
    let parts = name.split('-').map(|part| {
        let mut letters = part.chars();
        let first = letters.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(letters.map(|letter| letter.to_ascii_lowercase())).collect::<String>()
    });
    parts.collect::<Vec<_>>().join("-")
}

fn read_server(keys: Keys) -> Result<MailServer, ConfigError> {
    let (host, port) = keys
        .smarthost
        .rsplit_once(':')
        .and_then(|(host, port)| Some((host.trim_start_matches('[').trim_end_matches(']'), port.parse::<u16>().ok()?)))
        .filter(|(host, _)| !host.is_empty())
        .ok_or_else(|| {
            let got = quote(&keys.smarthost, &[]);
            ConfigError::new(
                "smarthost",
                format!("expected a host and a port such as `mail.example.org:587`, got `{got}`"),
            )
        })?;
    let user = keys.auth_username.filter(|user| !user.is_empty());
    let password = keys.auth_password.filter(|password| !password.expose().is_empty());
    if user.is_some() && password.is_none() {
        let message = match keys.auth_secret {
            Some(_) => "CRAM-MD5 is not supported; give `auth_password` too, for PLAIN or LOGIN",
            None => "expected `auth_password` beside `auth_username`",
        };
        return Err(ConfigError::new("auth_password", message));
    }
    if keys.auth_identity.as_ref().is_some_and(|identity| !identity.is_empty() && Some(identity) != user.as_ref()) {
        return Err(ConfigError::new("auth_identity", "another identity than `auth_username` is not supported"));
    }
    let security = match keys.force_implicit_tls.unwrap_or(port == PORT_OF_TLS) {
        true => MailSecurity::Tls,
        false if keys.require_tls.unwrap_or(true) => MailSecurity::Starttls,
        false => MailSecurity::None,
    };
    let is_local = matches!(host, "localhost" | "127.0.0.1" | "::1");
    if security == MailSecurity::None && user.is_some() && !is_local {
        return Err(ConfigError::new("require_tls", "`false` would send the password unencrypted to another machine"));
    }
    let tls = keys.tls_config.map(|tls| tls.read("tls_config")).transpose()?;
    Ok(MailServer {
        host: host.to_owned(),
        port,
        security,
        password: if user.is_some() { password } else { None },
        user,
        tls: tls.unwrap_or_else(TlsSetting::default),
        hello: keys.hello.filter(|hello| !hello.is_empty()),
    })
}

impl Email {
    fn message(
        &self,
        attempt: &Attempt<'_>,
        group: &GroupView,
        texts: &Texts<'_>,
        from: &Mailbox,
    ) -> Result<Vec<u8>, RenderError> {
        let mut builder = Message::builder().date(mail::date(attempt.now));
        let mut has_id = false;
        for (name, template) in &self.headers {
            let value = header_line(&texts.text(template)?);
            has_id |= name.eq_ignore_ascii_case("Message-Id");
            builder = builder.raw_header(HeaderValue::new(name.clone(), value));
        }
        if !has_id {
            let id = format!("<{}@{}>", mail::message_id_local(attempt.delivery), from.email.domain());
            builder = builder.message_id(Some(id));
        }
        if self.threading.enabled {
            let root = self.thread(attempt, group);
            builder = builder.references(root.clone()).in_reply_to(root);
        }
        let mut parts =
            MultiPart::builder().kind(MultiPartKind::Alternative).boundary(mail::boundary(attempt.delivery)).build();
        if !self.text.as_ref().is_empty() {
            parts = parts.singlepart(mail::part(ContentType::TEXT_PLAIN, texts.text(&self.text)?));
        }
        // The preferred form comes last (RFC 2046, section 5.1.4).
        if !self.html.as_ref().is_empty() {
            parts = parts.singlepart(mail::part(ContentType::TEXT_HTML, texts.html(&self.html)?));
        }
        let message = builder.multipart(parts).map_err(|error| RenderError(error.to_string()))?;
        Ok(message.formatted())
    }

    /// The name of a mail that was never sent, which all of a thread answer.
    fn thread(&self, attempt: &Attempt<'_>, group: &GroupView) -> String {
        let hash = key_hash(&group.key);
        let at = attempt.notification.at.to_string();
        let day = match self.threading.thread_by_date.as_str() {
            "none" => "",
            _ => at.split('T').next().unwrap_or_default(),
        };
        format!("<alert-{}-{day}@alertmanager>", &hash[..THREAD_HASH_CHARS])
    }
}

/// A header's value. Lines are folded between words, and no server takes a line without an end.
fn header_line(value: &str) -> String {
    let line = text::one_line(value);
    let words = line.split(' ').map(|word| text::clip(word, WORD_BYTES_MAX, Unit::Bytes));
    words.collect::<Vec<_>>().join(" ")
}

fn addresses(key: &str, text: &str) -> Result<Vec<Mailbox>, RenderError> {
    let read: Result<Mailboxes, _> = text.parse();
    let mailboxes: Vec<Mailbox> = read.map_err(|error| RenderError(format!("`{key}`: {error}")))?.into();
    match mailboxes.is_empty() {
        true => Err(RenderError(format!("`{key}` renders to no address"))),
        false => Ok(mailboxes),
    }
}

impl Sink for Email {
    fn connection(&self) -> Connection<'_> {
        Connection::Mail { server: &self.server, ca_key: "tls_config.ca" }
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let senders = addresses("from", &texts.text(&self.from)?)?;
        let [from] = senders.as_slice() else {
            return Err(RenderError(format!("`from` renders to {} addresses, expected one", senders.len())));
        };
        let to = addresses("to", &texts.text(&self.to)?)?;
        Ok(Request::Mail(MailRequest {
            server: self.server.clone(),
            from: from.email.to_string(),
            to: to.iter().map(|mailbox| mailbox.email.to_string()).collect(),
            message: self.message(attempt, &group, &texts, from)?,
        }))
    }

    fn outcome(&self, _attempt: &Attempt<'_>, response: &Response) -> Outcome {
        let secret = self.server.password.as_ref().map_or("", |password| password.expose());
        mail::outcome(response, &[secret])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, request_of};
    use super::*;
    use crate::sinks::tests::build_error;

    const BARE: &str = "to: ops@example.org, Anna <anna@example.org>\nfrom: Bell <bell@example.org>\nsmarthost: mail.example:25\n\
                        headers: { subject: 'Störung: disk', x-team: storage }\nsend_resolved: true\n";

    fn mail(yaml: &str) -> MailRequest {
        match request_of(&SPEC, yaml, &firing()) {
            Request::Mail(request) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_mail_has_the_operators_headers_and_parts() {
        let request = mail(&format!(
            "{BARE}html: '<b>Disk</b> voll – jetzt'\ntext: Disk\nthreading: {{ enabled: true, thread_by_date: daily }}\n"
        ));
        assert_eq!(request.to, ["ops@example.org", "anna@example.org"]);
        insta::assert_snapshot!(String::from_utf8(request.message).unwrap().replace("\r\n", "\n"), @r#"
        Date: Sat, 21 Nov 2026 05:12:00 +0000
        From: Bell <bell@example.org>
        Subject: =?utf-8?b?U3TDtnJ1bmc6?= disk
        To: ops@example.org, Anna <anna@example.org>
        X-Team: storage
        Message-ID: <inc-7h3kq0v9zd.1.ops/test@example.org>
        References: <alert-39e9a3f603495189-2026-11-21@alertmanager>
        In-Reply-To: <alert-39e9a3f603495189-2026-11-21@alertmanager>
        MIME-Version: 1.0
        Content-Type: multipart/alternative;
         boundary="=_wb_f2390041a19a2c1588367bac"

        --=_wb_f2390041a19a2c1588367bac
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        Disk
        --=_wb_f2390041a19a2c1588367bac
        Content-Type: text/html; charset=utf-8
        Content-Transfer-Encoding: quoted-printable

        <b>Disk</b> voll =E2=80=93 jetzt
        --=_wb_f2390041a19a2c1588367bac--
        "#);
    }

    #[test]
    fn a_thread_may_last_for_ever() {
        let request = mail(&format!("{BARE}html: x\nthreading: {{ enabled: true, thread_by_date: none }}\n"));
        let message = String::from_utf8(request.message).unwrap();
        let hash = &key_hash("{}/{team=\"storage\"}:{alertname=\"DiskFull\"}")[..16];
        assert!(message.contains(&format!("References: <alert-{hash}-@alertmanager>")), "{message}");
    }

    #[test]
    fn how_the_server_is_spoken_to() {
        let security = |more: &str, port: &str| {
            let yaml = BARE.replace(":25\n", &format!(":{port}\n"));
            mail(&format!("{yaml}html: x\n{more}")).server.security
        };
        assert_eq!(security("", "587"), MailSecurity::Starttls);
        assert_eq!(security("", "465"), MailSecurity::Tls);
        assert_eq!(security("force_implicit_tls: false\n", "465"), MailSecurity::Starttls);
        assert_eq!(security("force_implicit_tls: true\n", "25"), MailSecurity::Tls);
        assert_eq!(security("require_tls: false\n", "25"), MailSecurity::None);
        let server =
            mail(&format!("{BARE}html: x\ntls_config: {{ server_name: a.example, insecure_skip_verify: true }}\n"))
                .server;
        assert!(server.tls.insecure_skip_verify && server.tls.server_name.as_deref() == Some("a.example"));
    }

    #[test]
    fn keys_that_do_not_fit_are_named() {
        for (more, key) in [
            ("smarthost: mail.example\n", "smarthost"),
            ("auth_username: x\n", "auth_password"),
            ("auth_username: x\nauth_secret: y\n", "CRAM-MD5"),
            ("auth_identity: y\n", "auth_identity"),
            ("auth_username: x\nauth_password: y\nrequire_tls: false\n", "require_tls"),
            ("threading: { enabled: true }\n", "threading.thread_by_date"),
            ("threading: { enabled: true, thread_by_date: none }\nheaders: { references: x }\n", "headers.References"),
            ("headers: { subject: a, Subject: b }\n", "Subject"),
            ("html: ''\n", "html"),
        ] {
            let own = more.split(':').next().unwrap();
            let base: String =
                BARE.lines().filter(|line| !line.starts_with(own)).map(|line| format!("{line}\n")).collect();
            let base = if more.contains("headers") {
                base.replace("headers: { subject: 'Störung: disk', x-team: storage }\n", "")
            } else {
                base
            };
            let error = build_error(&SPEC, &format!("{base}{more}"));
            assert!(error.contains(key), "{more}: {error}");
        }
    }
}
