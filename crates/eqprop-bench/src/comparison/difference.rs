//! Whether one arm is better than another.

use std::collections::HashMap;

use eqprop_train::training::EpochRecord;
use serde::{Deserialize, Serialize};

use super::run::{Comparison, Run};
use crate::statistics::{ExampleTest, PairedDifference, holm};

/// The accepted chance of any false verdict among all pairs together.
const CHANCE: f64 = 0.05;
/// The fewest seeds that carry a verdict: two differences hardly determine their own spread.
pub const FEWEST_SEEDS: usize = 3;
/// The most seeds that are ever suggested.
const MOST_NEEDED: usize = 200;

/// The difference in error between two arms, on the examples by which trainings are compared: the validation
/// examples if some are held out, else the test examples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// Name of the first arm.
    pub first: String,
    /// Name of the second arm.
    pub second: String,
    /// The seeds with which both arms have finished.
    pub seeds: Vec<u64>,
    /// Error of the first arm minus that of the second, seed by seed, with its 95 % interval; none for fewer
    /// than two seeds.
    pub error: Option<PairedDifference>,
    /// The same networks compared example by example, where it is known which examples they got right; with
    /// several labels at once, label by label within each example.
    pub examples: Option<ExampleTest>,
    /// The p-value of the difference by the weaker of the two tests: for this pair alone, and corrected for
    /// all pairs examined.
    pub p: Option<[f64; 2]>,
    /// The conclusion.
    pub verdict: Verdict,
    /// Number of seeds that would carry a verdict if they continue as these began, where these do not.
    pub seeds_needed: Option<usize>,
}

/// A conclusion about a difference, with at most one comparison in 20 drawing a false one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The first arm makes fewer errors.
    FirstIsBetter,
    /// The second arm makes fewer errors.
    SecondIsBetter,
    /// There are fewer than three seeds.
    TooFewSeeds,
    /// Each network of one arm gets the same examples right as its counterpart.
    Same,
    /// With other seeds the order might be reversed.
    SeedsDisagree,
    /// The seeds agree, but on other examples the order might be reversed.
    TooFewExamples,
    /// It would suffice for a single pair, but among this many pairs one is likely to look so.
    ManyPairs,
}

/// Returns the differences of all pairs of arms, in the order of the arms.
pub(super) fn differences(comparison: &Comparison) -> Vec<Difference> {
    let arms = comparison.arms().iter();
    let arms = arms.map(|arm| {
        let finished = comparison.finished_of(&arm.name);
        let finished: HashMap<u64, &Run> = finished.map(|run| (run.seed, run)).collect();
        (arm.name.as_str(), finished)
    });
    let arms: Vec<_> = arms.collect();
    let labels = comparison.plan.config.data.dataset.labels();
    let n_labels = labels.map_or(1, <[String]>::len);
    let mut found = Vec::new();
    for (place, (first, its_runs)) in arms.iter().enumerate() {
        for (second, runs) in &arms[place + 1..] {
            let both = comparison.seeds.iter();
            let both =
                both.filter_map(|seed| Some((*seed, *its_runs.get(seed)?, *runs.get(seed)?)));
            let both: Vec<_> = both.collect();
            found.push(difference([first, second], &both, n_labels));
        }
    }
    let alone: Vec<f64> = found
        .iter()
        .filter_map(|difference| Some(difference.p?[0]))
        .collect();
    let mut together = holm(&alone).into_iter();
    for difference in &mut found {
        if let Some([_, p]) = &mut difference.p {
            *p = together.next().expect("one for each");
        }
        difference.judge();
    }
    found
}

/// Measures the difference of two arms before it is judged: `both` holds the seeds with which both have
/// finished. An example has `n_labels` labels at once, or one class.
fn difference(
    [first, second]: [&str; 2],
    both: &[(u64, &Run, &Run)],
    n_labels: usize,
) -> Difference {
    let error = |run: &Run| {
        run.epochs
            .last()
            .map_or(f64::NAN, EpochRecord::held_out_error)
    };
    let differences: Vec<f64> = both.iter().map(|(_, a, b)| error(a) - error(b)).collect();

    let bits = both
        .iter()
        .map(|(_, a, b)| Some((a.correct.as_ref()?, b.correct.as_ref()?)));
    let bits: Option<Vec<_>> = bits.collect();
    let n_examples = bits
        .as_ref()
        .and_then(|bits| Some(bits.first()?.0.n_examples()));
    let bits = bits.filter(|bits| {
        let mut sizes = bits
            .iter()
            .flat_map(|(a, b)| [a.n_examples(), b.n_examples()]);
        sizes.all(|size| Some(size) == n_examples)
    });
    let examples = n_examples.zip(bits).map(|(n_bits, bits)| {
        // The labels of one example are seen together, so the example is one coin, as with several pairs of
        // networks.
        let of_each = bits.into_iter().flat_map(|(a, b)| {
            (0..n_labels).map(move |label| {
                move |example: usize| [a, b].map(|bits| bits.is_correct(example * n_labels + label))
            })
        });
        ExampleTest::of(n_bits / n_labels, &of_each.collect::<Vec<_>>())
    });
    let resolution = n_examples.map_or(0.0, |n_bits| 1.0 / n_bits as f64);
    let error = PairedDifference::of(&differences, resolution, 1.0 - CHANCE);
    let is_enough = differences.len() >= FEWEST_SEEDS;
    let weaker = error.filter(|_| is_enough).map(|error| {
        let by_examples = examples.map_or(0.0, |test: ExampleTest| test.p);
        error.p.max(by_examples)
    });
    Difference {
        first: first.to_string(),
        second: second.to_string(),
        seeds: both.iter().map(|(seed, ..)| *seed).collect(),
        error,
        examples,
        p: weaker.map(|p| [p, p]),
        verdict: Verdict::TooFewSeeds,
        seeds_needed: None,
    }
}

impl Difference {
    /// Derives the verdict from the measurements.
    fn judge(&mut self) {
        let (Some(error), Some([alone, together])) = (self.error, self.p) else {
            return;
        };
        let differ = |test: ExampleTest| test.only_first + test.only_second > 0;
        self.verdict = if together <= CHANCE {
            match error.mean < 0.0 {
                true => Verdict::FirstIsBetter,
                false => Verdict::SecondIsBetter,
            }
        } else if error.mean == 0.0 && error.deviation == 0.0 && !self.examples.is_some_and(differ)
        {
            Verdict::Same
        } else if alone <= CHANCE {
            Verdict::ManyPairs
        } else if error.p <= CHANCE {
            Verdict::TooFewExamples
        } else {
            Verdict::SeedsDisagree
        };
        if self.verdict == Verdict::SeedsDisagree {
            self.seeds_needed = error.n_needed(1.0 - CHANCE, MOST_NEEDED);
        }
    }

    /// Returns the arm that makes fewer errors, then the other, if the verdict names one.
    pub fn better(&self) -> Option<[&str; 2]> {
        match self.verdict {
            Verdict::FirstIsBetter => Some([&self.first, &self.second]),
            Verdict::SecondIsBetter => Some([&self.second, &self.first]),
            _ => None,
        }
    }

    /// Returns the verdict in words.
    pub fn words(&self) -> String {
        let n = self.seeds.len();
        match self.verdict {
            Verdict::FirstIsBetter | Verdict::SecondIsBetter => {
                let [better, worse] = self.better().unwrap_or_default();
                format!("{better} makes fewer errors than {worse}")
            }
            Verdict::TooFewSeeds => match n {
                0 => "no seed has been trained by both".to_string(),
                1 => format!("one seed carries no verdict: at least {FEWEST_SEEDS}"),
                n => format!("{n} seeds carry no verdict: at least {FEWEST_SEEDS}"),
            },
            Verdict::Same => "the same on every example".to_string(),
            Verdict::SeedsDisagree => {
                let needed = self.seeds_needed;
                let needed = needed.map_or(String::new(), |n| {
                    format!("; some {n} would, if they go on so")
                });
                format!("{n} seeds do not tell them apart{needed}")
            }
            Verdict::TooFewExamples => {
                format!("the {n} seeds agree, but so few examples differ that others might not")
            }
            Verdict::ManyPairs => "not to be told from chance among so many pairs".to_string(),
        }
    }
}
