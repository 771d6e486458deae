//! A client that asks a server for another name than the address has (`server_name`): the name in the handshake and
//! the one that the certificate must be for. Does by itself what the usual client does otherwise: redirects, of which
//! each passes the guard, and a proxy.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, LOCATION, TRANSFER_ENCODING,
    WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, StatusCode, Uri};
use http_body_util::Full;
use hyper_rustls::{FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::client::{IDLE_PER_HOST_MAX, IDLE_TIMEOUT, REDIRECTS_MAX, USER_AGENT, proxy_headers};
use super::{CONNECT_TIMEOUT, Call, SendError, refused};
use crate::error::{ConfigError, ErrorKind};
use crate::runtime::guard::{self, GuardError, Resolver};
use crate::sinks::{HttpClient, HttpProxy};

type Direct = HttpsConnector<HttpConnector<Lookup>>;
type Proxied = HttpsConnector<Tunnel<Direct>>;

#[derive(Debug)]
pub(super) struct Named {
    direct: Client<Direct, Full<Bytes>>,
    proxy: Option<(Matcher, Client<Proxied, Full<Bytes>>)>,
    follow_redirects: bool,
    is_guarded: bool,
}

impl Named {
    /// # Errors
    /// When the proxy cannot be used.
    pub fn new(
        setting: &HttpClient,
        tls: ClientConfig,
        name: ServerName<'static>,
        guard: Option<&Resolver>,
    ) -> Result<Self, ConfigError> {
        let lookup = Lookup { resolver: guard.cloned().unwrap_or(Resolver::System), allow_private: guard.is_none() };
        let mut http = HttpConnector::new_with_resolver(lookup);
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let direct = secured(tls.clone(), &name, !setting.http1_only, http.clone());
        let proxy = match &setting.proxy {
            None => None,
            Some(HttpProxy::Environment) => {
                let message = "expected `proxy_url` instead, since `tls_config` has a `server_name`";
                return Err(ConfigError::new("proxy_from_environment", message));
            }
            Some(HttpProxy::Url { url, no_proxy, connect_headers }) => {
                let hosts = no_proxy.as_deref().unwrap_or_default();
                let matcher = Matcher::builder().all(url.expose().trim()).no(hosts).build();
                let anywhere = Matcher::builder().all(url.expose().trim()).build();
                let intercept =
                    anywhere.intercept(&Uri::from_static("https://watchbell.invalid")).ok_or_else(|| {
                        ConfigError::new("proxy_url", "this address cannot be used (its value is not shown)")
                    })?;
                // To a proxy over TLS only HTTP/1.1 is spoken, and the name holds for it as well, as in Go.
                let to_proxy = secured(tls.clone(), &name, false, http);
                let mut tunnel =
                    Tunnel::new(intercept.uri().clone(), to_proxy).with_headers(proxy_headers(connect_headers)?);
                if let Some(credentials) = intercept.basic_auth() {
                    tunnel = tunnel.with_auth(credentials.clone());
                }
                Some((matcher, pooled(secured(tls, &name, !setting.http1_only, tunnel))))
            }
        };
        let (follow_redirects, is_guarded) = (setting.follow_redirects, guard.is_some());
        Ok(Self { direct: pooled(direct), proxy, follow_redirects, is_guarded })
    }

    /// Sends one request and follows where its answer points to. The caller has the clock.
    pub async fn send(&self, mut call: Call) -> Result<reqwest::Response, SendError> {
        for _ in 0..=REDIRECTS_MAX {
            let response = self.exchange(&call).await?;
            let Some(next) = self.follow_redirects.then(|| redirected(&call, &response)).flatten() else {
                return Ok(response);
            };
            if self.is_guarded {
                guard::check_literal(&next.url).map_err(|error| refused(&error))?;
            }
            call = next;
        }
        let reason = format!("redirected more than {REDIRECTS_MAX} times");
        Err(SendError { kind: ErrorKind::Rejected, reason, is_ambiguous: true })
    }

    async fn exchange(&self, call: &Call) -> Result<reqwest::Response, SendError> {
        let invalid = |_| SendError::unsent(ErrorKind::Invalid, "the request cannot be made");
        let mut url = call.url.clone();
        url.set_fragment(None);
        let uri: Uri =
            url.as_str().parse().map_err(|_| SendError::unsent(ErrorKind::Invalid, "the URL is not valid"))?;
        let request = http::Request::builder().method(call.method.clone()).uri(uri.clone());
        let mut request = request.body(Full::new(call.body.clone())).map_err(invalid)?;
        request.headers_mut().extend(call.headers.clone());
        request.headers_mut().entry(http::header::USER_AGENT).or_insert(HeaderValue::from_static(USER_AGENT));
        let sent = match &self.proxy {
            Some((matcher, client)) if matcher.intercept(&uri).is_some() => client.request(request).await,
            _ => self.direct.request(request).await,
        };
        let response = sent.map_err(|error| send_error(&error))?;
        Ok(response.map(reqwest::Body::wrap).into())
    }
}

fn secured<C>(mut tls: ClientConfig, name: &ServerName<'static>, is_http2: bool, inner: C) -> HttpsConnector<C> {
    // The builder sets by itself what is offered.
    tls.alpn_protocols.clear();
    let builder = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .with_server_name_resolver(FixedServerNameResolver::new(name.clone()))
        .enable_http1();
    match is_http2 {
        true => builder.enable_http2().wrap_connector(inner),
        false => builder.wrap_connector(inner),
    }
}

fn pooled<C>(connector: C) -> Client<C, Full<Bytes>>
where
    C: hyper_util::client::legacy::connect::Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST_MAX)
        .build(connector)
}

/// The request that the answer asks for, as Go makes it; nothing when it asks for none.
fn redirected(call: &Call, response: &reqwest::Response) -> Option<Call> {
    let keeps_method = match response.status() {
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND | StatusCode::SEE_OTHER => false,
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => true,
        _ => return None,
    };
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let url = call.url.join(location).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let mut next = Call { url, ..call.clone() };
    if !keeps_method && !matches!(call.method, Method::GET | Method::HEAD) {
        next.method = Method::GET;
        next.body = Bytes::new();
        for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
            next.headers.remove(name);
        }
    }
    let origin =
        |url: &reqwest::Url| (url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default());
    if origin(&next.url) != origin(&call.url) {
        for name in [AUTHORIZATION, COOKIE, WWW_AUTHENTICATE] {
            next.headers.remove(name);
        }
    }
    Some(next)
}

/// Never says where to: the URL may hold a secret.
fn send_error(error: &Error) -> SendError {
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<GuardError>() {
            return refused(error);
        }
        reason = error.to_string();
        cause = error.source();
    }
    match error.is_connect() {
        true => SendError::unsent(ErrorKind::Unreachable, format!("cannot connect: {reason}")),
        false => SendError {
            kind: ErrorKind::Unreachable,
            reason: format!("the connection broke: {reason}"),
            is_ambiguous: true,
        },
    }
}

/// Turns names into addresses, which are connected to and no others.
#[derive(Clone, Debug)]
struct Lookup {
    resolver: Resolver,
    allow_private: bool,
}

type Addresses = std::vec::IntoIter<SocketAddr>;

impl tower::Service<Name> for Lookup {
    type Response = Addresses;
    type Error = GuardError;
    type Future = Pin<Box<dyn Future<Output = Result<Addresses, GuardError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), GuardError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let Self { resolver, allow_private } = self.clone();
        Box::pin(async move { Ok(resolver.resolve(name.as_str(), 0, allow_private).await?.into_iter()) })
    }
}
