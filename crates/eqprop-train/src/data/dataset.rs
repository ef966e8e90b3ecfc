//! A data set, in memory or with its inputs in their files.

use super::{DataError, DataSource, Examples, fingerprint};

/// A data set with its two splits.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Name or files of the data set.
    pub kind: DataSource,
    /// Training split.
    pub train: Examples,
    /// Test split.
    pub test: Examples,
    /// Fingerprint of the examples as loaded.
    fingerprint: String,
}

impl Dataset {
    /// Creates a data set from these examples, and computes its [`fingerprint`](Self::fingerprint).
    ///
    /// # Panics
    /// If inputs are not [in memory](Examples::in_memory) and cannot be read.
    pub fn new(kind: impl Into<DataSource>, train: Examples, test: Examples) -> Self {
        let dataset = Self::of(kind, train, test);
        dataset.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Like `new`, for inputs that may have to be read.
    pub(super) fn of(
        kind: impl Into<DataSource>,
        train: Examples,
        test: Examples,
    ) -> Result<Self, DataError> {
        let kind = kind.into();
        Ok(Self {
            fingerprint: fingerprint::of(&kind, [&train, &test])?,
            kind,
            train,
            test,
        })
    }

    /// Returns the SHA-256 that identifies this data set, as 64 lower-case hexadecimal digits: the hash of
    /// its kind and of the shapes, labels and pixels of both splits. For user files, the class names
    /// replace the kind.
    ///
    /// It covers the examples as they were loaded, or given to [`new`](Self::new); later changes, by
    /// [`map`](Self::map) or to the fields, do not count. So the same files have the same fingerprint under
    /// every padding and normalization, on every machine, and however they are named and compressed.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// Applies `change` to both splits, such as [`DataConfig::prepare`](crate::config::DataConfig::prepare).
    pub fn map(self, change: impl Fn(Examples) -> Examples) -> Self {
        Self {
            train: change(self.train),
            test: change(self.test),
            ..self
        }
    }
}
