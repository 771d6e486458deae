//! HTTP clients: the usual one, and those of sinks that ask to be connected in a way of their own.
//!
//! Decides what a redirect may lead to: where the guard holds, no private address, neither by name nor by number. A
//! proxy would connect for us to where the guard cannot look, so there is none where the guard holds. Clients are made
//! when sinks are set up, one for all that connect in the same way; a send only takes one.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use reqwest::redirect::Policy;

use super::named::Named;
use super::oauth2::Tokens;
use super::{CONNECT_TIMEOUT, Call, SendError, http_error, tls};
use crate::error::{ConfigError, ErrorKind};
use crate::runtime::guard::{self, Resolver};
use crate::sinks::{HttpClient, HttpProxy};

/// Idle connections kept to one host, and for how long: shorter than the usual server's patience.
pub(super) const IDLE_PER_HOST_MAX: usize = 32;
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// As many as Go follows.
pub(super) const REDIRECTS_MAX: usize = 10;

pub(super) const USER_AGENT: &str = concat!("watchbell/", env!("CARGO_PKG_VERSION"));

/// The usual client, which connects to public addresses only where a guarding resolver is given.
pub(super) fn builder(guard: Option<&Resolver>) -> reqwest::ClientBuilder {
    let builder = without_proxy_choice(guard).redirect(Policy::none());
    // A proxy would connect for us to where the guard forbids; HTTP_PROXY and the like are not ours.
    builder.no_proxy()
}

fn without_proxy_choice(guard: Option<&Resolver>) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(USER_AGENT);
    match guard {
        Some(resolver) => builder.dns_resolver(Arc::new(resolver.clone())),
        None => builder,
    }
}

/// How requests go out.
#[derive(Debug)]
pub(super) enum Way {
    Usual(reqwest::Client),
    /// By a name that is not the address's.
    Named(Box<Named>),
}

impl Way {
    /// # Errors
    /// Names the key below `http_config` that cannot be carried out.
    pub fn new(setting: &HttpClient, guard: Option<&Resolver>) -> Result<Self, ConfigError> {
        if guard.is_some() && setting.proxy.is_some() {
            let message = "a proxy connects to where private addresses cannot be told apart; \
                           set `allow_private: true` beside it if that is intended";
            return Err(ConfigError::new(proxy_key(setting), message));
        }
        let below = |error: ConfigError| below("tls_config", error);
        let configuration = tls::configuration(&setting.tls, setting.http1_only).map_err(below)?;
        if let Some(name) = tls::server_name(&setting.tls).map_err(below)? {
            return Ok(Self::Named(Box::new(Named::new(setting, configuration, name, guard)?)));
        }
        let mut builder = with_proxy(setting, guard)?;
        if setting.http1_only {
            builder = builder.http1_only();
        }
        let client = builder
            .redirect(redirects(setting.follow_redirects, guard.is_some()))
            .tls_backend_preconfigured(configuration)
            .build()
            .map_err(|error| ConfigError::new("", format!("no client can be made of it: {}", error.without_url())))?;
        Ok(Self::Usual(client))
    }

    /// Sends one request; its answer is still to be read.
    pub async fn send(&self, call: Call, timeout: Duration) -> Result<reqwest::Response, SendError> {
        match self {
            Self::Usual(client) => {
                let request = client.request(call.method, call.url).headers(call.headers).body(call.body);
                request.timeout(timeout).send().await.map_err(|error| http_error(error, timeout))
            }
            Self::Named(client) => client.send(call).await,
        }
    }
}

/// A client for one way to connect, and to authenticate.
#[derive(Debug)]
pub(super) struct OwnClient {
    setting: Arc<HttpClient>,
    is_guarded: bool,
    way: Way,
    tokens: Option<Tokens>,
}

impl OwnClient {
    /// # Errors
    /// Names the key below `http_config` that cannot be carried out.
    pub fn new(setting: &Arc<HttpClient>, guard: Option<&Resolver>) -> Result<Self, ConfigError> {
        let tokens = setting.oauth2.as_ref().map(|oauth2| Tokens::new(oauth2, guard));
        Ok(Self {
            setting: Arc::clone(setting),
            is_guarded: guard.is_some(),
            way: Way::new(setting, guard)?,
            tokens: tokens.transpose().map_err(|error| below("oauth2", error))?,
        })
    }

    fn is_for(&self, setting: &Arc<HttpClient>, is_guarded: bool) -> bool {
        self.is_guarded == is_guarded && (Arc::ptr_eq(&self.setting, setting) || self.setting == *setting)
    }

    /// Sends one request, with a token where one is needed: a fresh one when the other side does not know it any more.
    /// `is_under_way` is called when something leaves that the receiver may act on.
    pub async fn send(
        &self,
        call: Call,
        timeout: Duration,
        is_under_way: impl Fn(),
    ) -> Result<reqwest::Response, SendError> {
        let Some(tokens) = &self.tokens else {
            is_under_way();
            return self.way.send(call, timeout).await;
        };
        let token = tokens.get(timeout).await?;
        is_under_way();
        let response = self.way.send(call.clone().authorized(&token), timeout).await?;
        if response.status() != reqwest::StatusCode::UNAUTHORIZED {
            return Ok(response);
        }
        let token = tokens.renew(&token, timeout).await?;
        self.way.send(call.authorized(&token), timeout).await
    }
}

/// One client for each way to connect.
#[derive(Clone, Debug, Default)]
pub(super) struct OwnClients(Arc<Mutex<Vec<Arc<OwnClient>>>>);

/// Clients that are ready and not in use yet.
#[derive(Debug, Default)]
pub struct Prepared(Vec<Arc<OwnClient>>);

impl OwnClients {
    fn find(&self, setting: &Arc<HttpClient>, is_guarded: bool) -> Option<Arc<OwnClient>> {
        self.0.lock().iter().find(|own| own.is_for(setting, is_guarded)).cloned()
    }

    /// Makes ready what this setting needs; what is in use already is kept, with its connections.
    ///
    /// # Errors
    /// Names the key below `http_config` that cannot be carried out.
    pub fn prepare(
        &self,
        prepared: &mut Prepared,
        setting: &Arc<HttpClient>,
        guard: Option<&Resolver>,
    ) -> Result<(), ConfigError> {
        if prepared.0.iter().any(|own| own.is_for(setting, guard.is_some())) {
            return Ok(());
        }
        let client = match self.find(setting, guard.is_some()) {
            Some(client) => client,
            None => Arc::new(OwnClient::new(setting, guard)?),
        };
        prepared.0.push(client);
        Ok(())
    }

    /// Lets go of all others.
    pub fn put(&self, prepared: Prepared) {
        *self.0.lock() = prepared.0;
    }

    /// The client for this setting. One that is not there belongs to a sink that a reload has taken away in the
    /// meantime, or was never prepared; it is made and kept until the next reload.
    ///
    /// # Errors
    /// When the setting cannot be carried out; holds no secret.
    pub fn get(&self, setting: &Arc<HttpClient>, guard: Option<&Resolver>) -> Result<Arc<OwnClient>, SendError> {
        if let Some(own) = self.find(setting, guard.is_some()) {
            return Ok(own);
        }
        let made = OwnClient::new(setting, guard).map_err(|error| below("http_config", error));
        let made = Arc::new(made.map_err(|error| SendError::unsent(ErrorKind::Invalid, error.to_string()))?);
        self.0.lock().push(Arc::clone(&made));
        Ok(made)
    }
}

/// An error of a part, as one of the whole.
pub(super) fn below(key: &str, error: ConfigError) -> ConfigError {
    let path = if error.path.is_empty() { key.to_owned() } else { format!("{key}.{}", error.path) };
    ConfigError { path, ..error }
}

fn proxy_key(setting: &HttpClient) -> &'static str {
    match setting.proxy {
        Some(HttpProxy::Environment) => "proxy_from_environment",
        _ => "proxy_url",
    }
}

fn with_proxy(setting: &HttpClient, guard: Option<&Resolver>) -> Result<reqwest::ClientBuilder, ConfigError> {
    match &setting.proxy {
        None => Ok(builder(guard)),
        // Without another word it is the environment's.
        Some(HttpProxy::Environment) => Ok(without_proxy_choice(guard)),
        Some(HttpProxy::Url { url, no_proxy, connect_headers }) => {
            let unusable = |_| ConfigError::new("proxy_url", "this address cannot be used (its value is not shown)");
            let mut proxy = reqwest::Proxy::all(url.expose().trim()).map_err(unusable)?;
            if let Some(hosts) = no_proxy {
                proxy = proxy.no_proxy(reqwest::NoProxy::from_string(hosts));
            }
            Ok(without_proxy_choice(guard).proxy(proxy.headers(proxy_headers(connect_headers)?)))
        }
    }
}

pub(super) fn proxy_headers(given: &[(String, crate::error::Secret<String>)]) -> Result<http::HeaderMap, ConfigError> {
    let mut headers = http::HeaderMap::new();
    for (name, value) in given {
        let header = http::HeaderName::try_from(name.as_str());
        let value = http::HeaderValue::try_from(value.expose().as_str());
        let (Ok(header), Ok(value)) = (header, value) else {
            let message = "this header cannot be sent (its value is not shown)";
            return Err(ConfigError::new(format!("proxy_connect_header.{name}"), message));
        };
        headers.append(header, value);
    }
    Ok(headers)
}

/// A host in letters is judged by the resolver, one in numbers here.
fn redirects(are_followed: bool, is_guarded: bool) -> Policy {
    if !are_followed {
        return Policy::none();
    }
    Policy::custom(move |attempt| {
        if attempt.previous().len() > REDIRECTS_MAX {
            return attempt.stop();
        }
        match guard::check_literal(attempt.url()) {
            Err(error) if is_guarded => attempt.error(error),
            _ => attempt.follow(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Secret;
    use crate::sinks::TlsSetting;

    fn count(own: &OwnClients) -> usize {
        own.0.lock().len()
    }

    #[test]
    fn equal_settings_share_a_client_and_a_guard_makes_another() {
        let own = OwnClients::default();
        let setting = || Arc::new(HttpClient { follow_redirects: true, ..HttpClient::default() });
        let mut prepared = Prepared::default();
        for _ in 0..3 {
            own.prepare(&mut prepared, &setting(), None).unwrap();
            own.prepare(&mut prepared, &setting(), Some(&Resolver::System)).unwrap();
        }
        assert_eq!((prepared.0.len(), count(&own)), (2, 0), "nothing is in use before it is put");
        own.put(prepared);
        let before = own.get(&setting(), None).unwrap();
        assert_eq!(count(&own), 2, "what is prepared is taken");

        let mut prepared = Prepared::default();
        own.prepare(&mut prepared, &setting(), None).unwrap();
        own.put(prepared);
        assert!(Arc::ptr_eq(&before, &own.get(&setting(), None).unwrap()), "a reload keeps its connections");
        assert_eq!(count(&own), 1, "and lets go of what nobody uses");
    }

    #[test]
    fn what_cannot_be_carried_out_is_said_without_a_secret() {
        let own = OwnClients::default();
        let error = |setting: HttpClient, guard: Option<&Resolver>| {
            own.prepare(&mut Prepared::default(), &Arc::new(setting), guard).unwrap_err().to_string()
        };
        let url = Secret::new("http://u:hunter2@proxy.example:3128".to_owned());
        let proxy = Some(HttpProxy::Url { url, no_proxy: None, connect_headers: Vec::new() });
        let through = HttpClient { proxy, ..HttpClient::default() };
        assert!(error(through.clone(), Some(&Resolver::System)).starts_with("`proxy_url`: "));
        assert!(own.get(&Arc::new(through), None).is_ok());
        let tls = TlsSetting { ca_pem: Some("-----BEGIN CERTIFICATE-----\nhunter2".into()), ..TlsSetting::default() };
        let error = error(HttpClient { tls, ..HttpClient::default() }, None);
        assert!(error.starts_with("`tls_config.ca`: ") && !error.contains("hunter2"), "{error}");
    }
}
