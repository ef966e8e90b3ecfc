//! Trains a convolutional trunk by backpropagation under a head that relaxes: one model, one loss, one
//! optimizer. The head is a block of Burn's autodiff that computes its own gradients, and those passed to the
//! trunk, by contrasting two equilibria.
//!
//! Prints how its gradient agrees with autodiff through every step of the relaxation, and the residual of its
//! nudged phase; then the same training with a feedforward head, all by backpropagation.
//!
//! `cargo run --release --example hybrid`, and `-- fashion` for Fashion-MNIST

use burn::nn::{PaddingConfig2d, conv::Conv2d, conv::Conv2dConfig};
use burn::optim::AdamConfig;
use burn::tensor::{activation::relu, module::max_pool2d, ops::MaxPoolOptions};
use eqprop_bench::fidelity;
use eqprop_train::prelude::*;

type Block = EquilibriumBlock<HopfieldEnergy>;
/// Maps the features to the outputs, one per class.
type Head = fn(&Block, Tensor<2>) -> Tensor<2>;

/// Relaxes; its gradients come from contrasts of equilibria.
const EQUILIBRIUM: Head = |block, features| block.forward(features);
/// Relaxes in steps that are all recorded on the autodiff graph.
const THROUGH_TIME: Head = |block, features| {
    let network = EquilibriumNetwork::new(block.energy.clone(), SquaredError);
    let relaxed = network.relax(&steps(30), &features, None);
    relaxed.state.output().clone()
};
/// Makes one pass through the same layers.
const FEEDFORWARD: Head = |block, features| {
    let twin = block.energy.twin(&features).expect("the head is a chain");
    twin.state.output().clone()
};

fn steps(n_steps: usize) -> Relaxation {
    Relaxation::steps(Scheme::Asynchronous, n_steps)
}

#[derive(Module, Debug)]
struct Hybrid {
    trunk: [Conv2d; 2],
    head: Block,
}

impl Hybrid {
    fn new(side: usize, device: &Device) -> Self {
        let convolution = |from, to| {
            let config = Conv2dConfig::new([from, to], [3, 3]);
            config.with_padding(PaddingConfig2d::Same).init(device)
        };
        let n_features = 16 * (side / 4) * (side / 4);
        let (hidden, output) = (Activation::HardSigmoid, Activation::Identity);
        let weights = InitializerConfig::FanIn { gain: 0.5 };
        let energy = HopfieldEnergyConfig::dense(&[n_features, 128, 10], hidden, output, weights);
        let nudging = Nudging::Centered { beta: 0.2 };
        let method = EquilibriumPropagation::new(nudging, steps(15), steps(8));
        Self {
            trunk: [convolution(1, 8), convolution(8, 16)],
            head: EquilibriumBlock::new(energy.init(device), method),
        }
    }

    fn forward(&self, images: Tensor<2>, head: Head) -> Tensor<2> {
        let [batch, n_pixels] = images.dims();
        let side = n_pixels.isqrt();
        let mut maps = images.reshape([batch, 1, side, side]);
        for convolution in &self.trunk {
            maps = max_pool2d(relu(convolution.forward(maps)), MaxPoolOptions::new([2, 2]));
        }
        head(&self.head, maps.flatten(1, 3))
    }

    /// Returns the gradients of half the squared error, averaged over the mini-batch.
    fn gradients(&self, batch: Batch, head: Head) -> GradientsParams {
        let error = self.forward(batch.input, head) - batch.target;
        let half = 0.5 / error.dims()[0] as f64;
        let loss = (error.clone() * error).sum() * half;
        GradientsParams::from_grads(loss.backward(), self)
    }

    fn test_error(&self, test: &Batch, head: Head) -> f64 {
        let output = self.valid().forward(test.input.clone(), head);
        let wrong = output.argmax(1).not_equal(test.target.clone().argmax(1));
        100.0 * wrong.float().mean().into_scalar::<f64>()
    }
}

fn main() -> anyhow::Result<()> {
    let (kind, side, n_epochs, batch_size) = match std::env::args().nth(1).as_deref() {
        Some("fashion") => (DatasetKind::FashionMnist, 28, 2, 64),
        _ => (DatasetKind::Digits, 8, 10, 16),
    };
    let device = Device::default();
    device.seed(0);
    let data = Dataset::load(kind, None)?;
    let loader = |examples, n, order| BatchLoader::new(examples, n, order, &device);
    let first = |examples, n| loader(examples, n, Order::Sequential).iter().next();
    let few = first(&data.train, 200).expect("a training set")?;
    let test = first(&data.test, data.test.len()).expect("a test set")?;
    let start = Hybrid::new(side, &device).train();
    for (name, head) in [("equilibrium", EQUILIBRIUM), ("feedforward", FEEDFORWARD)] {
        println!("{name} head\nepoch   error  cosine to autodiff: trunk, head  residual");
        let mut optimizer: ModuleOptimizer = AdamConfig::new().init();
        let mut model = start.clone();
        let train = loader(&data.train, batch_size, Order::Shuffled { seed: 0 });
        for epoch in 1..=n_epochs {
            for batch in train.iter() {
                let gradients = model.gradients(batch?, head);
                model = optimizer.step(2e-3, model, gradients);
            }
            let error = model.test_error(&test, head);
            let heads = [EQUILIBRIUM, THROUGH_TIME];
            let [found, exact] = heads.map(|head| model.gradients(few.clone(), head));
            let trunk = fidelity::compare(&model.trunk, &found, &exact).whole.cosine;
            let head = fidelity::compare(&model.head, &found, &exact).whole.cosine;
            let nudged = model.head.last_nudged().expect("a backward pass");
            let residual = nudged.info().residual;
            println!("{epoch:>5} {error:>5.2} % {trunk:>27.4}, {head:.4} {residual:>9.0e}");
        }
    }
    Ok(())
}
