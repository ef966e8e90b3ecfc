//! Which steps raise the energy.

use eqprop_core::activation::Activation;
use eqprop_core::connection::{Connection, ConnectionKind, ConvolutionConfig, InitializerConfig};
use eqprop_core::cost::SquaredError;
use eqprop_core::energy::{
    HopfieldEnergy, HopfieldEnergyConfig, LayerConfig, TotalEnergy, VectorField,
};
use eqprop_core::relaxation::{Dynamics, Scheme};
use eqprop_testing::{
    Numbers, Setup, connection, filled_with, joined, network, parameters, values,
};
use proptest::prelude::*;

use super::{alone, attention};

const BATCH: usize = 8;

/// A network with attention: its tokens, their heads, and hidden maps of each token or none.
#[derive(Debug, Clone)]
struct Case {
    maps: [usize; 3],
    heads: [usize; 2],
    memories: usize,
    activations: [usize; 2],
    /// Range of all weights except those of the attention.
    scale: f64,
    beta: f64,
    seed: u64,
}

const BOUNDED: [Activation; 4] = [
    Activation::Tanh,
    Activation::Sigmoid,
    Activation::HardSigmoid,
    Activation::ClippedRelu { max: 0.7 },
];

fn any_case() -> impl Strategy<Value = Case> {
    let shapes = (
        [1..6_usize, 1..4_usize, 1..5_usize],
        [1..4_usize, 1..5_usize],
        0..3_usize,
        [0..BOUNDED.len(), 0..BOUNDED.len()],
    );
    let numbers = (0.05..1.5_f64, -1.0..3.0_f64, any::<u64>());
    (shapes, numbers).prop_map(|(shapes, (scale, beta, seed))| {
        let (maps, heads, memories, activations) = shapes;
        Case {
            maps,
            heads,
            memories,
            activations,
            scale,
            beta,
            seed,
        }
    })
}

impl Case {
    fn config(&self) -> HopfieldEnergyConfig {
        let [tokens, others] = self.activations.map(|index| BOUNDED[index]);
        let [_, rows, columns] = self.maps;
        let mut connections = vec![
            connection(0, 1),
            joined(1, 1, attention(self.heads[0], self.heads[1])),
        ];
        let mut layers = vec![LayerConfig::new(self.maps, tokens)];
        if self.memories > 0 {
            let of_each = ConnectionKind::Convolution(ConvolutionConfig::new(1));
            connections.push(joined(1, 2, of_each));
            layers.push(LayerConfig::new([self.memories, rows, columns], others));
        }
        connections.push(connection(layers.len(), layers.len() + 1));
        layers.push(LayerConfig::new(3, others));
        HopfieldEnergyConfig::new(4.into(), layers, connections)
    }

    /// The network, with attention weights such that no curvature of the attention is above
    /// `curvature`.
    fn network(&self, curvature: f64) -> HopfieldEnergy {
        let energy = network(&self.config(), &Setup::double(), self.scale, self.seed);
        let factor = (curvature / curvature_bound(&energy, self.maps)).sqrt();
        with_attention_times(factor, energy)
    }

    /// The network with queries and keys initialized as in a preset.
    fn with_initial_attention(&self) -> HopfieldEnergy {
        let energy = network(&self.config(), &Setup::double(), self.scale, self.seed);
        let ([channels, ..], [heads, width]) = (self.maps, self.heads);
        let initializer = InitializerConfig::FanIn { gain: 0.5 };
        let bound = initializer.bound(channels, heads * width);
        with_attention_times(bound / self.scale, energy)
    }
}

/// `energy` with queries and keys times `factor`.
fn with_attention_times(factor: f64, energy: HopfieldEnergy) -> HopfieldEnergy {
    let mut lists = parameters(&energy);
    for list in &mut lists[1..3] {
        list.iter_mut().for_each(|weight| *weight *= factor);
    }
    filled_with(energy, &Setup::double(), &lists.concat())
}

/// `2√n Σ_heads ‖W_q‖ ‖W_k‖`, with Frobenius norms, which are no smaller than the spectral ones.
fn curvature_bound(energy: &HopfieldEnergy, [_, rows, columns]: [usize; 3]) -> f64 {
    let Connection::Attention(attention) = &energy.connections[1] else {
        panic!("not what was configured");
    };
    let width = attention.config().width;
    let norms = |weights| {
        let [_, n_columns]: [usize; 2] = burn::tensor::Tensor::<2>::dims(&weights);
        let weights = values(&weights);
        let of_head = |head: usize| {
            let entries = weights.iter().enumerate();
            let own = entries.filter(|(entry, _)| entry % n_columns / width == head);
            own.map(|(_, w)| w * w).sum::<f64>().sqrt()
        };
        (0..n_columns / width).map(of_head).collect::<Vec<_>>()
    };
    let (queries, keys) = (norms(attention.query.val()), norms(attention.key.val()));
    let products: f64 = queries.iter().zip(&keys).map(|(q, k)| q * k).sum();
    2.0 * ((rows * columns) as f64).sqrt() * products
}

/// The largest rise of the energy in a few steps from random states, free or nudged by `beta`, in units
/// of the possible rounding error.
fn largest_rise(energy: &HopfieldEnergy, beta: f64, scheme: Scheme, seed: u64) -> f64 {
    let setup = Setup::double();
    let mut numbers = Numbers(seed ^ 1);
    let n_inputs = parameters(energy)[0].len() / energy.layers()[0].n_units();
    let clamped = energy.clamp(&numbers.matrix(&setup, [BATCH, n_inputs], -1.0, 1.0));
    let n_outputs = energy.layers()[energy.layers().len() - 1].n_units();
    let target = numbers.matrix(&setup, [BATCH, n_outputs], 0.0, 1.0);
    let beta = setup.number(beta);
    let total = TotalEnergy::nudged(energy, &clamped, &SquaredError, &target, beta);
    let mut state = numbers.state(energy.layers(), &setup, BATCH);
    let mut scheme = scheme;
    let mut before = values(&total.value(&state));
    let mut rise = f64::NEG_INFINITY;
    for _ in 0..8 {
        scheme.step(&total, &mut state);
        let after = values(&total.value(&state));
        for (before, after) in before.iter().zip(&after) {
            // Some hundred roundings of terms as large as the energy, or as one per unit.
            rise = rise.max((after - before) / (1e-13 * (10.0 + before.abs())));
        }
        before = after;
    }
    rise
}

proptest! {
    // The same cases in every run, as in `properties`.
    #![proptest_config(ProptestConfig {
        cases: 128,
        rng_seed: proptest::test_runner::RngSeed::Fixed(0),
        ..ProptestConfig::default()
    })]

    /// The step of a layer with attention acts against a curvature of at most 1; every other layer
    /// moves to its minimum.
    #[test]
    fn the_energy_never_rises_in_an_asynchronous_sweep_with_a_curvature_of_at_most_one(
        case in any_case(),
    ) {
        let energy = case.network(1.0);
        for beta in [0.0, case.beta] {
            let rise = largest_rise(&energy, beta, Scheme::Asynchronous, case.seed);
            prop_assert!(rise <= 1.0, "beta {beta}: {rise:e}");
        }
    }

    /// Against a larger curvature: tokens alone that flow in steps of 2/(1 + Λ).
    #[test]
    fn the_energy_never_rises_in_a_step_of_flow_that_the_curvature_allows(
        case in any_case(),
        curvature in 1.0..50.0_f64,
    ) {
        let [heads, width] = case.heads;
        let energy = alone(case.maps, attention(heads, width), case.scale, case.seed);
        let curvature = curvature.max(curvature_bound(&energy, case.maps));
        let step_size = 2.0 / (1.0 + curvature);
        let rise = largest_rise(&energy, 0.0, Scheme::GradientFlow { step_size }, case.seed);
        prop_assert!(rise <= 1.0, "{rise:e}");
    }

    /// With the default dynamics, and queries and keys initialized as in the presets, far above the
    /// bound.
    #[test]
    fn the_energy_never_rises_by_default_in_a_network_as_it_begins(case in any_case()) {
        let energy = case.with_initial_attention();
        for beta in [0.0, case.beta] {
            let rise = largest_rise(&energy, beta, Scheme::default(), case.seed);
            prop_assert!(rise <= 1.0, "beta {beta}: {rise:e}");
        }
    }
}

/// Two tokens that repel each other, `W_k = −W_q`: the step goes too far, the flow does not.
#[test]
fn tokens_that_repel_each_other_strongly_raise_the_energy_unless_they_flow() {
    let setup = Setup::double();
    let maps = [1, 1, 2];
    let energy = alone(maps, attention(1, 1), 1.0, 1);
    // Weights from two inputs, query, key, bias.
    let energy = filled_with(energy, &setup, &[0.3, 0.2, 0.1, 0.4, 2.0, -2.0, 0.1]);
    let rise = |scheme| largest_rise(&energy, 0.0, scheme, 3);
    let asynchronous = rise(Scheme::Asynchronous);
    assert!(asynchronous > 1e9, "{asynchronous:e}");
    let step_size = 2.0 / (1.0 + curvature_bound(&energy, maps));
    let flow = rise(Scheme::GradientFlow { step_size });
    assert!(flow <= 1.0, "{flow:e}");
}
