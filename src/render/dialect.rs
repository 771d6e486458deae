//! The document in the syntax of whoever shows it: plain text, HTML, ServiceNow journal, Slack. The other
//! chats are in `dialect/chats.rs`.
//!
//! Decides nothing about content. Each encoder makes every character of the document inert in its
//! dialect: `<!channel>` mentions nobody, `</script>` ends nothing, `[code]` switches nothing on.

mod chats;

pub use chats::{CARD, DISCORD, MATRIX, MATTERMOST, Markup, PLAIN, ROCKETCHAT, SMS, TELEGRAM, WEBEX, apart};

use super::markup::{Document, Line};

/// For mail bodies and descriptions. The news comes first: it is what a list of mails shows of each.
pub fn plain(document: &Document) -> String {
    let mut text = format!("{}\n{}\n{}\n", document.news.join(" – "), document.headline, document.status);
    for section in &document.sections {
        text.push('\n');
        if !section.label.is_empty() {
            text.push_str(&section.label);
            text.push('\n');
        }
        let indent = if section.label.is_empty() { "" } else { "  " };
        for line in &section.lines {
            text.push_str(indent);
            text.push_str(&plain_line(line));
            text.push('\n');
        }
    }
    text.push('\n');
    text.push_str(&document.footer);
    text.push('\n');
    text
}

pub fn plain_line(line: &Line) -> String {
    match &line.address {
        Some(address) => format!("{}: {address}", line.text),
        None => line.text.clone(),
    }
}

/// A whole HTML page without scripts, images or style sheets, which mail programs would strip.
pub fn html(document: &Document) -> String {
    let mut page = String::from("<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"></head><body>\n");
    let (headline, news) = (html_text(&document.headline), document.news.join(" – "));
    page.push_str(&format!("<p><strong>{}</strong></p>\n", html_text(&news)));
    page.push_str(&format!("<h2>{headline}</h2>\n<p>{}</p>\n", html_text(&document.status)));
    for section in &document.sections {
        if !section.label.is_empty() {
            page.push_str(&format!("<h3>{}</h3>\n", html_text(&section.label)));
        }
        page.push_str("<ul>\n");
        for line in &section.lines {
            let text = html_text(&line.text);
            match &line.address {
                Some(address) => {
                    page.push_str(&format!("<li><a href=\"{}\">{text}</a></li>\n", html_text(address)));
                }
                None => page.push_str(&format!("<li>{text}</li>\n")),
            }
        }
        page.push_str("</ul>\n");
    }
    page.push_str(&format!("<p><small>{}</small></p>\n</body></html>\n", html_text(&document.footer)));
    page
}

/// Safe inside elements and inside quoted attributes.
pub fn html_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Plain text for a ServiceNow journal field, which shows what stands between `[code]` and `[/code]`
/// as HTML: the opening bracket of such a tag becomes round.
pub fn journal(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('[') {
        inert.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let tag = after.trim_start_matches(|c: char| c == '/' || c.is_whitespace());
        let is_code = tag.get(..4).is_some_and(|word| word.eq_ignore_ascii_case("code"));
        inert.push(if is_code { '(' } else { '[' });
        rest = after;
    }
    inert.push_str(rest);
    inert
}

/// Text inside a Slack `text` field: the three characters that Slack reads as its own are escaped,
/// so no mention and no link can come out of it.
pub fn slack_text(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}
