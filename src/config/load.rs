//! Reads the layers and hands them to `validate.rs`. The only part of the configuration that asks the
//! system anything: files, who we are, and what time it is.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::layers;
use super::problem::{Place, Problem, Problems};
use super::schema::Configuration;
use super::validate::{Context, Kinds, validate};
use super::yaml::{self, Node};
use crate::clock::Clock;
use crate::engine::policy::NotifyBy;
use crate::model::Timestamp;

/// Reads the configuration: built-in values < `files` in their order < `WATCHBELL__…` variables.
/// Without a file it is the built-in one: loopback, SQLite in the state directory, sinks to the log.
///
/// # Errors
/// Everything that is wrong, errors and warnings, in the order of the files.
pub fn load(
    files: &[PathBuf],
    environment: impl Iterator<Item = (String, String)>,
) -> Result<Configuration, Vec<Problem>> {
    let environment: BTreeMap<String, String> = environment.collect();
    load_with(files, &environment, &Kinds::installed(), is_root(), Clock::System.now())
}

/// As [`load`], with the integrations, the user and the time given.
pub(super) fn load_with(
    files: &[PathBuf],
    environment: &BTreeMap<String, String>,
    kinds: &Kinds,
    is_root: bool,
    now: Timestamp,
) -> Result<Configuration, Vec<Problem>> {
    let mut problems = Problems::default();
    let mut root = Node::map(Place::BuiltIn);
    for file in files {
        if let Some(mut layer) = read_file(file, &mut problems) {
            layers::expand(&mut layer, "", environment, &mut problems);
            if files.len() == 1 {
                // Problems of the file as a whole name it.
                root.place = layer.place.clone();
            }
            layers::merge(&mut root, layer);
        }
    }
    layers::apply_environment(&mut root, environment, &mut problems);
    layers::read_secrets(&mut root, &mut problems);
    let notify_by = NotifyBy::default();
    let mut context = Context { environment, kinds, is_root, now, has_files: !files.is_empty(), notify_by, problems };
    // A file that could not be read would make everything else look wrong too.
    let is_readable = !context.problems.has_unreadable();
    let configuration = if is_readable { validate(&root, &mut context) } else { None };
    let has_errors = context.problems.has_errors();
    let problems = context.problems.into_vec();
    match configuration {
        Some(configuration) if !has_errors => Ok(Configuration { warnings: problems, ..configuration }),
        _ => Err(problems),
    }
}

fn read_file(path: &Path, problems: &mut Problems) -> Option<Node> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            problems.error(&Place::file(&path.into(), 0), "", format!("cannot read the file: {error}"));
            problems.unreadable();
            return None;
        }
    };
    let (node, faults) = yaml::parse(&text, path);
    for problem in faults {
        problems.push(problem);
    }
    let node = node.filter(|node| {
        let is_map = matches!(node.value, yaml::Value::Map(_) | yaml::Value::Null);
        if !is_map {
            problems.error(&node.place, "", "expected a map of settings such as `listen: 127.0.0.1:9494`");
        }
        is_map
    });
    if node.is_none() {
        problems.unreadable();
    }
    node
}

/// Whether this process runs as root: the owner of its own entry in `/proc` is the effective user.
fn is_root() -> bool {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::fs::MetadataExt;
        std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
    }
    #[cfg(not(target_os = "linux"))]
    false
}
