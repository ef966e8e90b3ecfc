//! What can be wrong with files of one's own.

use std::fmt;
use std::path::{Path, PathBuf};

use super::super::Contents;
use super::super::picture::ImageError;
use super::option_error::FilesOptionError;
use super::task::{Task, truth};

/// Why files cannot be a data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// Nothing is there.
    #[error("there is no file or folder `{}`", path.display())]
    NotThere {
        /// The path.
        path: PathBuf,
    },
    /// How they are to be read.
    #[error(transparent)]
    Option(#[from] FilesOptionError),
    /// A folder with nothing that is known.
    #[error(
        "no data are recognized: {contents}; expected a folder of PNG or JPEG images for each class, or files \
         .csv, .npy, .npz, .safetensors, IDX or .bin; name the format if it is one of these"
    )]
    NothingKnown {
        /// What is there.
        contents: Contents,
    },
    /// A file that is nothing known.
    #[error(
        "`{}` is not recognized as data: expected .csv, .tsv, .npy, .npz, .safetensors, .bin or IDX, or a \
         folder; name the format if it is one of these", path.display()
    )]
    UnknownFile {
        /// The file.
        path: PathBuf,
    },
    /// A single image.
    #[error(
        "`{}` is one image: name the folder that has a folder of images for each class",
        path.display()
    )]
    OneImage {
        /// The image.
        path: PathBuf,
    },
    /// A folder with files of several formats.
    #[error(
        "`{}` holds data of several formats: {}; name the one that is meant", path.display(),
        formats.join(", ")
    )]
    SeveralFormats {
        /// The folder.
        path: PathBuf,
        /// The formats.
        formats: Vec<&'static str>,
    },
    /// No file of the format.
    #[error("there is nothing of the format {format}: {contents}")]
    NoneOfFormat {
        /// The format.
        format: &'static str,
        /// What is there.
        contents: Contents,
    },
    /// Not a folder, where one is needed.
    #[error("`{}` is a file: a folder is needed, with a folder of images for each class", path.display())]
    NotAFolder {
        /// The file.
        path: PathBuf,
    },
    /// A folder or file that cannot be read.
    #[error("cannot read `{}`: check its permissions", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: std::io::Error,
    },
    /// A class without images.
    #[error(
        "the folder `{}` of a class holds no PNG or JPEG image: remove it, or put images into it",
        path.display()
    )]
    EmptyClass {
        /// The folder.
        path: PathBuf,
    },
    /// An image that cannot be read.
    #[error("`{}` cannot be used", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: ImageError,
    },
    /// Images of several sizes, none of which was asked for.
    #[error(
        "images are of several sizes: `{}` has {}x{} pixels, but `{}` has {}x{}; say to which height and \
         width they are scaled, such as 32x32", first.display(), first_size[0], first_size[1],
        other.display(), other_size[0], other_size[1]
    )]
    MixedSizes {
        /// An image.
        first: PathBuf,
        /// Its height and width.
        first_size: [usize; 2],
        /// Another.
        other: PathBuf,
        /// Its height and width.
        other_size: [usize; 2],
    },
    /// A file without an example.
    #[error("`{}` holds no example", path.display())]
    NoExamples {
        /// The file or folder.
        path: PathBuf,
    },
    /// Too few to split.
    #[error(
        "`{}` holds {found} examples, of which none can be taken for a test: at least two of a class are \
         needed", path.display()
    )]
    TooFew {
        /// The file or folder.
        path: PathBuf,
        /// How many.
        found: usize,
    },
    /// All examples are of one class.
    #[error(
        "all examples of `{}` are of the class `{class}`: at least two classes are needed; is the class in \
         another column (or another array, or folder)?", path.display()
    )]
    OneClass {
        /// The file or folder.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// More classes than can be told apart.
    #[error(
        "`{}` has more than {most} classes, such as `{}`: are the classes elsewhere? Quantities cannot be \
         learned as classes; the task `regression` learns numbers", path.display(), examples.join("`, `")
    )]
    TooManyClasses {
        /// The file or folder.
        path: PathBuf,
        /// The most.
        most: usize,
        /// Some of them.
        examples: Vec<String>,
    },
    /// A label that is a fraction.
    #[error(
        "`{}` has the label {label} at example {example}: a class is a whole number or a text; quantities \
         cannot be learned as classes, but by the task `regression`", path.display()
    )]
    FractionalLabel {
        /// The file.
        path: PathBuf,
        /// The example, from 1.
        example: usize,
        /// The label.
        label: f64,
    },
    /// A target that is no quantity.
    #[error(
        "`{}` has the target `{found}` in {place}: quantities that are learned must be finite numbers; replace \
         it, take the example out, or name another target{}", path.display(),
        truth(found).map_or("", |_| "; the task `labels` takes such words")
    )]
    Target {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What is there.
        found: String,
    },
    /// A target that does not say whether a label is there.
    #[error(
        "`{}` has the target `{found}` in {place}: a label is there or not, as 1 or 0, true or false, yes or no; \
         replace it, take the example out, or name other targets", path.display()
    )]
    Label {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: String,
        /// What is there.
        found: String,
    },
    /// Labels that do not vary.
    #[error(
        "of some labels of `{}` there is nothing to learn, because no training example has them, or every one: {}; \
         take them out of the data, or add examples", path.display(), first_names(names)
    )]
    ConstantLabels {
        /// The file or folder.
        path: PathBuf,
        /// Which.
        names: Vec<String>,
    },
    /// Several columns where a class is wanted.
    #[error(
        "{} are named as targets of `{}`, but a class is in one column: name one, or choose the task \
         `regression`, or `labels`, of which an example may have several", columns.join(", "), path.display()
    )]
    SeveralTargets {
        /// The file.
        path: PathBuf,
        /// The columns.
        columns: Vec<String>,
    },
    /// A quantity that does not vary.
    #[error(
        "the quantity `{name}` is {value} in all training examples of `{}`: there is nothing to learn; name \
         another target", path.display()
    )]
    ConstantTarget {
        /// The file or folder.
        path: PathBuf,
        /// Which.
        name: String,
        /// Its value.
        value: f64,
    },
    /// Another number of quantities or labels than was found before.
    #[error(
        "the examples of `{}` have {found} targets to learn, but {expected} were found before", path.display()
    )]
    OtherQuantities {
        /// The file or folder.
        path: PathBuf,
        /// As many as before.
        expected: usize,
        /// As many as there are.
        found: usize,
    },
    /// Quantities or labels in a format that has none.
    #[error(
        "`{}` is read as {format}, whose examples have classes and no quantities, and a single class each: the \
         task `{task}` takes csv, npy, npz, safetensors or idx", path.display()
    )]
    NoQuantities {
        /// The file or folder.
        path: PathBuf,
        /// Its format.
        format: &'static str,
        /// What was to be learned.
        task: Task,
    },
    /// A class that is not among those that were trained on.
    #[error(
        "`{}` has the class `{class}`, which is none of the {n_classes} classes that were found before: {}",
        path.display(), first_names(known)
    )]
    OtherClass {
        /// The file or folder.
        path: PathBuf,
        /// The class.
        class: String,
        /// Number of those found before.
        n_classes: usize,
        /// Those.
        known: Vec<String>,
    },
    /// A class that only the test part has.
    #[error(
        "no training example of `{}` is of the class `{class}`, which is in the test part: add some, or \
         remove the class", path.display()
    )]
    UntrainedClass {
        /// The file or folder.
        path: PathBuf,
        /// The class.
        class: String,
    },
    /// No input that differs from example to example.
    #[error("all training examples of `{}` have the same inputs: there is nothing to learn from", path.display())]
    ConstantInputs {
        /// The file or folder.
        path: PathBuf,
    },
    /// Parts, or what was found before, of another shape.
    #[error(
        "the examples of `{}` have the shape {}, but {} is expected", path.display(), times(found),
        times(expected)
    )]
    OtherShape {
        /// The file or folder.
        path: PathBuf,
        /// Channels, height and width.
        expected: [usize; 3],
        /// Those found.
        found: [usize; 3],
    },
    /// More than the memory can hold.
    #[error(
        "the numbers of `{}` take {:.1} GB, but half of this machine's memory is {:.1} GB: use fewer \
         examples or smaller images, or set `stream` to true, which leaves them in their files", path.display(), needed / 1e9, there / 1e9
    )]
    Memory {
        /// The file or folder.
        path: PathBuf,
        /// Bytes needed.
        needed: f64,
        /// Bytes that they may take.
        there: f64,
    },
    /// A table that is none.
    #[error("`{}` is not a table: {reason}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A cell that is no number.
    #[error(
        "`{}` has `{cell}` in line {line}, column {column}: inputs must be finite numbers; replace it, or \
         take the column out", path.display()
    )]
    NotANumber {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column.
        column: String,
        /// What is there.
        cell: String,
    },
    /// Cells without a value.
    #[error(
        "`{}` lacks {n} values, the first in line {line}, column {column}: fill them in, or take these lines \
         out", path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// How many.
        n: usize,
        /// Line of the first, from 1.
        line: u64,
        /// Its column.
        column: String,
    },
    /// No such column.
    #[error("`{}` has no column `{name}`; its columns are: {}", path.display(), first_names(columns))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// The columns.
        columns: Vec<String>,
    },
    /// An array file that is damaged or of another kind.
    #[error("`{}` cannot be read as {format}: {reason}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// Numbers that are infinite or none.
    #[error(
        "`{}` has the number {number} in example {example}: inputs must be finite", path.display()
    )]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// The example, from 1.
        example: usize,
        /// What is there.
        number: f32,
    },
    /// Inputs without labels, or the other way round.
    #[error(
        "`{}` has no array of {missing} in its {part} part: expected names such as x_train and y_train, or \
         images and labels; there are {}", path.display(), first_names(names)
    )]
    NoArray {
        /// The file or folder.
        path: PathBuf,
        /// What is missing.
        missing: &'static str,
        /// Where.
        part: &'static str,
        /// What is there.
        names: Vec<String>,
    },
    /// Several arrays that could be meant.
    #[error(
        "`{}` has several arrays that could be meant: {}; leave one pair for each part, or name one of the \
         files", path.display(), first_names(names)
    )]
    Ambiguous {
        /// The file or folder.
        path: PathBuf,
        /// What is there.
        names: Vec<String>,
    },
    /// Inputs and labels of different numbers.
    #[error(
        "`{inputs}` has {n_inputs} examples, but `{labels}` has {n_labels} labels (in `{}`): expected equal \
         numbers", path.display()
    )]
    Counts {
        /// The file or folder.
        path: PathBuf,
        /// The array of inputs.
        inputs: String,
        /// Its examples.
        n_inputs: usize,
        /// The array of labels.
        labels: String,
        /// Its labels.
        n_labels: usize,
    },
    /// A file that holds no inputs for a network.
    #[error("`{}` cannot be classified: name images, or a table or array of inputs", path.display())]
    NoInputs {
        /// The file.
        path: PathBuf,
    },
    /// Pixels that do not make images of the size.
    #[error(
        "`{}` has {n_inputs} inputs per example, which are no images of {}x{} pixels in 1 or 3 channels",
        path.display(), size[0], size[1]
    )]
    NotOfSize {
        /// The file.
        path: PathBuf,
        /// Inputs of an example.
        n_inputs: usize,
        /// Height and width.
        size: [usize; 2],
    },
}

impl FilesError {
    /// A damaged array file.
    pub(super) fn array(path: &Path, format: &'static str, reason: impl fmt::Display) -> Self {
        Self::Array {
            path: path.into(),
            format,
            reason: reason.to_string(),
        }
    }

    /// A damaged table.
    pub(super) fn table(path: &Path, reason: impl fmt::Display) -> Self {
        Self::Table {
            path: path.into(),
            reason: reason.to_string(),
        }
    }
}

/// `3x48x40`.
fn times(shape: &[usize; 3]) -> String {
    shape.map(|size| size.to_string()).join("x")
}

/// The first of many names, shortened.
fn first_names(names: &[String]) -> String {
    const MOST: usize = 12;
    const MOST_LETTERS: usize = 60;
    let shown = names.iter().take(MOST).map(|name| {
        let shown: String = name.chars().take(MOST_LETTERS).collect();
        shown.replace(char::is_control, "?")
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST) {
        _ if names.is_empty() => "none".into(),
        0 => shown,
        n => format!("{shown} and {n} more"),
    }
}
