//! The order in which layers count: built-in values < files in their order < `WATCHBELL__…`
//! variables; then secrets from files. Decides which value wins, never whether it is any good.
//!
//! ```text
//! file a: { limits: { connections_max: 10 } } + WATCHBELL__LIMITS__CONNECTIONS_MAX=20   →   20
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::problem::{Place, Problems};
use super::read::{is_secret_key, join};
use super::yaml::{Node, Value, scalar};

/// Sections in which `<key>_file` stands for a secret, and values may be secret.
const SECRET_SECTIONS: [&str; 8] =
    ["sources", "receivers", "people", "schedules", "api", "heartbeat", "heartbeats", "topology"];
const VARIABLE_PREFIX: &str = "WATCHBELL__";
/// Ends of keys whose files anyone may read: certificates, names.
const PUBLIC: [&str; 5] = ["ca_pem", "ca", "cert", "username", "chat_id"];
/// Bytes of a file that holds one secret.
const SECRET_FILE_BYTES_MAX: u64 = 256 * 1_024;

/// Lays `over` on `base`: maps are joined key by key, all else is replaced.
pub(super) fn merge(base: &mut Node, over: Node) {
    let over_entries = match (&mut base.value, over.value) {
        (Value::Map(_), Value::Map(entries)) => entries,
        // An empty file, or a section without content, says nothing.
        (Value::Map(_), Value::Null) => return,
        (_, value) => {
            *base = Node { place: over.place, value };
            return;
        }
    };
    for (key, node) in over_entries {
        let Value::Map(entries) = &mut base.value else { return };
        // The later layer chose the other way to give this secret.
        let twin = key.strip_suffix("_file").map_or_else(|| format!("{key}_file"), str::to_owned);
        entries.retain(|(name, _)| *name != twin);
        match entries.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => merge(old, node),
            None => entries.push((key, node)),
        }
    }
}

/// Replaces `${NAME}` in every text of a file and `$$` by `$`.
pub(super) fn expand(node: &mut Node, path: &str, environment: &BTreeMap<String, String>, problems: &mut Problems) {
    match &mut node.value {
        Value::Text(text) if text.contains('$') => {
            let is_secret = SECRET_SECTIONS.iter().any(|section| path.starts_with(section));
            match expand_text(text, environment) {
                Ok((expanded, used)) => {
                    if is_secret {
                        used.iter().for_each(|value| problems.hide(value));
                    }
                    *text = expanded;
                }
                Err(message) => {
                    problems.error(&node.place, path, format!("`{path}`: {message}")).hint =
                        Some("a plain `$` is written `$$`; systemd reads variables with `Environment=` and `EnvironmentFile=`".to_owned());
                    problems.settle(&node.place, path);
                }
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                expand(item, &format!("{path}[{index}]"), environment, problems);
            }
        }
        Value::Map(entries) => {
            for (key, node) in entries {
                expand(node, &join(path, key), environment, problems);
            }
        }
        _ => {}
    }
}

/// The text with its references replaced, and the values that were put in.
fn expand_text(text: &str, environment: &BTreeMap<String, String>) -> Result<(String, Vec<String>), String> {
    let (mut expanded, mut used, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once('$') {
        expanded.push_str(before);
        if let Some(after) = after.strip_prefix('$') {
            expanded.push('$');
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let (name, after) = after.split_once('}').ok_or("`${` without `}`")?;
            let value = environment.get(name).ok_or_else(|| format!("environment variable `{name}` is not set"))?;
            expanded.push_str(value);
            used.push(value.clone());
            rest = after;
        } else {
            // `$1` in a rewrite and `$` at the end of a pattern mean themselves.
            expanded.push('$');
            rest = after;
        }
    }
    expanded.push_str(rest);
    Ok((expanded, used))
}

/// Lays the `WATCHBELL__SECTION__KEY` variables over the files, in the order of their names.
pub(super) fn apply_environment(root: &mut Node, environment: &BTreeMap<String, String>, problems: &mut Problems) {
    for (name, text) in environment {
        let Some(keys) = name.strip_prefix(VARIABLE_PREFIX) else { continue };
        let place = Place::Variable(name.as_str().into());
        let keys: Vec<&str> = keys.split("__").collect();
        if keys.iter().any(|key| key.is_empty()) {
            problems.error(&place, "", "expected a name such as `WATCHBELL__LIMITS__CONNECTIONS_MAX`");
        } else if let Err(message) = set(root, &keys, text, &place) {
            problems.error(&place, keys.join(".").to_lowercase(), message);
        }
    }
}

/// Sets one value. A key matches without regard to case, and `_` matches `-`: few shells can name more.
fn set(node: &mut Node, keys: &[&str], text: &str, place: &Place) -> Result<(), String> {
    let Some((key, rest)) = keys.split_first() else {
        *node = Node { place: place.clone(), value: scalar(text) };
        return Ok(());
    };
    if let Value::List(items) = &mut node.value {
        let length = items.len();
        let item = key.parse::<usize>().ok().and_then(|index| items.get_mut(index));
        let expected = || format!("`{key}` is no entry of a list that has {length}; expected a number from 0");
        return set(item.ok_or_else(expected)?, rest, text, place);
    }
    if !matches!(node.value, Value::Map(_)) {
        *node = Node::map(place.clone());
    }
    let Value::Map(entries) = &mut node.value else { return Ok(()) };
    let plain = |name: &str| name.to_ascii_lowercase().replace('-', "_");
    let found = entries.iter().position(|(name, _)| plain(name) == plain(key));
    let name = found.map_or_else(|| key.to_ascii_lowercase(), |at| entries[at].0.clone());
    if rest.is_empty() {
        // A token of digits is text all the same.
        let value = if is_secret_key(&name) { Value::Text(text.to_owned()) } else { scalar(text) };
        let over = Node { place: place.clone(), value: Value::Map(vec![(name, Node { place: place.clone(), value })]) };
        merge(node, over);
        return Ok(());
    }
    let at = found.unwrap_or_else(|| {
        entries.push((name, Node::map(place.clone())));
        entries.len() - 1
    });
    set(&mut entries[at].1, rest, text, place)
}

/// Turns each `<key>_file` of sources, sinks, people, feeds, API tokens and topologies into `<key>` with the file's content, and
/// takes note of every secret so that no message repeats it.
pub(super) fn read_secrets(root: &mut Node, problems: &mut Problems) {
    for section in SECRET_SECTIONS {
        if let Some(node) = root.get_mut(section) {
            read_secrets_below(node, section, problems);
        }
    }
}

pub(super) fn read_secrets_below(node: &mut Node, path: &str, problems: &mut Problems) {
    match &mut node.value {
        Value::List(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                read_secrets_below(item, &format!("{path}[{index}]"), problems);
            }
        }
        Value::Map(entries) => {
            for (key, node) in entries.iter_mut() {
                // The address of a heartbeat is all that it takes to send one.
                if is_secret_key(key) || path == "heartbeat" && key == "url" {
                    texts(node).for_each(|text| problems.hide(text));
                }
                read_secrets_below(node, &join(path, key), problems);
                if key == "http_headers" {
                    read_headers(node, &join(path, key), problems);
                }
            }
            replace_files(entries, path, problems);
        }
        _ => {}
    }
}

fn texts(node: &Node) -> impl Iterator<Item = &str> {
    node.text().into_iter().chain(node.items().iter().filter_map(Node::text))
}

fn replace_files(entries: &mut [(String, Node)], path: &str, problems: &mut Problems) {
    for at in 0..entries.len() {
        let (file_key, node) = &entries[at];
        let Some(key) = file_key.strip_suffix("_file").filter(|key| !key.is_empty()).map(str::to_owned) else {
            continue;
        };
        let full = join(path, file_key);
        let place = node.place.clone();
        if entries.iter().any(|(name, other)| *name == key && other.value != Value::Null) {
            problems.error(&place, &full, format!("`{path}` has both `{key}` and `{file_key}`, expected one of them"));
        }
        let value = match node.text().map(|text| resolve(text, &place)) {
            Some(file) => read_secret(&file, &key, &full, &place, problems),
            None => {
                problems.error(&place, &full, format!("`{full}`: expected the path of a file"));
                None
            }
        };
        // What could not be read has been reported; that the key is then empty follows from it.
        if value.is_none() {
            problems.settle(&place, &join(path, &key));
        }
        let value = value.unwrap_or_default();
        problems.hide(&value);
        entries[at] = (key, Node { place, value: Value::Text(value) });
    }
}

/// Turns the `files` of Alertmanager's `http_headers` into `secrets`.
fn read_headers(node: &mut Node, path: &str, problems: &mut Problems) {
    let Value::Map(headers) = &mut node.value else { return };
    for (name, header) in headers {
        let Value::Map(entries) = &mut header.value else { continue };
        let Some(at) = entries.iter().position(|(key, _)| key == "files") else { continue };
        let (_, files) = entries.remove(at);
        let mut secrets: Vec<Node> = Vec::new();
        for (index, file) in files.items().iter().enumerate() {
            let full = format!("{path}.{name}.files[{index}]");
            let value = file.text().map(|text| resolve(text, &file.place));
            let value = value.and_then(|file_path| read_secret(&file_path, "secret", &full, &file.place, problems));
            secrets.extend(value.map(|value| {
                problems.hide(&value);
                Node { place: file.place.clone(), value: Value::Text(value) }
            }));
        }
        match entries.iter_mut().find(|(key, _)| key == "secrets") {
            Some((_, Node { value: Value::List(list), .. })) => list.extend(secrets),
            _ => entries.push(("secrets".to_owned(), Node { place: files.place, value: Value::List(secrets) })),
        }
    }
}

/// A path as it stands in a file starts from that file's folder.
pub(super) fn resolve(path: &str, place: &Place) -> PathBuf {
    place.folder().map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
}

fn read_secret(file: &Path, key: &str, path: &str, place: &Place, problems: &mut Problems) -> Option<String> {
    let shown = file.display();
    let is_short = |metadata: &std::fs::Metadata| metadata.len() <= SECRET_FILE_BYTES_MAX;
    let text = match std::fs::metadata(file) {
        Ok(metadata) if !is_short(&metadata) => Err(format!("more than {SECRET_FILE_BYTES_MAX} bytes")),
        Ok(metadata) => {
            if is_world_readable(&metadata) && !PUBLIC.iter().any(|public| key.ends_with(public)) {
                let message = format!("`{path}`: anyone on this machine can read `{shown}`");
                problems.warning(place, path, message).hint = Some(format!("chmod 0640 {shown}"));
            }
            std::fs::read_to_string(file).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    match text {
        Ok(text) if !text.trim().is_empty() => {
            let text = text.strip_suffix('\n').unwrap_or(&text);
            Some(text.strip_suffix('\r').unwrap_or(text).to_owned())
        }
        Ok(_) => {
            problems.error(place, path, format!("`{path}`: `{shown}` is empty"));
            None
        }
        Err(reason) => {
            problems.error(place, path, format!("`{path}`: cannot read `{shown}`: {reason}"));
            None
        }
    }
}

#[cfg(unix)]
pub(super) fn is_world_readable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    metadata.is_file() && metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
pub(super) fn is_world_readable(_: &std::fs::Metadata) -> bool {
    false
}
