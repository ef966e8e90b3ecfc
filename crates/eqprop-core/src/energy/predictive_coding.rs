//! The predictive coding energy of a chain of layers.

mod clamped;
mod pass;
mod rule;

use burn::config::Config;
use burn::module::{Module, Param, ParamGroup};
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::bias;
use super::field::{Energy, VectorField};
use super::field_config::FieldConfig;
use super::graph::Edge;
use super::hopfield::{HopfieldEnergy, HopfieldEnergyConfig};
use super::shortcuts::Shortcuts;
use super::twin::{NoTwin, Twin};
use crate::activation::Activation;
use crate::connection::{Connection, ConnectionKind, StatePair, WeightSource};
use crate::error::{ConfigError, assert_valid};
use crate::fused::operations;
use crate::layer::LayerConfig;
use crate::{gradients::Gradients, state::State};
use clamped::{ClampedPredictions, Prediction, Predictor};
use pass::Pass;
pub use rule::Parametrization;
use rule::Rule;

/// Configuration of a [`PredictiveCoding`] network.
#[derive(Config, Debug, PartialEq)]
pub struct PredictiveCodingConfig {
    /// The layers with their activations, and the connections. Connection `k` leads from layer `k` to
    /// layer `k + 1`, counted from the input as 0. A further [identity](ConnectionKind::Identity)
    /// connection from a hidden layer to the next makes a residual block.
    pub chain: HopfieldEnergyConfig,
    /// Update rule of the layers.
    #[config(default = "LayerUpdate::Projected")]
    pub layer_update: LayerUpdate,
    /// Scaling of the weights.
    #[config(default = "Parametrization::Standard")]
    pub parametrization: Parametrization,
}

/// The update rule of the layers of a [`PredictiveCoding`] network; for a linear layer both are the
/// same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerUpdate {
    /// Projected gradient descent on the energy with a step size of 1: the drive starts from the
    /// prediction `f_k`.
    #[default]
    Projected,
    /// The drive starts from the pre-activation `a_k` instead, which holds back a unit whose prediction
    /// is clipped: "mod-PGD". It is not descent on the energy, but gives the same gradient to first
    /// order in β and more stable states; and a centered estimate is of second order with it. From
    /// `f_k` it is not: a nudge of one sign lifts a clipped unit, a nudge of the other sign does not.
    PreActivation,
}

/// The predictive coding energy: the squared errors with which each layer is predicted from the layer
/// below.
///
/// ```text
/// E(θ, x, h) = ½ Σ_k |h_k − f_k(h_{k−1})|²        f_k(h) = σ_k(a_k),  a_k = W_k h + b_k,  h_0 = x
/// ```
///
/// with a convolution, and pooling, in place of `W_k` if the connection is one, and with the factors of
/// a [`Parametrization`]. The **free equilibrium is the forward pass** `h_k = f_k(h_{k−1})` of the
/// feedforward network with the same parameters: `E = 0` and `∂E/∂θ = 0` there.
/// [`start`](VectorField::start) returns it, and no layer changes in a free phase, so that one step
/// costs next to nothing.
///
/// A step moves each hidden layer by projected gradient descent with a step size of 1, and the output
/// to the exact minimizer (see [`Cost::minimize`](crate::cost::Cost::minimize)):
///
/// ```text
/// drive_k = f_k(h_{k−1}) + W_{k+1}ᵀ [σ′_{k+1}(a_{k+1}) (h_{k+1} − f_{k+1}(h_k))]
/// h_k ← P_k(drive_k)        P_k projects onto the range of σ_k
/// ∂E/∂W_k = −h_{k−1}ᵀ [σ′_k(a_k) (h_k − f_k(h_{k−1}))]
/// ```
///
/// The potential is `½h²` in every layer, so the activation in [`layers`](VectorField::layers) is
/// `P_k`: `σ_k` itself if that is a projection (ReLU, clipped ReLU, hard sigmoid, identity), otherwise
/// the identity, as the minima then lie inside the range.
///
/// # Residual blocks
/// With an identity beside its connection, the prediction of a hidden layer is added to the layer below. The
/// layers at both ends of an identity hold their pre-activation, and send its response:
///
/// ```text
/// f_k(h) = h + c_k [W_k σ_{k−1}(h) + b_k]
/// drive_k = f_k(h_{k−1}) + ε_{k+1} + σ′_k(h_k) c_{k+1} W_{k+1}ᵀ ε_{k+1},   ε_k = h_k − f_k(h_{k−1})
/// ```
///
/// Their range is not that of `σ_k`, so nothing is projected. The input and the output have no identity, as
/// in Innocenti et al. (2025), <https://arxiv.org/abs/2505.13124>.
///
/// # Depth
/// Signals travel two layers per step, and the rounding errors of all these steps also reach the first layer.
/// With many layers, [`Scheme::ErrorDescent`](crate::relaxation::Scheme::ErrorDescent) reaches all of them in
/// its first step; its steps are longer, one pass down and one pass up.
///
/// # Convergence
/// Layers at even and odd distance from the output move in turn, the output's group first. Near the
/// free equilibrium and to first order in β the errors are then those of backpropagation after a fixed
/// number of steps, for any weights: signals go down two layers per step, and the changes that they
/// cause come up again, so that `L` layers need `L` steps. This requires that each error is read before
/// the layers that it depends on move: updates of all layers at once
/// ([`Scheme::FixedPoint`](crate::relaxation::Scheme)) diverge if the weights are large. A step size of
/// 1 is no descent there either, and a large β may diverge too.
///
/// # Costs
/// The squared error acts on a linear output layer. The cross-entropy acts on the last hidden layer
/// through its readout, which is not part of the state and replaces the linear output layer of the
/// paper: the same function of the same parameters, with the exact gradient of the readout, and one
/// layer fewer to relax.
///
/// Should be created with [`PredictiveCodingConfig`].
///
/// # Reference
/// Kerjan, Scellier & Høier (2026), <https://arxiv.org/abs/2606.03584>
#[derive(Module, Debug)]
pub struct PredictiveCoding {
    /// The connections, from the input to the output.
    pub connections: Vec<Connection>,
    /// The biases of each free layer: `[n_units]`, or `[channels]` for feature maps.
    pub biases: Vec<Param<Tensor<1>>>,
    /// The prediction rule of each free layer.
    #[module(skip)]
    rules: Vec<Rule>,
    #[module(skip)]
    layers: Vec<LayerConfig>,
    #[module(skip)]
    groups: Vec<Vec<usize>>,
    #[module(skip)]
    layer_update: LayerUpdate,
}

impl PredictiveCodingConfig {
    /// Checks sizes, activations and that the connections form a chain.
    ///
    /// # Errors
    /// Names the first invalid field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.chain.validate()?;
        let (layers, connections) = (&self.chain.layers, &self.chain.connections);
        let is_link = |below: usize| {
            let link = connections.get(below);
            below < layers.len() && link.is_some_and(|c| (c.from, c.to) == (below, below + 1))
        };
        let is_identity = |place: usize| {
            let connection = connections.get(place);
            place >= layers.len() && connection.is_some_and(|c| c.kind == ConnectionKind::Identity)
        };
        let mut places = 0..layers.len().max(connections.len());
        if let Some(below) = places.find(|&place| !is_link(place) && !is_identity(place)) {
            return Err(ConfigError::NotAChain { below });
        }
        let identities = &connections[layers.len()..];
        for (place, identity) in identities.iter().enumerate() {
            let (from, to) = (identity.from, identity.to);
            let is_hidden = from > 0 && to == from + 1 && to < layers.len();
            if !is_hidden || identities[..place].iter().any(|other| other.to == to) {
                let connection = layers.len() + place;
                return Err(ConfigError::NotAResidualBlock {
                    connection,
                    from,
                    to,
                });
            }
        }
        self.drawn().validate()?;
        let rules = Rule::of(&self.chain, self.parametrization);
        let mut activations = rules.into_iter().map(|rule| rule.response).zip(1..);
        let unfit = activations.find(|&(found, _)| Self::projection(found) != found);
        if let (Some((activation, layer)), LayerUpdate::PreActivation) = (unfit, self.layer_update)
        {
            return Err(ConfigError::UnfitActivation {
                model: "the pre_activation update",
                needed: "activations that project onto a range (relu, clipped_relu, hard_sigmoid or \
                         identity)",
                layer,
                activation: format!("{activation:?}"),
                remedy: "; use the projected update",
            });
        }
        Ok(())
    }

    /// Returns the activation `P_k` with which a layer with `f_k = σ_k(a_k)` relaxes: the projection
    /// onto the range of `σ_k`, or the identity if `σ_k` is smooth.
    pub fn projection(activation: Activation) -> Activation {
        if activation.is_quadratic() {
            activation
        } else {
            Activation::Identity
        }
    }

    /// Creates a network with random weights and zero biases.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    pub fn init(&self, device: &Device) -> PredictiveCoding {
        assert_valid(self.validate());
        self.with_parameters(self.drawn().init(device))
    }

    /// The chain with the initial weights of the parametrization.
    fn drawn(&self) -> HopfieldEnergyConfig {
        rule::drawn(&self.chain, self.parametrization)
    }

    /// Creates a network with the connections and biases of a Hopfield energy of the same
    /// [`chain`](Self::chain).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    pub fn with_parameters(&self, energy: HopfieldEnergy) -> PredictiveCoding {
        assert_valid(self.validate());
        let layers = &self.chain.layers;
        let mut groups = energy.groups().to_vec();
        groups.sort_by_key(|group| !group.contains(&(layers.len() - 1)));
        let rules = Rule::of(&self.chain, self.parametrization);
        let relaxed = layers
            .iter()
            .zip(&rules)
            .map(|(layer, rule)| LayerConfig::new(layer.shape, Self::projection(rule.response)));
        let mut connections = energy.connections;
        connections.truncate(layers.len());
        PredictiveCoding {
            connections,
            biases: energy.biases,
            layers: relaxed.collect(),
            rules,
            groups,
            layer_update: self.layer_update,
        }
    }
}

impl FieldConfig for PredictiveCodingConfig {
    type Field = PredictiveCoding;

    fn validate(&self) -> Result<(), ConfigError> {
        PredictiveCodingConfig::validate(self)
    }

    fn init_from(&self, source: &mut dyn WeightSource, device: &Device) -> PredictiveCoding {
        assert_valid(PredictiveCodingConfig::validate(self));
        self.with_parameters(self.drawn().init_from(source, device))
    }

    fn layers(&self) -> &[LayerConfig] {
        &self.chain.layers
    }

    fn output(&self) -> Activation {
        Self::projection(self.chain.output())
    }

    fn activations(&self) -> Vec<Activation> {
        let rules = Rule::of(&self.chain, self.parametrization).into_iter();
        rules.map(|rule| Self::projection(rule.response)).collect()
    }

    fn starts_at_equilibrium(&self) -> bool {
        true
    }
}

impl PredictiveCoding {
    /// The parameters that drive free layer `layer` from below.
    pub(super) fn parameters_into(&self, layer: usize) -> ParamGroup {
        let into = (self.biases[layer].clone(), self.connections[layer].clone());
        ParamGroup::ids_from_module(into)
    }

    /// Computes the forward pass: the free equilibrium, for a single use.
    ///
    /// # Shapes
    /// - `input`: `[batch, n_inputs]`
    pub fn forward(&self, input: &Tensor<2>) -> State {
        self.pass(input).0
    }

    /// The forward pass, and the [drive](VectorField::drive) of the output in it.
    fn pass(&self, input: &Tensor<2>) -> (State, Tensor<2>) {
        let mut latest = [input.clone(), input.clone()];
        let layers = (0..self.layers.len()).map(|layer| {
            latest = self.predict(layer, &latest[0]);
            latest[0].clone()
        });
        let state = State::new(layers.collect());
        (state, self.moves_from(latest))
    }

    /// Computes the part of the [drive](VectorField::drive) of free layer `layer` that comes from the
    /// layer below, for a single use.
    ///
    /// # Shapes
    /// - `below`: `[batch, n_in]`, output: `[batch, n_units]`
    pub fn drive_from_below(&self, layer: usize, below: &Tensor<2>) -> Tensor<2> {
        self.moves_from(self.predict(layer, below))
    }

    /// `f_k` and `a_k` of free layer `layer`, for a single use.
    fn predict(&self, layer: usize, below: &Tensor<2>) -> [Tensor<2>; 2] {
        let rule = &self.rules[layer];
        let sent = rule.sent.apply(below.clone());
        let arrived = self.connections[layer].forward(sent) + self.bias(layer);
        let drive = rule.drive(arrived, below);
        [rule.response.apply(drive.clone()), drive]
    }

    /// The one of `f_k` and `a_k` that the layer moves from.
    fn moves_from(&self, [value, drive]: [Tensor<2>; 2]) -> Tensor<2> {
        match self.layer_update {
            LayerUpdate::Projected => value,
            LayerUpdate::PreActivation => drive,
        }
    }

    /// Returns the bias of each unit of free layer `layer`; all units of a feature map share that of
    /// their channel.
    ///
    /// # Shapes
    /// - output: `[1, n_units]`
    pub fn bias(&self, layer: usize) -> Tensor<2> {
        bias::spread(&self.biases[layer], self.layers[layer].shape)
    }

    /// `σ′(a_k) (h_k − f_k)`: the error of free layer `layer`, passed back to its pre-activation;
    /// `None` if both layers are as in the forward pass, so that it is 0.
    fn error(
        &self,
        layer: usize,
        clamped: &ClampedPredictions,
        state: &State,
    ) -> Option<(Tensor<2>, Prediction)> {
        if clamped.is_predicted(layer, state) {
            return None;
        }
        let prediction = clamped.prediction(layer, state);
        let (value, activation) = (state.layer(layer), self.rules[layer].response);
        let error = activation
            .response()
            .and_then(|response| operations::prediction_error(value, &prediction.drive, response));
        let error = error.unwrap_or_else(|| {
            let error = value.clone() - prediction.value.clone();
            activation.pull_back(prediction.value.clone(), error)
        });
        Some((error, prediction))
    }
}

impl VectorField for PredictiveCoding {
    type Clamped = ClampedPredictions;

    fn layers(&self) -> &[LayerConfig] {
        &self.layers
    }

    /// Even and odd layers, the output's group first.
    fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    fn clamp(&self, input: &Tensor<2>) -> ClampedPredictions {
        let above = self.connections.iter().enumerate().skip(1);
        let predictors = above.map(|(layer, connection)| Predictor {
            edge: Edge::new(layer - 1, layer, connection.prepare()),
            bias: self.bias(layer),
            rule: self.rules[layer],
        });
        let (sent, indices) = self.connections[0].forward_with_indices(input.clone());
        let rule = &self.rules[0];
        let drive = rule.drive(sent + self.bias(0), input);
        let first = Prediction::new(drive, rule.response, indices);
        ClampedPredictions::new(input, first, predictors.collect())
    }

    fn repeat(&self, clamped: &ClampedPredictions, n: usize) -> ClampedPredictions {
        clamped.repeat(n)
    }

    /// `f_k`, or `a_k` with [`LayerUpdate::PreActivation`], plus the error of the layer above, passed
    /// back.
    fn drive(&self, layer: usize, clamped: &ClampedPredictions, state: &State) -> Tensor<2> {
        let prediction = clamped.prediction(layer, state);
        let from_below = self.moves_from([prediction.value, prediction.drive]);
        if layer + 1 == self.layers.len() {
            return from_below;
        }
        match self.error(layer + 1, clamped, state) {
            Some((error, above)) => from_below + clamped.pull_back(layer, &above, error),
            None => from_below,
        }
    }

    /// The errors are themselves of order β, so that the contrast of their products does not lose
    /// digits to the states.
    fn contrast(
        &self,
        clamped: &ClampedPredictions,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        let scale = scale / first.batch_size() as f64;
        let mut gradients = Gradients::new();
        let input = clamped.input();
        for (layer, connection) in self.connections.iter().enumerate() {
            let rule = &self.rules[layer];
            let [a, b] = [first, second].map(|state| {
                let (error, prediction) = self.error(layer, clamped, state)?;
                Some((rule.scaled(error), prediction))
            });
            let sent = |prediction: &Prediction, below: usize, state: &State| {
                let sent = prediction.sent.as_ref();
                sent.unwrap_or_else(|| state.layer(below)).clone()
            };
            let difference = match (&a, &b) {
                (Some((a, _)), Some((b, _))) => a.clone() - b.clone(),
                (Some((a, _)), None) => a.clone(),
                (None, Some((b, _))) => b.clone() * -1.0,
                (None, None) => first.layer(layer).zeros_like(),
            };
            match (layer.checked_sub(1), a, b) {
                (Some(below), Some((a, of_a)), Some((b, of_b))) => {
                    let [of_a, of_b] = [sent(&of_a, below, first), sent(&of_b, below, second)];
                    let pre = StatePair::Free(&of_a, &of_b);
                    connection.contrast(pre, StatePair::Free(&a, &b), scale, &mut gradients);
                }
                // One product is left where both were sent from the input, or an error is 0.
                (below, a, _) => {
                    let state = if a.is_some() { first } else { second };
                    let prediction = clamped.prediction(layer, state);
                    let pre = below.map(|below| sent(&prediction, below, state));
                    let (pre, post) = (pre.as_ref().unwrap_or(&input), difference.clone());
                    let indices = &prediction.indices;
                    connection.correlate(pre, post, indices, -scale, &mut gradients);
                }
            }
            let bias = &self.biases[layer];
            gradients.register(bias.id, bias::gather(difference, bias) * (-scale));
        }
        gradients
    }

    /// The field itself, because there is an energy.
    fn adjoint(&self, clamped: &ClampedPredictions, _state: &State) -> Option<ClampedPredictions> {
        Some(clamped.clone())
    }

    fn energy_of(&self, clamped: &ClampedPredictions, state: &State) -> Option<Tensor<1>> {
        Some(self.energy(clamped, state))
    }

    fn shortcuts<'a>(&'a self, clamped: &'a ClampedPredictions) -> Box<dyn Shortcuts + 'a> {
        Box::new(Pass {
            clamped,
            rules: &self.rules,
            from_pre_activation: self.layer_update == LayerUpdate::PreActivation,
        })
    }

    /// The forward pass, which is the free equilibrium: its energy is 0.
    fn twin(&self, input: &Tensor<2>) -> Result<Twin, NoTwin> {
        let (state, output_drive) = self.pass(input);
        let no_energy = Tensor::zeros([input.dims()[0]], (&input.device(), input.dtype()));
        Ok(Twin {
            state,
            output_drive,
            energy: Some(no_energy),
        })
    }
}

impl Energy for PredictiveCoding {
    fn energy(&self, clamped: &ClampedPredictions, state: &State) -> Tensor<1> {
        let layers = state.layers().iter().enumerate();
        let terms = layers.map(|(layer, value)| {
            if clamped.is_predicted(layer, state) {
                return Tensor::zeros([value.dims()[0]], (&value.device(), value.dtype()));
            }
            let error = value.clone() - clamped.prediction(layer, state).value;
            error.square().sum_dim(1).squeeze_dim::<1>(1) * 0.5
        });
        terms
            .reduce(|sum, term| sum + term)
            .expect("a network has a layer")
    }
}
