//! Everything that determines a training run.

mod architecture;
mod json;
mod kind;
mod limits;
mod network;
mod optimizer;
mod overrides;
mod phase;
mod resistive;
mod validate;

use std::path::Path;

use burn::config::Config;
use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{FeedbackInitializer, FeedbackUpdate, LayerUpdate};

use crate::batch::Augmentation;
use crate::data::{Dataset, DatasetKind, Examples};
use crate::error::TrainingError;
pub use crate::initial_state::InitialState;
pub use architecture::{ConvolutionalLayer, HiddenLayer, SkipConnection};
pub use kind::{DynamicsKind, ModelKind, NudgingKind, OrderKind, ScheduleKind};

/// A training run: data, network, phases, optimizer, length and seed.
///
/// A preset fills all of it in; a program or a user changes single fields. Together with the
/// data it determines the result, to the last bit on the same kind of device and processor and with as
/// many threads, and within rounding elsewhere.
#[derive(Config, Debug, PartialEq)]
pub struct TrainingConfig {
    /// Data set: "digits", "mnist", "fashion-mnist" or "cifar-10".
    pub dataset: DatasetKind,
    /// Train on the first so many examples only; null for all.
    pub n_train: Option<usize>,
    /// Hold out the last so many training examples, and report the validation error on them beside the
    /// test error.
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
    #[config(default = "InitialState::Rest")]
    pub start: InitialState,

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

impl TrainingConfig {
    /// Loads the data set with its images [prepared](Self::prepare); see [`Dataset::load`].
    ///
    /// # Errors
    /// As [`Dataset::load`], and if the images are too large for this machine when they are padded.
    pub fn load_data(&self, data_dir: Option<&Path>) -> Result<Dataset, TrainingError> {
        let dataset = Dataset::load(self.dataset, data_dir)?;
        self.check_data(&dataset)?;
        Ok(dataset.map(|examples| self.prepare(examples)))
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
}
