//! Configurations that are refused.

use eqprop_core::activation::Activation;
use eqprop_core::connection::ConnectionKind;
use eqprop_core::energy::{HopfieldEnergyConfig, LayerUpdate, PredictiveCodingConfig};
use eqprop_testing::{Setup, chain, connection, joined};

fn config() -> PredictiveCodingConfig {
    PredictiveCodingConfig::new(chain(&[3, 4, 2], Activation::Relu))
}

fn refused(change: impl Fn(&mut PredictiveCodingConfig)) -> String {
    let mut config = config();
    change(&mut config);
    config.validate().expect_err("refused").to_string()
}

#[test]
fn anything_but_a_chain_is_refused() {
    assert_eq!(config().validate(), Ok(()));
    let message = |below: usize| {
        format!(
            "predictive coding needs a chain of layers, each predicted from the one below: one \
             connection from layer {below} to layer {}, in place {below} of the connections, and \
             no others but identities from a hidden layer to the next",
            below + 1
        )
    };
    let changed = |change: &dyn Fn(&mut HopfieldEnergyConfig)| refused(|c| change(&mut c.chain));
    // A skip, the other order, a feedback connection.
    assert_eq!(
        changed(&|c| c.connections.push(connection(0, 2))),
        message(2)
    );
    assert_eq!(changed(&|c| c.connections.swap(0, 1)), message(0));
    assert_eq!(
        changed(&|c| c.connections[1] = connection(2, 1)),
        message(1)
    );
    // What is wrong with the layers comes first.
    assert_eq!(
        changed(&|c| c.layers.clear()),
        "a network needs at least one layer above the input"
    );
}

#[test]
fn an_identity_is_part_of_a_residual_block_or_refused() {
    let with = |ends: &[(usize, usize)]| {
        let mut config = PredictiveCodingConfig::new(chain(&[4; 6], Activation::Relu));
        let identities = ends.iter();
        let identities = identities.map(|&(from, to)| joined(from, to, ConnectionKind::Identity));
        config.chain.connections.extend(identities);
        config
    };
    assert_eq!(with(&[(2, 3), (1, 2)]).validate(), Ok(()));
    // From the input, into the output, past a layer, back, and twice.
    for ends in [(0, 1), (4, 5), (1, 3), (3, 2), (1, 2)] {
        let message = with(&[(1, 2), ends]).validate();
        let (from, to) = ends;
        assert_eq!(
            message.expect_err("refused").to_string(),
            format!(
                "connection 6 is an identity from layer {from} to layer {to}, but predictive coding has \
                 identities only from a hidden layer to the next hidden layer, one each; leave it out"
            )
        );
    }
    // In a block a layer holds what is before its activation, which may be any.
    let mut smooth = with(&[(1, 2), (2, 3), (3, 4)]).with_layer_update(LayerUpdate::PreActivation);
    for layer in &mut smooth.chain.layers[..4] {
        layer.activation = Activation::Tanh;
    }
    assert_eq!(smooth.validate(), Ok(()));
}

#[test]
fn a_pre_activation_update_needs_activations_that_project() {
    let smooth = |c: &mut PredictiveCodingConfig, layer: usize| {
        c.layer_update = LayerUpdate::PreActivation;
        c.chain.layers[layer].activation = Activation::Tanh;
    };
    assert_eq!(
        refused(|c| smooth(c, 0)),
        "the pre_activation update needs activations that project onto a range (relu, \
         clipped_relu, hard_sigmoid or identity), but layer 1 has Tanh; use the projected update"
    );
    assert!(refused(|c| smooth(c, 1)).contains("layer 2 has Tanh"));
    let mut projected = config();
    smooth(&mut projected, 0);
    projected.layer_update = LayerUpdate::Projected;
    assert_eq!(projected.validate(), Ok(()));
}

#[test]
#[should_panic(expected = "predictive coding needs a chain of layers")]
fn a_network_that_is_no_chain_is_not_made() {
    let mut config = config();
    config.chain.connections.pop();
    config.chain.connections.push(connection(0, 2));
    config.init(&Setup::double().device);
}
