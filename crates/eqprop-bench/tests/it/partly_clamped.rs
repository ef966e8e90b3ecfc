//! Gradients of networks with a partly clamped visible layer, clamped differently in each example.

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{Cost, SquaredError};
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, PartlyClamped};
use eqprop_core::nudging::Nudging;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;

use eqprop_bench::baseline::{Bptt, ImplicitExact, RecurrentBackprop};
use eqprop_testing::{
    Lists, Numbers, Setup, assert_agrees, connection, gradients_of, network, parameter_differences,
};

type Network = EquilibriumNetwork<PartlyClamped<HopfieldEnergy>, SquaredError>;

/// Four examples in which a half, the other half, a single unit, and all units but one are known.
const KNOWN: [[bool; 4]; 4] = [
    [true, true, false, false],
    [false, false, true, true],
    [false, true, false, false],
    [true, true, true, false],
];

/// Hidden units below the visible layer, which also has connections within itself.
fn problem(setup: &Setup) -> (Network, Batch) {
    let layers = vec![
        LayerConfig::new(3, Activation::Sigmoid),
        LayerConfig::new(4, Activation::Tanh),
    ];
    let connections = vec![connection(1, 2), connection(2, 2)];
    let config = HopfieldEnergyConfig::new(1.into(), layers, connections);
    let energy = PartlyClamped::new(network(&config, setup, 0.7, 1), [1]);
    let whole = Numbers(2).matrix(setup, [4, 4], -0.9, 0.9);
    let known = KNOWN.as_flattened().iter();
    let mask = known.map(|known| if *known { 0.0 } else { f64::NAN });
    let input = whole.clone() + setup.tensor(mask.collect(), [4, 4]);
    (
        EquilibriumNetwork::new(energy, SquaredError),
        Batch::new(input, whole),
    )
}

fn gradients(
    estimator: &dyn GradientEstimator<PartlyClamped<HopfieldEnergy>, SquaredError>,
    (network, batch): &(Network, Batch),
) -> Lists {
    let estimate = estimator.estimate(network, batch, None);
    gradients_of(network, &estimate.gradients)
}

fn propagation(setup: &Setup, beta: f64) -> EquilibriumPropagation {
    EquilibriumPropagation::new(Nudging::Centered { beta }, setup.free(), setup.free())
}

/// The cost is that of the free units at their equilibrium, which moves with the parameters. Truncation and
/// rounding errors of the differences are 1e-9.
#[test]
fn the_gradient_is_the_slope_of_the_cost_of_what_is_not_known() {
    let setup = &Setup::double();
    let problem = problem(setup);
    let (network, batch) = &problem;
    let exact = ImplicitExact { free: setup.free() };
    let expected = parameter_differences(network, 1e-5, |network| {
        let relaxed = exact.infer(network, &batch.input, None);
        let output = relaxed.state.output();
        let cost = network.cost.value(output, &batch.target);
        cost.mean().into_scalar::<f64>()
    });
    let recurrent = RecurrentBackprop {
        free: setup.free(),
        costate: setup.free().stopping,
    };
    let through_time = Bptt::new(setup.free());
    let agrees = |found: Lists, tolerance: f64, what: &str| {
        assert_agrees(&found, &expected, tolerance, what);
    };
    agrees(gradients(&exact, &problem), 1e-7, "exact");
    agrees(gradients(&recurrent, &problem), 1e-7, "rbp");
    agrees(gradients(&through_time, &problem), 1e-7, "bptt");
    // β² times a third derivative of order 1.
    let found = gradients(&propagation(setup, 1e-3), &problem);
    agrees(found, 1e-5, "equilibrium propagation");
}

/// At β = 0.01 the error is the 1e-4 of β² and the 1e-4 of [`Setup::gradient_tolerance`].
#[test]
fn equilibrium_propagation_has_this_gradient_in_single_precision_too() {
    let setup = &Setup::single();
    let problem = problem(setup);
    let expected = gradients(&ImplicitExact { free: setup.free() }, &problem);
    let found = gradients(&propagation(setup, 1e-2), &problem);
    assert_agrees(&found, &expected, 1e-3, "single precision");
}

/// A unit clamped to its target has no cost and is not nudged; one clamped to another value has a cost, but
/// cannot be moved.
#[test]
fn what_is_clamped_has_no_part_in_the_gradient_of_its_own_cost() {
    let setup = &Setup::double();
    let (network, batch) = problem(setup);
    let is_free = batch.input.clone().is_nan();
    let elsewhere = batch.target.clone() * -0.5;
    let elsewhere = elsewhere.mask_where(is_free, batch.target.clone());
    let of = |target: Tensor<2>| {
        let batch = Batch::new(batch.input.clone(), target);
        let estimate = propagation(setup, 1e-2).estimate(&network, &batch, None);
        let cost = estimate.cost.mean().into_scalar::<f64>();
        (gradients_of(&network, &estimate.gradients), cost)
    };
    let ((here, cost), (there, more)) = (of(batch.target.clone()), of(elsewhere));
    assert_eq!(here, there);
    assert!(more > cost + 0.01, "{more} {cost}");
}
