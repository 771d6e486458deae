//! What the keys of one integration must say together. Decides as Alertmanager does, and reports every fault of an
//! entry; what is inherited from `global` comes later and is judged in `inherit.rs`.

use super::super::problem::Problems;
use super::super::read::join;
use super::super::yaml::{Node, Value};
use super::http;

/// A map that is looked at, and where faults go.
pub(super) struct Entry<'a> {
    pub node: &'a Node,
    pub path: &'a str,
    pub problems: &'a mut Problems,
}

impl<'a> Entry<'a> {
    pub fn new(node: &'a Node, path: &'a str, problems: &'a mut Problems) -> Self {
        Self { node, path, problems }
    }

    pub fn has(&self, key: &str) -> bool {
        has(self.node, key)
    }

    pub fn text(&self, key: &str) -> &'a str {
        self.node.get(key).and_then(Node::text).unwrap_or_default()
    }

    /// `key` or `key_file`.
    pub fn has_either(&self, key: &str) -> bool {
        self.has(key) || self.has(&format!("{key}_file"))
    }

    pub fn report(&mut self, key: &str, message: impl Into<String>) {
        self.problems.error(self.node.place_of(key), join(self.path, key), message.into());
    }

    pub fn require(&mut self, key: &str) {
        // A value that was of the wrong type has been reported and is not here any more.
        if !self.has(key) {
            let (path, message) = (join(self.path, key), format!("missing key `{key}` in `{}`", self.path));
            self.problems.error(&self.node.place, path, message);
        }
    }

    pub fn exclusive(&mut self, one: &str, other: &str) {
        if self.has(one) && self.has(other) {
            let message = format!("`{}` has both `{one}` and `{other}`, expected one of them", self.path);
            self.report(other, message);
        }
    }

    /// `key` and `key_file`: not both, and one where it is needed.
    pub fn secret(&mut self, key: &str, is_needed: bool) {
        let file = format!("{key}_file");
        self.exclusive(key, &file);
        if is_needed && !self.has(key) && !self.has(&file) {
            let (path, message) =
                (join(self.path, key), format!("missing key in `{}`: expected `{key}` or `{file}`", self.path));
            self.problems.error(&self.node.place, path, message);
        }
    }

    pub fn one_of(&mut self, key: &str, known: &[&str]) {
        let text = self.text(key);
        if !text.is_empty() && !known.contains(&text) {
            let list: Vec<String> = known.iter().map(|value| format!("`{value}`")).collect();
            self.report(key, format!("`{}`: expected one of {}, got `{text}`", join(self.path, key), list.join(", ")));
        }
    }

    pub fn is_true(&self, key: &str) -> bool {
        self.node.get(key).is_some_and(|node| node.value == Value::Boolean(true))
    }
}

pub(super) fn has(node: &Node, key: &str) -> bool {
    node.get(key).is_some_and(|node| node.text() != Some(""))
}

/// Where Slack takes messages of an app, which alone it lets us change.
pub(super) const SLACK_APP_URL: &str = "https://slack.com/api/chat.postMessage";

pub(super) fn integration(kind: &str, entry: &mut Entry<'_>) {
    match kind {
        "webhook" => entry.secret("url", true),
        "email" => email(entry),
        "pagerduty" => pagerduty(entry),
        "opsgenie" => opsgenie(entry),
        "slack" => slack(entry),
        "wechat" => {
            entry.secret("api_secret", false);
            entry.one_of("message_type", &["text", "markdown"]);
        }
        "pushover" => {
            entry.secret("user_key", true);
            entry.secret("token", true);
            if entry.is_true("html") && entry.is_true("monospace") {
                entry.exclusive("html", "monospace");
            }
        }
        "victorops" => victorops(entry),
        "sns" => sns(entry),
        "telegram" => {
            entry.secret("bot_token", false);
            telegram_chat(entry);
            entry.one_of("parse_mode", &["Markdown", "MarkdownV2", "HTML"]);
        }
        "discord" | "msteams" | "msteamsv2" => entry.secret("webhook_url", true),
        "webex" => {
            entry.require("room_id");
            if entry.node.get("http_config").is_none_or(|node| node.get("authorization").is_none()) {
                let message = format!("missing key `authorization` in `{}.http_config`", entry.path);
                entry.report("http_config", message);
            }
        }
        "jira" => {
            entry.require("project");
            entry.require("issue_type");
            entry.one_of("api_type", &["auto", "cloud", "datacenter"]);
        }
        "rocketchat" => {
            entry.secret("token", false);
            entry.secret("token_id", false);
        }
        _ => {}
    }
}

fn email(entry: &mut Entry<'_>) {
    entry.require("to");
    entry.exclusive("auth_password", "auth_password_file");
    entry.exclusive("auth_secret", "auth_secret_file");
    if let Some(tls) = entry.node.get("tls_config") {
        http::check_tls(tls, &join(entry.path, "tls_config"), entry.problems);
    }
    let headers = entry.node.get("headers").map_or(&[][..], Node::entries);
    for (index, (name, node)) in headers.iter().enumerate() {
        if headers[..index].iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            let path = format!("{}.headers.{name}", entry.path);
            entry.problems.error(&node.place, &path, format!("`{path}`: this header comes twice"));
        }
    }
    let Some(threading) = entry.node.get("threading") else { return };
    let path = join(entry.path, "threading");
    let mut threading = Entry::new(threading, &path, entry.problems);
    if !threading.is_true("enabled") {
        return;
    }
    threading.require("thread_by_date");
    threading.one_of("thread_by_date", &["none", "daily"]);
    for (name, node) in headers {
        if ["references", "in-reply-to"].contains(&name.to_ascii_lowercase().as_str()) {
            let path = format!("{}.headers.{name}", entry.path);
            let message = format!("`{path}`: `threading` sets this header, expected one of the two");
            entry.problems.error(&node.place, &path, message);
        }
    }
}

fn pagerduty(entry: &mut Entry<'_>) {
    entry.secret("routing_key", false);
    entry.secret("service_key", false);
    if !entry.has_either("routing_key") && !entry.has_either("service_key") {
        let path = join(entry.path, "routing_key");
        let message = format!(
            "missing key in `{}`: expected one of `routing_key`, `routing_key_file`, `service_key` and `service_key_file`",
            entry.path
        );
        entry.problems.error(&entry.node.place, path, message);
    }
    let details = entry.node.get("details");
    if let Some(node) = details.filter(|node| !matches!(node.value, Value::Map(_))) {
        let path = join(entry.path, "details");
        entry.problems.error(&node.place, &path, format!("`{path}`: expected a map"));
    }
}

fn opsgenie(entry: &mut Entry<'_>) {
    entry.exclusive("api_key", "api_key_file");
    let responders = entry.node.get("responders").map_or(&[][..], Node::items);
    for (index, node) in responders.iter().enumerate() {
        let path = format!("{}.responders[{index}]", entry.path);
        let mut responder = Entry::new(node, &path, entry.problems);
        if !["id", "name", "username"].iter().any(|key| responder.has(key)) {
            let message = format!("`{path}`: expected at least one of `id`, `name` and `username`");
            responder.report("id", message);
        }
        let kind = responder.text("type").to_lowercase();
        let known = ["team", "teams", "user", "escalation", "schedule"];
        if !kind.contains("{{") && !known.contains(&kind.as_str()) {
            let message = format!(
                "`{path}.type`: expected one of `team`, `teams`, `user`, `escalation`, `schedule`, got `{kind}`"
            );
            responder.report("type", message);
        }
    }
}

fn slack(entry: &mut Entry<'_>) {
    entry.exclusive("api_url", "api_url_file");
    entry.exclusive("app_token", "app_token_file");
    if entry.has_either("api_url") && entry.has_either("app_token") {
        let message = format!("`{}` has both an `api_url` and an `app_token`, expected one of them", entry.path);
        entry.report("app_token", message);
    }
    if entry.is_true("update_message") && entry.text("api_url") != SLACK_APP_URL {
        let path = join(entry.path, "update_message");
        let message = format!(
            "`{path}`: only messages sent with a bot token can be changed; expected `api_url: {SLACK_APP_URL}`"
        );
        entry.report("update_message", message);
    }
    let lists = [("fields", &["title", "value"][..]), ("actions", &["type", "text"])];
    for (list, needed) in lists {
        for (index, node) in entry.node.get(list).map_or(&[][..], Node::items).iter().enumerate() {
            let path = format!("{}.{list}[{index}]", entry.path);
            let mut item = Entry::new(node, &path, entry.problems);
            needed.iter().for_each(|key| item.require(key));
            if list == "actions" {
                action(&mut item);
            }
        }
    }
}

fn action(entry: &mut Entry<'_>) {
    if !entry.has("url") && !entry.has("name") {
        let message = format!("missing key in `{}`: expected `url` or `name`", entry.path);
        entry.report("url", message);
    }
    if let Some(confirm) = entry.node.get("confirm") {
        Entry::new(confirm, &join(entry.path, "confirm"), entry.problems).require("text");
    }
}

fn victorops(entry: &mut Entry<'_>) {
    const RESERVED: [&str; 7] = [
        "routing_key",
        "message_type",
        "state_message",
        "entity_display_name",
        "monitoring_tool",
        "entity_id",
        "entity_state",
    ];
    entry.require("routing_key");
    entry.exclusive("api_key", "api_key_file");
    for (name, node) in entry.node.get("custom_fields").map_or(&[][..], Node::entries) {
        if RESERVED.contains(&name.as_str()) {
            let path = format!("{}.custom_fields.{name}", entry.path);
            let message = format!("`{path}`: this field is set already, expected another name");
            entry.problems.error(&node.place, &path, message);
        }
    }
}

fn sns(entry: &mut Entry<'_>) {
    let given = ["target_arn", "topic_arn", "phone_number"].into_iter().filter(|key| entry.has(key)).count();
    // All three pass in Alertmanager as well, which then takes the first.
    if given % 2 == 0 {
        let message = format!(
            "`{}`: expected one of `target_arn`, `topic_arn` and `phone_number`, got {given} of them",
            entry.path
        );
        entry.report("topic_arn", message);
    }
    let Some(sigv4) = entry.node.get("sigv4") else { return };
    let path = join(entry.path, "sigv4");
    let mut sigv4 = Entry::new(sigv4, &path, entry.problems);
    if sigv4.has("access_key") != sigv4.has("secret_key") {
        let (given, missing) =
            if sigv4.has("access_key") { ("access_key", "secret_key") } else { ("secret_key", "access_key") };
        sigv4.report(given, format!("`{path}` has `{given}` but no `{missing}`, expected both or none"));
    }
    if sigv4.has("external_id") && !sigv4.has("role_arn") {
        sigv4.report("external_id", format!("`{path}.external_id`: expected a `role_arn` with it"));
    }
}

fn telegram_chat(entry: &mut Entry<'_>) {
    let has_chat = entry.node.get("chat_id").is_some_and(|node| node.value != Value::Integer(0));
    if has_chat {
        entry.exclusive("chat_id", "chat_id_file");
    } else if !entry.has("chat_id_file") {
        let path = join(entry.path, "chat_id");
        let message = format!("missing key in `{}`: expected `chat_id` or `chat_id_file`", entry.path);
        entry.problems.error(&entry.node.place, path, message);
    }
}
