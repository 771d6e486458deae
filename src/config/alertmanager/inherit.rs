//! What `global` hands down to the integrations, so that a sink never looks at it, and what must be there then.
//! Decides as Alertmanager does, but for one thing: a secret of an integration's own, in a file or not, always comes
//! before a global one.

use super::super::problem::{Place, Problems};
use super::super::read::join;
use super::super::yaml::{Node, Value};
use super::check::{Entry, SLACK_APP_URL, has};
use super::{duration, http, integrations, keys, tables};
use crate::model::Span;

/// Values that Alertmanager brings itself.
const DEFAULTS: [(&str, &str); 9] = [
    ("smtp_hello", "localhost"),
    ("pagerduty_url", "https://events.pagerduty.com/v2/enqueue"),
    ("opsgenie_api_url", "https://api.opsgenie.com/"),
    ("wechat_api_url", "https://qyapi.weixin.qq.com/cgi-bin/"),
    ("victorops_api_url", "https://alert.victorops.com/integrations/generic/20131114/alert/"),
    ("telegram_api_url", "https://api.telegram.org"),
    ("webex_api_url", "https://webexapis.com/v1/messages"),
    ("rocketchat_api_url", "https://open.rocket.chat/"),
    ("slack_app_url", SLACK_APP_URL),
];

/// Secrets that are given in one way only.
const SECRETS: [&str; 10] = [
    "slack_app_token",
    "slack_api_url",
    "opsgenie_api_key",
    "victorops_api_key",
    "telegram_bot_token",
    "smtp_auth_password",
    "smtp_auth_secret",
    "rocketchat_token",
    "rocketchat_token_id",
    "wechat_api_secret",
];

/// The section `global` with its defaults.
pub(super) fn global(root: &Node, problems: &mut Problems) -> Node {
    let absent = Node::default();
    let mut node = keys::read(root.get("global").unwrap_or(&absent), "global", tables::GLOBAL, problems);
    integrations::drop_absent(&mut node);
    let mut entry = Entry::new(&node, "global", problems);
    SECRETS.iter().for_each(|key| entry.secret(key, false));
    let is_app = entry.has_either("slack_app_token") && entry.has_either("slack_api_url");
    // Where the two addresses are the same, a token in `http_config` was meant, as people did before there was a key.
    let app_url = if entry.has("slack_app_url") { entry.text("slack_app_url") } else { SLACK_APP_URL };
    if is_app && entry.text("slack_api_url") != app_url {
        let message = "`global` has both a `slack_api_url` and a `slack_app_token`, expected one of them";
        entry.report("slack_app_token", message);
    }
    for key in ["http_config", "smtp_tls_config"] {
        if let Some(value) = node.get(key) {
            let check = if key == "http_config" { http::check } else { http::check_tls };
            check(value, &join("global", key), problems);
        }
    }
    if let Some(http) = node.get_mut("http_config") {
        http::fold_bearer(http);
    }
    let Value::Map(entries) = &mut node.value else { return node };
    // What has been reported once is not handed down to be reported again.
    let twice: Vec<String> = SECRETS.iter().map(|key| format!("{key}_file")).collect();
    let given: Vec<String> = entries.iter().map(|(name, _)| name.clone()).collect();
    entries.retain(|(name, _)| {
        !twice.contains(name) || !name.strip_suffix("_file").is_some_and(|key| given.iter().any(|name| name == key))
    });
    for (name, value) in DEFAULTS {
        if !entries.iter().any(|(given, _)| given == name) {
            entries.push((name.to_owned(), built_in(Value::Text(value.to_owned()))));
        }
    }
    if !entries.iter().any(|(given, _)| given == "smtp_require_tls") {
        entries.push(("smtp_require_tls".to_owned(), built_in(Value::Boolean(true))));
    }
    node
}

fn built_in(value: Value) -> Node {
    Node { place: Place::BuiltIn, value }
}

pub(super) fn span(node: &Node, key: &str) -> Option<Span> {
    duration::prometheus(node.get(key)?.text()?)
}

/// Hands down what an integration lacks, and reports what nobody has given.
pub(super) fn apply(kind: &str, node: &mut Node, global: &Node, path: &str, problems: &mut Problems) {
    if kind == "slack" {
        slack(node, global);
    }
    match kind {
        "email" => {}
        "msteamsv2" => fill_proxy(node, global),
        _ => fill(node, "http_config", global, "http_config"),
    }
    let mut missing = Vec::new();
    match kind {
        "email" => {
            for key in ["hello", "auth_username", "auth_identity", "require_tls", "tls_config", "force_implicit_tls"] {
                fill(node, key, global, &format!("smtp_{key}"));
            }
            fill_secret(node, "auth_password", global, "smtp_auth_password");
            fill_secret(node, "auth_secret", global, "smtp_auth_secret");
            for key in ["smarthost", "from"] {
                fill(node, key, global, &format!("smtp_{key}"));
                missing.extend((!has(node, key)).then(|| (key.to_owned(), format!("smtp_{key}"))));
            }
        }
        "pagerduty" => fill(node, "url", global, "pagerduty_url"),
        "webex" => fill(node, "api_url", global, "webex_api_url"),
        "jira" => {
            fill(node, "api_url", global, "jira_api_url");
            missing.extend((!has(node, "api_url")).then(|| ("api_url".to_owned(), "jira_api_url".to_owned())));
        }
        "opsgenie" | "victorops" => {
            fill_address(node, global, &format!("{kind}_api_url"));
            missing.extend(fill_secret(node, "api_key", global, &format!("{kind}_api_key")));
        }
        "wechat" => {
            fill_address(node, global, "wechat_api_url");
            missing.extend(fill_secret(node, "api_secret", global, "wechat_api_secret"));
            fill(node, "corp_id", global, "wechat_api_corp_id");
            missing.extend((!has(node, "corp_id")).then(|| ("corp_id".to_owned(), "wechat_api_corp_id".to_owned())));
        }
        "telegram" => {
            fill(node, "api_url", global, "telegram_api_url");
            missing.extend(fill_secret(node, "bot_token", global, "telegram_bot_token"));
        }
        "rocketchat" => {
            fill(node, "api_url", global, "rocketchat_api_url");
            missing.extend(fill_secret(node, "token", global, "rocketchat_token"));
            missing.extend(fill_secret(node, "token_id", global, "rocketchat_token_id"));
        }
        "slack" if !["api_url", "api_url_file", "app_token", "app_token_file"].iter().any(|key| has(node, key)) => {
            missing.push(("api_url` or `app_token".to_owned(), "slack_api_url".to_owned()));
        }
        "slack" => check_app(node, path, problems),
        _ => {}
    }
    for (key, global) in missing {
        let message = format!("missing key in `{path}`: expected `{key}` there or `{global}` in `global`");
        problems.error(&node.place, join(path, key.split('`').next().unwrap_or_default()), message);
    }
}

/// An app's token counts unless the integration has another way; an address of a webhook counts without one.
fn slack(node: &mut Node, global: &Node) {
    let is_authorized = node.get("http_config").is_some_and(|node| node.get("authorization").is_some());
    if !is_authorized && !has(node, "api_url") && !has(node, "api_url_file") {
        fill_secret(node, "app_token", global, "slack_app_token");
    }
    if has(node, "app_token") || has(node, "app_token_file") {
        fill(node, "app_url", global, "slack_app_url");
    } else {
        fill_secret(node, "api_url", global, "slack_api_url");
    }
}

fn check_app(node: &Node, path: &str, problems: &mut Problems) {
    let has_token = has(node, "app_token") || has(node, "app_token_file");
    let http = node.get("http_config");
    if has_token && let Some(http) = http.filter(|http| http.get("authorization").is_some()) {
        let path = format!("{path}.http_config.authorization");
        let message = format!("`{path}`: the `app_token` of Slack is sent in this place, expected one of the two");
        problems.error(http.place_of("authorization"), &path, message);
    }
}

/// Only the proxy of `global` counts for an integration with an `http_config` of its own.
fn fill_proxy(node: &mut Node, global: &Node) {
    let Some(own) = node.get_mut("http_config").filter(|own| own.value != Value::Null) else {
        return fill(node, "http_config", global, "http_config");
    };
    if let Some(http) = global.get("http_config") {
        fill(own, "proxy_url", http, "proxy_url");
    }
}

/// Takes over what is absent or empty.
fn fill(node: &mut Node, key: &str, global: &Node, global_key: &str) {
    let given = global.get(global_key).filter(|_| has(global, global_key) && !has(node, key)).cloned();
    if let (Some(given), Value::Map(entries)) = (given, &mut node.value) {
        entries.retain(|(name, _)| name != key);
        entries.push((key.to_owned(), given));
    }
}

/// Takes over a secret where neither it nor its file is given; the keys when nobody has given it.
fn fill_secret(node: &mut Node, key: &str, global: &Node, global_key: &str) -> Option<(String, String)> {
    let (file, global_file) = (format!("{key}_file"), format!("{global_key}_file"));
    if has(node, key) || has(node, &file) {
        return None;
    }
    fill(node, key, global, global_key);
    fill(node, &file, global, &global_file);
    (!has(node, key) && !has(node, &file)).then(|| (key.to_owned(), global_key.to_owned()))
}

/// An address under which others lie ends with a slash.
fn fill_address(node: &mut Node, global: &Node, global_key: &str) {
    fill(node, "api_url", global, global_key);
    if let Some(Value::Text(address)) = node.get_mut("api_url").map(|node| &mut node.value)
        && !address.ends_with('/')
        && !address.contains('?')
    {
        address.push('/');
    }
}
