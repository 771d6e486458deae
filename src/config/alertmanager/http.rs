//! `http_config` and `tls_config`, wherever they stand. Decides what fits together; what a sink then does of it is
//! its own matter.

use super::super::problem::Problems;
use super::super::read::join;
use super::super::yaml::{Node, Value};
use super::check::Entry;

pub(super) fn check(node: &Node, path: &str, problems: &mut Problems) {
    let mut entry = Entry::new(node, path, problems);
    entry.exclusive("bearer_token", "bearer_token_file");
    let ways = ["basic_auth", "authorization", "oauth2"].into_iter().filter(|key| entry.node.get(key).is_some());
    let mut ways: Vec<&str> = ways.collect();
    ways.extend(["bearer_token", "bearer_token_file"].into_iter().find(|key| entry.has(key)));
    if let [first, .., last] = ways.as_slice() {
        let message = format!("`{path}` has both `{first}` and `{last}`, expected one way to authenticate");
        entry.report(last, message);
    }
    if let Some(node) = node.get("basic_auth") {
        let path = join(path, "basic_auth");
        let mut basic = Entry::new(node, &path, entry.problems);
        basic.exclusive("username", "username_file");
        basic.exclusive("password", "password_file");
    }
    if let Some(node) = node.get("authorization") {
        let path = join(path, "authorization");
        let mut authorization = Entry::new(node, &path, entry.problems);
        authorization.exclusive("credentials", "credentials_file");
        if authorization.text("type").trim().eq_ignore_ascii_case("basic") {
            authorization
                .report("type", format!("`{path}.type`: expected another type; for this one there is `basic_auth`"));
        }
    }
    if let Some(node) = node.get("oauth2") {
        oauth2(node, &join(path, "oauth2"), entry.problems);
    }
    check_proxy(&mut entry);
    if let Some(node) = node.get("tls_config") {
        check_tls(node, &join(path, "tls_config"), problems);
    }
    check_headers(node, path, problems);
}

/// `bearer_token` is the older way to say `authorization`.
pub(super) fn fold_bearer(node: &mut Node) {
    let place = node.place.clone();
    let Value::Map(entries) = &mut node.value else { return };
    for (key, meant) in [("bearer_token", "credentials"), ("bearer_token_file", "credentials_file")] {
        if let Some(at) = entries.iter().position(|(name, _)| name == key) {
            let (_, token) = entries.remove(at);
            let value = Value::Map(vec![(meant.to_owned(), token)]);
            entries.push(("authorization".to_owned(), Node { place: place.clone(), value }));
        }
    }
}

fn oauth2(node: &Node, path: &str, problems: &mut Problems) {
    let mut entry = Entry::new(node, path, problems);
    entry.require("client_id");
    entry.require("token_url");
    entry.exclusive("client_secret", "client_secret_file");
    check_proxy(&mut entry);
    if let Some(node) = node.get("tls_config") {
        check_tls(node, &join(path, "tls_config"), problems);
    }
}

fn check_proxy(entry: &mut Entry<'_>) {
    let path = entry.path;
    let is_from_environment = entry.is_true("proxy_from_environment");
    for key in ["proxy_url", "no_proxy"] {
        if is_from_environment && entry.has(key) {
            let message = format!("`{path}` has both `proxy_from_environment` and `{key}`, expected one of them");
            entry.report(key, message);
        }
    }
    for (key, is_met) in [("no_proxy", false), ("proxy_connect_header", is_from_environment)] {
        let is_empty =
            entry.node.get(key).is_none_or(|node| node.entries().is_empty() && node.text().is_none_or(str::is_empty));
        if !is_empty && !is_met && !is_from_environment && !entry.has("proxy_url") {
            entry.report(key, format!("`{path}.{key}`: expected a `proxy_url` with it"));
        }
    }
}

pub(super) fn check_tls(node: &Node, path: &str, problems: &mut Problems) {
    let mut entry = Entry::new(node, path, problems);
    for key in ["ca", "cert", "key"] {
        entry.exclusive(key, &format!("{key}_file"));
    }
    if entry.has_either("cert") != entry.has_either("key") {
        let (given, missing) = if entry.has_either("cert") { ("cert", "key") } else { ("key", "cert") };
        let at = if entry.has(given) { given.to_owned() } else { format!("{given}_file") };
        entry.report(&at, format!("`{path}` has `{at}` but no `{missing}` or `{missing}_file`, expected both"));
    }
    for key in ["min_version", "max_version"] {
        entry.one_of(key, &["TLS10", "TLS11", "TLS12", "TLS13"]);
    }
}

/// Headers that the transport or another key sets.
const RESERVED: [&str; 18] = [
    "authorization",
    "host",
    "content-encoding",
    "content-length",
    "content-type",
    "user-agent",
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "www-authenticate",
    "accept-encoding",
    "x-prometheus-remote-write-version",
    "x-prometheus-remote-read-version",
    "x-prometheus-scrape-timeout-seconds",
    "te",
    "trailer",
    "transfer-encoding",
];

fn check_headers(node: &Node, path: &str, problems: &mut Problems) {
    for (name, node) in node.get("http_headers").map_or(&[][..], Node::entries) {
        if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
            let path = format!("{path}.http_headers.{name}");
            problems.error(&node.place, &path, format!("`{path}`: this header cannot be set here"));
        }
    }
}
