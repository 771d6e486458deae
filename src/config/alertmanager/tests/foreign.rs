//! Files of others, which are no part of this project: those in the directory that `WATCHBELL_ALERTMANAGER_FILES`
//! names, and `../shared/corpora/alertmanager`. Whatever loads must survive an import.

use std::path::{Path, PathBuf};

use super::*;

fn folders() -> Vec<PathBuf> {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora/alertmanager");
    let named = std::env::var_os("WATCHBELL_ALERTMANAGER_FILES").map(PathBuf::from);
    named.into_iter().chain([shared]).filter(|folder| folder.is_dir()).collect()
}

#[test]
fn what_loads_is_imported_to_the_same() {
    let files = folders().into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    let files: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml"))
        .collect();
    if files.is_empty() {
        println!("skipped: WATCHBELL_ALERTMANAGER_FILES names no directory with files of Alertmanager's");
    }
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let scene = Scene::new(&text);
        match load_with(&scene.path("alertmanager.yml"), &kinds()) {
            Ok(_) => {
                check_export(&scene);
                println!("{}: loads, and so does what is imported", path.display());
            }
            Err(problems) => {
                assert!(problems.iter().all(|problem| problem.file.is_some()), "{}: {problems:?}", path.display());
                println!("{}: refused\n{}", path.display(), scene.shown(&problems));
            }
        }
    }
}
