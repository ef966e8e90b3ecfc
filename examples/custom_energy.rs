//! Trains a user-written energy by equilibrium propagation: between two dense connections, a hidden layer
//! recalls learned memories by attention, as modern Hopfield networks do.
//!
//! Only the energy is written here. Its drives and gradients come from Burn's autodiff.
//!
//! `cargo run --release --example custom_energy`

use burn::module::Param;
use burn::tensor::{Distribution, activation::log_softmax};
use eqprop_bench::fidelity;
use eqprop_train::prelude::*;

/// The activations of the hidden and the output units; below, how sharply a single memory is selected.
const SIGMA: [Activation; 2] = [Activation::HardSigmoid, Activation::Identity];
const SHARPNESS: f64 = 4.0;

/// `E = G(h) + G(o) − (x W + b)·h − (h V + c)·o − 1/κ · ln Σ_m exp(κ h·M_m)`
#[derive(Module, Debug)]
struct Recall {
    below: Param<Tensor<2>>,
    above: Param<Tensor<2>>,
    memories: Param<Tensor<2>>,
    biases: [Param<Tensor<1>>; 2],
}

impl EnergyFunction for Recall {
    fn energy(&self, input: &Tensor<2>, state: &State) -> Tensor<1> {
        let (h, o) = (state.layer(0).clone(), state.layer(1).clone());
        let potentials = SIGMA[0].potential(h.clone()) + SIGMA[1].potential(o.clone());
        let [b, c] = [0, 1].map(|layer| self.biases[layer].val().unsqueeze());
        let into_h = input.clone().matmul(self.below.val()) + b;
        let into_o = h.clone().matmul(self.above.val()) + c;
        let scores = h.clone().matmul(self.memories.val()) * SHARPNESS;
        // ln Σ exp z = z_m − ln softmax(z)_m for any m; this way nothing overflows.
        let recalled = scores.clone() - log_softmax(scores, 1);
        let recalled = recalled.narrow(1, 0, 1) * (1.0 / SHARPNESS);
        let terms = (into_h * h).sum_dim(1) + (into_o * o).sum_dim(1) + recalled;
        potentials - terms.squeeze_dim(1)
    }
}

fn main() -> anyhow::Result<()> {
    let device = Device::default().autodiff();
    device.seed(0);
    let digits = Dataset::load(DatasetKind::Digits, None)?;
    let weights = |from: usize, to| {
        let bound = 0.5 / (from as f64).sqrt();
        let uniform = Distribution::Uniform(-bound, bound);
        Param::from_tensor(Tensor::random([from, to], uniform, &device))
    };
    let recall = Recall {
        below: weights(64, 64),
        above: weights(64, 10),
        memories: weights(64, 20),
        biases: [64, 10].map(|n| Param::from_tensor(Tensor::zeros([n], &device))),
    };
    let layers = [
        LayerConfig::new(64, SIGMA[0]),
        LayerConfig::new(10, SIGMA[1]),
    ];
    let network = EquilibriumNetwork::new(CustomEnergy::new(recall, layers), SquaredError);
    let phase = |n_steps| Relaxation::steps(Scheme::Asynchronous, n_steps);
    let method = EquilibriumPropagation::new(Nudging::Centered { beta: 0.1 }, phase(12), phase(6));
    let mut learner = EquilibriumLearner::new(network, method.clone());
    let mut optimizer: ModuleOptimizer = SgdConfig::new().init();

    let train = BatchLoader::new(&digits.train, 16, Order::Shuffled { seed: 0 }, &device);
    let test = BatchLoader::new(&digits.test, 500, Order::Sequential, &device);
    let test = test.iter().next().expect("a test set")?;
    let few = BatchLoader::new(&digits.train, 20, Order::Sequential, &device);
    let few = few.iter().next().expect("a training set")?;
    println!("epoch  test error  residual  lowest cosine against the exact gradient");
    for epoch in 0..=15 {
        let tested = InferenceStep::step(&learner, test.clone());
        let [error, residual] = [tested.errors().mean(), tested.residual.max()];
        let gradient = fidelity::check(&learner.network, &few, &method)?.gradient;
        println!(
            "{epoch:>5} {:>9.2} % {:>9.1e}  {:.4}",
            100.0 * error.into_scalar::<f64>(),
            residual.into_scalar::<f64>(),
            gradient.lowest_cosine()
        );
        if epoch == 15 {
            for (parameter, agreement) in gradient.parameters {
                println!("{parameter:>32}  {:.4}", agreement.cosine);
            }
            break;
        }
        let rate = 0.1 * 0.85_f64.powi(epoch);
        for batch in train.iter() {
            let step = TrainStep::step(&learner, batch?);
            learner = learner.optimize(&mut optimizer, rate.into(), step.grads);
        }
    }
    Ok(())
}
