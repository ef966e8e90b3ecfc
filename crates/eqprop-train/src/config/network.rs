//! Network of a training configuration.

use burn::config::Config;
use burn::tensor::{Device, Distribution, Shape, TensorData};
use eqprop_core::activation::Activation;
use eqprop_core::connection::{
    ConnectionConfig, ConnectionKind, InitializerConfig, WeightSource, redraw,
};
use eqprop_core::cost::{AnyCost, CostConfig, CrossEntropy, CrossEntropyConfig};
use eqprop_core::energy::{AnyField, HopfieldEnergyConfig, LayerConfig, Model, ModelConfig};
use eqprop_core::shape::LayerShape;
use rand::SeedableRng;
use rand_chacha::ChaCha12Rng;

use super::hidden::{HiddenLayer, SkipConnection};
use super::{ClassWeights, IntermediateConfig, TrainingConfig};
use crate::network::EquilibriumNetwork;

/// Layers, connections, and the model built from them.
#[derive(Config, Debug, PartialEq)]
pub struct NetworkConfig {
    /// Hidden layers, from the input to the output: a number of units, or {"channels": 32,
    /// "kernel": 5} with "stride", "padding" and "pooling" ({"max": 2} or {"average": 2}).
    pub hidden: Vec<HiddenLayer>,
    /// Model that relaxes: "hopfield", {"untied": {"update": "same", "feedback": "independent"}},
    /// {"predictive_coding": {"layer_update": "projected", "parametrization": "mu_pc"}}, {"resistive":
    /// {"input_gain": 1.0}} or {"oscillators": {"injection": 0.0}}. See [`Model`].
    #[config(default = "Model::Hopfield")]
    pub model: Model,
    /// Skip connections, in addition to those from layer to layer: {"from": 0, "to": 2, "kind": "dense"}
    /// with layers counted from the input as 0, and kind "identity" or {"convolution": {"kernel": 1}}, or
    /// within a layer of feature maps {"attention": {"heads": 4, "width": 8}}.
    #[config(default = "Vec::new()")]
    pub skips: Vec<SkipConnection>,
    /// Activation of the hidden layers, see [`Activation`]: "hard_sigmoid", {"clipped_relu": {"max":
    /// 1.0}}; with the model "resistive" a clipped or linear one, with "oscillators" "phase".
    #[config(default = "Activation::HardSigmoid")]
    pub hidden_activation: Activation,
    /// Activation of the output layer; unused with the cross-entropy cost, which has no output layer.
    #[config(default = "Activation::HardSigmoid")]
    pub output_activation: Activation,
    /// Initial weights: "glorot" or {"fan_in": {"gain": 0.7}}.
    #[config(default = "InitializerConfig::Glorot")]
    pub initializer: InitializerConfig,
    /// Gain of each connection, for initial weights in ±gain/√n_in instead of those above: first the
    /// connections from layer to layer, then the skips. Empty to use the initializer above.
    #[config(default = "Vec::new()")]
    pub gains: Vec<f64>,
    /// Cost: "squared_error" on an output layer, "cross_entropy" through a softmax readout of the last
    /// hidden layer, or "phase_error" on an output layer of oscillators.
    #[config(default = "CostConfig::SquaredError")]
    pub cost: CostConfig,
    /// Hidden layers that are nudged along with the output, each by a readout of its own: {"layers": [1, 2], "weight":
    /// 0.1} with layers counted from the input as 0; with no layers, only the output is nudged.
    #[config(default = "IntermediateConfig::default()")]
    pub intermediate: IntermediateConfig,
}

impl TrainingConfig {
    /// Returns the layers and connections as an energy: hidden layers and an output, each connected to the
    /// layer below, and the skips.
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails.
    pub fn energy(&self) -> HopfieldEnergyConfig {
        let network = &self.network;
        let input = self.input_shape();
        let mut shape = input;
        let mut layers = Vec::new();
        let mut kinds = Vec::new();
        for (index, layer) in network.hidden.iter().enumerate() {
            let above = layer.above(shape);
            shape = above.unwrap_or_else(|| panic!("hidden layer {index} does not fit"));
            layers.push(LayerConfig::new(shape, network.hidden_activation));
            kinds.push(layer.connection());
        }
        if network.cost != CostConfig::CrossEntropy {
            let n_outputs = self.data.dataset.n_outputs();
            layers.push(LayerConfig::new(n_outputs, network.output_activation));
            kinds.push(ConnectionKind::Dense);
        }
        let connection = |from, to, kind| ConnectionConfig {
            from,
            to,
            kind,
            initializer: network.initializer,
        };
        let chain = kinds.into_iter().enumerate();
        let chain = chain.map(|(from, kind)| connection(from, from + 1, kind));
        let skips = network.skips.iter();
        let skips = skips.map(|skip| connection(skip.from, skip.to, skip.kind));
        let mut connections: Vec<_> = chain.chain(skips).collect();
        for (connection, &gain) in connections.iter_mut().zip(&network.gains) {
            connection.initializer = InitializerConfig::FanIn { gain };
        }
        HopfieldEnergyConfig::new(input, layers, connections)
    }

    /// Returns the configuration of the [model](NetworkConfig::model) built from these layers and
    /// connections.
    ///
    /// # Panics
    /// As for [`energy`](Self::energy).
    pub fn field(&self) -> ModelConfig {
        ModelConfig {
            model: self.network.model,
            graph: self.energy(),
        }
    }

    /// Returns the shape of the input: feature maps if a layer needs them.
    pub(super) fn input_shape(&self) -> LayerShape {
        let maps = self.data.image_shape();
        match self.network.hidden.first() {
            Some(HiddenLayer::Convolution { .. }) => LayerShape::Maps(maps),
            _ => LayerShape::Flat(maps.iter().product()),
        }
    }

    /// Returns the network in the usual notation, such as 784-500-10 or 1×28×28-32×12×12-10; a run of more
    /// than three equal layers is written with its length, as in 64-128^32-10.
    ///
    /// # Panics
    /// As for [`energy`](Self::energy).
    pub fn notation(&self) -> String {
        let energy = self.energy();
        let shapes = energy.layers.iter().map(|layer| layer.shape);
        let shapes = std::iter::once(energy.input).chain(shapes);
        let shapes: Vec<_> = shapes.map(|shape| shape.to_string()).collect();
        let rows = shapes.chunk_by(|a, b| a == b).map(|row| match row {
            [shape, _, _, _, ..] => format!("{shape}^{}", row.len()),
            few => few.join("-"),
        });
        rows.collect::<Vec<_>>().join("-")
    }

    /// Creates a network with new weights, which depend on the seed alone: they are drawn on the host,
    /// because all threads share the device's single stream of random numbers. Balanced class weights are
    /// known only to the training, [from its examples](Self::with_known_class_weights).
    ///
    /// # Panics
    /// If [`validate`](Self::validate) fails.
    pub fn network(&self, device: &Device) -> EquilibriumNetwork<AnyField, AnyCost> {
        let mut source = Seeded::new(self.seed, 0);
        let layers = self.energy().layers;
        let last = layers.last().expect("validated: there is a layer");
        let n_outputs = last.n_units();
        let energy = self.field().init_from(&mut source, device);
        let n_classes = self.data.dataset.n_outputs();
        let mut cost = self.network.cost.init(n_outputs, n_classes, device);
        let mut draw = |readout: &mut CrossEntropy, n_units| {
            let (weight, fans) = (&mut readout.weight, [n_units, n_classes]);
            redraw(weight, InitializerConfig::Glorot, fans, &mut source);
        };
        if let AnyCost::CrossEntropy(readout) = &mut cost {
            draw(readout, n_outputs);
        }
        // Drawn last, so that all other weights are the same with and without local costs.
        cost = cost.with_locals(self.network.intermediate.locals(|layer| {
            let n_units = layers[layer].n_units();
            let mut readout = CrossEntropyConfig::new(n_units, n_classes).init(device);
            draw(&mut readout, n_units);
            readout
        }));
        if let Some(ClassWeights::Of(weights)) = &self.data.class_weights {
            cost = cost.with_class_weights(weights.clone());
        }
        EquilibriumNetwork::new(energy, cost).with_start(self.phases.start)
    }
}

/// Source of the initial weights of a seed.
struct Seeded {
    seed: u64,
    stream: u64,
    rng: ChaCha12Rng,
}

impl Seeded {
    fn new(seed: u64, stream: u64) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        rng.set_stream(stream);
        Self { seed, stream, rng }
    }
}

impl WeightSource for Seeded {
    fn draw(&mut self, shape: Shape, bound: f64) -> TensorData {
        let uniform = Distribution::Uniform(-bound, bound);
        TensorData::random::<f32, _, _>(shape, uniform, &mut self.rng)
    }

    fn aside(&self) -> Box<dyn WeightSource> {
        Box::new(Self::new(self.seed, self.stream + 1))
    }
}
