//! What the systems that deploy have in common: which item or service a repository or an application stands
//! for, and which environments count. Never reads a body.
//!
//! ```yaml
//! items: { "acme/shop": shop-web, "acme/shop@staging": shop-web-staging }
//! ```

use super::Inbound;
use crate::error::ConfigError;
use crate::model::{Change, ChangeKind, ChangeState, Timestamp, change};
use std::collections::BTreeMap;

/// Names of items or services, by repository or application.
pub type Names = BTreeMap<String, String>;

#[derive(Default)]
pub struct Targets {
    items: Names,
    services: Names,
    /// Lower case; empty counts all.
    environments: Vec<String>,
}

impl Targets {
    pub fn new(items: Names, services: Names, environments: Vec<String>) -> Result<Self, ConfigError> {
        let (items, services) = (folded("items", items)?, folded("services", services)?);
        let environments = environments.iter().map(|name| name.to_lowercase()).collect();
        Ok(Self { items, services, environments })
    }

    /// Whether a deployment to an environment of one of these names (or tiers) counts.
    pub fn has_environment<'a>(&self, mut names: impl Iterator<Item = &'a str>) -> bool {
        self.environments.is_empty() || names.any(|name| self.environments.contains(&name.to_lowercase()))
    }

    /// Says what a deployment of a repository altered: by `<repository>@<environment>`, else by `<repository>`, as
    /// configured; else the item is named like the repository without its owner.
    pub fn name(&self, change: &mut Change, repository: &str, environment: Option<&str>) {
        let precise = environment.map(|environment| format!("{repository}@{environment}"));
        let plain = repository.rsplit('/').next().unwrap_or(repository);
        self.name_by(change, precise.iter().map(String::as_str).chain([repository]), plain);
    }

    /// The same for an application and its place, `<namespace>/<application>`.
    pub fn name_application(&self, change: &mut Change, application: &str, place: &str) {
        self.name_by(change, [place, application].into_iter(), application);
    }

    fn name_by<'a>(&self, change: &mut Change, keys: impl Iterator<Item = &'a str>, plain: &str) {
        let keys: Vec<String> = keys.map(str::to_lowercase).collect();
        let look_up = |names: &Names| keys.iter().find_map(|key| names.get(key)).cloned();
        let service = look_up(&self.services);
        // A service alone is enough: whoever named one knows that it has no item of its own.
        let plain = service.is_none().then(|| plain.to_owned());
        change.configuration_item = look_up(&self.items).or(plain);
        change.service = service.or(change.service.take());
    }
}

/// A change of which nothing else is known yet; it happened when it was received, unless `at` says otherwise.
pub fn blank_change(inbound: &Inbound<'_>, kind: ChangeKind, at: Option<Timestamp>) -> Change {
    Change {
        id: String::new(),
        at: at.unwrap_or(inbound.received_at),
        received_at: inbound.received_at,
        source: inbound.source.to_owned(),
        kind,
        state: ChangeState::Succeeded,
        state_at: None,
        configuration_item: None,
        service: None,
        reference: None,
        summary: String::new(),
        author: None,
        url: None,
    }
}

/// Names of repositories do not mind case.
fn folded(key: &str, names: Names) -> Result<Names, ConfigError> {
    let mut all = Names::new();
    for (source, name) in names {
        if name.is_empty() || name.len() > change::NAME_BYTES_MAX {
            let message = format!("expected a name of 1 to {} bytes, got {} bytes", change::NAME_BYTES_MAX, name.len());
            return Err(ConfigError::new(format!("{key}.{source}"), message));
        }
        all.insert(source.to_lowercase(), name);
    }
    Ok(all)
}
