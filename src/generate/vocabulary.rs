//! What different monitors call the same symptom: names, severities, labels, words. A name that is absent
//! means that this monitor does not look for it, which is why two halves of an estate never show the same.

use super::random::Random;
use super::symptom::Symptom::{self, *};

/// Whose words the alerts of a node are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vocabulary {
    Prometheus,
    /// An anomaly detector over plain metrics: `cpu_usage_up`.
    Kpi,
    Nagios,
    Zabbix,
    /// Application performance monitoring: services, calls, objectives.
    Tracing,
}

impl Vocabulary {
    pub const ALL: [Self; 5] = [Self::Prometheus, Self::Kpi, Self::Nagios, Self::Zabbix, Self::Tracing];
    /// Who watches hosts, switches and what is shared.
    pub const INFRASTRUCTURE: [Self; 3] = [Self::Prometheus, Self::Nagios, Self::Zabbix];

    /// How long, in milliseconds, an alert is on its way to us.
    pub const fn transit_ms(self) -> (i64, i64) {
        match self {
            Self::Prometheus => (200, 10_000),
            Self::Kpi => (500, 15_000),
            Self::Nagios => (100, 4_000),
            Self::Zabbix => (500, 8_000),
            Self::Tracing => (1_000, 20_000),
        }
    }

    const fn column(self) -> usize {
        match self {
            Self::Prometheus => 0,
            Self::Kpi => 1,
            Self::Nagios => 2,
            Self::Zabbix => 3,
            Self::Tracing => 4,
        }
    }
}

/// A symptom as a monitor tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    pub alertname: &'static str,
    pub severity: &'static str,
    pub source: &'static str,
    pub summary: String,
}

/// Whether it rings loud when the node is hit hard; the rest is never more than a warning.
const fn is_loud(symptom: Symptom) -> bool {
    matches!(
        symptom,
        ErrorRate
            | CallErrors
            | ErrorBudget
            | ProbeFailed
            | CrashLooping
            | TargetDown
            | HostDown
            | HostUnreachable
            | LinkDown
            | DatabaseDown
            | DatabaseErrors
            | DnsErrors
            | CertificateExpired
            | ExternalDown
            | BackendDown
    )
}

/// Names by vocabulary, in the order of [`Vocabulary::ALL`]; empty where it looks for no such thing.
#[rustfmt::skip]
const fn names(symptom: Symptom) -> [&'static str; 5] {
    match symptom {
        ErrorRate => ["HighErrorRate", "error_rate_up", "HTTP Status", "Too many HTTP 5xx responses", "Error rate is high"],
        Latency => ["HighRequestLatency", "latency_avg_up", "HTTP Response Time", "Response time is too high", "p95 latency is above threshold"],
        LatencyTail => ["HighRequestLatencyP99", "latency_p99_up", "", "", "p99 latency anomaly"],
        CallErrors => ["UpstreamRequestErrors", "", "", "", "Downstream call errors"],
        CallTimeouts => ["UpstreamRequestTimeouts", "timeouts_up", "", "Timeouts of outgoing requests", "Downstream call timeouts"],
        ErrorBudget => ["ErrorBudgetBurn", "", "", "Service level is below its objective", "SLO burn rate is high"],
        TrafficDrop => ["RequestRateLow", "request_rate_down", "", "Request rate is too low", "Throughput anomaly"],
        Saturation => ["WorkerPoolSaturated", "threads_up", "Connections", "Too many active connections", "Thread pool utilization is high"],
        LogErrors => ["LogErrorsHigh", "log_errors_up", "Log Errors", "Error messages in the application log", "New error pattern in logs"],
        ProbeFailed => ["BlackboxProbeFailed", "", "HTTP", "Web scenario failed", "Synthetic test failed"],
        PodNotReady => ["KubePodNotReady", "pods_ready_down", "K8s Pod", "Kubernetes: Pod is not ready", "Pod is not ready"],
        CrashLooping => ["PodCrashLooping", "restarts_up", "K8s Restarts", "Kubernetes: Pod is crash looping", "Container restart loop"],
        OomKilled => ["ContainerOomKilled", "oom_kills_up", "", "Kubernetes: Container was killed, out of memory", "Container OOM killed"],
        CpuThrottled => ["CPUThrottlingHigh", "cpu_throttled_up", "", "", "Container CPU throttled"],
        PodCpuHigh => ["ContainerCpuUsageHigh", "cpu_usage_up", "CPU Usage", "High CPU utilization (over 90% for 5m)", "Container CPU is high"],
        CpuLow => ["", "cpu_usage_down", "", "", ""],
        MemoryHigh => ["ContainerMemoryNearLimit", "mem_rss_up", "Memory Usage", "High memory utilization (>90% for 5m)", "Container memory is near its limit"],
        TargetDown => ["TargetDown", "up_down", "TCP Port", "Service is down", "No data received"],
        HostDown => ["NodeDown", "heartbeat_down", "Host Alive", "Unavailable by ICMP ping", "Host stopped reporting"],
        HostUnreachable => ["NodeUnreachable", "ping_down", "PING", "Unavailable by ICMP ping", "Host stopped reporting"],
        AgentDown => ["NodeExporterDown", "", "NRPE Agent", "Zabbix agent is not available (for 3m)", ""],
        LoadHigh => ["NodeLoadHigh", "node_load_up", "Load Average", "Load average is too high", "Host load is high"],
        HostCpuHigh => ["NodeCpuSaturated", "node_cpu_usage_up", "CPU", "High CPU utilization (over 90% for 5m)", "Host CPU is high"],
        DiskSpace => ["NodeFilesystemAlmostFull", "disk_used_up", "Disk /var", "/var: Disk space is critically low", "Disk is almost full"],
        DiskIo => ["NodeDiskIOSaturated", "disk_io_time_up", "Disk IO", "Disk read/write request responses are too high", "Disk utilization is high"],
        PacketLoss => ["NodePacketLoss", "net_retransmits_up", "PING", "High ICMP ping loss", "TCP retransmits are high"],
        InterfaceErrors => ["NodeNetworkReceiveErrs", "net_errors_up", "Interface eth0", "Interface eth0: High error rate", "Network errors on host"],
        LinkDown => ["SwitchPortDown", "link_down", "Interface Uplink", "Interface uplink: Link down", "Network device is down"],
        DatabaseDown => ["PostgresqlDown", "db_up_down", "PostgreSQL", "PostgreSQL: Service is down", "Database is down"],
        DatabaseErrors => ["PostgresqlWriteErrors", "db_errors_up", "PostgreSQL Query", "PostgreSQL: Writes are failing", "Database error rate is high"],
        SlowQueries => ["PostgresqlSlowQueries", "db_query_time_up", "PostgreSQL Query Time", "PostgreSQL: Slow queries", "Query time anomaly"],
        LockWaits => ["PostgresqlLocksWaiting", "db_locks_up", "PostgreSQL Locks", "PostgreSQL: Too many locks", "Lock waits are high"],
        DatabaseConnections => ["PostgresqlTooManyConnections", "db_connections_up", "PostgreSQL Backends", "PostgreSQL: Total number of connections is too high", "Connections are near their limit"],
        ReplicationLag => ["PostgresqlReplicationLag", "db_replication_lag_up", "PostgreSQL Replication", "PostgreSQL: Streaming lag is too high", "Replica lag is high"],
        CacheMisses => ["RedisHitRateLow", "cache_hits_down", "Redis Hit Rate", "Redis: Hit rate is too low", "Cache hit rate anomaly"],
        QueueBacklog => ["ConsumerLagHigh", "queue_length_up", "Queue Length", "RabbitMQ: Too many messages in queue", "Consumer lag is high"],
        DnsErrors => ["CoreDNSErrorsHigh", "dns_errors_up", "DNS", "DNS: Queries are failing", "DNS error rate is high"],
        DnsSlow => ["CoreDNSLatencyHigh", "dns_latency_up", "DNS Response Time", "DNS: Response time is too high", "DNS latency is high"],
        CertificateExpired => ["CertificateExpired", "cert_days_down", "SSL Certificate", "Cert: SSL certificate is invalid", "Certificate has expired"],
        TlsErrors => ["TLSHandshakeErrors", "tls_errors_up", "", "TLS handshakes are failing", "TLS errors in calls"],
        ExternalDown => ["ExternalEndpointDown", "external_availability_down", "HTTP External", "Supplier endpoint does not answer", "Third-party status is degraded"],
        BackendDown => ["HaproxyBackendDown", "backends_up_down", "HAProxy Backends", "HAProxy: Backend is down", "No healthy targets"],
    }
}

/// What this vocabulary calls the symptom, if it looks for it.
pub fn name(vocabulary: Vocabulary, symptom: Symptom) -> Option<&'static str> {
    Some(names(symptom)[vocabulary.column()]).filter(|name| !name.is_empty())
}

/// The symptom in the words of `vocabulary`; `None` when it does not look for it. `strength` is how hard
/// the node is hit, in thousandths.
pub fn phrase(
    vocabulary: Vocabulary,
    symptom: Symptom,
    node: &str,
    strength: i64,
    random: &mut Random,
) -> Option<Phrase> {
    let alertname = name(vocabulary, symptom)?;
    let is_critical = is_loud(symptom) && strength >= 450 && vocabulary != Vocabulary::Kpi;
    let severity = match symptom {
        TrafficDrop | CpuLow => "info",
        _ if is_critical => "critical",
        LogErrors if vocabulary == Vocabulary::Tracing => "info",
        _ => "warning",
    };
    let source = match (symptom, vocabulary) {
        (LogErrors, _) => "log",
        (CallErrors | CallTimeouts | TlsErrors, Vocabulary::Prometheus | Vocabulary::Tracing) => "trace",
        (ProbeFailed | CertificateExpired | ExternalDown, _) | (_, Vocabulary::Nagios) => "check",
        (_, Vocabulary::Zabbix) => "monitor",
        (Latency | LatencyTail | ErrorRate | TrafficDrop, Vocabulary::Tracing) => "trace",
        (HostDown | HostUnreachable | AgentDown | PodNotReady | CrashLooping | OomKilled, Vocabulary::Tracing) => {
            "monitor"
        }
        _ => "metric",
    };
    let summary = summary(vocabulary, alertname, severity, node, random);
    Some(Phrase { alertname, severity, source, summary })
}

fn summary(vocabulary: Vocabulary, alertname: &str, severity: &str, node: &str, random: &mut Random) -> String {
    let value = random.between(11, 999);
    match vocabulary {
        Vocabulary::Prometheus => {
            format!("{alertname} for {node}: value {}.{} is above its limit", value / 10, value % 10)
        }
        Vocabulary::Kpi => {
            let (kpi, direction) = kpi(alertname);
            format!("{kpi} of {node} went {direction} beyond its usual range, score {}.{}", value / 10, value % 10)
        }
        Vocabulary::Nagios => {
            let state = if severity == "critical" { "CRITICAL" } else { "WARNING" };
            format!("{alertname} {state} on {node} - {} after {}s", value, value % 60)
        }
        Vocabulary::Zabbix => format!("Problem: {alertname} on {node}"),
        Vocabulary::Tracing => {
            format!("[Triggered] {alertname} on {node} ({}.{}% of requests)", value / 10, value % 10)
        }
    }
}

/// `cpu_usage_up` is the metric `cpu_usage` and the direction `up`.
pub fn kpi(alertname: &str) -> (&str, &str) {
    alertname.rsplit_once('_').unwrap_or((alertname, "up"))
}

/// What a check that cannot make up its mind is called: nothing of it ever comes from a fault.
pub const fn flapping_checks(vocabulary: Vocabulary) -> &'static [&'static str] {
    match vocabulary {
        Vocabulary::Prometheus => &["KubeHpaMaxedOut", "NodeClockNotSynchronising", "KubeJobFailed"],
        Vocabulary::Kpi => &["gc_pauses_up", "open_files_up", "swap_used_up"],
        Vocabulary::Nagios => &["Swap Usage", "NTP Offset", "Total Processes", "Mail Queue"],
        Vocabulary::Zabbix => {
            &["System time is out of sync", "Number of installed packages has been changed", "Swap usage"]
        }
        Vocabulary::Tracing => &["Apdex is below target", "Monitor has no data"],
    }
}
