//! Searches for the values of a training configuration with which it learns best.
//!
//! | item | role |
//! | --- | --- |
//! | [`Space`] | the parameters that are searched, and their limits |
//! | [`Plan`] | the length of a training, and the examples that judge it |
//! | [`Tuning`] | the search: the trials so far and the choice of the next one |
//! | [`Trainer`] | trains a trial up to its next rung |
//! | [`effects`] | how much of the differences between trials each parameter explains |
//!
//! # The search
//! Trial 0 is the configuration as it is; trial 1 has the steps and β of a fidelity
//! [`Recommendation`](crate::fidelity::Recommendation) for it. Each further trial is drawn around one of the
//! best so far, or drawn at random, or is one of the best with fewer steps and nothing else changed. All are
//! trained for a ninth of a full training; the best third of them goes on to a third of it, and the best
//! third of these to the end. This is asynchronous successive halving (Li et al. 2020,
//! <https://arxiv.org/abs/1810.05934>) with one worker, except that no more than a third goes on. Finally the
//! best full trainings are repeated with other seeds, and the best of them is the result.
//!
//! Trials are judged on training examples held out at random: by the share of them that is misclassified, for
//! several labels at once by the share of wrong labels, and for quantities by their mean error. The test set
//! has no influence here.
//!
//! Trials are not compared by their error alone but by their [score](Measured::score): halving the steps is
//! worth a quarter of the standard error that the validation examples leave. Among trials that these examples
//! cannot distinguish, the cheaper one wins.
//!
//! The next trial is a function of the seed and of the measurements, so that an interrupted search goes on as
//! if it had not been interrupted. Trials are trained one at a time: a training already uses all processors,
//! and two would share them.
//!
//! The sampler is specific to this crate. Tree-structured Parzen estimators, for which crates exist, begin
//! with random trials and know nothing of a good starting configuration; a few dozen trials are too few for
//! them to find it again.

mod effect;
mod halving;
mod parameter;
mod plan;
mod sampler;
mod search;
#[cfg(test)]
mod tests;
mod trainer;
mod trial;

pub use effect::effects;
pub use halving::{FINALISTS, Job};
pub use parameter::{Guess, Parameter, ParameterKind, Space, UnknownParameter, steps_of};
pub use plan::Plan;
pub use search::Tuning;
pub use trainer::{Trained, Trainer};
pub use trial::{Measured, Origin, Trial};
