//! Graphs with every kind of connection, and numbers for them that are away from the kinks of max
//! pooling.

use burn::tensor::Tensor;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{Connection, ConnectionKind, ConvolutionConfig, Pooling};
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, VectorField};
use eqprop_core::shape::LayerShape;
use eqprop_core::state::State;
use eqprop_testing::{Numbers, Setup, connection, graph, joined, network, values};

pub const SIZES: [usize; 4] = [3, 4, 3, 2];

/// A chain; with a skip; with a connection within a layer; with one in reversed order.
pub const DENSE: [&[(usize, usize)]; 4] = [
    &[(0, 1), (1, 2), (2, 3)],
    &[(0, 1), (1, 2), (2, 3), (1, 3), (0, 3)],
    &[(0, 1), (1, 2), (2, 2), (2, 3)],
    &[(0, 1), (2, 1), (3, 2)],
];

pub const POOLINGS: [Pooling; 3] = [Pooling::None, Pooling::Max(2), Pooling::Average(2)];

/// Kernels and maps that they fit, with each pooling. The last two leave rows unreached.
fn geometries() -> [(ConvolutionConfig, [usize; 2]); 5] {
    let kernel = ConvolutionConfig::new;
    [
        (kernel(3).with_padding(1), [4, 2]),
        (kernel(2), [3, 5]),
        (kernel(3).with_stride(2).with_padding(1), [3, 7]),
        (kernel(2).with_stride(3).with_padding(1), [5, 3]),
        (kernel(1).with_stride(2), [4, 3]),
    ]
}

/// Every graph, with the activation in all free layers, and its name.
pub fn all(activation: Activation) -> Vec<(String, HopfieldEnergyConfig)> {
    let mut graphs = convolutional(activation);
    graphs.extend(DENSE.map(|ends| (format!("{ends:?}"), graph(&SIZES, activation, ends))));
    for (name, _) in &mut graphs {
        *name = format!("{activation:?}, {name}");
    }
    graphs
}

/// The graphs with layers of maps.
pub fn convolutional(activation: Activation) -> Vec<(String, HopfieldEnergyConfig)> {
    let mut graphs = vec![
        ("skip".to_owned(), identity_skip(activation)),
        ("residual block".to_owned(), residual_block(activation)),
        ("reversed".to_owned(), reversed(activation)),
    ];
    // Nine shares of a mean are not exact, as four are.
    let ninths = ConvolutionConfig::new(2).with_pooling(Pooling::Average(3));
    let config = between_maps(activation, ninths, [4, 4]);
    graphs.push((format!("{ninths:?}"), config));
    for (geometry, size) in geometries() {
        for pooling in POOLINGS {
            let convolution = geometry.with_pooling(pooling);
            let config = between_maps(activation, convolution, size);
            graphs.push((format!("{convolution:?}"), config));
        }
    }
    graphs
}

fn layers<const N: usize>(activation: Activation, shapes: [LayerShape; N]) -> Vec<LayerConfig> {
    shapes
        .map(|shape| LayerConfig::new(shape, activation))
        .to_vec()
}

/// The convolution from the input and between free layers, with a dense layer on top. The input
/// also reaches the first layer unit by unit.
fn between_maps(
    activation: Activation,
    convolution: ConvolutionConfig,
    size: [usize; 2],
) -> HopfieldEnergyConfig {
    let [height, width] = size;
    let [rows, columns] = convolution.output(size).expect("the maps fit the kernel");
    let below = LayerShape::Maps([2, height, width]);
    let above = LayerShape::Maps([3, rows, columns]);
    let convolution = ConnectionKind::Convolution(convolution);
    let connections = vec![
        joined(0, 1, ConnectionKind::Identity),
        joined(0, 2, convolution),
        joined(1, 2, convolution),
        connection(2, 3),
    ];
    let layers = layers(activation, [below, above, 2.into()]);
    HopfieldEnergyConfig::new(below, layers, connections)
}

/// Maps with an identity past a convolution between two layers of their size.
fn identity_skip(activation: Activation) -> HopfieldEnergyConfig {
    let same = ConnectionKind::Convolution(ConvolutionConfig::new(3).with_padding(1));
    let maps = LayerShape::Maps([2, 3, 2]);
    let connections = vec![
        joined(0, 1, same),
        joined(1, 2, same),
        joined(2, 3, same),
        joined(1, 3, ConnectionKind::Identity),
        connection(3, 4),
    ];
    let layers = layers(activation, [maps, maps, maps, 2.into()]);
    HopfieldEnergyConfig::new([1, 3, 2].into(), layers, connections)
}

/// Two convolutions in parallel with one that only strides: the block of a residual network that
/// halves the maps.
fn residual_block(activation: Activation) -> HopfieldEnergyConfig {
    let kernel = ConvolutionConfig::new(3).with_padding(1);
    let [same, halving] = [kernel, kernel.with_stride(2)].map(ConnectionKind::Convolution);
    let striding = ConnectionKind::Convolution(ConvolutionConfig::new(1).with_stride(2));
    let connections = vec![
        joined(0, 1, same),
        joined(1, 2, halving),
        joined(2, 3, same),
        joined(1, 3, striding),
        connection(3, 4),
    ];
    let half = LayerShape::Maps([3, 2, 1]);
    let layers = layers(activation, [[2, 3, 2].into(), half, half, 2.into()]);
    HopfieldEnergyConfig::new([1, 3, 2].into(), layers, connections)
}

/// A convolution that leads from a later layer to an earlier one.
fn reversed(activation: Activation) -> HopfieldEnergyConfig {
    let pooled = ConvolutionConfig::new(2).with_pooling(Pooling::Max(2));
    let connections = vec![
        connection(0, 1),
        joined(2, 1, ConnectionKind::Convolution(pooled)),
        connection(2, 3),
    ];
    let shapes = [[3, 1, 2].into(), [2, 3, 5].into(), 2.into()];
    HopfieldEnergyConfig::new(3.into(), layers(activation, shapes), connections)
}

/// A network with parameters in ±1, an input and two states.
pub struct Problem {
    pub energy: HopfieldEnergy,
    pub input: Tensor<2>,
    pub states: [State; 2],
}

pub const BATCH: usize = 3;

impl Problem {
    /// With the first numbers such that the winner of each window of max pooling leads by 4e-3 in
    /// both states: it stays the winner while a unit or a weight moves by 1e-3, because no unit is
    /// larger than 1.5, and no weight than 1.
    pub fn new(config: &HopfieldEnergyConfig, setup: &Setup) -> Self {
        let mut problems = (0..10_000).map(|seed| Self::draw(config, setup, seed));
        problems
            .find(|problem| {
                let mut states = problem.states.iter();
                states.all(|state| problem.least_lead(config, state) > 4e-3)
            })
            .expect("numbers without ties")
    }

    fn draw(config: &HopfieldEnergyConfig, setup: &Setup, seed: u64) -> Self {
        let energy = network(config, setup, 1.0, 2 * seed + 1);
        let mut numbers = Numbers(2 * seed + 2);
        let input = numbers.matrix(setup, [BATCH, config.input.n_units()], 0.0, 1.0);
        let states = [(); 2].map(|()| on_grid(numbers.state(energy.layers(), setup, BATCH)));
        Self {
            energy,
            input,
            states,
        }
    }

    /// The smallest lead of the winner of a window over the next unit.
    fn least_lead(&self, config: &HopfieldEnergyConfig, state: &State) -> f64 {
        let mut least = f64::INFINITY;
        for (connection, of) in self.energy.connections.iter().zip(&config.connections) {
            let ConnectionKind::Convolution(geometry) = of.kind else {
                continue;
            };
            let Pooling::Max(pool) = geometry.pooling else {
                continue;
            };
            let Connection::Convolution(convolution) = connection else {
                panic!("{connection:?} is not what was configured");
            };
            let (shape, pre) = match of.from {
                0 => (config.input, &self.input),
                free => (config.layers[free - 1].shape, state.layer(free - 1)),
            };
            let [channels, height, width] = shape.maps().expect("maps below a convolution");
            let stride = [geometry.stride; 2];
            let options = ConvOptions::new(stride, [geometry.padding; 2], [1, 1], 1);
            let maps = pre.clone().reshape([BATCH, channels, height, width]);
            let convolved = conv2d(maps, convolution.kernel.val(), None, options);
            let [_, _, _, width] = convolved.dims();
            for rows in values(&convolved).chunks(pool * width) {
                for column in (0..width).step_by(pool) {
                    let rows = rows.chunks(width);
                    let mut window: Vec<_> = rows.flat_map(|row| &row[column..][..pool]).collect();
                    window.sort_by(|a, b| b.total_cmp(a));
                    least = least.min(window[0] - window[1]);
                }
            }
        }
        least
    }
}

/// Rounds to multiples of 2^-20, so that `f32` represents each of them, and their sums.
fn on_grid(state: State) -> State {
    let scale = 2f64.powi(20);
    state.map(|s| (s.clone() * scale).round() / scale)
}
