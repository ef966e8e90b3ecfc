//! The feedforward twin against layers of Burn itself, and against finite differences.

use burn::module::Module;
use burn::nn::loss::{CrossEntropyLossConfig, MseLoss, Reduction};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, activation};
use eqprop_core::activation::Activation;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::VectorField;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::GradientEstimator;
use eqprop_train::initial_state::InitialState;

use eqprop_bench::baseline::FeedforwardBackprop;
use eqprop_testing::{
    COSTS, Graph, Lists, Setup, assert_agrees, filled, gradients_of, parameters, values,
};

use crate::finite_differences::differences;

const CHAIN: [(usize, usize); 3] = [(0, 1), (1, 2), (2, 3)];

const GRAPH: Graph<'static> = Graph {
    sizes: &[5, 7, 6, 4],
    ends: &CHAIN,
    hidden: Activation::HardSigmoid,
    output: Activation::HardSigmoid,
    cost: CostConfig::SquaredError,
};

/// A network as one writes it in Burn; with the cross-entropy cost the last layer is a readout.
#[derive(Module, Debug)]
struct Layers {
    layers: Vec<Linear>,
}

impl Layers {
    /// Copies the parameters of an equilibrium network: weights, biases, and those of a readout.
    fn new(sizes: &[usize], parameters: Lists, setup: &Setup) -> Self {
        let sizes = sizes.windows(2);
        let layers = sizes.map(|size| LinearConfig::new(size[0], size[1]).init(&Device::flex()));
        let layers = Self {
            layers: layers.collect(),
        };
        let order = order(layers.layers.len()).into_iter();
        let mut parameters = order.map(|index| parameters[index].clone());
        let next = |_| parameters.next().expect("a list per parameter");
        filled(layers, setup, next).train()
    }

    /// The drive of the last layer.
    fn forward(&self, input: Tensor<2>, respond: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("a layer");
        let through = |value: Tensor<2>, layer: &Linear| respond(layer.forward(value));
        last.forward(hidden.iter().fold(input, through))
    }
}

/// For each parameter of `n_layers` [`Layers`] (weight and bias in turn), the index of its list in an
/// equilibrium network (weights, then biases, then readout weight and bias).
fn order(n_layers: usize) -> Vec<usize> {
    let n_free = GRAPH.ends.len();
    let free = (0..n_free).flat_map(|layer| [layer, n_free + layer]);
    free.chain(2 * n_free..2 * n_layers).collect()
}

fn respond(activation: Activation) -> impl Fn(Tensor<2>) -> Tensor<2> {
    move |drive| match activation {
        Activation::HardSigmoid => drive.clamp(0.0, 1.0),
        Activation::Sigmoid => activation::sigmoid(drive * 4.0 - 2.0),
        Activation::Identity => drive,
        _ => unreachable!("not tested here"),
    }
}

/// Cost, scores and gradient of the hand-written network, in the order of the equilibrium
/// network's parameters.
fn by_hand(
    graph: &Graph<'_>,
    parameters: Lists,
    batch: &Batch,
    setup: &Setup,
) -> (f64, Vec<f64>, Lists) {
    let mut sizes = graph.sizes.to_vec();
    if graph.cost == CostConfig::CrossEntropy {
        sizes.push(sizes[sizes.len() - 1]);
    }
    let layers = Layers::new(&sizes, parameters, setup);
    let (input, target) = (batch.input.clone(), batch.target.clone());
    let last = layers.forward(input, respond(graph.hidden));
    let loss = match graph.cost {
        CostConfig::SquaredError => {
            let output = respond(graph.output)(last.clone());
            let n = output.dims()[0] as f64;
            MseLoss::new().forward(output, target, Reduction::Sum) * (0.5 / n)
        }
        CostConfig::CrossEntropy => {
            let loss = CrossEntropyLossConfig::new().init(&Device::flex());
            loss.forward(last.clone(), target.argmax(1).squeeze_dim(1))
        }
        CostConfig::PhaseError => unreachable!("oscillators have no feedforward twin"),
    };
    let cost = loss.clone().into_scalar::<f64>();
    let scores = values(&last.without_autodiff());
    let gradients = GradientsParams::from_grads(loss.backward(), &layers);
    let found = gradients_of(&layers, &gradients);
    let mut lists = vec![Vec::new(); found.len()];
    for (index, list) in order(layers.layers.len()).into_iter().zip(found) {
        lists[index] = list;
    }
    (cost, scores, lists)
}

#[test]
fn it_is_backpropagation_through_burns_own_layers() {
    for setup in &Setup::both() {
        // Sums of the same ten products of order 1, in whatever order.
        let tolerance = setup.choose(1e-14, 1e-6);
        for hidden in [Activation::HardSigmoid, Activation::Sigmoid] {
            for (cost, output) in [
                (CostConfig::SquaredError, hidden),
                (CostConfig::SquaredError, Activation::Identity),
                (CostConfig::CrossEntropy, hidden),
            ] {
                let graph = Graph {
                    hidden,
                    output,
                    cost,
                    ..GRAPH
                };
                let what = format!("{hidden:?}, {output:?}, {cost:?}, {}", setup.name);
                let network = graph.network(setup, 0.8, 1);
                let batch = graph.batch(setup, 6, 2);
                let estimate = FeedforwardBackprop.estimate(&network, &batch, None);
                let (cost, scores, expected) = by_hand(&graph, parameters(&network), &batch, setup);

                let found = gradients_of(&network, &estimate.gradients);
                assert_agrees(&found, &expected, tolerance, &what);
                let close = |found: &[f64], expected: &[f64]| {
                    assert_eq!(found.len(), expected.len());
                    let mut pairs = found.iter().zip(expected);
                    pairs.all(|(a, b)| (a - b).abs() <= tolerance)
                };
                let found = estimate.cost.mean().into_scalar::<f64>();
                assert!(close(&[found], &[cost]), "{what}: {found} and {cost}");
                let found = values(&estimate.scores);
                assert!(close(&found, &scores), "{what}: {found:?} and {scores:?}");

                // One pass, and the same one for an inference.
                let info = estimate.free.info();
                assert_eq!((info.n_steps, info.residual), (1, 0.0));
                assert!(estimate.second_phase.is_none());
                let inferred = FeedforwardBackprop.infer(&network, &batch.input, None);
                let difference = inferred.state.max_distance(&estimate.free.state);
                assert!(close(&values(&difference), &[0.0; 6]), "{what}");
            }
        }
    }
}

/// With a skip connection too: connections into a layer come from the layers before it.
#[test]
fn it_is_where_free_phases_with_a_feedforward_start_begin() {
    for setup in &Setup::both() {
        for hidden in [Activation::HardSigmoid, Activation::Sigmoid] {
            for ends in [&CHAIN[..], &[(2, 3), (0, 1), (1, 3), (1, 2)]] {
                let graph = Graph {
                    ends,
                    hidden,
                    ..GRAPH
                };
                let network = graph
                    .network(setup, 0.8, 1)
                    .with_start(InitialState::Feedforward);
                let input = graph.batch(setup, 6, 2).input;
                let start = network.start(&input, &network.energy.clamp(&input));
                let pass = FeedforwardBackprop.infer(&network, &input, None).state;
                let difference = values(&start.max_distance(&pass));
                // Sums of the same terms in another order.
                let tolerance = setup.choose(1e-14, 1e-6);
                assert!(difference.iter().all(|&d| d <= tolerance), "{difference:?}");
            }
        }
    }
}

/// With skip connections, and connections in no particular order.
#[test]
fn its_gradient_is_the_slope_of_its_cost() {
    let setup = &Setup::double();
    let ends = [(2, 3), (0, 1), (1, 3), (1, 2), (0, 3)];
    for cost in COSTS {
        for hidden in [Activation::HardSigmoid, Activation::Tanh] {
            let graph = Graph {
                ends: &ends,
                hidden,
                cost,
                ..GRAPH
            };
            let network = graph.network(setup, 0.8, 3);
            let batch = graph.batch(setup, 6, 4);
            let found = FeedforwardBackprop
                .estimate(&network, &batch, None)
                .gradients;
            let found = gradients_of(&network, &found);
            let expected = differences(&network, 1e-5, |network| {
                let state = FeedforwardBackprop.infer(network, &batch.input, None).state;
                (state, batch.target.clone())
            });
            // ε = 1e-5: 1e-10 of truncation, 1e-16/ε of rounding.
            assert_agrees(&found, &expected, 1e-8, &format!("{cost:?}, {hidden:?}"));
        }
    }
}

/// A layer without outgoing connections has a gradient, because an optimizer must be given all gradients.
#[test]
fn a_layer_that_the_cost_does_not_depend_on_gets_a_gradient_of_zero() {
    let graph = Graph {
        ends: &[(0, 1), (0, 2), (2, 3)],
        ..GRAPH
    };
    let network = graph.network(&Setup::double(), 0.8, 7);
    let batch = graph.batch(&Setup::double(), 6, 8);
    let estimate = FeedforwardBackprop.estimate(&network, &batch, None);
    let found = gradients_of(&network, &estimate.gradients);
    let is_zero = found.iter().map(|list| list.iter().all(|g| *g == 0.0));
    let expected = [true, false, false, true, false, false];
    assert_eq!(is_zero.collect::<Vec<_>>(), expected);
}

#[test]
fn a_network_with_feedback_has_no_twin() {
    let input = GRAPH.batch(&Setup::double(), 2, 6).input;
    let has_twin = |ends: &[(usize, usize)]| {
        let network = Graph { ends, ..GRAPH }.network(&Setup::double(), 0.8, 5);
        network.energy.twin(&input).is_ok()
    };
    assert!(has_twin(&CHAIN));
    assert!(has_twin(&[(2, 3), (0, 1), (1, 2), (0, 3)]));
    // Backward, and within a layer.
    assert!(!has_twin(&[(0, 1), (2, 1), (2, 3)]));
    assert!(!has_twin(&[(0, 1), (1, 2), (2, 2), (2, 3)]));
}

#[test]
#[should_panic(expected = "the connections are [(0, 1), (2, 1), (2, 3)]")]
fn without_a_twin_the_connections_are_named() {
    let graph = Graph {
        ends: &[(0, 1), (2, 1), (2, 3)],
        ..GRAPH
    };
    let network = graph.network(&Setup::double(), 0.8, 5);
    FeedforwardBackprop.infer(&network, &graph.batch(&Setup::double(), 2, 6).input, None);
}
