//! What chats read as their own, and how foreign text is kept from becoming it.
//!
//! A [`Markup`] is one chat's way to write text, bold text and links; `layout.rs` puts a document together
//! with it. Where a chat has a character that takes away the meaning of the next one, that is used; where it
//! has none, a joiner without a shape is put behind the character, or another one that looks like it takes its
//! place. A bare host name stays as it is: many chats make a link of `db-3.example.org` by themselves, but
//! what it says is where it leads, and people copy such names.

use super::html_text;

/// How a chat writes a document. `text` is given whole lines; `bold` and `link` are given what `text` made.
#[derive(Clone, Copy, Debug)]
pub struct Markup {
    pub text: fn(&str) -> String,
    pub bold: fn(&str) -> String,
    pub link: fn(&str, &str) -> String,
    pub line_end: &'static str,
}

/// Word joiner: no shape, no break, and no letter. Foreign text has none: it is taken out on its way in.
const JOINER: char = '\u{2060}';

/// Nothing but text: what the reader's program makes of addresses and mentions is kept from foreign text.
pub const PLAIN: Markup = Markup { text: plain_text, bold: as_it_is, link: colon_link, line_end: "\n" };

/// As [`PLAIN`], without a character that would make a text message twice as long.
pub const SMS: Markup = Markup { text: sms, bold: as_it_is, link: colon_link, line_end: "\n" };

/// `parse_mode: HTML`. Telegram looks for names, tags, commands and addresses in what is left.
pub const TELEGRAM: Markup = Markup { text: telegram, bold: html_bold, link: html_link, line_end: "\n" };

/// `org.matrix.custom.html`.
pub const MATRIX: Markup = Markup { text: matrix, bold: html_strong, link: html_link, line_end: "<br>" };

/// The HTML of Google's cards.
pub const CARD: Markup = Markup { text: card, bold: html_bold, link: html_link, line_end: "<br>" };

/// Mattermost's Markdown keeps line ends.
pub const MATTERMOST: Markup = Markup { text: mattermost, bold: stars, link: markdown_link, line_end: "\n" };

pub const DISCORD: Markup = Markup { text: discord, bold: stars, link: markdown_link, line_end: "\n" };

/// Webex joins lines that do not end in two blanks.
pub const WEBEX: Markup = Markup { text: webex, bold: stars, link: markdown_link, line_end: "  \n" };

/// Rocket.Chat's Markdown has no escapes.
pub const ROCKETCHAT: Markup = Markup { text: rocketchat, bold: star, link: markdown_link, line_end: "\n" };

/// `text` with a joiner behind each of `marks` that begins a word, and behind the colon of `://`, so that
/// no program finds a name to call or an address to go to.
pub fn apart(text: &str, marks: &str) -> String {
    let mut parted = String::with_capacity(text.len());
    let mut before = None;
    for (at, c) in text.char_indices() {
        parted.push(c);
        let rest = &text[at + c.len_utf8()..];
        let is_mark = marks.contains(c) && !before.is_some_and(char::is_alphanumeric);
        let is_followed = rest.chars().next().is_some_and(|next| !next.is_whitespace());
        if is_followed && (is_mark || c == ':' && rest.starts_with("//")) {
            parted.push(JOINER);
        }
        before = Some(c);
    }
    parted
}

fn plain_text(text: &str) -> String {
    apart(text, "@")
}

/// A blank instead of the joiner, and plain dashes and quotes: with one character beyond its own alphabet a part
/// of a message takes 70 characters, not 160.
fn sms(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.replace("://", ": //").chars() {
        match c {
            '–' | '—' | '·' => plain.push('-'),
            '“' | '”' | '„' | '«' | '»' => plain.push('"'),
            '‘' | '’' => plain.push('\''),
            '…' => plain.push_str("..."),
            c => plain.push(c),
        }
    }
    plain
}

fn telegram(text: &str) -> String {
    html_text(&apart(text, "@#/$"))
}

fn matrix(text: &str) -> String {
    html_text(&apart(text, "@#!"))
}

fn card(text: &str) -> String {
    html_text(&apart(text, "@"))
}

fn mattermost(text: &str) -> String {
    escaped(text, "\\`*_~|[]", "@#~:")
}

fn discord(text: &str) -> String {
    escaped(text, "\\`*_~|[]<>", "@#:")
}

/// Webex takes some HTML inside its Markdown.
fn webex(text: &str) -> String {
    let escaped = escaped(text, "\\`*_~|[]", "@#");
    escaped.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A backslash before each of `special`, which are no letters and no digits.
fn escaped(text: &str, special: &str, marks: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    if begins_a_block(text) {
        escaped.push(JOINER);
    }
    for c in apart(text, marks).chars() {
        if special.contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Headings, lists, quotes, rules, indented code: what Markdown finds at the beginning of a line.
fn begins_a_block(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let is_numbered = rest.len() < text.len() && rest.starts_with(['.', ')']);
    is_numbered || text.starts_with(['#', '-', '+', '=', '>', ' ', '|', '*'])
}

/// Nothing takes the meaning of a character away here, so what has one is replaced by its like. An
/// underscore inside a name has none.
fn rocketchat(text: &str) -> String {
    let mut inert = String::with_capacity(text.len());
    if begins_a_block(text) {
        inert.push(JOINER);
    }
    let mut before = None;
    let parted = apart(text, "@#:+");
    let mut chars = parted.chars().peekable();
    while let Some(c) = chars.next() {
        let next = chars.peek().copied();
        match c {
            '*' => inert.push('\u{2217}'),
            '~' => inert.push('\u{223c}'),
            '`' => inert.push('\u{2cb}'),
            '<' => inert.push('\u{2039}'),
            '|' => inert.push('\u{a6}'),
            '_' if !before.is_some_and(|before: char| before.is_ascii_alphanumeric()) => inert.push('\u{ff3f}'),
            // `](` makes a link, `\(` and `\[` a formula.
            ']' | '\\' if matches!(next, Some('(' | '[')) => inert.extend([c, JOINER]),
            c => inert.push(c),
        }
        before = Some(c);
    }
    inert
}

fn as_it_is(text: &str) -> String {
    text.to_owned()
}

fn star(text: &str) -> String {
    format!("*{text}*")
}

fn stars(text: &str) -> String {
    format!("**{text}**")
}

fn html_bold(text: &str) -> String {
    format!("<b>{text}</b>")
}

fn html_strong(text: &str) -> String {
    format!("<strong>{text}</strong>")
}

fn html_link(text: &str, address: &str) -> String {
    format!("<a href=\"{}\">{text}</a>", html_text(address))
}

fn colon_link(text: &str, address: &str) -> String {
    format!("{text}: {address}")
}

/// What could end the address, or begin something else inside it, is percent-encoded.
fn markdown_link(text: &str, address: &str) -> String {
    let mut encoded = String::with_capacity(address.len());
    for c in address.chars() {
        match c {
            '(' | ')' | '\\' | '|' | '*' | '`' | '<' | '>' | '~' => encoded.push_str(&format!("%{:02X}", c as u32)),
            c => encoded.push(c),
        }
    }
    format!("[{text}]({encoded})")
}

#[cfg(test)]
mod tests;
