//! Trains a network by equilibrium propagation with Burn's own learner.
//!
//! `cargo run --release --example quickstart`

use std::sync::Arc;

use eqprop_train::prelude::*;

fn main() -> anyhow::Result<()> {
    // Burn's optimizers require parameters on an autodiff device; nothing is recorded on it.
    let device = Device::default().autodiff();
    device.seed(0);
    let digits = Dataset::load(DatasetKind::Digits, None)?;

    // The network to relax: 64 inputs, 128 hidden units, 10 outputs.
    let (hidden, output) = (Activation::HardSigmoid, Activation::Identity);
    let weights = InitializerConfig::FanIn { gain: 0.5 };
    let energy = HopfieldEnergyConfig::dense(&[64, 128, 10], hidden, output, weights).init(&device);
    let network = EquilibriumNetwork::new(energy, SquaredError);

    // The gradient estimate: a free phase, then two nudged phases.
    let phase = |n_steps| Relaxation::steps(Scheme::Asynchronous, n_steps);
    let nudging = Nudging::Centered { beta: 0.5 };
    let method = EquilibriumPropagation::new(nudging, phase(15), phase(6));

    // From here on this is a Burn training like any other.
    let train = BatchLoader::new(&digits.train, 8, Order::Shuffled { seed: 0 }, &device);
    let test = BatchLoader::new(&digits.test, 500, Order::Sequential, &device);
    let folder = std::env::temp_dir().join("eqprop-quickstart");
    let trained = SupervisedTraining::new(folder, Arc::new(train), Arc::new(test))
        .metrics((AccuracyMetric::new(), LossMetric::new()))
        .metric_train_numeric(EnergyMetric::default())
        .metric_train_numeric(UnconvergedMetric::new(1e-2))
        .renderer(Box::new(EpochLines::stdout()))
        .num_epochs(10)
        .summary()
        .launch(Learner::new(
            EquilibriumLearner::new(network, method),
            SgdConfig::new().init(),
            0.03,
        ));

    // To predict, clamp an image, relax, and read the output.
    let image = burn::tensor::TensorData::new(digits.test.input(0).to_vec(), [1, 64]);
    let image = burn::tensor::Tensor::from_data(image, &device.without_autodiff());
    let relaxed = trained.model.infer(&image);
    println!("output at equilibrium: {:.2}", relaxed.state.output());
    println!(
        "it is a {}; residual {:.1e}",
        digits.test.labels[0],
        relaxed.info().residual
    );
    Ok(())
}
