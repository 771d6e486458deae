//! Who is asking. Sources prove themselves by token, password or signature; people and tools by an
//! API token with a role. Decided from the headers and the URL alone, before a byte of the body is read; only a
//! signature is finished afterwards. Comparisons take the same time whatever the input. Never logs or
//! repeats a credential.

use axum::extract::Query;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use http::header::{AUTHORIZATION, HOST, HeaderName, HeaderValue, ORIGIN};
use http::{HeaderMap, Uri};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use subtle::{Choice, ConstantTimeEq};

use super::error::Problem;
use super::replay::Stamp;
use super::{ApiToken, Auth, SignatureEncoding};
use crate::engine::input::{Principal, Role};
use crate::error::Secret;
use crate::model::Timestamp;

/// How far a signed timestamp may be from our clock, either way.
const SIGNATURE_AGE_MAX_MS: i64 = 300_000;

/// Name of whoever uses the API on loopback while no token is configured.
const LOCAL_PRINCIPAL: &str = "local";

/// [`Auth`] with its header names read.
pub enum SourceAuth {
    None,
    Tokens(Vec<[u8; 32]>),
    HeaderTokens {
        header: HeaderName,
        tokens: Vec<[u8; 32]>,
    },
    ParameterTokens {
        parameter: String,
        tokens: Vec<[u8; 32]>,
    },
    Basic {
        user: String,
        password_sha256: [u8; 32],
    },
    Hmac(Box<Signing>),
    /// A header name that is none: `config/validate.rs` refuses it earlier, so here nobody gets in.
    Impossible,
}

pub struct Signing {
    secrets: Vec<Secret<Vec<u8>>>,
    header: HeaderName,
    prefix: String,
    encoding: SignatureEncoding,
    timestamp_header: Option<HeaderName>,
}

/// A signature that came with the headers and still has to fit the body.
pub struct Unverified<'a> {
    signing: &'a Signing,
    signature: Vec<u8>,
    timestamp: Option<SignedAt<'a>>,
}

/// The time of signing, as it was signed and as it is understood.
#[derive(Clone, Copy)]
struct SignedAt<'a> {
    text: &'a str,
    valid_until: Timestamp,
}

impl SourceAuth {
    pub fn new(auth: Auth) -> Self {
        match auth {
            Auth::None => Self::None,
            Auth::Tokens(hashes) => Self::Tokens(hashes),
            Auth::HeaderTokens { header, tokens } => match HeaderName::try_from(header) {
                Ok(header) => Self::HeaderTokens { header, tokens },
                Err(_) => Self::Impossible,
            },
            Auth::ParameterTokens { parameter, tokens } => Self::ParameterTokens { parameter, tokens },
            Auth::Basic { user, password_sha256 } => Self::Basic { user, password_sha256 },
            Auth::Hmac { secrets, header, prefix, encoding, timestamp_header } => {
                let header = HeaderName::try_from(header);
                let timestamp_header = timestamp_header.map(HeaderName::try_from).transpose();
                match (header, timestamp_header) {
                    (Ok(header), Ok(timestamp_header)) => {
                        Self::Hmac(Box::new(Signing { secrets, header, prefix, encoding, timestamp_header }))
                    }
                    _ => Self::Impossible,
                }
            }
        }
    }

    /// Decides by the headers and the URL; with a signature, returns what is left to check once the body is there.
    pub fn check<'a>(
        &'a self,
        headers: &'a HeaderMap,
        uri: &Uri,
        now: Timestamp,
    ) -> Result<Option<Unverified<'a>>, Problem> {
        match self {
            Self::None => refuse_browsers(headers).map(|()| None),
            Self::Tokens(hashes) => {
                let token = bearer(headers).ok_or_else(|| missing_bearer("this source"))?;
                let is_known = any_equal(hashes.iter(), &sha256(token));
                is_known.then_some(None).ok_or_else(wrong_token)
            }
            Self::HeaderTokens { header, tokens } => check_header(headers, header, tokens).map(|()| None),
            Self::ParameterTokens { parameter, tokens } => check_parameter(uri, parameter, tokens).map(|()| None),
            Self::Basic { user, password_sha256 } => check_basic(headers, user, password_sha256).map(|()| None),
            Self::Hmac(signing) => signing.read(headers, now).map(Some),
            Self::Impossible => Err(Problem::unauthenticated(
                HeaderValue::from_static("Bearer"),
                "the authentication of this source is not configured in a usable way",
            )),
        }
    }
}

fn sha256(text: &[u8]) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Looks at every hash, so that the time says nothing about which one fits.
fn any_equal<'a>(hashes: impl Iterator<Item = &'a [u8; 32]>, wanted: &[u8; 32]) -> bool {
    hashes.fold(Choice::from(0), |found, hash| found | hash.ct_eq(wanted)).into()
}

/// What follows a scheme in `Authorization`; scheme names do not mind case (RFC 9110).
pub(super) fn credentials<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a [u8]> {
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (name, rest) = value.split_at_checked(scheme.len())?;
    let rest = rest.strip_prefix(b" ")?.trim_ascii();
    (name.eq_ignore_ascii_case(scheme.as_bytes()) && !rest.is_empty()).then_some(rest)
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    credentials(headers, "Bearer")
}

fn missing_bearer(what: &str) -> Problem {
    Problem::unauthenticated(
        HeaderValue::from_static("Bearer realm=\"watchbell\""),
        format!("{what} wants a token in the header `Authorization: Bearer <token>`"),
    )
}

fn wrong_token() -> Problem {
    Problem::unauthenticated(
        HeaderValue::from_static("Bearer realm=\"watchbell\", error=\"invalid_token\""),
        "the token is not one of those configured here",
    )
}

/// There is no registered scheme for such tokens; the challenge names the header at least.
fn check_header(headers: &HeaderMap, header: &HeaderName, tokens: &[[u8; 32]]) -> Result<(), Problem> {
    let refuse = |detail: &str| {
        let challenge = HeaderValue::try_from(format!("Token header=\"{header}\""));
        Problem::unauthenticated(challenge.unwrap_or(HeaderValue::from_static("Token")), detail)
    };
    let token = headers.get(header).map(|value| value.as_bytes().trim_ascii()).filter(|token| !token.is_empty());
    let token = token.ok_or_else(|| refuse(&format!("this source wants a token in the header `{header}`")))?;
    let is_known = any_equal(tokens.iter(), &sha256(token));
    if is_known { Ok(()) } else { Err(refuse("the token is not one of those configured here")) }
}

/// What else stands in the query is the sender's own affair; like the token it is never logged or repeated.
fn check_parameter(uri: &Uri, parameter: &str, tokens: &[[u8; 32]]) -> Result<(), Problem> {
    let refuse = |detail: &str| {
        let challenge = HeaderValue::try_from(format!("Token parameter=\"{parameter}\""));
        Problem::unauthenticated(challenge.unwrap_or(HeaderValue::from_static("Token")), detail)
    };
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default();
    let mut given = pairs.iter().filter(|(name, value)| name == parameter && !value.is_empty());
    let (Some((_, token)), None) = (given.next(), given.next()) else {
        return Err(refuse(&format!("this source wants a token in the URL, once: `?{parameter}=<token>`")));
    };
    let is_known = any_equal(tokens.iter(), &sha256(token.as_bytes()));
    if is_known { Ok(()) } else { Err(refuse("the token is not one of those configured here")) }
}

fn check_basic(headers: &HeaderMap, user: &str, password_sha256: &[u8; 32]) -> Result<(), Problem> {
    let refuse = |detail: &str| {
        Problem::unauthenticated(HeaderValue::from_static("Basic realm=\"watchbell\", charset=\"UTF-8\""), detail)
    };
    let given = credentials(headers, "Basic")
        .ok_or_else(|| refuse("this source wants a user and a password (HTTP basic authentication)"))?;
    let decoded = BASE64_STANDARD.decode(given).map_err(|_| refuse("the basic credentials are not Base64"))?;
    let colon = decoded.iter().position(|byte| *byte == b':');
    let (given_user, rest) = decoded.split_at(colon.unwrap_or(decoded.len()));
    let given_password = rest.strip_prefix(b":").unwrap_or_default();
    // Hashed, so that neither comparison depends on a length.
    let is_user = sha256(given_user).ct_eq(&sha256(user.as_bytes()));
    let is_password = sha256(given_password).ct_eq(password_sha256);
    if bool::from(is_user & is_password) { Ok(()) } else { Err(refuse("the user or the password is wrong")) }
}

impl Signing {
    fn read<'a>(&'a self, headers: &'a HeaderMap, now: Timestamp) -> Result<Unverified<'a>, Problem> {
        let value = headers.get(&self.header).ok_or_else(|| {
            self.refuse(format!("this source signs its requests: the header `{}` is missing", self.header))
        })?;
        let signature = value
            .as_bytes()
            .strip_prefix(self.prefix.as_bytes())
            .and_then(|text| match self.encoding {
                SignatureEncoding::Hex => base16ct::mixed::decode_vec(text).ok(),
                SignatureEncoding::Base64 => BASE64_STANDARD.decode(text).ok(),
            })
            .ok_or_else(|| self.refuse(format!("the header `{}` holds no {}", self.header, self.form())))?;
        let timestamp =
            self.timestamp_header.as_ref().map(|name| self.read_timestamp(name, headers, now)).transpose()?;
        Ok(Unverified { signing: self, signature, timestamp })
    }

    fn read_timestamp<'a>(
        &self,
        name: &HeaderName,
        headers: &'a HeaderMap,
        now: Timestamp,
    ) -> Result<SignedAt<'a>, Problem> {
        let text = headers.get(name).and_then(|value| value.to_str().ok());
        let seconds = text.and_then(|text| text.parse::<i64>().ok());
        let (Some(text), Some(seconds)) = (text, seconds) else {
            return Err(self.refuse(format!("the header `{name}` must hold the time of signing in Unix seconds")));
        };
        let age_ms = i128::from(now.as_millis()) - i128::from(seconds) * 1_000;
        if age_ms.abs() > i128::from(SIGNATURE_AGE_MAX_MS) {
            return Err(self.out_of_time(name));
        }
        Ok(SignedAt { text, valid_until: Timestamp::from_millis(seconds * 1_000 + SIGNATURE_AGE_MAX_MS) })
    }

    fn out_of_time(&self, name: &HeaderName) -> Problem {
        self.refuse(format!(
            "the time in `{name}` is more than {} s away from ours: an old request, or a clock that is wrong",
            SIGNATURE_AGE_MAX_MS / 1_000
        ))
    }

    fn form(&self) -> String {
        let encoding = match self.encoding {
            SignatureEncoding::Hex => "hex",
            SignatureEncoding::Base64 => "Base64",
        };
        let prefix = if self.prefix.is_empty() { String::new() } else { format!(" after `{}`", self.prefix) };
        format!("HMAC-SHA256 signature in {encoding}{prefix}")
    }

    /// There is no registered scheme for such signatures; the challenge names the header at least.
    fn refuse(&self, detail: impl Into<String>) -> Problem {
        let challenge = HeaderValue::try_from(format!("HMAC-SHA256 header=\"{}\"", self.header))
            .unwrap_or(HeaderValue::from_static("HMAC-SHA256"));
        Problem::unauthenticated(challenge, detail)
    }
}

impl Unverified<'_> {
    /// Over the raw bytes, as they came. What comes back tells the request from every other one, where
    /// its time was signed too; without a time the same body later is another request.
    pub fn verify(self, body: &[u8], now: Timestamp) -> Result<Option<Stamp>, Problem> {
        let Self { signing, signature, timestamp } = self;
        // Every secret is tried, so that the time says nothing about which one fits.
        let fits =
            signing.secrets.iter().fold(false, |fits, secret| fits | is_signed(secret, &signature, timestamp, body));
        if !fits {
            return Err(signing.refuse("the signature does not fit the body; is it the same secret on both sides?"));
        }
        let (Some(signed_at), Some(name)) = (timestamp, &signing.timestamp_header) else { return Ok(None) };
        // A body can take its time to arrive, and the memory of this signature ends with its validity.
        if now > signed_at.valid_until {
            return Err(signing.out_of_time(name));
        }
        // One that fits has this length.
        let signature = signature.try_into().unwrap_or_default();
        Ok(Some(Stamp { signature, valid_until: signed_at.valid_until }))
    }
}

fn is_signed(secret: &Secret<Vec<u8>>, signature: &[u8], timestamp: Option<SignedAt<'_>>, body: &[u8]) -> bool {
    // A key of any length will do, so this refuses nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose()) else { return false };
    if let Some(timestamp) = timestamp {
        mac.update(timestamp.text.as_bytes());
        mac.update(b":");
    }
    mac.update(body);
    mac.verify_slice(signature).is_ok()
}

/// Who uses the API. Without any token it is open to the machine itself, which is then defended
/// against the browsers that run on it.
pub fn principal(
    tokens: &[ApiToken],
    listen: SocketAddr,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Principal, Problem> {
    if tokens.is_empty() && listen.ip().is_loopback() {
        refuse_browsers(headers)?;
        refuse_foreign_host(uri, headers)?;
        return Ok(Principal { name: LOCAL_PRINCIPAL.to_owned(), role: Role::Admin });
    }
    let token = bearer(headers).ok_or_else(|| missing_bearer("the API"))?;
    let hash = sha256(token);
    let mut found = None;
    for known in tokens {
        if bool::from(known.token_sha256.ct_eq(&hash)) {
            found = Some(known);
        }
    }
    let known = found.ok_or_else(wrong_token)?;
    Ok(Principal { name: known.name.clone(), role: known.role })
}

/// A page of any web site can make a browser on this machine post here; browsers say so.
fn refuse_browsers(headers: &HeaderMap) -> Result<(), Problem> {
    let is_foreign_fetch =
        headers.get("sec-fetch-site").is_some_and(|site| !matches!(site.as_bytes(), b"none" | b"same-origin"));
    if headers.contains_key(ORIGIN) || is_foreign_fetch {
        return Err(Problem::forbidden(
            "the request comes from a web page, and no token protects this address; configure one to allow it",
        ));
    }
    Ok(())
}

/// A foreign name that resolves to loopback is how a web page reads from here (DNS rebinding).
fn refuse_foreign_host(uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let host = uri.authority().map(|authority| authority.as_str().as_bytes());
    let host = host.or_else(|| headers.get(HOST).map(HeaderValue::as_bytes)).unwrap_or_default();
    let host = std::str::from_utf8(host).unwrap_or_default();
    if is_loopback_host(host) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "without a token the API answers only under a loopback name (`localhost`, `127.0.0.1`, `[::1]`), and the \
         header `Host` holds another one",
    ))
}

fn is_loopback_host(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => (address, port),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let is_port = port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    let is_local = name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    is_port && is_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_loopback_names() {
        for host in ["localhost", "LOCALHOST:9494", "127.0.0.1", "127.8.8.8:80", "[::1]", "[::1]:9494"] {
            assert!(is_loopback_host(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example:9494",
            "10.0.0.1",
            "localhost:x",
            "[::2]",
        ] {
            assert!(!is_loopback_host(host), "{host}");
        }
    }

    #[test]
    fn without_tokens_nobody_gets_in_from_outside() {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
        let ask = |listen: &str| principal(&[], listen.parse().unwrap(), &Uri::from_static("/"), &headers);
        assert_eq!(ask("127.0.0.1:9494").unwrap().role, Role::Admin);
        assert_eq!(ask("[::1]:9494").unwrap().role, Role::Admin);
        for listen in ["0.0.0.0:9494", "10.0.0.1:9494", "[::]:9494"] {
            assert_eq!(ask(listen).unwrap_err().status(), http::StatusCode::UNAUTHORIZED, "{listen}");
        }
    }

    #[test]
    fn a_token_may_stand_in_the_url() {
        let tokens = vec![sha256(b"old"), sha256(b"n/w")];
        let auth = SourceAuth::new(Auth::ParameterTokens { parameter: "auth_token".into(), tokens });
        let now = Timestamp::from_millis(0);
        let ask = |uri: &str| auth.check(&HeaderMap::new(), &uri.parse().unwrap(), now).map(|rest| rest.is_none());
        for uri in ["/in/x?auth_token=old", "/in/x?auth_token=n%2Fw&more=1", "/in/x?a=b&auth_token=old&auth_token="] {
            assert!(ask(uri).unwrap(), "{uri}");
        }
        for uri in [
            "/in/x",
            "/in/x?auth_token=",
            "/in/x?token=old",
            "/in/x?auth_token=odd",
            "/in/x?auth_token=old&auth_token=old",
        ] {
            let problem = ask(uri).unwrap_err();
            assert_eq!(problem.status(), http::StatusCode::UNAUTHORIZED, "{uri}");
            assert!(!problem.detail().contains("odd"), "{}", problem.detail());
        }
    }

    #[test]
    fn scheme_names_do_not_mind_case() {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_static("bEARER  x y "));
        assert_eq!(bearer(&headers), Some(&b"x y"[..]));
        for value in ["Bearer", "Bearer ", "Bearerx", "Basic eA=="] {
            headers.insert(AUTHORIZATION, HeaderValue::from_static(value));
            assert_eq!(bearer(&headers), None, "{value}");
        }
    }
}
