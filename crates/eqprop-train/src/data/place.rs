//! Search for the files of a data set in common folder layouts.
//!
//! MNIST and Fashion-MNIST have the same file names, so a folder named after the data set takes precedence
//! over the directory that contains it, and is never passed over: otherwise, if that folder lacked a file,
//! the files of the other data set would be used.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use super::{Contents, DataError, DatasetKind, Hint, Incomplete};

/// Largest number of folders of a directory to search for an explanation of missing files.
const MAX_EXPLAINED: usize = 50;

/// Location of the files of a data set.
#[derive(Debug)]
pub(super) struct Located<const N: usize> {
    /// Directory of the files.
    pub(super) place: PathBuf,
    /// Paths of the files, in the order of their names.
    pub(super) paths: [PathBuf; N],
}

/// Finds the files `names` of `kind` in the first place for `dir` that holds all of them.
///
/// Files of two places are never mixed: they may not belong together.
pub(super) fn locate<const N: usize>(
    kind: DatasetKind,
    dir: &Path,
    names: [&'static str; N],
) -> Result<Located<N>, DataError> {
    if !dir.is_dir() {
        let parent = dir.parent().map(|parent| match parent.as_os_str() {
            name if name.is_empty() => Path::new("."),
            _ => parent,
        });
        return Err(DataError::NotADirectory {
            path: dir.into(),
            beside: parent.filter(|path| path.is_dir()).map(Contents::of),
        });
    }
    let (places, is_passed_over) = places(kind, dir);
    let mut incomplete = Vec::with_capacity(places.len());
    for place in places {
        let found = names.map(|name| find(&place, name));
        let missing = names.iter().zip(&found).filter(|(_, path)| path.is_none());
        let missing: Vec<_> = missing.map(|(&name, _)| name).collect();
        if missing.is_empty() {
            let paths = found.map(|path| path.expect("each was just seen to be there"));
            return Ok(Located { place, paths });
        }
        incomplete.push(Incomplete {
            missing,
            contents: Contents::of(&place),
        });
    }
    Err(DataError::MissingFiles {
        kind,
        passed_over: is_passed_over.then(|| dir.into()),
        incomplete,
        hints: hints(kind, dir),
    })
}

/// Returns the data set that a directory is named after, or, if it is called `raw`, its parent.
pub(super) fn named_after(dir: &Path) -> Option<DatasetKind> {
    let dir = fs::canonicalize(dir).ok()?;
    let dir = match dir.file_name() {
        Some(name) if name == "raw" => dir.parent()?,
        _ => &dir,
    };
    let name = dir.file_name()?;
    // All splits of EMNIST share a folder, whose name does not identify the split.
    let mut kinds = DatasetKind::ALL.into_iter();
    kinds.find(|&kind| !kind.is_transposed() && is_name(name, kind))
}

/// Returns the folders to search for `dir`, in order, and whether `dir` itself is passed over.
fn places(kind: DatasetKind, dir: &Path) -> (Vec<PathBuf>, bool) {
    let named = folders_named(kind, dir);
    let nested = |folder: PathBuf| {
        let inner = folders_named(kind, &folder);
        [with_raw(folder), inner].concat()
    };
    let mut places: Vec<_> = named.into_iter().flat_map(nested).collect();
    let is_unique = !has_names_of_mnist(kind) || named_after(dir) == Some(kind);
    let is_passed_over = !places.is_empty() && !is_unique;
    if !is_passed_over {
        places.extend(with_raw(dir.into()));
    }
    (places, is_passed_over)
}

/// Returns whether its files have the same names as those of MNIST.
pub(super) fn has_names_of_mnist(kind: DatasetKind) -> bool {
    kind.idx_files() == DatasetKind::Mnist.idx_files()
}

/// Returns a directory, and the folder `raw` in it, where torchvision keeps the files.
fn with_raw(dir: PathBuf) -> Vec<PathBuf> {
    let raw = dir.join("raw");
    let mut both = vec![dir];
    if raw.is_dir() {
        both.push(raw);
    }
    both
}

/// Returns the folders of `dir` that are named after the data set, in the order of their names.
fn folders_named(kind: DatasetKind, dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let named = entries.filter(|entry| is_name(&entry.file_name(), kind));
    let paths = named.map(|entry| entry.path());
    let mut folders: Vec<_> = paths.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Returns whether this is a common name of the data set.
fn is_name(name: &OsStr, kind: DatasetKind) -> bool {
    let names: &[&str] = match kind {
        DatasetKind::Digits => &[],
        DatasetKind::Mnist => &["mnist"],
        DatasetKind::FashionMnist => &["fashionmnist", "fashion", "fmnist"],
        DatasetKind::Cifar10 => &["cifar10", "cifar10batchesbin", "cifar10binary"],
        DatasetKind::Kmnist => &["kmnist", "kuzushijimnist"],
        DatasetKind::Qmnist => &["qmnist"],
        DatasetKind::Cifar100 => &["cifar100", "cifar100binary"],
        // One folder for all of its splits, whose files have distinct names.
        DatasetKind::EmnistBalanced
        | DatasetKind::EmnistByClass
        | DatasetKind::EmnistByMerge
        | DatasetKind::EmnistDigits
        | DatasetKind::EmnistLetters
        | DatasetKind::EmnistMnist => &["emnist", "gzip"],
    };
    let name = letters_and_digits(name);
    names.contains(&name.as_str()) || name == letters_and_digits(kind.name().as_ref())
}

/// Reduces a name to its letters and digits: `FashionMNIST`, `fashion_mnist` and `Fashion-MNIST` are the
/// same.
fn letters_and_digits(name: &OsStr) -> String {
    let name = name.to_string_lossy().to_ascii_lowercase();
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// Finds a file in a folder: under its published name, plain or compressed, with a dot as on Kaggle, in a
/// folder of its own name as Kaggle packs it, or in a folder named after its split.
fn find(place: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let is_test = name.starts_with("t10k") || name.contains("test");
    let split = if is_test { "test" } else { "train" };
    let folders = ["", name, &dotted, split];
    let candidates = folders.iter().flat_map(|folder| {
        [name, &dotted].map(|name| {
            let folder = place.join(folder);
            [folder.join(name), folder.join(format!("{name}.gz"))]
        })
    });
    candidates.flatten().find(|path| path.is_file())
}

/// Returns possible explanations for missing files of `kind`.
fn hints(kind: DatasetKind, dir: &Path) -> Vec<Hint> {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths.truncate(MAX_EXPLAINED);
    let paths = std::iter::once(dir.to_path_buf()).chain(paths);
    let hints = paths.filter_map(|path| hint(kind, path));
    // Contents of `dir` itself are reported where it is passed over.
    let is_news = |hint: &Hint| !matches!(hint, Hint::SameNames { path, .. } if path == dir);
    hints.filter(is_news).collect()
}

fn hint(kind: DatasetKind, path: PathBuf) -> Option<Hint> {
    let name = letters_and_digits(path.file_name().unwrap_or_default());
    if !path.is_dir() {
        let is_packed = ["targz", "tgz", "tar", "zip"]
            .iter()
            .any(|end| name.ends_with(end));
        let own = letters_and_digits(kind.name().as_ref());
        return match is_packed && name.contains(&own) {
            true if name.contains("python") => Some(Hint::PythonVersion { path }),
            true => Some(Hint::Archive { path }),
            false => None,
        };
    }
    if kind == DatasetKind::Cifar10 && path.join("data_batch_1").is_file() {
        return Some(Hint::PythonVersion { path });
    }
    let holds = |kind: &DatasetKind| {
        let names = kind.file_names();
        let places = with_raw(path.clone());
        let is_complete = |place: &PathBuf| names.iter().all(|name| find(place, name).is_some());
        !names.is_empty() && places.iter().any(is_complete)
    };
    match named_after(&path).filter(holds) {
        Some(other) if other != kind => return Some(Hint::OtherFiles { path, kind: other }),
        _ if holds(&kind) => return Some(Hint::SameNames { path, kind }),
        _ => {}
    }
    let other = DatasetKind::ALL.into_iter().find(holds)?;
    Some(Hint::OtherFiles { path, kind: other })
}
