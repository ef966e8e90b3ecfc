//! The estimator against gradients assembled by hand from the core.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use eqprop_core::cost::{AnyCost, Cost, CostConfig};
use eqprop_core::energy::{AnyField, TotalEnergy, VectorField};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{COSTS, HopfieldNetwork, batch, config, distance, gradients_in, gradients_of};
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{EquilibriumPropagation, Estimate, GradientEstimator};
use eqprop_train::network::EquilibriumNetwork;

const BETA: f64 = 0.5;

/// Both sides are the same sums of some 20 products of order 1 in `f32` (6e-8 each), divided by
/// β = 0.5; the two signs of a centered estimate run as one batch, which reorders the sums.
const TOLERANCE: f64 = 1e-5;

fn network(cost: CostConfig) -> HopfieldNetwork {
    let mut config = config();
    config.network.cost = cost;
    let EquilibriumNetwork { energy, cost, .. } = config.network(&Device::flex());
    let AnyField::Hopfield(energy) = energy else {
        panic!("a Hopfield network");
    };
    EquilibriumNetwork::new(energy, cost)
}

fn phase() -> Relaxation {
    Relaxation::steps(Scheme::Asynchronous, 40)
}

fn estimator(nudging: Nudging) -> EquilibriumPropagation {
    EquilibriumPropagation::new(nudging, phase(), phase())
}

fn estimated(network: &HopfieldNetwork, estimate: &Estimate) -> Vec<f64> {
    gradients_of(network, &estimate.gradients).concat()
}

/// `1/(β₁ − β₂) · mean[∂E/∂θ(s^β₁) − ∂E/∂θ(s^β₂)]` of separately relaxed states, and `∂C/∂θ` at
/// the free state for the readout.
fn by_hand(network: &HopfieldNetwork, batch: &Batch, first: f64, second: f64) -> Vec<f64> {
    let (energy, cost, input) = (&network.energy, &network.cost, &batch.input);
    let clamped = energy.clamp(input);
    let total = TotalEnergy::<_, AnyCost>::free(energy, &clamped);
    let free = phase().relax(&total, energy.rest(input)).state;
    let at = |beta: f64| -> State {
        if beta == 0.0 {
            return free.clone();
        }
        let beta = Tensor::from_data([[beta]], &input.device());
        let total = TotalEnergy::nudged(energy, &clamped, cost, &batch.target, beta);
        phase().relax(&total, free.clone()).state
    };
    let scale = 1.0 / (first - second);
    let mut gradients = energy.contrast(&energy.clamp(input), &at(first), &at(second), scale);
    cost.gradients(free.output(), &batch.target, &mut gradients);
    gradients_in(network, &gradients).concat()
}

#[test]
fn estimates_are_contrasts_of_separately_relaxed_states() {
    let batch = batch(12);
    for cost in COSTS {
        let network = network(cost);
        let cases = [
            (
                Nudging::OneSided { beta: BETA },
                by_hand(&network, &batch, BETA, 0.0),
            ),
            (
                Nudging::OneSided { beta: -BETA },
                by_hand(&network, &batch, -BETA, 0.0),
            ),
            (
                Nudging::Centered { beta: BETA },
                by_hand(&network, &batch, BETA, -BETA),
            ),
        ];
        for (index, (nudging, expected)) in cases.iter().enumerate() {
            let estimate = estimator(*nudging).estimate(&network, &batch, None);
            let found = estimated(&network, &estimate);
            let off = distance(&found, expected);
            assert!(off <= TOLERANCE, "{cost:?}, {nudging:?}: {off:e}");
            // Neither another nudging nor the wrong sign passes for it.
            for (other, expected) in &cases[index + 1..] {
                let apart = distance(&found, expected);
                assert!(
                    apart > 100.0 * TOLERANCE,
                    "{nudging:?}, {other:?}: {apart:e}"
                );
            }
            let flipped: Vec<f64> = found.iter().map(|g| -g).collect();
            let apart = distance(&flipped, expected);
            assert!(apart > 1e4 * TOLERANCE, "{nudging:?} flipped: {apart:e}");
        }
    }
}

#[test]
fn a_random_sign_estimate_is_one_of_the_two_one_sided_estimates() {
    let batch = batch(12);
    for cost in COSTS {
        let network = network(cost);
        let estimator = estimator(Nudging::RandomSign { beta: BETA });
        let expected = [BETA, -BETA].map(|beta| by_hand(&network, &batch, beta, 0.0));
        let mut seen = [false; 2];
        for _ in 0..12 {
            let estimate = estimator.estimate(&network, &batch, None);
            let found = estimated(&network, &estimate);
            // `sign` reads the state alone, so the gradient must be divided by the same sign.
            let which = usize::from(!sign(&network, &batch, &estimate));
            let off = distance(&found, &expected[which]);
            assert!(off <= TOLERANCE, "{cost:?}: {off:e}");
            assert!(distance(&found, &expected[1 - which]) > 100.0 * TOLERANCE);
            seen[which] = true;
        }
        assert_eq!(seen, [true; 2]);
    }
}

/// Whether β was positive: the nudge then lowered the cost.
fn sign(network: &HopfieldNetwork, batch: &Batch, estimate: &Estimate) -> bool {
    let nudged = estimate.second_phase.as_ref().expect("a nudged phase");
    let nudged = network.cost.value(nudged.state.output(), &batch.target);
    nudged.mean().into_scalar::<f64>() < estimate.cost.clone().mean().into_scalar::<f64>()
}

#[test]
fn random_signs_are_a_function_of_seed_and_count() {
    let (network, batch) = (network(CostConfig::SquaredError), batch(2));
    let short = || Relaxation::steps(Scheme::Asynchronous, 2);
    let nudging = Nudging::RandomSign { beta: BETA };
    let with_seed = |seed| EquilibriumPropagation::new(nudging, short(), short()).with_seed(seed);
    let draw = |estimator: &EquilibriumPropagation, n: usize| -> Vec<bool> {
        let estimates = (0..n).map(|_| estimator.estimate(&network, &batch, None));
        estimates
            .map(|estimate| sign(&network, &batch, &estimate))
            .collect()
    };

    let estimator = with_seed(3);
    let signs = draw(&estimator, 200);
    let n_positive = signs.iter().filter(|&&positive| positive).count();
    // 200 fair draws have a standard deviation of 7.
    assert!((70..=130).contains(&n_positive), "{n_positive} of 200");

    let resume = |estimator: &EquilibriumPropagation, n| {
        GradientEstimator::<eqprop_core::energy::HopfieldEnergy, AnyCost>::resume(estimator, n);
    };
    resume(&estimator, 50);
    assert_eq!(draw(&estimator, 20), signs[50..70]);
    // Clones go on together, as Burn's learner needs, and a new estimator can be resumed.
    assert_eq!(draw(&estimator.clone(), 20), signs[70..90]);
    assert_eq!(draw(&estimator, 20), signs[90..110]);
    let fresh = with_seed(3);
    resume(&fresh, 110);
    assert_eq!(draw(&fresh, 20), signs[110..130]);
    assert_ne!(draw(&with_seed(4), 200), signs);
}

#[test]
fn an_estimate_on_an_autodiff_device_is_outside_autodiff() {
    for cost in COSTS {
        let plain = network(cost);
        let network = plain.clone().train();
        let on_autodiff = batch(4);
        let on_autodiff = Batch::new(on_autodiff.input.autodiff(), on_autodiff.target.autodiff());
        let nudging = Nudging::Centered { beta: BETA };
        let estimate = estimator(nudging).estimate(&network, &on_autodiff, None);

        // `estimated` looks at each gradient.
        let found = estimated(&network, &estimate);
        let expected = estimator(nudging).estimate(&plain, &batch(4), None);
        assert_eq!(found, estimated(&plain, &expected));
        let energy = estimate.energy.as_ref().expect("an energy");
        for tensor in [energy, &estimate.cost, &estimate.free.residual] {
            assert!(!tensor.is_autodiff() && !tensor.is_require_grad());
        }
        assert!(!estimate.scores.is_autodiff());
        let nudged = estimate.second_phase.as_ref().expect("a nudged phase");
        let states = [&estimate.free.state, &nudged.state];
        for layer in states.into_iter().flat_map(State::layers) {
            assert!(!layer.is_autodiff());
        }

        // What these checks would see: the parameters do lie on autodiff, and relaxing them
        // as they are drags the state along.
        assert!(network.energy.biases[0].val().is_require_grad());
        let relaxed = estimator(nudging).infer(&network, &on_autodiff.input, None);
        assert!(relaxed.state.output().is_autodiff() && relaxed.state.output().is_tracked());
    }
}
