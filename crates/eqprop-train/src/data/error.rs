//! What can go wrong with a data set, and what to do about it.

use std::{fmt, io, path::PathBuf};

use super::Contents;
use super::files::FilesError;
use super::kind::{CIFAR_10_URL, DATA_DIR_VARIABLE, DatasetKind};
use crate::suggestion::did_you_mean;

/// Why a data set could not be loaded.
///
/// Sizes in bytes are those of the unpacked file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A name that belongs to no data set.
    #[error(
        "unknown data set `{name}`{}; expected one of {}",
        did_you_mean(name, DatasetKind::NAMES), DatasetKind::NAMES.join(", ")
    )]
    UnknownDataset {
        /// The name that was given.
        name: String,
    },

    /// A path of data that leads nowhere.
    #[error("there is no file or folder `{path}`, and no data set of this name")]
    NoSuchPath {
        /// The path.
        path: String,
    },

    /// Files of one's own cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),

    /// A data set whose files are not fetched, and for which no folder is named.
    #[error("{kind} is not downloaded: {}", by_hand(*kind))]
    NotDownloaded {
        /// The data set.
        kind: DatasetKind,
    },

    /// The data directory is not there, or is not a directory.
    #[error(
        "the data directory `{}` is not a directory: create it or name another{}",
        path.display(), beside.as_ref().map(|contents| format!("; {contents}")).unwrap_or_default()
    )]
    NotADirectory {
        /// The path that was named as the data directory.
        path: PathBuf,
        /// What is there in its stead, in the directory above.
        beside: Option<Contents>,
    },

    /// No place looked at holds all files.
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
        /// Every place that was looked at, in this order.
        incomplete: Vec<Incomplete>,
        /// The data directory, if it was not looked at itself.
        passed_over: Option<PathBuf>,
        /// What may explain it.
        hints: Vec<Hint>,
    },

    /// The files of another data set, by their labels.
    #[error(
        "`{}` is of {found}, not of {kind}: it begins with the labels that {found} is published \
         with; choose the data set {found}, or put the files of {kind} into `{kind}` in the data \
         directory",
        path.display()
    )]
    OtherDataset {
        /// The file of labels.
        path: PathBuf,
        /// The data set that was asked for.
        kind: DatasetKind,
        /// The data set that the file belongs to.
        found: DatasetKind,
    },

    /// A directory that is named after another data set and holds files that may be of either.
    #[error(
        "`{}` is named after {found}, not after {kind}, and their files have the same names: choose \
         the data set {found}, or put the files of {kind} into a directory named `{kind}`",
        path.display()
    )]
    NamedAfterOther {
        /// The directory.
        path: PathBuf,
        /// The data set that was asked for.
        kind: DatasetKind,
        /// The data set that the directory is named after.
        found: DatasetKind,
    },

    /// A file could not be opened or read, or its compressed content is damaged.
    #[error("cannot read `{}`: check its permissions, or fetch it again", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system or the decompressor says.
        #[source]
        source: io::Error,
    },

    /// A file of the download cache could not be written.
    #[error("cannot write `{}`: check the space and the permissions there", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },

    /// A file of length zero.
    #[error("`{}` is empty: expected images or labels; fetch it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },

    /// A file named `.gz` whose content is something else.
    #[error(
        "`{}` is not compressed by gzip, although its name ends in `.gz`: remove the ending if \
         the file is already unpacked, or fetch it again",
        path.display()
    )]
    NotGzip {
        /// The file.
        path: PathBuf,
    },

    /// The file of labels stands where the file of images should be.
    #[error(
        "`{}` holds labels, but images are expected here: were two files swapped?",
        path.display()
    )]
    LabelsInsteadOfImages {
        /// The file.
        path: PathBuf,
    },

    /// The file of images stands where the file of labels should be.
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
        /// The magic number of the format.
        expected: u32,
        /// The one found.
        found: u32,
    },

    /// Images of another size.
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

    /// A header that promises no item.
    #[error("`{}` holds no items: expected at least one; fetch it again", path.display())]
    NoItems {
        /// The file.
        path: PathBuf,
    },

    /// A header that promises more items than the split has.
    #[error(
        "`{}` promises {found} items, but this split has at most {limit}: is this another data \
         set, or a damaged file?",
        path.display()
    )]
    TooManyItems {
        /// The file.
        path: PathBuf,
        /// The most items the split can have.
        limit: usize,
        /// The number in the header.
        found: u32,
    },

    /// A file that ends too early.
    #[error(
        "`{}` is cut short: expected {expected} bytes, found {found}; fetch it again",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The length that its format or its header promises, or that of the header if that is cut
        /// short.
        expected: usize,
        /// The length found.
        found: usize,
    },

    /// Files of which single examples cannot be read.
    #[error(
        "`{}` cannot be streamed from disk: {reason}. What can are folders of images, arrays of NumPy, \
         safetensors, IDX files and CIFAR's binary files, none of them compressed; or leave `stream` out, and \
         all is read into memory", path.display()
    )]
    NotStreamed {
        /// The file or folder.
        path: PathBuf,
        /// Why not, and what would help.
        reason: &'static str,
    },

    /// A file that is not what it was when the data were looked at.
    #[error(
        "`{}` was changed since the data were looked at: put back what it was, or begin a new run with the \
         data as they are now", path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
    },

    /// No thread can be had to read ahead.
    #[error("no thread could be started to read the data ahead: let the program have more of them")]
    Thread(#[source] io::Error),

    /// A file that goes on after its last item.
    #[error(
        "`{}` goes on after its last item: expected {expected} bytes in all, found more; fetch it \
         again",
        path.display()
    )]
    TrailingBytes {
        /// The file.
        path: PathBuf,
        /// The length that its format or its header promises.
        expected: usize,
    },

    /// A label that names no class.
    #[error(
        "`{}` holds the label {label} at item {index}, expected a label below {n_classes}: is \
         this another data set, or a damaged file?",
        path.display()
    )]
    LabelOutOfRange {
        /// The file.
        path: PathBuf,
        /// The item, counted from zero.
        index: usize,
        /// The label found.
        label: u8,
        /// The number of classes.
        n_classes: usize,
    },

    /// Images and labels that are not equal in number.
    #[error(
        "`{}` holds {n_images} images, but `{}` holds {n_labels} labels: expected equal numbers; \
         take both files from the same source",
        images.display(), labels.display()
    )]
    CountMismatch {
        /// The file of images.
        images: PathBuf,
        /// The number of images.
        n_images: usize,
        /// The file of labels.
        labels: PathBuf,
        /// The number of labels.
        n_labels: usize,
    },

    /// The platform names no cache directory, so a download has no place to go.
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
        /// Where the downloaded files are kept.
        cache: PathBuf,
        /// What the downloader says.
        reason: String,
    },
}

/// A place that lacks files of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incomplete {
    /// The files that are not there, as they are published.
    pub missing: Vec<&'static str>,
    /// The place, and what is there.
    pub contents: Contents,
}

impl fmt::Display for Incomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, contents } = self;
        write!(f, "{contents}; it lacks {}", missing.join(", "))
    }
}

/// Something in the data directory that may explain why files are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Hint {
    /// The files of another data set.
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
    /// CIFAR-10 in its Python version.
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

/// Each on a line of its own.
fn lines(items: &[impl fmt::Display]) -> String {
    let lines = items.iter().map(|item| format!("\n  {item}"));
    lines.collect()
}

fn quoted(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("`{name}`")).collect()
}

/// The way out when a download is impossible.
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
