//! Configurations with attention that are refused, and the messages.

use eqprop_core::activation::Activation;
use eqprop_core::energy::{
    HopfieldEnergyConfig, LayerConfig, Model, ModelConfig, OscillatorNetworkConfig,
    PredictiveCodingConfig, UntiedHopfieldConfig,
};
use eqprop_testing::{connection, joined};

use super::{attention, config};

fn refused(config: &HopfieldEnergyConfig) -> String {
    config.validate().expect_err("refused").to_string()
}

#[test]
fn what_has_no_tokens_or_no_heads_is_refused() {
    let tanh = Activation::Tanh;
    for (heads, width) in [(0, 4), (2, 0)] {
        let said = refused(&config(tanh, attention(heads, width)));
        let expected = "connection 1 needs at least one head, and keys of a width of at least 1";
        assert!(said.starts_with(expected), "{said}");
    }
    for (heads, width) in [(usize::MAX, 1), (1 << 40, 1 << 40), (1, usize::MAX / 2)] {
        let said = refused(&config(tanh, attention(heads, width)));
        assert!(said.contains("cannot be counted"), "{said}");
    }
    let mut flat = config(tanh, attention(2, 3));
    flat.connections[1] = joined(2, 2, attention(2, 3));
    let said = refused(&flat);
    assert!(
        said.contains("connection 1 needs a layer of feature maps"),
        "{said}"
    );
    let mut between = config(tanh, attention(2, 3));
    for (from, to) in [(0, 1), (1, 2), (2, 1)] {
        between.connections[1] = joined(from, to, attention(2, 3));
        let said = refused(&between);
        assert!(
            said.contains("connection 1 needs the same layer at both ends"),
            "{said}"
        );
    }
}

#[test]
fn models_that_have_no_place_for_attention_refuse_it() {
    let graph = config(Activation::HardSigmoid, attention(2, 3));
    let untied = Model::Untied {
        update: Default::default(),
        feedback: Default::default(),
    };
    let predictive_coding = Model::PredictiveCoding {
        layer_update: Default::default(),
        parametrization: Default::default(),
    };
    let mut phases = graph.clone();
    for layer in &mut phases.layers {
        layer.activation = Activation::Phase;
    }
    let oscillators = OscillatorNetworkConfig::new(phases).validate();
    let said = oscillators.expect_err("refused").to_string();
    assert!(
        said.contains("attention is no coupling of phases"),
        "{said}"
    );
    for (model, expected) in [
        (
            untied,
            "connection 1 needs the model \"hopfield\": attention",
        ),
        (predictive_coding, "needs a chain of layers"),
        (
            Model::Resistive { input_gain: 1.0 },
            "needs the model \"hopfield\"",
        ),
    ] {
        let graph = graph.clone();
        let error = ModelConfig { model, graph }.validate();
        let said = error.expect_err("refused").to_string();
        assert!(said.contains(expected), "{said}");
    }
    assert!(PredictiveCodingConfig::new(graph).validate().is_err());
}

#[test]
#[should_panic(expected = "attention is a term of an energy")]
fn an_untied_network_is_not_made_with_attention() {
    let graph = config(Activation::HardSigmoid, attention(2, 3));
    UntiedHopfieldConfig::new(graph).init(&burn::tensor::Device::flex());
}

#[test]
fn two_attentions_of_one_layer_are_not() {
    let mut graph = config(Activation::Tanh, attention(1, 1));
    graph.connections.push(joined(1, 1, attention(2, 3)));
    graph.layers.push(LayerConfig::new(2, Activation::Tanh));
    graph.connections.push(connection(2, 3));
    assert_eq!(graph.validate(), Ok(()));
}
