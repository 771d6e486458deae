//! What is being watched: a router, four hosts and their services, and what is broken.
//!
//! ```text
//! rtr1 ─┬─ web1 (http)        mon1 (disk), not behind the router
//!       ├─ web2 (http)
//!       └─ db1 (pgsql)
//! ```
//!
//! One state file per object says 0 (works) or 2 (broken). What lies behind a broken
//! object fails with it, as it would for a monitor on this side of the router.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::process;

/// A watched host and the router in front of it.
pub struct Host {
    pub name: &'static str,
    pub address: &'static str,
    /// What the host is for; also its host group.
    pub role: &'static str,
    pub behind: Option<&'static str>,
}

/// A watched service; its state file is `<host>.<name>`.
pub struct Service {
    pub host: &'static str,
    pub name: &'static str,
}

pub const HOSTS: [Host; 5] = [
    Host::new("rtr1", "192.0.2.1", "router", None),
    Host::new("web1", "192.0.2.11", "web", Some("rtr1")),
    Host::new("web2", "192.0.2.12", "web", Some("rtr1")),
    Host::new("db1", "192.0.2.21", "db", Some("rtr1")),
    Host::new("mon1", "192.0.2.31", "monitoring", None),
];

pub const SERVICES: [Service; 4] = [
    Service::new("web1", "http"),
    Service::new("web2", "http"),
    Service::new("db1", "pgsql"),
    Service::new("mon1", "disk"),
];

impl Host {
    const fn new(name: &'static str, address: &'static str, role: &'static str, behind: Option<&'static str>) -> Self {
        Self { name, address, role, behind }
    }

    /// The objects that must all work for this host to answer, itself first.
    pub fn needs(&self) -> Vec<String> {
        std::iter::once(self.name).chain(self.behind).map(str::to_owned).collect()
    }
}

impl Service {
    const fn new(host: &'static str, name: &'static str) -> Self {
        Self { host, name }
    }

    pub fn object(&self) -> String {
        format!("{}.{}", self.host, self.name)
    }

    pub fn host(&self) -> &'static Host {
        HOSTS.iter().find(|host| host.name == self.host).expect("every service runs on a known host")
    }

    /// The objects that must all work for this service to answer, itself first.
    pub fn needs(&self) -> Vec<String> {
        let mut needs = vec![self.object()];
        needs.extend(self.host().needs());
        needs
    }
}

/// The state files.
#[derive(Clone)]
pub struct Plant {
    directory: PathBuf,
}

impl Plant {
    pub fn new(directory: PathBuf) -> Self {
        process::make_directory(&directory);
        let plant = Self { directory };
        for object in plant.states().into_keys() {
            plant.mend(&object);
        }
        plant
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    pub fn break_down(&self, object: &str) {
        self.set(object, "2");
    }

    pub fn mend(&self, object: &str) {
        self.set(object, "0");
    }

    /// Every object with whether a monitor sees it working.
    pub fn states(&self) -> BTreeMap<String, bool> {
        let hosts = HOSTS.iter().map(|host| (host.name.to_owned(), host.needs()));
        let services = SERVICES.iter().map(|service| (service.object(), service.needs()));
        hosts.chain(services).map(|(object, needs)| (object, needs.iter().all(|need| self.works(need)))).collect()
    }

    fn works(&self, object: &str) -> bool {
        fs::read_to_string(self.directory.join(object)).is_ok_and(|state| state.trim() == "0")
    }

    fn set(&self, object: &str, state: &str) {
        // Renamed into place: a check that reads at this moment never sees an empty file.
        let draft = self.directory.join(format!(".{object}.new"));
        process::write(&draft, &format!("{state}\n"));
        fs::rename(&draft, self.directory.join(object)).expect("put the state file in place");
    }
}
