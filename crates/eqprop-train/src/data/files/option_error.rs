//! What can be wrong with how files of one's own are to be read.

use crate::suggestion::did_you_mean;

/// Why files cannot be read as they are to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesOptionError {
    /// No such name of a format, a task or a scaling.
    #[error("unknown {what} `{name}`{suggestion}; there are: {known}")]
    Unknown {
        /// What it should name.
        what: &'static str,
        /// The name.
        name: String,
        /// The one that may be meant.
        suggestion: String,
        /// All names.
        known: String,
    },
    /// The share of the test.
    #[error("test_share must be greater than 0 and less than 1, but is {found}")]
    TestShare {
        /// The value.
        found: f64,
    },
    /// The size of images.
    #[error("image_size must be 1 to {most} in both directions, but is {}x{}", found[0], found[1])]
    ImageSize {
        /// The value.
        found: [usize; 2],
        /// The most.
        most: usize,
    },
    /// The channels.
    #[error("channels must be 1 or 3, but is {found}")]
    Channels {
        /// The value.
        found: usize,
    },
    /// Findings that cannot have been found.
    #[error(
        "what the configuration says was found in `{path}` cannot be: remove `found`, so that the files are looked at anew"
    )]
    Findings {
        /// The path.
        path: String,
    },
    /// A configuration whose files were not looked at.
    #[error(
        "the files at `{path}` were not looked at, so their shape and classes are not known: name them with \
         --dataset, or call `DataFiles::look`"
    )]
    NotLookedAt {
        /// The path.
        path: String,
    },
}

impl FilesOptionError {
    /// A name that is none of `known`.
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
