//! The state of a search.

use eqprop_train::config::TrainingConfig;
use eqprop_train::data::{Dataset, Examples};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use super::parameter::{Guess, Space, steps_of};
use super::plan::Plan;
use super::trial::{Measured, Trial};

/// The state of a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// The starting configuration.
    #[serde(deserialize_with = "TrainingConfig::read")]
    pub start: TrainingConfig,
    /// The steps and β recommended for it.
    pub guess: Option<Guess>,
    /// The search space.
    pub space: Space,
    /// The plan by which trials are trained and judged.
    pub plan: Plan,
    /// The trials so far.
    pub trials: Vec<Trial>,
}

impl Tuning {
    /// Creates a new search.
    pub fn new(start: TrainingConfig, guess: Option<Guess>, space: Space, plan: Plan) -> Self {
        Self {
            start,
            guess,
            space,
            plan,
            trials: Vec::new(),
        }
    }

    /// Returns the configuration of a trial, as it is trained in the search.
    pub fn config_of(&self, trial: &Trial) -> TrainingConfig {
        self.plan
            .searched(self.space.apply(&self.start, &trial.values))
    }

    /// Returns the data of the search: without the test set, which the search never uses, and with the
    /// training examples shuffled, so that the held-out ones are like the others. If the configuration itself
    /// holds out examples, the order is left unchanged.
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

    /// Returns the best trial so far: the one with the lowest score among those trained furthest.
    pub fn best(&self) -> Option<&Trial> {
        self.ranked().first().copied()
    }

    /// Returns the measured trials, best first: sorted by how far they were trained, then by score.
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

    /// Returns the measured trials, those to draw others around first: by their score at the last rung they
    /// reached, relative to the score of the start at the same rung, because most did not get far.
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

    /// Returns the score of a trial at a measurement.
    pub(super) fn rank(&self, trial: &Trial, measured: &Measured) -> f64 {
        let steps = [self.steps(trial), steps_of(&self.start)];
        let n = self.plan.n_validation;
        match self.is_of_quantities() {
            false => measured.score(n, steps),
            true => measured.score_of_distances(n, steps),
        }
    }

    /// Whether errors are mean distances from quantities instead of shares.
    pub fn is_of_quantities(&self) -> bool {
        self.start.data.dataset.quantities().is_some()
    }

    /// Returns the value that replaces an error of 0 where only ratios count: half an example, or the
    /// smallest positive distance.
    pub fn least_error(&self) -> f64 {
        match self.is_of_quantities() {
            false => 0.5 / self.plan.n_validation as f64,
            true => f64::MIN_POSITIVE,
        }
    }

    /// Returns the number of steps that a trial takes per example.
    pub fn steps(&self, trial: &Trial) -> usize {
        steps_of(&self.space.apply(&self.start, &trial.values))
    }
}

/// Returns the examples in random order.
fn shuffled(examples: &Examples, seed: u64) -> Examples {
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.shuffle(&mut ChaCha12Rng::seed_from_u64(seed));
    examples.in_order(&order)
}
