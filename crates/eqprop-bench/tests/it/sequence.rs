//! The Hamiltonian echo against backpropagation through the same steps.

use burn::tensor::{Device, Tensor};
use eqprop_bench::baseline::SequenceBptt;
use eqprop_core::cost::{AnyCost, CostConfig};
use eqprop_core::sequence::{
    CoupledOscillators, CoupledOscillatorsConfig, HamiltonianEcho, HamiltonianSystem,
    LeapfrogConfig,
};
use eqprop_testing::{
    Lists, Numbers, Setup, assert_agrees, filled, gradients_of, largest, relative_error, values,
};
use eqprop_train::batch::Batch;
use eqprop_train::sequence::{SequenceEstimator, SequenceNetwork, Supervision};

type Network = SequenceNetwork<CoupledOscillators, AnyCost>;

/// Systems of `sizes`, the first of which is the number of inputs, with parameters in `±scale`.
fn network(
    setup: &Setup,
    sizes: &[usize],
    cost: CostConfig,
    scale: f64,
    leapfrog: LeapfrogConfig,
) -> Network {
    let device = Device::flex();
    let systems = sizes.windows(2).map(|pair| {
        let config = CoupledOscillatorsConfig::new(pair[0], pair[1], pair[1] + 1);
        HamiltonianSystem::new(config.init(&device), leapfrog)
    });
    let n = sizes[sizes.len() - 1];
    let network = SequenceNetwork::new(systems.collect(), cost.init(n, n, &device));
    let (mut numbers, mut count) = (Numbers(3), 0);
    filled(network, setup, |n| {
        count += 1;
        // The fourth list of each system has its frequencies; those of a readout come after them.
        match count % 4 == 0 && count <= 4 * (sizes.len() - 1) {
            true => numbers.list(n, 0.5, 1.5),
            false => numbers.list(n, -scale, scale),
        }
    })
}

fn batch(
    setup: &Setup,
    n_inputs: usize,
    n_steps: usize,
    n_outputs: usize,
    n_targets: usize,
) -> Batch {
    const BATCH: usize = 2;
    let mut numbers = Numbers(5);
    let input = numbers.matrix(setup, [BATCH, n_steps * n_inputs], -1.0, 1.0);
    let classes: Vec<usize> = (0..BATCH * n_targets).map(|row| row % n_outputs).collect();
    let target: Tensor<2> = setup.one_hot(&classes, n_outputs);
    Batch::new(input, target.reshape([BATCH, n_targets * n_outputs]))
}

fn gradient(
    network: &Network,
    batch: &Batch,
    by: &impl SequenceEstimator<CoupledOscillators, AnyCost>,
) -> Lists {
    gradients_of(network, &by.estimate(network, batch).gradients)
}

#[test]
fn an_estimate_is_the_gradient_of_the_whole_network() {
    let leapfrog = LeapfrogConfig::new(0.2, 3);
    for (setup, epsilon, tolerance) in [
        (Setup::double(), 1e-7, 1e-11),
        (Setup::single(), 1e-4, 2e-5),
    ] {
        for sizes in [&[3, 5][..], &[3, 5, 4], &[2, 4, 3, 5]] {
            for cost in [CostConfig::SquaredError, CostConfig::CrossEntropy] {
                for (supervision, n_targets) in
                    [(Supervision::AtEnd, 1), (Supervision::AtEveryInput, 9)]
                {
                    let network =
                        network(&setup, sizes, cost, 0.7, leapfrog).with_supervision(supervision);
                    let batch = batch(&setup, sizes[0], 9, sizes[sizes.len() - 1], n_targets);
                    let expected = gradient(&network, &batch, &SequenceBptt);
                    let found = gradient(&network, &batch, &HamiltonianEcho::new(epsilon));
                    let what = format!("{} {sizes:?} {cost:?} {supervision:?}", setup.name);
                    assert_agrees(&found, &expected, tolerance, &what);
                    let shown = [
                        SequenceBptt.estimate(&network, &batch),
                        HamiltonianEcho::new(epsilon).estimate(&network, &batch),
                    ];
                    let costs = shown.each_ref().map(|shown| values(&shown.cost));
                    assert_eq!(costs[0], costs[1], "{what}");
                    assert!(shown[0].residual.is_none() && shown[1].residual.is_some());
                }
            }
        }
    }
}

/// Checks in both formats that the echo agrees with backpropagation in `f64`. The couplings are weak: with
/// couplings that make a system chaotic, rounding errors grow exponentially, and so does the gradient.
fn assert_retraced(n_steps: usize, bars: [f64; 2]) {
    let leapfrog = LeapfrogConfig::new(0.1, 1);
    let problem = |setup: &Setup| {
        let network = network(setup, &[2, 6], CostConfig::CrossEntropy, 0.3, leapfrog);
        (network, batch(setup, 2, n_steps, 6, 1))
    };
    let (exact, of_exact) = problem(&Setup::double());
    let expected = gradient(&exact, &of_exact, &SequenceBptt);
    let epsilons = [1e-6, 1e-3];
    for ((setup, epsilon), bar) in Setup::both().iter().zip(epsilons).zip(bars) {
        let (network, batch) = problem(setup);
        let estimate = HamiltonianEcho::new(epsilon).estimate(&network, &batch);
        let found = gradients_of(&network, &estimate.gradients);
        let residual = largest(&values(&estimate.residual.expect("an echo")));
        let error = relative_error(&found.concat(), &expected.concat());
        let what = format!("{}, {n_steps} steps: residual {residual:.1e}", setup.name);
        println!("{what}, error {error:.1e}");
        assert_agrees(&found, &expected, bar, &what);
    }
}

/// Rounding errors of states of order 1, once per step in random directions.
#[test]
fn a_thousand_steps_are_retraced_within_rounding() {
    assert_retraced(1000, [1e-11, 3e-5]);
}

#[test]
fn ten_thousand_steps_are_retraced_within_rounding() {
    assert_retraced(10_000, [1e-9, 1e-4]);
}
