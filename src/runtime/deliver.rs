//! All outbound calls: HTTP, SMTP, and lines to the terminal. Nothing else opens a connection.
//!
//! It follows no redirect and uses no proxy unless the request asks for it, never reads more than it was told to, never
//! goes to a private address unless whoever asks is allowed to, and says of every failure whether the request may have
//! taken effect.

mod client;
mod named;
mod oauth2;
mod tls;

use std::io::Write;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Identity, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::guard::{self, GuardError, Resolver};
use crate::crash_point::{CrashPoint, reach};
use crate::error::{ConfigError, ErrorKind};
use crate::sinks::{
    Connection, HttpRequest, MailRequest, MailSecurity, MailServer, RESPONSE_BYTES_MAX, Request, Response, TlsVersion,
};
use client::{OwnClient, OwnClients, below};

pub use client::Prepared;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A request that did not get an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SendError {
    pub kind: ErrorKind,
    /// For people; holds no secret.
    pub reason: String,
    /// The other side may have acted on it all the same.
    pub is_ambiguous: bool,
}

impl SendError {
    fn unsent(kind: ErrorKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), is_ambiguous: false }
    }

    fn late(timeout: Duration) -> Self {
        let reason = format!("no answer within {} s", timeout.as_secs());
        Self { kind: ErrorKind::Timeout, reason, is_ambiguous: true }
    }
}

/// Whether a sink can connect as it asks to. Opens no connection.
///
/// # Errors
/// Names the key that cannot be carried out.
pub fn check(connection: Connection<'_>, allow_private: bool) -> Result<(), ConfigError> {
    match connection {
        Connection::Usual => Ok(()),
        Connection::Http(setting) => {
            let made = OwnClient::new(setting, (!allow_private).then_some(&Resolver::System));
            made.map(drop).map_err(|error| below("http_config", error))
        }
        Connection::Mail { server, ca_key } => check_mail(server, ca_key),
    }
}

/// Carries requests out. There is one way to the network, [`Outbound`]; the simulation has another one
/// that ends in memory.
pub trait Transport: Send + Sync {
    /// Sends one request and reads its answer, within `timeout` in all.
    fn send(&self, request: Request, allow_private: bool, timeout: Duration) -> Answer<'_>;
}

pub type Answer<'a> = Pin<Box<dyn Future<Output = Result<Response, SendError>> + Send + 'a>>;

impl Transport for Outbound {
    fn send(&self, request: Request, allow_private: bool, timeout: Duration) -> Answer<'_> {
        Box::pin(self.send(request, allow_private, timeout))
    }
}

/// The clients; one is made at start and shared.
#[derive(Clone, Debug)]
pub struct Outbound {
    guarded: reqwest::Client,
    unguarded: reqwest::Client,
    own: OwnClients,
    resolver: Resolver,
}

impl Outbound {
    /// # Errors
    /// When the TLS roots of the system cannot be read.
    pub fn new() -> Result<Self, reqwest::Error> {
        Self::resolving_by(Resolver::System)
    }

    fn resolving_by(resolver: Resolver) -> Result<Self, reqwest::Error> {
        install_tls();
        let guarded = client::builder(Some(&resolver)).build()?;
        let unguarded = client::builder(None).build()?;
        Ok(Self { guarded, unguarded, own: OwnClients::default(), resolver })
    }

    /// Makes ready what a sink needs to connect. Nothing is in use before [`Self::put`].
    ///
    /// # Errors
    /// Names the key that cannot be carried out.
    pub fn prepare(
        &self,
        prepared: &mut Prepared,
        connection: Connection<'_>,
        allow_private: bool,
    ) -> Result<(), ConfigError> {
        let Connection::Http(setting) = connection else { return check(connection, allow_private) };
        let guard = (!allow_private).then_some(&self.resolver);
        self.own.prepare(prepared, setting, guard).map_err(|error| below("http_config", error))
    }

    /// Takes these into use, and lets go of what came before.
    pub fn put(&self, prepared: Prepared) {
        self.own.put(prepared);
    }

    /// Sends one request and reads its answer, within `timeout` in all.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn send(&self, request: Request, allow_private: bool, timeout: Duration) -> Result<Response, SendError> {
        match request {
            Request::Http(request) => self.fetch(request, allow_private, timeout, RESPONSE_BYTES_MAX).await,
            Request::Mail(request) => match tokio::time::timeout(timeout, self.mail(request, allow_private)).await {
                Ok(result) => result,
                Err(_) => Err(SendError::late(timeout)),
            },
            Request::Line(line) => write_line(&line),
            Request::Skip(_) => Ok(Response::Written),
        }
    }

    /// Sends one HTTP request and reads its answer, up to so many bytes of it; the rest is dropped.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn fetch(
        &self,
        request: HttpRequest,
        allow_private: bool,
        timeout: Duration,
        body_bytes_max: usize,
    ) -> Result<Response, SendError> {
        let invalid = |reason: String| SendError::unsent(ErrorKind::Invalid, reason);
        let url: reqwest::Url =
            request.url.expose().parse().map_err(|error| invalid(format!("the URL is not valid: {error}")))?;
        if !allow_private {
            guard::check_literal(&url).map_err(|error| refused(&error))?;
        }
        let timeout = match request.timeout {
            Some(less) if !less.is_zero() => timeout.min(less.to_std()),
            _ => timeout,
        };
        let setting = request.client.clone();
        let call = Call::new(request, url)?;
        let Some(setting) = setting else {
            let client = if allow_private { &self.unguarded } else { &self.guarded };
            let request = client.request(call.method, call.url).headers(call.headers).body(call.body);
            let response = request.timeout(timeout).send().await.map_err(|error| http_error(error, timeout))?;
            reach(CrashPoint::Answering);
            return read_response(response, timeout, body_bytes_max).await;
        };
        let client = self.own.get(&setting, (!allow_private).then_some(&self.resolver))?;
        let is_under_way = AtomicBool::new(false);
        let answered = async {
            let response = client.send(call, timeout, || is_under_way.store(true, Ordering::Relaxed)).await?;
            reach(CrashPoint::Answering);
            read_response(response, timeout, body_bytes_max).await
        };
        match tokio::time::timeout(timeout, answered).await {
            Ok(answered) => answered,
            Err(_) => Err(SendError { is_ambiguous: is_under_way.load(Ordering::Relaxed), ..SendError::late(timeout) }),
        }
    }

    /// The name is resolved here, once: the connection goes to an address.
    async fn mail(&self, request: MailRequest, allow_private: bool) -> Result<Response, SendError> {
        let server = &request.server;
        let resolved = self.resolver.resolve(&server.host, server.port, allow_private).await;
        let mut last = None;
        for address in resolved.map_err(|error| refused(&error))? {
            let transport = transport(server, address.ip())?;
            match submit(&transport, &request, &request.to).await {
                Ok(response) => return finish_mail(&transport, &request, response).await,
                Err(error) if error.kind == ErrorKind::Unreachable && !error.is_ambiguous => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| SendError::unsent(ErrorKind::Unreachable, "the server has no address")))
    }
}

/// An HTTP request that can be sent more than once.
#[derive(Clone, Debug)]
struct Call {
    method: http::Method,
    url: reqwest::Url,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Call {
    fn new(request: HttpRequest, url: reqwest::Url) -> Result<Self, SendError> {
        let invalid = |what: &str| SendError::unsent(ErrorKind::Invalid, format!("the request cannot be made: {what}"));
        let method =
            http::Method::from_bytes(request.method.as_bytes()).map_err(|error| invalid(&error.to_string()))?;
        let mut headers = http::HeaderMap::new();
        for (name, value) in &request.headers {
            let header = http::HeaderName::try_from(name.as_ref());
            let header = header.map_err(|_| invalid(&format!("`{name}` is no name of a header")))?;
            let value = http::HeaderValue::try_from(value.expose().as_str());
            headers.append(header, value.map_err(|_| invalid(&format!("the header `{name}` cannot hold its value")))?);
        }
        Ok(Self { method, url, headers, body: request.body.into() })
    }

    fn authorized(mut self, token: &oauth2::Token) -> Self {
        self.headers.insert(http::header::AUTHORIZATION, token.value.clone());
        self
    }
}

/// Chooses the cryptography that every TLS connection of this process uses.
pub fn install_tls() {
    // An error only says that it is chosen already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

async fn read_response(
    mut response: reqwest::Response,
    timeout: Duration,
    body_bytes_max: usize,
) -> Result<Response, SendError> {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| http_error(error, timeout))? {
        let room = body_bytes_max - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(Response::Http { status, headers, body })
}

/// The URL may hold a secret, so it is never part of the text.
fn http_error(error: reqwest::Error, timeout: Duration) -> SendError {
    let error = error.without_url();
    let mut reason = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        // What the resolver of the guarded client said.
        if let Some(error) = error.downcast_ref::<GuardError>() {
            return refused(error);
        }
        reason = error.to_string(); // The innermost cause says what happened.
        cause = error.source();
    }
    if error.is_timeout() && !error.is_connect() {
        return SendError::late(timeout);
    }
    if error.is_connect() {
        return SendError::unsent(ErrorKind::Unreachable, format!("cannot connect: {reason}"));
    }
    if error.is_builder() {
        return SendError::unsent(ErrorKind::Invalid, format!("the request cannot be made: {reason}"));
    }
    SendError { kind: ErrorKind::Unreachable, reason: format!("the connection broke: {reason}"), is_ambiguous: true }
}

fn refused(error: &GuardError) -> SendError {
    let kind = if matches!(error, GuardError::Private { .. }) { ErrorKind::Invalid } else { ErrorKind::Unreachable };
    SendError::unsent(kind, error.to_string())
}

fn write_line(line: &str) -> Result<Response, SendError> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{line}").and_then(|()| out.flush());
    match written {
        Ok(()) => Ok(Response::Written),
        // A closed terminal is no reason to keep the line for ever.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(Response::Written),
        Err(error) => Err(SendError::unsent(ErrorKind::Internal, format!("cannot write to the terminal: {error}"))),
    }
}

/// A server that refuses one recipient refuses the message for all in one go: then each is tried alone, so
/// that one wrong address does not silence the others.
async fn finish_mail(
    transport: &AsyncSmtpTransport<Tokio1Executor>,
    request: &MailRequest,
    response: Response,
) -> Result<Response, SendError> {
    let Response::Mail { code, text, .. } = &response else { return Ok(response) };
    if !(500..600).contains(code) || request.to.len() < 2 || *code == 535 {
        return Ok(response);
    }
    let (mut refused, mut accepted) = (Vec::new(), None);
    for recipient in &request.to {
        match submit(transport, request, std::slice::from_ref(recipient)).await? {
            Response::Mail { code, text, .. } if code >= 500 => {
                refused.push((recipient.clone(), format!("{code} {text}")))
            }
            answer => accepted = Some(answer),
        }
    }
    match accepted {
        Some(Response::Mail { code, text, .. }) => Ok(Response::Mail { code, text, refused }),
        _ => Ok(Response::Mail { code: *code, text: text.clone(), refused }),
    }
}

fn check_mail(server: &MailServer, ca_key: &'static str) -> Result<(), ConfigError> {
    let setting = &server.tls;
    let named = |error: ConfigError| match error.path.as_str() {
        "ca" => ConfigError { path: ca_key.to_owned(), ..error },
        _ => below("tls_config", error),
    };
    tls::configuration(setting, true).map_err(named)?;
    tls::server_name(setting).map_err(named)?;
    if setting.max_version == Some(TlsVersion::Tls12) {
        return Err(ConfigError::new(
            "tls_config.max_version",
            "a mail server is not kept from TLS 1.3, expected `TLS13`",
        ));
    }
    Ok(())
}

fn transport(server: &MailServer, address: std::net::IpAddr) -> Result<AsyncSmtpTransport<Tokio1Executor>, SendError> {
    let invalid = |reason: String| SendError::unsent(ErrorKind::Invalid, reason);
    let tls = || {
        let setting = &server.tls;
        // The certificate must be for the name the operator wrote, whatever address that has today.
        let name = setting.server_name.as_ref().unwrap_or(&server.host);
        let mut parameters =
            TlsParameters::builder(name.clone()).dangerous_accept_invalid_certs(setting.insecure_skip_verify);
        if let Some(pem) = &setting.ca_pem {
            let certificate = Certificate::from_pem(pem.as_bytes())
                .map_err(|error| invalid(format!("the authority is not a PEM certificate: {error}")))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        if let (Some(certificate), Some(key)) = (&setting.certificate_pem, &setting.key_pem) {
            let identity = Identity::from_pem(certificate.as_bytes(), key.expose().as_bytes())
                .map_err(|_| invalid("the client certificate or its key is not PEM".into()))?;
            parameters = parameters.identify_with(identity);
        }
        if setting.min_version == Some(TlsVersion::Tls13) {
            parameters = parameters.set_min_tls_version(lettre::transport::smtp::client::TlsVersion::Tlsv13);
        }
        parameters.build().map_err(|error| invalid(format!("TLS cannot be set up: {error}")))
    };
    let tls = match server.security {
        MailSecurity::Starttls => Tls::Required(tls()?),
        MailSecurity::Tls => Tls::Wrapper(tls()?),
        MailSecurity::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.to_string())
        .port(server.port)
        .tls(tls)
        .timeout(Some(CONNECT_TIMEOUT));
    if let Some(hello) = &server.hello {
        builder = builder.hello_name(ClientId::Domain(hello.clone()));
    }
    if let (Some(user), Some(password)) = (&server.user, &server.password) {
        builder = builder.credentials(Credentials::new(user.clone(), password.expose().clone()));
    }
    Ok(builder.build())
}

async fn submit(
    transport: &AsyncSmtpTransport<Tokio1Executor>,
    request: &MailRequest,
    to: &[String],
) -> Result<Response, SendError> {
    let invalid = |error: lettre::address::AddressError| SendError::unsent(ErrorKind::Invalid, error.to_string());
    let to: Vec<Address> = to.iter().map(|address| address.parse()).collect::<Result<_, _>>().map_err(invalid)?;
    let from: Address = request.from.parse().map_err(invalid)?;
    let envelope =
        Envelope::new(Some(from), to).map_err(|error| SendError::unsent(ErrorKind::Invalid, error.to_string()))?;
    match transport.send_raw(&envelope, &request.message).await {
        Ok(response) => {
            let text = response.message().collect::<Vec<_>>().join(" ");
            Ok(Response::Mail { code: u16::from(response.code()), text, refused: Vec::new() })
        }
        Err(error) => match error.status() {
            Some(code) => {
                let text = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Ok(Response::Mail { code: u16::from(code), text, refused: Vec::new() })
            }
            None => Err(smtp_error(&error)),
        },
    }
}

fn smtp_error(error: &lettre::transport::smtp::Error) -> SendError {
    let mut reason = error.to_string();
    let mut refused = false;
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        reason = error.to_string();
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
            refused |= matches!(io.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable);
        }
        cause = error.source();
    }
    let kind = if error.is_timeout() { ErrorKind::Timeout } else { ErrorKind::Unreachable };
    // TLS trouble comes before the message; a connection that breaks may have carried it.
    SendError { kind, reason, is_ambiguous: !(refused || error.is_tls() || error.is_client()) }
}

#[cfg(test)]
mod tests;
