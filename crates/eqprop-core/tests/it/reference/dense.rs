//! Chains of dense connections, one with a skip, one with a readout.

use eqprop_core::relaxation::Scheme;
use eqprop_testing::{Chain, read_reference};

use super::{FILE_SCHEME, Model, SCHEMES, Start};

/// One example of the skip network has several minima, and from the initial state only the steps that
/// the file was made with lead to its.
fn start(chain: &Chain, scheme: Scheme) -> Start {
    if chain.skip.is_none() || scheme == FILE_SCHEME {
        Start::Rest
    } else {
        Start::NearIt
    }
}

fn check(file: &str) {
    let chain: Chain = read_reference(file);
    let model = Model {
        config: chain.config(),
        names: chain.names(),
        cost: chain.cost(),
        n_classes: chain.n_classes(),
        readout: chain.readout(),
        schemes: SCHEMES
            .map(|scheme| (scheme, start(&chain, scheme)))
            .to_vec(),
        max_steps: 2000,
        // Values reach 4 in the linear network: its errors are that much larger.
        state_errors: 4.0,
        gradient_errors: 1.0,
        file_error: 0.0,
        // The gaps of the files are 1.0e-4 to 5.4e-4 of the gradient; f32 leaves 3e-5.
        gap: 0.5e-4..1e-3,
    };
    model.check(file);
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
