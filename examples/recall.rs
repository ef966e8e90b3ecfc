//! Associative memory: stores patterns by equilibrium propagation, and recalls them from partial or corrupted
//! copies.
//!
//! The network is one layer of units that all drive each other, as in Hopfield's network, without input. A
//! pattern with some flipped units is the start of the free phase; a pattern of which a part is known is
//! clamped there. The nudge pulls the state toward the pattern it came from, so that every pattern becomes an
//! equilibrium that attracts the states near it:
//!
//! ```text
//! ΔW_ij ∝ (s_i s_j)^β − (s_i s_j)⁰
//! ```
//!
//! `cargo run --release --example recall`

use burn::tensor::{Bool, Distribution};
use eqprop_core::connection::{ConnectionConfig, ConnectionKind};
use eqprop_train::prelude::*;

const N_UNITS: usize = 200;
const N_PATTERNS: usize = 20;
const N_EPOCHS: usize = 40;

type Memory = PartlyClamped<HopfieldEnergy>;

fn main() -> anyhow::Result<()> {
    let device = Device::default().autodiff();
    device.seed(0);
    let plain = device.clone().without_autodiff();
    let patterns = Tensor::<2>::random([N_PATTERNS, N_UNITS], Distribution::Default, &plain);
    let patterns = (patterns - 0.5).sign();

    let itself = ConnectionConfig {
        from: 1,
        to: 1,
        kind: ConnectionKind::Dense,
        initializer: InitializerConfig::FanIn { gain: 0.01 },
    };
    let layer = LayerConfig::new(N_UNITS, Activation::Tanh);
    let energy = HopfieldEnergyConfig::new(1.into(), vec![layer], vec![itself]).init(&device);
    let network = EquilibriumNetwork::new(PartlyClamped::new(energy, [0]), SquaredError);
    // All units move at once, in steps small enough that they do not oscillate.
    let phase = |n_steps| Relaxation::steps(Scheme::GradientFlow { step_size: 0.5 }, n_steps);
    // With −β the state would be pushed away from its pattern and toward another one.
    let nudging = Nudging::OneSided { beta: 1.0 };
    let method = EquilibriumPropagation::new(nudging, phase(20), phase(6));
    let recall = phase(100);
    let mut learner = EquilibriumLearner::new(network, method.clone());
    let mut optimizer: ModuleOptimizer = SgdConfig::new().init();

    let unknown = || Tensor::full([N_PATTERNS, N_UNITS], f32::NAN, &plain);
    // Only half of the units are known, a different half each time.
    let half = || {
        let is_unknown = chosen(0.5, &plain);
        patterns.clone().mask_fill(is_unknown, f32::NAN)
    };
    println!("epoch  recalled with 20 % of the units flipped, and from a half of the units");
    for epoch in 0..=N_EPOCHS {
        if epoch % 10 == 0 {
            let network = &learner.network.valid();
            let (mut from_flipped, mut from_half) = (0.0, 0.0);
            const N_TIMES: usize = 10;
            for _ in 0..N_TIMES {
                let start = Some(State::new(vec![flipped(&patterns)]));
                let state = network.relax(&recall, &unknown(), start).state;
                from_flipped += exact(&state, &patterns) / N_TIMES as f64;
                let state = network.relax(&recall, &half(), None).state;
                from_half += exact(&state, &patterns) / N_TIMES as f64;
            }
            println!(
                "{epoch:>5} {:>6.1} % {:>6.1} %",
                100.0 * from_flipped,
                100.0 * from_half
            );
        }
        let batch = Batch::new(unknown(), patterns.clone());
        let start = State::new(vec![flipped(&patterns)]);
        let network: &EquilibriumNetwork<Memory, _> = &learner.network;
        let estimate = method.estimate(network, &batch, Some(start));
        learner = learner.optimize(&mut optimizer, 0.025.into(), estimate.gradients);
    }
    Ok(())
}

/// Draws a random share of the units of each pattern.
fn chosen(share: f64, device: &Device) -> Tensor<2, Bool> {
    let shape = [N_PATTERNS, N_UNITS];
    let noise = Tensor::<2>::random(shape, Distribution::Default, device);
    let n_chosen = (share * N_UNITS as f64) as usize;
    let largest = noise.clone().sort(1).narrow(1, n_chosen - 1, 1);
    noise.lower_equal(largest.expand(shape))
}

/// Returns the patterns with a random fifth of the units of each flipped. The values are not quite at the
/// ends of the range, where no drive would move a unit.
fn flipped(patterns: &Tensor<2>) -> Tensor<2> {
    let is_flipped = chosen(0.2, &patterns.device());
    let flipped = patterns.clone().neg();
    patterns.clone().mask_where(is_flipped, flipped) * 0.9
}

/// Returns the share of patterns in which every unit has the right sign.
fn exact(state: &State, patterns: &Tensor<2>) -> f64 {
    let right = state.output().clone().sign().equal(patterns.clone());
    let n_right = right.float().sum_dim(1);
    let whole = n_right.equal_elem(N_UNITS as f64).float();
    whole.mean().into_scalar::<f64>()
}
