//! HTTP clients: the usual one, and those of requests that ask to be connected in a way of their own.
//!
//! Decides what a redirect may lead to: where the guard holds, no private address, neither by name nor by number. A
//! proxy would connect for us to where the guard cannot look, so there is none where the guard holds.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::{CONNECT_TIMEOUT, SendError};
use crate::error::ErrorKind;
use crate::runtime::guard::{self, Resolver};
use crate::sinks::{HttpClient, HttpProxy, TlsSetting, TlsVersion};

/// Idle connections kept to one host, and for how long: shorter than the usual server's patience.
const IDLE_PER_HOST_MAX: usize = 32;
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Clients of their own kept at a time; a reload with other certificates makes new ones.
const OWN_CLIENTS_MAX: usize = 64;

/// As many as Go follows.
const REDIRECTS_MAX: usize = 10;

/// The usual client, which connects to public addresses only where a guarding resolver is given.
pub(super) fn builder(guard: Option<&Resolver>) -> reqwest::ClientBuilder {
    let builder = without_proxy_choice(guard).redirect(reqwest::redirect::Policy::none());
    // A proxy would connect for us to where the guard forbids; HTTP_PROXY and the like are not ours.
    builder.no_proxy()
}

fn without_proxy_choice(guard: Option<&Resolver>) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("watchbell/", env!("CARGO_PKG_VERSION")));
    match guard {
        Some(resolver) => builder.dns_resolver(Arc::new(resolver.clone())),
        None => builder,
    }
}

/// One client for each way to connect, made when it is first asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnClients(Arc<Mutex<Vec<OwnClient>>>);

#[derive(Debug)]
struct OwnClient {
    setting: Arc<HttpClient>,
    is_guarded: bool,
    client: reqwest::Client,
}

impl OwnClients {
    /// # Errors
    /// When the setting cannot be carried out; holds no secret.
    pub fn get(&self, setting: &Arc<HttpClient>, guard: Option<&Resolver>) -> Result<reqwest::Client, SendError> {
        let mut clients = self.0.lock();
        let is_this = |own: &&OwnClient| own.is_guarded == guard.is_some() && own.setting == *setting;
        if let Some(own) = clients.iter().find(is_this) {
            return Ok(own.client.clone());
        }
        let client = build(setting, guard)?;
        if clients.len() >= OWN_CLIENTS_MAX {
            clients.remove(0);
        }
        clients.push(OwnClient { setting: setting.clone(), is_guarded: guard.is_some(), client: client.clone() });
        Ok(client)
    }
}

fn invalid(reason: &str) -> SendError {
    SendError::unsent(ErrorKind::Invalid, reason)
}

fn build(setting: &HttpClient, guard: Option<&Resolver>) -> Result<reqwest::Client, SendError> {
    let mut builder = match &setting.proxy {
        None => builder(guard),
        Some(_) if guard.is_some() => {
            let reason = "a proxy connects to where private addresses cannot be told apart; \
                          set `allow_private: true` beside it if that is intended";
            return Err(invalid(reason));
        }
        // Without another word it is the environment's.
        Some(HttpProxy::Environment) => without_proxy_choice(guard),
        Some(HttpProxy::Url { url, no_proxy, connect_headers }) => {
            let unusable = |_| invalid("the proxy's address cannot be used");
            let mut proxy = reqwest::Proxy::all(url.expose().trim()).map_err(unusable)?;
            if let Some(hosts) = no_proxy {
                proxy = proxy.no_proxy(reqwest::NoProxy::from_string(hosts));
            }
            let mut headers = http::HeaderMap::new();
            for (name, value) in connect_headers {
                let name = http::HeaderName::try_from(name.as_str());
                let value = http::HeaderValue::try_from(value.expose().as_str());
                let (Ok(name), Ok(value)) = (name, value) else {
                    return Err(invalid("a header for the proxy cannot be used"));
                };
                headers.append(name, value);
            }
            without_proxy_choice(guard).proxy(proxy.headers(headers))
        }
    };
    if setting.http1_only {
        builder = builder.http1_only();
    }
    builder = builder.redirect(redirects(setting.follow_redirects, guard.is_some()));
    let builder = with_tls(builder, &setting.tls)?;
    builder.build().map_err(|_| invalid("the certificates or the proxy of `http_config` cannot be used"))
}

/// A host in letters is judged by the resolver, one in numbers here.
fn redirects(are_followed: bool, is_guarded: bool) -> reqwest::redirect::Policy {
    if !are_followed {
        return reqwest::redirect::Policy::none();
    }
    reqwest::redirect::Policy::custom(move |attempt| {
        if attempt.previous().len() > REDIRECTS_MAX {
            return attempt.stop();
        }
        match guard::check_literal(attempt.url()) {
            Err(error) if is_guarded => attempt.error(error),
            _ => attempt.follow(),
        }
    })
}

fn with_tls(mut builder: reqwest::ClientBuilder, tls: &TlsSetting) -> Result<reqwest::ClientBuilder, SendError> {
    if let Some(pem) = &tls.ca_pem {
        let authorities = reqwest::Certificate::from_pem_bundle(pem.as_bytes())
            .map_err(|_| invalid("the authorities of `tls_config` are not certificates in PEM"))?;
        builder = builder.tls_certs_only(authorities);
    }
    if let (Some(certificate), Some(key)) = (&tls.certificate_pem, &tls.key_pem) {
        let pem = format!("{certificate}\n{}", key.expose());
        let identity = reqwest::Identity::from_pem(pem.as_bytes())
            .map_err(|_| invalid("the client certificate of `tls_config` or its key is not in PEM"))?;
        builder = builder.identity(identity);
    }
    let version = |version| match version {
        TlsVersion::Tls12 => reqwest::tls::Version::TLS_1_2,
        TlsVersion::Tls13 => reqwest::tls::Version::TLS_1_3,
    };
    if let Some(min) = tls.min_version {
        builder = builder.tls_version_min(version(min));
    }
    if let Some(max) = tls.max_version {
        builder = builder.tls_version_max(version(max));
    }
    Ok(builder.tls_danger_accept_invalid_certs(tls.insecure_skip_verify))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Secret;

    #[test]
    fn equal_settings_share_a_client_and_a_guard_makes_another() {
        super::super::install_tls();
        let own = OwnClients::default();
        let setting = || Arc::new(HttpClient { follow_redirects: true, ..HttpClient::default() });
        for _ in 0..3 {
            own.get(&setting(), None).unwrap();
            own.get(&setting(), Some(&Resolver::System)).unwrap();
        }
        assert_eq!(own.0.lock().len(), 2);
        for number in 0..2 * OWN_CLIENTS_MAX {
            let tls = TlsSetting { insecure_skip_verify: number % 2 == 0, ..TlsSetting::default() };
            own.get(&Arc::new(HttpClient { http1_only: number % 3 == 0, tls, ..HttpClient::default() }), None).unwrap();
        }
        assert!(own.0.lock().len() <= 2 + 4);
    }

    #[test]
    fn what_cannot_be_carried_out_is_said_without_a_secret() {
        super::super::install_tls();
        let own = OwnClients::default();
        let error = |setting: HttpClient, guard: Option<&Resolver>| own.get(&Arc::new(setting), guard).unwrap_err();
        let url = Secret::new("http://u:hunter2@proxy.example:3128".to_owned());
        let proxy = Some(HttpProxy::Url { url, no_proxy: None, connect_headers: Vec::new() });
        let through = HttpClient { proxy, ..HttpClient::default() };
        assert!(error(through.clone(), Some(&Resolver::System)).reason.contains("allow_private"));
        assert!(own.get(&Arc::new(through), None).is_ok());
        let tls = TlsSetting { ca_pem: Some("-----BEGIN CERTIFICATE-----\nhunter2".into()), ..TlsSetting::default() };
        let error = error(HttpClient { tls, ..HttpClient::default() }, None);
        assert!(error.kind == ErrorKind::Invalid && !error.reason.contains("hunter2"), "{error}");
    }
}
