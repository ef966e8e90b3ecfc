//! Prediction quality of multiple labels.

use serde::{Deserialize, Serialize};

/// Counts over multi-label examples, each with none, one or several labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSums {
    /// Number of examples with all labels right.
    pub exact: usize,
    /// Counts of each label.
    pub counts: Vec<LabelCounts>,
}

/// Confusion counts of a label; the remaining examples are true negatives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelCounts {
    /// Number of examples that have the label and were predicted to have it.
    pub true_positives: usize,
    /// Number of examples that do not have the label but were predicted to have it.
    pub false_positives: usize,
    /// Number of examples that have the label but were not predicted to have it.
    pub false_negatives: usize,
}

/// The class of an example, and the one that it is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classified {
    /// Index of its class.
    pub class: usize,
    /// Index of the class with the highest score.
    pub found: usize,
}

impl LabelSums {
    /// Creates counts of zero for `n_labels` labels.
    pub(crate) fn new(n_labels: usize) -> Self {
        Self {
            exact: 0,
            counts: vec![LabelCounts::default(); n_labels],
        }
    }

    /// Adds an example, given whether each label is predicted and whether it is present. Returns whether each
    /// is right.
    pub(crate) fn add(&mut self, labels: impl IntoIterator<Item = [bool; 2]>) -> Vec<bool> {
        let counts = self.counts.iter_mut().zip(labels);
        let are_right = counts.map(|(counts, [found, wanted])| {
            match (found, wanted) {
                (true, true) => counts.true_positives += 1,
                (true, false) => counts.false_positives += 1,
                (false, true) => counts.false_negatives += 1,
                (false, false) => {}
            }
            found == wanted
        });
        let are_right: Vec<bool> = are_right.collect();
        self.exact += usize::from(are_right.iter().all(|is_right| *is_right));
        are_right
    }

    /// Returns the fraction of `n` examples with all labels right.
    pub(crate) fn exact_matches(&self, n: usize) -> f64 {
        self.exact as f64 / n as f64
    }
}

impl LabelCounts {
    /// Counts each of `n` classes against all the others.
    pub fn of_classes(n: usize, examples: &[Classified]) -> Vec<Self> {
        let mut counts = vec![Self::default(); n];
        for &Classified { class, found } in examples {
            if class == found {
                counts[class].true_positives += 1;
            } else {
                counts[class].false_negatives += 1;
                counts[found].false_positives += 1;
            }
        }
        counts
    }

    /// Returns the number of examples that have the label.
    pub fn n_examples(&self) -> usize {
        self.true_positives + self.false_negatives
    }

    /// Returns the precision: the fraction of predicted examples that have the label; `None` if it was never
    /// predicted.
    pub fn precision(&self) -> Option<f64> {
        share(
            self.true_positives,
            self.true_positives + self.false_positives,
        )
    }

    /// Returns the recall: the fraction of examples with the label that were predicted; `None` if none has
    /// it.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positives, self.n_examples())
    }

    /// Returns the F1 score, the harmonic mean of precision and recall; `None` if the label was neither
    /// present nor predicted.
    pub fn f1(&self) -> Option<f64> {
        let n_right = 2 * self.true_positives;
        share(
            n_right,
            n_right + self.false_positives + self.false_negatives,
        )
    }
}

fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::{Classified, LabelCounts, LabelSums};

    #[test]
    fn each_class_is_counted_against_all_the_others() {
        let examples = [[0, 0], [0, 1], [1, 1], [1, 1], [0, 0], [0, 2]];
        let examples = examples.map(|[class, found]| Classified { class, found });
        let counts = LabelCounts::of_classes(4, &examples);
        let precision = [Some(1.0), Some(2.0 / 3.0), Some(0.0), None];
        let recall = [Some(0.5), Some(1.0), None, None];
        for (class, counts) in counts.iter().enumerate() {
            assert_eq!(counts.precision(), precision[class], "{class}");
            assert_eq!(counts.recall(), recall[class], "{class}");
        }
    }

    #[test]
    fn each_label_is_counted_where_it_is_found_and_where_it_is_missed() {
        let mut sums = LabelSums::new(3);
        let mut add = |found: [bool; 3], wanted: [bool; 3]| {
            sums.add(std::array::from_fn::<_, 3, _>(|label| {
                [found[label], wanted[label]]
            }))
        };
        let (yes, no) = (true, false);
        assert_eq!(add([yes, no, no], [yes, no, no]), [true; 3]);
        assert_eq!(add([yes, no, no], [no, yes, no]), [false, false, true]);
        assert_eq!(add([yes, yes, no], [yes, yes, no]), [true; 3]);
        assert_eq!((sums.exact, sums.exact_matches(3)), (2, 2.0 / 3.0));
        let [first, second, third] = &sums.counts[..] else {
            panic!("three labels");
        };
        assert_eq!((first.n_examples(), second.n_examples()), (2, 2));
        assert_eq!(
            (first.precision(), first.recall()),
            (Some(2.0 / 3.0), Some(1.0))
        );
        assert_eq!(
            (second.precision(), second.recall()),
            (Some(1.0), Some(0.5))
        );
        assert_eq!(first.f1(), Some(0.8));
        assert_eq!(second.f1(), Some(2.0 / 3.0));
        let nothing = [third.precision(), third.recall(), third.f1()];
        assert_eq!((third.n_examples(), nothing), (0, [None; 3]));
    }
}
