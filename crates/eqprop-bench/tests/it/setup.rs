//! Number formats, small networks, and gradients as lists of numbers.

use burn::data::dataloader::DataLoader;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionConfig, ConnectionKind, InitializerConfig};
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::energy::{AnyField, HopfieldEnergy, HopfieldEnergyConfig, LayerConfig};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_train::batch::{Batch, BatchLoader, Order};
use eqprop_train::config::{
    DataConfig, NetworkConfig, OptimizerConfig, PhaseConfig, TrainingConfig,
};
use eqprop_train::data::{Dataset, DatasetKind};
use eqprop_train::network::EquilibriumNetwork;

use eqprop_bench::method::{Method, MethodOptions};

pub type Network = EquilibriumNetwork<AnyField, AnyCost>;

pub const COSTS: [CostConfig; 2] = [CostConfig::SquaredError, CostConfig::CrossEntropy];

/// A number format on the CPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    Double,
    Single,
}

impl Setup {
    pub const ALL: [Self; 2] = [Self::Double, Self::Single];

    pub fn dtype(self) -> DType {
        match self {
            Self::Double => DType::F64,
            Self::Single => DType::F32,
        }
    }

    pub fn tensor<const D: usize>(self, values: Vec<f64>, shape: [usize; D]) -> Tensor<D> {
        let data = TensorData::new(values, shape);
        Tensor::from_data(data, (&Device::flex(), self.dtype()))
    }

    /// One class per row.
    pub fn one_hot(self, classes: &[usize], n_classes: usize) -> Tensor<2> {
        let entry = |class: usize| (0..n_classes).map(move |c| f64::from(u8::from(c == class)));
        let entries = classes.iter().flat_map(|&class| entry(class)).collect();
        self.tensor(entries, [classes.len(), n_classes])
    }

    /// What an iteration that has come to rest changes at most: some roundings, magnified
    /// tenfold by the response of the network.
    pub fn tolerance(self) -> f64 {
        match self {
            Self::Double => 1e-14,
            Self::Single => 1e-6,
        }
    }

    /// A free phase that converges, with steps enough for every network here.
    pub fn free(self) -> Relaxation {
        Relaxation::steps(Scheme::Asynchronous, 2000).with_tolerance(self.tolerance())
    }
}

/// SplitMix64. The random numbers of a Burn device are one stream for all threads, and
/// tests run in several.
pub struct Numbers(pub u64);

impl Numbers {
    pub fn list(&mut self, n: usize, low: f64, high: f64) -> Vec<f64> {
        (0..n).map(|_| self.uniform(low, high)).collect()
    }

    fn uniform(&mut self, low: f64, high: f64) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        low + (high - low) * (z >> 11) as f64 / (1u64 << 53) as f64
    }
}

pub fn connection(from: usize, to: usize) -> ConnectionConfig {
    ConnectionConfig {
        from,
        to,
        kind: ConnectionKind::Dense,
        initializer: InitializerConfig::Glorot,
    }
}

/// A small network: its input and layers, and what joins them.
#[derive(Debug, Clone, Copy)]
pub struct Graph<'a> {
    pub sizes: &'a [usize],
    pub ends: &'a [(usize, usize)],
    pub hidden: Activation,
    pub output: Activation,
    pub cost: CostConfig,
}

impl Graph<'_> {
    pub fn energy(&self) -> HopfieldEnergy {
        let n = self.sizes.len() - 1;
        let layers = self.sizes[1..].iter().enumerate().map(|(index, &size)| {
            let is_output = index + 1 == n;
            let activation = if is_output { self.output } else { self.hidden };
            LayerConfig::new(size, activation)
        });
        let connections = self.ends.iter().map(|&(from, to)| connection(from, to));
        let (layers, connections) = (layers.collect(), connections.collect());
        HopfieldEnergyConfig::new(self.sizes[0].into(), layers, connections).init(&Device::flex())
    }

    fn n_outputs(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    /// The network with every parameter uniform in `±scale`; as many classes as outputs.
    pub fn network(&self, setup: Setup, scale: f64, seed: u64) -> Network {
        let n = self.n_outputs();
        let cost = self.cost.init(n, n, &Device::flex());
        let mut numbers = Numbers(seed);
        let network = EquilibriumNetwork::new(self.energy().into(), cost);
        filled(network, setup, |n| numbers.list(n, -scale, scale))
    }

    /// `n` inputs uniform in [0, 1] and classes in turn.
    pub fn batch(&self, setup: Setup, n: usize, seed: u64) -> Batch {
        let n_inputs = self.sizes[0];
        let input = Numbers(seed).list(n * n_inputs, 0.0, 1.0);
        let classes: Vec<usize> = (0..n).map(|row| row % self.n_outputs()).collect();
        Batch::new(
            setup.tensor(input, [n, n_inputs]),
            setup.one_hot(&classes, self.n_outputs()),
        )
    }
}

/// 64-16-10 with steps enough for a converged free phase; learns within a few epochs.
pub fn config() -> TrainingConfig {
    let (free_steps, nudged_steps) = (15, 6);
    TrainingConfig::new(
        DataConfig::new(DatasetKind::Digits),
        NetworkConfig::new(vec![16.into()])
            .with_output_activation(Activation::Identity)
            .with_initializer(InitializerConfig::FanIn { gain: 0.5 }),
        PhaseConfig::new(Nudging::Centered { beta: 0.5 }, free_steps, nudged_steps),
        OptimizerConfig::new(vec![0.1, 0.02]),
        8,
        3,
    )
}

/// `config` with layers that `method` can do with.
pub fn suited(mut config: TrainingConfig, method: Method) -> TrainingConfig {
    let network = &mut config.network;
    if method == Method::Holomorphic {
        network.hidden_activation = Activation::Tanh;
        if network.output_activation == Activation::HardSigmoid {
            network.output_activation = Activation::Sigmoid;
        }
    }
    config
}

/// Options with which every method learns: a single direction tells next to nothing of a thousand.
pub fn options() -> MethodOptions {
    let mut options = MethodOptions::default();
    options.weight_perturbation.n_draws = 256;
    options
}

/// The digits, cut to the first `n_train` and `n_test` examples.
pub fn digits(n_train: usize, n_test: usize) -> Dataset {
    let digits = Dataset::load(DatasetKind::Digits, None).expect("the digits are built in");
    let (train, test) = (digits.train.take(n_train), digits.test.take(n_test));
    Dataset::new(digits.kind, train, test)
}

/// The first `n` digits as one batch.
pub fn batch_of_digits(n: usize) -> Batch {
    let digits = digits(n, 0).train;
    let batches = BatchLoader::new(&digits, n, Order::Sequential, &Device::flex());
    let batch = batches.iter().next().expect("one batch");
    batch.expect("in memory")
}

/// `module` with the numbers of every parameter, in the order of its fields, replaced.
pub fn filled<M: Module>(module: M, setup: Setup, fill: impl FnMut(usize) -> Vec<f64>) -> M {
    module.map(&mut Fill { setup, fill })
}

struct Fill<F> {
    setup: Setup,
    fill: F,
}

impl<F: FnMut(usize) -> Vec<f64>> ModuleMapper for Fill<F> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape();
        let data = TensorData::new((self.fill)(shape.num_elements()), shape);
        let options = (&Device::flex(), self.setup.dtype());
        // A parameter made anew from a plain tensor would stay frozen on autodiff.
        param.map(|_| Tensor::from_data(data, options))
    }
}

/// The numbers of a tensor, row by row.
pub fn values<const D: usize>(tensor: &Tensor<D>) -> Vec<f64> {
    tensor.clone().into_data().iter::<f64>().collect()
}

/// One list of numbers per parameter, in the order of the fields.
pub type Lists = Vec<Vec<f64>>;

/// The numbers of every parameter.
pub fn parameters<M: Module>(module: &M) -> Lists {
    struct Visitor(Lists);

    impl ModuleVisitor for Visitor {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.0.push(values(&parameter.val().without_autodiff()));
        }
    }

    let mut visitor = Visitor(Vec::new());
    module.visit(&mut visitor);
    visitor.0
}

/// The gradient of every parameter, each of which must have one of its shape and number format,
/// outside autodiff.
pub fn gradients_of<M: Module>(module: &M, gradients: &GradientsParams) -> Lists {
    struct Visitor<'a>(&'a GradientsParams, Lists);

    impl ModuleVisitor for Visitor<'_> {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            let gradient: Option<Tensor<D>> = self.0.get(parameter.id);
            let gradient = gradient.expect("every parameter has a gradient");
            assert_eq!(gradient.shape(), parameter.lazy_shape());
            assert_eq!(gradient.dtype(), parameter.val().dtype());
            assert!(!gradient.is_autodiff() && !gradient.is_require_grad());
            self.1.push(values(&gradient));
        }
    }

    let mut visitor = Visitor(gradients, Vec::new());
    module.visit(&mut visitor);
    assert_eq!(gradients.len(), visitor.1.len());
    visitor.1
}

/// `‖found − expected‖ / ‖expected‖` over all numbers.
pub fn relative_error(found: &Lists, expected: &Lists) -> f64 {
    let (found, expected) = (found.concat(), expected.concat());
    assert_eq!(found.len(), expected.len());
    let norm = |squares: &mut dyn Iterator<Item = f64>| squares.sum::<f64>().sqrt();
    let pairs = || found.iter().zip(&expected);
    norm(&mut pairs().map(|(a, b)| (a - b).powi(2))) / norm(&mut expected.iter().map(|b| b * b))
}

/// That `found` is within `tolerance` of `expected`, relative to its norm, and that it would be
/// ten times further away if the gradient of any one parameter (but one that is 0, below clipped
/// units) had the other sign.
#[track_caller]
pub fn assert_agrees(found: &Lists, expected: &Lists, tolerance: f64, what: &str) {
    let off = relative_error(found, expected);
    assert!(
        off <= tolerance,
        "{what}: off by {off:e}, allowed {tolerance:e}"
    );
    let with_gradient = |index: &usize| expected[*index].iter().any(|g| *g != 0.0);
    for index in (0..found.len()).filter(with_gradient) {
        let mut flipped = found.clone();
        flipped[index].iter_mut().for_each(|g| *g = -*g);
        let off = relative_error(&flipped, expected);
        assert!(
            off > 10.0 * tolerance,
            "{what}: with parameter {index} flipped off by {off:e} only, allowed {tolerance:e}"
        );
    }
}
