//! `sns_configs`: a message to a topic, a phone or an endpoint through Amazon SNS.
//!
//! Decides the form that `Publish` takes and signs it with the keys of the configuration; keys of a profile, a role
//! or an instance are not looked for.

use serde::Deserialize;
use std::collections::BTreeMap;

use super::super::{Attempt, Connection, Outcome, Rate, RenderError, Request, Response, Setting, Sink, SinkSpec};
use super::aws_signature::{Keys as SigningKeys, Signed};
use super::http_config::HttpConfig;
use super::template::{Template, Texts};
use super::{Receiver, default_true, key_hash, read_url};
use crate::error::{ConfigError, Secret, Table, read_table};
use crate::model::GroupView;
use crate::render::text;

pub const SPEC: SinkSpec = SinkSpec {
    name: "alertmanager_sns",
    title: "`sns_configs` of an alertmanager.yml",
    docs: DOCS,
    example: "topic_arn: arn:aws:sns:eu-central-1:123456789012:alerts\n\
              api_url: https://sns.eu-central-1.amazonaws.example\n\
              sigv4:\n  region: eu-central-1\n  access_key: AKIDEXAMPLE\n  secret_key: wJalrXUtnFEMI/K7MDENG+bPxRfiCY\n\
              attributes: { team: storage }\n",
    rate: Rate { count: 20, per_ms: 1_000 },
    build,
    #[cfg(test)]
    check: tests::check,
};

const DOCS: &str = "\
A message through Amazon SNS.

- `topic_arn`, `phone_number` or `target_arn`: one of them, a template. For a topic that ends in `.fifo`
  the group's hash is group and deduplication id.
- `subject`: a template; made fit for SNS, which takes 99 printable ASCII characters. `message`: a
  template; cut to 256 KiB, for phones to 1600 bytes, and then marked by the attribute `truncated`.
- `attributes`: names and values, templates. `api_url`: a template; default is that of the region.
- `sigv4`: `region`, `access_key`, `secret_key`. `profile`, `role_arn` and keys of the instance are not
  supported.
- `send_resolved` (default true), `http_config`: as for `alertmanager_webhook`.
";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    #[serde(default = "default_true")]
    send_resolved: bool,
    http_config: Option<HttpConfig>,
    api_url: Option<String>,
    #[serde(default)]
    sigv4: SigV4Keys,
    #[serde(default)]
    topic_arn: String,
    #[serde(default)]
    phone_number: String,
    #[serde(default)]
    target_arn: String,
    subject: Option<String>,
    message: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, rename = "use_aws_http_client")]
    _use_aws_http_client: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SigV4Keys {
    region: String,
    access_key: String,
    secret_key: Option<Secret<String>>,
    profile: String,
    role_arn: String,
    external_id: String,
    #[serde(rename = "use_fips_sts_endpoint")]
    _use_fips_sts_endpoint: bool,
}

struct Sns {
    receiver: Receiver,
    api_url: Template,
    region: String,
    keys: SigningKeys,
    to: To,
    target: Template,
    subject: Template,
    message: Template,
    attributes: Vec<(Template, Template)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Topic,
    Phone,
    Target,
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

const MESSAGE_BYTES_MAX: usize = 256 * 1_024;
const PHONE_BYTES_MAX: usize = 1_600;
/// The vendor wants less than 100.
const SUBJECT_CHARS_MAX: usize = 99;

fn build(table: &Table, setting: &Setting) -> Result<Box<dyn Sink>, ConfigError> {
    let keys: Keys = read_table(table)?;
    let mut receiver = Receiver::new(setting, keys.send_resolved, keys.http_config)?;
    let (to, key, target) = match (keys.topic_arn.as_str(), keys.phone_number.as_str(), keys.target_arn.as_str()) {
        (topic, "", "") if !topic.is_empty() => (To::Topic, "topic_arn", topic),
        ("", phone, "") if !phone.is_empty() => (To::Phone, "phone_number", phone),
        ("", "", target) if !target.is_empty() => (To::Target, "target_arn", target),
        _ => {
            let message = "expected one of `topic_arn`, `phone_number` and `target_arn`";
            return Err(ConfigError::new("topic_arn", message));
        }
    };
    let target = Template::new(setting, key, target)?;
    let region = keys.sigv4.region.clone();
    let signing = read_signing(keys.sigv4)?;
    receiver.hide(&signing.secret_key);
    let attributes = keys.attributes.into_iter().map(|(name, value)| {
        let path = format!("attributes.{name}");
        Ok((Template::new(setting, &path, name)?, Template::new(setting, &path, value)?))
    });
    let attributes = attributes.collect::<Result<_, ConfigError>>()?;
    let api_url = keys.api_url.filter(|url| !url.is_empty()).unwrap_or_else(|| default_url(&region));
    if !api_url.contains("{{") {
        read_url("api_url", &api_url)?;
    }
    Ok(Box::new(Sns {
        api_url: Template::new(setting, "api_url", api_url)?,
        region,
        keys: signing,
        to,
        target,
        subject: receiver.template("subject", keys.subject, "{{ template \"sns.default.subject\" . }}")?,
        message: receiver.template("message", keys.message, "{{ template \"sns.default.message\" . }}")?,
        attributes,
        receiver,
    }))
}

fn read_signing(keys: SigV4Keys) -> Result<SigningKeys, ConfigError> {
    for (key, value) in [("profile", &keys.profile), ("role_arn", &keys.role_arn), ("external_id", &keys.external_id)] {
        if !value.is_empty() {
            let message = "not supported; give `access_key` and `secret_key`";
            return Err(ConfigError::new(format!("sigv4.{key}"), message));
        }
    }
    if keys.region.is_empty() {
        return Err(ConfigError::new("sigv4.region", "expected a region such as `eu-central-1`"));
    }
    match keys.secret_key.filter(|_| !keys.access_key.is_empty()) {
        Some(secret_key) => Ok(SigningKeys { access_key: keys.access_key, secret_key }),
        None => {
            let message = "expected `access_key` and `secret_key`; keys of the instance are not looked for";
            Err(ConfigError::new("sigv4.access_key", message))
        }
    }
}

fn default_url(region: &str) -> String {
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("https://sns.{region}.{domain}")
}

impl Sns {
    fn form(&self, texts: &Texts<'_>, group: &GroupView) -> Result<String, RenderError> {
        let mut form: Vec<(String, String)> =
            vec![("Action".into(), "Publish".into()), ("Version".into(), "2010-03-31".into())];
        let mut add = |key: &str, value: String| form.push((key.to_owned(), value));
        let target = texts.text(&self.target)?;
        if self.to == To::Topic && target.ends_with(".fifo") {
            add("MessageDeduplicationId", key_hash(&group.key));
            add("MessageGroupId", key_hash(&group.key));
        }
        let name = match self.to {
            To::Topic => "TopicArn",
            To::Phone => "PhoneNumber",
            To::Target => "TargetArn",
        };
        add(name, target);
        let mut attributes = BTreeMap::new();
        for (name, value) in &self.attributes {
            attributes.insert(texts.text(name)?, texts.text(value)?);
        }
        let message = texts.text(&self.message)?;
        let max = if self.to == To::Phone { PHONE_BYTES_MAX } else { MESSAGE_BYTES_MAX };
        let cut = text::head_bytes(&message, max);
        if cut.len() < message.len() {
            attributes.insert("truncated".into(), "true".into());
        }
        add("Message", cut.to_owned());
        for (index, (name, value)) in attributes.into_iter().enumerate() {
            let entry = format!("MessageAttributes.entry.{}", index + 1);
            add(&format!("{entry}.Name"), name);
            add(&format!("{entry}.Value.DataType"), "String".into());
            add(&format!("{entry}.Value.StringValue"), value);
        }
        if !self.subject.as_ref().is_empty() {
            add("Subject", subject(&texts.text(&self.subject)?));
        }
        // A query is written as a form is.
        let url = reqwest::Url::parse_with_params("x:", form).map_err(|error| RenderError(error.to_string()))?;
        Ok(url.query().unwrap_or_default().to_owned())
    }
}

/// One line of ASCII that begins with something visible, as the vendor wants it.
fn subject(text: &str) -> String {
    let line: String = text::one_line(text).chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    match line.len() {
        ..=SUBJECT_CHARS_MAX => line,
        _ => format!("{}...", &line[..SUBJECT_CHARS_MAX - 3]),
    }
}

impl Sink for Sns {
    fn connection(&self) -> Connection<'_> {
        self.receiver.connection()
    }

    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let group = match self.receiver.group(attempt) {
            Ok(group) => group,
            Err(why) => return Ok(Request::Skip(why)),
        };
        let texts = self.receiver.texts(&group, attempt.now);
        let url = texts.text(&self.api_url)?;
        let url = read_url("api_url", &url).map_err(|error| RenderError(error.to_string()))?;
        let body = self.form(&texts, &group)?.into_bytes();
        let signed = Signed {
            method: "POST",
            url: &url,
            headers: &[("content-type", FORM)],
            body: &body,
            region: &self.region,
            service: "sns",
            at: attempt.now,
        };
        let (date, authorization) = (signed.date(), signed.authorization(&self.keys));
        let mut request = self.receiver.request("POST", Secret::new(url.to_string()), FORM, body);
        request.headers.retain(|(name, _)| name != "authorization");
        request.headers.push(("x-amz-date".into(), Secret::new(date)));
        request.headers.push(("authorization".into(), Secret::new(authorization)));
        Ok(Request::Http(request))
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        self.receiver.by_status(attempt, response, "SNS", &[])
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{firing, request_of, retried, sent};
    use super::*;
    use crate::sinks::tests::build_error;

    fn form(request: &Request) -> BTreeMap<String, String> {
        let Request::Http(request) = request else { panic!("not an HTTP request") };
        let query = std::str::from_utf8(&request.body).unwrap();
        reqwest::Url::parse(&format!("x:?{query}")).unwrap().query_pairs().into_owned().collect()
    }

    pub fn check(request: &Request) -> Result<(), String> {
        let form = form(request);
        let subject = form.get("Subject").map_or("", String::as_str);
        if subject.len() > SUBJECT_CHARS_MAX || subject.contains(|c: char| !matches!(c, ' '..='~')) {
            return Err(format!("the subject `{subject}`"));
        }
        match form["Message"].len() {
            ..=MESSAGE_BYTES_MAX => Ok(()),
            bytes => Err(format!("a message of {bytes} bytes")),
        }
    }

    const BARE: &str =
        "subject: S\nmessage: M\nsigv4: { region: eu-central-1, access_key: AKIDEXAMPLE, secret_key: wJalrXUtnFEMI }\n";

    #[test]
    fn a_message_is_published_and_signed() {
        let more = "topic_arn: 'arn:aws:sns:eu-central-1:1:alerts.fifo'\nattributes: { team: storage & co }\n";
        insta::assert_snapshot!(sent(&SPEC, &format!("{BARE}{more}"), &firing()), @"
        POST https://sns.eu-central-1.amazonaws.com/
        content-type: application/x-www-form-urlencoded; charset=utf-8
        x-amz-date: 20261121T051200Z
        authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261121/eu-central-1/sns/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=771932af727d89364a76076cb3c59d96205656696d3ff3f15dd869af465c56da

        Action=Publish&Version=2010-03-31&MessageDeduplicationId=39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8&MessageGroupId=39e9a3f603495189d713caafe0da3566730989ae7f32af72dab75e71a53b85c8&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A1%3Aalerts.fifo&Message=M&MessageAttributes.entry.1.Name=team&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=storage+%26+co&Subject=S
        ");
        assert_eq!(retried(&SPEC, &format!("{BARE}{more}")), "408 425 429 500-599");
    }

    #[test]
    fn what_is_cut_is_marked() {
        let sent = |target: &str, count: usize| {
            let yaml = BARE.replace("message: M", &format!("message: {}", "x".repeat(count)));
            let form = form(&request_of(&SPEC, &format!("{yaml}{target}\n"), &firing()));
            (form["Message"].len(), form.get("MessageAttributes.entry.1.Name").cloned())
        };
        for (target, max) in [("phone_number: '+4912345'", 1_600), ("target_arn: arn", 262_144)] {
            assert_eq!(sent(target, max), (max, None));
            assert_eq!(sent(target, max + 1), (max, Some("truncated".into())));
        }
        assert_eq!(subject(&"x".repeat(99)), "x".repeat(99));
        assert_eq!(subject(&"x".repeat(100)), format!("{}...", "x".repeat(96)));
        assert_eq!(subject("Störung\nb"), "St?rung b");
    }

    #[test]
    fn keys_that_do_not_fit_are_named() {
        for (yaml, key) in [
            (BARE.to_owned(), "topic_arn"),
            (format!("{BARE}topic_arn: a\ntarget_arn: b\n"), "topic_arn"),
            ("topic_arn: a\nsigv4: { region: x, role_arn: arn }\n".into(), "sigv4.role_arn"),
            ("topic_arn: a\nsigv4: { region: x }\n".into(), "sigv4.access_key"),
            ("topic_arn: a\n".into(), "sigv4.region"),
        ] {
            let error = build_error(&SPEC, &yaml);
            assert!(error.contains(key), "{yaml}: {error}");
        }
    }
}
