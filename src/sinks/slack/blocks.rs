//! The document as Slack blocks, within Slack's limits.
//!
//! Decides how much of the document fits and nothing else. Uses only `plain_text` and `rich_text`:
//! what stands in them is shown as it is, `<!channel>`, `*stars*` and all.

use serde_json::{Value, json};

use crate::render::dialect::slack_text;
use crate::render::markup::{Document, Line, Section};
use crate::render::text::{self, Unit};
use crate::sinks::callback::{Button, Style};

/// Slack allows 150 in a header, 3,000 in a block, 50 blocks, 4,000 in the notification line, and about
/// 13,200 in all blocks together. It counts like JavaScript.
pub const HEADER_UNITS_MAX: usize = 150;
pub const BLOCK_UNITS_MAX: usize = 3_000;
pub const BLOCKS_MAX: usize = 50;
pub const TOTAL_UNITS_MAX: usize = 13_000;
const TEXT_UNITS_MAX: usize = 700;
/// Of a button's label, of what it carries, and buttons in a block.
const BUTTON_UNITS_MAX: usize = 75;
const VALUE_UNITS_MAX: usize = 2_000;
const ACTIONS_MAX: usize = 25;

/// Kept free for the footer and for the mark that something is missing.
const RESERVE_UNITS: usize = 400;

pub struct Blocks {
    /// What a phone shows, and what is shown where blocks are not.
    pub text: String,
    pub blocks: Vec<Value>,
}

/// The incident's message.
pub fn message(document: &Document) -> Blocks {
    let headline = text::clip(&document.headline, HEADER_UNITS_MAX, Unit::Utf16);
    let mut canvas = Canvas::new(Unit::Utf16.len(&headline));
    canvas.blocks.push(json!({"type": "header", "text": plain_text(&headline)}));
    canvas.section(&news(document));
    for section in &document.sections {
        canvas.section(section);
    }
    let mut blocks = canvas.finish();
    let footer = text::clip(&document.footer, RESERVE_UNITS / 2, Unit::Utf16);
    blocks.push(json!({"type": "context", "elements": [plain_text(&footer)]}));
    Blocks { text: notification_text(&[&document.headline, &document.news.join(" – ")]), blocks }
}

/// The news alone, for a thread that has the message above it.
pub fn reply(document: &Document) -> Blocks {
    let mut canvas = Canvas::new(0);
    canvas.section(&news(document));
    Blocks { text: notification_text(&[&document.news.join(" – "), &document.headline]), blocks: canvas.finish() }
}

/// What can be pressed below a message; nothing where there is nothing.
pub fn actions(buttons: &[Button]) -> Option<Value> {
    let element = |(index, button): (usize, &Button)| {
        let label = text::clip(&button.label, BUTTON_UNITS_MAX, Unit::Utf16);
        let mut element = json!({
            "type": "button",
            "action_id": format!("watchbell_{index}"),
            "text": plain_text(&label),
            "value": button.action.token(),
        });
        match button.style {
            Style::Plain => {}
            Style::Primary => element["style"] = "primary".into(),
            Style::Danger => element["style"] = "danger".into(),
        }
        element
    };
    let fits = |button: &&Button| Unit::Utf16.len(&button.action.token()) <= VALUE_UNITS_MAX;
    let elements: Vec<Value> = buttons.iter().filter(fits).take(ACTIONS_MAX).enumerate().map(element).collect();
    (!elements.is_empty()).then(|| json!({ "type": "actions", "elements": elements }))
}

/// Words for one person, and what they may choose from.
pub fn answer(words: &str, choices: &[Button]) -> Vec<Value> {
    let words = text::clip(words, BLOCK_UNITS_MAX, Unit::Utf16);
    let mut blocks = vec![json!({ "type": "section", "text": plain_text(&words) })];
    blocks.extend(actions(choices));
    blocks
}

fn news(document: &Document) -> Section {
    let mut lines: Vec<Line> = document.news.iter().skip(1).map(|line| Line::plain(line)).collect();
    lines.push(Line::plain(&document.status));
    Section::new(document.news.first().cloned().unwrap_or_default(), lines)
}

/// Escaping lengthens a text by a factor of five at worst: `&` becomes `&amp;`.
fn notification_text(parts: &[&str]) -> String {
    let text = parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join("\n");
    slack_text(&text::clip(&text, TEXT_UNITS_MAX, Unit::Utf16))
}

fn plain_text(text: &str) -> Value {
    // An empty text is refused.
    let text = if text.is_empty() { "-" } else { text };
    json!({"type": "plain_text", "text": text, "emoji": false})
}

struct Canvas {
    blocks: Vec<Value>,
    used: usize,
    is_full: bool,
}

impl Canvas {
    const fn new(used: usize) -> Self {
        Self { blocks: Vec::new(), used, is_full: false }
    }

    fn finish(self) -> Vec<Value> {
        self.blocks
    }

    /// A bold label and its lines, cut into as many blocks as the limit asks for.
    fn section(&mut self, section: &Section) {
        let mut elements: Vec<Value> = Vec::new();
        let mut block_units = 0;
        if !section.label.is_empty() {
            let label = text::clip(&section.label, BLOCK_UNITS_MAX / 4, Unit::Utf16);
            block_units += Unit::Utf16.len(&label) + 1;
            elements.push(json!({"type": "text", "text": label, "style": {"bold": true}}));
        }
        for line in &section.lines {
            let shown = text::clip(&line.text, BLOCK_UNITS_MAX / 2, Unit::Utf16);
            let address_units = line.address.as_deref().map_or(0, |address| Unit::Utf16.len(address));
            let units = Unit::Utf16.len(&shown) + address_units + 1;
            if self.is_full || self.used + block_units + units + RESERVE_UNITS > TOTAL_UNITS_MAX {
                self.mark_full(&mut elements);
                break;
            }
            if block_units + units > BLOCK_UNITS_MAX - RESERVE_UNITS {
                self.flush(&mut elements, &mut block_units);
            }
            if !elements.is_empty() {
                elements.push(json!({"type": "text", "text": "\n"}));
            }
            block_units += units;
            match &line.address {
                Some(address) => elements.push(json!({"type": "link", "url": address, "text": shown})),
                None if shown.is_empty() => {}
                None => elements.push(json!({"type": "text", "text": shown})),
            }
        }
        self.flush(&mut elements, &mut block_units);
    }

    /// Says once that something is missing.
    fn mark_full(&mut self, elements: &mut Vec<Value>) {
        if !self.is_full {
            elements.push(json!({"type": "text", "text": "\n…"}));
            self.is_full = true;
        } else {
            elements.clear();
        }
    }

    fn flush(&mut self, elements: &mut Vec<Value>, block_units: &mut usize) {
        self.used += std::mem::take(block_units);
        // Two places are kept, for the footer and for what can be pressed.
        if elements.is_empty() || self.blocks.len() + 2 >= BLOCKS_MAX {
            elements.clear();
            return;
        }
        let section = json!({"type": "rich_text_section", "elements": std::mem::take(elements)});
        self.blocks.push(json!({"type": "rich_text", "elements": [section]}));
    }
}
