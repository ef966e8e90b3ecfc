//! Theorems and claims of Scellier & Bengio (2017), <https://arxiv.org/abs/1602.05179>, as equations in
//! `f64`.
//!
//! | module | statement |
//! | --- | --- |
//! | `gradient` | theorem 1, against differences of the whole procedure |
//! | `nudged_cost` | proposition 2: the nudge lowers the cost |
//! | `error_derivatives` | the nudged path carries error derivatives |
//! | `spike_timing` | eqs. 11 to 14: the update summed along the path |
//! | `contrastive_hebbian` | §4.1: the limit of large β |

mod contrastive_hebbian;
mod error_derivatives;
mod gradient;
mod nudged_cost;
mod spike_timing;

use burn::tensor::Tensor;
use eqprop_core::activation::Activation;
use eqprop_core::cost::{AnyCost, Cost, CostConfig};
use eqprop_core::energy::{HopfieldEnergy, HopfieldEnergyConfig, TotalEnergy, VectorField};
use eqprop_core::relaxation::{Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_testing::{Numbers, Setup, cost, equilibrium, graph, network, values};

/// A network with a cost, a batch of random inputs and random classes as targets.
struct Problem {
    setup: Setup,
    energy: HopfieldEnergy,
    cost: AnyCost,
    input: Tensor<2>,
    target: Tensor<2>,
}

impl Problem {
    /// All parameters are uniform in `±scale`, those of a readout in `±1`.
    fn new(
        config: &HopfieldEnergyConfig,
        which: CostConfig,
        scale: f64,
        batch: usize,
        seed: u64,
    ) -> Self {
        let setup = Setup::double();
        let mut numbers = Numbers(seed);
        let n_outputs = config.layers.last().expect("a layer").n_units();
        let classes = (0..batch).map(|_| numbers.uniform(0.0, n_outputs as f64) as usize);
        let target = setup.one_hot(&classes.collect::<Vec<_>>(), n_outputs);
        Self {
            energy: network(config, &setup, scale, seed + 1),
            cost: cost(which, n_outputs, &setup, 1.0, seed + 2),
            input: numbers.matrix(&setup, [batch, config.input.n_units()], 0.0, 1.0),
            target,
            setup,
        }
    }

    /// The input, clamped.
    fn clamped(&self) -> <HopfieldEnergy as VectorField>::Clamped {
        self.energy.clamp(&self.input)
    }

    /// Calls `work` with the total energy at `beta`.
    fn nudged<T>(
        &self,
        energy: &HopfieldEnergy,
        beta: f64,
        work: impl FnOnce(&TotalEnergy<'_, HopfieldEnergy, AnyCost>) -> T,
    ) -> T {
        let clamped = energy.clamp(&self.input);
        let beta = self.setup.number(beta);
        let nudged = TotalEnergy::nudged(energy, &clamped, &self.cost, &self.target, beta);
        work(&nudged)
    }

    /// The equilibrium at `beta` that the network with other parameters reaches from `start`.
    fn relax_with(&self, energy: &HopfieldEnergy, beta: f64, start: State) -> State {
        self.nudged(energy, beta, |total| {
            equilibrium(total, start, Scheme::Asynchronous, &self.setup)
        })
    }

    fn relax(&self, beta: f64, start: State) -> State {
        self.relax_with(&self.energy, beta, start)
    }

    /// The free equilibrium that the network with other parameters reaches from the initial state.
    fn free_with(&self, energy: &HopfieldEnergy) -> State {
        self.relax_with(energy, 0.0, energy.rest(&self.input))
    }

    fn free(&self) -> State {
        self.free_with(&self.energy)
    }

    /// `start` and the states after each of `n_steps` steps.
    fn path(&self, scheme: Scheme, beta: f64, start: State, n_steps: usize) -> Vec<State> {
        let mut path = Vec::new();
        self.nudged(&self.energy, beta, |total| {
            Relaxation::steps(scheme, n_steps)
                .relax_observed(total, start, |_, state| path.push(state.clone()))
        });
        path
    }

    /// The cost of each example.
    fn cost_of(&self, state: &State) -> Vec<f64> {
        values(&self.cost.value(state.output(), &self.target))
    }

    /// The force `−∂C/∂s_out` at β = 1, `[batch, n_units]`.
    fn force(&self, output: &Tensor<2>) -> Tensor<2> {
        let activation = self.energy.layers().last().expect("a layer").activation;
        let nudge = self
            .cost
            .nudge(&self.target, self.setup.number(1.0), activation);
        self.cost.force(&nudge, output)
    }

    /// The drive of every layer.
    fn drives(&self, state: &State) -> Vec<Tensor<2>> {
        let clamped = self.energy.clamp(&self.input);
        (0..state.layers().len())
            .map(|layer| self.energy.drive(layer, &clamped, state))
            .collect()
    }
}

/// [`graph`] with a different activation in the output layer.
fn graph_to(
    sizes: &[usize],
    hidden: Activation,
    output: Activation,
    ends: &[(usize, usize)],
) -> HopfieldEnergyConfig {
    let mut config = graph(sizes, hidden, ends);
    config.layers.last_mut().expect("a layer").activation = output;
    config
}

/// `(b − a) · scale`, layer by layer.
fn change(a: &State, b: &State, scale: f64) -> Vec<Vec<f64>> {
    let pairs = a.layers().iter().zip(b.layers());
    pairs
        .map(|(a, b)| values(&((b.clone() - a.clone()) * scale)))
        .collect()
}

/// `a + weight (b − a)`, entry by entry: with a weight of `−1/3` from a step to half that step,
/// Richardson's extrapolation for an error of second order.
fn extrapolate(a: &[f64], b: &[f64], weight: f64) -> Vec<f64> {
    let pairs = a.iter().zip(b);
    pairs.map(|(a, b)| a + weight * (b - a)).collect()
}
