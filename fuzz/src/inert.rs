//! What a request may never contain, whatever an alert says. Written against what the receivers do,
//! not against our encoders, so that both would have to be wrong in the same way.
//!
//! A sink that is not named here gets the checks of its transport.

use std::borrow::Cow;

use html5ever::TokenizerResult;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use mail_parser::{MessageParser, MimeHeaders};
use serde_json::Value;
use watchbell::model::Notification;
use watchbell::sinks::{HttpRequest, MailRequest, Request};

/// Panics, with the reason, when a request of this sink could act in the receiver's system.
pub fn check(sink: &str, request: &Request, notification: &Notification) {
    match request {
        Request::Http(request) => {
            check_http(request);
            match sink {
                "slack" => check_slack(request),
                "servicenow" => check_servicenow(request),
                "webhook" => check_webhook(request, notification),
                "telegram" | "matrix" | "google_chat" | "discord" | "msteams" | "zoom_chat" => {
                    check_chat(sink, request)
                }
                "mattermost" | "rocketchat" | "webex" | "ntfy" | "pushover" | "pagerduty" | "opsgenie" => {
                    check_texts(sink, &json_or_nothing(request));
                }
                "twilio_sms" | "twilio_voice" => check_form(request),
                _ => {}
            }
        }
        Request::Mail(request) => check_mail(sink, request),
        Request::Line(text) => check_line(text),
        Request::Skip(_) => {}
    }
}

/// Control characters, what reorders text, line ends that are none to `str::lines`, and what is no character.
fn is_forbidden(c: char) -> bool {
    (c.is_control() && c != '\n')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
        || matches!(c, '\u{feff}' | '\u{200b}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}

fn check_clean(what: &str, text: &str) {
    assert!(
        !text.contains(is_forbidden),
        "{what} holds {:?}: {text:?}",
        text.matches(is_forbidden).collect::<String>()
    );
}

fn is_web_address(text: &str) -> bool {
    let is_web = url::Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none()
    });
    is_web && !text.contains(|c: char| c.is_whitespace() || is_forbidden(c) || matches!(c, '<' | '>' | '"'))
}

fn check_http(request: &HttpRequest) {
    let url = url::Url::parse(request.url.expose()).expect("an address");
    let host = url.host_str().expect("a host");
    let own = [
        "api.opsgenie.com",
        "api.pushover.net",
        "api.telegram.org",
        "api.twilio.com",
        "api.zoom.us",
        "chat.googleapis.com",
        "discord.com",
        "events.pagerduty.com",
        "example.service-now.com",
        "slack.com",
        "webexapis.com",
    ];
    assert!(own.contains(&host) || host.ends_with(".example") || host.ends_with(".example.org"), "sent to {host}");
    for (name, value) in &request.headers {
        http::HeaderName::try_from(name.as_ref()).expect("a header's name");
        http::HeaderValue::try_from(value.expose()).expect("a header's value");
    }
    let has_body = !request.body.is_empty();
    let is_json = request.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type") && value.expose().starts_with("application/json")
    });
    let is_form = request.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type") && value.expose().starts_with("application/x-www-form-urlencoded")
    });
    assert!(!has_body || is_json || is_form, "a body of unknown type");
    if is_json && has_body {
        json(request);
    }
}

fn json(request: &HttpRequest) -> Value {
    serde_json::from_slice(&request.body).expect("the body is JSON")
}

/// `text` is parsed by Slack: `&`, `<` and `>` begin its own syntax. In the blocks only elements that
/// are shown as they are may stand, and links to the web.
fn check_slack(request: &HttpRequest) {
    if request.method == "GET" {
        return;
    }
    let body = json(request);
    let text = body["text"].as_str().expect("a text");
    check_clean("text", text);
    assert!(!text.contains(['<', '>']), "a mention or link in {text:?}");
    for (at, _) in text.match_indices('&') {
        let rest = &text[at..];
        assert!(["&amp;", "&lt;", "&gt;"].iter().any(|entity| rest.starts_with(entity)), "a bare `&` in {text:?}");
    }
    check_block(&body["blocks"]);
}

fn check_block(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(check_block),
        Value::Object(fields) => {
            let kind = fields.get("type").and_then(Value::as_str);
            if let Some(kind) = kind {
                let inert = ["header", "plain_text", "context", "rich_text", "rich_text_section", "text", "link"];
                assert!(inert.contains(&kind), "an active element `{kind}`");
            }
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("url", Value::String(address)) => assert!(is_web_address(address), "a link to {address:?}"),
                    ("type" | "style" | "emoji" | "elements", _) => {}
                    ("text", Value::String(text)) => check_clean("a block", text),
                    ("text", Value::Object(_)) => {}
                    _ => panic!("an unknown field `{name}` in a block"),
                }
            }
            fields.iter().filter(|(name, _)| *name != "style").for_each(|(_, value)| check_block(value));
        }
        _ => {}
    }
}

/// A journal shows what stands between `[code]` and `[/code]` as HTML.
fn check_servicenow(request: &HttpRequest) {
    if request.method == "GET" {
        return;
    }
    for (name, value) in json(request).as_object().expect("fields") {
        let text = value.as_str().expect("every field is text");
        check_clean(name, text);
        let dense: String = text.to_lowercase().split_whitespace().collect();
        let is_journal = name != "short_description";
        assert!(!is_journal || !(dense.contains("[code") || dense.contains("[/code")), "`{name}` is active: {text:?}");
    }
}

/// Data for a program: it gets the notification itself.
fn check_webhook(request: &HttpRequest, notification: &Notification) {
    let mut body = json(request);
    let received: Notification = serde_json::from_value(body["data"].take()).expect("a notification");
    assert_eq!(&received, notification);
}

fn json_or_nothing(request: &HttpRequest) -> Value {
    if request.body.is_empty() { Value::Null } else { json(request) }
}

/// Every text of a body is clean, however deep it stands.
fn check_texts(what: &str, value: &Value) {
    match value {
        Value::String(text) => check_clean(what, text),
        Value::Array(values) => values.iter().for_each(|value| check_texts(what, value)),
        Value::Object(fields) => fields.values().for_each(|value| check_texts(what, value)),
        _ => {}
    }
}

/// What each of them would act upon: mentions it is not told to leave alone, elements that parse, foreign HTML.
fn check_chat(sink: &str, request: &HttpRequest) {
    let body = json(request);
    check_texts(sink, &body);
    match sink {
        "telegram" if body["parse_mode"] == "HTML" => check_page_of(body["text"].as_str(), &["b", "a"]),
        "matrix" => {
            assert_eq!(body["m.mentions"], serde_json::json!({}), "mentions are left to be guessed");
            check_page_of(body["formatted_body"].as_str(), &["strong", "a", "br"]);
        }
        "google_chat" => {
            assert!(body.get("text").is_none(), "a text, which is parsed");
            let paragraph = &body["cardsV2"][0]["card"]["sections"][0]["widgets"][0]["textParagraph"]["text"];
            check_page_of(paragraph.as_str(), &["b", "a", "br"]);
        }
        "discord" => assert_eq!(body["allowed_mentions"]["parse"], serde_json::json!([]), "mentions are allowed"),
        "msteams" => check_card(&body["attachments"][0]["content"]["body"]),
        "zoom_chat" => assert!(body.get("is_markdown_support").is_none(), "Markdown"),
        _ => {}
    }
}

fn check_page_of(text: Option<&str>, tags: &[&str]) {
    let text = text.expect("a text");
    for (at, _) in text.match_indices('<') {
        let name: String =
            text[at + 1..].trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(tags.contains(&&*name), "a foreign tag <{name}>");
    }
    check_page(&format!("<!DOCTYPE html><html><head></head><body><p>{text}</p></body></html>"));
}

fn check_card(value: &Value) {
    match value {
        Value::Array(values) => values.iter().for_each(check_card),
        Value::Object(fields) => {
            if let Some(kind) = fields.get("type").and_then(Value::as_str) {
                let inert = ["Container", "RichTextBlock", "TextRun", "Action.OpenUrl"];
                assert!(inert.contains(&kind), "an active element `{kind}`");
            }
            if let Some(address) = fields.get("url").and_then(Value::as_str) {
                assert!(is_web_address(address), "a link to {address:?}");
            }
            fields.values().for_each(check_card);
        }
        _ => {}
    }
}

/// What is read out is inside one element, and a text message is no more than text.
fn check_form(request: &HttpRequest) {
    for (name, value) in url::form_urlencoded::parse(&request.body) {
        check_clean(&name, &value);
        if name == "Twiml" {
            let tags = value.matches('<').count();
            assert!(tags == 5 && value.starts_with("<Response><Pause "), "another instruction: {value:?}");
        }
    }
}

/// Between log lines: nothing may look like a line of its own.
fn check_line(text: &str) {
    check_clean("a line", text);
    assert!(text.lines().skip(1).all(|line| line.starts_with("  ")), "a forged line in {text:?}");
}

fn check_mail(sink: &str, request: &MailRequest) {
    let message = std::str::from_utf8(&request.message).expect("ASCII");
    assert!(message.is_ascii(), "beyond ASCII");
    assert!(!message.replace("\r\n", "").contains(['\r', '\n']), "a bare line end");
    assert!(message.split("\r\n").all(|line| line.len() <= 998), "a line that no server takes");
    let (head, _) = message.split_once("\r\n\r\n").expect("a head and a body");
    let known = [
        "From",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "To",
        "In-Reply-To",
        "References",
        "MIME-Version",
        "Content-Type",
    ];
    let mut seen: Vec<&str> = Vec::new();
    for line in head.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])) {
        let (name, _) = line.split_once(':').expect("a header");
        assert!(known.contains(&name) && !seen.contains(&name), "a header `{name}`");
        seen.push(name);
    }
    let parsed = MessageParser::default().parse(request.message.as_slice()).expect("a message");
    check_clean("the subject", parsed.subject().unwrap_or_default());
    assert!(!parsed.subject().unwrap_or_default().contains('\n'), "a subject of two lines");
    let counts = (parsed.text_body_count(), parsed.html_body_count(), parsed.attachment_count(), parsed.parts.len());
    assert_eq!(counts, (1, 1, 0, 3), "other parts than ours");
    if sink == "alertmanager_email" {
        return; // What stands in the parts is the operator's template.
    }
    for part in &parsed.parts[1..] {
        assert!(part.attachment_name().is_none() && part.content_id().is_none(), "a part with a name");
    }
    check_clean("the text", &unwrapped(parsed.body_text(0).expect("a text")));
    check_page(&unwrapped(parsed.body_html(0).expect("a page")));
}

fn unwrapped(text: Cow<'_, str>) -> String {
    text.replace("\r\n", "\n")
}

/// Reads a page as a browser does.
#[derive(Default)]
struct Page(std::cell::RefCell<String>);

impl TokenSink for Page {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        match token {
            Token::DoctypeToken(doctype) => assert_eq!(doctype.name.as_deref(), Some("html")),
            Token::TagToken(tag) => check_tag(&tag),
            Token::CharacterTokens(text) => self.0.borrow_mut().push_str(&text),
            Token::CommentToken(text) => panic!("a comment: {text}"),
            Token::NullCharacterToken => panic!("a zero"),
            Token::ParseError(error) => panic!("a page that is not well-formed: {error}"),
            Token::EOFToken => {}
        }
        TokenSinkResult::Continue
    }
}

fn check_tag(tag: &Tag) {
    let known = ["html", "head", "meta", "body", "p", "strong", "h2", "h3", "ul", "li", "a", "small", "b", "br"];
    assert!(known.contains(&&*tag.name), "a foreign tag <{}>", tag.name);
    for attribute in &tag.attrs {
        let is_ours = match (&*tag.name, &*attribute.name.local) {
            ("meta", "charset") => &*attribute.value == "utf-8",
            ("a", "href") => is_web_address(&attribute.value),
            _ => false,
        };
        assert!(is_ours, "<{} {}={:?}>", tag.name, attribute.name.local, attribute.value);
    }
    assert!(tag.kind == TagKind::StartTag || tag.attrs.is_empty());
}

fn check_page(page: &str) {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(page));
    let tokenizer = Tokenizer::new(Page::default(), TokenizerOpts { exact_errors: true, ..TokenizerOpts::default() });
    assert!(matches!(tokenizer.feed(&input), TokenizerResult::Done), "something runs");
    tokenizer.end();
    check_clean("the page", &tokenizer.sink.0.borrow());
}
