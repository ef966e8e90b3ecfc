//! A network of coupled phase oscillators: an oscillator Ising machine.

use burn::config::Config;
use burn::module::{Module, Param, ParamGroup};
use burn::tensor::{Device, Tensor};

use super::bias::{self, dot};
use super::field::{Energy, VectorField};
use super::field_config::FieldConfig;
use super::graph::ClampedGraph;
use super::hopfield::{HopfieldEnergy, HopfieldEnergyConfig};
use super::twin::{NoTwin, Twin};
use crate::activation::{Activation, halves, pairs};
use crate::connection::{ConnectionKind, InitializerConfig, StatePair, WeightSource};
use crate::error::{ConfigError, assert_valid};
use crate::gradients::Gradients;
use crate::layer::LayerConfig;
use crate::state::State;

/// Configuration of an [`OscillatorNetwork`].
#[derive(Config, Debug, PartialEq)]
pub struct OscillatorNetworkConfig {
    /// Layers and connections, counted in oscillators. Every layer must have [`Activation::Phase`], and no
    /// connection may have max pooling.
    pub graph: HopfieldEnergyConfig,
    /// Initial strength `S` of the second harmonic in each oscillator. If it is positive and large, all
    /// phases lock to 0 or π, and locked phases learn nothing.
    #[config(default = 0.0)]
    pub injection: f64,
    /// Whether these strengths are learned.
    #[config(default = false)]
    pub learns_injection: bool,
}

/// Coupled phase oscillators, which relax by pulling each other into phase or antiphase.
///
/// ```text
/// E(θ, x, φ) = −Σ_{i–j} J_ij cos(φ_i − φ_j) − Σ_i h_i cos φ_i − ½ Σ_i S_i cos 2φ_i      over all coupled pairs i–j
///
/// dφ_i/dt = −∂E/∂φ_i = −Σ_j J_ij sin(φ_i − φ_j) − h_i sin φ_i − S_i sin 2φ_i
/// ```
///
/// with the couplings `J`, and with fields `h` toward the phase 0 of a reference: the bias of each
/// oscillator, and the contribution of the input, `Σ_k x_k W_ki`. The input is not an oscillator. `S` is the
/// strength of a signal at twice the frequency.
///
/// # The state
/// An oscillator is two units, `(cos φ, sin φ)`, and a layer of `n` of them is a row of all `n` cosines
/// before all `n` sines. A state therefore has no jumps at 2π, distances and residuals are those of points on
/// the circle, and apart from `S` the energy is that of a Hopfield network, whose connections act on cosines
/// and sines alike. In one oscillator, with all others fixed, it is `−|u| cos(φ − arg u)` with the drive `u`,
/// and its minimum is the angle of the drive:
///
/// ```text
/// u_i = (Σ_j J_ij cos φ_j + h_i,  Σ_j J_ij sin φ_j) + 2 (max(S_i, 0) cos φ_i,  max(−S_i, 0) sin φ_i)
///
/// (cos φ_i, sin φ_i) ← u_i / |u_i|
/// ```
///
/// Without `S` a step of [`Scheme::Asynchronous`](crate::relaxation::Scheme::Asynchronous) is an exact
/// minimization. With `S` the term `−½ S cos 2φ` is replaced by its tangent in the coordinate in which it is
/// concave: the step never raises the energy, and a phase stays only where the slope is 0.
/// [`Scheme::GradientFlow`](crate::relaxation::Scheme::GradientFlow) moves along the circle,
/// `φ ← φ + arctan(−ε ∂F/∂φ)`, which is the Euler step of the equation above up to terms of third order in ε.
///
/// # Locked phases
/// In any state with phases 0 and π all slopes are 0, and so are nudge and gradient: a locked oscillator
/// learns nothing. Strong fields and a positive `S` lock it. Phases start at π/4. A free equilibrium with the
/// signs of all phases changed is another one, of the same energy.
///
/// Should be created with [`OscillatorNetworkConfig`]. The cost is [`PhaseError`](crate::cost::PhaseError).
///
/// # Reference
/// Gower (2025), <https://arxiv.org/abs/2505.02103>
#[derive(Module, Debug)]
pub struct OscillatorNetwork {
    /// Couplings `J`, weights `W` from the input, and a bias for each oscillator.
    pub graph: HopfieldEnergy,
    /// The strengths `S` of each layer, `[n_units]`.
    pub injections: Vec<Param<Tensor<1>>>,
    #[module(skip)]
    learns_injection: bool,
    /// With two units for each oscillator.
    #[module(skip)]
    layers: Vec<LayerConfig>,
}

/// An [`OscillatorNetwork`] with its input clamped.
#[derive(Debug, Clone)]
pub struct ClampedOscillators {
    /// The couplings, for states with a row of cosines and a row of sines for each example, and the
    /// contribution of the input.
    graph: ClampedGraph,
    /// The contribution of the second harmonic to the drive, per unit of the state, and to the energy, per
    /// square of it: `2 max(±S, 0)` and `∓½S`, `[1, 2 n_units]`.
    harmonics: Vec<[Tensor<2>; 2]>,
}

impl OscillatorNetworkConfig {
    /// Creates a network of `sizes[0]` input values, then a layer of oscillators for each further size, each
    /// coupled to the one before.
    ///
    /// # Panics
    /// If `sizes` is empty.
    pub fn dense(sizes: &[usize], initializer: InitializerConfig) -> Self {
        let phase = Activation::Phase;
        Self::new(HopfieldEnergyConfig::dense(
            sizes,
            phase,
            phase,
            initializer,
        ))
    }

    /// Checks layers, connections and ranges.
    ///
    /// # Errors
    /// Names the first invalid field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.graph.validate()?;
        let layers = self.graph.layers.iter().zip(1..);
        for (layer, number) in layers {
            if layer.activation != Activation::Phase {
                return Err(ConfigError::UnfitActivation {
                    model: "a network of oscillators",
                    needed: "the activation \"phase\" in every layer, hidden and output",
                    layer: number,
                    activation: format!("{:?}", layer.activation),
                    remedy: "",
                });
            }
        }
        let unfit = |kind: ConnectionKind| match kind {
            _ if kind.has_max_pooling() => {
                Some("average pooling or none: oscillators have no largest phase")
            }
            ConnectionKind::Attention(_) => {
                Some("the model \"hopfield\": attention is no coupling of phases")
            }
            _ => None,
        };
        let connections = self.graph.connections.iter().enumerate();
        let mut unfit = connections.filter_map(|(n, config)| Some((n, unfit(config.kind)?)));
        if let Some((connection, needed)) = unfit.next() {
            let needed = needed.to_string();
            return Err(ConfigError::DoesNotFit { connection, needed });
        }
        let (field, found) = ("injection", self.injection);
        ConfigError::in_range(field, "a number", found, found.is_finite())?;
        ConfigError::single_precision(field, found)
    }

    /// Creates a network with random couplings and weights, and with zero biases.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    pub fn init(&self, device: &Device) -> OscillatorNetwork {
        assert_valid(self.validate());
        self.around(self.graph.init(device), device)
    }

    /// The network with these couplings, weights and biases.
    fn around(&self, graph: HopfieldEnergy, device: &Device) -> OscillatorNetwork {
        let layers = self.graph.layers.iter();
        let (doubled, injections) = layers
            .map(|layer| {
                let n = layer.n_units();
                let injections = Tensor::full([n], self.injection, device);
                let doubled = LayerConfig::new(2 * n, Activation::Phase);
                // If they are not learned, backpropagation through the drives leaves them alone too.
                let injections = Param::from_tensor(injections);
                (doubled, injections.set_require_grad(self.learns_injection))
            })
            .unzip();
        OscillatorNetwork {
            graph,
            injections,
            learns_injection: self.learns_injection,
            layers: doubled,
        }
    }
}

impl FieldConfig for OscillatorNetworkConfig {
    type Field = OscillatorNetwork;

    fn validate(&self) -> Result<(), ConfigError> {
        OscillatorNetworkConfig::validate(self)
    }

    fn init_from(&self, source: &mut dyn WeightSource, device: &Device) -> OscillatorNetwork {
        assert_valid(self.validate());
        self.around(FieldConfig::init_from(&self.graph, source, device), device)
    }

    fn layers(&self) -> &[LayerConfig] {
        &self.graph.layers
    }

    fn conducts_both_ways(&self) -> bool {
        true
    }
}

impl OscillatorNetwork {
    /// The parameters that drive free layer `layer` from below.
    pub(super) fn parameters_into(&self, layer: usize) -> ParamGroup {
        let injections = ParamGroup::ids_from_module(self.injections[layer].clone());
        self.graph.parameters_into(layer).fuse(&injections)
    }
}

/// `cos 2φ = cos²φ − sin²φ`
fn second_harmonic(layer: &Tensor<2>) -> Tensor<2> {
    let [cosine, sine] = halves(layer.clone());
    cosine.square() - sine.square()
}

/// Splits the row of each example into two: its cosines and its sines.
fn rows(layer: &Tensor<2>) -> Tensor<2> {
    let [batch, n] = layer.dims();
    layer.clone().reshape([2 * batch, n / 2])
}

/// Joins the two rows of each example again.
fn joined(rows: Tensor<2>) -> Tensor<2> {
    let [twice, n] = rows.dims();
    rows.reshape([twice / 2, 2 * n])
}

impl VectorField for OscillatorNetwork {
    type Clamped = ClampedOscillators;

    fn layers(&self) -> &[LayerConfig] {
        &self.layers
    }

    fn groups(&self) -> &[Vec<usize>] {
        self.graph.groups()
    }

    fn clamp(&self, input: &Tensor<2>) -> ClampedOscillators {
        let ClampedGraph {
            constant, edges, ..
        } = self.graph.clamp(input);
        // Fields point along the cosine.
        let constant = constant.into_iter().map(|field| {
            let none = field.zeros_like();
            rows(&pairs(field, none))
        });
        let harmonics = self.injections.iter().map(|strengths| {
            let along = strengths.val().unsqueeze::<2>();
            let across = along.clone().neg();
            let signed = pairs(along, across);
            // 2 max(±S, 0), with a slope of 1 at 0, where both signs contribute to the drive.
            [signed.clone().abs() + signed.clone(), signed * -0.5]
        });
        ClampedOscillators {
            graph: ClampedGraph::new(input.clone(), constant.collect(), edges),
            harmonics: harmonics.collect(),
        }
    }

    fn repeat(&self, clamped: &ClampedOscillators, n: usize) -> ClampedOscillators {
        ClampedOscillators {
            graph: clamped.graph.repeat(n),
            harmonics: clamped.harmonics.clone(),
        }
    }

    fn drive(&self, layer: usize, clamped: &ClampedOscillators, state: &State) -> Tensor<2> {
        let received = clamped.graph.drive(layer, &state.map(rows));
        let [own, _] = &clamped.harmonics[layer];
        joined(received) + state.layer(layer).clone() * own.clone()
    }

    /// `∂E/∂J_ij = −cos(φ_i − φ_j)`, `∂E/∂W_ki = −x_k cos φ_i`, `∂E/∂b_i = −cos φ_i` and
    /// `∂E/∂S_i = −½ cos 2φ_i`.
    fn contrast(
        &self,
        clamped: &ClampedOscillators,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        let per_example = scale / first.batch_size() as f64;
        let input = clamped.graph.input();
        let cosines = [first, second].map(|state| {
            state.map(|layer| {
                let [cosine, _] = halves(layer.clone());
                cosine
            })
        });
        let states = [first, second].map(|state| state.map(rows));
        let pair = |[first, second]: &[State; 2], layer: usize| {
            [first.layer(layer).clone(), second.layer(layer).clone()]
        };
        let mut gradients = Gradients::new();
        let connections = self.graph.connections.iter().zip(self.graph.ends());
        for (connection, &(from, to)) in connections {
            let of =
                |[first, second]: &[Tensor<2>; 2], before: StatePair<'_>, gradients: &mut _| {
                    let after = StatePair::Free(first, second);
                    connection.contrast(before, after, per_example, gradients);
                };
            match from.checked_sub(1) {
                None => {
                    let after = pair(&cosines, to - 1);
                    of(&after, StatePair::Clamped(&input), &mut gradients);
                }
                Some(from) => {
                    let [before, after] = [from, to - 1].map(|layer| pair(&states, layer));
                    let before = StatePair::Free(&before[0], &before[1]);
                    of(&after, before, &mut gradients);
                }
            }
        }
        for (layer, bias) in self.graph.biases.iter().enumerate() {
            let [first, second] = pair(&cosines, layer);
            let contrast = bias::contrast(&first, &second, bias, -per_example);
            gradients.register(bias.id, contrast);
        }
        if self.learns_injection {
            for (layer, strengths) in self.injections.iter().enumerate() {
                let [first, second] =
                    [first, second].map(|state| second_harmonic(state.layer(layer)));
                let contrast = bias::contrast(&first, &second, strengths, -0.5 * per_example);
                gradients.register(strengths.id, contrast);
            }
        }
        gradients
    }

    /// The field itself, because there is an energy.
    fn adjoint(&self, clamped: &ClampedOscillators, _state: &State) -> Option<ClampedOscillators> {
        Some(clamped.clone())
    }

    fn energy_of(&self, clamped: &ClampedOscillators, state: &State) -> Option<Tensor<1>> {
        Some(self.energy(clamped, state))
    }

    fn twin(&self, _input: &Tensor<2>) -> Result<Twin, NoTwin> {
        Err(NoTwin::Never {
            field: "a network of oscillators",
            reason: "its couplings act both ways, and without those above it each phase would lock",
        })
    }
}

impl Energy for OscillatorNetwork {
    fn energy(&self, clamped: &ClampedOscillators, state: &State) -> Tensor<1> {
        let split = state.map(rows);
        let of_rows = |layer: usize, sent: Tensor<2>| dot(state.layer(layer).clone(), joined(sent));
        let layers = state.layers().iter().zip(&clamped.harmonics).enumerate();
        let own = layers.map(|(layer, (value, [_, square]))| {
            let harmonic = dot(value.clone().square(), square.clone().expand(value.dims()));
            harmonic - of_rows(layer, clamped.graph.constant[layer].clone())
        });
        let own = own.reduce(|sum, term| sum + term);
        let own = own.expect("a network has at least one layer");
        clamped.graph.edges.iter().fold(own, |energy, edge| {
            let sent = edge.connection.forward(split.layer(edge.from).clone());
            energy - of_rows(edge.to, sent)
        })
    }
}
