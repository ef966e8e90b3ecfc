//! Tests differences on the same examples.

use serde::{Deserialize, Serialize};

use super::student::within;

/// The most products of the exact test; beyond that, a normal distribution is as good.
const MOST_WORK: usize = 20_000_000;
/// Degrees of freedom at which Student's distribution agrees with the normal one to four digits.
const NORMAL: usize = 10_000;

/// McNemar's test: whether two classifiers differ on more examples in one direction than in the other.
///
/// For each pair of networks only those examples count that exactly one of the two classifies correctly. If
/// neither were better, either would win such an example with the same probability, so that the sign of each
/// is a coin toss:
///
/// ```text
/// T = Σ_i d_i,   d_i = (pairs in which only the first is right on example i) − (only the second)
/// p = P(|Σ_i ±|d_i|| ≥ |T|)        signs at random, independent of each other
/// ```
///
/// With one pair all `|d_i|` are 1, and this is McNemar's exact test. With several pairs, an example counts
/// as one coin however many pairs it separates, because all of them saw the same examples. The same holds
/// where an example has several labels at once, each of which is right or wrong: the sum then runs over the
/// labels of all pairs. The probability is exact where the sum has few enough terms, and otherwise that of
/// the normal distribution of `T/√Σd_i²`.
///
/// The test tells whether these networks would differ on other examples too, not whether other networks
/// would.
///
/// # Reference
/// McNemar (1947), <https://doi.org/10.1007/BF02295996>; for clusters, Durkalski et al. (2003),
/// <https://doi.org/10.1002/sim.1438>
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ExampleTest {
    /// Number of examples that only the first classified correctly, summed over the pairs.
    pub only_first: usize,
    /// Number of examples that only the second classified correctly, summed over the pairs.
    pub only_second: usize,
    /// The p-value: the probability of a difference at least as large if neither were better.
    pub p: f64,
}

impl ExampleTest {
    /// Tests `n_examples` examples; each of `pairs` tells whether the first and the second were right on an
    /// example.
    pub fn of<F: Fn(usize) -> [bool; 2]>(n_examples: usize, pairs: &[F]) -> Self {
        let (mut only_first, mut only_second) = (0, 0);
        let mut differences = Vec::new();
        for example in 0..n_examples {
            let mut difference = 0i64;
            for pair in pairs {
                match pair(example) {
                    [true, false] => {
                        only_first += 1;
                        difference += 1;
                    }
                    [false, true] => {
                        only_second += 1;
                        difference -= 1;
                    }
                    _ => {}
                }
            }
            if difference != 0 {
                differences.push(difference);
            }
        }
        Self {
            only_first,
            only_second,
            p: sign_flips(&differences),
        }
    }
}

/// Returns `P(|Σ ±|d_i|| ≥ |Σ d_i|)` for random signs.
fn sign_flips(differences: &[i64]) -> f64 {
    let total: i64 = differences.iter().sum();
    let sizes = differences
        .iter()
        .map(|difference| difference.unsigned_abs());
    let sizes: Vec<usize> = sizes.map(|size| size as usize).collect();
    let most: usize = sizes.iter().sum();
    if total == 0 {
        return 1.0;
    }
    if most.saturating_mul(sizes.len()) > MOST_WORK {
        let squares: f64 = sizes.iter().map(|&size| (size * size) as f64).sum();
        return (1.0 - within(total as f64 / squares.sqrt(), NORMAL)).max(0.0);
    }
    // Probabilities of the sum of the sizes with sign +, which determines the whole sum.
    let mut probabilities = vec![0.0; most + 1];
    probabilities[0] = 1.0;
    let mut reached = 0;
    for size in sizes {
        reached += size;
        for sum in (0..=reached).rev() {
            let without = probabilities[sum];
            let with = if sum < size {
                0.0
            } else {
                probabilities[sum - size]
            };
            probabilities[sum] = 0.5 * (without + with);
        }
    }
    let total = total.unsigned_abs() as usize;
    let is_as_far = |sum: &usize| (2 * sum).abs_diff(most) >= total;
    let p: f64 = (0..=most)
        .filter(is_as_far)
        .map(|sum| probabilities[sum])
        .sum();
    p.min(1.0)
}
