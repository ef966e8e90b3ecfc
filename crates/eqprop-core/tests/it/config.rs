//! Configurations: refusals, files, initial weights.

mod file;
mod weights;

use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionKind, ConvolutionConfig, InitializerConfig, Pooling};
use eqprop_core::energy::{HopfieldEnergyConfig, LayerConfig};
use eqprop_core::error::ConfigError;
use eqprop_core::shape::LayerShape;
use eqprop_testing::{Setup, connection, graph, joined};

fn valid() -> HopfieldEnergyConfig {
    graph(
        &[3, 4, 2],
        Activation::HardSigmoid,
        &[(0, 1), (1, 2), (0, 2)],
    )
}

#[test]
fn each_mistake_in_a_configuration_has_its_message() {
    let refused = |change: &dyn Fn(&mut HopfieldEnergyConfig)| {
        let mut config = valid();
        change(&mut config);
        let error: ConfigError = config.validate().expect_err("refused");
        error.to_string()
    };
    assert_eq!(valid().validate(), Ok(()));
    assert_eq!(
        refused(&|c| c.input = LayerShape::Flat(0)),
        "input size must be at least 1, but is 0"
    );
    assert_eq!(
        refused(&|c| c.layers[1].shape = LayerShape::Flat(0)),
        "layer size must be at least 1, but is 0"
    );
    assert_eq!(
        refused(&|c| c.layers.clear()),
        "a network needs at least one layer above the input"
    );
    for max in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(
            refused(&|c| c.layers[0].activation = Activation::ClippedRelu { max }),
            format!("clipped_relu max must be a positive number, but is {max}")
        );
        assert_eq!(
            refused(&|c| c.connections[0].initializer = InitializerConfig::FanIn { gain: max }),
            format!("initializer gain must be a positive number, but is {max}")
        );
    }
    for (from, to) in [(1, 3), (3, 1)] {
        assert_eq!(
            refused(&|c| c.connections.push(connection(from, to))),
            format!(
                "connection 3 joins layers {from} and {to}, but the network has layers 0 (the \
                 input) to 2"
            )
        );
    }
    for from in [0, 1] {
        assert_eq!(
            refused(&|c| c.connections.push(connection(from, 0))),
            "connection 3 leads into layer 0, the clamped input; swap its ends"
        );
    }
    assert_eq!(
        refused(&|c| c.connections.truncate(1)),
        "layer 2 has no connection"
    );
}

/// Two layers with a connection of `kind` between them.
fn two(input: LayerShape, layer: LayerShape, kind: ConnectionKind) -> HopfieldEnergyConfig {
    let layer = LayerConfig::new(layer, Activation::Tanh);
    HopfieldEnergyConfig::new(input, vec![layer], vec![joined(0, 1, kind)])
}

#[test]
fn a_connection_that_does_not_fit_its_layers_is_refused_with_what_would() {
    let maps = LayerShape::Maps;
    let identity = ConnectionKind::Identity;
    let kernel = ConvolutionConfig::new;
    let convolution = ConnectionKind::Convolution;
    let pooled = |pooling| convolution(kernel(3).with_pooling(pooling));
    let at_both_ends = "layers of feature maps at both ends";
    let geometry = "a kernel that fits into the layer below, a stride of at least 1, and pooling \
                    windows that tile the result";
    for (from, to, kind, needed) in [
        (
            maps([1, 8, 8]),
            LayerShape::Flat(36),
            convolution(kernel(3)),
            at_both_ends,
        ),
        (
            LayerShape::Flat(64),
            maps([1, 6, 6]),
            convolution(kernel(3)),
            at_both_ends,
        ),
        // Rows and columns in their order, with the channels that were asked for.
        (
            maps([2, 8, 9]),
            maps([5, 8, 9]),
            convolution(kernel(3)),
            "5×6×7 units in the layer above",
        ),
        (
            maps([2, 8, 9]),
            maps([5, 7, 6]),
            convolution(kernel(3)),
            "5×6×7 units in the layer above",
        ),
        (
            maps([2, 8, 8]),
            maps([5, 6, 6]),
            convolution(kernel(3).with_stride(2).with_padding(1)),
            "5×4×4 units in the layer above",
        ),
        (
            maps([1, 8, 8]),
            maps([1, 6, 6]),
            pooled(Pooling::Max(2)),
            "1×3×3 units in the layer above",
        ),
        (
            maps([1, 7, 8]),
            maps([1, 2, 3]),
            pooled(Pooling::Max(2)),
            geometry,
        ),
        (
            maps([1, 8, 7]),
            maps([1, 3, 2]),
            pooled(Pooling::Average(2)),
            geometry,
        ),
        (
            maps([1, 8, 8]),
            maps([1, 6, 6]),
            pooled(Pooling::Max(0)),
            geometry,
        ),
        (
            maps([1, 8, 8]),
            maps([1, 6, 6]),
            convolution(kernel(0)),
            geometry,
        ),
        (
            maps([1, 8, 8]),
            maps([1, 6, 6]),
            convolution(kernel(3).with_stride(0)),
            geometry,
        ),
        (
            maps([1, 8, 2]),
            maps([1, 6, 1]),
            convolution(kernel(3)),
            geometry,
        ),
        (
            LayerShape::Flat(4),
            LayerShape::Flat(5),
            identity,
            "two layers of the same shape",
        ),
        (
            maps([2, 3, 4]),
            maps([4, 3, 2]),
            identity,
            "two layers of the same shape",
        ),
    ] {
        let config = two(from, to, kind);
        let error = config.validate().expect_err("refused").to_string();
        assert_eq!(error, format!("connection 0 needs {needed}"), "{config:?}");
    }
    for (from, to, kind) in [
        (maps([2, 8, 9]), maps([5, 6, 7]), convolution(kernel(3))),
        (maps([1, 8, 6]), maps([1, 3, 2]), pooled(Pooling::Max(2))),
        (
            maps([1, 8, 2]),
            maps([1, 8, 2]),
            convolution(kernel(3).with_padding(1)),
        ),
        (maps([2, 3, 4]), maps([2, 3, 4]), identity),
        (LayerShape::Flat(4), LayerShape::Flat(4), identity),
        (maps([2, 3, 4]), LayerShape::Flat(5), ConnectionKind::Dense),
    ] {
        assert_eq!(
            two(from, to, kind).validate(),
            Ok(()),
            "{from}, {to}, {kind:?}"
        );
    }
}

#[test]
fn a_layer_is_joined_to_itself_by_dense_connections_only() {
    let same = ConvolutionConfig::new(3).with_padding(1);
    for kind in [ConnectionKind::Identity, ConnectionKind::Convolution(same)] {
        let mut config = two([2, 3, 4].into(), [2, 3, 4].into(), kind);
        config.connections.push(joined(1, 1, kind));
        let error = config.validate().expect_err("refused").to_string();
        assert_eq!(error, "connection 1 needs two different layers");
        config.connections[1] = connection(1, 1);
        assert_eq!(config.validate(), Ok(()));
    }
}

#[test]
fn layers_without_units_are_refused() {
    for sizes in [[0, 3, 3], [2, 0, 3], [2, 3, 0]] {
        let config = two(3.into(), sizes.into(), ConnectionKind::Dense);
        let error = config.validate().expect_err("refused").to_string();
        assert_eq!(error, "layer size must be at least 1, but is 0");
    }
}

/// Counts of units and weights would overflow, some to 0 and some to a number that fits.
#[test]
fn layers_and_kernels_that_cannot_be_counted_are_refused() {
    let most = LayerShape::MOST_UNITS;
    let wrapping = [most + 1, most + 1, 1];
    for (shape, name) in [
        (LayerShape::Flat(most + 1), "4294967296"),
        (LayerShape::Flat(usize::MAX), "18446744073709551615"),
        (LayerShape::Maps(wrapping), "4294967296×4294967296×1"),
        (LayerShape::Maps([2, most, 1]), "2×4294967295×1"),
    ] {
        let message = format!(
            "a layer of {name} units is too large: at most 4294967295 can be connected; use fewer \
             units, or fewer and smaller feature maps"
        );
        let three = LayerShape::Flat(3);
        for (input, layer) in [(shape, three), (three, shape)] {
            let config = two(input, layer, ConnectionKind::Dense);
            let error = config.validate().expect_err("refused").to_string();
            assert_eq!(error, message);
        }
    }
    let most = LayerShape::Flat(most);
    // Each can be counted, their weights cannot.
    let error = two(most, most, ConnectionKind::Dense).validate();
    let error = error.expect_err("refused").to_string();
    let needed = "smaller layers: its weights cannot be counted";
    assert_eq!(error, format!("connection 0 needs {needed}"));
    assert_eq!(
        two(most, 3.into(), ConnectionKind::Dense).validate(),
        Ok(())
    );
    let empty = LayerShape::Maps([usize::MAX, usize::MAX, 0]);
    let error = two(empty, 3.into(), ConnectionKind::Dense).validate();
    let error = error.expect_err("refused").to_string();
    assert_eq!(error, "input size must be at least 1, but is 0");

    // One position for a kernel of 2³² by 2³².
    let size = 1 << 32;
    let kernel = ConvolutionConfig::new(size).with_padding(size / 2 - 1);
    let maps = |size| LayerShape::Maps([1, size, size]);
    let error = two(maps(2), maps(1), ConnectionKind::Convolution(kernel)).validate();
    let error = error.expect_err("refused").to_string();
    let needed = "a smaller kernel: its weights cannot be counted";
    assert_eq!(error, format!("connection 0 needs {needed}"));
}

#[test]
#[should_panic(expected = "connection 3 leads into layer 0, the clamped input; swap its ends")]
fn init_panics_with_the_message_of_validate() {
    let mut config = valid();
    config.connections.push(connection(2, 0));
    config.init(&Setup::double().device);
}

#[test]
#[should_panic(expected = "a network needs at least one layer above the input")]
fn init_panics_without_layers() {
    HopfieldEnergyConfig::new(3.into(), vec![], vec![]).init(&Setup::double().device);
}
