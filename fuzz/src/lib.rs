//! What the fuzz targets share: sinks built from their own examples, notifications made of foreign
//! text, and what no request may contain.

pub mod engine;
pub mod inert;
pub mod notification;
mod rows;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use watchbell::config;
use watchbell::model::Timestamp;
use watchbell::render::Language;
use watchbell::sinks::{SINKS, Setting, Sink};

/// When everything happens: 2026-11-21T05:12:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_237_920_000);

/// The parts of an input: texts with a zero byte between them, so that a plain file is a seed.
pub fn parts(data: &[u8]) -> Vec<String> {
    data.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned()).collect()
}

/// A folder for the files of one target, in memory where the machine has such a place.
pub fn folder() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let base = if memory.is_dir() { memory } else { std::env::temp_dir() };
    let folder = base.join(format!("watchbell-fuzz-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder for files");
    folder
}

pub type Sinks = BTreeMap<&'static str, Box<dyn Sink>>;

/// Every registered sink, as its own example configures it.
pub fn sinks(language: Language) -> Sinks {
    let file = folder().join("sinks.yaml");
    let mut yaml = String::from("receivers:\n");
    for spec in SINKS {
        yaml.push_str(&format!("  {0}:\n    sinks:\n      - kind: {0}\n", spec.name));
        for line in spec.example.lines().filter(|line| *line != "{}") {
            yaml.push_str(&format!("        {line}\n"));
        }
    }
    let first = SINKS.first().expect("there are sinks").name;
    yaml.push_str(&format!("route: {{ receiver: {first} }}\n"));
    fs::write(&file, yaml).expect("the file can be written");
    let configuration = config::load(&[file], std::iter::empty()).expect("the examples are valid");
    let build = |name: &'static str| {
        let (sink, settings) =
            configuration.sinks.iter().find(|(_, sink)| sink.receiver == name).expect("it is configured");
        let setting = Setting {
            instance: "fra1".into(),
            sink: sink.clone(),
            language,
            time_zone: "UTC".to_owned(),
            public_url: Some("https://watchbell.example".into()),
            go_templates: Default::default(),
        };
        let spec = watchbell::sinks::find(name).expect("it is registered");
        (name, (spec.build)(&settings.table, &setting).expect("the example is valid"))
    };
    SINKS.iter().map(|spec| build(spec.name)).collect()
}
