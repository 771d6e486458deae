//! Calls to a running daemon: its API for the commands of people, its sources for `send`. Decides how it
//! is reached, how long to wait and how a refusal reads; never follows a redirect, which could carry the
//! token elsewhere, and never prints a token or the credentials in an address.
//!
//! ```text
//! watchbell --server https://bell.example ack 7h3k   →   POST https://bell.example/api/v1/incidents/7h3k/acknowledge
//! ```

mod tls;

pub use tls::{Proof, Trust};

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Method, RequestBuilder, Url};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::failure::Failure;
use crate::error::Secret;
use crate::runtime::deliver::install_tls;
use crate::store::PAGE_LIMIT_MAX;

/// Where the daemon listens unless told otherwise.
pub const SERVER: &str = "http://127.0.0.1:9494";
/// Holds a token of the API.
pub const TOKEN_VARIABLE: &str = "WATCHBELL_TOKEN";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Of an answer from the API.
const ANSWER_BYTES_MAX: usize = 64 << 20;
const TOKEN_BYTES_MAX: u64 = 8 * 1_024;

/// How to reach the daemon, the same for every command that asks it something.
#[derive(Clone, Debug, clap::Args)]
pub struct Connection {
    /// Address of the daemon
    #[arg(long, value_name = "URL", env = "WATCHBELL_SERVER", default_value = SERVER)]
    pub server: String,
    /// File with a token of the API [else the variable WATCHBELL_TOKEN]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    #[command(flatten)]
    pub trust: Trust,
}

pub struct Client {
    runtime: Runtime,
    http: reqwest::Client,
    server: Url,
    token: Option<Secret<String>>,
}

impl Client {
    /// # Errors
    /// When the address or the token cannot be used.
    pub fn new(connection: &Connection) -> anyhow::Result<Self> {
        let server = http_url(&connection.server, "--server")?;
        let token = match &connection.token_file {
            Some(file) => Some(read_token(file)?),
            None => token_from(TOKEN_VARIABLE)?,
        };
        Ok(Self {
            runtime: runtime()?,
            http: http_client(&server, &connection.trust, &Proof::default())?,
            server,
            token,
        })
    }

    /// Reads one thing.
    ///
    /// # Errors
    /// When the daemon cannot be reached or refuses.
    pub fn get(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, query, None)
    }

    /// As [`Client::get`]; nothing when there is no such thing.
    ///
    /// # Errors
    /// When the daemon cannot be reached or refuses for another reason.
    pub fn find(&self, path: &[&str], query: &[(&str, &str)]) -> anyhow::Result<Option<Value>> {
        match self.get(path, query) {
            Err(error) if error.downcast_ref::<Refusal>().is_some_and(|refusal| refusal.status == 404) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Asks for something to be done.
    ///
    /// # Errors
    /// When the daemon cannot be reached or refuses.
    pub fn post(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, &[], Some(body.to_string()))
    }

    /// Puts something in the place of what is there.
    ///
    /// # Errors
    /// When the daemon cannot be reached or refuses.
    pub fn put(&self, path: &[&str], body: &impl Serialize) -> anyhow::Result<Value> {
        self.ask(Method::PUT, path, &[], Some(serde_json::to_string(body)?))
    }

    /// # Errors
    /// When the daemon cannot be reached or refuses.
    pub fn delete(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.ask(Method::DELETE, path, &[], None)
    }

    /// The first `items_max` of a list, and whether there are more.
    ///
    /// # Errors
    /// When the daemon cannot be reached or refuses.
    pub fn list(&self, path: &[&str], query: &[(&str, &str)], items_max: usize) -> anyhow::Result<(Vec<Value>, bool)> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let limit = (items_max - items.len()).min(PAGE_LIMIT_MAX as usize).to_string();
            let mut query = query.to_vec();
            query.push(("limit", &limit));
            query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let page: PageOf = read(self.get(path, &query)?)?;
            items.extend(page.items);
            cursor = page.next_cursor;
            if cursor.is_none() || items.len() >= items_max {
                return Ok((items, cursor.is_some()));
            }
        }
    }

    fn ask(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<String>,
    ) -> anyhow::Result<Value> {
        let mut url = self.server.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(["api", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self.http.request(method, url).timeout(REQUEST_TIMEOUT);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let answer = self.runtime.block_on(exchange(with_token(request, self.token.as_ref()), ANSWER_BYTES_MAX));
        let (status, body) = answer.map_err(|broken| self.unreachable(broken))?;
        if !(200..300).contains(&status) {
            return Err(self.refused(status, &body));
        }
        serde_json::from_slice(&body).map_err(|error| {
            let message = format!("`{}` answered something that is no JSON", shown(&self.server));
            Failure::new(message).cause(error).hint("is that address a Watchbell daemon?").into()
        })
    }

    fn unreachable(&self, broken: Broken) -> anyhow::Error {
        Failure::new(format!("cannot reach the daemon at `{}`", shown(&self.server)))
            .cause(broken)
            .hint("`watchbell run` starts one; `--server` or the variable WATCHBELL_SERVER names another address")
            .into()
    }

    fn refused(&self, status: u16, body: &[u8]) -> anyhow::Error {
        let problem: ProblemDetails = serde_json::from_slice(body).unwrap_or_default();
        let said = problem.detail.unwrap_or_else(|| format!("the daemon answered {status}"));
        let refusal = Refusal { status, said: super::output::line(&said) };
        let failure = match status {
            401 => Failure::new("the daemon does not let you in").hint(format!(
                "give a token of the configuration's `api.tokens` with `--token-file` or the variable {TOKEN_VARIABLE}"
            )),
            403 => Failure::new("the daemon does not let you do that"),
            // The daemon names them, and says what to do.
            409 if !problem.candidates.is_empty() => Failure::new("the id fits more than one incident"),
            _ => return refusal.into(),
        };
        failure.cause(refusal).into()
    }
}

/// What the daemon said no to.
#[derive(Debug, thiserror::Error)]
#[error("{said}")]
pub struct Refusal {
    pub status: u16,
    said: String,
}

#[derive(Default, Deserialize)]
struct ProblemDetails {
    #[serde(default)]
    detail: Option<String>,
    #[serde(default)]
    candidates: Vec<String>,
}

#[derive(Deserialize)]
struct PageOf {
    items: Vec<Value>,
    next_cursor: Option<String>,
}

/// Reads what the daemon answered as the type that it says it is.
///
/// # Errors
/// When daemon and command line are too far apart to understand each other.
pub fn read<T: DeserializeOwned>(value: Value) -> anyhow::Result<T> {
    serde_json::from_value(value).map_err(|error| {
        Failure::new("the daemon answered something that this version does not understand")
            .cause(error)
            .hint("is the daemon of the same version as this command? `watchbell --version` shows it; `--json` still works")
            .into()
    })
}

/// An exchange that came to no answer; holds no address, because that may hold credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

impl From<reqwest::Error> for Broken {
    fn from(error: reqwest::Error) -> Self {
        let (is_timeout, is_connect) = (error.is_timeout(), error.is_connect());
        let mut cause: &dyn std::error::Error = &error.without_url();
        // The innermost cause says what happened.
        while let Some(next) = cause.source() {
            cause = next;
        }
        if let Some(words) = tls::words(&cause.to_string()) {
            return Self(words);
        }
        let reason = cause.to_string().to_lowercase();
        Self(match (is_timeout, is_connect) {
            (true, _) => "no answer in time".to_owned(),
            (_, true) => format!("cannot connect: {}", reason.split(" (os error").next().unwrap_or(&reason)),
            _ => format!("the connection broke: {reason}"),
        })
    }
}

/// Sends the request and reads status and body, the latter up to `bytes_max`.
///
/// # Errors
/// When no whole answer came.
pub async fn exchange(request: RequestBuilder, bytes_max: usize) -> Result<(u16, Vec<u8>), Broken> {
    let mut response = request.send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > bytes_max {
            body.extend_from_slice(&chunk[..bytes_max - body.len()]);
            break;
        }
        body.extend_from_slice(&chunk);
    }
    Ok((response.status().as_u16(), body))
}

pub fn with_token(request: RequestBuilder, token: Option<&Secret<String>>) -> RequestBuilder {
    match token {
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    }
}

/// # Errors
/// When it is no `http` or `https` address. `what` names where it came from.
pub fn http_url(text: &str, what: &str) -> Result<Url, Failure> {
    let expected = |got: &str| {
        Failure::misuse(format!("`{what}`: expected an address such as `{SERVER}`, got {got}"))
            .hint("an address begins with `http://` or `https://`")
    };
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        Ok(url) => Err(expected(&format!("one that begins with `{}:`", url.scheme()))),
        // The text could hold a password, so it is not repeated.
        Err(error) => Err(expected("something else").cause(error)),
    }
}

/// The address without user, password and query.
pub fn shown(url: &Url) -> String {
    let path = url.path().trim_end_matches('/');
    format!("{}{path}", url.origin().ascii_serialization())
}

/// # Errors
/// When certificates cannot be read: the system's, or those that were given.
pub fn http_client(server: &Url, trust: &Trust, proof: &Proof) -> Result<reqwest::Client, Failure> {
    install_tls();
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("watchbell/", env!("CARGO_PKG_VERSION")));
    if server.scheme() == "http" {
        // Reading the system's certificates takes longer than the whole call, and a machine without any
        // can still talk to its own daemon.
        builder = builder.tls_certs_only([]);
    } else {
        builder = tls::showing(tls::trusting(builder, trust)?, proof)?;
    }
    builder.build().map_err(|error| Failure::new("cannot set up TLS").cause(error))
}

/// # Errors
/// When the system gives no event loop.
pub fn runtime() -> Result<Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::new("cannot start the event loop").cause(error))
}

/// # Errors
/// When the file cannot be read or holds no token.
pub fn read_token(file: &Path) -> Result<Secret<String>, Failure> {
    use std::io::Read;
    let mut text = String::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(TOKEN_BYTES_MAX).read_to_string(&mut text));
    match read {
        Ok(_) => checked_token(&text, &format!("`{}`", file.display())),
        Err(error) => Err(Failure::misuse(format!("cannot read the token file `{}`", file.display())).cause(error)),
    }
}

/// The token in a variable; none when that is not set or empty.
///
/// # Errors
/// When it holds something that is no token.
pub fn token_from(variable: &str) -> Result<Option<Secret<String>>, Failure> {
    match std::env::var(variable) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => checked_token(&text, &format!("the variable {variable}")).map(Some),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Failure::misuse(format!("the variable {variable} holds no token: it is no text")))
        }
    }
}

fn checked_token(text: &str, place: &str) -> Result<Secret<String>, Failure> {
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        let expected = "expected one line of printable ASCII without blanks";
        return Err(Failure::misuse(format!("{place} holds no token: {expected}")));
    }
    Ok(Secret::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_is_secret_in_it() {
        let url = http_url("https://user:secret@bell.example:8443/base/?key=secret", "--server").unwrap();
        assert_eq!(shown(&url), "https://bell.example:8443/base");
        for text in ["127.0.0.1:9494", "localhost:9494", "ftp://x", "http://", "http://us er:secret@x:y"] {
            let error = http_url(text, "--server").unwrap_err().to_string();
            assert!(error.starts_with("`--server`: expected an address") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_token_is_one_word_and_never_shown() {
        assert_eq!(checked_token(" tok-1\n", "here").unwrap().expose(), "tok-1");
        for text in ["", " \n", "two words", "to\u{7}ken", "tökén"] {
            let error = checked_token(text, "here").unwrap_err().to_string();
            assert_eq!(error, "here holds no token: expected one line of printable ASCII without blanks");
        }
    }
}
