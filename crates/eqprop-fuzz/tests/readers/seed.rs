//! The files that targets start from, in `seeds/TARGET/`.

use std::fs;
use std::path::{Path, PathBuf};

/// Files by name.
pub type Files = Vec<(String, Vec<u8>)>;

/// The name under which a seed that is a single file is read.
pub const FILE: &str = "file";

/// A file, or the files of a folder.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Its name; those of valid files begin with `valid`.
    pub name: String,
    /// The files.
    pub files: Files,
}

/// The folder with the seeds of a target.
fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target)
}

/// All seeds of a target, by name.
pub fn all(target: &str) -> Vec<Seed> {
    let folder = folder(target);
    let mut seeds: Vec<_> = entries(&folder)
        .map(|path| Seed {
            name: name(&path),
            files: if path.is_dir() {
                entries(&path).map(|path| read(&path)).collect()
            } else {
                vec![(FILE.to_string(), fs::read(&path).unwrap())]
            },
        })
        .collect();
    seeds.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(!seeds.is_empty(), "no seeds in {}", folder.display());
    seeds
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter()
}

fn read(path: &Path) -> (String, Vec<u8>) {
    (name(path), fs::read(path).unwrap())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap().to_str().unwrap().to_string()
}
