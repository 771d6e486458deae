//! The documents, held against the code: what a page names exists, what it shows is accepted, what it tells
//! to type can be typed. Judges no prose.
//!
//! A page that shows a configuration with a mistyped key fails here with the page, the key and its line.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

#[path = "support/pki.rs"]
#[allow(dead_code, reason = "these tests use a part of it")]
mod pki;

use clap::{CommandFactory, Parser};
use pki::{ALWAYS, Authority};
use regex::Regex;
use watchbell::cli::Cli;
use watchbell::config::{self, Problem};
use watchbell::model::{Notification, Timestamp};
use watchbell::sources::{self, Inbound};

/// Good for every integration: a token, a password and a signing secret.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

struct Page {
    /// From the repository's root.
    name: String,
    text: String,
}

/// A fenced block: its language and its lines.
struct Block {
    language: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Every Markdown page of the repository.
fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    for folder in ["", "docs", "docs/decisions", "docs/sources"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
                pages.push(Page { text: read(&name), name });
            }
        }
    }
    pages.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(pages.len() >= 10);
    pages
}

fn page(name: &str) -> Page {
    Page { name: name.to_owned(), text: read(name) }
}

impl Page {
    fn blocks(&self, language: &str) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for line in self.text.lines() {
            match (line.strip_prefix("```"), &mut open) {
                (Some(word), None) => open = Some(Block { language: word.to_owned(), text: String::new() }),
                (Some(_), Some(_)) => blocks.extend(open.take()),
                (None, Some(block)) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                }
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a block without an end", self.name);
        blocks.retain(|block| block.language == language);
        blocks
    }

    /// Lines outside blocks.
    fn prose(&self) -> Vec<&str> {
        let mut is_block = false;
        let outside = |line: &&str| {
            let is_fence = line.starts_with("```");
            is_block ^= is_fence;
            !is_block && !is_fence
        };
        self.text.lines().filter(outside).collect()
    }

    /// What stands in code font on one line.
    fn spans(line: &str) -> Vec<&str> {
        line.split('`').skip(1).step_by(2).collect()
    }

    /// Lines to type, continued ones joined, comments and `sudo` away.
    fn commands(&self) -> Vec<String> {
        let mut commands = Vec::new();
        for block in self.blocks("sh") {
            let text = block.text.replace("\\\n", " ");
            let lines = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
            commands
                .extend(lines.map(|line| line.trim_start_matches("sudo ").to_owned()).filter(|line| !line.is_empty()));
        }
        commands
    }
}

#[test]
fn two_commands_do_everything() {
    let readme = page("README.md");
    let section = readme.text.split("\n## ").find(|section| section.starts_with("Two commands")).unwrap();
    let section = Page { name: readme.name, text: section.to_owned() };
    assert_eq!(section.commands(), ["cargo run --release -- run --demo", "./tests/run"]);
    let gate = root().join("tests/run");
    assert!(gate.metadata().unwrap().permissions().mode() & 0o111 != 0, "tests/run cannot be executed");
    let ci = read(".ci/run");
    assert!(ci.lines().any(|line| !line.starts_with('#') && line.contains("tests/run")), "CI runs something else");
}

#[test]
fn just_runs_what_the_gate_runs() {
    let gate = read("tests/run").replace("env WATCHBELL_E2E=1", "WATCHBELL_E2E=1");
    let tools = ["cargo fmt --check", "cargo clippy", "cargo nextest"];
    let mut count = 0;
    for line in read("justfile").lines().map(str::trim).filter(|line| tools.iter().any(|tool| line.contains(tool))) {
        assert!(gate.contains(line), "justfile: `{line}` is not in tests/run");
        count += 1;
    }
    assert!(count >= 3);
}

/// The words of a command as a shell has them: what stands in double quotes is one.
fn typed(command: &str) -> Vec<String> {
    let quoted = command.split('"').enumerate();
    let words = quoted.flat_map(|(index, part)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}

#[test]
fn commands_can_be_typed() {
    let mut count = 0;
    for page in pages() {
        for command in page.commands() {
            let command = command.replace("./target/release/watchbell", "watchbell");
            let command = command.replace("cargo run --release --", "watchbell");
            if !command.starts_with("watchbell ") {
                continue;
            }
            if let Err(error) = Cli::try_parse_from(typed(&command)) {
                panic!("{}: `{command}`: {error}", page.name);
            }
            count += 1;
        }
        for line in page.prose() {
            for span in Page::spans(line).into_iter().filter_map(|span| span.strip_prefix("watchbell ")) {
                let mut command = Cli::command();
                for word in
                    span.split_whitespace().take_while(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-'))
                {
                    let has_commands = command.has_subcommands();
                    match command.find_subcommand(word) {
                        Some(found) => command = found.clone(),
                        None => assert!(!has_commands, "{}: there is no command `watchbell {span}`", page.name),
                    }
                }
            }
        }
    }
    assert!(count >= 4);
}

/// Loads a configuration as if every file and variable in it were there; what is wrong with it.
fn check(text: &str, topology: Option<&str>) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let topology = topology.map_or_else(|| read("config/examples/topology.yaml"), str::to_owned);
    std::fs::write(folder.path().join("topology.yaml"), topology).unwrap();
    std::fs::write(folder.path().join("heartbeat.url"), "https://hc.example.org/5f2c\n").unwrap();
    let text = text.replace("/etc/watchbell/heartbeat.url", "heartbeat.url");
    let text = text.replace("/etc/watchbell/", "./secret-");
    let server = Authority::new("ca").server(&["bell.example.org"], ALWAYS);
    for found in Regex::new(r"\./secret-[a-z0-9_.-]+").unwrap().find_iter(&text) {
        let path = folder.path().join(found.as_str());
        let content = match path.extension().and_then(|extension| extension.to_str()) {
            Some("crt") => server.certificate.clone(),
            Some("key") => server.key.clone(),
            _ => format!("{SECRET}\n"),
        };
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let variables = Regex::new(r"\$\{([A-Z_]+)\}").unwrap();
    let variables: Vec<(String, String)> =
        variables.captures_iter(&text).map(|found| (found[1].to_owned(), SECRET.to_owned())).collect();
    let file = folder.path().join("watchbell.yaml");
    std::fs::write(&file, &text).unwrap();
    match config::load(&[file], variables.into_iter()) {
        Ok(_) => Ok(()),
        Err(problems) => Err(problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")),
    }
}

#[test]
fn configurations_pass_the_check() {
    let mut count = 0;
    for page in pages() {
        for block in page.blocks("yaml") {
            let first = block.text.split(':').next().unwrap_or_default();
            let result = match first {
                "nodes" => check("topology: { files: [topology.yaml] }", Some(&block.text)),
                // Rules for Prometheus; their metrics are looked at below.
                "groups" => continue,
                "tests" => check_tests(&block.text),
                _ => check(&block.text, None),
            };
            result.unwrap_or_else(|problems| panic!("{}: {problems}\n{}", page.name, block.text));
            count += 1;
        }
    }
    assert!(count >= 3);
}

/// Sample alerts with what is expected of each.
fn check_tests(text: &str) -> Result<(), String> {
    let read = config::read_alert_tests(text, Path::new("tests.yaml"));
    read.map(drop).map_err(|problems| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_bad_configuration_would_be_noticed() {
    assert!(check("recievers: {}", None).unwrap_err().contains("recievers"));
    assert!(check("topology: { files: [topology.yaml] }", Some("nodes: [{ id: 1, kin: x }]")).is_err());
}

#[test]
fn posted_bodies_are_read() {
    let body = Regex::new(r"(?s)-d '(\{.*?\})'").unwrap();
    let received_at: Timestamp = "2026-11-21T05:01:00Z".parse().unwrap();
    let parse = |kind: &str, body: &str, name: &str| {
        let source = (sources::find(kind).unwrap().build)(&Default::default()).unwrap();
        let inbound = Inbound { source: kind, content_type: "application/json", body: body.as_bytes(), received_at };
        let events = source.parse(&inbound).unwrap_or_else(|error| panic!("{name}: {error}\n{body}")).into_events();
        assert!(events.iter().all(|event| event.extra.is_empty()), "{name}: a field that nobody knows");
    };
    let mut count = 0;
    for page in pages() {
        for block in page.blocks("sh") {
            for found in body.captures_iter(&block.text) {
                let kind = if block.text.contains("/in/changes") { "changes" } else { "generic" };
                parse(kind, &found[1], &page.name);
                count += 1;
            }
        }
    }
    assert!(count >= 2);
    let architecture = page("docs/architecture.md");
    let mut event: serde_json::Value = serde_json::from_str(&architecture.blocks("json")[0].text).unwrap();
    event["source"] = "generic".into();
    parse("generic", &event.to_string(), &architecture.name);
}

#[test]
fn the_webhook_page_shows_a_real_notification() {
    let page = page("docs/webhook.md");
    let body: serde_json::Value = serde_json::from_str(&page.blocks("json")[0].text).unwrap();
    let notification: Notification = serde_json::from_value(body["data"].clone()).unwrap();
    assert_eq!(body["type"], format!("watchbell.incident.{}", notification.kind.as_str()));
    // Reading it and writing it loses nothing, so no field of the page is one that nobody sends.
    assert_eq!(serde_json::to_value(&notification).unwrap(), body["data"]);
}

#[test]
fn the_example_source_has_every_field() {
    let page = page("docs/adding-an-integration.md");
    let example = &page.blocks("rust")[0].text;
    let event = read("src/model/event.rs");
    let fields = event.split("pub struct Event {").nth(1).unwrap().split("\n}").next().unwrap();
    for field in Regex::new(r"(?m)^    pub ([a-z_]+):").unwrap().captures_iter(fields) {
        let is_there = [":", ","].iter().any(|end| example.contains(&format!("            {}{end}", &field[1])));
        assert!(is_there, "the example lacks the field `{}` of `Event`", &field[1]);
    }
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)\s]+)\)").unwrap();
    for page in pages() {
        for found in link.captures_iter(&page.text) {
            let target = found[1].split('#').next().unwrap_or_default();
            if target.is_empty() || target.starts_with("https://") {
                continue;
            }
            let path: PathBuf = root().join(&page.name).parent().unwrap().join(target);
            assert!(path.exists(), "{}: there is no `{target}`", page.name);
        }
    }
}

/// Test names are written after the file that holds them: `src/x/tests.rs`: `this_is_so`, `that_too`.
#[test]
fn files_and_tests_that_are_named_exist() {
    let is_test_name = |span: &str| {
        span.matches('_').count() >= 2
            && span.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            && !span.starts_with("watchbell_")
    };
    let (mut count, mut tests) = (0, 0);
    for page in pages() {
        let mut file: Option<String> = None;
        let prose = page.prose();
        for span in prose.iter().flat_map(|line| Page::spans(line)) {
            let span = span.split("::").next().unwrap_or(span);
            let is_path = ["src/", "tests/", "config/", "docs/", "systemd/", ".ci/"]
                .iter()
                .any(|folder| span.starts_with(folder));
            let is_pattern = span.contains(['<', '*', ' ']);
            // The example of the page on integrations is put there by whoever reads it.
            if is_path && !is_pattern && span != "src/sources/backup.rs" {
                let short = root().join("src").join(span);
                assert!(root().join(span).exists() || short.exists(), "{}: there is no `{span}`", page.name);
                file = Some(span.to_owned());
                count += 1;
            } else if is_test_name(span)
                && let Some(file) = file.as_ref().filter(|file| file.ends_with(".rs"))
                && page.name.ends_with("architecture.md")
            {
                assert!(read(file).contains(&format!("fn {span}(")), "{}: no test `{span}` in `{file}`", page.name);
                tests += 1;
            }
        }
    }
    assert!(count >= 50 && tests >= 20, "{count} files, {tests} tests");
}

#[test]
fn metrics_are_described_and_exist() {
    let name = Regex::new(r"watchbell_[a-z_]+[a-z]").unwrap();
    let source = read("src/telemetry.rs");
    let there: BTreeSet<&str> = Regex::new(r#""(watchbell_[a-z_]+)""#)
        .unwrap()
        .captures_iter(&source)
        .map(|f| f.get(1).unwrap().as_str())
        .collect();
    assert!(there.len() >= 10);
    for page in pages() {
        for found in name.find_iter(&page.text) {
            assert!(there.contains(found.as_str()), "{}: there is no metric `{}`", page.name, found.as_str());
        }
    }
    let table = page("docs/operations.md").text;
    for metric in there {
        assert!(table.contains(&format!("| `{metric}` |")), "docs/operations.md does not describe `{metric}`");
    }
}

#[test]
fn paths_of_the_api_exist() {
    let path = Regex::new(r"(?:/api/v[0-9]|/-|/in)/[A-Za-z0-9_./%~<>{}-]+").unwrap();
    let fits = |pattern: &str, path: &str| {
        let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
        pattern.len() == path.len() && pattern.iter().zip(&path).all(|(a, b)| a.starts_with('{') || a == b)
    };
    let mut count = 0;
    for page in pages() {
        for found in path.find_iter(&page.text) {
            let path = found.as_str().trim_end_matches(['.', ',']);
            let is_there = watchbell::http::ROUTES.iter().any(|route| fits(route.path, path));
            assert!(is_there, "{}: nothing is served at `{path}`", page.name);
            count += 1;
        }
    }
    assert!(count >= 10);
}

#[test]
fn pages_hold_no_path_of_anyones_machine() {
    for page in pages() {
        for folder in ["work", "root", "home"] {
            let word = format!("/{folder}/");
            assert!(!page.text.contains(&word), "{}: `{word}`", page.name);
        }
    }
}
