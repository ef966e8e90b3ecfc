//! The gradient at the equilibrium itself, from its costate.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use eqprop_core::cost::Cost;
use eqprop_core::energy::{TotalEnergy, VectorField};
use eqprop_core::pullback::backward;
use eqprop_core::relaxation::{Dynamics, Relaxation, Relaxed, Scheme, Stopping};
use eqprop_core::state::State;
use eqprop_train::batch::Batch;
use eqprop_train::estimator::{Estimate, FreeEquilibrium, GradientEstimator};
use eqprop_train::network::{EquilibriumNetwork, FreePhase};
use nalgebra::{DMatrix, DVector};
use tracing::debug_span;

/// Recurrent backpropagation (Almeida, Pineda): finds the costate of the free equilibrium by iteration.
///
/// An equilibrium is a fixed point `s = M(θ, x, s)` of `M_k = σ_k(drive_k)`. The implicit
/// function theorem gives its gradient with a costate `λ`:
///
/// ```text
/// λ = ∂C/∂s + (∂M/∂s)ᵀ λ        dC/dθ = ∂C/∂θ + (∂M/∂θ)ᵀ λ
/// ```
///
/// The iteration goes through [`VectorField::groups`] as an asynchronous relaxation does, each group using
/// the newest `λ` of the others. This is block Gauss–Seidel on a system that is symmetric up to a scaling,
/// and positive definite at a strict minimum of the energy, so it converges wherever the relaxation did.
/// Without an energy the system is not symmetric, and the iteration converges where a relaxation through the
/// groups in reversed order would. Products with the Jacobian come from Burn's autodiff at the one state;
/// memory does not grow with the number of steps. [`Estimate::second_phase`] holds the costate, its residual
/// (the largest change of any entry in the last sweep) and the number of sweeps.
///
/// # Reference
/// Scellier & Bengio (2017), §4.3, <https://arxiv.org/abs/1602.05179>
#[derive(Debug, Clone)]
pub struct RecurrentBackprop<D = Scheme> {
    /// The free phase.
    pub free: Relaxation<D>,
    /// When the iteration for the costate stops.
    pub costate: Stopping,
}

/// The gradient at the free equilibrium, from a linear solve for the costate of [`RecurrentBackprop`]: the
/// reference for all other methods.
///
/// Builds the Jacobian of each example with one product per unit and factorizes it in `f64` on the host,
/// whatever the precision of the device. The gradient is exact up to rounding if the free phase has
/// converged. Meant for small networks: `n` units take `n²` numbers and `n³` operations per example.
#[derive(Debug, Clone)]
pub struct ImplicitExact<D = Scheme> {
    /// The free phase.
    pub free: Relaxation<D>,
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C> for RecurrentBackprop<D> {
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        &self.free
    }

    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        by_costate(network, batch, start, &self.free, |adjoint| {
            adjoint.iterate(self.costate)
        })
    }
}

impl<E: VectorField, C: Cost, D: Dynamics> GradientEstimator<E, C> for ImplicitExact<D> {
    fn free_phase(&self) -> &dyn FreePhase<E, C> {
        &self.free
    }

    fn estimate(
        &self,
        network: &EquilibriumNetwork<E, C>,
        batch: &Batch,
        start: Option<State>,
    ) -> Estimate {
        by_costate(network, batch, start, &self.free, |adjoint| adjoint.solve())
    }
}

/// Relaxes, finds the costate with `find`, and turns it into gradients.
fn by_costate<E: VectorField, C: Cost>(
    network: &EquilibriumNetwork<E, C>,
    batch: &Batch,
    start: Option<State>,
    free: &dyn FreePhase<E, C>,
    find: impl FnOnce(&Adjoint<'_, E, C>) -> Relaxed,
) -> Estimate {
    let equilibrium = FreeEquilibrium::find(free, network, batch, start);
    let costate = debug_span!("second_phase").in_scope(|| find(&Adjoint(&equilibrium)));
    let gradients = debug_span!("gradient").in_scope(|| {
        let (network, state) = (&network.clone().train(), equilibrium.state());
        let clamped = network.energy.clamp(&equilibrium.input);
        let total = TotalEnergy::<E, C>::free(&network.energy, &clamped);
        let through = product(&total, state, &costate.state);
        let cost = network.cost.summed_value(state, &equilibrium.target);
        // A multiplication: autodiff takes the reciprocal of a divisor in `f32`, whatever the data type.
        let per_example = 1.0 / state.batch_size() as f64;
        let objective = (through + cost.sum()) * per_example;
        GradientsParams::from_grads(backward(&objective), network)
    });
    equilibrium.estimate(gradients, Some(costate))
}

/// `⟨λ, M(s)⟩`, summed over the batch.
fn product<E: VectorField, C: Cost>(
    total: &TotalEnergy<'_, E, C>,
    state: &State,
    costate: &State,
) -> Tensor<1> {
    let terms = costate.layers().iter().enumerate();
    terms
        .map(|(layer, costate)| (total.minimize(layer, state) * costate.clone()).sum())
        .reduce(|sum, term| sum + term)
        .expect("a state has at least one layer")
}

/// Computes the costate at a free equilibrium.
struct Adjoint<'a, E: VectorField, C: Cost>(&'a FreeEquilibrium<E, C>);

impl<E: VectorField, C: Cost> Adjoint<'_, E, C> {
    fn cost_gradient(&self) -> State {
        cost_gradient(&self.0.network.cost, self.0.state(), &self.0.target)
    }

    /// `(∂M/∂s_k)ᵀ λ` for each layer `k` of `layers`.
    fn backward(&self, layers: &[usize], costate: &State) -> Vec<Tensor<2>> {
        let mut state = self.0.state().clone();
        for &layer in layers {
            let leaf = state.layer(layer).clone().autodiff().require_grad();
            state.set(layer, leaf);
        }
        let total = TotalEnergy::<E, C>::free(&self.0.network.energy, &self.0.clamped);
        let product = product(&total, &state, costate);
        // Without a connection between free layers nothing depends on the state.
        let gradients = product.is_tracked().then(|| backward(&product));
        let of = |&layer: &usize| {
            let leaf = state.layer(layer);
            let gradient = gradients.as_ref().and_then(|found| leaf.grad(found));
            gradient.unwrap_or_else(|| self.0.state().layer(layer).zeros_like())
        };
        layers.iter().map(of).collect()
    }

    fn iterate(&self, stopping: Stopping) -> Relaxed {
        let cost_gradient = self.cost_gradient();
        let mut costate = cost_gradient.clone();
        let mut step = 0;
        loop {
            step += 1;
            let before = costate.clone();
            for group in self.0.network.energy.groups() {
                let received = self.backward(group, &costate);
                for (&layer, received) in group.iter().zip(received) {
                    costate.set(layer, cost_gradient.layer(layer).clone() + received);
                }
            }
            let relaxed = |costate: State| Relaxed {
                residual: costate.max_distance(&before),
                state: costate,
                n_steps: step,
                tolerance: stopping.tolerance,
            };
            if step >= stopping.max_steps {
                return relaxed(costate);
            }
            if let Some(tolerance) = stopping.tolerance
                && step % stopping.check_every == 0
            {
                let relaxed = relaxed(costate.clone());
                let residual = relaxed.info().residual;
                if residual <= tolerance || !residual.is_finite() {
                    return relaxed;
                }
            }
        }
    }

    fn solve(&self) -> Relaxed {
        let layers = self.0.network.energy.layers().iter();
        let sizes: Vec<usize> = layers.map(|layer| layer.n_units()).collect();
        let (n, batch) = (sizes.iter().sum::<usize>(), self.0.state().batch_size());
        let all: Vec<usize> = (0..sizes.len()).collect();
        let zeros = self.0.state().map(Tensor::zeros_like);
        // `(I − ∂M/∂s)ᵀ` of each example: the product with unit vector `j` is its column `j`.
        let mut systems = vec![DMatrix::<f64>::identity(n, n); batch];
        let units = sizes.iter().enumerate();
        let units = units.flat_map(|(layer, &size)| (0..size).map(move |unit| (layer, unit)));
        for (column, (layer, unit)) in units.enumerate() {
            let mut vector = zeros.clone();
            let place = [0..batch, unit..unit + 1];
            vector.set(layer, zeros.layer(layer).clone().slice_fill(place, 1.0));
            let received = self.backward(&all, &vector);
            for (system, received) in systems.iter_mut().zip(rows(&received)) {
                let mut into = system.column_mut(column);
                into -= DVector::from_vec(received);
            }
        }
        let right = rows(self.cost_gradient().layers());
        let solutions = systems.into_iter().zip(right).map(|(system, right)| {
            let solution = system.lu().solve(&DVector::from_vec(right));
            // At a minimum that is not strict the system is singular, and there is no gradient.
            solution.map_or_else(|| vec![f64::NAN; n], |found| found.as_slice().to_vec())
        });
        let solutions: Vec<Vec<f64>> = solutions.collect();
        let mut start = 0;
        let layers = sizes.iter().map(|&size| {
            let values = solutions.iter().flat_map(|row| &row[start..start + size]);
            let data = TensorData::new(values.copied().collect(), [batch, size]);
            start += size;
            let like = (&self.0.state().device(), self.0.state().output().dtype());
            Tensor::from_data(data, like)
        });
        let state = State::new(layers.collect());
        Relaxed {
            residual: state.max_distance(&state),
            state,
            n_steps: 1,
            tolerance: None,
        }
    }
}

/// `∂C/∂s` of each example, which only the output has and layers with costs of their own.
pub(crate) fn cost_gradient<C: Cost>(cost: &C, state: &State, target: &Tensor<2>) -> State {
    let leaves = state.map(|layer| layer.clone().autodiff().require_grad());
    let found = backward(&cost.summed_value(&leaves, target).sum());
    leaves.map(|leaf| {
        let gradient = leaf.grad(&found);
        gradient.unwrap_or_else(|| leaf.clone().without_autodiff().zeros_like())
    })
}

/// Returns the values of each example, concatenated over all layers.
fn rows(layers: &[Tensor<2>]) -> Vec<Vec<f64>> {
    let joined = Tensor::cat(layers.to_vec(), 1);
    let [_, n] = joined.dims();
    let values: Vec<f64> = joined.into_data().iter::<f64>().collect();
    values.chunks_exact(n).map(<[f64]>::to_vec).collect()
}
