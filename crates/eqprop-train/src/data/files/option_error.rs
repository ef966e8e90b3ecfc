//! Errors of the options for reading the user's files.

use crate::suggestion::did_you_mean;

/// Error of an option for reading files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesOptionError {
    /// The name of a format, task or scaling is unknown.
    #[error("unknown {what} `{name}`{suggestion}; there are: {known}")]
    Unknown {
        /// Kind of option named.
        what: &'static str,
        /// Name given.
        name: String,
        /// Suggestion of a similar name, if there is one.
        suggestion: String,
        /// All valid names.
        known: String,
    },
    /// `test_share` is out of range.
    #[error("test_share must be greater than 0 and less than 1, but is {found}")]
    TestShare {
        /// Value given.
        found: f64,
    },
    /// `image_size` is out of range.
    #[error("image_size must be 1 to {most} in both directions, but is {}x{}", found[0], found[1])]
    ImageSize {
        /// Value given.
        found: [usize; 2],
        /// Largest size.
        most: usize,
    },
    /// The number of channels is invalid.
    #[error("channels must be 1 or 3, but is {found}")]
    Channels {
        /// Value given.
        found: usize,
    },
    /// The findings in the configuration are impossible.
    #[error(
        "what the configuration says was found in `{path}` cannot be: remove `found`, so that the files are looked at anew"
    )]
    Findings {
        /// Path of the files.
        path: String,
    },
    /// The files of the configuration have not been inspected.
    #[error(
        "the files at `{path}` were not looked at, so their shape and classes are not known: name them with \
         --dataset, or call `DataFiles::look`"
    )]
    NotLookedAt {
        /// Path of the files.
        path: String,
    },
}

impl FilesOptionError {
    /// Returns the error of a name that is not among `known`.
    pub(super) fn unknown<const N: usize>(
        what: &'static str,
        name: &str,
        known: [&'static str; N],
    ) -> Self {
        Self::Unknown {
            what,
            name: name.into(),
            suggestion: did_you_mean(name, known),
            known: known.join(", "),
        }
    }
}
