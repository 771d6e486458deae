//! The document as one text in a chat's markup, within the chat's limit.
//!
//! Decides how much of the document fits: it is written line by line, what comes first is most important,
//! and where it ends early a mark says so. Never cuts inside markup.
//!
//! ```text
//! **[P1] rtr1: Host down**            headline
//! New incident                        news
//! critical · open · began …           status
//!
//! **Root cause**                      sections
//! rtr1 went down first …
//!
//! Watchbell, incident inc-7h3kq0v9zd  footer, also when the sections were cut
//! ```

use super::dialect::Markup;
use super::markup::{Document, Section};
use super::text::{self, Unit};

/// Of a line that is cut, or it is left out.
const CUT_CHARS_MIN: usize = 8;
const FOOTER_CHARS_MAX: usize = 120;

#[derive(Clone, Copy, Debug)]
pub struct Limit {
    pub max: usize,
    pub unit: Unit,
}

/// One line.
#[derive(Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    Bold(&'a str),
    Link(&'a str, &'a str),
    Gap,
}

/// All of it.
pub fn message(document: &Document, markup: &Markup, limit: Limit) -> String {
    let mut pieces = vec![Piece::Bold(&document.headline)];
    pieces.extend(news(document));
    pieces.extend(sections(&document.sections));
    paint(&pieces, &document.footer, markup, limit)
}

/// All but the headline, where that stands somewhere else.
pub fn body(document: &Document, markup: &Markup, limit: Limit) -> String {
    let mut pieces: Vec<Piece<'_>> = news(document).collect();
    pieces.extend(sections(&document.sections));
    paint(&pieces, &document.footer, markup, limit)
}

/// As [`body`], without the footer.
pub fn body_alone(document: &Document, markup: &Markup, limit: Limit) -> String {
    let mut pieces: Vec<Piece<'_>> = news(document).collect();
    pieces.extend(sections(&document.sections));
    paint(&pieces, "", markup, limit)
}

/// The news alone, for a thread that has the message above it.
pub fn reply(document: &Document, markup: &Markup, limit: Limit) -> String {
    paint(&news(document).collect::<Vec<_>>(), "", markup, limit)
}

/// The headline and the news, for where a message stands alone and is to be short.
pub fn short(document: &Document, markup: &Markup, limit: Limit) -> String {
    let mut pieces = vec![Piece::Bold(&document.headline)];
    pieces.extend(news(document));
    let cause = document.sections.first().into_iter().flat_map(|section| &section.lines);
    pieces.extend(cause.map(|line| Piece::Text(&line.text)));
    paint(&pieces, "", markup, limit)
}

/// One line of foreign text, no longer than `limit` once it is written in `markup`.
pub fn line(text: &str, markup: &Markup, limit: Limit) -> String {
    let shown = (markup.text)(text);
    if limit.unit.len(&shown) <= limit.max {
        return shown;
    }
    Piece::Text(text).cut(markup, limit.max, limit.unit).unwrap_or_default()
}

fn news(document: &Document) -> impl Iterator<Item = Piece<'_>> {
    let first = document.news.iter().take(1).map(|line| Piece::Bold(line));
    first.chain(document.news.iter().skip(1).chain([&document.status]).map(|line| Piece::Text(line)))
}

fn sections(sections: &[Section]) -> impl Iterator<Item = Piece<'_>> {
    sections.iter().flat_map(|section| {
        let label = (!section.label.is_empty()).then_some(Piece::Bold(&section.label));
        let lines = section.lines.iter().map(|line| match &line.address {
            Some(address) => Piece::Link(&line.text, address),
            None => Piece::Text(&line.text),
        });
        [Piece::Gap].into_iter().chain(label).chain(lines)
    })
}

fn paint(pieces: &[Piece<'_>], footer: &str, markup: &Markup, limit: Limit) -> String {
    let Limit { max, unit } = limit;
    let mark = format!("{}…", markup.line_end);
    let footer = match footer {
        "" => String::new(),
        footer => format!("{0}{0}{1}", markup.line_end, (markup.text)(&text::excerpt(footer, FOOTER_CHARS_MAX))),
    };
    let room = max.saturating_sub(unit.len(&mark) + unit.len(&footer));
    let (mut painted, mut used) = (String::new(), 0);
    for piece in pieces {
        let shown = piece.shown(markup);
        // What has no text is no line: bold nothing would be bare markup.
        let Some(shown) = shown else { continue };
        let line_end = if painted.is_empty() { "" } else { markup.line_end };
        let units = unit.len(line_end) + unit.len(&shown);
        if used + units > room {
            let left = room.saturating_sub(used + unit.len(line_end));
            if let Some(cut) = piece.cut(markup, left, unit) {
                painted.push_str(line_end);
                painted.push_str(&cut);
            }
            painted.push_str(&mark);
            break;
        }
        painted.push_str(line_end);
        painted.push_str(&shown);
        used += units;
    }
    painted.push_str(&footer);
    painted
}

impl Piece<'_> {
    fn shown(self, markup: &Markup) -> Option<String> {
        let text = |text: &str| (!text.is_empty()).then(|| (markup.text)(text));
        match self {
            Self::Text(line) => text(line),
            Self::Bold(line) => text(line).map(|line| (markup.bold)(&line)),
            Self::Link(line, address) => text(line).map(|line| (markup.link)(&line, address)),
            Self::Gap => Some(String::new()),
        }
    }

    /// The beginning of a text, with a mark. A link is whole or not there.
    fn cut(self, markup: &Markup, room: usize, unit: Unit) -> Option<String> {
        let (whole, remake): (&str, fn(&str) -> Piece<'_>) = match self {
            Self::Text(line) => (line, |line| Piece::Text(line)),
            Self::Bold(line) => (line, |line| Piece::Bold(line)),
            Self::Link(..) | Self::Gap => return None,
        };
        let mut chars = whole.chars().count().min(room);
        while chars >= CUT_CHARS_MIN {
            let clipped = text::clip(whole, chars, Unit::Chars);
            match remake(&clipped).shown(markup) {
                Some(shown) if unit.len(&shown) <= room => return Some(shown),
                // Escaping lengthens some texts and not others.
                _ => chars = chars * 3 / 4,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests;
