//! What a few seeds and a set of test examples can tell about a difference.
//!
//! Two sources of chance stand between the errors that two ways to train were seen to make and the errors that they
//! make: another seed would have trained another network, and other test examples would have been easier or harder. Each
//! has its test here, on what the two have in common, so that what is common to both does not count:
//!
//! - [`PairedDifference`]: the differences seed by seed, with Student's t. It says what holds for other seeds on these
//!   examples.
//! - [`ExampleTest`]: McNemar's test, the differences example by example. It says what holds for other examples with these
//!   networks.
//!
//! A claim about both needs both; [`Verdict`](crate::comparison::Verdict) asks for both. Where several pairs are looked
//! at, [`holm`] keeps the chance of a single false claim among them all at that of one.
//!
//! # Why Student's t, and not a bootstrap
//! An interval of 95 % should miss in 5 of 100 comparisons. For 3, 5, 10 and 20 seeds it misses in
//!
//! | differences are | t | bootstrap (BCa) |
//! | --- | --- | --- |
//! | normal | 5, 5, 5, 5 | 26, 16, 11, 7 |
//! | of heavy tails (one in 20 is five times as wide) | 4, 4, 4, 3 | 28, 19, 13, 10 |
//! | of two log-normal errors | 4, 4, 4, 4 | 32, 19, 15, 12 |
//! | skewed (exponential) | 11, 11, 9, 6 | 33, 20, 10, 8 |
//!
//! of 100. A sample of few seeds has too few extremes to draw from, whatever is drawn. The differences of a pair are hardly
//! ever as skewed as the last line, because the skew of either side cancels. The test
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
