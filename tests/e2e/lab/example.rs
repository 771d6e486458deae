//! The setups in `config/examples`, adapted to the lab.
//!
//! The lab uses what users are told to copy, so an example that a real monitor refuses
//! fails here. A part to be changed that is not in the file fails as well.

use std::fs;
use std::path::Path;

/// Reads an example and puts the lab's values where the user would put theirs.
pub fn load(file: &str, changes: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples").join(file);
    let mut text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    for (from, to) in changes {
        assert!(text.contains(from), "`{from}` is not in {} any more; tests/e2e/lab replaces it", path.display());
        text = text.replace(from, to);
    }
    text
}
