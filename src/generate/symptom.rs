//! What can be seen of a fault, before anybody gives it a name, and what a node shows in which trouble.
//! `vocabulary.rs` knows what each monitor calls it.

use super::faults::Mode;
use super::world::NodeKind;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symptom {
    ErrorRate,
    Latency,
    LatencyTail,
    CallErrors,
    CallTimeouts,
    ErrorBudget,
    TrafficDrop,
    Saturation,
    LogErrors,
    ProbeFailed,
    PodNotReady,
    CrashLooping,
    OomKilled,
    CpuThrottled,
    PodCpuHigh,
    CpuLow,
    MemoryHigh,
    TargetDown,
    HostDown,
    HostUnreachable,
    AgentDown,
    LoadHigh,
    HostCpuHigh,
    DiskSpace,
    DiskIo,
    PacketLoss,
    InterfaceErrors,
    LinkDown,
    DatabaseDown,
    DatabaseErrors,
    SlowQueries,
    LockWaits,
    DatabaseConnections,
    ReplicationLag,
    CacheMisses,
    QueueBacklog,
    DnsErrors,
    DnsSlow,
    CertificateExpired,
    TlsErrors,
    ExternalDown,
    BackendDown,
}

impl Symptom {
    pub const ALL: [Self; 42] = [
        Self::ErrorRate,
        Self::Latency,
        Self::LatencyTail,
        Self::CallErrors,
        Self::CallTimeouts,
        Self::ErrorBudget,
        Self::TrafficDrop,
        Self::Saturation,
        Self::LogErrors,
        Self::ProbeFailed,
        Self::PodNotReady,
        Self::CrashLooping,
        Self::OomKilled,
        Self::CpuThrottled,
        Self::PodCpuHigh,
        Self::CpuLow,
        Self::MemoryHigh,
        Self::TargetDown,
        Self::HostDown,
        Self::HostUnreachable,
        Self::AgentDown,
        Self::LoadHigh,
        Self::HostCpuHigh,
        Self::DiskSpace,
        Self::DiskIo,
        Self::PacketLoss,
        Self::InterfaceErrors,
        Self::LinkDown,
        Self::DatabaseDown,
        Self::DatabaseErrors,
        Self::SlowQueries,
        Self::LockWaits,
        Self::DatabaseConnections,
        Self::ReplicationLag,
        Self::CacheMisses,
        Self::QueueBacklog,
        Self::DnsErrors,
        Self::DnsSlow,
        Self::CertificateExpired,
        Self::TlsErrors,
        Self::ExternalDown,
        Self::BackendDown,
    ];

    /// Says which call it is about: such alerts carry the names of caller, callee and operation.
    pub const fn is_about_a_call(self) -> bool {
        matches!(self, Self::CallErrors | Self::CallTimeouts | Self::TlsErrors)
    }
}

/// What a node in this trouble shows: each symptom with how often, in percent, when it is hit in full.
/// Callers show more and louder than most roots do.
pub const fn shown(kind: NodeKind, mode: Mode) -> &'static [(Symptom, u32)] {
    use Symptom::*;
    match (kind, mode) {
        (NodeKind::Service, Mode::Errors | Mode::Down) => &[
            (ErrorRate, 90),
            (CallErrors, 70),
            (CallTimeouts, 30),
            (Latency, 30),
            (ErrorBudget, 40),
            (LogErrors, 40),
            (ProbeFailed, 15),
        ],
        (NodeKind::Service, Mode::Slow) => {
            &[(Latency, 90), (LatencyTail, 60), (CallTimeouts, 50), (Saturation, 35), (ErrorBudget, 20)]
        }
        (NodeKind::Service, Mode::Idle) => &[(TrafficDrop, 80), (CpuLow, 30)],
        (NodeKind::Pod, Mode::Down) => &[(PodNotReady, 70), (TargetDown, 60)],
        (NodeKind::Pod, Mode::Errors) => &[(LogErrors, 60), (CallErrors, 40), (PodNotReady, 15), (CrashLooping, 8)],
        (NodeKind::Pod, Mode::Slow) => &[(CpuThrottled, 40), (Latency, 40), (Saturation, 30), (LogErrors, 20)],
        (NodeKind::Pod, Mode::Idle) => &[(CpuLow, 50)],
        (NodeKind::Host, Mode::Down) => &[(HostUnreachable, 90), (AgentDown, 50)],
        (NodeKind::Database, Mode::Down) => &[(DatabaseDown, 90), (TargetDown, 50)],
        (NodeKind::Database, Mode::Errors) => &[(DatabaseErrors, 80), (LogErrors, 50), (ReplicationLag, 20)],
        (NodeKind::Database, Mode::Slow) => &[(SlowQueries, 70), (DatabaseConnections, 50)],
        (NodeKind::Database, Mode::Idle) => &[(TrafficDrop, 50), (CpuLow, 30)],
        (NodeKind::Cache, Mode::Down) => &[(TargetDown, 80), (ProbeFailed, 50)],
        (NodeKind::Cache, Mode::Errors | Mode::Slow) => &[(CacheMisses, 70), (Latency, 40)],
        (NodeKind::Cache, Mode::Idle) => &[(TrafficDrop, 40)],
        (NodeKind::Queue, Mode::Down) => &[(TargetDown, 80), (QueueBacklog, 50)],
        (NodeKind::Queue, _) => &[(QueueBacklog, 80)],
        (NodeKind::Dns, Mode::Down) => &[(DnsErrors, 90), (TargetDown, 50)],
        (NodeKind::Dns, Mode::Errors | Mode::Slow) => &[(DnsErrors, 50), (DnsSlow, 60)],
        (NodeKind::LoadBalancer, Mode::Down) => &[(HostUnreachable, 90)],
        (NodeKind::LoadBalancer, Mode::Errors) => &[(ErrorRate, 80), (BackendDown, 50), (ProbeFailed, 40)],
        (NodeKind::LoadBalancer, Mode::Slow) => &[(Latency, 80), (ProbeFailed, 15)],
        (NodeKind::Switch, Mode::Down) => &[(HostUnreachable, 100)],
        _ => &[],
    }
}
