//! Style as a test: what lives where, and what must be absent there. Each rule says why.

use std::path::{Path, PathBuf};

/// A source file with its code lines: comments are free to name what code may not use.
struct File {
    path: String,
    text: String,
    code: Vec<(usize, String)>,
}

fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let entries: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in entries {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text
                    .lines()
                    .enumerate()
                    .filter(|(_, line)| !line.trim_start().starts_with("//"))
                    .map(|(number, line)| (number + 1, line.to_owned()))
                    .collect();
                let path = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
                found.push(File { path, text, code });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "nothing in {folder}");
    found
}

fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs") || path.contains("/tests/") || path.contains("conformance")
}

/// Code before the file's own test module.
fn product(file: &File) -> impl Iterator<Item = &(usize, String)> {
    let end =
        file.code.iter().find(|(_, line)| line.trim() == "#[cfg(test)]").map_or(usize::MAX, |(number, _)| *number);
    file.code.iter().filter(move |(number, _)| *number < end)
}

/// Complains about every line of product code in `folder` that holds one of the words.
fn check_absent(folder: &str, words: &[&str], allowed: &[&str], why: &str) {
    let mut found = Vec::new();
    for file in files(folder).iter().filter(|file| !is_test(&file.path)) {
        if allowed.iter().any(|path| file.path.starts_with(path)) {
            continue;
        }
        for (number, line) in product(file) {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                found.push(format!("{}:{number}: `{word}`", file.path));
            }
        }
    }
    assert!(found.is_empty(), "{why}:\n{}", found.join("\n"));
}

#[test]
fn the_engine_and_the_model_are_pure() {
    let words = [
        "async ",
        ".await",
        "tokio",
        "reqwest",
        "std::fs",
        "std::env",
        "std::time",
        "TcpStream",
        "SystemTime",
        "Instant::",
        "::now()",
        "crate::clock",
        "crate::store",
        "crate::runtime",
        "crate::http",
        "crate::sources",
        "crate::sinks",
        "HashMap",
        "HashSet",
        "f32",
        "f64",
        "rand::",
        "println!",
        "tracing::",
        "thread::",
        "static mut",
        "Mutex",
        "RwLock",
    ];
    let allowed = ["src/model/span.rs"]; // hands out `std::time::Duration`, which is only a length
    let why = "same input, same output: no IO, clock, randomness, floats, logging or unordered maps";
    check_absent("src/engine", &words, &[], why);
    check_absent("src/model", &words, &allowed, why);
}

#[test]
fn sources_and_sinks_are_pure() {
    let words = [
        "async ",
        ".await",
        "tokio",
        "reqwest::Client",
        "std::fs",
        "std::env",
        "TcpStream",
        "::now()",
        "crate::store",
        "crate::runtime",
    ];
    let why = "a source or sink says what to do; the runtime does it";
    check_absent("src/sources", &words, &[], why);
    check_absent("src/sinks", &words, &[], why);
    check_absent("src/render", &words, &[], why);
    check_absent("src/topology", &words, &[], why);
}

#[test]
fn one_file_reads_time() {
    let words = ["SystemTime::now", "Instant::now", "Timestamp::now", "Zoned::now"];
    // A connection's deadlines are tokio's own business; the command line shows ages to people.
    let allowed = ["src/clock.rs", "src/http/server", "src/cli"];
    check_absent("src", &words, &allowed, "time comes from `clock.rs` only");
}

#[test]
fn one_place_makes_outbound_calls() {
    let words = ["reqwest::Client", "AsyncSmtpTransport", "TcpStream::connect", "lookup_host"];
    let allowed = ["src/runtime/deliver.rs", "src/runtime/deliver/client.rs", "src/runtime/guard.rs", "src/cli"];
    check_absent("src", &words, &allowed, "outbound calls are made in `runtime/deliver.rs`, resolved in `guard.rs`");
}

/// Files that several integrations of a folder share; they are no integration themselves.
const SHARED: [&str; 14] = [
    "aws_signature",
    "callback",
    "deployment",
    "draft",
    "fields",
    "group",
    "http_config",
    "json",
    "mail",
    "monitor_macros",
    "prometheus_alert",
    "quote",
    "structured",
    "template",
];

/// Folders in which each file is an integration.
const GROUPS: [&str; 1] = ["alertmanager"];

#[test]
fn every_integration_is_registered_once_and_named_like_its_file() {
    for (folder, list) in [("src/sources", "SOURCES"), ("src/sinks", "SINKS")] {
        let all = files(folder);
        let registry = all.iter().find(|file| file.path == format!("{folder}/mod.rs")).unwrap();
        let start = registry.text.find(&format!("pub const {list}")).unwrap();
        let listed = &registry.text[start..start + registry.text[start..].find("];").unwrap()];
        for file in &all {
            let Some(name) = file.path.strip_prefix(&format!("{folder}/")).and_then(|rest| rest.strip_suffix(".rs"))
            else {
                continue;
            };
            let (group, own) = match name.split_once('/') {
                Some((group, own)) if GROUPS.contains(&group) => (Some(group), own),
                Some(_) => continue,
                None => (None, name),
            };
            if own.contains('/') || ["mod", "tests"].contains(&own) || SHARED.contains(&own) {
                continue;
            }
            // In a group the kind is the folder's name and the file's.
            let kind = group.map_or_else(|| own.to_owned(), |group| format!("{group}_{own}"));
            let path = name.replace('/', "::");
            assert!(listed.contains(&format!("&{path}::SPEC")), "{} is not in {list}", file.path);
            assert!(file.text.contains(&format!("name: \"{kind}\"")), "{} has another name than its file", file.path);
        }
    }
}

#[test]
fn nothing_unfinished_lands() {
    let words = ["todo!(", "unimplemented!(", "#[ignore", "dbg!(", "FIXME", "XXX"];
    for folder in ["src", "tests"] {
        for file in files(folder).iter().filter(|file| file.path != "tests/tidy.rs") {
            for (number, line) in file.text.lines().enumerate() {
                let word = words.iter().find(|word| line.contains(**word));
                assert!(word.is_none(), "{}:{}: {}", file.path, number + 1, word.unwrap());
            }
        }
    }
}

#[test]
fn files_are_about_one_thing() {
    const LINES_MAX: usize = 500;
    for file in files("src").iter().chain(&files("tests")) {
        let lines = file.text.lines().count();
        assert!(lines <= LINES_MAX, "{} has {lines} lines; two things may live in it", file.path);
    }
}

#[test]
fn every_module_says_what_it_is() {
    for file in files("src").iter().chain(&files("tests")) {
        assert!(file.text.starts_with("//!"), "{} does not begin with `//!`", file.path);
    }
}

#[test]
fn no_path_of_anyones_machine() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let words = [format!("/{}/", "work"), format!("/{}/", "root")];
    for file in files("src").iter().chain(&files("tests")) {
        for (number, line) in file.text.lines().enumerate() {
            let word = words.iter().find(|word| line.contains(word.as_str()));
            assert!(word.is_none(), "{}:{}: {}", root.join(&file.path).display(), number + 1, word.unwrap());
        }
    }
}
