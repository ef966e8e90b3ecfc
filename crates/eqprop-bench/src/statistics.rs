//! Tests for what a few seeds and a set of test examples reveal about a difference.
//!
//! Chance enters twice between the observed errors of two ways to train and their true errors: another seed
//! would have trained another network, and other test examples would have been easier or harder. Each source
//! has its own test here. Both tests are paired, so that whatever the two have in common cancels:
//!
//! - [`PairedDifference`]: the differences seed by seed, with Student's t. It tells what holds for other
//!   seeds on these examples.
//! - [`ExampleTest`]: McNemar's test, the differences example by example. It tells what holds for other
//!   examples with these networks.
//!
//! A claim about both needs both tests; [`Verdict`](crate::comparison::Verdict) requires both. Where several
//! pairs are examined, [`holm`] keeps the chance of any false claim among them at the level of a single one.
//!
//! # Why Student's t and not a bootstrap
//! A 95 % interval should miss in 5 of 100 comparisons. For 3, 5, 10 and 20 seeds it misses in
//!
//! | differences are | t | bootstrap (BCa) |
//! | --- | --- | --- |
//! | normal | 5, 5, 5, 5 | 26, 16, 11, 7 |
//! | of heavy tails (one in 20 is five times as wide) | 4, 4, 4, 3 | 28, 19, 13, 10 |
//! | of two log-normal errors | 4, 4, 4, 4 | 32, 19, 15, 12 |
//! | skewed (exponential) | 11, 11, 9, 6 | 33, 20, 10, 8 |
//!
//! of 100. A sample of few seeds has too few extremes to draw from, whatever the drawing scheme. Differences
//! of pairs are hardly ever as skewed as the last line, because the skews of the two sides cancel. The test
//! `students_interval_covers_where_a_bootstrap_does_not` repeats the simulation.

mod examples;
mod holm;
mod paired;
mod student;

pub use examples::ExampleTest;
pub use holm::holm;
pub use paired::PairedDifference;

#[cfg(test)]
mod tests;
