//! The Hopfield energy written by hand, as anyone would, under every estimator: what it gives is
//! what the closed forms give.

use burn::data::dataloader::DataLoader;
use burn::module::{Module, Param};
use burn::optim::{ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Tensor};
use burn::train::{InferenceStep, TrainStep};
use eqprop_core::connection::Connection;
use eqprop_testing::{
    Setup, assert_close, digits, filled, gradients_of, largest, loader, sines, values,
};
use eqprop_train::prelude::*;

/// `E = Σ_k [G_k(s_k) − b_k·s_k − s_{k−1} W_k s_kᵀ]`, with `s_0` the input.
#[derive(Module, Debug)]
struct Dense {
    weights: Vec<Param<Tensor<2>>>,
    biases: Vec<Param<Tensor<1>>>,
    #[module(skip)]
    activations: Vec<Activation>,
}

impl EnergyFunction for Dense {
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1> {
        let mut energy = Tensor::zeros([input.dims()[0]], (&input.device(), input.dtype()));
        let mut below = input.clone();
        for (layer, s) in state.layers().iter().enumerate() {
            let drive = below.matmul(self.weights[layer].val());
            let drive = drive + self.biases[layer].val().unsqueeze();
            energy = energy + self.activations[layer].potential(s.clone())
                - (drive * s.clone()).sum_dim(1).squeeze_dim(1);
            below = s.clone();
        }
        energy
    }
}

/// The same parameters in a function.
fn by_hand(hopfield: &HopfieldEnergy) -> CustomEnergy<Dense> {
    let weights = hopfield
        .connections
        .iter()
        .map(|connection| match connection {
            Connection::Dense(dense) => dense.weight.clone(),
            other => panic!("{other:?} is not dense"),
        });
    let layers = hopfield.layers().to_vec();
    let function = Dense {
        weights: weights.collect(),
        biases: hopfield.biases.clone(),
        activations: layers.iter().map(|layer| layer.activation).collect(),
    };
    CustomEnergy::new(function, layers)
}

fn hopfield(sizes: &[usize], output: Activation, device: &Device) -> HopfieldEnergy {
    let weights = InitializerConfig::FanIn { gain: 0.5 };
    HopfieldEnergyConfig::dense(sizes, Activation::HardSigmoid, output, weights).init(device)
}

fn agree<G>(name: &str, setup: &Setup, estimator: impl Fn() -> G)
where
    G: GradientEstimator<HopfieldEnergy, SquaredError>
        + GradientEstimator<CustomEnergy<Dense>, SquaredError>,
{
    let energy = hopfield(&[3, 4, 2], Activation::Identity, &setup.device);
    let energy = filled(energy, setup, sines(0.6)).train();
    let like = (&setup.device, setup.dtype);
    let batch = Batch::new(
        Tensor::from_data([[0.3, 0.9, 0.1], [0.7, 0.2, 0.8]], like),
        Tensor::from_data([[1.0, 0.0], [0.0, 1.0]], like),
    );
    let network = EquilibriumNetwork::new(energy.clone(), SquaredError);
    let custom = EquilibriumNetwork::new(by_hand(&energy), SquaredError);
    // Clones share how many random numbers were drawn: each of the two begins afresh.
    let found = estimator().estimate(&custom, &batch, None);
    let expected = estimator().estimate(&network, &batch, None);
    let pairs = [
        (
            gradients_of(&custom, &found.gradients).concat(),
            gradients_of(&network, &expected.gradients).concat(),
        ),
        (
            values(found.free.state.output()),
            values(expected.free.state.output()),
        ),
        (values(&found.cost), values(&expected.cost)),
        (values(&found.scores), values(&expected.scores)),
        (
            values(&found.energy.expect("an energy")),
            values(&expected.energy.expect("an energy")),
        ),
    ];
    // Two ways to sum ten terms, answered tenfold and divided by β = 0.5.
    let tolerance = setup.choose(1e-10, 1e-5);
    for (found, expected) in pairs {
        assert!(largest(&expected) > 0.05, "{name}: nothing to compare");
        let what = format!("{name}, {}", setup.name);
        assert_close(&found, &expected, tolerance, &what);
    }
}

#[test]
fn every_estimator_finds_the_gradient_that_it_finds_with_closed_forms() {
    for setup in &Setup::both() {
        for scheme in [
            Scheme::Asynchronous,
            Scheme::FixedPoint,
            Scheme::GradientFlow { step_size: 0.5 },
        ] {
            let phase = || Relaxation::steps(scheme, 100);
            let beta = 0.5;
            let nudgings = [
                Nudging::OneSided { beta },
                Nudging::RandomSign { beta },
                Nudging::Centered { beta },
                Nudging::HigherOrder { beta, n_pairs: 2 },
            ];
            for nudging in nudgings {
                let name = format!("{nudging:?}, {scheme:?}");
                agree(&name, setup, || {
                    EquilibriumPropagation::new(nudging, phase(), phase())
                });
            }
            agree("coupled", setup, || {
                CoupledLearning::new(Nudging::Centered { beta }, phase(), phase())
            });
            agree("continual", setup, || {
                let rates = ContinualRates::uniform(0.1);
                ContinualEquilibriumPropagation::new(beta, rates, phase(), 20)
            });
        }
        agree("stochastic", setup, || {
            let sampling = Sampling::new(0.1).with_burn_in(20).with_n_samples(3);
            let phase = Relaxation::steps(Scheme::Asynchronous, 100);
            StochasticEquilibriumPropagation::new(Nudging::Centered { beta: 0.5 }, phase, sampling)
        });
    }
}

#[test]
fn an_energy_written_by_hand_learns_the_digits() {
    let device = Device::flex().autodiff();
    device.seed(0);
    let energy = by_hand(&hopfield(&[64, 128, 10], Activation::Identity, &device));
    let phase = |n_steps| Relaxation::steps(Scheme::Asynchronous, n_steps);
    let nudging = Nudging::Centered { beta: 0.5 };
    let method = EquilibriumPropagation::new(nudging, phase(8), phase(4));
    let network = EquilibriumNetwork::new(energy, SquaredError);
    let mut learner = EquilibriumLearner::new(network, method);
    let mut optimizer: ModuleOptimizer = SgdConfig::new().init();
    let dataset = digits(usize::MAX, usize::MAX);
    let train = loader(&dataset.train, 8, Order::Shuffled { seed: 0 });
    for epoch in 0..16 {
        let rate = if epoch < 12 { 0.05 } else { 0.01 };
        for batch in train.iter() {
            let step = TrainStep::step(&learner, batch.expect("in memory"));
            learner = learner.optimize(&mut optimizer, rate.into(), step.grads);
        }
    }
    let test = loader(&dataset.test, dataset.test.len(), Order::Sequential);
    let batch = test.iter().next().expect("a batch").expect("in memory");
    let output = InferenceStep::step(&learner.valid(), batch);
    let error = output.errors().mean().into_scalar::<f64>();
    // About 3 %; vectors of another width round otherwise, which turns an example or two.
    assert!(error <= 0.05, "test error {error}");
}
