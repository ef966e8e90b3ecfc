//! Errors of what the examples of the user's own files are to be taught.

use std::path::PathBuf;

use super::task::{Task, truth};
use crate::suggestion::first_names;

/// Error of the targets in the user's own files: classes, quantities or labels.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
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
    /// There are more classes than supported.
    #[error(
        "`{}` has more than {most} classes, such as `{}`: are the classes elsewhere? Quantities cannot be \
         learned as classes; the task `regression` learns numbers", path.display(), examples.join("`, `")
    )]
    TooManyClasses {
        /// The file or folder.
        path: PathBuf,
        /// Largest number of classes.
        most: usize,
        /// Some of the class names.
        examples: Vec<String>,
    },
    /// A label is a fraction.
    #[error(
        "`{}` has the label {label} at example {example}: a class is a whole number or a text; quantities \
         cannot be learned as classes, but by the task `regression`", path.display()
    )]
    FractionalLabel {
        /// The file.
        path: PathBuf,
        /// Number of the example, from 1.
        example: usize,
        /// The label.
        label: f64,
    },
    /// A target is not a valid quantity.
    #[error(
        "`{}` has the target `{found}` in {place}: quantities that are learned must be finite numbers; replace \
         it, take the example out, or name another target{}", path.display(),
        truth(found).map_or("", |_| "; the task `labels` takes such words")
    )]
    Target {
        /// The file.
        path: PathBuf,
        /// Position in the file.
        place: String,
        /// Text found.
        found: String,
    },
    /// A target does not say whether a label is present.
    #[error(
        "`{}` has the target `{found}` in {place}: a label is there or not, as 1 or 0, true or false, yes or no; \
         replace it, take the example out, or name other targets", path.display()
    )]
    Label {
        /// The file.
        path: PathBuf,
        /// Position in the file.
        place: String,
        /// Text found.
        found: String,
    },
    /// Some labels are constant.
    #[error(
        "of some labels of `{}` there is nothing to learn, because no training example has them, or every one: {}; \
         take them out of the data, or add examples", path.display(), first_names(names)
    )]
    ConstantLabels {
        /// The file or folder.
        path: PathBuf,
        /// Names of the labels.
        names: Vec<String>,
    },
    /// Several columns are named for a class.
    #[error(
        "{} are named as targets of `{}`, but a class is in one column: name one, or choose the task \
         `regression`, or `labels`, of which an example may have several", columns.join(", "), path.display()
    )]
    SeveralTargets {
        /// The file.
        path: PathBuf,
        /// Columns named.
        columns: Vec<String>,
    },
    /// A quantity is constant.
    #[error(
        "the quantity `{name}` is {value} in all training examples of `{}`: there is nothing to learn; name \
         another target", path.display()
    )]
    ConstantTarget {
        /// The file or folder.
        path: PathBuf,
        /// Name of the quantity.
        name: String,
        /// Its value.
        value: f64,
    },
    /// The number of quantities or labels differs from the earlier findings.
    #[error(
        "the examples of `{}` have {found} targets to learn, but {expected} were found before", path.display()
    )]
    OtherQuantities {
        /// The file or folder.
        path: PathBuf,
        /// Earlier number.
        expected: usize,
        /// Number found.
        found: usize,
    },
    /// The format does not support quantities or labels.
    #[error(
        "`{}` is read as {format}, whose examples have classes and no quantities, and a single class each: the \
         task `{task}` takes csv, npy, npz, safetensors or idx", path.display()
    )]
    NoQuantities {
        /// The file or folder.
        path: PathBuf,
        /// Format of the files.
        format: &'static str,
        /// Requested task.
        task: Task,
    },
    /// A class is not among those the network was trained on.
    #[error(
        "`{}` has the class `{class}`, which is none of the {n_classes} classes that were found before: {}",
        path.display(), first_names(known)
    )]
    OtherClass {
        /// The file or folder.
        path: PathBuf,
        /// The class.
        class: String,
        /// Number of known classes.
        n_classes: usize,
        /// Names of the known classes.
        known: Vec<String>,
    },
    /// A class occurs in the test part only.
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
}
