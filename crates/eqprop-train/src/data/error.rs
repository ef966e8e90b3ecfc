//! Errors of loading a data set.

use std::{fmt, io, path::PathBuf};

use super::Contents;
use super::files::FilesError;
use super::kind::{CIFAR_10_URL, DATA_DIR_VARIABLE, DatasetKind};
use crate::suggestion::did_you_mean;

/// Error of loading a data set.
///
/// Sizes in bytes are those of the unpacked file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The name is not that of a data set.
    #[error(
        "unknown data set `{name}`{}; expected one of {}, or a file or folder that exists",
        did_you_mean(name, DatasetKind::NAMES), DatasetKind::NAMES.join(", ")
    )]
    UnknownDataset {
        /// Name given.
        name: String,
    },

    /// Nothing exists at the path of the data.
    #[error("there is no file or folder `{path}`, and no data set of this name")]
    NoSuchPath {
        /// The path.
        path: String,
    },

    /// The user's own files cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),

    /// The data set is not available for download, and no folder is given.
    #[error("{kind} is not downloaded: {}", by_hand(*kind))]
    NotDownloaded {
        /// The data set.
        kind: DatasetKind,
    },

    /// The data directory does not exist, or is not a directory.
    #[error(
        "the data directory `{}` is not a directory: create it or name another{}",
        path.display(), beside.as_ref().map(|contents| format!("; {contents}")).unwrap_or_default()
    )]
    NotADirectory {
        /// Path given as the data directory.
        path: PathBuf,
        /// Contents of the parent directory.
        beside: Option<Contents>,
    },

    /// No searched folder holds all files.
    #[error(
        "the {kind} files are not complete in any place; these are {}, plain or with `.gz`:{}{}{}\n\
         put the files into `{kind}` in the data directory, or name another data directory",
        list(&quoted(kind.file_names())),
        lines(incomplete),
        passed_over.as_ref().map(|dir| format!(
            "\n  `{}` itself is not taken, because a folder in it is named after {kind}",
            dir.display()
        )).unwrap_or_default(),
        lines(hints)
    )]
    MissingFiles {
        /// The data set.
        kind: DatasetKind,
        /// Every folder searched, in this order.
        incomplete: Vec<Incomplete>,
        /// Data directory, if it was not searched itself.
        passed_over: Option<PathBuf>,
        /// Possible explanations.
        hints: Vec<Hint>,
    },

    /// The labels are those of another data set.
    #[error(
        "`{}` is of {found}, not of {kind}: it begins with the labels that {found} is published \
         with; choose the data set {found}, or put the files of {kind} into `{kind}` in the data \
         directory",
        path.display()
    )]
    OtherDataset {
        /// File of labels.
        path: PathBuf,
        /// Data set requested.
        kind: DatasetKind,
        /// Data set that the file belongs to.
        found: DatasetKind,
    },

    /// The directory is named after another data set, and its files may be of either.
    #[error(
        "`{}` is named after {found}, not after {kind}, and their files have the same names: choose \
         the data set {found}, or put the files of {kind} into a directory named `{kind}`",
        path.display()
    )]
    NamedAfterOther {
        /// The directory.
        path: PathBuf,
        /// Data set requested.
        kind: DatasetKind,
        /// Data set that the directory is named after.
        found: DatasetKind,
    },

    /// A file could not be opened or read, or its compressed content is damaged.
    #[error("cannot read `{}`: check its permissions, or fetch it again", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system or the decompressor.
        #[source]
        source: io::Error,
    },

    /// A file of the download cache could not be written.
    #[error("cannot write `{}`: check the space and the permissions there", path.display())]
    Write {
        /// File or directory.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },

    /// The file is empty.
    #[error("`{}` is empty: expected images or labels; fetch it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },

    /// The file is named `.gz` but is not compressed by gzip.
    #[error(
        "`{}` is not compressed by gzip, although its name ends in `.gz`: remove the ending if \
         the file is already unpacked, or fetch it again",
        path.display()
    )]
    NotGzip {
        /// The file.
        path: PathBuf,
    },

    /// A file of labels is where images are expected.
    #[error(
        "`{}` holds labels, but images are expected here: were two files swapped?",
        path.display()
    )]
    LabelsInsteadOfImages {
        /// The file.
        path: PathBuf,
    },

    /// A file of images is where labels are expected.
    #[error(
        "`{}` holds images, but labels are expected here: were two files swapped?",
        path.display()
    )]
    ImagesInsteadOfLabels {
        /// The file.
        path: PathBuf,
    },

    /// The first four bytes are not those of the expected IDX file.
    #[error(
        "`{}` is not the expected IDX file: its magic number is {found}, expected {expected}; \
         fetch it again, and if it is compressed, let its name end in `.gz`",
        path.display()
    )]
    WrongMagic {
        /// The file.
        path: PathBuf,
        /// Magic number of the format.
        expected: u32,
        /// Magic number found.
        found: u32,
    },

    /// The images have another size.
    #[error(
        "`{}` holds images of {}x{} pixels, expected {}x{}: is this another data set?",
        path.display(), found[0], found[1], expected[0], expected[1]
    )]
    WrongImageShape {
        /// The file.
        path: PathBuf,
        /// Height and width of the data set's images.
        expected: [usize; 2],
        /// Height and width in the header.
        found: [u32; 2],
    },

    /// The header announces no items.
    #[error("`{}` holds no items: expected at least one; fetch it again", path.display())]
    NoItems {
        /// The file.
        path: PathBuf,
    },

    /// The header announces more items than the split has.
    #[error(
        "`{}` promises {found} items, but this split has at most {limit}: is this another data \
         set, or a damaged file?",
        path.display()
    )]
    TooManyItems {
        /// The file.
        path: PathBuf,
        /// Largest number of items of the split.
        limit: usize,
        /// Number in the header.
        found: u32,
    },

    /// The file ends too early.
    #[error(
        "`{}` is cut short: expected {expected} bytes, found {found}; fetch it again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Length in bytes according to the format or the header, or that of the header if the header itself
        /// is cut short.
        expected: usize,
        /// Length found, in bytes.
        found: usize,
    },

    /// Single examples cannot be read from these files.
    #[error(
        "`{}` cannot be streamed from disk: {reason}. What can are folders of images, arrays of NumPy, \
         safetensors, IDX files and CIFAR's binary files, none of them compressed; or leave `stream` out, and \
         all is read into memory", path.display()
    )]
    NotStreamed {
        /// File or folder.
        path: PathBuf,
        /// Reason, and remedy.
        reason: &'static str,
    },

    /// The file has changed since the data were inspected.
    #[error(
        "`{}` was changed since the data were looked at: put back what it was, or begin a new run with the \
         data as they are now", path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },

    /// No thread could be started to read ahead.
    #[error("no thread could be started to read the data ahead: let the program have more of them")]
    Thread(#[source] io::Error),

    /// The file continues after its last item.
    #[error(
        "`{}` goes on after its last item: expected {expected} bytes in all, found more; fetch it \
         again",
        path.display()
    )]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// Length in bytes according to the format or the header.
        expected: usize,
    },

    /// A label is not that of a class.
    #[error(
        "`{}` holds the label {label} at item {index}, expected a label below {n_classes}: is \
         this another data set, or a damaged file?",
        path.display()
    )]
    LabelOutOfRange {
        /// The file.
        path: PathBuf,
        /// Index of the item, from 0.
        index: usize,
        /// Label found.
        label: u8,
        /// Number of classes.
        n_classes: usize,
    },

    /// The numbers of images and labels differ.
    #[error(
        "`{}` holds {n_images} images, but `{}` holds {n_labels} labels: expected equal numbers; \
         take both files from the same source",
        images.display(), labels.display()
    )]
    CountMismatch {
        /// File of images.
        images: PathBuf,
        /// Number of images.
        n_images: usize,
        /// File of labels.
        labels: PathBuf,
        /// Number of labels.
        n_labels: usize,
    },

    /// The platform has no cache directory to download into.
    #[error(
        "no cache directory is known for this user, so {kind} cannot be downloaded: {}",
        by_hand(*kind)
    )]
    NoCacheDirectory {
        /// The data set.
        kind: DatasetKind,
    },

    /// The download failed.
    #[error(
        "downloading {dataset} failed: {reason}\n{}\nburn-dataset caches its downloads in `{}`: \
         delete that directory if an earlier download was cut short",
        by_hand(*dataset), cache.display()
    )]
    Download {
        /// The data set.
        dataset: DatasetKind,
        /// Folder of the downloaded files.
        cache: PathBuf,
        /// Error message of the downloader.
        reason: String,
    },
}

/// A searched folder that lacks files of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// Missing files, by their published names.
    pub missing: Vec<&'static str>,
    /// Folder, and its contents.
    pub contents: Contents,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, contents } = self;
        write!(f, "{contents}; it lacks {}", missing.join(", "))
    }
}

/// A finding in the data directory that may explain why files are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// Files of another data set.
    OtherFiles {
        /// Their directory.
        path: PathBuf,
        /// The data set.
        kind: DatasetKind,
    },
    /// Files with the names of this data set, in a directory that is not named after it.
    SameNames {
        /// Their directory.
        path: PathBuf,
        /// The data set.
        kind: DatasetKind,
    },
    /// The Python version of CIFAR-10.
    PythonVersion {
        /// Its directory or archive.
        path: PathBuf,
    },
    /// An archive that may hold the files.
    Archive {
        /// The archive.
        path: PathBuf,
    },
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherFiles { path, kind } => {
                write!(f, "`{}` holds files as those of {kind}", path.display())
            }
            Self::SameNames { path, kind } => write!(
                f,
                "`{}` holds files of these names: if they are {kind}'s, name it as the data directory",
                path.display()
            ),
            Self::PythonVersion { path } => write!(
                f,
                "`{}` is the Python version of CIFAR-10, which is not read here: fetch the binary \
                 version, {CIFAR_10_URL}, and unpack it",
                path.display()
            ),
            Self::Archive { path } => {
                write!(f, "`{}` is packed: unpack it there", path.display())
            }
        }
    }
}

/// Formats each item on a line of its own.
fn lines(items: &[impl fmt::Display]) -> String {
    let lines = items.iter().map(|item| format!("\n  {item}"));
    lines.collect()
}

fn quoted(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("`{name}`")).collect()
}

/// Instructions for when a download is impossible.
fn by_hand(kind: DatasetKind) -> String {
    format!(
        "fetch the files {} by other means and name their directory with `--data-dir DIR` or in \
         the environment variable `{DATA_DIR_VARIABLE}`",
        list(&quoted(kind.file_names()))
    )
}

fn list(items: &[impl ToString]) -> String {
    let names: Vec<_> = items.iter().map(ToString::to_string).collect();
    names.join(", ")
}
