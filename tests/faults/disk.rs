//! The failing disk as the tests hold it: how a daemon is put on it, what happened there, and what a power
//! loss leaves of it. Says nothing about what the daemon should do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::{Random, Site};
use tempfile::TempDir;

/// Exit code of a process that the disk ended.
pub const CRASHED: i32 = 137;

/// Built once for each process of the tests.
fn shim() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a temporary folder");
        let path = folder.path().join("shim.so");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/shim.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&path).arg(source);
        let status = compiler.args(["-ldl", "-lpthread"]).status().expect("a C compiler, `cc`");
        assert!(status.success(), "shim.c cannot be built");
        (folder, path)
    });
    path
}

/// What happens at one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    None,
    /// `EIO`, once or from there on.
    Error {
        at: usize,
        stays: bool,
    },
    /// `ENOSPC`, once or from there on.
    Full {
        at: usize,
        stays: bool,
    },
    /// Half of a write; where it stays, `ENOSPC` for every later one.
    Short {
        at: usize,
        stays: bool,
    },
    /// The process ends.
    Crash {
        at: usize,
    },
}

/// How much of what was not synced a power loss takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it.
    Everything,
    /// Some pages of 4 KiB and some of the folder's changes.
    Pages(u64),
    /// As above, but by sectors of 512 bytes: pages are torn.
    Sectors(u64),
}

pub struct Disk {
    folder: TempDir,
    store: PathBuf,
}

impl Disk {
    pub fn new(site: &Site) -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder"), store: site.store_path() }
    }

    /// The environment of a daemon on this disk.
    pub fn variables(&self, fault: Fault) -> Vec<(&'static str, String)> {
        let (kind, at, stays) = match fault {
            Fault::None => ("none", 0, false),
            Fault::Error { at, stays } => ("eio", at, stays),
            Fault::Full { at, stays } => ("enospc", at, stays),
            Fault::Short { at, stays } => ("short", at, stays),
            Fault::Crash { at } => ("crash", at, false),
        };
        vec![
            ("LD_PRELOAD", shim().display().to_string()),
            ("FAULTS_PREFIX", self.store.display().to_string()),
            ("FAULTS_DIR", self.folder.path().display().to_string()),
            ("FAULTS_KIND", kind.to_owned()),
            ("FAULTS_AT", at.to_string()),
            ("FAULTS_LASTS", if stays { "on" } else { "once" }.to_owned()),
        ]
    }

    /// What happens from here on, see `shim.c`.
    pub fn tell(&self, what: &str) {
        fs::write(self.folder.path().join(what), "").expect("a marker");
    }

    pub fn tell_no_more(&self, what: &str) {
        fs::remove_file(self.folder.path().join(what)).expect("a marker");
    }

    /// Every call of every process so far, in order: number, call, file.
    pub fn calls(&self) -> Vec<String> {
        let list = fs::read_to_string(self.folder.path().join("calls")).unwrap_or_default();
        list.lines().map(str::to_owned).collect()
    }

    pub fn has_struck(&self) -> bool {
        self.calls().iter().any(|call| call.ends_with(" FAULT"))
    }

    /// Leaves what a power loss would. No process may use the files any more.
    pub fn lose_power(&self, loss: Loss) {
        let mut chance = match loss {
            Loss::Everything => None,
            Loss::Pages(seed) | Loss::Sectors(seed) => Some(Random::new(seed)),
        };
        let unit = if matches!(loss, Loss::Sectors(_)) { 512 } else { 4_096 };
        let (now, then) = (self.names_now(), self.names_then());
        let names: BTreeSet<&String> = now.keys().chain(then.keys()).collect();
        let mut left: Vec<(&String, Vec<u8>)> = Vec::new();
        for name in names {
            let (is_new, was_there) = (now.get(name), then.get(name));
            let inode = if is_new == was_there || !is_kept(&mut chance) { was_there } else { is_new };
            let Some(inode) = inode else { continue };
            let image = fs::read(self.image(*inode)).unwrap_or_default();
            let holder = now.iter().find(|(_, other)| *other == inode);
            // A file without a name any more has lost what was not synced.
            let current = holder.map_or_else(|| image.clone(), |(name, _)| read(&self.directory().join(name)));
            left.push((name, mix(&current, &image, unit, &mut chance)));
        }
        for entry in self.entries() {
            fs::remove_file(entry).expect("a file of the store can be removed");
        }
        for (name, bytes) in left {
            let path = self.directory().join(name);
            fs::write(&path, bytes).expect("a file of the store can be written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode can be set");
        }
        fs::remove_dir_all(self.folder.path().join("disk")).expect("what was synced is in place now");
    }

    fn directory(&self) -> &Path {
        self.store.parent().expect("the store is in a folder")
    }

    fn image(&self, inode: u64) -> PathBuf {
        self.folder.path().join(format!("disk/{inode}"))
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.directory()).expect("the store's folder");
        let paths = entries.map(|entry| entry.expect("an entry").path());
        paths
            .filter(|path| path.as_os_str().as_encoded_bytes().starts_with(self.store.as_os_str().as_encoded_bytes()))
            .collect()
    }

    fn names_now(&self) -> BTreeMap<String, u64> {
        let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
        let entries = self.entries().into_iter().map(|path| (name(&path), read_inode(&path)));
        entries.filter(|(name, _)| !name.ends_with("-shm")).collect()
    }

    fn names_then(&self) -> BTreeMap<String, u64> {
        let names = fs::read_to_string(self.folder.path().join("disk/names")).unwrap_or_default();
        let pair =
            |line: &str| line.split_once(' ').map(|(inode, name)| (name.to_owned(), inode.parse().expect("a number")));
        names.lines().filter_map(pair).collect()
    }
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).expect("a file of the store can be read")
}

fn read_inode(path: &Path) -> u64 {
    fs::metadata(path).expect("a file of the store is there").ino()
}

/// Whether something that was not synced made it to the disk.
fn is_kept(chance: &mut Option<Random>) -> bool {
    chance.as_mut().is_some_and(|random| random.between(0, 2) == 1)
}

fn mix(current: &[u8], image: &[u8], unit: usize, chance: &mut Option<Random>) -> Vec<u8> {
    let length = if is_kept(chance) { current.len() } else { image.len() };
    let mut mixed = vec![0; length];
    for from in (0..length).step_by(unit) {
        let to = length.min(from + unit);
        let part = |bytes: &[u8]| bytes.get(from..to.min(bytes.len())).unwrap_or_default().to_vec();
        let (new, old) = (part(current), part(image));
        let kept = if new == old || is_kept(chance) { new } else { old };
        mixed[from..from + kept.len()].copy_from_slice(&kept);
    }
    mixed
}
