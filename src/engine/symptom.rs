//! What kind of trouble an alert speaks of, by the words in its name: trouble with the item itself, with its
//! answers, with their speed, with those it asks, or with how much it is asked. A cause shows the first, its
//! effects the others.

/// Ordered from what lies in the item itself to what others do to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// It is gone: nothing that needs it can work.
    Down,
    /// Its own resources: processor, memory, disk, network interface, process.
    Local,
    /// Its way to others.
    Link,
    /// Its answers are wrong or missing.
    Error,
    /// Its answers are late.
    Latency,
    /// What it asks of others is late or fails: less about itself than about them.
    Client,
    /// It is asked more or less than usual.
    Traffic,
}

impl Class {
    /// How much an alert of this class says about its own item being the cause, thousandths.
    pub const fn weight(self) -> i64 {
        match self {
            Self::Down | Self::Local | Self::Link | Self::Error => 1_000,
            Self::Latency => 500,
            Self::Client => 200,
            Self::Traffic => 300,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Local => "local",
            Self::Link => "link",
            Self::Error => "error",
            Self::Latency => "latency",
            Self::Client => "client",
            Self::Traffic => "traffic",
        }
    }

    /// By the words of an alert's name. What says nothing else is about the item itself.
    pub fn of(name: &str) -> Self {
        let words = words(name);
        let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
        let is_client = has(CLIENT);
        match () {
            () if has(RESOURCE) => Self::Local,
            () if has(LINK) && has(LINK_TROUBLE) => Self::Link,
            () if has(LINK_THING) && has(&["down"]) => Self::Link,
            () if is_gone(&words) => Self::Down,
            () if has(ERROR) && !is_client => Self::Error,
            () if has(LATENCY) && !is_client => Self::Latency,
            () if has(ERROR) || has(LATENCY) => Self::Client,
            () if has(TRAFFIC) || has(LINK) => Self::Traffic,
            () => Self::Local,
        }
    }
}

const GONE: &[&str] = &["unreachable", "offline", "ping", "icmp", "absent", "dead", "notready"];
/// What can be down; a rate that went down is not.
const THING: &[&str] = &[
    "host", "node", "instance", "server", "service", "target", "device", "switch", "router", "site", "endpoint",
    "probe", "agent", "kubelet", "pod", "backend", "database", "cluster",
];
const RESOURCE: &[&str] = &[
    "cpu",
    "processor",
    "mem",
    "memory",
    "ram",
    "swap",
    "oom",
    "heap",
    "gc",
    "disk",
    "disks",
    "fs",
    "filesystem",
    "inode",
    "inodes",
    "storage",
    "raid",
    "load",
    "thread",
    "threads",
    "process",
    "processes",
    "proc",
    "fd",
    "restart",
    "restarts",
    "restarting",
    "crash",
    "crashed",
    "crashing",
    "crashloop",
    "looping",
    "evicted",
    "killed",
    "temperature",
    "fan",
    "power",
    "battery",
    "ntp",
    "clock",
    "certificate",
    "cert",
];
const LINK: &[&str] = &["net", "network", "nic", "interface", "link", "receive", "transmit", "bandwidth"];
/// What can be down of a network; traffic that went down is not.
const LINK_THING: &[&str] = &["nic", "interface", "link", "port", "uplink"];
const LINK_TROUBLE: &[&str] = &[
    "latency",
    "delay",
    "loss",
    "lost",
    "error",
    "errors",
    "drop",
    "drops",
    "dropped",
    "retransmit",
    "retransmits",
    "jitter",
    "flap",
    "flapping",
];
const ERROR: &[&str] = &[
    "error",
    "errors",
    "fail",
    "fails",
    "failed",
    "failing",
    "failure",
    "failures",
    "exception",
    "exceptions",
    "availability",
    "unavailable",
    "success",
    "fault",
    "faults",
    "refused",
    "rejected",
    "timeout",
    "timeouts",
    "log",
    "logs",
    "500",
    "502",
    "503",
    "504",
    "5xx",
    "4xx",
];
const LATENCY: &[&str] = &[
    "latency", "slow", "slowness", "duration", "delay", "delayed", "lag", "p50", "p75", "p90", "p95", "p99",
    "response", "apdex", "rtt", "time",
];
const CLIENT: &[&str] = &["client", "src", "outbound", "egress", "upstream", "downstream", "dependency"];
const TRAFFIC: &[&str] = &[
    "request",
    "requests",
    "qps",
    "rps",
    "rate",
    "call",
    "calls",
    "traffic",
    "throughput",
    "connections",
    "sessions",
    "invocations",
    "messages",
];

fn is_gone(words: &[String]) -> bool {
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let is_bare = words.len() == 1;
    has(GONE)
        || has(&["down"]) && (is_bare || has(THING))
        || has(&["not"]) && has(&["ready"])
        || has(&["host"]) && has(&["check"])
}

/// `HighLatencyP90` and `high_latency_p90` are `high`, `latency`, `p90`.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut before = ' ';
    for letter in name.chars() {
        let begins = letter.is_uppercase() && !before.is_uppercase() && !before.is_whitespace();
        // `Http5xx` is two words, `p95` is one.
        let counts =
            letter.is_ascii_digit() && before.is_alphabetic() && words.last().is_some_and(|word| word.len() > 1);
        if !letter.is_alphanumeric() || begins || counts {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::Class;

    #[test]
    fn the_words_of_a_name_tell_what_it_is_about() {
        for (class, names) in [
            (
                Class::Down,
                &[
                    "HostUnreachable",
                    "PING CRITICAL",
                    "Zabbix agent is unreachable",
                    "TargetAbsent",
                    "HostDown",
                    "KubeNodeNotReady",
                    "host check",
                ][..],
            ),
            (
                Class::Local,
                &[
                    "cpu_usage_up",
                    "NodeFilesystemAlmostFull",
                    "KubePodCrashLooping",
                    "Disk full",
                    "Something odd",
                    "node_mem_usage_down",
                ],
            ),
            (Class::Link, &["NetworkLatencyHigh", "LinkDown", "Interface errors"]),
            (Class::Error, &["AvailabilityLow", "Http5xx", "error rate", "CallError_500", "HTTP timeout"]),
            (
                Class::Latency,
                &["LatencyP90High", "HighRequestDuration", "dest_p95_up", "CallSlow", "Response time is high"],
            ),
            (Class::Client, &["ClientLatencyHigh", "src_p50_up", "UpstreamErrors"]),
            (
                Class::Traffic,
                &["RequestsLow", "dest_qps_down", "CallVolumeDrop", "net_receive_up", "net_transmit_down"],
            ),
        ] {
            for name in names {
                assert_eq!(Class::of(name), class, "{name}");
            }
        }
    }
}
