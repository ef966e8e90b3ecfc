//! What makes a training configuration one that can work.

use eqprop_core::activation::Activation;
use eqprop_core::cost::{CostConfig, SquaredError};
use eqprop_core::energy::PredictiveCodingConfig;
use eqprop_core::error::ConfigError;
use eqprop_core::nudging::Nudging;

use super::{InitialState, ModelKind, ScheduleKind, TrainingConfig};
use crate::data::Examples;
use crate::error::TrainingError;

impl TrainingConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that cannot work, its value and the allowed range.
    pub fn validate(&self) -> Result<(), TrainingError> {
        self.check_numbers()?;
        self.check_hidden()?;
        self.energy().validate()?;
        self.check_memory()?;
        if self.model == ModelKind::PredictiveCoding {
            self.predictive_coding().validate()?;
            if let InitialState::Particles | InitialState::Previous = self.start {
                let start = self.start;
                return Err(TrainingError::AwayFromEquilibrium { start });
            }
        }
        if self.model == ModelKind::Resistive {
            self.resistive()?.validate()?;
        }
        at_least_one("batch_size", self.batch_size)?;
        at_least_one("epochs", self.epochs)?;
        if let Some(n_train) = self.n_train {
            at_least_one("n_train", n_train)?;
        }
        let expected = self.energy().connections.len();
        if !self.gains.is_empty() && self.gains.len() != expected {
            return Err(TrainingError::Gains {
                expected,
                found: self.gains.len(),
            });
        }
        self.free_stopping().validate()?;
        self.nudged_stopping().validate()?;
        self.scheme(self.dynamics).validate()?;
        self.check_nudging(self.nudging())?;

        let expected = self.n_learning_rates();
        if self.learning_rates.len() != expected {
            return Err(TrainingError::LearningRates {
                expected,
                found: self.learning_rates.len(),
            });
        }
        for &rate in &self.learning_rates {
            let ok = rate.is_finite() && rate >= 0.0;
            in_range("learning_rates", "numbers of at least 0", rate, ok)?;
        }
        if self.schedule == ScheduleKind::Cosine {
            for &rate in &self.learning_rates {
                let ok = rate > 0.0 && rate <= 1.0;
                let expected = "greater than 0 and at most 1 with the cosine schedule";
                in_range("learning_rates", expected, rate, ok)?;
            }
        }
        let decay = self.learning_rate_decay;
        let ok = decay > 0.0 && decay <= 1.0;
        in_range(
            "learning_rate_decay",
            "greater than 0 and at most 1",
            decay,
            ok,
        )?;
        let momentum = self.momentum;
        let ok = (0.0..1.0).contains(&momentum);
        in_range("momentum", "at least 0 and less than 1", momentum, ok)?;
        if self.nesterov && momentum == 0.0 {
            return Err(TrainingError::NesterovWithoutMomentum);
        }
        let decay = self.weight_decay;
        let ok = decay.is_finite() && decay >= 0.0;
        in_range("weight_decay", "a number of at least 0", decay, ok)?;
        if let Some(max_norm) = self.gradient_clip {
            let ok = max_norm.is_finite() && max_norm > 0.0;
            in_range("gradient_clip", "a positive number", max_norm, ok)?;
        }
        Ok(())
    }

    /// Checks whether the network can be trained on `examples`, or judged by them.
    ///
    /// # Errors
    /// If they have another size or number of classes, or a label that is none of the classes.
    ///
    /// # Panics
    /// As [`energy`](Self::energy).
    pub(crate) fn check_examples(&self, examples: &Examples) -> Result<(), TrainingError> {
        let (expected, found) = (self.energy().input.n_units(), examples.n_inputs());
        if expected != found {
            return Err(TrainingError::InputSize { expected, found });
        }
        let (expected, found) = (self.dataset.n_classes(), examples.n_classes);
        if expected != found {
            return Err(TrainingError::Classes { expected, found });
        }
        let mut labels = examples.labels.iter().map(|&label| usize::from(label));
        match labels.position(|label| label >= expected) {
            Some(example) => Err(TrainingError::Label {
                example,
                label: examples.labels[example],
                n_classes: expected,
            }),
            None => Ok(()),
        }
    }

    /// Checks whether this network can be nudged by `nudging`, as far as its parameters do not
    /// decide: those are known to
    /// [`EquilibriumNetwork::check_nudging`](crate::network::EquilibriumNetwork::check_nudging).
    ///
    /// # Errors
    /// If β is out of range, or leaves the total energy without a lower bound.
    pub fn check_nudging(&self, nudging: Nudging) -> Result<(), ConfigError> {
        // No device is touched here: the default one may be a GPU that is not there.
        match (self.model, self.cost) {
            (ModelKind::Resistive, _) | (_, CostConfig::CrossEntropy) => nudging.validate_range(),
            (_, CostConfig::SquaredError) => {
                nudging.validate(&SquaredError, self.nudged_activation())
            }
        }
    }

    /// The activation by which the output layer relaxes.
    fn nudged_activation(&self) -> Activation {
        match self.model {
            ModelKind::Hopfield | ModelKind::Untied | ModelKind::Resistive => {
                self.output_activation
            }
            ModelKind::PredictiveCoding => {
                PredictiveCodingConfig::projection(self.output_activation)
            }
        }
    }

    fn n_learning_rates(&self) -> usize {
        let readout = usize::from(self.cost == CostConfig::CrossEntropy);
        self.energy().layers.len() + readout
    }
}

fn at_least_one(field: &'static str, value: usize) -> Result<(), ConfigError> {
    in_range(field, "at least 1", value as f64, value > 0)
}

fn in_range(
    field: &'static str,
    expected: &'static str,
    found: f64,
    ok: bool,
) -> Result<(), ConfigError> {
    if ok {
        Ok(())
    } else {
        Err(ConfigError::OutOfRange {
            field,
            expected,
            found,
        })
    }
}
