//! Query parameters: which are known, what fits. A name that is not known is refused rather than
//! ignored, because a misspelt filter that filters nothing is worse than an error.

use axum::extract::Query;
use http::Uri;

use crate::http::error::Problem;
use crate::store::{PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, PageQuery};

/// Bytes of a cursor or of a filter's value.
const VALUE_BYTES_MAX: usize = 2_048;

pub const CURSOR_EXPECTED: &str = "the `next_cursor` of the page before";

const PAGE: [&str; 2] = ["limit", "cursor"];

/// The parameters of one request, each of them known.
pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// `names` besides `limit` and `cursor`; only a name in `repeatable` may come more than once.
    pub fn read(uri: &Uri, names: &[&str], repeatable: &[&str]) -> Result<Self, Problem> {
        let page_and_names: Vec<&str> = PAGE.iter().chain(names).copied().collect();
        Self::read_known(uri, &page_and_names, repeatable)
    }

    /// Of something that has no pages.
    pub fn only(uri: &Uri, names: &[&str]) -> Result<Self, Problem> {
        Self::read_known(uri, names, &[])
    }

    fn read_known(uri: &Uri, names: &[&str], repeatable: &[&str]) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| Problem::invalid_parameter("query", uri.query().unwrap_or_default(), "`name=value` pairs"))?;
        for (at, (name, value)) in pairs.iter().enumerate() {
            let is_known = |known: &&&str| **known == name;
            let known = names.iter().chain(repeatable);
            if !known.clone().any(|known| is_known(&known)) {
                let list: Vec<_> = known.map(|name| format!("`{name}`")).collect();
                return Err(Problem::invalid_parameter(
                    name,
                    value,
                    format!("one of the parameters {}", list.join(", ")),
                ));
            }
            if value.len() > VALUE_BYTES_MAX {
                let expected = format!("at most {VALUE_BYTES_MAX} bytes");
                return Err(Problem::invalid_parameter(name, &format!("{} bytes", value.len()), expected));
            }
            if !repeatable.contains(&name.as_str()) && pairs[..at].iter().any(|(earlier, _)| earlier == name) {
                return Err(Problem::invalid_parameter(name, value, "the parameter once only"));
            }
        }
        Ok(Self(pairs))
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }

    /// The value as one of a set of words.
    pub fn word<T>(
        &self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Problem> {
        let Some((_, value)) = self.0.iter().find(|(known, _)| known == name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| Problem::invalid_parameter(name, value, expected))
    }

    pub fn page(&self) -> Result<PageQuery, Problem> {
        let expected = format!("a whole number from 1 to {PAGE_LIMIT_MAX}");
        let limit = self.word("limit", &expected, |text| {
            text.parse::<u32>().ok().filter(|limit| (1..=PAGE_LIMIT_MAX).contains(limit))
        })?;
        let cursor = self.word("cursor", CURSOR_EXPECTED, |text| {
            (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| text.to_owned())
        })?;
        Ok(PageQuery { cursor, limit: limit.unwrap_or(PAGE_LIMIT_DEFAULT) })
    }
}
