//! What the tests of all methods need.

use eqprop_core::activation::Activation;
use eqprop_train::config::TrainingConfig;

use eqprop_bench::method::{Method, MethodOptions};

/// `config` with layers that `method` can do with.
pub fn suited(mut config: TrainingConfig, method: Method) -> TrainingConfig {
    let network = &mut config.network;
    if method == Method::Holomorphic {
        network.hidden_activation = Activation::Tanh;
        if network.output_activation == Activation::HardSigmoid {
            network.output_activation = Activation::Sigmoid;
        }
    }
    config
}

/// Options with which every method learns: a single direction tells next to nothing of a thousand.
pub fn options() -> MethodOptions {
    let mut options = MethodOptions::default();
    options.weight_perturbation.n_draws = 256;
    options
}
