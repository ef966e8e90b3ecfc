//! Searches the values of a training configuration with which it learns best.
//!
//! | part | what |
//! | --- | --- |
//! | [`Space`] | what is searched, and within which limits |
//! | [`Plan`] | how long a training is, and by which examples it is judged |
//! | [`Tuning`] | the search: what was tried and what comes next |
//! | [`Trainer`] | trains a trial up to its next rung |
//! | [`effects`] | how much of the differences between trials each parameter explains |
//!
//! # The search
//! Trial 0 is the configuration as it is, trial 1 has the steps and β of a fidelity
//! [`Recommendation`](crate::fidelity::Recommendation) for it. Each further one is drawn around one of the best so far, or
//! at random, or is one of the best with fewer steps and nothing else changed. All are trained to a ninth of a whole
//! training, of those the best third goes on to a third, and of these the best third to the end: asynchronous successive
//! halving (Li et al. 2020, <https://arxiv.org/abs/1810.05934>), by one worker, but no more than a third goes on. In the end
//! the best whole trainings are repeated with other seeds, and what is best then is what was found.
//!
//! Trials are judged by training examples that are held out, at random: by the share of them that is classified wrongly, of
//! several labels at once by the share of the labels that are wrong, and of quantities by their mean error. The test decides
//! nothing here.
//!
//! They are not compared by their error alone, but by their [score](Measured::score): a halving of the steps is worth a
//! quarter of the standard error that the validation examples leave. Among trials that they cannot tell apart, the
//! cheaper wins.
//!
//! What comes next is a function of the seed and of what was measured, so that a search that was interrupted goes on as if it
//! had not been. One trial is trained at a time: a training uses all processors already, and two would share them.
//!
//! The sampler is one of its own. Tree-structured Parzen estimators, which crates have, begin with random trials and know
//! nothing of a good configuration to begin with; a few dozen trials are too few for them to find it again.

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
