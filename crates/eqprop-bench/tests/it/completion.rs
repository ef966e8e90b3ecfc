//! Uses of a visible layer: covered images are completed, and stored patterns recalled.

use burn::module::Module;
use burn::optim::{AdamConfig, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor, TensorData};
use burn::train::TrainStep;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionConfig, ConnectionKind, InitializerConfig};
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, PartlyClamped};
use eqprop_core::nudging::Nudging;
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_train::batch::{Batch, Order};
use eqprop_train::estimator::{EquilibriumPropagation, GradientEstimator};
use eqprop_train::learner::EquilibriumLearner;
use eqprop_train::network::EquilibriumNetwork;

use eqprop_testing::{Numbers, Setup, connection, digits, filled, loader};

type Learner =
    EquilibriumLearner<PartlyClamped<HopfieldEnergy>, SquaredError, EquilibriumPropagation>;

/// A network of free layers, the last of which is visible, on autodiff.
fn learner(
    sizes: &[usize],
    activation: Activation,
    joined: ConnectionConfig,
    scale: f64,
    method: EquilibriumPropagation,
) -> Learner {
    let layers = sizes.iter().map(|&n| LayerConfig::new(n, activation));
    let config = HopfieldEnergyConfig::new(1.into(), layers.collect(), vec![joined]);
    let mut numbers = Numbers(1);
    let energy = filled(config.init(&Device::flex()), &Setup::single(), |n| {
        // Biases begin at 0.
        match n {
            n if sizes.contains(&n) => vec![0.0; n],
            n => numbers.list(n, -scale, scale),
        }
    });
    let energy = PartlyClamped::new(energy, [sizes.len() - 1]);
    EquilibriumLearner::new(EquilibriumNetwork::new(energy, SquaredError), method).train()
}

/// A quarter of the epochs of `examples/complete.rs`, enough for less than half of the mean image's error.
#[test]
fn the_covered_half_of_an_image_is_completed() {
    const N_PIXELS: usize = 64;
    let phase = |n_steps| Relaxation::steps(Scheme::Asynchronous, n_steps);
    let nudging = Nudging::Centered { beta: 0.5 };
    let method = EquilibriumPropagation::new(nudging, phase(15), phase(6));
    let joined = connection(1, 2);
    let mut learner = learner(
        &[128, N_PIXELS],
        Activation::HardSigmoid,
        joined,
        0.06,
        method,
    );
    let digits = digits(usize::MAX, usize::MAX);
    let whole = |examples: &eqprop_train::data::Examples| {
        let data = TensorData::new(examples.inputs.clone(), [examples.len(), N_PIXELS]);
        Tensor::<2>::from_data(data, &Device::flex())
    };
    let covered = |images: &Tensor<2>| {
        let lower = [0..images.dims()[0], N_PIXELS / 2..N_PIXELS];
        images.clone().slice_fill(lower, f32::NAN)
    };
    let test = whole(&digits.test);
    let error = |found: Tensor<2>| {
        let difference = (found - test.clone()).narrow(1, N_PIXELS / 2, N_PIXELS / 2);
        difference.square().mean().into_scalar::<f64>()
    };
    let mean = whole(&digits.train).mean_dim(0).expand(test.dims());
    let mut optimizer: ModuleOptimizer = AdamConfig::new().init();
    let train = loader(&digits.train, 32, Order::Shuffled { seed: 0 });
    for epoch in 0..10 {
        for batch in train.batches(epoch, 0) {
            let batch = batch.unwrap();
            let batch = Batch::new(covered(&batch.input), batch.input);
            let step = TrainStep::step(&learner, batch);
            learner = learner.optimize(&mut optimizer, 0.003.into(), step.grads);
        }
    }
    let found = error(learner.infer(&covered(&test)).state.output().clone());
    let baseline = error(mean);
    assert!(found <= 0.65 * baseline, "{found} {baseline}");
}

/// One tenth as many patterns as units, as in `examples/recall.rs`.
#[test]
fn stored_patterns_are_recalled_from_what_is_left_of_them() {
    const N_UNITS: usize = 100;
    const N_PATTERNS: usize = 10;
    const N_FLIPPED: usize = N_UNITS / 5;
    let setup = Setup::single();
    let mut numbers = Numbers(2);
    let patterns = numbers.list(N_PATTERNS * N_UNITS, -1.0, 1.0);
    let patterns: Vec<f64> = patterns.into_iter().map(f64::signum).collect();
    // The units of each pattern that a share of random numbers is lowest at.
    let mut changed = |n_changed: usize, change: fn(f64) -> f64| {
        let rows = patterns.chunks_exact(N_UNITS).flat_map(|pattern| {
            let order = numbers.list(N_UNITS, 0.0, 1.0);
            let mut sorted = order.clone();
            sorted.sort_by(f64::total_cmp);
            let pairs = pattern.iter().zip(order);
            let row = pairs.map(|(&value, place)| match place < sorted[n_changed] {
                true => change(value),
                false => value,
            });
            row.collect::<Vec<_>>()
        });
        setup.tensor::<2>(rows.collect(), [N_PATTERNS, N_UNITS])
    };
    let whole = setup.tensor::<2>(patterns.clone(), [N_PATTERNS, N_UNITS]);
    let unknown = whole.clone() * f64::NAN;
    let phase = |n_steps| Relaxation::steps(Scheme::GradientFlow { step_size: 0.5 }, n_steps);
    let method = EquilibriumPropagation::new(Nudging::OneSided { beta: 1.0 }, phase(20), phase(6));
    let itself = ConnectionConfig {
        from: 1,
        to: 1,
        kind: ConnectionKind::Dense,
        initializer: InitializerConfig::Glorot,
    };
    let mut learner = learner(&[N_UNITS], Activation::Tanh, itself, 1e-3, method.clone());
    let mut optimizer: ModuleOptimizer = SgdConfig::new().init();
    for _ in 0..60 {
        let start = State::new(vec![changed(N_FLIPPED, |value| -value) * 0.9]);
        let batch = Batch::new(unknown.clone(), whole.clone());
        let estimate = method.estimate(&learner.network, &batch, Some(start));
        learner = learner.optimize(&mut optimizer, 0.025.into(), estimate.gradients);
    }
    let network = learner.network.valid();
    let exact = |state: State| {
        let is_right = state.output().clone().sign().equal(whole.clone());
        let n_right = is_right.float().sum_dim(1);
        n_right
            .equal_elem(N_UNITS as f64)
            .float()
            .mean()
            .into_scalar::<f64>()
    };
    let (mut from_flipped, mut from_half) = (0.0, 0.0);
    for _ in 0..5 {
        let start = State::new(vec![changed(N_FLIPPED, |value| -value) * 0.9]);
        let relaxed = network.relax(&phase(100), &unknown, Some(start));
        from_flipped += exact(relaxed.state) / 5.0;
        let half = changed(N_UNITS / 2, |_| f64::NAN);
        from_half += exact(network.relax(&phase(100), &half, None).state) / 5.0;
    }
    assert!(from_flipped >= 0.95, "{from_flipped}");
    assert!(from_half >= 0.95, "{from_half}");
}
