//! The `topology.zabbix` section: Zabbix servers that are asked what depends on what. Decides which address
//! that is; never asks.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Deserialize;

use super::problem::Problems;
use super::read::{Reading, is_map, join, read_with, require};
use super::rhythm::{Rhythm, is_web};
use super::schema::ZabbixSettings;
use super::yaml::Node;
use crate::engine::origins;
use crate::error::{Secret, read_table};
use crate::model::Span;
use crate::topology::zabbix::{ENDPOINT, origin};

const SECTION: &str = "topology.zabbix";
/// What an origin's name leaves for ours.
const NAME_CHARS_MAX: usize = 57;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Absent once it has been reported as faulty.
    url: Option<String>,
    token: Option<Secret<String>>,
    #[serde(default = "every")]
    every: Span,
    #[serde(default = "timeout")]
    timeout: Span,
    #[serde(default)]
    allow_private: bool,
}

const fn every() -> Span {
    ZabbixSettings::EVERY
}

const fn timeout() -> Span {
    ZabbixSettings::TIMEOUT
}

pub(super) fn read_all(root: &Node, problems: &mut Problems) -> BTreeMap<String, ZabbixSettings> {
    let Some(node) = root.get("topology").and_then(|node| node.get("zabbix")) else { return BTreeMap::new() };
    if !is_map(node, SECTION, problems) {
        return BTreeMap::new();
    }
    let mut servers = BTreeMap::new();
    for (name, node) in node.entries() {
        let path = join(SECTION, name);
        check_name(name, &path, node, problems);
        if let Some(settings) = read_one(node, &path, problems) {
            servers.insert(name.clone(), settings);
        }
    }
    servers
}

/// The name is a part of the origin's.
fn check_name(name: &str, path: &str, node: &Node, problems: &mut Problems) {
    if name.is_empty() || name.contains('/') || origins::check_name(&origin(name)).is_err() {
        let message = format!(
            "`{path}`: got the name `{name}`, expected up to {NAME_CHARS_MAX} lower case letters, digits, dots, \
             hyphens and underscores"
        );
        problems.error(&node.place, path, message);
    }
}

fn read_one(node: &Node, path: &str, problems: &mut Problems) -> Option<ZabbixSettings> {
    if !is_map(node, path, problems) {
        return None;
    }
    let is_complete = require(node, path, &["url"], problems) & has_token(node, path, problems);
    let reading = Reading { is_secret: true, ..Reading::default() };
    let keys: Keys = read_with(node, path, reading, problems, read_table)?;
    let rhythm = Rhythm { every: keys.every, timeout: keys.timeout };
    rhythm.check(node, path, (Span::from_mins(1), Span::from_hours(24)), Span::from_mins(5), problems);
    let endpoint = keys.url.and_then(|url| endpoint(node, path, &url, problems));
    let token = keys.token.filter(|token| is_sendable(node, path, token, problems));
    let settings = ZabbixSettings {
        endpoint: endpoint?,
        token: token?,
        every: keys.every,
        timeout: keys.timeout,
        allow_private: keys.allow_private,
    };
    is_complete.then_some(settings)
}

fn has_token(node: &Node, path: &str, problems: &mut Problems) -> bool {
    let is_there = node.get("token").is_some();
    if !is_there {
        let message = format!("missing key `token_file` in `{path}`");
        problems.error(&node.place, join(path, "token"), message).hint =
            Some("make an API token in Zabbix, for a user who may only read (Users, API tokens)".to_owned());
    }
    is_there
}

/// A token goes into a header.
fn is_sendable(node: &Node, path: &str, token: &Secret<String>, problems: &mut Problems) -> bool {
    let text = token.expose();
    let is_sendable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_sendable {
        let path = join(path, "token");
        let message = format!("`{path}`: expected letters and digits without spaces (its value is not shown)");
        problems.error(node.place_of("token"), path, message);
    }
    is_sendable
}

/// Where the API is when the frontend is at `url`.
fn endpoint(node: &Node, path: &str, url: &str, problems: &mut Problems) -> Option<String> {
    let (place, path) = (node.place_of("url"), join(path, "url"));
    let uri = url.parse::<http::Uri>().ok().filter(is_frontend);
    let Some(uri) = uri else {
        // With an `@` it may hold a password.
        let got = if url.contains('@') { "one with a user or password".to_owned() } else { format!("`{url}`") };
        let message = format!("`{path}`: expected a URL such as `https://zabbix.example.org/zabbix`, got {got}");
        problems.error(place, path, message);
        return None;
    };
    if uri.scheme_str() == Some("http") && !is_loopback(uri.host().unwrap_or_default()) {
        let message = format!("`{path}`: the token goes over the network for everyone to read");
        problems.warning(place, path, message).hint = Some("use `https`".to_owned());
    }
    let frontend = url.trim_end_matches('/');
    Some(frontend.strip_suffix(ENDPOINT).unwrap_or(frontend).to_owned() + ENDPOINT)
}

fn is_frontend(uri: &http::Uri) -> bool {
    let is_plain = uri.query().is_none() && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    is_web(uri) && is_plain
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
