//! Shared setup of the tests of all methods.

use eqprop_core::activation::Activation;
use eqprop_core::energy::{FeedbackInitializer, FeedbackUpdate, Model};
use eqprop_train::config::TrainingConfig;

use eqprop_bench::method::{Method, MethodOptions};

/// Adapts `config` to `method`: layers that it can handle, and weights that it is made for.
pub fn suited(mut config: TrainingConfig, method: Method) -> TrainingConfig {
    let network = &mut config.network;
    if method == Method::Holomorphic {
        network.hidden_activation = Activation::Tanh;
        if network.output_activation == Activation::HardSigmoid {
            network.output_activation = Activation::Sigmoid;
        }
    }
    if matches!(
        method,
        Method::Asymmetric | Method::Dyadic | Method::Homeostasis
    ) {
        network.model = Model::Untied {
            update: FeedbackUpdate::Own,
            feedback: FeedbackInitializer::Independent,
        };
    }
    config
}

/// Options with which every method learns: a single direction carries almost no information about a thousand
/// parameters.
pub fn options() -> MethodOptions {
    let mut options = MethodOptions::default();
    options.weight_perturbation.n_draws = 256;
    options
}
