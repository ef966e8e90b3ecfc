//! A data set: in memory, or with its inputs in their files.

use super::{DataError, DataSource, Examples, fingerprint};

/// A data set with its two splits.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Which data set this is.
    pub kind: DataSource,
    /// The examples to train on.
    pub train: Examples,
    /// The examples to judge by.
    pub test: Examples,
    /// Of the examples that it was made from.
    fingerprint: String,
}

impl Dataset {
    /// A data set of these examples, whose [`fingerprint`](Self::fingerprint) is taken now.
    ///
    /// # Panics
    /// If inputs are not [in memory](Examples::in_memory), and cannot be read.
    pub fn new(kind: impl Into<DataSource>, train: Examples, test: Examples) -> Self {
        let dataset = Self::of(kind, train, test);
        dataset.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, of inputs that may have to be read.
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

    /// What tells this data set from any other: the SHA-256, as 64 lower-case hexadecimal digits,
    /// of its kind and of the shapes, labels and pixels of both splits; of files of one's own, of the names
    /// of their classes in the place of the kind.
    ///
    /// It is that of the examples as they were loaded, or given to [`new`](Self::new): whatever is
    /// made of them later, by [`map`](Self::map) or by changing the fields, does not count. So the
    /// same files have the same fingerprint under every padding and normalization, on every
    /// machine, and however they are named and compressed.
    pub fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    /// The same data set with `change` made to both splits, such as
    /// [`DataConfig::prepare`](crate::config::DataConfig::prepare).
    pub fn map(self, change: impl Fn(Examples) -> Examples) -> Self {
        Self {
            train: change(self.train),
            test: change(self.test),
            ..self
        }
    }
}
