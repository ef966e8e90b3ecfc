//! Trains predictive coding networks with 32 and with 64 hidden layers, with and without the measures that
//! such depth needs.
//!
//! The networks have 128 units per layer and learn the digits, in three ways: a chain whose weights preserve
//! the variance of a forward pass, residual blocks, and residual blocks with the factors of μPC (Innocenti et
//! al. 2025, <https://arxiv.org/abs/2505.13124>). All relax by one step of gradient descent in the errors of
//! their predictions (Goemaere et al. 2025, <https://arxiv.org/abs/2505.20137>), which reaches every layer at
//! once.
//!
//! Prints the test error, and after one epoch the cosine between the gradient of the first layer's weights
//! and that of backpropagation: with that one step, and with as many asynchronous steps on the states as
//! there are layers.
//!
//! `cargo run --release --example depth`

use eqprop_bench::baseline::FeedforwardBackprop;
use eqprop_bench::fidelity;
use eqprop_core::connection::ConnectionKind;
use eqprop_core::cost::AnyCost;
use eqprop_train::config::SkipConnection;
use eqprop_train::error::TrainingError;
use eqprop_train::prelude::*;

type Network = EquilibriumNetwork<AnyField, AnyCost>;

const EPOCHS: usize = 5;

/// A construction of a deep network, with a β and a learning rate that it tolerates.
struct Way {
    name: &'static str,
    is_residual: bool,
    parametrization: Parametrization,
    /// Initial weights have the variance `gain²/3n`.
    gain: f64,
    beta: f64,
    learning_rate: f64,
}

const WAYS: [Way; 3] = [
    Way {
        name: "a chain",
        is_residual: false,
        parametrization: Parametrization::Standard,
        // √6: rectified layers halve the variance.
        gain: 2.45,
        beta: 0.02,
        learning_rate: 0.005,
    },
    Way {
        name: "residual blocks",
        is_residual: true,
        parametrization: Parametrization::Standard,
        gain: 1.73,
        beta: 0.0001,
        learning_rate: 0.001,
    },
    Way {
        name: "residual blocks, μPC",
        is_residual: true,
        parametrization: Parametrization::MuPc,
        gain: 1.73,
        beta: 0.3,
        learning_rate: 10.0,
    },
];

impl Way {
    fn config(&self, n_hidden: usize) -> TrainingConfig {
        let mut config = Preset::DigitsDeep.config();
        let block = |from| SkipConnection {
            from,
            to: from + 1,
            kind: ConnectionKind::Identity,
        };
        let blocks = if self.is_residual { 1..n_hidden } else { 0..0 };
        config.network.hidden = vec![128.into(); n_hidden];
        config.network.skips = blocks.map(block).collect();
        config.network.initializer = InitializerConfig::FanIn { gain: self.gain };
        config.network.model = Model::PredictiveCoding {
            layer_update: LayerUpdate::Projected,
            parametrization: self.parametrization,
        };
        config.phases.nudging = Nudging::Centered { beta: self.beta };
        config.optimizer.learning_rates = vec![self.learning_rate; n_hidden + 1];
        config.epochs = EPOCHS;
        config
    }
}

fn main() -> anyhow::Result<()> {
    let (digits, device) = (Dataset::load(DatasetKind::Digits, None)?, Device::default());
    let batches = BatchLoader::new(&digits.train, 128, Order::Sequential, &device);
    let batch = batches.iter().next().expect("there are digits")?;
    println!(
        "                                 test error after   first layer after an epoch: cosine"
    );
    println!(
        "hidden layers                       {EPOCHS} epochs       by one step   by layers, in turn"
    );
    for n_hidden in [32, 64] {
        for way in WAYS {
            let config = way.config(n_hidden);
            let mut asynchronous = config.clone();
            asynchronous.phases.dynamics = Scheme::Asynchronous;
            asynchronous.phases.nudged_steps = n_hidden + 1;
            let mut training = Training::new(config.clone(), &digits, &device)?;
            let mut cosines = Vec::new();
            let error = loop {
                match training.run_epoch(|_| std::ops::ControlFlow::Continue(())) {
                    Err(TrainingError::Diverged { .. }) => break "diverges".to_string(),
                    record => {
                        let record = record?.expect("nothing interrupts it");
                        let network = &training.learner().network;
                        if cosines.is_empty() {
                            let both = [&config, &asynchronous];
                            let cosine = |config| format!("{:.4}", cosine(config, network, &batch));
                            cosines = both.map(cosine).to_vec();
                        }
                        if training.is_finished() {
                            break format!("{:.1} %", 100.0 * record.held_out_error());
                        }
                    }
                }
            };
            // None if the first epoch did not finish.
            cosines.resize(2, "-".to_string());
            println!(
                "{n_hidden:>3}, {:22} {error:>16} {:>17} {:>17}",
                way.name, cosines[0], cosines[1]
            );
        }
    }
    Ok(())
}

/// Returns the cosine between the two gradients of the first weight matrix.
fn cosine(config: &TrainingConfig, network: &Network, batch: &Batch) -> f64 {
    let estimate = config.estimator().estimate(network, batch, None).gradients;
    let exact = FeedforwardBackprop.estimate(network, batch, None).gradients;
    let parameters = fidelity::compare(network, &estimate, &exact).parameters;
    parameters[0].1.cosine
}
