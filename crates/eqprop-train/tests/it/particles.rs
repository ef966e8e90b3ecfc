//! Persistent particles: kept per example, recorded, and near the next equilibrium.

use burn::tensor::{Device, Tensor};
use burn::train::TrainStep;
use eqprop_core::activation::Activation;
use eqprop_core::energy::{LayerConfig, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::shape::LayerShape;
use eqprop_core::state::State;
use eqprop_testing::{batch, config, values};
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use eqprop_train::initial_state::{InitialState, Particles};
use eqprop_train::learner::EquilibriumLearner;

const LAYERS: [LayerConfig; 2] = [
    LayerConfig {
        shape: LayerShape::Flat(3),
        activation: Activation::HardSigmoid,
    },
    LayerConfig {
        shape: LayerShape::Flat(2),
        activation: Activation::Softmax,
    },
];

fn state(rows: &[[f32; 5]]) -> State {
    let device = Device::flex();
    let hidden: Vec<f32> = rows.iter().flat_map(|row| row[..3].to_vec()).collect();
    let output: Vec<f32> = rows.iter().flat_map(|row| row[3..].to_vec()).collect();
    let tensor = |numbers: &[f32], n| Tensor::<1>::from_floats(numbers, &device).reshape([-1, n]);
    State::new(vec![tensor(&hidden, 3), tensor(&output, 2)])
}

fn gathered(particles: &Particles, indices: &[usize]) -> Vec<Vec<f64>> {
    let state = particles.gather(indices, &Device::flex());
    state.layers().iter().map(values).collect()
}

const STORED: [[f32; 5]; 2] = [[0.1, 0.2, 0.3, 0.4, 0.6], [0.5, 0.75, 1.0, 0.9, 0.1]];

#[test]
fn particles_are_kept_per_example_and_others_stay() {
    let particles = Particles::new(&LAYERS, 4);
    // At rest: 0 for the hard sigmoid, equal shares for the softmax.
    assert_eq!(gathered(&particles, &[2]), [vec![0.0; 3], vec![0.5; 2]]);

    particles.store(&[3, 1], &state(&STORED));
    let stored: Vec<Vec<f64>> = state(&STORED).layers().iter().map(values).collect();
    assert_eq!(gathered(&particles, &[3, 1]), stored);
    let swapped = state(&[STORED[1], STORED[0]]);
    let swapped: Vec<Vec<f64>> = swapped.layers().iter().map(values).collect();
    assert_eq!(gathered(&particles.clone(), &[1, 3]), swapped);
    assert_eq!(gathered(&particles, &[0, 2]), [vec![0.0; 6], vec![0.5; 4]]);
}

#[test]
fn a_record_brings_particles_back_and_one_of_another_size_is_refused() {
    let particles = Particles::new(&LAYERS, 4);
    particles.store(&[3, 1], &state(&STORED));
    let restored = Particles::new(&LAYERS, 4);
    restored
        .load_record(particles.to_record())
        .expect("of the same size");
    let all = [0, 1, 2, 3];
    assert_eq!(gathered(&restored, &all), gathered(&particles, &all));

    let other_layers = [LAYERS[1], LAYERS[0]];
    for other in [
        Particles::new(&LAYERS, 5),
        Particles::new(&other_layers, 4),
        Particles::new(&LAYERS[..1], 4),
    ] {
        let error = restored.load_record(other.to_record());
        error.expect_err("a record of another size");
        assert_eq!(gathered(&restored, &all), gathered(&particles, &all));
    }
}

#[test]
fn a_free_phase_from_converged_particles_has_nothing_left_to_do() {
    let config = config();
    let network = config.network(&Device::flex());
    let batch = batch(6);
    let indices = batch.indices.clone().expect("from a loader");
    let residual = |n_steps, start| {
        let phase = || Relaxation::steps(Scheme::Asynchronous, n_steps);
        let nudging = config.estimator().nudging;
        let estimator = EquilibriumPropagation::new(nudging, phase(), phase());
        let relaxed = estimator.infer(&network, &batch.input, start);
        (relaxed.info().residual, relaxed.state)
    };
    let particles = Particles::new(network.energy.layers(), 6);
    let (_, equilibrium) = residual(100, None);
    particles.store(&indices, &equilibrium);

    let (from_rest, _) = residual(2, None);
    let start = particles.gather(&indices, &Device::flex());
    let (from_particles, _) = residual(2, Some(start));
    // What is left is rounding in f32, 1e-7; from rest the second step still moves units by
    // tenths.
    assert!(from_rest > 1e-2, "{from_rest:e}");
    assert!(from_particles < 1e-6, "{from_particles:e}");
}

#[test]
fn training_steps_start_at_the_particles_and_move_them() {
    let config = config();
    let network = config.network(&Device::flex());
    let learner = EquilibriumLearner::new(network, config.estimator());
    let learner = learner.with_start(InitialState::Particles, 6);
    let rest = gathered(learner.particles().expect("as asked for"), &[0]);
    let first = TrainStep::step(&learner, batch(5)).item;
    let second = TrainStep::step(&learner, batch(5)).item;
    // The second free phase takes off where the first converged.
    let (first, second) = (values(&first.residual), values(&second.residual));
    let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
    assert!(
        most(&second) <= most(&first) && most(&second) < 1e-6,
        "{first:?} {second:?}"
    );
    let kept = learner.particles().expect("as asked for");
    assert_ne!(gathered(kept, &[0]), rest);
    assert_eq!(gathered(kept, &[5]), rest);
}

#[test]
#[should_panic(expected = "a state of these 3 examples has a row for each")]
fn a_state_of_another_number_of_examples_is_refused() {
    let particles = Particles::new(&LAYERS, 4);
    particles.store(&[3, 1, 0], &state(&STORED));
}

#[test]
#[should_panic(expected = "persistent particles belong to examples, but this batch has no indices")]
fn a_batch_without_indices_is_refused_by_a_learner_with_particles() {
    let config = config();
    let network = config.network(&Device::flex());
    let learner = EquilibriumLearner::new(network, config.estimator());
    let learner = learner.with_start(InitialState::Particles, 5);
    let batch = batch(5);
    TrainStep::step(&learner, Batch::new(batch.input, batch.target));
}
