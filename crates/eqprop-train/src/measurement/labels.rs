//! How well several labels at once are predicted.

use serde::{Deserialize, Serialize};

/// Counts over examples of which each has none, one or several of some labels.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSums {
    /// Examples of which every label is right.
    pub exact: usize,
    /// Of each label, how often it was found.
    pub counts: Vec<LabelCounts>,
}

/// How often a label was found, and missed; in the other examples it was rightly not found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelCounts {
    /// Examples that have it, and in which it was found.
    pub true_positives: usize,
    /// Examples that do not have it, and in which it was found.
    pub false_positives: usize,
    /// Examples that have it, and in which it was not found.
    pub false_negatives: usize,
}

impl LabelSums {
    /// Of `n_labels`, before any example.
    pub(crate) fn new(n_labels: usize) -> Self {
        Self {
            exact: 0,
            counts: vec![LabelCounts::default(); n_labels],
        }
    }

    /// Adds an example, of which each label was found or not, and is there or not; whether each is right.
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

    /// The share of `n` examples of which every label is right.
    pub(crate) fn exact_matches(&self, n: usize) -> f64 {
        self.exact as f64 / n as f64
    }
}

impl LabelCounts {
    /// Examples that have the label.
    pub fn n_examples(&self) -> usize {
        self.true_positives + self.false_negatives
    }

    /// The share of the examples in which it was found that have it; none where it never was.
    pub fn precision(&self) -> Option<f64> {
        share(
            self.true_positives,
            self.true_positives + self.false_positives,
        )
    }

    /// The share of the examples that have it in which it was found; none where none has it.
    pub fn recall(&self) -> Option<f64> {
        share(self.true_positives, self.n_examples())
    }

    /// The harmonic mean of precision and recall; none where the label neither was there nor found.
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
    use super::LabelSums;

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
