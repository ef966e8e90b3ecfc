//! The errors of a comparison.

use eqprop_train::error::{CheckpointError, TrainingError};
use thiserror::Error;

use crate::method::MethodError;

/// The most seeds of a comparison.
pub(super) const MOST_SEEDS: usize = 10_000;

/// The reason why a comparison cannot be made or continued.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ComparisonError {
    /// There is nothing to compare.
    #[error("at least one {what} is needed, but there is none")]
    Nothing {
        /// The kind of thing that is missing.
        what: &'static str,
    },
    /// Something is named twice.
    #[error("{what} `{name}` is named twice")]
    Twice {
        /// The kind of thing that is named twice.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A setting that all arms share cannot be varied.
    #[error("`{key}` cannot be varied: {why}")]
    NotVaried {
        /// The setting.
        key: String,
        /// The reason.
        why: &'static str,
    },
    /// A setting was given a single value, which leaves nothing to compare.
    #[error(
        "`{key}` has one value, {value}, and nothing to compare it with: give several, separated by commas, or \
         set it for all with --set {key}={value}"
    )]
    OneValue {
        /// The setting.
        key: String,
        /// Its value.
        value: String,
    },
    /// An option belongs to a method that is not compared.
    #[error(
        "`{key}` is an option of {method}, which is not among the methods: add it to --methods"
    )]
    OtherMethod {
        /// The option.
        key: String,
        /// The method.
        method: String,
    },
    /// There are too many arms.
    #[error("{n_arms} combinations are too many: at most {most}")]
    Arms {
        /// Number of arms that were asked for.
        n_arms: usize,
        /// Largest number allowed.
        most: usize,
    },
    /// One of the arms cannot be trained.
    #[error("`{name}` cannot be trained")]
    Arm {
        /// The name of the arm.
        name: String,
        /// The reason.
        #[source]
        source: Box<ComparisonError>,
    },
    /// Two arms are judged on different examples.
    #[error(
        "`{first}` and `{second}` are for other data or hold out other examples, so that their errors say nothing of \
         each other: name one data set for both with --dataset, and the same n_validation and n_train"
    )]
    OtherExamples {
        /// The first arm.
        first: String,
        /// The other arm.
        second: String,
    },
    /// Two names stand for the same training.
    #[error("`{first}` and `{second}` are the same training: leave one of them out")]
    Same {
        /// The first name.
        first: String,
        /// The other name.
        second: String,
    },
    /// An extension names a setting that the comparison does not vary.
    #[error(
        "the comparison does not vary `{key}`{}, so that more of it cannot be added: start a new comparison",
        varied(known)
    )]
    NotThere {
        /// The setting that was to be extended.
        key: String,
        /// The settings that are varied.
        known: Vec<String>,
    },
    /// There are too many seeds, or they exceed the largest seed.
    #[error(
        "{n_seeds} seeds from {first} on are too many: at most {MOST_SEEDS}, the last of them at \
         most {}",
        u64::MAX
    )]
    Seeds {
        /// The first seed.
        first: u64,
        /// Number of seeds that were asked for.
        n_seeds: usize,
    },
    /// An extension would remove something.
    #[error("the comparison has {there} {what}, so that {asked} would not extend it")]
    Fewer {
        /// The kind of thing there would be fewer of.
        what: &'static str,
        /// The present number.
        there: usize,
        /// The number that was asked for.
        asked: usize,
    },
    /// More epochs would change the finished ones.
    #[error(
        "with the cosine schedule every learning rate depends on the number of epochs: start a new \
         comparison of {asked} epochs"
    )]
    Schedule {
        /// Number of epochs that were asked for.
        asked: usize,
    },
    /// A method cannot run on this network.
    #[error(transparent)]
    Method(#[from] MethodError),
    /// The configuration cannot work.
    #[error(transparent)]
    Training(#[from] TrainingError),
    /// A training in progress cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A training in progress does not belong to the comparison.
    #[error(
        "the checkpoint of {arm} with seed {seed} is of another training; remove its folder \
         `{folder}` to begin that training afresh"
    )]
    Changed {
        /// The arm.
        arm: String,
        /// Its folder.
        folder: String,
        /// The seed.
        seed: u64,
        /// The difference.
        source: CheckpointError,
    },
    /// The stored data are not a comparison.
    #[error("it is damaged, or no comparison: restore it, or remove it to start afresh")]
    NotStored(#[source] serde_json::Error),
    /// The stored data contradict themselves.
    #[error("it is damaged: {what}; restore it, or remove it to start afresh")]
    Inconsistent {
        /// The contradiction.
        what: String,
    },
    /// The stored data predate the format that can be resumed.
    #[error(
        "it has no format: it was written by a version whose comparisons cannot be resumed; start a \
         new one"
    )]
    Unversioned,
    /// The data were stored by a newer version.
    #[error(
        "it has format {found}, but this version reads up to {newest}: use the version that wrote it"
    )]
    Version {
        /// The format found.
        found: u64,
        /// The newest that this version reads.
        newest: u64,
    },
}

/// Lists the varied settings as a clause of the message.
fn varied(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!(" but {}", known.join(", ")),
    }
}
