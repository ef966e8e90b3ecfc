//! The Hopfield energy over a graph of layers and connections.

mod free_input;

use burn::config::Config;
use burn::module::{Module, Param, ParamGroup};
use burn::tensor::{Device, Tensor};

use super::bias::{self, dot};
use super::field::{Energy, VectorField};
use super::field_config::FieldConfig;
use super::graph::{ClampedGraph, Edge, add, color};
use super::shortcuts::Shortcuts;
use super::twin::{self, NoTwin, Twin};
use crate::activation::Activation;
use crate::connection::{
    Connection, ConnectionConfig, ConnectionKind, InitializerConfig, PreparedConnection, StatePair,
    WeightSource,
};
use crate::error::{ConfigError, assert_valid};
use crate::gradients::Gradients;
use crate::layer::LayerConfig;
use crate::shape::LayerShape;
use crate::state::State;

/// Configuration of a [`HopfieldEnergy`].
///
/// Layers are counted from the clamped input, which is layer 0; `layers[0]` is layer 1.
/// Any two layers may be connected, in any order: skip connections, connections between layers of the
/// same depth, and connections within a layer (`from == to`).
#[derive(Config, Debug, PartialEq)]
pub struct HopfieldEnergyConfig {
    /// Number and arrangement of the input values.
    pub input: LayerShape,
    /// The free layers; the last one is the output.
    pub layers: Vec<LayerConfig>,
    /// The connections.
    pub connections: Vec<ConnectionConfig>,
}

/// The Hopfield energy: a potential for each layer, a bias for each unit and a bilinear
/// term for each connection.
///
/// ```text
/// E(θ, x, s) = Σ_k G_k(s_k) − Σ_k b_k·s_k − Σ_connections ⟨s_to, f_θ(s_from)⟩
/// ```
///
/// [`Attention`](crate::connection::Attention) within a layer adds a term of another form.
///
/// Should be created with [`HopfieldEnergyConfig`]. With hard-sigmoid layers and dense
/// connections it is eq. 1 of Scellier & Bengio (2017), <https://arxiv.org/abs/1602.05179>.
#[derive(Module, Debug)]
pub struct HopfieldEnergy {
    /// The connections, in the order of the configuration.
    pub connections: Vec<Connection>,
    /// The biases of each free layer: `[n_units]`, or `[channels]` for feature maps.
    pub biases: Vec<Param<Tensor<1>>>,
    /// The ends of each connection.
    #[module(skip)]
    ends: Vec<(usize, usize)>,
    #[module(skip)]
    layers: Vec<LayerConfig>,
    #[module(skip)]
    groups: Vec<Vec<usize>>,
}

impl HopfieldEnergyConfig {
    /// Creates a chain of dense layers: `sizes[0]` inputs, then a layer for each further size. All free
    /// layers but the last have the activation `hidden`; the last has `output`.
    ///
    /// # Panics
    /// If `sizes` is empty.
    pub fn dense(
        sizes: &[usize],
        hidden: Activation,
        output: Activation,
        initializer: InitializerConfig,
    ) -> Self {
        let (&n_inputs, free) = sizes.split_first().expect("sizes start with the input's");
        let layers = free.iter().enumerate().map(|(index, &size)| {
            let is_output = index + 1 == free.len();
            LayerConfig::new(size, if is_output { output } else { hidden })
        });
        let connections = (0..free.len()).map(|from| ConnectionConfig {
            from,
            to: from + 1,
            kind: ConnectionKind::Dense,
            initializer,
        });
        Self::new(n_inputs.into(), layers.collect(), connections.collect())
    }

    /// Checks sizes, activations and the ends of the connections.
    ///
    /// # Errors
    /// Names the first invalid field.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.input.validate("input size")?;
        if self.layers.is_empty() {
            return Err(ConfigError::NoLayers);
        }
        for layer in &self.layers {
            layer.validate()?;
        }
        let last = self.layers.len();
        for (connection, config) in self.connections.iter().enumerate() {
            let ConnectionConfig { from, to, .. } = *config;
            if from > last || to > last {
                return Err(ConfigError::UnknownLayer {
                    connection,
                    from,
                    to,
                    last,
                });
            }
            if to == 0 {
                return Err(ConfigError::IntoInput { connection });
            }
            config.initializer.validate()?;
            let fits = config.kind.joins([from, to]);
            let fits = fits.and_then(|()| config.kind.fits(self.shape(from), self.shape(to)));
            fits.map_err(|needed| ConfigError::DoesNotFit { connection, needed })?;
        }
        let joined = |layer| {
            let mut connections = self.connections.iter();
            connections.any(|config| config.from == layer || config.to == layer)
        };
        match (1..=last).find(|&layer| !joined(layer)) {
            Some(layer) => Err(ConfigError::Unconnected { layer }),
            None => Ok(()),
        }
    }

    /// The shape of layer `layer`, counted from the input as layer 0.
    pub(super) fn shape(&self, layer: usize) -> LayerShape {
        match layer {
            0 => self.input,
            free => self.layers[free - 1].shape,
        }
    }

    /// Creates a network with random weights and zero biases.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails, with its message.
    pub fn init(&self, device: &Device) -> HopfieldEnergy {
        assert_valid(self.validate());
        let connections = self.connections.iter().map(|config| {
            let (from, to) = (self.shape(config.from), self.shape(config.to));
            Connection::new(config, from, to, device)
        });
        let biases = self
            .layers
            .iter()
            .map(|layer| Param::from_tensor(Tensor::zeros([layer.shape.n_biases()], device)));
        let ends: Vec<_> = self.connections.iter().map(|c| (c.from, c.to)).collect();
        HopfieldEnergy {
            connections: connections.collect(),
            biases: biases.collect(),
            groups: color(self.layers.len(), &ends),
            ends,
            layers: self.layers.clone(),
        }
    }
}

impl FieldConfig for HopfieldEnergyConfig {
    type Field = HopfieldEnergy;

    fn validate(&self) -> Result<(), ConfigError> {
        HopfieldEnergyConfig::validate(self)
    }

    fn init_from(&self, source: &mut dyn WeightSource, device: &Device) -> HopfieldEnergy {
        let mut energy = self.init(device);
        for (connection, config) in energy.connections.iter_mut().zip(&self.connections) {
            connection.redraw(config.initializer, source);
        }
        energy
    }

    fn layers(&self) -> &[LayerConfig] {
        &self.layers
    }
}

impl HopfieldEnergy {
    /// Returns the ends of each connection, counted from the input as layer 0.
    pub fn ends(&self) -> &[(usize, usize)] {
        &self.ends
    }

    /// Returns the bias of each unit of free layer `layer`; all units of a feature map share that of
    /// their channel.
    ///
    /// # Shapes
    /// - output: `[1, n_units]`
    pub fn bias(&self, layer: usize) -> Tensor<2> {
        bias::spread(&self.biases[layer], self.layers[layer].shape)
    }

    /// The parameters that drive free layer `layer`.
    pub(super) fn parameters_into(&self, layer: usize) -> ParamGroup {
        let connections = self.connections.iter().zip(&self.ends);
        let connections = connections.filter(|(_, ends)| ends.1 == layer + 1);
        let connections: Vec<_> = connections.map(|(found, _)| found.clone()).collect();
        ParamGroup::ids_from_module((self.biases[layer].clone(), connections))
    }

    /// Clamps an input, with each connection between free layers prepared by `prepare`.
    pub(super) fn clamp_with(
        &self,
        input: &Tensor<2>,
        prepare: impl Fn(usize) -> PreparedConnection,
    ) -> ClampedGraph {
        let [batch, _] = input.dims();
        let mut constant: Vec<Option<Tensor<2>>> = vec![None; self.layers.len()];
        let mut edges = Vec::new();
        for (connection, &(from, to)) in self.ends.iter().enumerate() {
            if from == 0 {
                let sent = self.connections[connection].forward(input.clone());
                add(&mut constant[to - 1], sent);
            } else {
                edges.push(Edge::new(from - 1, to - 1, prepare(connection)));
            }
        }
        let constant = constant.into_iter().enumerate();
        let with_bias = constant.map(|(layer, sent)| self.with_bias(layer, sent, batch));
        ClampedGraph::new(input.clone(), with_bias.collect(), edges)
    }

    /// The input of a layer, if there is any, plus its bias, `[batch, n_units]`.
    fn with_bias(&self, layer: usize, sent: Option<Tensor<2>>, batch: usize) -> Tensor<2> {
        let bias = self.bias(layer);
        match sent {
            Some(sent) => sent + bias,
            None => bias.repeat_dim(0, batch),
        }
    }
}

impl VectorField for HopfieldEnergy {
    type Clamped = ClampedGraph;

    fn layers(&self) -> &[LayerConfig] {
        &self.layers
    }

    fn groups(&self) -> &[Vec<usize>] {
        &self.groups
    }

    fn clamp(&self, input: &Tensor<2>) -> ClampedGraph {
        self.clamp_with(input, |connection| self.connections[connection].prepare())
    }

    fn repeat(&self, clamped: &ClampedGraph, n: usize) -> ClampedGraph {
        clamped.repeat(n)
    }

    fn drive(&self, layer: usize, clamped: &ClampedGraph, state: &State) -> Tensor<2> {
        clamped.drive(layer, state)
    }

    fn contrast(
        &self,
        clamped: &ClampedGraph,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Gradients {
        let each =
            |connection: usize, [pre, post]: [StatePair<'_>; 2], scale, gradients: &mut _| {
                self.connections[connection].contrast(pre, post, scale, gradients);
            };
        clamped.contrast(&self.ends, &self.biases, [first, second], scale, each)
    }

    fn shortcuts<'a>(&'a self, clamped: &'a ClampedGraph) -> Box<dyn Shortcuts + 'a> {
        Box::new(clamped)
    }

    /// In closed form: `∂E/∂x = −f_θᵀ s_to`, through the input's winners where it is pooled.
    fn input_contrast(
        &self,
        input: &Tensor<2>,
        first: &State,
        second: &State,
        scale: f64,
    ) -> Option<Tensor<2>> {
        let mut contrast = None;
        for (connection, &(from, to)) in self.connections.iter().zip(&self.ends) {
            if from == 0 {
                let difference = first.layer(to - 1).clone() - second.layer(to - 1).clone();
                let received = connection.prepare().backward(difference * (-scale), input);
                add(&mut contrast, received);
            }
        }
        Some(contrast.unwrap_or_else(|| input.zeros_like()))
    }

    /// The field itself, because there is an energy.
    fn adjoint(&self, clamped: &ClampedGraph, _state: &State) -> Option<ClampedGraph> {
        Some(clamped.clone())
    }

    fn energy_of(&self, clamped: &ClampedGraph, state: &State) -> Option<Tensor<1>> {
        Some(self.energy(clamped, state))
    }

    fn twin(&self, input: &Tensor<2>) -> Result<Twin, NoTwin> {
        if self.ends.iter().any(|(from, to)| from >= to) {
            let connections = self.ends.clone();
            return Err(NoTwin::LeadsBack { connections });
        }
        let mut values = vec![input.clone()];
        let mut drives = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let mut sent = None;
            for (connection, &(from, to)) in self.connections.iter().zip(&self.ends) {
                if to == index + 1 {
                    add(&mut sent, connection.forward(values[from].clone()));
                }
            }
            let drive = self.with_bias(index, sent, input.dims()[0]);
            values.push(layer.activation.apply(drive.clone()));
            drives.push(drive);
        }
        let state = State::new(values.split_off(1));
        Ok(Twin {
            energy: Some(twin::energy(&self.layers, &state, &drives)),
            output_drive: drives.pop().expect("a network has at least one layer"),
            state,
        })
    }
}

impl Energy for HopfieldEnergy {
    fn energy(&self, clamped: &ClampedGraph, state: &State) -> Tensor<1> {
        let mut energy = None;
        for (index, value) in state.layers().iter().enumerate() {
            let potential = self.layers[index].activation.potential(value.clone());
            let constant = dot(value.clone(), clamped.constant[index].clone());
            add(&mut energy, potential - constant);
        }
        let mut energy = energy.expect("a network has at least one layer");
        for edge in &clamped.edges {
            let (pre, post) = (state.layer(edge.from), state.layer(edge.to));
            energy = energy + edge.connection.energy(pre, post);
        }
        energy
    }
}
