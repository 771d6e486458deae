//! The `templates` that the texts of `alertmanager_…` sinks call: files of named Go templates, by patterns as Go's
//! `filepath.Glob` has them. Decides which files are meant; what is in them is `render/go_template`'s matter.

use regex::Regex;
use std::path::{Component, Path, PathBuf};

use super::layers::resolve;
use super::problem::Problems;
use super::read::{items, kind_of};
use super::yaml::Node;
use crate::render::GoTemplates;

const SECTION: &str = "templates";
/// Bytes of one file.
const FILE_BYTES_MAX: u64 = 4 << 20;

pub(super) fn read_all(root: &Node, problems: &mut Problems) -> GoTemplates {
    let mut templates = GoTemplates::default();
    for (index, node) in items(root, SECTION, "", problems).iter().enumerate() {
        let path = format!("{SECTION}[{index}]");
        let Some(pattern) = node.text() else {
            let message = format!("`{path}`: expected the path of a file, got {}", kind_of(node));
            problems.error(&node.place, &path, message);
            continue;
        };
        let files = match find(&resolve(pattern, &node.place)) {
            Ok(files) => files,
            Err(reason) => {
                problems.error(&node.place, &path, format!("`{path}`: {reason}"));
                continue;
            }
        };
        if files.is_empty() {
            problems.warning(&node.place, &path, format!("`{path}`: no file matches `{pattern}`"));
        }
        for file in files {
            if let Err(reason) = add(&file, &mut templates) {
                problems.error(&node.place, &path, format!("`{path}`: {reason}"));
            }
        }
    }
    templates
}

fn add(file: &Path, templates: &mut GoTemplates) -> Result<(), String> {
    let shown = file.display().to_string();
    let unreadable = |error: std::io::Error| format!("cannot read `{shown}`: {error}");
    if std::fs::metadata(file).map_err(unreadable)?.len() > FILE_BYTES_MAX {
        return Err(format!("`{shown}` has more than {FILE_BYTES_MAX} bytes"));
    }
    let source = std::fs::read_to_string(file).map_err(unreadable)?;
    templates.add(&shown, &source).map_err(|error| error.to_string())
}

/// The files that a pattern names, in the order of their names; a pattern without wildcards names one file if it is
/// there.
fn find(pattern: &Path) -> Result<Vec<PathBuf>, String> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let text = component.as_os_str().to_string_lossy();
        let is_pattern = matches!(component, Component::Normal(_)) && text.contains(['*', '?', '[', '\\']);
        if !is_pattern {
            found.iter_mut().for_each(|path| path.push(component));
            continue;
        }
        let regex = to_regex(&text).ok_or_else(|| format!("`{text}` is no pattern of file names"))?;
        found = found.iter().flat_map(|folder| matching(folder, &regex)).collect();
    }
    found.retain(|path| path.exists());
    Ok(found)
}

fn matching(folder: &Path, regex: &Regex) -> Vec<PathBuf> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter(|entry| regex.is_match(&entry.file_name().to_string_lossy()));
    let mut paths: Vec<PathBuf> = names.map(|entry| folder.join(entry.file_name())).collect();
    paths.sort();
    paths
}

/// `*`, `?`, `[a-z]`, `[^a]` and `\` before what stands for itself.
fn to_regex(pattern: &str) -> Option<Regex> {
    let mut regex = String::from("^");
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '*' => regex.push_str(".*"),
            '?' => regex.push('.'),
            '\\' => regex.push_str(&regex::escape(&chars.next()?.to_string())),
            '[' => {
                let (class, rest) = chars.as_str().split_once(']').filter(|(class, _)| !class.is_empty())?;
                regex.push_str(&format!("[{}]", class.replace('[', "\\[").replace("&&", "&\\&")));
                chars = rest.chars();
            }
            c => regex.push_str(&regex::escape(&c.to_string())),
        }
    }
    Regex::new(&format!("(?s){regex}$")).ok()
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn patterns_name_files_as_in_go() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("sub")).unwrap();
        for name in ["b.tmpl", "a.tmpl", "a.txt", "sub/c.tmpl", "[x].tmpl"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let check = |pattern: &str, expected: &[&str]| {
            let found = find(&folder.path().join(pattern)).unwrap();
            let expected: Vec<_> = expected.iter().map(|name| folder.path().join(name)).collect();
            assert_eq!(found, expected, "{pattern}");
        };
        check("*.tmpl", &["[x].tmpl", "a.tmpl", "b.tmpl"]);
        check("?.tmpl", &["a.tmpl", "b.tmpl"]);
        check("[^a].tmpl", &["b.tmpl"]);
        check(r"\[x].tmpl", &["[x].tmpl"]);
        check("*/*.tmpl", &["sub/c.tmpl"]);
        check("a.txt", &["a.txt"]);
        check("none.txt", &[]);
        assert!(find(&folder.path().join("[")).is_err());
    }
}
