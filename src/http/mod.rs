//! Everything that listens: who may ask, what came, what goes back. Handlers decode, call one
//! function and encode; no rule of the domain lives here, and nothing is kept here but the sources
//! and tokens in force, which a reload swaps in one step.
//!
//! ```text
//! server (connections, limits) ─▶ router (the table of paths) ─▶ ingest  ─▶ driver::Handle
//!                                        │ auth                  api     ─▶ store::Reader, driver::Handle
//!                                        ▼                       health  ─▶ Status, Metrics
//!                                 error (problem+json)
//! ```

pub mod alertmanager;
mod api;
pub mod auth;
pub mod body;
mod calendar;
pub mod callback;
mod error;
mod health;
mod heartbeat;
mod ingest;
mod live;
mod openapi;
mod quota;
mod replay;
mod router;
pub mod server;
mod strangers;
pub mod web;

pub use alertmanager::Facade;
pub use error::Problem;
pub use health::Status;
pub use live::App;
pub use openapi::document;
pub use router::{Access, ROUTES, Route, router};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;
use crate::engine::input::Role;
use crate::error::Secret;
use crate::model::Span;
use crate::runtime::inbox::Handle;
use crate::sources::{Source, SourceSpec};
use crate::store::Reader;
use crate::telemetry::Metrics;
use crate::tls::ClientRule;

/// What `app.rs` hands over; made from the configuration, free of its form.
pub struct Setup {
    pub listen: SocketAddr,
    /// By instance name.
    pub sources: BTreeMap<String, SourceInstance>,
    pub tokens: Vec<ApiToken>,
    pub limits: Limits,
    pub clock: Clock,
    pub driver: Handle,
    pub reader: Arc<dyn Reader>,
    pub metrics: Arc<Metrics>,
    pub status: Arc<Status>,
    pub reload: mpsc::Sender<ReloadRequest>,
    /// How much of an Alertmanager it is.
    pub facade: Facade,
}

/// Asks `app.rs` to load the configuration again.
pub struct ReloadRequest {
    /// Who asks, for the audit.
    pub by: String,
    /// Gets one line, or why it was refused.
    pub done: oneshot::Sender<Result<String, String>>,
}

pub struct SourceInstance {
    pub kind: &'static SourceSpec,
    pub source: Box<dyn Source>,
    pub auth: Auth,
    /// Demanded besides `auth`, and looked at before it.
    pub client_certificate: Option<ClientRule>,
    /// Of the body, decompressed.
    pub body_bytes_max: usize,
    /// Absent: as fast as the writer keeps up.
    pub events_per_second: Option<u32>,
}

/// How a source proves who it is. Tokens and passwords are kept as SHA-256 only.
pub enum Auth {
    /// Anyone who reaches the port; the configuration allows it on loopback only.
    None,
    /// `Authorization: Bearer`, any of these.
    Tokens(Vec<[u8; 32]>),
    /// The same in a header of the sender's own, the token alone in it.
    HeaderTokens {
        header: String,
        tokens: Vec<[u8; 32]>,
    },
    /// The same in a parameter of the URL, for senders that can send no header.
    ParameterTokens {
        parameter: String,
        tokens: Vec<[u8; 32]>,
    },
    Basic {
        user: String,
        password_sha256: [u8; 32],
    },
    /// HMAC-SHA256 of the raw body, or of `<timestamp>:<body>` where a timestamp header is named.
    Hmac {
        /// Any of these; several while one is being replaced.
        secrets: Vec<Secret<Vec<u8>>>,
        header: String,
        /// Before the signature in the header: `sha256=`, or nothing.
        prefix: String,
        encoding: SignatureEncoding,
        /// Holds Unix seconds. Where it is named a request that was signed once is taken once.
        timestamp_header: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureEncoding {
    Hex,
    Base64,
}

/// One token of the daemon's own API.
#[derive(Clone)]
pub struct ApiToken {
    /// Who acted, in the audit and the timeline.
    pub name: String,
    pub role: Role,
    pub token_sha256: [u8; 32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at once; the next one waits to be accepted.
    pub connections_max: usize,
    /// From the first byte of a request (of the first one: from the connection) to the end of its headers.
    pub header_timeout: Span,
    /// Without any request.
    pub idle_timeout: Span,
    /// From the end of the headers to the answer, the reading of the body included.
    pub request_timeout: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 4_096,
            header_timeout: Span::from_secs(10),
            // Longer than the 90 s of Go's senders, so that they close first: a connection that we
            // close just as a request is on its way loses that request.
            idle_timeout: Span::from_secs(120),
            request_timeout: Span::from_secs(30),
        }
    }
}

#[cfg(test)]
mod tests;
