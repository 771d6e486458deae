//! Any text as a topology in each of its forms: JSON, YAML, and Nagios' own objects.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use watchbell::cli::send::macros::parents_of;
use watchbell::config::load;
use watchbell::engine::input::Input;
use watchbell::engine::state::{Snapshot, State};
use watchbell::engine::step;
use watchbell_fuzz::{NOW, folder};

/// The configuration that names the file, and the file.
static FORMS: LazyLock<Vec<(PathBuf, PathBuf)>> = LazyLock::new(|| {
    let form = |(key, name): (&str, &str)| {
        let (configuration, file) = (folder().join(format!("{name}.config.yaml")), folder().join(name));
        fs::write(&configuration, format!("topology: {{ {key}: {name} }}\n")).expect("the file can be written");
        (configuration, file)
    };
    [("files", "topology.json"), ("files", "topology.yaml"), ("nagios_objects", "objects.cache")].map(form).to_vec()
});

fuzz_target!(|data: &[u8]| {
    for (configuration, file) in FORMS.iter() {
        fs::write(file, data).expect("the file can be written");
        match load(std::slice::from_ref(configuration), std::iter::empty()) {
            Ok(configuration) => {
                let topology = &configuration.policy.topology;
                for end in topology.edges.iter().flat_map(|edge| [&edge.from, &edge.to]) {
                    let is_known = topology.nodes.iter().any(|node| node.id == *end || node.aliases.contains(end));
                    assert!(is_known, "an edge to nowhere: {end:?}");
                }
                let mut state = State::restore(Snapshot::default()).expect("nothing can be read");
                step(&mut state, NOW, Input::Configured { policy: Box::new(configuration.policy) });
            }
            Err(problems) => assert!(!problems.is_empty(), "refused without a reason"),
        }
    }
    let objects = &FORMS.last().expect("there are forms").1;
    let _ = parents_of("web1", objects).expect("the file can be read");
});
