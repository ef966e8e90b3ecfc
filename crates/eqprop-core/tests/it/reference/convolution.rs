//! Two convolutions with pooling and a dense, linear output: 1×8×8, 3×4×4, 4×2×2, 5.

use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionKind, ConvolutionConfig, Pooling};
use eqprop_core::cost::CostConfig;
use eqprop_core::energy::{HopfieldEnergyConfig, LayerConfig};
use eqprop_testing::{connection, joined};

use super::{FILE_SCHEME, Model, SCHEMES, Start};

fn model(pooling: Pooling) -> Model {
    let kernel = ConvolutionConfig::new(3).with_padding(1);
    let convolution = ConnectionKind::Convolution(kernel.with_pooling(pooling));
    let layers = vec![
        LayerConfig::new([3, 4, 4], Activation::HardSigmoid),
        LayerConfig::new([4, 2, 2], Activation::HardSigmoid),
        LayerConfig::new(5, Activation::Identity),
    ];
    let connections = vec![
        joined(0, 1, convolution),
        joined(1, 2, convolution),
        connection(2, 3),
    ];
    let (file_error, gap) = match pooling {
        Pooling::Max(_) => (0.0, 1.4e-3..1.7e-3),
        _ => (2e-7, 7e-3..9e-3),
    };
    // With max pooling the states have several minima, and from the initial state only the steps that
    // the file was made with lead to its.
    let start = |scheme| match pooling {
        Pooling::Max(_) if scheme != FILE_SCHEME => Start::NearIt,
        _ => Start::Rest,
    };
    Model {
        config: HopfieldEnergyConfig::new([1, 8, 8].into(), layers, connections),
        // A bias of the file belongs to the convolution, and passes through the pooling as it is.
        names: ["K0", "K1", "W2", "c0", "c1", "b2"]
            .map(str::to_owned)
            .to_vec(),
        cost: CostConfig::SquaredError,
        n_classes: 5,
        readout: vec![],
        schemes: SCHEMES.map(|scheme| (scheme, start(scheme))).to_vec(),
        max_steps: 10_000,
        state_errors: 4.0,
        gradient_errors: 5.0,
        file_error,
        gap,
    }
}

#[test]
fn max_pooling_agrees_with_the_reference() {
    model(Pooling::Max(2)).check("conv_max_pool.json");
}

#[test]
fn average_pooling_agrees_with_the_reference() {
    model(Pooling::Average(2)).check("conv_avg_pool.json");
}
