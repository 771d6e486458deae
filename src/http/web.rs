//! What a `--web.config.file` says of who may ask at all: users with passwords, clients by their certificates, and
//! headers for every answer. Looked at before any path. Never logs or repeats a credential.
//!
//! A password is hashed with bcrypt off the threads that answer, one at a time, and what has fitted once is remembered.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use base64::{alphabet, engine};
use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use parking_lot::Mutex;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use subtle::ConstantTimeEq;

use super::error::Problem;
use super::{App, auth};
use crate::model::Timestamp;
use crate::tls::{ClientChain, ClientRefusal, ClientRule, ClientRuleError, Versions};

/// What the file says, but for the listener's own certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Web {
    /// Of every answer.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// None: no password is asked for.
    pub users: BTreeMap<String, Bcrypt>,
    pub clients: ClientPolicy,
    /// Certificates in PEM, whose holders count.
    pub client_authorities: Option<String>,
    /// Names of clients, one of which a certificate must have; none: any.
    pub client_names: Vec<String>,
    pub versions: Versions,
}

/// What is asked of a client's certificate; Go's names for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientPolicy {
    #[default]
    NoClientCert,
    RequestClientCert,
    RequireAnyClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

impl Web {
    /// The rule for certificates, where they are asked for.
    ///
    /// # Errors
    /// When the authorities cannot be used.
    pub fn client_rule(&self) -> Result<Option<ClientRule>, ClientRuleError> {
        match self.clients {
            ClientPolicy::NoClientCert => Ok(None),
            _ => ClientRule::new(self.client_authorities.as_deref(), &self.client_names, Vec::new()).map(Some),
        }
    }
}

/// A password's hash, `$2y$10$…`.
#[derive(Clone, PartialEq, Eq)]
pub struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    hash: [u8; 23],
}

impl std::fmt::Debug for Bcrypt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<secret>")
    }
}

/// Doublings of the work; beyond it one password takes minutes.
const COST_MAX: u32 = 18;
const COST_MIN: u32 = 4;
/// Bytes of a password that count, the end mark included.
const PASSWORD_BYTES_MAX: usize = 72;

impl Bcrypt {
    /// # Errors
    /// What is wrong with it; does not repeat it.
    pub fn read(text: &str) -> Result<Self, String> {
        let expected = || "expected a bcrypt hash such as `$2y$10$…` (its value is not shown)".to_owned();
        let parts: Vec<&str> = text.split('$').collect();
        let ["", "2a" | "2b" | "2y" | "2x", cost, rest] = parts.as_slice() else { return Err(expected()) };
        let cost = cost.parse().ok().filter(|_| cost.len() == 2).ok_or_else(expected)?;
        if !(COST_MIN..=COST_MAX).contains(&cost) {
            return Err(format!("expected a bcrypt hash of cost {COST_MIN} to {COST_MAX}, got {cost}"));
        }
        let configuration = engine::general_purpose::NO_PAD.with_decode_allow_trailing_bits(true);
        let base64 = engine::GeneralPurpose::new(&alphabet::BCRYPT, configuration);
        let decode = |text: &str| base64.decode(text).map_err(|_| expected());
        let (salt, hash) = rest.split_at_checked(22).ok_or_else(expected)?;
        let (salt, hash) = (decode(salt)?.try_into(), decode(hash)?.try_into());
        let (Ok(salt), Ok(hash)) = (salt, hash) else { return Err(expected()) };
        Ok(Self { cost, salt, hash })
    }

    /// Takes as long as the cost says.
    fn fits(&self, password: &[u8]) -> bool {
        let mut password = password.to_vec();
        password.push(0);
        password.truncate(PASSWORD_BYTES_MAX);
        let hash = bcrypt::bcrypt(self.cost, self.salt, &password);
        hash[..self.hash.len()].ct_eq(&self.hash).into()
    }
}

/// Passwords that have fitted and are remembered, by their digests.
const REMEMBERED_MAX: usize = 100;

/// The file in force.
#[derive(Default)]
pub struct Guard {
    web: Web,
    /// Authorities that cannot be used let in nobody; `config` refuses them earlier.
    rule: Option<Result<ClientRule, ClientRuleError>>,
    remembered: Mutex<BTreeSet<[u8; 32]>>,
    /// One hash at a time, since each takes a whole core.
    hashing: tokio::sync::Mutex<()>,
}

/// Whoever has shown a password.
#[derive(Clone, Debug)]
pub struct User(pub String);

impl Guard {
    pub fn new(web: Web) -> Self {
        let rule = web.client_rule().transpose();
        Self { web, rule, ..Self::default() }
    }

    fn check_client(&self, chain: Option<&ClientChain>, now: Timestamp) -> Result<(), ClientRefusal> {
        let verify = || match &self.rule {
            Some(Ok(rule)) => rule.check(chain, now),
            _ => Err(ClientRefusal::Missing),
        };
        match (self.web.clients, chain) {
            (ClientPolicy::NoClientCert | ClientPolicy::RequestClientCert, _) => Ok(()),
            (ClientPolicy::VerifyClientCertIfGiven, None) => Ok(()),
            (ClientPolicy::RequireAnyClientCert, Some(_)) => Ok(()),
            (ClientPolicy::RequireAnyClientCert, None) => Err(ClientRefusal::Missing),
            (ClientPolicy::VerifyClientCertIfGiven | ClientPolicy::RequireAndVerifyClientCert, _) => verify(),
        }
    }

    /// Whose password came with a request; nothing when it is none of them.
    async fn user(&self, headers: &HeaderMap) -> Option<User> {
        let decoded = BASE64_STANDARD.decode(auth::credentials(headers, "Basic")?).ok()?;
        let at = decoded.iter().position(|byte| *byte == b':')?;
        let (name, password) = (String::from_utf8(decoded[..at].to_vec()).ok()?, decoded[at + 1..].to_vec());
        let known = self.web.users.get(&name);
        // For a name that nobody has, somebody's password is tried: the time says nothing about who is there.
        let bcrypt = known.or_else(|| self.web.users.values().next())?.clone();
        let digest = Sha256::new().chain_update(bcrypt.salt).chain_update(bcrypt.hash).chain_update(&decoded);
        let digest: [u8; 32] = digest.finalize().into();
        if self.remembered.lock().contains(&digest) {
            return Some(User(name));
        }
        let _one_at_a_time = self.hashing.lock().await;
        let fits = tokio::task::spawn_blocking(move || bcrypt.fits(&password)).await.unwrap_or(false);
        if !fits || known.is_none() {
            return None;
        }
        let mut remembered = self.remembered.lock();
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.insert(digest);
        Some(User(name))
    }
}

/// Lets a request through to the paths, or not.
pub(super) async fn admit(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let guard = app.guard();
    let refusal = guard.check_client(request.extensions().get::<ClientChain>(), app.clock.now()).err();
    let mut response = match refusal {
        Some(refusal) => Problem::client_certificate(refusal).into_response(),
        None if guard.web.users.is_empty() => next.run(request).await,
        None => match guard.user(request.headers()).await {
            Some(user) => {
                request.extensions_mut().insert(user);
                next.run(request).await
            }
            None => {
                let challenge = [(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"))];
                (StatusCode::UNAUTHORIZED, challenge, "Unauthorized\n").into_response()
            }
        },
    };
    for (name, value) in &guard.web.headers {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of `abc` and of `hunter2`, as crypt(3) makes them.
    const HASH: &str = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";
    const OTHER: &str = "$2y$05$C4ZtPgqXXOc3bRqXjHgp9.BDQkkzLFdrG/Ji1kJ57d09LTJ5DFanS";

    #[test]
    fn a_password_fits_its_own_hash_only() {
        for (hash, password, other) in [(HASH, "abc", "hunter2"), (OTHER, "hunter2", "abc")] {
            let bcrypt = Bcrypt::read(hash).unwrap();
            assert!(bcrypt.fits(password.as_bytes()) && !bcrypt.fits(other.as_bytes()) && !bcrypt.fits(b""));
        }
        let long = "x".repeat(100);
        assert!(!Bcrypt::read(HASH).unwrap().fits(long.as_bytes()));
    }

    #[test]
    fn what_is_no_hash_is_said_without_it() {
        for text in
            ["", "test", "$2y$10$short", "$1$10$abc", "$2y$4$C4ZtPgqXXOc3bRqXjHgp9.BDQkkzLFdrG/Ji1kJ57d09LTJ5DFanS"]
        {
            let error = Bcrypt::read(text).unwrap_err();
            assert!(
                error.starts_with("expected a bcrypt hash") && (text.is_empty() || !error.contains(text)),
                "{error}"
            );
        }
        assert!(Bcrypt::read(&HASH.replace("06", "31")).unwrap_err().contains("cost 4 to 18, got 31"));
        assert!(Bcrypt::read(HASH).is_ok() && !format!("{:?}", Bcrypt::read(HASH)).contains("If6b"));
    }
}
