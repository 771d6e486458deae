//! Where a page ended, as text that callers hand back unread. Every backend uses the same form, so a
//! cursor outlives a change of backend. Never trusted: one of another list is refused by its tag.
//!
//! `incidents` sorted by time and id: tag, time and id → `aTE3OTUyMzcyMDAwMDAuaW5jLTAx`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{PAGE_LIMIT_MAX, Page, PageQuery, StoreError};

/// Which list a cursor belongs to; the letter is part of the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    Incidents = b'i' as isize,
    Alerts = b'a' as isize,
    Problems = b'p' as isize,
    Changes = b'c' as isize,
    Silences = b's' as isize,
    Deliveries = b'd' as isize,
    Timeline = b't' as isize,
    Firings = b'f' as isize,
    Audit = b'u' as isize,
    Quarantine = b'q' as isize,
}

/// Sort key of a row: a time or a number, and an id where the first alone is not unique.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) number: i64,
    pub(super) id: String,
}

impl Key {
    pub(super) const fn number(number: i64) -> Self {
        Self { number, id: String::new() }
    }
    /// Before every row of a list that starts with the newest.
    pub(super) const LAST: Self = Self::number(i64::MAX);
    /// Before every row of a list that starts with the oldest.
    pub(super) const FIRST: Self = Self::number(i64::MIN);
}

/// Bytes of a cursor; ours are shorter because ids are.
const CURSOR_BYTES_MAX: usize = 2_048;
/// Characters of a wrong cursor that the error repeats.
const SHOWN_CHARS_MAX: usize = 80;

pub(super) fn encode(list: List, key: &Key) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}{}.{}", list as u8 as char, key.number, key.id))
}

/// The key after which the page starts, `start` when there is no cursor.
pub(super) fn decode(list: List, page: &PageQuery, start: Key) -> Result<Key, StoreError> {
    let Some(cursor) = &page.cursor else { return Ok(start) };
    parse(list, cursor)
        .ok_or_else(|| StoreError::BadCursor { cursor: cursor.escape_debug().take(SHOWN_CHARS_MAX).collect() })
}

fn parse(list: List, cursor: &str) -> Option<Key> {
    if cursor.len() > CURSOR_BYTES_MAX {
        return None;
    }
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    let (number, id) = text.strip_prefix(list as u8 as char)?.split_once('.')?;
    Some(Key { number: number.parse().ok()?, id: id.to_owned() })
}

/// How many rows to fetch: the page and one more, which tells whether there is a next page.
pub(super) fn rows_to_fetch(page: &PageQuery) -> u32 {
    limit(page) + 1
}

pub(super) fn limit(page: &PageQuery) -> u32 {
    page.limit.clamp(1, PAGE_LIMIT_MAX)
}

/// Cuts what [`rows_to_fetch`] brought to one page.
pub(super) fn cut<T>(list: List, page: &PageQuery, mut rows: Vec<(Key, T)>) -> Page<T> {
    let limit = limit(page) as usize;
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    let next_cursor = rows.last().filter(|_| has_more).map(|(key, _)| encode(list, key));
    Page { items: rows.into_iter().map(|(_, item)| item).collect(), next_cursor }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(cursor: &str) -> PageQuery {
        PageQuery { cursor: Some(cursor.to_owned()), limit: 2 }
    }

    #[test]
    fn comes_back_as_it_went() {
        for key in [Key::number(7), Key { number: -1, id: "inc-0.1.ops/slack".into() }, Key::LAST, Key::FIRST] {
            let cursor = encode(List::Deliveries, &key);
            assert_eq!(decode(List::Deliveries, &page(&cursor), Key::LAST).unwrap(), key);
        }
    }

    #[test]
    fn is_refused_when_it_is_not_of_this_list() {
        let alien = encode(List::Audit, &Key::number(7));
        let long = "A".repeat(CURSOR_BYTES_MAX + 1);
        for cursor in ["", "7", "####", "żółw", alien.as_str(), long.as_str()] {
            let error = decode(List::Alerts, &page(cursor), Key::LAST).unwrap_err();
            assert!(matches!(error, StoreError::BadCursor { .. }), "{cursor}: {error}");
            assert!(error.to_string().chars().count() < 200, "{error}");
        }
    }

    #[test]
    fn a_full_page_without_a_next_row_is_the_last() {
        let rows = |count: i64| (0..count).map(|number| (Key::number(number), number)).collect::<Vec<_>>();
        let query = PageQuery { cursor: None, limit: 2 };
        assert_eq!(cut(List::Alerts, &query, rows(2)).next_cursor, None);
        let first = cut(List::Alerts, &query, rows(3));
        assert_eq!(first.items, [0, 1]);
        assert_eq!(first.next_cursor, Some(encode(List::Alerts, &Key::number(1))));
    }

    #[test]
    fn limits_stay_within_a_page() {
        for (asked, fetched) in [(0, 2), (1, 2), (500, 501), (u32::MAX, 501)] {
            assert_eq!(rows_to_fetch(&PageQuery { cursor: None, limit: asked }), fetched);
        }
    }
}
