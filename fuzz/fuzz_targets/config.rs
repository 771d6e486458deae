//! Any files and variables as the configuration: accepted, or refused with problems that can be found.
#![no_main]

use std::path::PathBuf;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use watchbell::config::load;
use watchbell::engine::policy::Policy;
use watchbell_fuzz::{folder, parts};

static FILES: LazyLock<[PathBuf; 2]> = LazyLock::new(|| ["a.yaml", "b.yaml"].map(|name| folder().join(name)));

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let layers = parts.len().min(FILES.len());
    for (file, text) in FILES.iter().zip(&parts) {
        std::fs::write(file, text).expect("the file can be written");
    }
    let variables = parts.get(FILES.len()).into_iter().flat_map(|text| text.lines());
    let variables: Vec<_> =
        variables.filter_map(|line| line.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect();
    match load(&FILES[..layers], variables.into_iter()) {
        Ok(configuration) => {
            // The policy stands in the journal and in the store; a start reads it from there.
            let stored = serde_json::to_value(&configuration.policy).expect("a policy is JSON");
            let read: Policy = serde_json::from_value(stored).expect("a stored policy can be read");
            assert_eq!(read, configuration.policy);
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            for problem in problems {
                assert!(!problem.message.trim().is_empty());
                let texts = [Some(&problem.message), Some(&problem.path), problem.hint.as_ref()];
                let is_steering = |text: &&String| text.contains(char::is_control);
                assert!(!texts.into_iter().flatten().any(|text| is_steering(&text)), "{problem:?}");
            }
        }
    }
});
