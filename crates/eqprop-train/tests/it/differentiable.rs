//! The drives are differentiable in both directions of every connection: what backpropagation
//! through time goes through. In `f64`, against differences.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor};
use eqprop_core::activation::Activation;
use eqprop_core::connection::{
    ConnectionConfig, ConnectionKind, ConvolutionConfig, InitializerConfig, Pooling,
};
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, VectorField};
use eqprop_core::shape::LayerShape;
use eqprop_core::state::State;
use eqprop_testing::{Setup, distance, filled_with, largest, parameters, sines, values};

const BATCH: usize = 2;

/// A convolution from the input and between free layers, a dense layer on top.
fn config(convolution: ConvolutionConfig) -> HopfieldEnergyConfig {
    let below = LayerShape::Maps([2, 5, 5]);
    let output = convolution.output([5, 5]);
    let [rows, columns] = output.expect("the maps fit the kernel");
    let above = LayerShape::Maps([3, rows, columns]);
    let layers = [below, above, 2.into()].map(|maps| LayerConfig::new(maps, Activation::Tanh));
    let joined = |from, to, kind| ConnectionConfig {
        from,
        to,
        kind,
        initializer: InitializerConfig::Glorot,
    };
    let connections = vec![
        joined(0, 1, ConnectionKind::Identity),
        joined(0, 2, ConnectionKind::Convolution(convolution)),
        joined(1, 2, ConnectionKind::Convolution(convolution)),
        joined(2, 3, ConnectionKind::Dense),
    ];
    HopfieldEnergyConfig::new(below, layers.to_vec(), connections)
}

/// A network in `f64`, its input and free layers, as lists of numbers: one per layer, then one
/// per parameter.
struct Problem {
    energy: HopfieldEnergy,
    lists: Vec<Vec<f64>>,
}

const N_LAYERS: usize = 4;

impl Problem {
    fn new(config: &HopfieldEnergyConfig) -> Self {
        let energy = config.init(&Device::flex());
        let free = config.layers.iter().map(LayerConfig::n_units);
        let layers = [config.input.n_units()].into_iter().chain(free);
        let parameters = parameters(&energy).into_iter().map(|list| list.len());
        let lengths = layers.map(|n| BATCH * n).chain(parameters);
        // With these no two values of a window come close.
        let lists = lengths.map(sines(1.0)).collect();
        Self { energy, lists }
    }

    fn layers(&self) -> Vec<Tensor<2>> {
        let layers = self.lists[..N_LAYERS].iter();
        layers
            .map(|list| Setup::double().tensor(list.clone(), [BATCH, list.len() / BATCH]))
            .collect()
    }

    fn energy(&self) -> HopfieldEnergy {
        let numbers = self.lists[N_LAYERS..].concat();
        filled_with(self.energy.clone(), &Setup::double(), &numbers)
    }

    /// The slope of the loss in every number, by central differences: off by some ε² of
    /// truncation and 1e-13/ε of rounding.
    fn differences(&mut self) -> Vec<Vec<f64>> {
        let epsilon = 1e-5;
        let mut slopes = Vec::new();
        for list in 0..self.lists.len() {
            let mut of_list = Vec::new();
            for entry in 0..self.lists[list].len() {
                let number = self.lists[list][entry];
                let mut at = |moved: f64| {
                    self.lists[list][entry] = moved;
                    loss(&self.energy(), &self.layers()).into_scalar::<f64>()
                };
                of_list.push((at(number + epsilon) - at(number - epsilon)) / (2.0 * epsilon));
                self.lists[list][entry] = number;
            }
            slopes.push(of_list);
        }
        slopes
    }
}

/// The sum of the squares of all drives. `layers` starts with the input.
fn loss(energy: &HopfieldEnergy, layers: &[Tensor<2>]) -> Tensor<1> {
    let (input, free) = layers.split_first().expect("the input");
    let clamped = energy.clamp(input);
    let state = State::new(free.to_vec());
    let squares = (0..free.len()).map(|layer| {
        let drive = energy.drive(layer, &clamped, &state);
        (drive.clone() * drive).sum()
    });
    squares.reduce(|a, b| a + b).expect("free layers")
}

/// The gradient of each parameter, in the order of the fields.
fn gradients_of(energy: &HopfieldEnergy, gradients: &Gradients) -> Vec<Vec<f64>> {
    struct Lists<'a>(&'a Gradients, Vec<Vec<f64>>);

    impl ModuleVisitor for Lists<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = param.val().grad(self.0).expect("a gradient");
            self.1.push(values(&gradient));
        }
    }

    let mut lists = Lists(gradients, vec![]);
    energy.visit(&mut lists);
    lists.1
}

fn assert_close(found: &[Vec<f64>], expected: &[Vec<f64>], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        let largest = largest(expected);
        assert!(largest > 0.1, "{what}: nothing to compare");
        let distance = distance(found, expected);
        assert!(
            distance <= 1e-6,
            "{what}: off by {distance:e} of {largest:e}"
        );
    }
}

/// For parameters and layers that are both on autodiff, and for either held constant.
#[test]
fn the_gradient_of_the_drives_is_their_slope() {
    let strided = ConvolutionConfig::new(2).with_stride(3).with_padding(1);
    for kernel in [ConvolutionConfig::new(2), strided] {
        for pooling in [Pooling::None, Pooling::Max(2), Pooling::Average(2)] {
            let convolution = kernel.with_pooling(pooling);
            let mut problem = Problem::new(&config(convolution));
            let expected = problem.differences();
            let (of_layers, of_parameters) = expected.split_at(N_LAYERS);
            let plain = problem.layers();
            let leaves = plain.iter().cloned();
            let leaves: Vec<_> = leaves.map(|s| s.autodiff().require_grad()).collect();
            let in_training = problem.energy().train();

            let gradients = loss(&in_training, &leaves).backward();
            let to_lists = |gradients: &Gradients| {
                let gradient = |leaf: &Tensor<2>| leaf.grad(gradients).expect("a gradient");
                let lists = leaves.iter().map(|leaf| values(&gradient(leaf)));
                lists.collect::<Vec<_>>()
            };
            let what = format!("{convolution:?}");
            assert_close(&to_lists(&gradients), of_layers, &what);
            assert_close(
                &gradients_of(&in_training, &gradients),
                of_parameters,
                &what,
            );

            let what = format!("constant parameters, {convolution:?}");
            let gradients = loss(&problem.energy(), &leaves).backward();
            assert_close(&to_lists(&gradients), of_layers, &what);

            let what = format!("constant layers, {convolution:?}");
            let gradients = loss(&in_training, &plain).backward();
            assert_close(
                &gradients_of(&in_training, &gradients),
                of_parameters,
                &what,
            );
        }
    }
}
