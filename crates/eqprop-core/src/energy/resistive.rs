//! The deep resistive network: layers of nodes connected by adjustable resistors.

mod clamped;
mod conductances;

use burn::config::Config;
use burn::module::{Module, Param, ParamGroup};
use burn::tensor::{Device, Tensor};

use super::bias::dot;
use super::field::{Energy, VectorField};
use super::field_config::FieldConfig;
use super::graph::{ClampedGraph, Edge, color};
use super::hopfield::HopfieldEnergyConfig;
use super::shortcuts::Shortcuts;
use super::twin::{NoTwin, Twin};
use crate::activation::Activation;
use crate::connection::{ConnectionKind, InitializerConfig, StatePair, WeightSource, redraw};
use crate::error::{ConfigError, assert_valid};
use crate::fused::operations;
use crate::gradients::Gradients;
use crate::layer::LayerConfig;
use crate::shape::LayerShape;
use crate::state::State;
use clamped::ClampedResistive;
pub use conductances::Conductances;

/// The total conductance at a node counts as at least this much. Without any, a node floats: it has
/// no voltage of its own, and nothing reads the one it is given.
const LEAST_CURVATURE: f64 = 1e-6;

/// Configuration of a [`ResistiveNetwork`].
#[derive(Config, Debug, PartialEq)]
pub struct ResistiveNetworkConfig {
    /// Number of input values.
    pub n_inputs: usize,
    /// The free layers, each connected to the one before; the last one is the output. Their activations
    /// must be clipped or linear: those with the potential `½v²`.
    pub layers: Vec<LayerConfig>,
    /// The voltage of an input value of 1, greater than 0.
    #[config(default = 1.0)]
    pub input_gain: f64,
    /// Distribution of the initial conductances. Values drawn below 0 become 0.
    #[config(default = "InitializerConfig::FanIn { gain: 1.0 }")]
    pub initializer: InitializerConfig,
}

/// A deep resistive network: a circuit of adjustable resistors, voltage sources for the input,
/// diodes, and a current source at each node.
///
/// The state is the voltage `v` of each free node. The energy is half the power that the resistors
/// dissipate, minus the power of the current sources, and its minimum is the steady state of the
/// circuit:
///
/// ```text
/// E(g, b, x, v) = ½ Σ_{i–j} g_ij (v_i − v_j)² − Σ_i b_i v_i        over all resistors i–j
///
/// Σ_j g_ij (v_j − v_i) + b_i = 0        Kirchhoff's law of currents, at a node without a diode
/// ```
///
/// A diode keeps its node at or above ground, or at or below it: half of the nodes of a hidden layer
/// each ([`Activation::Diode`]). Conductances are not negative, so each input value `x` is given as two
/// voltages `γx` and `−γx`, all `γx` before all `−γx`, with the input gain `γ`.
///
/// In one node, with all others fixed, `E` is a parabola whose curvature `a` is the total conductance
/// there; its minimum is a mean of the neighbors' voltages, clipped by the diode:
///
/// ```text
/// a_i = Σ_j g_ij        drive_i = (Σ_j g_ij v_j + b_i) / a_i        v_i = σ_i(drive_i)
/// ```
///
/// so that a step of [`Scheme::Asynchronous`](crate::relaxation::Scheme::Asynchronous) is the exact
/// block coordinate descent of the paper.
///
/// # Limits of β
/// A nudge by `βC` adds to the curvature of the output. The squared error needs `β > −a_i` at each
/// output node for the step of the layer to have a minimum, and slightly more for the network, whose
/// hidden nodes yield. The limit depends on the conductances, which training changes: a run does not
/// check it after its start.
///
/// Should be created with [`ResistiveNetworkConfig`].
///
/// # Reference
/// Scellier (2024), <https://arxiv.org/abs/2402.11674>; equilibrium propagation in such circuits is
/// due to Kendall et al. (2020), <https://arxiv.org/abs/2006.01981>
#[derive(Module, Debug)]
pub struct ResistiveNetwork {
    /// The resistors from the voltage sources to the first layer, and from each layer to the next.
    pub connections: Vec<Conductances>,
    /// The current sources `b` of each free layer, `[n_units]`.
    pub biases: Vec<Param<Tensor<1>>>,
    #[module(skip)]
    input_gain: f64,
    #[module(skip)]
    layers: Vec<LayerConfig>,
    #[module(skip)]
    groups: Vec<Vec<usize>>,
}

impl ResistiveNetworkConfig {
    /// The activation of hidden layers in the papers.
    pub const HIDDEN: Activation = Activation::Diode;

    /// Creates a configuration with `sizes[0]` inputs, then a layer for each further size: diodes in
    /// all but the last, which is linear.
    ///
    /// # Panics
    /// If `sizes` is empty.
    pub fn dense(sizes: &[usize]) -> Self {
        let (hidden, output) = (Self::HIDDEN, Activation::Identity);
        let graph = HopfieldEnergyConfig::dense(sizes, hidden, output, InitializerConfig::Glorot);
        Self::new(sizes[0], graph.layers)
    }

    /// Checks sizes, activations and ranges.
    ///
    /// # Errors
    /// Names the first invalid field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        LayerShape::Flat(self.n_inputs).validate("input size")?;
        if self.layers.is_empty() {
            return Err(ConfigError::NoLayers);
        }
        for (index, layer) in self.layers.iter().enumerate() {
            layer.validate()?;
            let activation = layer.activation;
            if !activation.is_quadratic() {
                return Err(ConfigError::UnfitActivation {
                    model: "a resistive network",
                    needed: "diode, relu, clipped_relu, hard_sigmoid or identity layers",
                    layer: index + 1,
                    activation: format!("{activation:?}"),
                    remedy: "",
                });
            }
        }
        ConfigError::positive_number("input_gain", self.input_gain)?;
        self.initializer.validate()
    }

    /// Creates a network with random conductances and zero source currents.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    pub fn init(&self, device: &Device) -> ResistiveNetwork {
        assert_valid(self.validate());
        let sizes: Vec<usize> = self.layers.iter().map(LayerConfig::n_units).collect();
        let below = std::iter::once(2 * self.n_inputs).chain(sizes.iter().copied());
        let connections = below
            .zip(&sizes)
            .map(|(n_in, &n_out)| Conductances::new(self.initializer, n_in, n_out, device));
        let biases = sizes
            .iter()
            .map(|&size| Param::from_tensor(Tensor::zeros([size], device)));
        ResistiveNetwork {
            connections: connections.collect(),
            biases: biases.collect(),
            input_gain: self.input_gain,
            layers: self.layers.clone(),
            groups: color(sizes.len(), &chain(sizes.len())),
        }
    }
}

/// A resistive network of the layers and connections of a graph, whose initializers draw the
/// conductances.
#[derive(Debug)]
pub(super) struct Circuit {
    pub graph: HopfieldEnergyConfig,
    pub input_gain: f64,
}

impl Circuit {
    fn network(&self) -> Result<ResistiveNetworkConfig, ConfigError> {
        let mut connections = self.graph.connections.iter().enumerate();
        let unfit = connections.find(|(index, connection)| {
            let ends = (connection.from, connection.to);
            connection.kind != ConnectionKind::Dense || ends != (*index, *index + 1)
        });
        if let Some((connection, _)) = unfit {
            let needed = "the model \"hopfield\": the resistors of a resistive network join every \
                          unit of a layer with every unit of the next, and no others";
            let needed = needed.to_string();
            return Err(ConfigError::DoesNotFit { connection, needed });
        }
        let (n_inputs, layers) = (self.graph.input.n_units(), self.graph.layers.clone());
        Ok(ResistiveNetworkConfig::new(n_inputs, layers).with_input_gain(self.input_gain))
    }
}

impl FieldConfig for Circuit {
    type Field = ResistiveNetwork;

    fn validate(&self) -> Result<(), ConfigError> {
        self.network()?.validate()
    }

    fn init_from(&self, source: &mut dyn WeightSource, device: &Device) -> ResistiveNetwork {
        let mut network = assert_valid(self.network()).init(device);
        let connections = network.connections.iter_mut();
        for (connection, config) in connections.zip(&self.graph.connections) {
            let conductance = &mut connection.conductance;
            let fans = conductance.val().dims();
            redraw(conductance, config.initializer, fans, source);
        }
        network.project()
    }

    fn layers(&self) -> &[LayerConfig] {
        &self.graph.layers
    }

    fn limits_of_beta_are_learned(&self) -> bool {
        true
    }

    fn conducts_both_ways(&self) -> bool {
        true
    }
}

/// The ends of the connections of a chain of `n_layers` layers.
fn chain(n_layers: usize) -> Vec<(usize, usize)> {
    (0..n_layers).map(|below| (below, below + 1)).collect()
}

impl ResistiveNetwork {
    /// Returns the voltage of an input value of 1.
    pub fn input_gain(&self) -> f64 {
        self.input_gain
    }

    /// The parameters that drive free layer `layer` from below.
    pub(super) fn parameters_into(&self, layer: usize) -> ParamGroup {
        let into = (self.biases[layer].clone(), self.connections[layer].clone());
        ParamGroup::ids_from_module(into)
    }

    /// The voltages of the sources: `γx`, then `−γx`.
    fn sources(&self, input: &Tensor<2>) -> Tensor<2> {
        let positive = input.clone() * self.input_gain;
        Tensor::cat(vec![positive.clone(), positive.neg()], 1)
    }

    /// The total conductance at each node of free layer `layer`, `[1, n_units]`.
    fn total_conductance(&self, layer: usize) -> Tensor<2> {
        let below = self.connections[layer].of_second();
        let total = match self.connections.get(layer + 1) {
            Some(above) => below + above.of_first(),
            None => below,
        };
        total.clamp_min(LEAST_CURVATURE)
    }
}

impl VectorField for ResistiveNetwork {
    type Clamped = ClampedResistive;

    fn layers(&self) -> &[LayerConfig] {
        &self.layers
    }

    fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    fn clamp(&self, input: &Tensor<2>) -> ClampedResistive {
        let (first, between) = self.connections.split_first().expect("checked: a layer");
        let (sources, conductances) = (self.sources(input), first.conductance.val());
        let layers = 0..self.layers.len();
        let curvature: Vec<_> = layers.map(|layer| self.total_conductance(layer)).collect();
        let resistance: Vec<_> = curvature.iter().map(|a| a.clone().recip()).collect();
        let batch = input.dims()[0];
        let currents = self.biases.iter().zip(&resistance);
        let currents = currents.map(|(bias, r)| bias.val().unsqueeze() * r.clone());
        let mut constant: Vec<Tensor<2>> =
            currents.map(|drive| drive.repeat_dim(0, batch)).collect();
        let received = operations::product(sources.clone(), &conductances);
        constant[0] = received * resistance[0].clone() + constant[0].clone();
        let edges = between.iter().enumerate().map(|(below, conductances)| {
            let prepared = conductances.prepare([&resistance[below], &resistance[below + 1]]);
            Edge::new(below, below + 1, prepared)
        });
        ClampedResistive {
            graph: ClampedGraph::new(sources, constant, edges.collect()),
            input: conductances,
            curvature,
        }
    }

    fn repeat(&self, clamped: &ClampedResistive, n: usize) -> ClampedResistive {
        ClampedResistive {
            graph: clamped.graph.repeat(n),
            ..clamped.clone()
        }
    }

    fn drive(&self, layer: usize, clamped: &ClampedResistive, state: &State) -> Tensor<2> {
        clamped.graph.drive(layer, state)
    }

    fn curvature(&self, layer: usize) -> Option<Tensor<2>> {
        Some(self.total_conductance(layer))
    }

    fn contrast(
        &self,
        clamped: &ClampedResistive,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        let each =
            |connection: usize, [below, above]: [StatePair<'_>; 2], scale, gradients: &mut _| {
                self.connections[connection].contrast(below, above, scale, gradients);
            };
        let (graph, ends) = (&clamped.graph, chain(self.layers.len()));
        graph.contrast(&ends, &self.biases, [first, second], scale, each)
    }

    fn shortcuts<'a>(&'a self, clamped: &'a ClampedResistive) -> Box<dyn Shortcuts + 'a> {
        Box::new(&clamped.graph)
    }

    /// The field itself, because there is an energy.
    fn adjoint(&self, clamped: &ClampedResistive, _state: &State) -> Option<ClampedResistive> {
        Some(clamped.clone())
    }

    fn energy_of(&self, clamped: &ClampedResistive, state: &State) -> Option<Tensor<1>> {
        Some(self.energy(clamped, state))
    }

    fn twin(&self, _input: &Tensor<2>) -> Result<Twin, NoTwin> {
        Err(NoTwin::Never {
            field: "a resistive network",
            reason: "its resistors conduct both ways",
        })
    }

    /// Removes resistors whose conductance has become negative.
    fn project(self) -> Self {
        let connections = self.connections.into_iter().map(Conductances::project);
        Self {
            connections: connections.collect(),
            ..self
        }
    }
}

impl Energy for ResistiveNetwork {
    fn energy(&self, clamped: &ClampedResistive, state: &State) -> Tensor<1> {
        // ½ Σ_ij g_ij x_i², which no state changes.
        let squares = (clamped.graph.input().square() * 0.5).matmul(clamped.input.clone());
        let mut energy = squares.sum_dim(1).squeeze_dim::<1>(1);
        for (layer, v) in state.layers().iter().enumerate() {
            // ½ a v² minus the currents from below and from the sources, times v.
            let mut drive = clamped.graph.constant[layer].clone();
            if let Some(below) = layer.checked_sub(1) {
                let connection = &clamped.graph.edges[below].connection;
                drive = drive + connection.forward(state.layer(below).clone());
            }
            let current = (v.clone() * 0.5 - drive) * clamped.curvature[layer].clone();
            energy = energy + dot(current, v.clone());
        }
        energy
    }
}
