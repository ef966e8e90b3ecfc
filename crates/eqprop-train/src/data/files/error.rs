//! Errors of the user's own data files.

use std::fmt;
use std::path::{Path, PathBuf};

use super::super::Contents;
use super::super::picture::ImageError;
use super::option_error::FilesOptionError;
use super::target_error::TargetError;
use crate::suggestion::first_names;

/// Error of using files as a data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// Nothing exists at the path.
    #[error("there is no file or folder `{}`", path.display())]
    NotThere {
        /// The path.
        path: PathBuf,
    },
    /// An option of reading the files is invalid.
    #[error(transparent)]
    Option(#[from] FilesOptionError),
    /// The folder contains no known format.
    #[error(
        "no data are recognized: {contents}; expected a folder of PNG or JPEG images for each class, or files \
         .csv, .npy, .npz, .safetensors, IDX or .bin; name the format if it is one of these"
    )]
    NothingKnown {
        /// Contents of the folder.
        contents: Contents,
    },
    /// The format of the file is not recognized.
    #[error(
        "`{}` is not recognized as data: expected .csv, .tsv, .npy, .npz, .safetensors, .bin or IDX, or a \
         folder; name the format if it is one of these", path.display()
    )]
    UnknownFile {
        /// The file.
        path: PathBuf,
    },
    /// The path is that of a single image.
    #[error(
        "`{}` is one image: name the folder that has a folder of images for each class",
        path.display()
    )]
    OneImage {
        /// Path of the image.
        path: PathBuf,
    },
    /// The folder contains images, but no folder of images for each class.
    #[error(
        "`{}` holds images, but no folder of images for each class: name the folder that these folders lie in, \
         or sort the images into folders", path.display()
    )]
    NoClassFolders {
        /// The folder.
        path: PathBuf,
    },
    /// The folder contains files of several formats.
    #[error(
        "`{}` holds data of several formats: {}; name the one that is meant", path.display(),
        formats.join(", ")
    )]
    SeveralFormats {
        /// The folder.
        path: PathBuf,
        /// Formats found.
        formats: Vec<&'static str>,
    },
    /// No file has the requested format.
    #[error("there is nothing of the format {format}: {contents}")]
    NoneOfFormat {
        /// Requested format.
        format: &'static str,
        /// Contents of the folder.
        contents: Contents,
    },
    /// The path is not a folder, but one is needed.
    #[error("`{}` is a file: a folder is needed, with a folder of images for each class", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A folder or file cannot be read.
    #[error("cannot read `{}`: check its permissions", path.display())]
    Read {
        /// Folder or file.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: std::io::Error,
    },
    /// A class has no images.
    #[error(
        "the folder `{}` of a class holds no PNG or JPEG image: remove it, or put images into it; or \
         name it as the data, if the folders of the classes lie in it",
        path.display()
    )]
    EmptyClass {
        /// Folder of the class.
        path: PathBuf,
    },
    /// An image cannot be read.
    #[error("`{}` cannot be used", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Error of the image.
        #[source]
        source: ImageError,
    },
    /// The images have several sizes, and none was chosen.
    #[error(
        "images are of several sizes: `{}` has {}x{} pixels, but `{}` has {}x{}; say to which height and \
         width they are scaled, such as 32x32 (`--image-size 32x32`)", first.display(), first_size[0], first_size[1],
        other.display(), other_size[0], other_size[1]
    )]
    MixedSizes {
        /// An image.
        first: PathBuf,
        /// Its height and width.
        first_size: [usize; 2],
        /// Another image.
        other: PathBuf,
        /// Its height and width.
        other_size: [usize; 2],
    },
    /// The file has no examples.
    #[error("`{}` holds no example", path.display())]
    NoExamples {
        /// The file or folder.
        path: PathBuf,
    },
    /// There are too few examples to split.
    #[error(
        "`{}` holds {found} examples, of which none can be taken for a test: at least two of a class are \
         needed", path.display()
    )]
    TooFew {
        /// The file or folder.
        path: PathBuf,
        /// Number of examples.
        found: usize,
    },
    /// The targets cannot be learned.
    #[error(transparent)]
    Targets(#[from] TargetError),
    /// All inputs are constant.
    #[error("all training examples of `{}` have the same inputs: there is nothing to learn from", path.display())]
    ConstantInputs {
        /// The file or folder.
        path: PathBuf,
    },
    /// A part has another shape than the others or the earlier findings.
    #[error(
        "the examples of `{}` have the shape {}, but {} is expected", path.display(), times(found),
        times(expected)
    )]
    OtherShape {
        /// The file or folder.
        path: PathBuf,
        /// Expected channels, height and width.
        expected: [usize; 3],
        /// Channels, height and width found.
        found: [usize; 3],
    },
    /// The data do not fit into memory.
    #[error(
        "the numbers of `{}` take {:.1} GB, but half of this machine's memory is {:.1} GB: use fewer \
         examples or smaller images, or set `stream` to true, which leaves them in their files", path.display(), needed / 1e9, there / 1e9
    )]
    Memory {
        /// The file or folder.
        path: PathBuf,
        /// Bytes needed.
        needed: f64,
        /// Bytes available.
        there: f64,
    },
    /// The table is malformed.
    #[error("`{}` is not a table: {reason}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Reason.
        reason: String,
    },
    /// A cell is not a finite number.
    #[error(
        "`{}` has `{cell}` in line {line}, column {column}: inputs must be finite numbers; replace it, or \
         take the column out", path.display()
    )]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: u64,
        /// Name or number of the column.
        column: String,
        /// Text of the cell.
        cell: String,
    },
    /// Cells have no value.
    #[error(
        "`{}` lacks {n} values, the first in line {line}, column {column}: fill them in, or take these lines \
         out", path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// Number of missing values.
        n: usize,
        /// Line number of the first, from 1.
        line: u64,
        /// Column of the first.
        column: String,
    },
    /// The column does not exist.
    #[error("`{}` has no column `{name}`; its columns are: {}", path.display(), first_names(columns))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// Name given.
        name: String,
        /// Existing columns.
        columns: Vec<String>,
    },
    /// An array file is damaged, or its contents do not fit.
    #[error("`{}` cannot be read as {format}: {reason}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// Format of the file.
        format: &'static str,
        /// Reason.
        reason: String,
    },
    /// An input is infinite or not a number.
    #[error(
        "`{}` has the number {number} in example {example}: inputs must be finite", path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Number of the example, from 1.
        example: usize,
        /// Value found.
        number: f32,
    },
    /// There are inputs without labels, or labels without inputs.
    #[error(
        "`{}` has no array of {missing} in its {part} part: expected names such as x_train and y_train, or \
         images and labels; there are {}", path.display(), first_names(names)
    )]
    NoArray {
        /// The file or folder.
        path: PathBuf,
        /// Role of the missing array.
        missing: &'static str,
        /// Part that lacks it.
        part: &'static str,
        /// Names of the arrays found.
        names: Vec<String>,
    },
    /// Several arrays could be meant.
    #[error(
        "`{}` has several arrays that could be meant: {}; leave one pair for each part, or name one of the \
         files", path.display(), first_names(names)
    )]
    Ambiguous {
        /// The file or folder.
        path: PathBuf,
        /// Names of the arrays found.
        names: Vec<String>,
    },
    /// The numbers of inputs and labels differ.
    #[error(
        "`{inputs}` has {n_inputs} examples, but `{labels}` has {n_labels} labels (in `{}`): expected equal \
         numbers", path.display()
    )]
    Counts {
        /// The file or folder.
        path: PathBuf,
        /// Name of the array of inputs.
        inputs: String,
        /// Its number of examples.
        n_inputs: usize,
        /// Name of the array of labels.
        labels: String,
        /// Its number of labels.
        n_labels: usize,
    },
    /// The file holds no inputs for a network.
    #[error(
        "`{}` cannot be classified: name images, such as `photos/*.png`, or a table or array of inputs",
        path.display()
    )]
    NoInputs {
        /// The file.
        path: PathBuf,
    },
    /// The inputs do not form images of the given size.
    #[error(
        "`{}` has {n_inputs} inputs per example, which are no images of {}x{} pixels in 1 or 3 channels",
        path.display(), size[0], size[1]
    )]
    NotOfSize {
        /// The file.
        path: PathBuf,
        /// Number of inputs of an example.
        n_inputs: usize,
        /// Height and width.
        size: [usize; 2],
    },
}

impl FilesError {
    /// Returns the error of a damaged array file.
    pub(super) fn array(path: &Path, format: &'static str, reason: impl fmt::Display) -> Self {
        Self::Array {
            path: path.into(),
            format,
            reason: reason.to_string(),
        }
    }

    /// Returns the error of a malformed table.
    pub(super) fn table(path: &Path, reason: impl fmt::Display) -> Self {
        Self::Table {
            path: path.into(),
            reason: reason.to_string(),
        }
    }
}

/// Formats a shape as `3x48x40`.
fn times(shape: &[usize; 3]) -> String {
    shape.map(|size| size.to_string()).join("x")
}
