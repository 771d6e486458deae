//! The `http_config` of a receiver: which headers every request carries, and how to connect.
//!
//! Decides nothing about connections; `runtime/deliver.rs` carries them out.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::super::{HttpClient, HttpProxy, OAuth2, TlsSetting, TlsVersion};
use crate::error::{ConfigError, Secret};

/// As Prometheus writes it.
#[derive(Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct HttpConfig {
    basic_auth: Option<BasicAuth>,
    authorization: Option<Authorization>,
    bearer_token: Option<Secret<String>>,
    oauth2: Option<OAuth2Keys>,
    tls_config: Option<TlsConfig>,
    follow_redirects: bool,
    enable_http2: bool,
    http_headers: BTreeMap<String, Header>,
    proxy_url: Option<Secret<String>>,
    no_proxy: Option<String>,
    proxy_from_environment: bool,
    proxy_connect_header: ConnectHeaders,
}

type ConnectHeaders = BTreeMap<String, Vec<Secret<String>>>;

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct OAuth2Keys {
    client_id: String,
    client_secret: Option<Secret<String>>,
    token_url: Option<Secret<String>>,
    scopes: Vec<String>,
    endpoint_params: BTreeMap<String, String>,
    tls_config: Option<TlsConfig>,
    proxy_url: Option<Secret<String>>,
    no_proxy: Option<String>,
    proxy_from_environment: bool,
    proxy_connect_header: ConnectHeaders,
}

impl Default for HttpConfig {
    fn default() -> Self {
        Self {
            basic_auth: None,
            authorization: None,
            bearer_token: None,
            oauth2: None,
            tls_config: None,
            follow_redirects: true,
            enable_http2: true,
            http_headers: BTreeMap::new(),
            proxy_url: None,
            no_proxy: None,
            proxy_from_environment: false,
            proxy_connect_header: ConnectHeaders::new(),
        }
    }
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BasicAuth {
    username: String,
    password: Option<Secret<String>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Authorization {
    #[serde(rename = "type")]
    kind: Option<String>,
    credentials: Option<Secret<String>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Header {
    values: Vec<String>,
    secrets: Vec<Secret<String>>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TlsConfig {
    ca: Option<String>,
    cert: Option<String>,
    key: Option<Secret<String>>,
    server_name: Option<String>,
    insecure_skip_verify: bool,
    min_version: Option<String>,
    max_version: Option<String>,
}

/// What is left of it once it is read.
pub(super) struct Connection {
    pub client: HttpClient,
    pub headers: Vec<(String, Secret<String>)>,
    pub secrets: Vec<Secret<String>>,
}

/// Headers that `http_headers` may not set, as there.
const RESERVED_HEADERS: [&str; 16] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "www-authenticate",
];

impl HttpConfig {
    pub fn is_authorized(&self) -> bool {
        self.authorization.is_some()
    }

    /// With the token that the receiver has in a key of its own.
    pub fn authorize(&mut self, token: Secret<String>) -> Result<(), ConfigError> {
        if self.authorization.is_some() {
            let message = "expected this or the receiver's own token, got both";
            return Err(ConfigError::new("http_config.authorization", message));
        }
        self.authorization = Some(Authorization { kind: None, credentials: Some(token) });
        Ok(())
    }

    pub fn read(self) -> Result<Connection, ConfigError> {
        let error = |key: &str, message: &str| Err(ConfigError::new(format!("http_config.{key}"), message));
        let ways = [
            self.basic_auth.is_some(),
            self.authorization.is_some(),
            self.bearer_token.is_some(),
            self.oauth2.is_some(),
        ];
        if ways.into_iter().filter(|is_given| *is_given).count() > 1 {
            return error(
                "authorization",
                "expected one of `basic_auth`, `authorization`, `bearer_token` and `oauth2`, got more",
            );
        }
        let (mut headers, mut secrets) = (Vec::new(), Vec::new());
        if let Some(value) = self.authorization_value(&mut secrets)? {
            headers.push(("authorization".to_owned(), header_value("http_config.authorization", value)?));
        }
        for (name, header) in &self.http_headers {
            let path = format!("http_config.http_headers.{name}");
            let name = read_header_name(&path, name)?;
            secrets.extend(header.secrets.iter().cloned());
            for value in header.values.iter().map(|value| Secret::new(value.clone())).chain(header.secrets.clone()) {
                headers.push((name.clone(), header_value(&path, value)?));
            }
        }
        secrets.extend(self.proxy_url.clone());
        let proxy = Proxy {
            url: self.proxy_url,
            no_proxy: self.no_proxy,
            from_environment: self.proxy_from_environment,
            connect_header: self.proxy_connect_header,
        };
        let oauth2 = self.oauth2.map(OAuth2Keys::read).transpose()?;
        secrets.extend(oauth2.iter().filter_map(|oauth2| oauth2.client_secret.clone()));
        let client = HttpClient {
            follow_redirects: self.follow_redirects,
            http1_only: !self.enable_http2,
            tls: self.tls_config.map(|tls| tls.read("http_config.tls_config")).transpose()?.unwrap_or_default(),
            proxy: proxy.read("http_config")?,
            oauth2: oauth2.map(Arc::new),
        };
        Ok(Connection { client, headers, secrets })
    }

    fn authorization_value(&self, secrets: &mut Vec<Secret<String>>) -> Result<Option<Secret<String>>, ConfigError> {
        if let Some(basic) = &self.basic_auth {
            let password = basic.password.as_ref().map_or("", |password| password.expose());
            let encoded = STANDARD.encode(format!("{}:{password}", basic.username));
            secrets.extend(basic.password.clone());
            secrets.push(Secret::new(encoded.clone()));
            return Ok(Some(Secret::new(format!("Basic {encoded}"))));
        }
        let given = self.authorization.clone().or_else(|| {
            let credentials = self.bearer_token.clone()?;
            Some(Authorization { kind: None, credentials: Some(credentials) })
        });
        let Some(authorization) = given else { return Ok(None) };
        let kind = authorization.kind.as_deref().map_or("Bearer", str::trim);
        if kind.eq_ignore_ascii_case("basic") {
            let message = "`basic` does not go here, expected `basic_auth` instead";
            return Err(ConfigError::new("http_config.authorization.type", message));
        }
        let Some(credentials) = authorization.credentials else { return Ok(None) };
        let value = format!("{kind} {}", credentials.expose().trim());
        secrets.push(credentials);
        Ok(Some(Secret::new(value)))
    }
}

impl OAuth2Keys {
    fn read(self) -> Result<OAuth2, ConfigError> {
        const PATH: &str = "http_config.oauth2";
        let error = |key: &str, message: &str| Err(ConfigError::new(format!("{PATH}.{key}"), message));
        if self.client_id.is_empty() {
            return error("client_id", "expected the name of a client, got nothing");
        }
        let token_url = self.token_url.as_ref().map_or("", |url| url.expose().trim());
        match reqwest::Url::parse(token_url) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => {}
            _ => return error("token_url", ADDRESS_EXPECTED),
        }
        let token_url = Secret::new(token_url.to_owned());
        if self.endpoint_params.contains_key("scope") && !self.scopes.is_empty() {
            return error("endpoint_params.scope", "expected this or `scopes`, got both");
        }
        let proxy = Proxy {
            url: self.proxy_url,
            no_proxy: self.no_proxy,
            from_environment: self.proxy_from_environment,
            connect_header: self.proxy_connect_header,
        };
        let client = HttpClient {
            tls: self.tls_config.map(|tls| tls.read(&format!("{PATH}.tls_config"))).transpose()?.unwrap_or_default(),
            proxy: proxy.read(PATH)?,
            ..HttpClient::default()
        };
        Ok(OAuth2 {
            client_id: self.client_id,
            client_secret: self.client_secret,
            scopes: self.scopes,
            token_url,
            endpoint_params: self.endpoint_params,
            client,
        })
    }
}

const ADDRESS_EXPECTED: &str = "expected an address that begins with `http://` or `https://` (its value is not shown)";

/// The keys about a proxy, which stand in two places.
struct Proxy {
    url: Option<Secret<String>>,
    no_proxy: Option<String>,
    from_environment: bool,
    connect_header: ConnectHeaders,
}

impl Proxy {
    fn read(self, path: &str) -> Result<Option<HttpProxy>, ConfigError> {
        let error = |key: &str, message: &str| Err(ConfigError::new(format!("{path}.{key}"), message));
        if self.from_environment {
            if self.url.is_some() || self.no_proxy.is_some() {
                return error("proxy_from_environment", "expected this or `proxy_url` and `no_proxy`, got both");
            }
            if !self.connect_header.is_empty() {
                return error("proxy_connect_header", "not supported together with `proxy_from_environment`");
            }
            return Ok(Some(HttpProxy::Environment));
        }
        let Some(url) = self.url else {
            let needs =
                [("no_proxy", self.no_proxy.is_some()), ("proxy_connect_header", !self.connect_header.is_empty())];
            return match needs.into_iter().find(|(_, is_given)| *is_given) {
                Some((key, _)) => error(key, "expected `proxy_url` beside it"),
                None => Ok(None),
            };
        };
        match reqwest::Url::parse(url.expose().trim()) {
            Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => {}
            _ => return error("proxy_url", ADDRESS_EXPECTED),
        }
        let mut connect_headers = Vec::new();
        for (name, values) in self.connect_header {
            let path = format!("{path}.proxy_connect_header.{name}");
            if http::HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(ConfigError::new(path, "expected a header name such as `X-Team`"));
            }
            for value in values {
                connect_headers.push((name.clone(), header_value(&path, value)?));
            }
        }
        Ok(Some(HttpProxy::Url { url, no_proxy: self.no_proxy, connect_headers }))
    }
}

impl TlsConfig {
    pub fn read(self, path: &str) -> Result<TlsSetting, ConfigError> {
        if self.cert.is_some() != self.key.is_some() {
            return Err(ConfigError::new(path, "expected `cert_file` and `key_file` together, got one of them"));
        }
        let version = |key: &str, text: Option<String>| match text.as_deref() {
            None => Ok(None),
            // At least an old version: the newer ones that are left.
            Some("TLS10" | "TLS11") if key == "min_version" => Ok(None),
            Some("TLS12") => Ok(Some(TlsVersion::Tls12)),
            Some("TLS13") => Ok(Some(TlsVersion::Tls13)),
            Some(other) => {
                let message = format!("expected `TLS12` or `TLS13`, got `{other}`; older ones are not safe");
                Err(ConfigError::new(format!("{path}.{key}"), message))
            }
        };
        Ok(TlsSetting {
            ca_pem: self.ca,
            certificate_pem: self.cert,
            key_pem: self.key,
            server_name: self.server_name.filter(|name| !name.is_empty()),
            insecure_skip_verify: self.insecure_skip_verify,
            min_version: version("min_version", self.min_version)?,
            max_version: version("max_version", self.max_version)?,
        })
    }
}

fn read_header_name(path: &str, name: &str) -> Result<String, ConfigError> {
    let parsed = http::HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| ConfigError::new(path, "expected a header name such as `X-Team`"))?;
    if RESERVED_HEADERS.contains(&parsed.as_str()) {
        return Err(ConfigError::new(path, "this header is set in another way"));
    }
    Ok(parsed.as_str().to_owned())
}

fn header_value(path: &str, value: Secret<String>) -> Result<Secret<String>, ConfigError> {
    match http::HeaderValue::from_str(value.expose()) {
        Ok(_) => Ok(value),
        Err(_) => Err(ConfigError::new(path, "expected visible ASCII characters (its value is not shown)")),
    }
}
