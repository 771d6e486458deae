//! The `sources` section: who may send what, and how they prove it. The keys of each monitoring system
//! belong to its own file under `sources/`; here they are only handed over.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

use super::problem::{Place, Problems, did_you_mean};
use super::read::{Reading, entries, is_map, join, read_with};
use super::schema::{Auth, BODY_BYTES_LIMIT, BODY_BYTES_MAX, Encoding, HmacSettings, SourceSettings};
use super::tls;
use super::validate::{Context, check_name, check_not_reserved};
use super::yaml::{Node, Value};
use crate::engine::heartbeat::SOURCE as HEARTBEATS;
use crate::error::{Secret, Table, read_table};

/// Keys of every source.
pub(super) const KEYS: [&str; 12] = [
    "kind",
    "token",
    "tokens",
    "token_sha256",
    "token_header",
    "token_parameter",
    "user",
    "password",
    "hmac",
    "client_certificate",
    "body_bytes_max",
    "events_per_second",
];

/// Those of them that say which bearer tokens count.
pub(super) const BEARER_KEYS: [&str; 3] = ["token", "tokens", "token_sha256"];

#[derive(Deserialize)]
struct Keys {
    token: Option<Secret<String>>,
    tokens: Option<SecretList>,
    token_sha256: Option<SecretList>,
    token_header: Option<String>,
    token_parameter: Option<String>,
    user: Option<String>,
    password: Option<Secret<String>>,
    body_bytes_max: Option<usize>,
    events_per_second: Option<u32>,
}

/// A list, or text with one in each line as a file holds it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a list of texts, or text with one in each line")]
enum SecretList {
    Lines(Secret<String>),
    List(Vec<Secret<String>>),
}

impl SecretList {
    fn read(&self) -> Vec<Secret<String>> {
        match self {
            Self::List(list) => list.clone(),
            Self::Lines(text) => {
                let lines = text.expose().lines().map(str::trim).filter(|line| !line.is_empty());
                lines.map(|line| Secret::new(line.to_owned())).collect()
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HmacKeys {
    secret: Option<Secret<String>>,
    secrets: Option<SecretList>,
    header: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    encoding: Encoding,
    timestamp_header: Option<String>,
}

pub(super) fn read_all(root: &Node, is_loopback: bool, context: &mut Context<'_>) -> BTreeMap<String, SourceSettings> {
    if root.get("sources").is_none() {
        return built_in(root, is_loopback, context);
    }
    let has_tls = root.get("tls").is_some();
    let mut sources = BTreeMap::new();
    if let Some(node) = root.get("sources").filter(|node| node.value == Value::Map(Vec::new())) {
        context.problems.warning(&node.place, "sources", "`sources` is empty: nothing can come in");
    }
    for (name, node) in entries(root, "sources", &mut context.problems) {
        let path = join("sources", name);
        check_name(name, "got the name", &path, &node.place, &mut context.problems);
        check_not_reserved(name, &path, &node.place, &mut context.problems);
        check_no_heartbeats(name, &path, &node.place, &mut context.problems);
        if let Some(source) = read_one(node, &path, is_loopback, has_tls, context) {
            sources.insert(name.clone(), source);
        }
    }
    sources
}

/// Alerts about heartbeats have a source of their own.
fn check_no_heartbeats(name: &str, path: &str, place: &Place, problems: &mut Problems) {
    if name == HEARTBEATS {
        let message = format!("`{path}`: alerts about heartbeats have the source `{name}`, expected another name");
        problems.error(place, path, message);
    }
}

/// The bearer tokens of an entry, or none.
pub(super) fn bearer(node: &Node, path: &str, problems: &mut Problems) -> Option<Auth> {
    let (tokens, _) = node.split(&BEARER_KEYS);
    let reading = Reading { is_secret: true, other_keys: &KEYS };
    let keys: Keys = read_with(&tokens, path, reading, problems, read_table)?;
    auth(&tokens, path, &keys, problems)
}

/// One source for each kind, named after it; they have no authentication, so only for loopback.
fn built_in(root: &Node, is_loopback: bool, context: &mut Context<'_>) -> BTreeMap<String, SourceSettings> {
    let problems = &mut context.problems;
    if !is_loopback {
        let message = "`sources` is missing: nothing can come in";
        problems.warning(&root.place, "sources", message).hint =
            Some("the built-in sources have no authentication and so exist only on loopback".to_owned());
        return BTreeMap::new();
    }
    let message = "`sources` is missing: every kind of source listens on loopback without authentication";
    let hint = if context.has_files {
        "add `sources: { <name>: { kind: …, token_file: … } }`"
    } else {
        "write a configuration file with `sources` before others may send"
    };
    problems.warning(&root.place, "sources", message).hint = Some(hint.to_owned());
    let source = |kind: &&str| {
        let settings = SourceSettings {
            kind: (*kind).to_owned(),
            auth: Auth::None,
            client_certificate: None,
            table: Table::new(),
            body_bytes_max: BODY_BYTES_MAX,
            events_per_second: None,
        };
        ((*kind).to_owned(), settings)
    };
    context.kinds.sources.iter().map(source).collect()
}

fn read_one(
    node: &Node,
    path: &str,
    is_loopback: bool,
    has_tls: bool,
    context: &mut Context<'_>,
) -> Option<SourceSettings> {
    let problems = &mut context.problems;
    if !is_map(node, path, problems) {
        return None;
    }
    let kind = kind(node, path, "source", &context.kinds.sources, problems);
    let (common, own) = node.split(&KEYS);
    let reading = Reading { is_secret: true, other_keys: &KEYS };
    let keys: Option<Keys> = read_with(&common, path, reading, problems, read_table);
    if let Some(kind) = &kind {
        read_with(&own, path, reading, problems, |table| (context.kinds.check_source)(kind, table));
    }
    let keys = keys?;
    let auth = auth(node, path, &keys, problems);
    let wanted = node.get("client_certificate");
    let client_certificate =
        wanted.and_then(|wanted| tls::client_certificate(wanted, &join(path, "client_certificate"), has_tls, problems));
    // A faulty one has been reported as that.
    if auth == Some(Auth::None) && wanted.is_none() {
        let message = format!("`{path}` has no authentication");
        let hint = "add `token_file`, `user` with `password_file`, `hmac`, or `client_certificate`".to_owned();
        if is_loopback {
            problems.warning(&node.place, path, format!("{message}: any program on this machine can send")).hint =
                Some(hint);
        } else {
            problems
                .error(&node.place, path, format!("{message}, but `listen` is reachable from other machines"))
                .hint = Some(hint);
        }
    }
    let body_bytes_max = keys.body_bytes_max.unwrap_or(BODY_BYTES_MAX);
    if !(1..=BODY_BYTES_LIMIT).contains(&body_bytes_max) {
        let path = join(path, "body_bytes_max");
        let message = format!("`{path}`: expected 1 to {BODY_BYTES_LIMIT} bytes, got {body_bytes_max}");
        problems.error(node.place_of("body_bytes_max"), path, message);
    }
    if keys.events_per_second == Some(0) {
        let path = join(path, "events_per_second");
        problems.error(node.place_of("events_per_second"), &path, format!("`{path}`: expected 1 or more, got 0"));
    }
    Some(SourceSettings {
        kind: kind?,
        auth: auth?,
        client_certificate,
        table: own.to_table(),
        body_bytes_max,
        events_per_second: keys.events_per_second,
    })
}

/// The `kind` of a source or sink, when it is one of `known`.
pub(super) fn kind(node: &Node, path: &str, what: &str, known: &[&str], problems: &mut Problems) -> Option<String> {
    let full = join(path, "kind");
    let list = format!("`watchbell integrations` lists all {what}s");
    let Some(kind) = node.get("kind").and_then(Node::text) else {
        problems.error(node.place_of("kind"), full, format!("missing key `kind` in `{path}`")).hint = Some(list);
        return None;
    };
    if known.contains(&kind) {
        return Some(kind.to_owned());
    }
    let guess = did_you_mean(kind, known.iter().copied()).map(|guess| format!("{guess} {list}"));
    problems.error(node.place_of("kind"), &full, format!("unknown {what} `{kind}` in `{full}`")).hint =
        Some(guess.unwrap_or(list));
    None
}

fn auth(node: &Node, path: &str, keys: &Keys, problems: &mut Problems) -> Option<Auth> {
    let has_tokens = keys.token.is_some() || keys.tokens.is_some() || keys.token_sha256.is_some();
    let has_basic = keys.user.is_some() || keys.password.is_some();
    let hmac = node.get("hmac");
    if [has_tokens, has_basic, hmac.is_some()].iter().filter(|is_there| **is_there).count() > 1 {
        let message = format!("`{path}`: expected one of tokens, `user` with `password`, and `hmac`, got several");
        problems.error(&node.place, path, message);
        return None;
    }
    for (key, name) in [("token_header", &keys.token_header), ("token_parameter", &keys.token_parameter)] {
        let Some(name) = name.as_ref().filter(|_| !has_tokens) else { continue };
        let message = format!("`{path}.{key}`: got `{name}`, but no token is configured to be in it");
        problems.error(node.place_of(key), join(path, key), message).hint = Some("add `token_file`".to_owned());
        return None;
    }
    if keys.token_header.is_some() && keys.token_parameter.is_some() {
        let message = format!("`{path}`: expected one of `token_header` and `token_parameter`, got both");
        problems.error(node.place_of("token_parameter"), join(path, "token_parameter"), message);
        return None;
    }
    if let Some(hmac) = hmac {
        return self::hmac(hmac, &join(path, "hmac"), problems).map(Auth::Hmac);
    }
    if has_basic {
        let (Some(user), Some(password)) = (&keys.user, &keys.password) else {
            let missing = if keys.user.is_none() { "user" } else { "password" };
            problems.error(&node.place, join(path, missing), format!("missing key `{missing}` in `{path}`"));
            return None;
        };
        return check_secret(password, node.place_of("password"), &join(path, "password"), problems)
            .then(|| Auth::Basic { user: user.clone(), password_sha256: sha256(password) });
    }
    if !has_tokens {
        // Tokens of the wrong form have been reported as that.
        let is_attempt = ["token", "tokens", "token_sha256"].iter().any(|key| node.get(key).is_some());
        return (!is_attempt).then_some(Auth::None);
    }
    let listed = |list: &Option<SecretList>, key: &str, problems: &mut Problems| {
        let all = list.as_ref().map(SecretList::read);
        if all.as_ref().is_some_and(Vec::is_empty) {
            let path = join(path, key);
            problems.error(node.place_of(key), &path, format!("`{path}`: expected at least one token"));
        }
        all.unwrap_or_default()
    };
    let (tokens, hashes) =
        (listed(&keys.tokens, "tokens", problems), listed(&keys.token_sha256, "token_sha256", problems));
    let single = keys.token.iter().map(|token| (token, "token"));
    let mut all: Vec<Option<[u8; 32]>> = single
        .chain(tokens.iter().map(|token| (token, "tokens")))
        .map(|(token, key)| hash_token(token, node.place_of(key), &join(path, key), problems))
        .collect();
    let path_of_source = path;
    let (place, path) = (node.place_of("token_sha256"), join(path, "token_sha256"));
    all.extend(hashes.iter().map(|text| read_sha256(text.expose(), place, &path, problems)));
    let all: Vec<[u8; 32]> = all.into_iter().collect::<Option<_>>()?;
    let header = match &keys.token_header {
        Some(name) => Some(header_name(node, path_of_source, "token_header", name, problems)?),
        None => None,
    };
    let parameter = match &keys.token_parameter {
        Some(name) => Some(parameter_name(node, path_of_source, name, problems)?),
        None => None,
    };
    (!all.is_empty()).then_some(match (header, parameter) {
        (Some(header), _) => Auth::HeaderAnyOf { header, tokens: all },
        (None, Some(parameter)) => Auth::ParameterAnyOf { parameter, tokens: all },
        (None, None) => Auth::AnyOf(all),
    })
}

/// As it stands in a URL, which is why it has to be plain.
fn parameter_name(node: &Node, path: &str, name: &str, problems: &mut Problems) -> Option<String> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let is_name = !name.is_empty() && name.bytes().all(is_plain);
    if !is_name {
        let path = join(path, "token_parameter");
        let message = format!("`{path}`: expected letters, digits, `_`, `-` and `.`, got `{name}`");
        problems.error(node.place_of("token_parameter"), &path, message);
    }
    is_name.then(|| name.to_owned())
}

fn hmac(node: &Node, path: &str, problems: &mut Problems) -> Option<HmacSettings> {
    let reading = Reading { is_secret: true, ..Reading::default() };
    let keys: HmacKeys = read_with(node, path, reading, problems, read_table)?;
    let secrets = match (&keys.secret, &keys.secrets) {
        (Some(secret), None) => vec![secret.clone()],
        (None, Some(list)) => list.read(),
        _ => {
            let message = format!("`{path}`: expected one of `secret_file`, `secret` and `secrets`");
            problems.error(&node.place, join(path, "secret"), message);
            return None;
        }
    };
    let key = if keys.secret.is_some() { "secret" } else { "secrets" };
    let is_good = !secrets.is_empty()
        && secrets.iter().all(|secret| check_secret(secret, node.place_of(key), &join(path, key), problems));
    if secrets.is_empty() {
        let path = join(path, key);
        problems.error(node.place_of(key), &path, format!("`{path}`: expected at least one secret"));
    }
    let mut header = |key: &str, name: &str| header_name(node, path, key, name, problems);
    let signature = header("header", &keys.header);
    let timestamp = keys.timestamp_header.as_ref().map(|name| header("timestamp_header", name));
    Some(HmacSettings {
        secrets: is_good.then_some(secrets)?,
        header: signature?,
        prefix: keys.prefix,
        encoding: keys.encoding,
        timestamp_header: match timestamp {
            Some(name) => Some(name?),
            None => None,
        },
    })
}

/// In lower case.
fn header_name(node: &Node, path: &str, key: &str, name: &str, problems: &mut Problems) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    let is_name = http::HeaderName::from_bytes(lower.as_bytes()).is_ok();
    if !is_name {
        let path = join(path, key);
        problems.error(node.place_of(key), &path, format!("`{path}`: expected the name of a header, got `{name}`"));
    }
    is_name.then_some(lower)
}

fn check_secret(secret: &Secret<String>, place: &Place, path: &str, problems: &mut Problems) -> bool {
    let is_there = !secret.expose().is_empty();
    if !is_there {
        problems.error(place, path, format!("`{path}` is empty"));
    }
    is_there
}

/// A token as it is kept: its SHA-256.
pub(super) fn hash_token(
    token: &Secret<String>,
    place: &Place,
    path: &str,
    problems: &mut Problems,
) -> Option<[u8; 32]> {
    check_secret(token, place, path, problems).then(|| sha256(token))
}

fn sha256(secret: &Secret<String>) -> [u8; 32] {
    Sha256::digest(secret.expose().as_bytes()).into()
}

/// A token's SHA-256 as it is written.
pub(super) fn read_sha256(text: &str, place: &Place, path: &str, problems: &mut Problems) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let is_read = base16ct::mixed::decode(text, &mut hash).is_ok_and(|bytes| bytes.len() == 32);
    if !is_read {
        problems.error(place, path, format!("`{path}`: expected 64 hexadecimal digits")).hint =
            Some("printf %s \"$TOKEN\" | sha256sum".to_owned());
    }
    is_read.then_some(hash)
}

/// 64 hexadecimal digits.
pub(super) fn parse_sha256(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(hash)
}
