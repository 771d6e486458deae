//! A `--web.config.file`, as Prometheus' exporter-toolkit reads it (0.17, read 2026-11-29): the listener's certificate,
//! who is let in, and headers for every answer. What has no counterpart here is an error with its line.

use std::collections::BTreeMap;
use std::path::Path;

use http::{HeaderName, HeaderValue};

use super::super::layers;
use super::super::problem::{Place, Problem, Problems};
use super::super::read::join;
use super::super::yaml::{self, Node, Value};
use super::check::Entry;
use super::keys::Kind::{Boolean, Map, Secret, Text, TextMap, Texts, Unsupported};
use super::keys::{self, Keys};
use crate::http::web::{Bcrypt, ClientPolicy, Web};
use crate::tls::{IdentityFiles, Versions};

const FILE: Keys = &[
    ("tls_server_config", Map(TLS)),
    ("http_server_config", Map(&[("http2", Boolean), ("headers", TextMap)])),
    ("basic_auth_users", TextMap),
    ("rate_limit", Unsupported),
];

const TLS: Keys = &[
    ("cert", Unsupported),
    ("cert_file", Text),
    ("key", Secret),
    ("key_file", Text),
    ("client_ca", Text),
    ("client_ca_file", Text),
    ("client_auth_type", Text),
    ("client_allowed_sans", Texts),
    ("cipher_suites", Unsupported),
    ("curve_preferences", Unsupported),
    ("min_version", Text),
    ("max_version", Text),
    ("prefer_server_cipher_suites", Boolean),
];

/// Headers that may be set, with the values that some of them may have.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// What such a file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WebFile {
    /// Nothing: plain HTTP.
    pub tls: Option<IdentityFiles>,
    pub web: Web,
}

/// Reads a web configuration.
///
/// # Errors
/// Everything that is wrong with it, in the order of its lines.
pub fn load_web(path: &Path) -> Result<WebFile, Vec<Problem>> {
    let mut problems = Problems::default();
    let file = read(path, &mut problems);
    match file {
        Some(file) if !problems.has_errors() => Ok(file),
        _ => Err(problems.into_vec()),
    }
}

fn read(path: &Path, problems: &mut Problems) -> Option<WebFile> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.error(&Place::file(&path.into(), 0), "", format!("cannot read the file: {error}"));
            return None;
        }
    };
    let (node, faults) = yaml::parse_plain(&text, path);
    for problem in faults {
        problems.push(problem);
    }
    let root = keys::read(&node.unwrap_or_default(), "", FILE, problems);
    let absent = Node::default();
    let tls = root.get("tls_server_config").unwrap_or(&absent);
    let mut web = Web { headers: headers(&root, problems), users: users(&root, problems), ..Web::default() };
    let tls = read_tls(tls, &mut web, problems);
    Some(WebFile { tls, web })
}

fn users(root: &Node, problems: &mut Problems) -> BTreeMap<String, Bcrypt> {
    let mut users = BTreeMap::new();
    for (name, node) in root.get("basic_auth_users").map_or(&[][..], Node::entries) {
        let text = node.text().unwrap_or_default();
        problems.hide(text);
        let path = join("basic_auth_users", name);
        match Bcrypt::read(text) {
            Ok(bcrypt) => drop(users.insert(name.clone(), bcrypt)),
            Err(error) => {
                problems.error(&node.place, &path, format!("`{path}`: {error}")).hint =
                    Some("`htpasswd -nB NAME` makes one".to_owned());
            }
        }
    }
    users
}

fn headers(root: &Node, problems: &mut Problems) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    let given = root.get("http_server_config").and_then(|node| node.get("headers"));
    for (name, node) in given.map_or(&[][..], Node::entries) {
        let path = format!("http_server_config.headers.{name}");
        let value = node.text().unwrap_or_default();
        let Some((_, values)) = HEADERS.iter().find(|(known, _)| known == name) else {
            let known = HEADERS.map(|(known, _)| format!("`{known}`")).join(", ");
            problems.error(&node.place, &path, format!("`{path}`: expected one of {known}"));
            continue;
        };
        if !values.is_empty() && !values.contains(&value) {
            let known: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            let message = format!("`{path}`: expected {}, got `{value}`", known.join(" or "));
            problems.error(&node.place, &path, message);
            continue;
        }
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(_), Ok(_)) if value.is_empty() => {}
            (Ok(name), Ok(value)) => headers.push((name, value)),
            _ => {
                problems.error(&node.place, &path, format!("`{path}`: expected visible ASCII characters"));
            }
        }
    }
    headers
}

const SECTION: &str = "tls_server_config";

fn read_tls(node: &Node, web: &mut Web, problems: &mut Problems) -> Option<IdentityFiles> {
    let mut entry = Entry::new(node, SECTION, problems);
    if entry.has("key") {
        entry.report("key", format!("`{SECTION}.key`: expected `key_file`, which can be replaced without a restart"));
    }
    let is_wanted = ["cert_file", "key_file", "client_ca", "client_ca_file", "client_auth_type"];
    if !is_wanted.iter().any(|key| entry.has(key)) {
        return None;
    }
    entry.require("cert_file");
    entry.require("key_file");
    if node.get("prefer_server_cipher_suites").is_some_and(|node| node.value == Value::Boolean(false)) {
        let message = format!("`{SECTION}.prefer_server_cipher_suites`: expected `true`: the choice is the server's");
        entry.report("prefer_server_cipher_suites", message);
    }
    read_versions(&mut entry, web);
    read_clients(&mut entry, web);
    if !entry.has("cert_file") || !entry.has("key_file") {
        return None;
    }
    let file = |key: &str| layers::resolve(node.get(key).and_then(Node::text).unwrap_or_default(), node.place_of(key));
    let files = IdentityFiles { certificate: file("cert_file"), key: file("key_file") };
    if let Err(error) = files.load() {
        let key = if error.is_about(&files.key) { "key_file" } else { "cert_file" };
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        let path = join(SECTION, key);
        problems.error(node.place_of(key), &path, format!("`{path}`: {error}{cause}")).hint =
            error.hint().map(str::to_owned);
    }
    Some(files)
}

/// At least an old version means what is left of the newer ones.
fn read_versions(entry: &mut Entry<'_>, web: &mut Web) {
    entry.one_of("min_version", &["TLS10", "TLS11", "TLS12", "TLS13"]);
    entry.one_of("max_version", &["TLS12", "TLS13"]);
    web.versions = match (entry.text("min_version") == "TLS13", entry.text("max_version") == "TLS12") {
        (false, false) => Versions::Both,
        (false, true) => Versions::Only12,
        (true, false) => Versions::Only13,
        (true, true) => {
            let message = format!("`{SECTION}.max_version`: expected it not to be below `min_version`");
            return entry.report("max_version", message);
        }
    };
}

fn read_clients(entry: &mut Entry<'_>, web: &mut Web) {
    web.clients = match entry.text("client_auth_type") {
        "" | "NoClientCert" => ClientPolicy::NoClientCert,
        "RequestClientCert" => ClientPolicy::RequestClientCert,
        "RequireAnyClientCert" | "RequireClientCert" => ClientPolicy::RequireAnyClientCert,
        "VerifyClientCertIfGiven" => ClientPolicy::VerifyClientCertIfGiven,
        "RequireAndVerifyClientCert" => ClientPolicy::RequireAndVerifyClientCert,
        other => {
            let message = format!(
                "`{SECTION}.client_auth_type`: expected one of `NoClientCert`, `RequestClientCert`, \
                 `RequireAnyClientCert`, `VerifyClientCertIfGiven`, `RequireAndVerifyClientCert`, got `{other}`"
            );
            return entry.report("client_auth_type", message);
        }
    };
    entry.exclusive("client_ca", "client_ca_file");
    let key = if entry.has("client_ca") { "client_ca" } else { "client_ca_file" };
    let verifies =
        matches!(web.clients, ClientPolicy::VerifyClientCertIfGiven | ClientPolicy::RequireAndVerifyClientCert);
    let names = entry.node.get("client_allowed_sans").map_or(&[][..], Node::items);
    web.client_names = names.iter().filter_map(Node::text).map(str::to_owned).collect();
    match entry.has(key) {
        true if web.clients == ClientPolicy::NoClientCert => {
            let message = format!("`{SECTION}.{key}`: expected a `client_auth_type` with it, which says who needs one");
            return entry.report(key, message);
        }
        true => web.client_authorities = authorities(entry, key),
        false if verifies => {
            let message = format!("`{SECTION}`: expected `client_ca_file`, whose authorities vouch for clients");
            return entry.report("client_auth_type", message);
        }
        false => {}
    }
    if !names.is_empty() && !verifies {
        let message = format!(
            "`{SECTION}.client_allowed_sans`: names count only where an authority vouches for them, expected \
             `client_auth_type: RequireAndVerifyClientCert`"
        );
        return entry.report("client_allowed_sans", message);
    }
    if let Err(error) = web.client_rule()
        && web.client_authorities.is_some()
    {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        entry.report(key, format!("`{SECTION}.{key}`: {error}{cause}"));
    }
}

fn authorities(entry: &mut Entry<'_>, key: &str) -> Option<String> {
    let text = entry.text(key);
    if key == "client_ca" {
        return Some(text.to_owned());
    }
    let file = layers::resolve(text, entry.node.place_of(key));
    match std::fs::read_to_string(&file) {
        Ok(pem) => Some(pem),
        Err(error) => {
            entry.report(key, format!("`{SECTION}.{key}`: cannot read `{}`: {error}", file.display()));
            None
        }
    }
}
