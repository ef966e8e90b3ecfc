//! Chooses the next trial.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::parameter::ParameterKind;
use super::search::Tuning;
use super::trial::{Origin, Trial};

/// One in this many trials is drawn at random, however good the others are.
const ONE_RANDOM_OF: u32 = 6;
/// One in this many trials is one of the best with fewer steps.
const ONE_CHEAPER_OF: usize = 4;
/// The fraction of its steps that such a trial keeps.
const FEWER: std::ops::Range<f64> = 0.4..0.9;
/// Trials are drawn around the best one in this many.
const ONE_BEST_OF: usize = 5;
/// The fewest and the most trials to draw around.
const PARENTS: [usize; 2] = [2, 6];
/// The distance a value moves, as a fraction of its range: initially, and finally.
const REACH: [f64; 2] = [0.3, 0.1];
/// Number of trials after which this distance is halfway between the two.
const HALF_AFTER: f64 = 20.0;
/// The probability that a value moves.
const CHANGE: f64 = 0.6;
/// The most draws for one trial; a draw may be known already, or refused by the network.
const ATTEMPTS: usize = 1000;

/// Returns the next trial; `None` if nothing new was drawn.
pub(super) fn propose(tuning: &Tuning) -> Option<Trial> {
    let (space, number) = (&tuning.space, tuning.trials.len());
    if number == 0 {
        return Some(Trial::new(0, Origin::Start, space.start()));
    }
    let is_new = |values: &Vec<f64>| {
        let mut known = tuning.trials.iter();
        known.all(|trial| trial.values != *values)
            && space.apply(&tuning.start, values).validate().is_ok()
    };
    if number == 1
        && let Some(values) = tuning.guess.as_ref().map(|guess| space.guessed(guess))
        && is_new(&values)
    {
        return Some(Trial::new(1, Origin::Fidelity, values));
    }
    // Each trial has its own random stream, independent of what was drawn for the others.
    let mut rng = ChaCha12Rng::seed_from_u64(tuning.start.seed);
    rng.set_stream(number as u64);
    let promising = tuning.promising();
    let n_parents = promising.len().div_ceil(ONE_BEST_OF);
    let n_parents = n_parents.clamp(PARENTS[0], PARENTS[1]);
    let parents = &promising[..n_parents.min(promising.len())];
    let reach = REACH[1] + (REACH[0] - REACH[1]) * HALF_AFTER / (HALF_AFTER + number as f64);
    (0..ATTEMPTS).find_map(|attempt| {
        let is_cheaper = number % ONE_CHEAPER_OF == ONE_CHEAPER_OF - 2;
        // There may be no such trial with fewer steps.
        if is_cheaper && 2 * attempt < ATTEMPTS && !parents.is_empty() {
            let parent = parents[rng.random_range(0..parents.len())];
            let pairs = space.parameters.iter().zip(&parent.values);
            let values = pairs.map(|(parameter, &value)| match parameter.kind {
                ParameterKind::FreeSteps | ParameterKind::NudgedSteps => {
                    let place = parameter.place(value * rng.random_range(FEWER));
                    parameter.value(place)
                }
                _ => value,
            });
            let values = values.collect();
            return is_new(&values)
                .then(|| Trial::new(number, Origin::Cheaper(parent.number), values));
        }
        let is_random = parents.is_empty() || rng.random_range(0..ONE_RANDOM_OF) == 0;
        let (origin, values) = if is_random {
            let values = space
                .parameters
                .iter()
                .map(|parameter| parameter.value(rng.random()));
            (Origin::Random, values.collect())
        } else {
            let parent = parents[rng.random_range(0..parents.len())];
            let pairs = space.parameters.iter().zip(&parent.values);
            let values = pairs.map(|(parameter, &value)| {
                if !rng.random_bool(CHANGE) {
                    return value;
                }
                parameter.value(parameter.place(value) + reach * normal(&mut rng))
            });
            (Origin::Near(parent.number), values.collect())
        };
        is_new(&values).then(|| Trial::new(number, origin, values))
    })
}

/// Draws from the standard normal distribution, by the Box–Muller method.
fn normal(rng: &mut ChaCha12Rng) -> f64 {
    let [radius, angle]: [f64; 2] = rng.random();
    (-2.0 * (1.0 - radius).ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}
