//! What can go wrong in a comparison.

use eqprop_train::error::{CheckpointError, TrainingError};
use thiserror::Error;

use crate::method::{Method, MethodError};

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
    #[error("method `{method}` is named twice")]
    Twice {
        /// The method.
        method: Method,
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
        "the checkpoint of {method} with seed {seed} is of another training; remove its folder \
         `{seed}-{method}` to begin that training afresh"
    )]
    Changed {
        /// The method.
        method: Method,
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
