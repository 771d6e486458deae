//! Words and their limits: the five languages, cleaning of foreign text, truncation, dates.
//!
//! Decides what a text may contain before it enters a document. Knows no vendor and no markup:
//! escaping is `dialect.rs`'s part. Example: `clip("overflow", 5, Unit::Chars)` is `over…`, and with
//! room for it the marker also counts what is missing: `… (+118)`.

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// The language of notifications, set per sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    De,
    Pl,
    It,
    Nb,
}

impl Language {
    pub const ALL: [Self; 5] = [Self::En, Self::De, Self::Pl, Self::It, Self::Nb];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::De => "de",
            Self::Pl => "pl",
            Self::It => "it",
            Self::Nb => "nb",
        }
    }

    /// The messages as they are kept, in Fluent syntax.
    pub(super) const fn source(self) -> &'static str {
        match self {
            Self::En => include_str!("messages/en.ftl"),
            Self::De => include_str!("messages/de.ftl"),
            Self::Pl => include_str!("messages/pl.ftl"),
            Self::It => include_str!("messages/it.ftl"),
            Self::Nb => include_str!("messages/nb.ftl"),
        }
    }
}

type Bundle = FluentBundle<FluentResource>;

static BUNDLES: LazyLock<[Bundle; 5]> = LazyLock::new(|| Language::ALL.map(bundle));

fn bundle(language: Language) -> Bundle {
    let mut bundle = Bundle::new_concurrent(vec![language.as_str().parse().unwrap_or_default()]);
    // Fluent would wrap each argument in bidirectional isolates, which we keep out of all messages.
    bundle.set_use_isolating(false);
    // The files are compiled in; a test proves that they parse and define each key once.
    let resource = FluentResource::try_new(language.source().to_owned()).unwrap_or_else(|(partial, _)| partial);
    bundle.add_resource_overriding(resource);
    bundle
}

/// One argument of a message.
#[derive(Clone, Copy, Debug)]
pub enum Argument<'a> {
    Text(&'a str),
    /// Chooses the plural form.
    Count(u64),
}

impl<'a> From<&'a str> for Argument<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Argument<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Argument<'_> {
    fn from(count: u32) -> Self {
        Self::Count(u64::from(count))
    }
}

impl From<usize> for Argument<'_> {
    fn from(count: usize) -> Self {
        Self::Count(count as u64)
    }
}

/// The message `key` in `language`; English, then the bare key, stand in for one that is missing.
/// Arguments are inserted as they are: clean foreign text before.
pub fn message(language: Language, key: &str, arguments: &[(&'static str, Argument<'_>)]) -> String {
    let mut values = FluentArgs::with_capacity(arguments.len());
    for (name, argument) in arguments {
        let value = match argument {
            Argument::Text(text) => FluentValue::from(*text),
            Argument::Count(count) => FluentValue::from(*count),
        };
        values.set(*name, value);
    }
    for language in [language, Language::En] {
        let bundle = &BUNDLES[language as usize];
        if let Some(pattern) = bundle.get_message(key).and_then(|message| message.value()) {
            let mut errors = Vec::new();
            return bundle.format_pattern(pattern, Some(&values), &mut errors).into_owned();
        }
    }
    key.to_owned()
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Chars,
    Bytes,
    /// As JavaScript and Java count, hence most vendors.
    Utf16,
}

impl Unit {
    fn of(self, c: char) -> usize {
        match self {
            Self::Chars => 1,
            Self::Bytes => c.len_utf8(),
            Self::Utf16 => c.len_utf16(),
        }
    }

    pub fn len(self, text: &str) -> usize {
        match self {
            Self::Bytes => text.len(),
            Self::Chars | Self::Utf16 => text.chars().map(|c| self.of(c)).sum(),
        }
    }
}

/// `text`, or its beginning and a marker that says how many characters are missing; never longer
/// than `max`.
pub fn clip(text: &str, max: usize, unit: Unit) -> String {
    clip_all(text, 0, max, unit)
}

/// Foreign text for one line ([`one_line`]), clipped.
pub fn excerpt(text: &str, chars_max: usize) -> String {
    let (head, missing) = head(text, chars_max);
    clip_all(&one_line(head), missing, chars_max, Unit::Chars)
}

/// Foreign text of several lines ([`paragraphs`]), clipped.
pub fn excerpt_of_paragraphs(text: &str, chars_max: usize) -> String {
    let (head, missing) = head(text, chars_max);
    clip_all(&paragraphs(head), missing, chars_max, Unit::Chars)
}

/// So much of a text as can matter to an excerpt, and the characters behind it: an alert of
/// megabytes costs no more than a short one.
fn head(text: &str, chars_max: usize) -> (&str, usize) {
    const BYTES_PER_CHAR: usize = 16;
    let head = head_bytes(text, chars_max.saturating_mul(BYTES_PER_CHAR));
    (head, text[head.len()..].chars().count())
}

/// So much of the beginning as fits into `bytes`; whole characters.
pub fn head_bytes(text: &str, bytes: usize) -> &str {
    let mut end = text.len().min(bytes);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// `text` and `missing` more characters that were left out before.
fn clip_all(text: &str, missing: usize, max: usize, unit: Unit) -> String {
    if missing == 0 && unit.len(text) <= max {
        return text.to_owned();
    }
    let chars = text.chars().count() + missing;
    // The count is not known before the cut, its digits are: no more than those of the whole.
    let (counted, bare) = (unit.len(&marker(chars)), unit.len("…"));
    let is_counted = counted * 2 <= max;
    let room = match is_counted {
        true => max - counted,
        false => max.checked_sub(bare).unwrap_or(max),
    };
    let (mut used, mut kept, mut end) = (0, 0, 0);
    for (at, c) in text.char_indices() {
        used += unit.of(c);
        if used > room {
            break;
        }
        kept += 1;
        end = at + c.len_utf8();
    }
    let head = text[..end].trim_end();
    kept -= text[head.len()..end].chars().count();
    match is_counted {
        true => format!("{head}{}", marker(chars - kept)),
        false if bare <= max => format!("{head}…"),
        false => head.to_owned(),
    }
}

fn marker(missing: usize) -> String {
    format!("… (+{missing})")
}

/// Foreign text for one line: control characters and escape sequences gone, what reorders text made
/// visible, every run of white space one blank.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in clean(text).split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Foreign text whose line breaks mean something; no more than one empty line in a row.
pub fn paragraphs(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut empty_lines = 0;
    for line in clean(text).lines() {
        let line = line.trim_end();
        if line.is_empty() {
            empty_lines += 1;
            continue;
        }
        if !kept.is_empty() {
            kept.push_str(if empty_lines > 0 { "\n\n" } else { "\n" });
        }
        empty_lines = 0;
        kept.push_str(line);
    }
    kept
}

/// Drops terminal escape sequences, control and invisible characters; line ends become `\n`, tabs
/// blanks. Characters that reorder text (CVE-2021-42574) are spelled out rather than dropped, so
/// that an attempt can be seen. One pass, so what is left cannot form a new sequence.
fn clean(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                kept.push('\n');
            }
            '\n' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}' => kept.push('\n'),
            '\t' => kept.push(' '),
            '\u{1b}' => {
                if chars.next_if_eq(&'[').is_some() {
                    skip_control_sequence(&mut chars);
                }
            }
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                kept.push_str(&format!("[U+{:04X}]", u32::from(c)));
            }
            c if c.is_control() || is_invisible(c) || is_no_character(c) => {}
            c => kept.push(c),
        }
    }
    kept
}

/// Parameters and the final byte of a CSI sequence. Stops at anything else: an unfinished sequence
/// may not swallow the text after it.
fn skip_control_sequence(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while chars.next_if(|c| ('\u{20}'..='\u{3f}').contains(c)).is_some() {}
    chars.next_if(|c| ('\u{40}'..='\u{7e}').contains(c));
}

/// Without a shape of its own and without a use in running text; joiners are needed and stay.
const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Code points that Unicode keeps free of meaning: XML refuses them, and with it the systems that keep XML.
const fn is_no_character(c: char) -> bool {
    matches!(c, '\u{fdd0}'..='\u{fdef}') || c as u32 & 0xfffe == 0xfffe
}

/// An address that may become a link: `http` or `https`, with a host, without a user, in the ASCII
/// form that browsers go to.
pub fn web_address(text: &str) -> Option<String> {
    let url = reqwest::Url::parse(text.trim()).ok()?;
    let is_safe = matches!(url.scheme(), "http" | "https")
        && url.host_str().is_some_and(|host| !host.is_empty())
        && url.username().is_empty()
        && url.password().is_none();
    let address: String = url.into();
    (is_safe && address.len() <= ADDRESS_BYTES_MAX).then_some(address)
}

/// Longer links are shown as text.
const ADDRESS_BYTES_MAX: usize = 1_000;
