//! Targets of examples as rows of numbers.

use crate::data::Examples;

/// Target outputs of all examples, on the host.
#[derive(Debug)]
pub(super) enum TargetRows {
    /// Class of each example.
    Classes { labels: Vec<u8>, n_classes: usize },
    /// Other targets of each example, `n` numbers.
    Others { values: Vec<f32>, n: usize },
}

impl TargetRows {
    pub fn of(examples: &Examples) -> Self {
        match &examples.targets {
            Some(targets) => Self::Others {
                values: targets.values.clone(),
                n: targets.kind.len(),
            },
            None => Self::Classes {
                labels: examples.labels.clone(),
                n_classes: examples.n_classes,
            },
        }
    }

    /// Returns the number of target values per example.
    pub fn n_outputs(&self) -> usize {
        match self {
            Self::Classes { n_classes, .. } => *n_classes,
            Self::Others { n, .. } => *n,
        }
    }

    /// Returns the target rows of these examples: one-hot classes, or the other targets.
    ///
    /// # Panics
    /// If a label is not below the number of classes.
    pub fn rows(&self, indices: impl ExactSizeIterator<Item = usize>) -> Vec<f32> {
        match self {
            Self::Classes { labels, n_classes } => {
                let mut rows = vec![0f32; indices.len() * n_classes];
                for (row, index) in rows.chunks_exact_mut(*n_classes).zip(indices) {
                    row[usize::from(labels[index])] = 1.0;
                }
                rows
            }
            Self::Others { values, n } => {
                let rows = indices.flat_map(|index| &values[index * n..][..*n]);
                rows.copied().collect()
            }
        }
    }
}
