//! Compares the second phase with backpropagation through time, step by step.

use burn::optim::GradientsParams;
use burn::tensor::{Int, Tensor, TensorData};
use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::relaxation::{Dynamics, Relaxation, Scheme};
use eqprop_core::state::State;
use eqprop_train::estimator::into_params;
use eqprop_train::network::EquilibriumNetwork;
use serde::Serialize;

use super::agreement::{LayerGradients, squared};
use super::equilibrium::{largest, read};
use super::problem::{Nudge, Problem};
use crate::baseline::cost_gradient;

/// Number of single entries that are followed in each layer.
const N_ENTRIES: usize = 2;

/// The updates of a nudged phase of `K` steps, compared with the gradients of backpropagation through time
/// over the last `K` steps of the free phase.
///
/// The dynamics is `s_{t+1} = M(s_t, θ)`, with all layers updated at once. If the free phase stays at its
/// equilibrium for `K` steps, then for each `t < K` and β → 0
///
/// ```text
/// 1/β · mean[ ∂E/∂θ(s^β_{t+1}) − ∂E/∂θ(s^β_t) ]  →  ∇_θ(t) = mean (∂M/∂θ)ᵀ λ_t    at s_{T−1−t}
/// 1/β · ( s^β_{t+1} − s^β_t )                      → −∇_s(t) = −(∂M/∂drive)ᵀ λ_t    at s_{T−1−t}
///
/// λ_0 = ∂C/∂s_T,   λ_{t+1} = (∂M/∂s)ᵀ λ_t    at s_{T−1−t}
/// ```
///
/// Summed over `t`, the left side is the one-sided estimate after `K` nudged steps, and the right side is the
/// gradient of truncated backpropagation through time. States are compared through the gradient with respect
/// to the drive of a layer, because there a symmetric network runs alike forward and backward.
///
/// # Reference
/// Ernoult et al. (2019), theorem 1, <https://arxiv.org/abs/1905.13633>, with a primitive function of the
/// dynamics in place of the energy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stepwise {
    /// The dynamics.
    pub dynamics: Scheme,
    /// The nudging factor.
    pub beta: f64,
    /// The number of steps `K`.
    pub n_steps: usize,
    /// The largest movement of any unit in the last `K` steps of the free phase.
    pub drift: f64,
    /// The comparison for each weight matrix and bias.
    pub parameters: Vec<StepwiseLayer>,
    /// The comparison for each free layer.
    pub states: Vec<StepwiseLayer>,
}

/// The comparison for one layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepwiseLayer {
    /// The name of the layer or parameter.
    pub name: String,
    /// `Σ_t |EP − BPTT|² / Σ_t |BPTT|²` over all entries.
    pub relative_mean_squared_error: f64,
    /// The mean over all entries.
    pub mean: EntryCourse,
    /// The entries with the largest sums over time.
    pub entries: Vec<Entry>,
}

/// Both sides of the comparison as functions of the time `t`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct EntryCourse {
    /// Equilibrium propagation.
    pub eqprop: Vec<f64>,
    /// Backpropagation through time.
    pub bptt: Vec<f64>,
}

/// A single weight, or a single unit of a single example.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its index, in row-major order.
    pub index: usize,
    /// Its course.
    pub course: EntryCourse,
}

/// Compares both sides over `n_steps` steps at the free equilibrium.
pub(super) fn measure<E: VectorField, C: Cost>(
    problem: &Problem<'_, E, C>,
    dynamics: Scheme,
    beta: f64,
    n_steps: usize,
) -> Stepwise {
    let EquilibriumNetwork { energy, cost, .. } = problem.network;
    let relaxation = Relaxation::steps(dynamics, n_steps);
    let mut free = Vec::new();
    let total = TotalEnergy::<E, C>::free(energy, &problem.clamped);
    relaxation.relax_observed(&total, problem.free.clone(), |_, s| free.push(s.clone()));
    let last = &free[n_steps];

    let mut nudged = vec![last.clone()];
    let (steps, one_sign): (Vec<usize>, _) = ((1..=n_steps).collect(), Nudge { beta, both: false });
    problem.nudge_for(&steps, dynamics, last, one_sign, |_, s| {
        nudged.push(s.first.clone())
    });
    let updates = |from: &State, to: &State| {
        let gradients = energy.contrast(&problem.clamped, to, from, 1.0 / beta);
        LayerGradients::of_energy(energy, &into_params(&gradients, energy)).0
    };
    let moves = |from: &State, to: &State| {
        let pairs = from.layers().iter().zip(to.layers()).enumerate();
        let named = pairs.map(|(layer, (from, to))| {
            let change = (to.clone() - from.clone()) / beta;
            (format!("layer {}", layer + 1), flat(change))
        });
        named.collect::<Vec<_>>()
    };

    let end = &nudged[n_steps];
    let mut parameters = Tally::new(updates(last, end));
    let mut states = Tally::new(moves(last, end));
    let mut costate = cost_gradient(cost, last, &problem.batch.target);
    for t in 0..n_steps {
        let back = Back::through(problem, dynamics, &free[n_steps - 1 - t], &costate);
        let (from, to) = (&nudged[t], &nudged[t + 1]);
        parameters.add(updates(from, to), back.parameters);
        states.add(moves(from, to), back.drives);
        costate = back.costate;
    }
    Stepwise {
        dynamics,
        beta,
        n_steps,
        drift: largest(read(last.max_distance(&problem.free))),
        parameters: parameters.finish(),
        states: states.finish(),
    }
}

/// One step of backpropagation through time.
struct Back {
    /// `∇_θ(t)`, the mean over the batch.
    parameters: Vec<Tensor<1>>,
    /// `−∇_s(t)` of each example.
    drives: Vec<Tensor<1>>,
    /// `λ_{t+1}`.
    costate: State,
}

impl Back {
    /// Backpropagates through the step from `state`, given the costate `λ_t` after it.
    fn through<E: VectorField, C: Cost>(
        problem: &Problem<'_, E, C>,
        dynamics: Scheme,
        state: &State,
        costate: &State,
    ) -> Self {
        let energy = problem.network.energy.clone().train();
        let clamped = energy.clamp(&problem.batch.input);
        let leaf = |tensor: Tensor<2>| tensor.autodiff().require_grad();
        let state = state.map(|layer| leaf(layer.clone()));
        let drives: Vec<_> = state
            .layers()
            .iter()
            .map(|layer| leaf(layer.clone().without_autodiff().zeros_like()))
            .collect();
        let terms = costate.layers().iter().enumerate().map(|(layer, costate)| {
            let activation = energy.layers()[layer].activation;
            let drive = energy.drive(layer, &clamped, &state) + drives[layer].clone();
            let step_size = dynamics.step_size();
            let after = if step_size == 1.0 {
                activation.apply(drive)
            } else {
                let inverse = activation.inverse(state.layer(layer).clone());
                activation.apply(inverse * (1.0 - step_size) + drive * step_size)
            };
            (after * costate.clone()).sum()
        });
        let product = terms.reduce(|sum, term| sum + term);
        let mut gradients = product.expect("a network has a layer").backward();
        let of = |leaf: &Tensor<2>| match leaf.grad(&gradients) {
            Some(gradient) => gradient,
            None => leaf.clone().without_autodiff().zeros_like(),
        };
        let of_drive = |(layer, leaf)| {
            let gradient = of(leaf) * -1.0;
            // A force acts on a drive, which is relative to the curvature.
            flat(match problem.network.energy.curvature(layer) {
                Some(curvature) => gradient / curvature,
                None => gradient,
            })
        };
        let costate = state.map(of);
        let drives = drives.iter().enumerate().map(of_drive).collect();
        let parameters = GradientsParams::from_module(&mut gradients, &energy);
        let parameters = LayerGradients::of_energy(&energy, &parameters).0;
        let batch = state.batch_size() as f64;
        Self {
            parameters: parameters.into_iter().map(|(_, sum)| sum / batch).collect(),
            drives,
            costate,
        }
    }
}

fn flat(tensor: Tensor<2>) -> Tensor<1> {
    let n = tensor.shape().num_elements();
    tensor.reshape([n])
}

/// Accumulates the courses of several layers.
struct Tally(Vec<LayerTally>);

struct LayerTally {
    layer: StepwiseLayer,
    difference: f64,
    size: f64,
}

impl Tally {
    /// Creates a tally for layers with these names; their values choose the entries to follow.
    fn new(sums: Vec<(String, Tensor<1>)>) -> Self {
        let layers = sums.into_iter().map(|(name, sum)| LayerTally {
            layer: StepwiseLayer {
                name,
                relative_mean_squared_error: 0.0,
                mean: EntryCourse::default(),
                entries: entries(sum),
            },
            difference: 0.0,
            size: 0.0,
        });
        Self(layers.collect())
    }

    fn add(&mut self, eqprop: Vec<(String, Tensor<1>)>, bptt: Vec<Tensor<1>>) {
        for ((tally, (_, eqprop)), bptt) in self.0.iter_mut().zip(eqprop).zip(bptt) {
            tally.difference += squared(eqprop.clone() - bptt.clone());
            tally.size += squared(bptt.clone());
            let StepwiseLayer { mean, entries, .. } = &mut tally.layer;
            mean.eqprop.push(eqprop.clone().mean().into_scalar::<f64>());
            mean.bptt.push(bptt.clone().mean().into_scalar::<f64>());
            let indices: Vec<i64> = entries.iter().map(|entry| entry.index as i64).collect();
            let indices = TensorData::from(indices.as_slice());
            let indices = Tensor::<1, Int>::from_data(indices, &eqprop.device());
            let chosen = |values: Tensor<1>| read(values.select(0, indices.clone()));
            let values = chosen(eqprop).into_iter().zip(chosen(bptt));
            for (entry, (eqprop, bptt)) in entries.iter_mut().zip(values) {
                entry.course.eqprop.push(eqprop);
                entry.course.bptt.push(bptt);
            }
        }
    }

    fn finish(self) -> Vec<StepwiseLayer> {
        let layers = self.0.into_iter().map(|tally| StepwiseLayer {
            relative_mean_squared_error: tally.difference / tally.size,
            ..tally.layer
        });
        layers.collect()
    }
}

/// Returns the entries of largest magnitude, the largest first.
fn entries(sums: Tensor<1>) -> Vec<Entry> {
    let values = read(sums);
    let mut indices: Vec<usize> = (0..values.len()).collect();
    indices.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()));
    let entry = |&index: &usize| Entry {
        index,
        course: EntryCourse::default(),
    };
    indices.iter().take(N_ENTRIES).map(entry).collect()
}
