//! Errors of checkpoints.

use std::io;
use std::path::PathBuf;

use burn::store::RecordError;

use crate::weights::WeightsError;

/// Error of writing or reading a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// A file or folder could not be written.
    #[error("cannot write `{}`: check its permissions and the space left", path.display())]
    Write {
        /// File or folder.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
    /// A file or folder could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// File or folder.
        path: PathBuf,
        /// Error of the operating system.
        #[source]
        source: io::Error,
    },
    /// A file differs from what was written.
    #[error(
        "the checkpoint file `{}` is damaged: {expected_bytes} bytes with checksum \
         {expected_crc32:08x} were written, {found_bytes} bytes with checksum {found_crc32:08x} \
         are there; restore it, or remove its folder to start the run afresh", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Size when written, in bytes.
        expected_bytes: u64,
        /// CRC-32 when written.
        expected_crc32: u32,
        /// Size now, in bytes.
        found_bytes: u64,
        /// CRC-32 now.
        found_crc32: u32,
    },
    /// A text file is malformed.
    #[error("`{}` is not what this program writes", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Error of the parser.
        #[source]
        source: serde_json::Error,
    },
    /// The configuration has changed.
    #[error(
        "the configuration was changed since the checkpoint was written ({}): change it back, or \
         start a new run", fields.join(", ")
    )]
    OtherConfig {
        /// Fields that differ.
        fields: Vec<String>,
    },
    /// More epochs have begun than are requested.
    #[error(
        "the run has begun {n_begun} epochs already: epochs must be at least that, but is {epochs}"
    )]
    TooFewEpochs {
        /// Number of epochs requested.
        epochs: usize,
        /// Number of epochs begun.
        n_begun: usize,
    },
    /// The number of epochs of a run with a cosine schedule has changed.
    #[error(
        "the learning rates of this run follow a cosine that reaches 0 after {epochs} epochs, so that \
         with {found} epochs it would not be the run that it were from the start: leave the number \
         as it is, or start a new run"
    )]
    ScheduleIsFixed {
        /// Number of epochs of the run.
        epochs: usize,
        /// Number of epochs requested.
        found: usize,
    },
    /// The checkpoint was written by another version.
    #[error(
        "`{}` has checkpoint format {found}, but this version reads formats 1 to {expected}: use \
         the version of eqprop that wrote it, or a newer one", path.display()
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// Newest format that this version reads.
        expected: u32,
        /// Format found.
        found: u32,
    },
    /// A parameter is infinite or not a number.
    #[error(transparent)]
    Weights(#[from] Box<WeightsError>),
    /// The tensors do not match the configuration.
    #[error("`{}` does not fit the configuration beside it", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// Reason for the mismatch.
        #[source]
        source: RecordError,
    },
    /// The state of an optimizer or a learning rate schedule is not valid for the configured one.
    #[error("`{}` does not fit the configuration beside it: {reason}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Reason for the mismatch.
        reason: String,
    },
}

/// Constructors of errors of a file or folder.
impl CheckpointError {
    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Write { path, source }
    }

    pub(crate) fn read(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        |source| Self::Read { path, source }
    }

    pub(crate) fn format(path: impl Into<PathBuf>) -> impl FnOnce(serde_json::Error) -> Self {
        let path = path.into();
        |source| Self::Format { path, source }
    }

    pub(crate) fn record(path: impl Into<PathBuf>) -> impl FnOnce(RecordError) -> Self {
        let path = path.into();
        |source| Self::Record { path, source }
    }

    pub(crate) fn unfit(path: impl Into<PathBuf>) -> impl FnOnce(String) -> Self {
        let path = path.into();
        |reason| Self::Unfit { path, reason }
    }
}
