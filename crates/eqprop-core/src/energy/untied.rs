//! A Hopfield network with separate weights in each direction: a vector field without an energy.

use burn::config::Config;
use burn::module::{Module, ParamGroup};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::field::VectorField;
use super::field_config::FieldConfig;
use super::graph::ClampedGraph;
use super::hopfield::{HopfieldEnergy, HopfieldEnergyConfig};
use super::shortcuts::Shortcuts;
use super::twin::{NoTwin, Twin};
use crate::connection::{Connection, ConnectionKind, Share, StatePair, WeightSource};
use crate::error::{ConfigError, assert_valid};
use crate::layer::LayerConfig;
use crate::{gradients::Gradients, state::State};

/// Configuration of an [`UntiedHopfield`].
#[derive(Config, Debug, PartialEq)]
pub struct UntiedHopfieldConfig {
    /// Layers and connections; feedback parameters are added to each connection between free layers.
    pub graph: HopfieldEnergyConfig,
    /// Learning rule of the two directions of a connection.
    #[config(default = "FeedbackUpdate::Same")]
    pub update: FeedbackUpdate,
    /// Initial values of the feedback parameters.
    #[config(default = "FeedbackInitializer::Independent")]
    pub feedback: FeedbackInitializer,
}

/// The rule by which the two directions of a connection learn from a contrast.
///
/// With `Δ` the difference of the two states and `s̄` their mean, a dense connection has
///
/// ```text
///         forward ĝ_f                   feedback ĝ_b
/// Own     −scale · s̄_fromᵀ Δ_to         −scale · Δ_fromᵀ s̄_to
/// Same    ĝ_f + ĝ_b of Own              the same
/// ```
///
/// `Own` is the local rule of C-VF in Ernoult et al. (2020), the presynaptic activity times the
/// postsynaptic change, in each direction. A drive `u` that depends on θ_f changes the cost by `dC/du`.
/// If the Jacobian of the drives is symmetric, that is, if both directions have the same parameters,
/// `Δ/β → −dC/du` as β → 0: the rule is the gradient of the cost for each direction. With other
/// feedback it is biased, by the difference between the Jacobian and its transpose. The published rule
/// has the activity in the free state in place of `s̄`, which differs by `O(β)` with one-sided nudging
/// and by `O(β²)` with centered, as the estimate does anyway; but with it the two directions do not add
/// up to the contrast of the tied network.
///
/// `Same` uses that contrast for both directions, the second rule of Laborieux et al. (2021): updates
/// never change the difference of the two directions, and weight decay `λ` shrinks it by `1 − ηλ` at
/// each step of SGD, as in Kolen and Pollack (1994), so that the Jacobian becomes symmetric during
/// learning. The gradient of moving both directions alike is the sum of the two of `Own`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackUpdate {
    /// Each direction learns from its own contrast.
    Own,
    /// Both directions learn from the contrast of the tied network.
    #[default]
    Same,
}

/// The initial values of the feedback parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackInitializer {
    /// An independent draw from the distribution of the forward parameters.
    #[default]
    Independent,
    /// A copy of the forward parameters.
    Forward,
}

/// The network of a [`HopfieldEnergy`] whose connections between free layers have separate parameters
/// for the forward and the feedback direction.
///
/// ```text
/// drive_k(θ, x, s) = b_k + Σ_{j → k} f_θf(s_j) + Σ_{k → l} f_θbᵀ(s_l)
/// ```
///
/// The transposed path `f_θbᵀ` of a convolution has the feedback kernel; with max pooling it goes
/// through the winners of the forward kernel, so that the two paths are adjoint if the kernels are
/// equal. (The published code takes the winners of the feedback kernel, which are then the same.)
/// Connections from the input have no feedback, and an identity has no parameters.
///
/// Gradient estimates by [`contrast`](VectorField::contrast) are biased unless both directions are equal;
/// with the [adjoint](VectorField::adjoint) network, which has the two directions exchanged, they are not.
///
/// Unless both directions are equal, there is no energy whose negative slopes are the drives, and the
/// types say so: this is a [`VectorField`] and not an [`Energy`](super::Energy). It relaxes,
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// # use eqprop_core::prelude::*;
/// # let sigmoid = Activation::HardSigmoid;
/// # let glorot = InitializerConfig::Glorot;
/// # let graph = HopfieldEnergyConfig::dense(&[4, 8, 2], sigmoid, sigmoid, glorot);
/// # let device = Device::default();
/// # let input = Tensor::from_data([[1.0, 0.0, 0.5, 0.2]], &device);
/// # let relaxation = Relaxation::steps(Scheme::Asynchronous, 10);
/// let field = UntiedHopfieldConfig::new(graph).init(&device);
/// let clamped = field.clamp(&input);
/// let total = TotalEnergy::<_, SquaredError>::free(&field, &clamped);
/// let relaxed = relaxation.relax(&total, field.rest(&input));
/// # assert_eq!(relaxed.n_steps, 10);
/// ```
///
/// but has no energy to trace during the relaxation
///
/// ```compile_fail
/// # use burn::tensor::{Device, Tensor};
/// # use eqprop_core::prelude::*;
/// # let sigmoid = Activation::HardSigmoid;
/// # let glorot = InitializerConfig::Glorot;
/// # let graph = HopfieldEnergyConfig::dense(&[4, 8, 2], sigmoid, sigmoid, glorot);
/// # let device = Device::default();
/// # let input = Tensor::from_data([[1.0, 0.0, 0.5, 0.2]], &device);
/// # let relaxation = Relaxation::steps(Scheme::Asynchronous, 10);
/// let field = UntiedHopfieldConfig::new(graph).init(&device);
/// let clamped = field.clamp(&input);
/// let total = TotalEnergy::<_, SquaredError>::free(&field, &clamped);
/// let (relaxed, trace) = relaxation.relax_traced(&total, field.rest(&input));
/// # assert_eq!(relaxed.n_steps, 10);
/// ```
///
/// or to evaluate after it:
///
/// ```compile_fail
/// # use burn::tensor::{Device, Tensor};
/// # use eqprop_core::prelude::*;
/// # let sigmoid = Activation::HardSigmoid;
/// # let glorot = InitializerConfig::Glorot;
/// # let graph = HopfieldEnergyConfig::dense(&[4, 8, 2], sigmoid, sigmoid, glorot);
/// # let device = Device::default();
/// # let input = Tensor::from_data([[1.0, 0.0, 0.5, 0.2]], &device);
/// let field = UntiedHopfieldConfig::new(graph).init(&device);
/// let clamped = field.clamp(&input);
/// let total = TotalEnergy::<_, SquaredError>::free(&field, &clamped);
/// let value = total.value(&field.rest(&input));
/// ```
///
/// Should be created with [`UntiedHopfieldConfig`].
///
/// # Reference
/// Ernoult et al. (2020), <https://arxiv.org/abs/2005.04168>; Laborieux et al. (2021),
/// <https://arxiv.org/abs/2006.03824>
#[derive(Module, Debug)]
pub struct UntiedHopfield {
    /// Forward parameters and biases: the network with feedback through the same parameters.
    pub forward: HopfieldEnergy,
    /// The feedback parameters of each connection; `None` for a connection from the input.
    pub feedback: Vec<Option<Connection>>,
    #[module(skip)]
    update: FeedbackUpdate,
}

impl UntiedHopfieldConfig {
    /// Creates a network with random weights and zero biases.
    ///
    /// # Panics
    /// If the graph is not [valid](HopfieldEnergyConfig::validate) or has
    /// [attention](crate::connection::Attention), with a message.
    pub fn init(&self, device: &Device) -> UntiedHopfield {
        self.init_from(self.graph.init(device), device)
    }

    /// Creates a network with the forward parameters and biases of `forward`, an energy of the graph.
    ///
    /// # Panics
    /// As [`init`](Self::init).
    pub fn init_from(&self, forward: HopfieldEnergy, device: &Device) -> UntiedHopfield {
        assert_valid(FieldConfig::validate(self));
        let connections = self.graph.connections.iter().zip(&forward.connections);
        let feedback = connections.map(|(config, connection)| {
            let ends = [config.from, config.to].map(|layer| self.graph.shape(layer));
            (config.from > 0).then(|| match self.feedback {
                FeedbackInitializer::Independent => {
                    Connection::new(config, ends[0], ends[1], device)
                }
                FeedbackInitializer::Forward => connection.duplicate(),
            })
        });
        UntiedHopfield {
            feedback: feedback.collect(),
            forward,
            update: self.update,
        }
    }
}

impl FieldConfig for UntiedHopfieldConfig {
    type Field = UntiedHopfield;

    fn validate(&self) -> Result<(), ConfigError> {
        self.graph.validate()?;
        let mut connections = self.graph.connections.iter();
        match connections.position(|config| matches!(config.kind, ConnectionKind::Attention(_))) {
            None => Ok(()),
            Some(connection) => {
                let needed = "the model \"hopfield\": attention is a term of an energy, without weights \
                              of its own in each direction";
                let needed = needed.to_string();
                Err(ConfigError::DoesNotFit { connection, needed })
            }
        }
    }

    fn init_from(&self, source: &mut dyn WeightSource, device: &Device) -> UntiedHopfield {
        let mut aside = source.aside();
        let forward = FieldConfig::init_from(&self.graph, source, device);
        let mut field = UntiedHopfieldConfig::init_from(self, forward, device);
        if self.feedback == FeedbackInitializer::Independent {
            let feedback = field.feedback.iter_mut().zip(&self.graph.connections);
            for (feedback, config) in feedback {
                if let Some(feedback) = feedback {
                    feedback.redraw(config.initializer, &mut *aside);
                }
            }
        }
        field
    }

    fn layers(&self) -> &[LayerConfig] {
        &self.graph.layers
    }
}

impl UntiedHopfield {
    /// Returns the learning rule of the two directions of a connection.
    pub fn update(&self) -> FeedbackUpdate {
        self.update
    }

    /// The parameters that drive free layer `layer`.
    pub(super) fn parameters_into(&self, layer: usize) -> ParamGroup {
        let feedback = self.feedback.iter().zip(self.forward.ends());
        let feedback = feedback.filter(|(_, ends)| ends.1 == layer + 1);
        let feedback: Vec<_> = feedback.map(|(feedback, _)| feedback.clone()).collect();
        let forward = self.forward.parameters_into(layer);
        forward.fuse(&ParamGroup::ids_from_module(feedback))
    }

    /// The contrast from which the directions learn under `update`.
    fn contrast_by(
        &self,
        update: FeedbackUpdate,
        clamped: &ClampedGraph,
        states: [&State; 2],
        scale: f64,
    ) -> Gradients {
        let each = |connection: usize, ends: [StatePair<'_>; 2], scale, gradients: &mut _| {
            let forward = &self.forward.connections[connection];
            let mut contrast = |share, of: &[&Connection]| {
                forward.contrast_for(of, share, ends, scale, gradients);
            };
            match (&self.feedback[connection], update) {
                (None, _) => contrast(Share::Whole, &[forward]),
                (Some(feedback), FeedbackUpdate::Same) => {
                    contrast(Share::Whole, &[forward, feedback]);
                }
                (Some(feedback), FeedbackUpdate::Own) => {
                    contrast(Share::Forward, &[forward]);
                    contrast(Share::Feedback, &[feedback]);
                }
            }
        };
        let (ends, biases) = (self.forward.ends(), &self.forward.biases);
        clamped.contrast(ends, biases, states, scale, each)
    }

    /// Whether feedback goes through the winners of the forward direction.
    fn sends_back_through_winners(&self) -> bool {
        let mut connections = self.forward.connections.iter().zip(&self.feedback);
        connections.any(|(forward, back)| back.is_some() && forward.kind().has_max_pooling())
    }
}

impl VectorField for UntiedHopfield {
    type Clamped = ClampedGraph;

    fn layers(&self) -> &[LayerConfig] {
        self.forward.layers()
    }

    fn groups(&self) -> &[Vec<usize>] {
        self.forward.groups()
    }

    fn clamp(&self, input: &Tensor<2>) -> ClampedGraph {
        let prepare = |connection: usize| {
            let forward = &self.forward.connections[connection];
            match &self.feedback[connection] {
                Some(feedback) => forward.prepare_with(feedback),
                None => forward.prepare(),
            }
        };
        self.forward.clamp_with(input, prepare)
    }

    fn repeat(&self, clamped: &ClampedGraph, n: usize) -> ClampedGraph {
        self.forward.repeat(clamped, n)
    }

    fn drive(&self, layer: usize, clamped: &ClampedGraph, state: &State) -> Tensor<2> {
        self.forward.drive(layer, clamped, state)
    }

    /// See [`FeedbackUpdate`].
    fn contrast(
        &self,
        clamped: &ClampedGraph,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        self.contrast_by(self.update, clamped, [first, second], scale)
    }

    /// The contrast of [`FeedbackUpdate::Own`], whichever rule the network learns by.
    ///
    /// # Panics
    /// With max pooling between free layers: feedback jumps when another unit wins, so that there need not be
    /// an equilibrium that moves smoothly with β.
    fn drive_contrast(
        &self,
        clamped: &ClampedGraph,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        assert!(
            !self.sends_back_through_winners(),
            "a network with max pooling and weights of its own in each direction has no exact estimate: use average \
             pooling"
        );
        self.contrast_by(FeedbackUpdate::Own, clamped, [first, second], scale)
    }

    /// The network with its two directions exchanged, each the transpose of the other; `None` with max
    /// pooling, whose winners are those of the forward direction in both.
    fn adjoint(&self, clamped: &ClampedGraph, state: &State) -> Option<ClampedGraph> {
        if self.sends_back_through_winners() {
            return None;
        }
        let connections = self.forward.connections.iter().zip(&self.feedback);
        let between = connections.filter_map(|(forward, back)| Some((forward, back.as_ref()?)));
        let exchanged = between.map(|(forward, feedback)| feedback.prepare_with(forward));
        Some(clamped.reconnected(exchanged, state))
    }

    fn shortcuts<'a>(&'a self, clamped: &'a ClampedGraph) -> Box<dyn Shortcuts + 'a> {
        self.forward.shortcuts(clamped)
    }

    /// Through the forward parameters.
    fn twin(&self, input: &Tensor<2>) -> Result<Twin, NoTwin> {
        let twin = self.forward.twin(input)?;
        Ok(Twin {
            energy: None,
            ..twin
        })
    }
}
