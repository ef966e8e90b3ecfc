//! A search, as far as it got.

use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{Dataset, Examples};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use super::parameter::{Guess, Space, steps_of};
use super::plan::Plan;
use super::trial::{Measured, Trial};

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
            .filter(|trial| trial.failure.is_none())
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
    pub(super) fn promising(&self) -> Vec<&Trial> {
        let start = self.trials.first();
        let against_start = |trial: &Trial| {
            let last = trial.last()?;
            let start = start
                .and_then(|start| Some(self.rank(start, start.at(last.rung).or(start.last())?)));
            let score = self.rank(trial, last);
            let air = self.least_error();
            Some((score + air) / (start? + air))
        };
        let mut measured: Vec<(&Trial, f64)> = self
            .trials
            .iter()
            .filter(|trial| trial.failure.is_none())
            .filter_map(|trial| Some((trial, against_start(trial)?)))
            .collect();
        measured.sort_by(|(_, a), (_, b)| a.total_cmp(b));
        measured.into_iter().map(|(trial, _)| trial).collect()
    }

    /// The score of a trial at what was measured.
    pub(super) fn rank(&self, trial: &Trial, measured: &Measured) -> f64 {
        let steps = [self.steps(trial), steps_of(&self.start)];
        let n = self.plan.n_validation;
        match self.is_of_quantities() {
            false => measured.score(n, steps),
            true => measured.score_of_distances(n, steps),
        }
    }

    /// Whether errors are distances from quantities, and no shares.
    pub fn is_of_quantities(&self) -> bool {
        self.start.data.dataset.quantities().is_some()
    }

    /// What an error of 0 is taken for where only ratios count: half an example, or a distance that is none.
    pub fn least_error(&self) -> f64 {
        match self.is_of_quantities() {
            false => 0.5 / self.plan.n_validation as f64,
            true => f64::MIN_POSITIVE,
        }
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
    examples.in_order(&order)
}
