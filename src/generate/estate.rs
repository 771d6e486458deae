//! Builds the estate: namespaces of services in layers, their pods on hosts in racks behind switches, and
//! what they share. Decides structure only; nothing here knows of faults.
//!
//! ```text
//! load balancer ─▶ edge service ─▶ service ─▶ service ─▶ database, cache, queue, supplier
//!                       │ pods         │ pods     └─▶ services of other namespaces, the shared database
//!                       ▼              ▼
//!                     hosts ──────────────────▶ switch of the rack ─▶ core switch of the zone
//! ```

use super::parameters::Parameters;
use super::random::Random;
use super::vocabulary::Vocabulary;
use super::world::{Edge, EdgeKind, Node, NodeKind, World};

const ZONES: [&str; 3] = ["fra1", "fra2", "ams1"];
/// From here on there are several zones, and namespaces of full size.
const NODES_LARGE: usize = 600;
const HOSTS_PER_RACK: usize = 16;
/// Two nodes besides the hosts: the rack and its switch.
const NODES_PER_RACK: usize = HOSTS_PER_RACK + 2;
const PODS_PER_HOST: usize = 7;
/// Namespaces that share a name server, and such that share a database.
const NAMESPACES_PER_CLUSTER: usize = 3;
const NAMESPACES_PER_SHARED_DATABASE: usize = 4;

/// What everybody calls comes first.
const NAMESPACES: [&str; 20] = [
    "identity",
    "payments",
    "messaging",
    "catalog",
    "orders",
    "shop",
    "search",
    "shipping",
    "pricing",
    "inventory",
    "media",
    "billing",
    "reviews",
    "partners",
    "analytics",
    "support",
    "fraud",
    "loyalty",
    "reporting",
    "backoffice",
];
/// Names of services by layer: what is closest to users first.
const SERVICES: [&[&str]; 4] = [
    &["web", "gateway", "mobile-api"],
    &["api", "session", "checkout", "listing", "profile", "notifier"],
    &["engine", "rules", "ledger", "indexer", "scheduler", "validator", "exporter", "matcher"],
    &["store", "archive", "events", "audit", "settings", "files"],
];
const EXTERNALS: [&str; 12] = [
    "card-processor",
    "sms-gateway",
    "mail-relay",
    "geocoder",
    "tax-rates",
    "credit-bureau",
    "object-storage",
    "maps",
    "exchange-rates",
    "parcel-tracking",
    "identity-provider",
    "translation",
];

/// Builds an estate of exactly `parameters.nodes` nodes.
pub fn build(parameters: &Parameters) -> World {
    let mut estate = Estate::new(parameters.seed, parameters.nodes as usize);
    estate.add_externals();
    estate.add_core();
    let mut number = 0;
    while number == 0 || estate.has_room() {
        estate.add_namespace(number);
        number += 1;
    }
    estate.use_every_external();
    estate.add_hosts();
    estate.place();
    estate.mark_chronic(parameters.chronic_percent as usize);
    estate.world
}

struct Estate {
    world: World,
    random: Random,
    nodes: usize,
    zones: usize,
    externals: Vec<usize>,
    cores: Vec<usize>,
    /// Those that stand in a zone are watched by its system: words and number.
    zone_monitors: Vec<(Vocabulary, usize)>,
    shared_database: Option<usize>,
    dns: Option<usize>,
    /// Services that other namespaces may call.
    entries: Vec<usize>,
    /// Layer of each service, by node.
    layers: Vec<(usize, usize)>,
    hosts: Vec<usize>,
}

/// Where a node belongs and who watches it.
struct Place<'a> {
    namespace: Option<&'a str>,
    service: Option<&'a str>,
    zone: Option<usize>,
    watched_by: (Vocabulary, usize),
}

impl Estate {
    fn new(seed: u64, nodes: usize) -> Self {
        let zones = if nodes < NODES_LARGE { 1 } else { ZONES.len() };
        let mut random = Random::of(seed, "estate", 0);
        let mut vocabularies = Vocabulary::INFRASTRUCTURE;
        random.shuffle(&mut vocabularies);
        let zone_monitors: Vec<_> = (0..zones).map(|zone| (vocabularies[zone], zone)).collect();
        let mut world = World::default();
        world.monitors = zones;
        Self {
            world,
            random,
            nodes,
            zones,
            externals: Vec::new(),
            cores: Vec::new(),
            zone_monitors,
            shared_database: None,
            dns: None,
            entries: Vec::new(),
            layers: Vec::new(),
            hosts: Vec::new(),
        }
    }

    fn add(&mut self, id: String, kind: NodeKind, place: &Place<'_>) -> usize {
        self.world.add_node(Node {
            id,
            kind,
            namespace: place.namespace.map(str::to_owned),
            service: place.service.map(str::to_owned),
            zone: place.zone.map(|zone| ZONES[zone].to_owned()),
            vocabulary: place.watched_by.0,
            monitor: place.watched_by.1,
            is_monitored: true,
            is_chronic: false,
        })
    }

    fn join(&mut self, from: usize, to: usize, kind: EdgeKind, passes: i64) {
        self.world.add_edge(Edge { from, to, kind, passes });
    }

    fn in_zone(&self, zone: usize) -> Place<'static> {
        Place { namespace: None, service: None, zone: Some(zone), watched_by: self.zone_monitors[zone] }
    }

    fn add_externals(&mut self) {
        let count = (3 + self.nodes / 400).min(EXTERNALS.len());
        for name in &EXTERNALS[..count] {
            let place = Place { zone: None, ..self.in_zone(0) };
            let node = self.add(format!("external/{name}"), NodeKind::External, &place);
            self.world.nodes[node].is_monitored = self.random.chance(80);
            self.externals.push(node);
        }
    }

    fn add_core(&mut self) {
        for (zone, name) in ZONES.iter().enumerate().take(self.zones) {
            let core = self.add(format!("{name}-core"), NodeKind::Switch, &self.in_zone(zone));
            self.cores.push(core);
        }
    }

    /// Whether another namespace and the hosts for all of them still fit.
    fn has_room(&self) -> bool {
        let count = |kind| self.world.nodes.iter().filter(|node| node.kind == kind).count();
        let hosts = count(NodeKind::Pod) / PODS_PER_HOST + count(NodeKind::Database) + 1;
        let racks = hosts / HOSTS_PER_RACK + self.zones;
        let namespace = if self.nodes < NODES_LARGE { 50 } else { 85 };
        self.world.nodes.len() + hosts + 2 * racks + namespace < self.nodes
    }

    fn add_namespace(&mut self, number: usize) {
        let round = number / NAMESPACES.len();
        let name = match round {
            0 => NAMESPACES[number].to_owned(),
            _ => format!("{}-{}", NAMESPACES[number % NAMESPACES.len()], round + 1),
        };
        // Every vocabulary occurs, in an order that the seed decides.
        let vocabulary = Vocabulary::ALL[(number + self.random.below(2)) % Vocabulary::ALL.len()];
        let place =
            Place { namespace: Some(&name), service: None, zone: None, watched_by: (vocabulary, self.world.monitors) };
        self.world.monitors += 1;
        let namespace = self.add(name.clone(), NodeKind::Namespace, &place);
        if number.is_multiple_of(NAMESPACES_PER_CLUSTER) {
            let zone = self.random.below(self.zones);
            let id = format!("dns-{}", number / NAMESPACES_PER_CLUSTER + 1);
            self.dns = Some(self.add(id, NodeKind::Dns, &self.in_zone(zone)));
        }
        if number.is_multiple_of(NAMESPACES_PER_SHARED_DATABASE) {
            let id = format!("shared-db-{}", number / NAMESPACES_PER_SHARED_DATABASE + 1);
            let zone = self.random.below(self.zones);
            self.shared_database = Some(self.add(id, NodeKind::Database, &self.in_zone(zone)));
        }
        let services = self.add_services(namespace, &place);
        self.add_calls(&services);
        self.add_stores(&services, &place);
        self.add_entrances(&services, &name);
        self.entries.extend(services.iter().filter(|(_, layer)| *layer == 1).map(|(node, _)| *node).take(2));
        self.layers.extend(services);
    }

    /// The services of a namespace, each with its layer, and their pods.
    fn add_services(&mut self, namespace: usize, place: &Place<'_>) -> Vec<(usize, usize)> {
        let count = if self.nodes < NODES_LARGE { self.random.between(4, 6) } else { self.random.between(7, 13) };
        let name = place.namespace.unwrap_or_default();
        let mut used = [0; SERVICES.len()];
        let mut services = Vec::new();
        for number in 0..count as usize {
            let layer = if number < SERVICES.len() { number } else { 1 + self.random.below(SERVICES.len() - 1) };
            let Some(service) = SERVICES[layer].get(used[layer]) else { continue };
            used[layer] += 1;
            let place = Place { service: Some(service), ..*place };
            let node = self.add(format!("{name}/{service}"), NodeKind::Service, &place);
            self.join(node, namespace, EdgeKind::MemberOf, 0);
            let is_monitored = self.random.chance(96);
            self.world.nodes[node].is_monitored = is_monitored;
            let replicas = 2 + self.random.below(4).min(self.random.below(4));
            let version = self.random.bits();
            for _ in 0..replicas {
                let id = format!("{name}/{service}-{:08x}-{}", version as u32, self.suffix());
                let pod = self.add(id, NodeKind::Pod, &place);
                self.world.nodes[pod].is_monitored = is_monitored;
                self.join(node, pod, EdgeKind::DependsOn, 1_000);
            }
            services.push((node, layer));
        }
        services
    }

    /// Five characters as Kubernetes gives them to a pod.
    fn suffix(&mut self) -> String {
        const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
        (0..5).map(|_| char::from(LETTERS[self.random.below(LETTERS.len())])).collect()
    }

    /// Calls between services, always to a deeper layer or to a namespace that was there before, so that
    /// there is no circle. Some calls have a fallback and let little through.
    fn add_calls(&mut self, services: &[(usize, usize)]) {
        for (callee, layer) in services {
            let callers: Vec<usize> =
                services.iter().filter(|(_, other)| other < layer).map(|(node, _)| *node).collect();
            for _ in 0..1 + self.random.below(3) {
                if let Some(caller) = self.random.pick(&callers).copied() {
                    let passes = match self.random.below(10) {
                        0 | 1 => self.random.between(50, 250),
                        2..=5 => self.random.between(500, 850),
                        _ => self.random.between(850, 970),
                    };
                    self.call(caller, *callee, EdgeKind::Calls, passes);
                }
            }
        }
        for (caller, _) in services.iter().filter(|(_, layer)| *layer > 0) {
            // Half of these calls go to the first few, which everybody needs.
            let end = if self.random.chance(50) { self.entries.len().min(6) } else { self.entries.len() };
            let entry = self.random.below(end);
            if self.random.chance(35) && end > 0 {
                let passes = self.random.between(150, 800);
                self.call(*caller, self.entries[entry], EdgeKind::Calls, passes);
            }
            if self.random.chance(15) {
                let external = self.externals[self.random.below(self.externals.len())];
                let passes = self.random.between(400, 900);
                self.call(*caller, external, EdgeKind::Calls, passes);
            }
        }
    }

    /// A supplier that nobody calls would be none.
    fn use_every_external(&mut self) {
        for external in self.externals.clone() {
            let is_used = self.world.dependants(external).next().is_some();
            if let Some((caller, _)) = self.random.pick(&self.layers).copied().filter(|_| !is_used) {
                let passes = self.random.between(400, 900);
                self.call(caller, external, EdgeKind::Calls, passes);
            }
        }
    }

    /// A service's call is made by its pods.
    fn call(&mut self, caller: usize, callee: usize, kind: EdgeKind, passes: i64) {
        self.join(caller, callee, kind, passes);
        let pods: Vec<usize> = self.world.pods(caller).collect();
        for pod in pods {
            self.join(pod, callee, kind, passes);
        }
    }

    /// Databases, cache and queue of a namespace, and who uses them.
    fn add_stores(&mut self, services: &[(usize, usize)], place: &Place<'_>) {
        let name = place.namespace.unwrap_or_default();
        let mut databases = vec![self.add(format!("{name}/db"), NodeKind::Database, place)];
        if services.len() > 9 {
            databases.push(self.add(format!("{name}/db-history"), NodeKind::Database, place));
        }
        let cache = self.random.chance(60).then(|| self.add(format!("{name}/cache"), NodeKind::Cache, place));
        let queue = self.random.chance(40).then(|| self.add(format!("{name}/queue"), NodeKind::Queue, place));
        let dns = self.dns;
        for (service, layer) in services {
            let passes = self.random.between(850, 1_000);
            if *layer >= 2 || self.random.chance(25) {
                let database = databases[self.random.below(databases.len())];
                self.call(*service, database, EdgeKind::DependsOn, passes);
            }
            if let Some(shared) = self.shared_database.filter(|_| *layer >= 1)
                && self.random.chance(25)
            {
                self.call(*service, shared, EdgeKind::DependsOn, passes);
            }
            if let Some(cache) = cache.filter(|_| *layer <= 2)
                && self.random.chance(50)
            {
                let passes = self.random.between(200, 450);
                self.call(*service, cache, EdgeKind::DependsOn, passes);
            }
            if let Some(queue) = queue
                && self.random.chance(30)
            {
                let passes = self.random.between(100, 350);
                self.call(*service, queue, EdgeKind::DependsOn, passes);
            }
            if let Some(dns) = dns {
                let passes = self.random.between(250, 900);
                self.join(*service, dns, EdgeKind::DependsOn, passes);
            }
        }
    }

    /// Load balancers of a namespace that users reach.
    fn add_entrances(&mut self, services: &[(usize, usize)], name: &str) {
        let edge: Vec<usize> = services.iter().filter(|(_, layer)| *layer == 0).map(|(node, _)| *node).collect();
        if edge.is_empty() || !self.random.chance(60) {
            return;
        }
        let zone = self.random.below(self.zones);
        let place = self.in_zone(zone);
        let balancer = self.add(format!("{}-lb-{name}", ZONES[zone]), NodeKind::LoadBalancer, &place);
        self.join(balancer, self.cores[zone], EdgeKind::DependsOn, 1_000);
        for service in edge {
            let passes = self.random.between(700, 950);
            self.join(balancer, service, EdgeKind::Calls, passes);
        }
    }

    /// Racks with their switch and as many hosts as are missing.
    fn add_hosts(&mut self) {
        let rest = self.nodes - self.world.nodes.len();
        let racks = rest.div_ceil(NODES_PER_RACK).max(1);
        let hosts = rest - 2 * racks;
        for rack in 0..racks {
            let zone = rack % self.zones;
            let place = self.in_zone(zone);
            let name = format!("{}-r{:02}", ZONES[zone], rack / self.zones + 1);
            let rack_node = self.add(name.clone(), NodeKind::Rack, &place);
            let switch = self.add(format!("{name}-sw"), NodeKind::Switch, &place);
            self.world.nodes[switch].is_monitored = self.random.chance(10);
            self.join(switch, self.cores[zone], EdgeKind::DependsOn, 1_000);
            self.join(switch, rack_node, EdgeKind::MemberOf, 0);
            for number in 0..hosts / racks + usize::from(rack < hosts % racks) {
                let host = self.add(format!("{name}-h{:02}", number + 1), NodeKind::Host, &place);
                self.join(host, switch, EdgeKind::DependsOn, 1_000);
                self.join(host, rack_node, EdgeKind::MemberOf, 0);
                self.hosts.push(host);
            }
        }
    }

    /// Databases get hosts of their own; pods, caches and the like share the rest, the pods of a service
    /// on different ones.
    fn place(&mut self) {
        let mut hosts = std::mem::take(&mut self.hosts);
        self.random.shuffle(&mut hosts);
        let databases = self.world.of_kind(NodeKind::Database);
        let shared = hosts.split_off(databases.len().min(hosts.len() / 2));
        for (number, database) in databases.iter().enumerate() {
            self.join(*database, hosts[number % hosts.len()], EdgeKind::RunsOn, 1_000);
        }
        for kind in [NodeKind::Cache, NodeKind::Queue, NodeKind::Dns] {
            for node in self.world.of_kind(kind) {
                let host = shared[self.random.below(shared.len())];
                self.join(node, host, EdgeKind::RunsOn, 1_000);
            }
        }
        for service in self.world.of_kind(NodeKind::Service) {
            let first = self.random.below(shared.len());
            let step = 1 + self.random.below((shared.len() / 6).max(1));
            let pods: Vec<usize> = self.world.pods(service).collect();
            for (number, pod) in pods.into_iter().enumerate() {
                let host = shared[(first + number * step) % shared.len()];
                self.join(pod, host, EdgeKind::RunsOn, 1_000);
            }
        }
    }

    /// Half of the chronic ones are close to users, where everything comes together.
    fn mark_chronic(&mut self, percent: usize) {
        let mut services = std::mem::take(&mut self.layers);
        if percent == 0 {
            return;
        }
        let count = (services.len() * percent / 100).max(1);
        self.random.shuffle(&mut services);
        let mut edge: Vec<usize> = services.iter().filter(|(_, layer)| *layer == 0).map(|(node, _)| *node).collect();
        edge.truncate(count.div_ceil(2));
        let rest = services.iter().filter(|(_, layer)| *layer > 0).map(|(node, _)| *node);
        let chosen: Vec<usize> = edge.into_iter().chain(rest).take(count).collect();
        for node in chosen {
            self.world.nodes[node].is_chronic = true;
            self.world.nodes[node].is_monitored = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parameters::Set;
    use super::*;

    fn world(nodes: u32, seed: u64) -> World {
        build(&Parameters { nodes, seed, ..Parameters::of(Set::Busy) })
    }

    #[test]
    fn an_estate_has_the_number_of_nodes_that_was_asked_for_each_with_a_name_of_its_own() {
        for (nodes, seed) in [(200, 1), (201, 2), (599, 3), (600, 4), (601, 5), (2_400, 6), (10_000, 7)] {
            let world = world(nodes, seed);
            assert_eq!(world.nodes.len(), nodes as usize);
            let names: std::collections::BTreeSet<&str> = world.nodes.iter().map(|node| node.id.as_str()).collect();
            assert_eq!(names.len(), world.nodes.len());
        }
    }

    #[test]
    fn everything_that_runs_runs_on_one_host_behind_a_switch() {
        let world = world(2_400, 1);
        for node in 0..world.nodes.len() {
            let to = |kind| world.dependencies(node).filter(|edge| world.nodes[edge.to].kind == kind).count();
            match world.nodes[node].kind {
                NodeKind::Pod | NodeKind::Database | NodeKind::Cache | NodeKind::Queue | NodeKind::Dns => {
                    assert_eq!(to(NodeKind::Host), 1, "{}", world.nodes[node].id);
                }
                NodeKind::Host => assert_eq!(to(NodeKind::Switch), 1),
                NodeKind::Service => assert!(world.pods(node).count() >= 2),
                _ => {}
            }
        }
    }

    #[test]
    fn every_vocabulary_and_every_type_occurs() {
        let world = world(2_400, 1);
        for vocabulary in Vocabulary::ALL {
            assert!(world.nodes.iter().any(|node| node.vocabulary == vocabulary), "{vocabulary:?}");
        }
        let kinds: std::collections::BTreeSet<NodeKind> = world.nodes.iter().map(|node| node.kind).collect();
        assert_eq!(kinds.len(), 12);
    }
}
