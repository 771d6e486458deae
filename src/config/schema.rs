//! The typed configuration that the daemon is wired from, with every default in one place. Holds
//! values only: `load.rs` reads them, `validate.rs` judges them. Policy, the part that decides, is in
//! `engine/policy.rs` and carries its own defaults.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use super::problem::Problem;
use crate::engine::input::Role;
use crate::engine::policy::Policy;
use crate::error::{Secret, Table};
use crate::http::Facade;
use crate::model::Span;
use crate::render::{GoTemplates, Language};
use crate::sinks::Rate;
use crate::tls::IdentityFiles;

#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    pub listen: SocketAddr,
    /// Absent: plain HTTP.
    pub tls: Option<IdentityFiles>,
    /// Name of this installation; part of keys in foreign systems.
    pub instance: String,
    /// Where people reach this daemon, without a slash at the end.
    pub public_url: Option<String>,
    pub language: Language,
    pub store: StoreSettings,
    /// By instance name, `prod-zabbix`.
    pub sources: BTreeMap<String, SourceSettings>,
    /// By sink name, `ops/slack`.
    pub sinks: BTreeMap<String, SinkSettings>,
    /// Who people are elsewhere and what they may do, by the person's name.
    pub identities: BTreeMap<String, Identity>,
    pub api: ApiSettings,
    pub limits: Limits,
    pub retention: Retention,
    pub self_check: SelfCheckSettings,
    /// Absent: nobody is told that we live.
    pub heartbeat: Option<HeartbeatSettings>,
    /// How requests for the expected heartbeats prove themselves, by name; absent where none are taken.
    pub heartbeats: BTreeMap<String, Option<Auth>>,
    /// How readers of the calendar feeds prove themselves, by schedule.
    pub feeds: BTreeMap<String, Auth>,
    /// Zabbix servers that are asked for their topology, by name.
    pub zabbix: BTreeMap<String, ZabbixSettings>,
    /// How much of an Alertmanager it is.
    pub facade: Facade,
    /// What the texts of an `alertmanager.yml` may call.
    pub go_templates: Arc<GoTemplates>,
    pub policy: Policy,
    /// What does not keep the daemon from running but should be known.
    pub warnings: Vec<Problem>,
}

/// A person as other systems know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub role: Role,
    /// By kind of sink: the id of the person's account there.
    pub accounts: BTreeMap<String, String>,
}

/// Loopback only until someone decides otherwise.
pub const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9494);
pub const INSTANCE: &str = "watchbell";

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreSettings {
    Sqlite { path: PathBuf },
}

#[derive(Clone, PartialEq)]
pub struct SourceSettings {
    pub kind: String,
    pub auth: Auth,
    /// Demanded besides `auth`.
    pub client_certificate: Option<ClientCertificate>,
    /// Its own keys, for `SourceSpec::build`.
    pub table: Table,
    /// After decompression.
    pub body_bytes_max: usize,
    /// Beyond it a request is answered "later"; absent is no quota.
    pub events_per_second: Option<u32>,
}

/// The names of its keys; some of the values are secrets.
struct Keys<'a>(&'a Table);

impl fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl fmt::Debug for SourceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceSettings")
            .field("kind", &self.kind)
            .field("table", &Keys(&self.table))
            .field("body_bytes_max", &self.body_bytes_max)
            .field("events_per_second", &self.events_per_second)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for SinkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkSettings")
            .field("kind", &self.kind)
            .field("receiver", &self.receiver)
            .field("table", &Keys(&self.table))
            .finish_non_exhaustive()
    }
}

/// Bytes of a request body when a source says nothing.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Bytes of a request body that a source may ask for.
pub const BODY_BYTES_LIMIT: usize = 32 << 20;

/// How a sender proves that it may send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// `Authorization: Bearer …` with any of these tokens, kept as SHA-256.
    AnyOf(Vec<[u8; 32]>),
    /// The same in a header of the sender's own. Lower case.
    HeaderAnyOf {
        header: String,
        tokens: Vec<[u8; 32]>,
    },
    /// The same in the URL's query, for senders that can send no header.
    ParameterAnyOf {
        parameter: String,
        tokens: Vec<[u8; 32]>,
    },
    Basic {
        user: String,
        /// Kept as SHA-256, as tokens are.
        password_sha256: [u8; 32],
    },
    Hmac(HmacSettings),
    /// Only while listening on loopback, or with a client certificate.
    None,
}

/// The clients that a source lets in by their certificate; at least one of authority and fingerprints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Authorities that vouch for clients.
    pub ca_pem: Option<String>,
    /// Empty, with no fingerprints either: every client of the authorities.
    pub names: Vec<String>,
    /// Of a client's own certificate.
    pub sha256: Vec<[u8; 32]>,
}

/// A signature over the raw body, HMAC-SHA256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacSettings {
    /// Any of these; several while one is being replaced.
    pub secrets: Vec<Secret<String>>,
    /// Lower case.
    pub header: String,
    /// What stands before the signature in the header, `sha256=` for example.
    pub prefix: String,
    pub encoding: Encoding,
    /// Header with the time of signing, which is then signed too: `<time>:<body>`. Lower case.
    pub timestamp_header: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    #[default]
    Hex,
    Base64,
}

#[derive(Clone, PartialEq)]
pub struct SinkSettings {
    pub kind: String,
    /// The receiver that it belongs to.
    pub receiver: String,
    /// Its own keys, for `SinkSpec::build`.
    pub table: Table,
    /// Connections to private and loopback addresses are refused unless this is set.
    pub allow_private: bool,
    /// Of one request, from connecting to the last byte of the answer.
    pub timeout: Span,
    /// Absent: what the vendor allows.
    pub rate: Option<Rate>,
    /// After this time without success the delivery goes to the receiver's fallback.
    pub give_up_after: Span,
    pub language: Language,
    /// Of those who read there.
    pub time_zone: String,
}

pub const SINK_TIMEOUT: Span = Span::from_secs(20);
pub const SINK_GIVE_UP_AFTER: Span = Span::from_hours(24);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiSettings {
    /// None at all is accepted only while listening on loopback.
    pub tokens: Vec<ApiToken>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    /// Who it is given to; stands in the audit log.
    pub name: String,
    pub role: Role,
    pub token_sha256: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Open connections; the next one waits in the kernel's queue, and idle ones make room for it.
    pub connections_max: u32,
    /// From the first byte of a request to the end of its headers.
    pub header_timeout: Span,
    /// A connection on which nothing happens is closed.
    pub idle_timeout: Span,
    /// From the headers to the answer, the body included.
    pub request_timeout: Span,
    /// Requests that wait for the writer; past it they are answered "later".
    pub queue_events_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 2_048,
            header_timeout: Span::from_secs(10),
            // Longer than the 90 s of Go's senders, so that they close first.
            idle_timeout: Span::from_secs(120),
            request_timeout: Span::from_secs(30),
            queue_events_max: 10_000,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Closed incidents, ended alerts, finished deliveries, timeline; the audit log stays.
    pub history: Span,
    /// Inputs, for `replay`.
    pub journal: Span,
}

impl Default for Retention {
    fn default() -> Self {
        Self { history: Span::from_hours(90 * 24), journal: Span::from_hours(7 * 24) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelfCheckSettings {
    pub enabled: bool,
    pub every: Span,
    /// A probe that takes longer has not come through.
    pub timeout: Span,
}

impl Default for SelfCheckSettings {
    fn default() -> Self {
        Self { enabled: true, every: Span::from_mins(1), timeout: Span::from_secs(10) }
    }
}

/// A request to somebody who rings when it stays away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeartbeatSettings {
    /// Whoever knows it can keep that somebody quiet.
    pub url: Secret<String>,
    pub every: Span,
    pub timeout: Span,
    pub allow_private: bool,
}

impl HeartbeatSettings {
    pub const EVERY: Span = Span::from_mins(1);
    pub const TIMEOUT: Span = Span::from_secs(10);
}

/// A Zabbix server that is asked for hosts, host groups and trigger dependencies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZabbixSettings {
    /// Of the API; without credentials.
    pub endpoint: String,
    pub token: Secret<String>,
    /// From the end of one pull to the beginning of the next.
    pub every: Span,
    /// Of one request, of which a pull has many.
    pub timeout: Span,
    pub allow_private: bool,
}

impl ZabbixSettings {
    pub const EVERY: Span = Span::from_mins(10);
    pub const TIMEOUT: Span = Span::from_secs(30);
}
