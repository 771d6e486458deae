//! What the sections have in common that make the daemon do something again and again, some of them at an address: `every`,
//! `timeout` and `url`. Decides what fits.

use super::problem::Problems;
use super::validate::check_span;
use super::yaml::Node;
use crate::model::Span;

const SECOND: Span = Span::from_secs(1);

/// How often, and how long it may take.
#[derive(Clone, Copy)]
pub(super) struct Rhythm {
    pub every: Span,
    pub timeout: Span,
}

impl Rhythm {
    /// For what lives from being done often: from ten seconds to an hour, and done before it begins again.
    pub(super) fn check_brisk(self, node: &Node, path: &str, problems: &mut Problems) {
        let timeout_max = self.every.max(SECOND);
        self.check(node, path, (Span::from_secs(10), Span::from_hours(1)), timeout_max, problems);
    }

    pub(super) fn check(
        self,
        node: &Node,
        path: &str,
        (every_min, every_max): (Span, Span),
        timeout_max: Span,
        problems: &mut Problems,
    ) {
        check_span(node, path, "every", self.every, every_min, every_max, problems);
        check_span(node, path, "timeout", self.timeout, SECOND, timeout_max, problems);
    }
}

/// Whether something can be asked there.
pub(super) fn is_web(uri: &http::Uri) -> bool {
    matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
}
