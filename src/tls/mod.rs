//! TLS of the listener: what it shows, whom it believes, and how both change while connections go on.
//! TLS 1.2 and 1.3 by rustls, HTTP/1.1 only. Knows no source and no path; never prints a key.
//!
//! ```text
//! certificate_file, key_file ─▶ identity ─▶ listener ─▶ http/server (handshake: the client holds its key)
//! client_certificate         ─▶ client ─────────────▶ http/ingest (each source: is that client let in?)
//! ```

mod certificate;
mod client;
mod identity;
mod listener;

#[cfg(test)]
#[path = "../../tests/support/pki.rs"]
pub mod pki;

pub use certificate::{Certificate, normal_name};
pub use client::{ClientChain, ClientRefusal, ClientRule, ClientRuleError};
pub use identity::{Identity, IdentityError, IdentityFiles};
pub use listener::{Clients, Listener, Offer, TlsConfiguration, Versions};

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The cryptography of everything here, whatever else the process has installed.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
