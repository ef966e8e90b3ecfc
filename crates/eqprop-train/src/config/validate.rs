//! Validation of training configurations.

use std::ops::{Bound, RangeBounds};

use eqprop_core::activation::Activation;
use eqprop_core::cost::{Cost, CostConfig, SquaredError};
use eqprop_core::energy::{Model, Parametrization};
use eqprop_core::error::ConfigError;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::Scheme;
use eqprop_core::shape::LayerShape;

use super::hidden::HiddenLayer;
use super::optimizer::{OptimizerConfig, Schedule};
use super::{ClassWeights, TrainingConfig};
use crate::data::{DataError, Examples, FilesError, FilesOptionError, TargetKind};
use crate::error::TrainingError;
use crate::initial_state::InitialState;

/// Largest padding suggested for images that do not fit.
const MOST_SUGGESTED: usize = 16;

impl TrainingConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first invalid field, its value and the allowed range.
    pub fn validate(&self) -> Result<(), TrainingError> {
        self.check_dataset()?;
        self.check_numbers()?;
        self.check_oscillators()?;
        self.check_targets()?;
        self.check_class_weights()?;
        self.check_hidden()?;
        self.energy().validate()?;
        self.check_intermediate()?;
        self.check_memory()?;
        let field = self.field();
        field.validate()?;
        let start = self.phases.start;
        if let InitialState::Particles | InitialState::Previous = start
            && field.starts_at_equilibrium()
        {
            return Err(TrainingError::AwayFromEquilibrium {
                start: start.to_string(),
            });
        }
        ConfigError::at_least_one("batch_size", self.batch_size)?;
        ConfigError::at_least_one("epochs", self.epochs)?;
        if let Some(n_train) = self.data.n_train {
            ConfigError::at_least_one("n_train", n_train)?;
        }
        let (expected, found) = (self.energy().connections.len(), self.network.gains.len());
        if found > 0 && found != expected {
            return Err(TrainingError::Gains { expected, found });
        }
        let phases = &self.phases;
        phases.free().stopping.validate()?;
        phases.nudged().stopping.validate()?;
        phases.dynamics.validate()?;
        self.check_depth()?;
        self.hardware.validate()?;
        self.check_levels()?;
        self.check_nudging(phases.nudging)?;

        let (expected, found) = (self.n_learning_rates(), self.optimizer.learning_rates.len());
        if found != expected {
            return Err(TrainingError::LearningRates { expected, found });
        }
        self.optimizer.validate()
    }

    /// Checks that states of few bits have levels in every layer.
    fn check_levels(&self) -> Result<(), ConfigError> {
        let levels = self.hardware.levels();
        let mut layers = self.field().activations().into_iter().zip(1..);
        layers.try_for_each(|(activation, layer)| activation.check_levels(levels, layer))
    }

    /// Checks that options for deep predictive coding come with such a network.
    fn check_depth(&self) -> Result<(), TrainingError> {
        let network = &self.network;
        let Model::PredictiveCoding {
            parametrization, ..
        } = network.model
        else {
            return match self.phases.dynamics {
                Scheme::ErrorDescent { .. } => Err(TrainingError::ErrorDescent),
                _ => Ok(()),
            };
        };
        match (parametrization, network.cost) {
            (Parametrization::MuPc, CostConfig::CrossEntropy) => Err(TrainingError::ReadoutOfMuPc),
            _ => Ok(()),
        }
    }

    /// Checks that the shape and classes of the data are known and valid.
    fn check_dataset(&self) -> Result<(), TrainingError> {
        let Some(files) = self.data.dataset.files() else {
            return Ok(());
        };
        files.check().map_err(DataError::from)?;
        match files.found {
            Some(_) => Ok(()),
            None => {
                let path = files.path.clone();
                let error = FilesError::from(FilesOptionError::NotLookedAt { path });
                Err(DataError::from(error).into())
            }
        }
    }

    /// Checks that oscillators are trained by the phase error, and that nothing else is.
    fn check_oscillators(&self) -> Result<(), TrainingError> {
        let (model, cost) = (self.network.model, self.network.cost);
        let are_oscillators = matches!(model, Model::Oscillators { .. });
        match are_oscillators == (cost == CostConfig::PhaseError) {
            true => Ok(()),
            false => Err(TrainingError::CostOfPhases {
                cost: serde_json::to_string(&cost).expect("plain enums serialize"),
                are_oscillators,
            }),
        }
    }

    /// Checks that the output can represent the targets, if they are quantities, which have both signs, or
    /// several labels at once, which are 0 and 1.
    fn check_targets(&self) -> Result<(), TrainingError> {
        let Some(kind) = self.data.dataset.target_kind() else {
            return Ok(());
        };
        let network = &self.network;
        let is_readout = network.cost == CostConfig::CrossEntropy;
        if network.cost == CostConfig::PhaseError {
            return Err(TrainingError::TargetsOfPhases);
        }
        let [low, high] = network.output_activation.range();
        let activation =
            || serde_json::to_string(&network.output_activation).expect("plain enums serialize");
        match kind {
            TargetKind::Quantities(_) if is_readout => Err(TrainingError::CostOfQuantities),
            TargetKind::Quantities(_) if low < 0.0 => Ok(()),
            TargetKind::Quantities(_) => Err(TrainingError::OutputOfQuantities {
                activation: activation(),
            }),
            TargetKind::Labels(_) if is_readout => Err(TrainingError::CostOfLabels),
            TargetKind::Labels(_)
                if low <= 0.0
                    && high >= 1.0
                    && network.output_activation != Activation::Softmax =>
            {
                Ok(())
            }
            TargetKind::Labels(_) => Err(TrainingError::OutputOfLabels {
                activation: activation(),
            }),
        }
    }

    /// Checks that there is a weight for each class, and that some class has a positive one.
    fn check_class_weights(&self) -> Result<(), TrainingError> {
        let Some(weights) = &self.data.class_weights else {
            return Ok(());
        };
        let expected = self.data.dataset.n_classes();
        match weights {
            _ if expected == 0 => Err(TrainingError::WeightsWithoutClasses {
                found: match self.data.dataset.labels() {
                    None => "quantities to learn",
                    Some(_) => "several labels at once",
                },
            }),
            ClassWeights::Balanced => Ok(()),
            ClassWeights::Of(weights) => {
                let is_weight = |weight: &f64| weight.is_finite() && *weight >= 0.0;
                let are_sound = weights.len() == expected
                    && weights.iter().all(is_weight)
                    && weights.iter().any(|&weight| weight > 0.0);
                match are_sound {
                    true => Ok(()),
                    false => Err(TrainingError::ClassWeights {
                        expected,
                        found: weights.clone(),
                    }),
                }
            }
        }
    }

    /// Returns the same configuration with balanced class weights as numbers, for training on `train`.
    pub fn with_known_class_weights(mut self, train: &Examples) -> Self {
        if let Some(weights) = &self.data.class_weights {
            let weights = weights.weights(&train.labels, train.n_classes);
            self.data.class_weights = Some(ClassWeights::Of(weights));
        }
        self
    }

    /// Checks that every convolutional layer fits onto the one below.
    fn check_hidden(&self) -> Result<(), TrainingError> {
        let Err((layer, below)) = self.fit() else {
            return Ok(());
        };
        let padding = self.data.padding;
        let fits = |&padding: &usize| {
            let mut padded = self.clone();
            padded.data.padding = padding;
            padded.fit().is_ok()
        };
        let paddings = (0..=MOST_SUGGESTED).filter(fits);
        let [_, height, width] = self.data.dataset.image_shape();
        Err(TrainingError::HiddenLayer {
            layer,
            below,
            image: [height, width],
            padding,
            fitting: paddings.min_by_key(|fitting| fitting.abs_diff(padding)),
        })
    }

    /// Stacks the layers from the input up. The error is the number of the first that does not fit, from 1,
    /// and the shape below it.
    fn fit(&self) -> Result<(), (usize, LayerShape)> {
        let mut layers = self.network.hidden.iter().zip(1..);
        let fit = |below, (layer, number): (&HiddenLayer, usize)| {
            layer.above(below).ok_or((number, below))
        };
        layers.try_fold(self.input_shape(), fit).map(|_| ())
    }

    /// Checks whether the network can be trained or evaluated on `examples`.
    ///
    /// # Errors
    /// If their size or number of classes differs, or a label is not below the number of classes.
    ///
    /// # Panics
    /// As for [`energy`](Self::energy).
    pub(crate) fn check_examples(&self, examples: &Examples) -> Result<(), TrainingError> {
        let (expected, found) = (self.energy().input.n_units(), examples.n_inputs());
        if expected != found {
            return Err(TrainingError::InputSize { expected, found });
        }
        let dataset = &self.data.dataset;
        let (expected, found) = (dataset.n_outputs(), examples.n_outputs());
        let own = dataset.target_kind();
        let given = examples.targets.as_ref().map(|targets| &targets.kind);
        if own.is_some() || given.is_some() {
            return match own.as_ref() == given {
                true => Ok(()),
                false => Err(TrainingError::Targets),
            };
        }
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

    /// Checks whether this network can be nudged by `nudging`, as far as that does not depend on its
    /// parameters; for those see
    /// [`EquilibriumNetwork::check_nudging`](crate::network::EquilibriumNetwork::check_nudging).
    ///
    /// # Errors
    /// If β is out of range, or leaves the total energy without a lower bound.
    pub fn check_nudging(&self, nudging: Nudging) -> Result<(), ConfigError> {
        // No device is touched here: the default one may be a GPU that is absent.
        let field = self.field();
        let largest = match &self.data.class_weights {
            Some(ClassWeights::Of(weights)) => weights.iter().copied().fold(0.0, f64::max),
            _ => 1.0,
        };
        match self.network.cost {
            CostConfig::SquaredError if !field.limits_of_beta_are_learned() => {
                nudging.validate_by(|beta| SquaredError.check_beta(beta * largest, field.output()))
            }
            CostConfig::SquaredError | CostConfig::CrossEntropy | CostConfig::PhaseError => {
                nudging.validate_range()
            }
        }
    }

    fn n_learning_rates(&self) -> usize {
        let readout = usize::from(self.network.cost == CostConfig::CrossEntropy);
        self.energy().layers.len() + readout
    }
}

impl OptimizerConfig {
    /// Checks every number by itself.
    fn validate(&self) -> Result<(), TrainingError> {
        let at_least_0 = 0.0..f64::INFINITY;
        let to_1 = (Bound::Excluded(0.0), Bound::Included(1.0));
        for &rate in &self.learning_rates {
            let expected = "numbers of at least 0";
            in_range("learning_rates", expected, rate, at_least_0.clone())?;
            if self.schedule == Schedule::Cosine {
                let expected = "greater than 0 and at most 1 with the cosine schedule";
                in_range("learning_rates", expected, rate, to_1)?;
            }
        }
        if let Schedule::Exponential { decay } = self.schedule {
            let expected = "greater than 0 and at most 1";
            in_range("learning_rate_decay", expected, decay, to_1)?;
            ConfigError::single_precision("learning_rate_decay", decay)?;
        }
        let expected = "at least 0 and less than 1";
        in_range("momentum", expected, self.momentum, 0.0..1.0)?;
        if self.nesterov && self.momentum == 0.0 {
            return Err(TrainingError::NesterovWithoutMomentum);
        }
        let expected = "a number of at least 0";
        in_range("weight_decay", expected, self.weight_decay, at_least_0)?;
        if let Some(max_norm) = self.gradient_clip {
            ConfigError::positive_number("gradient_clip", max_norm)?;
        }
        Ok(())
    }
}

fn in_range(
    field: &'static str,
    expected: &'static str,
    found: f64,
    range: impl RangeBounds<f64>,
) -> Result<(), ConfigError> {
    let error = ConfigError::OutOfRange {
        field,
        expected,
        found,
    };
    range.contains(&found).then_some(()).ok_or(error)
}
