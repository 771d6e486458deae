//! Stand-ins for services that keep something: they enforce their vendors' rules, so that a sink that
//! breaks one fails here as it would there. Never more lenient than the real thing.

pub mod alarms;
pub mod chats;
pub mod servicenow;
pub mod slack;

use std::sync::atomic::{AtomicBool, Ordering};

/// The next change is made, and then its answer never comes.
#[derive(Debug, Default)]
pub struct Fault(AtomicBool);

impl Fault {
    pub fn arm(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Waits for ever when armed, once.
    async fn strike(&self) {
        if self.0.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }
}

/// Value of a query parameter, decoded.
fn parameter(uri: &http::Uri, name: &str) -> Option<String> {
    let url = reqwest::Url::parse(&format!("http://localhost{uri}")).ok()?;
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}
