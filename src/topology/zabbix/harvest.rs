//! What the answers add up to: which hosts are nodes, what their names are, and which edges a dependency
//! between triggers means.
//!
//! A trigger of web1 that depends on one of rtr1 says that web1 depends on rtr1. A trigger may be about
//! several hosts; then each of them depends on each host of the other. Within a host it says nothing.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{Id, NOT_ZABBIX, TOO_MUCH};
use crate::error::ErrorKind;
use crate::model::topology::{ConfigurationItem, Edge, EdgeKind, ID_BYTES_MAX, TopologyFile};
use crate::topology::PullError;

/// Triggers that take part in a dependency, of one server.
const TRIGGERS_MAX: usize = 500_000;
/// `status` of a host that is watched.
const MONITORED: &str = "0";
/// `flags` of a prototype, which is no host (<https://www.zabbix.com/documentation/6.0/en/manual/api/reference/host/object>).
const PROTOTYPE: &str = "2";

#[derive(Deserialize)]
pub(super) struct Host {
    hostid: Id,
    /// The technical name, which events carry as `{HOST.HOST}`.
    host: String,
    /// The visible name.
    #[serde(default)]
    name: String,
    #[serde(default)]
    status: Id,
    #[serde(default)]
    flags: Id,
    #[serde(default)]
    interfaces: Vec<Interface>,
    #[serde(default, alias = "groups")]
    hostgroups: Vec<Group>,
}

#[derive(Deserialize)]
struct Interface {
    #[serde(default)]
    dns: String,
    #[serde(default)]
    ip: String,
}

#[derive(Deserialize)]
struct Group {
    name: String,
}

#[derive(Deserialize)]
pub(super) struct Trigger {
    triggerid: Id,
    #[serde(default)]
    hosts: Vec<super::HostId>,
    #[serde(default)]
    dependencies: Vec<Reference>,
}

/// A trigger that another one depends on.
#[derive(Deserialize)]
struct Reference {
    triggerid: Id,
}

/// Everything that was answered so far.
#[derive(Debug, Default)]
pub(super) struct Harvest {
    origin: String,
    /// Technical names by host id.
    names: BTreeMap<Id, String>,
    nodes: BTreeMap<String, ConfigurationItem>,
    groups: BTreeSet<String>,
    /// Host and group.
    members: BTreeSet<(String, String)>,
    /// Hosts of each trigger that is known.
    hosts: BTreeMap<Id, Vec<Id>>,
    /// A trigger and one that it depends on.
    dependencies: BTreeSet<(Id, Id)>,
}

impl Harvest {
    pub fn new(origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..Self::default() }
    }

    pub fn take_hosts(&mut self, hosts: Vec<Host>) -> Result<(), PullError> {
        for host in hosts {
            let is_prototype = host.flags.0 == PROTOTYPE;
            // Absent is monitored: only such hosts were asked for.
            let is_monitored = [MONITORED, ""].contains(&host.status.0.as_str());
            if !is_prototype && is_monitored {
                self.take_host(host)?;
            }
        }
        Ok(())
    }

    fn take_host(&mut self, host: Host) -> Result<(), PullError> {
        check_name(&host)?;
        for group in &host.hostgroups {
            let group = format!("{}/{}", self.origin, group.name);
            // A group is of use to people only; one whose name does not fit is left out.
            if group.len() <= ID_BYTES_MAX {
                self.members.insert((host.host.clone(), group.clone()));
                self.groups.insert(group);
            }
        }
        let addresses = host.interfaces.iter().flat_map(|interface| [&interface.dns, &interface.ip]);
        let mut aliases: Vec<String> = Vec::new();
        for name in std::iter::once(&host.name).chain(addresses) {
            if is_alias(name) && *name != host.host && !aliases.contains(name) {
                aliases.push(name.clone());
            }
        }
        let node = ConfigurationItem {
            id: host.host.clone(),
            kind: Some("host".to_owned()),
            aliases,
            ..ConfigurationItem::default()
        };
        self.nodes.insert(host.host.clone(), node);
        self.names.insert(host.hostid, host.host);
        Ok(())
    }

    /// Triggers that depend on others.
    pub fn take_dependent(&mut self, triggers: Vec<Trigger>) -> Result<(), PullError> {
        for trigger in triggers {
            let on = trigger.dependencies.iter().map(|on| (trigger.triggerid.clone(), on.triggerid.clone()));
            self.dependencies.extend(on);
            self.hosts.insert(trigger.triggerid, trigger.hosts.into_iter().map(|host| host.hostid).collect());
        }
        if self.hosts.len().max(self.dependencies.len()) > TRIGGERS_MAX {
            let reason = format!("there are more than {TRIGGERS_MAX} dependencies between triggers");
            return Err(PullError::new(ErrorKind::Invalid, reason, TOO_MUCH));
        }
        Ok(())
    }

    /// Triggers that others depend on.
    pub fn take_targets(&mut self, triggers: Vec<Trigger>) {
        for trigger in triggers {
            self.hosts.insert(trigger.triggerid, trigger.hosts.into_iter().map(|host| host.hostid).collect());
        }
    }

    /// Triggers that others depend on and whose hosts were not asked for. From here on they count as known:
    /// what the token may not see is asked for once.
    pub fn unknown_targets(&mut self) -> Vec<String> {
        let targets: BTreeSet<&Id> = self.dependencies.iter().map(|(_, on)| on).collect();
        let unknown: Vec<Id> = targets.into_iter().filter(|id| !self.hosts.contains_key(*id)).cloned().collect();
        self.hosts.extend(unknown.iter().map(|id| (id.clone(), Vec::new())));
        unknown.into_iter().map(|id| id.0).collect()
    }

    pub fn finish(self) -> TopologyFile {
        let mut edges: BTreeSet<Edge> = BTreeSet::new();
        for (trigger, on) in &self.dependencies {
            for from in self.names_of(trigger) {
                let others = self.names_of(on).filter(|to| *to != from);
                edges.extend(others.map(|to| edge(from, to, EdgeKind::DependsOn)));
            }
        }
        edges.extend(self.members.iter().map(|(host, group)| edge(host, group, EdgeKind::MemberOf)));
        let group =
            |id: String| ConfigurationItem { id, kind: Some("host_group".to_owned()), ..ConfigurationItem::default() };
        let nodes = self.nodes.into_values().chain(self.groups.into_iter().map(group)).collect();
        let mut topology = TopologyFile { nodes, edges: edges.into_iter().collect() };
        topology.drop_shared_aliases();
        topology
    }

    /// The hosts of a trigger that are nodes.
    fn names_of(&self, trigger: &Id) -> impl Iterator<Item = &String> {
        self.hosts.get(trigger).into_iter().flatten().filter_map(|host| self.names.get(host))
    }
}

fn edge(from: &str, to: &str, kind: EdgeKind) -> Edge {
    Edge { from: from.to_owned(), to: to.to_owned(), kind }
}

/// Technical names are short and never empty in Zabbix.
fn check_name(host: &Host) -> Result<(), PullError> {
    let fault = match host.host.len() {
        0 => "no name".to_owned(),
        bytes if bytes > ID_BYTES_MAX => format!("a name of {bytes} bytes"),
        _ => return Ok(()),
    };
    let id: String = host.hostid.0.chars().filter(char::is_ascii_alphanumeric).take(20).collect();
    Err(PullError::new(ErrorKind::Invalid, format!("host {id} has {fault}"), NOT_ZABBIX))
}

/// Names that name one host in the whole world of its monitors; every machine is its own `localhost`, and
/// what holds a macro is no name yet.
fn is_alias(name: &str) -> bool {
    let is_own = name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback() || ip.is_unspecified());
    !name.is_empty() && name.len() <= ID_BYTES_MAX && !is_own && name != "localhost" && !name.contains('{')
}
