//! Nagios' own record of its objects (`objects.cache`) as topology: hosts are nodes, `parents` and host
//! dependencies are edges. Reads nothing else of it; a service has no node of its own.
//!
//! ```text
//! define host { host_name web1  parents sw1 }   →   node web1, edge web1 -> sw1
//! ```

use std::collections::BTreeMap;

use crate::model::topology::{ConfigurationItem, Edge, EdgeKind, TopologyFile};

/// Reads the file; lines that are no object are passed over, as Nagios does with comments.
pub(super) fn parse(text: &str) -> TopologyFile {
    let mut file = TopologyFile::default();
    let mut object: Option<(&str, BTreeMap<&str, &str>)> = None;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("define ") {
            let kind = rest.split(['{', ' ', '\t']).next().unwrap_or("");
            object = Some((kind, BTreeMap::new()));
        } else if line == "}" {
            match object.take() {
                Some(("host", keys)) => add_host(&keys, &mut file),
                Some(("hostdependency", keys)) => add_dependency(&keys, &mut file),
                _ => {}
            }
        } else if let Some((_, keys)) = &mut object
            && let Some((key, value)) = line.split_once([' ', '\t'])
            && !line.starts_with(['#', ';'])
        {
            keys.insert(key, value.trim());
        }
    }
    file.drop_shared_aliases();
    file
}

fn names<'a>(keys: &BTreeMap<&str, &'a str>, key: &str) -> impl Iterator<Item = &'a str> {
    // A leading `+` adds to an inherited list.
    let list = keys.get(key).copied().unwrap_or("").trim_start_matches('+');
    list.split(',').map(str::trim).filter(|name| !name.is_empty() && *name != "null")
}

fn add_host(keys: &BTreeMap<&str, &str>, file: &mut TopologyFile) {
    // Without a name it is a template.
    let Some(id) = keys.get("host_name").filter(|name| !name.is_empty()) else { return };
    let mut aliases: Vec<String> = Vec::new();
    for name in ["address", "display_name", "alias"].iter().filter_map(|key| keys.get(key)) {
        if name != id && !name.is_empty() && !aliases.iter().any(|alias| alias == name) {
            aliases.push((*name).to_owned());
        }
    }
    for parent in names(keys, "parents") {
        file.edges.push(Edge { from: (*id).to_owned(), to: parent.to_owned(), kind: EdgeKind::DependsOn });
    }
    file.nodes.push(ConfigurationItem {
        id: (*id).to_owned(),
        kind: Some("host".to_owned()),
        aliases,
        ..ConfigurationItem::default()
    });
}

fn add_dependency(keys: &BTreeMap<&str, &str>, file: &mut TopologyFile) {
    for from in names(keys, "dependent_host_name") {
        for to in names(keys, "host_name") {
            file.edges.push(Edge { from: from.to_owned(), to: to.to_owned(), kind: EdgeKind::DependsOn });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OBJECTS: &str = "\
# written by nagios
define host {
\thost_name\tsw1
\tdisplay_name\tsw1
\taddress\t10.0.0.1
\t}
define host{
\thost_name\tweb1
\talias\tWeb server one
\taddress\t10.0.0.9
\tparents\tsw1,sw2
\t}
define host {
\thost_name\tweb2
\taddress\t10.0.0.9
\t}
define service {
\thost_name\tweb1
\tservice_description\tHTTP
\t}
define hostdependency {
\thost_name\tdb1
\tdependent_host_name\tweb1,web2
\t}
";

    #[test]
    fn hosts_become_nodes_and_parents_become_edges() {
        let file = parse(OBJECTS);
        let nodes: Vec<_> = file.nodes.iter().map(|node| format!("{} {:?}", node.id, node.aliases)).collect();
        assert_eq!(nodes, [r#"sw1 ["10.0.0.1"]"#, r#"web1 ["Web server one"]"#, "web2 []"]);
        let edges: Vec<_> = file.edges.iter().map(|edge| format!("{} -> {}", edge.from, edge.to)).collect();
        assert_eq!(edges, ["web1 -> sw1", "web1 -> sw2", "web1 -> db1", "web2 -> db1"]);
    }

    #[test]
    fn a_truncated_file_gives_what_was_complete() {
        let file = parse(&OBJECTS[..OBJECTS.find("parents").unwrap()]);
        assert_eq!(file.nodes.len(), 1);
        assert!(parse("define").nodes.is_empty() && parse("}\n}").nodes.is_empty());
    }
}
