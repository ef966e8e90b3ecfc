//! Nudged phases of a predictive coding network as one computation against the same phases step by
//! step, and the gradients that follow from them.

use eqprop_core::activation::Activation;
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{HopfieldEnergyConfig, LayerUpdate, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Relaxed, Scheme};
use eqprop_testing::{Numbers, Setup, assert_close, chain, distance, gradients_in, values};

use super::Problem;
use crate::fused::list;

const STEPS: [usize; 3] = [1, 2, 5];

/// Chains of one to four layers, some wider than the panels of a product, and one so wide that Burn adds
/// up its products in another order.
fn chains() -> Vec<HopfieldEnergyConfig> {
    let activations = [
        Activation::Relu,
        Activation::HardSigmoid,
        Activation::ClippedRelu { max: 0.4 },
        Activation::Identity,
    ];
    let sizes: [&[usize]; 3] = [&[3, 4], &[3, 60, 4], &[3, 20, 700, 9, 4]];
    let all = sizes.iter().flat_map(|sizes| {
        activations.map(|activation| {
            let mut config = chain(sizes, activation);
            // Of one layer the output is clipped too.
            if sizes.len() > 2 {
                let output = config.layers.last_mut().expect("a chain has a layer");
                output.activation = Activation::Identity;
            }
            config
        })
    });
    all.collect()
}

/// The nudged phase of both signs of β as one batch, and the gradient of the two.
fn nudged(
    config: &HopfieldEnergyConfig,
    setup: &Setup,
    update: LayerUpdate,
    n_steps: usize,
    stepwise: bool,
) -> (Relaxed, Vec<Vec<f64>>) {
    let Problem { energy, input, .. } = Problem::with_update(config, setup, 0.4, update);
    let batch = input.dims()[0];
    let clamped = energy.clamp(&input);
    let start = energy.start(&input, &clamped);
    let n_outputs = start.output().dims()[1];
    let target = Numbers(7).matrix(setup, [2 * batch, n_outputs], -0.5, 1.5);
    let beta = [0.3, -0.2].into_iter().flat_map(|beta| vec![beta; batch]);
    let beta = setup.tensor(beta.collect(), [2 * batch, 1]);
    let both = energy.repeat(&clamped, 2);
    let total = TotalEnergy::nudged(&energy, &both, &SquaredError, &target, beta);
    let relaxation = Relaxation::steps(Scheme::Asynchronous, n_steps);
    let relaxed = match stepwise {
        true => relaxation.relax_observed(&total, start.repeat(2), |_, _| {}),
        false => relaxation.relax(&total, start.repeat(2)),
    };
    let gradients = energy.contrast(&both, &relaxed.state, &start.repeat(2), 1.0);
    let lists = gradients_in(&energy, &gradients);
    (relaxed, lists)
}

#[test]
fn a_fused_nudged_phase_is_the_same_phase() {
    let mut largest = 0f64;
    for config in chains() {
        for update in [LayerUpdate::Projected, LayerUpdate::PreActivation] {
            for n_steps in STEPS {
                let what = format!("{:?}, {update:?}, {n_steps} steps", config.layers);
                let run =
                    |setup: &Setup, stepwise| nudged(&config, setup, update, n_steps, stepwise);
                let (fused, gradients) = run(&Setup::single(), false);
                let (plain, plain_gradients) = run(&Setup::single(), true);
                let (exact, exact_gradients) = run(&Setup::double(), true);
                assert_eq!(fused.n_steps, n_steps);
                // Sums of up to 700 terms in f32, in another order in vectors of another length.
                let close = |found: &[f64], expected: &[f64]| {
                    let largest = expected.iter().fold(1f64, |most, x| most.max(x.abs()));
                    assert_close(found, expected, 2e-5 * largest, &what);
                };
                close(&list(&fused), &list(&plain));
                close(&list(&fused), &list(&exact));
                for ((found, plain), exact) in
                    gradients.iter().zip(&plain_gradients).zip(&exact_gradients)
                {
                    close(found, plain);
                    close(found, exact);
                }
                largest = largest.max(distance(&list(&fused), &list(&plain)));
            }
        }
    }
    assert!(largest > 0.0, "the two are the same computation");
}

#[test]
fn the_free_phase_stays_at_the_forward_pass_at_once() {
    let setup = Setup::single();
    for config in chains() {
        let Problem { energy, input, .. } = Problem::new(&config, &setup, 0.4);
        let clamped = energy.clamp(&input);
        let start = energy.start(&input, &clamped);
        let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
        let relaxed = Relaxation::steps(Scheme::Asynchronous, 4).relax(&total, start.clone());
        assert_eq!(relaxed.n_steps, 4);
        assert!(
            values(&relaxed.residual)
                .iter()
                .all(|&change| change == 0.0)
        );
        for (now, before) in relaxed.state.layers().iter().zip(start.layers()) {
            assert_eq!(values(now), values(before));
        }
        let pass = energy.feedforward(&input, &clamped);
        assert_eq!(values(pass.output()), values(start.output()));
    }
}

/// The forward pass of a large batch uses packed weights.
#[test]
fn the_forward_pass_of_many_examples_is_that_of_each() {
    let setup = Setup::single();
    for config in chains() {
        let Problem { energy, .. } = Problem::new(&config, &setup, 0.4);
        let input = Numbers(9).matrix(&setup, [70, config.input.n_units()], -0.5, 1.5);
        let clamped = energy.clamp(&input);
        let pass = energy.start(&input, &clamped);
        for (index, layer) in pass.layers().iter().enumerate() {
            let drive = values(&energy.drive(index, &clamped, &pass));
            let from_below = |example: usize| {
                let input = input.clone().narrow(0, example, 1);
                let clamped = energy.clamp(&input);
                let pass = energy.start(&input, &clamped);
                let drive = energy.drive(index, &clamped, &pass);
                [values(pass.layer(index)), values(&drive)]
            };
            let [states, drives] = [0, 1].map(|which| {
                let each = (0..70).flat_map(|example| from_below(example)[which].clone());
                each.collect::<Vec<f64>>()
            });
            let what = format!("layer {index} of {:?}", config.layers);
            // Sums of up to 700 terms in f32, in another order in vectors of another length.
            let size = drives.iter().fold(1f64, |most, x| most.max(x.abs()));
            assert_close(&values(layer), &states, 1e-5 * size, &what);
            assert_close(&drive, &drives, 1e-5 * size, &what);
        }
    }
}
