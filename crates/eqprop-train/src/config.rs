//! Everything that determines a training run.

mod architecture;
mod overrides;
mod resistive;

use std::fmt;
use std::path::Path;

use burn::config::Config;
use burn::module::{Param, ParamGroup};
use burn::optim::decay::WeightDecayConfig;
use burn::optim::lr_scheduler::LrSchedulerConfig;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLrScheduler, ModuleLrSchedulerConfig};
use burn::optim::lr_scheduler::step::StepLrSchedulerConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Distribution, Tensor, TensorData};
use eqprop_core::activation::Activation;
use eqprop_core::connection::{Connection, InitializerConfig};
use eqprop_core::cost::{AnyCost, CostConfig, SquaredError};
use eqprop_core::energy::{
    AnyField, FeedbackInitializer, FeedbackUpdate, HopfieldEnergy, LayerUpdate,
    PredictiveCodingConfig, UntiedHopfield, UntiedHopfieldConfig,
};
use eqprop_core::error::ConfigError;
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme, Stopping};
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;
use serde::{Deserialize, Serialize};

use crate::batch::Augmentation;
use crate::data::{DataError, Dataset, DatasetKind, Examples};
use crate::error::TrainingError;
use crate::estimator::EquilibriumPropagation;
use crate::network::EquilibriumNetwork;
pub use architecture::{ConvolutionalLayer, HiddenLayer, SkipConnection};

/// A training run: data, network, phases, optimizer, length and seed.
///
/// A preset fills all of it in; a program or a user changes single fields. Together with the
/// device it determines the result: same configuration, same kind of device, same parameters.
#[derive(Config, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Data set: "digits", "mnist", "fashion-mnist" or "cifar-10".
    pub dataset: DatasetKind,
    /// Train on the first so many examples only; null for all.
    pub n_train: Option<usize>,
    /// Hold out the last so many training examples, and report the error on them instead of
    /// the test error while training.
    #[config(default = 0)]
    pub n_validation: usize,

    /// Zeros on each side of an image.
    #[config(default = 0)]
    pub padding: usize,
    /// Shift and scale each channel, see [`DatasetKind::normalization`].
    #[config(default = false)]
    pub normalize: bool,
    /// Random changes of the training images: {"shift": pixels in each direction, "flip": left
    /// for right, half of the time}.
    #[config(default = "Augmentation::default()")]
    pub augmentation: Augmentation,

    /// What the network relaxes: "hopfield", "untied", the same with feedback parameters of their
    /// own, "predictive_coding" or "resistive".
    #[config(default = "ModelKind::Hopfield")]
    pub model: ModelKind,
    /// Update of the two directions of a connection: "same", or to each its "own"; unused but by
    /// "untied".
    #[config(default = "FeedbackUpdate::Same")]
    pub feedback_update: FeedbackUpdate,
    /// Initial feedback weights: "independent" ones, or the "forward" ones; unused but by "untied".
    #[config(default = "FeedbackInitializer::Independent")]
    pub feedback_initializer: FeedbackInitializer,
    /// Hidden layers, from the input to the output: a number of units, or {"channels": 32,
    /// "kernel": 5} with "stride", "padding" and "pooling" ({"max": 2} or {"average": 2}).
    pub hidden: Vec<HiddenLayer>,
    /// Connections beside those from layer to layer: {"from": 0, "to": 2, "kind": "dense"} with
    /// layers counted from the input as 0, and kind "identity" or {"convolution": {"kernel": 1}}.
    #[config(default = "Vec::new()")]
    pub skips: Vec<SkipConnection>,
    /// Update of the layers in predictive coding: "projected" or "pre_activation"; unused by the
    /// other models.
    #[config(default = "LayerUpdate::Projected")]
    pub layer_update: LayerUpdate,
    /// Activation of the hidden layers: "hard_sigmoid", "sigmoid", "tanh", "relu",
    /// {"clipped_relu": {"max": 1.0}}, "identity" or "diode"; with the model "resistive" one that is
    /// clipped or linear, in its papers "diode".
    #[config(default = "Activation::HardSigmoid")]
    pub hidden_activation: Activation,
    /// Activation of the output layer; with the cross-entropy cost there is none.
    #[config(default = "Activation::HardSigmoid")]
    pub output_activation: Activation,
    /// Initial weights: "glorot" or {"fan_in": {"gain": 0.7}}.
    #[config(default = "InitializerConfig::Glorot")]
    pub initializer: InitializerConfig,
    /// Voltage of an input value of 1, greater than 0; of the model "resistive".
    #[config(default = 1.0)]
    pub input_gain: f64,
    /// A gain for each connection instead, in ±gain/√n_in: those from layer to layer, then the
    /// skips; none for the initial weights above.
    #[config(default = "Vec::new()")]
    pub gains: Vec<f64>,
    /// "squared_error" on an output layer, or "cross_entropy" through a softmax readout of the
    /// last hidden layer.
    #[config(default = "CostConfig::SquaredError")]
    pub cost: CostConfig,

    /// "one_sided", "random_sign", "centered" or "higher_order".
    #[config(default = "NudgingKind::Centered")]
    pub nudging: NudgingKind,
    /// Nudging factor β; with "one_sided" of either sign, with "higher_order" the largest.
    pub beta: f64,
    /// Pairs ±β/n, …, ±β of "higher_order"; unused otherwise.
    #[config(default = 2)]
    pub n_pairs: usize,
    /// "asynchronous", "fixed_point", "gradient_flow", "anderson" (accelerated asynchronous) or
    /// "adaptive_flow" (gradient flow with a step size for each example).
    #[config(default = "DynamicsKind::Asynchronous")]
    pub dynamics: DynamicsKind,
    /// Euler step ε of the gradient flow, in (0, 1]; unused by the other dynamics.
    #[config(default = 0.5)]
    pub step_size: f64,
    /// Differences that "anderson" remembers, 1 to 8; unused by the other dynamics.
    #[config(default = 5)]
    pub history: usize,
    /// Mixing of "anderson", in (0, 1]; unused by the other dynamics.
    #[config(default = 1.0)]
    pub mixing: f64,
    /// Relative error of a step of "adaptive_flow", in (0, 1); unused by the other dynamics.
    #[config(default = 0.8)]
    pub step_error: f64,
    /// Most steps of the free phase.
    pub free_steps: usize,
    /// Most steps of a nudged phase.
    pub nudged_steps: usize,
    /// Stop a phase early when its residual is at most this; null to take all steps.
    pub tolerance: Option<f64>,
    /// With a tolerance: look at the residual every so many steps.
    #[config(default = 5)]
    pub check_every: usize,
    /// Where free phases start: "rest" (with predictive coding at their equilibrium), or
    /// "feedforward", at one pass from the input to the output; in the training, but not with
    /// predictive coding, also "particles", where the example's last one ended, or "previous",
    /// where that of the batch before ended, with predictions from rest.
    #[config(default = "FreeStart::Rest")]
    pub start: FreeStart,

    /// Learning rate of each layer, for its biases and the connections that lead to it, from the
    /// first hidden layer to the output; with the cross-entropy one more, for the readout.
    pub learning_rates: Vec<f64>,
    /// Course of all learning rates: "exponential", times `learning_rate_decay` after each epoch,
    /// or "cosine", from update to update along half a cosine that reaches 0 at the end.
    #[config(default = "ScheduleKind::Exponential")]
    pub schedule: ScheduleKind,
    /// Factor of the exponential schedule.
    #[config(default = 1.0)]
    pub learning_rate_decay: f64,
    /// Momentum, in [0, 1).
    #[config(default = 0.0)]
    pub momentum: f64,
    /// Nesterov's momentum, of a momentum greater than 0.
    #[config(default = false)]
    pub nesterov: bool,
    /// Weight decay: this times the parameter is added to its gradient.
    #[config(default = 0.0)]
    pub weight_decay: f64,
    /// Scale a gradient that is longer than this, over all parameters, down to it; null for never.
    pub gradient_clip: Option<f64>,
    /// Examples per update.
    pub batch_size: usize,
    /// Passes over the training examples.
    pub epochs: usize,
    /// Order of the examples: "shuffled" or "sequential".
    #[config(default = "OrderKind::Shuffled")]
    pub order: OrderKind,
    /// Seed of the initial weights, the order of the examples and the signs of β.
    #[config(default = 0)]
    pub seed: u64,
}

/// Which energy the layers and connections of a configuration make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// [`HopfieldEnergy`].
    Hopfield,
    /// [`UntiedHopfield`].
    Untied,
    /// [`PredictiveCoding`](eqprop_core::energy::PredictiveCoding).
    PredictiveCoding,
    /// [`ResistiveNetwork`](eqprop_core::energy::ResistiveNetwork).
    Resistive,
}

/// See [`Nudging`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NudgingKind {
    /// [`Nudging::OneSided`].
    OneSided,
    /// [`Nudging::RandomSign`].
    RandomSign,
    /// [`Nudging::Centered`].
    Centered,
    /// [`Nudging::HigherOrder`].
    HigherOrder,
}

/// See [`Scheme`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DynamicsKind {
    /// [`Scheme::Asynchronous`].
    Asynchronous,
    /// [`Scheme::FixedPoint`].
    FixedPoint,
    /// [`Scheme::GradientFlow`].
    GradientFlow,
    /// [`Scheme::Anderson`].
    Anderson,
    /// [`Scheme::AdaptiveFlow`].
    AdaptiveFlow,
}

impl DynamicsKind {
    /// All dynamics.
    pub const ALL: [Self; 5] = [
        Self::Asynchronous,
        Self::FixedPoint,
        Self::GradientFlow,
        Self::Anderson,
        Self::AdaptiveFlow,
    ];
}

/// Where free phases start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FreeStart {
    /// At rest, see [`Activation::rest`].
    Rest,
    /// At the example's persistent particle, see [`crate::particles::Particles`].
    Particles,
    /// At the feedforward pass, see
    /// [`VectorField::feedforward`](eqprop_core::energy::VectorField::feedforward); predictions too.
    Feedforward,
    /// At the free state of the batch before, see [`crate::warm_start::WarmStart`].
    Previous,
}

/// See [`crate::batch::Order`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// A new permutation for each epoch.
    Shuffled,
    /// As stored.
    Sequential,
}

/// Course of the learning rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// A constant factor after each epoch.
    Exponential,
    /// Half a cosine over the whole run.
    Cosine,
}

impl fmt::Display for FreeStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rest => "rest",
            Self::Particles => "particles",
            Self::Feedforward => "feedforward",
            Self::Previous => "previous",
        })
    }
}

impl TrainingConfig {
    /// Checks every field.
    ///
    /// # Errors
    /// Names the first field that cannot work, its value and the allowed range.
    pub fn validate(&self) -> Result<(), TrainingError> {
        self.check_hidden()?;
        self.energy().validate()?;
        if self.model == ModelKind::PredictiveCoding {
            self.predictive_coding().validate()?;
            if let FreeStart::Particles | FreeStart::Previous = self.start {
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
    /// decide; [`EquilibriumNetwork::check_nudging`] knows them.
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

    /// Loads the data set with its images [prepared](Self::prepare); see [`Dataset::load`].
    ///
    /// # Errors
    /// As [`Dataset::load`].
    pub fn load_data(&self, data_dir: Option<&Path>) -> Result<Dataset, DataError> {
        let Dataset { kind, train, test } = Dataset::load(self.dataset, data_dir)?;
        Ok(Dataset {
            kind,
            train: self.prepare(train),
            test: self.prepare(test),
        })
    }

    /// Pads and normalizes images as configured.
    pub fn prepare(&self, examples: Examples) -> Examples {
        let padded = match self.padding {
            0 => examples,
            n => examples.padded(n),
        };
        if self.normalize {
            let (mean, deviation) = self.dataset.normalization();
            padded.normalized(mean, deviation)
        } else {
            padded
        }
    }

    /// A network with new weights, which depend on the seed alone: they are drawn here and not
    /// on the device, whose one stream of random numbers all threads share.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails.
    pub fn network(&self, device: &Device) -> EquilibriumNetwork<AnyField, AnyCost> {
        let mut rng = ChaCha12Rng::seed_from_u64(self.seed);
        let config = self.energy();
        let output = config.layers.last().expect("validated: there is a layer");
        let n_outputs = output.n_units();
        let energy = match self.model {
            ModelKind::Hopfield => self.new_hopfield(&mut rng, device).into(),
            ModelKind::Untied => self.new_untied(&mut rng, device).into(),
            ModelKind::PredictiveCoding => {
                let energy = self.new_hopfield(&mut rng, device);
                self.predictive_coding().with_parameters(energy).into()
            }
            ModelKind::Resistive => self.new_resistive(&mut rng, device).into(),
        };
        let n_classes = self.dataset.n_classes();
        let mut cost = self.cost.init(n_outputs, n_classes, device);
        if let AnyCost::CrossEntropy(readout) = &mut cost {
            let [n_in, n_out] = readout.weight.val().dims();
            let bound = InitializerConfig::Glorot.bound(n_in, n_out);
            redraw(&mut readout.weight, bound, &mut rng);
        }
        let network = EquilibriumNetwork::new(energy, cost);
        match self.start {
            FreeStart::Feedforward => network.with_feedforward_start(),
            FreeStart::Rest | FreeStart::Particles | FreeStart::Previous => network,
        }
    }

    fn new_hopfield(&self, rng: &mut ChaCha12Rng, device: &Device) -> HopfieldEnergy {
        let config = self.energy();
        let mut energy = config.init(device);
        for (connection, config) in energy.connections.iter_mut().zip(&config.connections) {
            redraw_connection(connection, config.initializer, rng);
        }
        energy
    }

    fn new_untied(&self, rng: &mut ChaCha12Rng, device: &Device) -> UntiedHopfield {
        let config = self.energy();
        let untied = UntiedHopfieldConfig::new(config.clone())
            .with_update(self.feedback_update)
            .with_feedback(self.feedback_initializer);
        let mut field = untied.init_from(self.new_hopfield(rng, device), device);
        if self.feedback_initializer == FeedbackInitializer::Independent {
            // From a stream of their own, so that all else is drawn as without feedback.
            let mut rng = ChaCha12Rng::seed_from_u64(self.seed);
            rng.set_stream(1);
            for (feedback, config) in field.feedback.iter_mut().zip(&config.connections) {
                if let Some(feedback) = feedback {
                    redraw_connection(feedback, config.initializer, &mut rng);
                }
            }
        }
        field
    }

    /// Equilibrium propagation as configured.
    pub fn estimator(&self) -> EquilibriumPropagation {
        let phase = |stopping| Relaxation {
            dynamics: self.scheme(self.dynamics),
            stopping,
        };
        let (free, nudged) = (phase(self.free_stopping()), phase(self.nudged_stopping()));
        EquilibriumPropagation::new(self.nudging(), free, nudged).with_seed(self.seed)
    }

    /// Stochastic gradient descent as configured.
    pub fn optimizer(&self) -> ModuleOptimizer {
        let momentum = (self.momentum > 0.0).then(|| {
            MomentumConfig::new()
                .with_momentum(self.momentum)
                .with_dampening(0.0)
                .with_nesterov(self.nesterov)
        });
        let decay =
            (self.weight_decay > 0.0).then(|| WeightDecayConfig::new(self.weight_decay as f32));
        SgdConfig::new()
            .with_momentum(momentum)
            .with_weight_decay(decay)
            .init()
    }

    /// One learning rate for each layer, its biases and the connections that lead to it, in epochs
    /// of `n_batches` updates.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, or `n_batches` is 0.
    pub fn learning_rate(&self, n_batches: usize) -> ModuleLrScheduler {
        let schedule = |rate| match self.schedule {
            ScheduleKind::Exponential => LrSchedulerConfig::from(
                StepLrSchedulerConfig::new(rate, n_batches).with_gamma(self.learning_rate_decay),
            ),
            ScheduleKind::Cosine => LrSchedulerConfig::from(CosineAnnealingLrSchedulerConfig::new(
                rate,
                n_batches * self.epochs,
            )),
        };
        let mut scheduler = ModuleLrSchedulerConfig::new(schedule(self.learning_rates[0]));
        let energy = self.energy();
        // Where the parameters are that belong to a layer, and to a connection.
        let (biases, connections): (&str, &[&str]) = match self.model {
            ModelKind::Hopfield => (
                "network.energy.Hopfield.biases",
                &["network.energy.Hopfield.connections"],
            ),
            ModelKind::Untied => (
                "network.energy.Untied.forward.biases",
                &[
                    "network.energy.Untied.forward.connections",
                    "network.energy.Untied.feedback",
                ],
            ),
            ModelKind::PredictiveCoding => (
                "network.energy.PredictiveCoding.biases",
                &["network.energy.PredictiveCoding.connections"],
            ),
            ModelKind::Resistive => (
                "network.energy.Resistive.biases",
                &["network.energy.Resistive.connections"],
            ),
        };
        for (index, &rate) in self.learning_rates.iter().enumerate() {
            let group = if index < energy.layers.len() {
                let into = energy.connections.iter().enumerate();
                let into = into.filter(|(_, connection)| connection.to == index + 1);
                let paths = into.flat_map(|(connection, _)| {
                    connections
                        .iter()
                        .map(move |path| format!("{path}.{connection}."))
                });
                paths.fold(
                    ParamGroup::from_path(format!("{biases}.{index}")),
                    |group, path| group.fuse(&ParamGroup::from_predicate(path)),
                )
            } else {
                ParamGroup::from_predicate("network.cost.")
            };
            scheduler = scheduler.with_group(group, schedule(rate));
        }
        scheduler.init().expect("an epoch has at least one batch")
    }

    fn n_learning_rates(&self) -> usize {
        let readout = usize::from(self.cost == CostConfig::CrossEntropy);
        self.energy().layers.len() + readout
    }

    pub(crate) fn nudging(&self) -> Nudging {
        let beta = self.beta;
        match self.nudging {
            NudgingKind::OneSided => Nudging::OneSided { beta },
            NudgingKind::RandomSign => Nudging::RandomSign { beta },
            NudgingKind::Centered => Nudging::Centered { beta },
            NudgingKind::HigherOrder => Nudging::HigherOrder {
                beta,
                n_pairs: self.n_pairs,
            },
        }
    }

    /// The dynamics of a kind, with the options of this configuration.
    pub fn scheme(&self, kind: DynamicsKind) -> Scheme {
        match kind {
            DynamicsKind::Asynchronous => Scheme::Asynchronous,
            DynamicsKind::FixedPoint => Scheme::FixedPoint,
            DynamicsKind::GradientFlow => Scheme::GradientFlow {
                step_size: self.step_size,
            },
            DynamicsKind::Anderson => Scheme::Anderson {
                history: self.history,
                mixing: self.mixing,
            },
            DynamicsKind::AdaptiveFlow => Scheme::AdaptiveFlow {
                error: self.step_error,
            },
        }
    }

    fn free_stopping(&self) -> Stopping {
        self.stopping(self.free_steps)
    }

    fn nudged_stopping(&self) -> Stopping {
        self.stopping(self.nudged_steps)
    }

    fn stopping(&self, max_steps: usize) -> Stopping {
        Stopping {
            max_steps,
            tolerance: self.tolerance,
            check_every: self.check_every,
        }
    }
}

/// New weights.
fn redraw_connection(
    connection: &mut Connection,
    initializer: InitializerConfig,
    rng: &mut ChaCha12Rng,
) {
    match connection {
        Connection::Dense(dense) => {
            let [n_in, n_out] = dense.weight.val().dims();
            redraw(&mut dense.weight, initializer.bound(n_in, n_out), rng);
        }
        Connection::Convolution(convolution) => {
            let [n_out, n_in, rows, columns] = convolution.kernel.val().dims();
            let area = rows * columns;
            let bound = initializer.bound(n_in * area, n_out * area);
            redraw(&mut convolution.kernel, bound, rng);
        }
        Connection::Identity(_) => {}
    }
}

/// New values, uniform in `±bound`.
fn redraw<const D: usize>(param: &mut Param<Tensor<D>>, bound: f64, rng: &mut ChaCha12Rng) {
    let uniform = Distribution::Uniform(-bound, bound);
    let values = TensorData::random::<f32, _, _>(param.val().dims(), uniform, rng);
    *param = param
        .clone()
        .map(|old| Tensor::from_data(values, &old.device()));
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
