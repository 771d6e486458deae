//! The named templates that exist without any file: those of Alertmanager 0.34, with the same output.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use super::parser;
use super::syntax::Template;

pub const SOURCE: &str = include_str!("defaults.tmpl");

static NAMED: LazyLock<Arc<BTreeMap<String, Arc<Template>>>> = LazyLock::new(|| {
    let parsed = parser::parse(Some("the default templates"), SOURCE);
    Arc::new(parsed.map(|parsed| parsed.defined).unwrap_or_default())
});

pub fn named() -> Arc<BTreeMap<String, Arc<Template>>> {
    NAMED.clone()
}
