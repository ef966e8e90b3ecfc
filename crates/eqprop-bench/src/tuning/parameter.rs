//! The searched parameters and their limits.

use std::fmt;
use std::str::FromStr;

use eqprop_core::connection::{ConnectionKind, InitializerConfig};
use eqprop_core::nudging::Nudging;
use eqprop_train::config::TrainingConfig;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The kind of a searched parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParameterKind {
    /// The nudging factor.
    Beta,
    /// Steps of the free phase.
    FreeSteps,
    /// Steps of a nudged phase.
    NudgedSteps,
    /// A common factor on all learning rates.
    Rate,
    /// A factor on the ratio of the last layer's learning rate to the first layer's.
    RateRatio,
    /// A factor on the initial weights.
    Gain,
    /// Examples per update.
    BatchSize,
}

/// A parameter and its limits. All parameters are searched on a logarithmic scale.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// The kind of parameter.
    pub kind: ParameterKind,
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
    /// The value in the starting configuration.
    pub start: f64,
}

/// The search space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Space {
    /// The parameters.
    pub parameters: Vec<Parameter>,
}

/// Recommended steps and β.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Guess {
    /// Steps of the free phase.
    pub free_steps: usize,
    /// Steps of a nudged phase.
    pub nudged_steps: usize,
    /// The nudging factor.
    pub beta: f64,
}

/// The error for an unknown parameter name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{name}` is not searched: there are beta, free_steps, nudged_steps, rate, rate_ratio, gain and batch_size"
)]
pub struct UnknownParameter {
    /// The name.
    pub name: String,
}

impl ParameterKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Beta,
        Self::FreeSteps,
        Self::NudgedSteps,
        Self::Rate,
        Self::RateRatio,
        Self::Gain,
        Self::BatchSize,
    ];

    /// Returns the name by which it is chosen.
    pub fn name(self) -> &'static str {
        match self {
            Self::Beta => "beta",
            Self::FreeSteps => "free_steps",
            Self::NudgedSteps => "nudged_steps",
            Self::Rate => "rate",
            Self::RateRatio => "rate_ratio",
            Self::Gain => "gain",
            Self::BatchSize => "batch_size",
        }
    }

    /// Returns a short description.
    pub fn about(self) -> &'static str {
        match self {
            Self::Beta => "nudging factor β",
            Self::FreeSteps => "steps T of the free phase",
            Self::NudgedSteps => "steps K of each nudged phase",
            Self::Rate => "factor of all learning rates, which follow the batch size beside it",
            Self::RateRatio => "the last layer's learning rate to the first's, as a factor",
            Self::Gain => "factor of the initial weights",
            Self::BatchSize => "examples per update",
        }
    }
}

impl fmt::Display for ParameterKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ParameterKind {
    type Err = UnknownParameter;

    fn from_str(name: &str) -> Result<Self, UnknownParameter> {
        let found = Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name.trim());
        found.ok_or_else(|| UnknownParameter {
            name: name.to_string(),
        })
    }
}

impl Parameter {
    /// Returns the position of a value between the limits, from 0 to 1.
    pub fn place(&self, value: f64) -> f64 {
        (value / self.low).ln() / (self.high / self.low).ln()
    }

    /// Returns the value at a position between the limits, rounded as it is searched: to whole numbers, or to
    /// three digits.
    pub fn value(&self, place: f64) -> f64 {
        let value = self.low * (self.high / self.low).powf(place.clamp(0.0, 1.0));
        let value = match self.kind {
            ParameterKind::FreeSteps | ParameterKind::NudgedSteps => value.round(),
            // The starting value times a power of 2: the kernels process rows in fours.
            ParameterKind::BatchSize => {
                let doublings = (value / self.start).log2().round();
                (self.start * doublings.exp2()).round().max(1.0)
            }
            _ => three_digits(value),
        };
        value.clamp(self.low, self.high)
    }
}

impl Space {
    /// Returns the parameters of `start` that can be searched, restricted to `only` if it is not empty, for
    /// `n_train` training examples.
    pub fn of(
        start: &TrainingConfig,
        guess: Option<&Guess>,
        n_train: usize,
        only: &[ParameterKind],
    ) -> Self {
        let is_wanted = |kind: &ParameterKind| only.is_empty() || only.contains(kind);
        let kinds = ParameterKind::ALL.into_iter().filter(is_wanted);
        let parameters = kinds.filter_map(|kind| parameter(kind, start, guess, n_train));
        Self {
            parameters: parameters
                .filter(|parameter| parameter.low < parameter.high)
                .collect(),
        }
    }

    /// Returns the values of the starting configuration.
    pub fn start(&self) -> Vec<f64> {
        self.parameters
            .iter()
            .map(|parameter| parameter.start)
            .collect()
    }

    /// Returns the recommended values of the searched parameters.
    pub fn guessed(&self, guess: &Guess) -> Vec<f64> {
        let parameters = self.parameters.iter();
        let values = parameters.map(|parameter| {
            let value = match parameter.kind {
                ParameterKind::Beta => guess.beta.abs(),
                ParameterKind::FreeSteps => guess.free_steps as f64,
                ParameterKind::NudgedSteps => guess.nudged_steps as f64,
                _ => parameter.start,
            };
            value.clamp(parameter.low, parameter.high)
        });
        values.collect()
    }

    /// Returns `start` with these values. A parameter that keeps its value is left untouched.
    pub fn apply(&self, start: &TrainingConfig, values: &[f64]) -> TrainingConfig {
        let mut config = start.clone();
        // Each example should move the weights as far as before, however many examples make an update.
        let mut factor = 1.0;
        let mut ratio = 1.0;
        for (parameter, &value) in self.parameters.iter().zip(values) {
            if value == parameter.start {
                continue;
            }
            match parameter.kind {
                ParameterKind::Beta => set_beta(&mut config.phases.nudging, value),
                ParameterKind::FreeSteps => config.phases.free_steps = value as usize,
                ParameterKind::NudgedSteps => config.phases.nudged_steps = value as usize,
                ParameterKind::Rate => factor *= value,
                ParameterKind::RateRatio => ratio = value,
                ParameterKind::Gain => scale_weights(&mut config, value),
                ParameterKind::BatchSize => {
                    config.batch_size = value as usize;
                    factor *= value / start.batch_size as f64;
                }
            }
        }
        if factor != 1.0 || ratio != 1.0 {
            let last = (config.optimizer.learning_rates.len().max(2) - 1) as f64;
            for (layer, rate) in config.optimizer.learning_rates.iter_mut().enumerate() {
                let of_layer = f64::powf(ratio, layer as f64 / last - 0.5);
                *rate = three_digits(*rate * factor * of_layer);
            }
        }
        config
    }
}

/// Returns the parameter of this kind, if `start` has it.
fn parameter(
    kind: ParameterKind,
    start: &TrainingConfig,
    guess: Option<&Guess>,
    n_train: usize,
) -> Option<Parameter> {
    /// Returns the smaller and the larger of a value and its recommendation.
    fn around(value: f64, guessed: Option<f64>) -> [f64; 2] {
        let guessed = guessed.unwrap_or(value);
        [value.min(guessed), value.max(guessed)]
    }
    let new = |start, low, high| {
        Some(Parameter {
            kind,
            low,
            high,
            start,
        })
    };
    let phases = &start.phases;
    match kind {
        ParameterKind::Beta => {
            let beta = phases.nudging.beta().abs();
            let [low, high] = around(beta, guess.map(|guess| guess.beta.abs()));
            new(
                beta,
                (low / 3.0).max(0.002).min(low),
                largest_beta(start, high * 3.0),
            )
        }
        ParameterKind::FreeSteps if start.field().starts_at_equilibrium() => None,
        ParameterKind::FreeSteps => {
            let steps = phases.free_steps as f64;
            let [low, high] = around(steps, guess.map(|guess| guess.free_steps as f64));
            new(
                steps,
                (low / 2.0).floor().max(1.0),
                (1.5 * high).ceil().min(3.0 * steps),
            )
        }
        ParameterKind::NudgedSteps => {
            let steps = phases.nudged_steps as f64;
            let [low, high] = around(steps, guess.map(|guess| guess.nudged_steps as f64));
            new(
                steps,
                (low / 2.0).floor().max(1.0),
                (1.5 * high).ceil().min(3.0 * steps),
            )
        }
        ParameterKind::Rate => new(1.0, 0.125, 8.0),
        ParameterKind::RateRatio if start.optimizer.learning_rates.len() < 2 => None,
        ParameterKind::RateRatio => new(1.0, 0.2, 5.0),
        ParameterKind::Gain if can_scale_weights(start) => new(1.0, 0.25, 3.0),
        ParameterKind::Gain => None,
        ParameterKind::BatchSize => {
            let size = start.batch_size as f64;
            // At least some ten updates per epoch.
            let most = (4.0 * size).min((n_train / 10) as f64);
            new(size, (size / 4.0).ceil().max(1.0), most.max(size))
        }
    }
}

/// Returns the largest nudging factor up to `most` that the network accepts.
fn largest_beta(start: &TrainingConfig, most: f64) -> f64 {
    let beta = start.phases.nudging.beta().abs();
    let mut found = most.min(2.0).max(beta);
    let is_taken = |beta: f64| {
        let mut nudging = start.phases.nudging;
        set_beta(&mut nudging, beta);
        start.check_nudging(nudging).is_ok()
    };
    while found > beta && !is_taken(found) {
        found = (0.95 * found).max(beta);
    }
    found
}

/// Sets the magnitude of β and keeps its sign.
fn set_beta(nudging: &mut Nudging, value: f64) {
    match nudging {
        Nudging::OneSided { beta }
        | Nudging::RandomSign { beta }
        | Nudging::Centered { beta }
        | Nudging::HigherOrder { beta, .. } => *beta = value.copysign(*beta),
    }
}

/// Whether the initial weights can be written with a factor.
fn can_scale_weights(config: &TrainingConfig) -> bool {
    let is_dense = |kind: &ConnectionKind| matches!(kind, ConnectionKind::Dense);
    let connections = config.energy().connections;
    !config.network.gains.is_empty()
        || config.network.initializer != InitializerConfig::Glorot
        || connections
            .iter()
            .all(|connection| is_dense(&connection.kind))
}

/// Multiplies the initial weights by `factor`.
fn scale_weights(config: &mut TrainingConfig, factor: f64) {
    let scaled = |gain: f64| three_digits(gain * factor);
    if !config.network.gains.is_empty() {
        for gain in &mut config.network.gains {
            *gain = scaled(*gain);
        }
        return;
    }
    if let InitializerConfig::FanIn { gain } = &mut config.network.initializer {
        *gain = scaled(*gain);
        return;
    }
    let energy = config.energy();
    let units = |layer: usize| match layer {
        0 => energy.input.n_units(),
        layer => energy.layers[layer - 1].shape.n_units(),
    };
    let gains = energy.connections.iter().map(|connection| {
        let (n_in, n_out) = (units(connection.from), units(connection.to));
        let bound = InitializerConfig::Glorot.bound(n_in, n_out);
        scaled(bound * (n_in as f64).sqrt())
    });
    config.network.gains = gains.collect();
}

/// Returns the most steps that a configuration takes per example: those of the free phase and of all nudged
/// phases.
pub fn steps_of(config: &TrainingConfig) -> usize {
    let phases = &config.phases;
    let n_nudged = match phases.nudging {
        Nudging::OneSided { .. } | Nudging::RandomSign { .. } => 1,
        Nudging::Centered { .. } => 2,
        Nudging::HigherOrder { n_pairs, .. } => 2 * n_pairs,
    };
    let nudged = phases.nudged_steps.saturating_mul(n_nudged);
    phases.free_steps.saturating_add(nudged)
}

/// Rounds a number to three digits.
fn three_digits(value: f64) -> f64 {
    let text = format!("{value:.2e}");
    text.parse().unwrap_or(value)
}
