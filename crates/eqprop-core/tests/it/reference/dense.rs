//! Chains of dense connections, one with a skip, one with a readout.

use eqprop_core::activation::Activation;
use eqprop_core::connection::InitializerConfig;
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::HopfieldEnergyConfig;
use eqprop_core::relaxation::Scheme;
use serde::Deserialize;

use super::{FILE_SCHEME, Model, SCHEMES, Start, read};
use crate::network::connection;

/// What a file says of its network.
#[derive(Deserialize)]
struct Chain {
    sizes: Vec<usize>,
    skip: Option<(usize, usize)>,
    output: String,
    readout: usize,
}

impl Chain {
    fn names(&self) -> Vec<String> {
        let n = self.sizes.len() - 1;
        let skip = self.skip.map(|_| "W_skip".to_owned());
        let weights = (0..n).map(|k| format!("W{k}")).chain(skip);
        weights.chain((0..n).map(|k| format!("b{k}"))).collect()
    }

    fn config(&self) -> HopfieldEnergyConfig {
        let output = match self.output.as_str() {
            "boxed" => Activation::HardSigmoid,
            _ => Activation::Identity,
        };
        let hidden = Activation::HardSigmoid;
        let initializer = InitializerConfig::Glorot;
        let mut config = HopfieldEnergyConfig::dense(&self.sizes, hidden, output, initializer);
        config
            .connections
            .extend(self.skip.map(|(from, to)| connection(from, to)));
        config
    }

    /// One example of the skip network has several minima, and from rest only the steps that
    /// the file was made with lead to its.
    fn start(&self, scheme: Scheme) -> Start {
        if self.skip.is_none() || scheme == FILE_SCHEME {
            Start::Rest
        } else {
            Start::NearIt
        }
    }

    fn model(&self) -> Model {
        let (cost, n_classes, readout) = match self.readout {
            0 => (
                CostConfig::SquaredError,
                self.sizes[self.sizes.len() - 1],
                vec![],
            ),
            n_classes => (
                CostConfig::CrossEntropy,
                n_classes,
                ["W_readout", "b_readout"].map(str::to_owned).to_vec(),
            ),
        };
        Model {
            config: self.config(),
            names: self.names(),
            cost,
            n_classes,
            readout,
            schemes: SCHEMES.map(|scheme| (scheme, self.start(scheme))).to_vec(),
            max_steps: 2000,
            // Values reach 4 in the linear network: its errors are that much larger.
            state_errors: 4.0,
            gradient_errors: 1.0,
            file_error: 0.0,
            // The gaps of the files are 1.0e-4 to 5.4e-4 of the gradient; f32 leaves 3e-5.
            gap: 0.5e-4..1e-3,
        }
    }
}

fn check(file: &str) {
    read::<Chain>(file).model().check(file);
}

#[test]
fn one_hidden_layer_agrees_with_the_reference() {
    check("dense_1_hidden.json");
}

#[test]
fn three_hidden_layers_agree_with_the_reference() {
    check("dense_3_hidden.json");
}

#[test]
fn a_linear_output_agrees_with_the_reference() {
    check("dense_linear_output.json");
}

#[test]
fn a_skip_connection_agrees_with_the_reference() {
    check("dense_skip.json");
}

#[test]
fn a_softmax_readout_agrees_with_the_reference() {
    check("dense_softmax_readout.json");
}
