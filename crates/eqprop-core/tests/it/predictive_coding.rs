//! The predictive coding energy: its slopes, its forward pass and the results that it computes only
//! once.

mod burn_layers;
mod config;
mod depth;
mod error_descent;
mod fused;
mod gradient;
mod memory;
mod reference;

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::connection::{ConnectionKind, ConvolutionConfig, Pooling};
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{
    Energy, HopfieldEnergyConfig, LayerConfig, LayerUpdate, Parametrization, PredictiveCoding,
    PredictiveCodingConfig, TotalEnergy, VectorField,
};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::shape::LayerShape;
use eqprop_core::state::State;
use eqprop_testing::{
    ACTIVATIONS, Numbers, Setup, assert_close, chain, connection, filled, gradients_in, joined,
    moved, parameter_differences, values,
};

const BATCH: usize = 3;

/// Dense layers, and convolutions of every kind between maps with a dense layer on top.
fn chains(activation: Activation) -> Vec<(String, HopfieldEnergyConfig)> {
    let mut chains = vec![
        ("dense".to_owned(), chain(&[3, 4, 5, 2], activation)),
        ("one layer".to_owned(), chain(&[3, 2], activation)),
    ];
    let kernel = ConvolutionConfig::new;
    for (convolution, size) in [
        (kernel(3).with_padding(1), [4, 4]),
        (
            kernel(3).with_padding(1).with_pooling(Pooling::Max(2)),
            [4, 4],
        ),
        (kernel(2).with_pooling(Pooling::Average(2)), [5, 3]),
        (kernel(2).with_stride(2), [5, 4]),
    ] {
        chains.push((
            format!("{convolution:?}"),
            convolutional(activation, convolution, size),
        ));
    }
    for (name, _) in &mut chains {
        *name = format!("{activation:?}, {name}");
    }
    chains
}

/// A convolution of stride 1 from the input, then the given one between free layers, then a dense
/// layer.
fn convolutional(
    activation: Activation,
    convolution: ConvolutionConfig,
    size: [usize; 2],
) -> HopfieldEnergyConfig {
    let [height, width] = size;
    let [rows, columns] = convolution.output(size).expect("the maps fit the kernel");
    let same = ConnectionKind::Convolution(ConvolutionConfig::new(3).with_padding(1));
    let shapes: [LayerShape; 3] = [
        [2, height, width].into(),
        [3, rows, columns].into(),
        2.into(),
    ];
    let layers = shapes.map(|shape| LayerConfig::new(shape, activation));
    let connections = vec![
        joined(0, 1, same),
        joined(1, 2, ConnectionKind::Convolution(convolution)),
        connection(2, 3),
    ];
    HopfieldEnergyConfig::new([1, height, width].into(), layers.to_vec(), connections)
}

/// Residual blocks, of dense layers and of maps, with the factors of μPC.
fn residual(activation: Activation) -> Vec<(String, PredictiveCodingConfig)> {
    let mut dense = chain(&[3, 4, 4, 4, 2], activation);
    let mut maps = convolutional(
        activation,
        ConvolutionConfig::new(3).with_padding(1),
        [4, 3],
    );
    maps.layers[0].shape = maps.layers[1].shape;
    for (chain, blocks) in [(&mut dense, 2..4), (&mut maps, 2..3)] {
        let identities = blocks.map(|to| joined(to - 1, to, ConnectionKind::Identity));
        chain.connections.extend(identities);
    }
    let config = |(name, chain)| {
        let config = PredictiveCodingConfig::new(chain);
        let name = format!("{activation:?}, residual {name}");
        (name, config.with_parametrization(Parametrization::MuPc))
    };
    [("dense", dense), ("maps", maps)].map(config).to_vec()
}

/// A network with parameters in ±`scale`, an input and two states anywhere.
struct Problem {
    energy: PredictiveCoding,
    input: Tensor<2>,
    states: [State; 2],
}

impl Problem {
    fn new(config: &HopfieldEnergyConfig, setup: &Setup, scale: f64) -> Self {
        Self::with_update(config, setup, scale, LayerUpdate::Projected)
    }

    fn with_update(
        config: &HopfieldEnergyConfig,
        setup: &Setup,
        scale: f64,
        layer_update: LayerUpdate,
    ) -> Self {
        let config = PredictiveCodingConfig::new(config.clone());
        Self::of(&config.with_layer_update(layer_update), setup, scale)
    }

    fn of(config: &PredictiveCodingConfig, setup: &Setup, scale: f64) -> Self {
        let mut numbers = Numbers(1);
        let energy = filled(config.init(&setup.device), setup, |n| {
            numbers.list(n, -scale, scale)
        });
        let mut matrix = |n_units| numbers.matrix(setup, [BATCH, n_units], -0.5, 1.5);
        let input = matrix(config.chain.input.n_units());
        let layers = config.chain.layers.iter();
        let states =
            [(); 2].map(|()| State::new(layers.clone().map(|l| matrix(l.n_units())).collect()));
        Self {
            energy,
            input,
            states,
        }
    }
}

/// Calls `check` for every chain with every activation.
fn for_all(check: impl Fn(Problem, &str)) {
    for activation in ACTIVATIONS {
        for (name, config) in chains(activation) {
            check(Problem::new(&config, &Setup::double(), 0.6), &name);
        }
        // With factors of a half to a tenth.
        for (name, config) in residual(activation) {
            check(Problem::of(&config, &Setup::double(), 2.0), &name);
        }
    }
}

/// Central differences of energies of order 10 in f64, none of which has a kink this near: ε² =
/// 1e-12 of truncation times third derivatives of some 100, 1e-15/ε of rounding.
const EPSILON: f64 = 1e-6;
const TOLERANCE: f64 = 1e-7;

#[test]
fn the_drive_is_the_negative_slope_of_the_energy_without_the_potential() {
    for_all(|problem, what| {
        let Problem {
            energy,
            input,
            states: [state, _],
        } = problem;
        let clamped = energy.clamp(&input);
        let mut size = 0f64;
        for (layer, config) in energy.layers().iter().enumerate() {
            let interaction = |state: &State| {
                let potential = config.activation.potential(state.layer(layer).clone());
                values(&(energy.energy(&clamped, state) - potential))
            };
            let n_units = config.n_units();
            let drive = values(&energy.drive(layer, &clamped, &state));
            for unit in 0..n_units {
                let up = interaction(&moved(&state, layer, unit, EPSILON));
                let down = interaction(&moved(&state, layer, unit, -EPSILON));
                for example in 0..BATCH {
                    let slope = (up[example] - down[example]) / (2.0 * EPSILON);
                    let found = drive[example * n_units + unit];
                    assert_close(&[found], &[-slope], TOLERANCE, what);
                    size = size.max(slope.abs());
                }
            }
        }
        // The sign matters.
        assert!(size > 10.0 * TOLERANCE, "{what}: nothing to compare");
    });
}

#[test]
fn the_contrast_is_the_slope_of_the_mean_energy_difference() {
    let scale = 1.7;
    for_all(|problem, what| {
        let Problem {
            energy,
            input,
            states: [first, second],
        } = problem;
        let found = gradients_in(
            &energy,
            &energy.contrast(&energy.clamp(&input), &first, &second, scale),
        );
        let expected = parameter_differences(&energy, EPSILON, |energy| {
            let clamped = energy.clamp(&input);
            let difference = energy.energy(&clamped, &first) - energy.energy(&clamped, &second);
            difference.mean().into_scalar::<f64>() * scale
        });
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(found, expected, TOLERANCE, what);
            assert!(
                expected.iter().any(|g| g.abs() > 1e3 * TOLERANCE),
                "{what}: nothing to compare"
            );
        }
    });
}

#[test]
fn the_forward_pass_has_neither_energy_nor_slope_and_a_free_step_leaves_it() {
    for_all(|problem, what| {
        let Problem {
            energy,
            input,
            states: [elsewhere, _],
        } = problem;
        let clamped = energy.clamp(&input);
        let start = energy.start(&input, &clamped);
        let pass = energy.forward(&input);
        assert_eq!(values(&start.max_distance(&pass)), [0.0; BATCH], "{what}");
        let zero = |state: &State| {
            let gradients = energy.contrast(&energy.clamp(&input), state, &elsewhere, 1.0);
            let other = energy.contrast(&energy.clamp(&input), &elsewhere, state, -1.0);
            let sum = |lists: Vec<Vec<f64>>| lists.concat();
            let pairs = [&gradients, &other].map(|g| sum(gradients_in(&energy, g)));
            // What is left is the slope elsewhere, whichever of the two comes first.
            assert_close(&pairs[0], &pairs[1], 1e-14, what);
            values(&energy.energy(&energy.clamp(&input), state))
        };
        assert_eq!(zero(&start), [0.0; BATCH], "{what}");
        let gradients = energy.contrast(&energy.clamp(&input), &start, &pass, 1.0);
        assert!(
            gradients_in(&energy, &gradients)
                .concat()
                .iter()
                .all(|g| *g == 0.0),
            "{what}"
        );
        // Elsewhere there is both.
        assert!(zero(&elsewhere).iter().all(|e| *e > 1e-3), "{what}");

        let total = TotalEnergy::<_, SquaredError>::free(&energy, &clamped);
        for scheme in [
            Scheme::Asynchronous,
            Scheme::FixedPoint,
            Scheme::GradientFlow { step_size: 0.5 },
        ] {
            let relaxation = Relaxation::steps(scheme, 2);
            let relaxed = relaxation.relax(&total, start.clone());
            assert_eq!(values(&relaxed.residual), [0.0; BATCH], "{what}");
            for layer in 0..energy.layers().len() {
                // Not even looked at.
                let versions = [&relaxed.state, &start].map(|state| state.version(layer));
                assert_eq!(versions[0], versions[1], "{what}");
            }
            // The same from a state that is not known to be an equilibrium: P(σ(a)) = σ(a), and
            // only a softmax is rounded again.
            let unknown = State::new(pass.layers().to_vec());
            let relaxed = relaxation.relax(&total, unknown);
            assert!(relaxed.info().residual < 1e-14, "{what}, {scheme:?}");
            let relaxed = Relaxation::steps(scheme, 1).relax(&total, elsewhere.clone());
            assert!(relaxed.info().residual > 1e-2, "{what}, {scheme:?}");
        }
    });
}

#[test]
fn the_pre_activation_update_moves_layers_from_before_they_were_clipped() {
    let setup = Setup::double();
    for activation in [Activation::Relu, Activation::HardSigmoid] {
        let (mut n_clipped, mut n_reached) = (0, 0);
        for (what, config) in chains(activation) {
            let [projected, pre_activation] = [LayerUpdate::Projected, LayerUpdate::PreActivation]
                .map(|update| Problem::with_update(&config, &setup, 1.0, update));
            let state = &projected.states[0];
            let drives = |problem: &Problem, layer| {
                let clamped = problem.energy.clamp(&problem.input);
                problem.energy.drive(layer, &clamped, state)
            };
            for layer in 0..config.layers.len() {
                let below = match layer {
                    0 => projected.input.clone(),
                    _ => state.layer(layer - 1).clone(),
                };
                let connection = &projected.energy.connections[layer];
                let drive = connection.forward(below.clone()) + projected.energy.bias(layer);
                let clipped = drive.clone() - activation.apply(drive);
                let found = drives(&pre_activation, layer) - drives(&projected, layer);
                assert_close(&values(&found), &values(&clipped), 1e-14, &what);
                n_clipped += values(&clipped).iter().filter(|by| by.abs() > 1e-3).count();
                for problem in [&projected, &pre_activation] {
                    let from_below = problem.energy.drive_from_below(layer, &below);
                    let from_above = drives(problem, layer) - from_below;
                    let zeros = vec![0.0; values(&from_above).len()];
                    let is_output = layer + 1 == config.layers.len();
                    let reached = values(&from_above) != zeros;
                    assert!(
                        !(is_output && reached),
                        "{what}: nothing is above the output"
                    );
                    n_reached += usize::from(reached);
                }
            }
        }
        assert!(n_clipped > 10, "{n_clipped} units make a difference");
        assert!(n_reached > 4, "{n_reached} layers hear from above");
    }
}

#[test]
fn even_and_odd_layers_move_in_turn_and_the_output_first() {
    let groups = |sizes: &[usize]| {
        let config = PredictiveCodingConfig::new(chain(sizes, Activation::Relu));
        config.init(&Setup::double().device).groups().to_vec()
    };
    assert_eq!(groups(&[3, 2]), [vec![0]]);
    assert_eq!(groups(&[3, 2, 2]), [vec![1], vec![0]]);
    assert_eq!(groups(&[3, 2, 2, 2, 2]), [vec![1, 3], vec![0, 2]]);
}
