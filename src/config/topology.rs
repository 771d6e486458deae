//! The `topology` section and the files it names: configuration items and what depends on what. JSON
//! goes straight into the structs, being the form for large inventories; YAML is read entry by entry,
//! so that each fault has its line. Decides which files are sound, never what a fault reaches.

use serde::Deserialize;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::layers;
use super::nagios;
use super::policy::TIER_MAX;
use super::problem::{Place, Problem, Problems};
use super::read::{is_map, join, read};
use super::yaml::{Node, Trail, YamlReader};
use crate::model::cycles::cycles;
use crate::model::topology::{ConfigurationItem, Edge, TopologyFile};

/// Problems reported of one kind and file; the rest is counted.
const LISTED_MAX: usize = 10;

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    files: Paths,
    nagios_objects: Paths,
    /// Read by `zabbix.rs`: what is asked for is not here yet.
    zabbix: serde::de::IgnoredAny,
}

/// One path or a list of them.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a path or a list of paths")]
enum Paths {
    One(String),
    Many(Vec<String>),
}

impl Default for Paths {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Paths {
    fn list(&self) -> &[String] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => paths,
        }
    }
}

/// One file as it was read.
struct Loaded {
    path: Arc<Path>,
    /// To find the line of an id that is there twice.
    text: String,
    topology: TopologyFile,
}

/// Reads every file of the section into one topology, in which every end of an edge is a node.
pub(super) fn read_all(root: &Node, problems: &mut Problems) -> TopologyFile {
    let Some(node) = root.get("topology") else { return TopologyFile::default() };
    let keys: Keys = read(node, "topology", problems).unwrap_or_default();
    let mut loaded = Vec::new();
    for (key, paths) in [("files", &keys.files), ("nagios_objects", &keys.nagios_objects)] {
        for (index, path) in paths.list().iter().enumerate() {
            let item = node.get(key).and_then(|node| node.items().get(index));
            let place = item.map_or(node.place_of(key), |item| &item.place);
            let file = layers::resolve(path, place);
            match std::fs::read(&file) {
                Ok(bytes) => loaded.push(load(&file, key, bytes, problems)),
                Err(error) => {
                    let path =
                        if item.is_some() { format!("topology.{key}[{index}]") } else { format!("topology.{key}") };
                    let message = format!("`{path}`: cannot read `{}`: {error}", file.display());
                    problems.error(place, path, message);
                }
            }
        }
    }
    check_ids(&loaded, problems);
    let topology = unite(loaded, problems);
    warn_cycles(&topology, node.place_of("files"), problems);
    topology
}

/// One topology that stands alone, as whoever pushes it has it: JSON when it begins like that, else YAML.
/// `path` is what its faults call it.
///
/// # Errors
/// Everything that is wrong, in the order of the text.
pub fn read_topology(text: &str, path: &Path) -> Result<TopologyFile, Vec<Problem>> {
    let mut problems = Problems::default();
    let is_json = text.trim_start().starts_with('{');
    let topology = if is_json { read_json(text, path, &mut problems) } else { read_yaml(text, path, &mut problems) };
    let loaded = [Loaded { path: path.into(), text: text.to_owned(), topology }];
    check_ids(&loaded, &mut problems);
    let [Loaded { topology, .. }] = loaded;
    if problems.has_errors() { Err(problems.into_vec()) } else { Ok(topology) }
}

fn load(path: &Path, key: &str, bytes: Vec<u8>, problems: &mut Problems) -> Loaded {
    // Old Nagios files are in the encoding of their site; names in ASCII survive this.
    let text = String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let is_json = path.extension().is_some_and(|extension| extension == "json");
    let topology = match key {
        "nagios_objects" => nagios::parse(&text),
        _ if is_json => read_json(&text, path, problems),
        _ => read_yaml(&text, path, problems),
    };
    Loaded { path: path.into(), text, topology }
}

fn read_json(text: &str, path: &Path, problems: &mut Problems) -> TopologyFile {
    match serde_json::from_str(text) {
        Ok(topology) => {
            check_nodes(&topology, text, path, problems);
            topology
        }
        // The text is JSON but not a topology: the slower reader names every fault. JSON is YAML.
        Err(error) if error.is_data() => {
            let count = problems.len();
            let topology = read_yaml(text, path, problems);
            if problems.len() == count {
                report_json(&error, path, problems);
            }
            topology
        }
        Err(error) => {
            report_json(&error, path, problems);
            TopologyFile::default()
        }
    }
}

fn report_json(error: &serde_json::Error, path: &Path, problems: &mut Problems) {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    problems.push(Problem {
        file: Some(path.to_path_buf()),
        line: u32::try_from(error.line()).ok(),
        column: u32::try_from(error.column()).ok(),
        message: format!("cannot read the file as JSON: {reason}"),
        ..Problem::default()
    });
}

fn read_yaml(text: &str, path: &Path, problems: &mut Problems) -> TopologyFile {
    let mut topology = TopologyFile::default();
    let mut reader = YamlReader::new(text, path);
    if let Err(problem) = read_yaml_into(&mut topology, &mut reader, problems) {
        problems.push(*problem);
    }
    for problem in reader.problems {
        problems.push(problem);
    }
    topology
}

/// Reads the map of lists without ever holding more than one entry as a tree.
fn read_yaml_into<'a>(
    topology: &mut TopologyFile,
    reader: &mut YamlReader<'a>,
    problems: &mut Problems,
) -> Result<(), Box<Problem>> {
    use saphyr_parser::Event;
    let line = loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_) | Event::Nothing | Event::DocumentEnd, _) => {}
            (Event::MappingStart(..), line) => break line,
            (Event::StreamEnd, _) => return Ok(()),
            (_, line) => return Err(reader.fault(line, &Trail::ROOT, "expected a map with `nodes` and `edges`")),
        }
    };
    let mut seen: Vec<String> = Vec::new();
    while let Some((key, key_line)) = reader.key(&Trail::ROOT)? {
        let trail = Trail::ROOT;
        let trail = trail.key(&key);
        if seen.contains(&key) {
            let message = format!("key `{key}` comes twice, the second time in line {key_line}");
            return Err(reader.fault(key_line, &trail, message));
        }
        let (event, value_line) = reader.next()?;
        match (key.as_str(), event) {
            ("nodes" | "edges", Event::SequenceStart(..)) => {
                read_list(topology, &key, reader, problems)?;
            }
            ("nodes" | "edges", Event::Scalar(text, ..)) if text.is_empty() || text == "null" => {}
            ("nodes" | "edges", _) => {
                return Err(reader.fault(value_line, &trail, format!("`{key}`: expected a list")));
            }
            (_, event) => {
                let mut problem = reader.fault(key_line, &trail, format!("unknown key `{key}`"));
                problem.hint = super::read::unknown_hint(&key, &["nodes", "edges"], "keys");
                problems.push(*problem);
                reader.node(event, value_line, &trail)?;
            }
        }
        seen.push(key);
    }
    match reader.next()? {
        (Event::DocumentEnd, _) => Ok(()),
        _ => Err(reader.fault(line, &Trail::ROOT, "expected one map with `nodes` and `edges`")),
    }
}

fn read_list<'a>(
    topology: &mut TopologyFile,
    key: &str,
    reader: &mut YamlReader<'a>,
    problems: &mut Problems,
) -> Result<(), Box<Problem>> {
    let root = Trail::ROOT;
    let list = root.key(key);
    let mut faulty = 0;
    for index in 0.. {
        let (event, line) = reader.next()?;
        if event == saphyr_parser::Event::SequenceEnd {
            break;
        }
        let node = reader.node(event, line, &list.index(index))?;
        let before = problems.len();
        let mut unheard = Problems::default();
        let heard = if faulty < LISTED_MAX { &mut *problems } else { &mut unheard };
        let path = format!("{key}[{index}]");
        if !is_map(&node, &path, heard) {
        } else if key == "nodes" {
            let item: Option<ConfigurationItem> = read(&node, &path, heard);
            if let Some(fault) = item.as_ref().and_then(|item| node_fault(item, &path)) {
                heard.error(node.place_of(fault.0), join(&path, fault.0), fault.1);
            }
            topology.nodes.extend(item);
        } else {
            topology.edges.extend(read::<Edge>(&node, &path, heard));
        }
        faulty += usize::from(problems.len() > before);
        if faulty == LISTED_MAX && unheard.has_errors() {
            let mut problem = reader.fault(line, &list, format!("`{key}` has more faults, from `{path}` on"));
            problem.hint = Some("correct those reported first".to_owned());
            problems.push(*problem);
            faulty += 1;
        }
    }
    Ok(())
}

/// What is wrong with the values of a node: the key and the sentence.
fn node_fault(node: &ConfigurationItem, path: &str) -> Option<(&'static str, String)> {
    if node.id.is_empty() {
        return Some(("id", format!("`{path}.id` is empty")));
    }
    let tier = node.tier.filter(|tier| !(1..=TIER_MAX).contains(tier))?;
    Some(("tier", format!("`{path}.tier`: expected 1 to {TIER_MAX}, got {tier}")))
}

/// Checks the nodes of a file that was read without its lines.
fn check_nodes(topology: &TopologyFile, text: &str, file: &Path, problems: &mut Problems) {
    let mut count = 0;
    for (index, node) in topology.nodes.iter().enumerate() {
        let path = format_args!("nodes[{index}]");
        let is_faulty = node.id.is_empty() || node.tier.is_some_and(|tier| !(1..=TIER_MAX).contains(&tier));
        if !is_faulty {
            continue;
        }
        count += 1;
        if let Some((key, message)) = node_fault(node, &path.to_string()).filter(|_| count <= LISTED_MAX) {
            let line = lines_of(text, &node.id).first().copied().unwrap_or(0);
            problems.error(&Place::file(&file.into(), line), format!("{path}.{key}"), message);
        }
    }
    if count > LISTED_MAX {
        let message = format!("{} more nodes have such faults", count - LISTED_MAX);
        problems.error(&Place::file(&file.into(), 0), "nodes", message);
    }
}

/// Ids that are there twice, in one file or in two.
fn check_ids(loaded: &[Loaded], problems: &mut Problems) {
    let mut first: HashMap<&str, usize> = HashMap::new();
    let mut count = 0;
    for (at, file) in loaded.iter().enumerate() {
        for node in file.topology.nodes.iter().filter(|node| !node.id.is_empty()) {
            let Some(earlier) = first.insert(&node.id, at) else { continue };
            count += 1;
            if count <= LISTED_MAX {
                let lines = lines_of(&file.text, &node.id);
                let message = duplicate_message(&node.id, &loaded[earlier], file, &lines);
                let place = Place::file(&file.path, lines.last().copied().unwrap_or(0));
                problems.error(&place, "nodes", message);
            }
        }
    }
    if count > LISTED_MAX {
        let message = format!("{} more nodes are there more than once", count - LISTED_MAX);
        problems.error(&Place::BuiltIn, "topology", message);
    }
}

fn duplicate_message(id: &str, earlier: &Loaded, file: &Loaded, lines: &[u32]) -> String {
    if earlier.path != file.path {
        let line = lines_of(&earlier.text, id).first().map(|line| format!(":{line}")).unwrap_or_default();
        return format!("node `{id}` is also in `{}{line}`", earlier.path.display());
    }
    let lines: Vec<String> = lines.iter().map(u32::to_string).collect();
    match lines.split_last() {
        Some((last, rest)) if !rest.is_empty() => {
            format!("node `{id}` is there more than once: in lines {} and {last}", rest.join(", "))
        }
        _ => format!("node `{id}` is there more than once"),
    }
}

/// Lines on which a node with this id begins; searched only when there is something to report.
fn lines_of(text: &str, id: &str) -> Vec<u32> {
    let pattern = format!(r#"(?m)(?:["']?\bid["']?\s*:|\bhost_name)\s*["']?{}["']?\s*(?:[,}}#]|$)"#, regex::escape(id));
    let Ok(pattern) = regex::Regex::new(&pattern) else { return Vec::new() };
    let (mut lines, mut line, mut at) = (Vec::new(), 1, 0);
    for found in pattern.find_iter(text).take(LISTED_MAX) {
        line += text[at..found.start()].bytes().filter(|byte| *byte == b'\n').count() as u32;
        at = found.start();
        lines.push(line);
    }
    lines
}

/// One topology of all files; ends of edges that no file describes become plain nodes.
fn unite(loaded: Vec<Loaded>, problems: &mut Problems) -> TopologyFile {
    let mut topology = TopologyFile::default();
    let mut edges = Vec::new();
    for file in loaded {
        topology.nodes.extend(file.topology.nodes);
        edges.push((file.path, file.topology.edges));
    }
    let known: std::collections::HashSet<&str> =
        topology.nodes.iter().flat_map(|node| node.aliases.iter().chain([&node.id])).map(String::as_str).collect();
    let mut created: Vec<String> = Vec::new();
    for (path, edges) in &edges {
        let mut unknown: Vec<&str> = edges.iter().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]).collect();
        unknown.retain(|name| !known.contains(name));
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            continue;
        }
        let listed = super::problem::quoted(unknown.iter().copied().take(LISTED_MAX));
        let more = unknown.len().saturating_sub(LISTED_MAX);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let message = format!("edges name items that no node describes: {listed}{more}");
        problems.warning(&Place::file(path, 0), "edges", message).hint =
            Some("they are created as plain items; add them to `nodes` if that is not a slip".to_owned());
        created.extend(unknown.into_iter().map(str::to_owned));
    }
    created.sort_unstable();
    created.dedup();
    topology.nodes.extend(created.into_iter().map(|id| ConfigurationItem { id, ..ConfigurationItem::default() }));
    topology.edges = edges.into_iter().flat_map(|(_, edges)| edges).collect();
    topology
}

fn warn_cycles(topology: &TopologyFile, place: &Place, problems: &mut Problems) {
    let cycles = cycles(topology.dependencies());
    for cycle in cycles.iter().take(LISTED_MAX) {
        let message = format!("items depend on each other in a circle: {}", cycle.join(" -> "));
        problems.warning(place, "topology", message).hint =
            Some("the cause is then searched among all of them; remove the edge that is not a dependency".to_owned());
    }
    if cycles.len() > LISTED_MAX {
        problems.warning(place, "topology", format!("{} more such circles", cycles.len() - LISTED_MAX));
    }
}
