//! How senders prove themselves, from the configuration's form to that of the listener.

use std::collections::BTreeMap;

use crate::config::{Auth, Configuration, Encoding};
use crate::error::Secret;
use crate::http;

/// For the heartbeats that are expected; absent where no requests are taken.
pub(super) fn heartbeats(configuration: &Configuration) -> BTreeMap<String, Option<http::Auth>> {
    let heartbeats = configuration.heartbeats.iter();
    heartbeats.map(|(name, auth)| (name.clone(), auth.as_ref().map(source))).collect()
}

/// For the schedules that have a calendar feed.
pub(super) fn feeds(configuration: &Configuration) -> BTreeMap<String, http::Auth> {
    configuration.feeds.iter().map(|(name, auth)| (name.clone(), source(auth))).collect()
}

pub(super) fn source(auth: &Auth) -> http::Auth {
    match auth {
        Auth::None => http::Auth::None,
        Auth::AnyOf(tokens) => http::Auth::Tokens(tokens.clone()),
        Auth::HeaderAnyOf { header, tokens } => {
            http::Auth::HeaderTokens { header: header.clone(), tokens: tokens.clone() }
        }
        Auth::Basic { user, password_sha256 } => {
            http::Auth::Basic { user: user.clone(), password_sha256: *password_sha256 }
        }
        Auth::Hmac(hmac) => http::Auth::Hmac {
            secrets: hmac.secrets.iter().map(|secret| Secret::new(secret.expose().as_bytes().to_vec())).collect(),
            header: hmac.header.clone(),
            prefix: hmac.prefix.clone(),
            encoding: match hmac.encoding {
                Encoding::Hex => http::SignatureEncoding::Hex,
                Encoding::Base64 => http::SignatureEncoding::Base64,
            },
            timestamp_header: hmac.timestamp_header.clone(),
        },
    }
}
