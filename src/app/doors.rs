//! How senders prove themselves, from the configuration's form to that of the listener.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Auth, Configuration, Encoding, SinkSettings};
use crate::error::Secret;
use crate::http;
use crate::http::callback::{self, Ear, Ears};
use crate::render::Reader;
use crate::runtime::deliver::Transport;
use crate::runtime::outbox::Sinks;

/// For the heartbeats that are expected; absent where no requests are taken.
pub(super) fn heartbeats(configuration: &Configuration) -> BTreeMap<String, Option<http::Auth>> {
    let heartbeats = configuration.heartbeats.iter();
    heartbeats.map(|(name, auth)| (name.clone(), auth.as_ref().map(source))).collect()
}

/// For the schedules that have a calendar feed.
pub(super) fn feeds(configuration: &Configuration) -> BTreeMap<String, http::Auth> {
    configuration.feeds.iter().map(|(name, auth)| (name.clone(), source(auth))).collect()
}

/// For what people press and type where messages went.
pub(super) fn ears(configuration: &Configuration, sinks: &Sinks, transport: Arc<dyn Transport>) -> Ears {
    let ear = |(name, settings): (&String, &SinkSettings)| {
        let reader = Reader { language: settings.language, time_zone: settings.time_zone.clone() };
        Some((name.clone(), Ear::new(&settings.kind, reader, Arc::clone(sinks.get(name)?))))
    };
    let identities = configuration.identities.iter();
    let people = callback::people(identities.map(|(name, identity)| (name, identity.role, &identity.accounts)));
    Ears::new(configuration.sinks.iter().filter_map(ear).collect(), people, transport)
}

pub(super) fn source(auth: &Auth) -> http::Auth {
    match auth {
        Auth::None => http::Auth::None,
        Auth::AnyOf(tokens) => http::Auth::Tokens(tokens.clone()),
        Auth::HeaderAnyOf { header, tokens } => {
            http::Auth::HeaderTokens { header: header.clone(), tokens: tokens.clone() }
        }
        Auth::ParameterAnyOf { parameter, tokens } => {
            http::Auth::ParameterTokens { parameter: parameter.clone(), tokens: tokens.clone() }
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
