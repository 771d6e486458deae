//! The twelve kinds of fault: where each sits, how long it lasts, and how it shows at its root. What it
//! does to others is `propagate.rs`.

use serde::{Deserialize, Serialize};

use super::symptom::Symptom::{self, *};
use super::world::{NodeKind, World};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum FaultKind {
    /// A host loses power or its kernel dies; everything on it is gone
    HostDown,
    /// A switch that nobody monitors dies; whatever is behind it looks down
    SwitchDown,
    /// A neighbour takes all processors of a host; what else runs there gets slow
    CpuSaturation,
    /// A pod's memory grows until the kernel kills it, again and again
    MemoryLeak,
    /// The disk of a database host is full; the database turns read-only
    DiskFull,
    /// A host's network link drops packets; calls to what runs there hang
    NetworkLoss,
    /// A cluster's name server fails; calls break as caches run out
    DnsFailure,
    /// A database gets slow under locks or a bad plan; its callers queue up
    DatabaseSlow,
    /// A new version of a service answers with errors
    BadDeploy,
    /// A flag or a setting turns on what should have stayed off
    ConfigError,
    /// A certificate of a service or a load balancer expires; its callers refuse it
    CertificateExpired,
    /// A supplier's interface is down or slow
    ExternalOutage,
}

/// What the fault does to its root, and so to those who depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Does not answer at all.
    Down,
    /// Answers, but with errors.
    Errors,
    /// Answers late.
    Slow,
    /// Is well, but is asked less than usual.
    Idle,
}

/// An alert of the root's own: what, how often (percent), and how many seconds after the fault began.
pub type Local = (Symptom, u32, (i64, i64));

impl FaultKind {
    pub const ALL: [Self; 12] = [
        Self::HostDown,
        Self::SwitchDown,
        Self::CpuSaturation,
        Self::MemoryLeak,
        Self::DiskFull,
        Self::NetworkLoss,
        Self::DnsFailure,
        Self::DatabaseSlow,
        Self::BadDeploy,
        Self::ConfigError,
        Self::CertificateExpired,
        Self::ExternalOutage,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HostDown => "host_down",
            Self::SwitchDown => "switch_down",
            Self::CpuSaturation => "cpu_saturation",
            Self::MemoryLeak => "memory_leak",
            Self::DiskFull => "disk_full",
            Self::NetworkLoss => "network_loss",
            Self::DnsFailure => "dns_failure",
            Self::DatabaseSlow => "database_slow",
            Self::BadDeploy => "bad_deploy",
            Self::ConfigError => "config_error",
            Self::CertificateExpired => "certificate_expired",
            Self::ExternalOutage => "external_outage",
        }
    }

    /// How many of a hundred failures are of this kind. Changes cause most outages, dead switches are rare.
    pub const fn weight(self) -> u32 {
        match self {
            Self::BadDeploy => 20,
            Self::ConfigError => 14,
            Self::MemoryLeak => 12,
            Self::DatabaseSlow => 10,
            Self::CpuSaturation => 9,
            Self::ExternalOutage => 8,
            Self::HostDown => 7,
            Self::DiskFull => 6,
            Self::NetworkLoss => 5,
            Self::DnsFailure => 4,
            Self::CertificateExpired => 3,
            Self::SwitchDown => 2,
        }
    }

    /// What this fault makes of its root.
    pub const fn mode(self) -> Mode {
        match self {
            Self::HostDown | Self::SwitchDown => Mode::Down,
            Self::CpuSaturation | Self::NetworkLoss | Self::DatabaseSlow => Mode::Slow,
            _ => Mode::Errors,
        }
    }

    /// How hard the root is hit, at least and at most, in thousandths.
    pub const fn strength(self) -> (i64, i64) {
        match self {
            Self::HostDown | Self::SwitchDown | Self::CertificateExpired => (1_000, 1_000),
            Self::CpuSaturation | Self::ConfigError => (400, 900),
            Self::DiskFull | Self::MemoryLeak => (800, 1_000),
            Self::NetworkLoss | Self::DnsFailure | Self::BadDeploy => (500, 1_000),
            Self::DatabaseSlow | Self::ExternalOutage => (600, 1_000),
        }
    }

    /// How long the fault lasts, in seconds.
    pub const fn lasts_s(self) -> (i64, i64) {
        match self {
            Self::MemoryLeak => (900, 1_500),
            Self::BadDeploy | Self::ConfigError => (360, 1_200),
            _ => (420, 1_500),
        }
    }

    /// Seconds until others feel it: memory has to run out first, caches to expire.
    pub const fn onset_s(self) -> (i64, i64) {
        match self {
            Self::MemoryLeak => (120, 360),
            Self::DiskFull => (20, 120),
            Self::DnsFailure => (10, 90),
            _ => (0, 10),
        }
    }

    /// Alerts at the root. The first one always comes, unless nobody monitors the root.
    pub const fn local(self) -> &'static [Local] {
        match self {
            Self::HostDown => &[(HostDown, 100, (10, 90)), (AgentDown, 60, (30, 180))],
            Self::SwitchDown => &[(LinkDown, 100, (1, 30)), (InterfaceErrors, 30, (5, 60))],
            Self::CpuSaturation => &[(HostCpuHigh, 100, (20, 120)), (LoadHigh, 70, (30, 180))],
            Self::MemoryLeak => &[
                (MemoryHigh, 100, (10, 120)),
                (OomKilled, 70, (130, 380)),
                (CrashLooping, 60, (240, 540)),
                (PodNotReady, 40, (140, 420)),
            ],
            Self::DiskFull => &[(DiskSpace, 100, (5, 240)), (DiskIo, 30, (20, 180))],
            Self::NetworkLoss => &[(PacketLoss, 100, (20, 150)), (InterfaceErrors, 60, (30, 240))],
            Self::DnsFailure => &[(DnsErrors, 100, (10, 120)), (DnsSlow, 50, (10, 120)), (LogErrors, 40, (5, 90))],
            Self::DatabaseSlow => &[
                (SlowQueries, 100, (20, 180)),
                (LockWaits, 50, (20, 150)),
                (DatabaseConnections, 50, (40, 200)),
                (ReplicationLag, 30, (60, 240)),
            ],
            Self::BadDeploy => &[(ErrorRate, 100, (15, 150)), (LogErrors, 50, (5, 90)), (ErrorBudget, 30, (90, 300))],
            Self::ConfigError => &[(ErrorRate, 100, (15, 150)), (Latency, 50, (20, 150)), (LogErrors, 40, (5, 90))],
            Self::CertificateExpired => &[(CertificateExpired, 100, (1, 240)), (TlsErrors, 50, (10, 90))],
            Self::ExternalOutage => &[(ExternalDown, 100, (30, 240))],
        }
    }

    /// Alerts at the pods of a service that is the root.
    pub const fn local_at_pods(self) -> &'static [Local] {
        match self {
            Self::BadDeploy => &[
                (LogErrors, 50, (5, 90)),
                (CrashLooping, 30, (60, 240)),
                (PodNotReady, 30, (20, 150)),
                (PodCpuHigh, 15, (20, 120)),
            ],
            Self::ConfigError => &[(LogErrors, 40, (5, 90)), (PodCpuHigh, 25, (20, 120)), (MemoryHigh, 15, (30, 180))],
            Self::CertificateExpired => &[(LogErrors, 25, (5, 90))],
            _ => &[],
        }
    }

    /// Where this fault can sit and is felt by somebody.
    pub fn roots(self, world: &World) -> Vec<usize> {
        let fits = |node: &usize| {
            let dependants = world.dependants(*node).count();
            match (self, world.nodes[*node].kind) {
                (Self::HostDown | Self::CpuSaturation | Self::NetworkLoss, NodeKind::Host) => dependants >= 3,
                (Self::DiskFull, NodeKind::Host) => {
                    world.dependants(*node).any(|edge| world.nodes[edge.from].kind == NodeKind::Database)
                }
                (Self::SwitchDown, NodeKind::Switch) => dependants >= 3,
                (Self::MemoryLeak, NodeKind::Pod)
                | (Self::DnsFailure, NodeKind::Dns)
                | (Self::CertificateExpired, NodeKind::LoadBalancer) => true,
                (Self::DatabaseSlow, NodeKind::Database) | (Self::ExternalOutage, NodeKind::External) => {
                    dependants >= 2
                }
                (Self::BadDeploy | Self::ConfigError | Self::CertificateExpired, NodeKind::Service) => dependants >= 1,
                _ => false,
            }
        };
        (0..world.nodes.len()).filter(fits).collect()
    }
}
