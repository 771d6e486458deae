//! A service account's key, and the token that it signs for each request: a JSON Web Token that Google's services
//! take in place of one that they give out themselves (<https://google.aip.dev/auth/4111>, read 2026-11-21).
//!
//! Pure: time is given, and the signature (RSA with SHA-256, PKCS #1 v1.5) is the same for the same token.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SigningKey;
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

use crate::error::{ConfigError, Secret};
use crate::model::Timestamp;
use crate::sinks::RenderError;

const SCOPE: &str = "https://www.googleapis.com/auth/chat.bot";
/// As long as Google allows.
const LIFETIME_S: i64 = 3_600;

/// What of the key's file matters.
#[derive(Deserialize)]
struct KeyFile {
    client_email: String,
    private_key_id: String,
    private_key: Secret<String>,
}

pub struct ServiceAccount {
    email: String,
    key_id: String,
    key: Arc<dyn SigningKey>,
    key_text: Secret<String>,
}

impl ServiceAccount {
    pub fn read(key: &str, credentials: &Secret<String>) -> Result<Self, ConfigError> {
        let error = |what: &str| ConfigError::new(key, format!("expected {what} (its value is not shown)"));
        let file: KeyFile = serde_json::from_str(credentials.expose()).map_err(|_| {
            error("a service account's JSON key with `client_email`, `private_key_id` and `private_key`")
        })?;
        let private = PrivateKeyDer::from_pem_slice(file.private_key.expose().as_bytes());
        let signing = private.ok().and_then(|private| any_supported_type(&private).ok());
        let signing = signing.filter(|key| key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).is_some());
        Ok(Self {
            email: file.client_email,
            key_id: file.private_key_id,
            key: signing.ok_or_else(|| error("an RSA key in `private_key`"))?,
            key_text: file.private_key,
        })
    }

    /// For quoting what may not be quoted.
    pub const fn key_text(&self) -> &Secret<String> {
        &self.key_text
    }

    /// As verifiers take it: without the frame that names the algorithm.
    #[cfg(test)]
    pub fn public_key(&self) -> Vec<u8> {
        const FRAME_BYTES: usize = 24;
        self.key.public_key().map(|key| key[FRAME_BYTES..].to_vec()).unwrap_or_default()
    }

    /// The value of `Authorization`.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn authorization(&self, now: Timestamp) -> Result<String, RenderError> {
        let now_s = now.as_millis().div_euclid(1_000);
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email,
            "sub": self.email,
            "scope": SCOPE,
            "iat": now_s,
            "exp": now_s + LIFETIME_S,
        });
        let [header, claims] = [header, claims].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let failed = || RenderError("the service account's key does not sign".into());
        let signer = self.key.choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256]).ok_or_else(failed)?;
        let signature = signer.sign(signed.as_bytes()).map_err(|_| failed())?;
        Ok(format!("Bearer {signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}
