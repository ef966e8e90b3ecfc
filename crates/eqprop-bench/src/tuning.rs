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
//! at random, or is one of the best with fewer steps and nothing else changed. All are trained to a ninth of a whole training, of those the best third goes on to a third, and of these the
//! best third to the end: asynchronous successive halving (Li et al. 2020, <https://arxiv.org/abs/1810.05934>), by one
//! worker. The best third of the whole trainings is repeated with other seeds, and what is best then is what was found.
//!
//! Trials are judged by training examples that are held out, at random. The test decides nothing here.
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
mod trainer;
mod trial;

use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{Dataset, Examples};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

pub use effect::effects;
pub use halving::Job;
pub use parameter::{Guess, Parameter, ParameterKind, Space, UnknownParameter, steps_of};
pub use plan::Plan;
pub use trainer::{Trained, Trainer};
pub use trial::{Measured, Origin, Trial};

/// A search, as far as it got.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// What it begins with.
    #[serde(deserialize_with = "TrainingConfig::read")]
    pub start: TrainingConfig,
    /// The steps and β that were recommended for it.
    pub guess: Option<Guess>,
    /// What is searched.
    pub space: Space,
    /// How trials are trained and judged.
    pub plan: Plan,
    /// What was tried.
    pub trials: Vec<Trial>,
}

impl Tuning {
    /// A search that begins.
    pub fn new(start: TrainingConfig, guess: Option<Guess>, space: Space, plan: Plan) -> Self {
        Self {
            start,
            guess,
            space,
            plan,
            trials: Vec::new(),
        }
    }

    /// What comes next, with at most so many trials; begins a trial if it is time to. None where nothing is left to do, or
    /// nothing new is to be found.
    pub fn next(&mut self, most: Option<usize>) -> Option<Job> {
        if let Some(job) = halving::promotion(self) {
            return Some(job);
        }
        if most.is_some_and(|most| self.trials.len() >= most) {
            return None;
        }
        let trial = sampler::propose(self)?;
        self.trials.push(trial);
        Some(Job {
            trial: self.trials.len() - 1,
            rung: 0,
        })
    }

    /// What is left to do before the best is known, when no trial is begun any more.
    pub fn closing(&self) -> Option<Job> {
        halving::closing(self)
    }

    /// The configuration of a trial, as it is trained in the search.
    pub fn config_of(&self, trial: &Trial) -> TrainingConfig {
        self.plan
            .searched(self.space.apply(&self.start, &trial.values))
    }

    /// The data of the search: without the test, which it does not look at, and with the training examples in a random order,
    /// so that those which are held out are like the others. Where the configuration holds out some itself, they are as they
    /// were.
    pub fn searched(&self, mut dataset: Dataset) -> Dataset {
        let data = &self.start.data;
        dataset.test = dataset.test.take(0);
        if let Some(n_train) = data.n_train {
            dataset.train = dataset.train.take(n_train);
        }
        if data.n_validation == 0 {
            dataset.train = shuffled(&dataset.train, self.start.seed);
        }
        dataset
    }

    /// The best trial so far: of those that were measured furthest, that of the lowest score.
    pub fn best(&self) -> Option<&Trial> {
        self.ranked().first().copied()
    }

    /// Trials that were measured, the best first: those that came further before the others, and of these by score.
    pub fn ranked(&self) -> Vec<&Trial> {
        let mut measured: Vec<(&Trial, &Measured)> = self
            .trials
            .iter()
            .filter_map(|trial| Some((trial, trial.last()?)))
            .collect();
        measured.sort_by(|(a, at_a), (b, at_b)| {
            let further = at_b.rung.cmp(&at_a.rung);
            further.then_with(|| self.rank(a, at_a).total_cmp(&self.rank(b, at_b)))
        });
        measured.into_iter().map(|(trial, _)| trial).collect()
    }

    /// Trials that were measured, those to draw others around first: by their score at the last rung that they reached as a
    /// part of the start's at the same rung, because most did not come far.
    fn promising(&self) -> Vec<&Trial> {
        let start = self.trials.first();
        let against_start = |trial: &Trial| {
            let last = trial.last()?;
            let start = start
                .and_then(|start| Some(self.rank(start, start.at(last.rung).or(start.last())?)));
            let score = self.rank(trial, last);
            // Half an example more on both sides, so that neither is 0.
            let air = 0.5 / self.plan.n_validation as f64;
            Some((score + air) / (start? + air))
        };
        let mut measured: Vec<(&Trial, f64)> = self
            .trials
            .iter()
            .filter_map(|trial| Some((trial, against_start(trial)?)))
            .collect();
        measured.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        measured.into_iter().map(|(trial, _)| trial).collect()
    }

    /// The score of a trial at what was measured.
    fn rank(&self, trial: &Trial, measured: &Measured) -> f64 {
        let steps = [self.steps(trial), steps_of(&self.start)];
        measured.score(self.plan.n_validation, steps)
    }

    /// Steps that a trial takes for an example.
    pub fn steps(&self, trial: &Trial) -> usize {
        steps_of(&self.space.apply(&self.start, &trial.values))
    }
}

/// Examples in a random order.
fn shuffled(examples: &Examples, seed: u64) -> Examples {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.shuffle(&mut ChaCha12Rng::seed_from_u64(seed));
    let inputs = order.iter().flat_map(|&example| examples.input(example));
    Examples {
        inputs: inputs.copied().collect(),
        labels: order
            .iter()
            .map(|&example| examples.labels[example])
            .collect(),
        ..*examples
    }
}

#[cfg(test)]
mod tests;
