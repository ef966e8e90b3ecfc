//! What can go wrong in a comparison.

use eqprop_train::error::{CheckpointError, TrainingError};
use thiserror::Error;

use crate::method::MethodError;

/// The most seeds of a comparison.
pub(super) const MOST_SEEDS: usize = 10_000;

/// Why there is no comparison, or why it cannot go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ComparisonError {
    /// Nothing to compare.
    #[error("at least one {what} is needed, but there is none")]
    Nothing {
        /// What is missing.
        what: &'static str,
    },
    /// Named twice.
    #[error("{what} `{name}` is named twice")]
    Twice {
        /// What it is.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// A setting that arms have in common.
    #[error("`{key}` cannot be varied: {why}")]
    NotVaried {
        /// The setting.
        key: String,
        /// Why.
        why: &'static str,
    },
    /// One value is nothing to compare.
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
    /// An option of a method that is not compared.
    #[error(
        "`{key}` is an option of {method}, which is not among the methods: add it to --methods"
    )]
    OtherMethod {
        /// The option.
        key: String,
        /// The method.
        method: String,
    },
    /// More arms than anybody trains.
    #[error("{n_arms} combinations are too many: at most {most}")]
    Arms {
        /// How many there would be.
        n_arms: usize,
        /// How many there may be.
        most: usize,
    },
    /// One of the arms cannot be trained.
    #[error("`{name}` cannot be trained")]
    Arm {
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<ComparisonError>,
    },
    /// Arms that are judged by different examples.
    #[error(
        "`{first}` and `{second}` are for other data or hold out other examples, so that their errors say nothing of \
         each other: name one data set for both with --dataset, and the same n_validation and n_train"
    )]
    OtherExamples {
        /// The first.
        first: String,
        /// The other one.
        second: String,
    },
    /// Two names for the same.
    #[error("`{first}` and `{second}` are the same training: leave one of them out")]
    Same {
        /// The first.
        first: String,
        /// The other one.
        second: String,
    },
    /// An extension by what the comparison does not vary.
    #[error(
        "the comparison does not vary `{key}`{}, so that more of it cannot be added: start a new comparison",
        varied(known)
    )]
    NotThere {
        /// What was to be added.
        key: String,
        /// What is varied.
        known: Vec<String>,
    },
    /// More seeds than anybody trains with, or than there are.
    #[error(
        "{n_seeds} seeds from {first} on are too many: at most {MOST_SEEDS}, the last of them at \
         most {}",
        u64::MAX
    )]
    Seeds {
        /// The first seed.
        first: u64,
        /// How many were asked for.
        n_seeds: usize,
    },
    /// An extension that would take something away.
    #[error("the comparison has {there} {what}, so that {asked} would not extend it")]
    Fewer {
        /// What there would be fewer of.
        what: &'static str,
        /// How many there are.
        there: usize,
        /// How many were asked for.
        asked: usize,
    },
    /// More epochs would change those that are done.
    #[error(
        "with the cosine schedule every learning rate depends on the number of epochs: start a new \
         comparison of {asked} epochs"
    )]
    Schedule {
        /// How many epochs were asked for.
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
        /// What differs.
        source: CheckpointError,
    },
    /// What was stored is not a comparison.
    #[error("it is damaged, or no comparison: restore it, or remove it to start afresh")]
    NotStored(#[source] serde_json::Error),
    /// What was stored contradicts itself.
    #[error("it is damaged: {what}; restore it, or remove it to start afresh")]
    Inconsistent {
        /// What is wrong.
        what: String,
    },
    /// Stored before there was a format that can go on.
    #[error(
        "it has no format: it was written by a version whose comparisons cannot be resumed; start a \
         new one"
    )]
    Unversioned,
    /// Stored by a newer version.
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

/// What is varied, in brackets.
fn varied(known: &[String]) -> String {
    match known {
        [] => String::new(),
        known => format!(" but {}", known.join(", ")),
    }
}
