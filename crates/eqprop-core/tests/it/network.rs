//! Small networks, states and targets with reproducible random numbers, and their parameters
//! as lists of numbers.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionConfig, ConnectionKind, InitializerConfig};
use eqprop_core::cost::{AnyCost, Cost, CostConfig};
use eqprop_core::energy::{
    HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, TotalEnergy, VectorField,
};
use eqprop_core::gradients::{GradientVisitor, Gradients};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;

use crate::setup::{Setup, values};

pub const ACTIVATIONS: [Activation; 9] = [
    Activation::HardSigmoid,
    Activation::Sigmoid,
    Activation::Tanh,
    Activation::Relu,
    Activation::ClippedRelu { max: 0.7 },
    Activation::Identity,
    Activation::Softmax,
    Activation::Softplus,
    Activation::Diode,
];

/// SplitMix64. The random numbers of a Burn device are one stream for all threads, and
/// tests run in several.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        low + (high - low) * (z >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn list(&mut self, n: usize, low: f64, high: f64) -> Vec<f64> {
        (0..n).map(|_| self.uniform(low, high)).collect()
    }

    pub fn matrix(&mut self, setup: &Setup, shape: [usize; 2], low: f64, high: f64) -> Tensor<2> {
        setup.tensor(self.list(shape[0] * shape[1], low, high), shape)
    }

    /// Values inside the range of an activation, away from its ends.
    pub fn inside(
        &mut self,
        activation: Activation,
        setup: &Setup,
        shape: [usize; 2],
    ) -> Tensor<2> {
        let (low, high) = match activation.range() {
            _ if activation == Activation::Diode => (0.1, 1.5),
            [low, high] if low.is_infinite() && high.is_infinite() => (-1.5, 1.5),
            [low, high] if high.is_infinite() => (low + 0.1, low + 1.5),
            [low, high] => (0.9 * low + 0.1 * high, 0.1 * low + 0.9 * high),
        };
        let inside = self.matrix(setup, shape, low, high);
        match activation {
            Activation::Softmax => inside.clone() / inside.sum_dim(1),
            // Each unit on the side of the ground that is its own.
            Activation::Diode => activation.apply(inside.clone()) + activation.apply(inside.neg()),
            _ => inside,
        }
    }

    /// A state with every layer [inside](Self::inside) its range.
    pub fn state(&mut self, layers: &[LayerConfig], setup: &Setup, batch: usize) -> State {
        let mut inside =
            |layer: &LayerConfig| self.inside(layer.activation, setup, [batch, layer.n_units()]);
        State::new(layers.iter().map(&mut inside).collect())
    }
}

/// One class per row.
pub fn one_hot(setup: &Setup, classes: &[usize], n_classes: usize) -> Tensor<2> {
    let entry = |class: usize| (0..n_classes).map(move |c| f64::from(u8::from(c == class)));
    let entries = classes.iter().flat_map(|&class| entry(class)).collect();
    setup.tensor(entries, [classes.len(), n_classes])
}

pub fn connection(from: usize, to: usize) -> ConnectionConfig {
    joined(from, to, ConnectionKind::Dense)
}

pub fn joined(from: usize, to: usize, kind: ConnectionKind) -> ConnectionConfig {
    ConnectionConfig {
        from,
        to,
        kind,
        initializer: InitializerConfig::Glorot,
    }
}

/// A network of `sizes`, all free layers with one activation, joined by `ends`.
pub fn graph(
    sizes: &[usize],
    activation: Activation,
    ends: &[(usize, usize)],
) -> HopfieldEnergyConfig {
    let layers = sizes[1..]
        .iter()
        .map(|&size| LayerConfig::new(size, activation));
    let connections = ends.iter().map(|&(from, to)| connection(from, to));
    HopfieldEnergyConfig::new(sizes[0].into(), layers.collect(), connections.collect())
}

/// A layered network of `sizes`, all free layers with one activation.
pub fn chain(sizes: &[usize], activation: Activation) -> HopfieldEnergyConfig {
    HopfieldEnergyConfig::dense(sizes, activation, activation, InitializerConfig::Glorot)
}

/// A network with every parameter uniform in `±scale`.
pub fn network(
    config: &HopfieldEnergyConfig,
    setup: &Setup,
    scale: f64,
    seed: u64,
) -> HopfieldEnergy {
    let mut numbers = Numbers(seed);
    let energy = config.init(&setup.device);
    filled(energy, setup, |n| numbers.list(n, -scale, scale))
}

/// A cost for `n_units` outputs and as many classes, with readout parameters in `±scale`.
pub fn cost(which: CostConfig, n_units: usize, setup: &Setup, scale: f64, seed: u64) -> AnyCost {
    let mut numbers = Numbers(seed);
    let cost = which.init(n_units, n_units, &setup.device);
    filled(cost, setup, |n| numbers.list(n, -scale, scale))
}

/// `module` with the numbers of every parameter, in the order of its fields, replaced.
pub fn filled<M: Module>(module: M, setup: &Setup, fill: impl FnMut(usize) -> Vec<f64>) -> M {
    module.map(&mut Fill { setup, fill })
}

struct Fill<'a, F> {
    setup: &'a Setup,
    fill: F,
}

impl<F: FnMut(usize) -> Vec<f64>> ModuleMapper for Fill<'_, F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Reading the value instead would draw from the device's random numbers.
        let shape = param.lazy_shape();
        let data = TensorData::new((self.fill)(shape.num_elements()), shape);
        let options = (&self.setup.device, self.setup.dtype);
        Param::initialized(param.id, Tensor::from_data(data, options))
    }
}

/// The numbers of every parameter, in the order of the fields.
pub fn parameters<M: Module>(module: &M) -> Vec<Vec<f64>> {
    let mut lists = Lists::default();
    module.visit(&mut lists);
    lists.0
}

/// The gradient of every parameter of `module`, in the order of the fields.
pub fn gradients_of<M: Module>(module: &M, gradients: &Gradients) -> Vec<Vec<f64>> {
    let mut lists = Lists::default();
    gradients.visit(module, &mut lists);
    assert_eq!(
        lists.0.len(),
        parameters(module).len(),
        "a parameter has no gradient"
    );
    lists.0
}

#[derive(Default)]
struct Lists(Vec<Vec<f64>>);

impl ModuleVisitor for Lists {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(values(&param.val()));
    }
}

impl GradientVisitor for Lists {
    fn visit<const D: usize>(&mut self, parameter: &Param<Tensor<D>>, gradient: Tensor<D>) {
        assert_eq!(parameter.lazy_shape(), gradient.shape());
        self.0.push(values(&gradient));
    }
}

/// `∂f/∂θ` of every parameter by central differences, in `f64`.
pub fn parameter_differences<M: Module>(
    module: &M,
    epsilon: f64,
    f: impl Fn(&M) -> f64,
) -> Vec<Vec<f64>> {
    let setup = Setup::double();
    let parameters = parameters(module);
    let moved = |list: usize, entry: usize, by: f64| {
        let mut lists = parameters.clone();
        lists[list][entry] += by;
        let mut lists = lists.into_iter();
        f(&filled(module.clone(), &setup, |_| {
            lists.next().expect("one list per parameter")
        }))
    };
    let slope = |list, entry| {
        (moved(list, entry, epsilon) - moved(list, entry, -epsilon)) / (2.0 * epsilon)
    };
    let lists = parameters.iter().enumerate();
    lists
        .map(|(list, numbers)| (0..numbers.len()).map(|entry| slope(list, entry)).collect())
        .collect()
}

/// Relaxes until no step changes anything that the number format resolves.
pub fn equilibrium<E: VectorField, C: Cost>(
    total: &TotalEnergy<'_, E, C>,
    start: State,
    scheme: Scheme,
    setup: &Setup,
) -> State {
    equilibrium_within(2000, total, start, scheme, setup)
}

/// [`equilibrium`] of a network that may take more steps.
pub fn equilibrium_within<E: VectorField, C: Cost>(
    max_steps: usize,
    total: &TotalEnergy<'_, E, C>,
    start: State,
    scheme: Scheme,
    setup: &Setup,
) -> State {
    let relaxation = Relaxation::steps(scheme, max_steps).with_tolerance(1e-13);
    let relaxed = relaxation.relax(total, start);
    // In f32 the last digit may go back and forth, magnified by the inverse step size.
    let residual = relaxed.info().residual;
    let limit = setup.tolerance.max(1e-12);
    assert!(
        residual <= limit,
        "{}, {scheme:?}: residual {residual:e}",
        setup.name
    );
    relaxed.state
}
