//! Whether one arm is better than another.

use std::collections::HashMap;

use eqprop_train::training::EpochRecord;
use serde::{Deserialize, Serialize};

use super::run::{Comparison, Run};
use crate::statistics::{ExampleTest, PairedDifference, holm};

/// The chance of a false verdict, of all together, that is put up with.
const CHANCE: f64 = 0.05;
/// The fewest seeds that carry a verdict: the spread of two differences is hardly known.
pub const FEWEST_SEEDS: usize = 3;
/// Nobody trains more seeds to find out.
const MOST_NEEDED: usize = 200;

/// How the errors of two arms differ, on the examples by which trainings are held against one another: those of the validation,
/// if some are held out, else those of the test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The name of the first arm.
    pub first: String,
    /// The name of the second.
    pub second: String,
    /// The seeds with which both have finished.
    pub seeds: Vec<u64>,
    /// The error of the first less that of the second, seed by seed, with its interval of 95 %; none for fewer than two seeds.
    pub error: Option<PairedDifference>,
    /// The same networks example by example, where it is known which examples they got right; of several labels at once,
    /// which labels of each example.
    pub examples: Option<ExampleTest>,
    /// How probable a difference as large would be without one, by the weaker of the two tests; and with all the pairs that
    /// are looked at.
    pub p: Option<[f64; 2]>,
    /// What can be said.
    pub verdict: Verdict,
    /// Seeds that would carry a verdict, if they go on as these began, where these do not.
    pub seeds_needed: Option<usize>,
}

/// What can be said of a difference without more than one false verdict in 20 comparisons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The first makes fewer errors.
    FirstIsBetter,
    /// The second makes fewer errors.
    SecondIsBetter,
    /// Fewer than three seeds.
    TooFewSeeds,
    /// Every network of one gets right what that of the other does.
    Same,
    /// With other seeds it might be the other way around.
    SeedsDisagree,
    /// The seeds agree, but with other examples it might be the other way around.
    TooFewExamples,
    /// It would do for one pair, but of so many pairs one is likely to look so.
    ManyPairs,
}

/// The differences of all pairs of arms, in the order of the arms.
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

/// What two arms show, before it is judged: `both` have finished with a seed. There are `n_labels` that an example may have
/// at once, or one class of each.
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
        // The labels of an example were seen together: it is one coin, as it is for several pairs.
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
    /// Reads the verdict from what was measured.
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

    /// The arm that makes fewer errors, and the other, where that can be said.
    pub fn better(&self) -> Option<[&str; 2]> {
        match self.verdict {
            Verdict::FirstIsBetter => Some([&self.first, &self.second]),
            Verdict::SecondIsBetter => Some([&self.second, &self.first]),
            _ => None,
        }
    }

    /// The verdict in words.
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
