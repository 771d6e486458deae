//! Mails: recipients, headers, and both bodies after their encoding is undone, with the default templates and
//! with templates of one's own.

use std::collections::BTreeMap;

use regex::Regex;

use crate::alert::alert;
use crate::lab::Lab;
use crate::smtp::{Mail, MailServer};

/// Says which headers count, besides the bodies.
const HEADERS: [&str; 5] = ["From", "To", "Subject", "Reply-To", "X-Team"];

/// Two alerts fire, one ends, then the other one: three mails from each side.
async fn check(keys: &str, read: fn(&str) -> String) {
    let (theirs, ours) = tokio::join!(MailServer::start(&[]), MailServer::start(&[]));
    let configurations = [&theirs, &ours].map(|server| {
        let port = server.address.port();
        format!(
            r#"
global: {{ smtp_smarthost: "127.0.0.1:{port}", smtp_from: "Watch <watch@example.org>", smtp_require_tls: false }}
route: {{ receiver: mail, group_by: [alertname], group_wait: 1s, group_interval: 2s }}
receivers: [ {{ name: mail, email_configs: [ {{ to: "ops@example.org, eva@example.org", send_resolved: true, {keys} }} ] }} ]
"#
        )
    });
    let Some(lab) = Lab::start_with(configurations.each_ref().map(String::as_str)).await else { return };
    let one = |instance: &str| {
        let summary = format!("Disk of {instance} is full: <b>95 %</b> & „more“. {}", "A long line. ".repeat(12));
        alert(instance)
            .label("team", "db & web")
            .annotation("summary", &summary)
            .generator("http://p.example/g?a=1&b=2")
    };
    lab.post(&[one("a"), one("b")]).await;
    lab.at(2.0).await;
    lab.post(&[one("a").ends(1.8)]).await;
    lab.at(4.0).await;
    lab.post(&[one("b").ends(3.8)]).await;
    lab.at(6.0).await;
    let (theirs, ours) = (theirs.mails(), ours.mails());
    assert_eq!(theirs.len(), 3, "{theirs:#?}");
    assert_eq!(ours.len(), 3, "{ours:#?}");
    for (index, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
        for (what, their) in content(theirs, read) {
            let our = content(ours, read).remove(&what).unwrap_or_default();
            if their != our {
                lab.object(&format!("{what} of mail {index}: {}", first_difference(&their, &our)));
            }
        }
    }
    lab.agree(&[]).await;
}

/// Recipients, headers and bodies by name.
fn content(mail: &Mail, read: fn(&str) -> String) -> BTreeMap<String, String> {
    let mut content = BTreeMap::from([("recipients".to_owned(), mail.to.join(" "))]);
    for name in HEADERS {
        content.insert(name.to_owned(), mail.header(name).unwrap_or_default());
    }
    let kind = mail.header("Content-Type").unwrap_or_default();
    let boundary = kind.split("boundary=").nth(1).unwrap_or_default().trim_matches('"');
    assert!(!boundary.is_empty(), "expected a multipart, got `{kind}`");
    let boundary = format!("--{boundary}");
    let parts = mail.text.split(boundary.as_str()).skip(1);
    for part in parts.take_while(|part| !part.starts_with("--")) {
        if let Some((head, body)) = part.split_once("\r\n\r\n") {
            let kind = if head.contains("text/html") { "the HTML" } else { "the text" };
            content.insert(kind.to_owned(), read(&decoded(body)));
        }
    }
    content
}

/// Without what nobody sees: empty lines and how far a line is indented.
fn lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

/// The words that a person sees; the page around them is each program's own.
fn words(html: &str) -> String {
    let hidden = Regex::new("(?s)<style.*?</style>|<!--.*?-->|<[^>]*>").expect("the expression is right");
    let text = hidden.replace_all(html, " ");
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

/// Undoes quoted-printable (RFC 2045, 6.7).
fn decoded(body: &str) -> String {
    let body = body.replace("=\r\n", "").replace("\r\n", "\n");
    let mut bytes = Vec::new();
    let mut pieces = body.split('=');
    bytes.extend(pieces.next().unwrap_or_default().as_bytes());
    for piece in pieces {
        let code = piece.get(..2).and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or_else(|| panic!("`={piece}` is no quoted byte")));
        bytes.extend(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect("UTF-8")
}

fn first_difference(theirs: &str, ours: &str) -> String {
    let pair = theirs.lines().chain(std::iter::repeat("")).zip(ours.lines().chain(std::iter::repeat("")));
    let lines = theirs.lines().count().max(ours.lines().count());
    match pair.take(lines).enumerate().find(|(_, (their, our))| their != our) {
        Some((line, (their, our))) => format!("line {line}\n  they: {their:?}\n  we:   {our:?}"),
        None => "line ends".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn default_templates() {
    check("", words).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn templates_of_ones_own() {
    let keys = r#"
        headers: { Subject: "{{ .Status | toUpper }}: {{ .GroupLabels.alertname }}", X-Team: "{{ .CommonLabels.team }}", reply-to: "eva@example.org" },
        html: "<ul>{{ range .Alerts }}<li title=\"{{ .Labels.team }}\">{{ .Annotations.summary }} <a href=\"{{ .GeneratorURL }}\">{{ .Status }}</a></li>{{ end }}</ul>",
        text: "{{ range .Alerts }}{{ .Labels.instance }}: {{ .Annotations.summary }}\n{{ end }}""#;
    check(keys, lines).await;
}
