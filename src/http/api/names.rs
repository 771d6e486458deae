//! Pages of things that have names, in order of these.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::parameters::Parameters;
use super::{CURSOR_EXPECTED, PageOf};
use crate::http::error::Problem;

/// A page that is asked for.
pub struct NamePage {
    /// Before the name in a cursor, so that one of another list is refused.
    tag: &'static str,
    /// The last name of the page before.
    pub after: Option<String>,
    limit: usize,
}

impl NamePage {
    pub fn read(parameters: &Parameters, tag: &'static str) -> Result<Self, Problem> {
        let page = parameters.page()?;
        let wrong = |cursor: &str| Problem::invalid_parameter("cursor", cursor, CURSOR_EXPECTED);
        let after = page.cursor.map(|cursor| name_in(tag, &cursor).ok_or_else(|| wrong(&cursor))).transpose()?;
        Ok(Self { tag, after, limit: page.limit as usize })
    }

    /// How many are to be looked for: one more than fit tells that there is another page.
    pub const fn wanted(&self) -> usize {
        self.limit + 1
    }

    pub fn of<T>(&self, mut items: Vec<T>, name: impl Fn(&T) -> &str) -> PageOf<T> {
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let last = items.last().filter(|_| has_more);
        let next_cursor = last.map(|last| URL_SAFE_NO_PAD.encode(format!("{}{}", self.tag, name(last))));
        PageOf { items, next_cursor }
    }
}

fn name_in(tag: &str, cursor: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix(tag).map(str::to_owned)
}
